"""NPLM with expected shares: minima beside scipy, equal shares, the null, both sides, order, power, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from scipy import stats as scipy_stats
from scipy.special import expit, logit

from coffea_ddp import stats
from coffea_ddp.errors import InputError
from coffea_ddp.stats.log_ratio.features import evaluated, kernel_family
from coffea_ddp.stats.log_ratio.linear import families_of
from coffea_ddp.stats.log_ratio.nplm import nplm, permuted
from coffea_ddp.stats.log_ratio.offset import OffsetFitter
from coffea_ddp.stats.log_ratio.solvers import BinSolver, FourierSolver, KernelSolver, NetworkSolver, SplineSolver
from coffea_ddp.stats.samples.points import pool
from coffea_ddp.stats.samples.shares import draw_labels_of_shares

SOLVERS = {
    "kernel": KernelSolver(),
    "one kernel": KernelSolver(widths=(1.0,)),
    "score": KernelSolver(widths=(1.0,), score=True),
    "fourier": FourierSolver(features=40, widths=(1.0,)),
    "bins": BinSolver(),
    "splines": SplineSolver(),
}


def of_detector(n, seed, *, strength=1.5, d=1, signal=0):
    """Features of A and of B, and their shares, which depend on the first feature; a signal of A at 2.5."""
    rng = np.random.default_rng(seed)
    x = rng.exponential(size=(n, d))
    x[:signal] = rng.normal(2.5, 0.15, (signal, d))
    shares = expit(strength * np.sin(3.0 * x[:, 0]) - 0.3)
    is_b = (rng.random(n) < shares) & (np.arange(n) >= signal)
    return x[~is_b], x[is_b], (shares[~is_b], shares[is_b])


def maximum(phi, is_a, log_odds, penalty):
    """The largest penalised log-likelihood that scipy finds, in double precision."""

    def value(w):
        z = log_odds + phi @ w
        loss = np.logaddexp(0, z).sum() - z[is_a].sum() + 0.5 * (penalty * w**2).sum()
        return loss, phi.T @ (expit(z) - is_a) + penalty * w

    options = {"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-15, "gtol": 1e-7}
    return -optimize.minimize(value, np.zeros(phi.shape[1]), jac=True, method="L-BFGS-B", options=options).fun


@pytest.mark.parametrize("strength", [0.0, 2.5])
@pytest.mark.parametrize(("n", "d"), [(300, 1), (2_000, 2)])
def test_t_is_twice_the_gain_in_likelihood_that_scipy_finds(n, d, strength):
    a, b, shares = of_detector(n, 3, d=d, strength=strength)
    points, both = pool(a, b), np.concatenate(shares)
    family = kernel_family(points, centres=30, width=0.7 * np.sqrt(d), ridge=1.0)
    fitter = OffsetFitter(points, (family,), both)
    labels = np.concatenate([points.labels[None], draw_labels_of_shares(both, 4, 1)])
    found = fitter.t(labels)[0]
    phi = evaluated(family, points.x)
    for row, t in zip(labels == 1, found, strict=True):
        full = maximum(phi, row, -logit(both), 0.5 * family.penalty)
        flat = maximum(np.ones((n, 1)), row, -logit(both), np.zeros(1))
        assert t == pytest.approx(2 * (full - flat), abs=0.02)
    assert fitter.observed()[0].t == pytest.approx(found[0], abs=0.02)


@given(seed=st.integers(0, 10**6), name=st.sampled_from(list(SOLVERS)))
@settings(max_examples=20, deadline=None)
def test_t_is_never_more_than_labels_that_are_certain_give(seed, name):
    """Few events: where a region has one side alone the likelihood has no maximum, but a bound, ``-2 max_c l(c)``."""
    a, b, shares = of_detector(60, seed, strength=2.5)
    points, both = pool(a, b), np.concatenate(shares)
    solver = SOLVERS[name]
    fitter = OffsetFitter(points, families_of(solver, points, 1), both, score=False)
    labels = np.concatenate([points.labels[None], draw_labels_of_shares(both, 30, 1)])
    flat = [maximum(np.ones((60, 1)), row == 1, -logit(both), np.zeros(1)) for row in labels]
    t = fitter.t(labels)
    assert (t >= 0).all()
    assert (t <= -2 * np.array(flat) + 1e-3).all()
    # The data by the same steps as pseudo-experiments.
    assert fitter.observed()[0].t == pytest.approx(t[0, 0], abs=0.01)


@pytest.mark.parametrize("share", [0.5, 0.2, 0.9])
def test_bins_with_equal_shares_are_the_g_test_as_without(share):
    """Of bins without a ridge both t are that of homogeneity, whatever share is expected: shapes are compared."""
    a, b, _ = of_detector(1_000, 4, strength=0.0)
    equal = (np.full(len(a), share), np.full(len(b), share))
    with_shares, without = (nplm(a, b, backend="bins", toys=0, shares=shares) for shares in (equal, None))
    assert with_shares.t == pytest.approx(without.t, abs=2e-3)
    grid = np.linspace(0, 4, 50)
    shift = with_shares.log_ratio(grid) - without.log_ratio(grid)
    np.testing.assert_allclose(shift, shift[0], atol=1e-4)  # what is expected of all events is in the constant


@pytest.mark.parametrize("score", [True, False])
def test_equal_shares_are_symmetrized_nplm_to_second_order(score):
    rng = np.random.default_rng(5)
    a, b = rng.exponential(size=1_500), rng.exponential(size=1_500)
    half = np.full(1_500, 0.5)
    solver = KernelSolver(widths=(1.0,), score=score)
    with_shares, without = (nplm(a, b, backend=solver, toys=0, shares=one) for one in ((half, half), None))
    assert with_shares.t == pytest.approx(without.t, rel=1e-6 if score else 0.03)
    assert with_shares.p_analytic == pytest.approx(without.p_analytic, rel=1e-3 if score else 0.05)


@given(seed=st.integers(0, 10**6), name=st.sampled_from(list(SOLVERS)))
@settings(max_examples=15, deadline=None)
def test_swapping_the_sides_changes_nothing(seed, name):
    a, b, (e_a, e_b) = of_detector(160, seed)
    found = nplm(a, b, backend=SOLVERS[name], toys=0, shares=(e_a, e_b))
    other = nplm(b, a, backend=SOLVERS[name], toys=0, shares=(1 - e_b, 1 - e_a))
    assert other.t == pytest.approx(found.t, abs=1e-5)
    assert other.p_value == pytest.approx(found.p_value, rel=1e-4, abs=1e-9)
    x = np.linspace(0.1, 2.0, 9)
    np.testing.assert_allclose(other.log_ratio(x), -found.log_ratio(x), atol=1e-3)


@pytest.mark.parametrize("name", SOLVERS)
def test_the_order_of_the_events_changes_nothing(name):
    a, b, (e_a, e_b) = of_detector(300, 6)
    rng = np.random.default_rng(1)
    i, j = rng.permutation(len(a)), rng.permutation(len(b))
    found = nplm(a, b, backend=SOLVERS[name], toys=0, shares=(e_a, e_b))
    other = nplm(a[i], b[j], backend=SOLVERS[name], toys=0, shares=(e_a[i], e_b[j]))
    assert other.t == pytest.approx(found.t, abs=1e-5)
    wrong = nplm(a[i], b, backend=SOLVERS[name], toys=0, shares=(e_a, e_b))
    assert wrong.t != pytest.approx(found.t, abs=1e-3)


# -- the null ------------------------------------------------------------------------------------------------------


def p_values(solver, n, toys, permutations=49, **options):
    return np.array(
        [
            nplm(*sides, backend=solver, toys=permutations, seed=toy, shares=shares).p_value
            for toy in range(toys)
            for *sides, shares in [of_detector(n, [3, toy], **options)]
        ]
    )


@pytest.mark.parametrize(
    ("n", "toys", "permutations"),
    [
        pytest.param(200, 120, 19, id="few"),
        pytest.param(200, 500, 49, id="many", marks=pytest.mark.slow),
        pytest.param(800, 500, 49, id="large", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", ["one kernel", "score", "bins", "splines"])
def test_p_is_uniform_where_labels_follow_the_shares(name, n, toys, permutations):
    """Distances from uniform of 0.15 (120 toys) and 0.073 (500) are beyond the limit of 1 %; any labellings do."""
    p = p_values(SOLVERS[name], n, toys, permutations) - np.random.default_rng(2).random(toys) / (permutations + 1.0)
    assert scipy_stats.kstest(p, "uniform").pvalue > 0.01


@pytest.mark.parametrize("name", ["kernel", "fourier", "bins"])
def test_without_shares_a_detector_is_a_signal(name):
    a, b, shares = of_detector(1_000, 7)
    assert nplm(a, b, backend=SOLVERS[name], toys=99, seed=1).p_value == 0.01
    assert nplm(a, b, backend=SOLVERS[name], toys=99, seed=1, shares=shares).p_value > 0.02


@pytest.mark.parametrize("name", ["score", "one kernel", "bins"])
def test_the_analytic_null_is_that_of_the_shares(name):
    """2,000 labellings, 2,000 events: mean, width and tail of t beside the weighted sum of chi2."""
    a, b, shares = of_detector(2_000, 8)
    points, both = pool(a, b), np.concatenate(shares)
    solver = SOLVERS[name]
    fitter = OffsetFitter(points, families_of(solver, points, 1), both, score=solver.score)
    null, one = permuted(fitter, 2_000, 1, shares=both)[0], fitter.observed()[0]
    assert null.mean() == pytest.approx(one.null_weights.sum(), rel=0.03)
    assert null.std() == pytest.approx(one.null_spread * np.sqrt(2 * (one.null_weights**2).sum()), rel=0.08)
    p = np.array([one.analytic_tail(t) for t in null[:1_000]])
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=0.02)
    assert scipy_stats.kstest(p, "uniform").pvalue > 0.005


# -- signals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["one kernel", "bins"])
def test_a_localised_signal_is_seen_as_with_equal_shares(name):
    """150 of 3,000 events on side A: median z of ten samples beside that of equal shares."""
    z = {
        strength: np.median(
            [
                stats.z_from_p(nplm(a, b, backend=SOLVERS[name], toys=0, shares=shares).p_value, two_sided=True)
                for a, b, shares in (of_detector(3_000, [9, k], strength=strength, signal=150) for k in range(10))
            ]
        )
        for strength in (0.0, 1.5)
    }
    assert z[0.0] > 4
    assert z[1.5] > 0.75 * z[0.0]


def test_what_is_learned_is_what_is_beyond_the_shares():
    a, b, shares = of_detector(20_000, 10, signal=1_500)
    found = nplm(a, b, backend=KernelSolver(widths=(0.3,), ridge=0.1), toys=0, shares=shares)
    assert "expected shares" in repr(found)
    assert found.t_a == found.t_b == found.t / 2
    elsewhere = found.log_ratio(np.linspace(0.2, 1.5, 20))
    assert abs(elsewhere - elsewhere.mean()).max() < 0.35
    assert found.log_ratio([2.5])[0] > elsewhere.mean() + 1.0
    both = np.concatenate([a, b])
    learned = found.histogram(both[:, 0], both, np.linspace(0, 5, 26))
    everything = np.histogram(both[:, 0], learned.edges)[0]
    np.testing.assert_allclose(learned.a + learned.b, everything)
    np.testing.assert_allclose(learned.null.sum(), (1 - np.concatenate(shares))[both[:, 0] < 5].sum())
    of_a = np.histogram(a[:, 0], learned.edges)[0]
    assert (np.abs(of_a - learned.a) < 5 * np.sqrt(everything) / 2 + 3).all()
    assert (of_a - learned.null)[12] > 10 * np.sqrt(everything[12]) / 2
    with pytest.raises(InputError, match="with expected shares give all of them"):
        found.histogram(both[:5, 0], both[:5])


def test_how_p_was_made_is_told():
    a, b, shares = of_detector(200, 11)
    told = []
    found = nplm(a, b, shares=shares, toys=30, progress=lambda *step: told.append(step))
    assert "30 labellings drawn from the expected shares, the best of 3 families" in found.method
    assert told[-1] == (30, 30)
    np.testing.assert_array_equal(found.shares, np.concatenate(shares))
    again = nplm(a, b, shares=shares, toys=50)
    np.testing.assert_allclose(again.null[:, :16], found.null[:, :16], rtol=1e-5)


@pytest.mark.parametrize("test", [nplm, stats.classifier_test])
@pytest.mark.parametrize(
    ("shares", "message"),
    [
        (0.5, r"give a pair \(e_a, e_b\)"),
        (np.full(60, 0.5), r"give a pair \(e_a, e_b\)"),
        ((np.full(30, 0.5),), r"give a pair \(e_a, e_b\)"),
        ((0.5, 0.5), "e_a has shape"),
        ((np.full(30, 0.5), np.full(29, 0.5)), "e_b has shape .*give 30 numbers"),
        ((np.full((30, 1), 0.5), np.full(30, 0.5)), "e_a has shape"),
        ((np.full(30, 0.5), np.full(30, np.nan)), "e_b has NaN"),
        ((np.linspace(0, 1, 30), np.full(30, 0.5)), "e_a has 2 of 30 values that are no probabilities .*leave it out"),
        ((np.full(30, 1.5), np.full(30, 0.5)), "no probabilities between 0 and 1, as 1.5"),
        ((np.full(30, "x"), np.full(30, 0.5)), "e_a"),
    ],
)
def test_shares_that_cannot_be_are_told(test, shares, message):
    x = np.random.default_rng(1).normal(size=(2, 30))
    with pytest.raises(InputError, match=message):
        test(x[0], x[1], shares=shares, toys=9)


@pytest.mark.parametrize("kind", [list, tuple, np.float32, np.ma.asarray, lambda v: v[::-1].copy()[::-1]])
def test_shares_come_as_any_array(kind):
    a, b, (e_a, e_b) = of_detector(200, 13)
    e_a, e_b = (np.round(e * 256) / 256 for e in (e_a, e_b))
    found = nplm(a, b, backend="bins", toys=9, shares=[kind(e_a), kind(e_b)])
    assert found.t == nplm(a, b, backend="bins", toys=9, shares=(e_a, e_b)).t
    a, b = a[:50], b[:50]
    assert nplm(a, b, backend="bins", toys=9, shares=np.stack([e_a[:50], e_b[:50]])).p_value > 0


def test_what_knows_no_shares_says_so():
    a, b, shares = of_detector(200, 12)
    for backend in ("network", NetworkSolver(neurons=2)):
        with pytest.raises(InputError, match="networks know no expected shares; give backend='kernel'"):
            nplm(a, b, backend=backend, shares=shares)
    points = pool(a, b)
    fitter = OffsetFitter(points, families_of(BinSolver(), points, 1), np.concatenate(shares))
    with pytest.raises(InputError, match="leave shares out"):
        fitter.against_reference(10.0)
