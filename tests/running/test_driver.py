"""Running a plan over files: every chunk is counted once, and what fails is named."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from coffea.processor import FuturesExecutor, IterativeExecutor, Runner

import coffea_ddp as ddp
from coffea_ddp import testing
from coffea_ddp.errors import FileError, InputError, MergeError, MissingBranchError, OverlapError, PlanError
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.plan.observables import met, observable, pt_l0
from coffea_ddp.plan.plan import ScanPlan
from coffea_ddp.plan.plan_files import load_plan
from coffea_ddp.plan.symmetry import Symmetry
from coffea_ddp.running.chunks import find_chunks
from coffea_ddp.running.driver import run
from coffea_ddp.running.executors import Cluster, DaskAwkward, Iterative, Local
from coffea_ddp.running.options import Checkpoint, Reading
from coffea_ddp.running.processor import ScanProcessor
from coffea_ddp.running.schema import DDPSchema

EVENTS = 3_000


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("files")
    return testing.make_dataset(folder, files=3, events=EVENTS, seed=5, cluster=250)


@pytest.fixture(scope="module")
def whole(files: list[Path]) -> Histograms:
    return run("symmetries", files)


def charge_plan(a: object = None, **options: object) -> ScanPlan:
    charge = Symmetry(
        "l-/l+",
        a=a or (lambda ev: ev.leading("lepton").charge < 0),  # type: ignore[arg-type]
        b=lambda ev: ev.leading("lepton").charge > 0,
        observables=(observable(pt_l0, met),),
    )
    return ScanPlan("charge", (charge,), **options)  # type: ignore[arg-type]


def test_everything_is_counted(whole: Histograms) -> None:
    assert whole.n_events == EVENTS
    assert not whole.partial
    assert whole.cutflow["events"] == EVENTS
    assert whole.cutflow["trigger"] > whole.cutflow["selection"] > 500
    assert {record.filename.split("/")[-1] for record in whole.ledger.files.values()} == {
        "nano_0.root", "nano_1.root", "nano_2.root",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("executor", "chunksize"), [("iterative", 250), (Iterative(), 600), ("futures", 500), (Local(1), 500)]
)
def test_chunks_and_executors_do_not_matter(
    files: list[Path], whole: Histograms, executor: str | Iterative | Local, chunksize: int
) -> None:
    assert run("symmetries", files, executor=executor, reading=Reading(chunksize=chunksize)) == whole


def test_order_of_files_does_not_matter(files: list[Path], whole: Histograms) -> None:
    assert run("symmetries", files[::-1]) == whole


def test_parts_add_up_and_refuse_to_be_counted_twice(files: list[Path], whole: Histograms) -> None:
    parts = [run("symmetries", path) for path in files]
    assert sum(parts) == whole
    with pytest.raises(MergeError, match=r"nano_1\.root were counted before"):
        _ = whole + parts[1]
    with pytest.raises(MergeError, match="different plans"):
        _ = whole + run(charge_plan(), files[0])


@pytest.mark.parametrize("executor", [IterativeExecutor(status=False), FuturesExecutor(status=False, workers=1)])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_coffeas_own_runner_takes_the_processor(files: list[Path], whole: Histograms, executor: object) -> None:
    """A plan's file ends in `processor = ScanProcessor(plan)`: what a user with a Runner of their own does."""
    runner = Runner(executor, schema=DDPSchema, chunksize=400, metadata_cache={})
    fileset = {"data": [str(path) for path in files]}
    assert runner(fileset, ScanProcessor(load_plan("symmetries")), treename="Events") == whole


