"""Docstrings begin with what a thing is, so that a stranger understands their first line alone."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import coffea_ddp

PACKAGE = Path(coffea_ddp.__file__).parent
RIDDLES = {"How", "If", "What", "When", "Where", "Whether", "Which", "Who", "Whose", "Why"}
"""First words that announce an answer in place of giving it."""
PARTS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def first_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield line number and first line of all docstrings: of modules, classes, functions, and of constants."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, PARTS):
            for statement in node.body:
                value = statement.value if isinstance(statement, ast.Expr) else None
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield statement.lineno, value.value.strip().split("\n")[0]


def riddles(text: str) -> list[tuple[int, str]]:
    return [(number, line) for number, line in first_lines(text) if line.split(" ")[0].strip(":,?") in RIDDLES]


@pytest.mark.parametrize("room", sorted({path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py")}))
def test_docstrings_begin_with_what_a_thing_is(room: str) -> None:
    paths = [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] == room]
    found = {str(path.relative_to(PACKAGE)): riddles(path.read_text(encoding="utf-8")) for path in paths}
    assert {name: lines for name, lines in found.items() if lines} == {}


def public_names() -> dict[str, object]:
    """Return all public functions and classes: of the package, and of its public modules their own."""
    rooms = [coffea_ddp, *(one for name in dir(coffea_ddp) if inspect.ismodule(one := getattr(coffea_ddp, name)))]
    found = {}
    for room in rooms:
        names = getattr(room, "__all__", None) or [name for name in dir(room) if not name.startswith("_")]
        for name in names:
            one = getattr(room, name)
            module = str(getattr(one, "__module__", ""))
            own = module.startswith("coffea_ddp") and not module.startswith("coffea_ddp._")
            if own and (inspect.isclass(one) or inspect.isfunction(one)):
                found[f"{one.__module__}.{one.__qualname__}"] = one
    return found


def test_help_of_every_public_name_has_an_example() -> None:
    """A doctest each, which is run with the others: help() shows how a thing is used."""
    names = public_names()
    assert len(names) > 150
    known = {name for name, one in names.items() if ">>>" in (inspect.getdoc(one) or "")}
    assert sorted(names.keys() - known) == []


def test_riddles_are_seen() -> None:
    text = '"""A module."""\n\nX = 1\n"""How many."""\n\n\ndef f():\n    """What: it does.\n\n    More.\n    """\n'
    assert riddles(text) == [(4, "How many."), (8, "What: it does.")]
    assert riddles('"""Whatever was measured."""\n') == []
