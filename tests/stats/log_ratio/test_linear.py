"""NPLM with fixed features: minima beside scipy, the null, invariances, power, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from scipy import stats as scipy_stats

from coffea_ddp.errors import InputError, UnknownNameError
from coffea_ddp.stats.log_ratio.chi2_mixture import tail
from coffea_ddp.stats.log_ratio.convex import fit, problem, score_form, score_statistic
from coffea_ddp.stats.log_ratio.features import bin_family, evaluated, kernel_family
from coffea_ddp.stats.log_ratio.linear import LinearFitter, families_of
from coffea_ddp.stats.log_ratio.nplm import fitter_of, nplm, nplm_counts, permuted
from coffea_ddp.stats.log_ratio.solvers import BinSolver, FourierSolver, KernelSolver, NetworkSolver, SplineSolver
from coffea_ddp.stats.samples.permutations import draw_labels
from coffea_ddp.stats.samples.points import pool, pool_counts

SOLVERS = {
    "kernel": KernelSolver(),
    "one kernel": KernelSolver(widths=(1.0,)),
    "score": KernelSolver(widths=(1.0,), score=True),
    "fourier": FourierSolver(features=40, widths=(1.0,)),
    "bins": BinSolver(),
    "splines": SplineSolver(),
}


def exponentials(n_a, n_b, seed=1, d=1):
    rng = np.random.default_rng(seed)
    return rng.exponential(size=(n_a, d)), rng.exponential(size=(n_b, d))


def minimum(phi, y, u, penalty):
    """Minus twice the least value that scipy finds, in double precision."""
    square = phi.T @ (u[:, None] * phi) + np.diag(penalty) + 1e-9 * np.eye(phi.shape[1])
    white = np.linalg.inv(np.linalg.cholesky(square)).T

    def value(v):
        w = white @ v
        f = phi @ w
        expected = u * np.exp(np.minimum(f, 50.0))
        slope = phi.T @ (expected - y) + penalty * w
        return expected.sum() - u.sum() - y @ f + 0.5 * (penalty * w**2).sum(), white.T @ slope

    options = {"maxiter": 5_000, "ftol": 1e-15, "gtol": 1e-8}
    return -2.0 * optimize.minimize(value, np.zeros(phi.shape[1]), jac=True, method="L-BFGS-B", options=options).fun


# -- the minimum ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_a", "n_b", "d"), [(300, 300, 1), (40, 2_000, 1), (2_000, 40, 2), (15, 12, 1), (500, 700, 6)]
)
@pytest.mark.parametrize("ridge", [1.0, 0.01])
def test_the_minimum_is_that_of_scipy(n_a, n_b, d, ridge):
    points = pool(*exponentials(n_a, n_b, d=d))
    family = kernel_family(points, centres=min(40, n_a), width=0.7 * np.sqrt(d), ridge=ridge)
    phi = evaluated(family, points.x)
    for kind, within in ((np.float64, 0.01), (np.float32, 0.02)):
        one = problem(phi.astype(kind), points.multiplicity, family.penalty)
        labels = draw_labels(points.multiplicity, n_a, 6, 3)
        for side in (labels, 1 - labels):
            found = fit(one, side)
            u = side[0].sum() / points.n * points.multiplicity
            wanted = [minimum(phi, y.astype(float), u, family.penalty) for y in side]
            assert found.t == pytest.approx(wanted, abs=within)
            assert (found.t >= 0).all()


def test_bins_without_a_ridge_are_the_g_test_of_homogeneity():
    a, b = exponentials(900, 400)
    fitter = LinearFitter(points := pool(a, b), families_of(BinSolver(bins=9), points, 0))
    places = np.searchsorted(
        np.quantile(points.x[:, 0], np.arange(1, 9) / 9, method="averaged_inverted_cdf"), points.x[:, 0], side="right"
    )
    table = np.array([np.bincount(places[points.labels == side], minlength=9) for side in (1, 0)])
    wanted = scipy_stats.chi2_contingency(table, lambda_="log-likelihood")
    found = fitter.observed()[0]
    assert found.t == pytest.approx(wanted.statistic, abs=1e-5)
    assert found.p_chi2 == pytest.approx(wanted.pvalue, rel=1e-4)
    assert found.p_analytic == pytest.approx(wanted.pvalue, rel=0.01)  # without replacement: N / (N - 1)
    pearson = LinearFitter(points, families_of(BinSolver(bins=9), points, 0), score=True).observed()[0]
    assert pearson.t == pytest.approx(scipy_stats.chi2_contingency(table).statistic, rel=1e-6)


def test_an_analytic_p_of_an_empty_bin_is_flagged_whatever_the_others_hold():
    """Of an exponential the last bin of equal width holds a few events, their mean hundreds."""
    a, b = exponentials(2_000, 2_000)
    for bins, flags in ((BinSolver(equal="width"), ("TOO_FEW_EVENTS",)), (BinSolver(), ())):
        found = nplm(a, b, backend=bins, toys=0)
        assert found.flags == flags
        places = np.searchsorted(np.linspace(0, np.concatenate([a, b]).max(), 14), np.concatenate([a, b])[:, 0]) - 1
        if flags:
            fewest = np.bincount(places, minlength=13).min() / 2
            assert found.families[0].expected == pytest.approx(fewest, abs=1)


def test_the_sign_of_the_published_bracket():
    """Section 1.7: t is -2 min [share sum (exp f - 1) - sum f]; f = 0 gives 0, any minimum more."""
    a, b = exponentials(200, 300)
    points = pool(a + 0.5, b)
    family = kernel_family(points, centres=20, width=1.0)
    one = problem(evaluated(family, points.x), points.multiplicity, family.penalty)
    found = fit(one, points.labels[None], tolerance=1e-10)
    f = one.phi @ found.weights[0]
    share = points.n_a / points.n
    bracket = share * (np.exp(f) - 1.0).sum() - f[points.labels == 1].sum()
    ridge = 0.5 * (family.penalty * found.weights[0] ** 2).sum()
    assert found.t[0] == pytest.approx(-2.0 * (bracket + ridge), abs=1e-6)
    assert found.t[0] > 10


# -- the null ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_a", "n_b"), [(2_000, 2_000), (2_000, 20_000), (2_191, 219_087)])
def test_thirteen_bins_are_a_chi2_with_twelve_at_any_ratio(n_a, n_b):
    """PHYSICS T10: mean 12, median 11.34, std 4.90 whatever the sizes, and t_A / t = N_B / N."""
    fitter = LinearFitter(points := pool(*exponentials(n_a, n_b)), families_of(BinSolver(), points, 0))
    count = 1_000 if n_b < 100_000 else 150
    null = permuted(fitter, count, 5)[0]
    spread = 4.9 / np.sqrt(count)
    assert null.mean() == pytest.approx(12.0, abs=4 * spread)
    assert np.median(null) == pytest.approx(11.34, abs=5 * spread)
    assert null.std() == pytest.approx(4.9, rel=0.2)
    assert scipy_stats.kstest(null, "chi2", (12,)).pvalue > 0.01
    one = fitter.observed()[0]
    assert one.t_a / one.t == pytest.approx(n_b / (n_a + n_b), abs=0.05)


@pytest.mark.parametrize(
    ("sizes", "toys", "permutations"),
    [
        pytest.param([(150, 150), (60, 600)], 75, 19, id="both"),
        pytest.param([(150, 150)], 500, 49, id="alike", marks=pytest.mark.slow),
        pytest.param([(60, 600)], 500, 49, id="unlike", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", SOLVERS)
def test_p_is_uniform_under_the_null(name, sizes, toys, permutations):
    """A permutation test is exact for any number of permutations; p-values are spread over their steps.

    Distances from uniform of 0.13 (75 toys of either size) and 0.073 (500, among the slow tests) are beyond the limit
    of 1 %.
    """
    p = np.array(
        [
            nplm(*exponentials(n_a, n_b, seed=[17, toy]), backend=SOLVERS[name], toys=permutations, seed=toy).p_value
            for n_a, n_b in sizes
            for toy in range(toys)
        ]
    )
    smeared = p - np.random.default_rng(2).random(len(p)) / (permutations + 1.0)
    assert scipy_stats.kstest(smeared, "uniform").pvalue > 0.01


@pytest.mark.parametrize(
    ("permutations", "limits"),
    [
        (5_000, ((0.3, 0.07), (0.1, 0.13), (0.01, 0.4))),
        pytest.param(20_000, ((0.3, 0.05), (0.1, 0.06), (0.01, 0.2), (0.001, 0.6)), marks=pytest.mark.slow),
    ],
    ids=["5,000", "20,000"],
)
@pytest.mark.parametrize("width", [0.3, 1.0])
@pytest.mark.parametrize("score", [True, False])
def test_the_analytic_tail_is_that_of_permutations(width, score, permutations, limits):
    """Within three standard deviations of what is counted, down to p = 0.01; to 0.001 among the slow tests."""
    points = pool(*exponentials(2_000, 2_000))
    solver = KernelSolver(widths=(width,), score=score)
    fitter = LinearFitter(points, families_of(solver, points, 1), score=score)
    null = np.sort(permuted(fitter, permutations, 1)[0])[::-1]
    one = fitter.observed()[0]
    for p, within in limits:
        assert one.analytic_tail(float(null[int(p * permutations)])) == pytest.approx(p, rel=within)


@pytest.mark.parametrize(("n_a", "n_b"), [(100, 100), (60, 600)])
def test_the_null_has_the_mean_and_the_spread_that_are_said(n_a, n_b):
    """40,000 permutations of the score version: mean to 1 %, standard deviation to 3 %; the spread differs from 1."""
    points = pool(*exponentials(n_a, n_b))
    fitter = fitter_of(KernelSolver(widths=(3.0,), score=True), points, 1)
    null, one = permuted(fitter, 40_000, 1)[0], fitter.observed()[0]
    assert null.mean() == pytest.approx(one.null_weights.sum(), rel=0.02)
    normal = np.sqrt(2.0 * (one.null_weights**2).sum())
    assert null.std() == pytest.approx(one.null_spread * normal, rel=0.04)
    assert abs(one.null_spread - 1.0) > 0.02
    assert fitter_of(NetworkSolver(), points, 1).observed()[0].p_analytic is None
    with pytest.raises(InputError, match="no analytic null"):
        fitter_of(NetworkSolver(), points, 1).observed()[0].analytic_tail(1.0)


def test_permutations_do_not_see_the_signal():
    """PHYSICS T12: the permutations' median is that of the background, and t is not."""
    rng = np.random.default_rng(3)
    a, b = exponentials(3_000, 3_000)
    signal = rng.normal(1.6, 0.16, 200)[:, None]
    quiet = nplm(a, b, backend="bins", toys=400)
    loud = nplm(np.concatenate([a, signal]), b, backend="bins", toys=400)
    assert np.median(loud.null) == pytest.approx(np.median(quiet.null), abs=1.0)
    assert loud.t > quiet.t + 10
    assert loud.p_value < 0.03 < quiet.p_value


