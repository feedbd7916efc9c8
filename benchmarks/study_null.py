"""Calibration and power of the sub-matrix scan and of global p-values, in tables: what docs/validation.md shows.

    python benchmarks/study_null.py

Fixed seeds. The tests of the same laws, with tolerances, are in
tests/stats/submatrix/test_submatrix.py and tests/scanning/test_pseudo_experiments.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy import stats as scipy_stats

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "scanning"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "stats/submatrix"))

from test_pseudo_experiments import CASES, TESTS, global_p
from test_submatrix import p_values, signal

from coffea_ddp.stats.submatrix.submatrix import best_rectangles
from coffea_ddp.stats.tail import permutation_p

SHAPE = (28, 28)


def thresholds() -> None:
    print("| statistic | events a bin | toys | median | 84.1 % | 97.7 % | 99.87 % |\n|---|---|---|---|---|---|---|")
    for statistic in ("nsigma", "counts"):
        for mean in (25, 2):
            a, b = np.random.default_rng([int(mean), 3]).poisson(mean, (2, 8_000, *SHAPE))
            z = best_rectangles(a, b, statistic=statistic, alternative="greater").z
            found = " | ".join(f"{q:.2f}" for q in np.quantile(z, [0.5, 0.841, 0.977, 0.9987]))
            print(f"| {statistic} | {mean} | {len(z)} | {found} |", flush=True)


def power() -> None:
    columns = ("signal", "events", "mean of the best N_sigma", "beyond 4.67", "mean of the best z of counts")
    print(f"\n| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for kind, n in (("gaussian", 140), ("gaussian", 205), ("gaussian", 295), ("box", 179), ("box", 260), ("box", 371)):
        rng = np.random.default_rng(n)
        a, b = rng.poisson(25, (1_000, *SHAPE)), rng.poisson(25 + signal(kind, n), (1_000, *SHAPE))
        z = best_rectangles(a, b, statistic="nsigma", alternative="greater").z
        counts = best_rectangles(a, b, alternative="greater").z
        print(f"| {kind} | {n} | {z.mean():.2f} | {(z > 4.67).mean():.2f} | {counts.mean():.2f} |", flush=True)


def uniform() -> None:
    print(
        "\n| test, 1,000 toys each | kappa | events a bin in A | toys | KS p against uniform |\n|---|---|---|---|---|"
    )
    for statistic in ("counts", "nsigma"):
        for kappa in (1.0, 5.0):
            for mean in (0.4, 3.0, 25.0):
                for source in ("poisson", "relabelled"):
                    p = p_values(kappa, mean, 1_000, statistic=statistic, source=source)
                    ks = scipy_stats.kstest(p, "uniform").pvalue
                    print(f"| rectangles, {statistic} | {kappa:g} | {mean:g} | {source} | {ks:.2g} |", flush=True)


def whole_scans() -> None:
    print("\n| 400 whole pseudo-scans, 128 permutations | KS p of the report's p |\n|---|---|")
    cases = {
        "kappa = 1": (1.0, False, {"tests": list(TESTS)}),
        "kappa = 5": (5.0, False, {"tests": list(TESTS)}),
        "kappa = 5, weighted events, N_sigma and its rectangles": (5.0, True, {}),
        **{f"{name}, kappa = 1.5": (1.5, False, dict(options)) for name, options in list(CASES.items())[1:]},
    }
    for name, (kappa, weighted, options) in cases.items():
        p = np.array([global_p(seed, kappa, weighted, toys=128, **options) for seed in range(400)])
        p -= np.random.default_rng(1).random(len(p)) / 129
        print(f"| {name} | {scipy_stats.kstest(p, 'uniform').pvalue:.2g} |", flush=True)


def tails() -> None:
    print("\n| trials | true p | median of the fitted tail | covered by the 68 % interval |\n|---|---|---|---|")
    rng = np.random.default_rng(0)
    for trials in (1, 100, 10_000):
        for truth in (1e-4, 1e-6):
            z = float(scipy_stats.norm.isf(-np.expm1(np.log1p(-truth) / trials) / 2))
            found = []
            for _ in range(300):
                sample = scipy_stats.norm.isf(-np.expm1(np.log(rng.random(1_000)) / trials) / 2)
                found.append(permutation_p(z, sample))
            used = [item for item in found if item.p_tail is not None]
            covered = np.mean([item.p_low <= truth <= item.p_high for item in used])
            print(
                f"| {trials} | {truth:g} | {np.median([item.p_tail for item in used]):.2g} | {covered:.0%} |",
                flush=True,
            )


if __name__ == "__main__":
    thresholds()
    power()
    tails()
    whole_scans()
    uniform()
