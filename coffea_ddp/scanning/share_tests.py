"""Tests of counts in blocks of cells whose events have expected shares of side B.

``kappa`` of their results is what the shares come to in a cell or rectangle, ``E / (n - E)``; z with the plan's kappa
is reported beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.scanning.results import CellResults
from coffea_ddp.stats.pulls import block_n_sigma
from coffea_ddp.stats.submatrix.best import count_rectangles_of_cells
from coffea_ddp.stats.submatrix.binomial import binomial_p
from coffea_ddp.stats.submatrix.overlapping import KnownKappaLabels
from coffea_ddp.stats.submatrix.share_best import best_of_shares
from coffea_ddp.stats.submatrix.share_entries import nsigma_of_shares
from coffea_ddp.stats.trials import z_from_p

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import BoolArray, FloatArray, IntArray
    from coffea_ddp.scanning.cell_matrices import Block
    from coffea_ddp.scanning.channel_shares import ChannelShares
    from coffea_ddp.scanning.expectation import ChannelExpectation
    from coffea_ddp.scanning.protocols import RelabelledCounts

    Single = NDArray[np.float32]


def nsigma_block(block: Block, expected: ChannelExpectation, shares: ChannelShares) -> CellResults:
    """Return N_sigma of the cells of a block: ``sum_i (B_i - E_i) / sqrt(V_i)`` over its standard deviation."""
    starts, codes = block.lists
    odds = _odds(block, shares)
    found = nsigma_of_shares(shares.entries, starts, codes, shares.residual, _known(odds))
    e = shares.expected(block.members, block.used).sum(axis=1) if odds is None else block.n_b
    kappa, asymmetry = _ratios(block.n_a, block.n_b, e)
    nominal = block_n_sigma(block.a, block.b, expected.plan_kappa, block.variance).statistic
    ones = np.ones(len(e), dtype=np.int64)
    statistic = found.statistic if odds is None else np.where(np.isfinite(odds), found.statistic, np.nan)
    return CellResults(
        statistic, statistic, nominal, block.n_a, block.n_b, found.n_bins, asymmetry, kappa, found.scale, ones, None
    )


def rectangles_block(block: Block, shares: ChannelShares, nominal: FloatArray, *, pulls: bool = False) -> CellResults:
    """Return the best rectangle of the cells of a block; ``nominal`` is its z with the plan's kappa.

    With ``pulls`` the score of a rectangle is its N_sigma, else the significance of its sum.

    The p-value is that of the binomial distribution with the mean share, which is never below that of unequal shares
    (W. Hoeffding, Ann. Math. Stat. 27 (1956) 713); where a fit makes the variance larger or smaller, its z is changed
    by the same factor as that of the row.
    """
    starts, codes = block.lists
    odds = _odds(block, shares)
    found = best_of_shares(shares.entries, starts, codes, shares.residual, block.shape, odds=_known(odds), pulls=pulls)
    inside = inside_of(block, found.where)
    n_a, n_b = (block.a * inside).sum(axis=1), (block.b * inside).sum(axis=1)
    total = n_a + n_b
    z = found.z if odds is None else np.where(np.isfinite(odds), found.z, np.nan)
    bound = z
    if shares.entries.skewed and not pulls:
        mean = np.clip(found.e / np.maximum(found.n, 1.0), 1e-9, 1.0 - 1e-9)
        wide = np.sqrt(found.variance / np.maximum(found.v, 1e-9))
        # With odds of its total B of a cell is no news: the normal z of what is left has the smaller size.
        bound = np.copysign(z_from_p(binomial_p(n_b, total, mean), two_sided=True) / wide, z)
        bound = bound if odds is None else np.where(np.abs(bound) < np.abs(z), bound, z)
    kappa, asymmetry = _ratios(n_a, n_b, found.e)
    filled = (block.a + block.b if block.variance is None else block.variance) > 0
    trials = count_rectangles_of_cells(block.whole(filled), block.shape)
    return CellResults(
        z, bound, nominal, n_a, n_b, (filled & inside).sum(axis=1), asymmetry, kappa, np.ones(len(total)), trials,
        found.where,
    )  # fmt: skip


def _odds(block: Block, shares: ChannelShares) -> FloatArray | None:
    """Return the odds that cells have for themselves; rows of members are made only where these are wanted."""
    return shares.odds(block.members, block.used, block.b) if shares.own else None


def _ratios(n_a: FloatArray, n_b: FloatArray, e: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the expected ratio B / A, and how much larger the observed one is; NaN without events of A."""
    with np.errstate(divide="ignore", invalid="ignore"):
        kappa = e / (n_a + n_b - e)
        return kappa, n_b / (n_a * kappa) - 1.0


def inside_of(block: Block, where: IntArray) -> BoolArray:
    """Return which used bins are in the rectangle of every cell; shape (n_cells, n_used).

    Parameters
    ----------
    block
        The cells.
    where
        First and one-past-last row, then column; shape (n_cells, 4).
    """
    row, column = np.divmod(block.used, block.shape[1])
    first_row, stop_row, first_column, stop_column = where.T[:, :, None]
    rows, columns = (row >= first_row) & (row < stop_row), (column >= first_column) & (column < stop_column)
    return np.asarray(rows & columns)


def drawn_residual(toys: RelabelledCounts) -> Single:
    """Return ``B - E`` of every entry in pseudo-experiments of events that have shares; shape (n_entries, TOYS)."""
    if not isinstance(toys.labels, KnownKappaLabels):
        raise TypeError("labels of a kappa that cells have for themselves; shares have them as odds")
    return toys.labels.residual


def _known(odds: FloatArray | None) -> FloatArray | None:
    """Return the odds, 1 where they cannot be known."""
    return None if odds is None else np.where(np.isfinite(odds), odds, 1.0)
