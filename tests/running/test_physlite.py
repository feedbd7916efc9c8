"""PHYSLITE through the whole pass: the counts of NanoAOD cell by cell, files of others, and real ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

import coffea_ddp as ddp
from coffea_ddp import testing
from coffea_ddp.cli import main
from coffea_ddp.errors import FileError, InputError, MissingBranchError
from coffea_ddp.events.branches import Columns
from coffea_ddp.events.selected import SelectedEvents, pair_mass
from coffea_ddp.filling import fill
from coffea_ddp.plan import nanoaod
from coffea_ddp.plan.plan_files import load_plan
from coffea_ddp.plan.selections import GoodRuns, Trigger
from coffea_ddp.running import baskets, fields
from coffea_ddp.running.metadata import SumOfWeights, menu_of, sum_of_weights
from coffea_ddp.running.options import Reading
from coffea_ddp.running.skimming import skim_files
from coffea_ddp.running.validating import validate

EVENTS, SEED = 6_000, 3
TTREE, RNTUPLE = "physlite/PHYSLITE_example.root", "physlite/uproot-physlite-rntuple_v1-0-0-0.root"
BOTH = pytest.mark.parametrize(("name", "tree"), [(TTREE, "CollectionTree"), (RNTUPLE, "EventData")])
Shared = Callable[[str], Path]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> ddp.Histograms:
    path = testing.make_nanoaod(tmp_path_factory.mktemp("nano") / "nano.root", events=EVENTS, seed=SEED)
    return ddp.run("symmetries", path)


def same_counts(found: ddp.Histograms, expected: ddp.Histograms) -> bool:
    """Tell whether two outputs have the same events in every bin of every exclusive cell."""
    return (
        np.array_equal(found.counts.keys, expected.counts.keys)
        and np.array_equal(found.counts.counts, expected.counts.counts)
        and np.array_equal(found.not_filled, expected.not_filled)
    )


@pytest.mark.parametrize("release", [22, 25])
@pytest.mark.parametrize("container", ["ttree", "rntuple"])
def test_equal_counts_cell_by_cell(tmp_path: Path, expected: ddp.Histograms, container: Any, release: int) -> None:
    path = testing.make_physlite(
        tmp_path / "atlas.root", events=EVENTS, seed=SEED, container=container, release=release, cluster=1_000
    )
    found = ddp.run("symmetries", path, reading=Reading(chunksize=2_000))
    assert len(expected.counts.keys) > 1_000
    assert same_counts(found, expected)
    assert found.cutflow == expected.cutflow
    stored, theirs = found.events.columns, expected.events.columns
    for name in ("run", "luminosityBlock", "event", "cell", "sides"):
        assert np.array_equal(stored[name], theirs[name]), name
    for name in set(stored) - {"run", "luminosityBlock", "event", "cell", "sides"}:
        assert np.allclose(stored[name], theirs[name], rtol=1e-4, atol=1e-3, equal_nan=True), name
    assert found.choices["trigger"] == ("HLT_e26_lhtight_nod0_ivarloose or HLT_mu26_ivarmedium",)


def test_release_21_differs_in_jets_alone(tmp_path: Path, expected: ddp.Histograms) -> None:
    """Its JVT is not asked of jets above 60 GeV, so that some more of these are there."""
    found = ddp.run("symmetries", testing.make_physlite(tmp_path / "a.root", events=EVENTS, seed=SEED, release=21))
    assert found.cutflow == expected.cutflow
    columns = ["symmetry", "n_a", "n_b"]
    assert found.summary()[columns].equals(expected.summary()[columns])
    assert not same_counts(found, expected)
    assert found.choices["b: b tag"][0].startswith("MV2c10 above 0.64")
    assert found.choices["tau: identification"][0].startswith("RNN score, Medium")


@pytest.mark.parametrize("executor", ["iterative", "futures"])
def test_chunks_and_executors_change_nothing(tmp_path: Path, executor: str) -> None:
    for container in ("ttree", "rntuple"):
        path = testing.make_physlite(
            tmp_path / f"{container}.root", events=900, seed=1, container=container, cluster=200
        )
        one = ddp.run("symmetries", path)
        many = ddp.run("symmetries", path, executor=executor, reading=Reading(chunksize=200))
        assert same_counts(one, many)
        assert one.choices == many.choices
        assert len(many.ledger.files) == 1
        assert many.n_events == 900


def test_resonances_run_on_both_kinds(tmp_path: Path) -> None:
    nano = ddp.run("resonances", testing.make_nanoaod(tmp_path / "n.root", events=2_000, seed=2))
    atlas = ddp.run("resonances", testing.make_physlite(tmp_path / "a.root", events=2_000, seed=2))
    for name in ("2e", "2mu", "e+mu", "2mu+gamma"):
        assert nano.spectrum_counts(name).counts.sum() == atlas.spectrum_counts(name).counts.sum() > 0 or "+" in name
    assert atlas.choices["tJ: collection"] == ("none",)
    assert atlas.choices["trigger of e"] == ("HLT_e26_lhtight_nod0_ivarloose",)
    assert atlas.choices["trigger of gamma"][0].startswith("not applied: no HLT_Photon200")


def test_an_array_of_its_names_is_filled_too(tmp_path: Path) -> None:
    """As coffea's BaseSchema and uproot give them: all but the trigger, whose menu is elsewhere in the file."""
    path = testing.make_physlite(tmp_path / "a.root", events=500, seed=1)
    with uproot.open(path) as file:
        events = file["CollectionTree"].arrays()
    plan = dataclasses.replace(load_plan("symmetries"), trigger=None)
    assert same_counts(fill(events, plan), ddp.run(plan, path))


