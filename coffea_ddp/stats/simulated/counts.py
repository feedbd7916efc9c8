"""Significance of a count where the expectation is uncertain: the tail of a Poisson-gamma mixture.

If the expectation is gamma-distributed with a mean and a variance, counts follow a negative binomial law. Its tail is
an incomplete beta function; for scores of very many regions there is a saddle-point formula, the same for data and
toys.

Examples
--------
>>> round(float(expected_p(10, 3.2)), 5), round(float(expected_p(10, 3.2, error=2.0)), 5)
(0.00176, 0.0296)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks
from coffea_ddp.stats._compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray

_SURE = 1e-9
"""A relative variance of the expectation beside that of Poisson, below which it is taken as known."""
LEAST_P = float(np.finfo(np.float64).tiny)
"""A p-value has a z, however small it is."""
_FLAT = 0.05
"""A deviation below which the formula says nothing, and the score is 0."""


def expected_p(
    counts: ArrayLike, expected: ArrayLike, *, error: ArrayLike = 0.0, excess: bool | None = None
) -> FloatArray:
    """Return the one-sided p-value of counts for an uncertain expectation.

    Parameters
    ----------
    counts
        Numbers of events; they, the expectation and its error have shapes that go together.
    expected
        The mean of the expectation, above 0.
    error
        Its standard deviation: gamma-distributed, so that counts follow a negative binomial law. 0: Poisson.
    excess
        True for the probability of as many or more, False for that of as many or fewer; by default of the side on which
        the count is.

    Returns
    -------
    ndarray of float64
        Of the common shape; never 0: the smallest double of full precision, 2.2e-308, where it is smaller.

    Raises
    ------
    InputError
        If counts are not whole numbers, an expectation is not above 0, or an error is negative.

    Notes
    -----
    With an expectation from n events of one weight this is the exact conditional test of two Poisson counts, but for
    one event of the n (R. D. Cousins, J. T. Linnemann, J. Tucker, Nucl. Instrum. Meth. A 595 (2008) 480).

    Examples
    --------
    >>> float(expected_p(0, 2.0)) == math.exp(-2.0)
    True
    """
    n = checks.counts(counts, "counts")
    mean, spread = checks.positive(expected, "expected"), checks.positive(error, "error")
    if (mean <= 0).any():
        raise InputError(f"expected has contents of {mean.min():g}; an expectation is above 0")
    try:
        n, mean, spread = np.broadcast_arrays(n, mean, spread)
    except ValueError:
        raise InputError(
            f"counts, expected and error have the shapes {n.shape}, {mean.shape} and {spread.shape}, which do not go "
            "together"
        ) from None
    above = n > mean if excess is None else np.full(n.shape, bool(excess))
    found = np.where(above, _tail(n, mean, spread**2), _head(n, mean, spread**2))
    return np.asarray(np.maximum(found, LEAST_P))


def _tail(n: FloatArray, mean: FloatArray, variance: FloatArray) -> FloatArray:
    """Return the probability of n or more."""
    least = np.maximum(n, 1.0)
    sure = variance < _SURE * mean
    shape = mean**2 / np.where(sure, 1.0, variance)
    found = np.where(sure, special.gammainc(least, mean), special.betainc(least, shape, mean / (mean + shape)))
    return np.where(n > 0, found, 1.0)


def _head(n: FloatArray, mean: FloatArray, variance: FloatArray) -> FloatArray:
    """Return the probability of n or fewer."""
    sure = variance < _SURE * mean
    shape = mean**2 / np.where(sure, 1.0, variance)
    return np.asarray(
        np.where(sure, special.gammaincc(n + 1.0, mean), special.betainc(shape, n + 1.0, shape / (mean + shape)))
    )


@compiled
def deficit_reach(ratio: float) -> float:
    """Return how much larger the score of a deficit can be than its pull.

    Parameters
    ----------
    ratio
        The variance of the expectation over its mean.
    """
    return math.sqrt(2.0) if ratio < 1e-6 else math.sqrt(2.0 * (1.0 + ratio) * math.log1p(ratio) / ratio)


@compiled
def count_score(n: float, mean: float, variance: float) -> float:
    """Return the signed z of a count: that of its one-sided p-value, positive for an excess.

    The saddle-point formula of Lugannani and Rice with Daniels' correction for whole numbers: within a few per cent of
    the p-value, everywhere.

    Parameters
    ----------
    n
        Events.
    mean, variance
        Of the expectation; the mean is above 0.
    """
    if n == mean:
        return 0.0
    sign = 1.0 if n > mean else -1.0
    y = n - 0.5 * sign
    if (y - mean) * sign <= 0.0:
        return 0.0
    ratio = variance / mean
    t = math.log(y * (1.0 + ratio) / (mean + ratio * y))
    if ratio < 1e-9:
        cumulant = y - mean
        curved = y
    else:
        shape = mean / ratio
        cumulant = shape * math.log((mean + ratio * y) / (mean * (1.0 + ratio)))
        curved = y + y * y / shape
    deviance = 2.0 * (t * y - cumulant)
    if deviance <= _FLAT * _FLAT:
        return 0.0
    root = math.sqrt(deviance)
    u = 2.0 * abs(math.sinh(0.5 * t)) * math.sqrt(curved)
    found = root + math.log(u / root) / root
    return sign * found if found > 0.0 else 0.0
