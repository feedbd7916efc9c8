"""Filesets of public frameworks, and events as other productions write them: inputs of :mod:`test_cases`."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import awkward as ak
import uproot

from coffea_ddp import testing

COLLECTED = Path(__file__).resolve().parents[3] / "shared" / "cases" / "09-fileset-dialects" / "make.py"


def fileset_dialects() -> None:
    """Write filesets in the dialects of public frameworks, all over the same two files of 1,000 events each.

    They go into the current folder: by the script as it was collected, where it is at hand beside the project.
    """
    if COLLECTED.exists():
        # A process of its own: the script leaves files open.
        subprocess.run([sys.executable, str(COLLECTED)], check=True, stdout=subprocess.DEVNULL)
        return
    testing.make_dataset("data", files=2, events=2_000, seed=1)
    a, b = "data/nano_0.root", "data/nano_1.root"

    def told(**about: Any) -> dict[str, Any]:
        return {"d": {"files": {a: {"object_path": "Events", "num_entries": 1000, **about}}}}

    forms: dict[str, Any] = {
        "colon_list": {"d": [f"{a}:Events", f"{b}:Events"]},
        "colon_in_files": {"d": {"files": [f"{a}:Events", f"{b}:Events"]}},
        "glob_colon": {"d": {"files": ["data/*.root:Events"]}},
        "glob_dict": {"d": {"files": {"data/*.root": "Events"}}},
        "none_tree": {"d": {"files": {a: None, b: None}}},
        "agc": {"d": {"nominal": {"nevts_total": 2000, "files": [{"path": f, "nevts": 1000} for f in (a, b)]}}},
        "agc_flat": {"d": {"files": [{"path": f, "nevts": 1000} for f in (a, b)]}},
        "topcoffea": {
            "xsec": 1.0, "year": "2018", "treeName": "Events", "histAxisName": "x", "files": [a, b], "nEvents": 2000,
            "isData": False,
        },
        "one_string": {"d": {"files": a}},
        "steps_triple": told(steps=[[0, 100]], uuid="x"),
        "wrong_uuid": told(steps=[[0, 1000]], uuid="00000000-0000-0000-0000-000000000000"),
        "isMC_string": {
            "d": {"files": [a, b], "metadata": {"isMC": "False", "year": "2018", "sample": "DATA", "lumi_mask": None}}
        },
        "bad_kind": {"d": {"files": [a, b], "metadata": {"kind": "mc"}}},
        "weight_string": {"d": {"files": [a, b], "metadata": {"weight": "0.5"}}},
        "weight_nan": {"d": {"files": [a, b], "metadata": {"weight": float("nan")}}},
        "dup": {"d": {"files": [a, a]}},
        "dup_two_datasets": {"d": {"files": [a]}, "e": {"files": [a]}},
        "abs_and_rel": {"d": {"files": [a, str(Path(a).resolve()), f"./{a}"]}},
    }  # fmt: skip
    for name, form in forms.items():
        Path(f"{name}.json").write_text(json.dumps(form))
    with gzip.open("gz.json.gz", "wt") as file:
        json.dump({"d": [a, b]}, file)


def read_branches(path: str | Path) -> dict[str, Any]:
    """Return all branches of a file of events."""
    with uproot.open(path) as file:
        tree = file["Events"]
        return {name: tree[name].array() for name in tree.keys()}  # noqa: SIM118 (a tree is no mapping)


def write_branches(path: str | Path, branches: dict[str, Any]) -> str:
    """Write branches as another production does: collections with their counters, types as they are given."""
    columns: dict[str, Any] = {}
    collections: dict[str, dict[str, Any]] = {}
    for name, values in branches.items():
        if values.ndim == 2:
            collection, _, field = name.partition("_")
            collections.setdefault(collection, {})[field] = values
        elif not (name.startswith("n") and name[1:2].isupper()):
            columns[name] = values
    columns |= {name: ak.zip(fields) for name, fields in collections.items()}
    with uproot.recreate(path) as file:
        tree = file.mktree(
            "Events",
            {name: values.type for name, values in columns.items()},
            counter_name=lambda counted: f"n{counted}",
            field_name=lambda outer, inner: f"{outer}_{inner}",
        )
        tree.extend(columns)
    return str(path)