# -- tails of weighted sums ----------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.floats(0.01, 60.0), st.floats(0.1, 10.0))
def test_equal_weights_are_a_chi2(dof, t, weight):
    assert tail(np.full(dof, weight), t * weight) == pytest.approx(scipy_stats.chi2.sf(t, dof), rel=1e-9)


@pytest.mark.parametrize("t", [0.5, 3.0, 10.0, 25.0, 45.0])
def test_two_weights_twice_are_a_sum_of_exponentials(t):
    """w1 chi2_2 + w2 chi2_2 has the tail (w1 e^(-t/2w1) - w2 e^(-t/2w2)) / (w1 - w2)."""
    w1, w2 = 1.0, 0.4
    wanted = (w1 * np.exp(-t / (2 * w1)) - w2 * np.exp(-t / (2 * w2))) / (w1 - w2)
    assert tail([w1, w1, w2, w2], t) == pytest.approx(wanted, rel=0.12 if wanted < 1e-9 else 1e-5)


def test_tails_of_nothing():
    assert tail([], 1.0) == tail([0.0, 0.0], 1.0) == tail([1.0], 0.0) == tail([1.0], -1.0) == 1.0
    far = [tail([1.0, 0.5, 0.2], t) for t in (50.0, 100.0, 400.0)]
    assert 0 < far[2] < far[1] < far[0] < 1e-9


