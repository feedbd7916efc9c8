"""Reading: the branches of one chunk of events, as flat numpy content and counts.

Takes coffea's NanoEvents (virtual, eager, or a computed partition of dask-awkward; any schema that keeps NanoAOD's
names), a plain awkward record array with NanoAOD's branch names, or branches that are flat already
(:class:`~coffea_ddp.events.flat.FlatEvents`). After this step there is no awkward array in the pass.

Examples
--------
>>> import awkward as ak
>>> events = ak.Array({"Muon_pt": [[40.0, 20.0], [], [30.0]], "MET_pt": [10.0, 20.0, 30.0]})
>>> columns = Columns(events)
>>> columns.content("Muon_pt"), columns.counts("Muon")
(array([40., 20., 30.]), array([2, 0, 1]))
>>> columns.first_of("missing transverse momentum", ("PuppiMET_pt", "MET_pt"))
'MET_pt'
>>> columns.choices
{'missing transverse momentum': 'MET_pt'}
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np

from coffea_ddp.errors import DDPError, FileError, MissingBranchError, describe, some_of
from coffea_ddp.events.dialects.known import dialect_of
from coffea_ddp.events.dialects.translation import Translated, Translation, together
from coffea_ddp.events.flat import FlatBranch, FlatEvents

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, IntArray


ROWS = "rows"
"""Name in place of a tree for a Parquet file, which has none."""
_SHOWN = 200
"""Characters of the names that a message tells."""
_ALTERNATIVES = 8
"""Number of missing branches that are compared with those that are there."""


class Columns:
    """The branches of one chunk, read when asked for and kept.

    Parameters
    ----------
    events
        NanoEvents, an awkward record array, or flat branches.
    source
        What error messages call the input: a file name, a chunk.
    file
        Path and tree of the file whose chunk it is, where there is one.
    first
        The number of the first event in the file.

    Attributes
    ----------
    choices
        Which alternative was used where several were allowed.
    dialect
        Format of the input, told by its names. NanoAOD's names are translated to those of another one; its own names
        are known too, in any spelling.
    dataset, kind
        Name of the dataset, and ``"data"`` or ``"simulation"``; empty where nothing is said.
    """

    def __init__(
        self,
        events: Any,
        source: str = "the events",
        file: tuple[str, str] | None = None,
        first: int = 0,
    ) -> None:
        self.n_events = len(events)
        self.source = source
        self.choices: dict[str, str] = {}
        self.dataset, self.kind = "", ""
        self.first = first
        self._file = file
        self._kept: dict[str, None] = {}
        self._flat = events.branches if isinstance(events, FlatEvents) else None
        # Names and numbers are all that is needed. coffea's behaviours would refuse a collection with a missing
        # coordinate before we can say which branch that is.
        self._events: Any = None if self._flat is not None else ak.Array(ak.to_layout(events), behavior={})
        self._fields = frozenset(ak.fields(events) if self._flat is None else self._flat)
        self._subfields: dict[str, frozenset[str]] = {}
        self._values: dict[str, AnyArray] = {}
        self._made: dict[str, AnyArray] = {}
        self._counts: dict[str, IntArray] = {}
        self.dialect = dialect_of(self._fields)
        self._translation = Translation.of(self.dialect, self._fields, getattr(events, "menu", None))
        if self.translates:
            self.choices["format of the events"] = self.dialect.name

    def moved(self, branch: str, move: Callable[[AnyArray], AnyArray] | str) -> Columns:
        """Return the same chunk with other content of one branch: a function of it, or that of another branch.

        Raises
        ------
        MissingBranchError
            If a branch is not there.
        FileError
            If the other branch has another number of objects in an event.
        """
        values = self._read(move if isinstance(move, str) else branch)
        self._read(branch)
        if isinstance(move, str) and not np.array_equal(self._counts.get(branch, ()), self._counts.get(move, ())):
            raise FileError(f"{self.source}: branches {branch} and {move} differ in their numbers of objects")
        found = copy.copy(self)
        # What is read is the same for both; what was chosen is that of the nominal events.
        vars(found).update(
            _values=dict(self._values),
            _made={**self._made, branch: values if isinstance(move, str) else move(values)},
            _counts=dict(self._counts),
            choices=dict(self.choices),
        )
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """The branches that were read, or told something by being there."""
        return tuple({**dict.fromkeys(self._values), **self._kept})

    def keep(self, branches: Iterable[str]) -> None:
        """Count branches among those that are needed though nothing is read of them."""
        self._kept.update(dict.fromkeys(branches))

    def has(self, branch: str) -> bool:
        """Tell whether the input has a branch."""
        return branch in self._fields or self._nested(branch) or self._translated(branch) is not None

    @property
    def translates(self) -> bool:
        """True for events of another format than NanoAOD."""
        return self._translation is not None

    def told(self, *branches: str) -> str:
        """Return what the input calls branches of NanoAOD's names: what people may find in it."""
        made = {name: self._translated(name) for name in branches}
        return together(told for name, one in made.items() for told in ((name,) if one is None else one.told))

    def asked(self, branch: str) -> str:
        """Return what a branch of NanoAOD's name is called that is not there: by both names, where there are two."""
        theirs = () if self._translation is None else self._translation.asked(branch)
        return f"{' or '.join(theirs)} ({branch} of NanoAOD)" if theirs else branch

    def lacking(self, branches: Sequence[str]) -> str:
        """Return what the input does not have, none of these branches, in words."""
        said = "" if self._translation is None else self._translation.lacking(branches)
        return said or f"no {' or '.join(branches)}"

    def advice(self, branches: Sequence[str]) -> str:
        """Return what is to be done about branches that are not there; empty where nothing special is known."""
        return "" if self._translation is None else self._translation.advice(branches)

    def _translated(self, branch: str) -> Translated | None:
        if self._translation is None or branch in self._fields:
            return None
        found = self._translation.find(branch)
        # What only some files fill is there where it holds anything; a file without events says no more than its names.
        if found is not None and found.may_be_empty and self.n_events and not len(self._read(found.inputs[0])):
            return None
        return found

    def _nested(self, branch: str) -> bool:
        # NanoAODSchema turns Muon_pt into events.Muon.pt and HLT_IsoMu24 into events.HLT.IsoMu24.
        collection, _, field = branch.partition("_")
        if not field or collection not in self._fields or self._flat is not None:
            return False
        if collection not in self._subfields:
            self._subfields[collection] = frozenset(ak.fields(self._events[collection]))
        return field in self._subfields[collection]

    def first_of(self, role: str, branches: Sequence[str], *, required: bool = True) -> str | None:
        """Return the first branch that the input has, and remember the choice under ``role``.

        Raises
        ------
        MissingBranchError
            If there is none and one is required.
        """
        for branch in branches:
            if self.has(branch):
                self.choices[role] = branch
                return branch
        if required:
            raise missing_branch(role, branches, self.source, self)
        self.choices[role] = "none"
        return None

    def title(self, branch: str) -> str:
        """Return what the file says that a branch holds; empty where it says nothing."""
        if self._flat is not None:
            return self._flat[branch].title if branch in self._flat else ""
        layout = self._array(branch).layout
        while True:
            found = layout.parameter("__doc__")
            if found or not hasattr(layout, "content"):
                return str(found or "")
            layout = layout.content

    def whole(self, branch: str) -> AnyArray:
        """Return the flat content of a branch in all of the file, where there is one and it can be read again."""
        mine = self.content(branch)
        if self._file is None or not self.n_events or self.translates:
            return mine
        found = _whole(*self._file, branch)
        return mine if found is None else found

    def per_event(self, branch: str) -> AnyArray:
        """Return a branch with one value an event, shape (n_events,)."""
        values = self._read(branch)
        if branch not in self._counts and len(values) != self.n_events:
            raise FileError(f"{self.source}: branch {branch} is damaged: {len(values)} of {self.n_events} values")
        if branch in self._counts:
            raise MissingBranchError(
                f"{self.source}: branch {branch} is a list in every event; one value per event is needed"
            )
        return values

    def content(self, branch: str) -> AnyArray:
        """Return the flat content of a branch with a list in every event."""
        values = self._read(branch)
        if branch not in self._counts:
            raise MissingBranchError(
                f"{self.source}: branch {branch} has one value an event; a list (one entry an object) is needed"
            )
        return values

    def counts(self, collection: str, like: str = "pt") -> IntArray:
        """Return how many objects each event has in a collection, shape (n_events,)."""
        branch = f"{collection}_{like}"
        self.content(branch)
        return self._counts[branch]

    def _read(self, branch: str) -> AnyArray:
        if branch in self._made:
            return self._made[branch]
        if branch not in self._values:
            if not self.has(branch):
                raise missing_branch(branch, (branch,), self.source, self)
            made = self._translated(branch)
            if made is not None:
                return self._make(branch, made)
            try:
                self._values[branch] = self._taken(branch)
            except (DDPError, MemoryError):
                raise
            except Exception as error:
                # uproot, lz4, zlib and the file system all have their own ways to say that bytes are missing.
                raise FileError(f"{self.source}: branch {branch} cannot be read: {describe(error)}") from error
        return self._values[branch]

    def _make(self, branch: str, made: Translated) -> AnyArray:
        """Return the content of a branch that is made of others, and keep its counts."""
        inputs = [FlatBranch(self._read(name), self._counts.get(name)) for name in made.inputs]
        try:
            found = made.make(inputs)
        except FileError as error:
            raise FileError(f"{self.source}: {error}") from None
        if found.counts is not None:
            self._counts[branch] = found.counts
        self._made[branch] = found.content
        return found.content

    def _taken(self, branch: str) -> AnyArray:
        """Return the content of a branch, and keep its counts."""
        if self._flat is None:
            return self._flattened(branch, self._array(branch))
        found = self._flat[branch]
        if found.counts is not None:
            self._counts[branch] = found.counts
        return found.content

    def _array(self, branch: str) -> Any:
        collection, _, field = branch.partition("_")
        return self._events[branch] if branch in self._fields else self._events[collection, field]

    def _flattened(self, branch: str, array: Any) -> AnyArray:
        layout = ak.materialize(array).layout
        self._check_lists(branch, layout)
        # What comes from a file is packed already; what somebody sliced is not.
        if not (_is_flat(layout) or (isinstance(layout, ak.contents.ListOffsetArray) and _is_packed(layout))):
            layout = ak.to_packed(layout, highlevel=False)
        layout = self._without_options(branch, layout)
        if layout.is_list:
            layout = layout.to_ListOffsetArray64(True)
            self._counts[branch] = np.diff(np.asarray(layout.offsets.data)).astype(np.int64)
            layout = self._without_options(branch, layout.content)
        if layout.is_unknown:  # an awkward list that never saw a value has no type
            layout = layout.to_NumpyArray(np.float64)
        if not _is_flat(layout):
            raise FileError(f"{self.source}: branch {branch} has no plain number for each event, or for each object")
        return np.asarray(layout.data)

    def _check_lists(self, branch: str, layout: Any) -> None:
        """Check that lists begin where the one before ends, and end within the content: a damaged file tells others."""
        if isinstance(layout, ak.contents.ListOffsetArray):
            offsets = np.asarray(layout.offsets.data)
            if offsets[0] < 0 or (np.diff(offsets) < 0).any() or offsets[-1] > layout.content.length:
                raise FileError(f"{self.source}: branch {branch} is damaged: the lengths of its lists cannot be")

    def _without_options(self, branch: str, layout: Any) -> Any:
        """Return the plain layout of what may be indexed or have missing values, but has none."""
        while layout.is_indexed or layout.is_option:
            if layout.is_option and not np.all(layout.mask_as_bool(valid_when=True)):
                raise FileError(
                    f"{self.source}: branch {branch} has missing values (None); drop them, or fill them with NaN, "
                    "so that objects stay in their events"
                )
            layout = layout.project()
        return layout

    def overview(self) -> str:
        """Return the collections and single branches of the input, as many as one reads."""
        fields = sorted(self._fields if self._translation is None else self._translation.shown)
        names = list(dict.fromkeys(re.split(r"[_.]", name, maxsplit=1)[0] for name in fields))
        fitting = int(np.searchsorted(np.cumsum([len(name) + 2 for name in names]), _SHOWN))
        return some_of(names, max(1, min(12, fitting)))

    def near_names(self, branch: str) -> list[str]:
        """Return branches of the input that resemble ``branch``: the same collection, or a close spelling."""
        import difflib  # only for an error message

        if self._translation is not None:
            return self._translation.near(branch)
        collection, _, field = branch.partition("_")
        self._nested(branch)
        inside = {f"{collection}_{name}" for name in self._subfields.get(collection, ())}
        inside |= {name for name in self._fields if name.startswith(f"{collection}_")}
        # Within the collection a resemblance is enough; elsewhere only a slip of the pen is meant.
        names, cutoff = (inside, 0.6) if inside and field else (self._fields, 0.75)
        return difflib.get_close_matches(branch, sorted(names), n=3, cutoff=cutoff)


