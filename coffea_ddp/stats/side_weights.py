r"""Weights that belong to a side, such as 1 / efficiency of electrons and of muons: how much larger they are in B.

Where ``w = u / e`` with a factor e of each side and u of one law, a bin's ``B - kappa A`` has, given its events, the
variance ``kappa sum u^2 / (e_A e_B)``, whichever side they are on. In sums of squared weights that is ``kappa (rho V_A
+ V_B / rho)`` with ``rho = e_A / e_B``. The simple sum ``kappa (V_A + V_B)`` has the same mean, and is larger where
more events are on the side of the larger weights: pulls to that side are too small, and the mean of N_sigma is not 0
(``M^(1/2) (E w_A^3 - E w_B^3) / (2 sqrt(lambda) (E w_A^2 + E w_B^2)^1.5)`` for M bins with lambda events).

rho is the ratio of the sides' ``sum w^2 / sum w``, all bins together. With weights of one law on both sides it
differs from 1 by chance alone, and is taken to be 1 unless it is beyond :data:`SIGNIFICANT` of its standard errors.

Examples
--------
>>> n = np.random.default_rng(1).poisson(5.0, (2, 100)) * 1.0
>>> rho = side_ratio(n[0] / 0.9, n[1] / 0.6, n[0] / 0.9**2, n[1] / 0.6**2)
>>> rho.round(3), side_ratio(n[0], n[1], n[0], n[1])
(np.float64(1.5), np.float64(1.0))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray

SIGNIFICANT = 4.0
"""Standard errors of ln rho beyond which weights are taken to belong to a side."""
FEWEST_BINS = 10
"""Filled bins on each side that it takes to know that error; with fewer the bias is below 0.1 at 25 events a bin."""
CERTAIN = 1e3
"""Number of standard errors that is no chance in fewer bins either: the weights of each side are all of one size."""


def side_ratio(a: FloatArray, b: FloatArray, variance_a: FloatArray, variance_b: FloatArray) -> FloatArray:
    """Return rho, the ratio of B's ``sum w^2 / sum w`` to A's; 1 where it may be chance.

    Parameters
    ----------
    a, b
        Sums of weights, shape (..., bins).
    variance_a, variance_b
        Sums of squared weights, of the same shape.

    Returns
    -------
    ndarray of shape (...)
        Above 0.
    """
    (log_a, square_a, filled_a), (log_b, square_b, filled_b) = _size(a, variance_a), _size(b, variance_b)
    log_rho = log_b - log_a
    many = (filled_a >= FEWEST_BINS) & (filled_b >= FEWEST_BINS)
    # Of two sizes of weights by chance each side has one alone with a probability below 2^-9 in ten bins together.
    some = (filled_a >= 2) & (filled_b >= 2) & (filled_a + filled_b >= FEWEST_BINS)
    errors = np.where(many, SIGNIFICANT, np.where(some, CERTAIN, np.inf))
    beyond = np.abs(log_rho) > errors * np.sqrt(square_a + square_b + 1e-24)
    return np.asarray(np.exp(np.where(beyond, log_rho, 0.0)))[()]


def pooled_variance(variance_a: FloatArray, variance_b: FloatArray, rho: FloatArray | float) -> FloatArray:
    """Return ``rho V_A + V_B / rho``, the variance of a bin but for kappa; shape (..., bins).

    Parameters
    ----------
    variance_a, variance_b
        Sums of squared weights; shape (..., bins).
    rho
        Of :func:`side_ratio`; shape (...).

    Examples
    --------
    >>> pooled_variance(np.array([[4.0]]), np.array([[9.0]]), np.array([1.5])).tolist()
    [[12.0]]
    """
    each = np.asarray(rho)[..., None]
    return np.asarray(each * variance_a + variance_b / each)


def _size(total: FloatArray, squares: FloatArray) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return ln(sum w^2 / sum w), its variance from the scatter of the bins, and the filled bins; 0 without a size."""
    w, v = total.sum(axis=-1), squares.sum(axis=-1)
    filled = np.count_nonzero(squares, axis=-1)
    known = (w > 0) & (v > 0) & (filled > 1)
    w, v = np.where(known, w, 1.0), np.where(known, v, 1.0)
    scatter = (squares / v[..., None] - total / w[..., None]) ** 2
    return np.log(v / w), scatter.sum(axis=-1) * filled / np.maximum(filled - 1, 1), np.where(known, filled, 0)
