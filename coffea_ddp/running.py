"""Running a plan over files, through coffea's Runner; and accounting for every chunk.

Examples
--------
>>> import tempfile
>>> from coffea_ddp.testing import make_nanoaod
>>> with tempfile.TemporaryDirectory() as folder:
...     path = make_nanoaod(f"{folder}/nano.root", events=500, seed=1)
...     hists = run("symmetries", path)
>>> hists.n_events, hists.partial
(500, False)
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coffea.processor import Runner
from coffea.processor.executor import WorkItem

from coffea_ddp.checkpoints import Shards, file_uuid, remove
from coffea_ddp.cluster import ClusterExecutor
from coffea_ddp.errors import InputError
from coffea_ddp.executors import LocalExecutor
from coffea_ddp.fileset import TREE, normalise
from coffea_ddp.guarding import TIMEOUT, Guard, unaccounted
from coffea_ddp.histograms import Histograms
from coffea_ddp.ledger import Ledger, Missing
from coffea_ddp.loading import load_plan
from coffea_ddp.opening import find_chunks, with_preload
from coffea_ddp.plan import ScanPlan
from coffea_ddp.processor import ScanProcessor
from coffea_ddp.schema import DDPSchema
from coffea_ddp.workers import check_workers

EXECUTORS = ("iterative", "futures", "dask", "dask-awkward")
CHUNKSIZE = 200_000
"""Default number of events a chunk; chunks end where the file's clusters do."""

