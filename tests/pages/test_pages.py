"""The HTML report, as a file and in a browser: it opens from a disk, sorts, filters, leads on, and asks for nothing."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import hist
import numpy as np
import pytest
from browser import CHROMIUM, browsing
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from reports import EVIL, report_of, row
from toys import make_histograms, make_layout

from coffea_ddp import scan
from coffea_ddp.cli import cli
from coffea_ddp.errors import FileError, InputError
from coffea_ddp.histograms.cells import CellGrid, Multiplicity, Topology
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.layout import Layout
from coffea_ddp.histograms.ledger import Missing
from coffea_ddp.histograms.spectrum_layout import SpectrumLayout
from coffea_ddp.pages import content, write_report
from coffea_ddp.pages.columns import columns_of, packed_rows, unpacked
from coffea_ddp.pages.pictures import pictures_of
from coffea_ddp.report.cell_words import cell_words, symbols
from coffea_ddp.report.display import method_of
from coffea_ddp.report.older_files import objects_of
from coffea_ddp.report.overview import symmetry_table
from coffea_ddp.report.parts import BumpPart, CausePart, RatioPart
from coffea_ddp.report.regions import Range, Region
from coffea_ddp.report.report import ScanReport
from coffea_ddp.report.summaries import SymmetrySummary
from coffea_ddp.spectra.resolution import Resolution
from coffea_ddp.stats.trials import p_from_z

VOID = {"meta", "link", "img", "input", "br", "hr"}


class Page(HTMLParser):
    """What a page consists of; fails on tags that are not closed in order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.tags, self.ids, self.links, self.images, self.text = path, [], [], [], [], ""
        self.headings: list[int] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self.tags == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag not in VOID:
            self.tags.append(tag)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        self.links += [attributes[name] for name in ("href", "src") if name in attributes]
        if tag == "img":
            self.images.append(attributes)
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))

    def handle_endtag(self, tag):
        assert self.tags.pop() == tag, self.path

    def handle_data(self, data):
        self.text += data


def figures_of(path):
    """Return the data of the figures of a page."""
    found = re.findall(r'<script type="application/json">(.*?)</script>', path.read_text(encoding="utf-8"), re.DOTALL)
    return [json.loads(text) for text in found]


