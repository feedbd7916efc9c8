"""The sub-matrix scan: thresholds and power of PHYSICS T3, exact laws, calibration at any size ratio."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from coffea_ddp import stats
from coffea_ddp.errors import InputError
from coffea_ddp.stats.submatrix.binomial import binomial_z
from coffea_ddp.stats.submatrix.submatrix import best_rectangles, scan_submatrices

matrices = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(0, 10**6), st.sampled_from([0.5, 4.0, 60.0]))


def pair(drawn):
    rows, columns, seed, mean = drawn
    a, b = np.random.default_rng(seed).poisson(mean, (2, rows, columns))
    a[0, 0] += 1
    return a, b


@settings(max_examples=40)
@given(matrices, st.sampled_from(["counts", "nsigma"]), st.sampled_from([0.5, 1.0, 3.0]))
def test_exchanging_the_sides_changes_the_sign(drawn, statistic, kappa):
    a, b = pair(drawn)
    one = scan_submatrices(a, b, kappa=kappa, statistic=statistic, toys=0)
    other = scan_submatrices(b, a, kappa=1 / kappa, statistic=statistic, toys=0)
    assert abs(other.statistic) == pytest.approx(abs(one.statistic), abs=1e-6)
    assert other.p_value == pytest.approx(one.p_value, rel=1e-5)
    larger = scan_submatrices(a, b, kappa=kappa, statistic=statistic, toys=0, alternative="greater")
    less = scan_submatrices(b, a, kappa=1 / kappa, statistic=statistic, toys=0, alternative="less")
    assert less.statistic == pytest.approx(-larger.statistic, abs=1e-6)


@settings(max_examples=30)
@given(matrices, st.sampled_from(["counts", "nsigma"]))
def test_turning_the_matrix_turns_the_rectangle(drawn, statistic):
    a, b = pair(drawn)
    one = scan_submatrices(a, b, statistic=statistic, toys=0)
    turned = scan_submatrices(a.T[:, ::-1], b.T[:, ::-1], statistic=statistic, toys=0)
    assert abs(turned.statistic) == pytest.approx(abs(one.statistic), abs=1e-6)
    assert turned.n_rectangles <= one.n_rectangles * 2


@settings(max_examples=30)
@given(matrices, st.sampled_from(["counts", "nsigma"]))
def test_the_rectangle_is_what_is_told_of_it(drawn, statistic):
    a, b = pair(drawn)
    found = scan_submatrices(a, b, statistic=statistic, toys=0)
    inside = tuple(slice(*span) for span in found.bins)
    n_a, n_b = a[inside].sum(), b[inside].sum()
    assert (found.n_a, found.n_b) == (n_a, n_b)
    assert found.n_bins == np.count_nonzero(a[inside] + b[inside])
    if statistic == "counts":
        assert found.statistic == pytest.approx(binomial_z(n_b, n_a + n_b, 0.5))
    else:
        assert found.statistic == pytest.approx(stats.n_sigma(a[inside], b[inside]).statistic)
    if n_a:
        assert n_b == pytest.approx((1 + found.asymmetry) * n_a)
    else:
        assert np.isinf(found.asymmetry)


def test_a_spectrum_is_a_matrix_of_one_row():
    a, b = np.random.default_rng(1).poisson(20, (2, 30))
    flat = scan_submatrices(a, b, toys=100, edges=[np.linspace(0, 300, 31)])
    row = scan_submatrices(a[None], b[None], toys=100)
    assert flat.bins == row.bins[1:]
    assert flat.p_value == row.p_value
    assert flat.region[0] == (10.0 * flat.bins[0][0], 10.0 * flat.bins[0][1])
    assert flat.n_rectangles == 465


def test_results_belong_to_the_seed():
    a, b = np.random.default_rng(1).poisson(5, (2, 6, 6))
    one, same, other = (scan_submatrices(a, b, toys=130, seed=seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(one.null, same.null)
    assert (one.null != other.null).any()
    longer = scan_submatrices(a, b, toys=200, seed=4)
    np.testing.assert_array_equal(one.null, longer.null[:130])


def test_p_value_is_counted_and_says_so():
    a, b = np.random.default_rng(2).poisson(5, (2, 6, 6))
    found = scan_submatrices(a, b, toys=300)
    reach = np.count_nonzero(found.null >= abs(found.statistic) * (1 - 1e-5) - 1e-5)
    assert found.p_value == pytest.approx((reach + 1) / 301, abs=1.1 / 301)
    assert "pseudo-experiments" in found.method
    assert "binomial mid-p" in found.method
    bound = scan_submatrices(a, b, toys=0)
    assert bound.p_value == pytest.approx(stats.sidak(bound.p_local, bound.n_rectangles))
    assert "Sidak" in bound.method
    assert bound.permutation is None


# -- PHYSICS T3 ------------------------------------------------------------------------------------------------------


def thresholds(mean, statistic, n, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.poisson(mean, (2, n, 28, 28))
    return best_rectangles(a, b, statistic=statistic, alternative="greater").z


@pytest.mark.parametrize(("statistic", "tolerance"), [("nsigma", (0.07, 0.07, 0.12)), ("counts", (0.07, 0.1, 0.14))])
def test_global_thresholds(statistic, tolerance):
    """25 events a bin, all 164,836 rectangles: median 3.77, one sigma 4.18, two sigma 4.67."""
    z = thresholds(25, statistic, 1_200, 3)
    for found, expected, off in zip(np.quantile(z, [0.5, 0.841, 0.977]), (3.77, 4.18, 4.67), tolerance, strict=True):
        assert found == pytest.approx(expected, abs=off)


@pytest.mark.slow
def test_global_thresholds_in_full():
    z = thresholds(25, "nsigma", 12_000, 5)
    for q, expected, off in ((0.5, 3.77, 0.05), (0.841, 4.18, 0.05), (0.977, 4.67, 0.08), (0.9987, 5.43, 0.2)):
        assert np.quantile(z, q) == pytest.approx(expected, abs=off)
    sparse = thresholds(2, "nsigma", 12_000, 6)
    # The reference's 99.87 %, 4.94 +- 0.15, is not met: 5.21 of 12,000 pairs here (docs/validation.md).
    for q, expected, off in ((0.5, 3.61, 0.06), (0.841, 4.00, 0.07), (0.977, 4.52, 0.09)):
        assert np.quantile(sparse, q) == pytest.approx(expected, abs=off)


def test_all_rectangles_of_a_large_matrix_are_seen():
    """28 x 28 sparse bins against summed-area tables in plain numpy."""
    a, b = np.random.default_rng(9).poisson(2.0, (2, 20, 28, 28))
    found = best_rectangles(a, b, statistic="nsigma", alternative="greater").z
    start, stop = np.triu_indices(29, 1)
    for one, other, z in zip(a, b, found, strict=True):
        n = one + other
        sums = [np.pad(x, (1, 0)).cumsum(0).cumsum(1) for x in ((other - one) / np.sqrt(np.maximum(n, 1)), n > 0)]
        best = -np.inf
        for first, last in zip(start, stop, strict=True):
            pulls, bins = (table[last] - table[first] for table in sums)
            width = bins[stop] - bins[start]
            best = max(best, ((pulls[stop] - pulls[start]) / np.sqrt(np.maximum(width, 1)))[width > 0].max())
        assert z == pytest.approx(best, abs=1e-9)


def signal(kind, n):
    x, y = np.meshgrid(np.arange(28), np.arange(28), indexing="ij")
    shape = (
        np.exp(-0.5 * ((x - 14) ** 2 + (y - 14) ** 2) / 1.5**2)
        if kind == "gaussian"
        else ((abs(x - 14) <= 3) & (abs(y - 14) <= 3)).astype(float)
    )
    return n * shape / shape.sum()


@pytest.mark.parametrize(
    ("kind", "n", "maximum", "power"),
    [("gaussian", 205, 5.41, 0.82), ("gaussian", 140, 4.51, 0.35), ("box", 260, 5.46, 0.85), ("box", 371, 7.13, 1.0)],
)
def test_power(kind, n, maximum, power):
    """PHYSICS T3: mean of the best rectangle's N_sigma, and how often it is beyond the global 2 sigma, 4.67."""
    rng = np.random.default_rng(n)
    a = rng.poisson(25, (300, 28, 28))
    b = rng.poisson(25 + signal(kind, n), (300, 28, 28))
    z = best_rectangles(a, b, statistic="nsigma", alternative="greater").z
    assert z.mean() == pytest.approx(maximum, abs=0.2)
    assert (z > 4.67).mean() == pytest.approx(power, abs=0.09)


