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
    number = 0
    for symmetry, side in zip(plan.symmetries, sides, strict=True):
        on = np.flatnonzero(side >= 0)
        expected = None if share is None else _of_side_b(symmetry, share, side)
        bins_of = Binning(symmetry.observables, features, on)
        cell_on, side_on = cells.take(on), side.take(on).astype(np.int64)
        for channel in layout.channels[number : number + 1 + len(symmetry.observables)]:
            bins, filled = bins_of(channel.name)
            key, inside = channel.key(cell_on, side_on, bins), on
            if filled is not None and not filled.all():
                not_filled[number] = np.bincount(side_on[~filled], minlength=2)
                key, inside = key[filled], on[filled]
            keys.append(key)
            rows.append(inside)
            if expected is not None:
                shares.append((expected[0][inside], expected[1][inside]))
            number += 1
    all_keys = np.concatenate(keys) if keys else np.zeros(0, np.int64)
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
    """The bins of the events of one symmetry or comparison, observable by observable.

    Parameters
    ----------
    observables
        What is binned.
    features
        Name -> one number an event.
    on
        The events that have bins, by their rows.
    """

    def __init__(self, observables: Iterable[Observable], features: dict[str, FloatArray], on: IntArray) -> None:
        self._observables = {observable.name: observable for observable in observables}
        self._features = features
        self._on = on

    def __call__(self, name: str) -> tuple[IntArray | int, BoolArray | None]:
        """Return the flat bin, flow bins included, and which events have one; ``None``: all, in bin 0."""
        if name == EVENTS:
            return 0, None
        observable = self._observables[name]
        (bins, filled), *others = [
            self._bins_of(feature.name, axis)
            for feature, axis in zip(observable.features, observable.axes, strict=True)
        ]
        for axis, (bins_of_axis, has) in zip(observable.axes[1:], others, strict=True):
            bins, filled = bins * axis.extent + bins_of_axis, filled & has
        return bins, filled

    def _bins_of(self, feature: str, axis: Any) -> tuple[IntArray, BoolArray]:
        """Return the bins of one feature, from the underflow bin on, and which events have one."""
        values = self._features[feature].take(self._on)
        finite = np.isfinite(values)
        if isinstance(axis, hist.axis.Integer):  # takes integers only; numbers far outside must not wrap around
            values = np.clip(np.floor(np.where(finite, values, 0.0)), axis.edges[0] - 1.0, axis.edges[-1])
        # index() counts the underflow bin as -1; keys start at 0.
        return np.asarray(axis.index(values), dtype=np.int64) + 1, finite
