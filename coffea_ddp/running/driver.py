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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coffea.processor.executor import WorkItem

from coffea_ddp.errors import InputError, did_you_mean
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.ledger import Ledger, Missing
from coffea_ddp.histograms.merging import EVERYTHING
from coffea_ddp.plan.datasets import Dataset, datasets
from coffea_ddp.plan.plan import ScanPlan
from coffea_ddp.plan.plan_files import load_plan
from coffea_ddp.running.chunks import Opener, find_chunks, with_datasets, with_preload
from coffea_ddp.running.dask_cluster import ClusterExecutor, opener
from coffea_ddp.running.duplicates import Reading
from coffea_ddp.running.fileset import TREE, Fileset, check_files_apart, normalise
from coffea_ddp.running.guarding import Guard, unaccounted
from coffea_ddp.running.local import LocalExecutor
from coffea_ddp.running.processor import ScanProcessor
from coffea_ddp.running.progress import Progress, steps, telling
from coffea_ddp.running.reader import TIMEOUT, FileRunner
from coffea_ddp.running.schema import OPENING, DDPSchema
from coffea_ddp.running.shards import Shards, file_uuid, remove
from coffea_ddp.running.workers import check_workers

EXECUTORS = ("iterative", "futures", "dask", "dask-awkward")
CHUNKSIZE = 200_000
"""Default number of events a chunk; chunks end where the file's clusters do."""

_LOG = logging.getLogger(__name__)


def run(
    plan: ScanPlan | ScanProcessor | str | Path,
    fileset: Any = (),
    *,
    executor: str = "iterative",
    workers: int = 2,
    client: Any = None,
    chunksize: int = CHUNKSIZE,
    deduplicate: bool = False,
    tree: str = TREE,
    redirector: str = "",
    skip_bad_files: bool = False,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    keep_checkpoint: bool = False,
    timeout: float = TIMEOUT,
    retries: int = 2,
    progress: Progress | bool | None = None,
) -> Histograms:
    """Run a plan over files and return what was accumulated.

    Parameters
    ----------
    plan
        A plan, its processor, the path of a plan's file, or a shipped plan's name.
    fileset
        coffea's fileset (its ``steps`` are what is counted), the path of its JSON, or ROOT and Parquet files, globs and
        lists (:func:`coffea_ddp.running.fileset.normalise` tells all forms). Without any, it is said what is forgotten.
    executor
        ``"iterative"`` (this process), ``"futures"`` (worker processes here), ``"dask"`` (coffea's Runner on a Dask
        cluster) or ``"dask-awkward"`` (a graph of delayed partitions; on ``client``, or on this machine without).
    workers
        Number of worker processes, for ``"futures"``.
    client
        A ``distributed.Client``; implies ``"dask"`` unless ``"dask-awkward"`` is asked for.
    chunksize
        Events a chunk.
    deduplicate
        Take events that are in several datasets, or twice in one, once: by run, luminosity block and event, which are
        read beforehand; the first in the order of the fileset counts. Datasets with ``triggers`` in their metadata
        need no such reading (:mod:`coffea_ddp.plan.datasets`).
    tree
        The tree of files given without one.
    redirector
        Put before logical names (``/store/...``), as in ``root://cms-xrd-global.cern.ch/``.
    skip_bad_files
        A file that cannot be opened, or lacks a branch, is left out, named in ``missing``, and the output is PARTIAL;
        else it stops the run. What fails later (a file that vanishes, a basket that cannot be read, a chunk with which
        workers die) never stops it: the rest is done, and what failed is named.
    checkpoint
        A folder for the results of finished chunks: a new or empty one, or that of an earlier run. They are removed
        when everything is done; other files in it are never touched. On a cluster the workers write there if they
        reach it, else this process does.
    resume
        Take the chunks in that folder for done; without it, they are removed first. The result has the same bits as
        that of a run that was never interrupted.
    keep_checkpoint
        Leave the folder when everything is done: for those who remove it once the result is saved.
    timeout
        Seconds that a server may take for one answer.
    retries
        How often a chunk of a file that is not on a local disk is tried again.
    progress
        Called at the start and after every chunk with the events done and the events in all; ``True`` draws a bar, in
        a terminal or a notebook.

    Returns
    -------
    Histograms
        Every chunk counted once; what is not in it is named in ``missing``.

    Raises
    ------
    DDPError
        With what went wrong, the file and what to do.
    """
    options = Options(
        executor, workers, client, chunksize, deduplicate, tree, redirector, skip_bad_files, checkpoint, resume,
        keep_checkpoint, timeout, retries, progress,
    )  # fmt: skip
    (total,) = _run(_as_plan(plan), fileset, options, by_dataset=False).values()
    return total


