"""Candidates: particles seen by their decay (Z, W, H, t), as building blocks of invariant masses.

A candidate takes the leading objects that no part before it has taken, and exists where their mass is in its window:
``system(Z_MUMU, "mu")`` is the mass of a Z and the third muon, and no object counts twice. These are the rows and
columns Z/W, H and t of the table of resonances (arXiv:1907.06659), and with a third part BSM -> SM1 x SM2 (tZ, tH, bH).

Examples
--------
>>> str(system(Z_MUMU, "gamma")), system(Z_MUMU, "gamma").exchange_name
('Z(2mu)+gamma', 'Zm0m1g0')
>>> system(TOP, TOP).exchange_name
'TVj0j1b0TVj2j3b1'
>>> len(all_systems()), len(fat_systems())
(91, 39)
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.events.selected import Particles, SelectedEvents
from coffea_ddp.plan.masses.combinations import LETTERS, OBJECTS, dense, having, mass_of, momenta_of, named

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray, IntArray

W_MASS = 80.37
"""GeV: what a charged lepton and the missing transverse momentum are required to have."""

Taken = dict[str, int]
"""Number of objects of each kind that are taken."""


@dataclass(frozen=True)
class Candidate:
    """A particle seen by its decay.

    Parameters
    ----------
    kind
        What it is a candidate of: ``"Z"``, ``"W"``, ``"V"`` (W or Z), ``"H"``, ``"t"``.
    parts
        What it is made of, in the order in which objects are taken: ``"2mu"``, or another candidate.
    window
        Its mass in GeV; with a neutrino, the transverse mass.
    opposite_sign
        Whether the charges must add up to 0.
    neutrino
        Whether the missing transverse momentum is that of a neutrino, which with the charged lepton makes a W. Of the
        two solutions that of the smaller longitudinal momentum is taken, and the real part where there is none.
    pairs_out
        A range of masses in GeV: no object of the candidate makes a same-flavour opposite-sign pair of such a mass with
        any other object of its name. A lepton of Z -> ll is none of W -> l nu.

    Raises
    ------
    InputError
        If there are no parts, or a window is none.

    Examples
    --------
    >>> Candidate("Z", ("2mu",), (76.0, 106.0), opposite_sign=True).kind
    'Z'
    """

    kind: str
    parts: tuple[str | Candidate, ...]
    window: tuple[float, float]
    opposite_sign: bool = False
    neutrino: bool = False
    pairs_out: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        if not self.parts or not self.window[0] < self.window[1]:
            raise InputError(
                f"candidate {self.kind!r} of {self.parts} with a mass of {self.window}: give one part or more, "
                "and a range of masses"
            )
        if self.pairs_out is not None and not self.pairs_out[0] < self.pairs_out[1]:
            raise InputError(
                f"candidate {self.kind!r} of {self.parts}: pairs_out={self.pairs_out} is no range of masses; give "
                "(low, high) in GeV, or None"
            )

    def __str__(self) -> str:
        """Return kind and decay, as in ``"Z(2mu)"``."""
        return f"{self.kind}({'+'.join([*map(str, self.parts), *(['nu'] if self.neutrino else [])])})"

    @property
    def neutrinos(self) -> int:
        """Number of neutrinos that it needs."""
        return self.neutrino + sum(part.neutrinos for part in self.parts if isinstance(part, Candidate))


@dataclass(frozen=True)
class System:
    """The invariant mass of candidates and leading objects.

    Parameters
    ----------
    parts
        Candidates, and objects as in ``"2mu"``; each takes the leading objects that those before it have left.

    Raises
    ------
    InputError
        If there is one object alone or more than one neutrino: there is one missing transverse momentum.

    Examples
    --------
    >>> System(("2mu", "j")).decays_to
    ('mu', 'mu', 'j')
    """

    parts: tuple[str | Candidate, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        if sum(1 if isinstance(part, Candidate) else sum(n for _, n in named(part)) for part in self.parts) < 2:
            raise InputError(f"system of {', '.join(map(str, self.parts)) or 'nothing'}: give two objects or more")
        if self.neutrinos > 1:
            raise InputError(f"system {self}: there is one missing transverse momentum, for one neutrino")

    def __str__(self) -> str:
        """Return the parts, as in ``"Z(2mu)+gamma"``."""
        return "+".join(map(str, self.parts))

    @property
    def exchange_name(self) -> str:
        """The name in the exchange format: kinds, letters and pT indices, as in ``"Zm0m1g0"``."""
        return _letters(self.parts, {})

    @cached_property
    def _needs(self) -> tuple[tuple[str, int], ...]:
        return tuple((name, self.objects.count(name)) for name in dict.fromkeys(self.objects))

    @cached_property
    def neutrinos(self) -> int:
        """Number of neutrinos that it has."""
        return sum(part.neutrinos for part in self.parts if isinstance(part, Candidate))

    @cached_property
    def objects(self) -> tuple[str, ...]:
        """The names of all objects, once for each that is taken (neutrinos left out)."""
        return _objects(self.parts)

    @property
    def decays_to(self) -> tuple[str, ...]:
        """The names of its parts, ``("Z", "gamma")``: a candidate is one."""
        parts = [[part.kind] if isinstance(part, Candidate) else _objects((part,)) for part in self.parts]
        return tuple(itertools.chain.from_iterable(parts))

    def __call__(self, events: SelectedEvents) -> FloatArray:
        """Return the mass in GeV, shape (n_events,); NaN where the event lacks a part or a candidate is off its window.

        Raises
        ------
        MissingBranchError
            If it has a neutrino and the file no missing transverse momentum.
        """
        return dense(events, *self.found(events))

    def found(self, events: SelectedEvents) -> tuple[IntArray, FloatArray]:
        """Return the events that have all objects, and their masses in GeV, NaN where a candidate is off its window.

        Raises
        ------
        MissingBranchError
            If it has a neutrino and the file no missing transverse momentum.
        """
        rows = having(events, self._needs)
        if self.neutrinos:
            _ = events.met  # a file that has none lacks it for all events
        if not len(rows):
            return rows, np.zeros(0)
        return rows, mass_of(_sum(events, self.parts, {}, rows))


def system(*parts: str | Candidate) -> System:
    """Return the system of some parts.

    Examples
    --------
    >>> str(system("2mu", "j"))
    '2mu+j'
    """
    return System(parts)


Z_WINDOW = (76.0, 106.0)
"""GeV."""
Z_EE = Candidate("Z", ("2e",), Z_WINDOW, opposite_sign=True)
Z_MUMU = Candidate("Z", ("2mu",), Z_WINDOW, opposite_sign=True)
W_ENU = Candidate("W", ("e",), (40.0, 120.0), neutrino=True, pairs_out=Z_WINDOW)
W_MUNU = Candidate("W", ("mu",), (40.0, 120.0), neutrino=True, pairs_out=Z_WINDOW)
V_JJ = Candidate("V", ("2j",), (65.0, 105.0))
H_BB = Candidate("H", ("2b",), (95.0, 145.0))
H_GAMGAM = Candidate("H", ("2gamma",), (120.0, 130.0))
TOP = Candidate("t", (V_JJ, "b"), (140.0, 210.0))
CANDIDATES = (Z_EE, Z_MUMU, W_ENU, W_MUNU, V_JJ, H_BB, H_GAMGAM, TOP)
"""Candidates that come with the package."""
FAT = ("VJ", "HJ", "tJ")
"""Fat jets with a tag (:func:`coffea_ddp.plan.nanoaod.fat_jet`): objects of their own, and candidates at once."""


def all_systems(candidates: Sequence[Candidate] = CANDIDATES, objects: Sequence[str] = OBJECTS) -> tuple[System, ...]:
    """Return every candidate with every object, every pair of candidates, and tZ, tH, bH with another t or b.

    Systems of two neutrinos are left out.

    Examples
    --------
    >>> len(all_systems())
    91
    """
    pairs = itertools.combinations_with_replacement(candidates, 2)
    found = [
        *(system(candidate, name) for candidate in candidates for name in objects),
        *(system(first, second) for first, second in pairs if first.neutrinos + second.neutrinos < 2),
    ]
    tops = [one for one in candidates if one.kind == "t"]
    for boson in (one for one in candidates if one.kind in ("Z", "H")):
        found += [system(top, other, boson) for top in tops for other in (top, "b")]
        found += [system(boson, "2b")] if boson.kind == "H" else []
    return tuple(found)


def fat_systems(
    candidates: Sequence[Candidate] = (Z_EE, Z_MUMU, W_ENU, W_MUNU, H_GAMGAM),
    objects: Sequence[str] = ("e", "mu", "tau", "jx", "bx", "gamma"),
) -> tuple[System, ...]:
    """Return every tagged fat jet with every object, every candidate, and every fat jet.

    ``jx`` and ``bx`` are jets outside of the fat ones. Candidates made of jets could be part of a fat jet: those of the
    default are not.

    Examples
    --------
    >>> [str(one) for one in fat_systems((Z_MUMU,), ("e",))][:5]
    ['VJ+e', 'HJ+e', 'tJ+e', 'Z(2mu)+VJ', 'Z(2mu)+HJ']
    """
    pairs = itertools.combinations_with_replacement(FAT, 2)
    return (
        *(system(fat, name) for name in objects for fat in FAT),
        *(system(candidate, fat) for candidate in candidates for fat in FAT),
        *(system(f"2{first}") if first == second else system(first, second) for first, second in pairs),
    )


@lru_cache(maxsize=4096)
def _objects(parts: tuple[str | Candidate, ...]) -> tuple[str, ...]:
    found: list[str] = []
    for part in parts:
        if isinstance(part, Candidate):
            found += _objects(part.parts)
        else:
            found += [name for name, number in named(part) for _ in range(number)]
    return tuple(found)


def _letters(parts: Sequence[str | Candidate], taken: Taken) -> str:
    found = []
    for part in parts:
        if isinstance(part, Candidate):
            found.append(f"{part.kind.upper()}{_letters(part.parts, taken)}{'n' if part.neutrino else ''}")
            continue
        for name, number in named(part):
            for _ in range(number):
                found.append(f"{LETTERS.get(name, name)}{taken.get(name, 0)}")
                taken[name] = taken.get(name, 0) + 1
    return "".join(found)


def _rows(events: SelectedEvents, objects: Sequence[str], taken: Taken) -> IntArray:
    """Return the events that have all objects beyond those that are taken."""
    return having(events, tuple((name, taken.get(name, 0) + objects.count(name)) for name in dict.fromkeys(objects)))


def _sum(events: SelectedEvents, parts: Sequence[str | Candidate], taken: Taken, rows: IntArray) -> FloatArray:
    """Return the sum of the four-momenta of some events, shape (4, n_rows); ``taken`` grows."""
    total = np.zeros((4, len(rows)))
    for part in parts:
        if isinstance(part, Candidate):
            total += candidate_momentum(events, part, taken, rows)
            continue
        for name, number in named(part):
            for _ in range(number):
                total += momenta_of(events, name, taken.get(name, 0), rows)
                taken[name] = taken.get(name, 0) + 1
    return total


def candidate_momentum(events: SelectedEvents, candidate: Candidate, taken: Taken, wanted: IntArray) -> FloatArray:
    """Return E, px, py, pz in GeV of a candidate in some events, shape (4, n_wanted), NaN where there is none.

    Computed once for all systems that begin alike.

    Parameters
    ----------
    events
        The selected events.
    candidate
        What is looked for.
    taken
        How many of each object others have taken; what the candidate takes is added.
    wanted
        The events.
    """
    before, names = dict(taken), _objects(candidate.parts)

    def compute() -> tuple[IntArray, FloatArray]:
        rows = _rows(events, names, before)
        total = _sum(events, candidate.parts, dict(before), rows)
        if candidate.neutrino:
            total, mass = _with_neutrino(events.met, total, rows)
        else:
            mass = mass_of(total)
        low, high = candidate.window
        good = (mass > low) & (mass < high)
        if candidate.opposite_sign:
            good &= _charge(events, names, dict(before), rows) == 0
        if candidate.pairs_out is not None:
            good &= ~_in_pairs(events, names, dict(before), candidate.pairs_out)[rows]
        # Few events have one: what all others have is in the last place.
        rows = rows[good]
        places = np.full(events.n_events, len(rows), np.int64)
        places[rows] = np.arange(len(rows))
        return places, np.concatenate([total[:, good], np.full((4, 1), np.nan)], axis=1)

    for name in names:
        taken[name] = taken.get(name, 0) + 1
    first = tuple((name, before.get(name, 0)) for name in dict.fromkeys(names))
    places, momenta = events.once(("candidate", candidate, first), compute)
    return momenta.take(places.take(wanted), axis=1)


def _charge(events: SelectedEvents, objects: Sequence[str], taken: Taken, rows: IntArray) -> FloatArray:
    total = np.zeros(len(rows))
    for name in objects:
        k = taken.get(name, 0)
        total += events.at(name, k, rows).charge
        taken[name] = k + 1
    return total


def _in_pairs(events: SelectedEvents, objects: Sequence[str], taken: Taken, window: tuple[float, float]) -> BoolArray:
    """Return which events have one of the objects in a same-flavour opposite-sign pair of a mass in the window."""
    found = np.zeros(events.n_events, dtype=bool)
    for name in objects:
        k = taken.get(name, 0)
        taken[name] = k + 1
        for other in range(int(events.count(name).max(initial=0))):
            rows = np.flatnonzero(events.count(name) > max(k, other))
            if other == k or not len(rows):
                continue
            one, two = events.at(name, k, rows), events.at(name, other, rows)
            mass = mass_of(momenta_of(events, name, k, rows) + momenta_of(events, name, other, rows))
            pair = (one.flavour == two.flavour) & (one.charge * two.charge < 0)
            found[rows] |= pair & (mass > window[0]) & (mass < window[1])
    return found


def _with_neutrino(missing: Particles, lepton: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return lepton and neutrino, shape (4, n_rows), and their transverse mass; pz is that of the W mass."""
    energy, px, py, pz = lepton
    pt, phi = missing.pt[rows], missing.phi[rows]
    nx, ny = pt * np.cos(phi), pt * np.sin(phi)
    pt2 = px**2 + py**2
    along = px * nx + py * ny
    half = 0.5 * W_MASS**2 + along
    root = np.sqrt(np.maximum(half**2 - pt2 * pt**2, 0.0)) * energy
    one, other = ((half * pz + sign * root) / pt2 for sign in (1.0, -1.0))
    nz = np.where(np.abs(one) < np.abs(other), one, other)
    neutrino = np.array([np.sqrt(pt**2 + nz**2), nx, ny, nz])
    return lepton + neutrino, np.sqrt(np.maximum(2.0 * (np.sqrt(pt2) * pt - along), 0.0))
