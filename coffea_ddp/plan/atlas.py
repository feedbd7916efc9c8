"""Requirements on objects of ATLAS's PHYSLITE: alternatives in the objects of :mod:`coffea_ddp.plan.nanoaod`.

Working points are those of ATLAS: Medium for electrons, muons and taus, Tight for photons, 77 % efficiency for b tags.

Examples
--------
>>> [one.cut.name for one in B_JET][:2]
['GN2v01 above 0.844 (77 %)', 'DL1dv01 above 2.456 (77 %)']
>>> MUON[0].cut.function(np.array([0, 1, 2, 8, 9, 10]))
array([ True,  True, False,  True,  True, False])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.events.cuts import ComputedCut, Cut, NotAsked, Only

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, BoolArray

_NAME = "PHYSLITE"
_QUALITY, _MEDIUM = 7, 1
"""The low three bits of a muon's quality: 0 is Tight, 1 Medium, 2 Loose, 3 VeryLoose; further bits say other things."""
_CALORIMETER = 4.0 / 3.0
"""Calorimeter over track isolation: 0.20 and 0.15 in the Loose working point."""
_ONE_PRONG = 3
"""``NNDecayMode`` below: 1p0n, 1p1n, 1pXn."""
_RNN_ONE, _RNN_THREE = 0.25, 0.40
"""Medium of the transformed score: 75 % and 60 % efficiency for one and three prongs."""
_JVT, _JVT_PT, _JVT_ETA = 0.59, 60.0, 2.4


@dataclass(frozen=True)
class Isolated:
    """Leptons with little beside them: relative isolation of tracks below ``most``, of the calorimeter below 4/3 of it.

    Examples
    --------
    >>> Isolated(0.15)(np.array([1.0, 4.0]), np.array([1.0, 1.0]), np.array([20.0, 20.0]))
    array([ True, False])
    """

    most: float

    def __call__(self, tracks: AnyArray, calorimeter: AnyArray, pt: AnyArray) -> BoolArray:
        """Return which pass."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((tracks / pt < self.most) & (calorimeter / pt < _CALORIMETER * self.most))


@dataclass(frozen=True)
class Above:
    """Scores above a working point.

    Examples
    --------
    >>> Above(0.64)(np.array([0.5, 0.7, np.nan]))
    array([False,  True, False])
    """

    point: float

    def __call__(self, score: AnyArray) -> BoolArray:
        """Return which pass."""
        return np.asarray(score > self.point)


def isolated(most: float) -> Only:
    """Return the alternative for isolation of electrons and muons, the same for both.

    Examples
    --------
    >>> isolated(0.15).fields
    ('trackIsolation', 'caloIsolation', 'pt')
    """
    name = f"tracks below {most:g} and calorimeter below {_CALORIMETER * most:g} of pT"
    return Only(_NAME, ComputedCut(name, ("trackIsolation", "caloIsolation", "pt"), Isolated(most), numbers=True))


def good_quality(quality: AnyArray) -> BoolArray:
    """Return which muons are Medium or Tight."""
    return np.asarray((quality.astype(np.int64) & _QUALITY) <= _MEDIUM)


def medium_tau(score: AnyArray, decay: AnyArray) -> BoolArray:
    """Return which taus pass the Medium point of the recurrent network, for one prong and for three.

    Examples
    --------
    >>> medium_tau(np.array([0.3, 0.3]), np.array([1, 3]))
    array([ True, False])
    """
    return np.asarray(score > np.where(decay < _ONE_PRONG, _RNN_ONE, _RNN_THREE))


def of_hard_vertex(jvt: AnyArray, pt: AnyArray, eta: AnyArray) -> BoolArray:
    """Return which jets are of the hard vertex, by the number that release 21 has; those above 60 GeV are not asked.

    Examples
    --------
    >>> of_hard_vertex(*(np.array(values) for values in ([0.1, 0.1, 0.9], [30.0, 70.0, 30.0], [0.0, 0.0, 0.0])))
    array([False,  True,  True])
    """
    return np.asarray((jvt > _JVT) | (pt > _JVT_PT) | (np.abs(eta) > _JVT_ETA))


def _tagged(tagger: str, point: float) -> Only:
    return Only(_NAME, ComputedCut(f"{tagger} above {point:g} (77 %)", (tagger,), Above(point), numbers=True))


NO_TRACKS = Only(_NAME, NotAsked("not asked: d0 and z0 are missing, they need links to tracks"))
NO_VETO = Only(_NAME, NotAsked("not asked: PHYSLITE has none, photons are cleaned of electrons"))
ELECTRON = (Only(_NAME, Cut("DFCommonElectronsLHMedium")), Only(_NAME, Cut("DFCommonElectronsDNNMedium")))
MUON = (Only(_NAME, ComputedCut("Medium or Tight", ("quality",), good_quality, numbers=True)),)
PHOTON = (Only(_NAME, Cut("DFCommonPhotonsIsEMTight")),)
TAU = (
    Only(_NAME, Cut("GNTauM_v0prune")),
    Only(_NAME, Cut("JetDeepSetMedium")),
    Only(_NAME, Cut("JetRNNSigMedium")),
    Only(_NAME, ComputedCut("RNN score, Medium", ("RNNJetScoreSigTrans", "NNDecayMode"), medium_tau, numbers=True)),
)
JET = (
    Only(_NAME, Cut("NNJvtPass")),
    Only(_NAME, ComputedCut(f"JVT above {_JVT:g}", ("Jvt", "pt", "eta"), of_hard_vertex, numbers=True)),
    Only(_NAME, NotAsked("not asked: no jet vertex tagger in the file")),
)
B_JET = (
    _tagged("GN2v01", 0.844),
    _tagged("DL1dv01", 2.456),
    _tagged("GN2v00", 2.893),
    _tagged("DL1r", 2.195),
    _tagged("MV2c10", 0.64),
)

ELECTRON_PATHS = (
    "HLT_e26_lhtight_nod0_ivarloose",
    "HLT_e26_lhtight_ivarloose_L1EM22VHI",
    "HLT_e26_lhtight_ivarloose_L1eEM26M",
    "HLT_e24_lhmedium_L1EM20VH",
)
MUON_PATHS = (
    "HLT_mu26_ivarmedium",
    "HLT_mu24_ivarmedium_L1MU14FCH",
    "HLT_mu24_ivarmedium_L1MU18VFCH",
    "HLT_mu20_iloose_L1MU15",
)
PHOTON_PATHS = ("HLT_g140_loose", "HLT_g140_loose_L1EM22VHI", "HLT_g140_loose_L1eEM26M", "HLT_g120_loose")
JET_PATHS = (
    "HLT_j450", "HLT_j420", "HLT_j400", "HLT_j380", "HLT_j360",
    "HLT_j420_pf_ftf_preselj225_L1J100", "HLT_j420_pf_ftf_preselj225_L1jJ160",
)  # fmt: skip
"""Paths without prescale of one electron, muon, photon or jet, under the names of 2016 to 2018, of 2022 on, of 2015."""