_LOG = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with the number of events done so far and the number in all."""


def run(
    plan: ScanPlan | ScanProcessor | str | Path,
    fileset: Any,
    *,
    executor: str = "iterative",
    workers: int = 2,
    client: Any = None,
    chunksize: int = CHUNKSIZE,
    tree: str = TREE,
    skip_bad_files: bool = False,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    keep_checkpoint: bool = False,
    timeout: float = TIMEOUT,
    retries: int = 2,
    progress: Progress | None = None,
) -> Histograms:
    """Run a plan over files and return what was accumulated.

    Parameters
    ----------
    plan
        A plan, its processor, the path of a plan's file, or a shipped plan's name.
    fileset
        coffea's fileset, the path of its JSON, or ROOT files and globs.
    executor
        ``"iterative"`` (this process), ``"futures"`` (worker processes here), ``"dask"`` (coffea's Runner on a Dask
        cluster) or ``"dask-awkward"`` (a graph of delayed partitions; on ``client``, or on this machine without).
    workers
        Number of worker processes, for ``"futures"``.
    client
        A ``distributed.Client``; implies ``"dask"`` unless ``"dask-awkward"`` is asked for.
    chunksize
        Events a chunk.
    tree
        The tree of files given without one.
    skip_bad_files
        A file that cannot be opened, or lacks a branch, is left out, named in ``missing``, and the output is PARTIAL;
        else it stops the run. What fails later (a file that vanishes, a basket that cannot be read, a chunk with which
        workers die) never stops it: the rest is done, and what failed is named.
    checkpoint
        A folder for the results of finished chunks; removed when everything is done. On a cluster the workers write
        there if they reach it, else this process does.
    resume
        Take what is in that folder for done; without it, the folder is emptied first. The result has the same bits as
        that of a run that was never interrupted.
    keep_checkpoint
        Leave the folder when everything is done: for those who remove it once the result is saved.
    timeout
        Seconds that a server may take for one answer.
    retries
        How often a chunk of a file that is not on a local disk is tried again.
    progress
        Called at the start and after every chunk with the events done and the events in all.

    Returns
    -------
    Histograms
        Every chunk counted once; what is not in it is named in ``missing``.

    Raises
    ------
    DDPError
        With what went wrong, the file and what to do.
    """
    plan = _as_plan(plan)
    if client is not None and executor != "dask-awkward":
        executor = "dask"
    _check_options(executor, client, workers=workers, chunksize=chunksize, timeout=timeout, retries=retries)
    if resume and checkpoint is None:
        raise InputError("resume=True needs checkpoint=FOLDER, the one that the interrupted run wrote to")
    files = normalise(fileset, tree=tree)
    chunks, lost = find_chunks(files, chunksize, skip_bad_files=skip_bad_files, timeout=timeout)
    _LOG.info("%s, fingerprint %s: %d chunks, %d files lost", plan.name, plan.fingerprint, len(chunks), len(lost))
    counter = _Counter(sum(len(chunk) for chunk in chunks), progress)
    counter.begin()
    if executor == "dask-awkward":
        if client is not None:
            check_workers(client, None)
        result = _run_delayed(plan, chunks, client, skip_bad_files=skip_bad_files, checkpoint=checkpoint)
        counter.finish()
        return result
    shards = _shards(checkpoint, plan, resume=resume)
    chunks = with_preload(plan, chunks)
    if shards is not None and resume:
        _LOG.info("resuming from %s: %d of %d chunks are there", shards.folder, shards.count(chunks), len(chunks))
    guard = Guard(plan.layout, skip_bad_files, shards, timeout, retries)
    engine = _engine(executor, workers, client, guard, counter)
    done: Histograms = Histograms.empty(plan.layout)
    if chunks:
        wait = max(int(timeout), 1)
        runner = Runner(engine, schema=DDPSchema, chunksize=chunksize, metadata_cache={}, xrootdtimeout=wait)
        done = runner.run(chunks, ScanProcessor(plan))["out"]
    result = done.with_missing([*lost, *_not_in(done.ledger, chunks)])
    if checkpoint is not None and not (result.partial or keep_checkpoint):
        remove(checkpoint)
    return result


def _check_options(executor: str, client: Any, *, workers: int, chunksize: int, timeout: float, retries: int) -> None:
    if executor not in EXECUTORS:
        raise InputError(f"executor={executor!r}: the executors are {', '.join(EXECUTORS)}")
    if executor == "dask" and client is None:
        raise InputError("executor='dask' needs client=Client(...), of dask.distributed")
    least = {"workers": (workers, 1), "chunksize": (chunksize, 1), "timeout": (timeout, 1e-3), "retries": (retries, 0)}
    for name, (given, lowest) in least.items():
        if given < lowest:
            raise InputError(f"{name}={given}: give {lowest} or more")


def _engine(executor: str, workers: int, client: Any, guard: Guard, counter: _Counter) -> Any:
    if executor != "dask":
        return LocalExecutor(guard=guard, workers=workers if executor == "futures" else 0, done=counter)
    shards = guard.shards
    reached = check_workers(client, shards.folder if shards else None)
    kept_here = None
    if shards is not None and not reached:
        _LOG.info("the workers do not reach %s: finished chunks are kept from here", shards.folder)
        guard, kept_here = replace(guard, shards=None), shards
    return ClusterExecutor(client=client, status=False, guard=guard, keep=kept_here, done=counter)


def _run_delayed(
    plan: ScanPlan, chunks: Sequence[WorkItem], client: Any, *, skip_bad_files: bool, checkpoint: str | Path | None
) -> Histograms:
    if skip_bad_files or checkpoint is not None:
        raise InputError(
            "the executor 'dask-awkward' neither skips bad files nor writes checkpoints; use 'dask' (coffea's Runner)"
        )
    from coffea_ddp.delayed import run_delayed

    return run_delayed(plan, chunks, client)


def _as_plan(plan: ScanPlan | ScanProcessor | str | Path) -> ScanPlan:
    if isinstance(plan, ScanPlan):
        return plan
    if isinstance(plan, ScanProcessor):
        return plan.plan
    return load_plan(plan)


def _shards(checkpoint: str | Path | None, plan: ScanPlan, *, resume: bool) -> Shards | None:
    if checkpoint is None:
        return None
    if not resume:
        remove(checkpoint)
    return Shards.of(checkpoint, plan.layout)


@dataclass
class _Counter:
    """Counts events as chunks finish."""

    total: int
    progress: Progress | None
    done: int = 0

    def __call__(self, events: int) -> None:
        self.done += events
        self._tell()

    def begin(self) -> None:
        """Tell how much there is to do."""
        self._tell()

    def finish(self) -> None:
        """Tell that all is done, where nothing could tell on the way."""
        if self.done < self.total:
            self.done = self.total
            self._tell()

    def _tell(self) -> None:
        if self.progress is not None:
            self.progress(self.done, self.total)


def _not_in(ledger: Ledger, chunks: Sequence[WorkItem]) -> list[Missing]:
    """Return the chunks that the ledger neither counts nor names as missing: the last line of defence."""
    named = {(missing.filename, missing.start, missing.stop) for missing in ledger.missing}
    return [
        unaccounted(item, "the executor returned nothing for it")
        for item in chunks
        if not ledger.counts(file_uuid(item), item.treename, item.entrystart, item.entrystop)
        and (item.filename, item.entrystart, item.entrystop) not in named
    ]
