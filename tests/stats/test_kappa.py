"""The expected ratio: given per bin, uncertain or estimated, with systematic errors, N_sigma stays N(0, 1).

Tolerances of the toys are 4 standard errors: 4/sqrt(n) for a mean and 4/sqrt(2n) for a width of 1.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from scipy import stats as scipy_stats

from coffea_ddp.errors import InputError
from coffea_ddp.scanning.corrections import EfficiencyRatio
from coffea_ddp.stats import n_sigma, p_from_z
from coffea_ddp.stats.kappa import estimate_kappa
from coffea_ddp.stats.nsigma import METHOD, method_text
from coffea_ddp.stats.pulls import block_n_sigma

BINS = 784
TOYS = 1_000
FLAT = np.full(BINS, 50.0)
FALLING = 60 * np.exp(-np.arange(BINS) / 150) + 0.5
CURVE = 1 / (1 + np.exp(-(np.arange(BINS) - 100) / 80))
"""A turn-on, from 0.22 to 1."""


def toys(expected_a, expected_b, seed, n=TOYS):
    rng = np.random.default_rng(seed)
    return tuple(rng.poisson(expected, (n, BINS)).astype(float) for expected in (expected_a, expected_b))


def rho2(n, entries=None):
    return np.sqrt(n).sum() ** 2 / (len(n) * (n.sum() if entries is None else entries))


def assert_standard(z, mean=0.0):
    """Assert mean, width and uniform p-values."""
    assert z.mean() == pytest.approx(mean, abs=4 / math.sqrt(len(z)))
    assert z.std() == pytest.approx(1.0, abs=4 / math.sqrt(2 * len(z)))
    assert scipy_stats.kstest(p_from_z(z - mean, two_sided=True), "uniform").pvalue > 0.01


# -- the estimate --------------------------------------------------------------------------------------------


def test_estimate():
    found = estimate_kappa(400, 100)
    assert (found.value, found.method) == (0.25, "ratio of the totals B / A")
    a, b = (np.random.default_rng(seed).poisson(mean, 50_000) for seed, mean in ((1, 400), (2, 100)))
    assert (b / a).std() == pytest.approx(found.error, rel=0.03)
    many = estimate_kappa([400, 100], [100, 100])
    assert many.value.tolist() == [0.25, 1.0]
    assert many.error[0] == found.error


def test_estimate_of_weighted_events():
    found = estimate_kappa(400 * 0.5, 100 * 0.5, variance_a=400 * 0.25, variance_b=100 * 0.25)
    assert found.error == pytest.approx(estimate_kappa(400, 100).error)


@pytest.mark.parametrize(
    ("a", "b", "options", "message"),
    [
        (0, 1, {}, "n_a=0: a side is empty"),
        ([1, 1], [1, 0], {}, r"n_b=0 at \(1,\): a side is empty"),
        ([1, 1], [1, 1, 1], {}, "shape"),
        (math.nan, 1, {}, "n_a has NaN"),
        (1, 1, {"variance_a": 1}, "come together"),
        (1, 1, {"variance_a": 1, "variance_b": [1, 2]}, "variance_b"),
        (1, 1, {"variance_a": -1, "variance_b": 1}, "variance_a"),
    ],
)
def test_bad_estimates(a, b, options, message):
    with pytest.raises(InputError, match=message):
        estimate_kappa(a, b, **options)


# -- kappa from totals (PHYSICS T6) --------------------------------------------------------------------------


@pytest.mark.parametrize(("template", "width"), [(FLAT, 0.05), (FALLING, None)])
def test_plain_n_sigma_with_kappa_from_its_own_totals_is_too_narrow(template, width):
    a, b = toys(template, template, 1)
    plain = n_sigma(a, b, kappa=b.sum(axis=1) / a.sum(axis=1), batch_ndim=1).statistic
    left = math.sqrt(1 - rho2(2 * template)) if width is None else width
    assert plain.std() == pytest.approx(left, rel=4 / math.sqrt(2 * TOYS), abs=0.002)


def test_width_of_the_falling_template_of_the_reference():
    """0.63 for rho^2 = 0.595."""
    falling = np.exp(-np.add.outer(np.arange(28), np.arange(28)) / 7.2).reshape(-1)
    falling *= 25 / falling.mean()
    assert rho2(falling) == pytest.approx(0.595, abs=0.005)
    a, b = toys(falling, falling, 2)
    plain = n_sigma(a, b, kappa=b.sum(axis=1) / a.sum(axis=1), batch_ndim=1).statistic
    assert plain.std() == pytest.approx(0.63, abs=0.06)
    assert_standard(n_sigma(a, b, kappa="totals", batch_ndim=1).statistic)


@pytest.mark.parametrize("kappa", [1.0, 0.2, 5.0])
def test_kappa_from_the_totals(kappa):
    a, b = toys(FALLING, kappa * FALLING, 3)
    result = n_sigma(a, b, kappa="totals", batch_ndim=1)
    assert_standard(result.statistic)
    estimate = estimate_kappa(a.sum(axis=1), b.sum(axis=1))
    np.testing.assert_array_equal(result.kappa, estimate.value)
    np.testing.assert_array_equal(result.kappa_error, estimate.error)
    assert "kappa from the totals" in result.method
    # The normalisation says nothing any more.
    assert n_sigma(a[0], 3 * b[0], kappa="totals").kappa == pytest.approx(3 * estimate.value[0])


def test_the_correction_is_the_law_of_permutations():
    """Given all n and N_B, labels are hypergeometric: T6 is the exact variance up to N / (N - 1)."""
    n, n_b = np.array([3, 10, 40, 200]), 90
    drawn = np.random.default_rng(4).multivariate_hypergeometric(n, n_b, 40_000).astype(float)
    z = n_sigma(n - drawn, drawn, kappa="totals", batch_ndim=1).statistic
    assert z.mean() == pytest.approx(0, abs=0.02)
    assert z.std() == pytest.approx(math.sqrt(253 / 252), abs=0.015)


def test_a_flat_matrix_against_its_own_total_has_nothing_left():
    a, b = toys(FLAT, FLAT, 5, n=200)
    with pytest.raises(InputError, match=r"pair \(0,\) of the batch.*nothing is left to test.*chi-square"):
        n_sigma(a, b, kappa="totals", batch_ndim=1)
    with pytest.raises(InputError, match="this pair is flat"):
        n_sigma([50], [60], kappa="totals")
    kappa = b.sum(axis=1) / a.sum(axis=1)
    found = block_n_sigma(a, b, kappa, estimated_from=(a + b).sum(axis=1))
    assert np.isnan(found.statistic).all()
    assert np.isnan(found.scale).all()
    assert np.isfinite(found.asymmetry).all()
    # What is left is in the chi-square of the bins: as many degrees as bins, less one.
    squares = (b - kappa[:, None] * a) ** 2 / (kappa[:, None] * (a + b))
    assert squares.sum(axis=1).mean() == pytest.approx(BINS - 1, abs=4 * math.sqrt(2 * BINS / 200))


@pytest.mark.parametrize("kappa", [1.0, 0.2])
def test_kappa_from_a_larger_sample(kappa):
    """The pair is a fifth of the sample that kappa was estimated from."""
    a, b = toys(FALLING, kappa * FALLING, 6)
    rng = np.random.default_rng(7)
    rest = 4 * FALLING.sum()
    total_a, total_b = a.sum(axis=1) + rng.poisson(rest, TOYS), b.sum(axis=1) + rng.poisson(kappa * rest, TOYS)
    own = total_b / total_a
    found = block_n_sigma(a, b, own, estimated_from=total_a + total_b)
    assert_standard(found.statistic)
    width = math.sqrt(1 - rho2(FALLING * (1 + kappa)) / 5)
    assert block_n_sigma(a, b, own).statistic.std() == pytest.approx(width, rel=4 / math.sqrt(2 * TOYS))
    assert found.scale.mean() == pytest.approx(1 / width, rel=0.01)


@pytest.mark.parametrize("share", [1.0, 0.25])
def test_kappa_from_a_sample_with_factors_and_systematic_errors(share):
    """A shift of a bin is that of the whole sample; it has the pair's shape."""
    rng = np.random.default_rng(8)
    sigma = 0.05
    shift = 0.5 * sigma * rng.standard_normal((TOYS, BINS))
    factor = 2.0 * CURVE
    rest = (1 / share - 1) * FALLING
    a, rest_a = rng.poisson(FALLING * (1 - shift)), rng.poisson(rest * (1 - shift))
    b, rest_b = rng.poisson(factor * FALLING * (1 + shift)), rng.poisson(factor * rest * (1 + shift))
    all_a, all_b = a + rest_a, b + rest_b
    kappa = all_b.sum(axis=1) / (CURVE * all_a).sum(axis=1)
    ratio = kappa[:, None] * CURVE
    found = block_n_sigma(a, b, ratio, systematic=sigma, estimated_from=(all_a + all_b).sum(axis=1)).statistic
    assert found.std() == pytest.approx(1.0, abs=4 / math.sqrt(2 * TOYS))
    plain = block_n_sigma(a, b, ratio, systematic=sigma).statistic
    assert plain.std() < 0.9


