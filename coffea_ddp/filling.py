"""The pass: one chunk of events in, its histograms out.

``fill`` is pure and the only place where events are looked at. It serves coffea's Runner, dask-awkward and anybody's
own ``ProcessorABC`` alike.

Examples
--------
>>> import awkward as ak
>>> from coffea_ddp.events.objects import ObjectDefinition
>>> from coffea_ddp.plan.observables import Feature, observable
>>> from coffea_ddp.plan.plan import ScanPlan
>>> from coffea_ddp.plan.symmetry import Symmetry
>>> pt = Feature("pt", "pT", "GeV", lambda ev: ev.leading("mu").pt, 0.0, 100.0)
>>> charge = Symmetry(
...     "mu-/mu+",
...     a=lambda ev: ev.leading("mu").charge < 0,
...     b=lambda ev: ev.leading("mu").charge > 0,
...     observables=(observable(pt, bins=4),),
... )
>>> plan = ScanPlan("demo", (charge,), objects=(ObjectDefinition("mu", "Muon", charged=True),))
>>> events = ak.Array(
...     {
...         "Muon_pt": [[30.0], [60.0], []],
...         "Muon_eta": [[0.1], [0.2], []],
...         "Muon_phi": [[0.0], [1.0], []],
...         "Muon_charge": [[1], [-1], []],
...     }
... )
>>> fill(events, plan)["mu-/mu+", "pt"].b.values().astype(int)
array([0, 1, 0, 0])
"""

from __future__ import annotations

import functools
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.calibration.leptons import COLUMNS, Leptons
from coffea_ddp.errors import InputError, named
from coffea_ddp.events.branches import Columns
from coffea_ddp.events.candidates import Candidates
from coffea_ddp.events.selected import SelectedEvents
from coffea_ddp.events.values import weights
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.layout import Layout
from coffea_ddp.histograms.ledger import UNKNOWN, Chunk, Ledger
from coffea_ddp.histograms.shares import SHARE, quantised
from coffea_ddp.histograms.sparse import SparseCounts
from coffea_ddp.histograms.stored import StoredEvents, identity_hash, side_bits, stored_columns
from coffea_ddp.plan.checks import one_bool_each
from coffea_ddp.plan.comparison_counts import count_comparisons
from coffea_ddp.plan.datasets import ENTRIES, KEY, Dataset, described
from coffea_ddp.plan.mass_counts import count_spectra, exclusive_cells, triggered
from coffea_ddp.plan.plan import ScanPlan
from coffea_ddp.plan.selections import GoodRuns, Trigger
from coffea_ddp.plan.symmetry_counts import count_symmetries
from coffea_ddp.plan.weighing import Weighing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray, IntArray
    from coffea_ddp.calibration.calibration import Calibration
    from coffea_ddp.histograms.simulated import Sample
    from coffea_ddp.histograms.split import EventSplit
    from coffea_ddp.plan.calibration_function import CalibrationFunction
    from coffea_ddp.plan.comparison import Shift


