"""The parts of a report: a row per test of a cell, a summary per symmetry, the distribution of z.

Each can be rebuilt from JSON-ready data, which may come from a stranger: what does not fit raises
``FormatError``.

Examples
--------
>>> histogram = ZHistogram().with_values(np.array([-12.0, 0.05, 0.06]))
>>> histogram.counts[0], histogram.counts[101]
(1, 2)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import FormatError
from coffea_ddp.report.regions import Region

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray

Number = int | float

SMALLEST_P = 1e-300
"""Below, a p-value is told by its z alone: doubles end at 2.2e-308."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One test of one cell. ``None`` where a thing does not apply or is not finite.

    Attributes
    ----------
    kind
        ``"symmetry"`` or ``"spectrum"``.
    symmetry, observable, cell
        The place: the cell by its shortest name.
    asks
        The axes that the cell asks about, in the order of the grid; ``None`` where that is not known.
    decays_to
        Of a spectrum: the objects and candidates of which it is the mass; empty where nothing tells them.
    number
        Of the row in its report, from 1.
    region
        A part of the observable's range, or of the spectrum around a bump; ``None`` for all of it.
    test, status
        The name of the test, and of a :class:`coffea_ddp.stats.Status`.
    method, p_method, global_method
        The test, how its local p (and that of the cell or spectrum) was made, and how its global p was made, in words;
        empty where there is no p. Reports of version 1 of the format have all in ``method``.
    reason
        Of what was not tested: why, in words.
    n_a, n_b
        In-range contents of A and of B: events, or sums of weights.
    statistic
        Of the test; positive where B is in excess.
    p_local, z_local, p_global, z_global
        Of this test alone, and after all trials of the report. Every z belongs to its p by the one convention of
        ``two_sided``. A p below 1e-300 is ``None``, as no double can hold it: its z tells it.
    rank
        Place among all trials, 1 is the best; ``None`` for what is not among the best of all but is the best of a
        (test, symmetry, observable), of a column of the table of symmetries, or of a spectrum.
    n_bins, kappa
        Non-empty bins, and the expected ratio B / A.
    asymmetry
        The relative difference of efficiency, equal in all bins, that would explain the statistic.
    aliases, n_regions
        Cells of the lattice with exactly these events; regions of the cell that were tested, ``None`` for the whole.
    p_cell, p_symmetry
        After the trials in this cell (all its regions; all bins and widths of this spectrum), and in this symmetry.
        p_local <= p_cell <= p_symmetry <= p_global.
    p_tail, p_tail_low, p_tail_high
        An extrapolation of ``p_global`` beyond what the number of pseudo-experiments resolves, from a fitted tail, and
        its 68 % interval; ``None`` where it is not needed.
    z_nominal
        z_local with the plan's kappa, taken as exact, and no correction or systematic error; ``None``
        where that is what was used.
    similar_to
        The rank of the strongest row of the same symmetry and direction that holds mostly the same events
        (see :func:`coffea_ddp.stats.grouping.leaders`); its own rank where there is none stronger, ``None`` without
        a rank.
    position, width, z_error
        Of a bump: its mass and the standard deviation of the signal in GeV, and the uncertainty of its z.
    low, high
        Of a spectrum: the fit range, in GeV.
    flags
        Of a spectrum: what is outside of the network's experience, in words; empty where nothing is.
    n_dropped
        Of a test on events: those of the cell that it did not see, as they were not stored or lack a feature.
    n_ge, n
        How many pseudo-experiments reach the row, of how many: what ``p_global`` of a symmetry is counted from,
        (n_ge + 1)/(n + 1); of a bump, the toys of its own smooth background, which are a check of ``p_cell``. ``None``
        without pseudo-experiments.
    n_ge_cell, n_cell
        The same for ``p_cell`` of a symmetry.
    two_sided
        True where p is that of a deviation of either sign, abs(Z) >= abs(z) (symmetries), False for an excess (bumps).
    """

    kind: str
    symmetry: str | None
    observable: str | None
    cell: str | None
    region: Region | None
    test: str
    n_a: Number | None
    n_b: Number | None
    statistic: float | None
    p_local: float | None
    z_local: float | None
    p_global: float | None
    z_global: float | None
    method: str
    status: str
    number: int | None = field(default=None, compare=False)
    asks: tuple[str, ...] | None = None
    decays_to: tuple[str, ...] = ()
    p_method: str = ""
    global_method: str = ""
    reason: str | None = None
    rank: int | None = None
    n_bins: int | None = None
    kappa: float | None = None
    asymmetry: float | None = None
    aliases: int | None = None
    similar_to: int | None = None
    n_regions: int | None = None
    p_cell: float | None = None
    p_symmetry: float | None = None
    p_tail: float | None = None
    p_tail_low: float | None = None
    p_tail_high: float | None = None
    z_nominal: float | None = None
    position: float | None = None
    width: float | None = None
    z_error: float | None = None
    low: float | None = None
    high: float | None = None
    flags: str | None = None
    n_dropped: int | None = None
    n_ge: int | None = None
    n: int | None = None
    n_ge_cell: int | None = None
    n_cell: int | None = None
    two_sided: bool | None = None

    @property
    def is_leading(self) -> bool:
        """True where no stronger row holds mostly the same events."""
        return self.similar_to in (None, self.rank)

    @property
    def is_bound(self) -> bool:
        """True where ``p_global`` is a bound: no pseudo-experiment reaches the row, so p is below 1 / (n + 1)."""
        if self.kind == "spectrum" or self.n is None or self.n_ge != 0 or self.p_global is None:
            return False
        return math.isclose(self.p_global, 1.0 / (self.n + 1), rel_tol=1e-9)

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            # JSON knows no NaN and no infinity.
            if isinstance(value, float) and (not math.isfinite(value) or (name in _P and 0 <= value < SMALLEST_P)):
                object.__setattr__(self, name, None)
        if self.two_sided is None:
            object.__setattr__(self, "two_sided", self.kind != "spectrum")

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON-ready data, one key for each of :data:`COLUMNS`."""
        lists = {name: list(value) for name, value in vars(self).items() if isinstance(value, tuple)}
        return {**vars(self), **lists, "region": None if self.region is None else self.region.to_dict()}

    def to_flat(self) -> dict[str, Any]:
        """Return the row as one line of a table, a value for each of :data:`COLUMNS`: region and names are text."""
        texts = {name: ", ".join(value) for name, value in vars(self).items() if isinstance(value, tuple)}
        return {**vars(self), **texts, "region": None if self.region is None else str(self.region)}

    @classmethod
    def from_dict(cls, data: Any) -> Row:
        """Return the row that :meth:`to_dict` described; keys of later versions are left out.

        Raises
        ------
        FormatError
            If a key is missing or a value is of another type.
        """
        if not isinstance(data, Mapping) or not data.keys() >= _REQUIRED:
            raise FormatError(
                f"a row lacks one of {', '.join(sorted(_REQUIRED))}; make it again with `coffea-ddp scan`"
            )
        for name, kinds in _KINDS.items():
            value = data.get(name)
            if value is not None and type(value) not in kinds:
                raise FormatError(f"a row's {name!r} is {type(value).__name__}; make it again with `coffea-ddp scan`")
        values = {name: data[name] for name in COLUMNS if name in data}
        if values["region"] is not None:
            values["region"] = Region.from_dict(values["region"])
        for name in _LISTS:
            if values.get(name) is not None:
                values[name] = tuple(map(str, typed(values, name, list)))
        return cls(**{name: value for name, value in values.items() if value is not None or name in _REQUIRED})


