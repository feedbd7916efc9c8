"""Spectra and their files: round trips, other people's files, and files that are wrong."""

from __future__ import annotations

import json
from pathlib import Path

import hist
import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from coffea_ddp.errors import FileError, FormatError, InputError
from coffea_ddp.spectra.names import parse_name, spectrum_name
from coffea_ddp.spectra.reading import read_spectra, to_spectrum
from coffea_ddp.spectra.resolution import Resolution, combined, resolution_axis
from coffea_ddp.spectra.spectrum import MassSpectrum
from coffea_ddp.spectra.writing import write_spectra

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "cms2011"


def made(counts, edges, *, flow=(3, 5), combination="m0m1", cell="mu=2", **options):
    one = hist.Hist(hist.axis.Variable(edges, name="mass", label="mass [GeV]"), storage=hist.storage.Int64())
    one.view(flow=True)[...] = [flow[0], *counts, flow[1]]
    return MassSpectrum(combination, cell, one, **options)


def weighted(values, variances):
    one = hist.Hist(hist.axis.Regular(len(values), 10, 50, name="mass"), storage=hist.storage.Weight())
    one.view()["value"], one.view()["variance"] = values, variances
    return MassSpectrum("j0j1", "inclusive", one)


# -- names ---------------------------------------------------------------------------------------------------------

CONDITIONS = st.lists(
    st.tuples(st.sampled_from(["e", "mu", "tau", "j", "b", "gamma"]), st.sampled_from(["=", ">="]), st.integers(0, 9)),
    min_size=1, max_size=6, unique_by=lambda item: item[0],
)  # fmt: skip


@given(
    st.text("emtjbg0123456789", min_size=2, max_size=8),
    CONDITIONS,
    st.lists(st.sampled_from(["VBF", "!ttbar", "Z", "!two_b", "noise"]), max_size=2, unique=True),
    st.one_of(st.none(), st.floats(0.01, 1e4)),
)
def test_names_are_read_as_they_are_written(combination, conditions, topologies, width):
    cell = " & ".join([*(f"{name}{relation}{number}" for name, relation, number in conditions), *topologies])
    name = spectrum_name(combination, cell, width)
    again = parse_name(name)
    assert again[:2] == (combination, cell)
    assert again[2] == (None if width is None else pytest.approx(width, rel=1e-5))


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("ROI_mass_e0j0_cat_1ex_0mx_1jx_0gx_width_10.0", ("e0j0", "e=1 & mu=0 & j=1 & gamma=0", 10.0)),
        ("mass_m0m1_cat_0ex_2mx_5jx_1bx", ("m0m1", "e=0 & mu=2 & j=5 & b=1", None)),
        ("ROI_mass_m0m1_cat_inclusive_width_var", ("m0m1", "inclusive", None)),
        ("hMass", ("hMass", "", None)),
        ("mass_m0m1", ("mass_m0m1", "", None)),
        ("mass_a_cat_2z_width_1e", ("a", "2z", None)),
    ],
)
def test_names_of_others(name, parts):
    assert parse_name(name) == parts


# -- round trips ---------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=30), st.integers(0, 2**31), st.sampled_from(["root", "json"])
)
def test_what_is_written_is_read(tmp_path_factory, counts, seed, suffix):
    edges = np.cumsum(np.random.default_rng(seed).uniform(0.5, 20.0, len(counts) + 1))
    spectra = [made(counts, edges), made(counts[::-1], edges, combination="e0e1", cell="e=2 & j>=1")]
    path = write_spectra(spectra, tmp_path_factory.mktemp("x") / f"spectra.{suffix}")
    for one, other in zip(spectra, read_spectra(path), strict=True):
        assert (other.combination, other.cell) == (one.combination, one.cell)
        assert np.array_equal(other.hist.values(flow=True), one.hist.values(flow=True))
        assert other.edges == pytest.approx(one.edges, rel=1e-12)
        assert other.hist.storage_type is hist.storage.Int64


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=30), st.integers(0, 2**31))
def test_csv_has_all_but_the_flow(tmp_path_factory, counts, seed):
    edges = np.cumsum(np.random.default_rng(seed).uniform(0.5, 20.0, len(counts) + 1))
    path = write_spectra([made(counts, edges)], tmp_path_factory.mktemp("x") / "spectra.csv")
    (other,) = read_spectra(path)
    assert np.array_equal(other.counts, counts)
    assert np.array_equal(other.edges, edges)
    assert (other.combination, other.cell) == ("m0m1", "mu=2")


