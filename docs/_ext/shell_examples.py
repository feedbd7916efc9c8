"""Examples in a command's help are lines of a shell: shown as such, not as text with emphasis in it."""

from itertools import groupby
from typing import Any


def literal(app: Any, ctx: Any, lines: list[str]) -> None:  # noqa: ARG001 (Sphinx gives all three)
    """Turn line blocks into literal blocks."""
    found: list[str] = []
    for is_block, group in groupby(lines, key=lambda line: line.startswith("| ")):
        part = list(group)
        found += ["::", "", *("   " + line[2:] for line in part), ""] if is_block else part
    lines[:] = found


def setup(app: Any) -> dict[str, Any]:
    """Listen to sphinx-click."""
    app.connect("sphinx-click-process-description", literal)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
