"""Families of falling spectra that the network is trained on.

Examples
--------
>>> x = (np.arange(50) + 0.5) / 50
>>> bool((np.diff(exponentials(np.random.default_rng(1), x, 3)) < 0).all())
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erf

from coffea_ddp.stats.bumphunt.training.draws import bent_down, each, fall_by, log_each, masses, one_of, process

if TYPE_CHECKING:
    from numpy.random import Generator

    from coffea_ddp._typing import FloatArray


def exponentials(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw a sum of one to three exponentials."""
    total = -each(rng, 0.5, 10.0, size) * x
    for _ in range(2):
        more = np.log(log_each(rng, 1e-5, 1.0, size)) - each(rng, 0.0, 4.0, size) * x
        total = np.where(rng.random((size, 1)) < 0.6, np.logaddexp(total, more), total)
    return total


def powers(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw power laws of a shifted mass, or the sum of two."""
    m, width = masses(rng, x, size)
    one = -each(rng, 1.5, 8.0, size) * np.log(m + log_each(rng, 0.01, 2.0, size))
    two = np.log(log_each(rng, 1e-3, 1.0, size)) - each(rng, 1.0, 4.0, size) * np.log(m)
    return np.where(rng.random((size, 1)) < 0.5, one, np.logaddexp(one, two)) + np.log(width)


def dijet(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw ``(1 - u)^p1 u^-(p2 + p3 ln u + p4 ln^2 u)``, with three to five parameters."""
    m, width = masses(rng, x, size)
    u = m / m.max(axis=1, keepdims=True) * each(rng, 0.2, 0.95, size)
    log_u = np.log(u)
    p3 = each(rng, -0.4, 0.5, size) * (rng.random((size, 1)) < 0.7)
    p4 = each(rng, -0.05, 0.05, size) * (rng.random((size, 1)) < 0.4)
    power = each(rng, 3.0, 8.0, size) + p3 * log_u + p4 * log_u**2
    log_shape = each(rng, 0.0, 12.0, size) * np.log1p(-u) - power * log_u + np.log(width)
    return bent_down(np.clip(log_shape - log_shape[:, :1], -25.0, 5.0))


def turn_ons(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw the end of a turn-on (error function) times a falling spectrum."""
    width = log_each(rng, 0.03, 0.5, size)
    place = each(rng, -1.5, 0.5, size) * width
    rise = np.log(np.maximum(0.5 * (1.0 + erf((x - place) / width)), 1e-3))
    return np.asarray(rise + one_of(rng, x, size, (exponentials, powers, slopes)))


def knees(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw slopes that change, once or twice, over a short or a long range (the integral of an error function)."""
    total = -each(rng, 0.3, 8.0, size) * x
    for _ in range(2):
        width, place = log_each(rng, 0.02, 0.3, size), each(rng, 0.0, 1.0, size)
        t = (x - place) / width
        bend = width * (0.5 * t * (1.0 + erf(t)) + 0.5 * np.exp(-(t**2)) / np.sqrt(np.pi))
        here = rng.random((size, 1)) < 0.6
        total = total + here * each(rng, -6.0, 6.0, size) * bend
    return bent_down(total)


def slopes(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw slopes that are exponentials of a Gaussian process: any falling shape, smooth over a random length."""
    wave = process(rng, x, size, log_each(rng, 0.12, 1.5, size)) * log_each(rng, 0.1, 1.3, size)
    log_shape = -np.cumsum(np.exp(wave), axis=1) / len(x)
    return fall_by(rng, log_shape)


def wiggles(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw a falling line with a Gaussian process on top: neither analytic nor strictly falling."""
    wave = process(rng, x, size, log_each(rng, 0.15, 0.8, size)) * log_each(rng, 0.02, 0.6, size)
    return fall_by(rng, -x * np.ones((size, 1))) + wave


def polynomials(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw falling Bernstein polynomials of random degree, of the logarithm."""
    degree = 7
    steps = -rng.gamma(log_each(rng, 0.3, 5.0, size), 1.0, (size, degree))
    heights = np.concatenate([np.zeros((size, 1)), np.cumsum(steps, axis=1)], axis=1)
    k = np.arange(degree + 1)
    binomials = np.cumprod(np.concatenate([[1.0], (degree - k[:-1]) / (k[:-1] + 1.0)]))
    bernstein = binomials[:, None] * x ** k[:, None] * (1.0 - x) ** (degree - k[:, None])
    return fall_by(rng, heights @ bernstein)


def gaussian_tails(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw the falling side of a Gaussian or of a log-normal, on a pedestal or not."""
    symmetric = -0.5 * ((x + each(rng, 0.0, 1.0, size)) / log_each(rng, 0.15, 0.8, size)) ** 2
    m, width = masses(rng, x, size)
    log_normal = -0.5 * (np.log(m + 0.2) / log_each(rng, 0.2, 1.5, size)) ** 2 - np.log(m) + np.log(width)
    shape = np.where(rng.random((size, 1)) < 0.5, symmetric, log_normal)
    shape = np.maximum(shape - shape.max(axis=1, keepdims=True), -25.0)
    pedestal = np.log(log_each(rng, 1e-6, 0.1, size)) - each(rng, 0.0, 3.0, size) * x
    return np.asarray(np.logaddexp(shape, pedestal))


def steps(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw shoulders: a part of the spectrum ends (error function or algebraic), steeply or not."""
    width, place = log_each(rng, 0.02, 0.3, size), each(rng, 0.05, 0.95, size)
    t = (x - place) / width
    end = np.where(rng.random((size, 1)) < 0.5, 0.5 * (1.0 - erf(t)), 0.5 * (1.0 - t / np.sqrt(1.0 + t**2)))
    height = log_each(rng, 0.05, 4.0, size)
    return np.log1p(height * end) + one_of(rng, x, size, (exponentials, powers, slopes))


def mixtures(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw the sum of two of the other families."""
    parts = [one_of(rng, x, size, (exponentials, powers, dijet, slopes, gaussian_tails)) for _ in range(2)]
    first, second = (part - part.max(axis=1, keepdims=True) for part in parts)
    return np.asarray(np.logaddexp(first, second + np.log(log_each(rng, 1e-4, 1.0, size))))
