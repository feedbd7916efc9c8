"""The branches of a TTree, read as they are stored: flat content, and how many values each event has.

Nothing is built around the numbers that the pass would take apart again, and lengths that the branches of a collection
share are told once. What this module does not know, it leaves to uproot: then there is no result, and no error.

What a local file says of its trees at its head is kept, and nothing of it stays open: it takes uproot up to a second to
read that of a file with thousands of branches, which every chunk would pay.

Examples
--------
>>> import tempfile
>>> from coffea_ddp.testing import make_nanoaod
>>> with tempfile.TemporaryDirectory() as folder:
...     path = str(make_nanoaod(f"{folder}/nano.root", events=500, seed=1))
...     events = read(path, "Events", ("Muon_pt", "Muon_eta", "MET_pt"), 100, 200)
>>> len(events), events.branches["Muon_pt"].counts is events.branches["Muon_eta"].counts
(100, True)
"""

from __future__ import annotations

import os
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import uproot

from coffea_ddp.events.flat import FlatBranch, FlatEvents
from coffea_ddp.running.addresses import is_remote
from coffea_ddp.running.options import TIMEOUT
from coffea_ddp.running.schema import OPENING

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, IntArray

_MOST = 4_000
"""Number of branches whose description is kept, 10 kB each; the tree that was used last is kept in any case."""
_Range = tuple[int, int]
_Identity = tuple[int, int, int, int]
_kept: OrderedDict[tuple[str, str, _Identity], Tree] = OrderedDict()
_lock = threading.Lock()


def opening(path: str) -> dict[str, Any]:
    """Return how uproot opens a file."""
    if is_remote(path):
        return dict(OPENING)
    # Read, and not mapped into memory: a mapped file that shrinks meanwhile kills the process.
    return {**OPENING, "handler": uproot.MultithreadedFileSource, "use_threads": False}


def open_root(path: str, timeout: float = TIMEOUT) -> Any:
    """Return uproot's directory of a ROOT file."""
    return uproot.open({path: None}, timeout=timeout, **opening(path))


@dataclass(frozen=True)
class _Kind:
    """Numbers of a branch: their types in the file and in memory, and what counts them, empty for one an event."""

    stored: np.dtype[Any]
    native: np.dtype[Any]
    counter: str
    title: str

    @property
    def nothing(self) -> FlatBranch:
        """The branch of no event."""
        return FlatBranch(np.zeros(0, self.native), np.zeros(0, np.int64) if self.counter else None, self.title)


class Tree:
    """A TTree as the head of its file describes it, of use after the file is closed.

    Parameters
    ----------
    model
        uproot's.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.branches: dict[str, Any] = {branch.name: branch for branch in model.branches}
        self._kinds: dict[str, _Kind | None] = {}

    def kind(self, name: str) -> _Kind | None:
        """Return what a branch holds; ``None`` if that is no plain numbers, or lists of them, or it is not there."""
        if name not in self._kinds:
            self._kinds[name] = _kind_of(self.branches[name]) if name in self.branches else None
        return self._kinds[name]


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
    with _tree_of(path, tree) as (found, _):
        return None if found is None else FlatEvents(0, _Nothing(found))


def read(path: str, tree: str, names: Collection[str], start: int, stop: int) -> FlatEvents | None:
    """Return branches of some entries as they are stored.

    Parameters
    ----------
    path, tree
        Of a ROOT file.
    names
        Of the branches.
    start, stop
        The entries.

    Returns
    -------
    FlatEvents or None
        ``None`` where a branch is missing, or holds anything but a number, or a counted list of numbers, for every
        event; where lengths are not those that the counter tells; and where anything cannot be read: whoever asks
        uproot then learns what is wrong.
    """
    try:
        with _tree_of(path, tree) as (found, fetch):
            return _read(found, fetch, names, start, stop) if found is not None and names else None
    except Exception:  # noqa: BLE001 (compression, the file system and uproot have their own)
        return None


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


_Fetch = Callable[[list[_Range]], Callable[[_Range], Any]]
"""Function of all ranges of bytes that will be wanted, which gives a function of one that gives uproot's chunk."""


@contextmanager
def _tree_of(path: str, tree: str) -> Iterator[tuple[Tree | None, _Fetch]]:
    """Yield a tree, ``None`` if it is no TTree, and what fetches bytes of its file."""
    if is_remote(path):
        with open_root(path) as file:
            model = file[tree]
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
                found = keep(path, tree, file[tree], identity)
        yield found, lambda _ranges: lambda wanted: _bytes(raw, found, wanted)


def _requested(model: Any, ranges: list[_Range]) -> Callable[[_Range], Any]:
    """Ask for all at once: a server answers many ranges in one go."""
    chunks = model.file.source.chunks(ranges, notifications=queue.Queue())
    return dict(zip(ranges, chunks, strict=True)).__getitem__


def _bytes(raw: Any, tree: Tree | None, wanted: _Range) -> Any:
    assert tree is not None
    start, stop = wanted
    raw.seek(start)
    data = raw.read(stop - start)
    if len(data) != stop - start:
        raise EOFError(f"{len(data)} of {stop - start} bytes at {start}")
    return uproot.source.chunk.Chunk.wrap(tree.model.file.source, np.frombuffer(data, np.uint8), start)


# -- numbers -----------------------------------------------------------------------------------------------------------


def _kind_of(branch: Any) -> _Kind | None:
    found = branch.interpretation
    is_list = type(found) is uproot.AsJagged and found.header_bytes == 0
    numbers = found.content if is_list else found
    if type(numbers) is not uproot.AsDtype or numbers.from_dtype.kind not in "biuf" or len(branch.branches):
        return None
    counter = branch.count_branch
    if is_list and counter is None:
        return None
    return _Kind(numbers.from_dtype, numbers.to_dtype, counter.name if is_list else "", branch.title)


