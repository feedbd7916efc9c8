"""Reports: files that come back as they were, files that are none, and strings from strangers."""

from __future__ import annotations

import csv
import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from coffea_ddp.errors import FileError, FormatError, InputError, UnknownNameError
from coffea_ddp.report.parts import BumpPart, RatioPart, TailPart
from coffea_ddp.report.regions import Range, Region
from coffea_ddp.report.report import FORMAT, ScanReport
from coffea_ddp.report.rows import COLUMNS, Row
from coffea_ddp.report.summaries import SymmetrySummary, ZHistogram
from coffea_ddp.stats.status import Status
from coffea_ddp.stats.trials import z_from_p

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
ANY_FLOAT = st.none() | st.floats(-1e8, 1e8)
P = st.none() | st.floats(1e-290, 1.0)
WHOLE = st.integers(0, 2**53)
REGIONS = st.builds(
    lambda name, low, unit, first: Region((Range(name, low, low + 1.0, unit, first, first + 2),)),
    TEXT, st.floats(-1e8, 1e8), TEXT, st.integers(0, 100),
) | st.builds(Region, label=TEXT)  # fmt: skip

ROWS = st.builds(
    Row.of_columns,
    kind=st.sampled_from(["symmetry", "spectrum"]),
    symmetry=st.none() | TEXT,
    observable=st.none() | TEXT,
    cell=st.none() | TEXT,
    region=st.none() | REGIONS,
    test=TEXT,
    n_a=st.none() | WHOLE | st.floats(0.0, 1e12),
    n_b=st.none() | WHOLE | st.floats(0.0, 1e12),
    statistic=ANY_FLOAT,
    p_local=P,
    z_local=ANY_FLOAT,
    p_global=P,
    z_global=ANY_FLOAT,
    method=TEXT,
    asks=st.none() | st.lists(TEXT, max_size=2).map(tuple),
    decays_to=st.lists(TEXT, max_size=2).map(tuple),
    p_method=TEXT,
    global_method=TEXT,
    reason=st.none() | TEXT,
    status=st.sampled_from([one.name for one in Status]),
    n_bins=st.none() | WHOLE,
    kappa=st.none() | st.floats(0.0, 1e6),
    asymmetry=ANY_FLOAT,
    position=ANY_FLOAT,
    width=st.none() | st.floats(0.0, 1e6),
    flags=st.none() | TEXT,
    p_tail=P,
    aliases=st.none() | WHOLE,
)


def in_a_report(rows):
    """Return the rows with the ranks that rows have beside others, p-values in order, z of them, no z without a p."""
    told = []
    for rank, one in enumerate(rows, 1):
        row = one
        if None not in (one.p_local, one.p_global) and one.p_local > one.p_global:
            row = dataclasses.replace(one, p_local=one.p_global, p_global=one.p_local)
        if row.p_global is not None:
            z = float(z_from_p(row.p_global, two_sided=row.two_sided))
            row = dataclasses.replace(row, z_global=-z if row.two_sided and (row.z_global or 0.0) < 0 else z)
        lacking = {f"z_{name}": None for name in ("local", "global") if getattr(row, f"p_{name}") is None}
        told.append(dataclasses.replace(row, rank=None if rank % 3 == 0 else rank, **lacking))
    return tuple(told)


SUMMARIES = st.builds(
    SymmetrySummary,
    symmetry=TEXT,
    sides=st.tuples(TEXT, TEXT),
    kappa=st.floats(1e-3, 1e3),
    n_cells=st.integers(2**52, 2**53),
    n_empty=st.integers(0, 2**50),
    n_distinct=st.integers(0, 2**50),
    statuses=st.dictionaries(TEXT, WHOLE, max_size=3),
)
JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats(-1e38, 1e38) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
REPORTS = st.builds(
    ScanReport,
    plan=TEXT,
    fingerprint=TEXT,
    seed=WHOLE,
    inputs=st.fixed_dictionaries(
        {"partial": st.booleans(), "missing": st.lists(TEXT, max_size=2)}, optional={"x": JSON}
    ),
    trials=WHOLE,
    rows=st.lists(ROWS, max_size=4).map(in_a_report),
    options=st.dictionaries(TEXT.map("x{}".format), JSON, max_size=2),
    summaries=st.lists(SUMMARIES, max_size=2).map(tuple),
    z_histogram=st.lists(st.floats(-20, 20), max_size=5).map(lambda z: ZHistogram().with_values(z)),
)


