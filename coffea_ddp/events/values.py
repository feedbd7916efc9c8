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

SMALLEST_WEIGHT, LARGEST_WEIGHT = 1e-100, 1e100
"""Sizes between which a weight other than 0 is: squares of others, and sums of them, leave what a float64 holds."""

WEIGHT_BOUNDS = (
    f"a weight is 0 or between {SMALLEST_WEIGHT:.0e} and {LARGEST_WEIGHT:.0e} in size, so that its square can be summed"
)
"""Requirement on the size of a weight, for messages."""

BEAM = 7000.0
"""GeV: the largest pT that can be."""
_IMPOSSIBLE = 0.1
"""A single track may be mismeasured to any pT; of a tenth of all, the unit is another one."""
_ENOUGH = 50
"""Number of leptons of one charge that is no accident."""
_MAX_CHARGE = 9
"""Largest charge of what a detector sees as one object: no tau candidate of many prongs has more."""


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


def check_signs(what: str, values: AnyArray) -> None:
    """Check that charges of many leptons are of both signs: sizes, and 0 and 1 for minus and plus, are not.

    Raises
    ------
    BranchError
        If all of fifty or more are of one sign, or 0.

    Examples
    --------
    >>> check_signs("a.root: Muon_charge", np.array([1, -1] * 30))
    >>> check_signs("a.root: Muon_charge", np.array([1, 0] * 30))
    Traceback (most recent call last):
    ...
    coffea_ddp.errors.BranchError: ...never negative in 60 candidates; -1 and 1 are needed...
    """
    if len(values) < _ENOUGH:
        return
    lacks = "negative" if not (values < 0).any() else "positive" if not (values > 0).any() else ""
    if lacks:
        raise BranchError(
            f"{what} is never {lacks} in {len(values)} candidates; -1 and 1 are needed, with their sign (if no others "
            "were kept, give the object of the plan charged=False)"
        )


def check_gev(what: str, pt: AnyArray) -> None:
    """Check that transverse momenta are in GeV.

    Raises
    ------
    BranchError
        If ten or more, and a tenth of all or more, are larger than the energy of a beam of the LHC.

    Examples
    --------
    >>> check_gev("a.root: Muon_pt", np.full(20, 45_000.0))
    Traceback (most recent call last):
    ...
    coffea_ddp.errors.BranchError: ...above 7000 GeV for 20 of 20 candidates...is it in MeV?...
    """
    above = int(np.count_nonzero(np.isfinite(pt) & (pt > BEAM)))
    if above >= 1.0 / _IMPOSSIBLE and above >= _IMPOSSIBLE * len(pt):
        raise BranchError(
            f"{what} is above {BEAM:g} GeV for {above} of {len(pt)} candidates, which no beam gives: is it in MeV? "
            "Divide by 1000"
        )


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
        If they are not one finite number an event, some are masked, or one is so large or so small that its square
        is lost; the first that is not as it must be is named.
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
    check_unmasked(what, values, f"give {needed} (values.filled(0) where such events do not count)")
    bad = np.flatnonzero(~np.isfinite(found))
    if len(bad):
        raise InputError(f"{what}: {found[bad[0]]} in event {bad[0]}, the first of {len(bad)}; give {needed}")
    bad = np.flatnonzero(~has_square(found))
    if len(bad):
        raise InputError(f"{what}: {found[bad[0]]} in event {bad[0]}, the first of {len(bad)}; {WEIGHT_BOUNDS}")
    return found


def has_square(values: Any) -> BoolArray:
    """Return for finite weights which of them are 0, or of a size whose square a float64 holds.

    Examples
    --------
    >>> has_square(np.array([0.0, -1.5, 1e300, 1e-300]))
    array([ True,  True, False, False])
    """
    size = np.abs(values)
    return np.asarray((size == 0) | ((size >= SMALLEST_WEIGHT) & (size <= LARGEST_WEIGHT)))


def check_unmasked(what: str, values: Any, needed: str) -> None:
    """Check that nothing of an array is masked: what is under a mask would be taken for a value.

    Raises
    ------
    InputError
        If something is; the first event and how many they are is said.

    Examples
    --------
    >>> check_unmasked("weight", np.ma.array([1.0, 2.0], mask=[False, True]), "give numbers")
    Traceback (most recent call last):
    ...
    coffea_ddp.errors.InputError: weight: masked in event 1, the first of 1; give numbers
    """
    hidden = np.flatnonzero(np.ma.getmaskarray(values)) if isinstance(values, np.ma.MaskedArray) else np.zeros(0, int)
    if len(hidden):
        raise InputError(f"{what}: masked in event {hidden[0]}, the first of {len(hidden)}; {needed}")


def _all(what: str, values: AnyArray, fits: AnyArray, needed: str, first: int = 0, unit: str = "entry") -> None:
    bad = np.flatnonzero(~np.asarray(fits))
    if len(bad):
        raise BranchError(f"{what} is {values[bad[0]]!s} in {unit} {first + bad[0]}; {needed}")
