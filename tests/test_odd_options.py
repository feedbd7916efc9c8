"""Public functions on outputs and reports, given for one argument what it is not: taken, or an error of ours.

Arrays and the functions of ``stats`` are in ``stats/test_odd_input.py``; other people's files in ``test_given.py``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hist
import numpy as np
import pytest

import coffea_ddp as ddp
from coffea_ddp import testing
from coffea_ddp.errors import DDPError
from coffea_ddp.running.validating import validate

ODD: tuple[Any, ...] = (
    None, True, 0, -1, 3, 2.5, float("nan"), 1e300, "", "x", "a\0b", b"x", (), [3], ["x"], [None], {}, {"x": 1},
    {3: None}, np.zeros(2), object(),
)  # fmt: skip
"""Nothing that can be called is among these: it may be right where a function is asked for."""


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Callable[..., Any], dict[str, Any]]]:
    """Return functions, each with the arguments of a call that works."""
    folder = tmp_path_factory.mktemp("odd")
    events = testing.make_nanoaod(folder / "nano.root", events=300, seed=1)
    plan = ddp.load_plan("dimuon_charge")
    hists = ddp.run(plan, events)
    half, other = (ddp.run(plan.half(which), events) for which in "ab")
    report = ddp.scan(half, min_events=1, toys=0)
    contents = hist.Hist(hist.axis.Regular(40, 50.0, 250.0, name="mass"), storage=hist.storage.Double())
    contents.view()[:] = np.random.default_rng(1).poisson(np.linspace(900, 100, 40))
    spectrum = ddp.MassSpectrum("m", "inclusive", contents)
    chosen = ddp.region_events(report, half, row=1)
    few: dict[str, Any] = {"symmetries": ["mu-/mu+ OS"], "observables": ["m_ll"]}
    return {
        "scan": (ddp.scan, {"hists": hists, "tests": "nsigma", "toys": 3, "min_events": 1, **few}),
        "limits": (ddp.limits, {"hists": hists, "symmetries": few["symmetries"]}),
        "confirm": (ddp.confirm, {"report": report, "hists": other, "rows": [1], "toys": 3}),
        "bump_hunt": (ddp.bump_hunt, {"spectra": spectrum, "toys": 0}),
        "write_report": (ddp.write_report, {"report": report, "folder": folder / "pages", "hists": half, "leading": 1}),
        "merge_files": (ddp.merge_files, {"paths": hists.save(folder / "hists.ddp")}),
        "compare_reports": (ddp.compare_reports, {"before": report, "after": report}),
        "region_events": (ddp.region_events, {"report": report, "hists": half, "row": 1}),
        "export_region": (ddp.export_region, {"report": report, "row": 1, "hists": half}),
        "write_region": (
            ddp.write_region, {"path": folder / "region.json", "report": report, "row": 1, "hists": half},
        ),
        "sample_pair": (ddp.sample_pair, {"hists": hists, "symmetry": "mu-/mu+ OS", "cell": "inclusive"}),
        "read_pair": (
            ddp.read_pair, {"path": folder / "hists.ddp", "symmetry": "mu-/mu+ OS", "observable": "m_ll"},
        ),
        "symmetry_table": (ddp.symmetry_table, {"report": report}),
        "state_table": (ddp.state_table, {"report": report}),
        "run": (ddp.run, {"plan": plan, "fileset": events}),
        "validate": (validate, {"plan": plan, "fileset": events}),
        "load": (ddp.load, {"path": folder / "hists.ddp"}),
        "run_by_dataset": (ddp.run_by_dataset, {"plan": plan, "fileset": {"a": [str(events)]}}),
        "skim": (ddp.skim, {"events": chosen, "fileset": events, "folder": folder / "skims"}),
        "select_events": (ddp.select_events, {"report": report, "plan": plan, "fileset": events, "row": 1}),
        "save": (hists.save, {"path": folder / "saved.ddp"}),
        "cell": (lambda symmetry, observable, cell: hists[symmetry, observable, cell],
                 {"symmetry": "mu-/mu+ OS", "observable": "m_ll", "cell": "inclusive"}),
        "to_csv": (report.to_csv, {"path": folder / "rows.csv"}),
        "load_plan": (ddp.load_plan, {"plan": "dimuon_charge"}),
        "read_spectra": (ddp.read_spectra, {"path": ddp.write_spectra([spectrum], folder / "masses.csv")}),
        "to_spectrum": (ddp.to_spectrum, {"histogram": contents, "name": "m"}),
        "write_spectra": (ddp.write_spectra, {"spectra": [spectrum], "path": folder / "other.json"}),
    }  # fmt: skip


NAMES = (
    "scan", "limits", "confirm", "bump_hunt", "write_report", "merge_files", "compare_reports", "region_events",
    "export_region", "write_region", "sample_pair", "read_pair", "symmetry_table", "state_table", "run", "validate",
    "load", "load_plan", "run_by_dataset", "skim", "select_events",
    "save", "cell", "to_csv", "read_spectra", "to_spectrum", "write_spectra",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_given_for_one_argument_is_taken_or_an_error_of_ours(
    name: str,
    calls: dict[str, tuple[Callable[..., Any], dict[str, Any]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    function, valid = calls[name]
    assert function(**valid) is not None
    others = []
    arguments = [one.name for one in inspect.signature(function).parameters.values() if one.kind != one.VAR_KEYWORD]
    for argument in arguments:
        for odd in ODD:
            try:
                function(**valid | {argument: odd})
            except DDPError as error:
                others += [f"{argument}={odd!r:.30}: {error}"] if len(str(error)) < 15 else []
            except Exception as error:  # noqa: BLE001 (what is looked for)
                others.append(f"{argument}={odd!r:.30}: {type(error).__name__}: {str(error)[:100]}")
    assert not others, "\n".join(others)
