"""The Standard Model as a toy: parametric shapes, isotropic decays, no matrix elements, no parton densities.

Electrons and muons, the two charges and the two hemispheres are told apart by fair coins only, thrown
independently of everything else: the symmetries that coffea_ddp tests hold exactly (up to the lepton
masses).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.testing.generator.kinematics import breit_wigner, falling, produced, signs, two_body
from coffea_ddp.testing.generator.record import Company, Kind, Record, add_company

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.random import Generator

    from coffea_ddp._typing import FloatArray, IntArray

W_MASS, W_WIDTH, Z_MASS, Z_WIDTH, TOP_MASS, B_MASS, TAU_MASS = 80.4, 2.1, 91.19, 2.5, 172.5, 4.8, 1.777
LEPTON_MASS = np.array([0.000511, 0.10566, TAU_MASS])
LEPTONIC_TAUS = 0.352
VBF_FRACTION = 0.02
TAU_SPECIES = 2
PEAK_FRACTION = 0.8  # of Z/gamma*; the rest is the continuum
B_PAIR_FRACTION = 0.06

# The energy fraction x of the charged lepton in tau -> l nu nu, collinear and unpolarised: (5 - 9 x^2 + 4
# x^3) / 3.
_X = np.linspace(0.0, 1.0, 513)
_X_CDF = (5.0 * _X - 3.0 * _X**3 + _X**4) / 3.0


def add_backgrounds(rng: Generator, record: Record, event: IntArray, names: Sequence[str] = ()) -> None:
    """Fill the given events with Standard Model processes in the proportions of ``PROCESSES``: with all, or some.

    Raises
    ------
    InputError
        If there is no process of a name.
    """
    processes = tuple(one for one in PROCESSES if not names or one.name in names)
    if unknown := [name for name in names if name not in [one.name for one in PROCESSES]]:
        raise InputError(f"processes={unknown}: known are {', '.join(one.name for one in PROCESSES)}")
    fractions = np.array([one.fraction for one in processes])
    shares = fractions if not names else fractions / fractions.sum()
    process = rng.choice(len(processes), size=len(event), p=shares)
    forward = rng.random(len(event)) < VBF_FRACTION
    for number, chosen in enumerate(processes):
        for company in COMPANIES:
            here = (process == number) & (forward == company.vbf)
            chosen.make(rng, record, event[here], company)


def decay_tau(
    rng: Generator,
    record: Record,
    event: IntArray,
    p4: FloatArray,
    charge: IntArray,
    *,
    into: Kind | None = None,
) -> None:
    """Decay taus along their flight: to e or mu (a fair coin) or hadrons, or all ``into`` a lepton or hadrons."""
    n = len(event)
    leptonic = rng.random(n) < LEPTONIC_TAUS if into is None else np.full(n, into != Kind.TAU)
    flavour = rng.integers(0, 2, n) if into is None else np.full(n, int(into))
    fraction = np.where(leptonic, np.interp(rng.random(n), _X_CDF, _X), rng.beta(4.0, 2.2, n))
    record.add(np.where(leptonic, flavour, Kind.TAU), event, p4 * fraction, charge)
    record.add(Kind.NEUTRINO, event, p4 * (1.0 - fraction))


def _leptons(
    rng: Generator, record: Record, event: IntArray, species: IntArray, *, p4: FloatArray, charge: IntArray
) -> None:
    direct, taus = species < TAU_SPECIES, species == TAU_SPECIES
    record.add(species[direct], event[direct], p4[:, direct], charge[direct])
    decay_tau(rng, record, event[taus], p4[:, taus], charge[taus])


def _decay_w(
    rng: Generator,
    record: Record,
    event: IntArray,
    p4: FloatArray,
    charge: IntArray,
    *,
    leptonic: float = 1.0,
) -> None:
    into_leptons = rng.random(len(event)) < leptonic
    quarks = event[~into_leptons]
    for jet in two_body(rng, p4[:, ~into_leptons]):
        record.add(Kind.JET, quarks, jet)
    event, p4, charge = event[into_leptons], p4[:, into_leptons], charge[into_leptons]
    species = rng.integers(0, 3, len(event))
    lepton, neutrino = two_body(rng, p4, LEPTON_MASS[species])
    _leptons(rng, record, event, species, p4=lepton, charge=charge)
    record.add(Kind.NEUTRINO, event, neutrino)


def _decay_z(rng: Generator, record: Record, event: IntArray, p4: FloatArray, *, leptonic: float = 1.0) -> None:
    into_leptons = rng.random(len(event)) < leptonic
    quarks = event[~into_leptons]
    for jet in two_body(rng, p4[:, ~into_leptons]):
        record.add(Kind.JET, quarks, jet)
    event, p4 = event[into_leptons], p4[:, into_leptons]
    species, charge = rng.integers(0, 3, len(event)), signs(rng, len(event))
    first, second = two_body(rng, p4, LEPTON_MASS[species], LEPTON_MASS[species])
    _leptons(rng, record, event, species, p4=first, charge=charge)
    _leptons(rng, record, event, species, p4=second, charge=-charge)


def _w_jets(rng: Generator, record: Record, event: IntArray, company: Company) -> None:
    mass = breit_wigner(rng, len(event), W_MASS, W_WIDTH, 30.0)
    p4 = produced(rng, mass, add_company(rng, record, event, company, 1.7))
    _decay_w(rng, record, event, p4, signs(rng, len(event)))


def _z_jets(rng: Generator, record: Record, event: IntArray, company: Company) -> None:
    n = len(event)
    peak, continuum = breit_wigner(rng, n, Z_MASS, Z_WIDTH, 40.0), falling(rng, n, 15.0, 3000.0, 2.8)
    mass = np.where(rng.random(n) < PEAK_FRACTION, peak, continuum)
    _decay_z(rng, record, event, produced(rng, mass, add_company(rng, record, event, company, 1.7)))


def _top_pair(rng: Generator, record: Record, event: IntArray, company: Company, leptonic: float) -> None:
    n = len(event)
    mass = 2.0 * TOP_MASS + 3.0 + rng.gamma(1.3, 90.0, n)
    p4 = produced(rng, mass, add_company(rng, record, event, company, 1.8))
    charge = signs(rng, n)
    # The first W is the one that always decays to leptons; its charge is a coin, so no charge is favoured.
    for top, sign, share in zip(two_body(rng, p4, TOP_MASS, TOP_MASS), (1, -1), (1.0, leptonic), strict=True):
        w_mass = breit_wigner(rng, n, W_MASS, W_WIDTH, 20.0)
        w_boson, b_quark = two_body(rng, top, w_mass, B_MASS)
        record.add(Kind.B_JET, event, b_quark)
        _decay_w(rng, record, event, w_boson, sign * charge, leptonic=share)


def _top_dilepton(rng: Generator, record: Record, event: IntArray, company: Company) -> None:
    _top_pair(rng, record, event, company, 1.0)


def _top_lepton_jets(rng: Generator, record: Record, event: IntArray, company: Company) -> None:
    _top_pair(rng, record, event, company, 0.0)


def _diboson(rng: Generator, record: Record, event: IntArray, company: Company) -> None:
    n = len(event)
    w_number = rng.choice(3, size=n, p=[0.1, 0.2, 0.7])  # ZZ, WZ, WW
    masses = [
        np.where(
            w_number > order,
            breit_wigner(rng, n, W_MASS, W_WIDTH, 20.0),
            breit_wigner(rng, n, Z_MASS, Z_WIDTH, 20.0),
        )
        for order in (0, 1)
    ]
    mass = masses[0] + masses[1] + 2.0 + rng.exponential(90.0, n)
    p4 = produced(rng, mass, add_company(rng, record, event, company, 1.5))
    charge = signs(rng, n)
    bosons = two_body(rng, p4, masses[0], masses[1])
    for order, (boson, sign) in enumerate(zip(bosons, (1, -1), strict=True)):
        is_w = w_number > order
        _decay_w(rng, record, event[is_w], boson[:, is_w], sign * charge[is_w], leptonic=0.8)
        _decay_z(rng, record, event[~is_w], boson[:, ~is_w], leptonic=0.6)


def _photon_jet(rng: Generator, record: Record, event: IntArray, company: Company) -> None:
    mass = falling(rng, len(event), 60.0, 4000.0, 3.5)
    p4 = produced(rng, mass, add_company(rng, record, event, company, 1.5))
    photon, jet = two_body(rng, p4)
    record.add(Kind.PHOTON, event, photon)
    record.add(Kind.JET, event, jet)


def _dijet(rng: Generator, record: Record, event: IntArray, company: Company) -> None:
    mass = falling(rng, len(event), 70.0, 6000.0, 3.5)
    p4 = produced(rng, mass, add_company(rng, record, event, company, 1.7))
    kind = np.where(rng.random(len(event)) < B_PAIR_FRACTION, Kind.B_JET, Kind.JET)
    for jet in two_body(rng, p4):
        record.add(kind, event, jet)


@dataclass(frozen=True)
class Process:
    """A background: its share of the events and the function that makes them."""

    name: str
    fraction: float
    make: Callable[[Generator, Record, IntArray, Company], None]


COMPANIES = (Company(), Company(vbf=True))

# As after a skim that keeps events with leptons: rare processes are far above their share of the cross-
# section, so that a file of 200,000 events reaches the cells that a year of data reaches.
PROCESSES = (
    Process("W + jets", 0.35, _w_jets),
    Process("Z/gamma* + jets", 0.20, _z_jets),
    Process("ttbar, two leptons", 0.12, _top_dilepton),
    Process("ttbar, lepton + jets", 0.08, _top_lepton_jets),
    Process("dibosons", 0.12, _diboson),
    Process("photon + jets", 0.06, _photon_jet),
    Process("dijets", 0.07, _dijet),
)
