"""The classical fits: iminuit, the table T19 of the reference numbers, the order, the dijet functions, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iminuit import Minuit
from scipy import stats as scipy_stats

from coffea_ddp import stats
from coffea_ddp.errors import InputError
from coffea_ddp.stats.bumphunt.fits import signal_and_background
from coffea_ddp.stats.bumphunt.fits.bump_fit import _dijet, bump_fit, fit_block
from coffea_ddp.stats.bumphunt.fits.loglinear import legendre
from coffea_ddp.stats.bumphunt.fits.templates import gaussian_templates

DIJET = _dijet(np.linspace(500.0, 6000.0, 51), 13_000.0)


def by_minuit(counts, design, signal):
    """Z of one mass, fitted by iminuit: the same likelihood, somebody else's minimiser."""
    scale = max(np.sqrt(counts.sum()), 1.0)
    events = counts > 0

    def fitted(with_signal):
        def twice_minus_log(parameters):
            expected = np.exp(np.clip(parameters[1:] @ design, -50, 50)) + parameters[0] * scale * signal
            if (expected <= 0).any():
                return 1e15
            logs = np.log(expected[events] / counts[events])
            return 2.0 * float((expected - counts).sum() - (counts[events] * logs).sum())

        first = np.zeros(len(design) + 1)
        first[1:] = np.linalg.lstsq(design.T, np.log(np.maximum(counts, 0.5)), rcond=None)[0]
        minuit = Minuit(twice_minus_log, first)
        minuit.errordef, minuit.strategy, minuit.tol = 1.0, 2, 1e-5
        minuit.fixed[0] = not with_signal
        minuit.migrad(ncall=20_000)
        minuit.migrad(ncall=20_000)
        return minuit

    null, full = fitted(False), fitted(True)
    return np.sign(full.values[0]) * np.sqrt(max(null.fval - full.fval, 0.0))


@pytest.mark.parametrize("design", [legendre(50, 4), legendre(50, 5), DIJET], ids=["4 terms", "5 terms", "dijet"])
@pytest.mark.parametrize("events", [3e2, 3e4, 3e6])
def test_iminuit_finds_the_same(events, design):
    background = np.exp(-3.0 * np.linspace(0, 1, 50) ** 1.3)
    background *= events / background.sum()
    template = gaussian_templates(50, 2.0)
    counts = np.random.default_rng(int(events)).poisson(background + 3 * np.sqrt(background[20]) * template.row(20))
    counts = counts.astype(float)
    z, _, converged = fit_block(counts[None], design, template.values)
    places = [3, 12, 20, 27, 44]
    assert converged.all()
    assert z[0, places] == pytest.approx([by_minuit(counts, design, template.row(k)) for k in places], abs=1e-3)


def test_where_next_to_nothing_is_expected():
    """Most bins are empty; of negative signals iminuit, which does not go to where nothing is expected, finds less."""
    background = 3e3 * np.exp(-25.0 * np.linspace(0.0, 1.0, 60))
    template, design = gaussian_templates(60, 2.0), legendre(60, 4)
    toys = np.random.default_rng(0).poisson(background, (10, 60)).astype(float)
    z, _, converged = fit_block(toys, design, template.values)
    assert converged.all()
    for row, k in [(0, 1), (1, 28), (4, 0), (7, 9), (8, 11), (9, 21), (0, 40), (3, 30)]:
        other = by_minuit(toys[row], design, template.row(k))
        if z[row, k] > 0.0:
            assert z[row, k] == pytest.approx(other, abs=1e-3)
        else:
            assert z[row, k] < other + 1e-3


@given(st.integers(20, 60), st.integers(1, 40), st.floats(0.5, 1.5))
def test_an_empty_window_pulls_the_signal_to_its_bound(n_bins, events, sigma):
    """Flat background, nothing within reach of the signal: mu = -b at the best, whatever the counts elsewhere."""
    template = gaussian_templates(n_bins, sigma)
    k = n_bins // 2
    counts = np.where(template.row(k) > 0.0, 0.0, 1.0)
    if counts.sum() == 0.0:
        return
    counts *= events / counts.sum()
    z, _, _ = fit_block(counts[None], legendre(n_bins, 1), template.values)
    expected = -np.sqrt(2.0 * events * np.log(n_bins / (n_bins - template.row(k).sum())))
    assert z[0, k] == pytest.approx(expected, rel=1e-6)


@given(st.floats(1e-12, 25.0), st.integers(0, 2**32))
def test_series_are_the_functions(size, seed):
    rng = np.random.default_rng(seed)
    change, b = rng.uniform(-size, size, 30), rng.uniform(0.1, 1e6, 30)
    state = signal_and_background._State(
        b, *(np.empty(30) for _ in range(2)), np.empty((2, 2)), np.empty(2), change, b * 0, b * 0
    )
    signal_and_background._multiply(state, 1.0, size)
    assert state.increase == pytest.approx(b * np.expm1(change), rel=1e-13)
    assert state.following == pytest.approx(b * np.exp(change), rel=1e-13)
    x = np.maximum(change, -0.99)
    terms = b * np.log1p(x)
    assert signal_and_background._logarithms(b, x, size) == pytest.approx(terms.sum(), abs=1e-14 * np.abs(terms).sum())


EDGES = np.linspace(100.0, 160.0, 31)
CENTRES = 0.5 * (EDGES[1:] + EDGES[:-1])
HIGGS_BACKGROUND = np.exp(-1.02 * (CENTRES - 130.0) / 30.0)
HIGGS_BACKGROUND *= 59_000 / HIGGS_BACKGROUND.sum()
HIGGS = scipy_stats.norm.pdf(CENTRES, 126.5, 1.7) * 2.0


