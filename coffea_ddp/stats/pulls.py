"""Sums of pulls: the kernel of N_sigma, which :func:`~coffea_ddp.stats.n_sigma` and the scan share, without checks.

Examples
--------
>>> found = block_n_sigma(np.array([[10.0, 5.0], [3.0, 3.0]]), np.array([[20.0, 5.0], [3.0, 3.0]]))
>>> found.statistic.round(3), found.n_bins
(array([1.291, 0.   ]), array([2, 2]))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats.kappa import common_asymmetry, given_variance, sample_variance

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray

LEAST_VARIANCE = 0.01
"""Smallest share of the variance that an estimated kappa may leave: with less the statistic says nothing."""


class BlockNSigma(NamedTuple):
    """Output of the kernel; all of shape (...).

    Attributes
    ----------
    statistic, n_bins, asymmetry
        As in :class:`~coffea_ddp.stats.NSigmaResult`; NaN, 0, NaN where there is nothing to compare.
    scale
        Factor that was applied to the nominal statistic for the uncertainty of kappa: one over the root of its
        variance. 1 where kappa is exact; NaN, like the statistic, where less than :data:`LEAST_VARIANCE` is left.
    """

    statistic: FloatArray
    n_bins: IntArray
    asymmetry: FloatArray
    scale: FloatArray


def block_n_sigma(
    a: FloatArray,
    b: FloatArray,
    kappa: FloatArray | float = 1.0,
    variance: FloatArray | None = None,
    *,
    every_bin: bool = False,
    systematic: FloatArray | float | None = None,
    kappa_error: FloatArray | float | None = None,
    estimated_from: FloatArray | float | None = None,
) -> BlockNSigma:
    """Compare a block of pairs, without checks: what :func:`~coffea_ddp.stats.n_sigma` and the scan share.

    Parameters
    ----------
    a, b
        Contents, shape (..., bins).
    kappa
        Expected ratio: a number, shape (...), or as many dimensions as ``a`` and fitting to it (per bin).
    variance
        ``rho V_A + V_B / rho`` (:func:`~coffea_ddp.stats.side_weights.pooled_variance`; V_A + V_B for weights of one
        law), shape (..., bins); ``None``: contents are counts, and the variance is A + B.
    every_bin
        Whether empty bins count into M.
    systematic
        Relative error of kappa in every bin, independent from bin to bin: a number, or shape (bins).
    kappa_error
        Relative error of kappa, common to all bins, independent of these pairs: a number, or as many dimensions
        as ``a`` and fitting to it.
    estimated_from
        kappa is sum B / sum r A (r: factors per bin) of a sample with this number of events, which contains the pair: a
        number, or shape (...); with weights, effective entries. The pair's own number is its own totals.

    Returns
    -------
    BlockNSigma
        Statistic (NaN where no bin counts, or where kappa from the totals leaves nothing to test), number of
        bins M, asymmetry (NaN where there is nothing to compare), and scale.

    Raises
    ------
    InputError
        If both ``kappa_error`` and ``estimated_from`` are given.

    Examples
    --------
    >>> a, b = np.array([[10.0, 20.0, 80.0]]), np.array([[20.0, 20.0, 70.0]])
    >>> block_n_sigma(a, b, np.array([[1.0, 1.1, 0.9]]), systematic=0.02, kappa_error=0.01).statistic.round(3)
    array([0.778])
    """
    if kappa_error is not None and estimated_from is not None:
        raise InputError("kappa_error and estimated_from exclude each other: kappa is given, or from the sample")
    ratio = np.asarray(kappa, dtype=np.float64)
    per_bin = ratio.ndim == a.ndim
    if per_bin or systematic is not None or kappa_error is not None or estimated_from is not None:
        ratio = ratio if per_bin else ratio[..., None]
        if (ratio == ratio[..., :1]).all():  # the same in all bins: half of the work
            ratio = ratio[..., :1]
        return _block_with_errors(a, b, ratio, variance, every_bin, systematic, kappa_error, estimated_from)
    total = a + b
    spread = total if variance is None else variance
    found = np.count_nonzero(spread, axis=-1)
    # An empty bin has nothing above the line; dividing it by any positive number leaves its term 0.
    root = np.sqrt(np.maximum(spread, np.finfo(np.float64).tiny))
    difference = b - ratio[..., None] * a
    pulls = np.divide(difference, root, out=difference).sum(axis=-1) / np.sqrt(ratio)
    strength = np.divide(total, root, out=root).sum(axis=-1)
    n_bins = np.where(found, a.shape[-1], 0) if every_bin else found
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = pulls / np.sqrt(n_bins)
        share = pulls / strength
        # B = kappa (1 + eps) A in every bin gives share = sqrt(kappa) eps / (1 + kappa + kappa eps): solved
        # for eps. Where A is empty nothing rests but rounding, and eps is infinite.
        rest = np.sqrt(ratio) - share * ratio
        asymmetry = share * (1 + ratio) / np.where(rest < 1e-12 * np.sqrt(ratio), 0.0, rest)
    return BlockNSigma(statistic, np.asarray(n_bins, dtype=np.int64), asymmetry, np.ones(np.shape(statistic)))


def _block_with_errors(
    a: FloatArray,
    b: FloatArray,
    ratio: FloatArray,
    variance: FloatArray | None,
    every_bin: bool,
    systematic: FloatArray | float | None,
    kappa_error: FloatArray | float | None,
    estimated_from: FloatArray | float | None,
) -> BlockNSigma:
    """Do the same with errors; ``ratio`` has as many dimensions as ``a``."""
    total = a + b
    counted = total if variance is None else variance
    expected = total * (ratio / (1 + ratio))
    poisson = ratio * counted
    spread = poisson if systematic is None else poisson + (systematic * expected) ** 2
    found = np.count_nonzero(counted, axis=-1)
    n_bins = np.where(found, a.shape[-1], 0) if every_bin else found
    root = np.sqrt(np.maximum(spread, np.finfo(np.float64).tiny))
    pulls = ((b - ratio * a) / root).sum(axis=-1)
    left = np.ones(pulls.shape)
    if kappa_error is not None:
        left = given_variance(kappa_error, expected, spread, found)
    elif estimated_from is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.minimum(entries(total, variance) / estimated_from, 1.0)
        left = sample_variance(share, expected, poisson, spread, found)
    scale = 1 / np.sqrt(np.where(left >= LEAST_VARIANCE, left, np.nan))
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = pulls / np.sqrt(n_bins) * scale
    asymmetry = common_asymmetry(pulls, total / root, ratio)
    return BlockNSigma(statistic, np.asarray(n_bins, dtype=np.int64), asymmetry, scale)


def entries(total: FloatArray, variance: FloatArray | None) -> FloatArray:
    """Return the (effective) events of every pair; shape (...)."""
    events = total.sum(axis=-1)
    if variance is None:
        return np.asarray(events)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(events**2 / variance.sum(axis=-1))
