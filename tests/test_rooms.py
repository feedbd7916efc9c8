"""The rooms of the package: modules that one reads at once, and private names that stay where they are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import coffea_ddp
import coffea_ddp.plan
import coffea_ddp.plotting
import coffea_ddp.stats

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


def module_name(path: Path) -> str:
    parts = ("coffea_ddp", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def graph() -> dict[str, set[str]]:
    """Return, for every module, the modules of this package that it imports: late and type-only imports as well."""
    known = {module_name(path) for path in MODULES}
    found = {}
    for path in MODULES:
        modules = {f"{module}.{name}" if f"{module}.{name}" in known else module for module, name in imported(path)}
        found[module_name(path)] = (modules & known) - {module_name(path)}
    return found


def circles(imports: dict[str, set[str]]) -> set[frozenset[str]]:
    """Return the sets of modules that import each other, on whatever way round."""

    def reached(module: str) -> set[str]:
        seen: set[str] = set()
        waiting = {module}
        while waiting:
            waiting = {other for one in waiting for other in imports[one]} - seen
            seen |= waiting
        return seen

    reach = {module: reached(module) for module in imports}
    each = ({other for other in reach[one] if one in reach[other]} for one in imports)
    return {frozenset(circle) for circle in each if circle}


def test_modules_are_read_at_once() -> None:
    assert len(MODULES) > 150
    lengths = {str(path.relative_to(PACKAGE)): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: n for name, n in lengths.items() if n > LONGEST} == {}


def test_no_module_imports_itself_on_a_way_round() -> None:
    """Late imports and those for types count, too: such modules cannot be read, moved or tested one by one."""
    a_circle = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a", "e"}, "e": set[str]()}
    assert circles(a_circle) == {frozenset("abc")}
    imports = graph()
    assert imports["coffea_ddp.histograms.io"] >= {f"coffea_ddp.histograms.{name}" for name in ("archive", "pairs")}
    assert circles(imports) == set()


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
    rooms = ("events", "histograms", "plan/masses", "report", "running", "scanning", "spectra")
    for room in rooms:
        (only,) = ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8")).body
        assert isinstance(only, ast.Expr)
        assert isinstance(only.value, ast.Constant)


def test_public_names_stand_once() -> None:
    """In the stubs, which type checkers read and the names are loaded from; each leads to what defines it."""
    for package in (coffea_ddp, coffea_ddp.plan, coffea_ddp.plotting, coffea_ddp.stats):
        room = package.__name__.removeprefix("coffea_ddp").removeprefix(".")
        _docstring, *code = ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8")).body
        written = " ".join(map(ast.unparse, code))
        assert "lazy_loader.attach_stub" in written
        assert [name for name in package.__all__ if re.search(rf"\b{name}\b", written)] == []
        stub = ast.parse((PACKAGE / room / "__init__.pyi").read_text(encoding="utf-8"))
        lines = [(node.module, one) for node in stub.body if isinstance(node, ast.ImportFrom) for one in node.names]
        assert all(one.asname == one.name for _, one in lines)  # else a type checker takes it for private
        names = [one.name for _, one in lines]
        assert sorted(names) == sorted(set(names)) == sorted(package.__all__)
        for module, one in lines:
            value = getattr(package, one.name)
            # A module loaded first would stand where the name is looked for.
            assert isinstance(value, ModuleType) or not is_module(package.__name__, one.name)
            home = ".".join(filter(None, (package.__name__, module)))
            assert getattr(value, "__module__", home) == home or isinstance(value, ModuleType)


CUT_OTHERWISE = {"coffea_ddp.report.dataset_words", "coffea_ddp.cli.calibrating"}
"""A headline of a few words; the first of the executors, which are those that a command takes."""


def cuts(tree: ast.AST) -> list[int]:
    """Return the lines where the first of a list are joined as in a message, and nothing tells of the others."""

    def first_of(node: ast.AST) -> bool:
        if isinstance(node, ast.GeneratorExp | ast.ListComp):
            return first_of(node.generators[0].iter)
        cut = node.slice if isinstance(node, ast.Subscript) else None
        return isinstance(cut, ast.Slice) and cut.lower is None and isinstance(cut.upper, ast.Constant | ast.Name)

    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "join"
        and isinstance(node.func.value, ast.Constant) and node.func.value.value in (", ", "; ") and node.args
        and any(map(first_of, (node.args[0], *getattr(node.args[0], "args", ()))))
    ]  # fmt: skip


def test_lists_of_messages_are_cut_by_one_function() -> None:
    """``errors.some_of`` says how many more there are: a list of five among a thousand is no list of five."""
    for code in ('", ".join(a[:5])', '"; ".join(f(x) for x in a[:_MOST])', '", ".join(map(str, list(a)[:3]))'):
        assert cuts(ast.parse(code))
    found = {module_name(path): cuts(ast.parse(path.read_text(encoding="utf-8"))) for path in MODULES}
    assert {name for name, lines in found.items() if lines} <= CUT_OTHERWISE | {"coffea_ddp.errors"}
