"""The works of a scan on the workers of a Dask cluster: every part of an observable one task.

An observable goes to the scheduler once, as bytes, and from there or from another worker once to every worker that does
a part of it: as the result of a task it can be had again where a worker is lost. Tasks are numbers, of blocks of
pseudo-experiments or of cells, results some kilobytes that come back as they are made. So many tasks are sent that no
worker waits, of as many observables as that takes, and no more: nothing grows with the number of observables or
pseudo-experiments.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Generic

from coffea_ddp._local_modules import travel_by_value
from coffea_ddp.cluster.code_digest import call, here, packed, unpacked
from coffea_ddp.cluster.watching import PATIENCE, Future, SchedulerLostError, Watch, killed, of_other_code, sending_much
from coffea_ddp.cluster.workers import FitWorkers, check_workers
from coffea_ddp.errors import ClusterError, DDPError, InputError, describe, some_of
from coffea_ddp.scanning.engines import ResultT, Threads

if TYPE_CHECKING:
    from coffea_ddp.scanning.engines import Done, Engine, Work
    from coffea_ddp.scanning.protocols import ScanTest

SCANS = "coffea_ddp.scanning.driver"
"""The module with all that scans: a worker has the code of a scan if its own is the same."""
_ATTEMPTS, _DEATHS = 10, 2
"""Number of times that a task is sent which came to workers with other code, or with which workers died."""
_MORE = 32
"""Tasks that are sent besides two for each thread of the workers."""
_MOST_BYTES = 2**29
"""Bytes of the observables that are sent, of more than one: the scheduler holds them."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClusterWorkers:
    """Workers of a Dask cluster, which come and go.

    Attributes
    ----------
    client
        A ``distributed.Client``.
    patience
        Seconds without any worker after which a scan gives up.
    """

    client: Any
    patience: float = PATIENCE

    def check(self, tests: Iterable[ScanTest]) -> None:
        """See to it that the workers can make some tests, before anything is done.

        Raises
        ------
        InputError
            If a test cannot be sent to them.
        ClusterError
            If there is no worker, or one has other code.
        """
        for test in tests:
            travel_by_value(test)
            try:
                packed(test)
            except Exception as error:
                raise InputError(
                    f"the test {test.name!r} cannot be sent to workers of a cluster ({describe(error)}); make it of a "
                    "function that holds no file, lock or connection, or scan without client"
                ) from error
        check_workers(self.client, SCANS)

    def results(self, works: Iterable[Work[ResultT]], done: Done) -> Iterator[list[ResultT]]:
        """Yield the results of all parts of every work; see :meth:`coffea_ddp.scanning.engines.Engine.results`.

        Raises
        ------
        ClusterError
            If the scheduler is lost, or all workers for long, or they die of the work.
        """
        sending: _Sending[ResultT] = _Sending(self, iter(works), done)
        try:
            yield from sending.results()
        except SchedulerLostError as lost:
            raise ClusterError(
                f"{lost}; what was found is not kept: connect to a cluster again and repeat the scan, which does "
                "not depend on it, or scan without one"
            ) from lost
        finally:
            sending.end()


def engine_of(client: Any, jobs: int | None, tests: Sequence[ScanTest]) -> Engine:
    """Return what does the works of a scan: a cluster's workers, once they are known to be fit; or threads.

    Parameters
    ----------
    client
        A ``distributed.Client``; ``None``: threads of this process.
    jobs
        How many threads; ``None``: one for each core.
    tests
        Of the scan.

    Raises
    ------
    InputError
        If a test cannot be sent to workers.
    ClusterError
        If there is no worker, or one has other code.
    """
    if client is None:
        return Threads(jobs)
    found = ClusterWorkers(client)
    found.check([test for test in tests if test.kind != "events"])
    here_made = [test.name for test in tests if test.kind == "events"]
    if here_made:
        _LOG.info("%s: made by this process, not by the workers of the cluster", ", ".join(here_made))
    return found


@dataclass(eq=False)
class _Sent(Generic[ResultT]):
    """One observable that was sent, with what has come back of it, by parts."""

    number: int
    name: str
    content: Future
    size: int
    parts: Sequence[Sequence[int]]
    found: list[Sequence[ResultT]]
    missing: int


