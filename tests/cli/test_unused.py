"""Options that were given and have no effect are errors: every option of every command, and keywords of the library.

An option without a place in :data:`OPTIONS` fails here.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from console import exit_code
from toys import scan_expecting

from coffea_ddp import Checkpoint, run, testing
from coffea_ddp.calibration.tables import constant
from coffea_ddp.cli import cli
from coffea_ddp.cli.telling import common_options
from coffea_ddp.errors import DDPError, InputError

ALWAYS = "it has an effect whatever the others are"
EXEMPT = "it changes no result"
POLICY = "it says what to do should something happen"

MASSES, SYMMETRIES = "{masses}", "{hists}"

OPTIONS: dict[str, dict[str, str | list[str]]] = {
    "demo": dict.fromkeys(("output", "events", "seed", "workers", "top", "pages"), ALWAYS),
    "validate": {
        **dict.fromkeys(("events", "tree"), ALWAYS),
        "redirector": ["symmetries|{files}", "--redirector", "root://localhost:9"],
    },
    "calibrate": {
        **dict.fromkeys(("output", "events", "control", "chunksize", "tree", "redirector"), ALWAYS),
        "executor": ["{learn}", "--executor", "futures", "--scheduler", "tcp://127.0.0.1:9"],
        "workers": ["{learn}", "--executor", "iterative", "--workers", "2"],
        "scheduler": ["{learn}", "--executor", "iterative", "--scheduler", "tcp://127.0.0.1:9"],
        "tls_ca_file": ["{learn}", "--tls-ca-file", "x"],
        "tls_cert": ["{learn}", "--scheduler", "tcp://127.0.0.1:9", "--tls-cert", "x"],
        "tls_key": ["{learn}", "--tls-key", "x"],
        "performance_report": ["{learn}", "--performance-report", "{folder}/x.html"],
        "skip_bad_files": POLICY,
    },
    "run": {
        "output": ALWAYS,
        "executor": ["{run}", "--executor", "futures", "--scheduler", "tcp://127.0.0.1:9"],
        "workers": ["{run}", "--executor", "iterative", "--workers", "2"],
        "scheduler": ["{run}", "--executor", "iterative", "--scheduler", "tcp://127.0.0.1:9"],
        "tls_ca_file": ["{run}", "--tls-ca-file", "x"],
        "tls_cert": ["{run}", "--scheduler", "tcp://127.0.0.1:9", "--tls-cert", "x"],
        "tls_key": ["{run}", "--tls-key", "x"],
        "performance_report": ["{run}", "--performance-report", "{folder}/x.html"],
        "chunksize": ALWAYS,
        "tree": ["{run}.tree", "--executor", "iterative", "--tree", "Elsewhere"],
        "timeout": POLICY,
        "retries": POLICY,
        "by_dataset": ALWAYS,
        "deduplicate": POLICY,
        "half": ALWAYS,
        "share": ["{run}", "--share", "0.2"],
        "resume": ["{run}", "--executor", "dask-awkward", "--resume"],
        "skip_bad_files": POLICY,
        "calibration": ["dimuon_charge|{files}|-o|{folder}/again.ddp", "--calibration", "{folder}/calibration.json"],
        "redirector": ["{run}", "--redirector", "root://localhost:9"],
    },
    "merge": {"output": ALWAYS},
    "warm-up": {},
    "scan": {
        "output": ALWAYS,
        "csv_file": ALWAYS,
        "tests": [SYMMETRIES, "--tests", "bump"],
        "min_events": ALWAYS,
        "best": ALWAYS,
        "top": ALWAYS,
        "similar": ALWAYS,
        "null": [SYMMETRIES, "--null", "fixed", "--toys", "0"],
        "toys": ALWAYS,
        "fits": [SYMMETRIES, "--fits", "3"],
        "backend": [SYMMETRIES, "--tests", "nplm", "--fits", "0", "--backend", "network"],
        "device": [SYMMETRIES, "--device", "cuda"],
        "seed": EXEMPT,
        "jobs": EXEMPT,
        "scheduler": [MASSES, "--tests", "bump", "--scheduler", "tcp://127.0.0.1:9"],
        "tls_ca_file": [SYMMETRIES, "--tls-ca-file", "x"],
        "tls_cert": [SYMMETRIES, "--scheduler", "tcp://127.0.0.1:9", "--tls-cert", "x"],
        "tls_key": [SYMMETRIES, "--tls-key", "x"],
        "performance_report": [SYMMETRIES, "--performance-report", "{folder}/x.html"],
        "symmetries": [SYMMETRIES, "--symmetry", "e/tau"],
        "observables": [SYMMETRIES, "--observable", "nothing"],
        "luminosity": [SYMMETRIES, "--luminosity", "59.8"],
        "luminosity_error": [SYMMETRIES, "--luminosity-error", "0.02"],
        "cross_sections": [SYMMETRIES, "--cross-section", "dy=6077"],
        "cross_section_errors": [SYMMETRIES, "--cross-section-error", "0.05"],
        "kappas": [MASSES, "--kappa", "1.1"],
        "kappa_errors": [SYMMETRIES, "--kappa", "global", "--kappa-error", "0.1"],
        "systematics": [SYMMETRIES, "--systematic", "e/tau=0.1"],
        "corrections": [SYMMETRIES, "--correction", "e/mu:dphi_l0_met={folder}/short.npy"],
        "calibrate": [MASSES, "--calibrate"],
        "calibration": [MASSES, "--calibration", "{folder}/calibration.json"],
        "control": [SYMMETRIES, "--control", "inclusive"],
        "leave_out": [SYMMETRIES, "--tests", "nplm", "--leave-out"],
    },
    "report": {
        "hists": ["{report}", "--hists", MASSES, "-o", "{folder}/pages"],
        "output": ALWAYS,
        "leading": ALWAYS,
        "label": ["{report}", "--label", "13 TeV", "-o", "{folder}/pages"],
        "jobs": EXEMPT,
    },
    "confirm": {
        **dict.fromkeys(("output", "rows", "level", "toys", "kappas", "systematics", "corrections"), ALWAYS),
        **dict.fromkeys(("kappa_errors", "calibrate", "calibration"), ALWAYS),
        "seed": EXEMPT,
        "control": ["{report}", "{hists}", "--control", "inclusive"],
    },
    "export": {
        **dict.fromkeys(("row", "hists", "output", "form"), ALWAYS),
        "signal": ["{exported}", "--signal", "{folder}/a.npy"],
        "bins": ["{exported}", "--bins", "one"],
        "kappa_error": ["{exported}", "--kappa-error", "0.1"],
        "systematic": ["{exported}", "--systematic", "0.1"],
    },
    "limits": {
        **dict.fromkeys(("output", "all_cells", "level", "kappas", "kappa_errors", "systematics", "calibrate"), ALWAYS),
        "calibration": ALWAYS,
        "symmetries": [SYMMETRIES, "--symmetry", "e/tau"],
        "signal": [SYMMETRIES, "--signal", "{folder}/a.npy"],
        "observable": [SYMMETRIES, "--observable", "met"],
        "corrections": [SYMMETRIES, "--symmetry", "e/mu", "--correction", "e/mu:dphi_l0_met={folder}/short.npy"],
        "control": [SYMMETRIES, "--control", "inclusive"],
    },
    "events": {
        "output": ALWAYS,
        "row": ALWAYS,
        "plan": ALWAYS,
        "hists": ["{report}", "{files}", "--plan", "symmetries", "--hists", "{hists}"],
        "workers": ["{report}", "--workers", "2"],
    },
    "compare-reports": dict.fromkeys(("output", "top", "similar"), ALWAYS),
    "skim": {"output": ALWAYS, "tree": ALWAYS},
    "spectra": {
        "output": ALWAYS,
        "names": [MASSES, "-o", "{folder}/s.json", "--spectrum", "9mu"],
        "cells": [MASSES, "-o", "{folder}/s.json", "--cell", "mu=99"],
        "min_events": [MASSES, "-o", "{folder}/s.json", "--min-events", "1000000"],
    },
    "compare": {
        "kappa": ALWAYS,
        "kappa_error": ["{folder}/a.npy", "{folder}/a.npy", "--kappa", "totals", "--kappa-error", "0.1"],
        "systematic": ALWAYS,
        "toys": ALWAYS,
        "seed": EXEMPT,
        "alternative": ALWAYS,
        "output": ALWAYS,
    },
    "bump": {
        "output": ALWAYS,
        "csv_file": ALWAYS,
        "names": ["{spectrum}", "--name", "other"],
        "width": ["{spectrum}", "--width", "2", "--resolution", "0.1"],
        "resolution": ["{spectrum}", "--width", "2", "--resolution", "0.1"],
        "masks": ["{spectrum}", "--mask", "5000:6000"],
        "scale": ALWAYS,
        "density": ALWAYS,
        "decimal": ALWAYS,
        "column": ["{spectrum}", "--column", "other"],
        "bins": ["{spectrum}", "--bins", "30"],
        "low": ["{spectrum}", "--low", "3"],
        "high": ["{spectrum}", "--high", "30"],
        "whole": ALWAYS,
        "min_events": ALWAYS,
        "toys": ALWAYS,
        "toys_for": ["{spectrum}", "--toys", "0", "--toys-for", "3"],
        "seed": EXEMPT,
        "weights": ALWAYS,
        "rows": ALWAYS,
    },
    "sensitivity": {
        "z_values": ALWAYS,
        "kind": ALWAYS,
        "kappa": ALWAYS,
        "toys": ALWAYS,
        "seed": EXEMPT,
        "statistic": ALWAYS,
        "symmetry": ["{folder}/a.npy", "{folder}/a.npy", "--symmetry", "e/mu"],
        "observable": ["{folder}/a.npy", "{folder}/a.npy", "--observable", "met"],
        "cell": ["{folder}/a.npy", "{folder}/a.npy", "--cell", "j=1"],
        "output": ALWAYS,
    },
    "train-bump": dict.fromkeys(
        ("output", "seed", "steps", "batch", "workers", "device", "calibration", "folder"), ALWAYS
    ),
}

CASES = [
    (command, option)
    for command, options in OPTIONS.items()
    for option, told in options.items()
    if isinstance(told, list)
]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("unused")
    testing.make_dataset(folder, files=1, events=2_000, seed=6)
    files = str(folder / "*.root")
    for plan, name in (("symmetries", "hists.ddp"), ("dimuon_masses", "masses.ddp")):
        assert exit_code("run", plan, files, "-o", folder / name, "--executor", "iterative") == 0
    assert exit_code("scan", folder / "hists.ddp", "-o", folder / "report.json", "--observable", "met") in (0, 1)
    if not (folder / "report.json").exists():
        assert exit_code("scan", folder / "hists.ddp", "-o", folder / "report.json") == 0
    (folder / "calibration.json").write_text(constant(0.1))
    np.save(folder / "short.npy", np.ones(3))
    np.save(folder / "a.npy", np.full((3, 3), 50))
    low = np.arange(0.0, 80.0)
    counts = np.random.default_rng(1).poisson(2e4 * np.exp(-low / 12))
    table = np.column_stack([low, low + 1, counts])
    np.savetxt(folder / "spectrum.csv", table, delimiter=",", header="low,high,count", comments="", fmt="%g")
    return {
        "folder": str(folder),
        "files": files,
        "hists": str(folder / "hists.ddp"),
        "masses": str(folder / "masses.ddp"),
        "report": str(folder / "report.json"),
        "spectrum": str(folder / "spectrum.csv"),
        "run": f"symmetries|{files}|-o|{folder / 'again.ddp'}",
        "exported": f"{folder / 'report.json'}|--row|1|--hists|{folder / 'hists.ddp'}|-o|{folder}/r.json|--form|uhi",
        "learn": f"symmetries|{files}|-o|{folder / 'learned.json'}",
    }


def outputs(places: dict[str, str]) -> set[str]:
    return {path.name for path in Path(places["folder"]).iterdir() if path.suffix != ".parts"}


def test_every_option_of_every_command_has_a_place():
    common = {one.name for one in common_options()}
    known = {name: {one.name for one in command.params if one.param_type_name == "option"} - common
             for name, command in cli.commands.items()}  # fmt: skip
    assert {name: set(options) for name, options in OPTIONS.items()} == known


@pytest.mark.parametrize(("command", "option"), CASES)
def test_an_option_without_effect_is_an_error(
    capfd: pytest.CaptureFixture[str], places: dict[str, str], command: str, option: str
) -> None:
    before = outputs(places)
    arguments = [part for word in OPTIONS[command][option] for part in word.format(**places).split("|")]
    assert exit_code(command, *arguments) == 1
    err = capfd.readouterr().err
    assert "a bug?" not in err
    flag = max(next(one.opts for one in cli.commands[command].params if one.name == option), key=len)
    words = flag, flag.strip("-").replace("-", "_"), arguments[-1], "histograms of"
    assert any(word in err for word in words)
    assert outputs(places) == before


def test_min_events_are_those_of_cells_and_of_spectra(places: dict[str, str], tmp_path: Path) -> None:
    plan = tmp_path / "both.py"
    plan.write_text(
        "from coffea_ddp import ScanPlan, ScanProcessor, load_plan\n"
        "symmetries, masses = load_plan('dimuon_charge'), load_plan('dimuon_masses')\n"
        "plan = ScanPlan('both', symmetries=symmetries.symmetries, spectra=masses.spectra[:1],\n"
        "                cells=symmetries.cells, objects=symmetries.objects)\n"
        "processor = ScanProcessor(plan)\n"
    )
    both, report = tmp_path / "both.ddp", tmp_path / "report.json"
    assert exit_code("run", plan, places["files"], "-o", both, "--executor", "iterative") == 0
    for given, cells, spectra in (((), 20, 100), (("--min-events", 40), 40, 40)):
        for hists, tests in ((both, ()), (both, ("--tests", "nsigma,bump")), (places["masses"], ("--tests", "bump"))):
            assert exit_code("scan", hists, "-o", report, "--toys", 0, *tests, *given) == 0
            options = json.loads(report.read_text())["options"]
            assert options["bump"]["min_events"] == spectra
            assert options["min_events"] == (cells if hists == both else options["min_events"])


def test_defaults_without_effect_are_silent(places: dict[str, str], tmp_path: Path) -> None:
    """Few events, since all 1,000 pseudo-experiments of all cells are made."""
    few = testing.make_nanoaod(tmp_path / "few.root", events=80, seed=6)
    assert exit_code("run", "symmetries", few, "-o", tmp_path / "few.ddp", "--executor", "iterative") == 0
    for arguments in ((places["masses"],), (tmp_path / "few.ddp",), (tmp_path / "few.ddp", "--tests", "submatrix")):
        assert exit_code("scan", *arguments) == 0


@pytest.mark.parametrize(
    ("tests", "options", "message"),
    [
        (["nsigma"], {"null": "fixed"}, "null='fixed'"),
        (["nsigma"], {"symmetries": ["e/mu"], "observables": ["nothing"]}, "nothing"),
        (["nsigma"], {"symmetries": ["e/tau"]}, "e/tau"),
        (["bump"], {}, "no mass spectra"),
        (["nplm"], {"kappa_error": 0.1}, "kappa_error has no effect on nplm"),
    ],
)
def test_keywords_of_a_scan_without_effect_are_errors(places, tests, options, message):
    from coffea_ddp import load

    with pytest.raises(DDPError, match=message):
        scan_expecting(load(places["hists"]), tests, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"kappa": 1.1}, {"kappa": {"e/mu": 1.1}}, {"kappa_error": 0.1}, {"systematic": 0.1}, {"correction": np.ones(3)},
        {"symmetries": ["e/mu"]}, {"observables": ["met"]}, {"null": "fixed"},
    ],
)  # fmt: skip
def test_what_is_said_of_symmetries_needs_one(places, options):
    from coffea_ddp import load

    with pytest.raises(DDPError):
        scan_expecting(load(places["masses"]), **options)


def test_nothing_to_go_on_from(places):
    with pytest.raises(InputError, match="to go on from"):
        run("symmetries", f"{places['folder']}/*.root", checkpoint=Checkpoint(f"{places['folder']}/none", resume=True))
