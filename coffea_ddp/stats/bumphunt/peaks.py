"""Peaks that were found, taken out of a spectrum, their shape profiled, so that others can be searched beside them.

A peak is a Gaussian with a power-law tail on either side (a double-sided Crystal Ball), as resonances in data are:
their tails come of radiation and of badly measured events. Peaks s and a local background ``b = exp(polynomial)`` are
fitted together to the counts n. Where the peaks are less than half of the background, ``n b / (b + s)`` is left: its
mean is b, and its variance less than that of counts, so that chance has less to play with there, and a signal, too.
Where they are more, their shape is not known well enough to see anything beside them: b itself is left, and nothing is
claimed. Towards the ends of their reach less and less is taken out, so that what is left has no step there.

Examples
--------
>>> x = np.arange(100)
>>> expected = 1e3 * np.exp(-x / 50.0) + 2e4 * np.exp(-0.5 * ((x - 40.3) / 2.0) ** 2)
>>> fitted = profiled(np.round(expected), np.ones(100), [Peak(40.0, 2.0)])
>>> [(round(one.place, 1), round(one.sigma, 1)) for one in fitted.peaks]
[(40.3, 2.0)]
>>> bool(abs(fitted.rest[40] / (1e3 * np.exp(-0.8)) - 1.0) < 0.1), fitted.closed.nonzero()[0][[0, -1]].tolist()
(True, [35, 46])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import least_squares

from coffea_ddp.stats.bumphunt.fits.loglinear import HIGHEST, LOWEST, Polynomials, exponential, fit, legendre, start

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray

    _Fitted = tuple[list["Peak"], FloatArray, FloatArray]

REACH = 12.0
"""Peaks and backgrounds are fitted, and taken out, within this number of sigma around a peak."""
_ORDERS = (2, 3, 4, 5)
"""Numbers of terms of the local background."""
_POWER = 2.0
"""The power of the tails: that of a Breit-Wigner, and about that of radiation."""
_MOVED, _WIDER, _TAILS = 2.0, (0.6, 1.8), (0.7, 5.0)
"""Bounds: of the place in sigma, of the width in that given, and of where tails begin in sigma."""
_BEGINS = 2.5
_SURE = 4.0
"""Tails are those of 2.5 sigma but for an improvement of the fit: the weight of that."""
_SEEN = 0.5
"""Nothing is seen beside peaks that are more than this part of the background."""
_BRIGHT = 0.375
"""Of the variance-stabilised residuals ``2 sqrt(n + 3/8)`` (Anscombe)."""


@dataclass(frozen=True)
class Peak:
    """A peak: a Gaussian with tails.

    Attributes
    ----------
    place, sigma
        Mean, as the number of a bin (fractions are between bins), and standard deviation in bins.
    left, right
        Where the tails begin, in sigma from the mean.
    events
        Number of events in it.
    """

    place: float
    sigma: float
    left: float = _BEGINS
    right: float = _BEGINS
    events: float = 0.0

    def shape(self, bins: FloatArray) -> FloatArray:
        """Return the share of its events in each bin, which adds up to 1 over the bins; shape of ``bins``."""
        return self.slopes(bins)[0]

    def slopes(self, bins: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return its shape, and the derivatives of that by place, log sigma, 1/left and 1/right; shape (4, n_bins)."""
        t = (bins - self.place) / self.sigma
        right = t >= 0.0
        log, by_t, by_tail = _half(np.abs(t), np.where(right, self.right, self.left))
        by_t = np.where(right, by_t, -by_t)
        share = np.exp(log - log.max())
        share /= share.sum()
        log_slopes = np.array([
            -by_t / self.sigma, -by_t * t, np.where(right, 0.0, -(self.left**2)) * by_tail,
            np.where(right, -(self.right**2), 0.0) * by_tail,
        ])  # fmt: skip
        return share, share * (log_slopes - (log_slopes @ share)[:, None])


