"""N_sigma of data against an uncertain expectation: a weighted sum of deviations with mean 0 and variance 1.

Of M bins in which the expectation is large and known it is N_sigma with the Poisson error of the expectation, M^(-1/2)
times the sum of (D - mu) / sqrt(mu). Bins in which less than one event is expected are summed as they are: one event
there would be many of their standard deviations, and the sum a test of single events.

Examples
--------
>>> found = n_sigma_expected([130.0, 95.0], [100.0, 100.0])
>>> found.statistic.round(6) == round(25 / np.sqrt(200), 6), int(found.n_bins)
(np.True_, 2)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray, IntArray

LEAST = 1.0
"""Events: the squared deviation that a bin's weight is made of is not less."""


class WeightedPulls(NamedTuple):
    """N_sigma of many cells; arrays of shape (n_cells,) but for the weights.

    Attributes
    ----------
    statistic
        The weighted sum; NaN where nothing is expected.
    weights
        Of the deviations, data minus mean; shape (n_cells, n_bins).
    n_bins
        Bins in which anything is expected or seen.
    error
        Standard deviation of the expectation of the whole cell, its statistics and variations.
    """

    statistic: FloatArray
    weights: FloatArray
    n_bins: IntArray
    error: FloatArray


def weighted_pulls(
    data: FloatArray, mean: FloatArray, variance: FloatArray, steady: FloatArray, shifts: FloatArray
) -> WeightedPulls:
    """Return N_sigma of cells.

    Parameters
    ----------
    data, mean, variance
        Events, the mean of the expectation and its variance; shape (n_cells, n_bins).
    steady
        What the weights are made of: mean and variance together, smooth.
    shifts
        What each variation does to the mean; shape (n_variations, n_cells, n_bins).
    """
    weights = 1.0 / np.sqrt(np.maximum(steady, LEAST))
    own = (weights**2 * (np.maximum(mean, 0.0) + variance)).sum(axis=1)
    moved = (weights * shifts).sum(axis=2)
    norm = np.sqrt(own + (moved**2).sum(axis=0))
    known = norm > 0
    weights = weights / np.where(known, norm, 1.0)[:, None]
    statistic = np.where(known, (weights * (data - mean)).sum(axis=1), np.nan)
    error = np.sqrt(variance.sum(axis=1) + (shifts.sum(axis=2) ** 2).sum(axis=0))
    return WeightedPulls(statistic, weights, ((mean > 0) | (data > 0)).sum(axis=1), error)


class ExpectedNSigma(NamedTuple):
    """N_sigma of data against an expectation.

    Attributes
    ----------
    statistic
        Positive where data are in excess; shape ().
    n_bins
        Bins in which anything is expected or seen.

    Examples
    --------
    >>> n_sigma_expected([9.0], [4.0]).statistic
    np.float64(2.5)
    """

    statistic: FloatArray
    n_bins: IntArray


def n_sigma_expected(
    data: ArrayLike, expected: ArrayLike, *, variance: ArrayLike = 0.0, shifts: ArrayLike | None = None
) -> ExpectedNSigma:
    """Return N_sigma of data against an expectation that is not exact.

    Parameters
    ----------
    data, expected
        Events, and the mean of the expectation, in any bins; one shape.
    variance
        Of the expectation, independent from bin to bin: sums of squared weights of simulation.
    shifts
        What variations add to the expectation at one standard deviation, all bins together; shape
        ``(n_variations, *bins)``.

    Returns
    -------
    ExpectedNSigma
        Its statistic has mean 0 and variance 1 if the expectation is right within its errors.

    Raises
    ------
    InputError
        If the shapes differ, data are not counts, or nothing is expected at all.

    Examples
    --------
    >>> round(float(n_sigma_expected([4.0], [4.0], variance=[2.0]).statistic), 3)
    0.0
    """
    n, mean = checks.counts(data, "data").reshape(-1), checks.positive(expected, "expected").reshape(-1)
    spread = checks.positive(variance, "variance")
    moved = np.zeros((0, len(mean))) if shifts is None else checks.finite(shifts, "shifts")
    if n.shape != mean.shape or spread.size not in (1, mean.size) or (moved.size % max(mean.size, 1)):
        raise InputError(
            f"data have {n.size} bins, expected {mean.size}, variance {spread.size}, shifts {moved.size} numbers; "
            "give one for each bin"
        )
    spread = np.broadcast_to(spread.reshape(-1), mean.shape)
    moved = moved.reshape(-1, 1, mean.size)
    if not (mean + spread).any():
        raise InputError("expected: nothing is expected in any bin; there is nothing to compare the data with")
    found = weighted_pulls(n[None], mean[None], spread[None], (mean + spread)[None], moved)
    return ExpectedNSigma(found.statistic[0], found.n_bins[0])
