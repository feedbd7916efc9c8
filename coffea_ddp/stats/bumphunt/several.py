"""All bumps of spectra: the strongest of each first, then what is beside it with its shape profiled, and so on.

Examples
--------
>>> import numpy as np
>>> from coffea_ddp.stats.bumphunt.finder import shipped
>>> x = np.arange(120)
>>> expected = 2e3 * np.exp(-x / 60.0)
>>> for place, height in ((40, 3e3), (70, 8e2)):
...     expected += height * np.exp(-0.5 * ((x - place) / 2.0) ** 2)
>>> counts = np.random.default_rng(1).poisson(expected)[None].astype(float)
>>> use, sigma = np.ones((1, 120)), np.full(120, 2.0)
>>> together = Together(counts, use, sigma, hunt(shipped(), counts, sigma, use))
>>> ((found,),) = all_bumps(shipped(), [together])
>>> [round(one.place) for one in found.peaks]
[40, 70]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.stats.bumphunt.flags import NOT_SMOOTH
from coffea_ddp.stats.bumphunt.hunt import Hunted, calibrated_z, hunt
from coffea_ddp.stats.bumphunt.peak_shape import Peak
from coffea_ddp.stats.bumphunt.peaks import Profiled, profiled_together
from coffea_ddp.stats.bumphunt.toys import DOUBTLESS
from coffea_ddp.stats.trials import p_from_z

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray
    from coffea_ddp.stats.bumphunt.finder import BumpFinder

CHANCE = 0.05
"""Bumps are searched on while the last one has a smaller p."""
_NO_STEP = 12.0
"""A candidate of this z is not the effect of a step."""
MOST = 8
"""The largest number of bumps in one spectrum."""


@dataclass(frozen=True, eq=False)
class AllBumps:
    """All bumps of one spectrum.

    Attributes
    ----------
    z_spectrum
        Of the strongest one, after all bins and widths.
    peaks
        The strongest and those in ``beside``, as fitted together.
    beside
        Those beside the strongest, in the order in which they were found.
    rest
        What was found, and is no bump, in the counts without any of them: whether these are smooth is seen there.
    rest_counts
        These counts, shape (1, n_bins).
    searches
        How many searches that took, the first one included.
    complete
        Whether the search ended as nothing more was found, and not as there were too many.
    beyond_doubt
        Whether the strongest one is such that nobody would call it the effect of a step.
    by_fit
        Whether its z is what its fit gains in deviance, as no smooth shape describes the spectrum with it.
    """

    z_spectrum: float
    peaks: tuple[Peak, ...]
    beside: tuple[Beside, ...]
    rest: Hunted
    rest_counts: FloatArray
    searches: int
    complete: bool
    beyond_doubt: bool
    by_fit: bool


@dataclass(frozen=True, eq=False)
class Beside:
    """A bump beside others, which were taken out.

    Attributes
    ----------
    hunted
        What was found, of one spectrum.
    z_spectrum
        The calibrated z of the evidence, after all bins and widths.
    counts
        The counts without the others, shape (1, n_bins).
    closed
        Where the others hide everything, shape (n_bins,).
    scale
        By how much its significance is less than found, as the shapes of the others are not described
        (:class:`~coffea_ddp.stats.bumphunt.peaks.Profiled`); ``z_spectrum`` is the smaller one.
    """

    hunted: Hunted
    z_spectrum: float
    counts: FloatArray
    closed: BoolArray
    scale: float


@dataclass(frozen=True, eq=False)
class Together:
    """Spectra of one length and width, and what was found in them.

    Attributes
    ----------
    counts, use
        Shape (n_spectra, n_bins).
    sigma
        Width of the signal in bins, shape (n_bins,); ``None``: several are tried.
    first
        What was found in all of them.
    """

    counts: FloatArray
    use: FloatArray
    sigma: FloatArray | None
    first: Hunted

    @cached_property
    def calibrated(self) -> FloatArray:
        """The one-sided z of the calibrated p of every spectrum, shape (n_spectra,); -inf where none was searched."""
        searched = self.first.estimates.inside.any(axis=1)
        return np.where(searched, calibrated_z(self.first, self.sigma), -np.inf)


def all_bumps(
    finder: BumpFinder,
    spectra: Sequence[Together],
    *,
    below: float = CHANCE,
    most: int = MOST,
    backend: str = "numpy",
) -> list[list[AllBumps | None]]:
    """Return all bumps of spectra, until one has a larger p than ``below``, which is not one; ``None``: no bump.

    A candidate of less evidence is a bump, too, where no smooth shape describes the spectrum, and one does when the
    candidate is taken out: of a narrow window around a strong peak, nothing else can tell. Bumps that are none any more
    when the pulls of the fit of all of them are taken into account are left out.

    Parameters
    ----------
    finder
        The network.
    spectra
        Of any lengths and widths: the outcome has a list for each of these.
    below, most
        The p, by the calibration, at which it ends, and the largest number of bumps, the strongest included.
    backend
        ``"numpy"`` or ``"torch"``.
    """
    searches = _begun(spectra, below)
    going = searches
    while going:
        fitted = profiled_together([(one.counts, one.use, one.peaks) for one in going])
        first = 0
        # Searches of one length and width follow each other.
        for number, some in groupby(going, key=lambda one: one.group):
            searched = list(some)
            taken = fitted[first : first + len(searched)]
            first += len(searched)
            _go_on(finder, spectra[number], searched, taken, (below, most, backend))
        going = [one for one in going if not one.ended]
    out: list[list[AllBumps | None]] = [[None] * len(one.counts) for one in spectra]
    for one in searches:
        out[one.group][one.row] = _outcome(one, below)
    return out


def _go_on(
    finder: BumpFinder,
    spectra: Together,
    searches: Sequence[_Search],
    fitted: Sequence[Profiled],
    settings: tuple[float, int, str],
) -> None:
    """Search in what fits leave of some spectra of one length and width."""
    below, most, backend = settings
    rests, closed = (np.array([getattr(one, name) for one in fitted]) for name in ("rest", "closed"))
    use = np.array([one.use for one in searches])
    hunted = hunt(finder, rests, spectra.sigma, use, backend=backend, closed=closed)
    for one, peaks, found in zip(searches, fitted, hunted.each(), strict=True):
        one.take(peaks, found, calibrated_z_of(found, spectra.sigma), below, most)


@dataclass(eq=False)
class _Search:
    """The search in one spectrum as far as it has come: its peaks, what was found beside them, and the rest.

    ``calibrated`` is the z of its strongest candidate, ``z_first`` that or what its fit gains.
    """

    group: int
    row: int
    counts: FloatArray
    use: FloatArray
    first: Hunted
    calibrated: float
    z_first: float
    peaks: list[Peak]
    found: list[Beside] = field(default_factory=list)
    complete: bool = False
    ended: bool = False
    fitted: Profiled = field(init=False)
    hunted: Hunted = field(init=False)

    def take(self, fitted: Profiled, hunted: Hunted, z: float, below: float, most: int) -> None:
        """Take in what was found in the rest of a fit: another bump, or nothing more."""
        self.fitted, self.hunted = fitted, hunted
        self.complete = not _is_bump(z, below)
        self.ended = self.complete or len(self.peaks) == most
        if not self.ended:
            self.found.append(Beside(hunted, z, fitted.rest[None], fitted.closed, 1.0))
            self.peaks.append(peak_of(hunted))


def _begun(spectra: Sequence[Together], below: float) -> list[_Search]:
    """Return the searches in spectra whose strongest candidate is a bump, in their order.

    Where it is none by its evidence, and no smooth shape describes the spectrum, its z is what a fit of the candidate
    gains in deviance, five parameters and their places paid for.
    """
    found, doubtful = list[_Search](), list[_Search]()
    for number, together in enumerate(spectra):
        sure = p_from_z(together.calibrated, two_sided=False) < below
        for row in np.flatnonzero(sure | _may_be_fitted(together)).tolist():
            first, z = together.first.only(row), float(together.calibrated[row])
            one = _Search(number, row, together.counts[row], together.use[row], first, z, z, [peak_of(first)])
            found.append(one)
            if not sure[row]:
                doubtful.append(one)
    for one, fitted in zip(
        doubtful, profiled_together([(one.counts, one.use, one.peaks) for one in doubtful]), strict=True
    ):
        bins = float(one.use.sum())
        gain = float(one.first.spread[0]) * np.sqrt(2.0 * bins) - 5.0 * np.log(bins)
        one.z_first = float(np.sqrt(max(gain, 0.0))) / fitted.scale[0]
        one.ended = not _is_bump(one.z_first, below)
    return [one for one in found if not one.ended]


def _may_be_fitted(spectra: Together) -> BoolArray:
    """Return which spectra no smooth shape describes, and have a candidate beyond doubt; shape (n_spectra,)."""
    first = spectra.first
    peak = first.estimates.peak[np.arange(len(first.best)), first.best]
    return ~(first.spread <= NOT_SMOOTH) & first.estimates.inside.any(axis=1) & (peak >= DOUBTLESS)


def _outcome(search: _Search, below: float) -> AllBumps | None:
    """Return the bumps of a spectrum whose search has ended."""
    fitted, hunted, first = search.fitted, search.hunted, search.first
    if not _is_bump(search.calibrated, below) and not _is_smooth(hunted):
        return None
    scaled = [
        replace(one, z_spectrum=one.z_spectrum / scale, scale=scale)
        for one, scale in zip(search.found, fitted.scale[1:], strict=True)
    ]
    kept = [number for number, one in enumerate(scaled) if _is_bump(one.z_spectrum, below)]
    peaks = [fitted.peaks[0], *(fitted.peaks[1 + number] for number in kept)]
    beyond_doubt = bool(first.estimates.peak[0, int(first.best[0])] > _NO_STEP)
    return AllBumps(
        search.z_first, tuple(peaks), tuple(scaled[number] for number in kept), hunted, fitted.rest[None],
        2 + len(search.found), search.complete, beyond_doubt, by_fit=search.z_first > search.calibrated,
    )  # fmt: skip


def calibrated_z_of(hunted: Hunted, sigma: FloatArray | None) -> float:
    """Return the one-sided z of the calibrated p of one spectrum; -inf where nothing could be searched."""
    return float(calibrated_z(hunted, sigma)[0]) if hunted.estimates.inside.any() else -np.inf


def _is_smooth(hunted: Hunted) -> bool:
    return float(hunted.spread[0]) <= NOT_SMOOTH


def _is_bump(z: float, below: float) -> bool:
    return float(p_from_z(z, two_sided=False)) < below


def peak_of(hunted: Hunted) -> Peak:
    """Return the strongest bump of one spectrum as a peak to be fitted."""
    place = int(hunted.best[0])
    return Peak(float(place), float(hunted.sigma[0, place]))
