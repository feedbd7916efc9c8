"""The figure of two sides: A times kappa and B, their ratio, and the pull of every bin."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.pages.pictures.figure import Axis, Column, Figure, Layer, Panel
from coffea_ddp.plotting.given import compared
from coffea_ddp.plotting.ranges import close_in, contents_scale, filled_range, per_bin, ratio_scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coffea_ddp._typing import FloatArray
    from coffea_ddp.pages.pictures.figure import Span


class Texts(NamedTuple):
    """Name, title, label, caption and alternative text of a figure."""

    name: str
    title: str
    label: str
    caption: str
    text: str


class Sides(NamedTuple):
    """Contents of both sides, and what is expected.

    Attributes
    ----------
    a, b
        Shape (n_bins,).
    kappa
        The expected ratio B / A: a number, or one for each bin.
    variances
        Sums of squared weights; ``None``: contents are counts.
    names
        Of A and of B.
    """

    a: FloatArray
    b: FloatArray
    kappa: float | FloatArray
    variances: tuple[FloatArray, FloatArray] | None
    names: tuple[str, str]


def side_labels(names: tuple[str, str]) -> tuple[str, str]:
    """Return the names of the sides with their letters, as in ``"emu (A)"``."""
    a, b = (name if name == side else f"{name} ({side})" for name, side in zip(names, "AB", strict=True))
    return a, b


def compared_figure(sides: Sides, axis: Axis, texts: Texts, spans: Sequence[Span] = ()) -> Figure:
    """Return the figure of two sides over one axis.

    Parameters
    ----------
    sides
        What was counted and is expected.
    axis
        With its bins; the range that is shown holds all filled bins and all regions.
    texts
        Of the figure.
    spans
        What is marked.
    """
    both = compared(sides.a, sides.b, sides.a.shape, sides.kappa, sides.variances)
    scaled = bool((np.asarray(sides.kappa) != 1).any())
    first, second = side_labels(sides.names)
    expected = f"\N{GREEK SMALL LETTER KAPPA} \N{MULTIPLICATION SIGN} {first}, expected for B" if scaled else first
    columns = [Column("a", first, sides.a)] if scaled else []
    columns += [
        Column("expected", expected, both.a),
        Column("expected_low", f"{expected}: 68 % from", both.errors_a.low),
        Column("expected_high", f"{expected}: 68 % to", both.errors_a.high),
        Column("b", second, both.b),
        Column("b_low", f"{second}: 68 % from", both.errors_b.low),
        Column("b_high", f"{second}: 68 % to", both.errors_b.high),
        Column("ratio", "B over its expectation", both.ratio),
        Column("ratio_low", "ratio: 68 % from", both.errors_ratio.low),
        Column("ratio_high", "ratio: 68 % to", both.errors_ratio.high),
        Column("pull", "pull", both.pulls),
    ]
    shown = contents_scale(np.concatenate([both.a, both.b, both.errors_a.high, both.errors_b.high]), room=1.15)
    ratio = ratio_scale(both.ratio, both.errors_ratio)
    reach = 1.15 * close_in(both.pulls, at_least=2.9)
    panels = (
        Panel(
            f"events / {per_bin(axis.edges, axis.named)}", shown.low, shown.high, shown.log,
            (
                Layer("band", "a", low="expected_low", high="expected_high"),
                Layer("steps", "a", "expected", label=expected),
                Layer("points", "b", "b", "b_low", "b_high", label=second),
            ),
            height=3.0,
        ),
        Panel(
            "B / \N{GREEK SMALL LETTER KAPPA}A" if scaled else "B / A", ratio.low, ratio.high, ratio.log,
            (Layer("points", "b", "ratio", "ratio_low", "ratio_high"),), levels=(1.0,),
        ),
        Panel("pull", -reach, reach, layers=(Layer("bars", "b", "pull"),), levels=(0.0,), bands=(2.0, 1.0)),
    )  # fmt: skip
    return Figure(*texts, (with_range(axis, sides.a + sides.b, spans),), tuple(columns), panels, tuple(spans))


def with_range(axis: Axis, contents: FloatArray, spans: Sequence[Span]) -> Axis:
    """Return an axis that is shown over all filled bins, and all regions and positions with some room around them."""
    ends = [(span.low, span.high) for span in spans if span.kind != "mask"]
    keep = (min(low for low, _ in ends), max(high for _, high in ends)) if ends else None
    low, high = filled_range(np.abs(contents), axis.edges, keep)
    return Axis(axis.name, axis.label, axis.unit, axis.edges, low, high, axis.log)
