"""What the network's score is worth: its upper tail in background-only spectra, by their room for a signal.

The spectra are of the families that it was trained on, drawn anew; docs/validation.md tells how well the tail holds for
families that it was not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.stats.bumphunt.families import TRAINING
from coffea_ddp.stats.bumphunt.finder import Calibration, Finder, looks
from coffea_ddp.stats.bumphunt.sampling import WIDTHS, Recipe, draw

if TYPE_CHECKING:
    from collections.abc import Callable

    from coffea_ddp._typing import FloatArray

TAILS = (0.9, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005)
LOOKS = (6.0, 12.0, 25.0, 50.0, 100.0, 200.0)
"""Middles of the groups, bins in the domain over the width."""
BACKGROUND_ONLY = Recipe(tuple(TRAINING), tuple(TRAINING.values()), signal=0.0, masked=0.0)
_AT_ONCE = 200


def null_scores(
    finder: Finder,
    seed: int,
    batches: int,
    recipe: Recipe = BACKGROUND_ONLY,
    report: Callable[[str], None] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return scores and looks of background-only spectra, 200 a batch of one length and width.

    Parameters
    ----------
    finder
        The network; its calibration is not used.
    seed
        Of the spectra; not that of a training.
    batches
        How many.
    recipe
        What is drawn.
    report
        Told the progress.
    """
    scores, rooms = [], []
    for number in range(batches):
        rng = np.random.default_rng([seed, number, 3])
        n_bins = int(np.exp(rng.uniform(np.log(30), np.log(300))))
        sigma = float(np.exp(rng.uniform(*np.log(np.array(WIDTHS)).tolist())))
        batch = draw(seed, number, size=_AT_ONCE, n_bins=n_bins, sigma=sigma, recipe=recipe)
        widths = np.full(n_bins, sigma)
        found = finder.evaluate(batch.counts, widths, batch.use)
        scores.append(found.score)
        rooms.append(looks(found.inside, widths))
        if report is not None and (number + 1) % 100 == 0:
            report(f"calibration: {(number + 1) * _AT_ONCE} spectra")
    score, room = np.concatenate(scores), np.concatenate(rooms)
    usable = np.isfinite(score)
    return score[usable], room[usable]


def calibrate(score: FloatArray, room: FloatArray) -> Calibration:
    """Return the tails of background-only scores, both of shape (n_spectra,)."""
    middles = np.array(LOOKS)
    borders = np.sqrt(middles[1:] * middles[:-1])
    group = np.searchsorted(borders, room)
    tails = np.array(TAILS)
    parts = [score[group == number] for number in range(len(middles))]
    # A group too small for the smallest tail takes all spectra.
    scores = np.array([np.quantile(part if len(part) >= 1.0 / tails[-1] else score, 1.0 - tails) for part in parts])
    return Calibration(middles, tails, scores)
