"""Figures of the pages: their data are what was counted, their ranges hold the region, and a browser draws them."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import re
from importlib.resources import files
from xml.etree import ElementTree as ET

import hist
import numpy as np
import pytest
import yaml
from browser import CHROMIUM, browsing
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from toys import make_histograms, make_layout

import coffea_ddp as ddp
from coffea_ddp import scan
from coffea_ddp.exports import hepdata
from coffea_ddp.histograms.cells import CellGrid, Multiplicity
from coffea_ddp.pages import _STYLES, write_report
from coffea_ddp.pages.embedding import embedded, script_safe
from coffea_ddp.pages.pictures import pictures_of
from coffea_ddp.pages.pictures.compared import Sides, Texts, compared_figure
from coffea_ddp.pages.pictures.drawn import axis_of as axis_of_hist
from coffea_ddp.pages.pictures.figure import Axis, Column, Figure, Map, Span, numbers
from coffea_ddp.pages.pictures.log_ratios import log_ratio_figure
from coffea_ddp.pages.pictures.mathematics import as_text
from coffea_ddp.pages.pictures.nulls import null_figure, z_figure
from coffea_ddp.pages.static import static_svg
from coffea_ddp.pages.themes import stylesheet, written_on
from coffea_ddp.plotting import palette
from coffea_ddp.testing import Detector, make_dataset

TEXTS = Texts("name", "title", "label", "caption", "text of the figure")
EVIL = "</script><script>window.evil=1</script>\"'&amp;<!--"
values = st.integers(1, 12).flatmap(lambda n: st.tuples(*[arrays(np.int64, n, elements=st.integers(0, 400))] * 2))


def axis_of(n, unit="GeV"):
    return Axis("m", "mass", unit, np.linspace(0.0, 5.0 * n, n + 1))


def compared_of(a, b, *spans, kappa=1.0):
    return compared_figure(
        Sides(a.astype(float), b.astype(float), kappa, None, ("ee", "mumu")), axis_of(len(a)), TEXTS, spans
    )


def data_of(page):
    found = re.findall(r'<script type="application/json">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    return [json.loads(text) for text in found]


@given(values, st.sampled_from([0.5, 1.0, 2.0]))
def test_the_data_are_what_was_counted(both, kappa):
    a, b = both
    figure = compared_of(a, b, kappa=kappa)
    assert np.array_equal(figure.column("b"), b)
    assert np.allclose(figure.column("expected"), kappa * a)
    for name in ("expected", "b"):
        assert (figure.column(f"{name}_low") <= figure.column(name)).all()
        assert (figure.column(f"{name}_high") > figure.column(name)).all()  # of an empty bin, too
    assert figure.panels[0].label == "events / 5 GeV"
    known = {column.name for column in figure.columns}
    for panel in figure.panels:
        assert {name for layer in panel.layers for name in (layer.y, layer.low, layer.high) if name} <= known
        assert {layer.colour for layer in panel.layers} <= set(palette.LIGHT)
    top = figure.panels[0]
    assert top.high > max(figure.column("b_high").max(), figure.column("expected_high").max())


@given(values, st.floats(-10, 70), st.floats(0.1, 30))
def test_the_region_is_in_range_wherever_it_is(both, low, width):
    """Also where nothing is filled: ten empty bins follow."""
    a, b = (np.append(side, np.zeros(10)) for side in both)
    figure = compared_of(a, b, Span("region", low, low + width, "region"))
    axis = figure.axes[0]
    ends = max(low, axis.edges[0]), min(low + width, axis.edges[-1])
    assert ends[0] >= ends[1] or (axis.low <= ends[0] and axis.high >= ends[1])
    filled = np.flatnonzero(a + b)
    assert not len(filled) or (axis.low <= axis.edges[filled[0]] and axis.high >= axis.edges[filled[-1] + 1])


def test_94_against_8_is_in_the_panel_of_ratios():
    ratio = compared_of(np.array([8, 300]), np.array([94, 310])).panels[1]
    assert ratio.log
    assert ratio.low < 1 < 94 / 8 < ratio.high


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=20))
def test_numbers_survive_json(given_):
    back = json.loads(json.dumps(numbers(given_), allow_nan=False))
    for one, number in zip(given_, back, strict=True):
        assert (number is None) == (not np.isfinite(one))
        assert number is None or number == pytest.approx(one, rel=1e-5)


@given(st.text(), st.text())
def test_no_text_ends_the_script(first, second):
    text = str(script_safe({first: [second, EVIL]}))
    assert not set("<>&") & set(text)
    assert json.loads(text) == {first: [second, EVIL]}


def test_static_figures_escape_strangers_names():
    figure = dataclasses.replace(compared_of(np.array([4, 2]), np.array([1, 0])), title=EVIL, label=EVIL, text=EVIL)
    figure = dataclasses.replace(figure, axes=(dataclasses.replace(figure.axes[0], label=EVIL, unit=EVIL),))
    tree = ET.fromstring(str(static_svg(figure)))
    assert {one.tag.rpartition("}")[2] for one in tree.iter()} <= {"svg", "g", "path", "rect", "circle", "text"}
    assert any(one.text == EVIL for one in tree.iter())
    assert "nan" not in str(static_svg(figure))


@given(values)
def test_static_figures_stay_inside(both):
    tree = ET.fromstring(str(static_svg(compared_of(*both, Span("line", 3.0, 3.0)))))
    for path in tree.iter("{http://www.w3.org/2000/svg}path"):
        places = [float(one) for one in re.findall(r"[-\d.]+", path.get("d"))]
        assert all(-6 <= one <= 640 for one in places)


def test_a_table_is_there_where_no_script_runs():
    figure = compared_of(np.array([4, 0, 2]), np.array([1, 0, 90]))
    found = embedded(figure)
    assert found.columns[0] == "mass [GeV]"
    assert len(found.lines) == 3
    assert found.lines[2][found.columns.index("mumu (B)")] == "90"
    many = np.arange(3600.0).reshape(60, 60)
    axes = axis_of(60), axis_of(60)
    of_map = Figure(*TEXTS, axes, (Column("pull", "significance", many),), (Map("z", "pull", "sides"),))
    table = embedded(of_map)
    assert len(table.lines) == 60
    assert table.lines[-1][-1] == "3599"  # the most significant bins


def test_null_and_z_and_log_ratio():
    rng = np.random.default_rng(3)
    null = null_figure(rng.chisquare(4, 500), 60.0, "t", "p = 0.002 (permutations)", TEXTS)
    assert null.axes[0].high > 60 > null.axes[0].edges[-1]
    assert null.column("toys").sum() == 500
    z = z_figure(np.array([1.0, 5.0, 7.0, 2.0]), np.array([-2.0, 0.0, 2.0]), TEXTS)
    assert z.column("normal").sum() == pytest.approx(15 * 0.9545, rel=1e-3)
    x, learned = rng.uniform(0, 50, (900, 2)), rng.normal(size=900)
    line = log_ratio_figure(x[:, :1], learned, [axis_of(10)], TEXTS)
    assert np.nansum(line.column("mean") * line.column("events")) == pytest.approx(learned.sum())
    learned_map = log_ratio_figure(x, learned, [axis_of(10), axis_of(10)], TEXTS)
    # What is positive has the colour of B: the density of B over that of A.
    assert np.nansum(learned_map.column("b_over_a") * learned_map.column("events")) == pytest.approx(-learned.sum())


@pytest.mark.parametrize(
    ("edges", "shown"),
    [([0, 1, 3], [0, 1, 3]), ([0, 1, 3, np.inf], [0, 1, 3, 5]), ([-np.inf, 0, 1, np.inf], [-1, 0, 1, 2]),
     ([-np.inf, 4, np.inf], [3, 4, 5])],
)  # fmt: skip
def test_bins_without_an_end_are_shown(edges, shown):
    axis = axis_of_hist(hist.axis.Variable(edges, name="m_mumu", label="m(mumu) [GeV]"))
    assert axis.edges.tolist() == shown
    assert axis.named == "m(\N{GREEK SMALL LETTER MU}\N{GREEK SMALL LETTER MU}) [GeV]"


@pytest.mark.parametrize("bins", [1, 3])
def test_a_map_of_one_row_of_bins_is_drawn(bins):
    values_ = np.ones((bins, 2))
    figure_ = Figure(
        *TEXTS, (axis_of(bins), axis_of(2)), (Column("a", "A", values_),), (Map("A", "a", "contents", 1, 1),)
    )
    assert len(embedded(figure_).lines) == 2 * bins


@pytest.mark.parametrize("kappa", [1.0, 1.5])
def test_b_stands_beside_its_expectation(kappa):
    hists = make_histograms(make_layout(kappa=kappa, grid=CellGrid((Multiplicity("j", last=1),))), 900, seed=3)
    row = scan(hists, ["nsigma"], min_events=5, toys=0, observables=["met"]).rows[0]
    (figure,) = pictures_of(row, hists).pictures
    assert ("a" in {column.name for column in figure.columns}) == (kappa != 1.0)
    total = hists[row.symmetry, "met", row.cell].counts
    assert figure.column("expected").sum() == pytest.approx(kappa * total[0].sum())


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    """A pass with a calibration of a detector that loses electrons."""
    observables = (ddp.observable(ddp.observables.pt_l0, ddp.observables.met, bins=8),)
    plan = ddp.ScanPlan("calibrated", (ddp.symmetries.e_mu(observables),), cells=(ddp.Multiplicity("j", last=2),))
    data = make_dataset(tmp_path_factory.mktemp("data"), files=1, events=8_000, seed=3, detector=Detector.realistic())
    calibration = ddp.calibrate(ddp.run(plan, data))
    return ddp.run(dataclasses.replace(plan, calibration=calibration), data)


def test_b_stands_beside_what_a_calibration_expects(calibrated):
    """In every bin A times the ratio of its own events, and along an axis their sum."""
    row = scan(calibrated, ["nsigma"], min_events=5, toys=0).rows[0]
    row = dataclasses.replace(row, cell="inclusive", observable="pt_l0 x met")
    matrices, *projections = pictures_of(row, calibrated).pictures
    counts = calibrated.cell_counts(row.symmetry, row.observable)
    of_b, events = counts.shares[0].sum(axis=0), counts.entries.sum(axis=(0, 1))
    expected = np.where(events > 0, counts.entries[:, 0].sum(axis=0) * of_b / np.maximum(events - of_b, 1e-9), 0.0)
    expected = expected.reshape(8, 8)
    for number, figure_ in enumerate(projections):
        assert np.allclose(figure_.column("expected"), expected.sum(axis=1 - number))
        assert "its calibration expects" in figure_.caption
    # It is no ratio of totals: that differs from bin to bin, and describes B better.
    first = projections[0]
    a, b = first.column("a"), first.column("b")
    filled = a > 20
    ratio = first.column("expected")[filled] / a[filled]
    assert np.ptp(ratio) > 0.03
    chi2 = [((b - e)[filled] ** 2 / (b + e)[filled]).sum() for e in (first.column("expected"), a * b.sum() / a.sum())]
    assert chi2[0] < chi2[1]
    assert matrices.column("pull").shape == (8, 8)


@pytest.mark.parametrize(
    ("label", "text"),
    [("$p_T^{miss}$ [GeV]", "p_T^miss [GeV]"), ("5 $ and 6", "5 $ and 6"),
     (r"$\Delta\phi$", "Δφ"), (r"$\nosuch$", "nosuch"),

     ("35.9 fb$^{-1}$", "35.9 fb⁻¹"), (r"\$x\$", "$x$"), (EVIL, EVIL), (r"$m_{\tau\tau}$", "m_ττ")],
)  # fmt: skip
def test_labels_in_tex_are_text(label, text):
    assert as_text(label) == text


@given(st.text())
def test_any_label_is_text(label):
    as_text(label)


# -- what is shipped -----------------------------------------------------------------------------------------


def test_scripts_of_others_are_as_they_came():
    """By their checksums; `nox -s vendored` fetches them again."""
    vendor = files("coffea_ddp.pages") / "assets" / "vendor"
    known = json.loads((vendor / "vendored.json").read_text())
    listed = {"vendored.json", "NOTICE.txt"}
    notice = (vendor / "NOTICE.txt").read_text()
    for package in known:
        assert package["licence"] == "ISC"
        assert package["version"] in notice
        for name, digest in package["files"].values():
            assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest
            listed.add(name)
    assert {one.name for one in vendor.iterdir()} == listed


def test_every_colour_of_the_pages_is_of_the_palette():
    own = files("coffea_ddp.pages") / "assets"
    declared = {f"--{name}" for name in re.findall(r"--([\w-]+):", stylesheet())}
    text = "".join((own / f"{part}.css").read_text() for part in _STYLES)
    used = set(re.findall(r"var\((--[\w-]+)\)", text)) - set(re.findall(r"(--[\w-]+):", text))
    assert used <= declared
    assert set(re.findall(r"#[0-9a-f]{3,6}\b", text)) <= {"#fff"}


@pytest.mark.parametrize("theme", [palette.LIGHT, palette.DARK], ids=["light", "dark"])
def test_levels_can_be_read(theme):
    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        return np.dot(
            [0.2126, 0.7152, 0.0722], [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        )

    for name in [f"{side}{n}" for side in "mp" for n in range(7)]:
        low, high = sorted([luminance(theme[name]), luminance(written_on(theme[name]))])
        assert (high + 0.05) / (low + 0.05) >= 4.5, name


# -- in a browser --------------------------------------------------------------------------------------------

in_a_browser = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium, which Debian calls chromium")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A report with a map, its projections, and names of a stranger."""
    hists = make_histograms(make_layout(grid=CellGrid((Multiplicity("j", last=1),))), 900, seed=3, excess=0.15)
    report = scan(hists, ["nsigma", "submatrix"], min_events=5, toys=20, seed=1, observables=["pt x eta"])
    index = write_report(report, tmp_path_factory.mktemp("figures") / "html", hists=hists, leading=2, label=EVIL)
    return index.parent


