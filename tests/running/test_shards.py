"""Folders of finished chunks: what is removed of them, and what never is."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from archives import make_chunk, make_plan, output_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coffea_ddp.errors import FileError, InputError
from coffea_ddp.running.driver import run
from coffea_ddp.running.options import Checkpoint, Reading
from coffea_ddp.running.shards import Shards, check_folder, remove
from coffea_ddp.testing import make_nanoaod

PLAN = make_plan()


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder with what is in them; folders end in a slash."""
    return {
        str(path.relative_to(folder)) + "/" * path.is_dir(): b"" if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def filled(folder: Path) -> Shards:
    shards = Shards.of(folder, PLAN.layout)
    for start in (0, 10):
        shards.save(make_chunk(start, start + 10), output_of(make_chunk(start, start + 10), PLAN))
    return shards


def test_what_was_made_is_removed_to_the_last_file(tmp_path: Path) -> None:
    shards = filled(tmp_path / "parts")
    (shards.folder / "seen-01234567").touch()
    (shards.path(make_chunk()).parent / ".coffea-ddp-0123456789ab.tmp").write_bytes(b"begun")
    remove(tmp_path / "parts")
    assert not (tmp_path / "parts").exists()


STRANGERS = ("notes.txt", "hists.ddp", "plan.py", "{ours}/notes.txt", "{ours}/{uuid}/thesis.tex",
             "{ours}/{uuid}/hists.ddp", "{ours}/old/a-1-2.root", "{ours}/{uuid}/Events-0-10.ddp/kept",
             "other/manifest.json", "other/Events-0-10.ddp", "0123-0.1.0/00/Events-0-10.ddp")  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.sampled_from(STRANGERS), min_size=1))
def test_what_others_put_there_stays(tmp_path_factory: pytest.TempPathFactory, names: set[str]) -> None:
    folder = tmp_path_factory.mktemp("work")
    shards = Shards.of(folder, PLAN.layout)
    known = {"ours": shards.folder.name, "uuid": shards.path(make_chunk()).parent.name}
    for name in names:
        path = folder / name.format(**known)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    before = {name: content for name, content in contents(folder).items() if not name.startswith(known["ours"])}
    mine = {name for name in names if name.startswith("{ours}")}
    if "{ours}/{uuid}/Events-0-10.ddp/kept" not in names:
        filled(folder)
    remove(folder)
    after = contents(folder)
    assert {name: after.get(name) for name in before} == before
    assert {name for name in after if name.startswith(known["ours"]) and not name.endswith(("/", "manifest.json"))} == {
        name.format(**known) for name in mine
    }


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, resume: bool) -> None:
    folder = tmp_path / "work"
    (folder / "thesis").mkdir(parents=True)
    (folder / "thesis" / "chapter1.tex").write_text("no backup")
    (folder / "manifest.json").write_text(json.dumps({"format": "something else"}))
    before = contents(folder)
    data = make_nanoaod(tmp_path / "nano.root", events=50, seed=1)
    with pytest.raises(FileError, match="work: holds other files than checkpoints"):
        run(PLAN, data, checkpoint=Checkpoint(folder, resume=resume))
    with pytest.raises((FileError, InputError), match=r"is a file|there is no .* to go on from"):
        run(PLAN, data, checkpoint=Checkpoint(data, resume=resume))
    remove(folder)
    assert contents(folder) == before
    check_folder(tmp_path / "nowhere")


def test_a_run_leaves_what_others_put_beside_its_chunks(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    data = make_nanoaod(tmp_path / "nano.root", events=50, seed=1)
    for resume in (True, False):
        filled(folder)
        (folder / "notes.txt").write_text("mine")
        run(PLAN, data, checkpoint=Checkpoint(folder, resume=resume))
        assert contents(folder) == {"notes.txt": b"mine"}
        (folder / "notes.txt").unlink()
    assert contents(tmp_path).keys() == {"nano.root", "parts/"}


@pytest.mark.parametrize("instead", ["a file", "nothing"])
def test_a_folder_that_cannot_be_written_to_any_more_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, instead: str
) -> None:
    """Nothing is lost of the run itself: its result counts every chunk, whatever has become of the folder."""
    data = make_nanoaod(tmp_path / "nano.root", events=600, seed=3, cluster=100)
    folder = tmp_path / "parts"

    def spoil(done: int, _total: int) -> None:
        if done == 200:
            folder.rename(tmp_path / "gone")
            if instead == "a file":
                folder.write_text("somebody's")

    hists = run("symmetries", data, reading=Reading(chunksize=100), checkpoint=folder, progress=spoil)
    assert (hists.n_events, hists.partial) == (600, False)
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    if instead == "nothing":
        assert (told, folder.exists()) == ([], False)
    if instead == "a file":
        assert folder.read_text() == "somebody's"
        assert len(told) == 1
        assert told[0].startswith(f"{folder}: cannot be written to any more (Not a directory)")
