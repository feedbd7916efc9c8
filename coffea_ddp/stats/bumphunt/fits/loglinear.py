"""Poisson fits of backgrounds that are linear in their logarithm: ``n_i ~ Pois(exp(sum_j beta_j X_ji))``.

The problem is convex, and Newton's iteration finds the one maximum. Many spectra are fitted by one call (compiled).

Examples
--------
>>> basis = legendre(50, 3)
>>> [round(float(x), 6) for x in (basis[1] ** 2).mean(keepdims=True)], basis.shape
([1.0], (3, 50))
>>> counts = np.round(1e3 * np.exp(-np.linspace(0.0, 2.0, 50)))[None]
>>> polynomials = Polynomials(basis[None], np.zeros(3), np.array([3]))
>>> beta = start(counts, np.ones((1, 50)), polynomials)
>>> left, steps = fit(counts, np.ones((1, 50)), polynomials, beta, 1e-9, 20)
>>> bool(left[0] < 1e-9), bool(abs(exponential(beta, basis[None])[1] - counts).max() < 1.0)
(True, True)
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from coffea_ddp.stats._compiled import compiled

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray

_Arrays = TypeVar("_Arrays", bound=tuple[Any, ...])

LOWEST, HIGHEST = -9.0, 50.0
"""Bounds of log b: 1e-4 events a bin are as good as none, and no spectrum of counts comes near the other end."""
_MANY = 25.0
_STEP = 2.0
"""The largest change of log b in one iteration: Newton's quadratic is good for no more than that."""
SMALLEST = 1e-12


class Polynomials(NamedTuple):
    """Backgrounds of many spectra, and how many terms each has.

    Attributes
    ----------
    basis
        X, shape (n_spectra, most_terms, n_bins); or (1, most_terms, n_bins), the same for all.
    ridge
        The penalty of beta is ``sum_j ridge_j beta_j^2 / 2``; shape (most_terms,).
    terms
        Those that are used, the leading ones; shape (n_spectra,).
    """

    basis: FloatArray
    ridge: FloatArray
    terms: IntArray

    def of(self, rows: IntArray) -> Polynomials:
        """Return those of some spectra."""
        shared = len(self.basis) != len(self.terms)
        return Polynomials(self.basis if shared else self.basis[rows], self.ridge, self.terms[rows])


def rows_of(arrays: _Arrays, rows: IntArray) -> _Arrays:
    """Return some rows of every array of a named tuple of arrays.

    Examples
    --------
    >>> class Pair(NamedTuple):
    ...     a: np.ndarray
    ...     b: np.ndarray
    >>> rows_of(Pair(np.arange(3), np.eye(3)), np.array([1]))
    Pair(a=array([1]), b=array([[0., 1., 0.]]))
    """
    return type(arrays)(*(array[rows] for array in arrays))


def legendre(n_bins: int, terms: int) -> FloatArray:
    """Return orthogonal polynomials over the bins, each of mean square 1; shape (terms, n_bins)."""
    # A copy: compiled functions would be compiled anew for an array that cannot be written to.
    return _legendre(n_bins, terms).copy()


@lru_cache(maxsize=256)
def _legendre(n_bins: int, terms: int) -> FloatArray:
    x = (np.arange(n_bins) + 0.5) / n_bins * 2.0 - 1.0
    powers = np.polynomial.legendre.legvander(x, terms - 1)
    orthogonal, upper = np.linalg.qr(powers)
    found = np.ascontiguousarray((orthogonal * np.sign(np.diag(upper))).T * np.sqrt(n_bins))
    found.flags.writeable = False
    return found


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
        gram[j, j] = np.sqrt(max(diagonal, SMALLEST))
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


