"""Several datasets in one fileset: kinds, weights, good runs, and events that are in more than one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from coffea.processor.executor import WorkItem
from console import exit_code
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp import testing
from coffea_ddp.errors import FileError, InputError, MissingBranchError
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.io import load
from coffea_ddp.plan.datasets import Dataset, datasets, described
from coffea_ddp.plan.observables import met, observable, pt_l0
from coffea_ddp.plan.plan import ScanPlan
from coffea_ddp.plan.symmetry import Symmetry
from coffea_ddp.running.driver import run, run_by_dataset
from coffea_ddp.running.duplicates import repeated
from coffea_ddp.running.executors import Local
from coffea_ddp.running.options import Checkpoint, Reading

EVENTS = 800
MU, E = "HLT_IsoMu24", "HLT_Ele32_WPTight_Gsf"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return two files with the same events, and one with others."""
    folder = tmp_path_factory.mktemp("files")
    seeds = {"one": (1, 1), "copy": (1, 1), "other": (2, 2)}
    return {
        name: testing.make_nanoaod(folder / f"{name}.root", events=EVENTS, seed=seed, run=number, cluster=200)
        for name, (seed, number) in seeds.items()
    }


def plan(**options: object) -> ScanPlan:
    charge = Symmetry(
        "l-/l+",
        a=lambda ev: ev.leading("lepton").charge < 0,
        b=lambda ev: ev.leading("lepton").charge > 0,
        observables=(observable(pt_l0, met),),
    )
    return ScanPlan("charge", (charge,), **options)  # type: ignore[arg-type]


def sides(hists: Histograms) -> tuple[float, float]:
    pair = hists["l-/l+", "events"]
    return float(pair.a.values(flow=True).sum()), float(pair.b.values(flow=True).sum())


def entry(*paths: Path, **metadata: object) -> dict[str, object]:
    return {"files": [str(path) for path in paths], "metadata": metadata}


# -- results by dataset ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["iterative", Local(1), "dask-awkward"], ids=str)
def test_results_by_dataset_are_merged_on_demand(files: dict[str, Path], executor: str | Local) -> None:
    fileset = {"b": entry(files["other"]), "a": entry(files["one"])}
    found = run_by_dataset("symmetries", fileset, executor=executor, reading=Reading(chunksize=200))
    assert list(found) == ["b", "a"]
    assert found["a"].counts == run("symmetries", files["one"]).counts
    assert {record.dataset for record in found["b"].ledger.files.values()} == {"b"}
    assert sum(found.values()) == run("symmetries", fileset, reading=Reading(chunksize=200))


def test_what_is_missing_is_missing_in_its_dataset(files: dict[str, Path], tmp_path: Path) -> None:
    broken = testing.make_corrupt(files["other"], tmp_path / "broken.root")
    text = testing.make_not_root(tmp_path / "text.root")
    fileset = {"good": [str(files["one"])], "bad": [str(broken)], "worse": [str(text)]}
    found = run_by_dataset("symmetries", fileset, reading=Reading(skip_bad_files=True))
    assert {name: len(hists.missing) for name, hists in found.items()} == {"good": 0, "bad": 1, "worse": 1}


def test_one_file_a_dataset_on_the_command_line(files: dict[str, Path], tmp_path: Path) -> None:
    fileset = tmp_path / "fileset.json"
    fileset.write_text(json.dumps({"2022/C": [str(files["one"])], "2022/D": [str(files["other"])]}))

    options = ("--by-dataset", "--executor", "iterative")
    assert exit_code("run", "symmetries", fileset, "-o", tmp_path / "h.ddp", *options) == 0
    parts = sorted(tmp_path.glob("*.ddp"))
    assert [path.name for path in parts] == ["h-2022_C.ddp", "h-2022_D.ddp"]
    assert exit_code("merge", *parts, "-o", tmp_path / "all.ddp") == 0
    assert load(tmp_path / "all.ddp") == run("symmetries", fileset)


# -- what metadata mean ------------------------------------------------------------------------------------------------


def test_weights_are_factors(files: dict[str, Path]) -> None:
    weighted = plan(weight=lambda ev: np.full(ev.n_events, 2.0))
    once = run(weighted, {"one": entry(files["one"])})
    scaled = run(weighted, {"one": entry(files["one"], weight=0.25)})
    assert sides(scaled) == pytest.approx(tuple(0.25 * side for side in sides(once)), rel=1e-12)
    assert scaled.counts.sum_w2 == pytest.approx(once.counts.sum_w2 / 16.0, rel=1e-12)  # type: ignore[operator]
    with pytest.raises(InputError, match=r"dataset 'one' has the weight 0\.25, but the plan 'charge' counts events"):
        run(plan(), {"one": entry(files["one"], weight=0.25)})


