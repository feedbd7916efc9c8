"""Sums over the first rows and columns of the matrix of a cluster: what the sieve and the scores are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.submatrix.limits import MOST_NARROW, NO_LIMIT
from coffea_ddp.stats.submatrix.listed import KNOWN, MEAN, ROUNDED
from coffea_ddp.stats.submatrix.rectangles import squeeze
from coffea_ddp.stats.submatrix.sieve import EVENTS, LANES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, IntArray
    from coffea_ddp.stats.submatrix.overlapping import Entries, Membership

    Whole = NDArray[np.int32]


class Cluster(NamedTuple):
    """Cells that are nearly the same, and their matrix without its empty rows and columns.

    Attributes
    ----------
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
    return Cluster(np.zeros(len(entries.starts) - 1, np.int64), row, column, core, hull, cell, total)


@compiled
def find_cluster(
    cluster: Cluster, entries: Entries, membership: Membership, cells: IntArray, shape: tuple[int, int],
    mean: IntArray, p: float,
) -> tuple[int, int]:  # fmt: skip
    """Fill who is in a cluster and what is known of core and hull; return the size of the matrix.

    Parameters
    ----------
    cluster
        Changed in place.
    entries, membership
        Of all cells.
    cells
        Numbers of those of the cluster.
    shape
        Rows and columns of the bins.
    mean
        Whole number next to the mean of B of every entry.
    p
        Probability of side B.
    """
    size = _find_places(cluster, entries, membership, cells, shape)
    _clear(cluster.core, size)
    _clear(cluster.hull, size)
    for code in range(len(cluster.times)):
        if cluster.times[code] == len(cells):
            _add_code(cluster.core, cluster, entries, mean, code)
        if cluster.times[code] > 0:
            _add_code(cluster.hull, cluster, entries, mean, code)
    _add_up_known(cluster.core, size, p)
    _add_up_known(cluster.hull, size, p)
    return size


@compiled
def know_cell(
    cluster: Cluster, entries: Entries, codes: IntArray, n_cells: int, size: tuple[int, int], mean: IntArray, p: float,
    besides: IntArray,
) -> None:  # fmt: skip
    """Fill what is known of one cell of the cluster, and its entries that are not in the core, their number first."""
    _clear(cluster.cell, size)
    besides[0] = 0
    for code in codes:
        _add_code(cluster.cell, cluster, entries, mean, int(code))
        if cluster.times[code] < n_cells:
            for entry in range(entries.starts[code], entries.starts[code + 1]):
                besides[0] += 1
                besides[besides[0]] = entry
    _add_up_known(cluster.cell, size, p)


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
def _clear(known: IntArray, size: tuple[int, int]) -> None:
    """Forget what is known."""
    for row in range(size[0] + 1):
        for column in range(size[1] + 1):
            for k in range(KNOWN):
                known[row, column, k] = 0


@compiled
def _add_code(known: IntArray, cluster: Cluster, entries: Entries, mean: IntArray, code: int) -> None:
    """Add what is known of an exclusive cell to the bins."""
    for entry in range(entries.starts[code], entries.starts[code + 1]):
        row, column = cluster.row[entry], cluster.column[entry]
        known[row, column, EVENTS] += entries.n[entry]
        known[row, column, MEAN] += mean[entry]


@compiled
def _add_up_known(known: IntArray, size: tuple[int, int], p: float) -> None:
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
def fill_sums(
    cluster: Cluster, entries: Entries, around: Whole, n_cells: int, size: tuple[int, int], p: float, w: AnyArray
) -> int:
    """Fill the sums of labels of the core, and ``w`` of core and hull; return what rounding changes of it at most.

    -1: the bits of ``w`` do not suffice for all of its differences.
    """
    slack = 0
    for times in range(2, 0, -1):
        _sum_labels(cluster, entries, around, n_cells, times, size)
        if times == 2:
            slack = _fill_w(cluster, size, p, w)
    return slack


@compiled
def _sum_labels(
    cluster: Cluster, entries: Entries, around: Whole, n_cells: int, times: int, size: tuple[int, int]
) -> None:
    """Fill the sums of labels: those of the core 2 times or once, of the rest of the hull one time less."""
    total = cluster.total
    for row in range(size[0] + 1):
        for column in range(size[1] + 1):
            for t in range(LANES):
                total[row, column, t] = 0
    for code in range(len(cluster.times)):
        factor = np.int32((cluster.times[code] > 0) * (times - (cluster.times[code] < n_cells)))
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
    """Fill ``w_X + w_U``, as :func:`fill_sums` does."""
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
    return -1 if 2 * widest > limit else int(np.ceil(2.0 * (most - least)))
