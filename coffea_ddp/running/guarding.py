"""The guard around the work on one chunk, wherever it is done.

A chunk that was finished before is taken from its shard. What fails becomes an entry of the ledger or one of our
errors. The file is looked at again when the chunk is done: one that was replaced since the run began must not count.
"""

from __future__ import annotations

import dataclasses
import errno
import logging
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coffea.processor.executor import WorkItem

from coffea_ddp._text import printable
from coffea_ddp.errors import BranchError, DDPError, FileError, PlanError, describe, hint
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.layout import Layout
from coffea_ddp.histograms.ledger import Missing
from coffea_ddp.running.addresses import is_remote
from coffea_ddp.running.baskets import DamagedError
from coffea_ddp.running.options import Reading
from coffea_ddp.running.reader import file_id
from coffea_ddp.running.shards import Shards, file_uuid

_PACKAGE = Path(__file__).parents[1]
_LOG = logging.getLogger(__name__)
_TOLD: set[Path] = set()
"""Folders of which this process has said that they cannot be written to."""

Output = dict[str, Any]
"""Output of one item in coffea's Runner: the histograms as ``"out"``; who accounts for chunks is the ledger in them."""
Function = Callable[[Any], Output]
"""The work on one item: a chunk, or a chunk and the plan's processor."""


@dataclass(frozen=True)
class Guard:
    """Turns an exception of a chunk into a missing chunk or, where the plan is at fault, into one of our errors.

    Parameters
    ----------
    layout
        Of the outputs.
    reading
        Its timeout and retries; and, with ``skip_bad_files``, a file is missing that lacks a branch which the plan
        needs, or has nonsense in it; else it stops the run. A file that cannot be read is missing, always.
    shards
        The folder of finished chunks, if the machine that does the work writes them.
    """

    layout: Layout
    reading: Reading
    shards: Shards | None = None

    def __call__(self, function: Function) -> Function:
        """Return the guarded function."""
        return _Guarded(function, self)

    def missing(self, item: WorkItem, reason: str) -> Output:
        """Return the output of a chunk that could not be done."""
        return {"out": Histograms.empty(self.layout).with_missing([unaccounted(item, reason)])}

    def died(self, item: WorkItem, reason: str) -> Output:
        """Return the output of a chunk with which workers die."""
        return self.missing(item, f"{item.filename}: {reason}")


@dataclass(frozen=True)
class _Guarded:
    function: Function
    guard: Guard

    def __call__(self, item: Any) -> Output:
        work: WorkItem = item[0] if isinstance(item, tuple) else item
        kept = self.guard.shards.load(work) if self.guard.shards else None
        if kept is not None:
            return {"out": kept}
        if is_remote(work.filename):
            wait_at_most(self.guard.reading.timeout)
        found = self._tried(item, work)
        if isinstance(found, dict):
            self._keep(work, found)
            return found
        if isinstance(found, FileError) or (self.guard.reading.skip_bad_files and isinstance(found, BranchError)):
            return self.guard.missing(work, str(found))
        # Raised here, as a new error: one that carries uproot's as its cause cannot travel between processes.
        raise found

    def _tried(self, item: Any, work: WorkItem) -> Output | DDPError:
        retries = self.guard.reading.retries
        for attempt in range(retries + 1):
            found = self._once(item, work)
            if not isinstance(found, FileError) or not is_remote(work.filename) or attempt == retries:
                break
            _LOG.warning("%s; trying again", found)
            time.sleep(0.5 * 2**attempt)
        return found

    def _once(self, item: Any, work: WorkItem) -> Output | DDPError:
        shards = self.guard.shards
        try:
            with shards.at_hand(work) if shards else nullcontext():
                output = self.function(item)
        except Exception as error:  # noqa: BLE001 (whatever it is, it becomes one of ours)
            problem = explain(error, work.filename)
            found: Output | DDPError = type(problem)(str(problem))
        else:
            found = output
        gone = what_changed(work, self.guard.reading.timeout)
        if gone:
            return FileError(f"{work.filename}: {gone}")
        if isinstance(found, dict | DamagedError) or work.preload is None:
            return found
        # Reading all branches at once says less of what is wrong than reading the one that is.
        again = dataclasses.replace(work, preload=None)
        return self._once((again, *item[1:]) if isinstance(item, tuple) else again, again)

    def _keep(self, work: WorkItem, output: Output) -> None:
        if self.guard.shards is not None:
            is_kept(self.guard.shards, work, output["out"])


