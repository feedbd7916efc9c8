r"""Tables of text: delimiters, headers, comments, decimal commas, and blocks with headers of their own.

Examples
--------
>>> (table,) = parse_tables('# from a paper\n"M [GeV]";"Events"\n60,5;12\n61,5;9\n', "table.csv")
>>> table.names, table.numbers.tolist()
(('M [GeV]', 'Events'), [[60.5, 12.0], [61.5, 9.0]])
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import FormatError, InputError
from coffea_ddp.spectra.columns import Role, role_of
from coffea_ddp.spectra.headers import aligned, headed, is_header, is_header_row, n_titles
from coffea_ddp.spectra.printed import as_table

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray

_COMMENTS = ("#", "%", "//", "!")
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf|infinity|nan)", re.IGNORECASE)
_FORTRAN = re.compile(r"(?<=[\d.])[dD](?=[+-]?\d+$)")
_POINT = re.compile(r"[+-]?(?:\d{4,}|0)?\.\d+|[+-]?\d+\.(?:\d{1,2}|\d{4,})")
"""A number whose point cannot mark thousands."""
_GROUPS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?")
_INTERVAL = re.compile(
    r"[\[(]?\s*(?P<low>[+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*(?:-|\u2013|,|;|\.\.|to)\s*(?P<high>[+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*[\])]?"
)
_BLANKS = str.maketrans({"\u2212": "-", "\u00a0": None, "\u2009": None, "\u202f": None})
_TITLE = re.compile(r"#:\s*name:\s*(.+)")
_MOST_COLUMNS = 1000
_NOT_PLAIN = re.compile(r"[^\d\s.eE+\-,;|]")
_LONG = 10_000
"""Tables of more lines are read at once where they are plain."""


@dataclass(frozen=True, eq=False)
class Table:
    """A block of a file with one header.

    Attributes
    ----------
    names
        Of the columns, empty where there is no header.
    cells
        As they are written, shape (n_rows, n_columns).
    numbers
        NaN where a cell is no number, shape (n_rows, n_columns).
    title
        What the file calls it; may be empty.
    """

    names: tuple[str, ...]
    cells: Any
    numbers: FloatArray
    title: str = ""

    @property
    def filled(self) -> BoolArray:
        """Mask of the cells that hold anything, shape (n_rows, n_columns)."""
        return np.asarray(self.cells != "")


def parse_tables(text: str, path: Any, decimal: str | None = None) -> list[Table]:
    """Return the tables of a text.

    Parameters
    ----------
    text
        Of the file.
    path
        For messages.
    decimal
        The decimal mark, ``"."`` or ``","``; ``None``: from the numbers.

    Raises
    ------
    FormatError
        If there is none in it.
    InputError
        If a comma may be a decimal mark as well as a separator of thousands.
    """
    lines = [line for line in re.split(r"\r\n|\r|\n", as_table(text, path)) if line.strip()]
    comments = [line for line in lines if _is_comment(line)]
    data = [_without_comment(line) for line in lines if not _is_comment(line)]
    if not data:
        raise FormatError(f"{path}: no line in it; give a table of edges and counts, or a column of masses")
    delimiter = _delimiter(data, decimal)
    if len(data) > _LONG and (table := _plain_table(data, delimiter)) is not None:
        return [table]
    cells = _split(data, delimiter, path)
    cells = _plain_numbers(cells, delimiter, decimal, path)
    numbers = _numbers(cells)
    if delimiter == r"\s+" and len(cells) > 1:
        cells = aligned(cells, numbers, path)
        numbers = _numbers(cells)
    titles = [found[1].strip() for line in comments if (found := _TITLE.match(line.strip()))]
    tables = _blocks(cells, numbers, titles)
    if not tables:
        raise FormatError(f"{path}: a header and nothing below it")
    if not tables[0].names:
        header = _commented_header(comments, cells.shape[1])
        tables[0] = Table(header, tables[0].cells, tables[0].numbers, tables[0].title)
    return tables


def _plain_table(lines: list[str], delimiter: str) -> Table | None:
    """Return a long table of nothing but plain numbers below one header; ``None`` where it holds anything else."""
    fields = [
        name.strip().strip('"') for name in (lines[0].split() if delimiter == r"\s+" else lines[0].split(delimiter))
    ]
    header = not all(map(NUMBER.fullmatch, fields))
    text = "\n".join(lines[header:])
    if _NOT_PLAIN.search(text) or (delimiter != "," and "," in text):
        return None
    try:
        numbers = np.loadtxt(lines[header:], delimiter=None if delimiter == r"\s+" else delimiter, ndmin=2)
    except (ValueError, OverflowError):
        return None
    if numbers.shape[1] != len(fields) or not np.isfinite(numbers).all():
        return None
    cells = np.broadcast_to(np.array("0", dtype=object), numbers.shape)  # all of them are numbers
    return Table(tuple(fields) if header else (), cells, numbers)


def _is_comment(line: str) -> bool:
    return line.lstrip().lstrip('"').startswith(_COMMENTS)


def _without_comment(line: str) -> str:
    """Return a line without what follows a mark of comments behind its numbers."""
    if '"' in line or ("#" not in line and "//" not in line):
        return line
    return re.split(r"\s(?:#|//)", line, maxsplit=1)[0]


def _delimiter(lines: list[str], decimal: str | None) -> str:
    """Return what separates columns: of the candidates, that which leaves numbers; blanks are a regular expression."""
    some = lines[:2000]
    bare = [re.sub(r'"[^"]*"', "", line) for line in some]
    for mark in ("\t", ";", "|"):
        if sum(mark in line for line in bare) > 0.5 * len(bare):
            return mark
    commas = sum("," in line for line in bare) > 0.5 * len(bare)
    if not commas:
        return "," if any("," in line for line in bare) and not any(len(line.split()) > 1 for line in bare) else r"\s+"
    rows = (bare[1:] or bare)[-50:]
    parts = [text.strip() for line in rows for text in line.split(",")]
    separated = all(not text or NUMBER.fullmatch(_FORTRAN.sub("e", text)) for text in parts)
    as_decimals = all(NUMBER.fullmatch(text.replace(",", ".", 1)) for line in rows for text in line.split())
    one_name = "," not in some[0] and not NUMBER.match(some[0].strip())
    return r"\s+" if as_decimals and (decimal == "," or not separated or one_name) else ","


def _split(lines: list[str], delimiter: str, path: Any) -> Any:
    """Return the fields of all lines as text, empty where a line is short; shape (n_lines, n_columns)."""
    import pandas as pd

    most = max(len(line.split()) if delimiter == r"\s+" else line.count(delimiter) + 1 for line in lines)
    if most > _MOST_COLUMNS:
        raise FormatError(f"{path}: {most} columns; a table of a spectrum has a few")
    try:
        frame = pd.read_csv(
            io.StringIO("\n".join(lines)), sep=delimiter, header=None, names=range(most), dtype=str, na_filter=False,
            skipinitialspace=True, index_col=False, engine="c", skip_blank_lines=True,
        )  # fmt: skip
    # What the parser says of quotes that are never closed, and the like.
    except (ValueError, OverflowError) as error:
        raise FormatError(f"{path}: no table of text ({error}); write one line a bin") from error
    cells = frame.fillna("").to_numpy(dtype=object)
    cells = np.array([[str(cell).strip() for cell in row] for row in cells], dtype=object).reshape(len(frame), most)
    used = (cells != "").any(axis=0)
    return cells[:, : int(np.flatnonzero(used)[-1]) + 1] if used.any() else cells[:, :1]


def _plain_numbers(cells: Any, delimiter: str, decimal: str | None, path: Any) -> Any:
    """Return the fields with numbers as Python writes them: decimal points, no thousands, no Fortran exponents."""
    flat = cells.reshape(-1)
    marked = [index for index, cell in enumerate(flat) if "," in cell and not re.search(r"[^\d.,eE+\-\s]", cell)]
    comma = decimal == ","
    if marked:
        points = any(_POINT.fullmatch(cell) for cell in flat)
        comma = _comma_is_decimal([flat[index] for index in marked], decimal, path, points=points)
    out = np.array([_plain(cell) for cell in flat], dtype=object)
    for index in marked:
        text = flat[index].replace(" ", "")
        out[index] = text.replace(".", "").replace(",", ".") if comma else text.replace(",", "")
    if comma and delimiter != ",":
        # Thousands are marked by points there.
        for index, cell in enumerate(flat):
            if re.fullmatch(r"[+-]?\d{1,3}(?:\.\d{3})+", cell):
                out[index] = cell.replace(".", "")
    return out.reshape(cells.shape)


def _comma_is_decimal(fields: list[str], decimal: str | None, path: Any, *, points: bool) -> bool:
    """Return whether commas are decimal marks; ``points``: elsewhere points are."""
    if decimal is not None:
        return decimal == ","
    grouped = [bool(_GROUPS.fullmatch(text.replace(" ", ""))) for text in fields]
    if not all(grouped):
        return True
    if points or any(text.count(",") > 1 or "." in text for text in fields):
        return False
    raise InputError(
        f"{path}: {fields[0]!r}: is the comma a decimal mark, or one of thousands? Say --decimal , (or decimal=',') or "
        "--decimal ."
    )


def _plain(cell: str) -> str:
    text = cell.translate(_BLANKS)
    if " " in text and re.fullmatch(r"[+-]?\d{1,3}(?: \d{3})+(?:[.,]\d*)?", text):
        text = text.replace(" ", "")
    return _FORTRAN.sub("e", text)


def _numbers(cells: Any) -> FloatArray:
    """Return the numbers of all cells, NaN where there is none."""
    flat = [float(cell) if NUMBER.fullmatch(cell) else np.nan for cell in cells.reshape(-1)]
    return np.array(flat, dtype=np.float64).reshape(cells.shape)


def _blocks(cells: Any, numbers: FloatArray, titles: list[str]) -> list[Table]:
    """Return the tables between lines without any number; of several such lines, one is the header."""
    lowered = np.vectorize(str.lower, otypes=[object])(cells)
    is_number = ~np.isnan(numbers) | (lowered == "nan")
    head = ~is_number.any(axis=1)
    head[:1] |= is_header_row(cells, numbers)
    head[: n_titles(cells, head)] = True
    starts = [0, *(i for i in range(1, len(head)) if head[i] and not head[i - 1])]
    tables: list[Table] = []
    for start, stop in zip(starts, [*starts[1:], len(head)], strict=True):
        rows = np.arange(start, stop)[~head[start:stop]]
        if not len(rows):
            continue
        names = headed(cells[start : rows[0]].tolist()) if head[start] else ()
        title = titles[len(tables)] if len(tables) < len(titles) else ""
        # A block may have fewer columns than another one of its file.
        n_columns = 1 + int(np.flatnonzero((cells[start : rows[-1] + 1] != "").any(axis=0))[-1])
        part = Table(names[:n_columns], cells[rows, :n_columns], numbers[rows, :n_columns], title)
        tables.append(_without_intervals(part))
    return tables


def _without_intervals(table: Table) -> Table:
    """Return a table with two columns in place of one of intervals, as in ``60-61`` or ``(60.0, 61.0]``."""
    for place in range(table.cells.shape[1]):
        found = [_INTERVAL.fullmatch(cell) for cell in table.cells[:, place]]
        if not all(found):
            continue
        ends = np.array([[one["low"], one["high"]] for one in found if one], dtype=object)
        cells = np.hstack([table.cells[:, :place], ends, table.cells[:, place + 1 :]])
        numbers = np.hstack([table.numbers[:, :place], _numbers(ends), table.numbers[:, place + 1 :]])
        name = table.names[place] if table.names else ""
        two = (f"{name} low", f"{name} high")
        names = (*table.names[:place], *two, *table.names[place + 1 :]) if table.names else ()
        return Table(names, cells, numbers, table.title)
    return table


def _commented_header(comments: list[str], columns: int) -> tuple[str, ...]:
    """Return the names of columns from a comment, as numpy writes them; empty where none names contents and an axis."""
    for line in reversed(comments):
        text = line.strip().lstrip("#%/!").strip()
        for mark in (",", ";", "\t", None):
            names = tuple(name.strip().strip('"') for name in text.split(mark))
            if len(names) == columns and columns > 1 and _is_header(names, words=mark is None):
                return names
    return ()


def _is_header(names: tuple[str, ...], *, words: bool) -> bool:
    has_mass = Role.MASS in {role_of(name) for name in names}
    return is_header(names) or (has_mass and (not words or len(names) == 2))
