"""Domain of the network: widths of signals, and bins in which an estimate means something.

Examples
--------
>>> domain(np.full((1, 12), 10.0), np.ones((1, 12)), 1.0)[0].tolist().count(True)
6
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray

WIDTHS = (0.7, 5.0)
"""Standard deviations of signals, in bins."""


def domain(background: FloatArray, use: FloatArray, sigma: FloatArray | float, *, edges: float = 3.0) -> BoolArray:
    """Return where an estimate means something; shape (n_spectra, n_bins).

    Not within ``edges`` sigma of either end, not in or beside a mask, and where 0.01 events a bin or more are expected.
    """
    n_bins = background.shape[-1]
    bins = np.arange(n_bins)
    near = np.minimum(bins, n_bins - 1 - bins) < edges * np.asarray(sigma) - 0.5
    if np.all(use):
        return np.asarray((background >= 0.01) & ~near)
    reach = int(np.ceil(2.0 * float(np.max(sigma))))
    closed = np.zeros_like(use)
    for shift in range(-reach, reach + 1):
        closed = np.maximum(closed, np.where(np.roll(use, shift, axis=-1) > 0, 0.0, 1.0))
    return np.asarray((background >= 0.01) & ~near & (closed == 0))
