"""Sample pairs: the stored, unbinned features of A and B in any cell.

Events are stored up to a number per symmetry and exclusive cell, those with the smallest hashes (law 9). A union of
exclusive cells is thinned to the smallest threshold among them, A and B alike: what is left is a fair sample of the
cell, and how much was dropped is told.

Examples
--------
>>> from coffea_ddp.histograms.cells import CellGrid, Multiplicity
>>> from coffea_ddp.histograms.histograms import Histograms
>>> from coffea_ddp.histograms.layout import FeatureLayout, Layout, SymmetryLayout
>>> symmetry = SymmetryLayout("e/mu", ("e", "mu"), 1.0, ())
>>> grid, met = CellGrid((Multiplicity("j", last=2),)), FeatureLayout("met", "", "GeV")
>>> layout = Layout("demo", "0" * 16, grid, (symmetry,), (met,), max_stored=10)
>>> pair = sample_pair(Histograms.empty(layout), "e/mu", "j=1", features=["met"])
>>> pair.a.shape, pair.b.shape, pair.n_dropped
((0, 1), (0, 1), 0)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError, UnknownNameError, named
from coffea_ddp.histograms.cells import INCLUSIVE, Cell
from coffea_ddp.histograms.io import as_histograms
from coffea_ddp.histograms.stored import ALL, IDENTITY_NAMES, opposite_sides

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray, IntArray
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.histograms.lattice import DistinctCells

_BLOCK = 4_096
MOST_LEVELS = 16
"""Cells are thinned to at most so many different thresholds, in a scan."""


@dataclass(frozen=True, eq=False)
class SamplePair:
    """The stored events of A and B in one cell.

    Attributes
    ----------
    symmetry, cell, features
        Names of the symmetry, of the cell and of the features, which are the columns.
    a, b
        Features in their units, shapes (n_a, d) and (n_b, d).
    weights_a, weights_b
        Shapes (n_a,) and (n_b,); ``None`` without weights.
    identity_a, identity_b
        Run, luminosity block and event number; shapes (n_a, 3) and (n_b, 3).
    n_dropped
        Events of the cell that are not here: not stored, thinned, or without one of the features.
    shares_a, shares_b
        Expected P(B) of every event, shapes (n_a,) and (n_b,); ``None`` where events have no shares of their own.

    Examples
    --------
    >>> import tempfile
    >>> from coffea_ddp import run, testing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     hists = run("dimuon_charge", testing.make_nanoaod(f"{folder}/nano.root", events=300, seed=1))
    >>> sample_pair(hists, "mu-/mu+ OS").symmetry
    'mu-/mu+ OS'
    """

    symmetry: str
    cell: Cell
    features: tuple[str, ...]
    a: FloatArray
    b: FloatArray
    weights_a: FloatArray | None
    weights_b: FloatArray | None
    identity_a: NDArray[np.uint64]
    identity_b: NDArray[np.uint64]
    n_dropped: int
    shares_a: FloatArray | None = None
    shares_b: FloatArray | None = None

    @property
    def shares(self) -> tuple[FloatArray, FloatArray] | None:
        """Expected P(B) of both sides, the option of tests on events; ``None`` without."""
        return None if self.shares_a is None or self.shares_b is None else (self.shares_a, self.shares_b)

    def __repr__(self) -> str:
        """Return where the events are from, and how many there are."""
        dropped = f", {self.n_dropped} dropped" if self.n_dropped else ""
        return (
            f"SamplePair({self.symmetry!r}, {str(self.cell)!r}, {' x '.join(self.features)}: "
            f"{len(self.a)} against {len(self.b)} events{dropped})"
        )


@dataclass(frozen=True, eq=False)
class Samples:
    """The stored events of one symmetry that have all of some features, wherever they are.

    Attributes
    ----------
    features
        Their names.
    x
        Shape (n_events, d).
    hashes
        Of the events' identities, shape (n_events,).
    code
        The number of each event's exclusive cell among the occupied ones, shape (n_events,).
    is_b, opposite
        On side B; on another side than in the first symmetry that the event is in; shape (n_events,).
    weights
        ``None`` without weights.
    thresholds
        Below which hash the events of every occupied exclusive cell are kept; shape (n_codes,).
    events
        Number of events in every occupied exclusive cell, stored or not; shape (n_codes,).
    identity
        Shape (n_events, 3).
    shares
        Expected P(B) of every event, shape (n_events,); ``None`` where events have no shares of their own.
    """

    features: tuple[str, ...]
    x: FloatArray
    hashes: NDArray[np.uint64]
    code: IntArray
    is_b: BoolArray
    opposite: BoolArray
    weights: FloatArray | None
    thresholds: NDArray[np.uint64]
    events: FloatArray
    identity: NDArray[np.uint64]
    shares: FloatArray | None = None

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.hashes)

    @property
    def thinned(self) -> bool:
        """True if any event was dropped because there were too many."""
        return bool((self.thresholds != ALL).any())

    def below(self, threshold: np.uint64) -> BoolArray:
        """Return which events a threshold keeps, shape (n_events,)."""
        return np.ones(len(self), dtype=bool) if threshold == ALL else self.hashes < threshold

    def levels(self, cells: DistinctCells) -> NDArray[np.uint64]:
        """Return the threshold of every distinct cell, shape (n_cells,).

        It is the smallest of its exclusive cells'; where a lattice has more than :data:`MOST_LEVELS` of them, some
        are lowered to the next, which keeps fewer events of all of their cells alike.
        """
        found = np.full(len(cells), ALL, dtype=np.uint64)
        if not self.thinned:
            return found
        for start in range(0, len(cells), _BLOCK):
            some = np.arange(start, min(start + _BLOCK, len(cells)))
            starts, codes = cells.lists(some)
            found[some] = np.minimum.reduceat(self.thresholds[codes], starts[:-1])
        levels = np.unique(found)
        if len(levels) > MOST_LEVELS:
            kept = levels[np.linspace(0, len(levels) - 1, MOST_LEVELS).astype(np.int64)]
            found = kept[np.searchsorted(kept, found, side="right") - 1]
        return found

    def within(self, inside: BoolArray, threshold: np.uint64) -> IntArray:
        """Return the events of some exclusive cells (shape (n_codes,)) that a threshold keeps."""
        return np.flatnonzero(inside[self.code] & self.below(threshold)) if len(self) else np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class SymmetryEvents:
    """The stored events on either side of one symmetry, as they are stored.

    Attributes
    ----------
    hashes
        Of the events' identity; shape (n_events,), as of all that follows.
    cell
        The exclusive cell.
    is_b
        True for events on side B.
    opposite
        See :func:`coffea_ddp.histograms.stored.opposite_sides`.
    features
        Name -> values in the precision in which they are stored, NaN where an event has none.
    weights
        ``None`` without.
    identity
        Run, luminosity block and event; shape (n_events, 3).
    shares
        Expected P(B); ``None`` where events have no shares of their own.
    """

    hashes: NDArray[np.uint64]
    cell: IntArray
    is_b: BoolArray
    opposite: BoolArray
    features: Mapping[str, AnyArray]
    weights: FloatArray | None
    identity: NDArray[np.uint64]
    shares: FloatArray | None = None

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.hashes)

    @classmethod
    def of(cls, hists: Histograms, symmetry: str, features: Sequence[str] | None = None) -> SymmetryEvents:
        """Return the stored events of a symmetry of an output, with some features, or all of them.

        Raises
        ------
        UnknownNameError
            If there is no such symmetry.
        """
        hists.layout.symmetry(symmetry)
        names = [one.name for one in hists.layout.features] if features is None else features
        number = hists.symmetries.index(symmetry)
        stored, columns = hists.events, hists.events.columns
        on = np.flatnonzero(stored.on_symmetry(number))
        sides = columns["sides"][on]
        is_b = sides >> np.uint64(2 * number + 1) & np.uint64(1) != 0
        shares = None
        if hists.layout.calibration is not None and hists.layout.symmetries[number].exchange:
            own = columns["share"][on].astype(np.float64)
            shares = np.where(is_b, own, 1.0 - own)
        return cls(
            hashes=stored.hashes[on],
            cell=columns["cell"][on].astype(np.int64),
            is_b=is_b,
            opposite=opposite_sides(sides, number),
            features={name: columns[name][on] for name in names},
            weights=columns["weight"][on].astype(np.float64) if hists.layout.weighted else None,
            identity=np.stack([columns[name][on].astype(np.uint64) for name in IDENTITY_NAMES], axis=1),
            shares=shares,
        )


def samples_of(hists: Histograms, symmetry: str, features: Sequence[str]) -> Samples:
    """Return the stored events of a symmetry with all of some features.

    Raises
    ------
    UnknownNameError
        If there is no such symmetry, or a feature is not stored.
    InputError
        If no events are stored at all, or no feature is named.
    """
    layout = hists.layout
    layout.symmetry(symmetry)
    if not layout.max_stored:
        raise InputError(
            f"the plan {layout.plan!r} stores no events (max_stored=0); tests on events need some: max_stored=5000"
        )
    known = [feature.name for feature in layout.features]
    for name in features:
        if name not in known:
            raise UnknownNameError(f"no stored feature {name!r}; there are: {', '.join(map(repr, known)) or 'none'}")
    if not len(features):
        raise InputError(f"no feature is named; there are: {', '.join(map(repr, known)) or 'none'}")
    mine = SymmetryEvents.of(hists, symmetry, features)
    # By their hashes: neither chunks nor the executor decide in which order sums are taken.
    on = np.argsort(mine.hashes, kind="stable")
    x = np.stack([mine.features[name][on].astype(np.float64) for name in features], axis=1)
    usable = np.isfinite(x).all(axis=1)
    on, x = on[usable], x[usable]
    events = hists.cell_counts(symmetry)
    return Samples(
        features=tuple(features),
        x=x,
        hashes=mine.hashes[on],
        code=np.searchsorted(events.codes, mine.cell[on]),
        is_b=mine.is_b[on],
        opposite=mine.opposite[on],
        weights=None if mine.weights is None else mine.weights[on],
        shares=None if mine.shares is None else mine.shares[on],
        thresholds=hists.events.threshold(hists.symmetries.index(symmetry), events.codes),
        events=events.entries.sum(axis=(1, 2)),
        identity=mine.identity[on],
    )


def sample_pair(
    hists: Histograms | str | Path, symmetry: str, cell: Any = INCLUSIVE, *, features: Sequence[str] | None = None
) -> SamplePair:
    """Return the stored events of A and B in a cell: what :func:`coffea_ddp.stats.nplm` takes.

    Parameters
    ----------
    hists
        The output of a pass, or its path.
    symmetry, cell
        Names, as in ``hists[symmetry, observable, cell]``.
    features
        Names of stored features, the columns; those of the symmetry's observables by default.

    Raises
    ------
    UnknownNameError
        If a name does not exist.
    InputError
        If the plan stores no events.

    Examples
    --------
    >>> import tempfile
    >>> from coffea_ddp import run, testing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     hists = run("dimuon_charge", testing.make_nanoaod(f"{folder}/nano.root", events=300, seed=1))
    >>> sample_pair(hists, "mu-/mu+ OS").symmetry
    'mu-/mu+ OS'
    """
    hists = as_histograms("sample_pair", hists)
    given: Any = [features] if isinstance(features, str) else features
    if given is not None and not isinstance(given, Iterable):
        raise InputError(f"sample_pair, features: got {named(given)}; give the names of stored features")
    chosen = tuple(given) if given is not None else features_of(hists, symmetry)
    samples = samples_of(hists, symmetry, chosen)
    where = hists.layout.grid.cell(cell)
    inside = hists.layout.grid.contains(where, hists.occupied(symmetry))
    threshold = np.uint64(samples.thresholds[inside].min(initial=ALL))
    rows = samples.within(inside, threshold)
    a, b = rows[~samples.is_b[rows]], rows[samples.is_b[rows]]
    weights, shares = samples.weights, samples.shares
    return SamplePair(
        symmetry=symmetry,
        cell=where,
        features=chosen,
        a=samples.x[a],
        b=samples.x[b],
        weights_a=None if weights is None else weights[a],
        weights_b=None if weights is None else weights[b],
        identity_a=samples.identity[a],
        identity_b=samples.identity[b],
        n_dropped=int(samples.events[inside].sum()) - len(rows),
        shares_a=None if shares is None else shares[a],
        shares_b=None if shares is None else shares[b],
    )


def features_of(hists: Histograms, symmetry: str, observable: str | None = None) -> tuple[str, ...]:
    """Return the stored features that an observable of a symmetry is made of, or all of its observables.

    Empty where one of an observable's axes is no stored feature.
    """
    stored = {feature.name for feature in hists.layout.features}
    names = [
        tuple(str(axis.name) for axis in axes)
        for name, axes in hists.layout.symmetry(symmetry).observables
        if observable in (None, name)
    ]
    return tuple(dict.fromkeys(name for axes in names if stored.issuperset(axes) for name in axes))
