"""Expectation of side B: kappa, its uncertainty, and the efficiencies bin by bin, for every symmetry on its own.

``Expectation()`` is the plan's kappa, taken as exact. What holds for one symmetry says nothing about another: a number
for kappa, and a correction, belong to one symmetry each.

Examples
--------
>>> Expectation(kappa="global", systematic=0.02).method
'kappa from the totals, systematic 2 % a bin'
>>> Expectation(kappa={"e/mu": 1.15, "*": "global"}, kappa_error={"e/mu": 0.02}).method
'e/mu: kappa = 1.15, kappa known to 2 %; others: kappa from the totals'
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError, named
from coffea_ddp.scanning.bin_shares import BinRatios, kappa_of_totals, shares_of_bins
from coffea_ddp.scanning.per_symmetry import OTHERS, Channels, check_keys, check_names, given_for, listed
from coffea_ddp.stats import checks
from coffea_ddp.stats.side_weights import side_ratio
from coffea_ddp.stats.status import Status

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray
    from coffea_ddp.histograms.cell_counts import CellCounts
    from coffea_ddp.histograms.layout import Layout
    from coffea_ddp.scanning.channel_shares import ChannelShares

KINDS = ("plan", "global", "cell")

_PER_SYMMETRY: dict[str, Any] = {"kappa": "plan", "kappa_error": 0.0, "systematic": 0.0}
"""Fields that may be mappings from symmetries, with the values for symmetries that are not named."""


@dataclass(frozen=True)
class Expectation:
    """Expected ratio B / A of every symmetry, and its uncertainty.

    Attributes
    ----------
    kappa
        ``"plan"``: the symmetry's own; ``"global"``: from the totals of each symmetry; ``"cell"``: from the totals of
        each cell, which then says nothing about the normalisation; a number, where one symmetry is scanned. Or a
        mapping from symmetries to these, as ``{"e/mu": 1.15, "*": "global"}``; ``"*"`` are all others (the plan's kappa
        where it is left out).
    kappa_error
        Relative uncertainty of kappa, common to all bins and cells: of every symmetry whose kappa is not estimated from
        the data, or a mapping from symmetries.
    systematic
        Relative uncertainty of the ratio in every bin, independent from bin to bin, the same in all cells; of every
        symmetry, or a mapping from symmetries.
    correction
        Efficiency of side B over that of side A per bin: whatever
        :func:`coffea_ddp.scanning.corrections.efficiency_ratio` takes, where one symmetry is scanned; or a mapping to
        that from ``"symmetry:observable"``, from symmetries, or from observables that one symmetry alone has. A
        correction of an observable has to fit its bins; one of a symmetry corrects the observables that it fits.

    calibration
        Efficiencies of muons over those of electrons, for all symmetries that exchange their flavours: a
        :class:`~coffea_ddp.calibration.calibration.Calibration`, the path of one, or ``"events"``, which learns one
        from the stored events; all events have to be stored. An output that was filled with a calibration has its own,
        which is always used.
    control
        The cell whose events are fitted where the calibration is learned, as for :func:`coffea_ddp.calibrate`.
    leave_out
        Cells are tested with a fit without the events of the rarest object that they ask for
        (:mod:`coffea_ddp.scanning.relatives`).

    Raises
    ------
    InputError
        If kappa is not above 0 or none of the words, an uncertainty is not between 0 and 1, or one is given of a kappa
        that is estimated and brings its own.

    Examples
    --------
    >>> Expectation(kappa={"e/mu": 1.15}, kappa_error=0.02).kappa
    {'e/mu': 1.15}
    """

    kappa: float | str | Mapping[str, float | str] = "plan"
    kappa_error: float | Mapping[str, float] = 0.0
    systematic: float | Mapping[str, float] = 0.0
    correction: Any = None
    calibration: Any = None
    control: Any = None
    leave_out: bool = False

    def __post_init__(self) -> None:
        """Check what is given."""
        self._check_learned()
        for name in _PER_SYMMETRY:
            given = getattr(self, name)
            if isinstance(given, Mapping) and not given:
                raise InputError(f"{name}={{}}: an empty mapping; leave it out, or name a symmetry")
            for symmetry, value in given.items() if isinstance(given, Mapping) else [("", given)]:
                where = f"{name}[{symmetry!r}]" if symmetry else name
                if name == "kappa":
                    _check_kappa(value, where)
                elif not 0 <= checks.number(value, where) < 1:
                    raise InputError(f"{where}={value!r}: a relative uncertainty is between 0 and 1")
        if not isinstance(self.kappa_error, Mapping):
            words = list(self.kappa.values()) if isinstance(self.kappa, Mapping) else [self.kappa]
            if self.kappa_error and all(word in ("global", "cell") for word in words):
                raise InputError(f"kappa_error={self.kappa_error}: kappa={self.kappa!r} brings its own; leave it out")
            return
        for symmetry, error in self.kappa_error.items():
            kappa = given_for(self.kappa, symmetry, "plan")
            if error and kappa in ("global", "cell"):
                raise InputError(
                    f"kappa_error[{symmetry!r}]={error}: kappa={kappa!r} brings its own; leave it out, or give kappa"
                )

    def _check_learned(self) -> None:
        learned = isinstance(self.calibration, str) and self.calibration == "events"
        if self.control is not None and not learned:
            raise InputError(
                f"control={self.control!r}: a cell is fitted where a calibration is learned from the events of a scan; "
                "give calibration='events' (--calibrate), or leave it out"
            )

    def of_symmetry(self, symmetry: str) -> Expectation:
        """Return what holds for one symmetry, without mappings (but for the correction's)."""
        found = {name: given_for(getattr(self, name), symmetry, default) for name, default in _PER_SYMMETRY.items()}
        if found["kappa"] in ("global", "cell"):
            found["kappa_error"] = 0.0
        return replace(self, **found)

    def corrects(self, symmetry: str, observables: Sequence[str]) -> bool:
        """Return whether a correction is given of any observable of a symmetry."""
        return any(self._source(symmetry, name)[0] is not None for name in observables)

    def says_nothing_of(self, symmetry: str, observables: Sequence[str]) -> bool:
        """Return whether nothing but a calibration is given of a symmetry and its observables."""
        mine, corrected = self.of_symmetry(symmetry), self.corrects(symmetry, observables)
        return not corrected and mine.kappa == "plan" and not mine.kappa_error and not mine.systematic

    @property
    def estimated(self) -> bool:
        """True where kappa is estimated from the data, in every symmetry."""
        return self.kappa in ("global", "cell")

    @property
    def equal_odds(self) -> bool:
        """True where all events of a cell are expected on side B with one probability, as a fixed N_A needs."""
        return self.correction is None and not self.systematic and not self.kappa_error

    @property
    def method(self) -> str:
        """The expectation in words; empty for the plan's kappa, taken as exact."""
        given = [getattr(self, name) for name in _PER_SYMMETRY]
        named = dict.fromkeys(name for one in given if isinstance(one, Mapping) for name in one if name != OTHERS)
        corrected = [] if self.correction is None else ["B corrected for its efficiency"]
        corrected += [] if self.calibration is None else ["calibrated efficiencies of electrons and muons"]
        if not named:
            return ", ".join([*_words(self.of_symmetry(OTHERS)), *corrected])
        parts = {name: _words(self.of_symmetry(name)) for name in named} | {"others": _words(self.of_symmetry(OTHERS))}
        return "; ".join([*(f"{name}: {', '.join(words)}" for name, words in parts.items() if words), *corrected])

    def of(self, counts: CellCounts, events: CellCounts, plan_kappa: float) -> ChannelExpectation:
        """Return what is expected of one observable of one symmetry.

        Parameters
        ----------
        counts, events
            The contents of its exclusive cells, and the numbers of all events of the symmetry.
        plan_kappa
            The plan's.

        Raises
        ------
        InputError, FileError
            If the correction cannot be used; if kappa is to be estimated and a side is empty.
        """
        mine = self.of_symmetry(counts.symmetry)
        ratio, spread = _bins(mine, self._source(counts.symmetry, counts.observable), counts.axes, counts.n_bins)
        corrected = bool((ratio != 1).any())
        kappa, estimated_from, status = plan_kappa, None, None
        # All events of the symmetry; with a correction those in range, as it says nothing of the others.
        sample = (counts if corrected else events) if mine.estimated else None
        if sample is not None:
            found = kappa_of_totals(counts, ratio) if corrected else _ratio_of(events)
            if np.isfinite(found):
                kappa, estimated_from = found, _effective(sample) if mine.kappa == "global" else None
            else:
                status = Status.NO_RATIO
        elif not isinstance(mine.kappa, str):
            kappa = float(mine.kappa)  # type: ignore[arg-type]
        own, width = mine.kappa == "cell", _side_ratio(counts)
        bins = BinRatios(kappa, ratio, spread, float(mine.kappa_error))  # type: ignore[arg-type]
        shares = None
        if bins.varying and status is None:
            shares = shares_of_bins(counts, bins, side_ratio=width, of_totals=sample, own=own)
        return ChannelExpectation(
            kappa=kappa,
            per_cell=own,
            estimated_from=estimated_from,
            plan_kappa=plan_kappa,
            weighted=counts.squares is not None,
            status=status,
            side_ratio=width,
            shares=shares,
        )

    def _source(self, symmetry: str, observable: str) -> tuple[Any, bool]:
        """Return the correction of an observable, ``None`` where there is none, and whether it has to fit."""
        if not isinstance(self.correction, Mapping):
            return self.correction, False
        for key in (f"{symmetry}:{observable}", observable, symmetry):
            if key in self.correction:
                return self.correction[key], key != symmetry
        return None, False

    def check(self, layout: Layout, channels: Channels) -> None:
        """Stop where something is said that holds for nothing in a scan, or for more than it was meant for.

        Raises
        ------
        InputError
            If a number for kappa or a correction is given without saying of which of several symmetries, a correction
            does not fit the bins of its observable, or nothing at all.
        UnknownNameError
            If a symmetry or an observable is named that is not scanned.
        """
        symmetries = [name for name, _ in channels]
        for name, default in _PER_SYMMETRY.items():
            check_names(name, getattr(self, name), default, symmetries)
        rest = [name for name in symmetries if not isinstance(self.kappa, Mapping) or name not in self.kappa]
        kappa = given_for(self.kappa, OTHERS, "plan")
        if not isinstance(kappa, str) and len(rest) > 1:
            raise InputError(
                f"kappa={kappa:g} for {len(rest)} symmetries ({listed(rest)}): what is expected of one is wrong for "
                f"another; say of which it is, as in {{{rest[0]!r}: {kappa:g}}} (--kappa '{rest[0]}={kappa:g}')"
            )
        if not isinstance(self.kappa_error, Mapping) and self.kappa_error and symmetries:
            known = [name for name in symmetries if not self.of_symmetry(name).estimated]
            if not known:
                raise InputError(f"kappa_error={self.kappa_error}: no kappa of this scan is given; leave it out")
        for symmetry in symmetries:
            checks.ratio(layout.symmetry(symmetry).kappa, f"the plan's kappa of {symmetry!r}")
        if self.correction is None:
            return
        if isinstance(self.correction, Mapping):
            check_keys(list(self.correction), channels)
        elif len(symmetries) > 1:
            raise InputError(
                f"the correction is of one symmetry, and {len(symmetries)} are scanned ({listed(symmetries)}); say of "
                f"which it is, as in {{{symmetries[0]!r}: correction}} (--correction '{symmetries[0]}=FILE')"
            )
        from coffea_ddp.scanning.corrections import check_fits

        for symmetry, observables in channels:
            axes = {name: layout.channel(symmetry, name).axes for name in observables}
            check_fits(symmetry, {name: (*self._source(symmetry, name), axes[name]) for name in observables})


def _words(one: Expectation) -> list[str]:
    """Return what holds for one symmetry, in words."""
    kappa = {"plan": "", "global": "kappa from the totals", "cell": "kappa from each cell"}
    words = [kappa[one.kappa] if isinstance(one.kappa, str) else f"kappa = {one.kappa:g}"]
    words += [f"kappa known to {100 * float(one.kappa_error):g} %"] if one.kappa_error else []  # type: ignore[arg-type]
    words += [f"systematic {100 * float(one.systematic):g} % a bin"] if one.systematic else []  # type: ignore[arg-type]
    return [word for word in words if word]


def _bins(
    one: Expectation, correction: tuple[Any, bool], axes: tuple[Any, ...], n_bins: int
) -> tuple[FloatArray, FloatArray]:
    """Return the factor on kappa of every bin, and its relative uncertainty."""
    spread = np.full(n_bins, one.systematic)
    source, must_fit = correction
    if source is None or not axes:
        return np.ones(n_bins), spread
    from coffea_ddp.scanning.corrections import efficiency_ratio  # correctionlib, where it is used

    found = efficiency_ratio(source, axes, missing_ok=not must_fit)
    if found is None:
        return np.ones(n_bins), spread
    return found.ratio.reshape(-1), np.hypot(spread, (found.error / found.ratio).reshape(-1))


def as_expectation(function: str, given: Expectation | None) -> Expectation:
    """Return what is expected as it was given to a function; without any, what the plan says.

    Raises
    ------
    InputError
        If something else was given.

    Examples
    --------
    >>> as_expectation("scan", None).kappa
    'plan'
    """
    if given is None:
        return Expectation()
    if not isinstance(given, Expectation):
        raise InputError(f"{function}, expectation: got {named(given)}; give Expectation(kappa=1.1), or the like")
    return given


def _check_kappa(value: Any, where: str) -> None:
    if isinstance(value, str):
        if value not in KINDS:
            raise InputError(f"{where}={value!r}: give a positive number, or one of {', '.join(KINDS)}")
        return
    try:
        checks.number(value, where, above=0.0)
    except InputError:
        raise InputError(
            f"{where}={value!r}: the expected ratio B/A is a positive number; give one from {checks.LEAST_RATIO:g} to "
            f"{checks.MOST_RATIO:g}"
        ) from None
    checks.ratio(value, where)


def _ratio_of(events: CellCounts) -> float:
    """Return B / A of all events; NaN where a side is empty."""
    a, b = events.counts[:, :, 0].sum(axis=0).tolist()
    return b / a if min(a, b) > 0 else float("nan")


def _effective(sample: CellCounts) -> float:
    """Return the number of events of a sample, with weights the effective one."""
    total = float(sample.counts.sum())
    return total if sample.squares is None else total**2 / float(sample.squares.sum())


def _side_ratio(counts: CellCounts) -> float:
    """Return the relative size of B's weights, from all exclusive cells and bins."""
    if counts.squares is None:
        return 1.0
    sides = [values[:, side].reshape(-1) for values in (counts.counts, counts.squares) for side in (0, 1)]
    return float(side_ratio(*sides))


@dataclass(frozen=True, eq=False)
class ChannelExpectation:
    """Expectation of one observable of one symmetry.

    Attributes
    ----------
    kappa
        The expected ratio, without what differs from bin to bin; where cells have their own, that of all of them.
    per_cell
        True where every cell has its own instead, from its totals.
    estimated_from
        The number of (effective) events that kappa was estimated from; ``None``: it was given.
    plan_kappa
        The plan's.
    weighted
        True where contents are sums of weights.
    status
        Why nothing can be tested; ``None`` where it can.
    side_ratio
        How much larger weights are in B (:mod:`coffea_ddp.stats.side_weights`); 1 for weights of one law, and without.
    shares
        The expected shares of the events, in the place of all of the above, where they differ or are uncertain;
        ``None`` where all events have that of kappa.
    """

    kappa: float
    per_cell: bool
    estimated_from: float | None
    plan_kappa: float
    weighted: bool
    status: Status | None
    side_ratio: float = 1.0
    shares: ChannelShares | None = None

    def parts(self, cells: IntArray) -> Iterator[tuple[IntArray, ChannelExpectation]]:
        """Yield which of some distinct cells, given by their numbers, have one expectation, and that."""
        if self.shares is None:
            yield np.arange(len(cells)), self
            return
        for rows, shares in self.shares.parts(cells):
            yield rows, replace(self, shares=shares)

    @property
    def exact(self) -> bool:
        """True where the events of any region are split binomially with one known probability."""
        return not (self.per_cell or self.weighted or self.shares is not None)

    @property
    def nominal(self) -> bool:
        """True for the plan's kappa, taken as exact."""
        given = self.kappa == self.plan_kappa and self.estimated_from is None
        return given and not self.per_cell and self.shares is None

    @property
    def fixed(self) -> bool:
        """True where kappa is that of the same totals, so that relabelling has to keep N_A."""
        return self.estimated_from is not None
