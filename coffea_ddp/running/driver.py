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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coffea.processor.executor import WorkItem

from coffea_ddp.cluster.workers import check_workers
from coffea_ddp.errors import InputError, check_progress
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.ledger import Ledger, Missing
from coffea_ddp.histograms.merging import EVERYTHING
from coffea_ddp.plan.datasets import Dataset, check_triggers, datasets
from coffea_ddp.plan.plan import ScanPlan
from coffea_ddp.plan.plan_files import load_plan
from coffea_ddp.running.chunks import find_chunks, with_datasets, with_preload
from coffea_ddp.running.dask_cluster import FILLS, ClusterExecutor, opener
from coffea_ddp.running.executors import Cluster, DaskAwkward, Executor, Local, executor_of
from coffea_ddp.running.fileset import Fileset, check_files_apart, normalise
from coffea_ddp.running.guarding import Guard, unaccounted
from coffea_ddp.running.local import LocalExecutor
from coffea_ddp.running.options import Checkpoint, Reading, checkpoint_of, flag, reading_of
from coffea_ddp.running.processor import ScanProcessor
from coffea_ddp.running.progress import Progress, steps, telling
from coffea_ddp.running.reader import FileRunner
from coffea_ddp.running.schema import OPENING, DDPSchema
from coffea_ddp.running.shards import Shards, file_uuid, remove, remove_unfinished

_LOG = logging.getLogger(__name__)


