"""What a Dask scheduler takes for the tasks of large runs and scans: seconds and bytes a task, by number of workers.

    python benchmarks/study_scheduler.py [memory] [runs] [scans] [doubled] [tasks] [one_and_two]

Scheduler and client are real, each a process of its own. Tasks sleep as long as measured ones take, on many workers in
a process, so that hundreds fit on a small machine. What is measured is the scheduler's CPU time and resident memory,
which depend little on what else the machine does. docs/scaling.md is made of these figures, and extrapolates them.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data" / "nanoaod_sim"
sys.path.insert(0, str(ROOT / "tests" / "support"))

from clusters import QUIET, Facility, facility  # noqa: E402

from coffea_ddp.cluster.code_digest import call, call_or_pass, here, packed  # noqa: E402
from coffea_ddp.cluster.connecting import connect  # noqa: E402
from coffea_ddp.cluster.watching import Watch  # noqa: E402
from coffea_ddp.histograms.histograms import Histograms  # noqa: E402
from coffea_ddp.histograms.merging import Forest  # noqa: E402
from coffea_ddp.plan.plan_files import load_plan  # noqa: E402
from coffea_ddp.running.driver import run  # noqa: E402
from coffea_ddp.scanning.cluster_engine import ClusterWorkers  # noqa: E402
from coffea_ddp.scanning.driver import scan  # noqa: E402
from coffea_ddp.scanning.pseudo_experiments import pseudo_experiments  # noqa: E402
from coffea_ddp.testing import make_dataset  # noqa: E402

MB = 2**20
TURNS = 3
PLAN = 100_000
"""Bytes of a packed plan."""
ITEM = 400
"""Bytes of the description of a chunk."""
OUTPUT = 10_000
"""Bytes of an output here; the scheduler does not see outputs."""
PROCESSES = 5
"""Processes with simulated workers in them."""


def show(what: str, value: float, unit: str) -> None:
    print(f"{what:<90} {value:12.4g} {unit}", flush=True)


WORKERS = """
import asyncio, sys
from distributed import Worker

