"""Limits of an output: which asymmetries its symmetries exclude in their cells, and how much of a signal.

Examples
--------
>>> row = LimitRow("e/mu", "inclusive", (), 50, 60, 1.0, 0.0, 0.2, -0.189, 0.783, -0.325, 0.48)
>>> found = Limits("demo", "", 0.95, "exact", "", (row,))
>>> found.to_dataframe()[["symmetry", "cell", "low", "high"]].values.tolist()
[['e/mu', 'inclusive', -0.189, 0.783]]
>>> found.rows[0].interval
'-18.9 to +78.3'
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coffea_ddp._files import LIMITS, write_text
from coffea_ddp._text_tables import html_table, text_table
from coffea_ddp.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

FORMAT, VERSION = "coffea-ddp/limits", 1
FEW = 3.0
"""Expected events of background below which an asymptotic limit on a signal may exclude too much."""


@dataclass(frozen=True, slots=True)
class LimitRow:
    """Limits of one symmetry in one cell.

    Attributes
    ----------
    symmetry, cell, asks
        The place, and the axes that the cell asks about.
    n_a, n_b
        Events of A and of B in the cell (sums of weights in a weighted plan), whatever their observables.
    kappa, kappa_error
        The expected ratio B / A, and its relative error.
    asymmetry
        As observed, ``(B / A) / kappa - 1``: the relative difference of efficiency that would explain it.
    low, high
        Asymmetries outside of this interval are excluded; inf where A is empty, NaN where kappa is not known.
    expected_low, expected_high
        Medians of both ends under the symmetry.
    observable
        In whose bins there is a signal; ``None`` without one.
    signal_events
        The largest number of signal events on side B, within the axes, that is not excluded.
    expected_minus_2, expected_minus_1, expected_median, expected_plus_1, expected_plus_2
        The same expected without a signal: the median, and 1 and 2 standard deviations from it.
    background
        Expected events of side B in the bins with a signal.

    Examples
    --------
    >>> LimitRow("e/mu", "inclusive", (), 50, 60, 1.0, 0.0, 0.2, -0.189, 0.783, -0.325, 0.48).high
    0.783
    """

    symmetry: str
    cell: str
    asks: tuple[str, ...]
    n_a: float
    n_b: float
    kappa: float
    kappa_error: float
    asymmetry: float
    low: float
    high: float
    expected_low: float
    expected_high: float
    observable: str | None = None
    signal_events: float | None = None
    expected_minus_2: float | None = None
    expected_minus_1: float | None = None
    expected_median: float | None = None
    expected_plus_1: float | None = None
    expected_plus_2: float | None = None
    background: float | None = None

    @property
    def is_few(self) -> bool:
        """True where the asymptotic limit on a signal may exclude too much: there is hardly any background."""
        return self.background is not None and self.background < FEW

    @property
    def interval(self) -> str:
        """The interval that is not excluded, in per cent, as text."""
        return _interval(self.low, self.high)

    @property
    def expected_interval(self) -> str:
        """The expected one, likewise."""
        return _interval(self.expected_low, self.expected_high)

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON-ready data; ``None`` for what is not finite."""
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return {name: list(one) if isinstance(one, tuple) else _finite(one) for name, one in values.items()}

    def to_flat(self) -> dict[str, Any]:
        """Return the row as one line of a table."""
        return {name: ", ".join(one) if isinstance(one, list) else one for name, one in self.to_dict().items()}


COLUMNS = tuple(item.name for item in dataclasses.fields(LimitRow) if item.name != "asks")
"""Columns of the table as CSV."""


