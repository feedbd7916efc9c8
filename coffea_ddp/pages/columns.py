"""The table of all rows as data by columns: names once, numbers rounded to what is shown.

A page decodes it with what browsers have: base64, gzip, JSON. 10^5 rows are a few megabytes.

Examples
--------
>>> packed = packed_rows([], {})
>>> unpacked(packed)["length"]
0
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from coffea_ddp.pages.naming import Naming
from coffea_ddp.report.display import p_of, where_of, z_global_of

if TYPE_CHECKING:
    from coffea_ddp.report.rows import Row


Pages = Mapping[int | None, str]
"""The files of the pages that rows have, by the numbers of the rows."""

_ABOVE = 101.0


class Shown(NamedTuple):
    """A column of the table: its heading, how it is shown, and what is in it."""

    name: str
    kind: str
    value: Callable[[Row], Any]


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else float(f"{value:.{digits}g}")


def _amount(value: float | None) -> float | None:
    """Return a number of events: a whole one as it is, a sum of weights to seven digits."""
    return value if value is None or value == round(value) else _rounded(value, 7)


def _percent(row: Row) -> float | None:
    """Return the asymmetry in per cent, above 100 just that: no difference of efficiencies explains it."""
    asymmetry = None if row.ratio is None else row.ratio.asymmetry
    if asymmetry is None:
        return _ABOVE if row.kind == "symmetry" and not row.n_a and row.n_b else None
    return _rounded(max(min(100.0 * asymmetry, _ABOVE), -_ABOVE), 3)


def _z_global(row: Row) -> float | None:
    return float(z_global_of(row).lstrip("<> ")) if row.is_bound else _rounded(row.z_global, 3)


def _p_global(row: Row) -> float | None:
    """Return p, rounded up where it is a bound, and 0 where no double can hold it."""
    text = p_of(row, "p_global").lstrip("~")
    return 0.0 if row.p_global is None and text else float(text.lstrip("< ")) if text else None


SHOWN = (
    Shown("#", "num", lambda row: row.rank),
    Shown("where", "text", lambda row: row.symmetry or row.observable),
    Shown("test", "text", lambda row: row.test),
    Shown("observable", "text", lambda row: row.observable if row.symmetry else None),
    Shown("cell", "text", lambda row: row.cell),
    Shown("region", "text", lambda row: where_of(row) or None),
    Shown("A", "num", lambda row: _rounded(row.n_a, 4) if row.kind == "comparison" else _amount(row.n_a)),
    Shown("B", "num", lambda row: _amount(row.n_b)),
    Shown("z", "z", lambda row: _rounded(row.z_local, 4)),
    Shown("z global", "signed", _z_global),
    Shown("p global", "p", _p_global),
    Shown("sided", "num", lambda row: 2 if row.two_sided else 1),
    Shown("asymmetry", "percent", _percent),
    Shown("claimed", "num", lambda row: None if row.ratio is None else _rounded(row.ratio.claimed, 3)),
    Shown("status", "text", lambda row: _status(row) or None),
    Shown("leads", "hidden", lambda row: int(row.is_leading and not row.is_explained)),
    Shown("none of", "hidden", lambda row: row.n if row.is_bound else None),
)
"""Columns in the order of the table; of kind "hidden": for filters."""


_ALWAYS = ("#", "where", "z")


def columns_of(rows: Sequence[Row]) -> tuple[Shown, ...]:
    """Return the columns of a table of rows: those in which some row has something, and conventions that differ."""
    one_convention = len({row.two_sided for row in rows}) < 2

    def is_shown(column: Shown) -> bool:
        if column.kind == "hidden" or column.name in _ALWAYS:
            return True
        if column.name == "sided" and one_convention:
            return False
        return any(column.value(row) not in (None, "") for row in rows)

    return tuple(column for column in SHOWN if is_shown(column))


def _status(row: Row) -> str:
    flags = None if row.bump is None else row.bump.flags
    explained = "EXPLAINED" if row.is_explained else ""
    return " ".join(filter(None, ("" if row.status == "OK" else row.status, flags, explained)))


def packed_rows(rows: Sequence[Row], pages: Pages, naming: Naming | None = None) -> str:
    """Return rows as text for a page.

    Parameters
    ----------
    rows
        In the order of the table.
    pages
        The file names of the pages that rows have, by their numbers.
    naming
        Of the cells, which are packed in words, too; by default that of cells without definitions.
    """
    naming = naming or Naming({})
    values, names, columns = [], [], columns_of(rows)
    cells: list[str] = []
    for column in (*columns, Shown("page", "hidden", lambda row: pages.get(row.number))):
        found = [column.value(row) for row in rows]
        textual = column.kind == "text" or column.name == "page"
        known: dict[str, int] = {}
        if textual:
            found = [None if text is None else known.setdefault(text, len(known)) for text in found]
        values.append(found)
        names.append(list(known) if textual else None)
        cells = [naming.cell(name).words for name in known] if column.name == "cell" else cells
    data = {
        "length": len(rows),
        "columns": [*(column.name for column in columns), "page"],
        "kinds": [*(column.kind for column in columns), "hidden"],
        "names": names,
        "values": values,
        "cells": cells,
    }
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    # No time in the gzip header: equal reports are equal files.
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def unpacked(text: str) -> dict[str, Any]:
    """Return what :func:`packed_rows` packed."""
    found: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(text)))
    return found
