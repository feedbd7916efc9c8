"""Checked input of N_sigma: contents, sums of squares, kappa and its errors, in the shapes of its kernel.

Examples
--------
>>> kappa, error = given_kappa(2.0, 0.1)
>>> relative_error(error, kappa, ndim=1)
array(0.05)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks
from coffea_ddp.stats.conversion import shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray


def aligned(values: FloatArray, name: str, batch: tuple[int, ...], bins: tuple[int, ...]) -> FloatArray:
    """Return values per pair or per bin in the shape that :func:`~coffea_ddp.stats.pulls.block_n_sigma` takes.

    Parameters
    ----------
    values
        A number, or an array of shape (*batch), (*bins), or of as many dimensions as (*batch, *bins) and fitting to it.
    name
        What the message calls them.
    batch, bins
        Shapes of the batch and of one matrix.

    Returns
    -------
    ndarray
        Shape (), (*batch), or (..., n_bins) with all bins in the last axis.

    Raises
    ------
    InputError
        If the shape fits to neither, or to both the batch and the bins.

    Examples
    --------
    >>> aligned(np.ones((2, 3)), "kappa", (5,), (2, 3)).shape
    (1, 6)
    """
    shape = (*batch, *bins)
    if values.shape == batch == bins and batch:
        raise InputError(
            f"{name} has shape {values.shape}, which is that of the batch and that of the bins; give it {len(shape)} "
            f"dimensions: kappa.reshape({', '.join(map(str, (*batch, *(1,) * len(bins))))}) for one a pair, "
            f"kappa.reshape({', '.join(map(str, (*(1,) * len(batch), *bins)))}) for one a bin".replace(
                "kappa.", f"{name}."
            )
        )
    if values.shape in ((), batch):
        return values
    if values.shape == bins:
        return values.reshape(*(1,) * len(batch), -1)
    if values.ndim == len(shape) and all(n in (1, of) for n, of in zip(values.shape, shape, strict=True)):
        return np.broadcast_to(values, shape).reshape(*batch, -1)
    known = [
        "a number",
        *([f"one for each of the batch {batch}"] if batch else []),
        *([f"one for each of the bins {bins}"] if bins else []),
    ]
    raise InputError(f"{name} has shape {values.shape}; give {', or '.join(known)}")


def given_side(values: ArrayLike, name: str, *, weighted: bool) -> FloatArray:
    """Return the contents of one side: sums of weights, or counts.

    Raises
    ------
    InputError
        If they are no finite numbers, or counts are negative, fractional, or too large to be counts.
    """
    if weighted:
        return checks.finite(values, name)
    return checks.counts(values, name, cure="give variances with sums of weights")


def squares_of_both(
    a: FloatArray, b: FloatArray, variance_a: ArrayLike | None, variance_b: ArrayLike | None
) -> tuple[FloatArray, FloatArray] | None:
    """Return V_A and V_B, of the shape of ``a``; ``None`` where contents are counts.

    Raises
    ------
    InputError
        If only one of the variances is given, or they do not fit the contents.
    """
    if (variance_a is None) != (variance_b is None):
        raise InputError("variance_a and variance_b come together: give both sums of squared weights, or none")
    if variance_a is None or variance_b is None:
        return None
    both = []
    for name, given, values in (("a", variance_a, a), ("b", variance_b, b)):
        squares = checks.finite(given, f"variance_{name}")
        if squares.shape != values.shape:
            raise InputError(f"variance_{name} has shape {squares.shape} and {name} {values.shape}; give one per bin")
        if (squares < 0).any() or ((squares == 0) & (values != 0)).any():
            raise InputError(f"variance_{name}: sums of squares are above 0 where {name} has anything, never below 0")
        both.append(squares)
    return both[0], both[1]


def given_kappa(kappa: ArrayLike, kappa_error: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return kappa and its absolute error in the shapes given.

    Raises
    ------
    InputError
        If kappa is not above 0, or an error below.
    """
    ratio, error = checks.ratios(kappa, "kappa"), checks.finite(kappa_error, "kappa_error")
    if (error < 0).any():
        raise InputError(f"kappa_error={shown(kappa_error)}: give an uncertainty, 0 or more")
    return ratio, error


def relative_error(error: FloatArray, ratio: FloatArray, *, ndim: int) -> FloatArray:
    """Divide an error by kappa, both as :func:`aligned` returns them; ``ndim`` is that of (*batch, n_bins)."""
    top, bottom = (x if x.ndim in (0, ndim) else x[..., None] for x in (error, ratio))
    return np.asarray(top / bottom)


def errors_of_bins(systematic: ArrayLike, bins: tuple[int, ...]) -> FloatArray | None:
    """Return the relative systematic errors of the bins: a number, or shape (n_bins,); ``None`` where there are none.

    Raises
    ------
    InputError
        If there is neither one nor one per bin, or one is negative.
    """
    spread = checks.finite(systematic, "systematic")
    if spread.shape not in ((), bins):
        raise InputError(f"systematic has shape {spread.shape}; give a number, or one for each of the bins {bins}")
    if (spread < 0).any():
        raise InputError(f"systematic={shown(systematic)}: give relative uncertainties, 0 or more")
    if not spread.any():
        return None
    return spread.reshape(-1) if spread.ndim else spread
