"""Entries of overlapping cells in which every event has an expected share of side B, and N_sigma of the cells.

What is expected of an entry, a filled bin of an exclusive cell, is ``E = sum e`` on side B with the variance
``V = sum e (1 - e)``; what the fit of the shares adds or takes is in :mod:`coffea_ddp.stats.submatrix.shares`.
Equal shares are those of one kappa, ``e = kappa / (1 + kappa)``; where kappa is different in every cell, so are the
odds of its events, and what its own total says is used up.

The references in numpy are in ``tests/stats/submatrix/test_shares.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import TOYS, compiled
from coffea_ddp.stats.propensity.projection import LEAST_VARIANCE
from coffea_ddp.stats.submatrix.overlapping import MaxScores, Membership, take

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import FloatArray, IntArray, ShortArray

    Single = NDArray[np.float32]


LEAST_OF_TOTAL = 0.01
"""Smallest share of the variance that a cell's total may leave: with less N_sigma says nothing."""


class ShareEntries(NamedTuple):
    """Occupied bins of the exclusive cells, with what is expected of them.

    Attributes
    ----------
    starts
        Where the entries of every exclusive cell begin, and the end; shape (n_codes + 1,).
    bins
        The bin of every entry; shape (n_entries,), as of all that follows.
    n, e, v
        Events on both sides (or their sum of weights), the sum of their shares and of the variances.
    outside, control
        What moves with the fit, of events outside of it and in it, the most important directions first; shape
        (n_entries, n_directions).
    spread
        What one standard deviation of an uncertainty that a bin has for itself, in all cells alike, moves ``B - E`` by.
    skewed
        False where contents are no numbers of events: sums of weights are taken to be normal.
    """

    starts: IntArray
    bins: IntArray
    n: FloatArray
    e: FloatArray
    v: FloatArray
    outside: FloatArray
    control: FloatArray
    spread: FloatArray
    skewed: bool = True


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


def nsigma_of_shares(
    entries: ShareEntries, starts: IntArray, codes: ShortArray, x: FloatArray, odds: FloatArray | None = None
) -> ShareNSigma:
    """Return N_sigma of cells.

    Parameters
    ----------
    entries
        Of the exclusive cells.
    starts, codes
        The exclusive cells of every cell, as of :class:`~coffea_ddp.stats.submatrix.overlapping.Membership`.
    x
        ``B - E`` of every entry; shape (n_entries,).
    odds
        What the odds of all events of a cell are multiplied with, estimated from its total; shape (n_cells,). By
        default all cells have the same odds.
    """
    own = np.zeros(0) if odds is None else odds
    return ShareNSigma(*_nsigma_of_shares(entries, starts, codes, x, own, int(entries.bins.max(initial=0)) + 1))


def largest_deviation(entries: ShareEntries) -> float:
    """Return the largest size of ``1 - 2 e`` of entries of events, e their mean share; 0 without any."""
    filled = entries.v > 0.0
    return float(np.abs(1.0 - 2.0 * entries.e[filled] / entries.n[filled]).max(initial=0.0))


@compiled
def share_with_odds(entries: ShareEntries, entry: int, odds: float) -> tuple[float, float]:
    """Return e and v of an entry whose events have other odds of side B by a factor."""
    n, e, v = entries.n[entry], entries.e[entry], entries.v[entry]
    if odds == 1.0 or n == 0.0:
        return e, v
    p = e / n
    q = p * odds / (1.0 + p * (odds - 1.0))
    return n * q, v * (q * (1.0 - q)) / (p * (1.0 - p))


@compiled
def _bin_weights(
    entries: ShareEntries, starts: IntArray, codes: ShortArray, cell: int, odds: float, v: FloatArray, s: FloatArray,
    weight: FloatArray,
) -> int:  # fmt: skip
    """Fill variance, spread and ``1 / sqrt(variance)`` of the bins of a cell; return how many are not empty."""
    v[:] = 0.0
    s[:] = 0.0
    for member in range(starts[cell], starts[cell + 1]):
        code = codes[member]
        for entry in range(entries.starts[code], entries.starts[code + 1]):
            v[entries.bins[entry]] += share_with_odds(entries, entry, odds)[1]
            s[entries.bins[entry]] += entries.spread[entry]
    filled = 0
    for i in range(len(v)):
        weight[i] = 0.0
        if v[i] > 0.0:
            weight[i] = 1.0 / np.sqrt(v[i] + s[i] * s[i])
            filled += 1
    return filled


