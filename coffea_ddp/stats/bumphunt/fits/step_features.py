"""Features of backgrounds with a shoulder: estimates of z beside the best of them (compiled).

Shoulders are fitted (:mod:`~coffea_ddp.stats.bumphunt.fits.shoulder`) from the best steps of a grid
(:mod:`~coffea_ddp.stats.bumphunt.fits.steps`), if those can be any better than the background without one, by the
information criterion ``-2 log L + (terms + 3) log(n_bins)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.bumphunt.fits.loglinear import dot
from coffea_ddp.stats.bumphunt.fits.polynomials import Problem, fixed_scores, template
from coffea_ddp.stats.bumphunt.fits.shoulder import FREE, beginning, deviance, fit_shoulder, scores_beside
from coffea_ddp.stats.bumphunt.fits.steps import Linearised, Steps, beside_step, best_steps, linearise

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray, RealArray

STEPPED = (
    "stepped", "clean stepped", "clean mean", "stepped leverage", "stepped residual", "step", "step gain",
    "other candidate",
)  # fmt: skip
"""Features made here."""
ESTIMATES = 3
"""The leading ones are estimates of z."""
_KINDS = 2
_HOPE, _BAD, _MANY = 3.0, 3.0, 8
"""A shoulder is fitted if a step is no more than this worse by the criterion, the background bad, or of many terms."""


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
    found: FloatArray,
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
    found
        Set to the best shoulder: by how much its criterion is better than that without one (0: none was fitted), the
        logarithm h of its height, its place and its width w in bins; shape (4,).
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
    _set_features(problem, fits, last, sigma, out, found)


@compiled
def _set_features(
    problem: Problem, fits: Fits, last: int, sigma: FloatArray, out: RealArray, found: FloatArray
) -> None:
    """Set the features of the fits, the last of which is without a shoulder."""
    n_bins = len(problem.n)
    best = int(np.argmin(fits.criterion[: max(last, 1)]))
    mean = _weighted_mean(fits.log_b[: last + 1], fits.criterion[: last + 1])
    fixed_scores(problem, np.exp(fits.log_b[best]), out[1])
    fixed_scores(problem, mean, out[2])
    better = np.arcsinh((fits.criterion[last] - fits.criterion[best]) / 6.0) if last > 0 else -3.0
    h, p, w = fits.theta[best, 0], fits.theta[best, 1], np.exp(fits.theta[best, 2])
    found[0] = fits.criterion[last] - fits.criterion[best] if last > 0 else 0.0
    found[1], found[2], found[3] = h, p, w
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
