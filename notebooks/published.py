"""Numbers of papers and what is measured here, one beside the other, with pulls.

Every figure and table of the notebooks that compares has its numbers from here: ``papers/published.csv`` says of each
point which paper it is of and whether it is printed there or read from a figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from coffea_ddp.plotting.palette import FAINT, INK, LINES
from coffea_ddp.plotting.style import drawing, head, lined_up, panels

FOLDER = Path(__file__).resolve().parent / "papers"
COLOURS = {
    "network as published (no bound)": LINES[0],
    "network of this package": LINES[1],
    "kernels of this package": LINES[3],
    "13 bins of equal width": LINES[2],
    "13 bins of equal probability": LINES[4],
    "best window, global": LINES[5],
}
"""The colour of a test, wherever it is drawn; what is published is black, a bound grey."""
_MARKERS, _LINES = "sD^vPX", (":", "--", "-.")

Points = tuple[Sequence[float], Sequence[float], Sequence[float]]


def published(paper: str, figure: str, curve: str | None = None) -> pd.DataFrame:
    """Return the points of a paper's figure; ``error`` is 0 where the paper states none and nothing was read by eye."""
    table = pd.read_csv(FOLDER / "published.csv", dtype={"paper": str, "n_a": str, "n_b": str})
    chosen = table[(table.paper == paper) & (table.figure == figure)]
    if curve is not None:
        chosen = chosen[chosen.curve == curve]
    if chosen.empty:
        raise ValueError(f"papers/published.csv has nothing of {paper}, {figure!r}, {curve!r}")
    return chosen.fillna({"error": 0.0}).reset_index(drop=True)


def pull(own: object, error: object, value: object, published_error: object = 0.0) -> np.ndarray:
    """Return (own - published) / sqrt(errors^2); NaN where there is no error at all."""
    numbers = (np.asarray(one, dtype=float) for one in (own, error, value, published_error))
    ours, ours_error, theirs, theirs_error = numbers
    total = np.hypot(ours_error, theirs_error)
    return np.divide(ours - theirs, total, out=np.full(np.broadcast(ours, total).shape, np.nan), where=total > 0)


def beside(
    points: pd.DataFrame,
    own: Mapping[str, Points],
    *,
    xlabel: str,
    ylabel: str,
    title: str,
    label: str,
    pulls: Sequence[str] | None = None,
    bounds: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    name: str = "published network",
    log_x: bool = False,
    log_y: bool = False,
) -> Figure:
    """Draw what is published and what is measured here at the same x, and the pulls of the latter below.

    Parameters
    ----------
    points
        Of :func:`published`, or a table of the same columns.
    own
        x, value and error of each test; pulls where x is that of a published point.
    xlabel, ylabel, title, label
        As of ``plotting.curves``.
    pulls
        Those that have pulls; all by default.
    bounds
        Lines without errors.
    name
        Of what is published.
    log_x, log_y
        Whether an axis is logarithmic.
    """
    with drawing(8.0, 7.0) as figure:
        main, below = panels(figure, (2.6, 1.0))
        for (text, (x, y)), line in zip((bounds or {}).items(), _LINES, strict=False):
            main.plot(x, y, color=FAINT, linestyle=line, label=text)
        how = ", ".join(points["how"].unique())
        main.errorbar(
            points.x, points.value, points.error, fmt="o", color=INK, markerfacecolor="none", markersize=8,
            zorder=5, label=f"{name} ({how})",
        )  # fmt: skip
        below.axhspan(-2, 2, color=FAINT, alpha=0.12, linewidth=0)
        below.axhline(0.0, color=FAINT, linewidth=1.0)
        for i, (test, (x, y, error)) in enumerate(own.items()):
            style = {"color": COLOURS.get(test, LINES[i % len(LINES)]), "marker": _MARKERS[i % len(_MARKERS)]}
            dense = len(x) > 20
            main.errorbar(x, y, error, **style | ({"marker": ""} if dense else {}), markersize=5, lw=1.3, label=test)
            if pulls is None or test in pulls:
                values = zip(points.x, points.value, points.error, strict=True)
                ours = {float(at): (v, e) for at, v, e in zip(x, y, error, strict=True)}
                shared = [(at, pull(*ours[at], *said)) for at, *said in values if at in ours]
                if shared:
                    below.plot(*zip(*shared, strict=True), **style, linestyle="none", markersize=6)
        main.set_ylabel(ylabel)
        main.legend(fontsize=10, loc="best" if log_y else "upper left")
        main.set_xscale("log" if log_x else "linear")
        main.set_yscale("log" if log_y else "linear")
        low, high = main.get_ylim()
        if log_y:  # an error that reaches 0 has no end on this axis
            low = 0.3 * np.nanmin([points.value.min(), *(np.nanmin(y) for _, y, _ in own.values())])
        main.set_ylim(low, high * 2 if log_y else high + 0.28 * (high - low))
        below.set_ylabel("pull")
        below.set_xlabel(xlabel)
        largest = max((abs(v) for line in below.lines for v in np.ravel(line.get_ydata()) if np.isfinite(v)), default=0)
        below.set_ylim(-max(3.5, 1.15 * largest), max(3.5, 1.15 * largest))
        lined_up([main, below])
        head(main, title, label)
    return figure
