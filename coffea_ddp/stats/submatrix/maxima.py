"""Largest exact score of all rectangles of all cells in pseudo-experiments, by way of bounds.

The same bits as :func:`coffea_ddp.stats.submatrix.overlapping.exact_cells`, which scores every rectangle of every cell.
Cells go in clusters, those of the most events first; of each cluster those rectangles are scored that may be beyond the
largest score so far. A cell that is kept is wanted where it reaches the score that was observed in it: where that is
below the largest of all cells it has thresholds for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.submatrix.binomial import z_table
from coffea_ddp.stats.submatrix.bounded_search import CLOSED, Search, SearchedCells
from coffea_ddp.stats.submatrix.cluster_sums import Labels
from coffea_ddp.stats.submatrix.clusters import clusters_of
from coffea_ddp.stats.submatrix.limits import score_limits
from coffea_ddp.stats.submatrix.matrix import round_up
from coffea_ddp.stats.submatrix.sieve import LANES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import FloatArray
    from coffea_ddp.stats.submatrix.overlapping import Entries, MaxScores, Membership

    Single = NDArray[np.float32]
    Whole = NDArray[np.int32]

TOGETHER = LANES // TOYS
"""Blocks of pseudo-experiments that are taken together."""

MOST_IN_BIN = 1 << 24
"""Numbers up to this are whole in single precision."""

MOST_COLUMNS = 1 << 14
"""Columns that the sieve has room for."""


class BoundedCells(SearchedCells):
    """Cells whose largest score is wanted, whatever the labels."""

    def take(self, b: Sequence[Single], out: Sequence[MaxScores]) -> None:
        """Take the largest binomial z of all rectangles of all cells in every pseudo-experiment.

        Parameters
        ----------
        b
            Events on side B of every entry, of some blocks of pseudo-experiments; shape (n_entries, TOYS) each.
        out
            What is found, of every block. Scores of cells that are kept are exact where they reach the wanted ones,
            others are any that are lower.
        """
        for first in range(0, len(b), TOGETHER):
            self._take_lanes(b[first : first + TOGETHER], out[first : first + TOGETHER])

    def _take_lanes(self, b: Sequence[Single], out: Sequence[MaxScores]) -> None:
        mean = np.rint(self.entries.n * self.table.p).astype(np.int64)
        around = np.zeros((len(mean), LANES), np.int32)
        # Nothing is beyond the threshold of pseudo-experiments that are not there.
        best, kept = np.full(LANES, CLOSED), np.zeros((len(self.wanted), LANES), np.float32)
        for i, (found, scores) in enumerate(zip(b, out, strict=True)):
            lanes = slice(i * TOYS, (i + 1) * TOYS)
            around[:, lanes] = found - mean[:, None]
            best[lanes], kept[:, lanes] = scores.best, scores.kept
        Search(self, Labels.of(around, mean), best, kept).take_all()
        for i, scores in enumerate(out):
            lanes = slice(i * TOYS, (i + 1) * TOYS)
            scores.best[:] = best[lanes]
            scores.kept[:] = kept[:, lanes]


def bounded_cells(
    entries: Entries, membership: Membership, shape: tuple[int, int], kappa: float, wanted: FloatArray
) -> BoundedCells | None:
    """Return cells for :meth:`BoundedCells.take`; None where numbers of events are no whole single numbers.

    Parameters
    ----------
    entries, membership, shape, wanted
        As of :class:`BoundedCells`.
    kappa
        Expected ratio B / A.
    """
    most = np.bincount(entries.bins, entries.n, minlength=1).max()
    if most >= MOST_IN_BIN or shape[1] > MOST_COLUMNS:
        return None
    largest = round_up(int(entries.n.sum()))
    return BoundedCells(
        entries, membership, clusters_of(entries, membership), shape, z_table(kappa, largest),
        score_limits(kappa, largest), wanted,
    )  # fmt: skip
