"""Effective counts of weighted contents: whole numbers of the same relative errors.

Examples
--------
>>> effective(np.array([1.5, 2.0, 0.0]), np.array([0.75, 1.0, 0.0])).tolist()
[3.0, 4.0, 0.0]

Contents per GeV, with errors as they are printed:

>>> counts, widths = np.array([904.0, 411.0]), np.array([10.0, 20.0])
>>> errors = np.array([3.01, 1.01])
>>> effective(counts / widths, errors**2, widths).tolist()
[905.0, 411.0]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray

_SPREAD = 0.01
"""Weights that agree to so much are one."""
_SURE, _FEWEST, _CHANCE, _ALIKE = 4.0, 12, 20.0, 3.0
"""A parabola is drawn through so many bins or more, of so many counts or more. The mean square of what is left, in
units of 1/counts, is 1 or less for weights of one size, whatever their signs, and 16 for a lognormal of width 1. The
sum of the products of neighbours is so many of its own standard deviations or less."""


def are_variances(contents: FloatArray, variances: FloatArray) -> bool:
    """Return whether they can be the variances of these contents: finite, not negative, and 0 for nothing alone."""
    return bool(np.isfinite(variances).all() and (variances >= 0).all() and (contents[variances == 0] == 0).all())


def same(contents: FloatArray, variances: FloatArray) -> bool:
    """Return whether variances are the contents themselves, to single precision: those of counts, or of nothing."""
    return bool(np.allclose(contents, variances, rtol=1e-6, atol=0.0))


def effective(contents: FloatArray, variances: FloatArray, widths: FloatArray | None = None) -> FloatArray:
    """Return ``round(contents^2 / variances)``, 0 where there is no positive content; shape (n_bins,).

    Where the variances are one factor times the contents to a per cent, or with ``widths`` one factor times contents
    over widths, that factor is taken in place of each bin's own. Else, where the bins' factors scatter by chance
    around a parabola, it is taken: with weights of both signs content and variance fluctuate apart, and ``content^2 /
    variance`` would scatter twice as much as counts do.
    """
    positive = (contents > 0) & (variances > 0)
    weights = np.where(positive, variances, 1.0) / np.where(positive, contents, 1.0)
    own = weights
    for scale in (np.ones(len(contents)), *(() if widths is None else (widths,))):
        weights = _common(weights, contents, positive, scale)
    if weights is own:
        weights = _smooth(weights, contents, variances, positive)
    return np.asarray(np.rint(np.where(positive, contents / weights, 0.0)))


def _common(weights: FloatArray, contents: FloatArray, positive: BoolArray, scale: FloatArray) -> FloatArray:
    """Return the mean weight for all bins where they agree after a multiplication by a scale, else the weights."""
    scaled, counts = (weights * scale)[positive], (contents / weights)[positive]
    if not len(scaled) or np.ptp(scaled) > 2.0 * _SPREAD * np.median(scaled):
        return weights
    return np.asarray(np.average(scaled, weights=counts) / scale)


def _smooth(weights: FloatArray, contents: FloatArray, variances: FloatArray, positive: BoolArray) -> FloatArray:
    """Return a parabola through the weights of all bins, where those scatter around it by chance, else the weights."""
    used = positive & (contents / weights >= _SURE)
    if np.count_nonzero(used) < _FEWEST:
        return weights
    powers = np.vander(np.linspace(-1.0, 1.0, len(contents)), 3)
    root = np.sqrt(np.where(variances > 0, variances, 1.0))[:, None]
    # Bins of negative contents count too: leaving them out would bias the mean of the others.
    filled = variances > 0
    curve = np.linalg.lstsq((contents[:, None] * powers / root)[filled], root[filled, 0], rcond=None)[0]
    fitted = powers @ curve
    if not (fitted[positive] > 0).all():
        return weights
    counts, ratio = contents[used] / fitted[used], weights[used] / fitted[used]
    return np.asarray(np.where(positive, fitted, weights)) if _by_chance(np.sqrt(counts) * (ratio - 1.0)) else weights


def _by_chance(left: FloatArray) -> bool:
    """Return whether what is left of a fit is small enough, and of neighbours not alike: those beside a step are."""
    pairs = left[1:] * left[:-1]
    return bool(np.mean(left**2) <= _CHANCE and pairs.sum() <= _ALIKE * np.sqrt((pairs**2).sum()))
