"""Largest score of all rectangles of all cells in pseudo-experiments of events that have shares, by way of bounds.

The scores are those of :func:`coffea_ddp.stats.submatrix.shares.share_cells` of residuals in whole units, which scores
every rectangle of every cell; cells, clusters and kept cells are treated as in :mod:`.maxima`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.submatrix.bounded.blocks import LANES
from coffea_ddp.stats.submatrix.bounded.clusters import clusters_of
from coffea_ddp.stats.submatrix.bounded.maxima import MOST_COLUMNS, take_together
from coffea_ddp.stats.submatrix.bounded.search import ClusterScores, SearchedCells
from coffea_ddp.stats.submatrix.bounded.share_cluster import Residuals, digits_of, known_of_entries
from coffea_ddp.stats.submatrix.bounded.share_scores import CellsOfShares, ShareScores
from coffea_ddp.stats.submatrix.overlapping import Entries, KnownKappaLabels
from coffea_ddp.stats.submatrix.share_entries import largest_deviation
from coffea_ddp.stats.submatrix.share_limits import share_limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import FloatArray
    from coffea_ddp.stats.submatrix.overlapping import Labels, MaxScores, Membership
    from coffea_ddp.stats.submatrix.share_entries import ShareEntries

    Single = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class BoundedShares:
    """Cells whose largest score is wanted, whatever the labels.

    Attributes
    ----------
    cells
        What is searched.
    of
        What is known of its shares.
    """

    cells: SearchedCells
    of: CellsOfShares

    def take(self, labels: Sequence[Labels], out: Sequence[MaxScores]) -> None:
        """Take the largest score, as of :class:`~.maxima.Bounded`; labels have the residuals of entries."""
        take_together(self.cells, self._scores, labels, out)

    def _scores(self, labels: Sequence[Labels]) -> ClusterScores:
        x = np.zeros((len(self.of.known), LANES), np.int32)
        for i, one in enumerate(labels):
            assert isinstance(one, KnownKappaLabels)
            x[:, i * TOYS : (i + 1) * TOYS] = np.rint(one.residual * np.float32(2.0**self.of.digits))
        x[self.of.entries.v <= 0.0] = 0
        most = np.maximum(x.max(axis=1, initial=0), -x.min(axis=1, initial=0)).astype(np.int64)
        return ShareScores(self.of, Residuals(x, most))


def bounded_shares(
    entries: ShareEntries, membership: Membership, shape: tuple[int, int], wanted: FloatArray
) -> BoundedShares | None:
    """Return cells for :meth:`BoundedShares.take`; None where contents are no numbers of events.

    Parameters
    ----------
    entries, membership, shape
        As of :class:`CellsOfShares`.
    wanted
        As of :class:`SearchedCells`.
    """
    if not entries.skewed or shape[1] > MOST_COLUMNS or (entries.spread < 0.0).any():
        return None
    usual = abs(1.0 - 2.0 * entries.e.sum() / max(entries.n.sum(), 1.0))
    variance = entries.v.sum() + entries.spread.sum() ** 2
    counted = Entries(entries.starts, entries.bins, np.rint(entries.n).astype(np.int64), entries.v)
    known = CellsOfShares(
        entries,
        membership,
        known_of_entries(entries),
        shape,
        share_limits(largest_deviation(entries), usual, variance),
        digits_of(entries),
    )
    return BoundedShares(SearchedCells(membership, clusters_of(counted, membership), wanted), known)
