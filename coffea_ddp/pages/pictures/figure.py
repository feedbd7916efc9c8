"""A figure as data: what was counted in every bin, and which panels show it. The page draws it, and gives it away.

Nothing here knows how it is drawn. All numbers are columns of one table over the bins of one axis or two; panels refer
to columns by name, so that the data of a figure are there once, and are the table that a reader downloads.

Examples
--------
>>> import numpy as np
>>> axis = Axis("m", "m", "GeV", np.array([0.0, 10.0, 20.0]))
>>> panel = Panel("events / 10 GeV", 0.0, 9.0, layers=(Layer("steps", "data", "n"),))
>>> figure = Figure("m", "2mu", "", "The spectrum.", "12 entries.", (axis,), (Column("n", "events", [7, 5]),), (panel,))
>>> list(as_data(figure)["columns"][0]["values"]), as_data(figure)["panels"][0]["layers"][0]["y"]
([7, 5], 'n')
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray

_DIGITS = 6


@dataclass(frozen=True, eq=False)
class Axis:
    """An axis with its bins, and the part of it that is shown first.

    Attributes
    ----------
    name
        Short, for the columns of its edges.
    label, unit
        The quantity; a unit may be empty.
    edges
        Shape (n_bins + 1,), increasing.
    low, high
        What is shown before a reader zooms; ``None``: all of it.
    log
        The axis is logarithmic.
    """

    name: str
    label: str
    unit: str
    edges: FloatArray
    low: float | None = None
    high: float | None = None
    log: bool = False

    @property
    def named(self) -> str:
        """The label with its unit."""
        return f"{self.label} [{self.unit}]" if self.unit else self.label


@dataclass(frozen=True, eq=False)
class Column:
    """Numbers of all bins: contents, ends of intervals, significances.

    Attributes
    ----------
    name
        Unique in a figure.
    label
        In words, the heading of the table.
    values
        Of the shape of the bins; NaN and infinity: none.
    """

    name: str
    label: str
    values: ArrayLike


@dataclass(frozen=True)
class Layer:
    """A part of a panel.

    Attributes
    ----------
    mark
        ``steps``: the outline of a histogram; ``points``, with the interval from ``low`` to ``high``; ``band``: from
        ``low`` to ``high``; ``bars``: from 0, in the colour of the side that is in excess; ``curve``.
    colour
        By its meaning, a name of :data:`coffea_ddp.plotting.palette.LIGHT`.
    y, low, high
        Names of columns; empty where a mark has none.
    label
        In the legend; empty: not there.
    """

    mark: Literal["steps", "points", "band", "bars", "curve"]
    colour: str
    y: str = ""
    low: str = ""
    high: str = ""
    label: str = ""


@dataclass(frozen=True)
class Panel:
    """Layers over the one axis of a figure.

    Attributes
    ----------
    label
        Of the vertical axis.
    low, high, log
        Its range.
    layers
        From the lowest to the uppermost.
    height
        Relative to the other panels.
    levels
        Horizontal lines.
    bands
        Half heights of shaded bands about 0.
    """

    label: str
    low: float
    high: float
    log: bool = False
    layers: tuple[Layer, ...] = ()
    height: float = 1.0
    levels: tuple[float, ...] = ()
    bands: tuple[float, ...] = ()


@dataclass(frozen=True)
class Map:
    """A column over two axes, in classes of colour.

    Attributes
    ----------
    label
        Above it.
    column
        Its name.
    colours
        ``contents``: nine classes from ``low`` to ``high``, equal in the logarithm; empty bins are blank. ``sides``:
        classes of the width ``step`` about 0, six for each side: positive where B is in excess.
    low, high, step
        As just said.
    wide
        The panel that matters most.
    """

    label: str
    column: str
    colours: Literal["contents", "sides"]
    low: float = 0.0
    high: float = 0.0
    step: float = 1.0
    wide: bool = False


@dataclass(frozen=True)
class Span:
    """A part of the axis, or a rectangle of two axes, that is marked.

    Attributes
    ----------
    kind
        ``region``: what the figure is about; ``mask``: left out of a test; ``line``: a position.
    low, high
        On the first axis.
    label
        In words.
    y_low, y_high
        On the second axis.
    """

    kind: Literal["region", "mask", "line"]
    low: float
    high: float
    label: str = ""
    y_low: float | None = None
    y_high: float | None = None


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure of a page.

    Attributes
    ----------
    name
        For files: letters, digits and hyphens.
    title, label
        Above it: what it is; dataset or luminosity.
    caption
        Its subject, and how it was made.
    text
        A description for those who cannot see it.
    axes
        One for panels, two for maps.
    columns
        The numbers of all bins.
    panels
        All panels, or all maps.
    spans
        What is marked.
    """

    name: str
    title: str
    label: str
    caption: str
    text: str
    axes: tuple[Axis, ...]
    columns: tuple[Column, ...]
    panels: tuple[Panel | Map, ...]
    spans: tuple[Span, ...] = ()

    def column(self, name: str) -> FloatArray:
        """Return the numbers of a column, of the shape of the bins."""
        values = next(one.values for one in self.columns if one.name == name)
        return np.asarray(values, dtype=np.float64)


def as_data(figure: Figure) -> dict[str, Any]:
    """Return a figure as JSON-ready data, numbers with six digits and ``None`` for those that are not finite.

    Two axes: values are in the order of the first axis, those of the second within.
    """
    return {
        "name": figure.name,
        "title": figure.title,
        "label": figure.label,
        "text": figure.text,
        "axes": [
            {**vars(axis), "edges": numbers(axis.edges), "low": _number(axis.low), "high": _number(axis.high)}
            for axis in figure.axes
        ],
        "columns": [{"name": one.name, "label": one.label, "values": numbers(one.values)} for one in figure.columns],
        "panels": [dataclasses.asdict(panel) for panel in figure.panels],
        "spans": [dataclasses.asdict(span) for span in figure.spans],
    }


def numbers(values: ArrayLike) -> list[float | int | None]:
    """Return numbers with six digits, whole ones as they are, and ``None`` for those that are not finite.

    Examples
    --------
    >>> numbers([1234567.0, 0.123456789, float("nan"), float("inf")])
    [1234567, 0.123457, None, None]
    """
    return [_number(value) for value in np.asarray(values, dtype=np.float64).ravel().tolist()]


def _number(value: float | None) -> float | int | None:
    if value is None or not np.isfinite(value):
        return None
    return int(value) if value == int(value) and abs(value) < 2**53 else float(f"{value:.{_DIGITS}g}")
