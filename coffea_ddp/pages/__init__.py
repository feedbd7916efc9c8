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

from coffea_ddp.errors import InputError, check_progress, named
from coffea_ddp.histograms.io import as_histograms
from coffea_ddp.pages import content
from coffea_ddp.pages.columns import Pages, packed_rows
from coffea_ddp.pages.drawing import Drawings, draw_rows
from coffea_ddp.pages.embedding import embedded, labelled
from coffea_ddp.pages.folder import new_folder
from coffea_ddp.pages.pictures import Permuting
from coffea_ddp.pages.pictures.compared import Texts
from coffea_ddp.pages.pictures.mathematics import as_text
from coffea_ddp.pages.pictures.nulls import z_figure
from coffea_ddp.pages.themes import stylesheet
from coffea_ddp.report.overview import as_report
from coffea_ddp.report.scanned import check_scanned_data
from coffea_ddp.scanning.simulation import as_told
from coffea_ddp.stats import checks

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.pages.embedding import Embedded
    from coffea_ddp.report.report import ScanReport
    from coffea_ddp.report.rows import Row

Progress = Callable[[int, int, str], None]
"""Called with the number of pages done and of all, and the name of the next."""

_STYLES = ("report", "first", "tables", "figures")
"""The style sheets of this package, in their order; colours are those of :mod:`coffea_ddp.pages.themes`."""

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
        The output of the pass that was scanned, or its path, for figures; without it pages have their numbers alone.
    leading
        How many of the strongest rows get a page, beside what the two tables lead to.
    label
        The label over the figures, as in ``"16.4 fb$^{-1}$ (13 TeV)"``; datasets and events by default.
    jobs
        Processes that make fits again, for figures of the tests on events; ``None``: as many as there are cores.
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
        If the histograms are of another plan than the report, or an option is no number, negative, or no text.

    Examples
    --------
    >>> import tempfile
    >>> from coffea_ddp.report.report import ScanReport
    >>> report = ScanReport(plan="demo", fingerprint="", seed=1, inputs={}, trials=0, rows=())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(report, Path(folder, "report")).name
    'index.html'
    """
    check_progress("write_report", progress)
    leading = checks.whole(leading, "leading")
    jobs = os.cpu_count() if jobs is None else checks.whole(jobs, "jobs", least=1)
    for name, given, kinds in (("folder", folder, (str, Path)), ("label", label, (str,))):
        if not isinstance(given, kinds):
            raise InputError(
                f"write_report, {name}: got {named(given)}; give {'text' if name == 'label' else 'a path'}"
            )
    report = as_report("write_report", report)
    if hists is not None:
        hists = as_histograms("write_report, hists", hists)
        _check_same(report, hists)
    rows = content.rows_with_pages(report, leading)
    pages = {row.number: f"{number:03d}.html" for number, row in enumerate(rows, 1)}
    over = as_text(label) or labelled(report)
    report_progress = progress or _silent
    with new_folder(folder) as place:
        drawn = draw_rows(rows, hists, label=over, permuting=_permuting(report), jobs=jobs or 1)
        _regions(place, report, rows, drawn, report_progress)
        report_progress(len(rows), len(rows) + 1, "index")
        z_picture = _distribution(report, over)
        _write(place / "index.html", "index.html.j2", content.index(report, hists, pages, z_picture))
        _assets(place / "assets", report, pages)
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
    check_scanned_data("write_report", report, hists)


def _permuting(report: ScanReport) -> Permuting:
    """Return how fits are made again: as in the scan, with a thousand permutations at most."""
    fits = report.options.get("fits")
    most, asked = Permuting.toys, fits.get("toys") if isinstance(fits, Mapping) else None
    simulation = as_told(report.inputs.get("simulation"))
    return Permuting(report.seed, asked if isinstance(asked, int) and 0 < asked <= most else most, simulation)


def _silent(_done: int, _total: int, _what: str) -> None:
    return


def _regions(
    place: Path, report: ScanReport, rows: Sequence[Row], drawn: Iterator[Drawings], report_progress: Progress
) -> None:
    names = [f"{number:03d}.html" for number in range(1, len(rows) + 1)]
    for number, row in enumerate(rows):
        report_progress(number, len(rows) + 1, content.title(row))
        before = names[number - 1] if number else None
        after = names[number + 1] if number + 1 < len(rows) else None
        figures, note = next(drawn)
        found = content.Region(row, tuple(map(embedded, figures)), note, before, after)
        _write(place / "regions" / names[number], "region.html.j2", content.region(report, found))


def _distribution(report: ScanReport, label: str) -> Embedded | None:
    """Return the distribution of z of all tests; ``None`` where none has a normal null."""
    counts = np.array(report.z_histogram.counts, dtype=np.float64)
    if not counts.sum():
        return None
    outside = int(counts[0] + counts[-1])
    caption = (
        f"z of all {int(counts.sum()):,} tests of whole cells, and the expectation under the null hypothesis. Cells "
        "overlap, so tests are correlated: the tails scatter more than Poisson errors say. "
        f"{outside:,} are beyond the ends of the histogram."
    )
    texts = Texts("z", report.plan, label, caption, caption)
    return embedded(z_figure(counts, np.asarray(report.z_histogram.edges), texts), drawn=True)


def _assets(folder: Path, report: ScanReport, pages: Pages) -> None:
    """Write style sheet and scripts, with the licences of what is not of this package."""
    own, itables = files("coffea_ddp.pages") / "assets", files("itables") / "html"
    bundle = base64.b64encode((itables / "dt_bundle.js").read_bytes()).decode()

    def joined(*names: Any) -> str:
        return "\n".join(name.read_text(encoding="utf-8") for name in names)

    vendor = own / "vendor"
    for name, text in {
        "report.css": stylesheet() + joined(itables / "dt_bundle.css", *(own / f"{part}.css" for part in _STYLES)),
        "report.js": joined(own / "report.js"),
        "figures.js": joined(vendor / "d3.min.js", vendor / "plot.umd.min.js", own / "drawing.js", own / "figures.js"),
        "LICENSES.txt": joined(vendor / "NOTICE.txt", vendor / "d3.LICENSE", vendor / "plot.LICENSE"),
        "rows.js": f'window.DDP_ROWS = "{packed_rows(report.rows, pages, content.naming_of(report))}";\n',
        # A page from a disk may import no file, but a text that it holds.
        "datatables.js": f'window.DDP_DATATABLES = "data:text/javascript;base64,{bundle}";\n',
    }.items():
        (folder / name).write_text(text, encoding="utf-8")


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
