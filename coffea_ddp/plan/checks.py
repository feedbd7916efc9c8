"""Checks of the parts of a plan, and of the arrays that its functions return.

Examples
--------
>>> from coffea_ddp.events.objects import ObjectDefinition
>>> jet = ObjectDefinition("j", "Jet")
>>> check_apart("the mass of j+b", ("j", "b"), (jet, ObjectDefinition("b", "Jet", away_from=(("j", 0.4),))))
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError, PlanError, named
from coffea_ddp.events.objects import MergedObject, ObjectDefinition
from coffea_ddp.events.values import check_unmasked

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray
    from coffea_ddp.events.selected import SelectedEvents


def check_name(what: str, name: Any) -> None:
    """Stop where a part of a plan is called what no report could show, and no file could hold.

    Raises
    ------
    PlanError
        If the name is no text, empty, or has half of a surrogate pair, as of a file name that is not UTF-8.

    Examples
    --------
    >>> check_name("symmetry", "e/mu, μ\u00a0alone")
    >>> check_name("symmetry", 3)
    Traceback (most recent call last):
    ...
    coffea_ddp.errors.PlanError: symmetry: its name is an int; give text
    """
    if not isinstance(name, str) or not name.strip():
        raise PlanError(f"{what}: its name is {named(name)}; give text")
    try:
        name.encode()
    except UnicodeEncodeError as error:
        lone = ascii(name[error.start])
        raise PlanError(f"{what} {name!a}: its name has {lone}, which no file can hold; leave it out") from None


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


def all_of(what: str, name: str, values: Any, *kinds: type) -> tuple[Any, ...]:
    """Return the parts of a plan as a tuple.

    Raises
    ------
    PlanError
        If it is one of them instead of a tuple, or one of another kind is among them.

    Examples
    --------
    >>> all_of("the plan", "widths", [1.5, 2.0], float)
    (1.5, 2.0)
    """
    wanted = " or ".join(kind.__name__ for kind in kinds)
    if isinstance(values, kinds):
        raise PlanError(
            f"{what}: {name} is one {type(values).__name__}; put it into a tuple: {name}=(..., ), with a comma"
        )
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise PlanError(f"{what}: {name}={values!r}; give a tuple of {wanted}")
    found = tuple(values)
    for one in found:
        if not isinstance(one, kinds):
            raise PlanError(f"{what}: {one!r} among the {name} is no {wanted}")
    return found


def one_bool_each(what: str, values: Any, events: SelectedEvents) -> BoolArray:
    """Return a function's answer as an array of one bool an event.

    Raises
    ------
    InputError
        If it is anything else: a mask of another shape would choose other events without a word.
    """
    must = f"its function must return one bool for each of the {events.n_events} events"
    try:
        mask = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what}: got no plain array ({str(error).splitlines()[0]}); {must}") from error
    if mask.shape != (events.n_events,) or mask.dtype != np.bool_:
        raise InputError(f"{what}: got {mask.dtype} of shape {mask.shape}; {must}")
    check_unmasked(what, values, f"{must}, values.filled(False) for example")
    return mask


def one_number_each(what: str, values: Any, events: SelectedEvents) -> FloatArray:
    """Return a function's answer as an array of one number an event, NaN where there is none.

    Raises
    ------
    InputError
        If it is anything else, or some of it is masked.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> one_number_each("feature 'met'", [40, 25], SimpleNamespace(n_events=2)).tolist()
    [40.0, 25.0]
    """
    must = "its function must return one number an event, NaN where there is none"
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{what}: got no array of numbers ({str(error).splitlines()[0]}); {must} "
            "(for awkward: ak.fill_none(..., np.nan))"
        ) from error
    if numbers.shape != (events.n_events,):
        raise InputError(f"{what}: got an array of shape {numbers.shape} for {events.n_events} events; {must}")
    check_unmasked(what, values, "write NaN where there is none: values.filled(numpy.nan)")
    return numbers
