"""The names and types of PHYSLITE's branches, and toy events in them: momenta in MeV, scores, links, bits of a menu."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.testing.generator.hard_objects import MEDIUM_TAU, momentum, prompt

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, FloatArray
    from coffea_ddp.testing.generator.detector import Objects, Reconstructed

RELEASES = (21, 22, 25)
MEV = 1000.0
CONTAINERS = {
    "Electron": "AnalysisElectrons", "Muon": "AnalysisMuons", "Photon": "AnalysisPhotons", "Tau": "AnalysisTauJets",
    "Jet": "AnalysisJets",
}  # fmt: skip
B_TAGGING = "BTagging_AntiKt4EMPFlow"
PATHS = {"HLT_e26_lhtight_nod0_ivarloose": ("trigger_e", 33), "HLT_mu26_ivarmedium": ("trigger_mu", 5)}
"""Paths of the menu: the column of the generator, and the bit."""
MENU_KEY = 2282
_WORDS, _BITS = 2, 32
_LEPTON_MASS = {"Electron": 0.511, "Muon": 105.66}
_TRACKS = {"Electron": "MaxWeightTTVALooseCone", "Muon": "MaxWeightTTVA"}
_MEDIUM_B = 0.6
"""The score of the generator that is the working point; those of the taggers of each release are below."""
_B_POINTS = {22: ("DL1dv01", 2.456, (0.018,)), 25: ("GN2v01", 0.844, (0.2, 0.01))}
_SOFT, _SOFT_CLUSTERS = 81952, 69664
"""Sources of the soft terms of tracks and of clusters."""


@dataclass(frozen=True)
class Column:
    """One branch: its values, one an event or (with ``counts``) those of all lists one after the other."""

    content: AnyArray
    counts: AnyArray | None = None


def columns(events: Reconstructed, *, release: int, simulation: bool) -> dict[str, Column]:
    """Return the branches of a release, by the names of a TTree."""
    found: dict[str, Column] = {}
    for collection, container in CONTAINERS.items():
        mine = events.objects[collection]
        for name, content in _candidates(collection, mine, release).items():
            found[f"{container}AuxDyn.{name}"] = Column(content, mine.counts)
    return found | _b_tags(events.objects["Jet"], release) | _event(events, simulation=simulation)


def _candidates(collection: str, mine: Objects, release: int) -> dict[str, AnyArray]:
    told = mine.columns
    pt = told["pt"].astype(np.float32)
    found: dict[str, AnyArray] = {
        "pt": pt * np.float32(MEV), "eta": told["eta"].astype(np.float32), "phi": told["phi"].astype(np.float32),
    }  # fmt: skip
    if collection in _LEPTON_MASS:
        found["m"] = np.full(len(pt), _LEPTON_MASS[collection], np.float32)
        isolation = f"ptvarcone30_Nonprompt_All_{_TRACKS[collection]}_pt1000"
        found[isolation] = told["iso"].astype(np.float32) * pt * np.float32(MEV)
        found["topoetcone20"] = np.zeros(len(pt), np.float32)
        # Impact parameters are those of tracks, which are not here: they are part of the identification.
        good = told["id_passed"] & prompt(mine)
        if collection == "Electron":
            found["DFCommonElectronsLHMedium"] = good.astype(np.int8)
        else:
            found["quality"] = np.where(good, 9, 10).astype(np.uint8)  # Medium, Loose; the bit of passing hits
    if collection == "Photon":
        found |= {"m": np.zeros(len(pt), np.float32), "DFCommonPhotonsIsEMTight": told["id_passed"].astype(np.int8)}
    else:
        found["charge" if collection != "Jet" else "m"] = (
            told["charge"] if collection != "Jet" else told["mass"].astype(np.float32) * np.float32(MEV)
        ).astype(np.float32)
    if collection == "Tau":
        found["m"] = told["mass"].astype(np.float32) * np.float32(MEV)
        found |= _tau_ids(told["level"] >= MEDIUM_TAU, release)
    if collection == "Jet":
        jvt = {"Jvt": np.where(told["tight"], 1.0, -0.1).astype(np.float32)}
        found |= jvt if release == RELEASES[0] else {"NNJvtPass": told["tight"].astype(np.int8)}
    return found


def _tau_ids(medium: AnyArray, release: int) -> dict[str, AnyArray]:
    if release == RELEASES[0]:
        score = np.where(medium, 0.5, 0.1).astype(np.float32)
        return {"RNNJetScoreSigTrans": score, "NNDecayMode": np.ones(len(medium), np.int32)}
    return {"GNTauM_v0prune" if release == RELEASES[-1] else "JetDeepSetMedium": medium.astype(np.int8)}


def _b_tags(jets: Objects, release: int) -> dict[str, Column]:
    """Return the scores, in a container that is sorted in another way than the jets, and links to it."""
    counts, score = jets.counts, jets.columns["b_score"].astype(np.float32).astype(np.float64)
    owner = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(score)) - np.repeat(np.cumsum(counts) - counts, counts)
    link = (counts[owner] - 1 - place).astype(np.uint32)
    there = np.zeros(len(score), np.int64)
    there[np.repeat(np.cumsum(counts) - counts, counts) + link] = np.arange(len(score))
    values = _mv2(score) if release == RELEASES[0] else _chances(score, *_B_POINTS[release])
    found = {f"{B_TAGGING}AuxDyn.{name}": Column(one[there].astype(np.float32), counts) for name, one in values.items()}
    return found | {"AnalysisJetsAuxDyn.btaggingLink.m_persIndex": Column(link, counts)}


def _mv2(score: FloatArray) -> dict[str, AnyArray]:
    return {"MV2c10_discriminant": np.where(score < 0, -1.0, 0.64 + (score - _MEDIUM_B))}


def _chances(score: FloatArray, tagger: str, point: float, shares: tuple[float, ...]) -> dict[str, AnyArray]:
    """Return chances of which the tagger's score is above its working point where that of the generator is."""
    inside = np.clip(score, 1e-6, 1.0 - 1e-6)
    odds = np.exp(point) * (inside / (1.0 - inside)) / (_MEDIUM_B / (1.0 - _MEDIUM_B))
    kinds = ("pc", "pu", "ptau")[: len(shares) + 1]
    other = np.where(score < 0, 1.0 / len(kinds), 1.0 / (odds + len(kinds)))
    return {f"{tagger}_pb": np.where(score < 0, 0.0, odds * other)} | {f"{tagger}_{kind}": other for kind in kinds}


