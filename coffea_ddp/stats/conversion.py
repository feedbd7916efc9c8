"""Arrays of numbers out of what callers have: lists, Series, tensors, histograms, objects of Python.

The ground of :mod:`coffea_ddp.stats.checks`, which says what may be among them.

Examples
--------
>>> converted(np.array([[1, 2], [3, 4]], dtype=">i2").T, "a")
array([[1., 3.],
       [2., 4.]])
"""

from __future__ import annotations

import numbers as abstract
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray

LARGEST = 1e100
"""The square of a larger number, and sums of such squares, would leave the range of double precision."""

_DEEPEST = 64
"""An array has no more axes than this."""
_KINDS = {
    "b": "bools",
    "c": "complex numbers",
    "U": "text",
    "S": "text",
    "T": "text",
    "M": "dates",
    "m": "time differences",
    "V": "records, as of a weighted histogram",
}
_CURES = {
    "b": "give .astype(int) where 0 and 1 are meant",
    "c": "give their real part, or their size",
    "V": "give the contents alone, as .values() of the histogram, and the variances where the function takes them",
}


def hidden(values: Any, depth: int = 0) -> BoolArray | None:
    """Return where values are masked; ``None`` where none is, or nothing has a mask, as in lists nested too deep."""
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(values)
        return np.asarray(mask, dtype=np.bool_) if mask.any() else None
    deeper = isinstance(values, (list, tuple)) and depth < _DEEPEST
    if deeper and any(hidden(one, depth + 1) is not None for one in values):
        try:
            return np.asarray(np.ma.getmaskarray(np.ma.asarray([np.ma.asarray(one) for one in values])))
        except ValueError:
            return np.ones(1, dtype=np.bool_)
    return None


def as_array(values: Any, name: str) -> AnyArray:
    """Return what numpy makes of values; an :class:`~coffea_ddp.errors.InputError` where it makes nothing."""
    try:
        array = np.asarray(values)
    except Exception as error:  # other libraries' containers raise what they like
        raise InputError(
            f"{name}: not an array of numbers ({_first_line(error)}); give numbers, in rows of one length"
        ) from error
    return array


def converted(values: Any, name: str) -> FloatArray:
    """Return a new array of float64 in C order: real numbers of any kind, and nothing else.

    Raises
    ------
    InputError
        If there is anything else among them, or a number of Python beyond double precision.
    """
    array = as_array(values, name)
    kind = array.dtype.kind
    if kind == "O":
        return _from_objects(array, values, name)
    if kind not in "iuf":
        cure = _CURES.get(kind, "give numbers")
        what = _KINDS.get(kind, f"values of type {array.dtype}")
        raise InputError(f"{name}: not an array of numbers but of {what}; {cure}")
    with np.errstate(over="ignore"):
        return np.array(array, dtype=np.float64, order="C", subok=False)


def _from_objects(array: AnyArray, values: Any, name: str) -> FloatArray:
    """Return what Python's own numbers say, as whole numbers beyond 64 bits and fractions."""
    for one in array.flat:
        if isinstance(one, (bool, np.bool_)) or not isinstance(one, (abstract.Real, Decimal)):
            what = type(values).__name__ if not array.ndim else f"{type(one).__name__} {shown(one)} among them"
            raise InputError(f"{name}: not an array of numbers ({what}); give real numbers, none of them missing")
    try:
        return np.array([float(one) for one in array.flat], dtype=np.float64).reshape(array.shape)
    except ValueError as error:
        raise InputError(f"{name}: a signalling NaN among them; give real numbers, none of them missing") from error
    except OverflowError as error:
        raise InputError(f"{name} has contents beyond {LARGEST:g} in size; give them in a larger unit") from error


def shown(value: Any) -> str:
    """Return a value as a message shows it: on one line, no longer than 60 characters.

    Examples
    --------
    >>> shown(np.arange(300))
    'array([ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,...'
    """
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0] or type(error).__name__