def test_good_runs_of_a_dataset_are_for_data_only(files: dict[str, Path], tmp_path: Path) -> None:
    good = tmp_path / "golden.json"
    good.write_text(json.dumps({"1": [[1, 1]]}))
    everything = run(plan(), files["one"])
    some = run(plan(), {"one": entry(files["one"], good_runs=str(good))})
    assert 0 < some.cutflow["good luminosity blocks"] < EVENTS
    none = run(plan(), {"other": entry(files["other"], good_runs=str(good))})
    assert none.cutflow["good luminosity blocks"] == 0
    simulated = run(plan(), {"one": entry(files["one"], good_runs=str(good), kind="simulation")})
    assert simulated.counts == everything.counts
    assert simulated.choices["good-run list"] == ("not applied: simulation",)
    with pytest.raises(FileError, match=r"good-run list .*nowhere\.json"):
        run(plan(), {"one": entry(files["one"], good_runs=str(tmp_path / "nowhere.json"))})


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"kind": "mc"}, "kind='mc'; it is one of data, simulation"),
        ({"weight": "1"}, "weight='1' is no finite number"),
        ({"weight": float("nan")}, "weight=nan is no finite number"),
        ({"triggers": "HLT_IsoMu24"}, "is no list of paths"),
    ],
)
def test_wrong_metadata(metadata: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=f"dataset 'x', metadata: .*{message}"):
        described("x", metadata)


def test_a_shard_of_other_metadata_is_never_met(files: dict[str, Path], tmp_path: Path) -> None:
    weighted = plan(weight=lambda ev: np.ones(ev.n_events))
    broken = testing.make_corrupt(files["other"], tmp_path / "broken.root")
    parts = tmp_path / "parts"

    def of(weight: float, *, resume: bool = False) -> Histograms:
        fileset = {"one": entry(files["one"], weight=weight), "bad": entry(broken)}
        return run(weighted, fileset, checkpoint=Checkpoint(parts, resume=resume))

    first, second = of(1.0), of(3.0, resume=True)
    assert sides(second) == pytest.approx(tuple(3.0 * side for side in sides(first)))
    assert Dataset("x", era="2022").digest == ""
    assert Dataset(weight=2.0).digest != Dataset(weight=3.0).digest


# -- events in several datasets ----------------------------------------------------------------------------------------


def test_triggers_tell_whose_an_event_is(files: dict[str, Path]) -> None:
    """The muon dataset comes first: an event that fired both is its. Together they are all that fired one."""
    fileset = {"mu": entry(files["one"], triggers=[MU]), "e": entry(files["copy"], triggers=[E])}
    found = run_by_dataset("symmetries", fileset)
    once = run("symmetries", files["one"])
    assert sum(found.values()).counts == once.counts  # type: ignore[union-attr]
    flow = {name: hists.cutflow for name, hists in found.items()}
    assert flow["mu"]["fired"] + flow["e"]["not in a dataset before"] == once.cutflow["trigger"]
    assert flow["e"]["fired"] > flow["e"]["not in a dataset before"]
    eras = {
        "mu": entry(files["one"], triggers=[MU], era="A"), "e": entry(files["copy"], triggers=[E], era="B"),
    }  # fmt: skip
    assert datasets(eras)["e"].vetoes == ()
    with pytest.raises(MissingBranchError, match="no branch HLT_Nothing"):
        run("symmetries", {"mu": entry(files["one"], triggers=["HLT_Nothing"])})


@pytest.mark.parametrize("executor", ["iterative", Local(1), "dask-awkward"], ids=str)
def test_events_are_taken_once_by_their_numbers(files: dict[str, Path], executor: str | Local) -> None:
    fileset = {"a": entry(files["one"]), "b": entry(files["copy"], files["other"])}
    hists = run("symmetries", fileset, deduplicate=True, reading=Reading(chunksize=200), executor=executor)
    alone = run("symmetries", [files["one"], files["other"]])
    assert hists.counts == alone.counts
    assert hists.events == alone.events
    assert hists.n_events == 3 * EVENTS
    assert hists.cutflows["b"]["not counted elsewhere"] == EVENTS
    assert run("symmetries", fileset, reading=Reading(chunksize=200)).cutflow["events"] == 3 * EVENTS