def is_kept(shards: Shards, item: WorkItem, histograms: Histograms) -> bool:
    """Write a finished chunk, and tell whether it could be written.

    Where not, the result is there, and counts; it is only not safe from what may happen later. A warning says so.
    """
    try:
        shards.save(item, histograms)
    except FileError as error:
        _tell_not_kept(shards.folder.parent, error)
        return False
    return True


def _tell_not_kept(folder: Path, error: FileError) -> None:
    """Warn that finished chunks are not kept in a folder: once in a process, however many there are."""
    if folder not in _TOLD:
        _TOLD.add(folder)
        cause = error.__cause__
        why = cause.strerror if isinstance(cause, OSError) and cause.strerror else error
        _LOG.warning(
            "%s: cannot be written to any more (%s): finished chunks are not kept for --resume from here on; "
            "the run goes on, and its result counts them",
            printable(str(folder)),
            why,
        )


def wait_at_most(seconds: float) -> None:
    """Have file systems of this process give up on a server after so many seconds.

    uproot's own option of that name does not reach fsspec, by which it reads.
    """
    from fsspec.config import conf

    conf.setdefault("root", {})["timeout"] = max(int(seconds), 1)
    try:
        from aiohttp import ClientTimeout
    except ImportError:
        return
    for protocol in ("http", "https"):
        options = conf.setdefault(protocol, {})
        options["client_kwargs"] = {**options.get("client_kwargs", {}), "timeout": ClientTimeout(total=seconds)}


def what_changed(item: WorkItem, timeout: float) -> str:
    """Return what has happened to a chunk's file since the run opened it; empty if it is the same file."""
    try:
        now = file_id(item.filename, timeout)
    except FileNotFoundError:
        return "was there when the run began, and is not any more"
    except Exception as error:  # noqa: BLE001 (uproot, the file system and the network have their own)
        return f"could be opened when the run began, and cannot any more ({describe(error)})"
    if item.fileuuid and now != item.fileuuid:
        return "has been replaced by another file since the run began"
    return ""


def unaccounted(item: WorkItem, reason: str) -> Missing:
    """Return a chunk as the ledger names what is missing."""
    return Missing(item.dataset, item.filename, item.entrystart, item.entrystop, reason, item.treename, file_uuid(item))


def explain(error: BaseException, filename: str) -> DDPError:
    """Return what an exception of coffea's work function means: ours as it is, a bad file, or a fault of the plan."""
    chain = [error]
    while chain[-1].__cause__ is not None and chain[-1].__cause__ not in chain:
        chain.append(chain[-1].__cause__)
    for one in chain:
        if isinstance(one, DDPError):
            return one
    inner = chain[-1]
    if "Failed processing file" in str(error):
        return explain_plan(inner, filename)
    if _out_of_memory(inner):
        return _too_little_memory(inner, filename)
    return FileError(f"{filename}: cannot be opened ({describe(inner)}); is it a whole ROOT file?")


def explain_plan(error: BaseException, filename: str) -> DDPError:
    """Return what an exception means that came while events were filled: too little memory, or a fault of the plan."""
    if _out_of_memory(error):
        return _too_little_memory(error, filename)
    return PlanError(f"{filename}: the plan failed with {describe(error)}{_where(error)}{hint(error)}")


def _too_little_memory(error: BaseException, filename: str) -> FileError:
    return FileError(
        f"{filename}: not enough memory for a chunk ({describe(error)}); give a smaller chunksize (--chunksize) or "
        "run fewer workers at a time"
    )


def _out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)


def _where(error: BaseException) -> str:
    """Return the innermost line of code outside of this package and of libraries."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename and not Path(frame.filename).is_relative_to(_PACKAGE)
    ]
    if not frames:
        return ""
    line = (frames[-1].line or "").rstrip(",")
    return f" at {frames[-1].filename}, line {frames[-1].lineno}: {line}"
