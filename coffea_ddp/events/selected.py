"""The events of one chunk after object selection: what symmetries, topologies and features are functions of.

Examples
--------
>>> import awkward as ak
>>> from coffea_ddp.events.branches import Columns
>>> from coffea_ddp.events.objects import ObjectDefinition
>>> events = ak.Array(
...     {
...         "Muon_pt": [[20.0, 40.0], []],
...         "Muon_eta": [[0.0, 0.0], []],
...         "Muon_phi": [[0.0, 3.14159], []],
...     }
... )
>>> selected = SelectedEvents.from_columns(Columns(events), [ObjectDefinition("mu", "Muon", pt_min=10.0)])
>>> selected.count("mu")
array([2, 0])
>>> selected.leading("mu").pt
array([40., nan])
>>> pair_mass(selected.leading("mu", 0), selected.leading("mu", 1)).round(2)
array([56.57,   nan])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from coffea_ddp.errors import InputError, UnknownNameError, did_you_mean
from coffea_ddp.events import kernels
from coffea_ddp.events.candidates import Candidates
from coffea_ddp.events.missing_momentum import is_there, missing_momentum
from coffea_ddp.events.objects import MergedObject, ObjectArrays, ObjectDefinition
from coffea_ddp.events.particles import Particles, delta_phi, four_momentum, pair_mass, transverse_mass
from coffea_ddp.events.values import flags, whole_numbers

if TYPE_CHECKING:
    import awkward as ak

    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray, IntArray
    from coffea_ddp.events.branches import Columns

# Plans take what they need of events from here.
__all__ = ["Particles", "SelectedEvents", "delta_phi", "four_momentum", "pair_mass", "transverse_mass"]
_T = TypeVar("_T")


@dataclass(frozen=True)
class SelectedEvents:
    """The selected objects and the event-level branches of one chunk.

    Made by :meth:`from_columns`; predicates and features get one and return an array of shape (n_events,).

    Examples
    --------
    >>> import awkward as ak
    >>> from coffea_ddp.events.branches import Columns
    >>> from coffea_ddp.events.objects import ObjectDefinition
    >>> events = ak.zip({name: ak.Array([[40.0, 25.0], []]) for name in ("Muon_pt", "Muon_eta", "Muon_phi")}, 1)
    >>> SelectedEvents.from_columns(Columns(events, "here"), (ObjectDefinition("mu", "Muon"),)).count("mu").tolist()
    [2, 0]
    """

    n_events: int
    _objects: dict[str, ObjectArrays]
    _columns: Columns
    _index: IntArray | None = None
    _cache: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)
    _leading: dict[tuple[str, int], Particles] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_columns(cls, columns: Columns, definitions: Sequence[ObjectDefinition | MergedObject]) -> SelectedEvents:
        """Select the objects of a chunk (see :func:`coffea_ddp.events.candidates.select` for what can go wrong)."""
        return cls.of(columns, Candidates.of(columns, definitions))

    @classmethod
    def of(
        cls, columns: Columns, candidates: Candidates | None, wanted: SelectedEvents | None = None
    ) -> SelectedEvents:
        """Return events of a chunk with their objects.

        Parameters
        ----------
        columns
            The chunk.
        candidates
            Of its objects; ``None``: the events have none, only branches.
        wanted
            Events of the same chunk; ``None``: all.
        """
        entries = None if wanted is None else wanted._index  # noqa: SLF001 (its own class)
        objects = {} if candidates is None else candidates.ordered(entries)
        return cls(columns.n_events if entries is None else len(entries), objects, columns, entries)

    def _arrays(self, name: str) -> ObjectArrays:
        if name not in self._objects:
            raise UnknownNameError(
                f"no object {name!r} in the plan; the objects are: {', '.join(self._objects) or 'none'}"
                f"{did_you_mean(name, self._objects)}"
            )
        return self._objects[name]

    def has_object(self, name: str) -> bool:
        """Tell whether the plan has an object."""
        return name in self._objects

    def count(self, name: str) -> IntArray:
        """Return the number of selected objects of every event."""
        return self._arrays(name).counts

    def leading(self, name: str, k: int = 0) -> Particles:
        """Return the object with the k-th largest pT (0 is the leading one) of every event."""
        key = (name, k)
        if key not in self._leading:
            arrays = self._arrays(name)
            if k < 0:
                raise InputError(f"leading({name!r}, {k}): objects are counted from 0, the one with the largest pT")
            rows = np.flatnonzero(arrays.counts > k)
            where = arrays.starts.take(rows) + k

            def pick(part: str, missing: float, dtype: type) -> AnyArray:
                if len(rows) == self.n_events:
                    return arrays.content[part].take(where).astype(dtype)
                values: AnyArray = np.full(self.n_events, missing, dtype=dtype)
                values[rows] = arrays.content[part].take(where)
                return values

            floats = {part: pick(part, np.nan, np.float64) for part in ("pt", "eta", "phi", "mass")}
            self._leading[key] = Particles(
                **floats, charge=pick("charge", 0, np.int8), flavour=pick("flavour", 0, np.int8)
            )
        return self._leading[key]

    def at(self, name: str, k: int, rows: IntArray) -> Particles:
        """Return the object with the k-th largest pT of some events, all of which have it, shape (n_rows,)."""
        arrays = self._arrays(name)
        where = arrays.starts.take(rows) + k
        floats = (arrays.content[part].take(where).astype(np.float64) for part in ("pt", "eta", "phi", "mass"))
        return Particles(*floats, *(arrays.content[part].take(where) for part in ("charge", "flavour")))

    def once(self, key: Any, compute: Callable[[], _T]) -> _T:
        """Return what ``compute`` gives, computing it once: for what several predicates or features need."""
        if key not in self._cache:
            self._cache[key] = compute()
        found: _T = self._cache[key]
        return found

    def sum_pt(self, name: str) -> FloatArray:
        """Return the scalar sum of the pT of all selected objects, in GeV; 0 where there is none."""
        arrays = self._arrays(name)
        return kernels.sum_each(arrays.starts, arrays.counts, arrays.content["pt"])

    def collection(self, name: str) -> ak.Array:
        """Return the selected objects as an awkward array of records, for what the other methods do not offer."""
        import awkward as ak  # needed by users' own functions only

        arrays = self._arrays(name)
        layout = ak.contents.ListArray(
            ak.index.Index64(arrays.starts),
            ak.index.Index64(arrays.starts + arrays.counts),
            ak.zip(dict(arrays.content)).layout,
        )
        return ak.Array(layout)

    def branch(self, name: str) -> AnyArray:
        """Return an event-level branch of the file, shape (n_events,)."""
        values = self._columns.per_event(name)
        return values if self._index is None else values.take(self._index)

    def whole_numbers(self, name: str, dtype: Any) -> AnyArray:
        """Return an event-level branch of whole numbers, as the type asked for, shape (n_events,).

        Raises
        ------
        BranchError
            If it holds something else: a fraction, NaN, a negative number.
        """
        # All of the chunk, so that what is refused does not depend on what was selected.
        values = whole_numbers(
            f"{self.source}: branch {name}", self._columns.per_event(name), dtype, first=self._columns.first
        )
        return values if self._index is None else values.take(self._index)

    def flags(self, name: str) -> BoolArray:
        """Return an event-level branch of yes or no, shape (n_events,).

        Raises
        ------
        BranchError
            If one is neither 0 nor 1.
        """
        values = flags(
            f"{self.source}: branch {name}", self._columns.per_event(name), first=self._columns.first, unit="entry"
        )
        return values if self._index is None else values.take(self._index)

    @property
    def dataset(self) -> str:
        """Name of the dataset that the events are of; empty where nothing tells it."""
        return self._columns.dataset

    @property
    def is_data(self) -> bool:
        """True for data, False for simulation: as the fileset says, else by the file, which has ``genWeight`` or not.

        A chunk of events is of one dataset, so this is one answer for all of them.
        """
        kind = self._columns.kind
        return kind == "data" if kind else not self.has_branch("genWeight")

    @property
    def entries(self) -> IntArray:
        """The number of every event within its chunk."""
        return np.arange(self.n_events) if self._index is None else self._index

    def has_branch(self, name: str) -> bool:
        """Tell whether the file has a branch."""
        return self._columns.has(name)

    def choose(self, role: str, branches: Sequence[str], *, required: bool = True) -> str | None:
        """Return the first branch that the file has; the output will say which (see :meth:`Columns.first_of`)."""
        return self._columns.first_of(role, branches, required=required)

    def lacking(self, branches: Sequence[str]) -> str:
        """Return what the file does not have, none of these branches, in words."""
        return self._columns.lacking(branches)

    def note(self, role: str, used: str) -> None:
        """Have the output say what was used for ``role``."""
        self._columns.choices[role] = used

    @property
    def source(self) -> str:
        """Name of these events in error messages."""
        return self._columns.source

    @property
    def has_met(self) -> bool:
        """True where the file has a missing transverse momentum, or a soft term to make it of."""
        return is_there(self._columns)

    @property
    def met(self) -> Particles:
        """The missing transverse momentum (eta and mass 0), of the first of PuppiMET, MET, PFMET that the file has.

        Of a file with a soft term alone, that minus the selected objects (:mod:`.missing_momentum`). NaN where the
        file's is NaN, infinite or negative.
        """
        key = ("met", -1)
        if key not in self._cache:
            pt, phi = missing_momentum(self._columns, self._objects)
            if self._index is not None:
                pt, phi = pt.take(self._index), phi.take(self._index)
            finite = np.isfinite(pt) & np.isfinite(phi) & (pt >= 0)
            pt, phi, zero = (np.where(finite, values, np.nan) for values in (pt, phi, np.zeros(self.n_events)))
            nothing = np.zeros(self.n_events, np.int8)
            self._cache[key] = Particles(pt, zero, phi, zero, nothing, nothing)
        found: Particles = self._cache[key]
        return found

    def take(self, index: IntArray) -> SelectedEvents:
        """Return the chosen events only; nothing is copied but starts and counts."""
        whole = index if self._index is None else self._index.take(index)
        objects = {name: arrays.take(index) for name, arrays in self._objects.items()}
        return SelectedEvents(len(index), objects, self._columns, whole)

    def where(self, keep: BoolArray) -> SelectedEvents:
        """Return the events of a mask; where these are all, their leading objects are not picked once more."""
        if keep.all():
            return SelectedEvents(self.n_events, self._objects, self._columns, self._index, _leading=self._leading)
        return self.take(np.flatnonzero(keep))

    def odd_met(self) -> dict[str, int]:
        """Return how many events have no missing momentum that can be, where any was asked for: else nothing."""
        asked = self._cache.get(("met", -1))
        n = 0 if asked is None else int(np.count_nonzero(np.isnan(asked.pt)))
        return {"missing pT is NaN, infinite or negative": n} if n else {}

    @property
    def odd(self) -> dict[str, int]:
        """Numbers of candidates of the chunk that could not be selected: ``"e: NaN or infinite"`` and the like."""
        return {f"{name}: {why}": n for name, arrays in self._objects.items() for why, n in arrays.odd.items()}
