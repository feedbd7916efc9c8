"""A sieve for rectangles: which of them may be beyond a threshold in any pseudo-experiment, in any cell of a cluster.

The score itself is made of those only that are left. With ``w = 2 (B - p n)`` a cell R between the core X and the hull
U of its cluster (:mod:`coffea_ddp.stats.submatrix.clusters`) has in every rectangle

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

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import TOYS, compiled
from coffea_ddp.stats.submatrix.limits import row_of

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, FloatArray, IntArray

LANES = 2 * TOYS
"""Pseudo-experiments in the innermost loop."""

LEVELS = 3
"""Blocks of 2, 4 ... 2^LEVELS prefix sums."""

OUTER, INNER, BETWEEN = 0, 1, 2
"""Measures of a sum over bins: what few events are known by, of the hull; what limits belong to, of the core; what is
between core and hull can change ``2 w`` by."""

KNOWN = 3
"""Number of measures."""

ROUNDED = 1e-6
"""More than rounding changes a sum of measures by."""

NOWHERE = -1
"""Row of the limits of a rectangle that is beyond none."""

_HALF = 16
"""Bits of a place in a pair of places."""

_FIRST = (1 << _HALF) - 1


class Sums(NamedTuple):
    """Sums over the first rows and columns of the matrix of a cluster; one more of each than it has.

    Attributes
    ----------
    w
        ``w`` of core and hull together, of 16 or 32 bits; shape (n_rows + 1, n_columns + 1, LANES) or larger.
    known
        Measures: what all pseudo-experiments share; shape (n_rows + 1, n_columns + 1, KNOWN) or larger.
    n_columns
        Of the matrix.
    slack
        What rounding changes ``2 w`` by at most.
    """

    w: AnyArray
    known: FloatArray
    n_columns: int
    slack: int


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
    """

    limit: AnyArray
    fewest: float
    rows: IntArray


class Strip(NamedTuple):
    """Room for the prefix sums of a strip of rows, and their blocks.

    Attributes
    ----------
    nodes
        Prefix sums, then the largest of blocks of 2, the smallest, the largest of blocks of 4 ...; shape (n, LANES).
    column
        Columns of the strip that are not empty; shape (n_columns + 1,).
    known
        Measures of the columns before; shape (n_columns + 1, KNOWN).
    pairs
        Pairs of blocks to test, and those of the next level; shape (2, n). What is left of the last level, single
        rectangles, is in the second row.
    levels
        Where the largest and the smallest of the blocks of every level begin; shape (2, LEVELS + 1).
    """

    nodes: AnyArray
    column: IntArray
    known: FloatArray
    pairs: IntArray
    levels: IntArray


