"""Every invariant mass of leading objects and candidates, in every exclusive final state, in one pass: 333 spectra.

All combinations of up to four electrons, muons, taus, light jets, b-jets and photons (203); those with candidates for
Z, W, H and t (91); and those with tagged fat jets, in files that have them (39). Bins are half a mass resolution wide,
so that a narrow resonance has a standard deviation of two bins everywhere. Known resonances are masked where they can
be seen, and nothing is counted as two things: candidates exclude each other, jets are no leptons, and cells with and
without a known dilepton resonance are told apart.

    coffea-ddp run resonances data/*.root -o hists.ddp && coffea-ddp scan hists.ddp --tests bump
"""

import dataclasses
from collections import Counter

from coffea_ddp import (
    Candidate,
    Combination,
    InWindow,
    KnownResonance,
    MergedObject,
    Multiplicity,
    OppositeSignPair,
    Resolution,
    ScanPlan,
    ScanProcessor,
    Spectrum,
    System,
    Topology,
    Trigger,
    all_combinations,
    all_systems,
    combination,
    combined,
    fat_systems,
    nanoaod,
    resolution_axis,
    system,
)
from coffea_ddp.plan import atlas
from coffea_ddp.plan.masses.candidates import W_ENU, W_MUNU

# A lepton that fails the selection is no jet: with the other one of a Z it would make a resonance of lepton and jet.
b_jet, light_jet = nanoaod.no_leptons(nanoaod.b_jet()), nanoaod.no_leptons(nanoaod.jet())
# A jet is light or b, never both.
light_jet = dataclasses.replace(light_jet, away_from=(*light_jet.away_from, ("b", 0.4)))
fat_jets = (
    nanoaod.fat_jet("t", away_from=("gamma",)),
    nanoaod.fat_jet("H", away_from=("gamma", "tJ")),
    nanoaod.fat_jet("V", away_from=("gamma", "tJ", "HJ")),
)
outside = tuple((fat.name, 0.8) for fat in fat_jets)
objects = (
    *nanoaod.loose_leptons(),
    nanoaod.electron(),
    nanoaod.muon(),
    MergedObject("lepton", ("e", "mu")),
    nanoaod.photon(),
    nanoaod.tau(),
    b_jet,
    light_jet,
    *fat_jets,
    # Jets beside a fat jet are not part of it.
    dataclasses.replace(b_jet, name="bx", away_from=(*b_jet.away_from, *outside)),
    dataclasses.replace(light_jet, name="jx", away_from=(*light_jet.away_from, *outside)),
)
resolutions = {
    "e": Resolution(0.010, 0.10),
    "mu": Resolution(0.015),
    "gamma": Resolution(0.010, 0.10),
    "tau": Resolution(0.10, 0.5),
    "j": Resolution(0.05, 0.8),
    "b": Resolution(0.06, 0.8),
    "nu": Resolution(0.10, 1.0),
    **{fat.name: Resolution(0.05) for fat in fat_jets},
}
resolutions |= {"jx": resolutions["j"], "bx": resolutions["b"]}
lowest = {"e": 20.0, "mu": 20.0, "gamma": 25.0, "tau": 20.0, "j": 30.0, "b": 30.0, "nu": 0.0}
lowest |= {"jx": 30.0, "bx": 30.0} | {fat.name: fat.pt_min for fat in fat_jets}
at_rest = {"Z": 91.2, "W": 80.4, "V": 80.4, "H": 125.0, "t": 172.5}
top = (140.0, 210.0, "t")
# Where the mass of a b-jet and a lepton, or another jet, of one top quark ends: (m_t^2 - m_W^2)^(1/2).
end_point = ((152.6, "t to b and a lepton or jet of W"),)
of_a_top = ("e+j", "e+b", "mu+j", "mu+b", "tau+j", "tau+b", "2j", "j+b")
masks = {
    "2e": ((76.0, 106.0, "Z"),),
    "2mu": ((76.0, 106.0, "Z"),),
    "2tau": ((40.0, 106.0, "Z"),),
    "e+tau": ((40.0, 106.0, "Z"),),
    "mu+tau": ((40.0, 106.0, "Z"),),
    "e+mu": (),
    # Of Z -> ll with a lepton that is lost, and seen as something else.
    "e+j": ((76.0, 106.0, "Z"),),
    "mu+j": ((76.0, 106.0, "Z"),),
    "e+gamma": ((76.0, 106.0, "Z"),),
    "2gamma": ((76.0, 106.0, "Z"), (120.0, 130.0, "H")),
    "2mu+gamma": ((81.0, 101.0, "Z"),),
    "2e+gamma": ((81.0, 101.0, "Z"),),
    "4mu": ((81.0, 101.0, "Z"), (120.0, 130.0, "H")),
    "4e": ((81.0, 101.0, "Z"), (120.0, 130.0, "H")),
    "2e+2mu": ((81.0, 101.0, "Z"), (120.0, 130.0, "H")),
    **{f"{boson}+{jet}": (top,) for boson in ("W(e+nu)", "W(mu+nu)", "V(2j)") for jet in ("b", "j")},
}

# Each is one path under the names of several years, used in files that have one of them.
of_cms = ("HLT_Ele32_WPTight_Gsf", "HLT_Ele35_WPTight_Gsf", "HLT_Ele30_WPTight_Gsf", "HLT_Ele27_WPTight_Gsf")
electrons = (*of_cms, *atlas.ELECTRON_PATHS)
muons = ("HLT_IsoMu24", "HLT_IsoMu27", *atlas.MUON_PATHS)
photons = ("HLT_Photon200", "HLT_Photon175", *atlas.PHOTON_PATHS)
jets = ("HLT_PFHT1050", "HLT_PFHT900", "HLT_PFHT800", "HLT_PFJet500", "HLT_PFJet450", *atlas.JET_PATHS)


