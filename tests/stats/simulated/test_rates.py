"""Rates of a simulated sample: sums that stay what they are, and the product where events are few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp.stats.simulated.rates import smoothed_rates

SEEDS = st.integers(0, 10_000)


def sample(seed: int, cells: int = 8, bins: int = 12, scale: float = 3.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.poisson(scale * rng.exponential(1.0, (cells, 1)) * np.exp(-0.3 * np.arange(bins))).astype(float)


@given(SEEDS, st.floats(0.05, 20.0))
def test_cells_and_the_whole_keep_their_sums(seed, weight):
    n = sample(seed)
    found = smoothed_rates(weight * n, weight**2 * n, n, shape=(1, 12))
    assert found.mean.sum() == pytest.approx(weight * n.sum())
    assert found.mean.sum(axis=1) == pytest.approx(weight * n.sum(axis=1), rel=1e-3)
    assert found.variance.sum(axis=1) == pytest.approx(weight**2 * n.sum(axis=1), rel=1e-3)
    assert (found.mean >= 0).all()
    assert found.events.sum() == pytest.approx(n.sum())


@given(SEEDS, st.floats(0.01, 100.0))
def test_the_unit_of_weights_does_not_matter(seed, factor):
    n = sample(seed)
    one, other = (smoothed_rates(c * n, c**2 * n, n, shape=(1, 12)) for c in (1.0, factor))
    assert other.mean == pytest.approx(factor * one.mean)
    assert other.variance == pytest.approx(factor**2 * one.variance)
    assert other.shape == one.shape


@given(SEEDS, st.floats(1.0, 1e5))
def test_a_large_weight_changes_no_sum_of_another_cell(seed, weight):
    n = sample(seed)
    n[0, 3] += 1.0
    w, squares = n.copy(), n.copy()
    w[0, 3] += weight
    squares[0, 3] += weight**2
    found, alone = (smoothed_rates(*one, n, shape=(1, 12)) for one in ((w, squares), (n, n)))
    assert found.mean.sum(axis=1) == pytest.approx(w.sum(axis=1), rel=1e-3)
    assert found.mean[1:].sum(axis=1) == pytest.approx(alone.mean[1:].sum(axis=1), rel=1e-3)


def test_many_events_are_what_they_are():
    n = 1e7 * np.exp(-0.2 * np.arange(10) * np.array([[1.0], [2.0], [0.3]]))
    found = smoothed_rates(n, n, n, shape=(1, 10))
    assert found.mean == pytest.approx(n, rel=2e-3)


def test_where_cells_share_a_shape_few_events_are_smoothed_towards_it():
    rng = np.random.default_rng(1)
    truth = np.outer(rng.exponential(20.0, 30), np.exp(-0.25 * np.arange(20)))
    truth *= 3000 / truth.sum()
    raw, smooth = 0.0, 0.0
    for _ in range(20):
        n = rng.poisson(truth).astype(float)
        found = smoothed_rates(n, n, n, shape=(1, 20))
        raw += ((n - truth) ** 2 / truth).sum()
        smooth += ((found.mean - truth) ** 2 / truth).sum()
    assert smooth < 0.5 * raw


def test_an_empty_sample_says_nothing():
    nothing = np.zeros((2, 3))
    found = smoothed_rates(nothing, nothing, nothing, shape=(1, 3))
    assert not found.mean.any()
    assert not found.steady.any()


def test_two_axes_are_smoothed_by_both():
    rng = np.random.default_rng(2)
    n = rng.poisson(np.outer([5.0, 20.0], np.outer(np.exp(-np.arange(4)), np.exp(-0.5 * np.arange(5))).reshape(-1)))
    found = smoothed_rates(1.0 * n, 1.0 * n, 1.0 * n, shape=(4, 5))
    assert found.mean.sum() == pytest.approx(n.sum())
    assert (found.mean > 0).all()


@given(SEEDS)
def test_negative_weights_keep_the_sum(seed):
    n, rng = sample(seed, scale=6.0), np.random.default_rng(seed)
    minus = rng.binomial(n.astype(int), 0.25)
    w = n - 2.0 * minus
    found = smoothed_rates(w, n, n, shape=(1, 12))
    assert found.mean.sum() == pytest.approx(w.sum(), abs=1e-9 * n.sum())
    assert np.isfinite(found.steady).all()
    assert (found.steady >= 0).all()
