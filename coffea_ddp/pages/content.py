"""The data of the templates: the index of a report, and the page of a region.

Everything is text or data made here; the templates only place it, and escape it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from coffea_ddp.pages import words
from coffea_ddp.pages.columns import Pages, Shown, columns_of
from coffea_ddp.pages.facts import (
    Grid,
    global_grid,
    provenance_facts,
    provenance_tables,
    region_facts,
    summary_grid,
)
from coffea_ddp.pages.first import first_screen
from coffea_ddp.pages.naming import Naming, place_of
from coffea_ddp.pages.tables import state_table, states, symmetries, symmetry_table
from coffea_ddp.report.cell_words import symbols
from coffea_ddp.report.common import leading_rows
from coffea_ddp.report.display import amount, method_of, p_of, side_a_of, where_of
from coffea_ddp.report.finding import region_words, significance_words

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.pages.embedding import Embedded
    from coffea_ddp.report.report import ScanReport
    from coffea_ddp.report.rows import Row

_HEADLINE = 10
"""Rows of the headline."""
_FIRST = 25
"""Rows of the table that are there without scripts."""
_SIMILAR = 15
_TESTS = 100
"""Rows of the table of tests."""
MOST_LINKED = 500
"""No more rows get a page for what the tables lead to: a report may come from a stranger."""


class Region(NamedTuple):
    """A row with its figures and the neighbours of its page."""

    row: Row
    images: tuple[Embedded, ...]
    note: str
    before: str | None
    after: str | None


def title(row: Row) -> str:
    """Return the title of a row's page, with the names that files have."""
    return f"{words.place(row)}, {row.cell}"


def _heading(row: Row, naming: Naming) -> str:
    """Return the heading of a row's page, in words and symbols."""
    return ", ".join(filter(None, (place_of(row), naming.cell(row.cell).words)))


def rows_with_pages(report: ScanReport, leading: int) -> list[Row]:
    """Return the rows that get a page: the leading ones, and what the tables lead to, :data:`MOST_LINKED` at most.

    Parameters
    ----------
    report
        Of a scan.
    leading
        How many rows that hold mostly different events and have no common cause, the strongest first.
    """
    chosen = [row for row in leading_rows(report.rows, report.common_asymmetries) if row.rank is not None][:leading]
    linked = sorted(_linked(report, chosen), key=_number_of)[:MOST_LINKED]
    return sorted([*chosen, *linked], key=_number_of)


def _number_of(row: Row) -> int:
    return row.number or 0


def _linked(report: ScanReport, besides: Sequence[Row] = ()) -> list[Row]:
    """Return the rows that the tables lead to, each once; some are left out."""
    known = {row.number for row in besides}
    linked = [*symmetry_table(report).rows, *state_table(report).rows, *_best_of_tests(report)]
    return list({row.number: row for row in linked if row.number not in known and row.z_local is not None}.values())


def index(report: ScanReport, hists: Histograms | None, pages: Pages, z_picture: Embedded | None) -> dict[str, Any]:
    """Return the data of the index.

    Parameters
    ----------
    report, hists
        The report; the histograms give the list of files.
    pages
        The file names of the pages that rows have, by their numbers.
    z_picture
        The distribution of z, where there is one.
    """
    links = {row: f"regions/{page}" for row, page in pages.items()}
    letters, columns, naming = _letters(report), columns_of(report.rows), naming_of(report)
    return {
        "root": "",
        "head": _head(report),
        "first": first_screen(report, hists, links),
        "legend_of_cells": naming.list(),
        "missing": report.missing if report.partial else (),
        "package": report.inputs.get("package", ""),
        "leading": [_leading(place, row, links, letters, naming) for place, row in enumerate(_headline(report), 1)],
        "has_a": any(row.n_a is not None for row in _headline(report)),
        "sided": len({row.two_sided for row in _headline(report)}) > 1,
        "tests": [_of_test(row, links, naming) for row in _best_of_tests(report)[:_TESTS]],
        "tests_note": _fewer(len(_best_of_tests(report)), _TESTS),
        "methods": [(letter, method) for method, letter in letters.items()],
        "compared": _compared(report),
        "symmetries": symmetries(symmetry_table(report), links, naming),
        "states": states(state_table(report), links),
        "table": {
            "sentence": f"{_table_sentence(report)}{_without_pages(report, pages)}",
            "columns": [(one.name, _kind(one.kind)) for one in columns if one.kind != "hidden"],
            "first": [_line(row, columns, naming) for row in report.rows[:_FIRST]],
        },
        "distribution": [] if z_picture is None else [z_picture],
        "global_p": global_grid(report),
        "summary": summary_grid(report),
        "provenance": {"facts": provenance_facts(report), "tables": provenance_tables(report, hists)},
        "caveats": words.caveats(report),
    }


