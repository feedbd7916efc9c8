"""Ready object definitions for NanoAOD v4 to v15 and PHYSLITE: electrons, muons, hadronic taus, photons, jets, b-jets.

A symmetry test wants *equal* selections, not the best one of each flavour: electrons and muons get the same pT and eta
range, the same crack taken out of both, the same impact parameters and isolation. Every identification is an ordered
list over the versions, with entries for ATLAS (:mod:`coffea_ddp.plan.atlas`); the output names the one that was used.

Working points are data: pass other numbers, or ``dataclasses.replace`` a definition.

Examples
--------
>>> [definition.name for definition in standard_objects()]
['e', 'mu', 'lepton', 'gamma', 'tau', 'j', 'b']
>>> electron(pt_min=30).pt_min, muon(pt_min=30).pt_min
(30, 30)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.events.cuts import ComputedCut, Cut, FirstAvailable, Recent, WorkingPoint
from coffea_ddp.events.objects import MergedObject, ObjectDefinition
from coffea_ddp.plan import atlas

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray

CRACK = (1.444, 1.566)
"""The gap between the barrel and the endcaps of the electromagnetic calorimeter, in abs(eta)."""

ELECTRON_MASS, MUON_MASS = 0.000511, 0.10566
"""GeV."""

_IMPACT = (
    FirstAvailable("impact parameter dxy", (Cut("dxy", "abs<", 0.05), atlas.NO_TRACKS)),
    FirstAvailable("impact parameter dz", (Cut("dz", "abs<", 0.1), atlas.NO_TRACKS)),
)
_FROM_LEPTONS = (("e", 0.4), ("mu", 0.4))


def electron(pt_min: float = 20.0, eta_max: float = 2.4, isolation: float = 0.15) -> ObjectDefinition:
    """Return ``"e"``: MVA identification at 90 % efficiency, relative isolation, prompt, outside the crack.

    Examples
    --------
    >>> electron().name
    'e'
    """
    identification = FirstAvailable(
        "identification",
        (
            Cut("mvaIso_WP90"),  # v10 and later
            Cut("mvaFall17V2Iso_WP90"),  # v5 to v9
            Cut("mvaFall17V1Iso_WP90"),  # v5 and v6
            Cut("mvaSpring16GP_WP90"),  # v4 and before
            Cut("cutBased", ">=", 3),
            *atlas.ELECTRON,
        ),
    )
    return ObjectDefinition(
        "e", "Electron", pt_min, eta_max, (CRACK,), (identification, _isolated("pfRelIso03_all", isolation), *_IMPACT),
        mass=ELECTRON_MASS, charged=True, flavour=11,
    )  # fmt: skip


def _isolated(field: str, most: float) -> FirstAvailable:
    return FirstAvailable("isolation", (Cut(field, "<", most), atlas.isolated(most)))


def muon(pt_min: float = 20.0, eta_max: float = 2.4, isolation: float = 0.15) -> ObjectDefinition:
    """Return ``"mu"``: medium identification, the electron's thresholds, and the electron's crack taken out as well.

    Examples
    --------
    >>> muon().name
    'mu'
    """
    identification = FirstAvailable("identification", (Cut("mediumId"), *atlas.MUON))
    return ObjectDefinition(
        "mu", "Muon", pt_min, eta_max, (CRACK,), (identification, _isolated("pfRelIso04_all", isolation), *_IMPACT),
        mass=MUON_MASS, charged=True, flavour=13,
    )  # fmt: skip


def photon(pt_min: float = 25.0, eta_max: float = 2.4) -> ObjectDefinition:
    """Return ``"gamma"``: MVA identification at 90 % efficiency, electron veto, away from leptons.

    Examples
    --------
    >>> photon().name
    'gamma'
    """
    return ObjectDefinition(
        "gamma",
        "Photon",
        pt_min,
        eta_max,
        (CRACK,),
        (
            FirstAvailable("identification", (Cut("mvaID_WP90"), *atlas.PHOTON)),
            FirstAvailable("electron veto", (Cut("electronVeto"), atlas.NO_VETO)),
        ),
        _FROM_LEPTONS,
        flavour=22,
    )


def tau(pt_min: float = 20.0, eta_max: float = 2.3) -> ObjectDefinition:
    """Return ``"tau"``: a hadronic tau at the medium working point against jets, away from leptons.

    Examples
    --------
    >>> tau().name
    'tau'
    """
    identification = FirstAvailable(
        "identification",
        (
            Cut("idDeepTau2018v2p5VSjet", ">=", 5),  # v10 and later: a number, 5 is medium
            WorkingPoint("idDeepTau2017v2p1VSjet", 5),  # v6 to v9: bits; v10 to v14: a number
            Cut("idMVAoldDM2017v2", "has bits", 8),  # v5
            Cut("idMVAoldDM", "has bits", 4),  # v4 and 2016
            *atlas.TAU,
        ),
    )
    impact = FirstAvailable("impact parameter dz", (Cut("dz", "abs<", 0.2), atlas.NO_TRACKS))
    return ObjectDefinition(
        "tau", "Tau", pt_min, eta_max, (), (identification, impact), _FROM_LEPTONS,
        mass=None, charged=True, flavour=15,
    )  # fmt: skip


def jet(pt_min: float = 30.0, eta_max: float = 4.7) -> ObjectDefinition:
    """Return ``"j"``: a tight jet, away from leptons, photons and taus.

    The identification of the file is wrong beyond abs(eta) 2.7 in some versions: in files of v10 and later it is made
    anew of energy fractions and multiplicities, or corrected by the fractions alone; the output says which.

    Examples
    --------
    >>> jet().name
    'j'
    """
    recomputed = ComputedCut("Jet energy fractions (tight)", _TIGHT_JET_FIELDS, tight_jet, numbers=True)
    identification = FirstAvailable(
        "identification",
        (
            Recent(recomputed),  # v13 and later; v15 has no jetId
            Recent(_jet_id("by energy fractions", _JET_ID_FIELDS, corrected_jet_id)),
            Recent(_jet_id("not corrected: no energy fractions", ("jetId",), _is_tight)),
            Cut("jetId", "has bits", 2),  # v9 and before
            recomputed,
            *atlas.JET,
        ),
    )
    away = (*_FROM_LEPTONS, ("gamma", 0.4), ("tau", 0.4))
    return ObjectDefinition("j", "Jet", pt_min, eta_max, (), (identification,), away, mass=None)


def b_jet(working_point: float = 0.6, pt_min: float = 30.0, eta_max: float = 2.4) -> ObjectDefinition:
    """Return ``"b"``: a jet with a b-tag score above ``working_point``.

    The number belongs to a tagger and an era; the default is between medium and tight for DeepJet. CSVv2 (v4 and
    before) runs on another scale and keeps its own medium point, 0.8484; those of ATLAS have their points of 77 %
    efficiency.

    Examples
    --------
    >>> b_jet().name
    'b'
    """
    tag = FirstAvailable(
        "b tag",
        (
            Cut("btagDeepFlavB", ">", working_point),
            Cut("btagUParTAK4B", ">", working_point),
            Cut("btagPNetB", ">", working_point),
            Cut("btagDeepB", ">", working_point),
            Cut("btagCSVV2", ">", 0.8484),
            *atlas.B_JET,
        ),
    )
    base = jet(pt_min, eta_max)
    return dataclasses.replace(base, name="b", cuts=(*base.cuts, tag))


def loose_leptons(pt_min: float = 10.0, eta_max: float = 2.5, isolation: float = 0.4) -> tuple[Any, Any]:
    """Return ``"e_loose"`` and ``"mu_loose"``: isolated leptons without identification, crack or impact parameters.

    What a lepton is that fails the selection of ``"e"`` or ``"mu"``: jets are made of it, too, and of Z -> ll an
    apparent resonance of a lepton and a jet. A spectrum does not use them; they clean jets (:func:`no_leptons`).

    Examples
    --------
    >>> [one.pt_min for one in loose_leptons()]
    [10.0, 10.0]
    """
    return (
        ObjectDefinition(
            "e_loose", "Electron", pt_min, eta_max, cuts=(_isolated("pfRelIso03_all", isolation),), mass=ELECTRON_MASS,
            flavour=11,
        ),
        ObjectDefinition(
            "mu_loose", "Muon", pt_min, eta_max, cuts=(_isolated("pfRelIso04_all", isolation),), mass=MUON_MASS,
            flavour=13,
        ),
    )  # fmt: skip


def no_leptons(definition: ObjectDefinition) -> ObjectDefinition:
    """Return the definition of a jet, away from :func:`loose_leptons` and not made of an electron or a muon.

    The latter by its energy fractions, as of the jet group's tight identification with lepton veto, where the file has
    them.

    Examples
    --------
    >>> len(no_leptons(jet()).cuts) == len(jet().cuts) + 1
    True
    """
    veto = FirstAvailable(
        "lepton veto",
        (
            ComputedCut("Jet_chEmEF and Jet_muEF below 0.8", ("chEmEF", "muEF"), _no_lepton, numbers=True),
            Cut("jetId", "has bits", 4),
        ),
        required=False,
    )
    away = (*definition.away_from, ("e_loose", 0.4), ("mu_loose", 0.4))
    return dataclasses.replace(definition, cuts=(*definition.cuts, veto), away_from=away)


def _no_lepton(charged_em: AnyArray, muons: AnyArray) -> AnyArray:
    return np.asarray((charged_em < _MOST_LEPTON) & (muons < _MOST_LEPTON))


def standard_objects(lepton_pt_min: float = 20.0, b_working_point: float = 0.6) -> tuple[Any, ...]:
    """Return all objects in the order in which they clean each other, ``"lepton"`` being e and mu together.

    Examples
    --------
    >>> [one.name for one in standard_objects()][:3]
    ['e', 'mu', 'lepton']
    """
    return (
        electron(lepton_pt_min),
        muon(lepton_pt_min),
        MergedObject("lepton", ("e", "mu")),
        photon(),
        tau(),
        jet(),
        b_jet(b_working_point),
    )


def generator_weight(events: Any) -> AnyArray:
    """Return the generator weight of simulated events, and 1 for data: ``ScanPlan(..., weight=generator_weight)``.

    Its sign matters where a generator beyond leading order has negative weights; its size is of no consequence to a
    test within one sample, and needs the dataset's ``weight`` (cross section times luminosity over the sum of
    generator weights) where samples are added.

    Examples
    --------
    >>> from coffea_ddp.plan.plan import ScanPlan
    >>> ScanPlan("p", weight=generator_weight).layout.weighted
    True
    """
    if events.has_branch("genWeight"):
        return np.asarray(events.branch("genWeight"), dtype=np.float64)
    return np.ones(events.n_events)


_MOST_LEPTON = 0.8
"""Of the energy of a jet."""
_FAT = {
    "V": ("WvsQCD", 65.0, 105.0),
    "H": ("HbbvsQCD", 100.0, 150.0),
    "t": ("TvsQCD", 140.0, 220.0),
}
_FAT_TAGGERS = ("particleNetWithMass", "particleNet", "deepTag")
"""v12 and later; v9 and its like; v5 to v9."""


def fat_jet(
    kind: str, tag: float = 0.9, pt_min: float = 250.0, eta_max: float = 2.4, away_from: tuple[str, ...] = ()
) -> ObjectDefinition:
    """Return ``"VJ"``, ``"HJ"`` or ``"tJ"``: a wide jet with the tag and the mass of a W or Z, an H, or a top quark.

    In files without such a tagger no event has one. The tagger is the first of those of ParticleNet and DeepAK8 that
    the file has, the mass that of soft drop or of ParticleNet's regression.

    Parameters
    ----------
    kind
        ``"V"``, ``"H"`` or ``"t"``.
    tag
        The score against multijets that must be exceeded.
    pt_min, eta_max
        Thresholds in GeV and in abs(eta).
    away_from
        Objects defined before, that are not within 0.8 of it (electrons and muons never are).

    Raises
    ------
    InputError
        If there is no such kind.

    Examples
    --------
    >>> fat_jet("t", away_from=("gamma",)).away_from
    (('e', 0.8), ('mu', 0.8), ('gamma', 0.8))
    """
    if kind not in _FAT:
        raise InputError(f"fat_jet({kind!r}): the kinds are {', '.join(_FAT)}")
    score, low, high = _FAT[kind]
    tagger = FirstAvailable("tagger", tuple(Cut(f"{name}_{score}", ">", tag) for name in _FAT_TAGGERS))
    window = _MassWindow(low, high)
    mass = FirstAvailable(
        "mass", tuple(ComputedCut(name, (name,), window, numbers=True) for name in ("msoftdrop", "particleNet_mass"))
    )
    away = tuple((name, 0.8) for name in ("e", "mu", *away_from))
    return ObjectDefinition(
        f"{kind}J", "FatJet", pt_min, eta_max, (), (tagger, mass), away, mass=None, required=False
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class _MassWindow:
    low: float
    high: float

    def __call__(self, mass: AnyArray) -> AnyArray:
        return (mass > self.low) & (mass < self.high)


_BEYOND = "beyond abs(eta) 2.7"
_JET_ID_FIELDS = ("jetId", "eta", "neHEF", "neEmEF")
_TIGHT_JET_FIELDS = ("eta", "neHEF", "chHEF", "neEmEF", "chMultiplicity", "neMultiplicity")


def tight_jet(
    eta: AnyArray,
    neutral_hadrons: AnyArray,
    charged_hadrons: AnyArray,
    neutral_em: AnyArray,
    n_charged: AnyArray,
    n_neutral: AnyArray,
) -> AnyArray:
    """Return the tight jet identification from the energy fractions, for files of NanoAOD v13 and later.

    The Run 3 PUPPI recipe of the CMS jet group, in its four ranges of abs(eta).

    Examples
    --------
    >>> tight_jet(*(np.array([value]) for value in (0.5, 0.2, 0.5, 0.1)), np.array([9]), np.array([3])).tolist()
    [True]
    """
    distance = np.abs(eta)
    # The multiplicities are unsigned bytes: their sum must not wrap around.
    n_constituents = n_charged.astype(np.int64) + n_neutral.astype(np.int64)
    central = (
        (neutral_hadrons < 0.99)
        & (neutral_em < 0.90)
        & (n_constituents > 1)
        & (charged_hadrons > 0.01)
        & (n_charged > 0)
    )
    gap = (neutral_hadrons < 0.90) & (neutral_em < 0.99)
    endcap = neutral_hadrons < 0.99
    forward = (n_neutral >= 2) & (neutral_em < 0.40)
    return np.select([distance <= 2.6, distance <= 2.7, distance <= 3.0], [central, gap, endcap], forward)


def corrected_jet_id(jet_id: AnyArray, eta: AnyArray, neutral_hadrons: AnyArray, neutral_em: AnyArray) -> AnyArray:
    """Return the tight jet identification of NanoAOD v12, with the cuts that it lacks beyond abs(eta) 2.7.

    As the CMS jet group prescribes for files without multiplicities.

    Examples
    --------
    >>> corrected_jet_id(*(np.array([value]) for value in (2, 3.5, 0.1, 0.8))).tolist()
    [False]
    """
    distance = np.abs(eta)
    lacking = np.select([distance <= 2.7, distance <= 3.0], [True, neutral_hadrons < 0.99], neutral_em < 0.40)
    return np.asarray(_is_tight(jet_id) & lacking)


def _jet_id(how: str, fields: tuple[str, ...], function: Callable[..., Any]) -> ComputedCut:
    return ComputedCut(f"Jet_jetId, {_BEYOND} {how}", fields, function, numbers=True)


def _is_tight(jet_id: AnyArray) -> AnyArray:
    return np.asarray((jet_id.astype(np.int64) & 2) == 2)