def run_by_dataset(plan: ScanPlan | ScanProcessor | str | Path, fileset: Any, **options: Any) -> dict[str, Histograms]:
    """Run a plan over files and return what was accumulated of each dataset.

    Parameters
    ----------
    plan, fileset
        As for :func:`run`.
    options
        Those of :func:`run`.

    Returns
    -------
    dict
        Dataset -> histograms, in the order of the fileset; :func:`run` returns their sum. Add those that you want.

    Raises
    ------
    DDPError
        With what went wrong, the file and what to do.

    Examples
    --------
    >>> import tempfile
    >>> from coffea_ddp.testing import make_nanoaod
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     eras = {era: [make_nanoaod(f"{folder}/{era}.root", events=200, seed=1)] for era in ("2022", "2023")}
    ...     found = run_by_dataset("symmetries", eras)
    >>> {dataset: hists.n_events for dataset, hists in found.items()}
    {'2022': 200, '2023': 200}
    """
    return _run(_as_plan(plan), fileset, Options(**options), by_dataset=True)


@dataclass(frozen=True)
class Options:
    """The options of :func:`run`, which explains them; checked when made."""

    executor: str = "iterative"
    workers: int = 2
    client: Any = None
    chunksize: int = CHUNKSIZE
    deduplicate: bool = False
    tree: str = TREE
    redirector: str = ""
    skip_bad_files: bool = False
    checkpoint: str | Path | None = None
    resume: bool = False
    keep_checkpoint: bool = False
    timeout: float = TIMEOUT
    retries: int = 2
    progress: Progress | bool | None = None

    def __post_init__(self) -> None:
        if self.executor not in EXECUTORS:
            near = did_you_mean(self.executor, EXECUTORS)
            raise InputError(f"executor={self.executor!r}: the executors are {', '.join(EXECUTORS)}{near}")
        if self.client is not None and self.executor != "dask-awkward":
            object.__setattr__(self, "executor", "dask")
        if self.executor == "dask" and self.client is None:
            raise InputError("executor='dask' needs client=Client(...), of dask.distributed")
        for name, lowest in {"workers": 1, "chunksize": 1, "timeout": 1e-3, "retries": 0}.items():
            if not isinstance(value := getattr(self, name), int | float) or not value >= lowest:
                raise InputError(f"{name}={value!r}: give {lowest} or more")
        if self.resume and self.checkpoint is None:
            raise InputError("resume=True needs checkpoint=FOLDER, the one that the interrupted run wrote to")
        if self.executor == "dask-awkward" and (self.skip_bad_files or self.checkpoint is not None):
            raise InputError("the executor 'dask-awkward' neither skips bad files nor writes checkpoints; 'dask' does")


@dataclass(frozen=True)
class Keeping:
    """Where finished chunks are kept, if they are, and whether the workers or this process write them."""

    shards: Shards | None
    by_workers: bool


def _run(plan: ScanPlan, fileset: Any, options: Options, *, by_dataset: bool) -> dict[str, Histograms]:
    files = normalise(fileset, tree=options.tree, redirector=options.redirector)
    if not by_dataset:
        check_files_apart(files)
    about = datasets(files)
    if options.resume and not Path(str(options.checkpoint)).is_dir():
        raise InputError(f"resume=True: there is no {options.checkpoint} to go on from; leave it out, or name another")
    shards = None if options.checkpoint is None else Shards.of(options.checkpoint, plan.layout)
    reached, opened = True, None
    if options.client is not None:
        reached, opened = check_workers(options.client, shards.folder if shards else None), opener(options.client)
    chunks, lost = _opened(files, options, opened, by_dataset=by_dataset)
    if shards is not None and not options.resume:  # not before all files are open, or a mistyped name would lose them
        remove(shards.folder.parent)
        shards.make()
    chunks, not_compared = _compared(chunks, about, options)
    lost += not_compared
    _LOG.info("%s, fingerprint %s: %d chunks, %d files lost", plan.name, plan.fingerprint, len(chunks), len(lost))
    with telling(options.progress) as tell:
        counter = _Counter(sum(len(chunk) for chunk in chunks), tell)
        counter.begin()
        if options.executor == "dask-awkward":
            found = _run_delayed(plan, chunks, options.client, by_dataset=by_dataset)
            counter.finish()
        else:
            keeping = Keeping(shards, by_workers=reached)
            found = _run_chunks(plan, chunks, options, counter, keeping, by_dataset=by_dataset)
    names = about if by_dataset else {EVERYTHING: None}
    whole = {name: found.get(name, Histograms.empty(plan.layout)) for name in names}
    missing = [*lost, *_not_in([hists.ledger for hists in whole.values()], chunks)]
    result = {
        name: hists.with_missing([one for one in missing if not by_dataset or one.dataset == name])
        for name, hists in whole.items()
    }
    if options.checkpoint is not None and not (options.keep_checkpoint or any(h.partial for h in result.values())):
        remove(options.checkpoint)
    return result