def make_row(**changes):
    values = {
        "kind": "symmetry", "symmetry": "e/mu", "observable": "met", "cell": "j>=2 & VBF", "region": None,
        "test": "nsigma", "n_a": 100, "n_b": 140, "statistic": 2.58, "p_local": 0.0099, "z_local": 2.58,
        "p_global": 0.095, "z_global": 1.67, "method": "asymptotic", "status": "OK", "rank": 1, "n_bins": 28,
        "kappa": 1.0, "asymmetry": 0.4, "aliases": 2,
    }  # fmt: skip
    parts = {name: changes.pop(name) for name in ("ratio", "tail", "bump") if name in changes}
    return dataclasses.replace(Row.of_columns(**values | changes), **parts)


def make_report(**changes):
    summary = SymmetrySummary("e/mu", ("e", "mu"), 1.0, 105, 5, 40, {"OK": 30, "TOO_FEW_ENTRIES": 10})
    values = {
        "plan": "demo", "fingerprint": "f" * 16, "seed": 1, "inputs": {"partial": False, "missing": []},
        "trials": 30, "rows": (make_row(), make_row(rank=2, statistic=-1.0, z_local=-1.0)), "summaries": (summary,),
    }  # fmt: skip
    return ScanReport(**values | changes)


PARTIAL = {"partial": True, "missing": ["a.root: the whole file (truncated)"]}
NASTY = "<script>alert(1)</script>[bold red]x[/bold red][link=http://x]y[/link]\x1b[31m\x07"


def printed(renderable):
    console = Console(width=200, force_terminal=True, record=True)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


# -- JSON ------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(REPORTS)
def test_json_round_trip(report):
    text = json.dumps(report.to_dict(), allow_nan=False)
    assert ScanReport.from_dict(json.loads(text)) == report


