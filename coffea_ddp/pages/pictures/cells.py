"""Figures of the histograms of a cell: the matrices A and B, what every bin says, and the overlaid projections.

Examples
--------
>>> from coffea_ddp.report.regions import Range, Region
>>> rectangle_of(Region((Range("m_ll", 20.0, 40.0, "GeV", 2, 4), Range("met", 0.0, 10.0, "GeV", 0, 1))), (10, 5))
(2, 4, 0, 1)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.histograms.axes import quantity
from coffea_ddp.histograms.layout import EVENTS
from coffea_ddp.pages.pictures.compared import Sides, Texts, compared_figure, side_labels, with_range
from coffea_ddp.pages.pictures.drawn import axis_of, names_of, title_of
from coffea_ddp.pages.pictures.figure import Column, Figure, Map, Span
from coffea_ddp.plotting.given import compared
from coffea_ddp.stats import scan_submatrices

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.histograms.pairs import MatrixPair
    from coffea_ddp.report.regions import Region
    from coffea_ddp.report.rows import Row

Rectangle = tuple[int, int, int, int]


class _Pair(NamedTuple):
    """The histograms of a row, what is expected of B in every bin, and the region."""

    pair: MatrixPair
    names: tuple[str, str]
    kappa: float | FloatArray
    rectangle: Rectangle | None
    whose: str
    label: str

    @property
    def title(self) -> str:
        return title_of(self.pair.symmetry, self.pair.cell)

    def sides(self, number: int | None = None) -> Sides:
        """Return both sides, along one axis or over all."""
        a, b = self.pair.counts
        expected, variances = self.kappa * a, _variances(self.pair)
        if number is not None:
            a, b, expected = (_along(values, number) for values in (a, b, expected))
            variances = None if variances is None else (_along(variances[0], number), _along(variances[1], number))
        # Of an empty bin of A the mean of all: there is nothing that it could be seen by.
        total = float(expected.sum() / a.sum()) if a.sum() > 0 else float(np.mean(self.kappa))
        kappa = np.where(a > 0, expected / np.where(a > 0, a, 1.0), total) if np.ndim(self.kappa) else self.kappa
        return Sides(a, b, kappa, variances, self.names)


def cell_pictures(row: Row, hists: Histograms, label: str) -> tuple[Figure, ...]:
    """Return the figures of a row of a test of histograms.

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
        If the row is about the number of events, which is no figure.
    """
    if row.observable == EVENTS:
        raise InputError("the row compares the numbers of events of A and B; there is nothing more to draw")
    pair = hists[row.symmetry, row.observable, row.cell]
    names = names_of(hists.layout.symmetry(str(row.symmetry)).sides)
    by_shares = _ratio_of_shares(row, hists)
    kappa = (row.ratio and row.ratio.kappa) or pair.kappa if by_shares is None else by_shares
    rectangle, whose = rectangle_of(row.region, pair.counts[0].shape), "the region of this row"
    if rectangle is None and len(pair.a.axes) == 2 and sum(side.sum() for side in pair.counts) > 0:
        rectangle, whose = _best_rectangle(*pair.counts, float(np.mean(kappa))), "the best of all rectangles"
    both = _Pair(pair, names, kappa, rectangle, whose, label)
    projections = [_overlaid(both, number, row.region) for number in range(len(pair.a.axes))]
    return (_matrices(both), *projections) if len(pair.a.axes) == 2 else tuple(projections)


def _ratio_of_shares(row: Row, hists: Histograms) -> FloatArray | None:
    """Return B / A as a calibration expects it in every bin of a row's cell; ``None`` without a calibration."""
    symmetry, observable = str(row.symmetry), str(row.observable)
    counts = hists.cell_counts(symmetry, observable)
    if counts.shares is None:
        return None
    inside = hists.layout.grid.contains(hists.layout.grid.cell(str(row.cell)), counts.codes)
    events = counts.entries[inside].sum(axis=(0, 1))
    of_b = counts.shares[0, inside].sum(axis=0)
    total = of_b.sum() / (events.sum() - of_b.sum()) if events.sum() > 0 else 1.0
    ratio = np.where(events > 0, of_b / np.where(events > 0, events - of_b, 1.0), total)
    return np.asarray(ratio.reshape(counts.bins))


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


