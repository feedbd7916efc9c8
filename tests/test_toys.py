"""A number of pseudo-experiments has one name in every signature, field and option: toys."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import coffea_ddp

PACKAGE = Path(coffea_ddp.__file__).parent
OTHERS = {"permutations", "n_permutations", "n_toys", "n_pseudo", "pseudo_experiments", "pseudoexperiments"}
"""Names that others give to it."""


def other_names(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of the arguments, keywords, fields and options that are called otherwise."""
    for node in ast.walk(ast.parse(text)):
        name = ""
        match node:
            case ast.arg(arg=name) | ast.keyword(arg=str(name)):
                pass
            case ast.AnnAssign(target=ast.Name(id=name)):
                pass
            case ast.Constant(value=str(option)) if option.startswith("--"):
                name = option.removeprefix("--").replace("-", "_")
        if name in OTHERS:
            yield node.lineno, name


@pytest.mark.parametrize("room", sorted({path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py")}))
def test_pseudo_experiments_are_toys(room: str) -> None:
    paths = [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] == room]
    found = {str(path.relative_to(PACKAGE)): list(other_names(path.read_text(encoding="utf-8"))) for path in paths}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("text", [
    "def f(*, permutations: int = 0): ...",
    "f(permutations=3)",
    "class F:\n    permutations: int = 1",
    'option("--permutations", type=int)',
])  # fmt: skip
def test_other_names_are_seen(text: str) -> None:
    assert [name for _, name in other_names(text)] == ["permutations"]
