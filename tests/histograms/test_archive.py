"""Files: round trips, and what happens to those that are not ours."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from archives import make_events, make_plan

import coffea_ddp as ddp
from coffea_ddp.errors import FileError, FormatError, UnknownNameError
from coffea_ddp.filling import fill
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.io import load
from coffea_ddp.histograms.ledger import Chunk, Missing


@pytest.mark.parametrize(
    "options",
    [{}, {"weight": lambda ev: np.full(ev.n_events, 0.5)}, {"max_stored": 0}, {"max_stored": 5}],
    ids=["plain", "weighted", "nothing stored", "thinned"],
)
def test_round_trip(tmp_path: Path, options: dict[str, object]) -> None:
    chunk = Chunk("data", "a.root", "Events", "uuid", 0, 200)
    hists = fill(make_events(), make_plan(**options), chunk=chunk)
    hists = hists.with_missing([Missing("data", "b.root", reason="gone")])
    again = load(hists.save(tmp_path / "h.ddp"))
    assert again == hists
    assert again.layout == hists.layout
    assert again.partial
    assert again.missing == hists.missing
    cell = "mu>=1"
    for side in ("a", "b"):
        mine, theirs = (getattr(h["mu-/mu+", "soft pt", cell], side) for h in (hists, again))
        assert mine == theirs
        assert mine.axes[0].label == "pT [GeV]"


def test_round_trip_of_nothing(tmp_path: Path) -> None:
    empty = Histograms.empty(make_plan().layout)
    assert load(empty.save(tmp_path / "h.ddp")) == empty


def test_saved_outputs_add_up(tmp_path: Path) -> None:
    events, plan = make_events(), make_plan()
    chunks = [Chunk("data", "a.root", "Events", "uuid", start, start + 100) for start in (0, 100)]
    parts = [fill(events[c.start : c.stop], plan, chunk=c) for c in chunks]
    first, second = (load(part.save(tmp_path / f"{i}.ddp")) for i, part in enumerate(parts))
    whole = fill(events, plan, chunk=Chunk("data", "a.root", "Events", "uuid", 0, 200))
    assert first + second == whole


def test_no_file_is_left_half_written(tmp_path: Path) -> None:
    hists = fill(make_events(), make_plan())
    with pytest.raises(FileError, match="nowhere"):
        hists.save(tmp_path / "nowhere" / "h.ddp")
    assert list(tmp_path.iterdir()) == []
    hists.save(tmp_path / "h.ddp")
    assert [path.name for path in tmp_path.iterdir()] == ["h.ddp"]


def test_nothing_inside_is_a_pickle(tmp_path: Path) -> None:
    path = fill(make_events(), make_plan()).save(tmp_path / "h.ddp")
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == ["counts.parquet", "events.parquet", "manifest.json", "thresholds.parquet"]
        for name in archive.namelist():
            assert archive.read(name)[:4] in (b"PAR1", b'{\n "')


def _with_manifest(path: Path, target: Path, **changes: object) -> Path:
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            data = source.read(name)
            if name == "manifest.json":
                data = json.dumps({**json.loads(data), **changes}).encode()
            copy.writestr(name, data)
    return target


def test_foreign_and_damaged_files(tmp_path: Path) -> None:
    path = fill(make_events(), make_plan()).save(tmp_path / "h.ddp")
    with pytest.raises(FileError, match="no such file"):
        load(tmp_path / "absent.ddp")
    text = tmp_path / "text.ddp"
    text.write_text("hello")
    with pytest.raises(FormatError, match="not a coffea-ddp output"):
        load(text)
    half = tmp_path / "half.ddp"
    half.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(FormatError, match=r"half\.ddp"):
        load(half)
    with pytest.raises(FormatError, match="version 99"):
        load(_with_manifest(path, tmp_path / "new.ddp", version=99))
    with pytest.raises(FormatError, match="format"):
        load(_with_manifest(path, tmp_path / "other.ddp", format="somebody/else"))
    with pytest.raises(FormatError, match="damaged"):
        load(_with_manifest(path, tmp_path / "bad.ddp", not_filled=[[1, 2]]))
    with pytest.raises(FormatError, match="damaged"):
        load(_with_manifest(path, tmp_path / "list.ddp", layout=[1]))


# -- one cell ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
def test_one_cell_without_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weighted: bool, compressed: bool
) -> None:
    monkeypatch.setattr("coffea_ddp.histograms.packing.ROWS", 4)
    options = {"weight": lambda ev: 1.0 + ev.count("mu")} if weighted else {}
    hists = fill(make_events(400), make_plan(**options))
    path = hists.save(tmp_path / "h.ddp")
    if compressed:  # somebody packed it again
        with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "z.ddp", "w", zipfile.ZIP_DEFLATED) as other:
            for name in archive.namelist():
                other.writestr(name, archive.read(name))
        path = tmp_path / "z.ddp"
    groups: list[int] = []
    original = pq.ParquetFile.read_row_groups

    def spy(self: pq.ParquetFile, numbers: list[int], **options: object) -> object:
        groups.append(len(numbers) / self.metadata.num_row_groups)
        return original(self, numbers, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", spy)
    for name in ("pt", "soft pt", "events"):
        for cell in ("inclusive", "mu=1", "mu>=2", "mu>=1", "mu=0"):
            found, wanted = ddp.read_pair(path, "mu-/mu+", name, cell), hists["mu-/mu+", name, cell]
            assert found.a == wanted.a
            assert found.b == wanted.b
            assert (found.kappa, found.not_filled) == (wanted.kappa, wanted.not_filled)
    assert min(groups) < 0.5
    with pytest.raises(UnknownNameError, match="soft pt"):
        ddp.read_pair(path, "mu-/mu+", "mass")
    with pytest.raises(FileError, match="no such file"):
        ddp.read_pair(tmp_path / "none.ddp", "mu-/mu+", "pt")


def test_one_cell_of_a_damaged_file(tmp_path: Path) -> None:
    path = fill(make_events(), make_plan()).save(tmp_path / "h.ddp")
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("counts.parquet").header_offset + 60
    content = bytearray(path.read_bytes())
    content[start : start + 300] = bytes(300)
    path.write_bytes(bytes(content))
    with pytest.raises(FileError, match=r"h\.ddp: (cannot be read|not a coffea-ddp output)"):
        ddp.read_pair(path, "mu-/mu+", "pt")


def test_equal_outputs_are_equal_files(tmp_path: Path) -> None:
    one, two = (fill(make_events(), make_plan()).save(tmp_path / name) for name in ("1.ddp", "2.ddp"))
    assert one.read_bytes() == two.read_bytes()
