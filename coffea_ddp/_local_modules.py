"""Modules that no installed package owns: a file beside a plan, a checkout; workers get them by value.

A worker of a cluster does not have them, or has older ones.
"""

from __future__ import annotations

import functools
import logging
import site
import sys
import sysconfig
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cloudpickle

_Cached = type(functools.cache(len))
_PACKAGE = __name__.split(".", maxsplit=1)[0]
_LOG = logging.getLogger(__name__)


def local_modules(namespace: Mapping[str, Any]) -> list[types.ModuleType]:
    """Return the modules that a namespace refers to, directly or through each other, and no installed package owns.

    Parameters
    ----------
    namespace
        Names and values of a module. What it took from other modules refers to those.

    Examples
    --------
    >>> import numpy
    >>> local_modules({"np": numpy, "here": local_modules})  # numpy is installed, and workers have this package
    []
    """
    found: dict[str, types.ModuleType] = {}
    waiting = list(namespace.values())
    while waiting:
        value = waiting.pop()
        module = value if isinstance(value, types.ModuleType) else sys.modules.get(_home(value))
        if module is not None and module.__name__ not in found and _is_local(module):
            found[module.__name__] = module
            waiting.extend(vars(module).values())
    return list(found.values())


def _home(value: Any) -> str:
    """Return the name of the module that defines a function, a class or the class of another value."""
    name = getattr(value if callable(value) else type(value), "__module__", None)
    return name if isinstance(name, str) else ""


def _is_local(module: types.ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py") or module.__name__.split(".")[0] == _PACKAGE:
        return False
    return not _is_installed(file)


@functools.cache
def _is_installed(file: str) -> bool:
    """Return True for a module among the installed ones, also where its file is a link: uv, conda and spack can link.

    A folder that is linked there is a package in development, unless it comes from another folder of packages.
    """
    folder = Path(file).parent.resolve()
    return any(map(folder.is_relative_to, _installed())) or any(_is_packages(part) for part in folder.parts)


@functools.cache
def _installed() -> frozenset[Path]:
    """Return the folders of the standard library and of installed packages."""
    folders = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders += [*site.getsitepackages(), site.getusersitepackages(), *(p for p in sys.path if _is_packages(p))]
    return frozenset(Path(folder).resolve() for folder in folders)


def _is_packages(path: str) -> bool:
    return Path(path).name in ("site-packages", "dist-packages")


def _reduced(function: Any) -> str | tuple[Any, ...]:
    """Return how a function with a cache travels: like the function inside, with an empty cache.

    By name, as Python has it, it could not go where its module is not.
    """
    inner = function.__wrapped__
    module, name = _home(inner), str(getattr(inner, "__qualname__", ""))
    by_value = {"__main__", *cloudpickle.list_registry_pickle_by_value()}
    found: Any = None if module in by_value else sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return name if found is function else (_cached, (inner, function.cache_parameters()))


def _cached(function: Any, parameters: Mapping[str, Any]) -> Any:
    return functools.lru_cache(**parameters)(function)


def _reduced_property(value: functools.cached_property[Any]) -> tuple[Any, ...]:
    """Return how a cached property of a class travels: without its lock."""
    return _property, (value.func, value.attrname)


def _property(function: Any, name: str | None) -> functools.cached_property[Any]:
    found = functools.cached_property(function)
    if name is not None:
        found.__set_name__(object, name)
    return found


cloudpickle.CloudPickler.dispatch_table.update({_Cached: _reduced, functools.cached_property: _reduced_property})


def travel_by_value(*values: Any) -> None:
    """Have the modules that values come from travel with them: those of their classes, and of functions that they hold.

    Parameters
    ----------
    values
        Functions and objects of other people, as a test of one's own.
    """
    found: dict[str, Any] = {}
    for value in values:
        for part in (value, *getattr(value, "__dict__", {}).values()):
            found[str(len(found))] = part
            # What a function of a notebook uses: the notebook itself travels anyway.
            for name, used in getattr(part, "__globals__", {}).items():
                if name in part.__code__.co_names:
                    found[str(len(found))] = used
    known = cloudpickle.list_registry_pickle_by_value()
    modules = [module for module in local_modules(found) if module.__name__ not in known]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        cloudpickle.dumps(values)  # of a module it takes what is used
    except Exception:  # noqa: BLE001 (whatever a stranger's object raises)
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)
            have_travel(module)


def have_travel(module: types.ModuleType) -> None:
    """Have a module travel by value; one that holds what cannot travel (a lock, a connection) stays by reference."""
    if module.__name__ in cloudpickle.list_registry_pickle_by_value():
        return
    cloudpickle.register_pickle_by_value(module)
    try:
        cloudpickle.dumps(module)
    except Exception as error:  # noqa: BLE001 (whatever a stranger's object raises)
        cloudpickle.unregister_pickle_by_value(module)
        _LOG.warning("%s does not travel (%s): workers need the same file", module.__file__, error)
