"""A plan as tables for notebooks: its symmetries, the axes of its cells, its spectra and its objects.

Examples
--------
>>> from coffea_ddp.plan.plan_files import load_plan
>>> plan = load_plan("symmetries")
>>> "Jet with pt &gt; 30 GeV" in plan_html("my plan", plan.symmetries, plan.objects, plan.layout)
True
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

from coffea_ddp._text_tables import html_table
from coffea_ddp.histograms.cells import Multiplicity

if TYPE_CHECKING:
    from coffea_ddp.events.objects import MergedObject, ObjectDefinition
    from coffea_ddp.histograms.layout import Layout
    from coffea_ddp.plan.symmetry import Symmetry

_MOST = 60
"""Lines of a table."""
_SYMMETRIES = dict.fromkeys(("symmetry", "A", "B", "expected B / A", "observables"), "left")
_CELLS = dict.fromkeys(("axis of the cells", "values", "definition"), "left")
_SPECTRA = dict.fromkeys(("spectrum", "of", "range [GeV]", "left out"), "left")
_OBJECTS = dict.fromkeys(("object", "definition"), "left")


def plan_html(
    title: str, compared: Sequence[Symmetry], selected: Sequence[ObjectDefinition | MergedObject], layout: Layout
) -> str:
    """Return a plan as HTML tables, everything escaped; those without lines are left out.

    Parameters
    ----------
    title
        Over the tables.
    compared, selected, layout
        The symmetries and the objects of the plan, and the structure of its output.
    """
    symmetries = [
        [one.name, *one.sides, f"{one.kappa:g}", ", ".join(observable.name for observable in one.observables)]
        for one in compared
    ]
    cells = [
        [axis.name, f"0 to {axis.last}+" if isinstance(axis, Multiplicity) else "no, yes", axis.description]
        for axis in layout.grid.axes
    ]
    spectra = [
        [one.name, " ".join(one.decays_to), f"{one.axis.edges[0]:g} to {one.axis.edges[-1]:g}",
         ", ".join(f"{name} ({low:g} to {high:g})" for low, high, name in one.masks)]
        for one in layout.spectra
    ]  # fmt: skip
    objects = [[one.name, one.description] for one in selected]
    tables = ((_SYMMETRIES, symmetries), (_CELLS, cells), (_SPECTRA, spectra), (_OBJECTS, objects))
    shown = [_table(columns, lines) for columns, lines in tables if lines]
    return f"<p><b>{html.escape(title)}</b></p>{''.join(shown)}"


def _table(columns: dict[str, str], lines: list[list[str]]) -> str:
    more = f"<p>and {len(lines) - _MOST:,} more</p>" if len(lines) > _MOST else ""
    return html_table(columns, lines[:_MOST]) + more
