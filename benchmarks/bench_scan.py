"""What a scan costs: per (symmetry, observable), in memory, against a loop over all cells, and against all rectangles.

    python benchmarks/bench_scan.py [FOLDER]

FOLDER holds NanoAOD files; by default the simulated set beside the repository. One core: the matrix products
are kept to one thread. The loop is the obvious one: for every cell of the lattice, sum its exclusive cells
and test the sum; its time is measured on a sample of cells and scaled, and its results must be those of the
scan. Pseudo-experiments of rectangles are found by bounds; the other way scores all of them.
"""

# ruff: noqa: E402 (threads are limited before numpy is loaded)

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import sys
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from figures import Figures

from coffea_ddp import load_plan, stats
from coffea_ddp.filling import fill
from coffea_ddp.scanning.binned_tests import Submatrix
from coffea_ddp.scanning.driver import scan
from coffea_ddp.scanning.options import MIN_EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from coffea_ddp.histograms.cells import CellGrid
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.report import ScanReport

REPOSITORY = Path(__file__).resolve().parents[1]
DATA = REPOSITORY.parent / "shared" / "data" / "nanoaod_sim"
PLAN = REPOSITORY / "processors" / "symmetries.py"
SECONDS = 2.0
RATIO = 100.0
N_SAMPLE = 1_000
BOUNDS = 5.0
N_TOYS = 128


def main(folder: Path) -> int:
    """Print the figures; 0 where all are reached, 1 where one is not."""
    files = sorted(folder.glob("*.root"))
    if not files:
        print(f"skipped: no ROOT files in {folder}")
        return 0
    hists = read(files)
    print(hists)
    scan(hists, symmetries=hists.symmetries[-1:], best=1, toys=0)  # loads scipy and the rest before the clock runs
    slowest = max(one_channel(hists, s, o) for s in hists.symmetries for o in hists.observables(s))
    everything = fastest(lambda: scan(hists, toys=0), repeats=3)
    report = scan(hists, toys=0)
    figures = Figures()
    figures.add(f"all symmetries and observables, {report.trials} trials", everything, "s")
    figures.add("slowest (symmetry, observable)", slowest, "s", most=SECONDS)
    ratio = against_loop(hists, hists.symmetries[0], hists.observables(hists.symmetries[0])[0])
    bounds = min(against_all_rectangles(hists, symmetry) for symmetry in hists.symmetries[:2])
    figures.add("a loop over all cells / the scan", ratio, "x", least=RATIO)
    figures.add(
        "pseudo-experiments of all rectangles / by bounds, the lesser of two symmetries", bounds, "x", least=BOUNDS
    )
    return figures.end()


def read(files: list[Path]) -> Histograms:
    """Fill the histograms of all files, the whole lattice of the default plan."""
    from coffea.nanoevents import BaseSchema, NanoEventsFactory

    plan = load_plan(PLAN)
    trees = ({str(file): "Events"} for file in files)
    events = (NanoEventsFactory.from_root(tree, schemaclass=BaseSchema, mode="virtual").events() for tree in trees)
    return sum(fill(chunk, plan) for chunk in events)


def one_channel(hists: Histograms, symmetry: str, observable: str) -> float:
    """Print and return the seconds of the scan of one observable of one symmetry."""
    report = scan(hists, symmetries=[symmetry], observables=[observable], toys=0)
    seconds = fastest(lambda: scan(hists, symmetries=[symmetry], observables=[observable], toys=0), repeats=3)
    summary = report.summaries[0]
    peak = peak_memory(lambda: scan(hists, symmetries=[symmetry], observables=[observable], toys=0))
    print(
        f"{symmetry:>18} | {observable:<16} {seconds:7.4f} s, {peak:5.1f} MB; {summary.n_cells} cells, "
        f"{summary.n_distinct} distinct, {report.trials} trials"
    )
    return seconds