def trigger(mass: Combination | System) -> Trigger:
    """Return what the objects need: leptons those of their own, photons theirs, jets and taus alone those of jets."""
    names = set(mass.objects)
    leptons = tuple(paths for name, paths in (("e", electrons), ("mu", muons)) if name in names)
    if leptons:
        return Trigger(leptons, required=False, name=" and ".join(sorted(names & {"e", "mu"})))
    return Trigger((photons,), required=False, name="gamma") if "gamma" in names else Trigger((jets,), False, "jets")


def least_mass(mass: Combination | System) -> float:
    """Return where the spectrum starts: four tenths of the thresholds, or the sum of the candidates' windows."""
    windows = [part.window[0] for part in mass.parts if isinstance(part, Candidate)]
    return max(0.4 * sum(lowest[name] for name in mass.objects), sum(windows))


def thresholds(mass: Combination | System) -> tuple[tuple[float, str], ...]:
    """Return the mass of the objects at the least pT, with candidates at rest: twice the least pT of two alike.

    Two electrons or two muons are often a Z, so there is a second threshold with one at rest.
    """
    parts = [part for part in mass.parts if isinstance(part, Candidate)]
    alone = Counter(mass.objects) - Counter(name for part in parts for name in System((part, "e")).objects[:-1])
    heavy = [(at_rest[part.kind], str(part)) for part in parts]
    pairs = [Counter({name: 2}) for name in ("e", "mu") if alone[name] > 1 and alone.total() > 2]
    return (at_least(heavy, alone), *(at_least([*heavy, (at_rest["Z"], "Z")], alone - pair) for pair in pairs))


def at_least(heavy: list[tuple[float, str]], objects: Counter[str]) -> tuple[float, str]:
    """Return the mass of heavy particles at rest and objects at the least pT, and what they are."""
    words = [f"{number if number > 1 else ''}{name} of {lowest[name]:g} GeV" for name, number in objects.items()]
    least = sum(number * lowest[name] for name, number in objects.items())
    return sum(one for one, _ in heavy) + least, " and ".join([*(name for _, name in heavy), *words])


def spectrum(mass: Combination | System) -> Spectrum:
    """Return the spectrum of some objects, from its thresholds to 6 TeV."""
    neutrinos = ["nu"] if isinstance(mass, System) and mass.neutrinos else []
    resolution = combined(*(resolutions[name] for name in (*mass.objects, *neutrinos)))
    axis = resolution_axis(resolution, least_mass(mass), 6000.0, label=f"m({mass}) [GeV]")
    name = str(mass)
    return Spectrum(
        name,
        mass,
        axis,
        resolution,
        masks.get(name, ()),
        trigger=trigger(mass),
        thresholds=thresholds(mass),
        end_points=end_point if name in of_a_top else (),
    )


# What a bump may be a reflection of. Two leptons are any of the four leading ones, others the leading objects.
known = (
    KnownResonance("Z in 2e or 2mu", OppositeSignPair(76.0, 106.0)),
    KnownResonance("Upsilon in 2e or 2mu", OppositeSignPair(8.5, 11.0)),
    KnownResonance("J/psi or psi' in 2e or 2mu", OppositeSignPair(2.8, 3.9)),
    KnownResonance("Z in 2e+gamma", InWindow(combination("2e", "gamma"), 81.0, 101.0)),
    KnownResonance("Z in 2mu+gamma", InWindow(combination("2mu", "gamma"), 81.0, 101.0)),
    KnownResonance("Z in 2tau", InWindow(combination("2tau"), 40.0, 106.0)),
    KnownResonance("Z in e+tau", InWindow(combination("e", "tau"), 40.0, 106.0)),
    KnownResonance("Z in mu+tau", InWindow(combination("mu", "tau"), 40.0, 106.0)),
    KnownResonance("Z in e+j", InWindow(combination("e", "j"), 76.0, 106.0)),
    KnownResonance("Z in mu+j", InWindow(combination("mu", "j"), 76.0, 106.0)),
    KnownResonance("Z in e+gamma", InWindow(combination("e", "gamma"), 76.0, 106.0)),
    KnownResonance("H in 2gamma", InWindow(combination("2gamma"), 120.0, 130.0)),
    KnownResonance("W or Z in 2j", InWindow(combination("2j"), 65.0, 105.0)),
    KnownResonance("H or Z in 2b", InWindow(combination("2b"), 75.0, 145.0)),
    KnownResonance("t in 2j+b", InWindow(combination("2j", "b"), 140.0, 210.0)),
    KnownResonance("t in 3j", InWindow(combination("3j"), 140.0, 210.0)),
    KnownResonance("t in W(e+nu)+b", InWindow(system(W_ENU, "b"), 140.0, 210.0)),
    KnownResonance("t in W(mu+nu)+b", InWindow(system(W_MUNU, "b"), 140.0, 210.0)),
)
plan = ScanPlan(
    "resonances",
    objects=objects,
    spectra=(*map(spectrum, all_combinations()), *map(spectrum, (*all_systems(), *fat_systems()))),
    cells=(
        Multiplicity("e", last=3),
        Multiplicity("mu", last=3),
        Multiplicity("tau", last=2),
        Multiplicity("j", last=4),
        Multiplicity("b", last=3),
        Multiplicity("gamma", last=2),
        Topology("Z", OppositeSignPair(76.0, 106.0)),
        Topology("Upsilon", OppositeSignPair(8.5, 11.0)),
        Topology("Jpsi", OppositeSignPair(2.8, 3.9)),
    ),
    max_stored=0,
    known=known,
)
processor = ScanProcessor(plan)
