"""Scores of regions of events whose expected shares were fitted to data, some of them perhaps their own.

The residual of a region phi, ``phi^T (y - e)``, has the variance ``phi^T W phi`` where shares e are known, with
``W = e (1 - e)``. Where they come from a fit to control events, with rows H of terms and the covariance
``C = (H_c^T W_c H_c + P)^-1``, the fit moves e by ``W H C H_c^T (y_c - e_c)`` to first order. So with ``C = L L^T``,
``a = L^T H^T W phi`` of the region's events and ``a_c`` of those of them that are control events the variance is

``phi^T W phi + |a - a_c|^2 - |a_c|^2``:

smaller than that of known shares where the region's own events were fitted (what they say of the terms is used up, the
projected score of a nested model), larger where others were. Within one prior width of the coefficients this needs no
refit; pseudo-experiments take the same first order.

Source: projected (efficient) scores, J. Neyman, C(alpha) tests, 1959; D. R. Cox, D. V. Hinkley, Theoretical
Statistics (1974), 9.3.

Examples
--------
>>> projected_variance(np.array([10.0, 10.0]), np.array([[1.0], [1.0]]), np.array([[1.0], [0.0]])).tolist()
[9.0, 11.0]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray

LEAST_VARIANCE = 0.05
"""Share of the variance that is always left of a region: a fit that takes more is not known well enough."""

LEAST_INFORMATION = 1e-3
"""Share of a direction's information that is left at least where events are left out of a fit."""


def projected_variance(variance: ArrayLike, pull: ArrayLike, pull_control: ArrayLike) -> FloatArray:
    """Return the variance of the residuals of regions.

    Parameters
    ----------
    variance
        That of known shares, ``phi^T W phi``; shape (...).
    pull, pull_control
        ``L^T H^T W phi`` of all events of a region, and of those that were fitted; shape (..., n_directions).

    Returns
    -------
    ndarray, shape (...)
        At least 0.05 of ``variance``.
    """
    known, both, fitted = (np.asarray(x, dtype=np.float64) for x in (variance, pull, pull_control))
    if both.shape != fitted.shape or both.shape[:-1] != known.shape:
        raise InputError(
            f"variances of shape {known.shape}, pulls of {both.shape} and {fitted.shape}: give the directions last"
        )
    found = known + ((both - fitted) ** 2).sum(axis=-1) - (fitted**2).sum(axis=-1)
    return np.asarray(np.maximum(found, LEAST_VARIANCE * known))


def without_events(rows: FloatArray, residual: FloatArray, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return how a fit changes without some of its events, to first order.

    Parameters
    ----------
    rows
        Terms of the events that are left out, in units of the fit: ``L^T h``; shape (n_events, n_directions).
    residual, variance
        ``y - e`` and ``e (1 - e)`` of the same events; shape (n_events,).

    Returns
    -------
    shift, root
        Of the coefficients, in the same units, shape (n_directions,); and a root of their new covariance ``root
        root^T``, which was the unit matrix.

    Notes
    -----
    One Newton step from the mode: the information of these events is subtracted, and so are their scores.
    """
    left = np.eye(rows.shape[1]) - (rows * variance[:, None]).T @ rows
    size, vectors = np.linalg.eigh(left)
    inverse = vectors / np.maximum(size, LEAST_INFORMATION)
    return -(inverse @ (vectors.T @ (rows.T @ residual))), inverse * np.sqrt(np.maximum(size, LEAST_INFORMATION))


def main_directions(pulls: FloatArray, variance: FloatArray, least: float) -> FloatArray:
    """Return the directions of a fit's uncertainty that matter to some pieces of regions.

    Parameters
    ----------
    pulls
        ``L^T H^T W phi`` of every piece, shape (n_pieces, n_directions).
    variance
        Of known shares, of every piece; shape (n_pieces,).
    least
        Directions that change the variance of no union of pieces by more than this share are left out.

    Returns
    -------
    ndarray, shape (n_directions, n_left)
        Orthonormal columns, the most important first: ``pulls @ found`` are the pulls along them.

    Notes
    -----
    ``(sum a)^2 <= sum(v) sum(a^2 / v)`` (Cauchy and Schwarz): the largest share of the variance that a direction can
    have in any union is its ``sum a^2 / v``, an eigenvalue of ``A^T V^-1 A``.
    """
    root = np.sqrt(np.where(variance > 0, variance, 1.0))
    scaled = np.where((variance > 0)[:, None], pulls / root[:, None], 0.0)
    size, vectors = np.linalg.eigh(scaled.T @ scaled)
    return np.ascontiguousarray(vectors[:, size > least][:, ::-1])