# -- kappa from elsewhere, with an error ---------------------------------------------------------------------


@pytest.mark.parametrize("kappa", [0.2, 1.0, 5.0])
def test_kappa_with_an_error(kappa):
    """A common shift of 2 % widens the plain statistic; propagated, it is normal."""
    s = 0.02
    true = kappa * (1 + s * np.random.default_rng(9).standard_normal(TOYS))
    a, b = toys(FALLING, true[:, None] * FALLING, 10)
    result = n_sigma(a, b, kappa=kappa, kappa_error=s * kappa, batch_ndim=1)
    plain = n_sigma(a, b, kappa=kappa, batch_ndim=1)
    assert_standard(result.statistic)
    n = (1 + kappa) * FALLING
    width = math.sqrt(1 + s**2 * kappa / (1 + kappa) ** 2 * np.sqrt(n).sum() ** 2 / BINS)
    assert plain.statistic.std() == pytest.approx(width, rel=5 / math.sqrt(2 * TOYS))
    assert (result.kappa, result.kappa_error) == (kappa, s * kappa)
    assert "uncertainty of kappa propagated" in result.method
    np.testing.assert_allclose(result.asymmetry, plain.asymmetry, rtol=1e-9)


def test_a_common_shift_of_a_flat_matrix():
    """PHYSICS section 3, 2c: N_sigma widens to sqrt(1 + s^2 N / 2)."""
    for mean, s in ((25, 0.02), (100, 0.05), (400, 0.1)):
        a = np.full((1, BINS), float(mean))
        scale = block_n_sigma(a, a, kappa_error=s).scale
        assert 1 / scale[0] == pytest.approx(math.sqrt(1 + s**2 * mean * BINS / 2), rel=1e-12)


