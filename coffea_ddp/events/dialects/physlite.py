"""ATLAS's DAOD_PHYSLITE: calibrated objects of the analysis containers, in MeV, as TTree or RNTuple.

Impact parameters are those of tracks, which an object names by a link; they are not translated, so that they are
missing, and not 0. The file has a soft term of missing momentum alone (:mod:`coffea_ddp.events.missing_momentum`).

Examples
--------
>>> PHYSLITE.source("Electron_pt")
Source(branches=('AnalysisElectrons.pt',), factor=0.001, function=None)
>>> PHYSLITE.source("Electron_dxy").branches
('AnalysisElectrons.dxy',)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import FileError
from coffea_ddp.events.dialects.dialect import Dialect, Source
from coffea_ddp.events.flat import FlatBranch

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, IntArray

GEV = 0.001
"""Momenta are in MeV."""
TRACKS = 1 << 14
"""Bit of a term's source (``MissingETBase::Source``): made of tracks."""
DECISION, MENU_KEY = "xTrigDecision.efPassedPhysics", "xTrigDecision.smk"
"""Bits of the chains of the high-level trigger that accepted an event; the key of the menu that says whose they are."""
_PRIMARY_VERTICES = (1, 3)
"""``xAOD::VxType``: of the hard interaction, and of others."""
_LINK = "AnalysisJets.btaggingLink.m_persIndex"
_B_TAGGING = ("BTagging_AntiKt4EMPFlow", "BTagging_AntiKt4EMPFlow_201903", "BTagging_AntiKt4EMTopo_201810")
"""Containers of b tags, by release."""


def first_of_lists(branch: FlatBranch) -> FlatBranch:
    """Return the first value of every event; NaN where there is none.

    Examples
    --------
    >>> first_of_lists(FlatBranch(np.array([1.0, 2.0, 3.0]), np.array([2, 0, 1]))).content
    array([ 1., nan,  3.])
    """
    counts = _counts(branch)
    values = np.full(len(counts), np.nan)
    values[counts > 0] = branch.content[_starts(counts)[counts > 0]]
    return FlatBranch(values)


def n_primary_vertices(kinds: FlatBranch) -> FlatBranch:
    """Return the number of reconstructed interactions of every event."""
    counts = _counts(kinds)
    owner = np.repeat(np.arange(len(counts)), counts)
    return FlatBranch(np.bincount(owner[np.isin(kinds.content, _PRIMARY_VERTICES)], minlength=len(counts)))


def track_term(values: FlatBranch, sources: FlatBranch) -> FlatBranch:
    """Return a component of the soft term that is made of tracks; NaN where an event has no such term, or several.

    Examples
    --------
    >>> counts = np.array([2, 1])
    >>> terms = FlatBranch(np.array([5.0, 7.0, 9.0]), counts), FlatBranch(np.array([69664, 81952, 69664]), counts)
    >>> track_term(*terms).content
    array([ 7., nan])
    """
    counts = _counts(values)
    if not np.array_equal(counts, _counts(sources)):
        raise FileError("the terms of missing momentum and their sources differ in number; the file is damaged")
    owner = np.repeat(np.arange(len(counts)), counts)
    of_tracks = (sources.content.astype(np.uint64) & np.uint64(TRACKS)) > 0
    found = np.full(len(counts), np.nan)
    found[owner[of_tracks]] = values.content[of_tracks]
    found[np.bincount(owner[of_tracks], minlength=len(counts)) != 1] = np.nan
    return FlatBranch(found)


@dataclass(frozen=True)
class Discriminant:
    """Score of a b tagger: ``ln(p_b / (f_c p_c + f_tau p_tau + (1 - f_c - f_tau) p_u))``.

    Parameters
    ----------
    charm, tau
        The shares f_c and f_tau of the background.

    Examples
    --------
    >>> counts = np.array([1])
    >>> chances = (FlatBranch(np.array([p]), counts) for p in (0.8, 0.1, 0.1))
    >>> Discriminant(0.018)(*chances).content.round(3)
    array([2.079])
    """

    charm: float
    tau: float = 0.0

    def __call__(self, b: FlatBranch, c: FlatBranch, u: FlatBranch, tau: FlatBranch | None = None) -> FlatBranch:
        """Return the score of every jet; NaN where a chance is."""
        others = self.charm * c.content + (1.0 - self.charm - self.tau) * u.content
        if tau is not None:
            others = others + self.tau * tau.content
        with np.errstate(divide="ignore", invalid="ignore"):
            return FlatBranch(np.log(b.content / others), b.counts)


