"""Ranges of axes: they hold what is filled, the region that a figure is about, and ratios as large as they are.

Examples
--------
>>> import numpy as np
>>> filled_range(np.array([0.0, 3.0, 1.0, 0.0, 0.0]), np.arange(6.0), keep=(3.5, 4.0))
(0.0, 5.0)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.plotting.intervals import Interval

_LINEAR = (0.45, 2.2)
"""Ratios between these are on a linear scale."""
_FARTHEST = 200.0
_DECADES = 8.0
"""An axis whose ends have this ratio or more, and whose bins grow, is logarithmic."""


class Scale(NamedTuple):
    """Ends of an axis, and whether it is logarithmic."""

    low: float
    high: float
    log: bool = False


def filled_range(
    contents: FloatArray, edges: FloatArray, keep: tuple[float, float] | None = None
) -> tuple[float, float]:
    """Return the range from the first to the last filled bin and of what has to be seen, one bin more at both ends.

    Parameters
    ----------
    contents
        Shape (n_bins,); where all are empty it is the whole range.
    edges
        Shape (n_bins + 1,).
    keep
        What has to be inside; outside of all edges it is cut.
    """
    filled = np.flatnonzero(contents)
    first, last = (int(filled[0]), int(filled[-1])) if len(filled) else (0, len(edges) - 2)
    if keep is not None:
        inside = np.flatnonzero((edges[1:] > keep[0]) & (edges[:-1] < keep[1]))
        if len(inside):
            first, last = min(first, int(inside[0])), max(last, int(inside[-1]))
    return float(edges[max(first - 1, 0)]), float(edges[min(last + 2, len(edges) - 1)])


def ratio_scale(ratio: FloatArray, interval: Interval) -> Scale:
    """Return the range of a panel of ratios: about 1 where they are, else as far as those that mean something.

    Parameters
    ----------
    ratio
        Shape (n_bins,); NaN or infinite where A is empty.
    interval
        Of the ratio. One that holds 1, and is wider than 1 and than the ratio itself, means too little.
    """
    low, high = interval
    with np.errstate(invalid="ignore"):
        away = (low > 1.0) | (high < 1.0)
        measured = np.isfinite(ratio) & (away | (high - low <= np.maximum(1.0, ratio)))
        bound = np.isinf(high) & (low > 1.0)
    held = np.concatenate([ratio[measured & (ratio > 0)], high[measured & (ratio == 0)], low[bound], [1.0]])
    held = np.clip(held, 1.0 / _FARTHEST, _FARTHEST)
    least, most = float(held.min()), float(held.max())
    if least >= _LINEAR[0] and most <= _LINEAR[1]:
        reach = max(1.3 * max(most - 1.0, 1.0 - least), 0.2)
        return Scale(max(1.0 - reach, 0.0), 1.0 + reach)
    return Scale(min(least / 1.6, 0.4), max(most * 1.6, 2.0), log=True)


def contents_scale(contents: FloatArray, log: bool | None = None, room: float = 1.4) -> Scale:
    """Return the range of contents, with room for a legend.

    Parameters
    ----------
    contents
        All that is drawn, errors too; NaN and what is not above 0 has no place on a logarithmic axis.
    log
        Whether it is logarithmic; ``None``: where contents span more than two powers of ten.
    room
        The largest content takes 1 / room of a linear axis.
    """
    known = contents[np.isfinite(contents)]
    filled = known[known > 0]
    largest, smallest = float(filled.max(initial=0.0)), float(filled.min(initial=np.inf))
    if log is None:
        log = largest > 100 * smallest
    if log and len(filled):
        return Scale(smallest / 2.5, largest * (largest / smallest) ** (0.75 * (room - 1.0)) * 2, log=True)
    lowest = float(known.min(initial=0.0))
    return Scale(room * min(lowest, 0.0), room * largest or 1.0)


def log_axis(edges: FloatArray) -> bool:
    """Return True for bins that follow a resolution over about a decade or more: narrow first, wide last."""
    widths = np.diff(edges)
    return bool(edges[0] > 0 and edges[-1] >= _DECADES * edges[0] and widths[-1] >= 3.0 * widths[0])


def per_bin(edges: FloatArray, xlabel: str) -> str:
    """Return what contents are divided by: the width of equal bins with its unit, else "bin".

    Examples
    --------
    >>> per_bin(np.array([0.0, 5.0, 10.0]), "m [GeV]"), per_bin(np.array([0.0, 5.0, 20.0]), "m [GeV]")
    ('5 GeV', 'bin')
    """
    widths = np.diff(edges)
    if not np.allclose(widths, widths[0]):
        return "bin"
    unit = re.search(r"\[([^\]]*)\]\s*$", xlabel)
    if not unit:
        return f"{widths[0]:.3g}"
    return unit[1] if np.isclose(widths[0], 1) else f"{widths[0]:.3g} {unit[1]}"


def close_in(values: FloatArray, *, at_least: float) -> float:
    """Return the largest absolute value, for a scale symmetric about 0."""
    known = np.abs(values[np.isfinite(values)])
    return float(max(known.max(initial=0.0), at_least))


def null_edges(values: FloatArray) -> FloatArray:
    """Return the edges of equal bins for the values of a statistic, 10 to 80 of them."""
    middle, spread = float(np.abs(values).max()) or 1.0, float(np.ptp(values))
    if spread <= 1e-9 * middle:  # no two bins would be apart
        return np.asarray(values.min() + 0.1 * middle * np.linspace(-0.5, 0.5, 13))
    edges = np.histogram_bin_edges(values, "fd")
    if 10 <= len(edges) - 1 <= 80:
        return edges
    return np.histogram_bin_edges(values, 40 if len(values) >= 400 else 12)
