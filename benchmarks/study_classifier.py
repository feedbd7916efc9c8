"""The classifier beside N_sigma and rectangles, as PHYSICS T9: a table of docs/validation.md.

    OMP_NUM_THREADS=1 python benchmarks/study_classifier.py [--toys 20]

28 x 28 bins, 25 events each, so 19,600 events a sample; a Gaussian signal in one of them. Medians of the toys; scores
are out of fold (5 folds), so all events are scored, where the reference has one split in halves.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from threadpoolctl import threadpool_limits

from coffea_ddp import stats
from coffea_ddp.stats.classifier.classifier import statistics, within_folds
from coffea_ddp.stats.classifier.learners import BoostingLearner, KernelLearner
from coffea_ddp.stats.samples.points import pool

BINS, PER_BIN = 28, 25.0
SIGNALS = ((0.0, 0), (3.0, 271), (3.0, 390), (3.0, 550), (1.5, 205), (1.5, 295))
LEARNERS = {"boosting": BoostingLearner(), "kernels": KernelLearner(centres=200, width=0.3)}


def toy(rng, sigma, events):
    """Two samples on the plane, the signal in the first."""
    a, b = (rng.uniform(0.0, BINS, (rng.poisson(BINS**2 * PER_BIN), 2)) for _ in range(2))
    if events:
        a = np.concatenate([a, np.clip(rng.normal(BINS / 2, sigma, (rng.poisson(events), 2)), 0.0, BINS - 1e-9)])
    return a, b


def found(a, b, folds):
    """AUC and best cut of both learners, N_sigma of the whole matrix, best rectangle; all as z."""
    points = pool(a, b)
    places = np.random.default_rng(1).permutation(points.n) % folds
    values = []
    for learner in LEARNERS.values():
        scores = within_folds(learner.scorer(points, places, 1)(points.labels[None]), places)
        values += statistics(scores, points.labels[None])[0][:, 0].tolist()
    edges = np.arange(BINS + 1.0)
    n_a, n_b = (np.histogram2d(*x.T, (edges, edges))[0] for x in (a, b))
    values.append(stats.n_sigma(n_b, n_a).statistic)
    values.append(stats.scan_submatrices(n_b, n_a, toys=0).z_value)
    return values


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--toys", type=int, default=20)
    options = parser.parse_args()
    names = [f"{name}: {what}" for name in LEARNERS for what in ("AUC", "best cut")]
    print(f"| signal: width in bins, events | {' | '.join(names)} | N_sigma | best rectangle |\n{'|---' * 7}|")
    with threadpool_limits(1):
        for sigma, events in SIGNALS:
            rng = np.random.default_rng([9, events])
            values = np.array([found(*toy(rng, sigma, events), 5) for _ in range(options.toys)])
            shown = " | ".join(f"{value:+.2f}" for value in np.median(values, axis=0))
            print(f"| {f'{sigma:g}, {events}' if events else 'none'} | {shown} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
