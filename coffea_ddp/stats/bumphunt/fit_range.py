"""Fit range of a spectrum: from its first events to its last, or from behind its turn-on.

No resonance is mistaken for a turn-on: a narrow peak is taken off first, by a morphological opening (the largest of
the smallest over a window). What is left is the level that the spectrum keeps over many widths of a signal, and a
turn-on ends where this level has, for the first time, reached its maximum to within two standard deviations.

Examples
--------
>>> import numpy as np
>>> x = np.arange(100.0)
>>> rising = 1000.0 / (1.0 + np.exp(-(x - 15.0) / 4.0)) * np.exp(-x / 30.0)
>>> peak = 3000.0 * np.exp(-0.5 * ((x - 60.0) / 2.0) ** 2)
>>> behind_turn_on(rising, 2.0), behind_turn_on(rising + peak, 2.0)
(16, 16)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray, IntArray

_WINDOW = 8.0
"""A peak is what is narrower than this many sigma."""
_TAIL, _LEAST = 10.0, 2.0
"""A spectrum ends behind the last stretch of this number of sigma that holds this number of events."""
_RISE = 1.5
"""Largest factor by which a spectrum may rise from its beginning and still be left as it is."""


def behind_turn_on(counts: FloatArray, sigma: float, *, at_maximum: bool = False) -> int:
    """Return the bin behind the turn-on of a spectrum; 0 where it has none.

    Parameters
    ----------
    counts
        Shape (n_bins,).
    sigma
        Width of a signal in bins.
    at_maximum
        Where there is a turn-on, begin at the maximum of the counts as far behind it as the window reaches: a peak
        right behind a turn-on belongs to it.
    """
    from scipy.ndimage import grey_opening, uniform_filter1d

    n_bins = len(counts)
    window = int(min(2 * round(_WINDOW * sigma / 2.0) + 1, max(n_bins // 3, 3)))
    width = min(2 * round(sigma) + 1, window)
    level = grey_opening(uniform_filter1d(np.asarray(counts, dtype=np.float64), width, mode="nearest"), window)
    top = float(level.max())
    # The level is a mean over some bins, and the smallest of several.
    error = np.sqrt(max(top, 1.0) / width)
    first = float(level[: max(width, 1)].mean())
    if top <= _RISE * first or top - first <= 4.0 * error:
        return 0
    start = int(np.flatnonzero(level >= top - 2.0 * error)[0])
    if not at_maximum:
        return start
    # What peaks right behind a turn-on is its maximum, and no resonance.
    behind = uniform_filter1d(np.asarray(counts, dtype=np.float64), width, mode="nearest")[start : start + window]
    return start + int(behind.argmax())


def begins_at(counts: FloatArray, sigma: float) -> IntArray:
    """Return the bin at which each spectrum begins: before it there are no more than single events far apart.

    Parameters
    ----------
    counts
        Shape (..., n_bins).
    sigma
        Width of a signal in bins.

    Returns
    -------
    ndarray
        Shape (...).

    Examples
    --------
    >>> import numpy as np
    >>> counts = np.zeros(200)
    >>> counts[10], counts[150:] = 1.0, 3.0
    >>> int(begins_at(counts, 2.0))
    148
    """
    return np.asarray(counts.shape[-1] - ends_at(counts[..., ::-1], sigma))


def ends_at(counts: FloatArray, sigma: float) -> IntArray:
    """Return the bin at which each spectrum ends: behind it there are no more than single events far apart.

    Parameters
    ----------
    counts
        Shape (..., n_bins).
    sigma
        Width of a signal in bins.

    Returns
    -------
    ndarray
        Shape (...); the number of bins where nothing is filled.

    Examples
    --------
    >>> import numpy as np
    >>> counts = np.zeros(200)
    >>> counts[:50], counts[180] = 3.0, 1.0
    >>> int(ends_at(counts, 2.0))
    52
    """
    n_bins = counts.shape[-1]
    window = max(round(_TAIL * sigma), 2)
    bins = np.arange(n_bins)
    total = np.zeros((*counts.shape[:-1], n_bins + 1))
    np.cumsum(counts, axis=-1, out=total[..., 1:])
    filled = total[..., np.minimum(bins + window, n_bins)] - total[..., :n_bins] >= _LEAST
    # Where the last such stretch begins, up to its last event, and a little behind it.
    last = _last((counts > 0) & (bins < (_last(filled) + window)[..., None]))
    return np.where(filled.any(axis=-1), np.minimum(last + 1 + round(sigma), n_bins), n_bins)


def _last(mask: BoolArray) -> IntArray:
    """Return the last place along the last axis that is true; the last of all where none is."""
    return np.asarray(mask.shape[-1] - 1 - mask[..., ::-1].argmax(axis=-1))
