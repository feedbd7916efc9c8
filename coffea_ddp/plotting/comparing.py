"""A and B overlaid, their ratio and their pulls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.plotting.given import compared
from coffea_ddp.plotting.palette import A_COLOUR, B_COLOUR, INK
from coffea_ddp.plotting.ranges import close_in, per_bin, ratio_scale
from coffea_ddp.plotting.style import drawing, head, lined_up, panels, scale_contents
from coffea_ddp.stats import checks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray
    from coffea_ddp.plotting.given import Compared
    from coffea_ddp.plotting.intervals import Interval


def overlay(
    a: ArrayLike,
    b: ArrayLike,
    edges: ArrayLike,
    *,
    xlabel: str,
    sides: tuple[str, str] = ("A", "B"),
    kappa: ArrayLike = 1.0,
    variances: Sequence[ArrayLike] | None = None,
    log_y: bool | None = None,
    title: str = "",
    label: str = "",
) -> Figure:
    """Draw A (times kappa) and B with errors, below B / (kappa A), below the pull of every bin.

    Parameters
    ----------
    a, b
        Contents, shape (n_bins,).
    edges
        Of the bins, shape (n_bins + 1,).
    xlabel
        The observable, with its unit.
    sides
        Names of A and B.
    kappa
        Expected ratio B/A: a number, or one for each bin.
    variances
        Sums of squared weights of A and of B; ``None``: contents are counts.
    log_y
        Whether contents are on a logarithmic scale; ``None``: where they span more than two powers of ten.
    title, label
        What it is; dataset or luminosity.

    Returns
    -------
    Figure
        The band around A, and the error bars of B and of the ratio, are central 68 % intervals, exact for counts
        (:mod:`coffea_ddp.plotting.intervals`): empty bins have one, too. Where a ratio is far from 1 its panel is
        logarithmic. The pull is ``(B - kappa A) / sqrt(kappa (V_A + V_B))``, exactly of width 1 under the symmetry.

    Raises
    ------
    InputError
        If shapes do not fit, edges do not rise, or contents are no counts and have no variances.

    Examples
    --------
    >>> figure = overlay([40, 20, 9], [44, 35, 8], [0, 50, 100, 150], xlabel="m(ll) [GeV]", sides=("ee", "mumu"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['events / 50 GeV', 'B / A', 'pull']
    """
    bins = checks.edges(edges, "edges")
    both = compared(a, b, (len(bins) - 1,), kappa, variances)
    with drawing(8.0, 6.6) as figure:
        top, middle, bottom = panels(figure, (3.2, 1.1, 1.1))
        scaled = not (checks.finite(kappa, "kappa") == 1).all()
        _contents(top, both, bins, sides, scaled=scaled)
        scale_contents(top, [both.a, both.b], log_y)
        top.set_ylabel(f"events / {per_bin(bins, xlabel)}")
        _ratio(middle, both, bins)
        middle.set_ylabel("B / κA" if scaled else "B / A", loc="center")
        draw_pulls(bottom, both.pulls, bins)
        bottom.set_ylabel("pull", loc="center")
        bottom.set_xlabel(xlabel)
        bottom.set_xlim(bins[0], bins[-1])
        head(top, title, label)
        lined_up((top, middle, bottom))
    return figure


def draw_pulls(axes: Axes, pulls: FloatArray, edges: FloatArray) -> None:
    """Draw pulls as bars, in the colour of the side that is in excess, with bands of one and two sigma."""
    axes.axhspan(-2, 2, color="#f1f1f4", zorder=0, linewidth=0)
    axes.axhspan(-1, 1, color="#e2e2e8", zorder=0, linewidth=0)
    axes.axhline(0, color=INK, linewidth=0.8)
    shown = np.nan_to_num(pulls)
    colours = np.where(shown >= 0, B_COLOUR, A_COLOUR)
    axes.bar(edges[:-1], shown, np.diff(edges), align="edge", color=colours.tolist(), linewidth=0)
    reach = 1.15 * close_in(pulls, at_least=2.9)
    axes.set_ylim(-reach, reach)


def _contents(axes: Axes, both: Compared, edges: FloatArray, sides: tuple[str, str], *, scaled: bool) -> None:
    centres = (edges[:-1] + edges[1:]) / 2
    name = f"κ · {sides[0]}" if scaled else sides[0]
    low, high = both.errors_a
    axes.stairs(high, edges, baseline=low, fill=True, color=A_COLOUR, alpha=0.22, linewidth=0)
    axes.stairs(both.a, edges, color=A_COLOUR, linewidth=1.6, label=f"{name} (A)" if sides[0] != "A" else name)
    second = f"{sides[1]} (B)" if sides[1] != "B" else "B"
    draw_points(axes, centres, both.b, both.errors_b, label=second)
    axes.legend()


def draw_points(axes: Axes, x: FloatArray, y: FloatArray, interval: Interval, **options: Any) -> None:
    """Draw points of B with the two ends of their intervals; an end that is infinite is beyond the panel."""
    low, high = interval
    errors = np.array([y - low, np.where(np.isinf(high), 1e300, high - y)])
    there = np.isfinite(y) & np.isfinite(errors).all(axis=0)
    style: dict[str, Any] = {"fmt": "o", "color": B_COLOUR, "markersize": 4.5, "elinewidth": 1.2} | options
    axes.errorbar(x[there], y[there], np.maximum(errors[:, there], 0.0), **style)


def _ratio(axes: Axes, both: Compared, edges: FloatArray) -> None:
    centres = (edges[:-1] + edges[1:]) / 2
    scale = ratio_scale(both.ratio, both.errors_ratio)
    if scale.log:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
    axes.set_ylim(scale.low, scale.high)
    axes.axhline(1, color=INK, linewidth=0.8)
    draw_points(axes, centres, both.ratio, both.errors_ratio, markersize=4)
    # Without events of A there is a lower limit alone; points beyond the panel are marked, not dropped.
    limit = np.isinf(both.errors_ratio.high) & (both.errors_ratio.low > 0)
    axes.vlines(centres[limit], both.errors_ratio.low[limit], scale.high, color=B_COLOUR, linewidth=1.2)
    above = limit | (both.ratio > scale.high)
    for beyond, at, marker in ((above, scale.high, "^"), (both.ratio < scale.low, scale.low, "v")):
        if beyond.any():
            axes.plot(centres[beyond], np.full(beyond.sum(), at), marker, color=B_COLOUR, clip_on=False, markersize=5)
