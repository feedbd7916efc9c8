"""Backgrounds with a shoulder: a step in their logarithm, which polynomials need many terms for (compiled).

A grid of steps ``u = 0.5 (1 - erf((x - p) / w))`` is tried in one step of Fisher scoring, from a background b that is
already good and a candidate of strength mu beside it. Over the errors ``1 / sqrt(b + mu s)``, the counts say
``y = (n - b + b log b) / sqrt(b + mu s)``, a polynomial is the column ``b X``, a step ``b u``, the candidate ``v ~ s``.
With the orthonormal columns q_j of K polynomials (``Q = A L^-T``) and

``[fg]_K = f . g - sum_{j < K} (f . q_j) (g . q_j)``

for any two columns f and g, the best height of a step beside K polynomials and the candidate, and its gain in deviance,
are ``h = ([uy] - [uv] [vy] / [vv]) / ([uu] - [uv]^2 / [vv])`` and ``h^2 ([uu] - [uv]^2 / [vv])``. So the gains of all
steps beside any number of polynomials are a few inner products. The best ones are where fits of a shoulder begin
(:mod:`~coffea_ddp.stats.bumphunt.fits.step_features`).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import erf

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.bumphunt.fits.loglinear import backward, dot
from coffea_ddp.stats.bumphunt.fits.polynomials import Problem, orthogonal
from coffea_ddp.stats.bumphunt.fits.shoulder import TALLEST

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray

STEP_ORDERS = (4, 6)
"""Numbers of polynomials beside a shoulder."""
STEP_WIDTHS = (0.04, 0.1, 0.25)
"""Widths of the steps, as shares of the spectrum."""
_ENDS = 2.5
"""A step ends at this number of widths from its middle."""
_PER_WIDTH, _LEAST = 1.5, 6
"""Places of steps in one of their widths, and how many at least."""
_FREE_SHARE = 1e-3
"""No step has less than this share that polynomials and candidate cannot describe."""


class Steps(NamedTuple):
    """Steps that are tried in spectra of one number of bins.

    Attributes
    ----------
    values, squared
        u, which is 1 before the bin ``first`` and 0 from ``stop`` on, and the squares of it; shape (n_steps, n_bins).
    place, width
        p and w in bins; shape (n_steps,).
    first, stop
        Shape (n_steps,).
    """

    values: FloatArray
    squared: FloatArray
    place: FloatArray
    width: FloatArray
    first: IntArray
    stop: IntArray


class Linearised(NamedTuple):
    """The linear problem of one step of Fisher scoring, all columns over the errors.

    Attributes
    ----------
    root, scale
        ``1 / sqrt(b + mu s)``, 0 where masked, and b times that; shape (n_bins,).
    y, v
        What the counts say, and the candidate; shape (n_bins,).
    q, factor
        Q^T, shape (terms, n_bins), and L.
    yq, vq
        ``Q^T y`` and ``Q^T v``; shape (terms,).
    vy
        ``v . y``.
    """

    root: FloatArray
    scale: FloatArray
    y: FloatArray
    v: FloatArray
    q: FloatArray
    factor: FloatArray
    yq: FloatArray
    vq: FloatArray
    vy: float


class BestSteps(NamedTuple):
    """The best step beside every number of polynomials; shape (n_orders,) each.

    Attributes
    ----------
    gain, height
        In deviance, and h.
    step
        Its number.
    """

    gain: FloatArray
    height: FloatArray
    step: IntArray


@functools.cache
def step_table(n_bins: int) -> Steps:
    """Return the steps that are tried in spectra of a number of bins.

    Examples
    --------
    >>> steps = step_table(50)
    >>> steps.values.shape == (len(steps.place), 50), bool((np.diff(steps.values, axis=1) <= 0).all())
    (True, True)
    """
    x = np.arange(n_bins) + 0.5
    forms = []
    for share in STEP_WIDTHS:
        width = max(share * n_bins, 1.5)
        number = max(round(_PER_WIDTH * n_bins / width), _LEAST)
        forms += [((i + 0.5) * n_bins / number, width) for i in range(number)]
    p, w = np.array(forms).T
    t = (x - p[:, None]) / w[:, None]
    u = np.where(t < -_ENDS, 1.0, np.where(t > _ENDS, 0.0, 0.5 * (1.0 - erf(t))))
    first, stop = (u == 1.0).sum(axis=1), (u > 0.0).sum(axis=1)
    return Steps(u, u**2, p, w, first, stop)


@compiled
def linearise(
    problem: Problem, signal: FloatArray, mu: float, log_b: FloatArray, b: FloatArray, terms: int
) -> Linearised:
    """Return the linear problem around a background b with a candidate of strength mu."""
    n, use, basis = problem.n, problem.use, problem.basis
    n_bins = len(n)
    root, scale, y, v = np.empty(n_bins), np.empty(n_bins), np.empty(n_bins), np.empty(n_bins)
    q, factor = np.empty((terms, n_bins)), np.empty((terms, terms))
    for i in range(n_bins):
        root[i] = use[i] / np.sqrt(b[i] + mu * signal[i])
        scale[i] = root[i] * b[i]
        y[i] = root[i] * (n[i] - b[i]) + scale[i] * log_b[i]
        v[i] = root[i] * signal[i]
    for a in range(terms):
        for i in range(n_bins):
            q[a, i] = scale[i] * basis[a, i]
    orthogonal(q, problem.ridge, factor)
    yq, vq = np.empty(terms), np.empty(terms)
    for a in range(terms):
        yq[a], vq[a] = dot(q[a], y), dot(q[a], v)
    return Linearised(root, scale, y, v, q, factor, yq, vq, dot(v, y))


@compiled
def _under_steps(steps: Steps, values: FloatArray, column: FloatArray, out: FloatArray) -> None:
    """Set ``out``, shape (n_steps,), to the inner products of a column with all steps (or their squares).

    A step is 1 before it begins and 0 behind its end: sums from the left do for what is not between.
    """
    before = np.zeros(len(column) + 1)
    for i in range(len(column)):
        before[i + 1] = before[i] + column[i]
    for t in range(len(steps.place)):
        first, stop = steps.first[t], steps.stop[t]
        out[t] = before[first] + dot(values[t, first:stop], column[first:stop])


@compiled
def best_steps(point: Linearised, steps: Steps, orders: IntArray) -> BestSteps:
    """Return the best step beside every number of polynomials, the candidate fitted too."""
    terms, n_steps, scale = len(point.q), len(steps.place), point.scale
    uq, uu, uy, uv = np.empty((terms, n_steps)), np.empty(n_steps), np.empty(n_steps), np.empty(n_steps)
    for a in range(terms):
        _under_steps(steps, steps.values, scale * point.q[a], uq[a])
    _under_steps(steps, steps.values, scale * point.y, uy)
    _under_steps(steps, steps.values, scale * point.v, uv)
    _under_steps(steps, steps.squared, scale * scale, uu)
    for t in range(n_steps):
        uu[t] += 1e-9
    whole, vv, vy, a = uu.copy(), dot(point.v, point.v) + 1e-12, point.vy, 0
    gain, height, best = np.zeros(len(orders)), np.zeros(len(orders)), np.zeros(len(orders), np.int64)
    for order in range(len(orders)):
        while a < orders[order]:
            for t in range(n_steps):
                uu[t] -= uq[a, t] * uq[a, t]
                uy[t] -= uq[a, t] * point.yq[a]
                uv[t] -= uq[a, t] * point.vq[a]
            vv -= point.vq[a] * point.vq[a]
            vy -= point.vq[a] * point.yq[a]
            a += 1
        over = 1.0 / max(vv, 1e-12)
        for t in range(n_steps):
            # Those of what the candidate cannot describe.
            free, slope = uu[t] - uv[t] * uv[t] * over, uy[t] - uv[t] * vy * over
            if free > _FREE_SHARE * whole[t] and abs(slope) < TALLEST * free and slope * slope > gain[order] * free:
                gain[order], height[order], best[order] = slope * slope / free, slope / free, t
    return BestSteps(gain, height, best)


@compiled
def beside_step(point: Linearised, order: int, step: FloatArray, height: float) -> tuple[float, FloatArray]:
    """Return mu of the candidate, and the coefficients of the polynomials, beside a step of that height."""
    u, c = point.scale * step, np.empty(order)
    uv, vv, vy = dot(u, point.v), dot(point.v, point.v) + 1e-12, point.vy
    for a in range(order):
        c[a] = dot(u, point.q[a])
        uv -= c[a] * point.vq[a]
        vv -= point.vq[a] * point.vq[a]
        vy -= point.vq[a] * point.yq[a]
    mu = max((vy - height * uv) / max(vv, 1e-12), 0.0)
    for a in range(order):
        c[a] = point.yq[a] - height * c[a] - mu * point.vq[a]
    backward(point.factor, c, order)
    return float(mu), c
