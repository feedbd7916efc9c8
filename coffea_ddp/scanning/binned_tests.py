"""Tests of the counts in a cell: N_sigma of its matrix, and the best of all rectangles in it.

Examples
--------
>>> NSigma().name, Submatrix().name, Submatrix(score="nsigma").name
('nsigma', 'submatrix', 'submatrix_nsigma')
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.scanning.results import CellResults
from coffea_ddp.scanning.share_tests import drawn_residual, inside_of, nsigma_block, rectangles_block
from coffea_ddp.stats.nsigma import METHOD, method_text
from coffea_ddp.stats.pulls import block_n_sigma
from coffea_ddp.stats.submatrix.best import count_rectangles_of_cells
from coffea_ddp.stats.submatrix.binomial import binomial_p, binomial_z, z_table
from coffea_ddp.stats.submatrix.bounded.maxima import bounded_cells
from coffea_ddp.stats.submatrix.bounded.share_maxima import bounded_shares
from coffea_ddp.stats.submatrix.matrix import best_of_cells, round_up
from coffea_ddp.stats.submatrix.overlapping import exact_cells, linear_cells, nsigma_cells
from coffea_ddp.stats.submatrix.share_entries import nsigma_share_cells
from coffea_ddp.stats.submatrix.shares import share_cells
from coffea_ddp.stats.trials import z_from_p

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray
    from coffea_ddp.scanning.cell_matrices import Block
    from coffea_ddp.scanning.expectation import ChannelExpectation
    from coffea_ddp.scanning.protocols import RelabelledCounts
    from coffea_ddp.stats.submatrix.bounded.maxima import Bounded
    from coffea_ddp.stats.submatrix.overlapping import Entries, MaxScores, Membership


SCORES = ("counts", "nsigma")
"""Of a rectangle."""


def kappa_of(block: Block, expected: ChannelExpectation) -> FloatArray:
    """Return kappa of every cell of a block, NaN where it cannot be known; shape (n_cells,)."""
    if expected.status is not None:
        return np.full(len(block.cells), np.nan)
    if not expected.per_cell:
        return np.full(len(block.cells), expected.kappa)
    a, b = block.n_a, block.n_b
    return np.where((a > 0) & (b > 0), b, np.nan) / np.where(a > 0, a, 1.0)


@dataclass(frozen=True)
class NSigma:
    """N_sigma of the whole matrix (arXiv:2203.07529).

    Examples
    --------
    >>> NSigma().name
    'nsigma'
    """

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
                np.where(np.isfinite(kappa), kappa, 1.0)[:, None],
                block.variance,
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
        shares = toys.expected.shares
        if shares is None:
            nsigma_cells(toys.entries, cells, toys.labels, out)
        else:
            nsigma_share_cells(shares.entries, cells, drawn_residual(toys), shares.own, out)

    def p_method(self, expected: ChannelExpectation) -> str:
        """Return how the local p-value is made, in words."""
        if expected.shares is not None:
            return f"{METHOD}; {expected.shares.method}"
        return method_text(from_totals=expected.per_cell or expected.fixed)


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

    Examples
    --------
    >>> Submatrix("nsigma").name
    'submatrix_nsigma'
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
            constant = replace(expected, shares=None, per_cell=False)
            nominal, _ = self._best(block, np.full_like(block.a, expected.plan_kappa), constant)
            return rectangles_block(block, expected.shares, nominal, pulls=self._pulls)
        kappa = kappa_of(block, expected)
        ratio = np.broadcast_to(np.where(np.isfinite(kappa), kappa, 1.0)[:, None], block.a.shape)
        z, rectangle = self._best(block, ratio, expected)
        inside = inside_of(block, rectangle)
        n_a, n_b = (block.a * inside).sum(axis=1), (block.b * inside).sum(axis=1)
        if self._exact(expected):
            # The tables are in single precision.
            split = n_b, n_a + n_b, expected.kappa / (1 + expected.kappa)
            z = np.where(np.isfinite(z), binomial_z(*split), np.nan)
            bound = np.copysign(z_from_p(binomial_p(*split), two_sided=True), z)
        else:
            bound = z
        if expected.nominal:
            nominal = z
        else:
            nominal, _ = self._best(block, np.full_like(ratio, expected.plan_kappa), expected)
        z, bound = (np.where(np.isfinite(kappa), values, np.nan) for values in (z, bound))
        filled = (block.a + block.b if block.variance is None else block.variance) > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            asymmetry = n_b / (block.a * ratio * inside).sum(axis=1) - 1
        trials = count_rectangles_of_cells(block.whole(filled), block.shape)
        n_bins = (filled & inside).sum(axis=1)
        return CellResults(z, bound, nominal, n_a, n_b, n_bins, asymmetry, kappa, np.ones(len(z)), trials, rectangle)

    def _best(self, block: Block, ratio: FloatArray, expected: ChannelExpectation) -> tuple[FloatArray, IntArray]:
        n = block.a + block.b
        if self._exact(expected):
            kappa = float(ratio[0, 0]) if len(ratio) else 1.0
            table = z_table(kappa, round_up(int(n.sum(axis=1).max(initial=0))))
            return best_of_cells(block.whole(block.b), block.whole(n), block.shape, 0, table)
        v = ratio * (n if block.variance is None else block.variance)
        x = block.b - ratio * block.a
        if self._pulls:
            x, v = x / np.sqrt(np.where(v > 0, v, 1.0)), (v > 0).astype(np.float64)
        return best_of_cells(block.whole(x), block.whole(v), block.shape, 0, None)

    def relabelled(self, toys: RelabelledCounts, cells: Membership, out: MaxScores) -> None:
        """Test all cells in a block of pseudo-experiments."""
        expected, shares = toys.expected, toys.expected.shares
        if shares is not None:
            x = drawn_residual(toys)
            share_cells(shares.entries, cells, toys.shape, x, out, own=shares.own, pulls=self._pulls)
        elif self._exact(expected):
            # One table for all cells: the largest cell holds at most all events.
            table = z_table(expected.kappa, round_up(int(toys.entries.n.sum())))
            exact_cells(toys.entries, cells, toys.shape, table, toys.b, out)
        else:
            linear_cells(toys.entries, cells, toys.shape, self._pulls, toys.labels, out)

    def bounded(
        self, entries: Entries, cells: Membership, shape: tuple[int, int], expected: ChannelExpectation,
        wanted: FloatArray,
    ) -> Bounded | None:  # fmt: skip
        """Return the cells, ready for their pseudo-experiments, where scores are those of summed counts of events."""
        shares = expected.shares
        if shares is not None:
            return None if self._pulls or shares.own else bounded_shares(shares.entries, cells, shape, wanted)
        return bounded_cells(entries, cells, shape, expected.kappa, wanted) if self._exact(expected) else None

    @property
    def described(self) -> str:
        """The test, in words."""
        return f"best sub-matrix by its {'N_sigma' if self._pulls else 'summed counts'}"

    def p_method(self, expected: ChannelExpectation) -> str:
        """Return how the local p-value of the rectangle is made, in words."""
        how = "asymptotic normal of the rectangle"
        if expected.shares is not None:
            if not self._pulls and not expected.weighted:
                how = "full binomial p of the rectangle with the mean share (conservative)"
            return f"{how}, two-sided; {expected.shares.method}"
        exact = "full binomial p of the rectangle (z: of its mid-p)"
        return f"{exact if self._exact(expected) else how}, two-sided"
