"""A classifier of A against B in the cells of a pass that ask at most one question.

It compares the shapes of the stored events (:mod:`coffea_ddp.histograms.samples`), out of fold, and learns every
pseudo-experiment of every cell anew. It is made in the columns of the DDP table alone, which are chosen without regard
to labels. Where every event has its own expected share of side B it learns, and tests, residuals: label less share.

Examples
--------
>>> Classifier().name, Classifier().trials
('classifier', 7)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from coffea_ddp.scanning.unbinned_input import (
    PseudoExperiments,
    UnbinnedInput,
    UnbinnedResults,
    dropped_events,
    enough_events,
    results,
)
from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.classifier.classifier import CUTS, FOLDS, fitted_spread, statistics, within_folds
from coffea_ddp.stats.classifier.learners import KernelLearner
from coffea_ddp.stats.log_ratio.score_test import two_sided
from coffea_ddp.stats.samples.points import Points

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray, IntArray
    from coffea_ddp.scanning.expectation import ChannelExpectation

MOST_EVENTS = 10_000
"""A classifier learns from at most this many events of a cell, those with the smallest hashes."""
FEWEST = 50
"""Cells with fewer events are not tested."""


@dataclass(frozen=True)
class Classifier:
    """A classifier of A against B (arXiv:2203.07529), out of fold, in cells that ask at most one question.

    In each cell it tests the area under the curve and the excesses behind cuts at both ends of the scores.

    Attributes
    ----------
    learner
        What learns.

    Examples
    --------
    >>> Classifier().name
    'classifier'
    """

    learner: KernelLearner = field(default_factory=KernelLearner)
    name: ClassVar[str] = "classifier"
    kind: ClassVar[str] = "events"
    normal: ClassVar[bool] = False
    per_observable: ClassVar[bool] = False
    trials: ClassVar[int] = 1 + 2 * len(CUTS)

    def observed(self, field: UnbinnedInput) -> UnbinnedResults:
        """Test the simple cells as they are."""
        cells, levels, n_a, n_b = enough_events(field)
        simple = (field.cells.questions[cells] <= 1) & (n_a + n_b >= FEWEST)
        cells, levels, n_a, n_b = cells[simple], levels[simple], n_a[simple], n_b[simple]
        largest, best = np.full(len(cells), np.nan), np.zeros(len(cells), np.int64)
        points = field.points() if len(cells) else None
        for i, (cell, level) in enumerate(zip(cells.tolist(), levels, strict=True)):
            rows = _learned_from(field, cell, level)
            labels = ~field.samples.is_b[rows]
            n_a[i], n_b[i] = labels.sum(), (~labels).sum()
            if points is not None and 0 < labels.sum() < len(labels):
                z = self._z(field, points, rows, labels[None])
                largest[i], best[i] = z[:, 0].max(), z[:, 0].argmax()
        found = results(two_sided(largest), n_a, n_b, self.trials + field.total, field)
        return UnbinnedResults(cells, found, largest, best, dropped_events(field, cells, n_a + n_b), field.total)

    def relabelled(
        self, field: UnbinnedInput, tested: IntArray, kept: IntArray, toys: PseudoExperiments
    ) -> tuple[FloatArray, FloatArray]:
        """Test the same cells in pseudo-experiments; see :class:`~coffea_ddp.scanning.protocols.EventsTest`."""
        points, levels = field.points(), field.samples.levels(field.cells)
        best, scores = np.full(toys.number, -np.inf), np.zeros((len(kept), toys.number))
        for some in toys.steps(field):
            labels, moved = toys.labels(field, some), toys.moved(field, some)

            def work(cell: int, labels: BoolArray = labels, moved: AnyArray | float = moved) -> FloatArray:
                rows = _learned_from(field, cell, levels[cell])
                drawn: AnyArray = labels[rows].T
                if not isinstance(moved, float):
                    drawn = drawn + moved[rows].T
                parts = (self._z(field, points, rows, drawn[i : i + TOYS]) for i in range(0, len(drawn), TOYS))
                return np.concatenate([part.max(axis=0) for part in parts])

            for done, (cell, z) in enumerate(zip(tested.tolist(), toys.pool.map(work, tested.tolist()), strict=True)):
                best[some] = np.maximum(best[some], z)
                scores[kept == cell, some] = z
                toys.report(some, done + 1, len(tested))
        return two_sided(best), two_sided(scores)

    def _z(self, field: UnbinnedInput, points: Points, rows: IntArray, labels: AnyArray) -> FloatArray:
        """Return AUC, the best cut and, where it is tested, the number of events, in standard deviations.

        For several labellings; shape (2 or 3, n).
        """
        own = Points(points.x[rows], points.labels[rows], points.multiplicity[rows], points.centre, points.scale)
        # Folds of nearly one size, by the order of the hashes: they know no labels.
        folds = np.arange(len(rows)) % FOLDS
        shares = None if field.shares is None else field.shares[rows]
        scores = self.learner.scorer(own, folds, field.seed, shares)(labels)
        moves = None if field.fit is None else (field.fit.moves[0][rows], field.fit.moves[1][rows])
        found = statistics(within_folds(scores, folds), labels, ends=2, shares=shares, moves=moves)[0]
        if not field.total or shares is None:
            return found
        surplus, variance = labels.sum(axis=1) - (1.0 - shares).sum(), np.array([(shares * (1.0 - shares)).sum()])
        return np.concatenate([found, np.abs(surplus)[None] / fitted_spread(np.ones((1, len(rows))), variance, moves)])

    @property
    def described(self) -> str:
        """The test, in words."""
        return f"classifier ({self.learner.name}, {FOLDS} folds)"

    def p_method(self, _expected: ChannelExpectation, /) -> str:
        """Return how the local p-value is made, in words."""
        return "normal, of the better of AUC and cuts"

    def method_of(self, results: UnbinnedResults, place: int) -> str:
        """Return, in words, which of the tests was the best in one cell."""
        cuts = [f"excess of {side} in {cut:.0%}" for side in "AB" for cut in CUTS]
        names = ("AUC", "the best of " + ", ".join(cuts), "number of events")
        return f"classifier, {names[int(results.best[place])]}"


def _learned_from(field: UnbinnedInput, cell: int, level: np.uint64) -> IntArray:
    """Return the events of a cell; the first ones, in the order of their hashes, where there are many."""
    return field.samples.within(field.cells.members([cell])[0] > 0, level)[:MOST_EVENTS]
