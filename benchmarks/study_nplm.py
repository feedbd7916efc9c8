"""Is the null of NPLM what it is said to be? The tables of docs/validation.md.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/study_nplm.py [--permutations 200000] [--toys 20000]

The analytic tail of kernels beside that of permutations; 13 bins at five ratios of sizes, symmetrized and original;
what permutations of data with a signal say.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from scipy import stats as scipy_stats
from threadpoolctl import threadpool_limits

from coffea_ddp.stats.unbinned.fixed import BinSolver, KernelSolver
from coffea_ddp.stats.unbinned.points import pool, pool_counts
from coffea_ddp.stats.unbinned.symmetrized import permuted

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
                engine = KernelSolver(widths=(width,), score=score).engine(points, 1)
                null = np.sort(permuted(engine, count * (4 if score else 1), 1)[0])[::-1]
                found = [engine.observed()[0].analytic_tail(float(null[int(p * len(null))])) for p in LEVELS]
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
        engine = BinSolver(equal="width").engine(points, 1)
        null = permuted(engine, toys, 1)[0]
        original = permuted(engine.against_reference(n_a), toys, 1)[0]
        one = engine.observed()[0]
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
            engine = BinSolver().engine(pool(a, rng.exponential(size=54_772)), 1)
            values.append(engine.observed()[0].t)
            if toy < 3:
                medians.append(np.median(permuted(engine, count, toy)[0]))
        print(f"| {events} | {np.median(values):.1f}, {np.std(values):.1f} | {np.mean(medians):.2f} |", flush=True)


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--permutations", type=int, default=50_000)
    parser.add_argument("--toys", type=int, default=20_000)
    options = parser.parse_args()
    with threadpool_limits(1):
        bins(options.toys)
        signals(400)
        tails(options.permutations)
    return 0


if __name__ == "__main__":
    sys.exit(main())
