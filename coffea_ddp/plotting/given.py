"""Contents of bins as a figure is given them, checked on top of :mod:`coffea_ddp.stats.checks`.

Examples
--------
>>> contents([1, 2], (2,), "counts").tolist()
[1.0, 2.0]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.plotting.intervals import Interval, poisson_interval, ratio_interval
from coffea_ddp.stats import checks
from coffea_ddp.stats.pair_checks import given_kappa, given_side, squares_of_both
from coffea_ddp.stats.pulls import block_n_sigma
from coffea_ddp.stats.side_weights import pooled_variance, side_ratio

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
    errors_a, errors_b
        Their central 68 % intervals, exact for counts.
    ratio, errors_ratio
        ``B / (kappa A)`` and its central 68 % interval; NaN where A is empty, the interval where both are.
    pulls
        ``(B - kappa A) / sqrt(kappa (V_A + V_B))``; NaN where both are empty.
    """

    a: FloatArray
    b: FloatArray
    errors_a: Interval
    errors_b: Interval
    ratio: FloatArray
    errors_ratio: Interval
    pulls: FloatArray


def contents(values: ArrayLike, shape: tuple[int, ...], name: str, *, negative: bool = False) -> FloatArray:
    """Return the contents of bins as float64.

    Raises
    ------
    InputError
        If their shape is another, one is not finite, or one is negative where that cannot be.
    """
    array = checks.finite(values, name) if negative else checks.positive(values, name)
    if array.shape != shape:
        raise InputError(f"{name} has shape {array.shape}; the bins ask for {shape}: give one number for each bin")
    array[np.abs(array) < checks.SMALLEST] = 0.0
    return array


def looked_at(values: ArrayLike, shape: tuple[int, ...], name: str) -> FloatArray:
    """Return numbers of which some are NaN: there is nothing to show there.

    Raises
    ------
    InputError
        If their shape is another, or one is infinite.
    """
    array = checks.numbers(values, name, nan=True, infinite=True)
    if array.shape != shape:
        raise InputError(f"{name} has shape {array.shape}; give {shape}, NaN where there is nothing to show")
    if np.isinf(array).any():
        raise InputError(f"{name} has infinite values; give finite ones, or NaN where there is nothing to show")
    return array


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
    weighted = variances is not None
    first, second = (given_side(x, name, weighted=weighted) for x, name in ((a, "a"), (b, "b")))
    for name, values in (("a", first), ("b", second)):
        contents(values, shape, name, negative=True)
    of_a, of_b = (None, None) if variances is None else _pair(variances)
    squares = squares_of_both(first, second, of_a, of_b)
    ratio, _ = given_kappa(kappa, 0.0)
    if ratio.shape not in ((), shape):
        raise InputError(f"kappa has shape {ratio.shape}; give a number, or one for each of the bins {shape}")
    ratio = np.broadcast_to(ratio, shape)
    spread = None
    if squares is not None:
        square_a, square_b = squares
        rho = side_ratio(*(values.reshape(-1) for values in (first, second, square_a, square_b)))
        spread = pooled_variance(square_a, square_b, rho)
    found = block_n_sigma(
        first.reshape(-1, 1),
        second.reshape(-1, 1),
        ratio.reshape(-1),
        None if spread is None else spread.reshape(-1, 1),
    )
    expected = ratio * first
    over_a = np.full(shape, np.nan)
    np.divide(second, expected, out=over_a, where=expected > 0)
    low, high = ratio_interval(first, second, squares)
    errors_a = poisson_interval(first, None if squares is None else squares[0])
    return Compared(
        a=expected,
        b=second,
        errors_a=Interval(*(np.asarray(ratio * end) for end in errors_a)),
        errors_b=poisson_interval(second, None if squares is None else squares[1]),
        ratio=over_a,
        errors_ratio=Interval(np.asarray(low / ratio), np.asarray(high / ratio)),
        pulls=found.statistic.reshape(shape),
    )


def _pair(variances: Sequence[ArrayLike]) -> tuple[ArrayLike, ArrayLike]:
    try:
        of_a, of_b = variances
    except (TypeError, ValueError):
        raise InputError("variances: give a pair, the sums of squared weights of A and of B") from None
    return of_a, of_b
