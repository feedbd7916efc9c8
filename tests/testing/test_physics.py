"""The physics: symmetries, observables and topologies, against closed forms, swapped events and real data."""

from __future__ import annotations

from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
import vector

import coffea_ddp as ddp
from coffea_ddp import observables as obs
from coffea_ddp import selections, symmetries, testing
from coffea_ddp.errors import FileError, InputError, MissingBranchError, OverlapError, PlanError, UnknownNameError
from coffea_ddp.events.branches import Columns
from coffea_ddp.events.objects import MergedObject, ObjectDefinition
from coffea_ddp.events.selected import SelectedEvents
from coffea_ddp.filling import fill
from coffea_ddp.histograms.cells import Multiplicity, Topology
from coffea_ddp.plan.observables import Feature, observable
from coffea_ddp.plan.plan import ScanPlan
from coffea_ddp.plan.symmetry import Symmetry
from coffea_ddp.testing.generator.kinematics import invariant_mass
from coffea_ddp.testing.generator.record import Record, _tag_jets

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not SHARED.exists(), reason="the shared sample files are not here")

# Electrons and muons alike in everything, the mass included: then swapping the two collections swaps the sides exactly.
ALIKE = (
    ObjectDefinition("e", "Electron", 15.0, 2.4, charged=True, flavour=11),
    ObjectDefinition("mu", "Muon", 15.0, 2.4, charged=True, flavour=13),
    MergedObject("lepton", ("e", "mu")),
    ObjectDefinition("j", "Jet", 30.0, 4.7, away_from=(("e", 0.4), ("mu", 0.4)), mass=None),
    ObjectDefinition("b", "Jet", 30.0, 2.4, away_from=(("e", 0.4), ("mu", 0.4)), mass=None),
)
TWO = (observable(obs.m_coll, obs.pt_l0), observable(obs.m_ll), observable(obs.dphi_ll), observable(obs.m_t, obs.h_t))
ALL = (
    symmetries.e_mu((observable(obs.pt_l0, obs.met),)),
    symmetries.ee_mumu_os(TWO),
    symmetries.ee_mumu_ss(TWO),
    symmetries.emu_mue_os(TWO),
    symmetries.emu_mue_ss(TWO),
    symmetries.eplus_muminus(TWO),
    symmetries.forward_backward(TWO),
    symmetries.eta_sign((observable(obs.pt_l0),)),
)
CELLS = (
    Multiplicity("j", last=3),
    Topology("Z", selections.z_candidate),
    Topology("W", selections.w_candidate),
    Topology("VBF", selections.vbf),
)
PLAN = ScanPlan("alike", ALL, objects=ALIKE, cells=CELLS)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> ak.Array:
    path = testing.make_nanoaod(tmp_path_factory.mktemp("toy") / "nano.root", events=20_000, seed=8)
    with uproot.open(path) as file:
        return file["Events"].arrays(filter_name=["run", "lumi*", "event", "MET_*", "Electron_*", "Muon_*", "Jet_*"])


def exchanged(events: ak.Array, **changes: str) -> ak.Array:
    """Return the events with branches taken from others."""
    return ak.Array({name: events[changes.get(name, name)] for name in events.fields})


def sides(events: ak.Array, symmetry: Symmetry) -> np.ndarray:
    return symmetry.assign(SelectedEvents.from_columns(Columns(events), ALIKE))


# -- symmetries --------------------------------------------------------------------------------------------------------


def test_exchanging_electrons_and_muons_swaps_the_sides_and_nothing_else(toy: ak.Array) -> None:
    swap = {f"Electron_{f}": f"Muon_{f}" for f in ("pt", "eta", "phi", "charge")}
    swap |= {new: old for old, new in swap.items()}
    one, two = fill(toy, PLAN), fill(exchanged(toy, **swap), PLAN)
    for name in ("e/mu", "ee/mumu OS", "ee/mumu SS", "emu/mue OS", "emu/mue SS"):
        first, second = one.cell_counts(name), two.cell_counts(name)
        assert np.array_equal(first.codes, second.codes)
        assert np.array_equal(first.counts, second.counts[:, ::-1])
        assert first.counts.sum() > 0
        for what in one.observables(name):
            first, second = one[name, what], two[name, what]
            assert (first.a, first.b) == (second.b, second.a)


