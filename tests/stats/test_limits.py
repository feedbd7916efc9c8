"""Limits: closed forms, direct integration, pyhf as somebody else's fit, and coverage in pseudo-experiments."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats

from coffea_ddp.errors import InputError
from coffea_ddp.stats import asymmetry_limit, q0_l2, signal_limit
from coffea_ddp.stats.signal_limits import expected_roots

COUNTS = st.integers(0, 3_000)
KAPPA = st.sampled_from([0.5, 1.0, 1.7, 20.0])


# -- asymmetries -------------------------------------------------------------------------------------------------------


@given(COUNTS, COUNTS, KAPPA)
def test_the_interval_is_that_of_clopper_and_pearson(a, b, kappa):
    found = asymmetry_limit(a, b, kappa=kappa)
    exact = stats.binomtest(b, a + b).proportion_ci(0.95) if a + b else (0.0, 1.0)
    low, high = (p / (1 - p) / kappa - 1 if p < 1 else np.inf for p in exact)
    np.testing.assert_allclose([found.low, found.high], [low, high], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("error", [1e-4, 0.02, 0.4])
@pytest.mark.parametrize(("a", "b"), [(0, 3), (3, 0), (5, 2), (1_000, 1_100), (200_000, 190_000)])
def test_an_error_of_kappa_averages_the_tails(a, b, error):
    found = asymmetry_limit(a, b, kappa=1.3, kappa_error=1.3 * error)

    t = np.linspace(-8.5, 8.5, 40_001)
    weight = stats.norm.pdf(t) * (t[1] - t[0])

    def tail(x, probability):
        return (weight * probability(special.expit(x + error * t))).sum()

    low, high = -1.0, np.inf
    if b:
        low = np.expm1(optimize.brentq(lambda x: tail(x, lambda p: stats.binom.sf(b - 1, a + b, p)) - 0.025, -20, 20)
                       - np.log(1.3))  # fmt: skip
    if a:
        high = np.expm1(optimize.brentq(lambda x: tail(x, lambda p: stats.binom.cdf(b, a + b, p)) - 0.025, -20, 20)
                        - np.log(1.3))  # fmt: skip
    np.testing.assert_allclose([found.low, found.high], [low, high], rtol=1e-6)


@given(COUNTS, COUNTS, KAPPA, st.sampled_from([0.0, 0.1]))
def test_sides_swapped(a, b, kappa, error):
    """r becomes 1 / r, so that the ends change places."""
    one = asymmetry_limit(a, b, kappa=kappa, kappa_error=error * kappa)
    other = asymmetry_limit(b, a, kappa=1 / kappa, kappa_error=error / kappa)
    with np.errstate(divide="ignore"):
        ends = 1 / (1 + np.array([one.high, one.low])) - 1
    np.testing.assert_allclose([other.low, other.high], ends, rtol=1e-7, atol=1e-9)


@given(COUNTS, COUNTS, KAPPA)
def test_an_error_widens_the_interval_and_a_level_too(a, b, kappa):
    exact, wide = asymmetry_limit(a, b, kappa=kappa), asymmetry_limit(a, b, kappa=kappa, kappa_error=0.1 * kappa)
    higher = asymmetry_limit(a, b, kappa=kappa, level=0.99)
    for one in (wide, higher):
        assert one.low <= exact.low + 1e-9
        assert one.high >= exact.high - 1e-9
    if a + b:
        assert exact.low <= exact.asymmetry <= exact.high


def test_batches_are_as_one_by_one():
    rng = np.random.default_rng(1)
    a, b = rng.poisson(4, (2, 5)), rng.poisson(4, 5)
    error = np.array([[0.0], [0.2]])
    found = asymmetry_limit(a, b, kappa=1.2, kappa_error=error)
    for place in np.ndindex(2, 5):
        one = asymmetry_limit(a[place], b[place[1]], kappa=1.2, kappa_error=error[place[0], 0])
        for name in ("asymmetry", "low", "high", "expected_low", "expected_high"):
            np.testing.assert_allclose(getattr(found, name)[place], getattr(one, name), rtol=1e-7)


@pytest.mark.parametrize("n", [3, 10, 200])
@pytest.mark.parametrize("asymmetry", [0.0, 0.5])
def test_the_interval_covers(n, asymmetry):
    """Exactly: summed over all outcomes of n events; so often it is too wide, never too narrow."""
    b = np.arange(n + 1)
    found = asymmetry_limit(n - b, b, kappa=0.8)
    weight = stats.binom.pmf(b, n, 0.8 * (1 + asymmetry) / (1 + 0.8 * (1 + asymmetry)))
    assert weight[(found.low <= asymmetry) & (asymmetry <= found.high)].sum() >= 0.95


def test_the_expected_interval_is_the_median():
    n, kappa = 101, 1.4
    b = stats.binom.rvs(n, kappa / (1 + kappa), size=4_001, random_state=3)
    drawn, one = asymmetry_limit(n - b, b, kappa=kappa), asymmetry_limit(n - 50, 50, kappa=kappa)
    assert np.median(drawn.low) == pytest.approx(one.expected_low)
    assert np.median(drawn.high) == pytest.approx(one.expected_high)


# -- signals -----------------------------------------------------------------------------------------------------------


def cases(n, seed):
    """Pairs of few and of many events, with empty bins, kappa of 0.5 to 1.7 and a signal or none."""
    rng = np.random.default_rng(seed)
    for number in range(n):
        kappa, mean = (0.5, 1.0, 1.7)[number % 3], (0.5, 3.0, 30.0, 1_000.0)[number % 4]
        bins = (1, 3, 5)[(number // 2) % 3]
        signal = np.concatenate([[1.0], rng.random(bins - 1)])
        excess = (number % 2) * 2.5 * np.sqrt(mean) * signal / signal.sum()
        a, b = rng.poisson(mean, bins), rng.poisson(kappa * mean + excess)
        yield a, b, signal, kappa, 0.1 * (number % 5 == 0)


@pytest.mark.parametrize("case", list(cases(16, seed=3)), ids=str)
def test_cls_of_pyhf_is_five_percent_at_the_limit(case):
    """Observed and all expected ones; 0.05 to a thousandth is mu to less than a thousandth."""
    from pyhf_models import cls_of

    a, b, signal, kappa, error = case
    found = signal_limit(a, b, signal, kappa=kappa, kappa_error=error * kappa)
    assert cls_of(found.limit, *case)[0] == pytest.approx(0.05, rel=2e-3)
    theirs = [cls_of(mu, *case)[1][number] for number, mu in enumerate(found.expected)]
    np.testing.assert_allclose(theirs, 0.05, rtol=2e-3)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.1]))
def test_the_best_signal_is_that_of_the_test_of_discovery(seed, error):
    rng = np.random.default_rng(seed)
    a, b = rng.poisson(20, 6), rng.poisson(22, 6)
    signal = rng.random(6)
    found = signal_limit(a, b, signal, kappa_error=error)
    if not error:
        assert found.mu == pytest.approx(q0_l2(a, b, signal, one_sided=True).mu, abs=1e-6)
    assert found.limit > found.mu
    assert (np.diff(found.expected) > 0).all()
    twice = signal_limit(a, b, 2 * signal, kappa_error=error)
    assert twice.limit == pytest.approx(found.limit / 2, rel=1e-6)


def test_no_events_and_no_background():
    """ln L = -mu without events: q_mu = 2 mu on both data, and CLs = 2 Phi(-sqrt(2 mu))."""
    found = signal_limit([0], [0], [2.0])
    assert found.limit == pytest.approx(stats.norm.isf(0.025) ** 2 / 4, rel=1e-6)
    by_toys = signal_limit([0], [0], [2.0], toys=5_000)
    assert by_toys.limit == pytest.approx(-np.log(0.05) / 2, rel=0.03)
    np.testing.assert_allclose(by_toys.expected, by_toys.limit, rtol=0.01)


def test_large_counts_are_normal():
    """One bin, kappa = 1: mu_hat = B - A with the error sqrt(A + B)."""
    found = signal_limit([10**8], [10**8], [1.0])
    np.testing.assert_allclose(found.expected, np.sqrt(2e8) * expected_roots(0.95), rtol=2e-3)
    assert found.limit == pytest.approx(found.expected[2], rel=1e-6)


def test_an_error_of_kappa_weakens_the_limit_and_bins_without_signal_constrain_it():
    a, b, signal = [400, 400], [400, 400], [1.0, 0.0]
    exact = signal_limit(a, b, signal).limit
    loose = signal_limit(a[:1], b[:1], signal[:1], kappa_error=0.3).limit
    held = signal_limit(a, b, signal, kappa_error=0.3).limit
    assert exact < held < loose
    tight = signal_limit(a, b, signal, kappa_error=1e-5).limit
    assert tight == pytest.approx(exact, rel=1e-4)


def test_batches_of_signals_are_as_one_by_one():
    rng = np.random.default_rng(5)
    a, b, signals = rng.poisson(9, (3, 1, 4)), rng.poisson(9, (3, 1, 4)), rng.random((2, 4))
    found = signal_limit(a, b, signals, kappa=[[1.0], [1.2], [0.9]], kappa_error=0.05, bins_ndim=1)
    assert found.limit.shape == (3, 2)
    assert found.expected.shape == (3, 2, 5)
    for i, j in np.ndindex(3, 2):
        one = signal_limit(a[i, 0], b[i, 0], signals[j], kappa=(1.0, 1.2, 0.9)[i], kappa_error=0.05)
        assert found.limit[i, j] == pytest.approx(one.limit, rel=1e-9)
        np.testing.assert_allclose(found.expected[i, j], one.expected, rtol=1e-9)


def test_toys_agree_with_the_asymptotic_limit_where_there_are_events():
    a, b, signal = [50, 60], [52, 57], [1.0, 0.3]
    one = signal_limit(a, b, signal, kappa_error=0.02)
    other = signal_limit(a, b, signal, kappa_error=0.02, toys=2_000, seed=2)
    assert other.limit == pytest.approx(one.limit, rel=0.08)
    np.testing.assert_allclose(other.expected[1:], one.expected[1:], rtol=0.12)  # 2 sigma below: two toys of 2,000
    again = signal_limit(a, b, signal, kappa_error=0.02, toys=2_000, seed=2)
    assert again.limit == other.limit
    assert "2000 pseudo-experiments" in other.method


def coverage(mean, mu, n, seed, *, toys=0, kappa=1.0):
    """The share of pseudo-experiments whose limit is above the true signal."""
    rng = np.random.default_rng(seed)
    a, b = rng.poisson(mean, (n, 1)), rng.poisson(kappa * mean + mu, (n, 1))
    found = signal_limit(a, b, [1.0], kappa=kappa, toys=toys, bins_ndim=1)
    return float((found.limit >= mu).mean())


@pytest.mark.parametrize(("mean", "mu"), [(10.0, 8.0), (100.0, 25.0)])
def test_the_limit_covers(mean, mu):
    """95 % of many pseudo-experiments or more: CLs is conservative for weak signals."""
    assert coverage(mean, mu, 4_000, seed=7) >= 0.94


@pytest.mark.slow
@pytest.mark.parametrize("kappa", [0.5, 1.0, 1.7])
@pytest.mark.parametrize(("mean", "least"), [(0.3, 0.90), (1.0, 0.94), (3.0, 0.94), (10.0, 0.945), (100.0, 0.945)])
def test_the_coverage_in_many_pseudo_experiments(kappa, mean, least):
    """Asymptotic limits cover from about one event of background on; below, a few percent less."""
    for mu in (3.0, 6.0, 3 * np.sqrt(1 + mean)):
        assert coverage(mean, mu, 20_000, seed=8, kappa=kappa) >= least


@pytest.mark.slow
@pytest.mark.parametrize("mean", [0.3, 3.0])
def test_limits_from_toys_cover_few_events(mean):
    assert coverage(mean, 4.0, 100, seed=9, toys=400) >= 0.89  # 2.8 standard deviations of 95 %


# -- what cannot be used -----------------------------------------------------------------------------------------------


UNUSABLE = [
    (lambda: asymmetry_limit(-1, 3), "n_a"),
    (lambda: asymmetry_limit(1.5, 3), "n_a"),
    (lambda: asymmetry_limit(1, 3, kappa=0), "kappa"),
    (lambda: asymmetry_limit(1, 3, kappa_error=1.0), "as large as kappa"),
    (lambda: asymmetry_limit(1, 3, level=95), "between 0 and 1"),
    (lambda: asymmetry_limit([1, 2], [1, 2, 3]), "do not fit together"),
    (lambda: signal_limit([1], [2], [0.0]), "0 in every bin"),
    (lambda: signal_limit([1], [2], [-1.0]), "signal"),
    (lambda: signal_limit([1], [2], [1.0], kappa_error=2.0), "as large as kappa"),
    (lambda: signal_limit([1], [2], [1.0], toys=5), "give 100 or more"),
    (lambda: signal_limit([1, 2], [2], [1.0]), "bins differ"),
    (lambda: signal_limit([1], [2], [1.0], level=1.0), "between 0 and 1"),
]


@pytest.mark.parametrize(("call", "message"), UNUSABLE, ids=range(len(UNUSABLE)))
def test_what_cannot_be_used_is_an_error(call, message):
    with pytest.raises(InputError, match=message):
        call()
