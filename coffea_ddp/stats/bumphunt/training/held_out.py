"""Families of spectra that the network is never trained on: some decide between models, others judge.

Examples
--------
>>> x = (np.arange(50) + 0.5) / 50
>>> stretched(np.random.default_rng(1), x, 3).shape
(3, 50)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.stats.bumphunt.training.draws import each, log_each

if TYPE_CHECKING:
    from numpy.random import Generator

    from coffea_ddp._typing import FloatArray


# -- validation: they decide between models ------------------------------------------------------------------------


def lorentz_tails(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw ``(1 + (x/a)^2)^-p``."""
    shape = np.log1p(((x + each(rng, 0.0, 0.3, size)) / log_each(rng, 0.1, 1.0, size)) ** 2)
    return -each(rng, 0.7, 6.0, size) * shape


def secants(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw ``1/cosh((x - x0)/a)`` with a pedestal."""
    t = (x + each(rng, -0.05, 0.3, size)) / log_each(rng, 0.08, 0.6, size)
    shape = -np.logaddexp(t, -t) + np.log(2.0)
    return np.asarray(np.logaddexp(shape, np.log(log_each(rng, 1e-6, 0.05, size))))


def arctangents(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw a shoulder of the form of an arc tangent on an exponential."""
    t = (x - each(rng, 0.15, 0.85, size)) / log_each(rng, 0.02, 0.1, size)
    return np.log1p(log_each(rng, 0.2, 3.0, size) * (0.5 - np.arctan(t) / np.pi)) - each(rng, 1.0, 8.0, size) * x


def thermal(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw ``y^3 / (exp(y) - 1)`` beyond its maximum."""
    y = each(rng, 2.9, 5.0, size) + log_each(rng, 2.0, 12.0, size) * x
    return 3.0 * np.log(y) - y - np.log1p(-np.exp(-y))


def whole_thermal(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw ``y^a / (exp(y) - 1)`` from before its maximum on."""
    y = each(rng, 0.05, 1.0, size) + log_each(rng, 4.0, 15.0, size) * x
    return np.asarray(each(rng, 1.5, 5.0, size) * np.log(y) - y - np.log1p(-np.exp(-y)))


def thresholds(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw a power law with a step of 3 to 50 % within one bin, up or down."""
    t = (x - each(rng, 0.1, 0.9, size)) * len(x) / each(rng, 0.1, 0.5, size)
    step = np.where(rng.random((size, 1)) < 0.5, 1.0, -1.0) * log_each(rng, 0.03, 0.5, size)
    return np.log1p(step / (1.0 + np.exp(-np.clip(t, -60.0, 60.0)))) - each(rng, 1.0, 8.0, size) * np.log(1.0 + x)


# -- final: they judge, and decide nothing ----------------------------------------------------------------------------


def stretched(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw a stretched exponential ``exp(-(x/a)^p)``."""
    return -each(rng, 1.0, 10.0, size) * (x + 0.02) ** log_each(rng, 0.4, 2.0, size)


def ua2(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw the form of UA2, ``m^-a exp(-b m - c m^2)``."""
    m = 1.0 + (log_each(rng, 2.0, 15.0, size) - 1.0) * x
    top = m.max(axis=1, keepdims=True)
    a, b, c = each(rng, 0.5, 5.0, size), each(rng, 0.0, 5.0, size), each(rng, 0.0, 4.0, size)
    return np.asarray(-a * np.log(m) - b * m / top - c * (m / top) ** 2)


def gammas(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw a gamma distribution ``y^a exp(-y)`` from its maximum on."""
    a = each(rng, 0.3, 4.0, size)
    y = a * each(rng, 1.0, 1.5, size) + log_each(rng, 2.0, 12.0, size) * x
    return a * np.log(y) - y


def shoulders(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw the hard ones: an exponential of which a large part ends in a logistic."""
    t = (x - each(rng, 0.15, 0.85, size)) / log_each(rng, 0.03, 0.12, size)
    return np.log1p(log_each(rng, 0.3, 3.0, size) / (1.0 + np.exp(np.minimum(t, 60.0)))) - each(rng, 1.0, 8.0, size) * x
