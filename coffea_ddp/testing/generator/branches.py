"""The names and types of NanoAOD's branches, version 4 to 15, as the real files have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from coffea_ddp._typing import AnyArray
    from coffea_ddp.testing.generator.detector import Reconstructed

OLDEST, NEWEST = 4, 15
SMALL_INTEGERS = 12  # from this version on, working points and the like take one byte, charges of taus two
_SHRINKING = {"wp": ("i4", "u1"), "index": ("i4", "i2")}

Columns: TypeAlias = "dict[str, AnyArray]"


def branches(version: int) -> Iterator[Branch]:
    """Return the branches of a version, scalars first."""
    return (branch for branch in BRANCHES if branch.first <= version <= branch.last)


def contents(version: int, events: Reconstructed) -> tuple[Columns, dict[str, Columns]]:
    """Return the scalar branches, and the flat contents of every collection's branches, of a version."""
    scalars: Columns = {}
    collections: dict[str, Columns] = {name: {} for name in events.objects}
    for branch in branches(version):
        source = events.scalars if not branch.collection else events.objects[branch.collection].columns
        length = len(source["pt"]) if branch.collection else events.n_events
        column = branch.column(source, length, version)
        (collections[branch.collection] if branch.collection else scalars)[branch.name] = column
    return scalars, collections


def _bits(level: AnyArray) -> AnyArray:
    """Working point k as a bitmask: the lowest k bits are set."""
    mask: AnyArray = 2 ** level.astype(np.int64) - 1
    return mask


def _mva_bits(level: AnyArray) -> AnyArray:
    # The MVA ids have six working points from VLoose; DeepTau's first two are looser than any of them.
    return _bits(np.clip(level - 2, 0, 6))


def _electron_cut(passed: AnyArray) -> AnyArray:
    return np.where(passed, 4, 2)


def _isolation_level(iso: AnyArray) -> AnyArray:
    return np.searchsorted(-np.array([0.40, 0.25, 0.20, 0.15, 0.10, 0.05]), -iso, side="left")


def _jet_id(columns: Columns) -> AnyArray:
    bits: AnyArray = 2 * columns["tight"] + 4 * columns["tight_lepton_veto"]
    return bits


def _old_jet_id(columns: Columns) -> AnyArray:
    bits: AnyArray = 3 * columns["tight"]
    return bits


def _constant(value: float) -> Callable[[Columns], AnyArray]:
    return lambda _: np.asarray(value)


@dataclass(frozen=True)
class Branch:
    """One branch: its source (a column of the generator, or a function of all), type and range of versions.

    ``kind`` is a numpy type string, or one of those that shrank in version 12: ``"wp"`` (a working point),
    ``"index"``.
    """

    collection: str
    name: str
    kind: str
    source: str | Callable[[Columns], AnyArray]
    convert: Callable[[AnyArray], AnyArray] | None = None
    first: int = OLDEST
    last: int = NEWEST

    @property
    def full_name(self) -> str:
        """The name in the file."""
        return f"{self.collection}_{self.name}" if self.collection else self.name

    def dtype(self, version: int) -> np.dtype[np.generic]:
        """Return the type in the file."""
        before, after = _SHRINKING.get(self.kind, (self.kind, self.kind))
        return np.dtype(after if version >= SMALL_INTEGERS else before)

    def column(self, columns: Columns, length: int, version: int) -> AnyArray:
        """Return the contents."""
        values = columns[self.source] if isinstance(self.source, str) else self.source(columns)
        if self.convert is not None:
            values = self.convert(values)
        return np.ascontiguousarray(np.broadcast_to(values, (length,)), dtype=self.dtype(version))


def _kinematics(collection: str, mass: float | None, charge: str = "i4") -> tuple[Branch, ...]:
    return (
        *(Branch(collection, name, "f4", name) for name in ("pt", "eta", "phi")),
        Branch(collection, "mass", "f4", "mass" if mass is None else _constant(mass)),
        Branch(collection, "charge", charge, "charge"),
    )


def _electron_mva() -> Iterator[Branch]:
    for name, first, last in (
        ("mvaSpring16GP", 4, 4),
        ("mvaFall17V1Iso", 5, 7),
        ("mvaFall17V2Iso", 5, 9),
        ("mvaIso", 10, 15),
    ):
        for point in ("WP80", "WP90"):
            yield Branch("Electron", f"{name}_{point}", "?", "id_passed", first=first, last=last)


def _tau_ids() -> Iterator[Branch]:
    yield Branch("Tau", "idMVAoldDM", "u1", "level", _mva_bits, last=9)
    yield Branch("Tau", "idMVAoldDM2017v2", "u1", "level", _mva_bits, first=5, last=7)
    yield Branch("Tau", "idDecayMode", "?", _constant(1), last=9)
    yield Branch("Tau", "idDecayModeNewDMs", "?", _constant(1))
    yield Branch("Tau", "idAntiMu", "u1", _constant(3), last=9)
    # What was a bitmask up to version 9 is the number of the working point since.
    for name, first, last, convert in (
        ("idDeepTau2017v2p1", 5, 9, _bits),
        ("idDeepTau2017v2p1", 10, 14, None),
        ("idDeepTau2018v2p5", 10, 15, None),
    ):
        yield Branch("Tau", f"{name}VSjet", "u1", "level", convert, first, last)
        yield Branch("Tau", f"{name}VSe", "u1", _constant(6), convert, first, last)
        yield Branch("Tau", f"{name}VSmu", "u1", _constant(4), convert, first, last)