@pytest.mark.parametrize("suffix", ["root", "json", "csv"])
def test_weights_keep_their_variances(tmp_path, suffix):
    one = weighted([1.5, 2.0, 0.0, -0.5], [0.75, 1.0, 0.0, 0.25])
    (other,) = read_spectra(write_spectra([one], tmp_path / f"w.{suffix}"))
    assert other.counts == pytest.approx(one.counts)
    assert other.hist.variances() == pytest.approx(one.hist.variances())
    assert other.effective.tolist() == [3.0, 4.0, 0.0, 0.0]


def test_json_keeps_what_is_known_of_the_signal(tmp_path):
    spectra = [
        made([1, 2, 3], [1, 2, 4, 8], width=1.5, masks=((3.0, 5.0, "J/psi"),), partial=True),
        made([1, 2, 3], [1, 2, 4, 8], cell="inclusive", resolution=Resolution(0.02, 0.1, 0.3)),
    ]
    one, two = read_spectra(write_spectra(spectra, tmp_path / "s.json"))
    assert (one.width, one.masks, one.partial) == (1.5, ((3.0, 5.0, "J/psi"),), True)
    assert one.masked.tolist() == [False, True, True]
    assert two.resolution == Resolution(0.02, 0.1, 0.3)


def test_only_some_are_read(tmp_path):
    path = write_spectra([made([1, 2], [0, 1, 2]), made([3, 4], [0, 1, 2], cell="mu=3")], tmp_path / "s.root")
    (one,) = read_spectra(path, names=["ROI_mass_m0m1_cat_3mx_width_1"])
    assert one.counts.tolist() == [3, 4]
    with pytest.raises(InputError, match="no histogram 'x'; it has: ROI_mass_m0m1_cat_2mx_width_1"):
        read_spectra(path, names=["x"])


# -- files of others -----------------------------------------------------------------------------------------------


def test_root_files_with_folders_and_other_things(tmp_path):
    path = tmp_path / "others.root"
    flat = hist.Hist(hist.axis.Regular(4, 0, 8), storage=hist.storage.Double()).fill([1, 3, 5])
    plane = hist.Hist(hist.axis.Regular(2, 0, 1), hist.axis.Regular(2, 0, 1), storage=hist.storage.Double())
    with uproot.recreate(path) as file:
        file["folder/deep/mass_m0m1_cat_2mx"] = flat
        file["plane"] = plane
        file["tree"] = {"x": np.arange(3.0)}
        file["np"] = np.histogram([1, 2, 3], 5)
    first, second = read_spectra(path)
    assert (first.combination, first.cell) == ("m0m1", "mu=2")
    assert first.counts.sum() == 3
    assert second.combination == "np"


def test_bare_uhi_json(tmp_path):
    one = made([4, 5, 6], [0, 1, 2, 3])
    write_spectra([one], tmp_path / "ours.json")
    bare = json.loads((tmp_path / "ours.json").read_text())["spectra"]["ROI_mass_m0m1_cat_2mx_width_1"]["histogram"]
    (tmp_path / "dimuon.json").write_text(json.dumps(bare))
    (tmp_path / "many.json").write_text(json.dumps({"a": bare, "b": bare, "comment": "text"}))
    assert read_spectra(tmp_path / "dimuon.json")[0].combination == "dimuon"
    assert [one.combination for one in read_spectra(tmp_path / "many.json")] == ["a", "b"]


@pytest.mark.parametrize(
    "text",
    [
        "low,high,count\n0,1,4\n1,3,5\n",
        "# from a paper\nlow; high; entries\n0;1;4\n1;3;5\n",
        "0 1 4\n1 3 5\n",
        "edges,counts\n0,4\n1,5\n3,\n",
    ],
    ids=["commas", "semicolons", "no header", "edges"],
)
def test_tables_of_edges_and_counts(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text)
    (one,) = read_spectra(path)
    assert one.edges.tolist() == [0, 1, 3]
    assert one.counts.tolist() == [4, 5]
    assert one.combination == "table"


