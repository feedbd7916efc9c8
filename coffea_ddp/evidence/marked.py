"""The marked regions of a report: those that are to be confirmed, exported or shown to their last event.

Examples
--------
>>> marked(ScanReport(plan="demo", fingerprint="", seed=1, inputs={}, trials=0, rows=()))
()
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from coffea_ddp.errors import InputError
from coffea_ddp.report.common import leading_rows
from coffea_ddp.report.report import ScanReport
from coffea_ddp.stats import checks

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
        If the report has no row of a number, or one was not tested.
    """
    if rows is None:
        chosen = leading_rows(report.rows, report.common_asymmetries)
        return tuple(
            row for row in chosen if row.statistic is not None and (row.p_global is None or row.p_global <= level)
        )
    return tuple(row_of(report, number) for number in dict.fromkeys(rows))


def row_of(report: ScanReport, number: int) -> Row:
    """Return the row of a number, from 1.

    Raises
    ------
    InputError
        If there is none, or it was not tested.
    """
    place = checks.whole(number, "row", least=0)
    if not 1 <= place <= len(report.rows):
        raise InputError(f"row {number!r}: the report has {len(report.rows):,} rows, of which the first is 1")
    row = report.rows[place - 1]
    if row.statistic is None:
        raise InputError(f"row {number}: it was not tested ({row.reason or row.status}); name another")
    return row
