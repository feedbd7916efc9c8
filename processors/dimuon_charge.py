"""A small plan for files that hold muons and nothing else: the CMS 2010 dimuon events.

Opposite sign: which of the two charges leads in pT is even (a real null). Same sign: mu- mu- against mu+ mu+ is not,
as protons are positive (a real asymmetry). And eta < 0 against eta > 0: a detector symmetric in z.

    coffea-ddp run processors/dimuon_charge.py cms2010_dimuon_100k.root -o hists.ddp
"""

from typing import Any

from coffea_ddp import ObjectDefinition, ScanPlan, ScanProcessor, Symmetry, observable
from coffea_ddp import observables as obs
from coffea_ddp.events.objects import MergedObject
from coffea_ddp.events.selected import SelectedEvents
from coffea_ddp.plan.nanoaod import MUON_MASS

matrices = (
    observable(obs.m_ll),
    observable(obs.pt_l0, obs.pt_l1, axes=(obs.pt_l0.axis(28, 0.0, 56.0), obs.pt_l1.axis(28, 0.0, 28.0))),
)


def _pair(events: SelectedEvents, sign: int) -> Any:
    """Return which events have exactly two muons with charges of the sign asked for."""
    first, second = events.leading("mu", 0), events.leading("mu", 1)
    return (events.count("mu") == 2) & (first.charge * second.charge == sign)


plan = ScanPlan(
    "dimuon_charge",
    objects=(
        ObjectDefinition("mu", "Muon", mass=MUON_MASS, charged=True, flavour=13),
        MergedObject("lepton", ("mu",)),
    ),
    symmetries=(
        Symmetry(
            "mu-/mu+ OS",
            a=lambda ev: _pair(ev, -1) & (ev.leading("mu").charge < 0),
            b=lambda ev: _pair(ev, -1) & (ev.leading("mu").charge > 0),
            observables=matrices,
        ),
        Symmetry(
            "mu-mu-/mu+mu+ SS",
            a=lambda ev: _pair(ev, 1) & (ev.leading("mu").charge < 0),
            b=lambda ev: _pair(ev, 1) & (ev.leading("mu").charge > 0),
            observables=matrices,
        ),
        Symmetry(
            "eta<0/eta>0",
            a=lambda ev: _pair(ev, -1) & (ev.leading("mu").eta < 0),
            b=lambda ev: _pair(ev, -1) & (ev.leading("mu").eta > 0),
            observables=matrices,
        ),
    ),
)
processor = ScanProcessor(plan)
