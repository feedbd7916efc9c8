"""Global p-values of the largest deviations of a scan.

With pseudo-experiments: min-p over the families (one test of one observable of one symmetry each), whose labels are
shared or, where they are not, drawn independently, which is a bound. Without: the Sidak bound over all regions, each
test paying for the number of tests besides.

Examples
--------
>>> found = bounds([("nsigma", "e/mu", "met")], np.array([4.0]), {"nsigma": 100})
>>> round(float(found.p_global[0]), 4)
0.0063
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.report.parts import SMALLEST_P
from coffea_ddp.report.summaries import GlobalP
from coffea_ddp.stats.min_p import combine
from coffea_ddp.stats.tail import NullSample, PermutationP
from coffea_ddp.stats.trials import p_from_z, sidak_z, z_from_p

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.scanning.scanned import Family, NullScores


@dataclass(frozen=True, eq=False)
class GlobalSignificance:
    """Global significance of the deviations; arrays of shape (n_deviations,), NaN where there is none.

    Attributes
    ----------
    p_cell, p_symmetry, p_global, z_global
        See :class:`coffea_ddp.report.rows.Row`.
    n_ge, n_ge_cell
        How many pseudo-experiments reach them, among all trials and in their own cell.
    n
        How many pseudo-experiments there are; 0: none.
    tails
        ``p_tail``, ``p_tail_low`` and ``p_tail_high``; shape (n_deviations, 3).
    summary
        Global significance of the best of each symmetry, of each test, and of all.
    method
        How the global p-values were made.
    """

    p_cell: FloatArray
    p_symmetry: FloatArray
    p_global: FloatArray
    z_global: FloatArray
    n_ge: FloatArray
    n_ge_cell: FloatArray
    n: int
    tails: FloatArray
    summary: tuple[GlobalP, ...]
    method: str


def bounds(families: Sequence[Family], statistics: FloatArray, trials: Mapping[str, int]) -> GlobalSignificance:
    """Return Sidak bounds.

    Parameters
    ----------
    families
        The test, symmetry and observable of every deviation.
    statistics
        The signed z of their local p-values; shape (n_deviations,).
    trials
        Number of regions that each test tested.
    """
    n_tests = len(trials)
    n_trials = np.array([max(1, n_tests * trials[test]) for test, _, _ in families], dtype=np.float64)
    nothing = np.full(len(statistics), np.nan)
    z_global = sidak_z(np.array(statistics, dtype=np.float64), n_trials)
    total = " + ".join(f"{number:,} of {test}" for test, number in trials.items()) if n_tests > 1 else ""
    total = f"{total}, times {n_tests} tests" if total else f"{sum(trials.values())} trials"
    return GlobalSignificance(
        nothing, nothing, p_from_z(z_global, two_sided=True), z_global, nothing, nothing, 0,
        np.full((len(statistics), 3), np.nan), (), f"Sidak bound over {total}",
    )  # fmt: skip


def from_nulls(
    families: Sequence[Family],
    cells: Sequence[int],
    statistics: FloatArray,
    nulls: Mapping[Family, NullScores],
    *,
    how: str,
) -> GlobalSignificance:
    """Return p-values from the pseudo-experiments of a scan.

    Parameters
    ----------
    families, cells
        The test, symmetry and observable, and the number of the cell, of every deviation.
    statistics
        Their signed z; shape (n_deviations,).
    nulls
        The pseudo-experiments of every family.
    how
        How labels were drawn, in words.
    """
    scores = np.abs(statistics)
    names = list(nulls)
    mine = {name: np.flatnonzero([family == name for family in families]) for name in names}
    combined = combine([nulls[name].best for name in names], [scores[mine[name]] for name in names])
    scale = np.zeros(len(scores))
    for name, z in zip(names, combined.z, strict=True):
        scale[mine[name]] = z
    everything = _Largest.of(combined.null.max(axis=0), nulls.values())
    symmetries = {symmetry: [i for i, name in enumerate(names) if name[1] == symmetry] for _, symmetry, _ in names}
    of_symmetry = {
        symmetry: _Largest.of(combined.null[rows].max(axis=0), [nulls[names[i]] for i in rows])
        for symmetry, rows in symmetries.items()
    }
    p_global = [everything.sample.p(z) for z in scale.tolist()]
    p_symmetry = [
        of_symmetry[symmetry].sample.p(z) for (_, symmetry, _), z in zip(families, scale.tolist(), strict=True)
    ]
    p_cell = [
        NullSample(nulls[family].kept[cell]).p(score, tail=False)
        for family, cell, score in zip(families, cells, scores.tolist(), strict=True)
    ]
    values = np.array([p.p_value for p in p_global])
    best_of = _best_of_symmetries(families, scale, of_symmetry, how)
    best = int(scale.argmax())
    summary = [
        *best_of,
        *_best_of_tests(families, scores, nulls, how),
        _global_p(None, "min-p", float(scale[best]), everything, how, least=p_symmetry[best]),
    ]
    return GlobalSignificance(
        np.array([p.p_value for p in p_cell]),
        np.array([p.p_value for p in p_symmetry]),
        values,
        np.copysign(np.maximum(z_from_p(values, two_sided=True), 0.0), statistics) + 0.0,
        np.array([float(p.n_ge) for p in p_global]),
        np.array([float(p.n_ge) for p in p_cell]),
        len(everything.sample),
        np.array([_tail(p, least) for p, least in zip(p_global, p_symmetry, strict=True)]),
        tuple(summary),
        f"(n + 1)/({len(everything.sample)} + 1) pseudo-experiments, min-p over {len(names)} (test, observable) pairs; "
        f"{how}, {everything.relation}",
    )


class _Largest(NamedTuple):
    """The largest scores of some families in every pseudo-experiment; ``shared`` where their labels are the same."""

    sample: NullSample
    shared: bool

    @classmethod
    def of(cls, scores: FloatArray, nulls: Iterable[NullScores]) -> _Largest:
        found = list(nulls)
        return cls(NullSample(scores), len(found) == 1 or all(null.keyed for null in found))

    @property
    def relation(self) -> str:
        """Relation of the labels of the families, in words."""
        return "keyed to the events" if self.shared else "drawn anew for each observable (a bound)"


def _tail(found: PermutationP, least: PermutationP | None = None) -> tuple[float, float, float]:
    """Return an extrapolated p with its interval, NaN where there is none; never below that of a part of the trials.

    The tails of all trials and of a part are fitted to different samples, and could contradict each other.
    """
    tails = [np.nan if p is None else p for p in (found.p_tail, found.p_low, found.p_high)]
    if least is not None:
        # Not a number is below nothing: what is not known stays so.
        tails = [max(p, own) for p, own in zip(tails, _tail(least), strict=True)]
    return tails[0], tails[1], tails[2]


def _global_p(
    scope: str | None, what: str, score: float, largest: _Largest, how: str, *, least: PermutationP | None = None
) -> GlobalP:
    found: PermutationP = largest.sample.p(score)
    tails = (None if np.isnan(p) or p < SMALLEST_P else p for p in _tail(found, least))
    names = ("p_tail", "p_tail_low", "p_tail_high")
    return GlobalP(
        scope=scope, what=what, score=score, p_value=found.p_value, n_ge=found.n_ge, n=found.n,
        method=f"{how}, {largest.relation}", **dict(zip(names, tails, strict=True)),
    )  # fmt: skip


def _best_of_symmetries(
    families: Sequence[Family], scale: FloatArray, largest: Mapping[str, _Largest], how: str
) -> list[GlobalP]:
    best: dict[str, float] = {}
    for (_, symmetry, _), z in zip(families, scale.tolist(), strict=True):
        best[symmetry] = max(best.get(symmetry, 0.0), z)
    return [_global_p(symmetry, "min-p", z, largest[symmetry], how) for symmetry, z in best.items()]


def _best_of_tests(
    families: Sequence[Family], scores: FloatArray, nulls: Mapping[Family, NullScores], how: str
) -> list[GlobalP]:
    best: dict[str, float] = {}
    for (test, _, _), score in zip(families, scores.tolist(), strict=True):
        best[test] = max(best.get(test, 0.0), score)
    rows = []
    for test, score in best.items():
        of_test = [null for name, null in nulls.items() if name[0] == test]
        largest = _Largest.of(np.max([null.best for null in of_test], axis=0), of_test)
        rows.append(_global_p(None, f"max {test}", score, largest, how))
    return rows
