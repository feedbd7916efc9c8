"""Counting models of regions: data, background with what is uncertain of it, and a signal, bin by bin.

A symmetry: the side in excess is the data, the other one the *control* counts, which times the expected ratio are the
background. With A the control and B the data this is the likelihood L2 (:func:`coffea_ddp.stats.q0_l2`):
``A_i ~ Pois(beta_i)``, ``B_i ~ Pois(kappa_i beta_i + mu s_i)``. A bump: the spectrum is the data, a polynomial fitted
outside of the bump the background.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from scipy import special

from coffea_ddp.errors import InputError
from coffea_ddp.histograms.layout import EVENTS
from coffea_ddp.scanning.bump_range import prepare, within
from coffea_ddp.scanning.expectation import Expectation
from coffea_ddp.scanning.options import shares_of
from coffea_ddp.stats import checks
from coffea_ddp.stats.bumphunt.toys import outside_window

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import BoolArray, FloatArray
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.rows import Row

Bins = Literal["one", "all"]
UNIFORM = "uniform density in the region"
GAUSSIAN = "a Gaussian of the bump's mass and width"
GIVEN = "given"
_REACH = 3.0
"""The background of a bump is fitted beyond so many widths from it."""


@dataclass(frozen=True, eq=False)
class RegionModel:
    """A counting model; arrays of shape (n_bins,).

    Attributes
    ----------
    name
        Of the region, in words.
    data, signal
        Observed counts, and the events of the signal at mu = 1.
    ratio
        What the control counts are multiplied with to be the background: kappa, or 1 / kappa where side A is in excess.
    control
        Counts of the other side. Of a bump the fitted background itself, which is no count.
    counted
        True where ``control`` are counts, with their statistical errors.
    shifts
        By their names, what one standard deviation of an uncertainty common to all bins adds to the logarithm of the
        background.
    systematic
        Relative uncertainties of the background, independent from bin to bin.
    of_signal
        The signal in words.
    sides
        What data and control are.
    """

    name: str
    data: FloatArray
    signal: FloatArray
    ratio: FloatArray
    control: FloatArray
    counted: bool
    shifts: dict[str, FloatArray] = field(default_factory=dict)
    systematic: FloatArray | None = None
    of_signal: str = UNIFORM
    sides: tuple[str, str] = ("B", "A")


def region_name(row: Row) -> str:
    """Return what a row is about, in words."""
    words = [row.symmetry, row.observable, row.cell, None if row.region is None else str(row.region)]
    return ", ".join(word for word in words if word)


def model_of(
    row: Row,
    hists: Histograms,
    *,
    signal: ArrayLike | None = None,
    bins: Bins | None = None,
    kappa_error: float = 0.0,
    systematic: float = 0.0,
) -> RegionModel:
    """Return the counting model of a row of a report.

    Parameters
    ----------
    row
        Of a symmetry, or of a spectrum with a bump.
    hists
        The histograms that were scanned.
    signal
        The template, in the bins of the observable or of the region; bins without signal are left out. By default of
        uniform density in the region (events proportional to the area of a bin), or the Gaussian of the bump.
    bins
        Of a symmetry. ``"one"``: the region is one bin, whose summed counts are compared as a scan of rectangles does;
        ``"all"``: every bin has its background from the other side. By default one for a rectangle without a template,
        else all.
    kappa_error, systematic
        Relative uncertainties of the background: common to all bins, and independent from bin to bin.

    Returns
    -------
    RegionModel
        Of the bins of the region; without one, of all bins.

    Raises
    ------
    InputError
        If the row has no histogram or no known ratio, contents are weighted, or an option does not fit.
    """
    for name, value in (("kappa_error", kappa_error), ("systematic", systematic)):
        if not 0 <= checks.number(value, name) < 1:
            raise InputError(f"{name}={value!r}: a relative uncertainty is between 0 and 1; give one")
    if hists.layout.weighted:
        raise InputError(
            "the histograms hold sums of weights, a counting model needs numbers of events; fill without weights"
        )
    if bins is not None:
        checks.choice(bins, "bins", get_args(Bins))
        if row.kind == "spectrum":
            raise InputError(f"bins={bins!r} has no effect on a bump: its shape is what is fitted; leave it out")
    one_bin = (row.region is not None and signal is None) if bins is None else bins == "one"
    found = _bump(row, hists, signal) if row.kind == "spectrum" else _symmetry(row, hists, signal, one_bin=one_bin)
    if kappa_error:
        found.shifts["kappa"] = np.full(len(found.data), np.log1p(kappa_error))
    spread = np.full(len(found.data), float(systematic)) if systematic else None
    size = 1.0 if signal is not None else _size(found)
    words = found.of_signal if signal is not None else f"{found.of_signal}, {size:,.0f} events at mu = 1"
    return replace(found, systematic=spread, signal=size * found.signal, of_signal=words)


def _size(model: RegionModel) -> float:
    """Return a power of ten near the statistical error of the background: a signal of so many events suits fits."""
    error = np.sqrt(model.data.sum() + (model.ratio * model.control).sum())
    return float(10.0 ** max(0.0, np.round(np.log10(max(error, 1.0)))))


# -- symmetries --------------------------------------------------------------------------------------------------------


def _symmetry(row: Row, hists: Histograms, signal: ArrayLike | None, *, one_bin: bool) -> RegionModel:
    symmetry, observable = str(row.symmetry), str(row.observable)
    if observable != EVENTS and observable not in hists.observables(symmetry):
        raise InputError(
            f"row {row.number} is a test of {observable!r}, not of a histogram; export a row of one of: "
            f"{', '.join(hists.observables(symmetry))}"
        )
    pair = hists[symmetry, observable, row.cell]
    a, b = (np.atleast_1d(side) for side in pair.counts)  # the number of events has no axis
    inside = inside_of(row, a.shape)
    template, used, told = _template(signal, [np.asarray(axis.edges) for axis in pair.a.axes], inside)
    ratio, shifts = _ratios(row, hists, pair.kappa)
    a, b, ratio = a[used], b[used], np.broadcast_to(ratio.reshape(used.shape if ratio.ndim else ()), used.shape)[used]
    shifts = {name: shift.reshape(used.shape)[used] for name, shift in shifts.items()}
    if one_bin:
        ratio, shifts = _of_the_sum(a + b, ratio, shifts)
        a, b, template = (values.sum(keepdims=True) for values in (a, b, template))
    sides = hists.layout.symmetry(symmetry).sides
    of_a, of_b = f"A ({sides[0]})", f"B ({sides[1]})"
    excess = row.statistic if row.statistic else float(b.sum() - (ratio * a).sum())
    if excess >= 0:
        return RegionModel(region_name(row), b, template, ratio, a, True, shifts, None, told, (of_b, of_a))
    swapped = {name: -shift for name, shift in shifts.items()}
    return RegionModel(region_name(row), a, template, 1.0 / ratio, b, True, swapped, None, told, (of_a, of_b))


def _of_the_sum(
    n: FloatArray, ratio: FloatArray, shifts: dict[str, FloatArray]
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Return the expected ratio of the sum of bins with n events, and how it shifts; of one bin."""
    n = n if n.any() else np.ones(len(n))
    share = ratio / (1.0 + ratio)
    total, expected = n.sum(keepdims=True), (n * share).sum(keepdims=True)
    slope = total / (expected * (total - expected))
    moves = {name: (shift * n * share * (1.0 - share)).sum() * slope for name, shift in shifts.items()}
    return expected / (total - expected), moves


