"""The signal: a Gaussian around every bin, as one table of windows.

Examples
--------
>>> table = gaussian_templates(5, 0.5)
>>> table.values.shape, [round(float(x), 3) for x in table.row(2)]
((5, 9), [0.0, 0.135, 1.0, 0.135, 0.0])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks
from coffea_ddp.stats.conversion import shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray

REACH = 6.5
"""Templates end this many sigma from their centre, where they are 7e-10 of their height."""


@dataclass(frozen=True, eq=False)
class Templates:
    """One template a bin.

    Attributes
    ----------
    values
        ``values[k, j]`` is the template of bin k in bin ``k - half + j``, 1 at its centre and 0 outside of the
        spectrum; shape (n_bins, 2 half + 1).
    sigma
        Standard deviation around every bin, in bins; shape (n_bins,).
    """

    values: FloatArray
    sigma: FloatArray

    @property
    def half(self) -> int:
        """Bins on either side of the centre."""
        return int(self.values.shape[1] // 2)

    def row(self, k: int) -> FloatArray:
        """Return the template of bin k over the whole spectrum, shape (n_bins,)."""
        n_bins = len(self.values)
        row = np.zeros(n_bins + 2 * self.half)
        row[k : k + self.values.shape[1]] = self.values[k]
        return row[self.half : self.half + n_bins]


def gaussian_templates(n_bins: int, sigma: ArrayLike, *, reach: float = REACH) -> Templates:
    """Return the Gaussian ``exp(-(i - k)^2 / (2 sigma_k^2))`` around every bin k.

    Its scale is of no importance: the significance of a template does not depend on it.

    Parameters
    ----------
    n_bins
        Number of bins.
    sigma
        Standard deviation in bins: a number, or one a bin.
    reach
        Where the template ends, in sigma.

    Raises
    ------
    InputError
        If sigma is not positive and finite, or neither a number nor one a bin.
    """
    widths = checks.finite(sigma, "sigma")
    if widths.shape not in ((), (n_bins,)):
        raise InputError(f"sigma has shape {widths.shape}; give a number of bins, or one for each of {n_bins} bins")
    if not (widths > 0).all():
        raise InputError(f"sigma={shown(sigma)}: give the width of a signal, a positive number of bins")
    widths = np.broadcast_to(widths, (n_bins,)).astype(np.float64)
    half = int(min(np.ceil(reach * widths.max()), n_bins))
    offsets = np.arange(-half, half + 1)
    with np.errstate(over="ignore"):  # widths far below a bin: all of the signal is in one
        values = np.exp(-0.5 * (offsets / widths[:, None]) ** 2)
    place = np.arange(n_bins)[:, None] + offsets
    values[(place < 0) | (place >= n_bins) | (np.abs(offsets) > reach * widths[:, None])] = 0.0
    return Templates(values, widths)
