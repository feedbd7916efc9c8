"""Tail of a count whose expectation is a sum of samples of different weights; sums of all of them are the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from coffea_ddp.stats import expected_p
from coffea_ddp.stats.simulated.mixed import MOST, mixed_p
from coffea_ddp.stats.trials import z_from_p

MIXED = [((12.0, 3.0), (0.2, 3.0)), ((40.0, 6.0, 2.0), (0.1, 1.0, 3.0)), ((200.0, 1.5), (0.05, 2.0))]
"""Events and weights of samples."""


def moments(events, weights) -> tuple[float, float, float]:
    n, w = np.array(events), np.array(weights)
    return float((n * w).sum()), float((n * w**2).sum()), float((2.0 * n * w**3).sum())


def exact_tail(events, weights, most: int = 2_000) -> np.ndarray:
    """Return the probabilities of as many or more: each sample's events are negative binomial, and they are added."""
    total = np.array([1.0])
    for n, w in zip(events, weights, strict=True):
        total = np.convolve(total, scipy_stats.nbinom.pmf(np.arange(most), n, 1.0 / (1.0 + w)))[:most]
    return np.cumsum(total[::-1])[::-1]


@pytest.mark.parametrize(("least", "most"), [(1e-3, 1.15), (1e-5, 1.5), (1e-7, 2.5), (1e-9, 4.0)])
@pytest.mark.parametrize(("events", "weights"), MIXED)
def test_far_in_the_tail(events, weights, least, most):
    """Within 15 % down to 0.001 and a factor of 1.5 down to 1e-5; one gamma distribution is out by 2.5 to 45 there."""
    mean, variance, third = moments(events, weights)
    exact = exact_tail(events, weights)
    counts = np.flatnonzero((exact >= least) & (np.arange(len(exact)) > mean + 1)).astype(float)
    expected = exact[counts.astype(int)]
    same = np.ones(len(counts))
    found = mixed_p(counts, mean * same, variance * same, third * same)
    assert np.maximum(found / expected, expected / found).max() < most
    if least == 1e-5:
        assert (expected / expected_p(counts, mean, error=np.sqrt(variance))).max() > 2.4


@pytest.mark.parametrize(("events", "weights"), MIXED)
def test_a_million_draws(events, weights):
    """Probabilities above 1e-4, of 100 draws or more: within 15 % and 4 standard errors."""
    rng = np.random.default_rng(1)
    rates = sum(w * rng.standard_gamma(n, 1_000_000) for n, w in zip(events, weights, strict=True))
    drawn = rng.poisson(rates)
    mean, variance, third = moments(events, weights)
    for p in (0.1, 0.01, 1e-3, 2e-4):
        count = int(np.quantile(drawn, 1.0 - p))
        share = (drawn >= count).mean()
        found = float(mixed_p(count, mean, variance, third))
        assert found == pytest.approx(share, abs=0.15 * share + 4 * np.sqrt(share / 1e6))


@given(st.integers(0, 300), st.floats(0.1, 200.0), st.floats(0.01, 5.0))
def test_one_weight_is_one_gamma_distribution(count, events, weight):
    mean, variance, third = moments([events], [weight])
    assert float(mixed_p(count, mean, variance, third)) == float(expected_p(count, mean, error=np.sqrt(variance)))


@given(st.integers(0, 300), st.floats(0.5, 200.0), st.floats(0.01, 2.0), st.floats(1.0, 30.0))
def test_is_a_probability_that_falls(count, mean, relative, skew):
    variance = relative * mean
    third = skew * 2.0 * variance**2 / mean
    one, more = (float(mixed_p(n, mean, variance, third)) for n in (count, count + 1))
    assert 0 <= one <= 1
    if count > mean:
        assert more <= one * (1 + 1e-9)
    elif count + 1 <= mean:
        assert one <= more * (1 + 1e-9)


def test_many_events_are_as_few():
    """The formula and the sum on both sides of where one takes the other's place: within 2 %."""
    mean, variance = 300.0, 900.0
    for third in (8_000.0, 30_000.0):
        low, high = (np.log(mixed_p(n, mean, variance, third)) for n in ([MOST - 1.0, MOST], [MOST + 1.0, MOST + 2.0]))
        assert high[0] - low[1] == pytest.approx(low[1] - low[0], rel=0.05)
    from coffea_ddp.stats.simulated import mixed

    for n in (260.0, 330.0, 390.0):
        known, scale = mean - variance * 2 * variance / 30_000.0, 30_000.0 / (2 * variance)
        given_ = [np.array([one]) for one in (n, known, variance, scale)]
        above = np.array([n > mean])
        assert mixed._saddle(*given_, above) == pytest.approx(mixed._summed(*given_, above), rel=0.02)


def test_nothing_known_of_variance_is_poisson():
    assert mixed_p([3, 0], [1.0, 2.0], [0.0, 0.0], [0.0, 0.0]) == pytest.approx(expected_p([3, 0], [1.0, 2.0]))


@pytest.mark.parametrize("counts", [0, 400, 5_000, 10**6])
def test_a_p_value_has_a_z_however_small_it_is(counts: int) -> None:
    p = float(mixed_p(counts, 800.0 if not counts else 3.0, 1.0, 30.0))
    assert 0.0 < p < 1e-10
    assert np.isfinite(z_from_p(p, two_sided=False))
