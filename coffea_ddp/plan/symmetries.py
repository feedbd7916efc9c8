"""The symmetries of the DDP table, as building blocks: each takes its observables and gives a :class:`Symmetry`.

Every one is blind to flavour but for the labels it compares. B is the side whose excess makes N_sigma positive. Sources
of real asymmetries (efficiencies, charge flips, acceptance) are listed in the docs, per symmetry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.events.particles import Particles, pair_sum
from coffea_ddp.plan.exchange import FlavourExchange
from coffea_ddp.plan.symmetry import NEITHER, SIDE_A, SIDE_B, Symmetry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import BoolArray, FloatArray, IntArray
    from coffea_ddp.events.selected import SelectedEvents
    from coffea_ddp.plan.observables import Observable

ELECTRON, MUON = 11, 13

Observables = tuple["Observable", ...]


def _pair(events: SelectedEvents, first: int, second: int, sign: int) -> BoolArray:
    """Return events with exactly two leptons of these flavours, leading first; sign: of the product of charges."""
    # Few events have two leptons: they alone are asked.
    rows, l0, l1 = events.once("two leptons", lambda: _two(events))
    result = np.zeros(events.n_events, dtype=bool)
    result[rows] = (l0.flavour == first) & (l1.flavour == second) & (l0.charge * l1.charge == sign)
    return result


def _two(events: SelectedEvents) -> tuple[IntArray, Particles, Particles]:
    """Return the events with exactly two leptons, and these."""
    rows = np.flatnonzero(events.count("lepton") == 2)
    return rows, events.at("lepton", 0, rows), events.at("lepton", 1, rows)


@dataclass(frozen=True)
class _Pair:
    """A side made of lepton pairs: flavours in the order of pT, and relative charge."""

    first: int
    second: int
    sign: int

    def __call__(self, events: SelectedEvents) -> BoolArray:
        return _pair(events, self.first, self.second, self.sign)


def _exchanged(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a symmetry that exchanges electrons and muons."""
    return {"exchange": FlavourExchange(), **options}


def _leading_flavour(events: SelectedEvents) -> NDArray[np.int8]:
    flavour = events.leading("lepton").flavour
    return np.select([flavour == ELECTRON, flavour == MUON], [SIDE_A, SIDE_B], NEITHER).astype(np.int8)


def e_mu(observables: Observables, **options: Any) -> Symmetry:
    """Return e/mu, lepton universality in the inclusive lepton: the flavour of the leading lepton. A: e, B: mu.

    Examples
    --------
    >>> from coffea_ddp.plan.observables import met, observable
    >>> e_mu((observable(met),)).sides
    ('e', 'mu')
    """
    return Symmetry.from_side("e/mu", _leading_flavour, observables, **_exchanged(options))


def ee_mumu_os(observables: Observables, **options: Any) -> Symmetry:
    """Return ee/mumu OS: exactly two leptons, one flavour, opposite charges. A: ee, B: mumu.

    Examples
    --------
    >>> from coffea_ddp.plan.observables import met, observable
    >>> ee_mumu_os((observable(met),)).sides
    ('ee', 'mumu')
    """
    return Symmetry(
        "ee/mumu OS", _Pair(ELECTRON, ELECTRON, -1), _Pair(MUON, MUON, -1), observables, **_exchanged(options)
    )


def ee_mumu_ss(observables: Observables, **options: Any) -> Symmetry:
    """Return ee/mumu SS: exactly two leptons, one flavour, equal charges. A: ee (charge flips: a Z peak), B: mumu.

    Examples
    --------
    >>> from coffea_ddp.plan.observables import met, observable
    >>> ee_mumu_ss((observable(met),)).sides
    ('ee', 'mumu')
    """
    return Symmetry(
        "ee/mumu SS", _Pair(ELECTRON, ELECTRON, 1), _Pair(MUON, MUON, 1), observables, **_exchanged(options)
    )


def emu_mue_os(observables: Observables, **options: Any) -> Symmetry:
    """Return e mu / mu e OS, by which lepton leads in pT (arXiv:1405.4545). A: e leads, B: mu leads; ties count as e.

    H -> mu tau, tau -> e nu nu, has a hard muon and a softer electron: an excess in B. H -> e tau: in A. If both exist,
    the test sees their difference only.

    Examples
    --------
    >>> from coffea_ddp.plan.observables import met, observable
    >>> emu_mue_os((observable(met),)).sides
    ('emu', 'mue')
    """
    return Symmetry(
        "emu/mue OS", _Pair(ELECTRON, MUON, -1), _Pair(MUON, ELECTRON, -1), observables, **_exchanged(options)
    )


