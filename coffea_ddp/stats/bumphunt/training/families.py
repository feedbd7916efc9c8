"""Families of smoothly falling spectra: what the network is trained on, what chooses between models, what judges them.

Each family draws the logarithm of shapes over the unit interval. Three sets never mix: :data:`TRAINING` alone is
trained on, :data:`VALIDATION` alone decides between models, :data:`FINAL` is for the tables in the documentation.

Examples
--------
>>> rng = np.random.default_rng(1)
>>> shapes = log_shapes(rng, 3, 50, ("exponentials",))
>>> shapes.shape, bool((np.diff(shapes) < 0).all())
((3, 50), True)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erf

from coffea_ddp.errors import UnknownNameError

if TYPE_CHECKING:
    from numpy.random import Generator

    from coffea_ddp._typing import FloatArray

Family = Callable[["Generator", "FloatArray", int], "FloatArray"]
"""Takes a generator, the places x, shape (n_bins,), and the number of shapes; returns logarithms, (size, n_bins)."""


def _each(rng: Generator, low: float, high: float, size: int) -> FloatArray:
    return rng.uniform(low, high, (size, 1))


def _log_each(rng: Generator, low: float, high: float, size: int) -> FloatArray:
    return np.asarray(np.exp(rng.uniform(np.log(low), np.log(high), (size, 1))))


def _fall_by(rng: Generator, log_shape: FloatArray, low: float = 0.0, high: float = 12.0) -> FloatArray:
    """Scale a logarithm so that the spectrum falls by a chosen factor from its largest bin to its smallest."""
    span = np.ptp(log_shape, axis=1, keepdims=True)
    wanted = _each(rng, low, high, len(log_shape))
    return np.asarray(log_shape * (wanted / np.maximum(span, 1e-9)))


def _masses(rng: Generator, x: FloatArray, size: int) -> tuple[FloatArray, FloatArray]:
    """Return m and dm/dx: equal bins, or bins that grow with the mass as resolution does."""
    reach = _log_each(rng, 1.5, 30.0, size)
    equal = rng.random((size, 1)) < 0.5
    linear, growing = 1.0 + (reach - 1.0) * x, reach**x
    return np.where(equal, linear, growing), np.where(equal, 1.0, growing)


def exponentials(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw a sum of one to three exponentials."""
    total = -_each(rng, 0.5, 10.0, size) * x
    for _ in range(2):
        more = np.log(_log_each(rng, 1e-5, 1.0, size)) - _each(rng, 0.0, 4.0, size) * x
        total = np.where(rng.random((size, 1)) < 0.6, np.logaddexp(total, more), total)
    return total


