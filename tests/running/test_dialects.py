"""Tables as people have them: each dialect gives the same bins and contents, or says what decides."""

from __future__ import annotations

import json

import numpy as np
import pytest

from coffea_ddp.errors import DDPError, FormatError, InputError
from coffea_ddp.scanning.bump_range import prepare
from coffea_ddp.spectra.reading import read_contents, read_spectra
from coffea_ddp.stats.status import Status

BINS = "60 61 12\n61 62 9\n62 63 4\n63 64 1\n"
EDGES, COUNTS = [60, 61, 62, 63, 64], [12, 9, 4, 1]


def table(header, row, sep=",", end="\n", last=""):
    """Write the four bins with a row for each: ``row`` is given the lower edge and the count."""
    lines = [header] if header else []
    lines += [sep.join(map(str, row(low, count))) for low, count in zip(EDGES, COUNTS, strict=False)]
    return end.join([*lines, *([last] if last else []), ""])


def both(low, count):
    return low, low + 1, count


def centre(low, count):
    return low + 0.5, count


DIALECTS = {
    "low,high,count": table("low,high,count", both),
    "x_low x_high y": table("x_low x_high y", both, " "),
    "xmin;xmax;n": table("xmin;xmax;n", both, ";"),
    "bin_low bin_high content": table("bin_low\tbin_high\tcontent", both, "\t"),
    "left,right,entries": table("left,right,entries", both),
    "from to events": table("from,to,events", both),
    "mass_min mass_max N": table("mass_min,mass_max,N", both),
    "HEPData columns": table(
        '"M [GeV]","M [GeV] LOW","M [GeV] HIGH","Events / 1 GeV","stat +","stat -"',
        lambda low, n: (low + 0.5, low, low + 1, n, n**0.5, -(n**0.5)),
    ),
    "mass,count": table("mass,count", centre),
    "M [GeV],Events": table('"M [GeV]","Events"', centre),
    "m_mumu,entries": table("m_mumu (GeV),entries", centre),
    "mjj counts": table("mjj counts", centre, " "),
    "x,count": table("x,count", centre),
    "center,count": table("bin_center,count", centre),
    "mass, unknown content": table("mass,dimuons", centre),
    "count,mass": table("count,mass", lambda low, n: (n, low + 0.5)),
    "bin,mass,count": table("bin,mass,count", lambda low, n: (low - 60, low + 0.5, n)),
    "mass,count,error": table("mass,count,error", lambda low, n: (low + 0.5, n, f"{n**0.5:.2g}")),
    "mass,count,err_up,err_down": table(
        "mass,count,err_up,err_down", lambda low, n: (low + 0.5, n, (n + 0.75) ** 0.5 + 1, n**0.5)
    ),
    "mass,xerr,count,yerr": table("mass,xerr,count,yerr", lambda low, n: (low + 0.5, 0.5, n, n**0.5)),
    "mass,dx full,count": table("mass,dx,count", lambda low, n: (low + 0.5, 1, n)),
    "centre, half width": table("centre,half width,count", lambda low, n: (low + 0.5, 0.5, n)),
    "centre, width": table("centre,width,count", lambda low, n: (low + 0.5, 1, n)),
    "edges, one more": table("edges,count", lambda low, n: (low, n), last="64,"),
    "edges, one more, short": table("edge count", lambda low, n: (low, n), " ", last="64"),
    "lower edges": table("low,count", lambda low, n: (low, n)),
    "upper edges": table("high,count", lambda low, n: (low + 1, n)),
    "no header, centres": table("", centre),
    "no header, blanks": table("", centre, "   "),
    "no header, x y err": table("", lambda low, n: (low + 0.5, n, f"{n**0.5:.3f}"), " "),
    "no header, x y err err": table("", lambda low, n: (low + 0.5, n, n**0.5, n**0.5), " "),
    "no header, low high count": table("", both, " "),
    "no header, low high count err": table("", lambda low, n: (low, low + 1, n, n**0.5), " "),
    "no header, x dx y dy": table("", lambda low, n: (low + 0.5, 0.5, n, n**0.5), " "),
    "no header, x low high y": table("", lambda low, n: (low + 0.5, low, low + 1, n), " "),
    "no header, yoda": table("", lambda low, n: (low + 0.5, low, low + 1, n, n**0.5, n**0.5), "\t"),
    "numpy's header": "# mass count\n" + table("", centre, " "),
    "numpy's header, edges": "# low, high, count\n" + table("", both),
    "comments #": "# made by us\n# on a day\n" + table("low,high,count", both),
    "comments %": "% made by us\n" + table("low high count", both, " "),
    "comments //": "// made by us\n" + table("low high count", both, " "),
    "comments behind": table("low high count", lambda low, n: (low, low + 1, n, "# good"), " "),
    "comments of three words": "# from a paper\n" + table("", both, " "),
    "quoted": table('"low";"high";"count"', lambda low, n: (f'"{low}"', f'"{low + 1}"', f'"{n}"'), ";"),
    "decimal commas": table("mass;count", lambda low, n: (f"{low},5", n), ";"),
    "decimal commas, tabs": table("mass\tcount", lambda low, n: (f"{low},50", f"{n},0"), "\t"),
    "decimal commas, blanks": table("mass count", lambda low, n: (f"{low},5", n), " "),
    "decimal commas, quoted": table("mass,count", lambda low, n: (f'"{low},5"', n)),
    "byte order mark": "\ufeff" + table("low,high,count", both),
    "CRLF": table("low,high,count", both, end="\r\n"),
    "CR": table("low,high,count", both, end="\r"),
    "no last line end": table("low,high,count", both).rstrip("\n"),
    "exponents": table("low,high,count", lambda low, n: (f"{low:e}", f"{low + 1:E}", f"{n:.1e}")),
    "Fortran": table("low,high,count", lambda low, n: (f"{low}.0D+00", f"{low + 1}d0", n)),
    "signs": table("low,high,count", lambda low, n: (f"+{low}", f"+{low + 1}", f"+{n}")),
    "trailing commas": table("low,high,count,", lambda low, n: (low, low + 1, n, "")),
    "trailing semicolons": table("low;high;count", lambda low, n: (low, low + 1, f"{n};"), ";"),
    "padded": table(" low , high , count ", lambda low, n: (f"  {low}", f" {low + 1} ", f"  {n} ")),
    "fixed width": "  low   high   count\n"
    + "".join(f"{x:7.1f}{x + 1:7.1f}{n:8d}\n" for x, n in zip(EDGES, COUNTS, strict=False)),
    "intervals of pandas": table("interval,count", lambda low, n: (f'"({low}.0, {low + 1}.0]"', n)),
    "ranges": table("mass range [GeV];count", lambda low, n: (f"{low} - {low + 1}", n), ";"),
    "no header, ranges": table("", lambda low, n: (f"{low}-{low + 1}", n), "\t"),
    "no header, index": table("", lambda low, n: (low - 59, low, low + 1, n, n**0.5), "\t"),
    "markdown bars": table("low|high|count", both, "|"),
    "empty lines": table("low,high,count", both).replace("\n", "\n\n"),
    "descending": "low,high,count\n" + "\n".join(reversed(table("", both).split())),
    "descending centres": "mass,count\n" + "\n".join(reversed(table("", centre).split())),
    "shuffled": "low,high,count\n61,62,9\n63,64,1\n60,61,12\n62,63,4\n",
    "flow bins": "low,high,count\n-inf,60,7\n" + table("", both) + "64,inf,3\n",
    "units below": "low,high,count\n[GeV],[GeV],\n" + table("", both),
    "index first": table(",low,high,count", lambda low, n: (low - 60, low, low + 1, n)),
    "mass beside edges": table("mass,low,high,count", lambda low, n: (low + 0.5, low, low + 1, n)),
    "TeV": table("mass [TeV],count", lambda low, n: ((low + 0.5) / 1000, n)),
    "MeV": table("low [MeV],high [MeV],count", lambda low, n: (1000 * low, 1000 * (low + 1), n)),
}


