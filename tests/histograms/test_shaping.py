"""Bumps that a cut makes: none in smooth counts, one where a cut prefers a mass."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp.histograms.shaping import largest_bump, made_by_cut


@pytest.mark.parametrize("slope", [-0.2, -0.05, 0.0, 0.05])
def test_smooth_counts_have_no_bump(slope):
    rng, x = np.random.default_rng(1), np.arange(60)
    z = [largest_bump(rng.poisson(300.0 * np.exp(slope * (x - 30.0)))).z for _ in range(200)]
    assert np.median(z) < 3.5
    assert np.mean(np.array(z) > 5.0) < 0.01


def test_a_peak_is_found_at_its_place():
    x = np.arange(60)
    found = largest_bump(1e3 * np.exp(-x / 30.0) + 400.0 * np.exp(-0.5 * ((x - 20.0) / 1.5) ** 2))
    assert found.z > 8.0
    assert found.first <= 20 < found.stop


@given(st.lists(st.integers(-3, 40), min_size=1, max_size=50))
def test_any_counts_have_an_answer(counts):
    found = largest_bump(np.array(counts, dtype=float))
    assert np.isnan(found.z) == (found.stop == 0)
    assert 0 <= found.first <= found.stop <= len(counts)
    mirrored = largest_bump(np.array(counts[::-1], dtype=float))
    assert found.z == pytest.approx(mirrored.z, nan_ok=True)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_a_cut_that_knows_nothing_makes_nothing(share):
    """Whatever the distribution has by itself, a peak and a turn-on here."""
    rng, x = np.random.default_rng(2), np.arange(60)
    expected = 2e3 / (1 + np.exp(5.0 - x)) * np.exp(-x / 30.0) + 5e3 * np.exp(-0.5 * ((x - 20.0) / 1.5) ** 2)
    z = []
    for _ in range(200):
        counts = rng.poisson(expected)
        z.append(abs(made_by_cut(counts, rng.binomial(counts, share)).z))
    assert np.median(z) < 3.5
    assert np.mean(np.array(z) > 5.0) < 0.01


@pytest.mark.parametrize(("inside", "sign"), [(0.6, 1), (0.1, -1)])
def test_what_a_cut_makes_is_found(inside, sign):
    x = np.arange(60)
    counts = np.full(60, 500.0)
    found = made_by_cut(counts, counts * np.where(np.abs(x - 30) < 2, inside, 0.3))
    assert sign * found.z > 5.0
    assert found.first <= 30 < found.stop


def test_a_share_that_rises_straight_makes_nothing():
    counts = np.full(60, 1_000.0)
    assert abs(made_by_cut(counts, counts * np.linspace(0.2, 0.8, 60)).z) < 1.0
