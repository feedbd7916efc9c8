"""Tests on events in the cells of a pass: NPLM in every cell, a classifier in the simple ones.

Both look at the stored events (:mod:`coffea_ddp.histograms.samples`), at their shapes alone: how many events there are
on either side is for the tests of histograms. Labels of pseudo-experiments are keyed to the events, so they are those
of the other tests. Features are put on a logarithmic scale far from their middle (the inverse of the hyperbolic sine):
tails of masses and momenta are long, and kernels are of one width.

*NPLM* in its score version (:mod:`coffea_ddp.stats.log_ratio.score_test`), kernels of several widths, in all cells.
*The classifier*, out of fold, learns every pseudo-experiment of every cell anew: it is asked in cells that ask one
question at most, the columns of the DDP table, chosen without a look at labels.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from coffea_ddp.scanning.unbinned_input import (
    EventLook,
    Field,
    Seen,
    Toys,
    cell_blocks,
    dropped_events,
    enough_events,
    results,
)
from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.classifier.classifier import CUTS, FOLDS, statistics, within_folds
from coffea_ddp.stats.classifier.learners import KernelLearner
from coffea_ddp.stats.log_ratio.score_test import (
    NO_OPINION,
    CodeSums,
    forms_of,
    main_directions,
    statistic,
    sums_of,
    sums_over_a,
    two_sided,
    z_of,
)
from coffea_ddp.stats.log_ratio.solvers import WIDTHS
from coffea_ddp.stats.samples.points import Points

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray, IntArray
    from coffea_ddp.histograms.samples import Samples
    from coffea_ddp.scanning.expectation import ChannelExpectation

ALL_FEATURES = "all features"
"""The observable of a test that looks at all stored features of a symmetry together."""
MOST_EVENTS = 10_000
"""A classifier learns from so many events of a cell, those with the smallest hashes."""
FEWEST = 50
"""A classifier needs so many events in a cell."""


class _Part(NamedTuple):
    """Cells of one threshold, with the sums over the events that it keeps."""

    cells: IntArray
    rows: IntArray
    phi: FloatArray
    sums: CodeSums


@dataclass(frozen=True)
class NPLMLook:
    """The score version of symmetrized NPLM (arXiv:2401.09530; kernels: arXiv:2204.02317).

    Attributes
    ----------
    widths
        Of the kernels, as for :class:`coffea_ddp.stats.KernelSolver`; each is a look.
    """

    widths: tuple[float, ...] = WIDTHS
    normal: ClassVar[bool] = False
    described: ClassVar[str] = "NPLM of shapes, score version, kernels"

    def observed(self, where: Field) -> Seen:
        """Test all cells with enough events as they are."""
        samples = where.samples
        cells, levels, n_a, n_b = enough_events(where)
        z, t = np.full((len(self.widths), len(cells)), -np.inf), np.zeros((len(self.widths), len(cells)))
        if len(cells):
            labels = ~samples.is_b[:, None]
            for number, part in self._parts(where, cells, levels):
                over_a = _over_a(samples, part, labels)
                for chosen, members in cell_blocks(where.cells, part.cells):
                    forms = forms_of(members, part.sums, share=where.share)
                    value = statistic(members, over_a, forms)
                    at = np.searchsorted(cells, chosen)
                    t[number, at], z[number, at] = value[:, 0], z_of(value, forms)[:, 0]
        look = z.argmax(axis=0) if len(self.widths) else np.zeros(len(cells), np.int64)
        best = z[look, np.arange(len(cells))]
        told = (n_a > 0) & (n_b > 0) & (best > NO_OPINION)
        found = results(np.where(told, two_sided(best), np.nan), n_a, n_b, len(self.widths), where)
        return Seen(cells, found, t[look, np.arange(len(cells))], look, dropped_events(where, cells, n_a + n_b))

    def relabelled(self, where: Field, tested: IntArray, kept: IntArray, toys: Toys) -> tuple[FloatArray, FloatArray]:
        """Test the same cells in pseudo-experiments; see :class:`EventLook`."""
        samples = where.samples
        levels = samples.levels(where.cells)[tested]
        best = np.full(toys.number, -np.inf)
        scores = np.full((len(kept), toys.number), -np.inf)
        for some in toys.steps(where):
            labels = toys.labels(where, some)
            for number, part in self._parts(where, tested, levels):
                over_a = _over_a(samples, part, labels)
                work = functools.partial(_scored, sums=part.sums, over_a=over_a, share=where.share, kept=kept)
                for top, places, values in toys.pool.map(work, cell_blocks(where.cells, part.cells)):
                    best[some] = np.maximum(best[some], top)
                    scores[places, some] = np.maximum(scores[places, some], values)
                toys.tell(some, number + 1, len(self.widths))
        return two_sided(best), two_sided(scores)

    def _parts(self, where: Field, cells: IntArray, levels: NDArray[np.uint64]) -> Iterator[tuple[int, _Part]]:
        samples, points = where.samples, where.points()
        for number, width in enumerate(self.widths):
            phi = main_directions(points, width * np.sqrt(points.x.shape[1]), seed=where.seed)
            for level in np.unique(levels):
                rows = np.flatnonzero(samples.below(level))
                weights = None if samples.weights is None else samples.weights[rows]
                sums = sums_of(phi[rows], samples.code[rows], len(samples.events), weights)
                yield number, _Part(cells[levels == level], rows, phi[rows], sums)

    def p_method(self, expected: ChannelExpectation) -> str:
        """Return how the local p-value is made, in words."""
        del expected
        return "chi2 of three cumulants"


Scored = tuple["FloatArray", "IntArray", "FloatArray"]


def _scored(
    block: tuple[IntArray, FloatArray], *, sums: CodeSums, over_a: AnyArray, share: float, kept: IntArray
) -> Scored:
    """Return the largest z of some cells, which of the kept ones are among them, and their z."""
    chosen, members = block
    forms = forms_of(members, sums, share=share)
    best = np.full(over_a.shape[2], -np.inf)
    mine = np.flatnonzero(np.isin(kept, chosen))
    values = np.zeros((len(mine), over_a.shape[2]))
    place = np.searchsorted(chosen, kept[mine])
    for first in range(0, over_a.shape[2], TOYS):
        some = slice(first, first + TOYS)
        z = z_of(statistic(members, np.ascontiguousarray(over_a[:, :, some]), forms), forms)
        best[some], values[:, some] = z.max(axis=0, initial=-np.inf), z[place]
    return best, mine, values


def _over_a(samples: Samples, part: _Part, labels: BoolArray) -> AnyArray:
    weights = None if samples.weights is None else samples.weights[part.rows]
    return sums_over_a(part.phi, samples.code[part.rows], len(samples.events), labels[part.rows], weights)


@dataclass(frozen=True)
class ClassifierLook:
    """A classifier of A against B (arXiv:2203.07529), out of fold, in cells that ask at most one question.

    Its looks are the area under the curve and the excesses behind cuts at both ends of the scores.

    Attributes
    ----------
    learner
        What learns.
    """

    learner: KernelLearner = field(default_factory=KernelLearner)
    normal: ClassVar[bool] = False
    looks: ClassVar[int] = 1 + 2 * len(CUTS)

    def observed(self, where: Field) -> Seen:
        """Test the simple cells as they are."""
        cells, levels, n_a, n_b = enough_events(where)
        simple = (where.cells.questions[cells] <= 1) & (n_a + n_b >= FEWEST)
        cells, levels, n_a, n_b = cells[simple], levels[simple], n_a[simple], n_b[simple]
        best, look = np.full(len(cells), np.nan), np.zeros(len(cells), np.int64)
        points = where.points() if len(cells) else None
        for i, (cell, level) in enumerate(zip(cells.tolist(), levels, strict=True)):
            rows = _learned_from(where, cell, level)
            labels = ~where.samples.is_b[rows]
            n_a[i], n_b[i] = labels.sum(), (~labels).sum()
            if points is not None and 0 < labels.sum() < len(labels):
                z = self._z(where, points, rows, labels[None])
                best[i], look[i] = z[:, 0].max(), z[:, 0].argmax()
        found = results(two_sided(best), n_a, n_b, self.looks, where)
        return Seen(cells, found, best, look, dropped_events(where, cells, n_a + n_b))

    def relabelled(self, where: Field, tested: IntArray, kept: IntArray, toys: Toys) -> tuple[FloatArray, FloatArray]:
        """Test the same cells in pseudo-experiments; see :class:`EventLook`."""
        points, levels = where.points(), where.samples.levels(where.cells)
        best, scores = np.full(toys.number, -np.inf), np.zeros((len(kept), toys.number))
        for some in toys.steps(where):
            labels = toys.labels(where, some)

            def work(cell: int, labels: BoolArray = labels) -> FloatArray:
                rows = _learned_from(where, cell, levels[cell])
                drawn = labels[rows].T
                parts = (self._z(where, points, rows, drawn[i : i + TOYS]) for i in range(0, len(drawn), TOYS))
                return np.concatenate([part.max(axis=0) for part in parts])

            for done, (cell, z) in enumerate(zip(tested.tolist(), toys.pool.map(work, tested.tolist()), strict=True)):
                best[some] = np.maximum(best[some], z)
                scores[kept == cell, some] = z
                toys.tell(some, done + 1, len(tested))
        return two_sided(best), two_sided(scores)

    def _z(self, where: Field, points: Points, rows: IntArray, labels: BoolArray) -> FloatArray:
        """Return AUC and the best cut in standard deviations for several labellings, shape (2, n)."""
        own = Points(points.x[rows], points.labels[rows], points.multiplicity[rows], points.centre, points.scale)
        # Folds of nearly one size, by the order of the hashes: they know no labels.
        folds = np.arange(len(rows)) % FOLDS
        scores = self.learner.scorer(own, folds, where.seed)(labels)
        return statistics(within_folds(scores, folds), labels, ends=2)[0]

    @property
    def described(self) -> str:
        """The test, in words."""
        return f"classifier ({self.learner.name}, {FOLDS} folds)"

    def p_method(self, expected: ChannelExpectation) -> str:
        """Return how the local p-value is made, in words."""
        del expected
        return "normal, of the better of AUC and cuts"


def _learned_from(where: Field, cell: int, level: np.uint64) -> IntArray:
    """Return the events of a cell; the first ones, in the order of their hashes, where there are many."""
    return where.samples.within(where.cells.members([cell])[0] > 0, level)[:MOST_EVENTS]


EVENT_TESTS: dict[str, EventLook] = {"nplm": NPLMLook(), "classifier": ClassifierLook()}
"""The tests on events, by name."""
ON_OBSERVABLES = ("nplm",)
"""Those that look at every observable besides all features together."""


def observe(look: EventLook, where: Field) -> Seen:
    """Test the cells of a field as they are, on one thread: its products of matrices are small."""
    with threadpool_limits(1):
        return look.observed(where)


def repeat(
    look: EventLook, where: Field, tested: IntArray, kept: Iterable[int], toys: Toys
) -> tuple[FloatArray, dict[int, FloatArray]]:
    """Test them in pseudo-experiments; returns the largest scores, and those of every cell to keep."""
    chosen = np.array(sorted(kept), dtype=np.int64)
    with threadpool_limits(1):
        best, scores = look.relabelled(where, tested, chosen, toys)
    return best, dict(zip(chosen.tolist(), scores, strict=True))