def fill(
    events: Any, plan: ScanPlan, *, weight: Any = None, chunk: Chunk | None = None, dataset: Dataset | None = None
) -> Histograms:
    """Return the histograms of one chunk of events.

    Parameters
    ----------
    events
        coffea's NanoEvents, an awkward record array with NanoAOD's branches, or branches that are flat already.
    plan
        What to look at.
    weight
        One weight an event, shape (n_events,): an array, or coffea's ``Weights``. They multiply those of the plan, if
        it has any; the output has sums of weights and of squared weights beside the counts, and is added to such
        outputs alone. Without, and in a plan without, events are counted: generator weights are not used (the cutflow
        says how many are negative) unless ``ScanPlan(weight=nanoaod.generator_weight)`` asks for them.
    chunk
        Where the events come from, told by you or taken from ``events.metadata`` where coffea's Runner has put it (and
        the events are the whole chunk, not a selection of it). Without either, adding the same events twice goes
        unnoticed: they are counted under ``ledger.unnamed``.
    dataset
        What the fileset says of them (:mod:`coffea_ddp.plan.datasets`); by default taken from ``events.metadata`` too.

    Returns
    -------
    Histograms
        Of this chunk alone; add those of others.

    Raises
    ------
    InputError
        If the weights are not one number an event (finite, not masked, of a size that has a square), or there are other
        things where events and plan belong.
    BranchError, FileError
        If a branch is not there, holds what it cannot, or cannot be read.
    OverlapError
        If an event is on both sides of a symmetry.

    Examples
    --------
    >>> import tempfile
    >>> import uproot
    >>> from coffea_ddp import load_plan, testing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with uproot.open(testing.make_nanoaod(f"{folder}/nano.root", events=200, seed=1)) as file:
    ...         events = file["Events"].arrays()
    >>> fill(events, load_plan("dimuon_charge")).n_events
    200
    """
    if not isinstance(plan, ScanPlan):
        raise InputError(f"fill, plan: got {named(plan)}; give a ScanPlan, as ddp.load_plan(PATH OR NAME) returns")
    if isinstance(events, str | bytes | Path) or not hasattr(events, "__len__"):
        raise InputError(
            f"fill, events: got {named(events)}; give NanoEvents or an awkward array (ddp.run reads files)"
        )
    told = chunk or chunk_of(events)
    source = str(told) if told else "the events"
    # A selection of a chunk's events still carries the chunk's metadata, but is not the chunk.
    whole = chunk is not None or (told is not None and told.stop - told.start == len(events))
    # What a chunk alone cannot tell is looked up in its file, unless it is all of the file.
    all_of_file = whole and told is not None and (told.start, told.stop) == (0, told.entries)
    file = None if told is None or all_of_file else (told.filename, told.tree)
    columns = Columns(events, source, file, told.start if told and whole else 0)
    given = None if weight is None else weights(f"fill, {source}: weight", weight, columns.n_events)
    if given is not None and plan.comparisons:
        raise InputError(
            f"fill, weight: the plan {plan.name!r} compares data with simulation, which takes generator weights by "
            "itself; give factors on them as Comparison(weight=...)"
        )
    return _fill(columns, plan, told, dataset or dataset_of(events), whole=whole, given=given)


def needed_branches(events: Any, plan: ScanPlan, dataset: Dataset | None = None) -> tuple[str, ...]:
    """Return the branches that a plan reads from such events; nothing but their structure is looked at.

    Raises
    ------
    MissingBranchError
        If the plan needs one that is not there.
    """
    columns = Columns(events[:0] if len(events) else events, "the events")
    # There are no entries to drop here.
    _fill(columns, plan, None, replace(dataset or Dataset(), drop=None))
    return columns.names


def _fill(
    columns: Columns,
    plan: ScanPlan,
    told: Chunk | None,
    dataset: Dataset,
    *,
    whole: bool = True,
    given: FloatArray | None = None,
) -> Histograms:
    chunk = told if whole else None
    columns.dataset, columns.kind = dataset.name or (told.dataset if told else ""), dataset.kind
    weigh = Weighing(plan, dataset, given)
    candidates = Candidates.of(columns, plan.objects)
    everything = _of_branches(columns, candidates, plan)
    parted: dict[str, int] = {}
    if plan.split is not None:
        everything = _in_part(columns, everything, plan.split, chunk)
        parted = {str(plan.split): everything.n_events}
    unused = {} if plan.comparisons else weigh.unused(everything)
    # Objects are cleaned and ordered where the event is wanted: by spectra with triggers of their own, whatever fired.
    fired, steps = _triggered(everything, plan, dataset)
    apart = any(one.trigger is not None for one in plan.spectra)
    untriggered = replace(dataset, triggers=(), vetoes=())
    for_objects = _triggered(everything, plan, untriggered, by_plan=False)[0] if apart else fired
    selected = SelectedEvents.of(columns, candidates, for_objects)
    passed = selected.take(np.searchsorted(selected.entries, fired.entries)) if apart else selected
    cutflow = {"events": columns.n_events} | parted | passed.odd | unused
    passed, steps = _selected(passed, plan, steps)
    samples: dict[str, Sample] = {}
    if plan.comparisons:
        sample, unfilled = _compared(columns, passed, plan, (replace(dataset, name=columns.dataset), told), fired)
        samples, steps = {sample.dataset: sample}, steps | {"compared": passed.n_events} | unfilled
        if not passed.is_data:  # beside a comparison, symmetries and spectra are those of the data
            passed, selected = (one.take(np.zeros(0, np.int64)) for one in (passed, selected))
            weigh = Weighing(plan, replace(dataset, weight=1.0), given)
    # All symmetries are asked of all selected events: overlapping sides must not hide behind a missing observable.
    sides = (
        np.stack([s.assign(passed) for s in plan.symmetries])
        if plan.symmetries
        else np.zeros((0, passed.n_events), np.int8)
    )
    wanted: BoolArray = np.any(sides >= 0, axis=0)
    kept, sides = passed.where(wanted), sides if wanted.all() else sides[:, wanted]
    cutflow |= steps | ({"on a side of a symmetry": kept.n_events} if plan.symmetries else {})
    cells = exclusive_cells(plan, kept)
    features = {feature.name: feature.values(kept) for feature in plan.all_features}
    cutflow |= kept.odd_met()
    weighted = weigh(kept)
    shares = {} if plan.efficiencies is None else _shares(plan.efficiencies, features)
    share = shares.pop("units", None)
    counts, not_filled = count_symmetries(plan, sides, cells, features, weighted, share)
    if plan.spectra:
        masses, of_triggers = _spectra(selected, passed, plan, dataset, weigh)
        counts, cutflow = counts + masses, cutflow | of_triggers
    layout = plan.layout if plan.layout.weighted == (weighted is not None) else replace(plan.layout, weighted=True)
    return Histograms(
        layout,
        counts,
        not_filled,
        _store(columns, layout, kept, sides, cells, features | shares | _weight(weighted), chunk),
        Ledger.of(chunk) if chunk else Ledger(unnamed=columns.n_events),
        {told.dataset if told else "": cutflow},
        {role: (used,) for role, used in sorted((dict(columns.choices) | dataset.about(everything)).items())},
        samples,
    )


