r"""The expected ratio kappa = E[B] / E[A]: estimated from the data, and the effect of its uncertainty on N_sigma.

With ``kappa_i = kappa r_i`` in bin i, ``n_i = A_i + B_i``, expected B ``e_i = kappa_i n_i / (1 + kappa_i)`` and
variance ``V_i = kappa_i n_i + eps_i^2 e_i^2``, the nominal statistic is ``T = M^(-1/2) sum_i (B_i - kappa_i A_i) /
sqrt(V_i)``. Around the expectation ``dT / d ln kappa = -M^(-1/2) sum_i h_i`` with ``h_i = e_i / sqrt(V_i)``, so:

kappa known to a relative s, independently of the pair (:func:`given_variance`)
    ``Var T = 1 + s^2 (sum h)^2 / M``; for equal kappa and no eps, ``1 + s^2 kappa (sum sqrt n)^2 / (M (1 + kappa)^2)``.
kappa = sum B / sum r A over a sample of N events that contains the pair (:func:`sample_variance`)
    The error of ln kappa, ``sum_j (B_j - kappa_j A_j) / sum_j e_j``, is correlated with T. With the pair's share of
    the sample ``f = n / N`` and ``U_i = f kappa_i n_i + eps_i^2 e_i^2`` (a systematic shift of a bin is that of the
    whole sample), ``Var T = 1 - 2 (sum h) (sum U / sqrt V) / (M sum e) + (sum h)^2 (sum U) / (M (sum e)^2)``; for
    equal kappa and no eps, ``1 - (sum sqrt n)^2 / (M N)``: 0 for a flat pair and its own totals (N = n), where the
    sum of the pulls says nothing any more.

Weighted events enter with the sum of their squares in place of n in ``kappa_i n_i`` and in f (where n and N are
effective entries, ``(sum w)^2 / sum w^2``) and the sum of weights in ``e_i``.

Where r, eps or the weights vary from bin to bin and f < 1, the sample is taken to have the pair's shape. All this is
to first order in eps and s: where shifts of eps act on B alone, the null's mean is about ``-M^(1/2) eps^2 kappa e /
(2 (1 + kappa) sqrt(V))`` (784 bins, 50 events of A a bin, 5 %: measured -0.07, -0.17, -0.26 +- 0.02 for kappa = 1, 3,
10); where they act on both sides alike it is 0. Derived for this package; the statistic is that of arXiv:2203.07529.

Examples
--------
>>> found = estimate_kappa(1000, 4000)
>>> found.value, round(found.error, 3)
(4.0, 0.141)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray

TOTALS = "totals"
"""Value of kappa that has it estimated from the totals of each pair."""

_STEPS = 60
_CLOSE = 1e-8
"""A Newton step below this leaves an error of about its square."""


@dataclass(frozen=True, eq=False)
class KappaResult:
    """An estimate of kappa; floats, or arrays of one shape.

    Attributes
    ----------
    value
        N_B / N_A.
    error
        Its standard error.
    method
        How it was made.

    Examples
    --------
    >>> KappaResult(1.1, 0.02).method
    'ratio of the totals B / A'
    """

    value: Any
    error: Any
    method: str = "ratio of the totals B / A"


def estimate_kappa(
    n_a: ArrayLike,
    n_b: ArrayLike,
    *,
    variance_a: ArrayLike | None = None,
    variance_b: ArrayLike | None = None,
) -> KappaResult:
    """Estimate the expected ratio B / A from totals.

    Parameters
    ----------
    n_a, n_b
        Totals of A and B, numbers or arrays of one shape: counts, or sums of weights.
    variance_a, variance_b
        Sums of squared weights, of the same shape; ``None``: contents are counts.

    Returns
    -------
    KappaResult
        ``n_b / n_a`` and its error ``kappa sqrt(1 / n_a + 1 / n_b)`` (Poisson; with weights ``V / n^2`` for ``1 / n``).

    Raises
    ------
    InputError
        If shapes differ, there are no totals, a total or a variance is not finite or not above 0, or only one of the
        variances is given.

    Notes
    -----
    A pair that is part of these totals is not independent of this kappa: ``n_sigma(a, b, kappa="totals")`` and
    ``block_n_sigma(..., estimated_from=N)`` know that; ``kappa_error`` is for a kappa from elsewhere.

    Examples
    --------
    >>> estimate_kappa([100, 400], [100, 100]).error.round(3)
    array([0.141, 0.028])
    """
    a, b = checks.finite(n_a, "n_a"), checks.finite(n_b, "n_b")
    if a.shape != b.shape:
        raise InputError(f"n_a has shape {a.shape} and n_b {b.shape}; give two totals of the same samples")
    if not a.size:
        raise InputError(f"n_a and n_b have shape {a.shape}: there are no totals; give at least one of each")
    for name, total in (("n_a", a), ("n_b", b)):
        if not (total > checks.SMALLEST).all():
            where = f" at {_first(total <= checks.SMALLEST)}" if total.ndim else ""
            raise InputError(
                f"{name}={float(total.min()):g}{where}: a side is empty, and gives no ratio B / A; leave it out, or "
                "give kappa"
            )
    if (variance_a is None) != (variance_b is None):
        raise InputError("variance_a and variance_b come together: give both sums of squared weights, or none")
    squares = []
    for name, given, total in (("variance_a", variance_a, a), ("variance_b", variance_b, b)):
        square = total if given is None else checks.finite(given, name)
        if square.shape != total.shape or not (square > 0).all():
            raise InputError(f"{name}: give one sum of squared weights, above 0, for each of {total.shape} totals")
        squares.append(square)
    value = b / a
    error = value * np.sqrt(squares[0] / a**2 + squares[1] / b**2)
    return KappaResult(value, error) if value.ndim else KappaResult(float(value), float(error))


def given_variance(
    kappa_error: FloatArray | float, expected: FloatArray, spread: FloatArray, n_bins: FloatArray
) -> FloatArray:
    """Return the variance of the nominal N_sigma for a kappa known from elsewhere; without checks.

    Parameters
    ----------
    kappa_error
        Relative error s of kappa, common to all bins: a number, or an array that fits to ``expected``.
    expected, spread
        Expected B, e_i, and variances V_i; shape (..., bins). Bins with V_i = 0 have e_i = 0.
    n_bins
        The number M of bins with V_i > 0, shape (...).

    Returns
    -------
    ndarray of shape (...)
        1 or more; NaN for M = 0.

    Examples
    --------
    One bin of 100 + 100 events: variance 1 + s^2 n / 4.

    >>> given_variance(0.1, np.array([100.0]), np.array([200.0]), np.array(1.0)).round(3)
    np.float64(1.5)
    """
    slope = (kappa_error * expected / _root(spread)).sum(axis=-1)
    with np.errstate(invalid="ignore"):
        return np.asarray(1 + slope**2 / n_bins)[()]


def sample_variance(
    share: FloatArray | float, expected: FloatArray, poisson: FloatArray, spread: FloatArray, n_bins: FloatArray
) -> FloatArray:
    """Return the variance of the nominal N_sigma for a kappa estimated from a sample with the pair; without checks.

    Parameters
    ----------
    share
        The pair's share f of the (effective) events of the sample: a number, or shape (...); 1 is its own totals.
    expected, poisson, spread
        Expected B, e_i, the statistical variances kappa_i n_i, and all variances V_i; shape (..., bins).
    n_bins
        The number M of bins with V_i > 0, shape (...).

    Returns
    -------
    ndarray of shape (...)
        0 to about 1; 0 (but for rounding) where nothing is left to test; NaN for M = 0.

    Examples
    --------
    >>> n = np.array([10.0, 10.0, 80.0])
    >>> sample_variance(1.0, n / 2, n, n, np.array(3.0)).round(3)
    np.float64(0.223)
    """
    root = _root(spread)
    common = np.asarray(share)[..., None] * poisson + (spread - poisson)
    slope, total = (expected / root).sum(axis=-1), expected.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        lever = slope / total
        variance = 1 - (2 * lever * (common / root).sum(axis=-1) - lever**2 * common.sum(axis=-1)) / n_bins
    return np.asarray(variance)[()]


def common_asymmetry(pulls: FloatArray, strength: FloatArray, ratio: FloatArray) -> FloatArray:
    """Return the eps that explains the sum of the pulls by ``B_i = kappa_i (1 + eps) A_i``; without checks.

    Solves ``sum_i strength_i kappa_i eps / (1 + kappa_i + kappa_i eps) = pulls``: in closed form where kappa is the
    same in all bins, by Newton's method inside a bracket where it is not.

    Parameters
    ----------
    pulls
        Sum of ``(B_i - kappa_i A_i) / sqrt(V_i)``, shape (...).
    strength
        ``n_i / sqrt(V_i)``, shape (..., bins).
    ratio
        kappa_i, of as many dimensions as ``strength``; a last axis of length 1 is the same kappa in all bins.

    Returns
    -------
    ndarray of shape (...)
        -1: B is empty; inf: A is empty; NaN: nothing in any bin.

    Examples
    --------
    >>> kappa = np.array([1.0, 2.0])
    >>> a, b = np.array([100.0, 100.0]), 1.1 * kappa * 100
    >>> root = np.sqrt(kappa * (a + b))
    >>> common_asymmetry(((b - kappa * a) / root).sum(), (a + b) / root, kappa).round(6)
    np.float64(0.1)
    """
    total = strength.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        if ratio.shape[-1] == 1:
            kappa = ratio[..., 0]
            share = pulls / total
        else:
            share, kappa = _common_share(pulls, strength, ratio / (1 + ratio), total)
        # Where A is empty nothing rests but rounding, and eps is infinite.
        rest = 1 - share
        return np.asarray(share * (1 + kappa) / (kappa * np.where(rest < 1e-12, 0.0, rest)))[()]


def _common_share(
    pulls: FloatArray, strength: FloatArray, p: FloatArray, total: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Solve for share = kappa eps / (1 + kappa + kappa eps) of a middle kappa, with p_i = kappa_i / (1 + kappa_i).

    The pulls are ``sum_i strength_i p_i share / (middle (1 - share) + p_i share)``, nearly linear in share, which is
    between -kappa (B is empty) and 1 (A is empty).
    """
    weight = strength * p
    middle = weight.sum(axis=-1) / total
    kappa = middle / (1 - middle)
    low, high = -kappa, np.ones_like(kappa)
    share = np.clip(pulls / total, low, high)
    for _ in range(_STEPS):
        below = p * share[..., None]
        below += (middle * (1 - share))[..., None]
        each = weight / below
        gap = share * each.sum(axis=-1) - pulls
        newton = share - gap / (middle * np.divide(each, below, out=each).sum(axis=-1))
        low, high = np.where(gap < 0, share, low), np.where(gap > 0, share, high)
        following = np.where((newton >= low) & (newton <= high), newton, (low + high) / 2)
        moved = np.abs(following - share)
        share = following
        if not (moved > _CLOSE * np.minimum(1.0, kappa)).any():
            break
    return np.asarray(share), np.asarray(kappa)


def _root(spread: FloatArray) -> FloatArray:
    """Return sqrt(V); a bin with V = 0 has nothing above the line, and any positive number leaves its term 0."""
    return np.asarray(np.sqrt(np.maximum(spread, np.finfo(np.float64).tiny)))


def _first(found: Any) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(found)[0])
