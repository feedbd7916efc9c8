"""Stored events: bottom-k sketches under law 9, their memory, and what equal identities do."""

from __future__ import annotations

import itertools
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp.errors import InputError
from coffea_ddp.histograms.stored import ALL, StoredEvents, identity_hash, side_bits

seeds = st.integers(0, 2**32)


def table(n: int, seed: int, n_cells: int, n_symmetries: int = 2) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "run": rng.integers(1, 3, n).astype(np.uint32),
        "luminosityBlock": rng.integers(1, 9, n).astype(np.uint32),
        "event": rng.permutation(n).astype(np.uint64),
        "cell": rng.integers(0, n_cells, n).astype(np.int32),
        "sides": side_bits(rng.integers(-1, 2, (n_symmetries, n)).astype(np.int8)),
        "x": rng.normal(size=n).astype(np.float32),
    }


def sketch(columns: dict[str, np.ndarray], k: int, n_cells: int, n_symmetries: int = 2) -> StoredEvents:
    return StoredEvents.make(columns, max_stored=k, n_symmetries=n_symmetries, n_exclusive=n_cells)


def rows(columns: dict[str, np.ndarray], keep: object) -> dict[str, np.ndarray]:
    return {name: values[keep] for name, values in columns.items()}


@given(seed=seeds, k=st.integers(1, 20), cut=st.lists(st.integers(0, 120), max_size=5))
def test_any_tree_of_merges_gives_one_sketch(seed: int, k: int, cut: list[int]) -> None:
    columns = table(120, seed, 4)
    edges = sorted({0, 120, *cut})
    parts = [sketch(rows(columns, slice(a, b)), k, 4) for a, b in itertools.pairwise(edges)]
    whole = sketch(columns, k, 4)
    forward, backward = parts[0], parts[-1]
    for part in parts[1:]:
        forward = forward + part
    for part in parts[-2::-1]:
        backward = part + backward
    level = parts
    while len(level) > 1:
        level = [sum(level[i + 1 : i + 2], start=level[i]) for i in range(0, len(level), 2)]
    assert forward == backward == level[0] == whole
    assert pickle.loads(pickle.dumps(whole)) == whole


@given(seed=seeds, n=st.sampled_from([0, 1, 7, 8, 100]), data=st.data())
def test_what_travels_comes_back_bit_by_bit(seed: int, n: int, data: st.DataObject) -> None:
    """The ends of every type, columns of one number, and NaNs of several kinds, however many."""
    rng = np.random.default_rng(seed)
    columns = table(n, seed, 4)
    for name in ("run", "luminosityBlock", "event", "cell"):
        limits = np.iinfo(columns[name].dtype)
        known = data.draw(st.lists(st.integers(0, limits.max), min_size=1, max_size=3))
        columns[name] = rng.choice(np.array([*known, data.draw(st.sampled_from([0, limits.max]))], limits.dtype), n)
    nans = np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0x80000000], np.uint32)  # the last one is -0
    columns["x"][rng.random(n) < data.draw(st.sampled_from([0.0, 0.1, 0.9, 1.0]))] = np.nan
    columns["x"].view(np.uint32)[rng.random(n) < 0.3] = rng.choice(nans[: data.draw(st.integers(1, 4))])
    columns["weight"] = np.where(rng.random(n) < 0.5, np.nan, rng.normal(size=n))
    whole = StoredEvents(columns, 10**9, 2, 4, np.zeros(0, np.int64), np.zeros(0, np.uint64))
    back = pickle.loads(pickle.dumps(whole))
    assert list(back.columns) == list(columns)
    for name, values in columns.items():
        assert back.columns[name].dtype == values.dtype
        assert back.columns[name].tobytes() == values.tobytes()


def test_what_few_events_have_travels_small() -> None:
    columns = table(8_000, 1, 4) | {name: np.full(8_000, np.nan, np.float32) for name in "abcd"}
    whole = sketch(columns, 10**9, 4)
    assert len(pickle.dumps(whole)) < 0.6 * sum(values.nbytes for name, values in columns.items() if name not in "abcd")


@given(seed=seeds, k=st.integers(1, 20))
def test_what_is_stored_is_what_was_given(seed: int, k: int) -> None:
    """Rows stay rows, in particular the features of an event; and the order of the input does not matter."""
    columns = table(100, seed, 3)
    stored = sketch(columns, k, 3)
    given_rows = {tuple(float(v[i]) for v in columns.values()) for i in range(100)}
    assert {tuple(float(v[i]) for v in stored.columns.values()) for i in range(len(stored))} <= given_rows
    assert sketch(rows(columns, np.random.default_rng(seed).permutation(100)), k, 3) == stored
    for symmetry in (0, 1):
        cells, numbers = np.unique(stored.columns["cell"][stored.on_symmetry(symmetry)], return_counts=True)
        assert (numbers <= k).all()
        assert set(cells) <= {0, 1, 2}


