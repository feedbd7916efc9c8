"""Make the weights that ship: train on from those of 38 features, with the features that were added since.

    git show f28e1a7:coffea_ddp/stats/bumphunt/weights.npz > start.npz
    nice python benchmarks/continue_bump.py start.npz -o weights.npz

The first 40,000 steps are those of `coffea-ddp train-bump` at f28e1a7. Here every layer keeps its weights; what the new
features enter with begins close to nothing. Everything depends on the seed and the number of steps alone, not on how
fast the machine is; checkpoints in the folder beside the output, from which it goes on when cut off. From random
weights, `coffea-ddp train-bump -o weights.npz` trains all features at once.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from coffea_ddp.stats.bumphunt.features import CHANNELS
from coffea_ddp.stats.bumphunt.finder import BumpFinder, Calibration
from coffea_ddp.stats.bumphunt.fits.step_features import ESTIMATES, STEPPED
from coffea_ddp.stats.bumphunt.network import Shape, initial_weights
from coffea_ddp.stats.bumphunt.training.making import make_finder
from coffea_ddp.stats.bumphunt.training.training import Settings

SEED, STEPS, BATCH, RATE = 2, 20_000, 96, 8e-4
SMALL = 0.02
"""Standard deviation of the weights with which new features enter."""


def extended(path: str, shape: Shape) -> BumpFinder:
    """Return the network of 38 features with the new ones added."""
    with np.load(path, allow_pickle=False) as archive:
        old = {name[8:]: archive[name] for name in archive.files if name.startswith("weights/")}
        about = json.loads(bytes(archive["about"]))["about"]
    rng = np.random.default_rng([SEED, 5])
    weights = dict(initial_weights(shape, SEED))
    for name, values in old.items():
        if name == "down0a":
            known = [number for number, channel in enumerate(CHANNELS) if channel not in STEPPED]
            weights[name] = rng.normal(0.0, SMALL, weights[name].shape).astype(np.float32)
            weights[name][:, known] = values
        elif name in ("head", "head.bias"):
            scores = shape.scores - ESTIMATES
            new = rng.normal(0.0, SMALL, weights[name].shape).astype(np.float32)
            new[..., :scores], new[..., shape.scores :] = values[..., :scores], values[..., scores:]
            if name == "head.bias":
                new[scores : shape.scores] = -2.0  # a tenth of the share of an average estimate
            weights[name] = new
        else:
            weights[name] = values
    nothing = Calibration(np.array([1.0, 2.0]), np.array([0.5, 0.1]), np.array([[0.0, 1.0], [0.0, 1.0]]))
    return BumpFinder(shape, weights, nothing, about)


def main() -> int:
    """Train on, calibrate, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("start", help="weights of 38 features")
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    settings = Settings(seed=SEED, steps=options.steps, batch=BATCH, rate=RATE)
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
