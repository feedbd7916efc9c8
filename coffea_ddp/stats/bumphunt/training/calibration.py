"""Calibration of the network: the upper tail of its score, and z of a candidate without bias.

The tails, for lengths of the domain in widths of the signal, are those of background-only spectra of the families that
it was trained on, drawn anew; docs/validation.md has their validation on other families. The correction of the z of a
candidate is chosen on the families that decide between models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.stats.bumphunt.domain import WIDTHS
from coffea_ddp.stats.bumphunt.finder import BumpFinder, Calibration, Correction, n_widths
from coffea_ddp.stats.bumphunt.flags import NOT_SMOOTH, jumps
from coffea_ddp.stats.bumphunt.network import Shape, Weights, apply
from coffea_ddp.stats.bumphunt.training.families import TRAINING
from coffea_ddp.stats.bumphunt.training.sampling import SpectrumSettings, draw
from coffea_ddp.stats.bumphunt.training.training import Measured

if TYPE_CHECKING:
    from collections.abc import Callable

    from coffea_ddp._typing import BoolArray, FloatArray

TAILS = (0.9, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005)
N_WIDTHS = (6.0, 12.0, 25.0, 50.0, 100.0, 200.0)
"""Middles of the groups of spectra: lengths of the domain in widths of the signal."""
BACKGROUND_ONLY = SpectrumSettings(tuple(TRAINING), tuple(TRAINING.values()), signal=0.0, masked=0.0)
_AT_ONCE = 200
SHIFTS, LIFTS = np.arange(0.0, 4.01, 0.5), np.arange(0.0, 0.51, 0.05)
"""Corrections among which is chosen."""
STRENGTHS = (0.0, 3.0, 5.0, 7.0, 10.0)
_BIAS = 0.2


def null_scores(
    finder: BumpFinder,
    seed: int,
    batches: int,
    distribution: SpectrumSettings = BACKGROUND_ONLY,
    report: Callable[[str], None] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return scores of background-only spectra and their lengths in widths, 200 a batch of one length and width.

    Spectra that carry a flag of a shape that is not smooth are left out, as the flag says what p does not.

    Parameters
    ----------
    finder
        The network; its calibration is not used.
    seed
        Of the spectra; not that of a training.
    batches
        How many.
    distribution
        What is drawn.
    report
        Called with the progress, in words.
    """
    scores, rooms = [], []
    for number in range(batches):
        rng = np.random.default_rng([seed, number, 3])
        n_bins = int(np.exp(rng.uniform(np.log(30), np.log(300))))
        sigma = float(np.exp(rng.uniform(*np.log(np.array(WIDTHS)).tolist())))
        batch = draw(seed, number, size=_AT_ONCE, n_bins=n_bins, sigma=sigma, distribution=distribution)
        widths = np.full(n_bins, sigma)
        found = finder.evaluate(batch.counts, widths, batch.use)
        sharp, _ = jumps(found, np.broadcast_to(widths, batch.counts.shape))
        smooth = ~sharp & (found.spread <= NOT_SMOOTH)
        scores.append(found.score[smooth])
        rooms.append(n_widths(found.inside, widths)[smooth])
        if report is not None and (number + 1) % 100 == 0:
            report(f"calibration: {(number + 1) * _AT_ONCE} spectra")
    score, room = np.concatenate(scores), np.concatenate(rooms)
    usable = np.isfinite(score)
    return score[usable], room[usable]


def calibrate(score: FloatArray, room: FloatArray) -> Calibration:
    """Return the tails of background-only scores, both of shape (n_spectra,)."""
    middles = np.array(N_WIDTHS)
    borders = np.sqrt(middles[1:] * middles[:-1])
    group = np.searchsorted(borders, room)
    tails = np.array(TAILS)
    parts = [score[group == number] for number in range(len(middles))]
    # A group too small for the smallest tail takes all spectra.
    scores = np.array([np.quantile(part if len(part) >= 1.0 / tails[-1] else score, 1.0 - tails) for part in parts])
    return Calibration(middles, tails, scores)


def correct(weights: Weights, shape: Shape, sets: list[Measured]) -> Correction:
    """Return the correction with which the largest z comes closest to the largest ideal one, at all strengths alike.

    It has the least sum, over the :data:`STRENGTHS`, of the variance of their difference and the square of its mean,
    the latter in units of 0.2.

    Parameters
    ----------
    weights, shape
        The network.
    sets
        Spectra with resonances of all of the strengths.
    """
    strength, ideal, inside = (np.concatenate(part) for part in zip(*map(_truth, sets), strict=True))
    outputs = [apply(weights, one.features, shape) for one in sets]
    z, log_error, odds, given, _ = (np.concatenate(part).astype(np.float64) for part in zip(*outputs, strict=True))
    error = np.exp(np.clip(log_error, -3.0, 3.0))
    best, smallest = Correction(), np.inf
    for shift in SHIFTS.tolist():
        for lift in LIFTS.tolist():
            some = Correction(shift, lift)
            largest = np.where(inside, some.peak(z, error, given, odds), -np.inf).max(axis=1)
            away = np.subtract(largest, ideal, where=np.isfinite(ideal), out=np.full(len(ideal), np.nan))
            groups = [away[strength == one] for one in STRENGTHS]
            total = sum(float(group.var() + (group.mean() / _BIAS) ** 2) for group in groups)
            if total < smallest:
                best, smallest = some, total
    return best


def _truth(one: Measured) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return strength, largest ideal z and domain of the spectra whose resonance, if any, is in the domain."""
    batch = one.batch
    rows = one.inside[np.arange(len(batch.place)), batch.place] | (batch.injected == 0)
    # Others, and those without a domain, have no strength that is asked for.
    strength = np.where(rows & one.inside.any(axis=1), batch.injected, np.nan)
    return strength, np.where(one.inside, batch.z, -np.inf).max(axis=1), one.inside
