"""A ratio that many cells have in common: found, mirrored, independent of order, and silent for anything else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from coffea_ddp.errors import InputError
from coffea_ddp.stats import common_ratio
from coffea_ddp.stats.homogeneity import CommonRatio


def cells(rng, n=80, total=60_000):
    """Expected events of cells as lattices have them: few large ones, many small."""
    share = rng.pareto(1.2, n) + 0.05
    return total * share / share.sum()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.03, 0.5), st.sampled_from([-1, 1]), st.floats(0.2, 5.0))
def test_it_is_found_mirrored_and_independent_of_the_order(seed, size, sign, kappa):
    rng = np.random.default_rng(seed)
    expected = cells(rng)
    a, b = rng.poisson(expected), rng.poisson(kappa * expected * np.exp(sign * size))
    found = common_ratio(a, b, kappa=kappa)
    mirrored = common_ratio(b, a, kappa=1 / kappa)
    order = rng.permutation(len(a))
    shuffled = common_ratio(a[order], b[order], kappa=kappa)
    assert (found is None) == (mirrored is None) == (shuffled is None)
    assume(found is not None)
    assert found.log_ratio == pytest.approx(sign * size, abs=5 * found.error)
    assert mirrored.log_ratio == pytest.approx(-found.log_ratio, abs=1e-9)
    for one in (mirrored, shuffled):
        assert one.spread == pytest.approx(found.spread, abs=1e-5)
        assert (one.n_cells, one.n_compatible) == (found.n_cells, found.n_compatible)
        assert one.p_value == pytest.approx(found.p_value, rel=1e-6)


def test_efficiencies_of_a_real_detector_are_common():
    """14 % everywhere, 3 % from cell to cell: seen in every sample, and the spread with it."""
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        expected = cells(rng, total=400_000)
        a, b = rng.poisson(expected), rng.poisson(expected * np.exp(rng.normal(0.13, 0.03, len(expected))))
        found.append(common_ratio(a, b))
    assert None not in found
    assert np.mean([one.log_ratio for one in found]) == pytest.approx(0.13, abs=0.015)
    assert 0.01 < np.median([one.spread for one in found]) < 0.05
    assert np.mean([one.n_compatible / one.n_cells for one in found]) > 0.97


@pytest.mark.parametrize("kappa", [1.0, 1.1, 1.2])
def test_a_few_large_cells_suffice(kappa):
    """Two thirds of the events in two cells, and many small cells that agree with them."""
    a = [1863, 786, 236, 149, 135, 82, 63, 41, 29, 30, 22, 19, 14, 10]
    b = [2560, 1039, 328, 186, 170, 142, 93, 44, 31, 29, 33, 30, 13, 13]
    found = common_ratio(a, b, kappa=kappa)
    assert found.log_ratio == pytest.approx(np.log(1.37 / kappa), abs=0.02)
    assert found.n_compatible == found.n_cells == 14
    # The same in the largest cell alone is no common ratio.
    assert common_ratio(a, [b[0], *a[1:]]) is None


@pytest.mark.parametrize("n", [2, 5, 12, 40, 150])
def test_silence_in_a_null(n):
    """400 samples of n cells: none is called common (4 standard errors)."""
    rng = np.random.default_rng(n)
    for _ in range(400):
        expected = cells(rng, n, total=rng.uniform(50, 3_000) * n)
        assert common_ratio(rng.poisson(expected), rng.poisson(expected)) is None


@pytest.mark.parametrize("share", [0.02, 0.1, 0.2])
def test_silence_for_a_localised_signal(share):
    """Up to a fifth of the cells have an excess of many sigma, among them the largest: that is not common."""
    rng = np.random.default_rng(int(100 * share))
    for _ in range(100):
        expected = np.sort(cells(rng))[::-1]
        signal = np.zeros(len(expected))
        chosen = rng.choice(len(expected), max(1, round(share * len(expected))), replace=False)
        signal[chosen] = 8 * np.sqrt(2 * expected[chosen])
        signal[0] += 10 * np.sqrt(2 * expected[0])
        assert common_ratio(rng.poisson(expected), rng.poisson(expected + signal)) is None


def test_a_signal_on_top_is_not_explained():
    """Cells of a common 15 % with 3 % spread; one of them has 7 sigma more, or 7 sigma of the other side."""
    rng = np.random.default_rng(5)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        expected = np.concatenate([cells(rng), [2_000.0]])
        ratio = np.exp(rng.normal(0.14, 0.03, len(expected)))
        ratio[-1] = np.exp(0.14)
        for sign in (-1, 1):
            a, b = rng.poisson(expected), rng.poisson(expected * ratio)
            (b if sign > 0 else a)[-1] += 7 * int(np.sqrt(2_000 * 2.15))
            found = common_ratio(a, b)
            z, asymmetry = (b - a) / np.sqrt(a + b + 1), (b + 0.5) / (a + 0.5) - 1
            used = a + b > 100
            explained = found.explains(z, asymmetry)
            assert not explained[-1]
            assert np.mean(explained[used & (z > 3)][:-1]) > 0.6


def test_the_best_of_many_regions_may_fluctuate_more():
    found = CommonRatio(0.14, 0.005, 0.0, 50, 50, 40.0, 0.8)
    z, asymmetry = np.array([6.8]), np.array([0.3])
    assert not found.explains(z, asymmetry)[0]
    assert found.explains(z, asymmetry, trials=10_000)[0]
    assert not found.explains([5.0, np.nan], [np.nan, 0.1]).any()


def test_bad_input():
    for n_a, n_b, options, message in (
        ([1, 2], [1], {}, "in each cell"),
        ([1.5], [1], {}, "whole"),
        ([-1], [1], {}, "n_a"),
        ([30], [30], {"kappa": 0.0}, "above 0"),
    ):
        with pytest.raises(InputError, match=message):
            common_ratio(n_a, n_b, **options)
    with pytest.raises(InputError, match="one of each"):
        dataclasses.replace(CommonRatio(0.1, 0.01, 0.0, 9, 9, 1.0, 1.0)).explains([1.0], [0.1, 0.2])
    assert common_ratio([], []) is None
    assert common_ratio([3, 4], [5, 6]) is None
