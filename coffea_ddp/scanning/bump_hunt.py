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

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coffea_ddp.errors import InputError
from coffea_ddp.report.report import ScanReport
from coffea_ddp.scanning.bump_contents import Contents, contents_of
from coffea_ddp.scanning.bump_range import MIN_EVENTS, Prepared, prepare_all
from coffea_ddp.scanning.bump_rows import lost_row, rows_of
from coffea_ddp.scanning.bump_search import Found, Settings, in_order, searched, with_toys
from coffea_ddp.spectra.given import as_spectra
from coffea_ddp.spectra.spectrum import MassSpectrum
from coffea_ddp.stats.defaults import TOYS
from coffea_ddp.stats.status import Status

if TYPE_CHECKING:
    from coffea_ddp.report.rows import Row
    from coffea_ddp.stats.bumphunt.finder import BumpFinder

Progress = Callable[[int, int, str], None]

TOYS_FOR = 20
"""Number of the best spectra whose p-value is made with toys."""
_AT_ONCE = 4_096
"""Spectra that are searched together: what was found at every bin is in memory for so many, or twice as many."""


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
        A row for every spectrum, and for every bump beside the strongest one of it: first the ranked ones, then
        spectra that were not tested, with their status. ``p_cell`` is after all bins and widths of a spectrum, by the
        calibration of the network unless its toys say more; ``p_global`` is the Sidak bound on it over all searches
        (``trials``): one a spectrum, and one more after each bump. All are one-sided: excesses count.

    Raises
    ------
    InputError
        If there is no spectrum, an option is negative, or the signal's width fits to none of the spectra.

    Examples
    --------
    >>> import hist
    >>> import numpy as np
    >>> masses = hist.Hist.new.Reg(60, 60.0, 180.0, name="mass").Int64()
    >>> masses[...] = np.round(1e4 * np.exp(-np.arange(60) / 20)).astype(int)
    >>> bump_hunt(MassSpectrum("2mu", "inclusive", masses, width=3.0), toys=0).rows[0].test
    'bump'
    """
    options = {"toys": toys, "toys_for": toys_for, "min_events": min_events, "whole": whole}
    contents = contents_of(as_spectra("bump_hunt", spectra))
    return hunted(contents, options, seed=seed, finder=finder, backend=backend, progress=progress, title=title)


def hunted(
    spectra: Sequence[Contents],
    options: Mapping[str, Any],
    *,
    seed: int,
    finder: BumpFinder | None = None,
    backend: str = "numpy",
    progress: Progress | None = None,
    title: str = "spectra",
    choose: Callable[[list[Row]], Sequence[int]] | None = None,
) -> ScanReport:
    """Return the report of :func:`bump_hunt`.

    Parameters
    ----------
    spectra
        The contents of all.
    seed, finder, backend, progress, title
        Of :func:`bump_hunt`.
    options
        Its ``toys``, ``toys_for``, ``min_events`` and ``whole``.
    choose
        Gives of ranked rows the numbers of those that get toys; by default the first ones.
    """
    toys, toys_for = int(options["toys"]), int(options["toys_for"])
    if toys < 0 or toys_for < 0:
        raise InputError(f"toys={toys}, toys_for={toys_for}: give 0 or more")
    from coffea_ddp.stats.bumphunt.finder import shipped  # numba, when used only

    prepared = prepare_all(spectra, min_events=options["min_events"], whole=options["whole"])
    if spectra and all(one.status is Status.BAD_WIDTH for one in prepared):
        raise InputError(f"{spectra[0].name}: width: {prepared[0].reason}")
    settings = Settings(finder or shipped(), backend, toys, seed)
    usable = [one for one in prepared if one.status is Status.OK]
    found, searches = _all_found(usable, settings, progress or _silent)
    found = in_order(found, searches)
    checked: Sequence[int] = []
    if toys and toys_for:
        checked = range(len(found)) if choose is None else choose(rows_of(found, searches))
    for place, number in enumerate(checked[:toys_for], 1):
        if progress is not None:
            progress(len(usable), len(usable), f"toys of {place} of the best")
        found[number] = with_toys(found[number], settings)
    rows = rows_of(in_order(found, searches), searches)
    rows += [lost_row(one) for one in prepared if one.status is not Status.OK]
    if progress is not None:
        progress(len(usable), len(usable), "")
    return ScanReport(
        plan=title, fingerprint="", seed=seed, inputs=_inputs(spectra), trials=searches, rows=tuple(rows),
        options={"tests": ["bump"], **options},
    )  # fmt: skip


def _all_found(usable: Sequence[Prepared], settings: Settings, progress: Progress) -> tuple[list[Found], int]:
    """Return the bumps of all spectra, or the strongest candidate of those without; and the number of searches."""
    found: list[Found] = []
    searches = done = 0
    for groups in _batches(usable):
        progress(done, len(usable), "")
        for bumps, times in searched(groups, settings):
            found += bumps
            searches += times
        done += sum(map(len, groups))
    return found, searches


def _silent(_done: int, _total: int, _what: str) -> None:
    pass


def _batches(prepared: Sequence[Prepared]) -> Iterator[list[list[Prepared]]]:
    """Go through spectra, so many at once that peaks are fitted together; in lists of one length and width."""
    groups: dict[Any, list[Prepared]] = {}
    for one in prepared:
        groups.setdefault(one.bins.alike, []).append(one)
    batch, size = list[list[Prepared]](), 0
    for group in groups.values():
        for start in range(0, len(group), _AT_ONCE):
            batch.append(group[start : start + _AT_ONCE])
            size += len(batch[-1])
            if size >= _AT_ONCE:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def _inputs(spectra: Sequence[Contents]) -> dict[str, Any]:
    try:
        package = version("coffea-ddp")
    except PackageNotFoundError:  # run from a source tree that was never installed
        package = "unknown"
    return {"spectra": len(spectra), "partial": any(one.partial for one in spectra), "package": package}
