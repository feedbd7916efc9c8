"""Names of other formats: one spelling, MeV to GeV once, links, bits of menus, soft terms; against plain Python."""

from __future__ import annotations

import math
from typing import Any

import awkward as ak
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp.errors import FileError, MissingBranchError
from coffea_ddp.events.branches import Columns
from coffea_ddp.events.candidates import select
from coffea_ddp.events.cuts import Cut, FirstAvailable, NotAsked, Only
from coffea_ddp.events.dialects.dialect import NANOAOD, Dialect, Source, spelled
from coffea_ddp.events.dialects.known import TREES, dialect_of, dialect_of_tree
from coffea_ddp.events.dialects.menu import Menu, chains
from coffea_ddp.events.dialects.physlite import PHYSLITE, Discriminant, Linked
from coffea_ddp.events.flat import FlatBranch, FlatEvents
from coffea_ddp.events.objects import ObjectDefinition
from coffea_ddp.events.selected import SelectedEvents
from coffea_ddp.plan import atlas, nanoaod

NAMES = st.from_regex(r"[A-Z][a-zA-Z0-9_]{0,8}", fullmatch=True).filter(lambda name: "Aux" not in name)
MUON = ObjectDefinition("mu", "Muon", pt_min=20.0)
JET = ObjectDefinition("j", "Jet", pt_min=20.0, mass=None)


def events(**more: Any) -> ak.Array:
    """Return two events with muons of 40 and 10 GeV, one jet of 50 GeV, and soft terms."""
    two = {"AnalysisMuonsAuxDyn.pt": [[40e3, 10e3], []], "AnalysisJetsAuxDyn.pt": [[], [50e3]]}
    for name, values in list(two.items()):
        container = name.removesuffix("pt")
        two |= {f"{container}{part}": ak.full_like(ak.Array(values), 0.5) for part in ("eta", "phi")}
    two["AnalysisJetsAuxDyn.m"] = [[], [9e3]]
    term = "MET_Core_AnalysisMETAuxDyn"
    two |= {f"{term}.mpx": [[7e3, 3e3], [1e3, 2e3]], f"{term}.mpy": [[7e3, -1e3], [1e3, 4e3]]}
    two[f"{term}.source"] = [[69664, 81952], [81952, 69664]]
    return ak.Array({**two, **more})


@given(NAMES, NAMES)
def test_all_spellings_are_one(container: str, variable: str) -> None:
    for store in ("Aux", "AuxDyn"):
        one = f"{container}{store}"
        for name in (f"{one}.{variable}", f"{one}:{variable}", f"{one}./{one}.{variable}"):
            assert spelled(name) == f"{container}.{variable}"
    assert spelled(f"{container}.{variable}") == f"{container}.{variable}"
    assert spelled("Muon_pt") == "Muon_pt"


def test_a_file_is_known_by_its_names_and_its_tree() -> None:
    assert TREES == ("CollectionTree", "EventData")
    assert dialect_of_tree("EventData") is PHYSLITE
    assert dialect_of_tree("Events") is NANOAOD
    assert dialect_of(["Muon_pt", "run", "A.b"]) is NANOAOD
    assert dialect_of([]) is NANOAOD
    assert dialect_of(["EventInfoAuxDyn:runNumber"]) is PHYSLITE


def test_a_dialect_translates() -> None:
    two = (Source(("x", "B.y")), Source(("x",)))
    dialect = Dialect("d", ("T",), {"Muon": "C"}, {"Muon_z": two}, {"run": Source(("E.r",))})
    assert dialect.source("Muon_z", ["C.x"]) == Source(("C.x",))
    assert dialect.source("Muon_z", ["C.x", "B.y"]) == Source(("C.x", "B.y"))
    assert dialect.source("Muon_z", []) is None
    assert dialect.source("Muon_own") == Source(("C.own",))
    assert dialect.source("Tau_pt") is dialect.source("Muon") is NANOAOD.source("Muon_pt") is None
    assert dialect.source("run") == Source(("E.r",))


