"""Exact scores of listed rectangles in the cells of a cluster: the same bits as when all rectangles are scored.

The labels of a rectangle are summed over the core of the cluster once for all cells, as four numbers of its prefix
sums. What a cell has besides are few events: without them, w is known to ``2 max(p, 1 - p)`` times their number, which
rules out most rectangles of the list for the cell; else their labels are added, one entry at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled, compiled_in_order
from coffea_ddp.stats.submatrix.limits import row_of
from coffea_ddp.stats.submatrix.rectangles import expansion_terms
from coffea_ddp.stats.submatrix.sieve import EVENTS, LANES, Reach

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, IntArray
    from coffea_ddp.stats.submatrix.binomial import ZTable

    Single = NDArray[np.float32]
    Whole = NDArray[np.int32]

MEAN, ROUNDED, KNOWN = 1, 2, 3
"""Whole numbers next to the mean of B, of entries and of bins, among what is known of sums; how much that is."""


class Listed(NamedTuple):
    """Rectangles of a cluster.

    Attributes
    ----------
    rectangles
        First and one-past-last row, then column; shape (n, 4).
    found
        Labels of the core in each; shape (n, LANES).
    around
        Labels of every entry, less the whole number next to their mean; shape (n_entries, LANES).
    row, column
        One more than those of every entry; shape (n_entries,).
    core, total
        What is known of the core, and its labels, summed over the first rows and columns; shapes (n_rows + 1, n_columns
        + 1, KNOWN) and (n_rows + 1, n_columns + 1, LANES) or larger.
    """

    rectangles: IntArray
    found: Whole
    around: Whole
    row: IntArray
    column: IntArray
    core: IntArray
    total: Whole


@compiled
def sum_listed(listed: Listed, n: int) -> None:
    """Fill the labels of the first n rectangles, out of the sums over the first rows and columns of the core."""
    total = listed.total
    for i in range(n):
        first_row, stop_row = listed.rectangles[i, 0], listed.rectangles[i, 1]
        start, stop = listed.rectangles[i, 2], listed.rectangles[i, 3]
        for t in range(LANES):
            listed.found[i, t] = (
                total[stop_row, stop, t] - total[first_row, stop, t] - total[stop_row, start, t]
                + total[first_row, start, t]
            )  # fmt: skip


@compiled
def score_listed(
    listed: Listed, n: int, cell: IntArray, besides: IntArray, table: ZTable, reach: Reach, score: Single
) -> None:
    """Raise ``score`` to the largest size of a score that the first n rectangles have in one cell, if they are beyond.

    Parameters
    ----------
    listed, n
        Rectangles.
    cell
        What is known of the cell, as of the core.
    besides
        The number of its entries that are not in the core, then these.
    table
        z of few events.
    reach
        What is to be beyond.
    score
        Shape (LANES,); changed in place. Of rectangles that are not beyond anywhere it knows nothing.
    """
    p = table.p
    for i in range(n):
        events, shared = _inside(cell, listed.rectangles, i, EVENTS), _inside(listed.core, listed.rectangles, i, EVENTS)
        if events <= reach.fewest:
            continue
        row = reach.rows[events] if events < len(reach.rows) else row_of(events)
        mean, room = _inside(listed.core, listed.rectangles, i, MEAN), 4.0 * max(p, 1.0 - p) * (events - shared) + 0.5
        if not _may_be_beyond(listed.found, i, 4.0 * (mean - shared * p), reach.limit, row, int(np.ceil(room))):
            continue
        mean = _inside(cell, listed.rectangles, i, MEAN)
        if events > shared:
            _add_besides(listed, i, besides)
            if not _may_be_beyond(listed.found, len(listed.found) - 1, 4.0 * (mean - events * p), reach.limit, row, 1):
                continue
        place = len(listed.found) - 1 if events > shared else i
        if events <= table.most:
            base = events * (events + 1) // 2 + mean
            for t in range(LANES):
                score[t] = max(score[t], abs(table.rows[base + listed.found[place, t]]))
        else:
            _score_many(listed, i, place, events, cell, besides, table, score)


@compiled
def _add_besides(listed: Listed, i: int, besides: IntArray) -> None:
    """Fill the last place of what is found with the i-th one, and what else its rectangle has."""
    last = len(listed.found) - 1
    first_row, stop_row = listed.rectangles[i, 0], listed.rectangles[i, 1]
    start, stop = listed.rectangles[i, 2], listed.rectangles[i, 3]
    for t in range(LANES):
        listed.found[last, t] = listed.found[i, t]
    for k in range(1, besides[0] + 1):
        entry = besides[k]
        if first_row < listed.row[entry] <= stop_row and start < listed.column[entry] <= stop:
            for t in range(LANES):
                listed.found[last, t] += listed.around[entry, t]


@compiled_in_order
def _score_many(
    listed: Listed, i: int, place: int, events: int, cell: IntArray, besides: IntArray, table: ZTable, score: Single
) -> None:
    """Take the scores of the i-th rectangle by the expansion; its labels are in a place of what is found.

    The arithmetic is that of :func:`coffea_ddp.stats.submatrix.rectangles.exact_extremes`: the mean is taken from the
    sum up to the last column, and then what is before the first column.
    """
    first_row, stop_row, start = listed.rectangles[i, 0], listed.rectangles[i, 1], listed.rectangles[i, 2]
    before, whole = np.zeros(LANES, np.int32), 0
    for k in range(MEAN, ROUNDED + 1):
        sign = 1 if k == MEAN else -1
        whole += sign * (cell[stop_row, start, k] - cell[first_row, start, k])
    for t in range(LANES):
        before[t] = np.int32(listed.total[stop_row, start, t] - listed.total[first_row, start, t] + whole)
    for k in range(1, besides[0] + 1):
        entry = besides[k]
        if first_row < listed.row[entry] <= stop_row and listed.column[entry] <= start:
            for t in range(LANES):
                before[t] += listed.around[entry, t]
    rounded = _inside(cell, listed.rectangles, i, ROUNDED)
    moved = np.int32(_inside(cell, listed.rectangles, i, MEAN) - rounded)
    c0, c1, c2, c3, mean, scale = expansion_terms(events, table.p, table.dilution)
    shift = np.float32(mean - rounded)
    for t in range(LANES):
        last = np.float32(before[t] + listed.found[place, t] + moved)
        y = ((last - shift) - np.float32(before[t])) * scale
        z = c0 + y * (c1 + y * (c2 + y * c3))
        score[t] = max(score[t], abs(z))


@compiled
def _may_be_beyond(found: Whole, place: int, shift: float, limit: AnyArray, row: int, room: int) -> bool:
    """Return whether ``2 w = 4 found + shift`` may be beyond its limit in any pseudo-experiment, give or take room."""
    beyond: Any = False
    whole, less = np.int32(np.rint(shift)), np.int32(room)
    for t in range(LANES):
        w = np.int32(4 * found[place, t] + whole)
        beyond |= max(w, np.int32(-w)) > np.int32(limit[row, t] - less)
    return bool(beyond)


@compiled
def _inside(sums: IntArray, rectangles: IntArray, i: int, k: int) -> int:
    """Return the sum over the i-th rectangle, out of sums over the first rows and columns."""
    first_row, stop_row, start, stop = rectangles[i, 0], rectangles[i, 1], rectangles[i, 2], rectangles[i, 3]
    return int(
        sums[stop_row, stop, k] - sums[first_row, stop, k] - sums[stop_row, start, k] + sums[first_row, start, k]
    )
