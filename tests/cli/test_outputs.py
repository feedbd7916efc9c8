"""The outputs of every command: what they never replace, and that nobody has to read what is printed.

The tests walk over the commands: a new one, or a new option, is tested by being there.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from console import exit_code

from coffea_ddp import _files, testing
from coffea_ddp._files import (
    BUMP_REPORT,
    CALIBRATION,
    CHANGES,
    COMPARISON,
    CONFIRMATION,
    EVENT_LIST,
    LIMITS,
    NETWORK,
    OUTPUT,
    PERFORMANCE,
    REGION,
    REPORT,
    SENSITIVITY,
    SPECTRA,
    TABLE,
    TEXTS,
)
from coffea_ddp.cli import cli, main
from coffea_ddp.cli.outputs import Command, OutputFile, OutputFolder

OLDER = {
    OUTPUT: b'PK\x03\x04manifest.json{"format": "coffea-ddp/histograms"',
    NETWORK: b'PK\x03\x04about.npy{"format": "coffea-ddp/bump-network"',
    BUMP_REPORT: b'{"format": "coffea-ddp/report", "version": 1, "plan": "s.csv", "fingerprint": ""}',
    REPORT: b'{"format": "coffea-ddp/report", "version": 1, "plan": "p", "fingerprint": "0a"}',
    COMPARISON: b'{"format": "coffea-ddp/comparison"}',
    SPECTRA: b'{"format": "coffea-ddp/spectra"}',
    CONFIRMATION: b'{"format": "coffea-ddp/confirmation"}',
    CHANGES: b'{"format": "coffea-ddp/report-changes"}',
    EVENT_LIST: b"# coffea-ddp/events 2 of e/mu\n1:2:3\n",
    TABLE: b"kind,symmetry,observable,cell,region\n",
    SENSITIVITY: b"z_injected,n_signal\n",
    LIMITS: b'{"format": "coffea-ddp/limits"}',
    REGION: b'{\n "version": "1.0.0",\n "measurements": [\n  {\n   "name": "coffea-ddp: e/mu, met"',
    CALIBRATION: b'{"schema_version":2,"description":"coffea-ddp calibration: r"',
    PERFORMANCE: b"<!DOCTYPE html>\n<!-- coffea-ddp/performance-report -->",
}
"""How an older output of each kind begins."""
READ = {"--calibration", "--hists", "--signal", "--weights", "--tls-ca-file", "--tls-cert", "--tls-key"}
"""The options that name files to read."""
FILES = [
    (command, option) for command in cli.commands.values() for option in command.params
    if isinstance(option.type, OutputFile)
]  # fmt: skip
IDS = [f"{command.name} {option.opts[-1]}" for command, option in FILES]


def call(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    code = exit_code(*arguments)
    told = "".join(capfd.readouterr())
    assert "Traceback" not in told
    assert "a bug?" not in told
    return code, told


def line(command: click.Command, option: click.Parameter, path: object, read: object = "absent") -> list[object]:
    """Return a command line that names an output, and gives all that must be given besides."""
    others = [one for one in command.params if one.required and one is not option]
    given: list[object] = [command.name, option.opts[-1], path]
    for one in others:
        other = 1 if isinstance(one.type, click.types.IntParamType) else Path.cwd() / "free.ddp"
        given += [read] if isinstance(one, click.Argument) else [one.opts[-1], other]
    return given


def test_every_output_is_declared() -> None:
    for command in cli.commands.values():
        assert isinstance(command, Command), command.name
        for option in command.params:
            is_path = isinstance(option, click.Option) and isinstance(option.type, click.Path)
            told = "to write" in (getattr(option, "help", "") or "").lower()
            if is_path or told or set(option.opts) & {"-o", "--output", "--csv"}:
                assert isinstance(option.type, OutputFile | OutputFolder) or set(option.opts) & READ, option.opts
    assert {option.type.kind for _, option in FILES} == set(OLDER)
    assert all(what_is_of(kind, content) for kind, content in OLDER.items())


def what_is_of(kind: str, content: bytes) -> bool:
    return next(name for name, mark in vars(_files)["_MARKS"].items() if mark.match(content)) == kind


@pytest.mark.parametrize(("command", "option"), FILES, ids=IDS)
def test_outputs_take_the_place_of_nothing_else(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, command: click.Command, option: click.Parameter
) -> None:
    kind = option.type.kind
    (tmp_path / "thesis.tex").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "thesis.tex")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for other, content in OLDER.items():
        if other != kind:
            (tmp_path / f"older-{list(OLDER).index(other)}").write_bytes(content)
    places = [*tmp_path.iterdir(), "/dev/null", "/dev/full", "/dev/stdout", tmp_path / "nowhere" / "x"]
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    for place in places:
        code, told = call(capfd, *line(command, option, place))
        assert code == 1, (place, told)
        assert str(place) in told
        assert any(words in told for words in ("would be lost", "not a file", "does not exist")), told
    code, told = call(capfd, *line(command, option, f"{tmp_path / 'new'}{os.sep}"))
    assert (code, "the name of a folder" in told) == (1, True)
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert not (tmp_path / "nothing").exists()
    if kind not in TEXTS:
        code, told = call(capfd, *line(command, option, "-"))
        assert (code, "no text for standard output" in told) == (1, True)


@pytest.mark.parametrize(("command", "option"), FILES, ids=IDS)
def test_an_output_is_no_input(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, command: click.Command, option: click.Parameter
) -> None:
    if not any(isinstance(one, click.Argument) for one in command.params):
        pytest.skip("this command reads nothing")
    read = tmp_path / "read"
    read.write_bytes(OLDER[option.type.kind])  # the nearest: it could be replaced otherwise
    (tmp_path / "second").hardlink_to(read)
    for place in (read, tmp_path / "second", tmp_path / "." / "read"):
        code, told = call(capfd, *line(command, option, place, read))
        assert (code, "this command reads it" in told) == (1, True)
    assert read.read_bytes() == OLDER[option.type.kind]


def test_two_outputs_are_two_files(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for command in ("scan", "bump"):
        code, told = call(capfd, command, "absent", "-o", tmp_path / "x", "--csv", tmp_path / "." / "x")
        assert (code, "two outputs" in told) == (1, True)
        code, told = call(capfd, command, "absent", "-o", "-", "--csv", "-")
        assert (code, "two outputs" in told) == (1, True)


def test_datasets_whose_files_would_be_one(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = testing.make_nanoaod(tmp_path / "nano.root", events=20, seed=1)
    other = testing.make_nanoaod(tmp_path / "other.root", events=20, seed=2)
    fileset = {"a/b": {"files": {str(data): "Events"}}, "a_b": {"files": {str(other): "Events"}}}
    (tmp_path / "f.json").write_text(json.dumps(fileset))
    code, told = call(capfd, "run", "symmetries", tmp_path / "f.json", "-o", tmp_path / "h.ddp", "--by-dataset")
    assert (code, "would both be" in told) == (1, True)


# -- folders that cannot be written to any more ------------------------------------------------------------------------


@pytest.mark.parametrize("name", [
    pytest.param(command.name, marks=[pytest.mark.slow] * (command.name in ("run", "scan", "bump", "train-bump")))
    for command in dict.fromkeys(command for command, _ in FILES)
])  # fmt: skip
def test_finished_work_is_kept_elsewhere(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The folder has become full when the work is done: all outputs are in another one, and the exit code is 1."""
    to_disk, full = _files._to_disk, tmp_path / "full"

    def fails(path: Path) -> None:
        if path.parent == full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        to_disk(path)

    full.mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(_files, "_to_disk", fails)
    words = LINES[name].format(inputs=inputs).split()
    outputs = [after for before, after in itertools.pairwise(words) if before in ("-o", "--csv")]
    code, told = call(capfd, *[full / word if word in outputs else word for word in words])
    assert code == 1, told
    kept = {path.name: path for path in (tmp_path / "here").glob("coffea-ddp-kept-*/*")}
    assert set(kept) == set(outputs)
    for output in outputs:
        assert f"{full / output}: cannot be written (No space left on device)" in told
        assert f"kept in {kept[output]}" in told
        assert kept[output].stat().st_size > 0
    assert not [path for path in full.iterdir() if path.is_file()]


