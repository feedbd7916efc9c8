"""Arrays and options as they are given by a caller, checked: the one door to every public function on arrays.

Whatever holds real numbers (a list, integers of any size and byte order, a strided, read-only or Fortran-ordered view,
a Series, a tensor, a histogram without weights) gives the same result as an array of float64. Whatever does not
(masked values, complex numbers, text, dates, records, lists of unequal length) is an
:class:`~coffea_ddp.errors.InputError` that says what was given. What is returned is always a new, writeable array in
C order: nothing that belongs to the caller is changed, and compiled functions are compiled once.

Examples
--------
>>> finite(np.array([[1, 2], [3, 4]], dtype=">i2").T, "a")
array([[1., 3.],
       [2., 4.]])
>>> counts(np.ma.array([3, 999], mask=[False, True]), "a")
Traceback (most recent call last):
...
coffea_ddp.errors.InputError: a: 1 of 2 values is masked; leave masked values out, or fill them with what was counted
"""

from __future__ import annotations

import math
import operator
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats.conversion import LARGEST, as_array, converted, hidden, shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import BoolArray, FloatArray

MOST_COUNTS = 2**53
"""Above, numbers in double precision are no longer one apart: nothing can be counted in them."""

SMALLEST = 1e-100
"""Smallest number that is not taken for 0: less is nothing beside anything that was counted."""

LEAST_RATIO, MOST_RATIO = 1e-9, 1e9
"""The ratio of two rates is within these."""

MOST_TOYS = 10**8
"""More pseudo-experiments than anyone has memory for."""

MOST_SEED = 2**63 - 1


def numbers(values: ArrayLike, name: str, *, nan: bool = False, infinite: bool = False) -> FloatArray:
    """Return a new array of float64 in C order.

    Parameters
    ----------
    values
        Anything that numpy makes an array of real numbers of.
    name
        What a message calls them.
    nan
        Whether NaN may be among them. Masked values then become NaN; otherwise they are an error.
    infinite
        Whether infinite ones may be.

    Returns
    -------
    ndarray of float64
        Of the shape of ``values``; the caller's own array is left as it is.

    Raises
    ------
    InputError
        If they are not real numbers, masked, or not finite where they have to be.

    Examples
    --------
    >>> numbers(np.ma.array([1, 2], mask=[False, True]), "z", nan=True)
    array([ 1., nan])
    """
    mask = hidden(values)
    if mask is not None:
        if not nan:
            n_hidden = int(mask.sum())
            raise InputError(
                f"{name}: {n_hidden} of {mask.size} values {'is' if n_hidden == 1 else 'are'} masked; leave masked "
                "values out, or fill them with what was counted"
            )
        values = np.ma.filled(np.ma.asarray(values).astype(np.float64), np.nan)
    array = converted(values, name)
    if not (nan or infinite) and not np.isfinite(array).all():
        raise InputError(f"{name} has NaN or infinite contents; give finite numbers")
    if not nan and np.isnan(array).any():
        raise InputError(f"{name} has NaN contents; give numbers")
    if not infinite and np.isinf(array).any():
        raise InputError(f"{name} has infinite contents; give finite numbers, or NaN where there is none")
    if (np.isfinite(array) & (np.abs(array) > LARGEST)).any():
        raise InputError(f"{name} has contents beyond {LARGEST:g} in size; give them in a larger unit")
    return array


def finite(values: ArrayLike, name: str) -> FloatArray:
    """Return a new array of finite float64: :func:`numbers` of which none is NaN or infinite.

    Raises
    ------
    InputError
        As there.

    Examples
    --------
    >>> finite([1, 2], "a")
    array([1., 2.])
    """
    return numbers(values, name)


def positive(values: ArrayLike, name: str) -> FloatArray:
    """Return finite numbers, none below 0: :func:`finite`, and an error for negative ones."""
    array = finite(values, name)
    if (array < 0).any():
        raise InputError(f"{name} has negative contents, {array.min():g} the lowest; give numbers that are 0 or more")
    return array


def counts(values: ArrayLike, name: str, *, cure: str = "") -> FloatArray:
    """Return counts of events: whole numbers, 0 or more, as float64.

    Parameters
    ----------
    values, name
        As in :func:`numbers`.
    cure
        What to do with fractional or negative contents, where there is something to do.

    Raises
    ------
    InputError
        As in :func:`numbers`; if one is negative, fractional, or too large to have been counted: above 2^53, or at the
        place where a single or half precision histogram stops counting (2^24, 2^11).

    Examples
    --------
    >>> counts(np.full(2, 100, dtype=np.int8), "a").sum()
    np.float64(200.0)
    """
    cure = f"; {cure}" if cure else ""
    array = finite(values, name)
    if (array < 0).any():
        raise InputError(f"{name} has negative contents, {array.min():g} the lowest: counts are 0 or more{cure}")
    if (array != np.rint(array)).any():
        raise InputError(f"{name} has fractional contents: counts are whole{cure}")
    kind, digits = np.asarray(values).dtype, 53
    if kind.kind == "f":
        digits = min(digits, int(np.finfo(kind).nmant) + 1)
    if (array >= 2.0**digits).any():
        where = "double precision does" if digits == 53 else f"{kind} does"
        raise InputError(
            f"{name} has contents of {array.max():g}: {where} not count beyond 2^{digits}"
            + ("" if digits == 53 else "; fill the histogram in integers or in double precision")
        )
    if array.sum() >= MOST_COUNTS:
        raise InputError(f"{name} has {array.sum():g} events in all: double precision does not count beyond 2^53")
    return array


