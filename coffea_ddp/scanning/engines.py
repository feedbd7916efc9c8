"""Engines of a scan: threads of this process.

An engine is given works, such as the tests of one observable, or the pseudo-experiments of one, each in parts; it does
every part of every work. What a part gives depends on nothing but its work and its numbers, so engines differ in speed
alone. The other one, the workers of a Dask cluster, is in :mod:`coffea_ddp.scanning.cluster_engine`.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Generic, Protocol, TypeVar

from threadpoolctl import threadpool_limits

ResultT = TypeVar("ResultT")
ResultT_co = TypeVar("ResultT_co", covariant=True)

Done = Callable[[str, int], None]
"""Called with the name of a work and the number of its results that have just been made."""


class Work(Protocol[ResultT_co]):
    """Something to do in parts, ready for them: it needs nothing else."""

    @property
    def name(self) -> str:
        """As progress names it."""

    @property
    def parts(self) -> Sequence[Sequence[int]]:
        """The numbers of what is made together, of every part."""

    def results(self, numbers: Sequence[int], /) -> Sequence[ResultT_co]:
        """Return what the numbers of a part stand for, one result each."""


class Engine(Protocol):
    """A maker of the works of a scan."""

    def results(self, works: Iterable[Work[ResultT]], done: Done) -> Iterator[list[ResultT]]:
        """Yield the results of all parts of every work, in the order of the works and of their parts.

        Parameters
        ----------
        works
            Taken one at a time, as there is room for them.
        done
            Called as results are made, in any order.
        """


@dataclass(frozen=True)
class Threads:
    """Threads of this process; a work is begun when there are threads without any.

    Attributes
    ----------
    jobs
        How many; ``None``: one for each core.
    """

    jobs: int | None = None

    def results(self, works: Iterable[Work[ResultT]], done: Done) -> Iterator[list[ResultT]]:
        """Yield the results of all parts of every work; see :meth:`Engine.results`."""
        jobs = self.jobs or os.cpu_count() or 1
        begun: deque[_Begun[ResultT]] = deque()
        # One token for each part that has ended. `concurrent.futures.wait` would take the locks of all that are going,
        # each time, and keep those that it has where Ctrl-C or a signal comes meanwhile: threads wait for ever then.
        tokens: SimpleQueue[Future[Sequence[ResultT]]] = SimpleQueue()
        going = 0
        # Each thread makes small products of matrices: threads of their library would only get in each other's way.
        with ThreadPoolExecutor(jobs) as pool, threadpool_limits(1):
            try:
                for work in works:
                    begun.append(_Begun(work.name, [pool.submit(work.results, part) for part in work.parts]))
                    for future in begun[-1].parts:
                        future.add_done_callback(tokens.put)
                    going += len(begun[-1].parts)
                    while going >= jobs or len(begun) > jobs:
                        going -= _taken(tokens, going)
                        yield from _ended(begun, done)
                while begun:
                    going -= _taken(tokens, going)
                    yield from _ended(begun, done)
            finally:
                for future in _going(begun):
                    future.cancel()


@dataclass
class _Begun(Generic[ResultT]):
    """A work, its parts, and what they have given so far, in their order."""

    name: str
    parts: list[Future[Sequence[ResultT]]]
    found: list[ResultT] = field(default_factory=list)
    n_ended: int = 0


def _going(begun: Iterable[_Begun[ResultT]]) -> list[Future[Sequence[ResultT]]]:
    return [future for one in begun for future in one.parts if not future.done()]


def _taken(tokens: SimpleQueue[Future[Sequence[ResultT]]], going: int) -> int:
    """Wait for a part that ends, if any is going, and return the number of those that have."""
    if not going:
        return 0
    tokens.get()
    return 1


def _ended(begun: deque[_Begun[ResultT]], done: Done) -> Iterator[list[ResultT]]:
    """Take the results of parts that have come to an end; yield those of works, from the first on, that have."""
    for one in begun:
        while one.n_ended < len(one.parts) and one.parts[one.n_ended].done():
            results = one.parts[one.n_ended].result()
            one.found += results
            one.n_ended += 1
            done(one.name, len(results))
    while begun and begun[0].n_ended == len(begun[0].parts):
        yield begun.popleft().found
