"""Tail of a count whose expectation comes from samples of different weights: three moments of the expectation.

A gamma distribution of the mean and the variance of a sum of samples has a tail that is too short if most events come
from samples of small weights, and most of the variance from a large weight. Here the expectation is a known part and
a gamma distribution: of the same mean, variance and third central moment as the sum.

Examples
--------
>>> alone, mixed = (float(mixed_p(12, 3.2, 4.0, third)) for third in (10.0, 30.0))
>>> round(alone, 5), round(mixed, 5)
(0.01149, 0.01676)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from coffea_ddp.stats.simulated.counts import LEAST_P, expected_p

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import BoolArray, FloatArray

MOST = 400
"""Events up to which the two parts are summed; of more a saddle-point formula, within 2 % of p."""
_ALIKE = 1e-3
"""A known part, relative to the expectation, below which there is none."""


def mixed_p(counts: ArrayLike, expected: ArrayLike, variance: ArrayLike, third: ArrayLike) -> FloatArray:
    """Return the one-sided p-value of counts on the side on which they are.

    Parameters
    ----------
    counts
        Numbers of events, any shape.
    expected, variance, third
        Mean, variance and third central moment of the expectation, of shapes that go together with it; below
        ``2 variance^2 / expected`` the last is that of one gamma distribution.

    Returns
    -------
    ndarray of float64
        Of the common shape; never 0, as those of :func:`coffea_ddp.stats.expected_p`.
    """
    given = np.broadcast_arrays(*(np.asarray(one, dtype=np.float64) for one in (counts, expected, variance, third)))
    n, mean, spread, skew = (one.reshape(-1) for one in given)
    p = expected_p(n, mean, error=np.sqrt(spread))
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(spread > 0, 0.5 * skew / spread, 0.0)
        known = mean - np.where(scale > 0, spread / scale, mean)
    mixed = (known > _ALIKE * mean) & (scale > 0)
    few, many = mixed & (n <= MOST), mixed & (n > MOST)
    above = n > mean
    for chosen, tail in ((few, _summed), (many, _saddle)):
        if chosen.any():
            p[chosen] = tail(n[chosen], known[chosen], spread[chosen], scale[chosen], above[chosen])
    return np.maximum(p, LEAST_P).reshape(given[0].shape)


def _summed(n: FloatArray, known: FloatArray, variance: FloatArray, scale: FloatArray, above: BoolArray) -> FloatArray:
    """Return the tail as a sum over the events of the known part; those of the other are negative binomial."""
    shape = variance / scale**2
    found = np.where(above, special.gammainc(np.maximum(n, 1.0), known), 0.0)
    for first in range(int(n.max()) + 1):
        some = first <= n - above
        if some.any():
            left, a = n[some] - first, shape[some]
            share = scale[some] / (1.0 + scale[some])
            weight = np.exp(first * np.log(known[some]) - known[some] - special.gammaln(first + 1.0))
            head = special.betainc(a, left + 1.0, 1.0 - share)
            found[some] += weight * np.where(above[some], special.betainc(np.maximum(left, 1.0), a, share), head)
    return np.minimum(found, 1.0)


def _saddle(n: FloatArray, known: FloatArray, variance: FloatArray, scale: FloatArray, above: BoolArray) -> FloatArray:
    """Return the tail by the formula of Lugannani and Rice, with Daniels' correction for whole numbers."""
    shape, mean = variance / scale**2, known + variance / scale
    sign = np.where(above, 1.0, -1.0)
    y = n - 0.5 * sign
    last = 1.0 + scale
    half = known * last + (shape + y) * scale
    x = 2.0 * y * last / (half + np.sqrt(half**2 - 4.0 * known * scale * y * last))
    t = np.log(x)
    cumulant = known * (x - 1.0) - shape * np.log1p(-scale * (x - 1.0))
    curved = known * x + shape * scale * x * last / (last - scale * x) ** 2
    root = np.sqrt(np.maximum(2.0 * (t * y - cumulant), 0.0))
    u = 2.0 * np.abs(np.sinh(0.5 * t)) * np.sqrt(curved)
    sure = (root > 1e-3) & ((y - mean) * sign > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        density = np.exp(-0.5 * root**2) / np.sqrt(2.0 * np.pi)
        found = special.ndtr(-root) + density * (1.0 / u - 1.0 / root)
    return np.where(sure, np.clip(found, 0.0, 1.0), 0.5)
