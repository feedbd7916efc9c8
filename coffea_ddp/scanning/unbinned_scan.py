"""Tests of stored events in one scan: their observables, their pseudo-experiments, and the columns of their rows.

Examples
--------
>>> from coffea_ddp.scanning.nplm_cells import NPLM
>>> observables_of(NPLM(), ["m", "pt"])
['m', 'pt', 'all features']
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from coffea_ddp.errors import InputError
from coffea_ddp.histograms.layout import EVENTS
from coffea_ddp.histograms.samples import features_of, samples_of
from coffea_ddp.scanning.scanned import NullScores
from coffea_ddp.scanning.unbinned_input import ALL_FEATURES, PseudoExperiments, UnbinnedInput, expected_ratios
from coffea_ddp.stats.status import Status

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.rows import Row
    from coffea_ddp.scanning.deviations import Deviation, ScanFamily
    from coffea_ddp.scanning.expectation import Expectation
    from coffea_ddp.scanning.protocols import EventsTest
    from coffea_ddp.scanning.scanned import Draw, Family
    from coffea_ddp.scanning.shares import ScanShares
    from coffea_ddp.scanning.unbinned_input import UnbinnedResults


@dataclass(frozen=True, eq=False)
class ScannedEvents:
    """One test of the stored events of a symmetry, and its results.

    Attributes
    ----------
    family
        The test, the symmetry and the observable.
    field
        The events and their cells.
    results
        Of the cells that were tested.
    """

    family: ScanFamily[EventsTest]
    field: UnbinnedInput
    results: UnbinnedResults


def check_stored(hists: Histograms, tests: Sequence[EventsTest], expectation: Expectation) -> None:
    """Stop where tests of stored events cannot be made.

    Raises
    ------
    InputError
        If there are no stored events, or efficiencies are said to differ from bin to bin.
    """
    names = ", ".join(test.name for test in tests)
    if tests and not hists.layout.max_stored:
        raise InputError(
            f"{names}: the plan {hists.layout.plan!r} stores no events (max_stored=0); "
            "give it max_stored=5000 and run the pass again, or leave these tests out"
        )
    if tests and (expectation.correction is not None or expectation.systematic):
        raise InputError(
            f"{names}: tests on events compare shapes, and know no corrections or systematic errors "
            "bin by bin; scan without them, or leave these tests out"
        )


def observables_of(test: EventsTest, names: Sequence[str]) -> list[str]:
    """Return the observables that a test of events uses in a symmetry with these observables."""
    chosen = [name for name in names if name != EVENTS]
    joint = [ALL_FEATURES] if len(chosen) > 1 else chosen
    return list(dict.fromkeys([*(chosen if test.per_observable else ()), *joint]))


def scan_events(
    hists: Histograms, family: ScanFamily[EventsTest], shares: ScanShares | None, *, min_events: int, seed: int
) -> ScannedEvents | Status:
    """Test the cells of one family as they are; or return why none can be tested."""
    observable = None if family.observable == ALL_FEATURES else family.observable
    chosen = features_of(hists, family.symmetry, observable)
    if not chosen:
        return Status.NO_FEATURES
    if family.expected.status is not None:
        return family.expected.status
    samples = samples_of(hists, family.symmetry, chosen)
    if samples.is_b.all() or not samples.is_b.any():
        return Status.ONE_SIDED
    fit = None if shares is None or samples.shares is None else shares.fit_of(family.symmetry, samples)
    field = UnbinnedInput(
        samples, family.cells, min_events, family.expected, seed, samples.shares, samples.shares is not None, fit
    )
    # On one thread: the products of matrices are small.
    with threadpool_limits(1):
        results = family.test.observed(field)
    found = results.found._replace(kappa=expected_ratios(field, results.cells))
    return ScannedEvents(family, field, dataclasses.replace(results, found=found))


def null_scores(
    scanned: Iterable[ScannedEvents],
    deviations: Sequence[Deviation],
    draw: Draw,
    progress: Callable[[str, int, int], None],
) -> dict[Family, NullScores]:
    """Return the scores of the pseudo-experiments of tests of events.

    Parameters
    ----------
    scanned
        What was tested.
    deviations
        Those of whose cells all scores are wanted.
    draw
        How many pseudo-experiments, and how.
    progress
        Called with the family and the number of pieces done, and of all.
    """
    found: dict[Family, NullScores] = {}
    with ThreadPoolExecutor(draw.jobs or os.cpu_count() or 1) as pool:
        for one in scanned:
            family = one.family
            kept = np.array(sorted({d.cell for d in deviations if d.family.key == family.key}), dtype=np.int64)

            def report(done: int, of: int, family: ScanFamily[EventsTest] = family) -> None:
                progress(f"{family.symmetry}: {family.observable} ({family.test.name})", done, of)

            toys = PseudoExperiments(draw.toys, draw.null, draw.seed, pool, report)
            with threadpool_limits(1):
                best, scores = family.test.relabelled(one.field, one.results.cells, kept, toys)
            # Labels of a fixed number are those of other tests only where all see the same events.
            keyed = draw.null == "binomial" or not one.field.samples.thinned
            by_cell = dict(zip(kept.tolist(), scores, strict=True))
            found[family.key] = NullScores(best, by_cell, keyed and not one.field.expected.fixed)
    return found


def with_results(
    rows: Sequence[Row], deviations: Sequence[Deviation], scanned: Mapping[Family, ScannedEvents]
) -> list[Row]:
    """Return the rows with the columns of tests of events; those of other tests come back as they are.

    Parameters
    ----------
    rows
        Of the report.
    deviations
        What they were made of.
    scanned
        What was tested.
    """
    numbers = {(d.family.key, str(d.family.cells.cell(d.cell))): d.cell for d in deviations}
    out = []
    for row in rows:
        key = (row.test, str(row.symmetry), str(row.observable))
        out.append(_with_results(row, scanned[key], numbers[key, str(row.cell)]) if key in scanned else row)
    return out


def _with_results(row: Row, scanned: ScannedEvents, cell: int) -> Row:
    results = scanned.results
    place = int(np.searchsorted(results.cells, cell))
    return dataclasses.replace(
        row,
        statistic=float(results.t[place]),
        n_dropped=int(results.n_dropped[place]),
        method=scanned.family.test.method_of(results, place),
    )