@dataclass(frozen=True, eq=False)
class Profiled:
    """Peaks and what is left of a spectrum without them.

    Attributes
    ----------
    peaks
        In the order given, as fitted.
    rest
        Counts without the peaks, shape (n_bins,); those of the spectrum outside of their reach.
    closed
        Where the peaks hide whatever else there is, shape (n_bins,).
    scale
        For each peak, by how much the pulls around it are larger than those of chance: the square root of chi2 over the
        degrees of freedom, 1 or more. What is found beside peaks of an unknown shape is less significant by that.
    """

    peaks: tuple[Peak, ...]
    rest: FloatArray
    closed: BoolArray
    scale: tuple[float, ...]


def profiled(counts: FloatArray, use: FloatArray, peaks: Sequence[Peak]) -> Profiled:
    """Return peaks as fitted to a spectrum, all of those in reach of each other together.

    Parameters
    ----------
    counts, use
        Shape (n_bins,); ``use`` is 0 in masked bins.
    peaks
        Where they are, and how wide, about.
    """
    rest, closed = np.array(counts, dtype=np.float64), np.zeros(len(counts), dtype=bool)
    fitted, scale = list(peaks), [1.0] * len(peaks)
    for group in _groups(peaks):
        first = max(int(min(peaks[i].place - REACH * peaks[i].sigma for i in group)), 0)
        stop = min(int(np.ceil(max(peaks[i].place + REACH * peaks[i].sigma for i in group))) + 1, len(counts))
        around = slice(first, stop)
        found, b, s = _together(counts[around], use[around], [peaks[i] for i in group], first)
        hidden = s > _SEEN * b
        without = np.where(hidden, b, counts[around] * b / (b + s))
        outermost = [peaks[group[0]].sigma if first > 0 else 0.0, peaks[group[-1]].sigma if stop < len(counts) else 0.0]
        rest[around] += _faded(stop - first, *outermost) * (without - rest[around])
        closed[around] |= hidden
        for i, one in zip(group, found, strict=True):
            fitted[i], scale[i] = one, _scale(counts[around], use[around], b + s, 2 + 5 * len(group))
    return Profiled(tuple(fitted), rest, closed, tuple(scale))


def _faded(n_bins: int, left: float, right: float) -> FloatArray:
    """Return which part of the tails is taken out of every bin of a range: 1 but for half the reach at its ends.

    What ends all at once is a step that nobody put there; what is left of a tail there is as smooth as a background.

    Parameters
    ----------
    n_bins
        Length of the range.
    left, right
        Widths of the first and the last peak; 0: the spectrum ends there, too.
    """
    bins = np.arange(n_bins) + 0.5
    inside = [np.clip(bins / max(0.5 * REACH * left, 1e-9), 0.0, 1.0),
              np.clip((n_bins - bins) / max(0.5 * REACH * right, 1e-9), 0.0, 1.0)]  # fmt: skip
    return np.asarray(np.prod([part**2 * (3.0 - 2.0 * part) for part in inside], axis=0))


def _scale(counts: FloatArray, use: FloatArray, expected: FloatArray, parameters: int) -> float:
    pulls = use * 2.0 * (np.sqrt(counts + _BRIGHT) - np.sqrt(expected + _BRIGHT))
    return float(np.sqrt(max((pulls**2).sum() / max(use.sum() - parameters, 5.0), 1.0)))