# -- calibration -----------------------------------------------------------------------------------------------------


def p_values(kappa, mean, n, *, statistic="counts", source="poisson", null=None, size=(7, 7), ratio="given"):
    """p after all rectangles of independent toys, drawn evenly within the ties of the pseudo-experiments.

    That is uniform if and only if data and pseudo-experiments have one distribution, at low counts too.
    """
    rng = np.random.default_rng([int(10 * kappa), int(10 * mean), n])
    first = rng.poisson(mean, size) + rng.poisson(mean * kappa, size)
    found = []
    for i in range(n):
        if source == "poisson":
            a, b = rng.poisson(mean, size), rng.poisson(kappa * mean, size)
        else:
            b = rng.binomial(first, kappa / (1 + kappa))
            a = first - b
        given = kappa if ratio == "given" else "totals"
        options = {"toys": 128, "seed": i, "statistic": statistic, "null": null}
        counted = scan_submatrices(a, b, kappa=given, **options).permutation
        found.append(rng.uniform(counted.n_gt, counted.n_ge + 1) / 129)
    return np.array(found)


@pytest.mark.parametrize("kappa", [1.0, 5.0])
@pytest.mark.parametrize("source", ["poisson", "relabelled"])
def test_p_values_are_uniform(kappa, source):
    p = p_values(kappa, 3.0, 1_000, source=source)
    assert scipy_stats.kstest(p, "uniform").pvalue > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("kappa", [0.2, 1.0, 5.0])
