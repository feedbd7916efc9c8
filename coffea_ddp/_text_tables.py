"""Tables of text: for terminals and notebooks.

A table for terminals has no empty columns, and stacks its cells where it would be wider than the terminal.

Examples
--------
>>> html_table({"a": "left"}, [["<b>"]])
'<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>'
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.table import Table


def text_table(
    title: str, caption: str, columns: Mapping[str, Literal["left", "right"]], lines: list[list[str]]
) -> Table:
    """Return a table for terminals; text is not parsed for markup, so names from a file cannot style or link."""
    from coffea_ddp._stacked_tables import StackedTable  # 0.1 s, for terminals only

    names = list(columns)
    kept = [number for number in range(len(names)) if not lines or any(line[number] for line in lines)]
    shown = {names[number]: columns[names[number]] for number in kept}
    return StackedTable.of(title, caption, shown, [[line[number] for number in kept] for line in lines])


def html_table(columns: Mapping[str, str], lines: list[list[str]]) -> str:
    """Return a table for notebooks, everything escaped."""

    def row(tag: str, texts: Sequence[str]) -> str:
        cells = (html.escape(text).replace("\n", "<br>") for text in texts)
        return "<tr>" + "".join(f"<{tag}>{text}</{tag}>" for text in cells) + "</tr>"

    body = "".join(row("td", line) for line in lines)
    return f"<table><thead>{row('th', list(columns))}</thead><tbody>{body}</tbody></table>"
