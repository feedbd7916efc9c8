"""Folders of pages: an older report is replaced, what people put beside it stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coffea_ddp.errors import FileError
from coffea_ddp.pages.folder import new_folder

PAGES = ("index.html", "assets/rows.js", "regions/001.html", "regions/001.png", "regions/002.html")
STRANGERS = ("notes.txt", "regions/notes.html", "assets/logo.png", "talk/slides.pdf", ".git/config", "regions/a/b")


def write(folder: Path, names: set[str], text: str) -> None:
    with new_folder(folder) as place:
        for name in names:
            (place / name).write_text(text)


def contents(folder: Path) -> dict[str, str]:
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_text() for name, path in found.items() if name != "assets/manifest.json"}


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sets(st.sampled_from(PAGES), min_size=1), min_size=1, max_size=4), st.sets(st.sampled_from(STRANGERS))
)
def test_pages_are_the_newest_and_other_files_stay(
    tmp_path_factory: pytest.TempPathFactory, reports: list[set[str]], strangers: set[str]
) -> None:
    folder = tmp_path_factory.mktemp("around") / "report"
    for number, names in enumerate(reports):
        write(folder, names, str(number))
        kept = {name for name in strangers if number}
        assert contents(folder) == dict.fromkeys(names, str(number)) | dict.fromkeys(kept, "mine")
        for name in strangers:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("mine")
    assert [path.name for path in folder.parent.iterdir()] == ["report"]


def test_a_file_of_somebody_else_is_never_a_page(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    write(folder, {"index.html"}, "old")
    (folder / "regions" / "001.html").write_text("mine")
    with pytest.raises(FileError, match=r"regions/001\.html: is not of the report"):
        write(folder, {"index.html", "regions/001.html"}, "new")
    assert contents(folder) == {"index.html": "old", "regions/001.html": "mine"}


@pytest.mark.parametrize(
    "manifest",
    ["", "[]", "{}", "[" * 100_000, '{"format": "coffea-ddp/pages"}', '{"format": "coffea-ddp/pages", "files": [3]}',
     '{"format": "other", "files": ["index.html"]}'],
    ids=["empty", "list", "nothing", "deep", "no files", "numbers", "foreign"],
)  # fmt: skip
def test_a_folder_without_a_manifest_is_refused(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "site" / "assets").mkdir(parents=True)
    (tmp_path / "site" / "index.html").write_text("mine")
    (tmp_path / "site" / "assets" / "rows.js").write_text("mine")
    (tmp_path / "site" / "assets" / "manifest.json").write_text(manifest)
    with pytest.raises(FileError, match="holds something else than a report"):
        write(tmp_path / "site", {"index.html"}, "new")
    assert contents(tmp_path / "site") == {"index.html": "mine", "assets/rows.js": "mine"}


def test_a_manifest_reaches_nothing_outside_of_its_folder(tmp_path: Path) -> None:
    folder, outside = tmp_path / "report", tmp_path / "outside"
    write(folder, {"index.html"}, "old")
    outside.mkdir()
    (outside / "a.html").write_text("mine")
    (folder / "regions").rmdir()
    (folder / "regions").symlink_to(outside)
    names = ["index.html", "../outside/a.html", "regions/a.html", str(outside / "a.html"), "regions/../../outside"]
    (folder / "assets" / "manifest.json").write_text(json.dumps({"format": "coffea-ddp/pages", "files": names}))
    write(folder, {"index.html"}, "new")
    assert (outside / "a.html").read_text() == "mine"
    assert (folder / "index.html").read_text() == "new"
    with pytest.raises(FileError, match=r"regions/b\.html: is not of the report"):
        write(folder, {"regions/b.html"}, "new")
    assert [path.name for path in outside.iterdir()] == ["a.html"]
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(FileError, match="symbolic link"):
        write(tmp_path / "link", {"index.html"}, "new")
