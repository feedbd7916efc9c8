"""Sparse counts with weights: the laws that `test_laws` shows for plain counts, and when two are equal."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp.histograms.sparse import SparseCounts, compact

weighted = st.lists(st.tuples(st.integers(0, 12), st.floats(-1e3, 1e3)), max_size=40)


def of(pairs: list[tuple[int, float]]) -> SparseCounts:
    return SparseCounts.from_keys([key for key, _ in pairs], [weight for _, weight in pairs])


@given(first=weighted, second=weighted, third=weighted)
def test_weighted_counts_are_a_monoid(
    first: list[tuple[int, float]], second: list[tuple[int, float]], third: list[tuple[int, float]]
) -> None:
    a, b, c = map(of, (first, second, third))
    zero = SparseCounts.empty(weighted=True)
    assert (a + b) + c == a + (b + c) == of(third + first + second)
    assert a + b == b + a
    assert a + zero == a == zero + a
    assert pickle.loads(pickle.dumps(a)) == a


@given(pairs=weighted)
def test_sums_of_weights_against_a_dictionary(pairs: list[tuple[int, float]]) -> None:
    found = of(pairs)
    assert found.sum_w is not None
    assert found.sum_w2 is not None
    by_key: dict[int, list[float]] = {}
    for key, weight in pairs:
        by_key.setdefault(key, []).append(weight)
    assert found.keys.tolist() == sorted(by_key)
    for key, count, w, w2 in zip(found.keys, found.counts, found.sum_w, found.sum_w2, strict=True):
        weights = by_key[int(key)]
        assert count == len(weights)
        assert w == pytest.approx(sum(weights), abs=1e-12 * sum(map(abs, weights)))
        assert w2 == pytest.approx(sum(x * x for x in weights), rel=1e-12)
    part = found.between(3, 9)
    inside = (found.keys >= 3) & (found.keys < 9)
    assert np.array_equal(part.keys, found.keys[inside])
    assert np.array_equal(part.sum_w, found.sum_w[inside])
    assert np.array_equal(part.sum_w2, found.sum_w2[inside])


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_equality_is_relative(scale: float) -> None:
    """Small weights differ when they differ; sums that cancel are equal when only the order of adding differs."""
    one, two = of([(1, 1.0 * scale)]), of([(1, 1.000001 * scale)])
    assert one != two
    assert one == of([(1, 1.0 * scale * (1 + 1e-15))])
    order = [0.1 * scale, 0.2 * scale, -0.3 * scale, 0.7 * scale, -0.7 * scale]
    assert of([(1, w) for w in order]) == of([(1, w) for w in sorted(order)])
    assert of([(1, scale), (1, -scale)]) != of([(1, scale), (1, -scale * 1.001)])


def test_what_is_not_equal() -> None:
    plain = SparseCounts.from_keys([1, 1, 2])
    assert plain == SparseCounts.from_keys([2, 1, 1])
    assert plain != SparseCounts.from_keys([1, 2])
    assert plain != SparseCounts.from_keys([1, 1, 3])
    assert plain != SparseCounts.from_keys([1, 1, 2], [1.0, 1.0, 1.0])
    assert plain != 3
    with pytest.raises(TypeError, match="unhashable"):
        hash(plain)


@given(keys=st.lists(st.integers(0, 2**62 - 1), max_size=30))
def test_any_64_bit_key_travels(keys: list[int]) -> None:
    counts = SparseCounts.from_keys(keys)
    assert counts.keys.tolist() == sorted(set(keys))
    again = pickle.loads(pickle.dumps(counts))
    assert again == counts
    assert again.keys.dtype == again.counts.dtype == np.int64


@given(values=st.lists(st.integers(0, 2**63 - 1), max_size=10))
def test_compact_is_as_short_as_it_can_be(values: list[int]) -> None:
    short = compact(np.array(values, np.int64))
    assert short.tolist() == values
    highest = max(values, default=0)
    assert short.dtype.itemsize == next(size for size in (1, 2, 4, 8) if highest < 2 ** (8 * size))


def test_sums_stay_exact_integers() -> None:
    """Counts above 2^53 would lose events in floating point."""
    big = SparseCounts(np.array([7]), np.array([2**60 + 1]))
    assert (big + SparseCounts.from_keys([7])).counts.tolist() == [2**60 + 2]