@settings(max_examples=8, deadline=None)
@given(report=REPORTS)
def test_every_face_of_any_report(report, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    assert ScanReport.load(report.save(folder / "report.json")) == report
    with report.to_csv(folder / "report.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(report.rows) == len(report.to_dataframe())
    assert ("PARTIAL" in repr(report)) >= report.partial
    assert ("PARTIAL" in report._repr_html_()) >= report.partial
    assert ("PARTIAL" in printed(report.table())) >= report.partial
    assert "\x1b[" not in repr(report)


def test_format(tmp_path):
    data = json.loads(make_report().save(tmp_path / "r.json").read_text())
    assert (data["format"], data["version"]) == ("coffea-ddp/report", 1)
    assert {"plan", "fingerprint", "seed", "inputs", "looks", "rows"} <= set(data)
    expected = {
        "kind", "symmetry", "observable", "cell", "region", "test", "n_a", "n_b", "statistic", "p_local", "z_local",
        "p_global", "z_global", "method", "status",
    }  # fmt: skip
    assert expected <= set(data["rows"][0])
    assert data["rows"][0]["region"] is None


def test_what_is_not_finite_is_null(tmp_path):
    row = make_row(asymmetry=math.inf, statistic=math.nan, p_global=-math.inf)
    assert (row.ratio.asymmetry, row.statistic, row.p_global) == (None, None, None)
    report = make_report(rows=(row,), inputs={"partial": False, "missing": [], "x": [math.nan, np.int64(7)]})
    text = report.save(tmp_path / "r.json").read_text()
    assert json.loads(text)["inputs"]["x"] == [None, 7]
    assert "NaN" not in text
    assert "Infinity" not in text


def test_unknown_keys_are_left_out():
    data = make_report().to_dict()
    data["later"] = 1
    data["rows"][0]["later"] = 1
    assert ScanReport.from_dict(data) == make_report()


def test_saved_whole_or_not_at_all(tmp_path, monkeypatch):
    path = make_report().save(tmp_path / "r.json")
    before = path.read_bytes()

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(FileError, match="No space left"):
        make_report(seed=2).save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["r.json"]


@pytest.mark.parametrize("method", ["save", "to_csv"])
def test_unwritable(tmp_path, method):
    with pytest.raises(FileError, match="cannot be written"):
        getattr(make_report(), method)(tmp_path / "no" / "such" / "folder" / "r.json")


def test_missing_file(tmp_path):
    with pytest.raises(FileError, match="coffea-ddp scan HISTS"):
        ScanReport.load(tmp_path / "none.json")
    with pytest.raises(FileError, match="cannot be read"):
        ScanReport.load(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b"PK\x03\x04",
        b"[" * 100_000,
        b'{"format": "coffea-ddp/histograms", "version": 1}',
        b'{"format": "coffea-ddp/report", "version": 2}',
        b'{"format": "coffea-ddp/report"}',
        b'{"format": "coffea-ddp/report", "version": 1}',
        b'{"format": "coffea-ddp/report", "version": 1, "seed": NaN}',
    ],
    ids=range(12),
)
def test_not_a_report(tmp_path, content):
    path = tmp_path / "r.json"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"r\.json"):
        ScanReport.load(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("plan", 3),
        ("seed", "x"),
        ("seed", True),
        ("inputs", []),
        ("looks", 1.5),
        ("rows", {}),
        ("rows", [3]),
        ("rows", [{}]),
        ("rows", [{**make_row().to_dict(), "statistic": "x"}]),
        ("rows", [{**make_row().to_dict(), "n_a": True}]),
        ("rows", [{**make_row().to_dict(), "cell": 7}]),
        ("rows", [{**make_row().to_dict(), "rank": 1.5}]),
        ("summaries", [{}]),
        ("summaries", [{**make_report().to_dict()["summaries"][0], "sides": ["a"]}]),
        ("summaries", [{**make_report().to_dict()["summaries"][0], "kappa": "x"}]),
        ("z_histogram", {"low": 0}),
        ("z_histogram", {"low": 0, "high": 1, "counts": []}),
        ("z_histogram", {"low": 0, "high": 1, "counts": [1, "x", 1]}),
    ],
    ids=range(18),
)
def test_damaged(key, value):
    with pytest.raises(FormatError, match="coffea-ddp scan"):
        ScanReport.from_dict(make_report().to_dict() | {key: value})


@settings(max_examples=100, deadline=None)
@given(JSON, st.sampled_from(["plan", "seed", "inputs", "looks", "rows", "options", "summaries", "z_histogram"]))
def test_any_damage_is_a_format_error_or_a_report(value, key):
    try:
        report = ScanReport.from_dict(make_report().to_dict() | {key: value})
    except FormatError:
        return
    assert report.to_dict()["format"] == FORMAT


def test_parts_are_flat_in_files_and_tables(tmp_path):
    bump = BumpPart(91.2, 2.5, 0.1, 60.0, 120.0, "UNSTABLE")
    rows = (make_row(ratio=RatioPart(1.1, None, -2.0), tail=TailPart(1e-5)), make_row(rank=2, bump=bump))
    report = make_report(rows=rows)
    assert report.rows[0].ratio.kappa == 1.1
    assert (report.rows[0].bump, report.rows[1].tail) == (None, None)
    written = report.to_dict()["rows"]
    assert [row["kappa"] for row in written] == [1.1, 1.0]
    assert [(row["position"], row["flags"], row["p_tail"]) for row in written] == [
        (None, None, 1e-5), (91.2, "UNSTABLE", None)
    ]  # fmt: skip
    assert all(tuple(name for name in row if name != "ranges") == COLUMNS for row in written)
    assert not {"ratio", "tail", "bump"} & set(report.to_dataframe().columns)
    assert ScanReport.load(report.save(tmp_path / "r.json")) == report
    assert make_row(tail=TailPart(math.nan), bump=BumpPart()).tail is None


# -- other faces -----------------------------------------------------------------------------------


