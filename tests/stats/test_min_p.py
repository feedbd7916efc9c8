"""Several families, one p-value: uniform under the null, whatever the families' number, scales and correlations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from scipy.special import ndtr, ndtri

from coffea_ddp.errors import InputError
from coffea_ddp.stats.min_p import combine
from coffea_ddp.stats.tail import p_among_others
from coffea_ddp.stats.trials import local_p, p_from_z, sidak


def families(rng, n):
    """Two correlated families of maxima, on very different scales."""
    common = rng.standard_normal((n, 20))
    first = np.abs(common + 0.5 * rng.standard_normal((n, 20))).max(axis=1)
    second = 7 + 2 * np.abs(common[:, :5]).max(axis=1)
    return np.stack([first, second])


def of_many(rng, *shape, correlation=0.0, trials=500, signal=None):
    """Largest |z| of a number of trials; shape (..., families, 1 + n), the data first; a signal is in the first."""
    normal = rng.standard_normal(shape)
    if correlation:
        common = rng.standard_normal((*shape[:-2], 1, shape[-1]))
        normal = np.sqrt(1 - correlation) * normal + np.sqrt(correlation) * common
    z = -ndtri(-np.expm1(np.log(ndtr(normal)) / trials) / 2)
    if signal is not None:
        z[..., 0, 0] = np.maximum(z[..., 0, 0], signal + rng.standard_normal(shape[:-2]))
    return z


def p_of_data(values):
    found = combine(list(values[:, 1:]), list(values[:, :1]))
    return found.report(max(float(z[0]) for z in found.z)).p_value


def p_of_each(values):
    """The same of many experiments at once, shape (n_experiments, n_families, 1 + n)."""
    best = p_among_others(values).min(axis=1)
    return np.mean(best <= best[:, :1] * (1 + 1e-9), axis=1)


def p_of_many(repetitions, *shape, **options):
    """A hundred experiments at a time."""
    return np.concatenate([p_of_each(of_many(shape[0], 100, *shape[1:], **options)) for _ in range(repetitions)])


def check_level(p, n):
    """P(p <= alpha) is alpha, but for four standard errors and the steps of 1 / (n + 1)."""
    for alpha in (0.01, 0.05, 0.1):
        reached = np.mean(np.array(p) <= alpha)
        error = 4 * np.sqrt(alpha * (1 - alpha) / len(p))
        assert alpha - error - 1 / (n + 1) <= reached <= alpha + error, (alpha, reached)


def test_min_p_is_uniform_under_the_null():
    rng = np.random.default_rng(4)
    p = [p_of_data(families(rng, 200)) for _ in range(400)]
    # Whole multiples of 1 / 200: spread them evenly below to compare with a continuous distribution.
    assert scipy_stats.kstest(np.array(p) - rng.random(len(p)) / 200, "uniform").pvalue > 0.01


CASES = [(8, 128), (140, 199), (200, 99), (200, 19)]


@pytest.mark.parametrize("correlation", [0.0, 0.5])
@pytest.mark.parametrize(("n_families", "n"), CASES)
def test_level_with_many_families_and_few_pseudo_experiments(n_families, n, correlation):
    rng = np.random.default_rng([n_families, n, round(10 * correlation)])
    check_level(p_of_many(3, rng, n_families, n + 1, correlation=correlation), n)


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.5])
@pytest.mark.parametrize(("n_families", "n"), [*CASES, (140, 999)])
def test_level_to_a_percent(n_families, n, correlation):
    rng = np.random.default_rng([n_families, n, round(10 * correlation), 1])
    check_level(p_of_many(50, rng, n_families, n + 1, correlation=correlation), n)


def test_many_at_once_are_the_same():
    values = of_many(np.random.default_rng(3), 5, 30, 100, signal=5.0)
    assert p_of_each(values).tolist() == pytest.approx([p_of_data(one) for one in values], abs=1e-9)


def test_level_where_scores_are_few_numbers():
    """Rounded to halves nearly all values have ties: never too often, and conservative."""
    p = p_of_each(np.round(2 * of_many(np.random.default_rng(5), 300, 50, 100)) / 2)
    for alpha in (0.05, 0.1):
        assert np.mean(p <= alpha) <= alpha + 4 * np.sqrt(alpha / len(p))


def test_single_precision_does_not_break_ties():
    """The data in double, pseudo-experiments in single precision: equal values are equal all the same."""
    rng = np.random.default_rng(6)
    values = np.round(of_many(rng, 20, 200), 1) + 0.012345678
    single = combine(list(values[:, 1:].astype(np.float32)), list(values[:, :1] * (1 + 2e-7)))
    double = combine(list(values[:, 1:]), list(values[:, :1]))
    best = [max(float(z[0]) for z in found.z) for found in (single, double)]
    assert single.report(best[0]).n_ge == double.report(best[1]).n_ge


@given(st.integers(0, 1_000), st.integers(1, 8), st.integers(1, 30))
def test_data_and_pseudo_experiments_are_exchangeable(seed, n_families, n):
    """Whichever of the N + 1 is called the data, each has the same z: one map for all."""
    values = np.round(of_many(np.random.default_rng(seed), n_families, n + 1), 2)
    found = combine(list(values[:, 1:]), list(values[:, :1]))
    swapped = values.copy()
    swapped[:, [0, 1]] = swapped[:, [1, 0]]
    other = combine(list(swapped[:, 1:]), list(swapped[:, :1]))
    np.testing.assert_allclose([float(z[0]) for z in found.z], other.null[:, 0], atol=1e-9)
    np.testing.assert_allclose(found.null[:, 0], [float(z[0]) for z in other.z], atol=1e-9)
    np.testing.assert_allclose(found.null[:, 1:], other.null[:, 1:], atol=1e-9)


def test_a_signal_is_found_among_many_families():
    """6 sigma in one of 140 families of 500 trials each, with 199 pseudo-experiments (measured: 0.85)."""
    assert np.mean(p_of_many(2, np.random.default_rng(7), 140, 200, signal=6.0) <= 0.05) > 0.75


def test_scales_hardly_matter():
    """Three times as large scores in one family: the tail's scale follows, but for the few values taken as normal."""
    nulls = families(np.random.default_rng(1), 999)
    scores = [nulls[0][:5] * 1.02, nulls[1][:5] * 1.02]
    plain = combine(nulls, scores)
    scaled = combine([nulls[0], 3 * nulls[1]], [scores[0], 3 * scores[1]])
    np.testing.assert_array_equal(plain.z[0], scaled.z[0])
    np.testing.assert_allclose(plain.z[1], scaled.z[1], rtol=0.01)


