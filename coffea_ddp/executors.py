"""Running chunks on this machine through coffea's Runner, with errors as data and progress in events.

coffea's own local executors print their bars and tracebacks on stdout and stderr and stop at the first bad file without
saying which. This one hands every finished chunk to a callback, and :class:`Guard` turns what fails into an entry of
the ledger or into one of our errors. Clusters are Dask's business (``DaskExecutor``).
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coffea.processor import DaskExecutor, accumulate
from coffea.processor.executor import ExecutorBase

from coffea_ddp.branches import describe
from coffea_ddp.errors import DDPError, FileError, MissingBranchError, PlanError
from coffea_ddp.histograms import Histograms
from coffea_ddp.layout import Layout
from coffea_ddp.ledger import Missing

_PACKAGE = Path(__file__).parent


@dataclass
class LocalExecutor(ExecutorBase):  # type: ignore[misc]
    """An executor for coffea's Runner: in this process, or in worker processes.

    Parameters
    ----------
    workers
        0 runs in this process; otherwise so many worker processes (loky's, as coffea's own).
    guard
        Wrapped around what runs an item; see :class:`Guard`.
    done
        Called with every finished item's output, before it is added.
    """

    workers: int = 0
    guard: Callable[[Callable[[Any], Any]], Callable[[Any], Any]] | None = None
    done: Callable[[Any], None] = field(default=lambda _output: None)
    retries: int = 0

    def __call__(self, items: Iterable[Any], function: Callable[[Any], Any], accumulator: Any) -> tuple[Any, int]:
        """Return the accumulated outputs, and 0."""
        guarded = self.guard(function) if self.guard else function
        outputs = map(guarded, items) if self.workers == 0 else _in_processes(guarded, items, self.workers)
        for output in outputs:
            self.done(output)
            accumulator = accumulate([output], accumulator)
        return accumulator, 0


@dataclass
class GuardedDaskExecutor(DaskExecutor):  # type: ignore[misc]
    """coffea's DaskExecutor with guarded chunks."""

    guard: Callable[[Callable[[Any], Any]], Callable[[Any], Any]] | None = None

    def __call__(self, items: Any, function: Callable[[Any], Any], accumulator: Any) -> Any:
        """Return what coffea's executor returns."""
        return super().__call__(items, self.guard(function) if self.guard else function, accumulator)


def _in_processes(function: Callable[[Any], Any], items: Iterable[Any], workers: int) -> Iterator[Any]:
    """Yield outputs as they come, with a bounded number of them waiting."""
    import loky  # comes with coffea

    pending = list(items)[::-1]
    with loky.ProcessPoolExecutor(max_workers=min(workers, max(len(pending), 1))) as pool:
        running: set[concurrent.futures.Future[Any]] = set()
        try:
            while pending or running:
                while pending and len(running) < 2 * workers:
                    running.add(pool.submit(function, pending.pop()))
                ready, running = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in ready:
                    yield future.result()
        finally:
            for future in running:
                future.cancel()


@dataclass(frozen=True)
class Guard:
    """Turns an exception of a chunk into one of our errors or, where bad files are skipped, into a missing chunk.

    Parameters
    ----------
    layout
        Of the outputs.
    skip_bad_files
        Whether a file that cannot be read becomes an entry of the ledger. Errors of the plan always stop the run.
    """

    layout: Layout
    skip_bad_files: bool

    def __call__(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return the guarded function."""
        return _Guarded(function, self)


@dataclass(frozen=True)
class _Guarded:
    function: Callable[[Any], Any]
    guard: Guard

    def __call__(self, item: Any) -> Any:
        try:
            return self.function(item)
        except Exception as error:  # noqa: BLE001 (whatever it is, it becomes one of ours)
            work = item[0] if isinstance(item, tuple) else item
            # Reading all branches at once says less of what is wrong than reading the one that is.
            again = None if work.preload is None else dataclasses.replace(work, preload=None)
            found = explain(error, work.filename)
        if again is not None:
            return self((again, *item[1:]) if isinstance(item, tuple) else again)
        # Raised here, as a new error: one that carries uproot's as its cause cannot travel between processes.
        problem = type(found)(str(found))
        if not (self.guard.skip_bad_files and isinstance(problem, FileError | MissingBranchError)):
            raise problem
        missing = Missing(work.dataset, work.filename, work.entrystart, work.entrystop, str(problem))
        return {"out": Histograms.empty(self.guard.layout).with_missing([missing]), "processed": set()}


def explain(error: BaseException, filename: str) -> DDPError:
    """Return what an exception of coffea's work function means: ours as it is, a bad file, or a fault of the plan."""
    chain = [error]
    while chain[-1].__cause__ is not None and chain[-1].__cause__ not in chain:
        chain.append(chain[-1].__cause__)
    for one in chain:
        if isinstance(one, DDPError):
            return one
    inner = chain[-1]
    if "Failed processing file" not in str(error):
        return FileError(f"{filename}: cannot be opened ({describe(inner)}); is it a whole ROOT file?")
    return PlanError(f"{filename}: the plan failed with {describe(inner)}{_where(inner)}")


def _where(error: BaseException) -> str:
    """Return the innermost line of code outside of this package and of libraries."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename and not Path(frame.filename).is_relative_to(_PACKAGE)
    ]
    return f" at {frames[-1].filename}, line {frames[-1].lineno}: {frames[-1].line}" if frames else ""
