"""Checks that the contents of a spectrum are Poisson counts: common factors, the scatter between neighbours, weights.

A significance rests on the errors of the contents. Those of counts are known; of contents that were scaled, smoothed or
given per GeV they are not, unless variances come with them. Three checks find most of such spectra:

- contents that are all multiples of one number were multiplied by it: :func:`common_factor`;
- neighbours that scatter more, or less, than Poisson counts do: :func:`poisson_dispersion`;
- variances belong to the contents: :func:`effective_counts` makes counts of both.

Examples
--------
>>> counts = np.random.default_rng(2).poisson(5e3 * np.exp(-np.arange(60) / 20.0))
>>> common_factor(counts), common_factor(10 * counts)
(1, 10)
>>> poisson_dispersion(counts).verdict, poisson_dispersion(np.rint(8.3 * counts)).verdict
('', 'OVERDISPERSED')
>>> effective_counts(0.1 * counts, 0.01 * counts)[:3] == counts[:3]
array([ True,  True,  True])
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.effective import are_variances, effective
from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray, IntArray

OVERDISPERSED, UNDERDISPERSED = "OVERDISPERSED", "UNDERDISPERSED"
"""Flags of spectra whose neighbouring bins scatter more, or less, than Poisson counts."""
LIKELY = 1e-6
"""A common factor whose probability among Poisson counts is below this one is no accident."""
_LARGEST = 2.0**62
_LEAST, _WINDOWS = 10.0, 8
"""The smallest count whose logarithm is taken, and the smallest number of windows for a verdict."""
_KEPT = 0.75
"""The part of the windows that enters: the largest are left out, where resonances and edges are."""
_KEPT_MEAN = 0.368524
"""Mean of the smallest three quarters of chi-squared values with one degree of freedom."""
_SPREAD, _ABOVE, _BELOW = 2.75, 3.5, 4.5
"""Standard deviation of the logarithm of the ratio, times ``sqrt(n_windows)``; limits of a verdict in units of it."""


@dataclass(frozen=True)
class DispersionResult:
    """The scatter of a spectrum's neighbouring bins, compared with that of Poisson counts.

    Attributes
    ----------
    ratio
        Variance of the scatter over that of Poisson counts: about 1; NaN where there are fewer than 8 windows.
    n_windows
        Windows of five neighbouring bins that hold 10 counts or more each.
    verdict
        ``"OVERDISPERSED"``, ``"UNDERDISPERSED"``, or empty. Of true Poisson spectra less than 1 in 1,000 has one.

    Examples
    --------
    >>> DispersionResult(1.02, 12, "").ratio
    1.02
    """

    ratio: float
    n_windows: int
    verdict: str


def poisson_dispersion(counts: ArrayLike) -> DispersionResult:
    """Scatter of the neighbouring bins of a spectrum, compared with that of Poisson counts.

    Fourth differences of the logarithms, which vanish for smooth spectra, in units of their Poisson errors: the mean of
    the smallest three quarters of their squares, over its expectation. An excess must show in sixth differences too.

    Parameters
    ----------
    counts
        Contents in the order of the axis, shape (n_bins,).

    Raises
    ------
    InputError
        If they are not numbers, not finite, negative, not one-dimensional, or none.

    Examples
    --------
    >>> poisson_dispersion(np.full(30, 100.0)).verdict
    'UNDERDISPERSED'
    """
    ((ratio,), (windows,)), (verdict,) = _verdicts(_one_spectrum(counts)[None])
    return DispersionResult(float(ratio), int(windows), verdict)


def _verdicts(counts: FloatArray) -> tuple[tuple[FloatArray, IntArray], list[str]]:
    """Return the ratios of variances and the numbers of windows of spectra, shape (n_spectra,), and the verdicts."""
    ratio, windows = _scatter(counts, 4)
    enough = windows >= _WINDOWS
    ratio = np.where(enough, ratio, np.nan)
    with np.errstate(divide="ignore"):
        unit = _SPREAD / np.sqrt(windows)
    over = enough & (ratio > np.exp(_ABOVE * unit))
    over[over] &= _scatter(counts[over], 6)[0] > np.exp(_ABOVE * unit[over])
    under = enough & (ratio < np.exp(-_BELOW * unit))
    words = np.where(over, OVERDISPERSED, np.where(under, UNDERDISPERSED, ""))
    return (ratio, windows), words.tolist()


def _one_spectrum(counts: ArrayLike) -> FloatArray:
    values = checks.positive(counts, "counts")
    if values.ndim != 1 or not len(values):
        raise InputError(f"counts: shape {values.shape}; give one spectrum, of shape (n_bins,), one bin or more")
    return values


def _scatter(counts: FloatArray, order: int) -> tuple[FloatArray, IntArray]:
    """Return the ratios of variances from differences of an order, and the numbers of windows; shape (n_spectra,).

    Ratios are NaN where there is no window.
    """
    if counts.shape[1] <= order:
        return np.full(len(counts), np.nan), np.zeros(len(counts), dtype=np.int64)
    usable = counts >= _LEAST
    safe = np.where(usable, counts, 1.0)
    difference = np.array([(-1.0) ** j * comb(order, j) for j in range(order + 1)])
    inside = np.lib.stride_tricks.sliding_window_view(usable, order + 1, axis=1).all(axis=2)
    pulls = np.lib.stride_tricks.sliding_window_view(np.log(safe), order + 1, axis=1) @ difference
    variances = np.lib.stride_tricks.sliding_window_view(1.0 / safe, order + 1, axis=1) @ difference**2
    squares = np.sort(np.where(inside, pulls**2 / variances, np.inf), axis=1)
    windows = inside.sum(axis=1)
    kept = np.ceil(_KEPT * windows).astype(np.int64)
    total = np.where(np.arange(squares.shape[1]) < kept[:, None], squares, 0.0).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return total / kept / _KEPT_MEAN, windows


def common_factor(counts: ArrayLike) -> int:
    """Whole number that all contents are multiples of; 1 where Poisson counts may be so by accident.

    The probability that Poisson counts which are not 0 are all multiples of g is below
    ``(1/g + 1/sqrt(2 pi g))^n`` for n of them, and below ``2^-n``, whatever they expect: a factor
    is reported where this is below 1e-6.

    Parameters
    ----------
    counts
        Contents, shape (n_bins,); fractional ones have no factor.

    Raises
    ------
    InputError
        If they are not numbers, not finite, negative, not one-dimensional, or none.

    Examples
    --------
    >>> common_factor(3 * np.arange(40, 90))
    3
    """
    return common_factors(_one_spectrum(counts)[None])[0]


def common_factors(counts: FloatArray) -> list[int]:
    """Return the common factor of each of several spectra, shape (n_spectra, n_bins); 1 where it may be an accident."""
    whole = (counts == np.rint(counts)).all(axis=1) & (counts.max(axis=1) < _LARGEST)
    factors = np.gcd.reduce(np.where(whole[:, None], counts, 1.0).astype(np.int64), axis=1)
    filled = np.count_nonzero(counts, axis=1)
    return [
        factor if factor > 1 and _by_accident(factor) ** number < LIKELY else 1
        for factor, number in zip(factors.tolist(), filled.tolist(), strict=True)
    ]


def scatter_flags(counts: FloatArray) -> list[tuple[str, ...]]:
    """Return what shows that contents of spectra, shape (n_spectra, n_bins), are no Poisson counts: words for each.

    Examples
    --------
    >>> scatter_flags(np.array([[100.0] * 30, [0.5] * 30]))
    [('SCALED', 'UNDERDISPERSED'), ('NOT_COUNTS',)]
    """
    _, verdicts = _verdicts(counts)
    broken, factors = (counts != np.rint(counts)).any(axis=1).tolist(), common_factors(counts)
    return [
        (*("NOT_COUNTS",) * fractional, *("SCALED",) * (factor > 1), *(verdict,) * bool(verdict))
        for fractional, factor, verdict in zip(broken, factors, verdicts, strict=True)
    ]


@cache
def _by_accident(factor: int) -> float:
    """Return a bound on the probability that a Poisson count which is not 0 is a multiple of a number."""
    return float(min(0.5, 1.0 / factor + 1.0 / np.sqrt(2.0 * np.pi * factor)))


def effective_counts(contents: ArrayLike, variances: ArrayLike, widths: ArrayLike | None = None) -> FloatArray:
    """Whole numbers with the relative errors of weighted contents: ``round(contents^2 / variances)``.

    Where one factor explains all variances to a per cent, ``variances = f contents`` or, with ``widths``, ``variances =
    f contents / widths`` as of a density, it is taken in place of each bin's own: the rounding of printed errors, which
    would scatter the counts, does not enter.

    Parameters
    ----------
    contents, variances
        Sums of weights (or a scaled spectrum) and their variances, of one shape (..., n_bins).
    widths
        Of the bins, shape (n_bins,).

    Returns
    -------
    ndarray
        The shape of the contents; 0 where contents are 0 or negative.

    Raises
    ------
    InputError
        If shapes differ, something is not finite, or a variance is negative, or 0 beside a content.

    Examples
    --------
    >>> effective_counts([1.5, 2.0, 0.0], [0.75, 1.0, 0.0])
    array([3., 4., 0.])
    """
    values, squares = checks.finite(contents, "contents"), checks.finite(variances, "variances")
    if values.shape != squares.shape or not values.ndim:
        raise InputError(f"variances: shape {squares.shape} for contents of shape {values.shape}; give one a bin")
    if not values.shape[-1]:
        raise InputError("contents: there are no bins; give the contents of one spectrum or more, shape (..., n_bins)")
    for name, array in (("contents", values), ("variances", squares)):
        if ((array != 0) & (np.abs(array) < checks.SMALLEST)).any():
            raise InputError(f"{name} below {checks.SMALLEST:g} in size: give them in a smaller unit")
    if not are_variances(values, squares):
        raise InputError("variances: negative, or 0 where the content is not; give the squares of the bins' errors")
    bins = None if widths is None else checks.finite(widths, "widths")
    if bins is not None and (bins.shape != values.shape[-1:] or not (bins > 0).all()):
        raise InputError(f"widths: shape {bins.shape} for {values.shape[-1]} bins; give a positive width for each")
    flat, flat_squares = (array.reshape(-1, values.shape[-1]) for array in (values, squares))
    rows = [effective(row, square, bins) for row, square in zip(flat, flat_squares, strict=True)]
    return np.asarray(rows, dtype=np.float64).reshape(values.shape)