def test_files_of_both_kinds_are_an_error(tmp_path: Path) -> None:
    nano = testing.make_nanoaod(tmp_path / "nano.root", events=20)
    atlas = testing.make_physlite(tmp_path / "atlas.root", events=20)
    for fileset in ([nano, atlas], {"cms": [str(nano)], "atlas": [str(atlas)]}):
        for skip in (False, True):
            with pytest.raises(InputError, match=r"nano\.root is NanoAOD and .*atlas\.root is PHYSLITE"):
                ddp.run("symmetries", fileset, reading=Reading(skip_bad_files=skip))
    testing.make_physlite(tmp_path / "other.root", events=20, container="rntuple", first_event=21)
    both = ddp.run("symmetries", [atlas, tmp_path / "other.root"])
    assert both.n_events == 40


@pytest.mark.parametrize("container", ["ttree", "rntuple"])
def test_no_events(tmp_path: Path, container: Any) -> None:
    path = testing.make_physlite(tmp_path / "a.root", events=0, container=container)
    found = ddp.run("symmetries", path)
    assert found.n_events == 0
    assert not found.partial
    assert not validate("symmetries", path).problems
    full = testing.make_physlite(tmp_path / "b.root", events=200, container=container)
    assert ddp.run("symmetries", [path, full]).n_events == 200


@pytest.mark.parametrize("container", ["ttree", "rntuple"])
@pytest.mark.parametrize(
    ("drop", "message"),
    [
        (
            ["AnalysisMuons"],
            r"no branch AnalysisMuons\.pt \(Muon_pt of NanoAOD\).*mu \(all of Muon\)|AnalysisMuons\.pt",
        ),
        (["AnalysisMuonsAuxDyn.quality"], r"AnalysisMuons\.quality \(Muon_quality of NanoAOD\) \(needed for the ident"),
        (["BTagging_AntiKt4EMPFlow"], r"needed for the b tag of the object 'b'"),
        (["MET_Core_AnalysisMET"], r"no branch MET_Core_AnalysisMET\.mpx"),
    ],
)
def test_what_a_file_lacks_is_named(tmp_path: Path, container: Any, drop: list[str], message: str) -> None:
    path = testing.make_physlite(tmp_path / "a.root", events=50, container=container, drop=drop)
    with pytest.raises(MissingBranchError, match=message) as error:
        ddp.run("symmetries", path)
    assert str(path) in str(error.value)
    assert validate("symmetries", path).problems


