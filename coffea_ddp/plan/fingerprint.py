"""A plan's fingerprint: the same for the same physics, another one when a threshold, an axis or a function changes.

Functions count by their source text, the values in their closures and defaults, the functions and constants of their
module that they use, and the whole file that defines them; so two plans that differ in nothing but which side is called
A, or in a helper three calls deep, have different fingerprints. The package's own functions count by their text. Of
modules that the file imports, those count whole that no installed package owns: a file beside the plan, a checkout.

Examples
--------
>>> digest((1, "a", 0.5)) == digest((1, "a", 0.5)), digest((1, "a", 0.5)) == digest((1, "a", 0.6))
(True, False)
>>> digest(lambda x: x > 1) == digest(lambda x: x < 1)
False
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from coffea_ddp._local_modules import local_modules
from coffea_ddp.histograms.descriptions import NO_PHYSICS, ONLY_IF_GIVEN

_PLAIN = (str, bytes, bool, int, float, type(None))


def digest(value: Any) -> str:
    """Return 16 hexadecimal digits that tell values apart."""
    return hashlib.sha256(_describe(value, frozenset()).encode()).hexdigest()[:16]


def _describe(value: Any, seen: frozenset[int]) -> str:
    if isinstance(value, (*_PLAIN, np.generic)):
        return f"{type(value).__name__}:{value!r}"
    if id(value) in seen:
        return "again"
    seen = seen | {id(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = [
            f"{f.name}={_describe(getattr(value, f.name), seen)}"
            for f in dataclasses.fields(value)
            if NO_PHYSICS not in f.metadata and not (ONLY_IF_GIVEN in f.metadata and not getattr(value, f.name))
        ]
        return f"{type(value).__name__}({','.join(parts)}){_methods(type(value), seen)}"
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _describe_container(value, seen)
    if isinstance(value, np.ndarray):
        return f"array({value.dtype},{value.shape},{hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()})"
    return _describe_code(value, seen)


def _describe_container(value: Any, seen: frozenset[int]) -> str:
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_describe(k, seen)}:{_describe(v, seen)}" for k, v in value.items()) + "}"
    items = [_describe(item, seen) for item in value]
    return f"{{{','.join(sorted(items))}}}" if isinstance(value, set | frozenset) else f"[{','.join(items)}]"


def _describe_code(value: Any, seen: frozenset[int]) -> str:
    if isinstance(value, functools.partial):
        return f"partial({_describe(value.func, seen)},{_describe(value.args, seen)},{_describe(value.keywords, seen)})"
    if isinstance(value, types.MethodType):
        return f"method({value.__func__.__qualname__},{_describe(value.__self__, seen)})"
    if isinstance(value, types.FunctionType):
        parts = [_source(value), _describe(value.__defaults__, seen), _closure(value, seen)]
        return f"function({','.join(parts)},{'' if _is_own(value) else _around(value, seen)})"
    if isinstance(value, type | types.BuiltinFunctionType | np.ufunc):
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', getattr(value, '__name__', ''))}"
    # hist axes and other values of libraries: their repr shows what they are, edges to the last digit apart.
    text = repr(value)
    if " at 0x" in text:  # an address: what is inside instead, and what it does
        text = _describe(getattr(value, "__dict__", {}), seen) + _methods(type(value), seen)
    edges = getattr(value, "edges", None)
    return f"{type(value).__name__}:{text}{_describe(edges, seen) if isinstance(edges, np.ndarray) else ''}"


def _is_own(value: Any) -> bool:
    return _is_own_name(str(value.__module__))


def _is_own_name(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] == __name__.split(".", maxsplit=1)[0]


def _methods(cls: type, seen: frozenset[int]) -> str:
    """Describe what a user's class does: its methods (of the generated ones none), and those of its bases beside it."""
    if _is_own(cls):
        return ""
    found = {
        f"{base.__qualname__}.{name}": member
        for base in cls.__mro__
        if base.__module__ == cls.__module__
        for name, member in vars(base).items()
        if isinstance(member, types.FunctionType) and (name == "__call__" or not name.startswith("__"))
    }
    return _describe(found, seen)


def _source(function: types.FunctionType) -> str:
    code = function.__code__
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):  # typed at a prompt, or built at run time
        text = _bytecode(code)
    names = _names(code)
    # Two lambdas on one line share their source line: where their bodies lie in it tells them apart.
    columns = sorted({(start, end) for _, _, start, end in code.co_positions() if start is not None and start != end})
    return f"{function.__qualname__}|{text}|{names}|{columns if '<lambda>' in function.__name__ else ''}"


def _names(code: types.CodeType) -> tuple[Any, ...]:
    return code.co_names, tuple(repr(c) for c in code.co_consts if isinstance(c, _PLAIN))


def _bytecode(code: types.CodeType) -> str:
    """Describe compiled code, with the functions and comprehensions inside of it."""
    inner = [_bytecode(constant) for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return f"{hashlib.sha256(code.co_code).hexdigest()}{_names(code)}{inner}"


def _around(function: types.FunctionType, seen: frozenset[int]) -> str:
    """Describe the defining file, and the module's functions and constants that a user's function refers to."""
    used = {name: function.__globals__[name] for name in function.__code__.co_names if name in function.__globals__}
    plain = {
        name: value
        for name, value in sorted(used.items())
        if isinstance(value, (*_PLAIN, tuple, types.FunctionType, functools.partial))
    }
    modules = sorted(_file_digest(str(module.__file__)) for module in local_modules(function.__globals__))
    return f"{_file_digest(function.__code__.co_filename)},{_describe(plain, seen)}{','.join(['', *modules])}"


def _file_digest(path: str) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:  # a notebook's cell, a prompt
        return ""


def _closure(function: types.FunctionType, seen: frozenset[int]) -> str:
    cells = function.__closure__ or ()
    return ",".join(_describe(cell.cell_contents, seen) for cell in cells)
