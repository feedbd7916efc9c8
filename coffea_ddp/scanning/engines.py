"""Engines of pseudo-experiments: threads of this process.

An engine is given observables, ready for their pseudo-experiments, and blocks of these; it makes every block of every
observable. What a block holds depends on nothing but its number, so engines differ in speed alone. The other one, the
workers of a Dask cluster, is in :mod:`coffea_ddp.scanning.cluster_engine`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Single = NDArray[np.float32]
    BlockScores = list[tuple[Single, Single]]
    """Scores of one block of pseudo-experiments: of each test the largest of all cells, shape (TOYS,), and those of the
    cells to keep, shape (n_kept, TOYS)."""

Done = Callable[[str, int], None]
"""Called with the name of an observable and the number of its blocks that have just been made."""


class Work(Protocol):
    """One observable, ready for its pseudo-experiments."""

    @property
    def name(self) -> str:
        """As progress names it."""

    def blocks(self, numbers: Sequence[int], /) -> list[BlockScores]:
        """Return the scores of some blocks, by their numbers."""


class Engine(Protocol):
    """Maker of the pseudo-experiments of a scan."""

    def scores(self, works: Iterable[Work], parts: Sequence[Sequence[int]], done: Done) -> Iterator[list[BlockScores]]:
        """Yield the scores of all blocks of every observable, in the order of the observables and of the parts.

        Parameters
        ----------
        works
            The observables, taken one at a time, as there is room for them.
        parts
            Numbers of the blocks that are made together.
        done
            Called as blocks are made, in any order.
        """


@dataclass(frozen=True)
class Threads:
    """Threads of this process: one observable after another.

    Attributes
    ----------
    jobs
        How many; ``None``: one for each core.
    """

    jobs: int | None = None

    def scores(self, works: Iterable[Work], parts: Sequence[Sequence[int]], done: Done) -> Iterator[list[BlockScores]]:
        """Yield the scores of all blocks of every observable; see :meth:`Engine.scores`."""
        with ThreadPoolExecutor(self.jobs or os.cpu_count() or 1) as pool:
            for work in works:
                found = []
                for blocks in pool.map(work.blocks, parts):
                    found += blocks
                    done(work.name, len(blocks))
                yield found
