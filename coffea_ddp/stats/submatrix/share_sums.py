"""Sums over the bins of one cell in which every event has an expected share of side B: what scores of rectangles need.

Of every filled bin there is a row of numbers, in the columns :data:`N` (events), :data:`E` (expected on side B),
:data:`V` (variance of known shares), :data:`X` (``B - E``), :data:`BOUND` (on what the fit changes), :data:`SPREAD`
(variance of what the bin has for itself), and from :data:`FIRST` on the vectors of what moves with the fit, of events
outside of it, then of those in it. Sums over rectangles are sums of rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.propensity.projection import LEAST_VARIANCE
from coffea_ddp.stats.submatrix.rectangles import squeeze
from coffea_ddp.stats.submatrix.share_entries import ShareEntries, share_with_odds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import FloatArray, IntArray, ShortArray

    Single = NDArray[np.float32]

N, E, V, X, BOUND, SPREAD, FIRST = 0, 1, 2, 3, 4, 5, 6
"""Columns."""

MOST_DIRECTIONS = 8
"""Directions of the fit that the scores of rectangles know; N_sigma of a cell knows all."""

NEGLIGIBLE = 0.04
"""Changes of the variance of a rectangle by the fit that are below this share are neglected."""


@compiled
def gathered(
    entries: ShareEntries, codes: ShortArray, shape: tuple[int, int], filled: IntArray, x: FloatArray, odds: float,
    n_known: int,
) -> tuple[IntArray, int, int, FloatArray]:  # fmt: skip
    """Return the place of every bin, rows and columns, and the sums of each place, without bounds.

    Parameters
    ----------
    entries
        Of the exclusive cells.
    codes
        The exclusive cells of the cell.
    shape
        Rows and columns of the bins.
    filled
        Which bins are filled: written here; shape (n_bins,).
    x
        ``B - E`` of every entry.
    odds
        What the odds of the events of the cell are multiplied with.
    n_known
        Number of directions that there is room for.
    """
    n_directions = min(entries.control.shape[1], MOST_DIRECTIONS)
    filled[:] = 0
    for code in codes:
        for entry in range(entries.starts[code], entries.starts[code + 1]):
            if entries.v[entry] > 0.0:
                filled[entries.bins[entry]] = 1
    place, n_rows, n_columns = squeeze(filled, shape)
    sums = np.zeros((max(n_rows * n_columns, 1), FIRST + 2 * n_known))
    if n_rows > 0:
        for code in codes:
            for entry in range(entries.starts[code], entries.starts[code + 1]):
                if entries.v[entry] <= 0.0:
                    continue
                i = place[entries.bins[entry]]
                e, v = share_with_odds(entries, entry, odds)
                sums[i, N] += entries.n[entry]
                sums[i, E] += e
                sums[i, V] += v
                sums[i, X] += x[entry] + entries.e[entry] - e
                sums[i, SPREAD] += entries.spread[entry]
                for k in range(n_directions):
                    sums[i, FIRST + k] += entries.outside[entry, k]
                    sums[i, FIRST + n_known + k] += entries.control[entry, k]
        for i in range(len(sums)):
            sums[i, SPREAD] *= sums[i, SPREAD]
    return place, n_rows, n_columns, sums.reshape(max(n_rows, 1), -1, FIRST + 2 * n_known)


@compiled
def without_total(sums: FloatArray, drawn: Single, n_known: int) -> None:
    """Take from every bin its part of what moves the total of the cell, which its odds are estimated from; in place.

    The last direction of the fit is that of the cell: its events are all in it.
    """
    flat = sums.reshape(-1, sums.shape[2])
    toys = drawn.reshape(-1, drawn.shape[2])
    total, moved = np.zeros(flat.shape[1]), np.zeros(toys.shape[1], np.float32)
    for i in range(len(flat)):
        total += flat[i]
    for i in range(len(toys)):
        moved += toys[i]
    for i in range(len(flat)):
        part = flat[i, V] / total[V]
        flat[i, X] -= part * total[X]
        for k in range(FIRST, FIRST + 2 * n_known):
            flat[i, k] -= part * total[k]
        flat[i, FIRST + 2 * n_known - 1] = flat[i, V] / np.sqrt(total[V])
    for i in range(len(toys)):
        toys[i] -= np.float32(flat[i, V] / total[V]) * moved


@compiled
def set_bounds(sums: FloatArray, n_known: int) -> None:
    """Fill the bounds on what the fit changes: ``(sum a)^2 <= sum(v) sum(a^2 / v)``; in place."""
    flat = sums.reshape(-1, sums.shape[2])
    for i in range(len(flat)):
        flat[i, BOUND] = 0.0
        for k in range(FIRST, FIRST + 2 * n_known):
            flat[i, BOUND] += flat[i, k] * flat[i, k] / max(flat[i, V], 1e-9)


@compiled
def to_pulls(sums: FloatArray, drawn: Single, n_known: int) -> None:
    """Turn the sums of every filled bin into pulls, of the variance 1; in place."""
    flat = sums.reshape(-1, sums.shape[2])
    toys = drawn.reshape(-1, drawn.shape[2])
    for i in range(len(flat)):
        if flat[i, V] <= 0.0:
            continue
        weight = 1.0 / np.sqrt(flat[i, V] + flat[i, SPREAD])
        flat[i, V], flat[i, SPREAD], flat[i, X] = 1.0, 0.0, flat[i, X] * weight
        for k in range(FIRST, FIRST + 2 * n_known):
            flat[i, k] *= weight
        if len(toys):
            toys[i] *= np.float32(weight)
    set_bounds(sums, n_known)


@compiled
def origins(place: IntArray, filled: IntArray, shape: tuple[int, int], n_columns: int) -> tuple[IntArray, IntArray]:
    """Return which rows and columns of the whole matrix those without the empty ones are."""
    row_of, column_of = np.zeros(shape[0], np.int64), np.zeros(shape[1], np.int64)
    for i in range(len(filled)):
        if filled[i] > 0:
            row_of[place[i] // n_columns] = i // shape[1]
            column_of[place[i] % n_columns] = i % shape[1]
    return row_of, column_of


@compiled
def add_row(row: FloatArray, strip: FloatArray, running: FloatArray) -> None:
    """Take one more row into the sums over the first columns of a strip of rows."""
    running[:] = 0.0
    for column in range(len(row)):
        for k in range(row.shape[1]):
            running[k] += row[column, k]
            strip[column + 1, k] += running[k]


@compiled
def variance_of(strip: FloatArray, start: int, stop: int, n_known: int) -> float:
    """Return the variance of B - E of the columns from ``start`` to ``stop`` of a strip."""
    known = max(strip[stop, V] - strip[start, V] + strip[stop, SPREAD] - strip[start, SPREAD], 1e-9)
    # Where the sum of bounds is small, so is what the fit changes.
    if strip[stop, BOUND] - strip[start, BOUND] <= NEGLIGIBLE:
        return float(known)
    variance = known
    for k in range(FIRST, FIRST + n_known):
        outside = strip[stop, k] - strip[start, k]
        control = strip[stop, k + n_known] - strip[start, k + n_known]
        variance += outside * outside - control * control
    return float(max(variance, LEAST_VARIANCE * known))
