"""Bins whose widths jump are no discovery, and widths of signals that fit to no bin are told in words."""

from __future__ import annotations

import hist
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coffea_ddp import MassSpectrum, Resolution, bump_hunt, resolution_axis, stats
from coffea_ddp.errors import InputError
from coffea_ddp.scanning.bump_range import prepare
from coffea_ddp.stats.bumphunt.checks import JUMP, uneven_bins
from coffea_ddp.stats.status import Status

BROKEN = np.r_[np.arange(60.0, 80.0), np.arange(80.0, 121.0, 2.0)]


def counts_in(edges, events=20_000):
    """Draw counts of an exponential."""
    low, span = edges[0], np.ptp(edges)
    return np.histogram(low + np.random.default_rng(1).exponential(0.5 * span, events), edges)[0]


def in_file(edges, **options):
    """Make a spectrum of them."""
    axis = hist.axis.Variable(edges, name="mass")
    return MassSpectrum("m", "", hist.Hist(axis, data=counts_in(edges).astype(np.int64)), **options)


jumps = st.one_of(st.floats(JUMP + 0.01, 2.0), st.floats(-2.0, -JUMP - 0.01))


@settings(max_examples=40, deadline=None)
@given(jumps, st.integers(1, 58), st.floats(0.0, 0.05), st.floats(1e-3, 1e3))
def test_no_z_is_given_where_widths_jump(jump, place, growth, unit):
    widths = unit * np.exp(growth * np.arange(60) + np.where(np.arange(60) >= place, jump, 0.0))
    edges = np.concatenate([[100.0 * unit], 100.0 * unit + np.cumsum(widths)])
    with pytest.raises(InputError, match=r"UNEVEN_BINS: the bins are .* wide below .* and .* above.*merge bins"):
        stats.bump_significance(counts_in(edges), edges, toys=0)
    assert "UNEVEN_BINS" in stats.bump_fit(counts_in(edges)[None] + 1.0, edges, widths, orders=[2]).flags[0]
    one = prepare(in_file(edges), whole=True)
    assert one.status is Status.UNEVEN_BINS
    assert "merge bins" in one.reason


@settings(max_examples=200, deadline=None)
@given(st.integers(21, 200), st.floats(0.0, 0.08), st.integers(0, 199))
def test_smooth_widths_pass_however_many_bins_are_left_out(n_bins, growth, hidden):
    widths = 10.0 * np.exp(growth * np.arange(n_bins))
    edges = np.concatenate([[100.0], 100.0 + np.cumsum(widths)])
    used = np.ones(n_bins, dtype=bool)
    used[n_bins // 3 : n_bins // 3 + hidden] = False
    for chosen in (edges, np.rint(10 * edges) / 10):
        assert not uneven_bins(chosen)
        assert not uneven_bins(chosen, used)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.002, 0.15), st.floats(0.0, 0.5), st.floats(0.0, 5.0), st.floats(5.0, 100.0), st.floats(0.2, 0.5))
def test_axes_that_follow_the_resolution_pass(constant, stochastic, floor, low, step):
    axis = resolution_axis(Resolution(constant, stochastic, floor), low, 20 * low, step=step)
    assert not uneven_bins(axis.edges)


def test_rounded_geometric_bins_have_their_z():
    edges = np.round(1000 * np.exp(np.arange(45) * 0.045))
    result = stats.bump_significance(counts_in(edges), edges, 80.0, toys=0)
    assert abs(result.z_max) < 4
    assert prepare(in_file(edges), whole=True).status is Status.OK


def test_one_side_of_a_jump_can_be_left_out_and_a_jump_behind_a_mask_stays_one():
    edges = np.r_[20.0 : BROKEN[0], BROKEN]
    counts = counts_in(edges)
    upper = edges[:-1] >= 80.0
    assert stats.bump_significance(counts, edges, 2.0, mask=upper, toys=0).z_max < 4
    with pytest.raises(InputError, match="UNEVEN_BINS"):
        stats.bump_significance(counts, edges, 2.0, mask=(edges[:-1] >= 76.0) & (edges[:-1] < 86.0), toys=0)
    lone = np.r_[20.0:60.0, 62.0:100.0]
    assert "3 above" in uneven_bins(lone)
    assert not uneven_bins(lone, np.diff(lone) < 1.5)


def test_a_report_lists_what_has_uneven_bins():
    report = bump_hunt([in_file(BROKEN, width=2.0), in_file(np.arange(60.0, 121.0), width=2.0)], toys=0)
    assert [row.status for row in report.rows] == ["OK", "UNEVEN_BINS"]
    assert "1 wide below 80 and 2 above" in report.rows[1].reason
    assert report.trials == 1


@pytest.mark.parametrize("width", [1e-300, 1e-18, 1e-7, 61.0, 1e9, 1e300, np.inf, -1.0])
def test_widths_that_fit_to_no_bin_are_told(width):
    edges = np.arange(60.0, 121.0)
    with pytest.raises(InputError, match="width: a signal"):
        bump_hunt([in_file(edges, width=width)], toys=0)
    with pytest.raises(InputError, match="width"):
        stats.bump_significance(counts_in(edges), edges, width, toys=0)
    mixed = bump_hunt([in_file(edges, width=width), in_file(edges, width=2.0)], toys=0)
    assert [row.status for row in mixed.rows] == ["OK", "BAD_WIDTH"]


def test_a_width_beside_huge_bins_is_told():
    with pytest.raises(InputError, match="a signal 2 wide is less than a millionth of every bin"):
        stats.bump_significance(np.ones(60), np.arange(61.0) * 1e19, 2.0)


@pytest.mark.parametrize("width", [1e-4, 0.1, 20.0, 60.0])
def test_narrow_and_wide_signals_are_looked_for(width):
    edges = np.arange(60.0, 121.0)
    assert bump_hunt([in_file(edges, width=width)], toys=0).rows[0].rank == 1