def powers(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw power laws of a shifted mass, or the sum of two."""
    m, width = _masses(rng, x, size)
    one = -_each(rng, 1.5, 8.0, size) * np.log(m + _log_each(rng, 0.01, 2.0, size))
    two = np.log(_log_each(rng, 1e-3, 1.0, size)) - _each(rng, 1.0, 4.0, size) * np.log(m)
    return np.where(rng.random((size, 1)) < 0.5, one, np.logaddexp(one, two)) + np.log(width)


def dijet(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw ``(1 - u)^p1 u^-(p2 + p3 ln u + p4 ln^2 u)``, with three to five parameters."""
    m, width = _masses(rng, x, size)
    u = m / m.max(axis=1, keepdims=True) * _each(rng, 0.2, 0.95, size)
    log_u = np.log(u)
    p3 = _each(rng, -0.4, 0.5, size) * (rng.random((size, 1)) < 0.7)
    p4 = _each(rng, -0.05, 0.05, size) * (rng.random((size, 1)) < 0.4)
    power = _each(rng, 3.0, 8.0, size) + p3 * log_u + p4 * log_u**2
    log_shape = _each(rng, 0.0, 12.0, size) * np.log1p(-u) - power * log_u + np.log(width)
    return _falling(np.clip(log_shape - log_shape[:, :1], -25.0, 5.0))


def turn_ons(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw the end of a turn-on (error function) times a falling spectrum."""
    width = _log_each(rng, 0.03, 0.5, size)
    place = _each(rng, -1.5, 0.5, size) * width
    rise = np.log(np.maximum(0.5 * (1.0 + erf((x - place) / width)), 1e-3))
    return np.asarray(rise + _one_of(rng, x, size, (exponentials, powers, slopes)))


def knees(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw slopes that change, once or twice, over a short or a long range (the integral of an error function)."""
    total = -_each(rng, 0.3, 8.0, size) * x
    for _ in range(2):
        width, place = _log_each(rng, 0.02, 0.3, size), _each(rng, 0.0, 1.0, size)
        t = (x - place) / width
        bend = width * (0.5 * t * (1.0 + erf(t)) + 0.5 * np.exp(-(t**2)) / np.sqrt(np.pi))
        here = rng.random((size, 1)) < 0.6
        total = total + here * _each(rng, -6.0, 6.0, size) * bend
    return _falling(total)


def slopes(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw slopes that are exponentials of a Gaussian process: any falling shape, smooth over a random length."""
    process = _process(rng, x, size, _log_each(rng, 0.12, 1.5, size)) * _log_each(rng, 0.1, 1.3, size)
    log_shape = -np.cumsum(np.exp(process), axis=1) / len(x)
    return _fall_by(rng, log_shape)


def wiggles(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw a falling line with a Gaussian process on top: neither analytic nor strictly falling."""
    process = _process(rng, x, size, _log_each(rng, 0.15, 0.8, size)) * _log_each(rng, 0.02, 0.6, size)
    return _fall_by(rng, -x * np.ones((size, 1))) + process


def polynomials(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw falling Bernstein polynomials of random degree, of the logarithm."""
    degree = 7
    steps = -rng.gamma(_log_each(rng, 0.3, 5.0, size), 1.0, (size, degree))
    heights = np.concatenate([np.zeros((size, 1)), np.cumsum(steps, axis=1)], axis=1)
    k = np.arange(degree + 1)
    binomials = np.cumprod(np.concatenate([[1.0], (degree - k[:-1]) / (k[:-1] + 1.0)]))
    bernstein = binomials[:, None] * x ** k[:, None] * (1.0 - x) ** (degree - k[:, None])
    return _fall_by(rng, heights @ bernstein)


def gaussian_tails(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw the falling side of a Gaussian or of a log-normal, on a pedestal or not."""
    symmetric = -0.5 * ((x + _each(rng, 0.0, 1.0, size)) / _log_each(rng, 0.15, 0.8, size)) ** 2
    m, width = _masses(rng, x, size)
    log_normal = -0.5 * (np.log(m + 0.2) / _log_each(rng, 0.2, 1.5, size)) ** 2 - np.log(m) + np.log(width)
    shape = np.where(rng.random((size, 1)) < 0.5, symmetric, log_normal)
    shape = np.maximum(shape - shape.max(axis=1, keepdims=True), -25.0)
    pedestal = np.log(_log_each(rng, 1e-6, 0.1, size)) - _each(rng, 0.0, 3.0, size) * x
    return np.asarray(np.logaddexp(shape, pedestal))


def steps(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw shoulders: a part of the spectrum ends (error function or algebraic), steeply or not."""
    width, place = _log_each(rng, 0.02, 0.3, size), _each(rng, 0.05, 0.95, size)
    t = (x - place) / width
    end = np.where(rng.random((size, 1)) < 0.5, 0.5 * (1.0 - erf(t)), 0.5 * (1.0 - t / np.sqrt(1.0 + t**2)))
    height = _log_each(rng, 0.05, 4.0, size)
    return np.log1p(height * end) + _one_of(rng, x, size, (exponentials, powers, slopes))


def mixtures(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw the sum of two of the other families."""
    parts = [_one_of(rng, x, size, (exponentials, powers, dijet, slopes, gaussian_tails)) for _ in range(2)]
    first, second = (part - part.max(axis=1, keepdims=True) for part in parts)
    return np.asarray(np.logaddexp(first, second + np.log(_log_each(rng, 1e-4, 1.0, size))))


# -- validation: they decide between models ------------------------------------------------------------------------


def lorentz_tails(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw ``(1 + (x/a)^2)^-p``."""
    shape = np.log1p(((x + _each(rng, 0.0, 0.3, size)) / _log_each(rng, 0.1, 1.0, size)) ** 2)
    return -_each(rng, 0.7, 6.0, size) * shape


def secants(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw ``1/cosh((x - x0)/a)`` with a pedestal."""
    t = (x + _each(rng, -0.05, 0.3, size)) / _log_each(rng, 0.08, 0.6, size)
    shape = -np.logaddexp(t, -t) + np.log(2.0)
    return np.asarray(np.logaddexp(shape, np.log(_log_each(rng, 1e-6, 0.05, size))))


def arctangents(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw a shoulder of the form of an arc tangent on an exponential."""
    t = (x - _each(rng, 0.15, 0.85, size)) / _log_each(rng, 0.02, 0.1, size)
    return np.log1p(_log_each(rng, 0.2, 3.0, size) * (0.5 - np.arctan(t) / np.pi)) - _each(rng, 1.0, 8.0, size) * x


def thermal(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw ``y^3 / (exp(y) - 1)`` beyond its maximum."""
    y = _each(rng, 2.9, 5.0, size) + _log_each(rng, 2.0, 12.0, size) * x
    return 3.0 * np.log(y) - y - np.log1p(-np.exp(-y))


# -- final: they judge, and decide nothing ----------------------------------------------------------------------------


def stretched(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw a stretched exponential ``exp(-(x/a)^p)``."""
    return -_each(rng, 1.0, 10.0, size) * (x + 0.02) ** _log_each(rng, 0.4, 2.0, size)


def ua2(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw the form of UA2, ``m^-a exp(-b m - c m^2)``."""
    m = 1.0 + (_log_each(rng, 2.0, 15.0, size) - 1.0) * x
    top = m.max(axis=1, keepdims=True)
    a, b, c = _each(rng, 0.5, 5.0, size), _each(rng, 0.0, 5.0, size), _each(rng, 0.0, 4.0, size)
    return np.asarray(-a * np.log(m) - b * m / top - c * (m / top) ** 2)


def gammas(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw a gamma distribution ``y^a exp(-y)`` from its maximum on."""
    a = _each(rng, 0.3, 4.0, size)
    y = a * _each(rng, 1.0, 1.5, size) + _log_each(rng, 2.0, 12.0, size) * x
    return a * np.log(y) - y


def shoulders(rng: Generator, x: FloatArray, size: int) -> FloatArray:
    """Draw the hard ones: an exponential of which a large part ends in a logistic."""
    t = (x - _each(rng, 0.15, 0.85, size)) / _log_each(rng, 0.03, 0.12, size)
    return (
        np.log1p(_log_each(rng, 0.3, 3.0, size) / (1.0 + np.exp(np.minimum(t, 60.0)))) - _each(rng, 1.0, 8.0, size) * x
    )


TRAINING: dict[str, float] = {
    "exponentials": 1.0,
    "powers": 1.0,
    "dijet": 1.0,
    "turn_ons": 1.0,
    "knees": 1.0,
    "slopes": 2.0,
    "wiggles": 0.7,
    "polynomials": 1.0,
    "gaussian_tails": 0.7,
    "steps": 2.0,
    "mixtures": 1.0,
}
"""Name -> how often, relative to the others."""
VALIDATION = ("lorentz_tails", "secants", "arctangents", "thermal")
MILD = ("stretched", "ua2", "gammas")
FINAL = (*MILD, "shoulders")
_FAMILIES: dict[str, Family] = {
    family.__name__: family
    for family in (
        exponentials, powers, dijet, turn_ons, knees, slopes, wiggles, polynomials, gaussian_tails, steps, mixtures,
        lorentz_tails, secants, arctangents, thermal, stretched, ua2, gammas, shoulders,
    )
}  # fmt: skip


def log_shapes(
    rng: Generator, size: int, n_bins: int, names: Sequence[str], weights: Sequence[float] | None = None
) -> FloatArray:
    """Return logarithms of shapes whose largest value is 0, shape (size, n_bins), families drawn at random.

    Raises
    ------
    UnknownNameError
        If there is no family of a name.
    """
    for name in names:
        if name not in _FAMILIES:
            raise UnknownNameError(f"no family {name!r} of spectra; there are: {', '.join(_FAMILIES)}")
    x = (np.arange(n_bins) + 0.5) / n_bins
    share = np.ones(len(names)) if weights is None else np.asarray(weights, dtype=np.float64)
    chosen = rng.choice(len(names), size, p=share / share.sum())
    out = np.empty((size, n_bins))
    for number, name in enumerate(names):
        rows = np.flatnonzero(chosen == number)
        if len(rows):
            out[rows] = _FAMILIES[name](rng, x, len(rows))
    return np.asarray(out - out.max(axis=1, keepdims=True))


def _one_of(rng: Generator, x: FloatArray, size: int, families: Sequence[Family]) -> FloatArray:
    which = rng.integers(len(families), size=size)
    out = np.empty((size, len(x)))
    for number, family in enumerate(families):
        rows = np.flatnonzero(which == number)
        out[rows] = family(rng, x, len(rows))
    return out


def _process(rng: Generator, x: FloatArray, size: int, length: FloatArray, waves: int = 12) -> FloatArray:
    """Return Gaussian processes of unit variance with a Gaussian kernel, by random Fourier features."""
    total = np.zeros((size, len(x)))
    for _ in range(waves):
        total += np.cos(rng.standard_normal((size, 1)) / length * x + _each(rng, 0.0, 2.0 * np.pi, size))
    return np.asarray(total * np.sqrt(2.0 / waves))


def _falling(log_shape: FloatArray) -> FloatArray:
    """Bend rising parts down: the slope s becomes -log(1 + exp(-s)), made sharp by the number of bins."""
    slope = np.diff(log_shape, axis=1) * log_shape.shape[1]
    bent = -np.logaddexp(0.0, -4.0 * slope) / 4.0
    return np.concatenate([log_shape[:, :1], log_shape[:, :1] + np.cumsum(bent, axis=1) / log_shape.shape[1]], axis=1)
