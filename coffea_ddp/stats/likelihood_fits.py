"""The profile likelihoods, one problem at a time, compiled by numba: the loops of :mod:`coffea_ddp.stats.likelihood`.

Both log-likelihoods are concave in the signal strength mu, so the maximum is where the slope crosses 0: Newton steps
inside of a bracket, halved where Newton leaves it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.stats._compiled import compiled

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray

_STEPS = 200
_CLOSE = 1e-13


@compiled
def l1_problem(n: FloatArray, background: FloatArray, signal: FloatArray) -> tuple[float, float]:
    """Return q0 and the best mu for ``n_i ~ Pois(b_i + mu s_i)`` with b known.

    Parameters
    ----------
    n, background, signal
        Shape (bins,). The background is above 0 wherever there are events and a signal.

    Notes
    -----
    mu is bounded below by ``b_i + mu s_i >= 0``.
    """
    total, lowest, highest = 0.0, -np.inf, 0.0
    for i in range(len(n)):
        if signal[i] > 0.0:
            total += signal[i]
            highest += n[i]
            lowest = max(lowest, -background[i] / signal[i])
    low, high, mu = lowest, highest / total, 0.0
    for _ in range(_STEPS):
        slope, curvature = _l1_slope(n, background, signal, mu)
        slope -= total
        if slope > 0.0:
            low = mu
        else:
            high = mu
        following = _inside(mu, slope, curvature, low, high)
        if abs(following - mu) <= _CLOSE * (abs(mu) + 1e-3 * (high - low)):
            break
        mu = following
    q0 = -mu * total
    for i in range(len(n)):
        if signal[i] > 0.0 and n[i] > 0.0:
            q0 += n[i] * np.log1p(mu * signal[i] / background[i])
    return max(2.0 * q0, 0.0), mu


@compiled
def _l1_slope(n: FloatArray, background: FloatArray, signal: FloatArray, mu: float) -> tuple[float, float]:
    """Return the part of the slope that has events in it, and minus its derivative."""
    slope, curvature = 0.0, 0.0
    for i in range(len(n)):
        if n[i] > 0.0 and signal[i] > 0.0:
            share = signal[i] / max(background[i] + mu * signal[i], 1e-300)
            slope += n[i] * share
            curvature += n[i] * share * share
    return slope, curvature


@compiled
def l2_problem(a: FloatArray, b: FloatArray, signal: FloatArray, kappa: float) -> tuple[float, float]:
    """Return q0 and the best mu for ``A_i ~ Pois(beta_i), B_i ~ Pois(kappa beta_i + mu s_i)``, beta_i >= 0 free.

    Parameters
    ----------
    a, b, signal
        Shape (bins,).
    kappa
        Above 0.

    Notes
    -----
    With ``m = mu s``, beta is the larger root of ``kappa (1 + kappa) beta^2 + [(1 + kappa) m - kappa (A + B)] beta
    - A m = 0``; for m < 0 that is the one with ``kappa beta + m >= 0``. So mu may have any sign. The slope in mu is
    ``sum s (B / (kappa beta + m) - 1)``, also written ``sum s (1 - A / beta) / kappa``. It has a step at 0 where bins
    are empty on both sides: there the maximum may stay.
    """
    total, most_a, most_b = 0.0, 0.0, 0.0
    for i in range(len(a)):
        if signal[i] > 0.0:
            total += signal[i]
            most_a += a[i]
            most_b += b[i]
    right, _ = l2_slope(a, b, signal, kappa, 0.0, 1.0)
    left, _ = l2_slope(a, b, signal, kappa, 0.0, -1.0)
    if right <= 0.0 <= left:
        return 0.0, 0.0
    sign = 1.0 if right > 0.0 else -1.0
    low, high = (0.0, most_b / total) if sign > 0.0 else (-kappa * most_a / total, 0.0)
    mu = 0.0
    for _ in range(_STEPS):
        slope, curvature = l2_slope(a, b, signal, kappa, mu, sign)
        if slope > 0.0:
            low = mu
        else:
            high = mu
        following = _inside(mu, slope, curvature, low, high)
        if abs(following - mu) <= _CLOSE * (abs(mu) + 1e-3 * (high - low)):
            break
        mu = following
    return max(2.0 * l2_gain(a, b, signal, kappa, mu), 0.0), mu


@compiled
def _inside(mu: float, slope: float, curvature: float, low: float, high: float) -> float:
    """Return the Newton step, or the middle of the bracket where Newton would leave it."""
    following = mu + slope / curvature if curvature > 0.0 else low
    if not low < following < high:
        following = 0.5 * (low + high)
    return following


@compiled
def l2_background(a: float, b: float, m: float, kappa: float) -> tuple[float, float]:
    """Return the best beta, and the root of the discriminant."""
    p = kappa * (a + b) - (1.0 + kappa) * m
    root = np.sqrt(max(p * p + 4.0 * kappa * (1.0 + kappa) * a * m, 0.0))
    if p >= 0.0:
        return (p + root) / (2.0 * kappa * (1.0 + kappa)), root
    # Without the difference of two large numbers.
    return 2.0 * a * m / (root - p), root


@compiled
def l2_slope(
    a: FloatArray, b: FloatArray, signal: FloatArray, kappa: float, mu: float, sign: float
) -> tuple[float, float]:
    """Return slope and minus its derivative at mu; at mu = 0 on the side of ``sign``."""
    slope, curvature = 0.0, 0.0
    for i in range(len(a)):
        if signal[i] <= 0.0:
            continue
        m = mu * signal[i]
        if a[i] + b[i] == 0.0:
            slope += signal[i] * (-1.0 if (m > 0.0 or (m == 0.0 and sign > 0.0)) else 1.0 / kappa)
            continue
        beta, root = l2_background(a[i], b[i], m, kappa)
        if b[i] == 0.0:
            # Two branches: beta = A / (1 + kappa), or beta = -m / kappa on the bound.
            beta = max(a[i] / (1.0 + kappa), -m / kappa)
            slope += signal[i] * (1.0 - a[i] / beta) / kappa
            if -m / kappa >= a[i] / (1.0 + kappa):
                curvature += signal[i] ** 2 * a[i] / (m * m)
            continue
        nu = kappa * beta + m
        slope += signal[i] * (b[i] / nu - 1.0)
        if root > 0.0:
            moved = kappa * (a[i] - (1.0 + kappa) * beta) / root + 1.0
            curvature += signal[i] ** 2 * b[i] * moved / (nu * nu)
    return slope, curvature


@compiled
def l2_gain(a: FloatArray, b: FloatArray, signal: FloatArray, kappa: float, mu: float) -> float:
    """Return by how much the log-likelihood at mu is above that at 0."""
    gain = 0.0
    for i in range(len(a)):
        if signal[i] <= 0.0:
            continue
        m = mu * signal[i]
        start = (a[i] + b[i]) / (1.0 + kappa)
        beta, _ = l2_background(a[i], b[i], m, kappa)
        if b[i] == 0.0:
            beta = max(a[i] / (1.0 + kappa), -m / kappa)
        if a[i] > 0.0:
            gain += a[i] * np.log1p((beta - start) / start)
        if b[i] > 0.0:
            gain += b[i] * np.log1p((kappa * (beta - start) + m) / (kappa * start))
        gain -= (1.0 + kappa) * (beta - start) + m
    return gain


@compiled
def l1_problems(n: FloatArray, background: FloatArray, signal: FloatArray, of: IntArray) -> FloatArray:
    """Solve many L1 problems: ``of`` holds the rows of n, background and signal of each, shape (n_problems, 3)."""
    result = np.zeros((len(of), 2))
    for i in range(len(of)):
        result[i, 0], result[i, 1] = l1_problem(n[of[i, 0]], background[of[i, 1]], signal[of[i, 2]])
    return result


@compiled
def l2_problems(a: FloatArray, b: FloatArray, signal: FloatArray, kappa: FloatArray, of: IntArray) -> FloatArray:
    """Solve many L2 problems: ``of`` holds the rows of a, b, signal and kappa of each, shape (n_problems, 4)."""
    result = np.zeros((len(of), 2))
    for i in range(len(of)):
        result[i, 0], result[i, 1] = l2_problem(a[of[i, 0]], b[of[i, 1]], signal[of[i, 2]], kappa[of[i, 3]])
    return result
