"""Statistics of many overlapping cells under one relabelling, compiled by numba.

The data are *entries*: the bins of the exclusive cells that hold events, grouped by exclusive cell. A cell is a list of
exclusive cells. Labels are drawn per entry, and every cell that holds the entry sees the same labels: that is where the
correlations between cells come from. All pseudo-experiments of a block (:data:`TOYS`) are done in the innermost loop.

Nothing of the size (cells x bins) is stored: the variance of a cell's bins does not depend on the labels and is made
again for every block, for less than the block's own work.

The references in numpy are in ``tests/stats/submatrix/test_overlapping.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from coffea_ddp.stats._compiled import TOYS, compiled
from coffea_ddp.stats.submatrix.rectangles import exact_extremes, linear_extremes, squeeze

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import FloatArray, IntArray, ShortArray
    from coffea_ddp.stats.submatrix.binomial import ZTable

    Single = NDArray[np.float32]


_NONE = np.float32(1e-15)
"""Less than any side holds; keeps ratios finite where a side is empty."""


class Entries(NamedTuple):
    """Occupied bins of the exclusive cells: what all cells are made of, whatever the labels.

    Attributes
    ----------
    starts
        Where the entries of every exclusive cell begin, and the end; shape (n_codes + 1,).
    bins
        The bin of every entry; shape (n_entries,).
    n
        Its events on both sides; shape (n_entries,).
    v
        Its variance of ``B - kappa A`` under the null, ``kappa n`` for counts; shape (n_entries,).
    """

    starts: IntArray
    bins: IntArray
    n: IntArray
    v: FloatArray


class Placed(Protocol):
    """Entries grouped by exclusive cell, each in a bin; whatever else is known of them."""

    @property
    def starts(self) -> IntArray:
        """First entry of every exclusive cell, and the end; shape (n_codes + 1,)."""

    @property
    def bins(self) -> IntArray:
        """Bin of every entry; shape (n_entries,)."""


class Membership(NamedTuple):
    """Exclusive cells that each cell is made of.

    Attributes
    ----------
    starts
        Where each cell's list begins, and the end; shape (n_cells + 1,).
    codes
        Numbers of exclusive cells; shape (n_members,).
    scale
        What the statistic of each cell is multiplied with (1, unless kappa has an uncertainty); shape (n_cells,).
    v_scale
        What the variances of each cell are multiplied with (kappa, where each cell has its own); shape (n_cells,).
    keep
        Number of the cell among those whose every value is wanted, -1 for the others; shape (n_cells,).
    """

    starts: IntArray
    codes: ShortArray
    scale: FloatArray
    v_scale: FloatArray
    keep: IntArray


class KnownKappaLabels(NamedTuple):
    """Labels of one block of pseudo-experiments where kappa is that of the observed data.

    Attributes
    ----------
    residual
        ``B - kappa A`` of every entry; shape (n_entries, TOYS).
    b
        B of every entry; shape (n_entries, TOYS).
    """

    residual: Single
    b: Single


class FloatingKappaLabels(NamedTuple):
    """Labels of one block of pseudo-experiments in which every cell has its own kappa, ``sum(B) / sum(A)``.

    Attributes
    ----------
    b
        B of every entry; shape (n_entries, TOYS).
    a
        A of every entry, which may carry a factor per bin; shape (n_entries, TOYS).
    """

    b: Single
    a: Single


Labels = KnownKappaLabels | FloatingKappaLabels


class MaxScores(NamedTuple):
    """Largest scores of all cells, and the scores of some, in a block of pseudo-experiments.

    Attributes
    ----------
    sign
        1: B in excess; -1: A in excess; 0: either, by size.
    best
        The largest score of all cells so far, changed in place; shape (TOYS,).
    kept
        The scores of the cells to keep, filled in place; shape (n_kept, TOYS).
    """

    sign: int
    best: Single
    kept: Single


def nsigma_cells(entries: Entries, membership: Membership, labels: Labels, out: MaxScores) -> None:
    """Take the largest N_sigma of all cells in every pseudo-experiment."""
    _nsigma_cells(entries, membership, *_summed(labels), int(entries.bins.max(initial=0)) + 1, out)


@compiled
def _nsigma_cells(
    entries: Entries, membership: Membership, x: Single, a: Single, floating: bool, n_all: int, out: MaxScores
) -> None:
    v, weight = np.zeros(n_all), np.zeros(n_all, np.float32)
    value = np.zeros(TOYS, np.float32)
    for cell in range(len(membership.scale)):
        n_bins = _weights(entries, membership, cell, v, weight)
        if n_bins == 0:
            continue
        value[:] = 0.0
        for member in range(membership.starts[cell], membership.starts[cell + 1]):
            code = membership.codes[member]
            for entry in range(entries.starts[code], entries.starts[code + 1]):
                w = weight[entries.bins[entry]]
                for t in range(TOYS):
                    value[t] += w * x[entry, t]
        if floating:
            _subtract_ratio(entries, membership, cell, x, a, weight, value)
        factor = np.float32(membership.scale[cell] / np.sqrt(n_bins))
        for t in range(TOYS):
            value[t] *= factor
        take(value, value, membership.keep[cell], out)


@compiled
def _subtract_ratio(
    entries: Entries, membership: Membership, cell: int, b: Single, a: Single, weight: Single, value: Single
) -> None:
    """Subtract ``kappa A`` from the weighted sum of B, with the cell's own kappa in every pseudo-experiment.

    The weights were made with the observed kappa; the variances, ``kappa n``, are put right for all bins at once. A
    cell with an empty side comes out as 0: it would not have been tested.
    """
    other, sum_b, sum_a = np.zeros(TOYS, np.float32), np.zeros(TOYS, np.float32), np.zeros(TOYS, np.float32)
    for member in range(membership.starts[cell], membership.starts[cell + 1]):
        code = membership.codes[member]
        for entry in range(entries.starts[code], entries.starts[code + 1]):
            w = weight[entries.bins[entry]]
            for t in range(TOYS):
                other[t] += w * a[entry, t]
                sum_b[t] += b[entry, t]
                sum_a[t] += a[entry, t]
    for t in range(TOYS):
        kappa = max(sum_b[t], _NONE) / max(sum_a[t], _NONE)
        value[t] = (value[t] - other[t] * kappa) * np.sqrt(np.float32(membership.v_scale[cell]) / kappa)


@compiled
def _weights(entries: Entries, membership: Membership, cell: int, v: FloatArray, weight: Single) -> int:
    """Fill v and ``1 / sqrt(variance)`` of the bins of a cell; return how many are not empty."""
    v[:] = 0.0
    for member in range(membership.starts[cell], membership.starts[cell + 1]):
        code = membership.codes[member]
        for entry in range(entries.starts[code], entries.starts[code + 1]):
            v[entries.bins[entry]] += entries.v[entry]
    n_bins = 0
    scale = membership.v_scale[cell]
    for i in range(len(v)):
        variance = v[i] * scale
        if variance > 0.0:
            weight[i] = 1.0 / np.sqrt(variance)
            n_bins += 1
        else:
            weight[i] = 0.0
    return n_bins


@compiled
def exact_cells(
    entries: Entries, membership: Membership, shape: tuple[int, int], table: ZTable, b: Single, out: MaxScores
) -> None:
    """Take the largest binomial z of all rectangles of all cells in every pseudo-experiment.

    Parameters
    ----------
    entries, membership, out
        As everywhere here.
    shape
        Rows and columns of the bins.
    table
        z of few events.
    b
        Events on side B of every entry; shape (n_entries, TOYS).
    """
    n_all = np.zeros(shape[0] * shape[1], np.int64)
    high, low = np.zeros(TOYS, np.float32), np.zeros(TOYS, np.float32)
    for cell in range(len(membership.scale)):
        n_all[:] = 0
        for member in range(membership.starts[cell], membership.starts[cell + 1]):
            code = membership.codes[member]
            for entry in range(entries.starts[code], entries.starts[code + 1]):
                n_all[entries.bins[entry]] += entries.n[entry]
        place, n_rows, n_columns = squeeze(n_all, shape)
        if n_rows == 0:
            continue
        n = np.zeros(n_rows * n_columns, np.int64)
        for i in range(len(n_all)):
            n[place[i]] += n_all[i]
        found = gather(entries, membership, cell, place, len(n), b).reshape(n_rows, n_columns, TOYS)
        _reset(high, low)
        exact_extremes(found, n.reshape(n_rows, n_columns), table, high, low)
        take(high, low, membership.keep[cell], out)


def linear_cells(
    entries: Entries, membership: Membership, shape: tuple[int, int], pulls: bool, labels: Labels, out: MaxScores
) -> None:
    """Take the largest linear score of all rectangles of all cells in every pseudo-experiment.

    Parameters
    ----------
    entries, membership, labels, out
        As everywhere here.
    shape
        Rows and columns of the bins.
    pulls
        Whether the score is N_sigma of the rectangle, or the significance of its sum.
    """
    _linear_cells(entries, membership, shape, pulls, *_summed(labels), out)


@compiled
def _linear_cells(
    entries: Entries, membership: Membership, shape: tuple[int, int], pulls: bool, x: Single, a: Single,
    floating: bool, out: MaxScores,
) -> None:  # fmt: skip
    v, weight = np.zeros(shape[0] * shape[1]), np.zeros(shape[0] * shape[1], np.float32)
    high, low = np.zeros(TOYS, np.float32), np.zeros(TOYS, np.float32)
    for cell in range(len(membership.scale)):
        if _weights(entries, membership, cell, v, weight) == 0:
            continue
        place, n_rows, n_columns = squeeze((weight > 0.0).astype(np.int64), shape)
        found = gather(entries, membership, cell, place, n_rows * n_columns, x)
        if floating:
            others = gather(entries, membership, cell, place, n_rows * n_columns, a)
            _float_ratio(found, others, membership.v_scale[cell])
        variances, common = np.zeros(n_rows * n_columns), np.zeros(n_rows * n_columns)
        for i in np.flatnonzero(weight):
            if pulls:
                found[place[i]] *= weight[i]
            variances[place[i]] = 1.0 if pulls else 1.0 / (weight[i] * weight[i])
        _reset(high, low)
        shaped = found.reshape(n_rows, n_columns, TOYS)
        linear_extremes(shaped, variances.reshape(n_rows, n_columns), common.reshape(n_rows, n_columns), high, low)
        take(high, low, membership.keep[cell], out)


def _summed(labels: Labels) -> tuple[Single, Single, bool]:
    """Return the labels to sum, those of A to subtract with the kappa of a cell, and whether there is such a kappa."""
    if isinstance(labels, FloatingKappaLabels):
        return labels.b, labels.a, True
    return labels.residual, labels.b, False


@compiled
def _reset(high: Single, low: Single) -> None:
    high[:] = -np.float32(1e30)
    low[:] = np.float32(1e30)


@compiled
def _float_ratio(b: Single, a: Single, known: float) -> None:
    """Turn B into ``B - kappa A`` with kappa = sum(B) / sum(A), in units of the known kappa's widths, in place."""
    sum_b, sum_a = np.zeros(TOYS, np.float32), np.zeros(TOYS, np.float32)
    for i in range(len(b)):
        for t in range(TOYS):
            sum_b[t] += b[i, t]
            sum_a[t] += a[i, t]
    for t in range(TOYS):
        # From here on sum_a holds kappa, and sum_b the change of the width.
        sum_a[t] = max(sum_b[t], _NONE) / max(sum_a[t], _NONE)
        sum_b[t] = np.sqrt(np.float32(known) / sum_a[t])
    for i in range(len(b)):
        for t in range(TOYS):
            b[i, t] = (b[i, t] - a[i, t] * sum_a[t]) * sum_b[t]


@compiled
def take(high: Single, low: Single, place: int, out: MaxScores) -> None:
    """Take the scores of one cell."""
    for t in range(TOYS):
        score = high[t] if out.sign > 0 else -low[t] if out.sign < 0 else max(high[t], -low[t])
        out.best[t] = max(out.best[t], score)
        if place >= 0:
            out.kept[place, t] = score


@compiled
def gather(entries: Placed, membership: Membership, cell: int, place: IntArray, n_places: int, x: Single) -> Single:
    """Return the sums of x over a cell, per place and pseudo-experiment; shape (n_places, TOYS)."""
    total = np.zeros((n_places, TOYS), np.float32)
    for member in range(membership.starts[cell], membership.starts[cell + 1]):
        code = membership.codes[member]
        for entry in range(entries.starts[code], entries.starts[code + 1]):
            i = place[entries.bins[entry]]
            for t in range(TOYS):
                total[i, t] += x[entry, t]
    return total
