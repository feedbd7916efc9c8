"""Holm's method: its closed form, its properties, and its level under any dependence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp.errors import InputError
from coffea_ddp.stats import holm

p_values = st.lists(st.floats(0, 1), max_size=12)


@given(p=p_values)
def test_it_is_the_definition(p):
    n = len(p)
    found = holm(p)
    for i, mine in enumerate(p):
        # Rejected at alpha where each p of at most mine is at most alpha over the number of those not below it.
        stepped = [one * sum(other >= one for other in p) for one in p if one <= mine]
        assert found[i] == pytest.approx(min(1.0, max(stepped)))
    assert (found >= np.array(p, float)).all()
    assert (found <= np.minimum(1.0, n * np.array(p, float)) + 1e-12).all()


@given(p=p_values, data=st.data())
def test_the_order_of_the_tests_is_of_no_account(p, data):
    order = data.draw(st.permutations(range(len(p))))
    np.testing.assert_array_equal(holm([p[i] for i in order]), holm(p)[list(order)])


def test_published_example():
    # Holm (1979) by R: p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm")
    np.testing.assert_allclose(holm([0.01, 0.02, 0.03, 0.04, 0.05]), [0.05, 0.08, 0.09, 0.09, 0.09])


@pytest.mark.parametrize("correlation", [0.0, 0.7, -0.2])
def test_its_level_holds_for_tests_that_depend_on_one_another(correlation):
    from scipy.stats import norm

    n, trials, rng = 5, 20_000, np.random.default_rng(4)
    covariance = np.full((n, n), correlation) + (1 - correlation) * np.eye(n)
    p = norm.sf(rng.multivariate_normal(np.zeros(n), covariance, trials))
    level = np.mean([holm(row).min() <= 0.05 for row in p])
    assert level <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)


@pytest.mark.parametrize("bad", [[1.2], [-0.1], [float("nan")], [[0.1]], 0.1, "p", None, [None]])
def test_what_is_no_list_of_probabilities_is_an_error(bad):
    with pytest.raises(InputError, match="p"):
        holm(bad)
