"""Pictures of a row show what the row says: the same rectangle, the same t, the same mass."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats as scipy_stats
from toys import GRID, make_histograms, make_layout

import coffea_ddp as ddp
from coffea_ddp.pages.pictures import Permuting, pictures_of
from coffea_ddp.pages.pictures.cells import rectangle_of
from coffea_ddp.report.regions import Range, Region
from coffea_ddp.testing import LFVSignal, make_dataset
from tests.support.compared_toys import null_output


@pytest.fixture(scope="module")
def hists(tmp_path_factory):
    files = make_dataset(
        tmp_path_factory.mktemp("data"),
        files=1,
        events=12_000,
        seed=2,
        signals=[LFVSignal(120, mass=300.0, lepton="mu")],
    )
    return ddp.run("symmetries", files)


@pytest.fixture(scope="module")
def report(hists):
    return ddp.scan(hists, ["nsigma", "submatrix", "nplm", "classifier"], symmetries=["emu/mue OS"], toys=20, seed=3)


def of_test(report, test):
    return next(row for row in report.rows if row.test == test and row.observable != "events")


def test_the_rectangle_of_a_row_is_drawn(hists, report):
    row = of_test(report, "submatrix")
    drawn = pictures_of(row, hists)
    assert drawn.note == ""
    first = drawn.pictures[0]
    assert "the region of this row" in first.caption
    assert f"{row.n_a:,} of A and {row.n_b:,} of B" in first.text


def test_a_fit_that_is_made_again_is_that_of_the_scan(hists, report):
    row = next(row for row in report.rows if row.test == "nplm" and "fitted" in row.method)
    toys = report.options["fits"]["toys"]
    drawn = pictures_of(row, hists, permuting=Permuting(3, toys))
    names = [picture.name for picture in drawn.pictures]
    assert names[:2] == ["log-ratio", "null"]
    assert f"t of the data, {row.statistic:.1f}" in drawn.pictures[1].caption
    assert f"{toys} permutations" in drawn.pictures[1].caption


def test_scores_of_the_classifier_and_features(hists, report):
    drawn = pictures_of(of_test(report, "classifier"), hists, permuting=Permuting(3, 20))
    assert [picture.name for picture in drawn.pictures][:2] == ["scores", "null"]
    assert sum(picture.name.startswith("feature") for picture in drawn.pictures) > 2
    assert all(len(picture.text) > 40 for picture in drawn.pictures)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"symmetry": "ee/nothing"}, "no symmetry 'ee/nothing'"),
        ({"observable": "mass"}, "no observable 'mass'"),
        ({"cell": "jets=2"}, "no cell axis 'jets'"),
        ({"observable": "events"}, "numbers of events"),
        ({"test": "nplm", "observable": "all features", "cell": "tau>=2 & j>=5 & b>=2"}, "stored events"),
    ],
)
def test_what_cannot_be_drawn_says_why(hists, report, changes, part):
    row = dataclasses.replace(of_test(report, "nsigma"), **changes)
    drawn = pictures_of(row, hists)
    assert drawn.pictures == ()
    assert part in drawn.note


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("observable", ["met", "pt x eta"])
def test_cells_of_any_plan(observable, weighted):
    some = make_histograms(make_layout(kappa=1.5, weighted=weighted, grid=GRID), 300, seed=3)
    row = ddp.scan(some, min_events=5, observables=[observable], toys=0).rows[0]
    drawn = pictures_of(row, some)
    assert drawn.note == ""
    assert len(drawn.pictures) == (1 if observable == "met" else 3)
    assert "kappa = 1.5" in drawn.pictures[-1].caption or row.ratio.kappa == 1.0


@pytest.mark.parametrize(
    "region",
    [
        None,
        Region(label="m_ll 20 to 40 GeV, met 0 to 10 GeV"),
        Region((Range("m", 587.0, 613.0, "GeV"),)),
        Region((Range("m", 1.0, 2.0, "GeV", 0, 1),)),
        Region((Range("m", 1.0, 2.0, "GeV", 0, 1), Range("n", 1.0, 2.0))),
        Region((Range("m", 1.0, 2.0, "GeV", 0, 1), Range("n", 1.0, 9.0, "", 0, 6))),
    ],
)
def test_no_rectangle_without_bins_of_the_matrix(region):
    assert rectangle_of(region, (10, 5)) is None


def test_the_figure_of_a_comparison_has_the_z_of_the_p_of_every_bin_and_no_pull():
    hists = null_output(1, total=300.0)
    row = max(ddp.scan(hists, ["nsigma"], toys=0).rows, key=lambda one: len(one.cell))  # a sparse cell
    (figure,) = pictures_of(row, hists).pictures
    z, data, expected = (figure.column(name) for name in ("z", "data", "expected"))
    error = figure.column("expected_high") - expected
    assert [panel.label for panel in figure.panels][-1] == "z"
    p = ddp.stats.expected_p(data, expected, error=error)
    assert z == pytest.approx(np.sign(data - expected) * np.maximum(scipy_stats.norm.isf(p), 0.0), abs=1e-6)
    pulls = (data - expected) / np.sqrt(expected + error**2)
    assert np.abs(pulls - z).max() > 0.2
    assert "pull" not in figure.caption + figure.text
