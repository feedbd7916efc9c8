"""The way of a calibration on the command line: learned, given to the pass, scanned."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from console import invoke

from coffea_ddp import testing
from coffea_ddp.cli import main


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    testing.make_dataset(folder, files=2, events=6_000, seed=6, detector=testing.Detector.realistic())
    return folder


@pytest.fixture(scope="module")
def calibration(data: Path) -> Path:
    path = data / "calibration.json"
    with pytest.raises(SystemExit):
        main(["calibrate", "symmetries", str(data / "*.root"), "-o", str(path), "--executor", "iterative"])
    return path


def test_the_way(capfd: pytest.CaptureFixture[str], data: Path, calibration: Path, tmp_path: Path) -> None:
    hists, report = tmp_path / "hists.ddp", tmp_path / "report.json"
    run = ("run", "symmetries", data / "*.root", "-o", hists, "--executor", "iterative", "--calibration", calibration)
    assert invoke(capfd, *run)[0] == 0
    code, out, _ = invoke(capfd, "scan", hists, "-o", report, "--symmetry", "e/mu", "--toys", 50)
    assert code == 0
    assert "e/mu" in out
    told = json.loads(report.read_text())["inputs"]["calibration"]
    assert told["n_events"] > 1000
    assert {"variable", "chi2", "chi2_before", "n_bins", "p_value"} == set(told["closure"][0])


def test_it_tells_what_closes(capfd: pytest.CaptureFixture[str], data: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    code, out, err = invoke(
        capfd, "calibrate", "symmetries", data / "*.root", "-o", path, "--control", "tau=0", "--events", 1000,
        "--executor", "iterative",
    )  # fmt: skip
    assert code == 0
    assert "pT of the leading lepton" in out
    assert "fitted 1,000 events of the cell 'tau=0'" in err
    assert json.loads(path.read_text())["corrections"][0]["name"] == "log_ratio"


def test_the_stored_events_are_enough(capfd: pytest.CaptureFixture[str], data: Path, tmp_path: Path) -> None:
    hists = tmp_path / "hists.ddp"
    assert invoke(capfd, "run", "symmetries", data / "*.root", "-o", hists, "--executor", "iterative")[0] == 0
    code, out, _ = invoke(capfd, "scan", hists, "--calibrate", "--symmetry", "e/mu", "--toys", 20)
    assert (code, "e/mu" in out) == (0, True)
    code, _, err = invoke(capfd, "scan", hists, "--calibrate", "--calibration", "x.json")
    assert code == 1
    assert "give one of both" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["calibrate", "dimuon_charge", "{data}", "-o", "{out}"], "no symmetry exchanges flavours"),
        (["calibrate", "symmetries", "{data}", "-o", "{out}", "--executor", "dask-awkward"], "the executors are"),
        (["calibrate", "symmetries", "{data}", "-o", "{data}"], "root"),
        (["run", "symmetries", "{data}", "-o", "{out}", "--calibration", "nowhere.json"], "no such file"),
        (["run", "symmetries", "{data}", "-o", "{out}", "--calibration", "{data}"], "calibration"),
        (["run", "dimuon_charge", "{data}", "-o", "{out}", "--calibration", "{calibration}"], "it has no effect"),
    ],
)
def test_wrong_input(
    arguments: list[str], told: str, capfd: pytest.CaptureFixture[str], data: Path, calibration: Path, tmp_path: Path
) -> None:
    places = {"data": sorted(data.glob("*.root"))[0], "out": tmp_path / "out", "calibration": calibration}
    code, _, err = invoke(capfd, *(argument.format(**places) for argument in arguments))
    assert code == 1
    assert told in err
    assert not (tmp_path / "out").exists()