def test_progress_counts_events(files: list[Path]) -> None:
    seen: list[tuple[int, int]] = []
    run(charge_plan(), files, reading=Reading(chunksize=500), progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == list(range(0, EVENTS + 1, 500))
    assert {total for _, total in seen} == {EVENTS}


@pytest.fixture(scope="module")
def version_9(tmp_path_factory: pytest.TempPathFactory) -> Histograms:
    path = tmp_path_factory.mktemp("v9") / "nano.root"
    return run("symmetries", testing.make_nanoaod(path, events=400, seed=3, version=9))


@pytest.mark.parametrize("version", range(4, 16))
def test_every_version_of_nanoaod(tmp_path: Path, version_9: Histograms, version: int) -> None:
    """One toy, written as every version: the same events under other names, so exactly the same counts."""
    path = testing.make_nanoaod(tmp_path / "nano.root", events=400, seed=3, version=version)
    hists = run("symmetries", path)
    assert hists.cutflow == version_9.cutflow
    assert hists.counts == version_9.counts
    assert hists.events == version_9.events


def test_rntuple_equals_ttree(tmp_path: Path) -> None:
    kinds = ("ttree", "rntuple")
    paths = [
        testing.make_nanoaod(tmp_path / f"{kind}.root", events=500, seed=2, version=15, container=kind)
        for kind in kinds
    ]
    first, second = (run("symmetries", path) for path in paths)
    assert first.counts == second.counts
    assert first.events == second.events
    assert first.cutflow == second.cutflow


def test_an_empty_file_and_zero_selected_events(tmp_path: Path, files: list[Path], whole: Histograms) -> None:
    empty = testing.make_empty(tmp_path / "empty.root")
    assert run("symmetries", empty).n_events == 0
    both = run("symmetries", [*files, empty])
    assert both.counts == whole.counts
    none = run(charge_plan(selection=lambda ev: np.zeros(ev.n_events, bool)), files)
    assert (none.n_events, len(none.counts), none.partial) == (EVENTS, 0, False)


# -- bad files ---------------------------------------------------------------------------------------------------------


def bad_files(folder: Path) -> dict[str, tuple[Path, str]]:
    """Return bad files of every kind, and what the message must say."""
    good = testing.make_nanoaod(folder / "source.root", events=300, seed=4)
    tiny = folder / "tiny.root"
    tiny.write_bytes(good.read_bytes()[:200])
    zero = folder / "zero.root"
    zero.touch()
    return {
        "truncated": (testing.make_truncated(good, folder / "truncated.root"), r"truncated\.root"),
        "cut at 200 bytes": (tiny, r"tiny\.root: not a ROOT file, or truncated"),
        "corrupt basket": (
            testing.make_corrupt(good, folder / "corrupt.root"),
            r"corrupt\.root.*branch Jet_pt cannot be read",
        ),
        "not root": (testing.make_not_root(folder / "text.root"), r"text\.root: not a ROOT file"),
        "wrong tree": (
            testing.make_wrong_tree(folder / "tree.root"),
            r"tree\.root: no tree 'Events'; it has: Other.*--tree",
        ),
        "no bytes": (zero, r"zero\.root: the file has no bytes"),
        "missing branch": (
            testing.make_nanoaod(folder / "nomet.root", events=50, drop=["MET_pt", "PuppiMET_pt"]),
            r"nomet\.root.*no branch PuppiMET_pt or MET_pt or PFMET_pt",
        ),
    }


LATER = ("truncated", "corrupt basket")
"""Such files can be opened: what is wrong shows when they are read."""
KINDS = (*LATER, "cut at 200 bytes", "not root", "wrong tree", "no bytes", "missing branch")


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str]]:
    return bad_files(tmp_path_factory.mktemp("bad"))


@pytest.mark.parametrize("kind", KINDS[2:])
def test_a_bad_file_stops_the_run_and_is_named(files: list[Path], bad: dict[str, tuple[Path, str]], kind: str) -> None:
    path, message = bad[kind]
    with pytest.raises((FileError, MissingBranchError), match=message):
        run("symmetries", [*files, path])


@pytest.mark.parametrize("kind", LATER)
def test_what_fails_on_the_way_is_named_and_the_rest_is_done(
    files: list[Path], whole: Histograms, bad: dict[str, tuple[Path, str]], kind: str
) -> None:
    path, message = bad[kind]
    hists = run("symmetries", [*files, path])
    assert hists.counts == whole.counts
    (missing,) = hists.missing
    assert (missing.start, missing.stop) == (0, 300)
    assert re.search(message, str(missing))


@pytest.mark.parametrize(
    ("executor", "kind"),
    [*(("iterative", kind) for kind in KINDS), (Local(1), "truncated"), (Local(1), "missing branch")],
)
def test_a_bad_file_can_be_skipped(
    files: list[Path], whole: Histograms, bad: dict[str, tuple[Path, str]], kind: str, executor: str | Local
) -> None:
    path, message = bad[kind]
    hists = run("symmetries", [files[0], path, *files[1:]], reading=Reading(skip_bad_files=True), executor=executor)
    assert hists.counts == whole.counts
    assert hists.n_events == EVENTS
    assert hists.partial
    assert "PARTIAL" in repr(hists)
    (missing,) = hists.missing
    assert missing.filename == str(path)
    assert re.search(message, str(missing))


