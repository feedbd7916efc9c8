"""Candidates: each object counts once, windows and charges hold, a neutrino makes a W, fat jets where there are any."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import OBJECTS, random_events, select, with_branches

from coffea_ddp import nanoaod, selections
from coffea_ddp.errors import InputError, MissingBranchError
from coffea_ddp.events.branches import Columns
from coffea_ddp.events.cuts import Cut
from coffea_ddp.events.objects import ObjectDefinition
from coffea_ddp.events.selected import SelectedEvents, transverse_mass
from coffea_ddp.filling import needed_branches
from coffea_ddp.plan.masses.candidates import (
    CANDIDATES,
    H_BB,
    TOP,
    V_JJ,
    W_ENU,
    W_MASS,
    W_MUNU,
    Z_EE,
    Z_MUMU,
    Candidate,
    System,
    all_systems,
    candidate_momentum,
    fat_systems,
    system,
)
from coffea_ddp.plan.masses.combinations import combination, four_momenta
from coffea_ddp.plan.plan import ScanPlan
from coffea_ddp.plan.plan_files import load_plan
from coffea_ddp.plan.spectrum import Spectrum
from coffea_ddp.running.driver import run
from coffea_ddp.running.executors import Local
from coffea_ddp.spectra.resolution import Resolution, resolution_axis

ANY = (0.0, 1e6)
"""A window that all masses are in."""


def mass_of(momentum):
    return np.sqrt(np.maximum(momentum[0] ** 2 - (momentum[1:] ** 2).sum(axis=0), 0.0))


def test_names():
    assert str(system(Z_MUMU, "gamma")) == "Z(2mu)+gamma"
    assert str(system(TOP, W_ENU)) == "t(V(2j)+b)+W(e+nu)"
    assert system(W_MUNU, "2mu").exchange_name == "Wm0nm1m2"
    assert system(H_BB, "b", "j").objects == ("b", "b", "b", "j")
    names = [str(one) for one in (*all_systems(), *fat_systems())]
    exchanged = [one.exchange_name for one in (*all_systems(), *fat_systems())]
    assert len(set(names)) == len(set(exchanged)) == len(names) == 91 + 39


def test_the_rows_and_columns_of_the_table_of_resonances():
    """Every one of e, mu, tau, q/g, b, gamma with every one of t, Z/W, H, and these with one another."""
    names = [str(one) for one in all_systems()]
    for candidate in CANDIDATES:
        for name in ("e", "mu", "tau", "j", "b", "gamma"):
            assert f"{candidate}+{name}" in names
    kinds = {frozenset(part.kind for part in one.parts) for one in all_systems() if len(one.parts) == 2
             and all(isinstance(part, Candidate) for part in one.parts)}  # fmt: skip
    assert {frozenset(pair) for pair in ("t", "tW", "tZ", "tH", "WZ", "ZH", "WH", "H", "Z", "V")} <= kinds


@pytest.mark.parametrize("seed", [1, 2])
def test_a_candidate_and_objects_are_the_combination_of_all(seed):
    """Without a window the parts take the leading objects in turn: the mass is that of the plain combination."""
    selected = select(random_events(400, seed, most=4))
    pair = Candidate("Z", ("2mu",), ANY)
    for one, plain in (
        (system(pair, "mu"), "3mu"),
        (system(pair, pair), "4mu"),
        (system(Candidate("t", (Candidate("V", ("2j",), ANY), "e"), ANY), "j"), "3j+e"),
    ):
        masses, wanted = one(selected), combination(plain)(selected)
        assert np.isfinite(wanted).sum() > 5
        assert np.allclose(masses, wanted, rtol=1e-9, equal_nan=True)


def test_windows_and_charges():
    selected = select(random_events(3000, 5))
    first, second = selected.leading("mu", 0), selected.leading("mu", 1)
    dimuon = combination("2mu")(selected)
    has = (dimuon > 76) & (dimuon < 106) & (first.charge + second.charge == 0) & (selected.count("j") > 0)
    masses = system(Z_MUMU, "j")(selected)
    assert 0 < has.sum() < np.isfinite(dimuon).sum()
    assert np.isfinite(masses).tolist() == has.tolist()
    assert masses[has] == pytest.approx(combination("2mu+j")(selected)[has])


def test_windows_within_windows():
    selected = select(random_events(4000, 6))
    dijet, all_three = combination("2j")(selected), combination("2j+b")(selected)
    inner, outer = V_JJ.window, TOP.window
    wanted = (dijet > inner[0]) & (dijet < inner[1]) & (all_three > outer[0]) & (all_three < outer[1])
    wanted &= selected.count("e") > 0
    assert wanted.sum() > 3
    assert np.isfinite(system(TOP, "e")(selected)).tolist() == wanted.tolist()


def test_lepton_and_neutrino_have_the_mass_of_the_w():
    """Where the transverse mass is below the W's there are real solutions; above, the mass is larger."""
    selected = select(random_events(2000, 7))
    momentum = candidate_momentum(selected, Candidate("W", ("mu",), ANY, neutrino=True), {}, selected.entries)
    m_t = transverse_mass(selected.leading("mu"), selected.met)
    has = selected.count("mu") > 0
    masses = mass_of(momentum)
    real = has & (m_t < W_MASS - 0.1)
    assert real.sum() > 100
    assert masses[real] == pytest.approx(W_MASS, rel=2e-3)  # the muon is taken massless in solving
    above = has & (m_t > W_MASS + 0.5)
    assert above.sum() > 20
    assert (masses[above] > W_MASS).all()
    # The transverse momentum is that of muon and missing momentum.
    muon = four_momenta(selected, "mu", 0)
    assert momentum[1][has] == pytest.approx((muon[1] + selected.met.pt * np.cos(selected.met.phi))[has], abs=1e-4)
    assert np.isnan(momentum[:, ~has]).all()