@pytest.fixture
def browser(tmp_path):
    with browsing(tmp_path) as found:
        yield found
        assert found.messages == []


def opened(browser, page, *, width=1440, theme="light"):
    browser.size(width, 900, phone=width < 600)
    browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
    browser.open(page)
    browser.wait("document.documentElement.dataset.figures === 'ready'")


def figure(number, rest=""):
    """Return the script that finds a figure, or something in it."""
    return f"document.querySelectorAll('figure.plot')[{number}]{rest}"


def panel(number, rest=""):
    """Return the script that finds the first panel of a figure, or something in it."""
    return figure(number, f".querySelector('.canvas > svg:not(.head)'){rest}")


def press(browser, number, words):
    """Press the button of a figure that begins with some words."""
    buttons = figure(number, ".querySelectorAll('.tools button')")
    browser.run(f"[...{buttons}].find((one) => one.textContent.startsWith('{words}')).click()")


def domain(browser, number):
    """Return the range that the first panel of a figure shows."""
    return browser.run(panel(number, ".scale('x').domain"))


def region_page(folder):
    """Return the page of a region of a sub-matrix."""
    return next(
        page for page in sorted(folder.glob("regions/*.html")) if any(figure["spans"] for figure in data_of(page))
    )


@in_a_browser
@pytest.mark.parametrize("width", [390, 1440])
def test_figures_are_drawn_with_the_region_in_range(browser, folder, width):
    page = region_page(folder)
    opened(browser, page, width=width)
    data = data_of(page)
    assert browser.run("document.querySelectorAll('figure.plot[data-drawn]').length") == len(data) == 3
    for number, data_of_figure in enumerate(data):
        low, high = domain(browser, number)
        for span in data_of_figure["spans"]:
            assert low <= span["low"] < span["high"] <= high
        panels = figure(number, ".querySelectorAll('.canvas > svg')")
        assert browser.run(f"{panels}.length") == len(data_of_figure["panels"]) + 1
        edge = browser.run(figure(number, ".getBoundingClientRect().right"))
        ends = browser.run(f"[...{panels}].map((one) => one.getBoundingClientRect().right)")
        assert max(ends) <= edge + 1
    assert browser.run("document.scrollingElement.scrollWidth") <= width


