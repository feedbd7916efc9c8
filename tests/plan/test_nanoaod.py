"""The ready definitions: electrons and muons treated alike, and the tight jet without `jetId`."""

from __future__ import annotations

import dataclasses
from typing import Any

import awkward as ak
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coffea_ddp import nanoaod
from coffea_ddp.errors import BranchError
from coffea_ddp.events.branches import Columns
from coffea_ddp.events.candidates import select
from coffea_ddp.events.cuts import ComputedCut, Cut, FirstAvailable, Recent
from coffea_ddp.events.objects import MergedObject, ObjectDefinition


def test_electrons_and_muons_are_selected_alike() -> None:
    """What breaks the symmetry by itself must not differ: thresholds, acceptance, the crack, impact parameters."""
    for options in ({}, {"pt_min": 31.0}, {"eta_max": 2.1, "isolation": 0.1}):
        e, mu = nanoaod.electron(**options), nanoaod.muon(**options)
        for name in ("pt_min", "eta_max", "eta_gaps", "away_from", "charged"):
            assert getattr(e, name) == getattr(mu, name), name
        cuts = [
            {c.cuts[0].field: (c.cuts[0].op, c.cuts[0].value) for c in one.cuts if c.role != "identification"}
            for one in (e, mu)
        ]
        of_atlas = [[c.of("PHYSLITE")[-1] for c in one.cuts if c.role != "identification"] for one in (e, mu)]
        assert of_atlas[0] == of_atlas[1]
        assert cuts[0].pop("pfRelIso03_all") == cuts[1].pop("pfRelIso04_all") == ("<", options.get("isolation", 0.15))
        assert cuts[0] == cuts[1] == {"dxy": ("abs<", 0.05), "dz": ("abs<", 0.1)}


def test_both_leptons_clean_the_others_alike() -> None:
    for definition in nanoaod.standard_objects():
        if not isinstance(definition, MergedObject) and definition.name not in ("e", "mu"):
            radii = dict(definition.away_from)
            assert radii["e"] == radii["mu"] == 0.4, definition.name
    assert nanoaod.standard_objects(33.0)[0].pt_min == nanoaod.standard_objects(33.0)[1].pt_min == 33.0
    assert nanoaod.standard_objects(b_working_point=0.3)[6].cuts[-1].cuts[0].value == 0.3


def test_a_b_jet_is_a_jet() -> None:
    jet, b = nanoaod.jet(30.0, 2.4), nanoaod.b_jet()
    assert b.cuts[: len(jet.cuts)] == jet.cuts
    assert dataclasses.replace(b, name="j", cuts=jet.cuts) == jet


def test_every_identification_falls_back() -> None:
    """The newest version first: v15's names are no names of v4, so the order decides where a file has several."""
    found = {
        definition.name: [
            one.name if isinstance(one, ComputedCut) else one.fields[0]
            for cut in definition.cuts if isinstance(cut, FirstAvailable) for one in cut.of("NanoAOD")
        ]
        for definition in nanoaod.standard_objects() if not isinstance(definition, MergedObject)
    }  # fmt: skip
    assert found["e"][0] == "mvaIso_WP90"
    assert found["tau"][:2] == ["idDeepTau2018v2p5VSjet", "idDeepTau2017v2p1VSjet"]
    assert found["j"][-2:] == ["jetId", "Jet energy fractions (tight)"]
    assert "btagCSVV2" in found["b"]


@pytest.mark.parametrize(
    ("cut", "value", "passes"),
    [
        (Cut("idDeepTau2018v2p5VSjet", ">=", 5), 4, False),
        (Cut("idDeepTau2018v2p5VSjet", ">=", 5), 5, True),
        (Cut("idDeepTau2017v2p1VSjet", "has bits", 16), 0b1111, False),
        (Cut("idDeepTau2017v2p1VSjet", "has bits", 16), 0b11111, True),
        (Cut("jetId", "has bits", 2), 4, False),
        (Cut("jetId", "has bits", 2), 6, True),
        (Cut("dz", "abs<", 0.1), -0.2, False),
        (Cut("dz", "abs<", 0.1), -0.05, True),
        (Cut("x", "abs>", 0.1), -0.2, True),
        (Cut("x", "<", 0.15), np.nan, False),
        (Cut("x", ">", 0.15), np.nan, False),
        (Cut("x", "abs<", 0.15), np.nan, False),
        (Cut("mediumId"), True, True),
        (Cut("x", "!=", 3), 3, False),
        (Cut("x", "<=", 3), 3, True),
    ],
)
def test_cuts(cut: Cut, value: float, passes: bool) -> None:
    assert cut.passes({cut.field: np.array([value])}).tolist() == [passes]


DEFINITIONS = [
    *(one for one in nanoaod.standard_objects() if not isinstance(one, MergedObject)),
    *(nanoaod.fat_jet(kind) for kind in "VHt"),
]
ASKED = [
    (definition, one, field)
    for definition in DEFINITIONS
    for cut in definition.cuts
    for one in (cut.of("NanoAOD") if isinstance(cut, FirstAvailable) else (cut,))
    for field in one.fields
]


