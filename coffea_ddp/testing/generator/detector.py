"""From particles to reconstructed objects: efficiency, resolution, fakes, jets made of leptons, missing pT.

Electrons and muons go through the same lines of code together and are separated at the very end, so nothing
but the efficiencies that the user asks for can tell them apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.testing.generator.jets import jet_columns
from coffea_ddp.testing.generator.kinematics import pt_eta_phi, signs
from coffea_ddp.testing.generator.record import Kind, Particles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.random import Generator

    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray, IntArray

MIN_PT = {"lepton": 5.0, "tau": 18.0, "photon": 10.0, "jet": 15.0}
MAX_ETA = {"lepton": 2.5, "tau": 2.3, "photon": 2.5, "jet": 4.7}
LEPTON_RESOLUTION, TAU_RESOLUTION = 0.013, 0.06

AS_JET = 0.93  # the share of leptons, taus and photons that is clustered into a jet too
SOFT_LEPTON_IN_B, SOFT_LEPTON_IN_JET = 0.12, 0.008
TAU_FROM_JET, PHOTON_FROM_JET = 0.025, 0.006
MEDIUM_PHOTON = 2
NON_PROMPT_ID = 0.5  # relative to the efficiency for prompt leptons
TRIGGER_EFFICIENCY = 0.95
_MAX_EFFICIENCY = 1.0

# Working points 1 (VVVLoose) ... 8 (VVTight): the probability of being exactly that good.
_TRUE_TAU_LEVELS = (0.04, 0.05, 0.06, 0.13, 0.12, 0.20, 0.20, 0.20)
_FAKE_TAU_LEVELS = (0.45, 0.25, 0.14, 0.08, 0.04, 0.02, 0.01, 0.01)
_TRUE_PHOTON_LEVELS, _FAKE_PHOTON_LEVELS = (0.05, 0.04, 0.06, 0.85), (0.80, 0.10, 0.06, 0.04)
_DECAY_MODES, _DECAY_MODE_SHARES = (0, 1, 10, 11), (0.2, 0.5, 0.2, 0.1)


def reconstruct(rng: Generator, particles: Particles, n_events: int, efficiency: Efficiency) -> Reconstructed:
    """Turn the particles of ``n_events`` events into what a detector would have written."""
    candidates = _with_fakes(rng, particles)
    leptons, flavour, event = _leptons(rng, candidates, efficiency)
    is_muon = flavour == Kind.MUON
    objects = {
        "Electron": _collection(leptons, event, ~is_muon, n_events),
        "Muon": _collection(leptons, event, is_muon, n_events),
        "Tau": _taus(rng, candidates, n_events),
        "Photon": _photons(rng, candidates, n_events),
        "Jet": _jets(rng, candidates, n_events),
    }
    scalars = _missing_momentum(rng, particles, n_events)
    scalars["npvs_good"] = np.clip(rng.poisson(30.0, n_events), 1, 200)
    fired = leptons["id_passed"] & (rng.random(len(event)) < TRIGGER_EFFICIENCY)
    for name, side, threshold in (("trigger_e", ~is_muon, 32.0), ("trigger_mu", is_muon, 24.0)):
        scalars[name] = np.bincount(event[fired & side & (leptons["pt"] > threshold)], minlength=n_events) > 0
    return Reconstructed(n_events, scalars, objects)


def _with_fakes(rng: Generator, particles: Particles) -> Candidates:
    """Add what jets can be mistaken for; keep only what leaves a signal."""
    pt, eta, phi = pt_eta_phi(particles.p4)
    visible = particles.kind != Kind.NEUTRINO
    true = Candidates(particles.event, particles.kind, particles.charge, pt, eta, phi, np.ones(len(pt), bool)).where(
        visible
    )
    jets = true.where(true.kind >= Kind.JET)
    u, coin = rng.random(len(jets.pt)), rng.integers(0, 2, len(jets.pt))
    soft = np.where(jets.kind == Kind.B_JET, SOFT_LEPTON_IN_B, SOFT_LEPTON_IN_JET)
    # The bands of u are disjoint: a jet is mistaken for one thing at most.
    kind = np.select(
        [u < soft, u < soft + TAU_FROM_JET, u < soft + TAU_FROM_JET + PHOTON_FROM_JET],
        [coin, np.full_like(coin, Kind.TAU), np.full_like(coin, Kind.PHOTON)],
        -1,
    )
    share = np.where(kind <= Kind.MUON, rng.uniform(0.1, 0.6, len(kind)), rng.uniform(0.7, 1.0, len(kind)))
    fakes = replace(
        jets,
        kind=kind,
        charge=signs(rng, len(kind)),
        pt=jets.pt * share,
        eta=jets.eta + rng.normal(0.0, 0.08, len(kind)),
        phi=_wrapped(jets.phi + rng.normal(0.0, 0.08, len(kind))),
        true=np.zeros(len(kind), bool),
    ).where(kind >= 0)
    return true.joined(fakes)


def _leptons(
    rng: Generator, candidates: Candidates, efficiency: Efficiency
) -> tuple[dict[str, AnyArray], IntArray, IntArray]:
    lepton = candidates.where(candidates.kind <= Kind.MUON)
    pt = lepton.pt * rng.normal(1.0, LEPTON_RESOLUTION, len(lepton.pt))
    lepton = replace(lepton, pt=pt).accepted("lepton")
    n, true = len(lepton.pt), lepton.true
    chance = np.where(lepton.kind == Kind.MUON, efficiency.mu, efficiency.e)
    chance = chance * (1.0 + efficiency.charge_asymmetry * lepton.charge) * np.where(true, 1.0, NON_PROMPT_ID)
    dxy = rng.normal(0.0, np.where(true, 0.003, 0.02))
    columns: dict[str, AnyArray] = {
        **lepton.columns(),
        "id_passed": rng.random(n) < chance,
        "iso": rng.exponential(np.where(true, 0.03, 1.0)),
        "dxy": dxy,
        "dz": rng.normal(0.0, np.where(true, 0.006, 0.03)),
        "sip3d": np.abs(dxy) / 0.003 + rng.exponential(0.5, n),
    }
    return columns, lepton.kind, lepton.event


def _taus(rng: Generator, candidates: Candidates, n_events: int) -> Objects:
    tau = candidates.where(candidates.kind == Kind.TAU)
    tau = replace(tau, pt=tau.pt * rng.normal(1.0, TAU_RESOLUTION, len(tau.pt))).accepted("tau")
    n = len(tau.pt)
    mode = rng.choice(_DECAY_MODES, size=n, p=_DECAY_MODE_SHARES)
    columns: dict[str, AnyArray] = {
        **tau.columns(),
        "mass": np.where(mode == 0, 0.1396, rng.uniform(0.4, 1.4, n)),
        "decay_mode": mode,
        "level": np.where(tau.true, _levels(rng, n, _TRUE_TAU_LEVELS), _levels(rng, n, _FAKE_TAU_LEVELS)) + 1,
        "dz": rng.normal(0.0, 0.005, n),
    }
    return _collection(columns, tau.event, np.ones(n, bool), n_events)


def _photons(rng: Generator, candidates: Candidates, n_events: int) -> Objects:
    photon = candidates.where(candidates.kind == Kind.PHOTON)
    pt = photon.pt * rng.normal(1.0, LEPTON_RESOLUTION, len(photon.pt))
    photon = replace(photon, pt=pt).accepted("photon")
    n = len(photon.pt)
    level = np.where(photon.true, _levels(rng, n, _TRUE_PHOTON_LEVELS), _levels(rng, n, _FAKE_PHOTON_LEVELS))
    columns: dict[str, AnyArray] = {
        **photon.columns(),
        "level": level,
        "id_passed": level >= MEDIUM_PHOTON,
        "iso": rng.exponential(np.where(photon.true, 0.03, 0.3)),
    }
    return _collection(columns, photon.event, np.ones(n, bool), n_events)


def _jets(rng: Generator, candidates: Candidates, n_events: int) -> Objects:
    """Make jets of quarks and gluons and, as in NanoAOD, of leptons, taus and photons."""
    is_jet = candidates.kind >= Kind.JET
    clustered = candidates.true & (is_jet | (rng.random(len(is_jet)) < AS_JET))
    jet, is_jet = candidates.where(clustered), is_jet[clustered]
    n = len(jet.pt)
    resolution = np.where(is_jet, np.hypot(0.8 / np.sqrt(jet.pt), 0.04), 0.04)
    jet = replace(
        jet,
        pt=jet.pt * np.maximum(rng.normal(1.0, resolution, n), 0.1),
        eta=jet.eta + rng.normal(0.0, 0.01, n),
        phi=_wrapped(jet.phi + rng.normal(0.0, 0.01, n)),
    ).accepted("jet")
    columns = {**jet.columns(), **jet_columns(rng, jet.kind, jet.pt, jet.eta)}
    return _collection(columns, jet.event, np.ones(len(jet.pt), bool), n_events)


def _missing_momentum(rng: Generator, particles: Particles, n_events: int) -> dict[str, AnyArray]:
    invisible = particles.kind == Kind.NEUTRINO
    activity = np.bincount(particles.event[~invisible], np.hypot(*particles.p4[1:3, ~invisible]), minlength=n_events)
    resolution = np.sqrt(8.0**2 + (0.45**2) * activity)
    px, py = (
        np.bincount(particles.event[invisible], particles.p4[axis, invisible], n_events) + rng.normal(0.0, resolution)
        for axis in (1, 2)
    )
    return {
        "met_pt": np.hypot(px, py),
        "met_phi": np.arctan2(py, px),
        "sum_et": activity + rng.exponential(150.0, n_events),
    }


def _levels(rng: Generator, n: int, shares: tuple[float, ...]) -> IntArray:
    return rng.choice(len(shares), size=n, p=shares)


def _wrapped(phi: FloatArray) -> FloatArray:
    wrapped: FloatArray = np.mod(phi + np.pi, 2.0 * np.pi) - np.pi
    return wrapped


def _collection(columns: Mapping[str, AnyArray], event: IntArray, keep: BoolArray, n_events: int) -> Objects:
    """Order objects by event and falling pT."""
    chosen = np.flatnonzero(keep)
    order = chosen[np.lexsort((-columns["pt"][chosen], event[chosen]))]
    return Objects(
        np.bincount(event[chosen], minlength=n_events),
        {name: column[order] for name, column in columns.items()},
    )


@dataclass(frozen=True)
class Efficiency:
    """The probability that a prompt lepton passes the identification.

    Leptons that fail stay in the collection: looser ids (``looseId``, ``cutBased`` 2) still accept them.

    Parameters
    ----------
    e, mu
        For electrons and muons, 0 to 1. Equal by default: then e <-> mu is an exact symmetry.
    charge_asymmetry
        Relative difference a between the charges: positive leptons have (1 + a) times the efficiency,
        negative (1 - a).

    Examples
    --------
    >>> Efficiency(mu=0.95).kappa
    1.1176470588235294
    """

    e: float = 0.85
    mu: float = 0.85
    charge_asymmetry: float = 0.0

    def __post_init__(self) -> None:
        """Refuse probabilities outside 0 to 1."""
        largest = max(self.e, self.mu) * (1.0 + abs(self.charge_asymmetry))
        smallest = min(self.e, self.mu) * (1.0 - abs(self.charge_asymmetry))
        if not (smallest >= 0.0 and largest <= _MAX_EFFICIENCY):
            raise InputError(f"{self}: every efficiency, the charge asymmetry included, lies between 0 and 1")

    @property
    def kappa(self) -> float:
        """The expected ratio of muons to electrons."""
        return self.mu / self.e


@dataclass(frozen=True)
class Candidates:
    """Detected objects before cuts; ``true`` is False for jets that look like something else."""

    event: IntArray
    kind: IntArray
    charge: IntArray
    pt: FloatArray
    eta: FloatArray
    phi: FloatArray
    true: BoolArray

    def where(self, mask: BoolArray) -> Candidates:
        """Keep those of ``mask``."""
        return Candidates(*(column[mask] for column in vars(self).values()))

    def joined(self, other: Candidates) -> Candidates:
        """Append ``other``."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Candidates(*(np.concatenate(pair) for pair in pairs))

    def accepted(self, what: str) -> Candidates:
        """Keep those inside the acceptance."""
        return self.where((self.pt > MIN_PT[what]) & (np.abs(self.eta) < MAX_ETA[what]))

    def columns(self) -> dict[str, AnyArray]:
        """Return the columns that every collection has."""
        return {"pt": self.pt, "eta": self.eta, "phi": self.phi, "charge": self.charge}


@dataclass(frozen=True)
class Objects:
    """One collection: objects per event and flat columns, ordered by event and falling pT."""

    counts: IntArray
    columns: dict[str, AnyArray]


@dataclass(frozen=True)
class Reconstructed:
    """The events as reconstructed: one number per event in ``scalars``, the collections in ``objects``."""

    n_events: int
    scalars: dict[str, AnyArray]
    objects: dict[str, Objects]
