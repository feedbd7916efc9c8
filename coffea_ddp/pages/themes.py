"""Colours of the pages as variables of a style sheet: light, dark where the reader asks for it, light on paper.

Examples
--------
>>> text = stylesheet()
>>> "--a: #0072b2" in text, "@media screen and (prefers-color-scheme: dark)" in text
(True, True)
>>> written_on("#a8440a"), written_on("#fdf1e4")
('#ffffff', '#1b1b1f')
"""

from __future__ import annotations

from collections.abc import Mapping

from coffea_ddp.plotting.palette import DARK, LIGHT

_LEVELS = [f"{side}{number}" for side in "mp" for number in range(7)]


def stylesheet() -> str:
    """Return the variables of both themes, and the classes of the levels of significance."""
    light, dark = _declared(LIGHT), _declared(DARK)
    levels = "\n".join(f".{name} {{ background: var(--{name}); color: var(--on-{name}); }}" for name in _LEVELS)
    return (
        "/* Colours of coffea_ddp.plotting.palette. */\n"
        f":root, .light {{ {light} }}\n:root {{ color-scheme: light dark; }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root:not(.light) {{ {dark} }} }}\n"
        f"@media print {{ :root {{ color-scheme: light; }} }}\n{levels}\n"
    )


def written_on(colour: str) -> str:
    """Return the ink that can be read on a colour: dark or white, whichever has more contrast."""
    light = _luminance(colour)
    dark_contrast = (light + 0.05) / (_luminance(LIGHT["ink"]) + 0.05)
    return LIGHT["ink"] if dark_contrast > 1.05 / (light + 0.05) else "#ffffff"


def _luminance(colour: str) -> float:
    """Return the relative luminance of a colour, as in WCAG 2."""
    values = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in values)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _declared(colours: Mapping[str, str]) -> str:
    inks = {f"on-{name}": written_on(colours[name]) for name in _LEVELS}
    return " ".join(f"--{name}: {colour};" for name, colour in {**colours, **inks}.items())