def test_a_first_look_that_fails_counts_nothing_twice(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tried again; then missing: what cannot be compared is not filled, and its events count where they are again."""
    from coffea_ddp.running import duplicates

    monkeypatch.setattr(duplicates.time, "sleep", lambda _: None)
    fileset = {"a": entry(files["one"]), "b": entry(files["copy"])}
    whole = run("symmetries", fileset, deduplicate=True)
    read, failures = duplicates._read, {"left": 2}

    def shaky(item: WorkItem, dataset: Dataset) -> object:
        if item.dataset == "a" and failures["left"]:
            failures["left"] -= 1
            raise OSError("the server is busy")
        return read(item, dataset)

    monkeypatch.setattr(duplicates, "_read", shaky)
    assert run("symmetries", fileset, deduplicate=True).counts == whole.counts
    failures["left"] = 3
    partial = run("symmetries", fileset, deduplicate=True)
    assert [(one.dataset, one.start, one.stop) for one in partial.missing] == [("a", 0, EVENTS)]
    assert "its events cannot be compared with those of other files (OSError: the server is busy)" in str(
        partial.missing[0]
    )
    assert partial.counts == whole.counts  # the copies count instead
    assert "a" not in partial.cutflows


def test_the_cutflow_of_comparing_counts_all_chunks(files: dict[str, Path]) -> None:
    hists = run("symmetries", {"a": entry(files["one"])}, deduplicate=True, reading=Reading(chunksize=200))
    assert hists.cutflow["not counted elsewhere"] == hists.cutflow["events"] == EVENTS


def test_events_without_numbers_cannot_be_compared(tmp_path: Path) -> None:
    bare = testing.make_nanoaod(tmp_path / "bare.root", events=20, drop=["run", "event"])
    with pytest.raises(InputError, match=r"bare\.root: no run, event, by which events are compared"):
        run("symmetries", bare, deduplicate=True)


def test_simulation_has_no_duplicates(files: dict[str, Path]) -> None:
    """Event numbers of simulated samples repeat: they are different events."""
    fileset = {"a": entry(files["one"], kind="simulation"), "b": entry(files["copy"], kind="simulation")}
    hists = run("symmetries", fileset, deduplicate=True)
    assert hists.cutflow["trigger"] == 2 * run("symmetries", files["one"]).cutflow["trigger"]


@given(st.lists(st.lists(st.integers(0, 12), max_size=8), min_size=1, max_size=6))
def test_repeated_are_all_but_the_first(parts: list[list[int]]) -> None:
    known = [(np.array(part, np.uint64) % 3, np.array(part, np.uint64)) for part in parts]
    found = repeated(known)
    seen: set[int] = set()
    for part, positions in zip(parts, found, strict=True):
        for position, value in enumerate(part):
            assert (position in positions.tolist()) == (value in seen)
            seen.add(value)


# -- what is said of the events for the heading of a report ----------------------------------------------------------


def test_an_output_says_what_its_events_are(files: dict[str, Path], tmp_path: Path) -> None:
    fileset = {
        "a": entry(files["one"], kind="simulation", energy=13.6, lumi="34.7 fb^-1", era="2022"),
        "b": entry(files["other"], energy="13 TeV", luminosity="59.8 fb^-1", era="2018"),
    }
    found = run(plan(), fileset)
    assert found.choices["kind of events"] == ("data", "simulation")
    assert found.choices["collision energy"] == ("13 TeV", "13.6 TeV")
    assert found.choices["integrated luminosity (2022)"] == ("34.7 fb^-1",)
    assert found.choices["integrated luminosity (2018)"] == ("59.8 fb^-1",)
    assert load(found.save(tmp_path / "h.ddp")).choices == found.choices


@pytest.mark.parametrize(("metadata", "energy", "luminosity"), [
    ({}, "", ""),
    ({"energy": 13000, "luminosity": 59.83}, "13000 GeV", "59.83"),
    ({"sqrt_s": "8 TeV", "lumi": "19.7 fb^-1"}, "8 TeV", "19.7 fb^-1"),
    ({"lumi": {"2018": 59.7}, "energy": ["mine"], "luminosity": None}, "", ""),
    ({"energy": True, "lumi": float("nan")}, "", ""),
    ({"lumi": "x" * 500}, "", "x" * 40),
])  # fmt: skip
def test_other_metadata_stay_the_users(metadata: dict[str, object], energy: str, luminosity: str) -> None:
    found = described("a", metadata)
    assert (found.energy, found.luminosity) == (energy, luminosity)
    assert found.digest == described("a", {}).digest  # no event is treated in another way
