"""Cells as lists of exclusive cells, for pseudo-experiments: held where they fit into memory, else made in parts.

A lattice of 10^6 distinct cells above 10^5 exclusive ones has 10^9 members. Tests of pseudo-experiments take cells in
any parts, as they keep the largest scores so far.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.stats.submatrix.overlapping import Membership

if TYPE_CHECKING:
    from coffea_ddp._typing import IntArray
    from coffea_ddp.histograms.lattice import DistinctCells
    from coffea_ddp.scanning.scanned import ScannedCells

MOST_MEMBERS = 2**24
"""Members that are held at a time: 64 MB. One cell may have more."""


@dataclass(frozen=True, eq=False)
class Memberships:
    """Some of the cells that a test tested; iterate to get them in parts.

    Attributes
    ----------
    tested
        What is known of the cells.
    cells
        Numbers of the distinct cells, sorted; shape (n_cells,).
    per_cell
        Every cell has its own kappa.
    bounds
        Where the parts begin, and the end; shape (n_parts + 1,).
    lattice
        The distinct cells; ``None`` where all lists are held.
    whole
        All of them, where they are held.
    """

    tested: ScannedCells
    cells: IntArray
    per_cell: bool
    bounds: IntArray
    lattice: DistinctCells | None
    whole: Membership | None = None

    @classmethod
    def of(cls, lattice: DistinctCells, tested: ScannedCells, cells: IntArray, *, per_cell: bool) -> Memberships:
        """Return some of the cells that a test tested.

        Parameters
        ----------
        lattice
            The distinct cells.
        tested
            What is known of the cells.
        cells
            Numbers of those that are wanted, sorted.
        per_cell
            Every cell has its own kappa.
        """
        before = np.concatenate([[0], np.cumsum(lattice.sizes(cells))])
        # A part ends before the cell with which it would have too many members, and has one cell at least.
        firsts = [0]
        while firsts[-1] < len(cells):
            fits = int(np.searchsorted(before, before[firsts[-1]] + MOST_MEMBERS, side="right")) - 1
            firsts.append(max(fits, firsts[-1] + 1))
        found = cls(tested, cells, per_cell, np.array(firsts), lattice)
        return found if len(firsts) > 2 else replace(found, lattice=None, whole=found.part(0, len(cells)))

    @property
    def held(self) -> bool:
        """True where all are held."""
        return self.whole is not None

    def __iter__(self) -> Iterator[Membership]:
        """Yield the parts."""
        if self.whole is not None:
            yield self.whole
            return
        for start, stop in zip(self.bounds[:-1].tolist(), self.bounds[1:].tolist(), strict=True):
            yield self.part(start, stop)

    def part(self, start: int, stop: int) -> Membership:
        """Return some of the cells, by their places."""
        assert self.lattice is not None
        tested, some = self.tested, self.cells[start:stop]
        keep = np.full(len(some), -1)
        kept = np.isin(some, tested.kept)
        keep[kept] = np.searchsorted(tested.kept, some[kept])
        place = np.searchsorted(tested.cells, some)
        own = tested.kappa[place] if self.per_cell else np.ones(len(some))
        return Membership(*self.lattice.lists(some), tested.scale[place], own, keep)
