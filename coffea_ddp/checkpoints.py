"""Shards: every finished chunk in a file of our own format, so that an interrupted run goes on where it stopped.

coffea's own checkpointer writes pickles, forgets which plan made them, and looks at a file before anybody has checked
that it is still the one that was asked for.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from coffea_ddp._files import write_in_place
from coffea_ddp.datasets import KEY
from coffea_ddp.errors import FileError
from coffea_ddp.saving import load

if TYPE_CHECKING:
    from coffea.processor.executor import WorkItem

    from coffea_ddp.histograms import Histograms
    from coffea_ddp.layout import Layout


@dataclass(frozen=True)
class Shards:
    """A folder of finished chunks of one plan, one version of the package.

    Attributes
    ----------
    folder
        Where; the plan's fingerprint and the package's version are a part of it, so that another plan's shards are
        never met. It is absolute: workers have other working directories.
    """

    folder: Path

    @classmethod
    def of(cls, folder: str | Path, layout: Layout) -> Shards:
        """Return the shards of a plan in a folder, which is made, with a manifest for people.

        Raises
        ------
        FileError
            If the folder cannot be made.
        """
        name = f"{layout.fingerprint}-{version('coffea-ddp')}"
        shards = cls(Path(folder).resolve() / name)
        manifest = {
            "format": "coffea-ddp/shards",
            "version": 1,
            "plan": layout.plan,
            "fingerprint": layout.fingerprint,
            "package": version("coffea-ddp"),
            "holds": "finished chunks by the file's uuid: TREE-START-STOP.ddp; `coffea-ddp run --resume` takes them",
        }
        try:
            shards.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"{folder}: the folder for checkpoints cannot be made ({error})") from error

        def write(path: Path) -> None:
            path.write_text(json.dumps(manifest, indent=1), encoding="utf-8")

        write_in_place(shards.folder / "manifest.json", write)
        return shards

    def path(self, item: WorkItem) -> Path:
        """Return the file of one chunk."""
        about = (item.usermeta or {}).get(KEY)
        # Another good-run list, weight or overlap is another result.
        special = f"-{about.digest}" if about is not None and about.digest else ""
        chunk = f"{item.treename.replace('/', '_')}-{item.entrystart}-{item.entrystop}{special}.ddp"
        return self.folder / (file_uuid(item) or "no-uuid") / chunk

    def count(self, items: Sequence[WorkItem]) -> int:
        """Return how many of these chunks were done before."""
        return sum(self.path(item).exists() for item in items)

    def load(self, item: WorkItem) -> Histograms | None:
        """Return a chunk that was done before, or ``None``; a damaged shard counts as not done."""
        path = self.path(item)
        if not path.exists():
            return None
        try:
            histograms = load(path)
        except FileError:
            return None
        # The same file under another name or in another dataset is the same data, but not the same work.
        records = histograms.ledger.files.values()
        if any((r.dataset, r.filename) != (item.dataset, item.filename) for r in records):
            return None
        return histograms

    def save(self, item: WorkItem, histograms: Histograms) -> None:
        """Write a finished chunk.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        path = self.path(item)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"{path.parent}: cannot be made ({error})") from error
        histograms.save(path)


def remove(folder: str | Path) -> None:
    """Remove a folder of shards, of whatever plan."""
    shutil.rmtree(folder, ignore_errors=True)


def file_uuid(item: WorkItem) -> str:
    """Return the uuid of a chunk's file as coffea writes it into the metadata of events; empty where there is none."""
    return str(uuid.UUID(bytes=item.fileuuid)) if item.fileuuid else ""
