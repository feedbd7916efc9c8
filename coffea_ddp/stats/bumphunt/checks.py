"""Checked input of the bump hunt: counts, edges, and the width of the signal in bins.

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
from coffea_ddp.stats.conversion import shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import BoolArray, FloatArray

_CURE = (
    "the errors of anything else are not known. Of weighted or scaled spectra give stats.effective_counts(contents, "
    "variances), or divide by the scale"
)

LEAST_BINS = 20
"""Fewer bins have no room for a background beside a signal."""
JUMP = 0.1
"""The logarithm of the ratio of neighbouring widths is no further than this from its median."""
NARROWEST = 1e-6
"""A signal narrower than this part of every bin was given in another unit."""


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


def uneven_bins(edges: FloatArray, used: BoolArray | None = None) -> str:
    """Return where the widths of bins jump, in words; empty where they follow a smooth law.

    A smooth background is one of counts per bin: where widths jump, counts do. Logarithms of the ratios of neighbouring
    widths are compared with their median, so that equal bins, geometric ones, and such with rounded edges pass. Over
    bins that are not used, jumps add up: one wide bin that is left out is no jump.

    Parameters
    ----------
    edges
        Shape (n_bins + 1,).
    used
        Shape (n_bins,); all by default.

    Examples
    --------
    >>> uneven_bins(np.geomspace(100, 900, 40)), uneven_bins(np.arange(40.0))
    ('', '')
    >>> uneven_bins(np.r_[0:20:1, 20:41:2]).split(":")[0]
    'the bins are 1 wide below 20 and 2 above'
    """
    widths = np.diff(edges)
    places = np.arange(len(widths)) if used is None else np.flatnonzero(used)
    if len(places) < 3:
        return ""
    steps = np.diff(np.log(widths[places[0] : places[-1] + 1]))
    excess = steps - np.median(steps)
    jumps = np.where(np.abs(excess) > JUMP, excess, 0.0)
    over = np.add.reduceat(jumps, places[:-1] - places[0])
    if not (np.abs(over) > JUMP).any():
        return ""
    worst = int(np.abs(over).argmax())
    before, after = places[worst], places[worst + 1]
    return (
        f"the bins are {widths[before]:.4g} wide below {edges[before + 1]:.6g} and {widths[after]:.4g} above: counts "
        "jump there without a resonance; merge bins so that neighbours' widths grow smoothly, or leave out one side "
        f"with a mask (--mask {edges[0]:.6g}:{edges[before + 1]:.6g} or {edges[after]:.6g}:{edges[-1]:.6g})"
    )


def unfit_width(sigma: FloatArray | None, edges: FloatArray) -> str:
    """Return why a signal cannot be searched for in bins, in words; empty where it can.

    Parameters
    ----------
    sigma
        Standard deviation of the signal in bins, around every bin, shape (n_bins,); ``None``: none was given.
    edges
        Shape (n_bins + 1,).

    Examples
    --------
    >>> unfit_width(np.full(30, 1.5), np.arange(31.0))
    ''
    """
    if sigma is None:
        return ""
    bins = np.diff(edges)
    widths = sigma * bins
    low, high = f"{widths.min():.4g}", f"{widths.max():.4g}"
    given = f"a signal {low} wide" if low == high else f"a signal {low} to {high} wide"
    cure = "give its standard deviation in the unit of the edges"
    if not (sigma > 0).all():
        return f"{given}: widths are positive numbers; {cure}"
    if (sigma > len(bins)).any():
        return (
            f"{given} is wider than the whole spectrum of {len(bins)} bins from {edges[0]:g} to {edges[-1]:g}; {cure}"
        )
    if sigma.max() < NARROWEST:
        return f"{given} is less than a millionth of every bin ({bins.min():.4g} to {bins.max():.4g} wide); {cure}"
    return ""


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
        increase or are not one more than the bins; the width is not positive, more than the spectrum's, or less than a
        millionth of every bin.
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
            raise InputError(
                f"width={shown(width)}: give a positive number in the units of the edges, or one for each bin"
            )
        unfit = unfit_width(sigma, places)
        if unfit:
            raise InputError(f"width: {unfit}")
    return Spectra(np.ascontiguousarray(flat), places, sigma, values.shape)