@pytest.mark.parametrize("text", DIALECTS.values(), ids=DIALECTS.keys())
def test_every_dialect_gives_the_same_bins(tmp_path, text):
    (tmp_path / "t.csv").write_bytes(text.encode())
    (one,) = read_spectra(tmp_path / "t.csv")
    assert one.edges == pytest.approx(EDGES, rel=1e-9)
    assert one.counts.tolist() == COUNTS
    assert one.variances is None


def test_encodings(tmp_path):
    text = table("low,high,count,µ", lambda low, n: (low, low + 1, n, ""))
    for encoding in ("utf-8", "utf-16", "cp1252"):
        (tmp_path / "t.csv").write_bytes(text.encode(encoding))
        assert read_spectra(tmp_path / "t.csv")[0].counts.tolist() == COUNTS


def test_thousands(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('low,high,count\n1000,2000,"1,234,567"\n2000,3000,"234,567"\n')
    assert read_spectra(path)[0].counts.tolist() == [1_234_567, 234_567]
    path.write_text("low;high;count\n1000;2000;1 234 567\n2000;3000;234 567\n")
    assert read_spectra(path)[0].counts.tolist() == [1_234_567, 234_567]
    path.write_text("low;high;count\n1000,5;2000,5;1.234.567\n2000,5;3000,5;567\n")
    assert read_spectra(path)[0].edges.tolist() == [1000.5, 2000.5, 3000.5]
    assert read_spectra(path)[0].counts.tolist() == [1_234_567, 567]


def test_a_comma_that_may_be_two_things(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("low;high;count\n1000;2000;1,234\n2000;3000;2,345\n")
    with pytest.raises(InputError, match="--decimal ,"):
        read_spectra(path)
    assert read_spectra(path, decimal=".")[0].counts.tolist() == [1234, 2345]
    assert read_spectra(path, decimal=",")[0].counts.tolist() == [1.234, 2.345]
    with pytest.raises(InputError, match="decimal ';'"):
        read_spectra(path, decimal=";")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mass,count\n60,1\n61,2\n63,3\n64,3\n", "after 61 comes 63.*, so where bins begin and end is not known"),
        ("mass,count\n61.3,1\n60.2,2\n91.0,3\n", r"--column \(column=\)"),
        ("mass,count\n60,1\n60,2\n61,3\n", "increase"),
        ("low,count\n60,1\n61,2\n63,3\n", "where the last bin ends is not said"),
        ("high,count\n60,1\n61,2\n63,3\n", "where the first bin begins is not said"),
        ("low,high,count\n60,61,1\n60,61,1\n61,62,3\n", "next to each other"),
        ("low,high,count\n60,61,1\n60.5,62,1\n", "next to each other"),
        ("low,high,count\n60,61,1\n61,62,\n62,63,4\n", "line 2 of the numbers, '61,62': no number for 'the count'"),
        ("low,high,count\n60,61,1\n61,,2\n", "no number for 'the upper edge'"),
        ("low,high,count\n60,61,1e999\n61,62,2\n", "NaN or infinite"),
        ("low,high,count\n-inf,inf,12\n", "not numbers that increase"),
        ("m_ee,m_mumu,count\n60,60,1\n61,61,2\n62,62,3\n", "which of them is the axis"),
        ("low,high,m_low,m_high,count\n0,1,60,61,3\n1,2,61,62,3\n", "which of them is the axis"),
        ("count\n1\n2\n3\n", "contents without edges"),
        ("bin,count\n1,1\n2,2\n3,3\n", "contents without edges"),
        ("m_ee,m_mumu\n60.1,33\n66,61\n62,1\n", "which column is the mass.*m_ee, m_mumu"),
        ("60.1 33\n66 61\n62 1\n", "without names"),
        ("M,M LOW,M HIGH,y\n60.5,60,61,2\n62.5,62,63,2\n", "bins must be next"),
        ("60 61 2\n62 63 2\n64 65 3\n", "bins must be next"),
        ("mass,width,count\n60,1,2\n61,5,2\n62,1,3\n", "centres and widths"),
        ("low,high,stat\n60,61,2\n61,62,2\n", "which column is the mass|edges without contents"),
        ('low,high,count\n60,61,"1\n', "no"),
    ],
)  # fmt: skip
def test_what_is_ambiguous_or_wrong_is_refused(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DDPError, match=message):
        read_spectra(tmp_path / "t.csv")


