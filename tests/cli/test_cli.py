"""The command line, as a user meets it: exit codes, stdout for data, no tracebacks."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from console import invoke

from coffea_ddp import testing
from coffea_ddp.cli import main

EVENTS = 2_000


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    testing.make_dataset(folder, files=2, events=EVENTS, seed=6)
    return folder


@pytest.fixture(scope="module")
def hists(data: Path) -> Path:
    path = data / "hists.ddp"
    with pytest.raises(SystemExit):
        main(["run", "symmetries", str(data / "*.root"), "-o", str(path), "--executor", "iterative"])
    return path


def test_run_writes_one_file_and_says_so(capfd: pytest.CaptureFixture[str], data: Path, tmp_path: Path) -> None:
    target = tmp_path / "h.ddp"
    code, out, err = invoke(capfd, "run", "symmetries", data / "*.root", "-o", target, "--workers", 1)
    assert (code, out) == (0, "")
    assert f"wrote {target}" in err
    assert "events/s" in err
    assert [path.name for path in tmp_path.iterdir()] == ["h.ddp"]


def test_scan_prints_a_ranked_table(capfd: pytest.CaptureFixture[str], hists: Path, tmp_path: Path) -> None:
    report, table = tmp_path / "r.json", tmp_path / "r.csv"
    code, out, err = invoke(capfd, "scan", hists, "-o", report, "--csv", table, "--top", 5)
    assert code == 0
    assert "symmetry" in out
    assert "e/mu" in out
    assert f"wrote {report}" in err
    saved = json.loads(report.read_text())
    assert (saved["format"], saved["version"], saved["plan"]) == ("coffea-ddp/report", 1, "symmetries")
    ranked = [row["p_global"] for row in saved["rows"] if row["rank"] is not None]
    assert ranked == sorted(ranked)
    with table.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(saved["rows"])


def test_merge_equals_one_run(capfd: pytest.CaptureFixture[str], data: Path, hists: Path, tmp_path: Path) -> None:
    from coffea_ddp import load

    for i in (0, 1):
        code, _, _ = invoke(
            capfd, "run", "symmetries", data / f"nano_{i}.root", "-o", tmp_path / f"{i}.ddp", "--executor", "iterative"
        )
        assert code == 0
    merged = tmp_path / "all.ddp"
    assert invoke(capfd, "merge", tmp_path / "0.ddp", tmp_path / "1.ddp", "-o", merged)[0] == 0
    assert load(merged) == load(hists)
    code, _, err = invoke(capfd, "merge", tmp_path / "0.ddp", merged, "-o", tmp_path / "twice.ddp")
    assert code == 1
    assert "counted before" in err
    assert not (tmp_path / "twice.ddp").exists()


def test_validate_tells_what_fits(capfd: pytest.CaptureFixture[str], data: Path, tmp_path: Path) -> None:
    code, out, err = invoke(capfd, "validate", "symmetries", data / "*.root", "--events", 500)
    assert code == 0
    assert "Electron_mvaFall17V2Iso_WP90" in out or "Electron_mvaIso_WP90" in out
    assert "emu/mue OS" in out
    assert "without any event" in out
    lacking = testing.make_nanoaod(tmp_path / "lacking.root", events=50, drop=["Tau_pt"])
    code, _, err = invoke(capfd, "validate", "symmetries", data / "nano_0.root", lacking)
    assert code == 1
    assert "lacking.root" in err
    assert "Tau_pt" in err


def test_skipping_ends_with_2_and_says_partial_everywhere(
    capfd: pytest.CaptureFixture[str], data: Path, tmp_path: Path
) -> None:
    bad = testing.make_not_root(tmp_path / "bad.root")
    target = tmp_path / "h.ddp"
    arguments = ("run", "symmetries", data / "nano_0.root", bad, "-o", target, "--executor", "iterative")
    code, _, err = invoke(capfd, *arguments)
    assert code == 1
    assert "bad.root" in err
    assert not target.exists()
    code, _, err = invoke(capfd, *arguments, "--skip-bad-files")
    assert code == 2
    assert "PARTIAL" in err
    assert "bad.root" in err
    code, out, err = invoke(capfd, "scan", target, "-o", tmp_path / "r.json")
    assert code == 2
    assert "PARTIAL" in out
    assert "bad.root" in err
    assert json.loads((tmp_path / "r.json").read_text())["inputs"]["partial"] is True


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Usage"),
        (("run",), "Missing argument"),
        (("run", "symmetries", "a.root"), "Missing option '-o'"),
        (("run", "symmetries", "absent.root", "-o", "h.ddp"), "no such file: absent.root"),
        (("run", "absent.py", "absent.root", "-o", "h.ddp"), "absent.py: no such file"),
        (("run", "symmetries", "a.root", "-o", "nowhere/h.ddp"), "nowhere"),
        (("run", "symmetries", "a.root", "-o", "h.ddp", "--workers", "0"), "--workers"),
        (("run", "symmetries", "{data}/nano_0.root", "-o", "h.ddp", "--executor", "pbs"), "iterative, futures, dask"),
        (
            ("run", "symmetries", "{data}/nano_0.root", "-o", "h.ddp", "--tree", "Evnts"),
            "no tree 'Evnts'; it has: Events",
        ),
        (("scan", "absent.ddp"), "absent.ddp: no such file"),
        (("scan", "{data}/nano_0.root"), "not a coffea-ddp output"),
        (("scan", "{hists}", "--tests", "nsigna"), "nsigna"),
        (("scan", "{hists}", "-o", "nowhere/r.json"), "nowhere"),
        (("merge", "-o", "h.ddp"), "Missing argument"),
        (("frobnicate",), "No such command"),
    ],
)
def test_wrong_input_ends_with_1_and_tells_the_way_out(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    data: Path,
    hists: Path,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = invoke(capfd, *(a.format(data=data, hists=hists) for a in arguments))
    assert message in out + err
    assert code == (2 if "Usage:" in err else 1)  # what cannot be read, as of any command of Unix


def test_validate_shows_spectra(capfd: pytest.CaptureFixture[str], data: Path) -> None:
    code, out, _ = invoke(capfd, "validate", "resonances", data / "nano_0.root", "--events", 500)
    assert code == 0
    assert "mass spectra of the first" in out
    assert "of 333 without any" in out
    assert "sides in" not in out
    # A bin of an axis is not empty because no symmetry has events in it.
    assert not re.search(r"mu\W+0, 1, 2, 3\+", out)


@pytest.mark.parametrize("command", ["run", "scan", "merge", "validate", "demo"])
def test_help_has_examples(capfd: pytest.CaptureFixture[str], command: str) -> None:
    code, out, _ = invoke(capfd, command, "--help")
    assert code == 0
    assert out.count(f"coffea-ddp {command}") >= 2


def test_demo_finds_what_it_hid(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What `make demo` does: the hidden symmetry and cell lead the table."""
    from coffea_ddp.demo import HIDDEN

    folder = tmp_path / "demo"
    code, out, err = invoke(capfd, "demo", "-o", folder, "--workers", 1, "--no-report")
    assert code == 0
    assert f"symmetry {HIDDEN[0]!r}, cell {HIDDEN[1]!r}" in err
    top = json.loads((folder / "report.json").read_text())["rows"][0]
    assert (top["symmetry"], top["cell"]) == HIDDEN
    # 1,000 pseudo-experiments are made unless told otherwise: none reaches it.
    assert (top["n_ge"], top["n"]) == (0, 1_000)
    assert top["z_local"] > 7
    assert top["p_tail_high"] < 1e-7
    assert out.index(HIDDEN[0]) < out.index("forward/backward")


