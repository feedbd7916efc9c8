"""The lattice of cells above the occupied exclusive cells, without repeating what holds the same events.

Most of the 10^5 cells of a lattice hold the same events as a simpler one. They are found axis by axis: of what the
first axes ask only distinct sets of events go on to the next, so that the lattice never exists. A set is known by the
sums of three random numbers of each of its exclusive cells, 96 bits or more together; which exclusive cells a cell is
made of follows from its questions where it is wanted, and is not held.

Examples
--------
>>> from coffea_ddp.histograms.cells import CellGrid, Multiplicity, Topology
>>> grid = CellGrid((Multiplicity("j", last=3), Topology("VBF")))
>>> cells = distinct_cells(grid, grid.encode([[0, 2, 3], [0, 0, 1]]))
>>> [str(cells.cell(i)) for i in range(len(cells))]
['inclusive', '!VBF', 'VBF', 'j=0', 'j=2', 'j>=1']
>>> cells.n_total, cells.n_empty, int(cells.aliases.sum())
(21, 6, 15)
>>> cells.members([1, 2, 5])
array([[1., 1., 0.],
       [0., 0., 1.],
       [0., 1., 1.]])
>>> cells.sums(np.array([[10.0], [5.0], [1.0]]))[:, 0]
array([16., 15.,  1., 10.,  5.,  6.])
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse

from coffea_ddp._splitmix import GOLDEN, mixed
from coffea_ddp.histograms.cells import Cell, CellGrid
from coffea_ddp.histograms.walk import Axes, Walk, lists_of, sizes_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from coffea_ddp._typing import FloatArray, IntArray, ShortArray

_SEPARATOR = len(" & ")
_NUMBERS, _BITS = 3, 52
"""Random numbers of an exclusive cell; bits of their sums, so that these are exact in float64."""


@dataclass(frozen=True)
class DistinctCells:
    """The distinct, non-empty sets of events among all cells of a lattice.

    Attributes
    ----------
    grid
        The grid that the lattice stands on.
    codes
        The occupied exclusive cells, sorted; shape (n_codes,).
    choices
        Per distinct cell and axis the index of the question asked, shape (n_distinct, n_axes).
    aliases
        Number of cells of the lattice that hold exactly these events; shape (n_distinct,).
    n_total
        Number of cells of the lattice.
    n_empty
        Number of cells without any event.
    """

    grid: CellGrid
    codes: IntArray
    choices: NDArray[np.int16]
    aliases: IntArray
    n_total: int
    n_empty: int

    @cached_property
    def questions(self) -> IntArray:
        """Number of questions that every distinct cell asks; shape (n_distinct,). The inclusive one asks none."""
        # Question 0 of every axis is "any".
        return np.asarray(np.count_nonzero(self.choices, axis=1))

    @cached_property
    def _texts(self) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(choice.text for choice in axis.choices) for axis in self.grid.axes)

    def __len__(self) -> int:
        """Return the number of distinct non-empty cells."""
        return len(self.aliases)

    def cell(self, index: int) -> Cell:
        """Return distinct cell number ``index``, by its shortest name."""
        texts = (asked[choice] for asked, choice in zip(self._texts, self.choices[index], strict=True))
        return Cell(tuple(text for text in texts if text))

    def asks(self, index: int) -> tuple[str, ...]:
        """Return the axes that distinct cell number ``index`` asks about."""
        chosen = zip(self.grid.axes, self._texts, self.choices[index], strict=True)
        return tuple(axis.name for axis, texts, choice in chosen if texts[choice])

    def sizes(self, index: IntArray) -> IntArray:
        """Return the number of exclusive cells that each of some cells is made of."""
        return sizes_of(self._axes, self._walked, index)

    def lists(self, index: ArrayLike) -> tuple[IntArray, ShortArray]:
        """Return where the list of each of some cells begins, and the end, and the exclusive cells of all lists.

        The exclusive cells are given by their places in :attr:`codes`; shapes (n + 1,), (n_members,).
        """
        return lists_of(self._axes, self._walked, np.atleast_1d(np.asarray(index, dtype=np.int64)))

    def members(self, index: ArrayLike) -> FloatArray:
        """Return rows of the membership matrix, shape (n, n_codes), of 0.0 and 1.0: of few cells at a time."""
        starts, codes = self.lists(index)
        found = np.zeros((len(starts) - 1, len(self.codes)))
        found[np.repeat(np.arange(len(found)), np.diff(starts)), codes] = 1.0
        return found

    def sparse_members(self, index: ArrayLike) -> sparse.csr_array[Any]:
        """Return rows of the membership matrix, shape (n, n_codes), of 1.0 where there is anything."""
        starts, codes = self.lists(index)
        return sparse.csr_array((np.ones(len(codes)), codes, starts), (len(starts) - 1, len(self.codes)))

    def sums(self, values: FloatArray, index: IntArray | None = None) -> FloatArray:
        """Return the sums over distinct cells of values of the exclusive cells.

        Parameters
        ----------
        values
            Of every exclusive cell; shape (n_codes, n_columns).
        index
            Numbers of the distinct cells, sorted; all by default.

        Returns
        -------
        ndarray, shape (n, n_columns)
        """
        # No bin where there is no exclusive cell; else one.
        return np.asarray(self._whole.sums(values, index).sum(axis=1))

    @cached_property
    def _whole(self) -> Walk:
        everything = np.arange(len(self.codes))
        return self.walk(everything, np.zeros_like(everything))

    def walk(self, codes: IntArray, bins: IntArray) -> Walk:
        """Return a walk over all distinct cells, of sums in bins.

        Parameters
        ----------
        codes, bins
            Of every entry that is summed: the place of its exclusive cell in :attr:`codes`, and its bin; shape
            (n_entries,).
        """
        return Walk(self._axes._replace(bins=self._axes.bins[:, codes]), self._walked, bins)

    @cached_property
    def _order(self) -> list[int]:
        return _order_of(self.grid)

    @cached_property
    def _axes(self) -> Axes:
        return _axes_of(self.grid, self.codes, self._order)

    @cached_property
    def _walked(self) -> NDArray[np.int16]:
        return np.ascontiguousarray(self.choices[:, self._order])


class _Prefixes(NamedTuple):
    """Distinct sets of events by what the first axes ask; sorted by their questions. Arrays of shape (n_prefixes,).

    Attributes
    ----------
    choices
        Questions of the axes so far; shape (n_prefixes, n_axes so far).
    lengths
        Of the shortest name.
    aliases
        Number of ways to ask for the same events.
    """

    choices: NDArray[np.int16]
    lengths: ShortArray
    aliases: IntArray


def distinct_cells(grid: CellGrid, codes: ArrayLike) -> DistinctCells:
    """Return the distinct cells of the lattice above the occupied exclusive cells.

    Parameters
    ----------
    grid
        The axes.
    codes
        Occupied exclusive cells (any order, repeats allowed).

    Returns
    -------
    DistinctCells
        In the order of their questions, the axis with the most questions first; each by its shortest name, of equals
        the first in that order. Empty when ``codes`` is empty.
    """
    occupied = np.unique(np.asarray(codes, dtype=np.int64))
    order = _order_of(grid)
    axes = _axes_of(grid, occupied, order)
    numbers = _numbers_of(occupied)
    found = _Prefixes(np.zeros((1, 0), np.int16), np.zeros(1, np.int32), np.ones(1, dtype=np.int64))
    if not len(occupied):
        found = _Prefixes(np.zeros((0, len(order)), np.int16), found.lengths[:0], found.aliases[:0])
    else:
        for level, number in enumerate(order):
            questions = grid.axes[number].choices
            extra = np.array([len(one.text) + _SEPARATOR if one.text else 0 for one in questions], np.int32)
            found = _asked(found, axes, level, extra, numbers)
    choices = np.zeros((len(found.aliases), len(order)), np.int16)
    choices[:, order] = found.choices
    n_empty = grid.n_cells - int(found.aliases.sum())
    return DistinctCells(grid, occupied, choices, found.aliases, grid.n_cells, n_empty)


def _order_of(grid: CellGrid) -> list[int]:
    # Axes with many questions first: the early, small sets of prefixes then do most of the branching.
    return sorted(range(len(grid.axes)), key=lambda i: -len(grid.axes[i].choices))


def _axes_of(grid: CellGrid, codes: IntArray, order: list[int]) -> Axes:
    answers = [np.array([choice.bins for choice in grid.axes[number].choices]) for number in order]
    return Axes.of(answers, grid.decode(codes)[order])


def _numbers_of(codes: IntArray) -> FloatArray:
    """Return random numbers of exclusive cells, none 0, whose sums are exact; shape (n_codes, _NUMBERS)."""
    numbers = codes[:, None].astype(np.uint64) * np.uint64(_NUMBERS) + np.arange(1, _NUMBERS + 1, dtype=np.uint64)
    words: NDArray[np.uint64] = mixed(np.asarray(numbers * GOLDEN))
    bits = _BITS - len(codes).bit_length()
    return ((words >> np.uint64(64 - bits)) + np.uint64(1)).astype(np.float64)


def _asked(found: _Prefixes, axes: Axes, level: int, extra: ShortArray, numbers: FloatArray) -> _Prefixes:
    """Return what is distinct when one more axis has been asked; ``extra`` is what its questions add to a name."""
    walk = Walk(Axes(axes.bins[:level], axes.answers, axes.first[:level]), found.choices, axes.bins[level])
    n_questions = len(extra)
    answers = axes.answers[axes.first[level] : axes.first[level] + n_questions, walk.bins].astype(np.float64)
    # Of every prefix, then every question.
    sets = np.matmul(answers, walk.sums(numbers)).reshape(-1, _NUMBERS)
    filled = np.flatnonzero(sets[:, 0]).astype(np.int32)
    columns = [sets[filled, i] for i in range(_NUMBERS)]
    del sets
    prefix, question = filled // np.int32(n_questions), (filled % np.int32(n_questions)).astype(np.int16)
    lengths = found.lengths[prefix] + extra[question]
    # The last key sorts first: of one set the shortest name is the first, of equals the first of these.
    order = np.lexsort((lengths, *columns)).astype(np.int32)
    first = np.zeros(len(order), dtype=bool)
    first[0] = True
    while columns:
        column = columns.pop()[order]
        first[1:] |= column[1:] != column[:-1]
    starts = np.flatnonzero(first)
    aliases = np.add.reduceat(found.aliases[prefix[order]], starts)
    kept = order[starts]
    again = np.argsort(kept)
    kept = kept[again]
    choices = np.column_stack([found.choices[prefix[kept]], question[kept]])
    return _Prefixes(choices, lengths[kept], aliases[again])