def _compared(
    columns: Columns,
    passed: SelectedEvents,
    plan: ScanPlan,
    whose: tuple[Dataset, Chunk | None],
    fired: SelectedEvents,
) -> tuple[Sample, dict[str, int]]:
    """Return the counts of a chunk in comparisons; with shifted branches its objects are selected anew."""
    dataset, told = whose

    def shifted(shift: Shift, up: bool) -> SelectedEvents:
        by = shift.by(up=up)
        moved = columns.moved(shift.branch, by if isinstance(by, str) else functools.partial(shift.moved, up=up))
        again = SelectedEvents.of(moved, Candidates.of(moved, plan.objects), fired)
        return _selected(again, plan, {})[0]

    file = (told.uuid, told.tree) if told else ("", "")
    return count_comparisons(plan, passed, dataset, file, shifted)


def chunk_of(events: Any) -> Chunk | None:
    """Return where NanoEvents come from, as coffea's Runner tells it in their metadata; ``None`` where it does not."""
    metadata = getattr(events, "metadata", None) or {}
    try:
        return Chunk(
            str(metadata.get("dataset", "")),
            str(metadata["filename"]),
            str(metadata["treename"]),
            str(metadata["fileuuid"]),
            int(metadata["entrystart"]),
            int(metadata["entrystop"]),
            int(metadata.get(ENTRIES, UNKNOWN)),
        )
    except KeyError:
        return None


def dataset_of(events: Any) -> Dataset:
    """Return what the metadata of NanoEvents say of their dataset; nothing special where they say nothing."""
    metadata = getattr(events, "metadata", None) or {}
    known = metadata.get(KEY)
    return known if isinstance(known, Dataset) else described(str(metadata.get("dataset", "")), metadata)


def _of_branches(columns: Columns, candidates: Candidates, plan: ScanPlan) -> SelectedEvents:
    """Return the events of a chunk for trigger and good-run list; with objects where these are somebody's functions."""
    given: tuple[Any, ...] = (plan.trigger, plan.good_runs)
    known = all(isinstance(one, Trigger | GoodRuns | None) for one in given)
    return SelectedEvents.of(columns, None if known else candidates)


def _triggered(
    events: SelectedEvents, plan: ScanPlan, dataset: Dataset, *, by_plan: bool = True
) -> tuple[SelectedEvents, dict[str, int]]:
    """Apply what the dataset asks for, good-run list and trigger, counting what each leaves."""
    passed, steps = dataset.take(events)
    good_runs = dataset.good_runs or plan.good_runs
    if good_runs is not None:
        if dataset.is_data(events):
            passed = passed.take(np.flatnonzero(good_runs(passed)))
        else:
            events.note("good-run list", "not applied: simulation")
        steps["good luminosity blocks"] = passed.n_events
    if plan.trigger is not None and by_plan:
        passed = passed.take(np.flatnonzero(plan.trigger(passed)))
        steps["trigger"] = passed.n_events
    return passed, steps


