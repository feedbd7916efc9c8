"""NPLM in the cells of a pass: its score version in every cell, full fits of the best rows.

The test compares the shapes of the stored events (:mod:`coffea_ddp.histograms.samples`): how many events there are on
either side is for the tests of histograms. Labels of pseudo-experiments are keyed to the events, so they are those of
the other tests. Features are put on a logarithmic scale far from their middle (the inverse of the hyperbolic sine):
tails of masses and momenta are long, and kernels are of one width.

Where every event has its own expected share of side B the test is of residuals, label less share, and labels of
pseudo-experiments are drawn from the shares (:mod:`coffea_ddp.stats.log_ratio.score_test`).

Examples
--------
>>> NPLM(fits=2).name, NPLM().per_observable
('nplm', True)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.scanning.unbinned_input import (
    PseudoExperiments,
    UnbinnedInput,
    UnbinnedResults,
    cell_blocks,
    dropped_events,
    enough_events,
    residuals_of,
    results,
)
from coffea_ddp.stats._compiled import TOYS
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
from coffea_ddp.stats.log_ratio.solvers import WIDTHS, KernelSolver, NetworkSolver, Solver, check_device

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, FloatArray, IntArray
    from coffea_ddp.histograms.samples import Samples
    from coffea_ddp.scanning.expectation import ChannelExpectation
    from coffea_ddp.stats.log_ratio.score_test import Forms

FITS = 10
"""Number of rows that are fitted in full."""


class _Part(NamedTuple):
    """Cells of one threshold, with the sums over the events that it keeps."""

    cells: IntArray
    rows: IntArray
    phi: FloatArray
    sums: CodeSums


@dataclass(frozen=True)
class NPLM:
    """Symmetrized NPLM (arXiv:2401.09530; kernels: arXiv:2204.02317): the score version, and full fits of the best.

    Attributes
    ----------
    fits
        Number of rows that are fitted in full: the best of NPLM in each group of rows that are mostly about the same
        events.
    solver
        Of the full fits.
    toys
        Permutations of the labels for each full fit, for its p after all families of the solver; those of the scan by
        default, or 1,000 where it has none.
    widths
        Of the kernels of the score version, as for :class:`coffea_ddp.stats.KernelSolver`; each is a test.

    Raises
    ------
    InputError
        If a number is negative, or networks lack torch, their device or permutations.

    Examples
    --------
    >>> NPLM(fits=3).name
    'nplm'
    """

    fits: int = FITS
    solver: Solver = field(default_factory=KernelSolver)
    toys: int | None = None
    widths: tuple[float, ...] = WIDTHS
    name: ClassVar[str] = "nplm"
    kind: ClassVar[str] = "events"
    normal: ClassVar[bool] = False
    per_observable: ClassVar[bool] = True
    described: ClassVar[str] = "NPLM of shapes, score version, kernels"

    def __post_init__(self) -> None:
        """Fail before the scan, not after it."""
        for name, value in (("fits", self.fits), ("toys", self.toys or 0)):
            if value < 0:
                raise InputError(f"NPLM({name}={value}): give 0 or more")
        if isinstance(self.solver, NetworkSolver):
            check_device(self.solver.device)
            if self.fits and self.toys == 0:
                raise InputError("NPLM(toys=0): networks have no null but that of permutations; give some")

    def observed(self, field: UnbinnedInput) -> UnbinnedResults:
        """Test all cells with enough events as they are."""
        samples = field.samples
        cells, levels, n_a, n_b = enough_events(field)
        z, t = np.full((len(self.widths), len(cells)), -np.inf), np.zeros((len(self.widths), len(cells)))
        if len(cells):
            is_a = ~samples.is_b[:, None]
            labels = is_a if field.shares is None else residuals_of(is_a, field)
            for number, part in self._parts(field, cells, levels):
                over_a = _over_a(samples, part, labels)
                for chosen, members in cell_blocks(field.cells, part.cells):
                    forms = forms_of(members, part.sums, share=field.share, total=field.total)
                    value = statistic(members, over_a, forms)
                    at = np.searchsorted(cells, chosen)
                    t[number, at], z[number, at] = value[:, 0], z_of(value, forms)[:, 0]
        best = z.argmax(axis=0) if len(self.widths) else np.zeros(len(cells), np.int64)
        largest = z[best, np.arange(len(cells))]
        known = (n_a > 0) & (n_b > 0) & (largest > NO_OPINION)
        found = results(np.where(known, two_sided(largest), np.nan), n_a, n_b, len(self.widths), field)
        return UnbinnedResults(
            cells, found, t[best, np.arange(len(cells))], best, dropped_events(field, cells, n_a + n_b), field.total
        )

    def relabelled(
        self, field: UnbinnedInput, tested: IntArray, kept: IntArray, toys: PseudoExperiments
    ) -> tuple[FloatArray, FloatArray]:
        """Test the same cells in pseudo-experiments; see :class:`~coffea_ddp.scanning.protocols.EventsTest`."""
        samples = field.samples
        levels = samples.levels(field.cells)[tested]
        best = np.full(toys.number, -np.inf)
        scores = np.full((len(kept), toys.number), -np.inf)
        for some in toys.steps(field):
            labels = toys.labels(field, some) if field.shares is None else toys.residuals(field, some)
            for number, part in self._parts(field, tested, levels):
                over_a = _over_a(samples, part, labels)
                form = functools.partial(forms_of, sums=part.sums, share=field.share, total=field.total)
                work = functools.partial(_scored, form=form, over_a=over_a, kept=kept)
                for top, places, values in toys.pool.map(work, cell_blocks(field.cells, part.cells)):
                    best[some] = np.maximum(best[some], top)
                    scores[places, some] = np.maximum(scores[places, some], values)
                toys.report(some, number + 1, len(self.widths))
        return two_sided(best), two_sided(scores)

    def _parts(self, field: UnbinnedInput, cells: IntArray, levels: NDArray[np.uint64]) -> Iterator[tuple[int, _Part]]:
        samples, points, fit = field.samples, field.points(), None if field.fit is None else field.fit.moves
        for number, width in enumerate(self.widths):
            phi = main_directions(points, width * np.sqrt(points.x.shape[1]), seed=field.seed)
            for level in np.unique(levels):
                rows = np.flatnonzero(samples.below(level))
                weights = None if samples.weights is None else samples.weights[rows]
                shares = None if field.shares is None else field.shares[rows]
                moves = None if fit is None else (fit[0][rows], fit[1][rows])
                sums = sums_of(phi[rows], samples.code[rows], len(samples.events), weights, shares=shares, moves=moves)
                yield number, _Part(cells[levels == level], rows, phi[rows], sums)

    def p_method(self, _expected: ChannelExpectation, /) -> str:
        """Return how the local p-value is made, in words."""
        return "chi2 of three cumulants"

    def method_of(self, results: UnbinnedResults, place: int) -> str:
        """Return, in words, which kernel was the best in one cell."""
        what = "numbers and shapes" if results.total else "shapes"
        return f"NPLM of {what}, score version, kernel width {self.widths[int(results.best[place])]:g}"


Scored = tuple["FloatArray", "IntArray", "FloatArray"]


def _scored(
    block: tuple[IntArray, FloatArray], *, form: Callable[[FloatArray], Forms], over_a: AnyArray, kept: IntArray
) -> Scored:
    """Return the largest z of some cells, which of the kept ones are among them, and their z."""
    chosen, members = block
    forms = form(members)
    best = np.full(over_a.shape[2], -np.inf)
    mine = np.flatnonzero(np.isin(kept, chosen))
    values = np.zeros((len(mine), over_a.shape[2]))
    place = np.searchsorted(chosen, kept[mine])
    for first in range(0, over_a.shape[2], TOYS):
        some = slice(first, first + TOYS)
        z = z_of(statistic(members, np.ascontiguousarray(over_a[:, :, some]), forms), forms)
        best[some], values[:, some] = z.max(axis=0, initial=-np.inf), z[place]
    return best, mine, values


def _over_a(samples: Samples, part: _Part, labels: AnyArray) -> AnyArray:
    weights = None if samples.weights is None else samples.weights[part.rows]
    return sums_over_a(part.phi, samples.code[part.rows], len(samples.events), labels[part.rows], weights)
