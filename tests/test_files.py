"""Outputs: whole or not at all, and never in the place of what is somebody else's."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import uproot
from archives import make_chunk, make_plan, output_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coffea_ddp import _files, testing
from coffea_ddp._files import OUTPUT, REPORT, check_output, what_is, write_in_place, write_text
from coffea_ddp._root_files import is_simulated, is_spectra
from coffea_ddp.errors import FileError
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.report.report import ScanReport
from coffea_ddp.spectra.spectrum import MassSpectrum
from coffea_ddp.spectra.writing import write_spectra
from coffea_ddp.stats.bumphunt.finder import shipped

import hist  # isort: skip

REPORT_MADE = ScanReport(plan="demo", fingerprint="", seed=1, inputs={"events": 0}, trials=0, rows=())


@pytest.fixture(scope="module")
def output() -> Histograms:
    return output_of(make_chunk(), make_plan())


@pytest.fixture(scope="module")
def spectrum() -> MassSpectrum:
    counts = hist.Hist(hist.axis.Regular(5, 0.0, 50.0, name="m_ll"), storage=hist.storage.Int64())
    counts.fill([7.0] * 30)
    return MassSpectrum("2mu", "j>=1", counts)


@pytest.fixture
def writers(output: Histograms, spectrum: MassSpectrum) -> dict[str, Callable[[Path], object]]:
    """Return every function of ours that writes a file, by the suffix of the file."""
    return {
        ".ddp": output.save,
        ".json": REPORT_MADE.save,
        ".csv": REPORT_MADE.to_csv,
        ".npz": shipped().save,
        "s.root": lambda path: write_spectra([spectrum], path),
        "s.json": lambda path: write_spectra([spectrum], path),
        "s.csv": lambda path: write_spectra([spectrum], path),
        "t.root": lambda path: testing.make_nanoaod(path, events=20, seed=1),
        "n.root": lambda path: testing.make_nanoaod(path, events=20, seed=1, container="rntuple"),
    }


def strangers(folder: Path) -> Iterator[Path]:
    """Yield files that are somebody's, some of them near to ours."""
    np.savez(folder / "weights.npz", about=np.arange(5))
    with uproot.recreate(folder / "data.root") as file:
        file.mktree("Events", {"x": np.float32}).extend({"x": np.ones(3, np.float32)})
    with uproot.recreate(folder / "rois.root") as file:
        file["ROI_mass_m0m1_cat_1j_width_10"] = np.histogram([1.0], bins=3)
    texts = {
        "plan.py": "plan = 1\n", "thesis.tex": r"\begin{document}", "notes.md": "# coffea-ddp/report\n",
        "masses.csv": "spectrum,low,high,count\nmine,0,1,7\n", "numbers.csv": "rank,z\n1,5\n", "blank": "\n",
        "fileset.json": json.dumps({"data": {"files": {"a.root": "Events"}}}), "list.json": "[1]",
        "quotes.json": json.dumps({"seen": "coffea-ddp/report", "format": "coffea-ddp/histograms"}),
        "archive.zip": "PK\x03\x04 manifest.json", "script": "#!/bin/sh\n",
    }  # fmt: skip
    for name, text in texts.items():
        (folder / name).write_text(text)
    yield from sorted(folder.iterdir())


