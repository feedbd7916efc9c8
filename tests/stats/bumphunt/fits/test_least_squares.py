"""Least squares of many problems at once: scipy as the oracle, bounds, and no problem that changes another."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp.stats.bumphunt.fits.least_squares import least_squares

X = np.linspace(0.0, 1.0, 25)


def problems(n, seed):
    """Peaks on a slope with noise: four parameters each, of which some have their minimum beyond their bounds."""
    rng = np.random.default_rng(seed)
    true = rng.uniform([2.0, 0.3, np.log(0.08), -1.0], [5.0, 0.7, np.log(0.25), 1.0], (n, 4))
    seen = values(true)[0] + rng.normal(0.0, 0.05, (n, len(X)))
    begin = np.tile([3.0, 0.5, np.log(0.15), 0.0], (n, 1))
    low, high = np.tile([0.0, 0.35, np.log(0.1), -np.inf], (n, 1)), np.tile([np.inf, 0.65, np.log(0.2), np.inf], (n, 1))
    return lambda theta, rows: (values(theta)[0] - seen[rows], values(theta)[1]), begin, low, high


def values(theta):
    height, place, log_width, slope = (column[:, None] for column in theta.T)
    t = (X - place) * np.exp(-log_width)
    peak = np.exp(-0.5 * t**2)
    by = [peak, height * peak * t * np.exp(-log_width), height * peak * t**2, np.broadcast_to(X, peak.shape)]
    return height * peak + slope * X, np.stack(by, axis=1)


@pytest.mark.parametrize("seed", range(3))
def test_the_sum_of_squares_is_that_of_scipy(seed):
    model, begin, low, high = problems(40, seed)
    found = least_squares(model, begin, low, high, close=1e-10, most=300)
    for i in range(40):
        row = np.array([i])
        by_scipy = scipy.optimize.least_squares(
            lambda theta, row=row: model(theta[None], row)[0][0], begin[i],
            jac=lambda theta, row=row: model(theta[None], row)[1][0].T, bounds=(low[i], high[i]), xtol=1e-12,
            ftol=1e-12,
        )  # fmt: skip
        assert 0.5 * (model(found[i : i + 1], row)[0] ** 2).sum() <= by_scipy.cost * (1.0 + 1e-5)
    assert ((found >= low) & (found <= high)).all()


@given(st.integers(2, 30), st.integers(0, 2**32 - 1))
def test_what_is_found_does_not_depend_on_the_other_problems(n, seed):
    model, begin, low, high = problems(n, seed)
    together = least_squares(model, begin, low, high)
    alone = least_squares(lambda theta, rows: model(theta, rows + n - 1), begin[-1:], low[-1:], high[-1:])
    assert np.array_equal(together[-1:], alone)


def test_linear_problems_have_their_closed_form():
    rng = np.random.default_rng(1)
    a, y = rng.normal(size=(6, 12, 3)), rng.normal(size=(6, 12))
    wide = np.full((6, 3), np.inf)
    found = least_squares(
        lambda theta, rows: (np.einsum("nij,nj->ni", a[rows], theta) - y[rows], np.swapaxes(a[rows], 1, 2)),
        np.zeros((6, 3)), -wide, wide, close=1e-12,
    )  # fmt: skip
    assert found == pytest.approx(np.array([np.linalg.lstsq(*one, rcond=None)[0] for one in zip(a, y, strict=True)]))


def test_parameters_without_effect_or_freedom_stay():
    model, begin, low, high = problems(5, 0)
    low[:, 2] = high[:, 2] = begin[:, 2] = -2.0

    def with_one_more(theta, rows):
        residuals, slopes = model(theta[:, :4], rows)
        return residuals, np.concatenate([slopes, np.zeros_like(slopes[:, :1])], axis=1)

    found = least_squares(
        with_one_more, np.column_stack([begin, np.full(5, 7.0)]), np.column_stack([low, np.full(5, -np.inf)]),
        np.column_stack([high, np.full(5, np.inf)]),
    )  # fmt: skip
    assert (found[:, 2] == -2.0).all()
    assert (found[:, 4] == 7.0).all()


def test_no_problem_has_no_answer():
    none = np.zeros((0, 2))
    assert least_squares(lambda theta, rows: (theta, theta[:, None]), none, none, none).shape == (0, 2)
