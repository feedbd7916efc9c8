"""Relatives of cells: the events that are left out of the fit of a calibration where a cell is tested.

A signal that takes part in a fit is partly taken for an efficiency. The relatives of a cell are all events with the
rarest object (or topology) that the cell asks for: those of ``tau>=1 & b=0`` are the events with a tau. Without them
nothing that is special to the cell is in what is expected of it. What more than half of the fitted events have is not
left out, nor are the events of cells that ask for nothing.

Examples
--------
>>> from coffea_ddp.histograms.cells import CellGrid, Multiplicity
>>> from coffea_ddp.histograms.lattice import distinct_cells
>>> grid = CellGrid((Multiplicity("tau", last=1), Multiplicity("b", last=1)))
>>> cells = distinct_cells(grid, np.arange(4))
>>> found = rarest_axes(cells, np.array([0, 0, 0, 0, 0, 0, 1, 1, 2]))
>>> sorted((grid.axes[axis].name, str(cells.cell(i))) for i, axis in enumerate(found.tolist()) if axis >= 0)
[('b', 'b>=1'), ('b', 'tau=0 & b>=1'), ('tau', 'tau>=1'), ('tau', 'tau>=1 & b=0'), ('tau', 'tau>=1 & b>=1')]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, IntArray
    from coffea_ddp.histograms.cells import CellGrid
    from coffea_ddp.histograms.lattice import DistinctCells

MOST = 0.5
"""Objects that a larger share of the fitted events have are not left out."""


def has_object(grid: CellGrid, axis: int, cells: IntArray) -> BoolArray:
    """Return which events, given by their exclusive cells, have the object of an axis."""
    return np.asarray(grid.decode(cells)[axis] > 0)


def rarest_axes(cells: DistinctCells, fitted: IntArray) -> IntArray:
    """Return the axis of the rarest object that every distinct cell asks for, -1 where there is none.

    Parameters
    ----------
    cells
        The distinct cells of a symmetry.
    fitted
        The exclusive cells of the fitted events.
    """
    found, rarest = np.full(len(cells), -1), np.full(len(cells), np.inf)
    for number, axis in enumerate(cells.grid.axes):
        share = float(has_object(cells.grid, number, fitted).mean()) if len(fitted) else 1.0
        asks = np.array([not choice.bins[0] for choice in axis.choices])[cells.choices[:, number]]
        better = asks & (share <= MOST) & (share < rarest)
        found[better], rarest[better] = number, share
    return found
