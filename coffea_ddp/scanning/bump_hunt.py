"""The bump hunt in many spectra: where each begins and ends, what is masked, the network, and one ranking.

Examples
--------
>>> import hist
>>> import numpy as np
>>> from coffea_ddp.spectra.spectrum import MassSpectrum
>>> spectra = []
>>> for seed, peak in enumerate([0.0, 400.0]):
...     x = np.arange(60)
...     expected = 5e3 * np.exp(-x / 20.0) + peak * np.exp(-0.5 * ((x - 30.0) / 2.0) ** 2)
...     counts = np.random.default_rng(seed).poisson(expected)
...     axis = hist.axis.Regular(60, 100.0, 700.0, name="mass")
...     spectra.append(MassSpectrum("m0m1", f"j={seed}", hist.Hist(axis, data=counts), width=20.0))
>>> best = bump_hunt(spectra, toys=100).rows[0]
>>> best.cell, best.test, best.bump.low, best.bump.high, bool(abs(best.bump.position - 405.0) < 20.0)
('j=1', 'bump', 100.0, 700.0, True)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.report.ordering import sort_key
from coffea_ddp.report.parts import BumpPart
from coffea_ddp.report.regions import Range, Region
from coffea_ddp.report.report import ScanReport
from coffea_ddp.report.rows import Row
from coffea_ddp.scanning.bump_range import MIN_EVENTS, Prepared, prepare
from coffea_ddp.spectra.given import as_spectra
from coffea_ddp.spectra.spectrum import MassSpectrum
from coffea_ddp.stats.bumphunt.hunt import Hunted, calibrated_z, flags_of, hunt, toys_beyond
from coffea_ddp.stats.defaults import TOYS
from coffea_ddp.stats.status import Status
from coffea_ddp.stats.trials import p_from_z, sidak_z, z_from_p

if TYPE_CHECKING:
    from coffea_ddp.stats.bumphunt.finder import BumpFinder

Progress = Callable[[int, int, str], None]

TOYS_FOR = 20
"""Number of the best spectra whose p-value is made with toys."""


@dataclass(frozen=True, eq=False)
class _Found:
    """Estimates for one spectrum: z at the bump, and after all bins and widths; toys where there are any."""

    prepared: Prepared
    z: float
    error: float
    position: float
    width: float
    z_spectrum: float
    flags: tuple[str, ...]
    n_ge: int | None = None
    n: int | None = None

    def place(self, trials: int) -> tuple[float, float]:
        """Return what it is ranked by after a number of trials."""
        return sort_key(float(p_from_z(self.z_global(trials), two_sided=False)), self.z)

    def z_global(self, trials: int) -> float:
        """Return the global z for a number of spectra."""
        return float(sidak_z(self.z_spectrum, trials, two_sided=False))


def bump_hunt(
    spectra: Sequence[MassSpectrum] | MassSpectrum | str | Path,
    *,
    toys: int = TOYS,
    toys_for: int = TOYS_FOR,
    seed: int = 0,
    min_events: float = MIN_EVENTS,
    whole: bool = False,
    finder: BumpFinder | None = None,
    backend: str = "numpy",
    progress: Progress | None = None,
    title: str = "spectra",
) -> ScanReport:
    """Search all spectra for bumps, and rank them.

    Parameters
    ----------
    spectra
        Of any binning, or the path of a file of them (ROOT, UHI JSON, CSV). Their width is that of a narrow signal;
        where they have none, several are tried.
    toys, toys_for
        Number of background-only toys, drawn from a smooth estimate of a spectrum, and for how many of the best
        spectra: a check of the calibrated p: where any of them reaches the spectrum, the larger of the two p is
        reported. 0: none.
    seed
        Of the toys.
    min_events, whole
        Of :func:`prepare`.
    finder
        The network; the package's by default.
    backend
        ``"numpy"`` or ``"torch"``.
    progress
        Called with the number of spectra done, and of all.
    title
        What the report is called.

    Returns
    -------
    ScanReport
        A row for every spectrum: first the ranked ones, then those that were not tested, with their status.
        ``p_cell`` is after all bins and widths of a spectrum, by the calibration of the network unless its toys say
        more; ``p_global`` is the Sidak bound on it over all spectra. All are one-sided: excesses count.

    Raises
    ------
    InputError
        If there is no spectrum, an option is negative, or the signal's width fits to none of the spectra.
    """
    spectra = as_spectra("bump_hunt", spectra)
    if toys < 0 or toys_for < 0:
        raise InputError(f"toys={toys}, toys_for={toys_for}: give 0 or more")
    from coffea_ddp.stats.bumphunt.finder import shipped  # numba, when used only

    chosen = finder or shipped()
    prepared = [prepare(spectrum, min_events=min_events, whole=whole) for spectrum in spectra]
    if spectra and all(one.status is Status.BAD_WIDTH for one in prepared):
        raise InputError(f"{spectra[0].title or spectra[0].combination}: width: {prepared[0].reason}")
    found, done = [], 0
    usable = [one for one in prepared if one.status is Status.OK]
    for group in _groups(usable):
        if progress is not None:
            progress(done, len(usable), "")
        found += _hunt_group(group, chosen, backend)
        done += len(group)
    trials = len(found)
    found.sort(key=lambda one: one.place(trials))
    for number, one in enumerate(found[: toys_for if toys else 0]):
        if progress is not None:
            progress(len(usable), len(usable), f"toys of {number + 1} of the best")
        found[number] = _with_toys(one, chosen, toys, seed, backend)
    found.sort(key=lambda one: one.place(trials))
    rows = [_row(one, rank, trials) for rank, one in enumerate(found, 1)]
    rows += [_lost(one) for one in prepared if one.status is not Status.OK]
    if progress is not None:
        progress(len(usable), len(usable), "")
    options = {"tests": ["bump"], "toys": toys, "toys_for": toys_for, "min_events": min_events, "whole": whole}
    return ScanReport(
        plan=title, fingerprint="", seed=seed, inputs=_inputs(spectra), trials=len(found), rows=tuple(rows),
        options=options,
    )  # fmt: skip


def _groups(prepared: Sequence[Prepared]) -> list[list[Prepared]]:
    """Return the spectra of one length and width together."""
    groups: dict[Any, list[Prepared]] = {}
    for one in prepared:
        sigma = one.sigma
        groups.setdefault((one.stop - one.first, None if sigma is None else sigma.tobytes()), []).append(one)
    return list(groups.values())


def _hunt_group(group: list[Prepared], finder: BumpFinder, backend: str) -> list[_Found]:
    counts, use = np.array([one.counts for one in group]), np.array([one.use for one in group])
    sigma = group[0].sigma
    hunted = hunt(finder, counts, sigma, use, backend=backend)
    calibrated = calibrated_z(hunted, sigma)
    flags = flags_of(counts, hunted, use)
    return [_found(one, hunted, row, float(calibrated[row]), flags[row]) for row, one in enumerate(group)]


def _found(prepared: Prepared, hunted: Hunted, row: int, calibrated: float, flags: tuple[str, ...]) -> _Found:
    edges, best = prepared.edges, int(hunted.best[row])
    z = float(hunted.estimates.peak[row, best])
    return _Found(
        prepared,
        z=z,
        error=float(hunted.estimates.error[row, best]),
        position=float(0.5 * (edges[best] + edges[best + 1])),
        width=float(hunted.sigma[row, best] * (edges[best + 1] - edges[best])),
        # Many bins are not more significant than the best of them.
        z_spectrum=min(calibrated, z),
        flags=flags,
    )


def _row(found: _Found, rank: int, trials: int) -> Row:
    spectrum, edges = found.prepared.spectrum, found.prepared.edges
    z_global = found.z_global(trials)
    nowhere = "NO_DOMAIN" in found.flags
    return Row(
        kind="spectrum", symmetry=None, observable=spectrum.title or spectrum.combination, cell=spectrum.cell,
        region=Region((Range("", found.position - 2 * found.width, found.position + 2 * found.width, "GeV"),)),
        decays_to=spectrum.decays_to, test="bump", n_a=None, n_b=float(found.prepared.counts.sum()), statistic=found.z,
        p_local=float(p_from_z(found.z, two_sided=False)),
        z_local=found.z,
        p_global=float(p_from_z(z_global, two_sided=False)),
        z_global=z_global,
        method="bump network",
        p_method=_p_method(found),
        global_method=f"Sidak over {trials} spectra",
        status=Status.NO_DOMAIN.name if nowhere else Status.OK.name,
        rank=rank,
        similar_to=rank,
        n_bins=int(found.prepared.use.sum()),
        p_cell=float(p_from_z(found.z_spectrum, two_sided=False)),
        bump=BumpPart(
            found.position, found.width, found.error, float(edges[0]), float(edges[-1]), " ".join(found.flags)
        ),
        n_ge=found.n_ge,
        n=found.n,
    )  # fmt: skip


def _p_method(found: _Found) -> str:
    """Return how the p-values of a spectrum were made, in words."""
    spectrum = "calibrated on background-only spectra"
    if found.n_ge is not None:
        toys = f"{found.n} toys of a smooth estimate of it"
        spectrum += f", the larger of this p and that of {toys}" if found.n_ge else f", none of {toys} reaches it"
    return f"one-sided; p spectrum: {spectrum}"


def _with_toys(found: _Found, finder: BumpFinder, toys: int, seed: int, backend: str) -> _Found:
    """Return what was found with its toys counted; where they give the larger p, they replace the calibration."""
    one = found.prepared
    counts, use = one.counts[None], one.use[None]
    hunted = hunt(finder, counts, one.sigma, use, backend=backend)
    reached, _ = toys_beyond(finder, counts, hunted, one.sigma, use, toys=toys, seed=seed, backend=backend)
    n_ge, z = int(reached[0]), found.z_spectrum
    if n_ge:
        z = min(z, float(z_from_p((n_ge + 1) / (toys + 1), two_sided=False)))
    return dataclasses.replace(found, z_spectrum=z, n_ge=n_ge, n=toys)


def _lost(one: Prepared) -> Row:
    """Return the row of a spectrum that was not tested."""
    spectrum, edges = one.spectrum, one.edges
    return Row(
        kind="spectrum", symmetry=None, observable=spectrum.title or spectrum.combination, cell=spectrum.cell,
        decays_to=spectrum.decays_to, region=None, test="bump", n_a=None, n_b=spectrum.entries, statistic=None,
        p_local=None, z_local=None, p_global=None, z_global=None, method="bump network", status=one.status.name,
        reason=one.reason or one.status.value, bump=BumpPart(low=float(edges[0]), high=float(edges[-1])),
    )  # fmt: skip


def _inputs(spectra: Sequence[MassSpectrum]) -> dict[str, Any]:
    try:
        package = version("coffea-ddp")
    except PackageNotFoundError:  # run from a source tree that was never installed
        package = "unknown"
    return {"spectra": len(spectra), "partial": any(one.partial for one in spectra), "package": package}
