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
>>> ((bumps, searches),) = searched([[prepare(spectrum)]], settings)
>>> [round(one.peak.place) for one in bumps], searches
([20, 55], 3)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.report.ordering import sort_key
from coffea_ddp.scanning.bump_range import Prepared, without_turn_on
from coffea_ddp.stats.bumphunt.flags import flags_of, without_bumps
from coffea_ddp.stats.bumphunt.hunt import calibrated_z, hunt, toys_beyond
from coffea_ddp.stats.bumphunt.several import CHANCE, AllBumps, Together, all_bumps
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
    best
        The bin of the bump, counted from the first of the range.
    peak_z, error
        The significance at the bump as it was found, and its uncertainty.
    sigma
        The standard deviation of the signal there, in bins.
    significance
        The z of its evidence, which toys are compared with.
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
    best: int
    peak_z: float
    error: float
    sigma: float
    significance: float
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
    def z(self) -> float:
        """The significance at the bump."""
        return self.peak_z / self.scale

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
        return float(self.sigma * (edges[self.best + 1] - edges[self.best]))

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


def searched(groups: Sequence[Sequence[Prepared]], settings: Settings) -> list[tuple[list[Found], int]]:
    """Return all bumps of spectra, the strongest first, and how many searches that took, for each spectrum.

    The strongest candidate is returned whether it is a bump or not. Where no smooth shape describes what is left
    without bumps, and the spectrum has a turn-on, it is searched behind that, if this is smooth.

    Parameters
    ----------
    groups
        Spectra of one length and width each; the outcome is in their order.
    settings
        The network.
    """
    found, first = _searched(groups, settings)
    cuts = {number: cut for number, one in enumerate(found) if (cut := _behind_turn_on(one[0][0], first[number]))}
    alike: dict[Any, list[int]] = {}
    for number, cut in cuts.items():
        alike.setdefault(cut.bins.alike, []).append(number)
    again, _ = _searched([[cuts[number] for number in numbers] for numbers in alike.values()], settings)
    for number, (bumps, searches) in zip((one for some in alike.values() for one in some), again, strict=True):
        before, so_far = found[number]
        found[number] = (before if _NOT_SMOOTH in bumps[0].flags else bumps), so_far + searches
    return found


def _behind_turn_on(found: Found, first: Found) -> Prepared | None:
    """Return the range behind the turn-on of a spectrum whose rest is not smooth; ``None``: there is none.

    Parameters
    ----------
    found, first
        Its strongest candidate, after and before bumps beside it were searched.
    """
    if _NOT_SMOOTH not in found.flags:
        return None
    return without_turn_on(first.prepared, first.best if first.is_bump else None, first.sigma)


def _searched(
    groups: Sequence[Sequence[Prepared]], settings: Settings
) -> tuple[list[tuple[list[Found], int]], list[Found]]:
    """Return the bumps of spectra, each with those beside it, and the number of searches; and the first candidates."""
    together = [_together(group, settings) for group in groups]
    first = [found for group, one in zip(groups, together, strict=True) for found in _candidates(group, one)]
    beside = [one for of_group in all_bumps(settings.finder, together, backend=settings.backend) for one in of_group]
    return [_bumps(*pair) for pair in zip(first, beside, strict=True)], first


def _together(group: Sequence[Prepared], settings: Settings) -> Together:
    counts, use = np.array([one.counts for one in group]), np.array([one.use for one in group])
    sigma = group[0].sigma
    return Together(counts, use, sigma, hunt(settings.finder, counts, sigma, use, backend=settings.backend))


def _candidates(group: Sequence[Prepared], together: Together) -> list[Found]:
    """Return the strongest candidate of each spectrum."""
    hunted, rows = together.first, np.arange(len(group))
    best, calibrated = hunted.best, calibrated_z(hunted, together.sigma)
    peak, error = hunted.estimates.peak[rows, best], hunted.estimates.error[rows, best]
    # Many bins are not more significant than the best of them.
    numbers = np.column_stack(
        [peak, error, hunted.sigma[rows, best], hunted.significance, np.minimum(calibrated, peak)]
    )
    flags, smooth = flags_of(together.counts, hunted, together.use), hunted.estimates.smooth
    return [
        Found(one, place, z, error, sigma, significance, background, z_spectrum, words)
        for one, place, (z, error, sigma, significance, z_spectrum), background, words in zip(
            group, best.tolist(), numbers.tolist(), smooth, flags, strict=True
        )
    ]


def _bumps(first: Found, found: AllBumps | None) -> tuple[list[Found], int]:
    if found is None:
        return [first], 1
    flags, smooth = first.flags, found.rest.estimates.smooth[0]
    if found.complete and found.beyond_doubt:
        use = first.prepared.use[None]
        flags = without_bumps(flags, flags_of(found.rest_counts, found.rest, use, found.peaks)[0])
    z = min(found.z_spectrum, first.peak_z)
    bumps = [
        dataclasses.replace(first, flags=flags, smooth=smooth, peak=found.peaks[0], z_spectrum=z, by_fit=found.by_fit)
    ]
    for number, (one, peak) in enumerate(zip(found.beside, found.peaks[1:], strict=True), 2):
        best = int(one.hunted.best[0])
        z, error, sigma = (
            float(values[0, best])
            for values in (one.hunted.estimates.peak, one.hunted.estimates.error, one.hunted.sigma)
        )
        bumps.append(
            Found(
                first.prepared, best, z, error, sigma, float(one.hunted.significance[0]), smooth,
                min(one.z_spectrum, z / one.scale), flags, number, one.scale, one.closed, peak,
            )
        )  # fmt: skip
    return bumps, found.searches


def with_toys(found: Found, settings: Settings) -> Found:
    """Return a bump with its toys counted; where they give the larger p, they replace the calibration."""
    if found.by_fit:
        return found
    one = found.prepared
    n_ge = toys_beyond(
        settings.finder, found.smooth, found.significance, one.sigma, one.use,
        toys=settings.toys, seed=settings.seed, backend=settings.backend, closed=found.closed,
    )  # fmt: skip
    z = found.z_spectrum
    if n_ge:
        z = min(z, float(z_from_p((n_ge + 1) / (settings.toys + 1), two_sided=False)))
    return dataclasses.replace(found, z_spectrum=z, n_ge=n_ge, n=settings.toys)
