"""Spectra of known truth: a background of some family, perhaps a resonance, Poisson counts, the ideal z at every bin.

Every batch comes from (seed, number of the batch) alone, so a training can be repeated, and any part of it.

Examples
--------
>>> batch = draw(1, 0, size=4, n_bins=60)
>>> batch.counts.shape, batch.z.shape, bool((batch.background > 0).all())
((4, 60), (4, 60), True)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.stats.bumphunt.domain import WIDTHS
from coffea_ddp.stats.bumphunt.fits.ideal import ideal_block, strength_for_z
from coffea_ddp.stats.bumphunt.fits.templates import gaussian_templates
from coffea_ddp.stats.bumphunt.training import families

if TYPE_CHECKING:
    from numpy.random import Generator

    from coffea_ddp._typing import FloatArray, IntArray

LOWEST = 1e-3
"""Expected background is nowhere below this many events a bin."""
_LAST = 0.02


@dataclass(frozen=True, eq=False)
class SimulatedSpectra:
    """Spectra of one length and signal width, with their truth.

    Attributes
    ----------
    counts, background
        What was drawn and what was expected without the signal; shape (n_spectra, n_bins).
    z
        The ideal significance at every bin, shape (n_spectra, n_bins).
    sigma
        Width of the signal in bins.
    place, injected
        Bin of the resonance and its Asimov z, 0 where there is none; shape (n_spectra,).
    use
        0 where a bin is masked, else 1.
    """

    counts: FloatArray
    background: FloatArray
    z: FloatArray
    sigma: float
    place: IntArray
    injected: FloatArray
    use: FloatArray


@dataclass(frozen=True)
class SpectrumSettings:
    """Distribution of the spectra that are drawn.

    Attributes
    ----------
    names, weights
        Families, and how often each.
    events
        Range of the expected number of events, drawn evenly in its logarithm.
    signal
        Share of the spectra with a resonance.
    strongest
        The largest Asimov z, drawn evenly from 0; or a list of values of which one is drawn.
    masked
        Share of the spectra with a masked window.
    huge
        Share of the resonances that are 10 to 100 sigma instead.
    second
        Share of the spectra with a resonance that have another one somewhere else.
    """

    names: tuple[str, ...] = tuple(families.TRAINING)
    weights: tuple[float, ...] | None = tuple(families.TRAINING.values())
    events: tuple[float, float] = (30.0, 1e7)
    signal: float = 0.6
    strongest: float | tuple[float, ...] = 12.0
    masked: float = 0.1
    huge: float = 0.06
    second: float = 0.06


def draw(
    seed: int,
    number: int,
    *,
    size: int,
    n_bins: int,
    sigma: float | None = None,
    distribution: SpectrumSettings | None = None,
) -> SimulatedSpectra:
    """Return a batch of spectra.

    Parameters
    ----------
    seed, number
        Where its random numbers come from.
    size, n_bins
        Number of spectra, and of bins in each.
    sigma
        Width of the signal in bins; drawn from 1 to 5 by default.
    distribution
        What is drawn; the training's by default.
    """
    rng = np.random.default_rng([seed, number])
    distribution = distribution or SpectrumSettings()
    width = float(np.exp(rng.uniform(*np.log(WIDTHS)))) if sigma is None else sigma
    logs = families.log_shapes(rng, size, n_bins, distribution.names, distribution.weights)
    events = np.exp(rng.uniform(np.log(distribution.events[0]), np.log(distribution.events[1]), (size, 1)))
    background = _expected(logs, events)
    templates = gaussian_templates(n_bins, width)
    rows = np.array([templates.row(k) for k in range(n_bins)])
    place = rng.integers(0, n_bins, size)
    injected = _strengths(rng, distribution, size)
    expected = background + strength_for_z(background, rows[place], injected)[:, None] * rows[place]
    other = rows[rng.integers(0, n_bins, size)]
    second = np.where(rng.random(size) < distribution.second, rng.uniform(0.0, 10.0, size), 0.0) * (injected > 0)
    expected += strength_for_z(background, other, second)[:, None] * other
    counts = rng.poisson(expected).astype(np.float64)
    z = np.empty_like(counts)
    ideal_block(counts, background, templates.values, z)
    return SimulatedSpectra(counts, background, z, width, place, injected, _mask(rng, distribution, size, n_bins))


def _expected(logs: FloatArray, events: FloatArray) -> FloatArray:
    """Scale shapes to numbers of events.

    Spectra end where their events end: what would fall far below one event is made less steep.
    """
    shape = np.exp(logs)
    most = events / shape.sum(axis=1, keepdims=True)
    steepest = np.maximum(np.log(most / _LAST), 1.0)
    shape = np.exp(logs * np.minimum(1.0, steepest / np.maximum(-logs.min(axis=1, keepdims=True), 1e-9)))
    return np.asarray(np.maximum(shape * (events / shape.sum(axis=1, keepdims=True)), LOWEST))


def _strengths(rng: Generator, distribution: SpectrumSettings, size: int) -> FloatArray:
    if isinstance(distribution.strongest, tuple):
        strengths = rng.choice(np.asarray(distribution.strongest, dtype=np.float64), size)
    else:
        strengths = rng.uniform(0.0, distribution.strongest, size)
    strengths = np.where(rng.random(size) < distribution.huge, 10.0 ** rng.uniform(1.0, 2.0, size), strengths)
    return np.where(rng.random(size) < distribution.signal, strengths, 0.0)


def _mask(rng: Generator, distribution: SpectrumSettings, size: int, n_bins: int) -> FloatArray:
    masked = rng.random(size) < distribution.masked
    first = rng.integers(0, n_bins, size)
    length = (n_bins * rng.uniform(0.03, 0.2, size)).astype(np.int64)
    bins = np.arange(n_bins)
    inside = (bins >= first[:, None]) & (bins < (first + length)[:, None]) & masked[:, None]
    return np.where(inside, 0.0, 1.0)
