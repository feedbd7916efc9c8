"""The two tables: every entry is the best that a scan has seen, whatever it keeps."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import make_histograms, make_layout

from coffea_ddp import scan
from coffea_ddp.histograms.cells import CellGrid, Multiplicity, Topology
from coffea_ddp.report.older_files import axes_of, objects_of
from coffea_ddp.report.overview import KINDS, kinds_of, state_table, symmetry_table, z_of
from coffea_ddp.report.report import ScanReport
from coffea_ddp.report.rows import Row

GRID = CellGrid((Multiplicity("j", last=2), Topology("VBF"), Topology("Z")))


def row(**changes):
    known = {
        "kind": "symmetry", "symmetry": "e/mu", "observable": "met", "cell": "inclusive", "region": None,
        "test": "nsigma", "n_a": 5, "n_b": 6, "statistic": 1.0, "p_local": 0.3, "z_local": 1.0, "p_global": 1.0,
        "z_global": 0.0, "method": "asymptotic", "status": "OK",
    }  # fmt: skip
    found = Row.of_columns(**(known | changes))
    return found if found.asks else dataclasses.replace(found, asks=tuple(axes_of(found.cell)))


def bump(observable, z=1.0, **changes):
    known = {"kind": "spectrum", "symmetry": None, "test": "bump", "decays_to": tuple(objects_of(observable))}
    return row(observable=observable, z_local=z, statistic=z, **known, **changes)


def report(*rows, **changes):
    known = {"plan": "p", "fingerprint": "", "seed": 0, "inputs": {"cells": GRID.to_dict()}, "trials": 1, "rows": rows}
    return ScanReport(**(known | changes))


@pytest.mark.parametrize("tests", [["nsigma"], ["nsigma", "submatrix"]])
def test_entries_do_not_depend_on_how_many_rows_are_kept(tests):
    hists = make_histograms(make_layout(), 900, seed=4, excess=0.05)
    everything, few = (symmetry_table(scan(hists, tests, min_events=5, best=best, toys=0)) for best in (100_000, 1))
    assert everything.columns == few.columns
    assert everything.entries.keys() == few.entries.keys()
    for place, entry in everything.entries.items():
        for mine, other in ((entry.alone, few.entries[place].alone), (entry.others, few.entries[place].others)):
            assert (mine is None) == (other is None)
            assert mine is None or (mine.cell, mine.observable, mine.test) == (other.cell, other.observable, other.test)


def test_columns_are_told_by_their_group():
    table = symmetry_table(report())
    assert [(column.name, column.group) for column in table.columns] == [
        ("inclusive", "inclusive"), ("j", "multiplicity"), ("Z", "decay"), ("VBF", "topology")
    ]  # fmt: skip


def test_a_cell_is_in_the_columns_that_it_asks_about():
    plain, alone, both = row(z_local=1.0), row(cell="j>=1", z_local=-2.0), row(cell="j=1 & !VBF", z_local=3.0)
    table = symmetry_table(report(plain, alone, both))
    assert table.entry("e/mu", "inclusive").alone == plain
    assert (table.entry("e/mu", "j").alone, table.entry("e/mu", "j").others) == (alone, both)
    assert (table.entry("e/mu", "VBF").alone, table.entry("e/mu", "VBF").others) == (None, both)
    assert table.entry("e/mu", "VBF").best == both
    assert table.entry("e/mu", "Z").best is None
    assert table.rows == [plain, alone, both]


def test_the_stronger_row_wins_after_the_regions_of_its_cell():
    whole = row(z_local=2.0)
    rectangle = row(z_local=-3.0, p_local=0.0027, n_regions=164_836, test="submatrix")
    assert symmetry_table(report(whole, rectangle)).entry("e/mu", "inclusive").alone == whole
    assert z_of(rectangle) == pytest.approx(0.0, abs=1e-9)
    assert z_of(row(z_local=-6.0, p_local=1.97e-9, n_regions=100)) < -4.9


def test_as_a_table_of_numbers():
    frame = symmetry_table(report(row(z_local=1.5), row(cell="Z", z_local=-2.5))).to_dataframe()
    assert list(frame.columns) == ["inclusive", "j", "Z", "VBF"]
    assert frame.empty  # no summary tells of a symmetry


def test_states_by_their_objects():
    table = state_table(report(bump("2mu", 5.0), bump("2mu", 4.0), bump("mu+j", 3.0), bump("Z(2mu)+gamma", 2.0)))
    assert table.kinds == ("mu", "j", "gamma", "Z/W")
    assert table.pair("mu", "mu").z_local == 5.0  # the first: rows are ranked by p
    assert table.pair("j", "mu").z_local == table.pair("mu", "j").z_local == 3.0
    assert table.pair("gamma", "Z/W").observable == "Z(2mu)+gamma"
    assert table.pair("j", "j") is None
    frame = table.to_dataframe()
    assert frame.loc["mu", "j"] == frame.loc["j", "mu"] == 3.0
    assert math.isnan(frame.loc["j", "j"])


def test_heavier_states_are_under_every_kind_that_they_have():
    table = state_table(report(bump("2mu+j", 2.0), bump("2mu+2j", 3.0), bump("5j", 1.0)))
    assert table.pairs == {}
    assert table.heavier["mu", 3].observable == table.heavier["j", 3].observable == "2mu+j"
    assert table.heavier["j", 4].observable == table.heavier["mu", 4].observable == "2mu+2j"


def test_a_spectrum_that_was_not_looked_at_gives_way():
    lost, seen = bump("2mu", None, status="TOO_FEW_ENTRIES"), bump("2mu", 0.5)
    assert state_table(report(lost, seen)).pair("mu", "mu") == seen
    assert state_table(report(lost)).pair("mu", "mu") == lost


def test_every_spectrum_of_the_shipped_plan_has_a_place():
    from coffea_ddp import load_plan

    spectra = load_plan("resonances").spectra
    assert [list(spectrum.decays_to) for spectrum in spectra] == [objects_of(spectrum.name) for spectrum in spectra]
    kinds = [kinds_of(bump(spectrum.name)) for spectrum in spectra]
    assert all(len(found) >= 2 for found in kinds)
    assert {kind for found in kinds for kind in found} == set(KINDS)


@given(st.text(max_size=30), st.text(max_size=30))
def test_names_from_strangers_are_no_danger(cell, observable):
    told = report(row(cell=cell), bump(observable), inputs={"cells": [cell, {"topology": cell}, 3]})
    symmetry_table(told)
    state_table(told)


def test_every_row_says_what_its_cell_asks():
    hists = make_histograms(make_layout(grid=GRID), 900, seed=4, excess=0.05)
    rows = scan(hists, ["nsigma", "submatrix"], min_events=5, toys=0).rows
    assert len({row.asks for row in rows}) > 3
    for row in rows:
        assert list(row.asks) == axes_of(row.cell)
        assert [axis.name for axis in GRID.axes if axis.name in row.asks] == list(row.asks)


def test_rows_of_a_report_have_numbers():
    equal = report(row(), row(), row(cell="j>=1"))
    assert [one.number for one in equal.rows] == [1, 2, 3]
    assert equal.rows[0] == equal.rows[1] == row()
    again = report(*reversed(equal.rows))
    assert [one.number for one in again.rows] == [1, 2, 3]
    assert len(symmetry_table(again).rows) == 2


def test_reports_of_version_1_fill_the_same_tables():
    rows = [row(z_local=1.5), row(cell="j=1 & !VBF"), bump("2mu+j", 2.0), bump("Z(2mu)+gamma", 3.0)]
    now = report(*rows)
    old = now.to_dict() | {"version": 1, "looks": 1}
    for one in old["rows"]:
        del one["asks"], one["decays_to"], one["number"]
    again = ScanReport.from_dict(old)
    assert symmetry_table(again) == symmetry_table(now)
    assert state_table(again) == state_table(now)
