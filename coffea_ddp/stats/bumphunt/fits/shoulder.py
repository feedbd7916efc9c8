"""One shoulder, fitted: a background of few terms of which a part ends, at a place and over a width that are free.

``log b = sum_j c_j X_j + log(1 + (e^h - 1) s((x - p) / w))``, with s an error function or an algebraic one, and a
candidate beside it: Gauss-Newton, damped, from where the grid of steps began it (compiled). Its columns are those of
the candidate, of h, p and log w, and of the polynomials.
"""

from __future__ import annotations

from math import erf, exp, expm1, log, pi, sqrt
from typing import Any

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.bumphunt.fits.loglinear import HIGHEST, LOWEST, backward, cholesky, dot, forward
from coffea_ddp.stats.bumphunt.fits.polynomials import asimov, folded, orthogonal, sizes

ROUNDS = 5
FREE = 3
"""Height, place and logarithm of the width."""
TALLEST = 3.0
"""The largest logarithm of the ratio of both sides."""
_STRIDE, _DAMPING, _ENOUGH = 0.7, 4.0, 0.05
"""The longest stride of h and log w, what damps them at first, and the gain in deviance below which it ends."""
_OVER = 4.0
"""An error function ends here: to 1e-8."""
_SHARE, _SEEN = 0.999, 0.9
"""The largest share that is believed, and up to which a candidate is looked for."""


@compiled
def ending(kind: int, t: float) -> tuple[float, float]:
    """Return a part that ends around t = 0, from 1 to 0, and its slope; of kind 0 (error function) or 1 (algebraic)."""
    if kind == 0:
        if abs(t) > _OVER:
            return (1.0 if t < 0.0 else 0.0), 0.0
        return 0.5 * (1.0 - erf(t)), -exp(-t * t) / sqrt(pi)
    over = 1.0 / sqrt(1.0 + t * t)
    return 0.5 * (1.0 - t * over), -0.5 * over * over * over


@compiled
def shoulder(kind: int, form: Any, basis: Any, coefficients: Any, log_b: Any, b: Any, slopes: Any) -> None:
    """Set the background of a shoulder, (height, place, log width), and its derivatives by them, shape (3, n_bins)."""
    part, width = expm1(form[0]), exp(form[2])
    log_b[:] = 0.0
    for a in range(len(coefficients)):
        for i in range(len(b)):
            log_b[i] += coefficients[a] * basis[a, i]
    for i in range(len(b)):
        t = (i + 0.5 - form[1]) / width
        s, slope = ending(kind, t)
        over = 1.0 / (1.0 + part * s)
        slopes[0, i] = (part + 1.0) * s * over
        slopes[1, i] = -part * slope * over / width
        slopes[2, i] = -part * slope * over * t
        log_b[i] = min(max(log_b[i] - log(over), LOWEST), HIGHEST)
        b[i] = exp(log_b[i])


@compiled
def deviance(n: Any, use: Any, b: Any, signal: Any, mu: float) -> float:
    """Return -2 log-likelihood of ``b + mu s``, but for what only the counts enter."""
    total = 0.0
    for i in range(len(n)):
        if use[i] > 0.0:
            expected = b[i] + mu * signal[i]
            total += expected - n[i] * np.log(expected)
    return 2.0 * total


@compiled
def weighted(problem: Any, signal: Any, mu: float, b: Any, slopes: Any, columns: Any, rest: Any) -> None:
    """Set the columns over their errors, shape (1 + FREE + terms, n_bins), and the pulls."""
    n_bins = len(b)
    for i in range(n_bins):
        expected = b[i] + mu * signal[i]
        over = problem.use[i] / sqrt(expected)
        rest[i] = (problem.n[i] - expected) * over
        columns[0, i] = over * signal[i]
        over *= b[i]
        for j in range(FREE):
            columns[1 + j, i] = over * slopes[j, i]
        for a in range(len(columns) - 1 - FREE):
            columns[1 + FREE + a, i] = over * problem.basis[a, i]