def test_charge_conjugation_swaps_eplus_muminus_and_backward_forward(toy: ak.Array) -> None:
    conjugate = ak.with_field(toy, -toy.Electron_charge, "Electron_charge")
    conjugate = ak.with_field(conjugate, -toy.Muon_charge, "Muon_charge")
    one, two = fill(toy, PLAN), fill(conjugate, PLAN)
    for name in ("e+mu-/e-mu+", "forward/backward"):
        for what in one.observables(name):
            first, second = one[name, what], two[name, what]
            assert first.a.sum() > 0
            assert (first.a, first.b) == (second.b, second.a)


def test_reflection_swaps_the_sign_of_eta_and_keeps_the_rest(toy: ak.Array) -> None:
    mirrored = toy
    for collection in ("Electron", "Muon", "Jet"):
        mirrored = ak.with_field(mirrored, -toy[f"{collection}_eta"], f"{collection}_eta")
    one, two = fill(toy, PLAN), fill(mirrored, PLAN)
    assert (one["eta<0/eta>0", "pt_l0"].a, one["eta<0/eta>0", "pt_l0"].b) == (
        two["eta<0/eta>0", "pt_l0"].b,
        two["eta<0/eta>0", "pt_l0"].a,
    )
    assert one["emu/mue OS", "m_coll x pt_l0"].a == two["emu/mue OS", "m_coll x pt_l0"].a
    assert one["forward/backward", "m_ll"].b == two["forward/backward", "m_ll"].b


def leptons(*each: tuple[int, float, float, float, int], met: float = 50.0, met_phi: float = 0.0) -> ak.Array:
    """Return one event of (flavour, pt, eta, phi, charge) leptons, without jets."""

    def branch(flavour: int, part: int, dtype: type) -> ak.Array:
        return ak.Array(ak.contents.ListOffsetArray(
            ak.index.Index64(np.array([0, sum(one[0] == flavour for one in each)])),
            ak.contents.NumpyArray(np.array([one[part] for one in each if one[0] == flavour], dtype=dtype)),
        ))  # fmt: skip

    parts = {"pt": (1, np.float64), "eta": (2, np.float64), "phi": (3, np.float64), "charge": (4, np.int32)}
    record = {
        f"{name}_{part}": branch(flavour, *where)
        for name, flavour in (("Electron", 11), ("Muon", 13))
        for part, where in parts.items()
    }
    empty = ak.values_astype(ak.Array([[]]), np.float64)
    record |= {f"Jet_{part}": empty for part in ("pt", "eta", "phi", "mass")}
    return ak.Array(record | {"MET_pt": np.array([met]), "MET_phi": np.array([met_phi])})


E, MU = 11, 13


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        # e/mu, ee/mumu OS, SS, emu/mue OS, SS, e+mu-/e-mu+
        ([(E, 40, 0, 0, -1)], [0, -1, -1, -1, -1, -1]),
        ([(MU, 40, 0, 0, -1)], [1, -1, -1, -1, -1, -1]),
        ([(E, 40, 0, 0, -1), (E, 30, 1, 2, 1)], [0, 0, -1, -1, -1, -1]),
        ([(MU, 40, 0, 0, -1), (MU, 30, 1, 2, 1)], [1, 1, -1, -1, -1, -1]),
        ([(E, 40, 0, 0, -1), (E, 30, 1, 2, -1)], [0, -1, 0, -1, -1, -1]),
        ([(MU, 40, 0, 0, 1), (MU, 30, 1, 2, 1)], [1, -1, 1, -1, -1, -1]),
        ([(E, 40, 0, 0, -1), (MU, 30, 1, 2, 1)], [0, -1, -1, 0, -1, 1]),
        ([(MU, 40, 0, 0, -1), (E, 30, 1, 2, 1)], [1, -1, -1, 1, -1, 0]),
        ([(MU, 40, 0, 0, 1), (E, 30, 1, 2, 1)], [1, -1, -1, -1, 1, -1]),
        ([(MU, 40, 0, 0, 1), (E, 40, 1, 2, -1)], [0, -1, -1, 0, -1, 1]),  # a tie counts as e
        ([(MU, 40, 0, 0, 1), (E, 30, 1, 2, -1), (E, 20, 0, 1, 1)], [1, -1, -1, -1, -1, -1]),
        ([(MU, 10, 0, 0, 1)], [-1, -1, -1, -1, -1, -1]),
        ([], [-1, -1, -1, -1, -1, -1]),
    ],
)
def test_which_side_an_event_is_on(event: list[tuple[int, float, float, float, int]], expected: list[int]) -> None:
    assert [int(sides(leptons(*event), symmetry)[0]) for symmetry in ALL[:6]] == expected


