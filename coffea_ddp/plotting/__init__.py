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

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
