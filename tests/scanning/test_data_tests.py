"""Tests of the data in parts: the same report whatever the parts, and deviations that add up to those of all."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored_toys import make_events

from coffea_ddp.histograms.lattice import distinct_cells
from coffea_ddp.scanning import symmetry_scan
from coffea_ddp.scanning.binned_tests import NSigma, Submatrix
from coffea_ddp.scanning.data_tests import CellsTested
from coffea_ddp.scanning.deviations import BestDeviations, ScanFamily
from coffea_ddp.scanning.driver import scan
from coffea_ddp.scanning.results import CellResults


@pytest.fixture(scope="module")
def hists():
    return make_events(1_500, 1, excess=40)


@pytest.mark.parametrize("cells", [1, 5, 64])
@pytest.mark.parametrize("jobs", [1, 3])
def test_the_report_does_not_depend_on_the_parts(hists, monkeypatch, cells, jobs):
    options = {"tests": (NSigma(), Submatrix()), "toys": 64, "min_events": 10, "best": 30}
    whole = json.dumps(scan(hists, **options).to_dict())
    monkeypatch.setattr(symmetry_scan, "PART", cells)
    assert json.dumps(scan(hists, jobs=jobs, **options).to_dict()) == whole


def results(z):
    """Return results of whole cells with these z, NaN where nothing can be said."""
    n = len(z)
    zeros, ones = np.zeros(n), np.ones(n, dtype=np.int64)
    return CellResults(z, z, z, zeros, zeros, ones, zeros, np.ones(n), np.ones(n), ones, None)


@given(
    st.lists(st.one_of(st.just(float("nan")), st.integers(-40, 40).map(lambda z: z / 8.0)), min_size=1, max_size=40),
    st.integers(1, 12),
    st.integers(1, 10),
)
def test_deviations_of_parts_are_those_of_all(hists, z, best, size):
    events = hists.cell_counts("e/mu")
    cells = distinct_cells(hists.layout.grid, events.codes)
    z = np.array(z[: len(cells)])
    family = ScanFamily(NSigma(), "e/mu", "x", cells, None)
    numbers, together, merged = np.arange(len(z)), BestDeviations(best), BestDeviations(best)
    together.add(family, numbers, results(z), np.isfinite(z))
    for first in range(0, len(z), size):
        part, some = BestDeviations(best), slice(first, first + size)
        part.add(family, numbers[some], results(z[some]), np.isfinite(z[some]))
        merged.merge(part.with_family(None).with_family(family))
    assert merged == together


def test_cells_of_parts_are_sorted_and_constants_are_held_once():
    parts = [
        CellsTested(np.array([7, 9]), np.full(2, 1.5), np.array([1.0, 2.0])),
        CellsTested(np.array([1]), np.array([1.5]), np.array([3.0])),
    ]
    found = CellsTested.joined(parts)
    assert found.cells.tolist() == [1, 7, 9]
    assert found.scale.tolist() == [3.0, 1.0, 2.0]
    assert found.kappa.strides == (0,)
    assert len(CellsTested.joined([]).cells) == 0
