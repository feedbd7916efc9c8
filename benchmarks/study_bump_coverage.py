"""Coverage of the errors of the bump hunt's z, by number of events, on families that the network was not trained on.

    python benchmarks/study_bump_coverage.py [--spectra 600]

Spectra of 100 bins, a signal of two, without a resonance and with one of z = 3, 5, 7 and 10, equally many; falling
(FINAL), and the mirror images of the mild ones of these, which rise. Of all bins of the domain: the share where z is
within 1 and 1.96 errors of the z that knows the background (68.3 and 95 % wanted), the mean pull, the median error.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from coffea_ddp.stats.bumphunt.finder import shipped
from coffea_ddp.stats.bumphunt.fits.ideal import ideal_block, strength_for_z
from coffea_ddp.stats.bumphunt.fits.templates import gaussian_templates
from coffea_ddp.stats.bumphunt.training.families import FINAL, MILD
from coffea_ddp.stats.bumphunt.training.sampling import SpectrumSettings, draw

SEED, N_BINS, SIGMA = 616_161, 100, 2.0
EVENTS, STRENGTHS = (40, 60, 100, 300, 1e3, 1e5, 1e7), (0.0, 3.0, 5.0, 7.0, 10.0)


def spectra(names: tuple[str, ...], events: float, size: int, *, mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return counts and the z that knows the background, both of shape (size, N_BINS)."""
    settings = SpectrumSettings(names, None, (events, events), 0.0, (0.0,), 0.0, 0.0, 0.0)
    background = draw(SEED, int(events), size=size, n_bins=N_BINS, sigma=SIGMA, distribution=settings).background
    background = np.ascontiguousarray(background[:, ::-1]) if mirrored else background
    rng = np.random.default_rng([SEED, int(events), int(mirrored)])
    templates = gaussian_templates(N_BINS, SIGMA)
    peaks = np.array([templates.row(int(k)) for k in rng.integers(0, N_BINS, size)])
    strength = strength_for_z(background, peaks, rng.choice(STRENGTHS, size))
    counts = rng.poisson(background + strength[:, None] * peaks).astype(np.float64)
    z = np.empty_like(counts)
    ideal_block(counts, background, templates.values, z)
    return counts, z


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spectra", type=int, default=600, help="of each line")
    options = parser.parse_args()
    finder, sigma = shipped(), np.full(N_BINS, SIGMA)
    print("| events | spectra | within 1 error | within 1.96 | mean pull | median error |")
    print("|---|---|---|---|---|---|")
    for events in EVENTS:
        for words, names, mirrored in (("falling", FINAL, False), ("rising", MILD, True)):
            counts, z = spectra(names, events, options.spectra, mirrored=mirrored)
            found = finder.evaluate(counts, sigma)
            inside, error = found.inside, found.error
            pull = (found.z - z)[inside] / error[inside]
            per = [
                np.abs(((found.z - z) / error)[row][inside[row]]) < 1.0 for row in range(len(z)) if inside[row].any()
            ]
            spread = np.std([one.mean() for one in per]) / np.sqrt(len(per))
            within = [100.0 * float(np.mean(np.abs(pull) < limit)) for limit in (1.0, 1.96)]
            print(
                f"| {events:g} | {words} | {within[0]:.1f} +- {100 * spread:.1f} % | {within[1]:.1f} % "
                f"| {pull.mean():+.2f} | {np.median(error[inside]):.2f} |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
