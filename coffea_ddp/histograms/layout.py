"""Layout of an output, as pure data: names, axes, the grid of cells, kappa, and the place of each count.

An output carries its layout, so that it can be read, merged and scanned without running the plan's code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from coffea_ddp._text import printable
from coffea_ddp.calibration.record import FitRecord
from coffea_ddp.errors import MergeError, PlanError, UnknownNameError, did_you_mean, some_of
from coffea_ddp.histograms.axes import axes_from_uhi, axes_to_uhi
from coffea_ddp.histograms.cells import CellGrid
from coffea_ddp.histograms.channel import Channel
from coffea_ddp.histograms.comparison_layout import ComparisonLayout
from coffea_ddp.histograms.spectrum_layout import SpectrumLayout
from coffea_ddp.histograms.split import EventSplit
from coffea_ddp.histograms.symmetry_layout import CalibrationLayout, FeatureLayout, SymmetryLayout

__all__ = ["EVENTS", "MAX_SYMMETRIES", "MOST_BINS", "CalibrationLayout", "FeatureLayout", "Layout", "SymmetryLayout"]

EVENTS = "events"
"""The observable that every symmetry has: one bin, which counts the events of each side and cell."""

_NAMED = 40
"""Names that an error lists."""

MOST_BINS = 10**6
"""The largest number of bins of an axis."""

MAX_SYMMETRIES = 32
"""Two bits of a 64-bit word per symmetry tell a stored event's sides."""


