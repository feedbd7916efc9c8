"""Backgrounds with a shoulder: a step in their logarithm, which polynomials need many terms for.

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
from coffea_ddp.stats.bumphunt.fits.polynomials import orthogonal
from coffea_ddp.stats.bumphunt.fits.shoulder import TALLEST
from coffea_ddp.stats.bumphunt.fits.signals import Spectra

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
_SMALLEST = 1e-12


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
        ``1 / sqrt(b + mu s)``, 0 where masked, and b times that; shape (n_spectra, n_bins).
    y, v
        What the counts say, and the candidate; shape (n_spectra, n_bins).
    q, factor
        Q^T, shape (n_spectra, terms, n_bins), and L, shape (n_spectra, terms, terms).
    yq, vq
        ``Q^T y`` and ``Q^T v``; shape (n_spectra, terms).
    vy
        ``v . y``, shape (n_spectra,).
    """

    root: FloatArray
    scale: FloatArray
    y: FloatArray
    v: FloatArray
    q: FloatArray
    factor: FloatArray
    yq: FloatArray
    vq: FloatArray
    vy: FloatArray


class BestSteps(NamedTuple):
    """The best step beside every number of polynomials; shape (n_spectra, n_orders) each.

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


def linearise(
    spectra: Spectra, signal: FloatArray, mu: FloatArray, log_b: FloatArray, b: FloatArray, terms: int
) -> Linearised:
    """Return the linear problems around backgrounds b with candidates of strength mu."""
    root = np.sqrt(spectra.use / (b + mu[:, None] * signal))
    scale, v = root * b, root * signal
    y = root * (spectra.n - b) + scale * log_b
    q, factor = scale[:, None] * spectra.polynomials.basis[:, :terms], np.empty((len(b), terms, terms))
    _orthogonal(q, spectra.polynomials.ridge, factor)
    yq, vq = (q @ y[:, :, None])[:, :, 0], (q @ v[:, :, None])[:, :, 0]
    return Linearised(root, scale, y, v, q, factor, yq, vq, (v * y).sum(axis=1))


@compiled
def _orthogonal(columns: FloatArray, ridge: FloatArray, factor: FloatArray) -> None:
    for row in range(len(columns)):
        orthogonal(columns[row], ridge, factor[row])


@compiled
def _set_products(point: Linearised, steps: Steps, uq: FloatArray, others: FloatArray) -> None:
    """Set the inner products of all steps with the polynomials, and with counts, candidate and themselves.

    Shapes (n_spectra, terms, n_steps) and (3, n_spectra, n_steps).
    """
    column, n_bins = np.empty(point.scale.shape[1]), point.scale.shape[1]
    for row in range(len(point.scale)):
        scale, y, v, q = point.scale[row], point.y[row], point.v[row], point.q[row]
        for a in range(uq.shape[1]):
            for i in range(n_bins):
                column[i] = scale[i] * q[a, i]
            _under_steps(steps, steps.values, column, uq[row, a])
        for i in range(n_bins):
            column[i] = scale[i] * y[i]
        _under_steps(steps, steps.values, column, others[0, row])
        for i in range(n_bins):
            column[i] = scale[i] * v[i]
        _under_steps(steps, steps.values, column, others[1, row])
        for i in range(n_bins):
            column[i] = scale[i] * scale[i]
        _under_steps(steps, steps.squared, column, others[2, row])


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


def best_steps(point: Linearised, steps: Steps, orders: tuple[int, ...]) -> BestSteps:
    """Return the best step beside every number of polynomials, the candidate fitted too."""
    n_spectra, terms = point.yq.shape
    uq, others = np.empty((n_spectra, terms, len(steps.place))), np.empty((3, n_spectra, len(steps.place)))
    _set_products(point, steps, uq, others)
    uy, uv, uu = others
    uu += 1e-9
    whole, before = uu.copy(), 0
    vv, vy = (point.v * point.v).sum(axis=1) + _SMALLEST, point.vy.copy()
    shape = (n_spectra, len(orders))
    gain, height, best = np.zeros(shape), np.zeros(shape), np.zeros(shape, np.int64)
    every = np.arange(n_spectra)
    for number, order in enumerate(orders):
        for a in range(before, order):
            uu -= uq[:, a] * uq[:, a]
            uy -= uq[:, a] * point.yq[:, a, None]
            uv -= uq[:, a] * point.vq[:, a, None]
            vv -= point.vq[:, a] * point.vq[:, a]
            vy -= point.vq[:, a] * point.yq[:, a]
        before = order
        over = 1.0 / np.maximum(vv, _SMALLEST)
        # Those of what the candidate cannot describe.
        free, slope = uu - uv * uv * over[:, None], uy - uv * (vy * over)[:, None]
        allowed = (free > _FREE_SHARE * whole) & (np.abs(slope) < TALLEST * free)
        free = np.where(allowed, free, 1.0)
        gains = np.where(allowed, slope * slope / free, 0.0)
        at = gains.argmax(axis=1)
        gain[:, number], best[:, number] = gains[every, at], at
        height[:, number] = np.where(gain[:, number] > 0.0, slope[every, at] / free[every, at], 0.0)
    return BestSteps(gain, height, best)


def beside_step(point: Linearised, order: int, step: FloatArray, height: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mu of the candidates, and the coefficients of the polynomials, beside steps of those heights.

    Parameters
    ----------
    point
        The linear problems.
    order
        Number of polynomials.
    step, height
        u, shape (n_spectra, n_bins), and h, shape (n_spectra,).

    Returns
    -------
    tuple
        Shapes (n_spectra,) and (n_spectra, order).
    """
    u, yq, vq = point.scale * step, point.yq[:, :order], point.vq[:, :order]
    c = (point.q[:, :order] @ u[:, :, None])[:, :, 0]
    uv = (u * point.v).sum(axis=1) - (c * vq).sum(axis=1)
    vv = (point.v * point.v).sum(axis=1) + _SMALLEST - (vq * vq).sum(axis=1)
    vy = point.vy - (vq * yq).sum(axis=1)
    mu = np.maximum((vy - height * uv) / np.maximum(vv, _SMALLEST), 0.0)
    c = yq - height[:, None] * c - mu[:, None] * vq
    _solve(point.factor, c)
    return mu, c


@compiled
def _solve(factor: FloatArray, values: FloatArray) -> None:
    """Replace values by ``L^-T values``, in place, with the leading part of each factor."""
    for row in range(len(values)):
        backward(factor[row], values[row], values.shape[1])
