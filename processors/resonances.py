"""Every invariant mass of up to four leading objects, in every exclusive final state, in one pass: 203 spectra.

Electrons, muons, taus, light jets, b-jets and photons; bins are half a mass resolution wide, so that a narrow resonance
has a standard deviation of two bins everywhere. Known resonances are masked where they can be seen.

    coffea-ddp run resonances data/*.root -o hists.ddp && coffea-ddp scan hists.ddp --tests bump
"""

import dataclasses

from coffea_ddp import (
    Combination,
    MergedObject,
    Multiplicity,
    Resolution,
    ScanPlan,
    ScanProcessor,
    Spectrum,
    Trigger,
    all_combinations,
    combined,
    nanoaod,
    resolution_axis,
)

b_jet = nanoaod.b_jet()
light_jet = nanoaod.jet()
objects = (
    nanoaod.electron(),
    nanoaod.muon(),
    MergedObject("lepton", ("e", "mu")),
    nanoaod.photon(),
    nanoaod.tau(),
    b_jet,
    # A jet is light or b, never both.
    dataclasses.replace(light_jet, away_from=(*light_jet.away_from, ("b", 0.4))),
)
resolutions = {
    "e": Resolution(0.010, 0.10),
    "mu": Resolution(0.015),
    "gamma": Resolution(0.010, 0.10),
    "tau": Resolution(0.10, 0.5),
    "j": Resolution(0.05, 0.8),
    "b": Resolution(0.06, 0.8),
}
lowest = {"e": 20.0, "mu": 20.0, "gamma": 25.0, "tau": 20.0, "j": 30.0, "b": 30.0}
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
}


def spectrum(combination: Combination) -> Spectrum:
    """Return the spectrum of a combination, from its thresholds to 6 TeV."""
    names = [name for name, number in combination.parts for _ in range(number)]
    resolution = combined(*(resolutions[name] for name in names))
    axis = resolution_axis(
        resolution, 0.4 * sum(lowest[name] for name in names), 6000.0, label=f"m({combination}) [GeV]"
    )
    return Spectrum(str(combination), combination, axis, resolution, masks.get(str(combination), ()))


plan = ScanPlan(
    "resonances",
    objects=objects,
    spectra=tuple(map(spectrum, all_combinations())),
    cells=(
        Multiplicity("e", last=3),
        Multiplicity("mu", last=3),
        Multiplicity("tau", last=2),
        Multiplicity("j", last=4),
        Multiplicity("b", last=3),
        Multiplicity("gamma", last=2),
    ),
    trigger=Trigger(
        (("HLT_Ele32_WPTight_Gsf", "HLT_Ele27_WPTight_Gsf"), ("HLT_IsoMu24", "HLT_IsoMu27")), required=False
    ),
    max_stored=0,
)
processor = ScanProcessor(plan)
