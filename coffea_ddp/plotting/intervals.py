"""Intervals of contents and of ratios, exact for counts: bins without events have one, too.

Examples
--------
>>> low, high = poisson_interval(np.array([0.0, 4.0]))
>>> low.round(2), high.round(2)
(array([0.  , 2.09]), array([1.84, 7.16]))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import betaincinv, gammaincinv
from scipy.stats import norm

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray

TAIL = float(norm.sf(1.0))
"""Probability above (and below) the interval: that of one sigma, 15.87 %."""


class Interval(NamedTuple):
    """Lower and upper ends, each of the shape of the contents; NaN where nothing is known."""

    low: FloatArray
    high: FloatArray


def poisson_interval(contents: FloatArray, variances: FloatArray | None = None) -> Interval:
    """Return central 68 % intervals of the expectation of contents (F. Garwood, Biometrika 28 (1936) 437).

    Parameters
    ----------
    contents
        Counts, or sums of weights.
    variances
        Sums of squared weights: the interval is that of the effective count in the same bin, scaled. A bin without any
        has the mean weight of all others. ``None``: contents are counts.

    Returns
    -------
    Interval
        Where a sum of weights is below 0, one standard deviation to both sides.
    """
    counts, scale = effective(contents, variances)
    with np.errstate(invalid="ignore"):
        low = np.where(counts > 0, gammaincinv(np.maximum(counts, 1e-300), TAIL), 0.0) * scale
        high = gammaincinv(np.maximum(counts, 0.0) + 1.0, 1.0 - TAIL) * scale
    if variances is not None:
        error, negative = np.sqrt(variances), contents < 0
        low, high = (np.where(negative, x, y) for x, y in ((contents - error, low), (contents + error, high)))
    return Interval(low, high)


def ratio_interval(a: FloatArray, b: FloatArray, variances: tuple[FloatArray, FloatArray] | None = None) -> Interval:
    """Return central 68 % intervals of E[B] / E[A]: those of C. J. Clopper and E. S. Pearson for the share of B.

    Parameters
    ----------
    a, b
        Counts, or sums of weights.
    variances
        Sums of squared weights of A and of B; effective counts are taken, scaled.

    Returns
    -------
    Interval
        From 0 where B is empty, to infinity where A is; NaN where both are.

    Examples
    --------
    >>> low, high = ratio_interval(np.array([8.0, 0.0]), np.array([94.0, 3.0]))
    >>> low.round(1), high.round(1)
    (array([7.7, 1.2]), array([18.3,  inf]))
    """
    (n_a, scale_a), (n_b, scale_b) = (
        effective(values, None if variances is None else variances[side]) for side, values in enumerate((a, b))
    )
    n_a, n_b = np.maximum(n_a, 0.0), np.maximum(n_b, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.where(n_b > 0, betaincinv(np.maximum(n_b, 1e-300), n_a + 1.0, TAIL), 0.0)
        high = np.where(n_a > 0, betaincinv(n_b + 1.0, np.maximum(n_a, 1e-300), 1.0 - TAIL), 1.0)
        odds = (np.where(n_a + n_b > 0, share / (1.0 - share), np.nan) * scale_b / scale_a for share in (low, high))
        return Interval(*odds)


def effective(contents: FloatArray, variances: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """Return effective counts and what they are multiplied with to give the contents.

    Parameters
    ----------
    contents
        Counts, or sums of weights.
    variances
        Sums of squared weights; ``None``: contents are counts.
    """
    if variances is None:
        return contents, np.ones(contents.shape)
    filled = (variances > 0) & (contents != 0)
    total = float(np.abs(contents[filled]).sum())
    typical = float(variances[filled].sum()) / total if total > 0 else 1.0
    scale = np.full(contents.shape, typical)
    np.divide(variances, np.abs(contents), out=scale, where=filled)
    return np.asarray(contents / scale), scale
