"""The scan: every test on every cell of the lattice, for every symmetry and observable.

Cells that hold the same events are tested once, under their shortest name. A block of membership rows times
the contents of the exclusive cells gives the matrices of a block of cells in one product; only the best rows
and a histogram of all z are kept, so memory is bounded by the block and not by the lattice.

Examples
--------
>>> import hist
>>> from coffea_ddp.cells import CellGrid, Multiplicity
>>> from coffea_ddp.histograms import Histograms
>>> from coffea_ddp.layout import Layout, SymmetryLayout
>>> axis = hist.axis.Regular(4, 0.0, 100.0, name="met")
>>> symmetry = SymmetryLayout("e/mu", ("e", "mu"), 1.0, (("met", (axis,)),))
>>> report = scan(Histograms.empty(Layout("demo", "0" * 16, CellGrid((Multiplicity("j", last=2),)), (symmetry,))))
>>> report.looks, len(report.rows), report.summaries[0].n_empty
(0, 0, 5)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.blocks import Block, CellBlocks
from coffea_ddp.errors import InputError, UnknownNameError
from coffea_ddp.lattice import DistinctCells, distinct_cells
from coffea_ddp.layout import EVENTS
from coffea_ddp.ranking import Collector, Where
from coffea_ddp.report import ScanReport
from coffea_ddp.rows import SymmetrySummary
from coffea_ddp.stats.nsigma import BlockNSigma, block_n_sigma
from coffea_ddp.stats.status import Status

if TYPE_CHECKING:
    from coffea_ddp.histograms import Histograms

Progress = Callable[[int, int, str], None]
"""Told how many of how many (symmetry, observable) pairs are done, and the name of the next one."""

MIN_EVENTS = 20
"""Below this many entries a matrix says nothing at 3 sigma, and its null is not normal."""

N_BEST = 1_000
"""How many rows a report keeps."""

BlockTest = Callable[[Block, float], BlockNSigma]


def scan(
    hists: Histograms,
    tests: Sequence[str] = ("nsigma",),
    *,
    seed: int = 0,
    min_events: int = MIN_EVENTS,
    best: int = N_BEST,
    symmetries: Sequence[str] | None = None,
    observables: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> ScanReport:
    """Test every cell of the lattice and rank what was found.

    Parameters
    ----------
    hists
        The output of a pass.
    tests
        Names of tests; ``"nsigma"`` compares the in-range bins of A and B (:func:`coffea_ddp.stats.n_sigma`).
    seed
        Stored in the report; the asymptotic tests draw no random numbers.
    min_events
        Cells with fewer in-range entries on both sides together are counted as ``TOO_FEW_ENTRIES`` and not
        tested; with weights, fewer effective entries ``(sum w)^2 / sum w^2``.
    best
        How many rows the report keeps; the best one of every (symmetry, observable) is kept besides, and all
        tested cells are in the histogram of z.
    symmetries, observables
        Names; all by default. ``"events"`` is the observable that every symmetry has, the number of events:
        one bin, which is tested only where it is asked for.
    progress
        Called before each (symmetry, observable) and once at the end.

    Returns
    -------
    ScanReport
        Ranked by abs(z); global p-values are Sidak bounds over all looks of this scan.

    Raises
    ------
    UnknownNameError
        If a test, symmetry or observable does not exist.
    InputError
        If ``min_events`` or ``best`` is below 1, or no test is named.

    Notes
    -----
    The statistic of arXiv:2203.07529 in the cells of the DDP table, with M = number of non-empty bins. Cells
    overlap; the Sidak bound holds for jointly normal statistics whatever their correlation, and is
    conservative.
    """
    chosen = _tests(tests)
    for name, value in (("min_events", min_events), ("best", best)):
        if value < 1:
            raise InputError(f"{name}={value}: give 1 or more")
    channels = _channels(hists, symmetries, observables)
    collector = Collector(best)
    summaries = []
    done, total = 0, sum(len(names) for _, names in channels)
    for symmetry, names in channels:
        cells = distinct_cells(hists.layout.grid, hists.occupied(symmetry))
        statuses = dict.fromkeys((status.name for status in Status), 0)
        for observable in names:
            if progress is not None:
                progress(done, total, f"{symmetry}: {observable}")
            blocks = CellBlocks(hists, symmetry, observable, cells, min_events=min_events)
            for test in chosen:
                _run(Where(test, symmetry, observable, cells), blocks, collector, statuses)
            done += 1
        summaries.append(_summary(hists, symmetry, cells, statuses))
    if progress is not None:
        progress(done, total, "")
    looks = sum(summary.n_tested for summary in summaries)
    return ScanReport(
        plan=hists.layout.plan,
        fingerprint=hists.layout.fingerprint,
        seed=seed,
        inputs=_inputs(hists),
        options={"tests": list(chosen), "min_events": min_events, "best": best},
        looks=looks,
        rows=collector.rows(hists, looks),
        summaries=tuple(summaries),
        z_histogram=collector.z_histogram,
    )


def _nsigma(block: Block, kappa: float) -> BlockNSigma:
    return block_n_sigma(block.a, block.b, kappa, block.variance)


TESTS: dict[str, BlockTest] = {"nsigma": _nsigma}
"""The tests that exist."""


def _run(where: Where, blocks: CellBlocks, collector: Collector, statuses: dict[str, int]) -> None:
    """Test all cells of one channel, keeping the best and counting the rest."""
    tested = 0
    for block in blocks:
        found = TESTS[where.test](block, blocks.kappa)
        finite = np.isfinite(found.statistic)
        tested += len(finite)
        statuses[Status.OK.name] += int(finite.sum())
        statuses[Status.NOT_FINITE.name] += int((~finite).sum())
        collector.add(where, block, found, finite)
    statuses[Status.TOO_FEW_ENTRIES.name] += len(where.cells) - tested


def _tests(names: Sequence[str]) -> tuple[str, ...]:
    wanted = (names,) if isinstance(names, str) else tuple(names)
    for name in wanted:
        if name not in TESTS:
            raise UnknownNameError(f"no test {name!r}; the tests are: {', '.join(TESTS)}")
    if not wanted:
        raise InputError(f"no test is named; the tests are: {', '.join(TESTS)}")
    return tuple(dict.fromkeys(wanted))


def _channels(
    hists: Histograms, symmetries: Sequence[str] | None, observables: Sequence[str] | None
) -> list[tuple[str, list[str]]]:
    """Return the observables to scan of every symmetry, in the order of the plan."""
    wanted = _names(symmetries)
    for name in wanted or ():
        hists.layout.symmetry(name)
    chosen = [name for name in hists.symmetries if wanted is None or name in wanted]
    named = _names(observables)
    if named is None:
        return [(name, list(hists.observables(name))) for name in chosen]
    existing = {symmetry: [EVENTS, *hists.observables(symmetry)] for symmetry in chosen}
    known = dict.fromkeys(observable for names in existing.values() for observable in names)
    for name in named:
        if name not in known:
            raise UnknownNameError(f"no observable {name!r}; there are: {', '.join(map(repr, known)) or 'none'}")
    return [(symmetry, [name for name in names if name in named]) for symmetry, names in existing.items()]


def _names(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return (names,) if isinstance(names, str) else None if names is None else tuple(names)


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


def _inputs(hists: Histograms) -> dict[str, Any]:
    """Return where the numbers come from, as JSON-ready data."""
    files = list(hists.ledger.files.values())
    return {
        "events": hists.n_events,
        "files": len(files),
        "datasets": sorted({record.dataset for record in files}),
        "partial": hists.partial,
        "missing": [str(missing) for missing in hists.missing],
        "cutflow": {dataset: dict(cutflow) for dataset, cutflow in hists.cutflows.items()},
        "choices": {role: list(used) for role, used in hists.choices.items()},
        "cells": hists.layout.grid.to_dict(),
        "weighted": hists.layout.weighted,
        "package": _package_version(),
    }


def _package_version() -> str:
    try:
        return version("coffea-ddp")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "unknown"
