"""Rectangles of overlapping cells in which every event has an expected share of side B.

A region has n events, of which ``E = sum e`` are expected on side B with the variance ``V = sum e (1 - e)``. What the
fit of the shares adds or takes (:mod:`coffea_ddp.stats.propensity.projection`) is a sum of vectors over its entries:
``V + |sum d|^2 - |sum c|^2`` with d of events outside of the fit and c of those in it.

The score of a rectangle is z of ``y = (B - E) / sqrt(variance)`` by the expansion of
:func:`coffea_ddp.stats.submatrix.binomial.expansion` with the skewness of the mean share. Of few events, V below 4, it
is no further out than all of them on one side can be: ``sqrt(-2 n ln(E / n))``. An uncertainty that each bin has for
itself adds to the variance of the bin. The other score, ``pulls``, is N_sigma of the rectangle: y of the bins' pulls.
Entries, cells and pseudo-experiments are those of :mod:`coffea_ddp.stats.submatrix.overlapping`.

The references in numpy are in ``tests/stats/submatrix/test_shares.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import TOYS, compiled
from coffea_ddp.stats.propensity.projection import LEAST_VARIANCE
from coffea_ddp.stats.submatrix.limits import limit_index, row_of
from coffea_ddp.stats.submatrix.overlapping import MaxScores, Membership, gather, take
from coffea_ddp.stats.submatrix.share_entries import ShareEntries, largest_deviation
from coffea_ddp.stats.submatrix.share_limits import FEW, MOST_SKEWNESS, ROWS, share_limits
from coffea_ddp.stats.submatrix.share_sums import (
    BOUND,
    MOST_DIRECTIONS,
    NEGLIGIBLE,
    SPREAD,
    E,
    N,
    V,
    X,
    add_row,
    gathered,
    origins,
    set_bounds,
    to_pulls,
    variance_of,
    without_total,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import FloatArray, IntArray, ShortArray

    Single = NDArray[np.float32]

NO_LIMIT = 1e30
"""Limit of a score that is not cut off."""


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
    entries: ShareEntries, starts: IntArray, codes: ShortArray, x: FloatArray, shape: tuple[int, int], *,
    odds: FloatArray | None = None, pulls: bool = False,
) -> ShareRectangles:  # fmt: skip
    """Return the best rectangle of cells, the largest in size.

    Parameters
    ----------
    entries, starts, codes, x, odds
        As for :func:`nsigma_of_shares`.
    shape
        Rows and columns of the bins.
    pulls
        The score is N_sigma of the rectangle, not the significance of its sum.
    """
    own = np.zeros(0) if odds is None else odds
    if pulls or not entries.skewed:
        limit, rows = np.zeros((0, 0), np.float32), np.zeros(0, np.int64)
    else:
        # Odds of a cell may make any share of an event, with the variance of 1/4.
        most, v = (largest_deviation(entries), entries.v.sum()) if odds is None else (1.0, entries.n.sum() / 4.0)
        limits = share_limits(most, most, v + entries.spread.sum() ** 2)
        limit, rows = limits.limit, limits.rows
    return ShareRectangles(*_best_of_shares(entries, starts, codes, x, shape, own, pulls, limit, rows))


@compiled
def _best_of_shares(  # noqa: PLR0917 (numba knows no keyword-only arguments)
    entries: ShareEntries,
    starts: IntArray,
    codes: ShortArray,
    x: FloatArray,
    shape: tuple[int, int],
    own: FloatArray,
    pulls: bool,
    limit: Single,
    rows: IntArray,
) -> tuple[FloatArray, IntArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    n_cells, n_directions = len(starts) - 1, min(entries.control.shape[1], MOST_DIRECTIONS)
    n_known = n_directions + (1 if len(own) else 0)
    z, where, of = np.full(n_cells, np.nan), np.zeros((n_cells, 4), np.int64), np.zeros((4, n_cells))
    filled, linear = np.zeros(shape[0] * shape[1], np.int64), pulls or not entries.skewed
    nothing = np.zeros((0, 0, 0), np.float32)
    for cell in range(n_cells):
        odds, mine = own[cell] if len(own) else 1.0, codes[starts[cell] : starts[cell + 1]]
        place, n_rows, n_columns, known = gathered(entries, mine, shape, filled, x, odds, n_known)
        if n_rows == 0:
            continue
        if len(own):
            without_total(known, nothing, n_known)
        set_bounds(known, n_known)
        row_of, column_of = origins(place, filled, shape, n_columns)
        sums = known
        if pulls:
            sums = known.copy()
            to_pulls(sums, nothing, n_known)
        z[cell], first_row, stop_row, start, stop = _best_in(sums, n_known, linear, limit, rows)
        where[cell, 0], where[cell, 1] = row_of[first_row], row_of[stop_row - 1] + 1
        where[cell, 2], where[cell, 3] = column_of[start], column_of[stop - 1] + 1
        total = np.zeros((2, sums.shape[2]))
        for row in range(first_row, stop_row):
            for column in range(start, stop):
                total[1] += known[row, column]
        of[0, cell], of[1, cell], of[2, cell] = total[1, N], total[1, E], total[1, V]
        of[3, cell] = variance_of(total, 0, 1, n_known)
    return z, where, of[0], of[1], of[2], of[3]


@compiled
def _best_in(
    sums: FloatArray, n_directions: int, linear: bool, limit: Single, rows: IntArray
) -> tuple[float, int, int, int, int]:
    """Return the largest score in size of one cell, and the first and one-past-last row and column.

    ``limit`` and ``rows`` are those of :class:`~.share_limits.ShareLimits` for the largest mean of ``1 - 2 e``.
    """
    n_rows, n_columns, width = sums.shape
    strip, running = np.zeros((n_columns + 1, width)), np.zeros(width)
    best, where = 0.0, (0, 0, 0, 0)
    for first_row in range(n_rows):
        strip[:] = 0.0
        for row in range(first_row, n_rows):
            add_row(sums[row], strip, running)
            score, start, stop = _best_of_strip(strip, n_directions, linear, limit, rows, best, where[1] == 0)
            if stop > 0:
                best, where = score, (first_row, row + 1, start, stop)
    return best, where[0], where[1], where[2], where[3]


@compiled
def _best_of_strip(
    strip: FloatArray, n_directions: int, linear: bool, limit: Single, rows: IntArray, best: float, first: bool
) -> tuple[float, int, int]:
    """Return the largest score in size of a strip of rows, and its first and one-past-last column.

    The latter are 0 where no score is larger than the best one so far, if that is not the first. Nearly all rectangles
    are ruled out without a root or a division, by limits of the variance that a fit leaves at least: ``(sum c)^2 <=
    sum(v) sum(c^2 / v)``.
    """
    place, found, n_rows = limit_index(abs(best)), (0, 0), len(rows)
    for start in range(len(strip) - 1):
        if strip[start + 1, V] <= strip[start, V]:
            continue
        for stop in range(start + 1, len(strip)):
            v, above = strip[stop, V] - strip[start, V], strip[stop, X] - strip[start, X]
            known, bound = v + strip[stop, SPREAD] - strip[start, SPREAD], strip[stop, BOUND] - strip[start, BOUND]
            left = max(known - v * bound, LEAST_VARIANCE * known) if bound > NEGLIGIBLE else known
            if linear:
                below = above * above < best * best * left
            else:
                inner = int(ROWS * left)
                below = 2.0 * abs(above) < limit[place, rows[inner] if inner < n_rows else row_of(inner)]
            if below or strip[stop, V] <= strip[stop - 1, V]:
                continue
            score = _score_of(strip, start, stop, n_directions, linear)
            if first or abs(score) > abs(best) * (1.0 + 1e-12):
                best, first, found, place = score, False, (start, stop), limit_index(abs(score))
    return best, found[0], found[1]


@compiled
def _score_of(strip: FloatArray, start: int, stop: int, n_directions: int, linear: bool) -> float:
    variance = variance_of(strip, start, stop, n_directions)
    y = (strip[stop, X] - strip[start, X]) / np.sqrt(variance)
    c0, c1, c2, c3, least, most = score_terms(strip, start, stop, variance, linear)
    return float(min(max(c0 + y * (c1 + y * (c2 + y * c3)), least), most))


@compiled
def score_terms(
    strip: FloatArray, start: int, stop: int, variance: float, linear: bool
) -> tuple[float, float, float, float, float, float]:
    """Return four coefficients that make a score of y, and the smallest and the largest score."""
    if linear:
        return 0.0, 1.0, 0.0, 0.0, -NO_LIMIT, NO_LIMIT
    n, e = strip[stop, N] - strip[start, N], strip[stop, E] - strip[start, E]
    v = max(strip[stop, V] - strip[start, V], 1e-9)
    p = min(max(e / n, 1e-6), 1.0 - 1e-6)
    skew = min(max((1.0 - 2.0 * p) / np.sqrt(v), -MOST_SKEWNESS), MOST_SKEWNESS)
    kurtosis = skew * skew - 2.0 * p * (1.0 - p) / v
    if variance > v:  # what is added to the variance is normal
        skew *= (v / variance) ** 1.5
        kurtosis *= (v / variance) ** 2
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
    v = strip[stop, V] - strip[start, V]
    if v >= FEW or v <= 0.0:
        return False
    n, e = strip[stop, N] - strip[start, N], strip[stop, E] - strip[start, E]
    p = min(max(e / n, 1e-6), 1.0 - 1e-6)
    rare = min(p, 1.0 - p)
    return bool(2.0 * n * (v / variance) * (1.0 - rare) <= score * score * np.sqrt(rare))


def share_cells(
    entries: ShareEntries, membership: Membership, shape: tuple[int, int], x: Single, out: MaxScores, *,
    own: bool = False, pulls: bool = False,
) -> None:  # fmt: skip
    """Take the largest score of all rectangles of all cells in every pseudo-experiment.

    Parameters
    ----------
    entries, membership, out
        As everywhere here.
    shape
        Rows and columns of the bins.
    x
        ``B - E`` of every entry, less what the fit takes of it; shape (n_entries, TOYS).
    own
        Every cell's odds are those of its total.
    pulls
        As for :func:`best_of_shares`.
    """
    _share_cells(entries, membership, shape, x, own, pulls, out)


@compiled
def _share_cells(
    entries: ShareEntries, membership: Membership, shape: tuple[int, int], x: Single, own: bool, pulls: bool,
    out: MaxScores,
) -> None:  # fmt: skip
    n_known = min(entries.control.shape[1], MOST_DIRECTIONS) + (1 if own else 0)
    filled, nothing = np.zeros(shape[0] * shape[1], np.int64), np.zeros(len(entries.n))
    high, low = np.zeros(TOYS, np.float32), np.zeros(TOYS, np.float32)
    for cell in range(len(membership.scale)):
        mine = membership.codes[membership.starts[cell] : membership.starts[cell + 1]]
        place, n_rows, n_columns, sums = gathered(entries, mine, shape, filled, nothing, 1.0, n_known)
        if n_rows == 0:
            continue
        drawn = gather(entries, membership, cell, place, n_rows * n_columns, x).reshape(n_rows, n_columns, TOYS)
        if own:
            without_total(sums, drawn, n_known)
        set_bounds(sums, n_known)
        if pulls:
            to_pulls(sums, drawn, n_known)
        place_kept = membership.keep[cell]
        for t in range(TOYS):
            # Of a cell whose own scores are not kept only those count that are larger than all others so far.
            reached = out.best[t] if place_kept < 0 and out.sign == 0 else -np.float32(NO_LIMIT)
            high[t] = max(reached, -np.float32(NO_LIMIT))
            low[t] = -high[t]
        _extremes(sums, drawn, n_known, pulls or not entries.skewed, high, low)
        take(high, low, place_kept, out)


@compiled
def _extremes(sums: FloatArray, drawn: Single, n_directions: int, linear: bool, high: Single, low: Single) -> None:
    """Raise ``high`` and lower ``low`` to the extremes of the score over all rectangles of one cell."""
    n_rows, n_columns, width = sums.shape
    strip, prefix = np.zeros((n_columns, TOYS), np.float32), np.zeros((n_columns + 1, TOYS), np.float32)
    shared, running = np.zeros((n_columns + 1, width)), np.zeros(width)
    for first_row in range(n_rows):
        strip[:] = 0.0
        shared[:] = 0.0
        for row in range(first_row, n_rows):
            add_row(sums[row], shared, running)
            for column in range(n_columns):
                for t in range(TOYS):
                    strip[column, t] += drawn[row, column, t]
                    prefix[column + 1, t] = prefix[column, t] + strip[column, t]
            reached = _reached_by_all(high, low)
            for start in range(n_columns):
                if shared[start + 1, V] <= shared[start, V]:
                    continue
                for stop in range(start + 1, n_columns + 1):
                    if shared[stop, V] <= shared[stop - 1, V]:
                        continue
                    variance = variance_of(shared, start, stop, n_directions)
                    if not linear and _is_ruled_out(shared, start, stop, variance, reached):
                        continue
                    terms = score_terms(shared, start, stop, variance, linear)
                    _take_scores(prefix[start], prefix[stop], terms, variance, high, low)


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
