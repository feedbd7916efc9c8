"""Tests of counts in blocks of cells whose events have expected shares of side B.

``kappa`` of their results is what the shares come to in a cell or rectangle, ``E / (n - E)``; z with the plan's kappa
is reported beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.scanning.results import CellResults
from coffea_ddp.stats.pulls import block_n_sigma
from coffea_ddp.stats.submatrix.best import count_rectangles
from coffea_ddp.stats.submatrix.binomial import binomial_p
from coffea_ddp.stats.submatrix.share_entries import nsigma_of_shares
from coffea_ddp.stats.submatrix.shares import best_of_shares
from coffea_ddp.stats.trials import z_from_p

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray, IntArray
    from coffea_ddp.scanning.cell_matrices import Block
    from coffea_ddp.scanning.expectation import ChannelExpectation
    from coffea_ddp.scanning.shares import ChannelShares

SHARES = "calibrated shares of side B, the uncertainty of their fit projected out"
"""Part of the method of a p-value: where efficiencies enter."""


def nsigma_block(block: Block, expected: ChannelExpectation, shares: ChannelShares) -> CellResults:
    """Return N_sigma of the cells of a block: ``sum_i (B_i - E_i) / sqrt(V_i)`` over its standard deviation."""
    starts, codes = _lists(block.members)
    found = nsigma_of_shares(shares.entries, starts, codes, shares.residual)
    e = shares.expected(block.members, block.used).sum(axis=1)
    kappa, asymmetry = _ratios(block.n_a, block.n_b, e)
    nominal = block_n_sigma(block.a, block.b, expected.plan_kappa).statistic
    ones = np.ones(len(e), dtype=np.int64)
    return CellResults(
        found.statistic, found.statistic, nominal, block.n_a, block.n_b, found.n_bins, asymmetry, kappa, found.scale,
        ones, None,
    )  # fmt: skip


def rectangles_block(block: Block, shares: ChannelShares, nominal: FloatArray) -> CellResults:
    """Return the best rectangle of the cells of a block; ``nominal`` is its z with the plan's kappa.

    The p-value is that of the binomial distribution with the mean share, which is never below that of unequal shares
    (W. Hoeffding, Ann. Math. Stat. 27 (1956) 713); where the fit makes the variance larger, z is smaller alike.
    """
    starts, codes = _lists(block.members)
    found = best_of_shares(shares.entries, starts, codes, shares.residual, block.shape)
    inside = _inside(block, found.where)
    n_a, n_b = (block.a * inside).sum(axis=1), (block.b * inside).sum(axis=1)
    total = n_a + n_b
    mean = np.clip(found.e / np.maximum(found.n, 1.0), 1e-9, 1.0 - 1e-9)
    wide = np.sqrt(np.maximum(found.variance / np.maximum(found.v, 1e-9), 1.0))
    bound = np.copysign(z_from_p(binomial_p(n_b, total, mean), two_sided=True) / wide, found.z)
    kappa, asymmetry = _ratios(n_a, n_b, found.e)
    filled = (block.a + block.b) > 0
    whole = np.zeros((len(filled), block.shape[0] * block.shape[1]))
    whole[:, block.used] = filled
    trials = np.array([count_rectangles(row.reshape(block.shape)) for row in whole], dtype=np.int64)
    return CellResults(
        found.z, bound, nominal, n_a, n_b, (filled & inside).sum(axis=1), asymmetry, kappa, np.ones(len(total)), trials,
        found.where,
    )  # fmt: skip


def _lists(members: FloatArray) -> tuple[IntArray, IntArray]:
    """Return where the list of every cell begins, and the exclusive cells of all lists."""
    cell, code = np.nonzero(members)
    starts = np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=len(members)))])
    return starts.astype(np.int64), code


def _ratios(n_a: FloatArray, n_b: FloatArray, e: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the expected ratio B / A, and how much larger the observed one is; NaN without events of A."""
    with np.errstate(divide="ignore", invalid="ignore"):
        kappa = e / (n_a + n_b - e)
        return kappa, n_b / (n_a * kappa) - 1.0


def _inside(block: Block, where: IntArray) -> BoolArray:
    row, column = np.divmod(block.used, block.shape[1])
    first_row, stop_row, first_column, stop_column = where.T[:, :, None]
    rows, columns = (row >= first_row) & (row < stop_row), (column >= first_column) & (column < stop_column)
    return np.asarray(rows & columns)
