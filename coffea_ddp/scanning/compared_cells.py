"""Tests of data against simulation in every cell: N_sigma, and the best region by its counts.

Both know the statistics of each simulated sample and the variations that move bins and cells together. Data and toys go
through the same formulas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from coffea_ddp.scanning.results import CellResults
from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.simulated.cells import (
    Lists,
    RegionCells,
    Scores,
    Toys,
    best_regions,
    toy_pulls,
    toy_regions,
)
from coffea_ddp.stats.simulated.expected import draw
from coffea_ddp.stats.simulated.mixed import mixed_p
from coffea_ddp.stats.simulated.pulls import weighted_pulls
from coffea_ddp.stats.trials import z_from_p

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import FloatArray, IntArray
    from coffea_ddp.histograms.lattice import DistinctCells
    from coffea_ddp.scanning.protocols import ScanTest
    from coffea_ddp.stats.simulated.expected import Expected

    Single = NDArray[np.float32]

BLOCK = 512
"""Cells whose matrices are made together."""
METHOD = "asymptotic normal, two-sided, with the statistics of each sample and the variations"
REGION_METHOD = (
    "Poisson with the expectation of the region, of the mean, variance and third moment of its samples and with its "
    "variations, two-sided"
)


class ComparedExpectation(NamedTuple):
    """Expectation of a comparison, as rows of a report know it."""

    weighted: bool = True
    nominal: bool = True
    plan_kappa: float = 1.0


class Matrices(NamedTuple):
    """Matrices of some cells; shape (n_cells, n_bins), the shifts (n_variations, n_cells, n_bins)."""

    data: FloatArray
    mean: FloatArray
    variance: FloatArray
    third: FloatArray
    steady: FloatArray
    own: FloatArray
    shifts: FloatArray


class ComparedCells:
    """The matrices of one observable in all distinct cells, a block at a time.

    Parameters
    ----------
    expected
        What is expected of the exclusive cells.
    cells
        The distinct cells.
    n_bins
        Bins of a matrix.
    """

    def __init__(self, expected: Expected, cells: DistinctCells, n_bins: int) -> None:
        self.expected, self.cells, self.n_bins = expected, cells, n_bins
        self._walk = cells.walk(expected.cells, expected.bins)
        columns = [getattr(expected, name) for name in Matrices._fields[:-1]]
        self._columns = np.column_stack([*columns, *expected.shifts])
        totals = np.column_stack([expected.data, expected.mean])
        sums = [np.bincount(expected.cells, column, minlength=len(expected.starts) - 1) for column in totals.T]
        self.totals = cells.sums(np.column_stack(sums).astype(np.float64))

    def blocks(self, index: IntArray) -> Iterator[tuple[IntArray, Matrices]]:
        """Yield some of the cells, by their numbers, and their matrices."""
        trail = self._walk.trail(self._columns.shape[1])
        for start in range(0, len(index), BLOCK):
            some = index[start : start + BLOCK]
            whole = np.zeros((self._columns.shape[1], len(some), self.n_bins))
            whole[:, :, self._walk.bins] = np.moveaxis(self._walk.sums(self._columns, some, trail), 2, 0)
            data, mean, variance, third, steady, own = whole[:6]
            yield some, Matrices(data, mean, variance, third, steady, own, whole[6:])


@dataclass(frozen=True)
class ComparedNSigma:
    """N_sigma of the whole matrix against the expectation."""

    name: ClassVar[str] = "nsigma"
    kind: ClassVar[str] = "comparison"
    normal: ClassVar[bool] = True
    described: ClassVar[str] = "N_sigma of data against simulation"

    def observed(self, block: Matrices, shape: tuple[int, int]) -> CellResults:  # noqa: ARG002 (as of regions)
        """Test a block of cells."""
        found = weighted_pulls(block.data, block.mean, block.variance, block.steady, block.shifts)
        ones = np.ones(len(found.statistic))
        return CellResults(
            found.statistic, found.statistic, found.statistic, block.mean.sum(axis=1), block.data.sum(axis=1),
            found.n_bins, np.full(len(ones), np.nan), ones, ones, ones.astype(np.int64), None, found.error,
        )  # fmt: skip

    def prepared(self, cells: ComparedCells, index: IntArray, shape: tuple[int, int]) -> PreparedPulls:  # noqa: ARG002
        """Return what toys of some cells need."""
        weights, means = [np.zeros((0, cells.n_bins))], [np.zeros(0)]
        for _, block in cells.blocks(index):
            found = weighted_pulls(block.data, block.mean, block.variance, block.steady, block.shifts)
            weights.append(found.weights)
            means.append((found.weights * block.mean).sum(axis=1))
        return PreparedPulls(
            Lists(*cells.cells.lists(index)), np.concatenate(weights).astype(np.float32), np.concatenate(means)
        )

    def p_method(self, expected: object) -> str:  # noqa: ARG002 (as of other tests)
        """Return how the local p-value is made, in words."""
        return METHOD


@dataclass(frozen=True)
class ComparedRegions:
    """The best of all rectangles of bins by its counts: on one axis MUSiC's region of interest.

    Attributes
    ----------
    name
        ``"submatrix"``, or ``"roi"``.
    """

    name: str = "submatrix"
    kind: ClassVar[str] = "comparison"
    normal: ClassVar[bool] = False

    @property
    def described(self) -> str:
        """The test, in words."""
        return "region of interest" if self.name == "roi" else "best sub-matrix by its counts, data against simulation"

    def observed(self, block: Matrices, shape: tuple[int, int]) -> CellResults:
        """Test a block of cells."""
        found = best_regions(block.data, block.mean, block.variance, block.own, block.shifts, shape)
        tested = found.trials > 0
        mean = np.where(tested, found.mean, 1.0)
        third = _inside(block.third, found.region, shape)
        p = np.minimum(2.0 * mixed_p(found.data, mean, found.variance, third), 1.0)
        statistic = np.where(tested, found.score, np.nan)
        bound = np.where(tested, np.copysign(np.maximum(z_from_p(p, two_sided=True), 0.0), found.score), np.nan)
        ones = np.ones(len(p))
        rows, columns = found.region[:, 1] - found.region[:, 0], found.region[:, 3] - found.region[:, 2]
        return CellResults(
            statistic, bound, bound, np.where(tested, found.mean, 0.0), found.data, rows * columns,
            np.full(len(p), np.nan), ones, ones, np.maximum(found.trials, 1), found.region, np.sqrt(found.variance),
        )  # fmt: skip

    def prepared(self, cells: ComparedCells, index: IntArray, shape: tuple[int, int]) -> PreparedRegions:
        """Return what toys of some cells need."""
        blocks = [block for _, block in cells.blocks(index)]
        empty = np.zeros((0, cells.n_bins))
        mean, variance, own = (
            np.concatenate([empty, *(getattr(block, name) for block in blocks)]) for name in ("mean", "variance", "own")
        )
        n_variations = len(cells.expected.variations)
        moved = [np.moveaxis(block.shifts, 1, 0) for block in blocks]
        shifts = np.concatenate([np.zeros((0, n_variations, cells.n_bins)), *moved])
        return PreparedRegions(
            Lists(*cells.cells.lists(index)), RegionCells(mean, variance, own, np.ascontiguousarray(shifts)), shape
        )

    def p_method(self, expected: object) -> str:  # noqa: ARG002 (as of other tests)
        """Return how the local p-value is made, in words."""
        return REGION_METHOD


def _inside(values: FloatArray, region: IntArray, shape: tuple[int, int]) -> FloatArray:
    """Return the sums over one region of every cell."""
    sums = np.zeros((len(values), shape[0] + 1, shape[1] + 1))
    sums[:, 1:, 1:] = values.reshape(-1, *shape).cumsum(axis=1).cumsum(axis=2)
    cell, (i, k, j, m) = np.arange(len(values)), region.T
    return np.asarray(sums[cell, k, m] - sums[cell, i, m] - sums[cell, k, j] + sums[cell, i, j])


class PreparedPulls(NamedTuple):
    """N_sigma of cells, ready for toys."""

    cells: Lists
    weights: Single
    means: FloatArray

    def take(self, toys: Toys, out: Scores) -> None:
        """Take the scores of a block of toys."""
        toy_pulls(toys, self.cells, self.weights, self.means, out)


class PreparedRegions(NamedTuple):
    """Regions of cells, ready for toys."""

    cells: Lists
    expected: RegionCells
    shape: tuple[int, int]

    def take(self, toys: Toys, out: Scores) -> None:
        """Take the scores of a block of toys."""
        toy_regions(toys, self.cells, self.expected, self.shape, out)


ComparedTest = ComparedNSigma | ComparedRegions
"""A test of data against simulation."""


class KeptCells(NamedTuple):
    """The cells of one test that were tested, in toys.

    Attributes
    ----------
    test
        Its name.
    prepared
        What toys need.
    keep
        The row in which the scores of a cell are kept, or -1; shape (n_tested,).
    kept
        The numbers of the cells that are kept, in the order of their rows.
    """

    test: str
    prepared: PreparedPulls | PreparedRegions
    keep: IntArray
    kept: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class ComparedWork:
    """One observable of a comparison, ready for its toys.

    Attributes
    ----------
    name, key
        As progress names it, and as random numbers belong to it.
    expected
        Of its exclusive cells.
    tests
        The cells of every test.
    toys
        Their number.
    seed
        Of the scan.
    """

    name: str
    key: str
    expected: Expected
    tests: tuple[KeptCells, ...]
    toys: int
    seed: int

    @property
    def parts(self) -> list[list[int]]:
        """Blocks of toys, each a part."""
        return [[number] for number in range(-(-self.toys // TOYS))]

    def results(self, numbers: Sequence[int]) -> list[list[tuple[Single, Single]]]:
        """Return the scores of some blocks of toys, by their numbers."""
        return [self._block(number) for number in numbers]

    def _block(self, number: int) -> list[tuple[Single, Single]]:
        counts = draw(self.expected, seed=self.seed, key=self.key, block=number)
        toys = Toys(self.expected.starts, self.expected.bins, counts)
        found = []
        for one in self.tests:
            best, kept = np.zeros(TOYS, np.float32), np.zeros((len(one.kept), TOYS), np.float32)
            one.prepared.take(toys, Scores(best, one.keep, kept))
            found.append((best, kept))
        return found


def tests_of(tests: Sequence[ScanTest]) -> tuple[ComparedTest, ...]:
    """Return the tests of comparisons that the tests of a scan ask for, by their names."""
    made: Mapping[str, ComparedTest] = {
        "nsigma": ComparedNSigma(), "submatrix": ComparedRegions(), "roi": ComparedRegions("roi"),
    }  # fmt: skip
    return tuple(made[test.name] for test in tests if test.name in made)
