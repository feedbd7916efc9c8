"""What is expected of side B: kappa, how well it is known, and what is known of the efficiencies bin by bin.

The scan asks this room once per (symmetry, observable). ``Expectation()`` is the plan's kappa, taken as exact.

Examples
--------
>>> Expectation(kappa="global", systematic=0.02).method
'kappa from the totals, systematic 2 % a bin'
>>> Expectation().plain
True
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError, UnknownNameError
from coffea_ddp.stats.status import Status

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.histograms import Histograms

KINDS = ("plan", "global", "cell")


@dataclass(frozen=True)
class Expectation:
    """How the expected ratio B / A is known.

    Attributes
    ----------
    kappa
        ``"plan"``: the symmetry's own; a number: for all symmetries; ``"global"``: from the totals of each symmetry;
        ``"cell"``: from the totals of each cell, which then says nothing about the normalisation.
    kappa_error
        Relative uncertainty of a given kappa, common to all bins and cells.
    systematic
        Relative uncertainty of the ratio in every bin, independent from bin to bin, the same in all cells.
    correction
        Efficiency of side B over that of side A per bin: whatever
        :func:`coffea_ddp.corrections.efficiency_ratio` takes, or a mapping from observables to that. Observables that
        it does not know are not corrected.
    """

    kappa: float | str = "plan"
    kappa_error: float = 0.0
    systematic: float = 0.0
    correction: Any = None

    def __post_init__(self) -> None:
        named = isinstance(self.kappa, str)
        if named and self.kappa not in KINDS:
            raise InputError(f"kappa={self.kappa!r}: give a positive number, or one of {', '.join(KINDS)}")
        if not named and not (math.isfinite(float(self.kappa)) and float(self.kappa) > 0):
            raise InputError(f"kappa={self.kappa!r}: the expected ratio B/A is a positive number")
        for name in ("kappa_error", "systematic"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise InputError(f"{name}={value!r}: a relative uncertainty is between 0 and 1")
        if self.kappa_error and self.estimated:
            raise InputError(f"kappa_error={self.kappa_error}: kappa={self.kappa!r} brings its own; leave it out")

    @property
    def estimated(self) -> bool:
        """Whether kappa comes from the data."""
        return self.kappa in ("global", "cell")

    @property
    def plain(self) -> bool:
        """Whether this is the plan's kappa, taken as exact."""
        return self == Expectation()

    @property
    def equal_odds(self) -> bool:
        """Whether all events of a cell are expected on side B with one probability: what keeping N_A asks for."""
        return self.correction is None and not self.systematic and not self.kappa_error

    @property
    def method(self) -> str:
        """What is used, in words; empty for the plain one."""
        kappa = {"plan": "", "global": "kappa from the totals", "cell": "kappa from each cell"}
        words = [kappa[self.kappa] if isinstance(self.kappa, str) else f"kappa = {self.kappa:g}"]
        words += [f"kappa known to {100 * self.kappa_error:g} %"] * bool(self.kappa_error)
        words += [f"systematic {100 * self.systematic:g} % a bin"] * bool(self.systematic)
        words += ["B corrected for its efficiency"] * (self.correction is not None)
        return ", ".join(filter(None, words))

    def of(self, hists: Histograms, symmetry: str, observable: str) -> ChannelExpectation:
        """Return what is expected of one observable of one symmetry.

        Raises
        ------
        InputError, FileError
            If the correction cannot be used; if kappa is to be estimated and a side is empty.
        """
        layout = hists.layout.symmetry(symmetry)
        axes = hists.layout.channels[hists.layout.channel_number(symmetry, observable)].axes
        _, contents, squares = hists.matrices(symmetry, observable)
        n_bins = math.prod(contents.shape[2:])
        ratio, spread = self._bins(observable, axes, n_bins)
        kappa, estimated_from, status = layout.kappa, None, None
        if self.estimated:
            found = _totals(hists, symmetry, contents.reshape(len(contents), 2, n_bins), squares, ratio)
            if min(found[0], found[1]) > 0:
                kappa, estimated_from = found[1] / found[0], found[2] if self.kappa == "global" else None
            else:
                status = Status.NO_RATIO
        elif not isinstance(self.kappa, str):
            kappa = float(self.kappa)
        return ChannelExpectation(
            kappa=kappa,
            own=self.kappa == "cell",
            ratio=ratio,
            spread=spread,
            kappa_error=self.kappa_error,
            estimated_from=estimated_from,
            plan_kappa=layout.kappa,
            weighted=squares is not None,
            status=status,
        )

    def _bins(self, observable: str, axes: tuple[Any, ...], n_bins: int) -> tuple[FloatArray, FloatArray]:
        spread = np.full(n_bins, self.systematic)
        source = self.correction.get(observable) if isinstance(self.correction, Mapping) else self.correction
        if source is None or not axes:
            return np.ones(n_bins), spread
        from coffea_ddp.corrections import efficiency_ratio  # correctionlib, where it is used

        found = efficiency_ratio(source, axes, missing_ok=True)
        if found is None:
            return np.ones(n_bins), spread
        return found.ratio.reshape(-1), np.hypot(spread, (found.error / found.ratio).reshape(-1))

    def check(self, hists: Histograms, channels: list[tuple[str, list[str]]]) -> None:
        """Stop where a correction corrects nothing.

        Raises
        ------
        InputError, UnknownNameError
            If it names an observable that does not exist, or fits none of those that are scanned.
        """
        if self.correction is None:
            return
        from coffea_ddp.corrections import efficiency_ratio

        names = {name for _, observables in channels for name in observables}
        if isinstance(self.correction, Mapping):
            for name in self.correction:
                if name not in names:
                    known = ", ".join(map(repr, sorted(names)))
                    raise UnknownNameError(f"correction: no observable {name!r} in this scan; it has: {known}")
            return
        fitting = {
            channel.observable
            for channel in hists.layout.channels
            if channel.observable in names
            and channel.axes
            and efficiency_ratio(self.correction, channel.axes, missing_ok=True) is not None
        }
        if not fitting:
            raise InputError(
                f"the correction fits none of the observables of this scan: {', '.join(map(repr, sorted(names)))}; "
                "its inputs have to be called like their axes"
            )
        if len(fitting) > 1 and not _named(self.correction):
            raise InputError(
                f"an array of corrections fits {len(fitting)} observables: {', '.join(map(repr, sorted(fitting)))}; "
                "say of which it is, as in {observable: array} (--correction OBSERVABLE=FILE)"
            )


