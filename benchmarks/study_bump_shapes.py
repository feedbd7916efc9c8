"""Level of the bump hunt on twenty shapes that it was not trained on: how often p <= 0.05 where there is no resonance.

    python benchmarks/study_bump_shapes.py [--spectra 200] [--toys 200] [--weights FILE] [--only NAME]

For each shape and number of events: the share of spectra with p <= 0.05 by toys, and by the calibration, that of p <=
0.01, and the share that carries a flag of a shape that is not smooth.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import numpy as np
from scipy.special import erf, expit

from coffea_ddp.stats.bumphunt.finder import load, shipped
from coffea_ddp.stats.bumphunt.flags import flags_of
from coffea_ddp.stats.bumphunt.hunt import calibrated_z, hunt, toys_beyond
from coffea_ddp.stats.trials import p_from_z

N_BINS, SIGMA = 100, 2.0
X = (np.arange(N_BINS) + 0.5) / N_BINS
NOT_SMOOTH = {"STEP", "EDGE", "NOT_SMOOTH"}


def _step(height: float, place: float = 0.4, width: float = 0.001) -> np.ndarray:
    return np.exp(-3.0 * X) * (1.0 + height * expit((X - place) / width))


M = 1.0 + 9.0 * X
U = M / 13.0
SHAPES: dict[str, Callable[[], np.ndarray]] = {
    "dijet of CMS": lambda: (1.0 - U) ** 9 / U ** (4.5 + 0.2 * np.log(U)),
    "Drell-Yan tail": lambda: M**-4.5 * np.exp(-0.08 * M) + 2e-4 * M**-1,
    "QCD and resonant tail": lambda: M**-5.0 + 0.02 / ((M - 0.5) ** 2 + 0.4),
    "kinked power": lambda: np.where(M < 4.0, M**-3.0, 4.0**2.5 * M**-5.5),
    "log-parabola": lambda: M ** -(2.0 + 1.1 * np.log(M)),
    "Moyal": lambda: np.exp(-0.5 * ((X - 0.25) / 0.08 + np.exp(-(X - 0.25) / 0.08))) + 1e-4,
    "Planck": lambda: X**3 / np.expm1(9.0 * X),
    "end point": lambda: np.maximum(0.75 - X, 0.0) ** 1.5 + 2e-3,
    "triangle with an edge": lambda: np.exp(-2.0 * X) + 0.6 * X * 0.5 * (1.0 - erf((X - 0.6) / 0.03)),
    "turn-on, error function": lambda: np.exp(-4.0 * X) * 0.5 * (1.0 + erf((X - 0.15) / 0.05)),
    "turn-on, steep": lambda: np.exp(-4.0 * X) * expit((X - 0.1) / 0.01),
    "turn-on, slow": lambda: np.exp(-6.0 * X) * X**2,
    "rising exponential": lambda: np.exp(3.0 * X),
    "rising, then flat": lambda: 1.0 - np.exp(-4.0 * X - 0.1),
    "flat": lambda: np.ones(N_BINS),
    "step of 5 %": lambda: _step(0.05),
    "step of 10 %": lambda: _step(0.10),
    "step of 25 %": lambda: _step(0.25),
    "step of 60 %": lambda: _step(0.60),
    "second turn-on of 60 %": lambda: _step(0.60, 0.3, 0.03),
}
EVENTS = (40, 1e3, 1e5, 1e7)


def main() -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spectra", type=int, default=200)
    parser.add_argument("--toys", type=int, default=200)
    parser.add_argument("--weights")
    parser.add_argument("--only")
    options = parser.parse_args()
    finder = load(options.weights) if options.weights else shipped()
    sigma = np.full(N_BINS, SIGMA)
    print(
        f"{'shape':26s} {'events':>8s} {'p<=.05':>7s} {'p<=.01':>7s} {'table':>7s} {'flagged':>8s} {'unflagged':>10s}"
    )
    for number, (name, shape) in enumerate(SHAPES.items()):
        if options.only and options.only not in name:
            continue
        for events in EVENTS:
            expected = shape() / shape().sum() * events
            counts = np.random.default_rng([7, number, int(events)]).poisson(expected, (options.spectra, N_BINS))
            counts = counts.astype(np.float64)
            use = np.ones_like(counts)
            hunted = hunt(finder, counts, sigma, use)
            table = p_from_z(calibrated_z(hunted, sigma), two_sided=False)
            flagged = np.array([bool(NOT_SMOOTH & set(flags)) for flags in flags_of(counts, hunted, use)])
            reached = [
                toys_beyond(finder, smooth, least, sigma, use[0], toys=options.toys, seed=3, number=row)
                for row, (smooth, least) in enumerate(zip(hunted.estimates.smooth, hunted.significance, strict=True))
            ]
            p = (np.array(reached) + 1) / (options.toys + 1)
            print(
                f"{name:26s} {events:8.0f} {np.mean(p <= 0.05):7.3f} {np.mean(p <= 0.01):7.3f} "
                f"{np.mean(table <= 0.05):7.3f} {flagged.mean():8.3f} {np.mean((p <= 0.05) & ~flagged):14.3f}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
