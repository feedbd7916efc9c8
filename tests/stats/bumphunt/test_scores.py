"""Scores of many spectra: their level in smooth spectra, what it finds, and that it is the score of the features."""

from __future__ import annotations

import numpy as np
import pytest

from coffea_ddp import stats
from coffea_ddp.errors import InputError
from coffea_ddp.stats.bumphunt.features import CHANNELS, ORDERS, features
from coffea_ddp.stats.bumphunt.training.sampling import SpectrumSettings, draw


def spectra(names, size, n_bins, sigma, signal=0.0, strongest=(0.0,), events=(1e2, 1e6)):
    settings = SpectrumSettings(names, None, events, signal, strongest, 0.0, 0.0, 0.0)
    return draw(7, 3, size=size, n_bins=n_bins, sigma=sigma, distribution=settings)


@pytest.mark.parametrize(("n_bins", "sigma"), [(40, 1.0), (100, 2.0), (200, 1.5), (60, 3.0)])
@pytest.mark.parametrize("name", ["exponentials", "powers"])
def test_p_of_smooth_spectra_is_a_bound(name, n_bins, sigma):
    """1,000 spectra: 0.05 is met within 2.5 standard deviations (0.017), and p is not useless either."""
    found = stats.bump_scores(spectra((name,), 1_000, n_bins, sigma).counts, width=sigma)
    assert 0.005 < (found.p_global <= 0.05).mean() < 0.05 + 0.017
    assert (found.p_global >= found.p_local).all()


def test_resonances_are_found_where_they_are():
    batch = spectra(("exponentials",), 300, 100, 2.0, signal=1.0, strongest=(8.0,), events=(1e4, 1e6))
    found = stats.bump_scores(batch.counts, width=2.0)
    inside = found.inside[np.arange(300), batch.place]
    assert (found.p_global < 0.01)[inside].mean() > 0.8
    assert (np.abs(found.position - 0.5 - batch.place) < 3.0)[inside].mean() > 0.9


def test_it_is_one_of_the_scores_that_the_network_is_given():
    batch = spectra(("powers",), 50, 80, 1.5)
    found = stats.bump_scores(batch.counts.reshape(5, 10, 80), width=1.5)
    given = features(batch.counts, np.full(80, 1.5))
    order = np.rint(given[:, CHANNELS.index("best order"), 0] / 0.3 + 5.0).astype(int)
    row = np.array([ORDERS.index(one) for one in order])
    assert found.z.shape == (5, 10, 80)
    assert np.allclose(found.z.reshape(50, 80), given[np.arange(50), row], atol=1e-5)


def test_nothing_inside_is_said():
    found = stats.bump_scores(np.full(25, 100), width=5.0)
    assert not found.inside.any()
    assert found.z_max == -np.inf
    assert found.p_global == 1.0
    assert np.isnan(found.position)
    with pytest.raises(InputError, match="width is missing"):
        stats.bump_scores(np.full(25, 100))
    with pytest.raises(InputError, match="join bins"):
        stats.bump_scores(np.full(60, 100), width=6.0)
