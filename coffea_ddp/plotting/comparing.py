"""A and B overlaid, their ratio and their pulls."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.plotting.given import compared
from coffea_ddp.plotting.style import (
    A_COLOUR,
    B_COLOUR,
    INK,
    close_in,
    drawing,
    head,
    lined_up,
    panels,
    scale_contents,
)
from coffea_ddp.stats import checks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray
    from coffea_ddp.plotting.given import Compared


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
        Error bars are square roots of variances; in the ratio those of B, with a band of those of A. The pull is
        ``(B - kappa A) / sqrt(kappa (V_A + V_B))``, exactly of width 1 under the symmetry.

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


def per_bin(edges: FloatArray, xlabel: str) -> str:
    """Return what contents are divided by: the width of equal bins with its unit, else "bin"."""
    widths = np.diff(edges)
    if not np.allclose(widths, widths[0]):
        return "bin"
    unit = re.search(r"\[([^\]]*)\]\s*$", xlabel)
    if not unit:
        return f"{widths[0]:.3g}"
    return unit[1] if np.isclose(widths[0], 1) else f"{widths[0]:.3g} {unit[1]}"


def draw_pulls(axes: Axes, pulls: FloatArray, edges: FloatArray) -> None:
    """Draw pulls as bars, red where B is in excess and blue where A is, with bands of one and two sigma."""
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
    axes.stairs(both.a, edges, fill=True, color=A_COLOUR, alpha=0.22)
    axes.stairs(both.a, edges, color=A_COLOUR, linewidth=1.6, label=f"{name} (A)" if sides[0] != "A" else name)
    axes.errorbar(centres, both.a, both.error_a, fmt="none", ecolor=A_COLOUR, elinewidth=1.2)
    second = f"{sides[1]} (B)" if sides[1] != "B" else "B"
    axes.errorbar(centres, both.b, both.error_b, fmt="o", color=B_COLOUR, markersize=4.5, elinewidth=1.2, label=second)
    axes.legend()


def _ratio(axes: Axes, both: Compared, edges: FloatArray) -> None:
    centres = (edges[:-1] + edges[1:]) / 2
    there = both.a > 0
    ratio, error, band = (np.full(len(both.a), np.nan) for _ in range(3))
    np.divide(both.b, both.a, out=ratio, where=there)
    np.divide(both.error_b, both.a, out=error, where=there)
    np.divide(both.error_a, both.a, out=band, where=there)
    band = np.nan_to_num(band)
    axes.stairs(1 + band, edges, baseline=1 - band, fill=True, color=A_COLOUR, alpha=0.22, linewidth=0)
    axes.axhline(1, color=INK, linewidth=0.8)
    axes.errorbar(centres[there], ratio[there], error[there], fmt="o", color=B_COLOUR, markersize=4, elinewidth=1.2)
    away = np.abs(ratio - 1)[there & (band < 0.7)]
    reach = float(np.clip(1.3 * away.max(initial=0.0), 0.2, 1.0))
    low, high = 1 - reach, 1 + reach
    axes.set_ylim(low, high)
    # Points beyond the panel are marked, not dropped.
    for beyond, at, marker in ((ratio > high, high, "^"), (ratio < low, low, "v")):
        if beyond.any():
            axes.plot(centres[beyond], np.full(beyond.sum(), at), marker, color=B_COLOUR, clip_on=False, markersize=5)
