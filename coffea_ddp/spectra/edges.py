"""Edges of bins, from what tables have of them: both edges, one, centres, centres and widths.

Each function returns the edges in increasing order and the rows of the bins in that order.

Examples
--------
>>> edges, rows = from_both(np.array([2.0, 1.0]), np.array([3.0, 2.0]), "table.csv")
>>> edges.tolist(), rows.tolist()
([1.0, 2.0, 3.0], [1, 0])
>>> from_centres(np.array([0.5, 1.5, 2.5]), "table.csv")[0].tolist()
[0.0, 1.0, 2.0, 3.0]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import FormatError

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray

_SAME = 1e-9
_EVEN = 0.01
"""Steps between edges that agree to so much are one step, rounded."""
_ROUNDED = 0.1
"""Centres that are so many steps or less beside an even grid are on it, rounded."""


def tiles(low: FloatArray, high: FloatArray) -> bool:
    """Return whether every bin ends where the next one begins, in the order given or the reverse."""
    if not (high > low).all():
        return False
    scale = 1e-6 * np.abs(high - low).max()
    forward, backward = np.abs(high[:-1] - low[1:]), np.abs(low[:-1] - high[1:])
    return bool((forward <= scale).all() or (backward <= scale).all())


def from_both(low: FloatArray, high: FloatArray, where: str) -> tuple[FloatArray, IntArray]:
    """Return edges from lower and upper ones; bins that reach to infinity are flow bins, and left out.

    Raises
    ------
    FormatError
        If bins are not next to each other.
    """
    rows = np.flatnonzero(~(np.isinf(low) | np.isinf(high)))
    rows = rows[np.argsort(low[rows], kind="stable")]
    low, high = low[rows], high[rows]
    if not len(rows) or not np.isfinite(low).all() or not np.isfinite(high).all() or not (high > low).all():
        raise FormatError(f"{where}: its edges are not numbers that increase")
    apart = ~np.isclose(high[:-1], low[1:], rtol=_SAME, atol=1e-6 * float((high - low).min()))
    if apart.any():
        place = int(np.flatnonzero(apart)[0])
        raise FormatError(
            f"{where}: the bin that ends at {high[place]:g} is followed by one from {low[place + 1]:g}; bins must be "
            "next to each other: write empty ones with a 0"
        )
    return np.append(low, high[-1]), rows


def from_lower(edge: FloatArray, filled: Any, where: str, *, upper: bool) -> tuple[FloatArray, IntArray]:
    """Return edges from the lower (or the upper) one of every bin; one edge more than contents closes the axis.

    Raises
    ------
    FormatError
        If they do not increase, or the last bin has no end and bins differ in width.
    """
    order = np.arange(len(edge)) if len(edge) < 2 or edge[0] < edge[-1] else np.arange(len(edge))[::-1]
    edge, filled = edge[order], np.asarray(filled)[order]
    steps = np.diff(edge)
    if not np.isfinite(edge).all() or not (steps > 0).all() or not len(steps):
        raise FormatError(f"{where}: its edges are not numbers that increase")
    if not filled[-1]:  # an edge without a content ends the axis, or begins it
        return edge, order[:-1]
    if not filled[0]:
        return edge, order[1:]
    if np.abs(steps - np.median(steps)).max() > _EVEN * np.median(steps):
        raise FormatError(
            f"{where}: one edge for each bin, and widths that differ: where the {'first' if upper else 'last'} bin "
            f"{'begins' if upper else 'ends'} is not said; add columns low and high, or one edge more"
        )
    step = float(np.mean(steps))
    return (np.append(edge[0] - step, edge) if upper else np.append(edge, edge[-1] + step)), order


def from_widths(
    centre: FloatArray, spread: FloatArray, where: str, *, half: bool | None
) -> tuple[FloatArray, IntArray]:
    """Return edges from centres and widths, or half widths; ``half=None``: whichever lets the bins touch.

    Raises
    ------
    FormatError
        If neither does.
    """
    for factor in (1.0, 0.5) if half is None else (1.0 if half else 0.5,):
        low, high = centre - factor * spread, centre + factor * spread
        if tiles(low, high) or len(centre) == 1:
            return from_both(_joined(low, high), high, where)
    raise FormatError(f"{where}: centres and widths of bins that are not next to each other; give low and high instead")


def _joined(low: FloatArray, high: FloatArray) -> FloatArray:
    """Return lower edges that are the upper ones of the bin before, to the last digit."""
    joined = low.copy()
    if len(low) > 1 and low[0] < low[-1]:
        joined[1:] = high[:-1]
    elif len(low) > 1:
        joined[:-1] = high[1:]
    return joined


def evenly_spaced(centre: FloatArray) -> bool:
    """Return whether numbers increase or decrease in even steps, rounding aside.

    Examples
    --------
    >>> evenly_spaced(np.array([0.83, 2.5, 4.17, 5.83])), evenly_spaced(np.array([60.0, 61.0, 63.0, 64.0]))
    (True, False)
    """
    if len(centre) < 2 or not np.isfinite(centre).all() or centre[0] == centre[-1]:
        return False
    beside = np.abs(centre - np.linspace(centre[0], centre[-1], len(centre)))
    return bool(beside.max() <= _ROUNDED * abs(centre[-1] - centre[0]) / (len(centre) - 1))


def from_centres(centre: FloatArray, where: str) -> tuple[FloatArray, IntArray]:
    """Return edges half-way between centres of bins of one width.

    Raises
    ------
    FormatError
        If there are fewer than two, they neither increase nor decrease, or widths differ: their edges are not known.
    """
    order = np.arange(len(centre)) if len(centre) < 2 or centre[0] < centre[-1] else np.arange(len(centre))[::-1]
    centre = centre[order]
    steps = np.diff(centre)
    if not len(steps) or not np.isfinite(centre).all() or not (steps > 0).all():
        back = np.flatnonzero(steps <= 0)
        after = f" (after {centre[back[0]]:g} comes {centre[back[0] + 1]:g})" if len(back) else ""
        raise FormatError(
            f"{where}: the centres of its bins are not two numbers or more that increase{after}; if every line is an "
            "event, say so with --column (column=) and --bins (bins=)"
        )
    if not evenly_spaced(centre):
        odd = int(np.argmax(np.abs(steps - np.median(steps))))
        raise FormatError(
            f"{where}: the centres are not evenly spaced (after {centre[odd]:g} comes {centre[odd + 1]:g}), so where "
            "bins begin and end is not known; add columns low and high, and a 0 for bins that are left out. If every "
            "line is an event, say so with --column (column=) and --bins (bins=)"
        )
    first, step = float(centre[0]), float(centre[-1] - centre[0]) / (len(centre) - 1)
    digits = 12 - int(np.ceil(np.log10(max(abs(first), abs(float(centre[-1])), step))))
    return np.round(first + step * (np.arange(len(centre) + 1) - 0.5), min(max(digits, 0), 300)), order
