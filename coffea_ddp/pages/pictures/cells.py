"""Pictures of the histograms of a cell: the matrices A and B, what every bin says, and the overlaid projections.

Examples
--------
>>> from coffea_ddp.report.regions import Range, Region
>>> rectangle_of(Region((Range("m_ll", 20.0, 40.0, "GeV", 2, 4), Range("met", 0.0, 10.0, "GeV", 0, 1))), (10, 5))
(2, 4, 0, 1)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.histograms.axes import quantity
from coffea_ddp.histograms.layout import EVENTS
from coffea_ddp.pages.pictures.drawn import Picture, axis_label
from coffea_ddp.plotting import matrices, overlay
from coffea_ddp.plotting.given import compared
from coffea_ddp.stats import scan_submatrices

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.histograms.pairs import MatrixPair
    from coffea_ddp.report.regions import Region
    from coffea_ddp.report.rows import Row

Rectangle = tuple[int, int, int, int]


def cell_pictures(row: Row, hists: Histograms, label: str) -> tuple[Picture, ...]:
    """Return the pictures of a row of a test of histograms.

    Parameters
    ----------
    row
        Of a symmetry.
    hists
        The output of the pass.
    label
        The label over the figures.

    Raises
    ------
    UnknownNameError
        If the histograms have no such symmetry, observable or cell.
    InputError
        If the row is about the number of events, which is no picture.
    """
    if row.observable == EVENTS:
        raise InputError("the row compares the numbers of events of A and B; there is nothing more to draw")
    pair = hists[row.symmetry, row.observable, row.cell]
    sides = hists.layout.symmetry(str(row.symmetry)).sides
    kappa = (row.ratio and row.ratio.kappa) or pair.kappa
    projections = [_overlaid(pair, number, sides, kappa, label) for number in range(len(pair.a.axes))]
    if len(pair.a.axes) != 2:
        return tuple(projections)
    return _matrices(row, pair, sides, kappa, label), *projections


def rectangle_of(region: Region | None, shape: tuple[int, ...]) -> Rectangle | None:
    """Return the bins of a region of a matrix, first and one past the last of both axes.

    ``None`` where it has no bins, or none of a matrix of this shape.
    """
    bins = None if region is None else region.bins
    if bins is None or len(bins) != 2 or len(shape) != 2:
        return None
    (first, stop), (low, high) = bins
    inside = 0 <= first < stop <= shape[0] and 0 <= low < high <= shape[1]
    return (first, stop, low, high) if inside else None


def _matrices(row: Row, pair: MatrixPair, sides: tuple[str, str], kappa: float, label: str) -> Picture:
    a, b = pair.counts
    x, y = pair.a.axes
    rectangle, whose = rectangle_of(row.region, a.shape), "the region of this row"
    if rectangle is None and a.sum() + b.sum() > 0:
        rectangle, whose = _best_rectangle(a, b, kappa), "the best of all rectangles, by its summed counts"
    figure = matrices(
        a, b, np.asarray(x.edges), np.asarray(y.edges), xlabel=axis_label(x), ylabel=axis_label(y), sides=sides,
        kappa=kappa, variances=_variances(pair), rectangle=rectangle, title=f"{row.symmetry}: {row.cell}", label=label,
    )  # fmt: skip
    caption = f"The matrices of A ({sides[0]}) and B ({sides[1]}), and the significance of every bin"
    text = f"{caption}: {a.sum():,.7g} and {b.sum():,.7g} in {a.shape[0]} by {a.shape[1]} bins."
    if rectangle is None:
        return Picture("matrices", figure, f"{caption}.", text)
    inside = slice(*rectangle[:2]), slice(*rectangle[2:])
    where = ", ".join(_range(axis, span) for axis, span in zip((x, y), (rectangle[:2], rectangle[2:]), strict=True))
    counts = f"{a[inside].sum():,.7g} of A and {b[inside].sum():,.7g} of B"
    return Picture("matrices", figure, f"{caption}; framed: {whose}.", f"{text} In {whose} ({where}): {counts}.")


def _best_rectangle(a: FloatArray, b: FloatArray, kappa: float) -> Rectangle | None:
    """Return the best rectangle, where counts are whole numbers and can be searched."""
    if (a != np.rint(a)).any() or (b != np.rint(b)).any() or a.min() < 0 or b.min() < 0:
        return None
    found = scan_submatrices(a, b, kappa=kappa)
    (first, stop), (low, high) = found.bins
    return first, stop, low, high


def _overlaid(pair: MatrixPair, number: int, sides: tuple[str, str], kappa: float, label: str) -> Picture:
    axis = pair.a.axes[number]
    a, b = (_along(side.values(), number) for side in (pair.a, pair.b))
    variances = _variances(pair)
    along = None if variances is None else (_along(variances[0], number), _along(variances[1], number))
    edges = np.asarray(axis.edges, dtype=np.float64)
    figure = overlay(
        a, b, edges, xlabel=axis_label(axis), sides=sides, kappa=kappa, variances=along,
        title=f"{pair.symmetry}: {pair.cell}", label=label,
    )  # fmt: skip
    pulls = compared(a, b, a.shape, kappa, along).pulls
    name = quantity(axis).label
    scaled = "" if kappa == 1.0 else f", A multiplied with kappa = {kappa:.4g}"
    whose = pair.symmetry if len(pair.a.axes) == 1 else f"projected on {name}"
    caption = f"A ({sides[0]}) and B ({sides[1]}) {whose}{scaled}, their ratio, and the pull of every bin."
    return Picture(f"overlay-{number}", figure, caption, f"{caption} {_largest(pulls, axis)}")


def _along(values: Any, number: int) -> FloatArray:
    """Return contents summed over all other axes."""
    contents = np.asarray(values, dtype=np.float64)
    return np.asarray(contents.sum(axis=tuple(i for i in range(contents.ndim) if i != number)))


def _largest(pulls: FloatArray, axis: Any) -> str:
    if np.isnan(pulls).all():
        return "Both are empty."
    place = int(np.nanargmax(np.abs(pulls)))
    return f"The largest pull is {pulls[place]:+.1f}, {_range(axis, (place, place + 1))}."


def _range(axis: Any, span: tuple[int, int]) -> str:
    shown = quantity(axis)
    return f"{shown.label} from {axis.edges[span[0]]:.5g} to {axis.edges[span[1]]:.5g} {shown.unit}".rstrip()


def _variances(pair: MatrixPair) -> tuple[FloatArray, FloatArray] | None:
    """Return the squared errors where they are not the contents."""
    if pair.a.storage_type.__name__ != "Weight":
        return None
    return np.asarray(pair.a.variances(), dtype=np.float64), np.asarray(pair.b.variances(), dtype=np.float64)
