"""The thumbnail of the leading region: two outlines and the region, as the numbers of one small SVG.

Examples
--------
>>> outline(np.array([0.0, 2.0, 1.0]), np.array([0.0, 1.0, 2.0, 3.0]), highest=2.0)
'M10.0 140.0V140.0H120.0V20.0H230.0V80.0H340.0V140.0'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.errors import DDPError
from coffea_ddp.histograms.axes import quantity
from coffea_ddp.histograms.comparison_layout import SIDES
from coffea_ddp.histograms.layout import EVENTS
from coffea_ddp.report.cell_words import symbols
from coffea_ddp.report.parts import BumpPart, RatioPart
from coffea_ddp.scanning.compared_cell import compared_cell

if TYPE_CHECKING:
    from typing import Any

    from coffea_ddp._typing import FloatArray
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.rows import Row
    from coffea_ddp.scanning.simulation import Simulation

WIDTH, HEIGHT = 350, 175
"""Of the picture, in pixels."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 10.0, 340.0, 20.0, 140.0
_MOST = 400
"""Bins of an outline; more are joined, as they are no wider than a line."""


class Thumbnail(NamedTuple):
    """The picture: paths of the outlines, the region in pixels (left, width), and the texts around it.

    ``a`` and its name are empty of a spectrum. ``text`` says the picture in words.
    """

    a: str
    b: str
    sides: tuple[str, str]
    region: tuple[float, float] | None
    low: str
    high: str
    highest: str
    axis: str
    text: str


def thumbnail(row: Row | None, hists: Histograms | None, simulation: Simulation | None = None) -> Thumbnail | None:
    """Return the thumbnail of a region.

    ``None`` without histograms, or where they lack the region or there is nothing to draw.

    Parameters
    ----------
    row
        Of a report.
    hists
        The output of the pass that was scanned.
    simulation
        What the scan was told of the normalisation of simulation.
    """
    if row is None or hists is None or row.observable in (None, EVENTS):
        return None
    try:
        if row.kind == "comparison":
            return _comparison(row, hists, simulation)
        return _spectrum(row, hists) if row.kind == "spectrum" else _pair(row, hists)
    except DDPError:  # of an observable or a cell that these histograms do not have
        return None


def _pair(row: Row, hists: Histograms) -> Thumbnail | None:
    pair = hists[row.symmetry, row.observable, row.cell]
    kappa = (row.ratio or RatioPart()).kappa or pair.kappa
    bins = _bins(row, pair.a.axes)
    # The first axis, within the region on the other one.
    a, b = (_along_first(np.asarray(side.values(), dtype=np.float64), bins) for side in (pair.a, pair.b))
    axis = pair.a.axes[0]
    sides = hists.layout.symmetry(str(row.symmetry)).sides
    where = "" if len(pair.a.axes) == 1 or bins is None else " (region of the other axis)"
    return _drawn(
        kappa * a, b, np.asarray(axis.edges, dtype=np.float64), (symbols(sides[0]), symbols(sides[1])),
        None if bins is None else bins[0], f"{symbols(quantity(axis).label)}{where}", quantity(axis).unit,
    )  # fmt: skip


def _comparison(row: Row, hists: Histograms, simulation: Simulation | None) -> Thumbnail | None:
    found = compared_cell(hists, str(row.symmetry), str(row.observable), row.cell, simulation=simulation)
    bins, axis = _bins(row, found.axes), found.axes[0]
    expected, data = (_along_first(values, bins) for values in (np.maximum(found.expected, 0.0), found.data))
    where = "" if len(found.axes) == 1 or bins is None else " (region of the other axis)"
    return _drawn(
        expected, data, np.asarray(axis.edges, dtype=np.float64), SIDES, None if bins is None else bins[0],
        f"{symbols(quantity(axis).label)}{where}", quantity(axis).unit,
    )  # fmt: skip


