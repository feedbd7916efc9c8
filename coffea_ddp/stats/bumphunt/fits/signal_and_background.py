"""Signal and background fitted together: ``n_i ~ Pois(b_i + mu s_i)``, the logarithm of b linear in its parameters.

The signal is a window of few bins; all else are sums over the spectrum, which vectorise. The background is moved by
``exp(change)`` in place of being computed from its parameters, and the logarithm of the likelihood is added up from
what every step gains, so that small gains are as exact as large ones.

Examples
--------
>>> n = np.array([4.0, 4.0, 9.0, 4.0, 4.0])  # flat, and one bin above: all of that is signal
>>> flat, b = np.ones((1, 5)), np.full(5, 5.0)
>>> mu, gained, left = climb(Problem(n, np.ones(1), 2, flat, flat), b)
>>> round(mu, 6), round(float(b[0]), 6), left < 1e-8
(5.0, 4.0, True)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.bumphunt.fits.loglinear import backward, cholesky, dot, forward

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray

_CLOSE, _MOST = 1e-8, 60
"""A fit ends with the step that had this left to gain, in twice the logarithm of the likelihood."""
_NEAR = 1.0
"""Largest remaining gain for Newton's steps: from afar they follow a lone event on no background for long."""
_SMALLEST = 1e-12
_NEARLY = 0.99
"""A step may go this share of the way to where nothing is expected."""
_LEAST_PRESSURE = 0.1
_LARGEST, _SHORTEST = 30.0, 1e-6
"""The largest change of log b in one step, and the smallest share of a step that is tried."""
_NONE, _OUTERMOST = 1e-100, 230.0
"""Events that are as good as none, and can still be divided by, twice; and the logarithm of that, up or down."""
_SERIES, _RATIO = 0.06, 0.2
"""Largest x for which the series of exp(x) - 1 and log(1 + x) are exact to the last digits."""


class Problem(NamedTuple):
    """The data and the model of a fit.

    Attributes
    ----------
    n
        Counts, shape (n_bins,).
    signal, first
        The signal in the bins from ``first`` on; none at all for the background alone.
    design
        What multiplies the parameters in the logarithm of the background; shape (terms, n_bins).
    products
        Of all pairs of rows of ``design``: (0, 0), (1, 0), (1, 1), (2, 0) and so on; shape (pairs, n_bins).
    """

    n: FloatArray
    signal: FloatArray
    first: int
    design: FloatArray
    products: FloatArray


class _State(NamedTuple):
    """State of a fit: the background, the expected counts in the bins of the signal, the pressures, and the next step.

    ``change`` is that of log b by a whole step, ``increase`` that of b by the share which is tried.
    """

    b: FloatArray
    expected: FloatArray
    pressure: FloatArray
    gram: FloatArray
    step: FloatArray
    change: FloatArray
    increase: FloatArray
    following: FloatArray


@compiled
def exponential(beta: FloatArray, design: FloatArray, b: FloatArray) -> None:
    """Set ``b`` to the background of ``beta``."""
    b[:] = 0.0
    for a in range(len(beta)):
        for i in range(len(b)):
            b[i] += beta[a] * design[a, i]
    for i in range(len(b)):
        b[i] = np.exp(min(max(b[i], -_OUTERMOST), _OUTERMOST))


@compiled
def climb(problem: Problem, b: FloatArray) -> tuple[float, float, float]:
    """Move the background ``b`` to the best one beside the best signal.

    Returns
    -------
    tuple
        The best mu (also negative, as long as nothing negative is expected), the gain in the logarithm of the
        likelihood, and twice what was left to gain before the last step, by the quadratic approximation.
    """
    n, signal, first = problem.n, problem.signal, problem.first
    size, terms, n_bins = len(signal), len(problem.design), len(n)
    now = _State(
        b, b[first : first + size].copy(), np.ones(size), np.empty((terms + 1, terms + 1)), np.empty(terms + 1),
        np.empty(n_bins), np.empty(n_bins), np.empty(n_bins),
    )  # fmt: skip
    mu, gained, left = 0.0, 0.0, np.inf
    for _ in range(_MOST):
        left = _direction(problem, now, left < _NEAR)
        largest = _changes(problem.design, now.step, now.change)
        scale, gain = 2.0 * min(_room(problem, now, mu), _LARGEST / max(largest, 1.0)), 0.0
        while gain <= 0.0 and scale > _SHORTEST:
            scale *= 0.5
            _multiply(now, scale, largest)
            gain = _gain(problem, now, scale)
        if gain <= 0.0:
            break
        gained += gain
        mu += scale * now.step[0]
        for i in range(n_bins):
            b[i] = max(now.following[i], _NONE)
        for j in range(size):
            now.expected[j] = max(b[first + j] + mu * signal[j], _NONE)
        if left < _CLOSE:
            break
    return mu, gained, left


@compiled
def _direction(problem: Problem, now: _State, near: bool) -> float:
    """Set the step, of (mu, beta), and return what it would gain twice if the likelihood were quadratic.

    Newton's step if ``near`` and if the likelihood is concave there, else that of Fisher's scoring.
    """
    gram, step, size = now.gram, now.step, len(now.step)
    _equations(problem, now, near)
    cholesky(gram, size)
    if near and not _positive(gram):
        _equations(problem, now, False)
        cholesky(gram, size)
    forward(gram, step, size)
    gain = dot(step, step)
    backward(gram, step, size)
    return gain


@compiled
def _positive(factor: FloatArray) -> bool:
    """Return whether a matrix was positive before it was factorised: no pivot had to be lifted to the least allowed."""
    smallest = np.inf
    for a in range(len(factor)):
        smallest = min(smallest, factor[a, a])
    return smallest * smallest > 2.0 * _SMALLEST


