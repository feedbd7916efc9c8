"""Poisson fits of backgrounds that are linear in their logarithm: ``n_i ~ Pois(exp(sum_j beta_j X_ji) + mu s_i)``.

Without a signal the problem is convex and Newton's iteration finds the one maximum; with a signal it is Fisher scoring.
Orders are nested: one Cholesky factor serves all of them.

Examples
--------
>>> basis = legendre(50, 3)
>>> [round(float(x), 6) for x in (basis[1] ** 2).mean(keepdims=True)], basis.shape
([1.0], (3, 50))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.stats._compiled import compiled

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray

LOWEST, HIGHEST = -9.0, 50.0
"""Bounds of log b: 1e-4 events a bin are as good as none, and no spectrum of counts comes near the other end."""
_MANY = 25.0
_STEP = 2.0
"""The largest change of log b in one iteration: Newton's quadratic is good for no more than that."""
_SMALLEST = 1e-12
_CLOSE, _MOST = 1e-3, 8
"""Newton decrement and number of steps with which a fit with a signal ends."""


def legendre(n_bins: int, terms: int) -> FloatArray:
    """Return orthogonal polynomials over the bins, each of mean square 1; shape (terms, n_bins)."""
    x = (np.arange(n_bins) + 0.5) / n_bins * 2.0 - 1.0
    powers = np.polynomial.legendre.legvander(x, terms - 1)
    orthogonal, upper = np.linalg.qr(powers)
    return np.ascontiguousarray((orthogonal * np.sign(np.diag(upper))).T * np.sqrt(n_bins))


@compiled
def dot(a: FloatArray, b: FloatArray) -> float:
    """Return the inner product of two vectors (free of the overhead of a BLAS call)."""
    total = 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@compiled
def cholesky(gram: FloatArray, size: int) -> None:
    """Replace the lower triangle of a positive matrix by its Cholesky factor, in place."""
    for j in range(size):
        diagonal = gram[j, j]
        for k in range(j):
            diagonal -= gram[j, k] * gram[j, k]
        gram[j, j] = np.sqrt(max(diagonal, _SMALLEST))
        for i in range(j + 1, size):
            value = gram[i, j]
            for k in range(j):
                value -= gram[i, k] * gram[j, k]
            gram[i, j] = value / gram[j, j]


@compiled
def forward(factor: FloatArray, values: FloatArray, size: int) -> None:
    """Replace ``values`` by ``L^-1 values``, in place."""
    for i in range(size):
        total = values[i]
        for k in range(i):
            total -= factor[i, k] * values[k]
        values[i] = total / factor[i, i]


@compiled
def backward(factor: FloatArray, values: FloatArray, size: int) -> None:
    """Replace ``values`` by ``L^-T values``, in place."""
    for i in range(size - 1, -1, -1):
        total = values[i]
        for k in range(i + 1, size):
            total -= factor[k, i] * values[k]
        values[i] = total / factor[i, i]


