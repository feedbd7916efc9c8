"""Counts of data and simulation in one observable of a comparison: dense, scaled, with what may be wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.histograms.cell_counts import CellCounts, cell_counts
from coffea_ddp.histograms.layout import EVENTS
from coffea_ddp.stats.simulated.expected import Expected, expect
from coffea_ddp.stats.simulated.rates import SimulatedCounts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coffea_ddp._typing import FloatArray, IntArray
    from coffea_ddp.histograms.channel import Channel
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.histograms.simulated import Sample
    from coffea_ddp.scanning.simulation import Normalised, Simulation

Variations = list[tuple[str, "FloatArray", "FloatArray"]]


@dataclass(frozen=True, eq=False)
class ComparedCounts:
    """Data and simulation in the exclusive cells of one observable of a comparison.

    Attributes
    ----------
    comparison, observable
        Names.
    axes
        ``hist`` axes; none for the number of events.
    codes
        The exclusive cells that either fills, sorted; shape (n_codes,).
    shape
        Rows and columns of the bins; one row for one axis.
    data
        Events; shape (n_codes, n_bins).
    samples
        The simulated ones, in events of data.
    names
        Their datasets.
    variations
        Name, and what is added to their sum up and down; shape (n_codes, n_bins) each.
    places
        Of the exclusive cells on the axes of the grid; shape (n_axes, n_codes).
    """

    comparison: str
    observable: str
    axes: tuple[Any, ...]
    codes: IntArray
    shape: tuple[int, int]
    data: FloatArray
    samples: tuple[SimulatedCounts, ...]
    names: tuple[str, ...]
    variations: Variations
    places: IntArray

    @property
    def mean(self) -> FloatArray:
        """The sum of all samples, as simulated; shape (n_codes, n_bins)."""
        return np.asarray(sum((one.w for one in self.samples), np.zeros(self.data.shape)))

    @property
    def expected(self) -> Expected:
        """Expectation of the data, with the statistics of the samples."""
        return expect(self.samples, self.data, self.shape, self.variations, self.places)

    def as_counts(self) -> CellCounts:
        """Return simulation and data as sides A and B."""
        sides = np.stack([np.maximum(self.mean, 0.0), self.data], axis=1)
        bins = tuple(len(axis) for axis in self.axes)
        return CellCounts(self.comparison, self.observable, self.axes, self.codes, sides, None, sides, bins)


def occupied(hists: Histograms, comparison: str) -> IntArray:
    """Return the exclusive cells that data or simulation fill in a comparison, sorted."""
    channel = hists.layout.comparison_channel(comparison)
    found = [_between(one, channel, hists).codes for one in hists.samples.values()]
    return np.unique(np.concatenate([np.zeros(0, np.int64), *found]))


def compared_counts(
    hists: Histograms, normalised: Normalised, asked: Simulation, comparison: str, observable: str = EVENTS
) -> ComparedCounts:
    """Return the counts of one observable of a comparison.

    Parameters
    ----------
    hists
        The output of a pass.
    normalised
        Its samples.
    asked
        The uncertainties of their normalisation.
    comparison, observable
        Names.

    Raises
    ------
    UnknownNameError
        If one of the names does not exist.
    """
    channel, codes = hists.layout.comparison_channel(comparison, observable), occupied(hists, comparison)
    data = [_between(one, channel, hists, codes).counts[:, 0] for one in normalised.data]
    found = [_between(one.sample, channel, hists, codes) for one in normalised.simulated]
    scales = [one.scale for one in normalised.simulated]
    samples = tuple(
        SimulatedCounts(
            scale * counts.counts[:, 0],
            scale**2 * np.asarray(counts.squares)[:, 0],
            counts.entries[:, 0],
            one.sample.negative > 0,
        )
        for one, counts, scale in zip(normalised.simulated, found, scales, strict=True)
    )
    bins = tuple(len(axis) for axis in channel.axes)
    shape = (bins[0], bins[1]) if len(bins) == 2 else (1, bins[0] if bins else 1)
    names = tuple(one.sample.dataset for one in normalised.simulated)
    variations = _variations(hists.layout.comparison(comparison).variations, found, scales)
    variations += _normalisations(samples, names, asked)
    events, places = np.sum(data, axis=0), hists.layout.grid.decode(codes)
    return ComparedCounts(
        comparison, observable, channel.axes, codes, shape, events, samples, names, variations, places
    )


def _between(sample: Sample, channel: Channel, hists: Histograms, codes: IntArray | None = None) -> CellCounts:
    mine = sample.counts.between(channel.base, channel.end(hists.layout.grid.n_exclusive))
    return cell_counts(mine, channel, codes)


def _variations(names: Sequence[str], found: Sequence[CellCounts], scales: Sequence[float]) -> Variations:
    """Return what the variations of a plan do to the sum of all samples."""
    made: Variations = []
    for number, name in enumerate(names):
        up, down = (
            sum(
                scale * (one.counts[:, 1 + 2 * number + which] - one.counts[:, 0])
                for one, scale in zip(found, scales, strict=True)
            )
            for which in (0, 1)
        )
        made.append((name, np.asarray(up), np.asarray(down)))
    return made


def _normalisations(samples: Sequence[SimulatedCounts], names: Sequence[str], asked: Simulation) -> Variations:
    """Return what the uncertainties of luminosity and cross sections do to the sum of all samples."""
    made: Variations = []
    if asked.luminosity_error:
        moved = asked.luminosity_error * sum(one.w for one in samples)
        made.append(("luminosity", np.asarray(moved), np.asarray(-moved)))
    for one, name in zip(samples, names, strict=True):
        error = asked.error_of(name)
        if error:
            made.append((f"cross section of {name}", error * one.w, -error * one.w))
    return made