COLUMNS = tuple(item.name for item in dataclasses.fields(Row))
_REQUIRED = frozenset(item.name for item in dataclasses.fields(Row) if item.default is dataclasses.MISSING)
_TEXT = frozenset(
    {"kind", "symmetry", "observable", "cell", "test", "method", "status", "flags"}
    | {"p_method", "global_method", "reason"}
)
WHOLE = frozenset(
    {"number", "rank", "n_bins", "aliases", "similar_to", "n_regions", "n_dropped", "n_ge", "n", "n_ge_cell", "n_cell"}
)
_FLAGS = frozenset({"two_sided"})
_LISTS = ("asks", "decays_to")
_KINDS = {
    name: (str,) if name in _TEXT else (int,) if name in WHOLE else (bool,) if name in _FLAGS else (int, float)
    for name in COLUMNS
    if name not in ("region", *_LISTS)
}
_P = frozenset(name for name in COLUMNS if name.startswith("p_"))


@dataclass(frozen=True, kw_only=True)
class GlobalP:
    """Global p-value of the best of many trials, from pseudo-experiments of all of them.

    Attributes
    ----------
    scope
        The trials: the name of a symmetry, or ``None`` for the whole report.
    what
        ``"min-p"``: the smallest p of all tests and observables; or ``"max NAME"``: the largest z of one test.
    score
        The observed value, a z.
    p_value, n_ge, n
        ``(n_ge + 1) / (n + 1)``; how many pseudo-experiments reach the score, and how many there are.
    p_tail, p_tail_low, p_tail_high
        From a fitted tail, with its 68 % interval; ``None`` where it is not needed.
    method
        How the pseudo-experiments were made.
    """

    scope: str | None
    what: str
    score: float
    p_value: float
    n_ge: int
    n: int
    method: str
    p_tail: float | None = None
    p_tail_low: float | None = None
    p_tail_high: float | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GlobalP:
        """Return what ``dataclasses.asdict`` described.

        Raises
        ------
        FormatError, KeyError, TypeError, ValueError
            If it is none.
        """
        scope = data.get("scope")
        tails = {name: data.get(name) for name in ("p_tail", "p_tail_low", "p_tail_high")}
        return cls(
            scope=None if scope is None else str(scope),
            what=typed(data, "what", str),
            score=float(data["score"]),
            p_value=float(data["p_value"]),
            n_ge=typed(data, "n_ge", int),
            n=typed(data, "n", int),
            method=typed(data, "method", str),
            **{name: None if value is None else float(value) for name, value in tails.items()},
        )


