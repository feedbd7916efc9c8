"""The two tables of the paradigm, filled from a report: symmetries in their cells, and resonances by their states.

Searches have filled a few entries of each (the symmetries of arXiv:2203.07529, the resonances of arXiv:1907.06659);
a scan fills all for which there are data. A scan keeps the rows that these tables need whether or not they are among
its best.

Examples
--------
>>> from coffea_ddp.report.report import ScanReport
>>> report = ScanReport(plan="demo", fingerprint="", seed=1, inputs={}, trials=0, rows=())
>>> symmetry_table(report).symmetries, state_table(report).kinds
((), ())
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coffea_ddp.errors import InputError, named
from coffea_ddp.histograms.cells import INCLUSIVE
from coffea_ddp.report.cell_words import DECAYS
from coffea_ddp.report.report import ScanReport
from coffea_ddp.stats.trials import sidak_z, z_from_p

if TYPE_CHECKING:
    import pandas as pd

    from coffea_ddp.report.rows import Row

KINDS = ("e", "mu", "tau", "j", "b", "t", "gamma", "Z/W", "H")
"""Rows and columns of the table of states, in the order of arXiv:1907.06659; j are quarks and gluons."""
_KIND_OF = {"Z": "Z/W", "W": "Z/W", "V": "Z/W", "tJ": "t", "HJ": "H", "VJ": "Z/W", "jx": "j", "bx": "b"}
MOST = 60
"""Lines and columns of a table; a report may come from a stranger, and has more only then."""


def z_of(row: Row) -> float | None:
    """Return the significance by which entries are compared: z, after the regions of its cell where there are several.

    After several regions it is that of p_local, the full p of a rectangle: a bound is made of no smaller one. ``None``
    where the row has none.
    """
    if row.z_local is None or row.n_regions is None or row.n_regions <= 1:
        return row.z_local
    size = abs(row.z_local) if row.p_local is None else float(z_from_p(row.p_local, two_sided=bool(row.two_sided)))
    return float(sidak_z(math.copysign(size, row.z_local), row.n_regions))


def _better(first: Row | None, second: Row) -> Row:
    if first is None:
        return second
    sizes = [-1.0 if (z := z_of(row)) is None else abs(z) for row in (first, second)]
    return second if sizes[1] > sizes[0] else first


def _earlier(first: Row | None, second: Row) -> Row:
    """Return the bump that is ranked first: p and not z decides, as z alone does not know its error.

    One that kinematics explain stands behind all others, and comes before those that their trials explain.
    """
    if first is None or (first.z_local is None and second.z_local is not None):
        return second
    chance = not first.is_explained and (first.z_global or 0.0) <= 0.0
    return second if chance and second.is_explained and (second.z_global or 0.0) > 0.0 else first


@dataclass(frozen=True)
class Column:
    """A column of the table of symmetries: an axis of the cells.

    Attributes
    ----------
    name
        Of the cells' axis; ``"inclusive"``.
    group
        ``"inclusive"``, ``"multiplicity"``, ``"decay"`` or ``"topology"``.
    """

    name: str
    group: str


@dataclass(frozen=True)
class Entry:
    """One symmetry in one column.

    Attributes
    ----------
    alone
        The best row whose cell asks about the column's axis and nothing else; ``None`` where there is none with
        enough events that is not the inclusive cell under another name.
    others
        The best row whose cell asks about other axes, too.
    """

    alone: Row | None = None
    others: Row | None = None

    @property
    def best(self) -> Row | None:
        """The row that the entry shows."""
        return self.alone or self.others


@dataclass(frozen=True)
class SymmetryTable:
    """Symmetries against the inclusive cell, multiplicities, decays and topologies.

    Attributes
    ----------
    symmetries, columns
        Of the report, in the order of the plan.
    entries
        One a symmetry and column.
    left_out
        Symmetries and columns of the report beyond the first :data:`MOST`.
    """

    symmetries: tuple[str, ...]
    columns: tuple[Column, ...]
    entries: Mapping[tuple[str, str], Entry]
    left_out: int = 0

    def entry(self, symmetry: str, column: str) -> Entry:
        """Return an entry; an empty one where nothing was found."""
        return self.entries.get((symmetry, column), Entry())

    @property
    def rows(self) -> list[Row]:
        """The rows that entries show first, each once."""
        return _once(entry.best for entry in self.entries.values())

    def to_dataframe(self) -> pd.DataFrame:
        """Return z of every entry (of :attr:`Entry.alone`), NaN where there is none."""
        import pandas as pd

        columns = [column.name for column in self.columns]
        data = [[_number(self.entry(symmetry, column).alone) for column in columns] for symmetry in self.symmetries]
        return pd.DataFrame(data, index=list(self.symmetries), columns=columns, dtype=float)


@dataclass(frozen=True)
class StateTable:
    """Resonances against what they decay into.

    Attributes
    ----------
    kinds
        Of objects, those that some spectrum has.
    pairs
        The best bump in the states of two objects, by their kinds in the order of :attr:`kinds`.
    heavier
        The best bump in the states of three objects, and of four or more, that have a kind among them.
    left_out
        Kinds of the report beyond the first :data:`MOST`.
    """

    kinds: tuple[str, ...]
    pairs: Mapping[tuple[str, str], Row]
    heavier: Mapping[tuple[str, int], Row]
    left_out: int = 0

    def pair(self, first: str, second: str) -> Row | None:
        """Return the best row of a pair of kinds, in any order."""
        return self.pairs.get((first, second)) or self.pairs.get((second, first))

    @property
    def rows(self) -> list[Row]:
        """All rows that entries show, each once."""
        return _once([*self.pairs.values(), *self.heavier.values()])

    def to_dataframe(self) -> pd.DataFrame:
        """Return z of every pair, NaN where there is none; symmetric."""
        import pandas as pd

        data = [[_number(self.pair(first, second)) for second in self.kinds] for first in self.kinds]
        return pd.DataFrame(data, index=list(self.kinds), columns=list(self.kinds), dtype=float)


def _number(row: Row | None) -> float | None:
    return None if row is None else z_of(row)


def _once(rows: Iterable[Row | None]) -> list[Row]:
    return list({row.number: row for row in rows if row is not None}.values())


def as_report(what: str, value: Any) -> ScanReport:
    """Return a report as it is, or that of the file that a path leads to.

    Raises
    ------
    InputError
        If it is neither.
    FileError, FormatError
        As for :meth:`ScanReport.load`.
    """
    if isinstance(value, ScanReport):
        return value
    if isinstance(value, str | Path):
        return ScanReport.load(value)
    made = "of ddp.scan, ddp.bump_hunt or ScanReport.load"
    raise InputError(f"{what}: got {named(value)}; give a ScanReport ({made}), or the path of a report (.json)")


def symmetry_table(report: ScanReport | str | Path) -> SymmetryTable:
    """Return the table of symmetries.

    Parameters
    ----------
    report
        Of a scan, or its path; rows of spectra are left out.

    Notes
    -----
    Entries are the best of all tests and observables, so each is the best of several trials: its significance is
    the global p of its row.

    Examples
    --------
    >>> report = ScanReport(plan="demo", fingerprint="", seed=1, inputs={}, trials=0, rows=())
    >>> symmetry_table(report).symmetries
    ()
    """
    report = as_report("symmetry_table", report)
    every = _columns(report.inputs.get("cells", ()))
    columns, hidden = every[:MOST], {column.name for column in every[MOST:]}
    symmetries = tuple(summary.symmetry for summary in report.summaries)
    beyond = frozenset(symmetries[MOST:])
    entries: dict[tuple[str, str], Entry] = {}
    for row in report.rows:
        if (
            row.kind == "spectrum"
            or row.symmetry in beyond
            or row.symmetry is None
            or row.asks is None
            or row.z_local is None
        ):
            continue
        axes = row.asks
        for name in (axis for axis in axes or (INCLUSIVE,) if axis not in hidden):
            known = entries.get((row.symmetry, name), Entry())
            if len(axes) <= 1:
                entries[row.symmetry, name] = Entry(_better(known.alone, row), known.others)
            else:
                entries[row.symmetry, name] = Entry(known.alone, _better(known.others, row))
    left_out = len(symmetries) + len(every) - len(symmetries[:MOST]) - len(columns)
    return SymmetryTable(symmetries[:MOST], columns, entries, left_out)


def _columns(axes: Any) -> tuple[Column, ...]:
    """Return the columns for the axes of the cells, as a report tells them; what is none is left out."""
    found = [Column(INCLUSIVE, "inclusive")]
    described = [axis for axis in axes if isinstance(axis, Mapping)] if isinstance(axes, list | tuple) else []
    found += [Column(str(axis["multiplicity"]), "multiplicity") for axis in described if "multiplicity" in axis]
    names = [str(axis["topology"]) for axis in described if "topology" in axis]
    found += [Column(name, "decay") for name in names if name in DECAYS]
    return (*found, *(Column(name, "topology") for name in names if name not in DECAYS))


def state_table(report: ScanReport | str | Path) -> StateTable:
    """Return the table of states.

    Parameters
    ----------
    report
        Of a scan, or its path; rows of symmetries are left out.

    Notes
    -----
    A state is what its rows say they decay to; a candidate is one object. Spectra of which nothing tells that are in no
    entry.

    Examples
    --------
    >>> report = ScanReport(plan="demo", fingerprint="", seed=1, inputs={}, trials=0, rows=())
    >>> state_table(report).kinds
    ()
    """
    report = as_report("state_table", report)
    pairs: dict[tuple[str, str], Row] = {}
    heavier: dict[tuple[str, int], Row] = {}
    seen: set[str] = set()
    for row in report.rows:
        kinds = kinds_of(row) if row.kind == "spectrum" else ()
        seen.update(kinds)
        if len(kinds) == 2:
            first, second = sorted(kinds, key=_place)
            pairs[first, second] = _earlier(pairs.get((first, second)), row)
        elif len(kinds) > 2:
            for kind in set(kinds):
                number = min(len(kinds), 4)
                heavier[kind, number] = _earlier(heavier.get((kind, number)), row)
    kinds = tuple(sorted(seen, key=_place))
    shown_kinds = frozenset(kinds[:MOST])
    return StateTable(
        kinds[:MOST],
        {pair: row for pair, row in pairs.items() if shown_kinds.issuperset(pair)},
        {place: row for place, row in heavier.items() if place[0] in shown_kinds},
        len(kinds) - len(shown_kinds),
    )


def kinds_of(row: Row) -> tuple[str, ...]:
    """Return the kinds of what a spectrum's mass is of; nothing where that is not known, or is one thing alone."""
    kinds = tuple(_KIND_OF.get(name, name) for name in row.decays_to)
    return kinds if len(kinds) > 1 else ()


def _place(kind: str) -> tuple[int, str]:
    return (KINDS.index(kind) if kind in KINDS else len(KINDS), kind)
