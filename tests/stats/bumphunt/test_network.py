"""Features, network, training: what each promises, beside plain numpy."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from coffea_ddp.errors import FileError, FormatError, InputError, UnknownNameError
from coffea_ddp.stats.bumphunt.domain import domain
from coffea_ddp.stats.bumphunt.features import CHANNELS, N_SCORES, ORDERS, RIDGE, describe, features
from coffea_ddp.stats.bumphunt.finder import BumpFinder, Calibration, Correction, load, log_bayes, shipped
from coffea_ddp.stats.bumphunt.fits.loglinear import Polynomials, exponential, fit, legendre, start
from coffea_ddp.stats.bumphunt.fits.polynomials import adapted
from coffea_ddp.stats.bumphunt.network import Shape, apply, initial_weights, layers
from coffea_ddp.stats.bumphunt.training import families
from coffea_ddp.stats.bumphunt.training.calibration import STRENGTHS, calibrate, correct, null_scores
from coffea_ddp.stats.bumphunt.training.making import make_finder
from coffea_ddp.stats.bumphunt.training.sampling import SpectrumSettings, draw
from coffea_ddp.stats.bumphunt.training.training import (
    Settings,
    measured_set,
    rate_at,
    resonance,
    train,
    training_batch,
    training_batches,
)

SMALL = Settings(seed=3, steps=6, batch=8, widths=(4, 4, 4, 4))


@pytest.fixture
def at_once(monkeypatch):
    """Draw batches in this process, where a test is not about processes, and measure with few spectra."""

    def drawn(settings, first, _workers):
        return (training_batch(settings, step) for step in range(first, settings.steps))

    monkeypatch.setattr("coffea_ddp.stats.bumphunt.training.training.training_batches", drawn)
    few = functools.partial(measured_set, size=20)
    monkeypatch.setattr("coffea_ddp.stats.bumphunt.training.training.measured_set", few)


# -- families and spectra ------------------------------------------------------------------------------------------


def test_families_that_judge_are_never_trained_on():
    sets = [set(families.TRAINING), set(families.VALIDATION), set(families.FINAL)]
    assert not (sets[0] & sets[1] | sets[0] & sets[2] | sets[1] & sets[2])
    assert len(families.FINAL) >= 4
    assert set(families.MILD) < set(families.FINAL)


RISING = ("rising", "flat", "whole_turn_ons", "whole_thermal")
"""Families of spectra of which many rise somewhere."""


@pytest.mark.parametrize("name", [*families.TRAINING, *families.VALIDATION, *families.FINAL])
def test_every_family_is_finite_and_most_fall_in_all(name):
    shapes = families.log_shapes(np.random.default_rng(5), 300, 120, (name,))
    assert np.isfinite(shapes).all()
    assert shapes.max(axis=1) == pytest.approx(0.0)
    rises = (shapes.argmax(axis=1) > 6).mean()
    if name in RISING:
        assert rises > 0.3
        return
    thirds = np.exp(shapes).reshape(300, 3, 40).mean(axis=2)
    assert (thirds[:, 0] >= thirds[:, 2]).mean() > (0.85 if name == "jumps" else 0.93)  # wiggles may rise at an end
    with pytest.raises(UnknownNameError, match="stretched"):
        families.log_shapes(np.random.default_rng(5), 3, 12, ("unknown",))


def test_rising_spectra_are_mirror_images_of_falling_ones():
    shapes = families.log_shapes(np.random.default_rng(5), 300, 120, ("rising",))
    thirds = np.exp(shapes).reshape(300, 3, 40).mean(axis=2)
    assert (thirds[:, 0] <= thirds[:, 2]).mean() > 0.93


def test_jumps_are_within_a_few_bins():
    """The largest change between neighbours of a jump is much larger than the usual one."""
    change = np.abs(np.diff(families.log_shapes(np.random.default_rng(5), 300, 200, ("jumps",)), axis=1))
    assert np.median(change.max(axis=1) / np.median(change, axis=1)) > 3.0


def test_a_batch_depends_on_seed_and_number_alone():
    first, again, other = draw(1, 2, size=20, n_bins=50), draw(1, 2, size=20, n_bins=50), draw(1, 3, size=20, n_bins=50)
    assert np.array_equal(first.counts, again.counts)
    assert np.array_equal(first.z, again.z)
    assert not np.array_equal(first.counts, other.counts)


def test_resonances_have_the_strength_that_they_should():
    distribution = SpectrumSettings(("exponentials",), None, (1e4, 1e6), 1.0, (5.0,), 0.0, 0.0, 0.0)
    batch = draw(4, 0, size=4_000, n_bins=60, sigma=2.0, distribution=distribution)
    inside = domain(batch.background, batch.use, 2.0)
    at = batch.z[np.arange(4_000), batch.place][inside[np.arange(4_000), batch.place]]
    assert at.mean() == pytest.approx(5.0, abs=0.08)
    assert at.std() == pytest.approx(1.0, abs=0.05)


def test_the_domain_leaves_out_ends_masks_and_empty_bins():
    background, use = np.full((1, 40), 5.0), np.ones((1, 40))
    background[0, 30:], use[0, 18:20] = 0.001, 0.0
    inside = domain(background, use, 2.0)[0]
    assert np.flatnonzero(inside).tolist() == [*range(6, 14), *range(24, 30)]


# -- features ------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(20, 120), st.floats(0.7, 5.0), st.floats(0.0, 7.0))
def test_features_of_anything_are_finite(seed, n_bins, sigma, decades):
    rng = np.random.default_rng(seed)
    kind = rng.integers(4)
    mean = 10.0**decades * np.ones(n_bins)
    if kind == 1:
        mean = rng.uniform(0, mean)
    elif kind == 2:
        mean[rng.integers(n_bins)] *= 1e3
    elif kind == 3:
        mean *= np.exp(-rng.uniform(5, 30) * np.linspace(0, 1, n_bins))
    counts = rng.poisson(mean).astype(float)[None]
    use = (rng.random((1, n_bins)) > 0.2).astype(float)
    described = describe(counts, np.full(n_bins, sigma), use)
    assert np.isfinite(described.features).all()
    assert np.isfinite(described.smooth).all()
    assert np.isfinite(described.shoulder).all()
    assert (described.smooth > 0).all()


@pytest.mark.parametrize("n_bins", range(1, 20))
def test_few_bins_have_features_too(n_bins):
    """Bins are joined where a signal is wide: what is left may be fewer bins than the backgrounds have terms."""
    counts = np.random.default_rng(n_bins).poisson(1e3, (30, n_bins)).astype(float)
    found = describe(counts, np.full(n_bins, 5.0))
    alone = describe(counts[:1], np.full(n_bins, 5.0))
    assert np.isfinite(found.features).all()
    assert np.isfinite(found.smooth).all()
    assert np.array_equal(found.features[:1], alone.features)


def test_efficient_scores_are_those_of_plain_numpy():
    """The nested fits of one Cholesky factor, beside a projection made anew for every order."""
    x = np.linspace(-1, 1, 80)
    counts = np.random.default_rng(8).poisson(1e5 * np.exp(-0.6 * x)).astype(float)
    found = features(counts[None], np.full(80, 2.0))[0]
    n, ones = counts[None], np.ones((1, 80))
    polynomials = Polynomials(adapted(n, ones, legendre(80, 12), np.array(RIDGE)), np.array(RIDGE), np.array([12]))
    betas = start(n, ones, polynomials)
    fit(n, ones, polynomials, betas, 1e-9, 50)
    (basis,), (log_b,), (b,) = polynomials.basis, *exponential(betas, polynomials.basis)
    # What a fit with 12 terms sees, to first order: its own logarithm and the residuals.
    data = (counts - b) / np.sqrt(b) + np.sqrt(b) * log_b
    bins = np.arange(80)
    for number, order in enumerate(ORDERS):
        white, _ = np.linalg.qr((np.sqrt(b) * basis[:order]).T)
        for k in (20, 40, 60):
            v = np.exp(-0.5 * ((bins - k) / 2.0) ** 2) * (np.abs(bins - k) <= 8) / np.sqrt(b)
            free = v - white @ (white.T @ v)
            assert found[number, k] == pytest.approx(free @ data / np.sqrt(free @ free), abs=0.02)


def test_a_masked_resonance_is_not_seen():
    x = np.arange(100)
    counts = np.random.default_rng(9).poisson(1e4 * np.exp(-x / 30.0)).astype(float)
    loud = counts.copy()
    loud[48:53] += 5e4
    use = np.ones((1, 100))
    use[0, 44:57] = 0.0
    both = [features(values[None], np.full(100, 2.0), use)[0] for values in (counts, loud)]
    assert np.abs(both[0] - both[1]).max() < 1e-3
    assert features(loud[None], np.full(100, 2.0))[0, 1].max() > 30


@pytest.mark.parametrize(("n_bins", "sigma"), [(25, 1.0), (25, 3.3), (40, 2.0), (40, 5.0), (60, 5.0), (100, 3.3)])
def test_the_background_beside_a_candidate_follows_a_smooth_spectrum(n_bins, sigma):
    """Few bins and wide signals: many terms can imitate the candidate, and leave its strength open."""
    rng = np.random.default_rng(1)
    truth = 3e3 * np.exp(-rng.uniform(0.5, 4, (200, 1)) * np.linspace(0, 1, n_bins))
    found = describe(rng.poisson(truth).astype(float), np.full(n_bins, sigma)).smooth
    pulls = np.abs((found - truth) / np.sqrt(truth)).max(axis=1) * np.sqrt(sigma)
    assert np.quantile(pulls, 0.9) < 4.5
    assert np.quantile(pulls, 0.99) < 8.0


def test_a_spectrum_does_not_know_its_neighbours():
    batch = draw(6, 1, size=40, n_bins=70, sigma=1.5)
    together = features(batch.counts, np.full(70, 1.5), batch.use)
    alone = [features(batch.counts[i : i + 1], np.full(70, 1.5), batch.use[i : i + 1])[0] for i in range(40)]
    assert np.array_equal(together, np.array(alone))
    widths = np.full((40, 70), 1.5)
    widths[3] = 3.0
    mixed = features(batch.counts, widths, batch.use)
    assert mixed[0] == pytest.approx(together[0], abs=1e-6)
    assert not np.allclose(mixed[3], together[3])


# -- network -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_bins", [20, 24, 57, 100])
def test_numpy_and_torch_give_the_same(n_bins):
    shape = Settings().shape
    weights = initial_weights(shape, 2)
    x = np.random.default_rng(2).normal(size=(7, len(CHANNELS), n_bins)).astype(np.float32)
    tensors = {name: torch.from_numpy(value) for name, value in weights.items()}
    for plain, fast in zip(apply(weights, x, shape), apply(tensors, torch.from_numpy(x), shape), strict=True):
        assert plain.shape == (7, n_bins)
        assert plain == pytest.approx(fast.numpy(), abs=1e-4)


def test_z_without_a_correction_is_one_of_the_estimates():
    shape = Shape(6, 3, (4, 4))
    weights = initial_weights(shape, 1)
    weights["head"][:] = 0.0
    weights["head.bias"][1] = 50.0
    x = np.random.default_rng(1).normal(size=(2, 6, 30)).astype(np.float32)
    z, _, _, given_one, _ = apply(weights, x, shape)
    assert z == pytest.approx(x[:, 1], abs=1e-5)
    assert given_one == pytest.approx(z)


# -- training ------------------------------------------------------------------------------------------------------


def test_a_lesson_is_made_of_its_settings_and_step():
    first, again = training_batch(SMALL, 4), training_batch(SMALL, 4)
    assert np.array_equal(first.features, again.features)
    assert np.array_equal(first.z, again.z)
    assert first.features.shape[:2] == (8, len(CHANNELS))
    assert not np.array_equal(first.z[:, :24], training_batch(SMALL, 5).z[:, :24])
    assert set(np.unique(first.weight)) <= {0.0, np.float32(0.1), 1.0}


def test_evidence_counts_where_a_resonance_could_be_found():
    """Resonances and spectra without one weigh alike; those outside of the domain do not count."""
    found = [training_batch(Settings(seed=8, batch=96), step) for step in range(6)]
    with_one = sum(float((one.counted * one.found).sum()) for one in found)
    without = sum(float((one.counted * (1.0 - one.found) * one.inside.any(axis=1)).sum()) for one in found)
    assert with_one / without == pytest.approx(1.0, abs=0.4)
    for one in found:
        hit = (one.injected > 0).any(axis=1)
        at = np.where(hit[:, None], one.injected * one.inside, 0.0).max(axis=1)
        assert not one.counted[(one.found > 0) & (at == 0)].any()


def test_the_bayes_factor_of_anywhere_is_the_mean_of_those_of_each_bin():
    evidence, inside = np.log(np.array([[1.0, 2.0, 9.0], [4.0, 4.0, 4.0]])), np.array([[1, 1, 0], [0, 0, 0]], bool)
    assert log_bayes(evidence, inside) == pytest.approx([np.log(1.5), -np.inf])


def test_resonances_are_marked_where_they_are():
    batch = draw(7, 1, size=30, n_bins=40, sigma=2.0)
    marked = resonance(batch, 2.5)
    assert (marked.sum(axis=1) > 0).tolist() == (batch.injected > 2.5).tolist()
    rows = np.flatnonzero(batch.injected > 2.5)
    assert marked[rows, batch.place[rows]].all()


@pytest.mark.usefixtures("at_once")
def test_a_training_that_was_cut_off_goes_on(tmp_path):
    quiet = {"report": lambda _: None, "every": 3}
    whole = train(SMALL, tmp_path / "whole", **quiet)
    # Cut off behind its first checkpoint: the schedule is that of the whole training.
    first = tmp_path / "cut"
    seen = []

    def stop(line):
        seen.append(line)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(SMALL, first, report=stop, every=3)
    resumed = train(SMALL, first, **quiet)
    assert len(seen) == 1
    for name, value in whole.items():
        assert resumed[name] == pytest.approx(value, abs=1e-6), name


@pytest.mark.usefixtures("at_once")
def test_a_folder_of_another_training_is_refused(tmp_path):
    train(SMALL, tmp_path, report=lambda _: None)
    with pytest.raises(InputError, match="other settings"):
        train(dataclasses.replace(SMALL, rate=1e-3), tmp_path, report=lambda _: None)


def test_learning_finds_the_least_squares():
    from coffea_ddp.stats.bumphunt.training.optimizer import Learner, OptimizerSettings

    rng = np.random.default_rng(2)
    inputs, answer = rng.normal(size=(200, 6)), rng.normal(size=(6, 3))
    learner = Learner(
        {"layer": np.zeros((1, 6, 3), np.float32), "layer.bias": np.ones(3, np.float32)},
        OptimizerSettings(0.9, 0.0, 0.0),
        "cpu",
    )
    given_x, wanted = torch.tensor(inputs, dtype=torch.float32), torch.tensor(inputs @ answer, dtype=torch.float32)
    for step in range(400):
        found = given_x @ learner.weights["layer"][0] + learner.weights["layer.bias"]
        learner.improve(((found - wanted) ** 2).mean(), 0.1 * (1.0 - step / 400.0))
    assert learner.averaged["layer"][0] == pytest.approx(answer, abs=0.02)
    assert learner.averaged["layer.bias"] == pytest.approx(0.0, abs=0.02)


def test_lessons_come_in_order_from_any_number_of_processes():
    wanted = [training_batch(SMALL, step).z for step in range(6)]
    found = [one.z for one in training_batches(SMALL, 0, 2)]
    assert all(np.array_equal(a, b) for a, b in zip(wanted, found, strict=True))


def test_the_rate_rises_and_falls():
    some = Settings(steps=100)
    rates = [rate_at(some, step) for step in range(100)]
    assert max(rates) == pytest.approx(some.rate, rel=1e-3)
    assert rates[0] < rates[4] > rates[50] > rates[99]


# -- finder --------------------------------------------------------------------------------------------------------


def test_making_saving_loading(tmp_path):
    made = make_finder(SMALL, tmp_path / "folder", calibration=2, report=lambda _: None)
    path = made.save(tmp_path / "made.npz")
    again = load(path)
    counts = draw(1, 1, size=3, n_bins=44, sigma=2.0).counts
    for one, other in zip(
        *(dataclasses.astuple(f.evaluate(counts, np.full(44, 2.0))) for f in (made, again)), strict=True
    ):
        assert np.array_equal(one, other)
    assert again.about["settings"]["seed"] == 3
    assert again.about["calibrated on"] > 0
    assert set(again.about["measured"]) == {"rmse", "cover", "power5"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"settings": dataclasses.replace(SMALL, steps=0)}, "steps=0"),
        ({"settings": SMALL, "workers": 0}, "workers=0"),
        ({"settings": SMALL, "device": "cuda"}, "sees no GPU"),
    ],
    ids=["steps", "workers", "device"],
)
def test_what_cannot_be_trained(options, message, tmp_path):
    if options.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(InputError, match=message):
        make_finder(folder=tmp_path, **options)


def test_files_that_are_no_finder(tmp_path):
    with pytest.raises(FileError, match="cannot be read"):
        load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no")
    np.savez(tmp_path / "other.npz", x=np.ones(3))
    pickled = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "pickle.npz", about=pickled)
    for name in ("text.npz", "other.npz", "pickle.npz"):
        with pytest.raises(FormatError, match=name):
            load(tmp_path / name)
    made = shipped()
    weights = {name: value for name, value in made.weights.items() if name != "head"}
    dataclasses.replace(made, weights=weights).save(tmp_path / "short.npz")
    with pytest.raises(FormatError, match="layer 'head'"):
        load(tmp_path / "short.npz")
    dataclasses.replace(made, shape=dataclasses.replace(made.shape, inputs=5)).save(tmp_path / "old.npz")
    with pytest.raises(FormatError, match="5 features"):
        load(tmp_path / "old.npz")


def test_the_shipped_weights_are_small_and_whole():
    made = shipped()
    assert sum(value.nbytes for value in made.weights.values()) < 2e6
    assert {name for name in made.weights if not name.endswith(".bias")} == set(layers(made.shape))
    assert made.about["trained on"] == list(families.TRAINING)


def test_calibrated_tails_are_met_by_what_made_them():
    rng = np.random.default_rng(11)
    score, room = rng.normal(size=40_000), rng.uniform(5.0, 150.0, 40_000)
    table = calibrate(score, room)
    p = table.p_value(score, room)
    for nominal in (0.3, 0.05, 0.01):
        assert np.mean(p < nominal) == pytest.approx(nominal, rel=0.12)
    further = table.p_value(np.array([5.0, 9.0, -np.inf]), np.array([20.0, 20.0, 20.0]))
    assert 0 < further[1] < further[0] < 5e-4
    assert further[2] == 1.0


def test_beyond_the_table_significance_goes_on_in_a_straight_line():
    """Of Gaussian scores the straight line is the truth."""
    tails = np.array([0.5, 0.1, 0.01, 0.001])
    table = Calibration(np.array([10.0]), tails, stats.norm.isf(tails)[None])
    score = np.array([3.5, 5.0, 8.0])
    assert table.p_value(score, np.full(3, 10.0)) == pytest.approx(stats.norm.sf(score), rel=1e-6)


def test_a_correction_is_found_that_takes_a_known_bias_away():
    """Of the shipped network: without it, the largest z of strong resonances is too small."""
    sets = [measured_set(5, number, size=300, strongest=STRENGTHS, signal=1.0) for number in range(3)]
    made = shipped()

    def largest(one, correction):
        z, log_error, odds, given_one, _ = apply(made.weights, one.features, made.shape)
        peak = correction.peak(z, np.exp(log_error), given_one, odds)
        at, ideal = (np.where(one.inside, what, -np.inf).max(axis=1) for what in (peak, one.batch.z))
        return np.array([(at - ideal)[one.batch.injected == some].mean() for some in STRENGTHS])

    none, some = Correction(shift=-50.0), correct(made.weights, made.shape, sets)
    away = {name: np.mean([largest(one, c) for one in sets], axis=0) for name, c in (("none", none), ("some", some))}
    assert np.abs(away["some"]).max() < 0.5 * np.abs(away["none"]).max()


def test_null_scores_have_a_value_for_every_smooth_spectrum_with_a_domain():
    made = shipped()
    score, room = null_scores(made, 12, 2)
    assert 400 > len(score) == len(room) > 250
    assert np.isfinite(score).all()
    assert (room > 0).all()
    uncalibrated = BumpFinder(made.shape, made.weights, Calibration(np.ones(2), np.ones(2), np.ones((2, 2))), {})
    assert np.array_equal(null_scores(uncalibrated, 12, 2)[0], score)
    assert N_SCORES == 15
