"""A sieve for rectangles: which of them may be beyond a threshold in any pseudo-experiment, in any cell of a cluster.

The score itself is made of those only that are left. With ``w = 2 (B - p n)`` a cell R between the core X and the hull
U of its cluster (:mod:`coffea_ddp.stats.submatrix.bounded.clusters`) has in every rectangle

    ``2 w_R = w_X + w_U + (w of R without X) - (w of U without R)``,

where the last two together are no larger than ``2 max(p, 1 - p)`` times the events between core and hull. And R has as
many events as X at least. So ``w_X + w_U``, one sum for all cells of the cluster, together with these events and the
limit of the events of X (:mod:`coffea_ddp.stats.submatrix.limits`) rules out a rectangle for all of them.

Many rectangles are ruled out together: for each strip of rows the prefix sums over its columns are put into blocks of
2, 4 and 8, of which the largest and the smallest are known. Whatever starts in one block and stops in another one has
no more than the largest of the second less the smallest of the first. Pairs of blocks that are not ruled out are cut
into halves, down to single rectangles. All pseudo-experiments go through this together, two blocks at a time (what
they share is then done once for both), in whole numbers of 16 bits where these suffice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.submatrix.bounded.blocks import (
    FIRST_PLACE,
    HALF,
    LANES,
    LEVELS,
    fill_blocks,
    fill_prefixes,
    halve,
    list_neighbours,
    list_pairs,
)
from coffea_ddp.stats.submatrix.bounded.measured import BETWEEN, INNER, OUTER
from coffea_ddp.stats.submatrix.bounded.share_bounds import bound_pairs
from coffea_ddp.stats.submatrix.limits import row_of

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, IntArray
    from coffea_ddp.stats.submatrix.bounded.blocks import Strip, Sums
    from coffea_ddp.stats.submatrix.bounded.share_bounds import Skew

ROUNDED = 1e-6
"""More than rounding changes a sum of measures by."""


class Reach(NamedTuple):
    """The limits that rectangles have to be beyond, in every pseudo-experiment.

    Attributes
    ----------
    limit
        Of ``2 w``, for rows of the inner measure; of the type of sums, shape (n_rows, LANES).
    fewest
        Outer measure that is not beyond in any pseudo-experiment.
    rows
        The row of small inner measures.
    skew
        What moves limits where shares of events differ.
    """

    limit: AnyArray
    fewest: float
    rows: IntArray
    skew: Skew | None = None


@compiled
def sift(
    sums: Sums, n_rows: int, reach: Reach, skew: Skew | None, strip: Strip, rectangles: IntArray, state: IntArray
) -> int:
    """List rectangles that may be beyond, until all strips of rows are done or the list is full; return how many.

    Parameters
    ----------
    sums, n_rows
        Of the cluster, and its number of rows.
    reach, skew
        What to be beyond; the second is that of the first, for the compiler.
    strip
        Room.
    rectangles
        The list: first and one-past-last row, then column; shape (n, 4).
    state
        Where to go on: first and one-past-last row of the strip, and how many of its rectangles are left and listed.
        (0, 0, 0, 0) begins; all strips are done where the first row is ``n_rows``. Changed in place.
    """
    n = 0
    while state[0] < n_rows:
        while state[3] < state[2]:
            if n == len(rectangles):
                return n
            pair = strip.pairs[1, state[3]]
            rectangles[n, 0], rectangles[n, 1] = state[0], state[1]
            rectangles[n, 2] = strip.column[pair & FIRST_PLACE]
            rectangles[n, 3] = strip.column[(pair >> HALF) - 1] + 1
            n, state[3] = n + 1, state[3] + 1
        state[1] += 1
        if state[1] > n_rows:
            state[0] += 1
            state[1] = state[0] + 1
        state[2], state[3] = 0, 0
        if state[0] < n_rows:
            state[2] = _sift_strip(sums, state[0], state[1], reach, skew, strip)
    return n


@compiled
def _sift_strip(sums: Sums, first_row: int, stop_row: int, reach: Reach, skew: Skew | None, strip: Strip) -> int:
    """Return how many rectangles of a strip of rows may be beyond: that many pairs are in the second row then."""
    outer = sums.known[stop_row, sums.n_columns, OUTER] - sums.known[first_row, sums.n_columns, OUTER]
    if outer <= reach.fewest:
        return 0
    n_ends = fill_prefixes(sums, first_row, stop_row, strip)
    fill_blocks(strip.nodes, strip.levels, n_ends)
    n_left = list_pairs(n_ends, strip.pairs[LEVELS % 2])
    if skew is None:
        return _sift_counts(n_left, n_ends, sums, reach, strip)
    return _sift_shares(n_left, n_ends, sums, reach, skew, strip)


@compiled
def _sift_counts(n_left: int, n_ends: int, sums: Sums, reach: Reach, strip: Strip) -> int:
    """Test pairs of blocks of all levels; return how many rectangles may be beyond.

    Places have no sign: those with one might count from the end, and to ask that takes a seventh of the time.
    """
    known, nodes, limit = strip.known, strip.nodes, reach.limit
    for level in range(LEVELS, -1, -1):
        pairs, halves, n_next = strip.pairs[level % 2], strip.pairs[1 - level % 2], 0
        most, least = strip.levels[0, level], strip.levels[1, level]
        for i in range(n_left):
            start, stop = pairs[i] & FIRST_PLACE, pairs[i] >> HALF
            first_start, first_stop = np.uint64(start << level), np.uint64(stop << level)
            last_start = np.uint64(((start + 1) << level) - 1)
            last_stop = np.uint64(min(((stop + 1) << level) - 1, n_ends))
            if known[last_stop, OUTER] - known[first_start, OUTER] <= reach.fewest:
                continue
            inner = int(known[first_stop, INNER] - known[last_start, INNER])
            row = np.uint64(reach.rows[np.uint64(inner)] if inner < len(reach.rows) else row_of(inner))
            room = int(known[last_stop, BETWEEN] - known[first_start, BETWEEN] + ROUNDED) + sums.slack
            if level == 0:
                left = _is_one_beyond(nodes, np.uint64(start), np.uint64(stop), limit, row, room)
                halves[n_next] = pairs[i]
                n_next += int(left)
            else:
                left = _is_beyond(
                    nodes, (np.uint64(most + start), np.uint64(least + start)),
                    (np.uint64(most + stop), np.uint64(least + stop)), limit, row, room,
                )  # fmt: skip
                n_next += int(left) * halve(pairs[i], level, n_ends, halves, n_next)
        n_left = list_neighbours(level, n_ends, halves, n_next)
    return n_left


@compiled
def _sift_shares(n_left: int, n_ends: int, sums: Sums, reach: Reach, skew: Skew, strip: Strip) -> int:
    """Do the same where shares of events differ: bounds of a level are made in a pass for themselves."""
    nodes, limit = strip.nodes, reach.limit
    for level in range(LEVELS, -1, -1):
        pairs, halves, n_next = strip.pairs[level % 2], strip.pairs[1 - level % 2], 0
        most, least = strip.levels[0, level], strip.levels[1, level]
        n_left = bound_pairs(level, n_left, n_ends, reach.fewest, reach.rows, skew, strip)
        for i in range(n_left):
            start, stop = pairs[i] & FIRST_PLACE, pairs[i] >> HALF
            row, rise, fall = np.uint64(strip.rows[i]), strip.rise[i] + sums.slack, strip.fall[i] + sums.slack
            if level == 0:
                left = _is_one_beyond_either(nodes, np.uint64(start), np.uint64(stop), limit, row, rise, fall)
                halves[n_next] = pairs[i]
                n_next += int(left)
            else:
                left = _is_beyond_either(
                    nodes, (np.uint64(most + start), np.uint64(least + start)),
                    (np.uint64(most + stop), np.uint64(least + stop)), limit, row, rise, fall,
                )  # fmt: skip
                n_next += int(left) * halve(pairs[i], level, n_ends, halves, n_next)
        n_left = list_neighbours(level, n_ends, halves, n_next)
    return n_left


@compiled
def _is_beyond(
    nodes: AnyArray, start: tuple[np.uint64, np.uint64], stop: tuple[np.uint64, np.uint64], limit: AnyArray,
    row: np.uint64, room: int,
) -> bool:  # fmt: skip
    """Return whether a rectangle between two blocks, their largest and smallest, may be beyond its limit anywhere."""
    whole, beyond = nodes.dtype.type, False
    less = whole(room)
    for t in range(LANES):
        rise, fall = whole(nodes[stop[0], t] - nodes[start[1], t]), whole(nodes[start[0], t] - nodes[stop[1], t])
        beyond |= max(rise, fall) > whole(limit[row, t] - less)
    return beyond


@compiled
def _is_one_beyond(
    nodes: AnyArray, start: np.uint64, stop: np.uint64, limit: AnyArray, row: np.uint64, room: int
) -> bool:
    """Return whether the rectangle between two prefix sums may be beyond its limit anywhere."""
    whole, beyond = nodes.dtype.type, False
    less = whole(room)
    for t in range(LANES):
        rise = whole(nodes[stop, t] - nodes[start, t])
        beyond |= max(rise, whole(-rise)) > whole(limit[row, t] - less)
    return beyond


@compiled
def _is_beyond_either(
    nodes: AnyArray,
    start: tuple[np.uint64, np.uint64],
    stop: tuple[np.uint64, np.uint64],
    limit: AnyArray,
    row: np.uint64,
    rise: int,
    fall: int,
) -> bool:
    """Return whether a rectangle between two blocks may be beyond, with ``rise`` added to w and ``fall`` to -w."""
    whole, beyond = nodes.dtype.type, False
    up, down = whole(rise), whole(fall)
    for t in range(LANES):
        most, least = whole(nodes[stop[0], t] - nodes[start[1], t]), whole(nodes[start[0], t] - nodes[stop[1], t])
        beyond |= max(whole(most + up), whole(least + down)) > limit[row, t]
    return beyond


@compiled
def _is_one_beyond_either(
    nodes: AnyArray, start: np.uint64, stop: np.uint64, limit: AnyArray, row: np.uint64, rise: int, fall: int
) -> bool:
    """Return whether the rectangle between two prefix sums may be beyond, with these added."""
    whole, beyond = nodes.dtype.type, False
    up, down = whole(rise), whole(fall)
    for t in range(LANES):
        w = whole(nodes[stop, t] - nodes[start, t])
        beyond |= max(whole(up + w), whole(down - w)) > limit[row, t]
    return beyond