@given(seed=seeds, k=st.integers(3, 20))
def test_a_union_of_cells_is_thinned_to_the_smallest_threshold(seed: int, k: int) -> None:
    """Law 9: below the smallest threshold of its members every event of the union is there, whatever its side."""
    columns = table(200, seed, 4, 1)
    columns["cell"] = np.minimum(columns["cell"], 1)  # three quarters are in cell 1
    stored = sketch(columns, k, 2, 1)
    bound = stored.threshold(0, np.array([0, 1])).min()
    hashes = identity_hash(columns["run"], columns["luminosityBlock"], columns["event"])
    expected = np.sort(hashes[(columns["sides"] > 0) & (hashes < bound)])
    assert np.array_equal(np.sort(stored.hashes[stored.on_symmetry(0) & (stored.hashes < bound)]), expected)


def test_an_event_wanted_by_one_symmetry_only_does_not_count_for_another() -> None:
    columns = table(400, 1, 1)
    stored = sketch(columns, 30, 1)
    words = columns["sides"]
    for symmetry in (0, 1):
        on = (words >> np.uint64(2 * symmetry)) & np.uint64(3) > 0
        hashes = np.sort(identity_hash(*(columns[n][on] for n in ("run", "luminosityBlock", "event"))))
        assert np.array_equal(np.sort(stored.hashes[stored.on_symmetry(symmetry)]), hashes[:30])


def test_nothing_is_dropped_from_a_rare_cell() -> None:
    columns = table(50, 2, 1)
    stored = sketch(columns, 50, 1)
    assert stored.threshold(0, np.array([0])).tolist() == [ALL]
    assert len(stored) == 50
    assert len(sketch(columns, 0, 1)) == 0


def test_a_wide_grid_costs_what_its_events_cost() -> None:
    """2^31 exclusive cells, events in the last ones: memory goes with the events, in the pass and in a merge."""
    n_cells = 2**31
    columns = table(20_000, 3, 5)
    columns["cell"] = (n_cells - 1 - columns["cell"]).astype(np.int32)
    tracemalloc.start()
    stored = sketch(rows(columns, slice(0, 10_000)), 100, n_cells) + sketch(
        rows(columns, slice(10_000, None)), 100, n_cells
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6
    near = dict(columns, cell=columns["cell"] - (n_cells - 5))
    assert np.array_equal(np.sort(stored.hashes), np.sort(sketch(near, 100, 5).hashes))


def test_equal_identities_stand_or_fall_together() -> None:
    """One event twice (a merged skim) has one hash: a threshold never cuts between the two."""
    columns = table(60, 4, 1, 1)
    columns["sides"][:] = 1
    twice = {name: np.concatenate([values, values]) for name, values in columns.items()}
    for k in (1, 7, 20, 119, 120):
        stored = sketch(twice, k, 1, 1)
        _, numbers = np.unique(stored.hashes, return_counts=True)
        assert (numbers == 2).all()
        assert len(stored) == 2 * (k // 2)


def test_hashes_are_spread_and_do_not_collide() -> None:
    """Neighbouring numbers (a file's events) give independent uniform hashes: chi2 of 64 bins, 4 sigma."""
    n = 100_000
    for run, block, event in (
        (np.ones(n), np.ones(n), np.arange(n)),
        (np.ones(n), np.arange(n), np.ones(n)),
        (np.arange(n), np.ones(n), np.ones(n)),
    ):
        hashes = identity_hash(run.astype(np.uint32), block.astype(np.uint32), event.astype(np.uint64))
        assert len(np.unique(hashes)) == n
        for shift in (58, 30, 0):
            bins = np.bincount(((hashes >> np.uint64(shift)) & np.uint64(63)).astype(int), minlength=64)
            chi2 = ((bins - n / 64) ** 2 / (n / 64)).sum()
            assert abs(chi2 - 63) < 4 * np.sqrt(2 * 63)
    assert identity_hash([1], [2], [3]) != identity_hash([1], [3], [2])
    assert identity_hash([2], [1], [3]) != identity_hash([1], [2], [3])


def test_side_bits() -> None:
    sides = np.array([[0, 1, -1, -1], [-1, 0, 1, -1]], np.int8)
    assert side_bits(sides).tolist() == [0b0001, 0b0110, 0b1000, 0]
    assert side_bits(np.zeros((0, 3), np.int8)).tolist() == [0, 0, 0]
    many = np.full((32, 1), 1, np.int8)
    assert side_bits(many).tolist() == [int("10" * 32, 2)]


def test_columns_of_different_lengths() -> None:
    columns = table(10, 1, 1)
    columns["x"] = columns["x"][:5]
    with pytest.raises(InputError, match="columns of different lengths"):
        sketch(columns, 5, 1)


def test_what_is_not_equal() -> None:
    columns = table(10, 1, 1)
    one = sketch(columns, 20, 1)
    assert one == sketch(rows(columns, slice(None, None, -1)), 20, 1)
    assert one != sketch(rows(columns, slice(9)), 20, 1)
    assert one != sketch(dict(columns, x=columns["x"] + 1), 20, 1)
    assert one != sketch({name: v for name, v in columns.items() if name != "x"}, 20, 1)
    assert one != "something else"
    with_nan = dict(columns, x=np.full(10, np.nan, np.float32))
    assert sketch(with_nan, 20, 1) == sketch(with_nan, 20, 1)
    assert one.to_dataframe()["event"].is_monotonic_increasing or one.to_dataframe()["run"].is_monotonic_increasing
