"""Expectation of data from several simulated samples, with their statistics and with variations, and toys of it.

Examples
--------
>>> n = np.array([[100.0, 10.0]])
>>> sample = SimulatedCounts(0.1 * n, 0.01 * n, n)
>>> found = expect([sample], np.array([[12.0, 0.0]]), (1, 2))
>>> found.mean.round(2), draw(found, seed=1, key="demo", block=0).shape
(array([10.,  1.]), (2, 64))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.relabelling import stream
from coffea_ddp.stats.simulated.rates import Rates, SimulatedCounts, smoothed_rates
from coffea_ddp.stats.simulated.totals import cell_totals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import FloatArray, IntArray

    Single = NDArray[np.float32]

LEAST = 1e-3
"""Events of data: a bin in which less is expected, and nothing was seen or simulated, is left out."""


class GammaPart(NamedTuple):
    """Independent gamma-distributed rates of some entries; arrays of shape (n,)."""

    rows: IntArray
    shape: FloatArray
    scale: FloatArray
    sign: float


@dataclass(frozen=True, eq=False)
class Expected:
    """Expectation of the filled bins of exclusive cells, with its uncertainty; arrays of shape (n_entries,).

    Attributes
    ----------
    starts
        Where the entries of each cell begin, and the end; shape (n_cells + 1,).
    bins
        The bin of every entry.
    data
        Events of data.
    mean, variance
        Of the expectation; the variance is that of the samples' statistics.
    third
        Third central moment of the expectation, of the samples' statistics.
    steady
        Of a pull, smooth: what its weight is made of.
    own
        Effective number of simulated events, ``mean^2 / variance`` of the events of the bin itself.
    up, down
        What variations add to the mean at one standard deviation; shape (n_variations, n_entries).
    variations
        Their names.
    parts
        The rates of the samples.
    """

    starts: IntArray
    bins: IntArray
    data: FloatArray
    mean: FloatArray
    variance: FloatArray
    third: FloatArray
    steady: FloatArray
    own: FloatArray
    up: FloatArray
    down: FloatArray
    variations: tuple[str, ...]
    parts: tuple[GammaPart, ...]

    @property
    def shifts(self) -> FloatArray:
        """Half the difference of up and down; shape (n_variations, n_entries)."""
        return 0.5 * (self.up - self.down)

    @property
    def cells(self) -> IntArray:
        """The cell of every entry."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def expect(
    samples: Sequence[SimulatedCounts],
    data: FloatArray,
    shape: tuple[int, int],
    variations: Sequence[tuple[str, FloatArray, FloatArray]] = (),
    places: IntArray | None = None,
) -> Expected:
    """Return the expectation that samples lead to.

    Parameters
    ----------
    samples
        The simulated ones.
    data
        Events of data; shape (n_cells, n_bins).
    shape
        Rows and columns of the bins; one row for one axis.
    variations
        Name, and what is added to the sum of all samples by one standard deviation up and down; shape (n_cells, n_bins)
        each.
    places
        Of the cells on the axes of their grid, shape (n_axes, n_cells), which say what a sample may have in cells that
        it misses; by default they have no axes.
    """
    rates = [
        smoothed_rates(one.w, one.w2, one.n, shape=shape, totals=totals)
        for one, totals in zip(samples, cell_totals(samples, places), strict=True)
    ]
    nothing = np.zeros(data.shape)
    mean, variance, steady = (sum((getattr(one, name) for one in rates), nothing) for name in Rates._fields[:3])
    simulated = sum((one.n for one in samples), nothing)
    touched = sum((np.abs(values) for _, *both in variations for values in both), nothing)
    keep = (mean >= LEAST) | (simulated > 0) | (data > 0) | (touched > 0)
    cells, bins = np.nonzero(keep)
    raw, raw2 = (sum((getattr(one, name) for one in samples), nothing)[keep] for name in ("w", "w2"))
    own = np.where(raw > 0, raw**2 / np.where(raw2 > 0, raw2, 1.0), 0.0)
    number = np.full(data.shape, -1)
    number[keep] = np.arange(len(bins))
    parts = [
        part for one, rate in zip(samples, rates, strict=True) for part in _parts(rate, number, negative=one.negative)
    ]
    up = np.array([one[1][keep] for one in variations]).reshape(len(variations), len(bins))
    down = np.array([one[2][keep] for one in variations]).reshape(len(variations), len(bins))
    return Expected(
        np.searchsorted(cells, np.arange(len(data) + 1)), bins, data[keep], mean[keep], variance[keep],
        _third(parts, len(bins)), steady[keep], own, up, down, tuple(one[0] for one in variations), tuple(parts),
    )  # fmt: skip


def _parts(rate: Rates, number: IntArray, *, negative: bool) -> list[GammaPart]:
    """Return the gamma distributions with the mean and the variance of a sample's rates.

    Weights of both signs are two of them, one taken from the other, of events of one size.
    """
    inside = (number >= 0) & (rate.variance > 0)
    rows, mean, variance = number[inside], rate.mean[inside], rate.variance[inside]
    if not negative:
        return [GammaPart(rows, mean**2 / variance, variance / mean, 1.0)]
    events = rate.events[inside]
    size = np.sqrt(variance / events)
    half = 0.5 * mean / size
    added, taken = np.maximum(0.5 * events + half, 0.0), np.maximum(0.5 * events - half, 0.0)
    return [GammaPart(rows, added, size, 1.0), GammaPart(rows, taken, size, -1.0)]


def _third(parts: Sequence[GammaPart], n_entries: int) -> FloatArray:
    found = np.zeros(n_entries)
    for one in parts:
        found[one.rows] += one.sign * 2.0 * one.shape * one.scale**3
    return found


def draw(expected: Expected, *, seed: int, key: str, block: int) -> Single:
    """Return a block of toys of the data in every entry, shape (n_entries, TOYS).

    The rates of every sample are drawn within its statistics; variations move all entries together, in all observables
    of one seed alike; the events are Poisson.

    Parameters
    ----------
    expected
        What is expected.
    seed, key, block
        The source of random numbers; variations belong to their names, not to the key.
    """
    rng = stream(seed, key, block)
    rates = np.zeros((len(expected.bins), TOYS))
    for part in expected.parts:
        drawn = rng.standard_gamma(np.broadcast_to(part.shape[:, None], (len(part.rows), TOYS)))
        rates[part.rows] += part.sign * part.scale[:, None] * drawn
    for name, up, down in zip(expected.variations, expected.up, expected.down, strict=True):
        pull = stream(seed, f"variation|{name}", block).standard_normal(TOYS)
        rates += up[:, None] * np.maximum(pull, 0.0) + down[:, None] * np.maximum(-pull, 0.0)
    return rng.poisson(np.maximum(rates, 0.0)).astype(np.float32)
