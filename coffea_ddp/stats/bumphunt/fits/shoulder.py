"""Fit of one shoulder: a background of few terms, a part of which ends at a free place over a free width (compiled).

``log b = sum_j c_j X_j + log(1 + (e^h - 1) S((x - p) / w))``, where S falls from 1 to 0: an error function (kind 0) or
an algebraic one (kind 1). The parameters ``theta = (h, p, log w)`` and c are fitted by damped steps of Gauss-Newton,
together with a candidate of strength mu: ``n ~ Pois(b + mu s)``.

Examples
--------
>>> [round(x, 3) for x in ending(0, 0.0)], [round(x, 3) for x in ending(1, 0.0)]
([0.5, -0.564], [0.5, -0.5])
"""

from __future__ import annotations

from math import erf, exp, expm1, log, pi, sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.bumphunt.fits.loglinear import HIGHEST, LOWEST, backward, cholesky, dot, forward
from coffea_ddp.stats.bumphunt.fits.polynomials import (
    MOST_IMITATED,
    SEARCHED,
    Problem,
    asimov,
    folded,
    orthogonal,
    template_norms,
)

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray

ROUNDS = 5
FREE = 3
"""Parameters of the shoulder: h, p, log w."""
TALLEST = 3.0
"""The largest h, the logarithm of the ratio of both sides."""
_STRIDE, _DAMPING, _ENOUGH = 0.7, 4.0, 0.05
"""The longest step of h and log w, what damps them at first, and the gain in deviance below which a fit ends."""
_OVER = 4.0
"""An error function ends here: to 1e-8."""


class Shoulder(NamedTuple):
    """State of a fit: the parameters, and the background that they make; all arrays are changed in place.

    Attributes
    ----------
    kind
        Of S: 0 or 1.
    theta
        h, p in bins, and log w; shape (3,).
    c
        Coefficients of the polynomials, shape (terms,).
    log_b, b
        The background, shape (n_bins,).
    slopes
        Derivatives of log b by theta, shape (3, n_bins).
    """

    kind: int
    theta: FloatArray
    c: FloatArray
    log_b: FloatArray
    b: FloatArray
    slopes: FloatArray


@compiled
def beginning(kind: int, theta: FloatArray, c: FloatArray, n_bins: int) -> Shoulder:
    """Return the state in which a fit begins: copies of its parameters, its values not yet set."""
    return Shoulder(kind, theta.copy(), c.copy(), np.empty(n_bins), np.empty(n_bins), np.empty((FREE, n_bins)))


@compiled
def ending(kind: int, t: float) -> tuple[float, float]:
    """Return ``S(t)``, which ends around t = 0 from 1 to 0, and its slope."""
    if kind == 0:
        if abs(t) > _OVER:
            return (1.0 if t < 0.0 else 0.0), 0.0
        return 0.5 * (1.0 - erf(t)), -exp(-t * t) / sqrt(pi)
    over = 1.0 / sqrt(1.0 + t * t)
    return 0.5 * (1.0 - t * over), -0.5 * over * over * over


@compiled
def evaluate(now: Shoulder, basis: FloatArray) -> None:
    """Set the background, and its derivatives, to those of the parameters."""
    theta, c, log_b, b, slopes = now.theta, now.c, now.log_b, now.b, now.slopes
    part, width = expm1(theta[0]), exp(theta[2])
    log_b[:] = 0.0
    for a in range(len(c)):
        for i in range(len(b)):
            log_b[i] += c[a] * basis[a, i]
    for i in range(len(b)):
        t = (i + 0.5 - theta[1]) / width
        s, slope = ending(now.kind, t)
        over = 1.0 / (1.0 + part * s)
        slopes[0, i] = (part + 1.0) * s * over
        slopes[1, i] = -part * slope * over / width
        slopes[2, i] = -part * slope * over * t
        log_b[i] = min(max(log_b[i] - log(over), LOWEST), HIGHEST)
        b[i] = exp(log_b[i])


@compiled
def deviance(n: FloatArray, use: FloatArray, b: FloatArray, signal: FloatArray, mu: float) -> float:
    """Return -2 log-likelihood of ``b + mu s``, but for what only the counts enter."""
    total = 0.0
    for i in range(len(n)):
        if use[i] > 0.0:
            expected = b[i] + mu * signal[i]
            total += expected - n[i] * np.log(expected)
    return 2.0 * total


@compiled
def _linearise(
    problem: Problem, signal: FloatArray, mu: float, now: Shoulder, columns: FloatArray, pull: FloatArray
) -> None:
    """Set the derivatives of what is expected, and the residuals, over the errors ``sqrt(b + mu s)``.

    The columns are those of mu, theta and c; shape (1 + FREE + terms, n_bins).
    """
    b, slopes = now.b, now.slopes
    n_bins = len(b)
    for i in range(n_bins):
        expected = b[i] + mu * signal[i]
        over = problem.use[i] / sqrt(expected)
        pull[i] = (problem.n[i] - expected) * over
        columns[0, i] = over * signal[i]
        over *= b[i]
        for j in range(FREE):
            columns[1 + j, i] = over * slopes[j, i]
        for a in range(len(columns) - 1 - FREE):
            columns[1 + FREE + a, i] = over * problem.basis[a, i]


