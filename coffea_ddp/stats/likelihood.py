"""Profile likelihoods L1 and L2 for a signal of known shape: the reference for all other tests.

L1, the ideal analysis: ``B_i ~ Pois(b_i + mu s_i)`` with the background b known. L2, the symmetry analysis:
``A_i ~ Pois(beta_i)``, ``B_i ~ Pois(kappa beta_i + mu s_i)`` with every beta_i free, so the background comes from the
other side. Both are tests of mu = 0 with ``q0 = 2 [log L(mu_hat) - log L(0)]`` and ``Z = sqrt(q0)`` (arXiv:1007.1727;
the references of arXiv:2203.07529). For a small signal and kappa = 1, Z(L2) = Z(L1) / sqrt(2): the price of not
knowing the background.

L2 is to be trusted above some five events a bin. At two and below its free backgrounds bias it: bins that are empty on
both sides pull mu down with slope -1 whatever the background is.

Leading axes are batches and broadcast: 100 matrices ``a`` of shape (100, 1, 28, 28) and 5 templates of shape
(5, 28, 28), with ``bins_ndim=2``, give results of shape (100, 5).

Examples
--------
>>> background, signal = np.full((28, 28), 25.0), np.zeros((28, 28))
>>> signal[10:13, 10:13] = 1.0
>>> scale = signal_for_z(background, signal, 5.0, kind="l1")
>>> (
...     round(9 * scale, 1),
...     round(asimov_l1(background, scale * signal), 2),
...     round(asimov_l2(background, scale * signal), 2),
... )
(79.1, 5.0, 3.44)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from scipy import optimize

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks
from coffea_ddp.stats.conversion import shown
from coffea_ddp.stats.likelihood_fits import l1_problems, l2_problems
from coffea_ddp.stats.templates import check_template, problems_of
from coffea_ddp.stats.trials import p_from_z

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import BoolArray, FloatArray, IntArray

Kind = Literal["l1", "l2"]


@dataclass(frozen=True, eq=False)
class LikelihoodResult:
    """The outcome of a likelihood fit; floats for one problem, arrays of the batch's shape for many.

    Attributes
    ----------
    q0
        ``2 [log L(mu_hat) - log L(0)]``, 0 or more: the literature's t0, or its q0 where one-sided (0 for mu_hat < 0).
    z_value
        ``sqrt(q0)`` with the sign of ``mu``.
    mu
        The best signal strength, in units of the template; 0 or more where one-sided.
    p_value
        Asymptotic: two-sided, or P(Z >= z) where one-sided (1/2 at q0 = 0).
    method
        How the p-value was made.

    Examples
    --------
    >>> q0_l2([10, 10], [10, 30], [0.0, 1.0]).z_value > 3
    True
    """

    q0: Any
    z_value: Any
    mu: Any
    p_value: Any
    method: str


def q0_l1(
    b: ArrayLike, background: ArrayLike, signal: ArrayLike, *, one_sided: bool = False, bins_ndim: int | None = None
) -> LikelihoodResult:
    """Test a signal of known shape on a known background.

    Parameters
    ----------
    b
        Counts of side B, shape ``(..., *bins)``.
    background
        Their expectation without the signal, shape ``(..., *bins)``.
    signal
        The template, events at mu = 1; 0 or more; shape ``(..., *bins)``.
    one_sided
        Whether mu is bounded at 0.
    bins_ndim
        How many of the last axes are bins; by default all axes of the array with the fewest.

    Returns
    -------
    LikelihoodResult
        Of the shape that the leading axes broadcast to.

    Raises
    ------
    InputError
        If shapes do not fit, counts are negative or fractional, the template is negative or empty, or a bin with a
        signal has events and no background: its q0 is infinite.

    Examples
    --------
    One bin, 16 events on 9: ``q0 = 2 (16 ln(16 / 9) - 7)``.

    >>> found = q0_l1([16], [9.0], [1.0])
    >>> round(found.q0, 4), round(found.mu, 6), round(found.z_value, 3)
    (4.4117, 7.0, 2.1)
    """
    counts, known, shape = (
        checks.counts(b, "b"),
        checks.positive(background, "background"),
        checks.positive(signal, "signal"),
    )
    flat, batch, of = problems_of({"b": counts, "background": known, "signal": shape}, bins_ndim)
    check_template(flat["signal"])
    if _impossible(flat, of):
        raise InputError(
            "background is 0 in a bin with events and a signal: q0 is infinite there; give its expectation, or cut "
            "the template to where the background is known"
        )
    found = l1_problems(flat["b"], flat["background"], flat["signal"], of)
    return _result(found.reshape(*batch, 2), "L1", one_sided)


def q0_l2(
    a: ArrayLike,
    b: ArrayLike,
    signal: ArrayLike,
    *,
    kappa: ArrayLike = 1.0,
    one_sided: bool = False,
    bins_ndim: int | None = None,
) -> LikelihoodResult:
    """Test a signal of known shape on side B, with the background from side A.

    Parameters
    ----------
    a, b
        Counts of A and of B, shape ``(..., *bins)``.
    signal
        The template, events at mu = 1; 0 or more; shape ``(..., *bins)``.
    kappa
        The expected ratio E[B] / E[A] without a signal: a number, or one for each of the batch.
    one_sided, bins_ndim
        As in :func:`q0_l1`.

    Returns
    -------
    LikelihoodResult
        As there.

    Raises
    ------
    InputError
        If shapes do not fit, counts are negative or fractional, both sides are empty, the template is negative or
        empty, or kappa is not positive.

    Notes
    -----
    As side A grows (kappa -> 0 at the same kappa A), L2 becomes L1. Below some five events a bin the asymptotic p-value
    is not to be trusted (see the module).

    Examples
    --------
    >>> found = q0_l2([100], [144], [1.0])
    >>> round(found.mu, 6), round(found.z_value, 3)
    (44.0, 2.825)
    """
    first, second, shape = checks.counts(a, "a"), checks.counts(b, "b"), checks.positive(signal, "signal")
    ratio = _ratio(kappa)
    flat, batch, of = problems_of({"a": first, "b": second, "signal": shape}, bins_ndim, ratio)
    check_template(flat["signal"])
    if (flat["a"][of[:, 0]].sum(axis=1) + flat["b"][of[:, 1]].sum(axis=1) == 0).any():
        raise InputError("a and b are both empty: there is nothing to fit; leave empty pairs out")
    found = l2_problems(flat["a"], flat["b"], flat["signal"], np.atleast_1d(ratio.ravel()), of)
    return _result(found.reshape(*batch, 2), "L2", one_sided)


def asimov_l1(background: ArrayLike, signal: ArrayLike) -> float:
    """Return the Z that L1 is expected to find: that of data without fluctuations.

    ``q0 = 2 sum[(s + b) ln(1 + s / b) - s]`` (arXiv:1007.1727, eq. 97).

    Parameters
    ----------
    background, signal
        Expected events, one shape.

    Returns
    -------
    float
        With ``mu_hat = 1``.

    Raises
    ------
    InputError
        If shapes differ, values are negative, or there is a signal in a bin without background.

    Examples
    --------
    >>> round(asimov_l1([100.0], [44.0]), 3)
    4.125
    """
    b, s = _expected(background, signal)
    used = s > 0
    with np.errstate(over="ignore", invalid="ignore"):
        q0 = 2 * float(((s + b)[used] * np.log1p(s[used] / b[used]) - s[used]).sum())
    return _root(q0)


def asimov_l2(background: ArrayLike, signal: ArrayLike, *, kappa: float = 1.0) -> float:
    """Return the Z that L2 is expected to find: that of ``A = b, B = kappa b + s``.

    ``q0 = 2 sum[(kappa b + s) ln((kappa b + s) / (kappa beta)) + b ln(b / beta)]`` with ``beta = b + s / (1 + kappa)``,
    the best background at mu = 0.

    Parameters
    ----------
    background
        Expected events of side A.
    signal
        Expected signal events on side B, of the same shape.
    kappa
        The expected ratio without the signal.

    Returns
    -------
    float
        With ``mu_hat = 1``.

    Raises
    ------
    InputError
        If shapes differ, values are negative, there is a signal in a bin without background, or kappa is not positive.

    Examples
    --------
    >>> round(asimov_l2([100.0], [44.0]), 3)
    2.825
    """
    ratio = checks.ratio(kappa)
    b, s = _expected(background, signal)
    b, s = b[s > 0], s[s > 0]
    # Logarithms of ratios near 1, so that a weak signal on a large background keeps its digits.
    with np.errstate(over="ignore", invalid="ignore"):
        shift = s / (1 + ratio)
        gain = (ratio * b + s) * np.log1p(shift / (ratio * (b + shift))) - b * np.log1p(shift / b)
        q0 = 2 * float(gain.sum())
    return _root(q0)


def _root(q0: float) -> float:
    if not math.isfinite(q0):
        raise InputError("background and signal are too far apart for double precision; give them in events")
    return math.sqrt(max(0.0, q0))


def signal_for_z(
    background: ArrayLike, signal: ArrayLike, z: ArrayLike, *, kind: Kind = "l2", kappa: float = 1.0
) -> Any:
    """Return by what to multiply a template so that its expected Z is the wanted one.

    Parameters
    ----------
    background, signal
        As in :func:`asimov_l2`; for ``"l1"`` the background is that of side B, ``kappa`` times that of side A.
    z
        0 or more; any shape.
    kind
        Of which likelihood.
    kappa
        The expected ratio.

    Returns
    -------
    float or ndarray
        As ``z``, to a relative 1e-12; 0 for z = 0. The signal then has ``factor * sum(signal)`` events.

    Raises
    ------
    InputError
        As there, and if z is negative or the kind unknown.

    Examples
    --------
    >>> signal_for_z([100.0], [1.0], [0, 2.825, 5]).round(1)
    array([ 0. , 44. , 83.6])
    """
    checks.choice(kind, "kind", get_args(Kind))
    wanted = checks.finite(z, "z")
    if (wanted < 0).any():
        raise InputError(f"z={shown(z)}: give significances, 0 or more")
    ratio = checks.ratio(kappa)
    b, s = _expected(background, signal)

    def found(scale: float) -> float:
        return asimov_l1(ratio * b, scale * s) if kind == "l1" else asimov_l2(b, scale * s, kappa=ratio)

    scales = [_where(found, float(value), 1.0 / float(s.sum())) for value in wanted.flat]
    return np.reshape(scales, wanted.shape) if wanted.ndim else scales[0]


def _where(found: Callable[[float], float], z: float, start: float) -> float:
    """Return where a function that rises from 0 is z."""
    if z == 0:
        return 0.0
    low = high = start
    while found(high) < z:  # raises where the signal leaves the range of numbers
        low, high = high, 2.0 * high
    while found(low) > z:
        low, high = 0.5 * low, low
    return float(optimize.brentq(lambda scale: found(scale) - z, low, high, xtol=1e-14 * low, rtol=1e-13))


def _result(found: FloatArray, name: str, one_sided: bool) -> LikelihoodResult:
    one_sided = checks.flag(one_sided, "one_sided")
    q0, mu = found[..., 0] + 0.0, found[..., 1] + 0.0  # no -0.0
    if one_sided:
        q0, mu = np.where(mu > 0, q0, 0.0), np.maximum(mu, 0.0)
    z = np.copysign(np.sqrt(q0), mu) + 0.0
    p = p_from_z(z, two_sided=not one_sided)
    sides = "one-sided (q0), 1/2 at q0 = 0" if one_sided else "two-sided (t0)"
    method = f"{name}: asymptotic chi2 of one degree of freedom, {sides}"
    shown: list[Any] = [values if np.ndim(values) else float(values) for values in (q0, z, mu, p)]
    return LikelihoodResult(shown[0], shown[1], shown[2], shown[3], method)


def _impossible(flat: dict[str, FloatArray], of: IntArray) -> bool:
    dark: BoolArray = np.less(flat["background"], np.finfo(np.float64).tiny)
    suspects = of[np.isin(of[:, 1], np.nonzero(dark)[0])]
    events, lit = flat["b"][suspects[:, 0]] > 0, flat["signal"][suspects[:, 2]] > 0
    return bool((events & lit & dark[suspects[:, 1]]).any())


def _ratio(kappa: ArrayLike) -> FloatArray:
    return checks.ratios(kappa, "kappa")


def _expected(background: ArrayLike, signal: ArrayLike) -> tuple[FloatArray, FloatArray]:
    b, s = checks.positive(background, "background"), checks.positive(signal, "signal")
    if b.shape != s.shape:
        raise InputError(f"background has shape {b.shape} and signal {s.shape}; give two of the same bins")
    check_template(s.reshape(1, -1))
    if ((s > 0) & (b < np.finfo(np.float64).tiny)).any():
        raise InputError(
            "signal and background: a signal in a bin without background has an infinite Z; give a background there, "
            "or cut the template to the matrix"
        )
    return b, s
