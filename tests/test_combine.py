"""Several families, one p-value: uniform under the null, whatever the families' scales and correlations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from coffea_ddp.errors import InputError
from coffea_ddp.stats.combine import combine
from coffea_ddp.stats.trials import local_p, p_from_z, sidak


def families(rng, n):
    """Two correlated families of maxima, on very different scales."""
    common = rng.standard_normal((n, 20))
    first = np.abs(common + 0.5 * rng.standard_normal((n, 20))).max(axis=1)
    second = 7 + 2 * np.abs(common[:, :5]).max(axis=1)
    return np.stack([first, second])


def test_min_p_is_uniform_under_the_null():
    rng = np.random.default_rng(4)
    p = []
    for _ in range(400):
        values = families(rng, 200)
        found = combine(values[:, 1:], values[:, :1])
        p.append(found.report(max(z[0] for z in found.z)).p_value)
    assert scipy_stats.kstest(np.array(p) - rng.random(len(p)) / 200, "uniform").pvalue > 0.01


def test_scales_do_not_matter():
    rng = np.random.default_rng(1)
    nulls = families(rng, 999)
    scores = [nulls[0][:5] * 1.02, nulls[1][:5] * 1.02]
    plain = combine(nulls, scores)
    # A monotone map of one family (keeping the exponential tail in z^2) changes nothing.
    scaled = combine([nulls[0], 3 * nulls[1]], [scores[0], 3 * scores[1]])
    for one, other in zip(plain.z, scaled.z, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


def test_independent_looks_agree_with_sidak():
    """PHYSICS T21: a local 4.69 sigma among 1,000 independent looks is a global 3 sigma."""
    z = 4.69
    assert sidak(p_from_z(z, two_sided=False), 1_000) == pytest.approx(p_from_z(3.0, two_sided=False), rel=0.03)
    rng = np.random.default_rng(3)
    looks, n = 50, 40_000
    null = np.abs(rng.standard_normal((n, looks))).max(axis=1)
    for p_global in (0.3, 0.05, 0.01):
        score = scipy_stats.norm.isf(local_p(p_global, looks) / 2)
        found = combine([null], [[score]])
        p = found.report(float(found.z[0][0])).p_value
        assert p == pytest.approx(p_global, abs=4 * np.sqrt(p_global / n))


def test_part_of_the_families():
    nulls = families(np.random.default_rng(1), 500)
    found = combine(nulls, [[4.0], [16.0]])
    z = float(found.z[0][0])
    assert found.report(z, [0]).p_value <= found.report(z).p_value


@pytest.mark.parametrize(
    ("nulls", "scores"), [([], []), ([[1.0]], [[1.0], [2.0]]), ([[1.0], [1.0, 2.0]], [[1.0], [1.0]])]
)
def test_bad_input(nulls, scores):
    with pytest.raises(InputError, match="one length"):
        combine(nulls, scores)