@pytest.mark.parametrize("mean", [0.4, 25.0])
@pytest.mark.parametrize("statistic", ["counts", "nsigma"])
def test_p_values_are_uniform_at_all_counts(kappa, mean, statistic):
    p = p_values(kappa, mean, 2_000, statistic=statistic)
    assert scipy_stats.kstest(p, "uniform").pvalue > 0.01


def test_p_values_are_uniform_with_kappa_from_the_totals():
    """kappa of the totals and N_A kept: shape only, and uniform whatever the true ratio."""
    p = p_values(1.7, 4.0, 1_000, ratio="totals", statistic="nsigma")
    assert scipy_stats.kstest(p, "uniform").pvalue > 0.01


def test_local_p_values_of_one_region_are_mid_p():
    """One bin is one region: its local mid-p value is 1/2 on average at any counts."""
    rng = np.random.default_rng(3)
    for kappa in (1.0, 5.0):
        a, b = rng.poisson(2.0, 4_000), rng.poisson(2.0 * kappa, 4_000)
        used = a + b > 0
        z = best_rectangles(a[used, None], b[used, None], kappa=kappa, alternative="greater").z
        p = stats.p_from_z(z, two_sided=False)
        assert p.mean() == pytest.approx(0.5, abs=4 * p.std() / np.sqrt(len(p)))


@pytest.mark.parametrize("kappa", [1.0, 3.0])
def test_the_bound_is_one(kappa):
    """Four bins of few events, all splits weighted with their probability: P(bound <= alpha) is alpha or less."""
    n, chance = np.array([7, 10, 3, 5]), kappa / (1 + kappa)
    p, weight = [], []
    for b in np.ndindex(*(n[:2] + 1)):
        b_all = np.array([*b, 1, 3])
        found = scan_submatrices(n - b_all, b_all, kappa=kappa, toys=0)
        p.append(found.p_value)
        weight.append(scipy_stats.binom.pmf(b, n[:2], chance).prod())
    for alpha in (0.001, 0.01, 0.05, 0.1):
        assert np.array(weight)[np.array(p) <= alpha].sum() <= alpha


def test_p_local_counts_what_was_seen_in_full():
    found = scan_submatrices([10], [0], toys=0)
    assert found.p_local == pytest.approx(2 / 1024)
    assert found.p_value == found.p_local
    assert "full p" in found.method


