"""p-values of a split of n events into A and B: mid-p for comparing windows, the full p where a bound is promised.

Given ``n = A + B``, B is binomial with ``p = kappa / (1 + kappa)`` if the symmetry holds. The mid-p value counts half
of the probability of what was seen (H. O. Lancaster, J. Am. Stat. Assoc. 56 (1961) 223): its mean is 1/2 at any n. z is
its normal quantile, so that windows of 3 and of 3 million events are compared on one scale; at low counts it comes
from the distribution itself, at high ones from an expansion. It is a score, and no bound: the most extreme split is
twice as likely as its mid-p value says. The full p-value (:func:`binomial_p`) counts all of what was seen: the
probability that it is alpha or less is never above alpha.

Examples
--------
>>> round(binomial_z(9, 10, 0.5), 3), round(binomial_z(1, 10, 0.5), 3), binomial_z(5, 10, 0.5)
(2.521, -2.521, 0.0)
>>> round(binomial_p(10, 10, 0.5), 5)
0.00195
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from scipy import special

from coffea_ddp.errors import InputError
from coffea_ddp.stats.conversion import shown
from coffea_ddp.stats.trials import P_FLOOR

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from coffea_ddp._typing import FloatArray, IntArray

MOST_EXACT = 4096
"""The largest number of events in a table: 4096 rows are 34 MB."""

STEP, HIGHEST = 0.02, 10.0
"""Distance of tabulated thresholds of z, and the largest one: all that are larger are treated as this one."""

MARGIN = 1e-4
"""A threshold is lowered by this before it is looked up: more than scores in single precision are off by."""

_INFORMATION = 100.0
"""Above this value of n p (1 - p) the expansion is within 0.05 of the z of the mid-p value for abs(z) < 6."""


@overload
def binomial_z(n_b: float, n: float, p: float) -> float: ...
@overload
def binomial_z(n_b: ArrayLike, n: ArrayLike, p: ArrayLike) -> Any: ...
def binomial_z(n_b: ArrayLike, n: ArrayLike, p: ArrayLike) -> Any:
    """Return the signed z of finding ``n_b`` of ``n`` events on side B.

    Parameters
    ----------
    n_b, n
        Counts of B and of both sides; shapes that broadcast. 0 of 0 has z = 0.
    p
        Probability of B, ``kappa / (1 + kappa)``; between 0 and 1.

    Returns
    -------
    float or ndarray
        Above 0 where B is in excess; the one-sided normal quantile of the mid-p value, from the binomial distribution
        at all counts. Its size ends at 37.5, where the p-value is the smallest number there is.

    Raises
    ------
    InputError
        If ``n_b`` is not between 0 and ``n``, or ``p`` not between 0 and 1.

    Examples
    --------
    All of 20 events on one side, mid-p 0.5 * 2^-20:

    >>> round(binomial_z(20, 20, 0.5), 2)
    4.9
    """
    found, total, chance = _given(n_b, n, p)
    z = np.zeros(found.shape)
    some = total > 0
    z[some] = _mid_p_z(found[some], total[some], chance[some])
    return z if z.ndim else float(z)


@overload
def binomial_p(n_b: float, n: float, p: float, *, sign: int = 0) -> float: ...
@overload
def binomial_p(n_b: ArrayLike, n: ArrayLike, p: ArrayLike, *, sign: int = 0) -> Any: ...
def binomial_p(n_b: ArrayLike, n: ArrayLike, p: ArrayLike, *, sign: int = 0) -> Any:
    """Return the full p-value of finding ``n_b`` of ``n`` events on side B.

    Parameters
    ----------
    n_b, n, p
        As for :func:`binomial_z`. 0 of 0 has p = 1.
    sign
        1: an excess of B counts; -1: of A; 0: of either, twice the smaller of both, 1 at most.

    Returns
    -------
    float or ndarray
        The probability of what was seen or what is further out. Under the null it is alpha or less with a probability
        of alpha at most, for every alpha.

    Raises
    ------
    InputError
        As :func:`binomial_z`.

    Examples
    --------
    >>> round(binomial_p(20, 20, 0.5, sign=1) * 2**20, 6), binomial_p(0, 0, 0.5)
    (1.0, 1.0)
    """
    found, total, chance = _given(n_b, n, p)
    # P(X >= k) = I_p(k, n - k + 1); the argument 0 would not be allowed.
    above = np.where(found > 0, special.betainc(np.maximum(found, 1), total - found + 1, chance), 1.0)
    below = np.where(found < total, special.betainc(np.maximum(total - found, 1), found + 1, 1 - chance), 1.0)
    tail = above if sign > 0 else below if sign < 0 else np.minimum(2.0 * np.minimum(above, below), 1.0)
    tail = np.maximum(tail, P_FLOOR)
    return tail if tail.ndim else float(tail)


def _given(n_b: ArrayLike, n: ArrayLike, p: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    found, total, chance = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (n_b, n, p)))
    if not ((found >= 0) & (found <= total)).all():
        raise InputError(f"n_b={shown(n_b)} of n={shown(n)}: give counts with 0 <= n_b <= n")
    if not ((chance > 0) & (chance < 1)).all():
        raise InputError(f"p={shown(p)}: the probability of side B is between 0 and 1")
    return found, total, chance


def _mid_p_z(b: FloatArray, n: FloatArray, p: FloatArray) -> FloatArray:
    """Return z from the smaller tail, which keeps its relative precision."""
    log_pmf = special.gammaln(n + 1) - special.gammaln(b + 1) - special.gammaln(n - b + 1)
    half = 0.5 * np.exp(log_pmf + special.xlogy(b, p) + special.xlog1py(n - b, -p))
    # P(X >= k) = I_p(k, n - k + 1); the argument 0 would not be allowed.
    above = np.where(b < n, special.betainc(b + 1, np.maximum(n - b, 1), p), 0.0) + half
    below = np.where(b > 0, special.betainc(np.maximum(n - b + 1, 1), np.maximum(b, 1), 1 - p), 0.0) + half
    z: FloatArray = special.ndtri(np.clip(np.minimum(above, below), P_FLOOR, 0.5))
    return np.where(above <= below, -z, z) + 0.0  # no -0.0


class ZTable(NamedTuple):
    """z of every split of a number of events, up to a largest one.

    Attributes
    ----------
    p
        Probability of side B.
    rows
        z of 0, 1 ... n events on side B for n = 0, then for n = 1 ...: the entry of (n_b, n) is at
        ``n (n + 1) / 2 + n_b``. Shape ((most + 1) (most + 2) / 2,), float32.
    most
        The largest n of the table.
    least
        The smallest ``(B - n p)^2 / (n p (1 - p))`` with which z can be beyond a threshold, whatever n is, for
        thresholds in steps of :data:`STEP`; shape (n_thresholds,).
    dilution
        What an uncertain kappa takes off: z of n events is divided by ``sqrt(1 + dilution n)``, in the table too.
    """

    p: float
    rows: NDArray[np.float32]
    most: int
    least: FloatArray
    dilution: float = 0.0


def dilution_of(kappa: float, kappa_error: float) -> float:
    """Return what a relative error s of kappa, common to all bins, adds to the variance of B per event.

    Of n events with the binomial variance ``n p (1 - p)``, ``p = kappa / (1 + kappa)``, the mean ``n p`` moves by ``s n
    p (1 - p)``: in units of that variance ``s^2 p (1 - p) n``.

    Examples
    --------
    >>> round(dilution_of(1.0, 0.1), 4)
    0.0025
    """
    return kappa_error**2 * kappa / (1 + kappa) ** 2


@lru_cache(maxsize=8)
def z_table(kappa: float, largest: int, kappa_error: float = 0.0) -> ZTable:
    """Return z of the mid-p value for all windows of few events.

    Parameters
    ----------
    kappa
        Expected ratio B / A.
    largest
        The largest n that is asked for; the table is shorter where the expansion is good enough.
    kappa_error
        Relative error of kappa, common to all bins.

    Examples
    --------
    >>> table = z_table(1.0, 10)
    >>> table.most, round(float(table.rows[10 * 11 // 2 + 9]), 3)
    (10, 2.521)
    """
    p = kappa / (1 + kappa)
    most = int(min(largest, MOST_EXACT, np.ceil(_INFORMATION / (p * (1 - p)))))
    n = np.repeat(np.arange(most + 1), np.arange(1, most + 2))
    b = np.arange(len(n)) - n * (n + 1) // 2
    dilution = dilution_of(kappa, kappa_error)
    rows = np.asarray(binomial_z(b, n, p) / np.sqrt(1.0 + dilution * n), dtype=np.float32)
    rows.flags.writeable = False
    return ZTable(p, rows, most, _least(rows, b, n, p), dilution)


def _least(rows: NDArray[np.float32], b: IntArray, n: IntArray, p: float) -> FloatArray:
    """Return the least squared deviations that are beyond thresholds: in the table, or of the expansion behind it."""
    thresholds: FloatArray = STEP * np.arange(round(HIGHEST / STEP) + 1, dtype=np.float64)
    least = np.full(len(thresholds), np.inf)
    above = np.ceil(np.abs(rows) / STEP).astype(np.int64) - 1
    known = above >= 0
    square = (b[known] - n[known] * p) ** 2 / (n[known] * p * (1.0 - p))
    np.minimum.at(least, np.minimum(above[known], len(least) - 1), square)
    least = np.minimum.accumulate(least[::-1])[::-1]
    # With y the deviation, z of n events is no further out than y + 0.17 s (y^2 + 1) + 0.3 s^2 y^3.
    s = 1.0 / np.sqrt((n[-1] + 1.0) * p * (1.0 - p))
    y: FloatArray = np.zeros_like(thresholds)
    for step in HIGHEST / 2.0 ** np.arange(1, 31):
        further = y + step
        y = np.where(further + 0.17 * s * (further**2 + 1.0) + 0.3 * s**2 * further**3 <= thresholds, further, y)
    return np.asarray(np.minimum(least, y**2))


def expansion(n: ArrayLike, p: float) -> FloatArray:
    """Return the polynomial that turns the standardised count into z, for many events.

    The inverse Cornish-Fisher expansion to third order, in the skewness s and the excess kurtosis k of the binomial
    (M. G. Kendall and A. Stuart, The Advanced Theory of Statistics I, 6.25). Of the standardised count
    ``y = (B - n p) / sqrt(n p (1 - p))`` it makes
    ``z = y - s (y^2 - 1) / 6 - k (y^3 - 3 y) / 24 + s^2 (4 y^3 - 7 y) / 36``, which rises with y at any y.

    Parameters
    ----------
    n
        Numbers of events, any shape.
    p
        Probability of side B.

    Returns
    -------
    ndarray, shape (..., 4)
        Coefficients of 1, y, y^2, y^3.

    Examples
    --------
    >>> expansion(600, 0.5).round(5).tolist()
    [0.0, 0.99958, -0.0, 0.00014]
    """
    width = np.asarray(n, dtype=np.float64) * p * (1 - p)
    skew, kurtosis = (1 - 2 * p) / np.sqrt(width), (1 - 6 * p * (1 - p)) / width
    even = skew / 6
    cubic = skew**2 / 9 - kurtosis / 24
    return np.stack([even, 1 + kurtosis / 8 - 7 * skew**2 / 36, -even, cubic], axis=-1)
