"""Changes between two reports: two eras, two seeds, before and after a calibration.

A row of one report is the row of the other about the same place: test, symmetry, observable and cell; of a mass
spectrum the bump whose mass is within two widths. A report keeps its best rows alone, so that a row without a partner
is one that the other report does not keep: it is below the others there, or was not tested.

Examples
--------
>>> nothing = ScanReport(plan="demo", fingerprint="", seed=1, inputs={}, trials=0, rows=())
>>> compare_reports(nothing, ScanReport(plan="demo", fingerprint="", seed=2, inputs={}, trials=0, rows=())).differences
('seed: 1, then 2',)
"""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coffea_ddp._files import CHANGES, write_text
from coffea_ddp._text import printable
from coffea_ddp._text_tables import html_table, text_table
from coffea_ddp.errors import FormatError
from coffea_ddp.histograms.counted import Counted
from coffea_ddp.report.common import leading_rows
from coffea_ddp.report.display import number, z_global_of
from coffea_ddp.report.overview import as_report
from coffea_ddp.report.report import ScanReport
from coffea_ddp.stats import checks

if TYPE_CHECKING:
    from typing import Literal

    import pandas as pd
    from rich.table import Table

    from coffea_ddp.report.rows import Row

FORMAT, VERSION = "coffea-ddp/report-changes", 1

ROSE, FELL, TURNED, SAME, APPEARED, GONE = "rose", "fell", "turned", "same", "appeared", "gone"
"""Changes of a row; turned: the other side is in excess."""

LEAST = 1.0
"""Change of the size of z from which on a row rose or fell."""

_NEAR = 2.0
"""Widths within which two bumps are one."""

COLUMNS = [
    "change", "kind", "symmetry", "observable", "cell", "test", "number_before", "number_after", "rank_before",
    "rank_after", "z_before", "z_after", "p_global_before", "p_global_after", "z_global_before", "z_global_after",
    "n_a_before", "n_a_after", "n_b_before", "n_b_after", "region_before", "region_after",
]  # fmt: skip
"""The columns of a change in files and tables."""

_SHOWN: Mapping[str, Literal["left", "right"]] = {
    "change": "left", "place": "left", "# before": "right", "# after": "right", "z before": "right",
    "z after": "right", "z global before": "right", "z global after": "right",
}  # fmt: skip


