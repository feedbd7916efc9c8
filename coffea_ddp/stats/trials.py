"""Trials: from local to global p-values, and between p and z.

The global p-value of the best of N trials is at most ``1 - (1 - p)^N`` (Sidak). For statistics that are
jointly normal, two-sided, this holds whatever their correlation (Z. Sidak, J. Am. Stat. Assoc. 62 (1967)
626): a bound, which is sharp for independent trials and conservative for the overlapping cells of a lattice.

Which tail is meant is always said: ``two_sided`` has no default.

Examples
--------
A local 4.69 sigma among 1000 independent trials is a global 3 sigma:

>>> p_local = local_p(p_from_z(3.0, two_sided=False), 1000)
>>> round(z_from_p(p_local, two_sided=False), 2)
4.69
>>> sidak(1e-30, 10_000)
1e-26
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from scipy import special

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks
from coffea_ddp.stats.conversion import shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray

P_FLOOR = float(np.finfo(np.float64).tiny)
"""No p-value is reported below the smallest normal double, 2.2e-308 (|z| = 37.5): never 0."""

_LOG_TINY = -40.0
"""Below this logarithm, x and log(1 + x) agree to double precision."""


@overload
def sidak(p: float, trials: float) -> float: ...
@overload
def sidak(p: ArrayLike, trials: ArrayLike) -> Any: ...
def sidak(p: ArrayLike, trials: ArrayLike) -> Any:
    """Return the bound on the global p-value, ``1 - (1 - p)^trials``.

    Parameters
    ----------
    p
        Local p-values in [0, 1], any shape.
    trials
        Number of trials, 1 or more (not necessarily whole: an effective number is fine): one, or of a shape that goes
        with that of ``p``.

    Returns
    -------
    float or ndarray
        As ``p``; exact also where ``1 - p`` rounds to 1.

    Raises
    ------
    InputError
        If a p-value is outside [0, 1] or NaN, ``trials < 1``, or shapes do not go together.

    Examples
    --------
    >>> round(sidak(0.01, 10), 5)
    0.09562
    """
    local = _probabilities(p, "p")
    n_trials = _trials(trials, local)
    with np.errstate(divide="ignore"):
        return _number_or_array(-np.expm1(n_trials * np.log1p(-local)))


@overload
def local_p(p_global: float, trials: float) -> float: ...
@overload
def local_p(p_global: ArrayLike, trials: ArrayLike) -> Any: ...
def local_p(p_global: ArrayLike, trials: ArrayLike) -> Any:
    """Return the local p-value that gives a given global one for this number of trials: the inverse of :func:`sidak`.

    Raises
    ------
    InputError
        If a p-value is outside [0, 1] or NaN, ``trials < 1``, or shapes do not go together.

    Examples
    --------
    >>> round(local_p(0.05, 10), 6)
    0.005116
    """
    probability = _probabilities(p_global, "p_global")
    n_trials = _trials(trials, probability)
    with np.errstate(divide="ignore"):
        return _number_or_array(-np.expm1(np.log1p(-probability) / n_trials))


@overload
def sidak_z(z: float, trials: float, *, two_sided: bool = True) -> float: ...
@overload
def sidak_z(z: ArrayLike, trials: ArrayLike, *, two_sided: bool = True) -> Any: ...
def sidak_z(z: ArrayLike, trials: ArrayLike, *, two_sided: bool = True) -> Any:
    """Return the global z of local z values for a number of trials.

    The same as :func:`sidak` between :func:`p_from_z` and :func:`z_from_p`, but in logarithms: it does not
    saturate where the p-value underflows.

    Parameters
    ----------
    z
        Signed local z values, any shape; NaN stays NaN.
    trials
        Number of trials, 1 or more: one, or of a shape that goes with that of ``z``.
    two_sided
        Which p-values z stands for, as for :func:`p_from_z`; z of both kinds in, z of the same kind out.

    Returns
    -------
    float or ndarray
        As ``z``. Two-sided: with its sign, ``abs`` never larger than that of ``z``, 0 where the global p-value is 1.
        One-sided: never larger than ``z``, -inf where the global p-value is 1.

    Raises
    ------
    InputError
        If ``trials < 1``, or shapes do not go together.

    Examples
    --------
    >>> round(sidak_z(-5.0, 1000), 3), round(sidak_z(100.0, 1000), 2)
    (-3.444, 99.93)
    >>> round(sidak_z(5.0, 1000, two_sided=False), 3)
    3.444
    >>> sidak_z([4.0, 5.0], [1, 1000]).round(3)
    array([4.   , 3.444])
    """
    local, two_sided = checks.numbers(z, "z", nan=True, infinite=True), checks.flag(two_sided, "two_sided")
    log_p = np.log(2.0) + special.log_ndtr(-np.abs(local)) if two_sided else special.log_ndtr(-local)
    with np.errstate(divide="ignore", over="ignore"):
        # log(-log(1 - p)), then log(1 - (1 - p)^trials); both are the identity for small arguments.
        log_rate = np.where(log_p < _LOG_TINY, log_p, np.log(-np.log1p(-np.exp(np.minimum(log_p, 0.0)))))
        log_rate = log_rate + np.log(_trials(trials, local))
        log_global = np.where(log_rate < _LOG_TINY, log_rate, np.log(-np.expm1(-np.exp(log_rate))))
    if not two_sided:
        return _number_or_array(np.minimum(-special.ndtri_exp(np.minimum(log_global, 0.0)), local) + 0.0)
    size = np.maximum(0.0, -special.ndtri_exp(log_global - np.log(2.0)))
    # Rounding must not make the global z larger than the local one.
    return _number_or_array(np.copysign(np.minimum(size, np.abs(local)), local) + 0.0)


@overload
def p_from_z(z: float, *, two_sided: bool) -> float: ...
@overload
def p_from_z(z: ArrayLike, *, two_sided: bool) -> Any: ...
def p_from_z(z: ArrayLike, *, two_sided: bool) -> Any:
    """Return the tail probability of a standard normal.

    Parameters
    ----------
    z
        Any shape; NaN stays NaN.
    two_sided
        ``True``: ``P(abs(Z) >= abs(z))``; ``False``: ``P(Z >= z)``.

    Returns
    -------
    float or ndarray
        As ``z``, never below :data:`P_FLOOR`.

    Examples
    --------
    >>> round(p_from_z(-2.0, two_sided=True), 4), round(p_from_z(2.0, two_sided=False), 4)
    (0.0455, 0.0228)
    """
    values = checks.numbers(z, "z", nan=True, infinite=True)
    tail = 2.0 * special.ndtr(-np.abs(values)) if checks.flag(two_sided, "two_sided") else special.ndtr(-values)
    return _number_or_array(np.maximum(tail, P_FLOOR))


@overload
def z_from_p(p: float, *, two_sided: bool) -> float: ...
@overload
def z_from_p(p: ArrayLike, *, two_sided: bool) -> Any: ...
def z_from_p(p: ArrayLike, *, two_sided: bool) -> Any:
    """Return the normal quantile of a p-value: the inverse of :func:`p_from_z`.

    Parameters
    ----------
    p
        Above 0 and at most 1, any shape.
    two_sided
        ``True``: z >= 0 with ``P(abs(Z) >= z) = p``; ``False``: ``P(Z >= z) = p``, negative for p > 1/2, -inf at 1.

    Raises
    ------
    InputError
        If a p-value is 0 (a p-value is never 0), outside [0, 1] or NaN.

    Examples
    --------
    >>> round(z_from_p(0.0455, two_sided=True), 2), round(z_from_p(2.87e-7, two_sided=False), 2)
    (2.0, 5.0)
    """
    probability = _probabilities(p, "p")
    if not (probability > 0).all():
        raise InputError("p=0 has no z; a p-value is never 0: give the smallest one that the method resolves")
    # "+ 0.0" turns the -0.0 of p = 1 into 0.
    half = 0.5 if checks.flag(two_sided, "two_sided") else 1.0
    return _number_or_array(-special.ndtri(half * probability) + 0.0)


def bound(n: int) -> str:
    """Return what p is below when none of n pseudo-experiments reaches the observed value, rounded up to two digits.

    Examples
    --------
    >>> bound(100), bound(1000), bound(12)
    ('< 0.01', '< 0.001', '< 0.077')
    """
    p = 1.0 / (n + 1)
    step = 10.0 ** (math.floor(math.log10(p)) - 1)
    return f"< {math.ceil(p / step - 1e-9) * step:.2g}"


def _probabilities(p: ArrayLike, name: str) -> FloatArray:
    values = checks.numbers(p, name, nan=True, infinite=True)
    if not ((values >= 0) & (values <= 1)).all():
        raise InputError(f"{name}={shown(p)}: give probabilities, between 0 and 1")
    return values


def _trials(trials: ArrayLike, local: FloatArray) -> FloatArray:
    """Return numbers of trials whose shape goes with that of local values."""
    found = checks.numbers(trials, "trials", nan=True, infinite=True)
    if np.ndim(found) == 0:
        return np.asarray(checks.number(trials, "trials", low=1.0))
    wrong = ~(np.isfinite(found) & (found >= 1.0))
    if wrong.any():
        raise InputError(f"trials: {found[wrong][0]:g}; expected numbers, each 1 or more")
    try:
        np.broadcast_shapes(found.shape, local.shape)
    except ValueError as error:
        raise InputError(
            f"trials: {found.shape} numbers for values of shape {local.shape}; give one, or one for each value"
        ) from error
    return found


def _number_or_array(values: Any) -> Any:
    """Return a float in place of an array of no dimensions."""
    return float(values) if np.ndim(values) == 0 else values


def holm(p: ArrayLike) -> FloatArray:
    """Return Holm's adjusted p-values: the smallest level of all tests together at which each would be rejected.

    Parameters
    ----------
    p
        Of every test, between 0 and 1; shape (n,).

    Returns
    -------
    ndarray
        Shape (n,). The probability that any true null has one of ``alpha`` or less is at most ``alpha``, however the
        tests depend on one another; none is larger than Bonferroni's ``n p``.

    Raises
    ------
    InputError
        If the p-values are no list of numbers between 0 and 1.

    Notes
    -----
    S. Holm, Scand. J. Stat. 6 (1979) 65.

    Examples
    --------
    >>> holm([0.001, 0.2]).tolist()
    [0.002, 0.2]
    """
    given = _probabilities(p, "p")
    if given.ndim != 1:
        raise InputError(f"p has the shape {given.shape}; give a list of p-values, one of each test")
    order = np.argsort(given, kind="stable")
    stepped = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    found = np.empty(len(given))
    found[order] = np.minimum(stepped, 1.0)
    return found