@compiled
def _step(
    columns: FloatArray, pull: FloatArray, ridge: FloatArray, now: Shoulder, damping: float, step: FloatArray
) -> None:
    """Set the step of Gauss-Newton of (mu, theta, c), shortened where theta would change too much."""
    c, width, size = now.c, exp(now.theta[2]), len(columns)
    gram = np.empty((size, size))
    for a in range(size):
        for j in range(a + 1):
            gram[a, j] = dot(columns[a], columns[j])
        gram[a, a] += 1e-9
        step[a] = dot(columns[a], pull)
    for a in range(len(c)):
        gram[1 + FREE + a, 1 + FREE + a] += ridge[a]
        step[1 + FREE + a] -= ridge[a] * c[a]
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
def fit_shoulder(problem: Problem, signal: FloatArray, mu: float, now: Shoulder) -> tuple[float, float]:
    """Fit a shoulder beside a candidate, from where it is and from mu on.

    Returns
    -------
    tuple
        The strength of the candidate, 0 or more, and the deviance. The state is that of the fit.
    """
    theta, c = now.theta, now.c
    n_bins, terms = len(now.b), len(c)
    columns, pull, step = np.empty((1 + FREE + terms, n_bins)), np.empty(n_bins), np.empty(1 + FREE + terms)
    best_theta, best_c, best_mu, least = theta.copy(), c.copy(), mu, np.inf
    damping = _DAMPING
    for number in range(ROUNDS + 1):
        evaluate(now, problem.basis)
        total = deviance(problem.n, problem.use, now.b, signal, mu)
        if total < least:
            done = least - total < _ENOUGH
            best_theta[:], best_c[:], best_mu, least = theta, c, mu, total
            damping *= 0.3
            if done:
                break
        else:
            theta[:], c[:], mu = best_theta, best_c, best_mu
            damping *= 10.0
            evaluate(now, problem.basis)
        if number == ROUNDS:
            break
        _linearise(problem, signal, mu, now, columns, pull)
        _step(columns, pull, problem.ridge, now, damping, step)
        mu = max(mu + step[0], 0.0)
        for j in range(FREE):
            theta[j] += step[1 + j]
        for a in range(terms):
            c[a] += step[1 + FREE + a]
        theta[0] = min(max(theta[0], -TALLEST), TALLEST)
        theta[1] = min(max(theta[1], 0.0), float(n_bins))
        theta[2] = min(max(theta[2], 0.0), log(0.5 * n_bins))
    return best_mu, least


@compiled
def scores_beside(
    problem: Problem, signal: FloatArray, mu: float, now: Shoulder, z: FloatArray, share: FloatArray
) -> tuple[int, float]:
    """Set z and share of a signal at every bin beside a fitted shoulder, the candidate not taken out; shape (n_bins,).

    Returns
    -------
    tuple
        The bin with the largest z, and the strength of a signal there.
    """
    n_bins, terms = len(now.b), len(now.c)
    columns, r, root = np.empty((1 + FREE + terms, n_bins)), np.empty(n_bins), np.empty(n_bins)
    _linearise(problem, signal, mu, now, columns, r)
    for i in range(n_bins):
        root[i] = problem.use[i] / sqrt(now.b[i] + mu * signal[i])
        r[i] += mu * columns[0, i]
    ridge, factor = np.full(FREE + terms, 1e-9), np.empty((FREE + terms, FREE + terms))
    ridge[FREE:] += problem.ridge[:terms]
    q = columns[1:]
    orthogonal(q, ridge, factor)
    values, vr, vq, imitated = np.empty(n_bins), np.empty(n_bins), np.empty(n_bins), np.zeros(n_bins)
    for i in range(n_bins):
        values[i] = root[i] * root[i]
    norms = template_norms(problem, values)
    for a in range(FREE + terms):
        rq = dot(r, q[a])
        for i in range(n_bins):
            r[i] -= rq * q[a, i]
            values[i] = root[i] * q[a, i]
        folded(problem.table, values, vq)
        for k in range(n_bins):
            imitated[k] += vq[k] * vq[k]
    for i in range(n_bins):
        r[i] *= root[i]
    folded(problem.table, r, vr)
    place, top = n_bins // 2, 0.0
    for k in range(n_bins):
        share[k] = min(imitated[k] / norms.vv[k], MOST_IMITATED)
        z[k] = asimov(vr[k] / sqrt(norms.vv[k] * (1.0 - share[k])), norms.effective[k])
        if z[k] > top and share[k] < SEARCHED and problem.use[k] > 0.0:
            place, top = k, z[k]
    return place, top / sqrt(norms.vv[place] * (1.0 - share[place]))
