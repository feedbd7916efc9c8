"""Most likely width of a candidate, where none was given.

The evidence decides whether there is a candidate, but prefers narrow widths, at which a smooth background is no
alternative. The width is the one of the largest likelihood: that of a Gaussian of each width on top of a smooth
background fitted outside of the candidate's surroundings.

Examples
--------
>>> import numpy as np
>>> x = np.arange(100)
>>> expected = 2e4 * np.exp(-x / 30.0)
>>> signal = 3e3 * np.exp(-0.5 * ((x - 40) / 3.0) ** 2)
>>> likeliest_width(np.round(expected + signal), np.ones(100), 40, 1.5)
3.0
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.stats.bumphunt.fits.ideal import ideal_significance
from coffea_ddp.stats.bumphunt.toys import without_peak

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray

SCANNED = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0)
"""Widths in bins that are tried where none is given."""
_NEAR = 3.0
"""Number of sigma that are left out of the background; the centre moves within one of them."""
_TIMES = 4


def likeliest_width(counts: FloatArray, use: FloatArray, place: int, width: float) -> float:
    """Return the width, of those scanned, at which a candidate's likelihood is largest.

    Parameters
    ----------
    counts, use
        Shape (n_bins,); ``use`` is 0 in masked bins.
    place, width
        The candidate's bin, and the width in bins to begin with.
    """
    for _ in range(_TIMES):
        background = without_peak(counts, use, place, _NEAR * width)
        around = slice(max(place - max(round(width), 1), 0), place + max(round(width), 1) + 1)
        seen = np.where(use > 0, counts, background)
        z = np.array([ideal_significance(seen, background, sigma)[around] for sigma in SCANNED])
        likeliest = SCANNED[int(z.max(axis=1).argmax())]
        if likeliest == width:
            break
        width = likeliest
    return width
