"""Fits of peaks and a local background ``exp(polynomial)`` to counts: those of many spectra together.

Examples
--------
>>> x = np.arange(60)
>>> expected = 500.0 * np.exp(-x / 50.0) + 800.0 * np.exp(-0.5 * ((x - 30.2) / 2.0) ** 2)
>>> (fitted,) = fit_peaks([Window(np.round(expected), np.ones(60), (Peak(31.0, 2.4),), 0)])
>>> round(fitted.peaks[0].place, 1), round(fitted.peaks[0].sigma, 1), int(fitted.background[30])
(30.2, 2.0, 273)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats.bumphunt.fits.least_squares import least_squares
from coffea_ddp.stats.bumphunt.fits.loglinear import HIGHEST, LOWEST, Polynomials, exponential, fit, legendre, start
from coffea_ddp.stats.bumphunt.peak_shape import BEGINS, Peak, shares

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray

BRIGHT = 0.375
"""Of the variance-stabilised residuals ``2 sqrt(n + 3/8)`` (Anscombe)."""
_ORDERS = (2, 3, 4, 5)
"""Numbers of terms of the local background."""
_TERMS, _OF_PEAK = _ORDERS[-1], 5
_MOVED, _WIDER, _TAILS = 2.0, (0.6, 1.8), (0.7, 5.0)
"""Bounds: of the place in sigma, of the width in that given, and of where tails begin in sigma."""
_SURE = 4.0
"""Tails are those of 2.5 sigma but for an improvement of the fit: the weight of that."""
_BINS = 32
"""Windows are filled up to a multiple of this, with bins that count for nothing, so that many are of one length."""
_CLOSE, _MOST = 1e-8, 100
"""The end of a fit: the gain of a step, and the number of steps."""
_AT_ONCE = 128
"""Windows that are fitted together: their arrays stay in the cache."""


@dataclass(frozen=True, eq=False)
class Window:
    """A window of a spectrum with peaks.

    Attributes
    ----------
    counts, use
        Counts, and 0 for masked bins; shape (n_bins,).
    peaks
        Where they are, and how wide, about; places are numbers of bins of the spectrum.
    first
        The number of the first bin of the window in the spectrum.
    """

    counts: FloatArray
    use: FloatArray
    peaks: tuple[Peak, ...]
    first: int

    @property
    def bins(self) -> FloatArray:
        """Numbers of the bins, shape (n_bins,)."""
        return np.arange(self.first, self.first + len(self.counts), dtype=np.float64)


class FittedWindow(NamedTuple):
    """Peaks of a window as fitted, the background and the sum of the peaks; shape (n_bins,)."""

    peaks: tuple[Peak, ...]
    background: FloatArray
    signal: FloatArray


def fit_peaks(windows: Sequence[Window]) -> list[FittedWindow]:
    """Return the fits of all windows, in their order; none depends on the others.

    Parameters
    ----------
    windows
        Of any length, with any number of peaks, one at least.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    for number, one in enumerate(windows):
        groups.setdefault((-(-len(one.counts) // _BINS) * _BINS, len(one.peaks)), []).append(number)
    found: dict[int, FittedWindow] = {}
    for (n_bins, _), numbers in groups.items():
        for first in range(0, len(numbers), _AT_ONCE):
            some = numbers[first : first + _AT_ONCE]
            found.update(zip(some, _fit([windows[number] for number in some], n_bins), strict=True))
    return [found[number] for number in range(len(windows))]


class _Filled(NamedTuple):
    """Windows of one number of peaks, filled up to one length; shape (n_windows, n_bins) each.

    ``basis`` has polynomials, 0 beyond those that a window has; shape (n_windows, terms, n_bins).
    """

    bins: FloatArray
    inside: FloatArray
    use: FloatArray
    seen: FloatArray
    basis: FloatArray

    def expected(self, theta: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return the background, then of each peak its events, their shares in bins and the slopes of these."""
        log_b = np.matmul(theta[:, None, :_TERMS], self.basis[rows])[:, 0]
        of_peaks = theta[:, _TERMS:].reshape(len(theta), -1, _OF_PEAK)
        place, log_sigma, left, right, height = np.moveaxis(of_peaks, -1, 0)
        share, slopes = shares(
            self.bins[rows, None], self.inside[rows, None] > 0.0, place, np.exp(log_sigma), 1.0 / left, 1.0 / right
        )  # fmt: skip
        return np.exp(np.clip(log_b, LOWEST, HIGHEST)), np.exp(height), share, slopes

    def model(self, theta: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return residuals and slopes for :func:`least_squares`; after those of bins the residuals of tails."""
        b, events, share, by = self.expected(theta, rows)
        n, n_peaks, n_bins = share.shape
        root = np.sqrt(b + (events[:, :, None] * share).sum(axis=1) + BRIGHT)
        use = self.use[rows]
        residuals, slopes = np.zeros((n, n_bins + 2 * n_peaks)), np.zeros((n, theta.shape[1], n_bins + 2 * n_peaks))
        residuals[:, :n_bins] = use * (self.seen[rows] - 2.0 * root)
        slopes[:, :_TERMS, :n_bins] = b[:, None] * self.basis[rows]
        of_peaks = events[:, :, None, None] * np.concatenate([by, share[:, :, None]], axis=2)
        slopes[:, _TERMS:, :n_bins] = of_peaks.reshape(n, -1, n_bins)
        slopes[:, :, :n_bins] *= (-use / root)[:, None]
        tails = np.add.outer(_TERMS + _OF_PEAK * np.arange(n_peaks), [2, 3]).ravel()
        at = n_bins + np.arange(2 * n_peaks)
        residuals[:, at] = _SURE * (theta[:, tails] - 1.0 / BEGINS)
        slopes[:, tails, at] = _SURE
        return residuals, slopes


def _fit(windows: Sequence[Window], n_bins: int) -> list[FittedWindow]:
    """Return the fits of windows of one number of peaks, filled up to one length."""
    n, n_parameters = len(windows), _TERMS + _OF_PEAK * len(windows[0].peaks)
    bins, inside, use, seen = np.zeros((4, n, n_bins))
    filled = _Filled(bins, inside, use, seen, np.zeros((n, _TERMS, n_bins)))
    begin, low, high = np.zeros((3, n, n_parameters))
    for i, one in enumerate(windows):
        length = len(one.counts)
        basis, beta = _begin(one)
        filled.bins[i] = one.first + np.arange(n_bins)
        filled.inside[i, :length], filled.use[i, :length] = 1.0, one.use
        filled.seen[i, :length] = 2.0 * np.sqrt(np.maximum(one.counts, 0.0) + BRIGHT)
        filled.basis[i, : len(basis), :length] = basis
        over = np.maximum(one.counts - np.exp(np.clip(beta @ basis, LOWEST, HIGHEST)), 0.0) * one.use
        bounds = [(float(value), -np.inf, np.inf) for value in beta]
        bounds += [(0.0, 0.0, 0.0)] * (_TERMS - len(beta))
        for peak in one.peaks:
            bounds += _bounds(peak, one.bins, over)
        begin[i], low[i], high[i] = np.array(bounds).T
    theta = least_squares(filled.model, begin, low, high, close=_CLOSE, most=_MOST)
    b, events, share, _ = filled.expected(theta, np.arange(n))
    s = (events[:, :, None] * share).sum(axis=1)
    return [
        FittedWindow(_peaks(theta[i]), b[i, : len(one.counts)], s[i, : len(one.counts)])
        for i, one in enumerate(windows)
    ]


def _begin(window: Window) -> tuple[FloatArray, FloatArray]:
    """Return polynomials, shape (terms, n_bins), as many as the BIC has, and their coefficients outside of peaks."""
    near = np.min([np.abs(window.bins - one.place) / one.sigma for one in window.peaks], axis=0)
    outside = window.use * (near > BEGINS)
    if outside.sum() < 2 * _ORDERS[0]:
        outside = window.use
    n, used = np.array(window.counts, dtype=np.float64)[None], np.array(outside, dtype=np.float64)[None]
    best, smallest = None, np.inf
    for terms in _ORDERS:
        if best is not None and outside.sum() < 2 * terms:
            break
        basis = legendre(n.shape[1], terms)
        polynomials = Polynomials(basis[None], np.full(terms, 1e-3), np.array([terms]))
        beta = start(n, used, polynomials)
        fit(n, used, polynomials, beta, 1e-6, 20)
        log_b, b = exponential(beta, polynomials.basis)
        criterion = -2.0 * float((used * (n * log_b - b)).sum()) + terms * np.log(outside.sum())
        if criterion < smallest:
            best, smallest = (basis, beta[0]), criterion
    assert best is not None
    return best


def _bounds(one: Peak, bins: FloatArray, over: FloatArray) -> list[tuple[float, float, float]]:
    """Return where the parameters of a peak begin, and between what they stay; ``over`` is beyond the background."""
    height = np.log(max(float(over[np.abs(bins - one.place) < 2.0 * one.sigma].sum()), 1.0))
    log_sigma, inverse = np.log(one.sigma), (1.0 / _TAILS[1], 1.0 / _TAILS[0])
    return [
        (_top(over, bins, one), one.place - (_MOVED + 1.0) * one.sigma, one.place + (_MOVED + 1.0) * one.sigma),
        (log_sigma, log_sigma + np.log(_WIDER[0]), log_sigma + np.log(_WIDER[1])),
        (1.0 / BEGINS, *inverse),
        (1.0 / BEGINS, *inverse),
        (height, -5.0, max(height, 0.0) + 5.0),
    ]


def _top(over: FloatArray, bins: FloatArray, one: Peak) -> float:
    """Return where the excess around a peak is the largest, smoothed by its width."""
    near = bins[np.abs(bins - one.place) <= _MOVED * one.sigma]
    kernel = np.exp(-0.5 * ((near[:, None] - bins) / one.sigma) ** 2)
    return float(near[(kernel @ over / kernel.sum(axis=1)).argmax()]) if len(near) else one.place


def _peaks(theta: FloatArray) -> tuple[Peak, ...]:
    found = theta[_TERMS:].reshape(-1, _OF_PEAK)
    return tuple(
        Peak(place, float(np.exp(log_sigma)), 1.0 / left, 1.0 / right, float(np.exp(height)))
        for place, log_sigma, left, right, height in found.tolist()
    )
