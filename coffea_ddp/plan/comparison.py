"""A comparison of data with simulation: two kinds of datasets in one pass, and what may be wrong with the simulation.

Examples
--------
>>> from coffea_ddp.plan.observables import m_ll, observable
>>> from coffea_ddp.plan.plan import ScanPlan
>>> both = Comparison(
...     "data/simulation", (observable(m_ll),), variations=(Shift("electron energy", "Electron_pt", 1.01),)
... )
>>> ScanPlan("compared", comparisons=(both,)).layout.comparisons[0].n_columns
3
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp._text import printable
from coffea_ddp.errors import InputError, PlanError
from coffea_ddp.events.values import weights
from coffea_ddp.histograms.comparison_layout import ComparisonLayout
from coffea_ddp.histograms.layout import EVENTS
from coffea_ddp.plan.checks import all_of, check_name, one_bool_each
from coffea_ddp.plan.observables import Observable
from coffea_ddp.plan.symmetry import Predicate

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray
    from coffea_ddp.events.selected import SelectedEvents

By = float | str | Callable[[Any], Any]
"""A factor, the name of a branch to take instead, or a function of the values of the branch."""


@dataclass(frozen=True)
class Variation:
    """Other weights of simulated events: one standard deviation up and down.

    Parameters
    ----------
    name
        Variations of one name, in whatever comparison, move together.
    up, down
        Functions of the selected events that give a factor on the weight of each event: 1.02 where an efficiency may be
        2 % larger. Without ``down`` the factor is 2 minus that of ``up``.

    Raises
    ------
    PlanError
        If one is no function.

    Examples
    --------
    >>> Variation("muon efficiency", up=lambda ev: 1.0 + 0.01 * ev.count("mu")).name
    'muon efficiency'
    """

    name: str
    up: Predicate
    down: Predicate | None = None

    def __post_init__(self) -> None:
        """Check the functions."""
        for which, function in (("up", self.up), ("down", self.down)):
            if not callable(function) and not (which == "down" and function is None):
                raise PlanError(
                    f"variation {self.name!r}: {which}={function!r} is no function; write {which}=lambda ev: ..., one "
                    "factor an event (or Shift(name, branch, by) for a shifted energy)"
                )

    def factors(self, events: SelectedEvents) -> tuple[FloatArray, FloatArray]:
        """Return the factors on the weights of events, up and down; shape (n_events,) each.

        Raises
        ------
        InputError
            If a function does not give one finite number an event.
        """
        what = f"variation {self.name!r}, {events.source}"
        up = weights(f"{what}: up", self.up(events), events.n_events)
        if self.down is None:
            return up, 2.0 - up
        return up, weights(f"{what}: down", self.down(events), events.n_events)


@dataclass(frozen=True)
class Shift:
    """Other contents of a branch of simulated events, an energy above all; objects are selected anew with them.

    Parameters
    ----------
    name
        Shifts and variations of one name move together.
    branch
        The branch that is shifted, as ``"Jet_pt"``; in all objects that are made of it.
    up, down
        A factor, the name of a branch of the file to take instead (``"Jet_pt_jesTotalUp"``), or a function of the
        flat values. Without ``down`` a factor is divided by instead of multiplied with; else it has to be given.

    Raises
    ------
    PlanError
        If something else is given, or ``down`` is needed and missing.

    Examples
    --------
    >>> Shift("jet energy", "Jet_pt", 1.02).moved(np.array([100.0]), up=False).round(2)
    array([98.04])
    """

    name: str
    branch: str
    up: By
    down: By | None = None

    def __post_init__(self) -> None:
        """Check what is given."""
        if self.down is None and not isinstance(self.up, int | float):
            raise PlanError(f"shift {self.name!r}: give down= as well; only a factor has an opposite by itself")
        for which, by in (("up", self.up), ("down", self.down)):
            factor = isinstance(by, int | float) and not isinstance(by, bool) and math.isfinite(by) and by > 0
            if not (factor or isinstance(by, str) or callable(by) or (which == "down" and by is None)):
                raise PlanError(
                    f"shift {self.name!r}: {which}={by!r}; give a factor above 0, the name of a branch, or a function"
                )

    def by(self, *, up: bool) -> By:
        """Return what is done to the branch."""
        if up:
            return self.up
        return 1.0 / self.up if self.down is None else self.down  # type: ignore[operator]

    def moved(self, values: Any, *, up: bool) -> Any:
        """Return shifted values of the branch, of a shift that is no branch.

        Raises
        ------
        InputError
            If a function gives anything but one number for each value.
        """
        by = self.by(up=up)
        found = np.asarray(by(values) if callable(by) else values * by)
        if found.shape != np.shape(values) or found.dtype.kind not in "iuf":
            raise InputError(
                f"shift {self.name!r} of {self.branch}: got {found.dtype} of shape {found.shape} for "
                f"{len(values)} values; give one number for each"
            )
        return found


@dataclass(frozen=True)
class Comparison:
    """Data beside simulation: the sides are the kinds of the datasets, and each dataset is counted for itself.

    The kind is that of the dataset's metadata (``"kind"``), or that of the file: one with ``genWeight`` is simulation.
    How many events of data a simulated dataset stands for is decided when a scan uses the counts, by the cross section
    in pb (``"cross_section"``), the luminosity of the data in 1/fb (``"luminosity"``) and the sum of the generator
    weights of all files.

    Parameters
    ----------
    name
        For example ``"data/simulation"``.
    observables
        What is compared.
    data, simulation
        Functions of the selected events that give one bool an event: events of data, and of simulation, that fail are
        left out. All are taken without.
    weight
        A function of simulated events that gives each a factor on its generator weight: scale factors, pile-up.
    variations
        What may be wrong with the simulation: :class:`Variation` and :class:`Shift`.

    Raises
    ------
    PlanError
        If something is no function, or two observables or variations have one name.

    Examples
    --------
    >>> from coffea_ddp.plan.observables import m_ll, observable
    >>> Comparison(observables=(observable(m_ll, bins=20),))
    Comparison('data/simulation', observables: m_ll, variations: none)
    """

    name: str = "data/simulation"
    observables: tuple[Observable, ...] = ()
    data: Predicate | None = None
    simulation: Predicate | None = None
    weight: Predicate | None = None
    variations: tuple[Variation | Shift, ...] = ()

    def __post_init__(self) -> None:
        """Check the parts."""
        check_name("comparison", self.name)
        what = f"comparison {self.name!r}"
        for which in ("data", "simulation", "weight"):
            function = getattr(self, which)
            if function is not None and not callable(function):
                raise PlanError(
                    f"{what}: {which}={function!r} is no function; the sides are the kinds of the datasets, and "
                    f"{which}=lambda ev: ... is asked of their events"
                )
        kinds = {"observables": (Observable,), "variations": (Variation, Shift)}
        for name, types in kinds.items():
            object.__setattr__(self, name, all_of(what, name, getattr(self, name), *types))
            names = [one.name for one in getattr(self, name)]
            if len(set(names)) != len(names) or (name == "observables" and EVENTS in names):
                raise PlanError(f"{what}: {name} {names}; each needs a name of its own, and not {EVENTS!r}")

    def __repr__(self) -> str:
        """Return the name, and the names of observables and variations."""
        observables, variations = (
            ", ".join(one.name for one in of) or "none" for of in (self.observables, self.variations)
        )
        return printable(f"Comparison({self.name!r}, observables: {observables}, variations: {variations})")

    @property
    def layout(self) -> ComparisonLayout:
        """The comparison as pure data."""
        observables = tuple((one.name, one.axes) for one in self.observables)
        return ComparisonLayout(self.name, observables, tuple(one.name for one in self.variations))

    def wanted(self, events: SelectedEvents) -> BoolArray:
        """Return which events of one dataset are compared, shape (n_events,).

        Raises
        ------
        InputError
            If a function does not give one bool an event.
        """
        side = "data" if events.is_data else "simulation"
        function = self.data if events.is_data else self.simulation
        if function is None:
            return np.ones(events.n_events, dtype=bool)
        return one_bool_each(f"comparison {self.name!r}, {side}", function(events), events)

    def weights(self, events: SelectedEvents, generated: FloatArray) -> FloatArray:
        """Return the weights of simulated events, shape (n_events,): the factor of the comparison on those given.

        Raises
        ------
        InputError
            If the function does not give one finite number an event.
        """
        if self.weight is None:
            return generated
        what = f"comparison {self.name!r}, {events.source}: weight"
        return weights(what, weights(what, self.weight(events), events.n_events) * generated, events.n_events)