def test_backward_and_forward_by_an_explicit_boost() -> None:
    """cos(theta*) of the Collins-Soper frame, from boosted beams, for random pairs (arXiv:1802.06150's definition)."""
    rng = np.random.default_rng(4)
    for _ in range(50):
        negative, positive = ((MU, *rng.uniform((20, -2, -3), (90, 2, 3)), charge) for charge in (-1, 1))
        events = SelectedEvents.from_columns(Columns(leptons(negative, positive)), ALIKE)
        minus, plus = (vector.obj(pt=p[1], eta=p[2], phi=p[3], mass=0.0) for p in (negative, positive))
        pair = minus + plus
        beams = [vector.obj(px=0.0, py=0.0, pz=sign * 6500.0, E=6500.0).boostCM_of(pair) for sign in (1, -1)]
        axis = beams[0].to_Vector3D().unit() - beams[1].to_Vector3D().unit()
        lepton = minus.boostCM_of(pair).to_Vector3D()
        expected = np.sign(pair.pz) * lepton.dot(axis) / (lepton.mag * axis.mag)
        assert symmetries.collins_soper_cosine(events)[0] == pytest.approx(expected, abs=1e-9)
        assert sides(leptons(negative, positive), ALL[6])[0] == (expected > 0)


def test_a_pair_of_equal_charges_is_neither_backward_nor_forward() -> None:
    events = leptons((E, 40, 0.5, 0, -1), (E, 30, 1, 2, -1))
    assert sides(events, ALL[6])[0] == -1
    assert np.isnan(symmetries.collins_soper_cosine(SelectedEvents.from_columns(Columns(events), ALIKE))[0])


# -- observables -------------------------------------------------------------------------------------------------------


def test_observables_against_closed_forms() -> None:
    events = SelectedEvents.from_columns(
        Columns(leptons((MU, 60.0, 0.3, 0.5, 1), (E, 35.0, -0.8, -2.9, -1), met=42.0, met_phi=-2.5)), ALIKE
    )
    d_eta, d_phi = 1.1, 2 * np.pi - 3.4
    visible = np.sqrt(2 * 60.0 * 35.0 * (np.cosh(d_eta) - np.cos(d_phi)))
    expected = {
        "m_ll": visible,
        # The tau's visible fraction x = pT1 / (pT1 + MET): m_coll = m_vis / sqrt(x).
        "m_coll": visible / np.sqrt(35.0 / (35.0 + 42.0)),
        "pt_l0": 60.0,
        "pt_l1": 35.0,
        "eta_l0": 0.3,
        "met": 42.0,
        "m_t": np.sqrt(2 * 60.0 * 42.0 * (1 - np.cos(3.0))),
        "h_t": 0.0,
        "dphi_ll": d_phi,
        "dphi_l0_met": 3.0,
        "dphi_l1_met": 0.4,
    }
    assert set(expected) == set(obs.FEATURES)
    for name, value in expected.items():
        assert obs.feature(name).values(events)[0] == pytest.approx(value, rel=1e-6), name


