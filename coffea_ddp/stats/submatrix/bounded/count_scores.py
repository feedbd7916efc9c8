"""Binomial scores of counts of one cluster at a time, for the search by bounds.

Each step is compiled for itself: one function of all of them would take longer to compile than most scans do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats.submatrix.bounded.blocks import LANES, Sums, strip_for
from coffea_ddp.stats.submatrix.bounded.cluster_sums import (
    EVENTS,
    TOO_NARROW,
    Labels,
    cluster_for,
    fill_w,
    prepare,
    sum_labels,
)
from coffea_ddp.stats.submatrix.bounded.listed import Listed, score_cells, sum_listed
from coffea_ddp.stats.submatrix.bounded.measured import COUNTED
from coffea_ddp.stats.submatrix.bounded.search import LISTED, MovedLimits
from coffea_ddp.stats.submatrix.bounded.sieve import Reach
from coffea_ddp.stats.submatrix.limits import fewest_of, row_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, IntArray
    from coffea_ddp.stats.submatrix.binomial import ZTable
    from coffea_ddp.stats.submatrix.bounded.blocks import Strip
    from coffea_ddp.stats.submatrix.limits import ScoreLimits
    from coffea_ddp.stats.submatrix.overlapping import Entries, Membership

    Single = NDArray[np.float32]


class CountedCells(NamedTuple):
    """Cells, and what is known of them before any labels are.

    Attributes
    ----------
    entries, membership
        As of :mod:`coffea_ddp.stats.submatrix.overlapping`.
    shape
        Rows and columns of the bins.
    table, limits
        z of few events, and what scores cannot exceed.
    """

    entries: Entries
    membership: Membership
    shape: tuple[int, int]
    table: ZTable
    limits: ScoreLimits


class _Room:
    """Memory for sums of 16 or 32 bits; limits of thresholds of all cells and of one cell apart."""

    def __init__(self, cells: CountedCells, wide: bool) -> None:
        shape, limit = cells.shape, cells.limits.limit if wide else cells.limits.narrow
        self.w: AnyArray = np.zeros((shape[0] + 1, shape[1] + 1, LANES), limit.dtype)
        self.strip = strip_for(shape[1], COUNTED, limit.dtype)
        self._limit, self._moved = limit, dict[bool, MovedLimits]()

    def limits(self, shared: bool) -> MovedLimits:
        """Return limits, made when they are first wanted."""
        if shared not in self._moved:
            self._moved[shared] = MovedLimits(self._limit)
        return self._moved[shared]


class CountScores:
    """Scores in one or more blocks of pseudo-experiments.

    Parameters
    ----------
    cells
        What is scored.
    labels
        Of the pseudo-experiments.
    """

    def __init__(self, cells: CountedCells, labels: Labels) -> None:
        self._of, self._labels, self._cluster = cells, labels, cluster_for(cells.entries, cells.shape)
        rectangles, found = np.zeros((LISTED, 4), np.int64), np.zeros((LISTED + 1, LANES), np.int32)
        self._listed = Listed(rectangles, found, np.zeros(len(labels.mean) + 1, np.int64))
        self._rooms: dict[bool, _Room] = {}
        self._size, self._wide, self._is_summed = (0, 0), False, False

    @property
    def rectangles(self) -> IntArray:
        """As of :class:`~.search.ClusterScores`, as of all that follows."""
        return self._listed.rectangles

    def begin(self, cells: IntArray, threshold: Single) -> tuple[int, int] | None:
        """Take up a cluster."""
        of = self._of
        n_rows, n_columns, outer = prepare(
            self._cluster, of.entries, of.membership, cells, of.shape, self._labels.mean, of.table.p
        )
        self._size, self._is_summed = (n_rows, n_columns), False
        return None if outer <= fewest_of(threshold, of.limits.fewest) else self._size

    def sums(self) -> tuple[Sums, Strip]:
        """Return what the sieve takes: of 16 bits where these suffice."""
        of, labels, slack = self._of, self._labels, TOO_NARROW
        for self._wide, around in ((False, labels.narrow), (True, labels.around)):
            room = self._room()
            slack = fill_w(self._cluster, of.entries, around, labels.most, self._size, of.table.p, room.w)
            if slack != TOO_NARROW:
                break
        return Sums(room.w, self._cluster.measures, self._size[1], slack), room.strip

    def _room(self) -> _Room:
        if self._wide not in self._rooms:
            self._rooms[self._wide] = _Room(self._of, self._wide)
        return self._rooms[self._wide]

    def reach(self, threshold: Single, shared: bool) -> Reach:
        """Return what is to be beyond."""
        limits, inner = self._of.limits, int(self._cluster.core[*self._size, EVENTS])
        limit = self._room().limits(shared).at(threshold, row_of(inner) + 1)
        return Reach(limit, float(fewest_of(threshold, limits.fewest)), limits.rows)

    def score(self, cells: IntArray, n: int, reach: Reach, best: Single, kept: Single) -> bool:
        """Take scores."""
        of, labels = self._of, self._labels
        if not self._is_summed:
            sum_labels(self._cluster, of.entries, labels.around, self._size)
            self._is_summed = True
        sum_listed(self._listed.rectangles, self._listed.found, n, self._cluster.total)
        return score_cells(
            self._listed, n, self._cluster, self._size, of.entries, labels, of.membership, cells, of.table, reach, best,
            kept,
        )  # fmt: skip
