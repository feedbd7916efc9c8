"""Files of analyses and of HEPData: the spectra in them are found, and whatever else is there is named."""

from __future__ import annotations

import json
import re
import warnings

import hist
import numpy as np
import pytest
import uproot
import yaml
from click.testing import CliRunner

from coffea_ddp.cli import cli
from coffea_ddp.errors import DDPError, FormatError, InputError
from coffea_ddp.spectra.reading import read_contents, read_spectra, to_spectrum
from coffea_ddp.spectra.writing import write_spectra

EDGES = np.arange(1000.0, 4050.0, 50.0)
COUNTS = np.random.default_rng(1).poisson(6000 * np.exp(-np.arange(60) / 8.0))


def made(values=COUNTS, edges=EDGES, variances=None, label="mass"):
    axis = hist.axis.Variable(edges, name="mass", label=label)
    if variances is not None:
        one = hist.Hist(axis, storage=hist.storage.Weight())
        one.view()["value"], one.view()["variance"] = values, variances
        return one
    one = hist.Hist(axis, storage=hist.storage.Double())
    one.view()[...] = values
    return one


def bump(*arguments):
    result = CliRunner().invoke(cli, ["bump", *map(str, arguments)], standalone_mode=False)
    return result.return_value, result.stderr, result.exception


@pytest.fixture
def analysis(tmp_path):
    """Return a file with a good spectrum in two folders, and everything else that analyses write."""
    path = tmp_path / "analysis.root"
    nan = made()
    nan.view()[3] = np.nan
    overflow = made()
    overflow.view(flow=True)[-1] = np.nan
    labels = hist.new.StrCat(["all", "trigger"]).Double()
    labels.view()[:] = (5, 1)
    profile = hist.Hist(hist.axis.Regular(30, 0, 1), storage=hist.storage.WeightedMean())
    profile.fill([0.5, 0.6], sample=[1.0, 2.0], weight=[1.0, 2.0])
    no_errors = made(COUNTS * 0.5, variances=np.where(np.arange(60) == 3, 0.0, COUNTS * 0.25))
    with uproot.recreate(path) as file:
        file["ee/m"] = made()
        file["mumu/m"] = made(COUNTS[::-1])
        file["deep/er/mass_m0m1_cat_2mx"] = made()
        file["eff"] = nan
        file["overflow"] = overflow
        file["cutflow"] = labels
        file["no_errors"] = no_errors
        file["plane"] = hist.new.Reg(3, 0, 1).Reg(3, 0, 1).Double()
        file["profile"] = profile
        file["Events"] = {"x": np.arange(3.0)}
        file["n" * 300] = made()
        file["twice"] = made()
        file["twice"] = made(COUNTS + 1)
        file["tev"] = made(edges=EDGES / 1000, label="m_{jj} [TeV]")
    return path


def test_one_bad_histogram_blocks_nothing(analysis):
    found = read_contents(analysis)
    names = [spectrum.hist.name for spectrum in found.spectra]
    assert set(names) == {"ee/m", "mumu/m", "deep/er/mass_m0m1_cat_2mx", "overflow", "n" * 300, "twice", "tev"}
    assert len(names) == len(set(names))
    bad = {one.name: one.reason for one in found.skipped if one.spectrum}
    assert set(bad) == {"eff", "cutflow", "no_errors"}
    assert "NaN" in bad["eff"]
    assert "labels" in bad["cutflow"]
    assert "variances" in bad["no_errors"]
    others = {one.name: one.reason for one in found.skipped if not one.spectrum}
    assert set(others) == {"plane", "profile", "Events"}
    by_name = {spectrum.hist.name: spectrum for spectrum in found.spectra}
    assert by_name["twice"].counts.tolist() == (COUNTS + 1).tolist()  # the newest cycle
    assert by_name["tev"].edges == pytest.approx(EDGES)
    assert by_name["deep/er/mass_m0m1_cat_2mx"].cell == "mu=2"
    assert by_name["deep/er/mass_m0m1_cat_2mx"].title == "deep/er/m0m1"


def test_names_choose(analysis):
    assert read_spectra(analysis, names=["mumu/m"])[0].counts.tolist() == COUNTS[::-1].tolist()
    assert read_spectra(analysis, names=["twice;1"])[0].counts.tolist() == COUNTS.tolist()
    with pytest.raises(FormatError, match="'eff' cannot be looked at: its contents are NaN"):
        read_spectra(analysis, names=["eff"])
    with pytest.raises(FormatError, match="'plane' cannot be looked at: 2 axes"):
        read_spectra(analysis, names=["plane"])
    with pytest.raises(InputError, match=r"no histogram 'ee'; it has: .*ee/m.*eff"):
        read_spectra(analysis, names=["ee"])


