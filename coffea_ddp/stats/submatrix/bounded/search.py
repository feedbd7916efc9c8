"""Search of the largest scores of clusters of cells: thresholds are moved on, and what is beyond them is scored.

What a score is made of is left to :class:`ClusterScores`: of counts (:mod:`.count_scores`), or of residuals of events
that have shares (:mod:`.share_scores`).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from coffea_ddp.stats.submatrix.bounded.blocks import LANES, Sums
from coffea_ddp.stats.submatrix.bounded.sieve import Reach, sift
from coffea_ddp.stats.submatrix.limits import move_limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray, IntArray
    from coffea_ddp.stats.submatrix.bounded.blocks import Strip
    from coffea_ddp.stats.submatrix.bounded.clusters import Clusters
    from coffea_ddp.stats.submatrix.overlapping import Membership

    Single = NDArray[np.float32]

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
    """Cells, and what is wanted of them.

    Attributes
    ----------
    membership
        As of :mod:`coffea_ddp.stats.submatrix.overlapping`.
    clusters
        The cells in clusters.
    wanted
        Of the cells that are kept: the scores that are to be reached; shape (n_kept,).
    """

    membership: Membership
    clusters: Clusters
    wanted: FloatArray


class MovedLimits:
    """Limits of the thresholds that were last in use.

    Parameters
    ----------
    of
        Limits of all tabulated thresholds; shape (n_thresholds, n_rows).
    """

    def __init__(self, of: AnyArray) -> None:
        self._of = of
        self._limit = np.zeros((of.shape[1], LANES), of.dtype)
        self._known = np.append(np.full(LANES, -1), 0)

    def at(self, threshold: Single, n_rows: int) -> AnyArray:
        """Return the limits of thresholds, of the first rows at least; shape (all rows, LANES)."""
        move_limits(threshold, self._of, n_rows, self._known, self._limit)
        return self._limit


class ClusterScores(Protocol):
    """Scores of rectangles of one cluster at a time, in one or more blocks of pseudo-experiments."""

    @property
    def rectangles(self) -> IntArray:
        """The list: first and one-past-last row, then column; shape (LISTED, 4)."""

    def begin(self, cells: IntArray, threshold: Single) -> tuple[int, int] | None:
        """Take up a cluster, by the numbers of its cells; return the size of its matrix, ``None`` for no more to do."""

    def sums(self) -> tuple[Sums, Strip]:
        """Return what the sieve takes, and its room."""

    def reach(self, threshold: Single, shared: bool) -> Reach:
        """Return what is to be beyond; thresholds of all cells are shared, those of one kept cell are not."""

    def score(self, cells: IntArray, n: int, reach: Reach, best: Single, kept: Single) -> bool:
        """Take the scores of the first n rectangles of the list in some cells; return whether any is a new best."""


class Search:
    """Search of the largest scores in one or more blocks of pseudo-experiments.

    Parameters
    ----------
    cells
        What is searched.
    scores
        Of the pseudo-experiments.
    best
        The largest score so far, changed in place; shape (LANES,).
    kept
        Scores of the cells that are kept, changed in place; shape (n_kept, LANES).
    """

    def __init__(self, cells: SearchedCells, scores: ClusterScores, best: Single, kept: Single) -> None:
        self._cells, self._scores, self._best, self._kept = cells, scores, best, kept
        self._reached, self._is_new = best.copy(), True

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
        threshold = self._threshold(k, known)
        size = self._scores.begin(cells, threshold)
        if size is None:
            return threshold
        (sums, strip), rectangles = self._scores.sums(), self._scores.rectangles
        new, state = self._is_new, np.zeros(4, np.int64)
        n = _list_coarse(rectangles, *size) if new else 0
        while state[0] < size[0]:
            reach = self._scores.reach(threshold, k < 0)
            if not new:
                n = sift(sums, size[0], reach, reach.skew, strip, rectangles, state)
            if n and self._scores.score(cells[:1] if new else cells, n, reach, self._best, self._kept):
                self._reached = self._best.copy()
            new = self._is_new = False
            if state[0] < size[0]:
                threshold = self._threshold(k, known)
        return threshold


def _list_coarse(rectangles: IntArray, *size: int) -> int:
    """List some rectangles of all sizes; return how many."""
    edges = (np.unique(np.linspace(0, n, min(n, COARSE) + 1).astype(np.int64)) for n in size)
    rows, columns = (np.array(list(itertools.combinations(of, 2))) for of in edges)
    found = [np.concatenate([row, column]) for row in rows for column in columns]
    rectangles[: len(found)] = found
    return len(found)
