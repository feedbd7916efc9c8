"""The likelihood references: closed forms, scipy, the table T2 of the reference numbers, and their limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special
from scipy import stats as scipy_stats

from coffea_ddp import stats
from coffea_ddp.errors import InputError
from coffea_ddp.stats.likelihood import asimov_l1, asimov_l2, q0_l1, q0_l2, signal_for_z

SHAPE = (28, 28)
X, Y = np.meshgrid(np.arange(28), np.arange(28), indexing="ij")


def gaussian(sigma):
    return np.exp(-0.5 * ((X - 13.5) ** 2 + (Y - 13.5) ** 2) / sigma**2)


def box(width):
    low = 14 - width // 2
    found = np.zeros(SHAPE)
    found[low : low + width, low : low + width] = 1.0
    return found


SIGNALS = {
    "rect 3x3": box(3),
    "rect 7x7": box(7),
    "gaussian 1.5": gaussian(1.5),
    "gaussian 3": gaussian(3.0),
    "full": np.ones(SHAPE),
}
# PHYSICS T2 at 25 and 100 events a bin: events for Z(L1) = 5, Z(L2), mean N_sigma.
TABLE = {
    "rect 3x3": (79.1, 3.44, 0.37, 154),
    "rect 7x7": (179.1, 3.49, 0.87, 354),
    "gaussian 1.5": (138.3, 3.47, 0.67, 271),
    "gaussian 3": (270.7, 3.50, 1.34, 536),
    "full": (704.2, 3.53, 3.52, 1404),
}


# -- closed forms ----------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.floats(0.1, 1e6))
def test_one_bin_of_known_background(n, b):
    found = q0_l1([n], [b], [2.0])
    assert found.q0 == pytest.approx(2 * (special.xlogy(n, n / b) - (n - b)), rel=1e-9, abs=1e-6)
    assert found.mu == pytest.approx((n - b) / 2, rel=1e-9, abs=1e-9)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from([0.1, 1.0, 7.0]))
def test_one_bin_of_two_poisson_numbers(a, b, kappa):
    """Li and Ma, Astrophys. J. 272 (1983) 317, eq. 17."""
    if a + b == 0 or (a == 0 and b == 0):
        return
    found = q0_l2([a], [b], [1.0], kappa=kappa)
    share = (a + b) / (1 + kappa)
    expected = 2 * (special.xlogy(a, a / share) + special.xlogy(b, b / (kappa * share)))
    assert found.q0 == pytest.approx(expected, rel=1e-9, abs=1e-6)
    assert np.sign(found.z_value) == np.sign(b - kappa * a) or abs(b - kappa * a) < 1e-9


def test_asimov_is_the_fit_to_data_without_fluctuations():
    background, signal = np.array([10.0, 20.0, 400.0]), np.array([3.0, 5.0, 60.0])
    assert asimov_l1(background, signal) == pytest.approx(q0_l1(background + signal, background, signal).z_value)
    for kappa in (0.5, 1.0, 2.0):
        found = q0_l2(background, kappa * background + signal, signal, kappa=kappa)
        assert found.mu == pytest.approx(1.0, abs=1e-9)
        assert asimov_l2(background, signal, kappa=kappa) == pytest.approx(found.z_value)
    b, s = background, signal
    closed = 2 * ((b + s) * np.log((b + s) / (b + s / 2)) + b * np.log(b / (b + s / 2))).sum()
    assert asimov_l2(b, s) == pytest.approx(np.sqrt(closed))


def test_a_template_like_the_background_is_one_bin():
    """With s_i = c b_i only the totals matter; 10^6 events in each of 784 bins cost no digits."""
    background = np.random.default_rng(1).uniform(0.5e6, 2e6, SHAPE)
    for shift in (0.999, 1.0, 1.0005):
        b = np.random.default_rng(2).poisson(shift * background)
        n, expected = float(b.sum()), float(background.sum())
        found = q0_l1(b, background, background / 1e3)
        excess = (n - expected) / expected
        q0 = 2 * expected * ((1 + excess) * np.log1p(excess) - excess)
        assert found.q0 == pytest.approx(q0, rel=1e-10, abs=1e-6)
        assert found.mu == pytest.approx(1e3 * excess, rel=1e-9)


def test_equal_bins_add_up():
    """784 times the same bin of 10^6 events is 784 times its q0."""
    for b in (998_000, 1_000_001, 1_003_000):
        one = q0_l2([10**6], [b], [1.0])
        many = q0_l2(np.full(SHAPE, 10**6), np.full(SHAPE, b), np.ones(SHAPE))
        assert many.q0 == pytest.approx(784 * one.q0, rel=1e-10, abs=1e-6)
        assert many.mu == pytest.approx(b - 1e6, rel=1e-9)


@pytest.mark.parametrize("kind", ["l1", "l2"])
@pytest.mark.parametrize("kappa", [0.01, 1.0, 30.0])
def test_scales_of_templates_give_their_z(kind, kappa):
    background, template = np.array([3.0, 50.0, 4e8]), np.array([1.0, 0.1, 2.0])
    wanted = np.array([[0.0, 1e-4, 0.5], [3.0, 8.0, 400.0]])
    for size in (1e-9, 1.0, 1e9):
        scales = signal_for_z(background, size * template, wanted, kind=kind, kappa=kappa)
        assert scales.shape == wanted.shape
        for scale, z in zip(scales.flat, wanted.flat, strict=True):
            if z == 0:
                assert scale == 0
                continue
            signal = scale * size * template
            again = (
                asimov_l1(kappa * background, signal) if kind == "l1" else asimov_l2(background, signal, kappa=kappa)
            )
            assert again == pytest.approx(z, rel=1e-6)


def test_weak_signals_keep_their_digits():
    """Z = sqrt(sum s^2 / variance) for a signal that is small everywhere, of 4 bins."""
    for b in (25.0, 1e6, 1e12):
        s = 1e-6 * np.sqrt(b)
        assert asimov_l2(np.full(4, b), np.full(4, s)) == pytest.approx(2e-6 / np.sqrt(2), rel=1e-3)
        assert asimov_l2(np.full(4, b), np.full(4, s), kappa=3.0) == pytest.approx(2e-6 / np.sqrt(12), rel=1e-3)


# -- PHYSICS T2 ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SIGNALS)
def test_expected_z_of_five_shapes(name):
    n_signal, z_l2, n_sigma, n_signal_100 = TABLE[name]
    background, template = np.full(SHAPE, 25.0), SIGNALS[name] / SIGNALS[name].sum()
    scale = signal_for_z(background, template, 5.0, kind="l1")
    # Where the table cuts its wide Gaussian off is not told: 271.3 here, 0.24 % more than there.
    assert scale == pytest.approx(n_signal, rel=3e-3 if name == "gaussian 3" else 1e-3)
    assert asimov_l1(background, scale * template) == pytest.approx(5.0, rel=1e-9)
    assert asimov_l2(background, scale * template) == pytest.approx(z_l2, abs=0.006)
    pulls = scale * template / np.sqrt(2 * background + scale * template)
    assert pulls.sum() / 28 == pytest.approx(n_sigma, abs=0.011)
    if name.startswith("rect") or name == "full":
        filled = np.count_nonzero(template)
        assert n_sigma == pytest.approx(np.sqrt(filled / 784) * z_l2, abs=0.01)
    assert signal_for_z(4 * background, template, 5.0, kind="l1") == pytest.approx(n_signal_100, rel=4e-3)


@pytest.mark.parametrize("name", SIGNALS)
def test_toys_of_five_shapes(name):
    n_signal, z_l2, n_sigma, _ = TABLE[name]
    template = n_signal * SIGNALS[name] / SIGNALS[name].sum()
    rng = np.random.default_rng(5)
    a, b = rng.poisson(25.0, (600, *SHAPE)), rng.poisson(25.0 + template, (600, *SHAPE))
    l1 = q0_l1(b, np.full(SHAPE, 25.0), template).z_value
    l2 = q0_l2(a, b, template).z_value
    whole = stats.n_sigma(a, b, batch_ndim=1).statistic
    assert np.median(l1) == pytest.approx(5.0, abs=0.15)
    assert np.median(l2) == pytest.approx(z_l2, abs=0.15)
    assert whole.mean() == pytest.approx(n_sigma, abs=0.15)
    assert whole.std() == pytest.approx(1.0, abs=0.08)


def test_free_backgrounds_are_biased_at_low_counts():
    """At 0.5 events a bin the empty bins hide a signal that fills the whole matrix; N_sigma still sees it."""
    rng = np.random.default_rng(1)
    background = np.full(SHAPE, 0.5)
    template = signal_for_z(background, np.ones(SHAPE), 5.0, kind="l1") * np.ones(SHAPE)
    a, b = rng.poisson(background, (200, *SHAPE)), rng.poisson(background + template, (200, *SHAPE))
    assert np.median(q0_l1(b, background, template).z_value) == pytest.approx(5.0, abs=0.3)
    assert np.median(q0_l2(a, b, template, one_sided=True).z_value) < 1.0
    assert stats.n_sigma(a, b, batch_ndim=1).statistic.mean() > 2.5


def test_a_large_other_side_makes_l2_l1():
    background, template = np.full(60, 30.0), 25 * np.exp(-0.5 * ((np.arange(60) - 20) / 3) ** 2)
    b = np.random.default_rng(2).poisson(background + template)
    ideal = q0_l1(b, background, template).z_value
    away = []
    for kappa in (1.0, 0.1, 0.01, 1e-4, 1e-6):
        a = np.rint(background / kappa)
        away.append(abs(q0_l2(a, b, template, kappa=kappa).z_value - ideal))
    assert away == sorted(away, reverse=True)
    assert away[-1] < 1e-3
    assert asimov_l2(1e6 * background, template, kappa=1e-6) == pytest.approx(asimov_l1(background, template), abs=1e-4)


# -- scipy -----------------------------------------------------------------------------------------------------------


def l2_by_scipy(a, b, s, kappa):
    """q0 by a bounded search over mu; each background from a root finder of its own likelihood equation."""

    def background(x, y, m):
        low = max(0.0, -m / kappa)
        if x == 0 and y == 0:
            return low
        # With any event the likelihood has one maximum above the bound.
        high = low + (x + y) / (1 + kappa) + abs(m) + 1.0
        slope = lambda t: (x / t if x else 0.0) + (kappa * y / (kappa * t + m) if y else 0.0) - (1 + kappa)  # noqa: E731
        start = low + 1e-13 * (1 + low)
        return optimize.brentq(slope, start, high, xtol=1e-14, rtol=1e-14) if slope(start) > 0 else low

    def nll(mu):
        total = 0.0
        for x, y, t in zip(a, b, s, strict=True):
            beta = background(x, y, mu * t)
            rate = max(kappa * beta + mu * t, 0.0)
            total -= special.xlogy(x, beta) - beta + special.xlogy(y, rate) - rate
        return total

    most = b.sum() / s.sum() + 1.0
    least = -kappa * a.sum() / s.sum() - 1.0
    best = min(
        optimize.minimize_scalar(nll, bounds=bounds, method="bounded", options={"xatol": 1e-10}).fun
        for bounds in ((least, 0.0), (0.0, most))
    )
    return 2 * (nll(0.0) - min(best, nll(0.0)))


def problems(n, seed):
    rng = np.random.default_rng(seed)
    for _ in range(n):
        bins = int(rng.integers(1, 6))
        mean = rng.choice([0.2, 1.0, 5.0, 60.0])
        kappa = float(rng.choice([0.2, 1.0, 5.0]))
        a, b = rng.poisson(mean, bins), rng.poisson(kappa * mean * rng.uniform(0.3, 2.0), bins)
        s = rng.uniform(0.1, 5.0, bins) * (rng.random(bins) < 0.7)
        s[int(rng.integers(bins))] += 0.5
        if a.any() or b.any():
            yield a.astype(float), b.astype(float), s, kappa


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_fits_agree_with_scipy_on_a_thousand_problems():
    """Bins with 0 or 1 event, a signal in empty bins, negative fluctuations: the same q0 to 1e-6, never NaN."""
    n = 0
    for a, b, s, kappa in problems(1_150, 3):
        found = q0_l2(a, b, s, kappa=kappa)
        assert np.isfinite([found.q0, found.z_value, found.mu, found.p_value]).all()
        # A bounded search ends within about 1e-8 of the best mu, which costs q0 nothing.
        assert found.q0 == pytest.approx(l2_by_scipy(a, b, s, kappa), abs=1e-6)
        n += 1
    assert n >= 1_000


def test_known_background_agrees_with_scipy():
    rng = np.random.default_rng(4)
    for _ in range(500):
        bins = int(rng.integers(1, 8))
        background = rng.uniform(0.05, 3.0, bins) * rng.choice([1.0, 100.0])
        n, s = rng.poisson(background * rng.uniform(0.2, 2.0)), rng.uniform(0.1, 3.0, bins)

        def nll(mu, n=n, background=background, s=s):
            rate = np.maximum(background + mu * s, 1e-300)
            return -(special.xlogy(n, rate) - rate).sum()

        least, most = -(background / s).min(), n.sum() / s.sum() + 1.0
        best = optimize.minimize_scalar(nll, bounds=(least, most), method="bounded", options={"xatol": 1e-11}).fun
        expected = 2 * (nll(0.0) - min(best, nll(least), nll(0.0)))
        assert q0_l1(n, background, s).q0 == pytest.approx(expected, abs=1e-6)


# -- laws ------------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([0.5, 20.0]), st.sampled_from([0.3, 1.0, 4.0]))
def test_laws(seed, mean, kappa):
    rng = np.random.default_rng(seed)
    a, b, s = rng.poisson(mean, 12), rng.poisson(mean * kappa, 12), rng.uniform(0.1, 2, 12)
    a[0] += 1
    found = q0_l2(a, b, s, kappa=kappa)
    order = rng.permutation(12)
    assert q0_l2(a[order], b[order], s[order], kappa=kappa).q0 == pytest.approx(found.q0, abs=1e-8)
    scaled = q0_l2(a, b, 3 * s, kappa=kappa)
    assert scaled.q0 == pytest.approx(found.q0, abs=1e-8)
    assert scaled.mu == pytest.approx(found.mu / 3, rel=1e-6, abs=1e-9)
    # A bin without a signal says nothing.
    more = q0_l2(np.append(a, 7), np.append(b, 99), np.append(s, 0.0), kappa=kappa)
    assert more.q0 == pytest.approx(found.q0, abs=1e-8)
    # An empty bin costs what its template holds, however it is divided.
    empty = [q0_l2(np.append(a, 0 * t), np.append(b, 0 * t), np.append(s, t), kappa=kappa).q0
             for t in (np.array([0.6]), np.array([0.1, 0.5]))]  # fmt: skip
    assert empty[0] == pytest.approx(empty[1], abs=1e-8)
    # Sides exchanged: a signal of B with mu < 0 is one of A.
    other = q0_l2(b, a, s / kappa, kappa=1 / kappa)
    assert other.z_value == pytest.approx(-found.z_value, abs=1e-7)
    assert other.mu == pytest.approx(-found.mu, rel=1e-6, abs=1e-9)
    one = q0_l2(a, b, s, kappa=kappa, one_sided=True)
    assert 0 <= one.q0 <= found.q0
    assert one.mu >= 0
    assert one.q0 == (found.q0 if found.mu > 0 else 0.0)


def test_batches_broadcast():
    rng = np.random.default_rng(1)
    a, b = rng.poisson(20, (4, 1, 5, 6)), rng.poisson(20, (4, 1, 5, 6))
    templates = rng.uniform(0.1, 1, (3, 5, 6))
    found = q0_l2(a, b, templates, kappa=[1.0, 2.0, 3.0], bins_ndim=2)
    assert found.q0.shape == (4, 3)
    for i in range(4):
        for j in range(3):
            assert found.q0[i, j] == q0_l2(a[i, 0], b[i, 0], templates[j], kappa=j + 1.0).q0
    known = q0_l1(b, np.full((5, 6), 20.0), templates, bins_ndim=2)
    assert known.z_value[2, 1] == q0_l1(b[2, 0], np.full((5, 6), 20.0), templates[1]).z_value


@pytest.mark.parametrize("ratio", [1.0, 5.0])
def test_p_values_are_uniform(ratio):
    rng = np.random.default_rng(int(ratio))
    template = gaussian(3.0)
    a, b = rng.poisson(25.0, (1_500, *SHAPE)), rng.poisson(25.0 / ratio, (1_500, *SHAPE))
    p = q0_l2(a, b, template, kappa=1 / ratio).p_value
    assert scipy_stats.kstest(p, "uniform").pvalue > 0.01
    assert scipy_stats.kstest(q0_l1(a, np.full(SHAPE, 25.0), template).p_value, "uniform").pvalue > 0.01
    # One-sided: half of them at q0 = 0 have p = 1/2, the others are uniform below.
    half = q0_l2(a, b, template, kappa=1 / ratio, one_sided=True).p_value
    assert scipy_stats.kstest(half[half < 0.5] * 2, "uniform").pvalue > 0.01
    assert (half == 0.5).mean() == pytest.approx(0.5, abs=0.05)


# -- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([1, 2], [1], [1.0]), {}, "bins differ"),
        (([1, 2], [1, 2], [[1.0, 1.0, 1.0]]), {}, "bins differ"),
        (([1, -2], [1, 2], [1.0, 1.0]), {}, "negative"),
        (([1, 0.5], [1, 2], [1.0, 1.0]), {}, "fractional"),
        (([1, np.nan], [1, 2], [1.0, 1.0]), {}, "NaN or infinite"),
        ((["x"], [1], [1.0]), {}, "not an array"),
        (([0, 0], [0, 0], [1.0, 1.0]), {}, "both empty"),
        (([1, 2], [1, 2], [0.0, 0.0]), {}, "outside of the matrix"),
        (([1, 2], [1, 2], [-1.0, 1.0]), {}, "negative"),
        (([1, 2], [1, 2], [1.0, 1.0]), {"kappa": 0}, "positive"),
        (([1, 2], [1, 2], [1.0, 1.0]), {"kappa": "totals"}, "kappa: not an array"),
        (([1, 2], [1, 2], [1.0, 1.0]), {"kappa": np.nan}, "kappa has NaN"),
        (([], [], []), {}, "no bins"),
        (([1, 2], [1, 2], [1.0, 1.0]), {"bins_ndim": 2}, "bins_ndim"),
        (([[1, 2], [1, 2]], [[1, 2], [1, 2]], [1.0, 1.0]), {"kappa": [1, 2, 3]}, "fit together"),
    ],
)
def test_bad_input(arguments, options, message):
    with pytest.raises(InputError, match=message):
        q0_l2(*arguments, **options)


def test_bad_backgrounds():
    with pytest.raises(InputError, match="infinite"):
        q0_l1([1, 2], [0.0, 2.0], [1.0, 1.0])
    with pytest.raises(InputError, match="infinite"):
        q0_l1([1, 2], [1e-320, 2.0], [1.0, 1.0])
    assert np.isfinite(q0_l1([0, 2], [0.0, 2.0], [1.0, 1.0]).q0)
    with pytest.raises(InputError, match="infinite"):
        asimov_l1([0.0, 1.0], [1.0, 1.0])
    with pytest.raises(InputError, match="same bins"):
        asimov_l2([1.0], [1.0, 2.0])
    with pytest.raises(InputError, match="above 0"):
        asimov_l2([1.0], [1.0], kappa=-1.0)
    with pytest.raises(InputError, match="one finite number"):
        asimov_l2([1.0], [1.0], kappa=[1.0, 2.0])
    with pytest.raises(InputError, match="z has NaN"):
        signal_for_z([1.0], [1.0], np.nan)
    with pytest.raises(InputError, match="'l1', 'l2'"):
        signal_for_z([1.0], [1.0], 1.0, kind="l3")
    with pytest.raises(InputError, match="0 or more"):
        signal_for_z([1.0], [1.0], -1.0)
    assert signal_for_z([1.0], [1.0], 0.0) == 0.0
