"""Matrices: A, B and the significance of every bin; and tables with coloured entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator

from coffea_ddp.errors import InputError
from coffea_ddp.plotting.given import compared, looked_at
from coffea_ddp.plotting.palette import INK, MARK
from coffea_ddp.plotting.ranges import close_in
from coffea_ddp.plotting.style import COUNTS, DIVERGING, drawing, head_of_all, legible
from coffea_ddp.stats import checks
from coffea_ddp.stats.conversion import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray

Window = tuple[int, int, int, int]


def matrices(
    a: ArrayLike,
    b: ArrayLike,
    edges_x: ArrayLike,
    edges_y: ArrayLike,
    *,
    xlabel: str,
    ylabel: str,
    sides: tuple[str, str] = ("A", "B"),
    kappa: ArrayLike = 1.0,
    variances: Sequence[ArrayLike] | None = None,
    rectangle: Window | None = None,
    title: str = "",
    label: str = "",
) -> Figure:
    """Draw the matrices A and B and the significance of every bin.

    Parameters
    ----------
    a, b
        Contents, shape (n_x, n_y).
    edges_x, edges_y
        Of the bins, shapes (n_x + 1,) and (n_y + 1,).
    xlabel, ylabel
        The observables, with their units.
    sides
        Names of A and B.
    kappa
        Expected ratio B/A: a number, or one for each bin.
    variances
        Sums of squared weights of A and of B; ``None``: contents are counts.
    rectangle
        ``(first_x, stop_x, first_y, stop_y)`` in bins, drawn in every panel; the bins ``stop`` are outside.
    title, label
        What it is; dataset or luminosity.

    Returns
    -------
    Figure
        Contents share a logarithmic scale, empty bins are blank; significances, ``(B - kappa A) / sqrt(kappa (V_A +
        V_B))``, are orange where B is in excess and blue where A is.

    Raises
    ------
    InputError
        If shapes do not fit, edges do not rise, or the rectangle is not within the matrix.

    Examples
    --------
    >>> figure = matrices([[4, 2], [1, 0]], [[3, 2], [5, 0]], [0, 1, 2], [0, 1, 2], xlabel="x", ylabel="y")
    >>> len(figure.axes)  # three panels, two scales
    5
    """
    bins = checks.edges(edges_x, "edges_x"), checks.edges(edges_y, "edges_y")
    shape = len(bins[0]) - 1, len(bins[1]) - 1
    both = compared(a, b, shape, kappa, variances)
    window = None if rectangle is None else _window(rectangle, shape)
    shown = checks.finite(a, "a"), both.b
    scaled = not (checks.finite(kappa, "kappa") == 1).all()
    with drawing(9.6, 5.8) as figure:
        grid = figure.add_gridspec(2, 2, width_ratios=(1, 1.75))
        wide = figure.add_subplot(grid[:, 1])
        small = [figure.add_subplot(grid[i, 0]) for i in range(2)]
        filled = np.concatenate([x[x > 0] for x in shown])
        norm = _log_norm(filled)
        for axes, values, name, side in zip(small, shown, sides, "AB", strict=True):
            mesh = _mesh(axes, np.where(values > 0, values, np.nan), bins, COUNTS, norm)
            axes.set_title(side if name == side else f"{name} ({side})", loc="left", fontsize=12)
        narrow = filled.max(initial=1.0) < 500 * filled.min(initial=1.0)
        ticks: dict[str, Any] = {"ticks": LogLocator(subs=(1, 2, 5)), "format": "%g"} if narrow else {}
        figure.colorbar(mesh, ax=small, label="events", aspect=35, pad=0.02, **ticks)
        small[0].tick_params(labelbottom=False)
        wide.set_title("significance of B over " + ("κA" if scaled else "A"), loc="left", fontsize=12)
        reach = close_in(both.pulls, at_least=3.0)
        mesh = _mesh(wide, both.pulls, bins, DIVERGING, Normalize(-reach, reach))
        figure.colorbar(mesh, ax=wide, aspect=35, pad=0.02)
        small[1].set_xlabel(xlabel)
        wide.set_xlabel(xlabel)
        for axes in (*small, wide):
            axes.set_ylabel(ylabel)
            if window is not None:
                _frame(axes, window, bins)
        head_of_all(figure, title, label)
    return figure


def table(
    values: ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    texts: Sequence[Sequence[str]] | None = None,
    legend: str = "z",
    limit: float | None = None,
    title: str = "",
    label: str = "",
) -> Figure:
    """Draw a table whose entries are coloured by their values.

    Parameters
    ----------
    values
        Shape (n_rows, n_columns); NaN: blank.
    rows, columns
        Their names.
    texts
        What is written into the entries; ``None``: the values.
    legend
        What the values are.
    limit
        The value of the deepest colour; ``None``: the largest, and at least 3.
    title, label
        What it is; dataset or luminosity.

    Raises
    ------
    InputError
        If shapes do not fit, or a value is infinite.

    Examples
    --------
    >>> figure = table([[1.0, 2.5]], ["e-mu"], ["inclusive", "2 jets"])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['1.0', '2.5']
    """
    shape = len(rows), len(columns)
    if not all(shape):
        raise InputError(f"a table of {shape[0]} rows and {shape[1]} columns: give at least one of each")
    filled = looked_at(values, shape, "values")
    if texts is not None and [len(row) for row in texts] != [shape[1]] * shape[0]:
        raise InputError(f"texts do not fit a table of {shape[0]} rows and {shape[1]} columns; give one for each entry")
    written = [[_short(v) for v in row] for row in filled] if texts is None else texts
    reach = close_in(filled, at_least=3.0) if limit is None else limit
    slanted = shape[1] > 5
    names = 0.09 * max(len(name) for name in rows)
    width, height = max(8.0, 1.6 + names + max(1.05 - 0.02 * shape[1], 0.65) * shape[1]), 1.9 + 0.42 * shape[0]
    with drawing(width, height) as figure:
        axes = figure.add_subplot()
        bins = np.arange(shape[1] + 1.0), np.arange(shape[0] + 1.0)
        norm = Normalize(-reach, reach)
        mesh = _mesh(axes, filled.T, bins, DIVERGING, norm, edgecolors="white", linewidth=1.5)
        bar = figure.colorbar(mesh, ax=axes, aspect=30, pad=0.02)
        bar.set_label(legend, loc="center")
        if not (filled < 0).any():
            bar.ax.set_ylim(0, reach)
        _write(axes, filled, written, norm)
        axes.invert_yaxis()
        turn, side = (35, "right") if slanted else (0, "center")
        axes.set_xticks(bins[0][:-1] + 0.5, [legible(name) for name in columns], rotation=turn, ha=side)
        axes.set_yticks(bins[1][:-1] + 0.5, [legible(name) for name in rows])
        axes.tick_params(which="both", length=0)
        axes.spines[:].set_visible(False)
        axes.minorticks_off()
        head_of_all(figure, title, label)
    return figure


def _short(value: float) -> str:
    """Return a number with one decimal, a true minus, and no minus before 0."""
    return f"{value:z.1f}".replace("-", "\N{MINUS SIGN}")


def _window(rectangle: Window, shape: tuple[int, int]) -> Window:
    bins = checks.finite(rectangle, "rectangle")
    if bins.shape != (4,) or (bins != np.rint(bins)).any():
        raise InputError(f"rectangle={shown(rectangle)}: give four bins, (first_x, stop_x, first_y, stop_y)")
    first_x, stop_x, first_y, stop_y = map(int, bins.tolist())
    if not (0 <= first_x < stop_x <= shape[0] and 0 <= first_y < stop_y <= shape[1]):
        raise InputError(
            f"rectangle={shown(rectangle)} is not within {shape[0]} x {shape[1]} bins; give first < stop <= bins"
        )
    return first_x, stop_x, first_y, stop_y


def _log_norm(filled: FloatArray) -> LogNorm:
    low = float(filled.min(initial=np.inf)) if len(filled) else 1.0
    return LogNorm(low, max(float(filled.max(initial=0.0)), 10 * low))


def _mesh(
    axes: Axes, values: FloatArray, bins: tuple[FloatArray, FloatArray], colours: Any, norm: Normalize, **options: Any
) -> Any:
    return axes.pcolormesh(*bins, np.ma.masked_invalid(values.T), cmap=colours, norm=norm, rasterized=True, **options)


def _frame(axes: Axes, window: Window, bins: tuple[FloatArray, FloatArray]) -> None:
    first_x, stop_x, first_y, stop_y = window
    x, y = bins
    corner, size = (x[first_x], y[first_y]), (x[stop_x] - x[first_x], y[stop_y] - y[first_y])
    axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor="white", linewidth=4.0, clip_on=False))
    axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=MARK, linewidth=2.0, clip_on=False))


def _write(axes: Axes, values: FloatArray, texts: Sequence[Sequence[str]], norm: Normalize) -> None:
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            if np.isnan(value):
                continue
            red, green, blue, _ = DIVERGING(norm(value))
            dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5
            axes.text(j + 0.5, i + 0.5, texts[i][j], ha="center", va="center", color="white" if dark else INK)
