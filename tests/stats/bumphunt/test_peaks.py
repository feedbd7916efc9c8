"""Peaks taken out of spectra, their shapes profiled: places, widths and tails come back, what is left is smooth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp.stats.bumphunt.peak_shape import Peak
from coffea_ddp.stats.bumphunt.peaks import profiled_together

X = np.arange(120.0)
FALLING = 400.0 * np.exp(-X / 80.0)
ALL = np.ones(120)


def profiled(*spectrum):
    """Return the peaks of one spectrum as fitted."""
    return profiled_together([spectrum])[0]


def drawn(peaks, background=FALLING, seed=1):
    expected = background + sum((one.events * one.shape(X) for one in peaks), np.zeros(len(X)))
    return np.random.default_rng(seed).poisson(expected).astype(float)


def test_the_shape_of_a_peak_adds_up_and_is_a_gaussian_without_its_tails():
    shape = Peak(60.0, 3.0, left=5.0, right=5.0).shape(X)
    gauss = np.exp(-0.5 * ((X - 60.0) / 3.0) ** 2)
    core = np.abs(X - 60.0) < 10.0
    assert shape.sum() == pytest.approx(1.0)
    assert shape[core] == pytest.approx((gauss / gauss.sum())[core], rel=1e-3)


@given(st.floats(0.8, 4.0), st.floats(0.8, 4.0))
def test_a_mirrored_peak_has_mirrored_tails(left, right):
    one, other = Peak(59.5, 2.5, left, right).shape(X), Peak(59.5, 2.5, right, left).shape(X)
    assert one == pytest.approx(other[::-1], rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_places_widths_and_events_of_peaks_close_to_each_other_come_back(seed):
    true = [Peak(40.3, 2.5, 1.5, 3.0, 12_000.0), Peak(57.0, 2.5, 1.5, 3.0, 3_000.0), Peak(67.2, 2.5, 1.5, 3.0, 1_800.0)]
    found = profiled(drawn(true, seed=seed), ALL, [Peak(41.0, 2.2), Peak(56.0, 2.2), Peak(68.0, 2.2)])
    for one, real in zip(found.peaks, true, strict=True):
        assert one.place == pytest.approx(real.place, abs=0.5)
        assert one.sigma == pytest.approx(real.sigma, rel=0.2)
        assert one.events == pytest.approx(real.events, rel=0.25)
    assert max(found.scale) < 1.5


@pytest.mark.parametrize("seed", range(5))
def test_what_is_left_is_the_background(seed):
    counts = drawn([Peak(40.0, 2.5, 1.5, 3.0, 12_000.0)], seed=seed)
    found = profiled(counts, ALL, [Peak(40.0, 2.5)])
    pulls = (found.rest - FALLING) / np.sqrt(FALLING)
    assert found.closed[40]
    assert not found.closed[60]
    assert np.abs(pulls[~found.closed]).max() < 5.0
    assert np.sqrt(np.mean(pulls**2)) < 1.3
    away = np.abs(X - 40.0) > 12.5 * 2.5
    assert np.array_equal(found.rest[away], counts[away])


@given(st.floats(30.0, 90.0), st.floats(1.2, 3.0), st.floats(0.7, 5.0), st.floats(0.7, 5.0), st.floats(20.0, 200.0))
def test_what_is_left_has_no_step_where_the_reach_of_a_peak_ends(place, sigma, left, right, level):
    """Tails go on beyond the reach: what is taken out of the last bin within it is hardly more than of the next."""
    background = level * np.exp(-X / 80.0)
    counts = background + 20_000.0 * Peak(place, sigma, left, right).shape(X)
    found = profiled(counts, ALL, [Peak(round(place), sigma)])
    taken = 1.0 - found.rest / np.maximum(counts, 1e-9)
    low, high = round(place) - 12.0 * sigma, round(place) + 12.0 * sigma
    ends = np.minimum(np.abs(X[1:] - low), np.abs(X[1:] - high)) < 1.5
    assert np.abs(np.diff(taken)[ends]).max(initial=0.0) < 0.3 / sigma


def test_peaks_far_from_each_other_are_fitted_apart():
    counts = drawn([Peak(20.0, 1.0, events=3_000.0), Peak(100.0, 1.0, events=3_000.0)])
    both = profiled(counts, ALL, [Peak(20.0, 1.0), Peak(100.0, 1.0)])
    one = profiled(counts, ALL, [Peak(20.0, 1.0)])
    assert both.peaks[0] == one.peaks[0]


def test_another_peak_makes_the_pulls_too_large():
    counts = drawn([Peak(40.0, 2.5, events=12_000.0), Peak(57.0, 2.5, events=6_000.0)])
    assert profiled(counts, ALL, [Peak(40.0, 2.5)]).scale[0] > 3.0


@given(
    st.lists(st.integers(0, 200), min_size=24, max_size=60),
    st.integers(0, 23),
    st.floats(0.7, 5.0),
    st.integers(0, 2**32 - 1),
)
def test_any_counts_give_finite_counts(counts, place, sigma, seed):
    n = np.array(counts, dtype=float)
    use = np.where(np.random.default_rng(seed).random(len(n)) < 0.1, 0.0, 1.0)
    use[place] = 1.0
    found = profiled(n, use, [Peak(float(place), sigma)])
    assert np.isfinite(found.rest).all()
    assert (found.rest >= 0.0).all()
    assert np.isfinite(found.peaks[0].place)
    assert found.peaks[0].events >= 0.0
