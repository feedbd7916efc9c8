"""The ledger: which entries of which file were counted, and which are missing.

Files are known by their uuid and tree, so a file under two names is one file. Neighbouring intervals are joined: equal
data give an equal ledger whatever the chunks were. What was missing stays missing until all of its own entries are
counted: those of the same uuid and tree or, of a file that could not be opened, those of the same tree under the same
full name. What is not known to be the same file covers nothing.

Examples
--------
>>> first = Ledger.of(Chunk("data", "a.root", "Events", "uuid-1", 0, 100))
>>> both = first + Ledger.of(Chunk("data", "a.root", "Events", "uuid-1", 100, 250))
>>> both.n_entries, both.files["uuid-1", "Events"].intervals
(250, ((0, 250),))
>>> first + first
Traceback (most recent call last):
...
coffea_ddp.errors.MergeError: entries 0 to 100 of a.root were counted before; every entry may be counted once
"""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from coffea_ddp.errors import MergeError

Interval = tuple[int, int]


UNKNOWN = -1
"""A number of entries that nobody has told."""


@dataclass(frozen=True)
class Chunk:
    """A range of entries of one file: first included, last not.

    Attributes
    ----------
    dataset, filename, tree, uuid
        Dataset, name, tree and identity of the file.
    start, stop
        The entries.
    entries
        Number of entries of the whole file; :data:`UNKNOWN` if it is not known.
    """

    dataset: str
    filename: str
    tree: str
    uuid: str
    start: int
    stop: int
    entries: int = UNKNOWN

    def __str__(self) -> str:
        """Return how messages name the chunk."""
        return f"{self.filename} (entries {self.start} to {self.stop})"


@dataclass(frozen=True)
class FileRecord:
    """Entries of one file that were counted.

    Attributes
    ----------
    dataset, filename
        Its dataset and name; of a file under several names the smallest one.
    intervals
        Ranges of entries, sorted; no two of them touch.
    entries
        Number of entries of the whole file; :data:`UNKNOWN` if it is not known.
    aliases
        Its other names, sorted.
    """

    dataset: str
    filename: str
    intervals: tuple[Interval, ...] = ()
    entries: int = field(default=UNKNOWN, compare=False)  # what is known of the file does not change what was counted
    aliases: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """True if all entries of the file were counted; False if their number is not known."""
        if self.entries == UNKNOWN:
            return False
        return self.intervals == (((0, self.entries),) if self.entries else ())

    def holds(self, start: int, stop: int) -> bool:
        """Tell whether all of these entries were counted; no entries always are."""
        if start >= stop:
            return True
        # The last interval that begins at or before `start` is the only one that can hold it.
        last = bisect.bisect_right(self.intervals, (start, math.inf)) - 1
        return last >= 0 and stop <= self.intervals[last][1]


@dataclass(frozen=True, order=True)
class Missing:
    """Something that was expected and is not in the output.

    Attributes
    ----------
    dataset, filename
        Its dataset and file.
    start, stop
        The entries; -1 and -1 where the file could not be opened, so that nobody knows how many there are.
    reason
        The reason why it is missing.
    tree, uuid
        Of the file; empty where they are not known. Without a tree nothing counts as the same file.
    """

    dataset: str
    filename: str
    start: int = -1
    stop: int = -1
    reason: str = ""
    tree: str = ""
    uuid: str = ""

    def __str__(self) -> str:
        """Return how messages name what is missing."""
        what = "the whole file" if self.start < 0 else f"entries {self.start} to {self.stop}"
        return f"{self.filename}: {what} ({self.reason})"


