"""Cells in parts: the same cells, the same report."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from coffea_ddp import testing
from coffea_ddp.histograms.cells import CellGrid, Multiplicity
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.lattice import distinct_cells
from coffea_ddp.running.driver import run
from coffea_ddp.scanning import memberships
from coffea_ddp.scanning.binned_tests import NSigma
from coffea_ddp.scanning.driver import scan
from coffea_ddp.scanning.memberships import Memberships
from coffea_ddp.scanning.own_function import CellTest
from coffea_ddp.scanning.scanned import ScannedCells


@pytest.fixture(scope="module")
def hists(tmp_path_factory: pytest.TempPathFactory) -> Histograms:
    return run("symmetries", testing.make_nanoaod(tmp_path_factory.mktemp("f") / "e.root", events=3_000, seed=3))


def excess(a: Any, b: Any, ratio: Any) -> Any:
    return (b - ratio * a).sum(axis=1) / np.sqrt((ratio * (a + b)).sum(axis=1))


@pytest.mark.parametrize("most", [1, 7, 40, 10**6])
def test_parts_are_all_cells_in_their_order(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memberships, "MOST_MEMBERS", most)
    cells = distinct_cells(CellGrid((Multiplicity("j", last=3), Multiplicity("b", last=2))), np.arange(12))
    some = np.arange(1, len(cells), 2)
    tested = ScannedCells(NSigma(), some, some[[0, 4]], np.ones(2), np.full(len(some), 0.5), np.arange(len(some)) + 1.0)
    parts = list(Memberships.of(cells, tested, some, per_cell=True))
    starts, codes = cells.lists(some)
    np.testing.assert_array_equal(np.concatenate([part.codes for part in parts]), codes)
    np.testing.assert_array_equal(np.concatenate([np.diff(part.starts) for part in parts]), np.diff(starts))
    np.testing.assert_array_equal(np.concatenate([part.scale for part in parts]), tested.scale)
    np.testing.assert_array_equal(np.concatenate([part.v_scale for part in parts]), tested.kappa)
    keep = np.concatenate([part.keep for part in parts])
    assert np.flatnonzero(keep >= 0).tolist() == [0, 4]
    assert keep[[0, 4]].tolist() == [0, 1]
    assert all(len(part.codes) <= most or len(part.scale) == 1 for part in parts)
    assert Memberships.of(cells, tested, some[:0], per_cell=False).held


@pytest.mark.parametrize("test", ["nsigma", "submatrix", "submatrix_nsigma", CellTest("excess", excess)])
def test_parts_make_the_report_of_the_whole(test: Any, hists: Histograms, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"tests": [test], "symmetries": ["e/mu"], "toys": 70, "seed": 1}
    whole = scan(hists, **options)
    monkeypatch.setattr(memberships, "MOST_MEMBERS", 500)
    parts = scan(hists, **options)
    assert len(whole.rows) > 20
    assert dataclasses.replace(parts, inputs=whole.inputs) == whole
