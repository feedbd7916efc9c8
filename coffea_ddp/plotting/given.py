"""What a figure is given, checked: numbers, contents of bins and their edges.

Examples
--------
>>> rising([0, 1, 2], "edges").tolist()
[0.0, 1.0, 2.0]
>>> contents([1, 2], (2,), "counts").tolist()
[1.0, 2.0]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats.given import finite, given_kappa, squares_of_both
from coffea_ddp.stats.nsigma import block_n_sigma

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray


class Compared(NamedTuple):
    """Two sides on the same bins, what is expected of B, and their pulls.

    Attributes
    ----------
    a, b
        Contents of A, scaled by kappa, and of B.
    error_a, error_b
        Their errors: the square roots of their variances.
    pulls
        ``(B - kappa A) / sqrt(kappa (V_A + V_B))``; NaN where both are empty.
    """

    a: FloatArray
    b: FloatArray
    error_a: FloatArray
    error_b: FloatArray
    pulls: FloatArray


def rising(edges: ArrayLike, name: str) -> FloatArray:
    """Return the edges of bins, shape (n_bins + 1,).

    Raises
    ------
    InputError
        If there are fewer than two, they do not rise, or one is not finite.
    """
    values = finite(edges, name)
    if values.ndim != 1 or len(values) < 2:
        raise InputError(f"{name} has shape {values.shape}; give the edges of the bins, (n_bins + 1,), at least two")
    if not (np.diff(values) > 0).all():
        raise InputError(
            f"{name} do not rise: each edge is above the one before; sort them and leave repeated ones out"
        )
    return values


def contents(values: ArrayLike, shape: tuple[int, ...], name: str, *, negative: bool = False) -> FloatArray:
    """Return the contents of bins as float64.

    Raises
    ------
    InputError
        If their shape is another, one is not finite, or one is negative where that cannot be.
    """
    array = finite(values, name)
    if array.shape != shape:
        raise InputError(f"{name} has shape {array.shape}; the bins ask for {shape}: give one number for each bin")
    if not negative and (array < 0).any():
        raise InputError(f"{name} has negative contents; give numbers that are 0 or more")
    return array


def looked_at(values: ArrayLike, shape: tuple[int, ...], name: str) -> FloatArray:
    """Return numbers of which some are NaN: there is nothing to show there.

    Raises
    ------
    InputError
        If their shape is another, or one is infinite.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: not an array of numbers ({error})") from error
    if array.shape != shape:
        raise InputError(f"{name} has shape {array.shape}; give {shape}, NaN where there is nothing to show")
    if np.isinf(array).any():
        raise InputError(f"{name} has infinite values; give finite ones, or NaN where there is nothing to show")
    return array


def number(value: object, name: str, *, positive: bool = False) -> float:
    """Return one finite number.

    Raises
    ------
    InputError
        If it is none, or not above 0 where it must be.
    """
    array = finite(value, name)  # type: ignore[arg-type]
    if array.ndim:
        raise InputError(f"{name} has shape {array.shape}; give one number")
    if positive and array <= 0:
        raise InputError(f"{name}={value!r}: give a number above 0")
    return float(array)


def compared(
    a: ArrayLike,
    b: ArrayLike,
    shape: tuple[int, ...],
    kappa: ArrayLike,
    variances: Sequence[ArrayLike] | None,
) -> Compared:
    """Compare A and B bin by bin.

    Parameters
    ----------
    a, b
        Contents.
    shape
        Of the bins.
    kappa
        Expected ratio B/A: a number, or one for each bin.
    variances
        Sums of squared weights of A and of B; ``None``: contents are counts.

    Raises
    ------
    InputError
        If something does not fit.

    Examples
    --------
    >>> compared([4, 0], [9, 0], (2,), 1.0, None).pulls.round(3)
    array([1.387,   nan])
    """
    first, second = (contents(x, shape, name, negative=variances is not None) for x, name in ((a, "a"), (b, "b")))
    if variances is not None and len(variances) != 2:
        raise InputError(f"variances: {len(variances)} given; give a pair, the sums of squared weights of A and of B")
    of_a, of_b = (None, None) if variances is None else variances
    spread = squares_of_both(first, second, of_a, of_b)
    ratio, _ = given_kappa(kappa, 0.0)
    if ratio.shape not in ((), shape):
        raise InputError(f"kappa has shape {ratio.shape}; give a number, or one for each of the bins {shape}")
    ratio = np.broadcast_to(ratio, shape)
    square_a, square_b = (np.asarray(x if v is None else v) for x, v in ((first, of_a), (second, of_b)))
    found = block_n_sigma(
        first.reshape(-1, 1),
        second.reshape(-1, 1),
        ratio.reshape(-1),
        None if spread is None else spread.reshape(-1, 1),
    )
    return Compared(
        ratio * first,
        second,
        np.asarray(ratio * np.sqrt(square_a)),
        np.asarray(np.sqrt(square_b)),
        found.statistic.reshape(shape),
    )
