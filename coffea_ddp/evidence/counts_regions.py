"""Tests of the counts of A and B in a region that was chosen beforehand: nothing is searched.

The score is the one by which the region was marked: N_sigma of its bins, or the difference of its sums. All of them are
linear, ``t = sum_i w_i (B_i - E_i)`` with weights that labels do not change. Where the events of the region are split
by one known probability, p of its sums is that of the binomial distribution; of N_sigma, and where the expected shares
differ or are uncertain, p is counted among pseudo-experiments; where kappa was estimated or events have weights, it is
that of a normal score.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats as scipy_stats

from coffea_ddp.errors import InputError
from coffea_ddp.evidence.outcomes import Outcome, untested
from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.pulls import block_n_sigma
from coffea_ddp.stats.relabelling import stream
from coffea_ddp.stats.side_weights import pooled_variance
from coffea_ddp.stats.submatrix.binomial import binomial_z

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray
    from coffea_ddp.histograms.cell_counts import CellCounts
    from coffea_ddp.report.rows import Row
    from coffea_ddp.scanning.channel_shares import ChannelShares
    from coffea_ddp.scanning.expectation import ChannelExpectation

SUMMED = frozenset({"submatrix"})
"""Tests whose score is that of the sums of a region; that of the others is N_sigma of its bins."""
TESTS = SUMMED | {"nsigma", "submatrix_nsigma"}


class CountsRegion(NamedTuple):
    """A region of an observable in one cell.

    Attributes
    ----------
    counts
        The contents of the exclusive cells.
    codes
        Exclusive cells of the cell; shape (n_codes,).
    bins
        Bins of the region; shape (n_bins,).
    summed
        The score is that of the sums.
    sign
        1 for an excess of B, -1 for one of A.
    key
        Of the random numbers.
    """

    counts: CellCounts
    codes: BoolArray
    bins: BoolArray
    summed: bool
    sign: float
    key: str

    @property
    def sides(self) -> FloatArray:
        """Contents of A and B in the bins of the region; shape (2, n_inside)."""
        return self._of(self.counts.counts)

    @property
    def variance(self) -> tuple[FloatArray, FloatArray] | None:
        """Sums of squared weights of A and B; ``None`` without weights."""
        if self.counts.squares is None:
            return None
        first, second = self._of(self.counts.squares)
        return first, second

    def _of(self, values: FloatArray) -> FloatArray:
        found = values[self.codes][:, :, self.bins].sum(axis=0)
        return np.asarray(found.sum(axis=1, keepdims=True) if self.summed else found)


def counts_region(counts: CellCounts, codes: BoolArray, row: Row) -> CountsRegion:
    """Return the region of a row.

    Raises
    ------
    InputError
        If it has no bins, or such that the observable does not have.
    """
    sign = 1.0 if (row.statistic or 0.0) >= 0 else -1.0
    key = f"confirm|{row.symmetry}|{row.observable}|{row.cell}|{row.test}|{row.region}"
    return CountsRegion(counts, codes, bins_of(counts, row), row.test in SUMMED, sign, key)


def bins_of(counts: CellCounts, row: Row) -> BoolArray:
    """Return which bins of an observable the region of a row has; all where it is about the whole range.

    Raises
    ------
    InputError
        If it has no bins, or such that the observable does not have.
    """
    inside = np.zeros(counts.bins, dtype=bool)
    inside[tuple(slice(*span) for span in spans_of(row, counts.bins))] = True
    return inside.reshape(-1)


def spans_of(row: Row, sizes: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Return the first bin and one past the last of the region of a row on axes of these sizes.

    Raises
    ------
    InputError
        If it has no bins, or such that the axes do not have.
    """
    if row.region is None:
        return tuple((0, size) for size in sizes)
    where = f"row {row.number}: {row.symmetry} | {row.observable} | {row.cell}"
    spans = row.region.bins
    if spans is None or len(spans) != len(sizes):
        raise InputError(f"{where}: the region {row.region} has no bins; make the report again")
    if any(not 0 <= first < stop <= size for (first, stop), size in zip(spans, sizes, strict=True)):
        raise InputError(f"{where}: the region {row.region} is not inside of the axes of these histograms")
    return spans


def outcome_of_counts(region: CountsRegion, expected: ChannelExpectation, *, toys: int, seed: int) -> Outcome:
    """Return the outcome in a region.

    Parameters
    ----------
    region
        The region.
    expected
        What is expected of side B of the observable.
    toys, seed
        Pseudo-experiments, where p is counted.

    Raises
    ------
    InputError
        If cells have odds of their own beside what differs from bin to bin.
    """
    if not region.sides.any():
        return untested("the region is empty")
    if expected.status is not None:
        return untested(expected.status.value)
    if expected.shares is not None:
        return _of_shares(region, expected.shares, toys, seed)
    if not expected.exact or expected.fixed:
        return _normal(region, expected)
    return _exact(region, expected.kappa) if region.summed else _of_toys(region, expected.kappa, toys, seed)


