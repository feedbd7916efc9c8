"""Scores of events that have shares of side B, of one cluster at a time, for the search by bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats.submatrix import share_sums
from coffea_ddp.stats.submatrix.bounded import measured
from coffea_ddp.stats.submatrix.bounded.blocks import LANES, Sums, strip_for
from coffea_ddp.stats.submatrix.bounded.cluster_sums import Cluster, sum_labels
from coffea_ddp.stats.submatrix.bounded.listed import sum_listed
from coffea_ddp.stats.submatrix.bounded.search import CLOSED, LISTED, MovedLimits
from coffea_ddp.stats.submatrix.bounded.share_bounds import Skew
from coffea_ddp.stats.submatrix.bounded.share_cluster import (
    SLACK,
    Residuals,
    fill_residuals,
    prepare_shares,
)
from coffea_ddp.stats.submatrix.bounded.share_listed import ShareListed, bound_listed, score_share_cells
from coffea_ddp.stats.submatrix.bounded.sieve import Reach
from coffea_ddp.stats.submatrix.limits import limit_index, row_of
from coffea_ddp.stats.submatrix.share_limits import scaled_limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import FloatArray, IntArray
    from coffea_ddp.stats.submatrix.bounded.blocks import Strip
    from coffea_ddp.stats.submatrix.overlapping import Membership
    from coffea_ddp.stats.submatrix.share_entries import ShareEntries
    from coffea_ddp.stats.submatrix.share_limits import ShareLimits

    Single = NDArray[np.float32]


class CellsOfShares(NamedTuple):
    """Cells, and what is known of them before any labels are.

    Attributes
    ----------
    entries, membership
        As of :mod:`coffea_ddp.stats.submatrix.shares`.
    known
        Of the entries: :func:`~.share_cluster.known_of_entries`.
    shape
        Rows and columns of the bins.
    limits
        What scores cannot exceed.
    digits
        Of residuals.
    """

    entries: ShareEntries
    membership: Membership
    known: FloatArray
    shape: tuple[int, int]
    limits: ShareLimits
    digits: int


class ShareScores:
    """Scores in one or more blocks of pseudo-experiments.

    Parameters
    ----------
    cells
        What is scored.
    residuals
        Of the pseudo-experiments.
    """

    def __init__(self, cells: CellsOfShares, residuals: Residuals) -> None:
        self._of, self._residuals = cells, residuals
        n_entries, shape = len(cells.known), (cells.shape[0] + 1, cells.shape[1] + 1)
        n_directions = min(cells.entries.control.shape[1], share_sums.MOST_DIRECTIONS)
        row, column = np.zeros((2, n_entries), np.int64)
        nothing, times = np.zeros((0, 0, 0)), np.zeros(len(cells.entries.starts) - 1, np.int64)
        self._cluster = Cluster(
            np.zeros(1, np.int64), times, row, column, nothing, nothing,
            np.zeros((*shape, share_sums.FIRST + 2 * n_directions)), np.zeros((*shape, measured.ALL)),
            np.zeros((*shape, LANES), np.int32),
        )  # fmt: skip
        rows, rise, fall = np.zeros((3, LISTED), np.int64)
        self._listed = ShareListed(
            np.zeros((LISTED, 4), np.int64), rows, rise, fall, np.zeros((LISTED + 1, LANES), np.int32),
            np.zeros(n_entries + 1, np.int64), np.zeros(shape, np.int64),
        )  # fmt: skip
        self._w = np.zeros((*shape, LANES), np.int32)
        self._narrow = np.zeros((*shape, LANES), np.int16)
        self._strips: dict[bool, Strip] = {}
        self._moved: dict[tuple[int, bool], MovedLimits] = {}
        self._size, self._less, self._is_summed = (0, 0), 0, False
        self._of_labels = 0.0 if cells.entries.spread.any() else 1.0
        self._skew = Skew(0.0, 0.0, 0.0, 0.0, self._of_labels)

    @property
    def rectangles(self) -> IntArray:
        """As of :class:`~.search.ClusterScores`, as of all that follows."""
        return self._listed.rectangles

    def begin(self, cells: IntArray, threshold: Single) -> tuple[int, int] | None:
        """Take up a cluster."""
        of, measures = self._of, self._cluster.measures
        self._size = prepare_shares(self._cluster, of.entries, of.known, of.membership, cells, of.shape)
        self._is_summed = False
        few = measures[*self._size, measured.OUTER] <= self._fewest(threshold)
        return None if few and measures[*self._size, measured.FITTED] <= share_sums.NEGLIGIBLE else self._size

    def _fewest(self, threshold: Single) -> float:
        return float(self._of.limits.fewest[limit_index(float(threshold.min()))])

    def sums(self) -> tuple[Sums, Strip]:
        """Return what the sieve takes: of 16 bits where these suffice."""
        of, w, measures = self._of, self._w, self._cluster.measures
        self._less = fill_residuals(self._cluster, of.entries, self._residuals, self._size, of.digits, w, self._narrow)
        is_narrow = self._less >= 0
        if is_narrow not in self._strips:
            dtype = np.int16 if is_narrow else np.int32
            self._strips[is_narrow] = strip_for(of.shape[1], measured.ALL, dtype)
        sums = Sums(self._narrow if is_narrow else w, measures, self._size[1], SLACK)
        return sums, self._strips[is_narrow]

    def reach(self, threshold: Single, shared: bool) -> Reach:
        """Return what is to be beyond."""
        limits, inner = self._of.limits, int(self._cluster.measures[*self._size, measured.INNER])
        if (self._less, shared) not in self._moved:
            digits, is_narrow = self._of.digits - max(self._less, 0), self._less >= 0
            self._moved[self._less, shared] = MovedLimits(scaled_limits(limits, digits, is_narrow))
        limit = self._moved[self._less, shared].at(threshold, row_of(inner) + 2)
        most, least = threshold.max(initial=0.0, where=threshold < CLOSED), threshold.min()
        unit = 2.0 ** (self._of.digits - max(self._less, 0))
        more = unit * limits.more[min(limit_index(float(most)) + 1, len(limits.more) - 1)]
        less = unit * limits.less[limit_index(float(least))]
        self._skew = Skew(limits.deviation, limits.usual, more, less, self._of_labels)
        return Reach(limit, self._fewest(threshold), limits.rows, self._skew)

    def score(self, cells: IntArray, n: int, reach: Reach, best: Single, kept: Single) -> bool:
        """Take scores."""
        of = self._of
        if not self._is_summed:
            sum_labels(self._cluster, of.entries, self._residuals.x, self._size)
            self._is_summed = True
        sum_listed(self._listed.rectangles, self._listed.found, n, self._cluster.total)
        bound_listed(self._listed, n, self._cluster.measures, reach.rows, self._skew)
        return score_share_cells(
            self._listed, n, self._cluster, self._size, of.entries, self._residuals, of.membership, cells, of.digits,
            max(self._less, 0), reach, best, kept,
        )  # fmt: skip