# -- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "options", "message"),
    [
        ([1, 2], [1, 2, 3], {}, "same bins"),
        ([1, -2], [1, 2], {}, "negative"),
        ([1, 0.5], [1, 2], {}, "fractional"),
        ([1, np.nan], [1, 2], {}, "NaN or infinite"),
        (["x"], [1], {}, "not an array of numbers"),
        ([0, 0], [0, 0], {}, "both empty"),
        (np.ones((2, 2, 2)), np.ones((2, 2, 2)), {}, "one or two"),
        ([1], [1], {"kappa": 0}, "above 0"),
        ([1], [1], {"kappa": -1}, "above 0"),
        ([1], [1], {"kappa": "total"}, "totals"),
        ([1], [1], {"kappa": [1, 2]}, "one finite number"),
        ([1], [0], {"kappa": "totals"}, "one side is empty"),
        ([1], [1], {"toys": -1}, "0 or more"),
        ([1], [1], {"statistic": "chi2"}, "'counts', 'nsigma'"),
        ([1], [1], {"alternative": "up"}, "'greater'"),
        ([1], [1], {"null": "toys"}, "binomial"),
        ([1, 2], [1, 2], {"edges": [[0, 1]]}, "one more than bins"),
    ],
)
def test_bad_input(a, b, options, message):
    with pytest.raises(InputError, match=message):
        scan_submatrices(a, b, **options)


def test_bad_batches():
    with pytest.raises(InputError, match="n_pairs"):
        best_rectangles([1, 2], [3, 4])
    found = best_rectangles([[0, 0], [1, 2]], [[0, 0], [3, 4]])
    assert np.isnan(found.z[0])
    assert np.isfinite(found.z[1])


def test_one_sided_pairs_are_fine():
    found = scan_submatrices([0, 0, 0], [3, 4, 5], toys=64)
    assert (found.n_a, found.n_b) == (0, 12)
    assert found.statistic > 3


@pytest.mark.parametrize("crowded", [1e3, 1e9, 1e13])
def test_a_crowded_bin_leaves_the_null_of_the_others_alone(crowded):
    """Sums in single precision are no longer whole above 2^24: the null must not feel it."""
    mean = np.array([crowded] + [10.0] * 7)
    rng = np.random.default_rng(1)
    found = scan_submatrices(rng.poisson(mean), rng.poisson(mean), toys=512, seed=2)
    assert np.median(found.null) == pytest.approx(1.86, abs=0.1)


def test_many_events_keep_their_sign_and_size():
    a, b = np.array([[10**13, 10**13]]), np.array([[10**13, 10**13 + 10 * 4_472_136]])
    found = best_rectangles(a, b)
    assert found.z[0] == pytest.approx(10.0, rel=1e-3)
    assert found.bins.tolist() == [[[1, 2]]]
    assert best_rectangles(b, a).z[0] == pytest.approx(-10.0, rel=1e-3)


@pytest.mark.parametrize("statistic", ["counts", "nsigma"])
@pytest.mark.parametrize("errors", [{"kappa_error": 0.2}, {"systematic": 0.2}])
def test_what_is_not_known_of_kappa_widens_rectangles_and_their_null_alike(statistic, errors):
    rng = np.random.default_rng(4)
    a, b = rng.poisson(400, (6, 6)), rng.poisson(400 * 1.2, (6, 6))
    sharp = scan_submatrices(a, b, toys=128, statistic=statistic)
    wide = scan_submatrices(a, b, toys=128, statistic=statistic, **errors)
    assert abs(wide.z_value) < 0.5 * abs(sharp.z_value)
    assert wide.p_value >= sharp.p_value
    whole = stats.n_sigma([a.sum()], [b.sum()], **errors).statistic
    one = scan_submatrices([a.sum()], [b.sum()], toys=0, statistic=statistic, **errors).z_value
    assert one == pytest.approx(whole, rel=2e-3)
    with pytest.raises(InputError, match="leave them out"):
        scan_submatrices(a, b, kappa="totals", **errors)


def test_p_values_with_an_uncertain_kappa_are_uniform():
    rng = np.random.default_rng(8)
    p = []
    for seed in range(120):
        kappa = np.exp(0.1 * rng.standard_normal())
        a, b = rng.poisson(30, 12), rng.poisson(30 * kappa, 12)
        p.append(scan_submatrices(a, b, toys=64, seed=seed, kappa_error=0.1).p_value)
    assert scipy_stats.kstest(p, "uniform").pvalue > 1e-3
