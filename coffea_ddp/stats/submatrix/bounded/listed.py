"""Exact scores of listed rectangles in the cells of a cluster: the same bits as when all rectangles are scored.

The labels of a rectangle are summed over the core of the cluster once for all cells, as four numbers of its prefix
sums. What a cell has besides are few events: without them, w is known to ``2 max(p, 1 - p)`` times their number, which
rules out most rectangles of the list for the cell; else their labels are added, one entry at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled, compiled_in_order
from coffea_ddp.stats.submatrix.bounded.blocks import LANES
from coffea_ddp.stats.submatrix.bounded.cluster_sums import (
    EVENTS,
    MEAN,
    ROUNDED,
    Cluster,
    Labels,
    add_code,
    add_up_known,
    clear,
)
from coffea_ddp.stats.submatrix.bounded.sieve import Reach
from coffea_ddp.stats.submatrix.limits import row_of
from coffea_ddp.stats.submatrix.rectangles import expansion_terms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, IntArray, ShortArray
    from coffea_ddp.stats.submatrix.binomial import ZTable
    from coffea_ddp.stats.submatrix.overlapping import Entries, Membership

    Single = NDArray[np.float32]
    Whole = NDArray[np.int32]


class Listed(NamedTuple):
    """Rectangles of a cluster.

    Attributes
    ----------
    rectangles
        First and one-past-last row, then column; shape (n, 4).
    found
        Labels of the core in each, and room for those of one more; shape (n + 1, LANES).
    besides
        The number of the entries of a cell that are not in the core, then these; shape (n_entries + 1,).
    """

    rectangles: IntArray
    found: Whole
    besides: IntArray


@compiled
def sum_listed(rectangles: IntArray, found: Whole, n: int, total: Whole) -> None:
    """Fill the labels of the first n rectangles, out of the sums over the first rows and columns of the core."""
    for i in range(n):
        first_row, stop_row, start, stop = rectangles[i, 0], rectangles[i, 1], rectangles[i, 2], rectangles[i, 3]
        for t in range(LANES):
            found[i, t] = (
                total[stop_row, stop, t] - total[first_row, stop, t] - total[stop_row, start, t]
                + total[first_row, start, t]
            )  # fmt: skip


@compiled
def score_cells(  # noqa: PLR0917 (numba knows no keyword-only arguments)
    listed: Listed,
    n: int,
    cluster: Cluster,
    size: tuple[int, int],
    entries: Entries,
    labels: Labels,
    membership: Membership,
    cells: IntArray,
    table: ZTable,
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
    entries, labels, membership
        Of all cells.
    cells
        Numbers of cells of the cluster.
    table
        z of few events.
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
        if not _score_cell(listed, n, cluster, size, entries, labels, codes, table, reach, score):
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
    listed: Listed,
    n: int,
    cluster: Cluster,
    size: tuple[int, int],
    entries: Entries,
    labels: Labels,
    codes: ShortArray,
    table: ZTable,
    reach: Reach,
    score: Single,
) -> bool:
    """Fill the largest size of a score that the first n rectangles have in one cell; return whether any is beyond.

    Other parameters are those of :func:`score_cells`.

    Parameters
    ----------
    codes
        The exclusive cells of the cell.
    score
        Shape (LANES,); changed in place. Rectangles that are beyond nowhere are not scored.
    """
    p, beyond, cell, last = table.p, False, cluster.cell, len(listed.found) - 1
    _know_cell(listed.besides, cluster, entries, codes, size, labels.mean, p)
    for t in range(LANES):
        score[t] = 0.0
    for i in range(n):
        events = _inside(cell, listed.rectangles, i, EVENTS)
        if events <= reach.fewest:
            continue
        shared = _inside(cluster.core, listed.rectangles, i, EVENTS)
        row = reach.rows[events] if events < len(reach.rows) else row_of(events)
        mean, place = _inside(cluster.core, listed.rectangles, i, MEAN), i
        room = 4.0 * max(p, 1.0 - p) * (events - shared) + 0.5
        if not _may_be_beyond(listed.found, i, 4.0 * (mean - shared * p), reach.limit, row, int(np.ceil(room))):
            continue
        mean = _inside(cell, listed.rectangles, i, MEAN)
        if events > shared:
            place = last
            add_besides(listed.rectangles, listed.found, listed.besides, i, cluster, labels.around)
            if not _may_be_beyond(listed.found, place, 4.0 * (mean - events * p), reach.limit, row, 1):
                continue
        beyond = True
        if events <= table.most:
            base = events * (events + 1) // 2 + mean
            for t in range(LANES):
                score[t] = max(score[t], abs(table.rows[base + listed.found[place, t]]))
        else:
            _score_many(listed, i, place, cluster, labels.around, table, score)
    return beyond


@compiled
def _know_cell(
    besides: IntArray, cluster: Cluster, entries: Entries, codes: ShortArray, size: tuple[int, int], mean: IntArray,
    p: float,
) -> None:  # fmt: skip
    """Fill what is known of one cell of the cluster, and its entries that are not in the core, their number first."""
    clear(cluster.cell, size)
    besides[0] = 0
    for code in codes:
        add_code(cluster.cell, cluster, entries, mean, int(code))
        if cluster.times[code] < cluster.n_cells[0]:
            for entry in range(entries.starts[code], entries.starts[code + 1]):
                besides[0] += 1
                besides[besides[0]] = entry
    add_up_known(cluster.cell, size, p)


@compiled
def add_besides(rectangles: IntArray, found: Whole, besides: IntArray, i: int, cluster: Cluster, around: Whole) -> None:
    """Fill the last place of what is found with the i-th one and what its rectangle has besides (:class:`Listed`)."""
    last = len(found) - 1
    first_row, stop_row, start, stop = rectangles[i, 0], rectangles[i, 1], rectangles[i, 2], rectangles[i, 3]
    for t in range(LANES):
        found[last, t] = found[i, t]
    for k in range(1, besides[0] + 1):
        entry = besides[k]
        if first_row < cluster.row[entry] <= stop_row and start < cluster.column[entry] <= stop:
            for t in range(LANES):
                found[last, t] += around[entry, t]


@compiled_in_order
def _score_many(
    listed: Listed, i: int, place: int, cluster: Cluster, around: Whole, table: ZTable, score: Single
) -> None:
    """Take the scores of the i-th rectangle by the expansion; its labels are in a place of what is found.

    The arithmetic is that of :func:`coffea_ddp.stats.submatrix.rectangles.exact_extremes`: the mean is taken from the
    sum up to the last column, and then what is before the first column.
    """
    first_row, stop_row, start = listed.rectangles[i, 0], listed.rectangles[i, 1], listed.rectangles[i, 2]
    cell, total, before = cluster.cell, cluster.total, np.zeros(LANES, np.int32)
    whole = cell[stop_row, start, MEAN] - cell[first_row, start, MEAN]
    whole -= cell[stop_row, start, ROUNDED] - cell[first_row, start, ROUNDED]
    for t in range(LANES):
        before[t] = np.int32(total[stop_row, start, t] - total[first_row, start, t] + whole)
    for k in range(1, listed.besides[0] + 1):
        entry = listed.besides[k]
        if first_row < cluster.row[entry] <= stop_row and cluster.column[entry] <= start:
            for t in range(LANES):
                before[t] += around[entry, t]
    events, rounded = _inside(cell, listed.rectangles, i, EVENTS), _inside(cell, listed.rectangles, i, ROUNDED)
    moved = np.int32(_inside(cell, listed.rectangles, i, MEAN) - rounded)
    c0, c1, c2, c3, mean, scale = expansion_terms(events, table.p, table.dilution)
    shift = np.float32(mean - rounded)
    for t in range(LANES):
        up_to = np.float32(before[t] + listed.found[place, t] + moved)
        y = ((up_to - shift) - np.float32(before[t])) * scale
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
