"""Progress of a scan in steps: observables, then blocks of pseudo-experiments.

Examples
--------
>>> steps = Steps(lambda *told: print(*told), n_observables=1, n_blocks=2)
>>> steps.begin("e/mu: met")
0 3 e/mu: met
>>> steps.block("e/mu: met", 3)
3 3 e/mu: met
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[int, int, str], None]
"""Called with the steps that are done, the steps in all, and the name of the next one."""


@dataclass
class Steps:
    """Progress in steps of one: observables first, then blocks of pseudo-experiments."""

    progress: Progress | None
    n_observables: int
    n_blocks: int
    done: int = 0

    @property
    def total(self) -> int:
        """Number of all steps."""
        return self.n_observables * (1 + self.n_blocks)

    def begin(self, what: str) -> None:
        """Name the next step."""
        if self.progress is not None:
            self.progress(self.done, self.total, what)

    def block(self, what: str, number: int = 1) -> None:
        """Count blocks that are made."""
        self.done += number
        self.begin(what)

    def part(self, what: str, done: int, of: int) -> None:
        """Report a part of the blocks of one test on events."""
        already = self.done
        self.done += self.n_blocks * done // of
        self.begin(what)
        self.done = self.done if done == of else already

    def end(self) -> None:
        """Report that all is done."""
        if self.progress is not None and self.total:
            self.progress(self.total, self.total, "")