@pytest.mark.parametrize(("definition", "one", "field"), ASKED)
def test_a_decision_is_no_number(definition: ObjectDefinition, one: Any, field: str) -> None:
    """Where a flag is asked for, True passes; where bits or a number are, it is refused, whatever the definition."""
    needed = {"pt": 200.0, "eta": 0.5, "phi": 0.1, "mass": 5.0, "charge": 1} | dict.fromkeys(one.fields, 1)
    columns = {f"{definition.collection}_{name}": [[value]] for name, value in needed.items()}
    columns |= {f"{definition.collection}_{field}": [[True]]}
    columns |= {"Rho_fixedGridRhoFastjetAll": [1.0]} if isinstance(one, Recent) else {}
    asked = dataclasses.replace(definition, away_from=(), cuts=(FirstAvailable("the cut", (one,)),))
    if isinstance(one, Cut) and one.asks_a_flag:
        assert select(Columns(ak.Array(columns)), [asked])[definition.name].counts.tolist() == [1]
    else:
        with pytest.raises(BranchError, match=rf"the events: {definition.collection}_{field} holds yes or no"):
            select(Columns(ak.Array(columns)), [asked])


@pytest.mark.parametrize("cut", [Cut("x"), Cut("x", "==", 1), Cut("x", ">=", 1), Cut("x", ">", 0), Cut("x", "!=", 0)])
def test_a_decision_may_be_compared_with_yes_and_no(cut: Cut) -> None:
    columns = {f"Jet_{name}": [[50.0, 40.0]] for name in ("pt", "eta", "phi")} | {"Jet_x": [[True, False]]}
    columns["Jet_eta"] = columns["Jet_phi"] = [[0.0, 0.0]]
    found = select(Columns(ak.Array(columns)), [ObjectDefinition("j", "Jet", cuts=(cut,))])["j"]
    assert found.content["pt"].tolist() == [50.0]


fraction = st.floats(0.0, 1.0, width=32)
multiplicity = st.integers(0, 255)


@given(
    eta=st.floats(-5.2, 5.2),
    fractions=st.tuples(fraction, fraction, fraction),
    numbers=st.tuples(multiplicity, multiplicity),
)
@example(eta=0.0, fractions=(0.1, 0.5, 0.1), numbers=(255, 1))
@example(eta=0.0, fractions=(0.1, 0.5, 0.1), numbers=(200, 57))
def test_the_tight_jet_recipe(eta: float, fractions: tuple[float, ...], numbers: tuple[int, int]) -> None:
    """Range by range as the jet group writes it; the multiplicities are unsigned bytes, whose sum must not wrap."""
    neutral_hadrons, charged_hadrons, neutral_em = fractions
    charged, neutral = numbers
    if abs(eta) <= 2.6:
        expected = (
            neutral_hadrons < 0.99
            and neutral_em < 0.9
            and charged + neutral > 1
            and charged_hadrons > 0.01
            and charged > 0
        )
    elif abs(eta) <= 2.7:
        expected = neutral_hadrons < 0.9 and neutral_em < 0.99
    elif abs(eta) <= 3.0:
        expected = neutral_hadrons < 0.99
    else:
        expected = neutral >= 2 and neutral_em < 0.4
    found = nanoaod.tight_jet(
        np.array([eta]),
        np.array([neutral_hadrons]),
        np.array([charged_hadrons]),
        np.array([neutral_em]),
        np.array([charged], np.uint8),
        np.array([neutral], np.uint8),
    )
    assert found.tolist() == [expected]


def test_a_lepton_that_fails_is_no_jet() -> None:
    """Made of an electron by its energy fractions or its identification, or beside an isolated one of any quality."""
    columns = {
        "Jet_pt": [[90.0, 80.0, 70.0, 60.0]],
        "Jet_eta": [[0.0, 0.5, 1.0, 1.5]],
        "Jet_phi": [[0.0, 1.0, 2.0, 3.0]],
        "Jet_mass": [[5.0, 5.0, 5.0, 5.0]],
        "Jet_jetId": ak.values_astype(ak.Array([[6, 6, 2, 6]]), np.int32),
        "Jet_chEmEF": [[0.9, 0.1, 0.1, 0.1]],
        "Jet_muEF": [[0.0, 0.0, 0.0, 0.85]],
        "Electron_pt": [[40.0, 30.0]],
        "Electron_eta": [[0.55, 1.0]],
        "Electron_phi": [[1.05, 2.0]],
        "Electron_pfRelIso03_all": [[0.3, 0.5]],
    }
    muons = {f"Muon_{name}": ak.values_astype(ak.Array([[]]), np.float32) for name in ("pt", "eta", "phi")}
    events = ak.Array({**columns, **muons, "Muon_pfRelIso04_all": muons["Muon_pt"]})
    plain = ObjectDefinition("j", "Jet", 30.0, mass=None)
    clean = nanoaod.no_leptons(plain)

    def kept(*drop: str) -> Any:
        left = ak.Array({name: events[name] for name in events.fields if name not in drop})
        found = select(Columns(left), (*nanoaod.loose_leptons(), clean))["j"]
        return found.content["pt"].tolist()

    assert kept() == [70.0]  # the fractions decide, and the isolated electron
    assert kept("Jet_chEmEF") == [90.0, 60.0]  # by the bits
    assert kept("Jet_chEmEF", "Jet_jetId") == [90.0, 70.0, 60.0]
