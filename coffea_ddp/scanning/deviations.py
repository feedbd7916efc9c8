"""The largest deviations of a scan: the best of every test, of every family, and of every column of the table.

Examples
--------
>>> BestDeviations(best=10).z_histogram.counts[0]
0
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, cast

import numpy as np

from coffea_ddp.report.summaries import ZHistogram
from coffea_ddp.stats.trials import sidak_z

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray, IntArray
    from coffea_ddp.histograms.lattice import DistinctCells
    from coffea_ddp.scanning.expectation import ChannelExpectation
    from coffea_ddp.scanning.protocols import CountsTest, EventsTest
    from coffea_ddp.scanning.results import CellResults
    from coffea_ddp.scanning.scanned import Family

    AnyTest = CountsTest | EventsTest

_KeyT = TypeVar("_KeyT")
TestT_co = TypeVar("TestT_co", bound="AnyTest", covariant=True)
"""The kind of the test: of counts, or of stored events."""


@dataclass(frozen=True, eq=False)
class ScanFamily(Generic[TestT_co]):
    """One test of one observable of one symmetry, which all of its deviations share.

    Attributes
    ----------
    test
        The test.
    symmetry, observable
        Names.
    cells
        The distinct cells of the symmetry.
    expected
        What is expected of side B.
    axes
        Of the observable; none where events are tested, or their number.
    kind
        Of the rows.
    """

    test: TestT_co
    symmetry: str
    observable: str
    cells: DistinctCells
    expected: ChannelExpectation
    axes: tuple[Any, ...] = ()
    kind: str = "symmetry"

    @property
    def key(self) -> Family:
        """Names of test, symmetry and observable."""
        return self.test.name, self.symmetry, self.observable


class Deviation(NamedTuple):
    """One of the largest deviations, which a row of the report may be made of."""

    family: ScanFamily[AnyTest]
    cell: int
    statistic: float
    bound: float
    nominal: float
    n_a: float
    n_b: float
    n_bins: int
    asymmetry: float
    kappa: float
    n_regions: int
    region: tuple[int, ...] | None
    order: float
    error: float = math.nan


def _order(deviation: Deviation) -> float:
    return deviation.order


def _by_size(deviation: Deviation) -> tuple[float, float]:
    return abs(deviation.statistic), deviation.order


def _take_larger(
    known: dict[_KeyT, Deviation], others: dict[_KeyT, Deviation], size: Callable[[Deviation], Any]
) -> None:
    for key, one in others.items():
        if key not in known or size(one) > size(known[key]):
            known[key] = one


Column = tuple[str, int, bool]
"""A column of the table of symmetries: the symmetry, the number of the cells' axis (-1: inclusive), and whether cells
ask about that axis alone."""


@dataclass
class BestDeviations:
    """The largest deviations of every test so far, those of every family and column, and the histogram of z.

    Deviations are ordered by the size of the global z within their cell (the Sidak bound of its regions). The largest z
    of every family is kept besides: it is what the largest of a pseudo-experiment is compared with.
    """

    best: int
    of_test: dict[str, list[Deviation]] = field(default_factory=dict)
    leaders: dict[Family, Deviation] = field(default_factory=dict)
    largest: dict[Family, Deviation] = field(default_factory=dict)
    columns: dict[Column, Deviation] = field(default_factory=dict)
    z_histogram: ZHistogram = field(default_factory=ZHistogram)
    trials: dict[str, int] = field(default_factory=dict)

    def add(self, family: ScanFamily[AnyTest], cells: IntArray, found: CellResults, finite: BoolArray) -> None:
        """Take in what a test found in some cells; of equals the first stays, so the size of blocks does not show."""
        if family.test.normal:
            # The maximum of many regions is not: only what is normal is compared with a normal distribution.
            self.z_histogram = self.z_histogram.with_values(found.statistic[finite])
        self.trials[family.test.name] = self.trials.get(family.test.name, 0) + int(found.trials[finite].sum())
        usable = np.flatnonzero(finite)
        order = np.abs(_after_regions(found.bound[usable], found.trials[usable]))
        ranked = np.argsort(-order, kind="stable")
        if not len(ranked):
            return

        def made(chosen: IntArray) -> list[Deviation]:
            rows = usable[chosen]
            columns = (cells, found.statistic, found.bound, found.nominal, found.n_a, found.n_b, found.n_bins,
                       found.asymmetry, found.kappa, found.trials)  # fmt: skip
            values = [column[rows].tolist() for column in columns]
            regions = (
                [None] * len(rows)
                if found.rectangle is None
                else [tuple(span) for span in found.rectangle[rows].tolist()]
            )
            errors = [math.nan] * len(rows) if found.error is None else found.error[rows].tolist()
            return [
                Deviation(family, *row) for row in zip(*values, regions, order[chosen].tolist(), errors, strict=True)
            ]

        first = made(ranked[:1])[0]
        if family.key not in self.leaders or first.order > self.leaders[family.key].order:
            self.leaders[family.key] = first
        top = int(np.abs(found.statistic[usable[ranked]]).argmax())
        largest = made(ranked[top : top + 1])[0]
        if family.key not in self.largest or _by_size(largest) > _by_size(self.largest[family.key]):
            self.largest[family.key] = largest
        for column, place in _firsts(family, cells[usable[ranked]]):
            known_best = self.columns.get(column)
            if known_best is None or order[ranked[place]] > known_best.order:
                self.columns[column] = made(ranked[place : place + 1])[0]
        known = self.of_test.get(family.test.name, [])
        least = known[-1].order if len(known) >= self.best else -1.0
        better = ranked[order[ranked] > least][: self.best]
        self.of_test[family.test.name] = sorted([*known, *made(better)], key=_order, reverse=True)[: self.best]

    def merge(self, other: BestDeviations) -> None:
        """Take in what was found elsewhere; of equals what is known stays."""
        self.z_histogram = self.z_histogram.with_counts(other.z_histogram)
        for name, number in other.trials.items():
            self.trials[name] = self.trials.get(name, 0) + number
        _take_larger(self.leaders, other.leaders, _order)
        _take_larger(self.largest, other.largest, _by_size)
        _take_larger(self.columns, other.columns, _order)
        for name, found in other.of_test.items():
            known = self.of_test.get(name, [])
            self.of_test[name] = sorted([*known, *found], key=_order, reverse=True)[: self.best]

    def with_family(self, family: ScanFamily[AnyTest] | None) -> BestDeviations:
        """Return the same deviations as those of a family.

        Those of one family travel without it, ``None``, since all of them would have it.
        """

        def moved(one: Deviation) -> Deviation:
            return one._replace(family=cast("ScanFamily[AnyTest]", family))

        return BestDeviations(
            self.best,
            {name: [moved(one) for one in found] for name, found in self.of_test.items()},
            {key: moved(one) for key, one in self.leaders.items()},
            {key: moved(one) for key, one in self.largest.items()},
            {key: moved(one) for key, one in self.columns.items()},
            self.z_histogram,
            self.trials,
        )

    def everything(self) -> list[Deviation]:
        """Return all deviations, the best of every family and column among them, once; the largest order first."""
        known = [deviation for mine in self.of_test.values() for deviation in mine]
        kept = {place_of(deviation) for deviation in known}
        beyond = {place_of(leader): leader for leader in self.besides() if place_of(leader) not in kept}
        return sorted([*known, *beyond.values()], key=_order, reverse=True)

    def besides(self) -> list[Deviation]:
        """Return what is kept whether or not it is among the best."""
        return [*self.leaders.values(), *self.largest.values(), *self.columns.values()]


def place_of(deviation: Deviation) -> tuple[Family, int]:
    """Return the family and the cell of a deviation, which it has for itself."""
    return deviation.family.key, deviation.cell


def _firsts(family: ScanFamily[AnyTest], ranked: IntArray) -> list[tuple[Column, int]]:
    """Return for every column of the table the place of its best cell among cells that are in order."""
    # Question 0 of every axis is "any".
    asked = family.cells.choices[ranked] != 0
    alone = asked.sum(axis=1) == 1
    found: list[tuple[Column, int]] = []
    masks = {(family.symmetry, -1, True): ~asked.any(axis=1)}
    for axis in range(asked.shape[1]):
        masks[family.symmetry, axis, True] = asked[:, axis] & alone
        masks[family.symmetry, axis, False] = asked[:, axis] & ~alone
    for column, mask in masks.items():
        if mask.any():
            found.append((column, int(mask.argmax())))
    return found


def _after_regions(z: FloatArray, trials: IntArray) -> FloatArray:
    """Return the global z within the cell (the Sidak bound of its regions), with its sign."""
    return z if (trials == 1).all() else np.asarray(sidak_z(z, trials))
