"""Shares of side B that are those of bins: a correction per bin, an uncertain kappa, systematic errors.

All events of bin i have the share ``kappa r_i / (1 + kappa r_i)``. What is uncertain is part of what a calibration
has: an error of kappa, and a kappa that was estimated from totals, are directions of a fit with one term; an error that
a bin has for itself is the same in all cells.

With weights ``B - E`` is ``(1 - e) B - e A``, and moves with kappa by the sum of weights times ``e (1 - e)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.scanning.channel_shares import ChannelShares, SideWeights
from coffea_ddp.stats.nsigma import METHOD, method_text
from coffea_ddp.stats.side_weights import pooled_variance
from coffea_ddp.stats.submatrix.share_entries import ShareEntries

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray
    from coffea_ddp.histograms.cell_counts import CellCounts

_STEPS = 50


class BinRatios(NamedTuple):
    """Ratio of B to A that is expected of the bins of an observable.

    Attributes
    ----------
    kappa
        That without the factors per bin.
    ratio, bin_error
        Per bin, the factor on kappa and its relative uncertainty, independent from bin to bin; shape (n_bins,).
    kappa_error
        Relative, common to all bins.
    """

    kappa: float
    ratio: FloatArray
    bin_error: FloatArray
    kappa_error: float

    @property
    def varying(self) -> bool:
        """True where the probability of side B differs from event to event, or is uncertain."""
        return bool(self.kappa_error or self.bin_error.any() or (self.ratio != 1).any())


def kappa_of_totals(counts: CellCounts, ratio: FloatArray) -> float:
    """Return kappa with which B of all bins is what is expected: ``sum B = sum n kappa r / (1 + kappa r)``.

    NaN where a side is empty.
    """
    a, b = counts.counts.sum(axis=0)
    if not (a.sum() > 0 and b.sum() > 0):
        return np.nan
    log_kappa = np.log(b.sum() / (a * ratio).sum())
    for _ in range(_STEPS):
        share = 1.0 / (1.0 + np.exp(-log_kappa) / ratio)
        slope = ((a + b) * share * (1.0 - share)).sum()
        step = float((b - (a + b) * share).sum() / slope) if slope > 0 else 0.0
        log_kappa += np.clip(step, -1.0, 1.0)
        if abs(step) < 1e-12:
            break
    return float(np.exp(log_kappa))


def shares_of_bins(
    counts: CellCounts, ratios: BinRatios, *, side_ratio: float, of_totals: CellCounts | None, own: bool
) -> ChannelShares:
    """Return the shares of an observable.

    Parameters
    ----------
    counts
        The contents of its exclusive cells.
    ratios
        What is expected of its bins.
    side_ratio
        How much larger weights are in B.
    of_totals
        What kappa was estimated from: these counts, or those of all events; ``None``: it was given.
    own
        Every cell has its own kappa instead.
    """
    contents, squares = counts.counts, counts.squares
    number = counts.entries.sum(axis=1)
    code, place = np.nonzero(number)
    odds = ratios.kappa * ratios.ratio
    share = (odds / (1.0 + odds))[place]
    spare = share * (1.0 - share)
    a, b = contents[code, 0, place].astype(np.float64), contents[code, 1, place].astype(np.float64)
    variance = _variance(counts, side_ratio)[code, place]
    v, m = spare * variance, spare * np.abs(a + b)
    moves, control = [], []
    if ratios.kappa_error:
        moves.append(ratios.kappa_error * m)
        control.append(np.zeros(len(m)))
    if of_totals is not None and not own:
        width, size = _sample(of_totals, odds, side_ratio)
        moves.append(m * np.sqrt(width) / size)
        control.append(v / np.sqrt(width))
    both = (np.array(moves).reshape(-1, len(m)).T, np.array(control).reshape(-1, len(m)).T)
    spread = ratios.bin_error[place] * m
    outside, fitted = both[0] - both[1], both[1]
    if of_totals is not None and not own and spread.any():
        extra = _shifted_totals(place, spread, both[0][:, -1], both[1][:, -1] / v)
        outside, fitted = (np.column_stack(pair) for pair in ((outside, extra[0]), (fitted, extra[1])))
    entries = ShareEntries(
        starts=np.searchsorted(code, np.arange(len(contents) + 1)),
        bins=place,
        n=a + b,
        e=share * (a + b),
        v=v,
        outside=np.ascontiguousarray(outside),
        control=np.ascontiguousarray(fitted),
        spread=spread,
        skewed=squares is None,
    )
    events = number[code, place]
    weights = None if squares is None else SideWeights(np.sqrt(variance / events), side_ratio, events.astype(np.int64))
    words = method_text(
        from_totals=own or of_totals is not None,
        kappa_error=bool(ratios.kappa_error),
        per_bin=bool((ratios.ratio != 1).any()),
        systematic=bool(ratios.bin_error.any()),
    )
    return ChannelShares(
        entries=entries,
        residual=(1.0 - share) * b - share * a,
        moves=both[0].astype(np.float32),
        control=both[1].astype(np.float32),
        method=words.removeprefix(f"{METHOD}; "),
        weights=weights,
        own=own,
        uncertain=bool(ratios.kappa_error or ratios.bin_error.any()),
    )


def _shifted_totals(
    place: IntArray, spread: FloatArray, moves: FloatArray, pull: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return a direction, outside of the fit and in it, for what shifts of bins do to kappa of the totals.

    With g of what each bin's shift does to kappa, a of what kappa does to a region, and S of the region's own shifts
    the variance ``sum (S - a g)^2`` is ``sum S^2`` and a difference of two squares of sums over the region.
    """
    shift = np.bincount(place, pull * spread)
    size = np.sqrt((shift**2).sum())
    own = spread * shift[place] / size
    return size * moves - own, own


def _variance(counts: CellCounts, side_ratio: float) -> FloatArray:
    """Return the number of events, or their sum of squared weights; shape (n_codes, n_bins)."""
    if counts.squares is None:
        return np.asarray(counts.entries.sum(axis=1), dtype=np.float64)
    return np.asarray(pooled_variance(counts.squares[:, 0], counts.squares[:, 1], side_ratio), dtype=np.float64)


def _sample(counts: CellCounts, odds: FloatArray, side_ratio: float) -> tuple[float, float]:
    """Return the variance of ``B - E`` of a sample, and what it moves by where kappa does."""
    # The numbers of all events have one bin, and are a sample where all bins have one ratio.
    spare = (odds / (1.0 + odds) ** 2)[: counts.n_bins]
    width = float((_variance(counts, side_ratio) * spare).sum())
    return width, float((np.abs(counts.counts.sum(axis=1)) * spare).sum())
