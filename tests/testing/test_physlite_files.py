"""PHYSLITE-shaped files: names, reproducibility, and options that cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from coffea_ddp import testing
from coffea_ddp.errors import FileError, InputError


def arrays(path: Path, tree: str) -> dict[str, Any]:
    """Return all branches of a file by the names of a TTree."""
    with uproot.open(path) as file:
        found = file[tree]
        if tree == "EventData":
            return {field.name.replace(":", "."): field.array().tolist() for field in found.fields}
        return {name: found[name].array().tolist() for name in found.keys()}  # noqa: SIM118 (uproot's, not a dict)


def test_a_seed_gives_the_same_events_in_both_containers(tmp_path: Path) -> None:
    options: dict[str, Any] = {"events": 60, "seed": 5, "cluster": 25}
    tree = arrays(testing.make_physlite(tmp_path / "a.root", **options), "CollectionTree")
    again = arrays(testing.make_physlite(tmp_path / "b.root", **options), "CollectionTree")
    assert tree == again
    ntuple = arrays(testing.make_physlite(tmp_path / "c.root", container="rntuple", **options), "EventData")
    link = "AnalysisJetsAuxDyn.btaggingLink"
    links = [[one["m_persIndex"] for one in event] for event in ntuple.pop(link)]
    assert links == tree[f"{link}.m_persIndex"]
    assert all(sorted(one) == list(range(len(one))) for one in links)
    assert ntuple == {name: tree[name] for name in ntuple}
    other = testing.make_physlite(tmp_path / "d.root", events=60, seed=6)
    assert arrays(other, "CollectionTree")["AnalysisJetsAuxDyn.pt"] != tree["AnalysisJetsAuxDyn.pt"]


@pytest.mark.parametrize(
    ("release", "names"),
    [
        (21, ("AnalysisJetsAuxDyn.Jvt", "BTagging_AntiKt4EMPFlowAuxDyn.MV2c10_discriminant")),
        (22, ("AnalysisTauJetsAuxDyn.JetDeepSetMedium", "BTagging_AntiKt4EMPFlowAuxDyn.DL1dv01_pb")),
        (25, ("AnalysisTauJetsAuxDyn.GNTauM_v0prune", "BTagging_AntiKt4EMPFlowAuxDyn.GN2v01_ptau")),
    ],
)
def test_releases_have_their_names(tmp_path: Path, release: int, names: tuple[str, ...]) -> None:
    found = arrays(testing.make_physlite(tmp_path / "a.root", events=30, release=release), "CollectionTree")
    assert set(names) <= set(found)
    assert "EventInfoAuxDyn.mcEventWeights" not in found
    pt = np.array([one for event in found["AnalysisJetsAuxDyn.pt"] for one in event])
    assert pt.min() > 1_000.0  # MeV


def test_a_signal_is_where_it_was_asked_for(tmp_path: Path) -> None:
    hidden = [testing.Resonance(40, 600.0, 3.0)]
    found = arrays(testing.make_physlite(tmp_path / "a.root", events=200, signals=hidden), "CollectionTree")
    assert sum(max(event, default=0.0) > 200e3 for event in found["AnalysisMuonsAuxDyn.pt"]) > 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"release": 23}, "release=23: known are 21, 22, 25"),
        ({"container": "tree"}, "container='tree'"),
        ({"compression": "rar"}, "compression='rar'"),
        ({"events": -1}, "events=-1"),
        ({"cluster": 0}, "cluster=0"),
        ({"drop": ["AnalysisMoun"]}, r"drop=\['AnalysisMoun'\]: there is no such branch or container"),
        ({"events": 3, "signals": [testing.Resonance(4, 600.0, 3.0)]}, "do not fit"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        testing.make_physlite(tmp_path / "a.root", **options)
    assert not (tmp_path / "a.root").exists()


def test_files_of_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "mine.root"
    path.write_bytes(b"mine")
    with pytest.raises(FileError):
        testing.make_physlite(path, events=5)
    assert path.read_bytes() == b"mine"
    for container in ("ttree", "rntuple", "ttree"):
        testing.make_physlite(tmp_path / "ours.root", events=5, container=container)
