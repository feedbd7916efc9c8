"""What to run over."""

from __future__ import annotations

import gzip
import json
import os
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from coffea import dataset_tools
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp.errors import FileError, InputError, MergeError
from coffea_ddp.plan.datasets import datasets
from coffea_ddp.running.fileset import check_files_apart, normalise
from coffea_ddp.running.sources import read_steps


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    paths = [tmp_path / f"{name}.root" for name in "abc"]
    for path in paths:
        path.touch()
    return [str(path) for path in paths]


def test_all_forms_mean_the_same(files: list[str], tmp_path: Path) -> None:
    wanted = {"data": {"files": dict.fromkeys(files, "Events"), "metadata": {}}}
    listing = tmp_path / "fileset.json"
    listing.write_text(json.dumps({"data": files}))
    forms = [
        files,
        str(tmp_path / "*.root"),
        [str(tmp_path / "[ab].root"), str(tmp_path / "c.root")],
        {"data": files},
        {"data": {"files": files}},
        {"data": {"files": dict.fromkeys(files, "Events")}},
        {"data": {"files": {f: {"object_path": "Events", "steps": None} for f in files}}},
        listing,
        [str(listing)],
        [f"{file}:Events" for file in files],
        str(tmp_path / "*.root:Events"),
        dict.fromkeys(files, "Events"),
        dict.fromkeys(files),
        [{file: "Events"} for file in files],
        {"data": [{"path": file} for file in files]},
        {"data": {"files": [f"file://{files[0]}", *files[1:]]}},
        [f"file:{files[0]}", *files[1:]],
        {"files": files},
        dataset_tools.DataGroupSpec({"data": {"files": dict.fromkeys(files, "Events")}}),
        dataset_tools.DatasetSpec(files=dict.fromkeys(files, "Events")),
        dataset_tools.DatasetSpec(files=dict.fromkeys(files, "Events")).files,
        {"data": dataset_tools.DatasetSpec(files=dict.fromkeys(files, "Events"))},
        written(tmp_path / "packed.json.gz", gzip.compress(json.dumps({"data": files}).encode())),
        written(
            tmp_path / "spec.json",
            dataset_tools.DataGroupSpec({"data": {"files": dict.fromkeys(files, "Events")}}).model_dump_json(),
        ),
        written(tmp_path / "bom.json", b"\xef\xbb\xbf" + json.dumps({"data": files}).encode()),
        written(tmp_path / "fileset.yaml", "data:\n" + "".join(f"- {file}\n" for file in files)),
        written(tmp_path / "list.txt", "\n".join(files)),
        written(tmp_path / "list", "\ufeff# mine\r\n\r\n" + "".join(f"  {file}:Events \r\n" for file in files)),
        {"data": str(tmp_path / "list.txt")},
        {"data": {"files": [str(tmp_path / "list.txt"), files[0]]}},
        written(tmp_path / "flat.json", json.dumps(files)),
    ]
    for form in forms:
        assert normalise(form) == wanted, form
    assert normalise(wanted) == wanted


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_what_others_write(files: list[str], tmp_path: Path) -> None:
    """The Analysis Grand Challenge, topcoffea, dasgoclient and cernopendata-client."""
    sized = [{"path": file, "nevts": 7} for file in files]
    agc = normalise({"ttbar": {"nominal": {"nevts_total": 21, "files": sized}, "scaleup": {"files": sized[:1]}}})
    assert list(agc) == ["ttbar__nominal", "ttbar__scaleup"]
    assert agc["ttbar__nominal"]["files"][files[0]] == {"object_path": "Events", "num_entries": 7}
    flat = {"xsec": 1.0, "year": "2018", "treeName": "Other", "files": files, "nEvents": 21, "isData": False}
    assert normalise(flat)["data"]["files"] == dict.fromkeys(files, "Other")
    assert datasets(normalise(flat))["data"].kind == "simulation"
    das = written(tmp_path / "das.txt", "/store/data/a.root\n/store/data/b.root [297050]\n")
    server = "root://cms-xrd-global.cern.ch/"
    assert list(normalise(das, redirector=server)["data"]["files"]) == [
        f"{server}/store/data/{name}.root" for name in "ab"
    ]
    told = [{"das": {}, "file": [{"name": "/store/data/a.root", "nevents": 5, "size": 1}]}]
    assert normalise({"d": told}, redirector=server)["d"]["files"] == {
        f"{server}/store/data/a.root": {"object_path": "Events", "num_entries": 5}
    }
    opendata = "root://eospublic.cern.ch//eos/opendata/cms/a.root"
    lines = written(tmp_path / "open.txt", f"{opendata}\t1024\tadler32:01\n")
    assert list(normalise(lines)["data"]["files"]) == [opendata]


