"""The figures of null distributions: z of all trials, and a statistic among its pseudo-experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from coffea_ddp.pages.pictures.figure import Axis, Column, Figure, Layer, Panel, Span
from coffea_ddp.plotting.intervals import poisson_interval
from coffea_ddp.plotting.ranges import null_edges, per_bin

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.pages.pictures.compared import Texts


def z_figure(counts: FloatArray, edges: FloatArray, texts: Texts) -> Figure:
    """Return the distribution of z of all trials, against a normal distribution of the same total.

    Parameters
    ----------
    counts
        Number of trials, shape (n_bins + 2,): the first below all edges, the last above.
    edges
        Of the bins of z, shape (n_bins + 1,).
    texts
        Of the figure.
    """
    total, trials = counts.sum(), counts[1:-1]
    expected = total * np.diff(norm.cdf(edges))
    low, high = poisson_interval(trials)
    columns = (
        Column("trials", f"{total:,.0f} trials", trials),
        Column("trials_low", "68 % from", low),
        Column("trials_high", "68 % to", high),
        Column("normal", "normal, same total", expected),
    )
    layers = (
        Layer("steps", "model", "normal", label="normal, same total"),
        Layer("points", "data", "trials", "trials_low", "trials_high", label=f"{total:,.0f} trials"),
    )
    top = 4 * max(float(trials.max(initial=0.0)), float(expected.max(initial=0.0)), 1.0)
    panel = Panel(f"trials / {per_bin(edges, '')}", 0.3, top, log=True, layers=layers, height=3.0)
    return Figure(*texts, (Axis("z", "z", "", edges),), columns, (panel,))


def null_figure(sample: FloatArray, observed: float, axis_label: str, p_text: str, texts: Texts) -> Figure:
    """Return a statistic among its pseudo-experiments.

    Parameters
    ----------
    sample
        The statistic in the pseudo-experiments, shape (n,).
    observed
        The statistic of the data.
    axis_label, p_text
        Its name; its p-value and how it was made.
    texts
        Of the figure.
    """
    edges = null_edges(sample)
    heights = np.histogram(sample, edges)[0].astype(np.float64)
    low, high = min(edges[0], observed), max(edges[-1], observed)
    pad = 0.06 * (high - low)
    name = f"{len(sample):,} pseudo-experiments"
    panel = Panel(
        "pseudo-experiments", 0.0, 1.15 * float(heights.max()), layers=(Layer("steps", "data", "toys", label=name),),
        height=3.0,
    )  # fmt: skip
    span = Span("line", observed, observed, f"observed: {observed:.4g}, {p_text}")
    axis = Axis("statistic", axis_label, "", edges, low - pad, high + pad)
    return Figure(*texts, (axis,), (Column("toys", name, heights),), (panel,), (span,))
