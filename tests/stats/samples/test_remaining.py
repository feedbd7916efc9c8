"""Long work tells the time that is left, once, and never where somebody listens."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from coffea_ddp import stats
from coffea_ddp.stats.log_ratio import reference
from coffea_ddp.stats.samples import remaining

X = np.random.default_rng(1).normal(size=(2, 40))
LONG_WORK = {
    "nplm": lambda **options: stats.nplm(*X, **options),
    "nplm_counts": lambda **options: stats.nplm_counts(np.arange(40), np.full(40, 2), np.full(40, 3), **options),
    "nplm_reference": lambda **options: stats.nplm_reference(*X, backend="bins", **options),
    "classifier_test": lambda **options: stats.classifier_test(*X, **options),
}


@pytest.mark.parametrize("name", LONG_WORK)
def test_one_warning_or_the_progress(name, monkeypatch):
    monkeypatch.setattr(remaining, "LONG", -1.0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        LONG_WORK[name](toys=200)
    assert [str(one.message).startswith("about") for one in told] == [True]
    done = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LONG_WORK[name](toys=200, progress=lambda some, of: done.append((some, of)))
    assert done[-1] == (200, 200)
    assert done == sorted(done)


def test_short_work_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        remaining.Remaining(10, None).done(1)


def test_a_reference_has_permutations_that_end():
    """As many as the number of events allows, on any machine."""
    for n, expected in ((40, 100), (6_000, reference.REFITTED // 12_000), (10_000, reference.FEWEST_TOYS)):
        x = np.random.default_rng(n).normal(size=(2, n))
        assert stats.nplm_reference(*x, backend="bins").permutation.n == expected
