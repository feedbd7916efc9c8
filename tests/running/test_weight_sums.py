"""Sums of generator weights from files, and a run over data and simulation: once a file, whatever the chunks."""

from __future__ import annotations

import json

import numpy as np
import pytest
import uproot

import coffea_ddp as ddp
from coffea_ddp import Comparison, Multiplicity, Reading, ScanPlan, Shift, observable
from coffea_ddp.errors import FileError, InputError, MergeError
from coffea_ddp.histograms.merging import merge_files
from coffea_ddp.plan.observables import m_ll
from coffea_ddp.running.trees import open_root
from coffea_ddp.running.weight_sums import finite_sum
from coffea_ddp.testing import make_nanoaod

N = 1_500


def told_by(path):
    with open_root(str(path)) as file:
        return finite_sum(file, str(path))


def two_leptons(ev):
    return ev.count("lepton") >= 2


def plan() -> ScanPlan:
    comparison = Comparison(observables=(observable(m_ll, bins=12),), variations=(Shift("jets", "Jet_pt", 1.05),))
    return ScanPlan("c", cells=(Multiplicity("j", last=2),), comparisons=(comparison,), selection=two_leptons)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    rng = np.random.default_rng(1)
    make_nanoaod(folder / "data.root", events=N, seed=1)
    make_nanoaod(folder / "z1.root", events=N, seed=2, processes=["Z/gamma* + jets"], weights=2.0)
    make_nanoaod(folder / "z2.root", events=N, seed=3, processes=["Z/gamma* + jets"], weights=2.0, version=6)
    make_nanoaod(folder / "tt.root", events=N, seed=4, weights=rng.choice([-1.0, 1.0], N, p=[0.2, 0.8]))
    return folder


@pytest.fixture
def fileset(files):
    return {
        "data": {"files": {f"{files}/data.root": "Events"}, "metadata": {"kind": "data", "luminosity": 2.0}},
        "z": {
            "files": {f"{files}/z1.root": "Events", f"{files}/z2.root": "Events"},
            "metadata": {"cross_section": 0.3},
        },
        "tt": {"files": {f"{files}/tt.root": "Events"}, "metadata": {"cross_section": 0.2}},
    }


def test_sums_of_both_names(files):
    assert told_by(files / "z1.root") == 2.0 * N
    assert told_by(files / "z2.root") == 2.0 * N
    assert told_by(files / "data.root") is None
    with uproot.open(files / "z2.root") as file:
        assert "genEventSumw_" in file["Runs"].keys()  # noqa: SIM118 - of a tree


def test_a_sum_over_several_runs_and_one_that_cannot_be(tmp_path):
    with uproot.recreate(tmp_path / "runs.root") as file:
        file["Runs"] = {"genEventSumw": np.array([1.5, 2.5])}
    assert told_by(tmp_path / "runs.root") == 4.0
    with uproot.recreate(tmp_path / "nan.root") as file:
        file["Runs"] = {"genEventSumw": np.array([np.nan])}
    with pytest.raises(FileError, match="sum of generator weights in Runs is nan"):
        told_by(tmp_path / "nan.root")


def test_files_count_once_whatever_the_chunks_and_the_executor(fileset, tmp_path):
    whole = ddp.run(plan(), fileset)
    assert whole.samples["z"].sum_of_weights == 4.0 * N
    assert whole.samples["tt"].negative > 0
    assert whole.samples["data"].is_data
    small = ddp.run(plan(), fileset, reading=Reading(chunksize=400))
    assert small == whole
    assert ddp.run(plan(), fileset, executor="futures", workers=2, reading=Reading(chunksize=400)) == whole
    parts = ddp.run_by_dataset(plan(), fileset)
    paths = [one.save(tmp_path / f"{name}.ddp") for name, one in parts.items()]
    assert merge_files(paths) == whole
    a, b = (ddp.run(plan().half(part), fileset) for part in "ab")
    for name in whole.samples:
        both = a.samples[name].counts + b.samples[name].counts
        assert both == whole.samples[name].counts
    first = ddp.scan(whole, toys=64, seed=1)
    assert ddp.scan(small, toys=64, seed=1).rows == first.rows


def test_a_resumed_run_takes_the_cross_sections_of_now(fileset, tmp_path):
    from coffea_ddp import Checkpoint

    folder = tmp_path / "parts"
    first = ddp.run(plan(), fileset, checkpoint=Checkpoint(folder, keep=True))
    fileset["z"]["metadata"]["cross_section"] = 0.6
    again = ddp.run(plan(), fileset, checkpoint=Checkpoint(folder, resume=True))
    assert again.samples["z"].normalisation.cross_section == 0.6
    assert again.samples["z"].counts == first.samples["z"].counts
    assert again.samples["z"].sum_of_weights == 4.0 * N
    with pytest.raises(MergeError, match=r"'z'.*cross_section=0.3.*cross_section=0.6"):
        first.samples["z"].sum([first.samples["z"], again.samples["z"]])


def test_simulation_without_a_sum_is_named_before_anything_is_read(fileset, files):
    fileset["x"] = {"files": {f"{files}/data.root": "Events"}, "metadata": {"kind": "simulation"}}
    del fileset["data"]
    message = r"dataset 'x': \S*data.root does not tell the sum.*genEventSumw or genEventSumw_.*\"sum_of_weights\""
    with pytest.raises(InputError, match=message):
        ddp.run(plan(), fileset)
    fileset["x"]["metadata"]["generator_weight"] = False
    found = ddp.run(plan(), fileset)
    assert found.samples["x"].sum_of_weights == N
    fileset["x"]["metadata"] = {"kind": "simulation", "sum_of_weights": 5.0, "generator_weight": False}
    assert ddp.run(plan(), fileset).samples["x"].sum_of_weights == 5.0


def test_plans_without_comparisons_do_not_ask(fileset, files):
    fileset["x"] = {"files": {f"{files}/data.root": "Events"}, "metadata": {"kind": "simulation"}}
    del fileset["data"]
    assert not ddp.run("dimuon_charge", fileset).samples


def test_validation_has_a_line_for_each_dataset(fileset, tmp_path):
    from coffea_ddp.running.validating import validate

    del fileset["tt"]["metadata"]["cross_section"]
    found = validate(plan(), fileset)
    table = found.tables()[0]
    assert table.row_count == 3
    assert "--cross-section 'tt=NUMBER'" in str(table.caption)
    assert not found.problems
    assert json.dumps(found.empty_bins) == json.dumps({"j": []})