@dataclass(frozen=True)
class RowChange:
    """One place of two reports.

    Attributes
    ----------
    before, after
        Its rows; ``None`` in a report that does not keep it.
    change
        ``"rose"`` or ``"fell"`` where the size of z changed by 1 or more, ``"same"`` where by less, ``"turned"`` where
        the other side is in excess, ``"appeared"`` or ``"gone"`` where one report does not keep the row.
    """

    before: Row | None
    after: Row | None
    change: str

    @property
    def row(self) -> Row:
        """The later of the rows."""
        found = self.before if self.after is None else self.after
        assert found is not None  # a change is made of one row at least
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the change as JSON-ready data: each of :data:`COLUMNS`."""
        row = self.row
        found: dict[str, Any] = {
            "change": self.change, "kind": row.kind, "symmetry": row.symmetry, "observable": row.observable,
            "cell": row.cell, "test": row.test,
        }  # fmt: skip
        names = {"number": "number", "rank": "rank", "z": "z_local", "p_global": "p_global", "z_global": "z_global",
                 "n_a": "n_a", "n_b": "n_b"}  # fmt: skip
        for name, attribute in names.items():
            for when, one in (("before", self.before), ("after", self.after)):
                found[f"{name}_{when}"] = None if one is None else getattr(one, attribute)
        for when, one in (("before", self.before), ("after", self.after)):
            found[f"region_{when}"] = None if one is None or one.region is None else str(one.region)
        return found


@dataclass(frozen=True)
class ReportChanges:
    """All places that either of two reports keeps, the largest z of both first.

    Attributes
    ----------
    before, after
        The reports.
    rows
        Their places.
    differences
        Differences between what the reports are of, in words: plan, data, tests, options, seed.

    Examples
    --------
    >>> nothing = ScanReport(plan="demo", fingerprint="", seed=1, inputs={}, trials=0, rows=())
    >>> compare_reports(nothing, nothing).rows
    ()
    """

    before: ScanReport
    after: ScanReport
    rows: tuple[RowChange, ...]
    differences: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number of rows of each change."""
        counted = Counter(one.change for one in self.rows)
        return {name: counted[name] for name in (ROSE, FELL, TURNED, SAME, APPEARED, GONE)}

    @property
    def title(self) -> str:
        """The outcome in one line."""
        parts = ", ".join(f"{n} {name}" for name, n in self.counts.items() if n)
        return f"{self.before.plan} and {self.after.plan}: {parts or 'no rows'}"

    def __repr__(self) -> str:
        """Return the title."""
        return printable(f"ReportChanges({self.title})")

    def leading(self) -> list[RowChange]:
        """Return the changes without rows that hold mostly the events of a stronger one in their own report."""
        reports = (self.before, self.after)
        kept = [{row.number for row in leading_rows(one.rows, one.common_asymmetries)} for one in reports]
        return [
            one
            for one in self.rows
            if (one.before is not None and one.before.number in kept[0])
            or (one.after is not None and one.after.number in kept[1])
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the changes as JSON-ready data."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "plans": [self.before.plan, self.after.plan],
            "differences": list(self.differences),
            "counts": self.counts,
            "rows": [one.to_dict() for one in self.rows],
        }

    def save(self, path: str | Path) -> Path:
        """Write the changes as JSON; an older file is replaced when this one is whole, and nothing else.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        return write_text(path, json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n", CHANGES)

    def to_dataframe(self) -> pd.DataFrame:
        """Return one line per place, with :data:`COLUMNS`."""
        import pandas as pd  # 0.5 s, and not needed for files

        return pd.DataFrame([one.to_dict() for one in self.rows], columns=COLUMNS)

    def table(self, n: int = 20, *, similar: bool = False) -> Table:
        """Return the first ``n`` changes as a table for terminals.

        Parameters
        ----------
        n
            How many.
        similar
            Also rows that hold mostly the events of a stronger one.

        Raises
        ------
        InputError
            If ``n`` is negative.
        """
        notes = [*self.differences, "appeared, gone: not among the rows that the other report keeps"]
        return text_table(self.title, "\n".join(notes), _SHOWN, self._lines(n, similar=similar))

    def _lines(self, n: int, *, similar: bool) -> list[list[str]]:
        chosen = list(self.rows) if similar else self.leading()
        return [_cells(one) for one in chosen[: checks.whole(n, "n")]]

    def _repr_html_(self) -> str:
        notes = "<br>".join(map(html.escape, self.differences))
        table = html_table(_SHOWN, self._lines(20, similar=False))
        return f"<p><b>{html.escape(self.title)}</b></p>{table}<p>{notes}</p>"


def _cells(one: RowChange) -> list[str]:
    row, pair = one.row, (one.before, one.after)
    place = " | ".join(part for part in (row.symmetry, row.observable, row.cell, row.test) if part)
    regions = dict.fromkeys(str(each.region) for each in pair if each is not None and each.region is not None)
    values = [["-" if each is None else text(each) for each in pair] for text in (_number_of, _z_of, z_global_of)]
    return [one.change, "\n".join([place, *regions]), *(text for texts in values for text in texts)]


def _number_of(row: Row) -> str:
    return str(row.number or "")


def _z_of(row: Row) -> str:
    return number(row.z_local)


def compare_reports(before: ScanReport | str | Path, after: ScanReport | str | Path) -> ReportChanges:
    """Compare two reports, row by row.

    Parameters
    ----------
    before, after
        The reports, or their paths.

    Returns
    -------
    ReportChanges
        Every place that either of them keeps.

    Raises
    ------
    FileError, FormatError
        If a report cannot be read.
    InputError
        If something else is given.

    Examples
    --------
    >>> nothing = ScanReport(plan="demo", fingerprint="", seed=1, inputs={}, trials=0, rows=())
    >>> compare_reports(nothing, nothing).differences
    ()
    """
    first, second = (as_report("compare_reports", one) for one in (before, after))
    rows = _paired(first.rows, second.rows)
    rows.sort(key=lambda one: -max(_size(one.before), _size(one.after)))
    return ReportChanges(first, second, tuple(rows), tuple(_differences(first, second)))


def _size(row: Row | None) -> float:
    return 0.0 if row is None or row.z_local is None else abs(row.z_local)


def _key(row: Row) -> tuple[str | None, ...]:
    return row.kind, row.test, row.symmetry, row.observable, row.cell


def _paired(before: Sequence[Row], after: Sequence[Row]) -> list[RowChange]:
    waiting: dict[tuple[str | None, ...], list[Row]] = {}
    for row in before:
        waiting.setdefault(_key(row), []).append(row)
    found = []
    for row in after:
        mine = waiting.get(_key(row), [])
        partner = next((one for one in mine if _same_place(one, row)), None)
        if partner is not None:
            mine.remove(partner)
        found.append(RowChange(partner, row, _change(partner, row)))
    left = [row for mine in waiting.values() for row in mine]
    return [*found, *(RowChange(row, None, GONE) for row in left)]


def _same_place(first: Row, second: Row) -> bool:
    """Return True for rows about one place; bumps of one spectrum are, where their masses are near."""
    masses = [None if row.bump is None else row.bump.position for row in (first, second)]
    if masses[0] is None or masses[1] is None:
        return True
    widths = [row.bump.width or 0.0 for row in (first, second) if row.bump is not None]
    return abs(masses[0] - masses[1]) <= _NEAR * max(widths)


def _change(before: Row | None, after: Row) -> str:
    if before is None:
        return APPEARED
    old, new = before.z_local or 0.0, after.z_local or 0.0
    if min(abs(old), abs(new)) >= LEAST and (old > 0) != (new > 0):
        return TURNED
    moved = abs(new) - abs(old)
    return SAME if abs(moved) < LEAST else ROSE if moved > 0 else FELL


def _differences(before: ScanReport, after: ScanReport) -> list[str]:
    """Return what the reports are of where it differs, in words."""
    found = []
    if before.fingerprint != after.fingerprint:
        found.append(f"plan: {before.plan} ({before.fingerprint}), then {after.plan} ({after.fingerprint})")
    found += _of_data(before.inputs, after.inputs)
    found += _of_options(before.options, after.options)
    if before.seed != after.seed:
        found.append(f"seed: {before.seed}, then {after.seed}")
    return found


def _of_options(before: Mapping[str, Any], after: Mapping[str, Any], of: str = "") -> list[str]:
    """Return which options differ, in words; those of a test that has its own after the name of the test."""
    found = []
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if old == new or name == "statuses":  # what became of the cells is no option
            continue
        if isinstance(old, Mapping) or isinstance(new, Mapping):
            first, second = (one if isinstance(one, Mapping) else {} for one in (old, new))
            found += _of_options(first, second, f"{of}{name} ")
        else:
            found.append(f"{of}{name}: {_words(old)}, then {_words(new)}")
    return found


def _of_data(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    found = []
    for name in ("datasets", "split", "events", "files", "partial", "package"):
        old, new = before.get(name), after.get(name)
        if old != new:
            found.append(f"{name}: {_words(old)}, then {_words(new)}")
    try:
        pair = [Counted.from_dict(one["counted"]) for one in (before, after)]
    except (KeyError, FormatError):
        return found
    common = pair[0].common(pair[1])
    if pair[0] != pair[1]:
        found.append(f"files in common: {common:,} of {pair[0].n_files:,} and {pair[1].n_files:,}")
    return found


def _words(value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
