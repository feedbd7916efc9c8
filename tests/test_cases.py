"""Events and filesets as people have them: the right number, or an error that tells the way out.

Spectra are in :mod:`test_spectrum_cases`.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import awkward as ak
import case_inputs
import numpy as np
import pytest
from coffea.analysis_tools import Weights
from coffea.dataset_tools import DataGroupSpec
from coffea.nanoevents import NanoAODSchema, NanoEventsFactory

import coffea_ddp as ddp
from coffea_ddp import testing

ID_2017, ID_2018 = "Tau_idDeepTau2017v2p1VSjet", "Tau_idDeepTau2018v2p5VSjet"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, the current one of the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(here: Path, events: int, files: int = 1) -> list[str]:
    return [str(path) for path in testing.make_dataset(here / "data", files=files, events=events, seed=1)]


# -- 01: the steps of a fileset ------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", [ddp.Iterative(), ddp.Local(1)], ids=repr)
def test_steps_are_what_is_counted(here: Path, executor: ddp.Iterative | ddp.Local) -> None:
    (file,) = made(here, 1_000)
    fileset = {"d": {"files": {file: {"object_path": "Events", "steps": [[0, 100], [500, 600]]}}}}
    hists = ddp.run("dimuon_charge", fileset, executor=executor)
    assert hists.n_events == 200
    assert not hists.partial


# -- 09: filesets of other frameworks ------------------------------------------------------------------------------

READ = {
    "colon_list": 2_000, "colon_in_files": 2_000, "glob_colon": 2_000, "glob_dict": 2_000, "none_tree": 2_000,
    "agc": 2_000, "agc_flat": 2_000, "topcoffea": 2_000, "one_string": 1_000,
}  # fmt: skip
REFUSED = {
    "steps_triple": ["uuid"],
    "wrong_uuid": ["00000000-0000-0000-0000-000000000000", "nano_0.root"],
    "isMC_string": ["isMC"],
    "bad_kind": ["kind", "mc"],
    "weight_nan": ["weight"],
    "dup_two_datasets": ["nano_0.root", "'d'", "'e'"],
}


@pytest.fixture(scope="module")
def dialects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dialects")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        case_inputs.fileset_dialects()
    return folder


@pytest.fixture
def at_dialects(dialects: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(dialects)
    return dialects


@pytest.mark.parametrize("dialect", [*READ, "gz"])
def test_dialects_of_filesets_are_read(at_dialects: Path, dialect: str) -> None:
    path = "gz.json.gz" if dialect == "gz" else f"{dialect}.json"
    assert ddp.run("dimuon_charge", path, executor="iterative").n_events == READ.get(dialect, 2_000)


@pytest.mark.parametrize("dialect", REFUSED)
def test_filesets_that_contradict_themselves_are_refused(at_dialects: Path, dialect: str) -> None:
    with pytest.raises(ddp.DDPError) as error:
        ddp.run("dimuon_charge", f"{dialect}.json", executor="iterative")
    for word in REFUSED[dialect]:
        assert word in str(error.value)


@pytest.mark.parametrize("dialect", ["dup", "abs_and_rel", "weight_string"])
def test_what_is_named_twice_counts_once_or_is_refused(at_dialects: Path, dialect: str) -> None:
    try:
        n_events = ddp.run("dimuon_charge", f"{dialect}.json", executor="iterative").n_events
    except ddp.DDPError as error:
        assert ("weight" if dialect == "weight_string" else "nano_0.root") in str(error)  # noqa: PT017
    else:
        assert n_events == (2_000 if dialect == "weight_string" else 1_000)


def test_the_filesets_of_coffea_itself_are_read(at_dialects: Path) -> None:
    spec = DataGroupSpec({"d": {"files": {"data/nano_0.root": "Events"}}})
    assert ddp.run("dimuon_charge", spec, executor="iterative").n_events == 1_000
    for given in ("data/nano_0.root:Events", {"data/nano_0.root": "Events"}, [{"data/nano_0.root": "Events"}]):
        assert ddp.run("dimuon_charge", given, executor="iterative").n_events == 1_000
    assert ddp.run("dimuon_charge", "data/*.root:Events", executor="iterative").n_events == 2_000


# -- 11, 12: NanoAOD as productions write it ------------------------------------------------------------------------


def content(path: str, cell: str) -> list[float]:
    hists = ddp.run("symmetries", path, executor="iterative")
    return [float(side.sum()) for side in hists["e/mu", "pt_l0 x met", cell].counts]


def test_both_encodings_of_the_tau_identification(here: Path) -> None:
    (file,) = made(here, 2_000)
    branches = case_inputs.read_branches(file)
    working_point = branches.pop(ID_2018, None)
    if working_point is None:
        bits = ak.flatten(branches[ID_2017])
        working_point = ak.unflatten(np.array([int(x).bit_length() for x in bits], "u1"), ak.num(branches[ID_2017]))
    number = ak.values_astype(working_point, np.uint8)
    as_bits = ak.values_astype(2 ** ak.values_astype(number, np.int64) - 1, np.uint8)
    found = [
        content(case_inputs.write_branches(here / f"{name}.root", {**branches, ID_2017: values}), "tau=1")
        for name, values in (("bits_v9", as_bits), ("number_v12", number))
    ]
    assert found[0] == found[1]
    assert sum(found[0]) == 29


def variants(branches: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the same events with other types, as other productions have them."""

    def cast(kind: Any, *names: str) -> dict[str, Any]:
        return {**branches, **{name: ak.values_astype(branches[name], kind) for name in names if name in branches}}

    floats = [name for name, values in branches.items() if "float" in str(values.type)]
    return {
        "jetId_uint8": cast(np.uint8, "Jet_jetId", "Electron_cutBased"),
        "charge_int8": cast(np.int8, "Electron_charge", "Muon_charge"),
        "float64": cast(np.float64, *floats),
        "mediumId_uint8": cast(np.uint8, "Muon_mediumId"),
        "run_uint64": {**cast(np.uint64, "run"), "event": ak.values_astype(branches["event"], np.int64)},
    }


