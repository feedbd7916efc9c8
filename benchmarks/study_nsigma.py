"""The null of N_sigma, in a table: what docs/validation.md shows.

    python benchmarks/study_nsigma.py

28 x 28 bins, A and B independent Poisson, fixed seeds. The tests of the same laws, with tolerances, are in
tests/stats/test_nsigma.py.
"""

from __future__ import annotations

import numpy as np
from scipy import stats as scipy_stats

from coffea_ddp import stats

BINS = (28, 28)
TOYS = 20_000
BLOCK = 1_000


def statistics(mean_a: float, kappa: float = 1.0, ratio: float | None = None, empty: str = "skip") -> np.ndarray:
    """Return N_sigma of independent toys; ``ratio`` is the true ratio of the means where it is not ``kappa``."""
    rng = np.random.default_rng([17, int(1000 * mean_a), int(kappa)])
    found = []
    for _ in range(TOYS // BLOCK):
        a = rng.poisson(mean_a, (BLOCK, *BINS))
        b = rng.poisson(mean_a * (kappa if ratio is None else ratio), (BLOCK, *BINS))
        found.append(stats.n_sigma(a, b, kappa=kappa, batch_ndim=1, empty=empty).statistic)
    return np.concatenate(found)


def line(what: str, z: np.ndarray) -> None:
    p = scipy_stats.kstest(z, "norm").pvalue
    print(f"| {what} | {z.mean():+.3f} | {z.std():.3f} | {p:.2g} |")


def main() -> None:
    print("| null | mean | std | KS p against N(0, 1) |\n|---|---|---|---|")
    for mean in (0.2, 0.5, 1, 2, 5, 25, 100):
        line(f"{mean} events a bin", statistics(mean))
    for mean in (0.2, 0.5, 1):
        line(f"{mean} events a bin, divided by all bins", statistics(mean, empty="all"))
    for kappa in (3.0, 10.0, 100.0):
        for mean in (1, 5, 50):
            line(f"kappa = {kappa:g}, {mean} events a bin in A", statistics(mean, kappa))
    print("\n| efficiency difference eps, N events a side | mean N_sigma | eps sqrt(N/2) |\n|---|---|---|")
    for eps, n in ((0.005, 1e5), (0.01, 1e5), (0.02, 1e5), (0.01, 1e6)):
        mean = n / np.prod(BINS)
        z = statistics(mean, ratio=1 + eps)[:4_000]
        print(f"| {eps:.1%}, {n:g} | {z.mean():.2f} | {eps * np.sqrt(n / 2):.2f} |")


if __name__ == "__main__":
    main()