def test_all_files_bad(bad: dict[str, tuple[Path, str]]) -> None:
    hists = run("symmetries", [path for path, _ in bad.values()], reading=Reading(skip_bad_files=True))
    assert (hists.n_events, len(hists.missing)) == (0, len(KINDS))


def test_nan_and_infinity_are_counted_never_filled(tmp_path: Path) -> None:
    path = testing.make_not_finite(tmp_path / "nan.root", events=1_000)
    hists = run("symmetries", path)
    assert hists.cutflow["e: NaN or infinite"] > 0
    assert hists.not_filled.sum() > 0
    for channel, unfilled in zip(hists.layout.channels, hists.not_filled, strict=True):
        total = hists[channel.symmetry, "events"]
        pair = hists[channel.symmetry, channel.name]
        assert pair.a.sum(flow=True) + unfilled[0] == total.a.sum(flow=True)
        assert pair.b.sum(flow=True) + unfilled[1] == total.b.sum(flow=True)


# -- bad plans and options ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["iterative", Local(1)], ids=str)
def test_overlapping_sides_name_symmetry_file_and_count(files: list[Path], executor: str | Local) -> None:
    plan = charge_plan(a=lambda ev: ev.count("lepton") > 0)
    with pytest.raises(OverlapError, match=r"symmetry 'l-/l\+': \d+ of 1000 events in .*nano_0\.root"):
        run(plan, files[0], reading=Reading(skip_bad_files=True), executor=executor)


def test_a_failing_function_names_its_line(files: list[Path]) -> None:
    plan = charge_plan(a=lambda ev: ev.leading("lepton").chargeless < 0)
    with pytest.raises(PlanError, match=r"nano_0\.root: the plan failed with AttributeError.*test_driver\.py, line"):
        run(plan, files[0], reading=Reading(skip_bad_files=True))


# -- going on where one stopped ----------------------------------------------------------------------------------------


def test_resume_does_only_what_is_missing(tmp_path: Path, files: list[Path], whole: Histograms) -> None:
    parts = tmp_path / "parts"
    lost = tmp_path / "lost.root"
    shutil.copy(files[2], lost)
    broken = [files[0], files[1], lost]
    whole_here = run("symmetries", broken)
    intact = lost.read_bytes()
    lost.write_bytes(intact[:100])
    first = run("symmetries", broken, reading=Reading(skip_bad_files=True, chunksize=500), checkpoint=parts)
    assert first.partial
    shards = sorted(parts.rglob("*.ddp"))
    assert len(shards) == 4
    stamps = [shard.stat().st_mtime_ns for shard in shards]
    lost.write_bytes(intact)
    done: list[int] = []
    # The finished files are made unreadable: were they read again, the run would fail.
    moved = [path.rename(path.with_suffix(".moved")) for path in files[:2]]
    for path in files[:2]:
        _hollow(path, path.with_suffix(".moved"))
    try:
        second = run(
            "symmetries",
            broken,
            checkpoint=Checkpoint(parts, resume=True),
            reading=Reading(chunksize=500),
            progress=lambda d, t: done.append(d),
        )
    finally:
        for path in moved:
            path.rename(path.with_suffix(".root"))
    assert second == whole_here
    assert second.counts == whole.counts
    assert not parts.exists()
    assert len(stamps) == 4


def test_a_file_that_workers_do_not_reach() -> None:
    """The client sees it, the machine that opens it does not."""
    elsewhere = {"data": {"files": {"/nowhere/nano.root": "Events"}, "metadata": {}}}
    chunks, (lost,) = find_chunks(elsewhere, Reading(skip_bad_files=True))
    assert chunks == []
    assert re.search(r"nano\.root: no such file on .*the workers of a cluster need files by a path", lost.reason)


def test_a_mistyped_name_loses_no_finished_chunk(
    tmp_path: Path, files: list[Path], bad: dict[str, tuple[Path, str]]
) -> None:
    parts = tmp_path / "parts"
    run(charge_plan(), [files[0], bad["truncated"][0]], checkpoint=parts)
    kept = sorted(parts.rglob("*-*.ddp"))
    assert len(kept) == 1
    with pytest.raises(FileError):
        run(charge_plan(), [files[0], bad["not root"][0]], checkpoint=parts)
    assert sorted(parts.rglob("*-*.ddp")) == kept