@compiled
def _equations(problem: Problem, now: _State, near: bool) -> None:
    """Fill the lower triangle of the information matrix of (mu, beta), and the gradient in place of the step.

    A bin adds ``bend JJ^T / e + (1 - bend) b XX^T``, J being the gradient of e, what is expected. With ``n / e`` for
    ``bend`` this is the second derivative, with 1 its expectation. In empty bins it is the pressure with which the fit
    pushes them to 0, the multiplier of ``e >= 0``; without it a step would not know that they cannot go below.
    """
    n, signal, first, b, gram, step = problem.n, problem.signal, problem.first, now.b, now.gram, now.step
    rest, weight, cross = now.change, now.increase, now.following[: len(signal)]
    for i in range(len(n)):
        rest[i] = n[i] - b[i]
        weight[i] = b[i]
    gram[0, 0], step[0] = _SMALLEST, 0.0
    for j in range(len(signal)):
        i = first + j
        inverse = 1.0 / now.expected[j]
        over = n[i] * inverse
        if n[i] == 0.0:
            bend, spare = now.pressure[j], max(1.0 - now.pressure[j], 0.0)
        else:
            bend, spare = (over, 1.0 - over) if near else (1.0, 0.0)
        part = signal[j] * bend * inverse
        rest[i] = b[i] * (over - 1.0)
        weight[i] = b[i] * (b[i] * bend * inverse + spare)
        cross[j] = part * b[i]
        gram[0, 0] += part * signal[j]
        step[0] += signal[j] * (over - 1.0)
    pair = 0
    for a in range(len(problem.design)):
        step[a + 1] = dot(problem.design[a], rest)
        gram[a + 1, 0] = dot(problem.design[a, first : first + len(signal)], cross)
        for c in range(a + 1):
            gram[a + 1, c + 1] = dot(problem.products[pair], weight)
            pair += 1
        gram[a + 1, a + 1] += _SMALLEST


@compiled
def _changes(design: FloatArray, step: FloatArray, change: FloatArray) -> float:
    """Set the changes of log b by a whole step, and return the largest, up or down."""
    change[:] = 0.0
    for a in range(len(design)):
        for i in range(len(change)):
            change[i] += step[a + 1] * design[a, i]
    largest = 0.0
    for i in range(len(change)):
        largest = max(largest, abs(change[i]))
    return largest


@compiled
def _room(problem: Problem, now: _State, mu: float) -> float:
    """Return what share of the step, 1 at most, leaves something expected in every bin; and renew the pressures.

    A whole step that would take an empty bin just to 0 says that its pressure is right. What is expected is convex
    along a step, so that a share of its slope is safe. Nothing can reach 0 while the signal is positive.
    """
    longest = 1.0
    for j in range(len(problem.signal)):
        i = problem.first + j
        shrinking = -(now.step[0] * problem.signal[j] + now.b[i] * now.change[i]) / now.expected[j]
        if mu + now.step[0] < 0.0:
            longest = max(longest, shrinking / _NEARLY)
        if problem.n[i] == 0.0:
            now.pressure[j] = max(now.pressure[j] * shrinking, _LEAST_PRESSURE)
    return 1.0 / longest


@compiled
def _multiply(now: _State, scale: float, largest: float) -> None:
    """Set what a share of the step adds to the background, ``b (exp(change) - 1)``, and the background after it."""
    b, change, increase, following = now.b, now.change, now.increase, now.following
    if scale * largest > 1.0:
        for i in range(len(b)):
            following[i] = b[i] * np.exp(scale * change[i])
            increase[i] = following[i] - b[i]
        return
    part, doublings = scale, 0
    while part * largest > _SERIES:
        part *= 0.5
        doublings += 1
    for i in range(len(b)):
        x = part * change[i]
        tail = 1 / 120 + x * (1 / 720 + x * (1 / 5040 + x * (1 / 40320 + x / 362880)))
        increase[i] = x * (1.0 + x * (1 / 2 + x * (1 / 6 + x * (1 / 24 + x * tail))))
    for _ in range(doublings):
        for i in range(len(b)):
            increase[i] *= 2.0 + increase[i]
    for i in range(len(b)):
        increase[i] *= b[i]
        following[i] = b[i] + increase[i]


@compiled
def _gain(problem: Problem, now: _State, scale: float) -> float:
    """Return what a share of the step gains in the logarithm of the likelihood; -inf if nothing is expected there."""
    n, signal, first = problem.n, problem.signal, problem.first
    gain, lowest, largest, more = 0.0, 0.0, 0.0, scale * now.step[0]
    ratio = np.empty(len(signal))
    for i in range(len(n)):
        gain += n[i] * scale * now.change[i] - now.increase[i]
    for j in range(len(signal)):
        ratio[j] = (more * signal[j] + now.increase[first + j]) / now.expected[j]
        lowest, largest = min(lowest, ratio[j]), max(largest, abs(ratio[j]))
        gain -= n[first + j] * scale * now.change[first + j] + more * signal[j]
    if lowest <= -1.0:
        return -np.inf
    return gain + _logarithms(n[first : first + len(signal)], ratio, largest)


@compiled
def _logarithms(n: FloatArray, x: FloatArray, largest: float) -> float:
    """Return ``sum n log(1 + x)``; no x is further from 0 than ``largest``."""
    total = 0.0
    if largest < _RATIO:
        for i in range(len(n)):
            u = x[i] / (2.0 + x[i])
            v = u * u
            tail = 2 / 7 + v * (2 / 9 + v * (2 / 11 + v * (2 / 13)))
            total += n[i] * u * (2.0 + v * (2 / 3 + v * (2 / 5 + v * tail)))
    else:
        for i in range(len(n)):
            if n[i] > 0.0:
                total += n[i] * np.log1p(x[i])
    return total
