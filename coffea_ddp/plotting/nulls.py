"""Figures of null distributions: z of all trials, and a statistic among its pseudo-experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats as distributions

from coffea_ddp.errors import InputError
from coffea_ddp.plotting.given import contents
from coffea_ddp.plotting.intervals import poisson_interval
from coffea_ddp.plotting.palette import DATA, FAINT, INK, MARK, MODEL
from coffea_ddp.plotting.ranges import null_edges, per_bin
from coffea_ddp.plotting.style import drawing, head, legend_beside
from coffea_ddp.stats import checks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike


def z_distribution(counts: ArrayLike, edges: ArrayLike, *, title: str = "", label: str = "") -> Figure:
    """Draw the distribution of z of all trials, against a normal distribution of the same total.

    Parameters
    ----------
    counts
        Number of trials, shape (n_bins,); or (n_bins + 2,): the first below all edges, the last above (a note in the
        figure).
    edges
        Of the bins of z, shape (n_bins + 1,).
    title, label
        What it is; dataset or luminosity.

    Raises
    ------
    InputError
        If shapes do not fit, edges do not rise, or counts are negative.

    Examples
    --------
    >>> z_distribution([2, 40, 38, 3], [-4, -2, 0, 2, 4]).axes[0].get_ylabel()
    'trials / 2'
    """
    bins = checks.edges(edges, "edges")
    n_bins = len(bins) - 1
    flow = checks.positive(counts, "counts").shape == (n_bins + 2,)
    trials = contents(counts, (n_bins + 2,) if flow else (n_bins,), "counts")
    below, above = (trials[0], trials[-1]) if flow else (0.0, 0.0)
    total, trials = trials.sum(), trials[1:-1] if flow else trials
    expected = total * np.diff(distributions.norm.cdf(bins))
    with drawing(8.0, 5.4) as figure:
        axes = figure.add_subplot()
        centres = (bins[:-1] + bins[1:]) / 2
        axes.stairs(expected, bins, fill=True, color=MODEL, alpha=0.22)
        axes.stairs(expected, bins, color=MODEL, label="normal, same total")
        axes.errorbar(
            centres,
            trials,
            np.abs(poisson_interval(trials) - trials),
            fmt="o",
            color=INK,
            markersize=4,
            elinewidth=1,
            label=f"{total:,.0f} trials",
        )
        if total:
            axes.set_yscale("log")
            axes.set_ylim(0.3, 4 * max(trials.max(), expected.max(), 1.0))
        else:
            axes.set_ylim(0, 1)
        axes.set_xlim(bins[0], bins[-1])
        axes.set_xlabel("z")
        axes.set_ylabel(f"trials / {per_bin(bins, '')}")
        axes.legend(loc="upper right")
        _outside(axes, below, above, bins[0], bins[-1])
        head(axes, title, label)
    return figure


def null(
    sample: ArrayLike,
    observed: float,
    *,
    xlabel: str = "t",
    dof: float | None = None,
    p_text: str = "",
    title: str = "",
    label: str = "",
) -> Figure:
    """Draw a statistic among its pseudo-experiments.

    Parameters
    ----------
    sample
        The statistic in the pseudo-experiments, shape (n,).
    observed
        The statistic of the data.
    xlabel
        Its name.
    dof
        Degrees of freedom of a chi-square that is drawn too.
    p_text
        Its p-value and how it was made, for example "p = 0.012 (permutations)".
    title, label
        What it is; dataset or luminosity.

    Raises
    ------
    InputError
        If there is no pseudo-experiment, or a number is not finite.

    Examples
    --------
    >>> null([1.0, 2.0, 4.0, 3.0], 9.0, dof=3, p_text="p = 0.2 (permutations)").axes[0].get_xlabel()
    't'
    """
    values = checks.finite(sample, "sample")
    if values.ndim != 1 or not len(values):
        raise InputError(f"sample has shape {values.shape}; give the statistic of each pseudo-experiment, (n,)")
    at = checks.number(observed, "observed")
    degrees = None if dof is None else checks.number(dof, "dof", above=0.0)
    low, high = min(values.min(), at), max(values.max(), at)
    edges = null_edges(values)
    with drawing(8.0, 5.4) as figure:
        axes = figure.add_subplot()
        heights = np.histogram(values, edges)[0]
        axes.stairs(heights, edges, fill=True, color=DATA, alpha=0.22)
        axes.stairs(heights, edges, color=DATA, label=f"{len(values):,} pseudo-experiments")
        pad = 0.06 * max(high - low, edges[-1] - edges[0])
        span = min(low, edges[0]) - pad, max(high, edges[-1]) + pad
        top = float(heights.max())
        if degrees is not None:
            x = np.linspace(max(span[0], 0.0), span[1], 400)[1:]
            density = distributions.chi2.pdf(x, degrees) * len(values) * np.diff(edges)[0]
            axes.plot(x, density, color=MODEL, linestyle="--", label=rf"$\chi^2$ with {degrees:g} degrees of freedom")
            top = max(top, float(density[x > edges[0]].max(initial=0.0))) if degrees > 2 else top
        axes.axvline(at, color=MARK, linewidth=2, label=f"observed: {at:.4g}" + (f", {p_text}" if p_text else ""))
        axes.set_xlim(*span)
        axes.set_ylim(0, 1.45 * top)
        axes.set_xlabel(xlabel)
        axes.set_ylabel("pseudo-experiments")
        legend_beside(axes, at, *span)
        head(axes, title, label)
    return figure


def _outside(axes: Axes, below: float, above: float, low: float, high: float) -> None:
    words = [f"{n:,.0f} {where}" for n, where in ((below, f"below {low:g}"), (above, f"above {high:g}")) if n]
    if words:
        axes.text(
            0.02, 0.97, "\n".join(["not shown:", *words]), transform=axes.transAxes, va="top", fontsize=11, color=FAINT
        )
