"""Families of smooth spectra that do not fall throughout, and of those with an edge, that the network is trained on.

Spectra rise (mirrored ones, flat ones), rise and fall (turn-ons of triggers and of cuts), have a component that ends
(kinematic edges), end themselves, or jump (thresholds of triggers and of corrections).

Examples
--------
>>> x = (np.arange(50) + 0.5) / 50
>>> shape = whole_turn_ons(np.random.default_rng(1), x, 3)
>>> bool((shape[:, 0] < shape.max(axis=1)).all())
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erf, log_expit, log_ndtr

from coffea_ddp.stats.bumphunt.training.draws import each, log_each, one_of, process
from coffea_ddp.stats.bumphunt.training.falling_shapes import (
    dijet,
    exponentials,
    gaussian_tails,
    knees,
    polynomials,
    powers,
    slopes,
    steps,
    turn_ons,
    wiggles,
)

if TYPE_CHECKING:
    from numpy.random import Generator

    from coffea_ddp._typing import FloatArray

_SIMPLE = (exponentials, powers, slopes)


def rising(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw the mirror images of falling spectra."""
    families = (exponentials, powers, dijet, knees, slopes, polynomials, gaussian_tails, turn_ons, steps, wiggles)
    return one_of(rng, x, size, families)[:, ::-1].copy()


def flat(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw spectra that hardly change: the narrow window around a resonance that somebody cuts out."""
    slope = each(rng, -1.0, 1.0, size) * x + each(rng, -0.5, 0.5, size) * x**2
    waves = process(rng, x, size, log_each(rng, 0.3, 1.5, size)) * log_each(rng, 0.003, 0.2, size)
    return np.asarray(slope + np.where(rng.random((size, 1)) < 0.5, waves, 0.0))


def whole_turn_ons(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw a turn-on with all of its rise (error function, logistic, or a power of ``1 - exp``) times a falling one."""
    width, place = log_each(rng, 0.01, 0.2, size), each(rng, 0.02, 0.5, size)
    t = (x - place) / width
    cut_off = 1.0 - np.exp(-np.maximum(x - each(rng, -0.05, 0.1, size), 1e-9) / log_each(rng, 0.02, 0.4, size))
    power = log_each(rng, 0.5, 6.0, size) * np.log(np.maximum(cut_off, 1e-12))
    which = rng.integers(3, size=(size, 1))
    rise = np.where(which == 0, log_ndtr(t), np.where(which == 1, log_expit(2.0 * t), power))
    # What leaks through below: a few events, or none.
    leak = np.log(log_each(rng, 1e-7, 1e-2, size))
    return np.asarray(np.logaddexp(np.maximum(rise, -25.0), leak) + one_of(rng, x, size, _SIMPLE))


def kinematic_edges(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw a component that rises as a power up to a smeared end point, on a smooth spectrum."""
    end, width = each(rng, 0.1, 0.95, size), log_each(rng, 0.01, 0.15, size)
    component = log_each(rng, 0.3, 3.0, size) * np.log(np.maximum(x / end, 1e-6)) + log_ndtr((end - x) / width)
    below = one_of(rng, x, size, _SIMPLE)
    at_end = np.take_along_axis(below, (end * len(x)).astype(np.int64), axis=1)
    return np.asarray(
        np.logaddexp(below, np.maximum(component, -25.0) + at_end + np.log(log_each(rng, 0.03, 4.0, size)))
    )


def end_points(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw spectra that end at a smeared end point, as a power of the distance from it, but for a small tail."""
    end, width = each(rng, 0.4, 1.2, size), log_each(rng, 0.01, 0.1, size)
    # softplus: the distance from the end, smeared.
    distance = width * np.logaddexp(0.0, (end - x) / width)
    fall = log_each(rng, 0.3, 4.0, size) * np.log(distance)
    tail = np.log(log_each(rng, 1e-6, 1e-2, size)) - each(rng, 0.0, 4.0, size) * x
    shape = np.maximum(fall - fall.max(axis=1, keepdims=True), -25.0) + one_of(rng, x, size, (flat, flat, exponentials))
    return np.asarray(np.logaddexp(shape, tail + shape.max(axis=1, keepdims=True)))


def jumps(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw spectra that jump, up or down, by 1 % to a factor 3, within two bins: the threshold of a trigger."""
    width = each(rng, 0.1, 2.0, size) / len(x)
    up = erf((x - each(rng, 0.03, 0.97, size)) / width)
    sign = np.where(rng.random((size, 1)) < 0.5, 0.5, -0.5)
    return np.asarray(sign * log_each(rng, 0.01, 1.1, size) * up + one_of(rng, x, size, (*_SIMPLE, flat, turn_ons)))


def second_turn_ons(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw spectra in which another trigger turns on: more events from a place on, over a short range."""
    width, place = log_each(rng, 0.01, 0.15, size), each(rng, 0.05, 0.9, size)
    more = log_each(rng, 0.05, 3.0, size) * np.exp(log_ndtr((x - place) / width))
    return np.asarray(np.log1p(more) + one_of(rng, x, size, _SIMPLE))
