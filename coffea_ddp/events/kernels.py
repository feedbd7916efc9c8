"""The loops of the pass that have to know the event, compiled by numba where events are many.

Everything else in the pass is whole-array numpy. Objects are flat content with a start and a count per event. All
arithmetic is in float64, so that an awkward reference (``tests/support/reference.py``) gives the same answers bit by
bit, compiled or not, and nothing depends on what else is in the chunk.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray, IntArray

FEW = 2_000
"""Number of events whose loops are interpreted: to load numba, and what extends it, takes a second longer."""
_F = TypeVar("_F", bound=Callable[..., Any])


def compiled_for_many(function: _F) -> _F:
    """Return a function of starts or counts and more that is compiled at its first call with more events than a few."""

    @functools.cache
    def fast() -> Any:
        from coffea_ddp._compiled import compiled  # and with it numba

        return compiled(function)

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        return (function if len(arguments[0]) <= FEW else fast())(*arguments)

    return cast("_F", call)


@compiled_for_many
def far_from(  # noqa: PLR0917 (numba has no keyword-only arguments)
    starts: IntArray,
    counts: IntArray,
    eta: AnyArray,
    phi: AnyArray,
    keep: BoolArray,
    other_starts: IntArray,
    other_counts: IntArray,
    other_eta: AnyArray,
    other_phi: AnyArray,
    radius: float,
) -> BoolArray:
    """Return ``keep`` without the objects that lie closer than ``radius`` to any of the others.

    Parameters
    ----------
    starts, counts
        Where each event's objects begin and how many they are, shape (n_events,); ``eta``, ``phi`` (in [-pi, pi]) and
        ``keep`` hold their content, that of other events among it, which stays as it is.
    other_starts, other_counts, other_eta, other_phi
        The others: where each event's begin, how many they are, and their content.
    radius
        The distance in (eta, phi) below which an object is dropped; at the distance it stays.
    """
    result = keep.copy()
    square = radius * radius
    for event in range(len(counts)):
        first = starts[event]
        last = first + counts[event]
        if other_counts[event] > 0:
            begin = other_starts[event]
            end = begin + other_counts[event]
            for i in range(first, last):
                if not result[i]:
                    continue
                for j in range(begin, end):
                    d_eta = np.float64(eta[i]) - np.float64(other_eta[j])
                    d_phi = abs(np.float64(phi[i]) - np.float64(other_phi[j]))
                    if d_phi > math.pi:
                        d_phi = 2.0 * math.pi - d_phi
                    if d_eta * d_eta + d_phi * d_phi < square:
                        result[i] = False
                        break
    return result


@compiled_for_many
def by_descending(starts: IntArray, counts: IntArray, values: AnyArray, keep: BoolArray) -> tuple[IntArray, IntArray]:
    """Return the kept objects of every event, the largest value first; equal values stay in their order.

    Parameters
    ----------
    starts, counts
        Where each event's objects begin and how many they are, shape (n_events,).
    values, keep
        The content of these events, and maybe of others.

    Returns
    -------
    index
        Where the objects are in the content, event after event.
    kept
        How many each event has, shape (n_events,).
    """
    index = np.empty(min(counts.sum(), np.count_nonzero(keep)), np.int64)
    kept = np.zeros(len(counts), np.int64)
    filled = 0
    for event in range(len(counts)):
        first = starts[event]
        last = first + counts[event]
        begin = filled
        for i in range(first, last):
            if not keep[i]:
                continue
            place = filled
            while place > begin and values[index[place - 1]] < values[i]:
                index[place] = index[place - 1]
                place -= 1
            index[place] = i
            filled += 1
        kept[event] = filled - begin
    return index[:filled], kept


@compiled_for_many
def sum_each(starts: IntArray, counts: IntArray, values: AnyArray) -> FloatArray:
    """Return the sum of every event's values, added in their order in float64; 0 for an event that has none."""
    sums = np.zeros(len(starts), np.float64)
    for event in range(len(starts)):
        total = 0.0
        for i in range(starts[event], starts[event] + counts[event]):
            total += np.float64(values[i])
        sums[event] = total
    return sums


@compiled_for_many
def interleave(counts_1: IntArray, counts_2: IntArray) -> IntArray:
    """Return the index that puts two collections, stored one after the other, together event by event (1 before 2)."""
    index = np.empty(counts_1.sum() + counts_2.sum(), np.int64)
    at_1 = 0
    at_2 = counts_1.sum()
    filled = 0
    for event in range(len(counts_1)):
        for _ in range(counts_1[event]):
            index[filled] = at_1
            at_1 += 1
            filled += 1
        for _ in range(counts_2[event]):
            index[filled] = at_2
            at_2 += 1
            filled += 1
    return index
