"""Largest exact score of all rectangles of all cells in pseudo-experiments, by way of bounds.

The same bits as :func:`coffea_ddp.stats.submatrix.overlapping.exact_cells`, which scores every rectangle of every cell.
Cells go in clusters, those of the most events first; of each cluster those rectangles are scored that may be beyond the
largest score so far. A cell that is kept is wanted where it reaches the score that was observed in it: where that is
below the largest of all cells it has thresholds for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.submatrix.binomial import z_table
from coffea_ddp.stats.submatrix.bounded.blocks import LANES
from coffea_ddp.stats.submatrix.bounded.cluster_sums import Labels as CountLabels
from coffea_ddp.stats.submatrix.bounded.clusters import clusters_of
from coffea_ddp.stats.submatrix.bounded.count_scores import CountedCells, CountScores
from coffea_ddp.stats.submatrix.bounded.search import CLOSED, ClusterScores, Search, SearchedCells
from coffea_ddp.stats.submatrix.limits import score_limits
from coffea_ddp.stats.submatrix.matrix import round_up

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.stats.submatrix.overlapping import Entries, Labels, MaxScores, Membership

TOGETHER = LANES // TOYS
"""Blocks of pseudo-experiments that are taken together."""

MOST_IN_BIN = 1 << 24
"""Numbers up to this are whole in single precision."""

MOST_COLUMNS = 1 << 14
"""Columns that the sieve has room for."""


class Bounded(Protocol):
    """Cells whose largest score is wanted, whatever the labels."""

    def take(self, labels: Sequence[Labels], out: Sequence[MaxScores]) -> None:
        """Take the largest score of all rectangles of all cells in every pseudo-experiment.

        Parameters
        ----------
        labels
            Of some blocks of pseudo-experiments.
        out
            What is found, of every block. Scores of cells that are kept are exact where they reach the wanted ones,
            others are any that are lower.
        """


@dataclass(frozen=True, eq=False)
class BoundedCells:
    """Cells whose largest score is wanted, whatever the labels.

    Attributes
    ----------
    cells
        What is searched.
    of
        What is known of its counts.
    """

    cells: SearchedCells
    of: CountedCells

    def take(self, labels: Sequence[Labels], out: Sequence[MaxScores]) -> None:
        """Take the largest binomial z, as of :class:`Bounded`."""
        mean = np.rint(self.of.entries.n * self.of.table.p).astype(np.int64)

        def scores(together: Sequence[Labels]) -> ClusterScores:
            around = np.zeros((len(mean), LANES), np.int32)
            for i, one in enumerate(together):
                around[:, i * TOYS : (i + 1) * TOYS] = one.b - mean[:, None]
            return CountScores(self.of, CountLabels.of(around, mean))

        take_together(self.cells, scores, labels, out)


def take_together(
    cells: SearchedCells, scores: Callable[[Sequence[Labels]], ClusterScores], labels: Sequence[Labels],
    out: Sequence[MaxScores],
) -> None:  # fmt: skip
    """Take the largest scores of some blocks of pseudo-experiments, as many as the sieve takes at a time."""
    for first in range(0, len(labels), TOGETHER):
        some = out[first : first + TOGETHER]
        # Nothing is beyond the threshold of pseudo-experiments that are not there.
        best, kept = np.full(LANES, CLOSED), np.zeros((len(cells.wanted), LANES), np.float32)
        for i, one in enumerate(some):
            lanes = slice(i * TOYS, (i + 1) * TOYS)
            best[lanes], kept[:, lanes] = one.best, one.kept
        Search(cells, scores(labels[first : first + TOGETHER]), best, kept).take_all()
        for i, one in enumerate(some):
            lanes = slice(i * TOYS, (i + 1) * TOYS)
            one.best[:] = best[lanes]
            one.kept[:] = kept[:, lanes]


def bounded_cells(
    entries: Entries, membership: Membership, shape: tuple[int, int], kappa: float, wanted: FloatArray
) -> BoundedCells | None:
    """Return cells for :meth:`BoundedCells.take`; None where numbers of events are no whole single numbers.

    Parameters
    ----------
    entries, membership, shape
        As of :class:`CountedCells`.
    kappa
        Expected ratio B / A.
    wanted
        As of :class:`SearchedCells`.
    """
    most = np.bincount(entries.bins, entries.n, minlength=1).max()
    if most >= MOST_IN_BIN or shape[1] > MOST_COLUMNS:
        return None
    largest = round_up(int(entries.n.sum()))
    known = CountedCells(entries, membership, shape, z_table(kappa, largest), score_limits(kappa, largest))
    return BoundedCells(SearchedCells(membership, clusters_of(entries, membership), wanted), known)
