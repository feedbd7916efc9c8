r"""Rows of a report as lines of text, and lines as tables for terminals and notebooks.

Examples
--------
>>> number(2.5), number(None), printable("a\x1b[31m")
('+2.50', '', 'a\\x1b[31m')
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.table import Table

    from coffea_ddp.rows import Row

# The columns of the tables, and the side to which each is flushed.
SHOWN: Mapping[str, Literal["left", "right"]] = {
    "#": "right",
    "symmetry": "left",
    "observable": "left",
    "cell": "left",
    "n_a": "right",
    "n_b": "right",
    "z": "right",
    "z global": "right",
    "asymmetry": "right",
    "similar": "right",
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
        return "<tr>" + "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts) + "</tr>"

    body = "".join(row("td", line) for line in lines)
    return f"<table><thead>{row('th', list(columns))}</thead><tbody>{body}</tbody></table>"


def row_cells(row: Row) -> list[str]:
    """Return the columns :data:`SHOWN` of a row, but the last."""
    where = [row.symmetry or "", row.observable or "", " ".join(filter(None, (row.cell, row.region)))]
    numbers = ["" if value is None else f"{value:,.7g}" for value in (row.n_a, row.n_b)]
    asymmetry = "" if row.asymmetry is None else _percent(row.asymmetry)
    return [str(row.rank or ""), *where, *numbers, number(row.z_local), number(row.z_global), asymmetry]


def _percent(asymmetry: float) -> str:
    """Above 100 % no difference of efficiencies explains anything, and the number itself says nothing more."""
    return f"{100 * asymmetry:+.1f} %" if abs(asymmetry) <= 1.0 else "> 100 %"


def number(value: float | None) -> str:
    """Return a number with its sign and two digits; nothing for ``None``."""
    return "" if value is None else f"{value:+.2f}"


def printable(text: str) -> str:
    """Return the text with control characters (terminal escapes among them) spelled out."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