@compiled
def stride(columns: Any, rest: Any, ridge: Any, coefficients: Any, width: float, damping: float, step: Any) -> None:
    """Set the step of Gauss-Newton, shortened where the form would change too much."""
    size = len(columns)
    gram = np.empty((size, size))
    for a in range(size):
        for c in range(a + 1):
            gram[a, c] = dot(columns[a], columns[c])
        gram[a, a] += 1e-9
        step[a] = dot(columns[a], rest)
    for a in range(len(coefficients)):
        gram[1 + FREE + a, 1 + FREE + a] += ridge[a]
        step[1 + FREE + a] -= ridge[a] * coefficients[a]
    gram[1, 1] += damping
    gram[2, 2] += damping / (width * width)
    gram[3, 3] += damping
    cholesky(gram, size)
    forward(gram, step, size)
    backward(gram, step, size)
    longest = max(abs(step[1]) / _STRIDE, abs(step[2]) / width, abs(step[3]) / _STRIDE, 1.0)
    for a in range(size):
        step[a] /= longest


@compiled
def improved(
    problem: Any, signal: Any, kind: int, form: Any, coefficients: Any, mu: float, into: Any
) -> tuple[float, float]:
    """Improve form and coefficients in place; return the strength of the candidate, and the deviance.

    ``into`` takes the background they end at: its logarithm, its values and their derivatives.
    """
    log_b, b, slopes = into
    n_bins, terms = len(b), len(coefficients)
    columns, rest, step = np.empty((1 + FREE + terms, n_bins)), np.empty(n_bins), np.empty(1 + FREE + terms)
    kept_form, kept_coefficients, kept_mu, least = form.copy(), coefficients.copy(), mu, np.inf
    damping = _DAMPING
    for number in range(ROUNDS + 1):
        shoulder(kind, form, problem.basis, coefficients, log_b, b, slopes)
        total = deviance(problem.n, problem.use, b, signal, mu)
        if total < least:
            done = least - total < _ENOUGH
            kept_form[:], kept_coefficients[:], kept_mu, least = form, coefficients, mu, total
            damping *= 0.3
            if done:
                break
        else:
            form[:], coefficients[:], mu = kept_form, kept_coefficients, kept_mu
            damping *= 10.0
            shoulder(kind, form, problem.basis, coefficients, log_b, b, slopes)
        if number == ROUNDS:
            break
        weighted(problem, signal, mu, b, slopes, columns, rest)
        stride(columns, rest, problem.ridge, coefficients, exp(form[2]), damping, step)
        mu = max(mu + step[0], 0.0)
        form += step[1 : 1 + FREE]
        coefficients += step[1 + FREE :]
        form[0] = min(max(form[0], -TALLEST), TALLEST)
        form[1] = min(max(form[1], 0.0), float(n_bins))
        form[2] = min(max(form[2], 0.0), log(0.5 * n_bins))
    return kept_mu, least


@compiled
def shouldered(
    problem: Any, signal: Any, mu: float, b: Any, slopes: Any, terms: int, z: Any, share: Any
) -> tuple[int, float]:
    """Set z and share of a signal at every bin beside a shoulder, no candidate taken out, shape (n_bins,).

    Returns the bin of the largest, and the strength of a signal there.
    """
    n_bins = len(b)
    columns, rest, over = np.empty((1 + FREE + terms, n_bins)), np.empty(n_bins), np.empty(n_bins)
    weighted(problem, signal, mu, b, slopes, columns, rest)
    for i in range(n_bins):
        over[i] = problem.use[i] / sqrt(b[i] + mu * signal[i])
        rest[i] += mu * columns[0, i]
    ridge, factor = np.full(FREE + terms, 1e-9), np.empty((FREE + terms, FREE + terms))
    ridge[FREE:] += problem.ridge[:terms]
    white = columns[1:]
    orthogonal(white, ridge, factor)
    values, own, g, lost = np.empty(n_bins), np.empty(n_bins), np.empty(n_bins), np.zeros(n_bins)
    size = np.empty((2, n_bins))
    for i in range(n_bins):
        values[i] = over[i] * over[i]
    sizes(problem, values, size)
    for a in range(FREE + terms):
        part = dot(rest, white[a])
        for i in range(n_bins):
            rest[i] -= part * white[a, i]
            values[i] = over[i] * white[a, i]
        folded(problem.table, values, g)
        for k in range(n_bins):
            lost[k] += g[k] * g[k]
    for i in range(n_bins):
        rest[i] *= over[i]
    folded(problem.table, rest, own)
    place, top = n_bins // 2, 0.0
    for k in range(n_bins):
        share[k] = min(lost[k] / size[0, k], _SHARE)
        z[k] = asimov(own[k] / sqrt(size[0, k] * (1.0 - share[k])), size[1, k])
        if z[k] > top and share[k] < _SEEN and problem.use[k] > 0.0:
            place, top = k, z[k]
    return place, top / sqrt(size[0, place] * (1.0 - share[place]))
