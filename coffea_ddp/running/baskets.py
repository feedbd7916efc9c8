"""The branches of a TTree, read as they are stored: flat content, and how many values each event has.

Nothing is built around the numbers that the pass would take apart again, and lengths that the branches of a collection
share are told once. What this module does not know, it leaves to uproot: then there is no result, and no error.

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

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import FileError
from coffea_ddp.events.flat import FlatBranch, FlatEvents
from coffea_ddp.running.addresses import is_remote
from coffea_ddp.running.basket_bytes import basket_of
from coffea_ddp.running.trees import Fetch, Kind, Range, Tree, tree_of

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, IntArray


class DamagedError(FileError):
    """A file that contradicts itself: to read it in another way would hide it."""


class _OddError(Exception):
    """A branch that is not as all others are: uproot will tell what is wrong with it."""


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
        event; where lengths are not those that the counter tells; and where anything of a local file cannot be read:
        whoever asks uproot then learns what is wrong.

    Raises
    ------
    DamagedError
        If lists tell another length than the bytes that they take.
    Exception
        uproot's and fsspec's own, if a file on a server cannot be read.
    """
    try:
        with tree_of(path, tree) as (found, fetch):
            return _read(found, fetch, names, start, stop) if found is not None and names else None
    except DamagedError as error:
        raise DamagedError(f"{path}: damaged: {error}, in entries {start} to {stop}") from None
    except _OddError:
        return None
    except Exception:
        if is_remote(path):  # a server that does not answer is not asked twice
            raise
        return None


def _read(tree: Tree, fetch: Fetch, names: Collection[str], start: int, stop: int) -> FlatEvents | None:
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
            basket = basket_of(chunk_of(_range(one))) if isinstance(one, tuple) else one
            yield _Part(basket, last - first, max(start - first, 0), min(stop, last) - first)

    lengths: dict[str, _Lengths] = {}
    for name, kind in counters.items():
        assert kind is not None
        counts = _numbers(kind, baskets(name), stop - start)
        # Some files have a counter of their own for every branch.
        alike = (one for one in lengths.values() if np.array_equal(one.counts, counts))
        lengths[name] = next(alike, None) or _Lengths(counts)
    branches: dict[str, FlatBranch] = {}
    for name, kind in kinds.items():
        if kind.counter:
            content, counts = _lists(kind, baskets(name), lengths[kind.counter]), lengths[kind.counter].counts
            branches[name] = FlatBranch(content, counts, kind.title)
        elif kind.header is not None:
            branches[name] = _shared(_vectors(kind, baskets(name), stop - start), branches)
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
            raise _OddError(f"{len(found)} of {self.entries} entries")
        return found[self.first : self.last]

    @property
    def ends(self) -> IntArray:
        """The bytes at which the lists that are wanted begin, and the last one ends."""
        found: IntArray | None = self.basket.byte_offsets
        if found is None:
            raise _OddError("lengths are told by the counter alone")
        if not len(found) - 1 == self.entries == self.basket.num_entries:
            raise _OddError(f"{len(found) - 1} of {self.entries} entries")
        return found[self.first : self.last + 1]


class _Lengths:
    """The lengths of a collection's lists, as its counter tells them."""

    def __init__(self, counts: AnyArray) -> None:
        self.counts = counts.astype(np.int64)
        if len(counts) and (counts < 0).any():
            raise _OddError("negative lengths")
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
            raise _OddError("lengths are not those that the counter tells")
        return slice(first, last)


def _numbers(kind: Kind, parts: Iterator[_Part], n_entries: int) -> AnyArray:
    """Return a number for every entry."""
    out, at = np.empty(n_entries, kind.native), 0
    for part in parts:
        mine = part.numbers(kind.stored)
        out[at : at + len(mine)] = mine
        at += len(mine)
    if at != n_entries:
        raise _OddError(f"{at} of {n_entries} entries")
    return out


def _lists(kind: Kind, parts: Iterator[_Part], lengths: _Lengths) -> AnyArray:
    """Return the content of the lists of all entries."""
    out, at, before = np.empty(lengths.total, kind.native), 0, 0
    for part in parts:
        mine = part.basket.data[lengths.check(part, before, kind.stored.itemsize)].view(kind.stored)
        out[at : at + len(mine)] = mine
        at += len(mine)
        before += part.last - part.first
    if before != len(lengths.counts):
        raise _OddError(f"{before} of {len(lengths.counts)} entries")
    return out


def _vectors(kind: Kind, parts: Iterator[_Part], n_entries: int) -> FlatBranch:
    """Return lists that tell their lengths themselves: by the bytes that they take, and in a header of each."""
    assert kind.header is not None
    contents, counts, width = [np.zeros(0, kind.native)], [np.zeros(0, np.int64)], kind.stored.itemsize
    for part in parts:
        ends = part.ends.astype(np.int64)
        sizes = np.diff(ends) - kind.header
        data = part.basket.data
        if (sizes < 0).any() or (sizes % width).any() or ends[0] < 0 or ends[-1] > len(data):
            raise _OddError("lists of parts of numbers")
        if kind.header:
            starts = ends[:-1]
            # Their last four bytes are the length.
            said = sum(data[starts + kind.header - 4 + byte].astype(np.int64) << (24 - 8 * byte) for byte in range(4))
            if not np.array_equal(said, sizes // width):
                raise DamagedError(f"the lists of {kind.title} are not as long as they say")
            inside = np.ones(ends[-1] - ends[0], dtype=bool)
            inside[(starts - ends[0])[:, None] + np.arange(kind.header)] = False
            data = data[ends[0] : ends[-1]][inside]
        else:
            data = data[ends[0] : ends[-1]]
        contents.append(np.ascontiguousarray(data).view(kind.stored).astype(kind.native))
        counts.append(sizes // width)
    lengths = np.concatenate(counts)
    if len(lengths) != n_entries:
        raise _OddError(f"{len(lengths)} of {n_entries} entries")
    return FlatBranch(np.concatenate(contents), lengths, kind.title)


def _shared(branch: FlatBranch, others: Mapping[str, FlatBranch]) -> FlatBranch:
    """Return a branch with the lengths of another one, where they are the same."""
    known = [one.counts for one in others.values() if one.counts is not None]
    assert branch.counts is not None
    mine = branch.counts
    same = next((counts for counts in known if np.array_equal(counts, mine)), mine)
    return FlatBranch(branch.content, same, branch.title)


def _range(told: tuple[Any, Any]) -> Range:
    return int(told[0]), int(told[1])  # some servers do not know numpy's integers
