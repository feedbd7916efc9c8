"""Entries of overlapping cells in which every event has an expected share of side B, and N_sigma of the cells.

What is expected of an entry, a filled bin of an exclusive cell, is ``E = sum e`` on side B with the variance
``V = sum e (1 - e)``; what the fit of the shares adds or takes is in :mod:`coffea_ddp.stats.submatrix.shares`.

The references in numpy are in ``tests/stats/submatrix/test_shares.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.propensity.projection import LEAST_VARIANCE

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray


class ShareEntries(NamedTuple):
    """Occupied bins of the exclusive cells, with what is expected of them.

    Attributes
    ----------
    starts
        Where the entries of every exclusive cell begin, and the end; shape (n_codes + 1,).
    bins
        The bin of every entry; shape (n_entries,), as of all that follows.
    n, e, v
        Events on both sides, the sum of their shares and of the variances.
    outside, control
        What moves with the fit, of events outside of it and in it, the most important directions first; shape
        (n_entries, n_directions).
    """

    starts: IntArray
    bins: IntArray
    n: FloatArray
    e: FloatArray
    v: FloatArray
    outside: FloatArray
    control: FloatArray


class ShareNSigma(NamedTuple):
    """N_sigma of cells; all of shape (n_cells,).

    Attributes
    ----------
    statistic
        ``sum_i (B_i - E_i) / sqrt(V_i)`` over its standard deviation; NaN where no bin is filled.
    n_bins
        Number of filled bins.
    scale
        The root of the number of bins over that standard deviation.
    """

    statistic: FloatArray
    n_bins: IntArray
    scale: FloatArray


def nsigma_of_shares(entries: ShareEntries, starts: IntArray, codes: IntArray, x: FloatArray) -> ShareNSigma:
    """Return N_sigma of cells.

    Parameters
    ----------
    entries
        Of the exclusive cells.
    starts, codes
        The exclusive cells of every cell, as of :class:`~coffea_ddp.stats.submatrix.overlapping.Membership`.
    x
        ``B - E`` of every entry; shape (n_entries,).
    """
    return ShareNSigma(*_nsigma_of_shares(entries, starts, codes, x, int(entries.bins.max(initial=0)) + 1))


@compiled
def _nsigma_of_shares(
    entries: ShareEntries, starts: IntArray, codes: IntArray, x: FloatArray, n_all: int
) -> tuple[FloatArray, IntArray, FloatArray]:
    n_cells, n_directions = len(starts) - 1, entries.control.shape[1]
    statistic, scale = np.full(n_cells, np.nan), np.full(n_cells, np.nan)
    n_bins = np.zeros(n_cells, np.int64)
    v = np.zeros(n_all)
    outside, control = np.zeros(n_directions), np.zeros(n_directions)
    for cell in range(n_cells):
        v[:] = 0.0
        for member in range(starts[cell], starts[cell + 1]):
            code = codes[member]
            for entry in range(entries.starts[code], entries.starts[code + 1]):
                v[entries.bins[entry]] += entries.v[entry]
        filled = np.count_nonzero(v)
        n_bins[cell] = filled
        if filled == 0:
            continue
        outside[:] = 0.0
        control[:] = 0.0
        total = 0.0
        for member in range(starts[cell], starts[cell + 1]):
            code = codes[member]
            for entry in range(entries.starts[code], entries.starts[code + 1]):
                weight = 1.0 / np.sqrt(v[entries.bins[entry]])
                total += weight * x[entry]
                for k in range(n_directions):
                    outside[k] += weight * entries.outside[entry, k]
                    control[k] += weight * entries.control[entry, k]
        variance = float(filled)
        for k in range(n_directions):
            variance += outside[k] * outside[k] - control[k] * control[k]
        variance = max(variance, LEAST_VARIANCE * filled)
        statistic[cell] = total / np.sqrt(variance)
        scale[cell] = np.sqrt(filled / variance)
    return statistic, n_bins, scale
