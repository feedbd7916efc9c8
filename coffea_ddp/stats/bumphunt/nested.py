"""One fit, all orders: what backgrounds of fewer terms would leave over, and the candidate they agree on (compiled).

Notation, for one spectrum: ``b`` the fitted background, ``A = sqrt(b) X`` the whitened basis, ``A^T A + R = L L^T``,
``Q = A L^-T`` (its columns for fewer terms are those of the fit with fewer terms), ``d = L^T beta`` the components. The
residual of the fit with K terms is then ``r + sum_{j >= K} d_j q_j``, and the efficient score of a template v is
``v . r_K / sqrt(v . v - sum_{j < K} (v . q_j)^2)``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from coffea_ddp.stats.bumphunt.loglinear import (
    backward,
    cholesky,
    dot,
    exponential,
    fit,
    fit_with_signal,
    normal_equations,
    start,
)
from coffea_ddp.stats.rectangles import compiled

LARGEST = 60.0
"""Estimates of z are cut here: beyond, something else than a bump is wrong with the fit."""
_STRETCH, _PILOT = 0.15, 5
"""The coordinate of the polynomials advances by this power of a first background, of so many terms."""
_CLOSE = 1e-3
"""Twice the log-likelihood that may be left to gain: features need no more."""
_SHARE = 0.999
"""A signal of which the background can imitate all but this is not measured."""
_SEEN = 0.9
"""A candidate is not looked for where the background can imitate more of it."""


class Problem(NamedTuple):
    """One spectrum: counts, what is used, the templates, the basis and the ridge (numba knows named tuples)."""

    n: Any
    use: Any
    table: Any
    basis: Any
    ridge: Any


@compiled
def asimov(score: float, effective: float) -> float:
    """Return z of a score ``(n - b) / sqrt(b)`` on an effective background b: sqrt(q0) instead of its first order."""
    x = score / np.sqrt(effective)
    if abs(x) < 1e-3:
        z = score * (1.0 - x / 6.0)
    elif x <= -1.0:
        z = -np.sqrt(2.0 * effective)
    else:
        z = np.sign(x) * np.sqrt(max(2.0 * effective * ((1.0 + x) * np.log1p(x) - x), 0.0))
    return float(min(max(z, -LARGEST), LARGEST))


@compiled
def adapted(n: Any, use: Any, basis: Any, ridge: Any) -> Any:
    """Return Legendre polynomials of a coordinate that is stretched where there are many events; shape of ``basis``.

    Steep spectra need their flexibility at their upper edge of events, where a polynomial of the mass has little.
    """
    n_bins, terms = len(n), len(basis)
    log_b, b, t = np.empty(n_bins), np.empty(n_bins), np.empty(n_bins)
    beta = np.empty(_PILOT)
    start(n, use, basis[:_PILOT], ridge, beta)
    fit(n, use, basis[:_PILOT], ridge, beta, 10.0 * _CLOSE, 4)
    exponential(beta, basis[:_PILOT], log_b, b)
    total = 0.0
    for i in range(n_bins):
        share = (b[i] + 0.5) ** _STRETCH
        t[i] = total + 0.5 * share
        total += share
    stretched = np.empty((terms, n_bins))
    for i in range(n_bins):
        x = 2.0 * t[i] / total - 1.0
        stretched[0, i], stretched[1, i] = 1.0, x
        for a in range(2, terms):
            stretched[a, i] = ((2 * a - 1) * x * stretched[a - 1, i] - (a - 1) * stretched[a - 2, i]) / a
        for a in range(terms):
            stretched[a, i] *= np.sqrt(2.0 * a + 1.0)
    return stretched


@compiled
def whiten(use: Any, b: Any, basis: Any, ridge: Any, beta: Any, white: Any, component: Any) -> None:
    """Set ``white`` to Q^T, shape (terms, n_bins), and ``component`` to d, shape (terms,)."""
    terms, n_bins = basis.shape
    gram = np.empty((terms, terms))
    for a in range(terms):
        for i in range(n_bins):
            white[a, i] = use[i] * np.sqrt(b[i]) * basis[a, i]
        for c in range(a + 1):
            gram[a, c] = dot(white[a], white[c])
        gram[a, a] += ridge[a] + 1e-12
    cholesky(gram, terms)
    for a in range(terms):
        for c in range(a):
            for i in range(n_bins):
                white[a, i] -= gram[a, c] * white[c, i]
        component[a] = 0.0
        for c in range(a, terms):
            component[a] += gram[c, a] * beta[c]
        for i in range(n_bins):
            white[a, i] /= gram[a, a]


@compiled
def efficient_scores(
    problem: Any, b: Any, orders: Any, white: Any, component: Any, score: Any, share: Any, size: Any
) -> None:
    """Set score and share, shape (n_orders, n_bins), and the norm and effective background of every template.

    ``score`` is the efficient score, ``share`` the part of the template that the background can imitate, and ``size``,
    shape (2, n_bins), holds ``v . v`` and the background of a single bin of the same significance.
    """
    n, use, table = problem.n, problem.use, problem.table
    n_bins, terms = len(n), len(white)
    half = table.shape[1] // 2
    v, g = np.empty(table.shape[1]), np.empty(terms)
    root, rest = np.empty(n_bins), np.empty(n_bins)
    for i in range(n_bins):
        root[i] = use[i] / np.sqrt(b[i])
        rest[i] = (n[i] - b[i]) * root[i]
    for k in range(n_bins):
        first, stop = max(k - half, 0), min(k + half + 1, n_bins)
        total, own, square = 0.0, 0.0, 1e-12
        for i in range(first, stop):
            s = table[k, half - k + i]
            part = s * root[i]
            v[i - first] = part
            total += s * use[i]
            square += part * part
            own += part * rest[i]
        for a in range(terms):
            g[a] = dot(v[: stop - first], white[a, first:stop])
        size[0, k], size[1, k] = square, max(total * total / square, 1e-6)
        lost, a = 0.0, 0
        above = own + dot(component, g)
        for order in range(len(orders)):
            while a < orders[order]:
                above -= component[a] * g[a]
                lost += g[a] * g[a]
                a += 1
            share[order, k] = min(lost / square, _SHARE)
            score[order, k] = above / np.sqrt(square * (1.0 - share[order, k]))


@compiled
def choose(z: Any, share: Any, use: Any, component: Any, orders: Any) -> tuple[int, int]:
    """Return the order and the bin of the candidate with the best information criterion of background and signal."""
    n_bins = z.shape[1]
    best, place, smallest = 0, n_bins // 2, np.inf
    for order in range(len(orders)):
        criterion = np.log(float(n_bins)) * orders[order]
        for a in range(orders[order], len(component)):
            criterion += component[a] * component[a]
        top, where = 0.0, n_bins // 2
        for k in range(n_bins):
            if z[order, k] > top and share[order, k] < _SEEN and use[k] > 0.0:
                top, where = float(z[order, k]), k
        criterion -= top * top
        if criterion < smallest:
            best, place, smallest = order, where, criterion
    return best, place


@compiled
def cleaned(problem: Any, signal: Any, beta: Any, amplitude: float, orders: Any, log_b: Any, b: Any) -> None:
    """Set the backgrounds of several orders, the candidate fitted beside them; shape (n_orders, n_bins) each.

    The signal is the first parameter, so that the nested fits keep it.
    """
    n, use, basis, ridge = problem.n, problem.use, problem.basis, problem.ridge
    n_bins, terms = len(n), len(beta)
    amplitude = fit_with_signal(n, use, signal, basis, ridge, beta, amplitude)
    weight, log_all, b_all = np.empty(n_bins), np.empty(n_bins), np.empty(n_bins)
    exponential(beta, basis, log_all, b_all)
    for i in range(n_bins):
        weight[i] = use[i] / (b_all[i] + amplitude * signal[i])
    full = np.empty((terms + 1, terms + 1))
    normal_equations(signal, weight, basis, ridge, b_all, full)
    cholesky(full, terms + 1)
    component, reduced = np.empty(terms + 1), np.empty(terms + 1)
    for a in range(terms + 1):
        component[a] = full[a, a] * (amplitude if a == 0 else beta[a - 1])
        for c in range(a + 1, terms + 1):
            component[a] += full[c, a] * beta[c - 1]
    for number in range(len(orders)):
        size = orders[number] + 1
        reduced[:size] = component[:size]
        backward(full, reduced, size)
        exponential(reduced[1:size], basis, log_b[number], b[number])


@compiled
def fixed_scores(n: Any, use: Any, table: Any, b: Any, z: Any) -> None:
    """Set z to the significance at every bin with the background b taken as known; shape (n_bins,)."""
    n_bins = len(n)
    half = table.shape[1] // 2
    over, rest = np.empty(n_bins), np.empty(n_bins)
    for i in range(n_bins):
        over[i] = 1.0 / b[i]
        rest[i] = (n[i] - b[i]) * over[i]
    for k in range(n_bins):
        total, own, square = 0.0, 0.0, 1e-12
        for i in range(max(k - half, 0), min(k + half + 1, n_bins)):
            s = table[k, half - k + i] * use[i]
            total += s
            own += s * rest[i]
            square += s * s * over[i]
        z[k] = asimov(own / np.sqrt(square), max(total * total / square, 1e-6))
