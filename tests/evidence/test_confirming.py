"""Confirmation: its level under the null, its oracles, and data that were seen."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from null_halves import null_halves
from scipy import stats as scipy_stats

import coffea_ddp as ddp
from coffea_ddp.errors import FormatError, InputError
from coffea_ddp.evidence.counts_regions import CountsRegion, outcome_of_counts
from coffea_ddp.histograms.cell_counts import CellCounts
from coffea_ddp.report.report import ScanReport
from coffea_ddp.scanning.expectation import Expectation
from coffea_ddp.testing import LFVSignal, make_nanoaod

PLAN = ddp.load_plan("symmetries")


@pytest.fixture(scope="module")
def nano(tmp_path_factory):
    signal = LFVSignal(250, mass=300.0, lepton="mu", n_tau=1, n_b=0)
    return make_nanoaod(tmp_path_factory.mktemp("confirm") / "nano.root", events=20_000, seed=5, signals=[signal])


@pytest.fixture(scope="module")
def halves(nano):
    return tuple(ddp.run(PLAN.half(part), nano) for part in "ab")


@pytest.fixture(scope="module")
def report(halves):
    return ddp.scan(halves[0], ["nsigma", "submatrix"], toys=100, seed=2)


def level_of(hists, splits, alpha, tests, observables=None):
    """Return how often any of the three best regions of one half is confirmed by the other."""
    rng, found = np.random.default_rng(11), 0
    for number in range(splits):
        first, second = null_halves(hists, rng)
        marked = ddp.scan(first, tests, toys=0, best=3, symmetries=["e/mu", "ee/mumu OS"], observables=observables)
        confirmed = ddp.confirm(marked, second, rows=[1, 2, 3], level=alpha, toys=400, seed=number)
        found += confirmed.n_confirmed > 0
    return found / splits


@pytest.mark.parametrize("tests", [["nsigma"], ["submatrix"]])
def test_the_level_holds_under_the_null(halves, tests):
    splits, alpha = 40, 0.3  # a level that forty splits can see
    level = level_of(halves[0], splits, alpha, tests, ["pt_l0 x met", "m_ll"])
    assert scipy_stats.binomtest(round(level * splits), splits, alpha, alternative="greater").pvalue > 1e-3
    assert level > 0.02  # it is no test that never says yes


@pytest.mark.slow
@pytest.mark.parametrize(("tests", "splits"), [(["nsigma", "submatrix"], 1_000)])
def test_the_level_of_a_thousand_splits(halves, tests, splits):
    level = level_of(halves[0], splits, 0.05, tests)
    assert scipy_stats.binomtest(round(level * splits), splits, 0.05, alternative="greater").pvalue > 0.01


def test_a_hidden_signal_is_confirmed_and_chance_is_not(halves, report):
    found = ddp.confirm(report, halves[1], rows=[1])
    assert found.n_confirmed == 1
    assert found.regions[0].outcome.p < 1e-4
    null_a, null_b = null_halves(halves[0], np.random.default_rng(3))
    chance = ddp.confirm(ddp.scan(null_a, "submatrix", toys=0), null_b, rows=[1, 2])
    assert chance.n_confirmed == 0
    assert all(one.p_holm >= one.outcome.p for one in chance.regions)


def pair(a, b):
    counts = np.array([[a, b]], float)
    n = counts.shape[2]
    return CellCounts("e/mu", "met", (None,), np.array([0]), counts, None, counts, (n,))


def region(a, b, *, summed, sign):
    counts = pair(a, b)
    return CountsRegion(counts, np.array([True]), np.ones(counts.n_bins, bool), summed, sign, "key")


def expected_of(kappa=1.0, **others):
    counts = pair([5, 5], [5, 5])
    return dataclasses.replace(Expectation().of(counts, counts, kappa), **others)


@pytest.mark.parametrize(("a", "b", "kappa"), [([3, 4], [9, 8], 1.0), ([0, 0], [2, 1], 1.7), ([40, 1], [20, 3], 0.5)])
def test_p_of_sums_is_that_of_the_binomial_distribution(a, b, kappa):
    share = kappa / (1 + kappa)
    for sign, side in ((1.0, "greater"), (-1.0, "less")):
        found = outcome_of_counts(region(a, b, summed=True, sign=sign), expected_of(kappa), toys=10, seed=0)
        oracle = scipy_stats.binomtest(sum(b), sum(a) + sum(b), share, alternative=side).pvalue
        assert found.p == pytest.approx(oracle, rel=1e-9)
        assert (found.n_a, found.n_b) == (sum(a), sum(b))
        assert found.expected == pytest.approx(share * (sum(a) + sum(b)))


@pytest.mark.parametrize("summed", [True, False])
def test_exchanging_the_sides_and_the_direction_changes_nothing(summed):
    a, b = [12, 30, 7], [20, 33, 11]
    one = outcome_of_counts(region(a, b, summed=summed, sign=1.0), expected_of(), toys=4_000, seed=1)
    other = outcome_of_counts(region(b, a, summed=summed, sign=-1.0), expected_of(), toys=4_000, seed=1)
    assert one.z == pytest.approx(-other.z)
    assert one.p == pytest.approx(other.p, rel=1e-9 if summed else 0.15)


def test_p_of_n_sigma_is_counted_and_near_the_normal_one():
    a, b = [100, 200, 150], [120, 230, 160]
    found = outcome_of_counts(region(a, b, summed=False, sign=1.0), expected_of(), toys=20_000, seed=1)
    assert found.z == pytest.approx(ddp.stats.n_sigma(a, b).statistic)
    assert found.p == (found.n_ge + 1) / (found.n + 1)
    assert found.p == pytest.approx(scipy_stats.norm.sf(found.z), rel=0.1)


def test_with_an_uncertain_kappa_p_is_larger():
    a, b = [400, 410], [460, 480]
    counts = pair(a, b)
    known = outcome_of_counts(region(a, b, summed=True, sign=1.0), expected_of(), toys=4_000, seed=1)
    given = Expectation(kappa_error=0.1).of(counts, counts, 1.0)
    uncertain = outcome_of_counts(region(a, b, summed=True, sign=1.0), given, toys=4_000, seed=1)
    assert uncertain.p > 3 * known.p
    difference, n = sum(b) - sum(a), sum(a) + sum(b)
    z = difference / 2 / np.sqrt(n / 4 + (0.1 * n / 4) ** 2)
    assert uncertain.z == pytest.approx(z, rel=0.05)


def test_with_kappa_of_the_totals_a_region_of_everything_says_nothing():
    counts = pair([30, 40], [50, 60])
    for kappa in ("global", "cell"):
        given = Expectation(kappa=kappa).of(counts, counts, 1.0)
        found = outcome_of_counts(region([30, 40], [50, 60], summed=True, sign=1.0), given, toys=10, seed=0)
        assert found.p == 1.0
        assert "nothing to test" in found.reason


def test_an_empty_region_stays_among_the_trials(halves, report):
    row = dataclasses.replace(report.rows[0], cell="j>=5 & b>=2 & gamma>=2 & tau>=2")
    again = dataclasses.replace(report, rows=(row, *report.rows[1:]))
    found = ddp.confirm(again, halves[1], rows=[1, 2])
    assert found.regions[0].outcome.p == 1.0
    assert found.regions[0].outcome.reason == "the region is empty"
    assert not found.regions[0].confirmed


# -- data that were seen --------------------------------------------------------------------------------------------


def test_data_that_were_scanned_confirm_nothing(nano, halves, report):
    whole = ddp.run(PLAN, nano)
    with pytest.raises(InputError, match="has seen 1 of 1 file of these data"):
        ddp.confirm(report, halves[0])
    with pytest.raises(InputError, match="has seen 1 of 1 file"):
        ddp.confirm(report, whole)
    with pytest.raises(InputError, match="has seen 1 of 1 file"):
        ddp.confirm(ddp.scan(whole, toys=0), halves[1])


def test_halves_of_different_shares_are_not_apart(nano, report):
    with pytest.raises(InputError, match="has seen"):
        ddp.confirm(report, ddp.run(PLAN.half("b", 0.3), nano))


def test_other_files_are_other_data(tmp_path, report):
    other = make_nanoaod(tmp_path / "other.root", events=3_000, seed=6)
    assert len(ddp.confirm(report, ddp.run(PLAN, other), rows=[1, 2, 3]).regions) == 3


def test_another_plan_and_an_older_report_are_errors(nano, halves, report):
    other = dataclasses.replace(PLAN, name="other", max_stored=10)
    with pytest.raises(InputError, match="run the same plan, unchanged"):
        ddp.confirm(report, ddp.run(other.half("b"), nano))
    inputs = {name: value for name, value in report.inputs.items() if name != "counted"}
    with pytest.raises(FormatError, match="make it again"):
        ddp.confirm(dataclasses.replace(report, inputs=inputs), halves[1])
    with pytest.raises(InputError, match=r"coffea-ddp bump"):
        ddp.confirm(dataclasses.replace(report, fingerprint=""), halves[1])


@pytest.mark.parametrize("bad", [{"rows": [0]}, {"rows": [10**6]}, {"rows": ["x"]}, {"level": 0}, {"level": 2},
                                 {"toys": 0}, {"seed": -1}, {"level": "x"}])  # fmt: skip
def test_what_cannot_be_is_an_error(halves, report, bad):
    with pytest.raises(InputError):
        ddp.confirm(report, halves[1], **bad)


# -- faces and files -------------------------------------------------------------------------------------------------


def test_it_is_the_same_from_files_and_says_what_it_did(halves, report, tmp_path):
    found = ddp.confirm(report, halves[1], rows=[1, 2], seed=4)
    again = ddp.confirm(report.save(tmp_path / "r.json"), halves[1].save(tmp_path / "b.ddp"), rows=[1, 2], seed=4)
    assert again.to_dict() == found.to_dict()
    written = json.loads(found.save(tmp_path / "c.json").read_text())
    assert written["format"] == "coffea-ddp/confirmation"
    assert [one["number"] for one in written["regions"]] == [1, 2]
    frame = found.to_dataframe()
    assert list(frame["p_holm"] >= frame["p"]) == [True, True]
    assert list(frame.columns) == list(written["regions"][0])
    html = found._repr_html_()
    assert "confirmed" in html
    assert "binomial" in html
    assert all(one.outcome.method for one in found.regions)


def test_another_expectation_than_that_of_the_scan_is_noted(halves, report):
    same, other = (ddp.confirm(report, halves[1], rows=[1], expectation=one) for one in (None, Expectation("global")))
    assert same.notes == ()
    (note,) = other.notes
    assert note == "expected of side B, in the scan: the plan's kappa, taken as exact; here: kappa from the totals"
    assert note in other.to_dict()["notes"]
    assert "kappa from the totals" in other._repr_html_()


def test_names_of_strangers_are_shown_and_not_run(halves, report):
    row = dataclasses.replace(report.rows[0], test="<script>alert(1)</script>")
    found = ddp.confirm(dataclasses.replace(report, rows=(row,)), halves[1], rows=[1])
    assert "<script>" not in found._repr_html_()
    assert "test of your own" in found.regions[0].outcome.reason


def test_by_default_the_marked_regions_are_confirmed(halves, report):
    found = ddp.confirm(report, halves[1])
    assert [one.row.number for one in found.regions] == [
        row.number for row in report.rows if row.p_global <= 0.05 and row.is_leading and row.statistic is not None
    ][: len(found.regions)]
    nothing = ddp.confirm(dataclasses.replace(report, rows=()), halves[1])
    assert "nothing was marked" in nothing.title
    assert repr(nothing) == f"Confirmation({nothing.title})"
    assert nothing.to_dataframe().empty
    assert isinstance(nothing, ddp.Confirmation)
    assert isinstance(report, ScanReport)