@dataclass(frozen=True)
class SymmetrySummary:
    """Numbers of cells and of trials of one symmetry.

    Attributes
    ----------
    symmetry, sides, kappa
        The symmetry, the names of A and B, the expected ratio.
    n_cells, n_empty, n_distinct
        Cells of the lattice; those that hold no event; different sets of events among the others.
    statuses
        Outcome -> number of (observable, distinct cell, test).
    """

    symmetry: str
    sides: tuple[str, str]
    kappa: float
    n_cells: int
    n_empty: int
    n_distinct: int
    statuses: Mapping[str, int] = field(default_factory=dict)

    @property
    def n_aliases(self) -> int:
        """Cells that hold the events of another one with a shorter name, and are not tested again."""
        return self.n_cells - self.n_empty - self.n_distinct

    @property
    def n_tested(self) -> int:
        """Number of trials."""
        return self.statuses.get("OK", 0)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SymmetrySummary:
        """Return the summary that ``dataclasses.asdict`` described.

        Raises
        ------
        FormatError, KeyError, TypeError, ValueError
            If it is none.
        """
        first, second = typed(data, "sides", list)
        return cls(
            symmetry=typed(data, "symmetry", str),
            sides=(str(first), str(second)),
            kappa=float(data["kappa"]),
            n_cells=typed(data, "n_cells", int),
            n_empty=typed(data, "n_empty", int),
            n_distinct=typed(data, "n_distinct", int),
            statuses={str(name): int(count) for name, count in typed(data, "statuses", dict).items()},
        )


@dataclass(frozen=True)
class ZHistogram:
    """The distribution of z over all trials, those that are not kept as rows included.

    Attributes
    ----------
    low, high
        The range of the bins, which are of equal width.
    counts
        Below the range, in each bin, above the range.
    """

    low: float = -10.0
    high: float = 10.0
    counts: tuple[int, ...] = (0,) * 202

    @property
    def edges(self) -> FloatArray:
        """Edges of the bins within the range, shape (n_bins + 1,)."""
        return np.linspace(self.low, self.high, len(self.counts) - 1)

    def with_values(self, z: FloatArray) -> ZHistogram:
        """Return the histogram with more values in it, all finite."""
        places = np.searchsorted(self.edges, z, side="right")
        more = np.bincount(places, minlength=len(self.counts))
        return dataclasses.replace(self, counts=tuple((np.array(self.counts, dtype=np.int64) + more).tolist()))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ZHistogram:
        """Return the histogram that ``dataclasses.asdict`` described; the empty one of no data at all.

        Raises
        ------
        FormatError, KeyError, TypeError, ValueError
            If it is none.
        """
        if not data:
            return cls()
        low, high, counts = (
            float(data["low"]),
            float(data["high"]),
            tuple(int(count) for count in data["counts"]),
        )
        if not (low < high and len(counts) > 2):
            raise FormatError("the histogram of z has no bins; make it again with `coffea-ddp scan`")
        return cls(low, high, counts)


def typed(data: Mapping[str, Any], key: str, kind: type, default: Any = None) -> Any:
    """Return ``data[key]``, checked to be of a kind; without a default it has to be there.

    Raises
    ------
    FormatError
        If it is of another kind.
    KeyError
        If it is not there and has no default.
    """
    value = data[key] if default is None else data.get(key, default)
    # bool is an int to Python, and never one in a report.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise FormatError(
            f"{key!r} is {type(value).__name__}, not {kind.__name__}; make it again with `coffea-ddp scan`"
        )
    return value
