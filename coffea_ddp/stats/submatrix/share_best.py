"""The best rectangle of the data in cells whose events have expected shares of side B.

Scores are those of :mod:`coffea_ddp.stats.submatrix.shares`, of one cell at a time, in double precision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.propensity.projection import LEAST_VARIANCE
from coffea_ddp.stats.submatrix.groups import AMOUNT, GROUP, SHARE, sums_of_rows
from coffea_ddp.stats.submatrix.limits import limit_index, row_of
from coffea_ddp.stats.submatrix.share_entries import ShareEntries, largest_deviation
from coffea_ddp.stats.submatrix.share_limits import FEW, MANY, ROWS, SMALLEST, share_limits
from coffea_ddp.stats.submatrix.share_sums import (
    BOUND,
    MOST_DIRECTIONS,
    NEGLIGIBLE,
    SPREAD,
    E,
    N,
    V,
    X,
    add_row,
    gathered,
    origins,
    set_bounds,
    to_pulls,
    variance_of,
    without_total,
)
from coffea_ddp.stats.submatrix.shares import score_terms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import FloatArray, IntArray, ShortArray

    Single = NDArray[np.float32]

_AHEAD = X, V, SPREAD, BOUND, N, E
"""Sums that groups are passed over by."""


class ShareRectangles(NamedTuple):
    """The best rectangle of every cell; all of shape (n_cells,) but ``where``.

    Attributes
    ----------
    z
        Signed; NaN where a cell is empty.
    where
        First and one-past-last row, then column; shape (n_cells, 4).
    n, e, v, variance
        Events, expected on side B, the variance of known shares and that of fitted ones.
    """

    z: FloatArray
    where: IntArray
    n: FloatArray
    e: FloatArray
    v: FloatArray
    variance: FloatArray


def best_of_shares(
    entries: ShareEntries, starts: IntArray, codes: ShortArray, x: FloatArray, shape: tuple[int, int], *,
    odds: FloatArray | None = None, pulls: bool = False,
) -> ShareRectangles:  # fmt: skip
    """Return the best rectangle of cells, the largest in size.

    Parameters
    ----------
    entries, starts, codes, x, odds
        As for :func:`nsigma_of_shares`.
    shape
        Rows and columns of the bins.
    pulls
        The score is N_sigma of the rectangle, not the significance of its sum.
    """
    own = np.zeros(0) if odds is None else odds
    if pulls or not entries.skewed:
        known = _Limits(np.zeros((0, 0), np.float32), np.zeros(0, np.int64), np.zeros((2, 0)), 0.0, 0.0)
    else:
        # Odds of a cell may make any share of an event, with the variance of 1/4.
        most, v = (largest_deviation(entries), entries.v.sum()) if odds is None else (1.0, entries.n.sum() / 4.0)
        limits = share_limits(most, most, v + entries.spread.sum() ** 2)
        known = _Limits(limits.limit, limits.rows, limits.least, SMALLEST, SHARE * FEW)
    return ShareRectangles(*_best_of_shares(entries, starts, codes, x, shape, own, pulls, known))


class _Limits(NamedTuple):
    """Limits that rectangles have to be beyond: of :class:`~.share_limits.ShareLimits`, for the largest deviation.

    Attributes
    ----------
    limit, rows, least
        As there; of no length where the score is linear.
    smallest, few
        Variances below which limits say nothing, and below which scores are cut off; 0: none.
    """

    limit: Single
    rows: IntArray
    least: FloatArray
    smallest: float
    few: float


@compiled
def _best_of_shares(
    entries: ShareEntries, starts: IntArray, codes: ShortArray, x: FloatArray, shape: tuple[int, int], own: FloatArray,
    pulls: bool, limits: _Limits,
) -> tuple[FloatArray, IntArray, FloatArray, FloatArray, FloatArray, FloatArray]:  # fmt: skip
    n_cells, n_directions = len(starts) - 1, min(entries.control.shape[1], MOST_DIRECTIONS)
    n_known = n_directions + (1 if len(own) else 0)
    z, where, of = np.full(n_cells, np.nan), np.zeros((n_cells, 4), np.int64), np.zeros((4, n_cells))
    filled, nothing = np.zeros(shape[0] * shape[1], np.int64), np.zeros((0, 0, 0), np.float32)
    for cell in range(n_cells):
        odds, mine = own[cell] if len(own) else 1.0, codes[starts[cell] : starts[cell + 1]]
        place, n_rows, n_columns, known = gathered(entries, mine, shape, filled, x, odds, n_known)
        if n_rows == 0:
            continue
        if len(own):
            without_total(known, nothing, n_known)
        set_bounds(known, n_known)
        row_of, column_of = origins(place, filled, shape, n_columns)
        sums = known
        if pulls:
            sums = known.copy()
            to_pulls(sums, nothing, n_known)
        z[cell], first_row, stop_row, start, stop = _best_in(sums, n_known, limits)
        where[cell, 0], where[cell, 1] = row_of[first_row], row_of[stop_row - 1] + 1
        where[cell, 2], where[cell, 3] = column_of[start], column_of[stop - 1] + 1
        total = np.zeros((2, sums.shape[2]))
        for row in range(first_row, stop_row):
            for column in range(start, stop):
                total[1] += known[row, column]
        of[0, cell], of[1, cell], of[2, cell] = total[1, N], total[1, E], total[1, V]
        of[3, cell] = variance_of(total, 0, 1, n_known)
    return z, where, of[0], of[1], of[2], of[3]


@compiled
def _best_in(sums: FloatArray, n_directions: int, limits: _Limits) -> tuple[float, int, int, int, int]:
    """Return the largest score in size of one cell, and the first and one-past-last row and column.

    Nearly all rectangles are passed over in groups; the sums that a score takes are made of strips that have others.
    """
    n_rows, n_columns, width = sums.shape
    strip, running = np.zeros((n_columns + 1, width)), np.zeros(width)
    of_rows, ahead = _sums_of_rows(sums), np.zeros((len(_AHEAD), n_columns + GROUP))
    best, where = 0.0, (0, 0, 0, 0)
    for first_row in range(n_rows):
        strip[:] = 0.0
        ahead[:] = 0.0
        summed = first_row
        for row in range(first_row, n_rows):
            ahead += of_rows[row]
            start, first = _next_group(ahead, 0, 1, _reach(best, where[1] == 0, limits))
            while start < n_columns:
                while summed <= row:
                    add_row(sums[summed], strip, running)
                    summed += 1
                score, stop = _best_of_group(strip, start, first, n_directions, limits, best, where[1] == 0)
                if stop > 0:
                    best, where = score, (first_row, row + 1, start, stop)
                start, first = _next_group(ahead, start, first + GROUP, _reach(best, where[1] == 0, limits))
    return best, where[0], where[1], where[2], where[3]


class _Reach(NamedTuple):
    """Squares that a rectangle has to be beyond, to be better than the best one.

    Attributes
    ----------
    square, square_of_many
        ``x^2 / V``; with a variance of :data:`~.share_limits.MANY` or more.
    fourth
        z of few events, to the fourth.
    amount
        What rounding changes squares of x by, at most.
    smallest, few
        As of :class:`_Limits`.
    """

    square: float
    square_of_many: float
    fourth: float
    amount: float
    smallest: float
    few: float


@compiled
def _reach(best: float, first: bool, limits: _Limits) -> _Reach:
    """Return what to be beyond; anything is beyond the first one."""
    if first:
        return _Reach(-1.0, -1.0, 0.0, 0.0, limits.smallest, limits.few)
    square = SHARE * best * best
    if limits.few == 0.0:
        return _Reach(square, square, 0.0, 0.0, 0.0, 0.0)
    of_any, of_many = limits.least[:, limit_index(abs(best))]
    return _Reach(SHARE * of_any, SHARE * of_many, square * square, AMOUNT, limits.smallest, limits.few)


@compiled
def _sums_of_rows(sums: FloatArray) -> FloatArray:
    """Return sums over the first columns of every row; shape (n_rows, len(_AHEAD), n_columns + GROUP)."""
    found = np.zeros((sums.shape[0], len(_AHEAD), sums.shape[1] + GROUP))
    for k in range(len(_AHEAD)):
        found[:, k] = sums_of_rows(sums[:, :, _AHEAD[k]])
    return found


@compiled
def _next_group(ahead: FloatArray, start: int, first: int, reach: _Reach) -> tuple[int, int]:
    """Return the next group of which a rectangle may be better than the best one, as :func:`.groups.next_group` does.

    A fit leaves ``V - (sum c)^2`` at least, where ``(sum c)^2 <= sum(v) sum(c^2 / v)``. z^2 of few events is at most
    ``2 n (V / left) (1 - r) / sqrt(r)`` with the share r of the rarer side, as ``-ln r <= (1 - r) / sqrt(r)``.
    """
    x, v, spread, bound, n, e = ahead[0], ahead[1], ahead[2], ahead[3], ahead[4], ahead[5]
    n_columns = len(x) - GROUP
    while start < n_columns:
        x_0, v_0, spread_0, bound_0, n_0, e_0 = x[start], v[start], spread[start], bound[start], n[start], e[start]
        if v[start + 1] > v_0:
            while first <= n_columns:
                beyond = False
                for i in range(min(GROUP, len(x) - first)):
                    stop = np.uint64(first) + np.uint64(i)
                    above, own, events = x[stop] - x_0, v[stop] - v_0, n[stop] - n_0
                    known, on_b = own + (spread[stop] - spread_0), e[stop] - e_0
                    left = max(known - own * (bound[stop] - bound_0), LEAST_VARIANCE * known)
                    rare = min(on_b, events - on_b)
                    most = 2.0 * own * (events - rare)
                    is_cut = (own < reach.few) & (most * most * events <= reach.fourth * rare * left * left)
                    square = reach.square_of_many if left >= MANY else reach.square
                    is_near = (above * above + reach.amount <= square * left) & (left >= reach.smallest)
                    beyond |= not (is_cut | is_near)
                if beyond:
                    return start, first
                first += GROUP
        start += 1
        first = start + 1
    return start, first


@compiled
def _best_of_group(
    strip: FloatArray, start: int, first: int, n_directions: int, limits: _Limits, best: float, is_first: bool
) -> tuple[float, int]:
    """Return the best score of a group of a strip of rows, and its one-past-last column.

    The latter is 0 where no score is larger than the best one so far, if that is not the first.
    """
    place, found, n_rows, linear = limit_index(abs(best)), 0, len(limits.rows), limits.few == 0.0
    for stop in range(first, min(first + GROUP, len(strip))):
        v, above = strip[stop, V] - strip[start, V], strip[stop, X] - strip[start, X]
        known, bound = v + strip[stop, SPREAD] - strip[start, SPREAD], strip[stop, BOUND] - strip[start, BOUND]
        left = max(known - v * bound, LEAST_VARIANCE * known) if bound > NEGLIGIBLE else known
        if linear:
            below = above * above < best * best * left
        else:
            inner = int(ROWS * left)
            below = 2.0 * abs(above) < limits.limit[place, limits.rows[inner] if inner < n_rows else row_of(inner)]
        if below or strip[stop, V] <= strip[stop - 1, V]:
            continue
        score = _score_of(strip, start, stop, n_directions, linear)
        if is_first or abs(score) > abs(best) * (1.0 + 1e-12):
            best, is_first, found, place = score, False, stop, limit_index(abs(score))
    return best, found


@compiled
def _score_of(strip: FloatArray, start: int, stop: int, n_directions: int, linear: bool) -> float:
    variance = variance_of(strip, start, stop, n_directions)
    y = (strip[stop, X] - strip[start, X]) / np.sqrt(variance)
    c0, c1, c2, c3, least, most = score_terms(strip, start, stop, variance, linear)
    return float(min(max(c0 + y * (c1 + y * (c2 + y * c3)), least), most))
