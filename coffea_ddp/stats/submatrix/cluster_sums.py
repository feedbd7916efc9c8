"""Sums over the first rows and columns of the matrix of a cluster: what the sieve and the scores are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.submatrix.limits import MOST_NARROW, NO_LIMIT
from coffea_ddp.stats.submatrix.rectangles import squeeze
from coffea_ddp.stats.submatrix.sieve import EVENTS, LANES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, IntArray
    from coffea_ddp.stats.submatrix.overlapping import Entries, Membership

    Whole = NDArray[np.int32]


MEAN, ROUNDED, KNOWN = 1, 2, 3
"""Whole numbers next to the mean of B, of entries and of bins, among what is known of sums; how much that is."""

TOO_FEW, TOO_NARROW = -2, -1
"""No sums: a hull with too few events, and sums for which 16 bits do not suffice."""


class Labels(NamedTuple):
    """Labels of pseudo-experiments.

    Attributes
    ----------
    around
        B of every entry less ``mean``; shape (n_entries, LANES).
    mean
        The whole number next to the mean of B; shape (n_entries,).
    """

    around: Whole
    mean: IntArray


class Cluster(NamedTuple):
    """Cells that are nearly the same, and their matrix without its empty rows and columns.

    Attributes
    ----------
    n_cells
        Their number; shape (1,).
    times
        How many of the cells have an exclusive cell; shape (n_codes,).
    row, column
        One more than those of every entry, if any of the cells has it; shape (n_entries,).
    core, hull, cell
        What is known of the sums over the first rows and columns: of the exclusive cells that all cells have, of those
        that any has, and of one cell; shape (n_rows + 1, n_columns + 1, KNOWN) or larger.
    total
        Sums of labels; shape (n_rows + 1, n_columns + 1, LANES) or larger.
    """

    n_cells: IntArray
    times: IntArray
    row: IntArray
    column: IntArray
    core: IntArray
    hull: IntArray
    cell: IntArray
    total: Whole


def cluster_for(entries: Entries, shape: tuple[int, int]) -> Cluster:
    """Return room for a cluster."""
    row, column = np.zeros((2, len(entries.bins)), np.int64)
    core, hull, cell = np.zeros((3, shape[0] + 1, shape[1] + 1, KNOWN), np.int64)
    total = np.zeros((shape[0] + 1, shape[1] + 1, LANES), np.int32)
    n_cells, times = np.zeros(1, np.int64), np.zeros(len(entries.starts) - 1, np.int64)
    return Cluster(n_cells, times, row, column, core, hull, cell, total)


@compiled
def prepare(  # noqa: PLR0917 (numba knows no keyword-only arguments)
    cluster: Cluster,
    entries: Entries,
    membership: Membership,
    cells: IntArray,
    shape: tuple[int, int],
    labels: Labels,
    p: float,
    fewest: int,
    w: AnyArray,
) -> tuple[int, int, int]:
    """Fill who is in a cluster, what is known of core and hull, and ``w`` of both.

    Parameters
    ----------
    cluster, w
        Changed in place.
    entries, membership
        Of all cells.
    cells
        Numbers of those of the cluster.
    shape
        Rows and columns of the bins.
    labels
        Of all entries.
    p
        Probability of side B.
    fewest
        Events that the hull needs to have more of.

    Returns
    -------
    n_rows, n_columns
        Size of the matrix.
    slack
        What rounding changes of ``2 w`` at most; :data:`TOO_FEW` events, or :data:`TOO_NARROW` where the bits of ``w``
        do not suffice for all of its differences.
    """
    cluster.n_cells[0] = len(cells)
    size = _find_places(cluster, entries, membership, cells, shape)
    clear(cluster.core, size)
    clear(cluster.hull, size)
    for code in range(len(cluster.times)):
        if cluster.times[code] == len(cells):
            add_code(cluster.core, cluster, entries, labels.mean, code)
        if cluster.times[code] > 0:
            add_code(cluster.hull, cluster, entries, labels.mean, code)
    add_up_known(cluster.core, size, p)
    add_up_known(cluster.hull, size, p)
    outer = cluster.hull[size[0], size[1], EVENTS]
    if outer <= fewest:
        return size[0], size[1], TOO_FEW
    sum_labels(cluster, entries, labels.around, 2, size)
    slack, between = _fill_w(cluster, size, p, w), outer - cluster.core[size[0], size[1], EVENTS]
    if w.itemsize == 2 and 2.0 * max(p, 1.0 - p) * between + slack > MOST_NARROW:
        return size[0], size[1], TOO_NARROW
    return size[0], size[1], slack


@compiled
def _find_places(
    cluster: Cluster, entries: Entries, membership: Membership, cells: IntArray, shape: tuple[int, int]
) -> tuple[int, int]:
    """Fill how often exclusive cells occur, and rows and columns of entries; return the size of the matrix."""
    for code in range(len(cluster.times)):
        cluster.times[code] = 0
    for cell in cells:
        for member in range(membership.starts[cell], membership.starts[cell + 1]):
            cluster.times[membership.codes[member]] += 1
    n = np.zeros(shape[0] * shape[1], np.int64)
    for code in range(len(cluster.times)):
        if cluster.times[code] > 0:
            for entry in range(entries.starts[code], entries.starts[code + 1]):
                n[entries.bins[entry]] += entries.n[entry]
    place, n_rows, n_columns = squeeze(n, shape)
    for code in range(len(cluster.times)):
        if cluster.times[code] > 0:
            for entry in range(entries.starts[code], entries.starts[code + 1]):
                at = place[entries.bins[entry]]
                cluster.row[entry], cluster.column[entry] = at // n_columns + 1, at % n_columns + 1
    return n_rows, n_columns


@compiled
def clear(known: IntArray, size: tuple[int, int]) -> None:
    """Forget what is known."""
    for row in range(size[0] + 1):
        for column in range(size[1] + 1):
            for k in range(KNOWN):
                known[row, column, k] = 0


@compiled
def add_code(known: IntArray, cluster: Cluster, entries: Entries, mean: IntArray, code: int) -> None:
    """Add what is known of an exclusive cell to the bins."""
    for entry in range(entries.starts[code], entries.starts[code + 1]):
        row, column = cluster.row[entry], cluster.column[entry]
        known[row, column, EVENTS] += entries.n[entry]
        known[row, column, MEAN] += mean[entry]


@compiled
def add_up_known(known: IntArray, size: tuple[int, int], p: float) -> None:
    """Turn what is known of bins into what is known of the first rows and columns; in place."""
    for row in range(1, size[0] + 1):
        for column in range(1, size[1] + 1):
            known[row, column, ROUNDED] = np.int64(np.rint(known[row, column, EVENTS] * p))
    for row in range(1, size[0] + 1):
        for column in range(1, size[1] + 1):
            for k in range(KNOWN):
                known[row, column, k] += (
                    known[row - 1, column, k] + known[row, column - 1, k] - known[row - 1, column - 1, k]
                )


@compiled
def sum_labels(cluster: Cluster, entries: Entries, around: Whole, times: int, size: tuple[int, int]) -> None:
    """Fill the sums of labels: those of the core 2 times or once, of the rest of the hull one time less."""
    total = cluster.total
    for row in range(size[0] + 1):
        for column in range(size[1] + 1):
            for t in range(LANES):
                total[row, column, t] = 0
    for code in range(len(cluster.times)):
        factor = np.int32((cluster.times[code] > 0) * (times - (cluster.times[code] < cluster.n_cells[0])))
        if factor == 0:
            continue
        for entry in range(entries.starts[code], entries.starts[code + 1]):
            row, column = cluster.row[entry], cluster.column[entry]
            for t in range(LANES):
                total[row, column, t] += factor * around[entry, t]
    _add_up_labels(total, size)


@compiled
def _add_up_labels(total: Whole, size: tuple[int, int]) -> None:
    """Turn the labels of bins into those of the first rows and columns; in place."""
    for row in range(1, size[0] + 1):
        for column in range(1, size[1] + 1):
            for t in range(LANES):
                total[row, column, t] += (
                    total[row - 1, column, t] + total[row, column - 1, t] - total[row - 1, column - 1, t]
                )


@compiled
def _fill_w(cluster: Cluster, size: tuple[int, int], p: float, w: AnyArray) -> int:
    """Fill ``w`` of core and hull together, and return its slack, as :func:`prepare` does."""
    total, most, least = cluster.total, 0.0, 0.0
    high, low = np.zeros(LANES, np.int32), np.zeros(LANES, np.int32)
    for row in range(size[0] + 1):
        for column in range(size[1] + 1):
            events = cluster.core[row, column, EVENTS] + cluster.hull[row, column, EVENTS]
            shift = 2.0 * (cluster.core[row, column, MEAN] + cluster.hull[row, column, MEAN] - p * events)
            whole = np.int32(np.rint(shift))
            most, least = max(most, whole - shift), min(least, whole - shift)
            for t in range(LANES):
                found = np.int32(2 * total[row, column, t] + whole)
                high[t], low[t] = max(high[t], found), min(low[t], found)
                w[row, column, t] = found
    widest, limit = 0, MOST_NARROW if w.itemsize == 2 else NO_LIMIT
    for t in range(LANES):
        widest = max(widest, int(high[t]) - int(low[t]))
    return TOO_NARROW if 2 * widest > limit else int(np.ceil(2.0 * (most - least)))
