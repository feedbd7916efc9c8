r"""Tables of bins: where the edges are, which columns are contents, and what errors belong to them.

What may be understood in two ways is refused, and the message says what decides.

Examples
--------
>>> from coffea_ddp.spectra.csv_tables import parse_tables
>>> found = read_binned(parse_tables("mass,count\n60.5,12\n61.5,9\n62.5,4\n", "t.csv")[0], "t.csv", "t")
>>> found.columns[0].edges.tolist(), found.columns[0].contents.tolist(), found.note
([60.0, 61.0, 62.0, 63.0], [12.0, 9.0, 4.0], "edges half-way between the centres 'mass', contents 'count'")
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import FormatError, InputError
from coffea_ddp.spectra.columns import Role, in_percent, role_of, statistical, words_of
from coffea_ddp.spectra.csv_tables import NUMBER, Table
from coffea_ddp.spectra.edges import evenly_spaced, from_both, from_centres, from_lower, from_widths, tiles
from coffea_ddp.spectra.headers import counts_rows

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray

_ROUNDING = 0.12
"""Variances that one factor explains to so much differ by the rounding of printed errors."""
_ROOTS = 0.01
_SURE = 10.0
_WIDEST = 20
_FEWEST = 4
"""Number of even steps that is no accident of a list of masses."""


@dataclass(frozen=True, eq=False)
class Column:
    """A spectrum of a table; variances are ``None`` where no statistical errors are given."""

    name: str
    edges: FloatArray
    contents: FloatArray
    variances: FloatArray | None
    label: str


@dataclass(frozen=True, eq=False)
class Binned:
    """The spectra of a table, and how it was understood."""

    columns: tuple[Column, ...]
    note: str


@dataclass(frozen=True)
class _Roles:
    """Columns by the part that they play."""

    names: tuple[str, ...]
    roles: tuple[Role, ...]

    def of(self, *roles: Role) -> list[int]:
        return [place for place, role in enumerate(self.roles) if role in roles]

    def shown(self, place: int) -> str:
        return repr(self.names[place]) if self.names[place] else f"column {place + 1}"


def is_binned(table: Table) -> bool:
    """Return whether a table is one of bins, by its header or, without one, by its numbers."""
    roles = _roles_of(table)
    if roles is None:
        return False
    lows, highs, axis = roles.of(Role.LOW), roles.of(Role.HIGH), roles.of(Role.MASS, Role.MID)
    if roles.of(Role.COUNT):
        return True
    if lows or highs or roles.of(Role.EDGE):
        # A list of masses may have the smallest and the largest of something beside them.
        if not (lows and highs):
            return False
        low, high = table.numbers[:, lows[0]], table.numbers[:, highs[0]]
        middles = [table.numbers[:, place] for place in axis]
        return tiles(low, high) or all(((low <= middle) & (middle <= high)).all() for middle in middles)
    if len(axis) != 1 or len(table.numbers) < _FEWEST or not roles.of(Role.OTHER, Role.ERROR):
        return False
    return evenly_spaced(table.numbers[:, axis[0]])


def read_binned(table: Table, path: Any, stem: str) -> Binned:
    """Return the spectra of a table of bins.

    Parameters
    ----------
    table
        With the columns of edges or centres, and of contents.
    path
        For messages.
    stem
        What a spectrum is called whose table has no name.

    Raises
    ------
    FormatError
        If bins are not next to each other, or a number is missing.
    InputError
        If it may be understood in more than one way.
    """
    roles = _roles_of(table)
    if roles is None:
        n_rows, n_columns = table.numbers.shape
        if n_columns > max(n_rows, _WIDEST):
            raise InputError(f"{path}: {n_columns} columns in {n_rows} lines; write one line a bin: low,high,count")
        raise InputError(f"{path}: columns without names that are no edges and contents; add a header: low,high,count")
    axis, how = _axis_columns(roles, path)
    contents = _content_columns(roles, axis, path)
    groups = _groups(table, roles)
    columns = []
    for group, rows in groups.items():
        part = _Part(path, group or stem, table.numbers[rows], table.filled[rows], table.cells[rows])
        edges, kept = _edges(part, roles, axis, how, contents[0])
        for place in contents:
            many = len(contents) > 1
            name = f"{part.name}/{roles.names[place].strip()}" if many else part.name
            values = part.column(place, kept, "the count")
            variances = _variances(part, roles, place, contents, kept, values)
            label = roles.names[axis[0]]
            columns.append(Column(name, edges, values, without_rounding(values, variances, edges), label))
    told = f"{how} {', '.join(map(roles.shown, axis))}, contents {', '.join(map(roles.shown, contents))}"
    unused = [place for place in roles.of(Role.OTHER, Role.WEIGHT) if place not in contents and roles.names[place]]
    told += f"; not used: {', '.join(map(roles.shown, unused))}" if unused else ""
    return Binned(tuple(columns), told)


def _roles_of(table: Table) -> _Roles | None:
    if not table.names:
        return _unnamed(table)
    roles = [role_of(name) for name in table.names]
    # numpy's own word for contents is hist.
    named = [Role.COUNT if role is Role.SPECTRUM and np.isfinite(table.numbers[:, place]).all() else role
             for place, role in enumerate(roles)]  # fmt: skip
    if set(named) == {Role.OTHER} and (by_numbers := _unnamed(table)) is not None and by_numbers.of(Role.LOW):
        return _Roles(table.names, by_numbers.roles)  # words of another language, above edges that touch
    return _Roles(table.names, tuple(named))


def _unnamed(table: Table) -> _Roles | None:
    """Return the parts of columns without names, by their numbers; ``None`` where they are no table of bins."""
    numbers = table.numbers
    if _is_index(numbers):
        inner = _unnamed(Table((), table.cells[:, 1:], numbers[:, 1:]))
        return None if inner is None else _Roles(("", *inner.names), (Role.INDEX, *inner.roles))
    n_columns = numbers.shape[1]
    if n_columns < 2 or n_columns > 6 or len(numbers) < 2 or np.isnan(numbers[:-1]).any():
        return None
    first, second = numbers[:, 0], numbers[:, 1]
    steps = np.diff(first)
    if not ((steps > 0).all() or (steps < 0).all()):
        return None
    third = numbers[:, 2] if n_columns > 2 else second
    if n_columns >= 3 and _are_bins(first, second):
        axis = [Role.LOW, Role.HIGH]
    elif n_columns >= 4 and (second < first).all() and (third > first).all() and tiles(second, third):
        axis = [Role.MID, Role.LOW, Role.HIGH]
    elif n_columns >= 3 and tiles(first - second, first + second):
        axis = [Role.MID, Role.HALF]
    else:
        axis = [Role.MID]
    rest = n_columns - len(axis)
    if not 1 <= rest <= 3:
        return None
    names = ("",) * (len(axis) + 1) + ("error +", "error -")[: rest - 1]
    return _Roles(names, (*axis, Role.COUNT, *[Role.ERROR] * (rest - 1)))


def _is_index(numbers: FloatArray) -> bool:
    """Return whether a first column counts the rows, before the edges or the centres of bins and their contents."""
    if numbers.shape[1] < 3 or not counts_rows(numbers[:, 0]) or tiles(numbers[:, 0], numbers[:, 1]):
        return False
    if numbers.shape[1] > 3 and tiles(numbers[:, 1], numbers[:, 2]):
        return True
    return len(numbers) >= _FEWEST and numbers[0, 1] < numbers[-1, 1] and evenly_spaced(numbers[:, 1])


def _are_bins(low: FloatArray, high: FloatArray) -> bool:
    """Return whether two columns are edges of bins, next to each other or with gaps."""
    first, last = (low, high) if low[0] < low[-1] else (low[::-1], high[::-1])
    return bool((high > low).all() and (tiles(low, high) or (last[:-1] <= first[1:]).all()))


def _axis_columns(roles: _Roles, path: Any) -> tuple[list[int], str]:
    """Return the columns that say where bins are, and in which way they do."""
    lows, highs, edges = roles.of(Role.LOW), roles.of(Role.HIGH), roles.of(Role.EDGE)
    middles = roles.of(Role.MID) or roles.of(Role.MASS)
    spread = roles.of(Role.HALF, Role.WIDTH)
    for found in (lows, highs, edges, middles, spread):
        if len(found) > 1 and not (found is middles and (lows or edges)):
            named = ", ".join(map(roles.shown, found))
            raise InputError(f"{path}: {named}: which of them is the axis? Leave one, or name them low, high, count")
    if lows and highs:
        return [lows[0], highs[0]], "edges"
    if edges or lows:
        return [(lows or edges)[0]], "lower edges"
    if highs:
        return [highs[0]], "upper edges"
    if middles and spread:
        return [middles[0], spread[0]], "centres and widths"
    if middles:
        return [middles[0]], "edges half-way between the centres"
    raise InputError(f"{path}: contents without edges; add columns low and high (or mass, for centres)")


def _content_columns(roles: _Roles, axis: list[int], path: Any) -> list[int]:
    found = roles.of(Role.COUNT)
    if not found:
        found = [place for place in roles.of(Role.OTHER, Role.WEIGHT, Role.MASS) if place not in axis]
        found = [place for place in found if roles.roles[place] is not Role.MASS]
    if not found and any(words_of(roles.names[place]) == ["sigma"] for place in roles.of(Role.ERROR)):
        found = roles.of(Role.ERROR)[:1]
    if not found:
        raise InputError(f"{path}: edges without contents; name that column count")
    return found


def _groups(table: Table, roles: _Roles) -> dict[str, Any]:
    """Return the rows of every name in a column ``spectrum``; of none, all."""
    which = [place for place in roles.of(Role.SPECTRUM) if np.isnan(table.numbers[:, place]).any()]
    if not which:
        return {"": np.arange(len(table.numbers))}
    groups: dict[str, list[int]] = {}
    for row, name in enumerate(table.cells[:, which[0]]):
        groups.setdefault(str(name), []).append(row)
    return {name: np.array(rows) for name, rows in groups.items()}


@dataclass(frozen=True, eq=False)
class _Part:
    """The rows of one spectrum."""

    path: Any
    name: str
    numbers: FloatArray
    filled: Any
    cells: Any

    def column(self, place: int, rows: Any, what: str) -> FloatArray:
        """Return numbers of some rows; a cell that is empty or no number is an error, NaN as such is a number."""
        values = self.numbers[rows, place]
        for row in np.flatnonzero(np.isnan(values)):
            text = str(self.cells[rows][row, place])
            if text.lower() != "nan":
                line = int(np.arange(len(self.numbers))[rows][row]) + 1
                shown = ",".join(cell for cell in self.cells[rows][row] if cell)[:60]
                raise FormatError(f"{self.path}: line {line} of the numbers, {shown!r}: no number for {what!r}")
        return np.asarray(values)


def _edges(part: _Part, roles: _Roles, axis: list[int], how: str, content: int) -> tuple[FloatArray, Any]:
    """Return the edges, and the rows of the bins in their order."""
    rows = np.arange(len(part.numbers))
    where = f"{part.path}: {part.name!r}"
    if how == "edges":
        low, high = part.column(axis[0], rows, "the lower edge"), part.column(axis[1], rows, "the upper edge")
        return from_both(low, high, where)
    first = part.column(axis[0], rows, "the centre" if "centre" in how else "the edge")
    if how in ("lower edges", "upper edges"):
        return from_lower(first, part.filled[:, content], where, upper=how == "upper edges")
    if how == "centres and widths":
        spread = part.column(axis[1], rows, "the width")
        return from_widths(first, spread, where, half=None if roles.roles[axis[1]] is Role.HALF else False)
    return from_centres(first, where)


def _variances(
    part: _Part, roles: _Roles, place: int, contents: list[int], rows: Any, values: FloatArray
) -> FloatArray | None:
    """Return variances from the columns between a content and the next one: as such, or of statistical errors."""
    following = [other for other in contents if other > place]
    stop = following[0] if following else len(roles.names)
    mine = range(place + 1, stop) if len(contents) > 1 else range(len(roles.names))
    given = [other for other in mine if roles.roles[other] is Role.VARIANCE]
    if given:
        return part.column(given[0], rows, "the variance")
    errors = [other for other in mine if roles.roles[other] in (Role.ERROR, Role.RELATIVE) and other != place]
    chosen = set(statistical([roles.names[other] or "error" for other in errors]))
    columns = [other for other in errors if (roles.names[other] or "error") in chosen]
    if not columns:
        return None
    lower = [other for other in columns if _is_lower(roles.names[other])]
    # Of an interval around n counts, the lower side is nearly the square root of n.
    return _errors(part, roles, (lower or columns)[0], rows, values) ** 2


def _errors(part: _Part, roles: _Roles, place: int, rows: Any, values: FloatArray) -> FloatArray:
    """Return the sizes of errors; of percentages, their part of the contents."""
    texts = [str(cell) for cell in part.cells[rows][:, place]]
    if texts and all(text.endswith("%") for text in texts):
        bare = [text.removesuffix("%").strip() for text in texts]
        if all(map(NUMBER.fullmatch, bare)):
            return np.abs(np.array([float(text) for text in bare]) / 100.0 * values)
    found = np.abs(part.column(place, rows, "the error"))
    if roles.roles[place] is not Role.RELATIVE:
        return found
    if not in_percent(roles.names[place]):
        raise InputError(
            f"{part.path}: {roles.shown(place)}: a part of the content, or per cent? Call it 'stat [%]' and give per "
            "cent, or give the errors themselves as 'error'"
        )
    return np.asarray(found / 100.0 * values)


def _is_lower(name: str) -> bool:
    return re.search(r"(?:-|down|minus|lo|low|lower|dn)\s*$", name.strip().lower()) is not None


def without_rounding(contents: FloatArray, variances: FloatArray | None, edges: FloatArray) -> FloatArray | None:
    """Return variances without the rounding of printed errors, where one factor explains them; ``None`` for counts."""
    if variances is None or not np.isfinite(variances).all() or not np.isfinite(contents).all():
        return variances
    positive = (contents > 0) & (variances > 0)
    if not positive.any():
        return variances
    weights = np.where(positive, variances, 1.0) / np.where(positive, contents, 1.0)
    counts = np.where(positive, contents / weights, 0.0)
    sure = counts >= _SURE if (counts >= _SURE).any() else positive
    for scale in (np.ones(len(contents)), np.diff(edges)):
        scaled = (weights * scale)[sure]
        typical = float(np.average(scaled, weights=counts[sure]))
        if np.abs(scaled / typical - 1.0).max() > _ROUNDING:
            continue
        whole = np.array_equal(contents, np.rint(contents)) and scale[0] == 1.0 and abs(typical - 1.0) < _ROUNDING
        # Square roots of contents that are no counts are no errors, but what is written where there are none.
        roots = scale[0] == 1.0 and np.abs(weights[positive] - 1.0).max() < _ROOTS
        return None if whole or roots else np.asarray(np.where(contents > 0, contents * typical / scale, variances))
    return variances
