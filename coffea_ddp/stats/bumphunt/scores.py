"""Scores of bumps in very many spectra, beside polynomials: without shoulders and without the network.

Several times faster than the hunt, and less: a step, an edge or a kink is a bump to it, it searches with one width, and
ends with the strongest candidate. What it finds is for the hunt to judge
(:func:`~coffea_ddp.stats.bumphunt.significance.bump_significance`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats.bumphunt.checks import given_spectra, uneven_bins, unfit_width
from coffea_ddp.stats.bumphunt.domain import WIDTHS, domain
from coffea_ddp.stats.bumphunt.features import smooth_scores
from coffea_ddp.stats.bumphunt.finder import n_widths
from coffea_ddp.stats.trials import p_from_z, sidak_z

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import BoolArray, FloatArray

_PLACES = 2.0
"""Independent places of a signal in one of its widths: p of smooth spectra is then right, or a little too large."""


@dataclass(frozen=True, eq=False)
class BumpScores:
    """The strongest candidate of every spectrum.

    Attributes
    ----------
    z
        Significance of a signal at every bin to first order, the background profiled; shape (..., n_bins). The number
        of terms of the background is that with the best information criterion of background and signal.
    inside
        Where it means something, shape (..., n_bins).
    z_max, position
        The largest z inside, and the centre of its bin, for each spectrum; -inf and NaN where nothing is inside.
    p_local, p_global
        One-sided p of ``z_max``, before and after two places in every width of a signal (a Sidak bound for smooth
        spectra); 1 where nothing is inside.
    method
        How they were made.

    Examples
    --------
    >>> BumpScores(np.zeros(3), np.ones(3, bool), 0.0, 91.2, 0.5, 0.9, "asymptotic").position
    91.2
    """

    z: FloatArray
    inside: BoolArray
    z_max: Any
    position: Any
    p_local: Any
    p_global: Any
    method: str

    def __repr__(self) -> str:
        """Return how many spectra, and the strongest candidate of all."""
        return (
            f"BumpScores({np.size(self.z_max)} spectra of {self.z.shape[-1]} bins, largest z {np.max(self.z_max):.2f})"
        )


def bump_scores(counts: ArrayLike, edges: ArrayLike | None = None, width: ArrayLike | None = None) -> BumpScores:
    """Return where the strongest candidate of every spectrum is, for very many spectra.

    Parameters
    ----------
    counts
        Whole numbers, shape (..., n_bins), 20 bins or more.
    edges
        Increasing, shape (n_bins + 1,); by default bins are the unit.
    width
        Standard deviation of the resonance in units of the edges, a number or one a bin; 5 bins or less, and
        0.7 bins in place of less than that.

    Returns
    -------
    BumpScores
        With the leading shape of ``counts``.

    Raises
    ------
    InputError
        If the counts cannot be used (see :func:`coffea_ddp.stats.bump_significance`), no width is given, or one of
        more than 5 bins.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(80)
    >>> expected = np.full((3, 1), 2e4) * np.exp(-x / 20.0)
    >>> expected[1] += 900.0 * np.exp(-0.5 * ((x - 40) / 2.0) ** 2)
    >>> found = bump_scores(np.random.default_rng(1).poisson(expected), width=2.0)
    >>> (found.p_global < 1e-3).tolist(), bool(abs(found.position[1] - 40.5) < 2)
    ([False, True, False], True)
    """
    spectra = given_spectra(counts, edges, width)
    sigma = spectra.sigma
    if sigma is None:
        raise InputError("width is missing: scores are those of one; give it in the units of the edges")
    if unfit := unfit_width(sigma, spectra.edges):
        raise InputError(f"width: {unfit}")
    if (sigma > WIDTHS[1]).any():
        raise InputError(f"width: up to {sigma.max():.3g} bins; {WIDTHS[1]:g} or less, or join bins")
    sigma = np.maximum(sigma, WIDTHS[0])
    if uneven := uneven_bins(spectra.edges):
        raise InputError(f"edges: UNEVEN_BINS: {uneven}")
    z, smooth = smooth_scores(spectra.counts, sigma)
    inside = domain(smooth, np.ones_like(z), sigma)
    some = np.where(inside, z, -np.inf)
    best, empty = some.argmax(axis=1), ~inside.any(axis=1)
    z_max = some[np.arange(len(z)), best]
    places = np.maximum(np.rint(_PLACES * n_widths(inside, sigma)), 1.0)
    z_global = sidak_z(z_max, places, two_sided=False)
    batch = spectra.shape[:-1]

    def each(values: FloatArray) -> Any:
        return values.reshape(batch) if batch else values.reshape(-1)[0].item()

    return BumpScores(
        z=z.reshape(spectra.shape),
        inside=inside.reshape(spectra.shape),
        z_max=each(z_max),
        position=each(np.where(empty, np.nan, spectra.centres[best])),
        p_local=each(p_from_z(z_max, two_sided=False)),
        p_global=each(p_from_z(z_global, two_sided=False)),
        method="efficient scores beside polynomials, Sidak over two places in every width",
    )
