r"""Rows of a report as lines of text, and lines as tables for terminals and notebooks.

Examples
--------
>>> number(2.5), number(None), printable("a\x1b[31m")
('+2.50', '', 'a\\x1b[31m')
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.table import Table

    from coffea_ddp.rows import GlobalP, Row

# The columns of the tables, and the side to which each is flushed.
SHOWN: Mapping[str, Literal["left", "right"]] = {
    "#": "right",
    "test": "left",
    "symmetry": "left",
    "observable": "left",
    "cell and region": "left",
    "n_a": "right",
    "n_b": "right",
    "z": "right",
    "z global": "right",
    "asymmetry": "right",
    "similar": "right",
}
REGIONS: Mapping[str, Literal["left", "right"]] = {
    "symmetry": "left",
    "test": "left",
    "observable": "left",
    "cell and region": "left",
    "n_a": "right",
    "n_b": "right",
    "z": "right",
    "p local": "right",
    "p cell": "right",
    "p symmetry": "right",
    "p global": "right",
    "tail": "left",
}
TAIL_NOTE = "~: from a generalised Pareto tail fitted to the pseudo-experiments, with its 68 % interval"
BUMPS: Mapping[str, Literal["left", "right"]] = {
    "#": "right",
    "spectrum": "left",
    "state": "left",
    "range [GeV]": "left",
    "entries": "right",
    "mass [GeV]": "right",
    "z": "right",
    "error": "right",
    "p local": "right",
    "p spectrum": "right",
    "p global": "right",
    "status": "left",
}
SUMMARY: Mapping[str, Literal["left", "right"]] = {
    "symmetry": "left",
    "cells": "right",
    "filled": "right",
    "distinct": "right",
    "looks": "right",
    "best in": "left",
    "cell": "left",
    "z": "right",
}


def text_table(
    title: str, caption: str, columns: Mapping[str, Literal["left", "right"]], lines: list[list[str]]
) -> Table:
    """Return a table for terminals; text is not parsed for markup, so names from a file cannot style or link."""
    from rich import box  # 0.1 s, for terminals only
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(printable(title)),
        caption=Text(printable(caption)) if caption else None,
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title_justify="left",
        caption_justify="left",
    )
    for name, justify in columns.items():
        table.add_column(name, justify=justify, overflow="fold")
    for line in lines:
        table.add_row(*(Text(printable(text)) for text in line))
    return table


def html_table(columns: Mapping[str, str], lines: list[list[str]]) -> str:
    """Return a table for notebooks, everything escaped."""

    def row(tag: str, texts: Sequence[str]) -> str:
        cells = (html.escape(text).replace("\n", "<br>") for text in texts)
        return "<tr>" + "".join(f"<{tag}>{text}</{tag}>" for text in cells) + "</tr>"

    body = "".join(row("td", line) for line in lines)
    return f"<table><thead>{row('th', list(columns))}</thead><tbody>{body}</tbody></table>"


def row_cells(row: Row) -> list[str]:
    """Return the columns :data:`SHOWN` of a row, but the last."""
    # Nothing on side A: no difference of efficiencies explains that.
    asymmetry = _percent(math.inf if not row.n_a and row.n_b else row.asymmetry)
    z = number(row.z_local) + ("" if row.z_plain is None else f" ({number(row.z_plain)})")
    places = [row.test, row.symmetry or "", row.observable or "", _place(row)]
    return [str(row.rank or ""), *places, *_contents(row), z, number(row.z_global), asymmetry]


def region_cells(row: Row) -> list[str]:
    """Return the columns :data:`REGIONS` of a row."""
    values = (row.p_local, row.p_cell, row.p_symmetry, row.p_global)
    where = [row.symmetry or "", row.test, row.observable or "", _place(row)]
    return [*where, *_contents(row), number(row.z_local), *(probability(p) for p in values), tail_text(row)]


def bump_cells(row: Row) -> list[str]:
    """Return the columns :data:`BUMPS` of a row."""
    span = "" if row.low is None or row.high is None else f"{row.low:.5g} to {row.high:.5g}"
    error = "" if row.z_error is None else f"{row.z_error:.2f}"
    mass = "" if row.position is None else f"{row.position:.5g}"
    status = " ".join(filter(None, ("" if row.status == "OK" else row.status, row.flags)))
    where = [str(row.rank or ""), row.observable or "", row.cell or "", span]
    p_values = (probability(p) for p in (row.p_local, row.p_cell, row.p_global))
    return [*where, _contents(row)[1], mass, number(row.z_local), error, *p_values, status]


def _place(row: Row) -> str:
    return "\n".join(filter(None, (row.cell, row.region)))


def _contents(row: Row) -> list[str]:
    return ["" if value is None else f"{value:,.7g}" for value in (row.n_a, row.n_b)]


def tail_text(found: Row | GlobalP) -> str:
    """Return an extrapolated p-value with its interval; nothing where there is none."""
    if found.p_tail is None:
        return ""
    low, high = probability(found.p_tail_low), probability(found.p_tail_high)
    return f"~{probability(found.p_tail)} [{low}, {high}]" if low and high else f"~{probability(found.p_tail)}"


def _percent(asymmetry: float | None) -> str:
    """Above 100 % no difference of efficiencies explains anything, and the number itself says nothing more."""
    if asymmetry is None:
        return ""
    return f"{100 * asymmetry:+.1f} %" if abs(asymmetry) <= 1.0 else "> 100 %"


def probability(p: float | None) -> str:
    """Return a probability with two digits; nothing for ``None``."""
    return "" if p is None else f"{p:.2g}"


def number(value: float | None) -> str:
    """Return a number with its sign and two digits; nothing for ``None``."""
    # Rounded first: -0.001 is no -0.00.
    return "" if value is None else f"{round(value, 2) + 0.0:+.2f}"


def printable(text: str) -> str:
    """Return the text with control characters (terminal escapes among them) spelled out."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