def against_loop(hists: Histograms, symmetry: str, observable: str) -> float:
    """Print and return how many times faster the scan is than the loop over all cells of the lattice."""
    grid = hists.layout.grid
    found = hists.cell_counts(symmetry, observable)
    codes, contents = found.codes, found.matrices
    names = random_cells(grid, N_SAMPLE)
    start = time.perf_counter()
    found = [loop_step(grid, name, codes, contents) for name in names]
    loop = (time.perf_counter() - start) / len(names) * grid.n_cells

    def whole_scan(best: int = 1_000) -> ScanReport:
        return scan(hists, symmetries=[symmetry], observables=[observable], best=best, toys=0)

    seconds = fastest(whole_scan, repeats=5)
    check(found, whole_scan(best=grid.n_cells), grid.n_cells)
    print(
        f"{symmetry} | {observable}: looping over {grid.n_cells} cells takes {loop:.1f} s (from {len(names)}), "
        f"the scan {seconds:.3f} s: {loop / seconds:.0f} x"
    )
    return loop / seconds


def against_all_rectangles(hists: Histograms, symmetry: str) -> float:
    """Print and return how many times faster bounds are than scores of all rectangles, the same to the last bit.

    CPU seconds of a scan of one symmetry with pseudo-experiments, one thread, less those of the scan without.
    """
    options = {"symmetries": [symmetry], "tests": ["submatrix"], "seed": 1, "jobs": 1}

    def seconds(toys: int) -> tuple[float, ScanReport]:
        start = time.process_time()
        report = scan(hists, toys=toys, **options)
        return time.process_time() - start, report

    seconds(N_TOYS)  # compiles
    plain = seconds(0)[0]
    bounded, report = seconds(N_TOYS)
    bound, Submatrix.bounded = Submatrix.bounded, lambda *_: None
    try:
        seconds(1)
        every, same = seconds(N_TOYS)
    finally:
        Submatrix.bounded = bound
    assert report.to_dict() == same.to_dict(), "bounds make another report than all rectangles"
    ratio = (every - plain) / (bounded - plain)
    print(
        f"{symmetry}: {N_TOYS} pseudo-experiments of rectangles, {every - plain:.2f} s of CPU for all of them, "
        f"{bounded - plain:.2f} s by bounds: {ratio:.1f} x"
    )
    return ratio


def random_cells(grid: CellGrid, n: int) -> list[str]:
    """Return names of cells drawn evenly from the whole lattice."""
    rng = np.random.default_rng(1)
    questions = [[choice.text for choice in axis.choices] for axis in grid.axes]
    drawn = zip(*(rng.integers(0, len(texts), n) for texts in questions), strict=True)
    return [
        " & ".join(filter(None, (texts[i] for texts, i in zip(questions, numbers, strict=True)))) or "inclusive"
        for numbers in drawn
    ]


def loop_step(grid: CellGrid, name: str, codes: np.ndarray, contents: np.ndarray) -> float | None:
    """Sum the exclusive cells of one cell and test the sum; ``None`` where there are too few entries."""
    a, b = contents[grid.contains(name, codes)].sum(axis=0)
    return stats.n_sigma(a, b).statistic if a.sum() + b.sum() >= MIN_EVENTS else None


def check(found: list[float | None], report: ScanReport, n_cells: int) -> None:
    """Stop unless the loop found the statistics of the scan, and tested the same share of the lattice."""
    known = np.array(sorted(row.statistic for row in report.rows))
    tested = np.array([z for z in found if z is not None])
    nearest = np.abs(known[:, None] - tested).min(axis=0)
    assert nearest.max() < 1e-9, f"the loop found statistics that the scan does not have: {nearest.max()} away"
    share = sum(row.aliases for row in report.rows) / n_cells
    error = 5 * np.sqrt(share * (1 - share) / len(found))
    assert abs(len(tested) / len(found) - share) < error, f"loop: {len(tested)} of {len(found)}, scan: {share}"


def fastest(function: Callable[[], object], repeats: int) -> float:
    """Return the seconds of the fastest of some calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def peak_memory(function: Callable[[], object]) -> float:
    """Return by how many MB the memory of Python and numpy grows at most during a call."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA))
