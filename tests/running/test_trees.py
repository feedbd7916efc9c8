"""Branches read as they are stored: the same as uproot and awkward make of them, each basket once, or no result."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st

import coffea_ddp as ddp
from coffea_ddp.errors import DDPError
from coffea_ddp.events.branches import Columns
from coffea_ddp.plan.plan_files import load_plan
from coffea_ddp.running import baskets, reader, trees
from coffea_ddp.running.basket_bytes import basket_of
from coffea_ddp.testing import make_nanoaod

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
REAL = sorted((SHARED / "nanoaod_real").glob("*.root"))
TYPES = ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")
COMPRESSIONS = (None, uproot.ZLIB(1), uproot.LZMA(1), uproot.LZ4(1), uproot.ZSTD(1))


def numbers(rng, kind, size):
    """Return numbers of a type over most of its range."""
    if kind == "?":
        return rng.random(size) < 0.5
    if kind[0] == "f":
        return rng.normal(0.0, 100.0, size).astype(kind)
    limits = np.iinfo(kind)
    return rng.integers(limits.min, limits.max, size, dtype=kind, endpoint=True)


def write(path, rng, sizes, compression, *, together):
    """Write a collection `Muon` of a field of every type, and a branch of every type, basket by basket."""
    types = {kind.replace("?", "b"): kind for kind in TYPES}
    with uproot.recreate(path, compression=compression) as file:
        for size in sizes:
            lengths = rng.integers(0, 4, size)
            lists = {name: ak.unflatten(numbers(rng, kind, lengths.sum()), lengths) for name, kind in types.items()}
            alone = {f"x_{name}": numbers(rng, kind, size) for name, kind in types.items()}
            inside = {"Muon": ak.zip(lists)} if together else {f"Muon_{name}": one for name, one in lists.items()}
            arrays = {**inside, **{name: ak.Array(one) for name, one in alone.items()}}
            if "Events" not in file:
                file.mktree("Events", {name: array.type.content for name, array in arrays.items()})
            file["Events"].extend(arrays)
    return [*(f"Muon_{name}" for name in types), *(f"x_{name}" for name in types)]


def same(path, names, start, stop):
    """Check that both ways to read agree, and return what was read as it is stored."""
    found = baskets.read(str(path), "Events", names, start, stop)
    assert found is not None
    assert len(found) == stop - start
    with uproot.open(path) as file:
        arrays = file["Events"].arrays(names, entry_start=start, entry_stop=stop, ak_add_doc=True, how=dict)
        titles = {name: file["Events"][name].title for name in names}
    flat, other = Columns(found), Columns(ak.Array(dict(arrays)))
    for name in names:
        ours, theirs = flat._read(name), other._read(name)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
        assert (name in flat._counts) == (name in other._counts)
        if name in flat._counts:
            np.testing.assert_array_equal(flat._counts[name], other._counts[name])
            assert flat._counts[name].dtype == np.int64
        assert flat.title(name) == titles[name]
    return found


@given(st.data())
def test_all_layouts_are_read_as_uproot_reads_them(tmp_path_factory, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    sizes = data.draw(st.lists(st.integers(1, 20), min_size=1, max_size=4))
    compression = data.draw(st.sampled_from(COMPRESSIONS))
    together = data.draw(st.booleans())
    path = tmp_path_factory.mktemp("layouts") / "a.root"
    names = write(path, rng, sizes, compression, together=together)
    start = data.draw(st.integers(0, sum(sizes)))
    stop = data.draw(st.integers(start, sum(sizes)))
    found = same(path, names, start, stop)
    counts = [one.counts for name, one in found.branches.items() if name.startswith("Muon_")]
    assert all(one is counts[0] for one in counts) or start == stop
    nothing = trees.structure(str(path), "Events")
    for name in names:
        kept = nothing.branches[name]
        assert (len(kept.content), kept.content.dtype) == (0, found.branches[name].content.dtype)
        assert (kept.counts is None) == (found.branches[name].counts is None)


@pytest.mark.skipif(not REAL, reason="needs the files of real NanoAOD")
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_real_files(path):
    with uproot.open(path) as file:
        tree = file["Events"]
        if not isinstance(tree, uproot.TTree):
            assert trees.structure(str(path), "Events") is None
            return
        names = [one.name for one in tree.branches if one.name.split("_")[0] in ("Muon", "Jet", "Tau", "HLT", "MET")]
        n_events = tree.num_entries
    assert names
    same(path, names[:150], 0, n_events)
    same(path, names[:20], n_events // 3, n_events // 2)


def test_every_basket_is_read_once(tmp_path, monkeypatch):
    path = make_nanoaod(tmp_path / "a.root", events=2_000, seed=1)
    read, before = Counter(), uproot.models.TBasket.Model_TBasket.read_members

    def counted(self, *given, **options):
        before(self, *given, **options)
        read[self._cursor.index] += 1

    def of_bytes(chunk):
        read[chunk.start] += 1
        return basket_of(chunk)

    monkeypatch.setattr(uproot.models.TBasket.Model_TBasket, "read_members", counted)
    monkeypatch.setattr(baskets, "basket_of", of_bytes)
    ddp.run(load_plan("symmetries"), path)
    assert len(read) > 30
    assert set(read.values()) == {1}


@pytest.mark.parametrize("compression", COMPRESSIONS, ids=str)
def test_damaged_baskets_are_errors_or_what_uproot_makes_of_them(tmp_path, compression):
    """Whatever byte of a basket is changed or missing: never other values than uproot's."""
    rng = np.random.default_rng(3)
    names = write(tmp_path / "a.root", rng, [40], compression, together=True)
    with uproot.open(tmp_path / "a.root") as file:
        source, tried, refused = file.file.source, 0, 0
        for name in names[::3]:
            branch = file["Events"][name]
            ((_, (start, stop)),) = branch.entries_to_ranges_or_baskets(0, 40)
            good = source.chunk(int(start), int(stop)).raw_data
            for place in (*range(110), *rng.integers(len(good), size=20)):
                bad = np.array(good)
                bad[place % len(bad)] ^= 1 << rng.integers(8)
                bad = bad[: rng.integers(1, len(bad))] if place % 10 == 9 else bad
                tried += 1
                try:
                    ours = basket_of(uproot.source.chunk.Chunk.wrap(source, bad, int(start)))
                except Exception:  # noqa: BLE001 (of many libraries)
                    refused += 1
                    continue
                theirs = uproot.models.TBasket.Model_TBasket.read(
                    uproot.source.chunk.Chunk.wrap(source, bad, int(start)),
                    uproot.source.cursor.Cursor(int(start)),
                    {"basket_num": 0},
                    file.file,
                    file.file,
                    branch,
                )
                assert np.array_equal(ours.data, theirs.data)
                assert ours.num_entries == theirs.num_entries
                assert (ours.byte_offsets is None) == (theirs.byte_offsets is None)
                assert ours.byte_offsets is None or np.array_equal(ours.byte_offsets, theirs.byte_offsets)
    assert 0.1 * tried < refused < tried


