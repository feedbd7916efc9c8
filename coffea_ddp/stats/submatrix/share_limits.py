"""Deviations that a score of shares cannot exceed: the bounds by which rectangles are passed over without their score.

A rectangle has the residual ``x = B - E`` with a variance V, and its score is z of ``y = x / sqrt(V)`` by an expansion
(:func:`coffea_ddp.stats.submatrix.binomial.expansion`). With d, the mean of ``1 - 2 e`` of its events (``-d`` for a y
below 0), and with D, the largest size that it has in any rectangle, for ``|y| > 1``

    ``|z| <= -d/(6 sqrt(V)) (y^2 - 1) + |y| (1 + max(y^2 - 3, 0)/(48 V) + 5 D^2/(72 V) max(y^2 - 1, 2))``

So |x| has to be beyond a limit before z is beyond a threshold T, and beyond a larger one with a larger variance.
Limits are tabulated for the usual size of d, where it makes a score larger. Another d changes them by an amount that is
bounded from either side in proportion to the difference, as the limit is convex in d. Thresholds below :data:`SIGNED`
are also reached from ``|y| < 1``, where d works the other way round: their limits are those of D, whatever d is.

Of few events a score is cut off at that of all of them on one side, ``sqrt(-2 n ln(E/n))``; ``n ln(n/E)`` of a sum is
at most the sum of those of its parts (log-sum inequality).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.stats.submatrix.binomial import HIGHEST, STEP
from coffea_ddp.stats.submatrix.limits import LOOKED_UP, MOST_NARROW, NO_LIMIT, first_of, row_of, rows_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, FloatArray, IntArray

FEW = 4.0
"""Variance below which the expansion is no approximation, and scores are cut off."""

MOST_SKEWNESS = 2.0
"""Skewness that the expansion takes at most: it is no approximation for fewer events, but still rises."""

ROWS = 16.0
"""Rows of limits per unit of variance, of small ones."""

DEVIATIONS = 8
"""Steps of the mean of ``1 - 2 e``: few tables serve all observables."""

EVERY, FEWER = 128, 8
"""Rows below the first number have a y each, then one in the second number has."""

SMALLEST = 1.0
"""Variance of the smallest rectangles that limits say something of."""

MANY = 16.0
"""Variance of rectangles in which skewness changes little."""

SIGNED = 3.0
"""Thresholds from here on are not reached with ``|y| < 1.4``."""

NO_NEWS = -1e9
"""Limit of those that are smaller, which everything is beyond."""

_STEPS = 5
"""Newton steps; the bound is convex, and they come from above."""

_MARGIN = 1e-5
"""Share by which limits are lowered: more than scores in single precision are off by."""


@dataclass(frozen=True, eq=False)
class ShareLimits:
    """Largest deviations that do not reach beyond thresholds.

    Attributes
    ----------
    limit
        The largest size of ``2 x`` with which z is not beyond a threshold in any rectangle of the variance of the row,
        in units of 1 / :data:`ROWS`, or of a larger one, for the usual mean of ``1 - 2 e``; shape (n_thresholds,
        n_rows).
    more, less
        What a mean that is larger lowers it by at most, and one that is smaller raises it by at least, by difference;
        shape (n_thresholds,).
    least
        The smallest ``x^2 / V`` which is beyond a threshold, of variances of :data:`SMALLEST` or more, and of
        :data:`MANY` or more; shape (2, n_thresholds).
    fewest
        The largest ``n ln(n / E)`` of few events which are not beyond a threshold even if all are on one side; shape
        (n_thresholds,).
    rows
        Rows of small variances.
    deviation, usual
        The largest size of ``1 - 2 e``, and the mean that limits are made for.
    """

    limit: NDArray[np.float32]
    more: FloatArray
    less: FloatArray
    least: FloatArray
    fewest: FloatArray
    rows: IntArray
    deviation: float
    usual: float


def share_limits(deviation: float, usual: float, variance: float) -> ShareLimits:
    """Return the limits of the score of shares.

    Parameters
    ----------
    deviation, usual
        The largest size of ``1 - 2 e`` of all events, up to 1, and that of its mean.
    variance
        The largest one of a rectangle.

    Examples
    --------
    >>> limits = share_limits(0.5, 0.1, 1000.0)
    >>> bool((np.diff(limits.limit, axis=1) >= 0).all())
    True
    """
    largest = 1 << 2 * int(np.ceil(np.log2(ROWS * max(variance, SMALLEST)) / 2.0)) + 1
    return _limits(int(np.ceil(deviation * DEVIATIONS - 1e-9)), round(usual * DEVIATIONS), largest)


@lru_cache(maxsize=8)
def scaled_limits(limits: ShareLimits, digits: int, is_narrow: bool) -> AnyArray:
    """Return limits as whole numbers of 16 or 32 bits in units of 2^-digits; shape (n_thresholds, n_rows)."""
    most, dtype = (MOST_NARROW, np.int16) if is_narrow else (NO_LIMIT, np.int32)
    return np.asarray(np.clip(limits.limit * 2.0**digits, -most, most), dtype)


@lru_cache(maxsize=8)
def _limits(deviation: int, usual: int, largest: int) -> ShareLimits:
    thresholds: FloatArray = STEP * np.arange(round(HIGHEST / STEP) + 1, dtype=np.float64)
    v = first_of(np.arange(row_of(largest) + 1)) / ROWS
    known = v >= SMALLEST
    limit, row = np.full((len(thresholds), len(v)), NO_NEWS, np.float32), np.flatnonzero(known)
    # A larger variance has a larger y: that of some rows serves those that follow.
    of, place = np.unique(np.where(row < EVERY, row, row - row % FEWER), return_inverse=True)
    mean = np.where(thresholds < SIGNED, deviation, usual)[:, None] / DEVIATIONS
    y, slope = _deviation(thresholds[:, None], v[of], deviation / DEVIATIONS, mean)
    limit[:, known] = y[:, place] * (2.0 * (1.0 - _MARGIN) * np.sqrt(v[known]))
    less = np.maximum((y * y - 1.0) / (3.0 * slope), 0.0).min(axis=1) * (1.0 - _MARGIN)
    less[thresholds < SIGNED] = 0.0
    more = np.maximum(thresholds**2 - 1.0, 1.0) / 3.0
    # A variance below this has no more than that of `n ln(n / E)`, as e (1 - e) <= -ln(e) / (4 ln 2) for e < 1/2.
    fewest = np.minimum(thresholds**2 / 2.0, 4.0 * np.log(2.0) * FEW) * (1.0 - _MARGIN)
    rows = rows_of(np.arange(min(largest, LOOKED_UP) + 1))
    # Variances of a row are smaller than that of the next one.
    next_v = first_of(np.arange(1, len(v) + 1)) / ROWS
    nearest = limit / (2.0 * np.sqrt(next_v, dtype=np.float32))
    of_any, of_many = (nearest[:, v >= smallest].min(axis=1, initial=NO_LIMIT) for smallest in (SMALLEST, MANY))
    least = np.square(np.array([of_any, of_many], dtype=np.float64) * (1.0 - _MARGIN))
    return ShareLimits(limit, more, less, least, fewest, rows, deviation / DEVIATIONS, usual / DEVIATIONS)


def _deviation(
    threshold: FloatArray, v: FloatArray, deviation: float, usual: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the y up to which the bound of z is below a threshold, and the slope of the bound there."""
    skew, kurtosis = usual / (6.0 * np.sqrt(v)), 1.0 / (48.0 * v)
    square_skew = 5.0 / 72.0 * np.minimum(deviation / np.sqrt(v), MOST_SKEWNESS) ** 2
    y = threshold + np.zeros_like(v)
    for _ in range(_STEPS):
        square = y * y
        factor = 1.0 + kurtosis * np.maximum(square - 3.0, 0.0) + square_skew * np.maximum(square - 1.0, 2.0)
        slope = factor + 2.0 * skew * y * (square > 2.0)
        slope += 2.0 * square * (np.where(square > 3.0, kurtosis + square_skew, 0.0))
        y = np.maximum(y - (skew * np.maximum(square - 1.0, 1.0) + y * factor - threshold) / slope, 0.0)
    return y, slope