def test_independent_trials_agree_with_sidak():
    """PHYSICS T21: a local 4.69 sigma among 1,000 independent trials is a global 3 sigma."""
    z = 4.69
    assert sidak(p_from_z(z, two_sided=False), 1_000) == pytest.approx(p_from_z(3.0, two_sided=False), rel=0.03)
    rng = np.random.default_rng(3)
    trials, n = 50, 40_000
    null = np.abs(rng.standard_normal((n, trials))).max(axis=1)
    for p_global in (0.3, 0.05, 0.01):
        score = scipy_stats.norm.isf(local_p(p_global, trials) / 2)
        found = combine([null], [[score]])
        p = found.report(float(found.z[0][0])).p_value
        assert p == pytest.approx(p_global, abs=4 * np.sqrt(p_global / n))


def test_part_of_the_families():
    nulls = families(np.random.default_rng(1), 500)
    found = combine(nulls, [[4.0], [16.0]])
    z = float(found.z[0][0])
    assert found.report(z, [0]).p_value <= found.report(z).p_value


@pytest.mark.parametrize(
    ("nulls", "scores"), [([], []), ([[1.0]], [[1.0], [2.0]]), ([[1.0], [1.0, 2.0]], [[1.0], [1.0]])]
)
def test_families_that_do_not_fit(nulls, scores):
    with pytest.raises(InputError, match="one length"):
        combine(nulls, scores)


@pytest.mark.parametrize(("null", "score"), [([], [1.0]), ([1.0], [])])
def test_families_of_nothing(null, score):
    with pytest.raises(InputError, match="at least one of both"):
        combine([null], [score])