def test_there_may_be_no_other_place(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for variable in ("HOME", "TMPDIR"):
        (tmp_path / variable).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_files, "_to_disk", fails)
    code, told = call(capfd, "merge", inputs / "h.ddp", "-o", "h.ddp")
    assert (code, "There is no room for it" in told) == (1, True)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not list(tmp_path.rglob("coffea-ddp-kept-*"))


# -- whoever reads what is printed -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    np.save(folder / "a.npy", np.full((4, 4), 30.0))
    np.save(folder / "b.npy", np.full((4, 4), 33.0))
    (folder / "s.csv").write_text("low,high,count\n" + "".join(f"{i},{i + 1},{1000 - 9 * i}\n" for i in range(60)))
    testing.make_nanoaod(folder / "n.root", events=1000, seed=1)
    testing.make_nanoaod(folder / "other.root", events=1000, seed=2)
    for plan, file, name in (
        ("symmetries", "n", "h.ddp"), ("resonances", "n", "m.ddp"), ("symmetries", "other", "other.ddp")
    ):  # fmt: skip
        with pytest.raises(SystemExit):
            main(["run", plan, str(folder / f"{file}.root"), "-o", str(folder / name), "--executor", "iterative"])
    with pytest.raises(SystemExit):
        main(["scan", str(folder / "h.ddp"), "-o", str(folder / "r.json"), "--top", "1"])
    with pytest.raises(SystemExit):
        main(["events", str(folder / "r.json"), "-o", str(folder / "e.txt")])
    return folder


