"""What of a file is counted: the steps of a fileset, the file that it describes, Parquet, and names of every kind."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import awkward as ak
import pytest
import uproot
from coffea import dataset_tools
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coffea_ddp import testing
from coffea_ddp.cli import main
from coffea_ddp.errors import FileError, MergeError
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.running.chunks import find_chunks
from coffea_ddp.running.driver import run, run_by_dataset
from coffea_ddp.running.executors import Local
from coffea_ddp.running.fileset import normalise
from coffea_ddp.running.options import Checkpoint, Reading
from coffea_ddp.running.reader import look
from coffea_ddp.running.validating import validate

EVENTS = 600
PLAN = "dimuon_charge"
STEPS = [[400, 450], [0, 100]]
NAMES = [
    "a b.root", "naïve 日本.root", "a:b.root", "x.root:Events.root", "d:e/a.root", "semi;1.root", "star*[12]?.root",
    "h#ash%20.root", "a::b.root", "{a,b}.root", " lead.root", "trail.root ", "x" * 240 + ".root", "quote'\".root",
    "back\\slash.root", "a.root.1", "noending", "x=1&y.root", "A.ROOT", "https:/x.root", "s3/zip::a.root",
    "file.root:Events", "new\nline.root", "-dash.root", "@at,.root", os.fsdecode(b"latin\xe9.root"),
]  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("files") / "nano.root"
    return str(testing.make_nanoaod(path, events=EVENTS, seed=3, cluster=150))


@pytest.fixture(scope="module")
def parquet(file: str) -> str:
    path = f"{file}.parquet"
    with uproot.open(file) as opened:
        columns = opened["Events"].arrays(how=dict)
    ak.to_parquet(ak.zip(columns, depth_limit=1), path, row_group_size=170)
    return path


def of(file: str, **told: Any) -> dict[str, Any]:
    return {"data": {"files": {file: {"object_path": "Events", **told}}}}


def intervals(hists: Histograms) -> list[tuple[int, int]]:
    return [interval for record in hists.ledger.files.values() for interval in record.intervals]


# -- steps -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("executor", "kind"),
    [
        ("iterative", "root"),
        ("iterative", "parquet"),
        (Local(1), "root"),
        ("dask-awkward", "root"),
        ("dask-awkward", "parquet"),
    ],
)
def test_steps_are_what_is_counted(file: str, parquet: str, executor: str | Local, kind: str) -> None:
    given = file if kind == "root" else parquet
    hists = run(PLAN, of(given, steps=STEPS), executor=executor, reading=Reading(chunksize=70))
    assert (hists.n_events, hists.partial) == (150, False)
    assert intervals(hists) == [(0, 100), (400, 450)]
    assert hists.counts == run(PLAN, of(file, steps=STEPS)).counts


def test_steps_of_a_file_add_up_to_it(file: str) -> None:
    parts = [run(PLAN, of(file, steps=steps)) for steps in ([[0, 130]], [[130, 131], [300, EVENTS]], [[131, 300]])]
    assert sum(parts) == run(PLAN, file)
    with pytest.raises(MergeError, match="counted before"):
        _ = parts[0] + run(PLAN, of(file, steps=[[129, 140]]))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(0, EVENTS)), st.integers(1, EVENTS))
def test_chunks_are_the_steps_whatever_their_size(file: str, borders: set[int], chunksize: int) -> None:
    edges = sorted(borders)
    steps = [[a, b] for a, b in zip(edges[::2], edges[1::2], strict=False)]
    if not any(b > a for a, b in steps):
        return
    chunks, lost = find_chunks(normalise(of(file, steps=steps)), Reading(chunksize=chunksize))
    entries = [entry for chunk in chunks for entry in range(chunk.entrystart, chunk.entrystop)]
    assert entries == [entry for start, stop in steps for entry in range(start, stop)]
    assert (lost, min(len(chunk) for chunk in chunks) > 0) == ([], True)


def test_what_coffeas_preprocess_and_slices_ask_for(file: str) -> None:
    """Its own objects, and the JSON that they are saved as."""
    spec = dataset_tools.DataGroupSpec(of(file, steps=[[0, 200], [200, 400], [400, 600]], num_entries=EVENTS,
                                          uuid=str(uproot.open(file).file.uuid)))  # fmt: skip
    first = dataset_tools.max_chunks(spec, 1)
    last = dataset_tools.slice_chunks(spec, slice(-1, None))
    assert intervals(run(PLAN, first)) == [(0, 200)]
    assert intervals(run(PLAN, last)) == [(400, 600)]
    assert run(PLAN, json.loads(last.model_dump_json())) == run(PLAN, last)


def test_what_was_not_asked_for_is_not_missing(file: str, tmp_path: Path) -> None:
    (copy,) = testing.make_copies(file, tmp_path / "copies", 1)
    broken = testing.make_corrupt(copy, tmp_path / "broken.root", branch="Muon_pt")
    text = testing.make_not_root(tmp_path / "text.root")
    fileset = {"data": {"files": {f: {"steps": STEPS} for f in (file, str(broken), str(text))}}}
    hists = run(PLAN, fileset, reading=Reading(skip_bad_files=True))
    assert sorted((one.filename, one.start, one.stop) for one in hists.missing) == [
        (str(broken), 0, 100), (str(broken), 400, 450), (str(text), 0, 100), (str(text), 400, 450),
    ]  # fmt: skip
    shutil.copy(testing.make_nanoaod(tmp_path / "other.root", events=EVENTS, seed=5), text)
    later = run(PLAN, of(str(text), steps=[[0, 200], [400, 450]]))
    assert {one.filename for one in (hists + later).missing} == {str(broken)}


def test_another_file_than_the_fileset_describes(file: str, tmp_path: Path) -> None:
    uuid = str(uproot.open(file).file.uuid)
    spelled = (uuid, uuid.upper(), uuid.replace("-", ""), f"{{{uuid}}}", f"urn:uuid:{uuid}", f" {uuid} ")
    for one in spelled:
        assert run(PLAN, of(file, uuid=one, num_entries=EVENTS)).n_events == EVENTS
    other = "00000000-0000-0000-0000-000000000000"
    for told, message in (
        ({"uuid": other}, f"its uuid is {uuid}, and the fileset says {other}"),
        ({"num_entries": 5}, "it has 600 entries, and the fileset says 5"),
        ({"steps": [[0, EVENTS + 1]]}, "up to entry 601, and it has 600"),
    ):
        for executor in ("iterative", "dask-awkward"):
            with pytest.raises(FileError, match=message):
                run(PLAN, of(file, **told), executor=executor)
        skipped = run(PLAN, of(file, **told), reading=Reading(skip_bad_files=True))
        assert (skipped.n_events, skipped.partial) == (0, True)


def test_steps_deduplicated_resumed_and_validated(file: str, tmp_path: Path) -> None:
    copy = testing.make_copies(file, tmp_path, 1)[0]
    fileset = {
        "a": {"files": {file: {"steps": [[0, 300]]}}},
        "b": {"files": {str(copy): {"steps": [[200, 400]]}}},
    }
    hists = run(PLAN, fileset, deduplicate=True)
    assert hists.counts == run(PLAN, of(file, steps=[[0, 400]])).counts
    assert hists.cutflows["b"]["not counted elsewhere"] == 100
    parts = tmp_path / "parts"
    text = str(testing.make_not_root(tmp_path / "text.root"))
    run(PLAN, {"data": [file, text]}, checkpoint=parts, reading=Reading(skip_bad_files=True))
    with_text = {"data": {"files": {file: {"steps": STEPS}, text: None}}}
    resumed = run(PLAN, with_text, checkpoint=Checkpoint(parts, resume=True), reading=Reading(skip_bad_files=True))
    assert intervals(resumed) == [(0, 100), (400, 450)]
    assert validate(PLAN, of(file, steps=[[400, 450], [500, 520]]), events=10_000).histograms.n_events == 50


# -- one file, several times -------------------------------------------------------------------------------------------


def test_a_file_in_two_datasets_is_refused_before_it_is_read(file: str, tmp_path: Path) -> None:
    shutil.copy(file, tmp_path / "copy.root")
    for other in (file, str(tmp_path / "copy.root")):
        with pytest.raises(MergeError, match="in two datasets, 'd' and 'e'"):
            run(PLAN, {"d": [file], "e": [other]}, progress=lambda *_: pytest.fail("events are read"))


@pytest.mark.parametrize("executor", ["iterative", "dask-awkward"])
def test_datasets_that_are_counted_apart_may_share_files(file: str, executor: str, tmp_path: Path) -> None:
    parts = {} if executor == "dask-awkward" else {"checkpoint": tmp_path / "parts"}
    found = run_by_dataset(PLAN, {"d": [file], "e": [file]}, executor=executor, **parts)
    alone = run(PLAN, file)
    assert {name: hists.counts == alone.counts for name, hists in found.items()} == {"d": True, "e": True}
    with pytest.raises(MergeError, match="counted before"):
        _ = found["d"] + found["e"]


def test_datasets_whose_outputs_would_have_one_name(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fileset = tmp_path / "fileset.json"
    fileset.write_text(json.dumps({"a/b": [file], "a_b": [file]}))
    with pytest.raises(SystemExit) as caught:
        main(["run", PLAN, str(fileset), "-o", str(tmp_path / "h.ddp"), "--by-dataset", "--executor", "iterative"])
    assert caught.value.code == 1
    assert "'a/b' and 'a_b' would both be" in capsys.readouterr().err


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["iterative", "dask-awkward"])
def test_files_may_have_any_name(file: str, tmp_path: Path, executor: str) -> None:
    paths = []
    for number, name in enumerate(NAMES):
        path = tmp_path / str(number) / name
        path.parent.mkdir(parents=True)
        (copy,) = testing.make_copies(file, tmp_path / "copies", 1, seed=number)
        shutil.move(copy, path)
        paths.append(str(path))
    hists = run(PLAN, {"naïve 日本": paths}, executor=executor)
    assert (hists.n_events, hists.partial) == (EVENTS * len(NAMES), False)
    assert run(PLAN, paths[0], executor=executor).n_events == EVENTS
    assert {record.filename for record in hists.ledger.files.values()} == set(paths)


def test_uproots_way_to_name_a_tree_works_for_every_name(file: str, tmp_path: Path) -> None:
    for name in NAMES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, path)
        assert list(normalise(f"{path}:Events")["data"]["files"].items()) == [(str(path), "Events")]


# -- Parquet -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("executor", "chunksize"),
    [*(("iterative", size) for size in (100, 200, 10_000)), (Local(1), 200), ("dask-awkward", 200)],
)
def test_parquet_equals_root(file: str, parquet: str, executor: str | Local, chunksize: int) -> None:
    first = run("symmetries", file)
    second = run("symmetries", parquet, executor=executor, reading=Reading(chunksize=chunksize))
    assert (first.counts, first.events, first.cutflow) == (second.counts, second.events, second.cutflow)
    assert first.choices == second.choices


def test_parquet_with_collections_as_records(file: str, parquet: str, tmp_path: Path) -> None:
    """What `ak.to_parquet` makes of NanoEvents: one column a collection."""
    flat = ak.from_parquet(parquet)
    names = {field.partition("_")[0] for field in flat.fields if flat[field].ndim > 1}
    nested = {
        name: ak.zip({f.partition("_")[2]: flat[f] for f in flat.fields if f.startswith(f"{name}_")}) for name in names
    }
    single = {f: flat[f] for f in flat.fields if flat[f].ndim == 1}
    path = str(tmp_path / "nested.parquet")
    ak.to_parquet(ak.zip(single | nested, depth_limit=1), path, row_group_size=170)
    assert run("symmetries", path, reading=Reading(chunksize=100)).counts == run("symmetries", file).counts


def test_parquet_beside_root_and_twice(file: str, parquet: str, tmp_path: Path) -> None:
    both = run(PLAN, {"a": [file], "b": [parquet]})
    assert both.n_events == 2 * EVENTS
    once = run("symmetries", {"a": [file], "b": [parquet]}, deduplicate=True)
    assert once.counts == run("symmetries", file).counts
    shutil.copy(parquet, tmp_path / "copy.parquet")
    with pytest.raises(MergeError, match="the same file as"):
        run(PLAN, [parquet, str(tmp_path / "copy.parquet")])
    assert look(parquet, "").uuid != look(file, "Events").uuid
    whole = Path(parquet).read_bytes()
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError, match=r"cut\.parquet: a Parquet file that cannot be read"):
        run(PLAN, cut)
    hists = run(PLAN, [file, cut], reading=Reading(skip_bad_files=True))
    assert (hists.n_events, len(hists.missing)) == (EVENTS, 1)


@pytest.mark.parametrize("name", ["nano_dy", "nano_dimuon"])
def test_parquet_as_coffea_writes_it(name: str) -> None:
    folder = Path(__file__).resolve().parents[3] / "shared" / "data" / "nanoaod_real"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data")
    first, second = (run("symmetries", folder / f"{name}.{end}") for end in ("root", "parquet"))
    assert (first.counts, first.cutflow, first.choices) == (second.counts, second.cutflow, second.choices)


# -- validate ----------------------------------------------------------------------------------------------------------


def test_validate_says_what_matters(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing was read there is nothing to show."""
    text = testing.make_not_root(tmp_path / "text.root")
    empty = testing.make_empty(tmp_path / "empty.root")
    for files, code, line in (
        ([text], 1, f"problem: {text}: not a ROOT file but text"),
        ([empty], 0, "no event was read: the files have none"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(["validate", PLAN, *map(str, files)])
        out, err = capsys.readouterr()
        assert (caught.value.code or 0, out) == (code, "")
        assert line in err
    with pytest.raises(SystemExit):
        main(["validate", PLAN, file, str(text)])
    out, err = capsys.readouterr()
    assert "first 600 events" in out
    assert "text.root" in err
