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

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import TOYS, compiled
from coffea_ddp.stats.propensity.projection import LEAST_VARIANCE
from coffea_ddp.stats.submatrix.limits import row_of
from coffea_ddp.stats.submatrix.share_sums import MOST_DIRECTIONS, NEGLIGIBLE

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, FloatArray, IntArray

LANES = 2 * TOYS
"""Pseudo-experiments in the innermost loop."""

LEVELS = 3
"""Blocks of 2, 4 ... 2^LEVELS prefix sums."""

OUTER, INNER, BETWEEN = 0, 1, 2
"""Measures of a sum over bins: what few events are known by, of the hull; what limits belong to, of the core; what is
between core and hull can change ``2 w`` by."""

COUNTED = 3
"""Number of measures of counts that have one share; those that follow are of events whose shares differ."""

FITTED, HULL_NORM, CORE_NORM = 3, 4, 5
"""A bound on the share of the inner measure that a fit takes, of the hull; the sum of the lengths of its vectors, of
hull and core (from :data:`FIRST` on the sum of its vectors, of the core)."""

EVENTS, SKEW, HULL_SKEW, CORE_SKEW, FIRST = 6, 7, 8, 9, 10
"""Events of the core, the sum of their ``1 - 2 e``, and the sums of the sizes of these, of hull and core."""

ALL = FIRST + MOST_DIRECTIONS
"""Number of measures of events whose shares differ."""

ROUNDED = 1e-6
"""More than rounding changes a sum of measures by."""

