"""Public functions given a path, another object of ours, or a file of another kind: taken, or told what to do."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hist
import numpy as np
import pytest
from toys import make_layout

import coffea_ddp as ddp
from coffea_ddp import testing
from coffea_ddp.errors import DDPError, FileError, FormatError, InputError

FEW: dict[str, Any] = {"symmetries": ["e/mu"], "observables": ["pt_l0 x met"], "min_events": 100}


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return one of everything: objects, and files by their paths."""
    folder = tmp_path_factory.mktemp("given")
    events = testing.make_nanoaod(folder / "nano.root", events=400, seed=1)
    plan = ddp.load_plan("symmetries")
    hists = ddp.run(plan, events)
    report = ddp.scan(hists, **FEW)
    contents = hist.Hist(hist.axis.Regular(40, 50.0, 250.0, name="mass"), storage=hist.storage.Double())
    contents.view()[:] = np.random.default_rng(1).poisson(np.linspace(900, 100, 40))
    spectrum = ddp.MassSpectrum("m", "inclusive", contents)
    (folder / "text.txt").write_text("nothing of ours\n")
    (folder / "numbers.json").write_text("[1, 2, 3]")
    (folder / "empty").write_bytes(b"")
    np.save(folder / "counts.npy", np.arange(4.0))
    return {
        "plan": plan, "hists": hists, "report": report, "spectrum": spectrum, "events": events,
        "hists path": hists.save(folder / "hists.ddp"), "report path": report.save(folder / "report.json"),
        "text": folder / "text.txt", "json": folder / "numbers.json", "empty": folder / "empty", "folder": folder,
        "array": folder / "counts.npy", "no file": folder / "nothing.ddp", "none": None, "number": 3, "list": [1, 2],
        "words": "", "class": ddp.ScanPlan,
    }  # fmt: skip


def test_paths_are_taken_where_objects_are(ours: dict[str, Any], tmp_path: Path) -> None:
    for path in (ours["hists path"], str(ours["hists path"])):
        assert ddp.scan(path, **FEW) == ours["report"]
        assert len(ddp.sample_pair(path, "e/mu").a) == len(ddp.sample_pair(ours["hists"], "e/mu").a)
        assert ddp.merge_files(path) == ours["hists"]
    for path in (ours["report path"], str(ours["report path"])):
        assert ddp.symmetry_table(path) == ddp.symmetry_table(ours["report"])
        assert ddp.state_table(path) == ddp.state_table(ours["report"])
    few = dataclasses.replace(ours["report"], rows=ours["report"].rows[:1]).save(tmp_path / "few.json")
    assert ddp.write_report(few, tmp_path / "pages", hists=ours["hists path"], leading=0).is_file()