def test_kappa_estimated_elsewhere():
    """A control region of 20,000 events a side."""
    rng = np.random.default_rng(11)
    a, b = toys(FALLING, 3 * FALLING, 12)
    estimate = estimate_kappa(rng.poisson(20_000, TOYS), rng.poisson(60_000, TOYS))
    assert n_sigma(a, b, kappa=estimate.value, batch_ndim=1).statistic.std() > 1.1
    result = n_sigma(a, b, kappa=estimate.value, kappa_error=estimate.error, batch_ndim=1)
    assert_standard(result.statistic)


# -- per bin -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mean", [25, 100, 400])
@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.1])
def test_systematic_error_per_bin(mean, sigma):
    """PHYSICS section 3, 2c: widths of 0.975 to 1.014 where the plain one goes to 1.73 and beyond."""
    rng = np.random.default_rng([13, mean, round(100 * sigma)])
    shift = 0.5 * sigma * rng.standard_normal((TOYS, BINS))
    a, b = rng.poisson(mean * (1 - shift)), rng.poisson(mean * (1 + shift))
    result = n_sigma(a, b, systematic=sigma, batch_ndim=1)
    assert_standard(result.statistic)
    plain = n_sigma(a, b, batch_ndim=1).statistic
    assert plain.std() == pytest.approx(math.sqrt(1 + sigma**2 * mean / 2), rel=4 / math.sqrt(2 * TOYS))
    assert "systematic error per bin" in result.method