def test_types_alone_change_no_count(here: Path) -> None:
    (file,) = made(here, 2_000)
    branches = case_inputs.read_branches(file)
    cells = ("inclusive", "tau=0", "j=0")
    plain = case_inputs.write_branches(here / "same.root", branches)
    expected = [content(plain, cell) for cell in cells]
    assert expected[0] == content(file, "inclusive")
    for name, changed in variants(branches).items():
        path = case_inputs.write_branches(here / f"{name}.root", changed)
        assert [content(path, cell) for cell in cells] == expected, name


# -- 15: one file in two datasets ----------------------------------------------------------------------------------


def test_one_file_in_two_datasets_is_refused_before_anything_is_read(here: Path) -> None:
    (file,) = made(here, 1_000)
    read: list[int] = []
    for other in (file, str(Path(file).relative_to(here)), f"{here}/./data/../data/{Path(file).name}"):
        with pytest.raises(ddp.DDPError, match="nano_0"):
            ddp.run(
                "dimuon_charge",
                {"d": [file], "e": [other]},
                executor="iterative",
                progress=lambda done, total: read.append(done),
            )
    assert not any(read)


# -- 17: weights in somebody's processor ---------------------------------------------------------------------------


def events_of(file: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # coffea's, of cross references that generated files lack
        return NanoEventsFactory.from_root({file: "Events"}, schemaclass=NanoAODSchema).events()


def test_weights_of_a_processor(here: Path) -> None:
    (file,) = made(here, 2_000)
    events = events_of(file)
    plan = ddp.load_plan("symmetries")
    weights = Weights(len(events))
    weights.add("sf", np.linspace(0.5, 1.5, len(events)))

    def inclusive(hists: ddp.Histograms) -> list[float]:
        pair = hists["e/mu", "pt_l0 x met", "inclusive"]
        return [float(side.values(flow=True).sum()) for side in (pair.a, pair.b)]

    doubled = inclusive(ddp.fill(events, plan, weight=np.full(len(events), 2.0)))
    plain = inclusive(ddp.fill(events, plan))
    assert doubled == [2 * number for number in plain]
    assert inclusive(ddp.fill(events, plan, weight=weights.weight())) != plain
    for wrong in (np.nan, np.inf):
        with pytest.raises(ddp.DDPError, match="weight"):
            ddp.fill(events, plan, weight=np.where(np.arange(len(events)) == 7, wrong, 1.0))


def test_equal_weights_however_large_give_the_same_z(here: Path) -> None:
    (file,) = made(here, 2_000)
    events = events_of(file)
    plan = ddp.load_plan("symmetries")
    best = [
        ddp.scan(ddp.fill(events, plan, weight=np.full(len(events), weight)), toys=0).best().z_local
        for weight in (1.0, 3e7)
    ]
    assert best[0] == pytest.approx(best[1], rel=1e-6)
