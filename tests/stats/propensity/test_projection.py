"""Projected scores: of the right width where shares were fitted to the events that are tested, or to others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from coffea_ddp.stats.propensity.fit import fit_propensity
from coffea_ddp.stats.propensity.projection import main_directions, projected_variance


def scores(fitted_share: float, toys: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Return z of a region with and without projection; a part of its events takes part in the fit."""
    rng = np.random.default_rng(7)
    n, prior = 800, np.eye(5) * 0.05
    rows = np.concatenate([np.ones((n, 1)), rng.normal(size=(n, 4))], axis=1)
    share = expit(rows @ [0.2, 0.5, -0.3, 0.0, 0.2])
    region = rows[:, 1] + 0.5 * rows[:, 2] > 0.2
    fitted = ~region | (rng.random(n) < fitted_share)
    plain, projected = [], []
    for _ in range(toys):
        is_b = rng.random(n) < share
        fit = fit_propensity(rows[fitted], is_b[fitted], precision=prior, folds=2)
        e = expit(rows @ fit.coefficients)
        w = e * (1 - e)
        root = np.linalg.cholesky(fit.covariance)
        pull = (rows[region] @ root * w[region, None]).sum(axis=0)
        control = (rows[region & fitted] @ root * w[region & fitted, None]).sum(axis=0)
        residual = (is_b - e)[region].sum()
        plain.append(residual / np.sqrt(w[region].sum()))
        projected.append(residual / np.sqrt(projected_variance(w[region].sum(), pull, control)))
    return np.array(plain), np.array(projected)


@pytest.mark.parametrize(("fitted_share", "low", "high"), [(1.0, 0.0, 0.75), (0.0, 1.15, 3.0)])
def test_the_width_is_one_with_the_projection_and_another_without(fitted_share: float, low: float, high: float) -> None:
    plain, projected = scores(fitted_share)
    assert low < plain.std() < high
    assert projected.std() == pytest.approx(1.0, abs=0.13)  # 200 toys: 2.6 standard deviations
    assert abs(projected.mean()) < 0.2


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.5))
def test_directions_that_are_left_out_change_no_union_by_more(seed: int, least: float) -> None:
    rng = np.random.default_rng(seed)
    pulls, variance = rng.normal(0, 0.3, (12, 6)), rng.uniform(0.5, 2.0, 12)
    main = main_directions(pulls, variance, least)
    np.testing.assert_allclose(main.T @ main, np.eye(main.shape[1]), atol=1e-10)
    rest = pulls - pulls @ main @ main.T
    for _ in range(20):
        some = rng.random(12) < 0.5
        total = variance[some].sum()
        dropped = main.shape[0] - main.shape[1]
        assert (rest[some].sum(axis=0) ** 2).sum() <= dropped * least * total + 1e-9