@in_a_browser
def test_zoom_and_back_and_hover(browser, folder):
    page = region_page(folder)
    opened(browser, page)
    whole = domain(browser, 1)
    browser.run(panel(1, ".scrollIntoView({block: 'center', behavior: 'instant'})"))
    box = browser.run(
        f"(() => {{ const b = {panel(1)}.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; }})()"
    )
    at = {"y": box[1] + box[3] / 2, "button": "left", "clickCount": 1}
    for part in (0.45, 0.5):
        browser.ask("Input.dispatchMouseEvent", type="mouseMoved", x=box[0] + part * box[2], y=at["y"])
    browser.wait(f"{panel(1, '.textContent')}.includes(' to ')")
    browser.ask("Input.dispatchMouseEvent", type="mousePressed", x=box[0] + 0.3 * box[2], **at)
    for part in (0.4, 0.5, 0.6):
        browser.ask("Input.dispatchMouseEvent", type="mouseMoved", x=box[0] + part * box[2], buttons=1, **at)
    browser.ask("Input.dispatchMouseEvent", type="mouseReleased", x=box[0] + 0.6 * box[2], **at)
    low, high = domain(browser, 1)
    assert whole[0] < low < high < whole[1]
    press(browser, 1, "All")
    edges = data_of(page)[1]["axes"][0]["edges"]
    assert domain(browser, 1) == [edges[0], edges[-1]]
    before = browser.run(panel(1, ".scale('y').type"))
    press(browser, 1, "Log")
    assert {before, browser.run(panel(1, ".scale('y').type"))} == {"log", "linear"}


