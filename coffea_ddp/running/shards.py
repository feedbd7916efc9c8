"""Shards: every finished chunk in a file of our own format, so that an interrupted run goes on where it stopped.

coffea's own checkpointer writes pickles, forgets which plan made them, and looks at a file before anybody has checked
that it is still the one that was asked for.
"""

from __future__ import annotations

import contextlib
import json
import re
import uuid
import zlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from coffea_ddp._files import MENU, what_is, write_text
from coffea_ddp.cluster.code_digest import here
from coffea_ddp.errors import FileError
from coffea_ddp.histograms.archive import write
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.plan.datasets import KEY
from coffea_ddp.running.kept_menus import NAME, kept_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coffea.processor.executor import WorkItem

    from coffea_ddp.histograms.layout import Layout
    from coffea_ddp.histograms.ledger import Ledger

FORMAT = "coffea-ddp/shards"
_MANIFEST = "manifest.json"
_SHARD = re.compile(r".+-\d+-\d+(-\w+)*\.ddp")
_MENU = re.compile(re.escape(NAME))
_UNFINISHED = re.compile(r"\.coffea-ddp-\w+\.tmp|seen-[0-9a-f]{8}")


@dataclass(frozen=True)
class Shards:
    """A folder of finished chunks of one plan, made by one code of the package.

    Attributes
    ----------
    folder
        Where; the plan's fingerprint, the part of the events, the package's version and the digest of its sources are a
        part of it, so that shards of another plan or of other code are never met. It is absolute: workers have other
        working directories.
    layout
        Of the plan.
    """

    folder: Path
    layout: Layout

    @classmethod
    def of(cls, folder: str | Path, layout: Layout) -> Shards:
        """Return the shards of a plan in a folder, which is made, with a manifest for people.

        Raises
        ------
        FileError
            If the folder cannot be made, or holds something else than shards.
        """
        check_folder(folder)
        package, code, _ = here().split("/")
        part = "" if layout.split is None else f"-{layout.split.part}{layout.split.share!r}"
        shards = cls(Path(folder).resolve() / f"{layout.fingerprint}{part}-{package}-{code}", layout)
        shards.make()
        return shards

    def make(self) -> None:
        """Make the folder, with its manifest.

        Raises
        ------
        FileError
            If it cannot be made.
        """
        manifest = {
            "format": FORMAT,
            "version": 1,
            "plan": self.layout.plan,
            "fingerprint": self.layout.fingerprint,
            "package": here(),
            "holds": "finished chunks by the file's uuid: TREE-START-STOP.ddp; `coffea-ddp run --resume` takes them",
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"{self.folder.parent}: the folder for checkpoints cannot be made ({error})") from error

        write_text(self.folder / _MANIFEST, json.dumps(manifest, indent=1), None)

    def path(self, item: WorkItem) -> Path:
        """Return the file of one chunk."""
        about = (item.usermeta or {}).get(KEY)
        # Another good-run list, weight or overlap is another result; so is the same file in another dataset.
        special = f"-{about.digest}" if about is not None and about.digest else ""
        whose = zlib.crc32(f"{item.dataset}\0{item.filename}\0{item.treename}".encode(errors="surrogateescape"))
        tree = re.sub(r"[^A-Za-z0-9_.]", "_", item.treename)[:80]
        chunk = f"{tree}-{item.entrystart}-{item.entrystop}-{whose:08x}{special}.ddp"
        return self.folder / (file_uuid(item) or "no-uuid") / chunk

    def at_hand(self, item: WorkItem) -> AbstractContextManager[None]:
        """Return what keeps the trigger menu of a chunk's file beside its finished chunks, while it is read."""
        return kept_in(self.path(item).parent, file_uuid(item))

    def count(self, items: Sequence[WorkItem]) -> int:
        """Return how many of these chunks were done before."""
        return sum(self.path(item).is_file() for item in items)

    def load(self, item: WorkItem) -> Histograms | None:
        """Return a chunk that was done before, or ``None``.

        What is damaged, or the result of anything but this work, counts as not done: other entries, another plan, the
        same data under another name or in another dataset.
        """
        path = self.path(item)
        try:
            histograms = Histograms.load(path) if path.is_file() else None
        except (FileError, OSError):
            return None
        if histograms is None or histograms.layout != self.layout:
            return None
        return _as_told(histograms, item) if _is_of(histograms.ledger, item) else None

    def save(self, item: WorkItem, histograms: Histograms) -> None:
        """Write a finished chunk.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        path = self.path(item)
        if not self.folder.is_dir():  # somebody has moved it away
            self.make()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"{path.parent}: cannot be made ({error})") from error
        write(histograms, path, guarded=False)


def _as_told(histograms: Histograms, item: WorkItem) -> Histograms:
    """Return a chunk with the normalisation that its dataset has now, which changes no count."""
    about = (item.usermeta or {}).get(KEY)
    if about is None or not histograms.samples:
        return histograms
    samples = {
        name: replace(
            one,
            normalisation=about.normalisation,
            sums=one.sums if one.is_data else about.sums_of((file_uuid(item), item.treename)),
        )
        for name, one in histograms.samples.items()
    }
    return replace(histograms, samples=samples)


def _is_of(ledger: Ledger, item: WorkItem) -> bool:
    """Tell whether a ledger is of one chunk: all of its entries, nothing else, nothing missing."""
    span = (int(item.entrystart), int(item.entrystop))
    records = [(uuid, tree, one.dataset, one.filename, one.intervals) for (uuid, tree), one in ledger.files.items()]
    wanted = (file_uuid(item), item.treename, item.dataset, item.filename, (span,) if span[0] < span[1] else ())
    return records == [wanted] and not ledger.missing and not ledger.unnamed


def check_folder(folder: str | Path) -> None:
    """Fail where shards would be mixed with files of somebody else: in a folder that is neither free, empty nor ours.

    Raises
    ------
    FileError
        If it holds files, and no shards.
    """
    folder = Path(folder)
    try:
        if folder.exists() and not folder.is_dir():
            raise FileError(f"{folder}: is a file; checkpoints need a folder, choose another name")
        strange = folder.is_dir() and any(folder.iterdir()) and not any(_of_ours(folder))
    except OSError as error:
        raise FileError(f"{folder}: the folder for checkpoints cannot be read ({error.strerror or error})") from error
    if strange:
        raise FileError(
            f"{folder}: holds other files than checkpoints; they stay as they are: give a new or empty folder"
        )


def remove_unfinished(folder: str | Path) -> None:
    """Remove a folder of shards in which no chunk was finished: there is nothing to go on from."""
    if not any(Path(folder).rglob("*.ddp")):
        remove(folder)


def remove(folder: str | Path) -> None:
    """Remove finished chunks, of whatever plan, from a folder; everything else in it stays, and what cannot be removed.

    A folder of shards is known by its manifest. Removed are its shards and what was begun of others, the manifest, and
    then the folders that are empty.
    """
    folder = Path(folder)
    with contextlib.suppress(OSError):  # it has gone meanwhile, or its server has
        for place in _of_ours(folder):
            _remove_from(place)
    _remove_empty(folder)


def _remove_from(place: Path) -> None:
    for chunks in [found for found in place.iterdir() if found.is_dir() and not found.is_symlink()]:
        _remove_files(chunks, _SHARD, _UNFINISHED)
        _remove_menu(chunks)
        _remove_empty(chunks)
    _remove_files(place, _UNFINISHED)
    if {path.name for path in place.iterdir()} == {_MANIFEST}:  # last, so that what is left is known
        _remove_files(place, re.compile(_MANIFEST))
    _remove_empty(place)


def _of_ours(folder: Path) -> Iterator[Path]:
    """Yield the folders of shards in a folder."""
    for place in sorted(folder.iterdir()) if folder.is_dir() else ():
        if place.is_dir() and not place.is_symlink():
            with contextlib.suppress(OSError, ValueError, RecursionError, AttributeError):
                if json.loads((place / _MANIFEST).read_bytes()).get("format") == FORMAT:
                    yield place


def _remove_files(folder: Path, *names: re.Pattern[str]) -> None:
    for path in list(folder.iterdir()):
        if any(name.fullmatch(path.name) for name in names) and path.is_file() and not path.is_symlink():
            with contextlib.suppress(OSError):
                path.unlink()


def _remove_menu(folder: Path) -> None:
    if what_is(folder / NAME) == MENU:
        _remove_files(folder, _MENU)


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # it is not empty
        folder.rmdir()


def file_uuid(item: WorkItem) -> str:
    """Return the uuid of a chunk's file as coffea writes it into the metadata of events; empty where there is none."""
    return str(uuid.UUID(bytes=item.fileuuid)) if item.fileuuid else ""
