"""The entries of files that an output is made of, short enough for a report.

They tell whether other data were seen before. A file is known by a hash of its uuid and tree, whatever its name. Of
very many files those with the smallest hashes are told, the same in every output, so that a comparison of two outputs
sees a fair sample of what they have in common.

Examples
--------
>>> from coffea_ddp.histograms.ledger import Chunk, Ledger
>>> first, second = (Counted.of(Ledger.of(Chunk("d", "x.root", "Events", uuid, 0, 9))) for uuid in ("one", "two"))
>>> first.common(second), first.common(first)
(0, 1)
>>> Counted.from_dict(first.to_dict()) == first
True
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coffea_ddp.errors import FormatError

if TYPE_CHECKING:
    from coffea_ddp.histograms.ledger import Interval, Ledger

MOST_FILES = 10_000
"""Number of files that are told."""


@dataclass(frozen=True)
class Counted:
    """The entries of every file that were counted.

    Attributes
    ----------
    files
        Hash of a file -> ranges of its entries, sorted; those with the smallest hashes.
    n_files
        Number of files, told or not.
    unnamed
        Events of no file.
    """

    files: Mapping[str, tuple[Interval, ...]]
    n_files: int
    unnamed: int = 0

    @classmethod
    def of(cls, ledger: Ledger) -> Counted:
        """Return what a ledger counted."""
        hashes = {_hash(*key): record.intervals for key, record in ledger.files.items() if record.intervals}
        return cls({name: hashes[name] for name in sorted(hashes)[:MOST_FILES]}, len(hashes), ledger.unnamed)

    def common(self, other: Counted) -> int:
        """Return the number of told files of which entries are in both."""
        both = self.files.keys() & other.files.keys()
        return sum(_meet(self.files[name], other.files[name]) for name in both)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        files = {name: [list(one) for one in intervals] for name, intervals in self.files.items()}
        return {"files": files, "n_files": self.n_files, "unnamed": self.unnamed}

    @classmethod
    def from_dict(cls, data: Any) -> Counted:
        """Return what :meth:`to_dict` described.

        Raises
        ------
        FormatError
            If it describes nothing of the kind.
        """
        try:
            files = {str(name): tuple((int(a), int(b)) for a, b in found) for name, found in data["files"].items()}
            return cls(files, int(data["n_files"]), int(data["unnamed"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FormatError(f"the files that were counted are not told ({type(error).__name__}: {error})") from None


def _hash(uuid: str, tree: str) -> str:
    return hashlib.sha256(f"{uuid}\0{tree}".encode(errors="surrogateescape")).hexdigest()[:16]


def _meet(first: tuple[Interval, ...], second: tuple[Interval, ...]) -> bool:
    """Return whether two sorted lists of ranges have an entry in common."""
    mine, theirs = 0, 0
    while mine < len(first) and theirs < len(second):
        if max(first[mine][0], second[theirs][0]) < min(first[mine][1], second[theirs][1]):
            return True
        if first[mine][1] <= second[theirs][1]:
            mine += 1
        else:
            theirs += 1
    return False
