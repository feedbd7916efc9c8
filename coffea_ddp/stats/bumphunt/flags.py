"""Flags of a spectrum: what is outside of the network's experience, or no smooth shape, and what to do about it.

Examples
--------
>>> explained("FEW_BINS").split("; ")
['FEW_BINS: fewer bins than the network was trained on', 'use narrower bins']
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.stats.bumphunt.rebinning import BINS, joined_bins
from coffea_ddp.stats.bumphunt.toys import DOUBTLESS
from coffea_ddp.stats.dispersion import scatter_flags

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray
    from coffea_ddp.stats.bumphunt.finder import Estimates
    from coffea_ddp.stats.bumphunt.hunt import Hunted
    from coffea_ddp.stats.bumphunt.peak_shape import Peak

EVENTS = (30.0, 1e8)
"""Range of the numbers of events in training, and a little beyond."""
NOT_SMOOTH = 5.0
"""A background that is further than this many sigma from the counts does not describe them."""
_SURE = 10.0
"""By how much the criterion of a spectrum with a step is better."""
_SHARP = 1.5
"""A step is sharper than this many widths of a signal."""
_TALL = float(np.log(1.6))
"""A step of more than this factor is an edge."""
_NEAR = 4.0
"""Widths of a signal around a candidate beyond doubt within which its tails may be what looks like a step."""

FLAGS = {
    "FEW_BINS": ("fewer bins than the network was trained on", "use narrower bins"),
    "MANY_BINS": ("more bins than the network was trained on", "use wider bins"),
    "FEW_EVENTS": ("fewer events than the network was trained on", "take p from toys"),
    "MANY_EVENTS": (
        "more events than the network was trained on",
        "ask for smoothness that holds to such a precision: a shorter range",
    ),
    "STEP": (
        "the spectrum jumps at one place, as at the threshold of a trigger",
        "test both sides of it apart, or correct the efficiency there",
    ),
    "EDGE": (
        "a part of the spectrum ends at one place, as at a kinematic edge or a cut",
        "test both sides of it apart; an edge next to a bump can be all there is of it",
    ),
    "NOT_SMOOTH": (
        "no smooth shape describes the spectrum beside its bump",
        "mask known resonances, shorten the range, or search for steps and for contents that are no counts",
    ),
    "NO_DOMAIN": ("no bin is far enough from the ends, from masks, and filled", "take a longer range"),
    "SCALED": ("all contents are multiples of one number", "give it as the scale"),
    "OVERDISPERSED": ("neighbouring bins scatter more than counts do", "give variances, or find out what was done"),
    "UNDERDISPERSED": ("neighbouring bins scatter less than counts do", "give variances, or find out what was done"),
}
"""Name of every flag, what it means and what to do."""


_SHAPES = ("STEP", "EDGE", "NOT_SMOOTH")


def explained(flags: str) -> str:
    """Return flags, names separated by blanks, in words; names that are not known stay as they are."""
    parts = [f"{name}: {'; '.join(FLAGS[name])}" if name in FLAGS else name for name in flags.split()]
    return ". ".join(parts)


def flags_of(counts: FloatArray, hunted: Hunted, use: FloatArray, peaks: Sequence[Peak] = ()) -> list[tuple[str, ...]]:
    """Return the flags of spectra, one tuple of names each.

    Parameters
    ----------
    counts, use
        Shape (n_spectra, n_bins); ``use`` is 0 in masked bins.
    hunted
        What was found in them.
    peaks
        What was taken out of them: what looks like a step close by may be the rest of a peak.
    """
    n_bins = counts.shape[1]
    together = np.array([joined_bins(n_bins, sigma) for sigma in hunted.sigma])
    events = (counts * use).sum(axis=1)
    sharp, tall = jumps(hunted.estimates, hunted.sigma)
    for one in peaks:
        sharp &= np.abs(hunted.estimates.shoulder[:, 2] - one.place) > _NEAR * one.sigma
    known = {
        "FEW_BINS": n_bins / together < BINS[0],
        "MANY_BINS": n_bins / together > BINS[1],
        "FEW_EVENTS": events < EVENTS[0],
        "MANY_EVENTS": events > EVENTS[1],
        "STEP": sharp & ~tall,
        "EDGE": sharp & tall,
        "NOT_SMOOTH": hunted.spread > NOT_SMOOTH,
        "NO_DOMAIN": ~hunted.estimates.inside.any(axis=1),
    }
    scatter = scatter_flags(counts * use)
    return [(*(word for word, hit in known.items() if hit[row]), *scatter[row]) for row in range(len(counts))]


def without_bumps(flags: tuple[str, ...], rest: tuple[str, ...]) -> tuple[str, ...]:
    """Return the flags of a spectrum with bumps: what is not smooth is seen in what is left without them.

    Parameters
    ----------
    flags, rest
        Those of the whole spectrum, and of the counts without its bumps.

    Examples
    --------
    >>> without_bumps(("FEW_BINS", "NOT_SMOOTH", "EDGE"), ("FEW_BINS", "EDGE"))
    ('FEW_BINS', 'EDGE')
    """
    return tuple(name for name in FLAGS if name in (rest if name in _SHAPES else flags))


def jumps(estimates: Estimates, sigma: FloatArray) -> tuple[BoolArray, BoolArray]:
    """Return which spectra have a step that is as sharp as a signal is narrow, and where that is a tall one.

    Parameters
    ----------
    estimates
        Of spectra of one length.
    sigma
        Width of the signal in bins, shape (n_spectra, n_bins).
    """
    gain, height, place, width = estimates.shoulder.T
    rows, n_bins = np.arange(len(gain)), sigma.shape[1]
    here = sigma[rows, np.clip(place, 0, n_bins - 1).astype(np.int64)]
    inside = np.where(estimates.inside, estimates.peak, -np.inf)
    best = inside.argmax(axis=1)
    beyond_doubt = inside[rows, best] > DOUBTLESS
    of_peak = beyond_doubt & (np.abs(place - best) < _NEAR * sigma[rows, best])
    return (gain > _SURE) & (width < _SHARP * here) & ~of_peak, np.abs(height) > _TALL
