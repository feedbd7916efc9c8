"""Upper limits on a signal in the likelihood L2, one problem at a time, compiled by numba: the loops of limits.

``A_i ~ Pois(beta_i)``, ``B_i ~ Pois(kappa beta_i + mu s_i)``, every beta_i in closed form
(:mod:`coffea_ddp.stats.likelihood_fits`). Where kappa is known to a relative error only, ``ln kappa`` has a normal
constraint of that width and is profiled as well: with ``kappa = kappa_0 exp(error theta)`` the log-likelihood moves
with theta by ``error sum_i kappa beta_i (B_i / (kappa beta_i + mu s_i) - 1) - theta``.

The test statistic is that of upper limits, ``q_mu = -2 ln [L(mu) / L(max(mu_hat, 0))]``, 0 for mu below mu_hat
(arXiv:1007.1727, section 2.5).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.likelihood_fits import l2_background, l2_gain, l2_slope

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray

_STEPS = 100
_CLOSE = 1e-10
_FARTHEST = 1e15
"""Doublings of mu end here: of a template that nothing can exclude."""


class Pair(NamedTuple):
    """A pair of matrices, a template, and what is known of kappa.

    Attributes
    ----------
    a, b, signal
        Shape (n_bins,); a and b need not be whole numbers.
    kappa, error
        The expected ratio, and its relative error: the width of ``ln kappa``.
    """

    a: FloatArray
    b: FloatArray
    signal: FloatArray
    kappa: float
    error: float


@compiled
def pair_of(a: FloatArray, b: FloatArray, signal: FloatArray, kappa: float, error: float) -> Pair:
    """Return the pair of a problem; bins without a signal, of which the sums alone count, are joined into the last."""
    n = 1
    for i in range(len(signal)):
        n += signal[i] > 0.0
    pair = Pair(np.zeros(n), np.zeros(n), np.zeros(n), kappa, error)
    place = 0
    for i in range(len(signal)):
        if signal[i] > 0.0:
            pair.a[place], pair.b[place], pair.signal[place] = a[i], b[i], signal[i]
            place += 1
        else:
            pair.a[n - 1] += a[i]
            pair.b[n - 1] += b[i]
    return pair


@compiled
def best_kappa(pair: Pair, mu: float) -> float:
    """Return the kappa at which the likelihood is largest for a given mu."""
    if pair.error == 0.0:
        return pair.kappa
    low, high = 0.0, 0.0
    at_low = at_high = _pull_of_kappa(pair, mu, 0.0)
    step = 1.0
    while at_low < 0.0:
        high, at_high = low, at_low
        low -= step
        at_low, step = _pull_of_kappa(pair, mu, low), 2.0 * step
    while at_high > 0.0:
        low, at_low = high, at_high
        high += step
        at_high, step = _pull_of_kappa(pair, mu, high), 2.0 * step
    theta = low
    for number in range(_STEPS):
        theta = _between(low, at_low, high, at_high, number)
        found = _pull_of_kappa(pair, mu, theta)
        if found > 0.0:
            low, at_low = theta, found
        else:
            high, at_high = theta, found
        if high - low <= _CLOSE or found == 0.0:
            break
    return pair.kappa * math.exp(pair.error * theta)


@compiled
def _between(low: float, at_low: float, high: float, at_high: float, number: int) -> float:
    """Return where a straight line through the ends is 0, at every third step the middle."""
    if number % 3 == 2 or not at_low > at_high:
        return 0.5 * (low + high)
    found = low + (high - low) * at_low / (at_low - at_high)
    return found if low < found < high else 0.5 * (low + high)


@compiled
def _pull_of_kappa(pair: Pair, mu: float, theta: float) -> float:
    kappa = pair.kappa * math.exp(pair.error * theta)
    slope = 0.0
    for i in range(len(pair.a)):
        if pair.a[i] + pair.b[i] == 0.0:
            continue
        m = mu * max(pair.signal[i], 0.0)
        beta, _ = l2_background(pair.a[i], pair.b[i], m, kappa)
        mean = kappa * beta + m
        slope += pair.b[i] * kappa * beta / mean - kappa * beta if mean > 0.0 else 0.0
    return pair.error * slope - theta


@compiled
def log_likelihood(pair: Pair, mu: float) -> float:
    """Return the largest log-likelihood for a given mu of 0 or more, above that of mu = 0 and the given kappa."""
    kappa = best_kappa(pair, mu)
    gain: float = l2_gain(pair.a, pair.b, pair.signal, kappa, mu)
    if pair.error == 0.0:
        return gain
    n_a, n_b = pair.a.sum(), pair.b.sum()
    shift = math.log(kappa / pair.kappa)
    # Of the pair without a signal, in terms of ratios near 1.
    gain += n_b * shift - (n_a + n_b) * math.log1p((kappa - pair.kappa) / (1.0 + pair.kappa))
    pull = shift / pair.error
    return gain - 0.5 * pull * pull


@compiled
def best_signal(pair: Pair) -> float:
    """Return the mu of 0 or more at which the likelihood is largest."""
    low, at_low = 0.0, _slope_of_signal(pair, 0.0)
    if at_low <= 0.0:
        return 0.0
    total, most = 0.0, 0.0
    for i in range(len(pair.a)):
        if pair.signal[i] > 0.0:
            total += pair.signal[i]
            most += pair.b[i]
    high = most / total
    at_high = _slope_of_signal(pair, high)
    if at_high >= 0.0:
        return high
    for number in range(_STEPS):
        mu = _between(low, at_low, high, at_high, number)
        found = _slope_of_signal(pair, mu)
        if found > 0.0:
            low, at_low = mu, found
        else:
            high, at_high = mu, found
        if high - low <= _CLOSE * high:
            break
    return 0.5 * (low + high)


@compiled
def _slope_of_signal(pair: Pair, mu: float) -> float:
    return l2_slope(pair.a, pair.b, pair.signal, best_kappa(pair, mu), mu, 1.0)[0]


@compiled
def root_q(pair: Pair, mu: float, mu_hat: float) -> float:
    """Return the root of q_mu."""
    if mu <= mu_hat:
        return 0.0
    return math.sqrt(max(2.0 * (log_likelihood(pair, mu_hat) - log_likelihood(pair, mu)), 0.0))


@compiled
def without_signal(pair: Pair) -> Pair:
    """Return the pair without fluctuations that is expected of mu = 0, as fitted to this one."""
    kappa = best_kappa(pair, 0.0)
    a = (pair.a + pair.b) / (1.0 + kappa)
    return Pair(a, kappa * a, pair.signal, kappa, pair.error)


@compiled
def _log_tail(z: float) -> float:
    return math.log(max(0.5 * math.erfc(z / math.sqrt(2.0)), 1e-300))


@compiled
def _log_cls(observed: float, expected: float) -> float:
    """Return ln CLs of two roots of q_mu: that of the data, and that of the pair without a signal."""
    if expected == 0.0:
        return 0.0
    shift = observed - expected if observed <= expected else 0.5 * (observed**2 / expected - expected)
    return _log_tail(shift + expected) - _log_tail(shift)


@compiled
def _excess(pair: Pair, clean: Pair, mu: float, mu_hat: float, wanted: float, target: float) -> float:
    """Return what is positive below the limit: of the data (target below 0), or of a root of q that is expected."""
    expected = root_q(clean, mu, 0.0)
    if target >= 0.0:
        return target - expected
    return _log_cls(root_q(pair, mu, mu_hat), expected) - wanted


@compiled
def _limit(pair: Pair, clean: Pair, mu_hat: float, wanted: float, target: float) -> float:
    total = 0.0
    for i in range(len(pair.signal)):
        total += max(pair.signal[i], 0.0)
    low = 0.0 if target >= 0.0 else mu_hat
    at_low = _excess(pair, clean, low, mu_hat, wanted, target)
    if at_low <= 0.0:
        return low
    high = low + 1.0 / total
    at_high = _excess(pair, clean, high, mu_hat, wanted, target)
    while at_high > 0.0:
        low, at_low, high = high, at_high, 2.0 * high
        if high * total > _FARTHEST:
            return np.inf
        at_high = _excess(pair, clean, high, mu_hat, wanted, target)
    for number in range(_STEPS):
        mu = _between(low, at_low, high, at_high, number)
        found = _excess(pair, clean, mu, mu_hat, wanted, target)
        if found > 0.0:
            low, at_low = mu, found
        else:
            high, at_high = mu, found
        if high - low <= _CLOSE * high:
            break
    return 0.5 * (low + high)


@compiled
def limit_problems(
    a: FloatArray,
    b: FloatArray,
    signal: FloatArray,
    kappa: FloatArray,
    error: FloatArray,
    of: IntArray,
    wanted: float,
    targets: FloatArray,
) -> FloatArray:
    """Solve many problems.

    Parameters
    ----------
    a, b, signal, kappa, error
        Rows of each; shapes (n, n_bins) and (n,).
    of
        The rows of a, b, signal, kappa and error that make every problem; shape (n_problems, 5).
    wanted
        ln CLs at the limit.
    targets
        Roots of q_mu of the expected limits; shape (n_expected,).

    Returns
    -------
    ndarray of shape (n_problems, 2 + n_expected)
        The best mu of 0 or more, the limit, and the expected ones.
    """
    result = np.zeros((len(of), 2 + len(targets)))
    for i in range(len(of)):
        pair = pair_of(a[of[i, 0]], b[of[i, 1]], signal[of[i, 2]], kappa[of[i, 3]], error[of[i, 4]])
        clean, mu_hat = without_signal(pair), best_signal(pair)
        result[i, 0] = mu_hat
        result[i, 1] = _limit(pair, clean, mu_hat, wanted, -1.0)
        for number in range(len(targets)):
            result[i, 2 + number] = _limit(pair, clean, mu_hat, wanted, targets[number])
    return result


@compiled
def toys_of_q(pair: Pair, a: FloatArray, b: FloatArray, kappa: FloatArray, mu: float) -> FloatArray:
    """Return q_mu of pseudo-experiments with the pair's template, each with its own measurement of kappa.

    Shapes (n_toys, n_bins), (n_toys, n_bins), (n_toys,); (n_toys,).
    """
    found = np.zeros(len(a))
    for i in range(len(a)):
        toy = Pair(a[i], b[i], pair.signal, kappa[i], pair.error)
        found[i] = root_q(toy, mu, best_signal(toy)) ** 2
    return found