def assert_of_hepdata(table, data):
    """Check a table against that of the exports; intervals are errors of their values."""
    shape = [len(axis["edges"]) - 1 for axis in data["axes"]]
    values_of = {one["name"]: np.array(one["values"], dtype=np.float64).reshape(shape) for one in data["columns"]}
    axes = tuple(hepdata.Axis(axis["label"], axis["unit"], np.array(axis["edges"])) for axis in data["axes"])
    columns = [one for one in data["columns"] if not one["name"].endswith(("_low", "_high"))]
    exported = hepdata.FigureTable(
        "f", "", axes, tuple(hepdata.Column(c["label"], values_of[c["name"]]) for c in columns)
    )
    errors = 0
    for column, dependent in zip(columns, table["dependent_variables"], strict=True):
        for place, entry in enumerate(dependent["values"]):
            for error in entry.pop("errors", []):
                ends = [values_of[f"{column['name']}_{end}"].ravel()[place] - entry["value"] for end in ("low", "high")]
                assert [error["asymerror"]["minus"], error["asymerror"]["plus"]] == pytest.approx(ends)
                errors += 1
    assert table == hepdata.table_of(exported)
    assert (errors > 0) == any(f"{one['name']}_low" in values_of for one in columns)


@in_a_browser
def test_what_is_downloaded(browser, folder):
    page = region_page(folder)
    opened(browser, page, theme="dark")
    for number, data in enumerate(data_of(page)):
        one = figure(number, ".figure")
        lines = [line for line in browser.run(f"{one}.csv()").splitlines() if not line.startswith("#")]
        table = list(csv.reader(io.StringIO("\n".join(lines))))
        assert len(table) == len(data["columns"][0]["values"]) + 1
        for column in data["columns"]:
            place = table[0].index(column["label"])
            found = [None if row[place] == "" else float(row[place]) for row in table[1:]]
            assert found == column["values"]
        assert_of_hepdata(yaml.safe_load(browser.run(f"{one}.hepdata()")), data)
        tree = ET.fromstring(browser.run(f"{one}.svg()"))
        text = ET.tostring(tree, encoding="unicode")
        assert "var(" not in text
        assert palette.LIGHT["paper"] in text
        assert palette.DARK["paper"] not in text
        assert data["text"] in text
        assert browser.run(f"{one}.png().then((blob) => blob.size)") > 5_000


