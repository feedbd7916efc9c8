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
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coffea.processor import Runner
from coffea.processor.executor import WorkItem

from coffea_ddp.checkpoints import Shards
from coffea_ddp.errors import InputError
from coffea_ddp.executors import Guard, GuardedDaskExecutor, LocalExecutor
from coffea_ddp.fileset import TREE, normalise
from coffea_ddp.histograms import Histograms
from coffea_ddp.ledger import Missing
from coffea_ddp.loading import load_plan
from coffea_ddp.opening import find_chunks, with_preload
from coffea_ddp.plan import ScanPlan
from coffea_ddp.processor import ScanProcessor
from coffea_ddp.schema import DDPSchema

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
        A file that cannot be read is left out, named in ``missing``, and the output is PARTIAL; else it stops the run.
    checkpoint
        A folder for the results of finished chunks; removed when everything is done.
    resume
        Take what is in that folder for done; without it, the folder is emptied first.
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
    if executor not in EXECUTORS or workers < 1 or chunksize < 1:
        raise InputError(
            f"executor={executor!r}, workers={workers}, chunksize={chunksize}: "
            f"the executors are {', '.join(EXECUTORS)}; workers and chunksize are at least 1"
        )
    if resume and checkpoint is None:
        raise InputError("resume=True needs checkpoint=FOLDER, the one that the interrupted run wrote to")
    files = normalise(fileset, tree=tree)
    chunks, lost = find_chunks(files, chunksize, skip_bad_files=skip_bad_files)
    _LOG.info("%s, fingerprint %s: %d chunks, %d files lost", plan.name, plan.fingerprint, len(chunks), len(lost))
    counter = _Counter(sum(len(chunk) for chunk in chunks), progress)
    counter.begin()
    if executor == "dask-awkward":
        result = _run_delayed(plan, chunks, client, skip_bad_files=skip_bad_files, checkpoint=checkpoint)
        counter.finish()
        return result
    shards = _shards(checkpoint, plan, resume=resume)
    chunks = with_preload(plan, chunks)
    if shards is not None and resume:
        _LOG.info("resuming from %s: %d of %d chunks are there", shards.folder, shards.count(chunks), len(chunks))
    engine = _engine(executor, workers, client, Guard(plan.layout, skip_bad_files), counter)
    runner = Runner(engine, schema=DDPSchema, chunksize=chunksize, checkpointer=shards, metadata_cache={})
    done: Histograms = Histograms.empty(plan.layout)
    processed: set[WorkItem] = set()
    if chunks:
        output = runner.run(chunks, ScanProcessor(plan))
        done, processed = output["out"], set(output["processed"])
        counter.finish()
    result = done.with_missing([*lost, *_unaccounted(chunks, processed, done)])
    if checkpoint is not None and not result.partial:
        shutil.rmtree(checkpoint, ignore_errors=True)
    return result


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
        shutil.rmtree(checkpoint, ignore_errors=True)
    return Shards(checkpoint, plan.fingerprint)


@dataclass
class _Counter:
    """Counts events as chunks finish."""

    total: int
    progress: Progress | None
    done: int = 0

    def __call__(self, output: Any) -> None:
        self.done += sum(len(item) for item in output["processed"])
        self.done += sum(missing.stop - missing.start for missing in output["out"].missing)
        self._tell()

    def begin(self) -> None:
        """Tell how much there is to do."""
        self._tell()

    def finish(self) -> None:
        """Tell that all is done, where the executor (a cluster's) did not tell on the way."""
        if self.done < self.total:
            self.done = self.total
            self._tell()

    def _tell(self) -> None:
        if self.progress is not None:
            self.progress(self.done, self.total)


def _engine(executor: str, workers: int, client: Any, guard: Guard, counter: _Counter) -> Any:
    if executor != "dask":
        return LocalExecutor(workers=workers if executor == "futures" else 0, guard=guard, done=counter)
    return GuardedDaskExecutor(client=client, status=False, retries=0, guard=guard)


def _unaccounted(chunks: Sequence[WorkItem], processed: set[WorkItem], done: Histograms) -> list[Missing]:
    """Return the chunks that neither came back nor were named as missing: the ledger's last line of defence."""
    named = {(missing.filename, missing.start, missing.stop) for missing in done.missing}
    return [
        Missing(item.dataset, item.filename, item.entrystart, item.entrystop, "the executor returned nothing for it")
        for item in chunks
        if item not in processed and (item.filename, item.entrystart, item.entrystop) not in named
    ]
