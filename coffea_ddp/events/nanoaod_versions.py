"""NanoAOD's versions: what tells them apart, and the branches whose meaning changed between them.

A file does not say its version. It is told by names that came or went with version 10, never by the types of branches,
which a skim may change. An encoding is told by the title of its branch or, where a skim lost it, by the values in the
whole file: a chunk of it may hold none that tells.

Examples
--------
>>> import awkward as ak
>>> from coffea_ddp.events.branches import Columns
>>> is_recent(Columns(ak.Array({"Electron_mvaIso_WP90": [[True]]})))
True
>>> encoding([0, 1, 3, 5]), encoding([0, 1, 3, 31]), encoding([0, 1, 3])
('number', 'bits', '')
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import BranchError, some_of

if TYPE_CHECKING:
    from coffea_ddp.events.branches import Columns

NUMBER, BITS = "number", "bits"
"""Encodings of a working point: the n-th is the number n, or has the lowest n bits set."""

RECENT = (
    "Electron_mvaIso_WP90",
    "Electron_mvaIso_WP80",
    "Electron_mvaNoIso_WP90",
    "Electron_mvaNoIso_WP80",
    "Rho_fixedGridRhoFastjetAll",
    "Tau_idDeepTau2018v2p5VSjet",
    "Jet_btagPNetB",
    "Jet_btagRobustParTAK4B",
    "Jet_btagUParTAK4B",
    "Jet_chMultiplicity",
)
"""Branches that only version 10 and later have."""
OLD = (
    "Electron_mvaFall17V2Iso_WP90",
    "Electron_mvaFall17V2Iso_WP80",
    "Electron_mvaFall17V1Iso_WP90",
    "Electron_mvaSpring16GP_WP90",
    "Electron_cutBased_Fall17_V1",
    "Photon_cutBasedBitmap",
    "Tau_idMVAoldDM",
    "Tau_idMVAoldDM2017v2",
    "Jet_btagCSVV2",
    "fixedGridRhoFastjetAll",
)
"""Branches that only version 9 and before have."""


@dataclass(frozen=True)
class Change:
    """One branch whose meaning is not the same in all versions of NanoAOD.

    Attributes
    ----------
    branch
        Its name; ``*`` stands for the rest of several.
    meanings
        What it holds, version by version.
    used
        How the ready definitions deal with it; empty where they do not read it.
    """

    branch: str
    meanings: str
    used: str = ""


CHANGES: tuple[Change, ...] = (
    Change(
        "Tau_idDeepTau2017v2p1VSjet",
        "v6 to v9: bits (medium is 16); v10 to v14: a number (medium is 5)",
        "distinguished by the title of the branch or by its values",
    ),
    Change("Tau_idDeepTau2017v2p1VSe", "v6 to v9: bits; v10 to v14: a number"),
    Change("Tau_idDeepTau2017v2p1VSmu", "v6 to v9: bits; v10 to v14: a number"),
    Change("Tau_idDeepTau2018v2p5VSjet", "v10 and later, always a number (medium is 5)", "preferred"),
    Change(
        "Tau_idMVAoldDM2017v2",
        "v5 to v8: bits that begin at VVLoose (medium is 8)",
        "as bits",
    ),
    Change(
        "Tau_idMVAoldDM",
        "v9 and before: bits that begin at VLoose (medium is 4)",
        "as bits",
    ),
    Change(
        "Tau_decayMode",
        "v9 and before: those of the old decay modes are selected by idDecayMode; later: idDecayModeNewDMs alone, with "
        "two-prong decays (5, 6)",
    ),
    Change(
        "Jet_jetId",
        "v9 and before: bits loose (1), tight (2), tight with lepton veto (4), for CHS jets; v10 to v14: tight (2) and "
        "lepton veto (4), wrong beyond abs(eta) 2.7 in v12 and v13, for PUPPI jets; v15: none",
        "recomputed from energy fractions and multiplicities, or the fractions corrected beyond abs(eta) 2.7, in files "
        "of v10 and later",
    ),
    Change(
        "Jet_puId", "v11 and before, for CHS jets: bits tight (1), medium (2), loose (4); the training differs by year"
    ),
    Change("Jet_nConstituents", "v8 and before: 32 bits; later: 8 bits, at most 255"),
    Change(
        "Jet_chMultiplicity, Jet_neMultiplicity",
        "v13 and later: unsigned bytes, whose sum wraps around",
        "added as wide integers",
    ),
    Change(
        "Jet_btag*",
        "each tagger has its own scale, and working points by year; CSVv2 and CMVA until v9, DeepCSV until v11, "
        "DeepJet in all, ParticleNet from v12, RobustParT in v12 to v14, UParT from v15",
        "the first of DeepJet, UParT, ParticleNet, DeepCSV, CSVv2; the output names it",
    ),
    Change(
        "Electron_cutBased",
        "0 to 4 (fail, veto, loose, medium, tight) of the training of its time: Summer16, Fall17V1 (v4), Fall17V2 (v5 "
        "to v11), Winter22V1 (v12 and later); vidNestedWPBitmap holds three bits a cut",
        "the last resort: 3 or more",
    ),
    Change(
        "Electron_mva*",
        "mvaSpring16GP (v4 and before), mvaFall17V1Iso (v5 to v8), mvaFall17V2Iso (v5 to v9), mvaIso (v10 and later; "
        "Winter22V1 from v12 on)",
        "the newest that the file has; the output names it",
    ),
    Change(
        "Electron_pfRelIso03_all",
        "with the effective areas of its time",
        "as it is",
    ),
    Change(
        "Electron_tightCharge, Muon_tightCharge", "0, 1, 2 for electrons; 0 and 2 for muons; 32 bits until v9, 8 later"
    ),
    Change(
        "Muon_looseId, Muon_mediumId, Muon_tightId",
        "yes or no in all versions; looseId from v5 on",
        "mediumId; anything but 0 and 1 is an error",
    ),
    Change("Muon_pfIsoId, Muon_miniIsoId, Muon_multiIsoId", "numbers 1 to 6 (1 to 4) from v5 on; bits in no version"),
    Change("Muon_mvaId", "v5 to v9: a number 1 to 5; v10 and later: mvaMuID_WP and mvaLowPtId"),
    Change(
        "Photon_cutBased",
        "v4 and before: 0 to 3; v5 to v7: none, cutBasedBitmap with bits instead; v8 and later: 0 to 3",
    ),
    Change(
        "Photon_mvaID_WP90",
        "Spring16 (v4), Fall17V1 or V2 (v5 to v9), Winter22V1 (v12 and later); yes or no in all",
        "as it is; anything but 0 and 1 is an error",
    ),
    Change("Photon_pfRelIso03_all", "v11 and before; _quadratic from v12 on"),
    Change(
        "MET, PuppiMET, PFMET",
        "MET is of all particles and type-1 corrected until v14, PFMET from v15 on; PuppiMET is uncorrected before v7",
        "the first of PuppiMET, MET, PFMET; the output names it",
    ),
    Change(
        "FatJet_particleNet_*",
        "v9 and its like: WvsQCD, TvsQCD and their like see the mass; later these are particleNetWithMass_*, and "
        "particleNet_* are decorrelated from the mass under other names (XbbVsQCD ...)",
        "the first of particleNetWithMass, particleNet, deepTag; the output names it",
    ),
    Change(
        "FatJet_particleNet_mass",
        "v9 and its like: a mass in GeV; later: massCorr, a factor",
        "where there is no msoftdrop",
    ),
    Change(
        "nElectron, nMuon, nTau, nPhoton, nJet",
        "v11 and before: unsigned; later: signed",
        "not read: lists have lengths",
    ),
    Change(
        "Electron_charge, Muon_charge, Tau_charge",
        "32 bits; Tau_charge has 16 from v12 on",
        "whole numbers with a sign",
    ),
    Change("run, luminosityBlock, event", "32, 32 and 64 bits without a sign", "whole numbers from 0 on"),
)
"""The branches that hold other things in other versions."""


def is_recent(columns: Columns) -> bool | None:
    """Tell whether a file is of version 10 or later, of 9 or before, or does not tell (``None``)."""
    recent, old = (next((name for name in names if columns.has(name)), None) for names in (RECENT, OLD))
    # Who reads fewer branches of the file must come to the same answer.
    columns.keep(name for name in (recent, old) if name is not None)
    return None if (recent is None) == (old is None) else recent is not None


def encoding_of(columns: Columns, branch: str) -> str:
    """Return how a branch of a file holds working points; empty where it does not matter.

    Raises
    ------
    BranchError
        If its values fit no encoding, contradict the title, or cannot tell where it matters.
    """
    told = _by_title(columns.title(branch))
    values = columns.content(branch) if told else columns.whole(branch)
    found = encoding(values)
    if found is None or (told and found and found != told):
        says = f"its title says {told}" if told and found else "1 to 8, or the lowest bits set, are expected"
        seen = some_of((str(value) for value in np.unique(values)), 12)
        raise BranchError(f"{columns.source}: {branch} holds {seen}; {says}: what a working point is cannot be told")
    if told or found:
        return told or found
    recent = is_recent(columns)
    if recent is None and np.any(np.asarray(values) == 7):
        raise BranchError(
            f"{columns.source}: {branch} holds 0, 1, 3 and 7 alone and has no title, so that it may be bits (v9 and "
            "before) or a number (v10 and later), and no other branch tells the version; keep "
            "Electron_mvaIso_WP90 or Rho_fixedGridRhoFastjetAll in the skim, or write a Cut for it, with the operation "
            "'>=' or 'has bits'"
        )
    return {True: NUMBER, False: BITS, None: ""}[recent]


def _by_title(title: str) -> str:
    """Return what the title of a branch says, as NanoAOD writes it: "bitmask 1 = VVVLoose ...", "5 = Medium"."""
    if "bitmask" in title or re.search(r"\b16 = ", title):
        return BITS
    return NUMBER if re.search(r"\b3 = ", title) else ""


def encoding(values: Any) -> str | None:
    """Return how values hold working points; empty if they fit both encodings, ``None`` if they fit none."""
    found = np.unique(np.asarray(values))
    if found.dtype.kind == "f":
        found = found[~np.isnan(found)]
        if np.any(found != np.floor(found)):
            return None
    if found.dtype.kind == "i" and found.dtype.itemsize == 1:
        found = found.view(np.uint8)  # 255 in a signed byte
    fits_number = bool(np.all((found >= 0) & (found <= 8)))
    fits_bits = bool(np.all(np.isin(found, 2 ** np.arange(9) - 1)))
    if fits_number == fits_bits:
        return "" if fits_number else None
    return NUMBER if fits_number else BITS