def inside_of(row: Row, shape: tuple[int, ...]) -> BoolArray:
    """Return which bins are in the region of a row; all of them where it has none."""
    if row.region is None:
        return np.ones(shape, dtype=bool)
    bins = row.region.bins
    if bins is None or len(bins) != len(shape) or any(stop > n for (_, stop), n in zip(bins, shape, strict=True)):
        raise InputError(
            f"row {row.number}: its region ({row.region}) is not in the bins of the histograms; give the histograms "
            "that were scanned, and a report of this version (`coffea-ddp scan`)"
        )
    found = np.zeros(shape, dtype=bool)
    found[tuple(slice(first, stop) for first, stop in bins)] = True
    return found


def _template(
    signal: ArrayLike | None, edges: Sequence[FloatArray], inside: BoolArray
) -> tuple[FloatArray, BoolArray, str]:
    """Return the signal in the bins that are used, which these are, and the signal in words."""
    if signal is None:
        area = np.ones(inside.shape)
        for number, one in enumerate(edges):
            area = area * np.diff(one).reshape([-1 if i == number else 1 for i in range(len(edges))])
        area = np.where(np.isfinite(area), area, 1.0)[inside]
        return area / area.sum(), inside, UNIFORM
    given = checks.positive(signal, "signal")
    corners = [np.flatnonzero(inside.any(axis=tuple(i for i in range(inside.ndim) if i != n))) for n in
               range(inside.ndim)]  # fmt: skip
    region = tuple(len(places) for places in corners)
    if given.shape != inside.shape:
        if given.shape != region:
            raise InputError(
                f"signal has shape {given.shape}, the observable {inside.shape} and the region {region}; give a "
                "template in the bins of one of both"
            )
        whole = np.zeros(inside.shape)
        whole[inside] = given.ravel()
        given = whole
    if not given.any():
        raise InputError("signal is 0 in every bin: it was never filled; give the expected events of a signal")
    return given[given > 0], given > 0, GIVEN