def _hollow(target: Path, source: Path) -> None:
    """Write a copy whose header and tree can be read, but no basket of jets."""
    testing.make_corrupt(source, target, branch="Jet_pt")


def test_shards_of_another_plan_are_never_met(
    tmp_path: Path, files: list[Path], bad: dict[str, tuple[Path, str]]
) -> None:
    inputs = [files[0], bad["not root"][0]]
    parts = tmp_path / "parts"
    run(charge_plan(), inputs, checkpoint=parts, reading=Reading(skip_bad_files=True))
    other = charge_plan(selection=lambda ev: ev.count("lepton") > 1)
    resumed = run(other, inputs, checkpoint=Checkpoint(parts, resume=True), reading=Reading(skip_bad_files=True))
    assert resumed.counts == run(other, files[0]).counts


def test_a_damaged_shard_is_done_again(tmp_path: Path, files: list[Path], bad: dict[str, tuple[Path, str]]) -> None:
    inputs = [files[0], bad["not root"][0]]
    parts = tmp_path / "parts"
    first = run(charge_plan(), inputs, checkpoint=parts, reading=Reading(skip_bad_files=True))
    (shard,) = parts.rglob("*.ddp")
    shard.write_bytes(shard.read_bytes()[:50])
    reading = Reading(skip_bad_files=True)
    assert run(charge_plan(), inputs, checkpoint=Checkpoint(parts, resume=True), reading=reading) == first


def test_a_fileset_json_keeps_datasets(tmp_path: Path, files: list[Path], whole: Histograms) -> None:
    fileset = tmp_path / "fileset.json"
    fileset.write_text(
        json.dumps({"one": [str(files[0])], "two": {"files": [str(f) for f in files[1:]], "metadata": {"era": 1}}})
    )
    hists = run("symmetries", fileset)
    assert hists.counts == whole.counts
    assert {record.dataset for record in hists.ledger.files.values()} == {"one", "two"}
    assert {dataset: cutflow["events"] for dataset, cutflow in hists.cutflows.items()} == {"one": 1000, "two": 2000}
    assert hists.cutflow == whole.cutflow


def test_one_file_under_two_names_is_refused(tmp_path: Path, files: list[Path]) -> None:
    copy = tmp_path / "copy.root"
    shutil.copy(files[0], copy)
    with pytest.raises(MergeError, match="counted before"):
        ddp.run(charge_plan(), [files[0], copy])


# -- dask --------------------------------------------------------------------------------------------------------------


def test_dask_awkward_equals_the_runner(files: list[Path], whole: Histograms, tmp_path: Path) -> None:
    empty = testing.make_empty(tmp_path / "empty.root")
    hists = run("symmetries", [*files, empty], executor="dask-awkward", reading=Reading(chunksize=500))
    assert hists == run("symmetries", [*files, empty])
    assert hists.counts == whole.counts
    with pytest.raises(InputError, match="neither skips bad files"):
        run("symmetries", files, executor="dask-awkward", reading=Reading(skip_bad_files=True))


def test_dask_awkward_names_what_fails(files: list[Path], bad: dict[str, tuple[Path, str]]) -> None:
    with pytest.raises(MissingBranchError, match="no branch PuppiMET_pt or MET_pt"):
        run("symmetries", [files[0], bad["missing branch"][0]], executor="dask-awkward")
    with pytest.raises(OverlapError, match="nano_0"):
        run(charge_plan(a=lambda ev: ev.count("lepton") > 0), files[0], executor="dask-awkward")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore:.*unclosed.*")
def test_a_dask_cluster_equals_the_runner(
    files: list[Path], whole: Histograms, bad: dict[str, tuple[Path, str]]
) -> None:
    """A cluster of somebody else's making; both roads, and a bad file skipped."""
    distributed = pytest.importorskip("distributed", reason="needs the extra `dask`")
    cluster = distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0")
    with cluster, distributed.Client(cluster) as client:
        assert run("symmetries", files, executor=Cluster(client), reading=Reading(chunksize=500)) == whole
        assert run("symmetries", files, executor=DaskAwkward(client), reading=Reading(chunksize=500)) == whole
        skipped = run("symmetries", [*files, bad["corrupt basket"][0]], executor=Cluster(client))
        with pytest.raises(MissingBranchError, match=r"nomet\.root"):
            run("symmetries", [*files, bad["missing branch"][0]], executor=Cluster(client))
    assert skipped.counts == whole.counts
    assert [Path(missing.filename).name for missing in skipped.missing] == ["corrupt.root"]
