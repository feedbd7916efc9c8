"""Make the weights that ship: train on from earlier ones, with families, features and outputs that were added since.

    nice python benchmarks/continue_bump.py start.npz -o weights.npz --seed 4 --steps 4000 --rate 5e-4

Which trainings the shipped weights come from, and in which order, is in docs/bump_network.md. Weights of version 2 get
an output for the evidence, which begins as the log-odds of a resonance at a bin; every layer keeps its weights.
Everything depends on the seed and the number of steps alone, not on how fast the machine is; checkpoints are in the
folder beside the output, from which it goes on when cut off. From random weights, `coffea-ddp train-bump -o
weights.npz` trains all of it at once.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from coffea_ddp.stats.bumphunt.finder import BumpFinder, Calibration
from coffea_ddp.stats.bumphunt.network import Shape
from coffea_ddp.stats.bumphunt.training.making import make_finder
from coffea_ddp.stats.bumphunt.training.training import Settings


def extended(path: str, shape: Shape) -> BumpFinder:
    """Return the network of a file of version 2 or 3."""
    with np.load(path, allow_pickle=False) as archive:
        weights = {name[8:]: archive[name] for name in archive.files if name.startswith("weights/")}
        header = json.loads(bytes(archive["about"]))
    if header["version"] == 2:
        for name in ("head", "head.bias"):
            odds = weights[name][..., shape.scores + 2 : shape.scores + 3]
            weights[name] = np.concatenate([weights[name], odds], axis=-1)
    nothing = Calibration(np.array([1.0, 2.0]), np.array([0.5, 0.1]), np.array([[0.0, 1.0], [0.0, 1.0]]))
    return BumpFinder(shape, weights, nothing, header["about"])


def main() -> int:
    """Train on, calibrate, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("start", help="weights of version 2 or 3")
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    settings = Settings(seed=options.seed, steps=options.steps, batch=options.batch, rate=options.rate)
    finder = make_finder(
        settings,
        Path(options.output).with_suffix(""),
        workers=options.workers,
        start=extended(options.start, settings.shape),
        report=lambda line: print(line, flush=True),
    )
    finder.save(options.output)
    print(finder.about["measured"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
