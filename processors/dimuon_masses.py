"""The mass of two muons of opposite sign, in three ranges: J/psi and psi', Upsilon, Z; for files with muons alone.

Each range begins where its background has no turn-on of its own; once as it is, and once with what is known masked.

    coffea-ddp run processors/dimuon_masses.py cms2010_dimuon_100k.root -o hists.ddp && coffea-ddp scan hists.ddp
"""

from typing import Any

import numpy as np

from coffea_ddp import Multiplicity, ObjectDefinition, Resolution, ScanPlan, ScanProcessor, Spectrum, combination
from coffea_ddp import resolution_axis as axis
from coffea_ddp.events.selected import SelectedEvents
from coffea_ddp.plan.nanoaod import MUON_MASS

RESOLUTION = Resolution(0.012)


def opposite_sign(events: SelectedEvents) -> Any:
    """Return the mass of the two leading muons where their charges are opposite."""
    charges = events.leading("mu", 0).charge * events.leading("mu", 1).charge
    return np.where(charges < 0, combination("2mu")(events), np.nan)


def spectrum(name: str, low: float, high: float, *masks: tuple[float, float, str]) -> Spectrum:
    """Return the spectrum of one range in GeV, known resonances left out where masks are given."""
    mass_axis = axis(RESOLUTION, low, high, label="m(mu mu) [GeV]")
    exchange_name = f"m0m1{name.replace(' ', '')}"
    return Spectrum(name, opposite_sign, mass_axis, RESOLUTION, masks, exchange_name)


plan = ScanPlan(
    "dimuon_masses",
    objects=(ObjectDefinition("mu", "Muon", mass=MUON_MASS, charged=True, flavour=13),),
    spectra=(
        spectrum("low", 2.0, 5.0),
        spectrum("middle", 8.2, 20.0),
        spectrum("high", 40.0, 110.0),
        spectrum("low masked", 2.0, 5.0, (2.85, 3.3, "J/psi"), (3.5, 3.85, "psi'")),
        spectrum("middle masked", 8.2, 20.0, (8.6, 10.9, "Upsilon")),
        spectrum("high masked", 40.0, 110.0, (76.0, 104.0, "Z")),
    ),
    cells=(Multiplicity("mu", last=3),),
    max_stored=0,
)
processor = ScanProcessor(plan)