def test_the_window_of_a_neutrino_is_one_of_the_transverse_mass():
    selected = select(random_events(2000, 8))
    m_t = transverse_mass(selected.leading("mu"), selected.met)
    wanted = (m_t > 40) & (m_t < 120) & (selected.count("e") > 0)
    bare = dataclasses.replace(W_MUNU, pairs_out=None)
    assert np.isfinite(system(bare, "e")(selected)).tolist() == wanted.tolist()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), place=st.integers(0, 2), window=st.sampled_from([(76.0, 106.0), (20.0, 60.0)]))
def test_a_lepton_of_a_pair_is_none_of_a_w(seed, place, window):
    """No lepton that any other of its flavour and the opposite charge makes a Z with, whichever of them leads."""
    selected = select(random_events(150, seed, most=4))
    w = Candidate("W", ("mu",), ANY, neutrino=True, pairs_out=window)
    found = np.isfinite(candidate_momentum(selected, w, {"mu": place}, selected.entries)[0])
    for muons, has_w in zip(selected.collection("mu").to_list(), found.tolist(), strict=True):
        masses = [
            pair_mass_of(muons[place], other)
            for number, other in enumerate(muons)
            if place < len(muons) and number != place and other["charge"] == -muons[place]["charge"]
        ]
        assert has_w == (place < len(muons) and not any(window[0] < mass < window[1] for mass in masses))


def pair_mass_of(*particles):
    parts = [(math.hypot(p["pt"] * math.cosh(p["eta"]), p["mass"]), p["pt"] * math.cos(p["phi"]),
              p["pt"] * math.sin(p["phi"]), p["pt"] * math.sinh(p["eta"])) for p in particles]  # fmt: skip
    energy, *momentum = (sum(values) for values in zip(*parts, strict=True))
    return math.sqrt(max(energy**2 - sum(p**2 for p in momentum), 0.0))


def test_a_z_is_a_z_alone():
    """Two muons of a Z with missing momentum: none of the ready candidates of a W takes one of them."""
    events = random_events(4000, 11)
    selected = select(events)
    pairs = selections.OppositeSignPair(76.0, 106.0)(selected) & (selected.count("lepton") == 2)
    assert pairs.sum() > 20
    for one in (system(W_MUNU, "mu"), system(W_ENU, "e")):
        masses = one(selected)
        assert np.isnan(masses[pairs]).all()
        assert np.isfinite(masses).any()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), angle=st.floats(-3.0, 3.0))
def test_masses_do_not_turn_with_the_event(seed, angle):
    events = random_events(60, seed)
    turned = with_branches(
        events, **{name: (events[name] + np.float32(angle)) for name in events.fields if name.endswith("_phi")}
    )
    bare = tuple(definition for definition in OBJECTS if definition.name in ("e", "mu"))
    plain = tuple(
        ObjectDefinition(d.name, d.collection, d.pt_min, d.eta_max, charged=True, flavour=d.flavour) for d in bare
    )
    for one in (system(W_MUNU, "e"), system(Z_EE, "mu"), system(Candidate("Z", ("2mu",), ANY), "e")):
        assert np.allclose(one(select(events, plain)), one(select(turned, plain)), rtol=1e-3, atol=1e-2, equal_nan=True)


def test_electrons_and_muons_swap():
    events = random_events(500, 9)
    swapped = {
        name.replace("Muon", "X").replace("Electron", "Muon").replace("X", "Electron"): events[name]
        for name in events.fields
    }
    one = system(Z_MUMU, "e")(select(events))
    other = system(Z_EE, "mu")(select(ak.Array(swapped)))
    assert np.allclose(one, other, equal_nan=True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: system("mu"), "two objects or more"),
        (lambda: System(()), "system of nothing"),
        (lambda: system(W_ENU, W_MUNU), "one neutrino"),
        (lambda: system(Z_EE, "2 mu"), "no object"),
        (lambda: Candidate("Z", (), (70.0, 100.0)), "one part or more"),
        (lambda: Candidate("Z", ("2e",), (100.0, 70.0)), "range of masses"),
        (lambda: dataclasses.replace(W_ENU, pairs_out=(106.0, 76.0)), "pairs_out=.* is no range"),
        (lambda: nanoaod.fat_jet("W"), "the kinds are V, H, t"),
        (lambda: selections.OppositeSignPair(106.0, 76.0), "range of masses"),
    ],
    ids=["one", "none", "two neutrinos", "word", "no parts", "window", "pairs", "kind", "pair"],
)
def test_what_makes_no_system(make, message):
    with pytest.raises(InputError, match=message):
        make()


