"""Errors of the package: each says what was given, what is wrong with it, and what to do.

Every error tells what was given, what is wrong with it, and what to do. The command line prints the message without a
traceback and exits with code 1.

Examples
--------
>>> raise InputError("bins=0: an axis needs at least one bin; give bins >= 1")
Traceback (most recent call last):
...
coffea_ddp.errors.InputError: bins=0: an axis needs at least one bin; give bins >= 1
"""

from __future__ import annotations

import builtins
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

from coffea_ddp._text import printable


class DDPError(Exception):
    """Base class of all errors that coffea_ddp raises on purpose.

    Examples
    --------
    >>> try:
    ...     raise InputError("n=-1: give 0 or more")
    ... except DDPError as error:
    ...     print(error)
    n=-1: give 0 or more
    """

    def __str__(self) -> str:
        """Return the message, with control characters of the names in it spelled out."""
        return printable(super().__str__(), lines=True)


class InputError(DDPError, ValueError):
    """A value, a shape or an option that cannot be used.

    Examples
    --------
    >>> isinstance(InputError("n=-1: give 0 or more"), DDPError)
    True
    """


class PlanError(DDPError):
    """A plan that cannot be loaded or contradicts itself."""


class UnknownNameError(DDPError, KeyError):
    """A symmetry, observable, cell, test or object that does not exist; the message lists those that do.

    Examples
    --------
    >>> isinstance(UnknownNameError("no symmetry 'e/mi'"), DDPError)
    True
    """

    def __str__(self) -> str:
        """Return the message itself (``KeyError`` would show its ``repr``)."""
        return printable(str(self.args[0]), lines=True) if self.args else ""


class BranchError(DDPError):
    """A branch that does not hold what the plan takes it for."""


class MissingBranchError(BranchError):
    """A branch that the plan needs and the file does not have."""


class OverlapError(DDPError):
    """Events that are on both sides of a symmetry."""


class MergeError(DDPError):
    """Outputs that must not be added: the same entries twice, or different plans."""


class FileError(DDPError):
    """A file that cannot be read or written.

    Examples
    --------
    >>> isinstance(FileError("a.root: no such file"), DDPError)
    True
    """


class FormatError(FileError):
    """A file that is not one of ours, or of a version that this package does not know."""


class ClusterError(DDPError):
    """A cluster that cannot do the work: no workers, other versions on them, or lost."""


class OtherCodeError(ClusterError):
    """A process that has other code than the run it was asked to do a part of."""


_LONG = 300


def describe(error: BaseException) -> str:
    """Return the kind of an error and the first line of its message, cut where it is long: some hold whole payloads.

    Examples
    --------
    >>> describe(ValueError("no such thing")), len(describe(ValueError("x" * 10**6)))
    ('ValueError: no such thing', 316)
    """
    text = str(error)[: 2 * _LONG].strip().splitlines()
    first = text[0][:_LONG] + (" ..." if len(text[0]) > _LONG else "") if text else ""
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def named(value: Any) -> str:
    """Return what a value is, for messages about one of the wrong kind.

    Examples
    --------
    >>> named([1]), named(None), named("a.txt"), named({}.items())
    ('a list', 'nothing', "the text 'a.txt'", 'a dict_items')
    """
    if isinstance(value, str):
        return f"the text {value!r}" if value else "an empty text"
    kind = type(value).__name__
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return "nothing" if value is None else f"{'an' if kind[0].lower() in 'aeio' else 'a'} {kind}"


def did_you_mean(given: object, known: Iterable[str], cutoff: float = 0.7) -> str:
    """Return the question whether something else was meant, to stand at the end of a message; empty if nothing is near.

    Examples
    --------
    >>> did_you_mean("nsgima", ["nsigma", "submatrix"]), did_you_mean("x", ["nsigma"])
    (". Did you mean 'nsigma'?", '')
    >>> did_you_mean(3, ["nsigma"])  # something else than a name was given
    ''
    """
    import difflib  # only for an error message

    as_written: dict[str, str] = {}
    for name in known:
        as_written.setdefault(name.lower(), name)
    near = difflib.get_close_matches(str(given).lower(), list(as_written), n=1, cutoff=cutoff)
    return f". Did you mean {as_written[near[0]]!r}?" if near else ""


