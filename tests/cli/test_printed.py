"""All that is printed is visible text, whatever files, names and arguments hold: no escape reaches a terminal."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from console import exit_code
from hypothesis import given
from hypothesis import strategies as st

import coffea_ddp as ddp
from coffea_ddp import testing
from coffea_ddp._text import printable
from coffea_ddp.cli.terminal import PlainFormatter, steps_bar
from coffea_ddp.errors import DDPError, UnknownNameError

HOSTILE = "\x1b]0;x\x07\x1b[31m\r\u202e\x9b2J\x00[red]\nwrote"
"""A window's title, a bell, a colour, carriage return, right-to-left, a C1 control, NUL, rich's markup, a new line."""
NAME = HOSTILE.replace("\x00", "").replace("/", "")
ASCII = NAME.encode("ascii", "ignore").decode()
FORBIDDEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

PLAN = """
import coffea_ddp as ddp
from coffea_ddp import observables as obs
NAME = {name!r}
sides = ddp.Symmetry(
    NAME,
    a=lambda ev: ev.count("e") > 0,
    b=lambda ev: (ev.count("e") == 0) & (ev.count("mu") > 0),
    observables=(ddp.observable(obs.met),),
    sides=(NAME + "a", NAME + "b"),
)
mass = ddp.Spectrum(NAME, lambda ev: ev.leading("lepton").pt, ddp.fixed_axis(5.0, 0.0, 200.0))
cells = (ddp.Topology("two", lambda ev: ev.count("lepton") > 1),)
plan = ddp.ScanPlan(NAME, symmetries=(sides,), spectra=(mass,), cells=cells)
"""


@given(st.text(st.characters()))
def test_printable_text_is_visible_and_tells_texts_apart(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert "\n" not in shown
    shown.encode("utf-8")
    assert text == shown or not text.isprintable()


def visible(text: str) -> str:
    found = FORBIDDEN.search(text)
    assert found is None, text[max(found.start() - 60, 0) : found.end() + 20]
    return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of hostile names, in and of files."""
    found = tmp_path_factory.mktemp("printed") / NAME
    found.mkdir()
    (found / f"{NAME}.py").write_text(PLAN.format(name=NAME), encoding="utf-8")
    data = testing.make_nanoaod(found.parent / "\x1b[31m\a[red].root", events=300, seed=1)
    (found / "fileset.json").write_text(json.dumps({ASCII: {"files": {str(data): "Events"}}}))
    np.save(found / f"{NAME}.npy", np.arange(12.0).reshape(3, 4))
    lines = [f"{50 + 5 * i},{55 + 5 * i},{900 - 19 * i - i % 3}" for i in range(40)]
    content = "\n".join(["low,high,count", *lines])
    (found / f"{NAME}.csv").write_text(content)
    (found / f"{NAME}.txt").write_bytes(HOSTILE.encode() * 20)
    return found


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = exit_code(*arguments)
    out, err = capfd.readouterr()
    visible(out)
    visible(err)
    assert "(a bug?" not in err, err
    assert "Traceback" not in err or "--traceback" in arguments
    return code, out, err