def _totals(
    hists: Histograms, symmetry: str, contents: FloatArray, squares: FloatArray | None, ratio: FloatArray
) -> tuple[float, float, float]:
    """Return what kappa is estimated from: A (as if it had B's efficiency), B, and the (effective) events of both.

    All events of the symmetry; with a correction those in range, as it says nothing of the others.
    """
    if (ratio == 1).all():
        _, events, all_squares = hists.matrices(symmetry)
        sides, width = events.sum(axis=0), None if all_squares is None else float(all_squares.sum())
    else:
        within = contents.sum(axis=0) * np.stack([ratio, np.ones_like(ratio)])
        sides, width = within.sum(axis=1), None if squares is None else float(squares.sum())
    total = float(sides.sum() if (ratio == 1).all() else contents.sum())
    return float(sides[0]), float(sides[1]), total if width is None else total**2 / width


def _named(correction: Any) -> bool:
    """Return whether a correction names its inputs: a correctionlib file or object."""
    text = str(correction) if isinstance(correction, str | Path) else ""
    return hasattr(correction, "evaluate") or (bool(text) and not text.endswith((".npy", ".npz")))


@dataclass(frozen=True, eq=False)
class ChannelExpectation:
    """What is expected of one observable of one symmetry.

    Attributes
    ----------
    kappa
        The expected ratio, without the factors per bin; where cells have their own, that of all of them.
    own
        Whether every cell has its own instead, from its totals.
    ratio, spread
        Per bin, the factor on kappa and the relative uncertainty; shape (n_bins,).
    kappa_error
        Relative, common to all bins.
    estimated_from
        The number of (effective) events that kappa was estimated from; ``None``: it was given.
    plan_kappa
        The plan's.
    weighted
        Whether contents are sums of weights.
    status
        Why nothing can be tested; ``None`` where it can.
    """

    kappa: float
    own: bool
    ratio: FloatArray
    spread: FloatArray
    kappa_error: float
    estimated_from: float | None
    plan_kappa: float
    weighted: bool
    status: Status | None

    @property
    def exact(self) -> bool:
        """Whether the split of the events of any region is binomial with one known probability."""
        return not (self.own or self.weighted or self.spread.any() or (self.ratio != 1).any())

    @property
    def plain(self) -> bool:
        """Whether this is the plan's kappa, taken as exact."""
        given = self.kappa == self.plan_kappa and not self.kappa_error and self.estimated_from is None
        return given and not (self.own or self.spread.any() or (self.ratio != 1).any())

    @property
    def varying(self) -> bool:
        """Whether the probability of side B is not one number for all events, or not known as one."""
        return bool(self.kappa_error or self.spread.any() or (self.ratio != 1).any())

    @property
    def fixed(self) -> bool:
        """Whether N_A has to be kept by relabelling: kappa is that of the same totals."""
        return self.estimated_from is not None
