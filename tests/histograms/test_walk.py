"""Walks over unions: sums and lists are those of the matrix of members, whatever the order and the blocks."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coffea_ddp.histograms import walk as walking
from coffea_ddp.histograms.walk import FEW, Axes, Walk, lists_of, sizes_of


def drawn(seed: int, n_axes: int, n_pieces: int, n_unions: int) -> tuple[Axes, Any, Any, Any]:
    """Return axes, choices, the matrix of members and the generator."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5, n_axes)
    questions = [rng.random((int(rng.integers(1, 6)), size)) < 0.6 for size in sizes]
    bins = np.array([rng.integers(0, size, n_pieces) for size in sizes]).reshape(n_axes, n_pieces)
    columns = [rng.integers(0, len(one), n_unions) for one in questions]
    choices = np.array(columns).reshape(n_axes, n_unions).T.astype(np.int16)
    members = np.ones((n_unions, n_pieces), dtype=bool)
    for axis, one in enumerate(questions):
        members &= one[choices[:, axis]][:, bins[axis]]
    return Axes.of(questions, bins), np.ascontiguousarray(choices), members, rng


@pytest.mark.parametrize("few", [0, FEW])
@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.integers(0, 4), st.integers(0, 20), st.integers(0, 12), st.booleans())
def test_sums_and_lists_are_those_of_the_members(
    few: int, seed: int, n_axes: int, n_pieces: int, n_unions: int, in_order: bool
) -> None:
    with mock.patch.object(walking, "FEW", few - 1):  # compiled from the first piece on, and not at all
        check(seed, n_axes, n_pieces, n_unions, in_order)


def check(seed: int, n_axes: int, n_pieces: int, n_unions: int, in_order: bool) -> None:
    axes, choices, members, rng = drawn(seed, n_axes, n_pieces, n_unions)
    if in_order and n_axes:
        order = np.lexsort(choices.T[::-1])
        choices, members = np.ascontiguousarray(choices[order]), members[order]
    bins = rng.integers(0, 4, n_pieces)
    values = rng.integers(-9, 10, (n_pieces, 2)).astype(float)
    walk = Walk(axes, choices, bins)
    whole = walk.sums(values)
    assert whole.shape == (n_unions, len(walk.bins), 2)
    assert walk.bins.tolist() == np.unique(bins).tolist()
    for place, one in enumerate(walk.bins):
        np.testing.assert_array_equal(whole[:, place], members[:, bins == one] @ values[bins == one])
    starts, pieces = lists_of(axes, choices)
    np.testing.assert_array_equal(sizes_of(axes, choices, np.arange(n_unions)), members.sum(axis=1))
    for union in range(n_unions):
        np.testing.assert_array_equal(pieces[starts[union] : starts[union + 1]], np.flatnonzero(members[union]))
    some = rng.permutation(n_unions)[: n_unions // 2]
    chosen, found = lists_of(axes, choices, some)
    assert [found[chosen[i] : chosen[i + 1]].tolist() for i in range(len(some))] == [
        np.flatnonzero(members[union]).tolist() for union in some
    ]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_a_walk_goes_on_where_it_was(seed: int, step: int) -> None:
    axes, choices, _, rng = drawn(seed, 3, 15, 12)
    values = rng.integers(-9, 10, (15, 1)).astype(float)
    walk = Walk(axes, choices, rng.integers(0, 3, 15))
    trail = walk.trail(1)
    with mock.patch.object(walking, "FEW", 0):
        parts = [walk.sums(values, np.arange(start, min(start + step, 12)), trail) for start in range(0, 12, step)]
        np.testing.assert_array_equal(np.concatenate(parts), walk.sums(values))