def test_an_interrupted_run_goes_on(capfd: pytest.CaptureFixture[str], data: Path, hists: Path, tmp_path: Path) -> None:
    """Killed in the middle, the finished chunks are there; `--resume` gives what an undisturbed run gives."""
    from coffea_ddp import load

    target = tmp_path / "h.ddp"
    code = (
        "import os, coffea_ddp as ddp\n"
        "ddp.run('symmetries', {!r}, checkpoint={!r}, progress=lambda done, total: os._exit(9) if done else None)"
    ).format(str(data / "nano_*.root"), f"{target}.parts")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert len(list(Path(f"{target}.parts").rglob("*.ddp"))) == 1
    done, _, err = invoke(
        capfd, "-v", "run", "symmetries", data / "nano_*.root", "-o", target, "--resume", "--executor", "iterative"
    )
    assert done == 0
    assert load(target) == load(hists)
    assert "1 of 2 chunks" in err
    assert not Path(f"{target}.parts").exists()


def test_it_is_installed_as_a_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "coffea_ddp", "--version"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.startswith("coffea-ddp 0.")


def test_scan_with_pseudo_experiments(
    capfd: pytest.CaptureFixture[str], hists: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coffea_ddp.running.progress._SHORT", 0.0)  # it may take less time than is told
    report = tmp_path / "r.json"
    options = (
        "--tests",
        "nsigma,submatrix",
        "--toys",
        24,
        "--seed",
        5,
        "--symmetry",
        "e/mu",
        "--min-events",
        100,
    )
    code, out, err = invoke(capfd, "scan", hists, "-o", report, *options, "--jobs", 2)
    assert code == 0
    for text in ("the best regions of every symmetry", "p local", "p global", "whole report, min-p", "24 + 1"):
        assert text in out
    assert "scanning" in err
    saved = json.loads(report.read_text())
    assert saved["options"]["toys"] == 24
    assert saved["global_p"]
    assert all(row["p_global"] >= 1 / 25 for row in saved["rows"])
    assert any(row["region"] for row in saved["rows"])
    invoke(capfd, "scan", hists, "-o", tmp_path / "again.json", *options, "--jobs", 1)
    assert (tmp_path / "again.json").read_text() == report.read_text()


def test_scan_of_events(capfd: pytest.CaptureFixture[str], hists: Path, tmp_path: Path) -> None:
    options = (
        "--tests",
        "nsigma,nplm,classifier",
        "--toys",
        64,
        "--symmetry",
        "e/mu",
        "--min-events",
        100,
    )
    code, out, err = invoke(capfd, "scan", hists, "-o", tmp_path / "r.json", *options, "--fits", 1)
    assert code == 0, err
    for text in ("the best of every test", "whole report, max classifier", "nplm: NPLM of shapes", "all features"):
        assert text in out
    rows = json.loads((tmp_path / "r.json").read_text())["rows"]
    assert {row["test"] for row in rows} == {"nsigma", "nplm", "classifier"}
    assert all(row["n_dropped"] >= 0 for row in rows if row["test"] != "nsigma")


def test_scan_with_and_without_what_is_known(capfd: pytest.CaptureFixture[str], hists: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "r.npy", np.full(28, 0.9))
    options = ("--symmetry", "e/mu", "--observable", "dphi_l0_met", "--min-events", 100, "--top", 2)
    for more in (
        ("--kappa", "global", "--toys", 64),
        ("--kappa", "1.1", "--kappa-error", 0.05),
        ("--systematic", 0.02),
        ("--kappa", "e/mu=1.1", "--kappa-error", "e/mu=0.05", "--systematic", "e/mu=0.01"),
        ("--correction", f"dphi_l0_met={tmp_path / 'r.npy'}"),
        ("--correction", f"e/mu:dphi_l0_met={tmp_path / 'r.npy'}"),
        ("--correction", tmp_path / "r.npy"),
    ):
        code, out, _ = invoke(capfd, "scan", hists, *options, *more)
        assert code == 0
        assert re.search(r"[+-]\d+\.\d\d \([+-]\d+\.\d\d\)", out), "z without, in brackets"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--kappa", "cells"), "plan, global, cell"),
        (("--kappa", "-1"), "positive"),
        (("--null", "toys"), "toys"),
        (("--toys", "-1"), "toys"),
        (("--kappa", "1.15"), "--kappa 'e/mu=1.15'"),
        (("--kappa", "e/tau=1.15"), "no symmetry 'e/tau'"),
        (("--kappa", "e/mu=1.15", "--kappa", "e/mu=global"), "given twice for 'e/mu'"),
        (("--kappa-error", "some"), "no number"),
        (("--correction", "none.json", "--symmetry", "e/mu"), "no such file"),
        (("--correction", "none.json"), "are scanned"),
        (("--correction", "a", "--correction", "b=c"), "OBSERVABLE=a"),
        (("--symmetry", "e/tau"), "e/tau"),
        (("--tests", "nsigma,bump"), "bump"),
        (("--systematic", "2"), "between 0 and 1"),
        (("--tests", "nplm", "--systematic", "0.02"), "know no corrections or systematic errors"),
        (("--tests", "nplm", "--device", "cuda"), "kernels are fitted on the CPU"),
        (("--fits", "-1"), "fits"),
    ],
)
def test_scan_with_wrong_options(
    capfd: pytest.CaptureFixture[str], hists: Path, options: tuple[str, ...], message: str
) -> None:
    code, _, err = invoke(capfd, "scan", hists, *options)
    assert code == (2 if "Usage:" in err else 1)
    assert message in err
