"""The accumulated output of a pass: a commutative monoid, and views of any cell as ``hist.Hist``.

``+`` is associative and commutative, independent of chunks, order and executor; it refuses the same entries twice and
another plan's output. What is stored is sparse and exclusive; symmetric and asymmetric matrices are views.
"""

from __future__ import annotations

import dataclasses
import functools
import html
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.histograms.cell_counts import CellCounts, cell_counts
from coffea_ddp.histograms.cells import INCLUSIVE
from coffea_ddp.histograms.channel import Channel
from coffea_ddp.histograms.counters import Counters, join_choices, sum_counters, sum_cutflows
from coffea_ddp.histograms.layout import EVENTS, Layout
from coffea_ddp.histograms.ledger import Ledger, Missing
from coffea_ddp.histograms.pairs import MatrixPair, as_hist, as_spectrum, spectra_table, symmetries_table
from coffea_ddp.histograms.simulated import Samples, sum_samples
from coffea_ddp.histograms.sparse import SparseCounts
from coffea_ddp.histograms.stored import StoredEvents, stored_columns

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from coffea_ddp._typing import AnyArray, IntArray
    from coffea_ddp.spectra.spectrum import MassSpectrum


@dataclass(frozen=True, eq=False)
class Histograms:
    """The output of a pass over the data.

    Attributes
    ----------
    layout
        Names, axes and cells; the keys of the counts follow from them.
    counts
        The sparse cube of all channels.
    not_filled
        Per channel and side the events whose observable is missing or not finite; shape (n_channels, 2).
    events
        The stored events.
    ledger
        Entries of files that were counted, and those that are missing.
    cutflows
        Per dataset the events left after every step, and what was seen on the way.
    choices
        The branches that were used where formats and versions differ; more than one in an output of mixed files.
    samples
        The counts of every dataset in the comparisons of data with simulation; none in a plan without any.

    Examples
    --------
    >>> import tempfile
    >>> from coffea_ddp import run, testing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     hists = run("dimuon_charge", testing.make_nanoaod(f"{folder}/nano.root", events=300, seed=1))
    >>> hists.symmetries
    ('mu-/mu+ OS', 'mu-mu-/mu+mu+ SS', 'eta<0/eta>0')
    """

    layout: Layout
    counts: SparseCounts
    not_filled: IntArray
    events: StoredEvents
    ledger: Ledger = field(default_factory=Ledger)
    cutflows: Mapping[str, Counters] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    samples: Samples = field(default_factory=dict)

    # -- the monoid --------------------------------------------------------------------------------------------------

    @classmethod
    def empty(cls, layout: Layout) -> Histograms:
        """Return the output of no events: the neutral element of ``+``."""
        columns: dict[str, AnyArray] = stored_columns(layout, 0)
        events = StoredEvents.make(
            columns,
            max_stored=layout.max_stored,
            n_symmetries=len(layout.symmetries),
            n_exclusive=layout.grid.n_exclusive,
        )
        not_filled = np.zeros((len(layout.channels), 2), dtype=np.int64)
        return cls(
            layout,
            SparseCounts.empty(weighted=layout.weighted, calibrated=layout.calibration is not None),
            not_filled,
            events,
        )

    @classmethod
    def sum(cls, parts: Sequence[Histograms]) -> Histograms:
        """Return the output of at least one part, all added at once: faster than one after the other.

        Raises
        ------
        MergeError
            If the plans, or what the outputs say of them or of a dataset, differ, or entries are in two parts.
        """
        first = parts[0]
        for other in parts[1:]:
            first.layout.check_same(other.layout)
        return cls(
            first.layout,
            SparseCounts.sum([part.counts for part in parts]),
            np.sum([part.not_filled for part in parts], axis=0),
            StoredEvents.sum([part.events for part in parts]),
            functools.reduce(operator.add, [part.ledger for part in parts]),
            functools.reduce(sum_cutflows, [part.cutflows for part in parts]),
            functools.reduce(join_choices, [part.choices for part in parts]),
            sum_samples([part.samples for part in parts]),
        )

    def __add__(self, other: Histograms) -> Histograms:
        """Return the output of both (see :meth:`sum`)."""
        if not isinstance(other, Histograms):
            return NotImplemented
        return self.sum([self, other])

    # coffea's accumulate calls + once and += from then on; frozen, so += is + as well.
    __iadd__ = __add__

    def __radd__(self, other: object) -> Histograms:
        """Let ``sum()`` begin with 0."""
        return self if other == 0 else NotImplemented

    def __eq__(self, other: object) -> bool:
        """Tell whether two outputs hold the same, event by event (sums of weights to 12 digits)."""
        if not isinstance(other, Histograms):
            return NotImplemented
        return (
            self.layout.fingerprint == other.layout.fingerprint
            and self.counts == other.counts
            and np.array_equal(self.not_filled, other.not_filled)
            and self.events == other.events
            and self.ledger == other.ledger
            and dict(self.cutflows) == dict(other.cutflows)
            and dict(self.choices) == dict(other.choices)
            and dict(self.samples) == dict(other.samples)
        )

    __hash__ = None  # type: ignore[assignment]

    def with_missing(self, missing: list[Missing]) -> Histograms:
        """Return the output with more marked as missing."""
        return dataclasses.replace(self, ledger=self.ledger.without(missing)) if missing else self

    # -- what is inside ----------------------------------------------------------------------------------------------

    @property
    def missing(self) -> tuple[Missing, ...]:
        """Entries that were expected and are not here; empty when the output is complete."""
        return self.ledger.missing

    @property
    def partial(self) -> bool:
        """True if anything is missing: such an output says PARTIAL wherever it is shown."""
        return self.ledger.partial

    @property
    def n_events(self) -> int:
        """Number of events read."""
        return self.ledger.n_entries

    @property
    def cutflow(self) -> Counters:
        """Events left after every step, and what was seen on the way, of all datasets together."""
        total: Counters = {}
        for cutflow in self.cutflows.values():
            total = sum_counters(total, cutflow)
        return total

    def dropped(self, symmetry: str) -> pd.DataFrame:
        """Return a table of the occupied exclusive cells of a symmetry: code, events, and how many are not stored."""
        import pandas as pd

        codes = self.occupied(symmetry)
        events = self.cells(symmetry)[["n_a", "n_b"]].sum(axis=1).to_numpy()
        number = self.symmetries.index(symmetry)
        mine = self.events.columns["cell"][self.events.on_symmetry(number)].astype(np.int64)
        stored = np.bincount(np.searchsorted(codes, mine), minlength=len(codes)) if len(codes) else np.zeros(0, int)
        return pd.DataFrame({"cell": codes, "events": events, "dropped": events - stored})

    @property
    def symmetries(self) -> tuple[str, ...]:
        """Names of the symmetries."""
        return tuple(symmetry.name for symmetry in self.layout.symmetries)

    def observables(self, symmetry: str) -> tuple[str, ...]:
        """Names of the observables of a symmetry."""
        return tuple(name for name, _ in self.layout.symmetry(symmetry).observables)

    def _ipython_key_completions_(self) -> list[tuple[str, ...]]:
        """Return what notebooks offer in ``hists["``: symmetry and observable, and cells that ask one question."""
        pairs = [(name, observable) for name in self.symmetries for observable in self.observables(name)]
        cells = [INCLUSIVE, *(choice.text for axis in self.layout.grid.axes for choice in axis.choices if choice.text)]
        return [*pairs, *((*pair, cell) for pair in pairs for cell in cells)]

    def __getitem__(self, key: Any) -> MatrixPair:
        """Return the histograms of ``hists[symmetry, observable]`` or ``hists[symmetry, observable, cell]``.

        Raises
        ------
        UnknownNameError
            If one of the names does not exist; the message lists those that do.
        """
        if not isinstance(key, tuple) or len(key) not in (2, 3):
            raise InputError(f"hists[{key!r}]: write hists[symmetry, observable] or hists[symmetry, observable, cell]")
        cell = self.layout.grid.cell(key[2] if len(key) == 3 else INCLUSIVE)
        number = self.layout.channel_number(key[0], key[1])
        found = self.cell_counts(key[0], key[1], flow=True)
        inside = self.layout.grid.contains(cell, found.codes)
        total = found.counts[inside].sum(axis=0).reshape(2, *found.bins)
        variances = None if found.squares is None else found.squares[inside].sum(axis=0).reshape(total.shape)
        a, b = (as_hist(found.axes, total[side], None if variances is None else variances[side]) for side in (0, 1))
        kappa = self.layout.symmetry(key[0]).kappa
        unfilled = (int(self.not_filled[number, 0]), int(self.not_filled[number, 1]))
        return MatrixPair(key[0], key[1], cell, a, b, kappa, unfilled, self.partial)

    def cell_counts(self, symmetry: str, observable: str = EVENTS, *, flow: bool = False) -> CellCounts:
        """Return the contents of all exclusive cells in which a symmetry has events.

        Parameters
        ----------
        symmetry, observable
            Names; without an observable the numbers of events, one bin.
        flow
            Keep the flow bins.

        Raises
        ------
        UnknownNameError
            If one of the names does not exist.
        """
        channel = self.layout.channel(symmetry, observable)
        return cell_counts(self._counts_of(channel), channel, self.occupied(symmetry), flow=flow)

    def spectrum_counts(self, name: str, *, known: str | None = None, flow: bool = False) -> CellCounts:
        """Return the contents of a mass spectrum in all exclusive cells in which it has events: one side.

        Parameters
        ----------
        name
            Of the spectrum.
        known
            Only events that have this known resonance (``layout.known``).
        flow
            Keep the flow bins.

        Raises
        ------
        UnknownNameError
            If the spectrum or the resonance does not exist.
        """
        layout = self.layout
        channel = layout.spectrum_channel(name) if known is None else layout.reflection_channel(name, known)
        return cell_counts(self._counts_of(channel), channel, flow=flow)

    @property
    def spectra(self) -> tuple[str, ...]:
        """Names of the mass spectra."""
        return tuple(spectrum.name for spectrum in self.layout.spectra)

    def spectrum(self, name: str, cell: Any = INCLUSIVE) -> MassSpectrum:
        """Return a mass spectrum in one cell.

        Raises
        ------
        UnknownNameError
            If the spectrum, or an axis of the cell, does not exist.
        """
        chosen = self.layout.grid.cell(cell)
        found = self.spectrum_counts(name, flow=True)
        inside = self.layout.grid.contains(chosen, found.codes)
        return as_spectrum(
            self.layout.spectrum(name),
            str(chosen),
            found.counts[inside, 0].sum(axis=0),
            None if found.squares is None else found.squares[inside, 0].sum(axis=0),
            partial=self.partial,
        )

    def _counts_of(self, channel: Channel) -> SparseCounts:
        return self.counts.between(channel.base, channel.end(self.layout.grid.n_exclusive))

    def occupied(self, symmetry: str) -> IntArray:
        """Return the exclusive cells in which a symmetry has events, sorted."""
        channel = self.layout.channel(symmetry)
        return np.unique((self._counts_of(channel).keys - channel.base) // channel.n_sides)

    def cells(self, symmetry: str) -> pd.DataFrame:
        """Return a table of the occupied exclusive cells: the bin of every axis, and the events of A and B."""
        import pandas as pd  # 1 s, never needed in the pass

        found = self.cell_counts(symmetry)
        numbers = found.entries[:, :, 0].astype(np.int64)
        axes = dict(
            zip((axis.name for axis in self.layout.grid.axes), self.layout.grid.decode(found.codes), strict=True)
        )
        return pd.DataFrame({**axes, "n_a": numbers[:, 0], "n_b": numbers[:, 1]})

    # -- files and faces ---------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write the output to a ``.ddp`` file (see :mod:`coffea_ddp.histograms.archive`).

        Raises
        ------
        FileError
            If it cannot be written, or something else than an output is there.
        """
        from coffea_ddp.histograms.archive import write  # pyarrow, for files only

        return write(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Histograms:
        """Read an output from a ``.ddp`` file.

        Raises
        ------
        FileError
            If it cannot be read.
        FormatError
            If it is no output of this package, of a newer version of the format, or damaged.
        """
        from coffea_ddp.histograms.archive import read  # pyarrow, for files only

        return cls(*read(path))

    def summary(self) -> pd.DataFrame:
        """Return one row per symmetry: events on each side, occupied exclusive cells, observables, kappa."""
        return symmetries_table(self.layout.symmetries, self.cells)

    def spectra_summary(self) -> pd.DataFrame:
        """Return one row per mass spectrum (see :func:`coffea_ddp.histograms.pairs.spectra_table`)."""
        return spectra_table(self.layout.spectra, functools.partial(self.spectrum_counts, flow=True))

    def __repr__(self) -> str:
        """Return the plan, the number of events and of cells."""
        mark = f", {self.layout.split}" if self.layout.split is not None else ""
        mark += f", PARTIAL: {len(self.missing)} missing" if self.partial else ""
        return (
            f"Histograms(plan={self.layout.plan!r}, events={self.n_events}, symmetries={len(self.symmetries)}, "
            f"spectra={len(self.spectra)}, lattice={self.layout.grid.n_cells} cells, "
            f"stored events={len(self.events)}{mark})"
        )

    def _repr_html_(self) -> str:
        tables = [self.summary()] if self.symmetries else []
        tables += [self.spectra_summary()] if self.spectra else []
        return f"<p><b>{html.escape(repr(self))}</b></p>" + "".join(table.to_html(index=False) for table in tables)
