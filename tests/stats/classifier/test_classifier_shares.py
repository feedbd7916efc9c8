"""The classifier test with expected shares: statistics by hand, equal shares, the null, both sides, power."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats
from scipy.special import expit

from coffea_ddp.stats.classifier.classifier import CUTS, classifier_test, statistics
from coffea_ddp.stats.classifier.learners import BoostingLearner, KernelLearner, NetworkLearner
from coffea_ddp.stats.log_ratio.solvers import NetworkSolver
from coffea_ddp.stats.samples.points import pool
from coffea_ddp.stats.samples.shares import draw_labels_of_shares

LEARNERS = {
    "kernel": KernelLearner(),
    "boosting": BoostingLearner(iterations=5, leaves=4),
    "network": NetworkLearner(NetworkSolver(neurons=2, restarts=1, first=3, most=10)),
}


def of_detector(n, seed, *, strength=1.5, signal=0, at=(1.5, 1.5), width=0.3):
    """Two features of A and of B, and their shares, which depend on the first; a signal of A."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    x[:signal] = rng.normal(at, width, (signal, 2))
    shares = expit(strength * np.sin(2.0 * x[:, 0]) - 0.3)
    is_b = (rng.random(n) < shares) & (np.arange(n) >= signal)
    return x[~is_b], x[is_b], (shares[~is_b], shares[is_b])


@pytest.mark.parametrize("ends", [1, 2])
def test_statistics_are_sums_of_residuals_over_their_spread(ends):
    """Conditional on the scores, over many labellings, both are centred and of width 1; and they are these sums."""
    rng = np.random.default_rng(2)
    shares = rng.uniform(0.1, 0.95, 300)
    scores = (rng.normal(size=300) + shares)[None]
    labels = draw_labels_of_shares(shares, 4_000, 3)
    found, cuts = statistics(np.repeat(scores, 4_000, axis=0), labels, ends=ends, shares=shares)
    variance, ranks = shares * (1 - shares), scipy_stats.rankdata(scores[0])
    centred = ranks - np.average(ranks, weights=variance)
    factor = np.sqrt(299 / 300)
    for row in range(5):
        rho = labels[row] - (1 - shares)
        assert found[0, row] == pytest.approx(factor * centred @ rho / np.sqrt(centred**2 @ variance))
        cut = CUTS[cuts[row] % len(CUTS)]
        sign = 1 if cuts[row] < len(CUTS) else -1
        inside = ranks > 300 - np.ceil(cut * 300) if sign > 0 else ranks <= np.ceil(cut * 300)
        less = inside - np.average(inside, weights=variance)
        assert found[1, row] == pytest.approx(factor * sign * less @ rho / np.sqrt(less**2 @ variance))
    assert abs(found[0].mean()) < 4.5 / np.sqrt(4_000)
    assert found[0].std() == pytest.approx(1.0, abs=0.05)


def test_equal_shares_of_the_data_give_what_is_computed_without():
    """Of scores without ties exactly; any other equal share gives the same but for the width of a label."""
    rng = np.random.default_rng(3)
    scores, labels = rng.normal(size=(4, 200)), np.zeros((4, 200), np.int8)
    for row in labels:
        row[rng.choice(200, 70, replace=False)] = 1
    plain, cuts = statistics(scores, labels, ends=2)
    found, other_cuts = statistics(scores, labels, ends=2, shares=np.full(200, 0.65))
    np.testing.assert_allclose(found, plain, atol=1e-9)
    np.testing.assert_array_equal(other_cuts, cuts)
    half = statistics(scores, labels, ends=2, shares=np.full(200, 0.5))[0]
    np.testing.assert_allclose(half, plain * np.sqrt(0.35 * 0.65) / 0.5, atol=1e-9)


@pytest.mark.parametrize("name", ["kernel", "network"])
def test_scores_with_equal_shares_are_in_the_order_of_those_without(name):
    a, b, _ = of_detector(200, 4, strength=0.0)
    points, folds = pool(a, b), np.arange(200) % 5
    labels = np.stack([points.labels, 1 - points.labels])
    plain = LEARNERS[name].scorer(points, folds, 1)(labels)
    for share in (0.5, 0.3):
        found = LEARNERS[name].scorer(points, folds, 1, np.full(200, share))(labels)
        for fold in range(5):
            inside = folds == fold
            for row in range(2):
                assert scipy_stats.spearmanr(found[row, inside], plain[row, inside]).statistic > 0.999


def test_boosted_trees_with_shares_of_one_half_are_those_without():
    a, b, _ = of_detector(200, 4, strength=0.0)
    points, folds = pool(a, b), np.arange(200) % 5
    found, plain = (
        LEARNERS["boosting"].scorer(points, folds, 1, shares)(points.labels[None])
        for shares in (np.full(200, 0.5), None)
    )
    np.testing.assert_allclose(found, plain, atol=1e-6)


