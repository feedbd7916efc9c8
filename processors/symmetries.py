"""All symmetries of the Standard Model that the DDP table names, in every cell, in one pass.

Lepton universality (e/mu, ee/mumu), lepton-flavour conservation (e mu / mu e), CP (e+ mu- / e- mu+) and
forward/backward,
times the multiplicities of tau, j, b, gamma, the decays Z, W and the topologies VBF, ttbar: 111,375 cells.

    coffea-ddp run symmetries data/*.root -o hists.ddp && coffea-ddp scan hists.ddp
"""

from coffea_ddp import Multiplicity, ScanPlan, ScanProcessor, Topology, Trigger, observable, selections, symmetries
from coffea_ddp import observables as obs
from coffea_ddp.plan import atlas

one_lepton = (
    observable(obs.pt_l0, obs.met),
    observable(obs.m_t, obs.h_t),
    observable(obs.dphi_l0_met),
)
two_leptons = (
    observable(obs.m_coll, obs.pt_l0),
    observable(obs.m_ll, obs.met),
    observable(obs.pt_l0, obs.pt_l1),
    observable(obs.m_t, obs.h_t),
    observable(obs.m_ll),
    observable(obs.dphi_ll),
)

plan = ScanPlan(
    "symmetries",
    symmetries=(
        symmetries.e_mu(one_lepton),
        symmetries.ee_mumu_os(two_leptons),
        symmetries.ee_mumu_ss(two_leptons),
        symmetries.emu_mue_os(two_leptons),
        symmetries.emu_mue_ss(two_leptons),
        symmetries.eplus_muminus(two_leptons),
        symmetries.forward_backward(two_leptons),
    ),
    cells=(
        Multiplicity("tau", last=2),
        Multiplicity("j", last=5),
        Multiplicity("b", last=2),
        Multiplicity("gamma", last=2),
        Topology("Z", selections.z_candidate),
        Topology("W", selections.w_candidate),
        Topology("VBF", selections.vbf),
        Topology("ttbar", selections.ttbar),
    ),
    # Single-lepton triggers turn on at different pT for e and mu: 35 GeV is on the plateau of both. Each is one path
    # under its names in CMS and in ATLAS.
    trigger=Trigger(
        (
            ("HLT_Ele32_WPTight_Gsf", "HLT_Ele27_WPTight_Gsf", *atlas.ELECTRON_PATHS),
            ("HLT_IsoMu24", "HLT_IsoMu27", *atlas.MUON_PATHS),
        ),
        required=False,
    ),
    selection=selections.LeadingAbove("lepton", 35.0),
)
processor = ScanProcessor(plan)
