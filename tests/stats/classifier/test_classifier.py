"""The classifier test: scores that have not seen their events, statistics by hand, the null, power, bad input."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy import stats as scipy_stats

from coffea_ddp import stats
from coffea_ddp.errors import InputError, UnknownNameError
from coffea_ddp.stats.classifier.classifier import CUTS, classifier_test, statistics
from coffea_ddp.stats.classifier.learners import BoostingLearner, KernelLearner, NetworkLearner
from coffea_ddp.stats.log_ratio.solvers import NetworkSolver
from coffea_ddp.stats.samples.permutations import draw_labels
from coffea_ddp.stats.samples.points import pool

LEARNERS = {
    "kernel": KernelLearner(),
    "boosting": BoostingLearner(iterations=5, leaves=4),
    "network": NetworkLearner(NetworkSolver(neurons=2, restarts=1, first=3, most=10)),
}


def normals(n_a, n_b, seed=1, d=2, shift=0.0):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n_a, d))
    a[:, 0] += shift
    return a, rng.normal(size=(n_b, d))


def test_statistics_are_those_of_scipy():
    rng = np.random.default_rng(2)
    scores = np.round(rng.normal(size=(3, 90)), 1)  # with ties
    labels = np.zeros((3, 90), dtype=np.int8)
    for row in labels:
        row[rng.choice(90, 30, replace=False)] = 1
    found, cuts = statistics(scores, labels)
    for row in range(3):
        a, b = scores[row, labels[row] == 1], scores[row, labels[row] == 0]
        auc = scipy_stats.mannwhitneyu(a, b).statistic / (30 * 60)
        assert found[0, row] == pytest.approx((auc - 0.5) / np.sqrt(91 / (12 * 30 * 60)))
        cut = CUTS[cuts[row]]
        inside = scipy_stats.rankdata(scores[row]) > 90 - np.ceil(cut * 90)
        excess = scipy_stats.hypergeom(90, 30, inside.sum())
        wanted = (labels[row][inside].sum() - excess.mean()) / excess.std()
        assert found[1, row] == pytest.approx(wanted)


def test_both_ends_are_looked_at_alike():
    """Scores and labels turned round: the excess of B among the lowest is that of A among the highest."""
    rng = np.random.default_rng(3)
    scores, labels = rng.normal(size=(4, 80)), rng.random((4, 80)) < 0.3
    labels[2] = False  # one sample alone
    one, both = statistics(scores, labels)[0], statistics(scores, labels, ends=2)[0]
    turned = statistics(-scores, ~labels)[0]
    np.testing.assert_allclose(both[1], np.maximum(one[1], turned[1]), atol=1e-9)
    np.testing.assert_allclose(both[0], one[0])
    np.testing.assert_array_equal(both[:, 2], 0.0)


@pytest.mark.parametrize("name", LEARNERS)
def test_no_event_is_scored_by_what_has_seen_it(name):
    """Flipping the label of one event changes no score of its own fold."""
    points = pool(*normals(30, 30))
    folds = np.arange(60) % 5
    scorer = LEARNERS[name].scorer(points, folds, 1)
    flipped = points.labels.copy()
    flipped[7] = 1 - flipped[7]
    before, after = scorer(points.labels[None])[0], scorer(flipped[None])[0]
    assert np.array_equal(before[folds == 2], after[folds == 2])
    if name == "kernel":
        assert not np.allclose(before[folds != 2], after[folds != 2])


def test_kernel_scores_are_those_of_a_plain_ridge_regression():
    from coffea_ddp.stats.log_ratio.features import kernel_family

    points = pool(*normals(40, 50))
    folds = np.arange(90) % 3
    found = KernelLearner(centres=10).scorer(points, folds, 1)(points.labels[None])[0]
    phi = kernel_family(points, centres=10, width=np.sqrt(2.0), seed=1)(points.x)
    penalty = np.full(phi.shape[1], 1.0)
    penalty[0] = 0.0
    for fold in range(3):
        rest = phi[folds != fold]
        weights = np.linalg.solve(rest.T @ rest + np.diag(penalty), rest.T @ points.labels[folds != fold])
        assert found[folds == fold] == pytest.approx(phi[folds == fold] @ weights, abs=1e-6)


@pytest.mark.parametrize(
    ("sizes", "toys"),
    [
        pytest.param([(100, 100), (40, 400)], 100, id="both"),
        pytest.param([(100, 100)], 500, id="alike", marks=pytest.mark.slow),
        pytest.param([(40, 400)], 500, id="unlike", marks=pytest.mark.slow),
    ],
)
def test_p_is_uniform_under_the_null(sizes, toys):
    """49 permutations a toy; p-values of permutations are spread over their steps.

    Distances from uniform of 0.115 (100 toys of either size) and 0.073 (500, among the slow tests) are beyond the
    limit of 1 %.
    """
    p = np.array(
        [
            classifier_test(*normals(n_a, n_b, seed=[3, toy]), toys=49, seed=toy).p_value
            for n_a, n_b in sizes
            for toy in range(toys)
        ]
    )
    smeared = p - np.random.default_rng(2).random(len(p)) / 50.0
    assert scipy_stats.kstest(smeared, "uniform").pvalue > 0.01


@pytest.mark.parametrize(("toys", "permutations"), [(40, 9), pytest.param(200, 19, marks=pytest.mark.slow)])
def test_p_of_boosted_trees_is_uniform_under_the_null(toys, permutations):
    """Each permutation is learned anew, so there are few; distances of 0.25 (40 toys) and 0.115 (200) are seen."""
    p = [
        classifier_test(
            *normals(40, 40, seed=[4, toy]), learner=BoostingLearner(iterations=3, leaves=3), folds=2,
            toys=permutations,
            seed=toy,
        ).p_value
        for toy in range(toys)
    ]  # fmt: skip
    smeared = np.array(p) - np.random.default_rng(2).random(toys) / (permutations + 1.0)
    assert scipy_stats.kstest(smeared, "uniform").pvalue > 0.01


@pytest.mark.parametrize("name", LEARNERS)
def test_a_difference_is_found(name):
    found = classifier_test(*normals(300, 300, shift=0.6), learner=LEARNERS[name], toys=60)
    assert found.p_value == pytest.approx(1 / 61)
    assert found.auc == pytest.approx(scipy_stats.norm.cdf(0.6 / np.sqrt(2)), abs=0.05)
    assert found.scores_a.mean() > found.scores_b.mean()
    assert found.null.shape == (2, 60)
    assert "60 permutations" in repr(found)
    assert found.learner.endswith("5 folds")


def test_a_small_excess_in_one_place_is_seen_by_the_cut():
    """PHYSICS T9: of a localised signal the cut on the score sees more than the area under the curve."""
    rng = np.random.default_rng(5)
    a, b = rng.uniform(-3, 3, (6_000, 2)), rng.uniform(-3, 3, (6_000, 2))
    a = np.concatenate([a, rng.normal([1.0, -1.0], 0.15, (150, 2))])
    found = classifier_test(a, b, learner=KernelLearner(centres=200, width=0.2), toys=40)
    assert found.cut_z > found.auc_z
    assert found.p_cut == pytest.approx(1 / 41)
    assert found.cut <= 0.05


def test_the_null_of_the_area_under_the_curve_is_near_to_the_formula():
    """PHYSICS T9: standard deviation sqrt((n + m + 1) / (12 n m)) for scores that are given; folds are correlated."""
    found = classifier_test(*normals(500, 500), toys=400)
    assert 1.0 < found.null[0].std() < 1.6
    assert abs(found.null[0].mean()) < 0.3
    points = pool(*normals(500, 500))
    given = np.broadcast_to(points.x[:, 0], (400, 1_000))
    null = statistics(given, draw_labels(points.multiplicity, 500, 400, 1))[0][0]
    assert null.std() == pytest.approx(1.0, abs=0.15)


def test_equal_scores_say_nothing():
    found = classifier_test(np.ones(20), np.ones(30), toys=20)
    assert (found.auc, found.p_value) == (0.5, 1.0)


def test_it_is_exported_and_tells_its_progress():
    seen = []
    stats.classifier_test(*normals(20, 20), toys=70, progress=lambda done, of: seen.append((done, of)))
    assert seen == [(64, 70), (70, 70)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 1}, "folds=1: give a whole number, 2 or more"),
        ({"folds": 21}, "folds=21"),
        ({"toys": 0}, "toys=0"),
        ({"learner": KernelLearner(centres=50)}, "centres=50"),
    ],
)
def test_bad_input_is_told(options, message):
    with pytest.raises(InputError, match=message):
        classifier_test(*normals(10, 10), **options)


def test_bad_settings_are_told_where_they_are_made():
    with pytest.raises(InputError, match="width=-1"):
        KernelLearner(width=-1.0)


def test_unknown_learners_and_missing_libraries_are_told(monkeypatch):
    with pytest.raises(UnknownNameError, match="kernel, boosting"):
        classifier_test(*normals(10, 10), learner="forest")
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(InputError, match=r"pip install 'coffea-ddp\[classifier\]'"):
        classifier_test(*normals(10, 10), learner="boosting", toys=1)