def _opened(
    files: Fileset, options: Options, opened: Opener | None, *, by_dataset: bool
) -> tuple[list[WorkItem], list[Missing]]:
    with steps(options.progress, "opening", "files") as tell:
        return find_chunks(
            files,
            options.chunksize,
            skip_bad_files=options.skip_bad_files,
            timeout=options.timeout,
            opener=opened,
            by_dataset=by_dataset,
            tell=tell,
        )


def _compared(
    chunks: list[WorkItem], about: Mapping[str, Dataset], options: Options
) -> tuple[list[WorkItem], list[Missing]]:
    if not options.deduplicate:
        return with_datasets(chunks, about)
    first_look = Reading(options.timeout, options.retries)
    with steps(options.progress, "comparing events", "chunks") as tell:
        return with_datasets(chunks, about, first_look=first_look, tell=tell)


def _run_chunks(
    plan: ScanPlan,
    chunks: Sequence[WorkItem],
    options: Options,
    counter: _Counter,
    keeping: Keeping,
    *,
    by_dataset: bool,
) -> dict[str, Histograms]:
    if not chunks:
        return {}
    work, shards = with_preload(plan, chunks), keeping.shards
    if shards is not None and options.resume:
        _LOG.info("resuming from %s: %d of %d chunks are there", shards.folder, shards.count(work), len(work))
    mine, theirs = (None, shards) if keeping.by_workers else (shards, None)
    guard = Guard(plan.layout, options.skip_bad_files, theirs, options.timeout, options.retries)
    if mine is not None:
        _LOG.info("the workers do not reach %s: finished chunks are kept from here", mine.folder)
    if options.executor == "dask":
        engine: Any = ClusterExecutor(
            client=options.client, status=False, guard=guard, keep=mine, done=counter, by_dataset=by_dataset
        )
    else:
        workers = options.workers if options.executor == "futures" else 0
        engine = LocalExecutor(guard=guard, workers=workers, done=counter, by_dataset=by_dataset)
    wait = max(int(options.timeout), 1)
    # The plan is not packed by coffea, which would unpack and build it anew for every chunk.
    runner = FileRunner(
        engine,
        schema=DDPSchema,
        chunksize=options.chunksize,
        metadata_cache={},
        xrootdtimeout=wait,
        processor_compression=None,
    )
    found: dict[str, Histograms] = runner.run(work, ScanProcessor(plan), uproot_options=dict(OPENING))["out"]
    return found


def _run_delayed(plan: ScanPlan, chunks: Sequence[WorkItem], client: Any, *, by_dataset: bool) -> dict[str, Histograms]:
    from coffea_ddp.running.dask_awkward import run_delayed

    if not by_dataset:
        return {EVERYTHING: run_delayed(plan, chunks, client)}
    names = dict.fromkeys(item.dataset for item in chunks)
    return {name: run_delayed(plan, [item for item in chunks if item.dataset == name], client) for name in names}


def _as_plan(plan: ScanPlan | ScanProcessor | str | Path) -> ScanPlan:
    if isinstance(plan, ScanPlan):
        return plan
    if isinstance(plan, ScanProcessor):
        if plan.weight is not None:
            raise InputError(
                f"the processor of plan {plan.plan.name!r} has a weight, which is for coffea's own Runner; "
                "give the plan one: dataclasses.replace(plan, weight=...), a function of SelectedEvents"
            )
        return plan.plan
    return load_plan(plan)


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


def _not_in(ledgers: Sequence[Ledger], chunks: Sequence[WorkItem]) -> list[Missing]:
    """Return the chunks that no ledger counts or names as missing: the last line of defence."""
    named = {(one.filename, one.tree, one.start, one.stop) for ledger in ledgers for one in ledger.missing}
    return [
        unaccounted(item, "the executor returned nothing for it")
        for item in chunks
        if not any(ledger.counts(file_uuid(item), item.treename, item.entrystart, item.entrystop) for ledger in ledgers)
        and (item.filename, item.treename, item.entrystart, item.entrystop) not in named
    ]
