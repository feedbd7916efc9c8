"""Contents of all occupied exclusive cells, as arrays: what tests, expectations and pseudo-experiments work on.

Examples
--------
>>> import hist
>>> from coffea_ddp.histograms.channel import Channel
>>> channel = Channel("met", (hist.axis.Regular(2, 0, 100, name="met"),), base=0, n_sides=2, symmetry="e/mu")
>>> keys = channel.key(np.array([0, 0, 7]), np.array([0, 1, 1]), np.array([1, 2, 2]))
>>> found = cell_counts(SparseCounts.from_keys(keys), channel)
>>> found.codes.tolist(), found.counts.tolist()
([0, 7], [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 1.0]]])
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.histograms.shares import SHARE
from coffea_ddp.histograms.sparse import SparseCounts

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, FloatArray, IntArray
    from coffea_ddp.histograms.channel import Channel


@dataclass(frozen=True, eq=False)
class CellCounts:
    """Contents of the occupied exclusive cells of one observable of one symmetry, or of one mass spectrum.

    Attributes
    ----------
    symmetry, observable
        Names; a spectrum has no symmetry (``""``).
    axes
        ``hist`` axes; none for the number of events, which has one bin.
    codes
        The exclusive cells, sorted; shape (n_codes,).
    counts
        Number of events, or sums of weights in a weighted plan: side A, then side B (a spectrum has one side); the bins
        of all axes in C order; shape (n_codes, n_sides, n_bins).
    squares
        Sums of squared weights, of the same shape; ``None`` without weights.
    entries
        Number of events, of the same shape; ``counts`` itself without weights.
    bins
        Number of bins of every axis.
    shares
        Sums of the expected share of side B and of its variance, of both sides together; shape (2, n_codes, n_bins).
        ``None`` without a calibration.
    """

    symmetry: str
    observable: str
    axes: tuple[Any, ...]
    codes: IntArray
    counts: FloatArray
    squares: FloatArray | None
    entries: FloatArray
    bins: tuple[int, ...]
    shares: FloatArray | None = None

    @property
    def n_bins(self) -> int:
        """Number of bins of all axes together; 1 without axes."""
        return math.prod(self.bins)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the matrix of a cell; one row for one axis."""
        return (math.prod(self.bins[:-1]), self.bins[-1]) if self.bins else (1, 1)

    @property
    def matrices(self) -> FloatArray:
        """The counts with a dimension for each axis; shape (n_codes, n_sides, *bins)."""
        return self.counts.reshape(*self.counts.shape[:2], *self.bins)


def cell_counts(
    counts: SparseCounts, channel: Channel, codes: IntArray | None = None, *, flow: bool = False
) -> CellCounts:
    """Return the contents of a channel in exclusive cells.

    Parameters
    ----------
    counts
        Those of the channel's keys alone.
    channel
        Names, axes and cells; the keys of the counts follow from them.
    codes
        The exclusive cells, sorted, every one of the counts among them; by default those that have any. Shape
        (n_codes,).
    flow
        Keep the underflow and overflow bins of the axes.
    """
    cell_side, place = np.divmod(counts.keys - channel.base, channel.extent)
    cells, sides = np.divmod(cell_side, channel.n_sides)
    codes = np.unique(cells) if codes is None else codes
    where = (np.searchsorted(codes, cells) * channel.n_sides + sides) * channel.extent + place
    inside: tuple[Any, ...] = (..., *(slice(1, -1) for _ in channel.axes))

    def dense(values: AnyArray) -> FloatArray:
        flat = np.zeros(len(codes) * channel.n_sides * channel.extent)
        flat[where] = values
        matrices = flat.reshape(len(codes), channel.n_sides, *channel.shape)
        kept = matrices if flow else matrices[inside]
        return kept.reshape(len(codes), channel.n_sides, math.prod(kept.shape[2:]))

    entries = dense(counts.counts)
    shares = None
    if counts.sum_e is not None and counts.sum_v is not None:
        shares = np.stack([dense(sums).sum(axis=1) / SHARE for sums in (counts.sum_e, counts.sum_v)])
    weighted = counts.sum_w is not None and counts.sum_w2 is not None
    return CellCounts(
        symmetry=channel.symmetry,
        observable=channel.name,
        axes=channel.axes,
        codes=codes,
        counts=dense(counts.sum_w) if counts.sum_w is not None and weighted else entries,
        squares=dense(counts.sum_w2) if counts.sum_w2 is not None and weighted else None,
        entries=entries,
        bins=tuple(extent if flow else extent - 2 for extent in channel.shape),
        shares=shares,
    )
