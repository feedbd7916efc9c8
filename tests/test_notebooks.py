"""The notebooks as they are stored; that they run is seen by nbmake, which `pytest` starts for notebooks/."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.fixture(scope="module")
def execute():
    spec = importlib.util.spec_from_file_location("execute", FOLDER / "execute.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cell(*outputs):
    made = nbformat.v4.new_code_cell("x", outputs=list(outputs))
    made.metadata["execution"] = {"iopub.execute_input": "2026-01-01"}
    return made


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_with_its_outputs_and_nothing_else(execute, path):
    notebook = nbformat.read(path, as_version=4)
    assert execute.complaints(notebook) == []
    code = [one for one in notebook.cells if one.cell_type == "code"]
    assert [one.execution_count for one in code] == list(range(1, len(code) + 1))
    assert execute.stripped(nbformat.read(path, as_version=4)) == notebook


def test_pieces_of_a_stream_are_joined_and_times_are_left_out(execute):
    pieces = [nbformat.v4.new_output("stream", name="stdout", text=text) for text in ("one ", "two")]
    stored = execute.stripped(nbformat.v4.new_notebook(cells=[cell(*pieces)]))
    assert [one.text for one in stored.cells[0].outputs] == ["one two"]
    assert not stored.cells[0].metadata


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [("stderr", "UserWarning: old", "wrote to stderr"), ("stdout", f"{FOLDER}/x.root", "a path of this machine")],
)
def test_warnings_and_paths_are_refused(execute, name, text, told):
    notebook = nbformat.v4.new_notebook(cells=[cell(nbformat.v4.new_output("stream", name=name, text=text))])
    assert told in execute.complaints(notebook)[0]


def test_an_unknown_name_is_told(execute, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["execute.py", "nowhere"])
    assert execute.main() == 1
    assert "nowhere.ipynb" in capsys.readouterr().out
