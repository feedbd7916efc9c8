"""A mass spectrum: the histogram of one object combination in one cell, with what a bump hunt needs to know of it.

Examples
--------
>>> import hist
>>> spectrum = MassSpectrum("m0m1", "mu=2", hist.new.Reg(40, 60, 120, name="mass").Int64(), width=2.5)
>>> spectrum
MassSpectrum('m0m1', 'mu=2': 40 bins from 60 to 120, 0 entries)
>>> spectrum.sigma_bins[:2].round(2)
array([1.67, 1.67])
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import hist
import numpy as np

from coffea_ddp.effective import effective, same
from coffea_ddp.errors import InputError, named

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray

_MOST_BINS = 10_000


@dataclass(frozen=True)
class Resolution:
    """How well a mass is measured: ``sigma(m)/m = sqrt(constant^2 + stochastic^2/m + (floor/m)^2)``, m in GeV.

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


@dataclass(frozen=True, eq=False)
class MassSpectrum:
    """The invariant-mass histogram of one object combination in one cell.

    Attributes
    ----------
    combination, cell
        Which objects (``"m0m1"``: the two leading muons) of which events.
    hist
        ``hist.Hist`` of one axis, in GeV.
    width
        Standard deviation of a narrow signal in GeV; ``None`` where it is not known or not one number.
    resolution
        Instead: as a function of the mass.
    masks
        Ranges (low, high, name) of known resonances, in GeV, that are left out.
    partial
        Whether something is missing from the input.
    title
        Its name in reports; the combination by default.
    decays_to
        The objects and candidates of which it is the mass, ``("mu", "mu", "j")``; empty where nothing tells them.
    """

    combination: str
    cell: str
    hist: Any
    width: float | None = None
    resolution: Resolution | None = None
    masks: tuple[tuple[float, float, str], ...] = ()
    partial: bool = False
    title: str = ""
    decays_to: tuple[str, ...] = ()

    @property
    def counts(self) -> FloatArray:
        """Contents inside of the axis (sums of weights in a weighted histogram), shape (n_bins,)."""
        return np.asarray(self.hist.values(), dtype=np.float64)

    @property
    def variances(self) -> FloatArray | None:
        """Variances of the contents, shape (n_bins,); ``None`` for counts, and where none are kept.

        Errors that are nothing but the square roots of the contents say nothing that the contents do not.
        """
        variances = self.hist.variances()
        if variances is None or same(self.counts, np.asarray(variances)):
            return None
        return np.asarray(variances, dtype=np.float64)

    @property
    def effective(self) -> FloatArray:
        """Whole numbers with the relative error that the contents have: counts, or ``round((sum w)^2 / sum w^2)``.

        0 where the sum of weights is 0 or negative.
        """
        variances = self.variances
        return self.counts if variances is None else effective(self.counts, variances, np.diff(self.edges))

    @property
    def edges(self) -> FloatArray:
        """Edges of the bins in GeV, shape (n_bins + 1,)."""
        return np.asarray(self.hist.axes[0].edges, dtype=np.float64)

    @property
    def entries(self) -> float:
        """Sum of the contents inside of the axis."""
        return float(self.counts.sum())

    @property
    def sigma_bins(self) -> FloatArray | None:
        """Standard deviation of a narrow signal around every bin, in bins; ``None`` where it is not known."""
        edges = self.edges
        widths = np.diff(edges)
        if self.resolution is not None:
            return np.asarray(self.resolution.sigma(0.5 * (edges[1:] + edges[:-1])) / widths)
        return None if self.width is None else self.width / widths

    @property
    def masked(self) -> BoolArray:
        """Which bins overlap a mask, shape (n_bins,)."""
        low, high = self.edges[:-1], self.edges[1:]
        hit = np.zeros(len(low), dtype=bool)
        for start, stop, _ in self.masks:
            hit |= (high > start) & (low < stop)
        return hit

    def __repr__(self) -> str:
        """Return what it is and how much is in it."""
        edges = self.edges
        mark = " PARTIAL" if self.partial else ""
        return (
            f"MassSpectrum({self.combination!r}, {self.cell!r}: {len(edges) - 1} bins from {edges[0]:g} to "
            f"{edges[-1]:g}, {self.entries:g} entries){mark}"
        )

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(repr(self))}</b></p>{self.hist._repr_html_()}"


def only_spectra(what: str, given: Any) -> list[MassSpectrum]:
    """Return spectra as a list.

    Raises
    ------
    InputError
        If something else is among them.
    """
    found = list(given) if isinstance(given, Iterable) and not isinstance(given, str | type) else [given]
    for one in found:
        if not isinstance(one, MassSpectrum):
            raise InputError(
                f"{what}: got {named(one)}; give MassSpectrum objects, or read a file of spectra first "
                '(those in Histograms are looked at by ddp.scan(hists, tests=["bump"]))'
            )
    return found
