"""Fits of peaks: the derivatives, the independence of fits from each other, and minima beside scipy's."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp.stats.bumphunt import peak_fits
from coffea_ddp.stats.bumphunt.peak_fits import Window, fit_peaks
from coffea_ddp.stats.bumphunt.peak_shape import Peak, shares


def windows(n, seed=0):
    """Windows of several lengths with one or two peaks; some of them with masked bins."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(n):
        length, sigma = int(rng.integers(30, 110)), float(rng.uniform(1.2, 3.5))
        peaks = [Peak(float(place), sigma) for place in rng.uniform(0.3, 0.7, 1 + number % 2) * length]
        x = np.arange(length)
        expected = rng.uniform(20.0, 500.0) * np.exp(-x / rng.uniform(20.0, 200.0))
        for one in peaks:
            expected += rng.uniform(100.0, 3000.0) * Peak(one.place + 0.7, sigma, 1.3, 2.0).shape(x.astype(float))
        use = np.where(rng.random(length) < 0.05 * (number % 3), 0.0, 1.0)
        found.append(Window(rng.poisson(expected).astype(float), use, tuple(peaks), int(rng.integers(0, 40))))
    return [
        Window(one.counts, one.use, tuple(Peak(peak.place + one.first, peak.sigma) for peak in one.peaks), one.first)
        for one in found
    ]


@given(st.floats(5.0, 25.0), st.floats(0.8, 4.0), st.floats(0.7, 5.0), st.floats(0.7, 5.0))
def test_slopes_of_a_peak_are_differences(place, sigma, left, right):
    bins, inside, small = np.arange(30.0), np.arange(30) < 28, 1e-6

    def at(theta):
        place, log_sigma, u, v = (np.array([value]) for value in theta)
        return shares(bins, inside, place, np.exp(log_sigma), 1.0 / u, 1.0 / v)

    theta = np.array([place, np.log(sigma), 1.0 / left, 1.0 / right])
    share, slopes = at(theta)
    assert share.sum() == pytest.approx(1.0)
    assert (share[0, 28:] == 0.0).all()
    for k, step in enumerate(small * np.eye(4)):
        difference = (at(theta + step)[0] - at(theta - step)[0])[0] / (2.0 * small)
        assert slopes[0, k] == pytest.approx(difference, abs=2e-5)


@given(st.integers(0, 2**32 - 1), st.randoms())
def test_a_fit_depends_on_no_other_and_on_no_order(seed, random):
    some = windows(7, seed)
    together = fit_peaks(some)
    order = list(range(7))
    random.shuffle(order)
    again = fit_peaks([some[i] for i in order])
    for place, i in enumerate(order):
        assert again[place].peaks == together[i].peaks
        assert np.array_equal(again[place].background, together[i].background)
    (alone,) = fit_peaks(some[3:4])
    assert alone.peaks == together[3].peaks


def test_minima_are_no_worse_than_scipys(monkeypatch):
    """Sums of squares of 60 fits beside those of scipy's trust region: few are in a worse minimum."""
    seen = []

    def beside(model, begin, low, high, **options):
        found = ours(model, begin, low, high, **options)
        for i in range(len(begin)):
            row, free = np.array([i]), low[i] < high[i]

            def full(theta, i=i, free=free):
                whole = begin[i].copy()
                whole[free] = theta
                return whole[None]

            by_scipy = scipy.optimize.least_squares(
                lambda theta, row=row, full=full: model(full(theta), row)[0][0], begin[i][free],
                jac=lambda theta, row=row, full=full, free=free: model(full(theta), row)[1][0].T[:, free],
                bounds=(low[i][free], high[i][free]), x_scale="jac", max_nfev=300, ftol=1e-9, xtol=1e-9,
            )  # fmt: skip
            seen.append((0.5 * float((model(found[i : i + 1], row)[0] ** 2).sum()), by_scipy.cost))
        return found

    ours = peak_fits.least_squares
    monkeypatch.setattr(peak_fits, "least_squares", beside)
    fit_peaks(windows(60, seed=2))
    cost = np.array(seen)
    assert len(cost) == 60
    worse = cost[:, 0] - cost[:, 1]
    assert np.mean(worse < 0.01) > 0.9
    assert np.mean(worse < 1.0) > 0.95