def resonances():
    """Two spectra that fall, one with a bump at 400 GeV."""
    grid, resolution = CellGrid((Multiplicity("j", last=2),)), Resolution(0.03)
    edges = np.geomspace(100.0, 1000.0, 81)
    names = ("2mu", "mu+j")
    axis = hist.axis.Variable(edges, name="mass", label="m [GeV]")
    spectra = tuple(
        SpectrumLayout(name, axis, resolution, ((480.0, 520.0, "Z'"),), name, tuple(objects_of(name))) for name in names
    )
    layout = Layout("masses", "e" * 16, grid, (), spectra=spectra)
    centres, rng, keys = 0.5 * (edges[1:] + edges[:-1]), np.random.default_rng(5), []
    for channel, signal in zip(layout.spectrum_channels, (300.0, 0.0), strict=True):
        peak = signal * np.exp(-0.5 * ((centres - 400.0) / 12.0) ** 2)
        counts = rng.poisson(4e3 * (centres / 100.0) ** -2.5 + peak)
        bins = np.repeat(np.arange(1, len(counts) + 1), counts)
        keys.append(channel.key(rng.integers(0, 3, len(bins)), 0, bins))
    empty = Histograms.empty(layout)
    counts = type(empty.counts).from_keys(np.concatenate(keys))
    return dataclasses.replace(empty, counts=counts)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A report of symmetries, with pseudo-experiments, rectangles and pictures."""
    grid = CellGrid((Multiplicity("j", last=1), Topology("VBF")))
    hists = make_histograms(make_layout(grid=grid), 900, seed=3, excess=0.15)
    report = scan(hists, ["nsigma", "submatrix"], min_events=5, toys=50, seed=1)
    index = write_report(report, tmp_path_factory.mktemp("report") / "html", hists=hists, leading=1)
    return report, hists, index


@pytest.fixture(scope="module")
def pages(written):
    return [Page(path) for path in sorted(written[2].parent.rglob("*.html"))]


def test_every_link_leads_somewhere(pages):
    assert len(pages) > 4
    by_path = {page.path.resolve(): page for page in pages}
    for page in pages:
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme in ("https", "data"):
                assert link.startswith(("https://pypi.org/project/coffea-ddp", "data:,"))
                continue
            target = (page.path.parent / parts.path).resolve() if parts.path else page.path.resolve()
            assert target.is_file(), (page.path, link)
            assert not parts.fragment or parts.fragment in by_path[target].ids, (page.path, link)


def test_pages_are_well_formed_and_accessible(pages):
    for page in pages:
        assert len(set(page.ids)) == len(page.ids)
        assert page.headings[0] == 1
        assert page.headings.count(1) == 1
        steps = zip(page.headings, page.headings[1:], strict=False)
        assert all(after <= before + 1 for before, after in steps)
        assert all(len(figure["text"]) > 40 for figure in figures_of(page.path))
        assert '<html lang="en">' in page.path.read_text()


def test_the_headline_says_what_the_report_says(written, pages):
    report, _, index = written
    text = next(page.text for page in pages if page.path == index)
    best = report.rows[0]
    for told in (
        f"{report.trials:,} trials",
        symbols(cell_words(best.cell)),
        f"{best.z_local:+.2f}".replace("-", "\u2212"),
        method_of(best),
    ):
        assert told in text
    assert text.count("pseudo-experiments") > 1


def test_every_entry_of_the_table_leads_to_its_page(written, pages):
    report, _, index = written
    page = next(page for page in pages if page.path == index)
    rows = symmetry_table(report).rows
    assert rows
    titles = [other.text for other in pages if other.path.parent.name == "regions"]
    for one in rows:
        assert any(f"{one.symmetry}: {one.observable}, {one.cell}" in title for title in titles)
    assert sum(link.startswith("regions/") for link in page.links) >= len(rows)


def test_equal_reports_are_equal_files(written, tmp_path):
    report, hists, index = written
    again = write_report(report, tmp_path / "again", hists=hists, leading=1)
    for path in sorted(index.parent.rglob("*")):
        if path.is_file():
            other = again.parent / path.relative_to(index.parent)
            assert path.read_bytes() == other.read_bytes(), path.name


def test_several_processes_write_the_same(written, tmp_path, monkeypatch):
    monkeypatch.setattr("coffea_ddp.pages.drawing._FEW", 1)
    monkeypatch.setattr("coffea_ddp.pages.drawing._FITTED", ("nsigma", "submatrix"))
    report, hists, index = written
    again = write_report(report, tmp_path / "again", hists=hists, leading=1, jobs=2)
    names = [sorted(path.name for path in one.parent.rglob("*")) for one in (index, again)]
    assert names[0] == names[1]
    for first in index.parent.glob("regions/*.html"):
        assert (again.parent / "regions" / first.name).read_bytes() == first.read_bytes(), first.name


def test_without_histograms_pages_have_their_numbers(tmp_path, written):
    report, _, _ = written
    index = write_report(report, tmp_path / "html", leading=2)
    text = (index.parent / "regions" / "001.html").read_text()
    assert "--hists" in text
    assert "<figure" not in text
    assert "figures.js" not in text


def test_bumps_and_the_table_of_states(tmp_path):
    hists = resonances()
    report = scan(hists, toys=0)
    index = write_report(report, tmp_path / "html", hists=hists, leading=2)
    page = Page(index)
    assert "Resonances against what they decay into" in page.text
    assert "2\N{GREEK SMALL LETTER MU}" in page.text
    (figure,) = figures_of(index.parent / "regions" / "001.html")
    assert figure["name"] == "spectrum"
    assert "GeV" in figure["text"]


def test_the_bump_is_in_range_and_the_background_is_under_it():
    """Also a bump beyond the fit range, and one beyond all that is filled."""
    hists = resonances()
    row = next(row for row in scan(hists, toys=0).rows if row.observable == "2mu" and row.cell == "inclusive")
    (figure,) = pictures_of(row, hists).pictures
    edges = figure.axes[0].edges
    centres = 0.5 * (edges[1:] + edges[:-1])
    expected = 4e3 * (centres / 100.0) ** -2.5
    under = np.abs(centres - 400.0) < 25.0
    background, counts = figure.column("background"), figure.column("n")
    assert np.abs(background[under] / expected[under] - 1).max() < 0.1
    assert (counts[under] > 1.3 * background[under]).any()
    assert figure.axes[0].log
    for position, high in ((400.0, 300.0), (980.0, 583.0)):
        moved = dataclasses.replace(row, bump=dataclasses.replace(row.bump, position=position, width=9.0, high=high))
        (figure,) = pictures_of(moved, hists).pictures
        assert figure.axes[0].low < position - 18 < position + 18 <= figure.axes[0].high
        assert {span.kind for span in figure.spans} == {"mask", "region", "line"}
        assert np.isnan(figure.column("z")[centres > high]).all()


def test_the_table_of_states_shows_what_is_left_after_all_trials(tmp_path):
    """Global z, never a deficit; what kinematics explain is hatched; flags are there to read."""

    def bump(observable, z_global, flags="", cause=None):
        kinds = tuple(objects_of(observable))
        part = BumpPart(100.0, 2.0, 1.0, 50.0, 500.0, flags)
        p_global = float(p_from_z(z_global, two_sided=False))
        plain = row(kind="spectrum", symmetry=None, observable=observable, test="bump", z_local=6.0, decays_to=kinds,
                    z_global=z_global, p_global=p_global, two_sided=False)  # fmt: skip
        return dataclasses.replace(plain, bump=part, cause=cause)

    cause = CausePart("Z in 2e or 2mu", 0.94, "94 % of the events under it have a Z in 2e or 2mu")
    rows = [bump("2mu", 3.25), bump("mu+j", -4.0, flags="NOT_SMOOTH"), bump("e+mu", 2.5, cause=cause)]
    # After many trials p is 1, which has no finite z: the local one is no stand-in for it.
    rows += [bump("e+j", -math.inf), bump("2mu+j", -math.inf)]
    assert rows[-1].z_global is None and rows[-1].p_global == 1.0  # noqa: PT018
    index = write_report(report_of(rows), tmp_path / "html")
    table = index.read_text().partition('<table class="ddp states">')[2].partition("</table>")[0]
    cells = re.findall(r'<td class="([^"]*)" data-name="[^"]*">(.*?)</td>', table)
    shown = [(level, re.sub("<[^>]+>", " ", text)) for level, text in cells if level != "none"]
    assert sorted(level for level, _ in shown) == ["p0"] * 4 + ["p2 hatched", "p3"]
    words = ["+2.50", "+3.25", *["\N{LESS-THAN OR EQUAL TO}"] * 4]
    assert sorted(text.split()[0] for _, text in shown) == words
    assert [level for level, text in shown if "NOT_SMOOTH" in text] == ["p0"]
    assert "Z in 2e or 2mu: 1 bump is explained by it" in Page(index).text


def test_the_best_bump_is_where_it_was_put():
    best = scan(resonances(), toys=0).rows[0]
    assert best.observable == "2mu"
    assert best.bump.position == pytest.approx(400.0, rel=0.05)


# -- what may go wrong -----------------------------------------------------------------------------------------------


def test_names_from_strangers_are_text(tmp_path):
    evil = row(symmetry=EVIL, observable=EVIL, cell=EVIL, region=Region(label=EVIL), method=EVIL, test=EVIL, flags=EVIL)
    inputs = {"events": 11, "datasets": [EVIL], "cutflow": {EVIL: {EVIL: 1}}, "choices": {EVIL: [EVIL]},
              "missing": [EVIL], "partial": True, "cells": [{"topology": EVIL}], "package": EVIL}  # fmt: skip
    index = write_report(report_of([evil], plan=EVIL, inputs=inputs, options={EVIL: EVIL}), tmp_path / "html")
    for path in index.parent.rglob("*.html"):
        assert "<script>window" not in path.read_text()
        Page(path)


@pytest.mark.parametrize("cells", [3, "text", [3], {"multiplicity": 1}, [{"multiplicity": None}]])
def test_damaged_inputs_do_not_stop_a_report(tmp_path, cells):
    inputs = {
        "cells": cells,
        "cutflow": cells,
        "choices": cells,
        "datasets": cells,
        "events": "many",
        "versions": cells,
    }
    write_report(report_of([row()], inputs=inputs), tmp_path / "html")


def test_a_report_of_nothing(tmp_path):
    index = write_report(report_of([]), tmp_path / "html")
    assert "Nothing was tested" in Page(index).text


def test_what_is_missing_is_told_on_every_page(tmp_path):
    hists = make_histograms(make_layout(), 300, seed=3).with_missing(
        [Missing("data", "gone.root", -1, -1, "truncated")]
    )
    index = write_report(scan(hists, min_events=5, toys=0), tmp_path / "html", leading=1)
    assert "gone.root" in Page(index).text
    assert all("PARTIAL" in Page(path).text for path in index.parent.rglob("*.html"))


def test_an_older_report_is_replaced_and_nothing_else_ever(tmp_path):
    folder = tmp_path / "html"
    write_report(report_of([row(), row(rank=2, cell="j=2")]), folder)
    (folder / "regions" / "notes.html").write_text("mine")
    assert (folder / "regions" / "002.html").exists()
    write_report(report_of([row()]), folder)
    assert not (folder / "regions" / "002.html").exists()
    assert (folder / "regions" / "notes.html").read_text() == "mine"
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.tex").write_text("years")
    with pytest.raises(FileError, match="something else than a report"):
        write_report(report_of([row()]), other)
    with pytest.raises(FileError, match="is a file"):
        write_report(report_of([row()]), other / "chapter.tex")
    assert (other / "chapter.tex").read_text() == "years"


def test_a_report_that_fails_half_way_leaves_the_older_one(tmp_path):
    folder = tmp_path / "html"
    write_report(report_of([row()]), folder)
    before = (folder / "index.html").read_bytes()

    def stop(_done, _total, what):
        if what == "index":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_report(report_of([row(), row(rank=2, similar_to=2)]), folder, progress=stop)
    assert (folder / "index.html").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["html"]


def test_histograms_of_another_plan_are_refused(tmp_path, written):
    report, _, _ = written
    with pytest.raises(InputError, match="give the histograms that were scanned"):
        write_report(report, tmp_path / "html", hists=resonances(), leading=1)
    of_others = dataclasses.replace(report, inputs={**report.inputs, "events": 17})
    with pytest.raises(InputError, match="of 17 events"):
        write_report(of_others, tmp_path / "html", hists=written[1], leading=1)
    with pytest.raises(InputError, match="leading=-1"):
        write_report(report, tmp_path / "html", leading=-1)


@given(
    st.lists(st.tuples(st.text(max_size=5), st.floats(-40, 40), st.floats(0, 1), st.integers(0, 10**7)), max_size=20)
)
def test_the_packed_table_is_the_rows(values):
    rows = [row(cell=cell, z_local=z, p_global=p, n_a=n) for cell, z, p, n in values]
    data = unpacked(packed_rows(rows, {}))
    assert data["length"] == len(rows)
    names = [column.name for column in columns_of(rows)]
    decoded = [
        column if known is None else [None if code is None else known[code] for code in column]
        for column, known in zip(data["values"], data["names"], strict=True)
    ]
    assert "region" not in names  # no row has any
    if rows:
        assert decoded[names.index("A")] == [one.n_a for one in rows]
    if "cell" in names:
        assert decoded[names.index("cell")] == [one.cell for one in rows]
        words = dict(zip(data["names"][names.index("cell")], data["cells"], strict=True))
        assert words == {one.cell: symbols(cell_words(one.cell)) for one in rows}
    else:
        assert {one.cell for one in rows} <= {""}
    for told, one in zip(decoded[names.index("z")], rows, strict=True):
        assert told == pytest.approx(one.z_local, rel=1e-3)


def test_what_a_calibration_claims_is_a_column_where_there_is_one():
    plain = [row(), row(rank=2)]
    claims = [row(), dataclasses.replace(row(rank=2), ratio=RatioPart(1.2, 0.1, 3.0, -12.345))]
    assert "claimed" not in unpacked(packed_rows(plain, {}))["columns"]
    data = unpacked(packed_rows(claims, {}))
    assert data["values"][data["columns"].index("claimed")] == [None, -12.3]
    assert len(data["columns"]) == len(data["kinds"]) == len(data["values"])


def many_rows(n):
    rng = np.random.default_rng(1)
    cells = [f"tau={i % 3} & j>={i % 5} & b={i % 7} & number={i}" for i in range(n // 8)]
    z = rng.normal(size=n)
    return [
        row(rank=i + 1, similar_to=i + 1, cell=cells[i % len(cells)], z_local=float(z[i]),
            n_a=int(1e4 * abs(z[i])), n_b=i,
            region=Region((Range("m_ll", i % 997, i % 997 + 9, "GeV"), Range("met", i % 89, i % 89 + 5, "GeV"))),
            test="submatrix",
            observable=f"observable {i % 6}", symmetry=f"symmetry {i % 7}")
        for i in range(n)
    ]  # fmt: skip


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module", params=[20_000, pytest.param(100_000, marks=pytest.mark.slow)])
def large(tmp_path_factory, request):
    """Return how many rows a report has, and its first page."""
    n = request.param
    return n, write_report(report_of(many_rows(n)), tmp_path_factory.mktemp("large") / "html")


def test_a_hundred_thousand_rows_are_small(large, written):
    """With 100 pages, each as large as the largest of the small report, below 20 MB."""
    n, index = large
    pages = [path.stat().st_size for path in written[2].parent.glob("regions/*.html")]
    assert size_of(index.parent) * 100_000 / n + 100 * max(pages) < 20e6


# -- on the command line ---------------------------------------------------------------------------------------------


def test_on_the_command_line(tmp_path, written):
    report, hists, _ = written
    report.save(tmp_path / "report.json")
    hists.save(tmp_path / "hists.ddp")
    arguments = ["report", str(tmp_path / "report.json"), "--hists", str(tmp_path / "hists.ddp"), "--jobs", "1"]
    done = CliRunner().invoke(cli, [*arguments, "-o", str(tmp_path / "html"), "--leading", "1", "--label", "16.4 fb"],
                              standalone_mode=False)  # fmt: skip
    assert done.exception is None
    assert (tmp_path / "html" / "index.html").is_file()
    assert "wrote" in done.stderr


def test_a_report_that_is_none(tmp_path, capsys):
    from coffea_ddp.cli import main

    (tmp_path / "report.json").write_text("{}")
    for given_, part in (("report.json", "not of the format"), ("none.json", "no such file")):
        with pytest.raises(SystemExit) as stopped:
            main(["report", str(tmp_path / given_), "-o", str(tmp_path / "html")])
        assert stopped.value.code == 1
        assert part in capsys.readouterr().err


# -- in a browser ----------------------------------------------------------------------------------------------------

in_a_browser = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium, which Debian calls chromium")

CONTRAST = """
(() => {
  const linear = (x) => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
  const light = (c) => { const v = c.map((x) => linear(x / 255));
    return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
  const parts = (text) => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const behind = (e) => { for (; e; e = e.parentElement) { const c = parts(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0.99) return c; } return [255, 255, 255]; };
  const bad = [];
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    const box = e.getBoundingClientRect();
    if (!box.width || !box.height || getComputedStyle(e).visibility === "hidden") continue;
    if (e.matches(":disabled, .disabled, option")) continue;
    const [a, b] = [light(parts(getComputedStyle(e).color)), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.push([e.tagName, e.className, e.textContent.slice(0, 30), ratio]);
  }
  return bad;
})()
"""


@pytest.fixture
def browser(tmp_path):
    with browsing(tmp_path) as found:
        yield found
        assert found.messages == []
        asked = {urlsplit(url).scheme for url in found.requests}
        assert asked <= {"file", "data", "blob"}, found.requests


def ready(browser, path):
    browser.open(path)
    browser.wait("document.documentElement.dataset.table")
    assert browser.run("document.documentElement.dataset.table") == "ready"


def column(browser, heading):
    """Return the column of the table that is shown, as text."""
    return browser.run(
        f"""(() => {{ const at = [...document.querySelectorAll("#rows thead th")].findIndex(
        (one) => one.textContent.trim() === "{heading}");
        return [...document.querySelectorAll("#rows tbody tr")].map((one) => one.children[at].textContent); }})()"""
    )


def shown(browser):
    """Return how many rows are left after the filters, as the page tells."""
    text = browser.run("document.querySelector('.dt-info').textContent")
    return int(re.search(r"of ([\d,]+)", text)[1].replace(",", ""))


@in_a_browser
def test_sort_filter_and_follow(browser, written, tmp_path):
    report, _, index = written
    browser.size(1200, 900)
    ready(browser, index)
    assert shown(browser) == len(report.rows)
    # By the keyboard alone: the heading of A takes the focus and is pressed.
    browser.run("""[...document.querySelectorAll("#rows thead th")].find((one) => one.textContent.trim() === "A")
        .querySelector("[tabindex], button, .dt-column-order").focus()""")
    browser.press("Enter", 13, "\r")
    browser.wait("document.querySelector('#rows thead th[aria-sort]')")
    numbers = [int(text.replace(",", "")) for text in column(browser, "A")]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) > 1
    assert browser.run("document.querySelector('#rows thead th[aria-sort]').textContent").strip() == "A"

    browser.run("""(() => { const box = document.getElementById("filter-test"); box.value = "submatrix";
        box.dispatchEvent(new Event("input", {bubbles: true})); })()""")
    assert shown(browser) == sum(one.test == "submatrix" for one in report.rows)
    assert set(column(browser, "test")) == {"submatrix"}
    browser.run("""(() => { const box = document.getElementById("filter-z"); box.value = "3";
        box.dispatchEvent(new Event("input", {bubbles: true})); })()""")
    assert shown(browser) == sum(one.test == "submatrix" and abs(one.z_local) >= 3 for one in report.rows)
    browser.run("document.querySelector('.dt-search input').focus()")
    for letter in "e/mu":
        browser.press(letter, ord(letter.upper()), letter)
    browser.wait("document.querySelector('.dt-search input').value === 'e/mu'")
    browser.wait(
        "[...document.querySelectorAll('#rows tbody tr')].every((one) => one.textContent.includes('e/\\u03bc'))"
    )
    assert set(column(browser, "where")) == {"e/\N{GREEK SMALL LETTER MU}"}

    browser.run("document.querySelector('table.ddp td a').click()")
    browser.wait("location.pathname.includes('/regions/') && document.readyState === 'complete'")
    browser.wait("document.documentElement.dataset.figures === 'ready'")
    assert browser.run("document.querySelectorAll('.canvas > svg').length") > 1
    browser.run("document.querySelector('nav a').click()")
    browser.wait("location.pathname.endsWith('index.html') && document.documentElement.dataset.table === 'ready'")


@in_a_browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 1440])
def test_contrast_and_no_page_that_scrolls_sideways(browser, written, width, theme, tmp_path):
    _, _, index = written
    browser.size(width, 800, phone=width < 600)
    browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
    for path in (index, index.parent / "regions" / "001.html"):
        if path == index:
            ready(browser, path)
        else:
            browser.open(path)
        assert browser.run("document.scrollingElement.scrollWidth") <= width
        assert browser.run(CONTRAST) == []
        picture = browser.screenshot(tmp_path / "page.png")
        import matplotlib.image

        pixels = matplotlib.image.imread(picture)
        assert pixels.shape[1] >= width - 20  # without the bar that scrolls
        assert pixels[..., :3].std() > 0.05
        assert (np.median(pixels[..., :3]) < 0.2) == (theme == "dark")


@in_a_browser
def test_on_paper(browser, written):
    """On a page of paper nothing is cut off at the right, and the pictures are there."""
    browser.size(718, 1000)  # A4 between margins, in pixels of CSS
    browser.ask("Emulation.setEmulatedMedia", media="print")
    ready(browser, written[2])
    browser.wait("document.documentElement.dataset.figures === 'ready'")
    assert browser.run("document.scrollingElement.scrollWidth") <= 718
    assert browser.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert len(browser.ask("Page.printToPDF", printBackground=True)["data"]) > 50_000


@in_a_browser
def test_strangers_names_stay_text_in_a_browser(browser, tmp_path):
    evil = [
        row(symmetry=EVIL, cell=EVIL, region=Region(label=EVIL), test=EVIL, rank=i, similar_to=i) for i in range(1, 40)
    ]
    index = write_report(report_of(evil, plan=EVIL), tmp_path / "html")
    ready(browser, index)
    assert browser.run("window.evil") is None
    assert set(column(browser, "where")) == {EVIL}


@in_a_browser
def test_a_hundred_thousand_rows_in_a_browser(browser, large):
    n, index = large
    ready(browser, index)
    assert shown(browser) == n
    browser.run("""(() => { const box = document.getElementById("filter-cell"); box.value = "number=17";
        box.dispatchEvent(new Event("input", {bubbles: true})); })()""")
    expected = sum("number=17" in f"number={i % (n // 8)}" for i in range(n))
    assert shown(browser) == expected


@in_a_browser
def test_without_scripts_the_first_rows_are_there(browser, written):
    _, _, index = written
    browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    browser.ask("Page.navigate", url=index.resolve().as_uri())
    browser.ask("Emulation.setScriptExecutionDisabled", value=False)
    browser.wait("document.querySelectorAll('#rows tbody tr').length === 25")


# -- bounded whatever a stranger's report holds ------------------------------------------------------------------------


def test_pages_and_tables_of_any_report_are_bounded():
    known = {"p_local": 1e-4, "z_local": 3.7, "p_global": 0.5, "z_global": 0.0}
    bumps = [
        row(kind="spectrum", symmetry=None, decays_to=(f"k{i}", f"q{i}"), test="bump", **known) for i in range(4001)
    ]
    tested = [row(symmetry=f"s{i % 900}", cell=f"a{i}>=1", test=f"t{i}", **known) for i in range(4001)]
    rows = [dataclasses.replace(one, rank=rank, similar_to=rank) for rank, one in enumerate([*bumps, *tested], 1)]
    summaries = tuple(SymmetrySummary(f"s{i}", ("a", "b"), 1.0, 5, 0, 5, {}) for i in range(900))
    inputs = {
        "cells": [{"multiplicity": f"a{i}", "last": 2} for i in range(900)],
        "cutflow": {f"d{i}": {"all": 1} for i in range(900)},
        "choices": {f"c{i}": ["x"] for i in range(900)},
    }
    report = ScanReport("p", "", 0, inputs, 9_000, tuple(rows), summaries=summaries)
    paged = content.rows_with_pages(report, 20)
    assert 20 < len(paged) <= 20 + content.MOST_LINKED
    page = content.index(report, None, {one.number: f"{n}.html" for n, one in enumerate(paged)}, None)
    for name in ("symmetries", "states"):
        assert len(page[name].lines) == 60
        assert 50 < len(page[name].columns) <= 60
        assert "are left out" in page[name].note
    assert page["tests_note"] == "The first 100 of 4,001 are shown."
    assert len(page["tests"]) == 100
    assert "have no page" in page["table"]["sentence"]
    assert len(page["provenance"]["tables"]) <= 202
