"""N_sigma: one number for how much two matrices of counts differ.

``N_sigma(B, A) = M^(-1/2) sum_i (B_i - kappa A_i) / sqrt(kappa (A_i + B_i))`` over the M bins that are not
both empty. With kappa = 1 this is the statistic of the symmetry DDP (arXiv:2203.07529). Given the sum n of a
bin, B is binomial with p = kappa / (1 + kappa): each term has mean 0 and variance exactly 1 for any counts,
and N_sigma is asymptotically normal in the number of bins. (The textbook ``(B - kappa A) / sqrt(B + kappa^2
A)`` is biased for kappa other than 1.)

Weighted events enter with their sums W and sums of squares V: ``(W_B - kappa W_A) / sqrt(kappa (V_A +
V_B))``.

Examples
--------
>>> result = n_sigma([[10, 0], [5, 8]], [[20, 0], [5, 18]])
>>> round(result.statistic, 3), round(result.p_value, 4), result.n_bins
(2.186, 0.0288, 3)

Leading axes are a batch where ``batch_ndim`` says so:

>>> batch = n_sigma([[10, 5], [3, 3]], [[20, 5], [3, 3]], batch_ndim=1)
>>> batch.statistic.round(3), batch.n_bins
(array([1.291, 0.   ]), array([2, 2]))
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats.trials import p_from_z

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray, IntArray

EmptyBins = Literal["skip", "all"]

METHOD = "asymptotic normal, two-sided"
"""How the p-value of N_sigma is made."""


@dataclass(frozen=True, eq=False)
class NSigmaResult:
    """The outcome of :func:`n_sigma`; floats for one pair, arrays of shape (batch) for a batch.

    Attributes
    ----------
    statistic
        N_sigma; above 0 where B is in excess.
    p_value
        Two-sided, asymptotic: P(|N(0, 1)| >= |statistic|). Never 0: not below 2.2e-308.
    z_value
        The two-sided normal quantile of the p-value with the sign of the statistic; as N_sigma is taken to be
        normal, this is the statistic itself, and it does not saturate where the p-value does.
    n_bins
        The number M of bins in the sum.
    asymmetry
        The relative excess eps of B, equal in every bin, that explains the statistic: B = kappa (1 + eps) A.
        An efficiency that is known no better than this makes it insignificant. -1: B is empty; inf: A is
        empty.
    method
        How the p-value was made.
    """

    statistic: Any
    p_value: Any
    z_value: Any
    n_bins: Any
    asymmetry: Any
    method: str = METHOD


class BlockNSigma(NamedTuple):
    """What the kernel finds; all of shape (...)."""

    statistic: FloatArray
    n_bins: IntArray
    asymmetry: FloatArray


def n_sigma(
    a: ArrayLike,
    b: ArrayLike,
    *,
    kappa: ArrayLike = 1.0,
    variance_a: ArrayLike | None = None,
    variance_b: ArrayLike | None = None,
    batch_ndim: int = 0,
    empty: EmptyBins = "skip",
) -> NSigmaResult:
    """Compare two matrices of counts.

    Parameters
    ----------
    a, b
        Contents of A and B, of one shape (*batch, *bins): counts, or sums of weights. B is the side whose
        excess is positive.
    kappa
        The expected ratio E[B] / E[A]: a number, or an array of shape (*batch).
    variance_a, variance_b
        Sums of squared weights, of the shape of ``a``; with both, contents need not be whole or positive.
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
        If shapes differ, contents are negative, not finite or, without variances, fractional; if a pair is
        empty; if kappa is not positive.

    Notes
    -----
    arXiv:2203.07529. An efficiency difference eps between the sides gives a mean of ``eps sqrt(N/2)`` at N
    events a side: it grows without limit, so compare ``asymmetry`` with what is known of the efficiencies.

    Examples
    --------
    >>> result = n_sigma([100, 100], [121, 121])
    >>> round(result.statistic, 3), round(result.asymmetry, 2)
    (1.998, 0.21)
    """
    if empty not in get_args(EmptyBins):
        raise InputError(f"empty={empty!r}: choose one of {', '.join(get_args(EmptyBins))}")
    first, second = _contents(a, "a"), _contents(b, "b")
    if first.shape != second.shape:
        raise InputError(f"a has shape {first.shape} and b {second.shape}; give two matrices of the same bins")
    if not 0 <= batch_ndim <= first.ndim:
        raise InputError(f"batch_ndim={batch_ndim} for arrays of shape {first.shape}; give 0 to {first.ndim}")
    variance = _variance(first, second, variance_a, variance_b)
    batch = first.shape[:batch_ndim]
    ratio = _kappa(kappa, batch)

    def flat(values: FloatArray) -> FloatArray:
        return values.reshape(*batch, math.prod(first.shape[batch_ndim:]))

    found = block_n_sigma(
        flat(first),
        flat(second),
        ratio,
        None if variance is None else flat(variance),
        every_bin=empty == "all",
    )
    _check_filled(found, batch)
    statistic, n_bins, asymmetry = found if batch else (values.item() for values in found)
    return NSigmaResult(statistic, p_from_z(statistic, two_sided=True), statistic, n_bins, asymmetry)


def block_n_sigma(
    a: FloatArray,
    b: FloatArray,
    kappa: FloatArray | float = 1.0,
    variance: FloatArray | None = None,
    *,
    every_bin: bool = False,
) -> BlockNSigma:
    """Compare a block of pairs, without checks: what :func:`n_sigma` and the scan share.

    Parameters
    ----------
    a, b
        Contents, shape (..., bins).
    kappa
        Expected ratio, a number or shape (...).
    variance
        V_A + V_B, shape (..., bins); ``None``: contents are counts, and the variance is A + B.
    every_bin
        Whether empty bins count into M.

    Returns
    -------
    BlockNSigma
        Statistic (NaN where no bin counts), number of bins M, and asymmetry (NaN where there is nothing to
        compare).
    """
    ratio = np.asarray(kappa, dtype=np.float64)
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
    return BlockNSigma(statistic, np.asarray(n_bins, dtype=np.int64), asymmetry)


def _contents(values: ArrayLike, name: str) -> FloatArray:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: not an array of numbers ({error})") from error
    if not np.isfinite(array).all():
        raise InputError(f"{name} has NaN or infinite contents; give finite numbers")
    return array


def _variance(
    a: FloatArray, b: FloatArray, variance_a: ArrayLike | None, variance_b: ArrayLike | None
) -> FloatArray | None:
    """Return V_A + V_B, checked; ``None`` where contents are counts."""
    if (variance_a is None) != (variance_b is None):
        raise InputError("variance_a and variance_b come together: give both sums of squared weights, or none")
    if variance_a is None or variance_b is None:
        for name, values in (("a", a), ("b", b)):
            if (values < 0).any():
                raise InputError(
                    f"{name} has negative contents: counts are 0 or more; give variances with sums of weights"
                )
            if (values != np.rint(values)).any():
                raise InputError(
                    f"{name} has fractional contents: counts are whole; give variances with sums of weights"
                )
        return None
    for name, given, values in (("a", variance_a, a), ("b", variance_b, b)):
        squares = _contents(given, f"variance_{name}")
        if squares.shape != values.shape:
            raise InputError(f"variance_{name} has shape {squares.shape} and {name} {values.shape}; give one per bin")
        if (squares < 0).any() or ((squares == 0) & (values != 0)).any():
            raise InputError(f"variance_{name}: sums of squares are above 0 where {name} has anything, never below 0")
    return np.asarray(variance_a, dtype=np.float64) + np.asarray(variance_b, dtype=np.float64)


def _kappa(kappa: ArrayLike, batch: tuple[int, ...]) -> FloatArray:
    ratio = _contents(kappa, "kappa")
    if ratio.shape not in ((), batch):
        raise InputError(f"kappa has shape {ratio.shape}; give a number, or one for each of the batch {batch}")
    if not (ratio > 0).all():
        raise InputError(f"kappa={kappa!r}: the expected ratio B/A is a positive number")
    return ratio


def _check_filled(found: BlockNSigma, batch: tuple[int, ...]) -> None:
    empty = np.argwhere(found.n_bins == 0)
    if len(empty):
        where = (
            f"pair {tuple(int(i) for i in empty[0])} of the batch (one of {len(empty)}) is"
            if batch
            else "a and b are both"
        )
        raise InputError(f"{where} empty: there is nothing to compare; leave empty pairs out")
