"""Object selection: against an awkward reference, bit by bit, on the toy in every version and on real files."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import awkward as ak
import numpy as np
import pytest
import reference
import uproot
from coffea.nanoevents import BaseSchema, NanoEventsFactory
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import OBJECTS, random_events

from coffea_ddp import nanoaod, testing
from coffea_ddp.errors import FileError, InputError, MissingBranchError, PlanError, UnknownNameError
from coffea_ddp.events import kernels
from coffea_ddp.events.branches import Columns
from coffea_ddp.events.candidates import Candidates
from coffea_ddp.events.cuts import ComputedCut, Cut, FirstAvailable, Recent
from coffea_ddp.events.objects import MergedObject, ObjectDefinition
from coffea_ddp.events.selected import SelectedEvents
from coffea_ddp.filling import fill
from coffea_ddp.plan.checks import check_apart, check_definitions
from coffea_ddp.plan.plan_files import load_plan
from coffea_ddp.running.schema import DDPSchema

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SETTINGS = settings(max_examples=30, deadline=None, derandomize=True)
needs_data = pytest.mark.skipif(not SHARED.exists(), reason="the shared sample files are not here")


def flat(path: Path | str, stop: int | None = None) -> ak.Array:
    """Return a file's events as uproot reads them, under NanoAOD's own names."""
    with uproot.open(path) as file:
        return file["Events"].arrays(entry_stop=stop, filter_name=lambda n: not n.startswith(("HLT", "L1", "n")))


def agree(mine: SelectedEvents, theirs: dict[str, ak.Array]) -> None:
    """Assert that two selections are the same, every number bit by bit."""
    for name, objects in theirs.items():
        found = mine.collection(name)
        assert np.array_equal(mine.count(name), ak.num(objects)), name
        for field in ("pt", "eta", "phi", "mass", "charge", "flavour"):
            left, right = (ak.to_numpy(ak.flatten(x[field])) for x in (found, objects))
            assert np.array_equal(left, right.astype(left.dtype)), (name, field)


@pytest.mark.parametrize("version", [4, 6, 9, 12, 15])
def test_the_kernels_select_what_awkward_selects(tmp_path: Path, version: int) -> None:
    events = flat(testing.make_nanoaod(tmp_path / "nano.root", events=1_500, seed=version, version=version))
    definitions = nanoaod.standard_objects()
    selected = SelectedEvents.from_columns(Columns(events), definitions)
    agree(selected, reference.select(events, definitions))
    assert all(selected.count(name).sum() > 5 for name in ("e", "mu", "tau", "j", "b", "gamma"))
    assert np.array_equal(selected.count("lepton"), selected.count("e") + selected.count("mu"))


@needs_data
@pytest.mark.parametrize(
    "name",
    [
        "nanoaod_sim/nano_11_0.root",
        "nanoaod_real/nano_dimuon.root",
        "nanoaod_real/nano_dy.root",
        "nanoaod_real/nano_tree.root",
        "nanoaod_real/nano_tt_v15.root",
        "nanoaod_real/nanoAOD_2015_CMS_Open_Data_ttbar.root",
        "nanoaod_real/nano_dy_empty.root",
    ],
)
def test_real_files_select_as_awkward_does(name: str) -> None:
    events = flat(SHARED / name, 5_000)
    definitions = nanoaod.standard_objects()
    agree(SelectedEvents.from_columns(Columns(events), definitions), reference.select(events, definitions))


@needs_data
@pytest.mark.parametrize(
    ("name", "used"),
    [
        ("nano_tree.root", {"e": "mvaSpring16GP_WP90", "tau": "idMVAoldDM", "met": "PuppiMET_pt"}),
        ("nano_dimuon.root", {"e": "mvaFall17V2Iso_WP90", "tau": "idDeepTau2017v2p1VSjet", "met": "PuppiMET_pt"}),
        ("nano_dimuon_rntuple.root", {"e": "mvaFall17V2Iso_WP90", "tau": "idDeepTau2017v2p1VSjet"}),
        ("nano_dy_rntuple.root", {"e": "mvaFall17V2Iso_WP90"}),
        ("nanoAOD_2015_CMS_Open_Data_ttbar.root", {"e": "mvaFall17V2Iso_WP90", "tau": "idMVAoldDM"}),
        ("nano_tt_v15.root", {"e": "mvaIso_WP90", "tau": "idDeepTau2018v2p5VSjet", "j": "energy fractions"}),
    ],
)
def test_each_real_version_says_what_was_used(name: str, used: dict[str, str]) -> None:
    """NanoEvents of every schema and mode give equal histograms, and name the same branches."""
    plan = load_plan("symmetries")
    source = {str(SHARED / "nanoaod_real" / name): "Events"}
    virtual = fill(NanoEventsFactory.from_root(source, schemaclass=DDPSchema, mode="virtual").events(), plan)
    if name != "nano_dy_rntuple.root":  # uproot takes seconds for the names of an RNTuple; one of them does
        plain = fill(NanoEventsFactory.from_root(source, schemaclass=BaseSchema, mode="virtual").events(), plan)
        assert virtual == plain
    assert virtual.n_events > 0
    roles = {"e": "e: identification", "tau": "tau: identification", "j": "j: identification"}
    for what, text in used.items():
        assert text in virtual.choices[roles.get(what, "missing transverse momentum")][0]


@needs_data
def test_a_version_without_taus_and_photons_says_so() -> None:
    with pytest.raises(MissingBranchError, match=r"no branch Photon_pt \(needed for the object 'gamma'\)"):
        SelectedEvents.from_columns(Columns(flat(SHARED / "nanoaod_real/nano_tt_v12.root")), nanoaod.standard_objects())
    without = tuple(d for d in nanoaod.standard_objects() if d.name not in ("gamma", "tau", "j", "b"))
    selected = SelectedEvents.from_columns(Columns(flat(SHARED / "nanoaod_real/nano_tt_v12.root")), without)
    assert selected.count("lepton").sum() > 50


# -- the kernels -------------------------------------------------------------------------------------------------------

counts_lists = st.lists(st.integers(0, 4), min_size=1, max_size=20)


@SETTINGS
@given(counts=counts_lists, seed=st.integers(0, 2**32))
def test_ordering_is_a_stable_sort_of_every_event(counts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    numbers = np.array(counts, np.int64)
    values = rng.integers(0, 4, numbers.sum()).astype(np.float32)  # many ties
    keep = rng.random(numbers.sum()) < 0.7
    starts = np.concatenate([[0], np.cumsum(numbers)[:-1]])
    index, kept = kernels.by_descending(starts, numbers, values, keep)
    event = np.repeat(np.arange(len(numbers)), numbers)
    candidates = np.flatnonzero(keep)
    expected = candidates[np.lexsort((candidates, -values[candidates], event[candidates]))]
    assert np.array_equal(index, expected)
    assert np.array_equal(kept, np.bincount(event[keep], minlength=len(numbers)))


@SETTINGS
@given(counts=counts_lists, seed=st.integers(0, 2**32))
def test_merging_keeps_every_event_together(counts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    one = np.array(counts, np.int64)
    two = rng.permutation(one)
    index = kernels.interleave(one, two)
    event = np.concatenate([np.repeat(np.arange(len(one)), one), np.repeat(np.arange(len(two)), two)])
    assert np.array_equal(np.sort(index), np.arange(len(event)))
    assert np.array_equal(event[index], np.sort(event))


@SETTINGS
@given(counts=counts_lists, seed=st.integers(0, 2**32))
def test_sums_of_events(counts: list[int], seed: int) -> None:
    numbers = np.array(counts, np.int64)
    values = np.random.default_rng(seed).exponential(30, numbers.sum()).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(numbers)[:-1]])
    sums = kernels.sum_each(starts, numbers, values)
    pieces = np.split(values.astype(np.float64), np.cumsum(numbers)[:-1])
    np.testing.assert_allclose(sums, [piece.sum() for piece in pieces], rtol=1e-12)


def test_distance_wraps_around_and_its_limit_stays() -> None:
    one = np.array([1], np.int64)
    zero = np.array([0], np.int64)

    def kept(phi: float, other: float, eta: float = 0.0, radius: float = 0.4) -> bool:
        result = kernels.far_from(
            zero, one, np.array([eta]), np.array([phi]), np.array([True]), zero, one, np.zeros(1), np.array([other]),
            radius
        )  # fmt: skip
        return bool(result[0])

    assert not kept(3.1, -3.1)
    assert kept(3.1, -2.7)
    assert kept(0.0, 0.5, radius=0.5)
    assert not kept(0.0, 0.49999, radius=0.5)
    assert kept(0.0, 0.0, eta=0.41)


@SETTINGS
@given(seed=st.integers(0, 2**32), share=st.floats(0.0, 1.0))
def test_objects_of_some_events_are_those_of_all(seed: int, share: float) -> None:
    columns = Columns(random_events(40, seed))
    entries = np.flatnonzero(np.random.default_rng(seed).random(40) < share)
    candidates = Candidates.of(columns, OBJECTS)
    everything = SelectedEvents.of(columns, candidates).take(entries)
    wanted = SelectedEvents.of(columns, candidates, SelectedEvents.of(columns, None).take(entries))
    assert np.array_equal(wanted.entries, everything.entries)
    for definition in OBJECTS:
        name = definition.name
        assert np.array_equal(wanted.count(name), everything.count(name))
        assert wanted.collection(name).to_list() == everything.collection(name).to_list()


@SETTINGS
@given(seed=st.integers(0, 2**32))
def test_few_events_are_selected_as_many_are(seed: int) -> None:
    """Interpreted or compiled: the same bits."""
    columns = Columns(random_events(30, seed, most=6))
    interpreted = SelectedEvents.from_columns(columns, OBJECTS)
    with mock.patch.object(kernels, "FEW", -1):
        compiled = SelectedEvents.from_columns(columns, OBJECTS)
        sums = compiled.sum_pt("j")
    assert np.array_equal(interpreted.sum_pt("j"), sums)
    for definition in OBJECTS:
        agree(compiled, {definition.name: interpreted.collection(definition.name)})


# -- mistakes ----------------------------------------------------------------------------------------------------------


def muons(**branches: object) -> ak.Array:
    kinematics = {"Muon_pt": [[30.0, 20.0], [10.0]], "Muon_eta": [[0.0, 1.0], [2.0]], "Muon_phi": [[0.0, 1.0], [2.0]]}
    return ak.Array(kinematics | branches)


@pytest.mark.parametrize(
    ("definition", "error", "message"),
    [
        (ObjectDefinition("mu", "Muons"), MissingBranchError, "no branch Muons_pt .*'mu'.*the file has Muon"),
        (ObjectDefinition("mu", "Muon", cuts=(Cut("mediumid"),)), MissingBranchError, "Muon_mediumid.*Muon_mediumId"),
        (
            ObjectDefinition("mu", "Muon", cuts=(FirstAvailable("id", (Cut("tight"), Cut("loose"))),)),
            MissingBranchError,
            "no branch Muon_tight or Muon_loose .needed for the id of the object 'mu'",
        ),
        (ObjectDefinition("mu", "Muon", cuts=(Cut("short"),)), FileError, "Muon_short has 1 values, Muon_pt has 3"),
        (ObjectDefinition("mu", "Muon", cuts=(Cut("event"),)), MissingBranchError, "Muon_event has one value an event"),
    ],
)
def test_what_a_file_lacks_is_named(definition: ObjectDefinition, error: type[Exception], message: str) -> None:
    events = muons(Muon_mediumId=[[True, True], [True]], Muon_short=[[True], []], Muon_event=[1, 2])
    with pytest.raises(error, match=message):
        SelectedEvents.from_columns(Columns(events, "a.root"), [definition])


def test_each_branch_that_is_missing_is_named_once() -> None:
    """Alternatives that share branches: what is there is not asked for, and nothing is said twice."""

    def passes(*_: object) -> bool:
        return True

    one, other = ComputedCut("one", ("eta", "jetId"), passes), ComputedCut("other", ("phi", "neHEF"), passes)
    cut = FirstAvailable("id", (one, Recent(one), Cut("jetId", "has bits", 2), other))
    with pytest.raises(MissingBranchError, match=r"no branch Muon_jetId or Muon_neHEF \(needed"):
        SelectedEvents.from_columns(Columns(muons()), [ObjectDefinition("mu", "Muon", cuts=(cut,))])
    with pytest.raises(MissingBranchError, match=r"no branch A_pt or B_pt \(needed"):
        Columns(muons()).first_of("it", ("A_pt", "B_pt", "A_pt"))


def test_an_optional_requirement_may_be_missing() -> None:
    optional = FirstAvailable("id", (Cut("tight"),), required=False)
    columns = Columns(muons())
    selected = SelectedEvents.from_columns(columns, [ObjectDefinition("mu", "Muon", cuts=(optional,))])
    assert selected.count("mu").tolist() == [2, 1]
    assert columns.choices == {"mu: id": "none"}


@pytest.mark.parametrize(
    ("definitions", "message"),
    [
        ((ObjectDefinition("a", "A"), ObjectDefinition("a", "B")), "'a' is defined twice"),
        ((ObjectDefinition("j", "Jet", away_from=(("mu", 0.4),)),), "'j' refers to 'mu'.*not defined before"),
        ((MergedObject("l", ("e", "mu")),), "'l' refers to 'e'"),
    ],
)
def test_definitions_must_come_in_order(definitions: tuple[ObjectDefinition, ...], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        check_definitions(definitions)


def test_names_that_do_not_exist() -> None:
    with pytest.raises(InputError, match="no such operation"):
        Cut("pt", "=>", 3)
    with pytest.raises(InputError, match="whole number"):
        Cut("jetId", "has bits", 2.5)
    assert Cut("jetId", "has bits", 2.0).passes({"jetId": np.array([1, 6])}).tolist() == [False, True]
    selected = SelectedEvents.from_columns(Columns(muons()), [ObjectDefinition("mu", "Muon")])
    with pytest.raises(UnknownNameError, match="no object 'muon' in the plan; the objects are: mu"):
        selected.count("muon")
    with pytest.raises(MissingBranchError, match="no branch PuppiMET_pt or MET_pt or PFMET_pt"):
        _ = selected.met


def test_nan_and_infinity_are_never_selected() -> None:
    events = ak.Array(
        {
            "Muon_pt": [[np.nan, np.inf, 30.0, 40.0, 50.0]],
            "Muon_eta": [[0.0, 0.0, np.nan, 0.0, 0.0]],
            "Muon_phi": [[0.0, 0.0, 0.0, -np.inf, 0.0]],
        }
    )
    selected = SelectedEvents.from_columns(Columns(events), [ObjectDefinition("mu", "Muon")])
    assert selected.leading("mu").pt.tolist() == [50.0]
    assert selected.count("mu").tolist() == [1]
    assert selected.odd == {"mu: NaN or infinite": 4}


def test_missing_objects_are_nan() -> None:
    selected = SelectedEvents.from_columns(Columns(muons()), [ObjectDefinition("mu", "Muon", charged=False)])
    second = selected.leading("mu", 1)
    assert second.exists.tolist() == [True, False]
    assert np.isnan(second.pt[1])
    assert second.charge[1] == 0
    only = selected.take(np.array([1]))
    assert only.leading("mu").pt.tolist() == [10.0]
    assert only.sum_pt("mu").tolist() == [10.0]
    assert only.collection("mu").pt.tolist() == [[10.0]]


JET = ObjectDefinition("j", "Jet")


@pytest.mark.parametrize(
    ("names", "definitions", "message"),
    [
        (("j", "b"), (JET, ObjectDefinition("b", "Jet", pt_min=50.0)), "'j' and 'b' are both of Jet.*away_from"),
        (("l", "mu"), (ObjectDefinition("mu", "Muon"), MergedObject("l", ("mu",))), "'l' and 'mu' are both of Muon"),
        (("j", "x"), (JET,), "no object 'x' in the plan; the objects are: j"),
    ],
    ids=["one collection", "merged", "unknown"],
)
def test_objects_of_one_spectrum_are_kept_apart(names, definitions, message):
    with pytest.raises(PlanError, match=message):
        check_apart("here", names, definitions)


def test_objects_that_are_kept_apart_may_be_combined():
    cleaned = ObjectDefinition("b", "Jet", away_from=(("j", 0.4),))
    check_apart("here", ("j", "j", "b"), (JET, cleaned))
    check_apart("here", ("j", "mu"), (JET, ObjectDefinition("mu", "Muon")))
