"""The rooms of the package: modules that one reads at once, and private names that stay where they are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import coffea_ddp

PACKAGE = Path(coffea_ddp.__file__).parent
LONGEST = 400
"""Lines of a module."""
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "shipped" not in path.parts)


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the modules of this package that a module imports names from, with the names; late imports as well."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "coffea_ddp":
            yield from ((str(node.module), alias.name) for alias in node.names)


def is_module(module: str, name: str) -> bool:
    folder = PACKAGE.joinpath(*module.split(".")[1:])
    return (folder / f"{name}.py").is_file()


def test_modules_are_read_at_once() -> None:
    assert len(MODULES) > 150
    lengths = {str(path.relative_to(PACKAGE)): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: n for name, n in lengths.items() if n > LONGEST} == {}


def test_private_names_stay_at_home() -> None:
    """A module may be private to the package (``_files``), a name is private to its module."""
    found = {path: list(imported(path)) for path in MODULES}
    assert sum(map(len, found.values())) > 1_000
    private = [
        (str(path.relative_to(PACKAGE)), module, name)
        for path, names in found.items()
        for module, name in names
        if name.startswith("_") and not is_module(module, name)
    ]
    assert private == []


def test_rooms_say_what_they_are() -> None:
    """And hold nothing else, so that a module is loaded without its neighbours."""
    rooms = ("events", "histograms", "plan", "plan/masses", "report", "running", "scanning", "spectra")
    for room in rooms:
        (only,) = ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8")).body
        assert isinstance(only, ast.Expr)
        assert isinstance(only.value, ast.Constant)
