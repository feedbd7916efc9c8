"""report.json from strangers: a clean error that names the place, or the report that the file says."""

from __future__ import annotations

import json
import random
from pathlib import Path

import fastjsonschema
import pytest
from rich.console import Console
from toys import make_histograms, make_layout

from coffea_ddp import ScanReport, scan
from coffea_ddp.cli import main
from coffea_ddp.errors import FileError, FormatError
from coffea_ddp.report import report_files
from coffea_ddp.report.parts import SMALLEST_P
from coffea_ddp.report.rows import COLUMNS, WHOLE
from coffea_ddp.report.summaries import GlobalP, SymmetrySummary

SCHEMA = json.loads((Path(report_files.__file__).parent / "report.schema.json").read_text(encoding="utf-8"))
NEW = ("n_ge", "n", "n_ge_cell", "n_cell", "two_sided")
HOSTILE = [
    None, True, False, -1, 0, 1, 2, 0.5, -0.5, 1.0, 1e-320, 1e-301, 1.0000001, 1e300, -1e300, 2**63, 2**200, 10**40, "",
    "x", "\x1b[31m", "\ud800", "e/mu", "x" * 20_000, "x" * 10**6, [], {}, [[]], [None] * 3, {"a": {"b": None}}, ["OK"],
    "<script>", "../../etc", "nan", [1e400], json.loads("[" * 60 + "]" * 60),
]  # fmt: skip


@pytest.fixture(scope="module")
def real():
    hists = make_histograms(make_layout(), 600, seed=3, excess=0.06)
    report = scan(hists, ["nsigma", "submatrix"], min_events=10, best=25, toys=30, seed=1)
    return json.loads(json.dumps(report.to_dict()))


