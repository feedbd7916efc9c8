"""Tests of the counts of the data, one observable at a time: what an engine does of them, and how it is put together.

An observable is cut into ranges of its distinct cells, whose number depends on nothing else. What a part gives is
short: its largest deviations, a histogram of z, and which cells could be tested.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.scanning.deviations import BestDeviations, ScanFamily
from coffea_ddp.stats.status import Status

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray
    from coffea_ddp.scanning.cell_matrices import CellBlocks
    from coffea_ddp.scanning.protocols import CountsTest


class CellsTested(NamedTuple):
    """Cells that a test could test, in their order; all of shape (n_tested,).

    Attributes
    ----------
    cells
        Numbers of the distinct cells.
    kappa
        The expected ratio.
    scale
        What the statistic is multiplied with.
    """

    cells: IntArray
    kappa: FloatArray
    scale: FloatArray

    @classmethod
    def joined(cls, parts: Sequence[CellsTested]) -> CellsTested:
        """Return the cells of several parts, sorted."""
        if not parts:
            return cls(np.zeros(0, np.int32), np.zeros(0), np.zeros(0))
        cells, kappa, scale = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(cells, kind="stable")
        return cls(cells[order].astype(np.int32), _once(kappa[order]), _once(scale[order]))


def _once(column: FloatArray) -> FloatArray:
    """Return an array that holds its value once where all of its values are the same."""
    return np.broadcast_to(column[0], column.shape) if len(column) and (column == column[0]).all() else column


class PartOutcome(NamedTuple):
    """Outcome of one test in a range of cells.

    Attributes
    ----------
    deviations
        The largest ones, without their family.
    tested
        The cells that it could test.
    statuses
        What became of all cells of the range, by names of :class:`~coffea_ddp.stats.status.Status`.
    """

    deviations: BestDeviations
    tested: CellsTested
    statuses: Counter[str]


@dataclass(frozen=True, eq=False)
class DataTests:
    """The tests of the counts of one observable of one symmetry, ready for an engine.

    Attributes
    ----------
    families
        One for each test.
    blocks
        The matrices of its cells.
    best
        Number of deviations to keep of each test.
    size
        Distinct cells of a part.
    """

    families: tuple[ScanFamily[CountsTest], ...]
    blocks: CellBlocks
    best: int
    size: int

    @property
    def name(self) -> str:
        """Symmetry and observable, as progress names them."""
        return f"{self.families[0].symmetry}: {self.families[0].observable}"

    @property
    def parts(self) -> list[range]:
        """Numbers of the ranges of cells, each a part."""
        return [range(number, number + 1) for number in range(-(-len(self.families[0].cells) // self.size) or 1)]

    def results(self, numbers: Sequence[int]) -> list[tuple[PartOutcome, ...]]:
        """Return what every test found in ranges of cells, by their numbers."""
        return [tuple(self._of(family, number) for family in self.families) for number in numbers]

    def _of(self, family: ScanFamily[CountsTest], number: int) -> PartOutcome:
        first, stop = number * self.size, min((number + 1) * self.size, len(family.cells))
        deviations, statuses, tested = BestDeviations(self.best), Counter[str](), []
        no_ratio = family.expected.per_cell or family.expected.status
        for whole in self.blocks.within(first, stop):
            for rows, expected in family.expected.parts(whole.cells):
                block = whole if len(rows) == len(whole.cells) else whole.take(rows)
                found = family.test.observed(block, expected)
                finite = np.isfinite(found.statistic)
                statuses[Status.OK.name] += int(finite.sum())
                statuses[(Status.NO_RATIO if no_ratio else Status.NOT_FINITE).name] += int((~finite).sum())
                deviations.add(family, block.cells, found, finite)
                tested.append(CellsTested(block.cells[finite], found.kappa[finite], found.scale[finite]))
        statuses[Status.TOO_FEW_ENTRIES.name] += stop - first - sum(statuses.values())
        return PartOutcome(deviations.with_family(None), CellsTested.joined(tested), statuses)
