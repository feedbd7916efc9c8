"""Manners that all commands share: quiet, verbose, JSON for scripts, no colour, exit codes, nothing left by a failure.

The tests walk over the commands: a new one fails here until it has a line in :data:`WORK`.
"""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from console import exit_code, invoke
from rich.console import Console

from coffea_ddp import testing
from coffea_ddp._stacked_tables import stacked
from coffea_ddp._text_tables import text_table
from coffea_ddp.cli import _go_on, cli
from coffea_ddp.report.report import ScanReport

WORK = {
    "demo": "demo -o {out}/demo --events 1000 --no-report --workers 1",
    "validate": "validate symmetries {data} --events 200",
    "calibrate": "calibrate symmetries {data} -o {out}/c.json --executor iterative --control inclusive",
    "run": "run symmetries {data} -o {out}/h.ddp --executor iterative",
    "merge": "merge {hists} -o {out}/m.ddp",
    "scan": "scan {hists} --toys 20 --jobs 1",
    "report": "report {report} -o {out}/html --leading 1",
    "spectra": "spectra {masses} -o {out}/s.csv",
    "confirm": "confirm {report} {other} --row 1 --toys 50",
    "events": "events {report} --row 1 --hists {hists} -o {out}/e.txt",
    "skim": "skim {list} {data} -o {out}/skims",
    "compare-reports": "compare-reports {report} {report}",
    "export": "export {report} --row 1 --hists {hists} -o {out}/e.json",
    "limits": "limits {hists} --symmetry e/mu",
    "compare": "compare {matrix} {matrix} --toys 20",
    "bump": "bump {table} --toys 0",
    "sensitivity": "sensitivity {matrix} {matrix} --toys 20 --z 0,1",
}
"""A short piece of work of every command."""
SLOW = {"train-bump": "it trains a network", "warm-up": "it compiles everything"}
COLOUR = re.compile(r"\x1b\[[0-9;]*(3[0-9]|4[0-9]|9[0-9])[0-9;]*m")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("inputs")
    data = testing.make_nanoaod(folder / "n.root", events=3000, seed=4)
    assert exit_code("run", "symmetries", data, "-o", folder / "h.ddp", "--executor", "iterative", "-q") == 0
    later = testing.make_nanoaod(folder / "o.root", events=3000, seed=5)
    assert exit_code("run", "symmetries", later, "-o", folder / "o.ddp", "--executor", "iterative", "-q") == 0
    assert exit_code("run", "dimuon_masses", data, "-o", folder / "m.ddp", "--executor", "iterative", "-q") == 0
    assert exit_code("scan", folder / "h.ddp", "-o", folder / "r.json", "--toys", "20", "-q") == 0
    assert exit_code("events", folder / "r.json", "--hists", folder / "h.ddp", "-o", folder / "e.txt", "-q") == 0
    np.save(folder / "a.npy", np.arange(5.0, 17.0).reshape(3, 4))
    counts = np.random.default_rng(3).poisson(900.0 * np.exp(-0.06 * np.arange(40.0)))
    rows = "\n".join(f"{50 + 5 * i},{55 + 5 * i},{count}" for i, count in enumerate(counts))
    (folder / "t.csv").write_text(f"low,high,count\n{rows}\n")
    names = {
        "hists": "h.ddp",
        "other": "o.ddp",
        "list": "e.txt",
        "masses": "m.ddp",
        "report": "r.json",
        "matrix": "a.npy",
        "table": "t.csv",
    }
    return {"data": str(data), **{name: str(folder / file) for name, file in names.items()}}


def work(command: str, inputs: dict[str, str], out: Path, *more: str) -> list[str]:
    return [*WORK[command].format(out=out, **inputs).split(), *more]


def test_every_command_has_a_line() -> None:
    assert set(WORK) | set(SLOW) == set(cli.commands)


@pytest.mark.parametrize("command", WORK)
def test_quiet_is_quiet_and_json_is_one_document(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, inputs: dict[str, str], command: str
) -> None:
    assert invoke(capfd, *work(command, inputs, tmp_path / "q", "--quiet") if command == "demo" else
                  work(command, inputs, tmp_path, "--quiet")) == (0, "", "")  # fmt: skip
    code, out, err = invoke(capfd, *work(command, inputs, tmp_path, "--json"))
    assert code == 0
    assert isinstance(json.loads(out), dict)
    assert "NaN" not in out
    code, out, again = invoke(capfd, *work(command, inputs, tmp_path, "--json", "-q"))
    assert isinstance(json.loads(out), dict)
    assert (code, again) == (0, "")
    assert err  # people still read what is done


@pytest.mark.parametrize("command", cli.commands)
def test_common_options_stand_before_and_after_a_command(command: str) -> None:
    told = CliRunner().invoke(cli, [command, "--help"]).output
    for option in ("--quiet", "--verbose", "--traceback", "--json"):
        assert option in told
        before = [option] if option != "--json" else []
        assert CliRunner().invoke(cli, [*before, command, "--quiet", "-v", "--traceback", "--help"]).exit_code == 0


def test_verbose_after_a_command_logs(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, inputs: dict[str, str]
) -> None:
    plain = invoke(capfd, *work("run", inputs, tmp_path))[2]
    for arguments in (["-v", *work("run", inputs, tmp_path)], work("run", inputs, tmp_path, "-v")):
        assert len(invoke(capfd, *arguments)[2].splitlines()) >= len(plain.splitlines())


