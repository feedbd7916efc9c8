"""Weights of selected events: those of the plan, times those given, times the dataset's factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.events.values import weights
from coffea_ddp.plan.datasets import GENERATOR_WEIGHT, Dataset
from coffea_ddp.plan.plan import ScanPlan

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.events.selected import SelectedEvents


@dataclass(frozen=True)
class Weighing:
    """The weights of selected events: those of the plan, times those given, times the dataset's factor."""

    plan: ScanPlan
    dataset: Dataset
    given: FloatArray | None

    def __call__(self, events: SelectedEvents) -> FloatArray | None:
        """Return one weight an event, or ``None`` where events are counted."""
        found = self.plan.weights(events)
        if self.given is not None:
            mine = self.given[events.entries]
            found = (
                mine if found is None else weights(f"{events.source}: the product of weights", found * mine, len(mine))
            )
        if self.dataset.weight == 1.0:
            return found
        if found is None:
            raise InputError(
                f"dataset {self.dataset.name!r} has the weight {self.dataset.weight}, but the plan {self.plan.name!r} "
                "counts events; give it weight=..., a function of events (numpy.ones(ev.n_events) if every event "
                "counts alike, nanoaod.generator_weight for simulation)"
            )
        what = f"dataset {self.dataset.name!r}, {events.source}: weights times the dataset's"
        return weights(what, found * self.dataset.weight, len(found))

    def unused(self, events: SelectedEvents) -> dict[str, int]:
        """Say where generator weights are not used, and return how many negative ones are counted like others."""
        weighted = self.plan.weight is not None or self.given is not None
        if weighted or self.dataset.is_data(events) or not events.has_branch(GENERATOR_WEIGHT):
            return {}
        events.note("generator weights", "not used, events are counted: weight=nanoaod.generator_weight uses them")
        negative = int(np.count_nonzero(events.branch(GENERATOR_WEIGHT) < 0))
        return {f"{GENERATOR_WEIGHT} negative, counted like others": negative} if negative else {}
