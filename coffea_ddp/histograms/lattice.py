"""The lattice of cells above the occupied exclusive cells, without repeating what holds the same events.

Most of the 10^5 cells of a lattice hold the same events as a simpler one. The 0/1 membership matrix (cells x occupied
exclusive cells) is built axis by axis, keeping only distinct rows, so neither the lattice nor its duplicates ever
exist.

Examples
--------
>>> from coffea_ddp.histograms.cells import CellGrid, Multiplicity, Topology
>>> grid = CellGrid((Multiplicity("j", last=3), Topology("VBF")))
>>> cells = distinct_cells(grid, grid.encode([[0, 2, 3], [0, 0, 1]]))
>>> [str(cells.cell(i)) for i in range(len(cells))]
['j=0', 'j=2', '!VBF', 'VBF', 'j>=1', 'inclusive']
>>> cells.n_total, cells.n_empty, int(cells.aliases.sum())
(21, 6, 15)
>>> cells.rows(3, 5)
array([[0., 0., 1.],
       [0., 1., 1.]])
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.histograms.cells import Cell, CellGrid

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from coffea_ddp._typing import FloatArray, IntArray

_SEPARATOR = len(" & ")


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
    _words: NDArray[np.uint64]

    @cached_property
    def questions(self) -> IntArray:
        """Number of questions that every distinct cell asks; shape (n_distinct,). The inclusive one asks none."""
        asked = [np.array([bool(text) for text in texts]) for texts in self._texts]
        columns = [asks[chosen] for asks, chosen in zip(asked, self.choices.T, strict=True)]
        return np.sum(columns, axis=0, dtype=np.int64) if columns else np.zeros(len(self), np.int64)

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

    def members(self, index: ArrayLike) -> FloatArray:
        """Return chosen rows of the membership matrix, shape (n, n_codes), of 0.0 and 1.0."""
        return self._unpacked(self._words[np.asarray(index, dtype=np.int64)])

    def rows(self, start: int, stop: int) -> FloatArray:
        """Return rows ``start`` to ``stop`` of the membership matrix, shape (stop - start, n_codes), of 0.0 and 1.0."""
        return self._unpacked(self._words[start:stop])

    def _unpacked(self, words: NDArray[np.uint64]) -> FloatArray:
        packed = np.ascontiguousarray(words).view(np.uint8)
        return np.unpackbits(packed, axis=1, count=len(self.codes), bitorder="little").astype(np.float64)


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
        Ordered by their sets of events; empty when ``codes`` is empty.
    """
    occupied = np.unique(np.asarray(codes, dtype=np.int64))
    bins = grid.decode(occupied)
    n_axes = len(grid.axes)
    if not len(occupied):
        nothing = np.zeros(0, dtype=np.int64)
        return DistinctCells(
            grid, occupied, np.zeros((0, n_axes), np.int16), nothing, grid.n_cells, grid.n_cells,
            np.zeros((0, 1), np.uint64),
        )  # fmt: skip
    words = _pack(np.ones((1, len(occupied)), dtype=bool))
    choices = np.zeros((1, n_axes), dtype=np.int16)
    lengths = np.zeros(1, dtype=np.int64)
    aliases = np.ones(1, dtype=np.int64)
    # Axes with many questions first: the early, small products then do most of the branching.
    for axis_number in sorted(range(n_axes), key=lambda i: -len(grid.axes[i].choices)):
        questions = grid.axes[axis_number].choices
        masks = _pack(np.array([question.bins for question in questions])[:, bins[axis_number]])
        extra = np.array([len(question.text) + _SEPARATOR if question.text else 0 for question in questions])
        n_rows, n_questions = len(words), len(questions)
        words = (words[:, None, :] & masks[None, :, :]).reshape(n_rows * n_questions, -1)
        lengths = (lengths[:, None] + extra[None, :]).reshape(-1)
        aliases = np.repeat(aliases, n_questions)
        choices = np.repeat(choices, n_questions, axis=0)
        choices[:, axis_number] = np.tile(np.arange(n_questions, dtype=np.int16), n_rows)
        words, choices, lengths, aliases = _distinct(words, choices, lengths, aliases)
    return DistinctCells(grid, occupied, choices, aliases, grid.n_cells, grid.n_cells - int(aliases.sum()), words)


def _pack(mask: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Return the rows of a bool matrix as little-endian bits in 64-bit words."""
    packed = np.packbits(mask, axis=1, bitorder="little")
    padding = -packed.shape[1] % 8
    padded = np.pad(packed, ((0, 0), (0, padding)))
    return np.ascontiguousarray(padded).view(np.uint64)


def _distinct(
    words: NDArray[np.uint64], choices: NDArray[np.int16], lengths: IntArray, aliases: IntArray
) -> tuple[NDArray[np.uint64], NDArray[np.int16], IntArray, IntArray]:
    """Keep one row per set of events, the one with the shortest name, and none that is empty."""
    filled = np.flatnonzero(words.any(axis=1))
    words, choices, lengths, aliases = words[filled], choices[filled], lengths[filled], aliases[filled]
    # The last key sorts first: the set of events, then the length of the name; earlier questions win ties.
    order = np.lexsort((lengths, *words.T))
    words, aliases = words[order], aliases[order]
    first = np.ones(len(words), dtype=bool)
    first[1:] = (words[1:] != words[:-1]).any(axis=1)
    starts = np.flatnonzero(first)
    return words[starts], choices[order][starts], lengths[order][starts], np.add.reduceat(aliases, starts)
