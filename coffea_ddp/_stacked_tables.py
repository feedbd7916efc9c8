r"""Tables for terminals that stack their cells where they would be too wide: text in one column, numbers in few.

Examples
--------
>>> stacked({"name": "left", "cell": "left", "A": "right", "B": "right"}, [["e/mu", "j=1", "8", "94"]], 2)
({'name\ncell': 'left', 'A\nB': 'right'}, [['e/mu\nj=1', '8\n94']])
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from coffea_ddp._text import printable

Columns = Mapping[str, Literal["left", "right"]]
Lines = list[list[str]]
_LEAST = 28
"""Characters that the column of text keeps where numbers could be stacked higher instead."""
_HIGHEST = 4


class StackedTable(Table):
    """A table that knows how to be narrower: its cells are stacked as high as the console's width asks for."""

    columns_as_given: Columns
    lines_as_given: Lines

    @classmethod
    def of(cls, title: str, caption: str, columns: Columns, lines: Lines) -> StackedTable:
        """Return the table of columns (name and the side to which it is flushed) and lines of text."""
        table = cls(
            title=Text(printable(title, lines=True)),
            caption=Text(printable(caption, lines=True)) if caption else None,
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            title_justify="left",
            caption_justify="left",
        )
        table.columns_as_given, table.lines_as_given = columns, lines
        for name, justify in columns.items():
            table.add_column(Text(printable(name, lines=True)), justify=justify, overflow="fold")
        for line in lines:
            table.add_row(*(Text(printable(text, lines=True)) for text in line))
        return table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines of the table, stacked as high as needed."""
        yield from Table.__rich_console__(self._narrowed(console, options), console, options)

    def _narrowed(self, console: Console, options: ConsoleOptions) -> Table:
        wide = options.update(width=10_000)
        if len(self.columns) < 2 or _natural(self, console, wide) <= options.max_width:
            return self
        narrower: Table = self
        for height in range(1, _HIGHEST + 1):
            columns, lines = stacked(self.columns_as_given, self.lines_as_given, height)
            narrower = StackedTable.of(str(self.title or ""), str(self.caption or ""), columns, lines)
            spare = max(_longest(columns, lines) - _LEAST, 0)
            if _natural(narrower, console, wide) - spare <= options.max_width:
                break
        return narrower


def _natural(table: Table, console: Console, options: ConsoleOptions) -> int:
    """Return the width of a table of which no cell is folded, without its title and caption."""
    return int(Measurement.get(console, options, table).maximum)


def _longest(columns: Columns, lines: Lines) -> int:
    """Return the length of the longest line in the cells of text."""
    sides = list(columns.values())
    texts = (text for line in lines for text, side in zip(line, sides, strict=True) if side == "left")
    return max((len(part) for text in texts for part in text.split("\n")), default=0)


def stacked(columns: Columns, lines: Lines, height: int) -> tuple[Columns, Lines]:
    """Return a narrower table: the columns of text as one, those of numbers so many above each other.

    A number in the first column stays where it is, as it says which line it is.

    Parameters
    ----------
    columns, lines
        Names and sides, and the lines of text.
    height
        Numbers above each other.
    """
    names = list(columns)
    first = [0] if names and columns[names[0]] == "right" else []
    texts = [number for number, name in enumerate(names) if columns[name] == "left"]
    numbers = [number for number, name in enumerate(names) if columns[name] == "right" and number not in first]
    groups = [first, texts, *(numbers[start : start + height] for start in range(0, len(numbers), height))]
    groups = [group for group in groups if group]
    heads: dict[str, Any] = {"\n".join(names[number] for number in group): columns[names[group[0]]] for group in groups}
    # Numbers stay on the line of their heading; text has no holes.
    cells = [
        ["\n".join(line[number] for number in group if group is not texts or line[number]) for group in groups]
        for line in lines
    ]
    return heads, cells
