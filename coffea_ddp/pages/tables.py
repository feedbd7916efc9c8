"""The two tables of the paradigm for a page: entries with their colour, their words and where they lead.

Examples
--------
>>> from coffea_ddp.report.report import ScanReport
>>> report = ScanReport(plan="demo", fingerprint="", seed=1, inputs={}, trials=0, rows=())
>>> symmetries(symmetry_table(report), {}, Naming.of([])), states(state_table(report), {})
(None, None)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from coffea_ddp.pages.columns import Pages
from coffea_ddp.pages.naming import Naming
from coffea_ddp.pages.words import level, levels, place, z_global_text, z_text
from coffea_ddp.report.cell_words import symbols
from coffea_ddp.report.display import amount, p_of, where_of
from coffea_ddp.report.overview import MOST, Entry, StateTable, SymmetryTable, state_table, symmetry_table, z_of
from coffea_ddp.report.parts import BumpPart
from coffea_ddp.report.rows import Row

__all__ = ["DrawnEntry", "DrawnTable", "state_table", "states", "symmetries", "symmetry_table"]

_NAMES = {
    "mu": "\N{GREEK SMALL LETTER MU}",
    "tau": "\N{GREEK SMALL LETTER TAU}",
    "gamma": "\N{GREEK SMALL LETTER GAMMA}",
    "j": "q/g",
}
_GROUPS = {"inclusive": "", "multiplicity": "object multiplicity", "decay": "decays", "topology": "topologies"}
_HEAVIER = ("three objects", "four or more")


@dataclass(frozen=True)
class DrawnEntry:
    """An entry: its number, colour and page, a smaller line, a second number with its page, and flags.

    ``hatched`` where kinematics explain it.
    """

    z: str
    level: str
    small: str
    title: str
    page: str | None = None
    also: str = ""
    also_page: str | None = None
    also_title: str = ""
    flags: str = ""
    hatched: bool = False


class Best(NamedTuple):
    """The best row of a line: its place in words, with the name in files, and its page."""

    words: str
    title: str
    page: str | None


@dataclass(frozen=True)
class DrawnTable:
    """A table: what columns are grouped under (heading, number), headings, and lines of entries.

    An entry is ``None`` where there are no data, and empty text where there can be none. Of symmetries, each line has
    its best row.
    """

    groups: tuple[tuple[str, int], ...]
    columns: tuple[str, ...]
    lines: tuple[tuple[str, tuple[DrawnEntry | str | None, ...]], ...]
    levels: tuple[tuple[str, str], ...]
    note: str = ""
    best: tuple[Best | None, ...] = ()


def symmetries(table: SymmetryTable, pages: Pages, naming: Naming) -> DrawnTable | None:
    """Return the table of symmetries, of the columns that have an entry; ``None`` where the report has none.

    Parameters
    ----------
    table
        Of a report.
    pages
        The pages that rows have, by their numbers, from the index.
    naming
        Of the cells.
    """
    if not table.symmetries:
        return None
    entered = {column for (_, column), entry in table.entries.items() if entry.best is not None}
    columns = [column for column in table.columns if column.name in entered]
    groups = [(_GROUPS[group], len(list(same))) for group, same in itertools.groupby(columns, lambda one: one.group)]
    lines = [
        (symbols(name), tuple(_symmetry_entry(table.entry(name, column.name), pages, naming) for column in columns))
        for name in table.symmetries
    ]
    names = tuple(_NAMES.get(column.name, column.name) if column.name != "j" else "j" for column in columns)
    best = tuple(
        _best([table.entry(name, column.name) for column in table.columns], pages, naming) for name in table.symmetries
    )
    return DrawnTable(tuple(groups), names, tuple(lines), tuple(levels()), _left_out(table.left_out), best)


def _best(entries: Sequence[Entry], pages: Pages, naming: Naming) -> Best | None:
    """Return the first ranked of the rows in the entries of a symmetry, with its rectangle."""
    rows = [row for entry in entries for row in (entry.alone, entry.others) if row is not None]
    first = min(rows, key=lambda row: row.number or 0, default=None)
    if first is None:
        return None
    cell = naming.cell(first.cell)
    told = [symbols(str(first.observable or "")), cell.words, symbols(where_of(first))]
    return Best("; ".join(filter(None, told)), cell.title, pages.get(first.number))


def _symmetry_entry(entry: Entry, pages: Pages, naming: Naming) -> DrawnEntry | None:
    alone, others = entry.alone, entry.others
    also = "" if others is None else _z_global_or_local(others)
    also_page = None if others is None else pages.get(others.number)
    also_title = "" if others is None else _title(others)
    if alone is None:
        if others is None:
            return None
        return DrawnEntry(f"({also})", "", naming.cell(others.cell).words, also_title, also_page)
    expected = alone.kind == "comparison" and alone.n_a is not None
    small = f"{f'{alone.n_a:.3g}' if expected else amount(alone.n_a)} : {amount(alone.n_b)}"
    page = pages.get(alone.number)
    return DrawnEntry(
        _z_global_or_local(alone), level(_shown_z(alone)), small, _title(alone), page, also, also_page, also_title
    )


def _z_global_or_local(row: Row) -> str:
    """Return the global z of a row as text; the local one where the report has no global p."""
    return z_global_text(row) or z_text(z_of(row))


def _shown_z(row: Row) -> float | None:
    """Return the z that colours an entry: what its text says."""
    return z_of(row) if row.z_global is None else row.z_global


def _title(row: Row) -> str:
    p = p_of(row, "p_global", count=True)
    after = f", global p {p}" if p else ""
    region = f", {row.region}" if row.region else ""
    return f"{place(row)}, {row.cell}{region}: {row.test}, local z {z_text(row.z_local)}{after}"


def states(table: StateTable, pages: Pages) -> DrawnTable | None:
    """Return the table of states; ``None`` where the report has no spectra that are made of objects."""
    if not table.kinds:
        return None
    numbers = [number for number in (3, 4) if any(many == number for _, many in table.heavier)]
    lines = []
    for first, kind in enumerate(table.kinds):
        entries: list[DrawnEntry | str | None] = [""] * first
        entries += [_state_entry(table.pair(kind, other), pages) for other in table.kinds[first:]]
        entries += [_state_entry(table.heavier.get((kind, number)), pages) for number in numbers]
        lines.append((_NAMES.get(kind, kind), tuple(entries)))
    columns = [*(_NAMES.get(kind, kind) for kind in table.kinds), *(_HEAVIER[number - 3] for number in numbers)]
    excesses = tuple(one for one in levels() if one[0].startswith("p"))
    return DrawnTable((), tuple(columns), tuple(lines), excesses, _left_out(table.left_out))


def _left_out(number: int) -> str:
    return (
        f"{number:,} more lines and columns of the report are left out: a table has {MOST} at most." if number else ""
    )


def _z_global(row: Row) -> float:
    """Return the global z of a bump, which a row lacks where all its trials leave nothing: p of 1 has no finite z."""
    if row.z_global is not None:
        return row.z_global
    return -math.inf if row.p_global is not None else float(row.z_local or 0.0)


def _state_entry(row: Row | None, pages: Pages) -> DrawnEntry | None:
    if row is None or row.z_local is None:
        return None
    bump = row.bump or BumpPart()
    where = (
        symbols(str(row.observable))
        if bump.position is None
        else f"{symbols(str(row.observable))}, {bump.position:.4g}\N{NO-BREAK SPACE}GeV"
    )
    title = _title(row) if row.cause is None else f"{_title(row)}; explained by {row.cause.cause}"
    z = _z_global(row)
    text = z_text(z) if z > 0.0 else "\N{LESS-THAN OR EQUAL TO} 0"  # of an excess: less than chance is no deficit
    return DrawnEntry(
        text, level(max(z, 0.0)), where, title, pages.get(row.number), flags=bump.flags or "", hatched=row.is_explained
    )
