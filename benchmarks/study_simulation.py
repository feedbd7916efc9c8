"""How often data beside simulation are marked in nulls: N_sigma and the region of interest, sample by sample.

    python benchmarks/study_simulation.py 200

Simulation and data are drawn anew from one truth of 30 exclusive cells with 20 bins, in which cells differ in shape;
the best of 91 overlapping cells (regions: of 12) is compared with 256 toys. Then from a truth on a grid of 192 cells,
many of which the samples miss: the best of all cells of its lattice. Printed: the share of nulls with p < 0.05 and
0.2, and p of a Kolmogorov-Smirnov test against a uniform distribution.
"""

from __future__ import annotations

import sys
from functools import cache

import numpy as np
from scipy import stats as scipy_stats

from coffea_ddp.histograms.cells import CellGrid, Multiplicity
from coffea_ddp.histograms.lattice import distinct_cells
from coffea_ddp.stats.simulated.cells import (
    Lists,
    RegionCells,
    Scores,
    Toys,
    best_regions,
    toy_pulls,
    toy_regions,
)
from coffea_ddp.stats.simulated.expected import draw, expect
from coffea_ddp.stats.simulated.pulls import weighted_pulls
from coffea_ddp.stats.simulated.rates import SimulatedCounts

CELLS, BINS, TOYS, FEW = 30, 20, 256, 12
GRID = CellGrid(tuple(Multiplicity(name, last=last) for name, last in (("j", 5), ("b", 3), ("e", 3), ("tau", 1))))
SAMPLES = {
    "weights 0.2, 1, 0.05": ((0.2, 1.0, 0.05), (0.0, 0.0, 0.0)),
    "weights 1, 3, 0.5": ((1.0, 3.0, 0.5), (0.0, 0.0, 0.0)),
    "weights 0.3, 1, 0.1; 20 and 5 % negative": ((0.3, 1.0, 0.1), (0.2, 0.0, 0.05)),
    "weights 1, 3, 0.5; 25 and 5 % negative": ((1.0, 3.0, 0.5), (0.25, 0.0, 0.05)),
}


def truth(total: float, spread: float = 0.5) -> np.ndarray:
    """Return the rates of three samples; shape (3, CELLS, BINS)."""
    rng = np.random.default_rng(5)
    share, found = rng.dirichlet(np.full(CELLS, 0.3)), []
    for part, slope in ((0.6, 0.25), (0.3, 0.12), (0.1, 0.08)):
        cells = share * rng.lognormal(0.0, 0.5, CELLS)
        shape = np.exp(-slope * rng.lognormal(0.0, spread, CELLS)[:, None] * np.arange(BINS))
        found.append(total * part * (cells / cells.sum())[:, None] * shape / shape.sum(axis=1, keepdims=True))
    return np.array(found)


def grid_truth(total: float) -> np.ndarray:
    """Return the rates of three samples in the cells of a grid, which fall along each of its axes."""
    rng, found = np.random.default_rng(5), []
    places = GRID.decode(np.arange(GRID.n_exclusive))
    for part, slope in ((0.6, 0.25), (0.3, 0.12), (0.1, 0.08)):
        cells = np.exp(-(rng.uniform(0.5, 1.5, (len(places), 1)) * places).sum(axis=0))
        cells = cells * rng.lognormal(0.0, 0.4, len(cells))
        shape = np.exp(-slope * rng.lognormal(0.0, 0.2, len(cells))[:, None] * np.arange(BINS))
        found.append(total * part * (cells / cells.sum())[:, None] * shape / shape.sum(axis=1, keepdims=True))
    return np.array(found)


@cache
def unions() -> np.ndarray:
    """Return the members of overlapping cells: all, each alone, and random unions."""
    rng = np.random.default_rng(0)
    return np.array([np.ones(CELLS), *np.eye(CELLS), *((rng.random(CELLS) < 0.4) * 1.0 for _ in range(60))])


def lattice(filled: np.ndarray) -> np.ndarray:
    """Return the members of all cells of a lattice."""
    cells = distinct_cells(GRID, np.flatnonzero(filled))
    starts, codes = cells.lists(np.arange(len(cells)))
    members = np.zeros((len(cells), int(filled.sum())))
    members[np.repeat(np.arange(len(cells)), np.diff(starts)), codes] = 1.0
    return members


