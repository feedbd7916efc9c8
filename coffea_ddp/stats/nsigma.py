"""N_sigma: one number for how much two matrices of counts differ.

``N_sigma(B, A) = M^(-1/2) sum_i (B_i - kappa A_i) / sqrt(kappa (A_i + B_i))`` over the M bins that are not
both empty. With kappa = 1 this is the statistic of the symmetry DDP (arXiv:2203.07529). Given the sum n of a
bin, B is binomial with p = kappa / (1 + kappa): each term has mean 0 and variance exactly 1 for any counts,
and N_sigma is asymptotically normal in the number of bins. (The textbook ``(B - kappa A) / sqrt(B + kappa^2
A)`` is biased for kappa other than 1.)

Weighted events enter with their sums W and sums of squares V: ``(W_B - kappa W_A) / sqrt(kappa (rho V_A + V_B /
rho))``. rho is 1 where weights are of one law on both sides; where they belong to a side, such as 1 / efficiency of its
leptons, it is the ratio of their sizes (:mod:`coffea_ddp.stats.side_weights`).

kappa may differ from bin to bin, have an uncertainty, or be estimated from the pair's own totals, which makes the
test one of shape (:mod:`coffea_ddp.stats.kappa`). A relative error eps of kappa, independent from bin to bin, enters
the bin's variance: ``kappa n + eps^2 (kappa n / (1 + kappa))^2``. One that the bins share is ``kappa_error``. All of
it changes its sign, exactly, with A and B swapped and kappa to 1 / kappa with the same relative errors.

Examples
--------
>>> result = n_sigma([[10, 0], [5, 8]], [[20, 0], [5, 18]])
>>> round(result.statistic, 3), round(result.p_value, 4), result.n_bins
(2.186, 0.0288, 3)

Leading axes are a batch where ``batch_ndim`` says so:

>>> batch = n_sigma([[10, 5], [3, 3]], [[20, 5], [3, 3]], batch_ndim=1)
>>> batch.statistic.round(3), batch.n_bins
(array([1.291, 0.   ]), array([2, 2]))

Only the shape, whatever the normalisation:

>>> result = n_sigma([10, 20, 80], [40, 60, 180], kappa="totals")
>>> round(result.statistic, 2), round(result.kappa, 2)
(1.7, 2.55)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks
from coffea_ddp.stats.conversion import shown
from coffea_ddp.stats.kappa import TOTALS, estimate_kappa
from coffea_ddp.stats.pair_checks import (
    aligned,
    errors_of_bins,
    given_kappa,
    given_side,
    relative_error,
    squares_of_both,
)
from coffea_ddp.stats.pulls import BlockNSigma, block_n_sigma, entries
from coffea_ddp.stats.side_weights import pooled_variance, side_ratio
from coffea_ddp.stats.trials import p_from_z

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray, IntArray

EmptyBins = Literal["skip", "all"]

METHOD = "asymptotic normal, two-sided"
"""Method of the p-value of N_sigma."""


@dataclass(frozen=True, eq=False)
class NSigmaResult:
    """The outcome of :func:`n_sigma`; floats for one pair, arrays of shape (batch) for a batch.

    Attributes
    ----------
    statistic
        N_sigma; above 0 where B is in excess.
    p_value
        Two-sided, asymptotic: ``P(abs(N(0, 1)) >= abs(statistic))``. Never 0: not below 2.2e-308.
    z_value
        The two-sided normal quantile of the p-value with the sign of the statistic; as N_sigma is taken to be
        normal, this is the statistic itself, and it does not saturate where the p-value does.
    n_bins
        The number M of bins in the sum.
    asymmetry
        The relative excess eps of B, equal in every bin, that explains the pulls: B_i = kappa_i (1 + eps) A_i.
        An efficiency that is known no better than this makes it insignificant. -1: B is empty; inf: A is
        empty.
    method
        How the p-value was made.
    kappa, kappa_error
        The expected ratio and its absolute error, as used: in the shape given, or (batch) for ``"totals"``.

    Examples
    --------
    >>> n_sigma([10, 20], [12, 31]).n_bins
    2
    """

    statistic: Any
    p_value: Any
    z_value: Any
    n_bins: Any
    asymmetry: Any
    method: str = METHOD
    kappa: Any = 1.0
    kappa_error: Any = 0.0


def n_sigma(
    a: ArrayLike,
    b: ArrayLike,
    *,
    kappa: ArrayLike | Literal["totals"] = 1.0,
    kappa_error: ArrayLike = 0.0,
    systematic: ArrayLike = 0.0,
    variance_a: ArrayLike | None = None,
    variance_b: ArrayLike | None = None,
    batch_ndim: int = 0,
    empty: EmptyBins = "skip",
) -> NSigmaResult:
    """Compare two matrices of counts.

    Parameters
    ----------
    a, b
        Contents of A and B, of one shape ``(*batch, *bins)``: counts, or sums of weights. B is the side whose
        excess is positive.
    kappa
        The expected ratio E[B] / E[A]: a number, or an array of shape ``(*batch)`` or ``(*bins)``, or of as many
        dimensions as ``a`` and fitting to it; or ``"totals"``: from those of each pair, a test of shape alone.
    kappa_error
        Absolute error of a given kappa, common to all bins: one standard deviation shifts every kappa by its
        error. A number, or an array of the shapes that kappa may have; 0: kappa is exact.
    systematic
        Relative error of kappa in every bin, independent from bin to bin: a number, or an array of shape ``(*bins)``.
    variance_a, variance_b
        Sums of squared weights, of the shape of ``a``; with both, contents need not be whole or positive. Weights of
        one size on each side (1 / efficiency) are recognised from the sums of all bins.
    batch_ndim
        How many leading axes are a batch of pairs; 0 is one pair.
    empty
        ``"skip"``: M counts the bins that are not both empty, so that the null is N(0, 1) at any counts;
        ``"all"``: M is the number of all bins (at 0.2 events per bin and side the null's width is then 0.57).

    Returns
    -------
    NSigmaResult
        Statistic, p-value, signed z, number of bins, and the efficiency asymmetry that would explain it.

    Raises
    ------
    InputError
        If shapes differ or that of kappa is ambiguous, contents are negative, not finite or, without variances,
        fractional; if a pair is empty; if kappa is not above 0, or an error below; with ``"totals"``, if a side is
        empty or nothing is left to test.

    Notes
    -----
    arXiv:2203.07529; for what the uncertainty of kappa does, see :mod:`coffea_ddp.stats.kappa`. An
    efficiency difference eps between the sides gives a mean of ``eps sqrt(N/2)`` at N events a side: it grows without
    limit, so compare ``asymmetry`` with what is known of the efficiencies.

    Examples
    --------
    >>> result = n_sigma([100, 100], [121, 121])
    >>> round(result.statistic, 3), round(result.asymmetry, 2)
    (1.998, 0.21)
    >>> round(n_sigma([100, 100], [121, 121], systematic=0.1).statistic, 3)
    1.603
    >>> round(n_sigma([100, 100], [121, 121], kappa_error=0.1).statistic, 3)
    1.377
    """
    checks.choice(empty, "empty", get_args(EmptyBins))
    weighted = variance_a is not None or variance_b is not None
    first, second = given_side(a, "a", weighted=weighted), given_side(b, "b", weighted=weighted)
    if first.shape != second.shape:
        raise InputError(f"a has shape {first.shape} and b {second.shape}; give two matrices of the same bins")
    batch_ndim = checks.whole(batch_ndim, "batch_ndim")
    if batch_ndim > first.ndim:
        raise InputError(f"batch_ndim={batch_ndim} for arrays of shape {first.shape}; give 0 to {first.ndim}")
    variance = squares_of_both(first, second, variance_a, variance_b)
    batch, bins = first.shape[:batch_ndim], first.shape[batch_ndim:]

    def flat(values: FloatArray) -> FloatArray:
        return values.reshape(*batch, math.prod(bins))

    a, b = flat(first), flat(second)
    estimated = isinstance(kappa, str)
    if estimated:
        used, error = _from_totals(kappa, kappa_error, a, b, [variance_a, variance_b])
    else:
        used, error = given_kappa(kappa, kappa_error)
    ratio = aligned(used, "kappa", batch, bins)
    error_of = aligned(error, "kappa_error", batch, bins)
    relative = None if estimated or not error.any() else relative_error(error_of, ratio, ndim=a.ndim)
    spread = errors_of_bins(systematic, bins)
    squares = None
    if variance is not None:
        square_a, square_b = (flat(values) for values in variance)
        squares = pooled_variance(square_a, square_b, side_ratio(a, b, square_a, square_b))
    found = block_n_sigma(
        a,
        b,
        ratio,
        squares,
        every_bin=empty == "all",
        systematic=spread,
        kappa_error=relative,
        estimated_from=entries(a + b, squares) if estimated else None,
    )
    _check_filled(found, batch)
    statistic, n_bins, asymmetry, _ = found if batch else (values.item() for values in found)
    method = method_text(
        from_totals=estimated,
        kappa_error=relative is not None,
        per_bin=ratio.ndim == a.ndim,
        systematic=spread is not None,
    )
    shown = [values if values.ndim else values.item() for values in (used, error)]
    return NSigmaResult(statistic, p_from_z(statistic, two_sided=True), statistic, n_bins, asymmetry, method, *shown)


def method_text(
    *, from_totals: bool = False, kappa_error: bool = False, per_bin: bool = False, systematic: bool = False
) -> str:
    """Return the method of the p-value of N_sigma, in words.

    Parameters
    ----------
    from_totals
        Whether kappa is estimated from totals that contain the pair.
    kappa_error, per_bin, systematic
        Whether a given kappa has an uncertainty, whether kappa differs from bin to bin, and whether a systematic
        error is part of the variance of the bins.

    Examples
    --------
    >>> method_text(from_totals=True, systematic=True)
    'asymptotic normal, two-sided; kappa from the totals; systematic error per bin'
    """
    words = [METHOD]
    words += ["kappa from the totals"] * from_totals
    words += ["uncertainty of kappa propagated"] * kappa_error
    words += ["kappa per bin"] * per_bin
    words += ["systematic error per bin"] * systematic
    return "; ".join(words)


def _from_totals(
    kappa: object, kappa_error: ArrayLike, a: FloatArray, b: FloatArray, squares: list[ArrayLike | None]
) -> tuple[FloatArray, FloatArray]:
    if kappa != TOTALS:
        raise InputError(f"kappa={shown(kappa)}: give a positive number, an array of them, or {TOTALS!r}")
    if checks.number(kappa_error, "kappa_error"):
        raise InputError(f"kappa_error={shown(kappa_error)}: kappa={TOTALS!r} brings its own error; leave it out")
    sums = [None if each is None else np.asarray(each, np.float64).reshape(a.shape).sum(axis=-1) for each in squares]
    found = estimate_kappa(a.sum(axis=-1), b.sum(axis=-1), variance_a=sums[0], variance_b=sums[1])
    return np.asarray(found.value), np.asarray(found.error)


def _check_filled(found: BlockNSigma, batch: tuple[int, ...]) -> None:
    empty = np.argwhere(found.n_bins == 0)
    if len(empty):
        where = f"{_pair(empty)} is" if batch else "a and b are both"
        raise InputError(f"{where} empty: there is nothing to compare; leave empty pairs out")
    flat = np.argwhere(np.isnan(found.scale))
    if len(flat):
        raise InputError(
            f"{_pair(flat) if batch else 'this pair'} is flat, and kappa={TOTALS!r} takes all of its N_sigma: nothing "
            "is left to test; give kappa, compare the shapes with a chi-square, or scan the windows"
        )


def _pair(found: IntArray) -> str:
    return f"pair {tuple(int(i) for i in found[0])} of the batch (one of {len(found)})"
