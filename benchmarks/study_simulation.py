"""How often data beside simulation are marked in nulls: N_sigma and the region of interest, sample by sample.

    python benchmarks/study_simulation.py 200

Simulation and data are drawn anew from one truth of 30 exclusive cells with 20 bins, in which cells differ in shape;
the best of 91 overlapping cells (regions: of 12) is compared with 256 toys. Printed: the share of nulls with p < 0.05
and 0.2, and p of a Kolmogorov-Smirnov test against a uniform distribution.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy import stats as scipy_stats

from coffea_ddp.stats.simulated.cells import (
    Lists,
    RegionCells,
    Scores,
    Toys,
    best_regions,
    toy_pulls,
    toy_regions,
)
from coffea_ddp.stats.simulated.expected import SimulatedCounts, draw, expect
from coffea_ddp.stats.simulated.pulls import weighted_pulls

CELLS, BINS, TOYS, FEW = 30, 20, 256, 12
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


def lattice() -> np.ndarray:
    """Return the members of overlapping cells: all, each alone, and random unions."""
    rng = np.random.default_rng(0)
    return np.array([np.ones(CELLS), *np.eye(CELLS), *((rng.random(CELLS) < 0.4) * 1.0 for _ in range(60))])


def null(seed: int, rates: np.ndarray, kind: tuple[tuple[float, ...], tuple[float, ...]]) -> tuple[float, float]:
    """Return p of N_sigma and of regions in one null."""
    rng, samples = np.random.default_rng(seed), []
    for rate, weight, negative in zip(rates, *kind, strict=True):
        events = rate / (weight * (1.0 - 2.0 * negative))
        plus, minus = rng.poisson(events * (1.0 - negative)), rng.poisson(events * negative)
        n = (plus + minus).astype(float)
        samples.append(SimulatedCounts(weight * (plus - minus), weight**2 * n, n, negative > 0))
    expected = expect(samples, rng.poisson(rates.sum(axis=0)).astype(float), (1, BINS))

    def dense(values: np.ndarray) -> np.ndarray:
        array = np.zeros((CELLS, BINS))
        array[expected.cells, expected.bins] = values
        return lattice() @ array

    found = [dense(getattr(expected, name)) for name in ("data", "mean", "variance", "steady", "own")]
    tested = found[1].sum(axis=1) >= 10
    data, mean, variance, steady, own = (values[tested] for values in found)
    members = lattice()[tested]
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
    for total in (3000.0, 300.0):
        for name, kind in SAMPLES.items():
            p_values = np.array([null(1000 + seed, truth(total), kind) for seed in range(number)])
            words = [
                f"{test}: {(p <= 0.05).mean():.3f} ({(p <= 0.2).mean():.3f}), "
                f"KS {scipy_stats.kstest(p, 'uniform')[1]:.3f}"
                for test, p in zip(("nsigma", "roi"), p_values.T, strict=True)
            ]
            print(f"{total:,.0f} events of data, {name}: {'; '.join(words)}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