# -- invariances ---------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    st.integers(5, 60), st.integers(5, 60), st.integers(1, 10), st.integers(0, 10**6), st.floats(-50.0, 50.0),
    st.sampled_from([-3.0, 0.01, 1.0, 40.0]),
)  # fmt: skip
def test_swapped_moved_and_stretched(n_a, n_b, d, seed, shift, scale):
    a, b = exponentials(n_a, n_b, seed, d)
    solver = KernelSolver(centres=5)
    first = nplm(a, b, backend=solver, toys=0)
    swapped = nplm(b, a, backend=solver, toys=0)
    assert swapped.t == pytest.approx(first.t, abs=1e-6)
    assert (swapped.t_a, swapped.t_b) == pytest.approx((first.t_b, first.t_a), abs=1e-6)
    factors = np.ones(d)
    factors[0] = scale
    moved = nplm(a * factors + shift, b * factors + shift, backend=solver, toys=0)
    assert moved.t == pytest.approx(first.t, abs=1e-4)
    assert first.t >= 0
    assert first.t_a >= 0


def test_equal_samples_have_no_difference():
    a, _ = exponentials(200, 1)
    for solver in SOLVERS.values():
        found = nplm(a, a, backend=solver, toys=50)
        assert found.t == pytest.approx(0.0, abs=1e-6)
        assert found.p_value == 1.0