def test_no_menu(tmp_path: Path) -> None:
    for drop in (["MetaData"], ["TriggerMenuJson_HLT"]):
        path = testing.make_physlite(tmp_path / "a.root", events=300, seed=1, drop=drop)
        assert menu_of(str(path)) is None
        found = ddp.run("symmetries", path)
        assert found.choices["trigger"] == (
            "not applied: no trigger menu in the file (TriggerMenuJson_HLT in MetaData)",
        )
        assert found.cutflow["trigger"] == 300
    needed = dataclasses.replace(load_plan("symmetries"), trigger=Trigger(("HLT_mu26_ivarmedium",)))
    with pytest.raises(MissingBranchError, match=r"no branch HLT_mu26_ivarmedium .* no trigger menu .*required=False"):
        ddp.run(needed, path)
    whole = testing.make_physlite(tmp_path / "b.root", events=300, seed=1)
    near = dataclasses.replace(needed, trigger=Trigger(("HLT_mu26_ivarmedum",)))
    with pytest.raises(MissingBranchError, match=r"the file has HLT_mu26_ivarmedium"):
        ddp.run(near, whole)
    without = testing.make_physlite(tmp_path / "c.root", events=300, seed=1, drop=["xTrigDecision"])
    assert (
        ddp.run("symmetries", without).choices["trigger"][0].startswith("not applied: no trigger decision in the file")
    )


def test_datasets_by_triggers_and_good_runs(tmp_path: Path) -> None:
    """What metadata say of a dataset holds for both kinds: paths of either experiment, lists in either form."""
    path = testing.make_physlite(tmp_path / "a.root", events=1_500, seed=1, run=276262)
    listed = tmp_path / "grl.xml"
    listed.write_text(
        "<LumiRangeCollection><NamedLumiRange><LumiBlockCollection><Run>276262</Run>"
        '<LBRange Start="1" End="1"/><LBRange Start="3" End="9"/></LumiBlockCollection></NamedLumiRange>'
        "</LumiRangeCollection>"
    )
    metadata = {"triggers": ["HLT_mu26_ivarmedium"], "good_runs": str(listed)}
    found = ddp.run("symmetries", {"muons": {"files": [str(path)], "metadata": metadata}})
    fired = ddp.run("symmetries", {"muons": {"files": [str(path)], "metadata": {"triggers": metadata["triggers"]}}})
    assert 0 < found.cutflow["good luminosity blocks"] < found.cutflow["fired"] == fired.cutflow["fired"] < 1_500
    assert GoodRuns.from_file(listed).mask([276262] * 3, [1, 2, 9]).tolist() == [True, False, True]
    simulated = testing.make_physlite(tmp_path / "s.root", events=50, simulation=True)
    told = ddp.run("symmetries", {"s": {"files": [str(simulated)], "metadata": {"good_runs": str(listed)}}}).choices
    assert told["kind of events"] == ("simulation",)
    assert told["good-run list"] == ("not applied: simulation",)


def test_events_that_are_there_twice_count_once(tmp_path: Path) -> None:
    first = testing.make_physlite(tmp_path / "a.root", events=300, seed=1)
    second = testing.make_physlite(tmp_path / "b.root", events=300, seed=1, container="rntuple", first_event=201)
    found = ddp.run("symmetries", {"a": [str(first)], "b": [str(second)]}, deduplicate=True)
    assert found.cutflows["b"]["not counted elsewhere"] == 200


def test_what_reads_nanoaod_alone_says_so(tmp_path: Path) -> None:
    path = testing.make_physlite(tmp_path / "a.root", events=30)
    with pytest.raises(InputError, match=r"a\.root: the executor 'dask-awkward' reads NanoAOD alone"):
        ddp.run("symmetries", path, executor="dask-awkward")
    with pytest.raises(FileError, match=r"a\.root: is PHYSLITE; events are copied out of NanoAOD files alone"):
        skim_files(np.ones((1, 3), np.uint64), path, tmp_path / "skims")


def test_another_name_of_the_tree_is_given_as_ever(tmp_path: Path) -> None:
    path = testing.make_physlite(tmp_path / "a.root", events=30)
    assert ddp.run("symmetries", f"{path}:CollectionTree").n_events == 30
    with pytest.raises(FileError, match="no tree 'Evnts'"):
        ddp.run("symmetries", path, reading=Reading(tree="Evnts"))


