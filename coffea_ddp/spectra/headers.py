"""Headers of tables: which line of several is it, which unit stands below it, and names that are numbers.

Examples
--------
>>> headed([["Dimuon masses, 2018", "", ""], ["low", "high", "events"], ["GeV", "GeV", ""]])
('low [GeV]', 'high [GeV]', 'events')
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import FormatError
from coffea_ddp.spectra.columns import Role, role_of

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray

_UNIT = re.compile(r"[\[(]?\s*(?P<unit>[kKMGT]eV)(?:/c(?:\^?2)?)?\s*[\])]?")
_MISSING = frozenset(
    {"na", "n/a", "nan", "inf", "+inf", "-inf", "infinity", "none", "null", "missing", "masked", "nil"}
)
_TITLES = 3
_LETTER = re.compile(r"[^\W\d_]")


def headed(rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return the names of columns from the lines above: one of contents and an axis, else the fullest."""
    best = max(rows, key=lambda row: (is_header(row), sum(map(bool, row))))
    below = rows[[row is best for row in rows].index(True) + 1 :]
    names = [str(name) for name in best]
    for row in below:
        for place, cell in enumerate(row):
            if (found := _UNIT.fullmatch(str(cell).strip())) and names[place]:
                names[place] += f" [{found['unit']}]"
    return tuple(names)


def is_header(names: Sequence[str]) -> bool:
    """Return whether names are those of an axis and of contents."""
    roles = {role_of(str(name)) for name in names}
    return bool(roles & {Role.LOW, Role.HIGH, Role.EDGE, Role.MID, Role.MASS}) and Role.COUNT in roles


def is_header_row(cells: Any, numbers: FloatArray) -> bool:
    """Return whether a first line with numbers is a header all the same, as of pandas: ``m_mumu,0`` or ``,0``.

    A word stands above nothing but numbers in it, or nothing stands above those of the lines.
    """
    if len(cells) < 3:
        return False
    for place, cell in enumerate(cells[0]):
        below = numbers[1:, place]
        if np.isnan(below).any():
            continue
        if _LETTER.search(cell) and np.isnan(numbers[0, place]) and cell.lower() not in _MISSING:
            return True
        if not cell and place == 0 and counts_rows(below):
            return True
    return False


def n_titles(cells: Any, head: Any) -> int:
    """Return how many lines with words and numbers stand above the first header: titles such as ``Dimuons, 2018``."""
    first = int(np.argmax(head)) if head.any() else 0
    worded = [any(_LETTER.search(cell) and cell.lower() not in _MISSING for cell in row) for row in cells[:first]]
    return first if first <= _TITLES and all(worded) else 0


def counts_rows(column: FloatArray) -> bool:
    """Return whether a column numbers the lines, from 0 or 1 on.

    Examples
    --------
    >>> counts_rows(np.array([0.0, 1.0, 2.0])), counts_rows(np.array([60.0, 61.0, 62.0]))
    (True, False)
    """
    return len(column) > 1 and column[0] in (0.0, 1.0) and bool((np.diff(column) == 1.0).all())


def aligned(cells: Any, numbers: FloatArray, path: Any) -> Any:
    """Return the cells of a table that blanks separate, with a name for a column of line numbers (pandas).

    Raises
    ------
    FormatError
        If the first line has more or fewer words than the others have numbers: which name is whose, it does not say.
    """
    words = int(np.count_nonzero(cells[0] != ""))
    lengths = {int(n) for n in np.count_nonzero(cells[1:] != "", axis=1)}
    if len(lengths) != 1 or not np.isnan(numbers[0]).all() or not np.isfinite(numbers[1:, 0]).all():
        return cells
    (length,) = lengths
    if length == 1:  # one name of several words
        return np.vstack([[[" ".join(str(cell) for cell in cells[0] if cell)]], cells[1:, :1]])
    if words in (1, length):
        return cells
    if words == length - 1 and counts_rows(numbers[1:, 0]):
        return np.vstack([np.concatenate([[""], cells[0, :-1]]), cells[1:]])
    raise FormatError(
        f"{path}: its header has {words} words, and its lines have {length} numbers: separate columns by commas or "
        "tabs, or put names with blanks in quotes"
    )