@pytest.mark.parametrize("command", cli.commands)
@pytest.mark.parametrize("wrong", [["--no-such-option"], ["-o"], ["a", "b", "c", "--seed"]])
def test_what_cannot_be_read_ends_with_2(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, wrong: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = invoke(capfd, command, *wrong)
    assert (code, out) == (2, "")
    assert "Error: " in err
    assert not any(tmp_path.iterdir())


def test_no_command_at_all_is_a_usage_error(capfd: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["frobnicate"], ["--frobnicate"], ["scan", "x.ddp", "--toys", "-1"]):
        code, out, err = invoke(capfd, *arguments)
        assert (code, out) == (2, "")
        assert "Usage" in err


BAD = {
    "demo": "demo -o {file}",
    "validate": "validate symmetries {file}",
    "calibrate": "calibrate symmetries {file} -o {out}/x.json",
    "run": "run symmetries {file} -o {out}/x.ddp",
    "merge": "merge {file} -o {out}/x.ddp",
    "scan": "scan {file} -o {out}/x.json --csv {out}/x.csv",
    "report": "report {file} -o {out}/x",
    "spectra": "spectra {file} -o {out}/x.root",
    "confirm": "confirm {file} {file} -o {out}/x.json",
    "events": "events {file} --row 1 -o {out}/x.txt",
    "skim": "skim {file} {file} -o {out}/x",
    "compare-reports": "compare-reports {file} {file} -o {out}/x.json",
    "export": "export {file} --row 1 --hists {file} -o {out}/x.json",
    "limits": "limits {file} -o {out}/x.json",
    "compare": "compare {file} {file} -o {out}/x.json",
    "bump": "bump {file} -o {out}/x.json --csv {out}/x.csv",
    "sensitivity": "sensitivity {file} {file} -o {out}/x.csv",
    "train-bump": "train-bump -o {file}/x.npz",
    "warm-up": "warm-up extra",
}


@pytest.mark.parametrize("command", cli.commands)
def test_a_failure_leaves_nothing_behind(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    work_here = tmp_path / "here"
    work_here.mkdir()
    monkeypatch.chdir(work_here)
    file = tmp_path / "thesis.root"
    file.write_text("mine")
    code, out, err = invoke(capfd, *BAD[command].format(file=file, out=work_here).split())
    assert code in (1, 2)
    assert out == ""
    assert err
    assert list(work_here.iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"here", "thesis.root"}
    assert file.read_text() == "mine"


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color_is_heeded_in_a_terminal(inputs: dict[str, str], environment: dict[str, str], coloured: bool) -> None:
    """The bar of a scan has colours in a terminal, and none where nobody wants them."""
    mine, theirs = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "CI")}
    process = subprocess.Popen(
        [sys.executable, "-m", "coffea_ddp", "scan", inputs["hists"], "--toys", "20"],
        stdin=theirs, stdout=theirs, stderr=theirs, env={**clean, "TERM": "xterm-256color", **environment},
    )  # fmt: skip
    os.close(theirs)
    found = b""
    while True:
        try:
            part = os.read(mine, 65536)
        except OSError:  # the other end is closed
            break
        found += part
    os.close(mine)
    assert process.wait() == 0
    assert bool(COLOUR.search(found.decode(errors="replace"))) == coloured


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_there_for_shells(shell: str) -> None:
    environment = {**os.environ, "_COFFEA_DDP_COMPLETE": f"{shell}_source"}
    code = "from coffea_ddp.cli import main; main([])"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "coffea" in done.stdout
    words = {"COMP_WORDS": "coffea-ddp sc", "COMP_CWORD": "1" if shell != "fish" else "sc"}
    environment |= {"_COFFEA_DDP_COMPLETE": f"{shell}_complete", **words}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "scan" in done.stdout


# -- tables that fit --------------------------------------------------------------------------------------------------


def shown(table: object, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    with console.capture() as captured:
        console.print(table)
    return captured.get().splitlines()


def test_tables_of_a_report_can_be_read_at_80_columns(inputs: dict[str, str]) -> None:
    report = ScanReport.load(inputs["report"])
    for table in (report.table(), report.regions_table(), report.tests_table(), report.summary_table()):
        lines = shown(table, 80)
        assert max(map(len, lines)) <= 80
    lines = shown(report.summary_table(), 80)  # no number is folded, whatever the text beside it
    for number in {number for one in report.summaries for number in (one.n_cells, one.n_distinct)}:
        assert any(re.search(rf"(^|\s){number:,}(\s|$)", line) for line in lines)
    assert len(shown(report.table(3), 80)) > len(shown(report.table(3), 200))


def test_columns_without_content_are_not_there() -> None:
    columns = {"a": "left", "b": "right", "c": "right"}
    text = "\n".join(shown(text_table("t", "", columns, [["x", "", "1"], ["y", "", "2"]]), 80))  # type: ignore[arg-type]
    assert " b " not in text
    assert " c " in text


def test_a_stacked_table_says_all_that_the_wide_one_says() -> None:
    columns = {"#": "right", "name": "left", "n_a": "right", "cell": "left", "n_b": "right", "z": "right"}
    line = ["1", "e/mu", "8", "j=1", "94", "+9.1"]
    for height in (1, 2, 3):
        heads, cells = stacked(columns, [line], height)  # type: ignore[arg-type]
        assert sorted("\n".join(heads).split("\n")) == sorted(columns)
        assert sorted("\n".join(cells[0]).split("\n")) == sorted(line)
        for head, cell in zip(heads, cells[0], strict=True):
            assert [columns[name] for name in head.split("\n")] == [heads[head]] * len(cell.split("\n"))


def test_only_commands_that_resume_are_said_to_go_on():
    assert {name for name in cli.commands if "--resume" in _go_on([name])} == {"run"}
    assert _go_on([]) == ""
