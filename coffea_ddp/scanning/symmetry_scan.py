"""Scan of symmetries: every test of every cell, its pseudo-experiments, and the ranking.

Cells that hold the same events are tested once, under their shortest name. A block of membership rows times the
contents of the exclusive cells gives the matrices of a block of cells in one product; only the largest deviations and a
histogram of all z are kept, so memory is bounded by the block and not by the lattice.
"""

from __future__ import annotations

import functools
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.histograms.lattice import DistinctCells, distinct_cells
from coffea_ddp.histograms.samples import SymmetryEvents
from coffea_ddp.report.ordering import consistent, ranked
from coffea_ddp.report.summaries import SymmetrySummary
from coffea_ddp.scanning.cell_matrices import CellBlocks
from coffea_ddp.scanning.data_tests import CellsTested, DataTests
from coffea_ddp.scanning.deviations import BestDeviations, Deviation, ScanFamily
from coffea_ddp.scanning.full_fits import with_full_fits
from coffea_ddp.scanning.global_p import GlobalSignificance, bounds, from_nulls
from coffea_ddp.scanning.nplm_cells import NPLM
from coffea_ddp.scanning.pseudo_experiments import pseudo_experiments
from coffea_ddp.scanning.ranking import ranked_rows
from coffea_ddp.scanning.scanned import ScannedCells, ScannedObservable
from coffea_ddp.scanning.steps import Progress, Steps
from coffea_ddp.scanning.unbinned_scan import (
    ScannedEvents,
    check_stored,
    null_scores,
    observables_of,
    scan_events,
    with_results,
)
from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.status import Status

if TYPE_CHECKING:
    from coffea_ddp.histograms.cell_counts import CellCounts
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.rows import Row
    from coffea_ddp.report.summaries import GlobalP, ZHistogram
    from coffea_ddp.scanning.engines import Engine
    from coffea_ddp.scanning.expectation import ChannelExpectation, Expectation
    from coffea_ddp.scanning.per_symmetry import Channels
    from coffea_ddp.scanning.protocols import CountsTest, EventsTest
    from coffea_ddp.scanning.scanned import Draw, Family
    from coffea_ddp.scanning.shares import ScanShares

PART = 4096
"""Distinct cells of an observable that are tested together, on one thread or worker; more of a large lattice."""
MOST_PARTS = 64
"""Parts of an observable: each has its largest deviations, which are held until all have been made."""


class SymmetryRows(NamedTuple):
    """Outcome of a scan of symmetries, as a report has it.

    Attributes
    ----------
    rows
        Ranked.
    summaries
        Of every symmetry.
    z_histogram
        Of all trials of tests with a normal z.
    global_p
        Global significance of the best of each symmetry, of each test, and of all.
    """

    rows: tuple[Row, ...]
    summaries: tuple[SymmetrySummary, ...]
    z_histogram: ZHistogram
    global_p: tuple[GlobalP, ...]


@dataclass(frozen=True)
class SymmetryTests:
    """Tests of a scan of symmetries, and what they are made of.

    Attributes
    ----------
    counts, events
        Tests of counts and of stored events.
    channels
        The symmetries, each with its observables.
    expectation
        Of side B.
    min_events, best
        Smallest number of entries of a cell that is tested; number of rows to keep.
    draw
        The pseudo-experiments.
    engine
        What makes the tests of counts, of the data and in pseudo-experiments.
    shares
        Expected shares of calibrated events; ``None`` without a calibration.
    """

    counts: tuple[CountsTest, ...]
    events: tuple[EventsTest, ...]
    channels: Channels
    expectation: Expectation
    min_events: int
    best: int
    draw: Draw
    engine: Engine
    shares: ScanShares | None = None

    def expected(self, counts: CellCounts, events: CellCounts, plan_kappa: float) -> ChannelExpectation:
        """Return what is expected of one observable of one symmetry."""
        found = self.expectation.of(counts, events, plan_kappa)
        calibrated = None if self.shares is None else self.shares.of(counts)
        return found if calibrated is None else replace(found, shares=calibrated)


