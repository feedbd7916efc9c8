r"""Limits on the asymmetry of a pair of counts: what A and B say of the ratio of their expectations.

With ``r = (E[B] / E[A]) / kappa`` the asymmetry is ``r - 1``: the relative difference of efficiency, equal in all bins,
that would explain the counts (the column ``asymmetry`` of a report); ``(r - 1) / (r + 1)``, the difference over the
sum, is ``asymmetry / (2 + asymmetry)``. Given n = A + B, B is binomial with ``p = r kappa / (1 + r kappa)``, so the
interval of r follows from that of p, which is exact (Clopper and Pearson, Biometrika 26 (1934) 404): no value outside
of it has tails of (1 - level) / 2 or more. It covers with at least the level for any number of events.

A relative error s of kappa: the tails are averaged over ``ln kappa``, normal with the width s around its value (R. D.
Cousins and V. L. Highland, Nucl. Instrum. Meth. A 320 (1992) 331).

Examples
--------
>>> found = asymmetry_limit(50, 60)
>>> round(found.asymmetry, 3), round(found.low, 3), round(found.high, 3)
(0.2, -0.189, 0.783)
>>> round(found.expected_low, 3), round(found.expected_high, 3)
(-0.325, 0.48)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special, stats

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks
from coffea_ddp.stats.conversion import shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import BoolArray, FloatArray

LEVEL = 0.95
"""Confidence level of limits."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(24)
_STEPS = 60
_CLOSE = 1e-9
LEAST_ERROR = 1e-9
"""A smaller relative error of kappa is none: no counts could tell."""


@dataclass(frozen=True, eq=False)
class AsymmetryLimit:
    """An interval of the asymmetry; floats for one pair, arrays of their shape for many.

    Attributes
    ----------
    asymmetry
        As observed, ``(B / A) / kappa - 1``; inf where A is empty, NaN where both are.
    low, high
        The central interval; asymmetries outside of it are excluded. -1 where B is empty, inf where A is.
    expected_low, expected_high
        Medians of both ends under the symmetry, for the observed number of events of A and B together.
    level
        The confidence level.
    method
        How it was made.

    Examples
    --------
    >>> asymmetry_limit(50, 60).level
    0.95
    """

    asymmetry: Any
    low: Any
    high: Any
    expected_low: Any
    expected_high: Any
    level: float
    method: str


def asymmetry_limit(
    n_a: ArrayLike, n_b: ArrayLike, *, kappa: ArrayLike = 1.0, kappa_error: ArrayLike = 0.0, level: float = LEVEL
) -> AsymmetryLimit:
    """Return which asymmetries a pair of counts excludes.

    Parameters
    ----------
    n_a, n_b
        Numbers of events, of shapes that fit to each other and to those that follow.
    kappa
        The expected ratio E[B] / E[A] under the symmetry.
    kappa_error
        Its absolute error.
    level
        The confidence level, between 0 and 1.

    Returns
    -------
    AsymmetryLimit
        Of the shape that all broadcast to.

    Raises
    ------
    InputError
        If counts are negative or fractional, kappa is not positive, its error is negative or as large as kappa, the
        level is not between 0 and 1, or shapes do not fit.

    Examples
    --------
    No events on side A: nothing is excluded above.

    >>> found = asymmetry_limit([0, 100], [3, 100], kappa_error=0.1)
    >>> found.low.round(3), found.high.round(3)
    (array([-0.591, -0.295]), array([  inf, 0.418]))
    """
    a, b = checks.counts(n_a, "n_a"), checks.counts(n_b, "n_b")
    ratio, error = checks.ratios(kappa, "kappa"), checks.positive(kappa_error, "kappa_error")
    wanted = level_of(level)
    try:
        a, b, ratio, error = np.broadcast_arrays(a, b, ratio, error)
    except ValueError as problem:
        raise InputError(
            f"n_a, n_b, kappa and kappa_error do not fit together ({problem}); give one shape"
        ) from problem
    if (error >= ratio).any():
        raise InputError(f"kappa_error={shown(kappa_error)}: as large as kappa; give one below it")
    found = intervals(a, b, ratio, error / ratio, wanted)
    method = "exact (Clopper-Pearson on B of A + B)"
    if error.any():
        method += ", averaged over a log-normal error of kappa"
    asymmetry, low, high, expected_low, expected_high = (one if one.ndim else float(one) for one in found)
    return AsymmetryLimit(asymmetry, low, high, expected_low, expected_high, wanted, method)


def level_of(level: Any) -> float:
    """Return a confidence level: a number between 0 and 1.

    Raises
    ------
    InputError
        If it is none.
    """
    found = checks.number(level, "level")
    if not 0.0 < found < 1.0:
        raise InputError(f"level={found:g}: a confidence level is between 0 and 1; give 0.95, or the like")
    return found


