"""The sides of every symmetry against plain Python, event by event, and under exchanges of labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers import OBJECTS, lepton_rows, random_events, select, with_branches

from coffea_ddp import nanoaod, symmetries
from coffea_ddp import observables as obs
from coffea_ddp.events.objects import MergedObject
from coffea_ddp.filling import fill
from coffea_ddp.histograms.cells import Multiplicity, Topology
from coffea_ddp.plan.observables import observable
from coffea_ddp.plan.plan import ScanPlan
from coffea_ddp.plan.selections import z_candidate

seeds = st.integers(0, 2**32)
PARTS = ("pt", "eta", "phi", "charge")
MATRICES = (observable(obs.m_ll), observable(obs.pt_l0, obs.met))
E, MU = 11, 13

ALL = {
    "e/mu": symmetries.e_mu,
    "ee/mumu OS": symmetries.ee_mumu_os,
    "ee/mumu SS": symmetries.ee_mumu_ss,
    "emu/mue OS": symmetries.emu_mue_os,
    "emu/mue SS": symmetries.emu_mue_ss,
    "e+mu-/e-mu+": symmetries.eplus_muminus,
    "forward/backward": symmetries.forward_backward,
    "eta<0/eta>0": symmetries.eta_sign,
}
OF_FLAVOUR = ("e/mu", "ee/mumu OS", "ee/mumu SS", "emu/mue OS", "emu/mue SS")


def side_of(name: str, leptons: list[dict[str, float]]) -> int:
    """Return the side by the words of the slides' table; `leptons` are in the order of pT."""
    flavours = [lepton["flavour"] for lepton in leptons]
    signs = [lepton["charge"] for lepton in leptons]
    if name == "e/mu":
        return int(flavours[0] == MU)
    opposite = len(leptons) == 2 and sum(signs) == 0
    same = len(leptons) == 2 and abs(sum(signs)) == 2
    right_sign = opposite if name.endswith("OS") else same
    if name.startswith("ee/mumu"):
        return int(flavours[0] == MU) if right_sign and flavours[0] == flavours[1] else -1
    if name.startswith("emu/mue"):
        return int(flavours[0] == MU) if right_sign and flavours[0] != flavours[1] else -1
    if name == "e+mu-/e-mu+":
        return int(signs[flavours.index(E)] < 0) if opposite and set(flavours) == {E, MU} else -1
    raise AssertionError(name)


@given(seed=seeds)
def test_every_side_is_what_the_words_say(seed: int) -> None:
    selected = select(random_events(150, seed))
    rows = lepton_rows(selected)
    for name in (*OF_FLAVOUR, "e+mu-/e-mu+"):
        sides = ALL[name](MATRICES).assign(selected)
        expected = [side_of(name, row) if row else -1 for row in rows]
        assert sides.tolist() == expected, name
    leading = [np.sign(row[0]["eta"]) if row else 0 for row in rows]
    assert ALL["eta<0/eta>0"](MATRICES).assign(selected).tolist() == [{-1: 0, 1: 1, 0: -1}[int(s)] for s in leading]


@given(seed=seeds)
def test_forward_and_backward_from_the_boosted_leptons(seed: int) -> None:
    """The sign of cos(theta*): in the pair's rest frame, along the pair's pz, is the negative lepton ahead?

    For massless leptons `2 (p1+ p2- - p1- p2+)` has the sign of eta(l-) - eta(l+), so the side is that of
    (eta(l-) - eta(l+)) pz.
    """
    selected = select(random_events(150, seed))
    sides = ALL["forward/backward"](MATRICES).assign(selected)
    seen = 0
    for side, row in zip(sides, lepton_rows(selected), strict=True):
        if len(row) != 2 or row[0]["flavour"] != row[1]["flavour"] or row[0]["charge"] + row[1]["charge"]:
            assert side == -1
            continue
        negative, positive = sorted(row, key=lambda lepton: lepton["charge"])
        pz = sum(lepton["pt"] * np.sinh(lepton["eta"]) for lepton in row)
        assert side == int((negative["eta"] - positive["eta"]) * pz > 0)
        seen += 1
    assert seen > 0


@given(seed=seeds)
def test_the_cosine_is_a_cosine_and_odd_in_the_charge(seed: int) -> None:
    events = random_events(100, seed)
    conjugate = with_branches(events, **{f"{n}_charge": -events[f"{n}_charge"] for n in ("Electron", "Muon")})
    one, two = (symmetries.collins_soper_cosine(select(which)) for which in (events, conjugate))
    finite = np.isfinite(one)
    assert np.abs(one[finite]).max() <= 1.0 + 1e-9
    np.testing.assert_allclose(one, -two, atol=1e-12)