@dataclass(frozen=True)
class Ledger:
    """Entries that were counted, and those that are missing.

    Attributes
    ----------
    files
        (uuid, tree) -> what was counted of it.
    missing
        Sorted; empty when the output is complete.
    unnamed
        Events that were filled without saying where they came from (``fill`` called on an array without metadata);
        for those no double counting can be noticed.
    """

    files: Mapping[tuple[str, str], FileRecord] = field(default_factory=dict)
    missing: tuple[Missing, ...] = ()
    unnamed: int = 0

    @classmethod
    def of(cls, chunk: Chunk) -> Ledger:
        """Return the ledger of one counted chunk."""
        intervals = ((chunk.start, chunk.stop),) if chunk.stop > chunk.start else ()
        record = FileRecord(chunk.dataset, chunk.filename, intervals, chunk.entries)
        return cls({(chunk.uuid, chunk.tree): record})

    @property
    def n_entries(self) -> int:
        """Number of entries that were counted."""
        return self.unnamed + sum(b - a for record in self.files.values() for a, b in record.intervals)

    @property
    def partial(self) -> bool:
        """True if anything is missing."""
        return bool(self.missing)

    def __add__(self, other: Ledger) -> Ledger:
        """Return the ledger of both.

        Raises
        ------
        MergeError
            If an entry is in both, or they disagree on how many a file has.
        """
        files = dict(self.files)
        for key, record in other.files.items():
            files[key] = _joined(files[key], record) if key in files else record
        ordered = dict(sorted(files.items()))
        lost = sorted({*self.missing, *other.missing})
        return Ledger(ordered, _still_missing(lost, ordered), self.unnamed + other.unnamed)

    def counts(self, uuid: str, tree: str, start: int, stop: int) -> bool:
        """Tell whether all of these entries of a file were counted; no entries always are."""
        record = self.files.get((uuid, tree))
        return start >= stop if record is None else record.holds(start, stop)

    def without(self, missing: Sequence[Missing]) -> Ledger:
        """Return the ledger with more missing."""
        return dataclasses.replace(self, missing=tuple(sorted({*self.missing, *missing})))

    def to_dict(self) -> dict[str, Any]:
        """Return the ledger as JSON-ready data."""
        return {
            "files": [
                {"uuid": uuid, "tree": tree, **dataclasses.asdict(record)}
                for (uuid, tree), record in self.files.items()
            ],
            "missing": [dataclasses.asdict(missing) for missing in self.missing],
            "unnamed": self.unnamed,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Ledger:
        """Return the ledger that :meth:`to_dict` described."""
        files = {(f["uuid"], f["tree"]): _record(f) for f in data["files"]}
        return cls(files, tuple(Missing(**missing) for missing in data["missing"]), int(data["unnamed"]))


def _record(data: Mapping[str, Any]) -> FileRecord:
    """Return the record of one file; older outputs tell neither how many entries it has nor its other names."""
    return FileRecord(
        data["dataset"],
        data["filename"],
        tuple((int(a), int(b)) for a, b in data["intervals"]),
        int(data.get("entries", UNKNOWN)),
        tuple(data.get("aliases", ())),
    )


def _joined(first: FileRecord, second: FileRecord) -> FileRecord:
    joined: list[Interval] = []
    for start, stop in sorted((*first.intervals, *second.intervals)):
        if joined and start < joined[-1][1]:
            same = "" if first.filename == second.filename else f" (the same file as {second.filename})"
            again = min(stop, joined[-1][1])
            raise MergeError(
                f"entries {start} to {again} of {first.filename}{same} were counted before; "
                "every entry may be counted once"
            )
        if joined and start == joined[-1][1]:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    told = {record.entries for record in (first, second)} - {UNKNOWN}
    if len(told) > 1:
        few, many = sorted(told)
        raise MergeError(f"{first.filename}: one output says that it has {few} entries, another {many}; one is damaged")
    # Under two names the smaller one stays, so that the order of adding does not show.
    name, dataset = min((first.filename, first.dataset), (second.filename, second.dataset))
    names = {first.filename, second.filename, *first.aliases, *second.aliases} - {name}
    return FileRecord(dataset, name, tuple(joined), max(told, default=UNKNOWN), tuple(sorted(names)))


def _still_missing(missing: Sequence[Missing], files: Mapping[tuple[str, str], FileRecord]) -> tuple[Missing, ...]:
    """Return what has not been counted since; with more files it only becomes less, in whatever order they come."""
    if not missing:
        return ()
    by_name: dict[tuple[str, str], list[FileRecord]] = {}
    for (_, tree), record in files.items():
        for name in (record.filename, *record.aliases):
            by_name.setdefault((name, tree), []).append(record)

    def covered(one: Missing) -> bool:
        if one.uuid:
            known = files.get((one.uuid, one.tree))
            same = [known] if known else []
        else:
            same = by_name.get((one.filename, one.tree), []) if is_full_name(one.filename) else []
        return any(record.whole if one.start < 0 else record.holds(one.start, one.stop) for record in same)

    return tuple(one for one in missing if not covered(one))


def is_full_name(name: str) -> bool:
    """Tell whether a name leads to one file wherever it is read from: an absolute path, or an address.

    Examples
    --------
    >>> is_full_name("/data/a.root"), is_full_name("root://host//a.root"), is_full_name("a.root")
    (True, True, False)
    """
    return "://" in name or PurePath(name).is_absolute()
