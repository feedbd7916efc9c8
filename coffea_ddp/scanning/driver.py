"""The scan: every test on every cell of the lattice, for every symmetry and observable.

Cells that hold the same events are tested once, under their shortest name. A block of membership rows times
the contents of the exclusive cells gives the matrices of a block of cells in one product; only the best rows
and a histogram of all z are kept, so memory is bounded by the block and not by the lattice.

Examples
--------
>>> import hist
>>> from coffea_ddp.histograms.cells import CellGrid, Multiplicity
>>> from coffea_ddp.histograms.histograms import Histograms
>>> from coffea_ddp.histograms.layout import Layout, SymmetryLayout
>>> axis = hist.axis.Regular(4, 0.0, 100.0, name="met")
>>> symmetry = SymmetryLayout("e/mu", ("e", "mu"), 1.0, (("met", (axis,)),))
>>> report = scan(Histograms.empty(Layout("demo", "0" * 16, CellGrid((Multiplicity("j", last=2),)), (symmetry,))))
>>> report.trials, len(report.rows), report.summaries[0].n_empty
(0, 0, 5)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.histograms.io import as_histograms
from coffea_ddp.histograms.lattice import DistinctCells, distinct_cells
from coffea_ddp.histograms.samples import SymmetryEvents
from coffea_ddp.report.ordering import consistent, ranked
from coffea_ddp.report.report import ScanReport
from coffea_ddp.report.report_files import MOST_ROWS
from coffea_ddp.report.summaries import SymmetrySummary
from coffea_ddp.scanning.binned_tests import TESTS
from coffea_ddp.scanning.bump_cells import hunt_cells, joined
from coffea_ddp.scanning.bump_hunt import TOYS as BUMP_TOYS
from coffea_ddp.scanning.cell_matrices import CellBlocks
from coffea_ddp.scanning.expectation import Expectation
from coffea_ddp.scanning.global_p import Significance, bounds, from_nulls
from coffea_ddp.scanning.options import BUMP, channels_of, check_used, null_of, tests_of
from coffea_ddp.scanning.provenance import inputs
from coffea_ddp.scanning.pseudo_experiments import Family, ScannedObservable, pseudo_experiments
from coffea_ddp.scanning.ranking import Candidate, Collector, Where
from coffea_ddp.scanning.unbinned_scan import EventScan, FullFits
from coffea_ddp.scanning.unbinned_tests import EVENT_TESTS
from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.relabelling import NullKind
from coffea_ddp.stats.status import Status

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray
    from coffea_ddp.histograms.histograms import Histograms

Progress = Callable[[int, int, str], None]
"""Told how many of how many (symmetry, observable) pairs are done, and the name of the next one."""

MIN_EVENTS = 20
"""Below this many entries a matrix says nothing at 3 sigma, and its null is not normal."""

N_BEST = 1_000
"""Number of rows that a report keeps."""


def scan(
    hists: Histograms | str | Path,
    tests: Sequence[str] | None = None,
    *,
    permutations: int = 0,
    null: str | None = None,
    seed: int = 0,
    min_events: int = MIN_EVENTS,
    best: int = N_BEST,
    symmetries: Sequence[str] | None = None,
    observables: Sequence[str] | None = None,
    kappa: float | str | Mapping[str, float | str] = "plan",
    kappa_error: float | Mapping[str, float] = 0.0,
    systematic: float | Mapping[str, float] = 0.0,
    correction: Any = None,
    jobs: int | None = None,
    toys: int | None = None,
    fits: FullFits | None = None,
    progress: Progress | None = None,
) -> ScanReport:
    """Test every cell of the lattice and rank what was found.

    Parameters
    ----------
    hists
        The output of a pass, or its path.
    tests
        Names of tests; by default ``"nsigma"`` of symmetries and ``"bump"`` of spectra, as the plan has them.
        ``"bump"`` looks for bumps in the mass spectra (:func:`coffea_ddp.scanning.bump_cells.hunt_cells`); what it
        takes of the other options is ``best`` and ``seed``. ``"nsigma"`` compares the in-range bins of A and B
        (:func:`coffea_ddp.stats.n_sigma`); ``"submatrix"`` finds the best of all rectangles by its summed counts,
        ``"submatrix_nsigma"`` by its N_sigma (:func:`coffea_ddp.stats.scan_submatrices`). ``"nplm"`` and
        ``"classifier"`` compare the shapes of the stored events (:mod:`coffea_ddp.scanning.unbinned_tests`): NPLM in
        all cells, of every observable and of all stored features together; a classifier of all features in cells that
        ask at most one question.
    permutations
        Pseudo-experiments with relabelled events, from which global p-values come; 0: the Sidak bound.
    null
        How they are relabelled: ``"binomial"``, or ``"fixed"`` with N_A kept (:mod:`coffea_ddp.stats.relabelling`). By
        default the one that is right: fixed for ``kappa="global"`` without corrections and systematic errors, else
        binomial (with kappa estimated anew in every pseudo-experiment where it is estimated).
    seed
        Of the pseudo-experiments.
    min_events
        Cells with fewer in-range entries on both sides together are counted as ``TOO_FEW_ENTRIES`` and not
        tested; with weights, fewer effective entries ``(sum w)^2 / sum w^2``.
    best
        How many rows the report keeps; kept besides are the best of every (test, symmetry, observable), of every
        column of the table of symmetries (:mod:`coffea_ddp.report.overview`), and of every spectrum. All tested cells
        are in the histogram of z.
    symmetries, observables
        Names; all by default. ``"events"`` is the observable that every symmetry has, the number of events:
        one bin, which is tested only where it is asked for.
    kappa, kappa_error, systematic, correction
        What is expected of side B (:class:`coffea_ddp.scanning.expectation.Expectation`): by default the plan's kappa,
        taken as exact. A mapping gives each symmetry its own: ``kappa={"e/mu": 1.15}``. Rows then also tell what z
        would be without.
    jobs
        Threads for the pseudo-experiments; all cores by default. No result depends on it.
    toys
        Background-only toys for the p-values of the best spectra; 1,000 by default.
    fits
        Which rows of ``"nplm"`` are fitted in full, and how.
    progress
        Called before each (symmetry, observable), after each block of pseudo-experiments, and at the end.

    Returns
    -------
    ScanReport
        Ranked. Global p-values are counted among pseudo-experiments, or bounds; ``method`` says which.

    Raises
    ------
    UnknownNameError
        If a test, symmetry or observable does not exist.
    InputError
        If ``min_events`` or ``best`` is below 1, ``permutations`` below 0, no test is named, or an option cannot be
        used or has no effect: it is of a test that is not made, or of a symmetry without any of the observables.

    Notes
    -----
    The statistics of arXiv:2203.07529 in the cells of the DDP table, with M = number of non-empty bins. Cells overlap;
    the Sidak bound holds for jointly normal statistics whatever their correlation, and is conservative.
    """
    everything = tests_of(tests, hists := as_histograms("scan", hists))
    chosen = tuple(name for name in everything if name in TESTS)
    on_events = tuple(name for name in everything if name in EVENT_TESTS)
    expectation = Expectation(kappa, kappa_error, systematic, correction)
    check_used(
        everything, expectation, symmetries=symmetries, observables=observables, permutations=permutations, null=null,
        toys=toys, fits=fits,
    )  # fmt: skip
    if BUMP in everything:
        bumps = hunt_cells(hists, best=best, toys=BUMP_TOYS if toys is None else toys, seed=seed, progress=progress)
    _check_numbers(min_events, best, permutations)
    channels = channels_of(hists, symmetries, observables)
    expectation.check(hists.layout, channels)
    kind = null_of(null, expectation, [symmetry for symmetry, _ in channels])
    collector = Collector(best)
    events = EventScan(hists, on_events, expectation, min_events=min_events, seed=seed)
    fields = {symmetry: events.fields(names) for symmetry, names in channels}
    n_places = sum(len(names) * bool(chosen) + len(fields[symmetry]) for symmetry, names in channels)
    steps = _Steps(progress, n_places, -(-permutations // TOYS))
    summaries, looked = [], []
    for symmetry, names in channels:
        all_events, kappa = hists.cell_counts(symmetry), hists.layout.symmetry(symmetry).kappa
        cells = distinct_cells(hists.layout.grid, all_events.codes)
        statuses = dict.fromkeys((status.name for status in Status), 0)
        for observable in names if chosen else ():
            steps.begin(f"{symmetry}: {observable}")
            counts = hists.cell_counts(symmetry, observable)
            expected = expectation.of(counts, all_events, kappa)
            blocks = CellBlocks(counts, cells, min_events=min_events, side_ratio=expected.side_ratio)
            families = [Where(test, symmetry, observable, cells, TESTS[test], expected) for test in chosen]
            looked.append([(where, _run(where, blocks, collector, statuses)) for where in families])
            steps.done += 1
        for test, observable in fields[symmetry]:
            steps.begin(f"{symmetry}: {observable} ({test})")
            events.look(symmetry, test, observable, cells, collector, statuses)
            steps.done += 1
        summaries.append(_summary(hists, symmetry, cells, statuses))
    candidates = collector.everything()
    draw = _Draw(permutations, kind, seed, jobs)
    worth = _worth(hists, (looked, events), candidates, collector.trials, draw, steps)
    full = fits or FullFits()
    rows = events.finished(collector.rows(hists, candidates, worth), candidates, full, steps.begin)
    rows = tuple(ranked([consistent(row) for row in rows]))
    steps.end()
    report = ScanReport(
        plan=hists.layout.plan,
        fingerprint=hists.layout.fingerprint,
        seed=seed,
        inputs=inputs(hists),
        options={
            "tests": [*chosen, *on_events], "min_events": min_events, "best": best, "permutations": permutations,
            "null": kind if permutations else None, "expectation": expectation.method,
            **({"fits": full.told} if "nplm" in on_events else {}),
        },
        trials=sum(summary.n_tested for summary in summaries),
        rows=rows,
        summaries=tuple(summaries),
        z_histogram=collector.z_histogram,
        global_p=worth.summary,
    )  # fmt: skip
    return joined(report, bumps) if BUMP in everything else report


def _check_numbers(min_events: int, best: int, permutations: int) -> None:
    for name, value, least in (("min_events", min_events, 1), ("best", best, 1), ("permutations", permutations, 0)):
        if value < least:
            raise InputError(f"{name}={value}: give {least} or more")
    if best > MOST_ROWS:
        raise InputError(f"best={best:,}: a report keeps at most {MOST_ROWS:,} rows")


class _Tested(NamedTuple):
    """The cells that a test could test; all of shape (n_tested,)."""

    cells: IntArray
    kappa: FloatArray
    scale: FloatArray


@dataclass
class _Steps:
    """Progress in steps of one: observables first, then blocks of pseudo-experiments."""

    progress: Progress | None
    n_observables: int
    n_blocks: int
    done: int = 0

    @property
    def total(self) -> int:
        return self.n_observables * (1 + self.n_blocks)

    def begin(self, what: str) -> None:
        if self.progress is not None:
            self.progress(self.done, self.total, what)

    def block(self, what: str) -> None:
        self.done += 1
        self.begin(what)

    def part(self, what: str, done: int, of: int) -> None:
        """Tell of a part of the blocks of one test on events."""
        already = self.done
        self.done += self.n_blocks * done // of
        self.begin(what)
        self.done = self.done if done == of else already

    def end(self) -> None:
        if self.progress is not None and self.total:
            self.progress(self.total, self.total, "")


def _run(where: Where, blocks: CellBlocks, collector: Collector, statuses: dict[str, int]) -> _Tested:
    """Test all cells of one channel, keeping the best and counting the rest."""
    tested = 0
    parts = []
    for block in blocks:
        found = TESTS[where.test].observed(block, where.expected)
        finite = np.isfinite(found.statistic)
        tested += len(finite)
        statuses[Status.OK.name] += int(finite.sum())
        lost = Status.NO_RATIO if where.expected.own or where.expected.status else Status.NOT_FINITE
        statuses[lost.name] += int((~finite).sum())
        collector.add(where, block.cells, found, finite)
        parts.append(_Tested(block.cells[finite], found.kappa[finite], found.scale[finite]))
    statuses[Status.TOO_FEW_ENTRIES.name] += len(where.cells) - tested
    if not parts:
        return _Tested(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    return _Tested(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class _Draw(NamedTuple):
    """Settings of the pseudo-experiments."""

    permutations: int
    null: NullKind
    seed: int
    jobs: int | None


def _worth(
    hists: Histograms,
    looked: tuple[list[list[tuple[Where, _Tested]]], EventScan],
    candidates: list[Candidate],
    trials: Mapping[str, int],
    draw: _Draw,
    steps: _Steps,
) -> Significance:
    """Return what the candidates are worth after all looks."""
    families = [candidate.where.family for candidate in candidates]
    statistics = np.array([candidate.statistic for candidate in candidates])
    if not draw.permutations or not candidates:
        return bounds(families, np.array([candidate.bound for candidate in candidates]), trials)
    binned, events = looked
    observables = _to_relabel(hists, binned, candidates)
    nulls = pseudo_experiments(
        observables, draw.permutations, null=draw.null, seed=draw.seed, jobs=draw.jobs, progress=steps.block
    )
    nulls |= events.nulls(
        candidates, draw.permutations, null=draw.null, seed=draw.seed, jobs=draw.jobs, progress=steps.part
    )
    cells = [candidate.cell for candidate in candidates]
    how = {"binomial": "binomial labels", "fixed": "labels with N_A kept"}[draw.null]
    return from_nulls(families, cells, statistics, nulls, how=how)


def _to_relabel(
    hists: Histograms, looked: list[list[tuple[Where, _Tested]]], candidates: list[Candidate]
) -> Iterator[ScannedObservable]:
    """Yield the observables in which any cell was tested, and which cells' pseudo-experiments are wanted."""
    events_of = functools.lru_cache(1)(functools.partial(SymmetryEvents.of, hists))
    kept: dict[Family, set[int]] = {}
    for candidate in candidates:
        kept.setdefault(candidate.where.family, set()).add(candidate.cell)
    for tests in looked:
        used = [(where, tested) for where, tested in tests if len(tested.cells)]
        if used:
            where = used[0][0]
            yield ScannedObservable(
                hists.cell_counts(where.symmetry, where.observable),
                hists.cell_counts(where.symmetry),
                events_of(where.symmetry),
                where.cells,
                {where.test: tested.cells for where, tested in used},
                {where.test: np.array(sorted(kept[where.family]), dtype=np.int64) for where, _ in used},
                {where.test: tested.scale for where, tested in used},
                {where.test: tested.kappa for where, tested in used},
                where.expected,
            )


def _summary(hists: Histograms, symmetry: str, cells: DistinctCells, statuses: dict[str, int]) -> SymmetrySummary:
    layout = hists.layout.symmetry(symmetry)
    return SymmetrySummary(
        symmetry=symmetry,
        sides=layout.sides,
        kappa=layout.kappa,
        n_cells=cells.n_total,
        n_empty=cells.n_empty,
        n_distinct=len(cells),
        statuses=statuses,
    )
