"""Weighted sums of chi2 with one degree of freedom each: the null of a quadratic form, and its tail without any toy.

The tail is that of Imhof (Biometrika 48 (1961) 419): the inversion of the characteristic function, whose integral is
here one of a trapezium rule with a step that bounds its error (R. B. Davies, Appl. Statist. 29 (1980) 323); where
in which the tail is lost in rounding, Kuonen's saddlepoint (Biometrika 86 (1999) 929), whose relative error is 10 %
for two terms and below 1 % for twelve. Equal weights are a chi2.

Examples
--------
>>> from scipy.stats import chi2
>>> bool(abs(tail([2.0] * 12, 42.0) / chi2.sf(21.0, 12) - 1.0) < 1e-6)
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtrc, ndtr

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray

_NEGLIGIBLE = 1e-10
"""Weights below this share of the largest are left out."""
_EXACT = 1e-9
"""Inversion serves tails above this; its error is below a thousandth of it."""
_POINTS = 200_000


def tail(weights: ArrayLike, t: float) -> float:
    """Return ``P(sum_i w_i chi2_1 >= t)``.

    Parameters
    ----------
    weights
        0 or more, shape (n,).
    t
        The observed value. 0 and below have the probability 1.
    """
    w = np.asarray(weights, dtype=np.float64)
    w = w[w > _NEGLIGIBLE * w.max(initial=0.0)]
    if not len(w) or t <= 0:
        return 1.0
    if np.ptp(w) <= 1e-12 * w[0]:
        return float(chdtrc(len(w), t / w[0]))
    # Far in the tail the saddlepoint is cheap, and says whether an inversion can see it.
    rough = _saddlepoint(w, t)
    return rough if rough < _EXACT else _inverted(w, t)


def _log_tail_bound(w: FloatArray, t: float, side: float) -> float:
    """Return the logarithm of a Chernoff bound of ``P(Q >= t)`` (side 1), or of ``P(Q <= t)`` (side -1)."""
    top = 0.5 / w.max()
    u = np.linspace(0.01, 0.99, 50) * top if side > 0 else -np.geomspace(0.01, 1e4, 80) * top
    values = -0.5 * np.log1p(-2.0 * np.outer(u, w)).sum(axis=1) - u * t
    return float(values.min())


def _inverted(w: FloatArray, t: float) -> float:
    """Return the tail by ``1/2 + 1/pi int sin(theta(u)) / (u rho(u)) du`` on a grid of midpoints.

    A grid of step h adds the density's images at a distance of 2 pi / h: h is so small that they are beyond the
    distribution's range; the grid ends where the characteristic function has died out.
    """
    mean, spread = w.sum(), np.sqrt(2.0 * (w**2).sum())
    reach = max(t, mean) + 12.0 * spread
    while _log_tail_bound(w, reach, 1.0) > np.log(1e-3 * _EXACT):
        reach *= 1.3
    h = np.pi / reach
    u = (np.arange(_POINTS) + 0.5) * h
    log_rho = 0.25 * np.log1p((2.0 * np.outer(u[:: _POINTS // 1000], w)) ** 2).sum(axis=1)
    # What is left out is below the integrand's envelope 1 / (u rho), summed.
    dead = np.flatnonzero(log_rho > -np.log(1e-4 * _EXACT))
    last = min((int(dead[0]) + 1) * (_POINTS // 1000), _POINTS) if len(dead) else _POINTS
    u = u[:last]
    theta, log_rho = np.zeros(last), np.zeros(last)
    for weight, number in zip(*np.unique(w, return_counts=True), strict=True):
        theta += 0.5 * number * np.arctan(2.0 * weight * u)
        log_rho += 0.25 * number * np.log1p((2.0 * weight * u) ** 2)
    values = np.sin(theta - t * u) * np.exp(-log_rho) / (np.arange(last) + 0.5)
    return float(np.clip(0.5 + values.sum() / np.pi, 0.0, 1.0))


def _saddlepoint(w: FloatArray, t: float) -> float:
    """Return the tail by the saddlepoint of Lugannani and Rice."""

    def slope(u: float) -> float:
        return float((w / (1.0 - 2.0 * u * w)).sum()) - t

    top = 0.5 / w.max()
    low = -len(w) / t - 1.0 / w.max()
    u = brentq(slope, low, top * (1.0 - 1e-12)) if slope(top * (1.0 - 1e-12)) > 0 else top * (1.0 - 1e-12)
    if abs(u) * w.sum() < 1e-4:
        return 0.5  # at the mean; only the order of magnitude is asked for there
    r = np.sign(u) * np.sqrt(max(2.0 * (u * t + 0.5 * np.log1p(-2.0 * u * w).sum()), 0.0))
    v = u * np.sqrt(2.0 * ((w / (1.0 - 2.0 * u * w)) ** 2).sum())
    if r <= 0:
        return float(ndtr(-r))
    return float(ndtr(-(r + np.log(v / r) / r)))
