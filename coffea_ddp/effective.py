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


def are_variances(contents: FloatArray, variances: FloatArray) -> bool:
    """Return whether they can be the variances of these contents: finite, not negative, and 0 for nothing alone."""
    return bool(np.isfinite(variances).all() and (variances >= 0).all() and (contents[variances == 0] == 0).all())


def same(contents: FloatArray, variances: FloatArray) -> bool:
    """Return whether variances are the contents themselves, to single precision: those of counts, or of nothing."""
    return bool(np.allclose(contents, variances, rtol=1e-6, atol=0.0))


def effective(contents: FloatArray, variances: FloatArray, widths: FloatArray | None = None) -> FloatArray:
    """Return ``round(contents^2 / variances)``, 0 where there is no positive content; shape (n_bins,).

    Where the variances are one factor times the contents to a per cent, or with ``widths`` one factor times contents
    over widths, that factor is taken in place of each bin's own.
    """
    positive = (contents > 0) & (variances > 0)
    weights = np.where(positive, variances, 1.0) / np.where(positive, contents, 1.0)
    for scale in (np.ones(len(contents)), *(() if widths is None else (widths,))):
        weights = _common(weights, contents, positive, scale)
    return np.asarray(np.rint(np.where(positive, contents / weights, 0.0)))


def _common(weights: FloatArray, contents: FloatArray, positive: BoolArray, scale: FloatArray) -> FloatArray:
    """Return the mean weight for all bins where they agree after a multiplication by a scale, else the weights."""
    scaled, counts = (weights * scale)[positive], (contents / weights)[positive]
    if not len(scaled) or np.ptp(scaled) > 2.0 * _SPREAD * np.median(scaled):
        return weights
    return np.asarray(np.average(scaled, weights=counts) / scale)