def test_python_warns_of_what_is_left_out(analysis):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        read_spectra(analysis)
    assert sorted(re.findall(r"'(\w+)' is not read", " ".join(str(one.message) for one in seen))) == [
        "cutflow", "eff", "no_errors",
    ]  # fmt: skip


def test_bump_shows_paths_and_names_what_is_left_out(analysis, tmp_path):
    code, told, _ = bump(analysis, "--toys", 0, "--csv", tmp_path / "rows.csv", "--min-events", 10)
    assert code == 2
    for line in ("not tested: eff: its contents are NaN", "no spectra: Events: a tree", "no spectra: plane: 2 axes"):
        assert line in told
    rows = (tmp_path / "rows.csv").read_text()
    for name in ("ee/m", "mumu/m", "deep/er/m0m1"):
        assert name in rows
    code, told, _ = bump(analysis, "--toys", 0, "--name", "ee/m")
    assert code == 0
    assert "eff" not in told


def test_folders_are_kept_in_what_is_written(analysis, tmp_path):
    spectra = read_spectra(analysis, names=["ee/m", "mumu/m", "deep/er/mass_m0m1_cat_2mx"])
    for suffix in ("root", "json", "csv"):
        again = read_spectra(write_spectra(spectra, tmp_path / f"again.{suffix}"))
        assert [one.counts.tolist() for one in again] == [one.counts.tolist() for one in spectra]
        assert [one.title for one in again] == [one.title for one in spectra]


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda file: file.update(Events={"x": np.arange(3.0)}), "trees of events .Events.*coffea-ddp run resonances"),
        (lambda file: file.update(plane=hist.new.Reg(3, 0, 1).Reg(3, 0, 1).Double()), "'plane': 2 axes"),
        (lambda file: None, "write spectra with `coffea-ddp spectra`"),
    ],
    ids=["tree", "plane", "empty"],
)
def test_files_without_a_spectrum(tmp_path, write, message):
    with uproot.recreate(tmp_path / "x.root") as file:
        write(file)
    with pytest.raises(FormatError, match=message):
        read_spectra(tmp_path / "x.root")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PAR1xxxx", "a Parquet file, a table of events"),
        (b"\x1f\x8b\x08", "a gzip archive, unpack it first"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x89HDF\r\n", "an HDF5 file"),
        (b"\x93NUMPY", "an array of numpy"),
    ],
)
def test_files_of_other_kinds(tmp_path, content, message):
    for name in ("x.parquet", "x.csv", "x"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FormatError, match=message):
            read_spectra(tmp_path / name)
    with pytest.raises(DDPError, match="a folder; give a ROOT"):
        read_spectra(tmp_path)


def test_root_files_are_known_by_their_content(tmp_path):
    with uproot.recreate(tmp_path / "x.root") as file:
        file["m"] = made()
    (tmp_path / "x.root").rename(tmp_path / "x")
    assert read_spectra(tmp_path / "x")[0].counts.tolist() == COUNTS.tolist()


# -- HEPData -------------------------------------------------------------------------------------------------------

SCALE = 1000 / 137e3 / 50


def submitted(values=COUNTS, errors=None, name="Events", units="GEV", factor=1.0):
    """Return a table in the form of submissions."""
    bins = [{"low": low, "high": low + 50 * factor} for low in (EDGES[:-1] * factor).tolist()]
    errors = errors or (lambda n: [])
    column = {
        "header": {"name": name},
        "values": [{"value": v, "errors": errors(v)} for v in np.asarray(values).tolist()],
    }
    return {
        "independent_variables": [{"header": {"name": "M", "units": units}, "values": bins}],
        "dependent_variables": [column],
    }


def on_site(table):
    """Return a table in the form in which the site gives it as JSON."""
    names = [*table["independent_variables"], *table["dependent_variables"]]
    columns = [[one["values"] for one in table[f"{kind}_variables"]] for kind in ("independent", "dependent")]
    rows = [
        {
            "x": [{key: str(value) for key, value in column[row].items()} for column in columns[0]],
            "y": [{**column[row], "value": str(column[row]["value"]), "group": 0} for column in columns[1]],
        }
        for row in range(len(columns[0][0]))
    ]
    return {"name": "Table 1", "headers": [{"name": one["header"]["name"]} for one in names], "values": rows}


def read(tmp_path, content, suffix="yaml"):
    path = tmp_path / f"table.{suffix}"
    path.write_text(json.dumps(content) if suffix == "json" else yaml.safe_dump(content))
    return read_spectra(path)


