"""Figures from arrays: A and B, matrices, spectra, null distributions, what was learned.

Every function takes arrays and returns a :class:`matplotlib.figure.Figure` that no pyplot knows: save it, or let it be
the last line of a notebook's cell. The style is mplhep's in a calmer size; the caller's own settings stay.

Examples
--------
>>> from coffea_ddp import plotting
>>> figure = plotting.overlay([40, 20, 9], [44, 35, 8], [0, 50, 100, 150], xlabel="m(ll) [GeV]", sides=("ee", "mumu"))
>>> len(figure.axes)
3
"""

from __future__ import annotations

from coffea_ddp.plotting.comparing import overlay
from coffea_ddp.plotting.events import learned, log_ratio
from coffea_ddp.plotting.matrices import matrices, table
from coffea_ddp.plotting.nulls import null, z_distribution
from coffea_ddp.plotting.powers import curves
from coffea_ddp.plotting.spectra import spectrum

__all__ = [
    "curves",
    "learned",
    "log_ratio",
    "matrices",
    "null",
    "overlay",
    "spectrum",
    "table",
    "z_distribution",
]
