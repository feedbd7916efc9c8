"""Figures of data beside simulation in a cell: what is expected with its uncertainty, the samples, data, and z."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.histograms.layout import EVENTS
from coffea_ddp.pages.pictures.cells import rectangle_of, region_on
from coffea_ddp.pages.pictures.compared import Texts, with_range
from coffea_ddp.pages.pictures.drawn import axis_of, title_of
from coffea_ddp.pages.pictures.figure import Column, Figure, Layer, Map, Panel, Span
from coffea_ddp.plotting.intervals import poisson_interval
from coffea_ddp.plotting.ranges import close_in, contents_scale, per_bin, ratio_scale
from coffea_ddp.report.cell_words import symbols
from coffea_ddp.scanning.compared_cell import compared_cell, z_of_bins

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.rows import Row
    from coffea_ddp.scanning.compared_cell import ComparedCell
    from coffea_ddp.scanning.simulation import Simulation

_MOST = 8
"""Samples with columns, the largest ones; the others are added up."""


def comparison_pictures(
    row: Row, hists: Histograms, label: str, simulation: Simulation | None = None
) -> tuple[Figure, ...]:
    """Return the figures of a row of a comparison.

    Parameters
    ----------
    row
        Of a comparison.
    hists
        The output of the pass.
    label
        The label over the figures.
    simulation
        What the scan was told of the normalisation.

    Raises
    ------
    UnknownNameError
        If the histograms have no such comparison, observable or cell.
    InputError
        If the row is about the number of events, which is no figure, or the simulation cannot be normalised.
    """
    if row.observable == EVENTS:
        raise InputError("the row compares numbers of events; there is nothing more to draw")
    found = compared_cell(hists, str(row.symmetry), str(row.observable), str(row.cell), simulation=simulation)
    overlays = tuple(_overlaid(found, row, label, number) for number in range(len(found.axes)))
    return overlays if len(found.axes) == 1 else (_maps(found, row, label), *overlays)


def _along(values: FloatArray, number: int) -> FloatArray:
    return np.asarray(values.sum(axis=tuple(i for i in range(values.ndim) if i != number)))


def _overlaid(found: ComparedCell, row: Row, label: str, number: int) -> Figure:
    hist_axis = found.axes[number]
    axis, data, expected = axis_of(hist_axis), _along(found.data, number), _along(found.expected, number)
    error = _error(found, number)
    interval = poisson_interval(data, None)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio, ratio_low, ratio_high, band = (
            np.where(expected > 0, values / np.where(expected > 0, expected, 1.0), np.nan)
            for values in (data, interval.low, interval.high, error)
        )
    z = z_of_bins(data, expected, error)
    columns = [
        Column("expected", "simulation", expected),
        Column("expected_low", "simulation: 68 % from", np.maximum(expected - error, 0.0)),
        Column("expected_high", "simulation: 68 % to", expected + error),
        Column("data", "data", data),
        Column("data_low", "data: 68 % from", interval.low),
        Column("data_high", "data: 68 % to", interval.high),
        Column("ratio", "data / simulation", ratio),
        Column("ratio_low", "ratio: 68 % from", ratio_low),
        Column("ratio_high", "ratio: 68 % to", ratio_high),
        Column("band_low", "simulation, relative: from", 1.0 - band),
        Column("band_high", "simulation, relative: to", 1.0 + band),
        Column("z", "z", z),
        *(
            Column(f"sample_{place}", name, _along(values, number))
            for place, (name, values) in enumerate(_samples(found))
        ),
    ]
    shown = contents_scale(np.concatenate([expected + error, data, interval.high]), room=1.15)
    of_ratio = ratio_scale(ratio, type(interval)(ratio_low, ratio_high))
    reach = 1.15 * close_in(z, at_least=2.9)
    panels = (
        Panel(
            f"events / {per_bin(axis.edges, axis.named)}", shown.low, shown.high, shown.log,
            (
                Layer("band", "a", low="expected_low", high="expected_high"),
                Layer("steps", "a", "expected", label="simulation"),
                Layer("points", "b", "data", "data_low", "data_high", label="data"),
            ),
            height=3.0,
        ),
        Panel(
            "data / simulation", of_ratio.low, of_ratio.high, of_ratio.log,
            (
                Layer("band", "a", low="band_low", high="band_high"),
                Layer("points", "b", "ratio", "ratio_low", "ratio_high"),
            ),
            levels=(1.0,),
        ),
        Panel("z", -reach, reach, layers=(Layer("bars", "b", "z"),), levels=(0.0,), bands=(2.0, 1.0)),
    )  # fmt: skip
    spans = region_on(row.region, axis.edges, number)
    return Figure(
        *_texts(found, label, f"overlay-{number}", z), (with_range(axis, expected + data, spans),), tuple(columns),
        panels, tuple(spans),
    )  # fmt: skip


def _error(found: ComparedCell, number: int) -> FloatArray:
    """Return the uncertainty along one axis: variations move all bins together, statistics each for itself."""
    moved = list(found.variations.values())
    own = found.error**2 - sum((values**2 for values in moved), np.zeros(found.error.shape))
    along = np.maximum(_along(own, number), 0.0) + sum(
        (_along(values, number) ** 2 for values in moved), np.zeros(found.data.shape[number])
    )
    return np.asarray(np.sqrt(along))


def _samples(found: ComparedCell) -> list[tuple[str, FloatArray]]:
    """Return the samples, the largest first; of very many the small ones as one."""
    ordered = sorted(found.samples.items(), key=lambda item: -float(item[1].sum()))
    rest = ordered[_MOST:]
    others = [(f"{len(rest)} other samples", np.sum([values for _, values in rest], axis=0))] if rest else []
    return [*ordered[:_MOST], *others]


def _texts(found: ComparedCell, label: str, name: str, z: FloatArray) -> Texts:
    total, seen = float(found.expected.sum()), float(found.data.sum())
    parts = ", ".join(f"{symbols(sample)} {float(values.sum()):,.4g}" for sample, values in _samples(found))
    caption = (
        "Data and simulation, their ratio, and z of every bin, that of its p-value. The band is the uncertainty of the "
        f"simulation: the statistics of its samples and all variations. In the cell: {parts}."
    )
    largest = "" if np.isnan(z).all() else f" The largest z is {z.flat[np.nanargmax(np.abs(z))]:+.1f}."
    text = f"{caption} {seen:,.0f} events of data, {total:,.4g} expected.{largest}"
    return Texts(name, title_of(found.comparison, found.cell), label, caption, text)


def _maps(found: ComparedCell, row: Row, label: str) -> Figure:
    x, y = (axis_of(axis) for axis in found.axes)
    filled = np.concatenate([values[values > 0] for values in (found.expected, found.data)])
    ends = (float(filled.min()), float(filled.max())) if len(filled) else (1.0, 1.0)
    columns = (
        Column("expected", "simulation", found.expected), Column("data", "data", found.data),
        Column("z", "z", found.z),
    )  # fmt: skip
    panels = (
        Map("simulation", "expected", "contents", *ends), Map("data", "data", "contents", *ends),
        Map("z of data", "z", "sides", wide=True),
    )  # fmt: skip
    rectangle = rectangle_of(row.region, found.data.shape)
    spans: tuple[Span, ...] = ()
    if rectangle is not None:
        (first, stop, low, high), (edges, others) = rectangle, (x.edges, y.edges)
        spans = (
            Span(
                "region", float(edges[first]), float(edges[stop]), "the region of this row", float(others[low]),
                float(others[high]),
            ),
        )  # fmt: skip
    axes = tuple(
        with_range(axis, _along(found.expected + found.data, number), region_on(row.region, axis.edges, number))
        for number, axis in enumerate((x, y))
    )
    return Figure(*_texts(found, label, "matrices", found.z), axes, columns, panels, spans)
