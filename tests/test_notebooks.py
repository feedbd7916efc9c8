"""The notebooks as they are stored; that they run is seen by nbmake, which `pytest` starts for notebooks/."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
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


def _tree(path: Path) -> ast.Module:
    """Return the code of a notebook, without the lines that speak to IPython."""
    cells = [one.source for one in nbformat.read(path, as_version=4).cells if one.cell_type == "code"]
    lines = [line for text in cells for line in text.splitlines() if not line.lstrip().startswith(("%", "!"))]
    return ast.parse("\n".join(lines))


def _imported(tree: ast.Module) -> dict[str, Any]:
    """Return what a notebook imports of the package, by the names that it has there; fail where it is not there."""
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "coffea_ddp":
            for one in node.names:
                module = importlib.import_module(node.module)
                if not hasattr(module, one.name):
                    importlib.import_module(f"{node.module}.{one.name}")
                found[one.asname or one.name] = getattr(module, one.name)
        elif isinstance(node, ast.Import):
            for one in node.names:
                if one.name.split(".")[0] == "coffea_ddp":
                    module = importlib.import_module(one.name)
                    found[one.asname or "coffea_ddp"] = module if one.asname else importlib.import_module("coffea_ddp")
    return found


def _resolved(node: ast.expr, names: dict[str, Any]) -> Any:
    """Return what ``ddp.stats.n_sigma`` stands for; None for what a notebook made itself."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        of = _resolved(node.value, names)
        return None if of is None or not inspect.ismodule(of) else getattr(of, node.attr)
    return None


