"""Trigger menus of ATLAS: which bit of an event's decision belongs to which chain.

Examples
--------
>>> menu = Menu({7: chains('{"chains": {"HLT_mu26_ivarmedium": {"counter": "33"}}}')})
>>> menu.fired("HLT_mu26_ivarmedium", np.array([7, 7]), np.array([0, 2, 0, 0]), np.array([2, 2]))
array([ True, False])
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import FileError, some_of

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, BoolArray, IntArray

_BITS = 32
"""In one word of a decision."""


@dataclass(frozen=True, eq=False)
class Menu:
    """Trigger menus of a file.

    Attributes
    ----------
    counters
        Key of a menu -> chain -> number of its bit.
    """

    counters: Mapping[int, Mapping[str, int]]

    @property
    def names(self) -> frozenset[str]:
        """The chains of all menus."""
        return frozenset().union(*self.counters.values())

    def fired(self, chain: str, keys: AnyArray, words: AnyArray, counts: IntArray) -> BoolArray:
        """Return which events a chain accepted, shape (n_events,); none where the menu of an event does not have it.

        Parameters
        ----------
        chain
            ``"HLT_mu26_ivarmedium"``, for example.
        keys
            Of the menu of every event, shape (n_events,).
        words
            Of the decisions of all events, one after the other: 32 chains each, the lowest bit first.
        counts
            How many words each event has, shape (n_events,).

        Raises
        ------
        FileError
            If an event's menu is not in the file.
        """
        found = np.zeros(len(keys), dtype=bool)
        starts = np.cumsum(counts) - counts
        for key in np.unique(keys).tolist():
            if key not in self.counters:
                raise FileError(f"its trigger menu {key} is not among those of the file ({self._told()})")
            number = self.counters[key].get(chain)
            if number is not None:
                mine = np.flatnonzero((keys == key) & (counts > number // _BITS))
                word = words[starts[mine] + number // _BITS].astype(np.int64)
                found[mine] = (word >> (number % _BITS)) & 1
        return found

    def _told(self) -> str:
        return some_of(map(str, self.counters), 5) or "none"


def chains(payload: str) -> dict[str, int]:
    """Return the numbers of the bits of all chains of a menu, which is JSON.

    Raises
    ------
    FileError
        If it is no such menu.
    """
    try:
        found = json.loads(payload)["chains"]
        told: Iterable[tuple[str, object]] = (
            ((name, one["counter"]) for name, one in found.items())
            if isinstance(found, dict)
            else ((one["name"], one["counter"]) for one in found)
        )
        return {str(name): int(str(number)) for name, number in told}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FileError(f"its trigger menu cannot be read ({error!r:.80})") from None
