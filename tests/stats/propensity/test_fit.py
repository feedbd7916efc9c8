"""The fit of shares: its coefficients, their covariance, and what is wrong with what is given."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from coffea_ddp.errors import InputError
from coffea_ddp.stats.propensity.fit import fit_propensity


def made(n: int = 4000, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows, labels, and the coefficients that they were drawn with."""
    rng = np.random.default_rng(seed)
    rows, truth = rng.normal(size=(n, 4)), np.array([0.5, -0.3, 0.0, 0.2])
    return rows, rng.random(n) < expit(rows @ truth), truth


def test_it_is_the_posterior_mode_that_scipy_finds() -> None:
    rows, is_b, _ = made()
    precision = np.diag([4.0, 1.0, 9.0, 2.0]) + 0.5
    found = fit_propensity(rows, is_b, precision=precision)

    def loss(beta: np.ndarray) -> float:
        odds = rows @ beta
        return float(np.logaddexp(0.0, np.where(is_b, -odds, odds)).sum() + beta @ precision @ beta / 2)

    best = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-6})
    np.testing.assert_allclose(found.coefficients, best.x, atol=1e-5)
    share = expit(rows @ found.coefficients)
    hessian = (rows * (share * (1 - share))[:, None]).T @ rows + precision
    np.testing.assert_allclose(found.covariance, np.linalg.inv(hessian), rtol=1e-9)
    np.testing.assert_allclose(found.log_odds, rows @ found.coefficients)
    np.testing.assert_allclose(found.shares(rows), share)


def test_pulls_have_width_one_and_p_is_uniform() -> None:
    pulls, p = [], []
    for seed in range(60):
        rows, is_b, truth = made(1500, seed)
        found = fit_propensity(rows, is_b, precision=np.eye(4) * 0.01)
        pulls.extend((found.coefficients - truth) / np.sqrt(np.diag(found.covariance)))
        p.append(found.p_value)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.12)  # 240 pulls: 2.6 standard deviations
    assert 0.3 < np.mean(p) < 0.65  # uniform, or a little low: the fits of the folds are not exact


def test_a_missing_term_is_seen() -> None:
    rows, is_b, _ = made(20_000)
    assert fit_propensity(rows, is_b, precision=np.eye(4)).p_value > 0.001
    square = np.random.default_rng(5).random(20_000) < expit(rows @ [0.5, -0.3, 0.0, 0.2] + 0.4 * (rows[:, 0] ** 2 - 1))
    assert fit_propensity(rows, square, precision=np.eye(4)).p_value < 1e-6


def test_sides_and_signs_of_rows_are_one_thing() -> None:
    rows, is_b, _ = made()
    flip = np.random.default_rng(2).random(len(rows)) < 0.5
    first = fit_propensity(rows, is_b, precision=np.eye(4))
    second = fit_propensity(np.where(flip[:, None], -rows, rows), is_b ^ flip, precision=np.eye(4))
    np.testing.assert_allclose(first.coefficients, second.coefficients, atol=1e-6)


def test_folds_are_chosen_by_hashes_and_cross_fitted_shares_do_not_know_their_own() -> None:
    rows, is_b, _ = made(600)
    hashes = np.random.default_rng(3).integers(0, 2**64, 600, dtype=np.uint64)
    order = np.random.default_rng(4).permutation(600)
    first = fit_propensity(rows, is_b, precision=np.eye(4), hashes=hashes)
    second = fit_propensity(rows[order], is_b[order], precision=np.eye(4), hashes=hashes[order])
    np.testing.assert_allclose(first.cross_fitted[order], second.cross_fitted, atol=1e-5)
    own, other = ((np.logaddexp(0, np.where(is_b, -x, x))).sum() for x in (first.log_odds, first.cross_fitted))
    assert own < other


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"is_b": np.zeros(4000)}, "one bool an event"),
        ({"is_b": np.zeros(4000, dtype=bool)}, "0 of B"),
        ({"rows": np.full((4000, 4), np.nan)}, "not finite"),
        ({"precision": np.eye(3)}, "square matrix"),
        ({"precision": np.zeros((4, 4))}, "positive definite"),
        ({"hashes": np.zeros(3, np.uint64)}, "give one each"),
        ({"folds": 1}, "folds"),
    ],
)
def test_wrong_input_is_named(change: dict[str, object], told: str) -> None:
    rows, is_b, _ = made()
    given = {"rows": rows, "is_b": is_b, "precision": np.eye(4), **change}
    with pytest.raises(InputError, match=told):
        fit_propensity(given.pop("rows"), given.pop("is_b"), **given)  # type: ignore[arg-type]
