"""Expectation from samples, and its toys."""

from __future__ import annotations

import numpy as np
import pytest

from coffea_ddp.stats.simulated.cells import (
    Lists,
    RegionCells,
    Scores,
    Toys,
    best_regions,
    toy_pulls,
    toy_regions,
)
from coffea_ddp.stats.simulated.expected import draw, expect
from coffea_ddp.stats.simulated.pulls import weighted_pulls
from coffea_ddp.stats.simulated.rates import SimulatedCounts

SHAPE = (1, 10)


def samples(seed: int, weights=(0.5, 2.0), negative=(0.0, 0.2), cells: int = 6):
    rng = np.random.default_rng(seed)
    found = []
    for weight, share in zip(weights, negative, strict=True):
        n = rng.poisson(20.0 * rng.exponential(1.0, (cells, 1)) * np.exp(-0.3 * np.arange(10))).astype(float)
        minus = rng.binomial(n.astype(int), share)
        found.append(SimulatedCounts(weight * (n - 2.0 * minus), weight**2 * n, n, share > 0))
    return found


def blocks(expected, number: int, seed: int = 1) -> np.ndarray:
    return np.concatenate([draw(expected, seed=seed, key="x", block=block) for block in range(number)], axis=1)


def test_toys_have_the_mean_and_the_variance_of_the_expectation():
    """6,400 toys of bins with enough events: 5 standard errors."""
    found = expect(samples(1), np.zeros((6, 10)), SHAPE)
    toys, some = blocks(found, 100), found.mean > 20
    n = toys.shape[1]
    width = np.sqrt(found.mean + found.variance)
    assert (np.abs(toys.mean(axis=1) - found.mean)[some] < 5 * (width / np.sqrt(n))[some]).all()
    assert toys.var(axis=1)[some] == pytest.approx((width**2)[some], rel=0.12)


def test_toys_of_the_whole_have_its_mean_and_variance():
    found = expect(samples(2, negative=(0.0, 0.0)), np.zeros((6, 10)), SHAPE)
    total = blocks(found, 60).sum(axis=0)
    width = np.sqrt(found.mean.sum() + found.variance.sum())
    assert total.mean() == pytest.approx(found.mean.sum(), abs=5 * width / np.sqrt(len(total)))
    assert total.std() == pytest.approx(width, rel=0.06)


def test_variations_move_everything_together():
    one = samples(3, negative=(0.0, 0.0))
    total = sum(sample.w for sample in one)
    found = expect(one, np.zeros((6, 10)), SHAPE, [("luminosity", 0.3 * total, -0.3 * total)])
    first, second = blocks(found, 20)[found.cells == 0].sum(axis=0), blocks(found, 20)[found.cells == 1].sum(axis=0)
    assert np.corrcoef(first, second)[0, 1] > 0.5
    # Of one seed, in whatever observable.
    other = np.concatenate([draw(found, seed=1, key="y", block=block) for block in range(20)], axis=1)
    assert np.corrcoef(first, other[found.cells == 1].sum(axis=0))[0, 1] > 0.5


def test_toys_belong_to_the_seed_the_key_and_the_block():
    found = expect(samples(4), np.zeros((6, 10)), SHAPE)
    assert np.array_equal(draw(found, seed=1, key="x", block=3), draw(found, seed=1, key="x", block=3))
    others = [(2, "x", 3), (1, "y", 3), (1, "x", 4)]
    same = draw(found, seed=1, key="x", block=3)
    assert not any(np.array_equal(same, draw(found, seed=s, key=k, block=b)) for s, k, b in others)


def test_splitting_a_sample_changes_little():
    """Two halves of a sample, each smoothed for itself: N_sigma moves by less than 0.3, by 0.15 on average."""
    moved = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        (one,) = samples(seed, (0.3,), (0.0,))
        first = rng.binomial(one.n.astype(int), 0.5).astype(float)
        halves = [SimulatedCounts(0.3 * n, 0.09 * n, n) for n in (first, one.n - first)]
        data = rng.poisson(one.w).astype(float)
        both = []
        for parts in ([one], halves):
            found = expect(parts, data, SHAPE)
            arrays = (np.zeros(data.shape) for _ in range(4))
            dense = []
            for array, values in zip(arrays, (found.data, found.mean, found.variance, found.steady), strict=True):
                array[found.cells, found.bins] = values
                dense.append(array)
            both.append(weighted_pulls(*dense, np.zeros((0, *data.shape))).statistic)
        moved.append(np.nanmax(np.abs(both[0] - both[1])))
    assert max(moved) < 0.3
    assert np.mean(moved) < 0.15


