"""Terms of the log-ratio of efficiencies: antisymmetric, smooth, and a prior of every one of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp.errors import InputError
from coffea_ddp.stats.propensity.basis import LeptonBasis, hats

BASIS = LeptonBasis()


def leptons(seed: int, n: int = 50) -> dict[str, np.ndarray]:
    """Return events with one to three leptons."""
    rng = np.random.default_rng(seed)
    sign = np.where(rng.random((n, 3)) < 0.5, 1.0, -1.0)
    sign[:, 1:][rng.random((n, 2)) < 0.5] = 0.0
    return {
        "pt": rng.exponential(40.0, (n, 3)) + 5.0,
        "eta": rng.uniform(-2.7, 2.7, (n, 3)),
        "charge": np.where(rng.random((n, 3)) < 0.5, 1.0, -1.0),
        "sign": sign,
        "n_jets": rng.integers(0, 9, n).astype(float),
        "met": rng.exponential(40.0, n),
    }


@given(st.integers(0, 2**32 - 1))
def test_exchanged_flavours_change_the_sign(seed: int) -> None:
    events = leptons(seed)
    rows = BASIS.rows(**events)
    assert rows.shape == (50, BASIS.n_terms)
    np.testing.assert_array_equal(BASIS.rows(**{**events, "sign": -events["sign"]}), -rows)


@given(st.integers(0, 2**32 - 1))
def test_an_event_is_the_sum_of_its_leptons(seed: int) -> None:
    events = leptons(seed)
    own = slice(0, BASIS.n_lepton_terms)
    parts = [{**events, "sign": np.where(np.arange(3) == k, events["sign"], 0.0)} for k in range(3)]
    np.testing.assert_allclose(sum(BASIS.rows(**part)[:, own] for part in parts), BASIS.rows(**events)[:, own])


def test_terms_of_events_are_those_of_one_lepton_alone() -> None:
    events = leptons(1)
    rows = BASIS.rows(**events)[:, BASIS.n_lepton_terms :]
    alone = np.count_nonzero(events["sign"], axis=1) == 1
    assert 0 < alone.sum() < 50
    assert (np.abs(rows[alone]).sum(axis=1) > 0).all()
    assert not rows[~alone].any()


def test_what_is_unknown_has_no_terms() -> None:
    events = leptons(2)
    rows = BASIS.rows(**{**events, "n_jets": np.full(50, np.nan), "met": np.full(50, np.nan)})
    assert np.isfinite(rows).all()
    assert not rows[:, BASIS.n_lepton_terms - len(BASIS.jets) : BASIS.n_lepton_terms].any()
    assert not rows[:, BASIS.n_lepton_terms + 1 :].any()


@given(st.lists(st.floats(-10.0, 10.0), min_size=1, max_size=20))
def test_hats_interpolate(values: list[float]) -> None:
    knots, x = np.array([-2.0, 0.0, 1.0, 5.0]), np.array(values)
    found = hats(x, knots)
    heights = np.array([3.0, -1.0, 2.0, 0.5])
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    np.testing.assert_allclose(found @ heights, np.interp(x, knots, heights), atol=1e-12)


def test_every_term_has_a_prior() -> None:
    precision = BASIS.precision
    assert precision.shape == (BASIS.n_terms, BASIS.n_terms)
    assert np.linalg.eigvalsh(precision)[0] > 0
    # A function as a whole, and its steps, have the widths that the module names.
    draws = np.random.default_rng(3).multivariate_normal(np.zeros(BASIS.n_terms), np.linalg.inv(precision), 4000)
    steps = np.diff(draws[:, : len(BASIS.pt)], axis=1)
    assert steps.std() == pytest.approx(0.15, rel=0.05)
    assert draws[:, : len(BASIS.pt)].mean(axis=1).std() == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize("knots", [(1.0,), (2.0, 1.0), (1.0, np.nan), (1.0, 1.0)])
def test_knots_that_do_not_rise_are_refused(knots: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="rising order"):
        LeptonBasis(met=knots)


def test_momenta_are_above_nothing() -> None:
    with pytest.raises(InputError, match="above 0"):
        LeptonBasis(pt=(0.0, 10.0))