def _calls(tree: ast.Module, names: dict[str, Any]) -> Iterator[tuple[ast.Call, Any]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            _resolved(node, names)  # an AttributeError where it is not there
        if isinstance(node, ast.Call):
            called = _resolved(node.func, names)
            assert not inspect.ismodule(called), f"{ast.unparse(node.func)} is a module"
            if callable(called):
                yield node, called


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_notebook_calls_is_there_and_has_these_options(path):
    """Also of those that are executed among the slow tests: a name or an option that changed is seen at once."""
    tree = _tree(path)
    n_calls = 0
    for call, called in _calls(tree, _imported(tree)):
        parameters = inspect.signature(called).parameters
        if not any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
            unknown = {one.arg for one in call.keywords if one.arg} - set(parameters)
            assert not unknown, f"{path.name}: {ast.unparse(call.func)} has no {sorted(unknown)}"
        n_calls += 1
    assert n_calls > 3


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


@pytest.fixture(scope="module")
def beside():
    spec = importlib.util.spec_from_file_location("published", FOLDER / "published.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_published_point_says_where_it_is_from_and_has_measured_ones_beside_it(beside):
    table = pd.read_csv(beside.FOLDER / "published.csv", dtype=str)
    assert table[["paper", "figure", "curve", "value", "how"]].notna().all(axis=None)
    read = table.how == "read from the figure"
    assert (table[read].error.astype(float) > 0).all()  # by eye: never exact
    measured = pd.read_csv(beside.FOLDER / "measured_nplm.csv", dtype={"n_a": str, "n_b": str})
    tests = set(measured.test)
    assert tests <= set(beside.COLOURS)
    assert len(tests) == 3
    for one in table[table.figure.str.startswith("Z against")].itertuples():
        here = measured[(measured.curve == one.curve) & (measured.n_a == one.n_a) & (measured.n_b == one.n_b)]
        assert set(here[here.x == float(one.x)].test) >= tests, one
    assert (measured.z_error > 0).all() or measured[measured.z_error == 0].z.max() > 2.8  # only at the end of the toys


def test_a_pull_has_the_errors_of_both_and_none_without_any(beside):
    assert beside.pull(3.0, 0.3, 2.0, 0.4) == pytest.approx(2.0)
    assert np.isnan(beside.pull(3.0, 0.0, 2.0)).all()
    with pytest.raises(ValueError, match=r"has nothing of 2401\.09530, 'nothing'"):
        beside.published("2401.09530", "nothing")


def test_the_figure_has_pulls_where_both_have_a_point_and_one_colour_for_each_test(beside):
    points = pd.DataFrame({"x": [1.0, 2.0, 2.0], "value": [1.0, 2.0, 4.0], "error": 0.0, "how": "made"})
    name = "kernels of this package"
    own = {name: ([1.0, 2.0, 3.0], [1.5, 2.0, 9.0], [0.5, 0.5, 0.5])}
    words = dict.fromkeys(("xlabel", "ylabel", "title", "label"), "word")
    main, below = beside.beside(points, own, **words).axes
    (drawn,) = (line for line in below.lines if line.get_color() == beside.COLOURS[name])
    assert np.c_[drawn.get_xdata(), drawn.get_ydata()].tolist() == [[1.0, 1.0], [2.0, 0.0], [2.0, -4.0]]
    assert main.get_legend_handles_labels()[1] == ["published network (made)", name]


WEAK = FOLDER / "09_weak_supervision.ipynb"
SETTINGS = {
    "RESOLUTION", "axis", "FEATURES", "hemispheres", "plan", "MASS", "SIGNAL", "WINDOW", "INDEPENDENT", "MOMENTA",
    "edges", "centres", "sigma", "CUTS", "temporary", "rng",
}  # fmt: skip


@pytest.fixture(scope="module")
def weak():
    """Return what the notebook of weak supervision defines, with nothing computed."""

    def kept(node: ast.stmt) -> bool:
        if isinstance(node, ast.Assign):
            return {one.id for to in node.targets for one in ast.walk(to) if isinstance(one, ast.Name)} <= SETTINGS
        return isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef)

    tree = _tree(WEAK)
    tree.body = [node for node in tree.body if kept(node)]
    names: dict[str, Any] = {}
    exec(compile(tree, WEAK.name, "exec"), names)
    assert names.keys() >= SETTINGS
    yield names
    names["temporary"].cleanup()


@pytest.fixture(scope="module")
def empty_sample(weak):
    return weak["stored"](weak["made"](31))  # a seed that the notebook has not


def test_weak_supervision_finds_the_company_of_a_signal_and_makes_no_bump_of_nothing(weak, empty_sample):
    with_signal = [weak["stored"](weak["made"](2_000 + seed, weak["SIGNAL"])) for seed in range(3)]
    z = {name: weak["hunted"](one)[0] for name, one in weak["cut"](with_signal, weak["INDEPENDENT"]).items()}
    assert np.median(z["best 5 %"]) > np.median(z["all events"]) + 2
    for selected in weak["cut"]([empty_sample], weak["INDEPENDENT"]).values():
        assert weak["hunted"](selected)[0].max() < 3


def test_a_cut_on_momenta_makes_a_bump_of_nothing_and_each_cut_keeps_its_share(weak, empty_sample):
    behind = weak["cut"]([empty_sample], weak["MOMENTA"])
    for name, (one,) in behind.items():
        assert len(one) / len(empty_sample) == pytest.approx(weak["CUTS"][name], abs=0.01)
    network, fit = weak["hunted"](behind["best 5 %"])
    assert min(network[0], fit[0]) > 3


def test_the_features_of_weak_supervision_do_not_know_the_mass_and_exchanges_keep_them_together(weak, empty_sample):
    rho = empty_sample.corr(method="spearman")["m_jj"]
    error = 1 / np.sqrt(len(empty_sample))
    assert rho[weak["INDEPENDENT"]].abs().max() < 0.01 + 3.5 * error  # false taus: 0.01
    assert rho[weak["MOMENTA"]].min() > 0.3
    exchanged = weak["exchanged"](empty_sample)
    assert exchanged["m_jj"].equals(empty_sample["m_jj"])
    mine, before = (one[weak["INDEPENDENT"]].to_numpy() for one in (exchanged, empty_sample))
    assert not np.array_equal(mine, before)
    assert np.array_equal(*(one[np.lexsort(one.T)] for one in (mine, before)))


def test_the_documentation_says_what_the_notebook_of_weak_supervision_measured():
    outputs = [one for cell in nbformat.read(WEAK, as_version=4).cells for one in cell.get("outputs", [])]
    (table,) = (text for one in outputs if "84 %" in (text := one.get("data", {}).get("text/plain", "")))
    medians = re.findall(r"(?:all events|best \d+ %) +([\d.]+)", table)[:3]  # the first column, with the signal
    page = (FOLDER.parent / "docs" / "explanation" / "paradigm.md").read_text()
    said = re.search(
        r"a median z of ([\d.]+) to ([\d.]+) \(best 20 %\) and ([\d.]+) \(best 5 %", " ".join(page.split())
    )
    assert said is not None
    assert [float(one) for one in said.groups()] == pytest.approx([float(one) for one in medians], abs=0.051)