@compiled
def _without_total(v: FloatArray, weight: FloatArray) -> float:
    """Take from the weights of bins what the total of the cell has of them: their sum is no news any more."""
    above, below = 0.0, 0.0
    for i in range(len(v)):
        above += weight[i] * v[i]
        below += v[i]
    for i in range(len(v)):
        if v[i] > 0.0:
            weight[i] -= above / below
    return above / below


@compiled
def _nsigma_of_shares(
    entries: ShareEntries, starts: IntArray, codes: ShortArray, x: FloatArray, own: FloatArray, n_all: int
) -> tuple[FloatArray, IntArray, FloatArray]:
    n_cells, n_directions = len(starts) - 1, entries.control.shape[1]
    statistic, scale = np.full(n_cells, np.nan), np.full(n_cells, np.nan)
    n_bins = np.zeros(n_cells, np.int64)
    v, s, weight = np.zeros(n_all), np.zeros(n_all), np.zeros(n_all)
    outside, control = np.zeros(n_directions), np.zeros(n_directions)
    for cell in range(n_cells):
        odds = own[cell] if len(own) else 1.0
        filled = _bin_weights(entries, starts, codes, cell, odds, v, s, weight)
        n_bins[cell] = filled
        if filled == 0:
            continue
        if len(own):
            _without_total(v, weight)
        outside[:] = 0.0
        control[:] = 0.0
        total, variance = 0.0, 0.0
        for i in range(n_all):
            variance += weight[i] * weight[i] * (v[i] + s[i] * s[i])
        for member in range(starts[cell], starts[cell + 1]):
            code = codes[member]
            for entry in range(entries.starts[code], entries.starts[code + 1]):
                w = weight[entries.bins[entry]]
                total += w * (x[entry] + entries.e[entry] - share_with_odds(entries, entry, odds)[0])
                for k in range(n_directions):
                    outside[k] += w * entries.outside[entry, k]
                    control[k] += w * entries.control[entry, k]
        least = LEAST_VARIANCE * variance
        for k in range(n_directions):
            variance += outside[k] * outside[k] - control[k] * control[k]
        variance = max(variance, least)
        if variance < LEAST_OF_TOTAL * filled:
            continue
        statistic[cell] = total / np.sqrt(variance)
        scale[cell] = np.sqrt(filled / variance)
    return statistic, n_bins, scale


def nsigma_share_cells(entries: ShareEntries, membership: Membership, x: Single, own: bool, out: MaxScores) -> None:
    """Take the largest N_sigma of all cells in every pseudo-experiment.

    Parameters
    ----------
    entries, membership, out
        As everywhere here.
    x
        ``B - E`` of every entry, less what the fit takes of it; shape (n_entries, TOYS).
    own
        Every cell's odds are those of its total.
    """
    _nsigma_share_cells(entries, membership, x, own, int(entries.bins.max(initial=0)) + 1, out)


@compiled
def _nsigma_share_cells(
    entries: ShareEntries, membership: Membership, x: Single, own: bool, n_all: int, out: MaxScores
) -> None:
    v, s, weight = np.zeros(n_all), np.zeros(n_all), np.zeros(n_all)
    value = np.zeros(TOYS, np.float32)
    for cell in range(len(membership.scale)):
        filled = _bin_weights(entries, membership.starts, membership.codes, cell, 1.0, v, s, weight)
        if filled == 0:
            continue
        if own:
            _without_total(v, weight)
        value[:] = 0.0
        for member in range(membership.starts[cell], membership.starts[cell + 1]):
            code = membership.codes[member]
            for entry in range(entries.starts[code], entries.starts[code + 1]):
                w = np.float32(weight[entries.bins[entry]])
                for t in range(TOYS):
                    value[t] += w * x[entry, t]
        factor = np.float32(membership.scale[cell] / np.sqrt(filled))
        for t in range(TOYS):
            value[t] *= factor
        take(value, value, membership.keep[cell], out)
