"""N_sigma against an uncertain expectation: closed forms, and mean 0 and variance 1 under what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp.errors import InputError
from coffea_ddp.stats import n_sigma_expected


@given(st.lists(st.tuples(st.integers(0, 500), st.floats(1.0, 400.0)), min_size=1, max_size=20))
def test_a_known_expectation_is_n_sigma_with_the_error_of_poisson(pairs):
    data, mean = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    found = n_sigma_expected(data, mean)
    assert found.statistic == pytest.approx(((data - mean) / np.sqrt(mean)).sum() / np.sqrt(len(mean)), abs=1e-9)
    assert found.n_bins == len(mean)


def test_one_bin_by_hand():
    found = n_sigma_expected([12.0], [6.0], variance=[3.0], shifts=[[1.5]])
    assert found.statistic == pytest.approx(6.0 / np.sqrt(6.0 + 3.0 + 1.5**2))


def test_bins_of_less_than_an_event_are_counted():
    data, mean = np.array([0.0, 1.0, 2.0]), np.array([0.1, 0.2, 0.3])
    assert n_sigma_expected(data, mean).statistic == pytest.approx((3 - 0.6) / np.sqrt(0.6))


@given(st.integers(0, 1000))
def test_the_order_of_bins_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    mean, variance = rng.exponential(5.0, 12), rng.exponential(2.0, 12)
    data, shifts, order = rng.poisson(mean).astype(float), rng.normal(0.0, 1.0, (2, 12)), rng.permutation(12)
    one = n_sigma_expected(data, mean, variance=variance, shifts=shifts)
    other = n_sigma_expected(data[order], mean[order], variance=variance[order], shifts=shifts[:, order])
    assert one.statistic == pytest.approx(other.statistic)


def test_has_mean_0_and_variance_1():
    """4,000 toys: 4 standard errors of the mean are 0.063, of the standard deviation 0.045."""
    rng = np.random.default_rng(3)
    mean = 30.0 * np.exp(-0.4 * np.arange(15))
    variance, shifts = 0.5 * mean, np.array([0.1 * mean, -0.05 * mean])
    found = []
    for _ in range(4000):
        rate = rng.gamma(mean**2 / variance, variance / mean) + rng.normal(size=2) @ shifts
        data = rng.poisson(np.maximum(rate, 0.0))
        found.append(float(n_sigma_expected(data, mean, variance=variance, shifts=shifts).statistic))
    assert np.mean(found) == pytest.approx(0.0, abs=0.063)
    assert np.std(found) == pytest.approx(1.0, abs=0.045)


def test_what_cannot_be_is_an_error():
    with pytest.raises(InputError, match="one for each bin"):
        n_sigma_expected([1.0, 2.0], [1.0])
    with pytest.raises(InputError, match="nothing is expected"):
        n_sigma_expected([1.0], [0.0])
