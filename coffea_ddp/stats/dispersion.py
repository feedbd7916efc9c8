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

    from coffea_ddp._typing import FloatArray

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
    values = _one_spectrum(counts)
    ratio, windows = _scatter(values, 4)
    if windows < _WINDOWS:
        return DispersionResult(np.nan, windows, "")
    unit = _SPREAD / np.sqrt(windows)
    if ratio < np.exp(-_BELOW * unit):
        return DispersionResult(ratio, windows, UNDERDISPERSED)
    smoothest = min(ratio, _scatter(values, 6)[0])
    return DispersionResult(ratio, windows, OVERDISPERSED if smoothest > np.exp(_ABOVE * unit) else "")


def _one_spectrum(counts: ArrayLike) -> FloatArray:
    values = checks.positive(counts, "counts")
    if values.ndim != 1 or not len(values):
        raise InputError(f"counts: shape {values.shape}; give one spectrum, of shape (n_bins,), one bin or more")
    return values


def _scatter(counts: FloatArray, order: int) -> tuple[float, int]:
    """Return the ratio of variances from differences of an order, NaN without any, and the number of windows."""
    if len(counts) <= order:
        return np.nan, 0
    usable = counts >= _LEAST
    safe = np.where(usable, counts, 1.0)
    difference = np.array([(-1.0) ** j * comb(order, j) for j in range(order + 1)])
    inside = np.lib.stride_tricks.sliding_window_view(usable, order + 1).all(axis=1)
    pulls = np.lib.stride_tricks.sliding_window_view(np.log(safe), order + 1)[inside] @ difference
    variances = np.lib.stride_tricks.sliding_window_view(1.0 / safe, order + 1)[inside] @ difference**2
    squares = np.sort(pulls**2 / variances)
    kept = squares[: int(np.ceil(_KEPT * len(squares)))]
    return float(kept.mean() / _KEPT_MEAN) if len(kept) else np.nan, len(squares)


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
    """
    values = _one_spectrum(counts)
    filled = values[values != 0]
    if not len(filled) or (filled != np.rint(filled)).any() or filled.max() >= _LARGEST:
        return 1
    factor = int(np.gcd.reduce(filled.astype(np.int64)))
    return factor if factor > 1 and _by_accident(factor) ** len(filled) < LIKELY else 1


def scatter_flags(counts: FloatArray) -> tuple[str, ...]:
    """Return what shows that the contents of one spectrum are no Poisson counts, as words; shape (n_bins,)."""
    verdict = poisson_dispersion(counts).verdict
    known = {
        "NOT_COUNTS": bool((counts != np.rint(counts)).any()),
        "SCALED": common_factor(counts) > 1,
        OVERDISPERSED: verdict == OVERDISPERSED,
        UNDERDISPERSED: verdict == UNDERDISPERSED,
    }
    return tuple(word for word, hit in known.items() if hit)


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
