"""Weights of one size on each side, such as 1 / efficiency: N_sigma keeps its mean and its width."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp import stats
from coffea_ddp.stats.side_weights import side_ratio


def of_efficiencies(rng, events, efficiencies, *, kappa=1.0, shape=(500, 784)):
    """Sums of weights 1 / efficiency and of their squares for A and B, in so many bins."""
    sides = []
    for efficiency, ratio in zip(efficiencies, (1.0, kappa), strict=True):
        n = rng.poisson(events * efficiency * ratio, shape)
        sides.append((n / efficiency, n / efficiency**2))
    (a, variance_a), (b, variance_b) = sides
    return a, b, variance_a, variance_b


def of_law(rng, events, scale, shape, spread):
    """The same of weights of a log-normal law over a scale, for one side."""
    n = rng.poisson(events * scale, shape)
    bins, weight = np.repeat(np.arange(n.size), n.ravel()), rng.lognormal(0.0, spread, n.sum()) / scale
    return tuple(np.bincount(bins, weight**power, n.size).reshape(shape) for power in (1, 2))


def z_of(a, b, variance_a, variance_b, **options):
    return stats.n_sigma(a, b, variance_a=variance_a, variance_b=variance_b, batch_ndim=1, **options).statistic


def check_normal(z):
    assert z.mean() == pytest.approx(0.0, abs=4 * z.std() / np.sqrt(len(z)))
    assert z.std() == pytest.approx(1.0, abs=4 / np.sqrt(2 * len(z)))


@pytest.mark.parametrize("kappa", [1.0, 3.0])
@pytest.mark.parametrize("events", [5, 25])
@pytest.mark.parametrize("efficiencies", [(0.6, 0.9), (0.9, 0.6)])
def test_efficiencies(events, efficiencies, kappa):
    """With V_A + V_B the mean was 0.91 at 25 events a bin, and 2.28 at 5."""
    rng = np.random.default_rng([events, round(10 * efficiencies[0]), round(kappa)])
    check_normal(z_of(*of_efficiencies(rng, events, efficiencies, kappa=kappa), kappa=kappa))


@pytest.mark.parametrize(
    ("efficiencies", "events", "bins"), [((0.95, 0.3), 4.8, 12), ((0.95, 0.3), 10, 6), ((0.6, 0.9), 4, 8)]
)
def test_efficiencies_in_few_bins(efficiencies, events, bins):
    """With 1.4 events a bin on one side, less than ten of 12 are filled: the mean was -0.69, the width 1.5."""
    rng = np.random.default_rng([bins, round(10 * efficiencies[0])])
    check_normal(z_of(*of_efficiencies(rng, events, efficiencies, shape=(4_000, bins))))


@pytest.mark.parametrize("bins", [3, 6, 9, 12])
def test_weights_of_two_sizes_are_no_sides(bins):
    """Weights of 1 or 2, as by chance: few bins, few events."""
    n = np.random.default_rng(bins).poisson(0.7, (2, 2, 20_000, bins))
    (a, variance_a), (b, variance_b) = ((one + 2.0 * two, one + 4.0 * two) for one, two in n)
    assert (side_ratio(a, b, variance_a, variance_b) != 1).mean() < 1e-3


def test_the_mean_without():
    """What the sums of squares alone do: the reason for all this."""
    a, b, variance_a, variance_b = of_efficiencies(np.random.default_rng(2), 25, (0.6, 0.9))
    n = variance_a + variance_b
    plain = ((b - a) / np.sqrt(n)).sum(axis=1) / np.sqrt(784)
    assert plain.mean() == pytest.approx(0.91, abs=0.2)


@pytest.mark.parametrize(("events", "bins", "spread"), [(2, 784, 0.3), (5, 784, 0.8), (25, 50, 0.3), (5, 12, 0.5)])
def test_weights_of_one_law_are_as_they_were(events, bins, spread):
    rng = np.random.default_rng([events, bins])
    (a, variance_a), (b, variance_b) = (of_law(rng, events, 1.0, (400, bins), spread) for _ in range(2))
    z = z_of(a, b, variance_a, variance_b)
    plain = ((b - a) / np.sqrt(np.maximum(variance_a + variance_b, 1e-300))).sum(axis=1)
    plain /= np.sqrt(np.count_nonzero(variance_a + variance_b, axis=1))
    assert np.mean(np.abs(z - plain) < 1e-9) > 0.98
    check_normal(z)


def test_a_law_over_efficiencies():
    rng = np.random.default_rng(4)
    (a, variance_a), (b, variance_b) = (of_law(rng, 25, scale, (300, 400), 0.3) for scale in (0.6, 0.9))
    check_normal(z_of(a, b, variance_a, variance_b))


@given(st.integers(0, 200), st.floats(0.2, 5.0), st.floats(0.3, 1.0), st.floats(0.3, 1.0))
def test_exchanging_the_sides_changes_the_sign(seed, kappa, first, second):
    rng = np.random.default_rng(seed)
    a, b, variance_a, variance_b = of_efficiencies(rng, 8, (first, second), kappa=kappa, shape=(1, 40))
    z = z_of(a, b, variance_a, variance_b, kappa=kappa, systematic=0.1)
    assert z_of(b, a, variance_b, variance_a, kappa=1 / kappa, systematic=0.1) == pytest.approx(-z, abs=1e-9)


@given(st.integers(0, 200), st.floats(0.1, 10.0))
def test_counts_and_counts_times_a_number(seed, scale):
    """Counts with their own variances are counts, and a common factor of all weights changes nothing."""
    a, b = np.random.default_rng(seed).poisson(6.0, (2, 1, 30)).astype(float)
    z = stats.n_sigma(a, b, batch_ndim=1).statistic
    assert z_of(a, b, a, b) == pytest.approx(z, abs=1e-12)
    assert z_of(scale * a, scale * b, scale**2 * a, scale**2 * b) == pytest.approx(z, abs=1e-9)


def test_what_cannot_be_known_is_one():
    a, b = np.full(30, 10.0), np.full(30, 20.0)
    assert side_ratio(a, b, a, 2 * b) == pytest.approx(2.0)
    assert side_ratio(a[:4], b[:4], a[:4], 2 * b[:4]) == 1.0  # few bins
    assert side_ratio(-a, b, a, 2 * b) == 1.0  # weights of both signs
    assert side_ratio(0 * a, b, 0 * a, 2 * b) == 1.0
