"""A symmetry: two mutually exclusive samples of events that come from one distribution.

Examples
--------
Any two exclusive properties of an event make one:

>>> charge = Symmetry(
...     "l-/l+", lambda ev: ev.leading("lepton").charge < 0, lambda ev: ev.leading("lepton").charge > 0, ()
... )
>>> charge.sides, charge.kappa
(('l-', 'l+'), 1.0)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp._text import printable
from coffea_ddp.errors import InputError, OverlapError, PlanError
from coffea_ddp.events.selected import SelectedEvents
from coffea_ddp.histograms.layout import EVENTS
from coffea_ddp.plan.checks import all_of, check_name, one_bool_each
from coffea_ddp.plan.exchange import FlavourExchange
from coffea_ddp.plan.observables import Observable

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE_A, SIDE_B, NEITHER = 0, 1, -1

Predicate = Callable[[SelectedEvents], Any]
"""A function of the selected events that returns one value an event."""


@dataclass(frozen=True)
class Symmetry:
    """Two mutually exclusive samples, A and B, of one distribution.

    Parameters
    ----------
    name
        ``"A/B what"``: the text before and after the slash names the sides unless ``sides`` does.
    a, b
        Functions of the selection that give one bool an event. B is the side whose excess makes N_sigma positive.
    observables
        What is compared.
    kappa
        The expected ratio E[B] / E[A], for example of efficiencies.
    sides
        Names of A and B.
    exchange
        What B is made of by exchanging electrons and muons; such a symmetry can be calibrated for their efficiencies.
        ``None`` for others, of which kappa says what is expected.

    Raises
    ------
    InputError
        If kappa is not a positive number.
    PlanError
        If two observables have one name.

    Examples
    --------
    >>> from coffea_ddp.plan.observables import met, observable
    >>> Symmetry("l-/l+", lambda ev: ev.count("e") > 0, lambda ev: ev.count("mu") > 0, (observable(met),))
    Symmetry('l-/l+', sides=('l-', 'l+'), kappa=1, observables: met)
    """

    name: str
    a: Predicate
    b: Predicate
    observables: tuple[Observable, ...]
    kappa: float = 1.0
    sides: tuple[str, str] = ("", "")
    exchange: FlavourExchange | None = None

    def __post_init__(self) -> None:
        check_name("symmetry", self.name)
        for which, side in (("a", self.a), ("b", self.b)):
            if not callable(side):
                raise PlanError(
                    f"symmetry {self.name!r}: {which}={side!r} is no function; write {which}=lambda ev: ..., "
                    'one bool an event, as in lambda ev: ev.count("mu") >= 1'
                )
        if not (math.isfinite(self.kappa) and self.kappa > 0):
            raise InputError(
                f"symmetry {self.name!r}: kappa={self.kappa}; the expected ratio B/A must be a positive number"
            )
        if self.exchange is not None and not isinstance(self.exchange, FlavourExchange):
            raise PlanError(
                f"symmetry {self.name!r}: exchange={self.exchange!r}; give FlavourExchange(), or None where no "
                "flavours are exchanged"
            )
        observables = all_of(f"symmetry {self.name!r}", "observables", self.observables, Observable)
        object.__setattr__(self, "observables", observables)
        names = [observable.name for observable in self.observables]
        if len(set(names)) != len(names) or EVENTS in names:
            raise PlanError(
                f"symmetry {self.name!r}: observables {names}; each needs a name of its own, and not {EVENTS!r}"
            )
        if not all(self.sides):
            object.__setattr__(self, "sides", _side_names(self.name))

    def __repr__(self) -> str:
        """Return the name, the sides and the names of the observables."""
        names = ", ".join(observable.name for observable in self.observables)
        return printable(f"Symmetry({self.name!r}, sides={self.sides}, kappa={self.kappa:g}, observables: {names})")

    @classmethod
    def from_side(cls, name: str, side: Predicate, observables: tuple[Observable, ...], **options: Any) -> Symmetry:
        """Return the symmetry of one function that gives 0 for side A, 1 for side B and -1 for neither."""
        return cls(name, _Equals(side, SIDE_A), _Equals(side, SIDE_B), observables, **options)

    def assign(self, events: SelectedEvents) -> NDArray[np.int8]:
        """Return the side of every event: 0 is A, 1 is B, -1 neither.

        Raises
        ------
        OverlapError
            If an event is on both sides.
        InputError
            If a side's function does not give one bool an event.
        """
        on_a, on_b = (
            one_bool_each(f"symmetry {self.name!r}, side {which}", side(events), events)
            for which, side in (("A", self.a), ("B", self.b))
        )
        both = np.count_nonzero(on_a & on_b)
        if both:
            raise OverlapError(
                f"symmetry {self.name!r}: {both} of {events.n_events} events in {events.source} are on both sides, "
                f"{self.sides[0]!r} and {self.sides[1]!r}; make the two conditions exclude each other"
            )
        result = np.full(events.n_events, NEITHER, dtype=np.int8)
        result[on_a] = SIDE_A
        result[on_b] = SIDE_B
        return result


@dataclass(frozen=True)
class _Equals:
    function: Predicate
    side: int

    def __call__(self, events: SelectedEvents) -> Any:
        # Asked once for both sides; a function is known by its address, since not all can be hashed.
        return events.once((_Equals, id(self.function)), lambda: np.asarray(self.function(events))) == self.side


def _side_names(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    return (first.strip(), rest.split(" ")[0].strip()) if slash and rest.strip() else ("A", "B")
