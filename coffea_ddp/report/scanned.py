"""The check that an output is the one that a report is of, for figures, exports and events of its rows.

Examples
--------
>>> from coffea_ddp.report.report import ScanReport
>>> old = ScanReport(plan="demo", fingerprint="", seed=1, inputs={}, trials=0, rows=())
>>> "counted" in old.inputs  # such a report does not tell of which data it is, and every output of its plan is taken
False
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coffea_ddp.errors import InputError
from coffea_ddp.histograms.counted import Counted
from coffea_ddp.histograms.split import EventSplit

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.report import ScanReport


def check_scanned_data(what: str, report: ScanReport, hists: Histograms) -> None:
    """Stop where an output is of other data than a report, as far as the report tells; ``what`` begins the message.

    The two halves of one set of files have the same plan, the same files and the same number of events read: they
    differ in their split alone.

    Raises
    ------
    InputError
        If the output is of other files, or of another part of their events.
    FormatError
        If what the report tells of its data cannot be read.
    """
    if "counted" not in report.inputs:
        return
    seen, part = Counted.from_dict(report.inputs["counted"]), EventSplit.from_dict(report.inputs.get("split"))
    if (seen, part) == (Counted.of(hists.ledger), hists.layout.split):
        return
    events = report.inputs.get("events")
    of = f"{part or 'all events'} of {seen.n_files:,} files ({events:,} events)" if events else "other data"
    raise InputError(
        f"{what}: the report is of {of}, the output of {hists.layout.split or 'all events'} of "
        f"{len(hists.ledger.files):,} files ({hists.n_events:,} events); give the output that was scanned"
    )