@pytest.mark.parametrize(
    "form",
    [
        "{},\n{},\n{}\n", "{},{}, {}\n", "'{}',\n'{}',\n'{}'\n", "['{}', '{}',\n '{}']\n",
        "{} # one\n\n# two\n{}\n// three\n{}\n",
        '"{}" ,\r\n"{}"\r\n"{}"\r\n', "{} 1000\n{} 1000\n{} 7\n", "1.5K\t{}\n12 {}\n3 {}\n",
        "-rw-r--r-- 1 u g 7 Jan 1 10:00 {}\n-rw-r--r-- u g 7 2024-01-01 10:00:00 {}\n-rw-r--r--. 1 u g 7 Jan 1 {}\n",
    ],
)  # fmt: skip
def test_lists_as_people_and_programs_write_them(files: list[str], tmp_path: Path, form: str) -> None:
    """Commas at the end, quotes, comments behind, lists of Python, ``du``, ``ls -l`` and ``xrdfs ls -l``."""
    path = tmp_path / "list.txt"
    path.write_text(form.format(*files), newline="")
    assert list(normalise(str(path))["data"]["files"]) == files


def test_a_mapping_without_files_is_told() -> None:
    with pytest.raises(InputError, match=r"dataset 'd': 'das_names' with .* is no file with its tree"):
        normalise({"d": {"files": [{"das_names": ["/A/B/NANOAOD"], "metadata": {"year": "2018"}}]}})


# -- which entries -----------------------------------------------------------------------------------------------------


@given(st.sets(st.integers(0, 300)), st.randoms(use_true_random=False))
def test_steps_are_the_entries_they_name(entries: set[int], random: Random) -> None:
    """However they are cut and shuffled: sorted ranges that do not touch, of just these entries."""
    cut = [[entry, entry + 1] for entry in entries]
    random.shuffle(cut)
    steps = read_steps("a.root", cut)
    assert steps is not None
    assert {entry for start, stop in steps for entry in range(start, stop)} == entries
    assert all(first[1] < second[0] for first, second in pairwise(steps))
    assert read_steps("a.root", [list(step) for step in steps]) == steps


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([[0, 100], [50, 150]], r"\[0, 100\] and \[50, 150\] overlap"),
        ([[0, 100], [0, 100]], "overlap"),
        ([[0, 100, 1]], "is no pair of entries"),
        ([[0]], "is no pair of entries"),
        ([[0.0, 1.5]], "is no pair of entries"),
        ([[False, True]], "is no pair of entries"),
        ([["0", "100"]], "is no pair of entries"),
        ([[100, 0]], "does not go from an entry to a later one"),
        ([[-5, 10]], "does not go from an entry to a later one"),
        ("all", "is no list of ranges"),
        (7, "is no list of ranges"),
        ({"0": 100}, "is no list of ranges"),
    ],
)
def test_steps_that_are_none(files: list[str], steps: object, message: str) -> None:
    with pytest.raises(InputError, match=f"a.root: .*{message}"):
        normalise({"data": {files[0]: {"object_path": "Events", "steps": steps}}})


def test_what_can_be_checked_of_a_file(files: list[str]) -> None:
    def of(**told: object) -> object:
        return normalise({"data": {"files": {files[0]: {"object_path": "Events", **told}}}})["data"]["files"][files[0]]

    assert of(steps=[0, 10, 20], num_entries=20) == {"object_path": "Events", "steps": [[0, 20]], "num_entries": 20}
    assert of(uuid="u", steps=[[3, 3], [5, 9]]) == {"object_path": "Events", "steps": [[5, 9]], "uuid": "u"}
    for told, message in (
        ({"steps": [[0, 21]], "num_entries": 20}, "up to entry 21, and the fileset says that it has 20"),
        ({"num_entries": -1}, "is no number of entries"),
        ({"step": [[0, 1]]}, "'step' means nothing here. Did you mean 'steps'"),
        ({"steps": []}, "ask for no entry of any file"),
    ):
        with pytest.raises(InputError, match=message):
            of(**told)
    with pytest.raises(InputError, match="are those of one file, and not of 3"):
        normalise({"data": {f"{Path(files[0]).parent}/*.root": {"object_path": "Events", "steps": [[0, 1]]}}})


