"""One spectrum in the tables of text and the JSON that people have: the same edges and counts, or what to do."""

from __future__ import annotations

import gzip
import json

import hist
import numpy as np
import pandas as pd
import pytest
from boost_histogram.serialization import to_uhi

from coffea_ddp.errors import FormatError, InputError
from coffea_ddp.spectra.masses import Binning
from coffea_ddp.spectra.reading import read_contents, read_spectra

EDGES = np.linspace(60.0, 120.0, 41)
COUNTS = np.random.default_rng(1).poisson(3_000 * np.exp(-np.arange(40) / 15.0))
CENTRES = 0.5 * (EDGES[1:] + EDGES[:-1])
BINS = list(zip(EDGES[:-1], EDGES[1:], COUNTS, strict=True))


def lines(form, header=""):
    """Return one line a bin; i from 0, x the centre, a and b the edges, n the content, e its root."""
    made = (form.format(i=i, x=(a + b) / 2, a=a, b=b, n=n, e=n**0.5) for i, (a, b, n) in enumerate(BINS))
    return "\n".join([*([header] if header else []), *made]) + "\n"


def comma(text):
    return text.replace(".", ",")


AXIS = "M [GeV],M [GeV] LOW,M [GeV] HIGH"
MASS_COUNT = pd.DataFrame({"mass": CENTRES, "count": COUNTS})
FORMS = {
    "pandas": MASS_COUNT.to_csv(),
    "pandas, a series": pd.Series(COUNTS, index=pd.Index(CENTRES, name="m_mumu")).to_csv(),
    "pandas, printed": MASS_COUNT.to_string(),
    "pandas, edges": pd.DataFrame({"low": EDGES[:-1], "high": EDGES[1:], "n": COUNTS}).to_csv(),
    "R, write.table": lines('"{i}" {x:g} {n}', '"mass" "count"').replace('"0"', '"1"', 0),
    "Excel, German": comma(lines("{x:g};{n}", "mass;counts")),
    "Excel, sep": "sep=;\n" + comma(lines("{x:g};{n}", "mass;counts")),
    "Excel, thousands": lines('{x:g},"{n:,}"', "mass,counts"),
    "Excel, title": lines("{a:g},{b:g},{n}", "Dimuon mass spectrum 2018,,\nlow,high,events"),
    "Excel, title alone": lines("{a:g},{b:g},{n}", "Events of 2018\nlow,high,events"),
    "Excel, title with a year": lines("{x:g},{n},", "Dimuons, 2018, CMS\nmass,count,"),
    "Excel, units below": lines("{a:g},{b:g},{n}", "low,high,events\nGeV,GeV,"),
    "Excel, TeV below": lines("{x:g},{n}", "mass,events\nTeV,").replace("TeV", "GeV"),
    "ROOT, Print range": lines(" fSumw[{i}]={n}, x={x:g}").replace("fSumw[0]", "fSumw[1]"),
    "ROOT, Print all": (
        " TH1.Print Name  = m, Entries= 9, Total sum= 9\n fSumw[0]=7, x=59.25, error=2.6\n"
        + lines(" fSumw[9]={n}, x={x:g}, error={e:g}")
        + " fSumw[41]=8, x=120.75, error=2.8\n"
    ),
    "no header": lines("{x:g} {n}"),
    "no header, number": lines("{i} {x:g} {n}"),
    "no header, number and error": lines("{i} {x:g} {n} {e:g}"),
    "no header, number and edges": lines("{i},{a:g},{b:g},{n}"),
    "words of another language": comma(lines("{a:g};{b:g};{n}", "von;bis;Anzahl")),
    "numpy's words": lines("{x:g},{n}", "bin_centers,hist"),
    "a density's name": lines("{x:g},{n}", "mass,dN/dm"),
    "Markdown": lines("| {x:g} | {n} |", "| mass | count |\n|---|---|"),
    "LaTeX": "\\begin{tabular}{cc}\n" + lines("{x:g} & {n} \\\\", "mass & count \\\\\n\\hline") + "\\end{tabular}\n",
}


def check(spectra):
    (one,) = spectra
    np.testing.assert_allclose(one.edges, EDGES, rtol=1e-12)
    np.testing.assert_array_equal(one.counts, COUNTS)


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_one_table(tmp_path, name):
    path = tmp_path / "table.txt"
    path.write_text(FORMS[name])
    check(read_spectra(path))
    packed = tmp_path / "table.csv.gz"
    packed.write_bytes(gzip.compress(FORMS[name].encode()))
    check(read_spectra(packed))


