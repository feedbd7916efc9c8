"""Rectangles of overlapping cells in which every event has an expected share of side B.

A region has n events, of which ``E = sum e`` are expected on side B with the variance ``V = sum e (1 - e)``. What the
fit of the shares adds or takes (:mod:`coffea_ddp.stats.propensity.projection`) is a sum of vectors over its entries:
``V + |sum d|^2 - |sum c|^2`` with d of events outside of the fit and c of those in it.

The score of a rectangle is z of ``y = (B - E) / sqrt(variance)`` by the expansion of
:func:`coffea_ddp.stats.submatrix.binomial.expansion` with the skewness of the mean share. Of few events, V below 4, it
is no further out than all of them on one side can be: ``sqrt(-2 n ln(E / n))``. An uncertainty that each bin has for
itself adds to the variance of the bin. The other score, ``pulls``, is N_sigma of the rectangle: y of the bins' pulls.
Entries, cells and pseudo-experiments are those of :mod:`coffea_ddp.stats.submatrix.overlapping`.

The best rectangle of the data is that of :mod:`coffea_ddp.stats.submatrix.share_best`.

The references in numpy are in ``tests/stats/submatrix/test_shares.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.stats._compiled import TOYS, compiled
from coffea_ddp.stats.submatrix.overlapping import MaxScores, Membership, gather, take
from coffea_ddp.stats.submatrix.share_entries import ShareEntries
from coffea_ddp.stats.submatrix.share_limits import FEW, MOST_SKEWNESS
from coffea_ddp.stats.submatrix.share_sums import (
    MOST_DIRECTIONS,
    E,
    N,
    V,
    add_row,
    gathered,
    set_bounds,
    to_pulls,
    variance_of,
    without_total,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import FloatArray

    Single = NDArray[np.float32]

NO_LIMIT = 1e30
"""Limit of a score that is not cut off."""


@compiled
def score_terms(
    strip: FloatArray, start: int, stop: int, variance: float, linear: bool
) -> tuple[float, float, float, float, float, float]:
    """Return four coefficients that make a score of y, and the smallest and the largest score."""
    if linear:
        return 0.0, 1.0, 0.0, 0.0, -NO_LIMIT, NO_LIMIT
    n, e = strip[stop, N] - strip[start, N], strip[stop, E] - strip[start, E]
    v = max(strip[stop, V] - strip[start, V], 1e-9)
    p = min(max(e / n, 1e-6), 1.0 - 1e-6)
    skew = min(max((1.0 - 2.0 * p) / np.sqrt(v), -MOST_SKEWNESS), MOST_SKEWNESS)
    kurtosis = skew * skew - 2.0 * p * (1.0 - p) / v
    if variance > v:  # what is added to the variance is normal
        skew *= (v / variance) ** 1.5
        kurtosis *= (v / variance) ** 2
    least, most = -NO_LIMIT, NO_LIMIT
    if v < FEW:
        wide = np.sqrt(2.0 * n * v / variance)
        least, most = -wide * np.sqrt(-np.log(1.0 - p)), wide * np.sqrt(-np.log(p))
    even, cubic = skew / 6.0, skew * skew / 9.0 - kurtosis / 24.0
    return even, 1.0 + kurtosis / 8.0 - 7.0 * skew * skew / 36.0, -even, cubic, least, most


@compiled
def _is_ruled_out(strip: FloatArray, start: int, stop: int, variance: float, score: float) -> bool:
    """Return whether no split of the few events of a rectangle has a score larger than this, in size.

    ``-ln p <= (1 - p) / sqrt(p)``, which takes no logarithm.
    """
    v = strip[stop, V] - strip[start, V]
    if v >= FEW or v <= 0.0:
        return False
    n, e = strip[stop, N] - strip[start, N], strip[stop, E] - strip[start, E]
    p = min(max(e / n, 1e-6), 1.0 - 1e-6)
    rare = min(p, 1.0 - p)
    return bool(2.0 * n * (v / variance) * (1.0 - rare) <= score * score * np.sqrt(rare))


def share_cells(
    entries: ShareEntries, membership: Membership, shape: tuple[int, int], x: Single, out: MaxScores, *,
    own: bool = False, pulls: bool = False,
) -> None:  # fmt: skip
    """Take the largest score of all rectangles of all cells in every pseudo-experiment.

    Parameters
    ----------
    entries, membership, out
        As everywhere here.
    shape
        Rows and columns of the bins.
    x
        ``B - E`` of every entry, less what the fit takes of it; shape (n_entries, TOYS).
    own
        Every cell's odds are those of its total.
    pulls
        The score is N_sigma of a rectangle, not the significance of its sum.
    """
    _share_cells(entries, membership, shape, x, own, pulls, out)


@compiled
def _share_cells(
    entries: ShareEntries, membership: Membership, shape: tuple[int, int], x: Single, own: bool, pulls: bool,
    out: MaxScores,
) -> None:  # fmt: skip
    n_known = min(entries.control.shape[1], MOST_DIRECTIONS) + (1 if own else 0)
    filled, nothing = np.zeros(shape[0] * shape[1], np.int64), np.zeros(len(entries.n))
    high, low = np.zeros(TOYS, np.float32), np.zeros(TOYS, np.float32)
    for cell in range(len(membership.scale)):
        mine = membership.codes[membership.starts[cell] : membership.starts[cell + 1]]
        place, n_rows, n_columns, sums = gathered(entries, mine, shape, filled, nothing, 1.0, n_known)
        if n_rows == 0:
            continue
        drawn = gather(entries, membership, cell, place, n_rows * n_columns, x).reshape(n_rows, n_columns, TOYS)
        if own:
            without_total(sums, drawn, n_known)
        set_bounds(sums, n_known)
        if pulls:
            to_pulls(sums, drawn, n_known)
        place_kept = membership.keep[cell]
        for t in range(TOYS):
            # Of a cell whose own scores are not kept only those count that are larger than all others so far.
            reached = out.best[t] if place_kept < 0 and out.sign == 0 else -np.float32(NO_LIMIT)
            high[t] = max(reached, -np.float32(NO_LIMIT))
            low[t] = -high[t]
        _extremes(sums, drawn, n_known, pulls or not entries.skewed, high, low)
        take(high, low, place_kept, out)


@compiled
def _extremes(sums: FloatArray, drawn: Single, n_directions: int, linear: bool, high: Single, low: Single) -> None:
    """Raise ``high`` and lower ``low`` to the extremes of the score over all rectangles of one cell."""
    n_rows, n_columns, width = sums.shape
    strip, prefix = np.zeros((n_columns, TOYS), np.float32), np.zeros((n_columns + 1, TOYS), np.float32)
    shared, running = np.zeros((n_columns + 1, width)), np.zeros(width)
    for first_row in range(n_rows):
        strip[:] = 0.0
        shared[:] = 0.0
        for row in range(first_row, n_rows):
            add_row(sums[row], shared, running)
            for column in range(n_columns):
                for t in range(TOYS):
                    strip[column, t] += drawn[row, column, t]
                    prefix[column + 1, t] = prefix[column, t] + strip[column, t]
            reached = _reached_by_all(high, low)
            for start in range(n_columns):
                if shared[start + 1, V] <= shared[start, V]:
                    continue
                for stop in range(start + 1, n_columns + 1):
                    if shared[stop, V] <= shared[stop - 1, V]:
                        continue
                    variance = variance_of(shared, start, stop, n_directions)
                    if not linear and _is_ruled_out(shared, start, stop, variance, reached):
                        continue
                    terms = score_terms(shared, start, stop, variance, linear)
                    _take_scores(prefix[start], prefix[stop], terms, variance, high, low)


@compiled
def _reached_by_all(high: Single, low: Single) -> float:
    """Return the score that both extremes of all pseudo-experiments have reached, 0 or more."""
    least = np.float32(NO_LIMIT)
    for t in range(TOYS):
        least = min(least, high[t], -low[t])
    return float(max(least, np.float32(0.0)))


@compiled
def _take_scores(
    first: Single,
    last: Single,
    terms: tuple[float, float, float, float, float, float],
    variance: float,
    high: Single,
    low: Single,
) -> None:
    """Take the scores of one rectangle, whose residuals are those of ``last`` less those of ``first``."""
    c0, c1, c2, c3 = np.float32(terms[0]), np.float32(terms[1]), np.float32(terms[2]), np.float32(terms[3])
    scale = np.float32(1.0 / np.sqrt(variance))
    if terms[5] == NO_LIMIT:
        for t in range(TOYS):
            y = (last[t] - first[t]) * scale
            z = c0 + y * (c1 + y * (c2 + y * c3))
            high[t] = max(high[t], z)
            low[t] = min(low[t], z)
        return
    least, most = np.float32(terms[4]), np.float32(terms[5])
    for t in range(TOYS):
        y = (last[t] - first[t]) * scale
        z = min(max(c0 + y * (c1 + y * (c2 + y * c3)), least), most)
        high[t] = max(high[t], z)
        low[t] = min(low[t], z)
