"""Descriptions of the axes of cells, in words: what the legend of a report says of a topology or an object.

Examples
--------
>>> clipped("two jets or more"), clipped(None)
('two jets or more', '')
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

NO_PHYSICS = "no physics"
"""Mark, in the metadata of a field, of what is said for people alone: it does not count in a plan's fingerprint."""
ONLY_IF_GIVEN = "counts only if given"
"""Mark, in the metadata of a field, of what is no part of a plan's fingerprint while it is empty: older ones stay."""
LONGEST = 500
"""Characters of a description; the rest is cut off."""
KIND_ROLE, ENERGY_ROLE, LUMINOSITY_ROLE = "kind of events", "collision energy", "integrated luminosity"
"""Under these an output says what its events are, among its choices; the luminosity by era."""

_APPROXIMATE = "approximate: "


def is_approximate(used: str) -> bool:
    """Tell whether an output says that something was made approximately, among its choices.

    Examples
    --------
    >>> is_approximate("approximate: soft term minus jets"), is_approximate("PuppiMET_pt")
    (True, False)
    """
    return used.startswith(_APPROXIMATE)


def clipped(text: Any) -> str:
    """Return a description, cut where it is too long, as one from a stranger's file may be; ``None`` is empty."""
    text = str(text or "")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"


def described(predicate: Callable[..., Any]) -> str:
    """Return the docstring of a predicate in one line, up to its sections, with the values of an instance.

    Nothing where it has none.

    Examples
    --------
    >>> def boosted(ev):
    ...     '''Return which events have a fat jet.'''
    >>> described(boosted), described(lambda ev: ev)
    ('events that have a fat jet', '')
    """
    function = predicate.func if isinstance(predicate, functools.partial) else predicate
    is_value = dataclasses.is_dataclass(function) and not isinstance(function, type)
    if not is_value and not inspect.isroutine(function):
        return ""
    words = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    sections = (number for number, text in enumerate(words) if re.match(r".+\n-+(\n|$)", text))
    text = " ".join(" ".join(words[: next(sections, len(words))]).replace("``", "").split())
    text = re.sub(r"^Returns? which events ", "events that ", text)
    return clipped(f"{text.rstrip('.')}: {function!r}" if is_value and text else text.rstrip("."))
