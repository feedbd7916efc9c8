"""The masses of a chunk's events, counted: each event once a spectrum, in its one exclusive cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import MissingBranchError, some_of
from coffea_ddp.histograms.cells import Multiplicity, Topology
from coffea_ddp.histograms.sparse import SparseCounts
from coffea_ddp.plan.checks import one_bool_each

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray, IntArray
    from coffea_ddp.events.selected import SelectedEvents
    from coffea_ddp.histograms.channel import Channel
    from coffea_ddp.plan.datasets import Dataset
    from coffea_ddp.plan.plan import ScanPlan
    from coffea_ddp.plan.selections import Trigger


def exclusive_cells(plan: ScanPlan, events: SelectedEvents) -> IntArray:
    """Return the code of the exclusive cell of every event, shape (n_events,).

    Raises
    ------
    InputError
        If a topology gives anything but one bool an event.
    """
    values = [events.count(axis.of) if isinstance(axis, Multiplicity) else _yes_no(axis, events) for axis in plan.cells]
    return plan.layout.grid.encode(values, events.n_events)


def _yes_no(axis: Topology, events: SelectedEvents) -> AnyArray:
    assert axis.predicate is not None  # the plan has seen to it
    return one_bool_each(f"topology {axis.name!r}", axis.predicate(events), events)


def triggered(plan: ScanPlan, events: SelectedEvents, dataset: Dataset, trigger: Trigger) -> BoolArray:
    """Return which events belong to the spectra of a plan that have this trigger.

    Raises
    ------
    MissingBranchError
        If a path of it is not in the file; it names dataset and spectrum.
    """
    try:
        return dataset.fired(events, trigger)
    except MissingBranchError as error:
        spectra = some_of((repr(one.name) for one in plan.spectra if one.trigger == trigger), 1)
        whose = f"dataset {dataset.name!r}, " if dataset.name else ""
        raise MissingBranchError(f"{whose}spectrum {spectra}: {error}") from None


def count_spectra(
    plan: ScanPlan,
    events: SelectedEvents,
    weighted: FloatArray | None,
    fired: Mapping[Trigger | None, BoolArray] | None = None,
) -> SparseCounts:
    """Return the counts of all spectra of a plan.

    Parameters
    ----------
    plan
        The plan.
    events
        Of one chunk.
    weighted
        One weight an event, shape (n_events,), or ``None`` where events are counted.
    fired
        The events that count, for each trigger that a spectrum has; ``None``: all, whatever the trigger.
    """
    cells, layout = exclusive_cells(plan, events), plan.layout
    rows: list[IntArray] = [np.zeros(0, np.int64)]
    bins: list[IntArray] = [np.zeros(0, np.int64)]
    channels: list[Channel] = []
    asked = {trigger: has for trigger, has in (fired or {}).items() if not has.all()}
    for spectrum, channel in zip(plan.spectra, layout.spectrum_channels, strict=True):
        inside, masses = spectrum.found(events)
        if spectrum.trigger in asked and len(inside):
            has = np.flatnonzero(asked[spectrum.trigger].take(inside))
            inside, masses = inside.take(has), masses.take(has)
        if len(inside):
            rows.append(inside)
            bins.append(spectrum.axis.index(masses))
            channels.append(channel)
    all_rows = np.concatenate(rows)
    all_keys = _keys(channels, cells.take(all_rows), bins)
    found = [(layout.keys_behind(one.name), one.found(events)) for one in plan.known]
    some = [(behind, np.flatnonzero(has.take(all_rows))) for behind, has in found]
    all_rows = np.concatenate([all_rows, *(all_rows.take(which) for _, which in some)])
    all_keys = np.concatenate([all_keys, *(all_keys.take(which) + behind for behind, which in some)])
    all_weights = None if weighted is None else weighted[all_rows]
    nothing = np.zeros(len(all_keys), np.int64)
    return SparseCounts.from_keys(all_keys, all_weights, None if plan.calibration is None else (nothing, nothing))


def _keys(channels: list[Channel], cells: IntArray, bins: list[IntArray]) -> IntArray:
    """Return the keys of the events of several spectra, one spectrum after the other: of all at once, as most are few.

    Parameters
    ----------
    channels
        The spectra.
    cells
        Code of the exclusive cell of every event.
    bins
        Nothing, and then the bins of each spectrum's events as ``index()`` counts them: the underflow bin is -1.
    """
    sizes = [len(one) for one in bins[1:]]
    keys = np.repeat(np.array([channel.extent for channel in channels], np.int64), sizes)
    keys *= cells
    keys += np.repeat(np.array([channel.base + 1 for channel in channels], np.int64), sizes)
    keys += np.concatenate(bins)
    return keys
