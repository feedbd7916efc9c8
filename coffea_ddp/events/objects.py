"""Objects as data: which candidates of a NanoAOD collection are selected, and how they are cleaned.

A definition says collection, thresholds, cracks, ids and isolations (each with fall-backs over the NanoAOD versions,
and for other formats) and what it must not overlap with. Ready ones are in :mod:`coffea_ddp.plan.nanoaod`.

Examples
--------
A user's own collection as an object, to be counted by a multiplicity axis:

>>> from coffea_ddp.events.cuts import Cut
>>> kaon = ObjectDefinition("K", "Kaon", pt_min=1.0, eta_max=2.5, cuts=(Cut("chi2", "<", 5.0),))
>>> kaon.branches
('Kaon_pt', 'Kaon_eta', 'Kaon_phi')
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.events.cuts import ComputedCut, Cut, FirstAvailable

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, IntArray


@dataclass(frozen=True)
class ObjectDefinition:
    """Selection of the candidates of one collection.

    Parameters
    ----------
    name
        The object's name in the plan (``"e"``, ``"mu"``, ``"tau"``, ``"j"``, ``"b"``, ``"gamma"``, ``"K"`` ...).
    collection
        The NanoAOD collection (``"Electron"``).
    pt_min, eta_max
        Thresholds in GeV and in abs(eta): pt > pt_min, abs(eta) < eta_max.
    eta_gaps
        Ranges of abs(eta) that are left out (the calorimeter's crack).
    cuts
        What else is required.
    away_from
        ``(name, radius)`` pairs: dropped when closer than radius in (eta, phi) to a selected object defined before.
    mass
        GeV; ``None`` reads the branch ``<collection>_mass``.
    charged
        Whether the branch ``<collection>_charge`` is read (else the charge is 0).
    flavour
        A number that tells the object apart in a merged collection (the PDG code: 11, 13).
    required
        ``False``: in a file that lacks something that the object needs (a tagger, the whole collection) no event has
        one, and the output says so.

    Examples
    --------
    >>> ObjectDefinition("K", "Kaon", pt_min=1.0, eta_max=2.5).description
    'Kaon with pt > 1 GeV, abs(eta) < 2.5'
    """

    name: str
    collection: str
    pt_min: float = 0.0
    eta_max: float = np.inf
    eta_gaps: tuple[tuple[float, float], ...] = ()
    cuts: tuple[Cut | ComputedCut | FirstAvailable, ...] = ()
    away_from: tuple[tuple[str, float], ...] = ()
    mass: float | None = 0.0
    charged: bool = False
    flavour: int = 0
    required: bool = True

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that no file may lack (ids with fall-backs not included)."""
        names = ["pt", "eta", "phi"]
        names += ["mass"] if self.mass is None else []
        names += ["charge"] if self.charged else []
        return tuple(f"{self.collection}_{name}" for name in names)

    @property
    def description(self) -> str:
        """The definition in words, as in ``"Jet with pt > 30 GeV, abs(eta) < 2.4, identification, b tag"``."""
        limits = [f"pt > {self.pt_min:g} GeV"] if self.pt_min > 0.0 else []
        limits += [f"abs(eta) < {self.eta_max:g}"] if np.isfinite(self.eta_max) else []
        limits += [cut.role for cut in self.cuts if isinstance(cut, FirstAvailable)]
        return f"{self.collection} with {', '.join(limits)}" if limits else self.collection


@dataclass(frozen=True)
class MergedObject:
    """One collection out of several selected ones, ordered by pT (``"lepton"`` of ``("e", "mu")``).

    Of equal pT, the object that is named first leads.

    Examples
    --------
    >>> MergedObject("lepton", ("e", "mu")).description
    'e or mu'
    """

    name: str
    of: tuple[str, ...]

    @property
    def description(self) -> str:
        """The definition in words, as in ``"e or mu"``."""
        return " or ".join(self.of)


@dataclass(frozen=True)
class ObjectArrays:
    """The selected objects of one kind in every event, the largest pT first.

    Attributes
    ----------
    starts, counts
        Where each event's objects begin in the content and how many they are; shape (n_events,).
    content
        Flat arrays: ``pt`` (GeV), ``eta``, ``phi``, ``mass`` (GeV), ``charge``, ``flavour``.
    odd
        How many candidates of the chunk could not be selected, and why: NaN or infinite, a negative pT.
    collection, candidates
        The collection that they were selected from, and their numbers among its candidates in the chunk, in the order
        of the content; empty and ``None`` for objects of several collections.
    """

    starts: IntArray
    counts: IntArray
    content: Mapping[str, AnyArray]
    odd: Mapping[str, int] = field(default_factory=dict, compare=False)
    collection: str = ""
    candidates: IntArray | None = field(default=None, compare=False)

    def take(self, index: IntArray) -> ObjectArrays:
        """Return the objects of the chosen events; the content is shared, not copied."""
        return replace(self, starts=self.starts.take(index), counts=self.counts.take(index))
