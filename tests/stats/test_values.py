"""What a file holds that cannot be: an error that names file, branch and entry, or a line of the cutflow."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import awkward as ak
import hist
import numpy as np
import pytest
import uproot
from coffea.analysis_tools import Weights
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import coffea_ddp as ddp
from coffea_ddp import nanoaod, testing
from coffea_ddp import observables as obs
from coffea_ddp.errors import BranchError, InputError, MergeError
from coffea_ddp.events.values import charges, flags, weights, whole_numbers
from coffea_ddp.filling import fill
from coffea_ddp.plan.datasets import described

PLAN = ddp.ScanPlan(
    "leptons",
    symmetries=(ddp.symmetries.e_mu((ddp.observable(obs.pt_l0, obs.met),)),),
    objects=(nanoaod.electron(), nanoaod.muon(), ddp.MergedObject("lepton", ("e", "mu"))),
    trigger=ddp.Trigger(("HLT_IsoMu24", "HLT_Ele32_WPTight_Gsf")),
    good_runs=None,
)
NUMBERS = (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64, np.int64, np.float32, np.float64)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> ak.Array:
    return read(tmp_path_factory.mktemp("nano"), 400, 1)


def read(folder: Path, n: int, seed: int) -> ak.Array:
    with uproot.open(testing.make_nanoaod(folder / f"{n}.root", events=n, seed=seed)) as file:
        return file["Events"].arrays()


def changed(events: ak.Array, **columns: Any) -> ak.Array:
    return ak.Array({name: columns.get(name, events[name]) for name in events.fields} | columns)


def one_in(values: Any, entry: int, value: float) -> Any:
    found = np.asarray(values).astype(np.float64)
    found[entry] = value
    return found


@given(data=st.data(), source=st.sampled_from(NUMBERS), target=st.sampled_from([np.uint32, np.uint64]))
def test_whole_numbers_are_equal_or_refused(data: st.DataObject, source: Any, target: Any) -> None:
    given_values = data.draw(hnp.arrays(source, st.integers(1, 5)))
    fits = [_is_whole(value, target) for value in given_values.tolist()]
    exact = np.dtype(source).kind != "f" or np.all(np.abs(given_values) <= 2.0 ** (np.finfo(source).nmant + 1))
    if all(fits) and exact:
        found = whole_numbers("f: b", given_values, target)
        assert found.dtype == target
        assert found.tolist() == [int(value) for value in given_values.tolist()]
    else:
        with pytest.raises(BranchError, match="f: b is "):
            whole_numbers("f: b", given_values, target)


def _is_whole(value: float, target: Any) -> bool:
    return np.isfinite(value) and int(value) == value and 0 <= int(value) <= np.iinfo(target).max


@given(values=hnp.arrays(st.sampled_from(NUMBERS), st.integers(1, 5)))
def test_charges_and_flags_are_equal_or_refused(values: Any) -> None:
    plain = values.tolist()
    if values.dtype.kind in "if" and all(abs(value) <= 9 and int(value) == value for value in plain):
        assert charges("f: b", values).tolist() == [int(value) for value in plain]
    else:
        with pytest.raises(BranchError):
            charges("f: b", values)
    if all(value in (0, 1) for value in plain):
        assert flags("f: b", values).tolist() == [value == 1 for value in plain]
    else:
        with pytest.raises(BranchError, match="0 or 1"):
            flags("f: b", values)


@pytest.mark.parametrize("branch", ["run", "luminosityBlock", "event"])
@pytest.mark.parametrize("value", [3.5, np.nan, np.inf, -np.inf, -3.0, 2.0**70])
def test_identities_that_cannot_be_are_refused(events: ak.Array, branch: str, value: float) -> None:
    with pytest.raises(BranchError, match=rf"the events: branch {branch} is \S+ in entry 7"):
        fill(changed(events, **{branch: one_in(events[branch], 7, value)}), PLAN)
    good = dataclasses.replace(PLAN, max_stored=0, good_runs=ddp.GoodRuns.from_dict({"1": [[1, 9]]}))
    if branch != "event":
        with pytest.raises(BranchError, match=branch):
            fill(changed(events, **{branch: one_in(events[branch], 7, value)}), good)


def test_identities_may_have_other_types_but_no_lost_digits(events: ak.Array) -> None:
    whole = fill(events, PLAN)
    for dtype in (np.int64, np.float64, np.uint64):
        other = {name: ak.values_astype(events[name], dtype) for name in ("run", "luminosityBlock", "event")}
        assert fill(changed(events, **other), PLAN) == whole
    lost = np.asarray(events["event"]).astype(np.float64) + 2**24
    with pytest.raises(BranchError, match="a float32 holds no whole number above 16,777,216 exactly"):
        fill(changed(events, event=lost.astype(np.float32)), PLAN)


def test_dummies_are_no_identities(events: ak.Array) -> None:
    zeros = {name: np.zeros(len(events), np.uint32) for name in ("run", "luminosityBlock", "event")}
    found = fill(changed(events, **zeros), PLAN)
    assert found.choices["event identity"] == ("file and entry",)
    assert len(np.unique(found.events.columns["event"])) == len(found.events.columns["event"]) > 50


def test_charges_without_sign_are_refused(events: ak.Array) -> None:
    for dtype in (np.uint8, np.uint32, np.bool_):
        with pytest.raises(BranchError, match=r"the events: Electron_charge holds \w+, which has no sign"):
            fill(changed(events, Electron_charge=ak.values_astype(events["Electron_charge"], dtype)), PLAN)
    with pytest.raises(BranchError, match=r"Muon_charge is -?2 in candidate 0"):
        fill(changed(events, Muon_charge=2 * events["Muon_charge"]), PLAN)


def test_sizes_of_charges_and_momenta_in_mev_are_refused(events: ak.Array) -> None:
    charge = events["Muon_charge"]
    for other, said in ((abs(charge), "negative"), (charge * 0, "negative"), (-abs(charge), "positive")):
        with pytest.raises(BranchError, match=rf"Muon_charge is never {said} in \d+ candidates"):
            fill(changed(events, Muon_charge=other), PLAN)
    with pytest.raises(BranchError, match="Muon_charge is never negative"):
        fill(changed(events, Muon_charge=ak.values_astype(charge > 0, np.int32)), PLAN)
    for name in ("Muon_pt", "Electron_pt"):
        with pytest.raises(BranchError, match=rf"{name} is above 7000 GeV for \d+ of \d+ .* in MeV"):
            fill(changed(events, **{name: 1000 * events[name]}), PLAN)
    few = ak.where(np.arange(len(events)) < 9, 1000 * events["Muon_pt"], events["Muon_pt"])
    assert fill(changed(events, Muon_pt=few), PLAN).n_events == len(events)


def test_flags_of_other_types_select_the_same(events: ak.Array) -> None:
    whole = fill(events, PLAN)
    for dtype in (np.uint8, np.int8, np.int32, np.float32):
        names = ("Muon_mediumId", "HLT_IsoMu24", "HLT_Ele32_WPTight_Gsf", "Electron_mvaFall17V2Iso_WP90")
        assert fill(changed(events, **{name: ak.values_astype(events[name], dtype) for name in names}), PLAN) == whole
    for name in ("Muon_mediumId", "HLT_IsoMu24"):
        with pytest.raises(BranchError, match=f"{name} is 2 in"):
            fill(changed(events, **{name: 2 * ak.values_astype(events[name], np.int32)}), PLAN)


def test_what_cannot_be_selected_is_counted(events: ak.Array) -> None:
    n = int(ak.count(events["Muon_pt"]))
    for name, value, said in (
        ("Muon_pt", -events["Muon_pt"], "mu: negative pT"),
        ("Muon_pt", events["Muon_pt"] * np.nan, "mu: NaN or infinite"),
        ("Muon_pfRelIso04_all", events["Muon_pfRelIso04_all"] * np.nan, "mu: pfRelIso04_all is NaN"),
    ):
        found = fill(changed(events, **{name: value}), PLAN)
        assert found.cutflow[said] == n
        assert found["e/mu", "events"].b.sum() == 0
    assert not [step for step in fill(events, PLAN).cutflow if ":" in step]


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_missing_momentum_that_cannot_be_is_not_filled(events: ak.Array, value: float) -> None:
    whole = fill(events, PLAN)
    bad = np.where(np.arange(len(events)) < 200, value, np.asarray(events["PuppiMET_pt"]))
    found = fill(changed(events, PuppiMET_pt=bad), PLAN)
    assert found.not_filled.sum() > 0
    pair, same = found["e/mu", "pt_l0 x met"], whole["e/mu", "pt_l0 x met"]
    filled = [side.values(flow=True).sum() for side in (pair.a, pair.b, same.a, same.b)]
    assert sum(filled[:2]) + found.not_filled.sum() == sum(filled[2:])


# -- weights -----------------------------------------------------------------------------------------------------------


def test_weights_from_a_processor(events: ak.Array) -> None:
    analysis = Weights(len(events))
    analysis.add("scale factor", np.linspace(0.5, 1.5, len(events)))
    found = fill(events, PLAN, weight=analysis)
    assert found == fill(events, PLAN, weight=analysis.weight())
    own = changed(events, mine=analysis.weight())
    by_plan = fill(own, dataclasses.replace(PLAN, weight=lambda ev: ev.branch("mine")))
    assert found["e/mu", "pt_l0 x met"].b == by_plan["e/mu", "pt_l0 x met"].b
    twice = fill(own, dataclasses.replace(PLAN, weight=lambda ev: ev.branch("mine")), weight=np.full(len(events), 2.0))
    assert twice["e/mu", "pt_l0 x met"].b.sum().value == pytest.approx(2 * found["e/mu", "pt_l0 x met"].b.sum().value)


@pytest.mark.parametrize("value", [1e300, -1e300, 1e-300, 5e-324, 1.1e100, 9e-101])
def test_weights_whose_squares_are_lost_name_the_first_event(events: ak.Array, value: float) -> None:
    bad = np.ones(len(events))
    bad[[7, 9]] = value
    with pytest.raises(InputError, match=r"fill, the events: weight: \S+ in event 7, the first of 2; a weight is 0 or"):
        fill(events, PLAN, weight=bad)
    plan = dataclasses.replace(PLAN, trigger=None, weight=lambda ev: ev.branch("mine"))
    with pytest.raises(InputError, match=r"plan 'leptons', the events: weight: \S+ in event"):
        fill(changed(events, mine=np.full(len(events), value)), plan)
    with pytest.raises(InputError, match="dataset 'x', metadata: weight="):
        described("x", {"weight": value})


@pytest.mark.parametrize("size", [1e60, 1e-60])
def test_products_of_weights_are_bounded_too(events: ak.Array, size: float) -> None:
    mine = np.full(len(events), size)
    plan = dataclasses.replace(PLAN, weight=lambda ev: ev.branch("mine"))
    with pytest.raises(InputError, match=r"the product of weights: .* in event"):
        fill(changed(events, mine=mine), plan, weight=mine)
    with pytest.raises(InputError, match=r"weights times the dataset's: .* in event"):
        fill(events, PLAN, weight=mine, dataset=described("x", {"weight": size}))
    with pytest.raises(InputError, match="a weight is 0 or"):
        described("x", {"weight": 10**400})


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_weight_that_is_taken_has_a_square(value: float) -> None:
    try:
        found = weights("w", [value], 1)
    except InputError:
        assert value != 0
        assert not 1e-100 <= abs(value) <= 1e100
    else:
        assert found[0] == value
        assert np.isfinite(1e9 * found**2)
        assert (found**2 > 1e-300) == (value != 0)


@pytest.mark.parametrize("where", ["weight", "plan", "selection", "side", "feature", "spectrum"])
def test_what_is_masked_is_no_value(events: ak.Array, where: str) -> None:
    def hide(values: Any) -> Any:
        return np.ma.array(values, mask=np.arange(len(values)) % 5 == 2)

    number = ddp.Feature("n", "", "", lambda ev: hide(np.ones(ev.n_events)), 0.0, 2.0)
    flag = ddp.Symmetry("m", lambda ev: hide(np.ones(ev.n_events, bool)), lambda ev: np.zeros(ev.n_events, bool), ())
    peak = ddp.Spectrum("s", lambda ev: hide(np.ones(ev.n_events)), hist.axis.Regular(9, 0.0, 9.0))
    changes: dict[str, dict[str, Any]] = {
        "plan": {"weight": lambda ev: hide(np.ones(ev.n_events))},
        "selection": {"selection": lambda ev: hide(np.ones(ev.n_events, bool))},
        "side": {"symmetries": (flag,)},
        "feature": {"features": (number,)},
        "spectrum": {"spectra": (peak,)},
    }
    plan = dataclasses.replace(PLAN, **changes.get(where, {}))
    with pytest.raises(InputError, match=r"masked in event 2, the first of \d+"):
        fill(events, plan, weight=hide(np.ones(len(events))) if where == "weight" else None)
    nothing = np.ma.array(np.ones(len(events)), mask=False)
    assert fill(events, PLAN, weight=nothing) == fill(events, PLAN, weight=np.ones(len(events)))


def test_weights_of_a_selection_stay_with_their_events(events: ak.Array) -> None:
    values = np.linspace(0.5, 1.5, len(events))
    keep = np.arange(len(events)) % 2 == 0
    halves = fill(events[keep], PLAN, weight=values[keep]) + fill(events[~keep], PLAN, weight=values[~keep])
    whole = fill(events, PLAN, weight=values)
    assert np.allclose(halves["e/mu", "pt_l0 x met"].a.values(), whole["e/mu", "pt_l0 x met"].a.values())


def test_equal_weights_give_the_significance_of_counts(tmp_path: Path) -> None:
    many = read(tmp_path, 3_000, 2)
    best = [
        ddp.scan(fill(many, PLAN, weight=weight), min_events=5, toys=0).best()
        for weight in (None, np.full(len(many), 3e7), np.full(len(many), 1e-9))
    ]
    assert best[0].z_local == pytest.approx(best[1].z_local, rel=1e-9)
    assert best[0].z_local == pytest.approx(best[2].z_local, rel=1e-9)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_name_the_first_event(events: ak.Array, value: float) -> None:
    bad = np.where(np.arange(len(events)) % 100 == 7, value, 1.0)
    with pytest.raises(InputError, match=r"fill, the events: weight: \S+ in event 7, the first of 4"):
        fill(events, PLAN, weight=bad)
    plan = dataclasses.replace(PLAN, trigger=None, weight=lambda ev: ev.branch("mine"))
    with pytest.raises(InputError, match=r"plan 'leptons', the events: weight: \S+ in event"):
        fill(changed(events, mine=np.full(len(events), value)), plan)


@pytest.mark.parametrize("bad", [np.ones(3), "x", 2.0, [[1.0]], np.ones(400, complex), ["a"] * 400, {"a": 1}, object()])
def test_weights_of_other_kinds_are_refused(events: ak.Array, bad: Any) -> None:
    with pytest.raises(InputError, match="one finite number for each of the 400 events"):
        fill(events, PLAN, weight=bad)
    assert weights("w", [1, True, 0], 3).tolist() == [1.0, 1.0, 0.0]


def test_counts_and_weights_are_not_added(events: ak.Array) -> None:
    counted, weighted = fill(events, PLAN), fill(events, PLAN, weight=np.ones(len(events)))
    for other in (counted, ddp.Histograms.empty(PLAN.layout)):
        with pytest.raises(MergeError, match=r"one filled with weights and one that counts events; fill both alike"):
            _ = other + weighted


def test_a_processor_with_weights(events: ak.Array) -> None:
    processor = ddp.ScanProcessor(PLAN, weight=lambda chunk: np.full(len(chunk), 2.0))
    assert processor.process(events) == fill(events, PLAN, weight=np.full(len(events), 2.0))
    with pytest.raises(InputError, match="has a weight, which is for coffea's own Runner"):
        ddp.run(processor, "nowhere.root")


def test_generator_weights_are_used_when_asked_for_and_else_said_not_to_be(events: ak.Array) -> None:
    signs = np.where(np.arange(len(events)) % 5 == 0, -1.0, 1.0)
    simulation = changed(events, genWeight=3e7 * signs)
    counted = fill(simulation, PLAN)
    assert counted.cutflow["genWeight negative, counted like others"] == np.count_nonzero(signs < 0)
    assert counted.choices["generator weights"][0].startswith("not used")
    assert np.array_equal(counted.counts.counts, fill(events, PLAN).counts.counts)
    used = fill(simulation, dataclasses.replace(PLAN, weight=nanoaod.generator_weight))
    assert used["e/mu", "pt_l0 x met"] == fill(events, PLAN, weight=3e7 * signs)["e/mu", "pt_l0 x met"]
    assert "generator weights" not in used.choices
    data = fill(events, dataclasses.replace(PLAN, weight=nanoaod.generator_weight))
    assert data["e/mu", "pt_l0 x met"].b.sum().value == counted["e/mu", "pt_l0 x met"].b.sum()
    assert "generator weights" not in fill(events, PLAN).choices
