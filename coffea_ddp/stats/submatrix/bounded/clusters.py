"""Clusters of overlapping cells that are nearly the same, so that one bound on rectangles holds for all of them.

Cells of a lattice are unions of the same exclusive cells; most differ from another one by few events. A cluster has a
*core*, the exclusive cells that all its cells have, and a *hull*, those that any of them has: every cell lies between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, IntArray, ShortArray
    from coffea_ddp.stats.submatrix.overlapping import Entries, Membership

WIDEST = 1.25
"""Events between core and hull of a cluster, in units of the root of the number of events of its first cell: what is
between them widens the bound, and is kept below what the threshold leaves."""

NEAREST = 64
"""Most cells of a cluster."""

TRIED = 4_096
"""Cells that are compared with a leader, those that have the next fewer events: with all of a large lattice the time
would grow with the square of their number."""


class Clusters(NamedTuple):
    """Cells in clusters, those of the most events first.

    Attributes
    ----------
    starts
        Where the cells of every cluster begin, and the end; shape (n_clusters + 1,).
    cells
        Numbers of cells; shape (n_cells,).
    """

    starts: IntArray
    cells: IntArray


def clusters_of(entries: Entries, membership: Membership) -> Clusters:
    """Return cells in clusters: each cell of the most events that is left leads one, and takes the nearest.

    Parameters
    ----------
    entries, membership
        As of :mod:`coffea_ddp.stats.submatrix.overlapping`. Cells without events are left out.
    """
    before = np.concatenate([[0], np.cumsum(entries.n)])
    events = np.diff(before[entries.starts])
    before = np.concatenate([[0], np.cumsum(events[membership.codes])])
    sizes = np.diff(before[membership.starts])
    order = np.argsort(-sizes, kind="stable")
    order = order[sizes[order] > 0]
    return Clusters(*_clusters(membership.starts, membership.codes, events, sizes, order))


@compiled
def _clusters(
    starts: IntArray, codes: ShortArray, events: IntArray, sizes: IntArray, order: IntArray
) -> tuple[IntArray, IntArray]:
    """Return where clusters begin in the second array, of cells; ``order`` has those of the most events first."""
    used, found = np.zeros(len(sizes), np.bool_), np.zeros(len(order), np.int64)
    firsts, n_clusters, done = np.zeros(len(order) + 1, np.int64), 0, 0
    times = np.zeros(len(events), np.int64)
    near, distances = np.zeros(NEAREST, np.int64), np.zeros(NEAREST, np.int64)
    for place in range(len(order)):
        if used[order[place]]:
            continue
        width = WIDEST * np.sqrt(sizes[order[place]])
        for code in range(len(times)):
            times[code] = 0
        n_near = _find_nearest(starts, codes, events, sizes, order, place, used, width, times, near, distances)
        n_taken = 0
        for i in range(n_near):
            if _is_taken(times, n_taken, starts, codes, near[i], events, width):
                used[near[i]] = True
                found[done + n_taken] = near[i]
                n_taken += 1
        done += n_taken
        n_clusters += 1
        firsts[n_clusters] = done
    return firsts[: n_clusters + 1], found


@compiled
def _find_nearest(  # noqa: PLR0917 (numba knows no keyword-only arguments)
    starts: IntArray,
    codes: ShortArray,
    events: IntArray,
    sizes: IntArray,
    order: IntArray,
    place: int,
    used: BoolArray,
    width: float,
    times: IntArray,
    near: IntArray,
    distances: IntArray,
) -> int:
    """Fill the cells that differ from a leader by few events, the nearest first, itself at the head; return how many.

    ``times`` is 0 before and after.
    """
    leader, n_near = order[place], 0
    for member in range(starts[leader], starts[leader + 1]):
        times[codes[member]] = 1
    for i in range(place, min(place + TRIED, len(order))):
        cell = order[i]
        if sizes[leader] - sizes[cell] > width:
            break
        if used[cell]:
            continue
        common = 0
        for member in range(starts[cell], starts[cell + 1]):
            common += times[codes[member]] * events[codes[member]]
        distance = sizes[leader] + sizes[cell] - 2 * common
        if distance > width or (n_near == NEAREST and distance >= distances[n_near - 1]):
            continue
        n_near = min(n_near + 1, NEAREST)
        at = n_near - 1
        while at > 0 and distances[at - 1] > distance:
            near[at], distances[at] = near[at - 1], distances[at - 1]
            at -= 1
        near[at], distances[at] = cell, distance
    for member in range(starts[leader], starts[leader + 1]):
        times[codes[member]] = 0
    return n_near


@compiled
def _is_taken(
    times: IntArray, n_cells: int, starts: IntArray, codes: ShortArray, cell: int, events: IntArray, width: float
) -> bool:
    """Return whether a cluster takes one more cell, and count its exclusive cells among ``times`` if so.

    Core and hull of the cluster must not differ by too many events then.
    """
    between = 0
    for member in range(starts[cell], starts[cell + 1]):
        times[codes[member]] += 1
    for code in range(len(times)):
        if 0 < times[code] <= n_cells:
            between += events[code]
    if between <= width:
        return True
    for member in range(starts[cell], starts[cell + 1]):
        times[codes[member]] -= 1
    return False
