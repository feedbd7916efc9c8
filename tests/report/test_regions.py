"""Regions of rows are data: bins and edges of the axes that they are about, also in files, and text is made of them."""

from __future__ import annotations

import json

import hist
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import GRID, make_histograms, make_layout

from coffea_ddp import scan
from coffea_ddp.errors import FormatError
from coffea_ddp.histograms.axes import quantity
from coffea_ddp.report.regions import Range, Region
from coffea_ddp.report.report import ScanReport

EDGES = st.none() | st.floats(-1e12, 1e12)
BINS = st.none() | st.tuples(st.integers(0, 50), st.integers(1, 50)).map(lambda pair: (pair[0], sum(pair)))
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
RANGES = st.builds(
    lambda name, ends, unit, bins: Range(name, *ends, unit, *(bins or (None, None))),
    TEXT, st.tuples(EDGES, EDGES), TEXT, BINS,
)  # fmt: skip
REGIONS = st.builds(Region, st.lists(RANGES, max_size=3).map(tuple), TEXT)


@given(REGIONS)
def test_a_region_comes_back_from_json(region):
    ranges = json.loads(json.dumps(region.ranges(), allow_nan=False))
    assert Region.read(str(region), ranges) == Region(region.axes, "" if region.axes else region.label)


def test_every_rectangle_of_a_scan_is_about_its_events():
    hists = make_histograms(make_layout(grid=GRID), 400, seed=3, excess=0.1)
    rows = scan(hists, ["submatrix"], min_events=10, toys=0).rows
    assert rows
    for row in rows:
        pair = hists[row.symmetry, row.observable, row.cell]
        a, b = pair.counts
        spans = tuple(slice(*span) for span in row.region.bins)
        assert (a[spans].sum(), b[spans].sum()) == (row.n_a, row.n_b)
        for one, axis in zip(row.region.axes, pair.a.axes, strict=True):
            assert (one.low, one.high) == (axis.edges[one.first], axis.edges[one.stop])
            assert (one.name, one.unit) == (axis.name, quantity(axis).unit)
            assert f"{one.name} {one.low:.5g} to {one.high:.5g}" in str(row.region)


def test_the_last_bin_may_have_no_end():
    region = Region((Range("pt", 100.0, np.inf, "GeV", 3, 4),))
    assert str(region) == "pt 100 to inf GeV"
    assert json.loads(json.dumps(region.ranges(), allow_nan=False))[0]["high"] is None


@pytest.mark.parametrize("ranges", [3, "m 1 to 2", {"name": "m"}, [3], [{}], [{"name": 3, "low": 1, "high": 2}],
                                    [{"name": "m", "low": "x", "high": 2}],
                                    [{"name": "m", "low": 1, "high": 2, "first": True}],
                                    [{"name": "m", "low": 1, "high": 3}]])  # fmt: skip
def test_what_is_no_region(ranges):
    with pytest.raises(FormatError, match="make it again"):
        Region.read("m 1 to 2", ranges)


def test_a_region_in_words_is_kept_as_words():
    hists = make_histograms(make_layout(grid=GRID), 400, seed=3, excess=0.1)
    report = scan(hists, ["submatrix"], min_events=10, toys=0)
    old = json.loads(json.dumps(report.to_dict()))
    for row, now in zip(old["rows"], report.rows, strict=True):
        assert row["region"] == str(now.region)
        del row["ranges"]
    again = ScanReport.from_dict(old)
    for row, now in zip(again.rows, report.rows, strict=True):
        assert str(row.region) == str(now.region)
        assert row.region.bins is None
    assert ScanReport.from_dict(again.to_dict()) == again


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (hist.axis.Variable(np.geomspace(20.0, 400.0, 30), name="pt", label="pT [GeV]"), ("pt", "pT", "GeV")),
        (hist.axis.Regular(28, -2.8, 2.8, name="eta", label="eta"), ("eta", "eta", "")),
        (hist.axis.Regular(2, 0.0, 1.0, name="x"), ("x", "x", "")),
        (hist.axis.Regular(2, 0.0, 1.0, label="m[0]"), ("m[0]", "m", "0")),
        (hist.axis.Regular(2, 0.0, 1.0, name="x", label="x [] "), ("x", "x [] ", "")),
    ],
)
def test_names_and_units_of_axes(axis, expected):
    assert tuple(quantity(axis)) == expected