def emu_mue_ss(observables: Observables, **options: Any) -> Symmetry:
    """Return e mu / mu e SS, by which lepton leads in pT: fakes, and little else. A: e leads, B: mu leads.

    Examples
    --------
    >>> from coffea_ddp.plan.observables import met, observable
    >>> emu_mue_ss((observable(met),)).sides
    ('emu', 'mue')
    """
    return Symmetry(
        "emu/mue SS", _Pair(ELECTRON, MUON, 1), _Pair(MUON, ELECTRON, 1), observables, **_exchanged(options)
    )


def _electron_charge(events: SelectedEvents) -> NDArray[np.int8]:
    opposite = _pair(events, ELECTRON, MUON, -1) | _pair(events, MUON, ELECTRON, -1)
    l0, l1 = events.leading("lepton", 0), events.leading("lepton", 1)
    charge = np.where(l0.flavour == ELECTRON, l0.charge, l1.charge)
    return np.select([opposite & (charge > 0), opposite & (charge < 0)], [SIDE_A, SIDE_B], NEITHER).astype(np.int8)


def eplus_muminus(observables: Observables, **options: Any) -> Symmetry:
    """Return e+mu-/e-mu+ (arXiv:1612.02697): exactly one e and one mu, opposite charges. A: e+ mu-, B: e- mu+.

    Examples
    --------
    >>> from coffea_ddp.plan.observables import met, observable
    >>> eplus_muminus((observable(met),)).sides
    ('e+mu-', 'e-mu+')
    """
    return Symmetry.from_side("e+mu-/e-mu+", _electron_charge, observables, **_exchanged(options))


def collins_soper_cosine(events: SelectedEvents) -> FloatArray:
    """Return cos(theta*) in the Collins-Soper frame of the two leading leptons; NaN unless their charges are opposite.

    ``sign(pz) 2 (p1+ p2- - p1- p2+) / (m sqrt(m^2 + pT^2))`` with 1 the negative lepton and
    ``p+- = (E +- pz) / sqrt(2)``.

    Examples
    --------
    >>> from coffea_ddp.plan.observables import Feature
    >>> Feature("cos", "cos theta*", "", collins_soper_cosine, -1.0, 1.0).name
    'cos'
    """
    l0, l1 = events.leading("lepton", 0), events.leading("lepton", 1)
    negative_leads = l0.charge < l1.charge
    one, two = _either(negative_leads, l0, l1), _either(~negative_leads, l0, l1)
    pt, eta, mass = pair_sum(one, two)
    plus_minus = (one.energy + one.pz) * (two.energy - two.pz) - (one.energy - one.pz) * (two.energy + two.pz)
    with np.errstate(all="ignore"):
        cosine = np.sign(pt * np.sinh(eta)) * plus_minus / (mass * np.sqrt(np.copysign(mass**2, mass) + pt**2))
    return np.where(l0.charge * l1.charge == -1, cosine, np.nan)


def _either(when: BoolArray, one: Particles, other: Particles) -> Particles:
    names = ("pt", "eta", "phi", "mass", "charge", "flavour")
    return Particles(*(np.where(when, getattr(one, name), getattr(other, name)) for name in names))


def _hemisphere(events: SelectedEvents) -> NDArray[np.int8]:
    pair = _pair(events, ELECTRON, ELECTRON, -1) | _pair(events, MUON, MUON, -1)
    result = np.full(events.n_events, NEITHER, dtype=np.int8)
    # Few events have a pair: the frame is computed for those alone.
    some = np.flatnonzero(pair)
    cosine = collins_soper_cosine(events.take(some))
    result[some] = np.select([cosine < 0, cosine > 0], [SIDE_A, SIDE_B], NEITHER)
    return result


def forward_backward(observables: Observables, **options: Any) -> Symmetry:
    """Return forward/backward: the sign of cos(theta*) in the Collins-Soper frame, of ee and mumu OS pairs.

    A: backward, B: forward. The Standard Model has a real asymmetry off the Z peak: an approximate symmetry.

    Examples
    --------
    >>> from coffea_ddp.plan.observables import met, observable
    >>> forward_backward((observable(met),)).sides
    ('backward', 'forward')
    """
    options = {"sides": ("backward", "forward"), **options}
    return Symmetry.from_side("forward/backward", _hemisphere, observables, **options)


def eta_sign(observables: Observables, *, of: str = "lepton", **options: Any) -> Symmetry:
    """Return eta<0/eta>0 of the leading object: exact in the Standard Model, so a test of the detector.

    Examples
    --------
    >>> from coffea_ddp.plan.observables import met, observable
    >>> eta_sign((observable(met),)).sides
    ('eta<0', 'eta>0')
    """
    return Symmetry.from_side("eta<0/eta>0", _EtaSign(of), observables, **options)


@dataclass(frozen=True)
class _EtaSign:
    """0 for negative, 1 for positive eta of the leading object."""

    of: str

    def __call__(self, events: SelectedEvents) -> NDArray[np.int8]:
        eta = events.leading(self.of).eta
        return np.select([eta < 0, eta > 0], [SIDE_A, SIDE_B], NEITHER).astype(np.int8)
