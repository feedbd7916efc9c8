"""The pooled points of two samples: what every permutation of the labels has in common.

Examples
--------
>>> pooled = pool([[1.0], [2.0], [4.0]], [[1.5], [3.0]])
>>> pooled.n_a, pooled.n_b, pooled.x.shape, pooled.labels.tolist()
(3, 2, (5, 1), [1, 1, 1, 0, 0])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray, IntArray

_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


@dataclass(frozen=True, eq=False)
class Points:
    """Points with how many events of each sample are there.

    Attributes
    ----------
    x
        Standardised features, shape (n_points, d): median 0, and 1 half of the distance from the 16 % to the 84 %
        quantile of all events.
    labels, multiplicity
        Events of A, and of both, at every point; shape (n_points,).
    centre, scale
        What was subtracted, and what it was divided by; shape (d,).
    """

    x: FloatArray
    labels: IntArray
    multiplicity: IntArray
    centre: FloatArray
    scale: FloatArray

    @property
    def n_a(self) -> int:
        """Events of A."""
        return int(self.labels.sum())

    @property
    def n_b(self) -> int:
        """Events of B."""
        return int(self.multiplicity.sum()) - self.n_a

    @property
    def n(self) -> int:
        """Events of both."""
        return int(self.multiplicity.sum())

    def standardised(self, x: ArrayLike) -> FloatArray:
        """Return features of other events in the same units; shape (n, d)."""
        return (as_events(x, "the events") - self.centre) / self.scale


def as_events(x: ArrayLike, what: str) -> FloatArray:
    """Return features as float64 of shape (n, d); one feature may come as a list.

    Raises
    ------
    InputError
        If they are no table of finite numbers.
    """
    events = checks.numbers(x, what, nan=True, infinite=True)
    events = events[:, None] if events.ndim == 1 else events
    if events.ndim != 2 or events.shape[1] < 1:
        raise InputError(f"{what}: shape {events.shape}; give (n_events, n_features)")
    bad = ~np.isfinite(events)
    if bad.any():
        row, column = np.argwhere(bad)[0].tolist()
        raise InputError(
            f"{what}: {int(bad.any(axis=1).sum())} of {len(events)} events have a NaN or infinite feature "
            f"(the first: event {row}, feature {column}); leave them out"
        )
    return events


def pool(x_a: ArrayLike, x_b: ArrayLike) -> Points:
    """Return the pooled points of two samples, A first.

    Parameters
    ----------
    x_a, x_b
        Shapes (n_a, d) and (n_b, d), or (n_a,) and (n_b,) for one feature.

    Raises
    ------
    InputError
        If a sample is empty, they have different features, a feature is not finite, or all events are equal.
    """
    a, b = as_events(x_a, "sample A"), as_events(x_b, "sample B")
    if not len(a) or not len(b):
        raise InputError(f"{len(a)} events in A and {len(b)} in B: both sides must have some")
    if a.shape[1] != b.shape[1]:
        raise InputError(f"{a.shape[1]} features in A and {b.shape[1]} in B: give the same ones")
    both = np.concatenate([a, b])
    centre, scale = _units(both, np.ones(len(both), np.int64))
    labels = np.concatenate([np.ones(len(a), np.int64), np.zeros(len(b), np.int64)])
    return Points((both - centre) / scale, labels, np.ones(len(both), np.int64), centre, scale)


def pool_counts(centres: ArrayLike, a: ArrayLike, b: ArrayLike) -> Points:
    """Return the points of two histograms: bins as points with many events each.

    Parameters
    ----------
    centres
        Of the bins, shape (n_bins, d) or (n_bins,).
    a, b
        Counts, shape (n_bins,). Bins without any event are left out.

    Raises
    ------
    InputError
        If counts are no whole numbers, or a sample is empty.
    """
    x = as_events(centres, "the centres")
    counts = [checks.counts(side, name, cure="weights have no permutations") for name, side in (("a", a), ("b", b))]
    for name, side in zip("ab", counts, strict=True):
        if side.shape != (len(x),):
            raise InputError(f"{name} has shape {side.shape}: give {len(x)} whole numbers, one for each bin")
        if not side.sum():
            raise InputError(f"no event in {name}: both sides must have some")
    total = (counts[0] + counts[1]).astype(np.int64)
    filled = total > 0
    x, total = x[filled], total[filled]
    centre, scale = _units(x, total)
    return Points((x - centre) / scale, counts[0][filled].astype(np.int64), total, centre, scale)


def in_cells(points: Points, cells: int) -> Points:
    """Return the events counted in cells between quantiles, each cell a point at the mean of its events.

    One feature: the cells are equal in ``arcsin(sqrt(q))``, q being the share of the events below, so that they hold
    few events at either end, where a log-ratio may be steep. Two: so for the first, and within each for the second, as
    many of one as of the other. The units stay.

    Parameters
    ----------
    points
        Of one or two features.
    cells
        How many; fewer come out where events are equal.

    Raises
    ------
    InputError
        If there are more than two features, or fewer than two cells.
    """
    d = points.x.shape[1]
    if d > 2 or cells < 2:
        raise InputError(f"{cells} cells of {d} features: give 2 or more, of one or two features")
    steps = cells if d == 1 else max(round(np.sqrt(cells)), 2)
    place = _by_rank(points.x[:, 0], points.multiplicity, np.zeros(len(points.x), np.int64), steps)
    if d == 2:
        place = _by_rank(points.x[:, 1], points.multiplicity, place, steps)
    _, place = np.unique(place, return_inverse=True)
    count = np.bincount(place, weights=points.multiplicity)
    x = np.stack([np.bincount(place, weights=points.multiplicity * column) / count for column in points.x.T], axis=1)
    labels, multiplicity = (np.bincount(place, weights=one) for one in (points.labels, points.multiplicity))
    return Points(x, labels.astype(np.int64), multiplicity.astype(np.int64), points.centre, points.scale)


def _by_rank(column: FloatArray, weight: IntArray, group: IntArray, steps: int) -> IntArray:
    """Return the number of a cell for every point: each group is cut into ``steps``."""
    order = np.lexsort((column, group))
    total = np.bincount(group, weights=weight)
    ahead = np.concatenate([[0.0], np.cumsum(total)])[group[order]]
    share = (np.cumsum(weight[order]) - 0.5 * weight[order] - ahead) / total[group[order]]
    step = np.minimum((np.arcsin(np.sqrt(share)) * (2.0 / np.pi) * steps).astype(np.int64), steps - 1)
    # Equal events are in one cell, that of the first of them.
    new = np.ones(len(order), dtype=bool)
    new[1:] = (column[order][1:] != column[order][:-1]) | (group[order][1:] != group[order][:-1])
    step = step[np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))]
    out = np.empty(len(order), dtype=np.int64)
    out[order] = group[order] * steps + step
    return out


def _units(x: FloatArray, weight: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return median and half of the central 68 % of every feature; what is constant has the unit 1."""
    low, middle, high = (weighted_percentile(x, weight, percent) for percent in (16, 50, 84))
    scale = 0.5 * (high - low)
    spread = np.ptp(x, axis=0)
    # Most events at one value: the range of the others is the only length there is.
    scale = np.where(scale > 1e-12 * np.maximum(np.abs(middle), spread), scale, np.where(spread > 0, spread, 1.0))
    return middle, scale


def weighted_percentile(x: FloatArray, weight: IntArray, percent: int, of: int = 100) -> FloatArray:
    """Return a quantile of every feature; shape (d,).

    Where it falls between two events it is their middle, so that it is that of the mirrored feature, mirrored.

    Parameters
    ----------
    x
        Shape (n, d).
    weight
        How often each event counts, whole numbers of shape (n,).
    percent, of
        The quantile is ``percent / of``.
    """
    out = np.empty(x.shape[1])
    for k, column in enumerate(x.T):
        order = np.argsort(column, kind="stable")
        # In whole numbers: whether a quantile is at an event or between two must not depend on rounding.
        reached = np.cumsum(weight[order]) * of
        wanted = percent * int(weight.sum())
        ends = [min(int(np.searchsorted(reached, wanted, side=side)), len(column) - 1) for side in _SIDES]
        out[k] = 0.5 * (column[order[ends[0]]] + column[order[ends[1]]])
    return out
