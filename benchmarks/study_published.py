"""Networks and kernels at the points at which arXiv:2401.09530 quotes its network: a table for the fourth notebook.

    OMP_NUM_THREADS=1 python benchmarks/study_published.py notebooks/papers/measured_nplm.csv [--toys 60] [--null 500]

Events are counted in cells, much finer than any signal, and all numbers are Poisson. Z is that of the median t among
toys without a signal (of kernels: of the smallest p of three widths), its error from 200 bootstraps of both. With the
default seed 1 the file is that of the repository.
"""

from __future__ import annotations

import argparse
import csv
import functools
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import stats as scipy_stats
from threadpoolctl import threadpool_limits

from coffea_ddp import stats
from coffea_ddp.stats.log_ratio.both_samples import fit_both
from coffea_ddp.stats.log_ratio.levenberg import Data
from coffea_ddp.stats.log_ratio.network import NetworkFitter
from coffea_ddp.stats.log_ratio.nplm import fitter_of
from coffea_ddp.stats.samples.permutations import draw_labels
from coffea_ddp.stats.samples.points import pool_counts

PUBLISHED = Path(__file__).resolve().parents[1] / "notebooks" / "papers" / "published.csv"
NETWORKS = {
    "network as published (no bound)": stats.NetworkSolver(slope=None, ridge=0.0, restarts=2),
    "network of this package": stats.NetworkSolver(),
}
KERNELS = "kernels of this package"
SIGNALS = {
    "S1": scipy_stats.norm(6.4, 0.16).cdf,
    "S2": scipy_stats.gamma(3.0).cdf,
    "S3": scipy_stats.norm(1.6, 0.16).cdf,
}
BATCH = 25
COLUMNS = ("curve", "n_a", "n_b", "x", "events", "test", "toys", "median_t", "std_t", "z", "z_error", "permuted_t")


@dataclass(frozen=True)
class Cells:
    """Expected events of a background a side, and the shape of a signal, in cells."""

    centres: np.ndarray
    a: np.ndarray
    b: np.ndarray

    def fitter(self, solver):
        """Features, bounds and starting points of the expected events, the same for all toys; no cell is left out."""
        expected = (np.maximum(np.rint(side), 1).astype(int) for side in (self.a, self.b))
        return NetworkFitter(pool_counts(self.centres, *expected), solver, 1)


def exponential(n_a, n_b):
    """Return cells of 0.05 up to 12, a third of the width of a resonance, and one beyond."""
    edges = np.append(0.05 * np.arange(241), np.inf)
    share = np.diff(-np.exp(-edges))
    return edges, Cells(np.append(edges[:-2] + 0.025, 12.5), n_a * share, n_b * share)


def higgs():
    """Return 39 bins of 5 GeV with the analytic e mu spectrum, and the shape of H -> tau e."""
    edges = 5.0 * np.arange(40)
    m = edges[:-1] + 2.5
    background = 5_950 * np.exp(-((m - 66.5) ** 2) / (2 * 13**2))
    background += 2_650 * np.exp(-m / 200) / (1 + np.exp((45 - m) / 12))
    shape = np.diff(0.75 * scipy_stats.norm(121, 8).cdf(edges) + 0.25 * scipy_stats.norm(133, 14).cdf(edges))
    return Cells(m, background, background), shape


def drawn(cells, signal, count, rng):
    """Return Poisson counts of so many toys, the signal in A."""
    return [rng.poisson(mean, (count, len(mean))) for mean in (cells.a + signal, cells.b)]


def t_of_network(fitter, a, b):
    """Return t of many pairs of histograms; every one has its own pool."""
    found = []
    for first in range(0, len(a), BATCH):
        y, other = (torch.tensor(side[first : first + BATCH], dtype=torch.float64) for side in (a, b))
        total = y + other
        share = y.sum(dim=1, keepdim=True) / total.sum(dim=1, keepdim=True)
        x = fitter._x
        sides = Data(x, share * total, y), Data(x, (1.0 - share) * total, other)
        solver = fitter._solver
        minima = fit_both(fitter.net, sides, fitter._starts, fitter._bounds, first=solver.first, most=solver.most)
        found.append(sum(np.maximum(-2.0 * side.value.numpy(), 0.0) for side in minima))
    return np.concatenate(found)[:, None]


def t_of_kernels(centres, a, b):
    """Return t of every width, shape (toys, 3)."""
    fitters = (fitter_of(stats.KernelSolver(), pool_counts(centres, *pair), 1) for pair in zip(a, b, strict=True))
    return np.array([[one.t for one in fitter.observed()] for fitter in fitters])


