"""Search of the largest scores of clusters of cells: thresholds are moved on, and what is beyond them is scored.

Each step is compiled for itself: one function of all of them would take longer to compile than most scans do.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coffea_ddp.stats.submatrix.cluster_sums import cluster_for, fill_sums, find_cluster, know_cell
from coffea_ddp.stats.submatrix.limits import MOST_NARROW, limit_index, row_of
from coffea_ddp.stats.submatrix.listed import Listed, score_listed, sum_listed
from coffea_ddp.stats.submatrix.sieve import EVENTS, LANES, Reach, Sums, sift, strip_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, BoolArray, IntArray
    from coffea_ddp.stats.submatrix.maxima import BoundedCells

    Single = NDArray[np.float32]
    Whole = NDArray[np.int32]

SAMPLED = 24
"""Single cells whose scores are taken first, about: large and small ones, so that thresholds of all are high."""

LISTED = 512
"""Rectangles that are listed before they are scored."""

COARSE = 6
"""Rows and columns that the first rectangles of all begin at."""

CLOSED = np.float32(1e9)
"""Threshold of a pseudo-experiment of which nothing more is wanted."""


class Labels(NamedTuple):
    """Labels of pseudo-experiments.

    Attributes
    ----------
    around
        B of every entry less ``mean``; shape (n_entries, LANES).
    mean
        The whole number next to the mean of B; shape (n_entries,).
    """

    around: Whole
    mean: IntArray


class Room:
    """Memory for sums of 16 or 32 bits, and the limits of the thresholds that were last in use.

    Parameters
    ----------
    cells
        What is searched.
    dtype
        Of sums of the sieve.
    """

    def __init__(self, cells: BoundedCells, dtype: Any) -> None:
        shape, limits = cells.shape, cells.limits
        self.w: AnyArray = np.zeros((shape[0] + 1, shape[1] + 1, LANES), dtype)
        self.strip = strip_for(shape[1], dtype)
        self._limits, self._of = limits, limits.narrow if dtype == np.int16 else limits.limit
        self._limit = np.zeros((self._of.shape[1], LANES), dtype)
        self._index, self._filled = np.full(LANES, -1), 0

    def reach(self, threshold: Single, events: int) -> Reach:
        """Return what is to be beyond in cells whose core has a number of events."""
        index, n_rows = limit_index(threshold), row_of(events) + 1
        changed = np.flatnonzero(index != self._index) if n_rows <= self._filled else np.arange(LANES)
        if len(changed):
            self._filled = max(n_rows, self._filled)
            self._limit[: self._filled, changed] = self._of[index[changed], : self._filled].T
            self._index = index
        return Reach(self._limit, int(self._limits.fewest[index].min()), self._limits.rows)


class Search:
    """Search of the largest scores in one or more blocks of pseudo-experiments.

    Parameters
    ----------
    cells
        What is searched.
    labels
        Of the pseudo-experiments.
    best
        The largest score so far, changed in place; shape (LANES,).
    kept
        Scores of the cells that are kept, changed in place; shape (n_kept, LANES).
    """

    def __init__(self, cells: BoundedCells, labels: Labels, best: Single, kept: Single) -> None:
        self._cells, self._labels, self._best, self._kept = cells, labels, best, kept
        self._cluster = cluster = cluster_for(cells.entries, cells.shape)
        rectangles, found = np.zeros((LISTED, 4), np.int64), np.zeros((LISTED + 1, LANES), np.int32)
        self._listed = Listed(
            rectangles, found, labels.around, cluster.row, cluster.column, cluster.core, cluster.total
        )
        self._besides = np.zeros(len(labels.mean) + 1, np.int64)
        self._rooms: dict[tuple[Any, bool], Room] = {}

    def take_all(self) -> None:
        """Take the scores of all clusters."""
        (starts, order), keep = self._cells.clusters, self._cells.membership.keep
        for first in starts[:-1][:: max(1, len(starts) // SAMPLED)].tolist():
            self._take(order[first : first + 1])
        for start, end in itertools.pairwise(starts.tolist()):
            known = self._take(order[start:end])
            for place in range(start, end):
                k = int(keep[order[place]])
                if k >= 0 and self._is_open(k, known).any():
                    self._take(order[place : place + 1], k, known)

    def _is_open(self, k: int, known: Single) -> BoolArray:
        """Return where the score that is wanted of a kept cell is not reached yet, and not beyond what is known."""
        wanted = self._cells.wanted[k]
        return np.asarray((known < CLOSED) & (wanted < known) & (self._kept[k] < wanted))

    def _threshold(self, k: int, known: Single | None) -> Single:
        if known is None:
            return self._best.copy()
        return np.where(self._is_open(k, known), np.float32(self._cells.wanted[k]), CLOSED)

    def _room(self, dtype: Any, shared: bool) -> Room:
        """Return memory, made when it is first wanted: that for thresholds of all cells and of one cell apart."""
        if (dtype, shared) not in self._rooms:
            self._rooms[dtype, shared] = Room(self._cells, dtype)
        return self._rooms[dtype, shared]

    def _take(self, cells: IntArray, k: int = -1, known: Single | None = None) -> Single:
        """Take the scores of the cells of a cluster that are beyond thresholds; return those that were last in use.

        Parameters
        ----------
        cells
            Of the cluster.
        k, known
            With these it is the k-th kept cell alone, whose scores beyond ``known`` are known. Thresholds are then the
            score that is wanted of it, else the largest score so far.
        """
        of, labels, cluster, p = self._cells, self._labels, self._cluster, self._cells.table.p
        size = find_cluster(cluster, of.entries, of.membership, cells, of.shape, labels.mean, p)
        inner, outer = int(cluster.core[size][EVENTS]), int(cluster.hull[size][EVENTS])
        threshold, spread = self._threshold(k, known), 2.0 * max(p, 1.0 - p)
        if outer <= of.limits.fewest[limit_index(threshold)].min():
            return threshold
        for dtype in (np.int16, np.int32):
            room = self._room(dtype, k < 0)
            slack = fill_sums(cluster, of.entries, labels.around, len(cells), size, p, room.w)
            if slack >= 0 and (spread * (outer - inner) + slack <= MOST_NARROW or dtype == np.int32):
                break
        sums = Sums(room.w, cluster.core, cluster.hull, size[1], spread, slack)
        if threshold[0] == -np.inf:
            n = self._list_coarse(size)
            self._score(cells[:1], n, size, room.reach(np.zeros(LANES, np.float32), inner))
            threshold = self._threshold(k, known)
        state = np.zeros(4, np.int64)
        while state[0] < size[0]:
            reach = room.reach(threshold, inner)
            n = sift(sums, size[0], reach, room.strip, self._listed.rectangles, state)
            self._score(cells, n, size, reach)
            if state[0] < size[0]:
                threshold = self._threshold(k, known)
        return threshold

    def _list_coarse(self, size: tuple[int, int]) -> int:
        """List some rectangles of all sizes; return how many."""
        edges = (np.unique(np.linspace(0, n, min(n, COARSE) + 1).astype(np.int64)) for n in size)
        rows, columns = (np.array(list(itertools.combinations(of, 2))) for of in edges)
        found = [np.concatenate([row, column]) for row in rows for column in columns]
        self._listed.rectangles[: len(found)] = found
        return len(found)

    def _score(self, cells: IntArray, n: int, size: tuple[int, int], reach: Reach) -> None:
        """Take the scores of the first n rectangles of the list in some cells of a cluster."""
        if not n:
            return
        of, mean, cluster = self._cells, self._labels.mean, self._cluster
        starts, codes = of.membership.starts, of.membership.codes
        n_cells, score = int(cluster.times.max()), np.zeros(LANES, np.float32)
        sum_listed(self._listed, n)
        for cell in cells.tolist():
            mine = codes[starts[cell] : starts[cell + 1]]
            know_cell(cluster, of.entries, mine, n_cells, size, mean, of.table.p, self._besides)
            score[:] = 0.0
            score_listed(self._listed, n, cluster.cell, self._besides, of.table, reach, score)
            np.maximum(self._best, score, out=self._best)
            k = of.membership.keep[cell]
            if k >= 0:
                np.maximum(self._kept[k], score, out=self._kept[k])
