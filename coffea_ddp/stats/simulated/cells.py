"""Toys of all cells at once: N_sigma, and the best region of each, against an uncertain expectation.

As in :mod:`coffea_ddp.stats.submatrix.overlapping` a cell is a list of exclusive cells, and 64 toys run in the
innermost loop. Regions are rectangles of bins; on one axis all contiguous ranges, the region of interest of general
searches.

Examples
--------
>>> mean = np.full((1, 6), 4.0)
>>> data = np.array([[4.0, 3.0, 15.0, 14.0, 5.0, 4.0]])
>>> nothing = np.zeros((0, 1, 6))
>>> found = best_regions(data, mean, np.zeros((1, 6)), mean, nothing, (1, 6))
>>> found.region.tolist(), found.score.round(1), int(found.trials[0])
([[0, 1, 2, 4]], array([5.7]), 21)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import TOYS, compiled
from coffea_ddp.stats.simulated.counts import count_score, deficit_reach

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import FloatArray, IntArray, ShortArray

    Single = NDArray[np.float32]

LEAST_OWN = 1.0
"""Effective simulated events of a region; of fewer nothing is known but by the shape of other cells."""
_CANCELLED = 2.0
"""Statistical errors, in units of the expectation, beyond which samples of both signs cancel: nothing is known, too."""
_SURE = 2.0
"""The score of an excess is below its pull, where either is as large."""


class BestRegions(NamedTuple):
    """The best region of every cell.

    Attributes
    ----------
    score
        Signed z of its one-sided p-value; 0 where no region was tested; shape (n_cells,).
    region
        First and one-past-last row, then column; shape (n_cells, 4).
    trials
        Regions that were tested; shape (n_cells,).
    data, mean, variance
        In the region; the variance is that of the expectation, its statistics and variations; shape (n_cells,).
    """

    score: FloatArray
    region: IntArray
    trials: IntArray
    data: FloatArray
    mean: FloatArray
    variance: FloatArray


class Lists(NamedTuple):
    """Cells as lists of exclusive cells: where each begins, and the end; the exclusive cells of all."""

    starts: IntArray
    codes: ShortArray


def best_regions(
    data: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
    own: FloatArray,
    shifts: FloatArray,
    shape: tuple[int, int],
) -> BestRegions:
    """Return the best region of every cell.

    Parameters
    ----------
    data, mean, variance
        Events, the mean of the expectation and the variance of its statistics; shape (n_cells, n_bins).
    own
        Effective numbers of simulated events; of the same shape.
    shifts
        What each variation does to the mean; shape (n_variations, n_cells, n_bins).
    shape
        Rows and columns of the bins.
    """
    n_cells = len(data)
    found = _Found(
        np.zeros(n_cells), np.zeros((n_cells, 4), np.int64), np.zeros(n_cells, np.int64), np.zeros((n_cells, 3))
    )
    moved = np.ascontiguousarray(np.moveaxis(shifts, 1, 0))
    mean, variance, own = (np.ascontiguousarray(values) for values in (mean, variance, own))
    _best_regions(np.ascontiguousarray(data), RegionCells(mean, variance, own, moved), shape, found)
    return BestRegions(found.score, found.region, found.trials, *found.inside.T)


class RegionCells(NamedTuple):
    """Expectation of cells; shape (n_cells, n_bins), the shifts (n_cells, n_variations, n_bins)."""

    mean: FloatArray
    variance: FloatArray
    own: FloatArray
    shifts: FloatArray


class _Found(NamedTuple):
    score: FloatArray
    region: IntArray
    trials: IntArray
    inside: FloatArray


@compiled
def _sums(values: FloatArray, rows: int, columns: int) -> FloatArray:
    """Return the sums from the first bin on; shape (rows + 1, columns + 1)."""
    found = np.zeros((rows + 1, columns + 1))
    for i in range(rows):
        for j in range(columns):
            found[i + 1, j + 1] = values[i * columns + j] + found[i, j + 1] + found[i + 1, j] - found[i, j]
    return found


@compiled
def _between(sums: FloatArray, i: int, k: int, j: int, m: int) -> float:
    return float(sums[k, m] - sums[i, m] - sums[k, j] + sums[i, j])


@compiled
def _spread(variance: FloatArray, shifts: FloatArray, i: int, k: int, j: int, m: int) -> float:
    """Return the variance of the expectation of a region: of its statistics, and of what moves all of its bins."""
    found = max(_between(variance, i, k, j, m), 0.0)
    for v in range(shifts.shape[0]):
        moved = _between(shifts[v], i, k, j, m)
        found += moved * moved
    return found


@compiled
def _shift_sums(shifts: FloatArray, rows: int, columns: int) -> FloatArray:
    found = np.zeros((shifts.shape[0], rows + 1, columns + 1))
    for v in range(shifts.shape[0]):
        found[v] = _sums(shifts[v], rows, columns)
    return found


class _Sums(NamedTuple):
    """Sums of one cell from the first bin on; shape (rows + 1, columns + 1)."""

    mean: FloatArray
    variance: FloatArray
    own: FloatArray
    shifts: FloatArray


@compiled
def _sums_of(cells: RegionCells, cell: int, shape: tuple[int, int]) -> _Sums:
    rows, columns = shape
    return _Sums(
        _sums(cells.mean[cell], rows, columns),
        _sums(cells.variance[cell], rows, columns),
        _sums(cells.own[cell], rows, columns),
        _shift_sums(cells.shifts[cell], rows, columns),
    )


@compiled
def _best_regions(data: FloatArray, cells: RegionCells, shape: tuple[int, int], found: _Found) -> None:
    rows, columns = shape
    for cell in range(len(data)):
        n, sums = _sums(data[cell], rows, columns), _sums_of(cells, cell, shape)
        for i in range(rows):
            for k in range(i + 1, rows + 1):
                for j in range(columns):
                    for m in range(j + 1, columns + 1):
                        _take_best(n, sums, (i, k, j, m), cell, found)


@compiled
def _is_known(sums: _Sums, place: tuple[int, int, int, int], expected: float) -> bool:
    """Return whether enough was simulated in a region, and its samples do not cancel."""
    i, k, j, m = place
    if expected <= 0.0 or _between(sums.own, i, k, j, m) < LEAST_OWN:
        return False
    return _between(sums.variance, i, k, j, m) <= (_CANCELLED * expected) ** 2


@compiled
def _take_best(n: FloatArray, sums: _Sums, place: tuple[int, int, int, int], cell: int, found: _Found) -> None:
    i, k, j, m = place
    expected = _between(sums.mean, i, k, j, m)
    if not _is_known(sums, place, expected):
        return
    found.trials[cell] += 1
    seen, spread = _between(n, i, k, j, m), _spread(sums.variance, sums.shifts, i, k, j, m)
    z = count_score(seen, expected, spread)
    if abs(z) > abs(found.score[cell]):
        found.score[cell] = z
        found.region[cell, 0], found.region[cell, 1] = i, k
        found.region[cell, 2], found.region[cell, 3] = j, m
        found.inside[cell, 0], found.inside[cell, 1], found.inside[cell, 2] = seen, expected, spread


class Toys(NamedTuple):
    """A block of toys of the data in the filled bins of exclusive cells.

    Attributes
    ----------
    starts, bins
        As of :class:`~coffea_ddp.stats.simulated.expected.Expected`.
    counts
        Shape (n_entries, TOYS).
    """

    starts: IntArray
    bins: IntArray
    counts: Single


class Scores(NamedTuple):
    """Scores of toys that are taken.

    Attributes
    ----------
    best
        The largest one so far; shape (TOYS,).
    keep
        The row in which the scores of a cell are kept, or -1; shape (n_cells,).
    kept
        The rows; shape (n_kept, TOYS).
    """

    best: Single
    keep: IntArray
    kept: Single


def toy_pulls(toys: Toys, cells: Lists, weights: Single, means: FloatArray, out: Scores) -> None:
    """Take N_sigma of cells in a block of toys.

    Parameters
    ----------
    toys, cells, out
        The toys, the cells, and where their scores go.
    weights
        Of the deviations of every cell; shape (n_cells, n_bins).
    means
        The weighted sum of what is expected; shape (n_cells,).
    """
    _toy_pulls(toys, cells, weights, means, out)


@compiled
def _toy_pulls(toys: Toys, cells: Lists, weights: Single, means: FloatArray, out: Scores) -> None:
    total = np.zeros(TOYS, np.float32)
    for cell in range(len(cells.starts) - 1):
        total[:] = -means[cell]
        for member in range(cells.starts[cell], cells.starts[cell + 1]):
            code = cells.codes[member]
            for entry in range(toys.starts[code], toys.starts[code + 1]):
                weight = weights[cell, toys.bins[entry]]
                for toy in range(TOYS):
                    total[toy] += weight * toys.counts[entry, toy]
        _take_scores(total, cell, out)


@compiled
def _take_scores(scores: Single, cell: int, out: Scores) -> None:
    for toy in range(TOYS):
        out.best[toy] = max(out.best[toy], abs(scores[toy]))
    if out.keep[cell] >= 0:
        for toy in range(TOYS):
            out.kept[out.keep[cell], toy] = abs(scores[toy])


def toy_regions(toys: Toys, cells: Lists, expected: RegionCells, shape: tuple[int, int], out: Scores) -> None:
    """Take the score of the best region of cells in a block of toys.

    Parameters
    ----------
    toys, cells, out
        The toys, the cells, and where their scores go.
    expected
        Of the cells.
    shape
        Rows and columns of the bins.
    """
    _toy_regions(toys, cells, expected, shape, out)


@compiled
def _toy_regions(toys: Toys, cells: Lists, expected: RegionCells, shape: tuple[int, int], out: Scores) -> None:
    rows, columns = shape
    matrix = np.zeros((rows + 1, columns + 1, TOYS), np.float32)
    mine = np.zeros(TOYS, np.float32)
    for cell in range(len(cells.starts) - 1):
        _fill(matrix, toys, cells, cell, shape)
        sums = _sums_of(expected, cell, shape)
        mine[:] = 0.0
        for i in range(rows):
            for k in range(i + 1, rows + 1):
                for j in range(columns):
                    for m in range(j + 1, columns + 1):
                        _take_region(matrix, (i, k, j, m), sums, mine)
        _take_scores(mine, cell, out)


@compiled
def _fill(matrix: Single, toys: Toys, cells: Lists, cell: int, shape: tuple[int, int]) -> None:
    """Fill the sums of a cell's toys, from the first bin on."""
    rows, columns = shape
    matrix[:] = 0.0
    for member in range(cells.starts[cell], cells.starts[cell + 1]):
        code = cells.codes[member]
        for entry in range(toys.starts[code], toys.starts[code + 1]):
            row, column = toys.bins[entry] // columns + 1, toys.bins[entry] % columns + 1
            for toy in range(TOYS):
                matrix[row, column, toy] += toys.counts[entry, toy]
    for row in range(1, rows + 1):
        for column in range(1, columns + 1):
            for toy in range(TOYS):
                matrix[row, column, toy] += (
                    matrix[row - 1, column, toy] + matrix[row, column - 1, toy] - matrix[row - 1, column - 1, toy]
                )


@compiled
def _take_region(matrix: Single, place: tuple[int, int, int, int], sums: _Sums, mine: Single) -> None:
    i, k, j, m = place
    expected = _between(sums.mean, i, k, j, m)
    if not _is_known(sums, place, expected):
        return
    spread = _spread(sums.variance, sums.shifts, i, k, j, m)
    width = np.sqrt(expected + spread)
    reach = deficit_reach(spread / expected)
    for toy in range(TOYS):
        seen = matrix[k, m, toy] - matrix[i, m, toy] - matrix[k, j, toy] + matrix[i, j, toy]
        pull = (seen - expected) / width
        # Most regions need no formula: no score is as large as these.
        bound = max(pull, _SURE) if pull > 0.0 else -pull * reach
        if bound > mine[toy]:
            mine[toy] = max(mine[toy], abs(count_score(float(seen), expected, spread)))