@dataclass(frozen=True, eq=False)
class _Observed:
    """Results of the data, before any pseudo-experiment.

    Attributes
    ----------
    deviations
        The largest ones.
    counts
        Of every observable the tests of its counts, with the cells that they tested.
    events
        The tests of stored events.
    """

    deviations: BestDeviations
    counts: list[list[tuple[ScanFamily[CountsTest], CellsTested]]] = field(default_factory=list)
    events: dict[Family, ScannedEvents] = field(default_factory=dict)


def scan_symmetries(hists: Histograms, tests: SymmetryTests, progress: Progress | None = None) -> SymmetryRows:
    """Test every cell of every symmetry and rank the deviations.

    Parameters
    ----------
    hists
        The output of a pass.
    tests
        What is tested, and how.
    progress
        Called before each (symmetry, observable), after each block of pseudo-experiments, and at the end.
    """
    check_stored(hists, tests.events, tests.expectation)
    n_observables = sum(
        (len(names) if tests.counts else 0) + sum(len(observables_of(test, names)) for test in tests.events)
        for _, names in tests.channels
    )
    steps = Steps(progress, n_observables, -(-tests.draw.toys // TOYS))
    observed = _Observed(BestDeviations(tests.best))
    scanned = [_Scanned.of(hists, symmetry, names) for symmetry, names in tests.channels]
    if tests.counts:
        _scan_counts(hists, tests, scanned, observed, steps)
    for one in scanned:
        _scan_stored(hists, tests, one, observed, steps)
    summaries = [_summary(hists, one) for one in scanned]
    deviations = observed.deviations.everything()
    significance = _significance(hists, observed, deviations, tests, steps)
    rows = list(ranked_rows(observed.deviations, hists.cell_counts, deviations, significance))
    rows = with_results(rows, deviations, observed.events)
    for test in tests.events:
        if isinstance(test, NPLM):
            rows = with_full_fits(rows, hists, test, toys=tests.draw.toys, seed=tests.draw.seed, progress=steps.begin)
    steps.end()
    return SymmetryRows(
        tuple(ranked([consistent(row) for row in rows])),
        tuple(summaries),
        observed.deviations.z_histogram,
        significance.summary,
    )


class _Scanned(NamedTuple):
    """One symmetry: its events, its distinct cells, its observables, and what became of its trials."""

    events: CellCounts
    cells: DistinctCells
    names: Sequence[str]
    statuses: Counter[str]

    @classmethod
    def of(cls, hists: Histograms, symmetry: str, names: Sequence[str]) -> _Scanned:
        events = hists.cell_counts(symmetry)
        return cls(events, distinct_cells(hists.layout.grid, events.codes), names, Counter())


def _scan_counts(
    hists: Histograms, tests: SymmetryTests, scanned: Sequence[_Scanned], observed: _Observed, steps: Steps
) -> None:
    """Make the tests of counts of all observables."""
    begun: deque[tuple[_Scanned, DataTests]] = deque()

    def works() -> Iterator[DataTests]:
        for one in scanned:
            for observable in one.names:
                work = _data_tests(hists, tests, one, observable)
                begun.append((one, work))
                yield work

    names = deque(f"{one.events.symmetry}: {observable}" for one in scanned for observable in one.names)
    steps.begin(names.popleft() if names else "")
    for parts in tests.engine.results(works(), lambda _name, _n: None):
        one, work = begun.popleft()
        found = []
        for family, outcomes in zip(work.families, zip(*parts, strict=True), strict=True):
            for outcome in outcomes:
                observed.deviations.merge(outcome.deviations.with_family(family))
                one.statuses.update(outcome.statuses)
            found.append((family, CellsTested.joined([outcome.tested for outcome in outcomes])))
        observed.counts.append(found)
        steps.done += 1
        if names:
            steps.begin(names.popleft())


def _data_tests(hists: Histograms, tests: SymmetryTests, one: _Scanned, observable: str) -> DataTests:
    """Return the tests of the counts of one observable."""
    symmetry = one.events.symmetry
    counts = hists.cell_counts(symmetry, observable)
    expected = tests.expected(counts, one.events, hists.layout.symmetry(symmetry).kappa)
    blocks = CellBlocks(
        counts, one.cells, min_events=tests.min_events, side_ratio=expected.side_ratio,
        with_members=expected.shares is not None,
    )  # fmt: skip
    families = [ScanFamily(test, symmetry, observable, one.cells, expected, counts.axes) for test in tests.counts]
    size = max(PART, -(-len(one.cells) // MOST_PARTS))
    return DataTests(tuple(families), blocks, tests.best, size)


def _scan_stored(hists: Histograms, tests: SymmetryTests, one: _Scanned, observed: _Observed, steps: Steps) -> None:
    """Make the tests of stored events of one symmetry."""
    events, cells, names, statuses = one
    symmetry = events.symmetry
    if not tests.events:
        return
    expected = tests.expectation.of(events, events, hists.layout.symmetry(symmetry).kappa)
    made = [(test, name) for test in tests.events for name in observables_of(test, names)]
    for test, observable in made:
        steps.begin(f"{symmetry}: {observable} ({test.name})")
        family = ScanFamily(test, symmetry, observable, cells, expected)
        scanned = scan_events(hists, family, tests.shares, min_events=tests.min_events, seed=tests.draw.seed)
        steps.done += 1
        if isinstance(scanned, Status):
            statuses[scanned.name] += len(cells)
            continue
        known = np.isfinite(scanned.results.found.statistic)
        statuses[Status.OK.name] += int(known.sum())
        statuses[Status.ONE_SIDED.name] += int((~known).sum())
        statuses[Status.TOO_FEW_ENTRIES.name] += len(cells) - len(known)
        observed.deviations.add(family, scanned.results.cells, scanned.results.found, known)
        if known.any():
            observed.events[family.key] = scanned


def _significance(
    hists: Histograms, observed: _Observed, deviations: list[Deviation], tests: SymmetryTests, steps: Steps
) -> GlobalSignificance:
    """Return the global significance of the deviations: counted among pseudo-experiments, or a bound without any."""
    families, draw = [deviation.family.key for deviation in deviations], tests.draw
    if not draw.toys or not deviations:
        return bounds(families, np.array([one.bound for one in deviations]), observed.deviations.trials)
    nulls = pseudo_experiments(_to_relabel(hists, observed, deviations), draw, tests.engine, steps.block)
    nulls |= null_scores(observed.events.values(), deviations, draw, steps.part)
    cells, statistics = [one.cell for one in deviations], np.array([one.statistic for one in deviations])
    how = {"binomial": "binomial labels", "fixed": "labels with N_A kept"}[draw.null]
    return from_nulls(families, cells, statistics, nulls, how=how)


def _to_relabel(hists: Histograms, observed: _Observed, deviations: Sequence[Deviation]) -> Iterator[ScannedObservable]:
    """Yield the observables in which any cell was tested, and the cells whose pseudo-experiments are wanted."""
    kept: dict[Family, dict[int, float]] = {}
    for deviation in deviations:
        kept.setdefault(deviation.family.key, {})[deviation.cell] = abs(deviation.statistic)

    @functools.lru_cache(1)
    def of_symmetry(name: str) -> tuple[CellCounts, SymmetryEvents]:
        return hists.cell_counts(name), SymmetryEvents.of(hists, name)

    for tests in observed.counts:
        used = [(family, tested) for family, tested in tests if len(tested.cells)]
        if used:
            first = used[0][0]
            yield ScannedObservable(
                hists.cell_counts(first.symmetry, first.observable),
                *of_symmetry(first.symmetry),
                first.cells,
                tuple(_scanned(family, tested, kept) for family, tested in used),
                first.expected,
            )


def _scanned(
    family: ScanFamily[CountsTest], tested: CellsTested, kept: Mapping[Family, Mapping[int, float]]
) -> ScannedCells:
    mine = dict(sorted(kept[family.key].items()))
    cells, observed = np.array(list(mine), dtype=np.int64), np.array(list(mine.values()), dtype=np.float64)
    return ScannedCells(family.test, tested.cells, cells, observed, tested.kappa, tested.scale)


def _summary(hists: Histograms, one: _Scanned) -> SymmetrySummary:
    symmetry, cells = one.events.symmetry, one.cells
    layout = hists.layout.symmetry(symmetry)
    return SymmetrySummary(
        symmetry=symmetry,
        sides=layout.sides,
        kappa=layout.kappa,
        n_cells=cells.n_total,
        n_empty=cells.n_empty,
        n_distinct=len(cells),
        statuses={status.name: one.statuses[status.name] for status in Status},
    )
