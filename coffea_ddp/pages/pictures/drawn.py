"""A figure with all that a page needs beside it.

Examples
--------
>>> from matplotlib.figure import Figure
>>> Picture("overlay", Figure(), "A and B", "A bar chart").name
'overlay'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coffea_ddp.stats.defaults import TOYS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure with its caption, and its text for those who cannot see it.

    Attributes
    ----------
    name
        For the file: letters, digits and hyphens.
    figure
        The figure.
    caption
        Its subject, and how it was made.
    text
        A description: the alternative text.
    """

    name: str
    figure: Figure
    caption: str
    text: str


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

    pictures: tuple[Picture, ...]
    note: str = ""


def axis_label(axis: Any) -> str:
    """Return the label of a ``hist`` axis, or its name."""
    return str(axis.label or axis.name)
