"""Damaged and impossible files: a clean error or equal numbers, nothing else.

Every mutation is drawn from a seed; a failure names it.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archives import make_chunk, make_events, make_plan, output_of

from coffea_ddp.errors import DDPError, FileError, FormatError, MergeError
from coffea_ddp.filling import fill
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.io import load, read_pair
from coffea_ddp.histograms.layout import MOST_BINS
from coffea_ddp.histograms.ledger import Chunk, Missing
from coffea_ddp.histograms.merging import merge_files
from coffea_ddp.running.shards import Shards

PLAN = make_plan(max_stored=50)
WEIGHTED = make_plan(max_stored=5, weight=lambda ev: 1.0 + ev.count("mu"))
NAMES = ("mu-/mu+", "pt", "mu>=1")


def make_output(plan: Any) -> Histograms:
    chunk = Chunk("data", "a.root", "Events", "uuid-1", 0, 80, 80)
    return fill(make_events(80), plan, chunk=chunk).with_missing([Missing("data", "b.root", reason="gone")])


OUTPUTS = {"plain": make_output(PLAN), "weighted": make_output(WEIGHTED)}


@pytest.fixture(scope="module", autouse=True)
def _small_groups() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("coffea_ddp.histograms.packing.ROWS", 8)
        yield


@pytest.fixture(scope="module", params=OUTPUTS)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Histograms, Path]:
    output = OUTPUTS[request.param]
    return output, output.save(tmp_path_factory.mktemp("saved") / "h.ddp")


def same_pair(path: Path, output: Histograms) -> bool:
    found, wanted = read_pair(path, *NAMES), output[NAMES]
    return bool(
        found.a == wanted.a
        and found.b == wanted.b
        and (found.kappa, found.not_filled, found.partial) == (wanted.kappa, wanted.not_filled, wanted.partial)
    )


def same_output(path: Path, output: Histograms) -> bool:
    found = load(path)
    return bool(
        found == output
        and found.layout == output.layout
        and found.ledger == output.ledger
        and found.cutflows == output.cutflows
        and found.choices == output.choices
    )


READERS: dict[str, Callable[[Path, Histograms], bool]] = {"load": same_output, "read_pair": same_pair}


def judge(path: Path, output: Histograms, what: object) -> dict[str, str]:
    """Return how each reader took a damaged file: an error of ours, or equal numbers; anything else fails."""
    taken = {}
    for name, same in READERS.items():
        try:
            equal = same(path, output)
        except FileError as error:
            equal, told = True, str(error)
        else:
            told = ""
        assert equal, f"{name} reads other numbers: {what}"
        assert not told or str(path) in told
        taken[name] = "refused" if told else "equal"
    return taken


# -- bytes -------------------------------------------------------------------------------------------------------------


def test_every_flipped_bit_is_found_or_does_not_matter(saved: tuple[Histograms, Path], tmp_path: Path) -> None:
    output, source = saved
    content = source.read_bytes()
    rng, path = np.random.default_rng(7), tmp_path / "h.ddp"
    taken: dict[str, int] = {}
    for place in rng.choice(8 * len(content), 400, replace=False).tolist():
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        for reader, found in judge(path, output, f"bit {place}").items():
            taken[f"{reader} {found}"] = taken.get(f"{reader} {found}", 0) + 1
    assert taken["load refused"] > 300, taken


def test_cut_and_torn_files(saved: tuple[Histograms, Path], tmp_path: Path) -> None:
    output, source = saved
    content = source.read_bytes()
    rng, path = np.random.default_rng(8), tmp_path / "h.ddp"
    for number in range(120):
        first, second = sorted(rng.integers(0, len(content), 2).tolist())
        damaged = [
            content[:first],
            content[first:],
            content[:first] + content[second:],
            content[:first] + bytes(second - first) + content[second:],
            content[:second] + content[first:],
            content[:first] + rng.bytes(second - first) + content[second:],
        ][number % 6]
        path.write_bytes(damaged)
        judge(path, output, (number, first, second))


# -- contents ----------------------------------------------------------------------------------------------------------


def packed(source: Path, target: Path, *, manifest: Any = None, compression: int = zipfile.ZIP_STORED,
           **tables: pa.Table | bytes) -> Path:  # fmt: skip
    """Write an output file again with another manifest or other tables, checksums of blocks left out."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w", compression) as other:
        for name in archive.namelist():
            data = archive.read(name)
            if name == "manifest.json":
                told = json.loads(data) if manifest is None else deepcopy(manifest)
                if isinstance(told, dict):
                    told.pop("blocks", None)
                data = told if isinstance(told, bytes) else json.dumps(told).encode()
            found = tables.get(name.removesuffix(".parquet"))
            if found is not None:
                data = found if isinstance(found, bytes) else parquet(found)
            other.writestr(name, data)
    return target


