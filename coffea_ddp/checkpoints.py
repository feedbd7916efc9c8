"""Shards: every finished chunk in a file of our own format, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from coffea.processor import CheckpointerABC
from coffea.processor.executor import WorkItem

from coffea_ddp.errors import FileError
from coffea_ddp.saving import load


class Shards(CheckpointerABC):  # type: ignore[misc]
    """A coffea checkpointer that writes ``.ddp`` files (coffea's own writes pickles, and forgets which plan made them).

    Parameters
    ----------
    folder
        Where; made when needed.
    fingerprint
        Of the plan: together with the package's version a part of every path, so that another plan's shards are never
        met.
    """

    def __init__(self, folder: str | Path, fingerprint: str) -> None:
        self.folder = Path(folder) / f"{fingerprint}-{version('coffea-ddp')}"

    def path(self, metadata: Mapping[str, Any]) -> Path:
        """Return the file of one chunk."""
        chunk = f"{metadata['treename'].replace('/', '_')}-{metadata['entrystart']}-{metadata['entrystop']}.ddp"
        return self.folder / (metadata["fileuuid"] or "no-uuid") / chunk

    def count(self, items: Sequence[WorkItem]) -> int:
        """Return how many of these chunks were done before."""
        return sum(self.path(_metadata(item)).exists() for item in items)

    def load(self, metadata: Mapping[str, Any], processor_instance: Any) -> dict[str, Any] | None:
        """Return a chunk that was done before, or ``None``; a damaged shard counts as not done."""
        del processor_instance  # its plan is in the path
        path = self.path(metadata)
        if not path.exists():
            return None
        try:
            histograms = load(path)
        except FileError:
            return None
        item = WorkItem(
            metadata["dataset"],
            metadata["filename"],
            metadata["treename"],
            metadata["entrystart"],
            metadata["entrystop"],
            uuid.UUID(metadata["fileuuid"]).bytes if metadata["fileuuid"] else b"",
        )
        # The same file under another name or in another dataset is the same data, but not the same work.
        records = histograms.ledger.files.values()
        if any((r.dataset, r.filename) != (item.dataset, item.filename) for r in records):
            return None
        return {"out": histograms, "processed": {item}}

    def save(self, output: Mapping[str, Any], metadata: Mapping[str, Any], processor_instance: Any) -> None:
        """Write a finished chunk."""
        del processor_instance
        path = self.path(metadata)
        path.parent.mkdir(parents=True, exist_ok=True)
        output["out"].save(path)


def file_uuid(item: WorkItem) -> str:
    """Return the uuid of a chunk's file as coffea writes it into the metadata of events; empty where there is none."""
    return str(uuid.UUID(bytes=item.fileuuid)) if item.fileuuid else ""


def _metadata(item: WorkItem) -> dict[str, Any]:
    return {
        "treename": item.treename,
        "entrystart": item.entrystart,
        "entrystop": item.entrystop,
        "fileuuid": file_uuid(item),
    }
