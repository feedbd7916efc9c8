"""The search in one spectrum: its strongest bump, what is beside it, and its range where not all of it is smooth.

Examples
--------
>>> import hist
>>> import numpy as np
>>> from coffea_ddp.scanning.bump_range import prepare
>>> from coffea_ddp.spectra.spectrum import MassSpectrum
>>> x = np.arange(80)
>>> expected = 5e3 * np.exp(-x / 40.0)
>>> for place, height in ((20, 3e3), (55, 900.0)):
...     expected += height * np.exp(-0.5 * ((x - place) / 2.0) ** 2)
>>> axis = hist.axis.Regular(80, 0.0, 80.0, name="mass")
>>> spectrum = MassSpectrum("m0m1", "", hist.Hist(axis, data=np.random.default_rng(1).poisson(expected)), width=2.0)
>>> (found,) = searched([[prepare(spectrum)]], Settings())
>>> [round(one.peak.place) for one in found.bumps], found.searches
([20, 55], 3)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.scanning.bump_range import Prepared, without_turn_on
from coffea_ddp.stats.bumphunt.flags import flags_of, without_bumps
from coffea_ddp.stats.bumphunt.hunt import hunt
from coffea_ddp.stats.bumphunt.several import CHANCE, AllBumps, Together, all_bumps
from coffea_ddp.stats.trials import p_from_z

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray
    from coffea_ddp.stats.bumphunt.finder import BumpFinder
    from coffea_ddp.stats.bumphunt.peak_shape import Peak

_NOT_SMOOTH = "NOT_SMOOTH"


@dataclass(frozen=True)
class Settings:
    """The network, where it runs, and the toys.

    Attributes
    ----------
    finder
        ``None``: the network of the package.
    backend
        ``"numpy"`` or ``"torch"``.
    toys, seed
        Background-only toys of the best spectra.
    """

    finder: BumpFinder | None = None
    backend: str = "numpy"
    toys: int = 0
    seed: int = 0

    @property
    def network(self) -> BumpFinder:
        """The network that is used."""
        from coffea_ddp.stats.bumphunt.finder import shipped  # numba, when used only

        return self.finder or shipped()


@dataclass(frozen=True, eq=False)
class Candidate:
    """A bump of a spectrum, or its strongest candidate.

    Attributes
    ----------
    best
        The bin of the bump, counted from the first of the range.
    found_z, error
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
    """

    best: int
    found_z: float
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

    @property
    def z(self) -> float:
        """The significance at the bump."""
        return self.found_z / self.scale

    @property
    def is_bump(self) -> bool:
        """True where p after all bins and widths is small enough to search on beside it."""
        return float(p_from_z(self.z_spectrum, two_sided=False)) < CHANCE


class Searched(NamedTuple):
    """Outcome of the search in one spectrum.

    Attributes
    ----------
    bumps
        The strongest candidate, and the bumps beside it.
    searches
        How many searches that took.
    cut
        The range that they were found in, where it is not the one that was given: its first bin, that behind its last,
        and why.
    """

    bumps: tuple[Candidate, ...]
    searches: int
    cut: tuple[int, int, str] | None = None


def searched(groups: Sequence[Sequence[Prepared]], settings: Settings) -> list[Searched]:
    """Return all bumps of each of several spectra, the strongest first.

    The strongest candidate is returned whether it is a bump or not. Where no smooth shape describes what is left
    without bumps, and the spectrum has a turn-on, it is searched behind that, if this is smooth.

    Parameters
    ----------
    groups
        Spectra of one length and width each; the outcome is in their order.
    settings
        The network.
    """
    given = [one for group in groups for one in group]
    found, first = _searched(groups, settings)
    cuts = {
        number: cut
        for number, one in enumerate(given)
        if _NOT_SMOOTH in found[number].bumps[0].flags and (cut := _behind_turn_on(one, first[number]))
    }
    alike: dict[tuple[int, bytes], list[int]] = {}
    for number, cut in cuts.items():
        alike.setdefault(cut.bins.alike, []).append(number)
    again, _ = _searched([[cuts[number] for number in numbers] for numbers in alike.values()], settings)
    for number, behind in zip((one for some in alike.values() for one in some), again, strict=True):
        cut, before = cuts[number], found[number]
        searches = before.searches + behind.searches
        if _NOT_SMOOTH in behind.bumps[0].flags:
            found[number] = before._replace(searches=searches)
        else:
            found[number] = Searched(behind.bumps, searches, (cut.first, cut.stop, cut.reason))
    return found


def _behind_turn_on(prepared: Prepared, first: Candidate) -> Prepared | None:
    """Return the range of a spectrum behind its turn-on; ``None``: there is none."""
    return without_turn_on(prepared, first.best if first.is_bump else None, first.sigma)


def _searched(groups: Sequence[Sequence[Prepared]], settings: Settings) -> tuple[list[Searched], list[Candidate]]:
    """Return the bumps of spectra, each with those beside it; and the strongest candidates before these were found."""
    together = [_together(group, settings) for group in groups]
    first = [candidate for one in together for candidate in _candidates(one)]
    beside = [one for of_group in all_bumps(settings.network, together, backend=settings.backend) for one in of_group]
    use = (row for one in together for row in one.use)
    return [_bumps(*one) for one in zip(first, beside, use, strict=True)], first


def _together(group: Sequence[Prepared], settings: Settings) -> Together:
    counts, use = np.array([one.counts for one in group]), np.array([one.use for one in group])
    sigma = group[0].sigma
    return Together(counts, use, sigma, hunt(settings.network, counts, sigma, use, backend=settings.backend))


def _candidates(together: Together) -> list[Candidate]:
    """Return the strongest candidate of each spectrum."""
    hunted, rows = together.first, np.arange(len(together.counts))
    best = hunted.best
    peak, error = hunted.estimates.peak[rows, best], hunted.estimates.error[rows, best]
    # Many bins are not more significant than the best of them.
    numbers = [peak, error, hunted.sigma[rows, best], hunted.significance, np.minimum(together.calibrated, peak)]
    flags, smooth = flags_of(together.counts, hunted, together.use), hunted.estimates.smooth
    return [
        Candidate(place, z, error, sigma, significance, background, z_spectrum, words)
        for place, (z, error, sigma, significance, z_spectrum), background, words in zip(
            best.tolist(), np.column_stack(numbers).tolist(), smooth, flags, strict=True
        )
    ]


def _bumps(first: Candidate, found: AllBumps | None, use: FloatArray) -> Searched:
    if found is None:
        return Searched((first,), 1)
    flags, smooth = first.flags, found.rest.estimates.smooth[0]
    if found.complete and found.beyond_doubt:
        flags = without_bumps(flags, flags_of(found.rest_counts, found.rest, use[None], found.peaks)[0])
    z = min(found.z_spectrum, first.found_z)
    bumps = [replace(first, flags=flags, smooth=smooth, peak=found.peaks[0], z_spectrum=z, by_fit=found.by_fit)]
    for number, (one, peak) in enumerate(zip(found.beside, found.peaks[1:], strict=True), 2):
        best, estimates = int(one.hunted.best[0]), one.hunted.estimates
        arrays = (estimates.peak, estimates.error, one.hunted.sigma)
        z, error, sigma = (float(values[0, best]) for values in arrays)
        bumps.append(
            Candidate(
                best, z, error, sigma, float(one.hunted.significance[0]), smooth, min(one.z_spectrum, z / one.scale),
                flags, number, one.scale, one.closed, peak,
            )
        )  # fmt: skip
    return Searched(tuple(bumps), found.searches)
