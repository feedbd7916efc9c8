"""Bumps that kinematics explains: reflections of known resonances, thresholds, and end points of known decays.

A bump is compared with the spectrum on both sides of it. It is a reflection of a known resonance where the events
under it have that resonance more often than those beside it, most of the excess has it, and no excess is left without
it. It is one of a threshold where it lies below, or up to a factor 2 above, the mass that its objects have at their
least pT, the spectrum does not fall there yet, and the bump does not stand out from what is next to it, as a narrow
resonance would. It is one of an end point where it lies just below that, the spectrum has a kink there, as a third
difference of its logarithm tells, and it is no more than what the spectrum below it goes on to.
Neither a share nor a mass alone decides: events are counted, and their fluctuations are known.

Examples
--------
>>> under, beside = Split(100, 94), (Split(50, 20), Split(50, 20))
>>> found = reflection(under, beside, trials=10)
>>> found.share, found.beside, found.z_without < 2.0
(0.94, 0.4, True)
>>> reflection(Split(100, 40), beside, trials=10) is None
True
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats

from coffea_ddp.report.parts import SMALLEST_P, BumpPart, CausePart

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.rows import Row

SIGNIFICANT = 0.05
"""Only bumps with at most this p of their spectrum need an explanation."""
_EXCESS, _ENRICHED, _LEFT, _MOST = 3.0, 0.001, 2.0, 0.5
"""z of an excess, p of its enrichment after all resonances that are tried, z that may be left, share that must have it.
"""
_FALLS, _NARROW = 0.01, 4.0
"""p by which a spectrum falls, and z by which a narrow bump stands out from what is next to it."""
_UNDER, _NEAR, _FAR = 1.5, 3.0, 6.0
"""Widths: half the window of the bump, and where the windows beside it begin and end."""
_ABOVE, _AROUND = 2.0, 1.25
"""A threshold makes no bump beyond this multiple of its mass; a spectrum falls or rises within this factor."""
_KINK, _GOES_ON, _ENDS = 3.5, 2.0, 3.0
"""z of the kink of an end point, the largest of a few places, and of events beyond what the spectrum below goes on to:
of a turn-on, and of a spectrum that ends."""
_MOVED = (0.0, 0.5, 1.0)
"""Widths by which resolution moves the kink up."""


class Split(NamedTuple):
    """Events in a window, and how many of them have a known resonance."""

    events: float
    having: float

    @property
    def without(self) -> float:
        """Number of events that do not have it."""
        return self.events - self.having


class Reflection(NamedTuple):
    """Shares of the events with a known resonance under a bump and beside it, and z of what is left without them."""

    share: float
    beside: float
    z_without: float
    p_value: float


def reflection(
    under: Split, beside: tuple[Split, Split], *, trials: int, z_next: float = math.inf
) -> Reflection | None:
    """Return a reflection, or ``None`` where a bump is none.

    Parameters
    ----------
    under
        Events in the window of the bump.
    beside
        Those of the windows below and above it, together as wide.
    trials
        Number of resonances that are tried.
    z_next
        z of the events without it under the bump beyond those next to it. A hill of two sides has an excess over both
        of them without having a peak: the smaller one counts.
    """
    events, having = (sum(one[number] for one in beside) for number in (0, 1))
    if not under.having or not events:
        return None
    z_without = min(excess(under.without, *(one.without for one in beside)), z_next)
    if z_without > _LEFT or excess(under.events, *(one.events for one in beside)) < _EXCESS:
        return None
    more, having_more = (under[number] - expected(*(one[number] for one in beside)) for number in (0, 1))
    if having_more < _MOST * more:
        return None
    p_value = min(1.0, trials * float(stats.hypergeom.sf(
        round(under.having) - 1, round(under.events + events), round(under.having + having), round(under.events)
    )))  # fmt: skip
    if p_value > _ENRICHED:
        return None
    return Reflection(under.having / under.events, having / events, z_without, p_value)


def expected(below: float, above: float) -> float:
    """Return the geometric mean of the events in windows beside a bump, each as wide as half of both together."""
    return math.sqrt((below + 0.5) * (above + 0.5))


def excess(under: float, below: float, above: float) -> float:
    """Return z of the events under a bump beyond those expected from the windows beside it.

    A falling spectrum that is straight on a logarithmic scale has an excess of 0.
    """
    mean = expected(below, above)
    return (under - mean) / math.sqrt(mean + 0.25 * mean**2 * (1.0 / (below + 0.5) + 1.0 / (above + 0.5)))


def falls(below: float, above: float, widths: tuple[float, float]) -> bool:
    """Return whether there are significantly fewer events per GeV above a bump than below it."""
    if not below + above or min(widths) <= 0:
        return False
    share = widths[0] / sum(widths)
    return bool(stats.binom.sf(round(below) - 1, round(below + above), share) < _FALLS)


def kink(counts: Sequence[float], shares: Sequence[float] = (1.0, 1.0, 1.0, 1.0)) -> float:
    """Return z by which a spectrum falls more steeply in the middle of four windows than before and behind it.

    Windows are each wider than the one before by the same factor: a third difference of logarithms, which is 0 for a
    spectrum whose logarithm is a parabola in that of the mass.

    Parameters
    ----------
    counts
        Events in the bins of every window.
    shares
        How much of its window these bins are: whole bins are rather more or rather less than it.
    """
    seen = [count + 0.5 for count in counts]
    first, second, third, fourth = (
        math.log(count) - math.log(max(share, 1e-9)) for count, share in zip(seen, shares, strict=True)
    )
    bend = 1.5 * (second - third) - 0.5 * (first - fourth)
    return bend / math.sqrt(sum(factor / count for factor, count in zip((0.25, 2.25, 2.25, 0.25), seen, strict=True)))


def standing_out(events: FloatArray, spans: FloatArray) -> tuple[float, float]:
    """Return z of events beyond the mean of both sides, and which part of them that is.

    Parameters
    ----------
    events, spans
        Numbers of events in a window and on both sides of it, and how many GeV these are; a side of 0 GeV is none.
    """
    sides = [(number, spans[0] / span) for number, span in zip(events[1:], spans[1:], strict=True) if span > 0.0]
    mean = sum(number * scale for number, scale in sides) / max(len(sides), 1)
    variance = sum(number * scale**2 for number, scale in sides) / max(len(sides), 1) ** 2
    more = float(events[0] - mean)
    return more / math.sqrt(max(float(events[0] + variance), 0.0) + 1.0), more / max(float(events[0]), 1.0)


def beyond(under: float, near: float, far: float, *, straight: bool = False) -> float:
    """Return z of the events under a bump beyond what the spectrum below it goes on to, straight in its logarithm.

    Parameters
    ----------
    under, near, far
        Events under it, and in two windows as wide next to each other below it.
    straight
        Straight in itself instead: a spectrum that turns on goes on to less than in its logarithm.
    """
    if straight:
        return (under - 2.0 * near + far) / math.sqrt(under + 4.0 * near + far + 1.0)
    mean = (near + 0.5) ** 2 / (far + 0.5)
    return (under - mean) / math.sqrt(under + 1.0 + mean**2 * (4.0 / (near + 0.5) + 1.0 / (far + 0.5)))


def with_causes(hists: Histograms, rows: Sequence[Row]) -> list[Row]:
    """Return the rows of spectra, those that kinematics explains with their cause.

    Parameters
    ----------
    hists
        The output of a pass.
    rows
        Of its spectra.
    """
    found = list(rows)
    wanted: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        if _needs_a_cause(row):
            wanted.setdefault(str(row.observable), []).append(number)
    for name, numbers in wanted.items():
        spectrum = _Spectrum(hists, name)  # one at a time: all of them would fill the memory
        for number in sorted(numbers, key=lambda one: str(rows[one].cell)):  # what is read of a cell is read once
            found[number] = dataclasses.replace(rows[number], cause=spectrum.cause(rows[number]))
    return found


def _needs_a_cause(row: Row) -> bool:
    found = row.bump is not None and row.bump.position is not None
    # The p of a bump beyond all doubt is too small to be given: without one, and with a z, it is the smallest of all.
    return found and row.z_local is not None and (row.p_cell is None or row.p_cell <= SIGNIFICANT)


class _Spectrum:
    """A spectrum of an output, with the events that have each known resonance."""

    def __init__(self, hists: Histograms, name: str) -> None:
        self._layout, self._grid = hists.layout.spectrum(name), hists.layout.grid
        self._edges = np.asarray(self._layout.axis.edges, dtype=np.float64)
        self._known = tuple(hists.layout.known)
        having = (hists.spectrum_counts(name, known=known) for known in self._known)
        # All events first, then those with each known resonance.
        self._counted = (hists.spectrum_counts(name), *having)
        self._codes = np.unique(np.concatenate([counts.codes for counts in self._counted]))
        self._places = [np.searchsorted(self._codes, counts.codes) for counts in self._counted]
        self._cell: str | None = None
        self._events = np.zeros((len(self._counted), len(self._edges) - 1))

    def cause(self, row: Row) -> CausePart | None:
        """Return what explains a row; ``None`` where nothing does."""
        away = self._away(row)
        beside = (np.abs(away) > _NEAR) & (np.abs(away) < _FAR)
        windows = [_under(away), beside & (away < 0), beside & (away > 0)]
        events, *having = self._numbers(row, windows).tolist()
        found = []
        for number, (known, those) in enumerate(zip(self._known, having, strict=True), 1):
            under, *sides = (Split(*pair) for pair in zip(events, those, strict=True))
            test = partial(reflection, under, (sides[0], sides[1]), trials=len(self._known))
            # Rarely is it but for what is left without the resonance.
            if test(z_next=-math.inf) and (one := test(z_next=self._standing_out(row, away, number)[0])):
                found.append((one.p_value, -one.share, known, one))
        if found:
            *_, known, best = min(found)
            return CausePart(known, best.share, _words(known, best))
        return self._threshold(row, away) or self._end_point(row, away)

    def _away(self, row: Row) -> FloatArray:
        """Return how many widths of the bump the centre of every bin is above it."""
        bump = row.bump or BumpPart()
        centres = 0.5 * (self._edges[1:] + self._edges[:-1])
        return np.asarray((centres - (bump.position or 0.0)) / max(bump.width or 0.0, 1e-9))

    def _numbers(self, row: Row, windows: Sequence[BoolArray]) -> FloatArray:
        """Return the events of the row's cell in every window, and those of them with each known resonance.

        Shape (1 + n_known, n_windows). What is read of a cell is kept until the next one.
        """
        if row.cell != self._cell:
            self._cell = row.cell
            inside = self._grid.contains(str(row.cell), self._codes)
            for events, counts, places in zip(self._events, self._counted, self._places, strict=True):
                events[:] = counts.entries[inside[places], 0].sum(axis=0)
        return np.array([self._events[:, window].sum(axis=1) for window in windows]).T

    def _densities(self, row: Row, windows: Sequence[BoolArray], known: int = 0) -> tuple[FloatArray, FloatArray]:
        """Return the numbers of events in windows, and how many GeV their bins are; both of shape (n_windows,).

        With the number of a known resonance, from 1, of the events without it.
        """
        numbers, widths = self._numbers(row, windows), np.diff(self._edges)
        events = numbers[0] - numbers[known] if known else numbers[0]
        return events, np.array([widths[one].sum() for one in windows])

    def _standing_out(self, row: Row, away: FloatArray, known: int = 0) -> tuple[float, float]:
        """Return z of the events under a bump beyond those next to it, and which part of them that is.

        Expected is the mean of both sides per GeV, or that of the one side that there is. With the number of a known
        resonance, of the events without it.
        """
        beside = (np.abs(away) > _UNDER) & (np.abs(away) < _NEAR)
        windows = [_under(away), beside & (away < 0), beside & (away > 0)]
        return standing_out(*self._densities(row, windows, known))

    def _going_on(self, row: Row, away: FloatArray, *, straight: bool = False) -> float:
        """Return z of the events under a bump beyond what is below it; infinite where that is not in the spectrum."""
        windows = [_under(away), *((away >= low) & (away < low + 2 * _UNDER) for low in (-3 * _UNDER, -5 * _UNDER))]
        events, spans = self._densities(row, windows)
        return math.inf if (spans <= 0.0).any() else beyond(*(events * spans[0] / spans), straight=straight)

    def _threshold(self, row: Row, away: FloatArray) -> CausePart | None:
        bump = row.bump or BumpPart()
        position, width = bump.position or 0.0, bump.width or 0.0
        low = position - _UNDER * width
        near = [one for one in self._layout.thresholds if low <= _ABOVE * one[0]]
        if not near or position <= 0.0:
            return None
        edges, widths = self._edges, np.diff(self._edges)
        within = (edges[:-1] > position / _AROUND) & (edges[1:] < position * _AROUND)
        around = (within | (np.abs(away) < _FAR)) & (np.abs(away) > _NEAR)
        windows = [around & (away < 0), around & (away > 0)]
        below, above = self._numbers(row, windows)[0].tolist()
        spans = (float(widths[windows[0]].sum()), float(widths[windows[1]].sum()))
        z, _ = self._standing_out(row, away)
        stands_out = z > _NARROW and self._going_on(row, away, straight=True) > _GOES_ON
        if stands_out or falls(below, above, spans):
            return None
        mass, words = min(near, key=lambda one: abs(math.log(position / one[0])))
        said = (
            f"at {position / mass:.2g} times the threshold, {mass:.4g} GeV of {words}, where the spectrum does not "
            f"fall yet ({below:,.0f} events within {spans[0]:.3g} GeV below, {above:,.0f} within {spans[1]:.3g} GeV "
            f"above), and not standing out from what is next to it (z = {z:+.1f})"
        )
        return CausePart(f"threshold of {words}", None, said)

    def _end_point(self, row: Row, away: FloatArray) -> CausePart | None:
        bump = row.bump or BumpPart()
        position, width = bump.position or 0.0, bump.width or 0.0
        for mass, words in self._layout.end_points:
            if not mass / _AROUND <= position <= mass + width or self._bin_width(position) > width:
                continue  # a peak within one bin bends the spectrum as an end point does
            z = max(self._kink(row, mass + moved * width) for moved in _MOVED)
            narrow, part = self._standing_out(row, away)
            if z > _KINK and (narrow <= _NARROW or self._going_on(row, away) <= _ENDS):
                said = (
                    f"below the end point at {mass:.4g} GeV of {words}, where the spectrum has a kink (z = {z:.1f}); "
                    f"{100 * part:.0f} % of the events under it are beyond what is next to it"
                )
                return CausePart(f"end point of {words}", None, said)
        return None

    def _bin_width(self, position: float) -> float:
        """Return the width of the bin at a mass."""
        place = int(np.clip(np.searchsorted(self._edges, position, side="right"), 1, len(self._edges) - 1))
        return float(self._edges[place] - self._edges[place - 1])

    def _kink(self, row: Row, mass: float) -> float:
        """Return z of a kink at a mass."""
        centres = 0.5 * (self._edges[1:] + self._edges[:-1])
        borders = [mass * _AROUND**power for power in (-2, -1, 0, 1, 2)]
        windows = [(centres >= low) & (centres < high) for low, high in itertools.pairwise(borders)]
        events, spans = self._densities(row, windows)
        return kink(events.tolist(), (spans / np.diff(borders)).tolist()) if (spans > 0.0).all() else 0.0


def _under(away: FloatArray) -> BoolArray:
    under = np.abs(away) < _UNDER
    under[np.argmin(np.abs(away))] = True
    return np.asarray(under)


def _words(known: str, found: Reflection) -> str:
    p = f"< {SMALLEST_P:g}" if found.p_value < SMALLEST_P else f"= {found.p_value:.2g}"
    return (
        f"{100 * found.share:.0f} % of the events under it have a {known}, {100 * found.beside:.0f} % of those beside "
        f"it (p {p}); without them no excess is left (z = {found.z_without:+.1f})"
    )