def _read(tree: Tree, fetch: _Fetch, names: Collection[str], start: int, stop: int) -> FlatEvents | None:
    kinds = {name: kind for name in sorted(names) if (kind := tree.kind(name)) is not None}
    counters = {kind.counter: tree.kind(kind.counter) for kind in kinds.values() if kind.counter}
    if len(kinds) < len(set(names)) or any(kind is None or kind.counter for kind in counters.values()):
        return None
    if start >= stop:
        return FlatEvents(0, {name: kind.nothing for name, kind in kinds.items()})
    parts = {name: tree.branches[name].entries_to_ranges_or_baskets(start, stop) for name in {**kinds, **counters}}
    chunk_of = fetch([_range(one) for found in parts.values() for _, one in found if isinstance(one, tuple)])

    def baskets(name: str) -> Iterator[_Part]:
        """Yield the baskets of a branch, and the entries of each that are wanted."""
        branch = tree.branches[name]
        for number, one in parts[name]:
            first, last = branch.entry_offsets[number : number + 2]
            basket = _basket(tree, branch, number, chunk_of(_range(one))) if isinstance(one, tuple) else one
            yield _Part(basket, last - first, max(start - first, 0), min(stop, last) - first)

    lengths: dict[str, _Lengths] = {}
    for name, kind in counters.items():
        assert kind is not None
        counts = _numbers(kind, baskets(name), stop - start)
        # Some files have a counter of their own for every branch.
        alike = (one for one in lengths.values() if np.array_equal(one.counts, counts))
        lengths[name] = next(alike, None) or _Lengths(counts)
    branches = {}
    for name, kind in kinds.items():
        if kind.counter:
            content, counts = _lists(kind, baskets(name), lengths[kind.counter]), lengths[kind.counter].counts
            branches[name] = FlatBranch(content, counts, kind.title)
        else:
            branches[name] = FlatBranch(_numbers(kind, baskets(name), stop - start), None, kind.title)
    return FlatEvents(stop - start, branches)


@dataclass(frozen=True)
class _Part:
    """A basket, the number of its entries as the branch tells it, and those that are wanted."""

    basket: Any
    entries: int
    first: int
    last: int

    def numbers(self, stored: np.dtype[Any]) -> AnyArray:
        """Return the numbers that are wanted, one an entry."""
        found: AnyArray = self.basket.data.view(stored)
        if not len(found) == self.entries == self.basket.num_entries:
            raise ValueError(f"{len(found)} of {self.entries} entries")
        return found[self.first : self.last]

    @property
    def ends(self) -> IntArray:
        """The bytes at which the lists that are wanted begin, and the last one ends."""
        found: IntArray | None = self.basket.byte_offsets
        if found is None:
            raise ValueError("lengths are told by the counter alone")
        if not len(found) - 1 == self.entries == self.basket.num_entries:
            raise ValueError(f"{len(found) - 1} of {self.entries} entries")
        return found[self.first : self.last + 1]


class _Lengths:
    """The lengths of a collection's lists, as its counter tells them."""

    def __init__(self, counts: AnyArray) -> None:
        self.counts = counts.astype(np.int64)
        if len(counts) and (counts < 0).any():
            raise ValueError("negative lengths")
        self._ends = np.zeros(len(counts) + 1, np.int64)
        np.cumsum(self.counts, out=self._ends[1:])
        self._bytes: dict[tuple[int, int, int], AnyArray] = {}

    @property
    def total(self) -> int:
        """Number of values in all lists."""
        return int(self._ends[-1])

    def check(self, part: _Part, before: int, width: int) -> slice:
        """Return which bytes of a basket are wanted, if its lists have these lengths.

        Parameters
        ----------
        part
            The basket.
        before
            Number of entries before it.
        width
            Bytes of one value.
        """
        mine = part.ends
        key = (before, len(mine), width)
        if key not in self._bytes:
            ends = self._ends[before : before + len(mine)]
            self._bytes[key] = ((ends - ends[0]) * width).astype(mine.dtype)
        first, last = int(mine[0]), int(mine[-1])
        same = np.array_equal(mine if first == 0 else mine - first, self._bytes[key])
        if not same or first < 0 or last > len(part.basket.data):
            raise ValueError("lengths are not those that the counter tells")
        return slice(first, last)


def _numbers(kind: _Kind, parts: Iterator[_Part], n_entries: int) -> AnyArray:
    """Return a number for every entry."""
    out, at = np.empty(n_entries, kind.native), 0
    for part in parts:
        mine = part.numbers(kind.stored)
        out[at : at + len(mine)] = mine
        at += len(mine)
    if at != n_entries:
        raise ValueError(f"{at} of {n_entries} entries")
    return out


def _lists(kind: _Kind, parts: Iterator[_Part], lengths: _Lengths) -> AnyArray:
    """Return the content of the lists of all entries."""
    out, at, before = np.empty(lengths.total, kind.native), 0, 0
    for part in parts:
        mine = part.basket.data[lengths.check(part, before, kind.stored.itemsize)].view(kind.stored)
        out[at : at + len(mine)] = mine
        at += len(mine)
        before += part.last - part.first
    if before != len(lengths.counts):
        raise ValueError(f"{before} of {len(lengths.counts)} entries")
    return out


def _range(told: tuple[Any, Any]) -> _Range:
    return int(told[0]), int(told[1])  # some servers do not know numpy's integers


def _basket(tree: Tree, branch: Any, number: int, chunk: Any) -> Any:
    file = tree.model.file
    cursor = uproot.source.cursor.Cursor(chunk.start)
    return uproot.models.TBasket.Model_TBasket.read(chunk, cursor, {"basket_num": number}, file, file, branch)