@dataclass(frozen=True)
class Layout:
    """The structure of an output.

    Attributes
    ----------
    plan, fingerprint
        The plan's name, and the digest that tells plans apart.
    grid
        The axes of the cells.
    symmetries, features
        The symmetries that were filled, and the features that are stored per event.
    weighted
        Sums of weights and of their squares are kept.
    max_stored
        The largest number of events stored per symmetry and exclusive cell.
    spectra
        The mass spectra; their keys come after those of the symmetries.
    calibration
        Of the expected shares of side B; ``None`` where events have none.
    known
        Known resonances; the keys of the events that have one come after those of the spectra.
    split
        The part of the events that was taken; ``None`` for all.
    comparisons
        Comparisons of data with simulation; their counts lie apart, dataset by dataset, with keys from 0 on.
    """

    plan: str
    fingerprint: str
    grid: CellGrid
    symmetries: tuple[SymmetryLayout, ...]
    features: tuple[FeatureLayout, ...] = ()
    weighted: bool = False
    max_stored: int = 0
    spectra: tuple[SpectrumLayout, ...] = ()
    calibration: CalibrationLayout | None = None
    known: tuple[str, ...] = ()
    split: EventSplit | None = None
    comparisons: tuple[ComparisonLayout, ...] = ()

    def __post_init__(self) -> None:
        if len(self.symmetries) > MAX_SYMMETRIES:
            raise PlanError(f"{len(self.symmetries)} symmetries in one plan: at most {MAX_SYMMETRIES}; make two plans")
        named = [of.observables for of in self.symmetries] + [of.observables for of in self.comparisons]
        axes = [axis for observables in named for _, of in observables for axis in of]
        large = [axis for axis in (*axes, *(spectrum.axis for spectrum in self.spectra)) if len(axis) > MOST_BINS]
        if large:
            raise PlanError(f"the axis {large[0].name!r} has {len(large[0]):,} bins: at most {MOST_BINS:,}")
        if max(self.n_keys, self.n_comparison_keys) >= 2**62:
            raise PlanError("the plan has more bins than a 64-bit key can number; use fewer cells or bins")

    def __repr__(self) -> str:
        """Return the plan, its fingerprint, and the size of the output."""
        return printable(
            f"Layout({self.plan!r}, fingerprint={self.fingerprint!r}, symmetries={len(self.symmetries)}, "
            f"spectra={len(self.spectra)}, cells={self.grid.n_cells})"
        )

    @property
    def described(self) -> str:
        """The plan in messages: its name and fingerprint."""
        return f"{self.plan!r} ({self.fingerprint})"

    @cached_property
    def channels(self) -> tuple[Channel, ...]:
        """All channels of symmetries, in the order of their keys; each symmetry begins with its :data:`EVENTS`."""
        channels = []
        base = 0
        for symmetry in self.symmetries:
            for name, axes in ((EVENTS, ()), *symmetry.observables):
                channels.append(Channel(name, axes, base, 2, symmetry.name))
                base = channels[-1].end(self.grid.n_exclusive)
        return tuple(channels)

    @cached_property
    def spectrum_channels(self) -> tuple[Channel, ...]:
        """The channels of the spectra, in the order of their keys."""
        channels = []
        base = self._n_symmetry_keys
        for spectrum in self.spectra:
            channels.append(Channel(spectrum.name, (spectrum.axis,), base, 1))
            base = channels[-1].end(self.grid.n_exclusive)
        return tuple(channels)

    @cached_property
    def comparison_channels(self) -> tuple[Channel, ...]:
        """The channels of the comparisons, in the order of their keys; each comparison begins with its EVENTS."""
        channels = []
        base = 0
        for comparison in self.comparisons:
            for name, axes in ((EVENTS, ()), *comparison.observables):
                channels.append(Channel(name, axes, base, comparison.n_columns, comparison.name))
                base = channels[-1].end(self.grid.n_exclusive)
        return tuple(channels)

    @property
    def n_comparison_keys(self) -> int:
        """One more than the largest possible key of a comparison."""
        return self.comparison_channels[-1].end(self.grid.n_exclusive) if self.comparisons else 0

    def comparison(self, name: str) -> ComparisonLayout:
        """Return a comparison by name.

        Raises
        ------
        UnknownNameError
            If the plan has none of that name.
        """
        return self.comparisons[self._number("comparison", name, self.comparisons)]

    def comparison_channel(self, comparison: str, observable: str = EVENTS) -> Channel:
        """Return the channel of an observable of a comparison.

        Raises
        ------
        UnknownNameError
            If the comparison, or the observable in it, does not exist.
        """
        known = [name for name, _ in self.comparison(comparison).observables]
        for channel in self.comparison_channels:
            if channel.symmetry == comparison and channel.name == observable:
                return channel
        raise UnknownNameError(
            f"no observable {observable!r} in comparison {comparison!r}; it has: "
            f"{', '.join(map(repr, known)) or 'none'}{did_you_mean(observable, known)}"
        )

    def reflection_channel(self, name: str, known: str) -> Channel:
        """Return the channel of those events of a spectrum that have a known resonance.

        Raises
        ------
        UnknownNameError
            If the plan has no spectrum, or no known resonance, of that name.
        """
        spectrum = self.spectrum_channels[self._number("spectrum", name, self.spectra)]
        return replace(spectrum, base=spectrum.base + self.keys_behind(known))

    def keys_behind(self, known: str) -> int:
        """Return how far behind those of spectra the keys of the events with a known resonance are.

        Raises
        ------
        UnknownNameError
            If the plan has none of that name.
        """
        if known not in self.known:
            raise UnknownNameError(
                f"no known resonance {known!r} in plan {self.plan!r}; it has: {', '.join(self.known) or 'none'}"
            )
        return (1 + self.known.index(known)) * (self._n_spectrum_keys - self._n_symmetry_keys)

    @property
    def _n_spectrum_keys(self) -> int:
        return self.spectrum_channels[-1].end(self.grid.n_exclusive) if self.spectra else self._n_symmetry_keys

    @property
    def _n_symmetry_keys(self) -> int:
        return self.channels[-1].end(self.grid.n_exclusive) if self.channels else 0

    @property
    def n_keys(self) -> int:
        """One more than the largest possible key."""
        one = self._n_spectrum_keys - self._n_symmetry_keys
        return self._n_spectrum_keys + len(self.known) * one

    def spectrum(self, name: str) -> SpectrumLayout:
        """Return a spectrum by name.

        Raises
        ------
        UnknownNameError
            If the plan has none of that name.
        """
        return self.spectra[self._number("spectrum", name, self.spectra)]

    def spectrum_channel(self, name: str) -> Channel:
        """Return the channel of a spectrum by name.

        Raises
        ------
        UnknownNameError
            If the plan has none of that name.
        """
        return self.spectrum_channels[self._number("spectrum", name, self.spectra)]

    def _number(self, what: str, name: Any, among: Sequence[SpectrumLayout | SymmetryLayout | ComparisonLayout]) -> int:
        """Return the number of the one of a name."""
        known = [one.name for one in among]
        if isinstance(name, str) and name in known:
            return known.index(name)
        there = some_of(map(repr, known), _NAMED) or "none"
        raise UnknownNameError(f"no {what} {name!r} in plan {self.plan!r}; it has: {there}{did_you_mean(name, known)}")

    def symmetry(self, name: str) -> SymmetryLayout:
        """Return a symmetry by name.

        Raises
        ------
        UnknownNameError
            If the plan has none of that name.
        """
        return self.symmetries[self._number("symmetry", name, self.symmetries)]

    def symmetry_or_comparison(self, name: str) -> SymmetryLayout | ComparisonLayout:
        """Return a symmetry or a comparison by name.

        Raises
        ------
        UnknownNameError
            If the plan has none of that name.
        """
        both: list[SymmetryLayout | ComparisonLayout] = [*self.symmetries, *self.comparisons]
        return both[self._number("symmetry or comparison" if self.comparisons else "symmetry", name, both)]

    def channel_number(self, symmetry: str, observable: Any) -> int:
        """Return the number of a channel.

        Raises
        ------
        UnknownNameError
            If the symmetry, or the observable in it, does not exist.
        """
        found = self.symmetry(symmetry)
        for number, channel in enumerate(self.channels if isinstance(observable, str) else ()):
            if channel.symmetry == symmetry and channel.name == observable:
                return number
        known = ", ".join(repr(name) for name, _ in found.observables)
        near = did_you_mean(observable, [name for name, _ in found.observables])
        raise UnknownNameError(
            f"no observable {observable!r} in symmetry {symmetry!r}; it has: {known or 'none'}{near}"
        )

    def channel(self, symmetry: str, observable: str = EVENTS) -> Channel:
        """Return the channel of an observable of a symmetry.

        Raises
        ------
        UnknownNameError
            If the symmetry, or the observable in it, does not exist.
        """
        return self.channels[self.channel_number(symmetry, observable)]

    def check_same(self, other: Layout) -> None:
        """Fail where outputs of the two must not be added.

        Raises
        ------
        MergeError
            If they are of two plans, or say different things of one plan; the message names the first difference.
        """
        if self.fingerprint != other.fingerprint:
            raise MergeError(
                f"outputs of different plans: {self.described} and {other.described}; "
                "only outputs of one plan, unchanged, can be added"
            )
        if self.split != other.split:
            mine, theirs = (str(one.split or "all events") for one in (self, other))
            raise MergeError(
                f"outputs of the plan {self.described}, one of {mine} and one of {theirs}; only outputs of one part "
                "can be added: for all events run without --half"
            )
        if self.weighted != other.weighted and self == replace(other, weighted=self.weighted):
            raise MergeError(
                f"outputs of the plan {self.described}, one filled with weights and one that counts events; fill both "
                "alike (weight=numpy.ones(n) where every event counts as one)"
            )
        if self is not other and self != other:
            raise MergeError(
                f"outputs that say different things of one plan, {self.described}: "
                f"{_difference(self.to_dict(), other.to_dict()) or 'their axes differ'}; one of the files was changed"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the layout as JSON-ready data; axes in the UHI form."""
        return {
            "plan": self.plan,
            "fingerprint": self.fingerprint,
            "cells": self.grid.to_dict(),
            "symmetries": [
                {
                    "name": symmetry.name,
                    "sides": list(symmetry.sides),
                    "kappa": symmetry.kappa,
                    "observables": [{"name": n, "axes": axes_to_uhi(axes)} for n, axes in symmetry.observables],
                    "exchange": symmetry.exchange,
                }
                for symmetry in self.symmetries
            ],
            "features": [{"name": f.name, "label": f.label, "unit": f.unit} for f in self.features],
            "weighted": self.weighted,
            "max_stored": self.max_stored,
            "spectra": [spectrum.to_dict() for spectrum in self.spectra],
            "calibration": self.calibration
            and {
                "digest": self.calibration.digest,
                "fit": self.calibration.fit and self.calibration.fit.to_dict(),
            },
            "known": list(self.known),
            **({} if self.split is None else {"split": self.split.to_dict()}),
            **({"comparisons": [one.to_dict() for one in self.comparisons]} if self.comparisons else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Layout:
        """Return the layout that :meth:`to_dict` described."""
        symmetries = tuple(
            SymmetryLayout(
                item["name"],
                (item["sides"][0], item["sides"][1]),
                float(item["kappa"]),
                tuple((o["name"], axes_from_uhi(o["axes"])) for o in item["observables"]),
                str(item.get("exchange", "")),
            )
            for item in data["symmetries"]
        )
        features = tuple(FeatureLayout(f["name"], f["label"], f["unit"]) for f in data["features"])
        grid = CellGrid.from_dict(data["cells"])
        return cls(
            data["plan"],
            data["fingerprint"],
            grid,
            symmetries,
            features,
            bool(data["weighted"]),
            int(data["max_stored"]),
            tuple(SpectrumLayout.from_dict(item) for item in data.get("spectra", ())),
            _calibration(data.get("calibration")),
            tuple(map(str, data.get("known", ()))),
            EventSplit.from_dict(data.get("split")),
            tuple(ComparisonLayout.from_dict(item) for item in data.get("comparisons", ())),
        )


def _calibration(data: Mapping[str, Any] | None) -> CalibrationLayout | None:
    if data is None:
        return None
    return CalibrationLayout(str(data["digest"]), None if data["fit"] is None else FitRecord.from_dict(data["fit"]))


def _difference(first: Any, second: Any, at: str = "") -> str:
    """Return where JSON data first differ, and how; empty where they do not."""
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        pairs = [(f"{at}.{key}" if at else key, first[key], second[key]) for key in first]
    elif isinstance(first, list | tuple) and isinstance(second, list | tuple) and len(first) == len(second):
        pairs = [(f"{at}[{number}]", one, other) for number, (one, other) in enumerate(zip(first, second, strict=True))]
    else:
        return "" if first == second else f"{at} is {first!r:.80} and {second!r:.80}"
    return next(filter(None, (_difference(one, other, place) for place, one, other in pairs)), "")