def test_axes_grow_towards_the_tail_and_cover_the_range() -> None:
    for feature in obs.FEATURES.values():
        edges = feature.axis().edges
        widths = np.diff(edges)
        assert (len(widths), edges[0], edges[-1]) == (28, feature.low, pytest.approx(feature.high))
        assert widths[-1] / widths[0] == pytest.approx(feature.growth, rel=0.02)
        assert (widths > 0).all()
    assert obs.m_ll.axis(10, 60.0, 120.0).edges.tolist() == pytest.approx(np.linspace(60, 120, 11))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: obs.m_ll.axis(0), "at least one bin"),
        (lambda: obs.m_ll.axis(5, 3.0, 3.0), "low < high"),
        (observable, "0 features"),
        (lambda: observable(obs.met, axes=(1,)), "no Regular, Variable or Integer axis"),
        (lambda: observable(obs.met, axes=(obs.hist.axis.Regular(3, 0, 1, flow=False),)), "no flow bins"),
        (lambda: Symmetry("x", bool, bool, (), kappa=0.0), "kappa=0.0"),
        (lambda: Symmetry("x", bool, bool, (), kappa=np.nan), "kappa=nan"),
    ],
)
def test_what_cannot_be_is_refused(make: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()  # type: ignore[operator]


def test_names_must_be_unique() -> None:
    two = observable(obs.met)
    with pytest.raises(PlanError, match="each needs a name of its own"):
        symmetries.e_mu((two, two))
    with pytest.raises(PlanError, match="every symmetry needs a name of its own"):
        ScanPlan("x", (symmetries.e_mu((two,)), symmetries.e_mu((two,))))
    other = Feature("met", "something else", "", lambda ev: ev.met.pt, 0, 1)
    with pytest.raises(PlanError, match="two different features are called 'met'"):
        ScanPlan("x", (symmetries.e_mu((two, observable(other, name="y"))),))
    with pytest.raises(UnknownNameError, match=r"no feature 'm_lll'.*m_ll, m_coll"):
        obs.feature("m_lll")
    with pytest.raises(InputError, match="every axis of a grid needs a name"):
        _ = ScanPlan("x", (), cells=(Multiplicity("j", last=1), Multiplicity("j", last=2))).layout


# -- topologies --------------------------------------------------------------------------------------------------------


def with_jets(event: ak.Array, *jets: tuple[float, float, float]) -> ak.Array:
    for i, part in enumerate(("pt", "eta", "phi")):
        event = ak.with_field(event, ak.Array([[float(jet[i]) for jet in jets]]), f"Jet_{part}")
    return ak.with_field(event, ak.Array([[5.0] * len(jets)]), "Jet_mass")


def holds(predicate: object, event: ak.Array) -> bool:
    return bool(predicate(SelectedEvents.from_columns(Columns(event), ALIKE))[0])  # type: ignore[operator]


def test_z_candidates() -> None:
    on_peak = [(MU, 45.6, 0, 0, 1), (MU, 45.6, 0, 3.14159, -1)]
    assert holds(selections.z_candidate, leptons(*on_peak))
    assert not holds(selections.z_candidate, leptons((MU, 45.6, 0, 0, 1), (MU, 45.6, 0, 3.14159, 1)))
    assert not holds(selections.z_candidate, leptons((MU, 45.6, 0, 0, 1), (E, 45.6, 0, 3.14159, -1)))
    assert not holds(selections.z_candidate, leptons((MU, 60.0, 0, 0, 1), (MU, 60.0, 0, 3.14159, -1)))
    assert holds(selections.z_candidate, leptons((E, 90.0, 0, 1.5, 1), *on_peak))
    assert not holds(selections.w_candidate, leptons(*on_peak, met=60.0, met_phi=3.1))


def test_w_candidates() -> None:
    lepton = (E, 40.0, 0, 0, 1)
    assert holds(selections.w_candidate, leptons(lepton, met=40.0, met_phi=3.1))
    assert not holds(selections.w_candidate, leptons(lepton, met=40.0, met_phi=0.3))
    assert not holds(selections.w_candidate, leptons(lepton, met=25.0, met_phi=3.1))
    assert not holds(selections.w_candidate, leptons(met=40.0))


def test_vbf_and_ttbar() -> None:
    pair = leptons((E, 40.0, 0, 0, 1), (MU, 35.0, 0.5, 2.0, -1))
    assert holds(selections.vbf, with_jets(pair, (80, 2.5, 0.1), (70, -2.0, 2.9)))
    assert not holds(selections.vbf, with_jets(pair, (80, 4.6, 0.1), (70, 0.6, 2.9)))  # one hemisphere
    assert not holds(selections.vbf, with_jets(pair, (31, 1.8, 0.1), (31, -1.8, 0.2)))  # light
    assert not holds(selections.vbf, with_jets(pair, (80, 2.5, 0.1)))
    assert holds(selections.ttbar, with_jets(pair, (80, 1.5, -1.1), (70, -2.0, 2.9)))  # here every central jet is a b
    one = leptons((E, 40.0, 0, 0, 1))
    assert not holds(selections.ttbar, with_jets(one, (80, 1.5, 1.1), (70, -2.0, 2.9)))
    assert holds(selections.ttbar, with_jets(one, (80, 1.5, 1.1), (70, -2.0, 2.9), (60, 0, -2), (50, 1, -1)))


# -- triggers, good runs, own objects, own symmetries ------------------------------------------------------------------


def test_a_trigger_needs_all_its_paths_so_that_it_breaks_no_symmetry() -> None:
    events = ak.with_field(leptons((E, 40, 0, 0, 1)), [True], "HLT_IsoMu24")
    both = selections.Trigger(("HLT_IsoMu24", ("HLT_Ele32", "HLT_Ele27")))
    with pytest.raises(MissingBranchError, match="no branch HLT_Ele32 or HLT_Ele27"):
        holds(both, events)
    optional = selections.Trigger(both.any_of, required=False)
    columns = Columns(events)
    assert optional(SelectedEvents.from_columns(columns, ALIKE)).tolist() == [True]
    assert columns.choices["trigger"] == "not applied: no HLT_Ele32 or HLT_Ele27"
    full = ak.with_field(events, [False], "HLT_Ele27")
    columns = Columns(full)
    assert both(SelectedEvents.from_columns(columns, ALIKE)).tolist() == [True]
    assert columns.choices["trigger"] == "HLT_IsoMu24 or HLT_Ele27"
    assert not holds(both, ak.with_field(full, [False], "HLT_IsoMu24"))


def test_the_good_run_list_is_applied_to_data_only(toy: ak.Array) -> None:
    blocks = np.asarray(toy.luminosityBlock)
    last = int(np.median(blocks))
    good = selections.GoodRuns.from_dict({str(int(toy.run[0])): [[int(blocks.min()), last]], "1": [[1, 9]]})
    plan = ScanPlan("good", ALL[:1], objects=ALIKE, good_runs=good)
    assert fill(toy, plan).cutflow["good luminosity blocks"] == np.count_nonzero(blocks <= last)
    simulated = fill(ak.with_field(toy, np.ones(len(toy)), "genWeight"), plan)
    assert simulated.cutflow["good luminosity blocks"] == len(toy)
    assert simulated.choices["good-run list"] == ("not applied: simulation",)
    assert plan.fingerprint != ScanPlan("good", ALL[:1], objects=ALIKE).fingerprint


@needs_data
def test_the_golden_json_of_2017() -> None:
    good = selections.GoodRuns.from_file(SHARED / "cms_real" / "golden_2017.json")
    import json

    runs = json.loads((SHARED / "cms_real" / "golden_2017.json").read_text())
    run, ranges = next(iter(runs.items()))
    first, last = ranges[0]
    tried = [first - 1, first, last, last + 1] if len(ranges) == 1 or ranges[1][0] > last + 1 else [first, last]
    expected = [any(a <= block <= b for a, b in ranges) for block in tried]
    assert good.mask([int(run)] * len(tried), tried).tolist() == expected
    assert good.mask([1], [1]).tolist() == [False]


def test_bad_good_run_lists(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    for text in ("{", "[1]", '{"a": [[1, 2]]}', '{"1": [1]}'):
        path.write_text(text)
        with pytest.raises(FileError, match=r"list\.json"):
            selections.GoodRuns.from_file(path)
    with pytest.raises(FileError, match="absent"):
        selections.GoodRuns.from_file(tmp_path / "absent.json")


def test_any_collection_of_the_file_can_be_counted(toy: ak.Array) -> None:
    """The K of the slides' table: a user's own collection, by its name."""
    counts = np.arange(len(toy)) % 4
    kaons = {
        f"BToKEE_{name}": ak.unflatten(np.full(counts.sum(), value), counts)
        for name, value in (("pt", 5.0), ("eta", 0.1), ("phi", 0.2))
    }
    events = ak.Array({**{name: toy[name] for name in toy.fields}, **kaons})
    kaon = ObjectDefinition("K", "BToKEE", pt_min=1.0)
    plan = ScanPlan("K", ALL[:1], objects=(*ALIKE, kaon), cells=(Multiplicity("K", last=2),))
    hists = fill(events, plan)
    total = hists.cells("e/mu").set_index("K")[["n_a", "n_b"]].sum(axis=1)
    on = sides(events, ALL[0]) >= 0
    assert total.to_dict() == {k: int(np.count_nonzero(on & (np.minimum(counts, 2) == k))) for k in (0, 1, 2)}


def test_a_symmetry_of_ones_own_in_three_lines(toy: ak.Array) -> None:
    mine = Symmetry(
        "l-/l+",
        a=lambda ev: ev.leading("lepton").charge < 0,
        b=lambda ev: ev.leading("lepton").charge > 0,
        observables=(observable(obs.pt_l0, obs.met),),
    )
    hists = fill(toy, ScanPlan("mine", (mine,), objects=ALIKE))
    report = ddp.scan(hists, toys=0)
    assert report.rows[0].symmetry == "l-/l+"
    assert abs(report.rows[0].statistic) < 4
    assert mine.sides == ("l-", "l+")


def test_sides_must_be_exclusive_bools(toy: ak.Array) -> None:
    def plan(a: object) -> ScanPlan:
        return ScanPlan("x", (Symmetry("A/B", a, lambda ev: ev.count("mu") > 0, ()),), objects=ALIKE)  # type: ignore[arg-type]

    both = int(ak.sum(fill(toy, plan(lambda ev: ev.count("mu") < 0)).cells("A/B")["n_b"]))
    with pytest.raises(OverlapError, match=f"symmetry 'A/B': {both} of {len(toy)} events in the events are on both"):
        fill(toy, plan(lambda ev: ev.count("mu") >= 1))
    with pytest.raises(InputError, match="side A: got int64 of shape"):
        fill(toy, plan(lambda ev: ev.count("mu")))
    with pytest.raises(InputError, match=r"side A: got bool of shape \(3,\)"):
        fill(toy, plan(lambda _: np.ones(3, bool)))


def test_features_and_weights_must_be_numbers_of_every_event(toy: ak.Array) -> None:
    bad = Feature("bad", "bad", "", lambda _: np.zeros(3), 0, 1)
    with pytest.raises(InputError, match=r"feature 'bad': got an array of shape \(3,\)"):
        fill(toy, ScanPlan("x", (symmetries.e_mu((observable(bad),)),), objects=ALIKE))
    with pytest.raises(InputError, match=r"weight: .*give one finite number for each of the"):
        fill(toy, ScanPlan("x", ALL[:1], objects=ALIKE, weight=lambda ev: np.full(ev.n_events, np.nan)))


# -- efficiencies, and real data ---------------------------------------------------------------------------------------


def test_kappa_takes_out_a_difference_of_efficiencies(tmp_path: Path) -> None:
    """Muons are found 12.5 % more often than electrons: N_sigma sees it, and with that kappa it does not."""
    efficiency = testing.Efficiency(e=0.80, mu=0.90)
    path = testing.make_nanoaod(tmp_path / "nano.root", events=60_000, seed=2, efficiency=efficiency)
    found = {}
    for kappa in (1.0, efficiency.kappa):
        one = Symmetry.from_side(
            "e/mu",
            lambda ev: np.select(
                [(ev.count("lepton") == 1) & (ev.count("e") == 1), (ev.count("lepton") == 1) & (ev.count("mu") == 1)],
                [0, 1],
                -1,
            ),
            (observable(obs.pt_l0, obs.met),),
            kappa=kappa,
        )
        report = ddp.scan(
            ddp.run(ScanPlan("kappa", (one,), selection=selections.LeadingAbove("lepton", 35.0)), path), toys=0
        )
        found[kappa] = report.rows[0].statistic
    assert found[1.0] > 4
    assert abs(found[efficiency.kappa]) < 3


@needs_data
def test_real_dimuons_of_2010() -> None:
    """A real null (opposite sign), a real asymmetry (same sign: protons are positive)."""
    hists = ddp.run("dimuon_charge", SHARED / "cms_real" / "cms2010_dimuon_100k.root")
    assert hists.n_events == 100_000
    report = ddp.scan(hists, toys=0)
    strongest = {name: report.best(name) for name in hists.symmetries}
    rows = {row.symmetry: row for row in report.rows if row.observable == "pt_l0 x pt_l1"}
    assert abs(rows["mu-/mu+ OS"].statistic) < 3
    assert rows["mu-mu-/mu+mu+ SS"].statistic > 4
    assert strongest["mu-mu-/mu+mu+ SS"] is not None
    masses = hists["mu-/mu+ OS", "m_ll"].symmetric.project("m_ll")
    assert masses.sum(flow=True) == 63_946


@needs_data
def test_real_events_with_all_objects() -> None:
    """No ids in this file, so objects without: the building blocks serve, and e mu events are found."""
    hists = ddp.run(PLAN, SHARED / "cms_real" / "cms_eventdisplay_allobjects.root")
    assert hists.n_events == 255
    assert hists.summary().set_index("symmetry").loc["e/mu", ["n_a", "n_b"]].sum() > 50


def test_tag_jets_make_no_peak() -> None:
    """Their mass is above 500 GeV without an edge: 20 GeV hold about as much as the next."""
    record = Record()
    n = 60_000
    _, p4 = _tag_jets(np.random.default_rng(3), record, np.arange(n))
    masses = invariant_mass(p4[:, :n] + p4[:, n:])
    counts = np.histogram(masses, np.arange(500.0, 1500.0, 20.0))[0]
    assert masses.min() > 560.0
    assert (np.abs(np.diff(counts)) < 9.0 * np.sqrt(counts[1:] + counts[:-1] + 1)).all()