# -- one file, several times -------------------------------------------------------------------------------------------


def spellings(file: str) -> list[str]:
    """Return other ways to write where a file is."""
    path = Path(file)
    link = path.with_name("link.root")
    if not link.is_symlink():
        link.symlink_to(path)
    near = os.path.relpath(file)
    return [
        near, f"./{near}", f"{path.parent}//{path.name}", f"{path.parent}/./{path.name}",
        f"{path.parent}/../{path.parent.name}/{path.name}", f"file://{file}", str(link), f"{file}:Events",
    ]  # fmt: skip


def test_a_file_in_two_datasets_is_refused_however_it_is_written(files: list[str]) -> None:
    for other in spellings(files[0]):
        fileset = normalise({"d": [files[0]], "e": [other]})
        with pytest.raises(MergeError, match=r"is in two datasets, 'd' and 'e'.*--by-dataset"):
            check_files_apart(fileset)
        assert len(normalise({"d": [files[0], other]})["d"]["files"]) == 1
    check_files_apart(normalise({"d": [files[0]], "e": [files[1]]}))


@pytest.mark.parametrize(
    "other", ["root://HOST//store/a.root", "root://host/store//a.root", "root://host//store/a.root?x=1"]
)
def test_an_address_in_two_datasets(other: str) -> None:
    with pytest.raises(MergeError, match="in two datasets"):
        check_files_apart(normalise({"d": ["root://host//store/a.root"], "e": [other]}))
    check_files_apart(normalise({"d": ["root://host//store/a.root"], "e": ["root://other//store/a.root"]}))


def test_parts_of_a_file_may_be_in_two_datasets(files: list[str]) -> None:
    def of(*steps: list[int]) -> dict[str, object]:
        return {"files": {files[0]: {"object_path": "Events", "steps": list(steps)}}}

    check_files_apart(normalise({"d": of([0, 100]), "e": of([100, 200])}))
    with pytest.raises(MergeError, match="some of its steps would be counted that were"):
        check_files_apart(normalise({"d": of([0, 100]), "e": of([99, 200])}))
    with pytest.raises(MergeError, match="counted before"):
        check_files_apart(normalise({"d": of([0, 100]), "e": [files[0]]}))
    check_files_apart(normalise({"d": [f"{files[0]}:Events"], "e": [f"{files[0]}:Other"]}))
    with pytest.raises(InputError, match="two trees of"):
        normalise({"d": [f"{files[0]}:Events", f"{files[0]}:Other"]})
    with pytest.raises(MergeError, match="is twice in the dataset 'd'"):
        normalise({"d": [{files[0]: {"steps": [[0, 10]]}}, {spellings(files[0])[0]: {"steps": [[5, 20]]}}]})


def test_tree_names_and_metadata(files: list[str]) -> None:
    fileset = {
        "one": {"files": files[:1], "treename": "Other", "metadata": {"era": "2018"}},
        "two": {"files": {files[1]: "Third"}},
    }
    assert normalise(fileset, tree="Mine") == {
        "one": {"files": {files[0]: "Other"}, "metadata": {"era": "2018"}},
        "two": {"files": {files[1]: "Third"}, "metadata": {}},
    }
    assert normalise(files[2], tree="Mine")["data"]["files"] == {files[2]: "Mine"}


def test_a_file_given_twice_is_one_file(files: list[str]) -> None:
    assert list(normalise([*files, files[0]])["data"]["files"]) == files


def test_remote_files_are_not_looked_for() -> None:
    url = "root://host//store/a*.root"
    assert list(normalise([url])["data"]["files"]) == [url]