def _b_taggers() -> Iterator[Branch]:
    for name, first, last in (
        ("btagCMVA", 4, 7),
        ("btagCSVV2", 4, 9),
        ("btagDeepB", 4, 9),
        ("btagDeepFlavB", 4, 15),
        ("btagPNetB", 12, 15),
        ("btagRobustParTAK4B", 12, 14),
        ("btagUParTAK4B", 15, 15),
    ):
        yield Branch("Jet", name, "f4", "b_score", first=first, last=last)


def _missing_momentum() -> Iterator[Branch]:
    for name, first, last in (("MET", 4, 14), ("PuppiMET", 4, 15), ("PFMET", 15, 15)):
        for column, source in (("pt", "met_pt"), ("phi", "met_phi"), ("sumEt", "sum_et")):
            yield Branch("", f"{name}_{column}", "f4", source, first=first, last=last)


BRANCHES: tuple[Branch, ...] = (
    Branch("", "run", "u4", "run"),
    Branch("", "luminosityBlock", "u4", "luminosityBlock"),
    Branch("", "event", "u8", "event"),
    Branch("", "PV_npvsGood", "wp", "npvs_good"),
    Branch("", "HLT_Ele32_WPTight_Gsf", "?", "trigger_e"),
    Branch("", "HLT_IsoMu24", "?", "trigger_mu"),
    *_missing_momentum(),
    *_kinematics("Electron", 0.000511),
    Branch("Electron", "deltaEtaSC", "f4", _constant(0.0)),
    Branch("Electron", "dxy", "f4", "dxy"),
    Branch("Electron", "dz", "f4", "dz"),
    Branch("Electron", "sip3d", "f4", "sip3d"),
    Branch("Electron", "pfRelIso03_all", "f4", "iso"),
    Branch("Electron", "cutBased", "wp", "id_passed", _electron_cut),
    Branch("Electron", "tightCharge", "wp", _constant(2)),
    *_electron_mva(),
    *_kinematics("Muon", 0.10566),
    Branch("Muon", "dxy", "f4", "dxy"),
    Branch("Muon", "dz", "f4", "dz"),
    Branch("Muon", "sip3d", "f4", "sip3d"),
    Branch("Muon", "pfRelIso03_all", "f4", "iso"),
    Branch("Muon", "pfRelIso04_all", "f4", "iso"),
    Branch("Muon", "looseId", "?", _constant(1), first=5),
    Branch("Muon", "mediumId", "?", "id_passed"),
    Branch("Muon", "tightId", "?", "id_passed"),
    Branch("Muon", "pfIsoId", "u1", "iso", _isolation_level, first=5),
    *_kinematics("Tau", None, charge="index"),
    Branch("Tau", "dz", "f4", "dz"),
    Branch("Tau", "decayMode", "wp", "decay_mode"),
    *_tau_ids(),
    *(Branch("Photon", name, "f4", name) for name in ("pt", "eta", "phi")),
    Branch("Photon", "mass", "f4", _constant(0.0), last=11),
    Branch("Photon", "charge", "i4", _constant(0), last=11),
    Branch("Photon", "cutBased", "i4", "level", last=4),
    Branch("Photon", "cutBasedBitmap", "i4", "level", _bits, first=5, last=7),
    Branch("Photon", "cutBased", "wp", "level", first=8),
    Branch("Photon", "mvaID_WP80", "?", "id_passed"),
    Branch("Photon", "mvaID_WP90", "?", "id_passed"),
    Branch("Photon", "electronVeto", "?", _constant(1)),
    Branch("Photon", "pixelSeed", "?", _constant(0)),
    Branch("Photon", "pfRelIso03_all", "f4", "iso", last=11),
    Branch("Photon", "pfRelIso03_all_quadratic", "f4", "iso", first=12),
    *(Branch("Jet", name, "f4", name) for name in ("pt", "eta", "phi", "mass")),
    *_b_taggers(),
    Branch("Jet", "jetId", "i4", _old_jet_id, last=4),
    Branch("Jet", "jetId", "wp", _jet_id, first=5, last=14),
    Branch("Jet", "puId", "i4", _constant(7), last=11),
    Branch("Jet", "chHEF", "f4", "charged_hadron"),
    Branch("Jet", "neHEF", "f4", "neutral_hadron"),
    Branch("Jet", "chEmEF", "f4", "charged_em"),
    Branch("Jet", "neEmEF", "f4", "neutral_em"),
    Branch("Jet", "muEF", "f4", "muon"),
    Branch("Jet", "nConstituents", "i4", "n_constituents", last=8),
    Branch("Jet", "nConstituents", "u1", "n_constituents", first=9),
    Branch("Jet", "chMultiplicity", "u1", "n_charged", first=15),
    Branch("Jet", "neMultiplicity", "u1", "n_neutral", first=15),
)