@pytest.mark.parametrize(("events", "fixed", "profiled"), [(300, 3.83, 3.03), (383, 4.88, 3.85)])
def test_t19_a_known_background_overstates(events, fixed, profiled):
    asimov = HIGGS_BACKGROUND + events * HIGGS
    result = bump_fit(asimov, EDGES, 2.0, orders=[5])
    assert stats.ideal_significance(asimov, HIGGS_BACKGROUND, 1.0).max() == pytest.approx(fixed, abs=0.05)
    assert result.z.max() == pytest.approx(profiled, abs=0.05)
    assert CENTRES[result.z.argmax()] == 127.0


def test_t19_toys():
    toys = np.random.default_rng(19).poisson(HIGGS_BACKGROUND + 383 * HIGGS, (400, 30))
    result = bump_fit(toys, EDGES, 2.0, orders=[5])
    ideal = stats.ideal_significance(toys, HIGGS_BACKGROUND, 1.0)
    at = int(HIGGS.argmax())
    # PHYSICS T19: 4.92 +- 1.01 and 3.88 +- 1.04, the maximum being near the peak.
    near = slice(at - 1, at + 2)
    assert ideal[:, near].max(axis=1).mean() == pytest.approx(4.92, abs=0.2)
    assert result.z[:, near].max(axis=1).mean() == pytest.approx(3.88, abs=0.2)
    null = np.random.default_rng(20).poisson(HIGGS_BACKGROUND, (400, 30))
    z = bump_fit(null, EDGES, 2.0, orders=[5]).z
    assert z.std() == pytest.approx(0.997, abs=0.03)
    assert np.median(z.max(axis=1)) == pytest.approx(1.91, abs=0.12)


def test_the_deviance_is_a_chi_squared():
    background = 400.0 * np.exp(-np.arange(60) / 25.0)
    toys = np.random.default_rng(3).poisson(background + 30.0, (500, 60))
    result = bump_fit(toys, width=2.0, orders=[4])
    # The best signal of all bins is in the fit: without it the deviance has 60 - 4 degrees of freedom.
    alone = result.deviance + (result.z**2).max(axis=1)
    assert scipy_stats.kstest(scipy_stats.chi2.sf(alone, 60 - 4), "uniform").pvalue > 0.01
    assert result.p_fit.mean() > 0.5  # so p_fit is conservative
    assert (result.ndf == 60 - 5).all()
    assert result.converged.all()


def test_the_order_is_chosen_with_the_signal():
    """Three terms make this background; a resonance of 10 sigma must not make it more."""
    x = np.linspace(0.0, 1.0, 80)
    background = 3e4 * np.exp(-2.0 * x - 1.5 * x**2)
    signal = gaussian_templates(80, 2.0).row(30)
    toys = np.random.default_rng(4).poisson(background + 10.0 * np.sqrt(background[30] / 3.5) * signal, (100, 80))
    result = bump_fit(toys, width=2.0)
    assert (result.order == 3).mean() > 0.8
    assert np.abs(result.z.argmax(axis=1) - 30).max() <= 1


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 5))
def test_dijet_functions_are_fitted_exactly(seed, order):
    rng = np.random.default_rng(seed)
    edges = np.linspace(300.0, 4000.0, 61)
    u = 0.5 * (edges[1:] + edges[:-1]) / 13_000.0
    log_u = np.log(u)
    terms = [np.ones(60), log_u, np.log1p(-u), log_u**2, log_u**3][:order]
    slopes = np.array([0.0, -rng.uniform(2, 5), rng.uniform(1, 10), rng.uniform(-0.2, 0.2), rng.uniform(-0.02, 0.02)])
    log_b = sum(slope * term for slope, term in zip(slopes, terms, strict=False))
    asimov = np.exp(log_b - log_b.max() + np.log(1e5))
    result = bump_fit(asimov, edges, 100.0, background="dijet", orders=[order])
    assert np.abs(result.z).max() < 1e-2
    assert result.deviance < 1e-4
    assert result.converged


def test_a_batch_is_its_spectra():
    toys = np.random.default_rng(5).poisson(np.exp(5.0 - np.arange(40) / 12.0), (2, 3, 40))
    together = bump_fit(toys, width=1.5)
    alone = bump_fit(toys[1, 2], width=1.5)
    assert together.z.shape == (2, 3, 40)
    assert np.array_equal(together.z[1, 2], alone.z)
    assert together.order[1, 2] == alone.order


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "width is missing"),
        ({"width": 2.0, "background": "spline"}, "'polynomial', 'dijet'"),
        ({"width": 2.0, "background": "dijet", "edges": np.linspace(0, 1e5, 31)}, "collision energy"),
        ({"width": 2.0, "orders": [40]}, "from 1 to 28"),
        ({"width": -2.0}, "positive number in the units"),
        ({"width": 2.0, "edges": np.zeros(31)}, "must increase"),
        ({"width": 2.0, "edges": np.arange(30)}, "one more than bins"),
    ],
    ids=["no width", "background", "energy", "order", "negative width", "edges", "too few edges"],
)
def test_what_cannot_be_fitted(options, message):
    with pytest.raises(InputError, match=message):
        bump_fit(np.full(30, 9.0), **options)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (np.ones(10), "10 bins"),
        (np.zeros(30), "all bins are 0"),
        (-np.ones(30), "0 or more"),
        (np.full(30, np.nan), "NaN"),
    ],
    ids=["few", "empty", "negative", "nan"],
)
def test_what_is_no_spectrum(counts, message):
    with pytest.raises(InputError, match=message):
        bump_fit(counts, width=2.0)