class _Sending(Generic[ResultT]):
    """One scan's tasks: those that are made, those that wait, and the observables that they belong to."""

    def __init__(self, workers: ClusterWorkers, works: Iterator[Work[ResultT]], done: Done) -> None:
        self._client, self._works, self._done = workers.client, works, done
        self.watch = Watch(workers.client, workers.patience)
        self._team = FitWorkers(workers.client, workers.patience, SCANS)
        self._name = uuid.uuid4().hex[:8]
        self._work = partial(call, here(), packed(_results_of))
        self._sent: deque[_Sent[ResultT]] = deque()
        self._n_sent = 0
        self._waiting: deque[tuple[_Sent[ResultT], int]] = deque()
        self._tasks: dict[Any, tuple[_Sent[ResultT], int]] = {}
        self._tries: Counter[tuple[int, int]] = Counter()

    def results(self) -> Iterator[list[ResultT]]:
        """Yield the results of every observable, in their order."""
        while self._fill():
            self._take()
            while self._sent and not self._sent[0].missing:
                yield [result for part in self._sent.popleft().found for result in part]

    def end(self) -> None:
        """Leave nothing of it on the cluster, however it ended."""
        self.watch.cancel([one.content for one in self._sent])
        self._sent.clear()
        self._waiting.clear()
        self._tasks.clear()

    def _fill(self) -> bool:
        """Send as many tasks as the workers have use for; return False when all is done."""
        try:
            room = 2 * sum(self._client.nthreads().values()) + _MORE
            some: list[tuple[_Sent[ResultT], int]] = []
            while len(self.watch) + len(some) < room and (self._waiting or self._next()):
                some.append(self._waiting.popleft())
            self._send(some)
        except DDPError:
            raise
        except Exception as error:
            raise self.watch.understood(error) from error
        return bool(self._sent)

    def _next(self) -> bool:
        """Send the next observable, if there is one and room for it."""
        if self._sent and sum(one.size for one in self._sent) > _MOST_BYTES:
            return False
        work = next(self._works, None)
        if work is None:
            return False
        content = packed(work)
        with sending_much():
            future = self._client.submit(bytes, content, key=f"observable-{self._name}-{self._n_sent}", pure=False)
        n = len(work.parts)
        one = _Sent[ResultT](self._n_sent, work.name, future, len(content), work.parts, [[] for _ in range(n)], n)
        self._n_sent += 1
        self._sent.append(one)
        self._waiting.extend((one, part) for part in range(n))
        return True

    def _send(self, some: Sequence[tuple[_Sent[ResultT], int]]) -> None:
        if not some:
            return
        keys = [(f"part-{self._name}-{self._tries[one.number, part]}", one.number, part) for one, part in some]
        contents, numbers = [one.content for one, _ in some], [one.parts[part] for one, part in some]
        options = {"pure": False, "retries": 0, **self._team.preferred()}
        futures = self._client.map(self._work, contents, numbers, key=keys, **options)
        self._tasks.update(zip(keys, some, strict=True))
        self.watch.add(futures)

    def _take(self) -> None:
        """Take what has come to an end; wait for something that does."""
        good, strangers = [], False
        for future in self.watch.all_ended():
            error = future.exception() if future.status == "error" else None
            if error is None:
                good.append(future)
            else:
                strangers |= self._failed(self._tasks.pop(future.key), error)
        for future, results in zip(good, self.watch.gathered(good), strict=True):
            one, part = self._tasks.pop(future.key)
            one.found[part], one.missing = results, one.missing - 1
            self._done(one.name, len(results))
        if strangers:
            self._find_strangers()

    def _failed(self, task: tuple[_Sent[ResultT], int], error: BaseException) -> bool:
        """Have a task done again, if it is not at fault; return whether other code was."""
        one, part = task
        self._tries[one.number, part] += 1
        other = of_other_code(error)
        if self._tries[one.number, part] >= (_ATTEMPTS if other else _DEATHS) or not (other or killed(error)):
            understood = _understood(error, one.name)
            raise understood from (None if understood is error else error)
        if not other:
            _LOG.warning("workers died while they were at work on %s; it is done again", one.name)
            if one.content.status == "error":
                one.content.retry()
        self._waiting.appendleft(task)
        return other

    def _find_strangers(self) -> None:
        try:
            any_fit = self._team.look()
        except Exception as error:
            raise self.watch.understood(error) from error
        if not any_fit:
            raise SchedulerLostError(
                f"no worker has the code of this scan: {some_of(self._team.unfit.values(), 3, '; ')}"
            )


def _results_of(content: bytes, numbers: Sequence[int]) -> Sequence[object]:
    """Return the results of a part of an observable, on a worker."""
    with _UNPACKING:
        work: Work[object] = _unpacked(content)
    return work.results(numbers)


_UNPACKING = threading.Lock()
_unpacked = lru_cache(maxsize=2)(unpacked.__wrapped__)
"""The last observables of this process; a worker's threads are at work on few of them."""


def _understood(error: BaseException, name: str) -> BaseException:
    """Return what an exception of a task means."""
    if isinstance(error, DDPError):
        return type(error)(str(error))
    if killed(error) or isinstance(error, MemoryError):
        return ClusterError(
            f"{name}: the workers that were at work on it died, again and again (killed, or out of memory?); "
            "give them more memory or fewer threads, or scan without them"
        )
    if isinstance(error, ImportError):
        return ClusterError(
            f"{name}: a worker cannot import what a test needs ({error}); functions of notebooks and of files that no "
            "installed package owns travel with the scan, installed packages do not: install them on the workers"
        )
    return error