def lists(members: np.ndarray) -> Lists:
    starts = np.concatenate([[0], np.cumsum(members.sum(axis=1))]).astype(np.int64)
    return Lists(starts, np.nonzero(members)[1].astype(np.int32))


@pytest.mark.parametrize("shape", [(1, 10), (2, 5)])
def test_compiled_toys_are_the_tests_of_the_data(shape):
    rng = np.random.default_rng(5)
    one = samples(5)
    total = sum(sample.w for sample in one)
    found = expect(one, np.zeros((6, 10)), shape, [("v", 0.1 * total, -0.05 * total)])
    members = rng.random((9, 6)) < 0.5
    members[0] = True

    def dense(values):
        array = np.zeros((6, 10))
        array[found.cells, found.bins] = values
        return members @ array

    mean, variance, steady, own = map(dense, (found.mean, found.variance, found.steady, found.own))
    shifts = np.array([dense(found.shifts[0])])
    counts = draw(found, seed=1, key="x", block=0)
    toys, cells = Toys(found.starts, found.bins, counts), lists(members)
    pulls = weighted_pulls(mean, mean, variance, steady, shifts)
    out = Scores(np.zeros(64, np.float32), np.arange(9), np.zeros((9, 64), np.float32))
    toy_pulls(toys, cells, pulls.weights.astype(np.float32), (pulls.weights * mean).sum(axis=1), out)
    regions = Scores(np.zeros(64, np.float32), np.arange(9), np.zeros((9, 64), np.float32))
    moved = np.ascontiguousarray(np.moveaxis(shifts, 1, 0))
    toy_regions(toys, cells, RegionCells(mean, variance, own, moved), shape, regions)
    for toy in range(0, 64, 7):
        data = dense(counts[:, toy].astype(float))
        expected = np.abs(weighted_pulls(data, mean, variance, steady, shifts).statistic)
        assert out.kept[:, toy] == pytest.approx(expected, abs=2e-4)
        assert out.best[toy] == pytest.approx(expected.max(), abs=2e-4)
        best = best_regions(data, mean, variance, own, shifts, shape)
        assert regions.kept[:, toy] == pytest.approx(np.abs(best.score), abs=1e-4)


def test_the_best_region_by_exhaustive_search():
    rng = np.random.default_rng(6)
    mean = rng.exponential(3.0, (1, 8))
    data, variance = rng.poisson(mean).astype(float), 0.2 * mean
    data[0, 3:5] += 9
    nothing = np.zeros((0, 1, 8))
    found = best_regions(data, mean, variance, mean, nothing, (1, 8))
    from coffea_ddp.stats.simulated.counts import count_score

    scores = {
        (i, k): count_score(data[0, i:k].sum(), mean[0, i:k].sum(), variance[0, i:k].sum())
        for i in range(8)
        for k in range(i + 1, 9)
        if mean[0, i:k].sum() >= 1.0
    }
    best = max(scores, key=lambda region: abs(scores[region]))
    assert tuple(found.region[0, 2:]) == best
    assert found.score[0] == pytest.approx(scores[best])
    assert found.trials[0] == len(scores)


def test_regions_in_which_samples_cancel_are_left_out():
    data, mean, own = np.full((1, 2), 10.0), np.array([[8.0, 9.0]]), np.full((1, 2), 50.0)
    nothing = np.zeros((0, 1, 2))
    known = best_regions(data, mean, np.full((1, 2), 4.0), own, nothing, (1, 2))
    assert known.trials.tolist() == [3]
    cancelled = best_regions(data, np.array([[8.0, -7.99]]), np.full((1, 2), 4.0), own, nothing, (1, 2))
    assert cancelled.trials.tolist() == [1]
    assert cancelled.region[0].tolist() == [0, 1, 0, 1]
