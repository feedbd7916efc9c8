"""The coffea processor: two lines around :func:`coffea_ddp.filling.fill`.

``processor = ScanProcessor(plan)`` at the end of a plan's file is what coffea's own Runner takes as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from coffea.processor import ProcessorABC

from coffea_ddp.filling import fill

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.plan.plan import ScanPlan


class ScanProcessor(ProcessorABC):  # type: ignore[misc]
    """Fills a plan's histograms.

    Parameters
    ----------
    plan
        The plan whose histograms are filled; kept as ``.plan``.
    weight
        A function of a chunk's events that gives one weight an event, or coffea's ``Weights``: what an analysis has
        already, for coffea's own Runner. Where a plan is run by :func:`coffea_ddp.run`, the plan's ``weight`` does it.

    Examples
    --------
    >>> from coffea_ddp.plan.plan_files import load_plan
    >>> ScanProcessor(load_plan("dimuon_charge")).plan.name
    'dimuon_charge'
    """

    def __init__(self, plan: ScanPlan, weight: Callable[[Any], Any] | None = None) -> None:
        self.plan = plan
        self.weight = weight

    def process(self, events: Any) -> Histograms:
        """Return the histograms of one chunk."""
        return fill(events, self.plan, weight=None if self.weight is None else self.weight(events))

    def __repr__(self) -> str:
        """Return the plan, and whether events are weighted beside it."""
        return f"ScanProcessor({self.plan!r}{'' if self.weight is None else ', weighted'})"

    def postprocess(self, accumulator: Histograms) -> Histograms:
        """Return what was accumulated: the tests are applied afterwards, to the saved output."""
        return accumulator
