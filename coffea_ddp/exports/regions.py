"""Exports of the region of a row of a report, in the form that other tools read.

``histfactory``: a model for pyhf and cabinetry (:mod:`coffea_ddp.exports.histfactory`). ``uhi``: the histograms, for
hist and others. ``hepdata``: the same as a table of HEPData, one file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from coffea_ddp._files import REGION, write_text
from coffea_ddp.errors import InputError
from coffea_ddp.exports.hepdata import FigureTable, axis_of, pair_table, single_file, spectrum_table
from coffea_ddp.exports.histfactory import workspace
from coffea_ddp.exports.histograms import region_histograms
from coffea_ddp.exports.models import Bins, model_of, region_name
from coffea_ddp.histograms.io import as_histograms
from coffea_ddp.histograms.layout import EVENTS
from coffea_ddp.report.numbered import numbered_row, refuse_compared
from coffea_ddp.report.overview import as_report
from coffea_ddp.report.scanned import check_scanned_data
from coffea_ddp.stats import checks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.report import ScanReport
    from coffea_ddp.report.rows import Row

Form = Literal["histfactory", "uhi", "hepdata"]


def export_region(
    report: ScanReport | str | Path,
    row: int,
    hists: Histograms | str | Path,
    *,
    form: Form = "histfactory",
    signal: ArrayLike | None = None,
    bins: Bins | None = None,
    kappa_error: float = 0.0,
    systematic: float = 0.0,
) -> Any:
    r"""Return the region of a row of a report for other tools.

    Parameters
    ----------
    report
        Of a scan, or its path.
    row
        The number of the row in it, from 1.
    hists
        The histograms that were scanned, or their path.
    form
        ``"histfactory"``: a workspace of pyhf, which cabinetry reads, too. ``"uhi"``: the histograms. ``"hepdata"``:
        the same as the text of one file of tables.
    signal
        Of a HistFactory model: the template, in the bins of the observable or of the region; mu counts these. Bins
        without signal are left out. By default of uniform density in the region, or the Gaussian of a bump.
    bins
        Of a HistFactory model of a symmetry: ``"one"``, the summed counts of the region; ``"all"``, every bin with its
        background from the other side. By default one for a rectangle without a template, else all. L2 is to be
        trusted above some five events a bin: sparse bins hide an excess that their sum has.
    kappa_error, systematic
        Of a HistFactory model: relative uncertainties of the background, common to all bins and independent from bin to
        bin, as were given to the scan; a report does not have them.

    Returns
    -------
    dict or str
        JSON-ready data; the text of HEPData.

    Raises
    ------
    InputError
        If there is no such row, the histograms are not those that were scanned, it has no histogram or no known ratio,
        contents are weighted, or an option has no effect on the form.

    Notes
    -----
    The side in excess is the data, the other one times kappa the background: the likelihood of
    :func:`coffea_ddp.stats.q0_l2`, whose significance pyhf finds. With calibrated histograms every bin has its own
    ratio, that of the expected shares of its events, and the uncertainty of the calibration. Not in it is what a fit of
    this region alone cannot know: its global significance, as it was chosen among all trials.

    Examples
    --------
    >>> import tempfile
    >>> import coffea_ddp as ddp
    >>> from coffea_ddp.testing import make_nanoaod
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     hists = ddp.run("symmetries", make_nanoaod(f"{folder}/nano.root", events=500, seed=1))
    >>> report = ddp.scan(hists, "submatrix", symmetries=["e/mu"], observables=["pt_l0 x met"], toys=0)
    >>> found = export_region(report, 1, hists)
    >>> sorted(found), found["channels"][0]["samples"][0]["modifiers"][0]["name"]
    (['channels', 'measurements', 'observations', 'version'], 'mu')
    """
    checks.choice(form, "form", get_args(Form))
    found, hists = as_report("export_region", report), as_histograms("export_region", hists)
    chosen = numbered_row(found, row)
    refuse_compared(
        [chosen],
        "its page has a table of data and simulation for HEPData and as CSV, and compared_cell(hists, comparison, "
        "observable, cell) has them in Python",
    )
    if chosen.cell is None or (chosen.kind == "symmetry" and chosen.symmetry is None):
        raise InputError(
            f"row {row}: it names no {'cell' if chosen.cell is None else 'symmetry'}; make the report again"
        )
    if found.fingerprint != hists.layout.fingerprint:
        raise InputError(
            f"the report is of the plan {found.plan!r} ({found.fingerprint}), the histograms are of "
            f"{hists.layout.plan!r} ({hists.layout.fingerprint}); give the histograms that were scanned"
        )
    check_scanned_data("export_region", found, hists)
    if form == "histfactory":
        _check_ratio(found, chosen, hists)
        return workspace(
            model_of(chosen, hists, signal=signal, bins=bins, kappa_error=kappa_error, systematic=systematic)
        )
    for name, given in (
        ("bins", bins),
        ("signal", signal is not None),
        ("kappa_error", kappa_error),
        ("systematic", systematic),
    ):
        if given:
            raise InputError(f"{name} has no effect on form={form!r}: it needs 'histfactory'; leave it out")
    return _histograms(chosen, hists) if form == "uhi" else single_file([_table(chosen, hists)], region_name(chosen))


def write_region(
    path: str | Path, report: ScanReport | str | Path, row: int, hists: Histograms | str | Path, **options: Any
) -> Path:
    """Write the region of a row of a report to a file.

    Parameters
    ----------
    path
        Of the file: JSON, YAML for HEPData.
    report, row, hists, options
        As for :func:`export_region`.

    Raises
    ------
    InputError
        As there.
    FileError
        If the file cannot be written, or anything but an older region is there.

    Examples
    --------
    >>> import tempfile
    >>> from coffea_ddp import run, scan, testing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = [testing.make_nanoaod(f"{folder}/{seed}.root", events=300, seed=seed) for seed in (1, 2)]
    ...     first, second = (run("dimuon_charge", file) for file in files)
    >>> report = scan(first, toys=20, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_region(f"{folder}/region.json", report, 1, first, form="uhi").name
    'region.json'
    """
    return write_text(path, text_of(export_region(report, row, hists, **options)), REGION)


def text_of(exported: Any) -> str:
    """Return what was exported as the text of its file."""
    return exported if isinstance(exported, str) else json.dumps(exported, indent=1) + "\n"


def _check_ratio(report: ScanReport, row: Row, hists: Histograms) -> None:
    """Stop where the expected ratio of a row is not that of its histograms and not in the report."""
    if row.kind != "symmetry":
        return
    exchange = hists.layout.symmetry(str(row.symmetry)).exchange
    if exchange and hists.layout.calibration is None and "calibration" in report.inputs:
        raise InputError(
            f"row {row.number} is calibrated, the histograms are not: the scan learned or read the calibration itself; "
            "fill with it (`coffea-ddp calibrate`, then `coffea-ddp run --calibration`), scan and export these"
        )
    if "corrected" in str(report.options.get("expectation", "")):
        raise InputError(
            "the scan had a correction per bin, which the report does not hold; scan without it, and give its size as "
            "kappa (Expectation, --kappa)"
        )


def _histograms(row: Row, hists: Histograms) -> dict[str, Any]:
    if row.kind == "spectrum":
        return region_histograms(row, {"spectrum": hists.spectrum(str(row.observable), str(row.cell)).hist}, {})
    pair = hists[row.symmetry, row.observable, row.cell]
    told = {"sides": list(hists.layout.symmetry(str(row.symmetry)).sides), "kappa": pair.kappa}
    return region_histograms(row, {"A": pair.a, "B": pair.b}, told)


def _table(row: Row, hists: Histograms) -> FigureTable:
    name, told = f"row-{row.number}", f"Data of row {row.number} of a scan: {region_name(row)}."
    if row.kind == "spectrum":
        spectrum = hists.spectrum(str(row.observable), str(row.cell))
        variances = spectrum.counts if spectrum.variances is None else spectrum.variances
        axis = axis_of(spectrum.hist.axes[0])
        return spectrum_table(spectrum.counts, axis, name, told, errors=np.sqrt(variances))
    if row.observable == EVENTS:
        raise InputError(f"row {row.number} compares numbers of events: there is no figure of it; export another row")
    sides = hists.layout.symmetry(str(row.symmetry)).sides
    pair = hists[row.symmetry, row.observable, row.cell]
    return pair_table(pair, name, told, sides=(f"A ({sides[0]})", f"B ({sides[1]})"))
