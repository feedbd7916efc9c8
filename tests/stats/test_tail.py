"""p-values from pseudo-experiments and their tails: known distributions are the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from coffea_ddp import stats
from coffea_ddp.errors import InputError
from coffea_ddp.stats.tail import NullSample, fit_tail, p_among, p_among_others, permutation_p


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=50), st.floats(-6, 6))
def test_p_value_counts_those_that_reach(sample, z):
    found = permutation_p(z, sample)
    reach = sum(value >= z - 1e-5 * max(1, abs(z)) for value in sample)
    assert (found.n_ge, found.n) == (reach, len(sample))
    assert found.p_value == (reach + 1) / (len(sample) + 1) > 0


def test_mid_p_counts_ties_half():
    found = permutation_p(2.0, [1.0, 2.0, 2.0, 3.0])
    assert (found.n_ge, found.n_gt) == (3, 1)
    assert found.p_value == 4 / 5
    assert found.p_mid == 0.5 * (1 + 4) / 5
    # Of a fair coin's two values each is as likely: the mean is 1/2 exactly.
    p = [permutation_p(value, [0.0, 1.0] * 500).p_mid for value in (0.0, 1.0)]
    assert np.mean(p) == pytest.approx(0.5, abs=1e-3)


def test_p_values_are_uniform_under_the_null():
    rng = np.random.default_rng(1)
    values = rng.standard_normal((2_000, 200))
    p = [permutation_p(row[0], row[1:]).p_value for row in values]
    # Whole multiples of 1 / 200: spread them evenly below to compare with a continuous distribution.
    assert scipy_stats.kstest(np.array(p) - rng.random(len(p)) / 200, "uniform").pvalue > 0.01


def maxima(rng, n, trials):
    """The largest of so many absolute normal values."""
    return scipy_stats.norm.isf(-np.expm1(np.log(rng.random(n)) / trials) / 2)


def p_of_maximum(z, trials):
    return -np.expm1(trials * np.log1p(-2 * scipy_stats.norm.sf(z)))


@pytest.mark.parametrize("trials", [1, 100, 10_000])
def test_tail_meets_the_true_p_value(trials):
    """Of 100 samples of 1,000: the median is within a factor 2 at p ~ 1e-4 to 1e-5, and the intervals cover."""
    rng = np.random.default_rng(trials)
    z = float(scipy_stats.norm.isf(-np.expm1(np.log1p(-2e-5) / trials) / 2))
    truth = p_of_maximum(z, trials)
    found = [permutation_p(z, maxima(rng, 1_000, trials)) for _ in range(100)]
    assert all(item.p_tail is not None and item.n_ge < 10 for item in found)
    # The shape is not allowed below 0, so the tail is rather too heavy than too light.
    assert 0.5 < np.median([item.p_tail for item in found]) / truth < 6
    covered = np.mean([item.p_low <= truth <= item.p_high for item in found])
    assert covered > 0.4
    assert np.mean([item.p_high < truth for item in found]) < 0.16 + 0.12


def test_no_tail_where_it_is_not_needed_or_cannot_be_fitted():
    sample = np.abs(np.random.default_rng(0).standard_normal(1_000))
    assert permutation_p(0.5, sample).p_tail is None
    assert permutation_p(4.0, sample[:100]).p_tail is None
    assert permutation_p(4.0, np.ones(1_000)).p_tail is None
    assert "extrapolation" in permutation_p(5.0, sample).method
    assert "extrapolation" not in permutation_p(0.5, sample).method


def test_fitted_exponential():
    """An exponential in z^2 has shape 0 and its own scale."""
    squares = np.random.default_rng(0).exponential(2.0, (50, 4_000))
    tail = fit_tail(np.sqrt(squares))
    assert np.mean(tail.shape) < 0.12
    assert np.median(tail.scale) == pytest.approx(2.0, rel=0.1)
    assert tail.p(np.sqrt(20.0)).shape == (50,)


@given(st.integers(0, 50), st.sampled_from([5, 60, 1_000]))
def test_p_among_falls_with_z(seed, n):
    sample = np.abs(np.random.default_rng(seed).standard_normal(n))
    z = np.linspace(sample.min() - 1, 15, 300)
    p = p_among(z, sample)
    assert (np.diff(p) <= 0).all()
    assert (np.diff(p[z > sample.max()]) < 0).all()
    assert ((p > 0) & (p <= 1)).all()


@given(st.lists(st.sampled_from(np.linspace(-1, 6, 40).tolist()), min_size=2, max_size=60))
def test_every_value_among_the_others(values):
    """The definition, one value after the other; ties as there are in tests of few events."""
    each = [p_among(values[i], np.delete(values, i)) for i in range(len(values))]
    np.testing.assert_allclose(p_among_others(values), each, rtol=1e-9)
    np.testing.assert_allclose(p_among_others([values, values[::-1]])[1], each[::-1], rtol=1e-9)


def test_p_among_is_the_rank_in_the_body():
    sample = np.random.default_rng(0).normal(3, 0.4, 1_000)
    z = float(np.sort(sample)[500])
    assert p_among(z, sample) == pytest.approx(501 / 1001, abs=1e-9)


def test_p_among_meets_the_truth_beyond_the_sample():
    rng = np.random.default_rng(2)
    found = [p_among(4.0, np.abs(rng.standard_normal(1_000))) for _ in range(100)]
    assert 0.5 < np.median(found) / (2 * scipy_stats.norm.sf(4.0)) < 3


@pytest.mark.parametrize("sample", [[], [[1.0]], [np.nan, 1.0]])
def test_bad_samples(sample):
    with pytest.raises(InputError, match=r"at least one|finite numbers"):
        NullSample(sample)
    with pytest.raises(InputError, match="finite"):
        NullSample([1.0]).p(np.nan)


@pytest.mark.parametrize("test", [stats.nplm, stats.classifier_test])
def test_results_show_a_bound_where_nothing_reaches_them(test):
    far, near = np.arange(30.0), np.arange(30.0) + 0.5
    assert "p < 0.048 (0 of 20 permutations" in repr(test(far, far + 100.0, toys=20))
    assert "p=" in repr(test(far, near, toys=20))
    assert " < " not in repr(test(far, near, toys=20))
