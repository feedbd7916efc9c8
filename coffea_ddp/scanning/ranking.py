"""Ranking: of all looks of a scan the best are kept, told apart from their look-alikes, and turned into rows.

Examples
--------
>>> Collector(best=10).z_histogram.counts[0]
0
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coffea_ddp.histograms.axes import quantity
from coffea_ddp.report.ordering import sort_key
from coffea_ddp.report.parts import RatioPart, TailPart
from coffea_ddp.report.regions import Range, Region
from coffea_ddp.report.rows import Row
from coffea_ddp.report.summaries import ZHistogram
from coffea_ddp.stats.grouping import leaders
from coffea_ddp.stats.status import Status
from coffea_ddp.stats.trials import p_from_z, sidak_z

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coffea_ddp._typing import BoolArray, FloatArray, IntArray
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.histograms.lattice import DistinctCells
    from coffea_ddp.scanning.binned_tests import Found, Told
    from coffea_ddp.scanning.expectation import ChannelExpectation
    from coffea_ddp.scanning.global_p import Significance
    from coffea_ddp.scanning.pseudo_experiments import Family


@dataclass(frozen=True, eq=False)
class Where:
    """Properties that all candidates of one family share: one test of one observable of one symmetry."""

    test: str
    symmetry: str
    observable: str
    cells: DistinctCells
    look: Told
    expected: ChannelExpectation

    @property
    def family(self) -> Family:
        """Test, symmetry, observable."""
        return self.test, self.symmetry, self.observable


class Candidate(NamedTuple):
    """Data of which a row is made, once it is known that it stays."""

    where: Where
    cell: int
    statistic: float
    bound: float
    plain: float
    n_a: float
    n_b: float
    n_bins: int
    asymmetry: float
    kappa: float
    n_regions: int
    region: tuple[int, ...] | None
    order: float


def _order(candidate: Candidate) -> float:
    return candidate.order


def _by_size(candidate: Candidate) -> tuple[float, float]:
    return abs(candidate.statistic), candidate.order


Column = tuple[str, int, bool]
"""A column of the table of symmetries: the symmetry, the number of the cells' axis (-1: inclusive), and whether cells
ask about that axis alone."""


@dataclass
class Collector:
    """The best candidates of every test so far, the best of every family and column, and the histogram of z.

    Candidates are ordered by the size of z after the regions of their own cell (the Sidak bound). The largest z of
    every family is kept besides: it is what the largest of a pseudo-experiment is compared with.
    """

    best: int
    candidates: dict[str, list[Candidate]] = field(default_factory=dict)
    leaders: dict[Family, Candidate] = field(default_factory=dict)
    largest: dict[Family, Candidate] = field(default_factory=dict)
    columns: dict[Column, Candidate] = field(default_factory=dict)
    z_histogram: ZHistogram = field(default_factory=ZHistogram)
    trials: dict[str, int] = field(default_factory=dict)

    def add(self, where: Where, cells: IntArray, found: Found, finite: BoolArray) -> None:
        """Take in what a test found in some cells; of equals the first stays, so the size of blocks does not show."""
        if where.look.normal:
            # The maximum of many regions is not: only what is normal is compared with a normal distribution.
            self.z_histogram = self.z_histogram.with_values(found.statistic[finite])
        self.trials[where.test] = self.trials.get(where.test, 0) + int(found.looks[finite].sum())
        usable = np.flatnonzero(finite)
        order = np.abs(_after_regions(found.bound[usable], found.looks[usable]))
        ranked = np.argsort(-order, kind="stable")
        if not len(ranked):
            return

        def candidates(chosen: IntArray) -> list[Candidate]:
            rows = usable[chosen]
            columns = (cells, found.statistic, found.bound, found.plain, found.n_a, found.n_b, found.n_bins,
                       found.asymmetry, found.kappa, found.looks)  # fmt: skip
            values = [column[rows].tolist() for column in columns]
            regions = (
                [None] * len(rows) if found.where is None else [tuple(span) for span in found.where[rows].tolist()]
            )
            return [Candidate(where, *row) for row in zip(*values, regions, order[chosen].tolist(), strict=True)]

        first = candidates(ranked[:1])[0]
        if where.family not in self.leaders or first.order > self.leaders[where.family].order:
            self.leaders[where.family] = first
        top = int(np.abs(found.statistic[usable[ranked]]).argmax())
        largest = candidates(ranked[top : top + 1])[0]
        if where.family not in self.largest or _by_size(largest) > _by_size(self.largest[where.family]):
            self.largest[where.family] = largest
        for column, place in _firsts(where, cells[usable[ranked]]):
            known_best = self.columns.get(column)
            if known_best is None or order[ranked[place]] > known_best.order:
                self.columns[column] = candidates(ranked[place : place + 1])[0]
        known = self.candidates.get(where.test, [])
        least = known[-1].order if len(known) >= self.best else -1.0
        better = ranked[order[ranked] > least][: self.best]
        self.candidates[where.test] = sorted([*known, *candidates(better)], key=_order, reverse=True)[: self.best]

    def everything(self) -> list[Candidate]:
        """Return all candidates, the best of every family and column among them, once; the largest order first."""
        known = [candidate for mine in self.candidates.values() for candidate in mine]
        kept = {_place(candidate) for candidate in known}
        beyond = {_place(leader): leader for leader in self._besides() if _place(leader) not in kept}
        return sorted([*known, *beyond.values()], key=_order, reverse=True)

    def _besides(self) -> list[Candidate]:
        """Return what is kept whether or not it is among the best."""
        return [*self.leaders.values(), *self.largest.values(), *self.columns.values()]

    def rows(self, hists: Histograms, candidates: Sequence[Candidate], worth: Significance) -> tuple[Row, ...]:
        """Return the rows: the best of all, ranked, then the best of other families and columns without a rank.

        They are in the order of :mod:`coffea_ddp.report.ordering`. Where there are looks that are no candidates, a rank
        is given only to those that are sure to be better.
        """
        keys = [sort_key(p, c.statistic) for p, c in zip(worth.p_global.tolist(), candidates, strict=True)]
        ranked = sorted(range(len(candidates)), key=keys.__getitem__)
        best = {_place(leader) for leader in self._besides()}
        chosen = {_place(candidate) for mine in self.candidates.values() for candidate in mine}
        among = [i for i in ranked if _place(candidates[i]) in chosen][: self.best]
        shown = set(among)
        rest = [i for i in ranked if i not in shown and _place(candidates[i]) in best]
        ranks: dict[int, int | None] = {number: rank for rank, number in enumerate(among, 1)}
        like = _like(hists, candidates, among)
        return tuple(_row(hists, candidates[i], (ranks.get(i), like.get(i)), worth, i) for i in [*among, *rest])


def _place(candidate: Candidate) -> tuple[Family, int]:
    return candidate.where.family, candidate.cell


def _firsts(where: Where, ranked: IntArray) -> list[tuple[Column, int]]:
    """Return for every column of the table the place of its best cell among cells that are in order."""
    # Question 0 of every axis is "any".
    asked = where.cells.choices[ranked] != 0
    alone = asked.sum(axis=1) == 1
    found: list[tuple[Column, int]] = []
    masks = {(where.symmetry, -1, True): ~asked.any(axis=1)}
    for axis in range(asked.shape[1]):
        masks[where.symmetry, axis, True] = asked[:, axis] & alone
        masks[where.symmetry, axis, False] = asked[:, axis] & ~alone
    for column, mask in masks.items():
        if mask.any():
            found.append((column, int(mask.argmax())))
    return found


def _after_regions(z: FloatArray, looks: IntArray) -> FloatArray:
    """Return z after the regions of the same cell, with its sign."""
    if (looks == 1).all():
        return z
    return np.array([sidak_z(value, number) for value, number in zip(z.tolist(), looks.tolist(), strict=True)])


def _like(hists: Histograms, candidates: Sequence[Candidate], among: Sequence[int]) -> dict[int, int]:
    """Return for every candidate the rank of the strongest one that holds mostly the same events."""
    like: dict[int, int] = {}
    for symmetry in dict.fromkeys(candidates[i].where.symmetry for i in among):
        mine = [(rank, i) for rank, i in enumerate(among, 1) if candidates[i].where.symmetry == symmetry]
        chosen = [candidates[i] for _, i in mine]
        members = chosen[0].where.cells.members([candidate.cell for candidate in chosen])
        contents = _Contents(hists, symmetry)
        weights = np.array([contents.of(candidate) for candidate in chosen])
        heads = leaders(members, weights, [candidate.statistic for candidate in chosen], apart=_apart(chosen))
        like |= {i: mine[head][0] for (_, i), head in zip(mine, heads.tolist(), strict=True)}
    return like


class _Contents:
    """Numbers of events of every exclusive cell in a candidate: all of them, or those in its region."""

    def __init__(self, hists: Histograms, symmetry: str) -> None:
        self._hists, self._symmetry = hists, symmetry
        self._sums: dict[str, FloatArray] = {}
        self._all: FloatArray = np.maximum(hists.cell_counts(symmetry).counts[:, :, 0].sum(axis=1), 0.0)

    def of(self, candidate: Candidate) -> FloatArray:
        """Return the numbers, shape (n_codes,)."""
        if candidate.region is None:
            return self._all
        name = candidate.where.observable
        if name not in self._sums:
            counts = self._hists.cell_counts(self._symmetry, name)
            self._sums[name] = np.maximum(counts.counts.sum(axis=1), 0.0).reshape(-1, *counts.shape)
        first_row, stop_row, first_column, stop_column = candidate.region
        inside = self._sums[name][:, first_row:stop_row, first_column:stop_column]
        found: FloatArray = inside.sum(axis=(1, 2))
        return found


def _apart(chosen: Sequence[Candidate]) -> BoolArray:
    """Return which pairs are about regions of one observable that have no bin in common; shape (n, n)."""
    nowhere = (0, 0, 0, 0)
    spans = np.array([nowhere if candidate.region is None else candidate.region for candidate in chosen])
    observable = np.unique([candidate.where.observable for candidate in chosen], return_inverse=True)[1]
    both = np.array([candidate.region is not None for candidate in chosen])
    same = (observable[:, None] == observable) & both[:, None] & both
    low, high = spans[:, 0::2], spans[:, 1::2]
    disjoint = (low[:, None] >= high[None]) | (low[None] >= high[:, None])
    return np.asarray(same & disjoint.any(axis=2))


def _row(
    hists: Histograms, candidate: Candidate, ranks: tuple[int | None, int | None], worth: Significance, number: int
) -> Row:
    where, statistic = candidate.where, candidate.statistic
    kind = float if hists.layout.weighted else int
    counts: dict[str, Any] = {"n_ge": None, "n": None, "n_ge_cell": None, "n_cell": None}
    if worth.n:
        counts = {"n_ge": int(worth.n_ge[number]), "n": worth.n, "n_ge_cell": int(worth.n_ge_cell[number]),
                  "n_cell": worth.n}  # fmt: skip
    return Row(
        kind="symmetry",
        symmetry=where.symmetry,
        observable=where.observable,
        cell=str(where.cells.cell(candidate.cell)),
        asks=where.cells.asks(candidate.cell),
        region=None if candidate.region is None else region_of(hists, where, candidate.region),
        test=where.test,
        n_a=kind(candidate.n_a),
        n_b=kind(candidate.n_b),
        statistic=statistic,
        p_local=float(p_from_z(candidate.bound, two_sided=True)),
        z_local=statistic,
        p_global=float(worth.p_global[number]),
        z_global=float(worth.z_global[number]),
        method=where.look.described,
        p_method=where.look.p_method(where.expected),
        global_method=worth.method,
        status=Status.OK.name,
        rank=ranks[0],
        n_bins=candidate.n_bins,
        ratio=RatioPart(candidate.kappa, candidate.asymmetry, None if where.expected.plain else candidate.plain),
        aliases=int(where.cells.aliases[candidate.cell]),
        similar_to=ranks[1],
        n_regions=None if candidate.region is None else candidate.n_regions,
        p_cell=float(worth.p_cell[number]),
        p_symmetry=float(worth.p_symmetry[number]),
        tail=TailPart(*map(float, worth.tails[number])),
        **counts,
    )


def region_of(hists: Histograms, where: Where, bins: tuple[int, ...]) -> Region:
    """Return a rectangle of bins (first and one-past-last row, then column) in the units of its axes."""
    channel = hists.layout.channel(where.symmetry, where.observable)
    spans = (bins[:2], bins[2:])[2 - len(channel.axes) :]
    return Region(
        tuple(
            Range(one.name, float(axis.edges[start]), float(axis.edges[stop]), one.unit, start, stop)
            for one, axis, (start, stop) in zip(map(quantity, channel.axes), channel.axes, spans, strict=True)
        )
    )
