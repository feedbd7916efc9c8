"""Checks that data are those of a report, to show its events, or others, to confirm it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coffea_ddp.errors import FormatError, InputError
from coffea_ddp.histograms.counted import Counted
from coffea_ddp.histograms.split import EventSplit
from coffea_ddp.report.scanned import check_scanned_data

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.report import ScanReport


def check_unseen(report: ScanReport, hists: Histograms) -> None:
    """Stop where a scan has seen the data that are to confirm it.

    Raises
    ------
    InputError
        If the output is of another plan, or of events that the report is of.
    FormatError
        If the report does not tell which data it is of.
    """
    seen, part = _data_of("confirm", report, hists)
    mine = hists.layout.split
    if part is not None and mine is not None and mine == part.other:
        return
    given = Counted.of(hists.ledger)
    if seen.unnamed and given.unnamed:
        raise InputError(
            "confirm: neither the report nor the new output tells of which files its events are, so that they may be "
            "the same; fill with chunks (coffea's Runner, ddp.run), or with the two halves of a plan"
        )
    common = seen.common(given)
    if common:
        of = f"{given.n_files:,} file{'s' * (given.n_files != 1)}"
        raise InputError(
            f"confirm: the scan has seen {common:,} of {of} of these data; what chose a region cannot confirm it. Give "
            "other files, or scan one half and confirm with the other (`coffea-ddp run --half a`, `--half b`)"
        )


def check_scanned(what: str, report: ScanReport, hists: Histograms) -> None:
    """Stop where an output is not that which a report is of; ``what`` begins the message.

    Raises
    ------
    InputError
        If the output is of another plan, or of other data.
    FormatError
        If the report does not tell which data it is of.
    """
    _data_of(what, report, hists)
    check_scanned_data(what, report, hists)


def _data_of(what: str, report: ScanReport, hists: Histograms) -> tuple[Counted, EventSplit | None]:
    """Return the files and the part of the events that a report is of, of the plan of an output."""
    if not report.fingerprint:
        raise InputError(f"{what}: the report is of `coffea-ddp bump`; regions of a plan are confirmed by its output")
    if report.fingerprint != hists.layout.fingerprint:
        raise InputError(
            f"{what}: the report is of the plan {report.plan!r} ({report.fingerprint}), the data of "
            f"{hists.layout.described}; run the same plan, unchanged, over the new data"
        )
    try:
        seen = Counted.from_dict(report.inputs["counted"])
        part = EventSplit.from_dict(report.inputs.get("split"))
    except KeyError:
        raise FormatError(
            f"{what}: the report does not tell which data it is of; make it again with `coffea-ddp scan`"
        ) from None
    return seen, part
