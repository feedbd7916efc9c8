"""How figures look: mplhep's style in a calmer size, without an experiment's name.

matplotlib reads its settings when a figure is made and again when it is drawn; :class:`StyledFigure` uses these both
times, so that a figure looks the same wherever it is saved, and the settings of whoever calls stay as they are.
"""

from __future__ import annotations

import io
import textwrap
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import mplhep
import numpy as np
from matplotlib import style as settings
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes

    from coffea_ddp._typing import FloatArray

A_COLOUR = "#3f78e0"
B_COLOUR = "#d62839"
INK = "#1b1b1f"
FAINT = "#6b6b73"
LINES = ("#3f78e0", "#e07b00", "#d62839", "#964a8b", "#6b6b73", "#7a21dd")
DIVERGING = "RdBu_r"
COUNTS = "viridis"

_SETTINGS: dict[str, Any] = {
    # A list of families, so that a letter that the first has not comes from the second.
    "font.family": ["TeX Gyre Heros", "DejaVu Sans"],
    "font.size": 13,
    "mathtext.fontset": "custom",
    "mathtext.fallback": "stixsans",
    "axes.linewidth": 1.0,
    "axes.labelsize": 13,
    "axes.titlesize": 13,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "xtick.major.size": 6,
    "xtick.minor.size": 3,
    "ytick.major.size": 6,
    "ytick.minor.size": 3,
    "legend.fontsize": 12,
    "lines.linewidth": 1.6,
    "figure.dpi": 110,
    "savefig.dpi": "figure",
    "savefig.facecolor": "white",
    "figure.facecolor": "white",
    "pdf.fonttype": 42,
    "svg.hashsalt": "coffea_ddp",
}
# matplotlib's settings belong to the whole process: two threads must not change them at the same time.
_LOCK = threading.RLock()


@contextmanager
def styled() -> Iterator[None]:
    """Use the style of the figures; afterwards the settings are what they were.

    Examples
    --------
    >>> import matplotlib
    >>> with styled():
    ...     matplotlib.rcParams["figure.dpi"]
    110.0
    """
    with _LOCK, settings.context([mplhep.style.CMS, _SETTINGS], after_reset=True):
        yield


class StyledFigure(Figure):
    """A figure that keeps its style, known to no pyplot, and that a notebook shows as a picture."""

    def draw(self, renderer: Any) -> None:
        """Draw in the figure's own style."""
        with styled():
            super().draw(renderer)

    def savefig(self, fname: Any, **options: Any) -> None:
        """Save in the figure's own style; options as of matplotlib."""
        with styled():
            super().savefig(fname, **options)

    def _repr_png_(self) -> bytes:
        """Return the picture that notebooks show without `%matplotlib inline`."""
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        return picture.getvalue()


def new_figure(width: float = 8.0, height: float = 6.0) -> StyledFigure:
    """Return an empty figure; to be called within :func:`styled`.

    Parameters
    ----------
    width, height
        In inches, of 110 pixels.
    """
    figure = StyledFigure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panels(figure: Figure, heights: tuple[float, ...]) -> list[Axes]:
    """Return panels one above the other with one x axis, without gaps."""
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights, hspace=0.0)
    axes = [figure.add_subplot(grid[0])]
    axes += [figure.add_subplot(grid[i], sharex=axes[0]) for i in range(1, len(heights))]
    for one in axes[:-1]:
        one.tick_params(labelbottom=False)
    engine: Any = figure.get_layout_engine()
    engine.set(h_pad=0.03, hspace=0.0)
    return axes


def head(axes: Axes, title: str, label: str, *, letters: int = 78) -> None:
    """Write the title top left and the label top right, in two lines where one is too short.

    Parameters
    ----------
    axes
        The uppermost.
    title, label
        What it is; dataset or luminosity.
    letters
        How many fit into a line.
    """
    if len(title) + len(label) + 3 > letters:
        title = textwrap.fill(title, letters) + ("\n" if label else "")
    axes.set_title(title, loc="left", fontweight="bold" if title else None, fontsize=13)
    axes.set_title(label, loc="right", fontsize=12, color=FAINT)


def close_in(values: FloatArray, *, at_least: float) -> float:
    """Return the largest absolute value, for a scale symmetric about 0."""
    known = np.abs(values[np.isfinite(values)])
    return float(max(known.max(initial=0.0), at_least))