async def main(address, number, threads, folder):
    made = [
        Worker(address, nthreads=threads, memory_limit=0, dashboard=False, local_directory=folder)
        for i in range(number)
    ]
    for i in range(0, number, 20):
        await asyncio.gather(*made[i : i + 20])
    await asyncio.gather(*(one.finished() for one in made))

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
"""


@dataclass
class Simulated:
    """A cluster of workers whose tasks sleep."""

    client: Any
    scheduler: psutil.Process

    @property
    def seconds(self) -> float:
        """CPU time of the scheduler."""
        times = self.scheduler.cpu_times()
        return float(times.user + times.system)

    @property
    def memory(self) -> float:
        """Resident memory of the scheduler, MB."""
        return float(self.scheduler.memory_info().rss / MB)


@contextlib.contextmanager
def cluster(folder: Path, workers: int, threads: int) -> Iterator[Simulated]:
    """Start a scheduler of its own, and so many workers in some processes."""
    found: Facility
    with facility(folder / f"s{time.monotonic_ns()}", workers=0) as found, connect(found.address) as client:
        processes = min(PROCESSES, workers)
        each = str(workers // processes)
        command = [sys.executable, "-c", WORKERS, found.address, each, str(threads), str(folder)]
        with (folder / "workers.txt").open("ab") as log:
            started = [
                subprocess.Popen(command, env={**os.environ, **QUIET}, stdout=log, stderr=log) for _ in range(processes)
            ]
        try:
            client.wait_for_workers(workers, timeout=300)
            yield Simulated(client, psutil.Process(found.scheduler.pid))
        finally:
            for process in started:
                process.kill()
                process.wait()


# -- a run: chunks, and additions in a tree ------------------------------------------------------------------------


def _slept(seconds: float, _item: bytes, packed: bytes) -> bytes:
    time.sleep(seconds)
    return bytes(OUTPUT)


def _added(seconds: float, parts: list[bytes]) -> bytes:
    time.sleep(seconds)
    return parts[0]


def runs(folder: Path) -> None:
    """Chunks that sleep as those of 200,000 events do, and additions of eight, as a run has them; by workers."""
    for workers, threads, n in ((50, 4, 1_500), (100, 5, 3_000), (200, 5, 3_000)):
        with cluster(folder, workers, threads) as one:
            _run(one, 200, 0.05)
            before = one.seconds
            client_before = time.process_time()
            n_tasks = _run(one, n, 2.0)
            used = one.seconds - before
            client = time.process_time() - client_before
            name = f"{workers} workers of {threads} threads, {n:,} chunks of 2 s"
            show(f"{name}: scheduler a task", 1e3 * used / n_tasks, "ms")
            show(f"{name}: client a task", 1e3 * client / n_tasks, "ms")


def _run(one: Simulated, n: int, seconds: float) -> int:
    """Do what a run does with n chunks; return the number of tasks."""
    client, watch = one.client, Watch(one.client)
    plan = client.submit(bytes, bytes(PLAN), pure=False)
    n_tasks, name = n + 1, f"{time.monotonic_ns()}"

    def added(futures: Any) -> Any:
        nonlocal n_tasks
        n_tasks += 1
        work = partial(call_or_pass, here(), packed(partial(_added, 0.02)))
        return client.submit(work, list(futures), key=f"add-{name}-{n_tasks}", pure=False, priority=10)

    work = partial(call, here(), packed(partial(_slept, seconds)))
    keys = [(f"chunk-{name}", i) for i in range(n)]
    items = [os.urandom(ITEM) for _ in range(n)]
    watch.add(client.map(work, items, packed=plan, key=keys, pure=False, retries=0))
    forest: Forest[Any] = Forest(["one"] * n, added)
    for _ in range(n):
        future = watch.ended()
        forest.put(future.key[1], future)
    for total in forest.results(by_label=False).values():
        total.result()
    return n_tasks


def memory(folder: Path) -> None:
    """Bytes of the scheduler and of the client for every chunk that waits."""
    for n in (10_000, 100_000, 500_000):
        with cluster(folder, PROCESSES, 1) as one:
            before, mine = one.memory, psutil.Process().memory_info().rss / MB
            used = one.seconds
            plan = one.client.submit(bytes, bytes(PLAN), pure=False)
            work = partial(call, here(), packed(partial(_slept, 600.0)))
            keys = [(f"chunk-{n}", i) for i in range(n)]
            items = [os.urandom(ITEM) for _ in range(n)]
            futures = one.client.map(work, items, packed=plan, key=keys, pure=False, retries=0)
            one.client.run_on_scheduler(_known)
            while one.client.run_on_scheduler(_known) < n:
                time.sleep(0.2)
            time.sleep(1.0)
            show(f"{n:,} chunks that wait: scheduler, over {before:.0f} MB", one.memory - before, "MB")
            show(f"{n:,} chunks that wait: scheduler a task", (one.memory - before) * MB / n, "bytes")
            show(f"{n:,} chunks that wait: scheduler a task", 1e3 * (one.seconds - used) / n, "ms")
            grown = psutil.Process().memory_info().rss / MB - mine
            show(f"{n:,} chunks that wait: client a task", grown * MB / n, "bytes")
            del futures


def _known(dask_scheduler: Any) -> int:
    return len(dask_scheduler.tasks)


# -- a scan: the engine itself, its observables asleep ---------------------------------------------------------------


@dataclass
class Asleep:
    """An observable whose blocks sleep."""

    name: str
    content: bytes
    seconds: float
    parts: Any

    def results(self, numbers: Any) -> Any:
        """Return scores of two tests and 40 kept cells."""
        time.sleep(self.seconds)
        scores = [(np.zeros(64, np.float32), np.zeros((20, 64), np.float32)) for _ in range(2)]
        return [scores for _ in numbers]


def scans(folder: Path) -> None:
    """30 observables of 8 MB, 10,000 pseudo-experiments (79 tasks each) of 4 s: the engine of a scan itself."""
    for workers, threads in ((50, 4), (100, 4), (200, 5)):
        with cluster(folder, workers, threads) as one:
            n_parts, seconds, n = 79, 4.0, 30
            parts = [range(2 * i, 2 * i + 2) for i in range(n_parts)]
            content = os.urandom(8 * MB)
            before = one.seconds
            client, most = time.process_time(), 0.0
            engine = ClusterWorkers(one.client)
            works = (Asleep(f"o{i}", content, seconds, parts) for i in range(n))
            for found in engine.results(works, lambda *_: None):
                assert len(found) == 2 * n_parts
                most = max(most, one.memory)
            used = one.seconds - before
            n_tasks, name = (
                n * n_parts,
                f"{workers} workers of {threads} threads, {n * n_parts:,} tasks of {seconds:g} s",
            )
            show(f"{name}: scheduler a task", 1e3 * used / n_tasks, "ms")
            show(f"{name}: client a task", 1e3 * (time.process_time() - client) / n_tasks, "ms")
            show(f"{name}: memory of the scheduler", most, "MB")


def doubled(folder: Path) -> None:
    """The same with one worker and with two, whose tasks of 0.1 s need no core: what the engine itself loses."""
    took: dict[int, list[float]] = {1: [], 2: []}
    with cluster(folder, 1, 1) as first, cluster(folder, 2, 1) as second:
        for _ in range(TURNS):
            for workers, one in ((1, first), (2, second)):
                works = (Asleep(f"o{i}", os.urandom(MB), 0.1, [range(2)] * 10) for i in range(12))
                start = time.perf_counter()
                list(ClusterWorkers(one.client).results(works, lambda *_: None))
                took[workers].append(time.perf_counter() - start)
    for workers, seconds in took.items():
        show(f"120 tasks of 0.1 s in 12 observables, {workers} worker(s), median", statistics.median(seconds), "s")
    ratio = statistics.median(a / b for a, b in zip(took[1], took[2], strict=True))
    show("1 worker / 2 workers, tasks asleep, median", ratio, "x")


def simulated(folder: Path) -> Histograms:
    """Return the output of the simulated files, or of some of our own."""
    files = sorted(SHARED.glob("*.root")) or make_dataset(folder / "own", files=4, events=120_000, seed=1)
    return run(load_plan("symmetries"), files)


@dataclass
class Measuring:
    """An engine that tells what its tasks are."""

    seconds: list[float] = field(default_factory=list)
    making: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    results: list[int] = field(default_factory=list)

    def scores(self, works: Any, parts: Any, _done: Any) -> Iterator[Any]:
        """Make every observable's first task twice, and take the time of the second."""
        start = time.process_time()
        for work in works:
            self.making.append(time.process_time() - start)
            self.sizes.append(len(packed(work)))
            found = work.blocks(parts[0])
            self.results.append(len(packed(found)))
            start = time.process_time()
            work.blocks(parts[0])
            self.seconds.append(time.process_time() - start)
            yield found
            start = time.process_time()