def test_what_is_not_plain_is_left_to_uproot(tmp_path):
    path, ntuple = tmp_path / "odd.root", tmp_path / "ntuple.root"
    with uproot.recreate(path) as file:
        file.mktree("Events", {"x": np.float64, "three": np.dtype(("f8", (3,))), "word": "string"})
        file["Events"].extend({"x": np.arange(3.0), "three": np.ones((3, 3)), "word": ["a", "b", "c"]})
    with uproot.recreate(ntuple) as file:
        file.mkrntuple("Events", {"x": np.arange(3.0)})
    assert baskets.read(str(path), "Events", ("x",), 0, 3) is not None
    for name in ("three", "word", "absent"):
        assert baskets.read(str(path), "Events", ("x", name), 0, 3) is None
    assert baskets.read(str(path), "Events", (), 0, 3) is None
    assert baskets.read(str(ntuple), "Events", ("x",), 0, 3) is None
    assert baskets.read(str(tmp_path / "absent.root"), "Events", ("x",), 0, 3) is None


def test_lengths_that_the_counter_denies_are_left_to_uproot(tmp_path, monkeypatch):
    path = make_nanoaod(tmp_path / "a.root", events=100, seed=1)
    names = ("Muon_pt", "Muon_eta")
    assert baskets.read(str(path), "Events", names, 0, 100) is not None
    original = baskets._numbers

    def other(kind, parts, n_entries):
        found = original(kind, parts, n_entries)
        return found + 1 if n_entries == 100 else found

    monkeypatch.setattr(baskets, "_numbers", other)
    assert baskets.read(str(path), "Events", names, 0, 100) is None


