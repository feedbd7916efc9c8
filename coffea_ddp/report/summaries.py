"""The summaries of a report: global p-values, numbers of cells and trials, and the distribution of z.

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
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import FormatError

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray


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

    def with_counts(self, other: ZHistogram) -> ZHistogram:
        """Return the histogram with the values of another one, of the same bins, in it."""
        both = np.add(self.counts, other.counts, dtype=np.int64)
        return dataclasses.replace(self, counts=tuple(both.tolist()))

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
