"""Values that a branch may hold: identities, charges, flags and weights; others are an error that says where they are.

A file that says nonsense would be believed otherwise: a number cut off to an integer, a flag that is never one.

Examples
--------
>>> import numpy as np
>>> whole_numbers("nano.root: branch run", np.array([1.0, 2.0]), np.uint32)
array([1, 2], dtype=uint32)
>>> whole_numbers("nano.root: branch run", np.array([1.0, 2.5]), np.uint32)
Traceback (most recent call last):
...
coffea_ddp.errors.BranchError: nano.root: branch run is 2.5 in entry 1; whole numbers from 0 to 4294967295 are needed
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import BranchError, InputError

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray

_MAX_CHARGE = 9
"""Of what a detector sees as one object: no tau candidate of many prongs has more."""


def whole_numbers(what: str, values: AnyArray, dtype: Any, *, first: int = 0) -> AnyArray:
    """Return values as whole numbers of a type, if they are.

    Parameters
    ----------
    what
        The file and the branch, for the message.
    values
        Of any type.
    dtype
        What is returned.
    first
        The number of the first entry, for the message.

    Raises
    ------
    BranchError
        If one is negative, fractional, NaN, infinite or too large, or of a float so short that it has lost digits.
    """
    limits = np.iinfo(dtype)
    if values.dtype == dtype:
        return values
    needed = f"whole numbers from {limits.min} to {limits.max} are needed"
    if values.dtype.kind not in "biuf":
        raise BranchError(f"{what} holds {values.dtype}; {needed}")
    with np.errstate(invalid="ignore"):
        fits = (values >= limits.min) & (values <= limits.max)
        if values.dtype.kind == "f":
            fits &= values == np.floor(values)
    _all(what, values, fits, needed, first)
    if values.dtype.kind == "f":
        # Above this, neighbours are one number.
        exact = 2.0 ** (np.finfo(values.dtype).nmant + 1)
        lost = f"a {values.dtype} holds no whole number above {exact:,.0f} exactly; keep the branch as an integer"
        _all(what, values, np.abs(values) <= exact, lost, first)
    return values.astype(dtype)


def charges(what: str, values: AnyArray, *, largest: int = _MAX_CHARGE) -> AnyArray:
    """Return electric charges as small integers.

    Parameters
    ----------
    what
        The file and the branch, for the message.
    values
        One charge a candidate.
    largest
        The largest charge that can be.

    Raises
    ------
    BranchError
        If the type has no sign, or one is fractional, NaN or too large.
    """
    if values.dtype.kind not in "if":
        raise BranchError(
            f"{what} holds {values.dtype}, which has no sign: all charges would be positive; write the branch as int32"
        )
    with np.errstate(invalid="ignore"):
        fits = (np.abs(values) <= largest) & (values == np.floor(values))
    _all(what, values, fits, f"a charge is a whole number between -{largest} and {largest}", unit="candidate")
    return values.astype(np.int8)


def flags(what: str, values: AnyArray, *, first: int = 0, unit: str = "candidate") -> BoolArray:
    """Return yes or no for every value.

    Raises
    ------
    BranchError
        If one is neither 0 nor 1: a cut on true would pass over it.
    """
    if values.dtype == np.bool_:
        return values
    _all(what, values, (values == 0) | (values == 1), "0 or 1 (no or yes) is needed", first, unit)
    return np.asarray(values == 1)


def weights(what: str, values: Any, n_events: int) -> FloatArray:
    """Return one weight an event, shape (n_events,).

    Parameters
    ----------
    what
        Whose weights they are, for the message.
    values
        An array, or coffea's ``Weights``.
    n_events
        How many there must be.

    Raises
    ------
    InputError
        If they are not one finite number an event; the first that is not is named.
    """
    if callable(getattr(values, "weight", None)):
        values = values.weight()
    needed = f"one finite number for each of the {n_events} events"
    try:
        found = np.asarray(values)
        kind = found.dtype.kind
        found = found.astype(np.float64) if kind in "biuf" else found
    except (TypeError, ValueError) as error:
        raise InputError(f"{what}: got no array of numbers ({str(error).splitlines()[0]}); give {needed}") from error
    if kind not in "biuf" or found.shape != (n_events,):
        raise InputError(f"{what}: got {found.dtype} of shape {found.shape}; give {needed}")
    bad = np.flatnonzero(~np.isfinite(found))
    if len(bad):
        raise InputError(f"{what}: {found[bad[0]]} in event {bad[0]}, the first of {len(bad)}; give {needed}")
    return found


def _all(what: str, values: AnyArray, fits: AnyArray, needed: str, first: int = 0, unit: str = "entry") -> None:
    bad = np.flatnonzero(~np.asarray(fits))
    if len(bad):
        raise BranchError(f"{what} is {values[bad[0]]!s} in {unit} {first + bad[0]}; {needed}")
