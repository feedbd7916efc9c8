"""A mass spectrum and what a bump hunt says of every bin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.plotting.given import contents, looked_at
from coffea_ddp.plotting.intervals import poisson_interval
from coffea_ddp.plotting.palette import DATA, FAINT, INK, MARK, MODEL
from coffea_ddp.plotting.ranges import log_axis, per_bin
from coffea_ddp.plotting.style import drawing, head, legend_beside, lined_up, panels, scale_contents
from coffea_ddp.stats import checks
from coffea_ddp.stats.conversion import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray


def spectrum(
    counts: ArrayLike,
    edges: ArrayLike,
    z: ArrayLike,
    *,
    xlabel: str = "mass [GeV]",
    z_error: ArrayLike | None = None,
    position: float | None = None,
    width: float | None = None,
    background: ArrayLike | None = None,
    masks: Sequence[tuple[float, float, str]] = (),
    title: str = "",
    label: str = "",
) -> Figure:
    """Draw a spectrum on a logarithmic scale and below it z of every bin.

    Parameters
    ----------
    counts
        Shape (n_bins,).
    edges
        Of the bins, shape (n_bins + 1,).
    z
        Significance in every bin; NaN: not tested.
    xlabel
        What the spectrum is of, with its unit.
    z_error
        Error of z, drawn as a band.
    position, width
        Where the bump is and how wide (one sigma): +- 2 widths are marked.
    background
        Expected without a bump, in every bin; NaN: not known.
    masks
        ``(low, high, name)`` of known resonances and of whatever else was left out.
    title, label
        What it is; dataset or luminosity.

    Raises
    ------
    InputError
        If shapes do not fit, edges do not rise, or numbers cannot be what they are named.

    Examples
    --------
    >>> z = [0.1, -0.2, 0.0, 2.1, -0.3]
    >>> figure = spectrum([90, 70, 52, 61, 30], [0, 1, 2, 3, 4, 5], z, position=3.5, width=0.4)
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['events / GeV', 'z']
    """
    bins = checks.edges(edges, "edges")
    shape = (len(bins) - 1,)
    events, found = contents(counts, shape, "counts"), looked_at(z, shape, "z")
    error = None if z_error is None else looked_at(z_error, shape, "z_error")
    if error is not None and (error < 0).any():
        raise InputError("z_error has negative values; an error is 0 or more")
    smooth = None if background is None else looked_at(background, shape, "background")
    left_out = [_mask(mask) for mask in masks]
    marked = _marked(position, width)
    with drawing(8.0, 6.0) as figure:
        top, bottom = panels(figure, (2.2, 1))
        _counts(top, events, bins)
        if smooth is not None:
            top.stairs(smooth, bins, baseline=None, color=MODEL, linewidth=1.6, label="expected without a bump")
        _significance(bottom, found, error, bins)
        for axes in (top, bottom):
            for low, high, _ in left_out:
                axes.axvspan(low, high, facecolor="#ececf0", edgecolor="#c4c4cc", hatch="///", linewidth=0, zorder=0)
            if marked is not None:
                _mark(axes, *marked)
        if marked is not None:
            legend_beside(top, marked[0], bins[0], bins[-1])
        if marked is None and smooth is not None:
            top.legend()
        _name(top, left_out, bins)
        top.set_ylabel(f"events / {per_bin(bins, xlabel)}")
        bottom.set_ylabel("z", loc="center")
        bottom.set_xlabel(xlabel)
        if log_axis(bins):
            bottom.set_xscale("log")
        bottom.set_xlim(bins[0], bins[-1])
        head(top, title, label)
        lined_up((top, bottom))
    return figure


def _mask(mask: tuple[float, float, str]) -> tuple[float, float, str]:
    if len(mask) != 3:
        raise InputError(f"mask {shown(mask)}: give (low, high, name)")
    low, high = (checks.number(x, "the edge of a mask") for x in mask[:2])
    if not low < high:
        raise InputError(f"mask {shown(mask)}: give its lower edge below its upper one")
    return low, high, str(mask[2])


def _marked(position: float | None, width: float | None) -> tuple[float, float] | None:
    if position is None:
        if width is not None:
            raise InputError(f"width={shown(width)} without a position: give both, or none")
        return None
    return checks.number(position, "position"), 0.0 if width is None else checks.number(width, "width", above=0.0)


def _mark(axes: Axes, position: float, width: float) -> None:
    words = f"bump at {position:.4g}"
    if width:
        words += f", width {width:.3g} (band: ± 2 widths)"
        axes.axvspan(position - 2 * width, position + 2 * width, color=MARK, alpha=0.12, linewidth=0, zorder=0)
    axes.axvline(position, color=MARK, linewidth=1.2, linestyle="--", label=words)


def _counts(axes: Axes, counts: FloatArray, edges: FloatArray) -> None:
    centres = (edges[:-1] + edges[1:]) / 2
    filled = counts[counts > 0]
    axes.stairs(counts, edges, color=DATA, linewidth=1.0, alpha=0.6)
    errors = np.abs(np.array(poisson_interval(counts)) - counts)
    axes.errorbar(centres, counts, errors, fmt="none", ecolor=DATA, elinewidth=0.9)
    scale_contents(axes, [counts], len(filled) > 0)


def _significance(axes: Axes, z: FloatArray, error: FloatArray | None, edges: FloatArray) -> None:
    axes.axhline(0, color=INK, linewidth=0.8)
    if error is not None:
        low, high = z - error, z + error
        axes.stairs(high, edges, baseline=low, fill=True, color=DATA, alpha=0.25, linewidth=0)
    axes.stairs(z, edges, baseline=None, color=INK, linewidth=1.4)
    known = z[np.isfinite(z)]
    top, floor = max(known.max(initial=0.0), 3.0), min(known.min(initial=0.0), -2.0)
    for level in (3.0, 5.0):
        if level <= 1.2 * top:
            axes.axhline(level, color=FAINT, linewidth=0.8, linestyle=":")
    axes.set_ylim(1.25 * floor, 1.2 * top)


def _name(axes: Axes, masks: Sequence[tuple[float, float, str]], edges: FloatArray) -> None:
    log = axes.get_xscale() == "log"
    at: Any = axes.get_xaxis_transform()
    for first, last, name in masks:
        low, high = max(first, edges[0]), min(last, edges[-1])
        if low < high:
            ends = np.array([edges[0], low, high, edges[-1]])
            begin, left, right, end = np.log(ends) if log else ends
            # Sideways where the band is narrower than the name.
            turned = 90 if (right - left) / (end - begin) < 0.016 * (len(name) + 1) else 0
            where: dict[str, Any] = {"ha": "center", "va": "bottom", "rotation": turned}
            middle = np.sqrt(low * high) if log else (low + high) / 2
            axes.text(middle, 0.03, name, transform=at, color=INK, fontsize=11, **where)
