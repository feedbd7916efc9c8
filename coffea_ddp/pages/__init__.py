"""The HTML report: a folder that opens from a disk, without a network.

Examples
--------
>>> import tempfile
>>> from coffea_ddp.report.report import ScanReport
>>> report = ScanReport(plan="demo", fingerprint="", seed=1, inputs={"events": 0}, trials=0, rows=())
>>> with tempfile.TemporaryDirectory() as folder:
...     index = write_report(report, Path(folder, "report"))
...     index.name, "<h1>demo</h1>" in index.read_text()
('index.html', True)
"""

from __future__ import annotations

import base64
import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from coffea_ddp.errors import InputError
from coffea_ddp.histograms.io import as_histograms
from coffea_ddp.pages import content
from coffea_ddp.pages.columns import Pages, packed_rows
from coffea_ddp.pages.drawing import Images, draw_rows
from coffea_ddp.pages.folder import new_folder
from coffea_ddp.pages.images import labelled, written
from coffea_ddp.pages.pictures import Permuting, Picture
from coffea_ddp.plotting import z_distribution
from coffea_ddp.report.overview import as_report

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.report import ScanReport
    from coffea_ddp.report.rows import Row

Progress = Callable[[int, int, str], None]
"""Called with the number of pages done and of all, and the name of the next."""

LEADING = 20
"""Number of the strongest rows that get a page, beside what the two tables lead to."""


def write_report(
    report: ScanReport | str | Path,
    folder: str | Path,
    *,
    hists: Histograms | str | Path | None = None,
    leading: int = LEADING,
    label: str = "",
    jobs: int | None = 1,
    progress: Progress | None = None,
) -> Path:
    """Write a report as a folder of HTML pages.

    Parameters
    ----------
    report
        Of a scan, or its path.
    folder
        Made anew; of one that holds a report the pages are replaced when the new ones are whole, and other files stay.
    hists
        The output of the pass that was scanned, or its path, for pictures; without it pages have their numbers alone.
    leading
        How many of the strongest rows get a page, beside what the two tables lead to.
    label
        The label over the figures, as in ``"16.4 fb$^{-1}$ (13 TeV)"``; datasets and events by default.
    jobs
        Processes that draw; ``None``: as many as there are cores.
    progress
        Called before each page, and at the end.

    Returns
    -------
    Path
        Of ``index.html``.

    Raises
    ------
    FileError
        If the folder cannot be written, or holds something else than a report.
    InputError
        If the histograms are of another plan than the report, or ``leading`` is negative.
    """
    if leading < 0:
        raise InputError(f"leading={leading}: give how many of the strongest rows get a page, 0 or more")
    report = as_report("write_report", report)
    if hists is not None:
        hists = as_histograms("write_report, hists", hists)
        _check_same(report, hists)
    rows = content.rows_with_pages(report, leading)
    pages = {row.number: f"{number:03d}.html" for number, row in enumerate(rows, 1)}
    over = label or labelled(report)
    report_progress = progress or _silent
    with new_folder(folder) as place:
        drawn = draw_rows(
            rows, hists, place / "regions", label=over, permuting=_permuting(report), jobs=jobs or os.cpu_count() or 1
        )
        _regions(place, report, rows, drawn, report_progress)
        report_progress(len(rows), len(rows) + 1, "index")
        _index(place, report, hists, pages, over)
    report_progress(len(rows) + 1, len(rows) + 1, "")
    return Path(folder, "index.html")


def _check_same(report: ScanReport, hists: Histograms) -> None:
    """Fail where the histograms are not those that were scanned, as far as can be known."""
    if report.fingerprint != hists.layout.fingerprint:
        raise InputError(
            f"the report is of the plan {report.plan!r} ({report.fingerprint or 'of none'}), the histograms of "
            f"{hists.layout.described}: give the histograms that were scanned, or none"
        )
    events = report.inputs.get("events")
    if isinstance(events, int) and events != hists.n_events:
        raise InputError(
            f"the report is of {events:,} events, the histograms are of {hists.n_events:,}: give the histograms that "
            "were scanned, or none"
        )


def _permuting(report: ScanReport) -> Permuting:
    """Return how fits are made again: as in the scan, with a thousand permutations at most."""
    fits = report.options.get("fits")
    most, asked = Permuting.toys, fits.get("toys") if isinstance(fits, Mapping) else None
    return Permuting(report.seed, asked if isinstance(asked, int) and 0 < asked <= most else most)


def _silent(_done: int, _total: int, _what: str) -> None:
    return


def _regions(
    place: Path, report: ScanReport, rows: Sequence[Row], drawn: Iterator[Images], report_progress: Progress
) -> None:
    names = [f"{number:03d}.html" for number in range(1, len(rows) + 1)]
    for number, row in enumerate(rows):
        report_progress(number, len(rows) + 1, content.title(row))
        before = names[number - 1] if number else None
        after = names[number + 1] if number + 1 < len(rows) else None
        images, note = next(drawn)
        found = content.Region(row, images, note, before, after)
        _write(place / "regions" / names[number], "region.html.j2", content.region(report, found))


def _index(place: Path, report: ScanReport, hists: Histograms | None, pages: Pages, label: str) -> None:
    histogram = report.z_histogram
    picture = None
    if sum(histogram.counts):
        figure = z_distribution(
            np.array(histogram.counts, dtype=np.float64), histogram.edges, title=report.plan, label=label
        )
        n = sum(histogram.counts)
        outside = histogram.counts[0] + histogram.counts[-1]
        caption = (
            f"z of all {n:,} tests of whole cells, and the expectation under the null hypothesis. Cells overlap, so "
            "tests are correlated: the tails scatter more than Poisson errors say. "
            f"{outside:,} are beyond the ends of the histogram."
        )
        picture = written(Picture("z", figure, caption, caption), place / "assets", "z.png", prefix="assets/")
    _write(place / "index.html", "index.html.j2", content.index(report, hists, pages, picture))
    assets = place / "assets"
    own, itables = files("coffea_ddp.pages") / "assets", files("itables") / "html"
    bundle = base64.b64encode((itables / "dt_bundle.js").read_bytes()).decode()
    styles = (itables / "dt_bundle.css", own / "report.css", own / "first.css", own / "tables.css")
    for name, text in {
        "report.css": "\n".join(file.read_text(encoding="utf-8") for file in styles),
        "report.js": (own / "report.js").read_text(encoding="utf-8"),
        "rows.js": f'window.DDP_ROWS = "{packed_rows(report.rows, pages, content.naming_of(report))}";\n',
        # A page from a disk may import no file, but a text that it holds.
        "datatables.js": f'window.DDP_DATATABLES = "data:text/javascript;base64,{bundle}";\n',
    }.items():
        (assets / name).write_text(text, encoding="utf-8")


@functools.cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("coffea_ddp.pages"),
        autoescape=True,  # names in a report may come from a stranger
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _write(path: Path, template: str, data: dict[str, Any]) -> None:
    path.write_text(_templates().get_template(template).render(**data), encoding="utf-8")
