"""All events of a marked region, selected anew in the files by the plan: also those that a pass does not store.

The region becomes a plan of its own: the events of its cell and ranges on the sides of its symmetry, or those of its
cell with the mass within two widths of a bump. What runs plans then runs it, on any executor.

Examples
--------
>>> import tempfile
>>> from coffea_ddp.plan.plan_files import load_plan
>>> from coffea_ddp.scanning.driver import scan
>>> from coffea_ddp.testing import make_nanoaod
>>> plan = load_plan("symmetries")
>>> with tempfile.TemporaryDirectory() as folder:
...     path = make_nanoaod(f"{folder}/nano.root", events=3_000, seed=1)
...     report = scan(run(plan, path), "submatrix", toys=0)
...     found = select_events(report, plan, path, row=1)
>>> len(found) == report.rows[0].n_a + report.rows[0].n_b
True
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError, some_of
from coffea_ddp.evidence.counts_regions import spans_of
from coffea_ddp.evidence.region_events import RegionEvents, events_of
from coffea_ddp.histograms.samples import SymmetryEvents
from coffea_ddp.histograms.split import EventSplit
from coffea_ddp.plan.checks import one_bool_each
from coffea_ddp.plan.datasets import datasets
from coffea_ddp.plan.mass_counts import exclusive_cells
from coffea_ddp.plan.observables import Feature
from coffea_ddp.plan.plan import ScanPlan
from coffea_ddp.plan.plan_files import load_plan
from coffea_ddp.plan.spectrum import Spectrum
from coffea_ddp.plan.symmetry import Predicate, Symmetry
from coffea_ddp.report.numbered import numbered_row, refuse_compared
from coffea_ddp.report.overview import as_report
from coffea_ddp.report.report import ScanReport
from coffea_ddp.running.driver import run
from coffea_ddp.running.fileset import normalise

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray
    from coffea_ddp.events.selected import SelectedEvents
    from coffea_ddp.report.rows import Row

MOST_EVENTS = 1_000_000
"""Largest number of events of a region that are listed."""

Ranges = tuple[tuple[Feature, Any, tuple[int, int]], ...]
"""A feature, its axis, and the first bin and one past the last, for every axis of an observable."""


def select_events(
    report: ScanReport | str | Path, plan: ScanPlan | str | Path, fileset: Any, *, row: int = 1, **options: Any
) -> RegionEvents:
    """Return all events of a region of a report, selected anew in the files.

    Parameters
    ----------
    report
        Of a scan, or its path.
    plan
        The plan of the report, unchanged; the path of its file, or a shipped plan's name.
    fileset
        The files, in any form that :func:`coffea_ddp.run` takes: those that were scanned, some of them, or others.
    row
        Number of the row, from 1.
    options
        Of :func:`coffea_ddp.run`: ``executor``, ``workers``, ``client``, ``reading``, ``deduplicate``, ``progress``.

    Returns
    -------
    RegionEvents
        Of a spectrum with the mass as a feature (``mass``) and no sides.

    Raises
    ------
    InputError
        If the report has no such row, the plan is another one, or the region has more than :data:`MOST_EVENTS` events
        in one exclusive cell.
    DDPError
        If the files cannot be run over.

    Examples
    --------
    >>> import tempfile
    >>> from coffea_ddp import scan, testing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = testing.make_nanoaod(f"{folder}/nano.root", events=2000, seed=1)
    ...     report = scan(run("dimuon_charge", path), toys=0)
    ...     len(select_events(report, "dimuon_charge", path)) == report.rows[0].n_a + report.rows[0].n_b
    True
    """
    report = as_report("select_events", report)
    plan = plan if isinstance(plan, ScanPlan) else load_plan(plan)
    if report.fingerprint != plan.fingerprint:
        raise InputError(
            f"select_events: the report is of the plan {report.plan!r} ({report.fingerprint or 'of none'}), the plan "
            f"is {plan.name!r} ({plan.fingerprint}); give the plan of the report, unchanged"
        )
    found = numbered_row(report, row)
    refuse_compared(
        [found], "give the events of its cell a plan with a symmetry or a spectrum, or select them yourself"
    )
    made = _plan_of(replace(plan, split=EventSplit.from_dict(report.inputs.get("split"))), found, fileset)
    hists = run(made, fileset, **options)
    stored = SymmetryEvents.of(hists, made.symmetries[0].name)
    n_events = int(hists.cell_counts(made.symmetries[0].name).entries.sum())
    if n_events > len(stored):
        raise InputError(
            f"row {row}: {n_events:,} events in the region, of which at most {MOST_EVENTS:,} of an exclusive cell are "
            "listed; choose a smaller region, or fewer files"
        )
    everything = np.arange(len(stored))
    sides = None if found.symmetry is None else made.symmetries[0].sides
    return RegionEvents(found, events_of(stored, everything, sides), n_events)


def _check_one_trigger(row: Row, spectrum: Spectrum, fileset: Any) -> None:
    """Stop where a spectrum with a trigger takes its events from datasets that have triggers, too."""
    about = datasets(normalise(fileset))
    triggered = [name for name, one in about.items() if one.triggers]
    if triggered:
        raise InputError(
            f"row {row.number}: the spectrum {spectrum.name!r} has a trigger of its own, and so have the datasets "
            f"({some_of(triggered, 5)}), of which it takes each event once; give the files without their triggers"
        )


def _plan_of(plan: ScanPlan, row: Row, fileset: Any) -> ScanPlan:
    """Return a plan of the events of a region alone."""
    in_cell = _Both(plan.selection, _InCell(plan, str(row.cell)))
    if row.kind == "spectrum":
        spectrum = next(one for one in plan.spectra if one.name == row.observable)
        if spectrum.trigger is not None:
            _check_one_trigger(row, spectrum, fileset)
            plan = replace(plan, trigger=spectrum.trigger)
        low, high = _window(row)
        mass = Feature("mass", "mass", "GeV", _MassOf(spectrum), low, high)
        only = Symmetry("in the window/", a=_InWindow(spectrum, low, high), b=_never, observables=(), sides=("A", "B"))
        symmetries: tuple[Symmetry, ...] = (only,)
        features: tuple[Feature, ...] = (mass,)
    else:
        symmetry = next(one for one in plan.symmetries if one.name == row.symmetry)
        observable = next((one for one in symmetry.observables if one.name == row.observable), None)
        if observable is not None:  # the number of events, and all features together, have no axes
            spans = spans_of(row, tuple(len(axis) for axis in observable.axes))
            ranges = tuple(zip(observable.features, observable.axes, spans, strict=True))
            in_cell = _Both(in_cell, _InRanges(symmetry, ranges))
        symmetries, features = (replace(symmetry, observables=()),), plan.all_features
    return replace(
        plan, symmetries=symmetries, features=features, selection=in_cell, spectra=(), known=(),
        calibration=None if row.kind == "spectrum" else plan.calibration, max_stored=MOST_EVENTS,
    )  # fmt: skip


def _window(row: Row) -> tuple[float, float]:
    """Return the masses within two widths of a bump."""
    axes = () if row.region is None else row.region.axes
    if len(axes) != 1 or axes[0].low is None or axes[0].high is None:
        raise InputError(f"row {row.number}: it tells no range of masses around its bump")
    return axes[0].low, axes[0].high


def _never(events: SelectedEvents) -> BoolArray:
    return np.zeros(events.n_events, dtype=bool)


@dataclass(frozen=True, eq=False)  # axes cannot be hashed
class _Both:
    """Events that pass two selections; the second is asked of those that pass the first."""

    first: Predicate | None
    second: Predicate

    def __call__(self, events: SelectedEvents) -> BoolArray:
        keep = np.ones(events.n_events, dtype=bool)
        if self.first is not None:
            keep = one_bool_each("selection", self.first(events), events)
        passed = np.flatnonzero(keep)
        keep[passed] = self.second(events.take(passed))
        return keep


@dataclass(frozen=True, eq=False)  # axes cannot be hashed
class _InCell:
    """Events in a cell of a plan."""

    plan: ScanPlan
    cell: str

    def __call__(self, events: SelectedEvents) -> BoolArray:
        grid = self.plan.layout.grid
        return np.asarray(grid.contains(grid.cell(self.cell), exclusive_cells(self.plan, events)))


@dataclass(frozen=True, eq=False)  # axes cannot be hashed
class _InRanges:
    """Events on a side of a symmetry whose features are in ranges."""

    symmetry: Symmetry
    ranges: Ranges

    def __call__(self, events: SelectedEvents) -> BoolArray:
        # Features are asked of events on a side alone, as in a pass.
        on = np.flatnonzero(self.symmetry.assign(events) >= 0)
        mine = events.take(on)
        inside = np.ones(len(on), dtype=bool)
        for feature, axis, (first, stop) in self.ranges:
            bins = np.asarray(axis.index(feature.values(mine)))
            inside &= (bins >= first) & (bins < stop)
        keep = np.zeros(events.n_events, dtype=bool)
        keep[on[inside]] = True
        return keep


@dataclass(frozen=True, eq=False)  # axes cannot be hashed
class _MassOf:
    """The mass of a spectrum, NaN where an event has none."""

    spectrum: Spectrum

    def __call__(self, events: SelectedEvents) -> FloatArray:
        rows, masses = self.spectrum.found(events)
        found = np.full(events.n_events, np.nan)
        found[rows] = masses
        return found


@dataclass(frozen=True, eq=False)  # axes cannot be hashed
class _InWindow:
    """Events with the mass of a spectrum in a window."""

    spectrum: Spectrum
    low: float
    high: float

    def __call__(self, events: SelectedEvents) -> BoolArray:
        masses = _MassOf(self.spectrum)(events)
        return np.asarray((masses >= self.low) & (masses < self.high))
