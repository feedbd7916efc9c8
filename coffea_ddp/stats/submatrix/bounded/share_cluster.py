"""Clusters of cells in which every event has an expected share of side B: their measures, residuals and sums.

Residuals ``x = B - E`` of entries, less what the fit takes of them, are whole numbers in units of a power of two, so
that sums of them are exact in any order. With a core X and a hull U of a cluster ``w = x_X + x_U``. Of a cell R between

    ``2 x_R = w + (x of R without X) - (x of U without R)``,

where the last two together are no larger than the sum of the largest sizes of all entries between core and hull.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.submatrix.bounded import measured
from coffea_ddp.stats.submatrix.bounded.blocks import LANES
from coffea_ddp.stats.submatrix.bounded.cluster_sums import Cluster, find_places
from coffea_ddp.stats.submatrix.limits import MOST_NARROW
from coffea_ddp.stats.submatrix.share_entries import ShareEntries
from coffea_ddp.stats.submatrix.share_limits import ROWS
from coffea_ddp.stats.submatrix.share_sums import MOST_DIRECTIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import FloatArray, IntArray
    from coffea_ddp.stats.submatrix.overlapping import Membership

    Whole = NDArray[np.int32]

V, SPREAD, ODD, BOUND, NORM, EVENTS, SKEW, FIRST = 0, 1, 2, 3, 4, 5, 6, 7
"""Columns of what is known of entries: variance, what a bin has for itself, ``n ln(n / E)`` of the rarer side, a bound
on what the fit changes, the length of the vector of what moves with it, events and their ``1 - 2 e``; the vector."""

SLACK = 3
"""Units of the sieve that rounding changes ``2 w`` by at most."""

FINEST = 16
"""Residuals are no finer than 2^-FINEST."""

MOST_SKEW = 34.0
"""Skewness changes the limit of ``2 x`` by no more than this."""

_RAREST = 1e-15
"""Shares are no further from 0 and 1."""

_SIGMAS = 16.0
"""Standard deviations that residuals of whole regions stay below, in all pseudo-experiments there will ever be."""

_LARGEST = 1 << 28
"""Residuals of regions stay below this, in their units."""

_COARSEST = 4.0
"""Units that the sieve takes in one event, at least, to be of 16 bits."""


class Residuals(NamedTuple):
    """Residuals of pseudo-experiments.

    Attributes
    ----------
    x
        Of every entry, in units; shape (n_entries, LANES).
    most
        The largest size of every entry; shape (n_entries,).
    """

    x: Whole
    most: IntArray


def known_of_entries(entries: ShareEntries) -> FloatArray:
    """Return what is known of entries; shape (n_entries, FIRST + MOST_DIRECTIONS)."""
    n_directions = min(entries.control.shape[1], MOST_DIRECTIONS)
    known = np.zeros((len(entries.n), FIRST + MOST_DIRECTIONS))
    filled = entries.v > 0.0
    v, control = np.where(filled, entries.v, 1.0), entries.control[:, :n_directions]
    # Shares of nearly 0 or 1 may add up to none or all events.
    rare = np.minimum(entries.e, entries.n - entries.e) / np.where(filled, entries.n, 1.0)
    rare = np.where(filled, np.maximum(rare, _RAREST), 1.0)
    known[:, V], known[:, SPREAD] = entries.v, entries.spread
    known[:, ODD] = entries.n * -np.log(rare)
    known[:, BOUND] = (entries.outside[:, :n_directions] ** 2 + control**2).sum(axis=1) / v
    known[:, NORM] = np.sqrt((control**2).sum(axis=1))
    known[:, EVENTS], known[:, SKEW] = entries.n, entries.n - 2.0 * entries.e
    known[:, FIRST : FIRST + n_directions] = control
    known[~filled] = 0.0
    return known


def digits_of(entries: ShareEntries) -> int:
    """Return the binary digits of residuals behind the point: as many as sums of all of them leave room for."""
    v = entries.v.sum()
    moved = (entries.outside**2 + entries.control**2).sum(axis=1) / np.maximum(entries.v, 1e-9)
    size = np.sqrt(v * (1.0 + moved.sum()) + entries.spread.sum() ** 2)
    return int(min(np.floor(np.log2(_LARGEST / (_SIGMAS * size + 100.0))), FINEST))


@compiled
def prepare_shares(
    cluster: Cluster, entries: ShareEntries, known: FloatArray, membership: Membership, cells: IntArray,
    shape: tuple[int, int],
) -> tuple[int, int]:  # fmt: skip
    """Fill who is in a cluster, and the measures of core and hull but :data:`~.measured.BETWEEN`.

    Parameters
    ----------
    cluster
        Changed in place.
    entries, known
        Of all cells, and what is known of them.
    membership
        Of all cells.
    cells
        Numbers of those of the cluster.
    shape
        Rows and columns of the bins.

    Returns
    -------
    n_rows, n_columns
        Size of the matrix.
    """
    cluster.n_cells[0] = len(cells)
    size = find_places(cluster, entries, membership, cells, shape)
    measures = cluster.measures
    measures[: size[0] + 1, : size[1] + 1] = 0.0
    for code in range(len(cluster.times)):
        if cluster.times[code] > 0:
            _measure(cluster, entries, known, code)
    root = np.sqrt(ROWS)
    for row in range(1, size[0] + 1):
        for column in range(1, size[1] + 1):
            own = measures[row, column, measured.BETWEEN]
            measures[row, column, measured.INNER] = ROWS * (measures[row, column, measured.INNER] + own * own)
            measures[row, column, measured.BETWEEN] = 0.0
            measures[row, column, measured.HULL_NORM] *= root
            measures[row, column, measured.CORE_NORM] *= root
            for k in range(measured.FIRST, measured.ALL):
                measures[row, column, k] *= root
    add_up(measures, size)
    return size


@compiled
def _measure(cluster: Cluster, entries: ShareEntries, known: FloatArray, code: int) -> None:
    """Add an exclusive cell to the measures of bins; the errors that bins have for themselves go into BETWEEN."""
    measures, is_core = cluster.measures, cluster.times[code] == cluster.n_cells[0]
    for entry in range(entries.starts[code], entries.starts[code + 1]):
        row, column = cluster.row[entry], cluster.column[entry]
        measures[row, column, measured.OUTER] += known[entry, ODD]
        measures[row, column, measured.FITTED] += known[entry, BOUND]
        measures[row, column, measured.HULL_NORM] += known[entry, NORM]
        measures[row, column, measured.HULL_SKEW] += abs(known[entry, SKEW])
        if is_core:
            measures[row, column, measured.INNER] += known[entry, V]
            measures[row, column, measured.BETWEEN] += known[entry, SPREAD]
            measures[row, column, measured.CORE_NORM] += known[entry, NORM]
            measures[row, column, measured.EVENTS] += known[entry, EVENTS]
            measures[row, column, measured.SKEW] += known[entry, SKEW]
            measures[row, column, measured.CORE_SKEW] += abs(known[entry, SKEW])
            for k in range(MOST_DIRECTIONS):
                measures[row, column, measured.FIRST + k] += known[entry, FIRST + k]


@compiled
def add_up(sums: FloatArray, size: tuple[int, int]) -> None:
    """Turn sums of bins into those of the first rows and columns; in place."""
    for row in range(1, size[0] + 1):
        for column in range(1, size[1] + 1):
            for k in range(sums.shape[2]):
                sums[row, column, k] += (
                    sums[row - 1, column, k] + sums[row, column - 1, k] - sums[row - 1, column - 1, k]
                )


@compiled
def fill_residuals(
    cluster: Cluster, entries: ShareEntries, residuals: Residuals, size: tuple[int, int], digits: int, w: Whole,
    narrow: NDArray[np.int16],
) -> int:  # fmt: skip
    """Fill ``w`` of core and hull together, and what the residuals between them come to.

    Parameters
    ----------
    cluster, size
        A cluster that is prepared, and the size of its matrix.
    entries
        Of all cells.
    residuals
        Of all entries.
    digits
        Of the residuals.
    w, narrow
        In units of the residuals, and in coarser ones of 16 bits; changed in place.

    Returns
    -------
    int
        How many digits the narrow numbers have less; -1 where these are too few, and the others are to be taken.
    """
    for row in range(size[0] + 1):
        for column in range(size[1] + 1):
            for t in range(LANES):
                w[row, column, t] = 0
            cluster.measures[row, column, measured.BETWEEN] = 0.0
    for code in range(len(cluster.times)):
        times = cluster.times[code]
        if times == 0:
            continue
        factor = np.int32(1 if times < cluster.n_cells[0] else 2)
        for entry in range(entries.starts[code], entries.starts[code + 1]):
            row, column = cluster.row[entry], cluster.column[entry]
            if factor == 1:
                cluster.measures[row, column, measured.BETWEEN] += residuals.most[entry]
            for t in range(LANES):
                w[row, column, t] += factor * residuals.x[entry, t]
    return _narrowed(cluster, size, digits, w, narrow)


@compiled
def _narrowed(cluster: Cluster, size: tuple[int, int], digits: int, w: Whole, narrow: NDArray[np.int16]) -> int:
    """Turn bins into sums over the first rows and columns, in both kinds of numbers."""
    measures, k = cluster.measures, measured.BETWEEN
    high, low, strip = np.zeros(LANES, np.int32), np.zeros(LANES, np.int32), np.zeros(LANES, np.int32)
    for row in range(1, size[0] + 1):
        for t in range(LANES):
            strip[t] = 0
        for column in range(1, size[1] + 1):
            measures[row, column, k] += measures[row - 1, column, k] + measures[row, column - 1, k]
            measures[row, column, k] -= measures[row - 1, column - 1, k]
            for t in range(LANES):
                strip[t] += w[row, column, t]
                found = w[row - 1, column, t] + strip[t]
                high[t], low[t] = max(high[t], found), min(low[t], found)
                w[row, column, t] = found
    # A prefix sum of a strip of rows is a difference of these, and a rectangle one of two prefix sums.
    widest = 0
    for t in range(LANES):
        widest = max(widest, 2 * (int(high[t]) - int(low[t])))
    less = _fewer_digits(widest + int(measures[size[0], size[1], k]) + 1, digits)
    if less >= 0:
        _fill_narrow(measures, size, less, w, narrow)
    return less


@compiled
def _fewer_digits(widest: int, digits: int) -> int:
    """Return how many digits less numbers of 16 bits have, with the largest difference of two; -1 for too many."""
    less = 0
    while (widest >> less) + 2 * SLACK + MOST_SKEW * 2.0 ** (digits - less) > MOST_NARROW:
        less += 1
    return less if 2.0 ** (digits - less) >= _COARSEST else -1


@compiled
def _fill_narrow(measures: FloatArray, size: tuple[int, int], less: int, w: Whole, narrow: NDArray[np.int16]) -> None:
    for row in range(size[0] + 1):
        for column in range(size[1] + 1):
            measures[row, column, measured.BETWEEN] *= 0.5**less
            for t in range(LANES):
                narrow[row, column, t] = np.int16(w[row, column, t] >> less)
