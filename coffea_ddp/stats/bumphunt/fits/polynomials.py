"""One fit, all orders: what backgrounds of fewer terms would leave over, and the candidate they agree on (compiled).

Notation, for one spectrum: ``b`` the fitted background, ``A = sqrt(b) X`` the whitened basis, ``A^T A + R = L L^T``,
``Q = A L^-T`` (its columns for fewer terms are those of the fit with fewer terms), ``d = L^T beta`` the components. The
residual of the fit with K terms is then ``r + sum_{j >= K} d_j q_j``, and the efficient score of a template v is
``v . r_K / sqrt(v . v - sum_{j < K} (v . q_j)^2)``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.bumphunt.fits.loglinear import (
    backward,
    cholesky,
    dot,
    exponential,
    fit,
    fit_with_signal,
    normal_equations,
    start,
)

LARGEST = 60.0
"""Estimates of z are cut here: beyond, something else than a bump is wrong with the fit."""
_SMALL = 0.1
_STRETCH, _PILOT = 0.15, 5
"""The coordinate of the polynomials advances by this power of a first background, of so many terms."""
_CLOSE = 1e-3
"""Twice the log-likelihood that may be left to gain: features need no more."""
_SHARE = 0.999
"""A signal of which the background can imitate all but this is not measured."""
_SEEN = 0.9
"""A candidate is not looked for where the background can imitate more of it."""


class Problem(NamedTuple):
    """One spectrum (numba knows named tuples).

    Attributes
    ----------
    n, use
        Counts, and 1 for every bin that is used (0: masked); shape (n_bins,).
    table, squared
        The template of bin k is ``table[:, k]``, at the bins ``k - half`` to ``k + half``; and the squares of it.
    basis, ridge
        Of the background.
    """

    n: Any
    use: Any
    table: Any
    squared: Any
    basis: Any
    ridge: Any


@compiled
def asimov(score: float, effective: float) -> float:
    """Return z of a score ``(n - b) / sqrt(b)`` on an effective background b: sqrt(q0) instead of its first order."""
    x = score / np.sqrt(effective)
    if abs(x) < _SMALL:
        # The series of the logarithm, several times faster: to 1e-7.
        z = score * np.sqrt(1.0 - x * (1 / 3 - x * (1 / 6 - x * (1 / 10 - x * (1 / 15 - x / 21)))))
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
    orthogonal(white, ridge, gram)
    for a in range(terms):
        component[a] = 0.0
        for c in range(a, terms):
            component[a] += gram[c, a] * beta[c]


@compiled
def orthogonal(columns: Any, ridge: Any, factor: Any) -> None:
    """Make columns A, shape (terms, n_bins), orthonormal in place, ``A L^-T``, and set ``factor`` to L."""
    terms, n_bins = columns.shape
    for a in range(terms):
        for c in range(a + 1):
            factor[a, c] = dot(columns[a], columns[c])
        factor[a, a] += ridge[a] + 1e-12
    cholesky(factor, terms)
    for a in range(terms):
        for c in range(a):
            for i in range(n_bins):
                columns[a, i] -= factor[a, c] * columns[c, i]
        for i in range(n_bins):
            columns[a, i] /= factor[a, a]


@compiled
def folded(table: Any, values: Any, out: Any) -> None:
    """Set ``out`` to the sum of values under every template: one offset for all bins at a time, which is fast."""
    n_bins, half = len(values), len(table) // 2
    out[:] = 0.0
    for j in range(len(table)):
        first, stop = max(half - j, 0), min(n_bins - j + half, n_bins)
        # Slices: no index could be negative, so that the loop becomes vector instructions.
        into, some, row = out[first:stop], values[first + j - half : stop + j - half], table[j, first:stop]
        for k in range(len(into)):
            into[k] += row[k] * some[k]


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
    root, values = np.empty(n_bins), np.empty(n_bins)
    above, lost, g = np.empty(n_bins), np.zeros(n_bins), np.empty((terms, n_bins))
    for i in range(n_bins):
        root[i] = use[i] / np.sqrt(b[i])
        values[i] = root[i] * root[i]
    sizes(problem, values, size)
    for i in range(n_bins):
        values[i] = (n[i] - b[i]) * values[i]
    folded(table, values, above)
    for a in range(terms):
        for i in range(n_bins):
            values[i] = root[i] * white[a, i]
        folded(table, values, g[a])
        for k in range(n_bins):
            above[k] += component[a] * g[a, k]
    a = 0
    for order in range(len(orders)):
        while a < orders[order]:
            for k in range(n_bins):
                above[k] -= component[a] * g[a, k]
                lost[k] += g[a, k] * g[a, k]
            a += 1
        for k in range(n_bins):
            share[order, k] = min(lost[k] / size[0, k], _SHARE)
            score[order, k] = above[k] / np.sqrt(size[0, k] * (1.0 - share[order, k]))


@compiled
def sizes(problem: Any, inverse: Any, size: Any) -> None:
    """Set ``v . v`` of every template and its effective background, of the inverse of the expected counts."""
    folded(problem.squared, inverse, size[0])
    folded(problem.table, problem.use, size[1])
    for k in range(len(inverse)):
        size[0, k] += 1e-12
        size[1, k] = max(size[1, k] * size[1, k] / size[0, k], 1e-6)


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
def cleaned(problem: Any, signal: Any, beta: Any, amplitude: float, orders: Any, log_b: Any, b: Any) -> float:
    """Set the backgrounds of several orders, the candidate fitted beside them; shape (n_orders, n_bins) each.

    Returns the strength of the candidate beside the last of them. The signal is the first parameter, so that the
    nested fits keep it.
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
    return float(max(reduced[0], 0.0))


@compiled
def fixed_scores(problem: Any, b: Any, z: Any) -> None:
    """Set z to the significance at every bin with the background b taken as known; shape (n_bins,)."""
    n_bins = len(b)
    inverse, rest, own, size = np.empty(n_bins), np.empty(n_bins), np.empty(n_bins), np.empty((2, n_bins))
    for i in range(n_bins):
        inverse[i] = problem.use[i] / b[i]
        rest[i] = (problem.n[i] - b[i]) * inverse[i]
    sizes(problem, inverse, size)
    folded(problem.table, rest, own)
    for k in range(n_bins):
        z[k] = asimov(own[k] / np.sqrt(size[0, k]), size[1, k])


@compiled
def template(table: Any, k: int) -> Any:
    """Return the template of bin k over all bins."""
    half, n_bins = table.shape[0] // 2, table.shape[1]
    row = np.zeros(n_bins)
    for i in range(max(k - half, 0), min(k + half + 1, n_bins)):
        row[i] = table[half - k + i, k]
    return row