LINES = {
    "run": "run symmetries {inputs}/n.root -o h.ddp --executor iterative",
    "calibrate": "calibrate symmetries {inputs}/n.root -o c.json --executor iterative",
    "merge": "merge {inputs}/h.ddp -o h.ddp",
    "validate": "validate symmetries {inputs}/n.root --events 100",
    "scan": "scan {inputs}/h.ddp -o r.json --csv r.csv",
    "report": "report {inputs}/r.json -o report --leading 1",
    "confirm": "confirm {inputs}/r.json {inputs}/other.ddp -o c.json --row 1 --toys 20",
    "export": "export {inputs}/r.json --row 1 --hists {inputs}/h.ddp -o region.json",
    "limits": "limits {inputs}/h.ddp -o l.csv",
    "events": "events {inputs}/r.json -o e.csv",
    "compare-reports": "compare-reports {inputs}/r.json {inputs}/r.json -o c.json",
    "skim": "skim {inputs}/e.txt {inputs}/n.root -o skims",
    "spectra": "spectra {inputs}/m.ddp -o s.csv",
    "compare": "compare {inputs}/a.npy {inputs}/b.npy -o c.json --toys 20",
    "bump": "bump {inputs}/s.csv -o r.json --csv r.csv --toys 20",
    "sensitivity": "sensitivity {inputs}/a.npy {inputs}/b.npy -o s.csv --toys 20 --z 0,1",
    "demo": "demo -o demo --events 1000 --no-report --workers 1",
    "warm-up": "warm-up",
    "train-bump": "train-bump -o w.npz --steps 1 --batch 8 --calibration 1",
}


CLOSED = ("nothing", "pipe", "both", "closed")


