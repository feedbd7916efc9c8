"""The coffea processor: two lines around :func:`coffea_ddp.filling.fill`.

``processor = ScanProcessor(plan)`` at the end of a plan's file is what coffea's own Runner takes as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coffea.processor import ProcessorABC

from coffea_ddp.filling import fill

if TYPE_CHECKING:
    from coffea_ddp.histograms import Histograms
    from coffea_ddp.plan import ScanPlan


class ScanProcessor(ProcessorABC):  # type: ignore[misc]
    """Fills a plan's histograms.

    Parameters
    ----------
    plan
        What to look at; kept as ``.plan``.
    """

    def __init__(self, plan: ScanPlan) -> None:
        self.plan = plan

    def process(self, events: Any) -> Histograms:
        """Return the histograms of one chunk."""
        return fill(events, self.plan)

    def postprocess(self, accumulator: Histograms) -> Histograms:
        """Return what was accumulated: the tests are applied afterwards, to the saved output."""
        return accumulator