def _matrices(both: _Pair) -> Figure:
    sides, (x, y) = both.sides(), (axis_of(axis) for axis in both.pair.a.axes)
    a, b = sides.a, sides.b
    first, second = side_labels(both.names)
    pulls = compared(a, b, a.shape, sides.kappa, sides.variances).pulls
    filled = np.concatenate([values[values > 0] for values in (a, b)])
    ends = float(filled.min(initial=np.inf)) if len(filled) else 1.0, float(filled.max(initial=1.0))
    panels = (
        Map(first, "a", "contents", *ends),
        Map(second, "b", "contents", *ends),
        Map("significance of B over its expectation", "pull", "sides", wide=True),
    )
    columns = (Column("a", first, a), Column("b", second, b), Column("pull", "significance", pulls))
    caption = f"The matrices of A ({both.names[0]}) and B ({both.names[1]}), and the significance of every bin"
    text = f"{caption}: {a.sum():,.7g} and {b.sum():,.7g} in {a.shape[0]} by {a.shape[1]} bins."
    spans: tuple[Span, ...] = ()
    if both.rectangle is None:
        caption = f"{caption}."
    else:
        spans = (_frame(both),)
        where = " and ".join(
            _range(axis, span) for axis, span in zip(both.pair.a.axes, _ends(both.rectangle), strict=True)
        )
        inside = tuple(slice(*span) for span in _ends(both.rectangle))
        counts = f"{a[inside].sum():,.7g} of A and {b[inside].sum():,.7g} of B"
        caption = f"{caption}; framed: {both.whose}."
        text = f"{text} In {both.whose} ({where}): {counts}."
    axes = tuple(
        with_range(axis, _along(a + b, number), [] if not spans else [_projected(both, number)])
        for number, axis in enumerate((x, y))
    )
    texts = Texts("matrices", both.title, both.label, caption, text)
    return Figure(*texts, axes, columns, panels, spans)


def _ends(rectangle: Rectangle) -> tuple[tuple[int, int], tuple[int, int]]:
    return rectangle[:2], rectangle[2:]


def _frame(both: _Pair) -> Span:
    first, second = (_projected(both, number) for number in range(2))
    return Span("region", first.low, first.high, both.whose, second.low, second.high)


def _projected(both: _Pair, number: int) -> Span:
    """Return the range of the rectangle on one of its axes."""
    assert both.rectangle is not None
    edges = both.pair.a.axes[number].edges
    first, stop = _ends(both.rectangle)[number]
    return Span("region", float(edges[first]), float(edges[stop]), both.whose)


def _best_rectangle(a: FloatArray, b: FloatArray, kappa: float) -> Rectangle | None:
    """Return the best rectangle, where counts are whole numbers and can be searched."""
    if (a != np.rint(a)).any() or (b != np.rint(b)).any() or a.min() < 0 or b.min() < 0:
        return None
    found = scan_submatrices(a, b, kappa=kappa, toys=0)
    (first, stop), (low, high) = found.bins
    return first, stop, low, high


def _overlaid(both: _Pair, number: int, region: Region | None) -> Figure:
    hist_axis = both.pair.a.axes[number]
    axis, sides = axis_of(hist_axis), both.sides(number)
    pulls = compared(sides.a, sides.b, sides.a.shape, sides.kappa, sides.variances).pulls
    many = np.ndim(sides.kappa) and len(np.unique(sides.kappa)) > 1
    by = "the ratio that its calibration expects in every bin" if many else f"kappa = {np.mean(sides.kappa):.4g}"
    scaled = "" if (np.asarray(sides.kappa) == 1.0).all() else f", A multiplied with {by}"
    whose = both.pair.symmetry if len(both.pair.a.axes) == 1 else f"projected on {axis.label}"
    errors = "Errors are central 68 % intervals, exact for counts." if sides.variances is None else ""
    caption = (
        f"A ({both.names[0]}) and B ({both.names[1]}) {whose}{scaled}, their ratio, and the pull of every bin. {errors}"
    )
    texts = Texts(
        f"overlay-{number}", both.title, both.label, caption.rstrip(), f"{caption} {_largest(pulls, hist_axis)}"
    )
    spans = region_on(region, axis.edges, number)
    if both.rectangle is not None and not spans:
        spans = [_projected(both, number)]
    return compared_figure(sides, axis, texts, spans)


def region_on(region: Region | None, edges: FloatArray, number: int) -> list[Span]:
    """Return the range of a row's region on one axis; nothing where it has none there."""
    if region is None or number >= len(region.axes):
        return []
    found = region.axes[number]
    low = edges[0] if found.low is None else max(found.low, edges[0])
    high = edges[-1] if found.high is None else min(found.high, edges[-1])
    return [Span("region", float(low), float(high), "the region of this row")] if low < high else []


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
