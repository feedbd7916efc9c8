"""Small inputs of people who do this job, on which the package once failed: what :mod:`test_cases` runs on.

Each function writes its files into the current folder. Where the cases are at hand as they were collected, beside the
project, those scripts make the files instead.
"""

from __future__ import annotations

import gzip
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import awkward as ak
import hist
import numpy as np
import uproot

from coffea_ddp import testing

HANDED = Path(__file__).resolve().parents[2] / "shared" / "cases"


def make(case: str, script: str = "make.py") -> None:
    """Write the input of a case into the current folder: by the script as it was collected, else by our own copy."""
    handed = HANDED / case / script
    if not handed.exists():
        OWN[case]()
        return
    subprocess.run([sys.executable, str(handed)], check=True, stdout=subprocess.DEVNULL)  # it leaves files open


def one_bad_histogram() -> None:
    """Write a good mass spectrum beside an efficiency with a NaN and a cutflow with labels, into one ROOT file."""
    rng = np.random.default_rng(1)
    spectrum = hist.new.Reg(100, 0, 100, name="mass").Double()
    spectrum.fill(np.r_[rng.exponential(30, 50_000), rng.normal(50, 1, 600)])
    efficiency = hist.new.Reg(10, 0, 10).Double()
    efficiency.view()[:] = [np.nan, *[0.9] * 9]
    cutflow = hist.new.StrCat(["all", "trigger", "2 e"]).Double()
    cutflow.view()[:] = (5e6, 1e6, 1e5)
    with uproot.recreate("mixed.root") as file:
        file["m_ee"], file["eff"], file["cutflow"] = spectrum, efficiency, cutflow


def centres_and_counts() -> None:
    """Write a spectrum with a resonance at 91 as centres and counts, under the headers mass,count and x,count."""
    rng = np.random.default_rng(1)
    masses = np.r_[60 + rng.exponential(30, 100_000), rng.normal(91, 2, 2_000)]
    counts, edges = np.histogram(masses, 120, (60, 120))
    rows = np.column_stack([0.5 * (edges[1:] + edges[:-1]), counts])
    for name in ("mass", "x"):
        np.savetxt(f"{name}.csv", rows, delimiter=",", header=f"{name},count", comments="", fmt="%g")


def densities() -> None:
    """Write one spectrum in the forms in which papers publish it: counts, per GeV, pb per TeV (also with variances)."""
    rng = np.random.default_rng(3)
    edges = np.round(1000 * np.exp(np.arange(45) * 0.045))
    counts = np.histogram(np.r_[1000 + rng.exponential(300, 1_000_000), rng.normal(2000, 40, 2_500)], edges)[0]
    widths, per_event = np.diff(edges), 1000 / 137e3
    forms = {
        "counts": counts.astype(float),
        "per_gev": counts / widths,
        "pb_per_tev": counts / widths * per_event,
        "pb_per_tev_with_errors": counts / widths * per_event,
        "scaled_counts": counts * 1e-3,
    }
    for name, values in forms.items():
        columns = [edges[:-1], edges[1:], values]
        header = "low,high,count"
        if name.endswith("errors"):
            columns.append(counts * (per_event / widths) ** 2)
            header += ",variance"
        np.savetxt(f"{name}.csv", np.column_stack(columns), delimiter=",", header=header, comments="", fmt="%.8g")


def hepdata() -> None:
    """Write the three text forms in which HEPData gives a table of 61 bins of counts."""
    rng = np.random.default_rng(1)
    edges = np.arange(1000, 4050, 50.0)
    counts = np.histogram(1000 + rng.exponential(400, 100_000), edges)[0].tolist()
    bins = [{"low": float(low), "high": float(high)} for low, high in itertools.pairwise(edges)]
    lines = ["#: name: Figure 1", "#: data_file: figure1.yaml"]
    lines.append('"M [GeV]","M [GeV] LOW","M [GeV] HIGH","Events","stat +","stat -"')
    for one, count in zip(bins, counts, strict=True):
        middle, error = (one["low"] + one["high"]) / 2, count**0.5
        lines.append(f"{middle:g},{one['low']:g},{one['high']:g},{count},{error:.4g},-{error:.4g}")
    Path("table.csv").write_text("\n".join(lines) + "\n")
    values = [{"value": n, "errors": [{"symerror": n**0.5, "label": "stat"}]} for n in counts]
    table = {
        "independent_variables": [{"header": {"name": "M", "units": "GeV"}, "values": bins}],
        "dependent_variables": [{"header": {"name": "Events"}, "values": values}],
    }
    Path("table.json").write_text(json.dumps(table))
    text = "dependent_variables:\n- header: {name: Events}\n  values:\n"
    text += "".join(f"  - {{value: {n}}}\n" for n in counts)
    text += "independent_variables:\n- header: {name: M, units: GeV}\n  values:\n"
    text += "".join(f"  - {{low: {one['low']}, high: {one['high']}}}\n" for one in bins)
    Path("table.yaml").write_text(text)


def fileset_dialects() -> None:
    """Write filesets in the dialects of public frameworks, all over the same two files of 1,000 events each."""
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


OWN = {
    "04-one-bad-histogram": one_bad_histogram,
    "05-mass-count": centres_and_counts,
    "06-density": densities,
    "07-hepdata": hepdata,
    "09-fileset-dialects": fileset_dialects,
}


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
