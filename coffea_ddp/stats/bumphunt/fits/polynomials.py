"""Nested polynomial backgrounds: one fit of J terms gives the efficient scores beside every fit of fewer (compiled).

``log b = sum_j beta_j X_j``, with the penalty ``sum_j R_j beta_j^2 / 2``, is fitted to the counts n. With
``A = sqrt(b) X`` and the Cholesky factor of ``A^T A + R = L L^T``, the columns q_j of ``Q = A L^-T`` are the whitened
polynomials, and ``d = L^T beta`` their components. To first order, the fit with K < J terms has the residuals

``r_K = (n - b) / sqrt(b) + sum_{j >= K} d_j q_j``,

and the efficient score of a signal s, with ``v = s / sqrt(b)``, is ``v . r_K / sqrt(v . v (1 - lambda_K))``, where
``lambda_K = sum_{j < K} (v . q_j)^2 / v . v`` is the share of the signal that the background can imitate.

Examples
--------
>>> round(asimov(3.0, 100.0), 3)  # 30 events on 100
2.866
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

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

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray, RealArray

LARGEST = 60.0
"""Estimates of z are cut here: beyond, something else than a bump is wrong with the fit."""
_SMALL = 0.1
_STRETCH, _PILOT = 0.15, 5
"""The coordinate of the polynomials advances by this power of a first background, which has this number of terms."""
_CLOSE = 1e-3
"""Twice the log-likelihood that may be left to gain: features need no more."""
MOST_IMITATED = 0.999
"""The largest share of a signal that a background is said to imitate: beyond, nothing is measured."""
SEARCHED = 0.9
"""A candidate is searched for where the background can imitate less than this share of it."""


class Problem(NamedTuple):
    """One spectrum, the signals that are searched for, and the polynomials of the background.

    Attributes
    ----------
    n, use
        Counts, and 1 for every bin that is used (0: masked); shape (n_bins,).
    table, squared
        The template of bin k is ``table[:, k]``, at the bins ``k - half`` to ``k + half``; and the squares of it; shape
        (2 half + 1, n_bins).
    basis
        X, shape (terms, n_bins).
    ridge
        R, shape (terms,).
    """

    n: FloatArray
    use: FloatArray
    table: FloatArray
    squared: FloatArray
    basis: FloatArray
    ridge: FloatArray


class Whitened(NamedTuple):
    """Whitened polynomials of a fitted background, and its components.

    Attributes
    ----------
    q
        Q^T, shape (terms, n_bins).
    d
        L^T beta, shape (terms,).
    """

    q: FloatArray
    d: FloatArray


class Norms(NamedTuple):
    """Norms of the templates beside a background b, shape (n_bins,) each.

    Attributes
    ----------
    vv
        ``v . v``.
    effective
        ``(sum s)^2 / v . v``: the background of a single bin in which the signal has the same significance.
    """

    vv: FloatArray
    effective: FloatArray


class Scores(NamedTuple):
    """Efficient scores of a signal at every bin beside the nested backgrounds.

    Attributes
    ----------
    score
        Shape (n_orders, n_bins).
    share
        lambda, the share of the signal that the background can imitate; shape (n_orders, n_bins).
    norms
        Of the templates.
    """

    score: FloatArray
    share: FloatArray
    norms: Norms


class Backgrounds(NamedTuple):
    """Fitted backgrounds of several numbers of terms, shape (n_orders, n_bins) each.

    Attributes
    ----------
    log_b, b
        Logarithms and values.
    """

    log_b: FloatArray
    b: FloatArray


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
def adapted(n: FloatArray, use: FloatArray, basis: FloatArray, ridge: FloatArray) -> FloatArray:
    """Return Legendre polynomials of a coordinate t that is stretched where there are many events; shape of ``basis``.

    ``dt ~ (b + 1/2)^0.15`` with a first background b of few terms: steep spectra need their flexibility at their upper
    edge of events, where a polynomial of the mass has little.
    """
    n_bins, terms = len(n), len(basis)
    log_b, b, t = np.empty(n_bins), np.empty(n_bins), np.empty(n_bins)
    beta = np.empty(_PILOT)
    start(n, use, basis[:_PILOT], ridge, beta)
    fit(n, use, basis[:_PILOT], ridge, beta, 10.0 * _CLOSE, 4)
    exponential(beta, basis[:_PILOT], log_b, b)
    total = 0.0
    for i in range(n_bins):
        dt = (b[i] + 0.5) ** _STRETCH
        t[i] = total + 0.5 * dt
        total += dt
    legendre = np.empty((terms, n_bins))
    for i in range(n_bins):
        x = 2.0 * t[i] / total - 1.0
        legendre[0, i], legendre[1, i] = 1.0, x
        for a in range(2, terms):
            legendre[a, i] = ((2 * a - 1) * x * legendre[a - 1, i] - (a - 1) * legendre[a - 2, i]) / a
        for a in range(terms):
            legendre[a, i] *= np.sqrt(2.0 * a + 1.0)
    return legendre


@compiled
def whiten(problem: Problem, b: FloatArray, beta: FloatArray) -> Whitened:
    """Return the whitened polynomials of the background b of ``beta``, and its components."""
    terms, n_bins = problem.basis.shape
    q, d, factor = np.empty((terms, n_bins)), np.empty(terms), np.empty((terms, terms))
    for a in range(terms):
        for i in range(n_bins):
            q[a, i] = problem.use[i] * np.sqrt(b[i]) * problem.basis[a, i]
    orthogonal(q, problem.ridge, factor)
    for a in range(terms):
        d[a] = 0.0
        for c in range(a, terms):
            d[a] += factor[c, a] * beta[c]
    return Whitened(q, d)


@compiled
def orthogonal(columns: FloatArray, ridge: FloatArray, factor: FloatArray) -> None:
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
def folded(table: FloatArray, values: FloatArray, out: FloatArray) -> None:
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
def efficient_scores(problem: Problem, b: FloatArray, orders: IntArray, whitened: Whitened) -> Scores:
    """Return the efficient scores beside the fits of ``orders`` terms, b being the background of the largest fit."""
    n, use, table = problem.n, problem.use, problem.table
    d, terms, n_bins, n_orders = whitened.d, len(whitened.q), len(n), len(orders)
    root, values = np.empty(n_bins), np.empty(n_bins)
    vr, imitated, vq = np.empty(n_bins), np.zeros(n_bins), np.empty((terms, n_bins))
    score, share = np.empty((n_orders, n_bins)), np.empty((n_orders, n_bins))
    for i in range(n_bins):
        root[i] = use[i] / np.sqrt(b[i])
        values[i] = root[i] * root[i]
    norms = template_norms(problem, values)
    for i in range(n_bins):
        values[i] = (n[i] - b[i]) * values[i]
    folded(table, values, vr)
    for a in range(terms):
        for i in range(n_bins):
            values[i] = root[i] * whitened.q[a, i]
        folded(table, values, vq[a])
        for k in range(n_bins):
            vr[k] += d[a] * vq[a, k]
    a = 0
    for order in range(n_orders):
        while a < orders[order]:
            for k in range(n_bins):
                vr[k] -= d[a] * vq[a, k]
                imitated[k] += vq[a, k] * vq[a, k]
            a += 1
        for k in range(n_bins):
            share[order, k] = min(imitated[k] / norms.vv[k], MOST_IMITATED)
            score[order, k] = vr[k] / np.sqrt(norms.vv[k] * (1.0 - share[order, k]))
    return Scores(score, share, norms)


@compiled
def template_norms(problem: Problem, inverse: FloatArray) -> Norms:
    """Return the norms of all templates, ``inverse`` being one over the expected counts, 0 where masked."""
    vv, effective = np.empty(len(inverse)), np.empty(len(inverse))
    folded(problem.squared, inverse, vv)
    folded(problem.table, problem.use, effective)
    for k in range(len(inverse)):
        vv[k] += 1e-12
        effective[k] = max(effective[k] * effective[k] / vv[k], 1e-6)
    return Norms(vv, effective)


@compiled
def choose(z: RealArray, share: FloatArray, use: FloatArray, d: FloatArray, orders: IntArray) -> tuple[int, int]:
    """Return the number of the order, and the bin of the candidate, with the best information criterion of both.

    The criterion is ``K log(n_bins) + sum_{j >= K} d_j^2 - z^2``, z being the largest of the fit with K terms.
    """
    n_bins = z.shape[1]
    best, place, smallest = 0, n_bins // 2, np.inf
    for order in range(len(orders)):
        criterion = np.log(float(n_bins)) * orders[order]
        for a in range(orders[order], len(d)):
            criterion += d[a] * d[a]
        top, where = 0.0, n_bins // 2
        for k in range(n_bins):
            if z[order, k] > top and share[order, k] < SEARCHED and use[k] > 0.0:
                top, where = float(z[order, k]), k
        criterion -= top * top
        if criterion < smallest:
            best, place, smallest = order, where, criterion
    return best, place


@compiled
def backgrounds_beside(
    problem: Problem, signal: FloatArray, beta: FloatArray, mu: float, orders: IntArray
) -> tuple[float, Backgrounds]:
    """Return the strength of a candidate beside the last of several orders, and the background of each beside it.

    ``n ~ Pois(b + mu s)`` is fitted with all terms, from ``beta`` (improved in place) and mu on. With the information
    matrix ``M M^T`` of (mu, beta) and the components ``M^T (mu, beta)``, the leading ones alone give the fits of fewer
    terms; the signal is the first parameter, so that all of them have it.
    """
    n, use, basis, ridge = problem.n, problem.use, problem.basis, problem.ridge
    n_bins, terms = len(n), len(beta)
    log_b, b = np.empty((len(orders), n_bins)), np.empty((len(orders), n_bins))
    mu = fit_with_signal(n, use, signal, basis, ridge, beta, mu)
    weight, log_all, b_all = np.empty(n_bins), np.empty(n_bins), np.empty(n_bins)
    exponential(beta, basis, log_all, b_all)
    for i in range(n_bins):
        weight[i] = use[i] / (b_all[i] + mu * signal[i])
    factor = np.empty((terms + 1, terms + 1))
    normal_equations(signal, weight, basis, ridge, b_all, factor)
    cholesky(factor, terms + 1)
    d, theta = np.empty(terms + 1), np.empty(terms + 1)
    for a in range(terms + 1):
        d[a] = factor[a, a] * (mu if a == 0 else beta[a - 1])
        for c in range(a + 1, terms + 1):
            d[a] += factor[c, a] * beta[c - 1]
    for number in range(len(orders)):
        size = orders[number] + 1
        theta[:size] = d[:size]
        backward(factor, theta, size)
        exponential(theta[1:size], basis, log_b[number], b[number])
    return float(max(theta[0], 0.0)), Backgrounds(log_b, b)


@compiled
def fixed_scores(problem: Problem, b: FloatArray, z: RealArray) -> None:
    """Set z to the significance at every bin with the background b taken as known; shape (n_bins,)."""
    n_bins = len(b)
    inverse, pull, vr = np.empty(n_bins), np.empty(n_bins), np.empty(n_bins)
    for i in range(n_bins):
        inverse[i] = problem.use[i] / b[i]
        pull[i] = (problem.n[i] - b[i]) * inverse[i]
    norms = template_norms(problem, inverse)
    folded(problem.table, pull, vr)
    for k in range(n_bins):
        z[k] = asimov(vr[k] / np.sqrt(norms.vv[k]), norms.effective[k])


@compiled
def template(table: FloatArray, k: int) -> FloatArray:
    """Return the template of bin k over all bins, shape (n_bins,)."""
    half, n_bins = table.shape[0] // 2, table.shape[1]
    row = np.zeros(n_bins)
    for i in range(max(k - half, 0), min(k + half + 1, n_bins)):
        row[i] = table[half - k + i, k]
    return row
