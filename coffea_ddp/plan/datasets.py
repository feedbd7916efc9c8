"""Properties of a dataset that a fileset gives, and their meaning for its events.

The metadata of a dataset may have, beside anything of your own:

==============  ===========================================================================================
``kind``        ``"data"`` or ``"simulation"``; else a file with ``genWeight`` is simulation. A good-run list
                is applied to data only.
``era``         Datasets of one era can hold the same events. Those without are one era.
``weight``      A factor for every event's weight: cross section times luminosity over the sum of weights.
``good_runs``   The path of a good-run list, instead of the plan's.
``triggers``    Paths of which an event must have fired one. An event that fired a path of a dataset of the
                same era that stands before this one in the fileset belongs to that one, and is not taken
                again: primary datasets overlap. A spectrum with a trigger of its own takes its events from
                the datasets that have it, and from the first of them alone where an event is in several.
``energy``      Of the collisions, for the heading of a report: ``"13 TeV"``; a number up to 200 is in TeV, a larger
                one in GeV.
``luminosity``  Integrated, for the heading of a report: ``"59.8 fb^-1"``. Datasets of one era have one luminosity;
                a number has no unit there.
==============  ===========================================================================================

``isMC`` and ``isData`` (``True`` or ``False``) say the kind, too; ``lumi_mask`` or ``golden_json`` the good-run list;
``sqrt_s`` the energy, and ``lumi`` the luminosity.

Examples
--------
>>> fileset = {
...     "muon": {"files": {"m.root": "Events"}, "metadata": {"triggers": ["HLT_IsoMu24"]}},
...     "electron": {"files": {"e.root": "Events"}, "metadata": {"triggers": ["HLT_Ele32_WPTight_Gsf"]}},
... }
>>> datasets(fileset)["electron"].vetoes
('HLT_IsoMu24',)
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError, MissingBranchError
from coffea_ddp.events.values import WEIGHT_BOUNDS, has_square
from coffea_ddp.histograms.descriptions import ENERGY_ROLE, KIND_ROLE, LUMINOSITY_ROLE
from coffea_ddp.histograms.simulated import OF_DATASET, File, Normalisation
from coffea_ddp.plan.normalisation import GENERATOR_WEIGHT, normalised
from coffea_ddp.plan.selections import GoodRuns, Trigger

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, IntArray
    from coffea_ddp.events.selected import SelectedEvents

__all__ = [
    "ENTRIES",
    "GENERATOR_WEIGHT",
    "KEY",
    "KINDS",
    "Dataset",
    "check_triggers",
    "datasets",
    "described",
    "without",
]

KEY = "coffea_ddp"
"""Key of the :class:`Dataset` in a chunk's metadata."""
ENTRIES = "coffea_ddp_entries"
"""Key of the number of entries of the whole file in a chunk's metadata."""
KINDS = ("data", "simulation")
_KNOWN = ("kind", "era", "weight", "good_runs", "triggers")
_SPELLED = {key.replace("_", ""): key for key in _KNOWN}
_SAME = {
    "ismc": "kind", "isdata": "kind", "lumimask": "good_runs", "goldenjson": "good_runs", "lumijson": "good_runs",
}  # fmt: skip
"""Names of these properties in other frameworks, in small letters."""
_ENERGY, _LUMINOSITY = ("energy", "sqrts", "comenergy"), ("luminosity", "lumi", "intlumi", "integratedluminosity")
_LONGEST = 40
_TOLD = (
    "name", "era", "energy", "luminosity", "normalisation", "sum_of_weights", "of_file", "n_of_file",
)  # fmt: skip
"""Fields that do not change the treatment of any event."""
_MOST_TEV = 200.0
"""A larger number is an energy in GeV."""


