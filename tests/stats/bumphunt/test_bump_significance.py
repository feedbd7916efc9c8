"""The bump hunt as it is used: what it finds, what it is worth under the null, real spectra, bad input."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import stats as scipy_stats

from coffea_ddp import stats
from coffea_ddp.errors import InputError
from coffea_ddp.stats.bumphunt.domain import domain
from coffea_ddp.stats.bumphunt.finder import shipped
from coffea_ddp.stats.bumphunt.fit_range import begins_at, behind_turn_on, ends_at
from coffea_ddp.stats.bumphunt.toys import draw_toys, without_peak
from coffea_ddp.stats.bumphunt.training.families import FINAL, MILD
from coffea_ddp.stats.bumphunt.training.sampling import SpectrumSettings, draw
from coffea_ddp.stats.bumphunt.widths import likeliest_width

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
needs_real = pytest.mark.skipif(not (SHARED / "cms2011").is_dir(), reason="needs ../shared/data/cms2011")

X = np.arange(100)
FALLING = 2e5 * np.exp(-X / 25.0) + 50.0


def spectrum(peak=0.0, place=50, sigma=2.0, seed=1, background=FALLING):
    expected = background + peak * np.exp(-0.5 * ((X - place) / sigma) ** 2)
    return np.random.default_rng(seed).poisson(expected).astype(float)


# -- what it finds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_a_bump_is_found_where_it_is(scale):
    edges = 200.0 + scale * np.arange(101)
    counts = spectrum(peak=600.0, place=60)
    result = stats.bump_significance(counts, edges, 2.0 * scale, toys=100)
    ideal = stats.ideal_significance(counts, FALLING, 2.0)
    assert result.position == pytest.approx(200.0 + scale * 60.5, abs=scale)
    assert result.z_max == pytest.approx(ideal.max(), abs=2.0)
    assert result.p_global == pytest.approx(1 / 101)
    assert result.score > 3.5
    assert result.width == pytest.approx(2.0 * scale)
    assert result.flags == ()
    assert "100 toys" in result.method
    assert result.p_local == pytest.approx(scipy_stats.norm.sf(result.z_max))
    assert "z_max=" in repr(result)


def test_z_is_near_the_ideal_one_with_the_error_that_it_states():
    distribution = SpectrumSettings(FINAL, None, (1e3, 1e7), 0.8, (3.0, 5.0, 7.0), 0.0, 0.0, 0.0)
    batch = draw(909, 1, size=600, n_bins=100, sigma=2.0, distribution=distribution)
    result = stats.bump_significance(batch.counts, width=2.0, toys=0)
    inside = domain(batch.background, batch.use, 2.0)
    away = (result.z - batch.z)[inside]
    pulls = away / result.z_error[inside]
    assert np.sqrt(np.mean(away**2)) < 0.8
    assert np.mean(np.abs(pulls) < 1.0) == pytest.approx(0.683, abs=0.05)
    assert np.mean(np.abs(pulls) < 1.96) == pytest.approx(0.95, abs=0.04)


def test_it_is_better_than_a_fit_that_chooses_its_order():
    distribution = SpectrumSettings(MILD, None, (1e3, 1e7), 0.8, (3.0, 5.0, 7.0), 0.0, 0.0, 0.0)
    batch = draw(910, 1, size=150, n_bins=100, sigma=2.0, distribution=distribution)
    inside = domain(batch.background, batch.use, 2.0)
    network = stats.bump_significance(batch.counts, width=2.0, toys=0).z - batch.z
    fitted = stats.bump_fit(batch.counts, width=2.0).z - batch.z
    assert np.sqrt(np.mean(network[inside] ** 2)) < 0.8 * np.sqrt(np.mean(fitted[inside] ** 2))


@pytest.mark.parametrize("sigma", [1.0, 2.0, 4.0])
def test_the_likeliest_width_is_the_one_that_a_strong_signal_has(sigma):
    """30 spectra of a signal of 15 to 30 ideal standard deviations, the narrowest and the widest bins to begin with."""
    peak = 3_000.0 / np.sqrt(sigma)
    many = [spectrum(peak=peak, sigma=sigma, place=45, seed=seed) for seed in range(30)]
    for first in (1.0, 5.0):
        found = [likeliest_width(counts, np.ones(100), 45, first) for counts in many]
        assert np.mean(np.isclose(found, sigma)) > 0.8


def test_widths_are_scanned_where_none_is_given():
    counts = spectrum(peak=700.0, sigma=4.0, place=55)
    result = stats.bump_significance(counts, toys=50)
    assert result.width == pytest.approx(4.0, abs=1.1)
    assert abs(result.position - 55.5) < 3
    fine = stats.bump_significance(np.repeat(counts // 4, 4), np.arange(401) / 4.0, 4.0, toys=0)
    assert fine.z.shape == (400,)
    assert abs(fine.position - 55.5) < 3  # 16 bins wide: joined by four
    assert fine.z_max > 5


def test_torch_gives_the_same():
    counts = draw(1, 5, size=9, n_bins=64, sigma=2.0).counts
    plain = stats.bump_significance(counts, width=2.0, toys=0)
    fast = stats.bump_significance(counts, width=2.0, toys=0, backend="torch")
    assert fast.z == pytest.approx(plain.z, abs=1e-3)
    assert fast.p_global == pytest.approx(plain.p_global, rel=1e-2)


def test_a_batch_is_its_spectra():
    counts = draw(1, 6, size=6, n_bins=40, sigma=2.0).counts
    together = stats.bump_significance(counts.reshape(2, 3, 40), width=2.0, toys=20, seed=4)
    assert together.z.shape == (2, 3, 40)
    assert together.z_max.shape == together.p_global.shape == (2, 3)
    assert len(together.flags) == 6
    alone = stats.bump_significance(counts[0], width=2.0, toys=20, seed=4)
    assert alone.z == pytest.approx(together.z[0, 0], abs=1e-5)
    assert alone.p_global == together.p_global[0, 0]
    assert "6 spectra of 40 bins" in repr(together)


def test_a_masked_resonance_is_left_out():
    counts = spectrum(peak=20_000.0, place=50)
    mask = np.abs(X - 50) <= 8
    loud, quiet = (stats.bump_significance(counts, width=2.0, mask=some, toys=0) for some in (None, mask))
    assert loud.z_max > 10
    assert quiet.z_max < 4
    assert np.isnan(quiet.z[mask]).all()
    assert not quiet.inside[mask].any()


# -- what it is worth ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("families", "spectra", "toys"),
    [
        pytest.param(["stretched", "ua2"], 100, 29, id="both"),
        pytest.param(["stretched"], 200, 60, id="stretched", marks=pytest.mark.slow),
        pytest.param(["ua2"], 200, 60, id="ua2", marks=pytest.mark.slow),
    ],
)
def test_global_p_of_toys_is_uniform(families, spectra, toys):
    """The ranks of 200 spectra among toys of their own smooth background, of both families together or of one.

    Distances from uniform of 0.115 are beyond the limit of 1 %, which is three steps of 29 toys and more.
    """
    p = []
    for family in families:
        distribution = SpectrumSettings((family,), None, (1e3, 1e6), 0.0, 1.0, 0.0, 0.0, 0.0)
        batch = draw(333, 1, size=spectra, n_bins=50, sigma=1.5, distribution=distribution)
        p.append(stats.bump_significance(batch.counts, width=1.5, toys=toys, seed=2).p_global)
    smeared = np.concatenate(p) - np.random.default_rng(1).random(200) / (toys + 1)
    assert scipy_stats.kstest(smeared, "uniform").pvalue > 0.01


def test_the_calibrated_score_is_met_by_families_never_trained_on():
    below, spectra = 0, 0
    for number, family in enumerate(FINAL):
        distribution = SpectrumSettings((family,), None, (1e3, 1e7), 0.0, 1.0, 0.0, 0.0, 0.0)
        batch = draw(444, number, size=500, n_bins=100, sigma=2.0, distribution=distribution)
        p = stats.bump_significance(batch.counts, width=2.0, toys=0).p_global
        below, spectra = below + np.count_nonzero(p < 0.05), spectra + 500
    assert below / spectra == pytest.approx(0.05, rel=0.4)


def test_toys_depend_on_seed_and_number_alone():
    smooth = FALLING[:20]
    assert np.array_equal(draw_toys(smooth, 5, 1, 2), draw_toys(smooth, 5, 1, 2))
    assert not np.array_equal(draw_toys(smooth, 5, 1, 2), draw_toys(smooth, 5, 1, 3))


def test_a_background_without_its_peak():
    flat = np.full(60, 400.0)
    flat[25:35] += 4_000.0
    assert without_peak(flat, np.ones(60), 30, 8.0) == pytest.approx(np.full(60, 400.0), rel=0.01)
    assert np.isfinite(without_peak(flat, np.ones(60), 30, 100.0)).all()  # nothing outside: all bins are used


# -- where a spectrum begins and ends ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_a_spectrum_starts_behind_its_turn_on(seed):
    rng = np.random.default_rng(seed)
    turn_on = FALLING / (1.0 + np.exp(-(X - 20.0) / 3.0))
    first = behind_turn_on(rng.poisson(turn_on).astype(float), 2.0)
    assert abs(first - turn_on.argmax()) <= 6
    assert behind_turn_on(rng.poisson(FALLING).astype(float), 2.0) == 0
    peak = 4e5 * np.exp(-0.5 * ((X - 70) / 2.0) ** 2)
    assert behind_turn_on(rng.poisson(FALLING + peak).astype(float), 2.0) == 0


def test_a_spectrum_begins_with_its_events():
    counts = np.where(X < 60, 30.0, 0.0)[::-1]
    assert begins_at(counts, 2.0) == 100 - 62
    assert begins_at(np.zeros(40), 2.0) == 0


def test_a_spectrum_ends_with_its_events():
    counts = np.where(X < 60, 30.0, 0.0)
    assert ends_at(counts, 2.0) == 62
    assert ends_at(np.zeros(40), 2.0) == 40
    assert ends_at(np.ones(40), 2.0) == 40


# -- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "options", "message"),
    [
        (np.ones(19), {}, "19 bins"),
        (np.zeros(40), {}, "all bins are 0"),
        (np.full(40, -2.0), {}, "0 or more"),
        (np.full(40, 1.5), {}, "fractional"),
        (np.full(40, np.nan), {}, "NaN"),
        (["a"] * 40, {}, "not an array of numbers"),
        (np.ones(40), {"edges": np.zeros(41)}, "must increase"),
        (np.ones(40), {"edges": np.arange(40)}, "one more than bins"),
        (np.ones(40), {"width": 0.0}, "positive number in the units"),
        (np.ones(40), {"mask": np.zeros(40)}, "give bools"),
        (np.ones(40), {"mask": np.ones(40, bool)}, "all bins are masked"),
    ],
    ids=["few", "empty", "negative", "weights", "nan", "text", "flat edges", "edges", "width", "mask", "masked"],
)
def test_what_is_no_spectrum(counts, options, message):
    with pytest.raises(InputError, match=message):
        stats.bump_significance(counts, **options)


def test_what_the_network_was_not_trained_for_is_flagged():
    def flags(counts, **options):
        return stats.bump_significance(counts, toys=0, **{"width": 2.0, **options}).flags

    waves = np.round(1e6 * np.exp(-X / 40.0) * (1.0 + 0.3 * np.sin(X / 1.5)))
    assert "NOT_SMOOTH" in flags(waves)
    stairs = np.round(1e6 * np.exp(-(X // 20) / 1.2))
    assert "NOT_SMOOTH" in flags(stairs)
    assert "FEW_EVENTS" in flags(np.where(X < 20, 1.0, 0.0))
    assert "FEW_BINS" in flags(spectrum()[:21])
    assert "MANY_EVENTS" in flags(np.round(FALLING * 1e5))
    assert "NO_DOMAIN" in flags(spectrum()[:22], width=4.9)
    assert "MANY_BINS" in flags(np.round(1e4 * np.exp(-np.arange(700) / 200.0)), width=1.0)
    many = np.round(1e4 * np.exp(-np.arange(600) / 200.0))
    assert flags(many, width=4.0) == ("UNDERDISPERSED",)  # too smooth for counts
    assert flags(np.random.default_rng(1).poisson(many), width=4.0) == ()  # joined by two
    assert flags(spectrum()) == ()


# -- real spectra --------------------------------------------------------------------------------------------------


def masses(name):
    with (SHARED / "cms2011" / name).open() as file:
        return np.array([float(row["M"]) for row in csv.DictReader(file)])


REAL = {
    "Z": ("Zmumu_Run2011A_masses.csv", 60, (60.0, 120.0), 2.5, (91.2, 1.5), (77.0, 106.0)),
    "phi": ("peakdata4.csv", 92, (0.90, 1.13), 0.011, (1.0195, 0.006), (0.98, 1.055)),
}


@needs_real
@pytest.mark.parametrize("resonance", list(REAL))
@pytest.mark.parametrize("scanned", [False, True], ids=["width", "scanned"])
def test_real_resonances_are_found_and_are_gone_when_cut_out(resonance, scanned):
    name, bins, span, width, (mass, near), window = REAL[resonance]
    counts, edges = np.histogram(masses(name), bins, span)
    chosen = None if scanned else width
    result = stats.bump_significance(counts, edges, chosen, toys=50)
    assert result.z_max > 10
    assert result.position == pytest.approx(mass, abs=near)
    assert result.p_global < 0.05
    centres = 0.5 * (edges[1:] + edges[:-1])
    cut = stats.bump_significance(counts, edges, chosen, mask=(centres > window[0]) & (centres < window[1]), toys=50)
    assert cut.z_max < 4
    assert cut.p_global > 0.01


def test_the_shipped_network_says_how_it_was_made():
    about = shipped().about
    assert about["settings"]["seed"] >= 0
    assert set(about["trained on"]).isdisjoint(about["measured on"])