@pytest.mark.parametrize("container", ["ttree", "rntuple"])
def test_sums_of_weights(tmp_path: Path, container: Any) -> None:
    path = str(testing.make_physlite(tmp_path / "a.root", events=70, container=container))
    assert sum_of_weights(path) == SumOfWeights(70, 70.0, 70.0)
    for drop in (["MetaData"], ["CutBookkeepers"]):
        lacking = str(testing.make_physlite(tmp_path / "b.root", events=70, container=container, drop=drop))
        with pytest.raises(FileError, match=r"b\.root: no CutBookkeepers"):
            sum_of_weights(lacking)
    with pytest.raises(FileError, match=r"nowhere\.root: its metadata cannot be read"):
        sum_of_weights(str(tmp_path / "nowhere.root"))


def books(path: Path, rows: list[tuple[str, str, int, int, float]], **more: list[str]) -> str:
    """Write a file with bookkeepers: name, stream, cycle, events, weights."""
    names, streams, cycles, numbers, weights = zip(*rows, strict=True)
    columns = {
        "name": list(names), "inputStream": list(streams), "cycle": np.array(cycles, np.int32),
        "nAcceptedEvents": np.array(numbers, np.uint64), "sumOfEventWeights": np.array(weights),
        "sumOfEventWeightsSquared": np.array(weights) ** 2,
    }  # fmt: skip
    told = {f"CutBookkeepersAux.{name}": values for name, values in columns.items()}
    if more:
        told |= {f"IncompleteCutBookkeepersAux.{name}": values for name, values in columns.items()}
    with uproot.recreate(path) as file:
        types = {name: "string" if isinstance(one, list) else one.dtype for name, one in told.items()}
        file.mktree("MetaData", types).extend(told)
    return str(path)


def test_which_bookkeeper_counts(tmp_path: Path) -> None:
    """All events, of the last cycle, of the AOD; not those of a kernel or of another stream."""
    rows = [
        ("PHYSKernel", "StreamAOD", 1, 5, 5.0), ("AllExecutedEvents", "StreamAOD", 0, 90, 80.0),
        ("AllExecutedEvents", "StreamAOD", 1, 100, 250.0), ("AllExecutedEvents", "unknownStream", 2, 7, 7.0),
    ]  # fmt: skip
    assert sum_of_weights(books(tmp_path / "a.root", rows)) == SumOfWeights(100, 250.0, 62500.0)
    assert sum_of_weights(books(tmp_path / "b.root", rows[3:])) == SumOfWeights(7, 7.0, 49.0)
    with pytest.raises(FileError, match="have no 'AllExecutedEvents'"):
        sum_of_weights(books(tmp_path / "c.root", rows[:1]))
    with pytest.raises(FileError, match="was not read to its end"):
        sum_of_weights(books(tmp_path / "d.root", rows, incomplete=[]))


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = testing.make_physlite(tmp_path / "a.root", events=2_000, seed=1)
    for command in (
        ["validate", "symmetries", str(path)],
        ["run", "symmetries", str(path), "-o", str(tmp_path / "h.ddp")],
        ["scan", str(tmp_path / "h.ddp"), "-o", str(tmp_path / "r.json"), "--toys", "20"],
        ["report", str(tmp_path / "r.json"), "-o", str(tmp_path / "html")],
    ):
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert ended.value.code == 0, command
    out = capsys.readouterr()
    told = "approximate: soft term of tracks minus the selected e, mu, gamma, tau, j, b"
    assert told in out.err
    assert "approximate missing transverse momentum" in out.out + out.err
    page = (tmp_path / "html" / "index.html").read_text()
    assert told in page
    assert "approximate missing transverse momentum" in page


# -- vectors of a TTree ------------------------------------------------------------------------------------------------