@pytest.mark.parametrize(("kappa", "bias"), [(3, -0.13), (10, -0.24)])
def test_a_shift_of_one_side_biases_in_second_order(kappa, bias):
    """PHYSICS section 3, 2c: 50 events a bin, 5 %."""
    rng = np.random.default_rng([14, kappa])
    shifted = 50 * kappa * (1 + 0.05 * rng.standard_normal((TOYS, BINS)))
    a, b = rng.poisson(50, (TOYS, BINS)), rng.poisson(shifted)
    z = n_sigma(a, b, kappa=kappa, systematic=0.05, batch_ndim=1).statistic
    assert z.mean() == pytest.approx(bias, abs=4 / math.sqrt(TOYS))
    assert z.std() == pytest.approx(1.0, abs=4 / math.sqrt(2 * TOYS))


@pytest.mark.parametrize("kappa", [1.0, 0.2])
def test_an_efficiency_of_side_b_is_corrected(kappa):
    a, b = toys(FALLING, kappa * CURVE * FALLING, 15)
    assert n_sigma(a, b, kappa=kappa, batch_ndim=1).statistic.mean() < -5
    correction = EfficiencyRatio(CURVE, np.zeros(BINS))
    result = n_sigma(a, b, kappa=correction.kappa(kappa), batch_ndim=1)
    assert_standard(result.statistic)
    assert "kappa per bin" in result.method
    assert result.kappa.shape == (BINS,)


def test_an_efficiency_of_side_b_is_corrected_within_its_error():
    rng = np.random.default_rng(16)
    error = 0.04 * CURVE
    measured = CURVE + error * rng.standard_normal((TOYS, BINS))
    a, b = toys(FALLING, CURVE * FALLING, 17)
    systematic = EfficiencyRatio(CURVE, error).systematic(0.03)
    np.testing.assert_allclose(systematic, 0.05)
    z = n_sigma(a, b, kappa=measured, systematic=0.04, batch_ndim=1).statistic
    assert z.std() == pytest.approx(1.0, abs=4 / math.sqrt(2 * TOYS))
    assert abs(z.mean()) < 0.3  # second order in 4 %


@pytest.mark.parametrize("factor", [1.0, 0.2])
def test_weights_of_one_over_the_efficiency(factor):
    """PHYSICS section 3, 2a: the other road; weights differ between bins, not inside of them."""
    efficiency = np.linspace(0.7, 1.0, BINS)
    a, b = toys(25, factor * 25 * efficiency, 18)
    options = {"variance_a": a, "variance_b": b / efficiency**2, "batch_ndim": 1}
    z = n_sigma(a, b / efficiency, kappa=factor, **options).statistic
    assert abs(z.mean()) < 1.0  # the pooled variance is that of equal weights on both sides
    corrected = n_sigma(a, b, kappa=factor * efficiency, batch_ndim=1).statistic
    assert_standard(corrected)


