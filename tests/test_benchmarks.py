"""Figures of benchmarks: whether they are reached is what their exit code says, and the table of all of them."""

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
GOOD = 'from figures import Figures\nf = Figures()\nf.add("speed", 2.0, "x", least=1)\nraise SystemExit(f.end())\n'
BAD = GOOD.replace("least=1", "least=3")
SILENT = 'from figures import Figures\nf = Figures()\nf.add("speed", 2.0, "x", least=3)\n'
BROKEN = GOOD.replace("2.0", "1 / 0")
PLAIN = 'print("nothing is wanted: of this [at most 2]")\n'


@pytest.fixture
def run_all(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("run_all", FOLDER / "run_all.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("figures")


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        (GOOD, 0, "reached 1 of 1"),
        (BAD, 1, "reached 0 of 1"),
        (SILENT, 1, "ended with 0"),
        (BROKEN, 1, "ended with 1"),
        (PLAIN, 0, "nothing is wanted"),
    ],
)
def test_a_figure_that_is_missed_is_not_called_reached(run_all, script, code, said, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PYTHONPATH", str(FOLDER))
    file = tmp_path / "bench_one.py"
    file.write_text(script)
    found = run_all.run(file)
    assert run_all.told([found]) == code
    assert f"| bench_one.py | 0.0 | {said} |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "least", "most", "said"),
    [
        (1.0, 1.0, None, "reached"),
        (0.99, 1.0, None, "missed"),
        (float("nan"), 1.0, None, "missed"),
        (3e9, None, 2.0, "missed"),
        (1.5, 1.0, 2.0, "reached"),
        (-1.0, 1.0, 2.0, "missed"),
    ],
)
def test_lines_say_what_is_wanted_and_are_read_again(run_all, value, least, most, said, capsys):
    figures = sys.modules["figures"]
    found = figures.Figures()
    found.add("a thing: of two, 3 x", value, "a second", least=least, most=most)
    line = figures.LINE.fullmatch(capsys.readouterr().out.strip())
    assert line["what"] == "a thing: of two, 3 x"
    assert line["said"] == said
    assert found.end() == (said == "missed")


def test_every_benchmark_can_fail():
    for script in FOLDER.glob("bench_*.py"):
        text = script.read_text()
        assert "Figures" in text, script.name
        assert ".end()" in text, script.name
        assert "sys.exit(main(" in text, script.name
