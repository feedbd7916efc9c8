"""Sums over the first rows and columns of the matrix of a cluster: what the sieve and the scores are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.submatrix.bounded import measured
from coffea_ddp.stats.submatrix.bounded.blocks import LANES
from coffea_ddp.stats.submatrix.limits import MOST_NARROW, NO_LIMIT
from coffea_ddp.stats.submatrix.rectangles import squeeze

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, FloatArray, IntArray
    from coffea_ddp.stats.submatrix.overlapping import Entries, Membership
    from coffea_ddp.stats.submatrix.share_entries import ShareEntries

    Whole = NDArray[np.int32]


EVENTS, MEAN, ROUNDED, KNOWN = 0, 1, 2, 3
"""Events, and whole numbers next to the mean of B, of entries and of bins, among what is known of sums; how much that
is."""

TOO_NARROW = -1
"""No sums: the bits of their type do not suffice."""


class Labels(NamedTuple):
    """Labels of pseudo-experiments.

    Attributes
    ----------
    around
        B of every entry less ``mean``; shape (n_entries, LANES).
    mean
        The whole number next to the mean of B; shape (n_entries,).
    narrow
        ``around`` in 16 bits, of which no use is made where ``most`` is beyond these.
    most
        The largest size of ``around`` of every entry; shape (n_entries,).
    """

    around: Whole
    mean: IntArray
    narrow: NDArray[np.int16]
    most: IntArray

    @classmethod
    def of(cls, around: Whole, mean: IntArray) -> Labels:
        """Return labels, with what is made of ``around``."""
        most = np.maximum(around.max(axis=1, initial=0), -around.min(axis=1, initial=0)).astype(np.int64)
        return cls(around, mean, around.astype(np.int16), most)


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
        that any has, and of one cell; shape (n_rows + 1, n_columns + 1, KNOWN) or larger. Of events whose shares differ
        only that of one cell, in the columns of :mod:`coffea_ddp.stats.submatrix.share_sums`.
    measures
        What the sieve knows of them; shape (n_rows + 1, n_columns + 1, measured.COUNTED) or larger.
    total
        Sums of labels; shape (n_rows + 1, n_columns + 1, LANES) or larger.
    """

    n_cells: IntArray
    times: IntArray
    row: IntArray
    column: IntArray
    core: AnyArray
    hull: AnyArray
    cell: AnyArray
    measures: FloatArray
    total: Whole


def cluster_for(entries: Entries, shape: tuple[int, int]) -> Cluster:
    """Return room for a cluster."""
    row, column = np.zeros((2, len(entries.bins)), np.int64)
    core, hull, cell = np.zeros((3, shape[0] + 1, shape[1] + 1, KNOWN), np.int64)
    measures = np.zeros((shape[0] + 1, shape[1] + 1, measured.COUNTED))
    total = np.zeros((shape[0] + 1, shape[1] + 1, LANES), np.int32)
    n_cells, times = np.zeros(1, np.int64), np.zeros(len(entries.starts) - 1, np.int64)
    return Cluster(n_cells, times, row, column, core, hull, cell, measures, total)


@compiled
def prepare(
    cluster: Cluster,
    entries: Entries,
    membership: Membership,
    cells: IntArray,
    shape: tuple[int, int],
    mean: IntArray,
    p: float,
) -> tuple[int, int, int]:
    """Fill who is in a cluster, and what is known of core and hull.

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
        As of :class:`Labels`.
    p
        Probability of side B.

    Returns
    -------
    n_rows, n_columns
        Size of the matrix.
    events
        Of the hull.
    """
    cluster.n_cells[0] = len(cells)
    size = find_places(cluster, entries, membership, cells, shape)
    clear(cluster.core, size)
    clear(cluster.hull, size)
    for code in range(len(cluster.times)):
        if cluster.times[code] == len(cells):
            add_code(cluster.core, cluster, entries, mean, code)
        if cluster.times[code] > 0:
            add_code(cluster.hull, cluster, entries, mean, code)
    add_up_known(cluster.core, size, p)
    add_up_known(cluster.hull, size, p)
    _measure(cluster, size, 2.0 * max(p, 1.0 - p))
    return size[0], size[1], cluster.hull[size[0], size[1], EVENTS]


@compiled
def find_places(
    cluster: Cluster, entries: Entries | ShareEntries, membership: Membership, cells: IntArray, shape: tuple[int, int]
) -> tuple[int, int]:
    """Fill how often exclusive cells occur, and rows and columns of entries; return the size of the matrix."""
    for code in range(len(cluster.times)):
        cluster.times[code] = 0
    for cell in cells:
        for member in range(membership.starts[cell], membership.starts[cell + 1]):
            cluster.times[membership.codes[member]] += 1
    n = np.zeros(shape[0] * shape[1], entries.n.dtype)
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
def _measure(cluster: Cluster, size: tuple[int, int], spread: float) -> None:
    """Fill what the sieve knows: an event between core and hull changes ``2 w`` by ``spread`` at most."""
    for row in range(size[0] + 1):
        for column in range(size[1] + 1):
            inner, outer = cluster.core[row, column, EVENTS], cluster.hull[row, column, EVENTS]
            cluster.measures[row, column, measured.OUTER] = outer
            cluster.measures[row, column, measured.INNER] = inner
            cluster.measures[row, column, measured.BETWEEN] = spread * (outer - inner)