def _bins(row: Row, axes: tuple[Any, ...]) -> tuple[tuple[int, int], ...] | None:
    """Return the bins of the region, where it has some of these axes."""
    bins = None if row.region is None else row.region.bins
    if bins is None or len(bins) != len(axes):
        return None
    inside = all(0 <= first < stop <= axis.size for (first, stop), axis in zip(bins, axes, strict=True))
    return bins if inside else None


def _along_first(values: FloatArray, bins: tuple[tuple[int, int], ...] | None) -> FloatArray:
    others = () if bins is None else tuple(slice(*span) for span in bins[1:])
    inside = values[(slice(None), *others)].reshape(len(values), -1)
    return np.asarray(inside.sum(axis=1), dtype=np.float64)


def _spectrum(row: Row, hists: Histograms) -> Thumbnail | None:
    found = hists.spectrum(str(row.observable), row.cell)
    edges, bump = np.asarray(found.edges, dtype=np.float64), row.bump or BumpPart()
    span = None
    if bump.position is not None and bump.width is not None:
        low, high = (np.clip(bump.position + n * bump.width, edges[0], edges[-1]) for n in (-2.0, 2.0))
        span = int(np.searchsorted(edges, low, "right")) - 1, max(int(np.searchsorted(edges, high)), 1)
    counts = np.asarray(found.counts, dtype=np.float64)
    return _drawn(None, counts, edges, ("", symbols(str(row.observable))), span, "mass", "GeV")


def _drawn(
    a: FloatArray | None, b: FloatArray, edges: FloatArray, sides: tuple[str, str],
    region: tuple[int, int] | None, axis: str, unit: str,
) -> Thumbnail | None:  # fmt: skip
    filled = np.flatnonzero(b if a is None else a + b)
    if not len(filled) or not np.isfinite(edges).all():
        return None
    first, stop = int(filled[0]), int(filled[-1]) + 1
    if region is not None:
        first, stop = min(first, region[0]), max(stop, region[1])
    starts = np.arange(first, stop, max(-(-(stop - first) // _MOST), 1))
    shown, b = np.append(edges[starts], edges[stop]), np.add.reduceat(b[:stop], starts)
    a = None if a is None else np.add.reduceat(a[:stop], starts)
    highest = float(max(b.max(), 0.0 if a is None else a.max()))
    left, right = (_x(edges[end], shown) for end in region) if region is not None else (0.0, 0.0)
    ends = f"{shown[0]:.4g}", f"{shown[-1]:.4g}"
    named = sides[1] if a is None else f"{sides[0]} (expected) and {sides[1]}"
    return Thumbnail(
        "" if a is None else outline(a, shown, highest), outline(b, shown, highest), sides,
        None if region is None else (round(left, 1), round(max(right - left, 2.0), 1)), *ends, f"{highest:,.4g}",
        f"{axis} [{unit}]" if unit else axis, f"{named} in {axis} from {ends[0]} to {ends[1]} {unit}".strip(),
    )  # fmt: skip


def _x(value: float, edges: FloatArray) -> float:
    return float(_LEFT + (_RIGHT - _LEFT) * (value - edges[0]) / (edges[-1] - edges[0]))


def outline(counts: FloatArray, edges: FloatArray, highest: float) -> str:
    """Return the outline of a histogram as the path of an SVG.

    Parameters
    ----------
    counts, edges
        Shapes (n_bins,) and (n_bins + 1,).
    highest
        The content at the top of the picture.
    """
    places = [_x(edge, edges) for edge in edges]
    heights = _BOTTOM - (_BOTTOM - _TOP) * np.clip(counts, 0.0, None) / (highest or 1.0)
    steps = "".join(f"V{height:.1f}H{place:.1f}" for height, place in zip(heights, places[1:], strict=True))
    return f"M{places[0]:.1f} {_BOTTOM:.1f}{steps}V{_BOTTOM:.1f}"