def test_a_table_of_centres(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("x,count\n1,4\n3,5\n5,6\n")
    (one,) = read_spectra(path)
    assert one.edges.tolist() == [0, 2, 4, 6]
    assert one.counts.tolist() == [4, 5, 6]
    path.write_text("center,count\n1,4\n1,5\n")
    with pytest.raises(FormatError, match="the centres"):
        read_spectra(path)


def test_what_a_stranger_adds_to_a_histogram_is_left_out(tmp_path):
    path = write_spectra([made([4, 5, 6], [0, 1, 2, 3])], tmp_path / "s.json")
    content = json.loads(path.read_text())
    one = next(iter(content["spectra"].values()))["histogram"]
    one["metadata"] = {"values": "mine"}
    one["axes"][0]["metadata"] = {"edges": [1], "name": "mass"}
    path.write_text(json.dumps(content))
    assert read_spectra(path)[0].counts.tolist() == [4, 5, 6]
    assert read_spectra(path)[0].edges.tolist() == [0, 1, 2, 3]


def test_negative_bins_without_errors_are_no_weights(tmp_path):
    difference = hist.Hist(hist.axis.Regular(3, 0, 3), data=np.array([4.0, -2.0, 1.0]))
    with uproot.recreate(tmp_path / "d.root") as file:
        file["d"] = difference
    (one,) = read_spectra(tmp_path / "d.root")
    assert one.counts.tolist() == [4, -2, 1]


def test_a_column_of_masses(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("run,M,x\n1,0.5,7\n1,1.5,7\n2,1.6,7\n2,9,7\n")
    (one,) = read_spectra(path, bins=2, low=0, high=2)
    assert one.counts.tolist() == [1, 2]
    assert read_spectra(path, column="x", bins=1, low=6, high=8)[0].counts.tolist() == [4]
    (tmp_path / "bare.txt").write_text("1\n2\n4\n")
    assert read_spectra(tmp_path / "bare.txt", bins=3)[0].counts.sum() == 3


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data/cms2011")
@pytest.mark.parametrize(
    ("name", "low", "high", "number"),
    [("Zmumu_Run2011A_masses.csv", 60, 120, 10_851), ("peakdata4.csv", 0.9, 1.13, 7_915)],
    ids=["Z", "phi"],
)
def test_real_masses(name, low, high, number):
    (one,) = read_spectra(SHARED / name, bins=60, low=low, high=high)
    assert one.entries == pytest.approx(number, abs=2)


def test_anything_that_speaks_uhi(tmp_path):
    import boost_histogram as bh

    one = to_spectrum(bh.Histogram(bh.axis.Regular(3, 0, 1)).fill([0.1, 0.5]), "ROI_mass_j0j1_cat_2jx_width_1")
    assert (one.combination, one.cell, one.entries) == ("j0j1", "j=2", 2)
    with uproot.recreate(tmp_path / "h.root") as file:
        file["h"] = np.histogram([1.0, 2.0], 4)
    with uproot.open(tmp_path / "h.root") as file:
        assert to_spectrum(file["h"]).entries == 2


# -- wrong files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("a.root", b"", FormatError, "no ROOT file"),
        ("a.root", b"text", FormatError, "no ROOT file"),
        ("a.json", b"{", FormatError, "not JSON"),
        ("a.json", b"[1]", FormatError, "a list or a number"),
        ("a.json", b'{"axes": [1]}', FormatError, "no UHI histogram"),
        ("a.json", b'{"x": 1}', FormatError, "no 1D histogram"),
        ("a.json", b'{"format": "coffea-ddp/spectra", "version": 9}', FormatError, "version 9"),
        ("a.json", b'{"format": "coffea-ddp/spectra", "version": 1}', FormatError, "no histograms by name"),
        ("a.json", b'{"x": {"axes": 3}}', FormatError, "no 1D histogram"),
        ("a.json", b'{"format": "coffea-ddp/spectra", "version": 1, "spectra": {"x": {}}}', FormatError, "malformed"),
        ("a.csv", b"", FormatError, "no line"),
        ("a.csv", b"low,high,count\n", FormatError, "nothing below"),
        ("a.csv", b"low,high,count\n0,1,x\n", FormatError, "line 1 of the numbers, '0,1,x'"),
        ("a.csv", b"low,high,count\n0,1\n", FormatError, "no number for 'the count'"),
        ("a.csv", b"low,high,count\n0,1,3\n2,3,3\n", FormatError, "ends at 1 is followed by one from 2"),
        ("a.csv", b"low,high,count\n0,1,3\n1,1,3\n", FormatError, "not numbers that increase"),
        ("a.csv", b"low,high,count\n0,1,nan\n", FormatError, "NaN or infinite"),
        ("a.csv", b"M\n1\n2\n", InputError, "a column of 2 masses; say how"),
        ("a.csv", b"M\n1\nnan\n", FormatError, "line 2: a mass is not finite"),
        ("a.csv", b"a,b\n1,2\n", InputError, "which column is the mass"),
        ("a.csv", b"PK\x00\x01\n", FormatError, "no text"),
        ("a.csv", b"\xff\xfe\x00", FileError, "cannot be read"),
    ],
)  # fmt: skip
def test_files_that_are_wrong(tmp_path, name, content, error, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(error, match=message):
        read_spectra(path)


def test_a_truncated_root_file(tmp_path):
    whole = write_spectra([made([1, 2], [0, 1, 2])], tmp_path / "whole.root")
    cut = tmp_path / "cut.root"
    cut.write_bytes(whole.read_bytes()[:300])
    with pytest.raises(FormatError, match="no ROOT file, or a damaged one"):
        read_spectra(cut)


def test_what_cannot_be_read_or_written(tmp_path):
    with pytest.raises(FileError, match="no such file"):
        read_spectra(tmp_path / "none.root")
    one = made([1, 2], [0, 1, 2])
    with pytest.raises(InputError, match="one of these suffixes"):
        write_spectra([one], tmp_path / "x.pkl")
    with pytest.raises(InputError, match="no spectrum to write"):
        write_spectra([], tmp_path / "x.root")
    with pytest.raises(InputError, match="two spectra are called"):
        write_spectra([one, one], tmp_path / "x.root")
    with pytest.raises(FileError, match="cannot be written"):
        write_spectra([one], tmp_path / "no" / "x.root")
    path = tmp_path / "m.csv"
    path.write_text("M\n1\n2\n")
    with pytest.raises(InputError, match="no column 'y'"):
        read_spectra(path, column="y", bins=3)
    with pytest.raises(InputError, match="0 bins"):
        read_spectra(path, bins=0)


@pytest.mark.parametrize(
    ("histogram", "message"),
    [
        (hist.Hist(hist.axis.Regular(2, 0, 1), hist.axis.Regular(2, 0, 1)), "2 axes"),
        (object(), "no histogram"),
        (hist.Hist(hist.axis.Regular(2, 0, 1), data=np.array([np.nan, 1.0])), "NaN"),
    ],
    ids=["plane", "object", "nan"],
)
def test_what_is_no_spectrum(histogram, message):
    with pytest.raises(FormatError, match=message):
        to_spectrum(histogram)


# -- spectra -------------------------------------------------------------------------------------------------------


@given(st.floats(0.005, 0.2), st.floats(0.0, 1.0), st.floats(1.0, 100.0))
def test_a_resolution_is_the_same_number_of_bins_everywhere(constant, stochastic, low):
    resolution = Resolution(constant, stochastic)
    axis = resolution_axis(resolution, low, 20 * low, step=0.5)
    spectrum = MassSpectrum("m0m1", "mu=2", hist.Hist(axis), resolution=resolution)
    assert spectrum.sigma_bins == pytest.approx(np.full(len(axis), 2.0), rel=0.02)
    assert axis.edges[-1] >= 20 * low


def test_combined_resolutions():
    assert combined(Resolution(0.02, 0.4)) == Resolution(0.02, 0.4)
    assert combined(*[Resolution(0.02)] * 4).constant == pytest.approx(0.01)
    with pytest.raises(InputError, match="of no resolution"):
        combined()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Resolution(-0.1), "0 or more"),
        (lambda: Resolution(0.0), "not all 0"),
        (lambda: resolution_axis(Resolution(0.1), 0.0, 10.0), "0 < low < high"),
        (lambda: resolution_axis(Resolution(1e-5), 1.0, 1000.0), "over 10000 bins"),
    ],
    ids=["negative", "zero", "from 0", "too fine"],
)
def test_resolutions_that_make_no_axis(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_a_spectrum_shows_itself():
    one = made([1, 2], [0, 1, 2], partial=True, width=0.5)
    assert "PARTIAL" in repr(one)
    assert "m0m1" in one._repr_html_()
    assert one.sigma_bins.tolist() == [0.5, 0.5]
    assert made([1, 2], [0, 1, 2]).sigma_bins is None
