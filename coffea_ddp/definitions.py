"""What the object definitions of a plan must fulfil together.

Examples
--------
>>> from coffea_ddp.objects import ObjectDefinition
>>> jet = ObjectDefinition("j", "Jet")
>>> check_apart("the mass of j+b", ("j", "b"), (jet, ObjectDefinition("b", "Jet", away_from=(("j", 0.4),))))
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from coffea_ddp.errors import PlanError
from coffea_ddp.objects import MergedObject, ObjectDefinition


def check_definitions(definitions: Sequence[ObjectDefinition | MergedObject]) -> None:
    """Raise :class:`PlanError` if a name is used twice, or something is cleaned or merged with what comes later."""
    known: list[str] = []
    for definition in definitions:
        if definition.name in known:
            raise PlanError(f"object {definition.name!r} is defined twice; give every object a name of its own")
        needs = definition.of if isinstance(definition, MergedObject) else [name for name, _ in definition.away_from]
        for name in needs:
            if name not in known:
                raise PlanError(
                    f"object {definition.name!r} refers to {name!r}, which is not defined before it; "
                    f"the objects before it are: {', '.join(known) or 'none'}"
                )
        known.append(definition.name)


def check_apart(what: str, names: Sequence[str], definitions: Sequence[ObjectDefinition | MergedObject]) -> None:
    """Raise :class:`PlanError` if an object is not defined, or one candidate of the file could be two of the objects.

    Two definitions of one collection are kept apart by ``away_from``, or by cuts that exclude each other; the latter
    nobody can tell from the definitions, so the former is asked for.
    """
    known = {definition.name: definition for definition in definitions}
    for name in names:
        if name not in known:
            raise PlanError(f"{what}: no object {name!r} in the plan; the objects are: {', '.join(known) or 'none'}")
    for one, other in itertools.combinations(dict.fromkeys(names), 2):
        first, second = _collections(one, known), _collections(other, known)
        for a, b in itertools.product(first, second):
            if a.collection == b.collection and not _apart(a, b):
                raise PlanError(
                    f"{what}: {one!r} and {other!r} are both of {a.collection}, and nothing keeps one candidate from "
                    f"being both; define one with away_from=(({a.name!r}, 0.4),) or the like"
                )


def _collections(name: str, known: dict[str, ObjectDefinition | MergedObject]) -> list[ObjectDefinition]:
    definition = known[name]
    if isinstance(definition, MergedObject):
        return [one for part in definition.of for one in _collections(part, known)]
    return [definition]


def _apart(a: ObjectDefinition, b: ObjectDefinition) -> bool:
    return a.name in dict(b.away_from) or b.name in dict(a.away_from)
