"""Is the null of NPLM what it is said to be? The tables of docs/validation.md.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/study_nplm.py [--toys-of-tails 200000] [--toys 20000]

The analytic tail of kernels beside that of permutations; 13 bins at five ratios of sizes, symmetrized and original;
what permutations of data with a signal say; signals on an exponential and H -> tau mu.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from scipy import stats as scipy_stats
from threadpoolctl import threadpool_limits

from coffea_ddp.stats.log_ratio.nplm import fitter_of, permuted
from coffea_ddp.stats.log_ratio.solvers import BinSolver, KernelSolver
from coffea_ddp.stats.samples.points import pool, pool_counts

SIZES = ((2_000, 2_000), (54_772, 54_772), (21_909, 219_087), (2_191, 219_087), (2_000, 20_000))
LEVELS = (0.1, 0.01, 0.001)


def exponentials(n_a: int, n_b: int, seed: int = 1, d: int = 1):
    """Return two samples of the null."""
    rng = np.random.default_rng(seed)
    return rng.exponential(size=(n_a, d)), rng.exponential(size=(n_b, d))


def tails(count: int) -> None:
    """Print what the analytic tail says where permutations have 10, 1, 0.1 %."""
    print(
        "| events | features | width | version | analytic p at 10 / 1 / 0.1 % of the permutations |\n"
        + "|---" * 5
        + "|"
    )
    for n_a, n_b, d in ((2_000, 2_000, 1), (300, 3_000, 1), (2_000, 2_000, 3)):
        points = pool(*exponentials(n_a, n_b, d=d))
        for width in (0.3, 1.0, 3.0):
            for score in (True, False):
                fitter = fitter_of(KernelSolver(widths=(width,), score=score), points, 1)
                null = np.sort(permuted(fitter, count * (4 if score else 1), 1)[0])[::-1]
                found = [fitter.observed()[0].analytic_tail(float(null[int(p * len(null))])) for p in LEVELS]
                name = "score" if score else "fit"
                shown = " / ".join(f"{p:.4f}" for p in found)
                print(f"| {n_a:,} + {n_b:,} | {d} | {width} | {name} | {shown} |", flush=True)


def bins(toys: int) -> None:
    """Print mean, median, spread of t of 13 bins for five ratios of sizes, as PHYSICS T10."""
    print(
        "| N_A, N_B | mean | median | std | KS p, chi2_12 | t_A / t | original mean (12 (1 + N_A / N_B)) |\n"
        + "|---" * 7
        + "|"
    )
    for n_a, n_b in SIZES:
        # 13 cells of equal probability hold all there is to know: their permutations are those of the events.
        total = np.full(13, (n_a + n_b) // 13)
        total[: (n_a + n_b) % 13] += 1
        a = np.random.default_rng(3).multivariate_hypergeometric(total, n_a)
        points = pool_counts(np.arange(13.0), a, total - a)
        fitter = fitter_of(BinSolver(equal="width"), points, 1)
        null = permuted(fitter, toys, 1)[0]
        original = permuted(fitter.against_reference(n_a), toys, 1)[0]
        one = fitter.observed()[0]
        print(
            f"| {n_a:,}, {n_b:,} | {null.mean():.2f} | {np.median(null):.2f} | {null.std():.2f} | "
            f"{scipy_stats.kstest(null, 'chi2', (12,)).pvalue:.2f} | {one.t_a / one.t:.3f} | "
            f"{original.mean():.2f} ({12 * (1 + n_a / n_b):.2f}) |",
            flush=True,
        )


def signals(count: int) -> None:
    """Print t and the permutations' median with a bulk signal in A, 13 bins, 54,772 events a side, as PHYSICS T12."""
    print("| signal events | median t, std of 200 toys | median of the permutations |\n|---|---|---|")
    for events in (0, 300, 500):
        values, medians = [], []
        for toy in range(200):
            rng = np.random.default_rng([9, events, toy])
            a = np.concatenate([rng.exponential(size=54_772 - events), rng.normal(1.6, 0.16, events)])
            fitter = fitter_of(BinSolver(), pool(a, rng.exponential(size=54_772)), 1)
            values.append(fitter.observed()[0].t)
            if toy < 3:
                medians.append(np.median(permuted(fitter, count, toy)[0]))
        print(f"| {events} | {np.median(values):.1f}, {np.std(values):.1f} | {np.mean(medians):.2f} |", flush=True)


def _counted(expected_a, expected_b, rng, bins: int) -> float:
    """Return t of two histograms of Poisson numbers."""
    a, b = rng.poisson(expected_a), rng.poisson(expected_b)
    points = pool_counts(np.arange(float(bins)), a, b)
    return fitter_of(BinSolver(bins=len(points.x), equal="width"), points, 1).observed()[0].t


