"""Protocols of the tests that a scan makes: of counts in cells, of stored events, of mass spectra.

A test is a frozen object whose fields are its options; :func:`coffea_ddp.scan` takes it, or the name of one that needs
none. Each test of a symmetry has two sides that must agree: ``observed`` takes the data as they are, ``relabelled``
blocks of pseudo-experiments. Scores are absolute z: an excess of either side counts.

Examples
--------
>>> from coffea_ddp.scanning.binned_tests import NSigma
>>> isinstance(NSigma(), ScanTest), NSigma().name, NSigma().kind
(True, 'nsigma', 'counts')
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeGuard, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from coffea_ddp._typing import FloatArray, IntArray
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.report import ScanReport
    from coffea_ddp.scanning.cell_matrices import Block
    from coffea_ddp.scanning.engines import Engine
    from coffea_ddp.scanning.expectation import ChannelExpectation
    from coffea_ddp.scanning.results import CellResults
    from coffea_ddp.scanning.unbinned_input import PseudoExperiments, UnbinnedInput, UnbinnedResults
    from coffea_ddp.stats.submatrix.bounded.maxima import Bounded
    from coffea_ddp.stats.submatrix.overlapping import Entries, Labels, MaxScores, Membership

    Single = NDArray[np.float32]

KINDS = ("counts", "events", "spectra", "comparison")
"""Kinds of tests: of histograms of A and B, of stored events of A and B, of mass spectra, of data with simulation."""


@runtime_checkable
class ScanTest(Protocol):
    """A test that a scan makes."""

    @property
    def name(self) -> str:
        """As in ``tests=[name]``, and in the rows of the report."""

    @property
    def kind(self) -> str:
        """One of :data:`KINDS`."""


class RelabelledCounts(NamedTuple):
    """One block of pseudo-experiments of one observable, for all of its cells.

    Attributes
    ----------
    entries
        The filled bins of the exclusive cells, whatever the labels.
    shape
        Rows and columns of the matrix of a cell.
    labels
        What compiled tests take: ``B - kappa A``, or B and A where each cell has its own kappa.
    b, a
        Contents of every entry on either side; shape (n_entries, TOYS).
    kappa
        The expected ratio: one, or (estimated anew) one for each pseudo-experiment, shape (TOYS,).
    expected
        Of side B.
    """

    entries: Entries
    shape: tuple[int, int]
    labels: Labels
    b: Single
    a: Single
    kappa: FloatArray
    expected: ChannelExpectation


class CountsTest(ScanTest, Protocol):
    """A test of the counts of A and B in the bins of each cell."""

    @property
    def normal(self) -> bool:
        """True for a statistic that is normal under the null."""

    def observed(self, block: Block, expected: ChannelExpectation) -> CellResults:
        """Test a block of cells."""

    def relabelled(self, toys: RelabelledCounts, cells: Membership, out: MaxScores) -> None:
        """Test all cells in a block of pseudo-experiments; scores are kept in ``out``."""

    @property
    def described(self) -> str:
        """The test, in words."""

    def p_method(self, expected: ChannelExpectation, /) -> str:
        """Return how the local p-value is made, in words."""


@runtime_checkable
class BoundedTest(Protocol):
    """A test of counts that finds its largest scores by bounds, in several blocks of pseudo-experiments at once."""

    def bounded(
        self, entries: Entries, cells: Membership, shape: tuple[int, int], expected: ChannelExpectation,
        wanted: FloatArray,
    ) -> Bounded | None:  # fmt: skip
        """Return the cells, ready for their pseudo-experiments; ``None`` where bounds do not hold.

        Parameters
        ----------
        entries, cells, shape, expected
            As of :class:`RelabelledCounts`.
        wanted
            Of the cells to keep, the scores from which on those of pseudo-experiments are wanted; shape (n_kept,).
        """


class SpectraTest(ScanTest, Protocol):
    """A test of mass spectra in all cells, with a separate ranking."""

    def scan(
        self, hists: Histograms, *, best: int, toys: int, seed: int, engine: Engine,
        progress: Callable[[int, int, str], None] | None,
    ) -> ScanReport:  # fmt: skip
        """Return the report on all spectra of an output."""


class EventsTest(ScanTest, Protocol):
    """A test of the stored events of A and B in each cell."""

    @property
    def normal(self) -> bool:
        """True for a statistic that is normal under the null."""

    @property
    def per_observable(self) -> bool:
        """True for a test of every observable, besides that of all features together."""

    def observed(self, field: UnbinnedInput) -> UnbinnedResults:
        """Test the cells as they are."""

    def relabelled(
        self, field: UnbinnedInput, tested: IntArray, kept: IntArray, toys: PseudoExperiments
    ) -> tuple[FloatArray, FloatArray]:
        """Test them in pseudo-experiments.

        Return the largest score of all tested cells, shape (n,), and the scores of the cells to keep, shape
        (n_kept, n).
        """

    @property
    def described(self) -> str:
        """The test, in words."""

    def p_method(self, expected: ChannelExpectation, /) -> str:
        """Return how the local p-value is made, in words."""

    def method_of(self, results: UnbinnedResults, place: int) -> str:
        """Return the best of the tests in one cell, in words: the method of its row."""


def is_counts_test(test: ScanTest) -> TypeGuard[CountsTest]:
    """Return whether a test is one of histograms of A and B."""
    return test.kind == "counts"


def is_events_test(test: ScanTest) -> TypeGuard[EventsTest]:
    """Return whether a test is one of stored events of A and B."""
    return test.kind == "events"


def is_spectra_test(test: ScanTest) -> TypeGuard[SpectraTest]:
    """Return whether a test is one of mass spectra."""
    return test.kind == "spectra"