def test_only_older_outputs_of_the_same_kind_are_replaced(
    tmp_path: Path, writers: dict[str, Callable[[Path], object]]
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    for suffix, write in writers.items():
        path = mine / f"x{suffix}"
        write(path)
        before = path.stat().st_ino
        write(path)
        assert path.stat().st_ino != before, suffix
    (tmp_path / "theirs").mkdir()
    others = [*strangers(tmp_path / "theirs"), *sorted(mine.iterdir())]
    same = {".json": {".json"}, ".csv": {".csv"}, "t.root": {"t.root", "n.root"}, "n.root": {"t.root", "n.root"}}
    same |= {key: {"s.root", "s.json", "s.csv"} for key in ("s.root", "s.json", "s.csv")}
    for suffix, write in writers.items():
        for other in others:
            if other.name in {f"x{one}" for one in same.get(suffix, {suffix})}:
                continue
            path = tmp_path / f"y{suffix}"
            path.write_bytes(other.read_bytes())
            with pytest.raises(FileError, match=r"is there already, and would be lost"):
                write(path)
            assert path.read_bytes() == other.read_bytes(), (suffix, other)
            path.unlink()
        path = tmp_path / f"empty{suffix}"
        path.touch()  # as mktemp does
        write(path)
        assert path.stat().st_size
    assert not list(tmp_path.rglob("*.tmp"))


def test_what_is_no_file_is_refused(tmp_path: Path, writers: dict[str, Callable[[Path], object]]) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "file").write_text("mine")
    server = socket.socket(socket.AF_UNIX)
    for suffix, write in writers.items():
        place = {kind: tmp_path / f"{kind}{suffix}" for kind in ("link", "dangling", "folder", "pipe", "socket")}
        place["link"].symlink_to(tmp_path / "target")
        place["dangling"].symlink_to(tmp_path / f"nothing{suffix}")
        place["folder"].mkdir()
        os.mkfifo(place["pipe"])
        if suffix == ".ddp":
            server.bind(str(place["socket"]))
        else:
            del place["socket"]
        for path in place.values():
            with pytest.raises(FileError, match=r"(symbolic link to .*|a folder|a pipe|a socket), not a file; give a"):
                write(path)
        for absent in (tmp_path / "nowhere" / f"x{suffix}", tmp_path / "file" / f"x{suffix}"):
            if suffix not in ("t.root", "n.root"):  # these make their folders
                with pytest.raises(FileError, match="does not exist or cannot be written to"):
                    write(absent)
        (tmp_path / f"kept{suffix}").touch(0o444)
        with pytest.raises(FileError, match="write-protected"):
            write(tmp_path / f"kept{suffix}")
        with pytest.raises(FileError, match=r"cannot be written"):
            write(tmp_path / ("x" * 300 + suffix))
    server.close()
    assert (tmp_path / "target").read_text() == "mine"
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("name", ["/dev/null", "/dev/full", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_devices_are_refused(name: str) -> None:
    before = Path(name).lstat().st_ino if name.startswith("/dev") else 0
    with pytest.raises(FileError, match=r"(device|link to \S+|not exist).*(- for standard output|choose)"):
        check_output(name, REPORT)
    assert not name.startswith("/dev") or Path(name).lstat().st_ino == before


def test_what_appears_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "r.json"

    def write(temporary: Path) -> None:
        temporary.write_text('{"format": "coffea-ddp/report"}')
        path.write_text("somebody was quicker")

    with pytest.raises(FileError, match="would be lost"):
        write_in_place(path, write, REPORT)
    assert [one.name for one in tmp_path.iterdir()] == ["r.json"]
    assert path.read_text() == "somebody was quicker"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("bug"), KeyboardInterrupt()])
def test_a_failure_leaves_the_older_one_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = write_text(tmp_path / "r.json", '{"format": "coffea-ddp/report"}', REPORT)

    def write(temporary: Path) -> None:
        temporary.write_text("half")
        raise error

    with pytest.raises(FileError if isinstance(error, OSError) else type(error)):
        write_in_place(path, write, REPORT)
    assert [one.name for one in tmp_path.iterdir()] == ["r.json"]
    assert what_is(path) == REPORT


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    sync, replace = os.fsync, Path.replace

    def told_sync(descriptor: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    def told_replace(self: Path, target: Path) -> Path:
        steps.append("name")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", told_sync)
    monkeypatch.setattr(Path, "replace", told_replace)
    write_text(tmp_path / "r.json", '{"format": "coffea-ddp/report"}', REPORT)
    assert steps == ["file", "name", "folder"]


def test_permissions(tmp_path: Path) -> None:
    text, path = '{"format": "coffea-ddp/report"}', tmp_path / "r.json"
    before = os.umask(0o027)
    try:
        write_text(path, text, REPORT)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o664)
        write_text(path, text, REPORT)
        assert stat.S_IMODE(path.stat().st_mode) == 0o664
    finally:
        os.umask(before)


def test_writers_at_the_same_time(tmp_path: Path) -> None:
    texts = ['{"format": "coffea-ddp/report", "x": "%s"}' % (str(i) * 100_000) for i in range(8)]
    threads = [threading.Thread(target=write_text, args=(tmp_path / "r.json", text, REPORT)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "r.json").read_text() in texts
    assert [one.name for one in tmp_path.iterdir()] == ["r.json"]


KINDS = sorted({value for name, value in vars(_files).items() if name.isupper() and isinstance(value, str)})


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=700) | st.sampled_from([b"PK\x03\x04", b"root", b"{", b"coffea-ddp/"]).flatmap(
    lambda first: st.binary(max_size=100).map(lambda rest: first + rest)), st.sampled_from(KINDS))  # fmt: skip
def test_any_bytes_are_somebody_elses(tmp_path_factory: pytest.TempPathFactory, content: bytes, kind: str) -> None:
    path = tmp_path_factory.mktemp("any") / "file"
    path.write_bytes(content)
    assert what_is(path)
    if content and kind not in ("a ROOT file",):
        with pytest.raises(FileError, match="would be lost"):
            write_text(path, "new", kind)
        assert path.read_bytes() == content


def test_root_files_of_ours(tmp_path: Path, spectrum: MassSpectrum) -> None:
    ours = write_spectra([spectrum], tmp_path / "s.root")
    events = testing.make_nanoaod(tmp_path / "t.root", events=5)
    assert (is_spectra(ours), is_simulated(ours), is_spectra(events), is_simulated(events)) == (
        True,
        False,
        False,
        True,
    )
    with uproot.update(ours) as file:  # somebody adds something
        file["mine"] = np.histogram([1.0], bins=3)
    assert not is_spectra(ours)
    assert what_is(tmp_path / "s.root") == _files.ROOT
    assert what_is(output_of(make_chunk(), make_plan()).save(tmp_path / "h.ddp")) == OUTPUT