def bools(values: ArrayLike, name: str, shapes: Collection[tuple[int, ...]]) -> BoolArray:
    """Return a mask: a new array of bools, of one of some shapes.

    Raises
    ------
    InputError
        If there are no bools, or their shape is none of these.

    Examples
    --------
    >>> bools([True, False], "mask", [(2,)])
    array([ True, False])
    """
    if hidden(values) is not None:
        raise InputError(f"{name}: some of it is masked itself; give bools")
    array = as_array(values, name)
    if array.dtype != np.bool_ or array.shape not in shapes:
        fitting = " or ".join(map(str, dict.fromkeys(shapes)))
        raise InputError(f"{name}: {array.dtype} of shape {array.shape}; give bools of shape {fitting}")
    return np.array(array, dtype=np.bool_, order="C")


def number(
    value: Any,
    name: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    above: float = -math.inf,
    infinite: bool = False,
) -> float:
    """Return one number.

    Parameters
    ----------
    value
        A number, of Python or numpy, or an array of no dimensions.
    name
        What a message calls it.
    low, high
        The least and the largest that it may be.
    above
        What it has to be above.
    infinite
        Whether it may be infinite.

    Raises
    ------
    InputError
        If it is no number, not one, or out of its range.

    Examples
    --------
    >>> number(np.float32(0.5), "width", above=0.0)
    0.5
    """
    bounds = [text for text, bound in ((f"above {above:g}", above), (f"{low:g} or more", low)) if bound > -math.inf]
    bounds += [f"up to {high:g}"] if high < math.inf else []
    wanted = " ".join([f"give one {'number' if infinite else 'finite number'}", *bounds])
    try:
        array = numbers(value, name, infinite=infinite)
    except InputError as error:
        raise InputError(f"{name}={shown(value)}: {wanted}") from error
    if array.ndim:
        raise InputError(f"{name} has shape {array.shape}; {wanted}")
    found = float(array)
    if not (low <= found <= high and found > above):
        raise InputError(f"{name}={shown(value)}: {wanted}")
    return found


def whole(value: Any, name: str, *, least: int = 0, most: int = MOST_SEED) -> int:
    """Return one whole number; 1e4 is one, True and "3" are none.

    Raises
    ------
    InputError
        If it is none, or not between ``least`` and ``most``.

    Examples
    --------
    >>> whole(np.int16(3), "toys"), whole(1e4, "toys")
    (3, 10000)
    """
    wanted = f"give a whole number, {least} or more"
    if isinstance(value, (bool, np.bool_)):
        raise InputError(f"{name}={value!r}: {wanted}")
    try:
        found = operator.index(value)
    except TypeError:
        found = _whole_float(value, f"{name}={shown(value)}: {wanted}")
    if found < least:
        raise InputError(f"{name}={shown(value)}: {wanted}")
    if found > most:
        raise InputError(f"{name}={shown(value)}: give a whole number up to {most:,}")
    return found


def seed(value: Any, name: str = "seed") -> int:
    """Return a seed: a whole number from 0 to 2^63 - 1."""
    return whole(value, name)


def toys(value: Any, name: str, *, least: int = 0) -> int:
    """Return a number of pseudo-experiments: whole, and no more than 10^8."""
    return whole(value, name, least=least, most=MOST_TOYS)


def flag(value: Any, name: str) -> bool:
    """Return True or False; nothing else will do, as "no" would be true.

    Raises
    ------
    InputError
        If it is neither.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise InputError(f"{name}={shown(value)}: give True or False")
    return bool(value)


def choice(value: Any, name: str, known: Collection[str]) -> str:
    """Return a word that is one of some.

    Raises
    ------
    InputError
        If it is not; the message lists them.
    """
    if not isinstance(value, str) or value not in known:
        raise InputError(f"{name}={shown(value)}: choose one of {', '.join(map(repr, known))}")
    return str(value)


def ratios(values: ArrayLike, name: str) -> FloatArray:
    """Return ratios of rates, as kappa: finite numbers from 1e-9 to 1e9, of any shape.

    Raises
    ------
    InputError
        If one is not: a share ``kappa / (1 + kappa)`` that is 0 or 1 but for rounding says nothing.

    Examples
    --------
    >>> ratios(1.5, "kappa")
    array(1.5)
    """
    array = finite(values, name)
    if not ((array >= LEAST_RATIO) & (array <= MOST_RATIO)).all():
        raise InputError(
            f"{name}={shown(values)}: the expected ratio B/A is a positive number; give one from {LEAST_RATIO:g} to "
            f"{MOST_RATIO:g}"
        )
    return array


def ratio(value: Any, name: str = "kappa") -> float:
    """Return one ratio of rates, as :func:`ratios`."""
    return float(ratios(number(value, name, above=0.0), name))


def edges(values: ArrayLike, name: str, n_bins: int | None = None) -> FloatArray:
    """Return the edges of bins, shape (n_bins + 1,): finite and increasing.

    Raises
    ------
    InputError
        If they are not, there are fewer than two, or not one more than the bins.

    Examples
    --------
    >>> edges([0, 1, 2], "edges", 2)
    array([0., 1., 2.])
    """
    array = finite(values, name)
    if array.ndim != 1 or len(array) < 2:
        raise InputError(f"{name} has shape {array.shape}; give the edges of the bins, (n_bins + 1,), at least two")
    if n_bins is not None and len(array) != n_bins + 1:
        raise InputError(f"{name}: {len(array)} for {n_bins} bins; give {n_bins + 1}, one more than bins")
    steps = np.diff(array)
    if not (steps > 0).all():
        where = int(np.flatnonzero(steps <= 0)[0])
        raise InputError(f"{name}: {array[where]:g} is followed by {array[where + 1]:g}; they must increase")
    return array


def _whole_float(value: Any, message: str) -> int:
    try:
        found = number(value, "")
    except InputError as error:
        raise InputError(message) from error
    if not found.is_integer():
        raise InputError(message)
    return int(found)