def test_momenta_are_in_gev_once_and_own_names_stay() -> None:
    columns = Columns(events())
    for _ in range(2):
        assert columns.content("Muon_pt").tolist() == [40.0, 10.0]
    assert columns.counts("Muon").tolist() == [2, 0]
    assert columns.content("Jet_mass").tolist() == [9.0]
    for name in ("AnalysisMuonsAuxDyn.pt", "AnalysisMuonsAuxDyn:pt", "AnalysisMuons.pt"):
        assert columns.content(name).tolist() == [40e3, 10e3]
    assert columns.has("Muon_eta")
    assert not columns.has("Muon_dxy")
    assert not columns.has("MET_pt")
    assert set(columns.names) == {"AnalysisMuonsAuxDyn.pt", "AnalysisJetsAuxDyn.m"}


def test_single_precision_stays() -> None:
    pt = np.array([40e3, 31234.5], np.float32)
    more = {"AnalysisMuonsAuxDyn.pt": ak.unflatten(pt, [2, 0])}
    found = Columns(events(**more)).content("Muon_pt")
    assert found.dtype == np.float32
    assert found.tolist() == (pt / np.float32(1000)).tolist()


def test_the_charge_and_quality_of_muons() -> None:
    passes = atlas.MUON[0].cut.passes({"quality": np.arange(32, dtype=np.uint8)})
    assert passes.tolist() == [number % 8 < 2 for number in range(32)]


@given(st.lists(st.floats(0.0, 1.0, width=32), min_size=3, max_size=3))
def test_the_discriminant(chances: list[float]) -> None:
    b, c, u = chances
    counts = np.array([1])
    found = Discriminant(0.018)(*(FlatBranch(np.array([one]), counts) for one in chances)).content[0]
    others = 0.018 * c + 0.982 * u
    if b > 0 and others > 0:
        assert found == pytest.approx(math.log(b / others), rel=1e-6, abs=1e-6)
    with_tau = Discriminant(0.2, 0.01)(*(FlatBranch(np.array([one]), counts) for one in (0.5, 0.2, 0.2, 0.1)))
    assert with_tau.content[0] == pytest.approx(math.log(0.5 / (0.2 * 0.2 + 0.01 * 0.1 + 0.79 * 0.2)))


@given(st.lists(st.lists(st.integers(0, 4), max_size=5), max_size=5), st.data())
def test_links_lead_into_their_event(links: list[list[int]], data: st.DataObject) -> None:
    there = [data.draw(st.lists(st.floats(-5, 5, width=16), max_size=5)) for _ in links]
    flat = [
        FlatBranch(np.array([x for one in nested for x in one], kind), np.array([len(one) for one in nested], np.int64))
        for nested, kind in ((links, np.uint32), (there, np.float32))
    ]
    found = Linked()(*flat)
    expected = [mine[i] if i < len(mine) else math.nan for link, mine in zip(links, there, strict=True) for i in link]
    assert np.array_equal(found.content, np.array(expected, np.float32), equal_nan=True)
    assert found.counts is flat[0].counts


def test_a_link_to_nothing_is_no_tag() -> None:
    none = FlatBranch(np.array([2**32 - 1], np.uint32), np.array([1]))
    assert np.isnan(Linked()(none, FlatBranch(np.array([9.0], np.float32), np.array([1]))).content).all()


@given(st.data())
def test_bits_of_a_menu(data: st.DataObject) -> None:
    bits = st.dictionaries(st.sampled_from(["HLT_a", "HLT_b", "HLT_c"]), st.integers(0, 99), max_size=3)
    menu = Menu({1: data.draw(bits), 2: data.draw(bits)})
    keys = data.draw(st.lists(st.sampled_from([1, 2]), max_size=6))
    words = [data.draw(st.lists(st.integers(0, 2**32 - 1), max_size=4)) for _ in keys]
    flat = np.array([word for one in words for word in one], np.uint32), np.array([len(one) for one in words], np.int64)
    for name in ("HLT_a", "HLT_d"):
        expected = []
        for key, mine in zip(keys, words, strict=True):
            number = menu.counters[key].get(name)
            whole = sum(word << (32 * place) for place, word in enumerate(mine))
            expected.append(number is not None and bool(whole >> number & 1))
        assert menu.fired(name, np.array(keys, np.uint32), *flat).tolist() == expected