class Basket:
    """What uproot has of a basket of vectors: ten bytes before the numbers of each, the last four their length."""

    def __init__(self, lists: list[list[float]], *, lie: int = 0) -> None:
        parts = [
            b"\x40\x00\x00\x00\x00\x09" + (len(one) + lie).to_bytes(4, "big") + np.array(one, ">f4").tobytes()
            for one in lists
        ]
        self.data = np.frombuffer(b"".join(parts), np.uint8)
        self.byte_offsets = np.cumsum([0, *map(len, parts)]).astype(np.int32)
        self.num_entries = len(lists)


@pytest.mark.parametrize("lists", [[[]], [[1.0, 2.0], [], [3.0]], [[], [5.0] * 300]])
def test_vectors_that_tell_their_length(lists: list[list[float]]) -> None:
    kind = baskets.Kind(np.dtype(">f4"), np.dtype("f4"), "", "", 10)
    n = len(lists)
    whole = baskets._vectors(kind, iter([baskets._Part(Basket(lists), n, 0, n)]), n)
    assert whole.content.tolist() == [x for one in lists for x in one]
    assert whole.counts.tolist() == [len(one) for one in lists]
    last = baskets._vectors(kind, iter([baskets._Part(Basket(lists), n, n - 1, n)]), 1)
    assert last.content.tolist() == lists[-1]
    with pytest.raises(baskets.DamagedError, match="not as long as they say"):
        baskets._vectors(kind, iter([baskets._Part(Basket(lists, lie=1), n, 0, n)]), n)


# -- real files --------------------------------------------------------------------------------------------------------


def test_a_real_list_that_lies_is_damage(shared: Shared) -> None:
    """All bytes of the basket are there, and nothing but the header of one list is wrong."""
    path = str(shared(TTREE))
    with uproot.open(path) as file:
        branch = file["CollectionTree"]["AnalysisMuonsAuxDyn.pt"]
        found = branch.basket(0)
        changed = found.data.copy()
    changed[9] += 1
    kind = baskets.Kind(np.dtype(">f4"), np.dtype("f4"), "", "AnalysisMuonsAuxDyn.pt", 10)
    part = Basket([])
    part.data, part.byte_offsets, part.num_entries = changed, found.byte_offsets, found.num_entries
    with pytest.raises(baskets.DamagedError, match=r"the lists of AnalysisMuonsAuxDyn\.pt"):
        baskets._vectors(kind, iter([baskets._Part(part, 100, 0, 100)]), 100)


@BOTH
@pytest.mark.parametrize("plan", ["symmetries", "resonances"])
def test_real_files_run_and_validate(shared: Shared, name: str, tree: str, plan: str) -> None:
    path = shared(name)
    found = ddp.run(plan, path)
    assert found.n_events == 100
    assert not found.partial
    assert {key[1] for key in found.ledger.files} == {tree}
    assert found.choices["kind of events"] == ("simulation",)
    assert not validate(plan, path).problems


def test_real_lists_are_read_as_uproot_reads_them(shared: Shared) -> None:
    path = str(shared(TTREE))
    link, decision = "AnalysisJetsAuxDyn.btaggingLink", "xTrigDecisionAux."
    names = {
        "AnalysisElectrons.pt": "AnalysisElectronsAuxDyn.pt",
        "AnalysisTauJets.JetDeepSetMedium": "AnalysisTauJetsAuxDyn.JetDeepSetMedium",
        "EventInfo.mcEventWeights": "EventInfoAuxDyn.mcEventWeights",
        "AnalysisJets.btaggingLink.m_persIndex": f"{link}/{link}.m_persIndex",
        "xTrigDecision.efPassedPhysics": f"{decision}/{decision}efPassedPhysics",
    }
    with uproot.open(path) as file:
        for start, stop in ((0, 100), (13, 57), (99, 100), (5, 5)):
            found = baskets.read(path, "CollectionTree", names, start, stop)
            assert found is not None
            for mine, theirs in names.items():
                array = file["CollectionTree"][theirs].array(entry_start=start, entry_stop=stop)
                assert np.array_equal(found.branches[mine].content, ak.to_numpy(ak.flatten(array))), mine
                assert np.array_equal(found.branches[mine].counts, ak.to_numpy(ak.num(array))), mine


