"""Figures, exports and events of a report are made of the output that was scanned, and of no other."""

from __future__ import annotations

import dataclasses

import pytest

import coffea_ddp as ddp
from coffea_ddp.errors import FormatError, InputError
from coffea_ddp.report.report import ScanReport
from coffea_ddp.report.scanned import check_scanned_data
from coffea_ddp.testing import make_nanoaod

PLAN = ddp.load_plan("symmetries")


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    nano = make_nanoaod(tmp_path_factory.mktemp("scanned") / "nano.root", events=1_500, seed=2)
    return tuple(ddp.run(PLAN.half(part), nano) for part in "ab")


@pytest.fixture(scope="module")
def report(halves):
    return ddp.scan(halves[0], "submatrix", symmetries=["e/mu"], observables=["pt_l0 x met"], toys=0)


USES = {
    "report": lambda report, hists, folder: ddp.write_report(report, folder / "report", hists=hists),
    "histfactory": lambda report, hists, _: ddp.export_region(report, 1, hists),
    "uhi": lambda report, hists, _: ddp.export_region(report, 1, hists, form="uhi"),
    "hepdata": lambda report, hists, _: ddp.export_region(report, 1, hists, form="hepdata"),
    "events": lambda report, hists, _: ddp.region_events(report, hists),
}


@pytest.mark.parametrize("use", USES)
def test_the_other_half_is_another_output(use, halves, report, tmp_path):
    """Both halves have the plan, the files and the number of read events of the other."""
    assert halves[0].n_events == halves[1].n_events
    with pytest.raises(InputError, match=r"half a of 1 files .* half b of 1 files"):
        USES[use](report, halves[1], tmp_path)
    assert not (tmp_path / "report").exists()


def test_reports_that_do_not_tell_their_data_are_taken(halves, report):
    untold = {name: value for name, value in report.inputs.items() if name not in ("counted", "split")}
    check_scanned_data("test", dataclasses.replace(report, inputs=untold), halves[1])


@pytest.mark.parametrize(
    "split", ["a", [], {}, {"part": "a"}, {"part": "c", "share": 0.5}, {"part": "a", "share": 2}, 3]
)
def test_a_part_that_cannot_be_read_is_an_error(halves, report, split):
    spoilt = dataclasses.replace(report, inputs={**report.inputs, "split": split})
    with pytest.raises(FormatError, match="the part of the events"):
        check_scanned_data("test", spoilt, halves[0])


@pytest.mark.parametrize("name", ["cell", "symmetry"])
@pytest.mark.parametrize("form", ["histfactory", "uhi", "hepdata"])
def test_rows_that_name_no_place_are_not_exported(halves, report, name, form):
    row = dataclasses.replace(report.rows[0], **{name: None})
    spoilt: ScanReport = dataclasses.replace(report, rows=(row,))
    with pytest.raises(InputError, match=f"names no {name}"):
        ddp.export_region(spoilt, 1, halves[0], form=form)


ROWS = {
    "confirm": lambda report, halves, row: ddp.confirm(report, halves[1], rows=[row]),
    "events": lambda report, halves, row: ddp.region_events(report, halves[0], row=row),
    "selected events": lambda report, _, row: ddp.select_events(report, PLAN, (), row=row),
    "histfactory": lambda report, halves, row: ddp.export_region(report, row, halves[0]),
    "uhi": lambda report, halves, row: ddp.export_region(report, row, halves[0], form="uhi"),
    "hepdata": lambda report, halves, row: ddp.export_region(report, row, halves[0], form="hepdata"),
}


@pytest.mark.parametrize("use", ROWS)
def test_rows_that_are_not_there_or_were_not_tested_are_refused(use, halves, report):
    for number in (0, -1, len(report.rows) + 1, 10**9):
        with pytest.raises(InputError, match="row"):
            ROWS[use](report, halves, number)
    untested = dataclasses.replace(report.rows[0], statistic=None, status="TOO_FEW_ENTRIES", reason="few")
    spoilt = dataclasses.replace(report, rows=(untested, *report.rows[1:]))
    with pytest.raises(InputError, match=r"row 1: it was not tested \(few\)"):
        ROWS[use](spoilt, halves, 1)
