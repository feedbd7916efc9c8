"""Sums over many overlapping unions of the same pieces, by a walk along the axes that the pieces lie on.

A piece lies in one bin of every axis; a union asks one question of every axis, and holds the pieces whose bins answer
all of them. Unions in the order of their questions share their first answers with the one before: what passed these
is kept, and summed over the axes that were asked. So a union costs what its last questions change, neither a row of a
matrix of members nor the pieces it is made of.

Examples
--------
Two axes of two bins, three pieces, and the questions "any", "first" and "second" of either axis:

>>> any_first_second = np.array([[True, True], [True, False], [False, True]])
>>> axes = Axes.of([any_first_second, any_first_second], np.array([[0, 0, 1], [0, 1, 1]]))
>>> choices = np.array([[0, 0], [0, 2], [2, 0]], dtype=np.int16)
>>> Walk(axes, choices, np.zeros(3, dtype=np.int64)).sums(np.array([[1.0], [2.0], [4.0]]))[:, 0, 0]
array([7., 6., 4.])
>>> lists_of(axes, choices)
(array([0, 3, 5, 6]), array([0, 1, 2, 1, 2, 2], dtype=int32))
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coffea_ddp._compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import BoolArray, FloatArray, IntArray, ShortArray


FEW = 2**18
"""Unions times pieces up to which a matrix of members is made, and nothing is compiled: that takes seconds once."""


class Axes(NamedTuple):
    """The axes, in the order in which they are walked, and the bins of the pieces.

    Attributes
    ----------
    bins
        The bin of every piece on every axis; shape (n_axes, n_pieces).
    answers
        Which bins answer each question, those of all axes in one; shape (n_questions, most bins of an axis).
    first
        The first question of every axis; shape (n_axes,).
    """

    bins: ShortArray
    answers: BoolArray
    first: IntArray

    @classmethod
    def of(cls, questions: Sequence[BoolArray], bins: IntArray) -> Axes:
        """Return axes, given for each axis the bins that answer its questions, shape (n_questions, n_bins)."""
        width = max((one.shape[1] for one in questions), default=1)
        answers = [np.pad(one, ((0, 0), (0, width - one.shape[1]))) for one in questions]
        first = np.concatenate([[0], np.cumsum([len(one) for one in questions])])[:-1]
        found = np.concatenate([np.zeros((0, width), dtype=bool), *answers])
        return cls(np.ascontiguousarray(bins, dtype=np.int32), found, first.astype(np.int64))


class Levels(NamedTuple):
    """The places at which pieces are summed when the first axes have been asked, level after level.

    The places of level 0 are the pieces, those of the last level the bins of what is summed.

    Attributes
    ----------
    starts
        Where the places of every level begin, and the end; shape (n_axes + 2,).
    bins
        The bin of every place on the axis that is asked next; shape (n_places,).
    after
        Its place on the next level; shape (n_places,).
    """

    starts: IntArray
    bins: ShortArray
    after: ShortArray


class Trail(NamedTuple):
    """Memory of a walk: what passed the questions so far, level by level; the level of all pieces is not in it.

    Attributes
    ----------
    sums
        Of every place; shape (n_places, n_columns).
    filled
        The places that hold anything, first of each level; shape (n_places,).
    n_filled
        How many those are; shape (n_levels,).
    mark
        When a place was last filled; shape (n_places,).
    clock
        The time, and the union that was reached last, -1 at the start; shape (2,).
    """

    sums: FloatArray
    filled: ShortArray
    n_filled: IntArray
    mark: IntArray
    clock: IntArray


class Walk:
    """A walk over unions: sums of values of the pieces in bins.

    Parameters
    ----------
    axes
        The axes and the pieces.
    choices
        The question of every union on every axis, in the order of the axes; sorted, first axis first; shape (n_unions,
        n_axes).
    bins
        The bin into which every piece is summed; shape (n_pieces,).
    """

    def __init__(self, axes: Axes, choices: NDArray[np.int16], bins: IntArray) -> None:
        if not len(axes.first):
            one = np.ones((1, 1), dtype=bool)
            axes, choices = Axes.of([one], np.zeros((1, len(bins)), np.int64)), np.zeros((len(choices), 1), np.int16)
        self.axes, self.choices = axes, choices
        self.bins, self._after = np.unique(bins, return_inverse=True)

    @cached_property
    def levels(self) -> Levels:
        """The places at which pieces are summed."""
        return _levels(self.axes, len(self.bins), self._after)

    def trail(self, n_columns: int) -> Trail:
        """Return the memory of a walk that has not begun."""
        starts = self.levels.starts
        n_places = int(starts[-1] - starts[1])
        return Trail(
            np.zeros((n_places, n_columns)), np.zeros(n_places, np.int32),
            np.zeros(len(starts) - 1, np.int64), np.zeros(n_places, np.int64), np.array([0, -1]),
        )  # fmt: skip

    def sums(self, values: FloatArray, unions: IntArray | None = None, trail: Trail | None = None) -> FloatArray:
        """Return the sums of some unions in all bins.

        Parameters
        ----------
        values
            Of every piece; shape (n_pieces, n_columns).
        unions
            Their numbers, sorted; all by default.
        trail
            Memory of the walk over unions before these, which goes on.

        Returns
        -------
        ndarray, shape (n_unions, n_bins, n_columns)
            In the order of ``self.bins``.
        """
        unions = np.arange(len(self.choices)) if unions is None else unions
        out = np.zeros((len(unions), len(self.bins), values.shape[1]))
        if not len(self.bins):
            return out
        if _are_few(self.axes, self.choices):
            inside = _members(self.axes, self.choices[unions]).astype(np.float64)
            for column in range(values.shape[1]):
                out[:, :, column] = inside @ self._in_bins(values[:, column])
            return out
        trail = self.trail(values.shape[1]) if trail is None else trail
        _sums(self.axes, self.levels, self.choices, unions, np.ascontiguousarray(values, np.float64), trail, out)
        return out

    def _in_bins(self, values: FloatArray) -> Any:
        """Return the values of pieces in their bins, shape (n_pieces, n_bins)."""
        from scipy import sparse

        return sparse.csr_array((values, self._after, np.arange(len(values) + 1)), (len(values), len(self.bins)))


def _are_few(axes: Axes, choices: NDArray[np.int16]) -> bool:
    return bool(len(choices) * axes.bins.shape[1] <= FEW)


def _members(axes: Axes, choices: NDArray[np.int16]) -> BoolArray:
    """Return the pieces that unions hold; shape (n_unions, n_pieces)."""
    inside = np.ones((len(choices), axes.bins.shape[1]), dtype=bool)
    for first, asked, bins in zip(axes.first, choices.T, axes.bins, strict=True):
        inside &= axes.answers[first + asked][:, bins]
    return inside


def _levels(axes: Axes, n_bins: int, after: IntArray) -> Levels:
    """Return the places of all levels, given the bin that every piece is summed into, by its number."""
    n_pieces = len(after)
    sizes, all_bins, all_after = [n_bins], [np.zeros(n_bins, np.int64)], [np.zeros(n_bins, np.int64)]
    for level in range(len(axes.first) - 1, 0, -1):
        places, found = np.unique(axes.bins[level].astype(np.int64) * sizes[0] + after, return_inverse=True)
        here, there = np.divmod(places, sizes[0])
        sizes, all_bins, all_after = [len(places), *sizes], [here, *all_bins], [there, *all_after]
        after = found
    sizes, all_bins, all_after = [n_pieces, *sizes], [axes.bins[0], *all_bins], [after, *all_after]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return Levels(starts, np.concatenate(all_bins).astype(np.int32), np.concatenate(all_after).astype(np.int32))


@compiled
def shared(choices: NDArray[np.int16], one: int, other: int) -> int:
    """Return the number of first axes of which two unions ask the same; none where the other is -1."""
    level = 0
    if other >= 0:
        while level < choices.shape[1] and choices[one, level] == choices[other, level]:
            level += 1
    return level


@compiled
def step(axes: Axes, levels: Levels, level: int, question: int, values: FloatArray, trail: Trail) -> None:
    """Ask one question of what passed those before, and sum over its axis. ``values`` are those of the pieces."""
    answers = axes.answers[axes.first[level] + question]
    here, base, after = levels.starts[level], levels.starts[1], levels.starts[level + 1]
    n_columns, n_found = values.shape[1], 0
    trail.clock[0] += 1
    for i in range(after - here if level == 0 else trail.n_filled[level]):
        place = here + i if level == 0 else here + trail.filled[here - base + i]
        if not answers[levels.bins[place]]:
            continue
        found = after - base + levels.after[place]
        if trail.mark[found] != trail.clock[0]:
            trail.mark[found] = trail.clock[0]
            trail.filled[after - base + n_found] = levels.after[place]
            n_found += 1
            for column in range(n_columns):
                trail.sums[found, column] = 0
        if level == 0:
            for column in range(n_columns):
                trail.sums[found, column] += values[place, column]
        else:
            for column in range(n_columns):
                trail.sums[found, column] += trail.sums[place - base, column]
    trail.n_filled[level + 1] = n_found


@compiled
def _sums(
    axes: Axes,
    levels: Levels,
    choices: NDArray[np.int16],
    unions: IntArray,
    values: FloatArray,
    trail: Trail,
    out: FloatArray,
) -> None:
    last = choices.shape[1] - 1
    for row in range(len(unions)):
        union = unions[row]
        for level in range(min(shared(choices, union, trail.clock[1]), last), last):
            step(axes, levels, level, choices[union, level], values, trail)
        trail.clock[1] = union
        _finish(axes, levels, choices[union, last], values, trail, out[row])


@compiled
def _finish(axes: Axes, levels: Levels, question: int, values: FloatArray, trail: Trail, out: FloatArray) -> None:
    """Ask the last question of what passed those before, and add up what passes it; shape (n_bins, n_columns)."""
    level = len(axes.first) - 1
    answers = axes.answers[axes.first[level] + question]
    here, base = levels.starts[level], levels.starts[1]
    if level == 0:
        for place in range(base):
            if answers[levels.bins[place]]:
                for column in range(values.shape[1]):
                    out[levels.after[place], column] += values[place, column]
        return
    for i in range(trail.n_filled[level]):
        place = here + trail.filled[here - base + i]
        if answers[levels.bins[place]]:
            for column in range(values.shape[1]):
                out[levels.after[place], column] += trail.sums[place - base, column]


def sizes_of(axes: Axes, choices: NDArray[np.int16], unions: IntArray) -> IntArray:
    """Return the number of pieces of some unions; ``axes``, ``choices`` and ``unions`` as of :class:`Walk`."""
    if _are_few(axes, choices):
        return np.asarray(_members(axes, choices[unions]).sum(axis=1))
    found = np.zeros(len(unions) + 1, np.int64)
    _lists(axes, choices, unions, found, np.zeros(0, np.int32))
    return found[1:]


def lists_of(axes: Axes, choices: NDArray[np.int16], unions: IntArray | None = None) -> tuple[IntArray, ShortArray]:
    """Return where the list of each of some unions begins, and the end, and the pieces of all lists.

    Parameters
    ----------
    axes, choices, unions
        As of :class:`Walk`.
    """
    unions = np.arange(len(choices)) if unions is None else unions
    if _are_few(axes, choices):
        inside = _members(axes, choices[unions])
        return np.concatenate([[0], np.cumsum(inside.sum(axis=1))]), np.nonzero(inside)[1].astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(sizes_of(axes, choices, unions))])
    found = np.zeros(starts[-1], np.int32)
    if len(found):
        _lists(axes, choices, unions, starts, found)
    return starts, found


@compiled
def _lists(axes: Axes, choices: NDArray[np.int16], unions: IntArray, starts: IntArray, found: ShortArray) -> None:
    """Fill the number of pieces of every union into ``starts``, or, where these are known, the pieces themselves."""
    n_axes, n_pieces = axes.bins.shape
    passed, n_passed = np.zeros((n_axes + 1, n_pieces), np.int32), np.zeros(n_axes + 1, np.int64)
    for piece in range(n_pieces):
        passed[0, piece] = piece
    n_passed[0] = n_pieces
    before = -1
    for row in range(len(unions)):
        union = unions[row]
        for level in range(shared(choices, union, before), n_axes):
            answers, n = axes.answers[axes.first[level] + choices[union, level]], 0
            for i in range(n_passed[level]):
                piece = passed[level, i]
                if answers[axes.bins[level, piece]]:
                    passed[level + 1, n] = piece
                    n += 1
            n_passed[level + 1] = n
        before = union
        if len(found) == 0:
            starts[row + 1] = n_passed[n_axes]
        else:
            for i in range(n_passed[n_axes]):
                found[starts[row] + i] = passed[n_axes, i]
