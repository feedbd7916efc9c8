"""A mass spectrum of a plan: the mass of every event, and the axis on which it is filled.

Examples
--------
>>> from coffea_ddp.spectra.resolution import Resolution, resolution_axis
>>> axis = resolution_axis(Resolution(0.02), 50.0, 200.0)
>>> Spectrum("2mu", lambda ev: ev.met.pt, axis).exchange_name
'2mu'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import hist
import numpy as np

from coffea_ddp._text import printable
from coffea_ddp.errors import InputError, PlanError
from coffea_ddp.plan.checks import check_name, one_bool_each, one_number_each
from coffea_ddp.plan.masses.candidates import System
from coffea_ddp.plan.masses.combinations import Combination
from coffea_ddp.plan.selections import Trigger
from coffea_ddp.plan.symmetry import Predicate
from coffea_ddp.spectra.resolution import Resolution

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray, IntArray
    from coffea_ddp.events.selected import SelectedEvents


@dataclass(frozen=True)
class KnownResonance:
    """A known resonance that an event can have: what an apparent bump of other objects may be a reflection of.

    Parameters
    ----------
    name
        For example ``"Z in 2mu"``; reports say it.
    has
        A function of the selection that gives one bool an event.

    Examples
    --------
    >>> KnownResonance("Z", lambda ev: ev.count("mu") > 1).name
    'Z'
    """

    name: str
    has: Predicate

    def __post_init__(self) -> None:
        check_name("known resonance", self.name)

    def found(self, events: SelectedEvents) -> BoolArray:
        """Return which events have it, shape (n_events,).

        Raises
        ------
        InputError
            If the function does not give one bool an event.
        """
        return one_bool_each(f"known resonance {self.name!r}", self.has(events), events)


@dataclass(frozen=True)
class InWindow:
    """Events in which a mass is in a window.

    Parameters
    ----------
    mass
        A function of the selection that gives one mass an event in GeV: a combination, a system.
    low, high
        The window in GeV.

    Raises
    ------
    InputError
        If the window is none.

    Examples
    --------
    >>> InWindow(lambda ev: ev.leading("lepton").pt, 76.0, 106.0).high
    106.0
    """

    mass: Predicate
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise InputError(f"InWindow({self.mass}, {self.low}, {self.high}): give a range of masses in GeV")

    def __call__(self, events: SelectedEvents) -> BoolArray:
        """Return which events have the mass in the window."""
        rows, mass = masses_found(f"InWindow({self.low:g}, {self.high:g})", self.mass, events)
        found = np.zeros(events.n_events, dtype=bool)
        found[rows] = (mass > self.low) & (mass < self.high)
        return found


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
        ``hist`` axis with flow bins (see :func:`coffea_ddp.spectra.resolution.resolution_axis`).
    resolution
        How well the mass is measured: the width of a narrow signal.
    masks
        Ranges (low, high, name) of known resonances in GeV, which the bump hunt leaves out.
    exchange_name
        In the exchange format; by default that of the mass function, if it has one, or the name.
    trigger
        What its objects need, instead of the plan's trigger: a spectrum of jets needs none of leptons. Of a fileset
        whose datasets have trigger paths, it takes events from those that have one of its own.
    thresholds
        Masses (GeV, words) at which its objects reach the thresholds that they are selected or triggered with: twice
        the least pT of two jets, a Z and the least pT of a muon. Apparent bumps there are explained by them.
    end_points
        Masses (GeV, words) at which a known decay ends: that of a lepton and a b-jet of a top quark at 153 GeV.

    Raises
    ------
    PlanError
        If the axis is no Regular or Variable one with flow bins, or a mask is no range.

    Examples
    --------
    >>> from coffea_ddp.spectra.resolution import fixed_axis
    >>> Spectrum("pt", lambda ev: ev.leading("lepton").pt, fixed_axis(5.0, 0.0, 200.0))
    Spectrum('pt', 40 bins)
    """

    name: str
    mass: Predicate
    axis: Any
    resolution: Resolution | None = None
    masks: tuple[tuple[float, float, str], ...] = ()
    exchange_name: str = ""
    trigger: Trigger | None = None
    thresholds: tuple[tuple[float, str], ...] = ()
    end_points: tuple[tuple[float, str], ...] = ()

    def __post_init__(self) -> None:
        check_name("spectrum", self.name)
        if not isinstance(self.axis, hist.axis.Regular | hist.axis.Variable):
            raise PlanError(f"spectrum {self.name!r}: {self.axis!r} is no Regular or Variable axis of `hist`")
        if not (self.axis.traits.underflow and self.axis.traits.overflow):
            raise PlanError(f"spectrum {self.name!r}: its axis has no flow bins; make it with flow=True")
        for low, high, name in self.masks:
            if not low < high:
                raise PlanError(f"spectrum {self.name!r}: the mask {name!r} from {low} to {high} is no range")
        for mass, words in (*self.thresholds, *self.end_points):
            if not (0.0 < mass < float("inf") and words):
                raise PlanError(f"spectrum {self.name!r}: {words!r} at {mass}: give a mass in GeV, and words")
        if not self.exchange_name:
            object.__setattr__(self, "exchange_name", getattr(self.mass, "exchange_name", self.name))

    def __repr__(self) -> str:
        """Return the name, and the number of bins."""
        return printable(f"Spectrum({self.name!r}, {self.axis.size} bins)")

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
        return one_number_each(f"spectrum {self.name!r}", self.mass(events), events)

    def found(self, events: SelectedEvents) -> tuple[IntArray, FloatArray]:
        """Return the events that have a mass, in their order, and the masses in GeV.

        Raises
        ------
        InputError
            If the function does not give one number an event.
        """
        rows, masses = masses_found(f"spectrum {self.name!r}", self.mass, events)
        finite = np.isfinite(masses)
        return (rows, masses) if finite.all() else (rows[finite], masses[finite])


def masses_found(what: str, mass: Predicate, events: SelectedEvents) -> tuple[IntArray, FloatArray]:
    """Return the events that may have a mass, in their order, and the masses in GeV, NaN where there is none.

    Parameters
    ----------
    what
        Whose mass it is, for messages.
    mass
        A function of the selection. Combinations and systems, of which most events have none, tell those that do.
    events
        The selection.

    Raises
    ------
    InputError
        If the function does not give one number an event.
    """
    if type(mass) in (Combination, System):
        return mass.found(events)  # type: ignore[attr-defined, no-any-return]
    return np.arange(events.n_events), one_number_each(what, mass(events), events)