def test_centres_as_they_are_printed(tmp_path):
    edges = np.linspace(14.3, 100.0, 61)
    centres = 0.5 * (edges[1:] + edges[:-1])
    (tmp_path / "t.csv").write_text("mass,count\n" + "".join(f"{x:.3g},{n}\n" for n, x in enumerate(centres, 5)))
    (one,) = read_spectra(tmp_path / "t.csv")
    assert one.edges == pytest.approx(edges, abs=0.06)


def test_arrays_in_json(tmp_path):
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"edges": EDGES, "counts": COUNTS}))
    assert read_spectra(path)[0].counts.tolist() == COUNTS
    path.write_text(json.dumps({"bin_edges": EDGES, "values": [0.5, 1, 1, 1], "errors": [0.5, 1, 1, 1]}))
    assert read_spectra(path)[0].effective.tolist() == [1, 1, 1, 1]
    path.write_text(json.dumps({"edges": EDGES, "counts": COUNTS[1:]}))
    with pytest.raises(FormatError, match="5 edges for contents of shape"):
        read_spectra(path)


def test_columns_that_are_not_used_are_told(tmp_path):
    (tmp_path / "t.csv").write_text("low,high,data,background\n0,1,4,3.5\n1,2,9,8.5\n")
    assert read_contents(tmp_path / "t.csv").notes[0].endswith("contents 'data'; not used: 'background'")


