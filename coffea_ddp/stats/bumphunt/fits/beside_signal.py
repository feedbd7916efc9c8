"""Poisson fits of a background and a signal: ``n_i ~ Pois(exp(sum_j beta_j X_ji) + mu s_i)``, by Fisher scoring.

Orders are nested: one Cholesky factor of the information matrix, mu being the first parameter, serves all of them.
Many spectra are fitted by one call (compiled).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.bumphunt.fits.loglinear import (
    HIGHEST,
    LOWEST,
    SMALLEST,
    Polynomials,
    add_step,
    backward,
    cholesky,
    dot,
    exponential,
    forward,
    predict,
)
from coffea_ddp.stats.bumphunt.fits.signals import Spectra

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray

_CLOSE, _MOST = 1e-3, 8
"""Newton decrement and number of steps with which a fit ends."""


def fit_with_signal(
    n: FloatArray, use: FloatArray, signal: FloatArray, polynomials: Polynomials, beta: FloatArray, mu: FloatArray
) -> FloatArray:
    """Improve beta in place, and return the best mu >= 0 of ``b + mu s``: Fisher scoring, mu being the first parameter.

    Parameters
    ----------
    n, use, signal
        Shape (n_spectra, n_bins).
    polynomials, beta
        As for :func:`fit`.
    mu
        Where mu starts, shape (n_spectra,).
    """
    mu = np.array(mu, dtype=np.float64)
    _fit_all_with_signal(n, use, signal, polynomials, beta, mu)
    return mu


@compiled
def _fit_all_with_signal(
    n: FloatArray, use: FloatArray, signal: FloatArray, polynomials: Polynomials, beta: FloatArray, mu: FloatArray
) -> None:
    basis, ridge, terms = polynomials
    most, n_bins = basis.shape[1], basis.shape[2]
    gram, step, log_b = np.empty((most + 1, most + 1)), np.empty(most + 1), np.empty(n_bins)
    column, change, rest, pull = np.empty(n_bins), np.empty(n_bins), np.empty(n_bins), np.empty(n_bins)
    products = np.empty((3, n_bins))
    for row in range(len(n)):
        x, size = basis[min(row, len(basis) - 1)], terms[row]
        predict(beta[row, :size], x, log_b)
        for _ in range(_MOST):
            for i in range(n_bins):
                b, s = np.exp(min(max(log_b[i], LOWEST), HIGHEST)), signal[row, i]
                expected = b + mu[row] * s
                weight = use[row, i] / expected
                rest[i] = (n[row, i] - expected) * weight
                pull[i] = b * rest[i]
                products[0, i], products[1, i], products[2, i] = weight * s * s, weight * s * b, weight * b * b
            _normal_equations(products, x, ridge, size, column, gram)
            step[0] = dot(signal[row], rest)
            for a in range(size):
                step[a + 1] = dot(x[a], pull) - ridge[a] * beta[row, a]
            cholesky(gram, size + 1)
            forward(gram, step, size + 1)
            left = dot(step[: size + 1], step[: size + 1])
            backward(gram, step, size + 1)
            mu[row] = max(mu[row] + step[0], 0.0)
            add_step(step[1 : size + 1], x, beta[row], log_b, change)
            if left < _CLOSE:
                break


@compiled
def _normal_equations(
    products: FloatArray, basis: FloatArray, ridge: FloatArray, size: int, column: FloatArray, gram: FloatArray
) -> None:
    """Fill the lower triangle of the information matrix of (mu, beta) of one spectrum.

    ``products`` are s s, s b and b b, over what is expected, 0 where masked; shape (3, n_bins).
    """
    gram[0, 0] = SMALLEST
    for i in range(len(column)):
        gram[0, 0] += products[0, i]
    for a in range(size):
        gram[a + 1, 0] = dot(basis[a], products[1])
        for i in range(len(column)):
            column[i] = products[2, i] * basis[a, i]
        for c in range(a + 1):
            gram[a + 1, c + 1] = dot(column, basis[c])
        gram[a + 1, a + 1] += ridge[a] + SMALLEST


def fits_of_fewer_terms(
    use: FloatArray, signal: FloatArray, polynomials: Polynomials, mu: FloatArray, beta: FloatArray, orders: IntArray
) -> FloatArray:
    """Return (mu, beta) of fits of fewer terms, to first order from that of all.

    With the information matrix ``M M^T`` of (mu, beta) and the components ``M^T (mu, beta)``, the leading ones alone
    give the fits of fewer terms; the signal is the first parameter, so that all of them have it.

    Parameters
    ----------
    use, signal, polynomials, mu, beta
        Of the fit.
    orders
        Numbers of terms, shape (n_spectra, n_orders).

    Returns
    -------
    FloatArray
        Shape (n_spectra, n_orders, most_terms + 1); 0 for terms that are not used.
    """
    _, b = exponential(beta, polynomials.basis)
    weight = use / (b + mu[:, None] * signal)
    products = np.stack([weight * signal * signal, weight * signal * b, weight * b * b], axis=1)
    theta = np.zeros((*orders.shape, polynomials.basis.shape[1] + 1))
    _set_fewer(products, polynomials, mu, beta, orders, theta)
    return theta


@compiled
def _set_fewer(
    products: FloatArray,
    polynomials: Polynomials,
    mu: FloatArray,
    beta: FloatArray,
    orders: IntArray,
    theta: FloatArray,
) -> None:
    basis, ridge, terms = polynomials
    most, n_bins = basis.shape[1], basis.shape[2]
    factor, d, column = np.empty((most + 1, most + 1)), np.empty(most + 1), np.empty(n_bins)
    for row in range(len(mu)):
        size = terms[row]
        _normal_equations(products[row], basis[min(row, len(basis) - 1)], ridge, size, column, factor)
        cholesky(factor, size + 1)
        for a in range(size + 1):
            d[a] = factor[a, a] * (mu[row] if a == 0 else beta[row, a - 1])
            for c in range(a + 1, size + 1):
                d[a] += factor[c, a] * beta[row, c - 1]
        for number in range(orders.shape[1]):
            for a in range(orders[row, number] + 1):
                theta[row, number, a] = d[a]
            backward(factor, theta[row, number], orders[row, number] + 1)


class Beside(NamedTuple):
    """Fits beside a candidate.

    Attributes
    ----------
    mu
        Strength of the candidate beside the last of several orders, shape (n_spectra,).
    log_b, b
        Backgrounds of the orders, shape (n_spectra, n_orders, n_bins).
    """

    mu: FloatArray
    log_b: FloatArray
    b: FloatArray


def backgrounds_beside(
    spectra: Spectra, signal: FloatArray, beta: FloatArray, mu: FloatArray, orders: IntArray
) -> Beside:
    """Return the strength of candidates beside the last of several orders, and the background of each beside them.

    ``n ~ Pois(b + mu s)`` is fitted with all terms, from ``beta`` (improved in place) and mu on; fits of fewer terms
    are those of :func:`fits_of_fewer_terms`.

    Parameters
    ----------
    spectra
        With the number of terms of each.
    signal
        The candidates, shape (n_spectra, n_bins).
    beta, mu
        Shapes (n_spectra, most_terms) and (n_spectra,).
    orders
        Numbers of terms, no more than each has; shape (n_spectra, n_orders).
    """
    polynomials = spectra.polynomials
    mu = fit_with_signal(spectra.n, spectra.use, signal, polynomials, beta, mu)
    theta = fits_of_fewer_terms(spectra.use, signal, polynomials, mu, beta, orders)
    log_b, b = exponential(theta[:, :, 1:].copy(), polynomials.basis)
    return Beside(np.maximum(theta[:, -1, 0], 0.0), log_b, b)