def test_an_event_that_is_there_twice_counts_twice():
    rng = np.random.default_rng(4)
    places = rng.normal(size=25)
    a, b = rng.integers(0, 6, 25), rng.integers(0, 6, 25)
    solver = KernelSolver(centres=10, widths=(1.0,))
    one = nplm_counts(places, a, b, backend=solver, toys=500)
    other = nplm(np.repeat(places, a), np.repeat(places, b), backend=solver, toys=500)
    assert one.t == pytest.approx(other.t, abs=1e-6)
    assert one.p_analytic == pytest.approx(other.p_analytic, rel=1e-5)
    assert scipy_stats.ks_2samp(one.null[0], other.null[0]).pvalue > 0.01


def test_permutations_depend_on_the_seed_and_their_number_alone():
    points = pool(*exponentials(30, 50))
    whole = draw_labels(points.multiplicity, 30, 10, 7)
    parts = np.concatenate([draw_labels(points.multiplicity, 30, 4, 7), draw_labels(points.multiplicity, 30, 6, 7, 4)])
    assert np.array_equal(whole, parts)
    assert (whole.sum(axis=1) == 30).all()
    assert not np.array_equal(whole, draw_labels(points.multiplicity, 30, 10, 8))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 1_000))
def test_every_event_is_as_often_a_as_any_other(n_a, n_b, seed):
    drawn = draw_labels(np.ones(n_a + n_b, dtype=np.int64), n_a, 400, seed)
    share = n_a / (n_a + n_b)
    assert np.abs(drawn.mean(axis=0) - share).max() <= 5.5 * np.sqrt(share * (1 - share) / 400)
    assert (drawn.sum(axis=1) == n_a).all()


# -- where, and what it is worth -----------------------------------------------------------------------------------


