"""The scan: every test on every cell of the lattice, for every symmetry, observable and mass spectrum.

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
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coffea_ddp.errors import check_progress
from coffea_ddp.histograms.io import as_histograms
from coffea_ddp.report.joining import joined
from coffea_ddp.report.report import ScanReport
from coffea_ddp.scanning.cluster_engine import engine_of
from coffea_ddp.scanning.common_cause import common_asymmetries
from coffea_ddp.scanning.compared_cells import tests_of
from coffea_ddp.scanning.comparison_scan import ComparisonTests, scan_comparisons
from coffea_ddp.scanning.expectation import Expectation, as_expectation
from coffea_ddp.scanning.full_fits import fits_of
from coffea_ddp.scanning.nplm_cells import NPLM
from coffea_ddp.scanning.options import (
    channels_of,
    check_compared,
    check_used,
    find_tests,
    null_of,
    numbers,
    shares_of,
    with_fewest,
)
from coffea_ddp.scanning.protocols import is_counts_test, is_events_test, is_spectra_test
from coffea_ddp.scanning.provenance import inputs
from coffea_ddp.scanning.scanned import Draw
from coffea_ddp.scanning.simulation import Simulation
from coffea_ddp.scanning.steps import Progress
from coffea_ddp.scanning.symmetry_scan import SymmetryTests, scan_symmetries
from coffea_ddp.stats.defaults import TOYS

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.scanning.options import Tests

N_BEST = 1_000
"""Number of rows that a report keeps."""


def scan(
    hists: Histograms | str | Path,
    tests: Tests = None,
    *,
    toys: int = TOYS,
    null: str | None = None,
    seed: int = 0,
    min_events: int | None = None,
    best: int = N_BEST,
    symmetries: Sequence[str] | None = None,
    observables: Sequence[str] | None = None,
    expectation: Expectation | None = None,
    simulation: Simulation | None = None,
    jobs: int | None = None,
    client: Any = None,
    progress: Progress | None = None,
) -> ScanReport:
    """Test every cell of the lattice and rank the deviations.

    Parameters
    ----------
    hists
        The output of a pass, or its path.
    tests
        Names of tests, or tests with their options, as ``["nsigma", Submatrix(), NPLM(fits=3)]``; by default
        ``"nsigma"`` of symmetries and ``"bump"`` of spectra, as the plan has them. ``"nsigma"`` compares the in-range
        bins of A and B (:func:`coffea_ddp.stats.n_sigma`); ``"submatrix"`` finds the best of all rectangles by its
        summed counts, ``"submatrix_nsigma"`` by its N_sigma (:func:`coffea_ddp.stats.scan_submatrices`). Where data
        are compared with simulation ``"nsigma"``, ``"submatrix"`` and ``"roi"``, the region of interest of general
        searches, do so with the statistics of the simulation and its variations. ``"nplm"`` and
        ``"classifier"`` compare the shapes of the stored events: :class:`~coffea_ddp.scanning.nplm_cells.NPLM` in all
        cells, of every observable and of all stored features together; a classifier of all features in cells that ask
        at most one question (:class:`~coffea_ddp.scanning.classifier_cells.Classifier`). ``"bump"`` searches for bumps
        in the mass spectra (:class:`~coffea_ddp.scanning.bump_cells.Bump`). A test of your own is a
        :class:`~coffea_ddp.scanning.own_function.CellTest`.
    toys
        Pseudo-experiments: for symmetries with relabelled events, from which global p-values are counted (0: the Sidak
        bound); for spectra background-only ones of the best, as a check of the p of the calibration.
    null
        How events are relabelled: ``"binomial"``, or ``"fixed"`` with N_A kept (:mod:`coffea_ddp.stats.relabelling`).
        By default the one that is right: fixed for ``kappa="global"`` without corrections and systematic errors, else
        binomial (with kappa estimated anew in every pseudo-experiment where it is estimated).
    seed
        Of the pseudo-experiments.
    min_events
        Cells with fewer in-range entries on both sides together are counted as ``TOO_FEW_ENTRIES`` and not
        tested; with weights, fewer effective entries ``(sum w)^2 / sum w^2``. Spectra with fewer entries likewise,
        where a :class:`~coffea_ddp.scanning.bump_cells.Bump` has no number itself. By default 20, and 100 in spectra.
    best
        How many rows the report keeps; kept besides are the best of every (test, symmetry, observable), of every
        column of the table of symmetries (:mod:`coffea_ddp.report.overview`), and of every spectrum. All tested cells
        are in the histogram of z.
    symmetries, observables
        Names; all by default. ``"events"`` is the observable that every symmetry has, the number of events:
        one bin, which is tested only where it is asked for.
    expectation
        What is expected of side B (:class:`coffea_ddp.scanning.expectation.Expectation`): by default the plan's kappa,
        taken as exact. With another, rows also have z without it.
    simulation
        The luminosity, cross sections and their uncertainties, where data are compared with simulation
        (:class:`~coffea_ddp.scanning.simulation.Simulation`): by default those that the datasets' metadata tell.
    jobs
        Threads for tests of counts, for pseudo-experiments and for mass spectra; all cores by default. No result
        depends on it.
    client
        A ``distributed.Client``: the tests of counts, of the data and in pseudo-experiments, and the bump hunt with its
        toys are made by the workers of its cluster, instead of threads; they may come and go, and no result depends on
        them. All else is done here: the tests of stored events with their pseudo-experiments, and the ranking. Workers
        need this version of the package; tests of your own travel with their functions.
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
        If ``min_events`` or ``best`` is below 1, ``toys`` or ``seed`` below 0, no test is named, or an option cannot be
        used or has no effect: it is of a test that is not made, or of a symmetry without any of the observables; if a
        test of your own cannot be sent to the workers of a cluster.
    ClusterError
        If a cluster has no workers or such of other code, or is lost before its work is done.

    Notes
    -----
    The statistics of arXiv:2203.07529 in the cells of the DDP table, with M = number of non-empty bins. Cells overlap;
    the Sidak bound holds for jointly normal statistics whatever their correlation, and is conservative.

    Examples
    --------
    >>> import tempfile
    >>> from coffea_ddp import run, testing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     hists = run("dimuon_charge", testing.make_nanoaod(f"{folder}/nano.root", events=300, seed=1))
    >>> scan(hists, toys=20, seed=1).plan
    'dimuon_charge'
    """
    check_progress("scan", progress)
    chosen = find_tests(tests, hists := as_histograms("scan", hists))
    expectation = as_expectation("scan", expectation)
    check_used(chosen, expectation, symmetries=symmetries, observables=observables, toys=toys, null=null, client=client)
    best, toys, seed, jobs = numbers(best, toys, seed, jobs)
    chosen, min_events = with_fewest(chosen, min_events)
    every = channels_of(hists, symmetries, observables)
    channels = [one for one in every if one[0] in hists.symmetries]
    compared = [one for one in every if one[0] not in hists.symmetries]
    check_compared(
        chosen, compared, channels, expectation=expectation, simulation=simulation, null=null,
        idle=client is not None and not toys,
    )  # fmt: skip
    expectation.check(hists.layout, channels)
    kind = null_of(null, expectation, [symmetry for symmetry, _ in channels])
    engine = engine_of(client, jobs, chosen)  # fails before any work is done
    spectra = [test for test in chosen if is_spectra_test(test)]
    others = [test.scan(hists, best=best, toys=toys, seed=seed, engine=engine, progress=progress) for test in spectra]
    beside = tests_of(chosen)
    if compared and beside:
        asked = ComparisonTests(beside, compared, simulation or Simulation(), min_events, best, toys, seed, engine)
        others.insert(0, scan_comparisons(hists, asked, progress))
    if channels or not (compared and beside):  # of spectra alone it says where they come from
        draw = Draw(toys, kind, seed, jobs)
        counts = tuple(test for test in chosen if is_counts_test(test))
        events = tuple(test for test in chosen if is_events_test(test))
        made = SymmetryTests(counts, events, channels, expectation, min_events, best, draw, engine)
        others.insert(0, _of_symmetries(hists, made, progress))
    return functools.reduce(joined, others)


def _of_symmetries(hists: Histograms, made: SymmetryTests, progress: Progress | None) -> ScanReport:
    """Return the report on the symmetries of an output; without any on nothing but where its numbers come from."""
    draw, expectation, shares = made.draw, made.expectation, None
    if made.counts or made.events:
        hists, shares = shares_of(hists, expectation, made.channels, draw.null)
    found = scan_symmetries(hists, replace(made, shares=shares), progress)
    return ScanReport(
        plan=hists.layout.plan,
        fingerprint=hists.layout.fingerprint,
        seed=draw.seed,
        inputs=inputs(hists) | ({} if shares is None else {"calibration": shares.told}),
        options={
            "tests": [test.name for test in (*made.counts, *made.events)], "min_events": made.min_events,
            "best": made.best, "toys": draw.toys, "null": draw.null if draw.toys else None,
            "expectation": expectation.method,
            **next(({"fits": fits_of(test, draw.toys)} for test in made.events if isinstance(test, NPLM)), {}),
        },
        trials=sum(summary.n_tested for summary in found.summaries),
        rows=found.rows,
        summaries=found.summaries,
        z_histogram=found.z_histogram,
        global_p=found.global_p,
        common_asymmetries=common_asymmetries(hists, found.rows, made.channels, expectation),
    )  # fmt: skip
