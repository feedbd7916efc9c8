"""Tests on events with expected shares in scans: honest p with a detector, equal shares, both sides, order, signals."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import stats as scipy_stats
from scipy.special import expit
from stored_toys import GRID, make_events
from threadpoolctl import threadpool_limits

import coffea_ddp as ddp
from coffea_ddp import stats
from coffea_ddp.errors import InputError
from coffea_ddp.histograms.lattice import distinct_cells
from coffea_ddp.histograms.samples import samples_of
from coffea_ddp.pages.pictures import Permuting, pictures_of
from coffea_ddp.scanning.calibrated_events import CalibratedEvents
from coffea_ddp.scanning.classifier_cells import Classifier
from coffea_ddp.scanning.expectation import Expectation
from coffea_ddp.scanning.nplm_cells import NPLM
from coffea_ddp.scanning.unbinned_input import EventFit, PseudoExperiments, UnbinnedInput

TESTS = {"nplm": NPLM(fits=0), "classifier": Classifier()}


def field_of(n, seed, *, strength=1.5, excess=0, kappa=1.0, min_events=40, **options):
    """Events whose share of B depends on y, strongly, and a signal of B at large x and y."""
    hists = make_events(n, seed, excess=excess, **options)
    samples = samples_of(hists, "e/mu", ("x", "y"))
    shares = expit(np.log(kappa) + strength * np.sin(6.0 * samples.x[:, 1]))
    inside = (samples.x > 0.7).all(axis=1) & (samples.x < 0.95).all(axis=1) & (excess > 0)
    drawn = np.random.default_rng([seed, 1]).random(len(samples)) < shares
    samples = dataclasses.replace(samples, is_b=drawn | inside)
    events = hists.cell_counts("e/mu")
    expected = Expectation().of(events, events, kappa)
    return UnbinnedInput(samples, distinct_cells(GRID, events.codes), min_events, expected, seed, shares)


def scored(test, field, toys, *, null="binomial", seed=1):
    """The data's largest z, and those of pseudo-experiments."""
    with ThreadPoolExecutor(1) as pool, threadpool_limits(1):
        found = test.observed(field)
        z = found.found.statistic
        tested = found.cells[np.isfinite(z)]
        made = PseudoExperiments(toys, null, seed, pool, lambda done, of: None)
        best, kept = test.relabelled(field, tested, tested[:3], made)
    return z[np.isfinite(z)], best, kept


def p_of(test, field, toys=63, **options):
    z, best, _ = scored(test, field, toys, **options)
    return ((best >= z.max()).sum() + 1) / (toys + 1)


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_p_is_honest_where_shares_differ(test):
    """30 samples: p below 0.05 is binomial, at most 6 with a probability of 99.7 %. One share for all is wrong."""
    fields = [field_of(250, seed) for seed in range(30)]
    p = np.array([p_of(test, field) for field in fields])
    assert (p <= 0.05).sum() <= 6
    assert 0.3 < p.mean() < 0.7
    wrong = [p_of(test, dataclasses.replace(field, shares=None)) for field in fields[:8]]
    assert np.median(wrong) <= 2 / 64


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"kappa": 3.0}, {"weighted": True}, {"max_stored": 20}, {"null": "fixed"}])
@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_p_is_uniform_where_shares_differ(test, options):
    """400 samples, 64 ranks: drawn evenly within them."""
    options, rng = dict(options), np.random.default_rng(1)
    null = options.pop("null", "binomial")
    p = np.array([p_of(test, field_of(200, seed, **options), null=null, seed=seed) for seed in range(400)])
    assert scipy_stats.kstest(p - rng.random(400) / 64, "uniform").pvalue > 0.01


@pytest.mark.parametrize(("name", "within"), [("nplm", 2e-3), ("classifier", 0.1)])
def test_shares_of_one_half_are_kappa_of_one(name, within):
    """Without shares a classifier takes the width of a label from the data: sqrt(N_A N_B) / N, not 1/2."""
    test = TESTS[name]
    field = field_of(400, 3, strength=0.0)
    field = dataclasses.replace(field, shares=np.full(len(field.samples), 0.5))
    plain = dataclasses.replace(field, shares=None)
    (z, best, kept), (other, other_best, other_kept) = scored(test, field, 70), scored(test, plain, 70)
    np.testing.assert_allclose(z, other, atol=within)
    np.testing.assert_allclose(best, other_best, atol=within)
    np.testing.assert_allclose(kept, other_kept, atol=within)


