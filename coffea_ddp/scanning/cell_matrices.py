"""The matrices of all cells of the lattice, a block of cells at a time.

A block of membership rows (cells x exclusive cells) times the contents of the exclusive cells (x bins) gives
the matrices of a block of cells in one product. Products of counts are exact in float64 below 2^53. Memory is
bounded by the block, whatever the number of cells.

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
[('j=0', 1.0, 1.0), ('j>=1', 0.0, 1.0), ('inclusive', 1.0, 2.0)]
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats.side_weights import pooled_variance

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray, IntArray
    from coffea_ddp.histograms.cell_counts import CellCounts
    from coffea_ddp.histograms.lattice import DistinctCells

BLOCK_BYTES = 8 * 2**20
"""Memory of a block of cells: enough for an efficient matrix product, small beside the histograms."""


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
    members
        The exclusive cells that each cell is made of; 0.0 and 1.0, shape (n, n_codes).
    """

    cells: IntArray
    n_a: FloatArray
    n_b: FloatArray
    a: FloatArray
    b: FloatArray
    variance: FloatArray | None
    used: IntArray
    shape: tuple[int, int]
    members: FloatArray

    def take(self, rows: IntArray) -> Block:
        """Return some of the cells."""
        return self._replace(
            cells=self.cells[rows],
            n_a=self.n_a[rows],
            n_b=self.n_b[rows],
            a=self.a[rows],
            b=self.b[rows],
            variance=None if self.variance is None else self.variance[rows],
            members=self.members[rows],
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
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        squares = counts.squares
        # Bins that are empty in every cell say nothing: leaving them out shortens the products.
        used = np.flatnonzero((counts.counts if squares is None else squares).any(axis=(0, 1)))
        self._used = used
        self._shape = counts.shape
        self._contents = np.ascontiguousarray(counts.counts[:, :, used])
        self._variance = None
        if squares is not None:
            self._variance = pooled_variance(squares[:, 0, used], squares[:, 1, used], side_ratio)
        self._cells = cells
        self._min_events = min_events
        # Per cell: its membership row twice (all, and selected), A, B and about five matrices inside a test.
        self._size = max(1, block_bytes // (8 * (2 * len(counts.codes) + 7 * len(used) + 1)))

    def __iter__(self) -> Iterator[Block]:
        """Yield the cells with enough entries, in the order of the distinct cells."""
        n_codes, _, n_bins = self._contents.shape
        sums = self._contents.sum(axis=2)
        squares = None if self._variance is None else self._variance.sum(axis=1)
        table = self._contents.reshape(n_codes, 2 * n_bins)
        for start in range(0, len(self._cells), self._size):
            members = self._cells.rows(start, min(start + self._size, len(self._cells)))
            inside = members @ sums
            enough = self._enough(inside.sum(axis=1), None if squares is None else members @ squares)
            members = members[enough]
            matrices = (members @ table).reshape(len(members), 2, n_bins)
            yield Block(
                cells=start + np.flatnonzero(enough),
                n_a=inside[enough, 0],
                n_b=inside[enough, 1],
                a=matrices[:, 0],
                b=matrices[:, 1],
                variance=None if self._variance is None else members @ self._variance,
                used=self._used,
                shape=self._shape,
                members=members,
            )

    def _enough(self, entries: FloatArray, squares: FloatArray | None) -> BoolArray:
        if squares is None:
            return entries >= self._min_events
        # 1e-9: sums of weights like 0.1 are not exact.
        return (squares > 0) & (entries**2 >= self._min_events * squares * (1 - 1e-9))
