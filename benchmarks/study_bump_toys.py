"""Is the p-value that a spectrum's own toys give uniform, on families that the network was never trained on?

    python benchmarks/study_bump_toys.py [--spectra 600] [--toys 300]

Background-only spectra of 100 bins and 1e3 to 1e7 events, a signal of two bins; per family and together: the share
below 10, 5 and 1 %, and the Kolmogorov-Smirnov p-value against uniform.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from scipy import stats as scipy_stats

from coffea_ddp import stats
from coffea_ddp.stats.bumphunt.training.families import FINAL
from coffea_ddp.stats.bumphunt.training.sampling import SpectrumSettings, draw

SEED, LEVELS = 515_151, (0.1, 0.05, 0.01)


def line(name: str, p: np.ndarray) -> str:
    """Return a row of the table; shares carry their binomial errors."""
    shares = [f"{np.mean(p <= a):.4f} +- {np.sqrt(a * (1 - a) / len(p)):.4f}" for a in LEVELS]
    # A p-value of toys is (k + 1)/(n + 1): spread over its step it is continuous.
    steps = np.random.default_rng(SEED).uniform(0.0, 1.0, len(p))
    smooth = p - steps * np.diff(np.unique(p)).min()
    return f"| {name} | {len(p)} | {' | '.join(shares)} | {scipy_stats.kstest(smooth, 'uniform').pvalue:.2g} |"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spectra", type=int, default=600, help="of each family")
    parser.add_argument("--toys", type=int, default=300)
    options = parser.parse_args()
    found = []
    for number, family in enumerate(FINAL):
        distribution = SpectrumSettings((family,), None, (1e3, 1e7), 0.0, (1.0,), 0.0, 0.0, 0.0)
        batch = draw(SEED, number, size=options.spectra, n_bins=100, sigma=2.0, distribution=distribution)
        result = stats.bump_significance(batch.counts, width=2.0, toys=options.toys, seed=number)
        found.append(np.asarray(result.p_global))
        print(line(family, found[-1]), flush=True)
    print(line("all", np.concatenate(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