def test_the_log_ratio_is_large_where_the_signal_is():
    rng = np.random.default_rng(5)
    a, b = exponentials(4_000, 4_000)
    a = np.concatenate([a, rng.normal(3.0, 0.15, 120)[:, None]])
    found = nplm(a, b, toys=200)
    grid = np.linspace(0.1, 5.0, 50)
    ratio = found.log_ratio(grid)
    assert abs(grid[ratio.argmax()] - 3.0) < 0.2
    both = np.concatenate([a, b])
    shown = found.histogram(both[:, 0], both, np.linspace(0, 8, 17))
    assert shown.a.sum() == pytest.approx(len(a), rel=0.02)
    assert shown.b.sum() == pytest.approx(len(b), rel=0.02)
    assert (shown.a / shown.null).argmax() in (5, 6)
    assert shown.null.sum() == pytest.approx(len(a), rel=0.01)
    with pytest.raises(InputError, match="one for each"):
        found.histogram(both[:5, 0], both)


def test_every_p_says_how_it_was_made():
    a, b = exponentials(200, 200)
    with_permutations, without = nplm(a, b, toys=100), nplm(a, b, toys=0)
    assert with_permutations.method == "100 permutations of the labels, the best of 3 families"
    assert with_permutations.null.shape == (3, 100)
    assert without.method == "analytic, a weighted sum of chi2 (Sidak), the best of 3 families"
    assert without.permutation is None
    assert without.null.shape == (3, 0)
    single = nplm(a, b, backend="bins", toys=300)
    assert single.p_value == single.permutation.p_value
    assert single.flags == ()
    assert "bins of equal probability" in repr(single)


def test_a_chi2_that_does_not_hold_is_told():
    ridged = nplm(*exponentials(300, 300), backend=KernelSolver(widths=(1.0,)), toys=400)
    assert ridged.flags == ("CHI2_DISAGREES",)
    assert "CHI2_DISAGREES" in repr(ridged)


def test_progress_is_told():
    seen = []
    nplm(*exponentials(20, 20), toys=130, progress=lambda done, of: seen.append((done, of)))
    assert seen == [(64, 130), (128, 130), (130, 130)]


# -- small, many, bad ----------------------------------------------------------------------------------------------


def test_two_events_are_enough_to_have_no_opinion():
    found = nplm([[1.0]], [[2.0]], toys=20)
    assert found.p_value == 1.0
    assert np.isfinite(found.t)


@pytest.mark.parametrize("d", [1, 3, 10])
def test_features_without_a_difference(d):
    found = nplm(np.ones((20, d)), np.ones((30, d)), toys=20)
    assert found.t == pytest.approx(0.0, abs=1e-6)
    assert found.p_value == 1.0


def test_one_feature_among_several_may_be_constant():
    a, b = exponentials(50, 50, d=2)
    a[:, 1] = b[:, 1] = 7.0
    alone = nplm(a[:, :1], b[:, :1], backend=KernelSolver(widths=(1.0,), centres=20), toys=0)
    both = nplm(a, b, backend=KernelSolver(widths=(1.0 / np.sqrt(2),), centres=20), toys=0)
    assert both.t == pytest.approx(alone.t, abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([], [1.0]), {}, "0 events in A and 1 in B"),
        (([1.0, np.nan], [1.0]), {}, "sample A: 1 of 2 events have a NaN"),
        (([1.0], [[1.0, np.inf]]), {}, "sample B: 1 of 1 events"),
        (([1.0], [[1.0, 2.0]]), {}, "1 features in A and 2 in B"),
        ((["x"], [1.0]), {}, "not an array of numbers"),
        (([[[1.0]]], [1.0]), {}, "give \\(n_events, n_features\\)"),
        (([1.0, 2.0], [3.0]), {"backend": KernelSolver(centres=9)}, "centres=9: give 1 to 3"),
        (([1.0, 2.0], [3.0]), {"backend": BinSolver(bins=20)}, "of them have no event|parameters for"),
        (([[1.0, 2.0]], [[3.0, 1.0]]), {"backend": "bins"}, "bins are of one"),
        (([[1.0, 2.0]], [[3.0, 1.0]]), {"backend": "splines"}, "they are of one"),
        (([1.0, 2.0], [3.0]), {"backend": "splines"}, "at least 13 different points"),
        (([1.0, 2.0], [3.0]), {"backend": FourierSolver(features=9, ridge=0.0)}, "10 parameters for 2 \\+ 1 events"),
        (([1.0, 2.0], [3.0]), {"toys": -1}, "toys=-1"),
    ],
)
def test_bad_input_is_told(arguments, options, message):
    with pytest.raises(InputError, match=message):
        nplm(*arguments, **options)


