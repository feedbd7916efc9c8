"""Comparisons of data with simulation in PHYSLITE: sums of weights are those of the bookkeepers."""

from __future__ import annotations

import dataclasses

import pytest

from coffea_ddp import Comparison, load_plan, run, scan
from coffea_ddp.running.reader import look
from coffea_ddp.running.weight_sums import with_sum
from coffea_ddp.testing import make_nanoaod, make_physlite


@pytest.mark.parametrize("container", ["ttree", "rntuple"])
@pytest.mark.parametrize("simulation", [True, False])
def test_a_file_tells_its_sum_and_whether_it_is_simulation(tmp_path, container, simulation):
    path = make_physlite(tmp_path / "atlas.root", events=60, seed=1, container=container, simulation=simulation)
    found = with_sum(str(path), look(str(path), "Events"))
    assert (found.sum_of_weights, found.generated) == ((60.0, True) if simulation else (None, False))


def test_the_scan_of_both_formats_is_the_same(tmp_path):
    base = load_plan("symmetries")
    compared = Comparison("data/sim", observables=base.symmetries[0].observables[:2])
    plan = dataclasses.replace(base, name="mc", symmetries=(), comparisons=(compared,))
    reports = []
    for make in (make_nanoaod, make_physlite):
        weights = {"weights": 1.0} if make is make_nanoaod else {"simulation": True}
        files = {
            "data": {"files": [str(make(tmp_path / f"{make.__name__}d.root", events=2_000, seed=1))],
                     "metadata": {"kind": "data", "luminosity": 1.0}},
            "mc": {"files": [str(make(tmp_path / f"{make.__name__}s.root", events=3_000, seed=2, **weights))],
                   "metadata": {"kind": "simulation", "cross_section": 2.0}},
        }  # fmt: skip
        reports.append(scan(run(plan, files), "nsigma", toys=50, seed=1))
    one, other = (
        [(row.cell, row.observable, row.statistic, row.n_a, row.n_b) for row in found.rows] for found in reports
    )
    assert one
    assert one == other
