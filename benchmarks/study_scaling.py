"""What a run on a cluster costs: per event, per chunk, per addition; with 1 and 2 workers; with more and more files.

    python benchmarks/study_scaling.py [throughput] [overhead] [memory] [additions] [roads]

Scheduler, workers and client are processes of their own on this machine, as in tests/support/clusters.py. Ratios are of
things measured in one run, in turns. docs/scaling.md is made from these figures.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data" / "nanoaod_sim"
sys.path.insert(0, str(ROOT / "tests" / "support"))

from clusters import Facility, command, facility  # noqa: E402

from coffea_ddp.cluster.connecting import connect  # noqa: E402
from coffea_ddp.histograms.histograms import Histograms  # noqa: E402
from coffea_ddp.histograms.merging import add_all  # noqa: E402
from coffea_ddp.plan.plan_files import load_plan  # noqa: E402
from coffea_ddp.running.driver import run  # noqa: E402
from coffea_ddp.running.executors import Cluster, DaskAwkward  # noqa: E402
from coffea_ddp.running.options import Reading  # noqa: E402
from coffea_ddp.testing import make_copies, make_dataset  # noqa: E402

TURNS = 3
MB = 2**20


def show(what: str, value: float, unit: str, aim: str = "") -> None:
    print(f"{what:<80} {value:12.4g} {unit:<8} {aim}", flush=True)


def simulated(folder: Path) -> list[Path]:
    """Return the simulated files, or some of our own."""
    return sorted(SHARED.glob("*.root")) or make_dataset(folder / "own", files=4, events=120_000, seed=1)


def many(folder: Path, times: int) -> list[str]:
    """Return every file under so many names and uuids."""
    copies = [make_copies(path, folder / "copies", times, seed=n) for n, path in enumerate(simulated(folder))]
    return [str(path) for some in copies for path in some]


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    found = function()
    return time.perf_counter() - start, found


def throughput(folder: Path) -> None:
    """2,000,000 events with one worker and with two; and what two processes that know nothing of each other reach."""
    files = many(folder, 17)
    plan = load_plan("symmetries")
    rates: dict[int, list[float]] = {1: [], 2: []}
    most = []
    for _ in range(TURNS):
        for workers, kept in rates.items():
            where = folder / f"t{time.monotonic_ns()}"
            with facility(where, workers=workers) as found, connect(found.address) as client:
                client.wait_for_workers(workers, timeout=60)
                options = {"executor": Cluster(client), "reading": Reading(chunksize=100_000)}
                run(plan, files[:4], **options)  # compiled and imported
                seconds, hists = timed(lambda options=options: run(plan, files, **options))
                kept.append(hists.n_events / seconds)
                print(f"  {workers} workers: {hists.n_events:,} events in {seconds:.1f} s", flush=True)
        half = len(files) // 2
        alone, together = in_processes(files[:half]), in_processes(files[:half], files[half:])
        most.append(2.0 * alone / together)
    for workers, kept in rates.items():
        show(f"events/s, {workers} worker(s), median of {TURNS}", statistics.median(kept), "1/s")
    ratio = statistics.median(rates[2]) / statistics.median(rates[1])
    show("2 workers / 1 worker, medians", ratio, "x", ">= 1.8")
    show("2 processes of their own, without Dask / 1, median", statistics.median(most), "x", "what the machine has")


PROCESS = """
import sys, time
from coffea_ddp.plan.plan_files import load_plan
from coffea_ddp.running.driver import run
plan, files = load_plan("symmetries"), sys.argv[1:]
run(plan, files[:2])
print("ready", flush=True)
sys.stdin.readline()
start = time.perf_counter()
run(plan, files)
print(time.perf_counter() - start, flush=True)
"""


def in_processes(*shares: list[str]) -> float:
    """Return how long the slowest of several processes takes for its files; all begin together."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", PROCESS]
    processes = [subprocess.Popen([*command, *share], stdin=pipe, stdout=pipe, text=True) for share in shares]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    seconds = [float(process.stdout.readline()) for process in processes]
    for process in processes:
        process.wait()
    return max(seconds)


def overhead(folder: Path) -> None:
    """Dask with one worker against the iterative executor, per chunk of 100,000 events."""
    source = simulated(folder)
    files = [str(path) for path in make_copies(source[0], folder / "o", 12)]
    plan = load_plan("symmetries")
    events = run(plan, files[0]).n_events
    with facility(folder / "overhead", workers=1) as found, connect(found.address) as client:
        client.wait_for_workers(1, timeout=60)
        run(plan, files[:2], executor=Cluster(client))
        pairs = []
        for _ in range(TURNS):
            here, _ = timed(lambda: run(plan, files))
            there, _ = timed(lambda: run(plan, files, executor=Cluster(client)))
            pairs.append((here, there))
        here, there = (min(column) for column in zip(*pairs, strict=True))
        show(f"iterative, a chunk of {events:,} events", here / len(files), "s")
        show("Dask with one worker / iterative, same chunks", there / here, "x")
        per_chunk = (there - here) / len(files)
        show("Dask's overhead a chunk", per_chunk * 1e3, "ms")
        show(
            "the same, as a share of 100,000 events' time",
            per_chunk / (here / len(files) * 1e5 / events),
            "",
            "<= 0.15",
        )
        many_tasks = 2_000
        seconds, _ = timed(lambda: client.gather(client.map(abs, range(many_tasks), pure=False)))
        show("a task that does nothing", seconds / many_tasks * 1e3, "ms")