def _z(values, dof: int) -> float:
    """Return the significance of the median, as arXiv:2401.09530 quotes it."""
    return float(scipy_stats.norm.isf(scipy_stats.chi2.sf(np.median(values), dof)))


EXPONENTIAL = (
    # Signal, N_A, N_B, signal events; Z: published network's, of uniform bins, of equal-probability bins (PHYSICS T13).
    ("S1", 109_544, 109_544, 50, 0.42, 1.33, -0.08),
    ("S1", 109_544, 109_544, 80, 2.37, 2.52, 0.02),
    ("S1", 21_909, 219_087, 20, 1.30, 1.69, 0.0),
    ("S1", 21_909, 219_087, 30, 2.97, 2.91, 0.06),
    ("S1", 2_191, 219_087, 10, 2.26, 2.47, 0.09),
    ("S2", 109_544, 109_544, 500, 0.96, 0.99, 0.63),
    ("S2", 109_544, 109_544, 800, 2.22, 2.17, 1.48),
    ("S2", 21_909, 219_087, 300, 2.52, 2.54, 1.92),
    ("S3", 109_544, 109_544, 500, 1.47, 1.04, 1.32),
    ("S3", 109_544, 109_544, 850, 2.97, 2.42, 2.98),
    ("S3", 21_909, 219_087, 200, 1.89, 1.31, 1.82),
)
SHAPES = {
    "S1": scipy_stats.norm(6.4, 0.16).cdf,
    "S2": scipy_stats.gamma(3.0).cdf,
    "S3": scipy_stats.norm(1.6, 0.16).cdf,
}


def exponential_power(toys: int) -> None:
    """Print Z of resonances, a tail and a wide signal on an exponential, as PHYSICS T13."""
    print(
        "| signal | N_A, N_B | events | Z, 13 uniform bins | Z, 13 bins of equal probability | published network |\n"
        + "|---" * 6 + "|"
    )  # fmt: skip
    uniform = np.concatenate([np.arange(13) * 0.6, [np.inf]])
    equal = -np.log1p(-np.arange(14) / 13.0 * (1.0 - 1e-15))
    equal[-1] = np.inf
    for name, n_a, n_b, events, network, known_uniform, known_equal in EXPONENTIAL:
        shown = []
        for edges, known in ((uniform, known_uniform), (equal, known_equal)):
            rng = np.random.default_rng([13, events, n_a])
            share, signal = np.diff(-np.exp(-edges)), np.diff(SHAPES[name](edges))
            t = [_counted(n_a * share + events * signal, n_b * share, rng, 13) for _ in range(toys)]
            shown.append(f"{_z(t, 12):+.2f} ({known:+.2f})")
        print(f"| {name} | {n_a:,}, {n_b:,} | {events} | {' | '.join(shown)} | {network:+.2f} |", flush=True)


def lfv_power(toys: int) -> None:
    """Print Z of H -> tau mu in an analytic e mu spectrum, as PHYSICS T14b."""
    print("| signal events | median t, std, Z of 13 bins of 15 GeV | Z of 39 bins of 5 GeV |\n|---|---|---|")
    m = np.arange(39) * 5.0 + 2.5
    turned = 1.0 + np.exp(-(m - 45.0) / 12.0)
    background = 0.5 * (11_900 * np.exp(-((m - 66.5) ** 2) / (2 * 13**2)) + 5_300 * np.exp(-m / 200) / turned)
    edges = np.arange(40) * 5.0
    shape = np.diff(0.75 * scipy_stats.norm(121, 8).cdf(edges) + 0.25 * scipy_stats.norm(133, 14).cdf(edges))
    known = {300: (0.62, 0.39), 400: (1.05, 0.64), 500: (1.53, 1.09), 600: (2.05, 1.46), 700: (2.63, 2.00)}
    for events, (coarse, fine) in known.items():
        rng = np.random.default_rng([14, events])
        a = background + events * shape
        wide = [_counted(a.reshape(13, 3).sum(1), background.reshape(13, 3).sum(1), rng, 13) for _ in range(toys)]
        narrow = [_counted(a, background, rng, 39) for _ in range(toys)]
        print(
            f"| {events} | {np.median(wide):.1f}, {np.std(wide):.1f}, {_z(wide, 12):+.2f} ({coarse:+.2f}) | "
            f"{_z(narrow, 38):+.2f} ({fine:+.2f}) |",
            flush=True,
        )


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--toys-of-tails", type=int, default=50_000)
    parser.add_argument("--toys", type=int, default=20_000)
    parser.add_argument("--power-toys", type=int, default=300)
    options = parser.parse_args()
    with threadpool_limits(1):
        bins(options.toys)
        signals(400)
        exponential_power(options.power_toys)
        lfv_power(options.power_toys)
        tails(options.toys_of_tails)
    return 0


if __name__ == "__main__":
    sys.exit(main())
