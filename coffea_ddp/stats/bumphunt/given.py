"""What the bump hunt is given, checked: counts, edges, and the width of the signal in bins.

Examples
--------
>>> spectra = given_spectra([[4, 2, 1]] * 2, [0, 10, 20, 30], 5.0, least=3)
>>> spectra.counts.shape, spectra.sigma
((2, 3), array([0.5, 0.5, 0.5]))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray

_CURE = (
    "the errors of anything else are not known. Of weighted or scaled spectra give stats.effective_counts(contents, "
    "variances), or divide by the scale"
)

LEAST_BINS = 20
"""Fewer bins have no room for a background beside a signal."""


@dataclass(frozen=True, eq=False)
class Spectra:
    """Checked input.

    Attributes
    ----------
    counts
        Shape (n_spectra, n_bins).
    edges
        Shape (n_bins + 1,).
    sigma
        Standard deviation of the signal in bins, around every bin; ``None`` where it is to be scanned.
    shape
        The shape of the counts as given.
    """

    counts: FloatArray
    edges: FloatArray
    sigma: FloatArray | None
    shape: tuple[int, ...]

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return int(self.counts.shape[1])

    @property
    def centres(self) -> FloatArray:
        """Centres of the bins."""
        return np.asarray(0.5 * (self.edges[1:] + self.edges[:-1]))


def given_spectra(
    counts: ArrayLike,
    edges: ArrayLike | None,
    width: ArrayLike | None,
    *,
    least: int = LEAST_BINS,
    whole: bool = True,
) -> Spectra:
    """Check the input of a bump hunt; ``whole=False`` lets expected (Asimov) counts pass.

    Raises
    ------
    InputError
        If there are fewer than ``least`` bins; counts are not finite, negative, fractional, or all 0; the edges do not
        increase or are not one more than the bins; the width is not positive, or more than
        the spectrum's.
    """
    values = checks.counts(counts, "counts", cure=_CURE) if whole else checks.positive(counts, "counts")
    if values.ndim == 0 or values.shape[-1] < least:
        n_bins = values.shape[-1] if values.ndim else 0
        raise InputError(f"counts: {n_bins} bins; a bump hunt needs at least {least}: use narrower bins")
    n_bins = values.shape[-1]
    flat = values.reshape(-1, n_bins)
    if not len(flat) or (flat.sum(axis=1) == 0).any():
        raise InputError("counts: all bins are 0; nothing was measured")
    places = np.arange(n_bins + 1.0) if edges is None else checks.edges(edges, "edges", n_bins)
    sigma = None
    if width is not None:
        widths = checks.finite(width, "width")
        sigma = widths / np.diff(places) if widths.shape in {(), (n_bins,)} else np.zeros(0)
        if not len(sigma) or not (sigma > 0).all():
            raise InputError(f"width={width!r}: give a positive number in the units of the edges, or one for each bin")
        if (sigma > n_bins).any():
            raise InputError(
                f"width={width!r}: a signal wider than the whole spectrum of {n_bins} bins; give its width"
            )
    return Spectra(np.ascontiguousarray(flat), places, sigma, values.shape)
