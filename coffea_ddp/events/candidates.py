"""Candidates of the collections of a chunk: those that pass the cuts of their object, and the objects made of them.

The cuts are asked of all candidates of the chunk, so that what is wrong with a file, and what is counted of it, does
not depend on which events are wanted. Cleaning and ordering look at the events that are wanted.

Examples
--------
>>> import awkward as ak
>>> from coffea_ddp.events.branches import Columns
>>> pt = [[20.0, 40.0], [30.0], []]
>>> events = ak.Array({"Muon_pt": pt, "Muon_eta": ak.zeros_like(pt), "Muon_phi": ak.zeros_like(pt)})
>>> found = Candidates.of(Columns(events), [ObjectDefinition("mu", "Muon", pt_min=25.0)])
>>> found.ordered()["mu"].counts, found.ordered(np.array([1, 2]))["mu"].counts
(array([1, 1, 0]), array([1, 0]))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import BranchError, FileError
from coffea_ddp.events import kernels
from coffea_ddp.events.branches import missing_branch
from coffea_ddp.events.cuts import Alternative, ComputedCut, Cut, FirstAvailable, NotAsked, Only, Recent, WorkingPoint
from coffea_ddp.events.nanoaod_versions import encoding_of, is_recent
from coffea_ddp.events.objects import MergedObject, ObjectArrays, ObjectDefinition
from coffea_ddp.events.values import BEAM, charges, check_gev, check_signs, flags

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, BoolArray, IntArray
    from coffea_ddp.events.branches import Columns

_LEPTONS = (11, 13)
_LARGE = 1e30
"""Above any angle, and below what single precision holds."""
_Cleaning = tuple[tuple[str, float], ...]


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
    return Candidates.of(columns, definitions).ordered()


@dataclass(frozen=True)
class Candidates:
    """The candidates of a chunk that pass the cuts of each object of a plan."""

    n_events: int
    _found: Mapping[str, _Found | MergedObject | None]

    @classmethod
    def of(cls, columns: Columns, definitions: Sequence[ObjectDefinition | MergedObject]) -> Candidates:
        """Ask the cuts of all definitions (see :func:`select` for what can go wrong)."""
        _check_branches(columns, definitions)
        chunk = _Chunk(columns, {}, {})
        found: dict[str, _Found | MergedObject | None] = {}
        for definition in definitions:
            if isinstance(definition, MergedObject):
                found[definition.name] = definition
                continue
            known = definition.required or _available(columns, definition)
            found[definition.name] = chunk.candidates(definition) if known else None
            if not definition.required:
                columns.choices[f"{definition.name}: collection"] = definition.collection if known else "none"
        return cls(columns.n_events, found)

    def ordered(self, entries: IntArray | None = None) -> dict[str, ObjectArrays]:
        """Return the objects of some events, cleaned, the largest pT first.

        Parameters
        ----------
        entries
            The events; ``None``: all of the chunk.
        """
        selected: dict[str, ObjectArrays] = {}
        done: list[tuple[_Found, _Cleaning, ObjectArrays]] = []
        for name, found in self._found.items():
            if isinstance(found, MergedObject):
                selected[name] = _merge([selected[part] for part in found.of])
            elif found is None:
                selected[name] = _none_of(self.n_events if entries is None else len(entries))
            else:
                # Where nothing is there that would clean it, an object may be the same as one before it.
                cleaning = tuple(one for one in found.definition.away_from if selected[one[0]].counts.any())
                alike = (it for other, by, it in done if by == cleaning and found.is_like(other))
                objects = next(alike, None) or found.ordered(entries, cleaning, selected)
                done.append((found, cleaning, objects))
                selected[name] = replace(objects, odd=found.odd)
        return selected


@dataclass(frozen=True)
class _Found:
    """Candidates of one object: those that pass its cuts, where those of each event begin, and what they are."""

    definition: ObjectDefinition
    starts: IntArray
    counts: IntArray
    keep: BoolArray
    content: Mapping[str, AnyArray]
    odd: Mapping[str, int]

    def is_like(self, other: _Found) -> bool:
        """Tell whether these are the same candidates, and the objects would be made of them in the same way."""
        mine, theirs = self.definition, other.definition
        names = ("collection", "mass", "charged", "flavour")
        return all(getattr(mine, name) == getattr(theirs, name) for name in names) and np.array_equal(
            self.keep, other.keep
        )

    def ordered(
        self, entries: IntArray | None, cleaning: _Cleaning, earlier: Mapping[str, ObjectArrays]
    ) -> ObjectArrays:
        """Return the objects of some events, away from those before, the largest pT first."""
        starts, counts = self.starts, self.counts
        if entries is not None:
            starts, counts = starts.take(entries), counts.take(entries)
        keep, pt, eta, phi = self.keep, *(self.content[name] for name in ("pt", "eta", "phi"))
        for name, radius in cleaning:
            other = earlier[name]
            keep = kernels.far_from(
                starts, counts, eta, phi, keep, other.starts, other.counts, other.content["eta"], other.content["phi"],
                radius
            )  # fmt: skip
        index, kept = kernels.by_descending(starts, counts, pt, keep)
        n, known = len(index), self.definition
        content = {
            "pt": pt.take(index),
            "eta": eta.take(index),
            "phi": phi.take(index),
            "mass": (np.full(n, known.mass) if known.mass is not None else self.content["mass"].take(index)).astype(
                np.float32
            ),
            "charge": self.content["charge"].take(index) if known.charged else np.zeros(n, np.int8),
            "flavour": np.full(n, known.flavour, np.int8),
        }
        return ObjectArrays(_starts(kept), kept, content, self.odd, known.collection, index)


@dataclass(frozen=True)
class _Chunk:
    """The branches of a chunk, with what several definitions ask of one collection."""

    columns: Columns
    _basics: dict[str, _Basics]
    _answers: dict[tuple[str, str | int], tuple[BoolArray, dict[str, int]]]

    def candidates(self, definition: ObjectDefinition) -> _Found:
        """Return which candidates of a collection pass the cuts of a definition."""
        collection = definition.collection
        basics = self._basics_of(collection)
        odd = {"NaN or infinite": basics.infinite, "negative pT": basics.negative}
        keep = (basics.pt > definition.pt_min) & (basics.distance < definition.eta_max)
        if basics.good is not None:
            keep &= basics.good
        for low, high in definition.eta_gaps:
            keep &= (basics.distance < low) | (basics.distance > high)
        for cut in definition.cuts:
            chosen = _resolve(self.columns, definition, cut)
            if chosen is not None:
                passes, nans = self._answer(collection, chosen)
                odd |= nans
                keep &= passes
        content = {"pt": basics.pt, "eta": basics.eta, "phi": basics.phi}
        if definition.mass is None:
            content["mass"] = _content(self.columns, collection, "mass")
        if definition.charged:
            content["charge"] = _charges(self.columns, definition)
        return _Found(definition, basics.starts, basics.counts, keep, content, {why: n for why, n in odd.items() if n})

    def _basics_of(self, collection: str) -> _Basics:
        if collection not in self._basics:
            counts = self.columns.counts(collection)
            pt, eta, phi = (_content(self.columns, collection, name) for name in ("pt", "eta", "phi"))
            distance = np.abs(eta)
            good, infinite, negative = None, 0, 0
            if not (_within(pt, 0.0, BEAM) and _within(distance, 0.0, _LARGE) and _within(phi, -_LARGE, _LARGE)):
                check_gev(f"{self.columns.source}: {collection}_pt", pt)
                finite = np.isfinite(pt) & np.isfinite(eta) & np.isfinite(phi)
                good = finite & (pt >= 0)
                infinite, negative = len(finite) - int(np.count_nonzero(finite)), int(np.count_nonzero(pt < 0))
            self._basics[collection] = _Basics(
                _starts(counts), counts, pt, eta, phi, distance, good, infinite, negative
            )
        return self._basics[collection]

    def _answer(self, collection: str, cut: Cut | ComputedCut) -> tuple[BoolArray, dict[str, int]]:
        """Return which candidates pass a cut, and how many have no answer."""
        # A flag and a number are asked in two ways: True is 1 to a dictionary.
        key = (collection, repr(cut)) if isinstance(cut, Cut) else (collection, id(cut))
        if key not in self._answers:
            values = {name: _content(self.columns, collection, name) for name in cut.fields}
            if isinstance(cut, Cut) and cut.asks_a_flag:
                what = f"{self.columns.source}: {collection}"
                values = {name: flags(f"{what}_{name}", one) for name, one in values.items()}
            _check_numbers(self.columns, collection, cut, values)
            nans = {
                f"{name} is NaN": int(np.count_nonzero(np.isnan(one)))
                for name, one in values.items()
                if one.dtype.kind == "f" and not _within(one, -np.inf, np.inf)
            }
            self._answers[key] = cut.passes(values), nans
        return self._answers[key]


@dataclass(frozen=True)
class _Basics:
    """The candidates of a collection, and how many have a pT, eta or phi that cannot be (``good`` is None: none)."""

    starts: IntArray
    counts: IntArray
    pt: AnyArray
    eta: AnyArray
    phi: AnyArray
    distance: AnyArray
    good: BoolArray | None
    infinite: int
    negative: int


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
            alternatives = cut.of(columns.dialect.name) or cut.cuts
            needed.append((f"the {cut.role} of {role}", [_names(definition, one) for one in alternatives]))
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
    if mine is not counts and not np.array_equal(mine, counts):
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
    for one in cut.of(columns.dialect.name):
        if all(columns.has(name) for name in _names(definition, one)):
            if isinstance(one, Recent) and not is_recent(columns):
                continue
            if isinstance(one, Only) and isinstance(one.cut, NotAsked):
                columns.choices[role] = one.cut.why
                return None
            chosen, columns.choices[role] = _chosen(columns, definition, one)
            return chosen
    columns.choices[role] = "none"
    return None


def _chosen(columns: Columns, definition: ObjectDefinition, one: Alternative) -> tuple[Cut | ComputedCut, str]:
    """Return an alternative as this file means it, and its name in the output."""
    cut = one.cut if isinstance(one, Recent | Only) else one
    assert not isinstance(cut, NotAsked)
    if isinstance(cut, ComputedCut):
        made_of = columns.told(*_names(definition, cut)) if columns.translates else ""
        return cut, f"{cut.name} ({made_of})" if made_of else cut.name
    branch = f"{definition.collection}_{cut.field}"
    if isinstance(cut, WorkingPoint):
        encoding = encoding_of(columns, branch)
        return cut.cut(encoding), f"{branch} ({encoding})" if encoding else branch
    return cut, columns.told(branch)


def _merge(parts: Sequence[ObjectArrays]) -> ObjectArrays:
    merged = parts[0]
    for part in parts[1:]:
        index = kernels.interleave(merged.counts, part.counts)
        both = {name: np.concatenate([merged.content[name], part.content[name]]).take(index) for name in merged.content}
        counts = merged.counts + part.counts
        order, counts = kernels.by_descending(_starts(counts), counts, both["pt"], np.ones(len(index), dtype=bool))
        merged = ObjectArrays(_starts(counts), counts, {name: values.take(order) for name, values in both.items()})
    return merged


def _within(values: AnyArray, low: float, high: float) -> bool:
    """Tell whether all values are in a range, both ends included: NaN is not."""
    return not len(values) or bool(low <= values.min() and values.max() <= high)


def _starts(counts: IntArray) -> IntArray:
    starts = np.zeros(len(counts), dtype=np.int64)
    np.cumsum(counts[:-1], out=starts[1:])
    return starts