def test_a_replaced_file_is_read_anew(tmp_path):
    path = tmp_path / "a.root"
    for seed in (1, 2):
        make_nanoaod(path, events=200, seed=seed)
        same(path, ("Muon_pt", "MET_pt"), 0, 200)
    other = make_nanoaod(tmp_path / "b.root", events=200, seed=3)
    other.replace(path)
    same(path, ("Muon_pt", "MET_pt"), 0, 200)


def test_kept_trees_are_bounded_and_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(trees, "_MOST", 100)
    trees._kept.clear()
    handles = Path("/proc/self/fd")
    before = len(list(handles.iterdir())) if handles.is_dir() else 0
    for number in range(5):
        path = make_nanoaod(tmp_path / f"{number}.root", events=50, seed=number)
        reader.look(str(path), "Events")
        assert baskets.read(str(path), "Events", ("MET_pt",), 0, 50) is not None
    assert 1 <= len(trees._kept) <= 2
    assert all(one.model.file.closed for one in trees._kept.values())
    if before:
        assert len(list(handles.iterdir())) <= before


@pytest.mark.parametrize("workers", [None, 2])
def test_both_ways_fill_the_same(tmp_path, monkeypatch, workers):
    paths = [make_nanoaod(tmp_path / f"{number}.root", events=600, seed=number) for number in range(2)]
    options = {"executor": "futures", "workers": workers} if workers else {}
    found = ddp.run("symmetries", paths, reading=ddp.Reading(chunksize=200), **options)
    monkeypatch.setattr(baskets, "read", lambda *_: None)
    monkeypatch.setattr(trees, "structure", lambda *_: None)
    other = ddp.run("symmetries", paths, reading=ddp.Reading(chunksize=200))
    assert found == other
    assert found.choices == other.choices


def test_damage_is_told_as_before(tmp_path, monkeypatch):
    """Whatever byte of the data is wrong, the message is that of uproot's way."""
    path = make_nanoaod(tmp_path / "a.root", events=300, seed=1)
    good = path.read_bytes()
    with uproot.open(path) as file:
        branch = file["Events"]["Muon_eta"]
        first, size = int(branch.member("fBasketSeek")[0]), int(branch.member("fBasketBytes")[0])
        places = [first + offset for offset in (*range(4, 90, 3), size - 1)]

    def told():
        try:
            return ddp.run("symmetries", path).missing
        except DDPError as error:
            return str(error)

    for place in places:
        path.write_bytes(good[:place] + bytes([good[place] ^ 0x55]) + good[place + 1 :])
        ours = told()
        with monkeypatch.context() as patched:
            patched.setattr(baskets, "read", lambda *_: None)
            theirs = told()
        assert ours == theirs


@given(place=st.floats(0.0, 1.0, exclude_max=True), flip=st.integers(1, 255))
def test_what_is_read_of_a_damaged_file_is_what_uproot_reads(tmp_path_factory, place, flip):
    path = tmp_path_factory.mktemp("damaged") / "a.root"
    names = write(path, np.random.default_rng(1), (20, 10), None, together=True)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= flip
    path.write_bytes(content)
    if baskets.read(str(path), "Events", names, 5, 25) is not None:
        same(path, names, 5, 25)