def _head(report: ScanReport) -> dict[str, Any]:
    best = report.best()
    sizes = [row for row in report.rows if row.z_local is not None]
    largest = max(sizes, key=lambda row: abs(row.z_local or 0.0), default=None)
    tiles = [
        ("events", _number(report.inputs.get("events"))),
        ("spectra", _number(report.inputs.get("spectra"))),
        ("trials", _number(report.trials)),
        (_compared(report).lower(), _number(len(report.summaries) or None)),
        ("pseudo-experiments", _number(report.options.get("toys") or None)),
        ("largest z, local", "" if largest is None else words.z_text(largest.z_local)),
        ("smallest p, global", "" if best is None else p_of(best, "p_global", count=True)),
    ]
    return {
        "plan": report.plan,
        "tiles": [(name, value) for name, value in tiles if value],
        "paragraphs": words.paragraphs(report),
    }


def _compared(report: ScanReport) -> str:
    """Return what the sections of a report are about, as the heading of one: symmetries, comparisons, or both."""
    kinds = {row.kind for row in report.rows} - {"spectrum"}
    return {("comparison",): "Comparisons", ("comparison", "symmetry"): "Symmetries and comparisons"}.get(
        tuple(sorted(kinds)), "Symmetries"
    )


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else ""


def _headline(report: ScanReport) -> list[Row]:
    return [row for row in leading_rows(report.rows, report.common_asymmetries) if row.rank is not None][:_HEADLINE]


def _letters(report: ScanReport) -> dict[str, str]:
    """Return a letter for each way in which p-values of the headline were made."""
    methods = dict.fromkeys(method_of(row) for row in _headline(report))
    return {method: chr(ord("a") + number) for number, method in enumerate(methods)}


def _best_of_tests(report: ScanReport) -> list[Row]:
    """Return the best row of every test of every symmetry, where there are several tests."""
    found = report.best_of_tests()
    return found if len({row.test for row in found}) > 1 else []


def naming_of(report: ScanReport) -> Naming:
    """Return the names of the cells of a report, in words."""
    return Naming.of(report.inputs.get("cells"))


def _of_test(row: Row, links: Pages, naming: Naming) -> dict[str, Any]:
    """Return a row as a line of the tables of the headline."""
    return {
        "symmetry": symbols(str(row.symmetry or "")),
        "test": row.test,
        "page": links.get(row.number),
        "observable": symbols(str(row.observable or "")),
        "cell": naming.cell(row.cell),
        "region": symbols(where_of(row)),
        "n_a": side_a_of(row),
        "n_b": amount(row.n_b),
        "z": words.z_text(row.z_local),
        "level": words.level(row.z_local),
        "p_local": p_of(row, "p_local"),
        "p_global": p_of(row, "p_global", count=True),
    }


def _leading(place: int, row: Row, links: Pages, letters: Mapping[str, str], naming: Naming) -> dict[str, Any]:
    return {
        **_of_test(row, links, naming),
        "rank": place,
        "number": row.number,
        "place": place_of(row),
        "z_global": words.z_global_text(row),
        "sided": 2 if row.two_sided else 1,
        "method": letters[method_of(row)],
    }


def _table_sentence(report: ScanReport) -> str:
    kept = len(report.rows)
    what = f"{kept:,} rows" if kept >= report.trials else f"The best {kept:,} rows of {report.trials:,} trials"
    return f"{what}, ranked. Rows without a number are kept for the tables above, and are not among the best of all."


