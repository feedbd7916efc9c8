"""Backgrounds with a shoulder: a step in their logarithm, which polynomials need many terms for (compiled).

A grid of steps ``0.5 (1 - erf((x - place) / width))`` is tried in one step of Fisher scoring from a background b that
is already good, beside which the candidate is fitted: with the weights ``w = 1 / sqrt(b + mu s)``, the counts say
``y = w (n - b + b log b)``, a polynomial is the column ``w b X``, a step ``w b u``, the candidate ``w s``. The
polynomials are made orthonormal once (``Q``); the gain of every step beside every number of them, the candidate fitted
too, is then a few inner products. The best ones are where fits of a shoulder begin
(:mod:`~coffea_ddp.stats.bumphunt.fits.shoulder`), if they can be any better than the background without one.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from scipy.special import erf

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.bumphunt.fits.loglinear import backward, dot
from coffea_ddp.stats.bumphunt.fits.polynomials import fixed_scores, orthogonal, template
from coffea_ddp.stats.bumphunt.fits.shoulder import FREE, TALLEST, deviance, improved, shouldered

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
_OWN = 1e-3
"""No step has less than this share that polynomials and candidate cannot describe."""
_HOPE, _BAD, _MANY = 3.0, 3.0, 8
"""A shoulder is fitted if a step is no more than this worse by the criterion, the background bad, or of many terms."""


class Steps(NamedTuple):
    """Steps of one number of bins: values, shape (n_steps, n_bins), and of each of them, shape (n_steps,), what it is.

    Attributes
    ----------
    values, squared
        1 before ``first``, 0 from ``stop`` on; and the squares of it.
    place, width
        In bins.
    """

    values: Any
    squared: Any
    place: Any
    width: Any
    first: Any
    stop: Any


class Scoring(NamedTuple):
    """The point from which one step of Fisher scoring is taken.

    Attributes
    ----------
    y, over, scale
        What the counts say, w and ``w b``; shape (n_bins,).
    white, factor, d
        Q^T, shape (terms, n_bins), the Cholesky factor, and ``Q^T y``.
    v, along, at
        The candidate's column, shape (n_bins,), ``Q^T v``, and ``v . y``.
    """

    y: Any
    over: Any
    scale: Any
    white: Any
    factor: Any
    d: Any
    v: Any
    along: Any
    at: Any


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
    told = []
    for share in STEP_WIDTHS:
        width = max(share * n_bins, 1.5)
        number = max(round(_PER_WIDTH * n_bins / width), _LEAST)
        told += [((i + 0.5) * n_bins / number, width) for i in range(number)]
    place, width = np.array(told).T
    t = (x - place[:, None]) / width[:, None]
    values = np.where(t < -_ENDS, 1.0, np.where(t > _ENDS, 0.0, 0.5 * (1.0 - erf(t))))
    first, stop = (values == 1.0).sum(axis=1), (values > 0.0).sum(axis=1)
    return Steps(values, values**2, place, width, first, stop)


@compiled
def scoring(problem: Any, signal: Any, mu: float, log_b: Any, b: Any, terms: int) -> Any:
    """Return the point of a background b with a candidate of strength mu."""
    n, use, basis, ridge = problem.n, problem.use, problem.basis, problem.ridge
    n_bins = len(n)
    y, over, scale, v = np.empty(n_bins), np.empty(n_bins), np.empty(n_bins), np.empty(n_bins)
    white, factor = np.empty((terms, n_bins)), np.empty((terms, terms))
    for i in range(n_bins):
        over[i] = use[i] / np.sqrt(b[i] + mu * signal[i])
        scale[i] = over[i] * b[i]
        y[i] = over[i] * (n[i] - b[i]) + scale[i] * log_b[i]
        v[i] = over[i] * signal[i]
    for a in range(terms):
        for i in range(n_bins):
            white[a, i] = scale[i] * basis[a, i]
    orthogonal(white, ridge, factor)
    d, along = np.empty(terms), np.empty(terms)
    for a in range(terms):
        d[a], along[a] = dot(white[a], y), dot(white[a], v)
    return Scoring(y, over, scale, white, factor, d, v, along, dot(v, y))


@compiled
def products(point: Any, steps: Any, g: Any, square: Any) -> None:
    """Set the products of all steps with polynomials, y and candidate, (n_steps, terms + 2), and with themselves.

    A step is 1 before it begins and 0 behind its end: sums from the left do for what is not between.
    """
    terms, n_bins = point.white.shape
    column, before = np.empty(n_bins), np.zeros(n_bins + 1)
    for a in range(terms + 3):
        for i in range(n_bins):
            if a < terms:
                column[i] = point.scale[i] * point.white[a, i]
            elif a == terms:
                column[i] = point.scale[i] * point.y[i]
            elif a == terms + 1:
                column[i] = point.scale[i] * point.v[i]
            else:
                column[i] = point.scale[i] * point.scale[i]
            before[i + 1] = before[i] + column[i]
        for t in range(len(steps.place)):
            first, stop = steps.first[t], steps.stop[t]
            if a < terms + 2:
                g[t, a] = before[first] + dot(steps.values[t, first:stop], column[first:stop])
            else:
                square[t] = before[first] + dot(steps.squared[t, first:stop], column[first:stop]) + 1e-9


@compiled
def step_gains(point: Any, steps: Any, orders: Any, gain: Any, height: Any, found: Any) -> None:
    """Set, for every order, what the best step gains, how high it is and which; shape (n_orders,)."""
    terms, n_steps = len(point.white), len(steps.place)
    g, square = np.empty((n_steps, terms + 2)), np.empty(n_steps)
    products(point, steps, g, square)
    gain[:], height[:], found[:] = 0.0, 0.0, 0
    v_left, v_y = dot(point.v, point.v) + 1e-12, point.at
    left, own, both, a = square.copy(), g[:, terms].copy(), g[:, terms + 1].copy(), 0
    for order in range(len(orders)):
        while a < orders[order]:
            for t in range(n_steps):
                left[t] -= g[t, a] * g[t, a]
                own[t] -= g[t, a] * point.d[a]
                both[t] -= g[t, a] * point.along[a]
            v_left -= point.along[a] * point.along[a]
            v_y -= point.along[a] * point.d[a]
            a += 1
        over = 1.0 / max(v_left, 1e-12)
        for t in range(n_steps):
            alone = left[t] - both[t] * both[t] * over
            rise = own[t] - both[t] * v_y * over
            if alone > _OWN * square[t] and abs(rise) < TALLEST * alone and rise * rise > gain[order] * alone:
                gain[order], height[order], found[order] = rise * rise / alone, rise / alone, t


@compiled
def begin(point: Any, order: int, step: Any, height: float, coefficients: Any) -> float:
    """Set the coefficients of so many terms beside a step of that height; return the strength of the candidate."""
    u = point.scale * step
    both, free, at = dot(u, point.v), dot(point.v, point.v) + 1e-12, point.at
    for a in range(order):
        coefficients[a] = dot(u, point.white[a])
        both -= coefficients[a] * point.along[a]
        free -= point.along[a] * point.along[a]
        at -= point.along[a] * point.d[a]
    mu = max((at - height * both) / max(free, 1e-12), 0.0)
    for a in range(order):
        coefficients[a] = point.d[a] - height * coefficients[a] - mu * point.along[a]
    backward(point.factor, coefficients, order)
    return float(mu)


class Fits(NamedTuple):
    """Backgrounds with a shoulder, and last the one without: shape (n_fits, n_bins) or (n_fits,).

    Attributes
    ----------
    logs, criterion
        Logarithms of the backgrounds, and the information criterion.
    z, share
        Of a signal beside each of them, no candidate taken out.
    form
        Height, place and logarithm of the width; shape (n_fits, 3).
    place
        The candidate.
    """

    logs: Any
    criterion: Any
    z: Any
    share: Any
    form: Any
    place: Any


@compiled
def one_fit(problem: Any, start: Any, candidate: Any, kind: int, coefficients: Any, fits: Any, row: int) -> None:
    """Fit one shoulder beside the candidate, and beside the one that is then the strongest; keep the better."""
    signal, mu, place = candidate
    n_bins, terms = len(signal), len(coefficients)
    b, slopes, form = np.empty(n_bins), np.empty((FREE, n_bins)), start.copy()
    mu, total = improved(problem, signal, kind, form, coefficients, mu, (fits.logs[row], b, slopes))
    other, strength = shouldered(problem, signal, mu, b, slopes, terms, fits.z[row], fits.share[row])
    fits.place[row], fits.form[row, :] = place, form
    if abs(other - place) > 1:
        second, again, more = template(problem.table, other), form.copy(), coefficients.copy()
        logs, b_again = np.empty(n_bins), np.empty(n_bins)
        strength, less = improved(problem, second, kind, again, more, strength, (logs, b_again, slopes))
        if less < total:
            total, fits.logs[row, :], fits.place[row], fits.form[row, :] = less, logs, other, again
            shouldered(problem, second, strength, b_again, slopes, terms, fits.z[row], fits.share[row])
    fits.criterion[row] = total + np.log(float(n_bins)) * (terms + FREE)


@compiled
def hopeful(point: Any, problem: Any, orders: Any, gain: Any, order: int, b: Any, signal: Any, mu: float) -> bool:
    """Return whether a shoulder may be better than the background without one."""
    price, rest, used = np.log(float(len(b))), 0.0, 0.0
    for i in range(len(b)):
        pull = (problem.n[i] - b[i] - mu * signal[i]) * point.over[i]
        rest += min(pull * pull, 100.0)
        used += problem.use[i]
    if order >= _MANY or rest - used > _BAD * np.sqrt(2.0 * used):
        return True
    v_left, v_y, left, a = dot(point.v, point.v) + 1e-12, point.at, dot(point.y, point.y), 0
    for number in range(len(orders)):
        while a < orders[number]:
            left -= point.d[a] * point.d[a]
            v_left -= point.along[a] * point.along[a]
            v_y -= point.along[a] * point.d[a]
            a += 1
        with_one = left - v_y * v_y / max(v_left, 1e-12) - gain[number] + price * (orders[number] + FREE)
        if with_one < rest + price * order + _HOPE:
            return True
    return False


@compiled
def stepped(problem: Any, steps: Any, orders: Any, candidate: Any, without: Any, sigma: Any, out: Any) -> None:
    """Set what backgrounds with a shoulder tell: the features :data:`STEPPED`, shape (8, n_bins).

    Three estimates of z: of a signal anywhere beside the best of them; with the candidate taken out, of the best of
    them, and of their mean with the background without one, weighted by the criterion. Then the share of a signal that
    the best one can imitate, the pulls of the mean, where the step is, how much better it is, and its candidate.

    Parameters
    ----------
    problem, steps, orders
        The spectrum, and what is tried.
    candidate
        Template, strength and bin.
    without
        The background without a step: number of terms, logarithm, values, z beside it and share.
    sigma
        Width of the signal in bins.
    out
        Where to.
    """
    signal, mu, place = candidate
    order, log_b, b, z, share = without
    n_bins, n_orders = len(b), len(orders)
    point = scoring(problem, signal, mu, log_b, b, orders[-1])
    gain, height, found = np.empty(n_orders), np.empty(n_orders), np.empty(n_orders, np.int64)
    step_gains(point, steps, orders, gain, height, found)
    last = 0
    rows = n_orders + _KINDS
    fits = Fits(
        np.empty((rows, n_bins)), np.empty(rows), np.empty((rows, n_bins)), np.empty((rows, n_bins)),
        np.zeros((rows, FREE)), np.full(rows, place),
    )  # fmt: skip
    if hopeful(point, problem, orders, gain, order, b, signal, mu):
        for number in range(n_orders):
            for kind in range(_KINDS):
                # More terms with the form that is the better one with few.
                if number > 0 and kind != int(fits.criterion[1] < fits.criterion[0]):
                    continue
                t, coefficients = found[number], np.empty(orders[number])
                strength = begin(point, orders[number], steps.values[t], height[number], coefficients)
                width = np.log(steps.width[t] * (0.6 if kind == 1 else 1.0))
                form = np.array([height[number], steps.place[t], width])
                one_fit(problem, form, (signal, strength, place), kind, coefficients, fits, last)
                last += 1
    fits.logs[last, :], fits.z[last, :], fits.share[last, :] = log_b, z, share
    fits.criterion[last] = deviance(problem.n, problem.use, b, signal, mu) + np.log(float(n_bins)) * order
    told(problem, fits, last, sigma, out)


@compiled
def told(problem: Any, fits: Any, last: int, sigma: Any, out: Any) -> None:
    """Set the features of the fits, the last of which is without a shoulder."""
    n_bins = len(problem.n)
    first = int(np.argmin(fits.criterion[: max(last, 1)]))
    mean = average(fits.logs[: last + 1], fits.criterion[: last + 1])
    fixed_scores(problem, np.exp(fits.logs[first]), out[1])
    fixed_scores(problem, mean, out[2])
    better = np.arcsinh((fits.criterion[last] - fits.criterion[first]) / 6.0) if last > 0 else -3.0
    height, middle, width = fits.form[first, 0], fits.form[first, 1], np.exp(fits.form[first, 2])
    at = fits.place[first]
    top = 0.3 * max(fits.z[first, at], 0.0)
    for i in range(n_bins):
        out[0, i] = fits.z[first, i]
        out[3, i] = 2.0 * np.sqrt(fits.share[first, i]) - 1.0
        pull = problem.use[i] * (problem.n[i] - mean[i]) / np.sqrt(max(mean[i], 1e-6))
        out[4, i] = min(max(pull, -8.0), 8.0) / 2.0
        away = (i + 0.5 - middle) / width
        out[5, i] = np.exp(-away * away) * min(max(3.0 * height, -2.0), 2.0)
        out[6, i] = min(max(better, -3.0), 3.0)
        away = (i - at) / sigma[i]
        out[7, i] = top * np.exp(-0.125 * away * away)


@compiled
def average(logs: Any, criterion: Any) -> Any:
    """Return the exponential of the mean of logarithms, weighted by ``exp(-criterion / 2)``."""
    weight = np.exp(-0.5 * (criterion - criterion.min()))
    weight /= weight.sum()
    mean = np.zeros(logs.shape[1])
    for row in range(len(logs)):
        for i in range(logs.shape[1]):
            mean[i] += weight[row] * logs[row, i]
    return np.exp(mean)
