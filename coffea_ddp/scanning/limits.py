"""Limits of all symmetries of an output in its cells: intervals of the asymmetry, and of a signal where one is given.

Cells are those of the table of symmetries, which ask at most one question, or all of the lattice; those that hold the
same events are one. Their numbers of events, and matrices in blocks, are sums of a walk over the lattice as in a scan.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coffea_ddp.errors import InputError, check_progress
from coffea_ddp.histograms.io import as_histograms
from coffea_ddp.histograms.lattice import distinct_cells
from coffea_ddp.histograms.layout import EVENTS
from coffea_ddp.report.limits import LimitRow, Limits
from coffea_ddp.scanning.cell_matrices import CellBlocks
from coffea_ddp.scanning.expectation import Expectation, as_expectation
from coffea_ddp.scanning.options import channels_of, shares_of
from coffea_ddp.scanning.steps import Progress
from coffea_ddp.stats import checks
from coffea_ddp.stats.asymmetry_limits import LEVEL, intervals, level_of
from coffea_ddp.stats.signal_limits import signal_limit
from coffea_ddp.stats.templates import check_template

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray, IntArray
    from coffea_ddp.histograms.cell_counts import CellCounts
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.histograms.lattice import DistinctCells
    from coffea_ddp.scanning.shares import ScanShares

METHOD = "exact (Clopper-Pearson on B of A + B)"
_BLOCK = 20_000
"""Intervals that are made at a time."""


class _Asked(NamedTuple):
    """Options that hold for every symmetry."""

    expectation: Expectation
    shares: ScanShares | None
    level: float
    all_cells: bool
    template: FloatArray | None


class _Ratio(NamedTuple):
    """The expected ratio of cells and its relative error; NaN where it is not known. Shape (n_cells,)."""

    kappa: FloatArray
    error: FloatArray


def limits(
    hists: Histograms | str | Path,
    *,
    symmetries: Sequence[str] | None = None,
    expectation: Expectation | None = None,
    signal: ArrayLike | None = None,
    observable: str | None = None,
    all_cells: bool = False,
    level: float = LEVEL,
    progress: Progress | None = None,
) -> Limits:
    r"""Return what an output excludes: asymmetries of its symmetries in all cells, and signals of a given shape.

    Parameters
    ----------
    hists
        The output of a pass, or its path.
    symmetries
        Names; all by default.
    expectation
        What is expected of side B, as for :func:`coffea_ddp.scan`. ``kappa="global"`` is the ratio of all events that
        are not in the cell, with its statistical error. The error of a calibration enters as one of kappa.
    signal
        A template: expected events of side B in the bins of an observable. The limit is one on the number of its events
        within the axes, and the same template is taken in all cells.
    observable
        In whose bins the template is; by default the one of every symmetry that has its shape.
    all_cells
        Take all cells of the lattice, and not only those that ask at most one question.
    level
        The confidence level.
    progress
        Called with the percents that are done, those in all, and the name of a symmetry.

    Returns
    -------
    Limits
        A row for each symmetry and cell with events.

    Raises
    ------
    UnknownNameError
        If a symmetry or observable does not exist.
    InputError
        If there is no symmetry, kappa is to be that of each cell (nothing is left to limit), a correction per bin is
        given, no observable or more than one fits the template, or the template is of weighted histograms.

    Notes
    -----
    Intervals of asymmetries are those of :func:`coffea_ddp.stats.asymmetry_limit` on the numbers of events, errors of
    kappa and systematic errors included. In a weighted output effective numbers take their place, and intervals are not
    exact. Limits on signals are those of :func:`coffea_ddp.stats.signal_limit`, asymptotic: where there are fewer than
    three events of background (``is_few``) they may exclude too much.

    Examples
    --------
    >>> import tempfile
    >>> import coffea_ddp as ddp
    >>> from coffea_ddp.testing import make_nanoaod
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     hists = ddp.run("symmetries", make_nanoaod(f"{folder}/nano.root", events=500, seed=1))
    >>> found = limits(hists, symmetries=["e/mu"])
    >>> found.rows[0].cell, found.rows[0].low < 0 < found.rows[0].high
    ('inclusive', True)
    """
    check_progress("limits", progress)
    hists, expectation = as_histograms("limits", hists), as_expectation("limits", expectation)
    wanted, all_cells = level_of(level), checks.flag(all_cells, "all_cells")
    if not hists.symmetries:
        raise InputError(
            f"the plan {hists.layout.plan!r} has no symmetry; limits are those of symmetries, fill with one"
        )
    every = channels_of(hists, symmetries, [EVENTS])
    channels = [one for one in every if one[0] in hists.symmetries]
    if symmetries is not None and len(channels) < len(every):
        named = next(name for name, _ in every if name not in hists.symmetries)
        raise InputError(
            f"{named!r} compares data with simulation; limits are those of symmetries: leave it out, or make a model "
            "of its cell for another tool with compared_cell"
        )
    _check(expectation, channels, hists)
    template = None if signal is None else checks.positive(signal, "signal")
    if template is None and observable is not None:
        raise InputError(f"observable={observable!r} has no effect without a signal; leave it out, or give a template")
    if template is not None:
        check_template(template.reshape(1, -1))
        if hists.layout.weighted:
            raise InputError(
                "signal: the histograms hold sums of weights, which L2 does not know; fill without weights"
            )
    hists, shares = shares_of(hists, expectation, channels, "binomial")
    rows: list[LimitRow] = []
    asked = _Asked(expectation, shares, wanted, all_cells, template)
    for number, (name, _) in enumerate(channels):
        done = functools.partial(_tell, progress, number, len(channels), name)
        done(0.0)
        chosen = None if template is None else _observable(hists, name, template, observable)
        rows += _of_symmetry(hists, name, chosen, asked, done)
    made = f"{METHOD}{', of effective numbers: not exact' if hists.layout.weighted else ''}"
    if any(row.kappa_error > 0 for row in rows):
        made += ", averaged over a log-normal error of kappa"
    of_signal = "" if template is None else "CLs of q_mu in L2, asymptotic; kappa profiled where it has an error"
    layout = hists.layout
    return Limits(layout.plan, layout.fingerprint, wanted, made, of_signal, tuple(rows), hists.partial)


def _check(expectation: Expectation, channels: Any, hists: Histograms) -> None:
    if expectation.correction is not None:
        raise InputError(
            "correction: an efficiency per bin, and limits are of numbers of events; give its mean as kappa"
        )
    if expectation.leave_out:
        raise InputError("leave_out has no effect on limits; leave it out")
    for name, _ in channels:
        if expectation.of_symmetry(name).kappa == "cell":
            raise InputError(
                f"kappa='cell' of {name!r}: kappa is the ratio of the cell itself then, and nothing is left to limit; "
                "give 'plan', 'global' or a number"
            )
    expectation.check(hists.layout, channels)


def _observable(hists: Histograms, symmetry: str, template: FloatArray, named: str | None) -> str:
    """Return the observable in whose bins a template is."""
    shapes = {
        name: tuple(len(axis) for axis in hists.layout.channel(symmetry, name).axes)
        for name in hists.observables(symmetry)
    }
    if named is not None:
        hists.layout.channel(symmetry, named)
        shapes = {named: shapes.get(named, (1,))}
    fitting = [name for name, shape in shapes.items() if shape == template.shape]
    if len(fitting) == 1:
        return fitting[0]
    told = ", ".join(f"{name!r} {shape}" for name, shape in shapes.items())
    which = "none has" if not fitting else f"{len(fitting)} have"
    raise InputError(
        f"signal of shape {template.shape}: of the observables of {symmetry!r} ({told}) {which} that shape; give a "
        "template in the bins of one, and its name as observable (--observable)"
    )


def _tell(progress: Progress | None, number: int, of: int, name: str, part: float) -> None:
    if progress is not None:
        progress(int(100 * (number + part)), 100 * of, name)


def _of_symmetry(
    hists: Histograms, symmetry: str, observable: str | None, asked: _Asked, done: Callable[[float], None]
) -> list[LimitRow]:
    events = hists.cell_counts(symmetry)
    cells = distinct_cells(hists.layout.grid, events.codes)
    chosen = _ordered(cells, np.flatnonzero((cells.questions <= 1) | asked.all_cells))
    sides = cells.sums(events.counts[:, :, 0])[chosen].T
    kappa, error = _ratio(hists, symmetry, asked, events, cells)
    ratio = _Ratio(kappa[chosen], error[chosen])
    found = _intervals(events, cells, chosen, sides, ratio, asked.level)
    columns: list[list[Any]] = [values.tolist() for values in (*sides, *ratio, *found)]
    if asked.template is not None and observable is not None:
        counts = hists.cell_counts(symmetry, observable)
        columns += [[observable] * len(chosen), *_signal_columns(counts, cells, chosen, ratio, asked, done)]
    done(1.0)
    whole = float if hists.layout.weighted else int
    return [
        LimitRow(symmetry, str(cells.cell(i)), cells.asks(i), whole(n_a), whole(n_b), *rest)
        for i, n_a, n_b, *rest in zip(chosen.tolist(), *columns, strict=True)
    ]


def _ordered(cells: DistinctCells, chosen: IntArray) -> IntArray:
    """Return cells in order: the inclusive one, then those that ask one question by their axes, then all others."""
    asked = cells.choices[chosen] > 0
    first = np.where(asked.any(axis=1), asked.argmax(axis=1), -1) if asked.shape[1] else np.zeros(len(chosen))
    return chosen[np.lexsort((np.arange(len(chosen)), first, cells.questions[chosen]))]


def _ratio(hists: Histograms, symmetry: str, asked: _Asked, events: CellCounts, cells: DistinctCells) -> _Ratio:
    """Return the expected ratio of all distinct cells."""
    mine = asked.expectation.of_symmetry(symmetry)
    channel = None if asked.shares is None else asked.shares.of(events)
    size = len(cells)
    if channel is not None:
        entries = channel.entries
        code = np.repeat(np.arange(len(events.codes)), np.diff(entries.starts))
        columns = np.column_stack([entries.n, entries.e, entries.outside + entries.control])
        summed = np.zeros((len(events.codes), columns.shape[1]))
        np.add.at(summed, code, columns)
        n, e, *moves = cells.sums(summed).T
        kappa = e / (n - e)
        return _Ratio(kappa, np.sqrt(np.sum(np.square(moves), axis=0)) * n / (e * (n - e)))
    error = np.full(size, np.hypot(mine.kappa_error, mine.systematic))  # type: ignore[arg-type]
    if mine.kappa == "global":
        others = events.counts[:, :, 0].sum(axis=0) - cells.sums(events.counts[:, :, 0])
        squares = others if events.squares is None else _others(events.squares[:, :, 0], cells)
        known = (others > 0).all(axis=1)
        a, b = np.where(known[:, None], others, 1.0).T
        spread = np.where(known[:, None], squares, 0.0).T
        poisson = np.sqrt(spread[0] / a**2 + spread[1] / b**2)
        return _Ratio(np.where(known, b / a, np.nan), np.hypot(error, poisson))
    kappa = hists.layout.symmetry(symmetry).kappa if mine.kappa == "plan" else float(mine.kappa)  # type: ignore[arg-type]
    return _Ratio(np.full(size, kappa), error)


def _others(squares: FloatArray, cells: DistinctCells) -> FloatArray:
    return np.asarray(squares.sum(axis=0) - cells.sums(squares))


def _intervals(
    events: CellCounts, cells: DistinctCells, chosen: IntArray, sides: FloatArray, ratio: _Ratio, level: float
) -> tuple[FloatArray, ...]:
    """Return the asymmetry, its interval and the expected one of cells; NaN where kappa is not known."""
    a, b, kappa = sides[0], sides[1], ratio.kappa
    known = np.isfinite(kappa)
    if events.squares is not None:
        squares = cells.sums(events.squares[:, :, 0])[chosen].T
        known &= (sides > 0).all(axis=0)
        # Effective numbers, each side in its own units.
        a, b = np.where(known, sides**2 / np.where(squares > 0, squares, 1.0), 1.0)
        kappa = np.where(
            known, kappa * (b / np.where(known, sides[1], 1.0)) / (a / np.where(known, sides[0], 1.0)), 1.0
        )
    found = np.full((5, len(kappa)), np.nan)
    places = np.flatnonzero(known)
    for start in range(0, len(places), _BLOCK):
        some = places[start : start + _BLOCK]
        found[:, some] = intervals(a[some], b[some], kappa[some], ratio.error[some], level)
    return tuple(found)


def _signal_columns(
    counts: CellCounts, cells: DistinctCells, chosen: IntArray, ratio: _Ratio, asked: _Asked,
    done: Callable[[float], None],
) -> list[list[float | None]]:  # fmt: skip
    """Return the limit, five expected ones, and the background of cells; ``None`` where kappa is not known."""
    known = np.isfinite(ratio.kappa)
    kappa, error = np.where(known, ratio.kappa, 1.0), np.where(known, np.minimum(ratio.error, 0.99), 0.0)
    assert asked.template is not None
    shape, total = asked.template.ravel(), asked.template.sum()
    place = np.full(len(cells), -1)
    place[chosen] = np.arange(len(chosen))
    found = np.full((7, len(chosen)), np.nan)

    def fill(rows: IntArray, a: FloatArray, b: FloatArray) -> None:
        width = error[rows] * kappa[rows]
        made = signal_limit(a, b, shape, kappa=kappa[rows], kappa_error=width, level=asked.level, bins_ndim=1)
        found[0, rows], found[1:6, rows] = made.limit * total, made.expected.T * total
        found[6, rows] = kappa[rows] / (1.0 + kappa[rows]) * (a + b)[:, shape > 0].sum(axis=1)

    for rows, a, b in _matrices(counts, cells, place):
        fill(rows, a, b)
        done(np.isfinite(found[0]).mean())
    bare = np.flatnonzero(np.isnan(found[0]))
    if len(bare):  # nothing in the range of the axes
        zeros = np.zeros((len(bare), len(shape)))
        fill(bare, zeros, zeros)
    found[:, ~known] = np.nan
    return [[None if np.isnan(one) else one for one in row] for row in found.tolist()]


def _matrices(
    counts: CellCounts, cells: DistinctCells, place: IntArray
) -> Iterator[tuple[IntArray, FloatArray, FloatArray]]:
    """Yield blocks of the cells that have a place: these, and their matrices of all bins, flat."""
    for block in CellBlocks(counts, cells):
        kept = np.flatnonzero(place[block.cells] >= 0)
        if not len(kept):
            continue
        sides = []
        for side in (block.a, block.b):
            whole = np.zeros((len(kept), counts.n_bins))
            whole[:, block.used] = side[kept]
            sides.append(whole)
        yield place[block.cells[kept]], sides[0], sides[1]