def test_menus_that_are_none() -> None:
    assert chains('{"chains": [{"name": "HLT_x", "counter": 3}]}') == {"HLT_x": 3}
    for text in (
        "",
        "[]",
        "{}",
        '{"chains": {"HLT_x": {}}}',
        '{"chains": {"HLT_x": {"counter": "y"}}}',
        '{"chains": 3}',
    ):
        with pytest.raises(FileError, match="trigger menu cannot be read"):
            chains(text)
    with pytest.raises(FileError, match="menu 5 is not among those of the file \\(1\\)"):
        Menu({1: {"HLT_x": 0}}).fired("HLT_x", np.array([5]), np.array([1]), np.array([1]))


def test_a_path_is_a_branch_where_there_is_a_menu() -> None:
    one = {
        "EventInfo.runNumber": FlatBranch(np.array([1, 1])),
        "xTrigDecision.smk": FlatBranch(np.array([7, 7], np.uint32)),
        "xTrigDecision.efPassedPhysics": FlatBranch(np.array([1, 2], np.uint32), np.array([1, 1])),
    }
    columns = Columns(FlatEvents(2, one, lambda: Menu({7: {"HLT_x": 1}})))
    assert columns.has("HLT_x")
    assert not columns.has("HLT_y")
    assert columns.per_event("HLT_x").tolist() == [False, True]
    assert set(columns.names) == {"xTrigDecision.smk", "xTrigDecision.efPassedPhysics"}
    for menu in (None, lambda: None):
        without = Columns(FlatEvents(2, one, menu), "a.root")
        assert not without.has("HLT_x")
        assert without.lacking(["HLT_x"]).startswith("no trigger menu in the file")
        with pytest.raises(MissingBranchError, match=r"a\.root: no branch HLT_x .*There is no trigger menu"):
            without.first_of("trigger", ["HLT_x"])


def test_missing_momentum_is_the_soft_term_minus_what_is_selected() -> None:
    loose = ObjectDefinition("mu_loose", "Muon", pt_min=30.0)
    columns = Columns(events(), "a.root")
    selected = SelectedEvents.from_columns(columns, (MUON, loose, JET))
    cos, sin = math.cos(0.5), math.sin(0.5)
    for part in (selected, selected.take(np.array([1]))):
        px, py = part.met.pt * np.cos(part.met.phi), part.met.pt * np.sin(part.met.phi)
        expected = np.array([[3 - 40 * cos, -1 - 40 * sin], [1 - 50 * cos, 1 - 50 * sin]])[-part.n_events :]
        assert np.allclose(np.stack([px, py], axis=1), expected, rtol=1e-6)
    assert selected.has_met
    told = columns.choices["missing transverse momentum"]
    assert told == "approximate: soft term of tracks minus the selected mu, mu_loose, j"
    with pytest.raises(MissingBranchError, match=r"a\.root: PHYSLITE has a soft term .* the plan has none"):
        _ = SelectedEvents.from_columns(columns, ()).met


def test_no_soft_term_is_nan_and_counted() -> None:
    term = "MET_Core_AnalysisMETAuxDyn"
    selected = SelectedEvents.from_columns(
        Columns(events(**{f"{term}.source": [[69664, 69664], [81952] * 2]})), (MUON,)
    )
    assert np.isnan(selected.met.pt).all()
    assert selected.odd_met() == {"missing pT is NaN, infinite or negative": 2}
    without = ak.without_field(events(), f"{term}.mpx")
    lacking = SelectedEvents.from_columns(Columns(without, "a.root"), (MUON,))
    assert not lacking.has_met
    with pytest.raises(MissingBranchError, match=r"no branch MET_Core_AnalysisMET\.mpx \(SoftTerm_px of NanoAOD\)"):
        _ = lacking.met


def test_generator_weights_are_the_first_of_a_list() -> None:
    name = "EventInfoAuxDyn.mcEventWeights"
    assert Columns(events(**{name: [[2.0, 9.0], [-1.0]]})).per_event("genWeight").tolist() == [2.0, -1.0]
    assert not Columns(events(**{name: ak.values_astype(ak.Array([[0.0], [0.0]])[:, :0], np.float32)})).has("genWeight")