MOST_FITTED = 1.0
"""Bound on what a fit changes, above which skewness is not counted on."""

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
        Measures: what all pseudo-experiments share; shape (n_rows + 1, n_columns + 1, n_known) or larger.
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
    deviation, usual
        The largest size of ``1 - 2 e``, and that which limits are made for.
    more, less
        What a mean of it that is larger, or smaller, changes limits by.
    of_labels
        Share of the variance that is of labels, at least, but for what a fit adds.
    """

    limit: AnyArray
    fewest: float
    rows: IntArray
    deviation: float = 0.0
    usual: float = 0.0
    more: float = 0.0
    less: float = 0.0
    of_labels: float = 0.0


class Strip(NamedTuple):
    """Room for the prefix sums of a strip of rows, and their blocks.

    Attributes
    ----------
    nodes
        Prefix sums, then the largest of blocks of 2, the smallest, the largest of blocks of 4 ...; shape (n, LANES).
    column
        Columns of the strip that are not empty; shape (n_columns + 1,).
    known
        Measures of the columns before; shape (n_columns + 1, n_known).
    pairs
        Pairs of blocks to test, and those of the next level; shape (2, n). What is left of the last level, single
        rectangles, is in the second row.
    rows, rise, fall
        The row of limits of pairs, and what is to be added to ``w`` and to ``-w`` of them at most; shape (n,).
    levels
        Where the largest and the smallest of the blocks of every level begin; shape (2, LEVELS + 1).
    """

    nodes: AnyArray
    column: IntArray
    known: FloatArray
    pairs: IntArray
    rows: IntArray
    rise: IntArray
    fall: IntArray
    levels: IntArray


def strip_for(n_columns: int, n_known: int, dtype: Any) -> Strip:
    """Return room for the strips of a matrix with a number of columns."""
    sizes = [n_columns + 1]
    for _ in range(LEVELS):
        sizes.append((sizes[-1] + 1) // 2)
    column, known = np.zeros(n_columns + 1, np.int64), np.zeros((n_columns + 1, n_known))
    pairs = np.zeros((2, (n_columns + 2) * (n_columns + 3) // 2 + 4), np.int64)
    nodes, levels = np.zeros((sizes[0] + 2 * sum(sizes[1:]), LANES), dtype), np.zeros((2, LEVELS + 1), np.int64)
    rows, rise, fall = np.zeros((3, pairs.shape[1]), np.int64)
    return Strip(nodes, column, known, pairs, rows, rise, fall, levels)


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
        for k in range(strip.known.shape[1]):
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
    known, with_shares = strip.known, strip.known.shape[1] > COUNTED
    if with_shares:
        n_left = _bound_shares(level, n_left, n_ends, reach, strip)
    pairs, halves, n_next = strip.pairs[level % 2], strip.pairs[1 - level % 2], 0
    most, least = strip.levels[0, level], strip.levels[1, level]
    for i in range(n_left):
        start, stop = pairs[i] & _FIRST, pairs[i] >> _HALF
        if with_shares:
            row, rise, fall = np.uint64(strip.rows[i]), strip.rise[i] + sums.slack, strip.fall[i] + sums.slack
        else:
            first_start, first_stop = np.uint64(start << level), np.uint64(stop << level)
            last_start = np.uint64(((start + 1) << level) - 1)
            last_stop = np.uint64(min(((stop + 1) << level) - 1, n_ends))
            if known[last_stop, OUTER] - known[first_start, OUTER] <= reach.fewest:
                continue
            inner = int(known[first_stop, INNER] - known[last_start, INNER])
            row = np.uint64(reach.rows[np.uint64(inner)] if inner < len(reach.rows) else row_of(inner))
            rise = int(known[last_stop, BETWEEN] - known[first_start, BETWEEN] + ROUNDED) + sums.slack
            fall = rise
        if level == 0:
            left = _is_one_beyond(strip.nodes, np.uint64(start), np.uint64(stop), reach.limit, row, rise, fall)
            halves[n_next] = pairs[i]
            n_next += int(left)
        else:
            left = _is_beyond(
                strip.nodes, (np.uint64(most + start), np.uint64(least + start)),
                (np.uint64(most + stop), np.uint64(least + stop)), reach.limit, row, rise, fall,
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
def _bound_shares(level: int, n_left: int, n_ends: int, reach: Reach, strip: Strip) -> int:
    """Fill the row of limits of pairs, and what is between core and hull, where shares of events differ.

    A fit leaves ``inner - |c|^2`` with the largest possible vector c: the one of the smallest core, and the lengths of
    whatever there may be besides. The mean of ``1 - 2 e`` is bounded in the same way. Pairs that are too few are left
    out; return how many remain.
    """
    known, pairs, n = strip.known, strip.pairs[level % 2], 0
    for i in range(n_left):
        start, stop = pairs[i] & _FIRST, pairs[i] >> _HALF
        first_start, first_stop = np.uint64(start << level), np.uint64(stop << level)
        last_start = np.uint64(((start + 1) << level) - 1)
        last_stop = np.uint64(min(((stop + 1) << level) - 1, n_ends))
        left = known[first_stop, INNER] - known[last_start, INNER]
        fitted = known[last_stop, FITTED] - known[first_start, FITTED]
        if fitted > NEGLIGIBLE:
            square = 0.0
            for k in range(FIRST, ALL):
                along = known[first_stop, k] - known[last_start, k]
                square += along * along
            besides = known[last_stop, HULL_NORM] - known[first_start, HULL_NORM]
            left = _left_by_fit(left, square, besides - (known[first_stop, CORE_NORM] - known[last_start, CORE_NORM]))
        elif known[last_stop, OUTER] - known[first_start, OUTER] <= reach.fewest:
            continue
        besides = known[last_stop, HULL_SKEW] - known[first_start, HULL_SKEW]
        rise, fall = _skewed(
            known[first_stop, EVENTS] - known[last_start, EVENTS], known[first_stop, SKEW] - known[last_start, SKEW],
            besides - (known[first_stop, CORE_SKEW] - known[last_start, CORE_SKEW]), fitted, reach,
        )  # fmt: skip
        inner, between = int(left), known[last_stop, BETWEEN] - known[first_start, BETWEEN]
        pairs[n], strip.rise[n], strip.fall[n] = pairs[i], int(np.ceil(between + rise)), int(np.ceil(between + fall))
        strip.rows[n] = reach.rows[np.uint64(inner)] if inner < len(reach.rows) else row_of(inner)
        n += 1
    return n


@compiled
def bound_one(known: FloatArray, reach: Reach) -> tuple[int, int, int]:
    """Return the row of limits of one rectangle of a cluster, by its measures, and what skewness adds to w and -w."""
    left, square = known[INNER], 0.0
    if known[FITTED] > NEGLIGIBLE:
        for k in range(FIRST, ALL):
            square += known[k] * known[k]
        left = _left_by_fit(left, square, known[HULL_NORM] - known[CORE_NORM])
    rise, fall = _skewed(known[EVENTS], known[SKEW], known[HULL_SKEW] - known[CORE_SKEW], known[FITTED], reach)
    row = reach.rows[int(left)] if left < len(reach.rows) else row_of(int(left))
    return row, int(np.ceil(rise)), int(np.ceil(fall))


@compiled
def _left_by_fit(inner: float, square: float, besides: float) -> float:
    """Return what a fit leaves at least: with the square of the vector of the core, and the lengths of others."""
    size = np.sqrt(square) + max(besides, 0.0)
    return float(max(inner - size * size, LEAST_VARIANCE * inner))


@compiled
def _skewed(events: float, skew: float, besides: float, fitted: float, reach: Reach) -> tuple[float, float]:
    """Return what the mean of ``1 - 2 e`` adds to w and to -w at most: that of the core, and the sizes of others.

    A mean above 0 makes the scores of w smaller, and those of -w larger: less so where the variance has more than that
    of labels, as a bin's own errors or a fit of other events may add to it.
    """
    lowest, highest, besides = -reach.deviation, reach.deviation, max(besides, 0.0)
    if events > 0.0:
        lowest, highest = max(lowest, (skew - besides) / events), min(highest, (skew + besides) / events)
    left = 0.0 if fitted > MOST_FITTED else reach.of_labels / (1.0 + fitted)
    rise = -(lowest if lowest < 0.0 else left * lowest) - reach.usual
    fall = (highest if highest > 0.0 else left * highest) - reach.usual
    return rise * (reach.more if rise > 0.0 else reach.less), fall * (reach.more if fall > 0.0 else reach.less)


@compiled
def _is_beyond(
    nodes: AnyArray,
    start: tuple[np.uint64, np.uint64],
    stop: tuple[np.uint64, np.uint64],
    limit: AnyArray,
    row: np.uint64,
    rise: int,
    fall: int,
) -> bool:
    """Return whether a rectangle between two blocks, their largest and smallest, may be beyond its limit anywhere."""
    whole, beyond = nodes.dtype.type, False
    up, down = whole(rise), whole(fall)
    for t in range(LANES):
        most, least = whole(nodes[stop[0], t] - nodes[start[1], t]), whole(nodes[start[0], t] - nodes[stop[1], t])
        beyond |= max(whole(most + up), whole(least + down)) > limit[row, t]
    return beyond


@compiled
def _is_one_beyond(
    nodes: AnyArray, start: np.uint64, stop: np.uint64, limit: AnyArray, row: np.uint64, rise: int, fall: int
) -> bool:
    """Return whether the rectangle between two prefix sums may be beyond its limit anywhere."""
    whole, beyond = nodes.dtype.type, False
    up, down = whole(rise), whole(fall)
    for t in range(LANES):
        w = whole(nodes[stop, t] - nodes[start, t])
        beyond |= max(whole(up + w), whole(down - w)) > limit[row, t]
    return beyond
