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


def test_their_default_number_stands_once() -> None:
    """Signatures, fields and options name it; no module has a thousand of its own."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.AnnAssign(target=ast.Name(id="toys"), value=ast.Constant(value=1_000)):
                    found.append((path.name, node.lineno))
                case ast.Assign(targets=[ast.Name(id="TOYS")], value=ast.Constant(value=1_000)):
                    found.append((path.name, node.lineno))
                case ast.arguments() as signature:
                    defaults = [*signature.defaults, *(one for one in signature.kw_defaults if one is not None)]
                    values = (one.value for one in defaults if isinstance(one, ast.Constant))
                    names = {one.arg for one in (*signature.args, *signature.kwonlyargs)}
                    found += [(path.name, 0) for value in values if value == 1_000 and "toys" in names]
                case ast.Call(args=[ast.Constant(value="--toys"), *_], keywords=keywords):
                    given = [one.value for one in keywords if one.arg == "default"]
                    found += [(path.name, node.lineno) for one in given if ast.unparse(one) == "1000"]
    # The other is the number of rows of a report.
    assert [where for where in found if where[0] != "bump_cells.py"] == [("defaults.py", 5)]
