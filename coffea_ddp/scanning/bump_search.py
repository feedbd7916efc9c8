"""The search in one spectrum: its strongest bump, what is beside it, and its range where not all of it is smooth.

Examples
--------
>>> import hist
>>> import numpy as np
>>> from coffea_ddp.scanning.bump_range import prepare
>>> from coffea_ddp.spectra.spectrum import MassSpectrum
>>> from coffea_ddp.stats.bumphunt.finder import shipped
>>> x = np.arange(80)
>>> expected = 5e3 * np.exp(-x / 40.0)
>>> for place, height in ((20, 3e3), (55, 900.0)):
...     expected += height * np.exp(-0.5 * ((x - place) / 2.0) ** 2)
>>> axis = hist.axis.Regular(80, 0.0, 80.0, name="mass")
>>> spectrum = MassSpectrum("m0m1", "", hist.Hist(axis, data=np.random.default_rng(1).poisson(expected)), width=2.0)
>>> settings = Settings(shipped())
>>> ((bumps, searches),) = searched_on(hunted_together([prepare(spectrum)], settings), settings)
>>> [round(one.peak.place) for one in bumps], searches
([20, 55], 3)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.report.ordering import sort_key
from coffea_ddp.scanning.bump_range import Prepared, without_turn_on
from coffea_ddp.stats.bumphunt.flags import flags_of, without_bumps
from coffea_ddp.stats.bumphunt.hunt import Hunted, calibrated_z, hunt, together, toys_beyond
from coffea_ddp.stats.bumphunt.several import CHANCE, AllBumps, all_bumps
from coffea_ddp.stats.trials import p_from_z, sidak_z, z_from_p

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray
    from coffea_ddp.stats.bumphunt.finder import BumpFinder
    from coffea_ddp.stats.bumphunt.peak_shape import Peak

_NOT_SMOOTH = "NOT_SMOOTH"


@dataclass(frozen=True)
class Settings:
    """The network, where it runs, and the toys."""

    finder: BumpFinder
    backend: str = "numpy"
    toys: int = 0
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Found:
    """A bump of a spectrum, or its strongest candidate.

    Attributes
    ----------
    prepared
        The spectrum and its range.
    hunted
        What was found, of one spectrum.
    counts
        The counts in which it was found: those without stronger bumps; shape (1, n_bins).
    smooth
        What toys are drawn from: the background of the spectrum without any bump, shape (n_bins,).
    z_spectrum
        After all bins and widths.
    flags
        Of the spectrum.
    number
        1 for the strongest of the spectrum.
    scale
        By how much its significance is less than found (:class:`~coffea_ddp.stats.bumphunt.several.Beside`).
    closed
        Where stronger bumps hide everything, shape (n_bins,).
    peak
        As fitted, where it is a bump.
    by_fit
        Whether its z is what its fit gains in deviance (:class:`~coffea_ddp.stats.bumphunt.several.AllBumps`), of which
        toys say nothing.
    n_ge, n
        Toys that reach it, and all; ``None`` without toys.
    """

    prepared: Prepared
    hunted: Hunted
    counts: FloatArray
    smooth: FloatArray
    z_spectrum: float
    flags: tuple[str, ...]
    number: int = 1
    scale: float = 1.0
    closed: BoolArray | None = None
    peak: Peak | None = None
    by_fit: bool = False
    n_ge: int | None = None
    n: int | None = None

    @property
    def best(self) -> int:
        """The bin of the bump, counted from the first of the range."""
        return int(self.hunted.best[0])

    @property
    def z(self) -> float:
        """The significance at the bump."""
        return float(self.hunted.estimates.peak[0, self.best]) / self.scale

    @property
    def error(self) -> float:
        """The uncertainty of z."""
        return float(self.hunted.estimates.error[0, self.best])

    @property
    def position(self) -> float:
        """The mass: the mean of the peak as fitted, or the centre of the bin of a candidate."""
        edges = self.prepared.edges
        place = self.best if self.peak is None else self.peak.place
        return float(np.interp(place + 0.5, np.arange(len(edges)), edges))

    @property
    def width(self) -> float:
        """The standard deviation of the signal there, in GeV."""
        edges = self.prepared.edges
        return float(self.hunted.sigma[0, self.best] * (edges[self.best + 1] - edges[self.best]))

    @property
    def is_bump(self) -> bool:
        """True where p after all bins and widths is small enough to search on beside it."""
        return float(p_from_z(self.z_spectrum, two_sided=False)) < CHANCE


def z_after(found: Sequence[Found], trials: int) -> FloatArray:
    """Return the global z of bumps after a number of searches, shape (n_bumps,)."""
    return np.asarray(sidak_z(np.array([one.z_spectrum for one in found]), trials, two_sided=False))


def in_order(found: Sequence[Found], trials: int) -> list[Found]:
    """Return bumps in the order of their ranks after a number of searches."""
    if not found:
        return []
    p = p_from_z(z_after(found, trials), two_sided=False).tolist()
    return [found[i] for i in sorted(range(len(found)), key=lambda i: sort_key(p[i], found[i].z))]


def hunted_together(group: Sequence[Prepared], settings: Settings) -> list[Found]:
    """Return the strongest candidate of each of several spectra of one length and width."""
    counts, use = np.array([one.counts for one in group]), np.array([one.use for one in group])
    sigma = group[0].sigma
    hunted = hunt(settings.finder, counts, sigma, use, backend=settings.backend)
    calibrated, flags = calibrated_z(hunted, sigma), flags_of(counts, hunted, use)
    return [
        _found(one, hunted.only(row), counts[row : row + 1], float(calibrated[row]), flags[row])
        for row, one in enumerate(group)
    ]


def _found(prepared: Prepared, hunted: Hunted, counts: FloatArray, calibrated: float, flags: tuple[str, ...]) -> Found:
    found = Found(prepared, hunted, counts, hunted.estimates.smooth[0], calibrated, flags)
    # Many bins are not more significant than the best of them.
    return dataclasses.replace(found, z_spectrum=min(calibrated, found.z))


def searched_on(first: Sequence[Found], settings: Settings) -> list[tuple[list[Found], int]]:
    """Return all bumps of spectra of one length and width, the strongest first, and how many searches that took.

    The strongest candidate is returned whether it is a bump or not. Where no smooth shape describes what is left
    without bumps, and the spectrum has a turn-on, it is searched behind that, if this is smooth.
    """
    return [_behind_turn_on(*found, settings) for found in zip(first, _with_others(first, settings), strict=True)]


def _behind_turn_on(first: Found, found: tuple[list[Found], int], settings: Settings) -> tuple[list[Found], int]:
    bumps, searches = found
    if _NOT_SMOOTH not in bumps[0].flags:
        return found
    place = first.best if first.is_bump else None
    cut = without_turn_on(first.prepared, place, float(first.hunted.sigma[0, first.best]))
    if cut is None:
        return found
    ((again, more),) = _with_others(hunted_together([cut], settings), settings)
    return (again, searches + more) if _NOT_SMOOTH not in again[0].flags else (bumps, searches + more)


def _with_others(first: Sequence[Found], settings: Settings) -> list[tuple[list[Found], int]]:
    """Return the bumps of spectra of one length and width, each with those beside it, and the number of searches."""
    counts, use = np.concatenate([one.counts for one in first]), np.array([one.prepared.use for one in first])
    hunted = together([one.hunted for one in first])
    found = all_bumps(settings.finder, counts, first[0].prepared.sigma, use, hunted, backend=settings.backend)
    return [_bumps(*pair) for pair in zip(first, found, strict=True)]


def _bumps(first: Found, found: AllBumps | None) -> tuple[list[Found], int]:
    if found is None:
        return [first], 1
    prepared = first.prepared
    flags, smooth = first.flags, found.rest.estimates.smooth[0]
    if found.complete and found.beyond_doubt:
        flags = without_bumps(flags, flags_of(found.rest_counts, found.rest, prepared.use[None], found.peaks)[0])
    z = min(found.z_spectrum, first.z)
    bumps = [
        dataclasses.replace(first, flags=flags, smooth=smooth, peak=found.peaks[0], z_spectrum=z, by_fit=found.by_fit)
    ]
    for number, (one, peak) in enumerate(zip(found.beside, found.peaks[1:], strict=True), 2):
        beside = Found(
            prepared, one.hunted, one.counts, smooth, one.z_spectrum, flags, number, one.scale, one.closed, peak
        )
        bumps.append(dataclasses.replace(beside, z_spectrum=min(one.z_spectrum, beside.z)))
    return bumps, found.searches


def with_toys(found: Found, settings: Settings) -> Found:
    """Return a bump with its toys counted; where they give the larger p, they replace the calibration."""
    if found.by_fit:
        return found
    one = found.prepared
    n_ge = toys_beyond(
        settings.finder, found.smooth, float(found.hunted.significance[0]), one.sigma, one.use,
        toys=settings.toys, seed=settings.seed, backend=settings.backend, closed=found.closed,
    )  # fmt: skip
    z = found.z_spectrum
    if n_ge:
        z = min(z, float(z_from_p((n_ge + 1) / (settings.toys + 1), two_sided=False)))
    return dataclasses.replace(found, z_spectrum=z, n_ge=n_ge, n=settings.toys)
