"""Rebinning for wide signals and long spectra, and results transferred back to the original bins.

Examples
--------
>>> joined_bins(100, np.full(100, 12.0)), joined(np.ones((1, 7)), 3, 6).tolist()
(3, [[3.0, 3.0]])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.stats.bumphunt.domain import WIDTHS
from coffea_ddp.stats.bumphunt.finder import Estimates

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray

BINS = (24, 300)
"""Range of the numbers of bins in training."""


def joined_bins(n_bins: int, sigma: FloatArray) -> int:
    """Return how many bins are joined: until the signal is no wider, and the bins no more, than the network knows."""
    wide = max(int(np.ceil(sigma.max() / WIDTHS[1] - 1e-9)), 1)
    many = int(np.ceil(n_bins / BINS[1]))
    return wide if many <= wide or sigma.min() / many < WIDTHS[0] else many


def joined(values: FloatArray, together: int, kept: int) -> FloatArray:
    """Add up neighbouring bins; those at the upper end that fill no group are left out."""
    return np.asarray(values[:, :kept].reshape(len(values), -1, together).sum(axis=2))


def spread_out(found: Estimates, together: int, n_bins: int) -> Estimates:
    """Give the estimates of joined bins to the bins, in between linearly."""
    centres = (np.arange(found.z.shape[1]) + 0.5) * together - 0.5
    places = np.arange(n_bins)
    before = np.clip(np.searchsorted(centres, places) - 1, 0, len(centres) - 2)
    share = np.clip((places - centres[before]) / together, 0.0, 1.0)

    def between(values: FloatArray) -> FloatArray:
        return np.asarray(values[:, before] * (1.0 - share) + values[:, before + 1] * share)

    nearest = np.clip(places // together, 0, len(centres) - 1)
    return Estimates(
        between(found.z),
        between(found.error),
        between(found.peak),
        between(found.odds),
        between(found.evidence),
        between(found.smooth) / together,
        found.inside[:, nearest],
        found.spread,
        found.shoulder * np.array([1.0, 1.0, together, together]),
    )
