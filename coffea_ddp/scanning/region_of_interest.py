"""The region of interest of general searches, as a test of data against simulation.

Examples
--------
>>> RegionOfInterest().name, RegionOfInterest().kind
('roi', 'comparison')
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class RegionOfInterest:
    """All contiguous regions of the observables of one axis, each by its summed counts.

    The p-value of a region has the statistics of the simulation and all variations in it, and the best region of all
    is compared with that of toys, as in MUSiC (arXiv:2010.02984). Of a comparison of data with simulation alone.
    ``"submatrix"`` does the same with the rectangles of two axes, and with these regions where ``"roi"`` is not asked
    for.

    Examples
    --------
    >>> RegionOfInterest()
    RegionOfInterest()
    """

    name: ClassVar[str] = "roi"
    kind: ClassVar[str] = "comparison"
