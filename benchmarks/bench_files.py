"""Big outputs: one cell of many, and merging many partial outputs. Ratios of things measured in one run.

python benchmarks/bench_files.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from figures import Figures

from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.io import load, read_pair
from coffea_ddp.histograms.layout import EVENTS
from coffea_ddp.histograms.sparse import SparseCounts
from coffea_ddp.plan.plan_files import load_plan
from coffea_ddp.running.driver import run
from coffea_ddp.testing import make_dataset

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "nanoaod_sim"
FIGURES = Figures()
show = FIGURES.add
CHILD = """
import sys, time
import coffea_ddp.histograms.io, coffea_ddp.histograms.merging, coffea_ddp.histograms.histograms
def peak():  # of this process alone; getrusage's is also that of the one it was forked from
    (line,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024
base = peak()
start = time.process_time()
{work}
print(time.process_time() - start, peak() - base)
"""


def in_a_child(work: str, *arguments: str) -> tuple[float, float]:
    """Return CPU seconds of some work in a process of its own, and the memory that it added (MB)."""
    given = [sys.executable, "-c", CHILD.format(work=work), *arguments]
    found = subprocess.run(given, check=True, capture_output=True, text=True)
    seconds, memory = map(float, found.stdout.split())
    return seconds, memory


def bench_one_cell(folder: Path) -> None:
    """An output of all cells of all symmetries, each bin filled, as after 10^11 events."""
    layout = load_plan("symmetries").layout
    rng = np.random.default_rng(1)
    totals = [c.base + np.arange(layout.grid.n_exclusive * 2 * c.extent) for c in layout.channels if c.name == EVENTS]
    keys = np.unique(np.concatenate([rng.integers(0, layout.n_keys, 20_000_000), *totals]))
    hists = replace(Histograms.empty(layout), counts=SparseCounts(keys, rng.poisson(100.0, len(keys)) + 1))
    path = str(hists.save(folder / "big.ddp"))
    show("keys in the output", len(keys), "")
    show("size of the file", Path(path).stat().st_size / 2**20, "MB")
    whole = in_a_child("coffea_ddp.histograms.io.load(sys.argv[1])", path)
    one = in_a_child('coffea_ddp.histograms.io.read_pair(sys.argv[1], "ee/mumu OS", "m_ll", "j=1 & b=0 & tau=0")', path)
    show("time of one cell / of the whole output", one[0] / whole[0], "x")
    show("memory of one cell", one[1], "MB")
    show("memory of the whole output", whole[1], "MB")
    start = time.perf_counter()
    read_pair(path, "ee/mumu OS", "m_ll", "j=1 & b=0 & tau=0")
    show("one cell", time.perf_counter() - start, "s")


def bench_merging(folder: Path) -> None:
    """100 and 1,000 outputs of different files."""
    sources = sorted(SHARED.glob("*.root")) or make_dataset(folder / "own", files=4, events=120_000, seed=1)
    base = [run("symmetries", path) for path in sources]
    paths = []
    for number in range(1000):
        one = base[number % len(base)]
        columns = {**one.events.columns, "run": one.events.columns["run"] + np.uint32(number)}
        files = {(f"{uuid}-{number}", tree): record for (uuid, tree), record in one.ledger.files.items()}
        events, ledger = replace(one.events, columns=columns), replace(one.ledger, files=files)
        paths.append(str(replace(one, events=events, ledger=ledger).save(folder / f"{number}.ddp")))
    work = "coffea_ddp.histograms.merging.merge_files(sys.argv[1:])"
    few, many = in_a_child(work, *paths[:100]), in_a_child(work, *paths)
    show("time of merging 1,000 outputs / 100", many[0] / few[0], "x", most=13)
    show("an output, of 1,000", many[0], "ms")
    show("memory, 100 outputs", few[1], "MB")
    show("memory, 1,000 outputs", many[1], "MB")
    total = load(paths[0]).counts.counts.sum()
    show("counts in the first", float(total), "")


def main() -> int:
    """Print the figures; 0 where all are reached, 1 where one is not."""
    for bench in (bench_one_cell, bench_merging):
        with tempfile.TemporaryDirectory() as name:
            print(f"== {bench.__doc__}")
            bench(Path(name))
    return FIGURES.end()


if __name__ == "__main__":
    sys.exit(main())