@lru_cache(maxsize=16)
def _whole(path: str, tree: str, branch: str) -> AnyArray | None:
    """Return the values of one branch of a file, of whatever event; ``None`` where they cannot be read."""
    try:
        if tree == ROWS:  # however the file is called
            array = ak.from_parquet(path, columns=[branch])[branch]
        else:
            import uproot  # only where a chunk cannot tell

            with uproot.open({path: None}, array_cache=None, object_cache=None) as file:
                array = file[tree][branch].array()
    except Exception:  # noqa: BLE001 (what is wrong with the file is said where its chunks are read)
        return None
    return np.asarray(ak.flatten(array, axis=None))


def _is_flat(layout: Any) -> bool:
    return bool(layout.is_numpy and layout.purelist_depth == 1)


def _is_packed(layout: Any) -> bool:
    offsets = layout.offsets.data
    return bool(_is_flat(layout.content) and offsets[0] == 0 and offsets[-1] == len(layout.content))


def missing_branch(
    role: str, branches: Sequence[str], source: str, columns: Columns, more: str = ""
) -> MissingBranchError:
    """Return the error that names a missing branch, what was tried, what there is instead, and what else is missing."""
    tried = " or ".join(dict.fromkeys(columns.asked(name) for name in branches))
    asked = role in branches  # by a function of the plan, not by an object of it
    what = f"{source}: no branch {tried}" + ("" if asked else f" (needed for {role})")
    near = list(dict.fromkeys(name for branch in branches[:_ALTERNATIVES] for name in columns.near_names(branch)))[:3]
    has = ", ".join(near) if near else columns.overview()
    change = columns.advice(branches) or "Change the plan's object definitions, or leave the object out"
    way = "Ask for one that is there, or first `has_branch`" if asked else change
    return MissingBranchError(f"{what}; the file has {has or 'no branch'}{more}. {way}.")
