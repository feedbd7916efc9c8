"""Channels: the keys of one observable of one symmetry, or of one mass spectrum, in an output.

Examples
--------
>>> import numpy as np
>>> channel = Channel("events", (), base=10, n_sides=2, symmetry="e/mu")
>>> channel.key(np.array([0, 3]), np.array([1, 0]), np.zeros(2, int)).tolist(), channel.end(4)
([11, 16], 18)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coffea_ddp._typing import IntArray


@dataclass(frozen=True)
class Channel:
    """One observable of one symmetry, or one mass spectrum: a block of keys.

    The key of an event is ``base + (cell * n_sides + side) * extent + bin``; ``bin`` runs over the flow bins too.

    Attributes
    ----------
    name
        Of the observable or the spectrum.
    axes
        ``hist`` axes with flow bins; none for :data:`coffea_ddp.histograms.layout.EVENTS`.
    base
        The first key.
    n_sides
        2 for a symmetry, A and B; 1 for a spectrum.
    symmetry
        Its name; empty for a spectrum.
    """

    name: str
    axes: tuple[Any, ...]
    base: int
    n_sides: int
    symmetry: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of bins of every axis, flow bins included."""
        return tuple(axis.extent for axis in self.axes)

    @property
    def extent(self) -> int:
        """Number of bins of the matrix, flow bins included."""
        return math.prod(self.shape)

    def key(self, cells: IntArray, sides: IntArray | int, bins: IntArray | int) -> IntArray:
        """Return the keys of events in cells, on sides (0 is A, 1 is B) and in bins; all of shape (n_events,)."""
        key: IntArray = cells * self.n_sides
        key += sides
        key *= self.extent
        key += bins
        key += self.base
        return key

    def end(self, n_exclusive: int) -> int:
        """Return one more than the largest key of the first so many exclusive cells."""
        return self.base + n_exclusive * self.n_sides * self.extent
