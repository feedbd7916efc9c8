"""Figures as files of a report.

Examples
--------
>>> from coffea_ddp.report.report import ScanReport
>>> labelled(
...     ScanReport(plan="p", fingerprint="", seed=0, inputs={"events": 1200, "datasets": ["data"]}, trials=0, rows=())
... )
'data, 1,200 events'
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from coffea_ddp.pages.pictures import Picture
    from coffea_ddp.report.report import ScanReport

_DPI = 120


class Image(NamedTuple):
    """A picture that was written: its file, size in pixels, caption and alternative text."""

    source: str
    width: int
    height: int
    caption: str
    text: str


def written(picture: Picture, folder: Path, name: str, *, prefix: str = "") -> Image:
    """Write a picture as PNG and return its file, size and texts.

    Parameters
    ----------
    picture
        With its caption and alternative text.
    folder, name
        Where.
    prefix
        From the page to the folder.
    """
    width, height = picture.figure.get_size_inches()
    # No software version in the file: equal reports are equal files.
    picture.figure.savefig(folder / name, dpi=_DPI, metadata={"Software": None})
    return Image(f"{prefix}{name}", round(width * 96), round(height * 96), picture.caption, picture.text)


def labelled(report: ScanReport) -> str:
    """Return the label over the figures: the datasets and the number of events."""
    told_datasets = report.inputs.get("datasets")
    datasets = [str(name) for name in told_datasets] if isinstance(told_datasets, list | tuple) else []
    what = ", ".join(datasets) if len(datasets) <= 2 else f"{len(datasets)} datasets"
    events = report.inputs.get("events")
    told = f"{events:,} events" if isinstance(events, int) else ""
    mark = "PARTIAL" if report.partial else ""
    # matplotlib takes dollar signs for formulas.
    return ", ".join(filter(None, (mark, what.replace("$", r"\$"), told)))