@pytest.mark.parametrize(
    ("solver", "settings", "message"),
    [
        (BinSolver, {"bins": 3, "equal": "height"}, "equal='height'"),
        (FourierSolver, {"features": 0}, "features=0"),
        (KernelSolver, {"widths": (0.0,)}, "widths="),
        (KernelSolver, {"widths": ()}, "give the width"),
    ],
)
def test_bad_settings_are_told_where_they_are_made(solver, settings, message):
    with pytest.raises(InputError, match=message):
        solver(**settings)


def test_bad_counts_and_names():
    with pytest.raises(InputError, match="counts are whole"):
        nplm_counts([1.0, 2.0], [0.5, 1.0], [1, 1])
    with pytest.raises(InputError, match="no event in b"):
        nplm_counts([1.0, 2.0], [1, 1], [0, 0])
    with pytest.raises(UnknownNameError, match="kernel, fourier, bins, splines, network"):
        nplm([1.0], [2.0], backend="forest")


def test_the_score_version_is_the_fit_for_small_differences():
    points = pool(*exponentials(3_000, 3_000))
    family = kernel_family(points, centres=30, width=1.0)
    one = problem(evaluated(family, points.x), points.multiplicity, family.penalty)
    labels = draw_labels(points.multiplicity, 3_000, 40, 1)
    form = score_form(one, 0.5)
    score = score_statistic(one, labels.astype(float) @ one.phi, 0.5, form)
    fitted = fit(one, labels).t + fit(one, 1 - labels).t
    assert score == pytest.approx(fitted, rel=0.05, abs=0.02)


def test_bins_of_equal_width_and_their_family():
    points = pool_counts([0.0, 1.0, 2.0, 3.0], [4, 3, 2, 1], [1, 2, 3, 4])
    assert bin_family(points, bins=4, equal="width").n_parameters == 4
    with pytest.raises(InputError, match="have no event"):
        bin_family(points, bins=7, equal="width")


@pytest.mark.parametrize(("n_a", "n_b", "toys", "flagged"), [
    (20, 2_000, 0, True), (2_000, 20, 0, True), (20, 2_000, 99, False), (400, 2_000, 0, False),
])  # fmt: skip
def test_an_analytic_p_of_few_events_says_so(n_a, n_b, toys, flagged):
    """The G test of 13 bins with 1.5 events expected in each: P(p <= 0.05) is 0.09."""
    rng = np.random.default_rng(1)
    a, b = rng.exponential(size=n_a), rng.exponential(size=n_b)
    found = nplm(a, b, backend="bins", toys=toys)
    assert ("TOO_FEW_EVENTS" in found.flags) == flagged
    assert ("give toys" in found.method) == flagged
    assert not nplm(a, b, backend="kernel", toys=0).families[0].is_sparse


def test_the_level_of_the_analytic_p_where_it_is_allowed():
    """20 events expected in each of 13 bins: P(p <= 0.05) of the G test is 0.053."""
    rng, share = np.random.default_rng(2), 260 / 2_260
    pooled = np.full(13, 2_260 // 13)
    a = rng.multivariate_hypergeometric(pooled, round(share * pooled.sum()), size=20_000)
    expected = pooled * a[0].sum() / pooled.sum()
    g = 2 * (np.where(a > 0, a * np.log(np.maximum(a, 1) / expected), 0)).sum(axis=1)
    others, rest = pooled - a, pooled - expected
    g += 2 * (others * np.log(others / rest)).sum(axis=1)
    assert np.mean(scipy_stats.chi2.sf(g, 12) <= 0.05) == pytest.approx(0.05, abs=0.01)