def spectra_of(*systems):
    axis = resolution_axis(Resolution(0.05), 5.0, 2000.0)
    return tuple(Spectrum(str(one), one, axis) for one in systems)


def test_missing_momentum_is_read_where_a_system_needs_it():
    events = random_events(20, 1)
    plan = ScanPlan("w", objects=OBJECTS, spectra=spectra_of(system(W_MUNU, "e")))
    assert {"MET_pt", "MET_phi"} <= set(needed_branches(events, plan))
    without = ScanPlan("z", objects=OBJECTS, spectra=spectra_of(system(Z_MUMU, "e")))
    assert "MET_pt" not in needed_branches(events, without)
    bare = ak.Array({name: events[name] for name in events.fields if not name.startswith("MET")})
    with pytest.raises(MissingBranchError, match="missing transverse momentum"):
        needed_branches(bare, plan)


# -- objects that not all files have -------------------------------------------------------------------------------


def test_an_object_that_a_file_need_not_have():
    events = random_events(30, 2)
    tagged = ObjectDefinition("x", "Jet", 30.0, cuts=(Cut("tag", ">", 0.5),), required=False)
    lacking = Columns(events)
    selected = SelectedEvents.from_columns(lacking, (tagged,))
    assert selected.count("x").tolist() == [0] * 30
    assert np.isnan(selected.leading("x").pt).all()
    assert lacking.choices["x: collection"] == "none"
    having = Columns(with_branches(events, Jet_tag=ak.ones_like(events["Jet_pt"])))
    assert SelectedEvents.from_columns(having, (tagged,)).count("x").sum() > 0
    assert having.choices["x: collection"] == "Jet"
    with pytest.raises(MissingBranchError, match="Jet_tag"):
        select(events, (ObjectDefinition("x", "Jet", cuts=(Cut("tag", ">", 0.5),)),))


@pytest.mark.parametrize(
    ("name", "tagger", "mass"),
    [
        ("nano_tt_v15.root", "FatJet_particleNetWithMass_TvsQCD", "msoftdrop"),
        ("nano_tt_v12.root", "FatJet_particleNetWithMass_TvsQCD", "msoftdrop"),
        ("nano_dy.root", "FatJet_deepTag_TvsQCD", "msoftdrop"),
        ("nanoAOD_2015_CMS_Open_Data_ttbar.root", "FatJet_particleNet_TvsQCD", "particleNet_mass"),
    ],
    ids=["v15", "v12", "v6", "2015"],
)
def test_fat_jets_of_real_files(shared, name, tagger, mass):
    with uproot.open(Path(shared("nanoaod_real")) / name) as file:
        tree = file["Events"]
        wanted = [key for key in tree.keys() if key.startswith(("FatJet_", "Electron_", "Muon_", "nFatJet"))]  # noqa: SIM118
        events = tree.arrays(wanted)
    columns = Columns(events)
    definitions = (nanoaod.electron(), nanoaod.muon(), nanoaod.fat_jet("t"), nanoaod.fat_jet("V", away_from=("tJ",)))
    selected = SelectedEvents.from_columns(columns, definitions)
    assert columns.choices["tJ: collection"] == "FatJet"
    assert columns.choices["tJ: tagger"] == tagger
    assert columns.choices["tJ: mass"] == mass
    window = events[f"FatJet_{mass}"]
    # By hand: no lepton selected near is the only thing left out.
    loose = (events["FatJet_pt"] > 250) & (np.abs(events["FatJet_eta"]) < 2.4) & (window > 140) & (window < 220)
    loose = loose & (events[tagger] > 0.9)
    assert (selected.count("tJ") <= ak.to_numpy(ak.sum(loose, axis=1))).all()


def test_the_ready_plan_sees_the_top_quark_and_masks_it(shared):
    """In simulated events a leptonic W and the leading b peak at the top's mass, a third of them the wrong b."""
    plan = load_plan("resonances")
    assert len(plan.spectra) == 203 + 91 + 39
    files = sorted(str(path) for path in Path(shared("nanoaod_sim")).glob("*.root"))
    hists = run(plan, files, executor=Local(2))
    spectrum = hists.spectrum("W(mu+nu)+b", "inclusive")
    assert [(low, high) for low, high, _ in spectrum.masks] == [(140.0, 210.0)]
    edges, counts = spectrum.hist.axes[0].edges, spectrum.hist.values()

    def density(low, high):
        inside = (edges[:-1] >= low) & (edges[1:] <= high)
        return counts[inside].sum() / np.diff(edges)[inside].sum()

    assert density(155, 185) > 1.5 * max(density(105, 135), density(205, 235))
    assert hists.spectrum("2VJ", "inclusive").hist.values().sum() == 0  # the files have no fat jets
