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
from coffea_ddp.stats.defaults import TOYS

if TYPE_CHECKING:
    from coffea_ddp.pages.pictures.figure import Figure


@dataclass(frozen=True)
class Permuting:
    """The seed and the number of permutations of a scan, for fits that are made again.

    Attributes
    ----------
    seed
        Of the scan.
    toys
        Permutations of the labels; of very many events fewer are made, and captions say how many.
    """

    seed: int = 0
    toys: int = TOYS


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


def axis_of(axis: Any) -> Axis:
    """Return a ``hist`` axis as that of a figure; bins that follow a resolution are on a logarithmic one."""
    shown, edges = quantity(axis), np.asarray(axis.edges, dtype=np.float64)
    return Axis(shown.name, as_text(shown.label), as_text(shown.unit), edges, log=log_axis(edges))