@pytest.mark.parametrize("name", LEARNERS)
def test_no_event_is_scored_by_what_has_seen_it(name):
    a, b, shares = of_detector(60, 5)
    points, folds, both = pool(a, b), np.arange(60) % 5, np.concatenate(shares)
    scorer = LEARNERS[name].scorer(points, folds, 1, both)
    flipped = points.labels.copy()
    flipped[7] = 1 - flipped[7]
    before, after = scorer(points.labels[None])[0], scorer(flipped[None])[0]
    np.testing.assert_array_equal(before[folds == 2], after[folds == 2])
    if name == "kernel":
        assert not np.allclose(before[folds != 2], after[folds != 2])


def test_swapping_the_sides_mirrors_the_scores():
    """Residuals change their sign: so do the scores of kernels, and A's excess is B's."""
    a, b, shares = of_detector(300, 6)
    points, folds, both = pool(a, b), np.arange(300) % 5, np.concatenate(shares)
    labels = points.labels[None]
    found = KernelLearner().scorer(points, folds, 1, both)(labels)
    other = KernelLearner().scorer(points, folds, 1, 1 - both)(1 - labels)
    np.testing.assert_allclose(other, -found, atol=1e-9)
    np.testing.assert_allclose(
        statistics(other, 1 - labels, ends=2, shares=1 - both)[0],
        statistics(found, labels, ends=2, shares=both)[0],
        atol=1e-9,
    )


# -- the null ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "toys"),
    [
        pytest.param(150, 120, id="few"),
        pytest.param(150, 500, id="many", marks=pytest.mark.slow),
        pytest.param(500, 500, id="large", marks=pytest.mark.slow),
    ],
)
def test_p_is_uniform_where_labels_follow_the_shares(n, toys):
    """49 labellings a toy; distances from uniform of 0.15 (120 toys) and 0.073 (500) are beyond the limit of 1 %."""
    p = np.array(
        [
            classifier_test(*sides, toys=49, seed=toy, shares=shares).p_value
            for toy in range(toys)
            for *sides, shares in [of_detector(n, [3, toy])]
        ]
    )
    smeared = p - np.random.default_rng(2).random(toys) / 50.0
    assert scipy_stats.kstest(smeared, "uniform").pvalue > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("name", ["boosting", "network"])
def test_p_of_other_learners_is_uniform(name):
    """9 labellings of each of 100 toys: distances of 0.163 are beyond the limit of 1 %.

    Of the AUC: the better of two has many ties among so few.
    """
    p = np.array(
        [
            classifier_test(*sides, learner=LEARNERS[name], folds=2, toys=9, seed=toy, shares=shares).p_auc
            for toy in range(100)
            for *sides, shares in [of_detector(80, [4, toy])]
        ]
    )
    assert scipy_stats.kstest(p - np.random.default_rng(2).random(100) / 10.0, "uniform").pvalue > 0.01


@pytest.mark.parametrize("name", LEARNERS)
def test_without_shares_a_detector_is_a_signal(name):
    a, b, shares = of_detector(600, 7)
    assert classifier_test(a, b, learner=LEARNERS[name], toys=39).p_value == 0.025
    found = classifier_test(a, b, learner=LEARNERS[name], toys=39, shares=shares)
    assert found.p_value > 0.05
    assert found.auc == pytest.approx(0.5, abs=0.06)
    assert "39 labellings drawn from the expected shares" in found.method


# -- signals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LEARNERS)
def test_a_difference_beyond_the_shares_is_found(name):
    a, b, shares = of_detector(800, 8, signal=120)
    found = classifier_test(a, b, learner=LEARNERS[name], toys=39, shares=shares)
    assert found.p_value == 0.025
    assert found.auc > 0.52


def test_a_signal_is_seen_as_with_equal_shares():
    """120 of 2,000 events of A in one place: median z of eight samples beside that of equal shares."""
    z = {
        strength: np.median(
            [
                max(found.auc_z, found.cut_z)
                for found in (
                    classifier_test(a, b, learner=KernelLearner(width=0.4), toys=1, shares=shares)
                    for a, b, shares in (of_detector(2_000, [9, k], strength=strength, signal=120) for k in range(8))
                )
            ]
        )
        for strength in (0.0, 1.5)
    }
    assert z[0.0] > 4
    assert z[1.5] > 0.7 * z[0.0]


def test_the_area_is_that_of_labels_where_shares_are_equal():
    a, b, _ = of_detector(400, 10, strength=0.0, signal=60)
    share = len(b) / 400
    plain = classifier_test(a, b, toys=9)
    found = classifier_test(a, b, toys=9, shares=(np.full(len(a), share), np.full(len(b), share)))
    assert found.auc == pytest.approx(plain.auc, abs=1e-4)
    assert found.auc_z == pytest.approx(plain.auc_z, rel=1e-3)
    assert found.cut_z == pytest.approx(plain.cut_z, rel=1e-3)
    np.testing.assert_allclose(found.scores_a, plain.scores_a, atol=0.02)
