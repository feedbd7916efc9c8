"""Tables of text: for terminals and notebooks.

Examples
--------
>>> html_table({"a": "left"}, [["<b>"]])
'<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>'
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from coffea_ddp._text import printable

if TYPE_CHECKING:
    from rich.table import Table


def text_table(
    title: str, caption: str, columns: Mapping[str, Literal["left", "right"]], lines: list[list[str]]
) -> Table:
    """Return a table for terminals; text is not parsed for markup, so names from a file cannot style or link."""
    from rich import box  # 0.1 s, for terminals only
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(printable(title, lines=True)),
        caption=Text(printable(caption, lines=True)) if caption else None,
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title_justify="left",
        caption_justify="left",
    )
    for name, justify in columns.items():
        table.add_column(name, justify=justify, overflow="fold")
    for line in lines:
        table.add_row(*(Text(printable(text, lines=True)) for text in line))
    return table


def html_table(columns: Mapping[str, str], lines: list[list[str]]) -> str:
    """Return a table for notebooks, everything escaped."""

    def row(tag: str, texts: Sequence[str]) -> str:
        cells = (html.escape(text).replace("\n", "<br>") for text in texts)
        return "<tr>" + "".join(f"<{tag}>{text}</{tag}>" for text in cells) + "</tr>"

    body = "".join(row("td", line) for line in lines)
    return f"<table><thead>{row('th', list(columns))}</thead><tbody>{body}</tbody></table>"
