"""Combinations of leading objects, and their invariant masses: the spectra of the bump hunt.

A combination takes the leading objects of an event by pT: two muons and a jet are the two leading muons and the leading
jet, so that an event is in a spectrum at most once. Light jets (``j``) and b-jets (``b``) must be different jets, which
a plan demands of its object definitions.

Of the table of resonances (arXiv:1907.06659) the pairs of e, mu, tau, q/g, b, gamma are the combinations of two; a
third object beside BSM -> SM1 x SM1 and the complex ones (tau q q') are those of three, two BSM -> SM1 x SM1 those of
four. Rows and columns of t, Z/W and H are in :mod:`coffea_ddp.plan.masses.candidates`.

Examples
--------
>>> [str(one) for one in all_combinations(("mu", "j"), up_to=3)]
['2mu', 'mu+j', '2j', '3mu', '2mu+j', 'mu+2j', '3j']
>>> combination("2mu", "j").exchange_name
'm0m1j0'
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.events.selected import SelectedEvents

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray

OBJECTS = ("e", "mu", "tau", "j", "b", "gamma")
"""Objects that are combined: j are the jets without a b tag."""
LETTERS = {"e": "e", "mu": "m", "tau": "t", "j": "j", "b": "b", "gamma": "g"}
"""Names of objects in the exchange format; others go by their own."""
_PART = re.compile(r"(\d*)([A-Za-z_]\w*)")


@dataclass(frozen=True)
class Combination:
    """The leading objects of an event, so many of each kind.

    Parameters
    ----------
    parts
        Name and number of each object, in any order.

    Raises
    ------
    InputError
        If there are fewer than two objects, or one is named twice.

    Examples
    --------
    >>> str(Combination((("mu", 2), ("j", 1))))
    '2mu+j'
    """

    parts: tuple[tuple[str, int], ...]

    def __post_init__(self) -> None:
        names = [name for name, _ in self.parts]
        if len(set(names)) != len(names) or sum(number for _, number in self.parts) < 2:
            raise InputError(f"combination of {self.parts}: name every object once, and take two or more in all")
        if min(number for _, number in self.parts) < 1:
            raise InputError(f"combination of {self.parts}: numbers of objects are 1 or more")

    def __str__(self) -> str:
        """Return the name, as in ``"2mu+j"``."""
        return "+".join(f"{number if number > 1 else ''}{name}" for name, number in self.parts)

    @property
    def objects(self) -> tuple[str, ...]:
        """The names of all objects, once for each that is taken."""
        return tuple(name for name, number in self.parts for _ in range(number))

    @property
    def decays_to(self) -> tuple[str, ...]:
        """The same: every object is a decay product of its own."""
        return self.objects

    @property
    def exchange_name(self) -> str:
        """The name in the exchange format: letter and pT index of every object, as in ``"m0m1j0"``."""
        return "".join(f"{LETTERS.get(name, name)}{k}" for name, number in self.parts for k in range(number))

    def __call__(self, events: SelectedEvents) -> FloatArray:
        """Return the invariant mass in GeV, shape (n_events,); NaN where the event lacks an object."""
        return dense(events, *self.found(events))

    def found(self, events: SelectedEvents) -> tuple[IntArray, FloatArray]:
        """Return the events that have all objects, and their invariant masses in GeV."""
        rows, total = _summed(events, self.parts)
        return rows, mass_of(total)


def mass_of(momentum: FloatArray) -> FloatArray:
    """Return the mass of four-momenta, shape (n,), of E, px, py, pz in GeV, shape (4, n)."""
    energy, px, py, pz = momentum * momentum
    square = energy - px
    square -= py
    square -= pz
    # Rounding can leave a massless system slightly below 0.
    np.maximum(square, 0.0, out=square)
    return np.asarray(np.sqrt(square, out=square))


def dense(events: SelectedEvents, rows: IntArray, values: FloatArray) -> FloatArray:
    """Return one number an event, shape (n_events,), NaN where there is none."""
    found = np.full(events.n_events, np.nan)
    found[rows] = values
    return found


def having(events: SelectedEvents, parts: tuple[tuple[str, int], ...]) -> IntArray:
    """Return the events that have so many of each object, in their order.

    Computed once for all combinations, from those of one object less.
    """

    def compute() -> IntArray:
        name, number = parts[-1]
        if len(parts) == 1:
            return np.flatnonzero(events.count(name) >= number)
        before = having(events, parts[:-1])
        if not len(before):
            return before
        return before[events.count(name).take(before) >= number]

    return events.once(("having", parts), compute)


def four_momenta(events: SelectedEvents, name: str, k: int) -> FloatArray:
    """Return E, px, py, pz in GeV of the k-th object by pT, shape (4, n_events); 0 where the event has none."""
    found = _momenta(events, name, k)
    out = np.zeros((4, events.n_events))
    out[:, found.rows] = found.momenta
    return out


def momenta_of(events: SelectedEvents, name: str, k: int, rows: IntArray) -> FloatArray:
    """Return E, px, py, pz in GeV of the k-th object by pT of some events, all of which have it, shape (4, n_rows).

    Computed once for all combinations.
    """
    found = _momenta(events, name, k)
    if len(rows) == len(found.rows):
        return found.momenta
    return found.momenta.take(found.places.take(rows), axis=1)


def _summed(events: SelectedEvents, parts: tuple[tuple[str, int], ...]) -> tuple[IntArray, FloatArray]:
    """Return the events that have so many of each object, and the sums of their four-momenta, shape (4, n_rows).

    Computed once for all combinations that begin alike, from the sum without the last object.
    """

    def compute() -> tuple[IntArray, FloatArray]:
        name, number = parts[-1]
        before = parts[:-1] if number == 1 else (*parts[:-1], (name, number - 1))
        if not before:
            rows = having(events, parts)
            return rows, momenta_of(events, name, 0, rows)
        rows, total = _summed(events, before)
        if not len(rows):
            return rows, total
        has = np.flatnonzero(events.count(name).take(rows) >= number)
        rows = rows.take(has)
        return rows, total.take(has, axis=1) + momenta_of(events, name, number - 1, rows)

    return events.once(("sum", parts), compute)


@dataclass(frozen=True, eq=False)
class _Momenta:
    """The four-momenta of the k-th object: of which events, and the place of every event among them."""

    rows: IntArray
    places: IntArray
    momenta: FloatArray


def _momenta(events: SelectedEvents, name: str, k: int) -> _Momenta:
    def compute() -> _Momenta:
        rows = having(events, ((name, k + 1),))
        one = events.at(name, k, rows)
        px, py, pz = one.pt * np.cos(one.phi), one.pt * np.sin(one.phi), one.pt * np.sinh(one.eta)
        energy = np.sqrt(px**2 + py**2 + pz**2 + one.mass**2)
        places = np.zeros(events.n_events, np.int64)
        places[rows] = np.arange(len(rows))
        return _Momenta(rows, places, np.stack([energy, px, py, pz]))

    return events.once(("four-momenta", name, k), compute)


def combination(*parts: str) -> Combination:
    """Return a combination by name: ``combination("2mu", "j")``, or ``combination("2mu+j")``.

    Raises
    ------
    InputError
        If a part is no name with a number in front.

    Examples
    --------
    >>> str(combination("2mu", "j"))
    '2mu+j'
    """
    return Combination(named("+".join(parts)))


@lru_cache(maxsize=4096)
def named(text: str) -> tuple[tuple[str, int], ...]:
    """Return names and numbers of objects as in ``"2mu+j"``.

    Raises
    ------
    InputError
        If a part is no name with a number in front.
    """
    found = []
    for word in map(str.strip, text.split("+")):
        match = _PART.fullmatch(word)
        if match is None:
            raise InputError(f"combination {text!r}: {word!r} is no object; write for example '2mu+j'")
        found.append((match[2], int(match[1] or 1)))
    return tuple(found)


def all_combinations(objects: Sequence[str] = OBJECTS, *, up_to: int = 4, at_least: int = 2) -> tuple[Combination, ...]:
    """Return all combinations of so many objects, smaller ones first: 203 of up to four of six.

    Raises
    ------
    InputError
        If the numbers leave none.

    Examples
    --------
    >>> len(all_combinations())
    203
    """
    if not 2 <= at_least <= up_to:
        raise InputError(f"combinations of {at_least} to {up_to} objects: give 2 or more, and the smaller number first")
    found = []
    for size in range(at_least, up_to + 1):
        for chosen in itertools.combinations_with_replacement(objects, size):
            parts = tuple((name, chosen.count(name)) for name in dict.fromkeys(chosen))
            found.append(Combination(parts))
    return tuple(found)
