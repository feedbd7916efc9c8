"""The particles of many events in one flat table, and what accompanies a hard process."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field, fields
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.testing.generator.kinematics import falling, four_vectors, signs

if TYPE_CHECKING:
    from numpy.random import Generator

    from coffea_ddp._typing import AnyArray, FloatArray, IntArray

B_FRACTION = 0.03  # of the jets that accompany a process
PHOTON_FRACTION = 0.06  # of the events, with a radiated photon that is hard enough to matter


def add_company(rng: Generator, record: Record, event: IntArray, company: Company, activity: float) -> FloatArray:
    """Add what accompanies each event; return the transverse momentum (2, n) in GeV that balances it."""
    hadrons = [_jets(rng, record, event, company, activity)]
    if company.vbf:
        hadrons.append(_tag_jets(rng, record, event))
    n = len(event)
    hadrons.append(_central(rng, record, event, Kind.TAU, company.n_tau or 0))
    if company.n_photons is None:
        chosen = np.flatnonzero(rng.random(n) < PHOTON_FRACTION)
        p4 = four_vectors(falling(rng, len(chosen), 15.0, 500.0, 2.6), *_central_angles(rng, len(chosen)))
        record.add(Kind.PHOTON, event[chosen], p4)
        hadrons.append((chosen, p4))
    else:
        hadrons.append(_central(rng, record, event, Kind.PHOTON, company.n_photons))
    where = np.concatenate([index for index, _ in hadrons])
    momentum = np.concatenate([p4 for _, p4 in hadrons], axis=1)
    total = np.stack([np.bincount(where, momentum[axis], n) for axis in (1, 2)])
    intrinsic: FloatArray = rng.normal(0.0, 6.0, (2, n))
    return intrinsic - total


def _jets(
    rng: Generator, record: Record, event: IntArray, company: Company, activity: float
) -> tuple[IntArray, FloatArray]:
    n, n_b = len(event), company.n_b or 0
    if company.n_jets is None:
        # A mean that itself fluctuates gives the long tail of the jet multiplicity.
        index = np.repeat(np.arange(n), rng.poisson(rng.gamma(2.0, activity / 2.0, n)))
        eta = np.clip(rng.normal(0.0, 2.0, len(index)), -4.7, 4.7)
        pt = np.minimum(falling(rng, len(index), 15.0, 1500.0, 2.7), 6000.0 / np.cosh(eta))
        p4 = four_vectors(pt, eta, rng.uniform(-np.pi, np.pi, len(index)))
    else:
        index = np.repeat(np.arange(n), company.n_jets - n_b - 2 * company.vbf)
        p4 = four_vectors(40.0 + rng.exponential(40.0, len(index)), *_central_angles(rng, len(index)))
    is_b = rng.random(len(index)) < (B_FRACTION if company.n_b is None else 0.0)
    record.add(np.where(is_b, Kind.B_JET, Kind.JET), event[index], p4)
    b_index, b_p4 = _central(rng, record, event, Kind.B_JET, n_b)
    return np.concatenate([index, b_index]), np.concatenate([p4, b_p4], axis=1)


def _tag_jets(rng: Generator, record: Record, event: IntArray) -> tuple[IntArray, FloatArray]:
    n = len(event)
    pairs = _pairs_of_tag_jets(rng, n)
    (spare,) = rng.spawn(1)  # so that what is drawn again leaves all other events as they are
    low = _too_light(spare, pairs)
    while len(low):
        pairs[:, low] = _pairs_of_tag_jets(spare, len(low))
        low = low[_too_light(spare, pairs[:, low])]
    p4 = np.concatenate([four_vectors(*pairs[:3]), four_vectors(*pairs[3:])], axis=1)
    record.add(Kind.JET, np.tile(event, 2), p4)
    return np.tile(np.arange(n), 2), p4


def _pairs_of_tag_jets(rng: Generator, n: int) -> FloatArray:
    """Return pT, eta, phi of two jets in opposite hemispheres, shape (6, n)."""
    side = signs(rng, n)
    eta1, eta2 = side * rng.uniform(1.9, 4.2, n), -side * rng.uniform(1.9, 4.2, n)
    phi1, phi2 = rng.uniform(-np.pi, np.pi, (2, n))
    pt1, pt2 = 35.0 + rng.exponential(40.0, (2, n))
    return np.stack([pt1, eta1, phi1, pt2, eta2, phi2])


def _too_light(rng: Generator, pairs: FloatArray) -> IntArray:
    """Return which pairs are to be drawn again: a mass above 500 GeV after resolution, without an edge in the spectrum.

    None below 560 GeV is kept, and all above 760 GeV are.
    """
    pt1, eta1, phi1, pt2, eta2, phi2 = pairs
    mass = np.sqrt(2.0 * pt1 * pt2 * (np.cosh(eta1 - eta2) - np.cos(phi1 - phi2)))
    return np.flatnonzero(200.0 * rng.random(len(mass)) > mass - 560.0)


def _central(rng: Generator, record: Record, event: IntArray, kind: Kind, each: int) -> tuple[IntArray, FloatArray]:
    index = np.repeat(np.arange(len(event)), each)
    p4 = four_vectors(40.0 + rng.exponential(30.0, len(index)), *_central_angles(rng, len(index)))
    record.add(kind, event[index], p4, signs(rng, len(index)) if kind is Kind.TAU else 0)
    return index, p4


def _central_angles(rng: Generator, n: int) -> tuple[FloatArray, FloatArray]:
    return rng.uniform(-2.2, 2.2, n), rng.uniform(-np.pi, np.pi, n)


class Kind(IntEnum):
    """Kind of a particle, as far as the detector distinguishes."""

    ELECTRON = 0
    MUON = 1
    TAU = 2  # hadronic, visible part
    PHOTON = 3
    JET = 4
    B_JET = 5
    NEUTRINO = 6


@dataclass(frozen=True)
class Particles:
    """A flat table of particles; ``p4`` has shape (4, n), in GeV."""

    event: IntArray
    kind: IntArray
    charge: IntArray
    p4: FloatArray


@dataclass
class Record:
    """Collects the particles of all processes, which come in any order."""

    parts: list[Particles] = field(default_factory=list)

    def add(self, kind: IntEnum | AnyArray, event: IntArray, p4: FloatArray, charge: int | AnyArray = 0) -> None:
        """Append particles: one kind for all, or one each; likewise the charge."""
        shape = event.shape
        self.parts.append(
            Particles(event, np.broadcast_to(np.asarray(kind), shape), np.broadcast_to(charge, shape), p4)
        )

    def particles(self) -> Particles:
        """Return everything added so far as one table."""
        empty = Particles(np.zeros(0, int), np.zeros(0, int), np.zeros(0, int), np.zeros((4, 0)))
        parts = [empty, *self.parts]
        return Particles(
            np.concatenate([part.event for part in parts]),
            np.concatenate([part.kind for part in parts]),
            np.concatenate([part.charge for part in parts]),
            np.concatenate([part.p4 for part in parts], axis=1),
        )


@dataclass(frozen=True)
class Company:
    """The objects made together with a hard process; ``None`` means: as in the background.

    Parameters
    ----------
    n_jets
        All jets of the event that are not decay products, b jets and tag jets included; pT > 40 GeV, |eta|
        < 2.2.
    n_b
        b jets, of the same pT and |eta|. With ``n_jets=None`` they come on top of the usual jets.
    n_tau
        Hadronic taus; ``None`` and 0 are the same: only jets that look like taus.
    n_photons
        Photons of pT > 40 GeV, |eta| < 2.2.
    vbf
        Whether two of the jets are tag jets: m_jj > 500 GeV, |delta eta| > 3.5, opposite hemispheres.
    """

    _: KW_ONLY
    n_jets: int | None = None
    n_b: int | None = None
    n_tau: int | None = None
    n_photons: int | None = None
    vbf: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be produced."""
        name = type(self).__name__
        for number in fields(Company):
            value = getattr(self, number.name)
            if value is not None and value < 0:
                raise InputError(f"{name}({number.name}={value}): a number of objects is 0 or more, or None")
        needed = (self.n_b or 0) + 2 * self.vbf
        if self.n_jets is not None and self.n_jets < needed:
            raise InputError(
                f"{name}(n_jets={self.n_jets}, n_b={self.n_b}, vbf={self.vbf}): n_jets counts the "
                f"b jets and the two tag jets too; give n_jets >= {needed}"
            )
