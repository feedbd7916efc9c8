"""Significance of a count for an uncertain expectation: scipy is the oracle, the formula of toys close to it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from coffea_ddp.errors import InputError
from coffea_ddp.stats import expected_p
from coffea_ddp.stats.simulated.counts import count_score, deficit_reach

COUNTS = st.integers(0, 500)
MEANS = st.floats(0.05, 300.0)
ERRORS = st.floats(0.01, 2.0)
"""Relative."""


@given(COUNTS, MEANS, ERRORS)
def test_is_the_tail_of_a_negative_binomial(n, mean, relative):
    shape = 1.0 / relative**2
    p = shape / (shape + mean)
    tail, head = scipy_stats.nbinom.sf(n - 1, shape, p), scipy_stats.nbinom.cdf(n, shape, p)
    assert expected_p(n, mean, error=relative * mean, excess=True) == pytest.approx(tail, rel=1e-7, abs=1e-290)
    assert expected_p(n, mean, error=relative * mean, excess=False) == pytest.approx(head, rel=1e-7, abs=1e-290)


@given(COUNTS, MEANS)
def test_is_that_of_poisson_where_the_expectation_is_known(n, mean):
    assert expected_p(n, mean, excess=True) == pytest.approx(scipy_stats.poisson.sf(n - 1, mean), rel=1e-9, abs=1e-290)
    assert expected_p(n, mean, excess=False) == pytest.approx(scipy_stats.poisson.cdf(n, mean), rel=1e-9, abs=1e-290)
    nearly = expected_p(n, mean, error=2e-4 * np.sqrt(mean))
    assert nearly == pytest.approx(expected_p(n, mean), rel=1e-3, abs=1e-250)


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.2, 5.0))
def test_events_of_one_weight_are_the_conditional_test_of_two_counts(seen, simulated, weight):
    """Cousins, Linnemann and Tucker: the tail of a Poisson-gamma mixture is that of a binomial, with one event more."""
    share = weight / (1.0 + weight)
    binomial = scipy_stats.binom.sf(seen - 1, seen + simulated - 1, share)
    found = expected_p(seen, weight * simulated, error=weight * np.sqrt(simulated), excess=True)
    assert found == pytest.approx(binomial, rel=1e-7)


@given(COUNTS, MEANS, ERRORS)
def test_the_score_is_close_to_the_exact_one_and_never_above_what_it_is_pruned_by(n, mean, relative):
    variance = (relative * mean) ** 2
    score, width = count_score(float(n), mean, variance), np.sqrt(mean + variance)
    pull = (n - mean) / width
    assert score * pull >= 0
    exact = float(expected_p(n, mean, error=relative * mean))
    if 1e-250 < exact < 0.2:
        z = scipy_stats.norm.isf(exact)
        assert abs(score) == pytest.approx(z, abs=0.1)
    if pull > 0:
        assert score <= max(pull, 2.0) + 1e-9
    else:
        assert -score <= -pull * deficit_reach(variance / mean) + 1e-9


def test_by_hand():
    assert expected_p(0, 2.0) == pytest.approx(np.exp(-2.0))
    assert expected_p(3, 1.0, excess=True) == pytest.approx(1 - np.exp(-1.0) * 2.5)
    assert expected_p([1, 2], [1.0, 2.0]).shape == (2,)


def test_what_cannot_be_is_an_error():
    with pytest.raises(InputError, match="above 0"):
        expected_p(1, 0.0)
    with pytest.raises(InputError, match="fractional"):
        expected_p(1.5, 1.0)
    with pytest.raises(InputError, match="negative"):
        expected_p(1, 1.0, error=-1.0)
    with pytest.raises(InputError, match="go together"):
        expected_p([1, 2, 3], [1.0, 2.0])


def test_a_p_that_no_double_holds_is_not_0():
    found = expected_p([100_000, 0, 5_000], [100.0, 5_000.0, 50.0], error=[0.0, 0.0, 1.0])
    assert (found > 0).all()
    assert (found < 1e-300).all()
