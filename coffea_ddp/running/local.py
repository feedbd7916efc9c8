"""Running chunks through coffea's Runner: on this machine, with errors as data and progress in events.

coffea's own local executors print their bars and tracebacks on stdout and stderr and stop at the first bad file without
saying which. This one hands every finished chunk to a callback; :class:`~coffea_ddp.running.guarding.Guard` turns what
fails into an entry of the ledger or into one of our errors. Clusters have an executor of their own
(:mod:`coffea_ddp.running.dask_cluster`).
"""

from __future__ import annotations

import concurrent.futures
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from coffea.processor.executor import ExecutorBase, WorkItem

from coffea_ddp.cluster.code_digest import call, here, packed
from coffea_ddp.errors import OtherCodeError
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.merging import Forest, add_all
from coffea_ddp.running.guarding import Function, Guard, Output

_WATCH = 0.5
"""Seconds between two looks of a worker process at whether its parent is there."""
_LOG = logging.getLogger(__name__)


@dataclass
class LocalExecutor(ExecutorBase):  # type: ignore[misc]
    """An executor for coffea's Runner: in this process, or in worker processes.

    Parameters
    ----------
    guard
        Around what runs a chunk.
    workers
        0 runs in this process; otherwise so many worker processes (loky's, as coffea's own).
    done
        Called with the number of events of every chunk that is done, or given up.
    by_dataset
        Sum every dataset apart.
    """

    guard: Guard = field(kw_only=True)
    workers: int = 0
    done: Callable[[int], None] = field(default=lambda _events: None)
    by_dataset: bool = False
    retries: int = 0

    def __call__(self, items: Iterable[WorkItem], function: Function, accumulator: Any) -> tuple[Output, int]:
        """Return the sum of the outputs, by dataset or of all, and 0."""
        del accumulator  # the Runner's is empty
        work, guarded = list(items), self.guard(function)
        outputs = (
            enumerate(map(guarded, work))
            if self.workers == 0
            else _in_processes(partial(call, here(), packed(guarded)), work, min(self.workers, len(work)), self.guard)
        )
        forest: Forest[Histograms] = Forest([item.dataset for item in work], add_all)
        for number, output in outputs:
            self.done(len(work[number]))
            forest.put(number, output["out"])
        return {"out": forest.results(by_label=self.by_dataset)}, 0


def _in_processes(
    function: Function, items: Sequence[WorkItem], workers: int, guard: Guard
) -> Iterator[tuple[int, Output]]:
    """Yield numbers and outputs as they come, with a bounded number of them waiting.

    A process that dies takes the others of its pool along. What was running then runs again, one chunk at a time: the
    one with which a process dies twice is missing.
    """
    pending = deque(enumerate(items))
    while pending:
        suspects = deque((yield from _pool(function, pending, workers, guard)))
        while suspects:
            for number, item in (yield from _pool(function, suspects, 1, guard, ahead=0)):
                yield number, guard.died(item, "a worker process died with it, twice (killed, or out of memory?)")


def _pool(
    function: Function, pending: deque[tuple[int, WorkItem]], workers: int, guard: Guard, *, ahead: int = 1
) -> Generator[tuple[int, Output], None, list[tuple[int, WorkItem]]]:
    """Yield outputs until nothing is pending or a process has died; return what was running then.

    Each process has ``ahead`` chunks waiting beside the one that it works on.
    """
    import loky  # comes with coffea

    running: dict[concurrent.futures.Future[Output], tuple[int, WorkItem]] = {}
    pool = loky.ProcessPoolExecutor(max_workers=workers, initializer=end_with, initargs=(os.getpid(),))
    try:
        while pending or running:
            while pending and len(running) < (1 + ahead) * workers:
                running[pool.submit(function, pending[0][1])] = pending[0]
                pending.popleft()
            ready, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in ready:
                number, item = running[future]
                output = _output(future, item, guard)
                del running[future]
                yield number, output
    except BrokenProcessPool as error:
        _LOG.warning("a worker process died (%s); what it was doing is done again", error)
    finally:
        # Whatever ends it early (a fault of the plan, Ctrl-C), nobody waits for what was going on.
        pool.shutdown(wait=True, kill_workers=bool(running))
    return sorted(running.values())


def _output(future: concurrent.futures.Future[Output], item: WorkItem, guard: Guard) -> Output:
    """Return what a process has made of a chunk; one that was started after the package was edited has made nothing."""
    try:
        return future.result()
    except OtherCodeError as error:
        return guard.missing(item, f"{item.filename}: the package was changed while the run was going ({error})")


def end_with(parent: int) -> None:
    """Have this process end when its parent has ended, however that came about: nobody is left to take its results.

    Parameters
    ----------
    parent
        The process that has started this one.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="ends with its parent").start()
