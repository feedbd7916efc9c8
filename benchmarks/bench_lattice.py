"""What large lattices cost: memory by occupied exclusive cells, and time of a scan and of a pseudo-experiment.

    python benchmarks/bench_lattice.py

Events are drawn over the cells of the shipped plan `symmetries` with three more topologies (3,007,125 cells of the
lattice), with numbers per exclusive cell that fall like a power; one symmetry, one observable of 20 bins, N_sigma, one
thread. Every memory is that of a process of its own, less what it held after a small scan.
"""

# ruff: noqa: E402 (threads are limited before numpy is loaded)

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import json
import subprocess
import sys
import threading
import time

import hist
import numpy as np
import psutil
from figures import Figures

from coffea_ddp import load_plan
from coffea_ddp.histograms.cells import CellGrid, Multiplicity, Topology
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.layout import Layout, SymmetryLayout
from coffea_ddp.histograms.sparse import SparseCounts
from coffea_ddp.scanning.driver import scan

MOST_MB = 500.0
MOST_RATIO = 12.0
TOYS = 128
MEMORY = ((1_500, 0), (1_500, 64), (4_000, 0), (10_000, 0))
"""Occupied exclusive cells, and pseudo-experiments."""


def main() -> int:
    """Print the figures; 0 where all are reached, 1 where one is not."""
    worst = max(in_own_process(occupied, toys) for occupied, toys in (*MEMORY, (100_000, 0)))
    figures = Figures()
    figures.add("memory of a scan, the largest of these", worst, "MB", most=MOST_MB)
    few, many = cost(172), cost(1_547)
    for what, less, more in zip(("scan", "pseudo-experiments"), few, many, strict=True):
        figures.add(f"nine times the exclusive cells, {what}", more / less, "x", most=MOST_RATIO)
    return figures.end()


def in_own_process(occupied: int, toys: int) -> float:
    """Print and return the memory of one scan, in MB."""
    done = subprocess.run([sys.executable, __file__, str(occupied), str(toys)], capture_output=True, check=True)
    found = json.loads(done.stdout)
    print(
        f"{occupied:>7,} occupied, {found['distinct']:>9,} distinct cells, {toys:>3} pseudo-experiments: "
        f"{found['megabytes']:4.0f} MB, {found['seconds']:5.1f} s of CPU"
    )
    return float(found["megabytes"])


def memory(occupied: int, toys: int) -> dict[str, float]:
    """Scan, and return what it took."""
    scan(events(grid_of(occupied), 100), toys=toys, jobs=1)
    hists = events(grid_of(occupied), occupied)
    before, start = psutil.Process().memory_info().rss, time.process_time()
    done, largest = threading.Event(), [before]

    def watch() -> None:
        while not done.wait(0.005):
            largest[0] = max(largest[0], psutil.Process().memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    report = scan(hists, toys=toys, jobs=1)
    done.set()
    watcher.join()
    return {
        "distinct": report.summaries[0].n_distinct,
        "megabytes": (largest[0] - before) / 1e6,
        "seconds": time.process_time() - start,
    }


def cost(occupied: int) -> tuple[float, float]:
    """Print and return the CPU seconds of a scan, and of its pseudo-experiments."""
    hists = events(grid_of(occupied, topologies=0), occupied)
    seconds = []
    for toys in (TOYS, 0, TOYS):  # the first compiles
        times = []
        for _ in range(3):
            start = time.process_time()
            report = scan(hists, toys=toys, jobs=1)
            times.append(time.process_time() - start)
        seconds.append(min(times))
    made = seconds[1], seconds[2] - seconds[1]
    print(
        f"{occupied:>7,} occupied, {report.summaries[0].n_distinct:>9,} distinct cells: scan {made[0]:.3f} s, "
        f"{TOYS} pseudo-experiments {made[1]:.3f} s of CPU"
    )
    return made


def grid_of(occupied: int, topologies: int = 3) -> CellGrid:
    """Return the cells of the shipped plan, with more topologies; more bins where so many cells are to be occupied."""
    if occupied > 20_000:
        return CellGrid((Multiplicity("j", last=360), Multiplicity("b", last=300), Topology("VBF")))
    more = (Topology(f"topology_{number}") for number in range(topologies))
    return CellGrid((*load_plan("symmetries").cells, *more))


def events(grid: CellGrid, occupied: int) -> Histograms:
    """Return the output of a pass with events in some exclusive cells."""
    rng = np.random.default_rng(1)
    axis = hist.axis.Regular(20, 0.0, 100.0, name="met")
    layout = Layout("lattice", "0" * 16, grid, (SymmetryLayout("e/mu", ("e", "mu"), 1.0, (("met", (axis,)),)),))
    numbers = np.minimum(3.0 * (rng.pareto(0.8, occupied) + 1.0), 3_000.0).astype(np.int64)
    codes = np.repeat(codes_of(grid, occupied, rng), numbers)
    bins, side = np.minimum(rng.exponential(4.0, len(codes)), 19.0).astype(np.int64), rng.integers(0, 2, len(codes))
    keys = [channel.key(codes, side, bins + 1 if channel.axes else np.zeros_like(bins)) for channel in layout.channels]
    empty = Histograms.empty(layout)
    return Histograms(layout, SparseCounts.from_keys(np.concatenate(keys)), empty.not_filled, empty.events)


def codes_of(grid: CellGrid, occupied: int, rng: np.random.Generator) -> np.ndarray:
    """Return exclusive cells, those with few objects more often."""
    if occupied > 20_000:
        return rng.choice(grid.n_exclusive, occupied, replace=False)
    means = [rng.uniform(0.15, 0.6) * (axis.bins - 1) for axis in grid.axes]
    found = np.zeros(0, dtype=np.int64)
    while len(found) < occupied:
        drawn = [rng.poisson(mean, 200_000) for mean in means]
        values = [
            one if isinstance(axis, Multiplicity) else one > 0 for axis, one in zip(grid.axes, drawn, strict=True)
        ]
        found = np.unique(np.concatenate([found, grid.encode(values)]))
    return rng.permutation(found)[:occupied]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(memory(int(sys.argv[1]), int(sys.argv[2]))))
        sys.exit()
    sys.exit(main())