def _fewer(number: int, shown: int) -> str:
    return f"The first {shown:,} of {number:,} are shown." if number > shown else ""


def _without_pages(report: ScanReport, pages: Pages) -> str:
    """Return how many rows that the tables lead to have no page; nothing where all have one."""
    without = sum(row.number not in pages for row in _linked(report))
    if not pages or not without:
        return ""
    return (
        f" {without:,} more rows of the tables above have no page: a report makes {MOST_LINKED:,} beside "
        "those of its leading rows."
    )


def _kind(kind: str) -> str:
    return "text" if kind == "text" else "num"


def _line(row: Row, columns: Sequence[Shown], naming: Naming) -> list[tuple[str, str]]:
    """Return a row as text, in the columns of the table."""
    texts = {"z": words.z_text, "num": amount, "percent": words.percent}
    global_texts = {"signed": words.z_global_text(row), "p": p_of(row, "p_global", count=True)}
    found = []
    for column in columns:
        value = column.value(row)
        if column.kind in global_texts:
            found.append((global_texts[column.kind], "num"))
        elif column.kind != "hidden":
            text = _text(column, value, naming) if column.kind == "text" else texts[column.kind](value)
            found.append((text, _kind(column.kind)))
    return found


def _text(column: Shown, value: Any, naming: Naming) -> str:
    if column.name == "cell":
        return naming.cell(value).words
    return symbols(str(value or "")) if column.name in ("where", "observable", "region") else str(value or "")


def region(report: ScanReport, found: Region) -> dict[str, Any]:
    """Return the data of the page of a region."""
    row = found.row
    return {
        "root": "../",
        "head": _head(report),
        "missing": report.missing if report.partial else (),
        "package": report.inputs.get("package", ""),
        "region": {
            "title": title(row),
            "heading": _heading(row, naming_of(report)),
            "cell": naming_of(report).cell(row.cell).title,
            "sentence": _region_sentence(report, row),
            "facts": region_facts(row),
            "pictures": found.images,
            "note": found.note,
            "similar": _similar(report, row),
            "code": _code(row),
            "before": found.before,
            "after": found.after,
        },
    }


def _region_sentence(report: ScanReport, row: Row) -> str:
    local = f"{row.test}: local z = {words.z_text(row.z_local)}; {words.minus_in(significance_words(row))}."
    told = symbols(region_words(report, row))
    return f"{told[:1].upper() if row.kind == 'spectrum' else told[:1]}{told[1:]}. {local}"


def _similar(report: ScanReport, row: Row) -> Grid | None:
    if row.rank is None:
        return None
    mine: Sequence[Row] = [one for one in report.rows if one.similar_to == row.rank and one.number != row.number]
    columns = columns_of(report.rows)
    shown = [column for column in columns if column.kind != "hidden"]
    lines = [[text for text, _ in _line(one, columns, naming_of(report))] for one in mine[:_SIMILAR]]
    return Grid.of([(column.name, _kind(column.kind)) for column in shown], lines) if lines else None


def _code(row: Row) -> str:
    lines = ["import coffea_ddp as ddp", "", 'hists = ddp.load("hists.ddp")']
    if row.kind == "comparison":
        lines += [
            f"found = ddp.compared_cell(hists, {row.symmetry!r}, {row.observable!r}, {row.cell!r})",
            "found.data, found.expected, found.error  # of every bin; found.samples: of each dataset",
        ]
    elif row.kind == "spectrum":
        lines += [f"spectrum = hists.spectrum({row.observable!r}, {row.cell!r})", "spectrum.hist.plot1d()"]
    elif row.test in ("nplm", "classifier"):
        lines += [
            f"pair = ddp.sample_pair(hists, {row.symmetry!r}, {row.cell!r})  # the stored events",
            "print(ddp.stats.nplm(pair.a, pair.b, shares=pair.shares, toys=1000))",
        ]
    else:
        lines += [
            f"pair = hists[{row.symmetry!r}, {row.observable!r}, {row.cell!r}]",
            "print(ddp.stats.n_sigma(*pair.counts, kappa=pair.kappa))",
            "pair.asymmetric  # hist.Hist: B - A",
        ]
    return "\n".join(lines)
