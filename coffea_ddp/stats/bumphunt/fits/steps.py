"""Backgrounds with a shoulder: a step in their logarithm, which polynomials need many terms for (compiled).

A grid of steps ``u = 0.5 (1 - erf((x - p) / w))`` is tried in one step of Fisher scoring, from a background b that is
already good and a candidate of strength mu beside it. Over the errors ``1 / sqrt(b + mu s)``, the counts say
``y = (n - b + b log b) / sqrt(b + mu s)``, a polynomial is the column ``b X``, a step ``b u``, the candidate ``v ~ s``.
With the orthonormal columns q_j of K polynomials (``Q = A L^-T``) and

``[fg]_K = f . g - sum_{j < K} (f . q_j) (g . q_j)``

for any two columns f and g, the best height of a step beside K polynomials and the candidate, and its gain in deviance,
are ``h = ([uy] - [uv] [vy] / [vv]) / ([uu] - [uv]^2 / [vv])`` and ``h^2 ([uu] - [uv]^2 / [vv])``. So the gains of all
steps beside any number of polynomials are a few inner products. The best ones are where fits of a shoulder begin
(:mod:`~coffea_ddp.stats.bumphunt.fits.shoulder`), if they can be any better than the background without one.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import erf

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.bumphunt.fits.loglinear import backward, dot
from coffea_ddp.stats.bumphunt.fits.polynomials import Problem, fixed_scores, orthogonal, template
from coffea_ddp.stats.bumphunt.fits.shoulder import (
    FREE,
    TALLEST,
    beginning,
    deviance,
    fit_shoulder,
    scores_beside,
)

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray, RealArray

STEP_ORDERS = (4, 6)
"""Numbers of polynomials beside a shoulder."""
STEP_WIDTHS = (0.04, 0.1, 0.25)
"""Widths of the steps, as shares of the spectrum."""
STEPPED = (
    "stepped", "clean stepped", "clean mean", "stepped leverage", "stepped residual", "step", "step gain",
    "other candidate",
)  # fmt: skip
"""Features made here."""
ESTIMATES = 3
"""The leading ones are estimates of z."""
_KINDS = 2
_ENDS = 2.5
"""A step is over so many widths from its middle."""
_PER_WIDTH, _LEAST = 1.5, 6
"""Places of steps in one of their widths, and how many at least."""
_FREE_SHARE = 1e-3
"""No step has less than this share that polynomials and candidate cannot describe."""
_HOPE, _BAD, _MANY = 3.0, 3.0, 8
"""A shoulder is fitted if a step is no more than this worse by the criterion, the background bad, or of many terms."""


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


class Candidate(NamedTuple):
    """A signal: its template, shape (n_bins,), its strength and its bin."""

    s: FloatArray
    mu: float
    place: int


class Background(NamedTuple):
    """The best background without a step, the candidate fitted beside it.

    Attributes
    ----------
    order
        Number of its terms.
    log_b, b
        Shape (n_bins,).
    z, share
        Of a signal at every bin beside it, the candidate not taken out; shape (n_bins,).
    """

    order: int
    log_b: FloatArray
    b: FloatArray
    z: FloatArray
    share: FloatArray


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


class Fits(NamedTuple):
    """Backgrounds with a shoulder, and last the one without.

    Attributes
    ----------
    log_b, criterion
        Logarithms of the backgrounds, shape (n_fits, n_bins), and the information criterion, shape (n_fits,).
    z, share
        Of a signal at every bin beside each of them, no candidate taken out; shape (n_fits, n_bins).
    theta
        Height, place and logarithm of the width; shape (n_fits, 3).
    place
        Bins of the candidates, shape (n_fits,).
    """

    log_b: FloatArray
    criterion: FloatArray
    z: FloatArray
    share: FloatArray
    theta: FloatArray
    place: IntArray


@functools.cache
def step_table(n_bins: int) -> Steps:
    """Return the steps that are tried in spectra of so many bins.

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
    """Return mu of the candidate, and the coefficients of so many polynomials, beside a step of that height."""
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


@compiled
def _fit(
    problem: Problem, kind: int, theta: FloatArray, c: FloatArray, candidate: Candidate, fits: Fits, row: int
) -> None:
    """Fit one shoulder beside the candidate, and beside the one that is then the strongest; keep the better."""
    n_bins, terms = len(problem.n), len(c)
    now = beginning(kind, theta, c, n_bins)
    mu, total = fit_shoulder(problem, candidate.s, candidate.mu, now)
    other, strength = scores_beside(problem, candidate.s, mu, now, fits.z[row], fits.share[row])
    fits.log_b[row, :], fits.place[row], fits.theta[row, :] = now.log_b, candidate.place, now.theta
    if abs(other - candidate.place) > 1:
        signal, again = template(problem.table, other), beginning(kind, now.theta, now.c, n_bins)
        mu, less = fit_shoulder(problem, signal, strength, again)
        if less < total:
            total = less
            fits.log_b[row, :], fits.place[row], fits.theta[row, :] = again.log_b, other, again.theta
            scores_beside(problem, signal, mu, again, fits.z[row], fits.share[row])
    fits.criterion[row] = total + np.log(float(n_bins)) * (terms + FREE)


