"""Figures of the log-ratio that a test on events has learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import Normalize

from coffea_ddp.errors import InputError
from coffea_ddp.plotting.given import contents
from coffea_ddp.plotting.intervals import Interval, poisson_interval
from coffea_ddp.plotting.palette import A_COLOUR, B_COLOUR, INK, MODEL
from coffea_ddp.plotting.ranges import close_in, per_bin
from coffea_ddp.plotting.style import REVERSED, drawing, head, lined_up, panels, scale_contents
from coffea_ddp.stats import checks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray


_PAPER = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 2}


def log_ratio(x: ArrayLike, values: ArrayLike, *, labels: Sequence[str], title: str = "", label: str = "") -> Figure:
    """Draw the learned logarithm of the density of A over that of B; in a map blue is where A is in excess.

    Parameters
    ----------
    x
        Features of the events, shape (n,) or (n, 1): the log-ratio against the feature; (n, 2): a map.
    values
        The log-ratio of every event, shape (n,).
    labels
        Names of the features, with their units.
    title, label
        What it is; dataset or luminosity.

    Raises
    ------
    InputError
        If shapes do not fit, or a number is not finite.

    Examples
    --------
    >>> figure = log_ratio([0.1, 0.5, 0.9], [-0.2, 0.6, -0.1], labels=["m [TeV]"])
    >>> figure.axes[0].get_ylabel()
    'log of density A / density B'
    """
    events = checks.finite(x, "x")
    events = events[:, None] if events.ndim == 1 else events
    if events.ndim != 2 or events.shape[1] not in (1, 2) or not len(events):
        raise InputError(f"x has shape {np.shape(x)}; give events with one or two features, (n,), (n, 1) or (n, 2)")
    learned_values = contents(values, (len(events),), "values", negative=True)
    if len(labels) != events.shape[1]:
        raise InputError(f"{len(labels)} labels for {events.shape[1]} features; give one for each")
    with drawing(8.0, 5.6) as figure:
        axes = figure.add_subplot()
        axes.set_xlabel(labels[0])
        if events.shape[1] == 1:
            _line(axes, events[:, 0], learned_values)
        else:
            mesh = _map(axes, events, learned_values)
            axes.set_ylabel(labels[1])
            figure.colorbar(mesh, ax=axes, label="log of density A / density B", aspect=35, pad=0.02)
        head(axes, title, label)
    return figure


def learned(
    edges: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    found_a: ArrayLike,
    found_b: ArrayLike,
    null_a: ArrayLike,
    *,
    xlabel: str,
    sides: tuple[str, str] = ("A", "B"),
    title: str = "",
    label: str = "",
) -> Figure:
    """Draw A and B and what NPLM has learned of them, and below both divided by what one density would give.

    Parameters
    ----------
    edges
        Of the bins, shape (n_bins + 1,).
    a, b
        Events of A and of B, shape (n_bins,).
    found_a, found_b, null_a
        Learned expectation of A and of B, and that of A if both are of one density: ``a``, ``b`` and ``null`` of
        :meth:`NPLMResult.histogram <coffea_ddp.stats.NPLMResult.histogram>`.
    xlabel
        The observable, with its unit.
    sides
        Names of A and B.
    title, label
        What it is; dataset or luminosity.

    Raises
    ------
    InputError
        If shapes do not fit, edges do not rise, or the null is above all events.

    Examples
    --------
    >>> figure = learned([0, 1, 2], [8, 3], [7, 6], [7.4, 3.5], [7.5, 5.4], [7, 4], xlabel="m [TeV]")
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['events / TeV', 'ratio to one density']
    """
    bins = checks.edges(edges, "edges")
    shape = (len(bins) - 1,)
    names = ("a", "b", "found_a", "found_b", "null_a")
    given = [contents(v, shape, n) for v, n in zip((a, b, found_a, found_b, null_a), names, strict=True)]
    events, found = given[:2], given[2:4]
    # All events of a bin are those expected of A and those expected of B.
    null_b = events[0] + events[1] - given[4]
    if (null_b < -1e-6 * (1 + given[4])).any():
        raise InputError("null_a is above a + b: it is A's share of all events; give a, b and null_a of one sample")
    expected = [given[4], np.maximum(null_b, 0.0)]
    with drawing(8.0, 6.2) as figure:
        top, bottom = panels(figure, (2, 1.2))
        for i, (colour, marker) in enumerate(((A_COLOUR, "o"), (B_COLOUR, "s"))):
            top.stairs(expected[i], bins, baseline=None, color=MODEL, linestyle=":", linewidth=1.2)
            top.stairs(found[i], bins, baseline=None, color=colour, label=f"{sides[i]}, learned")
            _points(top, events[i], poisson_interval(events[i]), bins, colour, marker, sides[i])
        top.plot([], [], color=MODEL, linestyle=":", linewidth=1.2, label="of one density")
        scale_contents(top, [*events, *found])
        top.legend(ncols=2)
        _over_null(bottom, bins, events, found, expected)
        top.set_ylabel(f"events / {per_bin(bins, xlabel)}")
        bottom.set_ylabel("ratio to one density", loc="center")
        bottom.set_xlabel(xlabel)
        bottom.set_xlim(bins[0], bins[-1])
        head(top, title, label)
        lined_up((top, bottom))
    return figure


def _over_null(
    axes: Axes, edges: FloatArray, events: list[FloatArray], found: list[FloatArray], expected: list[FloatArray]
) -> None:
    reach = 0.0
    axes.axhline(1, color=MODEL, linestyle=":", linewidth=1.2)
    for i, (colour, marker) in enumerate(((A_COLOUR, "o"), (B_COLOUR, "s"))):
        # An empty bin has no ratio.
        divisor = np.where(expected[i] > 0, expected[i], np.nan)
        ratio, line = events[i] / divisor, found[i] / divisor
        low, high = poisson_interval(events[i])
        _points(axes, ratio, Interval(low / divisor, high / divisor), edges, colour, marker)
        axes.stairs(line, edges, baseline=None, color=colour)
        reach = max(reach, close_in(line - 1, at_least=0.0), close_in((ratio - 1)[events[i] >= 9], at_least=0.0))
    reach = float(np.clip(1.3 * reach, 0.1, 1.0))
    axes.set_ylim(1 - reach, 1 + reach)


def _points(
    axes: Axes,
    values: FloatArray,
    errors: Interval,
    edges: FloatArray,
    colour: str,
    marker: str,
    name: str | None = None,
) -> None:
    centres = (edges[:-1] + edges[1:]) / 2
    there = np.isfinite(values)
    x, y = centres[there], values[there]
    both = np.abs(np.array(errors)[:, there] - y)
    axes.errorbar(x, y, both, fmt=marker, color=colour, markersize=4, elinewidth=1.1, label=name)


def _line(axes: Axes, x: FloatArray, values: FloatArray) -> None:
    axes.axhline(0, color=MODEL, linewidth=0.9, linestyle=":")
    axes.plot(x, values, "o", color=INK, markersize=4 if len(x) < 300 else 2, markeredgewidth=0, rasterized=True)
    reach = 1.25 * close_in(values, at_least=0.1)
    axes.set_ylim(-reach, reach)
    axes.set_ylabel("log of density A / density B")


def _map(axes: Axes, x: FloatArray, values: FloatArray) -> Any:
    low, high = np.quantile(x, [0.002, 0.998], axis=0)
    flat = high <= low
    low, high = np.where(flat, low - 0.5, low), np.where(flat, high + 0.5, high)
    n = int(np.clip(np.sqrt(len(x) / 8), 8, 50))
    bins = [np.linspace(low[i], high[i], n + 1) for i in range(2)]
    weight = np.histogram2d(x[:, 0], x[:, 1], bins)[0]
    total = np.histogram2d(x[:, 0], x[:, 1], bins, weights=values)[0]
    mean = np.full(weight.shape, np.nan)
    np.divide(total, weight, out=mean, where=weight > 0)
    reach = close_in(mean, at_least=0.1)
    left = len(x) - int(weight.sum())
    if left:
        words = f"{left:,} events outside"
        at: Any = axes.transAxes
        axes.text(0.99, 0.01, words, transform=at, ha="right", va="bottom", fontsize=11, bbox=_PAPER)
    shown = np.ma.masked_invalid(mean.T)
    return axes.pcolormesh(*bins, shown, cmap=REVERSED, norm=Normalize(-reach, reach), rasterized=True)