def exponential(beta: FloatArray, basis: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return log b, within its bounds, and b; shape (n_spectra, ..., n_bins).

    Parameters
    ----------
    beta
        Shape (n_spectra, ..., terms).
    basis
        As of :class:`Polynomials`.
    """
    log_b = np.empty((*beta.shape[:-1], basis.shape[2]))
    shape = (len(beta), -1)
    _predict_all(beta.reshape(*shape, beta.shape[-1]), basis, log_b.reshape(*shape, basis.shape[2]))
    np.clip(log_b, LOWEST, HIGHEST, out=log_b)
    return log_b, np.exp(log_b)


@compiled
def _predict_all(beta: FloatArray, basis: FloatArray, log_b: FloatArray) -> None:
    for row in range(len(beta)):
        x = basis[min(row, len(basis) - 1)]
        for number in range(beta.shape[1]):
            predict(beta[row, number], x, log_b[row, number])


def start(n: FloatArray, use: FloatArray, polynomials: Polynomials) -> FloatArray:
    """Return beta of the weighted least-squares fit of the logarithm of smoothed counts; shape (n_spectra, most_terms).

    Parameters
    ----------
    n, use
        Counts, and 1 for every bin that is fitted (0: masked); shape (n_spectra, n_bins).
    polynomials
        The backgrounds.
    """
    n_bins = n.shape[1]
    reach = max(2, n_bins // 25)
    used = use * n
    first = np.maximum(np.arange(n_bins) - reach, 0)
    stop = np.minimum(np.arange(n_bins) + reach + 1, n_bins)
    total, bins = (_window_sums(values, first, stop) for values in (used, use))
    # Many events need no smoothing, and steep spectra would suffer from it.
    mean = np.where(used >= _MANY, n, (total + 0.5) / (bins + 0.5))
    weight = use * mean
    beta = np.zeros((len(n), polynomials.basis.shape[1]))
    _least_squares(weight, weight * np.log(mean), polynomials, beta)
    return beta


def _window_sums(values: FloatArray, first: IntArray, stop: IntArray) -> FloatArray:
    sums = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return np.asarray(sums[:, stop] - sums[:, first])


@compiled
def _least_squares(weight: FloatArray, weighted: FloatArray, polynomials: Polynomials, beta: FloatArray) -> None:
    """Set beta to the weighted least-squares fit; ``weighted`` is the target times its weight."""
    basis, ridge, terms = polynomials
    most, n_bins = basis.shape[1], basis.shape[2]
    gram, column = np.empty((most, most)), np.empty(n_bins)
    for row in range(len(weight)):
        x, size = basis[min(row, len(basis) - 1)], terms[row]
        for a in range(size):
            for i in range(n_bins):
                column[i] = weight[row, i] * x[a, i]
            for c in range(a + 1):
                gram[a, c] = dot(column, x[c])
            gram[a, a] += ridge[a] + SMALLEST
            beta[row, a] = dot(x[a], weighted[row])
        cholesky(gram, size)
        forward(gram, beta[row], size)
        backward(gram, beta[row], size)


def fit(
    n: FloatArray, use: FloatArray, polynomials: Polynomials, beta: FloatArray, close: float, most: int
) -> tuple[FloatArray, IntArray]:
    """Improve beta, shape (n_spectra, most_terms), in place by Newton's iteration.

    Parameters
    ----------
    n, use, polynomials
        As for :func:`start`.
    beta
        Where it starts and ends; 0 for terms that are not used.
    close
        The Newton decrement (twice the log-likelihood still to be gained) at which it stops.
    most
        The largest number of iterations.

    Returns
    -------
    tuple
        The last decrement, and the iterations taken; shape (n_spectra,) each.
    """
    left, taken = np.empty(len(n)), np.empty(len(n), dtype=np.int64)
    _fit_all(n, use, polynomials, beta, close, most, left, taken)
    return left, taken


@compiled
def _fit_all(
    n: FloatArray,
    use: FloatArray,
    polynomials: Polynomials,
    beta: FloatArray,
    close: float,
    most: int,
    left: FloatArray,
    taken: IntArray,
) -> None:
    basis, ridge, terms = polynomials
    most_terms, n_bins = basis.shape[1], basis.shape[2]
    gram, step, log_b = np.empty((most_terms, most_terms)), np.empty(most_terms), np.empty(n_bins)
    column, change, b, rest = np.empty(n_bins), np.empty(n_bins), np.empty(n_bins), np.empty(n_bins)
    for row in range(len(n)):
        x, size = basis[min(row, len(basis) - 1)], terms[row]
        predict(beta[row, :size], x, log_b)
        for iteration in range(most):
            for i in range(n_bins):
                b[i] = use[row, i] * np.exp(min(max(log_b[i], LOWEST), HIGHEST))
                rest[i] = use[row, i] * n[row, i] - b[i]
            for a in range(size):
                for i in range(n_bins):
                    column[i] = b[i] * x[a, i]
                for c in range(a + 1):
                    gram[a, c] = dot(column, x[c])
                gram[a, a] += ridge[a] + SMALLEST
                step[a] = dot(x[a], rest) - ridge[a] * beta[row, a]
            cholesky(gram, size)
            forward(gram, step, size)
            left[row], taken[row] = dot(step[:size], step[:size]), iteration + 1
            backward(gram, step, size)
            add_step(step[:size], x, beta[row], log_b, change)
            if left[row] < close:
                break


@compiled
def predict(beta: FloatArray, basis: FloatArray, log_b: FloatArray) -> None:
    """Set ``log_b`` to ``beta X`` of one spectrum."""
    log_b[:] = 0.0
    for a in range(len(beta)):
        for i in range(len(log_b)):
            log_b[i] += beta[a] * basis[a, i]


@compiled
def add_step(step: FloatArray, basis: FloatArray, beta: FloatArray, log_b: FloatArray, change: FloatArray) -> None:
    """Add a step to beta and to log b, shortened where log b would change too much."""
    largest = 0.0
    change[:] = 0.0
    for a in range(len(step)):
        for i in range(len(change)):
            change[i] += step[a] * basis[a, i]
    for i in range(len(change)):
        largest = max(largest, abs(change[i]))
    scale = 1.0 if largest <= _STEP else _STEP / largest
    for a in range(len(step)):
        beta[a] += scale * step[a]
    for i in range(len(change)):
        log_b[i] += scale * change[i]
