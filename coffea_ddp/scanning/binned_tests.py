"""Tests of the counts in a cell: N_sigma of its matrix, and the best of all rectangles in it.

Examples
--------
>>> NSigma().name, Submatrix().name, Submatrix(score="nsigma").name
('nsigma', 'submatrix', 'submatrix_nsigma')
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.scanning.results import CellResults
from coffea_ddp.scanning.share_tests import SHARES, nsigma_block, rectangles_block
from coffea_ddp.stats.nsigma import method_text
from coffea_ddp.stats.pulls import block_n_sigma
from coffea_ddp.stats.submatrix.best import count_rectangles
from coffea_ddp.stats.submatrix.binomial import binomial_p, binomial_z, dilution_of, z_table
from coffea_ddp.stats.submatrix.matrix import best_of_cells, round_up
from coffea_ddp.stats.submatrix.overlapping import (
    KnownKappaLabels,
    exact_cells,
    linear_cells,
    nsigma_cells,
)
from coffea_ddp.stats.submatrix.shares import share_cells
from coffea_ddp.stats.trials import z_from_p

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray, IntArray
    from coffea_ddp.scanning.cell_matrices import Block
    from coffea_ddp.scanning.expectation import ChannelExpectation
    from coffea_ddp.scanning.protocols import RelabelledCounts
    from coffea_ddp.stats.submatrix.overlapping import MaxScores, Membership


SCORES = ("counts", "nsigma")
"""Of a rectangle."""


def kappa_of(block: Block, expected: ChannelExpectation) -> FloatArray:
    """Return kappa of every cell of a block, NaN where it cannot be known; shape (n_cells,)."""
    if expected.status is not None:
        return np.full(len(block.cells), np.nan)
    if not expected.per_cell:
        return np.full(len(block.cells), expected.kappa)
    a, b = (block.a * expected.ratio[block.used]).sum(axis=1), block.b.sum(axis=1)
    return np.where((a > 0) & (b > 0), b, np.nan) / np.where(a > 0, a, 1.0)


@dataclass(frozen=True)
class NSigma:
    """N_sigma of the whole matrix (arXiv:2203.07529)."""

    name: ClassVar[str] = "nsigma"
    kind: ClassVar[str] = "counts"
    normal: ClassVar[bool] = True
    described: ClassVar[str] = "N_sigma"

    def observed(self, block: Block, expected: ChannelExpectation) -> CellResults:
        """Test a block of cells."""
        if expected.shares is not None:
            return nsigma_block(block, expected, expected.shares)
        kappa = kappa_of(block, expected)
        nominal = block_n_sigma(block.a, block.b, expected.plan_kappa, block.variance)
        found = nominal
        if not expected.nominal:
            found = block_n_sigma(
                block.a,
                block.b,
                np.where(np.isfinite(kappa), kappa, 1.0)[:, None] * expected.ratio[block.used],
                block.variance,
                systematic=expected.bin_error[block.used] if expected.bin_error.any() else None,
                kappa_error=expected.kappa_error or None,
                estimated_from=self._estimated_from(block, expected),
            )
        statistic = np.where(np.isfinite(kappa), found.statistic, np.nan)
        ones = np.ones(len(kappa), dtype=np.int64)
        return CellResults(
            statistic, statistic, nominal.statistic, block.n_a, block.n_b, found.n_bins, found.asymmetry, kappa,
            found.scale, ones, None,
        )  # fmt: skip

    @staticmethod
    def _estimated_from(block: Block, expected: ChannelExpectation) -> FloatArray | float | None:
        if not expected.per_cell:
            return expected.estimated_from
        total = block.n_a + block.n_b
        return total if block.variance is None else total**2 / block.variance.sum(axis=1)

    def relabelled(self, toys: RelabelledCounts, cells: Membership, out: MaxScores) -> None:
        """Test all cells in a block of pseudo-experiments."""
        nsigma_cells(toys.entries, cells, toys.labels, out)

    def p_method(self, expected: ChannelExpectation) -> str:
        """Return how the local p-value is made, in words."""
        if expected.shares is not None:
            return f"asymptotic normal, two-sided; {SHARES}"
        return method_text(
            from_totals=expected.per_cell or expected.fixed,
            kappa_error=bool(expected.kappa_error),
            per_bin=bool((expected.ratio != 1).any()),
            systematic=bool(expected.bin_error.any()),
        )


@dataclass(frozen=True)
class Submatrix:
    """The best of all rectangles of the matrix.

    Attributes
    ----------
    score
        Of a rectangle: ``"counts"``, the significance of its summed counts (binomial where that is exact), or
        ``"nsigma"``, its N_sigma.

    Raises
    ------
    InputError
        If the score is another.
    """

    score: str = "counts"
    kind: ClassVar[str] = "counts"
    normal: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the score."""
        if self.score not in SCORES:
            raise InputError(f"Submatrix(score={self.score!r}): the scores are {' and '.join(map(repr, SCORES))}")

    @property
    def name(self) -> str:
        """As in ``tests=[name]``."""
        return "submatrix" if self.score == "counts" else "submatrix_nsigma"

    @property
    def _pulls(self) -> bool:
        return self.score == "nsigma"

    def _exact(self, expected: ChannelExpectation) -> bool:
        return not self._pulls and expected.exact

    def observed(self, block: Block, expected: ChannelExpectation) -> CellResults:
        """Test a block of cells."""
        if expected.shares is not None:
            plan = np.full_like(block.a, expected.plan_kappa)
            nominal, _ = self._best(block, plan, np.zeros(plan.shape[1]), 0.0, replace(expected, shares=None))
            return rectangles_block(block, expected.shares, nominal)
        kappa = kappa_of(block, expected)
        ratio = np.where(np.isfinite(kappa), kappa, 1.0)[:, None] * expected.ratio[block.used]
        z, rectangle = self._best(block, ratio, expected.bin_error[block.used], expected.kappa_error, expected)
        inside = self._inside(block, rectangle)
        n_a, n_b = (block.a * inside).sum(axis=1), (block.b * inside).sum(axis=1)
        if self._exact(expected):
            # The tables are in single precision.
            split = n_b, n_a + n_b, expected.kappa / (1 + expected.kappa)
            wide = np.sqrt(1.0 + dilution_of(expected.kappa, expected.kappa_error) * (n_a + n_b))
            z = np.where(np.isfinite(z), binomial_z(*split) / wide, np.nan)
            bound = np.copysign(z_from_p(binomial_p(*split), two_sided=True) / wide, z)
        else:
            bound = z
        if expected.nominal:
            nominal = z
        else:
            plan = np.full_like(ratio, expected.plan_kappa)
            nominal, _ = self._best(block, plan, np.zeros(ratio.shape[1]), 0.0, expected)
        z, bound = (np.where(np.isfinite(kappa), values, np.nan) for values in (z, bound))
        filled = (block.a + block.b if block.variance is None else block.variance) > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            asymmetry = n_b / (block.a * ratio * inside).sum(axis=1) - 1
        trials = np.array(
            [count_rectangles(self._whole(row, block).reshape(block.shape)) for row in filled.astype(np.float64)],
            dtype=np.int64,
        )
        n_bins = (filled & inside).sum(axis=1)
        return CellResults(z, bound, nominal, n_a, n_b, n_bins, asymmetry, kappa, np.ones(len(z)), trials, rectangle)

    def _best(
        self, block: Block, ratio: FloatArray, spread: FloatArray, kappa_error: float, expected: ChannelExpectation
    ) -> tuple[FloatArray, IntArray]:
        n = block.a + block.b
        if self._exact(expected):
            kappa = float(ratio[0, 0]) if len(ratio) else 1.0
            table = z_table(kappa, round_up(int(n.sum(axis=1).max(initial=0))), kappa_error)
            return best_of_cells(self._whole(block.b, block), self._whole(n, block), block.shape, 0, table)
        v = ratio * (n if block.variance is None else block.variance)
        v = v + (spread * ratio * n / (1 + ratio)) ** 2
        x, common = block.b - ratio * block.a, kappa_error * ratio * n / (1 + ratio)
        if self._pulls:
            root = np.sqrt(np.where(v > 0, v, 1.0))
            x, common, v = x / root, common / root, (v > 0).astype(np.float64)
        wholes = (self._whole(values, block) for values in (x, v, common))
        return best_of_cells(next(wholes), next(wholes), block.shape, 0, None, next(wholes))

    @staticmethod
    def _whole(values: FloatArray, block: Block) -> FloatArray:
        """Put the bins that are used back in their places."""
        whole = np.zeros((*values.shape[:-1], math.prod(block.shape)))
        whole[..., block.used] = values
        return whole

    @staticmethod
    def _inside(block: Block, rectangle: IntArray) -> BoolArray:
        row, column = np.divmod(block.used, block.shape[1])
        first_row, stop_row, first_column, stop_column = rectangle.T[:, :, None]
        rows, columns = (row >= first_row) & (row < stop_row), (column >= first_column) & (column < stop_column)
        return np.asarray(rows & columns)

    def relabelled(self, toys: RelabelledCounts, cells: Membership, out: MaxScores) -> None:
        """Test all cells in a block of pseudo-experiments."""
        expected = toys.expected
        if expected.shares is not None and isinstance(toys.labels, KnownKappaLabels):
            share_cells(expected.shares.entries, cells, toys.shape, toys.labels.residual, out)
        elif self._exact(expected):
            # One table for all cells: the largest cell holds at most all events.
            table = z_table(expected.kappa, round_up(int(toys.entries.n.sum())), expected.kappa_error)
            exact_cells(toys.entries, cells, toys.shape, table, toys.b, out)
        else:
            linear_cells(toys.entries, cells, toys.shape, self._pulls, toys.labels, out)

    @property
    def described(self) -> str:
        """The test, in words."""
        return f"best sub-matrix by its {'N_sigma' if self._pulls else 'summed counts'}"

    def p_method(self, expected: ChannelExpectation) -> str:
        """Return how the local p-value of the rectangle is made, in words."""
        if expected.shares is not None:
            return f"full binomial p of the rectangle with the mean share (conservative), two-sided; {SHARES}"
        exact = "full binomial p of the rectangle (z: of its mid-p)"
        how = exact if self._exact(expected) else "asymptotic normal of the rectangle"
        wide = "; uncertainty of kappa propagated" if expected.kappa_error else ""
        return f"{how}, two-sided{wide}"
