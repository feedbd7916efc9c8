"""The ideal significance: scipy's scan, the table T17 of the reference numbers, limits, wanted strengths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from scipy import stats as scipy_stats

from coffea_ddp import stats
from coffea_ddp.errors import InputError
from coffea_ddp.stats.bumphunt.fits.ideal import ideal_significance, strength_for_z
from coffea_ddp.stats.bumphunt.fits.templates import gaussian_templates

X = np.arange(60)
T17 = 1e4 * np.exp(-X / 12.0) + 5.0


def scanned(counts, background, sigma, k):
    """Another way: a bounded minimiser, with a Gaussian that ends nowhere."""
    bins = np.arange(len(counts))
    signal = np.exp(-0.5 * ((bins - k) / sigma) ** 2)
    signal /= signal.sum()
    seen = signal > 1e-12
    lowest = -float((background[seen] / signal[seen]).min())
    events = counts > 0

    def minus_log(mu):
        ratio = 1.0 + mu * signal[events] / background[events]
        return mu * signal.sum() - float((counts[events] * np.log(np.maximum(ratio, 1e-300))).sum())

    highest = counts.sum() + 10.0
    best = optimize.minimize_scalar(minus_log, bounds=(lowest, highest), method="bounded", options={"xatol": 1e-9})
    # The minimiser never looks at the end itself.
    mu = min((best.x, lowest * (1 - 1e-12), 0.0), key=minus_log)
    return np.sign(mu) * np.sqrt(max(-2.0 * minus_log(mu), 0.0))


@pytest.mark.parametrize("sigma", [1.0, 2.3, 5.0])
@pytest.mark.parametrize("events", [1e2, 1e4, 1e7])
def test_another_minimiser_finds_the_same(events, sigma):
    rng = np.random.default_rng([int(events), int(10 * sigma)])
    background = np.exp(-5.0 * np.linspace(0, 1, 70))
    background *= events / background.sum()
    counts = rng.poisson(background).astype(float)
    z = ideal_significance(counts, background, sigma)
    places = np.arange(0, 70, 3)
    others = np.array([scanned(counts, background, sigma, k) for k in places])
    assert np.abs(z[places] - others).max() < 1e-6


def test_a_single_bin_has_a_closed_form():
    counts, background = np.full(9, 50.0), np.full(9, 50.0)
    counts[4] = 80.0
    z = ideal_significance(counts, background, 0.1)
    assert z[4] == pytest.approx(np.sqrt(2.0 * (80 * np.log(80 / 50) - 30)), abs=1e-9)
    assert np.abs(np.delete(z, 4)).max() < 1e-9


def test_nothing_seen_is_the_lower_bound():
    background = np.linspace(3.0, 1.0, 12)
    z = ideal_significance(np.zeros(12), background, 1.0)
    table = gaussian_templates(12, 1.0)
    rows = np.array([table.row(k) for k in range(12)])
    with np.errstate(divide="ignore"):
        lowest = (background / rows).min(axis=1)
    assert z == pytest.approx(-np.sqrt(2.0 * lowest * rows.sum(axis=1)), abs=1e-9)


def test_t17_without_a_signal():
    counts = np.random.default_rng(17).poisson(T17, (20_000, 60)).astype(float)
    z = ideal_significance(counts, T17, 1.0)
    assert abs(z.mean()) < 0.02
    assert z.std() == pytest.approx(1.0, abs=0.02)
    highest = z.max(axis=1)
    # PHYSICS T17: median 2.07, quantiles of 1, 2, 3 sigma 2.64, 3.34, 4.07; P(max > 3) = 0.0615
    quantiles = np.quantile(highest, scipy_stats.norm.cdf([0.0, 1.0, 2.0, 3.0]))
    assert quantiles == pytest.approx([2.07, 2.64, 3.34, 4.07], abs=0.15)
    assert quantiles[:3] == pytest.approx([2.07, 2.64, 3.34], abs=0.05)
    assert np.mean(highest > 3.0) == pytest.approx(0.0615, abs=0.006)


@pytest.mark.parametrize(("place", "wanted", "near"), [(10, 3.0, 0.81), (30, 5.0, 0.99), (50, 8.0, 1.0)])
def test_t17_with_a_signal(place, wanted, near):
    signal = gaussian_templates(60, 1.0).row(place)
    expected = T17 + strength_for_z(T17[None], signal[None], np.array([wanted]))[0] * signal
    asimov = ideal_significance(expected, T17, 1.0)
    assert asimov[place] == pytest.approx(wanted, abs=1e-4)
    z = ideal_significance(np.random.default_rng(place).poisson(expected, (3_000, 60)).astype(float), T17, 1.0)
    assert z[:, place].mean() == pytest.approx(wanted, abs=0.08)
    assert z[:, place].std() == pytest.approx(1.0, abs=0.08)
    found = np.abs(z.argmax(axis=1) - place) <= 1
    assert found.mean() == pytest.approx(near, abs=0.04)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.7, 5.0))
def test_scale_of_neither_the_template_nor_the_batch_matters(seed, sigma):
    rng = np.random.default_rng(seed)
    background = rng.uniform(0.1, 50.0, (3, 40))
    counts = rng.poisson(background).astype(float)
    together = ideal_significance(counts, background, sigma)
    alone = np.array([ideal_significance(n, b, np.full(40, sigma)) for n, b in zip(counts, background, strict=True)])
    assert np.array_equal(together, alone)
    mirrored = ideal_significance(counts[:, ::-1], background[:, ::-1], sigma)[:, ::-1]
    assert mirrored == pytest.approx(together, abs=1e-6)


def test_asimov_counts_of_the_background_are_nothing():
    assert np.abs(ideal_significance(T17, T17, 2.0)).max() < 1e-6
    assert stats.ideal_significance is ideal_significance


@pytest.mark.parametrize(
    ("counts", "background", "sigma", "message"),
    [
        ([1.0, -1.0], [1.0, 1.0], 1.0, "counts"),
        ([1.0, np.nan], [1.0, 1.0], 1.0, "counts"),
        ([1.0, 1.0], [1.0, 0.0], 1.0, "background"),
        ([1.0, 1.0], [1.0, 1.0], 0.0, "positive number of bins"),
        ([1.0, 1.0], [1.0, 1.0], [1.0, 1.0, 1.0], r"shape \(3,\)"),
    ],
    ids=["negative", "nan", "no background", "no width", "widths"],
)
def test_what_cannot_be_used(counts, background, sigma, message):
    with pytest.raises(InputError, match=message):
        ideal_significance(counts, background, sigma)


def test_strengths_of_zero_and_of_ten():
    background, signal = np.full((2, 30), 0.3), np.tile(gaussian_templates(30, 2.0).row(15), (2, 1))
    strength = strength_for_z(background, signal, np.array([0.0, 10.0]))
    assert strength[0] == 0.0
    assert ideal_significance(background[1] + strength[1] * signal[1], background[1], 2.0)[15] == pytest.approx(10.0)
