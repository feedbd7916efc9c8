"""Rectangles of overlapping cells in which every event has an expected share of side B.

A region has n events, of which ``E = sum e`` are expected on side B with the variance ``V = sum e (1 - e)``. What the
fit of the shares adds or takes (:mod:`coffea_ddp.stats.propensity.projection`) is a sum of vectors over its entries:
``V + |sum d|^2 - |sum c|^2`` with d of events outside of the fit and c of those in it.

The score of a rectangle is z of ``y = (B - E) / sqrt(variance)`` by the expansion of
:func:`coffea_ddp.stats.submatrix.binomial.expansion` with the skewness of the mean share. Of few events, V below 4, it
is no further out than all of them on one side can be: ``sqrt(-2 n ln(E / n))``. Entries, cells and pseudo-experiments
are those of :mod:`coffea_ddp.stats.submatrix.overlapping`.

The references in numpy are in ``tests/stats/submatrix/test_shares.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import TOYS, compiled
from coffea_ddp.stats.propensity.projection import LEAST_VARIANCE
from coffea_ddp.stats.submatrix.overlapping import MaxScores, Membership, gather, take
from coffea_ddp.stats.submatrix.rectangles import squeeze
from coffea_ddp.stats.submatrix.share_entries import ShareEntries

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import FloatArray, IntArray

    Single = NDArray[np.float32]

MOST_DIRECTIONS = 8
"""Directions of the fit that the scores of rectangles know; N_sigma of a cell knows all."""

NEGLIGIBLE = 0.04
"""Changes of the variance of a rectangle by the fit that are below this share are neglected."""

WELL_KNOWN = 100.0
"""Variance above which the skewness is at most 0.1."""

FEW = 4.0
"""Variance below which the expansion is no approximation, and scores are cut off."""

NO_LIMIT = 1e30
"""Limit of a score that is not cut off."""

MOST_SKEWNESS = 2.0
"""Skewness that the expansion takes at most: it is no approximation for fewer events, but still rises."""


class ShareRectangles(NamedTuple):
    """The best rectangle of every cell; all of shape (n_cells,) but ``where``.

    Attributes
    ----------
    z
        Signed; NaN where a cell is empty.
    where
        First and one-past-last row, then column; shape (n_cells, 4).
    n, e, v, variance
        Events, expected on side B, the variance of known shares and that of fitted ones.
    """

    z: FloatArray
    where: IntArray
    n: FloatArray
    e: FloatArray
    v: FloatArray
    variance: FloatArray


def best_of_shares(
    entries: ShareEntries, starts: IntArray, codes: IntArray, x: FloatArray, shape: tuple[int, int]
) -> ShareRectangles:
    """Return the best rectangle of cells, the largest in size.

    Parameters
    ----------
    entries, starts, codes, x
        As for :func:`nsigma_of_shares`.
    shape
        Rows and columns of the bins.
    """
    return ShareRectangles(*_best_of_shares(entries, starts, codes, x, shape))


@compiled
def _best_of_shares(
    entries: ShareEntries, starts: IntArray, codes: IntArray, x: FloatArray, shape: tuple[int, int]
) -> tuple[FloatArray, IntArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    n_cells, n_directions = len(starts) - 1, min(entries.control.shape[1], MOST_DIRECTIONS)
    z, where, of = np.full(n_cells, np.nan), np.zeros((n_cells, 4), np.int64), np.zeros((4, n_cells))
    n_all = np.zeros(shape[0] * shape[1], np.int64)
    for cell in range(n_cells):
        place, n_rows, n_columns, sums = _gathered(entries, starts, codes, cell, shape, n_all, x.reshape(-1, 1))
        if n_rows == 0:
            continue
        row_of, column_of = _origins(place, n_all, shape, n_columns)
        z[cell], first_row, stop_row, start, stop = _best_in(sums, n_directions)
        where[cell, 0], where[cell, 1] = row_of[first_row], row_of[stop_row - 1] + 1
        where[cell, 2], where[cell, 3] = column_of[start], column_of[stop - 1] + 1
        total = np.zeros((2, sums.shape[2]))
        for row in range(first_row, stop_row):
            for column in range(start, stop):
                total[1] += sums[row, column]
        of[0, cell], of[1, cell], of[2, cell] = total[1, 0], total[1, 1], total[1, 2]
        of[3, cell] = _variance(total, 0, 1, n_directions)
    return z, where, of[0], of[1], of[2], of[3]


@compiled
def _best_in(sums: FloatArray, n_directions: int) -> tuple[float, int, int, int, int]:
    """Return the largest score in size of one cell, and the first and one-past-last row and column."""
    n_rows, n_columns, width = sums.shape
    strip, running = np.zeros((n_columns + 1, width)), np.zeros(width)
    best, ruled_out, where = 0.0, 0.0, (0, 0, 0, 0)
    for first_row in range(n_rows):
        strip[:] = 0.0
        for row in range(first_row, n_rows):
            _add_row(sums[row], strip, running)
            for start in range(n_columns):
                if strip[start + 1, 0] <= strip[start, 0]:
                    continue
                for stop in range(start + 1, n_columns + 1):
                    if strip[stop, 0] <= strip[stop - 1, 0]:
                        continue
                    variance = _variance(strip, start, stop, n_directions)
                    above = strip[stop, 3] - strip[start, 3]
                    # Nearly all rectangles are ruled out without a root or a division.
                    if variance > WELL_KNOWN and ruled_out > 0.0 and above * above <= ruled_out * ruled_out * variance:
                        continue
                    if _is_ruled_out(strip, start, stop, variance, abs(best)):
                        continue
                    y = above / np.sqrt(variance)
                    c0, c1, c2, c3, least, most = _score_terms(strip, start, stop, variance)
                    score = min(max(c0 + y * (c1 + y * (c2 + y * c3)), least), most)
                    if where[1] == 0 or abs(score) > abs(best) * (1.0 + 1e-12):
                        best, where = score, (first_row, row + 1, start, stop)
                        ruled_out = _least_deviation(abs(best))
    return best, where[0], where[1], where[2], where[3]


@compiled
def _least_deviation(score: float) -> float:
    """Return a y whose score, of a rectangle with more than :data:`WELL_KNOWN` of variance, is no larger than this.

    With a skewness of at most 0.1 it is at most ``y + (y^2 + 1) / 60 + y^3 / 500``, by the expansion's coefficients.
    """
    y = score
    for _ in range(20):
        y -= (y + (y * y + 1.0) / 60.0 + y**3 / 500.0 - score) / (1.0 + y / 30.0 + y * y * 0.006)
    return y - 1e-9


@compiled
def _add_row(row: FloatArray, strip: FloatArray, running: FloatArray) -> None:
    """Take one more row into the sums over the first columns of a strip of rows."""
    running[:] = 0.0
    for column in range(len(row)):
        for k in range(row.shape[1]):
            running[k] += row[column, k]
            strip[column + 1, k] += running[k]


@compiled
def _variance(strip: FloatArray, start: int, stop: int, n_directions: int) -> float:
    """Return the variance of B - E of the columns from ``start`` to ``stop`` of a strip."""
    v = max(strip[stop, 2] - strip[start, 2], 1e-9)
    # (sum a)^2 <= sum(v) sum(a^2 / v): where the last sum is small, so is what the fit changes.
    if strip[stop, 4] - strip[start, 4] <= NEGLIGIBLE:
        return float(v)
    variance = v
    for k in range(5, 5 + n_directions):
        outside = strip[stop, k] - strip[start, k]
        control = strip[stop, k + n_directions] - strip[start, k + n_directions]
        variance += outside * outside - control * control
    return float(max(variance, LEAST_VARIANCE * v))


@compiled
def _score_terms(
    strip: FloatArray, start: int, stop: int, variance: float
) -> tuple[float, float, float, float, float, float]:
    """Return four coefficients that make a score of y, and the smallest and the largest score."""
    n, e = strip[stop, 0] - strip[start, 0], strip[stop, 1] - strip[start, 1]
    v = max(strip[stop, 2] - strip[start, 2], 1e-9)
    p = min(max(e / n, 1e-6), 1.0 - 1e-6)
    skew = min(max((1.0 - 2.0 * p) / np.sqrt(v), -MOST_SKEWNESS), MOST_SKEWNESS)
    kurtosis = skew * skew - 2.0 * p * (1.0 - p) / v
    least, most = -NO_LIMIT, NO_LIMIT
    if v < FEW:
        wide = np.sqrt(2.0 * n * v / variance)
        least, most = -wide * np.sqrt(-np.log(1.0 - p)), wide * np.sqrt(-np.log(p))
    even, cubic = skew / 6.0, skew * skew / 9.0 - kurtosis / 24.0
    return even, 1.0 + kurtosis / 8.0 - 7.0 * skew * skew / 36.0, -even, cubic, least, most


@compiled
def _is_ruled_out(strip: FloatArray, start: int, stop: int, variance: float, score: float) -> bool:
    """Return whether no split of the few events of a rectangle has a score larger than this, in size.

    ``-ln p <= (1 - p) / sqrt(p)``, which takes no logarithm.
    """
    v = strip[stop, 2] - strip[start, 2]
    if v >= FEW or v <= 0.0:
        return False
    n, e = strip[stop, 0] - strip[start, 0], strip[stop, 1] - strip[start, 1]
    p = min(max(e / n, 1e-6), 1.0 - 1e-6)
    rare = min(p, 1.0 - p)
    return bool(2.0 * n * (v / variance) * (1.0 - rare) <= score * score * np.sqrt(rare))


@compiled
def _gathered(
    entries: ShareEntries,
    starts: IntArray,
    codes: IntArray,
    cell: int,
    shape: tuple[int, int],
    n_all: IntArray,
    x: FloatArray,
) -> tuple[IntArray, int, int, FloatArray]:
    """Return the place of every bin, rows and columns, and sums of each place.

    They are n, e, v, x, a bound on what the fit changes, and both vectors.
    """
    n_directions = min(entries.control.shape[1], MOST_DIRECTIONS)
    n_all[:] = 0
    for member in range(starts[cell], starts[cell + 1]):
        code = codes[member]
        for entry in range(entries.starts[code], entries.starts[code + 1]):
            n_all[entries.bins[entry]] += np.int64(entries.n[entry])
    place, n_rows, n_columns = squeeze(n_all, shape)
    sums = np.zeros((max(n_rows * n_columns, 1), 5 + 2 * n_directions))
    if n_rows > 0:
        for member in range(starts[cell], starts[cell + 1]):
            code = codes[member]
            for entry in range(entries.starts[code], entries.starts[code + 1]):
                i = place[entries.bins[entry]]
                sums[i, 0] += entries.n[entry]
                sums[i, 1] += entries.e[entry]
                sums[i, 2] += entries.v[entry]
                sums[i, 3] += x[entry, 0]
                for k in range(n_directions):
                    sums[i, 5 + k] += entries.outside[entry, k]
                    sums[i, 5 + n_directions + k] += entries.control[entry, k]
        for i in range(len(sums)):
            for k in range(5, 5 + 2 * n_directions):
                sums[i, 4] += sums[i, k] * sums[i, k] / max(sums[i, 2], 1e-9)
    return place, n_rows, n_columns, sums.reshape(max(n_rows, 1), -1, 5 + 2 * n_directions)


@compiled
def _origins(place: IntArray, n: IntArray, shape: tuple[int, int], n_columns: int) -> tuple[IntArray, IntArray]:
    """Return which rows and columns of the whole matrix those without the empty ones are."""
    row_of, column_of = np.zeros(shape[0], np.int64), np.zeros(shape[1], np.int64)
    for i in range(len(n)):
        if n[i] > 0:
            row_of[place[i] // n_columns] = i // shape[1]
            column_of[place[i] % n_columns] = i % shape[1]
    return row_of, column_of


def share_cells(
    entries: ShareEntries, membership: Membership, shape: tuple[int, int], x: Single, out: MaxScores
) -> None:
    """Take the largest score of all rectangles of all cells in every pseudo-experiment.

    Parameters
    ----------
    entries, membership, out
        As everywhere here.
    shape
        Rows and columns of the bins.
    x
        ``B - E`` of every entry, less what the fit takes of it; shape (n_entries, TOYS).
    """
    _share_cells(entries, membership, shape, x, out)


@compiled
def _share_cells(
    entries: ShareEntries, membership: Membership, shape: tuple[int, int], x: Single, out: MaxScores
) -> None:
    n_directions = min(entries.control.shape[1], MOST_DIRECTIONS)
    n_all, nothing = np.zeros(shape[0] * shape[1], np.int64), np.zeros((len(entries.n), 1))
    high, low = np.zeros(TOYS, np.float32), np.zeros(TOYS, np.float32)
    for cell in range(len(membership.scale)):
        place, n_rows, n_columns, sums = _gathered(
            entries, membership.starts, membership.codes, cell, shape, n_all, nothing
        )
        if n_rows == 0:
            continue
        drawn = gather(entries, membership, cell, place, n_rows * n_columns, x)
        place_kept = membership.keep[cell]
        for t in range(TOYS):
            # Of a cell whose own scores are not kept only those count that are larger than all others so far.
            reached = out.best[t] if place_kept < 0 and out.sign == 0 else -np.float32(NO_LIMIT)
            high[t] = max(reached, -np.float32(NO_LIMIT))
            low[t] = -high[t]
        _extremes(sums, drawn.reshape(n_rows, n_columns, TOYS), n_directions, high, low)
        take(high, low, place_kept, out)


@compiled
def _extremes(sums: FloatArray, drawn: Single, n_directions: int, high: Single, low: Single) -> None:
    """Raise ``high`` and lower ``low`` to the extremes of the score over all rectangles of one cell."""
    n_rows, n_columns, width = sums.shape
    strip, prefix = np.zeros((n_columns, TOYS), np.float32), np.zeros((n_columns + 1, TOYS), np.float32)
    shared, running = np.zeros((n_columns + 1, width)), np.zeros(width)
    for first_row in range(n_rows):
        strip[:] = 0.0
        shared[:] = 0.0
        for row in range(first_row, n_rows):
            _add_row(sums[row], shared, running)
            for column in range(n_columns):
                for t in range(TOYS):
                    strip[column, t] += drawn[row, column, t]
                    prefix[column + 1, t] = prefix[column, t] + strip[column, t]
            reached = _reached_by_all(high, low)
            for start in range(n_columns):
                if shared[start + 1, 0] <= shared[start, 0]:
                    continue
                for stop in range(start + 1, n_columns + 1):
                    if shared[stop, 0] <= shared[stop - 1, 0]:
                        continue
                    variance = _variance(shared, start, stop, n_directions)
                    if _is_ruled_out(shared, start, stop, variance, reached):
                        continue
                    _take_scores(
                        prefix[start], prefix[stop], _score_terms(shared, start, stop, variance), variance, high, low
                    )


@compiled
def _reached_by_all(high: Single, low: Single) -> float:
    """Return the score that both extremes of all pseudo-experiments have reached, 0 or more."""
    least = np.float32(NO_LIMIT)
    for t in range(TOYS):
        least = min(least, high[t], -low[t])
    return float(max(least, np.float32(0.0)))


@compiled
def _take_scores(
    first: Single,
    last: Single,
    terms: tuple[float, float, float, float, float, float],
    variance: float,
    high: Single,
    low: Single,
) -> None:
    """Take the scores of one rectangle, whose residuals are those of ``last`` less those of ``first``."""
    c0, c1, c2, c3 = np.float32(terms[0]), np.float32(terms[1]), np.float32(terms[2]), np.float32(terms[3])
    scale = np.float32(1.0 / np.sqrt(variance))
    if terms[5] == NO_LIMIT:
        for t in range(TOYS):
            y = (last[t] - first[t]) * scale
            z = c0 + y * (c1 + y * (c2 + y * c3))
            high[t] = max(high[t], z)
            low[t] = min(low[t], z)
        return
    least, most = np.float32(terms[4]), np.float32(terms[5])
    for t in range(TOYS):
        y = (last[t] - first[t]) * scale
        z = min(max(c0 + y * (c1 + y * (c2 + y * c3)), least), most)
        high[t] = max(high[t], z)
        low[t] = min(low[t], z)
