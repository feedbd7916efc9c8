"""Events of samples in exclusive cells: half an event where there is none, and what is there where there are many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp.stats.simulated.expected import expect
from coffea_ddp.stats.simulated.rates import SimulatedCounts
from coffea_ddp.stats.simulated.totals import MOST, cell_totals
from tests.support.compared_toys import FEW_CELLS, MANY_CELLS, SPARSE, layout_of, rates_of

SEEDS = st.integers(0, 10_000)


def counts(n, weight: float = 1.0) -> SimulatedCounts:
    n = np.asarray(n, dtype=float).reshape(len(n), -1)
    return SimulatedCounts(weight * n, weight**2 * n, n)


def many(seed: int, cells: int = 24) -> list[SimulatedCounts]:
    rng = np.random.default_rng(seed)
    truth = rng.dirichlet(np.full(cells, 0.4))
    return [counts(rng.poisson(size * truth * rng.lognormal(0, 0.4, cells)), w) for size, w in ((900, 0.5), (40, 3.0))]


@given(SEEDS)
def test_a_sample_keeps_its_sum(seed):
    samples = many(seed)
    for one, found in zip(samples, cell_totals(samples), strict=True):
        assert found.sum() == pytest.approx(one.n.sum())
        assert (found >= 0).all()


@given(SEEDS)
def test_a_cell_without_an_event_expects_up_to_half_of_one(seed):
    samples = many(seed)
    for one, found in zip(samples, cell_totals(samples), strict=True):
        missed = one.n.sum(axis=1) == 0
        assert (found[missed] > 0).all()
        assert (found[missed] <= MOST).all()


def test_more_where_other_samples_have_more():
    first, other = [20, 0, 0, 20], [400, 200, 2, 400]
    found = cell_totals([counts(first, 3.0), counts(other)])[0]
    assert found[1] > 2 * found[2]


def test_axes_tell_of_cells_that_no_sample_reaches():
    """Eight cells on two axes: of those without any event more is expected in the row that holds more."""
    places = np.stack(np.unravel_index(np.arange(8), (2, 4)))
    n = [50, 30, 10, 0, 5, 3, 1, 0]
    found = cell_totals([counts(n, 2.0), counts([30, 18, 6, 1, 3, 2, 1, 0], 2.0)], places)[0]
    assert found[3] > 2 * found[7] > 0


@given(SEEDS, st.floats(0.01, 100.0))
def test_the_unit_of_weights_does_not_matter(seed, factor):
    samples = many(seed)
    scaled = [SimulatedCounts(factor * one.w, factor**2 * one.w2, one.n) for one in samples]
    for one, other in zip(cell_totals(samples), cell_totals(scaled), strict=True):
        assert other == pytest.approx(one)


def test_many_events_are_what_they_are():
    n = [1e6, 3e5, 2e4]
    found = cell_totals([counts(n), counts([1e4, 1e6, 2e4], 0.1)])[0]
    assert found == pytest.approx(n, rel=1e-4)


def test_no_events_and_one_cell():
    empty, one = cell_totals([counts([0.0, 0.0]), counts([4.0, 4.0])])
    assert not empty.any()
    assert one == pytest.approx([4.0, 4.0])
    assert cell_totals([counts([7.0])])[0] == pytest.approx([7.0])
    assert cell_totals([]) == []


def test_negative_weights_leave_numbers_of_events_positive():
    n = np.array([[3.0], [0.0], [8.0]])
    found = cell_totals([SimulatedCounts(np.array([[-1.0], [0.0], [2.0]]), n, n, True)])[0]
    assert (found > 0).all()
    assert found.sum() == pytest.approx(11.0)


def test_the_expectation_of_a_cell_that_a_sample_misses():
    """Weights of 3 and none in a cell in which 6 events of data come of the rest: more than 0, with an error."""
    rng = np.random.default_rng(1)
    shape = np.exp(-0.3 * np.arange(10))
    rare = counts(np.concatenate([rng.poisson(4.0 * shape, (5, 10)), np.zeros((1, 10))]), 3.0)
    rest = counts(rng.poisson(20.0 * shape, (6, 10)), 0.2)
    both, alone = (expect(list(samples), np.zeros((6, 10)), (1, 10)) for samples in ((rare, rest), (rest,)))
    mean, error = (
        np.array([getattr(one, name)[one.cells == 5].sum() for one in (both, alone)]) for name in ("mean", "variance")
    )
    assert 0.5 < mean[0] - mean[1] <= 1.5
    assert 1.0 < np.sqrt(error[0] - error[1]) <= 2.2


@pytest.mark.parametrize("grid", [FEW_CELLS, MANY_CELLS])
def test_what_a_sample_borrows_is_up_to_what_it_misses(grid):
    """100 draws of weights 1, 3 and 0.5: what is expected in missed cells is 0.36 to 0.64 of the truth there."""
    layout, rng = layout_of(grid=grid), np.random.default_rng(3)
    rates = rates_of(layout, SPARSE, 2000.0)
    places = grid.decode(np.arange(grid.n_exclusive))
    found, truth = np.zeros(len(SPARSE)), np.zeros(len(SPARSE))
    for _ in range(100):
        samples = [counts(rng.poisson(rate / one.weight), one.weight) for rate, one in zip(rates, SPARSE, strict=True)]
        for number, (one, totals) in enumerate(zip(samples, cell_totals(samples, places), strict=True)):
            missed = one.n.sum(axis=1) == 0
            found[number] += SPARSE[number].weight * totals[missed].sum()
            truth[number] += rates[number][missed].sum()
    assert (truth > 80).all()
    assert (found / truth > 0.3).all()
    assert (found / truth < 1.0).all()


@pytest.mark.parametrize("weight", [20.0, 200.0, 2_000.0, 1e6])
def test_a_single_large_weight_says_nothing_of_other_cells(weight: float) -> None:
    rng = np.random.default_rng(4)
    n = rng.poisson([[400.0], [168.0], [30.0], [6.0], [0.2]], (5, 1)).astype(float)
    outlier = n.copy()
    outlier[0] += weight
    squares = n.copy()
    squares[0] += weight**2
    other = SimulatedCounts(3.0 * n, 9.0 * n, n)
    for sample in (SimulatedCounts(n, n, n), SimulatedCounts(outlier, squares, n)):
        found = cell_totals([sample, other])[0]
        assert found == pytest.approx(n[:, 0], abs=0.6)


@given(
    st.lists(st.integers(0, 500), min_size=2, max_size=8),
    st.lists(st.floats(0.01, 1e4), min_size=8, max_size=8),
)
def test_no_cell_loses_more_than_its_error(events: list[int], weights: list[float]) -> None:
    n = np.array(events, dtype=float)[:, None]
    w = np.array(weights)[: len(n), None]
    samples = [SimulatedCounts(n, n, n), SimulatedCounts(n * w, n * w**2, n)]
    for sample, found in zip(samples, cell_totals(samples), strict=True):
        assert (found >= sample.n[:, 0] - np.sqrt(sample.n[:, 0]) - 1e-9).all()
        assert found.sum() == pytest.approx(sample.n.sum(), rel=1e-6)
