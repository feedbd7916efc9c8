"""Mass resolution, and axes of masses whose bins follow it.

Examples
--------
>>> dimuon = combined(Resolution(0.01), Resolution(0.01))
>>> round(float(dimuon.sigma(90.0)), 3), len(resolution_axis(dimuon, 60.0, 120.0))
(0.636, 197)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import hist
import numpy as np

from coffea_ddp.errors import InputError

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray

_MOST_BINS = 10_000


@dataclass(frozen=True)
class Resolution:
    """Mass resolution: ``sigma(m)/m = sqrt(constant^2 + stochastic^2/m + (floor/m)^2)``, m in GeV.

    Parameters
    ----------
    constant, stochastic, floor
        A part of the mass; in sqrt(GeV); in GeV. All 0 or more, not all 0.

    Raises
    ------
    InputError
        If one is negative or not finite, or all are 0.

    Examples
    --------
    >>> round(float(Resolution(0.01, 0.1).sigma(100.0)), 3)
    1.414
    """

    constant: float
    stochastic: float = 0.0
    floor: float = 0.0

    def __post_init__(self) -> None:
        parts = (self.constant, self.stochastic, self.floor)
        if not all(math.isfinite(part) and part >= 0 for part in parts) or not any(parts):
            raise InputError(f"{self!r}: the parts of a resolution are 0 or more, and not all 0")

    def sigma(self, mass: Any) -> FloatArray:
        """Return the standard deviation of a mass in GeV, both of any shape."""
        m = np.asarray(mass, dtype=np.float64)
        return np.asarray(np.sqrt((self.constant * m) ** 2 + self.stochastic**2 * m + self.floor**2))


def combined(*resolutions: Resolution) -> Resolution:
    """Return the resolution of the mass of several objects.

    Each object is measured independently and carries an equal part of the mass, ``m/n``. Constant parts then shrink as
    for any mean, by sqrt(n) for n equal objects; stochastic ones stay, and floors grow by sqrt(n).

    Raises
    ------
    InputError
        If none is given.

    Examples
    --------
    >>> both = combined(Resolution(0.02, 0.1), Resolution(0.02, 0.1))
    >>> round(both.constant, 5), round(both.stochastic, 5)
    (0.01414, 0.1)
    """
    if not resolutions:
        raise InputError("combined() of no resolution; give one for each object")

    def size(name: str) -> float:
        return math.sqrt(sum(getattr(one, name) ** 2 for one in resolutions))

    n = len(resolutions)
    return Resolution(size("constant") / n, size("stochastic") / math.sqrt(n), size("floor"))


def resolution_axis(
    resolution: Resolution, low: float, high: float, *, step: float = 0.5, name: str = "mass", label: str = "mass [GeV]"
) -> Any:
    """Return a ``hist`` axis whose bins are ``step`` resolutions wide: a narrow signal is 1/step bins everywhere.

    Parameters
    ----------
    resolution
        Of the mass.
    low, high
        Range in GeV, ``0 < low < high``; the last bin ends at or above ``high``.
    step
        Width of the bins in units of sigma(m).
    name, label
        Of the axis.

    Raises
    ------
    InputError
        If the range is empty, the step is not positive, or that makes more than 10,000 bins.

    Examples
    --------
    >>> axis = resolution_axis(Resolution(0.02), 50.0, 200.0)
    >>> len(axis), [round(float(edge), 3) for edge in axis.edges[:3]]
    (139, [50.0, 50.502, 51.01])
    """
    if not (0 < low < high and step > 0):
        raise InputError(
            f"a mass axis from {low} to {high} in steps of {step}: give 0 < low < high and a positive step"
        )
    edges = [float(low)]
    while edges[-1] < high and len(edges) <= _MOST_BINS:
        # The width belongs to the middle of the bin: half a step first.
        middle = edges[-1] + 0.5 * step * float(resolution.sigma(edges[-1]))
        edges.append(edges[-1] + step * float(resolution.sigma(middle)))
    if len(edges) > _MOST_BINS:
        raise InputError(
            f"a mass axis from {low} to {high} with {resolution} has over {_MOST_BINS} bins; use wider steps"
        )
    return hist.axis.Variable(edges, name=name, label=label)


def fixed_axis(width: float, low: float, high: float, *, name: str = "mass", label: str = "mass [GeV]") -> Any:
    """Return a ``hist`` axis of bins of one width in GeV; the last ends at or above ``high``.

    Raises
    ------
    InputError
        If the range is empty, or the width is not positive.

    Examples
    --------
    >>> fixed_axis(10.0, 50.0, 75.0).edges
    array([50., 60., 70., 80.])
    """
    if not (low < high and width > 0):
        raise InputError(f"a mass axis from {low} to {high} in bins of {width}: give low < high and a positive width")
    bins = math.ceil((high - low) / width - 1e-9)
    if bins > _MOST_BINS:
        raise InputError(f"a mass axis from {low} to {high} in bins of {width} has over {_MOST_BINS} bins")
    return hist.axis.Regular(bins, low, low + bins * width, name=name, label=label)
