"""Figures of a benchmark: one line each, with what is wanted beside it, and whether it is reached."""

from __future__ import annotations

import re

LINE = re.compile(r"(?P<what>.+): (?P<value>\S+ ?.*?) \[(?P<said>reached|missed): (?P<wanted>.+)\]")
"""A line of a figure of which something is wanted."""


class Figures:
    """What a benchmark has found so far: how many figures of which something is wanted, and which are missed."""

    def __init__(self) -> None:
        self.wanted, self.missed = 0, list[str]()

    def add(
        self, what: str, value: float, unit: str = "", *, least: float | None = None, most: float | None = None
    ) -> None:
        """Print a figure; with the least or the most that is wanted, whether it is reached."""
        number = f"{value:,.0f}" if 1e3 <= abs(value) < 1e7 else f"{value:.3g}"
        line = f"{what}: {number}{unit and f' {unit}'}"
        if least is not None or most is not None:
            reached = (least is None or value >= least) and (most is None or value <= most)
            limits = [f"at {name} {limit:g}" for name, limit in (("least", least), ("most", most)) if limit is not None]
            line += f" [{'reached' if reached else 'missed'}: {', '.join(limits)}]"
            self.wanted += 1
            self.missed += [] if reached else [what]
        print(line, flush=True)

    def end(self) -> int:
        """Print how many are reached; return 0 where all are, 1 where one is missed."""
        print(
            f"reached {self.wanted - len(self.missed)} of {self.wanted}", *self.missed, sep="\n  missed: ", flush=True
        )
        return 1 if self.missed else 0
