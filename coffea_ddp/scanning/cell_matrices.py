"""The matrices of all cells of the lattice, a block of cells at a time.

A walk over the cells (:mod:`coffea_ddp.histograms.walk`) sums the filled bins of the exclusive cells into the matrices
of a block of cells. Sums of counts are exact in float64 below 2^53. Memory is bounded by the block, whatever the number
of cells.

Examples
--------
>>> from coffea_ddp.histograms.cells import CellGrid, Multiplicity
>>> from coffea_ddp.histograms.histograms import Histograms
>>> from coffea_ddp.histograms.lattice import distinct_cells
>>> from coffea_ddp.histograms.layout import Layout, SymmetryLayout
>>> from coffea_ddp.histograms.sparse import SparseCounts
>>> layout = Layout("demo", "", CellGrid((Multiplicity("j", last=1),)), (SymmetryLayout("a/b", ("a", "b"), 1.0, ()),))
>>> keys = layout.channels[0].key(np.array([0, 0, 1]), np.array([0, 1, 1]), np.zeros(3, dtype=int))
>>> empty = Histograms.empty(layout)
>>> hists = Histograms(layout, SparseCounts.from_keys(keys), empty.not_filled, empty.events)
>>> cells = distinct_cells(layout.grid, hists.occupied("a/b"))
>>> [
...     (str(cells.cell(i)), a.item(), b.item())
...     for x in CellBlocks(hists.cell_counts("a/b"), cells)
...     for i, a, b in zip(x.cells, x.n_a, x.n_b)
... ]
[('inclusive', 1.0, 2.0), ('j=0', 1.0, 1.0), ('j>=1', 0.0, 1.0)]
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats.side_weights import pooled_variance

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray, IntArray, ShortArray
    from coffea_ddp.histograms.cell_counts import CellCounts
    from coffea_ddp.histograms.lattice import DistinctCells

BLOCK_BYTES = 8 * 2**20
"""Memory of a block of cells: enough for whole-array work, small beside the histograms."""


class Block(NamedTuple):
    """The cells of one block that have enough entries.

    Attributes
    ----------
    cells
        Numbers of the distinct cells; shape (n,).
    n_a, n_b
        In-range contents; shape (n,).
    a, b
        Matrices, flat, without the bins that are empty in every cell; shape (n, bins).
    variance
        Sums of squared weights of A and B together, those of each side in the units of both
        (:func:`~coffea_ddp.stats.side_weights.pooled_variance`), shape (n, bins); ``None`` without weights.
    used
        Which bins of the whole matrix these are; shape (bins,).
    shape
        Rows and columns of the whole matrix; one row for a spectrum.
    lattice
        All distinct cells.
    """

    cells: IntArray
    n_a: FloatArray
    n_b: FloatArray
    a: FloatArray
    b: FloatArray
    variance: FloatArray | None
    used: IntArray
    shape: tuple[int, int]
    lattice: DistinctCells

    @property
    def members(self) -> FloatArray:
        """The exclusive cells that each cell is made of; 0.0 and 1.0, shape (n, n_codes)."""
        return self.lattice.members(self.cells)

    @property
    def lists(self) -> tuple[IntArray, ShortArray]:
        """The exclusive cells that each cell is made of, as lists (:meth:`DistinctCells.lists`)."""
        return self.lattice.lists(self.cells)

    def whole(self, values: FloatArray | BoolArray) -> FloatArray:
        """Return values of the used bins, shape (..., bins), with 0 in the other bins of the whole matrix, flat."""
        found = np.zeros((*values.shape[:-1], self.shape[0] * self.shape[1]))
        found[..., self.used] = values
        return found

    def take(self, rows: IntArray) -> Block:
        """Return some of the cells."""
        return self._replace(
            cells=self.cells[rows],
            n_a=self.n_a[rows],
            n_b=self.n_b[rows],
            a=self.a[rows],
            b=self.b[rows],
            variance=None if self.variance is None else self.variance[rows],
        )


class CellBlocks:
    """The matrices of one observable of one symmetry in all distinct cells: iterate to get the blocks.

    Parameters
    ----------
    counts
        The contents of the exclusive cells.
    cells
        The distinct cells above the exclusive cells that the symmetry occupies.
    min_events
        Cells with fewer in-range entries on both sides together are left out; with weights, fewer effective
        entries ``(sum w)^2 / sum w^2``: as many events of weight 1 have the same relative error.
    side_ratio
        How much larger weights are in B.
    with_members
        Room for a row of the membership matrix is part of the memory of a cell.
    block_bytes
        Memory of a block; at least one cell is in it.
    """

    def __init__(
        self,
        counts: CellCounts,
        cells: DistinctCells,
        *,
        min_events: float = 1,
        side_ratio: float = 1.0,
        with_members: bool = False,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        squares = counts.squares
        filled = (counts.counts if squares is None else squares).any(axis=1)
        codes, bins = np.nonzero(filled)
        self._shape, self._cells, self._min_events = counts.shape, cells, min_events
        self._variance = None
        if squares is not None:
            self._variance = pooled_variance(squares[:, 0], squares[:, 1], side_ratio)
        # Bins that are empty in every cell say nothing, and are left out.
        self._walk = cells.walk(codes, bins)
        columns = [counts.counts[codes, 0, bins], counts.counts[codes, 1, bins]]
        if self._variance is not None:
            columns.append(self._variance[codes, bins])
        self._entries = np.column_stack(columns)
        totals = [np.bincount(codes, column, minlength=len(counts.codes)) for column in columns]
        self._totals = np.column_stack(totals).astype(np.float64)
        # Per cell: A, B and about five matrices inside a test, and all it is made of.
        width = 7 * len(self._walk.bins) + 1 + 2 * len(counts.codes) * with_members
        self._size = max(1, block_bytes // (8 * width))

    def __iter__(self) -> Iterator[Block]:
        """Yield the cells with enough entries, in the order of the distinct cells."""
        return self.within(0, len(self._cells))

    def within(self, first: int, stop: int) -> Iterator[Block]:
        """Yield those of a range of the distinct cells."""
        totals = self._cells.sums(self._totals, np.arange(first, min(stop, len(self._cells))))
        enough = np.flatnonzero(self._enough(totals[:, 0] + totals[:, 1], totals[:, 2:]))
        trail = self._walk.trail(self._entries.shape[1])
        for start in range(0, len(enough), self._size):
            rows = enough[start : start + self._size]
            cells = rows + first
            matrices = self._walk.sums(self._entries, cells, trail)
            yield Block(
                cells=cells,
                n_a=totals[rows, 0],
                n_b=totals[rows, 1],
                a=matrices[:, :, 0],
                b=matrices[:, :, 1],
                variance=None if self._variance is None else matrices[:, :, 2],
                used=self._walk.bins,
                shape=self._shape,
                lattice=self._cells,
            )

    def _enough(self, entries: FloatArray, squares: FloatArray) -> BoolArray:
        if not squares.shape[1]:
            return entries >= self._min_events
        # 1e-9: sums of weights like 0.1 are not exact.
        return (squares[:, 0] > 0) & (entries**2 >= self._min_events * squares[:, 0] * (1 - 1e-9))
