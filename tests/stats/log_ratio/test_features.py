"""Families of log-ratios: they know neither which sample is called A nor the sign of a feature."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from coffea_ddp.errors import InputError
from coffea_ddp.stats import BinSolver, FourierSolver, KernelSolver, SplineSolver, nplm
from coffea_ddp.stats.log_ratio.features import fourier_family, gaussian, orientation
from coffea_ddp.stats.samples.points import pool

SOLVERS = {
    "kernels": (KernelSolver(centres=5, widths=(0.7,)), 3),
    "fourier": (FourierSolver(features=6, widths=(0.7,)), 3),
    "fourier of an odd number": (FourierSolver(features=5, widths=(1.5,)), 2),
    "bins of equal probability": (BinSolver(bins=4), 1),
    "bins of equal width": (BinSolver(bins=3, equal="width"), 1),
    "bins with a ridge": (BinSolver(bins=3, ridge=1.0), 1),
    "splines": (SplineSolver(knots=2, ridge=0.1), 1),
}


@pytest.mark.parametrize("name", SOLVERS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_mirrored_and_swapped(name, data):
    """On a grid of whole numbers many events are equal, equally far from the middle, or at an edge."""
    solver, most = SOLVERS[name]
    d = data.draw(st.integers(1, most), label="features")
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000), label="seed"))
    n = data.draw(st.integers(8, 40), label="events")
    a, b = (np.rint(rng.exponential(4.0, (n + k, d))) for k in (0, rng.integers(0, 2)))
    pooled = pool(a, b)
    cubes = pooled.x**3
    assume((np.abs(cubes.sum(axis=0)) > 1e-6 * np.abs(cubes).sum(axis=0)).all())  # else a feature has no longer tail
    signs = np.array(data.draw(st.lists(st.sampled_from([-1.0, 1.0]), min_size=d, max_size=d), label="signs"))
    try:
        first = nplm(a, b, backend=solver, toys=0)
    except InputError:  # bins without events
        assume(False)
    mirrored, swapped = nplm(a * signs, b * signs, backend=solver, toys=0), nplm(b, a, backend=solver, toys=0)
    assert mirrored.t == pytest.approx(first.t, rel=1e-6, abs=1e-6)
    assert (mirrored.t_a, mirrored.t_b) == pytest.approx((first.t_a, first.t_b), rel=1e-6, abs=1e-6)
    assert (swapped.t_a, swapped.t_b) == pytest.approx((first.t_b, first.t_a), rel=1e-6, abs=1e-6)


def test_orientation_follows_the_sign():
    x = np.random.default_rng(1).exponential(size=(50, 3))
    signs = np.array([1.0, -1.0, -1.0])
    np.testing.assert_array_equal(orientation(pool(signs * x[:30], signs * x[30:])), signs)
    symmetric = np.array([-0.3, -0.1, 0.1, 0.3]) / 3
    np.testing.assert_array_equal(orientation(pool(symmetric, symmetric)), [1.0])


def test_fourier_features_approximate_the_kernel():
    """The inner product of many features is the kernel: mean over frequencies of cos(w (x - y))."""
    x = np.random.default_rng(2).normal(size=(20, 2))
    points = pool(x[:10], x[10:])
    features = fourier_family(points, features=20_000, width=0.8, seed=3)(points.x)[:, 1:]
    np.testing.assert_allclose(features @ features.T, gaussian(points.x, points.x, 0.8), atol=0.04)
