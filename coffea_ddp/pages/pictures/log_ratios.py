"""The figure of a log-ratio that a test on events has learned: against one feature, or as a map over two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.pages.pictures.figure import Axis, Column, Figure, Layer, Map, Panel
from coffea_ddp.plotting.ranges import close_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coffea_ddp._typing import FloatArray
    from coffea_ddp.pages.pictures.compared import Texts

_MAP_BINS = 40
_CLASSES = 6


def log_ratio_figure(x: FloatArray, values: FloatArray, axes: Sequence[Axis], texts: Texts) -> Figure:
    """Return the mean of the log-ratio in every bin of one feature or two.

    Parameters
    ----------
    x
        Features of the events, shape (n, 1) or (n, 2).
    values
        The logarithm of the density of A over that of B, shape (n,).
    axes
        Of the features.
    texts
        Of the figure.
    """
    if len(axes) == 1:
        return _line(x[:, 0], values, axes[0], texts)
    short = [_shorter(axis) for axis in axes]
    bins = [axis.edges for axis in short]
    weight = np.histogram2d(x[:, 0], x[:, 1], bins)[0]
    total = np.histogram2d(x[:, 0], x[:, 1], bins, weights=values)[0]
    mean = np.full(weight.shape, np.nan)
    np.divide(total, weight, out=mean, where=weight > 0)
    step = float(f"{close_in(mean, at_least=0.06) / _CLASSES:.1g}")
    # The colours of the sides: what is positive in a map is of B.
    columns = (
        Column("b_over_a", "log of density B / density A, mean", -mean),
        Column("events", "stored events", weight),
    )
    panel = Map("log of density B / density A", "b_over_a", "sides", step=step, wide=True)
    return Figure(*texts, tuple(short), columns, (panel,))


def _shorter(axis: Axis) -> Axis:
    """Return an axis with few enough bins for a map."""
    edges = axis.edges
    if len(edges) - 1 > _MAP_BINS:
        edges = np.linspace(edges[0], edges[-1], _MAP_BINS + 1)
    return Axis(axis.name, axis.label, axis.unit, edges)


def _line(x: FloatArray, values: FloatArray, axis: Axis, texts: Texts) -> Figure:
    place = np.clip(np.searchsorted(axis.edges, x, side="right") - 1, 0, len(axis.edges) - 2)
    weight, total = (np.bincount(place, w, len(axis.edges) - 1) for w in (None, values))
    low, high = np.full(len(weight), np.inf), np.full(len(weight), -np.inf)
    np.minimum.at(low, place, values)
    np.maximum.at(high, place, values)
    filled = weight > 0
    mean = np.full(len(weight), np.nan)
    np.divide(total, weight, out=mean, where=filled)
    low, high = np.where(filled, low, np.nan), np.where(filled, high, np.nan)
    columns = (
        Column("mean", "log of density A / density B, mean", mean),
        Column("least", "smallest", low),
        Column("largest", "largest", high),
        Column("events", "stored events", weight),
    )
    reach = 1.25 * close_in(np.concatenate([low, high]), at_least=0.1)
    layers = (
        Layer("band", "data", low="least", high="largest", label="all events of a bin"),
        Layer("steps", "ink", "mean", label="mean"),
    )
    panel = Panel("log of density A / density B", -reach, reach, layers=layers, levels=(0.0,), height=3.0)
    return Figure(*texts, (axis,), columns, (panel,))
