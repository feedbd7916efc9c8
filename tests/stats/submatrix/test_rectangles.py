"""The compiled loops over all rectangles: plain loops over plain numpy say the same."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.submatrix.best import (
    count_rectangles,
    count_rectangles_of_cells,
    exact_best,
    exact_best_cells,
    linear_best,
    linear_best_cells,
)
from coffea_ddp.stats.submatrix.binomial import binomial_z, expansion, z_table
from coffea_ddp.stats.submatrix.rectangles import exact_extremes, linear_extremes, squeeze


def rectangles(shape):
    """All rectangles, as slices, fewest rows first."""
    rows, columns = ([(i, j) for i in range(n) for j in range(i + 1, n + 1)] for n in shape)
    for (r0, r1), (c0, c1) in itertools.product(rows, columns):
        yield (r0, r1, c0, c1), (slice(r0, r1), slice(c0, c1))


def naive_linear(x, v, e):
    """Score of every rectangle that is not empty; x of shape (rows, columns, ...)."""
    found = {}
    for span, inside in rectangles(v.shape):
        variance = v[inside].sum()
        if variance > 0:
            found[span] = x[inside].sum(axis=(0, 1)) / np.sqrt(variance + e[inside].sum() ** 2)
    return found


def naive_exact(b, n, p, most, kappa_error=0.0):
    found = {}
    for span, inside in rectangles(n.shape):
        events = n[inside].sum()
        if events:
            on_b = b[inside].sum(axis=(0, 1))
            if events <= most:
                found[span] = np.asarray(binomial_z(on_b, events, p))
            else:
                y = (on_b - events * p) / np.sqrt(events * p * (1 - p))
                c = expansion(events, p)
                found[span] = c[0] + c[1] * y + c[2] * y**2 + c[3] * y**3
            found[span] = found[span] / np.sqrt(1 + kappa_error**2 * events * p * (1 - p))
    return found


shapes = st.tuples(st.integers(1, 5), st.integers(1, 5))


@settings(max_examples=25)
@given(shapes, st.integers(0, 10**6), st.sampled_from([0.3, 2.0, 50.0]), st.sampled_from([0.0, 0.1, 3.0]))
def test_linear_extremes_are_those_of_all_rectangles(shape, seed, mean, common):
    rng = np.random.default_rng(seed)
    v = rng.poisson(mean, shape) * rng.uniform(0.5, 2.0, shape)
    x = (rng.normal(0, 1, (*shape, TOYS)) * np.sqrt(v)[..., None]).astype(np.float32)
    e = common * v
    high, low = np.full(TOYS, -np.inf, np.float32), np.full(TOYS, np.inf, np.float32)
    linear_extremes(x, v, e, high, low)
    scores = list(naive_linear(x.astype(np.float64), v, e).values())
    if scores:
        np.testing.assert_allclose(high, np.max(scores, axis=0), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(low, np.min(scores, axis=0), rtol=1e-4, atol=1e-4)
    else:
        assert np.isinf(high).all()


@settings(max_examples=25)
@given(
    shapes,
    st.integers(0, 10**6),
    st.sampled_from([0.3, 3.0, 200.0]),
    st.sampled_from([0.5, 1.0, 4.0]),
    st.sampled_from([0.0, 0.1]),
)
def test_exact_extremes_are_those_of_all_rectangles(shape, seed, mean, kappa, kappa_error):
    rng = np.random.default_rng(seed)
    n = rng.poisson(mean, shape)
    p = kappa / (1 + kappa)
    b = rng.binomial(n[..., None], p, (*shape, TOYS))
    table = z_table(kappa, max(64, int(n.sum())), kappa_error)
    high, low = np.full(TOYS, -np.inf, np.float32), np.full(TOYS, np.inf, np.float32)
    exact_extremes(b.astype(np.float32), n, table, high, low)
    scores = list(naive_exact(b, n, p, table.most, kappa_error).values())
    if scores:
        np.testing.assert_allclose(high, np.max(scores, axis=0), rtol=1e-4, atol=2e-4)
        np.testing.assert_allclose(low, np.min(scores, axis=0), rtol=1e-4, atol=2e-4)
    else:
        assert np.isinf(high).all()


@settings(max_examples=40)
@given(shapes, st.integers(0, 10**6), st.sampled_from([-1, 0, 1]))
def test_the_best_rectangle_is_where_it_says(shape, seed, sign):
    rng = np.random.default_rng(seed)
    n = rng.poisson(1.5, shape)
    b = rng.binomial(n, 0.5)
    table = z_table(1.0, 64)
    x, v = (2 * b - n) / np.sqrt(np.maximum(n, 1)), (n > 0) * 1.0
    e = 0.2 * np.sqrt(n)
    for found, scores in (
        (exact_best(b, n, table, sign), naive_exact(b, n, 0.5, table.most)),
        (linear_best(x, v, e, sign), naive_linear(x, v, e)),
    ):
        if not scores:
            assert np.isnan(found[0])
            continue
        size = {span: abs(z) if sign == 0 else sign * z for span, z in scores.items()}
        best = max(size.values())
        assert (abs(found[0]) if sign == 0 else sign * found[0]) == pytest.approx(best, abs=1e-5)
        assert size[found[1:]] == pytest.approx(best, abs=1e-5)


@settings(max_examples=25)
@given(shapes, st.integers(0, 10**6))
def test_leaving_out_empty_rows_and_columns_changes_nothing(shape, seed):
    rng = np.random.default_rng(seed)
    n = rng.poisson(0.4, (6, *shape))
    b = rng.binomial(n, 0.5)
    table = z_table(1.0, 64)
    flat = (6, shape[0] * shape[1])
    z, where = exact_best_cells(b.reshape(flat), n.reshape(flat), shape, table, 0)
    x, v = (2.0 * b - n).reshape(flat), n.reshape(flat).astype(float)
    z_linear, where_linear = linear_best_cells(x, v, 0.2 * v, shape, 0)
    for i in range(6):
        whole = exact_best(b[i], n[i], table, 0)
        np.testing.assert_allclose(z[i], whole[0])
        one, variance = x[i].reshape(shape), v[i].reshape(shape)
        np.testing.assert_allclose(z_linear[i], linear_best(one, variance, 0.2 * variance, 0)[0])
        if n[i].any():
            for found, score in ((where[i], z[i]), (where_linear[i], z_linear[i])):
                inside = slice(found[0], found[1]), slice(found[2], found[3])
                on_b, events = b[i][inside].sum(), n[i][inside].sum()
                exact = binomial_z(on_b, events, 0.5)
                linear = (2 * on_b - events) / np.sqrt(events + (0.2 * events) ** 2)
                assert score == pytest.approx(exact, abs=1e-5) or score == pytest.approx(linear, abs=1e-9)


def test_squeeze_keeps_the_order_of_rows_and_columns():
    n = np.array([[0, 2, 0, 1], [0, 0, 0, 0], [0, 5, 0, 0]])
    place, n_rows, n_columns = squeeze(n.ravel(), n.shape)
    assert (n_rows, n_columns) == (2, 2)
    assert [int(place[i]) for i in np.flatnonzero(n)] == [0, 1, 2]


def test_number_of_rectangles():
    assert count_rectangles(np.ones((28, 28))) == 164_836
    assert count_rectangles(np.ones((1, 28))) == 406
    # The middle column is empty: rectangles begin and end on the two others.
    assert count_rectangles(np.array([[1.0, 0.0, 1.0]])) == 3
    assert count_rectangles(np.zeros((3, 3))) == 0


def test_rectangles_of_many_matrices():
    v = np.random.default_rng(1).poisson(0.3, (20, 12)).astype(float)
    found = count_rectangles_of_cells(v, (3, 4))
    assert found.tolist() == [count_rectangles(one.reshape(3, 4)) for one in v]
    assert count_rectangles_of_cells(v[:0], (3, 4)).shape == (0,)