def places(value, path=()):
    """Yield where every value of a file is."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from places(item, (*path, name))


def changed(data, path, change):
    """Return the data with one place changed: replaced, taken out, or doubled."""
    copy = json.loads(json.dumps(data))
    around = copy
    for name in path[:-1]:
        around = around[name]
    change(around, path[-1])
    return copy


def mutated(data, rng, everywhere):
    """Return the bytes of a damaged report."""
    kind = rng.choice(["value", "value", "value", "value", "gone", "more", "swap", "bytes", "cut", "twice"])
    path = rng.choice(everywhere)
    if kind in ("value", "gone", "more", "swap"):

        def change(around, name):
            if kind == "value":
                around[name] = rng.choice(HOSTILE)
            elif kind == "gone":
                del around[name]
            elif kind == "more" and isinstance(around, list):
                around.append(around[name])
            else:
                other = rng.choice(list(around) if isinstance(around, dict) else range(len(around)))
                around[name], around[other] = around[other], around[name]

        return json.dumps(changed(data, path, change)).encode()
    text = bytearray(json.dumps(data, indent=1).encode())
    if kind == "bytes":
        for _ in range(rng.randint(1, 3)):
            text[rng.randrange(len(text))] = rng.randrange(256)
    elif kind == "cut":
        del text[rng.randrange(len(text)) :]
    else:
        names = [name for name in path if isinstance(name, str)] or ["rows"]
        sign = f'"{names[-1]}": '.encode()
        text = text.replace(sign, sign + b"1, " + sign, 1)
    return bytes(text)


def said(file, loaded):
    """Tell whether a report says what its file says; what this version does not know is left out."""
    if isinstance(loaded, dict):
        return isinstance(file, dict) and all(said(file[name], loaded[name]) for name in file if name in loaded)
    if isinstance(loaded, list):
        if file is None:  # a region in words alone has no ranges
            return loaded == []
        return isinstance(file, list) and len(file) == len(loaded) and all(map(said, file, loaded))
    underflow = isinstance(file, float) and 0 < file < SMALLEST_P
    return file == loaded or (underflow and loaded is None)


def outcome(path):
    """Return the report of a file, or the message of a clean error."""
    try:
        return ScanReport.load(path), ""
    except FormatError as error:
        return None, str(error)


@pytest.mark.parametrize("seed", range(8))
def test_damaged_reports(seed, real, tmp_path):
    rng = random.Random(seed)
    everywhere = [path for path in places(real) if path]
    path, accepted = tmp_path / "r.json", 0
    for number in range(60):
        path.write_bytes(mutated(real, rng, everywhere))
        report, told = outcome(path)
        if report is None:
            assert told.startswith(f"{path}: ")
            assert told.isprintable()
            assert len(told) < 1_000
            continue
        accepted += 1
        # Row.two_sided is told where a file does not say it.
        file = json.loads(path.read_bytes())
        for row in file["rows"]:
            if row.get("two_sided") is None:
                row.pop("two_sided", None)
        assert said(file, json.loads(json.dumps(report.to_dict())))
        assert ScanReport.from_dict(report.to_dict()) == report
        if number % 5 == 0:
            faces(report)
    assert accepted < 50


def faces(report):
    console = Console(width=200, record=True)
    with console.capture():
        for table in (report.table(), report.regions_table(), report.tests_table(), report.summary_table()):
            console.print(table)
    assert report._repr_html_() is not None
    assert repr(report).isprintable()


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("rows", 2, "p_local"), 1.5, r"rows\[2\]\.p_local must be"),
        (("rows", 2, "p_cell"), -0.1, r"rows\[2\]\.p_cell must be"),
        (("rows", 2, "p_global"), 0, r"rows\[2\]\.p_global must be"),
        (("rows", 2, "p_global"), None, r"rows\[2\]\.z_global has no p_global"),
        (("rows", 2, "number"), 1, r"rows\[2\]\.number is not its place, 3"),
        (("rows", 2, "asks"), [3], r"rows\[2\]\.asks\[0\] must be string"),
        (("rows", 2, "rank"), 1, r"rows\[2\]\.rank is that of another row"),
        (("rows", 2, "rank"), 3.0, r"rows\[2\]\.rank is written as a fraction"),
        (("rows", 2, "similar_to"), 900, r"rows\[2\].similar_to is no row's rank"),
        (("rows", 2, "kind"), "else", r"rows\[2\]\.kind must be"),
        (("rows", 2, "n_ge"), 31, r"rows\[2\]\.n_ge is above n = 30"),
        (("rows", 2, "n_cell"), None, r"rows\[2\]\.n_ge_cell and n_cell"),
        (("rows", 2, "n_a"), -3, r"rows\[2\]\.n_a is negative"),
        (("rows", 2, "n_b"), 3.5, r"rows\[2\]\.n_b is a fraction, and the report has no weights"),
        (("rows", 2, "status"), "FINE", r"rows\[2\]\.status is no status of a test"),
        (("rows", 2, "p_local"), 1.0, r"rows\[2\]\.p_cell is below p_local"),
        (("rows", 2, "p_cell"), 1.0, r"rows\[2\]\.p_symmetry is below p_cell"),
        (("rows", 2, "p_symmetry"), 1.0, r"rows\[2\]\.p_global is below p_symmetry"),
        (("rows", 2, "z_global"), -9.5, r"rows\[2\]\.z_global is not that of p_global"),
        (("rows", 2, "n_ge"), 30, r"rows\[2\]\.p_global is below \(n_ge \+ 1\)/\(n \+ 1\) = 1"),
        (("rows", 2, "cell"), "\ud800", r"rows\[2\]\.cell has half of a surrogate pair"),
        (("rows", 2, "cell"), "x" * 10**6, r"rows\[2\]\.cell has 1,000,000 letters"),
        (("rows", 2, "z_local"), 1e10, r"rows\[2\]\.z_local must be"),
        (("global_p", 0, "n_ge"), 10**6, r"global_p\[0\]\.n_ge is above n"),
        (("summaries", 0, "n_cells"), 0, r"summaries\[0\]\.n_cells is below"),
        (("summaries", 0, "kappa"), 0, r"summaries\[0\]\.kappa must be"),
        (("z_histogram", "counts"), [-1] * 5, r"z_histogram\.counts\[0\] must be"),
        (("z_histogram", "low"), 99, "z_histogram lacks bins"),
        (("inputs", "missing"), 5, r"inputs\.missing must be array"),
        (("inputs", "partial"), "yes", r"inputs\.partial must be boolean"),
        (("options", "tests"), None, r"options\.tests must be array"),
        (("looks",), 10**30, "looks must be"),
        (("seed",), -1, "seed must be"),
        (("version",), True, "version True of the format"),
        (("version",), 2, "version 2 of the format, this package reads version 1"),
        (("format",), "other", "not of the format"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named(real, tmp_path, path, value, message):
    def put(around, name):
        around[name] = value

    file = tmp_path / "r.json"
    file.write_text(json.dumps(changed(real, path, put)))
    with pytest.raises(FormatError, match=message):
        ScanReport.load(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a report, or damaged"),
        (b"\xff\xfe", "not a report, or damaged"),
        (b"[" * 10**6, "not a report, or damaged"),
        (b'{"a":' * 10**5 + b"1" + b"}" * 10**5, "not a report, or damaged"),
        (b'{"format": "coffea-ddp/report", "rows": [' + b"{}," * 10**7 + b"{}]}", "more than 1,000,000 of"),
        (b'{"x": [' + b"1," * 31_000_000 + b"1]}", "more than 30,000,000 of"),
        (b'{"seed": 1, "seed": 2}', "the name 'seed' stands twice"),
        (b'{"x": NaN}', "it says NaN"),
        (b'{"x": ' + b"9" * 10**4 + b"}", "not a report, or damaged"),
        (b'{"format": "coffea-ddp/report", "version": 1, "x": 1e999}', "x is no finite number"),
    ],
    ids=["empty", "bytes", "lists", "objects", "rows", "values", "twice", "nan", "digits", "infinite"],
)
def test_what_is_no_report_is_refused_before_it_is_read(tmp_path, content, message):
    file = tmp_path / "r.json"
    file.write_bytes(content)
    with pytest.raises(FormatError, match=message):
        ScanReport.load(file)


def test_paths_that_are_no_files(tmp_path):
    for path in (tmp_path, tmp_path / "none.json", tmp_path / ("x" * 300), "\0"):
        with pytest.raises(FileError):
            ScanReport.load(path)


def test_reports_of_earlier_versions_are_read(real):
    old = json.loads(json.dumps(real))
    for row in old["rows"]:
        for name in NEW:
            del row[name]
    old["rows"][0]["p_local"], old["rows"][0]["z_local"] = 2.2250738585072014e-308, 40.0
    old["rows"][1]["p_global"], old["rows"][1]["status"] = 1e-9, "FINE"  # the order was not kept then
    old["rows"][1]["z_global"] = 6.1
    old["rows"][2]["n_a"] = 2.5
    del old["inputs"]["weighted"]
    report = ScanReport.from_dict(old)
    assert (report.rows[0].p_local, report.rows[0].n, report.rows[0].two_sided) == (None, None, True)
    assert len(report.rows) == len(old["rows"])


def test_the_schema_knows_every_column(real):
    row = SCHEMA["definitions"]["row"]
    assert tuple(name for name in row["properties"] if name != "ranges") == COLUMNS
    assert {name for name, one in row["properties"].items() if "integer" in one.get("type", ())} == WHOLE
    for kind, name in ((GlobalP, "global_p"), (SymmetrySummary, "summary")):
        assert set(SCHEMA["definitions"][name]["properties"]) == set(kind.__dataclass_fields__)
    assert set(SCHEMA["properties"]) == {"format", "version", "looks", *ScanReport.__dataclass_fields__} - {"trials"}
    assert all("description" in one or "const" in one for one in row["properties"].values())
    fastjsonschema.compile(SCHEMA)(real)


def test_the_command_line_says_it_in_a_line(real, tmp_path, capsys):
    file = tmp_path / "r.json"
    file.write_text(json.dumps(real).replace('"kind": "symmetry"', '"kind": "\\u001b[31m"', 1))
    with pytest.raises(SystemExit, match="1"):
        main(["report", str(file), "-o", str(tmp_path / "pages")])
    told = capsys.readouterr().err
    assert "rows[0].kind must be one of" in told
    assert "\x1b" not in told
    assert "Traceback" not in told
    assert not (tmp_path / "pages").exists()


def test_names_of_earlier_versions_are_read(real):
    def renamed(data, names):
        return {names.get(name, name): value for name, value in data.items()}

    old = dict(real)
    old["rows"] = [renamed(row, {"similar_to": "like", "z_nominal": "z_plain"}) for row in old["rows"]]
    assert ScanReport.from_dict(old) == ScanReport.from_dict(real)
    assert ScanReport.from_dict(old).to_dict() == ScanReport.from_dict(real).to_dict()
