"""Names of places for people: cells in words, particles as symbols, and the definitions behind the words.

Examples
--------
>>> named = Naming.of([{"topology": "VBF", "description": "two jets far apart"}]).cell("VBF & tau=1")
>>> named.words
'a VBF topology and one hadronic τ'
>>> named.title
'VBF & tau=1; VBF: two jets far apart'
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from coffea_ddp.report.cell_words import Meaning, cell_words, legend, symbols

if TYPE_CHECKING:
    from coffea_ddp.report.rows import Row

_AXIS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Named(NamedTuple):
    """A name for people, and what is shown beside it on demand: the name in files, and definitions."""

    words: str
    title: str


@dataclass(frozen=True)
class Naming:
    """The axes of a report's cells, by their names."""

    axes: Mapping[str, Meaning]

    @classmethod
    def of(cls, cells: Any) -> Naming:
        """Return the naming of the axes of cells, as a report describes them."""
        return cls({one.name: one for one in legend(cells)})

    def cell(self, cell: str | None) -> Named:
        """Return a cell in words, and its name in files with the definitions of what it asks for."""
        if cell is None:
            return Named("", "")
        asked = dict.fromkeys(_AXIS.findall(cell))
        told = [f"{name}: {self.axes[name].definition}" for name in asked if self._defines(name)]
        return Named(symbols(cell_words(cell)), "; ".join([cell, *told]))

    def _defines(self, name: str) -> bool:
        return name in self.axes and bool(self.axes[name].definition)

    def list(self) -> list[tuple[str, str, str]]:
        """Return name, words and definition of every axis that somebody defined, for a legend."""
        return [(one.name, symbols(one.words), symbols(one.definition)) for one in self.axes.values() if one.definition]


def place_of(row: Row) -> str:
    """Return the place of a row without its cell, with symbols."""
    return symbols(f"{row.symmetry}: {row.observable}" if row.symmetry else str(row.observable or ""))
