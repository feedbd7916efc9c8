"""The first screen and the tables in a browser: seen at once, and nothing cut off on a desk or a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, Browser, browsing
from reports import EVIL, report_of, row
from toys import make_histograms, make_layout

from coffea_ddp import scan
from coffea_ddp.histograms.cells import CellGrid, Multiplicity, Topology
from coffea_ddp.histograms.ledger import Missing
from coffea_ddp.pages import write_report
from coffea_ddp.report.parts import BumpPart
from coffea_ddp.report.regions import Range, Region
from coffea_ddp.report.summaries import SymmetrySummary

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium, which Debian calls chromium")

BEYOND = """
(() => [...document.querySelectorAll("body *")].filter((one) => {
  const box = one.getBoundingClientRect();
  return box.width > 0 && !one.closest("svg") && !one.closest(".skip") &&
    (box.right > WIDTH + 1 || (one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX === "auto"));
}).map((one) => `${one.tagName}.${one.className}: ${one.textContent.slice(0, 40)}`))()
"""
"""What is wider than the page, or can only be seen by scrolling sideways."""


def scanned() -> tuple[object, object]:
    def far_apart(events: object) -> object:
        """Return which events have two jets far apart."""
        return events

    grid = CellGrid((Multiplicity("j", last=2, description="Jet with pt > 30 GeV"), Topology("VBF", far_apart)))
    hists = make_histograms(make_layout(grid=grid), 900, seed=3, excess=0.15)
    return scan(hists, ["nsigma", "submatrix"], min_events=5, toys=50, seed=1), hists


def partial() -> tuple[object, None]:
    hists = make_histograms(make_layout(), 300, seed=3).with_missing(
        [Missing("data", "/store/" + "long/" * 60 + "gone.root", -1, -1, "truncated")]
    )
    return scan(hists, min_events=5, toys=0), None


def strangers() -> tuple[object, None]:
    names = [EVIL + "x" * 150, "\u202e" + "\u05d0\u05d1" * 60, "L" * 200, *(f"s{i}/t{i}" for i in range(97))]
    region = Region((Range("m" * 60, 1.0, 2.0, "GeV", 0, 1),))
    rows = [
        row(symmetry=name, cell="j>=2 & VBF" if i % 2 else "c" * 200, observable="o" * 80, rank=i + 1, similar_to=i + 1,
            test="t" * 40 if i == 3 else "nsigma", z_local=5.0 - 0.05 * i, p_local=1e-5, p_global=0.01 * (i + 1),
            z_global=2.5 if i < 3 else 0.0, n_a=123456789, n_b=98765432.5, region=region)
        for i, name in enumerate(names)
    ]  # fmt: skip
    inputs = {"events": 11, "partial": True, "missing": ["m" * 300] * 5, "choices": {"kind of events": ["data"]},
              "cells": [{"multiplicity": "j", "last": 2, "description": "x" * 300}, {"topology": "VBF"}]}  # fmt: skip
    summaries = tuple(SymmetrySummary(name, ("a" * 100, "b" * 100), 1.0, 5, 0, 5, {}) for name in names)
    return report_of(rows, plan="P" * 200, inputs=inputs, summaries=summaries), None


def bumps() -> tuple[object, None]:
    masses = [
        row(kind="spectrum", symmetry=None, observable=f"{n}mu+tau", cell="j>=1", test="bump", rank=n, similar_to=n,
            n_a=None, z_local=6.0 - n, p_global=0.01 * n, z_global=2.3 - 0.1 * n, two_sided=False, position=100.0 * n,
            width=3.0, flags="NOT_SMOOTH OTHER_LENGTH", decays_to=("mu", "tau"),
            region=Region((Range("", 100.0 * n - 6, 100.0 * n + 6, "GeV"),)))
        for n in range(1, 20)
    ]  # fmt: skip
    assert isinstance(masses[0].bump, BumpPart)
    return report_of(masses), None


def nothing() -> tuple[object, None]:
    return report_of([]), None


REPORTS = {one.__name__: one for one in (scanned, partial, strangers, bumps, nothing)}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {}
    for name, make in REPORTS.items():
        report, hists = make()
        found[name] = write_report(report, tmp_path_factory.mktemp(name) / "html", hists=hists, leading=2)
    return found


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("browser")) as found:
        yield found
        assert found.messages == []


def opened(browser: Browser, path: Path, width: int, height: int) -> None:
    browser.size(width, height, phone=width < 600)
    browser.open(path)
    if path.name == "index.html":
        browser.wait("document.documentElement.dataset.table")


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_is_cut_off(browser: Browser, written: dict[str, Path], name: str, width: int) -> None:
    for path in (written[name], *sorted(written[name].parent.glob("regions/*.html"))[:2]):
        opened(browser, path, width, 900)
        assert browser.run("document.documentElement.scrollWidth") <= width, path
        beyond = browser.run(BEYOND.replace("WIDTH", str(width)))
        assert beyond == [], path


@pytest.mark.parametrize("name", [one for one in REPORTS if one != "nothing"])
def test_the_outcome_is_on_the_first_screen(browser: Browser, written: dict[str, Path], name: str) -> None:
    opened(browser, written[name], 1440, 900)
    for part in ("h1", ".dataset", ".first .lead", ".first .significance"):
        bottom = browser.run(f"document.querySelector({part!r}).getBoundingClientRect().bottom")
        assert 0 < bottom < 900, part
    assert "global z" in browser.run("document.querySelector('.significance').textContent")
    cautions = browser.run("document.querySelector('.cautions')?.textContent ?? ''")
    assert ("PARTIAL" in cautions) == (name in ("partial", "strangers"))


def test_the_thumbnail_is_a_picture_of_the_leading_region(browser: Browser, written: dict[str, Path]) -> None:
    opened(browser, written["scanned"], 1440, 900)
    box = browser.run("(() => { const b = document.querySelector('.thumbnail svg').getBoundingClientRect(); "
                      "return [b.width, b.bottom]; })()")  # fmt: skip
    assert box[0] > 200
    assert box[1] < 900
    lengths = browser.run("['.side-a', '.side-b'].map((one) => document.querySelector(one).getTotalLength())")
    assert min(lengths) > 330  # across the picture
    words = browser.run("document.querySelector('.thumbnail svg').getAttribute('aria-label')")
    assert "(expected) and \N{SCRIPT SMALL L}+ in met from" in words


def test_ranks_have_no_holes_and_empty_columns_are_not_there(browser: Browser, written: dict[str, Path]) -> None:
    for name in set(REPORTS) - {"nothing"}:
        opened(browser, written[name], 1440, 900)
        ranks = browser.run("[...document.querySelectorAll('#headline table tbody td[data-name=\"#\"]')]"
                            ".map((one) => Number(one.textContent))")  # fmt: skip
        assert ranks == list(range(1, len(ranks) + 1)), name
        empty = browser.run(
            "(() => { const rows = [...document.querySelectorAll('#rows tbody tr')]; return rows[0].cells.length ? "
            "[...rows[0].cells].map((_, n) => rows.every((one) => !one.cells[n].textContent.trim())) : []; })()"
        )
        assert not any(empty), (name, empty)


def test_cells_are_in_words_with_their_definitions(browser: Browser, written: dict[str, Path]) -> None:
    opened(browser, written["scanned"], 1440, 900)
    legend = browser.run("document.querySelector('.legend-of-cells').textContent")
    assert "events that have two jets far apart" in legend
    assert "Jet with pt > 30 GeV" in legend
    titles = browser.run("[...document.querySelectorAll('#rows td span[title]')].map((one) => "
                         "[one.title, one.textContent])")  # fmt: skip
    assert any("VBF" in title and "VBF topology" in words for title, words in titles)


def test_the_table_of_symmetries_is_coloured_by_what_it_says(browser: Browser, written: dict[str, Path]) -> None:
    """Global z as the number and the colour; the local one at the pointer."""
    opened(browser, written["scanned"], 1440, 900)
    entries = browser.run(
        "[...document.querySelectorAll('table.symmetries td[class]:not(.none, .best)')].map((one) => [one.className, "
        "one.querySelector('[title]').textContent, one.querySelector('[title]').title])"
    )
    assert entries
    for level, text, title in entries:
        z = float(text.replace("\N{MINUS SIGN}", "-").lstrip("<> \N{NO-BREAK SPACE}"))
        assert level == f"{'m' if z < 0 else 'p'}{min(int(abs(z)), 6)}", (level, text)
        assert "local z" in title
