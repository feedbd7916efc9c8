"""Trials: local and global p-values, and z."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from coffea_ddp import stats
from coffea_ddp.errors import InputError
from coffea_ddp.stats.trials import P_FLOOR

PROBABILITIES = st.floats(1e-300, 1.0)
LOOKS = st.floats(1.0, 1e8)


@pytest.mark.parametrize(
    ("trials", "three", "five", "median"),
    [(10, 3.64, 5.43, 1.50), (100, 4.20, 5.82, 2.46), (1000, 4.69, 6.20, 3.20), (10_000, 5.14, 6.55, 3.81)],
)
def test_independent_trials_one_sided(trials, three, five, median):
    """T21; one-sided throughout, global thresholds and the median of the largest z."""

    def local_z(p_global):
        return stats.z_from_p(stats.local_p(p_global, trials), two_sided=False)

    assert local_z(stats.p_from_z(3.0, two_sided=False)) == pytest.approx(three, abs=0.01)
    assert local_z(stats.p_from_z(5.0, two_sided=False)) == pytest.approx(five, abs=0.01)
    assert local_z(0.5) == pytest.approx(median, abs=0.01)


@pytest.mark.parametrize(("trials", "three"), [(10, 3.64), (100, 4.20), (1000, 4.69), (10_000, 5.14)])
def test_independent_trials_two_sided(trials, three):
    """The thresholds of T21 are the same to 0.01 where both p-values are two-sided."""
    assert stats.sidak_z(three, trials) == pytest.approx(3.0, abs=0.02)
    p = stats.local_p(stats.p_from_z(3.0, two_sided=True), trials)
    assert stats.z_from_p(p, two_sided=True) == pytest.approx(three, abs=0.01)


def test_median_of_the_maximum_by_simulation():
    largest = np.random.default_rng(21).normal(size=(4000, 100)).max(axis=1)
    # The median of 4000 maxima has an error of 1.25 x 0.43 / sqrt(4000) = 0.0085.
    assert np.median(largest) == pytest.approx(2.46, abs=0.035)


@given(PROBABILITIES, LOOKS)
def test_sidak_bounds(p, trials):
    p_global = stats.sidak(p, trials)
    # Between one look and Bonferroni.
    assert p * (1 - 1e-12) <= p_global <= min(1.0, p * trials) * (1 + 1e-12)


@given(st.floats(1e-300, 0.5), st.floats(1.0, 1e6))
def test_local_p_is_the_inverse(p_global, trials):
    assert stats.sidak(stats.local_p(p_global, trials), trials) == pytest.approx(p_global, rel=1e-9)


def test_tiny_p_is_exact():
    assert stats.sidak(1e-200, 1e6) == pytest.approx(1e-194, rel=1e-12)
    assert stats.sidak(1.0, 5) == 1.0
    assert stats.sidak(0.0, 5) == 0.0


@given(st.floats(-37.0, 37.0))
def test_two_sided_round_trip(z):
    p = stats.p_from_z(z, two_sided=True)
    assert stats.z_from_p(p, two_sided=True) == pytest.approx(abs(z), abs=1e-6)


@given(st.floats(-5.0, 37.0))
def test_one_sided_round_trip(z):
    assert stats.z_from_p(stats.p_from_z(z, two_sided=False), two_sided=False) == pytest.approx(z, abs=1e-6)


def test_against_scipy():
    z = np.linspace(-8, 8, 33)
    np.testing.assert_allclose(stats.p_from_z(z, two_sided=False), scipy_stats.norm.sf(z), rtol=1e-12)
    np.testing.assert_allclose(stats.p_from_z(z, two_sided=True), 2 * scipy_stats.norm.sf(abs(z)), rtol=1e-12)


@pytest.mark.parametrize("two_sided", [True, False])
def test_p_is_never_zero(two_sided):
    assert stats.p_from_z(1e3, two_sided=two_sided) == P_FLOOR > 0


@given(st.floats(-30.0, 30.0), st.floats(1.0, 1e6))
def test_sidak_z_is_sidak_between_p_and_z(z, trials):
    p_global = stats.sidak(stats.p_from_z(z, two_sided=True), trials)
    expected = stats.z_from_p(p_global, two_sided=True)
    found = stats.sidak_z(z, trials)
    assert abs(found) == pytest.approx(expected, abs=2e-6)
    assert abs(found) <= abs(z)
    assert found == 0 or math.copysign(1, found) == math.copysign(1, z)


def test_sidak_z_does_not_saturate():
    z = stats.sidak_z(np.array([-1000.0, 0.0, 50.0, np.inf, np.nan]), 1e5)
    assert -1000 < z[0] < -999.9
    assert z[1] == 0
    assert 49 < z[2] < 50
    assert np.isinf(z[3])
    assert np.isnan(z[4])
    assert stats.sidak_z(4.0, 1) == pytest.approx(4.0)


def test_numbers_give_numbers_and_arrays_arrays():
    assert isinstance(stats.sidak(0.1, 3), float)
    assert stats.sidak([0.1, 0.2], 3).shape == (2,)
    assert stats.z_from_p(np.full((2, 3), 0.1), two_sided=True).shape == (2, 3)


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(-9.0, 9.0), st.floats(1.0, 1e9)), min_size=1, max_size=9))
def test_every_value_may_have_its_own_number_of_trials(values):
    p, z, trials = (np.array(one) for one in zip(*values, strict=True))
    for function, local in ((stats.sidak, p), (stats.local_p, p), (stats.sidak_z, z)):
        each = [function(x, n) for x, n in zip(local.tolist(), trials.tolist(), strict=True)]
        np.testing.assert_array_equal(function(local, trials), each)
        np.testing.assert_array_equal(function(local[:, None], trials), np.array([function(x, trials) for x in local]))
    one_sided = [stats.sidak_z(x, n, two_sided=False) for x, n in zip(z.tolist(), trials.tolist(), strict=True)]
    np.testing.assert_array_equal(stats.sidak_z(z, trials, two_sided=False), one_sided)


@pytest.mark.parametrize(
    ("function", "arguments", "options", "message"),
    [
        (stats.sidak, ([0.1, 0.2], [3, 0.5]), {}, "0.5; expected numbers, each 1 or more"),
        (stats.sidak_z, ([1.0, 2.0], [3, math.nan]), {}, "each 1 or more"),
        (stats.local_p, ([0.1, 0.2], [3, 4, 5]), {}, "one for each value"),
        (stats.sidak, (1.1, 3), {}, "between 0 and 1"),
        (stats.sidak, (-0.1, 3), {}, "between 0 and 1"),
        (stats.sidak, (math.nan, 3), {}, "between 0 and 1"),
        (stats.sidak, (0.1, 0), {}, "1 or more"),
        (stats.local_p, (2.0, 3), {}, "between 0 and 1"),
        (stats.local_p, (0.1, math.nan), {}, "1 or more"),
        (stats.sidak_z, (1.0, 0.5), {}, "1 or more"),
        (stats.z_from_p, (0.0,), {"two_sided": True}, "never 0"),
        (stats.z_from_p, ([0.5, 1.5],), {"two_sided": False}, "between 0 and 1"),
    ],
    ids=range(12),
)
def test_bad_input(function, arguments, options, message):
    with pytest.raises(InputError, match=message):
        function(*arguments, **options)


def test_which_tail_has_to_be_said():
    with pytest.raises(TypeError, match="two_sided"):
        stats.p_from_z(1.0)
