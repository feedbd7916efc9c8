"""Scan of comparisons of data with simulation: every test of every cell, toys of both, and the ranking.

As in the scan of symmetries, cells that hold the same events are tested once, and one toy is a toy of all cells of an
observable with their correlations. But nothing is relabelled: each sample is drawn within its statistics, variations
move all bins together, and the data are Poisson (:mod:`coffea_ddp.stats.simulated.expected`).
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coffea_ddp.histograms.comparison_layout import SIDES
from coffea_ddp.histograms.lattice import DistinctCells, distinct_cells
from coffea_ddp.histograms.layout import EVENTS
from coffea_ddp.report.ordering import consistent, ranked
from coffea_ddp.report.report import ScanReport
from coffea_ddp.report.summaries import SymmetrySummary
from coffea_ddp.scanning.compared_cells import (
    ComparedCells,
    ComparedExpectation,
    ComparedTest,
    ComparedWork,
    KeptCells,
)
from coffea_ddp.scanning.compared_counts import ComparedCounts, compared_counts
from coffea_ddp.scanning.deviations import BestDeviations, Deviation, ScanFamily
from coffea_ddp.scanning.global_p import GlobalSignificance, bounds, from_nulls
from coffea_ddp.scanning.provenance import inputs
from coffea_ddp.scanning.ranking import ranked_rows
from coffea_ddp.scanning.scanned import NullScores
from coffea_ddp.scanning.simulation import Normalised, Simulation, normalised
from coffea_ddp.scanning.steps import Progress, Steps
from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.status import Status

if TYPE_CHECKING:
    from coffea_ddp._typing import IntArray
    from coffea_ddp.histograms.cell_counts import CellCounts
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.scanning.engines import Engine
    from coffea_ddp.scanning.per_symmetry import Channels
    from coffea_ddp.scanning.scanned import Family

HOW = "toys of the data, each sample of simulation drawn within its statistics"


@dataclass(frozen=True)
class ComparisonTests:
    """Tests of a scan of comparisons, and what they are made of.

    Attributes
    ----------
    tests
        What is tested.
    channels
        The comparisons, each with its observables.
    simulation
        What is said of the normalisation.
    min_events, best, toys, seed
        As of :func:`coffea_ddp.scanning.driver.scan`.
    engine
        What makes the toys.
    """

    tests: tuple[ComparedTest, ...]
    channels: Channels
    simulation: Simulation
    min_events: int
    best: int
    toys: int
    seed: int
    engine: Engine


class _Observable(NamedTuple):
    """One observable of a comparison, tested."""

    counts: ComparedCounts
    cells: ComparedCells
    families: tuple[ScanFamily[Any], ...]
    tested: tuple[IntArray, ...]


def scan_comparisons(hists: Histograms, asked: ComparisonTests, progress: Progress | None = None) -> ScanReport:
    """Test every cell of every comparison and rank the deviations.

    Parameters
    ----------
    hists
        The output of a pass.
    asked
        What is tested, and how.
    progress
        Called before each observable, after each block of toys, and at the end.

    Raises
    ------
    InputError, UnknownNameError
        If the simulation cannot be normalised (:func:`coffea_ddp.scanning.simulation.normalised`).
    """
    scaled = normalised(hists, asked.simulation)
    steps = Steps(progress, sum(len(names) for _, names in asked.channels), -(-asked.toys // TOYS))
    deviations = BestDeviations(asked.best)
    observed: list[_Observable] = []
    summaries = []
    for comparison, names in asked.channels:
        events = compared_counts(hists, scaled, asked.simulation, comparison)
        lattice = distinct_cells(hists.layout.grid, events.codes)
        statuses = dict.fromkeys((status.name for status in Status), 0)
        for name in names:
            steps.begin(f"{comparison}: {name}")
            counts = compared_counts(hists, scaled, asked.simulation, comparison, name)
            observed.append(_tested(counts, lattice, asked, deviations, statuses))
            steps.done += 1
        summaries.append(
            SymmetrySummary(comparison, SIDES, 1.0, lattice.n_total, lattice.n_empty, len(lattice), statuses)
        )
    everything = deviations.everything()
    significance = _significance(observed, everything, deviations, asked, steps)
    by_name = {(one.counts.comparison, one.counts.observable): one.counts for one in observed}

    def counts_of(comparison: str, observable: str = EVENTS) -> CellCounts:
        known = by_name.get((comparison, observable))
        found = known or compared_counts(hists, scaled, asked.simulation, comparison, observable)
        return found.as_counts()

    rows = ranked_rows(deviations, counts_of, everything, significance)
    steps.end()
    return ScanReport(
        plan=hists.layout.plan,
        fingerprint=hists.layout.fingerprint,
        seed=asked.seed,
        inputs=inputs(hists) | {"simulation": _told(scaled, observed, asked)},
        options={
            "tests": [test.name for test in asked.tests], "min_events": asked.min_events, "best": asked.best,
            "toys": asked.toys, "simulation": asked.simulation.words,
        },
        trials=sum(summary.n_tested for summary in summaries),
        rows=tuple(ranked([consistent(row) for row in rows])),
        summaries=tuple(summaries),
        z_histogram=deviations.z_histogram,
        global_p=significance.summary,
    )  # fmt: skip


def _told(scaled: Normalised, observed: Sequence[_Observable], asked: ComparisonTests) -> dict[str, Any]:
    """Return what was compared with what, as JSON-ready data."""
    found = scaled.told()
    nowhere = {}
    for one in observed:
        filled = np.sum([sample.n.sum(axis=0) for sample in one.counts.samples], axis=0) > 0
        nowhere[f"{one.counts.comparison}: {one.counts.observable}"] = int(one.counts.data[:, ~filled].sum())
    names = [name for one in observed for name in one.cells.expected.variations]
    said = asked.simulation
    return found | {
        "variations": list(dict.fromkeys(names)), "not_simulated": nowhere, "said": said.words,
        "asked": dataclasses.asdict(said),
    }  # fmt: skip


def _tested(
    counts: ComparedCounts,
    lattice: DistinctCells,
    asked: ComparisonTests,
    deviations: BestDeviations,
    statuses: dict[str, int],
) -> _Observable:
    """Test all cells of one observable, keeping the largest deviations and counting the outcomes."""
    cells = ComparedCells(counts.expected, lattice, counts.data.shape[1])
    expected: Any = ComparedExpectation()
    made: list[Any] = [test for test in asked.tests if _applies(test, counts, asked.tests)]
    enough = np.flatnonzero(cells.totals.sum(axis=1) >= asked.min_events)
    families = tuple(
        ScanFamily(test, counts.comparison, counts.observable, lattice, expected, counts.axes, "comparison")
        for test in made
    )
    tested: list[list[IntArray]] = [[] for _ in families]
    for index, block in cells.blocks(enough):
        for family, kept in zip(families, tested, strict=True):
            found = family.test.observed(block, counts.shape)
            finite = np.isfinite(found.statistic)
            statuses[Status.OK.name] += int(finite.sum())
            statuses[Status.NOT_FINITE.name] += int((~finite).sum())
            deviations.add(family, index, found, finite)
            kept.append(index[finite])
    statuses[Status.TOO_FEW_ENTRIES.name] += (len(lattice) - len(enough)) * len(families)
    nothing = np.zeros(0, np.int64)
    return _Observable(counts, cells, families, tuple(np.concatenate([nothing, *kept]) for kept in tested))


def _applies(test: ComparedTest, counts: ComparedCounts, tests: Sequence[ComparedTest]) -> bool:
    """Return whether a test is made of an observable: of one axis, the region of interest is the best sub-matrix."""
    one_axis = len(counts.axes) < 2
    if test.name == "roi":
        return one_axis
    return not (test.name == "submatrix" and one_axis and any(one.name == "roi" for one in tests))


def _significance(
    observed: Sequence[_Observable],
    everything: list[Deviation],
    deviations: BestDeviations,
    asked: ComparisonTests,
    steps: Steps,
) -> GlobalSignificance:
    """Return the global significance of the deviations: counted among toys, or a bound without any."""
    families = [deviation.family.key for deviation in everything]
    if not asked.toys or not everything:
        return bounds(families, np.array([one.bound for one in everything]), deviations.trials)
    kept: dict[Family, list[int]] = {}
    for one in everything:
        kept.setdefault(one.family.key, []).append(one.cell)
    nulls = _toys(observed, kept, asked, steps)
    cells, statistics = [one.cell for one in everything], np.array([one.statistic for one in everything])
    return from_nulls(families, cells, statistics, nulls, how=HOW)


def _toys(
    observed: Sequence[_Observable], kept: dict[Family, list[int]], asked: ComparisonTests, steps: Steps
) -> dict[Family, NullScores]:
    begun: deque[tuple[list[Family], ComparedWork]] = deque()

    def works() -> Iterator[ComparedWork]:
        for one in observed:
            used = [number for number, tested in enumerate(one.tested) if len(tested)]
            if used:
                work = _work(one, used, kept, asked)
                begun.append(([one.families[number].key for number in used], work))
                yield work

    found: dict[Family, NullScores] = {}
    for results in asked.engine.results(works(), steps.block):
        names, work = begun.popleft()
        for number, (name, test) in enumerate(zip(names, work.tests, strict=True)):
            best = np.concatenate([result[number][0] for result in results])[: asked.toys].astype(np.float64)
            scores = np.concatenate([result[number][1] for result in results], axis=1)[:, : asked.toys]
            mine = {cell: scores[row].astype(np.float64) for row, cell in enumerate(test.kept)}
            found[name] = NullScores(best, mine, keyed=False)
    return found


def _work(one: _Observable, used: Sequence[int], kept: dict[Family, list[int]], asked: ComparisonTests) -> ComparedWork:
    tests = []
    for number in used:
        family, tested = one.families[number], one.tested[number]
        mine = sorted(kept.get(family.key, []))
        keep = np.full(len(tested), -1)
        keep[np.searchsorted(tested, mine)] = np.arange(len(mine))
        prepared = family.test.prepared(one.cells, tested, one.counts.shape)
        tests.append(KeptCells(family.test.name, prepared, keep, tuple(mine)))
    name = f"{one.counts.comparison}: {one.counts.observable}"
    key = f"{one.counts.comparison}|{one.counts.observable}"
    return ComparedWork(name, key, one.cells.expected, tuple(tests), asked.toys, asked.seed)