def z_of_median(toys, null):
    """Return the significance of the median toy among those without a signal, after all trials."""
    ordered = np.sort(null, axis=0)

    def smallest_p(t):
        beyond = [len(null) - np.searchsorted(ordered[:, k], t[:, k]) for k in range(t.shape[1])]
        return (np.min(beyond, axis=0) + 1) / (len(null) + 1)

    median = np.median(smallest_p(toys)) if toys.shape[1] > 1 else smallest_p(np.median(toys, axis=0)[None])[0]
    p = (np.sum(smallest_p(null) <= median) + 1) / (len(null) + 1) if toys.shape[1] > 1 else median
    return float(scipy_stats.norm.isf(p))


def with_error(toys, null, rng):
    """Return Z of the median, and its standard deviation among bootstraps of both."""
    again = [
        z_of_median(toys[rng.integers(len(toys), size=len(toys))], null[rng.integers(len(null), size=len(null))])
        for _ in range(200)
    ]
    return z_of_median(toys, null), float(np.std(again))


class Study:
    """Toys of all tests at one pair of sizes, and the rows of the table."""

    def __init__(self, cells, options, seed):
        self.cells, self.options = cells, options
        self.rng = np.random.default_rng(seed)
        self.tests = {name: functools.partial(t_of_network, cells.fitter(one)) for name, one in NETWORKS.items()}
        self.tests[KERNELS] = functools.partial(t_of_kernels, cells.centres)
        pairs = drawn(cells, 0.0, options.null, self.rng)
        self.null = {name: test(*pairs) for name, test in self.tests.items()}

    def rows(self, where, x, signal, *, permutations=0):
        """Return a row for every test at one strength; 0: of the toys without a signal."""
        pairs = drawn(self.cells, signal, self.options.toys, self.rng)
        for name, test in self.tests.items():
            t = test(*pairs) if np.any(signal) else self.null[name]
            z, error = with_error(t, self.null[name], self.rng)
            permuted = ""
            if permutations and name in NETWORKS:
                permuted = f"{np.median(self.permuted(name, [side[0] for side in pairs], permutations)):.2f}"
            best = t[:, 0] if t.shape[1] == 1 else np.full(1, np.nan)
            numbers = f"{np.median(best):.2f}", f"{best.std():.2f}", f"{z:.3f}", f"{error:.3f}"
            yield (*where, f"{x:.2f}", f"{np.sum(signal):.1f}", name, len(t), *numbers, permuted)

    def permuted(self, name, pair, count):
        """Return t of permutations of the labels of one pair."""
        total = pair[0] + pair[1]
        labels = draw_labels(total, int(pair[0].sum()), count, self.options.seed, 0)
        return self.tests[name](labels, total - labels)


def table(options):
    """Yield the rows."""
    with PUBLISHED.open() as file:
        points = [one for one in csv.DictReader(file) if one["figure"].startswith("Z against")]
    for n_a, n_b in ((109_544, 109_544), (21_909, 219_087), (2_191, 219_087)):
        edges, cells = exponential(n_a, n_b)
        study = Study(cells, options, [options.seed, n_a])
        yield from study.rows(("null", n_a, n_b), 0.0, np.zeros_like(cells.a))
        for one in points:
            if one["curve"] in SIGNALS and (int(one["n_a"]), int(one["n_b"])) == (n_a, n_b):
                shape, x = np.diff(SIGNALS[one["curve"]](edges)), float(one["x"])
                events = float(stats.signal_for_z(cells.a, shape, x, kind="l1"))
                yield from study.rows((one["curve"], n_a, n_b), x, events * shape)
    edges, cells = exponential(54_772, 54_772)
    study = Study(cells, options, [options.seed, 54_772])
    for events in (0, 300, 500):
        signal = events * np.diff(SIGNALS["S3"](edges))
        yield from study.rows(("S3", 54_772, 54_772), 0.0, signal, permutations=options.permutations)
    cells, shape = higgs()
    study = Study(cells, options, [options.seed, 125])
    yield from study.rows(("LFV Higgs", 83_786, 83_786), 0.0, np.zeros_like(shape))
    for one in points:
        if one["curve"] == "LFV Higgs":
            events = float(stats.signal_for_z(cells.a, shape, float(one["x"]), kind="l1"))
            yield from study.rows(("LFV Higgs", one["n_a"], one["n_b"]), float(one["x"]), events * shape)


def main() -> int:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--toys", type=int, default=60, help="of every point")
    parser.add_argument("--null", type=int, default=500, help="toys without a signal")
    parser.add_argument("--permutations", type=int, default=200, help="of one toy without and with a signal")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.process_time()
    with threadpool_limits(1):
        torch.set_num_threads(1)
        rows = []
        for row in table(options):
            rows.append(row)
            print(*row, f"{time.process_time() - began:.0f} s", flush=True)
    with options.file.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