def run_all(folder: Path, inputs: Path, lines: dict[str, str]) -> dict[str, dict[str, tuple[int, str]]]:
    """Run command lines in processes of their own, with each of :data:`CLOSED`; return how each ended and what it told.

    One process imports what they need and forks for each.
    """
    program = """
import json, os, sys
import coffea_ddp.cli, coffea_ddp.running.driver, coffea_ddp.scanning.driver, coffea_ddp.scanning.bump_hunt
import coffea_ddp.pages
lines, answer = json.loads(sys.argv[1]), {}
for closed, name in ((closed, name) for closed in sys.argv[2:] for name in lines):
    folder, words = f"{closed}/{name}", lines[name]
    os.makedirs(folder)
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        log = os.open("log", os.O_WRONLY | os.O_CREAT)
        os.dup2(log, 2)
        reading, writing = os.pipe()
        os.close(reading)
        if closed == "pipe":
            os.dup2(writing, 1)
        elif closed == "both":
            os.dup2(writing, 1); os.dup2(writing, 2)
        elif closed == "closed":
            os.close(1); os.close(2); os.close(0)
            sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = None
        else:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            coffea_ddp.cli.main(words)
        except SystemExit as stop:
            code = stop.code or 0
        except BaseException:
            import traceback
            traceback.print_exc()
            code = 99
        try:
            sys.stdout.flush(); sys.stderr.flush()
        except BaseException:
            code = 120
        os._exit(code)
    answer[folder] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(json.dumps(answer))
"""
    words = {name: line.format(inputs=inputs).split() for name, line in lines.items()}
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(words), *CLOSED], cwd=folder, capture_output=True, text=True,
        check=True, timeout=2_000,
    )  # fmt: skip
    codes = json.loads(done.stdout.splitlines()[-1])
    return {
        closed: {name: (codes[f"{closed}/{name}"], (folder / closed / name / "log").read_text()) for name in lines}
        for closed in CLOSED
    }


def files(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "log":
            yield str(path.relative_to(folder))


def _nobody_reads(tmp_path: Path, inputs: Path, lines: dict[str, str]) -> None:
    found = run_all(tmp_path, inputs, lines)
    whole = found["nothing"]
    for closed in CLOSED:
        for name in lines:
            code, told = found[closed][name]
            assert code == whole[name][0], (closed, name, told)
            assert list(files(tmp_path / closed / name)) == list(files(tmp_path / "nothing" / name)), (closed, name)
            assert not [word for word in ("Traceback", "BrokenPipe", "Exception", "error:") if word in told], told
    assert {name: code for name, (code, _) in whole.items() if code not in (0, 2)} == {}


def test_nobody_has_to_read_what_is_printed(tmp_path: Path, inputs: Path) -> None:
    lines = {name: LINES[name] for name in ("merge", "scan", "compare")}
    _nobody_reads(tmp_path, inputs, lines | {"scan": f"{lines['scan']} --toys 20 --symmetry e/mu"})


@pytest.mark.slow
def test_nobody_has_to_read_what_any_command_prints(tmp_path: Path, inputs: Path) -> None:
    assert set(LINES) == set(cli.commands), "a command line for every command"
    _nobody_reads(tmp_path, inputs, LINES)


@pytest.mark.parametrize("line", ["scan {inputs}/h.ddp -o {out}", "scan {inputs}/h.ddp --csv {out}",
                                  "compare {inputs}/a.npy {inputs}/b.npy --toys 20 -o {out}"])  # fmt: skip
def test_a_dash_is_standard_output(capfd: pytest.CaptureFixture[str], tmp_path: Path, inputs: Path, line: str) -> None:
    call(capfd, *line.format(inputs=inputs, out=tmp_path / "x").split())
    with pytest.raises(SystemExit) as stop:
        main(line.format(inputs=inputs, out="-").split())
    out, err = capfd.readouterr()
    assert (stop.value.code or 0) == 0
    assert out == (tmp_path / "x").read_text()
    assert "z" in err
    assert not Path("-").exists()


FOLDERS = [
    (name, option.opts[-1]) for name, command in cli.commands.items() for option in command.params
    if isinstance(option.type, OutputFolder)
]  # fmt: skip


@pytest.mark.parametrize(("command", "option"), FOLDERS)
def test_a_folder_does_not_go_to_standard_output(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, option: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, said = call(capfd, command, "in.json", option, "-")
    assert code != 0
    assert "a folder cannot go to standard output" in said
    assert not any(tmp_path.iterdir())
