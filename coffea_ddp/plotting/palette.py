"""Colours of all figures and pages, in one place: each has one meaning everywhere.

A is blue and B is orange in every figure and table, and nothing else has these colours. What is observed without sides
(a spectrum, trials) is dark, an expectation or background is green, and a region, a bump or the statistic of the data
is purple. The hues are those of Okabe and Ito, which readers with a colour vision deficiency tell apart; A and B differ
by more than hue wherever both are points (marker) or lines (a filled step beside points with errors).

Examples
--------
>>> LIGHT["a"], DARK["a"]
('#0072b2', '#56b4e9')
>>> sorted(LIGHT) == sorted(DARK)
True
"""

from __future__ import annotations

from collections.abc import Mapping

_LEVELS_A = ("#eef5fb", "#d2e4f5", "#aed0ee", "#86b8e3", "#5f9fd6", "#1d5c9e")
_LEVELS_B = ("#fdf1e4", "#fbdfbf", "#f7c28c", "#f0a25e", "#e98638", "#a8440a")
_DARK_A = ("#16232f", "#183149", "#1b456b", "#1f5d92", "#2a7abd", "#7cc0f2")
_DARK_B = ("#2d2118", "#46301c", "#643f1c", "#88511b", "#c97626", "#ffb066")
_GREYS = ("#e9eaed", "#d6d8dc", "#bfc2c8", "#a4a8b0", "#868b94", "#696e77", "#4d5159", "#33363b", "#1a1c1f")
_DARK_GREYS = ("#23272d", "#333840", "#464c55", "#5c636d", "#757c87", "#9097a1", "#adb3bb", "#cbd0d6", "#eef0f3")


def _leveled(a: tuple[str, ...], b: tuple[str, ...], middle: str, greys: tuple[str, ...]) -> dict[str, str]:
    levels = {f"m{number}": colour for number, colour in enumerate(a, 1)}
    levels |= {f"p{number}": colour for number, colour in enumerate(b, 1)}
    return levels | {"m0": middle, "p0": middle} | {f"s{number}": colour for number, colour in enumerate(greys)}


LIGHT: Mapping[str, str] = {
    "a": "#0072b2",
    "b": "#d55e00",
    "data": "#33363b",
    "model": "#1f6b3c",
    "mark": "#7b2082",
    "ink": "#1b1b1f",
    "faint": "#5f6168",
    "grid": "#e3e5e8",
    "paper": "#ffffff",
    "tint": "#f5f6f8",
    "accent": "#0b5394",
    "focus": "#b36b00",
    "note": "#fff6dd",
    "note-line": "#b98900",
    "alert": "#7a1f1f",
    **_leveled(_LEVELS_A, _LEVELS_B, "#f6f6f6", _GREYS),
}
"""Colours on white by their meaning.

``a``, ``b``: the sides; ``data``: observed, without sides; ``model``: an expectation; ``mark``: a region, a bump, the
statistic of the data; ``ink``, ``faint``, ``grid``, ``paper``: texts, lines, ground. ``m1`` to ``m6``: A in excess by
one to six sigma, ``p1`` to ``p6``: B; ``m0`` and ``p0``: neither. ``s0`` to ``s8``: contents, from few to many. The
others are of the pages: the ground of tables, links, focus, notes and alerts.
"""

DARK: Mapping[str, str] = {
    "a": "#56b4e9",
    "b": "#f59a4a",
    "data": "#ced2d8",
    "model": "#68862d",
    "mark": "#bd43d0",
    "ink": "#e6e8eb",
    "faint": "#a4a9b1",
    "grid": "#343a42",
    "paper": "#15181c",
    "tint": "#1f242a",
    "accent": "#8ab8f0",
    "focus": "#f0a30a",
    "note": "#332b14",
    "note-line": "#c99a1a",
    "alert": "#7a1f1f",
    **_leveled(_DARK_A, _DARK_B, "#1d2126", _DARK_GREYS),
}
"""The same on a dark ground."""

A_COLOUR, B_COLOUR = LIGHT["a"], LIGHT["b"]
DATA, MODEL, MARK = LIGHT["data"], LIGHT["model"], LIGHT["mark"]
INK, FAINT = LIGHT["ink"], LIGHT["faint"]
LINES = ("#117733", "#882255", "#999933", "#332288", "#44aa99", "#6b6b73")
"""Colours of curves that are of no side (the muted ones of P. Tol)."""


def diverging(colours: Mapping[str, str] = LIGHT) -> list[str]:
    """Return the colours from A in excess by six sigma, over neither, to B in excess.

    Examples
    --------
    >>> len(diverging()), diverging()[6] == LIGHT["p0"]
    (13, True)
    """
    return [*(colours[f"m{n}"] for n in range(6, 0, -1)), colours["p0"], *(colours[f"p{n}"] for n in range(1, 7))]


def sequential(colours: Mapping[str, str] = LIGHT) -> list[str]:
    """Return the colours of contents, from few to many."""
    return [colours[f"s{n}"] for n in range(len(_GREYS))]
