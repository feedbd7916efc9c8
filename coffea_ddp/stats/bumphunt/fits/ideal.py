"""The ideal significance at every bin: what a network that sees the counts alone is taught to guess.

Background known exactly, a Gaussian signal of known width around bin k and of any strength mu, also negative:
``z_k = sign(mu) sqrt(2 [log L(mu) - log L(0)])`` at the best mu (arXiv:2107.11573).

Examples
--------
>>> import numpy as np
>>> background = np.full(21, 100.0)
>>> counts = background.copy()
>>> counts[10] += 40.0
>>> z = ideal_significance(counts, background, 0.3)
>>> int(z.argmax()), round(float(z[10]), 2)  # one bin: 2 [140 ln(1.4) - 40] = 14.2
(10, 3.77)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks
from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.bumphunt.fits.templates import gaussian_templates

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray

_STEPS = 100
_CLOSE = 1e-4
"""Newton's iteration ends with such a step, in errors of mu: what is left is its square, in q0 its fourth power."""
_SMALL = 0.03
"""Below, eight terms of the series of log(1 + x) are exact to the last digit, and much faster."""


def ideal_significance(counts: ArrayLike, background: ArrayLike, sigma: ArrayLike) -> FloatArray:
    """Return z at every bin, background known.

    Parameters
    ----------
    counts
        Shape (..., n_bins); expected counts of an Asimov spectrum are counts too.
    background
        Expected background, above 0; of the same shape, or one that broadcasts to it.
    sigma
        Width of the signal in bins: a number, or shape (n_bins,).

    Returns
    -------
    ndarray
        Signed z, shape (..., n_bins): negative where there is too little.

    Raises
    ------
    InputError
        If the background is not positive, counts are negative, or either is not finite.

    Notes
    -----
    mu is bounded below by ``b_i + mu s_i >= 0``, which is the best mu where the bin that binds is empty.

    Examples
    --------
    >>> background = np.full(40, 100.0)
    >>> bool(ideal_significance(background, background, np.full(40, 2.0)).round(6).max() == 0.0)
    True
    """
    observed = np.atleast_1d(checks.positive(counts, "counts"))
    expected = checks.positive(background, "background")
    if not (expected >= checks.SMALLEST).all():
        raise InputError("background: 0 in a bin; give what is expected there, above 0")
    try:
        expected = np.broadcast_to(expected, observed.shape)
    except ValueError:
        raise InputError(
            f"background has shape {expected.shape} and counts {observed.shape}; give one that fits to the counts"
        ) from None
    if not observed.size:
        raise InputError(f"counts have shape {observed.shape}: there are no bins; give at least one")
    n_bins = observed.shape[-1]
    templates = gaussian_templates(n_bins, sigma)
    z = np.empty((observed.size // max(n_bins, 1), n_bins))
    flat, known = (np.ascontiguousarray(values.reshape(-1, n_bins)) for values in (observed, expected))
    ideal_block(flat, known, templates.values, z)
    return z.reshape(observed.shape)


@compiled
def ideal_block(counts: FloatArray, background: FloatArray, templates: FloatArray, z: FloatArray) -> None:
    """Fill z for many spectra.

    Parameters
    ----------
    counts, background, z
        Shape (n_spectra, n_bins).
    templates
        Windows of :class:`coffea_ddp.stats.bumphunt.fits.templates.Templates`.
    """
    n_spectra, n_bins = counts.shape
    half = templates.shape[1] // 2
    ratio = np.empty(templates.shape[1])
    for row in range(n_spectra):
        for k in range(n_bins):
            first, stop = max(k - half, 0), min(k + half + 1, n_bins)
            shift = half - k
            size = stop - first
            total, score, fisher, events = 0.0, 0.0, 0.0, 0.0
            largest, binding = 0.0, 0
            for j in range(size):
                s = templates[k, first + shift + j]
                r = s / background[row, first + j]
                ratio[j] = r
                total += s
                score += counts[row, first + j] * r
                fisher += s * r
                events += counts[row, first + j]
                if r > largest:
                    largest, binding = r, j
            n, mu, bracket = counts[row, first:stop], (score - total) / fisher, (-1.0 / largest, events / total)
            # Where the bin that binds is not empty the likelihood rises from its lower bound on.
            if n[binding] == 0.0 and _falls_at(n, ratio[:size], total, bracket[0]):
                mu = bracket[0]
            else:
                mu = _best(n, ratio[:size], total, mu, bracket)
            q0 = _log_ratio(n, ratio[:size], mu) - mu * total
            z[row, k] = np.sign(mu) * np.sqrt(max(2.0 * q0, 0.0))


@compiled
def _best(n: FloatArray, ratio: FloatArray, total: float, mu: float, bracket: tuple[float, float]) -> float:
    """Return where ``sum n r / (1 + mu r) = total``: Newton inside of a bracket, halved where Newton leaves it."""
    low, high = bracket
    if not low < mu < high:
        mu = 0.0
    for _ in range(_STEPS):
        slope, curvature = -total, 0.0
        for j in range(len(n)):
            part = ratio[j] / (1.0 + mu * ratio[j])
            slope += n[j] * part
            curvature += n[j] * part * part
        if slope > 0.0:
            low = mu
        else:
            high = mu
        following = mu + slope / curvature
        if not low < following < high:
            following = 0.5 * (low + high)
        step = abs(following - mu)
        mu = following
        if step * np.sqrt(curvature) <= _CLOSE or step <= 1e-15 * abs(mu):
            break
    return mu


@compiled
def _log_ratio(n: FloatArray, ratio: FloatArray, mu: float) -> float:
    """Return ``sum n log(1 + mu r)``."""
    total = 0.0
    for j in range(len(n)):
        x = mu * ratio[j]
        if abs(x) < _SMALL:
            total += n[j] * _series(x)
        elif n[j] > 0.0:
            total += n[j] * np.log1p(x)
    return total


@compiled
def _series(x: float) -> float:
    inner = 1.0 / 5.0 - x * (1.0 / 6.0 - x * (1.0 / 7.0 - x * (1.0 / 8.0 - x / 9.0)))
    return x * (1.0 - x * (0.5 - x * (1.0 / 3.0 - x * (0.25 - x * inner))))


@compiled
def _falls_at(n: FloatArray, ratio: FloatArray, total: float, low: float) -> bool:
    """Return whether the likelihood falls from its lower bound on: the bin that binds is empty, others say little."""
    slope = -total
    for j in range(len(n)):
        if n[j] > 0.0:
            left = 1.0 + low * ratio[j]
            if left <= 0.0:
                return False
            slope += n[j] * ratio[j] / left
    return slope <= 0.0


def strength_for_z(background: ArrayLike, signal: ArrayLike, z: ArrayLike) -> FloatArray:
    """Return by what to multiply each signal so that the expected (Asimov) z, background known, is the wanted one.

    Parameters
    ----------
    background, signal
        Shape (n_spectra, n_bins); the background above 0.
    z
        0 or more, shape (n_spectra,).

    Returns
    -------
    ndarray
        Shape (n_spectra,), right to a relative 1e-10; 0 for z = 0.

    Examples
    --------
    >>> strength_for_z([[100.0]], [[1.0]], [3.7728]).round(1)  # as above: 40 events on 100
    array([40.])
    """
    b, s = (np.ascontiguousarray(values, dtype=np.float64) for values in (background, signal))
    strength = np.zeros(len(b))
    _strengths(b, s, np.asarray(z, dtype=np.float64), strength)
    return strength


@compiled
def _strengths(background: FloatArray, signal: FloatArray, z: FloatArray, strength: FloatArray) -> None:
    for row in range(len(background)):
        if z[row] <= 0.0:
            continue
        information = 0.0
        for i in range(background.shape[1]):
            information += signal[row, i] ** 2 / background[row, i]
        mu = z[row] / np.sqrt(information)
        for _ in range(_STEPS):
            # q0 is convex in mu: Newton's steps come down to the root from above.
            q0, slope = 0.0, 0.0
            for i in range(background.shape[1]):
                s, b = signal[row, i], background[row, i]
                if s > 0.0:
                    log = np.log1p(mu * s / b)
                    q0 += 2.0 * ((b + mu * s) * log - mu * s)
                    slope += 2.0 * s * log
            step = (z[row] ** 2 - q0) / slope
            mu += step
            if abs(step) <= 1e-10 * mu:
                break
        strength[row] = mu
