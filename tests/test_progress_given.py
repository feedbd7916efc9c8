"""Functions that tell progress, given something for it that cannot be called: refused before anything is done."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import coffea_ddp as ddp
from coffea_ddp import plotting, stats, testing
from coffea_ddp.demo import run_demo
from coffea_ddp.errors import InputError
from coffea_ddp.running.validating import validate
from coffea_ddp.warm_up import warm_up


def told(places: dict[str, Any]) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the functions and methods among public names that have a parameter ``progress``."""
    for name, value in places.items():
        methods = [method for method in dir(value) if inspect.isclass(value) and not method.startswith("_")]
        for method, function in ((f".{one}", getattr(value, one)) for one in methods):
            if inspect.isfunction(function) and "progress" in inspect.signature(function).parameters:
                yield name + method, function
        if inspect.isfunction(value) and "progress" in inspect.signature(value).parameters:
            yield name, value


ROOMS = {"": ddp, "stats.": stats, "plotting.": plotting, "testing.": testing}
NAMES = {prefix + name: getattr(room, name) for prefix, room in ROOMS.items() for name in room.__all__}
COMMANDS = {"validate": validate, "warm_up": warm_up, "run_demo": run_demo}
"""Without a public name: what commands call."""
FUNCTIONS = dict(told(NAMES | COMMANDS))


def test_the_functions_are_found() -> None:
    known = {"scan", "bump_hunt", "limits", "confirm", "skim", "run", "merge_files", "write_report", "Bump.scan"}
    assert known | set(COMMANDS) | {"stats.nplm", "stats.scan_submatrices"} <= set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("progress", [3, "bar", ()])
def test_progress_that_cannot_be_called_is_an_error_before_anything_else(
    name: str, progress: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    function = FUNCTIONS[name]
    needed = [
        one.name for one in inspect.signature(function).parameters.values()
        if one.default is one.empty and one.name != "progress"
    ]  # fmt: skip
    # Whatever else is given is wrong, and would be an error by itself: nothing of it was touched.
    others = dict.fromkeys(needed, tmp_path / "nothing here")
    with pytest.raises(InputError, match=r"^[\w.]+, progress: got an? \w+; give|^[\w.]+, progress: got the text 'bar'"):
        function(**others, progress=progress)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"run", "run_by_dataset"}))
def test_true_is_no_function(name: str) -> None:
    function = FUNCTIONS[name]
    needed = [one.name for one in inspect.signature(function).parameters.values() if one.default is one.empty]
    with pytest.raises(InputError, match=r"give a function of \(done, total(, what)?\), or None"):
        function(**dict.fromkeys(needed, "nothing here"), progress=True)
