"""What rectangles cost where all cells of the lattice differ: core-hours of 1,000 pseudo-experiments of `symmetries`.

    python benchmarks/bench_large_lattice.py [OBSERVABLE ...]

Takes ten minutes, so `run_all.py` runs it by its name only. Every exclusive cell of the shipped plan holds events, 20
or more, with numbers that fall like a power: all 111,375 cells are distinct, as in large data. OBSERVABLE is one of
those below, by default all.

Of each kind of observable one is scanned, with two parts of 128 pseudo-experiments, in one thread. The second part
alone is what all further ones take; what there is before (the scan of the data, the clusters) and after (rows) is
counted once. So 1,000 pseudo-experiments, eight parts, are `before + 8 parts + after`, which is multiplied by the
number of observables of this size that the plan has, and added up. Parts are independent, so that workers share them.
"""

# ruff: noqa: E402 (threads are limited before numpy is loaded)

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import sys
import time
from collections import Counter
from collections.abc import Iterable

import hist
import numpy as np
from figures import Figures

from coffea_ddp import load_plan
from coffea_ddp.histograms.cells import CellGrid
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.layout import Layout, SymmetryLayout
from coffea_ddp.histograms.sparse import SparseCounts
from coffea_ddp.scanning.driver import scan

MOST_HOURS = 4.0
PART = 128
PARTS = 8
"""Those of 1,000 pseudo-experiments."""

FALLING = {"pt x met": (4.0, 6.0), "m x h_t": (7.0, 9.0), "m": (7.0,)}
"""Mean of the exponential of every axis of 28 bins, in bins."""


def main(names: Iterable[str]) -> int:
    """Print the figures; 0 where the wanted one is reached or not known, 1 where it is missed."""
    names = list(names) or list(FALLING)
    hists = events()
    scan(events(most=2), tests=["submatrix"], toys=PART, jobs=1)  # compiles
    print(f"{hists.layout.grid.n_exclusive:,} exclusive cells", flush=True)
    seconds: dict[int, list[float]] = {}
    for name in names:
        seconds.setdefault(len(FALLING[name]), []).append(cost(hists, name))
    observables = Counter(
        len(one.axes) for symmetry in load_plan("symmetries").symmetries for one in symmetry.observables
    )
    if set(observables) - set(seconds):
        print("no sum: observables of one and of two axes are needed for it")
        return 0
    hours = sum(number * np.mean(seconds[axes]) for axes, number in observables.items()) / 3600
    figures = Figures()
    what = " and ".join(f"{number} of {axes} axes" for axes, number in sorted(observables.items()))
    figures.add(f"1,000 pseudo-experiments of {what}, extrapolated", hours, "core-hours", most=MOST_HOURS)
    return figures.end()


def cost(hists: Histograms, name: str) -> float:
    """Print and return the CPU seconds of 1,000 pseudo-experiments of one observable."""
    times: list[float] = []
    start = time.process_time()
    report = scan(
        hists, tests=["submatrix"], observables=[name], toys=2 * PART, jobs=1,
        progress=lambda *_: times.append(time.process_time() - start),
    )  # fmt: skip
    whole = time.process_time() - start
    # Calls of progress: before the observable, after each of four blocks (two of a part at once), and at the end.
    part = times[3] - times[1]
    seconds = whole + (PARTS - 2) * part
    print(
        f"{name}: {report.summaries[0].n_distinct:,} distinct cells, {report.trials:,} trials; "
        f"{PART} pseudo-experiments {part:.1f} s, all else {whole - 2 * part:.1f} s; all parts {seconds:.0f} s of CPU",
        flush=True,
    )
    return seconds


def events(most: int = 20_000) -> Histograms:
    """Return the output of a pass with events in all exclusive cells, of which none has more than a number."""
    rng = np.random.default_rng(1)
    grid = CellGrid(load_plan("symmetries").cells)
    observables = tuple(
        (name, tuple(hist.axis.Regular(28, 0.0, 28.0, name=f"{name}_{i}") for i in range(len(means))))
        for name, means in FALLING.items()
    )
    layout = Layout("lattice", "0" * 16, grid, (SymmetryLayout("e/mu", ("e", "mu"), 1.0, observables),))
    numbers = np.minimum(20.0 * (rng.pareto(0.8, grid.n_exclusive) + 1.0), most).astype(np.int64)
    codes, keys = np.repeat(np.arange(grid.n_exclusive), numbers), []
    side = rng.integers(0, 2, len(codes))
    for channel in layout.channels:
        place = np.zeros(len(codes), np.int64)
        for mean in FALLING.get(channel.name, ()):
            place = 30 * place + 1 + np.minimum(rng.exponential(mean, len(codes)), 27.0).astype(np.int64)
        keys.append(channel.key(codes, side, place))
    empty = Histograms.empty(layout)
    return Histograms(layout, SparseCounts.from_keys(np.concatenate(keys)), empty.not_filled, empty.events)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
