"""Descriptions of the trees of ROOT files, kept for the next chunk.

It takes uproot up to a second to read the description of a tree with thousands of branches, which every chunk would
pay. That of a local file is kept while the file is the same; nothing of it stays open.

Examples
--------
>>> import tempfile
>>> from coffea_ddp.testing import make_nanoaod
>>> with tempfile.TemporaryDirectory() as folder:
...     events = structure(str(make_nanoaod(f"{folder}/nano.root", events=500, seed=1)), "Events")
>>> len(events), events.branches["Muon_pt"].content.dtype, "Muon_charm" in events.branches
(0, dtype('float32'), False)
"""

from __future__ import annotations

import os
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import uproot

from coffea_ddp.events.dialects.dialect import NANOAOD, spelled
from coffea_ddp.events.dialects.known import dialect_of
from coffea_ddp.events.flat import FlatBranch, FlatEvents
from coffea_ddp.running.addresses import is_remote
from coffea_ddp.running.ntuples import SortedFields
from coffea_ddp.running.options import TIMEOUT
from coffea_ddp.running.schema import OPENING

_MOST = 4_000
"""Number of branches whose description is kept, 10 kB each; the tree that was used last is kept in any case."""
Range = tuple[int, int]
"""The first byte of a part of a file, and the one behind its last."""
_Identity = tuple[int, int, int, int]
_kept: OrderedDict[tuple[str, str, _Identity], Tree] = OrderedDict()
_kinds: dict[tuple[Any, ...], Kind | None] = {}
_lock = threading.Lock()


def opening(path: str) -> dict[str, Any]:
    """Return how uproot opens a file, once: of that file alone its RNTuples are kept while it is open."""
    mine = {**OPENING, "object_cache": SortedFields()}
    if is_remote(path):
        return mine
    # Read, and not mapped into memory: a mapped file that shrinks meanwhile kills the process.
    return {**mine, "handler": uproot.MultithreadedFileSource, "use_threads": False}


def open_root(path: str, timeout: float = TIMEOUT) -> Any:
    """Return uproot's directory of a ROOT file."""
    return uproot.open({path: None}, timeout=timeout, **opening(path))


@dataclass(frozen=True)
class Kind:
    """Numbers of a branch: their types in the file and in memory, and what tells the lengths of lists.

    Attributes
    ----------
    stored, native
        Types.
    counter
        The branch that counts them; empty for one number an event, and for lists that tell their lengths themselves.
    title
        Of the branch.
    header
        Bytes before the numbers of such a list (10 for a ``std::vector``); ``None`` for other branches.
    """

    stored: np.dtype[Any]
    native: np.dtype[Any]
    counter: str
    title: str
    header: int | None = None

    @property
    def nothing(self) -> FlatBranch:
        """The branch of no event."""
        lists = self.counter or self.header is not None
        return FlatBranch(np.zeros(0, self.native), np.zeros(0, np.int64) if lists else None, self.title)


class Tree:
    """A TTree as the head of its file describes it, of use after the file is closed.

    Parameters
    ----------
    model
        uproot's.

    Attributes
    ----------
    dialect
        Format of the tree.
    branches
        By their names; those of another format than NanoAOD by their one spelling, parts of branches too.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.dialect = dialect_of(branch.name for branch in model.branches)
        self.branches: dict[str, Any] = {branch.name: branch for branch in model.branches}
        if self.dialect is not NANOAOD:
            self.branches = {spelled(branch.name): branch for branch in model.itervalues(recursive=True)}
            _ = model.file.streamers  # say what vectors hold, and are not there once the file is closed
        self._kinds: dict[str, Kind | None] = {}

    def kind(self, name: str) -> Kind | None:
        """Return what a branch holds; ``None`` if that is no plain numbers, or lists of them, or it is not there."""
        if name not in self._kinds:
            self._kinds[name] = self._kind_of(self.branches[name]) if name in self.branches else None
        return self._kinds[name]

    def _kind_of(self, branch: Any) -> Kind | None:
        """Return what a branch holds, looked up among branches of other files that are described in the same words."""
        leaves = branch.member("fLeaves")
        if len(leaves) != 1 or len(branch.branches):
            return None
        counter = self._counter(leaves[0].member("fLeafCount"))
        leaf = (leaves[0].classname, *(leaves[0].member(name) for name in ("fTitle", "fLen", "fIsUnsigned")))
        key = (branch.name, branch.classname, branch.title, counter, *leaf)
        own_lengths = self.dialect is not NANOAOD
        if branch.classname != "TBranch":  # a class says more of itself elsewhere
            return _interpreted(branch, counter, own_lengths=own_lengths)
        if key not in _kinds:
            if len(_kinds) >= _MOST:
                _kinds.clear()
            _kinds[key] = _interpreted(branch, counter, own_lengths=own_lengths)
        return _kinds[key]

    def _counter(self, leaf: Any) -> str:
        """Return the name of the branch of a leaf that counts; empty where there is none, or none of its name is it."""
        name = "" if leaf is None else str(leaf.member("fName"))
        name = name if self.dialect is NANOAOD else spelled(name)
        there = name in self.branches and any(one is leaf for one in self.branches[name].member("fLeaves"))
        return name if there else ""


class _Nothing(Mapping[str, FlatBranch]):
    """The branches of a tree without any event: nothing is read."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def __getitem__(self, name: str) -> FlatBranch:
        kind = self._tree.kind(name)
        if kind is None:
            raise KeyError(name)
        return kind.nothing

    def __iter__(self) -> Iterator[str]:
        return iter(self._tree.branches)

    def __len__(self) -> int:
        return len(self._tree.branches)


