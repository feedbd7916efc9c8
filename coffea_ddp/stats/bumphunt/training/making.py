"""Making a finder: training, calibration, measurements, and a record of how it was made."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats.bumphunt.finder import BumpFinder, Calibration
from coffea_ddp.stats.bumphunt.training.calibration import STRENGTHS, calibrate, correct, null_scores
from coffea_ddp.stats.bumphunt.training.families import TRAINING, VALIDATION
from coffea_ddp.stats.bumphunt.training.training import Settings, describe, measure, measured_set, train
from coffea_ddp.stats.conversion import shown

CALIBRATION = 1_000
"""Batches of 200 background-only spectra."""
_UNCALIBRATED = Calibration(np.array([1.0, 2.0]), np.array([0.5, 0.1]), np.array([[0.0, 1.0], [0.0, 1.0]]))


def make_finder(
    settings: Settings,
    folder: str | Path,
    *,
    workers: int = 1,
    device: str = "cpu",
    calibration: int = CALIBRATION,
    start: BumpFinder | None = None,
    report: Callable[[str], None] = print,
) -> BumpFinder:
    """Train a network, calibrate its score and measure it on families that it was not trained on.

    Parameters
    ----------
    settings
        What the weights depend on; the same settings give the same spectra.
    folder
        For checkpoints: a training found there goes on.
    workers
        Processes that draw spectra, beside the one that trains.
    device
        ``"cpu"`` or ``"cuda"``.
    calibration
        Batches of 200 background-only spectra.
    start
        A network to begin with instead of random weights; what is said of it is kept under "began with".
    report
        Called with the progress, a line each time.

    Raises
    ------
    InputError
        If torch is not installed, there is no such device, or the settings make no sense.
    """
    _check(settings, workers, device, calibration)
    began = time.monotonic()
    first = None if start is None else start.weights
    weights = train(settings, folder, start=first, workers=workers, device=device, report=report)
    bare = BumpFinder(settings.shape, weights, _UNCALIBRATED, {})
    score, room = null_scores(bare, settings.seed + 2_000_003, calibration, report=report)
    sets = [measured_set(settings.seed + 1, number) for number in range(12)]
    resonances = [measured_set(settings.seed + 2, number, strongest=STRENGTHS, signal=1.0) for number in range(12)]
    about: dict[str, Any] = {
        "settings": describe(settings),
        "trained on": list(TRAINING),
        "measured on": list(VALIDATION),
        "measured": measure(weights, settings.shape, sets),
        "calibrated on": len(score),
        "versions": {name: version(name) for name in ("coffea-ddp", "torch", "numpy", "numba")},
        "python": platform.python_version(),
        "minutes": round((time.monotonic() - began) / 60.0, 1),
    }
    if start is not None:
        about["began with"] = dict(start.about)
    correction = correct(weights, settings.shape, resonances)
    return BumpFinder(settings.shape, weights, calibrate(score, room), about, correction)


def _check(settings: Settings, workers: int, device: str, calibration: int) -> None:
    try:
        import torch
    except ImportError:
        raise InputError("training needs torch: pip install 'coffea-ddp[torch]'") from None
    if device != "cpu" and not torch.cuda.is_available():
        raise InputError(f"device={shown(device)}: torch sees no GPU here; use device='cpu'")
    least = {"steps": 1, "batch": 8, "seed": 0}
    for name, lowest in least.items():
        if getattr(settings, name) < lowest:
            raise InputError(f"{name}={getattr(settings, name)}: give {lowest} or more")
    if workers < 1 or calibration < 1:
        raise InputError(f"workers={workers}, calibration={calibration}: give 1 or more")
