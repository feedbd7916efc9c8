"""Pseudo-experiments of stored events: labels keyed to each event, summed up in the bins of one observable."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.scanning.shares import MISMATCH, binned_events
from coffea_ddp.stats.relabelling import count_labels, relabelled_events

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import BoolArray, FloatArray, IntArray
    from coffea_ddp.histograms.cell_counts import CellCounts
    from coffea_ddp.histograms.samples import SymmetryEvents
    from coffea_ddp.scanning.expectation import ChannelExpectation

    Single = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LabelledEvents:
    """The stored events of one symmetry; those inside of the observable's axes with their exclusive cell and bin."""

    hashes: NDArray[np.uint64]
    opposite: BoolArray
    inside: IntArray
    codes: IntArray
    bins: IntArray
    weights: FloatArray | None
    """Weights of both sides in common units."""
    entries: IntArray

    @classmethod
    def make(
        cls, stored: SymmetryEvents, counts: CellCounts, n_events: float, side_ratio: float
    ) -> LabelledEvents | None:
        """Return the events, or ``None`` where they are not all there or are not those of the histogram.

        Parameters
        ----------
        stored
            Of the symmetry.
        counts
            The contents of the exclusive cells.
        n_events
            How many events the symmetry has.
        side_ratio
            Between the units of both sides.
        """
        binned = binned_events(stored, counts) if n_events == len(stored) else None
        if binned is None:
            return None
        places, code, bins = binned
        weights = None
        if stored.weights is not None:
            root = np.sqrt(side_ratio)
            weights = stored.weights[places] * np.where(stored.is_b[places], 1 / root, root)
        found = cls(stored.hashes, stored.opposite, places, code, bins, weights, np.zeros(0, np.int64))
        truth = counts.entries.sum(axis=1)
        moved = np.abs(found.tables(*truth.shape)[0] - truth).sum() / 2
        return found if moved <= MISMATCH * max(truth.sum(), 1) else None

    def tables(self, n_codes: int, n_bins: int) -> tuple[FloatArray, FloatArray]:
        """Return the number of events and the sums of squared weights; shape (n_codes, n_bins)."""
        place = self.codes * n_bins + self.bins
        counts = np.bincount(place, minlength=n_codes * n_bins).astype(np.float64).reshape(n_codes, n_bins)
        if self.weights is None:
            return counts, counts
        squares = np.bincount(place, self.weights**2, minlength=n_codes * n_bins).astype(np.float64)
        return counts, squares.reshape(n_codes, n_bins)

    def placed(self, places: IntArray, n_bins: int) -> LabelledEvents:
        """Return the events with the number of the entry that each is in, out of sorted ``code * n_bins + bin``."""
        return dataclasses.replace(self, entries=np.searchsorted(places, self.codes * n_bins + self.bins))

    def sides(
        self, n_entries: int, expected: ChannelExpectation, n_b: int | None, seed: int, block: int
    ) -> tuple[Single, Single]:
        """Return the contents of B and of A of every entry in every pseudo-experiment."""
        kappa, root = expected.kappa / expected.side_ratio, np.float32(np.sqrt(expected.side_ratio))
        labels = relabelled_events(self.hashes, self.opposite, kappa=kappa, n_b=n_b, seed=seed, block=block)
        labels = labels[self.inside]
        return (
            root * count_labels(labels, self.entries, n_entries, self.weights),
            count_labels(~labels, self.entries, n_entries, self.weights) / root,
        )
