"""Rectangles per second, permutations of the whole lattice, and both against other ways of doing it.

    python benchmarks/bench_null.py [FOLDER]

FOLDER holds NanoAOD files; by default the simulated set beside the repository. One core, unless said. Every ratio is
of two things measured in this run. pyBumpHunter comes with the extra `bench`.
"""

# ruff: noqa: E402 (threads are limited before numpy is loaded)

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = "1"

import dataclasses
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from bench_scan import DATA, fastest, read
from figures import Figures

from coffea_ddp import stats
from coffea_ddp.histograms.lattice import distinct_cells
from coffea_ddp.histograms.sparse import SparseCounts
from coffea_ddp.scanning.driver import scan
from coffea_ddp.scanning.options import MIN_EVENTS
from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.relabelling import relabel
from coffea_ddp.stats.submatrix.binomial import z_table
from coffea_ddp.stats.submatrix.rectangles import exact_extremes, linear_extremes

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms

SHAPE = (28, 28)
RECTANGLES = 164_836
FIGURES = Figures()
figure = FIGURES.add


def toys(mean: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.random.default_rng(seed).poisson(mean, (2, *SHAPE)))


def kernels() -> None:
    for mean in (2.0, 25.0):
        a, b = toys(mean)
        n = a + b
        labels = relabel(n.ravel(), seed=1).reshape(*SHAPE, TOYS)
        x = ((2 * labels - n[..., None]) / np.sqrt(np.maximum(n, 1))[..., None]).astype(np.float32)
        v, table = (n > 0).astype(float), z_table(1.0, 1 << 18)
        high, low = np.zeros(TOYS, np.float32), np.zeros(TOYS, np.float32)

        def linear(x=x, v=v, high=high, low=low) -> None:
            linear_extremes(x, v, np.zeros(v.shape), high, low)

        def exact(labels=labels, n=n, table=table, high=high, low=low) -> None:
            exact_extremes(labels, n, table, high, low)

        linear(), exact()
        figure(f"N_sigma of rectangles, {mean:g} a bin", RECTANGLES * TOYS / fastest(linear, 20), "a second", least=3e9)
        figure(
            f"exact counts of rectangles, {mean:g} a bin", RECTANGLES * TOYS / fastest(exact, 20), "a second", least=3e9
        )
        seconds = fastest(lambda x=x, v=v: numpy_extremes(x, v), 3)
        figure(f"the same in numpy, {mean:g} a bin", RECTANGLES * TOYS / seconds, "a second", least=5e7)