def _in_part(columns: Columns, events: SelectedEvents, split: EventSplit, chunk: Chunk | None) -> SelectedEvents:
    """Return the events of one part of a split."""
    return events.take(np.flatnonzero(split.holds(identity_hash(*_identity(columns, events, chunk).values()))))


def _selected(events: SelectedEvents, plan: ScanPlan, steps: dict[str, int]) -> tuple[SelectedEvents, dict[str, int]]:
    """Apply the selection, counting what it leaves."""
    if plan.selection is None:
        return events, steps
    keep = one_bool_each(f"plan {plan.name!r}, selection", plan.selection(events), events)
    passed = events.where(keep)
    return passed, steps | {"selection": passed.n_events}


def _spectra(
    selected: SelectedEvents, passed: SelectedEvents, plan: ScanPlan, dataset: Dataset, weigh: Weighing
) -> tuple[SparseCounts, dict[str, int]]:
    """Return the masses of all spectra, counted, and how many events each trigger of spectra leaves.

    Spectra without are of the events that passed.
    """
    triggers = list(dict.fromkeys(one.trigger for one in plan.spectra))
    if triggers == [None]:
        return count_spectra(plan, passed, weigh(passed)), {}
    events, _ = _selected(selected, plan, {})
    fired: dict[Trigger | None, BoolArray] = {None: np.isin(events.entries, passed.entries, assume_unique=True)}
    steps = {}
    for trigger in triggers:
        if trigger is not None:
            fired[trigger] = triggered(plan, events, dataset, trigger)
            steps[trigger.role] = int(np.count_nonzero(fired[trigger]))
    return count_spectra(plan, events, weigh(events), fired), steps


def _shares(calibration: Calibration | CalibrationFunction, features: dict[str, FloatArray]) -> dict[str, Any]:
    """Return the columns of a calibration, and the expected share of every event in whole units (``units``).

    It is that of the event among itself and its mirror image.
    """
    # As they are stored, so that whoever evaluates stored events gets the same.
    leptons = Leptons.of_columns({name: features[name].astype(np.float32) for name in COLUMNS})
    units = quantised(calibration.shares(leptons))
    error = {} if calibration.fit is not None else {"share_error": calibration.error(leptons)}
    return {"units": units, "share": units / SHARE, **error}


def _store(
    columns: Columns,
    layout: Layout,
    events: SelectedEvents,
    sides: NDArray[np.int8],
    cells: IntArray,
    features: dict[str, FloatArray],
    chunk: Chunk | None,
) -> StoredEvents:
    sizes = {
        "max_stored": layout.max_stored,
        "n_symmetries": len(layout.symmetries),
        "n_exclusive": layout.grid.n_exclusive,
    }
    table = stored_columns(layout, events.n_events if layout.max_stored else 0)
    if layout.max_stored:
        table |= _identity(columns, events, chunk)
        table["cell"] = cells.astype(np.int32)
        table["sides"] = side_bits(sides)
        table |= {name: values.astype(table[name].dtype) for name, values in features.items()}
    return StoredEvents.make(table, **sizes)


def _weight(weighted: FloatArray | None) -> dict[str, FloatArray]:
    return {} if weighted is None else {"weight": weighted}


def _identity(columns: Columns, events: SelectedEvents, chunk: Chunk | None) -> dict[str, AnyArray]:
    """Return run, luminosity block and event; where the file has none, a number of the file and the entry.

    Numbers that are the same in all of several events (dummies of a conversion) are none.
    """
    names = {"run": np.uint32, "luminosityBlock": np.uint32, "event": np.uint64}
    if all(events.has_branch(name) for name in names) and not _dummies(columns, tuple(names)):
        return {name: events.whole_numbers(name, dtype) for name, dtype in names.items()}
    events.note("event identity", "file and entry")
    first = chunk.start if chunk else 0
    file_number = zlib.crc32(f"{chunk.uuid}{chunk.tree}".encode()) if chunk else 0
    return {
        "run": np.zeros(events.n_events, np.uint32),
        "luminosityBlock": np.full(events.n_events, file_number, np.uint32),
        "event": (events.entries + first).astype(np.uint64),
    }


def _dummies(columns: Columns, names: tuple[str, ...]) -> bool:
    values = [columns.per_event(name) for name in names]
    return columns.n_events > 1 and all(bool(np.all(one == one[0])) for one in values)