@pytest.mark.parametrize(("test", "weighted"), [("nplm", False), ("nplm", True), ("classifier", False)])
def test_both_sides_are_treated_alike(test, weighted):
    field = field_of(400, 4, excess=20, weighted=weighted)
    swapped = dataclasses.replace(
        field, samples=dataclasses.replace(field.samples, is_b=~field.samples.is_b), shares=1 - field.shares
    )
    found, other = (TESTS[test].observed(one) for one in (field, swapped))
    np.testing.assert_allclose(found.found.statistic, other.found.statistic, atol=2e-3)
    np.testing.assert_allclose(found.t, other.t, rtol=1e-3)


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_a_signal_is_found_where_shares_differ(test):
    """60 events of B among 600: with a detector as without."""
    for strength in (0.0, 1.5):
        z, best, _ = scored(test, field_of(600, 5, strength=strength, excess=60), 100)
        assert z.max() > best.max()


@pytest.fixture
def calibrated(monkeypatch):
    """Events of a pass that come with shares, wherever they are read."""

    def samples_with_shares(hists, symmetry, features):
        found = samples_of(hists, symmetry, features)
        return dataclasses.replace(found, shares=expit(np.sin(found.hashes.astype(np.float64) / 2**60)))

    monkeypatch.setattr("coffea_ddp.histograms.samples.samples_of", samples_with_shares)
    monkeypatch.setattr("coffea_ddp.scanning.unbinned_scan.samples_of", samples_with_shares)
    return make_events(500, 7, excess=60)


def test_the_best_are_fitted_in_full_with_their_shares(calibrated):
    tests = [NPLM(fits=1, toys=49), "classifier"]
    report = ddp.scan(calibrated, tests, symmetries=["e/mu"], observables=["x"], toys=50, seed=1, min_events=100)
    row = next(row for row in report.rows if "fitted" in row.method)
    pair = ddp.sample_pair(calibrated, row.symmetry, row.cell, features=["x"])
    found = stats.nplm(pair.a, pair.b, toys=49, seed=1, shares=pair.shares)
    assert row.statistic == pytest.approx(found.t)
    assert row.statistic != pytest.approx(stats.nplm(pair.a, pair.b, toys=0).t, rel=0.01)
    assert row.p_cell == found.p_value
    assert "expected shares" in row.method
    assert "p cell: 49 labellings drawn from the expected shares" in row.p_method
    assert {one.test for one in report.rows} == {"nplm", "classifier"}


def test_a_solver_without_shares_leaves_the_score_version(calibrated):
    pytest.importorskip("torch")
    test = NPLM(fits=1, solver=stats.NetworkSolver(neurons=2), toys=9)
    report = ddp.scan(calibrated, [test], symmetries=["e/mu"], observables=["x"], toys=0, min_events=100)
    assert any("no full fit: networks know no expected shares" in row.method for row in report.rows)


def test_pictures_are_drawn_with_the_shares(calibrated):
    tests = [NPLM(fits=1, toys=20), "classifier"]
    report = ddp.scan(calibrated, tests, symmetries=["e/mu"], toys=20, seed=1, min_events=100)
    for test in TESTS:
        row = next(row for row in report.rows if row.test == test and (test != "nplm" or "fitted" in row.method))
        drawn = pictures_of(row, calibrated, permuting=Permuting(1, 20))
        assert drawn.note == ""
        assert "20 labellings drawn from the expected shares" in drawn.pictures[1].caption
        assert "A scaled by the expected shares and to the size of B" in drawn.pictures[2].caption
        if test == "nplm":
            assert f"t of the data, {row.statistic:.1f}" in drawn.pictures[1].caption


