"""Values between the tests of the data and pseudo-experiments: cells that were tested, how labels are drawn, scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray
    from coffea_ddp.histograms.cell_counts import CellCounts
    from coffea_ddp.histograms.lattice import DistinctCells
    from coffea_ddp.histograms.samples import SymmetryEvents
    from coffea_ddp.scanning.expectation import ChannelExpectation
    from coffea_ddp.scanning.protocols import CountsTest
    from coffea_ddp.stats.relabelling import NullKind


class Draw(NamedTuple):
    """Drawing of pseudo-experiments.

    Attributes
    ----------
    toys
        Number of pseudo-experiments.
    null
        ``"binomial"`` or ``"fixed"`` (see :mod:`coffea_ddp.stats.relabelling`).
    seed
        With the names of symmetry and observable the source of all random numbers.
    jobs
        Threads; ``None``: all cores. Results do not depend on it.
    """

    toys: int
    null: NullKind
    seed: int
    jobs: int | None


class ScannedCells(NamedTuple):
    """Cells of one observable that a test tested; arrays of shape (n_tested,).

    Attributes
    ----------
    test
        The test.
    cells
        Numbers of the distinct cells.
    kept
        Numbers of those of which every pseudo-experiment is wanted that reaches the data; shape (n_kept,).
    observed
        The scores of these in the data; shape (n_kept,).
    kappa
        The expected ratio.
    scale
        What the statistic is multiplied with (1, unless kappa is uncertain).
    """

    test: CountsTest
    cells: IntArray
    kept: IntArray
    observed: FloatArray
    kappa: FloatArray
    scale: FloatArray


@dataclass(frozen=True, eq=False)
class ScannedObservable:
    """One observable of one symmetry, with the cells that were tested: the input of its pseudo-experiments.

    Attributes
    ----------
    counts, events
        The contents of its exclusive cells, and the numbers of all events of the symmetry.
    stored
        The stored events of the symmetry.
    cells
        The distinct cells of the symmetry.
    tested
        Of each test.
    expected
        What is expected of side B.
    """

    counts: CellCounts
    events: CellCounts
    stored: SymmetryEvents
    cells: DistinctCells
    tested: tuple[ScannedCells, ...]
    expected: ChannelExpectation


@dataclass(frozen=True, eq=False)
class NullScores:
    """Scores of the pseudo-experiments of one test of one observable.

    Attributes
    ----------
    best
        The largest score of all its cells; shape (n,).
    kept
        Cell -> its scores; shape (n,). Those that do not reach the score of the data may be any that are lower.
    keyed
        Whether labels were drawn per event, so that all families that say so have them in common.
    """

    best: FloatArray
    kept: Mapping[int, FloatArray]
    keyed: bool


Family = tuple[str, str, str]
"""Test, symmetry, observable."""
