"""Style of the figures: that of mplhep in a calmer size, without an experiment's name.

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
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.mathtext import MathTextParser
from matplotlib.text import Text

from coffea_ddp.plotting import palette, ranges
from coffea_ddp.plotting.palette import FAINT, INK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes

    from coffea_ddp._typing import FloatArray

DIVERGING = LinearSegmentedColormap.from_list("ddp", palette.diverging())
"""A in excess is blue, B is orange."""
REVERSED = DIVERGING.reversed()
COUNTS = LinearSegmentedColormap.from_list("ddp_contents", palette.sequential())
"""Its paler end can be distinguished from the blank of an empty bin."""
TITLE: dict[str, Any] = {"fontweight": "bold", "fontsize": 13}
LABEL: dict[str, Any] = {"fontsize": 12, "color": FAINT}

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
    "axes.unicode_minus": True,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    # On linear axes they are most of the time that a figure takes; logarithmic ones keep theirs.
    "xtick.minor.visible": False,
    "ytick.minor.visible": False,
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
    "svg.hashsalt": "coffea_ddp",
}
_LEFT, _RIGHT, _BOTTOM, _TOP = 1.0, 0.25, 0.75, 0.38
"""Around panels, in inches; the last with one line of a title."""
_LINE = 0.22
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
        with styled(), self._laid_out(options.get("dpi")):
            super().savefig(fname, **options)

    @contextmanager
    def _laid_out(self, dpi: Any) -> Iterator[None]:
        """Put everything at its place; matplotlib draws figures that have a layout engine a second time for that."""
        engine, own = self.get_layout_engine(), self.dpi
        try:
            if engine is not None:
                self.dpi = own if dpi in (None, "figure") else dpi
                engine.execute(self)
                self.dpi = own
                self.set_layout_engine(None)
            yield
        finally:
            self.dpi = own
            self.set_layout_engine(engine)

    def _repr_png_(self) -> bytes:
        """Return the picture that notebooks show without `%matplotlib inline`."""
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        return picture.getvalue()


@contextmanager
def drawing(width: float, height: float) -> Iterator[StyledFigure]:
    """Give an empty figure, in the style; afterwards texts that are no mathematics are taken as they are.

    Parameters
    ----------
    width, height
        In inches, of 110 pixels.

    Examples
    --------
    >>> with drawing(3, 2) as figure:
    ...     text = figure.text(0, 0, "$5 or $x_{$")
    >>> text.get_parse_math()
    False
    """
    with styled():
        figure = StyledFigure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        for text in _written(figure):
            if not _readable(text):
                text.set_parse_math(False)


def _written(figure: Figure) -> Iterator[Text]:
    """Give what was written by name; ticks, which are many, write themselves."""
    yield from figure.texts
    for axes in figure.axes:
        yield from (axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts)
        # matplotlib gives no separate name to the titles left and right.
        yield from (text for text in axes.get_children() if isinstance(text, Text))
        legend = axes.get_legend()
        yield from legend.get_texts() if legend is not None else ()


def panels(figure: Figure, heights: tuple[float, ...]) -> list[Axes]:
    """Return panels one above the other with one x axis, at fixed places: half the time of a layout that is sought."""
    width, height = figure.get_size_inches()
    figure.set_layout_engine("none")
    grid = figure.add_gridspec(
        len(heights), 1, height_ratios=heights, hspace=0.11, left=_LEFT / width, right=1 - _RIGHT / width,
        bottom=_BOTTOM / height, top=1 - _TOP / height,
    )  # fmt: skip
    axes = [figure.add_subplot(grid[0])]
    axes += [figure.add_subplot(grid[i], sharex=axes[0]) for i in range(1, len(heights))]
    for one in axes[:-1]:
        one.tick_params(labelbottom=False)
    return axes


def lined_up(axes: Sequence[Axes]) -> None:
    """Put the labels of the panels' y axes one below the other."""
    for one in axes:
        figure: Any = one.get_figure()
        wide = one.get_position().width * figure.get_figwidth()
        one.yaxis.set_label_coords(-(_LEFT - 0.3) / wide, 1.0 if one is axes[0] else 0.5)


