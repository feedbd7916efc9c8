"""Bounds on rectangles of events whose shares of side B differ: rows of limits, and what moves a limit.

Limits (:mod:`coffea_ddp.stats.submatrix.share_limits`) are those of the variance that a fit leaves at least, moved by
the mean of ``1 - 2 e``. Both are bounded for all cells of a cluster by the measures of its core and hull.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.propensity.projection import LEAST_VARIANCE
from coffea_ddp.stats.submatrix.bounded.blocks import FIRST_PLACE, HALF
from coffea_ddp.stats.submatrix.bounded.measured import (
    ALL,
    BETWEEN,
    CORE_NORM,
    CORE_SKEW,
    EVENTS,
    FIRST,
    FITTED,
    HULL_NORM,
    HULL_SKEW,
    INNER,
    OUTER,
    SKEW,
)
from coffea_ddp.stats.submatrix.limits import row_of
from coffea_ddp.stats.submatrix.share_sums import NEGLIGIBLE

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray
    from coffea_ddp.stats.submatrix.bounded.blocks import Strip

MOST_FITTED = 1.0
"""Bound on what a fit changes, above which skewness is not counted on."""


class Skew(NamedTuple):
    """Changes of limits by the mean of ``1 - 2 e`` of a rectangle.

    Attributes
    ----------
    deviation, usual
        The largest size of ``1 - 2 e``, and that which limits are made for.
    more, less
        What a mean of it that is larger, or smaller, changes limits by.
    of_labels
        Share of the variance that is of labels, at least, but for what a fit adds.
    """

    deviation: float
    usual: float
    more: float
    less: float
    of_labels: float


@compiled
def bound_pairs(level: int, n_left: int, n_ends: int, fewest: float, of: IntArray, skew: Skew, strip: Strip) -> int:
    """Fill the row of limits of pairs, and what is between core and hull, where shares of events differ.

    A fit leaves ``inner - |c|^2`` with the largest possible vector c: the one of the smallest core, and the lengths of
    whatever there may be besides. The mean of ``1 - 2 e`` is bounded in the same way. Pairs that are too few are left
    out; return how many remain.
    """
    known, pairs, n = strip.known, strip.pairs[level % 2], 0
    for i in range(n_left):
        start, stop = pairs[i] & FIRST_PLACE, pairs[i] >> HALF
        first_start, first_stop = np.uint64(start << level), np.uint64(stop << level)
        last_start = np.uint64(((start + 1) << level) - 1)
        last_stop = np.uint64(min(((stop + 1) << level) - 1, n_ends))
        left = known[first_stop, INNER] - known[last_start, INNER]
        fitted = known[last_stop, FITTED] - known[first_start, FITTED]
        if fitted > NEGLIGIBLE:
            square = 0.0
            for k in range(FIRST, ALL):
                along = known[first_stop, k] - known[last_start, k]
                square += along * along
            besides = known[last_stop, HULL_NORM] - known[first_start, HULL_NORM]
            left = _left_by_fit(left, square, besides - (known[first_stop, CORE_NORM] - known[last_start, CORE_NORM]))
        elif known[last_stop, OUTER] - known[first_start, OUTER] <= fewest:
            continue
        besides = known[last_stop, HULL_SKEW] - known[first_start, HULL_SKEW]
        rise, fall = _skewed(
            known[first_stop, EVENTS] - known[last_start, EVENTS], known[first_stop, SKEW] - known[last_start, SKEW],
            besides - (known[first_stop, CORE_SKEW] - known[last_start, CORE_SKEW]), fitted, skew,
        )  # fmt: skip
        inner, between = int(left), known[last_stop, BETWEEN] - known[first_start, BETWEEN]
        pairs[n], strip.rise[n], strip.fall[n] = pairs[i], int(np.ceil(between + rise)), int(np.ceil(between + fall))
        strip.rows[n] = of[np.uint64(inner)] if inner < len(of) else row_of(inner)
        n += 1
    return n


@compiled
def bound_one(known: FloatArray, of: IntArray, skew: Skew) -> tuple[int, int, int]:
    """Return the row of limits of one rectangle of a cluster, by its measures, and what skewness adds to w and -w."""
    left, square = known[INNER], 0.0
    if known[FITTED] > NEGLIGIBLE:
        for k in range(FIRST, ALL):
            square += known[k] * known[k]
        left = _left_by_fit(left, square, known[HULL_NORM] - known[CORE_NORM])
    rise, fall = _skewed(known[EVENTS], known[SKEW], known[HULL_SKEW] - known[CORE_SKEW], known[FITTED], skew)
    row = of[int(left)] if left < len(of) else row_of(int(left))
    return row, int(np.ceil(rise)), int(np.ceil(fall))


@compiled
def _left_by_fit(inner: float, square: float, besides: float) -> float:
    """Return what a fit leaves at least: with the square of the vector of the core, and the lengths of others."""
    size = np.sqrt(square) + max(besides, 0.0)
    return float(max(inner - size * size, LEAST_VARIANCE * inner))


@compiled
def _skewed(events: float, deviations: float, besides: float, fitted: float, of: Skew) -> tuple[float, float]:
    """Return what the mean of ``1 - 2 e`` adds to w and to -w at most: that of the core, and the sizes of others.

    A mean above 0 makes the scores of w smaller, and those of -w larger: less so where the variance has more than that
    of labels, as a bin's own errors or a fit of other events may add to it.
    """
    lowest, highest, besides = -of.deviation, of.deviation, max(besides, 0.0)
    if events > 0.0:
        lowest, highest = max(lowest, (deviations - besides) / events), min(highest, (deviations + besides) / events)
    left = 0.0 if fitted > MOST_FITTED else of.of_labels / (1.0 + fitted)
    rise = -(lowest if lowest < 0.0 else left * lowest) - of.usual
    fall = (highest if highest > 0.0 else left * highest) - of.usual
    return rise * (of.more if rise > 0.0 else of.less), fall * (of.more if fall > 0.0 else of.less)