@compiled
def _may_be_better(
    problem: Problem, point: Linearised, orders: IntArray, gain: FloatArray, candidate: Candidate, without: Background
) -> bool:
    """Return whether a shoulder may be better than the background without one, by the criterion of one step."""
    b, price, chi2, used = without.b, np.log(float(len(without.b))), 0.0, 0.0
    for i in range(len(b)):
        pull = (problem.n[i] - b[i] - candidate.mu * candidate.s[i]) * point.root[i]
        chi2 += min(pull * pull, 100.0)
        used += problem.use[i]
    if without.order >= _MANY or chi2 - used > _BAD * np.sqrt(2.0 * used):
        return True
    vv, vy, yy, a = dot(point.v, point.v) + 1e-12, point.vy, dot(point.y, point.y), 0
    for number in range(len(orders)):
        while a < orders[number]:
            yy -= point.yq[a] * point.yq[a]
            vv -= point.vq[a] * point.vq[a]
            vy -= point.vq[a] * point.yq[a]
            a += 1
        criterion = yy - vy * vy / max(vv, 1e-12) - gain[number] + price * (orders[number] + FREE)
        if criterion < chi2 + price * without.order + _HOPE:
            return True
    return False


@compiled
def set_step_features(
    problem: Problem,
    steps: Steps,
    orders: IntArray,
    candidate: Candidate,
    without: Background,
    sigma: FloatArray,
    out: RealArray,
) -> None:
    """Set the features :data:`STEPPED` of backgrounds with a shoulder, shape (8, n_bins).

    Three estimates of z: of a signal anywhere beside the best of them; with the candidate taken out, of the best of
    them, and of their mean with the background without one, weighted by the criterion. Then the share of a signal that
    the best one can imitate, the pulls of the mean, where the step is, how much better it is, and its candidate.

    Parameters
    ----------
    problem, steps, orders
        The spectrum, and the steps and numbers of polynomials that are tried.
    candidate, without
        The candidate, and the background without a step.
    sigma
        Width of the signal in bins at every bin, shape (n_bins,).
    out
        The features.
    """
    n_bins, n_orders = len(without.b), len(orders)
    point = linearise(problem, candidate.s, candidate.mu, without.log_b, without.b, orders[-1])
    best = best_steps(point, steps, orders)
    last, rows = 0, n_orders + _KINDS
    fits = Fits(
        np.empty((rows, n_bins)), np.empty(rows), np.empty((rows, n_bins)), np.empty((rows, n_bins)),
        np.zeros((rows, FREE)), np.full(rows, candidate.place),
    )  # fmt: skip
    if _may_be_better(problem, point, orders, best.gain, candidate, without):
        for number in range(n_orders):
            for kind in range(_KINDS):
                # More terms with the form that is the better one with few.
                if number > 0 and kind != int(fits.criterion[1] < fits.criterion[0]):
                    continue
                t, h = best.step[number], best.height[number]
                mu, c = beside_step(point, orders[number], steps.values[t], h)
                theta = np.array([h, steps.place[t], np.log(steps.width[t] * (0.6 if kind == 1 else 1.0))])
                _fit(problem, kind, theta, c, Candidate(candidate.s, mu, candidate.place), fits, last)
                last += 1
    fits.log_b[last, :], fits.z[last, :], fits.share[last, :] = without.log_b, without.z, without.share
    fits.criterion[last] = deviance(problem.n, problem.use, without.b, candidate.s, candidate.mu)
    fits.criterion[last] += np.log(float(n_bins)) * without.order
    _set_features(problem, fits, last, sigma, out)


@compiled
def _set_features(problem: Problem, fits: Fits, last: int, sigma: FloatArray, out: RealArray) -> None:
    """Set the features of the fits, the last of which is without a shoulder."""
    n_bins = len(problem.n)
    best = int(np.argmin(fits.criterion[: max(last, 1)]))
    mean = _weighted_mean(fits.log_b[: last + 1], fits.criterion[: last + 1])
    fixed_scores(problem, np.exp(fits.log_b[best]), out[1])
    fixed_scores(problem, mean, out[2])
    better = np.arcsinh((fits.criterion[last] - fits.criterion[best]) / 6.0) if last > 0 else -3.0
    h, p, w = fits.theta[best, 0], fits.theta[best, 1], np.exp(fits.theta[best, 2])
    place = fits.place[best]
    top = 0.3 * max(fits.z[best, place], 0.0)
    for i in range(n_bins):
        out[0, i] = fits.z[best, i]
        out[3, i] = 2.0 * np.sqrt(fits.share[best, i]) - 1.0
        pull = problem.use[i] * (problem.n[i] - mean[i]) / np.sqrt(max(mean[i], 1e-6))
        out[4, i] = min(max(pull, -8.0), 8.0) / 2.0
        t = (i + 0.5 - p) / w
        out[5, i] = np.exp(-t * t) * min(max(3.0 * h, -2.0), 2.0)
        out[6, i] = min(max(better, -3.0), 3.0)
        t = (i - place) / sigma[i]
        out[7, i] = top * np.exp(-0.125 * t * t)


@compiled
def _weighted_mean(log_b: FloatArray, criterion: FloatArray) -> FloatArray:
    """Return the geometric mean of backgrounds, weighted by ``exp(-criterion / 2)``; shape (n_bins,)."""
    weight = np.exp(-0.5 * (criterion - criterion.min()))
    weight /= weight.sum()
    mean = np.zeros(log_b.shape[1])
    for row in range(len(log_b)):
        for i in range(log_b.shape[1]):
            mean[i] += weight[row] * log_b[row, i]
    return np.exp(mean)