def test_residuals_are_labels_less_their_shares():
    field = field_of(300, 6)
    with ThreadPoolExecutor(1) as pool:
        toys = PseudoExperiments(130, "binomial", 2, pool, lambda done, of: None)
        labels, found = toys.labels(field, slice(64, 130)), toys.residuals(field, slice(64, 130))
        assert labels.shape == found.shape == (300, 66)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, labels - (1 - field.shares[:, None]), atol=1e-6)
        # The same labels whatever the order of the events, and whatever else is drawn.
        turned = dataclasses.replace(
            field,
            samples=dataclasses.replace(
                field.samples, hashes=field.samples.hashes[::-1], opposite=field.samples.opposite[::-1]
            ),
            shares=field.shares[::-1],
        )
        np.testing.assert_array_equal(toys.labels(turned, slice(64, 130))[::-1], labels)
        many = np.concatenate([toys.residuals(field, slice(k, k + 64)) for k in range(0, 64 * 60, 64)], axis=1)
        spread = np.sqrt(field.shares * (1 - field.shares))
        assert (many.mean(axis=1) / spread * np.sqrt(many.shape[1])).std() == pytest.approx(1.0, abs=0.15)
        with pytest.raises(InputError, match="give UnbinnedInput their shares"):
            toys.residuals(dataclasses.replace(field, shares=None), slice(0, 64))


# -- shares that were fitted ---------------------------------------------------------------------------------


def fitted_field(seed, *, n=1500, n_control=120, known=False):
    """Events whose shares were fitted to a few of them; or the same with shares that are taken as exact."""
    field = field_of(n, seed, strength=0.0)
    samples, rng = field.samples, np.random.default_rng([seed, 7])
    rows = np.column_stack([np.ones(len(samples)), samples.x - 0.5])
    samples = dataclasses.replace(samples, is_b=rng.random(len(samples)) < expit(rows @ [0.3, 1.0, -0.5]))
    fitted, precision = np.arange(len(samples)) < n_control, np.eye(3) / 4
    beta, control = np.zeros(3), rows[:n_control]
    for _ in range(20):
        share = expit(control @ beta)
        covariance = np.linalg.inv((control * (share * (1 - share))[:, None]).T @ control + precision)
        beta = beta + covariance @ (control.T @ (samples.is_b[:n_control] - share) - precision @ beta)
    share, root = expit(rows @ beta), np.linalg.cholesky(covariance)
    events = CalibratedEvents(
        numbers=np.arange(len(samples)), hashes=samples.hashes, is_b=samples.is_b, share=share,
        moves=(rows @ root) * (share * (1 - share))[:, None], fitted=fitted,
        prior=root.T @ np.linalg.cholesky(precision),
    )  # fmt: skip
    fit = None if known else EventFit(events, np.arange(len(samples)), np.zeros(len(samples), bool))
    return dataclasses.replace(field, samples=samples, shares=share, total=True, fit=fit)


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_p_is_honest_where_shares_were_fitted_to_few_events(test):
    """10 samples, p of at most 0.1: at most 4 with a probability of 99.8 %; taken as exact, half are."""
    fitted, exact = (
        np.array([p_of(test, fitted_field(seed, known=known)) for seed in range(10)]) for known in (False, True)
    )
    assert (fitted <= 0.1).sum() <= 4
    assert fitted.mean() > 0.3
    assert (exact <= 0.1).sum() >= 5


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_local_z_knows_the_fit(test):
    """Of data and pseudo-experiments alike: the mean of the largest z is not that of exact shares."""
    field = fitted_field(3)
    exact = dataclasses.replace(field, fit=None)
    z, best, _ = scored(test, field, 128)
    wrong, _, _ = scored(test, exact, 64)
    assert z.max() < wrong.max()
    # Of a score with a local p of about that: not many of the pseudo-experiments are beyond 3.5.
    assert np.mean(best > 3.8) < 0.15


def test_labels_of_fitted_shares_are_those_of_counts():
    field = fitted_field(4, n=300)
    with ThreadPoolExecutor(1) as pool:
        toys = PseudoExperiments(128, "binomial", 5, pool, lambda done, of: None)
        labels, moved = toys.labels(field, slice(0, 128)), toys.moved(field, slice(0, 128))
    words, drawn = field.fit.events.drawn(5, 1)
    np.testing.assert_array_equal(labels[:, 64], words & np.uint64(1) == 0)
    np.testing.assert_allclose(moved[:, 64:], field.fit.moves[0] @ drawn, rtol=1e-4, atol=1e-5)