def intervals(
    a: FloatArray, b: FloatArray, kappa: FloatArray, error: FloatArray, level: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return the asymmetry, its interval and the expected interval; without checks.

    Parameters
    ----------
    a, b
        Numbers of events, or effective numbers, 0 or more; one shape, as of all that follow.
    kappa, error
        The expected ratio and its relative error.
    level
        The confidence level.

    Notes
    -----
    Both ends rise with B, so that their medians are the ends for the median of B; without whole numbers of events that
    is the mean.
    """
    n, p = a + b, kappa / (1.0 + kappa)
    whole = n == np.rint(n)
    middle = np.where(whole, stats.binom.ppf(0.5, np.where(whole, n, 0.0), p), n * p)
    tail = 0.5 * (1.0 - level)
    with np.errstate(divide="ignore", invalid="ignore"):
        asymmetry = b / (kappa * a) - 1.0
    low, high, expected_low, expected_high = (
        np.asarray(end(n - found, found, kappa, error, tail)) for found in (b, middle) for end in (_low, _high)
    )
    return np.asarray(asymmetry), low, high, expected_low, expected_high


def _low(a: FloatArray, b: FloatArray, kappa: FloatArray, error: FloatArray, tail: float) -> FloatArray:
    """Return the asymmetry at which B or more events have a probability of ``tail``; -1 for B = 0."""
    some = b > 0
    found = _log_odds(np.where(some, b, 1.0), a + 1.0, error, tail)
    return np.where(some, np.expm1(found - np.log(kappa)), -1.0)


def _high(a: FloatArray, b: FloatArray, kappa: FloatArray, error: FloatArray, tail: float) -> FloatArray:
    """Return the asymmetry at which B or fewer events have a probability of ``tail``; inf for A = 0."""
    some = a > 0
    # A or more events with the odds upside down.
    found = -_log_odds(np.where(some, a, 1.0), b + 1.0, error, tail)
    return np.where(some, np.expm1(found - np.log(kappa)), np.inf)


def _log_odds(first: FloatArray, second: FloatArray, error: FloatArray, tail: float) -> FloatArray:
    """Return x at which ``mean I_p(first, second)`` is ``tail``: the log-odds of p are x plus error times a normal."""
    p = special.betaincinv(first, second, tail)
    # 1 - p from the other side, where p is 1 but for rounding.
    exact = np.asarray(np.log(p) - np.log(special.betaincinv(second, first, 1.0 - tail)))
    uncertain = error > LEAST_ERROR
    if uncertain.any():
        shape = np.broadcast_shapes(first.shape, error.shape)
        uncertain = np.broadcast_to(uncertain, shape)
        numbers = [np.broadcast_to(one, shape)[uncertain] for one in (first, second, error, exact)]
        exact = exact.copy() if exact.ndim else exact.reshape(1)
        exact[uncertain.reshape(exact.shape)] = _averaged(numbers[0], numbers[1], numbers[2], numbers[3], tail)
        exact = exact.reshape(shape)
    return exact


def _averaged(first: FloatArray, second: FloatArray, error: FloatArray, exact: FloatArray, tail: float) -> FloatArray:
    """Return the log-odds of :func:`_log_odds` for errors above 0; ``exact`` without the error. Shapes (n,).

    The average is taken over whatever of both, the error and the counts, has the smaller width, so that what is
    averaged is smooth: over the error, or over the log-odds that the counts leave, a Beta distribution.
    """
    width = np.sqrt(1.0 / first + 1.0 / second)
    narrow = error <= width
    points = np.where(narrow[:, None], error[:, None] * _NODES, 0.0)
    wide = ~narrow
    if wide.any():
        share = special.ndtr(_NODES)
        a, b = first[wide, None], second[wide, None]
        p, q = special.betaincinv(a, b, share), special.betaincinv(b, a, special.ndtr(-_NODES))
        points[wide] = np.log(p) - np.log(q)
    weights = _WEIGHTS / _WEIGHTS.sum()

    def above(x: FloatArray) -> FloatArray:
        of_error = special.betainc(first[:, None], second[:, None], special.expit(x[:, None] + points))
        of_counts = special.ndtr((x[:, None] - points) / error[:, None])
        mean = np.where(narrow[:, None], of_error, of_counts) @ weights
        return np.asarray(special.ndtri(np.clip(mean, 1e-300, 1.0 - 1e-16)) - special.ndtri(tail))

    reach = error * _NODES.max()
    return _roots(above, exact - reach - width, exact + reach + width)


def _roots(function: Any, low: FloatArray, high: FloatArray) -> FloatArray:
    """Return where rising functions are 0: straight lines through the ends, and the middle at every third step."""
    at_low, at_high = function(low), function(high)
    root, done = 0.5 * (low + high), np.zeros(low.shape, dtype=bool)
    for step in range(_STEPS):
        with np.errstate(divide="ignore", invalid="ignore"):
            line = low - at_low * (high - low) / (at_high - at_low)
        inside: BoolArray = (line > low) & (line < high)
        middle = np.where(inside & (step % 3 != 2), line, 0.5 * (low + high))
        found = function(middle)
        root = np.where(done, root, middle)  # what else is searched changes no result
        done |= (np.abs(found) <= _CLOSE) | (high - low <= _CLOSE)
        if done.all():
            break
        below = found < 0
        low, at_low = np.where(below, middle, low), np.where(below, found, at_low)
        high, at_high = np.where(below, high, middle), np.where(below, at_high, found)
    return root