@dataclass(frozen=True)
class Limits:
    """Limits of an output, as a table.

    Attributes
    ----------
    plan, fingerprint
        Of the output.
    level
        The confidence level.
    method, signal_method
        How the intervals of asymmetries and the limits on a signal were made; empty without a signal.
    rows
        Symmetries in the order of the plan, their cells in that of the table of symmetries.
    partial
        Something is missing from the input.

    Examples
    --------
    >>> Limits(plan="demo", fingerprint="", level=0.95, method="", signal_method="", rows=(), partial=False).level
    0.95
    """

    plan: str
    fingerprint: str
    level: float
    method: str
    signal_method: str
    rows: tuple[LimitRow, ...]
    partial: bool = False

    @property
    def has_signal(self) -> bool:
        """True where there are limits on a signal."""
        return bool(self.signal_method)

    def to_dataframe(self) -> pd.DataFrame:
        """Return one line a row, with the attributes of :class:`LimitRow` as columns."""
        import pandas as pd

        names = [item.name for item in dataclasses.fields(LimitRow)]
        return pd.DataFrame([[getattr(row, name) for name in names] for row in self.rows], columns=names)

    def save(self, path: str | Path) -> Path:
        """Write the limits: JSON, or CSV where the name ends so.

        Raises
        ------
        InputError
            If the name ends with anything else.
        FileError
            If the file cannot be written, or something else than limits is there.
        """
        suffix = Path(path).suffix
        if suffix not in (".json", ".csv"):
            raise InputError(f"{path}: limits are written as .json or .csv; choose one of these suffixes")
        return write_text(path, self.to_csv() if suffix == ".csv" else self.to_json(), LIMITS)

    def to_json(self) -> str:
        """Return the limits as JSON."""
        told = {item.name: getattr(self, item.name) for item in dataclasses.fields(self) if item.name != "rows"}
        content = {"format": FORMAT, "version": VERSION, **told, "rows": [row.to_dict() for row in self.rows]}
        return json.dumps(content, indent=1, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """Return the limits as CSV: a line a row, empty where a number is not finite."""
        text = io.StringIO()
        table = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(row.to_flat() for row in self.rows)
        return text.getvalue()

    def table(self) -> Table:
        """Return the table for terminals."""
        columns, lines = self._lines()
        aligned = {name: "left" if name in ("symmetry", "cell") else "right" for name in columns}
        return text_table(self._title(), self._caption(), aligned, lines)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        """Return what it is."""
        mark = ", PARTIAL" if self.partial else ""
        return f"Limits(plan={self.plan!r}, {100 * self.level:g} % CL, rows={len(self.rows)}{mark})"

    def _repr_html_(self) -> str:
        columns, lines = self._lines()
        return html_table(dict.fromkeys(columns, ""), lines)

    def _lines(self) -> tuple[list[str], list[list[str]]]:
        columns = ["symmetry", "cell", "A", "B", "asym.", "not excluded", "expected"]
        columns += ["signal events", "expected [-1, +1 sigma]"] if self.has_signal else []
        return columns, [self._line(row) for row in self.rows]

    def _line(self, row: LimitRow) -> list[str]:
        found = [
            row.symmetry, row.cell, f"{row.n_a:,.7g}", f"{row.n_b:,.7g}", _percent(row.asymmetry), row.interval,
            row.expected_interval,
        ]  # fmt: skip
        if not self.has_signal:
            return found
        if row.signal_events is None or row.expected_median is None:
            return [*found, "", ""]
        band = ", ".join(_events(one) for one in (row.expected_minus_1, row.expected_plus_1))
        return [*found, f"{_events(row.signal_events)}{'*' * row.is_few}", f"{_events(row.expected_median)} [{band}]"]

    def _title(self) -> str:
        mark = " (PARTIAL: the input lacks something)" if self.partial else ""
        return f"{self.plan}: what is excluded at {100 * self.level:g} % CL{mark}"

    def _caption(self) -> str:
        lines = [f"asymmetry, in %: {self.method}; expected: medians under the symmetry"]
        lines += [f"signal events: {self.signal_method}"] if self.has_signal else []
        few = any(row.is_few for row in self.rows)
        lines += [f"*: fewer than {FEW:g} events of background: may exclude too much"] if few else []
        return "\n".join(lines)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _percent(value: float) -> str:
    if math.isnan(value):
        return ""
    return "inf" if math.isinf(value) else f"{100 * value:+.1f}" if abs(value) < 1 else f"{100 * value:+.0f}"


def _interval(low: float, high: float) -> str:
    return "" if math.isnan(low) or math.isnan(high) else f"{_percent(low)} to {_percent(high)}"


def _events(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
