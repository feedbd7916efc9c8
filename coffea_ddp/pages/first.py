"""The first screen of a report: the data, the outcome in a sentence, its significance, and what is not as it should be.

Examples
--------
>>> from coffea_ddp.report.report import ScanReport
>>> report = ScanReport(plan="demo", fingerprint="", seed=1, inputs={"events": 1200}, trials=0, rows=())
>>> first_screen(report, None, {}).dataset
'1,200 events'
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from coffea_ddp.pages.columns import Pages
from coffea_ddp.pages.thumbnail import Thumbnail, thumbnail
from coffea_ddp.pages.words import minus_in
from coffea_ddp.report.cell_words import symbols
from coffea_ddp.report.dataset_words import dataset_words
from coffea_ddp.report.finding import cautions, finding
from coffea_ddp.scanning.simulation import as_told

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.report import ScanReport

_SUPERSCRIPTS = str.maketrans("-0123456789", "\N{SUPERSCRIPT MINUS}\N{SUPERSCRIPT ZERO}¹²³⁴⁵⁶⁷⁸⁹")
_SIGMA = "\N{NO-BREAK SPACE}\N{GREEK SMALL LETTER SIGMA}"
_MOST = 6
"""Things to be careful of; more are counted."""


class FirstScreen(NamedTuple):
    """The texts of the first screen, and the thumbnail of the leading region with its page, where there are any."""

    dataset: str
    sentence: str
    significance: str
    how: str
    cautions: tuple[str, ...]
    picture: Thumbnail | None
    page: str | None


def first_screen(report: ScanReport, hists: Histograms | None, pages: Pages) -> FirstScreen:
    """Return the first screen of a report.

    Parameters
    ----------
    report, hists
        The report; the histograms give the thumbnail.
    pages
        The pages that rows have, by their numbers, from the index.
    """
    found, told = finding(report, symbolic=True), [symbols(one) for one in cautions(report)]
    more = [f"{len(told) - _MOST:,} more of these are below."] if len(told) > _MOST else []
    return FirstScreen(
        raised(dataset_words(report.inputs)), found.sentence.replace(" sigma", _SIGMA),
        minus_in(found.significance), found.how, (*told[:_MOST], *more),
        thumbnail(found.row, hists, as_told(report.inputs.get("simulation"))),
        None if found.row is None else pages.get(found.row.number),
    )  # fmt: skip


def raised(text: str) -> str:
    """Return text with its powers raised: ``"16.4 fb^-1"`` has a superscript.

    Examples
    --------
    >>> raised("16.4 fb^-1")
    '16.4 fb⁻¹'
    """
    return re.sub(r"\^(-?\d+)", lambda power: power[1].translate(_SUPERSCRIPTS), text)