@dataclass(frozen=True)
class Dataset:
    """Treatment of the events of a dataset, or of one chunk of it.

    Attributes
    ----------
    name
        Of the dataset.
    kind
        ``"data"``, ``"simulation"``, or empty: the file tells.
    era
        Datasets of one era may overlap.
    weight
        Factor of every event's weight.
    good_runs
        Instead of the plan's list.
    triggers, vetoes
        An event has fired one of the former, if there are any, and none of the latter.
    drop
        Entries of the chunk, sorted, counted from its first one: events that are counted elsewhere. ``None`` where
        nobody has looked for such events.
    energy, luminosity
        Of the collisions, in words; empty where nothing is said.
    normalisation
        Cross section in pb, luminosity in 1/fb, and the factor of every event's weight, for comparisons of data with
        simulation.
    generator_weight
        The branch of the generator weights of simulation; empty where every event counts as one.
    sum_of_weights
        The sum of generator weights of all files; ``None``: each file tells its own.
    of_file, n_of_file
        That of the file of a chunk, and its number of entries; ``None`` where they are not known.
    """

    name: str = ""
    kind: str = ""
    era: str = ""
    weight: float = 1.0
    good_runs: GoodRuns | None = None
    triggers: tuple[str, ...] = ()
    vetoes: tuple[str, ...] = ()
    drop: tuple[int, ...] | None = None
    energy: str = ""
    luminosity: str = ""
    normalisation: Normalisation = field(default_factory=Normalisation)
    generator_weight: str = GENERATOR_WEIGHT
    sum_of_weights: float | None = None
    of_file: float | None = None
    n_of_file: int | None = None

    def sums_of(self, file: File) -> dict[File, float]:
        """Return the sum of generator weights of a file, or of the dataset, as an output keeps it.

        Nothing where it is not known.
        """
        if self.sum_of_weights is not None:
            return {OF_DATASET: self.sum_of_weights}
        if not self.generator_weight and self.n_of_file is not None:
            return {file: float(self.n_of_file)}
        return {} if self.of_file is None else {file: self.of_file}

    @property
    def digest(self) -> str:
        """Eight digits that differ where the events' treatment does; empty where nothing special is done."""
        untold = asdict(Dataset())
        special = {**asdict(self), **{name: untold[name] for name in _TOLD}}
        if special == untold:
            return ""
        return hashlib.sha256(json.dumps(special, sort_keys=True).encode()).hexdigest()[:8]

    def is_data(self, events: SelectedEvents) -> bool:
        """Tell whether events are data."""
        return self.kind == "data" if self.kind else not events.has_branch(GENERATOR_WEIGHT)

    def about(self, events: SelectedEvents) -> dict[str, str]:
        """Return what these events are, by the roles of an output's choices: data or simulation, energy, luminosity."""
        era = f" ({self.era})" if self.era else ""
        told = {
            KIND_ROLE: "data" if self.is_data(events) else "simulation",
            ENERGY_ROLE: self.energy,
            f"{LUMINOSITY_ROLE}{era}": self.luminosity,
        }
        return {role: words for role, words in told.items() if words}

    def take(self, events: SelectedEvents) -> tuple[SelectedEvents, dict[str, int]]:
        """Return the events that belong to this dataset, and how many each step leaves.

        Raises
        ------
        MissingBranchError
            If a trigger path is not in the file.
        """
        steps: dict[str, int] = {}
        if self.drop is not None:
            keep = np.ones(events.n_events, dtype=bool)
            keep[np.asarray(self.drop, dtype=np.int64)] = False
            events = events.take(np.flatnonzero(keep)) if self.drop else events
            steps["not counted elsewhere"] = events.n_events
        for paths, wanted, step in ((self.triggers, True, "fired"), (self.vetoes, False, "not in a dataset before")):
            if paths:
                try:
                    fired = _fired(events, paths)
                except MissingBranchError as error:
                    raise MissingBranchError(f"dataset {self.name!r}: {error}") from None
                events = events.take(np.flatnonzero(fired == wanted))
                steps[step] = events.n_events
        return events, steps

    def fired(self, events: SelectedEvents, trigger: Trigger) -> BoolArray:
        """Return which events of this dataset belong to what has a trigger of its own; each is in one dataset alone.

        Those that fired a path of it that this dataset is of, and none that a dataset before it is of. Of a dataset
        without trigger paths, those that fired any.

        Raises
        ------
        MissingBranchError
            If a trigger path is not in the file.
        """
        if not self.triggers:
            return trigger(events)
        mine, before = ([path for path in trigger.paths if path in paths] for paths in (self.triggers, self.vetoes))
        if not mine:
            events.note(trigger.role, f"in none of the paths of dataset {self.name!r}: no events")
            return np.zeros(events.n_events, dtype=bool)
        events.note(trigger.role, " or ".join(mine))
        found = _fired(events, tuple(mine))
        return found & ~_fired(events, tuple(before)) if before else found


def _fired(events: SelectedEvents, paths: tuple[str, ...]) -> BoolArray:
    for path in paths:
        events.choose(f"trigger {path}", (path,))
    return np.asarray(np.logical_or.reduce([events.flags(path) for path in paths]))


def datasets(fileset: Mapping[str, Mapping[str, Any]]) -> dict[str, Dataset]:
    """Return what a (normalised) fileset says of its datasets.

    Raises
    ------
    InputError
        If a value is none of those allowed.
    FileError
        If a good-run list cannot be read.
    """
    found: dict[str, Dataset] = {}
    for name, entry in fileset.items():
        this = described(name, entry.get("metadata") or {})
        before = [one.triggers for one in found.values() if one.era == this.era] if this.triggers else []
        vetoes = tuple(dict.fromkeys(path for paths in before for path in paths if path not in this.triggers))
        found[name] = replace(this, vetoes=vetoes)
    return found


