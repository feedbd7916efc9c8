"""The figures of a row, and how fits that belong to them are made again.

Examples
--------
>>> Drawn((), "the spectrum is empty").note
'the spectrum is empty'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.histograms.axes import quantity
from coffea_ddp.pages.pictures.figure import Axis
from coffea_ddp.pages.pictures.mathematics import as_text
from coffea_ddp.plotting.ranges import log_axis
from coffea_ddp.report.cell_words import cell_words, symbols
from coffea_ddp.stats.defaults import TOYS

if TYPE_CHECKING:
    from coffea_ddp.pages.pictures.figure import Figure
    from coffea_ddp.scanning.simulation import Simulation


@dataclass(frozen=True)
class Permuting:
    """The seed and the number of permutations of a scan, for fits that are made again.

    Attributes
    ----------
    seed
        Of the scan.
    toys
        Permutations of the labels; of very many events fewer are made, and captions say how many.
    simulation
        What the scan was told of the normalisation of simulation.
    """

    seed: int = 0
    toys: int = TOYS
    simulation: Simulation | None = None


@dataclass(frozen=True, eq=False)
class Drawn:
    """The pictures of a row.

    Attributes
    ----------
    pictures
        None, where nothing could be drawn.
    note
        Why not; empty where all is well.
    """

    pictures: tuple[Figure, ...]
    note: str = ""


def title_of(place: str, cell: object) -> str:
    """Return the title of a figure, in words and symbols.

    Examples
    --------
    >>> title_of("emu/mue OS", "tau=1 & b=0")
    'eμ/μe OS: one hadronic τ and no b jet'
    """
    return symbols(f"{place}: {cell_words(str(cell))}")


def names_of(sides: tuple[str, str]) -> tuple[str, str]:
    """Return the names of two sides, with the symbols of particles."""
    return symbols(sides[0]), symbols(sides[1])


def axis_of(axis: Any) -> Axis:
    """Return a ``hist`` axis as that of a figure; bins that follow a resolution are on a logarithmic one.

    A bin without an end is shown as wide as the one beside it.
    """
    shown, edges = quantity(axis), np.array(axis.edges, dtype=np.float64)
    inside = edges[np.isfinite(edges)]
    if len(inside) < len(edges):
        first, last = (inside[0] - np.diff(inside[:2]), inside[-1] + np.diff(inside[-2:])) if len(inside) > 1 else (
            inside[:1] - 1.0, inside[:1] + 1.0)  # fmt: skip
        edges = np.concatenate([first[np.isinf(edges[:1])], inside, last[np.isinf(edges[-1:])]])
    return Axis(shown.name, symbols(as_text(shown.label)), as_text(shown.unit), edges, log=log_axis(edges))
