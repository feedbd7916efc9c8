"""Telling how far a run is."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from coffea_ddp import testing
from coffea_ddp.running.driver import run
from coffea_ddp.running.options import Reading
from coffea_ddp.running.progress import in_notebook, lines, shown, telling


def test_nobody_is_told_unless_asked(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = testing.make_nanoaod(tmp_path / "nano.root", events=300, seed=1, cluster=100)
    run("dimuon_charge", path, reading=Reading(chunksize=100))
    assert capfd.readouterr() == ("", "")
    seen: list[tuple[int, int]] = []
    run("dimuon_charge", path, reading=Reading(chunksize=100), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 300), (100, 300), (200, 300), (300, 300)]
    assert capfd.readouterr() == ("", "")


def test_a_log_gets_one_line_of_a_short_run(capfd: pytest.CaptureFixture[str]) -> None:
    with telling(True) as tell:
        assert tell is not None
        for done in (0, 500, 1000):
            tell(done, 1000)
    out, err = capfd.readouterr()
    assert out == ""
    assert "reading: 1,000 of 1,000 events in 0:00:00, " in err


def test_a_bar_in_a_notebook(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert not in_notebook()
    monkeypatch.setattr("coffea_ddp.running.progress.in_notebook", lambda: True)
    with telling(True) as tell:
        assert tell is not None
        for done in (0, 500, 1000):
            tell(done, 1000)
    assert "1.00k/1.00k" in capfd.readouterr().err


def test_false_and_none() -> None:
    for nothing in (False, None):
        with telling(nothing) as tell:
            assert tell is None


def test_a_log_gets_a_line_now_and_then(capfd: pytest.CaptureFixture[str]) -> None:
    """Also while nothing moves; and no thread is left."""

    def wait_for(line: str) -> None:
        deadline = time.monotonic() + 60.0
        while line not in capfd.readouterr().err:
            assert time.monotonic() < deadline, line
            time.sleep(0.05)

    before = threading.active_count()
    with lines("opening", "files", every=0.02) as tell:
        wait_for("opening, 0:00:00 so far\n")
        tell(1_000, 3_000)
        wait_for("opening: 1,000 of 3,000 files, 0:00:0")
    assert threading.active_count() == before


def test_files_that_are_opened_are_counted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    paths = testing.make_dataset(tmp_path, files=3, events=60, seed=1)
    run("dimuon_charge", paths, progress=True, deduplicate=True)
    err = capfd.readouterr().err
    assert "reading: 60 of 60 events" in err
    assert "\r" not in err


def test_a_bar_in_a_terminal_has_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    with shown("opening", "files") as tell:
        tell(1, 3, "\x1b[31mred")
        tell(3, 3, "")
    err = capfd.readouterr().err
    assert "3/3 files" in err
    assert "left" in err
    assert "\x1b[31mred" not in err