def _ratios(row: Row, hists: Histograms, kappa: float) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Return the expected B / A of every bin, and what one standard deviation of the calibration adds to its log."""
    layout = hists.layout.symmetry(str(row.symmetry))
    if not (layout.exchange and hists.layout.calibration is not None):
        return np.asarray((row.ratio and row.ratio.kappa) or kappa, dtype=np.float64), {}
    observable = str(row.observable)
    _, shares = shares_of(hists, Expectation(), [(layout.name, [observable])], "binomial")
    counts = hists.cell_counts(layout.name, observable)
    channel = None if shares is None else shares.of(counts)
    assert channel is not None  # the output has a calibration
    entries = channel.entries
    code = np.repeat(np.arange(len(counts.codes)), np.diff(entries.starts))
    rows = np.flatnonzero(hists.layout.grid.contains(str(row.cell), counts.codes)[code])

    def summed(values: FloatArray) -> FloatArray:
        return np.bincount(entries.bins[rows], values[rows], minlength=counts.n_bins).astype(np.float64)

    n, e = summed(entries.n), summed(entries.e)
    filled = n > 0
    rest = np.where(filled, n - e, 1.0)
    ratio = np.where(filled, e, e.sum() / max(n.sum() - e.sum(), 1e-9)) / rest
    moves = [summed(column) for column in (entries.outside + entries.control).T]
    slope = np.where(filled, n / np.where(filled, e * rest, 1.0), 0.0)
    shifts = {f"calibration_{number}": (move * slope).reshape(counts.bins) for number, move in enumerate(moves, 1)}
    return ratio.reshape(counts.bins), shifts


# -- bumps -------------------------------------------------------------------------------------------------------------


def _bump(row: Row, hists: Histograms, signal: ArrayLike | None) -> RegionModel:
    bump = row.bump
    if bump is None or bump.position is None or bump.width is None:
        raise InputError(f"row {row.number} has no bump ({row.reason or row.status}); export a row that has one")
    spectrum = hists.spectrum(str(row.observable), str(row.cell))
    prepared = within(prepare(spectrum, min_events=1), bump.low, bump.high)
    used = prepared.use > 0
    edges, counts = prepared.edges, prepared.counts
    share = np.diff(special.ndtr((edges - bump.position) / bump.width))
    template, told = share / share[used].sum(), GAUSSIAN
    if signal is not None:
        given, told = checks.positive(signal, "signal"), GIVEN
        if given.shape not in (counts.shape, spectrum.counts.shape):
            raise InputError(
                f"signal has shape {given.shape}, the spectrum {spectrum.counts.shape} and its fit range "
                f"{counts.shape}; give a template in the bins of one of both"
            )
        template = given if given.shape == counts.shape else given[prepared.span]
        if not template[used].any():
            raise InputError("signal is 0 in every bin of the fit range; give the expected events of a signal")
    place = int(np.searchsorted(edges, bump.position)) - 1
    reach = _REACH * bump.width / float(np.diff(edges)[min(max(place, 0), len(counts) - 1)])
    fitted = outside_window(counts, prepared.use, place, reach)
    shifts = {f"shape_{number}": shift[used] for number, shift in enumerate(_errors(fitted), 1)}
    background = fitted.background[used]
    return RegionModel(
        region_name(row), counts[used], template[used], np.ones(len(background)), background, False, shifts, None, told,
        ("spectrum", "polynomial fitted outside of the bump"),
    )  # fmt: skip


def _errors(fitted: Any) -> list[FloatArray]:
    """Return what one standard deviation of each independent parameter of a fit adds to the log of the background."""
    if not len(fitted.basis):
        return []
    information = (fitted.basis * (fitted.background * fitted.fitted)) @ fitted.basis.T
    size, vectors = np.linalg.eigh(information)
    return [vector @ fitted.basis / np.sqrt(one) for one, vector in zip(size, vectors.T, strict=True) if one > 0]
