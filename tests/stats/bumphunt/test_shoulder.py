"""Backgrounds with a shoulder: the grid of steps, the fit and its features, beside plain numpy and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from scipy.special import erf

from coffea_ddp.stats.bumphunt.domain import domain
from coffea_ddp.stats.bumphunt.features import CHANNELS, RIDGE, describe, features
from coffea_ddp.stats.bumphunt.fits.loglinear import Polynomials, legendre
from coffea_ddp.stats.bumphunt.fits.shoulder import (
    FREE,
    Start,
    deviance,
    ending,
    evaluate,
    fit_shoulders,
    scores_beside,
)
from coffea_ddp.stats.bumphunt.fits.signals import Signals, Spectra, asimov, fold, templates_at
from coffea_ddp.stats.bumphunt.fits.steps import beside_step, best_steps, linearise, step_table
from coffea_ddp.stats.bumphunt.fits.templates import gaussian_templates
from coffea_ddp.stats.bumphunt.training.sampling import SpectrumSettings, draw

N_BINS = 80
ORDERS = (4, 6)
RIDGES = np.array(RIDGE[:6])


def spectrum_of(counts, sigma=2.0, use=None):
    """Return one spectrum as many: all arrays begin with an axis of length 1."""
    tables = np.ascontiguousarray(gaussian_templates(N_BINS, sigma, reach=4.0).values.T)[None]
    used = np.ones((1, N_BINS)) if use is None else use[None]
    signals = Signals(tables, tables**2, np.array([0]))
    return Spectra(counts[None], used, signals, Polynomials(legendre(N_BINS, 6)[None], RIDGES, np.array([6])))


def some_shoulder(seed, kind=0):
    """Return the spectrum of a shoulder with a candidate, what it was made of, and its background."""
    rng = np.random.default_rng(seed)
    x = (np.arange(N_BINS) + 0.5) / N_BINS
    form = np.array([rng.uniform(0.4, 1.2), rng.uniform(25, 55), np.log(rng.uniform(3, 9))])
    t = (np.arange(N_BINS) + 0.5 - form[1]) / np.exp(form[2])
    s = 0.5 * (1 - erf(t)) if kind == 0 else 0.5 * (1 - t / np.sqrt(1 + t**2))
    b = 3e4 * np.exp(-2.0 * x) * (1 + np.expm1(form[0]) * s)
    place = int(rng.integers(10, N_BINS - 10))
    one = spectrum_of(b)
    (signal,) = templates_at(one.signals, np.array([place]))
    return one._replace(n=rng.poisson(b + 500 * signal).astype(float)[None]), form, b, signal, place


def evaluated(kind, theta, c, basis):
    """Return the background of a shoulder, and its slopes."""
    b, slopes = np.empty(N_BINS), np.empty((FREE, N_BINS))
    evaluate(kind, theta, c, basis, b, slopes)
    return b, slopes


def fitted(one, signal, kind, theta, c):
    """Return the shoulder fitted to one spectrum."""
    return fit_shoulders(one, signal[None], Start(np.array([kind]), theta[None], c[None], np.array([500.0])))


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-3, 1e7), st.floats(-6.0, 12.0))
def test_sqrt_q0_of_one_bin(b, score):
    x = max(score / np.sqrt(b), -1.0)
    q0 = 2 * b * ((1 + x) * np.log1p(x) - x) if x > -1 else 2 * b
    (z,) = asimov(np.array([score]), np.array([b]))
    assert z == pytest.approx(np.clip(np.sign(x) * np.sqrt(max(q0, 0.0)), -60, 60), rel=1e-5, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(3, 60), st.floats(0.7, 5.0))
def test_sums_under_templates_are_those_of_a_matrix(seed, n_bins, sigma):
    templates = gaussian_templates(n_bins, sigma, reach=4.0)
    values, out = np.random.default_rng(seed).normal(size=n_bins), np.empty(n_bins)
    fold(np.ascontiguousarray(templates.values.T), values, out)
    rows = np.array([templates.row(k) for k in range(n_bins)])
    assert out == pytest.approx(rows @ values, abs=1e-12)


def plain_gains(one, signal, mu, b, steps):
    """The least squares of polynomials, candidate and one step, for every step and order."""
    (n,), (use,), (basis,) = one.n, one.use, one.polynomials.basis
    w = use / np.sqrt(b + mu * signal)
    y = w * (n - b + b * np.log(b))
    found = []
    for order in ORDERS:
        columns = np.vstack([w * b * basis[:order], w * signal])
        penalty = np.diag(np.sqrt([*RIDGES[:order], 1e-12]))
        rest = []
        for step in [None, *steps.values]:
            more = columns if step is None else np.vstack([columns, w * b * step])
            rows = np.pad(penalty, ((0, 0), (0, len(more) - len(penalty))))
            design, target = np.vstack([more.T, rows]), np.concatenate([y, np.zeros(len(rows))])
            solution = np.linalg.lstsq(design, target, rcond=None)[0]
            rest.append((((design @ solution - target) ** 2).sum(), solution))
        gains = np.array([rest[0][0] - one_rest for one_rest, _ in rest[1:]])
        best = int(np.argmax(gains))
        found.append((gains[best], best, rest[1 + best][1]))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_the_best_step_is_that_of_plain_least_squares(seed):
    one, _, b, signal, _ = some_shoulder(seed)
    if seed % 2:
        one.use[0, 30:36] = 0.0
    flat = np.full(N_BINS, 1.3) * b.mean() * np.exp(-0.5 * np.linspace(0, 1, N_BINS))
    steps = step_table(N_BINS)
    point = linearise(one, signal[None], np.array([100.0]), np.log(flat)[None], flat[None], ORDERS[-1])
    (gain,), (height,), (found,) = best_steps(point, steps, ORDERS)
    for number, (most, which, solution) in enumerate(plain_gains(one, signal, 100.0, flat, steps)):
        assert gain[number] == pytest.approx(most, rel=2e-3)
        assert found[number] == which
        assert height[number] == pytest.approx(solution[-1], rel=2e-3)
        given = steps.values[[which]], height[[number]]
        (mu,), (coefficients,) = beside_step(point, ORDERS[number], *given)
        assert mu == pytest.approx(max(solution[-2], 0.0), rel=5e-3, abs=1.0)
        if solution[-2] > 0:
            assert coefficients == pytest.approx(solution[: ORDERS[number]], rel=5e-3, abs=5e-3)


@pytest.mark.parametrize("kind", [0, 1])
def test_slopes_of_a_shoulder_are_differences(kind):
    form, coefficients = np.array([0.7, 33.0, 1.5]), np.array([8.0, -0.4, 0.1, 0.05])
    basis = legendre(N_BINS, 4)

    def log_of(form):
        b, slopes = evaluated(kind, form, coefficients, basis)
        return np.log(b), slopes

    for j in range(FREE):
        step = np.zeros(FREE)
        step[j] = 1e-5
        difference = (log_of(form + step)[0] - log_of(form - step)[0]) / 2e-5
        assert log_of(form)[1][j] == pytest.approx(difference, abs=1e-6)
    assert ending(kind, -9.0)[0] == pytest.approx(1.0, abs=0.01)
    assert ending(kind, 9.0)[0] == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize(("seed", "kind"), [(1, 0), (2, 1), (3, 0), (4, 1)])
def test_a_fitted_shoulder_is_as_good_as_that_of_scipy(seed, kind):
    one, truth, b, signal, _ = some_shoulder(seed, kind)
    basis = one.polynomials.basis[0, :4]

    def minus_log(parameters):
        mu, form, coefficients = np.array([100.0 * max(parameters[0], 0.0)]), parameters[1:4], parameters[4:]
        b, _ = evaluated(kind, form, coefficients, basis)
        penalty = (RIDGES[:4] * coefficients**2).sum()
        return deviance(one.n, one.use, b[None], signal[None], mu)[0] + penalty

    form = truth + np.array([0.1, 1.0, 0.1])
    coefficients = np.linalg.lstsq(basis.T, np.log(b) - 0.5 * truth[0], rcond=None)[0]
    start = np.concatenate([[5.0], form, coefficients])
    best = optimize.minimize(minus_log, start, method="Nelder-Mead", options={"maxfev": 20_000, "maxiter": 20_000})
    now = fitted(one, signal, kind, form, coefficients)
    assert now.deviance[0] + (RIDGES[:4] * now.c**2).sum() < best.fun + 0.3
    assert now.deviance == pytest.approx(deviance(one.n, one.use, now.b, signal[None], now.mu))
    assert now.theta[0] == pytest.approx(truth, abs=0.5)
    assert now.b[0] == pytest.approx(b, rel=0.05)


def test_scores_beside_a_shoulder_are_those_of_plain_numpy():
    one, form, _, signal, place = some_shoulder(7)
    (basis,) = one.polynomials.basis
    coefficients = np.linalg.lstsq(basis.T, np.log(some_shoulder(7)[2]), rcond=None)[0]
    coefficients[0] -= 0.3
    now = fitted(one, signal, 0, form, coefficients)
    (mu,), (b,), (slopes,) = now.mu, now.b, now.slopes
    (z,), (share,), (at,), (strength,) = scores_beside(one, signal[None], now)
    over = 1.0 / np.sqrt(b + mu * signal)
    white, _ = np.linalg.qr((over * b * np.vstack([slopes, basis])).T)
    rest = over * (one.n[0] - b)
    rest = rest - white @ (white.T @ rest)
    rows = np.array([templates_at(one.signals, np.array([k]))[0] for k in range(N_BINS)])
    v = rows * over
    lost = ((v @ white) ** 2).sum(axis=1) / (v**2).sum(axis=1)
    assert share == pytest.approx(lost, abs=2e-3)
    score = v @ rest / np.sqrt((v**2).sum(axis=1) * (1 - lost))
    effective = rows.sum(axis=1) ** 2 / (v**2).sum(axis=1)
    wanted = asimov(score, effective)
    middle = slice(6, N_BINS - 6)
    assert z[middle] == pytest.approx(wanted[middle], abs=0.05)
    assert abs(at - place) <= 3
    assert strength == pytest.approx(mu, rel=0.1)


def test_a_sharp_shoulder_is_described_and_a_smooth_spectrum_costs_nothing():
    errors = {}
    for name in ("steps", "exponentials"):
        distribution = SpectrumSettings((name,), None, (1e5, 1e7), 0.8, (3.0, 5.0, 7.0, 10.0), 0.0, 0.0, 0.0)
        batch = draw(5, 1, size=300, n_bins=100, sigma=2.0, distribution=distribution)
        found, inside = features(batch.counts, np.full(100, 2.0)), domain(batch.background, batch.use, 2.0)
        for channel in ("clean best", "clean mean"):
            away = np.clip(found[:, CHANNELS.index(channel)] - batch.z, -8, 8)[inside]
            errors[name, channel] = np.sqrt((away**2).mean())
    assert errors["steps", "clean mean"] < 0.7 * errors["steps", "clean best"]
    assert errors["exponentials", "clean mean"] < 1.05 * errors["exponentials", "clean best"]


def test_where_no_shoulder_is_tried_the_features_are_those_without_one():
    counts = np.random.default_rng(2).poisson(1e3 * np.exp(-np.arange(60) / 40.0), (20, 60)).astype(float)
    found = describe(counts, np.full(60, 2.0)).features
    none = found[:, CHANNELS.index("step gain"), 0] == -3.0
    assert none.mean() > 0.5
    assert np.allclose(found[none, CHANNELS.index("clean mean")], found[none, CHANNELS.index("clean best")], atol=1e-4)