@pytest.mark.filterwarnings("ignore:Glyph")  # a font need not have what is in a name
def test_every_command_shows_visible_text(capfd: pytest.CaptureFixture[str], folder: Path, tmp_path: Path) -> None:
    plan, fileset, hists = folder / f"{NAME}.py", folder / "fileset.json", folder / f"{NAME}.ddp"
    report, matrix, text = folder / f"{NAME}.json", folder / f"{NAME}.npy", folder / f"{NAME}.txt"
    good: list[tuple[object, ...]] = [
        ("validate", plan, fileset),
        ("-v", "run", plan, fileset, "-o", hists, "--executor", "iterative"),
        ("merge", hists, "-o", folder / f"{NAME}2.ddp"),
        ("scan", hists, "-o", report, "--min-events", "2", "--toys", "5", "--csv", tmp_path / f"{NAME}.csv"),
        ("scan", hists, "--tests", "bump", "--toys", "5"),
        ("spectra", hists, "-o", folder / f"{NAME}.spectra.json"),
        ("report", report, "-o", folder / f"{NAME}-report", "--jobs", "1", "--leading", "2"),
        ("compare", matrix, matrix, "--toys", "5"),
        ("bump", folder / f"{NAME}.csv", "--toys", "5"),
    ]
    for command in good:
        code, _, err = run(capfd, *command)
        assert code == 0, (command, err)
    bad: list[tuple[object, ...]] = [
        (HOSTILE,),
        ("run", f"--{NAME}", plan),
        ("--traceback", "scan", text),
        ("scan", hists, "--symmetry", HOSTILE),
        ("scan", hists, "--tests", HOSTILE),
        ("scan", hists, "--kappa", HOSTILE),
        ("scan", hists, "--correction", f"{NAME}={text}"),
        ("scan", hists, "--null", HOSTILE),
        ("merge", hists, hists, "-o", tmp_path / "x.ddp"),
        ("bump", text, "--name", HOSTILE),
        ("bump", folder / f"{NAME}.csv", "--mask", HOSTILE),
        ("compare", matrix, text),
        ("sensitivity", matrix, text),
        ("sensitivity", matrix, matrix, "--z", HOSTILE),
        ("sensitivity", hists, matrix),
        ("sensitivity", hists, matrix, "--symmetry", NAME, "--observable", HOSTILE),
        ("spectra", hists, "-o", tmp_path / f"{NAME}.txt"),
        ("report", hists, "-o", tmp_path / "r"),
        ("run", plan, text, "-o", tmp_path / "x.ddp"),
        ("run", text, fileset, "-o", tmp_path / "x.ddp"),
        ("run", NAME, fileset, "-o", tmp_path / "x.ddp"),
        ("run", plan, fileset, "-o", tmp_path / NAME / "x.ddp"),
        ("run", plan, fileset, "-o", tmp_path / "x.ddp", "--executor", HOSTILE),
        ("validate", plan, folder / f"{NAME}.no.root"),
        *((name, folder / f"{NAME}.{end}") for name in ("scan", "bump") for end in ("root", "txt", "no", "py")),
    ]
    for command in bad:
        code, _, err = run(capfd, *command)
        assert code == (2 if "Usage:" in err else 1), command
        assert err


def test_the_bar_logs_and_warnings_show_visible_text(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as in_a_terminal:
        in_a_terminal.setattr(sys.stderr, "isatty", lambda: True)
        in_a_terminal.setenv("COLUMNS", "300")
        with steps_bar(NAME) as progress:
            progress(1, 2, NAME)
    bar = capfd.readouterr().err  # which moves the cursor itself
    assert "[red]" in bar
    assert not re.search("\x1b\\]|\x07|\u202e", bar)
    monkeypatch.setattr("coffea_ddp.running.progress._SHORT", -1.0)
    with steps_bar(NAME) as progress:
        progress(1, 2, NAME)
    assert "[red]" in visible(capfd.readouterr().err)
    record = logging.LogRecord("coffea_ddp", logging.WARNING, __file__, 1, "%s", (HOSTILE,), None)
    assert visible(PlainFormatter().format(record))
    visible(str(DDPError(HOSTILE)) + str(UnknownNameError(HOSTILE)))


def test_a_warning_of_a_plan_is_one_visible_line(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shown = warnings.showwarning
    plan = tmp_path / "warns.py"
    plan.write_text(f"import warnings\nwarnings.warn({NAME!r})\n" + PLAN.format(name="plan"))
    _, _, err = run(capfd, "validate", plan, tmp_path / "nothing.root")
    assert "UserWarning: " in err
    assert warnings.showwarning is shown


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_that_knows_few_characters(folder: Path, encoding: str) -> None:
    command = [sys.executable, "-m", "coffea_ddp", "scan", "μ\udcff.ddp"]
    found = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": encoding}, check=False)
    assert found.returncode == 1
    assert b"no such file" in found.stderr
    assert b"bug" not in found.stderr


def test_representations_show_visible_text(folder: Path) -> None:
    plan = ddp.load_plan(folder / f"{NAME}.py")
    hists = ddp.run(plan, str(folder / "fileset.json"))
    report = ddp.scan(hists, min_events=2, toys=0)
    for thing in (hists, report, hists[NAME, "met"], report.best()):
        visible(repr(thing))
