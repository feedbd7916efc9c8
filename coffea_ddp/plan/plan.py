"""The plan: which symmetries, observables, cells and objects; frozen, with a fingerprint.

Examples
--------
Any two exclusive properties of an event make a symmetry:

>>> from coffea_ddp.plan.observables import observable, pt_l0, met
>>> from coffea_ddp.histograms.cells import Multiplicity
>>> charge = Symmetry(
...     "l-/l+",
...     a=lambda ev: ev.leading("lepton").charge < 0,
...     b=lambda ev: ev.leading("lepton").charge > 0,
...     observables=(observable(pt_l0, met), observable(pt_l0)),
... )
>>> plan = ScanPlan("charge", symmetries=(charge,), cells=(Multiplicity("j", last=3),))
>>> charge.sides, plan.layout.grid.n_cells, [channel.name for channel in plan.layout.channels]
(('l-', 'l+'), 7, ['events', 'pt_l0 x met', 'pt_l0'])
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import hist
import numpy as np

from coffea_ddp.errors import InputError, OverlapError, PlanError
from coffea_ddp.events.objects import MergedObject, ObjectDefinition
from coffea_ddp.events.selected import SelectedEvents
from coffea_ddp.events.values import check_unmasked, weights
from coffea_ddp.histograms.cells import CellGrid, Multiplicity, Topology
from coffea_ddp.histograms.layout import EVENTS, FeatureLayout, Layout, SpectrumLayout, SymmetryLayout
from coffea_ddp.plan.checks import all_of, check_apart, check_definitions
from coffea_ddp.plan.fingerprint import digest
from coffea_ddp.plan.nanoaod import standard_objects
from coffea_ddp.plan.observables import Feature, Observable
from coffea_ddp.plan.selections import GoodRuns, Trigger
from coffea_ddp.spectra.spectrum import Resolution

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import BoolArray, FloatArray

SIDE_A, SIDE_B, NEITHER = 0, 1, -1

RESERVED = ("run", "luminosityBlock", "event", "cell", "sides", "weight")
"""The columns of stored events that are no features."""

Predicate = Callable[[SelectedEvents], Any]


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

    Raises
    ------
    InputError
        If kappa is not a positive number.
    PlanError
        If two observables have one name.
    """

    name: str
    a: Predicate
    b: Predicate
    observables: tuple[Observable, ...]
    kappa: float = 1.0
    sides: tuple[str, str] = ("", "")

    def __post_init__(self) -> None:
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
        observables = all_of(f"symmetry {self.name!r}", "observables", self.observables, Observable)
        object.__setattr__(self, "observables", observables)
        names = [observable.name for observable in self.observables]
        if len(set(names)) != len(names) or EVENTS in names:
            raise PlanError(
                f"symmetry {self.name!r}: observables {names}; each needs a name of its own, and not {EVENTS!r}"
            )
        if not all(self.sides):
            object.__setattr__(self, "sides", _side_names(self.name))

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
class Spectrum:
    """A mass spectrum: one number an event, on one axis.

    Parameters
    ----------
    name
        For example ``"2mu+j"``.
    mass
        A function of the selection that gives one mass an event in GeV; NaN where there is none.
    axis
        ``hist`` axis with flow bins (see :func:`coffea_ddp.spectra.spectrum.resolution_axis`).
    resolution
        How well the mass is measured: the width of a narrow signal.
    masks
        Ranges (low, high, name) of known resonances in GeV, which the bump hunt leaves out.
    exchange_name
        In the exchange format; by default that of the mass function, if it has one, or the name.

    Raises
    ------
    PlanError
        If the axis is no Regular or Variable one with flow bins, or a mask is no range.
    """

    name: str
    mass: Predicate
    axis: Any
    resolution: Resolution | None = None
    masks: tuple[tuple[float, float, str], ...] = ()
    exchange_name: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.axis, hist.axis.Regular | hist.axis.Variable):
            raise PlanError(f"spectrum {self.name!r}: {self.axis!r} is no Regular or Variable axis of `hist`")
        if not (self.axis.traits.underflow and self.axis.traits.overflow):
            raise PlanError(f"spectrum {self.name!r}: its axis has no flow bins; make it with flow=True")
        for low, high, name in self.masks:
            if not low < high:
                raise PlanError(f"spectrum {self.name!r}: the mask {name!r} from {low} to {high} is no range")
        if not self.exchange_name:
            object.__setattr__(self, "exchange_name", getattr(self.mass, "exchange_name", self.name))

    @property
    def objects(self) -> tuple[str, ...]:
        """The names of the objects whose mass it is, where the mass function tells them."""
        return tuple(getattr(self.mass, "objects", ()))

    @property
    def decays_to(self) -> tuple[str, ...]:
        """The objects and candidates that decay products are seen as, where the mass function tells them."""
        return tuple(getattr(self.mass, "decays_to", ()))

    def masses(self, events: SelectedEvents) -> FloatArray:
        """Return the mass of every event in GeV, shape (n_events,); NaN where there is none.

        Raises
        ------
        InputError
            If the function does not give one number an event.
        """
        found = self.mass(events)
        try:
            masses = np.asarray(found, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"spectrum {self.name!r}: its function gave no array of numbers ({str(error).splitlines()[0]})"
            ) from error
        if masses.shape != (events.n_events,):
            raise InputError(
                f"spectrum {self.name!r}: its function gave an array of shape {masses.shape} for {events.n_events} "
                "events; it must return one mass an event, NaN where there is none"
            )
        check_unmasked(f"spectrum {self.name!r}", found, "write NaN where there is none: values.filled(numpy.nan)")
        return masses