class Peaks:
    """Largest resident memory of a client and of a cluster's processes."""

    def __init__(self, client: psutil.Process, cluster: Facility) -> None:
        self._client, self._cluster, self._stop = client, cluster, threading.Event()
        self.of: dict[str, int] = {}

    def _processes(self) -> dict[str, list[psutil.Process]]:
        scheduler = psutil.Process(self._cluster.scheduler.pid)
        return {"client": [self._client], "scheduler": [scheduler], "worker": self._cluster.worker_processes()}

    @contextmanager
    def watched(self) -> Iterator[None]:
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            for name, processes in self._processes().items():
                for process in processes:
                    try:
                        self.of[name] = max(self.of.get(name, 0), process.memory_info().rss)
                    except psutil.Error:
                        continue


def memory(folder: Path) -> None:
    """2, 20, 200 files: peak memory of client, scheduler and workers, and time an event; then without any cell."""
    source = simulated(folder)[0]
    files = [str(path) for path in make_copies(source, folder / "m", 200)]
    inclusive = folder / "inclusive.py"
    inclusive.write_text(
        "from dataclasses import replace\nfrom coffea_ddp import load_plan\n"
        'plan = replace(load_plan("symmetries"), name="inclusive", cells=())\n'
    )
    for plan, numbers in (("symmetries", (2, 20, 200)), (str(inclusive), (20,))):
        for number in numbers:
            with facility(folder / f"m{time.monotonic_ns()}", workers=2) as found:
                output = folder / "h.ddp"
                arguments = [plan, *files[:number], "-o", output, "--scheduler", found.address]
                process = command("run", *arguments)
                client = psutil.Process(process.pid)
                peaks = Peaks(client, found)
                with peaks.watched():
                    start = time.perf_counter()
                    _, err = process.communicate()
                    seconds = time.perf_counter() - start
                if process.returncode:
                    print(err)
                size = output.stat().st_size / MB
                line = ", ".join(f"{name} {peak / MB:.0f} MB" for name, peak in sorted(peaks.of.items()))
                print(
                    f"{Path(plan).stem}, {number} files: {seconds:.1f} s, output {size:.2f} MB; {line}",
                    flush=True,
                )


def additions(folder: Path) -> None:
    """What adding costs, level by level of the tree; of outputs of 30,000 events each, all different."""
    plan = load_plan("symmetries")
    level = [other_events(run(plan, path), number) for number in range(16) for path in simulated(folder)]
    number = 0
    while len(level) > 1:
        groups = [level[first : first + 8] for first in range(0, len(level), 8)]
        times = []
        for group in groups:
            seconds, total = timed(lambda group=group: add_all(group))
            times.append(seconds)
            level.append(total)
        level = level[-len(groups) :]
        number += 1
        show(f"adding 8 outputs at level {number}", statistics.median(times) * 1e3, "ms")
    save, path = timed(lambda: level[0].save(folder / "sum.ddp"))
    show(f"writing the sum, with {len(level[0].events):,} stored events", save * 1e3, "ms")
    show("size of it", path.stat().st_size / MB, "MB")
    one = run(plan, simulated(folder)[0])
    save, path = timed(lambda: one.save(folder / "one.ddp"))
    show("writing one output of 30,000 events as a shard", save * 1e3, "ms")
    show("size of it", path.stat().st_size / MB, "MB")


def other_events(hists: Histograms, number: int) -> Histograms:
    """Return the output of as many other events: other run, other file."""
    columns = {**hists.events.columns, "run": hists.events.columns["run"] + np.uint32(number)}
    files = {(f"{uuid}-{number}", tree): record for (uuid, tree), record in hists.ledger.files.items()}
    return replace(hists, events=replace(hists.events, columns=columns), ledger=replace(hists.ledger, files=files))


def roads(folder: Path) -> None:
    """coffea's Runner with virtual arrays, and dask-awkward, on the same two workers."""
    files = many(folder, 4)
    plan = load_plan("symmetries")
    with facility(folder / "roads", workers=2) as found, connect(found.address) as client:
        client.wait_for_workers(2, timeout=60)
        times: dict[str, list[float]] = {"dask": [], "dask-awkward": []}
        kinds = {"dask": Cluster(client), "dask-awkward": DaskAwkward(client)}
        for turn in range(TURNS + 1):
            for road, kept in times.items():
                seconds, hists = timed(
                    lambda road=road: run(plan, files, executor=kinds[road], reading=Reading(chunksize=100_000))
                )
                if turn:
                    kept.append(seconds)
        show(
            "dask-awkward / Runner with virtual arrays, best of each",
            min(times["dask-awkward"]) / min(times["dask"]),
            "x",
        )
        show("Runner", hists.n_events / min(times["dask"]), "1/s")


def main() -> int:
    """Run the studies that are named, or all."""
    studies = {one.__name__: one for one in (throughput, overhead, memory, additions, roads)}
    for name in sys.argv[1:] or studies:
        print(f"== {name}: {studies[name].__doc__}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            studies[name](Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