def test_the_z_is_where_it_is(shared: Shared) -> None:
    path = str(shared(TTREE))
    with fields.opened(path, "CollectionTree", 0, 100) as events:
        columns = Columns(events, path)
        selected = SelectedEvents.from_columns(columns, (nanoaod.electron(),))
        mass = pair_mass(selected.leading("e", 0), selected.leading("e", 1))
        found = mass[np.isfinite(mass)]
        assert len(found) > 15
        assert ((found > 81) & (found < 101)).mean() > 0.6


def test_the_menu_of_a_real_file(shared: Shared) -> None:
    path = str(shared(RNTUPLE))
    menu = menu_of(path)
    assert menu is not None
    assert len(menu.names) == 2535
    assert sum_of_weights(path).events == 100
    with fields.opened(path, "EventData", 0, 100) as events:
        columns = Columns(events, path)
        weights = columns.per_event("genWeight").astype(np.float64)
        assert sum_of_weights(path).weights == pytest.approx(weights.sum(), rel=1e-6)
        assert sum_of_weights(path).squares == pytest.approx((weights**2).sum(), rel=1e-6)
        muons = columns.per_event("HLT_mu24_ivarmedium_L1MU14FCH")
        leading = SelectedEvents.from_columns(columns, (nanoaod.muon(25.0),)).count("mu") > 0
        assert muons[leading].mean() > 0.5
        assert muons[~leading].mean() < 0.2


def test_b_tags_of_a_real_file_have_their_efficiency(shared: Shared) -> None:
    path = str(shared(RNTUPLE))
    with fields.opened(path, "EventData", 0, 100) as events:
        columns = Columns(events, path)
        pt, eta, jvt = (columns.content(f"Jet_{name}") for name in ("pt", "eta", "NNJvtPass"))
        label = columns.content("Jet_HadronConeExclTruthLabelID")
        good = (pt > 20) & (np.abs(eta) < 2.5) & (jvt > 0)
        for name, point in (("GN2v01", 0.844), ("DL1dv01", 2.456)):
            score = columns.content(f"Jet_{name}")
            assert (score[good & (label == 5)] > point).mean() == pytest.approx(0.77, abs=0.08)
            assert (score[good & (label == 0)] > point).mean() < 0.03


@BOTH
def test_missing_momentum_is_near_the_truth(shared: Shared, name: str, tree: str) -> None:
    """Sign, unit, size: 68 % of the components within 26 and 33 GeV; those of top pairs go with the neutrinos."""
    path = str(shared(name))
    with fields.opened(path, tree, 0, 100) as events:
        met = SelectedEvents.from_columns(Columns(events, path), nanoaod.standard_objects()).met
        truth = [
            ak.unflatten(branch.content, branch.counts)[:, 0].to_numpy() / 1000.0  # the first term: not interacting
            for branch in (events.branches[f"MET_Truth.mp{axis}"] for axis in "xy")
        ]
    found = np.concatenate([met.pt * np.cos(met.phi), met.pt * np.sin(met.phi)])
    assert np.isfinite(found).all()
    assert np.quantile(np.abs(found - np.concatenate(truth)), 0.68) < 36.0
    if name == RNTUPLE:
        assert np.corrcoef(found, np.concatenate(truth))[0, 1] > 0.7


def test_real_files_of_both_kinds_are_one_fileset(shared: Shared) -> None:
    both = ddp.run("symmetries", [shared(TTREE), shared(RNTUPLE)])
    assert both.n_events == 200
    assert len(both.choices["b: b tag"]) == 2


def test_errors_are_ours(tmp_path: Path) -> None:
    """A file that is damaged inside is missing by name, and no traceback."""
    path = testing.make_physlite(tmp_path / "a.root", events=2_000, seed=1, compression="none")
    content = bytearray(path.read_bytes())
    with uproot.open(path) as file:
        branch = file["CollectionTree"]["AnalysisJetsAuxDyn.pt"]
        place = branch.member("fBasketSeek")[0]
    content[place : place + 200] = b"\xff" * 200
    path.write_bytes(content)
    found = ddp.run("symmetries", path)
    assert found.partial
    assert "a.root" in str(found.missing[0])
    assert "AnalysisJets" in str(found.missing[0])
