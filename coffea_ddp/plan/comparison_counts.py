"""The events of a chunk in comparisons of data with simulation, counted as they are: nothing is scaled here.

A simulated event counts in the nominal column of its one bin, and in two columns of every variation: with other
weights, or in the bin, the cell, and the selection, that shifted objects put it into.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.events.values import weights
from coffea_ddp.histograms.simulated import DATA, SIMULATION, Sample
from coffea_ddp.histograms.sparse import SparseCounts
from coffea_ddp.plan.comparison import Shift, Variation
from coffea_ddp.plan.mass_counts import exclusive_cells
from coffea_ddp.plan.symmetry_counts import Binning

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray, IntArray
    from coffea_ddp.events.selected import SelectedEvents
    from coffea_ddp.histograms.channel import Channel
    from coffea_ddp.plan.comparison import Comparison
    from coffea_ddp.plan.datasets import Dataset
    from coffea_ddp.plan.plan import ScanPlan

Shifted = Callable[[Shift, bool], "SelectedEvents"]
"""A shift, and whether it is up -> the events that are selected with it."""


class _Counted(NamedTuple):
    """Keys and weights of the events of one comparison in one column of all its channels."""

    keys: IntArray
    weights: FloatArray


def count_comparisons(
    plan: ScanPlan, events: SelectedEvents, dataset: Dataset, file: tuple[str, str], shifted: Shifted
) -> tuple[Sample, dict[str, int]]:
    """Return the counts of a chunk's dataset in all comparisons, and how many events have no bin.

    Parameters
    ----------
    plan
        The plan.
    events
        The selected ones of the chunk.
    dataset
        What the fileset says of them.
    file
        The uuid of their file, and its tree.
    shifted
        Selects the events of the chunk anew, with a shifted branch.

    Raises
    ------
    InputError
        If weights are not one finite number an event.
    """
    chosen = _Chosen(plan, dataset)
    parts: list[_Counted] = []
    unfilled: dict[str, int] = {}
    negative = 0
    for comparison in plan.comparisons:
        on, weighted = chosen.of(comparison, events)
        negative += 0 if weighted is None else int(np.count_nonzero(weighted < 0))
        parts += _columns(plan, comparison, (events, on, weighted), unfilled)
        if weighted is not None:
            parts += chosen.shifted(comparison, shifted)
    nothing = np.zeros(0, np.int64)
    keys = np.concatenate([nothing, *(part.keys for part in parts)])
    if events.is_data:
        return Sample(dataset.name, DATA, SparseCounts.from_keys(keys), {}, dataset.normalisation), unfilled
    all_weights = np.concatenate([np.zeros(0), *(part.weights for part in parts)])
    counts = SparseCounts.from_keys(keys, all_weights)
    sums = dataset.sums_of(file)
    return Sample(dataset.name, SIMULATION, counts, sums, dataset.normalisation, negative), unfilled


class _Chosen:
    """The events of one dataset that comparisons take, with their weights."""

    def __init__(self, plan: ScanPlan, dataset: Dataset) -> None:
        self._plan, self._dataset = plan, dataset

    def of(self, comparison: Comparison, events: SelectedEvents) -> tuple[IntArray, FloatArray | None]:
        """Return the rows of the events that are compared, and a weight for each; ``None``: data."""
        on = np.flatnonzero(comparison.wanted(events))
        if events.is_data:
            return on, None
        return on, comparison.weights(events, self._generated(events))[on]

    def shifted(self, comparison: Comparison, shifted: Shifted) -> Iterator[_Counted]:
        """Yield the counts of a comparison with each of its shifts, up and down."""
        for number, one in enumerate(comparison.variations):
            if isinstance(one, Shift):
                for column, up in enumerate((True, False), 1 + 2 * number):
                    events = shifted(one, up)
                    on, weighted = self.of(comparison, events)
                    cells, bins_of = _binned(self._plan, comparison, events, on)
                    for channel in _channels(self._plan, comparison):
                        keys, inside = _keys(comparison, channel, (cells, column), bins_of)
                        yield _Counted(keys, weighted[inside])  # type: ignore[index]

    def _generated(self, events: SelectedEvents) -> FloatArray:
        """Return the generator weights of simulated events; 1 of those that have none by their metadata."""
        name = self._dataset.generator_weight
        if not name:
            return np.ones(events.n_events)
        if not events.has_branch(name):
            raise InputError(
                f"dataset {self._dataset.name!r}, {events.source}: simulation without the branch {name}; say in its "
                'metadata "generator_weight": "BRANCH", or false where every event counts as one'
            )
        return weights(f"{events.source}: branch {name}", events.branch(name), events.n_events)


def _columns(
    plan: ScanPlan,
    comparison: Comparison,
    chosen: tuple[SelectedEvents, IntArray, FloatArray | None],
    unfilled: dict[str, int],
) -> Iterator[_Counted]:
    """Yield the counts in the nominal column, and with the other weights of variations."""
    events, on, weighted = chosen
    cells, bins_of = _binned(plan, comparison, events, on)
    nominal = np.ones(len(on)) if weighted is None else weighted
    others: list[tuple[int, FloatArray]] = []
    if weighted is not None:
        for number, one in enumerate(comparison.variations):
            if isinstance(one, Variation):
                factors = (factor[on] for factor in one.factors(events))
                others += [(1 + 2 * number + which, weighted * factor) for which, factor in enumerate(factors)]
    for channel in _channels(plan, comparison):
        keys, inside = _keys(comparison, channel, (cells, 0), bins_of)
        lost = len(on) - int(np.count_nonzero(inside))
        if lost:
            unfilled[f"{comparison.name}, {channel.name}: missing or not finite"] = lost
        yield _Counted(keys, nominal[inside])
        for column, values in others:
            yield _Counted(keys + column * channel.extent, values[inside])


def _binned(plan: ScanPlan, comparison: Comparison, events: SelectedEvents, on: IntArray) -> tuple[IntArray, Binning]:
    kept = events.take(on)
    features = {one.name: one.values(kept) for of in comparison.observables for one in of.features}
    return exclusive_cells(plan, kept), Binning(features, [(comparison.observables, np.ones(len(on), dtype=bool))])


def _channels(plan: ScanPlan, comparison: Comparison) -> list[Channel]:
    return [channel for channel in plan.layout.comparison_channels if channel.symmetry == comparison.name]


def _keys(
    comparison: Comparison, channel: Channel, where: tuple[IntArray, int], bins_of: Binning
) -> tuple[IntArray, BoolArray]:
    """Return the keys of the events that have a bin, in their cells and a column, and which they are."""
    cells, column = where
    bins, filled = bins_of(comparison.observables, channel.name, np.arange(len(cells)))
    inside = np.ones(len(cells), dtype=bool) if filled is None else filled
    key = channel.key(cells.copy(), column, bins)
    return key[inside], inside