def test_what_a_format_does_not_have_is_said() -> None:
    cut = FirstAvailable("dxy", (Cut("dxy", "abs<", 0.1), atlas.NO_TRACKS))
    columns = Columns(events())
    assert select(columns, [ObjectDefinition("mu", "Muon", cuts=(cut,))])["mu"].counts.tolist() == [2, 0]
    assert columns.choices["mu: dxy"] == "not asked: d0 and z0 are missing, they need links to tracks"
    plain = {f"Muon_{name}": [[30.0]] for name in ("pt", "eta", "phi")}
    with pytest.raises(MissingBranchError, match=r"no branch Muon_dxy \(needed for the dxy of the object 'mu'\)"):
        select(Columns(ak.Array(plain)), [ObjectDefinition("mu", "Muon", cuts=(cut,))])


def test_only_is_for_its_format() -> None:
    cuts = FirstAvailable("id", (Cut("a"), Only("PHYSLITE", Cut("b")), Only("other", NotAsked("no"))))
    assert [one.fields for one in cuts.of("NanoAOD")] == [("a",)]
    assert [one.fields for one in cuts.of("PHYSLITE")] == [("a",), ("b",)]


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ((ObjectDefinition("tau", "Tau"),), r"no branch AnalysisTauJets\.pt \(Tau_pt of NanoAOD\) \(needed"),
        ((nanoaod.muon(),), r"no branch AnalysisMuons\.charge"),
        ((ObjectDefinition("mu", "Muon", cuts=(Cut("qualty"),)),), r"AnalysisMuons\.qualty .*AnalysisMuons\.quality"),
        ((ObjectDefinition("tJ", "FatJet"),), "no branch FatJet_pt"),
    ],
)  # fmt: skip
def test_a_missing_container_is_named_as_the_file_would(objects: Any, message: str) -> None:
    with pytest.raises(MissingBranchError, match=message):
        select(Columns(events(**{"AnalysisMuonsAuxDyn.quality": [[1, 1], []]}), "a.root"), objects)


def test_the_taggers_of_a_release() -> None:
    """What a file has decides, in the order of the list; the container of tags is reached by links."""
    link = {"AnalysisJetsAuxDyn.btaggingLink.m_persIndex": [[], [1]]}
    tags = "BTagging_AntiKt4EMPFlowAuxDyn"
    old = {"BTagging_AntiKt4EMPFlow_201903AuxDyn.MV2c10_discriminant": [[], [0.1, 0.9]]} | link
    new = {f"{tags}.DL1dv01_{kind}": [[], [0.3, p]] for kind, p in (("pb", 0.9), ("pc", 0.05), ("pu", 0.05))} | link
    own = {f"AnalysisJetsAuxDyn.GN2v01_{kind}": [[], [0.25]] for kind in ("pb", "pc", "pu", "ptau")}
    for more, name, score in (
        (old, "MV2c10", 0.9),
        (old | new, "DL1dv01", math.log(0.9 / 0.05)),
        (old | new | own, "GN2v01", 0.0),
    ):
        columns = Columns(events(**more))
        (cut,) = (one for one in nanoaod.b_jet().cuts if isinstance(one, FirstAvailable) and one.role == "b tag")
        select(columns, [ObjectDefinition("b", "Jet", cuts=(cut,))])
        assert columns.choices["b: b tag"].startswith(f"{name} above ")
        assert columns.content(f"Jet_{name}")[0] == pytest.approx(score, abs=1e-6)


def test_release_21() -> None:
    assert atlas.medium_tau(np.array([0.3, 0.3, 0.5]), np.array([2, 3, 4])).tolist() == [True, False, True]
    jvt, pt, eta = np.array([0.6, 0.5, 0.5, 0.5]), np.array([30.0, 30.0, 61.0, 30.0]), np.array([0.0, 0.0, 0.0, 2.5])
    assert atlas.of_hard_vertex(jvt, pt, eta).tolist() == [True, False, True, True]
