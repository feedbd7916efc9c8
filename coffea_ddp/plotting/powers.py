"""Curves: what would be found, and whatever else depends on one number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coffea_ddp.errors import InputError
from coffea_ddp.plotting.given import looked_at
from coffea_ddp.plotting.palette import FAINT, LINES
from coffea_ddp.plotting.style import drawing, head
from coffea_ddp.stats import checks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray

_MARKERS = "osD^vP"


def curves(
    x: ArrayLike,
    lines: Mapping[str, ArrayLike],
    *,
    xlabel: str,
    ylabel: str,
    bands: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    levels: Sequence[tuple[float, str]] = (),
    log_x: bool = False,
    log_y: bool = False,
    title: str = "",
    label: str = "",
) -> Figure:
    """Draw lines over one axis.

    Parameters
    ----------
    x
        Shape (n,).
    lines
        Values by name, each of shape (n,); NaN: left out.
    xlabel, ylabel
        What they are, with units.
    bands
        Lower and upper ends by name; that of a line has its colour.
    levels
        ``(value, text)`` of dashed horizontal lines.
    log_x, log_y
        Whether an axis is logarithmic.
    title, label
        What it is; dataset or luminosity.

    Raises
    ------
    InputError
        If shapes do not fit, or a number is infinite.

    Examples
    --------
    >>> figure = curves([1, 2, 3], {"N_sigma": [0.1, 0.4, 0.8]}, xlabel="injected z", ylabel="power")
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['N_sigma']
    """
    at = _axis(x, log=log_x)
    values = {name: looked_at(line, at.shape, f"lines[{name!r}]") for name, line in lines.items()}
    ends = {name: _ends(pair, at, name) for name, pair in (bands or {}).items()}
    marks = [(checks.number(value, "a level"), str(text)) for value, text in levels]
    names = list(dict.fromkeys([*values, *ends]))
    with drawing(8.0, 5.6) as figure:
        axes = figure.add_subplot()
        for i, name in enumerate(names):
            colour = LINES[i % len(LINES)]
            if name in ends:
                named = None if name in values else name
                low, high = ends[name]
                axes.fill_between(at, low, high, color=colour, alpha=0.2, linewidth=0, label=named)
            if name in values:
                marker = _MARKERS[i % len(_MARKERS)] if len(at) <= 40 else ""
                axes.plot(at, values[name], color=colour, marker=marker, markersize=4.5, label=name)
        for value, text in marks:
            axes.axhline(value, color=FAINT, linestyle="--", linewidth=1.0, label="_level")
            axes.annotate(
                text,
                (1, value),
                (-4, 3),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                ha="right",
                color=FAINT,
                fontsize=11,
            )
        if log_x:
            axes.set_xscale("log")
        if log_y and _above_0([*values.values(), *(end for pair in ends.values() for end in pair)]):
            axes.set_yscale("log")
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        if len(names) > 1:
            axes.legend()
        head(axes, title, label)
    return figure


def _axis(x: ArrayLike, *, log: bool) -> FloatArray:
    at = checks.finite(x, "x")
    if at.ndim != 1 or not len(at):
        raise InputError(f"x has shape {at.shape}; give the points of the axis, (n,)")
    if log and (at <= 0).any():
        raise InputError("x has values that are not above 0: leave them out, or draw without log_x")
    return at


def _ends(pair: Sequence[ArrayLike], at: FloatArray, name: str) -> list[FloatArray]:
    if len(pair) != 2:
        raise InputError(f"bands[{name!r}]: {len(pair)} given; give a lower and an upper end")
    return [looked_at(end, at.shape, f"bands[{name!r}]") for end in pair]


def _above_0(lines: Sequence[FloatArray]) -> bool:
    return any(bool((line > 0).any()) for line in lines)
