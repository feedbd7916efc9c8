"""Rows of the largest deviations: ranked, and grouped where they hold mostly the same events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coffea_ddp.histograms.axes import quantity
from coffea_ddp.report.ordering import sort_key
from coffea_ddp.report.parts import RatioPart, TailPart
from coffea_ddp.report.regions import Range, Region
from coffea_ddp.report.rows import Row
from coffea_ddp.scanning.deviations import place_of
from coffea_ddp.stats.grouping import leaders
from coffea_ddp.stats.status import Status
from coffea_ddp.stats.trials import p_from_z

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray, IntArray
    from coffea_ddp.histograms.cell_counts import CellCounts
    from coffea_ddp.scanning.deviations import BestDeviations, Deviation
    from coffea_ddp.scanning.global_p import GlobalSignificance

CountsOf = Callable[..., "CellCounts"]
"""Names of a symmetry and an observable (by default the number of events) -> the contents of its exclusive cells."""


def ranked_rows(
    found: BestDeviations, counts: CountsOf, deviations: Sequence[Deviation], significance: GlobalSignificance
) -> tuple[Row, ...]:
    """Return the rows: the best of all, ranked, then the best of other families and columns without a rank.

    They are in the order of :mod:`coffea_ddp.report.ordering`. Where there are trials that are no deviations, a
    rank is given only to those that are sure to be better.
    """
    keys = [sort_key(p, c.statistic) for p, c in zip(significance.p_global.tolist(), deviations, strict=True)]
    ranked = sorted(range(len(deviations)), key=keys.__getitem__)
    best = {place_of(leader) for leader in found.besides()}
    chosen = {place_of(deviation) for mine in found.of_test.values() for deviation in mine}
    among = [i for i in ranked if place_of(deviations[i]) in chosen][: found.best]
    shown = set(among)
    rest = [i for i in ranked if i not in shown and place_of(deviations[i]) in best]
    ranks: dict[int, int | None] = {number: rank for rank, number in enumerate(among, 1)}
    similar = _similar(counts, deviations, among)
    p_local = p_from_z(np.array([deviation.bound for deviation in deviations]), two_sided=True).tolist()
    return tuple(
        _row(deviations[i], (ranks.get(i), similar.get(i)), p_local[i], significance, i, number)
        for number, i in enumerate([*among, *rest], 1)
    )


def _similar(counts: CountsOf, deviations: Sequence[Deviation], among: Sequence[int]) -> dict[int, int]:
    """Return for every deviation the rank of the strongest one that holds mostly the same events."""
    similar: dict[int, int] = {}
    for symmetry in dict.fromkeys(deviations[i].family.symmetry for i in among):
        mine = [(rank, i) for rank, i in enumerate(among, 1) if deviations[i].family.symmetry == symmetry]
        chosen = [deviations[i] for _, i in mine]
        heads = leaders(
            chosen[0].family.cells.sparse_members([deviation.cell for deviation in chosen]),
            _Contents(counts, symmetry, chosen).of,
            [deviation.statistic for deviation in chosen],
            apart=_apart(chosen),
        )
        similar |= {i: mine[head][0] for (_, i), head in zip(mine, heads.tolist(), strict=True)}
    return similar


class _Contents:
    """Number of events of deviations in every exclusive cell: all of them, or those in its region."""

    def __init__(self, counts: CountsOf, symmetry: str, chosen: Sequence[Deviation]) -> None:
        self._counts, self._symmetry, self._chosen = counts, symmetry, chosen
        self._filled: dict[str, _Filled] = {}
        self._all: FloatArray = np.maximum(counts(symmetry).counts[:, :, 0].sum(axis=1), 0.0)

    def of(self, number: int) -> FloatArray:
        """Return the numbers of one deviation, shape (n_codes,)."""
        deviation = self._chosen[number]
        if deviation.region is None:
            return self._all
        name = deviation.family.observable
        if name not in self._filled:
            self._filled[name] = _Filled.of(self._counts(self._symmetry, name))
        first_row, stop_row, first_column, stop_column = deviation.region
        code, row, column, events = self._filled[name]
        inside = (row >= first_row) & (row < stop_row) & (column >= first_column) & (column < stop_column)
        return np.bincount(code[inside], events[inside], minlength=len(self._all)).astype(np.float64)


class _Filled(NamedTuple):
    """The filled bins of the exclusive cells of an observable; all of shape (n_filled,)."""

    code: IntArray
    row: IntArray
    column: IntArray
    events: FloatArray

    @classmethod
    def of(cls, counts: CellCounts) -> _Filled:
        sums = np.maximum(counts.counts.sum(axis=1), 0.0)
        code, place = np.nonzero(sums)
        return cls(code, *np.divmod(place, counts.shape[1]), sums[code, place])


def _apart(chosen: Sequence[Deviation]) -> BoolArray | None:
    """Return which pairs are about regions of one observable that have no bin in common; shape (n, n).

    ``None`` where no deviation is about a region.
    """
    if all(deviation.region is None for deviation in chosen):
        return None
    nowhere = (0, 0, 0, 0)
    spans = np.array([nowhere if deviation.region is None else deviation.region for deviation in chosen])
    observable = np.unique([deviation.family.observable for deviation in chosen], return_inverse=True)[1]
    both = np.array([deviation.region is not None for deviation in chosen])
    same = (observable[:, None] == observable) & both[:, None] & both
    low, high = spans[:, 0::2], spans[:, 1::2]
    disjoint = (low[:, None] >= high[None]) | (low[None] >= high[:, None])
    return np.asarray(same & disjoint.any(axis=2))


def _row(
    deviation: Deviation,
    ranks: tuple[int | None, int | None],
    p_local: float,
    significance: GlobalSignificance,
    place: int,
    number: int,
) -> Row:
    family, statistic = deviation.family, deviation.statistic
    kind = float if family.expected.weighted else int
    counts: dict[str, Any] = {"n_ge": None, "n": None, "n_ge_cell": None, "n_cell": None}
    if significance.n:
        n_ge, n_ge_cell = int(significance.n_ge[place]), int(significance.n_ge_cell[place])
        counts = {"n_ge": n_ge, "n": significance.n, "n_ge_cell": n_ge_cell, "n_cell": significance.n}
    return Row(
        kind=family.kind,
        symmetry=family.symmetry,
        observable=family.observable,
        cell=str(family.cells.cell(deviation.cell)),
        asks=family.cells.asks(deviation.cell),
        region=None if deviation.region is None else region_of(family.axes, deviation.region),
        test=family.test.name,
        n_a=kind(deviation.n_a),
        n_b=kind(deviation.n_b),
        n_a_error=deviation.error,
        statistic=statistic,
        p_local=p_local,
        z_local=statistic,
        p_global=float(significance.p_global[place]),
        z_global=float(significance.z_global[place]),
        method=family.test.described,
        p_method=family.test.p_method(family.expected),
        global_method=significance.method,
        status=Status.OK.name,
        rank=ranks[0],
        number=number,
        n_bins=deviation.n_bins,
        ratio=_ratio(deviation) if family.kind == "symmetry" else None,
        aliases=int(family.cells.aliases[deviation.cell]),
        similar_to=ranks[1],
        n_regions=None if deviation.region is None else deviation.n_regions,
        p_cell=float(significance.p_cell[place]),
        p_symmetry=float(significance.p_symmetry[place]),
        tail=TailPart(*map(float, significance.tails[place])),
        **counts,
    )


def _ratio(deviation: Deviation) -> RatioPart:
    expected, kappa = deviation.family.expected, deviation.kappa
    as_planned = expected.nominal and kappa == expected.plan_kappa
    shares = kappa / (1.0 + kappa), expected.plan_kappa / (1.0 + expected.plan_kappa)
    return RatioPart(
        kappa=kappa,
        asymmetry=deviation.asymmetry,
        z_nominal=None if expected.nominal else deviation.nominal,
        claimed=None if as_planned else (deviation.n_a + deviation.n_b) * (shares[0] - shares[1]),
    )


def region_of(axes: tuple[Any, ...], bins: tuple[int, ...]) -> Region | None:
    """Return a rectangle of bins (first and one-past-last row, then column) in the units of its axes.

    One axis has its bins in the columns. ``None`` without axes: the number of events is one bin, all of it.
    """
    if not axes:
        return None
    spans = [bins[2:]] if len(axes) == 1 else [bins[:2], bins[2:]]
    return Region(
        tuple(
            Range(one.name, float(axis.edges[start]), float(axis.edges[stop]), one.unit, start, stop)
            for one, axis, (start, stop) in zip(map(quantity, axes), axes, spans, strict=True)
        )
    )
