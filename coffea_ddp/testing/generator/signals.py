"""Signals that can be hidden in the toy: lepton-flavour-violating decays and narrow resonances."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.testing.generator.kinematics import breit_wigner, produced, signs, two_body
from coffea_ddp.testing.generator.processes import LEPTON_MASS, TAU_MASS, decay_tau
from coffea_ddp.testing.generator.record import Company, Kind, Record, add_company

if TYPE_CHECKING:
    from numpy.random import Generator

    from coffea_ddp._typing import IntArray

Lepton = Literal["e", "mu"]
Decay = Literal["ee", "mumu", "emu", "gammagamma", "jj"]
TauDecay = Literal["lepton", "hadrons", "any"]

_ACTIVITY = 1.7
_MIN_MASS = 5.0
_DAUGHTERS = {
    "ee": (Kind.ELECTRON, Kind.ELECTRON),
    "mumu": (Kind.MUON, Kind.MUON),
    "emu": (Kind.ELECTRON, Kind.MUON),
    "gammagamma": (Kind.PHOTON, Kind.PHOTON),
    "jj": (Kind.JET, Kind.JET),
}


@dataclass(frozen=True)
class Signal(Company, ABC):
    """Events of one new process; see ``LFVSignal`` and ``Resonance``.

    Examples
    --------
    >>> from coffea_ddp.testing import Resonance
    >>> issubclass(Resonance, Signal)
    True
    """

    n: int
    mass: float

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be produced."""
        super().__post_init__()
        name = type(self).__name__
        if self.n < 0:
            raise InputError(f"{name}(n={self.n}): the number of produced events is 0 or more")
        if not _MIN_MASS <= self.mass < np.inf:
            raise InputError(f"{name}(mass={self.mass}): give a mass of at least {_MIN_MASS:g} GeV")

    @abstractmethod
    def add_to(self, rng: Generator, record: Record, event: IntArray) -> None:
        """Produce one signal in each of the given events."""


@dataclass(frozen=True)
class LFVSignal(Signal):
    """A lepton-flavour-violating decay X -> l tau, by default with the tau decaying to the *other* light lepton.

    ``lepton="mu"`` is X -> mu tau, tau -> e nu nu: a hard prompt muon and a softer electron of the opposite
    charge, so it breaks the e <-> mu symmetry of e mu events. ``lepton="e"`` is its mirror image. With hadronic decays
    it breaks that of events with one lepton and a tau.

    Parameters
    ----------
    n
        Number of produced events, before acceptance and efficiency.
    mass
        Mass of X in GeV; its natural width is neglected.
    lepton
        The prompt lepton.
    tau
        Decay of the tau: to the other ``"lepton"``, to ``"hadrons"``, or to ``"any"`` of electrons, muons and hadrons.
    n_jets, n_b, n_tau, n_photons, vbf
        What accompanies X, to hide the signal in one cell: exact numbers of further objects of pT > 40 GeV
        and |eta| < 2.2, or ``None`` for as many as in the background. ``n_jets`` counts the b jets and the
        two forward jets of ``vbf=True`` (m_jj > 500 GeV, |delta eta| > 3.5, opposite hemispheres) too.

    Examples
    --------
    >>> LFVSignal(400, n_jets=2, n_b=0, vbf=True)
    LFVSignal(n_jets=2, n_b=0, n_tau=None, n_photons=None, vbf=True, n=400, mass=125.0, lepton='mu', tau='lepton')
    """

    mass: float = 125.0
    lepton: Lepton = "mu"
    tau: TauDecay = "lepton"

    def __post_init__(self) -> None:
        """Refuse unknown leptons and decays."""
        super().__post_init__()
        if self.tau not in get_args(TauDecay):
            raise InputError(f"LFVSignal(tau={self.tau!r}): the decay of the tau is one of {get_args(TauDecay)}")
        if self.lepton not in get_args(Lepton):
            raise InputError(f"LFVSignal(lepton={self.lepton!r}): the prompt lepton is one of {get_args(Lepton)}")

    def add_to(self, rng: Generator, record: Record, event: IntArray) -> None:
        """Produce one X -> l tau in each of the given events."""
        prompt, other = (Kind.MUON, Kind.ELECTRON) if self.lepton == "mu" else (Kind.ELECTRON, Kind.MUON)
        recoil = add_company(rng, record, event, self, _ACTIVITY)
        parent = produced(rng, np.full(len(event), float(self.mass)), recoil)
        charge = signs(rng, len(event))
        lepton, tau = two_body(rng, parent, float(LEPTON_MASS[prompt]), TAU_MASS)
        record.add(prompt, event, lepton, charge)
        decay_tau(rng, record, event, tau, -charge, into={"lepton": other, "hadrons": Kind.TAU, "any": None}[self.tau])


@dataclass(frozen=True)
class Resonance(Signal):
    """A narrow peak in a dilepton, diphoton or dijet mass; an electron and a muon break lepton flavour.

    Parameters
    ----------
    n
        Number of produced events, before acceptance and efficiency.
    mass, width
        Mass and full natural width (Breit-Wigner, cut off at 10 widths) in GeV; the detector's resolution,
        about 1 % for leptons and photons and 8 % for jets, comes on top.
    decay
        ``"ee"``, ``"mumu"``, ``"emu"`` (opposite charges), ``"gammagamma"`` or ``"jj"``.
    n_jets, n_b, n_tau, n_photons, vbf
        What accompanies it, as for ``LFVSignal``; the decay products are not counted.

    Examples
    --------
    >>> Resonance(250, mass=600.0, width=3.0, decay="mumu").decay
    'mumu'
    """

    width: float = 0.0
    decay: Decay = "mumu"

    def __post_init__(self) -> None:
        """Refuse unknown decays and widths that reach down to massless resonances."""
        super().__post_init__()
        if self.decay not in get_args(Decay):
            raise InputError(f"Resonance(decay={self.decay!r}): known decays are {', '.join(get_args(Decay))}")
        if not 0.0 <= self.width <= self.mass / 10.0:
            raise InputError(f"Resonance(width={self.width}): a narrow resonance has 0 <= width <= mass / 10")

    def add_to(self, rng: Generator, record: Record, event: IntArray) -> None:
        """Produce one resonance in each of the given events."""
        kinds = _DAUGHTERS[self.decay]
        charge = signs(rng, len(event)) if kinds[0] in (Kind.ELECTRON, Kind.MUON) else np.zeros(len(event), int)
        recoil = add_company(rng, record, event, self, _ACTIVITY)
        mass = breit_wigner(rng, len(event), self.mass, self.width, min(10.0 * self.width, 0.9 * self.mass))
        for kind, daughter, sign in zip(kinds, two_body(rng, produced(rng, mass, recoil)), (1, -1), strict=True):
            record.add(kind, event, daughter, sign * charge)
