"""Menus of triggers beside finished chunks: read once a file, in whatever process; made again where damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coffea_ddp.events.dialects.menu import Menu
from coffea_ddp.plan.plan_files import load_plan
from coffea_ddp.running import metadata
from coffea_ddp.running.driver import run
from coffea_ddp.running.kept_menus import NAME, Place, kept_in, place
from coffea_ddp.running.options import Checkpoint, Reading
from coffea_ddp.testing import make_physlite

MENU = Menu({7: {"HLT_mu26_ivarmedium": 33}, 8: {}})
SMALL = Reading(chunksize=100)


@pytest.fixture(scope="module")
def atlas(tmp_path_factory) -> str:
    return str(make_physlite(tmp_path_factory.mktemp("atlas") / "a.root", events=300, seed=1))


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """Return the files whose metadata are read, as a new process would: nothing is remembered."""
    found: list[str] = []
    real = metadata._menu_in
    monkeypatch.setattr(metadata, "_menu_in", lambda path: found.append(path) or real(path))
    metadata._menu.cache_clear()
    return found


def kept(folder: Path) -> Path:
    (found,) = folder.rglob(NAME)
    return found


def test_another_process_reads_what_the_first_has_kept(atlas, reads, tmp_path):
    plan = load_plan("symmetries")
    folder = tmp_path / "parts"
    first = run(plan, atlas, reading=SMALL, checkpoint=Checkpoint(folder, keep=True))
    assert reads == [atlas]
    told = json.loads(kept(folder).read_text())
    assert told["uuid"] == kept(folder).parent.name == metadata.uuid_of(atlas)
    for chunk in folder.rglob("*.ddp"):
        chunk.unlink()
    metadata._menu.cache_clear()
    again = run(plan, atlas, reading=SMALL, checkpoint=Checkpoint(folder, resume=True))
    assert reads == [atlas]
    assert again == first
    assert not folder.exists()


def test_worker_processes_read_what_is_kept(atlas, reads, tmp_path):
    folder = tmp_path / "parts"
    one = run("symmetries", atlas, reading=SMALL, checkpoint=Checkpoint(folder, keep=True), executor="futures")
    assert kept(folder).is_file()
    assert one.n_events == 300


def test_without_a_folder_nothing_is_kept(atlas, reads, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("symmetries", atlas, reading=SMALL)
    assert reads == [atlas]
    assert not list(tmp_path.iterdir())
    assert place() is None


@pytest.mark.parametrize("damage", [
    b"", b"{", b"[]", b'{"format": "coffea-ddp/menu"}', b"x", b"uuid", b"sha256", b"menus",
])  # fmt: skip
def test_what_is_damaged_or_of_another_file_is_made_again(damage, atlas, reads, tmp_path):
    file_id = metadata.uuid_of(atlas)
    made = Place(tmp_path, file_id)
    made.save(MENU)
    path, told = tmp_path / NAME, json.loads((tmp_path / NAME).read_text())
    if damage in (b"uuid", b"sha256"):
        path.write_text(json.dumps(told | {damage.decode(): "0" * 64}))
    elif damage == b"menus":
        path.write_text(json.dumps(told | {"menus": {"7": {"HLT_mu26_ivarmedium": 34}}}))
    else:
        path.write_bytes(damage)
    before = path.read_bytes()
    assert made.load() is None
    with kept_in(tmp_path, file_id):
        found = metadata.menu_of(atlas)
    assert reads == [atlas]
    assert "HLT_mu26_ivarmedium" in found.names
    if damage in (b"{", b"[]", b"x"):  # no file of this package begins so
        assert path.read_bytes() == before
    else:
        assert made.load().menu.counters == found.counters


def test_a_file_of_another_uuid_is_not_kept(atlas, reads, tmp_path):
    with kept_in(tmp_path, "0" * 32):
        metadata.menu_of(atlas)
    assert not list(tmp_path.iterdir())


def test_what_is_kept_comes_back(tmp_path):
    for number, menu in enumerate((MENU, None)):
        one = Place(tmp_path / str(number), "5c")
        one.save(menu)
        found = one.load()
        assert (found.menu and found.menu.counters) == (menu and menu.counters)
        assert Place(one.folder, "5d").load() is None
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [NAME, NAME]


def test_a_folder_that_cannot_be_written_to_changes_nothing(tmp_path):
    (tmp_path / "file").write_text("mine")
    Place(tmp_path / "file", "5c").save(MENU)
    assert (tmp_path / "file").read_text() == "mine"


def test_somebodys_file_of_that_name_stays(atlas, tmp_path):
    folder = tmp_path / "parts"
    run("symmetries", atlas, reading=SMALL, checkpoint=Checkpoint(folder, keep=True))  # known since the last test
    kept(folder).write_text("mine")
    run("symmetries", atlas, reading=SMALL, checkpoint=Checkpoint(folder, resume=True))
    assert kept(folder).read_text() == "mine"
