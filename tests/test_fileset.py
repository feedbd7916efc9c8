"""What to run over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coffea_ddp.errors import FileError, InputError
from coffea_ddp.fileset import normalise


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    paths = [tmp_path / f"{name}.root" for name in "abc"]
    for path in paths:
        path.touch()
    return [str(path) for path in paths]


def test_all_forms_mean_the_same(files: list[str], tmp_path: Path) -> None:
    wanted = {"data": {"files": dict.fromkeys(files, "Events"), "metadata": {}}}
    listing = tmp_path / "fileset.json"
    listing.write_text(json.dumps({"data": files}))
    forms = [
        files,
        str(tmp_path / "*.root"),
        [str(tmp_path / "[ab].root"), str(tmp_path / "c.root")],
        {"data": files},
        {"data": {"files": files}},
        {"data": {"files": dict.fromkeys(files, "Events")}},
        {"data": {"files": {f: {"object_path": "Events", "steps": [[0, 1]]} for f in files}}},
        listing,
        [str(listing)],
    ]
    assert all(normalise(form) == wanted for form in forms)


def test_tree_names_and_metadata(files: list[str]) -> None:
    fileset = {
        "one": {"files": files[:1], "treename": "Other", "metadata": {"era": "2018"}},
        "two": {"files": {files[1]: "Third"}},
    }
    assert normalise(fileset, tree="Mine") == {
        "one": {"files": {files[0]: "Other"}, "metadata": {"era": "2018"}},
        "two": {"files": {files[1]: "Third"}, "metadata": {}},
    }
    assert normalise(files[2], tree="Mine")["data"]["files"] == {files[2]: "Mine"}


def test_a_file_given_twice_is_one_file(files: list[str]) -> None:
    assert list(normalise([*files, files[0]])["data"]["files"]) == files


def test_remote_files_are_not_looked_for() -> None:
    url = "root://host//store/a*.root"
    assert list(normalise([url])["data"]["files"]) == [url]


@pytest.mark.parametrize(
    ("fileset", "error", "message"),
    [
        ("absent.root", FileError, "no such file: absent.root"),
        ("nothing/*.root", FileError, r"nothing/\*.root: the glob matches no file"),
        ("absent.json", FileError, "absent.json: cannot be read as JSON"),
        ([], InputError, "no input files"),
        ({"data": []}, InputError, "no input files"),
        ({"data": {"file": []}}, InputError, "'data': no 'files' in"),
        ({"data": 3}, InputError, "'data': a int is no list"),
        (["a.json", "b.root"], InputError, "not both"),
    ],
)
def test_what_is_wrong_is_said(fileset: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        normalise(fileset)


def test_a_json_of_another_shape(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text("[1, 2]")
    with pytest.raises(FileError, match="must map datasets to files"):
        normalise(path)
