r"""Lists of masses, one line an event, made into histograms.

Examples
--------
>>> from coffea_ddp.spectra.csv_tables import parse_tables
>>> (table,) = parse_tables("run,M\n1,0.5\n1,1.5\n2,1.6\n", "m.csv")
>>> read_masses(table, "m.csv", "m", Binning(None, 2, 0.0, 2.0))
MassSpectrum('m', '': 2 bins from 0 to 2, 3 entries)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import FormatError, InputError
from coffea_ddp.spectra.columns import Role, is_mass, role_of, words_of
from coffea_ddp.spectra.found import gev, make_spectrum
from coffea_ddp.spectra.headers import counts_rows

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.spectra.csv_tables import Table
    from coffea_ddp.spectra.spectrum import MassSpectrum

_MOST_BINS = 1_000_000


@dataclass(frozen=True)
class Binning:
    """The column of a list of masses, and the bins to count them in; ``None``: not given."""

    column: str | None = None
    bins: int | None = None
    low: float | None = None
    high: float | None = None

    @property
    def given(self) -> list[str]:
        """Names of what is given."""
        return [name for name, value in vars(self).items() if value is not None]


def read_masses(table: Table, path: Any, stem: str, binning: Binning) -> MassSpectrum:
    """Return the histogram of a list of masses; a column of weights is taken into account.

    Raises
    ------
    FormatError
        If a mass or a weight is missing or not finite.
    InputError
        If it is not clear which column is the mass, or bins are missing.
    """
    place = _column(table, path, binning.column)
    values = _values(table, place, path, "mass")
    weighted = [other for other, name in enumerate(table.names) if role_of(name) is Role.WEIGHT and other != place]
    weights = _values(table, weighted[0], path, "weight") if weighted else None
    edges = _edges(values, binning, path)
    flow = np.concatenate([[-np.inf], edges, [np.inf]])
    contents = np.histogram(values, flow, weights=weights)[0].astype(np.float64)
    variances = None if weights is None else np.histogram(values, flow, weights=weights**2)[0]
    # numpy's last finite bin ends before its upper edge here, since a bin of overflow follows.
    return make_spectrum(stem, edges, contents, variances, table.names[place] if table.names else "")


def masses_note(table: Table, path: Any, spectrum: MassSpectrum, binning: Binning) -> str:
    """Return which column was read, and how many of its masses are inside of the bins."""
    place = _column(table, path, binning.column)
    name = table.names[place].strip() if table.names else ""
    values = table.numbers[:, place] * gev(name)
    low, high = float(spectrum.edges[0]), float(spectrum.edges[-1])
    inside = int(np.count_nonzero((values >= low) & (values < high)))
    unit = "" if gev(name) == 1.0 else "; --low and --high are in its own unit"
    shown = repr(name) if name else f"column {place + 1}"
    return f"masses {shown}, {inside:,} of {len(values):,} from {low:g} to {high:g} GeV{unit}"


def _values(table: Table, place: int, path: Any, what: str) -> FloatArray:
    values = table.numbers[:, place]
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        line, cell = int(wrong[0]), str(table.cells[wrong[0], place])
        shown = "is not finite" if cell.lower().strip("+-") in ("nan", "inf", "infinity") else f"is {cell!r}, no number"
        raise FormatError(f"{path}: line {line + 1}: a {what} {shown}")
    return np.asarray(values)


def _edges(values: FloatArray, binning: Binning, path: Any) -> FloatArray:
    bins = binning.bins
    if bins is None:
        raise InputError(
            f"{path}: a column of {len(values)} masses; say how to histogram it: bins (and low, high). If every line "
            "is a bin, add columns low and high"
        )
    start = float(values.min()) if binning.low is None else binning.low
    stop = float(np.nextafter(values.max(), np.inf)) if binning.high is None else binning.high
    if not (1 <= bins <= _MOST_BINS and start < stop and np.isfinite(stop - start)):
        raise InputError(f"{path}: {bins} bins from {start:g} to {stop:g}; give 1 to {_MOST_BINS:,}, and low < high")
    edges = np.linspace(start, stop, bins + 1)
    if not (np.diff(edges) > 0).all():
        raise InputError(
            f"{path}: {bins} bins from {start:g} to {stop:g} are narrower than numbers can tell; use fewer"
        )
    return edges


def _column(table: Table, path: Any, column: str | None) -> int:
    """Return the column of masses: the one asked for, the only one that is called a mass, or the only one."""
    names, n_columns = [name.strip() for name in table.names], table.numbers.shape[1]
    if column is not None:
        return _asked(names, n_columns, path, column)
    index = names[:1] == [""] and n_columns == 2 and counts_rows(table.numbers[:, 0])  # as pandas writes it
    if index and role_of(names[1]) in (Role.OTHER, Role.INDEX):
        return 1
    if n_columns == 1:
        if names and role_of(names[0]) in (Role.COUNT, Role.VARIANCE, Role.ERROR):
            raise InputError(f"{path}: {names[0]!r} without edges; add columns low and high (or mass, for centres)")
        return 0
    masses = [place for place, name in enumerate(names) if role_of(name) is Role.MASS and is_mass(words_of(name))]
    if len(masses) == 1:
        return masses[0]
    shown = ", ".join(names) or f"{n_columns} without names"
    numbered = "" if names else " by its number, as in --column 1"
    raise InputError(f"{path}: which column is the mass? It has: {shown}; name it with --column (column=){numbered}")


def _asked(names: list[str], n_columns: int, path: Any, column: str) -> int:
    if names.count(column) == 1:
        return names.index(column)
    if not names and column.isascii() and column.isdigit() and 1 <= int(column[:9]) <= n_columns:
        return int(column) - 1
    twice = f"{names.count(column)} columns {column!r}" if column in names else f"no column {column!r}"
    raise InputError(f"{path}: {twice}; it has: {', '.join(names) or 'no header'}")
