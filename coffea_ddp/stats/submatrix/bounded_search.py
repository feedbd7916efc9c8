"""Search of the largest scores of clusters of cells: thresholds are moved on, and what is beyond them is scored.

Each step is compiled for itself: one function of all of them would take longer to compile than most scans do.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.stats.submatrix.cluster_sums import (
    EVENTS,
    TOO_NARROW,
    Labels,
    cluster_for,
    fill_w,
    prepare,
    sum_labels,
)
from coffea_ddp.stats.submatrix.limits import fewest_of, move_limits, row_of
from coffea_ddp.stats.submatrix.listed import Listed, score_cells, sum_listed
from coffea_ddp.stats.submatrix.sieve import LANES, Reach, Sums, sift, strip_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray, IntArray
    from coffea_ddp.stats.submatrix.binomial import ZTable
    from coffea_ddp.stats.submatrix.clusters import Clusters
    from coffea_ddp.stats.submatrix.limits import ScoreLimits
    from coffea_ddp.stats.submatrix.overlapping import Entries, Membership

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


@dataclass(frozen=True, eq=False)
class SearchedCells:
    """Cells, and what is known of them before any labels are.

    Attributes
    ----------
    entries, membership
        As of :mod:`coffea_ddp.stats.submatrix.overlapping`.
    clusters
        The cells in clusters.
    shape
        Rows and columns of the bins.
    table, limits
        z of few events, and what scores cannot exceed.
    wanted
        Of the cells that are kept: the scores that are to be reached; shape (n_kept,).
    """

    entries: Entries
    membership: Membership
    clusters: Clusters
    shape: tuple[int, int]
    table: ZTable
    limits: ScoreLimits
    wanted: FloatArray


class Room:
    """Memory for sums of 16 or 32 bits, and the limits of the thresholds that were last in use.

    Parameters
    ----------
    cells
        What is searched.
    dtype
        Of sums of the sieve.
    """

    def __init__(self, cells: SearchedCells, dtype: Any) -> None:
        shape, limits = cells.shape, cells.limits
        self.w: AnyArray = np.zeros((shape[0] + 1, shape[1] + 1, LANES), dtype)
        self.strip = strip_for(shape[1], dtype)
        self._limits, self._of = limits, limits.narrow if dtype == np.int16 else limits.limit
        self._limit = np.zeros((self._of.shape[1], LANES), dtype)
        self._known = np.append(np.full(LANES, -1), 0)

    def reach(self, threshold: Single, events: int) -> Reach:
        """Return what is to be beyond in cells whose core has a number of events."""
        move_limits(threshold, self._of, row_of(events) + 1, self._known, self._limit)
        return Reach(self._limit, fewest_of(threshold, self._limits.fewest), self._limits.rows)


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

    def __init__(self, cells: SearchedCells, labels: Labels, best: Single, kept: Single) -> None:
        self._cells, self._labels, self._best, self._kept = cells, labels, best, kept
        self._reached, self._is_new = best.copy(), True
        self._cluster = cluster_for(cells.entries, cells.shape)
        rectangles, found = np.zeros((LISTED, 4), np.int64), np.zeros((LISTED + 1, LANES), np.int32)
        self._listed = Listed(rectangles, found, np.zeros(len(labels.mean) + 1, np.int64))
        self._rooms: dict[tuple[Any, bool], Room] = {}

    def take_all(self) -> None:
        """Take the scores of all clusters."""
        (starts, order), keep = self._cells.clusters, self._cells.membership.keep
        if len(starts) > 1:
            # No size of a score is below 0.
            np.maximum(self._best, 0.0, out=self._best)
            self._reached = self._best.copy()
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
            return self._reached
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
        threshold = self._threshold(k, known)
        n_rows, n_columns, outer = prepare(
            cluster, of.entries, of.membership, cells, of.shape, labels.mean, p
        )  # fmt: skip
        if outer <= fewest_of(threshold, of.limits.fewest):
            return threshold
        for around in (labels.narrow, labels.around):
            room = self._room(around.dtype.type, k < 0)
            slack = fill_w(cluster, of.entries, around, labels.most, (n_rows, n_columns), p, room.w)
            if slack != TOO_NARROW:
                break
        sums = Sums(room.w, cluster.measures, n_columns, slack)
        inner, new = int(cluster.core[n_rows, n_columns, EVENTS]), self._is_new
        state, n, have_core = np.zeros(4, np.int64), self._list_coarse(n_rows, n_columns) if new else 0, False
        while state[0] < n_rows:
            reach = room.reach(threshold, inner)
            if not new:
                n = sift(sums, n_rows, reach, room.strip, self._listed.rectangles, state)
            if n and not have_core:
                sum_labels(cluster, of.entries, labels.around, (n_rows, n_columns))
                have_core = True
            self._score(cells[:1] if new else cells, n, (n_rows, n_columns), reach)
            new = self._is_new = False
            if state[0] < n_rows:
                threshold = self._threshold(k, known)
        return threshold

    def _list_coarse(self, *size: int) -> int:
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
        of = self._cells
        sum_listed(self._listed, n, self._cluster.total)
        if score_cells(
            self._listed, n, self._cluster, size, of.entries, self._labels, of.membership, cells, of.table, reach,
            self._best, self._kept,
        ):  # fmt: skip
            self._reached = self._best.copy()