def some_of(words: Iterable[str], most: int, between: str = ", ") -> str:
    """Return the first words of a list for a message, and how many more there are; empty without any.

    Examples
    --------
    >>> some_of(["'a'", "'b'"], 2), some_of("abcdef", 2), some_of("abc", 1, "; ")
    ("'a', 'b'", 'a, b, ... and 4 more', 'a; ... and 2 more')
    """
    every = list(words)
    return between.join([*every[:most], *([f"... and {len(every) - most:,} more"] if len(every) > most else [])])


def check_progress(function: str, progress: object, takes: str = "done, total, what", *, bar: bool = False) -> None:
    """Stop where progress is to be told to something that cannot be called: before any work, not in its midst.

    Parameters
    ----------
    function, progress
        The name of the function that was called, and what was given to it.
    takes
        The arguments of the function that progress is told to.
    bar
        The function of the package draws a bar where it is given ``True``, and the message says so.

    Raises
    ------
    InputError
        Naming it.

    Examples
    --------
    >>> check_progress("scan", print)
    >>> check_progress("scan", 3)
    Traceback (most recent call last):
    ...
    coffea_ddp.errors.InputError: scan, progress: got an int; give a function of (done, total, what), or None
    """
    if progress is not None and not callable(progress):
        bars = "True for a bar, " if bar else ""
        raise InputError(f"{function}, progress: got {named(progress)}; give {bars}a function of ({takes}), or None")


def hint(error: BaseException) -> str:
    """Return what somebody may have meant whose Python code failed; empty if nothing is near.

    Examples
    --------
    >>> from coffea_ddp.histograms.cells import Multiplicity
    >>> try:
    ...     Multiplicity("j", max=3)
    ... except TypeError as error:
    ...     hint(error)
    '; Multiplicity takes name, last, of, description'
    """
    if isinstance(error, NameError):
        return _of_name(str(error.name), error)
    if isinstance(error, AttributeError) and error.name is not None:
        known = [name for name in dir(error.obj) if not name.startswith("_")]
        listed = f"; it has: {', '.join(known)}" if len(known) <= 20 else ""
        return listed + did_you_mean(error.name, known)
    if isinstance(error, ModuleNotFoundError):
        return did_you_mean(str(error.name), (name for name in sys.modules if "." not in name))
    if isinstance(error, ImportError):
        found = re.match(r"cannot import name '(\w+)'", str(error))
        return did_you_mean(found[1], dir(sys.modules.get(str(error.name)))) if found else ""
    return _of_call(error) if isinstance(error, TypeError) else ""


def _of_name(name: str, error: NameError) -> str:
    public = set(getattr(sys.modules.get("coffea_ddp"), "__all__", ()))
    if name in public:
        return f"; it is coffea_ddp's: `from coffea_ddp import {name}`"
    here = {known for frame in _frames(error) for known in (*frame.f_locals, *frame.f_globals)}
    return did_you_mean(name, sorted(here | public | set(dir(builtins))))


def _of_call(error: TypeError) -> str:
    """Return what a function of the package takes that was called with other arguments."""
    found = re.match(r"(\w+)(?:\.__init__)?\(\) (?:got an unexpected keyword argument '(\w+)'|missing)", str(error))
    function = _public(found[1]) if found else None
    if found is None or function is None:
        return ""
    takes = [name for name in inspect.signature(function).parameters if not name.startswith("_")]
    return f"; {found[1]} takes {', '.join(takes)}{did_you_mean(found[2] or '', takes)}"


def _public(name: str) -> Any:
    package = sys.modules.get("coffea_ddp")
    return getattr(package, name) if name in getattr(package, "__all__", ()) else None


def _frames(error: BaseException) -> Iterator[FrameType]:
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next
