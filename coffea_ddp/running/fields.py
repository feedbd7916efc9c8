"""Branches of files of another format than NanoAOD, by their one spelling, in a TTree or an RNTuple.

A TTree is read as it is stored (:mod:`coffea_ddp.running.baskets`). Of an RNTuple the fields that are wanted are
read one by one; what fields there are :mod:`coffea_ddp.running.ntuples` has at hand.

Examples
--------
>>> import tempfile
>>> from coffea_ddp.testing import make_physlite
>>> with tempfile.TemporaryDirectory() as folder:
...     path = str(make_physlite(f"{folder}/atlas.root", events=50, seed=1, container="rntuple"))
...     with opened(path, "EventData", 10, 30) as events:
...         len(events), events.branches["EventInfo.eventNumber"].content[:3]
(20, array([11, 12, 13], dtype=uint64))
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np
import uproot
from coffea.processor.executor import WorkItem

from coffea_ddp.errors import FileError, describe
from coffea_ddp.events.branches import Columns
from coffea_ddp.events.dialects.dialect import Dialect, spelled
from coffea_ddp.events.dialects.known import TREES, dialect_of
from coffea_ddp.events.flat import FlatBranch, FlatEvents
from coffea_ddp.running import baskets
from coffea_ddp.running.metadata import menu_of
from coffea_ddp.running.sources import TREE
from coffea_ddp.running.trees import open_root

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray

DIALECT = "coffea_ddp_dialect"
"""Key of the format of a chunk's file in its metadata, where that is not NanoAOD."""
_LINKS = ("m_persKey", "m_persIndex")
"""Parts of a link to an element of another container."""


def is_translated(item: WorkItem) -> bool:
    """Tell whether a chunk is of a file of another format than NanoAOD."""
    return bool((item.usermeta or {}).get(DIALECT))


def known_tree(file: Any, tree: str) -> str:
    """Return the tree of a ROOT file that is meant: where NanoAOD's is asked for and is not there, that of another."""
    return next((one for one in TREES if one in file), tree) if tree == TREE and tree not in file else tree


def of_model(model: Any) -> Dialect:
    """Return the dialect of uproot's TTree or RNTuple."""
    parts = model.fields if is_ntuple(model) else getattr(model, "branches", ())
    return dialect_of(one.name for one in parts)


def is_ntuple(model: Any) -> bool:
    """Tell whether something of a ROOT file is an RNTuple."""
    return isinstance(model, uproot.behaviors.RNTuple.HasFields)


def read(path: str, tree: str, names: Collection[str], start: int, stop: int) -> FlatEvents:
    """Return branches of some entries.

    Parameters
    ----------
    path, tree
        Of a ROOT file.
    names
        Of the branches.
    start, stop
        The entries.

    Raises
    ------
    FileError
        If a branch holds no numbers, or cannot be read.
    """
    found = baskets.read(path, tree, names, start, stop)
    if found is not None:
        return FlatEvents(found.n_events, found.branches, partial(menu_of, path))
    with opened(path, tree, start, stop) as events:
        return FlatEvents(len(events), {name: events.branches[name] for name in names}, events.menu)


@contextmanager
def opened(path: str, tree: str, start: int = 0, stop: int = 0) -> Iterator[FlatEvents]:
    """Yield some entries of a file, whose branches are read when they are asked for: of none, what there is."""
    with open_root(path) as file:
        yield FlatEvents(stop - start, _Branches(path, file[tree], start, stop), partial(menu_of, path))


def of_chunk(item: WorkItem) -> AbstractContextManager[FlatEvents]:
    """Return what yields the events of a chunk (:func:`opened`)."""
    return opened(item.filename, item.treename, item.entrystart, item.entrystop)


@contextmanager
def per_event(item: WorkItem) -> Iterator[tuple[set[str], Callable[[str], AnyArray]]]:
    """Yield NanoAOD's names for what a chunk has once an event, and what reads one of them."""
    with of_chunk(item) as events:
        columns = Columns(events, item.filename)
        yield {name for name in columns.dialect.events if columns.has(name)}, columns.per_event


class _Branches(Mapping[str, FlatBranch]):
    """The branches of some entries of an open file."""

    def __init__(self, path: str, model: Any, start: int, stop: int) -> None:
        self._path, self._start, self._stop = path, start, stop
        self._places = dict(_fields(model) if is_ntuple(model) else _branches(model))
        self._read: dict[str, FlatBranch] = {}

    def __getitem__(self, name: str) -> FlatBranch:
        if name not in self._read:
            self._read[name] = self._flat(name, *self._places[name])
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def _flat(self, name: str, place: Any, part: str) -> FlatBranch:
        try:
            array = place.array(entry_start=self._start, entry_stop=self._stop)
            array = array[part] if part else array
            layout = ak.to_packed(array).layout
            counts = None
            if layout.is_list:
                counts = np.diff(np.asarray(layout.to_ListOffsetArray64(True).offsets.data)).astype(np.int64)
                layout = layout.to_ListOffsetArray64(True).content
            if len(array) != self._stop - self._start:
                raise OSError(f"{len(array)} of {self._stop - self._start} entries")
        except Exception as error:
            raise FileError(f"{self._path}: branch {name} cannot be read ({describe(error)})") from error
        if not (layout.is_numpy and layout.purelist_depth == 1):
            raise FileError(f"{self._path}: branch {name} has no plain number for each event, or for each object")
        content = np.asarray(layout.data)
        return FlatBranch(content.astype(content.dtype.newbyteorder("="), copy=False), counts)


def _branches(model: Any) -> Iterator[tuple[str, tuple[Any, str]]]:
    for branch in model.itervalues(recursive=True):
        yield spelled(branch.name), (branch, "")


def _fields(model: Any) -> Iterator[tuple[str, tuple[Any, str]]]:
    """Yield the fields of an RNTuple: those of containers, and parts of records and of links."""
    for field in model.fields:
        name = spelled(field.name)
        yield name, (field, "")
        if name.endswith("Link"):  # one for each object; others are several
            for part in _LINKS:
                yield f"{name}.{part}", (field, part)
        elif field.name.endswith(":"):
            for part in field.fields:
                yield f"{name.rstrip('.')}.{part.name}", (part, "")