def run(
    plan: ScanPlan | ScanProcessor | str | Path,
    fileset: Any = (),
    *,
    executor: Executor | str = "iterative",
    workers: int | None = None,
    client: Any = None,
    reading: Reading | None = None,
    checkpoint: Checkpoint | str | Path | None = None,
    deduplicate: bool = False,
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
        ``"iterative"`` (this process), ``"futures"`` (worker processes here), ``"dask"`` and ``"dask-awkward"`` (both
        with a client), or one of
        :class:`~coffea_ddp.running.executors.Iterative`, :class:`~coffea_ddp.running.executors.Local`,
        :class:`~coffea_ddp.running.executors.Cluster` (coffea's Runner on a Dask cluster) and
        :class:`~coffea_ddp.running.executors.DaskAwkward` (a graph of delayed partitions).
    workers
        Number of worker processes of ``"futures"``, two by default.
    client
        A ``distributed.Client``; implies ``"dask"`` unless ``"dask-awkward"`` is asked for.
    reading
        The size of chunks, the tree, addresses, and what is done about files that cannot be read.
    checkpoint
        A folder for the results of finished chunks, or a :class:`~coffea_ddp.running.options.Checkpoint`, which can
        resume an interrupted run.
    deduplicate
        Take events that are in several datasets, or twice in one, once: by run, luminosity block and event, which are
        read beforehand; the first in the order of the fileset counts. Datasets with ``triggers`` in their metadata
        need no such reading (:mod:`coffea_ddp.plan.datasets`).
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

    Examples
    --------
    >>> import tempfile
    >>> from coffea_ddp.running.options import Reading
    >>> from coffea_ddp.testing import make_nanoaod
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = make_nanoaod(f"{folder}/nano.root", events=500, seed=1)
    ...     hists = run("symmetries", path, reading=Reading(chunksize=100))
    >>> hists.n_events
    500
    """
    settings = _Settings.of(executor_of(executor, workers, client), reading, checkpoint, deduplicate, progress)
    with _leaving_nothing(settings.checkpoint):
        (total,) = _run(_as_plan(plan), fileset, settings, by_dataset=False).values()
    return total


def run_by_dataset(
    plan: ScanPlan | ScanProcessor | str | Path,
    fileset: Any = (),
    *,
    executor: Executor | str = "iterative",
    workers: int | None = None,
    client: Any = None,
    reading: Reading | None = None,
    checkpoint: Checkpoint | str | Path | None = None,
    deduplicate: bool = False,
    progress: Progress | bool | None = None,
) -> dict[str, Histograms]:
    """Run a plan over files and return what was accumulated of each dataset.

    Parameters
    ----------
    plan, fileset, executor, workers, client, reading, checkpoint, deduplicate, progress
        As for :func:`run`.

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
    settings = _Settings.of(executor_of(executor, workers, client), reading, checkpoint, deduplicate, progress)
    with _leaving_nothing(settings.checkpoint):
        return _run(_as_plan(plan), fileset, settings, by_dataset=True)


@contextmanager
def _leaving_nothing(checkpoint: Checkpoint | None) -> Iterator[None]:
    """Have a run that fails before any chunk was finished leave no folder behind."""
    made_here = checkpoint is not None and not Path(checkpoint.folder).exists()
    try:
        yield
    except BaseException:
        if checkpoint is not None and made_here:
            remove_unfinished(checkpoint.folder)
        raise


@dataclass(frozen=True)
class _Settings:
    """Keywords of :func:`run`, checked one by one and together."""

    executor: Executor
    reading: Reading
    checkpoint: Checkpoint | None
    deduplicate: bool
    progress: Progress | bool | None

    @classmethod
    def of(cls, executor: Executor, reading: Any, checkpoint: Any, deduplicate: Any, progress: Any) -> _Settings:
        """Return what was asked for.

        Raises
        ------
        InputError
            If an object is of another kind, or the executor cannot do what is asked.
        """
        settings = cls(executor, reading_of(reading), checkpoint_of(checkpoint), deduplicate, progress)
        flag(deduplicate, "deduplicate")
        if not isinstance(progress, bool):
            check_progress("run", progress, "events done, events in all", bar=True)
        if isinstance(settings.executor, DaskAwkward) and (
            settings.reading.skip_bad_files or settings.checkpoint is not None
        ):
            raise InputError(
                "the executor 'dask-awkward' neither skips bad files nor writes checkpoints; a cluster does: "
                "executor=Cluster(client), --executor dask"
            )
        return settings


@dataclass(frozen=True)
class _Keeping:
    """The shards of a run, if any are kept, and who writes them: the workers or this process."""

    shards: Shards | None
    resume: bool
    by_workers: bool


def _run(plan: ScanPlan, fileset: Any, settings: _Settings, *, by_dataset: bool) -> dict[str, Histograms]:
    files = normalise(fileset, tree=settings.reading.tree, redirector=settings.reading.redirector)
    if not by_dataset:
        check_files_apart(files)
    about = datasets(files)
    check_triggers(plan.spectra, about)
    keeping, chunks, lost = _prepared(plan, files, settings, about, by_dataset=by_dataset)
    chunks, not_compared = _compared(chunks, about, settings)
    lost += not_compared
    _LOG.info("%s, fingerprint %s: %d chunks, %d files lost", plan.name, plan.fingerprint, len(chunks), len(lost))
    with telling(settings.progress) as tell:
        counter = _Counter(sum(len(chunk) for chunk in chunks), tell)
        counter.begin()
        if isinstance(settings.executor, DaskAwkward):
            found = _run_delayed(plan, chunks, settings.executor.client, by_dataset=by_dataset)
            counter.finish()
        else:
            found = _run_chunks(plan, chunks, settings, counter, keeping, by_dataset=by_dataset)
    names = about if by_dataset else {EVERYTHING: None}
    whole = {name: found.get(name, Histograms.empty(plan.layout)) for name in names}
    missing = [*lost, *_not_in([hists.ledger for hists in whole.values()], chunks)]
    result = {
        name: hists.with_missing([one for one in missing if not by_dataset or one.dataset == name])
        for name, hists in whole.items()
    }
    kept = settings.checkpoint
    if kept is not None and not (kept.keep or any(hists.partial for hists in result.values())):
        remove(kept.folder)
    return result


def _prepared(
    plan: ScanPlan, files: Fileset, settings: _Settings, about: Mapping[str, Dataset], *, by_dataset: bool
) -> tuple[_Keeping, list[WorkItem], list[Missing]]:
    """Return what is kept of finished chunks, the chunks that are asked for, and what cannot be opened."""
    checkpoint = settings.checkpoint
    resume = checkpoint is not None and checkpoint.resume
    if checkpoint is not None and resume and not Path(checkpoint.folder).is_dir():
        raise InputError(
            f"Checkpoint(resume=True): there is no {checkpoint.folder} to go on from; leave it out, or name another"
        )
    shards = None if checkpoint is None else Shards.of(checkpoint.folder, plan.layout)
    reached, opened = True, None
    client = getattr(settings.executor, "client", None)
    if client is not None:
        reached, opened = check_workers(client, FILLS, shards.folder if shards else None), opener(client)
    with steps(settings.progress, "opening", "files") as tell:
        simulated = about if plan.comparisons else None
        chunks, lost = find_chunks(
            files, settings.reading, opener=opened, by_dataset=by_dataset, about=simulated, tell=tell
        )
    if shards is not None and not resume:  # not before all files are open, or a mistyped name would lose them
        remove(shards.folder.parent)
        shards.make()
    return _Keeping(shards, resume, reached), chunks, lost


def _compared(
    chunks: list[WorkItem], about: Mapping[str, Dataset], settings: _Settings
) -> tuple[list[WorkItem], list[Missing]]:
    if not settings.deduplicate:
        return with_datasets(chunks, about)
    with steps(settings.progress, "comparing events", "chunks") as tell:
        return with_datasets(chunks, about, first_look=settings.reading, tell=tell)


def _run_chunks(
    plan: ScanPlan,
    chunks: Sequence[WorkItem],
    settings: _Settings,
    counter: _Counter,
    keeping: _Keeping,
    *,
    by_dataset: bool,
) -> dict[str, Histograms]:
    if not chunks:
        return {}
    shards = keeping.shards
    work = with_preload(plan, chunks, shards)
    if shards is not None and keeping.resume:
        _LOG.info("resuming from %s: %d of %d chunks are there", shards.folder, shards.count(work), len(work))
    mine, theirs = (None, shards) if keeping.by_workers else (shards, None)
    executor, guard = settings.executor, Guard(plan.layout, settings.reading, theirs)
    if mine is not None:
        _LOG.info("the workers do not reach %s: finished chunks are kept from here", mine.folder)
    if isinstance(executor, Cluster):
        engine: Any = ClusterExecutor(
            client=executor.client, status=False, guard=guard, keep=mine, done=counter, by_dataset=by_dataset
        )
    else:
        apart = isinstance(executor, Local) and sum(map(len, chunks)) > executor.few
        workers = executor.workers if isinstance(executor, Local) and apart else 0
        engine = LocalExecutor(guard=guard, workers=workers, done=counter, by_dataset=by_dataset)
    wait = max(int(settings.reading.timeout), 1)
    # The plan is not packed by coffea, which would unpack and build it anew for every chunk.
    runner = FileRunner(
        engine,
        schema=DDPSchema,
        chunksize=settings.reading.chunksize,
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
