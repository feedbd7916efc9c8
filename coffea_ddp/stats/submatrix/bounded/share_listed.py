"""Exact scores of listed rectangles in the cells of a cluster in which every event has an expected share of side B.

Residuals of a rectangle are summed over the core once for all cells. What a cell has besides are few entries: first the
sum of their largest sizes, then they themselves are held against the limit that belongs to the variance of the core.
Only a cell of which something is beyond is summed up, and its scores are those of
:func:`coffea_ddp.stats.submatrix.shares.share_cells`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.submatrix.bounded.blocks import LANES
from coffea_ddp.stats.submatrix.bounded.cluster_sums import Cluster
from coffea_ddp.stats.submatrix.bounded.listed import add_besides
from coffea_ddp.stats.submatrix.bounded.share_bounds import Skew, bound_one
from coffea_ddp.stats.submatrix.bounded.share_cluster import Residuals, add_up
from coffea_ddp.stats.submatrix.bounded.sieve import Reach
from coffea_ddp.stats.submatrix.share_entries import ShareEntries
from coffea_ddp.stats.submatrix.share_sums import (
    FIRST,
    MOST_DIRECTIONS,
    SPREAD,
    E,
    N,
    V,
    set_bounds,
    variance_of,
)
from coffea_ddp.stats.submatrix.shares import score_terms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, FloatArray, IntArray, ShortArray
    from coffea_ddp.stats.submatrix.overlapping import Membership

    Single = NDArray[np.float32]
    Whole = NDArray[np.int32]


_MOST_ADDED = 1 << 29
"""More than this is not added to residuals: they are beyond all limits with it."""


class ShareListed(NamedTuple):
    """Rectangles of a cluster.

    Attributes
    ----------
    rectangles
        First and one-past-last row, then column; shape (n, 4).
    rows, rise, fall
        The row of limits of each, and what skewness adds to ``2 x`` and ``-2 x``; shape (n,).
    found
        Residuals of the core in each, and room for those of one more; shape (n + 1, LANES).
    besides
        The number of the entries of a cell that are not in the core, then these; shape (n_entries + 1,).
    most
        The largest sizes of these, over the first rows and columns; shape (n_rows + 1, n_columns + 1) or larger.
    """

    rectangles: IntArray
    rows: IntArray
    rise: IntArray
    fall: IntArray
    found: Whole
    besides: IntArray
    most: IntArray


@compiled
def bound_listed(listed: ShareListed, n: int, measures: FloatArray, of: IntArray, skew: Skew) -> None:
    """Fill the rows of limits of the first n rectangles, and what skewness adds."""
    known = np.zeros(measures.shape[2])
    for i in range(n):
        first_row, stop_row = listed.rectangles[i, 0], listed.rectangles[i, 1]
        start, stop = listed.rectangles[i, 2], listed.rectangles[i, 3]
        for k in range(len(known)):
            known[k] = measures[stop_row, stop, k] - measures[first_row, stop, k]
            known[k] -= measures[stop_row, start, k] - measures[first_row, start, k]
        listed.rows[i], listed.rise[i], listed.fall[i] = bound_one(known, of, skew)


@compiled
def score_share_cells(  # noqa: PLR0917 (numba knows no keyword-only arguments)
    listed: ShareListed,
    n: int,
    cluster: Cluster,
    size: tuple[int, int],
    entries: ShareEntries,
    residuals: Residuals,
    membership: Membership,
    cells: IntArray,
    digits: int,
    less: int,
    reach: Reach,
    best: Single,
    kept: Single,
) -> bool:
    """Take the scores that the first n rectangles have in some cells of a cluster; return whether any is a new best.

    Parameters
    ----------
    listed, n
        Rectangles.
    cluster, size
        The cluster, and the size of its matrix.
    entries, residuals, membership
        Of all cells.
    cells
        Numbers of cells of the cluster.
    digits, less
        Of the residuals, and how many fewer limits have.
    reach
        What is to be beyond.
    best
        The largest score so far, changed in place; shape (LANES,).
    kept
        Scores of the cells that are kept, changed in place; shape (n_kept, LANES).
    """
    score, is_new = np.zeros(LANES, np.float32), False
    for cell in cells:
        codes = membership.codes[membership.starts[cell] : membership.starts[cell + 1]]
        if not _score_cell(listed, n, cluster, size, entries, residuals, codes, digits, less, reach, score):
            continue
        k = membership.keep[cell]
        for t in range(LANES):
            is_new |= score[t] > best[t]
            best[t] = max(best[t], score[t])
            if k >= 0:
                kept[k, t] = max(kept[k, t], score[t])
    return bool(is_new)


@compiled
def _score_cell(  # noqa: PLR0917 (numba knows no keyword-only arguments)
    listed: ShareListed,
    n: int,
    cluster: Cluster,
    size: tuple[int, int],
    entries: ShareEntries,
    residuals: Residuals,
    codes: ShortArray,
    digits: int,
    less: int,
    reach: Reach,
    score: Single,
) -> bool:
    """Fill the largest size of a score that the first n rectangles have in one cell; return whether any is beyond.

    Other parameters are those of :func:`score_share_cells`.

    Parameters
    ----------
    codes
        The exclusive cells of the cell.
    score
        Shape (LANES,); changed in place. Rectangles that are beyond nowhere are not scored.
    """
    n_directions, last = min(entries.control.shape[1], MOST_DIRECTIONS), len(listed.found) - 1
    beyond, unit = False, np.float32(0.5**digits)
    strip = np.zeros((2, FIRST + 2 * n_directions))
    _find_besides(listed, cluster, entries, residuals.most, codes, size)
    for t in range(LANES):
        score[t] = 0.0
    for i in range(n):
        first_row, stop_row, start, stop = listed.rectangles[i]
        room = listed.most[stop_row, stop] - listed.most[first_row, stop]
        room -= listed.most[stop_row, start] - listed.most[first_row, start]
        rise, fall = listed.rise[i] << less, listed.fall[i] << less
        if not _may_be_beyond(listed.found, i, rise + 2 * room, fall + 2 * room, less, reach.limit, listed.rows[i]):
            continue
        place = i
        if room > 0:
            place = last
            add_besides(listed.rectangles, listed.found, listed.besides, i, cluster, residuals.x)
            if not _may_be_beyond(listed.found, place, rise, fall, less, reach.limit, listed.rows[i]):
                continue
        if not beyond:
            _fill_cell(cluster, entries, codes, size, n_directions)
        beyond = True
        for k in range(strip.shape[1]):
            strip[1, k] = cluster.cell[stop_row, stop, k] - cluster.cell[first_row, stop, k]
            strip[1, k] -= cluster.cell[stop_row, start, k] - cluster.cell[first_row, start, k]
        if strip[1, N] <= 0.0:
            continue
        variance = variance_of(strip, 0, 1, n_directions)
        c0, c1, c2, c3, least, most = score_terms(strip, 0, 1, variance, False)
        scale = unit * np.float32(1.0 / np.sqrt(variance))
        terms = np.float32(c0), np.float32(c1), np.float32(c2), np.float32(c3), np.float32(least), np.float32(most)
        for t in range(LANES):
            y = np.float32(listed.found[place, t]) * scale
            z = min(max(terms[0] + y * (terms[1] + y * (terms[2] + y * terms[3])), terms[4]), terms[5])
            score[t] = max(score[t], abs(z))
    return beyond


@compiled
def _find_besides(
    listed: ShareListed, cluster: Cluster, entries: ShareEntries, most: IntArray, codes: ShortArray,
    size: tuple[int, int],
) -> None:  # fmt: skip
    """Fill the entries of one cell that are not in the core, and their largest sizes."""
    listed.besides[0] = 0
    listed.most[: size[0] + 1, : size[1] + 1] = 0
    for code in codes:
        if cluster.times[code] == cluster.n_cells[0]:
            continue
        for entry in range(entries.starts[code], entries.starts[code + 1]):
            listed.besides[0] += 1
            listed.besides[listed.besides[0]] = entry
            listed.most[cluster.row[entry], cluster.column[entry]] += most[entry]
    for row in range(1, size[0] + 1):
        for column in range(1, size[1] + 1):
            before = listed.most[row - 1, column] + listed.most[row, column - 1] - listed.most[row - 1, column - 1]
            listed.most[row, column] += before


@compiled
def _may_be_beyond(found: Whole, place: int, rise: int, fall: int, less: int, limit: AnyArray, row: int) -> bool:
    """Return whether ``2 x`` may be beyond its limit in any pseudo-experiment, with what is added to it and to -2 x."""
    beyond: Any = False
    up, down = np.int32(min(rise, _MOST_ADDED)), np.int32(min(fall, _MOST_ADDED))
    for t in range(LANES):
        x = np.int32(2 * found[place, t])
        beyond |= np.int32(max(x + up, down - x)) >> less >= np.int32(limit[row, t])
    return bool(beyond)


@compiled
def _fill_cell(cluster: Cluster, entries: ShareEntries, codes: ShortArray, size: tuple[int, int], n: int) -> None:
    """Fill the sums of a cell over first rows and columns: those of :mod:`coffea_ddp.stats.submatrix.share_sums`."""
    sums = cluster.cell
    sums[: size[0] + 1, : size[1] + 1] = 0.0
    for code in codes:
        for entry in range(entries.starts[code], entries.starts[code + 1]):
            if entries.v[entry] <= 0.0:
                continue
            row, column = cluster.row[entry], cluster.column[entry]
            sums[row, column, N] += entries.n[entry]
            sums[row, column, E] += entries.e[entry]
            sums[row, column, V] += entries.v[entry]
            sums[row, column, SPREAD] += entries.spread[entry]
            for k in range(n):
                sums[row, column, FIRST + k] += entries.outside[entry, k]
                sums[row, column, FIRST + n + k] += entries.control[entry, k]
    for row in range(1, size[0] + 1):
        for column in range(1, size[1] + 1):
            sums[row, column, SPREAD] *= sums[row, column, SPREAD]
    set_bounds(sums, n)
    add_up(sums, size)
