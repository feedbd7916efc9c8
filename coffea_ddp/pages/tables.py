"""The two tables of the paradigm for a page: entries with their colour, their words and where they lead.

Examples
--------
>>> from coffea_ddp.report.report import ScanReport
>>> report = ScanReport(plan="demo", fingerprint="", seed=1, inputs={}, trials=0, rows=())
>>> symmetries(symmetry_table(report), {}), states(state_table(report), {})
(None, None)
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from coffea_ddp.pages.columns import Pages
from coffea_ddp.pages.words import content, level, levels, place, z_text
from coffea_ddp.report.display import p_of
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


@dataclass(frozen=True)
class DrawnTable:
    """A table: what columns are grouped under (heading, number), headings, and lines of entries.

    An entry is ``None`` where there are no data, and empty text where there can be none.
    """

    groups: tuple[tuple[str, int], ...]
    columns: tuple[str, ...]
    lines: tuple[tuple[str, tuple[DrawnEntry | str | None, ...]], ...]
    levels: tuple[tuple[str, str], ...]
    note: str = ""


def symmetries(table: SymmetryTable, pages: Pages) -> DrawnTable | None:
    """Return the table of symmetries; ``None`` where the report has none.

    Parameters
    ----------
    table
        Of a report.
    pages
        The pages that rows have, by their numbers, from the index.
    """
    if not table.symmetries:
        return None
    groups = [
        (_GROUPS[group], len(list(columns)))
        for group, columns in itertools.groupby(table.columns, lambda one: one.group)
    ]
    lines = [
        (name, tuple(_symmetry_entry(table.entry(name, column.name), pages) for column in table.columns))
        for name in table.symmetries
    ]
    names = tuple(_NAMES.get(column.name, column.name) if column.name != "j" else "j" for column in table.columns)
    return DrawnTable(tuple(groups), names, tuple(lines), tuple(levels()), _left_out(table.left_out))


def _symmetry_entry(entry: Entry, pages: Pages) -> DrawnEntry | None:
    alone, others = entry.alone, entry.others
    also = "" if others is None else z_text(z_of(others))
    also_page = None if others is None else pages.get(others.number)
    also_title = "" if others is None else _title(others)
    if alone is None:
        return None if others is None else DrawnEntry(f"({also})", "", str(others.cell), also_title, also_page)
    small = f"{content(alone.n_a)} : {content(alone.n_b)}"
    page = pages.get(alone.number)
    z = z_of(alone)
    return DrawnEntry(z_text(z), level(z), small, _title(alone), page, also, also_page, also_title)


def _title(row: Row) -> str:
    p = p_of(row, "p_global", count=True)
    after = f", global p {p}" if p else ""
    region = f", {row.region}" if row.region else ""
    return f"{place(row)}, {row.cell}{region}: {row.test} z {z_text(row.z_local)}{after}"


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
        str(row.observable) if bump.position is None else f"{row.observable}, {bump.position:.4g}\N{NO-BREAK SPACE}GeV"
    )
    title = _title(row) if row.cause is None else f"{_title(row)}; explained by {row.cause.cause}"
    z = _z_global(row)
    text = z_text(z) if z > 0.0 else "\N{LESS-THAN OR EQUAL TO} 0"  # of an excess: less than chance is no deficit
    return DrawnEntry(
        text, level(max(z, 0.0)), where, title, pages.get(row.number), flags=bump.flags or "", hatched=row.is_explained
    )
