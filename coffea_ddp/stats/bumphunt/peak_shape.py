"""The shape of a peak: a Gaussian with a power-law tail on either side (a double-sided Crystal Ball).

Examples
--------
>>> shape = Peak(20.0, 2.0, left=1.5).shape(np.arange(40.0))
>>> round(float(shape.sum()), 3), bool(shape[10] > shape[30])
(1.0, True)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray

BEGINS = 2.5
"""The beginning of tails, in sigma, as long as nothing else is known."""
_POWER = 2.0
"""The power of the tails: that of a Breit-Wigner, and about that of radiation."""


@dataclass(frozen=True)
class Peak:
    """A peak: a Gaussian with tails.

    Attributes
    ----------
    place, sigma
        Mean, as the number of a bin (fractions are between bins), and standard deviation in bins.
    left, right
        Where the tails begin, in sigma from the mean.
    events
        Number of events in it.
    """

    place: float
    sigma: float
    left: float = BEGINS
    right: float = BEGINS
    events: float = 0.0

    def shape(self, bins: FloatArray) -> FloatArray:
        """Return the share of its events in each bin, which adds up to 1 over the bins; shape of ``bins``."""
        of_one = (np.array([value]) for value in (self.place, self.sigma, self.left, self.right))
        return np.asarray(shares(bins, np.ones(len(bins), dtype=bool), *of_one)[0][0])


def shares(
    bins: FloatArray, inside: BoolArray, place: FloatArray, sigma: FloatArray, left: FloatArray, right: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the shares of the events of peaks in bins, and their derivatives.

    Parameters
    ----------
    bins, inside
        Numbers of the bins, and which of them there are; shape (..., n_bins).
    place, sigma, left, right
        As of :class:`Peak`; shape (...).

    Returns
    -------
    share
        Adds up to 1 over the bins that there are; shape (..., n_bins).
    slopes
        Derivatives of the shares by place, log sigma, 1/left and 1/right; shape (..., 4, n_bins).
    """
    t = (bins - place[..., None]) / sigma[..., None]
    is_right = t >= 0.0
    log, by_t, by_tail = _half(np.abs(t), np.where(is_right, right[..., None], left[..., None]))
    by_t = np.where(is_right, by_t, -by_t)
    log = np.where(inside, log, -np.inf)
    share = np.exp(log - log.max(axis=-1, keepdims=True))
    share /= share.sum(axis=-1, keepdims=True)
    slopes = np.stack([
        -by_t / sigma[..., None], -by_t * t, np.where(is_right, 0.0, -(left[..., None] ** 2)) * by_tail,
        np.where(is_right, -(right[..., None] ** 2), 0.0) * by_tail,
    ], axis=-2)  # fmt: skip
    mean = np.matmul(slopes, share[..., None])
    return np.asarray(share), np.asarray(share[..., None, :] * (slopes - mean))


def _half(t: FloatArray, tail: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the logarithm of a Crystal Ball at t >= 0, whose tail begins at ``tail``, and its slopes by t and tail."""
    beyond = np.maximum(t - tail, 0.0)
    core, falling = beyond == 0.0, 1.0 + tail / _POWER * beyond
    log = np.where(core, -0.5 * t**2, -0.5 * tail**2 - _POWER * np.log(falling))
    by_tail = np.where(core, 0.0, -tail - (t - 2.0 * tail) / falling)
    return log, np.where(core, -t, -tail / falling), by_tail