def _event(events: Reconstructed, *, simulation: bool) -> dict[str, Column]:
    n, told = events.n_events, events.scalars
    words = np.zeros((n, _WORDS), np.uint32)
    for source, bit in PATHS.values():
        words[:, bit // _BITS] |= np.asarray(told[source]).astype(np.uint32) << np.uint32(bit % _BITS)
    two, vertices = np.full(n, 2), np.asarray(told["npvs_good"]).astype(np.int64)
    kinds = np.full(int(vertices.sum()), 3, np.int32)
    kinds[(np.cumsum(vertices) - vertices)[vertices > 0]] = 1
    found = {
        "EventInfoAuxDyn.runNumber": Column(np.asarray(told["run"]).astype(np.uint32)),
        "EventInfoAuxDyn.lumiBlock": Column(np.asarray(told["luminosityBlock"]).astype(np.uint32)),
        "EventInfoAuxDyn.eventNumber": Column(np.asarray(told["event"]).astype(np.uint64)),
        "PrimaryVerticesAuxDyn.vertexType": Column(kinds, vertices),
        "xTrigDecisionAux.smk": Column(np.full(n, MENU_KEY, np.uint32)),
        "xTrigDecisionAux.efPassedPhysics": Column(words.reshape(-1), np.full(n, _WORDS)),
        "MET_Core_AnalysisMETAuxDyn.source": Column(np.tile(np.array([_SOFT_CLUSTERS, _SOFT], np.uint64), n), two),
    }
    if simulation:
        found["EventInfoAuxDyn.mcEventWeights"] = Column(np.ones(n, np.float32), np.ones(n, np.int64))
    size, angle = (np.asarray(told[name]).astype(np.float32).astype(np.float64) for name in ("met_pt", "met_phi"))
    missing = (size * np.cos(angle), size * np.sin(angle))
    for axis, met, hard in zip("xy", missing, momentum(events.objects), strict=True):
        terms = np.stack([np.zeros(n), (met + hard) * MEV], axis=1).astype(np.float32)
        found[f"MET_Core_AnalysisMETAuxDyn.mp{axis}"] = Column(terms.reshape(-1), two)
    return found


def metadata(n_events: int) -> dict[str, Any]:
    """Return the columns of the tree of metadata: a trigger menu, and sums of weights of all events."""
    chains = {name: {"counter": str(bit)} for name, (_, bit) in PATHS.items()}
    books: Mapping[str, Any] = {
        "name": ["AllExecutedEvents"], "inputStream": ["StreamAOD"], "cycle": np.zeros(1, np.int32),
        "nAcceptedEvents": np.full(1, n_events, np.uint64), "sumOfEventWeights": np.full(1, float(n_events)),
        "sumOfEventWeightsSquared": np.full(1, float(n_events)),
    }  # fmt: skip
    menu = {"key": np.full(1, MENU_KEY, np.uint32), "payload": [json.dumps({"filetype": "hltmenu", "chains": chains})]}
    return {f"TriggerMenuJson_HLTAux.{name}": value for name, value in menu.items()} | {
        f"CutBookkeepersAux.{name}": value for name, value in books.items()
    }
