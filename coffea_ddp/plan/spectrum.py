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

from coffea_ddp.errors import PlanError
from coffea_ddp.plan.checks import one_number_each
from coffea_ddp.plan.selections import Trigger
from coffea_ddp.plan.symmetry import Predicate
from coffea_ddp.spectra.resolution import Resolution

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.events.selected import SelectedEvents


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
    trigger: Trigger | None = None

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
        return one_number_each(f"spectrum {self.name!r}", self.mass(events), events)