def head(axes: Axes, title: str, label: str) -> None:
    """Write the title top left of the uppermost panel and the label top right, in more lines where one is too short."""
    figure: Any = axes.get_figure()
    title, label = fitted(title, label, axes, figure.get_figwidth() - 1.5)
    axes.set_title(title, loc="left", **TITLE)
    axes.set_title(label, loc="right", **LABEL)
    if figure.get_layout_engine() is None or isinstance(figure.get_layout_engine(), PlaceHolderLayoutEngine):
        grid: Any = axes.get_subplotspec().get_gridspec()  # type: ignore[union-attr]
        lines = 1 + max(title.count("\n"), label.count("\n"))
        # `update` itself reaches the figures of pyplot alone.
        grid.top = 1 - (_TOP + _LINE * (lines - 1)) / figure.get_figheight()
        for one in figure.axes:
            one.set_position(one.get_subplotspec().get_position(figure))


def head_of_all(figure: Figure, title: str, label: str) -> None:
    """Write the title and the label above all panels."""
    first = figure.axes[0]
    title, label = fitted(title, label, first, figure.get_figwidth() - 0.4)
    if title or label:
        # What is blank keeps the place, also for the label.
        figure.suptitle(title or " " + "\n" * label.count("\n"), x=0.01, ha="left", **TITLE)
        below = "\n" * (title.count("\n") - label.count("\n"))
        figure.text(0.99, 1 - 0.042 / figure.get_figheight(), below + label, ha="right", va="top", **LABEL)


def fitted(title: str, label: str, axes: Axes, width: float) -> tuple[str, str]:
    """Return title and label, broken into lines and one below the other where a width in inches asks for it."""
    title, _ = _filled(axes, title, TITLE, width)
    wide = _measured(axes, title.split("\n")[-1], TITLE)
    label, also = _filled(axes, label, LABEL, width)
    if title and label and wide + also + 0.25 > width:
        title += "\n" * (1 + label.count("\n"))
    return title, label


def _filled(axes: Axes, words: str, style: dict[str, Any], width: float) -> tuple[str, float]:
    """Return words in lines no longer than a width, and how wide they are."""
    wide = _measured(axes, words, style)
    letters = len(words)
    while wide > width and letters > 20:
        letters = min(int(letters * width / wide), letters - 1)
        words = textwrap.fill(words, letters)
        wide = _measured(axes, words, style)
    return words, wide


def _measured(axes: Axes, words: str, style: dict[str, Any]) -> float:
    """Return how wide words are, in inches."""
    figure: Any = axes.get_figure()
    text = figure.text(0, 0, words, **style)
    if not _readable(text):
        text.set_parse_math(False)
    extent = text.get_window_extent(figure.canvas.get_renderer())
    text.remove()
    return float(extent.width / figure.dpi)


def legible(words: str) -> str:
    r"""Return words whose dollars are escaped where what is between them is no mathematics.

    Examples
    --------
    >>> legible("$m_{ll}$"), legible("$5 or $x_{$")
    ('$m_{ll}$', '\\$5 or \\$x_{\\$')
    """
    return words if _readable(Text(0, 0, words)) else words.replace("$", r"\$")


def _readable(text: Text) -> bool:
    """Return whether mathematics between dollars can be set."""
    for line in text.get_text().split("\n"):
        if line.count("$") > 1:
            try:
                MathTextParser("path").parse(line, prop=text.get_fontproperties())
            except ValueError:
                return False
    return True


def legend_beside(axes: Axes, position: float, low: float, high: float) -> None:
    """Put the legend into the upper corner that is farther from a position between two ends of the x axis."""
    corner: Any = "upper left" if position > (low + high) / 2 else "upper right"
    axes.legend(loc=corner, frameon=True, edgecolor="none", framealpha=0.9)


def scale_contents(axes: Axes, contents: Sequence[FloatArray], log_y: bool | None = None) -> None:
    """Choose the scale of contents, with room for a legend.

    Parameters
    ----------
    axes
        Where they are drawn.
    contents
        All of them.
    log_y
        Whether it is logarithmic; ``None``: where contents span more than two powers of ten.
    """
    found = ranges.contents_scale(np.concatenate(contents), log_y)
    if found.log:
        axes.set_yscale("log")
    axes.set_ylim(found.low, found.high)
