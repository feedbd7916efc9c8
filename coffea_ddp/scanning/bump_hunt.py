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

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coffea_ddp.errors import InputError, check_progress, named
from coffea_ddp.report.report import ScanReport
from coffea_ddp.scanning.bump_contents import Contents, contents_of
from coffea_ddp.scanning.bump_found import Found, found_in, in_order
from coffea_ddp.scanning.bump_range import MIN_EVENTS, Prepared, prepare_all
from coffea_ddp.scanning.bump_rows import lost_row, rows_of
from coffea_ddp.scanning.bump_search import Settings
from coffea_ddp.scanning.bump_works import SpectraSearch, SpectraToys, WithToys, searches_of
from coffea_ddp.scanning.engines import Engine, Threads
from coffea_ddp.scanning.steps import Progress
from coffea_ddp.spectra.given import as_spectra
from coffea_ddp.spectra.spectrum import MassSpectrum
from coffea_ddp.stats import checks
from coffea_ddp.stats.defaults import TOYS
from coffea_ddp.stats.status import Status

if TYPE_CHECKING:
    from coffea_ddp.report.rows import Row
    from coffea_ddp.stats.bumphunt.finder import BumpFinder

TOYS_FOR = 20
"""Number of the best spectra whose p-value is made with toys."""
ONE: Engine = Threads(1)
"""One thread of this process."""


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
    check_progress("bump_hunt", progress)
    checks.number(min_events, "min_events", low=0.0)
    options = {
        "toys": checks.toys(toys, "toys"), "toys_for": checks.whole(toys_for, "toys_for"),
        "min_events": min_events, "whole": checks.flag(whole, "whole"),
    }  # fmt: skip
    seed, backend = checks.seed(seed), checks.choice(backend, "backend", ("numpy", "torch"))
    if finder is not None and not hasattr(finder, "evaluate"):
        raise InputError(
            f"bump_hunt, finder: got {named(finder)}; give a BumpFinder, or None for the one of the package"
        )
    if not isinstance(title, str):
        raise InputError(f"bump_hunt, title: got {named(title)}; give text")
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
    engine: Engine = ONE,
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
    engine
        What searches: threads, or the workers of a cluster.
    """
    toys, toys_for = int(options["toys"]), int(options["toys_for"])
    if toys < 0 or toys_for < 0:
        raise InputError(f"toys={toys}, toys_for={toys_for}: give 0 or more")
    prepared = prepare_all(spectra, min_events=options["min_events"], whole=options["whole"])
    if spectra and all(one.status is Status.BAD_WIDTH for one in prepared):
        raise InputError(f"{spectra[0].name}: width: {prepared[0].reason}")
    settings = Settings(finder, backend, toys, seed)
    usable = [one for one in prepared if one.status is Status.OK]
    told = _Told(progress, len(usable))
    found, searches = _all_found(usable, settings, engine, told)
    found = in_order(found, searches)
    checked: Sequence[int] = []
    if toys and toys_for:
        checked = range(len(found)) if choose is None else choose(rows_of(found, searches))
    found = _with_toys(found, checked[:toys_for], settings, engine, told)
    rows = rows_of(in_order(found, searches), searches)
    rows += [lost_row(one) for one in prepared if one.status is not Status.OK]
    told.end()
    return ScanReport(
        plan=title, fingerprint="", seed=seed, inputs=_inputs(spectra), trials=searches, rows=tuple(rows),
        options={"tests": ["bump"], **options},
    )  # fmt: skip


@dataclass
class _Told:
    """Progress: spectra that were searched, then toys of the best."""

    progress: Progress | None
    total: int
    done: int = 0

    def begin(self) -> None:
        """Report that nothing is done yet."""
        self._report("")

    def spectra(self, _name: str, number: int) -> None:
        """Count spectra."""
        self.done += number
        self._report("")

    def end(self) -> None:
        """Report that all is done."""
        self.done = self.total
        self._report("")

    def toys(self, number: int) -> Callable[[str, int], None]:
        """Return what counts the bumps whose toys are made, of a number."""
        done = 0
        self._report(f"toys of the best: 0 of {number}")

        def count(_name: str, more: int) -> None:
            nonlocal done
            done += more
            self._report(f"toys of the best: {done} of {number}")

        return count

    def _report(self, what: str) -> None:
        if self.progress is not None:
            self.progress(self.done, self.total, what)


def _all_found(usable: Sequence[Prepared], settings: Settings, engine: Engine, told: _Told) -> tuple[list[Found], int]:
    """Return the bumps of all spectra, or the strongest candidate of those without; and the number of searches."""
    found, searches, numbers = list[Found](), 0, deque[list[int]]()

    def works() -> Iterator[SpectraSearch]:
        for some, work in searches_of(usable, settings):
            numbers.append(some)
            yield work

    told.begin()
    for outcomes in engine.results(works(), told.spectra):
        for number, one in zip(numbers.popleft(), outcomes, strict=True):
            found += found_in(usable[number], one)
            searches += one.searches
    return found, searches


def _with_toys(
    found: Sequence[Found], numbers: Sequence[int], settings: Settings, engine: Engine, told: _Told
) -> list[Found]:
    """Return all bumps, those of some numbers with toys, which say nothing of bumps that are known by their fit."""
    changed = list(found)
    checked = [number for number in numbers if not found[number].candidate.by_fit]
    if not checked:
        return changed
    bumps = tuple(WithToys(found[number].candidate, found[number].prepared.bins) for number in checked)
    (reached,) = engine.results([SpectraToys(bumps, settings)], told.toys(len(checked)))
    for number, n_ge in zip(checked, reached, strict=True):
        changed[number] = found[number].with_toys(n_ge, settings.toys)
    return changed


def _inputs(spectra: Sequence[Contents]) -> dict[str, Any]:
    try:
        package = version("coffea-ddp")
    except PackageNotFoundError:  # run from a source tree that was never installed
        package = "unknown"
    return {"spectra": len(spectra), "partial": any(one.partial for one in spectra), "package": package}
