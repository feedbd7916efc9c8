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
>>> (fitted,) = profiled_together([(np.round(expected), np.ones(100), [Peak(40.0, 2.0)])])
>>> [(round(one.place, 1), round(one.sigma, 1)) for one in fitted.peaks]
[(40.3, 2.0)]
>>> bool(abs(fitted.rest[40] / (1e3 * np.exp(-0.8)) - 1.0) < 0.1), fitted.closed.nonzero()[0][[0, -1]].tolist()
(True, [35, 46])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats.bumphunt.peak_fits import BRIGHT, Window, fit_peaks
from coffea_ddp.stats.bumphunt.peak_shape import Peak

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray
    from coffea_ddp.stats.bumphunt.peak_fits import FittedWindow

REACH = 12.0
"""Peaks and backgrounds are fitted, and taken out, within this number of sigma around a peak."""
_SEEN = 0.5
"""Nothing is seen beside peaks that are more than this part of the background."""


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


def profiled_together(spectra: Sequence[tuple[FloatArray, FloatArray, Sequence[Peak]]]) -> list[Profiled]:
    """Return the peaks of several spectra as fitted, all of those of one that are in reach of each other together.

    Parameters
    ----------
    spectra
        Counts and ``use``, which is 0 in masked bins, of each, shape (n_bins,); and where its peaks are, and how wide,
        about.
    """
    reaches = [[_reach(len(counts), peaks, group) for group in _groups(peaks)] for counts, _, peaks in spectra]
    windows = [
        Window(counts[reach.bins], use[reach.bins], tuple(peaks[i] for i in reach.peaks), reach.bins.start)
        for (counts, use, peaks), of_one in zip(spectra, reaches, strict=True)
        for reach in of_one
    ]
    fitted = iter(fit_peaks(windows))
    return [
        _taken_out(*one, [(reach, next(fitted)) for reach in of_one])
        for one, of_one in zip(spectra, reaches, strict=True)
    ]


class _Reach(NamedTuple):
    """Numbers of peaks that are fitted together, ordered by place, and the bins in their reach."""

    peaks: list[int]
    bins: slice


def _reach(n_bins: int, peaks: Sequence[Peak], group: list[int]) -> _Reach:
    first = max(int(min(peaks[i].place - REACH * peaks[i].sigma for i in group)), 0)
    stop = min(int(np.ceil(max(peaks[i].place + REACH * peaks[i].sigma for i in group))) + 1, n_bins)
    return _Reach(group, slice(first, stop))


def _taken_out(
    counts: FloatArray, use: FloatArray, peaks: Sequence[Peak], fitted: Sequence[tuple[_Reach, FittedWindow]]
) -> Profiled:
    """Return a spectrum without its peaks."""
    rest, closed = np.array(counts, dtype=np.float64), np.zeros(len(counts), dtype=bool)
    found, scale = list(peaks), [1.0] * len(peaks)
    for (group, around), (of_group, b, s) in fitted:
        hidden = s > _SEEN * b
        without = np.where(hidden, b, counts[around] * b / (b + s))
        outermost = [
            peaks[group[0]].sigma if around.start > 0 else 0.0,
            peaks[group[-1]].sigma if around.stop < len(counts) else 0.0,
        ]
        rest[around] += _faded(around.stop - around.start, *outermost) * (without - rest[around])
        closed[around] |= hidden
        for i, one in zip(group, of_group, strict=True):
            found[i], scale[i] = one, _scale(counts[around], use[around], b + s, 2 + 5 * len(group))
    return Profiled(tuple(found), rest, closed, tuple(scale))


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
    pulls = use * 2.0 * (np.sqrt(counts + BRIGHT) - np.sqrt(expected + BRIGHT))
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
