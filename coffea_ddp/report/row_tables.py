"""Rows of a report as lines of text, with the columns of the tables that show them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from coffea_ddp.report.display import amount, number, p_of, region_of, side_a_of, tail_text, toys_of, z_global_of
from coffea_ddp.report.parts import BumpPart, RatioPart

if TYPE_CHECKING:
    from coffea_ddp.report.rows import Row
    from coffea_ddp.report.summaries import SymmetrySummary

# The columns of the tables, and the side to which each is flushed.
SHOWN: Mapping[str, Literal["left", "right"]] = {
    "#": "right",
    "row": "right",
    "test": "left",
    "symmetry": "left",
    "observable": "left",
    "cell and region": "left",
    "n_a": "right",
    "n_b": "right",
    "z": "right",
    "z global": "right",
    "sided": "right",
    "asymmetry": "right",
    "similar": "right",
}
REGIONS: Mapping[str, Literal["left", "right"]] = {
    "symmetry": "left",
    "test": "left",
    "observable": "left",
    "cell and region": "left",
    "n_a": "right",
    "n_b": "right",
    "z 2-sided": "right",
    "p local": "right",
    "p cell": "right",
    "p symmetry": "right",
    "p global": "right",
    "tail": "left",
}
TAIL_NOTE = "~: from a generalised Pareto tail fitted to the pseudo-experiments, with its 68 % interval"
SIDED_NOTE = "sided: of symmetries z and p are two-sided (an excess of A or of B), of bumps one-sided (an excess)"
BUMPS_NOTE = (
    "z and p are one-sided: excesses count; ~: beyond what the calibration was counted to, along a normal tail\n"
    "toys: how many of a spectrum's own smooth background reach it"
)
BUMPS: Mapping[str, Literal["left", "right"]] = {
    "#": "right",
    "row": "right",
    "spectrum": "left",
    "state": "left",
    "range [GeV]": "left",
    "entries": "right",
    "mass [GeV]": "right",
    "z 1-sided": "right",
    "error": "right",
    "p local": "right",
    "p spectrum": "right",
    "p global": "right",
    "toys": "right",
    "status": "left",
}
SUMMARY: Mapping[str, Literal["left", "right"]] = {
    "symmetry": "left",
    "cells": "right",
    "filled": "right",
    "distinct": "right",
    "trials": "right",
    "best in": "left",
    "cell": "left",
    "z": "right",
}


def ranked_lines(rows: Sequence[Row], similar: Sequence[str]) -> list[list[str]]:
    """Return the columns :data:`SHOWN` of rows, of which the last is given; a convention that all share is empty."""
    places, one_convention = _places(rows), len({row.two_sided for row in rows}) < 2
    sided = list(SHOWN).index("sided")
    lines = [[place, *_row_cells(row), text] for place, row, text in zip(places, rows, similar, strict=True)]
    if not one_convention:
        return lines
    return [[*line[:sided], "", *line[sided + 1 :]] for line in lines]


def bump_lines(rows: Sequence[Row]) -> list[list[str]]:
    """Return the columns :data:`BUMPS` of rows."""
    return [[place, *_bump_cells(row)] for place, row in zip(_places(rows), rows, strict=True)]


def _places(rows: Sequence[Row]) -> list[str]:
    """Return the places among the rows that are shown, from 1; empty for what is not ranked."""
    counter = itertools.count(1)
    return ["" if row.rank is None else str(next(counter)) for row in rows]


def _row_cells(row: Row) -> list[str]:
    """Return the columns :data:`SHOWN` of a row, but its place and the last."""
    # Nothing on side A: no difference of efficiencies explains that.
    ratio = row.ratio or RatioPart()
    nothing = row.kind == "symmetry" and not row.n_a and row.n_b
    asymmetry = _percent(math.inf if nothing else ratio.asymmetry)
    z = number(row.z_local) + ("" if ratio.z_nominal is None else f" ({number(ratio.z_nominal)})")
    places = [row.test, row.symmetry or "", row.observable or "", _place(row)]
    sided = "2" if row.two_sided else "1"
    return [str(row.number or ""), *places, *_contents(row), z, z_global_of(row), sided, asymmetry]


def region_cells(row: Row) -> list[str]:
    """Return the columns :data:`REGIONS` of a row."""
    values = [p_of(row, name, count=name == "p_global") for name in ("p_local", "p_cell", "p_symmetry", "p_global")]
    where = [row.symmetry or "", row.test, row.observable or "", _place(row)]
    return [*where, *_contents(row), number(row.z_local), *values, tail_text(row.tail)]


def _bump_cells(row: Row) -> list[str]:
    """Return the columns :data:`BUMPS` of a row, but its place."""
    bump = row.bump or BumpPart()
    span = "" if bump.low is None or bump.high is None else f"{bump.low:.5g} to {bump.high:.5g}"
    error = "" if bump.z_error is None else f"{bump.z_error:.2f}"
    mass = "" if bump.position is None else f"{bump.position:.5g}"
    explained = "EXPLAINED" if row.is_explained else ""
    status = " ".join(filter(None, ("" if row.status == "OK" else row.status, bump.flags, explained)))
    where = [str(row.number or ""), row.observable or "", row.cell or "", span]
    p_values = (p_of(row, name) for name in ("p_local", "p_cell", "p_global"))
    return [*where, _contents(row)[1], mass, number(row.z_local), error, *p_values, toys_of(row), status]


def summary_cells(summary: SymmetrySummary, best: Row | None) -> list[str]:
    """Return the columns :data:`SUMMARY` of a symmetry and its best row."""
    numbers = (summary.n_cells, summary.n_cells - summary.n_empty, summary.n_distinct, summary.n_tested)
    where = ["", "", ""] if best is None else [best.observable or "", best.cell or "", number(best.z_local)]
    return [summary.symmetry, *(f"{number:,}" for number in numbers), *where]


def _place(row: Row) -> str:
    return "\n".join(filter(None, (row.cell, region_of(row))))


def _contents(row: Row) -> list[str]:
    return [side_a_of(row), amount(row.n_b)]


def _percent(asymmetry: float | None) -> str:
    """Above 100 % no difference of efficiencies explains anything, and the number itself says nothing more."""
    if asymmetry is None:
        return ""
    return f"{100 * asymmetry:+.1f} %" if abs(asymmetry) <= 1.0 else "> 100 %"
