"""Pictures of a row show what the row says: the same rectangle, the same t, the same mass."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import hist
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import GRID, make_histograms, make_layout

import coffea_ddp as ddp
from coffea_ddp.pages.pictures import Permuting, pictures_of
from coffea_ddp.pages.pictures.cells import rectangle_of
from coffea_ddp.pages.pictures.drawn import quantity
from coffea_ddp.scanning.ranking import region_text
from coffea_ddp.testing import LFVSignal, make_dataset


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
    return ddp.scan(
        hists, ["nsigma", "submatrix", "nplm", "classifier"], symmetries=["emu/mue OS"], permutations=20, seed=3
    )


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
    permutations = report.options["fits"]["permutations"]
    drawn = pictures_of(row, hists, permuting=Permuting(3, permutations))
    names = [picture.name for picture in drawn.pictures]
    assert names[:2] == ["log-ratio", "null"]
    assert f"t of the data, {row.statistic:.1f}" in drawn.pictures[1].caption
    assert f"{permutations} permutations" in drawn.pictures[1].caption


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
    row = ddp.scan(some, min_events=5, observables=[observable]).rows[0]
    drawn = pictures_of(row, some)
    assert drawn.note == ""
    assert len(drawn.pictures) == (1 if observable == "met" else 3)
    assert "kappa = 1.5" in drawn.pictures[-1].caption or row.kappa == 1.0


AXES = (hist.axis.Variable(np.geomspace(20.0, 400.0, 30), name="pt", label="pT [GeV]"),
        hist.axis.Regular(28, -2.8, 2.8, name="eta", label="eta"))  # fmt: skip


@given(st.integers(0, 28), st.integers(1, 29), st.integers(0, 27), st.integers(1, 28))
def test_a_region_in_words_is_the_rectangle(first, wide, low, high):
    rectangle = (first, min(first + wide, 29), low, min(low + high, 28))
    channel = SimpleNamespace(axes=AXES)
    layout = SimpleNamespace(channel=lambda *_: channel)
    where = SimpleNamespace(symmetry="", observable="")
    text = region_text(SimpleNamespace(layout=layout), where, rectangle)
    assert rectangle_of(text, AXES) == rectangle


@pytest.mark.parametrize("region", [None, "", "m 1 to 2", "m 3 to 1, n 1 to 2", "587 to 613 GeV"])
def test_no_rectangle_of_other_words(region):
    assert rectangle_of(region, AXES) is None


def test_names_and_units_of_axes():
    assert quantity(AXES[0]) == ("pT", "GeV")
    assert quantity(AXES[1]) == ("eta", "")