def lognormal(template, seed, n):
    """Sums and sums of squares of weights, lognormal with sigma 0.5."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(template, (n, BINS))
    where = np.repeat(np.arange(counts.size), counts.reshape(-1))
    weights = rng.lognormal(0.0, 0.5, len(where))
    return [np.bincount(where, power, minlength=counts.size).reshape(n, BINS) for power in (weights, weights**2)]


@pytest.mark.parametrize("options", [{"kappa": "totals"}, {"kappa": 1.0, "kappa_error": 0.02}])
def test_weighted_events(options):
    """T8, with an uncertain kappa."""
    n = 500
    true = 1 + options.get("kappa_error", 0.0) * np.random.default_rng(19).standard_normal((n, 1))
    (a, variance_a), (b, variance_b) = lognormal(FALLING, 20, n), lognormal(true * FALLING, 21, n)
    result = n_sigma(a, b, variance_a=variance_a, variance_b=variance_b, batch_ndim=1, **options)
    assert result.statistic.mean() == pytest.approx(0.0, abs=4 / math.sqrt(n))
    assert result.statistic.std() == pytest.approx(1.0, abs=4 / math.sqrt(2 * n))


# -- laws ----------------------------------------------------------------------------------------------------


@st.composite
def options(draw):
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    a, b = rng.poisson(draw(st.sampled_from([0.5, 6.0, 100.0])), (2, 12)).astype(float)
    a[0] += 1
    b[1] += 5
    kappa = draw(st.sampled_from([0.2, 1.0, 4.0]))
    ratio = kappa * rng.uniform(0.7, 1.3, 12) if draw(st.booleans()) else kappa
    return a, b, ratio, draw(st.sampled_from([0.0, 0.03, 1.0])), draw(st.sampled_from([0.0, 0.1])) * rng.random(12)


@given(options())
def test_antisymmetry(drawn):
    """Exact for kappa per bin, a relative error of it, and systematic errors: V_i / kappa_i is symmetric."""
    a, b, ratio, error, systematic = drawn
    one = n_sigma(a, b, kappa=ratio, kappa_error=error * ratio, systematic=systematic)
    two = n_sigma(b, a, kappa=1 / np.asarray(ratio), kappa_error=error / np.asarray(ratio), systematic=systematic)
    assert two.statistic == pytest.approx(-one.statistic, rel=1e-9, abs=1e-9)
    assert (1 + one.asymmetry) * (1 + two.asymmetry) == pytest.approx(1, rel=1e-6)


@given(options())
def test_antisymmetry_of_kappa_from_totals(drawn):
    """Exact without factors per bin: sum B / sum A is one over sum A / sum B."""
    a, b, _, _, systematic = drawn
    a[0], b[0] = a[0] + 1000, b[0] + 1500  # not flat
    one, two = (n_sigma(*pair, kappa="totals", systematic=systematic) for pair in ((a, b), (b, a)))
    assert two.statistic == pytest.approx(-one.statistic, rel=1e-6, abs=1e-6)
    assert two.kappa == pytest.approx(1 / one.kappa)


@given(options())
def test_a_constant_ratio_is_a_number(drawn):
    a, b, _, error, _ = drawn
    number = n_sigma(a, b, kappa=2.0, kappa_error=2 * error)
    per_bin = n_sigma(a, b, kappa=np.full(12, 2.0), kappa_error=np.full(12, 2 * error))
    for field in ("statistic", "n_bins", "asymmetry"):
        assert getattr(per_bin, field) == pytest.approx(getattr(number, field), rel=1e-9, abs=1e-9)
    plain = n_sigma(a, b, kappa=2.0)
    assert plain.method == METHOD
    assert number.asymmetry == pytest.approx(plain.asymmetry, rel=1e-9, abs=1e-12)


@given(options())
def test_unit_weights_are_counts(drawn):
    a, b, ratio, _, systematic = drawn
    for kappa in (ratio, "totals"):
        try:
            plain = n_sigma(a, b, kappa=kappa, systematic=systematic)
        except InputError:
            continue
        weighted = n_sigma(a, b, kappa=kappa, systematic=systematic, variance_a=a, variance_b=b)
        assert weighted.statistic == plain.statistic
        doubled = n_sigma(
            2 * a, 2 * b, kappa=kappa, systematic=systematic, variance_a=4 * a, variance_b=4 * b
        )  # a common weight changes nothing
        assert doubled.statistic == pytest.approx(plain.statistic, rel=1e-9)


@given(options())
def test_a_batch_is_a_loop(drawn):
    a, b, ratio, error, systematic = drawn
    first, second = np.stack([a, b, a + b]), np.stack([b, a, a])
    kappa = np.broadcast_to(ratio, (12,)) * np.array([[1.0], [2.0], [0.5]])
    batch = n_sigma(first, second, kappa=kappa, kappa_error=error * kappa, systematic=systematic, batch_ndim=1)
    for i in range(3):
        single = n_sigma(first[i], second[i], kappa=kappa[i], kappa_error=error * kappa[i], systematic=systematic)
        assert batch.statistic[i] == pytest.approx(single.statistic, rel=1e-9, abs=1e-12)
        assert batch.asymmetry[i] == pytest.approx(single.asymmetry, rel=1e-7, abs=1e-9)


@settings(max_examples=50)
@given(options())
def test_asymmetry_explains_the_pulls(drawn):
    """With n and the variance of every bin as they are, B = kappa (1 + eps) A has the same sum of pulls."""
    a, b, ratio, _, systematic = drawn
    n, e = a + b, ratio * (a + b) / (1 + ratio)
    root = np.sqrt(np.maximum(ratio * n + (systematic * e) ** 2, 1e-300))
    wanted = ((b - ratio * a) / root).sum()

    def gap(log):
        odds = ratio * math.exp(log)
        return ((odds - ratio) / (1 + odds) * n / root).sum() - wanted

    expected = math.expm1(optimize.brentq(gap, -40, 40, xtol=1e-13))
    found = n_sigma(a, b, kappa=ratio, systematic=systematic).asymmetry
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_asymmetry_is_found_again():
    """T4: B = kappa_i (1 + eps) A in every bin."""
    a, ratio = np.arange(100.0, 1300.0, 100.0), np.linspace(0.2, 3.0, 12)
    for eps in (-0.99, -0.5, 0.0, 0.01, 3.0, 1e4):
        b = ratio * (1 + eps) * a
        found = n_sigma(a, b, kappa=ratio, systematic=0.02, variance_a=a, variance_b=b).asymmetry
        assert found == pytest.approx(eps, rel=1e-8, abs=1e-10)


@pytest.mark.parametrize("ratio", [2.5, [1.0, 2.0], [1e-3, 1e3]])
def test_asymmetry_of_one_sided_pairs(ratio):
    assert n_sigma([0, 0], [3, 4], kappa=ratio, systematic=0.1).asymmetry == math.inf
    assert n_sigma([3, 4], [0, 0], kappa=ratio, systematic=0.1).asymmetry == pytest.approx(-1.0)


def test_efficiency_asymmetry_under_a_corrected_ratio():
    """T4: a mean of eps sqrt(N / 2) about any kappa_i near 1, and eps again."""
    eps, mean = 0.01, 1e5 / BINS
    ratio = np.linspace(0.9, 1.1, BINS)
    a, b = toys(mean, mean * ratio * (1 + eps), 22)
    result = n_sigma(a, b, kappa=ratio, batch_ndim=1)
    assert result.statistic.mean() == pytest.approx(eps * math.sqrt(1e5 / 2), rel=0.02, abs=4 / math.sqrt(TOYS))
    assert result.asymmetry.mean() == pytest.approx(eps, rel=0.1)
    assert n_sigma(a, b, kappa=ratio * 1.01, batch_ndim=1).statistic.mean() == pytest.approx(0, abs=0.15)


# -- what is given -------------------------------------------------------------------------------------------


def test_shapes_of_kappa():
    rng = np.random.default_rng(23)
    a, b = rng.poisson(9, (2, 4, 2, 3))
    per_pair, per_bin = rng.uniform(0.5, 2, 4), rng.uniform(0.5, 2, (2, 3))
    full = np.broadcast_to(per_bin, a.shape)
    expected = n_sigma(a, b, kappa=full, batch_ndim=1).statistic
    for kappa in (per_bin, per_bin[None]):
        np.testing.assert_array_equal(n_sigma(a, b, kappa=kappa, batch_ndim=1).statistic, expected)
    one = n_sigma(a, b, kappa=per_pair, batch_ndim=1)
    np.testing.assert_allclose(n_sigma(a, b, kappa=per_pair[:, None, None], batch_ndim=1).statistic, one.statistic)
    square = rng.poisson(9, (4, 4))
    for kappa in (per_pair[:, None], per_pair[None]):
        assert n_sigma(square, square, kappa=kappa, batch_ndim=1).statistic.shape == (4,)
    with pytest.raises(InputError, match=r"that of the batch and that of the bins.*kappa.reshape\(4, 1\)"):
        n_sigma(square, square, kappa=per_pair, batch_ndim=1)


def test_shapes_of_the_block():
    rng = np.random.default_rng(24)
    a, b = rng.poisson(9, (2, 5, 8)).astype(float)
    cells, bins = rng.uniform(0.5, 2, 5), rng.uniform(0.5, 2, 8)
    full = np.broadcast_to(bins, a.shape)
    np.testing.assert_array_equal(block_n_sigma(a, b, bins[None]).statistic, block_n_sigma(a, b, full).statistic)
    np.testing.assert_allclose(block_n_sigma(a, b, cells[:, None]).statistic, block_n_sigma(a, b, cells).statistic)
    np.testing.assert_allclose(
        block_n_sigma(a, b, cells, systematic=0.0).asymmetry, block_n_sigma(a, b, cells).asymmetry, rtol=1e-9
    )
    product = cells[:, None] * bins[None]
    found = block_n_sigma(a, b, product, systematic=0.1 * bins, estimated_from=np.full(5, 1e9))
    np.testing.assert_allclose(
        found.statistic * found.scale**-1, block_n_sigma(a, b, product, systematic=0.1 * bins)[0]
    )
    empty = block_n_sigma(np.zeros((1, 3)), np.zeros((1, 3)), np.ones((1, 3)), systematic=0.1, estimated_from=10.0)
    assert np.isnan([empty.statistic, empty.asymmetry]).all()
    assert empty.n_bins == [0]
    with pytest.raises(InputError, match="exclude each other"):
        block_n_sigma(a, b, kappa_error=0.1, estimated_from=10)


def test_every_bin():
    a, b = np.array([[4.0, 0.0, 9.0]]), np.array([[9.0, 0.0, 16.0]])
    kappa = np.ones((1, 3))
    some, every = (block_n_sigma(a, b, kappa, kappa_error=0.1, every_bin=flag) for flag in (False, True))
    assert every.statistic == pytest.approx(some.statistic * math.sqrt(2 / 3))
    assert (some.n_bins.item(), every.n_bins.item()) == (2, 3)


@pytest.mark.parametrize(
    ("a", "b", "given", "message"),
    [
        ([1, 2], [1, 2], {"kappa": [1, 2, 3]}, r"kappa has shape \(3,\); give a number, or one for each of the bins"),
        ([1, 2], [1, 2], {"kappa": "total"}, "'totals'"),
        ([1, 2], [1, 2], {"kappa": [1, 0]}, "positive"),
        ([1, 0], [0, 0], {"kappa": "totals"}, "a side is empty"),
        ([[1, 2]], [[0, 0]], {"kappa": "totals", "batch_ndim": 1}, r"n_b=0 at \(0,\)"),
        ([9, 9], [8, 8], {"kappa": "totals"}, "nothing is left to test"),
        ([1, 2], [2, 2], {"kappa": "totals", "kappa_error": 0.1}, "brings its own"),
        ([1, 2], [1, 2], {"kappa_error": -1}, "kappa_error=-1"),
        ([1, 2], [1, 2], {"kappa_error": [1, 2, 3]}, "kappa_error has shape"),
        ([1, 2], [1, 2], {"kappa_error": math.inf}, "kappa_error has NaN"),
        ([1, 2], [1, 2], {"systematic": [0.1, 0.2, 0.3]}, "systematic has shape"),
        ([1, 2], [1, 2], {"systematic": -0.1}, "0 or more"),
    ],
)
def test_bad_input(a, b, given, message):
    with pytest.raises(InputError, match=message):
        n_sigma(a, b, **given)


def test_methods():
    assert method_text() == METHOD
    text = method_text(kappa_error=True, per_bin=True, systematic=True)
    assert text == f"{METHOD}; uncertainty of kappa propagated; kappa per bin; systematic error per bin"
