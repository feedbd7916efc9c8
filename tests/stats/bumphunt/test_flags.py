"""Flags of shapes that are not smooth: steps and edges are named, what is smooth is not, and words say what to do."""

from __future__ import annotations

import numpy as np
import pytest

from coffea_ddp import stats
from coffea_ddp.stats.bumphunt.flags import FLAGS, explained, without_bumps

X = np.arange(100.0)
FALLING = np.exp(-X / 40.0)
SHAPES = {"STEP", "EDGE", "NOT_SMOOTH"}


def share(shape, events, seed=1, spectra=60):
    """Return which share of spectra carries one of the flags, and which share p <= 0.05 without any."""
    counts = np.random.default_rng(seed).poisson(shape / shape.sum() * events, (spectra, 100))
    found = stats.bump_significance(counts, width=2.0, toys=0)
    flagged = np.array([bool(SHAPES & set(flags)) for flags in found.flags])
    return flagged.mean(), np.mean((found.p_global <= 0.05) & ~flagged)


@pytest.mark.parametrize("height", [0.05, -0.05, 0.1, 0.25, 0.6])
def test_steps_of_triggers_carry_a_flag(height):
    flagged, unnoticed = share(FALLING * (1.0 + height * (X > 40)), 2e6)
    assert flagged > 0.75
    assert unnoticed <= 0.1


def test_the_end_of_a_component_carries_a_flag():
    flagged, unnoticed = share(FALLING + np.where(X < 60, 0.5, 0.0), 1e5)
    assert flagged > 0.9
    assert unnoticed <= 0.05


@pytest.mark.parametrize("events", [1e3, 1e5, 1e6])
def test_smooth_spectra_carry_none(events):
    flagged, _ = share(FALLING, events)
    assert flagged <= 0.05


def test_a_step_of_five_percent_in_few_events_is_no_bump():
    """It cannot be seen well enough for a flag; without steps in training, .233 had p <= .05."""
    _, unnoticed = share(FALLING * (1.0 + 0.05 * (X > 40)), 1e5, spectra=200)
    assert unnoticed <= 0.2


def test_every_flag_is_explained():
    assert all(what and cure for what, cure in FLAGS.values())
    text = explained("STEP LATER")
    assert text.startswith("STEP: the spectrum jumps at one place")
    assert text.endswith("LATER")
    assert explained("") == ""


def test_flags_of_shapes_are_those_of_what_is_left():
    assert without_bumps(("MANY_EVENTS", "STEP"), ("NOT_SMOOTH",)) == ("MANY_EVENTS", "NOT_SMOOTH")