def symmetric(n):
    return [{"symerror": n**0.5, "label": "stat"}, {"symerror": 0.1 * n, "label": "sys,lumi"}]


def asymmetric(n):
    return [{"asymerror": {"plus": (n + 0.75) ** 0.5 + 1, "minus": -(max(n - 0.25, 0) ** 0.5)}}]


@pytest.mark.parametrize("suffix", ["yaml", "json"])
@pytest.mark.parametrize("errors", [None, symmetric, asymmetric], ids=["none", "symmetric", "asymmetric"])
@pytest.mark.parametrize("form", [lambda table: table, on_site], ids=["submitted", "site"])
def test_hepdata_counts(tmp_path, suffix, errors, form):
    (one,) = read(tmp_path, form(submitted(errors=errors)), suffix)
    assert one.edges == pytest.approx(EDGES)
    assert one.counts.tolist() == COUNTS.tolist()
    assert one.variances is None


def test_hepdata_cross_sections_are_effective_counts(tmp_path):
    counts = np.maximum(COUNTS, 1)
    (one,) = read(
        tmp_path,
        submitted(counts * SCALE, lambda v: [{"symerror": f"{100 * (SCALE / v) ** 0.5:.12g}%", "label": "stat"}]),
    )
    assert one.effective.tolist() == counts.tolist()
    (one,) = read(tmp_path, submitted(counts * SCALE, lambda v: [{"symerror": 0.1 * v, "label": "sys"}]))
    assert one.variances is None  # its status says so
    assert bump(tmp_path / "table.yaml", "--toys", 0)[0] == 2


def test_hepdata_of_several_columns_and_axes(tmp_path):
    table = submitted()
    table["dependent_variables"] += submitted(COUNTS * 2, name="Expected")["dependent_variables"]
    one, two = read(tmp_path, table)
    assert (one.combination, two.combination) == ("table/Events", "table/Expected")
    assert two.counts.tolist() == (2 * COUNTS).tolist()
    table["independent_variables"] *= 2
    with pytest.raises(FormatError, match="2 axes"):
        read(tmp_path, table)
    (one,) = read(tmp_path, submitted(units="TEV", factor=0.001))
    assert one.edges == pytest.approx(EDGES)
    table = submitted()
    table["dependent_variables"][0]["values"][3]["value"] = "-"
    with pytest.raises(FormatError, match=r"the content of bin 4 is .-., and no number"):
        read(tmp_path, table)


def test_hepdata_submissions(tmp_path):
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(submitted()))
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(submitted(COUNTS + 1)))
    documents = [
        {"comment": "about"},
        {"name": "Figure 1", "data_file": "one.yaml"},
        {"name": "Figure 2", "data_file": "two.yaml"},
        {"name": "Figure 3", "data_file": "../../../etc/passwd"},
    ]
    path = tmp_path / "submission.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    found = read_contents(path)
    assert [one.combination for one in found.spectra] == ["Figure 1", "Figure 2"]
    assert [one.name for one in found.skipped] == ["Figure 3"]


def test_hepdata_root_files(tmp_path):
    counts = np.maximum(COUNTS, 1)
    with uproot.recreate(tmp_path / "hepdata.root") as file:
        file["Table 1/Hist1D_y1"] = made(counts)
        file["Table 1/Hist1D_y1_e1"] = made(counts**0.5)
        file["Table 2/Hist1D_y1"] = made(counts * SCALE)
        file["Table 2/Hist1D_y1_e1minus"] = made(counts**0.5 * SCALE)
        file["Table 2/Hist1D_y1_e1plus"] = made(counts**0.5 * SCALE + 1)
        file["Table 2/Hist1D_y1_e2"] = made(counts * 0.3)
    found = read_contents(tmp_path / "hepdata.root")
    assert [one.hist.name for one in found.spectra] == ["Table 1/Hist1D_y1", "Table 2/Hist1D_y1"]
    assert all(one.effective.tolist() == counts.tolist() for one in found.spectra)
    assert len(found.notes) == 1
    assert {one.reason for one in found.skipped} == {"errors of Hist1D_y1"}


# -- histograms in Python ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("histogram", "message"),
    [
        (hist.new.StrCat(["a", "b"]).Double(), "labels"),
        (hist.new.IntCat([1, 2]).Double(), "labels"),
        (hist.new.Reg(3, 0, 1).Mean(), "profile"),
    ],
)
def test_histograms_that_are_no_spectra(histogram, message):
    with pytest.raises(FormatError, match=message):
        to_spectrum(histogram)
