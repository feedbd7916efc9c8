"""Random numbers and random functions that families of spectra are made of, one a spectrum.

Examples
--------
>>> rng = np.random.default_rng(1)
>>> each(rng, 0.0, 1.0, 3).shape, process(rng, np.linspace(0.0, 1.0, 20), 3, 0.3).shape
((3, 1), (3, 20))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator

    from coffea_ddp._typing import FloatArray

Family = Callable[["Generator", "FloatArray", int], "FloatArray"]
"""Takes a generator, the places x, shape (n_bins,), and the number of shapes; returns logarithms, (size, n_bins)."""


def each(rng: Generator, low: float, high: float, size: int) -> FloatArray:
    """Return a number for every spectrum, drawn evenly; shape (size, 1)."""
    return rng.uniform(low, high, (size, 1))


def log_each(rng: Generator, low: float, high: float, size: int) -> FloatArray:
    """Return a number for every spectrum, drawn evenly in its logarithm; shape (size, 1)."""
    return np.asarray(np.exp(rng.uniform(np.log(low), np.log(high), (size, 1))))


def fall_by(rng: Generator, log_shape: FloatArray, low: float = 0.0, high: float = 12.0) -> FloatArray:
    """Scale a logarithm so that the spectrum falls by a chosen factor from its largest bin to its smallest."""
    span = np.ptp(log_shape, axis=1, keepdims=True)
    wanted = each(rng, low, high, len(log_shape))
    return np.asarray(log_shape * (wanted / np.maximum(span, 1e-9)))


def masses(rng: Generator, x: FloatArray, size: int) -> tuple[FloatArray, FloatArray]:
    """Return m and dm/dx: equal bins, or bins that grow with the mass as resolution does."""
    reach = log_each(rng, 1.5, 30.0, size)
    equal = rng.random((size, 1)) < 0.5
    linear, growing = 1.0 + (reach - 1.0) * x, reach**x
    return np.where(equal, linear, growing), np.where(equal, 1.0, growing)


def one_of(rng: Generator, x: FloatArray, size: int, families: Sequence[Family]) -> FloatArray:
    """Return a shape of one of the families for every spectrum, shape (size, n_bins)."""
    which = rng.integers(len(families), size=size)
    out = np.empty((size, len(x)))
    for number, family in enumerate(families):
        rows = np.flatnonzero(which == number)
        out[rows] = family(rng, x, len(rows))
    return out


def process(rng: Generator, x: FloatArray, size: int, length: FloatArray, waves: int = 12) -> FloatArray:
    """Return Gaussian processes of unit variance with a Gaussian kernel, by random Fourier features."""
    total = np.zeros((size, len(x)))
    for _ in range(waves):
        total += np.cos(rng.standard_normal((size, 1)) / length * x + each(rng, 0.0, 2.0 * np.pi, size))
    return np.asarray(total * np.sqrt(2.0 / waves))


def bent_down(log_shape: FloatArray) -> FloatArray:
    """Bend rising parts down: the slope s becomes -log(1 + exp(-s)), made sharp by the number of bins."""
    slope = np.diff(log_shape, axis=1) * log_shape.shape[1]
    bent = -np.logaddexp(0.0, -4.0 * slope) / 4.0
    return np.concatenate([log_shape[:, :1], log_shape[:, :1] + np.cumsum(bent, axis=1) / log_shape.shape[1]], axis=1)