def test_options_that_fit_nothing(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(DIALECTS["mass,count"])
    with pytest.raises(InputError, match="bins: these are for a list of masses"):
        read_spectra(path, bins=3)
    assert read_spectra(path, column="mass", bins=2)[0].counts.tolist() == [2, 2]
    path.write_text("60.1 3\n61.7 4\n60.2 5\n")
    assert read_spectra(path, column="1", bins=2, low=60, high=62)[0].counts.tolist() == [2, 1]
    with pytest.raises(InputError, match="no column '3'"):
        read_spectra(path, column="3", bins=2)


def test_lists_of_masses(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("run;M [GeV];weight\n1;60,5;0,5\n1;61,5;2,0\n2;60,7;1,5\n")
    (one,) = read_spectra(path, bins=2, low=60, high=62)
    assert one.counts.tolist() == [2.0, 2.0]
    assert one.variances.tolist() == [2.5, 4.0]
    path.write_text("M\n91,2\n90,1\n")
    assert read_spectra(path, bins=1, low=90, high=92)[0].counts.tolist() == [2]
    path.write_text("M,w\n91,nan\n")
    with pytest.raises(FormatError, match="line 1: a weight is not finite"):
        read_spectra(path, bins=1)
    for bins in (10**12, 10**6):
        path.write_text("M\n1\n1.0000000000000002\n")
        with pytest.raises(InputError, match="bins from"):
            read_spectra(path, bins=bins)


@pytest.mark.parametrize("header", ["event,M", "event;M", "event M", ""])
def test_long_lists_are_read_alike(tmp_path, header):
    rng = np.random.default_rng(1)
    masses = np.round(rng.exponential(30.0, 12_000) + 60.0, 3)
    mark = next((mark for mark in ",; " if mark in header), ",")
    lines = [f"{i}{mark}{mass}" for i, mass in enumerate(masses.tolist())]
    options = {"bins": 50, "low": 60, "high": 160, "column": "M" if header else "2"}
    found = []
    for last in ([], [f"1{mark}nan"[:-3] + "1e3 # far away"]):  # a comment: not plain any more
        (tmp_path / "t.csv").write_text("\n".join([*([header] if header else []), *lines, *last]))
        found.append(read_spectra(tmp_path / "t.csv", **options)[0].counts)
    assert np.array_equal(found[0], np.histogram(masses[masses < 160], np.linspace(60, 160, 51))[0])
    assert np.array_equal(found[0], found[1])


def test_several_contents_are_spectra_of_their_own(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("low,high,ee_count,ee_err,mumu_count,mumu_err\n0,1,4,2,100,20\n1,2,9,3,25,10\n")
    ee, mumu = read_spectra(path)
    assert (ee.combination, mumu.combination) == ("t/ee_count", "t/mumu_count")
    assert ee.variances is None  # the errors of counts
    assert mumu.effective.tolist() == [25, 6]
    assert read_spectra(path, names=["t/mumu_count"])[0].counts.tolist() == [100, 25]


def test_blocks_with_headers_of_their_own(tmp_path):
    path = tmp_path / "t.csv"
    block = '"M [GeV]","M [GeV] LOW","M [GeV] HIGH","{}"\n0.5,0,1,{}\n1.5,1,2,3\n'
    path.write_text("#: name: Figure 1\n" + block.format("Events", 4) + "\n#: name: Figure 2\n" + block.format("N", 9))
    one, two = read_spectra(path)
    assert (one.combination, one.counts.tolist()) == ("t/Figure 1", [4, 3])
    assert (two.combination, two.counts.tolist()) == ("t/Figure 2", [9, 3])


@pytest.mark.parametrize("digits", [2, 3, 6])
def test_densities_with_errors_are_the_counts_again(tmp_path, digits):
    rng = np.random.default_rng(digits)
    edges = np.round(1000 * np.exp(np.arange(0, 45) * 0.045))
    counts, widths = rng.poisson(3e5 * np.exp(-np.arange(44) / 8.0)), np.diff(edges)
    scale = 1000 / 137e3
    lines = [
        f"{low:g},{high:g},{n * scale / width:.7g},{n**0.5 * scale / width:.{digits}g}"
        for low, high, n, width in zip(edges[:-1], edges[1:], counts, widths, strict=True)
    ]
    (tmp_path / "t.csv").write_text("low,high,dsigma/dm [pb/TeV],stat\n" + "\n".join(lines))
    (one,) = read_spectra(tmp_path / "t.csv")
    assert one.effective == pytest.approx(counts, rel=0.03 if digits == 2 else 1e-3, abs=1)
    common = one.effective.sum() / counts.sum()
    assert one.effective == pytest.approx(np.rint(counts * common), rel=1e-4, abs=1)


@pytest.mark.parametrize("digits", [3, 6, 12])
def test_square_roots_of_what_is_no_count_are_no_errors(tmp_path, digits):
    contents = np.random.default_rng(1).poisson(3000 * np.exp(-np.arange(40) / 9.0)) * 0.37 + 0.01
    lines = [f"{i},{i + 1},{y:.6g},{y**0.5:.{digits}g}\n" for i, y in enumerate(contents.tolist())]
    (tmp_path / "t.csv").write_text("low,high,y,error\n" + "".join(lines))
    (one,) = read_spectra(tmp_path / "t.csv")
    assert one.variances is None
    assert prepare(one).status is Status.NOT_COUNTS


def test_a_list_of_masses_with_limits_of_something(tmp_path):
    (tmp_path / "t.csv").write_text("mass,min_pt,max_pt\n91,20,40\n88,25,30\n89,26,44\n")
    assert read_spectra(tmp_path / "t.csv", bins=2, low=80, high=100)[0].counts.tolist() == [2, 1]


def test_scale_and_density(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("low,high,count\n0,10,0.4\n10,30,0.15\n")
    assert read_spectra(path, density=True)[0].counts.tolist() == [4, 3]
    assert read_spectra(path, scale=0.05)[0].counts.tolist() == [8, 3]
    for options in ({"scale": 0.3}, {"scale": 0}, {"scale": float("nan")}):
        with pytest.raises(InputError, match="scale"):
            read_spectra(path, **options)
    path.write_text("low,high,count\n" + "".join(f"{i},{i + 1},{round(13.7 * n)}\n" for i, n in enumerate(COUNTS)))
    assert read_spectra(path, scale=13.7)[0].counts.tolist() == COUNTS
    with pytest.raises(InputError, match="no whole number"):
        read_spectra(path, scale=9.1)
    path.write_text("low,high,count,variance\n0,10,0.4,0.04\n10,30,0.15,0.0075\n")
    assert read_spectra(path, scale=0.1, density=True)[0].effective.tolist() == read_spectra(path)[0].effective.tolist()


def test_the_note_tells_how_a_table_was_understood(tmp_path):
    (tmp_path / "t.csv").write_text(DIALECTS["mass,count"])
    assert read_contents(tmp_path / "t.csv").notes == ("edges half-way between the centres 'mass', contents 'count'",)


@pytest.mark.parametrize(
    ("header", "unit"), [("mass_MeV", 1e3), ("mass_TeV", 1e-3), ("mass GeV", 1.0), ("m [MeV]", 1e3)]
)
def test_a_unit_at_the_end_of_a_name_is_one(tmp_path, header, unit):
    counts = np.random.default_rng(1).poisson(2e4 * np.exp(-np.arange(60) / 12.0))
    table = np.column_stack([(60.5 + np.arange(60)) * unit, counts])
    np.savetxt(tmp_path / "x.csv", table, delimiter=",", header=f"{header},count", comments="", fmt="%.8g")
    (spectrum,) = read_spectra(tmp_path / "x.csv")
    assert spectrum.hist.axes[0].edges == pytest.approx(np.arange(60.0, 121.0))
