"""The plan: symmetries, observables, cells, objects and spectra of a pass; frozen, with a fingerprint.

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

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from coffea_ddp._text import printable
from coffea_ddp.calibration.calibration import Calibration
from coffea_ddp.errors import PlanError
from coffea_ddp.events.objects import MergedObject, ObjectDefinition
from coffea_ddp.events.values import weights
from coffea_ddp.histograms.cells import CellGrid, Multiplicity, Topology
from coffea_ddp.histograms.descriptions import NO_PHYSICS, ONLY_IF_GIVEN
from coffea_ddp.histograms.layout import CalibrationLayout, FeatureLayout, Layout, SymmetryLayout
from coffea_ddp.histograms.spectrum_layout import SpectrumLayout
from coffea_ddp.histograms.split import EventSplit
from coffea_ddp.plan.calibration_function import CalibrationFunction, as_calibration
from coffea_ddp.plan.checks import all_of, check_apart, check_definitions, check_name
from coffea_ddp.plan.comparison import Comparison
from coffea_ddp.plan.fingerprint import digest
from coffea_ddp.plan.nanoaod import standard_objects
from coffea_ddp.plan.observables import Feature
from coffea_ddp.plan.selections import GoodRuns, Trigger
from coffea_ddp.plan.spectrum import KnownResonance, Spectrum
from coffea_ddp.plan.symmetry import Predicate, Symmetry
from coffea_ddp.plan.tables import plan_html

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.events.selected import SelectedEvents

RESERVED = ("run", "luminosityBlock", "event", "cell", "sides", "share", "share_error", "weight")
"""The columns of stored events that are no features."""


_PARTS: dict[str, tuple[type, ...]] = {
    "symmetries": (Symmetry,),
    "objects": (ObjectDefinition, MergedObject),
    "cells": (Multiplicity, Topology),
    "features": (Feature,),
    "spectra": (Spectrum,),
    "known": (KnownResonance,),
    "comparisons": (Comparison,),
}
"""Parts of a plan, and their types."""


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
    known
        Known resonances. Of every spectrum the events that have one are counted once more, so that a scan can tell
        whether a bump is a reflection of it.
    calibration
        Of the efficiencies of muons and electrons: then every event has its expected share of side B, in all symmetries
        that exchange flavours. kappa stays what is expected of the others. A file's
        (:class:`~coffea_ddp.calibration.calibration.Calibration`), or a function
        (:class:`~coffea_ddp.plan.calibration_function.CalibrationFunction`; a bare one is taken as exact).
    split
        Only this part of the events is taken (:meth:`half`), by a hash of run, luminosity block and event; by default
        all of them. It is no part of the fingerprint, so that what one part shows can be confirmed by the other.
    comparisons
        Of data with simulation (:class:`~coffea_ddp.plan.comparison.Comparison`). Symmetries and spectra of a plan that
        has any are filled with data alone.

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

    Examples
    --------
    >>> from coffea_ddp.plan.plan_files import load_plan
    >>> load_plan("dimuon_charge").name
    'dimuon_charge'
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
    calibration: Calibration | CalibrationFunction | Callable[..., Any] | None = None
    known: tuple[KnownResonance, ...] = ()
    split: EventSplit | None = field(default=None, metadata={NO_PHYSICS: True})
    comparisons: tuple[Comparison, ...] = field(default=(), metadata={ONLY_IF_GIVEN: True})
    fingerprint: str = field(default="", init=False)

    def __post_init__(self) -> None:
        check_name("plan", self.name)
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
        known = [one.name for one in self.known]
        if len(set(known)) != len(known):
            raise PlanError(f"plan {self.name!r}: known resonances {known}; every one needs a name of its own")
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
        object.__setattr__(self, "calibration", as_calibration(self.calibration))
        self._check_calibration(known)
        self._check_comparisons()
        self._unique_features()
        object.__setattr__(self, "fingerprint", digest(self))

    def _check_calibration(self, objects: list[str]) -> None:
        exchanges = {symmetry.exchange for symmetry in self.symmetries if symmetry.exchange is not None}
        if len(exchanges) > 1:
            raise PlanError(
                f"plan {self.name!r}: its symmetries exchange flavours in different ways "
                f"({', '.join(map(str, exchanges))}); one plan has one exchange"
            )
        for exchange in exchanges:
            if exchange.of not in objects:
                raise PlanError(
                    f"plan {self.name!r}: a symmetry exchanges the flavours of {exchange.of!r}, which is no object "
                    f"of the plan; the objects are: {', '.join(objects) or 'none'}"
                )
        if self.calibration is None:
            return
        if not isinstance(self.calibration, Calibration | CalibrationFunction):
            raise PlanError(
                f"plan {self.name!r}: calibration={self.calibration!r:.60}; give Calibration.load(PATH), a function of "
                "leptons, or None"
            )
        if not exchanges:
            raise PlanError(
                f"plan {self.name!r}: a calibration, and no symmetry that exchanges flavours; it has no effect: "
                "leave it out, or give a symmetry exchange=FlavourExchange()"
            )
        if self.weight is not None:
            raise PlanError(
                f"plan {self.name!r}: weights and a calibration; the expected shares are those of events that count as "
                "one each: give one of both"
            )

    def _check_comparisons(self) -> None:
        names = [one.name for one in self.symmetries] + [one.name for one in self.comparisons]
        if self.comparisons and len(set(names)) != len(names):
            raise PlanError(f"plan {self.name!r}: symmetries and comparisons {names}; each needs a name of its own")
        if self.comparisons and self.weight is not None:
            raise PlanError(
                f"plan {self.name!r}: weight and comparisons; a comparison takes the generator weights of simulation "
                "by itself: leave weight out, and give factors on them as Comparison(weight=...)"
            )

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
        exchanges = [symmetry.exchange for symmetry in self.symmetries if symmetry.exchange is not None]
        return tuple(dict.fromkeys([*found, *self.features, *(exchanges[0].features if exchanges else ())]))

    def __repr__(self) -> str:
        """Return the plan's name, its size and its fingerprint."""
        return printable(
            f"ScanPlan({self.name!r}, symmetries={len(self.symmetries)}, spectra={len(self.spectra)}, "
            f"cells={self.layout.grid.n_cells}, fingerprint={self.fingerprint!r})"
        )

    def _repr_html_(self) -> str:
        return plan_html(repr(self), self.symmetries, self.objects, self.layout)

    def _without_code(self, axis: Multiplicity | Topology) -> Multiplicity | Topology:
        """Return an axis as the output has it: in words, not in code."""
        if isinstance(axis, Topology):
            return Topology(axis.name, description=axis.description)
        counted = next((one for one in self.objects if one.name == axis.of), None)
        return replace(axis, description=axis.description or ("" if counted is None else counted.description))

    @property
    def efficiencies(self) -> Calibration | CalibrationFunction | None:
        """The calibration, a bare function among them."""
        return cast("Calibration | CalibrationFunction | None", self.calibration)

    @cached_property
    def layout(self) -> Layout:
        """The structure of the plan's output, as pure data."""
        symmetries = tuple(
            SymmetryLayout(
                s.name,
                s.sides,
                float(s.kappa),
                tuple((o.name, o.axes) for o in s.observables),
                "" if s.exchange is None else "flavour",
            )
            for s in self.symmetries
        )
        features = tuple(FeatureLayout(f.name, f.label, f.unit) for f in self.all_features)
        return Layout(
            self.name,
            self.fingerprint,
            # The output carries no code: predicates stay in the plan.
            CellGrid(tuple(map(self._without_code, self.cells))),
            symmetries,
            features,
            self.weight is not None,
            self.max_stored,
            tuple(
                SpectrumLayout(
                    s.name, s.axis, s.resolution, s.masks, s.exchange_name, s.decays_to, s.thresholds, s.end_points
                )
                for s in self.spectra
            ),
            None if self.efficiencies is None else CalibrationLayout(self.efficiencies.digest, self.efficiencies.fit),
            tuple(one.name for one in self.known) if self.spectra else (),
            self.split,
            tuple(one.layout for one in self.comparisons),
        )

    def half(self, part: str, share: float = 0.5) -> ScanPlan:
        """Return the same plan of one part of the events: search in one, confirm in the other.

        Parameters
        ----------
        part
            ``"a"`` or ``"b"``; an event is in one of them, in whatever file it is read.
        share
            Of all events in part a.

        Raises
        ------
        InputError
            If there is no such part, or the share is not between 0 and 1.

        Examples
        --------
        >>> str(ScanPlan("demo").half("b").split), ScanPlan("demo").half("a").layout == ScanPlan("demo").layout
        ('half b', False)
        """
        return replace(self, split=EventSplit(part, share))

    def for_calibration(self, max_stored: int) -> ScanPlan:
        """Return the plan of a calibration: the same events, cells and stored features, without counts.

        Parameters
        ----------
        max_stored
            Number of events stored per symmetry and exclusive cell.

        Raises
        ------
        PlanError
            If no symmetry exchanges flavours, or the plan has weights.
        """
        mine = tuple(one for one in self.symmetries if one.exchange is not None)
        if not mine:
            raise PlanError(
                f"plan {self.name!r}: no symmetry exchanges flavours, so there is nothing to calibrate; give those of "
                "electrons and muons exchange=FlavourExchange()"
            )
        if self.weight is not None:
            raise PlanError(f"plan {self.name!r}: weights; a calibration is fitted to events that count as one each")
        kept = dict.fromkeys(f for one in mine for observable in one.observables for f in observable.features)
        return replace(
            self,
            symmetries=tuple(replace(one, observables=()) for one in mine),
            features=tuple(dict.fromkeys([*kept, *self.features])),
            spectra=(),
            known=(),
            comparisons=(),
            calibration=None,
            max_stored=max_stored,
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
