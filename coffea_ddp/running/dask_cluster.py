"""coffea's Runner on a Dask cluster: every chunk one task, the outputs added in a tree on the workers.

Dask does the work of a scheduler: it hands out chunks, and does again what a dead worker has lost. What is added here
is what it does not know: a chunk that kills its workers is named as missing, and so is what was not done when the
scheduler itself is lost; what is finished is kept in shards, by the workers where they reach the folder, else by this
process.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

from coffea.processor import DaskExecutor
from coffea.processor.executor import WorkItem

from coffea_ddp.cluster.code_digest import call, call_or_pass, here, packed, unpacked
from coffea_ddp.cluster.connecting import at_address
from coffea_ddp.cluster.watching import PATIENCE, Future, SchedulerLostError, Watch, killed, of_other_code, sending_much
from coffea_ddp.cluster.workers import FitWorkers
from coffea_ddp.errors import ClusterError, DDPError, describe, some_of
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.merging import Forest, add_all
from coffea_ddp.running.chunks import Lost, Opened, Opener, Wanted
from coffea_ddp.running.guarding import Function, Guard, Output, explain, is_kept
from coffea_ddp.running.reader import Holding
from coffea_ddp.running.shards import Shards

_ATTEMPTS = 10
"""Number of times that a chunk is sent which came to workers with other code."""
_SOON = 10
"""Priority of additions before chunks: they free memory."""
FILLS = "coffea_ddp.running.guarding"
"""The module with all that fills: a worker has the code of a run if its own is the same."""
_LOG = logging.getLogger(__name__)


@dataclass
class ClusterExecutor(DaskExecutor):  # type: ignore[misc]
    """An executor for coffea's Runner on a Dask cluster.

    Parameters
    ----------
    client
        A ``distributed.Client``.
    guard
        Around what runs a chunk; its shards are written by the workers.
    keep
        Shards that this process writes instead, chunk by chunk, where workers do not reach the folder.
    done
        Called with the number of events of every chunk that is done, or given up.
    patience
        Seconds without any worker after which the run gives up.
    by_dataset
        Sum every dataset apart.
    """

    guard: Guard | None = None
    keep: Shards | None = None
    done: Callable[[int], None] = field(default=lambda _events: None)
    patience: float = PATIENCE
    by_dataset: bool = False

    def __call__(self, items: Sequence[WorkItem], function: Function, accumulator: Any) -> tuple[Output, int]:
        """Return the sum of the outputs, by dataset or of all, and 0.

        Raises
        ------
        ClusterError
            If the cluster is lost and nothing was kept, or cannot run the chunks.
        DDPError
            If the plan is at fault.
        """
        del accumulator
        assert self.guard is not None
        work = list(items)
        one = _Pass(self, self.guard, work, function)
        try:
            totals = one.run()
        except SchedulerLostError as lost:
            shards = self.keep or self.guard.shards
            if shards is None:
                raise ClusterError(
                    f"{lost}; no chunk was kept: give checkpoint=FOLDER to keep what is finished"
                ) from lost
            _LOG.warning("%s; what was finished is kept, --resume does the rest", lost)
            totals = assembled(shards, work, self.guard, str(lost), one.given_up, by_dataset=self.by_dataset)
        return {"out": totals}, 0


class _Pass:
    """One pass over chunks: what is waited for, and what has become of it."""

    def __init__(self, executor: ClusterExecutor, guard: Guard, items: Sequence[WorkItem], function: Function) -> None:
        self._executor, self._client, self._guard, self._items = executor, executor.client, guard, items
        self._watch = Watch(executor.client, executor.patience)
        self._name = uuid.uuid4().hex[:8]
        self.given_up: dict[int, Histograms] = {}
        """Outputs of chunks that could not be done, by their numbers: they say why, whatever becomes of the workers."""
        self._team = FitWorkers(executor.client, executor.patience, FILLS)
        self._plan = packed((guard(function), executor.heavy_input))

    def run(self) -> dict[str, Histograms]:
        """Return the sum of all chunks, by dataset or of all; whatever ends it early, no task of it goes on."""
        try:
            # The plan travels once, as a task's result: where it is lost, the scheduler knows how to make it again.
            with sending_much():
                self._packed = self._client.submit(bytes, self._plan, key=f"plan-{self._name}", pure=False)
            return self._run()
        except DDPError:
            raise
        except Exception as error:
            raise self._watch.understood(error) from error
        finally:
            self._watch.cancel()

    def _run(self) -> dict[str, Histograms]:
        keep = self._executor.keep
        if keep is not None:
            held: dict[int, Histograms] = {}
            for number, future in self._outputs([i for i, item in enumerate(self._items) if keep.load(item) is None]):
                output = self._result(future)
                if output.missing or not is_kept(keep, self._items[number], output):
                    held[number] = output
            return self._assembled(keep, "the chunk that was kept cannot be read", held)
        forest: Forest[Future] = Forest([item.dataset for item in self._items], self._added)
        for number, future in self._outputs(range(len(self._items))):
            forest.put(number, future)
        return self._sums(forest.results(by_label=self._executor.by_dataset))

    def _sums(self, totals: dict[str, Future]) -> dict[str, Histograms]:
        self._watch.add(list(totals.values()))
        for total in self._finished(len(totals)):
            error = total.exception() if total.status == "error" else None
            if self._guard.shards is not None and error is not None and (killed(error) or of_other_code(error)):
                # Workers died while adding; what they had added is in the shards.
                died = "the workers died while adding it"
                return self._assembled(self._guard.shards, str(error) if of_other_code(error) else died)
        return {dataset: self._result(total) for dataset, total in totals.items()}

    def _assembled(
        self, shards: Shards, reason: str, held: Mapping[int, Histograms] = MappingProxyType({})
    ) -> dict[str, Histograms]:
        held = self.given_up | dict(held)
        return assembled(shards, self._items, self._guard, reason, held, by_dataset=self._executor.by_dataset)

    def _outputs(self, numbers: Sequence[int]) -> Iterator[tuple[int, Future]]:
        """Yield number and future of the output of every chunk; one that cannot be done is missing in its own."""
        suspects: list[int] = []
        for attempt in range(_ATTEMPTS):
            strangers: list[int] = []
            for number, future in self._sent(numbers, attempt):
                error = future.exception() if future.status == "error" else None
                if error is not None and of_other_code(error):
                    strangers.append(number)
                elif killed(error):
                    suspects.append(number)
                else:
                    yield self._done(number, future)
            numbers = strangers
            if not numbers:
                break
            self._look()
        for number in numbers:
            reason = f"{self._items[number].filename}: came to workers of other code again and again: {self._unfit}"
            yield self._done(number, self._given_up(number, self._guard.missing, reason))
        for number in suspects:
            yield self._done(number, self._alone(number))

    @property
    def _unfit(self) -> str:
        return some_of(self._team.unfit.values(), 3, "; ")

    def _look(self) -> None:
        """Find out which workers have other code; if all have, for long, the cluster is of no use any more."""
        try:
            any_fit = self._team.look()
        except Exception as error:
            raise SchedulerLostError(f"the Dask scheduler{self._watch.where} was lost ({describe(error)})") from error
        if not any_fit:
            raise SchedulerLostError(f"no worker has the code of this run: {self._unfit}")

    def _sent(self, numbers: Sequence[int], attempt: int) -> Iterator[tuple[int, Future]]:
        """Have workers do chunks; yield number and future of each when it has ended, well or not."""
        keys = [(f"chunk-{self._name}-{attempt}", number) for number in numbers]
        items = [self._items[number] for number in numbers]
        work = partial(call, here(), packed(_chunk))
        options = self._team.preferred()
        with sending_much():
            futures = self._client.map(work, items, packed=self._packed, key=keys, pure=False, retries=0, **options)
        self._watch.add(futures)
        del futures
        for future in self._finished(len(keys)):
            yield future.key[1], future

    def _alone(self, number: int) -> Future:
        """Run a chunk with which workers died once more, when nothing else is running: it may be innocent."""
        item = self._items[number]
        _LOG.warning(
            "workers died while %s, from entry %d, was read; it is tried alone", item.filename, item.entrystart
        )
        key = (f"chunk-{self._name}-alone", number)
        work = partial(call_or_pass, here(), packed(partial(_chunk, item)))
        future = self._client.submit(work, self._packed, key=key, pure=False, **self._team.preferred())
        if self._ended(future).status == "error" and killed(future.exception()):
            return self._given_up(
                number, self._guard.died, "the workers that read it died, again and again (killed, or out of memory?)"
            )
        return future

    def _given_up(self, number: int, output: Callable[[WorkItem, str], Output], reason: str) -> Future:
        """Return the future of the output of a chunk that could not be done."""
        histograms = self.given_up[number] = output(self._items[number], reason)["out"]
        key = (f"chunk-{self._name}-given-up", number)
        return self._ended(self._client.submit(_same, histograms, key=key, pure=False, **self._team.preferred()))

    def _ended(self, future: Future) -> Future:
        """Wait for a future when nothing else is waited for."""
        self._watch.add([future])
        return self._watch.ended()

    def _done(self, number: int, future: Future) -> tuple[int, Future]:
        if future.status == "error":
            raise _understood(future.exception(), self._items[number].filename)
        self._executor.done(len(self._items[number]))
        return number, future

    def _result(self, future: Future) -> Histograms:
        try:
            result: Histograms = future.result()
        except Exception as error:
            raise self._watch.lost(future) or _understood(error, "the sum of all chunks") from error
        return result

    def _added(self, futures: Sequence[Future]) -> Future:
        work = partial(call_or_pass, here(), packed(add_all))
        options = {"key": f"add-{uuid.uuid4().hex}", "pure": False, "priority": _SOON}
        return self._client.submit(work, list(futures), **options, **self._team.preferred())

    def _finished(self, n: int) -> Iterator[Future]:
        """Yield n futures as they come to an end, whichever."""
        for _ in range(n):
            yield self._watch.ended()


def opener(client: Any) -> Opener:
    """Return what opens files on a cluster's workers: a client alone takes 40 ms a file, and some have 100,000.

    Parameters
    ----------
    client
        A ``distributed.Client``.
    """

    def opened(function: Callable[[Wanted], Holding | Lost], files: list[Wanted]) -> Opened:
        where, work = at_address(client), partial(call_or_pass, here(), packed(function))
        with sending_much():
            futures = client.map(work, files, pure=False, key=f"open-{uuid.uuid4().hex[:8]}")
        for future, file in zip(futures, files, strict=True):
            try:
                yield future.result()
            except Exception as error:
                if future.status in ("cancelled", "lost") or client.status != "running":
                    raise ClusterError(
                        f"the Dask scheduler{where} was lost while files were opened; no event was read"
                    ) from error
                if not killed(error):
                    raise _understood(error, file.source.path) from error
                yield Lost(f"{file.source.path}: the workers that opened it died, again and again")

    return opened


def assembled(
    shards: Shards,
    items: Sequence[WorkItem],
    guard: Guard,
    reason: str,
    held: Mapping[int, Histograms] = MappingProxyType({}),
    *,
    by_dataset: bool = False,
) -> dict[str, Histograms]:
    """Return the sum of the chunks that are kept, by dataset or of all; a few at a time are in memory.

    Parameters
    ----------
    shards, items
        The folder of finished chunks, and all chunks of the run.
    guard
        Of the run.
    reason
        The reason that is given for the others, which are missing.
    held
        Outputs by number that are not kept, but are here: some say themselves why they are missing.
    """
    forest: Forest[Histograms] = Forest([item.dataset for item in items], add_all)
    for number, item in enumerate(items):
        kept = held.get(number) or shards.load(item)
        forest.put(number, guard.missing(item, reason)["out"] if kept is None else kept)
    return forest.results(by_label=by_dataset)


def _same(histograms: Histograms) -> Histograms:
    return histograms


def _chunk(item: WorkItem, packed: bytes) -> Histograms:
    guarded, processor = unpacked(packed)
    found: Histograms = guarded((item, processor))["out"]
    return found


def _understood(error: BaseException | None, filename: str) -> DDPError:
    """Return what an exception of a task means."""
    if isinstance(error, DDPError):
        return type(error)(str(error))
    if isinstance(error, ImportError):
        return ClusterError(
            f"a worker cannot import what the plan needs ({error}); a plan's file given by its path travels with the "
            "run, and files that it imports; installed packages do not: install them on the workers"
        )
    return explain(error or RuntimeError("unknown"), filename)