def test_units_below_a_header(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(lines("{x:g},{n}", "mass,events\n[TeV],"))
    assert read_spectra(path)[0].edges[-1] == pytest.approx(120_000.0)


def test_several_printed_histograms(tmp_path):
    path = tmp_path / "t.txt"
    one = " TH1.Print Name  = {}, Entries= 9, Total sum= 9\n" + lines(" fSumw[9]={n}, x={x:g}").replace("{", "(")
    path.write_text(one.format("ee") + one.format("mumu"))
    spectra = read_spectra(path)
    assert [spectrum.hist.name for spectrum in spectra] == ["t/ee", "t/mumu"]
    assert all(np.array_equal(spectrum.counts, COUNTS) for spectrum in spectra)


def test_blocks_of_different_widths(tmp_path):
    """HEPData's CSV has one block for each dependent variable, with the errors that it has."""
    path = tmp_path / "t.csv"
    first = lines("{x:g},{a:g},{b:g},{n},{e:.4g},-{e:.4g}", f"#: name: F\n{AXIS},Events,stat +,stat -")
    path.write_text(first + "\n" + lines("{x:g},{a:g},{b:g},{n}", f"{AXIS},Background"))
    assert [np.array_equal(spectrum.counts, COUNTS) for spectrum in read_spectra(path)] == [True, True]


@pytest.mark.parametrize(
    ("form", "header"),
    [
        ("{a:g},{b:g},{y:g},{r:.6g}%,-{r:.6g}%", "low,high,sigma [pb],stat +,stat -"),
        ("{a:g},{b:g},{y:g},{r:.6g}", "low,high,y,stat (%)"),
    ],
)
def test_errors_in_per_cent(tmp_path, form, header):
    path = tmp_path / "t.csv"
    rows = [form.format(a=a, b=b, y=n / 137, r=100 / n**0.5) for a, b, n in BINS]
    path.write_text("\n".join([header, *rows]))
    np.testing.assert_array_equal(read_spectra(path)[0].effective, COUNTS)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (lines("{x:g},{n},0.02", "mass,count,rel_err"), InputError, "'rel_err': a part of the content, or per cent"),
        (lines("{x:g} {n}", "M [GeV] Events"), FormatError, "header has 3 words, and its lines have 2 numbers"),
        (" ".join(map(str, COUNTS)) + "\n" + " ".join(map(str, EDGES)), InputError, "41 columns in 2 lines"),
        (lines("{x:g},{n}", "mass,count").replace("\n75.75,", "\n75,"), FormatError, "after 74.25 comes 75"),
        (lines("{x:g},{n}", "mass,count") + f"{CENTRES[-1]:g},3\n", FormatError, "after 119.25 comes 119.25"),
        ("BEGIN YODA_HISTO1D_V2 /m\n", FormatError, "a file of YODA"),
        ("<html><table><tr><td>60</td></tr></table></html>", FormatError, "a web page"),
        (lines("{n}"), InputError, "If every line is a bin, add columns low and high"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_named(tmp_path, text, error, message):
    path = tmp_path / "t.txt"
    path.write_text(text)
    with pytest.raises(error, match=message):
        read_spectra(path)


def test_a_first_bin_without_content_is_no_header(tmp_path):
    path = tmp_path / "t.csv"
    for missing in ("-", "n/a", "nan", ""):
        path.write_text(lines("{x:g},{n}").replace(f"60.75,{COUNTS[0]}", f"60.75,{missing}"))
        with pytest.raises((FormatError, InputError)):
            read_spectra(path)


def test_masses_as_pandas_writes_them(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(pd.DataFrame(np.repeat(CENTRES, 3)).to_csv())
    assert read_spectra(path, bins=40, low=60, high=120)[0].counts.tolist() == [3.0] * 40
    rows = "".join(f"* {i:8d} * {m:9.5g} *\n" for i, m in enumerate(np.repeat(CENTRES, 3)))
    path.write_text(f"{'*' * 24}\n*    Row   *         m *\n{'*' * 24}\n{rows}{'*' * 24}\n")
    assert read_spectra(path, bins=40, low=60, high=120)[0].counts.tolist() == [3.0] * 40


def test_how_many_masses_are_inside_is_told(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("mass [MeV]\n" + "\n".join(f"{1000 * m:g}" for m in CENTRES))
    found = read_contents(path, binning=Binning(bins=10, low=60, high=120))
    assert found.notes == ("masses 'mass [MeV]', 0 of 40 from 0.06 to 0.12 GeV; --low and --high are in its own unit",)
    (one,) = read_spectra(path, bins=40, low=60_000, high=120_000)
    np.testing.assert_allclose(one.edges, EDGES)
    assert one.counts.tolist() == [1.0] * 40


MADE = hist.Hist(hist.axis.Variable(EDGES, name="m"), data=COUNTS.astype(float))
PLAIN = {"edges": EDGES.tolist(), "counts": COUNTS.tolist()}


@pytest.mark.parametrize("content", [to_uhi(MADE), [to_uhi(MADE)], {"ee": {"m": to_uhi(MADE)}}, PLAIN])
def test_json_packed_listed_and_nested(tmp_path, content):
    text = json.dumps(content, default=lambda array: array.tolist())
    (tmp_path / "m.json").write_text(text)
    (tmp_path / "m.json.gz").write_bytes(gzip.compress(text.encode()))
    check(read_spectra(tmp_path / "m.json"))
    check(read_spectra(tmp_path / "m.json.gz"))


def test_packed_text_that_is_not_whole(tmp_path):
    path = tmp_path / "m.json.gz"
    path.write_bytes(gzip.compress(json.dumps(PLAIN).encode())[:-20])
    with pytest.raises(FormatError, match="cannot be unpacked"):
        read_spectra(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.json", b'{"bins": [1, 2], "y": [3]}', "under the keys 'bins', 'y'; arrays are read as"),
        ("m.pkl", b"\x80\x04\x95", "a pickle.*may run code"),
        ("m.coffea", b"\x04\x22\x4d\x18", "an output of coffea.*may run code"),
        ("m.xlsx", b"PK\x03\x04" + bytes(40), "a workbook, save the sheet as CSV"),
        ("m.npz", b"PK\x03\x04" + bytes(40), "an array of numpy, give a table"),
        ("m.root.gz", gzip.compress(b"root", mtime=0), "unpack it first"),
    ],
    ids=["keys", "pickle", "coffea", "xlsx", "npz", "root.gz"],
)
def test_files_of_other_kinds_are_told(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FormatError, match=message):
        read_spectra(tmp_path / name)
