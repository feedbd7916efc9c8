"""The picture of the layers in ARCHITECTURE.md, drawn from the contracts that import-linter checks.

``python docs/layers.py`` writes ``docs/_static/layers.svg``; a test compares the file with the contracts.
"""

from __future__ import annotations

import ast
import re
import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "_static" / "layers.svg"
WIDTH, ROW, GAP, LEGEND = 960, 46, 8, 26
GROUND = "#f1f3f5"
COLOURS = {"light-pass": "#d0ebff", "no-events": "#ffe8cc", "arrays": "#d3f9d8"}
"""Contracts that forbid imports, with the colour of the rooms that they bind; the first one colours a room."""
STYLE = """
text { font: 10px sans-serif; text-anchor: middle; fill: #343a40 }
text.name { font: bold 13px monospace; fill: #000 }
text.told { font: 12px sans-serif; text-anchor: start }
rect { stroke: #868e96 }
"""


def contracts() -> dict[str, dict[str, list[str]]]:
    """Return the contracts of ``[tool.importlinter]`` by their names."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    return {contract["id"]: contract for contract in tomllib.loads(text)["tool"]["importlinter"]["contracts"]}


def caption(room: str) -> str:
    """Return what a room is: the beginning of its docstring."""
    folder = ROOT / "coffea_ddp" / room
    path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    told = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return re.split(r"[:.,;?]", told.replace("``", ""))[0]


def rows() -> list[list[str]]:
    """Return the rooms, layer by layer from the top."""
    return [[room.strip() for room in layer.split("|")] for layer in contracts()["layers"]["layers"]]


def colour(room: str) -> str:
    """Return the colour of a room."""
    bound = contracts()
    binding = (name for name in COLOURS if f"coffea_ddp.{room}" in bound[name]["source_modules"])
    return COLOURS.get(next(binding, ""), GROUND)


def box(room: str, left: float, top: int, width: float) -> str:
    """Return a room as a box with its name and, where there is place, what it is."""
    middle, told = left + width / 2, caption(room)
    lines = [f'<text class="name" x="{middle:.0f}" y="{top + 19}">{escape(room)}</text>']
    if len(told) * 5.6 < width - 10:
        lines.append(f'<text x="{middle:.0f}" y="{top + 36}">{escape(told)}</text>')
    frame = f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{ROW}" rx="4" fill="{colour(room)}"/>'
    return "\n".join([f"<g><title>{escape(room)}: {escape(told)}</title>", frame, *lines, "</g>"])


def legend(top: int) -> list[str]:
    """Return the contracts that the colours stand for, a line each."""
    lines = []
    for number, (name, fill) in enumerate(COLOURS.items()):
        y = top + number * LEGEND
        lines.append(f'<rect x="{GAP}" y="{y}" width="18" height="18" rx="3" fill="{fill}"/>')
        lines.append(f'<text class="told" x="{GAP + 26}" y="{y + 13}">{escape(contracts()[name]["name"])}</text>')
    return lines


def drawn() -> str:
    """Return the picture as SVG."""
    layers = rows()
    bottom = GAP + len(layers) * (ROW + GAP)
    height = bottom + len(COLOURS) * LEGEND + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>The layers of coffea_ddp; imports run downward only</title>",
        f"<style>{STYLE}</style>",
        f'<rect x="0" y="0" width="{WIDTH}" height="{height}" fill="#fff" style="stroke:none"/>',
    ]
    for number, rooms in enumerate(layers):
        width = (WIDTH - GAP) / len(rooms) - GAP
        top = GAP + number * (ROW + GAP)
        parts += [box(room, GAP + place * (width + GAP), top, width) for place, room in enumerate(rooms)]
    return "\n".join([*parts, *legend(bottom), "</svg>"]) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(drawn(), "utf-8")
