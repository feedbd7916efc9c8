"""N_sigma: its laws, its null, and what it refuses.

Tolerances of the toys are 4 standard errors of n toys: 4/sqrt(n) for a mean and 4/sqrt(2n) for a standard
deviation of a unit normal. The slow versions have so many toys that this is 0.03 and 0.02.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats as scipy_stats

from coffea_ddp.errors import InputError
from coffea_ddp.stats import n_sigma

COUNTS = st.integers(0, 10_000)
KAPPAS = st.floats(0.01, 100.0)
SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, max_side=6)
N_TOYS = 400


@st.composite
def pairs(draw, shapes=SHAPES):
    shape = draw(shapes)
    a, b = (draw(hnp.arrays(np.int64, shape, elements=COUNTS)) for _ in range(2))
    a.flat[0] += 1  # a pair with something in it
    return a, b


def close(first, second):
    return first == pytest.approx(second, rel=1e-9, abs=1e-9)


# -- the formula -----------------------------------------------------------------------------------


def test_by_hand():
    result = n_sigma([[1, 0], [4, 9]], [[4, 0], [0, 16]])
    expected = ((4 - 1) / math.sqrt(5) + (0 - 4) / math.sqrt(4) + (16 - 9) / math.sqrt(25)) / math.sqrt(3)
    assert close(result.statistic, expected)
    assert result.z_value == result.statistic
    assert close(result.p_value, 2 * scipy_stats.norm.sf(abs(expected)))
    assert result.n_bins == 3
    assert "two-sided" in result.method
    everything = n_sigma([[1, 0], [4, 9]], [[4, 0], [0, 16]], empty="all")
    assert close(everything.statistic, expected * math.sqrt(3 / 4))
    assert everything.n_bins == 4


def test_kappa_by_hand():
    expected = (7 - 3 * 2) / math.sqrt(3 * 9)
    assert close(n_sigma([2], [7], kappa=3).statistic, expected)


def test_one_number_is_one_bin():
    assert close(n_sigma(9, 16).statistic, 7 / 5)


@given(pairs(), KAPPAS)
def test_antisymmetry(pair, kappa):
    a, b = pair
    assert close(n_sigma(a, b).statistic, -n_sigma(b, a).statistic)
    assert close(n_sigma(a, b, kappa=kappa).statistic, -n_sigma(b, a, kappa=1 / kappa).statistic)


@given(pairs(), KAPPAS, st.randoms(use_true_random=False))
def test_the_order_of_bins_does_not_matter(pair, kappa, random):
    a, b = (side.reshape(-1) for side in pair)
    order = list(range(len(a)))
    random.shuffle(order)
    first, second = n_sigma(a, b, kappa=kappa), n_sigma(a[order], b[order], kappa=kappa)
    assert close(first.statistic, second.statistic)
    assert first.n_bins == second.n_bins


@given(pairs(), KAPPAS, st.integers(1, 5))
def test_empty_bins_say_nothing(pair, kappa, n_empty):
    a, b = (side.reshape(-1) for side in pair)
    padded = (np.append(side, np.zeros(n_empty)) for side in (a, b))
    first, second = n_sigma(a, b, kappa=kappa), n_sigma(*padded, kappa=kappa)
    assert close(first.statistic, second.statistic)
    assert first.n_bins == second.n_bins
    assert first.asymmetry == second.asymmetry or close(first.asymmetry, second.asymmetry)


@given(pairs())
def test_equal_sides_are_zero(pair):
    a, _ = pair
    result = n_sigma(a, a)
    assert (result.statistic, result.p_value, result.asymmetry) == (0, 1, 0)


@given(pairs(), pairs(), KAPPAS)
def test_merging_two_matrices(first, second, kappa):
    """The sum over the bins of both, with the root of the sum of their bins."""
    one, two = (n_sigma(a, b, kappa=kappa) for a, b in (first, second))
    joined = (np.concatenate([x.reshape(-1), y.reshape(-1)]) for x, y in zip(first, second, strict=True))
    both = n_sigma(*joined, kappa=kappa)
    parts = (result.statistic * math.sqrt(result.n_bins) for result in (one, two))
    assert both.n_bins == one.n_bins + two.n_bins
    assert close(both.statistic * math.sqrt(both.n_bins), sum(parts))


@given(pairs(st.tuples(*(st.integers(1, 4),) * 3)), KAPPAS, st.sampled_from(["skip", "all"]))
def test_a_batch_is_a_loop(pair, kappa, empty):
    a, b = pair
    a[:, 0, 0] += 1
    kappas = kappa * np.arange(1, len(a) + 1)
    batch = n_sigma(a, b, kappa=kappas, batch_ndim=1, empty=empty)
    for i in range(len(a)):
        single = n_sigma(a[i], b[i], kappa=kappas[i], empty=empty)
        assert close(batch.statistic[i], single.statistic)
        assert close(batch.p_value[i], single.p_value)
        assert batch.n_bins[i] == single.n_bins
        np.testing.assert_allclose(batch.asymmetry[i], single.asymmetry, rtol=1e-9)
    assert n_sigma(a + 1, b, batch_ndim=3).statistic.shape == a.shape


@given(pairs(), KAPPAS)
def test_unit_weights_are_counts(pair, kappa):
    a, b = pair
    plain, weighted = n_sigma(a, b, kappa=kappa), n_sigma(a, b, kappa=kappa, variance_a=a, variance_b=b)
    assert plain.statistic == weighted.statistic
    assert plain.n_bins == weighted.n_bins


@given(pairs(), st.floats(0.01, 100.0))
def test_a_common_weight_changes_nothing(pair, w):
    a, b = pair
    weighted = n_sigma(w * a, w * b, variance_a=w**2 * a, variance_b=w**2 * b)
    assert close(weighted.statistic, n_sigma(a, b).statistic)


# -- the asymmetry that explains it ----------------------------------------------------------------


@given(
    hnp.arrays(np.int64, (5,), elements=st.integers(1, 1000)),
    st.sampled_from([0.5, 1.0, 3.0]),
    st.integers(-1, 6),
)
def test_asymmetry_is_found_again(a, kappa, half):
    """B = kappa (1 + eps) A exactly, in every bin."""
    eps = half / 2
    a = 4 * a
    assert close(n_sigma(a, kappa * (1 + eps) * a, kappa=kappa).asymmetry, eps)


def test_asymmetry_of_empty_sides():
    assert n_sigma([3, 4], [0, 0], kappa=2.5).asymmetry == pytest.approx(-1)
    assert n_sigma([0, 0], [3, 4], kappa=2.5).asymmetry == math.inf


# -- extreme values --------------------------------------------------------------------------------


def test_p_is_never_zero():
    result = n_sigma([0], [10**12])
    assert result.statistic == pytest.approx(1e6)
    assert result.p_value > 0


def test_large_counts_keep_their_difference():
    assert n_sigma([2**52], [2**52 + 2]).statistic == pytest.approx(2 / math.sqrt(2**53), rel=1e-6)


@pytest.mark.parametrize(
    ("a", "b", "options", "message"),
    [
        ([1, 2], [1, 2, 3], {}, "shape"),
        ([1, -2], [1, 2], {}, "a has negative"),
        ([1, 2], [1, 2.5], {}, "b has fractional"),
        ([1, math.nan], [1, 2], {}, "a has NaN"),
        ([1, 2], [1, math.inf], {}, "b has NaN or infinite"),
        (["x"], [1], {}, "not an array of numbers"),
        ([0, 0], [0, 0], {}, "both empty"),
        ([], [], {}, "both empty"),
        ([[1], [0]], [[1], [0]], {"batch_ndim": 1}, r"pair \(1,\) of the batch"),
        ([1], [1], {"kappa": 0}, "kappa"),
        ([1], [1], {"kappa": -1}, "kappa"),
        ([1], [1], {"kappa": math.nan}, "kappa"),
        ([1, 2], [1, 2], {"kappa": [1, 2, 3]}, "kappa has shape"),
        ([1], [1], {"batch_ndim": 2}, "batch_ndim=2"),
        ([1], [1], {"batch_ndim": -1}, "batch_ndim=-1"),
        ([1], [1], {"empty": "none"}, "'skip', 'all'"),
        ([1], [1], {"variance_a": [1]}, "come together"),
        ([1], [1], {"variance_a": [1], "variance_b": [1, 2]}, "variance_b has shape"),
        ([1], [1], {"variance_a": [-1], "variance_b": [1]}, "variance_a"),
        ([1], [1], {"variance_a": [1], "variance_b": [0]}, "variance_b"),
        ([1], [1], {"variance_a": [1], "variance_b": [math.nan]}, "variance_b has NaN"),
    ],
)
def test_bad_input(a, b, options, message):
    with pytest.raises(InputError, match=message):
        n_sigma(a, b, **options)


def test_negative_weights_are_fine_with_variances():
    result = n_sigma([-0.5, 2.0], [1.5, 2.0], variance_a=[0.3, 1.0], variance_b=[0.7, 1.0])
    assert result.statistic == pytest.approx(2 / math.sqrt(2))


# -- the null --------------------------------------------------------------------------------------


def template(shape, mean):
    if shape == "flat":
        return np.full((28, 28), mean)
    falling = np.exp(-np.add.outer(np.arange(28), np.arange(28)) / 10.0)
    return mean * falling / falling.mean()


def null(expected, n, seed, kappa=1.0, **options):
    """N_sigma of n toys, in pieces that fit into a cache."""
    rng = np.random.default_rng(seed)
    z = []
    for size in np.diff(np.append(np.arange(0, n, 200), n)):
        a, b = rng.poisson(expected, (size, 28, 28)), rng.poisson(kappa * expected, (size, 28, 28))
        z.append(n_sigma(a, b, kappa=kappa, batch_ndim=1, **options).statistic)
    return np.concatenate(z)


def assert_standard(z, mean=None, width=None):
    assert abs(z.mean()) < (mean or 4 / math.sqrt(len(z)))
    assert abs(z.std() - 1) < (width or 4 / math.sqrt(2 * len(z)))
    assert scipy_stats.kstest(z, "norm").pvalue > 0.001


@pytest.mark.parametrize("shape", ["flat", "falling"])
@pytest.mark.parametrize("mean", [0.2, 0.5, 1, 2, 5, 25, 100])
def test_null_is_standard_normal(shape, mean):
    """T1."""
    assert_standard(null(template(shape, mean), N_TOYS, seed=1))


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["flat", "falling"])
@pytest.mark.parametrize("mean", [0.2, 0.5, 1, 2, 5, 25, 100])
def test_null_is_standard_normal_with_many_toys(shape, mean):
    """T1."""
    assert_standard(null(template(shape, mean), 20_000, seed=2), 0.03, 0.02)


@pytest.mark.parametrize(("mean", "width"), [(0.2, 0.574), (0.5, 0.795), (1, 0.930)])
def test_counting_all_bins_shrinks_the_null(mean, width):
    """T1, second row: sqrt(1 - exp(-2 mean))."""
    z = null(template("flat", mean), N_TOYS, seed=3, empty="all")
    assert z.std() == pytest.approx(width, rel=4 / math.sqrt(2 * N_TOYS))


@pytest.mark.parametrize("kappa", [3, 10, 100])
@pytest.mark.parametrize("mean", [1, 5, 50])
def test_unequal_sizes(kappa, mean):
    """T5: the pooled variance is right, the textbook one (each side its own) is far off."""
    expected = template("flat", mean)
    assert_standard(null(expected, N_TOYS, seed=5, kappa=kappa))
    rng = np.random.default_rng(6)
    a, b = rng.poisson(expected, (50, 28, 28)), rng.poisson(kappa * expected, (50, 28, 28))
    textbook = ((b - kappa * a) / np.sqrt(np.maximum(b + kappa**2 * a, 1))).sum(axis=(1, 2)) / 28
    assert textbook.mean() > 1


@pytest.mark.slow
@pytest.mark.parametrize("kappa", [1, 3, 10, 100])
@pytest.mark.parametrize("mean", [1, 5, 50])
def test_unequal_sizes_with_many_toys(kappa, mean):
    """T5."""
    assert_standard(null(template("flat", mean), 20_000, seed=7, kappa=kappa), 0.05, 0.02)


@pytest.mark.parametrize(("mean", "width", "naive"), [(2, 0.98, 1.06), (25, 1.005, 1.14)])
def test_weights(mean, width, naive):
    """T8: lognormal weights with sigma 0.5."""
    rng = np.random.default_rng(8)
    sums = []
    for _ in range(2):
        counts = rng.poisson(mean, (N_TOYS, 28 * 28))
        where = np.repeat(np.arange(counts.size), counts.reshape(-1))
        weights = rng.lognormal(0, 0.5, len(where))
        sums += [
            np.bincount(where, power, minlength=counts.size).reshape(counts.shape) for power in (weights, weights**2)
        ]
    w_a, v_a, w_b, v_b = sums
    z = n_sigma(w_a, w_b, variance_a=v_a, variance_b=v_b, batch_ndim=1).statistic
    assert abs(z.mean()) < 4 / math.sqrt(N_TOYS)
    assert z.std() == pytest.approx(width, rel=4 / math.sqrt(2 * N_TOYS))
    wrong = n_sigma(w_a, w_b, variance_a=w_a, variance_b=w_b, batch_ndim=1).statistic
    assert wrong.std() == pytest.approx(naive, rel=4 / math.sqrt(2 * N_TOYS))
    assert wrong.std() > z.std() * 1.05


@pytest.mark.parametrize(
    ("events", "eps", "mean"),
    [(1e5, 0.005, 1.15), (1e5, 0.01, 2.24), (1e5, 0.02, 4.46), (1e6, 0.01, 7.06), (1e4, 0.05, 3.48)],
)
def test_efficiency_asymmetry(events, eps, mean):
    """T4: a mean of eps sqrt(N/2), and the result tells eps."""
    rng = np.random.default_rng(4)
    expected = template("flat", events / 28**2)
    a, b = rng.poisson(expected, (N_TOYS, 28, 28)), rng.poisson((1 + eps) * expected, (N_TOYS, 28, 28))
    result = n_sigma(a, b, batch_ndim=1)
    error = 4 / math.sqrt(N_TOYS)
    assert result.statistic.mean() == pytest.approx(mean, abs=error)
    assert result.statistic.mean() == pytest.approx(eps * math.sqrt(events / 2), abs=0.02 * mean + error)
    assert result.asymmetry.mean() == pytest.approx(eps, abs=eps / mean * error * 1.05)