@pytest.mark.parametrize(
    ("fileset", "error", "message"),
    [
        ("absent.root", FileError, "no such file: absent.root"),
        ("nothing/*.root", FileError, r"nothing/\*.root: the glob matches no file"),
        ("absent.json", FileError, "absent.json: cannot be read as JSON"),
        ([], InputError, "no input files"),
        ({"data": []}, InputError, "no input files"),
        ({"data": ["root://host//a.root"], "more": []}, InputError, "dataset 'more': no files"),
        ({"": ["root://host//a.root"]}, InputError, "dataset '': a name that is empty"),
        ({1: ["root://host//a.root"], "1": ["root://host//b.root"]}, InputError, "dataset '1': .*there twice"),
        ({"data": {"files": ["root://host//a.root"], "metadata": "x"}}, InputError, "metadata are a str"),
        (
            {"data": {"files": ["root://h//a.root"], "kind": "data", "metadata": {"kind": "simulation"}}},
            InputError,
            "kind='data' beside the files and 'simulation'",
        ),
        ({"297050": [[12, 137], [193, 776]]}, InputError, "a good-run list is no fileset"),
        ([{"d": {"files": {}}}, {"d": {"files": {}}}], InputError, "2 filesets; give one.*preprocess returns two"),
        ("/store/data/a.root", FileError, "a logical name of CMS.*--redirector root://"),
        ("/dev/null", FileError, "is a device, not a file"),
        ("x" * 5000 + ".root", FileError, "no such file"),
        ("nul\0.root", FileError, "no such file"),
        (7, InputError, "a int is no fileset"),
        ({"data": {"file": []}}, InputError, "'data': no 'files' in"),
        ({"data": 3}, InputError, "'data': a int is no list"),
        (["a.json", "b.root"], InputError, "not both"),
    ],
)
def test_what_is_wrong_is_said(fileset: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        normalise(fileset)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("list.json", "[1, 2]", "must map datasets to files"),
        ("twice.json", '{"d": ["a.root"], "d": ["b.root"]}', "'d' is there twice"),
        ("twice.yaml", "d: [a.root]\nd: [b.root]\n", "'d' is there twice"),
        ("bad.yaml", "d: [a.root", "cannot be read as YAML"),
        ("bad.json.gz", b"\x1f\x8b\x08\x00garbage", "cannot be read as JSON"),
        ("bad.json", b"\xff\xfe\x00", "cannot be read as JSON"),
        ("deep.json", "[" * 100_000, "cannot be read as JSON"),
        ("golden.json", '{"297050": [[12, 137]]}', "a good-run list"),
        ("report.json", '{"format": "coffea-ddp/report", "rows": []}', r"a file of this package \(coffea-ddp/report\)"),
        ("empty.txt", "# nothing\n\n", "a list of files without any address"),
        ("notes.txt", "a.root\nbuy milk\n", "notes.txt, line 2: 'buy milk' is no address"),
    ],
)
def test_a_list_that_is_none(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    with pytest.raises(FileError, match=message):
        normalise(written(tmp_path / name, content))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    for name in ("pipe.json", "pipe.txt", "pipe.root", "pipe"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(FileError, match="pipe"):
            normalise(tmp_path / name)


def test_a_redirector_is_for_logical_names(files: list[str]) -> None:
    with pytest.raises(InputError, match="no file has a logical name"):
        normalise(files, redirector="root://host/")
    with pytest.raises(InputError, match="no address of a server"):
        normalise("/store/a.root", redirector="host")


DAS = "/SingleMuon/Run2018A-UL2018_MiniAODv2_NanoAODv9-v2/NANOAOD"


@pytest.mark.parametrize("tier", ["NANOAOD", "NANOAODSIM", "USER", "GEN-SIM-RAW"])
@pytest.mark.parametrize("way", ["alone", "files", "list"])
def test_the_name_of_a_dataset_is_told_from_a_file(tmp_path: Path, tier: str, way: str) -> None:
    name = DAS.replace("NANOAOD", tier)
    (tmp_path / "files.txt").write_text(f"# of DAS\n{name}\n")
    asked = {"alone": name, "files": {"data": [name]}, "list": str(tmp_path / "files.txt")}[way]
    with pytest.raises(FileError, match=f"the name of a dataset of CMS.*dasgoclient --query 'file dataset={name}'"):
        normalise(asked, redirector="root://host/")


def test_the_path_of_cmsrun_is_read_in_a_list(tmp_path: Path) -> None:
    file = tmp_path / "a.root"
    file.write_bytes(b"root")
    (tmp_path / "files.txt").write_text(f"file:{file}\nfile:{file}:Events\n")
    assert list(normalise(str(tmp_path / "files.txt"))["data"]["files"]) == [str(file)]
