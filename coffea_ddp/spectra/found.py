"""Contents of a file of histograms: the spectra, what was not looked at and why, and how the numbers were understood.

Examples
--------
>>> spectrum = make_spectrum("m_ee", np.array([0.0, 1.0, 2.0]), np.array([3.0, 4.0]))
>>> spectrum
MassSpectrum('m_ee', '': 2 bins from 0 to 2, 7 entries)
>>> make_spectrum("m_ee", np.array([0.0, 1.0, 2.0]), np.array([3.0, 4.0]), label="m(ee) [TeV]").edges.tolist()
[0.0, 1000.0, 2000.0]
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import hist
import numpy as np

from coffea_ddp.effective import are_variances, same
from coffea_ddp.errors import FormatError, InputError
from coffea_ddp.spectra.names import parse_name
from coffea_ddp.spectra.spectrum import MassSpectrum

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray

_UNIT = re.compile(r"[\[(/]\s*([kKmMgGtT])e[vV](?:/c(?:\^?\{?2\}?)?)?\s*(?:[\])]|$)|[\[(]\s*([KMGT])EV\s*[\])]")
_SUFFIX = re.compile(r"[_ ]([kKmMgGtT])e[vV]$")
_IN_GEV = {"k": 1e-6, "m": 1e-3, "g": 1.0, "t": 1e3}
_WHOLE = 1e-3
"""Contents over their scale are whole to this part of themselves, ten times this number, or what rounding left."""
_LONGEST = 300
_MOST_COUNTS = 2.0**62


@dataclass(frozen=True)
class Skipped:
    """A thing in a file that is no usable spectrum.

    Attributes
    ----------
    name
        Its full path in the file.
    reason
        In words.
    spectrum
        Whether it is a histogram of one axis, which somebody may want to have looked at.
    """

    name: str
    reason: str
    spectrum: bool = True

    def __post_init__(self) -> None:
        if len(self.reason) > _LONGEST:  # the file's own words are in it
            object.__setattr__(self, "reason", f"{self.reason[:_LONGEST]} ...")


@dataclass(frozen=True)
class Contents:
    """The contents of a file.

    Attributes
    ----------
    spectra
        In the order of the file; names are unique.
    skipped
        What is not among them.
    notes
        How numbers were understood where there was a choice, in words.
    masses
        Whether the file is a list of masses.
    """

    spectra: tuple[MassSpectrum, ...]
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    masses: bool = False


def clean_name(name: Any) -> str:
    """Return a name that can be written anywhere: text without lone surrogates."""
    return str(name).encode("utf-8", "replace").decode("utf-8")


def gev(label: Any) -> float:
    """Return the unit in a label of an axis, in GeV; 1 where there is none.

    Examples
    --------
    >>> gev("m_{jj} [TeV]"), gev("M (MEV)"), gev("mass / GeV"), gev("mass"), gev("mass_MeV")
    (1000.0, 0.001, 1.0, 1.0, 0.001)
    """
    text = str(label).rstrip()
    found = _UNIT.search(text)
    if found:
        return _IN_GEV[(found[1] or found[2]).lower()]
    suffix = _SUFFIX.search(text[-_LONGEST:])
    return _IN_GEV[suffix[1].lower()] if suffix else 1.0


def make_spectrum(
    name: str, edges: FloatArray, contents: FloatArray, variances: FloatArray | None = None, label: str = ""
) -> MassSpectrum:
    """Return a spectrum of arrays, in GeV: whole numbers without variances become counts.

    Parameters
    ----------
    name
        Its full path in the file.
    edges
        In the unit that the label names, shape (n_bins + 1,).
    contents, variances
        Shape (n_bins,), or (n_bins + 2,) with flow bins.
    label
        Of the axis.

    Raises
    ------
    FormatError
        If the edges do not increase, or contents are not finite.
    """
    n_bins = len(edges) - 1
    inside = slice(None) if len(contents) == n_bins else slice(1, -1)
    if n_bins < 1 or not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        raise FormatError("its edges are not numbers that increase")
    if not np.isfinite(contents[inside]).all():
        raise FormatError("its contents are NaN or infinite")
    if variances is not None and not are_variances(contents[inside], variances[inside]):
        raise FormatError(
            "its variances are negative, not finite, or 0 beside a content: no errors can be made of them"
        )
    unit = gev(label)
    axis = hist.axis.Variable(edges * unit, name="mass", label=label if label and unit == 1.0 else "mass [GeV]")
    flow = len(contents) > n_bins
    safe = np.where(np.isfinite(contents), contents, 0.0)
    if variances is not None and not same(contents[inside], variances[inside]):
        made: Any = hist.Hist(axis, storage=hist.storage.Weight())
        made.view(flow=flow)["value"] = safe
        made.view(flow=flow)["variance"] = np.where(np.isfinite(variances), variances, 0.0)
    else:
        whole = np.array_equal(safe, np.rint(safe)) and bool((np.abs(safe) < _MOST_COUNTS).all())
        made = hist.Hist(axis, storage=hist.storage.Int64() if whole else hist.storage.Double())
        made.view(flow=flow)[...] = safe
    return named(made, name)


def named(made: Any, name: str) -> MassSpectrum:
    """Return the spectrum of a histogram, under the full path that it has in its file."""
    folder, _, last = name.rpartition("/")
    combination, cell, _ = parse_name(last)
    made.name = name
    if not cell:
        return MassSpectrum(name, "", made)
    return MassSpectrum(combination, cell, made, title=f"{folder}/{combination}" if folder else "")


def scaled(spectrum: MassSpectrum, scale: float, *, density: bool) -> MassSpectrum:
    """Return the counts of a spectrum that was multiplied by a scale, and given per GeV if it is a density.

    Parameters
    ----------
    spectrum
        Contents ``scale * counts``, or ``scale * counts / width of the bin`` with ``density``.
    scale
        Positive.

    Raises
    ------
    InputError
        If the scale is not positive, or what it gives are not whole numbers.

    Examples
    --------
    >>> spectrum = make_spectrum("m", np.array([0.0, 10.0, 30.0]), np.array([0.4, 0.15]))
    >>> scaled(spectrum, 1.0, density=True).counts.tolist()
    [4.0, 3.0]
    """
    if not (np.isfinite(scale) and scale > 0):
        raise InputError(f"scale {scale}: give the positive number that counts were multiplied by")
    factor = (np.diff(spectrum.edges) if density else np.ones(len(spectrum.counts))) / scale
    contents, variances = spectrum.counts * factor, spectrum.variances
    counts = np.rint(contents)
    label = str(spectrum.hist.axes[0].label)
    if variances is None:
        rounded = scale > 1 and np.array_equal(spectrum.counts, np.rint(spectrum.counts))
        least = np.maximum(0.5 * factor, 10 * _WHOLE) if rounded else 10 * _WHOLE
        wrong = np.abs(contents - counts) > np.maximum(_WHOLE * np.abs(contents), least)
        if wrong.any():
            where = int(np.flatnonzero(wrong)[0])
            raise InputError(
                f"{spectrum.hist.name}: scale {scale:g}{', per GeV' if density else ''} makes {contents[where]:g} of "
                f"{spectrum.counts[where]:g}, which is no whole number: not the scale that counts were multiplied by"
            )
        contents = counts
    squares = None if variances is None else variances * factor**2
    made = make_spectrum(str(spectrum.hist.name), spectrum.edges, contents, squares)
    made.hist.axes[0].label = label
    return dataclasses.replace(spectrum, hist=made.hist)