@dataclass(frozen=True)
class Linked:
    """Values of what every jet has a link to, in another container of the same event.

    Parameters
    ----------
    score
        Of the values in that container; ``None``: the only one.

    Examples
    --------
    >>> link = FlatBranch(np.array([1, 0, 0]), np.array([2, 1]))
    >>> Linked()(link, FlatBranch(np.array([0.25, 0.5, 0.75]), np.array([2, 1]))).content.tolist()
    [0.5, 0.25, 0.75]
    """

    score: Discriminant | None = None

    def __call__(self, link: FlatBranch, *values: FlatBranch) -> FlatBranch:
        """Return the value of every jet; NaN where the link leads nowhere."""
        made = values[0] if self.score is None else self.score(*values)
        counts, there = _counts(link), _counts(made)
        index = link.content.astype(np.int64)
        inside = index < np.repeat(there, counts)
        where = np.repeat(_starts(there), counts) + index
        found = np.full(len(index), np.nan, np.float32)
        found[inside] = made.content[where[inside]]
        return FlatBranch(found, link.counts)


def _counts(branch: FlatBranch) -> IntArray:
    assert branch.counts is not None
    return branch.counts


def _starts(counts: AnyArray) -> IntArray:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)[:-1]]) if len(counts) else np.zeros(0, np.int64)


def _tagger(name: str, score: Discriminant, kinds: tuple[str, ...]) -> tuple[Source, ...]:
    """Return where a tagger's chances are: with the jets, or in a container that they have links to."""
    chances = [tuple(f"{name}_{kind}" for kind in some) for some in (kinds, kinds[:3]) if len(some) >= 3]
    mine = [Source(names, function=score) for names in chances]
    linked = [
        Source((_LINK, *(f"{container}.{one}" for one in names)), function=Linked(score))
        for container in _B_TAGGING
        for names in chances
    ]
    return tuple(dict.fromkeys([*mine, *linked]))


_TAU = ("pb", "pc", "pu", "ptau")
B_TAGGERS = {
    "GN2v01": _tagger("GN2v01", Discriminant(0.2, 0.01), _TAU),
    "DL1dv01": _tagger("DL1dv01", Discriminant(0.018), _TAU[:3]),
    "GN2v00": _tagger("GN2v00", Discriminant(0.1), _TAU[:3]),
    "DL1r": _tagger("DL1r", Discriminant(0.018), _TAU[:3]),
    "MV2c10": tuple(Source((_LINK, f"{container}.MV2c10_discriminant"), function=Linked()) for container in _B_TAGGING),
}
"""Taggers of releases 21 to 25, and where their scores come from."""

_TRACKS = {
    "Electron": (
        "ptvarcone30_Nonprompt_All_MaxWeightTTVALooseCone_pt1000",
        "ptvarcone30_TightTTVALooseCone_pt1000",
        "ptvarcone20_TightTTVA_pt1000",
        "ptvarcone20",
    ),
    "Muon": (
        "ptvarcone30_Nonprompt_All_MaxWeightTTVA_pt1000",
        "ptvarcone30_TightTTVA_pt1000",
        "ptvarcone30",
    ),
}
"""Sum of the pT of other tracks in a cone that shrinks with pT, release by release."""


def _momenta() -> dict[str, Source | tuple[Source, ...]]:
    found: dict[str, Source | tuple[Source, ...]] = {}
    for collection in COLLECTIONS:
        found[f"{collection}_pt"] = Source(("pt",), GEV)
        found[f"{collection}_mass"] = Source(("m",), GEV)
    for collection, names in _TRACKS.items():
        found[f"{collection}_trackIsolation"] = tuple(Source((name,), GEV) for name in names)
        found[f"{collection}_caloIsolation"] = Source(("topoetcone20",), GEV)
    return found | {f"Jet_{name}": sources for name, sources in B_TAGGERS.items()}


COLLECTIONS = {
    "Electron": "AnalysisElectrons",
    "Muon": "AnalysisMuons",
    "Tau": "AnalysisTauJets",
    "Photon": "AnalysisPhotons",
    "Jet": "AnalysisJets",
}
_TERM = "MET_Core_AnalysisMET"
PHYSLITE = Dialect(
    "PHYSLITE",
    ("CollectionTree", "EventData"),
    COLLECTIONS,
    _momenta(),
    {
        "run": Source(("EventInfo.runNumber",)),
        "luminosityBlock": Source(("EventInfo.lumiBlock",)),
        "event": Source(("EventInfo.eventNumber",)),
        "genWeight": Source(("EventInfo.mcEventWeights",), function=first_of_lists),
        "PV_npvsGood": Source(("PrimaryVertices.vertexType",), function=n_primary_vertices),
        "SoftTerm_px": Source((f"{_TERM}.mpx", f"{_TERM}.source"), GEV, track_term),
        "SoftTerm_py": Source((f"{_TERM}.mpy", f"{_TERM}.source"), GEV, track_term),
    },
    ("EventInfo", *COLLECTIONS.values()),
    tuple(COLLECTIONS),
)
"""DAOD_PHYSLITE of releases 21 to 25 (``CollectionTree`` is a TTree, ``EventData`` an RNTuple)."""