def _groups(peaks: Sequence[Peak]) -> list[list[int]]:
    """Return the numbers of peaks whose reaches overlap, together."""
    order = sorted(range(len(peaks)), key=lambda i: peaks[i].place)
    groups: list[list[int]] = []
    for i in order:
        before = groups[-1][-1] if groups else None
        reach = REACH * (peaks[i].sigma + (peaks[before].sigma if before is not None else 0.0))
        if before is not None and peaks[i].place - peaks[before].place < reach:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def _together(counts: FloatArray, use: FloatArray, peaks: Sequence[Peak], first: int) -> _Fitted:
    """Return the fitted peaks, the background and the sum of the peaks."""
    bins = np.arange(first, first + len(counts), dtype=np.float64)
    near = np.min([np.abs(bins - one.place) / one.sigma for one in peaks], axis=0)
    outside = use * (near > _BEGINS)
    basis, beta = _begin(counts, outside if outside.sum() >= 2 * _ORDERS[0] else use)
    terms = len(beta)
    over = np.maximum(counts - np.exp(np.clip(beta @ basis, LOWEST, HIGHEST)), 0.0) * use
    seen = 2.0 * np.sqrt(np.maximum(counts, 0.0) + _BRIGHT)

    def model(theta: FloatArray) -> _Fitted:
        found = [_peak(theta[terms + 5 * i : terms + 5 * i + 5]) for i in range(len(peaks))]
        b = np.exp(np.clip(theta[:terms] @ basis, LOWEST, HIGHEST))
        return found, b, np.sum([one.events * one.shape(bins) for one in found], axis=0)

    def residuals(theta: FloatArray) -> FloatArray:
        found, b, s = model(theta)
        tails = [_SURE * (1.0 / side - 1.0 / _BEGINS) for one in found for side in (one.left, one.right)]
        return np.append(use * (seen - 2.0 * np.sqrt(b + s + _BRIGHT)), tails)

    def slopes(theta: FloatArray) -> FloatArray:
        found, b, s = model(theta)
        out = np.zeros((len(bins) + 2 * len(peaks), len(theta)))
        out[: len(bins), :terms] = (b * basis).T
        for i, one in enumerate(found):
            share, by = one.slopes(bins)
            first = terms + 5 * i
            out[: len(bins), first : first + 5] = one.events * np.vstack([by, share]).T
            out[len(bins) + 2 * i : len(bins) + 2 * i + 2, first + 2 : first + 4] = _SURE * np.eye(2)
        out[: len(bins)] *= (-use / np.sqrt(b + s + _BRIGHT))[:, None]
        return out

    begin = [(float(value), -np.inf, np.inf) for value in beta]
    for one in peaks:
        height = np.log(max(float(over[np.abs(bins - one.place) < 2.0 * one.sigma].sum()), 1.0))
        begin += _bounds(one, _top(over, bins, one), height)
    x0, low, high = np.array(begin).T
    found = least_squares(
        residuals, x0, jac=slopes, bounds=(low, high), x_scale="jac", max_nfev=40, ftol=1e-6, xtol=1e-6
    )
    return model(found.x)


def _begin(counts: FloatArray, outside: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return polynomials, shape (terms, n_bins), as many as the BIC has, and their coefficients outside of peaks."""
    n, used = np.array(counts, dtype=np.float64)[None], np.array(outside, dtype=np.float64)[None]
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


def _top(over: FloatArray, bins: FloatArray, one: Peak) -> float:
    """Return where the excess around a peak is the largest, smoothed by its width."""
    near = bins[np.abs(bins - one.place) <= _MOVED * one.sigma]
    kernel = np.exp(-0.5 * ((near[:, None] - bins) / one.sigma) ** 2)
    return float(near[(kernel @ over / kernel.sum(axis=1)).argmax()]) if len(near) else one.place


def _bounds(one: Peak, place: float, height: float) -> list[tuple[float, float, float]]:
    """Return where the parameters of a peak begin, and between what they stay."""
    log_sigma, inverse = np.log(one.sigma), (1.0 / _TAILS[1], 1.0 / _TAILS[0])
    return [
        (place, one.place - (_MOVED + 1.0) * one.sigma, one.place + (_MOVED + 1.0) * one.sigma),
        (log_sigma, log_sigma + np.log(_WIDER[0]), log_sigma + np.log(_WIDER[1])),
        (1.0 / _BEGINS, *inverse),
        (1.0 / _BEGINS, *inverse),
        (height, -5.0, max(height, 0.0) + 5.0),
    ]


def _peak(theta: FloatArray) -> Peak:
    place, log_sigma, left, right, height = theta.tolist()
    return Peak(place, float(np.exp(log_sigma)), 1.0 / left, 1.0 / right, float(np.exp(height)))


def _half(t: FloatArray, tail: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the logarithm of a Crystal Ball at t >= 0, whose tail begins at ``tail``, and its slopes by t and tail."""
    beyond = np.maximum(t - tail, 0.0)
    core, falling = beyond == 0.0, 1.0 + tail / _POWER * beyond
    log = np.where(core, -0.5 * t**2, -0.5 * tail**2 - _POWER * np.log(falling))
    by_tail = np.where(core, 0.0, -tail - (t - 2.0 * tail) / falling)
    return log, np.where(core, -t, -tail / falling), by_tail
