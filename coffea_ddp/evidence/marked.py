"""The marked regions of a report: those that are to be confirmed, exported or shown to their last event.

Examples
--------
>>> marked(ScanReport(plan="demo", fingerprint="", seed=1, inputs={}, trials=0, rows=()))
()
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from coffea_ddp.errors import InputError, named
from coffea_ddp.report.common import leading_rows
from coffea_ddp.report.numbered import numbered_row
from coffea_ddp.report.report import ScanReport

if TYPE_CHECKING:
    from coffea_ddp.report.rows import Row

LEVEL = 0.05
"""Largest global p of a region that is marked, and level at which all of them are confirmed together."""


def marked(report: ScanReport, rows: Sequence[int] | None = None, *, level: float = LEVEL) -> tuple[Row, ...]:
    """Return the marked regions of a report, in its order.

    Parameters
    ----------
    report
        The report.
    rows
        Their numbers, from 1; by default those with a global p of at most ``level`` that kinematics do not explain, one
        of those that hold mostly the same events or have a common asymmetry.
    level
        The largest global p.

    Raises
    ------
    InputError
        If the report has no row of a number, one was not tested, or the rows are no numbers.
    """
    if rows is None:
        chosen = leading_rows(report.rows, report.common_asymmetries)
        return tuple(
            row for row in chosen if row.statistic is not None and (row.p_global is None or row.p_global <= level)
        )
    given: Any = rows
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InputError(f"rows: got {named(given)}; give the numbers of rows, as rows=[1, 2]")
    return tuple(numbered_row(report, number) for number in dict.fromkeys(given))
