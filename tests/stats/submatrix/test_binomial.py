"""z of a split of n events: scipy's binomial distribution is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from coffea_ddp.errors import InputError
from coffea_ddp.stats.submatrix.binomial import MOST_EXACT, binomial_p, binomial_z, expansion, z_table

chances = st.floats(0.02, 0.98)


@given(st.integers(1, 300), st.data(), chances)
def test_z_is_that_of_the_mid_p_value(n, data, p):
    b = data.draw(st.integers(0, n))
    above = scipy_stats.binom.sf(b, n, p) + 0.5 * scipy_stats.binom.pmf(b, n, p)
    below = scipy_stats.binom.cdf(b, n, p) - 0.5 * scipy_stats.binom.pmf(b, n, p)
    expected = scipy_stats.norm.isf(above) if above < below else scipy_stats.norm.ppf(below)
    if min(above, below) > 1e-200:
        assert binomial_z(b, n, p) == pytest.approx(expected, abs=1e-6)


@given(st.integers(0, 5_000), st.data(), chances)
def test_exchanging_the_sides_changes_the_sign(n, data, p):
    b = data.draw(st.integers(0, n))
    assert binomial_z(n - b, n, 1 - p) == pytest.approx(-binomial_z(b, n, p), abs=1e-7)


def test_z_rises_with_the_number_of_events_on_side_b():
    for p in (0.05, 0.5, 0.9):
        z = binomial_z(np.arange(401), 400, p)
        assert (np.diff(z) > 0).all() or (np.diff(z) >= 0).all()  # equal only where p underflows
        assert (np.diff(z[np.abs(z) < 30]) > 0).all()


def test_mid_p_values_are_one_half_on_average():
    """At any n, to all digits: what the full p-value is not."""
    for n, p in ((1, 0.5), (3, 0.2), (25, 0.83)):
        b = np.arange(n + 1)
        z = binomial_z(b, n, p)
        assert scipy_stats.binom.pmf(b, n, p) @ scipy_stats.norm.sf(z) == pytest.approx(0.5, abs=1e-12)


@given(st.integers(0, 300), st.data(), chances)
def test_full_p_is_scipys(n, data, p):
    b = data.draw(st.integers(0, n))
    for sign, alternative in ((1, "greater"), (-1, "less")):
        assert binomial_p(b, n, p, sign=sign) == pytest.approx(
            scipy_stats.binomtest(b, n, p, alternative=alternative).pvalue if n else 1.0, rel=1e-9, abs=1e-300
        )
    smaller = min(binomial_p(b, n, p, sign=1), binomial_p(b, n, p, sign=-1))
    assert binomial_p(b, n, p) == pytest.approx(min(1.0, 2 * smaller))


@pytest.mark.parametrize("sign", [1, -1, 0])
@pytest.mark.parametrize("kappa", [0.1, 1.0, 1.15, 7.0])
def test_full_p_is_never_too_small(kappa, sign):
    """All splits of up to 60 events: P(p <= alpha) is alpha or less at every alpha, which mid-p does not promise."""
    chance, mid_p_fails = kappa / (1 + kappa), False
    for n in range(1, 61):
        b = np.arange(n + 1)
        weight = scipy_stats.binom.pmf(b, n, chance)
        p = binomial_p(b, n, chance, sign=sign)
        reached = np.array([weight[p <= alpha * (1 + 1e-9)].sum() for alpha in p])
        assert (reached <= p * (1 + 1e-9)).all()
        z = binomial_z(b, n, chance)
        mid_p = 2 * scipy_stats.norm.sf(np.abs(z)) if sign == 0 else scipy_stats.norm.sf(sign * z)
        mid_p_fails |= any(weight[mid_p <= alpha].sum() > 1.5 * alpha for alpha in mid_p)
        assert (mid_p <= p * (1 + 1e-9)).all()
    assert mid_p_fails


def test_the_most_extreme_split():
    """10 : 0 at kappa = 1 is one of 1,024 twice: its mid-p value is half of that."""
    assert binomial_p(10, 10, 0.5) == pytest.approx(2 / 1024)
    assert 2 * scipy_stats.norm.sf(binomial_z(10, 10, 0.5)) == pytest.approx(1 / 1024)


@pytest.mark.parametrize("kappa", [0.2, 1.0, 2.0, 5.0, 20.0])
def test_expansion_takes_over_where_it_is_close(kappa):
    p = kappa / (1 + kappa)
    n = z_table(kappa, 10**6).most + 1
    b = np.arange(n + 1)
    exact = binomial_z(b, n, p)
    y = (b - n * p) / np.sqrt(n * p * (1 - p))
    c = expansion(n, p)
    close = c[0] + c[1] * y + c[2] * y**2 + c[3] * y**3
    assert np.abs(close - exact)[np.abs(exact) < 4].max() < 0.015
    assert np.abs(close - exact)[np.abs(exact) < 6].max() < 0.05
    assert (np.diff(close) > 0).all()


def test_table_holds_every_split():
    table = z_table(3.0, 40)
    for n in (0, 1, 17, 40):
        row = table.rows[n * (n + 1) // 2 : (n + 1) * (n + 2) // 2]
        assert row == pytest.approx(np.atleast_1d(binomial_z(np.arange(n + 1), n, 0.75)), abs=1e-6)
    assert table.most == 40
    assert z_table(1.0, 10**7).most < MOST_EXACT


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((3, 2, 0.5), "0 <= n_b <= n"), ((-1, 2, 0.5), "0 <= n_b"), ((1, 2, 0.0), "between 0 and 1")],
)
def test_bad_input(arguments, message):
    with pytest.raises(InputError, match=message):
        binomial_z(*arguments)
