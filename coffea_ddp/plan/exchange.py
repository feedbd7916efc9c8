"""Exchange of flavours: how side B of a symmetry is made of side A, and what a calibration needs to know of events.

A symmetry of lepton universality says that an event and its mirror image, in which every electron is a muon and every
muon an electron, have the same rate. A detector finds both with different efficiencies, functions of the leptons'
kinematics; a calibration (:mod:`coffea_ddp.calibration`) predicts from them the share of side B.

Examples
--------
>>> [feature.name for feature in FlavourExchange().features][:3]
['lepton0_pt', 'lepton0_eta', 'lepton0_pdg_id']
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.calibration.leptons import MET, MOST, N_JETS
from coffea_ddp.events.selected import SelectedEvents
from coffea_ddp.plan.observables import Feature

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray


@dataclass(frozen=True)
class FlavourExchange:
    """Side B is side A with electrons and muons exchanged, of all leptons of an event.

    Parameters
    ----------
    of
        The object of the plan that has both, by falling pT.
    jets
        The object of which the number is known to a calibration; a plan without it has no such terms.

    Examples
    --------
    >>> FlavourExchange().of
    'lepton'
    """

    of: str = "lepton"
    jets: str = "j"

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """Stored features: leptons, number of jets, missing momentum; NaN where there is none."""
        leptons = [
            Feature(f"lepton{k}_{what}", f"{what} of lepton {k}", unit, _OfLepton(self.of, k, what), low, high)
            for k in range(MOST)
            for what, unit, low, high in (
                ("pt", "GeV", 0.0, 500.0),
                ("eta", "", -2.5, 2.5),
                ("pdg_id", "", -14.0, 14.0),
            )
        ]
        return (
            *leptons,
            Feature(N_JETS, "number of jets", "", _NumberOf(self.jets), 0.0, 10.0),
            Feature(MET, "missing pT", "GeV", _missing_momentum, 0.0, 600.0),
        )


@dataclass(frozen=True)
class _OfLepton:
    of: str
    k: int
    what: str

    def __call__(self, events: SelectedEvents) -> Any:
        lepton = events.leading(self.of, self.k)
        if self.what != "pdg_id":
            return getattr(lepton, self.what)
        # Particles with positive numbers are negative.
        return np.where(lepton.exists, -lepton.flavour * np.sign(lepton.charge, dtype=np.float64), np.nan)


@dataclass(frozen=True)
class _NumberOf:
    of: str

    def __call__(self, events: SelectedEvents) -> FloatArray:
        if not events.has_object(self.of):
            return np.full(events.n_events, np.nan)
        return events.count(self.of).astype(np.float64)


def _missing_momentum(events: SelectedEvents) -> FloatArray:
    if not events.has_met:
        return np.full(events.n_events, np.nan)
    return events.met.pt
