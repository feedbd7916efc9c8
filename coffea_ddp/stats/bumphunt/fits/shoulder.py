"""Fits of one shoulder: a background of few terms, a part of which ends at a free place over a free width.

``log b = sum_j c_j X_j + log(1 + (e^h - 1) S((x - p) / w))``, where S falls from 1 to 0: an error function (kind 0) or
an algebraic one (kind 1). The parameters ``theta = (h, p, log w)`` and c are fitted by damped steps of Gauss-Newton,
together with a candidate of strength mu: ``n ~ Pois(b + mu s)`` (compiled).

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
from coffea_ddp.stats.bumphunt.fits.polynomials import MOST_IMITATED, SEARCHED, orthogonal
from coffea_ddp.stats.bumphunt.fits.signals import Spectra, asimov, fold, template_norms

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray

ROUNDS = 5
FREE = 3
"""Parameters of the shoulder: h, p, log w."""
TALLEST = 3.0
"""The largest h, the logarithm of the ratio of both sides."""
_STRIDE, _DAMPING, _ENOUGH = 0.7, 4.0, 0.05
"""The longest step of h and log w, what damps them at first, and the gain in deviance below which a fit ends."""
_LEAST, _MOST = exp(LOWEST), exp(HIGHEST)
_OVER = 4.0
"""An error function ends here: to 1e-8."""


class Start(NamedTuple):
    """Parameters with which fits of shoulders begin.

    Attributes
    ----------
    kind
        Of S: 0 or 1; shape (n_fits,).
    theta
        h, p in bins, and log w; shape (n_fits, 3).
    c
        Coefficients of the polynomials, shape (n_fits, terms).
    mu
        Strengths of the candidates, shape (n_fits,).
    """

    kind: IntArray
    theta: FloatArray
    c: FloatArray
    mu: FloatArray


class Shoulders(NamedTuple):
    """Fitted shoulders, and the backgrounds that they make.

    Attributes
    ----------
    kind, theta, c, mu
        As in :class:`Start`.
    deviance
        -2 log-likelihood, but for what only the counts enter; shape (n_fits,).
    log_b, b
        The backgrounds, shape (n_fits, n_bins).
    slopes
        Derivatives of log b by theta, shape (n_fits, 3, n_bins).
    """

    kind: IntArray
    theta: FloatArray
    c: FloatArray
    mu: FloatArray
    deviance: FloatArray
    log_b: FloatArray
    b: FloatArray
    slopes: FloatArray


class ScoresBeside(NamedTuple):
    """Scores of a signal at every bin beside shoulders, no candidate taken out.

    Attributes
    ----------
    z, share
        Estimate of z, and the share of the signal that the background can imitate; shape (n_fits, n_bins).
    place, strength
        The bin with the largest z, and the strength of a signal there; shape (n_fits,).
    """

    z: FloatArray
    share: FloatArray
    place: IntArray
    strength: FloatArray


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
def evaluate(kind: int, theta: FloatArray, c: FloatArray, basis: FloatArray, b: FloatArray, slopes: FloatArray) -> None:
    """Set b and the slopes of one shoulder; shapes (n_bins,) and (3, n_bins)."""
    part, over_width = expm1(theta[0]), exp(-theta[2])
    b[:] = 0.0
    for a in range(len(c)):
        for i in range(len(b)):
            b[i] += c[a] * basis[a, i]
    for i in range(len(b)):
        t = (i + 0.5 - theta[1]) * over_width
        s, slope = ending(kind, t)
        whole = 1.0 + part * s
        over = 1.0 / whole
        slopes[0, i] = (part + 1.0) * s * over
        slopes[1, i] = -part * slope * over * over_width
        slopes[2, i] = -part * slope * over * t
        b[i] = min(max(exp(b[i]) * whole, _LEAST), _MOST)


def deviance(n: FloatArray, use: FloatArray, b: FloatArray, signal: FloatArray, mu: FloatArray) -> FloatArray:
    """Return -2 log-likelihood of ``b + mu s``, but for what only the counts enter; shape (n_spectra,)."""
    expected = b + mu[:, None] * signal
    return np.asarray(2.0 * (use * (expected - n * np.log(expected))).sum(axis=1))


@compiled
def _deviance(n: FloatArray, use: FloatArray, b: FloatArray, signal: FloatArray, mu: float) -> float:
    total = 0.0
    for i in range(len(n)):
        if use[i] > 0.0:
            expected = b[i] + mu * signal[i]
            total += expected - n[i] * log(expected)
    return 2.0 * total


@compiled
def _set_columns(
    spectra: Spectra,
    row: int,
    signal: FloatArray,
    mu: float,
    b: FloatArray,
    slopes: FloatArray,
    columns: FloatArray,
    pull: FloatArray,
) -> None:
    """Set the derivatives of what is expected, and the residuals, over the errors ``sqrt(b + mu s)``, of one spectrum.

    The columns are those of mu, theta and c; shape (1 + FREE + terms, n_bins).
    """
    n, use, basis = spectra.n[row], spectra.use[row], spectra.polynomials.basis[row]
    for i in range(len(b)):
        expected = b[i] + mu * signal[i]
        over = use[i] / sqrt(expected)
        pull[i] = (n[i] - expected) * over
        columns[0, i] = over * signal[i]
        columns[1, i] = over * b[i]
    scale = columns[1]
    for a in range(len(columns) - 1 - FREE):
        for i in range(len(b)):
            columns[1 + FREE + a, i] = scale[i] * basis[a, i]
    for j in range(FREE - 1, -1, -1):
        for i in range(len(b)):
            columns[1 + j, i] = scale[i] * slopes[j, i]


@compiled
def _step(
    columns: FloatArray,
    pull: FloatArray,
    ridge: FloatArray,
    now: FloatArray,
    damping: float,
    gram: FloatArray,
    step: FloatArray,
) -> None:
    """Set the step of Gauss-Newton of (mu, theta, c), shortened where theta would change too much."""
    size, width = len(columns), exp(now[3])
    for a in range(size):
        for j in range(a + 1):
            gram[a, j] = dot(columns[a], columns[j])
        gram[a, a] += 1e-9
        step[a] = dot(columns[a], pull)
    for a in range(1 + FREE, size):
        gram[a, a] += ridge[a - 1 - FREE]
        step[a] -= ridge[a - 1 - FREE] * now[a]
    gram[1, 1] += damping
    gram[2, 2] += damping / (width * width)
    gram[3, 3] += damping
    cholesky(gram, size)
    forward(gram, step, size)
    backward(gram, step, size)
    longest = max(abs(step[1]) / _STRIDE, abs(step[2]) / width, abs(step[3]) / _STRIDE, 1.0)
    for a in range(size):
        step[a] /= longest


def fit_shoulders(spectra: Spectra, signal: FloatArray, begin: Start) -> Shoulders:
    """Return shoulders fitted beside candidates; the strengths of these are 0 or more.

    Parameters
    ----------
    spectra
        The spectrum of each fit.
    signal
        The candidate of each, shape (n_fits, n_bins).
    begin
        Where the fits begin.
    """
    n_fits, n_bins = signal.shape
    found = Shoulders(
        begin.kind, begin.theta.copy(), begin.c.copy(), np.array(begin.mu, dtype=np.float64), np.empty(n_fits),
        np.empty((n_fits, n_bins)), np.empty((n_fits, n_bins)), np.empty((n_fits, FREE, n_bins)),
    )  # fmt: skip
    _fit_all(spectra, signal, found)
    np.log(found.b, out=found.log_b)
    return found


@compiled
def _fit_all(spectra: Spectra, signal: FloatArray, found: Shoulders) -> None:
    """Fit every shoulder from where it is, in place."""
    n_bins, terms = signal.shape[1], found.c.shape[1]
    size = 1 + FREE + terms
    columns, pull, gram, step = np.empty((size, n_bins)), np.empty(n_bins), np.empty((size, size)), np.empty(size)
    now, best = np.empty(size), np.empty(size)
    for row in range(len(signal)):
        n, use, basis, b = spectra.n[row], spectra.use[row], spectra.polynomials.basis[row], found.b[row]
        _pack(found, row, now)
        damping, least = _DAMPING, np.inf
        for number in range(ROUNDS + 1):
            evaluate(found.kind[row], now[1 : 1 + FREE], now[1 + FREE :], basis, b, found.slopes[row])
            total = _deviance(n, use, b, signal[row], now[0])
            done = total < least and least - total < _ENOUGH
            if total < least:
                _copy(now, best)
                least, damping = total, damping * 0.3
            else:
                _copy(best, now)
                damping *= 10.0
                evaluate(found.kind[row], now[1 : 1 + FREE], now[1 + FREE :], basis, b, found.slopes[row])
            if done or number == ROUNDS:
                break
            _set_columns(spectra, row, signal[row], now[0], b, found.slopes[row], columns, pull)
            _step(columns, pull, spectra.polynomials.ridge, now, damping, gram, step)
            _move(now, step, n_bins)
        _unpack(best, row, found)
        found.deviance[row] = least


@compiled
def _copy(values: FloatArray, into: FloatArray) -> None:
    for i in range(len(values)):
        into[i] = values[i]


@compiled
def _pack(found: Shoulders, row: int, now: FloatArray) -> None:
    """Set the parameters (mu, theta, c) of one fit, one after the other."""
    now[0] = found.mu[row]
    _copy(found.theta[row], now[1 : 1 + FREE])
    _copy(found.c[row], now[1 + FREE :])


@compiled
def _unpack(now: FloatArray, row: int, found: Shoulders) -> None:
    """Set mu, theta and c of one fit from its parameters."""
    found.mu[row] = now[0]
    _copy(now[1 : 1 + FREE], found.theta[row])
    _copy(now[1 + FREE :], found.c[row])


@compiled
def _move(now: FloatArray, step: FloatArray, n_bins: int) -> None:
    """Add a step to the parameters, which stay within their bounds."""
    for i in range(len(now)):
        now[i] += step[i]
    now[0] = max(now[0], 0.0)
    now[1] = min(max(now[1], -TALLEST), TALLEST)
    now[2] = min(max(now[2], 0.0), float(n_bins))
    now[3] = min(max(now[3], 0.0), log(0.5 * n_bins))


def scores_beside(spectra: Spectra, signal: FloatArray, now: Shoulders) -> ScoresBeside:
    """Return the scores beside fitted shoulders and their candidates, these not taken out."""
    norms = template_norms(spectra, spectra.use / (now.b + now.mu[:, None] * signal))
    score, share = np.empty_like(signal), np.empty_like(signal)
    _set_scores_beside(spectra, signal, now, norms.vv, score, share)
    z = asimov(score, norms.effective)
    searched = np.where((share < SEARCHED) & (spectra.use > 0.0), z, 0.0)
    top = np.maximum(searched.max(axis=1), 0.0)
    place = np.where(top > 0.0, searched.argmax(axis=1), signal.shape[1] // 2)
    every = np.arange(len(z))
    strength = top / np.sqrt(norms.vv[every, place] * (1.0 - share[every, place]))
    return ScoresBeside(z, share, place, strength)


@compiled
def _set_scores_beside(
    spectra: Spectra, signal: FloatArray, now: Shoulders, vv: FloatArray, score: FloatArray, share: FloatArray
) -> None:
    """Set the efficient scores beside all parameters of the shoulders, and the shares that these can imitate."""
    n_bins, terms = signal.shape[1], now.c.shape[1]
    size = FREE + terms
    columns, r, vq = np.empty((1 + size, n_bins)), np.empty(n_bins), np.empty(n_bins)
    ridge, factor = np.empty(size), np.empty((size, size))
    for a in range(size):
        ridge[a] = 1e-9 + (spectra.polynomials.ridge[a - FREE] if a >= FREE else 0.0)
    for row in range(len(signal)):
        table, mu = spectra.signals.tables[spectra.signals.which[row]], now.mu[row]
        b, into = now.b[row], share[row]
        _set_columns(spectra, row, signal[row], mu, b, now.slopes[row], columns, r)
        for i in range(n_bins):
            r[i] += mu * columns[0, i]
            columns[0, i] = np.sqrt(spectra.use[row, i] / (b[i] + mu * signal[row, i]))
        root, q = columns[0], columns[1:]
        orthogonal(q, ridge, factor)
        into[:] = 0.0
        for a in range(size):
            rq = dot(r, q[a])
            for i in range(n_bins):
                r[i] -= rq * q[a, i]
                q[a, i] *= root[i]
            fold(table, q[a], vq)
            for k in range(n_bins):
                into[k] += vq[k] * vq[k]
        for i in range(n_bins):
            r[i] *= root[i]
        fold(table, r, score[row])
        for k in range(n_bins):
            into[k] = min(into[k] / vv[row, k], MOST_IMITATED)
            score[row, k] /= np.sqrt(vv[row, k] * (1.0 - into[k]))