def test_csv_and_dataframe(tmp_path):
    report = make_report(rows=(make_row(asymmetry=math.inf), make_row(rank=None)))
    frame = report.to_dataframe()
    assert list(frame.columns) == [*COLUMNS, "is_bound", "partial"]
    assert frame["n_b"].tolist() == [140, 140]
    assert not frame["partial"].any()
    lines = report.to_csv(tmp_path / "r.csv").read_text().splitlines()
    assert lines[0] == ",".join([*COLUMNS, "is_bound", "partial"])
    assert len(lines) == 3
    assert ",1,28,1.0,,,,2," in lines[1]
    assert lines[1].endswith(",False,False")
    assert make_report(rows=()).to_dataframe().columns.tolist() == frame.columns.tolist()


def test_control_characters_do_not_break_the_csv(tmp_path):
    path = make_report(rows=(make_row(cell='a\rb\x1b[31m,"\n'),)).to_csv(tmp_path / "r.csv")
    with path.open(encoding="utf-8", newline="") as file:
        (line,) = csv.DictReader(file)
    assert line["cell"] == 'a\\rb\\x1b[31m,"\\n'


def test_tables():
    report = make_report()
    text = printed(report.table(1))
    assert "demo: the best 2 of 30 trials" in text
    assert "j>=2 & VBF" in text
    assert "+40.0 %" in text
    assert "-1.00" not in text
    assert "asymptotic" in text
    assert "100" in printed(report.summary_table())
    with pytest.raises(InputError, match="n=-1"):
        report.table(-1)


def test_best():
    report = make_report()
    assert report.best() == report.best("e/mu") == report.rows[0]
    assert make_report(rows=()).best() is None
    with pytest.raises(UnknownNameError, match="'e/mu'"):
        report.best("x/y")


def test_no_trials():
    report = make_report(rows=(), trials=0)
    assert "no cell was tested" in printed(report.table())
    assert "no cell was tested" in report._repr_html_()
    assert repr(report) == "ScanReport(plan='demo', trials=0, rows=0)"


def test_partial_is_told_everywhere(tmp_path):
    report = make_report(inputs=PARTIAL)
    faces = [
        printed(report.table()),
        printed(report.summary_table()),
        repr(report),
        report._repr_html_(),
        report.title,
    ]
    assert all("PARTIAL" in face for face in faces)
    assert all("a.root" in face for face in (faces[0], faces[3]))
    data = json.loads(report.save(tmp_path / "r.json").read_text())
    assert data["inputs"]["partial"] is True
    assert data["inputs"]["missing"] == PARTIAL["missing"]
    assert report.to_dataframe()["partial"].all()
    assert report.to_csv(tmp_path / "r.csv").read_text().splitlines()[1].endswith("True")
    assert "PARTIAL" not in repr(make_report())


def test_strings_from_a_stranger_are_harmless():
    row = make_row(
        symmetry=NASTY, observable=NASTY, cell=NASTY, region=Region((Range(NASTY, 0.0, 1.0, NASTY),)), method=NASTY
    )
    summary = SymmetrySummary(NASTY, (NASTY, NASTY), 1.0, 5, 1, 2, {"OK": 1})
    report = make_report(plan=NASTY, rows=(row,), summaries=(summary,), inputs={"partial": True, "missing": [NASTY]})
    for page in (report._repr_html_(),):
        assert "<script" not in page
        assert "&lt;script&gt;" in page
    for text in (printed(report.table()), printed(report.summary_table()), repr(report)):
        assert "\x1b[31m" not in text
        assert "\x1b]8" not in text  # a terminal's hyperlink
        assert "\x07" not in text
    assert "[bold red]" in printed(report.table()).replace("\n", "")


def test_z_histogram():
    histogram = ZHistogram().with_values([-11.0, -10.0, 0.05, 9.95, 10.0, 50.0])
    assert sum(histogram.counts) == 6
    assert (histogram.counts[0], histogram.counts[1], histogram.counts[101]) == (1, 1, 1)
    assert (histogram.counts[-2], histogram.counts[-1]) == (1, 2)
    assert len(histogram.edges) == 201
