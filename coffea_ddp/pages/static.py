"""A small figure as SVG, made without a script: the first panel of a figure over one axis, in the colours of the page.

Examples
--------
>>> import numpy as np
>>> from coffea_ddp.pages.pictures.figure import Axis, Column, Layer, Panel
>>> from coffea_ddp.pages.pictures.figure import Figure as F
>>> axis, panel = (
...     Axis("m", "m", "GeV", np.arange(3.0)),
...     Panel("events", 0.0, 9.0, layers=(Layer("steps", "data", "n"),)),
... )
>>> svg = static_svg(F("m", "<2mu>", "", "", "12 entries.", (axis,), (Column("n", "n", [7, 5]),), (panel,)))
>>> svg.startswith("<svg"), "&lt;2mu&gt;" in svg, "<2mu>" in svg
(True, True, False)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from coffea_ddp.pages.pictures.figure import Panel

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.pages.pictures.figure import Axis, Figure, Layer

WIDTH, HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 14, 46, 44


@dataclass(frozen=True)
class _Ruler:
    """Positions on the picture of the values of an axis."""

    low: float
    high: float
    log: bool
    start: float
    stop: float

    def at(self, values: FloatArray | float) -> FloatArray:
        """Return positions; values beyond the ends are at the ends, NaN stays."""
        clipped = np.clip(values, self.low, self.high)
        ends = np.array([self.low, self.high])
        if self.log:
            clipped, ends = np.log(clipped), np.log(ends)
        return np.asarray(self.start + (clipped - ends[0]) / (ends[1] - ends[0]) * (self.stop - self.start))

    def ticks(self) -> list[float]:
        """Return some four to eight round numbers."""
        if self.log and self.high > 10 * self.low:
            first, last = np.ceil(np.log10(self.low)), np.floor(np.log10(self.high))
            every = max(1, int((last - first) // 6))
            return [10.0**power for power in range(int(first), int(last) + 1, every)]
        step = (self.high - self.low) / 6
        size = 10.0 ** np.floor(np.log10(step))
        step = size * next(factor for factor in (1, 2, 5, 10) if factor * size >= step)
        first, last = np.ceil(self.low / step - 1e-9), np.floor(self.high / step + 1e-9)
        return [float(f"{step * number:.12g}") for number in range(int(first), int(last) + 1)]


def static_svg(figure: Figure, *, width: int = WIDTH, height: int = HEIGHT) -> Markup:
    """Return the first panel of a figure over one axis as SVG, colours by the page's variables.

    Parameters
    ----------
    figure
        Over one axis.
    width, height
        In pixels; the page scales it.
    """
    axis, panel = figure.axes[0], figure.panels[0]
    assert isinstance(panel, Panel)
    low = axis.edges[0] if axis.low is None else axis.low
    high = axis.edges[-1] if axis.high is None else axis.high
    x = _Ruler(float(low), float(high), axis.log, _LEFT, width - _RIGHT)
    y = _Ruler(panel.low, panel.high, panel.log, height - _BOTTOM, _TOP)
    parts = [
        *(_span(x, y, span.low, span.high, span.kind) for span in figure.spans),
        *(_layer(figure, layer, x, y) for layer in panel.layers),
        _frame(axis, panel, x, y),
        _head(figure, panel.layers, width),
    ]
    inner = Markup("").join(parts)
    return Markup(
        '<svg class="static" viewBox="0 0 {0} {1}" role="img" aria-label="{2}" xmlns="http://www.w3.org/2000/svg">{3}</svg>'
    ).format(width, height, figure.text, inner)


def _layer(figure: Figure, layer: Layer, x: _Ruler, y: _Ruler) -> Markup:
    edges = figure.axes[0].edges
    seen = (edges[1:] > x.low) & (edges[:-1] < x.high)
    left, right = x.at(edges[:-1]), x.at(edges[1:])
    colour = f"var(--{layer.colour})"

    def heights(name: str) -> FloatArray:
        values = figure.column(name)
        # What is not above 0 is below a logarithmic panel.
        return y.at(np.where(np.isnan(values), np.nan, np.maximum(values, y.low)))

    if layer.mark == "points":
        at, middle = heights(layer.y), (left + right) / 2
        low, high = (heights(name) if name else at for name in (layer.low, layer.high))
        there = np.flatnonzero(seen & np.isfinite(at))
        bars = "".join(f"M{middle[i]:.1f} {low[i]:.1f}V{high[i]:.1f}" for i in there)
        dots = "".join(f'<circle cx="{middle[i]:.1f}" cy="{at[i]:.1f}" r="2.6"/>' for i in there)
        return Markup(f'<path d="{bars}" stroke="{colour}"/><g fill="{colour}">{dots}</g>')
    if layer.mark == "band":
        low, high = heights(layer.low), heights(layer.high)
        there = np.flatnonzero(seen & np.isfinite(low) & np.isfinite(high))
        boxes = "".join(f"M{left[i]:.1f} {low[i]:.1f}V{high[i]:.1f}H{right[i]:.1f}V{low[i]:.1f}Z" for i in there)
        return Markup(f'<path d="{boxes}" fill="{colour}" fill-opacity=".22"/>')
    at = heights(layer.y)
    drawn = seen & np.isfinite(at)
    joined = np.concatenate([[False], drawn[:-1]])
    steps = "".join(
        f"{'L' if joined[i] else 'M'}{left[i]:.1f} {at[i]:.1f}H{right[i]:.1f}" for i in np.flatnonzero(drawn)
    )
    return Markup(f'<path d="{steps}" fill="none" stroke="{colour}" stroke-width="1.6"/>')


def _span(x: _Ruler, y: _Ruler, low: float, high: float, kind: str) -> Markup:
    left, right = (float(x.at(end)) for end in (low, high))
    colour = "faint" if kind == "mask" else "mark"
    if kind == "line":
        return Markup(f'<path d="M{left:.1f} {y.start}V{y.stop}" stroke="var(--mark)" stroke-dasharray="5 4"/>')
    return Markup(
        f'<rect x="{left:.1f}" y="{y.stop}" width="{right - left:.1f}" height="{y.start - y.stop}" '
        f'fill="var(--{colour})" fill-opacity=".13"/>'
    )


def _frame(axis: Axis, panel: Panel, x: _Ruler, y: _Ruler) -> Markup:
    """Return the box with ticks and labels."""
    below, box = y.start + 18, f"M{x.start} {y.stop}V{y.start}H{x.stop}"
    ticks = "".join(f"M{float(x.at(one)):.1f} {y.start}v5" for one in x.ticks())
    ticks += "".join(f"M{x.start} {float(y.at(one)):.1f}h-5" for one in y.ticks())
    texts = [
        *(_text(_short(one), f"{float(x.at(one)):.1f}", below, "middle") for one in x.ticks()),
        *(_text(_short(one), x.start - 8, f"{float(y.at(one)) + 4:.1f}", "end") for one in y.ticks()),
        _text(axis.named, x.stop, y.start + 36, "end"),
        _text(panel.label, -y.stop, 13, "end", turned=True),
    ]
    lines = Markup(f'<path d="{box}{ticks}" fill="none" stroke="currentColor"/>')
    return Markup('{}<g fill="currentColor" font-size="12">{}</g>').format(lines, Markup("").join(texts))


def _text(words: str, x: float | str, y: float | str, anchor: str, *, turned: bool = False) -> Markup:
    """Return escaped words at a place."""
    turn = Markup(' transform="rotate(-90)"') if turned else Markup("")
    return Markup('<text x="{}" y="{}" text-anchor="{}"{}>{}</text>').format(x, y, anchor, turn, words)


def _head(figure: Figure, layers: tuple[Layer, ...], width: int) -> Markup:
    """Return title and label, and below them the legend."""
    parts = [Markup('<g font-weight="600">{}</g>').format(_text(figure.title, 0, 14, "start"))]
    if len(figure.title) + len(figure.label) < 80:
        parts.append(_text(figure.label, width, 14, "end"))
    at = _LEFT
    for layer in layers:
        if layer.label:
            box = Markup('<rect x="{}" y="26" width="14" height="8" fill="var(--{})"/>').format(at, layer.colour)
            parts += [box, _text(layer.label, at + 19, 34, "start")]
            at += 40 + 7 * len(layer.label)
    return Markup('<g fill="currentColor" font-size="13">{}</g>').format(Markup("").join(parts))


def _short(value: float) -> str:
    """Return a number as at a tick, with a true minus."""
    shown = f"{value / 1000:g}k" if 10_000 <= abs(value) < 1_000_000 else f"{value:g}"
    return shown.replace("-", "\N{MINUS SIGN}")