def _exact(region: CountsRegion, kappa: float) -> Outcome:
    """Return the outcome by the binomial distribution of the sums."""
    n_a, n_b = region.sides[:, 0].tolist()
    n, share = n_a + n_b, kappa / (1.0 + kappa)
    tail = scipy_stats.binom.sf(n_b - 1, n, share) if region.sign > 0 else scipy_stats.binom.cdf(n_b, n, share)
    z = float(binomial_z(n_b, n, share))
    return Outcome(float(tail), z, n_a, n_b, n * share, "full binomial p of the sums, one-sided (z: of its mid-p)")


def _of_toys(region: CountsRegion, kappa: float, toys: int, seed: int) -> Outcome:
    """Return the outcome of N_sigma, its p counted among relabelled events."""
    a, b = region.sides
    n, share = a + b, kappa / (1.0 + kappa)
    filled = n > 0
    weight = 1.0 / np.sqrt(n[filled])
    score = weight @ (b - share * n)[filled]
    z = float(block_n_sigma(a[None], b[None], kappa).statistic[0])

    def drawn(block: int) -> FloatArray:
        labels = stream(seed, region.key, block).binomial(
            n[filled].astype(np.int64)[:, None], share, (int(filled.sum()), TOYS)
        )
        return np.asarray(weight @ (labels - share * n[filled][:, None]))

    n_ge = _beyond(_blocks(drawn, toys), region.sign, score)
    how = f"relabelled events of the region, one-sided ({n_ge} of {toys:,})"
    return Outcome((n_ge + 1) / (toys + 1), z, a.sum(), b.sum(), share * n.sum(), how, n_ge, toys)


def _normal(region: CountsRegion, expected: ChannelExpectation) -> Outcome:
    """Return the outcome of a score that is normal: kappa was estimated, or events have weights."""
    a, b = region.sides
    kappa, estimated_from = expected.kappa, expected.estimated_from
    if expected.per_cell:
        whole = region.counts.counts[region.codes].sum(axis=(0, 2))
        if not whole.all():
            return untested("a side of the cell is empty, so that its own kappa is not known")
        kappa, estimated_from = float(whole[1] / whole[0]), _entries(region)
    squares = region.variance
    variance = None if squares is None else np.asarray(pooled_variance(*squares, expected.side_ratio))[None]
    found = block_n_sigma(a[None], b[None], kappa, variance, estimated_from=estimated_from)
    z = float(found.statistic[0])
    if not np.isfinite(z):
        return untested("kappa is that of the region's own totals, which leaves nothing to test")
    share = kappa / (1.0 + kappa)
    p = float(scipy_stats.norm.sf(region.sign * z))
    return Outcome(p, z, a.sum(), b.sum(), share * (a + b).sum(), "asymptotic normal, one-sided")


def _entries(region: CountsRegion) -> float:
    """Return the number of events of the cell, effective ones where they have weights."""
    total, squares = float(region.counts.counts[region.codes].sum()), region.counts.squares
    return total if squares is None else total**2 / float(squares[region.codes].sum())


def _of_shares(region: CountsRegion, shares: ChannelShares, toys: int, seed: int) -> Outcome:
    """Return the outcome of events with expected shares, its p counted among pseudo-experiments of these."""
    if shares.own:
        raise InputError(
            "kappa='cell' together with corrections or systematic errors: a region that was chosen beforehand is "
            "tested with a kappa that is given, or that of all events (kappa='global')"
        )
    if shares.fit_of is not None:
        raise InputError("leave_out: regions are confirmed with one fit of the efficiencies; leave it out")
    entries = shares.entries
    code = np.repeat(np.arange(len(entries.starts) - 1), np.diff(entries.starts))
    inside = np.flatnonzero(region.codes[code] & region.bins[entries.bins])
    if not len(inside):
        return untested("no event of the region has an expected share")
    weight = np.ones(len(inside))
    if not region.summed:
        mine = entries.bins[inside]
        spread = np.bincount(mine, entries.spread[inside])
        variance = np.bincount(mine, entries.v[inside]) + spread**2
        weight = 1.0 / np.sqrt(np.maximum(variance[mine], 1e-12))
    score = float(weight @ shares.residual[inside])
    drawn = _blocks(lambda block: weight @ shares.drawn(seed, region.key, block).residual[inside], toys)
    n_ge, width = _beyond(drawn, region.sign, score), float(drawn.std())
    n_a, n_b = region.counts.counts[region.codes][:, :, region.bins].sum(axis=(0, 2)).tolist()
    how = f"pseudo-experiments, one-sided ({n_ge} of {toys:,}); {shares.method} (z: over their width)"
    z = score / width if width > 0 else None
    return Outcome((n_ge + 1) / (toys + 1), z, n_a, n_b, float(entries.e[inside].sum()), how, n_ge, toys)


def _blocks(drawn: Callable[[int], FloatArray], toys: int) -> FloatArray:
    """Return the scores of pseudo-experiments that are drawn in blocks; shape (toys,)."""
    return np.concatenate([drawn(block) for block in range(-(-toys // TOYS))])[:toys].astype(np.float64)


def _beyond(scores: FloatArray, sign: float, score: float) -> int:
    """Return how many pseudo-experiments are as far out as the data."""
    # Equal splits give equal scores but for the order, and the precision, of their sums.
    least = sign * score - 1e-6 * max(abs(score), 1e-3)
    return int(np.count_nonzero(sign * scores >= least))
