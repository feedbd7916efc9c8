"""Background-only toys of a spectrum, drawn from a smooth estimate of itself.

The estimate is the background that the network's features have, the candidate taken out, or the bumps where there are
any. To choose between widths of a candidate beyond doubt, a polynomial fitted outside of its surroundings serves: the
tails of a real resonance are those of no Gaussian, and must not become part of the background.

Examples
--------
>>> import numpy as np
>>> x = np.arange(60)
>>> expected = 1e3 * np.exp(-x / 20.0)
>>> peak = 3e3 / (1.0 + ((x - 30.0) / 1.5) ** 2)
>>> smooth = without_peak(np.round(expected + peak), np.ones(60), 30, 10.0)
>>> bool(abs(smooth[30] / expected[30] - 1.0) < 0.3)
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats.bumphunt.fits.loglinear import Polynomials, exponential, fit, legendre, start

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray

DOUBTLESS = 6.0
"""A candidate of this z is not mistaken for background, whatever its shape."""
_ORDERS = (1, 2, 3, 4, 5, 6)


class OutsideFit(NamedTuple):
    """A background that was fitted outside of a window.

    Attributes
    ----------
    background
        Expected counts in all bins; shape (n_bins,).
    basis
        The polynomials of its logarithm; shape (terms, n_bins), none where nothing could be fitted.
    fitted
        1 for every bin that was; shape (n_bins,).
    """

    background: FloatArray
    basis: FloatArray
    fitted: FloatArray


def without_peak(counts: FloatArray, use: FloatArray, place: int, reach: float) -> FloatArray:
    """Return the background of :func:`outside_window`; shape (n_bins,)."""
    return outside_window(counts, use, place, reach).background


def outside_window(counts: FloatArray, use: FloatArray, place: int, reach: float) -> OutsideFit:
    """Return a polynomial background fitted outside of a window, its order by the Bayesian information criterion.

    Parameters
    ----------
    counts, use
        Shape (n_bins,); ``use`` is 0 in masked bins.
    place, reach
        The window: bins within ``reach`` of the bin ``place``. Where that leaves nothing, ``use`` alone decides.
    """
    n_bins = len(counts)
    outside = use * (np.abs(np.arange(n_bins) - place) > reach)
    if outside.sum() < 2 * _ORDERS[-1]:
        outside = use
    best, smallest = OutsideFit(np.full(n_bins, counts.mean()), np.zeros((0, n_bins)), outside), np.inf
    for order in _ORDERS:
        polynomials = Polynomials(legendre(n_bins, order)[None], np.full(order, 1e-3), np.array([order]))
        beta = start(counts[None], outside[None], polynomials)
        fit(counts[None], outside[None], polynomials, beta, 1e-6, 50)
        (log_b,), (b,) = exponential(beta, polynomials.basis)
        criterion = -2.0 * float((outside * (counts * log_b - b)).sum()) + order * np.log(outside.sum())
        if criterion < smallest:
            best, smallest = OutsideFit(b, polynomials.basis[0], outside), criterion
    return best


def draw_toys(smooth: FloatArray, toys: int, seed: int, number: int) -> FloatArray:
    """Return Poisson toys of one spectrum, shape (toys, n_bins); they depend on (seed, its number) alone."""
    return np.random.default_rng([seed, number]).poisson(smooth, (toys, len(smooth))).astype(np.float64)
