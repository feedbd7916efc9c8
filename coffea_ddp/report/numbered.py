"""Rows of a report by their numbers, as commands and functions name them.

Examples
--------
>>> from coffea_ddp.report.report import ScanReport
>>> numbered_row(ScanReport(plan="demo", fingerprint="", seed=1, inputs={}, trials=0, rows=()), 1)
Traceback (most recent call last):
...
coffea_ddp.errors.InputError: row 1: the report has no rows
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks

if TYPE_CHECKING:
    from coffea_ddp.report.report import ScanReport
    from coffea_ddp.report.rows import Row


def numbered_row(report: ScanReport, number: int) -> Row:
    """Return the row of a number, from 1.

    Raises
    ------
    InputError
        If there is none, or it was not tested.
    """
    place = checks.whole(number, "row")
    if not 1 <= place <= len(report.rows):
        has = f"rows 1 to {len(report.rows):,}" if report.rows else "no rows"
        raise InputError(f"row {place}: the report has {has}")
    row = report.rows[place - 1]
    if row.statistic is None:
        raise InputError(f"row {place}: it was not tested ({row.reason or row.status}); name another")
    return row


def refuse_compared(rows: Iterable[Row], instead: str) -> None:
    """Stop where a row is of a comparison of data with simulation, of which something is not made.

    Parameters
    ----------
    rows
        Of a report.
    instead
        What can be done.

    Raises
    ------
    InputError
        Naming the row.
    """
    for row in rows:
        if row.kind == "comparison":
            raise InputError(
                f"row {row.number} is of {row.symmetry!r}, a comparison of data with simulation, of which this is not "
                f"made; {instead}"
            )
