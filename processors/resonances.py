"""Every invariant mass of leading objects and candidates, in every exclusive final state, in one pass: 333 spectra.

All combinations of up to four electrons, muons, taus, light jets, b-jets and photons (203); those with candidates for
Z, W, H and t (91); and those with tagged fat jets, in files that have them (39). Bins are half a mass resolution wide,
so that a narrow resonance has a standard deviation of two bins everywhere. Known resonances are masked where they can
be seen, and nothing is counted as two things: candidates exclude each other, jets are no leptons, and cells with and
without a known dilepton resonance are told apart.

    coffea-ddp run resonances data/*.root -o hists.ddp && coffea-ddp scan hists.ddp --tests bump
"""

import dataclasses

from coffea_ddp import (
    Candidate,
    Combination,
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
    combined,
    fat_systems,
    nanoaod,
    resolution_axis,
)

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
top = (140.0, 210.0, "t")
masks = {
    "2e": ((76.0, 106.0, "Z"),),
    "2mu": ((76.0, 106.0, "Z"),),
    "2tau": ((40.0, 106.0, "Z"),),
    "e+tau": ((40.0, 106.0, "Z"),),
    "mu+tau": ((40.0, 106.0, "Z"),),
    "e+mu": (),
    "2gamma": ((120.0, 130.0, "H"),),
    "2mu+gamma": ((81.0, 101.0, "Z"),),
    "2e+gamma": ((81.0, 101.0, "Z"),),
    "4mu": ((81.0, 101.0, "Z"), (120.0, 130.0, "H")),
    "4e": ((81.0, 101.0, "Z"), (120.0, 130.0, "H")),
    "2e+2mu": ((81.0, 101.0, "Z"), (120.0, 130.0, "H")),
    **{f"{boson}+{jet}": (top,) for boson in ("W(e+nu)", "W(mu+nu)", "V(2j)") for jet in ("b", "j")},
}

# Each is one path under the names of several years, used in files that have one of them.
electrons = ("HLT_Ele32_WPTight_Gsf", "HLT_Ele35_WPTight_Gsf", "HLT_Ele30_WPTight_Gsf", "HLT_Ele27_WPTight_Gsf")
muons = ("HLT_IsoMu24", "HLT_IsoMu27")
photons = ("HLT_Photon200", "HLT_Photon175")
jets = ("HLT_PFHT1050", "HLT_PFHT900", "HLT_PFHT800", "HLT_PFJet500", "HLT_PFJet450")


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


def spectrum(mass: Combination | System) -> Spectrum:
    """Return the spectrum of some objects, from its thresholds to 6 TeV."""
    neutrinos = ["nu"] if isinstance(mass, System) and mass.neutrinos else []
    resolution = combined(*(resolutions[name] for name in (*mass.objects, *neutrinos)))
    axis = resolution_axis(resolution, least_mass(mass), 6000.0, label=f"m({mass}) [GeV]")
    return Spectrum(str(mass), mass, axis, resolution, masks.get(str(mass), ()), trigger=trigger(mass))


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
)
processor = ScanProcessor(plan)