def check_triggers(spectra: Sequence[Any], about: Mapping[str, Dataset]) -> None:
    """Check that triggers of spectra and of datasets meet.

    Parameters
    ----------
    spectra
        Of a plan.
    about
        The datasets.

    Raises
    ------
    InputError
        If all datasets have trigger paths, and no dataset has a required one of a spectrum, or no spectrum any of a
        dataset.
    """
    if not spectra or not about or not all(one.triggers for one in about.values()):
        return
    offered = {path for one in about.values() for path in one.triggers}
    told = "; ".join(f"{name!r}: {', '.join(one.triggers)}" for name, one in about.items())
    for spectrum in spectra:
        trigger = spectrum.trigger
        if trigger is not None and trigger.required and offered.isdisjoint(trigger.paths):
            raise InputError(
                f"spectrum {spectrum.name!r} needs the trigger {' or '.join(trigger.paths)}, which no dataset has "
                f"({told}); add the dataset that has it, or make it Trigger(..., required=False)"
            )
    if any(spectrum.trigger is None for spectrum in spectra):
        return
    needed = dict.fromkeys(path for spectrum in spectra for path in spectrum.trigger.paths)
    for name, one in about.items():
        if needed.keys().isdisjoint(one.triggers):
            raise InputError(
                f"dataset {name!r} has the triggers {', '.join(one.triggers)}, of which no spectrum needs any "
                f"({spectra[0].name!r}, for one, needs {' or '.join(spectra[0].trigger.paths)}); leave the dataset "
                "out, or name the path in the plan"
            )


def described(name: str, metadata: Mapping[str, Any]) -> Dataset:
    """Return what the metadata of one dataset says of it.

    Raises
    ------
    InputError
        If a value is none of those allowed.
    FileError
        If a good-run list cannot be read.
    """
    said = _said(name, metadata)
    where = f"dataset {name!r}, metadata"
    kind, weight, triggers = said.get("kind", ""), said.get("weight", 1.0), said.get("triggers", ())
    if kind not in ("", *KINDS):
        raise InputError(f"{where}: kind={kind!r}; it is one of {', '.join(KINDS)}, or left out")
    infinite = isinstance(weight, float) and not math.isfinite(weight)
    if infinite or isinstance(weight, bool) or not isinstance(weight, int | float):
        raise InputError(f"{where}: weight={weight!r} is no finite number")
    if not has_square(weight):
        raise InputError(f"{where}: weight={weight!r}; {WEIGHT_BOUNDS}")
    if isinstance(triggers, str) or not all(isinstance(path, str) for path in triggers):
        raise InputError(f'{where}: triggers={triggers!r} is no list of paths, such as ["HLT_IsoMu24"]')
    if not isinstance(said.get("good_runs", ""), str | os.PathLike):
        raise InputError(f"{where}: good_runs={said['good_runs']!r} is no path of a good-run list")
    good_runs = GoodRuns.from_file(said["good_runs"]) if "good_runs" in said else None
    era, found = str(said.get("era", "")), normalised(name, metadata)
    return Dataset(
        name, kind, era, float(weight), good_runs, tuple(triggers),
        energy=_energy(_own_words(metadata, _ENERGY)), luminosity=_words(_own_words(metadata, _LUMINOSITY)),
        normalisation=Normalisation(
            found.cross_section, found.luminosity, float(weight), era, found.no_cross_section, found.no_luminosity
        ),
        generator_weight=found.generator_weight, sum_of_weights=found.sum_of_weights,
    )  # fmt: skip


def _own_words(metadata: Mapping[str, Any], names: Sequence[str]) -> str | float | None:
    """Return what metadata say under one of these names, where it is text or a number: anything else is the user's."""
    for key, value in metadata.items():
        known = key.lower().replace("_", "").replace("-", "") in names
        if known and isinstance(value, str | int | float) and not isinstance(value, bool):
            return value if isinstance(value, str) or math.isfinite(value) else None
    return None


def _words(value: str | float | None) -> str:
    return "" if value is None else value.strip()[:_LONGEST] if isinstance(value, str) else f"{value:g}"


def _energy(value: str | float | None) -> str:
    text = _words(value)
    return text if value is None or isinstance(value, str) else f"{text} {'TeV' if value <= _MOST_TEV else 'GeV'}"


def _said(name: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what metadata say that means something here, by our names for it; what is null says nothing.

    Raises
    ------
    InputError
        If two say different things, a yes or no is neither, or a key is one of ours in another spelling.
    """
    said = {key: metadata[key] for key in _KNOWN if metadata.get(key) is not None}
    for key, value in metadata.items():
        bare = key.lower().replace("_", "").replace("-", "")
        if value is None or key in _KNOWN:
            continue
        where = f"dataset {name!r}, metadata: {key}={value!r}"
        if bare in _SPELLED and bare not in _SAME:
            raise InputError(f"{where} means nothing here; write {_SPELLED[bare]!r}")
        if bare not in _SAME:
            continue
        ours, means = _SAME[bare], value
        if ours == "kind":
            if not isinstance(value, bool):
                raise InputError(f'{where} is neither true nor false; write "kind": "data" or "simulation"')
            means = "simulation" if value == (bare == "ismc") else "data"
        if said.setdefault(ours, means) != means:
            raise InputError(f"{where} contradicts {ours}={said[ours]!r}")
    return said


def without(dataset: Dataset, entries: IntArray) -> Dataset:
    """Return the dataset of one chunk, of which some entries are counted elsewhere."""
    return replace(dataset, drop=tuple(int(entry) for entry in np.sort(entries)))
