"""Features (a number per event, with unit and default axis) and observables (1D and 2D matrices of features).

``l0`` and ``l1`` are the leading and sub-leading lepton by pT, of either flavour, so that swapping electrons and muons
swaps the sides of a symmetry and nothing else.

Examples
--------
>>> both = observable(m_coll, pt_l0)
>>> both.name, [len(axis) for axis in both.axes]
('m_coll x pt_l0', [28, 28])
>>> observable(m_ll, bins=60).axes[0].label
'm(l0, l1) [GeV]'
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import hist
import numpy as np

from coffea_ddp._text import printable
from coffea_ddp.errors import InputError, UnknownNameError, did_you_mean
from coffea_ddp.events.selected import SelectedEvents, delta_phi, pair_mass, transverse_mass
from coffea_ddp.plan.checks import check_name, one_number_each

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray

BINS = 28
"""Default number of bins an axis: the 28 x 28 matrices of arXiv:2203.07529."""


@dataclass(frozen=True)
class Feature:
    """A number per event.

    Parameters
    ----------
    name, label, unit
        ``name`` is how it is referred to; ``label`` and ``unit`` (may be empty) make the axis title.
    function
        Takes :class:`~coffea_ddp.events.selected.SelectedEvents`, returns shape (n_events,); NaN where it does not
        exist.
    low, high
        The default range of its axis, in ``unit``.
    growth
        How much wider the last bin of the default axis is than the first; 1 is equal bins. Falling spectra that reach
        far want wide bins in the tail.

    Examples
    --------
    >>> Feature("n_j", "number of jets", "", lambda ev: ev.count("j"), 0.0, 10.0).name
    'n_j'
    """

    name: str
    label: str
    unit: str
    function: Callable[[SelectedEvents], Any]
    low: float
    high: float
    growth: float = 1.0

    def __post_init__(self) -> None:
        check_name("feature", self.name)

    @property
    def title(self) -> str:
        """Label and unit."""
        return f"{self.label} [{self.unit}]" if self.unit else self.label

    def axis(self, bins: int = BINS, low: float | None = None, high: float | None = None) -> Any:
        """Return a ``hist`` axis of ``bins`` bins: the default one, or one of equal bins where a range is given.

        Raises
        ------
        InputError
            If there is no bin, or the range is empty.
        """
        start, stop = self.low if low is None else low, self.high if high is None else high
        if bins < 1 or not start < stop or self.growth <= 0:
            raise InputError(
                f"feature {self.name!r}: {bins} bins from {start} to {stop}, growth {self.growth}; "
                "give at least one bin, low < high, and growth above 0"
            )
        if self.growth == 1.0 or (low, high) != (None, None):
            return hist.axis.Regular(bins, start, stop, name=self.name, label=self.title)
        widths = self.growth ** np.linspace(0.0, 1.0, bins)
        edges = start + (stop - start) * np.cumsum([0.0, *widths]) / widths.sum()
        edges[0], edges[-1] = start, stop
        # Round numbers read better, where they are fine enough; the outer edges are the range's.
        rounded = np.array([start, *(round(float(edge), 2) for edge in edges[1:-1]), stop], dtype=np.float64)
        chosen = rounded if np.all(np.diff(rounded) > 0) else edges
        return hist.axis.Variable(chosen, name=self.name, label=self.title)

    def values(self, events: SelectedEvents) -> FloatArray:
        """Return the feature of every event.

        Raises
        ------
        InputError
            If the function does not give one number an event.
        """
        return one_number_each(f"feature {self.name!r}", self.function(events), events)


@dataclass(frozen=True)
class Observable:
    """A matrix: one or two features, each with a ``hist`` axis (Regular, Variable or Integer, with flow bins).

    Values outside of an axis go to its flow bins, which tests leave out; missing and non-finite ones to "not filled".

    Examples
    --------
    >>> observable(pt_l0, met)
    Observable('pt_l0 x met', 28 x 28 bins)
    """

    name: str
    features: tuple[Feature, ...]
    axes: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.features) <= 2 or len(self.features) != len(self.axes):
            raise InputError(
                f"observable {self.name!r}: {len(self.features)} features and {len(self.axes)} axes; "
                "give one or two of both"
            )
        check_name("observable", self.name)
        names = [axis.name for axis in self.axes if getattr(axis, "name", "")]
        if len(set(names)) != len(names):
            raise InputError(
                f"observable {self.name!r}: two axes are called {names[0]!r}; each needs a name of its own"
            )
        for axis in self.axes:
            if not isinstance(axis, hist.axis.Regular | hist.axis.Variable | hist.axis.Integer):
                raise InputError(
                    f"observable {self.name!r}: {axis!r} is no Regular, Variable or Integer axis of `hist`"
                )
            if not (axis.traits.underflow and axis.traits.overflow):
                raise InputError(
                    f"observable {self.name!r}: axis {axis.name!r} has no flow bins; make it with flow=True"
                )

    def __repr__(self) -> str:
        """Return the name, and the number of bins."""
        return printable(f"Observable({self.name!r}, {' x '.join(str(axis.size) for axis in self.axes)} bins)")


def observable(*features: Feature, bins: int = BINS, axes: tuple[Any, ...] | None = None, name: str = "") -> Observable:
    """Return the observable of one or two features.

    Parameters
    ----------
    *features
        What is binned, in the order of the axes.
    bins
        Number of bins of every default axis.
    axes
        ``hist`` axes instead of the default ones.
    name
        Instead of the features' names joined by ``" x "``.

    Examples
    --------
    >>> len(observable(pt_l0, met, bins=12).axes[0])
    12
    """
    given: tuple[Any, ...] = features
    for one in given:
        if not isinstance(one, Feature):
            like = f"; the package has that one: observables.{one}" if one in FEATURES else ""
            raise InputError(f"observable: {one!r} is no Feature but a {type(one).__name__}{like}")
    chosen = axes if axes is not None else tuple(feature.axis(bins) for feature in features)
    return Observable(name or " x ".join(feature.name for feature in features), features, tuple(chosen))


def _lepton(events: SelectedEvents, k: int) -> Any:
    return events.leading("lepton", k)


def collinear_mass(events: SelectedEvents) -> FloatArray:
    """Return ``sqrt(2 pT_l0 (pT_l1 + MET) (cosh deta - cos dphi))``: the neutrinos fly along the sub-leading lepton.

    Examples
    --------
    >>> m_coll.function is collinear_mass
    True
    """
    l0, l1 = _lepton(events, 0), _lepton(events, 1)
    opening = np.cosh(l0.eta - l1.eta) - np.cos(l0.phi - l1.phi)
    return np.asarray(np.sqrt(2.0 * l0.pt * (l1.pt + events.met.pt) * opening))


m_ll = Feature("m_ll", "m(l0, l1)", "GeV", lambda ev: pair_mass(_lepton(ev, 0), _lepton(ev, 1)), 0.0, 1200.0, 40.0)
m_coll = Feature("m_coll", "collinear mass", "GeV", collinear_mass, 0.0, 1200.0, 40.0)
pt_l0 = Feature("pt_l0", "pT(l0)", "GeV", lambda ev: _lepton(ev, 0).pt, 20.0, 600.0, 30.0)
pt_l1 = Feature("pt_l1", "pT(l1)", "GeV", lambda ev: _lepton(ev, 1).pt, 20.0, 400.0, 30.0)
eta_l0 = Feature("eta_l0", "eta(l0)", "", lambda ev: _lepton(ev, 0).eta, -2.4, 2.4)
met = Feature("met", "missing pT", "GeV", lambda ev: ev.met.pt, 0.0, 600.0, 30.0)
m_t = Feature("m_t", "mT(l0, missing pT)", "GeV", lambda ev: transverse_mass(_lepton(ev, 0), ev.met), 0.0, 800.0, 30.0)
h_t = Feature("h_t", "HT (jets)", "GeV", lambda ev: ev.sum_pt("j"), 0.0, 2000.0, 20.0)
dphi_ll = Feature("dphi_ll", "dphi(l0, l1)", "rad", lambda ev: delta_phi(_lepton(ev, 0), _lepton(ev, 1)), 0.0, np.pi)
dphi_l0_met = Feature(
    "dphi_l0_met", "dphi(l0, missing pT)", "rad", lambda ev: delta_phi(_lepton(ev, 0), ev.met), 0.0, np.pi
)
dphi_l1_met = Feature(
    "dphi_l1_met", "dphi(l1, missing pT)", "rad", lambda ev: delta_phi(_lepton(ev, 1), ev.met), 0.0, np.pi
)

FEATURES: dict[str, Feature] = {
    feature.name: feature
    for feature in (m_ll, m_coll, pt_l0, pt_l1, eta_l0, met, m_t, h_t, dphi_ll, dphi_l0_met, dphi_l1_met)
}
"""The features that come with the package, by name."""


def feature(name: str) -> Feature:
    """Return a feature of the package by name.

    Raises
    ------
    UnknownNameError
        If there is none; the message lists those that exist.

    Examples
    --------
    >>> feature("met").unit
    'GeV'
    """
    if name not in FEATURES:
        raise UnknownNameError(
            f"no feature {name!r}; the package has: {', '.join(FEATURES)}. Or define your own Feature(...)"
            f"{did_you_mean(name, FEATURES)}"
        )
    return FEATURES[name]
