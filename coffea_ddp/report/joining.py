"""Reports of symmetries, of comparisons and of spectra put together into one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from coffea_ddp.report.ordering import ranked

if TYPE_CHECKING:
    from coffea_ddp.report.report import ScanReport
    from coffea_ddp.report.rows import Row


def joined(first: ScanReport, second: ScanReport) -> ScanReport:
    """Return the reports of symmetries, of comparisons and of spectra as one, in the order of the report's rows.

    Each row's ``p_global`` is after all trials of its kind.
    """
    behind = max((row.rank for row in first.rows if row.rank is not None), default=0)
    rows = ranked([*first.rows, *(_shifted(row, behind) for row in second.rows)])
    kind = "comparison" if second.summaries else "bump"
    options = {**second.options, **first.options, kind: dict(second.options)}
    options["tests"] = list(dict.fromkeys([*first.options.get("tests", []), *second.options.get("tests", [])]))
    whole = (
        dataclasses.replace(one, what=f"{one.what} of comparisons") for one in second.global_p if one.scope is None
    )
    simulation = {name: told for name, told in second.inputs.items() if name == "simulation"}
    return dataclasses.replace(
        first, rows=tuple(rows), trials=first.trials + second.trials, options=options,
        inputs={**first.inputs, **simulation}, summaries=(*first.summaries, *second.summaries),
        global_p=(*first.global_p, *(one for one in second.global_p if one.scope is not None), *whole),
    )  # fmt: skip


def _shifted(row: Row, by: int) -> Row:
    """Return a row with its ranks behind those of another report."""
    rank, similar_to = (None if place is None else place + by for place in (row.rank, row.similar_to))
    return dataclasses.replace(row, rank=rank, similar_to=similar_to)