EMPTY = ddp.Histograms.empty(make_layout())
NOTHING = ddp.ScanReport("p", "", 1, {}, 0, ())
TAKES: dict[str, tuple[Callable[..., Any], set[str]]] = {
    "fill": (lambda x: ddp.fill(x, ddp.load_plan("symmetries")), set()),
    "fill, plan": (lambda x: ddp.fill([], x), set()),
    "bump_hunt": (lambda x: ddp.bump_hunt(x, toys=0), {"spectrum"}),
    "calibrate": (ddp.calibrate, {"hists", "hists path"}),
    "Calibration.load": (ddp.Calibration.load, set()),
    "compared_cell": (lambda x: ddp.compared_cell(x, "data/simulation", "m_ll"), set()),
    "confirm": (lambda x: ddp.confirm(x, EMPTY), set()),
    "confirm, hists": (lambda x: ddp.confirm(NOTHING, x), set()),
    "export_region": (lambda x: ddp.export_region(x, 1, EMPTY), set()),
    "export_region, hists": (lambda x: ddp.export_region(NOTHING, 1, x), set()),
    "write_region": (lambda x: ddp.write_region("/dev/null/region.json", x, 1, EMPTY), set()),
    "limits": (ddp.limits, {"hists", "hists path"}),
    "compare_reports": (lambda x: ddp.compare_reports(x, NOTHING), {"report", "report path"}),
    "compare_reports, after": (lambda x: ddp.compare_reports(NOTHING, x), {"report", "report path"}),
    "region_events": (lambda x: ddp.region_events(x, EMPTY), set()),
    "region_events, hists": (lambda x: ddp.region_events(NOTHING, x), set()),
    "select_events": (lambda x: ddp.select_events(x, "symmetries", ()), set()),
    "select_events, plan": (lambda x: ddp.select_events(NOTHING, x, ()), set()),
    "skim": (lambda x: ddp.skim(x, "nowhere.root", "/dev/null/skims"), set()),
    "load": (ddp.load, {"hists path"}),
    "load_plan": (ddp.load_plan, set()),
    "merge_files": (ddp.merge_files, {"hists path"}),
    "merge_files of a list": (lambda x: ddp.merge_files([x]), {"hists path"}),
    "read_pair": (lambda x: ddp.read_pair(x, "e/mu", "events"), {"hists path"}),
    "read_spectra": (ddp.read_spectra, set()),
    "to_spectrum": (ddp.to_spectrum, set()),
    "write_spectra": (lambda x: ddp.write_spectra(x, "/dev/null/spectra.csv"), set()),
    "run": (lambda x: ddp.run(x, "nowhere.root"), set()),
    "run_by_dataset": (lambda x: ddp.run_by_dataset(x, "nowhere.root"), set()),
    "sample_pair": (lambda x: ddp.sample_pair(x, "e/mu"), {"hists", "hists path"}),
    "scan": (lambda x: ddp.scan(x, **FEW), {"hists", "hists path"}),
    "scan, client": (lambda x: ddp.scan(EMPTY, "nsigma", client=x), {"none"}),
    "state_table": (ddp.state_table, {"report", "report path"}),
    "symmetry_table": (ddp.symmetry_table, {"report", "report path"}),
    "write_report": (lambda x: ddp.write_report(x, "/dev/null/report"), set()),
    "ScanReport.load": (ddp.ScanReport.load, {"report path"}),
    "GoodRuns.from_file": (ddp.GoodRuns.from_file, set()),
    "write_report, hists": (
        lambda x: ddp.write_report(ddp.ScanReport("p", "", 1, {}, 0, ()), "/dev/null/report", hists=x),
        set(),
    ),
}


@pytest.mark.parametrize("name", TAKES)
def test_everything_else_is_an_error_that_helps(name: str, ours: dict[str, Any]) -> None:
    function, taken = TAKES[name]
    for what, value in ours.items():
        if what in taken:
            function(value)
            continue
        with pytest.raises(DDPError) as found:
            function(value)
        text = str(found.value)
        assert len(text) > 20, (what, text)
        for codec in ("codec", "utf-8", "Expecting value", "NoneType", "object has no attribute"):
            assert codec not in text or what in ("json", "text", "empty"), (what, text)


def test_no_public_function_is_forgotten() -> None:
    """Those that take nothing of ours but numbers, names and functions are listed here."""
    others = {"all_combinations", "all_systems", "combination", "combined", "fat_systems", "fixed_axis", "observable",
              "resolution_axis", "system"}  # fmt: skip
    functions = {name for name in ddp.__all__ if inspect.isfunction(getattr(ddp, name))}
    assert functions == others | {name for name in TAKES if name.isidentifier()}


def test_files_of_another_kind_say_what_they_are_and_what_reads_them(ours: dict[str, Any]) -> None:
    with pytest.raises(FormatError, match=r"not a coffea-ddp output but a report .*ScanReport.load reads it"):
        ddp.load(ours["report path"])
    with pytest.raises(FormatError, match=r"hists.ddp: not a report but an output .*coffea-ddp scan"):
        ddp.ScanReport.load(ours["hists path"])
    with pytest.raises(FormatError, match="a ROOT file"):
        ddp.load(ours["events"])
    with pytest.raises(InputError, match="scan: got a ScanReport; give Histograms"):
        ddp.scan(ours["report"], toys=0)
    with pytest.raises(InputError, match="symmetry_table: got a Histograms"):
        ddp.symmetry_table(ours["hists"])
    with pytest.raises(InputError, match=r"hists\[symmetry, observable, cell\]"):
        ddp.read_pair(ours["hists"], "e/mu", "events")
    with pytest.raises(FileError, match="no such file"):
        ddp.scan("nothing.ddp", toys=0)