def parquet(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


def manifest_of(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("manifest.json"))


def table_of(path: Path, name: str) -> pa.Table:
    with zipfile.ZipFile(path) as archive:
        return pq.read_table(io.BytesIO(archive.read(f"{name}.parquet")))


def leaves(data: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to everything in JSON data."""
    yield at
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from leaves(value, (*at, key))


def changed(data: Any, at: tuple[Any, ...], value: Any) -> Any:
    """Return JSON data with another value in one place."""
    if not at:
        return value
    copy = deepcopy(data)
    inner = copy
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return copy


VALUES = (None, True, -1, 0, 1, 2.5, 1e400, -1e400, float("nan"), 2**63, 10**12, 10**30, "", "x", "\ud800", [], {},
          [[]], [[5, 3]], [[0, 5], [3, 9]], {"a": 1})  # fmt: skip


def test_any_value_in_any_place_of_the_manifest(saved: tuple[Histograms, Path], tmp_path: Path) -> None:
    """Whatever it says, it is refused, or read as what can be: no other error, no long time, no impossible content."""
    source = saved[1]
    rng, manifest = np.random.default_rng(9), manifest_of(source)
    places = [at for at in leaves(manifest) if at and at[0] != "blocks"]
    for number in range(250):
        at = places[int(rng.integers(len(places)))]
        value = VALUES[int(rng.integers(len(VALUES)))]
        path = packed(source, tmp_path / "h.ddp", manifest=changed(manifest, at, value))
        began = time.process_time()
        for read in (load, lambda path: read_pair(path, *NAMES)):
            with contextlib.suppress(DDPError):
                assert possible(read(path)), (number, at, value)
        assert time.process_time() - began < 30, (at, value)
        path.unlink()


def possible(found: Any) -> bool:
    """Tell whether what was read can be."""
    if not isinstance(found, Histograms):
        return bool(np.isfinite(found.a.values()).all() and found.kappa > 0 and min(found.not_filled) >= 0)
    intervals = [record.intervals for record in found.ledger.files.values()]
    return bool(
        (found.counts.counts > 0).all()
        and (found.not_filled >= 0).all()
        and all(np.isfinite(symmetry.kappa) and symmetry.kappa > 0 for symmetry in found.layout.symmetries)
        and all(a < b for spans in intervals for a, b in spans)
        and all(b <= c for spans in intervals for (_, b), (c, _) in itertools.pairwise(spans))
        and all(isinstance(number, int) and number >= 0 for flow in found.cutflows.values() for number in flow.values())
    )


NOT_POSSIBLE: dict[str, tuple[tuple[Any, ...], Any]] = {
    "kappa is 0": (("layout", "symmetries", 0, "kappa"), 0.0),
    "kappa is negative": (("layout", "symmetries", 0, "kappa"), -1.0),
    "kappa is no number": (("layout", "symmetries", 0, "kappa"), float("nan")),
    "a side is a number": (("layout", "symmetries", 0, "sides"), ["x", 3]),
    "a million multiplicities": (("layout", "cells", 0, "last"), 1_000_000),
    "half a multiplicity": (("layout", "cells", 0, "last"), 1.5),
    "many bins": (("layout", "symmetries", 0, "observables", 0, "axes", 0, "bins"), 10**12),
    "one bin too many": (("layout", "symmetries", 0, "observables", 0, "axes", 0, "bins"), MOST_BINS + 1),
    "no flow bins": (("layout", "symmetries", 0, "observables", 0, "axes", 0, "overflow"), False),
    "infinite edge": (("layout", "symmetries", 0, "observables", 0, "axes", 0, "upper"), float("inf")),
    "weighted is text": (("layout", "weighted"), "no"),
    "negative store": (("layout", "max_stored"), -1),
    "a name is a number": (("layout", "plan"), 3),
    "overlapping intervals": (("ledger", "files", 0, "intervals"), [[0, 50], [40, 80]]),
    "intervals out of order": (("ledger", "files", 0, "intervals"), [[50, 80], [0, 40]]),
    "empty interval": (("ledger", "files", 0, "intervals"), [[7, 7]]),
    "negative interval": (("ledger", "files", 0, "intervals"), [[-5, 7]]),
    "fractional interval": (("ledger", "files", 0, "intervals"), [[0, 7.5]]),
    "beyond the file": (("ledger", "files", 0, "intervals"), [[0, 81]]),
    "endless interval": (("ledger", "files", 0, "intervals"), [[0, 10**30]]),
    "negative unnamed": (("ledger", "unnamed"), -3),
    "missing backwards": (("ledger", "missing", 0, "start"), 9),
    "negative not filled": (("not_filled", 0, 0), -1),
    "fractional not filled": (("not_filled", 0, 1), 0.5),
    "too few not filled": (("not_filled",), [[0, 0]]),
    "negative cutflow": (("cutflows", "data", "events"), -1),
    "fractional cutflow": (("cutflows", "data", "events"), 1.5),
    "choices are text": (("choices",), {"a": "Muon_pt"}),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_POSSIBLE)
def test_what_no_pass_can_say_is_refused(saved: tuple[Histograms, Path], tmp_path: Path, name: str) -> None:
    at, value = NOT_POSSIBLE[name]
    path = packed(saved[1], tmp_path / "h.ddp", manifest=changed(manifest_of(saved[1]), at, value))
    for read in (load, lambda path: read_pair(path, *NAMES), lambda path: merge_files([saved[1], path])):
        with pytest.raises(FormatError, match=r"h\.ddp: not a coffea-ddp output, or damaged"):
            read(path)


def test_one_file_twice_in_the_ledger(saved: tuple[Histograms, Path], tmp_path: Path) -> None:
    manifest = manifest_of(saved[1])
    manifest["ledger"]["files"] *= 2
    with pytest.raises(FormatError, match="in the ledger twice"):
        load(packed(saved[1], tmp_path / "h.ddp", manifest=manifest))


def column_edits(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Yield tables with one column that cannot be."""
    n = len(table)
    for number, field in enumerate(table.schema):
        values = table[field.name].to_numpy()
        others: dict[str, Any] = {
            "floats": values.astype(np.float64) + 0.5,
            "words": np.array(["x"] * n, dtype=object),
            "bools": np.ones(n, bool),
            "int8": np.ones(n, np.int8),
            "nulls": pa.array([None] * n, field.type),
        }
        if field.type == pa.float64():
            others["floats"] = values.astype(np.float32)
        if field.type == pa.float32():
            others["floats"] = values.astype(np.float64)
        for name, other in others.items():
            yield f"{field.name} as {name}", table.set_column(number, field.name, pa.array(other))
        yield f"without {field.name}", table.remove_column(number)
        yield f"{field.name} twice", table.append_column(field.name, table[field.name])
    yield "one more", table.append_column("more", pa.array(np.zeros(n)))


@pytest.mark.parametrize("name", ["counts", "events", "thresholds"])
def test_tables_of_other_columns_are_refused(saved: tuple[Histograms, Path], tmp_path: Path, name: str) -> None:
    for told, table in column_edits(table_of(saved[1], name)):
        if not len(table) and told.endswith("nulls"):
            continue
        path = packed(saved[1], tmp_path / "h.ddp", **{name: table})
        with pytest.raises(FormatError):
            print(told, load(path))
        if name == "counts":
            with pytest.raises(FormatError):
                print(told, read_pair(path, *NAMES))


BAD_COUNTS: dict[str, dict[str, Any]] = {
    "negative": {"count": -1}, "zero": {"count": 0}, "huge": {"count": 2**63 - 1}, "key out of range": {"key": 2**40},
    "negative key": {"key": -1}, "sum is no number": {"sum_w": np.nan}, "infinite sum": {"sum_w": np.inf},
    "negative square": {"sum_w2": -1.0}, "square is no number": {"sum_w2": np.nan},
    "sum without square": {"sum_w2": 0.0},
}  # fmt: skip
BAD_EVENTS = {"cell": (-1, 3, 2**31 - 1), "sides": (0, 3, 4, 2**63), "weight": (np.nan, np.inf)}


def test_values_that_cannot_be_are_refused(saved: tuple[Histograms, Path], tmp_path: Path) -> None:
    tables = {name: table_of(saved[1], name) for name in ("counts", "events", "thresholds")}
    edits = [("counts", column, value, 5) for bad in BAD_COUNTS.values() for column, value in bad.items()]
    edits += [("events", column, value, 5) for column, values in BAD_EVENTS.items() for value in values]
    edits += [("thresholds", "group", value, 0) for value in (-1, 10**6)]
    tried = 0
    for name, column, value, row in edits:
        table = tables[name]
        if column not in table.column_names or len(table) <= row:
            continue
        values = table[column].to_numpy().copy()
        values[row] = value
        number = table.column_names.index(column)
        path = packed(saved[1], tmp_path / "h.ddp", **{name: table.set_column(number, column, pa.array(values))})
        with pytest.raises(FormatError, match="damaged"):
            print(name, column, value, load(path))
        tried += 1
    assert tried > 10


# -- sizes -------------------------------------------------------------------------------------------------------------


def test_bombs_are_refused_at_once(saved: tuple[Histograms, Path], tmp_path: Path) -> None:
    source, path = saved[1], tmp_path / "h.ddp"
    rows = pa.table(
        {"key": pa.array(np.zeros(20_000_000, np.int64)), "count": pa.array(np.zeros(20_000_000, np.int64))}
    )
    deep = b'{"format": "coffea-ddp/histograms", "version": 1, "layout": ' + b"[" * 100_000
    wide = b'{"format": "coffea-ddp/histograms", "x": "' + b" " * 2**27 + b'"}'
    bombs = {
        "rows": lambda: packed(source, path, counts=rows),
        "deep": lambda: packed(source, path, manifest=deep),
        "wide": lambda: packed(source, path, manifest=wide, compression=zipfile.ZIP_DEFLATED),
        "zeros": lambda: packed(source, path, events=bytes(2**27), compression=zipfile.ZIP_DEFLATED),
    }
    for name, make in bombs.items():
        make()
        began = time.process_time()
        for read in (load, lambda path: read_pair(path, *NAMES)):
            if name == "zeros" and read is not load:
                continue  # it is not asked for the events, but refused all the same: see load
            with pytest.raises(FormatError):
                read(path)
        assert time.process_time() - began < 20, name


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_archives(saved: tuple[Histograms, Path], tmp_path: Path, compression: int) -> None:
    output, source = saved
    path = packed(source, tmp_path / "h.ddp", compression=compression)
    assert judge(path, output, compression) == {"load": "equal", "read_pair": "equal"}
    content, rng = path.read_bytes(), np.random.default_rng(3)
    for place in rng.choice(len(content), 60, replace=False).tolist():
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        judge(path, output, place)


def test_archives_with_a_password_or_a_member_twice(saved: tuple[Histograms, Path], tmp_path: Path) -> None:
    output, source = saved
    content = bytearray(source.read_bytes())
    with zipfile.ZipFile(source) as archive:
        places = [info.header_offset + 6 for info in archive.infolist()]
        directory = archive.start_dir
    content[places[0]] |= 1
    content[directory + 8] |= 1
    (tmp_path / "locked.ddp").write_bytes(content)
    assert set(judge(tmp_path / "locked.ddp", output, "locked").values()) == {"refused"}
    path = packed(source, tmp_path / "twice.ddp")
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("counts.parquet", b"")
    assert set(judge(path, output, "twice").values()) == {"refused"}


def test_older_files_without_checksums(saved: tuple[Histograms, Path], tmp_path: Path) -> None:
    output, source = saved
    path = packed(source, tmp_path / "h.ddp")
    assert "blocks" in manifest_of(source)
    assert "blocks" not in manifest_of(path)
    assert judge(path, output, "old") == {"load": "equal", "read_pair": "equal"}
    content, rng = path.read_bytes(), np.random.default_rng(3)
    for place in rng.choice(len(content), 100, replace=False).tolist():
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        judge(path, output, place)


# -- outputs that do not belong together -------------------------------------------------------------------------------


def test_equal_fingerprints_are_not_enough_to_merge(saved: tuple[Histograms, Path], tmp_path: Path) -> None:
    source, manifest = saved[1], manifest_of(saved[1])
    manifest["ledger"]["files"][0]["uuid"] = "uuid-2"
    edits: dict[str, tuple[tuple[Any, ...], Any]] = {
        "kappa": (("symmetries", 0, "kappa"), 2.0),
        "sides": (("symmetries", 0, "sides"), ["l+", "l-"]),
        "upper": (("symmetries", 0, "observables", 0, "axes", 0, "upper"), 90.0),
        "last": (("cells", 0, "last"), 3),
        "plan": (("plan",), "other"),
        "unit": (("features", 0, "unit"), "TeV"),
    }
    for name, (at, value) in edits.items():
        path = packed(source, tmp_path / "h.ddp", manifest=changed(manifest, ("layout", *at), value))
        with pytest.raises(MergeError, match=name):
            merge_files([source, path])
        with pytest.raises(MergeError, match=name):
            load(source) + load(path)
    path = packed(source, tmp_path / "h.ddp", manifest=manifest)
    assert merge_files([source, path]).ledger.n_entries == 160


# -- shards ------------------------------------------------------------------------------------------------------------


def test_damaged_and_foreign_shards_count_as_not_done(tmp_path: Path) -> None:
    shards, item = Shards.of(tmp_path / "parts", PLAN.layout), make_chunk(0, 40)
    output = output_of(item, PLAN)
    shards.save(item, output)
    path = shards.path(item)
    assert shards.load(item) == output
    content, rng = path.read_bytes(), np.random.default_rng(4)
    for place in rng.choice(len(content), 150, replace=False).tolist():
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x04]) + content[place + 1 :])
        found = shards.load(item)
        assert found is None or found == output
    foreign = {
        "other entries": output_of(make_chunk(0, 39), PLAN),
        "later entries": output_of(make_chunk(40, 80), PLAN),
        "another tree": output_of(make_chunk(0, 40, tree="Other"), PLAN),
        "another plan": output_of(item, WEIGHTED),
        "of nothing": Histograms.empty(PLAN.layout),
        "something missing": output.with_missing([Missing("data", "b.root", reason="gone")]),
        "of no file": fill(make_events(40), PLAN),
    }
    for name, other in foreign.items():
        path.unlink()
        other.save(path)
        assert shards.load(item) is None, name
    for damaged in (b"", b"x", b"PK", b"root", content[:100]):
        path.write_bytes(damaged)
        assert shards.load(item) is None
    path.unlink()
    path.mkdir()
    assert shards.load(item) is None
    assert shards.count([item]) == 0
