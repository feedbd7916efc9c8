"""The confirmation of marked regions on data that the scan has not seen.

A scan makes many trials, and its best regions are chosen by the data. In other data the regions are given, exactly as
they stand: cell, observable, rectangle or mass and width, test and direction. There are as many trials as regions, and
their p-values need no more than Holm's correction.

Examples
--------
>>> import tempfile
>>> from coffea_ddp.plan.plan_files import load_plan
>>> from coffea_ddp.running.driver import run
>>> from coffea_ddp.scanning.driver import scan
>>> from coffea_ddp.testing import make_nanoaod
>>> plan = load_plan("symmetries")
>>> with tempfile.TemporaryDirectory() as folder:
...     path = make_nanoaod(f"{folder}/nano.root", events=3_000, seed=1)
...     first, second = run(plan.half("a"), path), run(plan.half("b"), path)
>>> found = confirm(scan(first, toys=50), second, rows=[1, 2])
>>> [one.row.number for one in found.regions], found.n_confirmed
([1, 2], 0)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coffea_ddp.errors import InputError, check_progress
from coffea_ddp.evidence.confirmation import Confirmation, ConfirmedRegion
from coffea_ddp.evidence.counts_regions import TESTS, counts_region, outcome_of_counts
from coffea_ddp.evidence.marked import LEVEL, marked
from coffea_ddp.evidence.other_regions import outcome_of_bump, outcome_of_events
from coffea_ddp.evidence.outcomes import Outcome, untested
from coffea_ddp.evidence.seen import check_unseen
from coffea_ddp.histograms.io import as_histograms
from coffea_ddp.report.numbered import refuse_compared
from coffea_ddp.report.overview import as_report
from coffea_ddp.report.report import ScanReport
from coffea_ddp.scanning.expectation import Expectation, as_expectation
from coffea_ddp.scanning.options import channels_of, shares_of
from coffea_ddp.scanning.provenance import inputs
from coffea_ddp.stats import checks
from coffea_ddp.stats.trials import holm

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.rows import Row
    from coffea_ddp.scanning.expectation import ChannelExpectation
    from coffea_ddp.scanning.shares import ScanShares

TOYS = 10_000
"""Number of pseudo-experiments: few regions are tested, and p below 1/1,000 is what is asked for."""

_PLAN = "the plan's kappa, taken as exact"

MOST_FITS = 1_000
"""Largest number of pseudo-experiments of stored events, and of spectra, each of which is fitted."""


def confirm(
    report: ScanReport | str | Path,
    hists: Histograms | str | Path,
    *,
    rows: Sequence[int] | None = None,
    level: float = LEVEL,
    toys: int = TOYS,
    seed: int = 0,
    expectation: Expectation | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Confirmation:
    """Test the marked regions of a report, unchanged, on data that the scan has not seen.

    Parameters
    ----------
    report
        Of a scan, or its path.
    hists
        The output of a pass of the same plan over other data, or its path: other files, or the other half
        (:meth:`coffea_ddp.ScanPlan.half`).
    rows
        Numbers of the rows that are tested, from 1; by default those with a global p of at most ``level`` that
        kinematics do not explain, one of those that hold mostly the same events. More regions are more trials.
    level
        The probability that any region is confirmed where the null holds in all of them, at most.
    toys, seed
        Pseudo-experiments, where p is counted.
    expectation
        What is expected of side B in the new data, as for :func:`coffea_ddp.scan`.
    progress
        Called before each region, and at the end, with the regions done, those in all, and the name of the next one.

    Returns
    -------
    Confirmation
        p of every region, one-sided in the direction in which it was marked, and after all regions (Holm).

    Raises
    ------
    InputError
        If the scan has seen these data, they are of another plan, or a number or an option cannot be.
    FormatError
        If the report does not tell which data it is of.

    Examples
    --------
    >>> import tempfile
    >>> from coffea_ddp import run, scan, testing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = [testing.make_nanoaod(f"{folder}/{seed}.root", events=300, seed=seed) for seed in (1, 2)]
    ...     first, second = (run("dimuon_charge", file) for file in files)
    >>> report = scan(first, toys=20, seed=1)
    >>> len(confirm(report, second, rows=[1], toys=50).regions)
    1
    """
    check_progress("confirm", progress)
    report = as_report("confirm", report)
    hists = as_histograms("confirm", hists)
    _check(level, toys, seed)
    check_unseen(report, hists)
    chosen = marked(report, rows, level=level)
    refuse_compared(
        chosen,
        "run the plan over the other data with the same simulation, scan that with --symmetry and --observable of the "
        "row, and read the row of the same cell; name rows of symmetries and spectra with --row",
    )
    given = as_expectation("confirm", expectation)
    expected = _Expected.of(hists, chosen, given)
    outcomes = []
    for number, row in enumerate(chosen):
        if progress is not None:
            progress(number, len(chosen), f"row {row.number}: {row.observable} | {row.cell}")
        outcomes.append(_outcome(row, report, expected, toys, seed))
    if progress is not None:
        progress(len(chosen), len(chosen), "")
    adjusted = holm([one.p for one in outcomes]).tolist()
    regions = tuple(
        ConfirmedRegion(row, outcome, p, p <= level and not outcome.reason)
        for row, outcome, p in zip(chosen, outcomes, adjusted, strict=True)
    )
    return Confirmation(report.plan, regions, level, toys, seed, inputs(hists), tuple(_notes(report, chosen, given)))


def _check(level: float, toys: int, seed: int) -> None:
    if not 0 < checks.number(level, "level") < 1:
        raise InputError(f"level={level!r}: give a probability between 0 and 1")
    checks.toys(toys, "toys", least=1)
    checks.seed(seed)


def _notes(report: ScanReport, rows: Sequence[Row], expectation: Expectation) -> list[str]:
    """Return a difference between what the scan expected of side B and what is expected here."""
    before, now = str(report.options.get("expectation") or ""), expectation.method
    if before == now or not any(row.kind == "symmetry" for row in rows):
        return []
    return [f"expected of side B, in the scan: {before or _PLAN}; here: {now or _PLAN}"]


class _Expected:
    """Expectations of the observables of an output."""

    def __init__(self, hists: Histograms, expectation: Expectation, shares: ScanShares | None) -> None:
        self.hists, self._expectation, self._shares = hists, expectation, shares
        self._known: dict[tuple[str, str], ChannelExpectation] = {}

    @classmethod
    def of(cls, hists: Histograms, rows: Sequence[Row], expectation: Expectation) -> _Expected:
        """Return what is expected of all symmetries, checked as in a scan."""
        channels = [one for one in channels_of(hists, None, None) if one[0] in hists.symmetries]
        if not any(row.kind == "symmetry" for row in rows):
            return cls(hists, expectation, None)
        expectation.check(hists.layout, channels)
        calibrated, shares = shares_of(hists, expectation, channels, "binomial")
        return cls(calibrated, expectation, shares)

    def observable(self, symmetry: str, name: str) -> ChannelExpectation:
        """Return what is expected of an observable, made once for all of its regions."""
        if (symmetry, name) not in self._known:
            self._known[symmetry, name] = self._made(symmetry, name)
        return self._known[symmetry, name]

    def _made(self, symmetry: str, name: str) -> ChannelExpectation:
        counts, events = self.hists.cell_counts(symmetry, name), self.hists.cell_counts(symmetry)
        found = self._expectation.of(counts, events, self.hists.layout.symmetry(symmetry).kappa)
        calibrated = None if self._shares is None else self._shares.of(counts)
        return found if calibrated is None else dataclasses.replace(found, shares=calibrated)


def _outcome(row: Row, report: ScanReport, expected: _Expected, toys: int, seed: int) -> Outcome:
    hists = expected.hists
    if row.kind == "spectrum":
        stronger = [
            other
            for other in report.rows
            if other.kind == "spectrum"
            and (other.observable, other.cell) == (row.observable, row.cell)
            and _place(other) < _place(row)
        ]
        return outcome_of_bump(row, hists, stronger, toys=min(toys, MOST_FITS), seed=seed)
    if row.test in ("nplm", "classifier"):
        return outcome_of_events(row, hists, toys=min(toys, MOST_FITS), seed=seed)
    if row.test not in TESTS:
        return untested(f"{row.test!r} is a test of your own: regions are confirmed by the tests of the package")
    counts = hists.cell_counts(str(row.symmetry), str(row.observable))
    codes = hists.layout.grid.contains(hists.layout.grid.cell(str(row.cell)), counts.codes)
    region = counts_region(counts, codes, row)
    return outcome_of_counts(region, expected.observable(str(row.symmetry), str(row.observable)), toys=toys, seed=seed)


def _place(row: Row) -> int:
    return 1 if row.bump is None or row.bump.bump_number is None else row.bump.bump_number
