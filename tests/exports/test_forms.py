"""Exports as histograms (UHI) and as tables of HEPData: others read what was written, and nothing of theirs is lost."""

from __future__ import annotations

import json

import hist
import numpy as np
import pytest
import yaml
from toys import make_histograms, make_layout
from uhi.io import json as uhi_json

import coffea_ddp as ddp
from coffea_ddp.errors import FileError, InputError
from coffea_ddp.exports import hepdata


@pytest.fixture(scope="module")
def hists():
    return make_histograms(make_layout(), 4_000, seed=3)


@pytest.fixture(scope="module")
def report(hists):
    return ddp.scan(hists, ["nsigma", "submatrix"], toys=0, observables=["met", "pt x eta", "events"])


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """HEPData's validator takes files of one submission apart in the working directory."""
    monkeypatch.chdir(tmp_path)


LEAVES_FILES_OPEN = pytest.mark.filterwarnings(
    "ignore:unclosed file:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
"""hepdata-validator 0.3."""


def row_of(report, **wanted):
    return next(row for row in report.rows if all(getattr(row, name) == value for name, value in wanted.items()))


@pytest.mark.parametrize("observable", ["met", "pt x eta"])
def test_hist_reads_the_histograms(hists, report, observable, tmp_path):
    row = row_of(report, observable=observable, test="submatrix")
    path = ddp.write_region(tmp_path / "r.json", report, row.number, hists, form="uhi")
    found = json.loads(path.read_text(), object_hook=uhi_json.object_hook)
    pair = hists[row.symmetry, row.observable, row.cell]
    for name, one in (("A", pair.a), ("B", pair.b)):
        assert hist.Hist(found["histograms"][name]) == one
    assert found["row"]["ranges"][0]["first"] == row.region.axes[0].first
    assert (found["sides"], found["kappa"]) == (list(hists.layout.symmetry(row.symmetry).sides), 1.0)


def tables(text, folder):
    """Check a submission in one file with HEPData's validator, and return its documents."""
    validator = pytest.importorskip("hepdata_validator.full_submission_validator", reason="an extra of the tests")
    path = folder / "one.yaml"
    path.write_text(text)
    checker = validator.FullSubmissionValidator()
    valid = checker.validate(file=str(path))
    assert valid, {name: [str(one) for one in errors] for name, errors in checker.get_messages().items()}
    return list(yaml.safe_load_all(text))


@LEAVES_FILES_OPEN
@pytest.mark.parametrize("observable", ["met", "pt x eta"])
def test_hepdata_takes_a_region(hists, report, observable, tmp_path):
    row = row_of(report, observable=observable, test="nsigma")
    text = ddp.export_region(report, row.number, hists, form="hepdata")
    _, table = tables(text, tmp_path)
    pair = hists[row.symmetry, row.observable, row.cell]
    shape = pair.counts[0].shape
    for column, counts in zip(table["dependent_variables"], pair.counts, strict=True):
        assert [one["value"] for one in column["values"]] == counts.ravel().tolist()
        errors = [one.get("errors", [{"symerror": 0}])[0]["symerror"] for one in column["values"]]
        np.testing.assert_allclose(errors, np.sqrt(counts.ravel()))
    for number, (axis, column) in enumerate(zip(pair.a.axes, table["independent_variables"], strict=True)):
        low = np.broadcast_to(axis.edges[:-1].reshape([-1 if i == number else 1 for i in range(len(shape))]), shape)
        assert [one["low"] for one in column["values"]] == low.ravel().tolist()


@LEAVES_FILES_OPEN
def test_a_submission_of_many_figures(hists, tmp_path):
    validator = pytest.importorskip("hepdata_validator.full_submission_validator", reason="an extra of the tests")
    pair = hists["e/mu", "pt x eta", "j>=1"]
    axis = hepdata.Axis("m(mu mu)", "GeV", np.array([50.0, 60.0, 80.0, np.inf]))
    counts = np.array([10.0, 0.0, 3.0])
    figures = [
        hepdata.pair_table(pair, "002-matrices", "A and B.", sides=("e", "mu"), location="Row 2"),
        hepdata.spectrum_table(counts, axis, "003-spectrum", "A bump?", z=np.array([1.0, np.nan, -0.3]),
                               z_error=np.full(3, 0.5)),
    ]  # fmt: skip
    paths = hepdata.write_submission(figures, tmp_path / "hepdata", "What was seen.")
    assert sorted(path.name for path in paths) == ["002-matrices.yaml", "003-spectrum.yaml", "submission.yaml"]
    checker = validator.FullSubmissionValidator()
    assert checker.validate(directory=str(tmp_path / "hepdata")), checker.get_messages()
    (table,) = yaml.safe_load_all((tmp_path / "hepdata" / "003-spectrum.yaml").read_text())
    events, z = table["dependent_variables"]
    assert [one["value"] for one in z["values"]] == [1.0, "-", -0.3]
    assert "errors" not in events["values"][1]
    assert table["independent_variables"][0]["values"][-1] == {"value": ">= 80"}
    hepdata.write_submission(figures, tmp_path / "hepdata")  # an older one is replaced
    (tmp_path / "hepdata" / "submission.yaml").write_text("comment: mine\n")
    with pytest.raises(FileError, match="would be lost"):
        hepdata.write_submission(figures, tmp_path / "hepdata")


def test_a_spectrum_comes_back(tmp_path):
    """What is written is a table that the bump hunt reads."""
    edges, counts = np.linspace(50.0, 90.0, 41), np.arange(40.0) + 1
    figure = hepdata.spectrum_table(counts, hepdata.Axis("m", "GeV", edges), "m", "Counts.")
    hepdata.write_submission([figure], tmp_path)
    (found,) = ddp.read_spectra(tmp_path / "submission.yaml")
    np.testing.assert_array_equal(found.counts, counts)
    np.testing.assert_allclose(found.edges, edges)


def test_tables_that_do_not_fit_are_errors(hists, report):
    axis = hepdata.Axis("x", "", np.arange(4.0))
    with pytest.raises(InputError, match="give one a bin"):
        hepdata.FigureTable("t", "", (axis,), (hepdata.Column("y", np.zeros(2)),))
    with pytest.raises(InputError, match="at least one axis"):
        hepdata.FigureTable("t", "", (), ())
    one = hepdata.FigureTable("t", "", (axis,), (hepdata.Column("y", np.zeros(3)),))
    with pytest.raises(InputError, match="different names"):
        hepdata.submission([one, one])
    number = row_of(report, observable="events").number
    with pytest.raises(InputError, match="no figure"):
        ddp.export_region(report, number, hists, form="hepdata")


@pytest.mark.parametrize("form", ["histfactory", "uhi", "hepdata"])
def test_a_region_takes_the_place_of_a_region_alone(hists, report, form, tmp_path):
    path = tmp_path / "region.json"
    number = row_of(report, observable="met").number
    for _ in range(2):
        ddp.write_region(path, report, number, hists, form=form)
    path.write_text("mine")
    with pytest.raises(FileError, match="would be lost"):
        ddp.write_region(path, report, number, hists, form=form)
    assert path.read_text() == "mine"