def structure(path: str, tree: str) -> FlatEvents | None:
    """Return the events of a file without any event; ``None`` if it is no TTree."""
    with tree_of(path, tree) as (found, _):
        return None if found is None else FlatEvents(0, _Nothing(found))


# -- trees that are kept -----------------------------------------------------------------------------------------------


def keep(path: str, tree: str, model: Any, identity: _Identity | None) -> Tree | None:
    """Return a tree of a file, kept for those who read it next.

    Parameters
    ----------
    path, tree
        Of the file.
    model
        uproot's tree.
    identity
        Of the file before it was opened (:func:`identity_of`); ``None``: it is not kept.

    Returns
    -------
    Tree or None
        ``None`` if it is no TTree.
    """
    if not isinstance(model, uproot.TTree):
        return None
    found = Tree(model)
    if identity is not None and identity == identity_of(path):
        with _lock:
            _kept[path, tree, identity] = found
            while len(_kept) > 1 and sum(len(one.branches) for one in _kept.values()) > _MOST:
                _kept.popitem(last=False)
    return found


def identity_of(path: str) -> _Identity | None:
    """Return what changes when a local file is replaced or written to; ``None`` for others, and where there is none."""
    if is_remote(path):
        return None
    try:
        return _identity(os.stat(path))  # noqa: PTH116
    except OSError:
        return None


def _identity(told: os.stat_result) -> _Identity:
    return told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns


Fetch = Callable[[list[Range]], Callable[[Range], Any]]
"""Function of all ranges of bytes that will be wanted, which gives a function of one that gives uproot's chunk."""


@contextmanager
def tree_of(path: str, tree: str) -> Iterator[tuple[Tree | None, Fetch]]:
    """Yield a tree, ``None`` if it is no TTree, and what fetches bytes of its file."""
    if is_remote(path):
        with open_root(path) as file:
            model = _model(file, tree)
            yield keep(path, tree, model, None), lambda ranges: _requested(model, ranges)
        return
    with open(path, "rb") as raw:  # noqa: PTH123 (no Path for names as they are)
        identity = _identity(os.fstat(raw.fileno()))
        with _lock:
            found = _kept.get((path, tree, identity))
            if found is not None:
                _kept.move_to_end((path, tree, identity))
        if found is None:
            with open_root(path) as file:
                found = keep(path, tree, _model(file, tree), identity)
        yield found, lambda _ranges: lambda wanted: _bytes(raw, found, wanted)


def _model(file: Any, tree: str) -> Any:
    """Return uproot's tree; ``None`` for an RNTuple, of which nothing need be read to tell."""
    ntuple = "/" not in tree and "RNTuple" in file.classname_of(tree)
    return None if ntuple else file[tree]


def _requested(model: Any, ranges: list[Range]) -> Callable[[Range], Any]:
    """Ask for all at once: a server answers many ranges in one go."""
    chunks = model.file.source.chunks(ranges, notifications=queue.Queue())
    return dict(zip(ranges, chunks, strict=True)).__getitem__


def _bytes(raw: Any, tree: Tree | None, wanted: Range) -> Any:
    assert tree is not None
    start, stop = wanted
    raw.seek(start)
    data = raw.read(stop - start)
    if len(data) != stop - start:
        raise EOFError(f"{len(data)} of {stop - start} bytes at {start}")
    return uproot.source.chunk.Chunk.wrap(tree.model.file.source, np.frombuffer(data, np.uint8), start)


# -- what branches hold ------------------------------------------------------------------------------------------------


def _interpreted(branch: Any, counter: str, *, own_lengths: bool) -> Kind | None:
    found = branch.interpretation
    is_list = type(found) is uproot.AsJagged
    numbers = found.content if is_list else found
    if type(numbers) is not uproot.AsDtype or numbers.from_dtype.kind not in "biuf":
        return None
    header = int(found.header_bytes) if is_list and own_lengths and not counter else None
    if is_list != bool(counter or header is not None) or (counter and found.header_bytes):
        return None
    return Kind(numbers.from_dtype, numbers.to_dtype, counter, branch.title, header)
