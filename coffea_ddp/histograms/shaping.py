"""The shape that a cut gives to spectra: the largest bump in each before the cut and after it, and what the cut makes.

A cut on a score that knows the mass leaves a bump where there is no resonance. Of every window of a few bins the excess
is taken beyond the geometric mean of the windows beside it, as a straight line in the logarithm goes through them. What
a distribution has by itself, a turn-on or a peak, is in that before and after; the share of events that pass, in a
window and beside it, is that of the cut alone.

Examples
--------
>>> import numpy as np
>>> smooth = np.round(1e4 * np.exp(-np.arange(40) / 10.0))
>>> passing = smooth * np.where(abs(np.arange(40) - 15) < 2, 0.9, 0.3)
>>> [abs(round(largest_bump(counts).z, 1)) for counts in (smooth, passing)]
[0.0, 72.7]
>>> made_by_cut(smooth, passing)[1:]
(14, 17)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.histograms.cell_counts import CellCounts
    from coffea_ddp.histograms.histograms import Histograms

WIDTHS = (1, 2, 3, 4, 6)
"""Bins of the windows."""
LEAST = 20.0
"""Fewer events are not compared: in a window and those beside it together, or in each where shares are."""


class Bump(NamedTuple):
    """The largest excess of a histogram: z, and the bins of its window; NaN and none where too little is filled."""

    z: float
    first: int
    stop: int


@dataclass(frozen=True)
class CutShape:
    """The effect of a cut on one histogram.

    Attributes
    ----------
    name
        Of the spectrum, or of the symmetry and the observable, one axis of it.
    before, after
        Number of events.
    bump_before, bump_after
        The largest excess.
    made
        Where the share of events that pass differs most from that beside it.
    edges
        Where the windows of these three begin and end, in the unit of the axis: (low, high) each.
    """

    name: str
    before: float
    after: float
    bump_before: Bump
    bump_after: Bump
    made: Bump
    edges: tuple[tuple[float, float], ...]


def largest_bump(counts: FloatArray) -> Bump:
    """Return the window with the largest z beyond the geometric mean of the windows beside it, each as wide.

    Parameters
    ----------
    counts
        Shape (n_bins,); negative sums of weights count as none.
    """
    best = Bump(float("nan"), 0, 0)
    for width, (below, inside, above) in _windows(counts):
        mean = np.sqrt((below + 0.5) * (above + 0.5))
        z = (inside - mean) / np.sqrt(mean + 0.25 * mean**2 * (1.0 / (below + 0.5) + 1.0 / (above + 0.5)))
        z = np.where(below + inside + above >= LEAST, z, -np.inf)
        place = int(z.argmax())
        if np.isfinite(z[place]) and not z[place] <= best.z:
            best = Bump(float(z[place]), place + width, place + 2 * width)
    return best


def made_by_cut(counts: FloatArray, passing: FloatArray) -> Bump:
    """Return the window in which the share of events that pass differs most from the mean share beside it.

    Parameters
    ----------
    counts, passing
        All events, and those that pass; shape (n_bins,).

    Returns
    -------
    Bump
        With the z of the largest size: below 0 where fewer pass.
    """
    best = Bump(float("nan"), 0, 0)
    for (width, n), (_, k) in zip(_windows(counts), _windows(passing), strict=True):
        share = [(some + 0.5) / (all_of + 1.0) for some, all_of in zip(np.minimum(k, n), n, strict=True)]
        variance = [one * (1.0 - one) / (all_of + 1.0) for one, all_of in zip(share, n, strict=True)]
        difference = share[1] - 0.5 * (share[0] + share[2])
        z = difference / np.sqrt(variance[1] + 0.25 * (variance[0] + variance[2]))
        z = np.where(n.min(axis=0) >= LEAST, z, 0.0)
        place = int(np.abs(z).argmax())
        if z[place] != 0.0 and not abs(z[place]) <= abs(best.z):
            best = Bump(float(z[place]), place + width, place + 2 * width)
    return best


def _windows(counts: FloatArray) -> list[tuple[int, FloatArray]]:
    """Return widths, and the sums in the windows below, within and above every place; shape (3, n_places)."""
    total = np.concatenate([[0.0], np.cumsum(np.maximum(counts, 0.0))])
    found = []
    for width in WIDTHS:
        if 3 * width > len(counts):
            break
        sums = total[width:] - total[:-width]
        found.append((width, np.stack([sums[: -2 * width], sums[width:-width], sums[2 * width :]])))
    return found


def shapes_of_cut(hists: Histograms, topology: str) -> list[CutShape]:
    """Return what a yes/no axis of the cells does to every observable and spectrum, those first of which it makes most.

    Parameters
    ----------
    hists
        The output of a pass.
    topology
        Name of the axis; events that have the property pass the cut.

    Raises
    ------
    UnknownNameError
        If there is no such axis.
    """
    grid = hists.layout.grid
    cell = grid.cell(topology)
    found = []
    for name, counts in _histograms(hists):
        passing = grid.contains(cell, counts.codes)
        contents = counts.counts.sum(axis=1)
        for number, axis in enumerate(counts.axes):
            both = [_along(some, counts.bins, number) for some in (contents, contents[passing])]
            before, after = (largest_bump(some) for some in both)
            bumps = before, after, made_by_cut(*both)
            edges = np.asarray(axis.edges, dtype=np.float64)
            spans = tuple((float(edges[bump.first]), float(edges[bump.stop])) for bump in bumps)
            shown = name if len(counts.axes) == 1 else f"{name}, {axis.name}"
            found.append(CutShape(shown, float(both[0].sum()), float(both[1].sum()), *bumps, edges=spans))
    return sorted(found, key=lambda one: -np.nan_to_num(abs(one.made.z), nan=-np.inf))


def _histograms(hists: Histograms) -> list[tuple[str, CellCounts]]:
    observables = [
        (f"{symmetry}: {observable}", hists.cell_counts(symmetry, observable))
        for symmetry in hists.symmetries
        for observable in hists.observables(symmetry)
    ]
    return [*observables, *((name, hists.spectrum_counts(name)) for name in hists.spectra)]


def _along(contents: FloatArray, bins: tuple[int, ...], number: int) -> FloatArray:
    """Return the sum over all cells and all other axes, shape (n_bins of the axis,)."""
    whole = contents.sum(axis=0).reshape(bins)
    return np.asarray(whole.sum(axis=tuple(other for other in range(len(bins)) if other != number)))
