"""Data and simulation in one cell, bin by bin: what a row of a report was made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp._text import printable
from coffea_ddp.histograms.cells import INCLUSIVE
from coffea_ddp.histograms.io import as_histograms
from coffea_ddp.scanning.compared_counts import compared_counts
from coffea_ddp.scanning.simulation import Simulation, normalised
from coffea_ddp.stats.simulated.counts import expected_p
from coffea_ddp.stats.trials import z_from_p

if TYPE_CHECKING:
    from pathlib import Path

    from coffea_ddp._typing import FloatArray
    from coffea_ddp.histograms.cells import Cell
    from coffea_ddp.histograms.histograms import Histograms


@dataclass(frozen=True, eq=False)
class ComparedCell:
    """Data and simulation in one cell; arrays of the shape of the bins.

    Attributes
    ----------
    comparison, observable, cell
        The place.
    axes
        ``hist`` axes.
    data
        Events.
    expected, error
        What simulation leads to expect, and its standard deviation, statistics and variations. Where few events are
        simulated it is smoothed as in the tests, so that it is not the sum of the samples to the last digit.
    samples
        Dataset -> the sum of its weights in events of data, as simulated.
    variations
        Name -> half of what is between up and down.

    Examples
    --------
    >>> from coffea_ddp.histograms.cells import Cell
    >>> four, one = np.array([4.0]), np.array([1.0])
    >>> ComparedCell("data/simulation", "met", Cell(()), (), 9.0 * one, four, 0.0 * one, {"dy": four}, {}).pulls
    array([2.5])
    """

    comparison: str
    observable: str
    cell: Cell
    axes: tuple[Any, ...]
    data: FloatArray
    expected: FloatArray
    error: FloatArray
    samples: Mapping[str, FloatArray]
    variations: Mapping[str, FloatArray]

    def __repr__(self) -> str:
        """Return the place, and the events in data and expected."""
        place = f"{self.comparison} | {self.observable} | {self.cell}"
        return printable(f"ComparedCell({place}: {self.data.sum():g} events, {self.expected.sum():.4g} expected)")

    @property
    def pulls(self) -> FloatArray:
        """Data minus expectation in standard deviations of both; NaN where nothing is expected.

        Where little is expected this is no significance: three events over 0.01 are 30 of these, and a z of 5.1.
        """
        width = np.sqrt(np.maximum(self.expected, 0.0) + self.error**2)
        pulls = np.full(self.data.shape, np.nan)
        np.divide(self.data - self.expected, width, out=pulls, where=width > 0)
        return pulls

    @property
    def z(self) -> FloatArray:
        """Significance of every bin, signed, positive for an excess; see :func:`z_of_bins`."""
        return z_of_bins(self.data, self.expected, self.error)


def z_of_bins(data: FloatArray, expected: FloatArray, error: FloatArray) -> FloatArray:
    """Return the signed z of counts: that of :func:`coffea_ddp.stats.expected_p`, two-sided.

    Rows of regions have it of the third moment of the expectation, too, which matters beyond z of 3 or so where samples
    have very different weights.

    Parameters
    ----------
    data, expected, error
        Events, what is expected, and its standard deviation; of one shape.

    Returns
    -------
    ndarray of float64
        Positive for an excess; 0 where one half or more of all experiments are as far on this side, at most 37.5 where
        a double holds no smaller p; NaN where nothing is expected.

    Examples
    --------
    >>> z_of_bins(np.array([9.0, 3.0, 2.0]), np.array([4.0, 0.01, 0.0]), np.array([1.5, 0.0, 0.0])).round(1)
    array([1.6, 5.1, nan])
    """
    there = expected > 0
    p = expected_p(data, np.where(there, expected, 1.0), error=error)
    z = z_from_p(np.minimum(2.0 * p, 1.0), two_sided=True)
    return np.where(there, np.copysign(z, data - expected), np.nan)


def compared_cell(
    hists: Histograms | str | Path,
    comparison: str,
    observable: str,
    cell: Any = INCLUSIVE,
    *,
    simulation: Simulation | None = None,
) -> ComparedCell:
    """Return data and simulation in one cell.

    Parameters
    ----------
    hists
        The output of a pass with comparisons, or its path.
    comparison, observable, cell
        The place.
    simulation
        Luminosity and cross sections, as for :func:`coffea_ddp.scan`.

    Raises
    ------
    UnknownNameError
        If one of the names does not exist.
    InputError
        If the simulation cannot be normalised.

    Examples
    --------
    >>> from coffea_ddp import load_plan
    >>> from coffea_ddp.histograms.histograms import Histograms
    >>> compared_cell(Histograms.empty(load_plan("dimuon_charge").layout), "data/simulation", "m_ll")
    Traceback (most recent call last):
    ...
    coffea_ddp.errors.UnknownNameError: no comparison 'data/simulation' in plan 'dimuon_charge'; it has: none
    """
    hists = as_histograms("compared_cell", hists)
    hists.layout.comparison_channel(comparison, observable)
    asked, chosen = simulation or Simulation(), hists.layout.grid.cell(cell)
    counts = compared_counts(hists, normalised(hists, asked), asked, comparison, observable)
    expected = counts.expected
    of_code = hists.layout.grid.contains(chosen, counts.codes)
    inside = of_code[expected.cells]
    bins = tuple(len(axis) for axis in counts.axes)

    def summed(values: FloatArray) -> FloatArray:
        found = np.bincount(expected.bins[inside], values[inside], minlength=counts.data.shape[1])
        return np.asarray(found.reshape(bins))

    samples = zip(counts.names, counts.samples, strict=True)
    moved = {name: summed(shift) for name, shift in zip(expected.variations, expected.shifts, strict=True)}
    variance = summed(expected.variance) + sum((shift**2 for shift in moved.values()), np.zeros(bins))
    return ComparedCell(
        comparison, observable, chosen, counts.axes, summed(expected.data), summed(expected.mean), np.sqrt(variance),
        {name: one.w[of_code].sum(axis=0).reshape(bins) for name, one in samples}, moved,
    )  # fmt: skip
