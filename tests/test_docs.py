"""No example of the documentation rots: every block of Python, and every command marked to be run, is run page by page.

A page's blocks share one namespace and one empty folder. ``python`` is executed, and a block with a ``:caption:`` is
saved under that name besides; ``pycon`` must print what it says; ``sh`` are commands of ``coffea-ddp``. What cannot run
here is ``console``, or begins with ``# not run:`` and the reason.
"""

from __future__ import annotations

import doctest
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from click.testing import CliRunner

import coffea_ddp
from coffea_ddp import plotting, stats
from coffea_ddp.cli import cli
from coffea_ddp.testing import LFVSignal, make_dataset

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
FENCE = re.compile(
    r"^(?P<indent> *)(?P<ticks>```+)(?:\{code-block\} *)?(?P<tag>python|pycon|sh)\n"
    r"(?P<body>.*?)^(?P=indent)(?P=ticks)$",
    re.MULTILINE | re.DOTALL,
)
CAPTION = re.compile(r"\A:caption: (?P<name>\S+)\n(?:\n)?")
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FILES_WANTED = ("README.md",)
"""Pages that speak of ``data/*.root`` and do not make them."""


class Block(NamedTuple):
    """A piece of a page that can be run."""

    tag: str
    line: int
    code: str
    caption: str


def blocks(text: str) -> Iterator[Block]:
    """Yield what can be run of a page."""
    for found in FENCE.finditer(text):
        indent = len(found["indent"])
        body = "".join(line[indent:] if line.strip() else "\n" for line in found["body"].splitlines(keepends=True))
        caption = CAPTION.match(body)
        code = body[caption.end() :] if caption else body
        if not code.lstrip().startswith("# not run:"):
            line = text.count("\n", 0, found.start("body")) + 1 + (body.count("\n") - code.count("\n"))
            yield Block(found["tag"], line, code, caption["name"] if caption else "")


def pages() -> list[str]:
    """Return the pages with anything to run, relative to the repository."""
    everything = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    return [str(path.relative_to(ROOT)) for path in everything if any(blocks(path.read_text("utf-8")))]


def run_python(page: Path, block: Block, names: dict[str, Any]) -> None:
    """Execute a block; its line numbers are those of the page."""
    if block.caption:
        Path(block.caption).write_text(block.code, "utf-8")
    exec(compile("\n" * (block.line - 1) + block.code, str(page), "exec"), names)


def run_prompts(page: Path, block: Block, names: dict[str, Any]) -> None:
    """Run a session, and compare what it prints."""
    told = doctest.DocTestParser().get_doctest(block.code, names, page.name, str(page), block.line - 1)
    told.globs = names  # not a copy: what is made here is there in the next block
    output: list[str] = []
    failed = doctest.DocTestRunner(optionflags=OPTIONS, verbose=False).run(told, out=output.append, clear_globs=False)
    assert not failed.failed, "".join(output)


def run_commands(block: Block) -> None:
    """Run the commands of a block one after the other."""
    for line in block.code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        assert words[0] == "coffea-ddp", f"{line}: only commands of coffea-ddp are run; tag others `console`"
        done = CliRunner().invoke(cli, words[1:], catch_exceptions=False)
        assert done.exit_code == 0, f"{line}\n{done.output}"


@pytest.fixture
def given(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the names that a page starts with, and make the files that README.md speaks of."""
    names: dict[str, Any] = {"__name__": "__main__"}
    if request.getfixturevalue("page") not in FILES_WANTED:
        return names
    # README.md shows defaults: a thousand permutations, each a fit of a network.
    monkeypatch.setitem(cast("Any", stats.nplm).__kwdefaults__, "toys", 20)
    monkeypatch.setitem(cast("Any", stats.nplm_reference).__kwdefaults__, "toys", 5)
    # Pictures of all leading rows take minutes; test_pages.py draws.
    write = coffea_ddp.write_report
    monkeypatch.setattr(coffea_ddp, "write_report", lambda report, folder, hists: write(report, folder, leading=1))
    signals = [LFVSignal(80, mass=300.0, lepton="mu", n_tau=1), LFVSignal(30, mass=300.0, lepton="e", n_tau=1)]
    make_dataset("data", files=2, events=1_500, seed=1, signals=signals)
    return names


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.mark.parametrize("page", pages())
def test_page(page: str, given: dict[str, Any]) -> None:
    path = ROOT / page
    for block in blocks(path.read_text("utf-8")):
        if page in FILES_WANTED:  # each of its blocks runs as it is typed, alone
            given = {"__name__": "__main__"}
        if block.tag == "sh":
            run_commands(block)
        else:
            {"python": run_python, "pycon": run_prompts}[block.tag](path, block, given)


def test_reference_is_whole() -> None:
    told = "\n".join(path.read_text("utf-8") for path in (DOCS / "reference").glob("*.md"))
    directives = set(re.findall(r"^\.\. auto\w+:: (\S+)$", told, re.MULTILINE))
    modules = {name.rpartition(".")[2] for name in re.findall(r"^\.\. automodule:: (\S+)$", told, re.MULTILINE)}
    names = directives | modules | {name.removeprefix("coffea_ddp.") for name in directives}
    assert sorted(set(coffea_ddp.__all__) - names - {"plotting", "stats"}) == []
    assert sorted(set(stats.__all__) - names) == []
    assert sorted(set(plotting.__all__) - names) == []


def test_picture_of_the_layers_is_that_of_the_contracts() -> None:
    layers = runpy.run_path(str(DOCS / "layers.py"))
    assert layers["PICTURE"].read_text("utf-8") == layers["drawn"](), "run: python docs/layers.py"
    assert "docs/_static/layers.svg" in (ROOT / "ARCHITECTURE.md").read_text("utf-8")


def test_no_page_asks_a_server() -> None:
    for path in (*DOCS.rglob("*.css"), DOCS / "conf.py"):
        assert "http" not in path.read_text("utf-8"), path
