"""False alarms and power of the checks that contents are Poisson counts: `python benchmarks/study_poisson_checks.py`.

Spectra of all families of shapes; as they are, multiplied by 5.3 and by 10, by 0.1, and the expected counts themselves.
"""

from __future__ import annotations

import numpy as np

from coffea_ddp.stats.bumphunt.training.families import FINAL, TRAINING, log_shapes
from coffea_ddp.stats.dispersion import OVERDISPERSED, UNDERDISPERSED, common_factor, poisson_dispersion

SIZE = 500


def flagged(spectra: np.ndarray) -> str:
    """Return how many spectra are overdispersed, underdispersed, and multiples of a number."""
    verdicts = [poisson_dispersion(counts).verdict for counts in spectra]
    factors = sum(common_factor(counts) > 1 for counts in spectra)
    return f"{verdicts.count(OVERDISPERSED):4d} {verdicts.count(UNDERDISPERSED):4d} {factors:4d}"


def main() -> None:
    """Print a line for each family, number of events and number of bins."""
    rng = np.random.default_rng(0)
    print(f"of {SIZE}: over, under, factor | families events bins | Poisson | x 5.3 | x 10 | x 0.1 | expected")
    for name, families in (("training", TRAINING), ("final", FINAL)):
        for events in (3e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8):
            for n_bins in (20, 45, 100, 300):
                expected = np.exp(log_shapes(rng, SIZE, n_bins, tuple(families)))
                expected *= events / expected.sum(axis=1, keepdims=True)
                counts = rng.poisson(expected)
                changed = (counts, np.rint(5.3 * counts), 10 * counts, np.rint(0.1 * counts), np.rint(expected))
                print(name, f"{events:g}", n_bins, *(f"| {flagged(one)}" for one in changed), flush=True)


if __name__ == "__main__":
    main()