def strip_for(n_columns: int, dtype: Any) -> Strip:
    """Return room for the strips of a matrix with a number of columns."""
    sizes = [n_columns + 1]
    for _ in range(LEVELS):
        sizes.append((sizes[-1] + 1) // 2)
    column, known = np.zeros(n_columns + 1, np.int64), np.zeros((n_columns + 1, KNOWN))
    pairs = np.zeros((2, (n_columns + 2) * (n_columns + 3) // 2 + 4), np.int64)
    nodes, levels = np.zeros((sizes[0] + 2 * sum(sizes[1:]), LANES), dtype), np.zeros((2, LEVELS + 1), np.int64)
    return Strip(nodes, column, known, pairs, levels)


@compiled
def sift(sums: Sums, n_rows: int, reach: Reach, strip: Strip, rectangles: IntArray, state: IntArray) -> int:
    """List rectangles that may be beyond, until all strips of rows are done or the list is full; return how many.

    Parameters
    ----------
    sums, n_rows
        Of the cluster, and its number of rows.
    reach
        What to be beyond.
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
            rectangles[n, 2] = strip.column[pair & _FIRST]
            rectangles[n, 3] = strip.column[(pair >> _HALF) - 1] + 1
            n, state[3] = n + 1, state[3] + 1
        state[1] += 1
        if state[1] > n_rows:
            state[0] += 1
            state[1] = state[0] + 1
        state[2], state[3] = 0, 0
        if state[0] < n_rows:
            state[2] = _sift_strip(sums, state[0], state[1], reach, strip)
    return n


@compiled
def _sift_strip(sums: Sums, first_row: int, stop_row: int, reach: Reach, strip: Strip) -> int:
    """Return how many rectangles of a strip of rows may be beyond: that many pairs are in the second row then."""
    outer = sums.known[stop_row, sums.n_columns, OUTER] - sums.known[first_row, sums.n_columns, OUTER]
    if outer <= reach.fewest:
        return 0
    n_ends = _fill_prefixes(sums, first_row, stop_row, strip)
    _fill_blocks(strip.nodes, strip.levels, n_ends)
    n_blocks, pairs = (n_ends >> LEVELS) + 1, strip.pairs[LEVELS % 2]
    for stop in range(n_blocks):
        for start in range(stop):
            pairs[stop * (stop - 1) // 2 + start] = start | stop << _HALF
    n_left = n_blocks * (n_blocks - 1) // 2
    for level in range(LEVELS, -1, -1):
        n_left = _sift_level(level, n_left, n_ends, sums, reach, strip)
    return n_left


@compiled
def _fill_prefixes(sums: Sums, first_row: int, stop_row: int, strip: Strip) -> int:
    """Fill the prefix sums over the columns of a strip that are not empty; return how many columns these are."""
    whole, n_ends = sums.w.dtype.type, 0
    strip.known[0] = 0.0
    for t in range(LANES):
        strip.nodes[0, t] = 0
    for stop in range(1, sums.n_columns + 1):
        outer = sums.known[stop_row, stop, OUTER] - sums.known[first_row, stop, OUTER]
        if outer <= strip.known[n_ends, OUTER]:
            continue
        strip.column[n_ends] = stop - 1
        n_ends += 1
        for k in range(KNOWN):
            strip.known[n_ends, k] = sums.known[stop_row, stop, k] - sums.known[first_row, stop, k]
        for t in range(LANES):
            strip.nodes[n_ends, t] = whole(sums.w[stop_row, stop, t] - sums.w[first_row, stop, t])
    return n_ends


@compiled
def _fill_blocks(nodes: AnyArray, levels: IntArray, n_ends: int) -> None:
    """Fill the largest and the smallest of blocks, and where those of every level begin."""
    size, end = n_ends + 1, n_ends + 1
    for level in range(1, LEVELS + 1):
        half, above, below = (size + 1) // 2, levels[0, level - 1], levels[1, level - 1]
        levels[0, level], levels[1, level] = end, end + half
        for i in range(half):
            one, other = 2 * i, min(2 * i + 1, size - 1)
            for t in range(LANES):
                nodes[end + i, t] = max(nodes[above + one, t], nodes[above + other, t])
            for t in range(LANES):
                nodes[end + half + i, t] = min(nodes[below + one, t], nodes[below + other, t])
        size, end = half, end + 2 * half


@compiled
def _sift_level(level: int, n_left: int, n_ends: int, sums: Sums, reach: Reach, strip: Strip) -> int:
    """Test pairs of blocks of one level; return how many pairs there are of the next one.

    Pairs are written whether they are needed or not, and counted if they are: that is faster than to decide. Places
    have no sign: those with one might count from the end, and to ask that takes a seventh of the time.
    """
    pairs, halves, n_next = strip.pairs[level % 2], strip.pairs[1 - level % 2], 0
    most, least = strip.levels[0, level], strip.levels[1, level]
    for i in range(n_left):
        start, stop = pairs[i] & _FIRST, pairs[i] >> _HALF
        first_start, first_stop = np.uint64(start << level), np.uint64(stop << level)
        last_start = np.uint64(((start + 1) << level) - 1)
        last_stop = np.uint64(min(((stop + 1) << level) - 1, n_ends))
        found, changed = bound_of(
            strip.known[first_start], strip.known[last_start], strip.known[first_stop], strip.known[last_stop], reach
        )
        if found == NOWHERE:
            continue
        row, room = np.uint64(found), changed + sums.slack
        if level == 0:
            left = _is_one_beyond(strip.nodes, first_start, first_stop, reach.limit, row, room)
            halves[n_next] = pairs[i]
            n_next += int(left)
        else:
            left = _is_beyond(
                strip.nodes, (np.uint64(most + start), np.uint64(least + start)),
                (np.uint64(most + stop), np.uint64(least + stop)), reach.limit, row, room,
            )  # fmt: skip
            both = 2 * pairs[i]
            halves[n_next], halves[n_next + 1] = both, both + 1
            halves[n_next + 2], halves[n_next + 3] = both + (1 << _HALF), both + 1 + (1 << _HALF)
            n_next += int(left) * (4 if (2 * stop + 1) << (level - 1) <= n_ends else 2)
    # Pairs within one block are not tested: those of neighbouring halves come up here.
    for stop in range(1, (n_ends >> (level - 1)) + 1 if level > 0 else 0, 2):
        halves[n_next] = (stop - 1) | stop << _HALF
        n_next += 1
    return n_next


@compiled
def bound_of(
    first_start: FloatArray, last_start: FloatArray, first_stop: FloatArray, last_stop: FloatArray, reach: Reach
) -> tuple[int, int]:
    """Return a row of limits for what starts and stops in two blocks, and what is between core and hull at most.

    The row is :data:`NOWHERE` where nothing of it is beyond. Others are measures of the first and last prefix sum of
    either block.
    """
    if last_stop[OUTER] - first_start[OUTER] <= reach.fewest:
        return NOWHERE, 0
    inner = int(first_stop[INNER] - last_start[INNER])
    between = last_stop[BETWEEN] - first_start[BETWEEN]
    return reach.rows[np.uint64(inner)] if inner < len(reach.rows) else row_of(inner), int(between + ROUNDED)


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
