"""The events of a chunk on the sides of symmetries, counted: each in its one exclusive cell and one bin a channel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import hist
import numpy as np

from coffea_ddp.histograms.layout import EVENTS
from coffea_ddp.histograms.shares import SHARE, quantised, variance
from coffea_ddp.histograms.sparse import SparseCounts
from coffea_ddp.plan.symmetry import SIDE_B

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import BoolArray, FloatArray, IntArray
    from coffea_ddp.plan.observables import Observable
    from coffea_ddp.plan.plan import ScanPlan
    from coffea_ddp.plan.symmetry import Symmetry


def count_symmetries(
    plan: ScanPlan,
    sides: NDArray[np.int8],
    cells: IntArray,
    features: dict[str, FloatArray],
    weighted: FloatArray | None,
    share: IntArray | None,
) -> tuple[SparseCounts, IntArray]:
    """Return the counts of all channels, and how many events of each channel and side have no bin.

    Parameters
    ----------
    plan
        The plan.
    sides
        0, 1 or -1 of every symmetry and event, shape (n_symmetries, n_events).
    cells
        Code of the exclusive cell of every event.
    features
        Name -> one number an event.
    weighted
        One weight an event, or ``None`` where events are counted.
    share
        Expected share of every event among itself and its mirror image, in whole units; ``None`` without calibration.
    """
    layout = plan.layout
    keys: list[IntArray] = []
    rows: list[IntArray] = []
    shares: list[tuple[IntArray, IntArray]] = []
    not_filled = np.zeros((len(layout.channels), 2), dtype=np.int64)
    asked = zip((symmetry.observables for symmetry in plan.symmetries), sides >= 0, strict=True)
    bins_of, counted_alone = Binning(features, asked), weighted is None and share is None
    number = 0
    for symmetry, side in zip(plan.symmetries, sides, strict=True):
        on = np.flatnonzero(side >= 0)
        expected = None if share is None else _of_side_b(symmetry, share, side)
        cell_on, side_on = cells.take(on), side.take(on).astype(np.int64)
        for channel in layout.channels[number : number + 1 + len(symmetry.observables)]:
            bins, filled = bins_of(symmetry.observables, channel.name, on)
            key, inside = channel.key(cell_on, side_on, bins), on
            if filled is not None:
                not_filled[number] = np.bincount(side_on[~filled], minlength=2)
                key, inside = key[filled], on[filled]
            if counted_alone:  # few at a time are sorted faster, and those of the next channel are larger
                key.sort()
            keys.append(key)
            rows.append(inside)
            if expected is not None:
                shares.append((expected[0][inside], expected[1][inside]))
            number += 1
    all_keys = np.concatenate(keys) if keys else np.zeros(0, np.int64)
    if counted_alone:
        return SparseCounts.from_sorted(all_keys), not_filled
    all_weights = None if weighted is None else weighted[np.concatenate(rows)] if rows else np.zeros(0)
    return SparseCounts.from_keys(all_keys, all_weights, _joined(shares, calibrated=share is not None)), not_filled


def _of_side_b(symmetry: Symmetry, share: IntArray, side: NDArray[np.int8]) -> tuple[IntArray, IntArray]:
    """Return the expected share of side B of every event, and its variance, in whole units."""
    if symmetry.exchange is None:
        known = symmetry.kappa / (1.0 + symmetry.kappa)
        expected = np.broadcast_to(quantised(np.array([known])), share.shape)
    else:
        expected = np.where(side == SIDE_B, share, SHARE - share)
    return expected, variance(expected)


def _joined(shares: list[tuple[IntArray, IntArray]], *, calibrated: bool) -> tuple[IntArray, IntArray] | None:
    if not calibrated:
        return None
    nothing = np.zeros(0, np.int64)
    return np.concatenate([nothing, *(e for e, _ in shares)]), np.concatenate([nothing, *(v for _, v in shares)])


class Binning:
    """The bins of a chunk's events, each feature's made once for all observables that have the same axis of it.

    Parameters
    ----------
    features
        Name -> one number an event.
    asked
        Observables, and which events they are asked of.
    """

    def __init__(
        self, features: dict[str, FloatArray], asked: Iterable[tuple[Iterable[Observable], BoolArray]]
    ) -> None:
        self._features = features
        self._asked: dict[tuple[str, int], BoolArray] = {}
        self._made: dict[tuple[str, int], tuple[IntArray, BoolArray | None]] = {}
        for observables, on in asked:
            for observable in observables:
                for feature, axis in zip(observable.features, observable.axes, strict=True):
                    key = (feature.name, id(axis))
                    if key in self._asked:
                        self._asked[key] |= on
                    else:
                        self._asked[key] = on.copy()

    def __call__(
        self, observables: Iterable[Observable], name: str, rows: IntArray
    ) -> tuple[IntArray | int, BoolArray | None]:
        """Return the flat bins of some events, flow bins included, and which events have one; ``None``: all.

        Parameters
        ----------
        observables, name
            The observable, among others; :data:`~coffea_ddp.histograms.layout.EVENTS` has one bin, for all.
        rows
            The events, some of those that were asked for.
        """
        bins: IntArray | int = 0
        filled: BoolArray | None = None
        if name == EVENTS:
            return bins, filled
        observable = next(one for one in observables if one.name == name)
        for feature, axis in zip(observable.features, observable.axes, strict=True):
            every, finite = self._bins_of(feature.name, axis)
            bins = bins * axis.extent + every.take(rows)
            if finite is not None:
                filled = finite.take(rows) if filled is None else filled & finite.take(rows)
        return bins, None if filled is None or filled.all() else filled

    def _bins_of(self, feature: str, axis: Any) -> tuple[IntArray, BoolArray | None]:
        """Return the bins of one feature, from the underflow bin on, and which events have one; ``None``: all."""
        key = (feature, id(axis))
        if key not in self._made:
            values = self._features[feature]
            finite = np.isfinite(values)
            rows = np.flatnonzero(finite & self._asked[key])
            some = values.take(rows)
            if isinstance(axis, hist.axis.Integer):  # takes integers only; numbers far outside must not wrap around
                some = np.clip(np.floor(some), axis.edges[0] - 1.0, axis.edges[-1])
            bins = np.zeros(len(values), np.int64)
            bins[rows] = axis.index(some) + 1  # index() counts the underflow bin as -1; keys start at 0
            self._made[key] = bins, None if finite.all() else finite
        return self._made[key]
