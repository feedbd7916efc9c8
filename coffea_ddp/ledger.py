"""The ledger: which entries of which file were counted, and which are missing.

Files are known by their uuid and tree, so a file under two names is one file. Neighbouring intervals are joined: equal
data give an equal ledger whatever the chunks were.

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
from typing import Any

from coffea_ddp.errors import MergeError

Interval = tuple[int, int]


@dataclass(frozen=True)
class Chunk:
    """A range of entries of one file: first included, last not."""

    dataset: str
    filename: str
    tree: str
    uuid: str
    start: int
    stop: int

    def __str__(self) -> str:
        """Return how messages name the chunk."""
        return f"{self.filename} (entries {self.start} to {self.stop})"


@dataclass(frozen=True)
class FileRecord:
    """What was counted of one file."""

    dataset: str
    filename: str
    intervals: tuple[Interval, ...] = ()


@dataclass(frozen=True, order=True)
class Missing:
    """Something that was expected and is not in the output.

    Attributes
    ----------
    dataset, filename
        Where it belongs.
    start, stop
        The entries; -1 and -1 where the file could not be opened, so that nobody knows how many there are.
    reason
        What went wrong.
    """

    dataset: str
    filename: str
    start: int = -1
    stop: int = -1
    reason: str = ""

    def __str__(self) -> str:
        """Return how messages name what is missing."""
        what = "the whole file" if self.start < 0 else f"entries {self.start} to {self.stop}"
        return f"{self.filename}: {what} ({self.reason})"


@dataclass(frozen=True)
class Ledger:
    """What was counted, what is missing.

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
        return cls({(chunk.uuid, chunk.tree): FileRecord(chunk.dataset, chunk.filename, intervals)})

    @property
    def n_entries(self) -> int:
        """Number of entries that were counted."""
        return self.unnamed + sum(b - a for record in self.files.values() for a, b in record.intervals)

    @property
    def partial(self) -> bool:
        """Whether anything is missing."""
        return bool(self.missing)

    def __add__(self, other: Ledger) -> Ledger:
        """Return the ledger of both.

        Raises
        ------
        MergeError
            If an entry is in both.
        """
        files = dict(self.files)
        for key, record in other.files.items():
            files[key] = _joined(files[key], record) if key in files else record
        ordered = dict(sorted(files.items()))
        missing = tuple(m for m in sorted({*self.missing, *other.missing}) if not _covered(m, ordered))
        return Ledger(ordered, missing, self.unnamed + other.unnamed)

    def counts(self, uuid: str, tree: str, start: int, stop: int) -> bool:
        """Tell whether all of these entries of a file were counted; no entries always are."""
        record = self.files.get((uuid, tree))
        if start >= stop or record is None:
            return start >= stop
        # The last interval that begins at or before `start` is the only one that can hold it.
        last = bisect.bisect_right(record.intervals, (start, math.inf)) - 1
        return last >= 0 and stop <= record.intervals[last][1]

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
        files = {
            (f["uuid"], f["tree"]): FileRecord(
                f["dataset"], f["filename"], tuple((int(a), int(b)) for a, b in f["intervals"])
            )
            for f in data["files"]
        }
        return cls(files, tuple(Missing(**missing) for missing in data["missing"]), int(data["unnamed"]))


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
    # Under two names the smaller one stays, so that the order of adding does not show.
    name, dataset = min((first.filename, first.dataset), (second.filename, second.dataset))
    return FileRecord(dataset, name, tuple(joined))


def _covered(missing: Missing, files: Mapping[tuple[str, str], FileRecord]) -> bool:
    """Tell whether what was missing has been counted since."""
    for record in files.values():
        if record.filename == missing.filename and record.dataset == missing.dataset:
            if missing.start < 0:
                return True
            if any(a <= missing.start and missing.stop <= b for a, b in record.intervals):
                return True
    return False
