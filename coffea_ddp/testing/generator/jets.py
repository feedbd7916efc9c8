"""Properties of a jet in NanoAOD besides its momentum: b score, constituents, identification."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.testing.generator.record import Kind

if TYPE_CHECKING:
    from numpy.random import Generator

    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray, IntArray

TRACKER_ETA, B_TAG_ETA = 2.6, 2.5
BAD_JETS = 0.02  # share of jets that fail the identification
B_SCORE, LIGHT_SCORE = (1.2, 0.65), (0.30, 8.0)  # beta distributions


def jet_columns(rng: Generator, kind: IntArray, pt: FloatArray, eta: FloatArray) -> dict[str, AnyArray]:
    """Return the mass, b score, energy fractions, multiplicities and id decisions of jets.

    Jets made of an electron or a muon have the same numbers with charged electromagnetic and muon energy
    exchanged, so that an identification treats both alike.
    """
    n = len(kind)
    quark = kind >= Kind.JET
    bad = quark & (rng.random(n) < BAD_JETS)
    columns = _constituents(rng, kind, np.abs(eta) < TRACKER_ETA, bad)
    lepton = kind <= Kind.MUON
    columns["mass"] = pt * np.where(quark, rng.gamma(9.0, 0.014, n), 0.02)
    columns["b_score"] = _b_score(rng, kind == Kind.B_JET, np.abs(eta) < B_TAG_ETA)
    columns["tight"] = ~bad & (kind != Kind.PHOTON)
    columns["tight_lepton_veto"] = columns["tight"] & ~lepton
    return columns


def _constituents(rng: Generator, kind: IntArray, tracked: BoolArray, bad: BoolArray) -> dict[str, AnyArray]:
    n = len(kind)
    lepton = kind <= Kind.MUON
    hadrons = np.where(tracked, 0.45 + 0.35 * rng.random(n), 0.0)
    charged = np.where(lepton, 0.05, np.where(kind == Kind.PHOTON, 0.02, hadrons))
    main = np.where(lepton, 0.90, 0.01)  # the energy of the lepton that the jet consists of, or a little
    neutral = 1.0 - charged - main
    photons = neutral * np.where(kind == Kind.PHOTON, 0.98, np.where(tracked, 0.7, 0.3))
    charged, photons = np.where(bad, 0.0, charged), np.where(bad, 0.0, photons)
    n_charged = np.where(lepton, 2, np.where(tracked, 3 + rng.poisson(9.0, n), 0))
    n_neutral = 2 + rng.poisson(7.0, n)
    n_charged, n_neutral = np.where(bad, 0, n_charged), np.where(bad, 1, n_neutral)
    return {
        "charged_hadron": charged,
        "neutral_hadron": np.where(bad, 0.995, neutral - photons),
        "neutral_em": photons,
        "charged_em": np.where(bad, 0.0, np.where(kind == Kind.ELECTRON, main, 0.005)),
        "muon": np.where(bad, 0.0, np.where(kind == Kind.MUON, main, 0.005)),
        "n_charged": np.minimum(n_charged, 255),
        "n_neutral": np.minimum(n_neutral, 255),
        "n_constituents": np.minimum(n_charged + n_neutral, 255),
    }


def _b_score(rng: Generator, is_b: BoolArray, tracked: BoolArray) -> FloatArray:
    """Return one score for every tagger; without tracks there is none (-1), as in NanoAOD."""
    score = np.where(is_b, rng.beta(*B_SCORE, len(is_b)), rng.beta(*LIGHT_SCORE, len(is_b)))
    return np.where(tracked, score, -1.0)
