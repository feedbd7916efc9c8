"""Waiting for tasks on a Dask cluster, and noticing when its scheduler or all of its workers are gone."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import queue
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from coffea_ddp.cluster.connecting import at_address
from coffea_ddp.errors import OtherCodeError, describe

PATIENCE = 300.0
"""Seconds without any worker after which a cluster is given up."""
_PAUSE = 2.0
"""Seconds without any news after which the cluster is asked whether it is there."""
_LOG = logging.getLogger(__name__)
Future = Any  # distributed ships no types


class SchedulerLostError(Exception):
    """The scheduler, or every worker, is gone for good."""


@contextlib.contextmanager
def sending_much() -> Iterator[None]:
    """Send what has to go without Dask's advice to leave it where it is."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph")
        yield


class Watch:
    """Tasks that are waited for, in whatever order they end.

    Parameters
    ----------
    client
        A ``distributed.Client``.
    patience
        Seconds without any worker after which none is waited for any more.
    """

    def __init__(self, client: Any, patience: float = PATIENCE) -> None:
        self._client, self._patience = client, patience
        # Asked now: a client that has lost its scheduler does not know any more where that was.
        self.where = at_address(client)
        """" at " and the address of the scheduler."""
        self._ready: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._running: dict[Any, Future] = {}
        self._empty_since = time.monotonic()

    def __len__(self) -> int:
        """Return the number of tasks that are waited for."""
        return len(self._running)

    def add(self, futures: Sequence[Future]) -> None:
        """Wait for tasks as well."""
        for future in futures:
            self._running[future.key] = future
            future.add_done_callback(self._ready.put)

    def ended(self) -> Future:
        """Return the next task that has ended, well or not; it is not waited for any more.

        Raises
        ------
        SchedulerLostError
            If none ever will.
        """
        future = None
        while future is None:
            try:
                future = self._ready.get(timeout=_PAUSE)
            except queue.Empty:
                self.check_alive()
        # Forgotten here, or its result would stay on the workers.
        self._running.pop(future.key, None)
        lost = self.lost(future)
        if lost:
            raise lost
        return future

    def all_ended(self) -> list[Future]:
        """Return all tasks that have ended, at least one.

        Raises
        ------
        SchedulerLostError
            If none ever will.
        """
        found = [self.ended()]
        while not self._ready.empty():
            found.append(self.ended())
        return found

    def gathered(self, futures: Sequence[Future]) -> list[Any]:
        """Return the results of tasks that have ended well; what was lost with a worker meanwhile is done again.

        Raises
        ------
        SchedulerLostError
            If they never will be.
        """
        if not futures:
            return []
        asked = asyncio.run_coroutine_threadsafe(
            self._client.gather(list(futures), asynchronous=True), self._client.loop.asyncio_loop
        )
        while not asked.done():
            concurrent.futures.wait([asked], timeout=_PAUSE)
            if not asked.done():
                try:
                    self.check_alive()
                except SchedulerLostError:
                    asked.cancel()
                    raise
        try:
            found: list[Any] = asked.result()
        except (Exception, asyncio.CancelledError, concurrent.futures.CancelledError) as error:
            raise self.understood(error) from error
        return found

    def lost(self, future: Future) -> SchedulerLostError | None:
        """Return what is wrong if a task has ended because the scheduler did."""
        if future.status in ("cancelled", "lost") or self._client.status != "running":
            return SchedulerLostError(f"the Dask scheduler{self.where} was lost")
        return None

    def understood(self, error: BaseException) -> BaseException:
        """Return what an error of the client means: a lost scheduler, of which it tells in many ways, or itself."""
        if isinstance(error, SchedulerLostError) or (self._client.status == "running" and not self._cut_off(error)):
            return error
        return SchedulerLostError(f"the Dask scheduler{self.where} was lost ({describe(error)})")

    def _cut_off(self, error: BaseException) -> bool:
        """Tell whether an error is of the connection itself: a client that has just lost it does not know it yet."""
        from distributed.comm.core import CommClosedError

        address = self.where.removeprefix(" at ")
        unreached = isinstance(error, OSError) and bool(address) and address in str(error)
        return isinstance(error, CommClosedError) or unreached

    def check_alive(self) -> None:
        """See to it that there is a scheduler and that, some time ago at most, it had a worker.

        Raises
        ------
        SchedulerLostError
            If not.
        """
        if self._client.status != "running":
            raise SchedulerLostError(f"the Dask scheduler{self.where} was lost")
        try:
            workers = self._client.scheduler_info(n_workers=-1)["workers"]
        except Exception as error:
            raise SchedulerLostError(f"the Dask scheduler{self.where} was lost ({describe(error)})") from error
        if workers:
            self._empty_since = time.monotonic()
            return
        waited = time.monotonic() - self._empty_since
        _LOG.warning("the Dask cluster%s has had no worker for %.0f s", self.where, waited)
        if waited > self._patience:
            raise SchedulerLostError(f"the Dask cluster{self.where} has had no worker for {waited:.0f} s")

    def cancel(self, others: Sequence[Future] = ()) -> None:
        """Have no task go on that is still waited for, nor any of some others."""
        futures = [*self._running.values(), *others]
        if futures and self._client.status == "running":
            with contextlib.suppress(Exception):  # what ended it is what counts
                self._client.cancel(futures)


def killed(error: BaseException | None) -> bool:
    """Tell whether a task failed since workers died with it, again and again."""
    from distributed.scheduler import KilledWorker

    return isinstance(error, KilledWorker)


def of_other_code(error: BaseException) -> bool:
    """Tell whether a worker has other code, or such old code that it does not even know how to say so, or none."""
    unknown = isinstance(error, ImportError | AttributeError) and "coffea_ddp" in str(error)
    return isinstance(error, OtherCodeError) or unknown