def null(seed: int, rates: np.ndarray, kind: tuple[tuple[float, ...], tuple[float, ...]]) -> tuple[float, float]:
    """Return p of N_sigma and of regions in one null."""
    rng, samples = np.random.default_rng(seed), []
    for rate, weight, negative in zip(rates, *kind, strict=True):
        events = rate / (weight * (1.0 - 2.0 * negative))
        plus, minus = rng.poisson(events * (1.0 - negative)), rng.poisson(events * negative)
        n = (plus + minus).astype(float)
        samples.append(SimulatedCounts(weight * (plus - minus), weight**2 * n, n, negative > 0))
    counts = rng.poisson(rates.sum(axis=0)).astype(float)
    whole, places = unions(), None
    if len(counts) != CELLS:
        filled = (counts + sum(one.n for one in samples)).sum(axis=1) > 0
        samples = [SimulatedCounts(*(values[filled] for values in one[:3]), one.negative) for one in samples]
        counts, whole, places = counts[filled], lattice(filled), GRID.decode(np.flatnonzero(filled))
    expected = expect(samples, counts, (1, BINS), places=places)

    def dense(values: np.ndarray) -> np.ndarray:
        array = np.zeros(counts.shape)
        array[expected.cells, expected.bins] = values
        return whole @ array

    found = [dense(getattr(expected, name)) for name in ("data", "mean", "variance", "steady", "own")]
    tested = (found[0] + found[1]).sum(axis=1) >= 20
    data, mean, variance, steady, own = (values[tested] for values in found)
    members = whole[tested]
    lists = Lists(np.concatenate([[0], np.cumsum(members.sum(axis=1))]).astype(np.int64),
                  np.nonzero(members)[1].astype(np.int32))  # fmt: skip
    few = Lists(lists.starts[: FEW + 1], lists.codes)
    pulls = weighted_pulls(data, mean, variance, steady, np.zeros((0, *mean.shape)))
    regions = RegionCells(mean[:FEW], variance[:FEW], own[:FEW], np.zeros((FEW, 0, BINS)))
    best = best_regions(data[:FEW], mean[:FEW], variance[:FEW], own[:FEW], np.zeros((0, FEW, BINS)), (1, BINS))
    weights, means = pulls.weights.astype(np.float32), (pulls.weights * mean).sum(axis=1)
    scores: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for block in range(TOYS // 64):
        toys = Toys(expected.starts, expected.bins, draw(expected, seed=seed, key="x", block=block))
        out = [Scores(np.zeros(64, np.float32), np.full(len(mean), -1), np.zeros((0, 64), np.float32)) for _ in "12"]
        toy_pulls(toys, lists, weights, means, out[0])
        toy_regions(toys, few, regions, (1, BINS), out[1])
        for kept, one in zip(scores, out, strict=True):
            kept.append(one.best)
    observed = np.nanmax(np.abs(pulls.statistic)), np.abs(best.score).max()
    first, second = (
        float((1 + (np.concatenate(kept) >= value * (1 - 1e-6)).sum()) / (TOYS + 1))
        for kept, value in zip(scores, observed, strict=True)
    )
    return first, second


def main(number: int) -> None:
    """Print a line for each kind of samples and size of the data."""
    settings = [(total, name, truth) for total in (3000.0, 300.0) for name in SAMPLES]
    for total, name, made in [*settings, *((2000.0, name, grid_truth) for name in SAMPLES)]:
        p_values = np.array([null(1000 + seed, made(total), SAMPLES[name]) for seed in range(number)])
        words = [
            f"{test}: {(p <= 0.05).mean():.3f} ({(p <= 0.2).mean():.3f}), KS {scipy_stats.kstest(p, 'uniform')[1]:.3f}"
            for test, p in zip(("nsigma", "roi"), p_values.T, strict=True)
        ]
        print(f"{made.__name__}, {total:,.0f} events of data, {name}: {'; '.join(words)}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