@compiled
def sum_labels(cluster: Cluster, entries: Entries | ShareEntries, around: Whole, size: tuple[int, int]) -> None:
    """Fill the sums of the labels, or residuals, of the core."""
    total = cluster.total
    for row in range(size[0] + 1):
        for column in range(size[1] + 1):
            for t in range(LANES):
                total[row, column, t] = 0
    for code in range(len(cluster.times)):
        if cluster.times[code] < cluster.n_cells[0]:
            continue
        for entry in range(entries.starts[code], entries.starts[code + 1]):
            row, column = cluster.row[entry], cluster.column[entry]
            for t in range(LANES):
                total[row, column, t] += around[entry, t]
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
def fill_w(
    cluster: Cluster, entries: Entries, around: AnyArray, most: IntArray, size: tuple[int, int], p: float, w: AnyArray
) -> int:
    """Fill ``w`` of core and hull together.

    Parameters
    ----------
    cluster, size
        A cluster that is prepared, and the size of its matrix.
    entries
        Of all cells.
    around, most
        As of :class:`Labels`; ``around`` in the type of ``w``.
    p
        Probability of side B.
    w
        Changed in place.

    Returns
    -------
    int
        What rounding changes of ``2 w`` at most; :data:`TOO_NARROW` where the bits of ``w`` do not suffice for all of
        its differences, with what is between core and hull.
    """
    limit = MOST_NARROW if w.itemsize == 2 else NO_LIMIT
    whole, slack = _rounded_means(cluster, size, p)
    largest, beyond = np.zeros((size[0] + 1, size[1] + 1), np.int64), False
    for row in range(size[0] + 1):
        for column in range(size[1] + 1):
            largest[row, column] = abs(whole[row, column])
            for t in range(LANES):
                w[row, column, t] = 0
    for code in range(len(cluster.times)):
        times = cluster.times[code]
        if times > 0:
            factor = 2 if times < cluster.n_cells[0] else 4
            _add_labels(cluster, code, entries, around, most, factor, largest, w)
    for row in range(size[0] + 1):
        for column in range(size[1] + 1):
            beyond |= largest[row, column] > limit
    events = cluster.hull[size[0], size[1], EVENTS] - cluster.core[size[0], size[1], EVENTS]
    room = 2.0 * max(p, 1.0 - p) * events + slack
    if beyond or room > limit:
        return TOO_NARROW
    # Both within the bits: the largest difference of two sums, and what is between core and hull.
    return slack if 2 * _add_up_w(w, whole, size) + room <= limit else TOO_NARROW


@compiled
def _rounded_means(cluster: Cluster, size: tuple[int, int], p: float) -> tuple[IntArray, int]:
    """Return what bins add to ``w`` besides labels, such that its sums are next to their value, and its slack."""
    whole, most, least = np.zeros((size[0] + 1, size[1] + 1), np.int64), 0.0, 0.0
    for row in range(size[0], -1, -1):
        for column in range(size[1], -1, -1):
            events = cluster.core[row, column, EVENTS] + cluster.hull[row, column, EVENTS]
            shift = 2.0 * (cluster.core[row, column, MEAN] + cluster.hull[row, column, MEAN] - p * events)
            found = np.int64(np.rint(shift))
            most, least = max(most, found - shift), min(least, found - shift)
            # The sum at this corner takes part in the bins of four.
            whole[row, column] += found
            if row < size[0]:
                whole[row + 1, column] -= found
            if column < size[1]:
                whole[row, column + 1] -= found
            if row < size[0] and column < size[1]:
                whole[row + 1, column + 1] += found
    return whole, int(np.ceil(2.0 * (most - least)))


@compiled
def _add_labels(
    cluster: Cluster, code: int, entries: Entries, around: AnyArray, most: IntArray, factor: int, largest: IntArray,
    w: AnyArray,
) -> None:  # fmt: skip
    """Add the labels of an exclusive cell to their bins, and to what these can be at most."""
    times = w.dtype.type(factor)
    for entry in range(entries.starts[code], entries.starts[code + 1]):
        row, column = cluster.row[entry], cluster.column[entry]
        largest[row, column] += factor * most[entry]
        for t in range(LANES):
            w[row, column, t] += times * around[entry, t]


@compiled
def _add_up_w(w: AnyArray, whole: IntArray, size: tuple[int, int]) -> int:
    """Turn bins into sums over the first rows and columns, and return the largest difference of two of these.

    Numbers begin anew where their bits do not suffice. No bin is beyond the limit, so that the first sum that is beyond
    half of it is seen to be: the largest difference is too large then, whatever it is.
    """
    exact = w.dtype.type
    strip, high, low = np.zeros(LANES, exact), np.zeros(LANES, exact), np.zeros(LANES, exact)
    most, least = np.zeros(LANES, exact), np.zeros(LANES, exact)
    for row in range(1, size[0] + 1):
        for t in range(LANES):
            strip[t] = 0
        for column in range(1, size[1] + 1):
            moved = exact(whole[row, column])
            for t in range(LANES):
                strip[t] = exact(strip[t] + exact(w[row, column, t] + moved))
                most[t], least[t] = max(most[t], strip[t]), min(least[t], strip[t])
                found = exact(w[row - 1, column, t] + strip[t])
                high[t], low[t] = max(high[t], found), min(low[t], found)
                w[row, column, t] = found
    widest = 0
    for t in range(LANES):
        widest = max(widest, int(high[t]) - int(low[t]), int(most[t]), -int(least[t]))
    return widest
