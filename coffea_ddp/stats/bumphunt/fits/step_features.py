"""Features of backgrounds with a shoulder: estimates of z beside the best of them.

Shoulders are fitted (:mod:`~coffea_ddp.stats.bumphunt.fits.shoulder`) from the best steps of a grid
(:mod:`~coffea_ddp.stats.bumphunt.fits.steps`), if those can be any better than the background without one, by the
information criterion ``-2 log L + (terms + 3) log(n_bins)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats.bumphunt.fits.loglinear import Polynomials, rows_of
from coffea_ddp.stats.bumphunt.fits.shoulder import FREE, Start, deviance, fit_shoulders, scores_beside
from coffea_ddp.stats.bumphunt.fits.signals import Spectra, fixed_scores, templates_at
from coffea_ddp.stats.bumphunt.fits.steps import (
    STEP_ORDERS,
    BestSteps,
    Linearised,
    Steps,
    beside_step,
    best_steps,
    linearise,
)

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray, IntArray, RealArray

STEPPED = (
    "stepped", "clean stepped", "clean mean", "stepped leverage", "stepped residual", "step", "step gain",
    "other candidate",
)  # fmt: skip
"""Features made here."""
ESTIMATES = 3
"""The leading ones are estimates of z."""
_HOPE, _BAD, _MANY = 3.0, 3.0, 8
"""A shoulder is fitted if a step is no more than this worse by the criterion, the background bad, or of many terms."""


class Candidate(NamedTuple):
    """Signals: their templates, shape (n_spectra, n_bins), strengths and bins, shape (n_spectra,)."""

    s: FloatArray
    mu: FloatArray
    place: IntArray


class Background(NamedTuple):
    """The best background without a step, the candidate fitted beside it.

    Attributes
    ----------
    order
        Number of its terms, shape (n_spectra,).
    log_b, b
        Shape (n_spectra, n_bins).
    z, share
        Of a signal at every bin beside it, the candidate not taken out; shape (n_spectra, n_bins).
    clean
        z of a signal at every bin beside it, b taken as known; shape (n_spectra, n_bins).
    """

    order: IntArray
    log_b: FloatArray
    b: FloatArray
    z: FloatArray
    share: FloatArray
    clean: FloatArray


class Fit(NamedTuple):
    """One background of every spectrum that may have a shoulder, with a candidate beside it.

    Attributes
    ----------
    log_b
        Logarithm of the background, shape (n_spectra, n_bins).
    criterion
        The information criterion, shape (n_spectra,).
    z, share
        Of a signal at every bin beside it, no candidate taken out; shape (n_spectra, n_bins).
    theta
        Height, place and logarithm of the width, 0 without a shoulder; shape (n_spectra, 3).
    place
        Bins of the candidates, shape (n_spectra,).
    """

    log_b: FloatArray
    criterion: FloatArray
    z: FloatArray
    share: FloatArray
    theta: FloatArray
    place: IntArray


def set_step_features(
    spectra: Spectra,
    steps: Steps,
    candidate: Candidate,
    without: Background,
    sigma: FloatArray,
    out: RealArray,
    found: FloatArray,
) -> None:
    """Set the features :data:`STEPPED` of backgrounds with a shoulder, shape (n_spectra, 8, n_bins).

    Three estimates of z: of a signal anywhere beside the best of them; with the candidate taken out, of the best of
    them, and of their mean with the background without one, weighted by the criterion. Then the share of a signal that
    the best one can imitate, the pulls of the mean, where the step is, how much better it is, and its candidate.

    Parameters
    ----------
    spectra, steps
        The spectra, and the steps that are tried.
    candidate, without
        The candidates, and the backgrounds without a step.
    sigma
        Width of the signal in bins at every bin, shape (n_spectra, n_bins).
    out
        The features.
    found
        Set to the best shoulder: by how much its criterion is better than that without one (0: none was fitted), the
        logarithm h of its height, its place and its width w in bins; shape (n_spectra, 4).
    """
    point = linearise(spectra, candidate.s, candidate.mu, without.log_b, without.b, STEP_ORDERS[-1])
    best = best_steps(point, steps, STEP_ORDERS)
    rows = np.flatnonzero(_may_be_better(spectra, point, best.gain, candidate, without))
    plain = _without(spectra, candidate, without)
    _set(spectra, plain, without.b, sigma, out)
    out[:, 1], out[:, 2], out[:, 6] = without.clean, without.clean, -FREE
    found[:] = (0.0, 0.0, 0.0, 1.0)
    if not len(rows):
        return
    some = spectra.of(rows)
    beside, there = rows_of(candidate, rows), rows_of(plain, rows)
    fits = [*_fits(some, steps, rows_of(point, rows), rows_of(best, rows), beside), there]
    chosen, mean = _best(fits[:-1]), _weighted_mean(fits)
    stepped = np.empty((len(rows), *out.shape[1:]), dtype=out.dtype)
    _set(some, chosen, mean, sigma[rows], stepped)
    clean = fixed_scores(some, np.stack([np.exp(chosen.log_b), mean], axis=1))
    better = there.criterion - chosen.criterion
    stepped[:, 1], stepped[:, 2] = clean[:, 0], clean[:, 1]
    stepped[:, 6] = np.clip(np.arcsinh(better / 6.0), -3.0, 3.0)[:, None]
    out[rows] = stepped
    found[rows] = np.column_stack([better, chosen.theta[:, :2], np.exp(chosen.theta[:, 2])])


def _may_be_better(
    spectra: Spectra, point: Linearised, gain: FloatArray, candidate: Candidate, without: Background
) -> BoolArray:
    """Return where a shoulder may be better than the background without one, by the criterion of one step."""
    price, used = np.log(float(without.b.shape[1])), spectra.use.sum(axis=1)
    pull = (spectra.n - without.b - candidate.mu[:, None] * candidate.s) * point.root
    chi2 = np.minimum(pull * pull, 100.0).sum(axis=1)
    may = (without.order >= _MANY) | (chi2 - used > _BAD * np.sqrt(2.0 * used))
    vv, yy = (point.v * point.v).sum(axis=1) + 1e-12, (point.y * point.y).sum(axis=1)
    for number, order in enumerate(STEP_ORDERS):
        yq, vq = point.yq[:, :order], point.vq[:, :order]
        left = vv - (vq * vq).sum(axis=1)
        vy = point.vy - (vq * yq).sum(axis=1)
        criterion = yy - (yq * yq).sum(axis=1) - vy * vy / np.maximum(left, 1e-12) - gain[:, number]
        may |= criterion + price * (order + FREE) < chi2 + price * without.order + _HOPE
    return np.asarray(may)


def _without(spectra: Spectra, candidate: Candidate, without: Background) -> Fit:
    """Return the background without a shoulder as one of the fits."""
    criterion = deviance(spectra.n, spectra.use, without.b, candidate.s, candidate.mu)
    criterion += np.log(float(without.b.shape[1])) * without.order
    none = np.zeros((len(criterion), FREE))
    return Fit(without.log_b, criterion, without.z, without.share, none, candidate.place)


def _fits(spectra: Spectra, steps: Steps, point: Linearised, best: BestSteps, candidate: Candidate) -> list[Fit]:
    """Return fits of both forms with few terms, and of the better one with more."""
    basis, ridge, terms = spectra.polynomials
    few = spectra._replace(polynomials=Polynomials(basis[:, : STEP_ORDERS[-1]].copy(), ridge, terms))
    every, found = np.arange(len(candidate.mu)), list[Fit]()
    for number, order in enumerate(STEP_ORDERS):
        step, height = best.step[:, number], best.height[:, number]
        mu, c = beside_step(point, order, steps.values[step], height)
        kinds = (0, 1) if number == 0 else (np.where(found[1].criterion < found[0].criterion, 1, 0),)
        kind = np.concatenate([np.broadcast_to(one, len(every)) for one in kinds])
        again = np.tile(every, len(kinds))
        theta = np.column_stack([height, steps.place[step], np.log(steps.width[step])])[again]
        theta[:, 2] += np.where(kind == 1, np.log(0.6), 0.0)
        whole = _fit(few.of(again), Start(kind, theta, c[again], mu[again]), rows_of(candidate, again))
        found += [rows_of(whole, every + first) for first in range(0, len(kind), len(mu))]
    return found


def _fit(spectra: Spectra, begin: Start, candidate: Candidate) -> Fit:
    """Fit shoulders beside their candidates, and beside those that are then the strongest; keep the better."""
    now = fit_shoulders(spectra, candidate.s, begin)
    scores, place = scores_beside(spectra, candidate.s, now), candidate.place.copy()
    moved = np.flatnonzero(np.abs(scores.place - place) > 1)
    if len(moved):
        some, other = spectra.of(moved), scores.place[moved]
        signal = templates_at(some.signals, other)
        start = Start(now.kind[moved], now.theta[moved], now.c[moved], scores.strength[moved])
        again = fit_shoulders(some, signal, start)
        better = np.flatnonzero(again.deviance < now.deviance[moved])
        into, kept = moved[better], rows_of(again, better)
        place[into] = other[better]
        beside = scores_beside(some.of(better), signal[better], kept)
        for whole, part in zip((*now, scores.z, scores.share), (*kept, beside.z, beside.share), strict=True):
            whole[into] = part
    price = np.log(float(now.b.shape[1])) * (now.c.shape[1] + FREE)
    return Fit(now.log_b, now.deviance + price, scores.z, scores.share, now.theta, place)


def _best(fits: list[Fit]) -> Fit:
    """Return the fit with the best criterion, for every spectrum."""
    best = np.argmin([one.criterion for one in fits], axis=0)
    every = np.arange(len(best))
    return Fit(*(np.stack(parts)[best, every] for parts in zip(*fits, strict=True)))


def _weighted_mean(fits: list[Fit]) -> FloatArray:
    """Return the geometric mean of backgrounds, weighted by ``exp(-criterion / 2)``; shape (n_spectra, n_bins)."""
    criterion = np.array([one.criterion for one in fits])
    weight = np.exp(-0.5 * (criterion - criterion.min(axis=0)))
    weight /= weight.sum(axis=0)
    return np.asarray(np.exp(sum(some[:, None] * one.log_b for some, one in zip(weight, fits, strict=True))))


def _set(spectra: Spectra, best: Fit, mean: FloatArray, sigma: FloatArray, out: RealArray) -> None:
    """Set the features of a fit and of the mean background, but for what is beside known backgrounds and the gain."""
    n_bins = mean.shape[1]
    bins, every = np.arange(n_bins), np.arange(len(mean))
    out[:, 0] = best.z
    out[:, 3] = 2.0 * np.sqrt(best.share) - 1.0
    pull = spectra.use * (spectra.n - mean) / np.sqrt(np.maximum(mean, 1e-6))
    out[:, 4] = np.clip(pull, -8.0, 8.0) / 2.0
    h, p, log_w = best.theta.T[:, :, None]
    t = (bins + 0.5 - p) / np.exp(log_w)
    out[:, 5] = np.exp(-t * t) * np.clip(3.0 * h, -2.0, 2.0)
    t = (bins - best.place[:, None]) / sigma
    top = 0.3 * np.maximum(best.z[every, best.place], 0.0)
    out[:, 7] = top[:, None] * np.exp(-0.125 * t * t)
