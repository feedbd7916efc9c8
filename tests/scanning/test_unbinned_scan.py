"""Tests on events in scans: found signals, pseudo-experiments shared with the other tests, honest p, bad input."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats as scipy_stats
from stored_toys import make_events
from toys import scan_expecting

import coffea_ddp as ddp
from coffea_ddp import stats
from coffea_ddp.errors import InputError, UnknownNameError
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.samples import sample_pair
from coffea_ddp.report.report import ScanReport
from coffea_ddp.scanning.driver import scan
from coffea_ddp.scanning.expectation import Expectation
from coffea_ddp.scanning.unbinned_input import ALL_FEATURES

NO_FITS = ddp.NPLM(fits=0)
NAMES = ["nplm", "classifier"]
BOTH = [NO_FITS, "classifier"]


def best_of(report, test, observable=None):
    return next(row for row in report.rows if row.test == test and observable in (None, row.observable))


@pytest.fixture(scope="module")
def signal():
    """60 events at large x and y on side B, j = 3, beside 600 without a difference."""
    return make_events(600, 11, excess=60)


@pytest.fixture(scope="module")
def scanned(signal):
    tests = ["nsigma", "submatrix", ddp.NPLM(fits=2, toys=99), "classifier"]
    return scan(signal, tests, toys=200, seed=1, min_events=30)


def test_all_tests_stand_side_by_side(scanned, tmp_path):
    assert {row.test for row in scanned.rows} == {"nsigma", "submatrix", "nplm", "classifier"}
    for row in scanned.rows:
        assert 1 / 201 <= row.p_global <= 1
        assert "pseudo-experiments" in row.global_method
        assert row.status == "OK"
    assert ScanReport.load(scanned.save(tmp_path / "report.json")) == scanned
    assert scanned.options["tests"] == ["nsigma", "submatrix", "nplm", "classifier"]
    assert {found.what for found in scanned.global_p} >= {"max nplm", "max classifier", "min-p"}


@pytest.mark.parametrize("test", NAMES)
def test_the_signal_is_found(scanned, test):
    row = best_of(scanned, test)
    assert row.symmetry == "e/mu"
    assert row.p_global == pytest.approx(1 / 201)
    assert row.n_a + row.n_b + row.n_dropped == scanned_events(scanned, row)


def scanned_events(report, row):
    del report
    matrix = make_events(600, 11, excess=60)[row.symmetry, "events", row.cell]
    return matrix.a.sum() + matrix.b.sum()


def test_the_best_of_every_test_is_told(scanned):
    best = scanned.best_of_tests()
    pairs = [(row.symmetry, row.test) for row in best]
    assert len(set(pairs)) == len(pairs)
    assert pairs[:4] == [("e/mu", test) for test in ("nsigma", "submatrix", *NAMES)]
    for row in best:
        mine = [other for other in scanned.rows if (other.symmetry, other.test) == (row.symmetry, row.test)]
        assert row.p_global == min(other.p_global for other in mine)
    table = scanned.tests_table()
    assert table.row_count == len(best)
    assert "classifier: classifier" in str(table.caption)
    assert "The best of every test" in scanned._repr_html_()


def test_the_best_of_every_family_is_kept_however_few_rows_are(signal, scanned):
    """Rows of the strongest test fill a short report; the best of each test, symmetry and observable stay."""
    tests = ["nsigma", "submatrix", *BOTH]
    short = scan(signal, tests, toys=50, seed=1, min_events=30, best=5)
    families = {(row.test, row.symmetry, row.observable) for row in scanned.rows}
    assert {(row.test, row.symmetry, row.observable) for row in short.rows} == families
    assert len({(row.test, row.symmetry, row.observable, row.cell) for row in short.rows}) == len(short.rows)
    assert sum(row.rank is not None for row in short.rows) == 5


def test_nplm_looks_at_every_observable_and_at_all_together(scanned):
    found = {row.observable for row in scanned.rows if row.test == "nplm" and row.symmetry == "e/mu"}
    assert found == {"x", "x x y", ALL_FEATURES}
    assert {row.observable for row in scanned.rows if row.test == "classifier" and row.symmetry == "e/mu"} == {
        ALL_FEATURES
    }
    # One observable: it is all there is.
    assert {row.observable for row in scanned.rows if row.test == "nplm" and row.symmetry == "l-/l+"} == {"y"}


def test_the_classifier_is_asked_in_simple_cells(scanned):
    cells = {row.cell for row in scanned.rows if row.test == "classifier"}
    assert cells
    assert all("&" not in cell for cell in cells)


def test_the_best_are_fitted_in_full(signal, scanned):
    fitted = [row for row in scanned.rows if row.test == "nplm" and "fitted" in row.method]
    assert len(fitted) == 2
    for row in fitted:
        names = None if row.observable == ALL_FEATURES else row.observable.split(" x ")
        pair = sample_pair(signal, row.symmetry, row.cell, features=names)
        found = stats.nplm(pair.a, pair.b, toys=99, seed=1)
        assert row.statistic == pytest.approx(found.t)
        assert row.p_cell == found.p_value
        assert row.p_local == pytest.approx(found.p_analytic)
        assert "p cell: 99 permutations" in row.p_method


def test_networks_can_be_what_fits(signal):
    solver = stats.NetworkSolver(cells=100, restarts=1, first=5, most=20)
    report = scan(signal, ddp.NPLM(1, solver, toys=19), observables=["x"], symmetries=["e/mu"], min_events=100, toys=0)
    row = next(row for row in report.rows if "fitted" in row.method)
    assert row.p_local == row.p_cell == pytest.approx(0.05)
    assert "network 1-4-1" in row.method
    # A network of more parameters than events: the score version stands, and the row says why.
    large = scan(
        signal,
        [ddp.NPLM(1, stats.NetworkSolver(neurons=500), toys=9)],
        observables=["x"],
        symmetries=["e/mu"],
        toys=0,
    )
    assert any("no full fit: 1501 parameters" in row.method for row in large.rows)


def test_neither_threads_nor_order_nor_other_tests_change_a_score(signal):
    columns = {name: values[::-1] for name, values in signal.events.columns.items()}
    turned = dataclasses.replace(signal, events=dataclasses.replace(signal.events, columns=columns))
    options = {"toys": 70, "seed": 3, "min_events": 40}
    first = scan(signal, BOTH, jobs=1, **options)
    assert scan(turned, BOTH, jobs=2, **options) == first
    alone = scan(signal, [NO_FITS], jobs=2, **options)
    assert best_of(alone, "nplm").p_cell == best_of(first, "nplm").p_cell
    assert best_of(alone, "nplm").statistic == best_of(first, "nplm").statistic


def test_without_pseudo_experiments_p_is_a_bound(signal):
    report = scan(signal, BOTH, min_events=40, toys=0)
    row = best_of(report, "nplm")
    assert "Sidak bound" in row.global_method
    assert row.p_cell is None
    assert row.p_local < row.p_global < 1
    assert report.z_histogram.counts == (0,) * len(report.z_histogram.counts)


@pytest.mark.parametrize("options", [{"kappa": "global"}, {"kappa": "cell"}, {"kappa": {"e/mu": 2.0, "l-/l+": 2.0}}])
def test_shapes_do_not_care_how_kappa_is_known(options):
    hists = make_events(800, 12, kappa=2.0)
    report = scan_expecting(hists, BOTH, toys=99, seed=2, min_events=40, **options)
    assert report.global_p[-1].p_value > 0.01
    row = next(row for row in report.rows if row.test == "nplm" and row.symmetry == "e/mu")
    assert row.ratio.kappa == pytest.approx(2.0, rel=0.2)


def test_weights_are_kept_with_their_events():
    hists = make_events(500, 13, excess=80, weighted=True)
    report = scan(hists, BOTH, toys=99, seed=2, min_events=40)
    row = best_of(report, "nplm")
    assert row.p_global == pytest.approx(0.01)
    assert "score version" in row.method  # there is no full fit of weighted events


def test_thinned_events_say_so():
    report = scan(make_events(3_000, 14, max_stored=100), BOTH, toys=50, min_events=40)
    for test in NAMES:
        assert best_of(report, test).n_dropped > 0


def whole_scan_p(seed, toys=63, **options):
    made = {key: options.pop(key) for key in ("kappa", "weighted", "max_stored") if key in options}
    report = scan(make_events(160, seed, **made), BOTH, toys=toys, seed=seed, min_events=20, **options)
    return next(found.p_value for found in report.global_p if found.scope is None and found.what == "min-p")


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{}, {"kappa": 4.0}, {"weighted": True}, {"max_stored": 20}, {"null": "fixed"}],
    ids=["plain", "kappa", "weighted", "thinned", "fixed"],
)
def test_p_of_whole_scans_is_uniform(options):
    """500 scans of NPLM and the classifier, 64 ranks: drawn evenly within them."""
    rng = np.random.default_rng(1)
    p = np.array([whole_scan_p(seed, **dict(options)) for seed in range(500)]) - rng.random(500) / 64
    assert scipy_stats.kstest(p, "uniform").pvalue > 0.01


def test_p_of_a_few_whole_scans_is_not_too_small():
    """60 scans, 20 ranks: p of 0.05, the smallest, is binomial, at most 8 times with a probability of 99.8 %."""
    p = np.array([whole_scan_p(seed, toys=19) for seed in range(60)])
    assert (p <= 0.05).sum() <= 8
    assert 0.35 < p.mean() < 0.65


def test_what_cannot_be_tested_is_counted():
    lacking = make_events(200, 15, drop_features=True)
    report = scan(lacking, BOTH, min_events=20, toys=0)
    assert report.trials == 0
    assert report.summaries[0].statuses["ONE_SIDED"] > 0
    layout = lacking.layout
    fewer = dataclasses.replace(lacking, layout=dataclasses.replace(layout, features=layout.features[1:]))
    statuses = scan(fewer, ["nplm"], observables=["x"], symmetries=["e/mu"], toys=0).summaries[0].statuses
    assert statuses["NO_FEATURES"] > 0
    assert statuses["OK"] == 0
    empty = Histograms.empty(layout)
    assert scan(empty, BOTH, toys=0).trials == 0
    one_side = make_events(200, 15, kappa=1e6)
    assert scan(one_side, BOTH, symmetries=["e/mu"], toys=0).summaries[0].statuses["ONE_SIDED"] > 0


def test_one_sided_cells_of_two_sided_samples_are_counted():
    """Events of A in one exclusive cell only: the others have one side."""
    hists = make_events(300, 16)
    columns = dict(hists.events.columns)
    first = columns["cell"] == columns["cell"].min()
    columns["sides"] = np.where(first, columns["sides"], (columns["sides"] & ~np.uint64(3)) | np.uint64(2))
    changed = dataclasses.replace(hists, events=dataclasses.replace(hists.events, columns=columns))
    statuses = scan(changed, [NO_FITS], symmetries=["e/mu"], toys=20).summaries[0].statuses
    assert statuses["ONE_SIDED"] > 0
    assert statuses["OK"] > 0


def test_bad_input_is_told(signal):
    nothing = dataclasses.replace(signal, layout=dataclasses.replace(signal.layout, max_stored=0))
    with pytest.raises(InputError, match="stores no events"):
        scan(nothing, ["nsigma", "nplm"], toys=0)
    with pytest.raises(InputError, match="know no corrections or systematic errors"):
        scan(signal, BOTH, expectation=Expectation(systematic=0.02), toys=0)
    with pytest.raises(UnknownNameError, match="nplm, classifier, bump"):
        scan(signal, ["nlpm"], toys=0)
    for options, message in (
        ({"fits": -1}, "fits=-1\\): give 0 or more"),
        ({"solver": stats.NetworkSolver(), "toys": 0}, "no null but that of permutations"),
    ):
        with pytest.raises(InputError, match=message):
            ddp.NPLM(**options)
    told = []
    scan(signal, [NO_FITS], toys=70, min_events=100, progress=lambda *step: told.append(step))
    assert told[-1][0] == told[-1][1]
    assert all(0 <= done <= total for done, total, _ in told)
