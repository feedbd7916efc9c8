r"""Figures as parts of a page: their data for the script that draws them, and their numbers where no script runs.

Examples
--------
>>> from coffea_ddp.report.report import ScanReport
>>> labelled(
...     ScanReport(plan="p", fingerprint="", seed=0, inputs={"events": 1200, "datasets": ["data"]}, trials=0, rows=())
... )
'data, 1,200 events'
>>> print(script_safe({"name": "</script><!--"}))
{"name":"\u003c/script\u003e\u003c!--"}
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from markupsafe import Markup

from coffea_ddp.pages.pictures.figure import as_data
from coffea_ddp.pages.static import static_svg

if TYPE_CHECKING:
    from coffea_ddp.pages.pictures.figure import Figure
    from coffea_ddp.report.report import ScanReport

_MOST_LINES = 60
"""Lines of the table of a page without scripts: all bins of a histogram, the most significant ones of a map."""


class Embedded(NamedTuple):
    """A figure as parts of a page.

    Attributes
    ----------
    data
        JSON that no text in it can end.
    drawing
        SVG that is there without scripts; empty where a table is.
    caption, text
        Under it, and for those who cannot see it.
    heading, columns, lines
        The table that is there without scripts.
    """

    data: Markup
    drawing: Markup
    caption: str
    text: str
    heading: str
    columns: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


def embedded(figure: Figure, *, drawn: bool = False) -> Embedded:
    """Return a figure as parts of a page.

    Parameters
    ----------
    figure
        The figure.
    drawn
        With its first panel as SVG in the page, instead of a table, for readers without scripts.
    """
    drawing = static_svg(figure) if drawn else Markup("")
    heading, columns, lines = ("", (), ()) if drawn else _table(figure)
    return Embedded(script_safe(as_data(figure)), drawing, figure.caption, figure.text, heading, columns, lines)


def script_safe(data: Any) -> Markup:
    """Return data as JSON that can stand in a script element: no text in it ends the element or begins a comment."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def _table(figure: Figure) -> tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return heading, names of columns and lines of the numbers: of all bins, or of the most significant ones."""
    axes, columns = figure.axes, figure.columns
    shape = tuple(len(axis.edges) - 1 for axis in axes)
    values = np.array([np.asarray(one.values, dtype=np.float64).ravel() for one in columns])
    last = np.nan_to_num(np.abs(values[-1]))
    places = np.flatnonzero(np.nan_to_num(values).any(axis=0))
    if len(places) > _MOST_LINES:
        places = np.sort(places[np.argsort(-last[places], kind="stable")][:_MOST_LINES])
    bins = np.array(np.unravel_index(places, shape)).T
    names = (
        *(f"{axis.label} [{axis.unit}]" if axis.unit else axis.label for axis in axes),
        *(c.label for c in columns),
    )
    lines = tuple(
        (
            *(f"{a.edges[i]:.6g} to {a.edges[i + 1]:.6g}" for a, i in zip(axes, where, strict=True)),
            *("" if np.isnan(value) else f"{value:.5g}" for value in values[:, place]),
        )
        for where, place in zip(bins.tolist(), places.tolist(), strict=True)
    )
    heading = f"The {len(lines)} bins with the largest {columns[-1].label}" if len(shape) > 1 else "The bins"
    return heading, names, lines


def labelled(report: ScanReport) -> str:
    """Return the label over the figures: the datasets and the number of events."""
    told_datasets = report.inputs.get("datasets")
    datasets = [str(name) for name in told_datasets] if isinstance(told_datasets, list | tuple) else []
    what = ", ".join(datasets) if len(datasets) <= 2 else f"{len(datasets)} datasets"
    events = report.inputs.get("events")
    told = f"{events:,} events" if isinstance(events, int) else ""
    mark = "PARTIAL" if report.partial else ""
    return ", ".join(filter(None, (mark, what, told)))