@dataclass(frozen=True)
class _Equals:
    function: Predicate
    side: int

    def __call__(self, events: SelectedEvents) -> Any:
        return np.asarray(self.function(events)) == self.side


def _side_names(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    return (first.strip(), rest.split(" ")[0].strip()) if slash and rest.strip() else ("A", "B")


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


_PARTS: dict[str, tuple[type, ...]] = {
    "symmetries": (Symmetry,),
    "objects": (ObjectDefinition, MergedObject),
    "cells": (Multiplicity, Topology),
    "features": (Feature,),
    "spectra": (Spectrum,),
}
"""What a plan is made of."""


@dataclass(frozen=True)
class ScanPlan:
    """Everything that a pass over the data needs to know.

    Parameters
    ----------
    name
        The plan's name, shown wherever its output is.
    symmetries
        What is compared, all in one pass.
    objects
        Object definitions, in the order in which they clean each other.
    cells
        The axes of the grid of cells.
    selection
        Events that fail are not looked at.
    trigger, good_runs
        Applied before anything else; the good-run list to data only (a file with ``genWeight`` is simulation).
    weight
        A function that gives every event a weight; then sums of weights and of squared weights are kept beside the
        counts.
    features
        Stored per event besides those of the observables.
    max_stored
        Number of events stored per symmetry and exclusive cell; rarer cells are stored whole. 0 stores none.
    spectra
        Mass spectra, filled in the same pass; of all selected events, on a side of a symmetry or not.

    Attributes
    ----------
    fingerprint
        The digest of all of the above and of the files that define the functions in it; outputs of different
        fingerprints are never added. Made once, where the plan is: a worker does not need those files.

    Raises
    ------
    PlanError
        If names are not unique, a multiplicity or a spectrum needs an object that is not defined, or one candidate of
        the file could be two objects of a spectrum.
    """

    name: str
    symmetries: tuple[Symmetry, ...] = ()
    objects: tuple[ObjectDefinition | MergedObject, ...] = field(default_factory=standard_objects)
    cells: tuple[Multiplicity | Topology, ...] = ()
    selection: Predicate | None = None
    trigger: Trigger | None = None
    good_runs: GoodRuns | None = None
    weight: Predicate | None = None
    features: tuple[Feature, ...] = ()
    max_stored: int = 5_000
    spectra: tuple[Spectrum, ...] = ()
    fingerprint: str = field(default="", init=False)

    def __post_init__(self) -> None:
        for name, kinds in _PARTS.items():
            object.__setattr__(self, name, all_of(f"plan {self.name!r}", name, getattr(self, name), *kinds))
        check_definitions(self.objects)
        names = [symmetry.name for symmetry in self.symmetries]
        if len(set(names)) != len(names):
            raise PlanError(f"plan {self.name!r}: symmetries {names}; every symmetry needs a name of its own")
        spectra = [spectrum.name for spectrum in self.spectra]
        if len(set(spectra)) != len(spectra):
            twice = next(name for name in spectra if spectra.count(name) > 1)
            raise PlanError(f"plan {self.name!r}: two spectra are called {twice!r}; every one needs a name of its own")
        for spectrum in self.spectra:
            check_apart(f"plan {self.name!r}, spectrum {spectrum.name!r}", spectrum.objects, self.objects)
        known = [definition.name for definition in self.objects]
        for axis in self.cells:
            if isinstance(axis, Multiplicity) and axis.of not in known:
                raise PlanError(
                    f"plan {self.name!r}: the multiplicity {axis.name!r} counts {axis.of!r}, "
                    f"which is no object of the plan; the objects are: {', '.join(known) or 'none'}"
                )
            if isinstance(axis, Topology) and axis.predicate is None:
                raise PlanError(f"plan {self.name!r}: the topology {axis.name!r} has no predicate")
        if self.max_stored < 0:
            raise PlanError(f"plan {self.name!r}: max_stored={self.max_stored}; give 0 or a positive number")
        self._unique_features()
        object.__setattr__(self, "fingerprint", digest(self))

    def _unique_features(self) -> None:
        by_name: dict[str, Feature] = {}
        taken = [feature.name for feature in self.all_features if feature.name in RESERVED]
        if taken:
            raise PlanError(
                f"plan {self.name!r}: a feature cannot be called {taken[0]!r}; "
                f"stored events have columns {', '.join(RESERVED)} of their own"
            )
        for feature in self.all_features:
            if by_name.setdefault(feature.name, feature) != feature:
                raise PlanError(f"plan {self.name!r}: two different features are called {feature.name!r}")

    @cached_property
    def all_features(self) -> tuple[Feature, ...]:
        """The features of all observables and the extra ones, each once."""
        found = [
            feature
            for symmetry in self.symmetries
            for observable in symmetry.observables
            for feature in observable.features
        ]
        return tuple(dict.fromkeys([*found, *self.features]))

    @cached_property
    def layout(self) -> Layout:
        """The structure of the plan's output, as pure data."""
        symmetries = tuple(
            SymmetryLayout(s.name, s.sides, float(s.kappa), tuple((o.name, o.axes) for o in s.observables))
            for s in self.symmetries
        )
        features = tuple(FeatureLayout(f.name, f.label, f.unit) for f in self.all_features)
        return Layout(
            self.name,
            self.fingerprint,
            # The output carries no code: predicates stay in the plan.
            CellGrid(tuple(Topology(axis.name) if isinstance(axis, Topology) else axis for axis in self.cells)),
            symmetries,
            features,
            self.weight is not None,
            self.max_stored,
            tuple(
                SpectrumLayout(s.name, s.axis, s.resolution, tuple(s.masks), s.exchange_name, s.decays_to)
                for s in self.spectra
            ),
        )

    def weights(self, events: SelectedEvents) -> FloatArray | None:
        """Return the events' weights, shape (n_events,), or ``None`` for a plan without.

        Raises
        ------
        InputError
            If they are not one finite number an event; the first that is not is named.
        """
        if self.weight is None:
            return None
        return weights(f"plan {self.name!r}, {events.source}: weight", self.weight(events), events.n_events)