@in_a_browser
def test_dark_and_paper_change_the_colours(browser, folder):
    page = region_page(folder)
    fill = f"getComputedStyle({figure(1)}.querySelector('.head circle')).fill"
    found = []
    for theme in ("light", "dark"):
        opened(browser, page, theme=theme)
        found.append(browser.run(fill))
    browser.ask(
        "Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    found.append(browser.run(fill))
    rgb = [
        f"rgb({', '.join(str(int(theme['b'][i : i + 2], 16)) for i in (1, 3, 5))})"
        for theme in (palette.LIGHT, palette.DARK)
    ]
    assert found == [*rgb, rgb[0]]
    assert len(browser.ask("Page.printToPDF", printBackground=True)["data"]) > 30_000


def strange_figures():
    """Figures of what no shipped plan holds: nothing, one bin, weights below 0, counts of any size, any region."""
    rng = np.random.default_rng(1)
    for scale in (0.0, 0.3, 40.0, 1e6, 1e12):
        for n in (1, 2, 60):
            a, b = rng.poisson(scale * rng.exponential(1.0, (2, n))).astype(float)
            yield compared_of(
                a, b, *([Span("region", -50.0, 2.0, EVIL), Span("line", 1e4, 1e4, "far")] if n > 1 else [])
            )
    weighted = rng.normal(0.0, 2.0, (2, 9))
    sides = Sides(*weighted, np.linspace(0.5, 2.0, 9), (weighted[0] ** 2 + 0.1, weighted[1] ** 2), ("A", "B"))
    log_axis = Axis("x", "x", "", np.geomspace(1e-3, 1e4, 10), log=True)
    yield compared_figure(sides, log_axis, TEXTS, [Span("mask", 1.0, 2.0, EVIL)])
    yield null_figure(np.zeros(20), 0.0, "t", "p = 1", TEXTS)
    yield null_figure(np.full(20, 3.0), -1e9, "t", "p = 1", TEXTS)
    yield z_figure(np.zeros(6), np.arange(5.0), TEXTS)
    yield log_ratio_figure(np.zeros((3, 2)), np.zeros(3), [axis_of(1), axis_of(1)], TEXTS)
    yield log_ratio_figure(rng.normal(size=(9, 1)), 1e3 * rng.normal(size=9), [axis_of(4, "")], TEXTS)
    for column in (np.zeros((3, 4)), np.full((3, 4), np.nan), rng.exponential(1e9, (3, 4)), -np.ones((3, 4))):
        maps = (Map("counts", "c", "contents", 1.0, 1.0), Map(EVIL, "c", "sides", step=1.0, wide=True))
        yield Figure(*TEXTS, (axis_of(3), log_axis_of(4)), (Column("c", EVIL, column),), maps)


def log_axis_of(n):
    return Axis("y", "y", "GeV", np.geomspace(1.0, 1e4, n + 1), log=True)


def drawn_alone(tmp_path, folder, figures):
    """Return a page of some figures alone."""
    for name in ("report.css", "figures.js"):
        (tmp_path / name).write_bytes((folder / "assets" / name).read_bytes())
    page = tmp_path / "alone.html"
    page.write_text(
        '<!DOCTYPE html><html><head><meta charset="utf-8"><link rel="stylesheet" href="report.css"></head><body>'
        f'{figures}<script src="figures.js"></script></body></html>',
        encoding="utf-8",
    )
    return page


@in_a_browser
def test_points_beyond_the_range_are_not_drawn_and_those_beyond_a_panel_are_at_its_ends(browser, folder, tmp_path):
    """Markers at the ends of a panel are not clipped: those of bins outside of what is shown are left out."""
    found = compared_of(np.full(40, 100), np.full(40, 100))
    (axis,) = found.axes
    heights = np.where(np.arange(40) % 2, 1e9, -1e9)
    panels = tuple(
        dataclasses.replace(one, log=False, low=0.0, high=1.0)
        for one in found.panels
        if one.layers[-1].mark == "points"
    )
    column = Column("b", "b", heights)
    columns = tuple(column if one.name == "b" else one for one in found.columns)
    shown = dataclasses.replace(
        found, axes=(dataclasses.replace(axis, low=50.0, high=102.0),), columns=columns, panels=panels
    )
    figures = (
        f'<figure class="plot"><div class="canvas">{embedded(shown, drawn=True).drawing}</div>'
        f'<script type="application/json">{embedded(shown).data}</script></figure>'
    )
    opened(browser, drawn_alone(tmp_path, folder, figures))
    marks = panel(0, ".querySelectorAll('[aria-label=dot] > *')")
    frame = panel(0, ".querySelector('[aria-label=frame]').getBoundingClientRect()")
    places = browser.run(
        f"[...{marks}].map((one) => one.getBoundingClientRect()).map((one) => (one.left + one.right) / 2)"
    )
    left, right = browser.run(f"[{frame}.left, {frame}.right]")
    assert len(places) == 10  # those of the bins from 50 to 100, and not that of 100 to 105
    assert all(left <= place <= right for place in places)


@in_a_browser
@pytest.mark.parametrize("width", [390, 1440])
def test_whatever_is_counted_is_drawn(browser, folder, tmp_path, width):
    strange = list(strange_figures())
    figures = "".join(
        f'<figure class="plot"><div class="canvas">{embedded(one, drawn=len(one.axes) == 1).drawing}</div>'
        f'<script type="application/json">{embedded(one).data}</script></figure>'
        for one in strange
    )
    assert "nan" not in figures.replace("inance", "").lower().replace("domi", "")
    opened(browser, drawn_alone(tmp_path, folder, figures), width=width)
    assert browser.run("document.querySelectorAll('figure.plot[data-drawn]').length") == len(strange) > 20
    drawn = browser.run("[...document.querySelectorAll('.canvas')].map((one) => one.innerHTML)")
    for number, text in enumerate(drawn):
        assert "NaN" not in text, number
        assert "Infinity" not in text, number
    for words in ("Zoom", "All", "Log"):
        browser.run(
            f"[...document.querySelectorAll('.tools button')].filter((one) => one.textContent.startsWith('{words}'))"
            ".forEach((one) => one.click())"
        )
        assert "NaN" not in browser.run("document.body.innerHTML")
    for number, one in enumerate(strange):
        assert len(browser.run(figure(number, ".figure.csv()")).splitlines()) > one.column(one.columns[0].name).size
        ET.fromstring(browser.run(figure(number, ".figure.svg()")))


@in_a_browser
def test_strangers_names_stay_text(browser, folder):
    opened(browser, region_page(folder))
    assert browser.run("window.evil") is None
    assert (
        browser.run("document.querySelector('figure.plot .head').textContent").replace(" ", "").count("window.evil=1")
    )


@in_a_browser
def test_without_scripts_the_first_page_has_its_figures_and_others_their_numbers(browser, folder):
    browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    browser.ask("Page.navigate", url=(folder / "index.html").resolve().as_uri())
    browser.ask("Emulation.setScriptExecutionDisabled", value=False)
    browser.wait(
        "document.querySelectorAll('svg.static').length === 1 && document.querySelector('.thumbnail svg') !== null"
    )
    assert browser.run(
        "[...document.querySelectorAll('svg.static')].every((one) => one.getBoundingClientRect().height > 100)"
    )
    browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    browser.ask("Page.navigate", url=region_page(folder).resolve().as_uri())
    browser.ask("Emulation.setScriptExecutionDisabled", value=False)
    browser.wait("document.querySelectorAll('figure.plot noscript table').length === 3")
