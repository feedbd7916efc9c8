"""Branches as a file holds them: flat content, and how many values each event has.

Whoever reads a file itself gives the pass these instead of an awkward array, so that nothing is built only to be taken
apart again.

Examples
--------
>>> import numpy as np
>>> counts = np.array([2, 0, 1])
>>> events = FlatEvents(3, {"Muon_pt": FlatBranch(np.array([40.0, 20.0, 30.0]), counts)})
>>> len(events), sorted(events.branches)
(3, ['Muon_pt'])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, IntArray
    from coffea_ddp.events.dialects.menu import Menu


@dataclass(frozen=True, eq=False)
class FlatBranch:
    """One branch of some events.

    Attributes
    ----------
    content
        One value an event, shape (n_events,), or those of all events one after the other; of numbers, in the byte order
        of this machine.
    counts
        How many values each event has, shape (n_events,), of int64; ``None`` where it has one. Branches of one
        collection share the array.
    title
        What the file says that the branch holds.
    """

    content: AnyArray
    counts: IntArray | None = None
    title: str = ""


@dataclass(frozen=True, eq=False)
class FlatEvents:
    """The events of a chunk as branches by their names.

    Attributes
    ----------
    n_events
        Number of events.
    branches
        Name -> branch. Those of another format have its names, as :func:`~coffea_ddp.events.dialects.dialect.spelled`.
    menu
        Function that gives the trigger menus of the file, where decisions are bits; ``None``: it has no menu, or they
        are branches.
    """

    n_events: int
    branches: Mapping[str, FlatBranch]
    menu: Callable[[], Menu | None] | None = None

    def __len__(self) -> int:
        """Return the number of events."""
        return self.n_events