@compiled
def start(n: FloatArray, use: FloatArray, basis: FloatArray, ridge: FloatArray, beta: FloatArray) -> None:
    """Set beta to the weighted least-squares fit of the logarithm of smoothed counts."""
    terms, n_bins = basis.shape
    reach = max(2, n_bins // 25)
    weighted, weight = np.empty((terms, n_bins)), np.empty(n_bins)
    target = np.empty(n_bins)
    for i in range(n_bins):
        total, bins = 0.0, 0.0
        for j in range(max(i - reach, 0), min(i + reach + 1, n_bins)):
            total += use[j] * n[j]
            bins += use[j]
        # Many events need no smoothing, and steep spectra would suffer from it.
        mean = n[i] if use[i] * n[i] >= _MANY else (total + 0.5) / (bins + 0.5)
        weight[i], target[i] = use[i] * mean, np.log(mean)
    gram = np.zeros((terms, terms))
    for a in range(terms):
        for i in range(n_bins):
            weighted[a, i] = weight[i] * basis[a, i]
        beta[a] = dot(weighted[a], target)
        for c in range(a + 1):
            gram[a, c] = dot(weighted[a], basis[c])
        gram[a, a] += ridge[a] + _SMALLEST
    cholesky(gram, terms)
    forward(gram, beta, terms)
    backward(gram, beta, terms)


@compiled
def exponential(beta: FloatArray, basis: FloatArray, log_b: FloatArray, b: FloatArray) -> None:
    """Set ``log_b`` and ``b`` to the background of ``beta`` (its leading ``len(beta)`` terms)."""
    log_b[:] = 0.0
    for a in range(len(beta)):
        for i in range(len(b)):
            log_b[i] += beta[a] * basis[a, i]
    for i in range(len(b)):
        log_b[i] = min(max(log_b[i], LOWEST), HIGHEST)
        b[i] = np.exp(log_b[i])


@compiled
def fit(
    n: FloatArray,
    use: FloatArray,
    basis: FloatArray,
    ridge: FloatArray,
    beta: FloatArray,
    close: float,
    most: int,
) -> tuple[float, int]:
    """Improve beta by Newton's iteration.

    Parameters
    ----------
    n, use
        Counts, and 1 for every bin that is fitted (0: masked); shape (n_bins,).
    basis, ridge
        Shapes (terms, n_bins) and (terms,): the penalty is ``sum_j ridge_j beta_j^2 / 2``.
    beta
        Where it starts and ends; shape (terms,).
    close
        The Newton decrement (twice the log-likelihood still to be gained) at which it stops.
    most
        The largest number of iterations.

    Returns
    -------
    tuple
        The last decrement, and the iterations taken.
    """
    terms, n_bins = basis.shape
    log_b, b, rest = np.empty(n_bins), np.empty(n_bins), np.empty(n_bins)
    weighted = np.empty((terms, n_bins))
    gram, step = np.empty((terms, terms)), np.empty(terms)
    decrement = np.inf
    for iteration in range(most):
        exponential(beta, basis, log_b, b)
        for i in range(n_bins):
            b[i] *= use[i]
            rest[i] = use[i] * n[i] - b[i]
        for a in range(terms):
            for i in range(n_bins):
                weighted[a, i] = b[i] * basis[a, i]
            for c in range(a + 1):
                gram[a, c] = dot(weighted[a], basis[c])
            gram[a, a] += ridge[a] + _SMALLEST
            step[a] = dot(basis[a], rest) - ridge[a] * beta[a]
        cholesky(gram, terms)
        forward(gram, step, terms)
        decrement = 0.0
        for a in range(terms):
            decrement += step[a] * step[a]
        backward(gram, step, terms)
        _add_step(step, basis, beta)
        if decrement < close:
            return decrement, iteration + 1
    return decrement, most


@compiled
def _add_step(step: FloatArray, basis: FloatArray, beta: FloatArray) -> None:
    """Add a step to beta, shortened where log b would change too much."""
    change, largest = np.zeros(basis.shape[1]), 0.0
    for a in range(len(step)):
        for i in range(len(change)):
            change[i] += step[a] * basis[a, i]
    for i in range(len(change)):
        largest = max(largest, abs(change[i]))
    scale = 1.0 if largest <= _STEP else _STEP / largest
    for a in range(len(step)):
        beta[a] += scale * step[a]


@compiled
def fit_with_signal(
    n: FloatArray,
    use: FloatArray,
    signal: FloatArray,
    basis: FloatArray,
    ridge: FloatArray,
    beta: FloatArray,
    mu: float,
) -> float:
    """Improve beta in place, and return the best mu >= 0 of ``b + mu s``: Fisher scoring, mu being the first parameter.

    Parameters
    ----------
    n, use, signal
        Shape (n_bins,).
    basis, ridge, beta
        As for :func:`fit`.
    mu
        Where mu starts.
    """
    terms, n_bins = basis.shape
    log_b, b, weight, rest = np.empty(n_bins), np.empty(n_bins), np.empty(n_bins), np.empty(n_bins)
    gram, step = np.empty((terms + 1, terms + 1)), np.empty(terms + 1)
    for _ in range(_MOST):
        exponential(beta, basis, log_b, b)
        for i in range(n_bins):
            expected = b[i] + mu * signal[i]
            weight[i] = use[i] / expected
            rest[i] = (n[i] - expected) * weight[i]
        normal_equations(signal, weight, basis, ridge, b, gram)
        step[0] = dot(signal, rest)
        for a in range(terms):
            total = 0.0
            for i in range(n_bins):
                total += b[i] * basis[a, i] * rest[i]
            step[a + 1] = total - ridge[a] * beta[a]
        cholesky(gram, terms + 1)
        forward(gram, step, terms + 1)
        decrement = dot(step, step)
        backward(gram, step, terms + 1)
        mu = max(mu + step[0], 0.0)
        _add_step(step[1:], basis, beta)
        if decrement < _CLOSE:
            break
    return mu


@compiled
def normal_equations(
    signal: FloatArray, weight: FloatArray, basis: FloatArray, ridge: FloatArray, b: FloatArray, gram: FloatArray
) -> None:
    """Fill the lower triangle of the information matrix of (mu, beta); shape (terms + 1, terms + 1)."""
    terms, n_bins = basis.shape
    scaled = np.empty(n_bins)
    for i in range(n_bins):
        scaled[i] = weight[i] * signal[i]
    gram[0, 0] = dot(scaled, signal) + _SMALLEST
    for a in range(terms):
        for i in range(n_bins):
            scaled[i] = weight[i] * b[i] * basis[a, i]
        gram[a + 1, 0] = dot(scaled, signal)
        for i in range(n_bins):
            scaled[i] *= b[i]
        for c in range(a + 1):
            gram[a + 1, c + 1] = dot(scaled, basis[c])
        gram[a + 1, a + 1] += ridge[a] + _SMALLEST
