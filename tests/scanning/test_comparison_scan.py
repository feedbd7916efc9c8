"""The scan of data beside simulation: a signal comes first, and p-values of nulls are uniform."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats as scipy_stats

from coffea_ddp.errors import InputError
from coffea_ddp.report.report import ScanReport
from coffea_ddp.scanning.compared_cell import compared_cell, z_of_bins
from coffea_ddp.scanning.driver import scan
from coffea_ddp.scanning.expectation import Expectation
from coffea_ddp.scanning.simulation import Simulation
from tests.support.compared_toys import (
    FEW_CELLS,
    MANY_CELLS,
    N_BINS,
    NAME,
    NEGATIVE,
    SPARSE,
    WELL,
    data,
    layout_of,
    null_output,
    output,
    rates_of,
    simulated,
)


def global_p(seed: int, processes=WELL, test="nsigma", total=2000.0, toys=192, grid=FEW_CELLS) -> float:
    report = scan(null_output(seed, processes, total, grid=grid), [test], toys=toys, seed=seed)
    return next(found.p_value for found in report.global_p if found.scope is None and found.what == "min-p")


def test_p_values_of_nulls_are_uniform():
    """80 nulls: the KS test sees a p that is off by 0.18 anywhere."""
    found = [global_p(seed) for seed in range(80)]
    assert scipy_stats.kstest(found, "uniform").pvalue > 0.01


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "total"), [(WELL, 2000.0), (WELL, 300.0)])
def test_p_values_of_200_nulls_are_uniform(processes, total):
    found = [global_p(1000 + seed, processes, total=total, toys=256) for seed in range(200)]
    assert scipy_stats.kstest(found, "uniform").pvalue > 0.01


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "test"), [
    (WELL, "roi"), (SPARSE, "roi"), (NEGATIVE, "roi"), (NEGATIVE, "nsigma"),
])  # fmt: skip
def test_where_p_values_are_not_uniform_they_are_too_large(processes, test):
    """Regions of few simulated events, and weights of both signs: 200 nulls, 5 % (10 %) are below 0.05 (0.1)."""
    found = np.array([global_p(2000 + seed, processes, test, toys=256) for seed in range(200)])
    assert (found <= 0.05).mean() < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert (found <= 0.2).mean() < 0.2 + 3 * np.sqrt(0.2 * 0.8 / 200)


@pytest.mark.slow
@pytest.mark.parametrize("grid", [FEW_CELLS, MANY_CELLS])
def test_where_samples_miss_cells_the_level_is_what_it_says(grid):
    """200 nulls: 0.05 and 0.2, and not below a fifth of these; the error of 0.05 is 0.015."""
    found = np.array([global_p(1000 + seed, SPARSE, toys=256, grid=grid) for seed in range(200)])
    assert 0.01 <= (found <= 0.05).mean() <= 0.09
    assert 0.08 <= (found <= 0.2).mean() <= 0.28


def test_a_signal_in_one_cell_comes_first():
    extra = np.zeros((24, N_BINS), np.int64)
    cell = int(np.argsort(rates_of(layout_of(), WELL, 2000.0).sum(axis=(0, 2)))[-4])
    extra[cell, 14:16] = 20
    hists = null_output(9, extra=extra)
    report = scan(hists, ["nsigma", "submatrix"], toys=256, seed=1)
    best = report.rows[0]
    assert best.kind == "comparison"
    assert best.n_ge == 0
    assert best.z_local > 5
    ((first, stop),) = best.region.bins
    assert 12 <= first <= 14
    assert 16 <= stop <= 18
    assert best.n_b >= 40
    inside = compared_cell(hists, NAME, "m", best.cell)
    assert repr(inside).startswith(f"ComparedCell({NAME} | m | {best.cell}: ")
    assert len(repr(inside)) < 250
    assert best.n_b == inside.data[first:stop].sum()
    assert best.n_a == pytest.approx(inside.expected[first:stop].sum())
    assert ScanReport.from_dict(report.to_dict()) == report


def test_both_tests_of_regions_are_one_on_one_axis():
    hists = null_output(10)
    one, other = (scan(hists, [name], toys=64, seed=2) for name in ("roi", "submatrix"))
    assert [row.z_local for row in one.rows] == [row.z_local for row in other.rows]
    both = scan(hists, ["roi", "submatrix"], toys=64, seed=2)
    assert {row.test for row in both.rows} == {"roi"}


def test_results_do_not_depend_on_threads():
    hists = null_output(11)
    first, second = (scan(hists, ["nsigma", "roi"], toys=200, seed=3, jobs=jobs) for jobs in (1, 3))
    assert first == second


def test_uncertainties_make_deviations_smaller():
    layout = layout_of()
    rates, rng = rates_of(layout, WELL, 2000.0), np.random.default_rng(12)
    hists = output(layout, simulated(layout, WELL, rates, rng) | data(layout, 1.3 * rates, rng))
    known = scan(hists, toys=0).best()
    unsure = scan(hists, toys=0, simulation=Simulation(luminosity_error=0.3)).best()
    assert known.z_local > 6
    assert abs(unsure.z_local) < 2.5
    inclusive = next(row for row in scan(hists, toys=0).rows if row.cell == "inclusive")
    moved = scan(hists, toys=0, simulation=Simulation(luminosity_error=0.3)).rows
    wide = next(row for row in moved if row.cell == "inclusive")
    assert wide.n_a_error > inclusive.n_a_error
    assert wide.n_a_error == pytest.approx(np.hypot(inclusive.n_a_error, 0.3 * inclusive.n_a), rel=0.02)


def test_what_has_no_effect_is_an_error():
    hists = null_output(13)
    with pytest.raises(InputError, match="'nplm' tests symmetries"):
        scan(hists, ["nplm"])
    with pytest.raises(InputError, match="expectation: of symmetries"):
        scan(hists, expectation=Expectation(kappa=1.2))
    with pytest.raises(InputError, match="null: of symmetries"):
        scan(hists, null="fixed")
    with pytest.raises(InputError, match="give Simulation"):
        scan(hists, simulation=1.0)


def test_data_where_nothing_is_simulated_are_told():
    hists = null_output(14)
    mc = {
        name: dataclasses.replace(one, counts=one.counts.between(0, 1)) if name != "mc0" else one
        for name, one in hists.samples.items()
        if not one.is_data
    }
    report = scan(output(hists.layout, {**hists.samples, **mc}), toys=0)
    assert report.inputs["simulation"]["not_simulated"][f"{NAME}: m"] >= 0
    assert report.inputs["simulation"]["luminosity"] == 1.0


def test_no_event_is_no_row():
    layout = layout_of()
    rates, rng = rates_of(layout, WELL, 0.0), np.random.default_rng(15)
    samples = simulated(layout, WELL, rates, rng) | data(layout, rates, rng)
    report = scan(output(layout, samples), ["nsigma", "roi"], toys=64)
    assert not report.rows
    assert report.trials == 0


def test_z_of_a_bin_is_that_of_its_p_and_of_a_row_of_this_bin():
    hists, n_single = null_output(16), 0
    for row in scan(hists, ["roi"], toys=0).rows:
        inside = compared_cell(hists, NAME, "m", row.cell)
        ((first, stop),) = row.region.bins
        if stop - first == 1:
            n_single += 1
            assert inside.z[first] == pytest.approx(row.z_local, rel=0.02)  # a score, within a few per cent of its p
    assert n_single > 5
    data_of, expected, error = np.array([3.0, 0.0, 7.0, 1e5, 2.0]), np.array([0.01, 8.0, 7.0, 1e3, 0.0]), np.zeros(5)
    z = z_of_bins(data_of, expected, error)
    assert z[0] == pytest.approx(scipy_stats.norm.isf(scipy_stats.poisson.sf(2, 0.01)))
    assert z[1] == pytest.approx(-scipy_stats.norm.isf(np.exp(-8.0)))
    assert z[2] == 0.0  # where as many are expected, more than half of all experiments have as many or fewer
    assert 37 < z[3] < 38  # no double holds its p
    assert np.isnan(z[4])
    wide = z_of_bins(data_of[:1], expected[:1], np.array([0.02]))
    assert 0 < wide[0] < z[0]


def test_a_simulation_that_is_wrong_by_orders_of_magnitude_is_a_row_and_no_error():
    """Of a luminosity in other units, for example."""
    layout = layout_of()
    rates, rng = rates_of(layout, WELL, 20_000.0), np.random.default_rng(17)
    hists = output(layout, simulated(layout, WELL, rates, rng) | data(layout, 50.0 * rates, rng))
    report = scan(hists, ["nsigma", "roi"], toys=64)
    assert report.rows[0].z_local > 37
    assert all(row.p_local is None or row.p_local > 0 for row in report.rows)
