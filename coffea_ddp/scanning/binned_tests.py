"""Tests of the matrices of cells: N_sigma of the whole, or the best of all rectangles in it.

Each test has two sides that must agree: :meth:`Look.observed` takes a block of cells as they are,
:meth:`Look.relabelled` a block of pseudo-experiments of all cells. Scores are absolute z: an excess of either side
counts.

Examples
--------
>>> sorted(TESTS)
['nsigma', 'submatrix', 'submatrix_nsigma']
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

import numpy as np

from coffea_ddp.stats.nsigma import method_text
from coffea_ddp.stats.pulls import block_n_sigma
from coffea_ddp.stats.submatrix.best import count_rectangles
from coffea_ddp.stats.submatrix.binomial import binomial_p, binomial_z, dilution_of, z_table
from coffea_ddp.stats.submatrix.matrix import best_of_cells, round_up
from coffea_ddp.stats.submatrix.overlapping import (
    Entries,
    Labels,
    MaxScores,
    Membership,
    exact_cells,
    linear_cells,
    nsigma_cells,
)
from coffea_ddp.stats.trials import z_from_p

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray, IntArray
    from coffea_ddp.scanning.cell_matrices import Block
    from coffea_ddp.scanning.expectation import ChannelExpectation


class Found(NamedTuple):
    """Results of a test in a block of cells; all of shape (n_cells,), NaN where nothing can be said.

    Attributes
    ----------
    statistic
        Signed, a z: above 0 where B is in excess.
    bound
        The same of the p-value that a bound may be made of: of the full binomial p where the statistic is that of
        mid-p, which can be half of it.
    plain
        The same with the plan's kappa, taken as exact, and no systematic error.
    n_a, n_b, n_bins, asymmetry
        Of the cell, or of the best rectangle.
    kappa, scale
        The expected ratio that was used, and what the statistic was multiplied with because of its uncertainty.
    looks
        How many regions of the cell were looked at.
    where
        The best rectangle (first and one-past-last row, then column); shape (n_cells, 4), ``None`` for whole cells.
    """

    statistic: FloatArray
    bound: FloatArray
    plain: FloatArray
    n_a: FloatArray
    n_b: FloatArray
    n_bins: IntArray
    asymmetry: FloatArray
    kappa: FloatArray
    scale: FloatArray
    looks: IntArray
    where: IntArray | None


class Told(Protocol):
    """Description of one kind of test in a report."""

    @property
    def normal(self) -> bool:
        """True if its statistic is normal under the null."""

    @property
    def described(self) -> str:
        """The test, in words."""

    def p_method(self, expected: ChannelExpectation) -> str:
        """Return how the local p-value is made, in words."""


class Look(Told, Protocol):
    """One kind of test of histograms."""

    def observed(self, block: Block, expected: ChannelExpectation) -> Found:
        """Test a block of cells."""
        ...

    def relabelled(
        self,
        pieces: Entries,
        members: Membership,
        shape: tuple[int, int],
        labels: Labels,
        expected: ChannelExpectation,
        out: MaxScores,
    ) -> None:
        """Test all cells in a block of pseudo-experiments."""
        ...  # fmt: skip


def kappa_of(block: Block, expected: ChannelExpectation) -> FloatArray:
    """Return kappa of every cell of a block, NaN where it cannot be known; shape (n_cells,)."""
    if expected.status is not None:
        return np.full(len(block.cells), np.nan)
    if not expected.own:
        return np.full(len(block.cells), expected.kappa)
    a, b = (block.a * expected.ratio[block.used]).sum(axis=1), block.b.sum(axis=1)
    return np.where((a > 0) & (b > 0), b, np.nan) / np.where(a > 0, a, 1.0)


@dataclass(frozen=True)
class NSigma:
    """N_sigma of the whole matrix (arXiv:2203.07529)."""

    normal: ClassVar[bool] = True
    described: ClassVar[str] = "N_sigma"

    def observed(self, block: Block, expected: ChannelExpectation) -> Found:
        """Test a block of cells."""
        kappa = kappa_of(block, expected)
        plain = block_n_sigma(block.a, block.b, expected.plan_kappa, block.variance)
        found = plain
        if not expected.plain:
            found = block_n_sigma(
                block.a,
                block.b,
                np.where(np.isfinite(kappa), kappa, 1.0)[:, None] * expected.ratio[block.used],
                block.variance,
                systematic=expected.spread[block.used] if expected.spread.any() else None,
                kappa_error=expected.kappa_error or None,
                estimated_from=self._estimated_from(block, expected),
            )
        statistic = np.where(np.isfinite(kappa), found.statistic, np.nan)
        ones = np.ones(len(kappa), dtype=np.int64)
        return Found(
            statistic, statistic, plain.statistic, block.n_a, block.n_b, found.n_bins, found.asymmetry, kappa,
            found.scale, ones, None,
        )  # fmt: skip

    @staticmethod
    def _estimated_from(block: Block, expected: ChannelExpectation) -> FloatArray | float | None:
        if not expected.own:
            return expected.estimated_from
        total = block.n_a + block.n_b
        return total if block.variance is None else total**2 / block.variance.sum(axis=1)

    def relabelled(
        self, pieces: Entries, members: Membership, shape: tuple[int, int], labels: Labels,
        expected: ChannelExpectation, out: MaxScores,
    ) -> None:  # fmt: skip
        """Test all cells in a block of pseudo-experiments."""
        del shape, expected
        nsigma_cells(pieces, members, labels, out)

    def p_method(self, expected: ChannelExpectation) -> str:
        """Return how the local p-value is made, in words."""
        return method_text(
            from_totals=expected.own or expected.fixed,
            kappa_error=bool(expected.kappa_error),
            per_bin=bool((expected.ratio != 1).any()),
            systematic=bool(expected.spread.any()),
        )


@dataclass(frozen=True)
class Rectangles:
    """The best of all rectangles of the matrix.

    Attributes
    ----------
    pulls
        Whether a rectangle's score is its N_sigma, or the significance of its summed counts.
    """

    pulls: bool
    normal: ClassVar[bool] = False

    def _exact(self, expected: ChannelExpectation) -> bool:
        return not self.pulls and expected.exact

    def observed(self, block: Block, expected: ChannelExpectation) -> Found:
        """Test a block of cells."""
        kappa = kappa_of(block, expected)
        ratio = np.where(np.isfinite(kappa), kappa, 1.0)[:, None] * expected.ratio[block.used]
        z, where = self._best(block, ratio, expected.spread[block.used], expected.kappa_error, expected)
        inside = self._inside(block, where)
        n_a, n_b = (block.a * inside).sum(axis=1), (block.b * inside).sum(axis=1)
        if self._exact(expected):
            # The tables are in single precision.
            split = n_b, n_a + n_b, expected.kappa / (1 + expected.kappa)
            wide = np.sqrt(1.0 + dilution_of(expected.kappa, expected.kappa_error) * (n_a + n_b))
            z = np.where(np.isfinite(z), binomial_z(*split) / wide, np.nan)
            bound = np.copysign(z_from_p(binomial_p(*split), two_sided=True) / wide, z)
        else:
            bound = z
        if expected.plain:
            plain = z
        else:
            plan = np.full_like(ratio, expected.plan_kappa)
            plain, _ = self._best(block, plan, np.zeros(ratio.shape[1]), 0.0, expected)
        z, bound = (np.where(np.isfinite(kappa), values, np.nan) for values in (z, bound))
        filled = (block.a + block.b if block.variance is None else block.variance) > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            asymmetry = n_b / (block.a * ratio * inside).sum(axis=1) - 1
        looks = np.array(
            [count_rectangles(self._whole(row, block).reshape(block.shape)) for row in filled.astype(np.float64)],
            dtype=np.int64,
        )
        n_bins = (filled & inside).sum(axis=1)
        return Found(z, bound, plain, n_a, n_b, n_bins, asymmetry, kappa, np.ones(len(z)), looks, where)

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
        if self.pulls:
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
    def _inside(block: Block, where: IntArray) -> BoolArray:
        row, column = np.divmod(block.used, block.shape[1])
        first_row, stop_row, first_column, stop_column = where.T[:, :, None]
        rows, columns = (row >= first_row) & (row < stop_row), (column >= first_column) & (column < stop_column)
        return np.asarray(rows & columns)

    def relabelled(
        self, pieces: Entries, members: Membership, shape: tuple[int, int], labels: Labels,
        expected: ChannelExpectation, out: MaxScores,
    ) -> None:  # fmt: skip
        """Test all cells in a block of pseudo-experiments."""
        if self._exact(expected):
            # One table for all cells: the largest cell holds at most all events.
            table = z_table(expected.kappa, round_up(int(pieces.n.sum())), expected.kappa_error)
            exact_cells(pieces, members, shape, table, labels.b, out)
        else:
            linear_cells(pieces, members, shape, self.pulls, labels, out)

    @property
    def described(self) -> str:
        """The test, in words."""
        return f"best sub-matrix by its {'N_sigma' if self.pulls else 'summed counts'}"

    def p_method(self, expected: ChannelExpectation) -> str:
        """Return how the local p-value of the rectangle is made, in words."""
        exact = "full binomial p of the rectangle (z: of its mid-p)"
        how = exact if self._exact(expected) else "asymptotic normal of the rectangle"
        wide = "; uncertainty of kappa propagated" if expected.kappa_error else ""
        return f"{how}, two-sided{wide}"


TESTS: dict[str, Look] = {
    "nsigma": NSigma(),
    "submatrix": Rectangles(pulls=False),
    "submatrix_nsigma": Rectangles(pulls=True),
}
"""The tests that exist, by name."""