def tasks(folder: Path) -> None:
    """Tasks of a scan: 128 pseudo-experiments of nsigma and submatrix in every observable, and what is sent."""
    hists = simulated(folder)
    options: dict[str, Any] = {"tests": ["nsigma", "submatrix"], "toys": 128, "seed": 1}
    scan(hists, **options, symmetries=["e/mu"])
    engine, start, begun = Measuring(), time.process_time(), 0.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("coffea_ddp.scanning.driver.engine_of", lambda *_: engine)
        patch.setattr("coffea_ddp.scanning.symmetry_scan.pseudo_experiments", partial(_noting, times := []))
        scan(hists, **options)
        begun = times[0] - start
    show("tests of the data of all observables, by the client", begun, "s")
    show("making all observables ready for their tasks, by the client", sum(engine.making), "s")
    for name, values, unit, factor in (
        ("CPU time of a task", engine.seconds, "s", 1.0),
        ("bytes of an observable", engine.sizes, "MB", 1 / MB),
        ("bytes of the result of a task", engine.results, "kB", 1e-3),
    ):
        for what, value in (("smallest", min(values)), ("median", statistics.median(values)), ("largest", max(values))):
            show(f"{name}, {what} of {len(values)} observables", factor * value, unit)
        show(f"{name}, sum", factor * sum(values), unit)


def _noting(times: list[float], *arguments: Any, **options: Any) -> Any:
    times.append(time.process_time())
    return pseudo_experiments(*arguments, **options)


def one_and_two(folder: Path) -> None:
    """A scan of the simulated data with one worker, with two, and with one thread; in turns."""
    hists = simulated(folder)
    chosen = ["ee/mumu OS", "forward/backward"]
    options: dict[str, Any] = {"tests": ["nsigma", "submatrix"], "toys": 1_280, "seed": 1, "symmetries": chosen}
    kept: dict[str, list[float]] = {}
    texts = set()
    with facility(folder / "one", workers=1) as first, facility(folder / "two", workers=2) as second:
        where = {"1 worker": first, "2 workers": second}
        with contextlib.ExitStack() as stack:
            clients = {name: stack.enter_context(connect(one.address)) for name, one in where.items()}
            for number, client in enumerate(clients.values()):
                client.wait_for_workers(number + 1, timeout=300)
                scan(hists, **{**options, "toys": 64}, client=client)
            for _ in range(TURNS):
                for name in ("1 thread", "1 worker", "2 workers"):
                    given = {"jobs": 1} if name == "1 thread" else {"client": clients[name]}
                    begun: list[float] = []

                    def told(done: int, total: int, what: str, begun: list[float] = begun) -> None:
                        begun.append(time.perf_counter())

                    found = scan(hists, **options, **given, progress=told)
                    n_observables = sum(len(hists.observables(one)) for one in chosen)
                    # Of pseudo-experiments alone: from the last test of the data on.
                    kept.setdefault(name, []).append(begun[-1] - begun[n_observables - 1])
                    texts.add(str(found.to_dict()))
                    print(f"  {name}: {kept[name][-1]:.1f} s of pseudo-experiments", flush=True)
    assert len(texts) == 1, "the same report"
    for name, values in kept.items():
        show(f"pseudo-experiments of {n_observables} observables, {name}, median of 3", statistics.median(values), "s")
    ratio = statistics.median(a / b for a, b in zip(kept["1 worker"], kept["2 workers"], strict=True))
    show("1 worker / 2 workers, median", ratio, "x")


def main() -> int:
    """Run the studies that are named, or all."""
    studies = {one.__name__: one for one in (memory, runs, scans, doubled, tasks, one_and_two)}
    for name in sys.argv[1:] or studies:
        print(f"== {name}: {studies[name].__doc__}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            studies[name](Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
