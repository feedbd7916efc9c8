"""The part of a scan that looks at events: which fields there are, their pseudo-experiments, full fits of the best.

Examples
--------
>>> from coffea_ddp.scanning.expectation import Expectation
>>> from coffea_ddp.histograms.histograms import Histograms
>>> from coffea_ddp.histograms.cells import CellGrid, Multiplicity
>>> from coffea_ddp.histograms.layout import Layout
>>> hists = Histograms.empty(Layout("demo", "0" * 16, CellGrid((Multiplicity("j", last=2),)), (), max_stored=10))
>>> EventScan(hists, ("nplm",), Expectation(), min_events=20, seed=1).fields(["m", "pt"])
[('nplm', 'm'), ('nplm', 'pt'), ('nplm', 'all features')]
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.histograms.layout import EVENTS
from coffea_ddp.histograms.samples import features_of, sample_pair, samples_of
from coffea_ddp.scanning.pseudo_experiments import NullScores
from coffea_ddp.scanning.ranking import Candidate, Collector, Where
from coffea_ddp.scanning.unbinned_input import Field, Seen, Toys
from coffea_ddp.scanning.unbinned_tests import ALL_FEATURES, EVENT_TESTS, ON_OBSERVABLES, observe, repeat
from coffea_ddp.stats.classifier.classifier import CUTS
from coffea_ddp.stats.log_ratio.nplm import nplm
from coffea_ddp.stats.log_ratio.solvers import WIDTHS, KernelSolver, NetworkSolver, Solver, check_device
from coffea_ddp.stats.status import Status
from coffea_ddp.stats.trials import z_from_p

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.histograms.lattice import DistinctCells
    from coffea_ddp.report.rows import Row
    from coffea_ddp.scanning.expectation import ChannelExpectation, Expectation
    from coffea_ddp.scanning.pseudo_experiments import Family
    from coffea_ddp.stats.relabelling import NullKind

FITS = 10
"""So many of the best rows of NPLM are fitted in full."""


@dataclass(frozen=True)
class FullFits:
    """Full fits of NPLM in the cells that its score version ranks first.

    Attributes
    ----------
    number
        Of how many rows: the best of NPLM in each group of rows that are mostly about the same events.
    solver
        What fits.
    permutations
        Of each, for its p after all that the solver looks at.

    Raises
    ------
    InputError
        If a number is negative, or networks lack torch, their device or permutations.
    """

    number: int = FITS
    solver: Solver = field(default_factory=KernelSolver)
    permutations: int = 1_000

    @property
    def told(self) -> dict[str, str | int]:
        """Description of it in a report."""
        return {"number": self.number, "solver": type(self.solver).__name__, "permutations": self.permutations}

    def __post_init__(self) -> None:
        """Fail before the scan, not after it."""
        for name in ("number", "permutations"):
            if getattr(self, name) < 0:
                raise InputError(f"full fits: {name}={getattr(self, name)}; give 0 or more")
        if isinstance(self.solver, NetworkSolver):
            check_device(self.solver.device)
            if self.number and not self.permutations:
                raise InputError("full fits: networks have no null but that of permutations; give some")


class EventScan:
    """The tests on events in one scan.

    Parameters
    ----------
    hists
        The output of a pass.
    tests
        Names out of :data:`coffea_ddp.scanning.unbinned_tests.EVENT_TESTS`.
    expectation
        What is expected of side B.
    min_events, seed
        Of the scan.

    Raises
    ------
    InputError
        If there are no stored events, or efficiencies are said to differ from bin to bin.
    """

    def __init__(
        self, hists: Histograms, tests: Sequence[str], expectation: Expectation, *, min_events: int, seed: int
    ) -> None:
        self._hists, self._tests, self._expectation = hists, tuple(tests), expectation
        self._min_events, self._seed = min_events, seed
        self._looked: list[tuple[Where, Field, Seen]] = []
        if not tests:
            return
        if not hists.layout.max_stored:
            raise InputError(
                f"{', '.join(tests)}: the plan {hists.layout.plan!r} stores no events (max_stored=0); "
                "give it max_stored=5000 and run the pass again, or leave these tests out"
            )
        if expectation.correction is not None or expectation.systematic:
            raise InputError(
                f"{', '.join(tests)}: tests on events compare shapes, and know no corrections or systematic errors "
                "bin by bin; scan without them, or leave these tests out"
            )

    def fields(self, names: Sequence[str]) -> list[tuple[str, str]]:
        """Return test and observable of everything that is looked at in a symmetry with these observables."""
        chosen = [name for name in names if name != EVENTS]
        joint = [ALL_FEATURES] if len(chosen) > 1 else chosen
        return [
            (test, name)
            for test in self._tests
            for name in dict.fromkeys([*(chosen if test in ON_OBSERVABLES else ()), *joint])
        ]

    def look(
        self, symmetry: str, test: str, observable: str, cells: DistinctCells, collector: Collector,
        statuses: dict[str, int],
    ) -> None:  # fmt: skip
        """Test all cells, keeping the best in the collector and counting what became of all."""
        events = self._hists.cell_counts(symmetry)
        expected = self._expectation.of(events, events, self._hists.layout.symmetry(symmetry).kappa)
        where = Where(test, symmetry, observable, cells, EVENT_TESTS[test], expected)
        place = self._field(symmetry, observable, cells, expected)
        if isinstance(place, Status):
            statuses[place.name] += len(cells)
            return
        tested = observe(EVENT_TESTS[test], place)
        told = np.isfinite(tested.found.statistic)
        statuses[Status.OK.name] += int(told.sum())
        statuses[Status.ONE_SIDED.name] += int((~told).sum())
        statuses[Status.TOO_FEW_ENTRIES.name] += len(cells) - len(told)
        collector.add(where, tested.cells, tested.found, told)
        if told.any():
            self._looked.append((where, place, tested))

    def _field(
        self, symmetry: str, observable: str, cells: DistinctCells, expected: ChannelExpectation
    ) -> Field | Status:
        chosen = features_of(self._hists, symmetry, None if observable == ALL_FEATURES else observable)
        if not chosen:
            return Status.NO_FEATURES
        if expected.status is not None:
            return expected.status
        samples = samples_of(self._hists, symmetry, chosen)
        if samples.is_b.all() or not samples.is_b.any():
            return Status.ONE_SIDED
        return Field(samples, cells, self._min_events, expected, self._seed)

    def nulls(
        self, candidates: Sequence[Candidate], permutations: int, *, null: NullKind, seed: int, jobs: int | None,
        progress: Callable[[str, int, int], None],
    ) -> dict[Family, NullScores]:  # fmt: skip
        """Return the pseudo-experiments of everything that was looked at.

        Parameters
        ----------
        candidates
            Those of whose cells all scores are wanted.
        permutations, null, seed, jobs
            As for :func:`coffea_ddp.scanning.pseudo_experiments.pseudo_experiments`.
        progress
            Told the field, and how many pieces of how many are done.
        """
        found: dict[Family, NullScores] = {}
        with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
            for where, place, tested in self._looked:
                kept = {candidate.cell for candidate in candidates if candidate.where.family == where.family}

                def tell(done: int, of: int, where: Where = where) -> None:
                    progress(f"{where.symmetry}: {where.observable} ({where.test})", done, of)

                toys = Toys(permutations, null, seed, pool, tell)
                best, scores = repeat(EVENT_TESTS[where.test], place, tested.cells, kept, toys)
                # Labels of a fixed number are those of other tests only where all see the same events.
                keyed = null == "binomial" or not place.samples.thinned
                found[where.family] = NullScores(best, scores, keyed and not place.expected.fixed)
        return found

    def finished(
        self, rows: Sequence[Row], candidates: Sequence[Candidate], fits: FullFits,
        progress: Callable[[str], None] | None = None,
    ) -> tuple[Row, ...]:  # fmt: skip
        """Return the rows with what the tests on events have to tell, the best of NPLM fitted in full.

        Parameters
        ----------
        rows
            Of the report; those of other tests come back as they are.
        candidates
            What they were made of.
        fits
            Which full fits.
        progress
            Told of every fit.
        """
        told = {where.family: tested for where, _, tested in self._looked}
        numbers = {(c.where.family, str(c.where.cells.cell(c.cell))): c.cell for c in candidates}
        most = fits.number if not self._hists.layout.weighted else 0
        fitted: set[tuple[str | None, int | None]] = set()
        out = []
        for row in rows:
            family = (row.test, str(row.symmetry), str(row.observable))
            if family not in told:
                out.append(row)
                continue
            mine = _told(row, told[family], numbers[family, str(row.cell)])
            # One fit for each group of rows about mostly the same events, whatever test leads it.
            group = (row.symmetry, row.similar_to)
            if row.test == "nplm" and group not in fitted and len(fitted) < most:
                fitted.add(group)
                if progress is not None:
                    progress(f"fitting {row.symmetry}: {row.observable}, {row.cell}")
                mine = self._fitted(mine, fits)
            out.append(mine)
        return tuple(out)

    def _fitted(self, row: Row, fits: FullFits) -> Row:
        """Return a row with the full fit in its cell: t, its own p-value, and p among permutations of the cell."""
        observable = None if row.observable == ALL_FEATURES else row.observable
        symmetry = str(row.symmetry)
        pair = sample_pair(self._hists, symmetry, row.cell, features=features_of(self._hists, symmetry, observable))
        try:
            found = nplm(pair.a, pair.b, backend=fits.solver, permutations=fits.permutations, seed=self._seed)
        except InputError as error:
            # Fewer events than the solver has parameters, say: the score version stands.
            return dataclasses.replace(row, method=f"{row.method}, no full fit: {error}")
        best = found.families[found.best]
        # Of too few events there is no analytic p, unless there is no other.
        analytic = None if best.is_sparse and found.permutation else best.p_analytic
        p_local = found.p_value if analytic is None else analytic
        how = "permutations" if analytic is None else "weighted sum of chi2"
        return dataclasses.replace(
            row,
            statistic=found.t,
            p_local=p_local,
            z_local=float(z_from_p(p_local, two_sided=True)),
            p_cell=found.p_value if found.permutation else row.p_cell,
            n_ge_cell=found.permutation.n_ge if found.permutation else row.n_ge_cell,
            n_cell=found.permutation.n if found.permutation else row.n_cell,
            method=f"NPLM of shapes, {best.family}, fitted",
            p_method=f"{how}; p cell: {found.method}",
            global_method=f"by score: {row.global_method}",
        )


def _told(row: Row, tested: Seen, cell: int) -> Row:
    place = int(np.searchsorted(tested.cells, cell))
    look = int(tested.look[place])
    if row.test == "nplm":
        what = f"NPLM of shapes, score version, kernel width {WIDTHS[look]:g}"
    else:
        cuts = [f"excess of {side} in {cut:.0%}" for side in "AB" for cut in CUTS]
        what = f"classifier, {'AUC' if not look else 'the best of ' + ', '.join(cuts)}"
    return dataclasses.replace(
        row, statistic=float(tested.t[place]), n_dropped=int(tested.n_dropped[place]), method=what
    )
