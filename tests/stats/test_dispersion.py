"""Contents that are no Poisson counts are told from those that are."""

from __future__ import annotations

import hist
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp import stats
from coffea_ddp.errors import InputError
from coffea_ddp.scanning.bump_hunt import bump_hunt
from coffea_ddp.scanning.bump_range import prepare
from coffea_ddp.spectra.spectrum import MassSpectrum
from coffea_ddp.stats.bumphunt.training import falling_shapes
from coffea_ddp.stats.bumphunt.training.families import FINAL, TRAINING, log_shapes
from coffea_ddp.stats.status import Status

FALLING = [name for name in TRAINING if hasattr(falling_shapes, name)]
"""Others have edges and jumps, at which neighbours differ by more than chance."""
X = np.arange(60)
EXPECTED = 3e4 * np.exp(-X / 12.0)


def spectra(families, events, n_bins, size, *, peak=0.0):
    """Draw Poisson spectra of families of shapes, with a narrow resonance in the middle."""
    rng = np.random.default_rng([int(events), n_bins, size])
    expected = np.exp(log_shapes(rng, size, n_bins, tuple(families)))
    expected *= events / expected.sum(axis=1, keepdims=True)
    signal = np.exp(-0.5 * ((np.arange(n_bins) - n_bins // 2) / 1.5) ** 2)
    return rng.poisson(expected + peak * expected[:, [n_bins // 2]] * signal)


def verdicts(counts):
    found = [stats.poisson_dispersion(row).verdict for row in counts]
    return found.count("OVERDISPERSED"), found.count("UNDERDISPERSED")


@pytest.mark.parametrize("families", [FALLING, FINAL], ids=["training", "final"])
@pytest.mark.parametrize("events", [300, 1e4, 1e6])
@pytest.mark.parametrize(("n_bins", "peak"), [(20, 0.0), (45, 3.0), (150, 1.0)])
def test_poisson_spectra_are_rarely_flagged(families, events, n_bins, peak):
    counts = spectra(families, events, n_bins, 200, peak=peak)
    assert sum(verdicts(counts)) <= 1
    assert [stats.common_factor(row) for row in counts] == [1] * len(counts)


@pytest.mark.parametrize(("factor", "number", "verdict"), [(7.3, 185, 0), (0.1, 150, 1), (0.0, 195, 1)])
def test_scaled_rounded_and_smooth_spectra_are_flagged(factor, number, verdict):
    counts = spectra(FINAL, 1e6, 60, 200)
    if factor:
        changed = np.rint(factor * counts)
    else:  # the expected counts themselves
        rng = np.random.default_rng(4)
        shapes = np.exp(log_shapes(rng, 200, 60, tuple(FINAL)))
        changed = np.rint(1e6 * shapes / shapes.sum(axis=1, keepdims=True))
    assert verdicts(changed)[verdict] >= number


@given(st.integers(2, 10**6), st.integers(0, 2**31))
def test_a_factor_is_told(factor, seed):
    counts = np.random.default_rng(seed).poisson(EXPECTED)
    assert stats.common_factor(counts * factor) == factor


def test_few_even_bins_are_no_factor():
    assert stats.common_factor([2, 4, 0, 2, 6, 2, 0, 4]) == 1
    assert stats.common_factor(np.zeros(5)) == stats.common_factor([0.5] * 50) == 1
    assert stats.common_factor(np.full(40, 1e30)) == 1
    with pytest.raises(InputError, match="one spectrum"):
        stats.common_factor(np.ones((2, 3)))


@given(st.floats(1e-6, 1e6), st.integers(0, 2**31), st.booleans())
def test_effective_counts_undo_a_scale(scale, seed, density):
    rng = np.random.default_rng(seed)
    counts, widths = rng.poisson(EXPECTED).astype(float), rng.uniform(1.0, 9.0, 60)
    weight = scale / widths if density else np.full(60, scale)
    rounded = np.array([float(f"{value:.4g}") for value in np.sqrt(counts) * weight])
    assert np.array_equal(stats.effective_counts(counts * weight, counts * weight**2, widths), counts)
    made = stats.effective_counts(counts * weight, rounded**2, widths)
    assert np.abs(made - counts).max() <= 0.5 + 1e-3 * counts.max()


SIGNED = {
    "one in five negative": lambda rng, masses: np.where(rng.random(len(masses)) < 0.2, -1.0, 1.0),
    "exponential": lambda rng, masses: rng.exponential(1.0, len(masses)),
    "of the mass": lambda rng, masses: masses**2 * rng.uniform(0.5, 1.5, len(masses)),
}


@pytest.mark.parametrize("weigh", SIGNED.values(), ids=SIGNED)
def test_effective_counts_scatter_as_counts_do(weigh):
    """Around their own expectation with a variance near 1; content^2 / variance has 2.9 for one in five negative."""
    rng, edges = np.random.default_rng(3), np.linspace(1.0, 2.0, 31)
    made = []
    for _ in range(300):
        masses = 1.0 + rng.exponential(0.5, rng.poisson(6_000))
        weights = weigh(rng, masses)
        contents, variances = (np.histogram(masses, edges, weights=one)[0] for one in (weights, weights**2))
        made.append(stats.effective_counts(contents, variances))
    scatter = np.var(made, axis=0) / np.mean(made, axis=0)
    # The three numbers of the parabola, which all bins share, add up to 0.2; the mean itself is known to 0.015.
    assert 0.95 < scatter.mean() < 1.25


def test_weights_with_a_step_are_kept():
    """Samples of two weights, one after the other on the axis: a smooth law would put a step into their counts."""
    counts = np.random.default_rng(4).poisson(300 * np.exp(-np.arange(40) / 15.0))
    weights = np.where(np.arange(40) < 20, 1.0, 0.3)
    assert stats.effective_counts(counts * weights, counts * weights**2).tolist() == counts.tolist()


def test_effective_counts_of_unequal_weights():
    assert stats.effective_counts([[1.5, 2.0], [3.0, -1.0]], [[0.75, 1.0], [4.5, 1.0]]).tolist() == [[3, 4], [2, 0]]
    for variances in ([1.0, -1.0], [1.0, 0.0], [1.0], [1.0, np.nan]):
        with pytest.raises(InputError, match="variances"):
            stats.effective_counts([1.0, 2.0], variances)
    with pytest.raises(InputError, match="widths"):
        stats.effective_counts([1.0, 2.0], [1.0, 2.0], [1.0])


def made(contents, variances=None):
    axis = hist.axis.Regular(60, 0, 600, name="mass")
    one = hist.Hist(axis, storage=hist.storage.Double() if variances is None else hist.storage.Weight())
    if variances is None:
        one.view()[...] = contents
    else:
        one.view()["value"], one.view()["variance"] = contents, variances
    return MassSpectrum("jj", "", one, width=20.0)


COUNTS = np.random.default_rng(3).poisson(EXPECTED)


@pytest.mark.parametrize(
    ("contents", "variances", "status"),
    [
        (COUNTS, None, Status.OK),
        (COUNTS * 0.1, None, Status.NOT_COUNTS),
        (COUNTS * 1e-6, None, Status.NOT_COUNTS),
        (COUNTS * 0.1, COUNTS * 0.1, Status.NOT_COUNTS),
        (COUNTS * 0.1, COUNTS * 0.01, Status.OK),
        (COUNTS * 10, None, Status.SCALED),
        (COUNTS * 10, COUNTS * 10, Status.SCALED),
        (COUNTS * 10, COUNTS * 100, Status.OK),
        (COUNTS * 0.1, COUNTS * 0.0, Status.BAD_VARIANCES),
        (COUNTS * 0.1, -COUNTS * 0.01, Status.BAD_VARIANCES),
        (COUNTS * 0.1, np.full(60, np.nan), Status.BAD_VARIANCES),
        (COUNTS - 500.0, None, Status.NEGATIVE),
    ],
)
def test_what_is_looked_at(contents, variances, status):
    prepared = prepare(made(contents, variances))
    assert prepared.status is status
    if status is Status.OK:
        assert np.array_equal(prepared.counts, COUNTS[prepared.span])


def test_a_report_tells_why():
    report = bump_hunt([made(COUNTS), made(COUNTS * 1000), made(COUNTS * 0.3), made(np.rint(23.7 * COUNTS))], toys=0)
    by_status = {row.status: row for row in report.rows if row.rank is None}
    assert "give --scale 1000" in by_status["SCALED"].reason
    assert "variances" in by_status["NOT_COUNTS"].reason
    assert [("OVERDISPERSED" in row.bump.flags) for row in report.rows if row.rank].count(True) == 1


def test_functions_of_stats_refuse_or_flag():
    for options in ({}, {"width": 2.0}):
        with pytest.raises(InputError, match=r"effective_counts\(contents, variances\)"):
            stats.bump_significance(COUNTS * 0.1, toys=0, **options)
        assert "SCALED" in stats.bump_significance(COUNTS * 10, toys=0, **options).flags
    assert stats.bump_significance(np.rint(EXPECTED) + 1, width=2.0, toys=0).flags == ("UNDERDISPERSED",)
    assert stats.bump_fit(COUNTS, width=2.0).flags == ()
    assert "NOT_COUNTS" in stats.bump_fit(COUNTS * 0.3, width=2.0).flags
    assert "SCALED" in stats.bump_fit(COUNTS * 10, width=2.0).flags
    assert stats.bump_fit(np.array([COUNTS, np.rint(23.7 * COUNTS)]), width=2.0).flags == [(), ("OVERDISPERSED",)]


def test_no_bins_are_no_spectrum():
    with pytest.raises(InputError, match="no bins"):
        stats.effective_counts([], [])