def swapped(events: object) -> object:
    """Return the events with electrons and muons exchanged."""
    changes = {f"Electron_{p}": events[f"Muon_{p}"] for p in PARTS}  # type: ignore[index]
    changes |= {f"Muon_{p}": events[f"Electron_{p}"] for p in PARTS}  # type: ignore[index]
    return with_branches(events, **changes)  # type: ignore[arg-type]


@given(seed=seeds)
def test_exchanged_flavours_are_on_the_other_side(seed: int) -> None:
    events = random_events(150, seed)
    one, two = select(events), select(swapped(events))  # type: ignore[arg-type]
    for name, make in ALL.items():
        before, after = (make(MATRICES).assign(which) for which in (one, two))
        if name in (*OF_FLAVOUR, "e+mu-/e-mu+"):
            assert np.array_equal(after, np.where(before < 0, -1, 1 - before)), name
        else:
            assert np.array_equal(before, after), name


@given(seed=seeds)
def test_equal_pt_counts_as_the_electron_leading(seed: int) -> None:
    events = random_events(60, seed, most=1)
    tied = with_branches(events, Electron_pt=events.Electron_pt * 0 + 40.0, Muon_pt=events.Muon_pt * 0 + 40.0)
    selected = select(tied)
    both = (selected.count("e") == 1) & (selected.count("mu") == 1)
    assert both.any()
    assert (selected.leading("lepton").flavour[both] == E).all()
    for name in ("e/mu", "emu/mue OS", "emu/mue SS"):
        assert not (ALL[name](MATRICES).assign(selected)[both] == 1).any()


@given(seed=seeds)
def test_with_their_real_masses_only_rounding_differs(seed: int) -> None:
    """0.5 and 106 MeV: the pair's mass moves by (m_mu/m_ll)^2, cells and sides not at all."""
    objects = (
        *(
            type(one)(
                one.name, one.collection, 20.0, 2.4, one.eta_gaps, mass=one.mass, charged=True, flavour=one.flavour
            )
            for one in (nanoaod.electron(), nanoaod.muon())
        ),
        MergedObject("lepton", ("e", "mu")),
    )
    events = random_events(150, seed)
    one, two = select(events, objects), select(swapped(events), objects)  # type: ignore[arg-type]
    for name in OF_FLAVOUR:
        before, after = (ALL[name](MATRICES).assign(which) for which in (one, two))
        assert np.array_equal(after, np.where(before < 0, -1, 1 - before)), name
    assert np.array_equal(one.leading("lepton").pt, two.leading("lepton").pt, equal_nan=True)
    first, second = (obs.m_ll.values(which) for which in (one, two))
    far = first > 5.0
    np.testing.assert_allclose(first[far], second[far], rtol=1e-2)
    assert np.array_equal(np.isnan(first), np.isnan(second))


@given(seed=seeds)
def test_the_matrices_of_exchanged_events_are_exchanged_in_every_cell(seed: int) -> None:
    cells = (Multiplicity("j", last=2), Multiplicity("b", last=1), Topology("Z", z_candidate))
    plan = ScanPlan("exchange", tuple(ALL[name](MATRICES) for name in OF_FLAVOUR), objects=OBJECTS, cells=cells)
    events = random_events(150, seed)
    one, two = fill(events, plan), fill(swapped(events), plan)
    for name in OF_FLAVOUR:
        for what in ("events", *one.observables(name)):
            first, second = (hists.cell_counts(name, what, flow=True) for hists in (one, two))
            assert np.array_equal(first.codes, second.codes)
            assert np.array_equal(first.counts, second.counts[:, ::-1])
    assert np.array_equal(one.not_filled, two.not_filled[:, ::-1])


@pytest.mark.parametrize("name", ALL)
def test_names_sides_and_options(name: str) -> None:
    symmetry = ALL[name](MATRICES, kappa=1.5)
    assert symmetry.name == name
    assert symmetry.kappa == 1.5
    assert all(symmetry.sides)
    assert symmetry.sides[0] != symmetry.sides[1]
    if name != "forward/backward":  # A is backward: an excess of forward makes N_sigma positive
        assert name.startswith("/".join(symmetry.sides))
    assert ALL[name](MATRICES, sides=("this", "that")).sides == ("this", "that")
