"""Objects as data: which candidates of a NanoAOD collection are selected, and how they are cleaned.

A definition says collection, thresholds, cracks, ids and isolations (each with fall-backs over the NanoAOD versions)
and what it must not overlap with. Ready ones for NanoAOD v4 to v15 are in :mod:`coffea_ddp.plan.nanoaod`.

Examples
--------
A user's own collection as an object, to be counted by a multiplicity axis:

>>> from coffea_ddp.events.cuts import Cut
>>> kaon = ObjectDefinition("K", "Kaon", pt_min=1.0, eta_max=2.5, cuts=(Cut("chi2", "<", 5.0),))
>>> kaon.branches
('Kaon_pt', 'Kaon_eta', 'Kaon_phi')
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import BranchError, FileError
from coffea_ddp.events import kernels
from coffea_ddp.events.branches import missing_branch
from coffea_ddp.events.cuts import Alternative, ComputedCut, Cut, FirstAvailable, Recent, WorkingPoint
from coffea_ddp.events.nanoaod_versions import encoding_of, is_recent
from coffea_ddp.events.values import charges, check_gev, check_signs, flags

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, IntArray
    from coffea_ddp.events.branches import Columns

_LEPTONS = (11, 13)


@dataclass(frozen=True)
class ObjectDefinition:
    """Selection of the candidates of one collection.

    Parameters
    ----------
    name
        The object's name in the plan (``"e"``, ``"mu"``, ``"tau"``, ``"j"``, ``"b"``, ``"gamma"``, ``"K"`` ...).
    collection
        The NanoAOD collection (``"Electron"``).
    pt_min, eta_max
        Thresholds in GeV and in abs(eta): pt > pt_min, abs(eta) < eta_max.
    eta_gaps
        Ranges of abs(eta) that are left out (the calorimeter's crack).
    cuts
        What else is required.
    away_from
        ``(name, radius)`` pairs: dropped when closer than radius in (eta, phi) to a selected object defined before.
    mass
        GeV; ``None`` reads the branch ``<collection>_mass``.
    charged
        Whether the branch ``<collection>_charge`` is read (else the charge is 0).
    flavour
        A number that tells the object apart in a merged collection (the PDG code: 11, 13).
    required
        ``False``: in a file that lacks something that the object needs (a tagger, the whole collection) no event has
        one, and the output says so.
    """

    name: str
    collection: str
    pt_min: float = 0.0
    eta_max: float = np.inf
    eta_gaps: tuple[tuple[float, float], ...] = ()
    cuts: tuple[Cut | ComputedCut | FirstAvailable, ...] = ()
    away_from: tuple[tuple[str, float], ...] = ()
    mass: float | None = 0.0
    charged: bool = False
    flavour: int = 0
    required: bool = True

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that no file may lack (ids with fall-backs not included)."""
        names = ["pt", "eta", "phi"]
        names += ["mass"] if self.mass is None else []
        names += ["charge"] if self.charged else []
        return tuple(f"{self.collection}_{name}" for name in names)


@dataclass(frozen=True)
class MergedObject:
    """One collection out of several selected ones, ordered by pT (``"lepton"`` of ``("e", "mu")``).

    Of equal pT, the object that is named first leads.
    """

    name: str
    of: tuple[str, ...]


@dataclass(frozen=True)
class ObjectArrays:
    """The selected objects of one kind in every event, the largest pT first.

    Attributes
    ----------
    starts, counts
        Where each event's objects begin in the content and how many they are; shape (n_events,).
    content
        Flat arrays: ``pt`` (GeV), ``eta``, ``phi``, ``mass`` (GeV), ``charge``, ``flavour``.
    odd
        How many candidates of the chunk could not be selected, and why: NaN or infinite, a negative pT.
    """

    starts: IntArray
    counts: IntArray
    content: Mapping[str, AnyArray]
    odd: Mapping[str, int] = field(default_factory=dict, compare=False)

    def take(self, index: IntArray) -> ObjectArrays:
        """Return the objects of the chosen events; the content is shared, not copied."""
        return ObjectArrays(self.starts[index], self.counts[index], self.content, self.odd)


def select(columns: Columns, definitions: Sequence[ObjectDefinition | MergedObject]) -> dict[str, ObjectArrays]:
    """Select all objects of a chunk.

    Parameters
    ----------
    columns
        The branches of the chunk.
    definitions
        In an order in which everything that cleans another object comes before it.

    Returns
    -------
    dict
        Name of the object -> its arrays. Objects with a NaN or infinite pT, eta or phi, or a negative pT, are never
        selected; they are counted in ``odd``, as are those whose identification or isolation is NaN.

    Raises
    ------
    MissingBranchError
        If the file lacks a branch that a definition needs.
    BranchError
        If a branch holds what it cannot: charges without a sign, momenta in MeV, a flag that is neither 0 nor 1, yes
        or no where a number or bits are asked for.
    FileError
        If a branch cannot be read, or the branches of a collection differ in length.
    """
    _check_branches(columns, definitions)
    selected: dict[str, ObjectArrays] = {}
    for definition in definitions:
        if isinstance(definition, MergedObject):
            selected[definition.name] = _merge([selected[name] for name in definition.of])
        elif definition.required or _available(columns, definition):
            selected[definition.name] = _select_one(columns, definition, selected)
        else:
            selected[definition.name] = _none_of(columns.n_events)
        if isinstance(definition, ObjectDefinition) and not definition.required:
            found = _available(columns, definition)
            columns.choices[f"{definition.name}: collection"] = definition.collection if found else "none"
    return selected


def _available(columns: Columns, definition: ObjectDefinition) -> bool:
    """Tell whether a file has all that an object needs."""
    return not _lacking(columns, definition)


def _lacking(columns: Columns, definition: ObjectDefinition) -> list[tuple[str, list[str]]]:
    """Return what an object needs and a file does not have: what for, and the branches that would do."""
    role = f"the object {definition.name!r}"
    needed = [(role, [[name]]) for name in definition.branches]
    for cut in definition.cuts:
        if not isinstance(cut, FirstAvailable):
            needed += [(role, [[name]]) for name in _names(definition, cut)]
        elif cut.required:
            needed.append((f"the {cut.role} of {role}", [_names(definition, one) for one in cut.cuts]))
    missing = [
        (what, [[name for name in names if not columns.has(name)] for names in alternatives])
        for what, alternatives in needed
    ]
    return [(what, _each_once(alternatives)) for what, alternatives in missing if all(alternatives)]


def _each_once(alternatives: list[list[str]]) -> list[str]:
    """Return a branch of each alternative that the file lacks; of those that several lack, one is enough."""
    return list(dict.fromkeys(names[0] for names in alternatives))


def _check_branches(columns: Columns, definitions: Sequence[ObjectDefinition | MergedObject]) -> None:
    """Name all that is missing at once: who changes a plan for other files wants to do it in one go."""
    required = [one for one in definitions if isinstance(one, ObjectDefinition) and one.required]
    lacking = {one.name: _lacking(columns, one) for one in required}
    every = [one for found in lacking.values() for one in found]
    if not every:
        return
    others = []
    for definition in required:
        names = [branches[0] for _, branches in lacking[definition.name]]
        if f"{definition.collection}_pt" in names:
            names = [f"all of {definition.collection}"]
        if names:
            others.append(f"{definition.name} ({', '.join(names)})")
    role, branches = every[0]
    more = f"; it lacks what these objects need: {', '.join(others)}" if len(every) > 1 else ""
    raise missing_branch(role, branches, columns.source, columns, more)


def _none_of(n_events: int) -> ObjectArrays:
    """Return the arrays of an object that no event has."""
    kinds = {"pt": np.float32, "eta": np.float32, "phi": np.float32, "mass": np.float32, "charge": np.int8,
             "flavour": np.int8}  # fmt: skip
    nothing = np.zeros(n_events, np.int64)
    return ObjectArrays(nothing, nothing, {name: np.zeros(0, kind) for name, kind in kinds.items()})


def _names(definition: ObjectDefinition, cut: Alternative) -> list[str]:
    return [f"{definition.collection}_{name}" for name in cut.fields]


def _select_one(columns: Columns, definition: ObjectDefinition, earlier: Mapping[str, ObjectArrays]) -> ObjectArrays:
    collection = definition.collection
    counts = columns.counts(collection)
    pt, eta, phi = (_content(columns, collection, name) for name in ("pt", "eta", "phi"))
    check_gev(f"{columns.source}: {collection}_pt", pt)
    finite = np.isfinite(pt) & np.isfinite(eta) & np.isfinite(phi)
    distance = np.abs(eta)
    odd = {"NaN or infinite": ~finite, "negative pT": pt < 0}
    keep = finite & (pt >= 0) & (pt > definition.pt_min) & (distance < definition.eta_max)
    for low, high in definition.eta_gaps:
        keep &= (distance < low) | (distance > high)
    for cut in definition.cuts:
        chosen = _resolve(columns, definition, cut)
        if chosen is not None:
            values = {name: _content(columns, collection, name) for name in chosen.fields}
            if isinstance(chosen, Cut) and chosen.asks_a_flag:
                values = {name: flags(f"{columns.source}: {collection}_{name}", one) for name, one in values.items()}
            _check_numbers(columns, collection, chosen, values)
            odd |= {f"{name} is NaN": np.isnan(one) for name, one in values.items() if one.dtype.kind == "f"}
            keep &= chosen.passes(values)
    for name, radius in definition.away_from:
        other = earlier[name]
        keep = kernels.far_from(
            counts, eta, phi, keep, other.starts, other.counts, other.content["eta"], other.content["phi"], radius
        )
    index, kept = kernels.by_descending(counts, pt, keep)
    n = len(index)
    mass = np.full(n, definition.mass) if definition.mass is not None else _content(columns, collection, "mass")[index]
    charge = _charges(columns, definition)[index] if definition.charged else np.zeros(n, np.int8)
    content = {
        "pt": pt[index],
        "eta": eta[index],
        "phi": phi[index],
        "mass": mass.astype(np.float32),
        "charge": charge,
        "flavour": np.full(n, definition.flavour, np.int8),
    }
    counted = {why: int(np.count_nonzero(which)) for why, which in odd.items()}
    return ObjectArrays(_starts(kept), kept, content, {why: n for why, n in counted.items() if n})


def _check_numbers(columns: Columns, collection: str, cut: Cut | ComputedCut, values: Mapping[str, AnyArray]) -> None:
    """Check that what a cut on numbers or bits reads is no decision: at which working point, it does not say."""
    for name, one in values.items():
        if cut.numbers and one.dtype == np.bool_:
            asked = f"{cut.op} {cut.value:g}" if isinstance(cut, Cut) else cut.name
            raise BranchError(
                f"{columns.source}: {collection}_{name} holds yes or no (bool), and the cut ({asked}) asks for its "
                f"number or bits; keep the branch as NanoAOD has it or, if True is what should pass, write "
                f"Cut({name!r}) in the plan"
            )


def _charges(columns: Columns, definition: ObjectDefinition) -> AnyArray:
    """Return the charges of all candidates; electrons and muons have no other than -1 and 1 (0: unknown)."""
    values = _content(columns, definition.collection, "charge")
    what = f"{columns.source}: {definition.collection}_charge"
    if definition.flavour not in _LEPTONS:
        return charges(what, values)
    found = charges(what, values, largest=1)
    check_signs(what, found)
    return found


def _content(columns: Columns, collection: str, name: str) -> AnyArray:
    values = columns.content(f"{collection}_{name}")
    counts, mine = columns.counts(collection), columns.counts(collection, name)
    if not np.array_equal(mine, counts):
        event = int(np.argmax(mine != counts))
        raise FileError(
            f"{columns.source}: {collection}_{name} has {len(values)} values, {collection}_pt has {counts.sum()} "
            f"(event {event}: {mine[event]} and {counts[event]}); the file is damaged or was filtered unevenly"
        )
    return values


def _resolve(
    columns: Columns, definition: ObjectDefinition, cut: Cut | ComputedCut | FirstAvailable
) -> Cut | ComputedCut | None:
    """Return the cut that this file can answer, and write the choice down; what none may lack is there."""
    if not isinstance(cut, FirstAvailable):
        return cut
    role = f"{definition.name}: {cut.role}"
    for one in cut.cuts:
        if all(columns.has(name) for name in _names(definition, one)):
            if isinstance(one, Recent) and not is_recent(columns):
                continue
            chosen, columns.choices[role] = _chosen(columns, definition, one)
            return chosen
    columns.choices[role] = "none"
    return None


def _chosen(columns: Columns, definition: ObjectDefinition, one: Alternative) -> tuple[Cut | ComputedCut, str]:
    """Return an alternative as this file means it, and its name in the output."""
    if isinstance(one, Recent):
        one = one.cut
    if isinstance(one, ComputedCut):
        return one, one.name
    branch = f"{definition.collection}_{one.field}"
    if isinstance(one, WorkingPoint):
        encoding = encoding_of(columns, branch)
        return one.cut(encoding), f"{branch} ({encoding})" if encoding else branch
    return one, branch


def _merge(parts: Sequence[ObjectArrays]) -> ObjectArrays:
    merged = parts[0]
    for part in parts[1:]:
        index = kernels.interleave(merged.counts, part.counts)
        both = {name: np.concatenate([merged.content[name], part.content[name]])[index] for name in merged.content}
        counts = merged.counts + part.counts
        order, counts = kernels.by_descending(counts, both["pt"], np.ones(len(index), dtype=bool))
        merged = ObjectArrays(_starts(counts), counts, {name: values[order] for name, values in both.items()})
    return merged


def _starts(counts: IntArray) -> IntArray:
    starts = np.zeros(len(counts), dtype=np.int64)
    np.cumsum(counts[:-1], out=starts[1:])
    return starts