def numpy_extremes(x: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All rectangles by summed-area tables, whole arrays over columns and pseudo-experiments."""
    pad = np.zeros((x.shape[0] + 1, x.shape[1] + 1, TOYS), np.float32)
    pad[1:, 1:] = x.cumsum(axis=0).cumsum(axis=1)
    pad_v = np.zeros((v.shape[0] + 1, v.shape[1] + 1))
    pad_v[1:, 1:] = v.cumsum(axis=0).cumsum(axis=1)
    high, low = np.full(TOYS, -np.inf, np.float32), np.full(TOYS, np.inf, np.float32)
    start, stop = np.triu_indices(v.shape[1] + 1, 1)
    for first in range(v.shape[0]):
        for last in range(first + 1, v.shape[0] + 1):
            strip, strip_v = pad[last] - pad[first], pad_v[last] - pad_v[first]
            width = strip_v[stop] - strip_v[start]
            factor = np.where(width > 0, 1 / np.sqrt(np.maximum(width, 1e-30)), 0).astype(np.float32)[:, None]
            z = (strip[stop] - strip[start]) * factor
            high, low = np.maximum(high, z.max(axis=0)), np.minimum(low, z.min(axis=0))
    return high, low


def one_pair() -> None:
    a, b = toys(25.0)
    for statistic in ("nsigma", "counts"):
        seconds = fastest(lambda s=statistic: stats.scan_submatrices(a, b, toys=10_000, statistic=s), 3)
        figure(f"one 28 x 28 pair, 10,000 permutations, {statistic}", seconds, "s", most=1.0)


def lattice(hists: Histograms) -> None:
    symmetry, observable = hists.symmetries[0], hists.observables(hists.symmetries[0])[0]
    seconds = report_lattice(hists, symmetry, observable, most=30.0)
    loop = numpy_loop(hists, symmetry, observable)
    figure("a numpy loop over the cells / ours", loop / seconds, "x", least=100.0)
    report_lattice(tenfold(hists, symmetry), symmetry, observable)


def report_lattice(hists: Histograms, symmetry: str, observable: str, most: float | None = None) -> float:
    """Print and return the seconds of 1,000 permutations of N_sigma of all cells, on one core."""
    options = {"symmetries": [symmetry], "observables": [observable], "seed": 1, "jobs": 1, "best": 100}
    scan(hists, toys=64, **options)
    plain = fastest(lambda: scan(hists, toys=0, **options), 3)
    seconds = fastest(lambda: scan(hists, toys=1_000, **options), 3)
    cells = distinct_cells(hists.layout.grid, hists.occupied(symmetry))
    what = f"{hists.layout.grid.n_cells} cells, {len(cells.codes)} exclusive, {len(cells)} distinct"
    figure(f"1,000 permutations of {what}", seconds, "s", most=most)
    print(f"  per permutation {1e3 * (seconds - plain) / 1_000:.3f} ms, the scan itself {plain:.3f} s")
    return seconds - plain


def tenfold(hists: Histograms, symmetry: str) -> Histograms:
    """Return ten times as many events in ten times as many exclusive cells: each one's are spread over ten others."""
    rng = np.random.default_rng(1)
    parts = []
    for channel in hists.layout.channels:
        if channel.symmetry == symmetry:
            part = hists.counts.between(channel.base, channel.base + hists.layout.grid.n_exclusive * 2 * channel.extent)
            keys = np.repeat(part.keys - channel.base, 10 * part.counts)
            cell, rest = np.divmod(keys, 2 * channel.extent)
            wanted = 10 * len(hists.occupied(symmetry))
            chosen = rng.choice(hists.layout.grid.n_exclusive, wanted, replace=False)
            occupied = np.searchsorted(hists.occupied(symmetry), cell)
            spread = chosen[occupied * 10 + rng.integers(0, 10, len(cell))]
            parts.append(channel.base + spread * 2 * channel.extent + rest)
            rng = np.random.default_rng(1)
    empty = type(hists).empty(hists.layout)
    return dataclasses.replace(empty, counts=SparseCounts.from_keys(np.concatenate(parts)))


def numpy_loop(hists: Histograms, symmetry: str, observable: str, n_cells: int = 60) -> float:
    """Return the seconds of the same 1,000 permutations, cell by cell in numpy; from a sample of the cells."""
    found = hists.cell_counts(symmetry, observable)
    codes, contents = found.codes, found.matrices
    flat = contents.reshape(len(codes), 2, -1)
    n = flat.sum(axis=1)
    b = np.random.default_rng(1).binomial(n.astype(int), 0.5)
    cells = distinct_cells(hists.layout.grid, codes)
    enough = np.flatnonzero(cells.sums(n.sum(axis=1)[:, None])[:, 0] >= MIN_EVENTS)
    chosen = np.random.default_rng(2).choice(enough, n_cells, replace=False)
    masks = [hists.layout.grid.contains(cells.cell(i), codes) for i in chosen]
    start = time.perf_counter()
    found = []
    for inside in masks:
        total, on_b = n[inside].sum(axis=0), b[inside].sum(axis=0)
        used = total > 0
        found.append(((2 * on_b - total)[used] / np.sqrt(total[used])).sum() / np.sqrt(used.sum()))
    per_cell = (time.perf_counter() - start) / n_cells
    # The lattice as a user would loop over it: every cell that is not empty, not only those that differ.
    filled = int(cells.aliases[enough].sum())
    same = [stats.n_sigma(n[m].sum(0) - b[m].sum(0), b[m].sum(0)).statistic for m in masks[:10]]
    assert np.allclose(same, found[:10])
    distinct = per_cell * len(enough) * 1_000
    whole = per_cell * filled * 1_000
    print(f"  numpy loop: {distinct:.0f} s over {len(enough)} distinct cells, {whole:.0f} s over all {filled}")
    return distinct


def everything(hists: Histograms) -> None:
    jobs = os.cpu_count() or 1
    for tests in (["nsigma"], ["nsigma", "submatrix"]):
        start = time.perf_counter()
        report = scan(hists, tests=tests, toys=1_000, seed=1)
        figure(
            f"whole scan, {'+'.join(tests)}, {report.trials} trials, 1,000 permutations, {jobs} cores",
            time.perf_counter() - start, "s", most=600.0,
        )  # fmt: skip


def against_pybumphunter() -> None:
    try:
        import pyBumpHunter as bumphunter
    except ImportError:
        print("pyBumpHunter is not installed: pip install -c constraints.txt -e '.[bench]'")
        return
    rng = np.random.default_rng(3)
    a, b = rng.poisson(50, SHAPE), rng.poisson(50, SHAPE)
    b[10:14, 12:16] += 30
    edges = np.arange(29.0)
    theirs = bumphunter.BumpHunter2D(
        rang=[[0, 28], [0, 28]], bins=[edges, edges], width_min=[1, 1], width_max=[28, 28], width_step=[1, 1],
        scan_step=[1, 1], npe=1, nworker=1, seed=1,
    )  # fmt: skip
    start = time.perf_counter()
    quiet(lambda: theirs.bump_scan(b, a, is_hist=True, do_pseudo=False))
    seconds = time.perf_counter() - start
    found = stats.scan_submatrices(a, b, toys=0, alternative="greater")
    n = 1_000
    many = fastest(lambda: stats.scan_submatrices(a, b, toys=n, alternative="greater"), 3) / (n + 1)
    figure("pyBumpHunter's 2D scan / ours, all rectangles of a pair, among 1,000", seconds / many, "x", least=1_000.0)
    print(f"  theirs {seconds:.2f} s, ours {1e3 * many:.3f} ms")
    for statistic in ("nsigma", "counts"):
        options = {"toys": 0, "alternative": "greater", "statistic": statistic}
        one = fastest(lambda o=options: stats.scan_submatrices(a, b, **o), 50)
        print(f"  one pair alone, {statistic}: ours {1e3 * one:.2f} ms, theirs / ours {seconds / one:.0f} x")
    low, width = theirs.min_loc_ar[0], theirs.min_width_ar[0]
    print(f"  best: theirs {low} + {width}, ours {found.bins}")
    one_dimension(bumphunter)


def one_dimension(bumphunter: object) -> None:
    rng = np.random.default_rng(4)
    a = rng.poisson(400 * np.exp(-np.arange(60) / 20) + 40)
    b = rng.poisson(400 * np.exp(-np.arange(60) / 20) + 40)
    b[30:34] += 60
    edges = np.arange(61.0)
    theirs = bumphunter.BumpHunter1D(
        rang=[0, 60], bins=edges, width_min=1, width_max=60, width_step=1, scan_step=1, npe=10_000, nworker=1, seed=1
    )
    start = time.perf_counter()
    quiet(lambda: theirs.bump_scan(b, a, is_hist=True))
    seconds = time.perf_counter() - start
    found = stats.scan_submatrices(a, b, toys=10_000, alternative="greater", seed=1)
    ours = fastest(lambda: stats.scan_submatrices(a, b, toys=10_000, alternative="greater", seed=1), 3)
    figure("pyBumpHunter's 1D scan / ours, 60 bins, 10,000 pseudo-experiments", seconds / ours, "x", least=10.0)
    low = int(theirs.min_loc_ar[0][0] if np.ndim(theirs.min_loc_ar[0]) else theirs.min_loc_ar[0])
    width = int(theirs.min_width_ar[0][0] if np.ndim(theirs.min_width_ar[0]) else theirs.min_width_ar[0])
    print(f"  theirs {seconds:.1f} s, bins {low}:{low + width}; ours {ours:.3f} s, bins {found.bins[0]}")


def quiet(function: object) -> None:
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()):
        function()


def main(folder: Path) -> int:
    """Print the figures; 0 where all are reached, 1 where one is not."""
    kernels()
    one_pair()
    against_pybumphunter()
    files = sorted(folder.glob("*.root"))
    if files:
        hists = read(files)
        lattice(hists)
        everything(hists)
    else:
        print(f"the lattice is skipped: no ROOT files in {folder}")
    return FIGURES.end()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA))
