"""Reports as files from strangers: bounded before they are parsed, then checked as a whole.

What one value may be is in ``report.schema.json`` (JSON Schema, draft 7); what values may be together is checked here.
Every error names the place in the file.

Examples
--------
>>> parsed(b'{"format": "coffea-ddp/report", "format": 1}')
Traceback (most recent call last):
...
coffea_ddp.errors.FormatError: the name 'format' stands twice in one object
>>> check({"format": "coffea-ddp/report", "version": 2})
Traceback (most recent call last):
...
coffea_ddp.errors.FormatError: version 2 of the format, this package reads version 1
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coffea_ddp._files import REPORT, advice, check_input, what_is
from coffea_ddp.errors import FileError, FormatError, InputError, named
from coffea_ddp.report.parts import SMALLEST_P
from coffea_ddp.report.rows import WHOLE
from coffea_ddp.stats.status import Status
from coffea_ddp.stats.trials import p_from_z, z_from_p

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT, VERSION = "coffea-ddp/report", 1
MOST_ROWS = 200_000
"""A scan keeps no more; a file may have some more, kept besides the best."""

_MOST_BYTES = 1 << 29
_MOST = {b"{": 1_000_000, b"[": 1_000_000, b",": 30_000_000}
"""Objects, lists and values of any file: what parsing makes of them is many times larger than the text."""
_DEEPEST = 24
_LONGEST = 100_000
_LARGEST = 1 << 128
_AGAIN = "make it again with `coffea-ddp scan`"
_NESTED = ("p_local", "p_cell", "p_symmetry", "p_global")
_ROUNDING = 1.0 - 1e-6
_Z_ROUNDING = 0.01
"""Two decimals, as people write z."""
_TODAY = frozenset(("n_ge", "two_sided"))
"""Columns that reports have whose p-values are in order; older ones of version 1 need not be."""
_PAIRS = (("p_local", "z_local"), ("p_global", "z_global"))


def read(path: str | Path) -> Any:
    """Return what a report's file says, parsed and not yet checked.

    Raises
    ------
    FileError
        If the file cannot be read.
    FormatError
        If it is no JSON, or larger than any report.
    """
    if not isinstance(path, str | Path):
        raise InputError(f"ScanReport.load: got {named(path)}; give the path of a report (.json)")
    check_input(path)
    kind = what_is(path)
    if kind not in (
        REPORT,
        "a JSON file",
        "a text file",
        "an empty file",
        "no file",
        "a file of another kind",
        "a folder",
    ):
        raise FormatError(f"not a report but {advice(path)}")
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise FileError(f"{path}: no such file; `coffea-ddp scan HISTS -o {path}` makes one") from None
    except (OSError, ValueError) as error:
        raise FileError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    return parsed(content)


def parsed(content: bytes) -> Any:
    """Return what a text of JSON says.

    Raises
    ------
    FormatError
        If it is none, is truncated, has a name twice, or is larger than any report.
    """
    if len(content) > _MOST_BYTES:
        raise FormatError(f"larger than {_MOST_BYTES >> 20} MiB, which no report is")
    for sign, most in _MOST.items():
        if content.count(sign) > most:
            raise FormatError(f"more than {most:,} of {sign.decode()!r}, which no report has")
    try:
        return json.loads(content, parse_constant=_refuse_constant, object_pairs_hook=_once)
    except FormatError:
        raise
    except (ValueError, RecursionError) as error:
        raise FormatError(f"not a report, or damaged ({error}); {_AGAIN}") from None


def check(data: Any) -> None:
    """Check what a file says as a whole.

    Raises
    ------
    FormatError
        If it is no report, of another version, or anything in it cannot be; the message names the place.
    """
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise FormatError(f"not of the format {FORMAT!r}; give a file made by `coffea-ddp scan`")
    if type(data.get("version")) is not int or data["version"] != VERSION:
        version = _short(data.get("version"))
        raise FormatError(f"version {version} of the format, this package reads version {VERSION}")
    _check_values(data)
    from fastjsonschema import JsonSchemaValueException  # 0.1 s, for readers only

    try:
        _validator()(data)
    except JsonSchemaValueException as error:
        raise _wrong(_place(error.path[1:]), error.message.partition(" ")[2], error.value) from None
    _check_rows(data["rows"], weighted=data["inputs"].get("weighted"))
    _check_summaries(data)


def _check_rows(rows: Sequence[Mapping[str, Any]], *, weighted: bool | None) -> None:
    ranks = _check_ranks(rows)
    for number, row in enumerate(rows):
        if row.get("number") not in (None, number + 1):
            raise _wrong(f"rows[{number}].number", f"is not its place, {number + 1}", row["number"])
        ordered = _order(row) if row.keys() >= _TODAY else ()
        problems = (*_counts(row), *_p_and_z(row), *_contents(row, weighted), *_others(row, ranks), *ordered)
        for name, problem in problems:
            raise _wrong(f"rows[{number}].{name}", problem, row.get(name))


def _check_summaries(data: Mapping[str, Any]) -> None:
    for number, found in enumerate(data.get("global_p", ())):
        if found["n_ge"] > found["n"]:
            raise _wrong(f"global_p[{number}].n_ge", f"is above n = {found['n']}", found["n_ge"])
    for number, found in enumerate(data.get("summaries", ())):
        if found["n_empty"] + found["n_distinct"] > found["n_cells"]:
            raise _wrong(f"summaries[{number}].n_cells", "is below n_empty + n_distinct", found["n_cells"])
    histogram = data.get("z_histogram") or {"low": 0.0, "high": 1.0, "counts": ()}
    if not {"low", "high", "counts"} <= histogram.keys() or not histogram["low"] < histogram["high"]:
        raise _wrong("z_histogram", "lacks bins: low, high and counts, low below high", None)


def _check_ranks(rows: Sequence[Mapping[str, Any]]) -> frozenset[int]:
    """Return the ranks of all rows, each there once."""
    ranks: set[int] = set()
    for number, row in enumerate(rows):
        rank = row.get("rank")
        if rank in ranks:
            raise _wrong(f"rows[{number}].rank", "is that of another row", rank)
        if rank is not None:
            ranks.add(rank)
    return frozenset(ranks)


Problems = Iterator[tuple[str, str]]
"""Names of values that cannot stand beside the others of their row, and why."""


def _counts(row: Mapping[str, Any]) -> Problems:
    for count, total in (("n_ge", "n"), ("n_ge_cell", "n_cell")):
        n_ge, n = row.get(count), row.get(total)
        if (n_ge is None) != (n is None):
            yield count, f"and {total} belong together, and one is not there"
        elif n_ge is not None and n is not None and n_ge > n:
            yield count, f"is above {total} = {n}"


def _p_and_z(row: Mapping[str, Any]) -> Problems:
    two_sided = row["kind"] != "spectrum" if row.get("two_sided") is None else row["two_sided"]
    for p, z in _PAIRS:
        too_small = row[p] is None or row[p] < SMALLEST_P
        if row[z] is not None and too_small and p_from_z(row[z], two_sided=two_sided) > 2.0 * SMALLEST_P:
            yield z, f"has no {p}"


def _order(row: Mapping[str, Any]) -> Problems:
    """Yield what breaks p_local <= p_cell <= p_symmetry <= p_global, or is below what was counted, beyond rounding."""
    given = [name for name in _NESTED if row.get(name) is not None]
    for inner, outer in itertools.pairwise(given):
        if row[outer] < row[inner] * _ROUNDING:
            yield outer, f"is below {inner} = {row[inner]}"
    if row["kind"] != "spectrum" and None not in (row["n_ge"], row.get("n"), row["p_global"]):
        counted = (row["n_ge"] + 1) / (row["n"] + 1)
        if row["p_global"] < counted * _ROUNDING:
            yield "p_global", f"is below (n_ge + 1)/(n + 1) = {counted:.6g}"
    if None not in (row["p_global"], row["z_global"]) and row["p_global"] >= SMALLEST_P:
        z = float(z_from_p(row["p_global"], two_sided=bool(row["two_sided"])))
        seen = abs(row["z_global"]) if row["two_sided"] else row["z_global"]
        if abs(seen - z) > _Z_ROUNDING * max(abs(z), 1.0):
            yield "z_global", f"is not that of p_global, {z:.6g}"
    if row["status"] not in Status.__members__:
        yield "status", "is no status of a test"


def _contents(row: Mapping[str, Any], weighted: bool | None) -> Problems:
    if weighted or row["kind"] == "comparison" or row["status"] == Status.NEGATIVE.name:
        return
    for name in ("n_a", "n_b"):
        if row[name] is not None and row[name] < 0:
            yield name, "is negative, and the report has no weights"
        # A report that does not say whether it has weights may have them.
        if weighted is False and row["kind"] == "symmetry" and row[name] is not None and row[name] % 1:
            yield name, "is a fraction, and the report has no weights"


def _others(row: Mapping[str, Any], ranks: frozenset[int]) -> Problems:
    for name in WHOLE:
        if isinstance(row.get(name), float):  # 2.0 is an integer to JSON Schema
            yield name, "is written as a fraction"
    if row.get("similar_to") is not None and row["similar_to"] not in ranks:
        yield "similar_to", "is no row's rank"
    for one in row.get("ranges") or ():
        ends, bins = (one["low"], one["high"]), (one.get("first"), one.get("stop"))
        if (None not in ends and ends[0] > ends[1]) or (None not in bins and bins[0] >= bins[1]):
            yield "ranges", "ends before it begins"
    if row.get("low") is not None and row.get("high") is not None and row["low"] > row["high"]:
        yield "low", "is above high"


def _check_values(data: Any) -> None:
    """Check what holds for every value, known or not: depth, length, finite numbers, whole letters."""
    good: set[str] = set()
    waiting: list[tuple[Any, tuple[Any, ...]]] = [(data, ())]
    while waiting:
        value, place = waiting.pop()
        if len(place) >= _DEEPEST:
            raise _wrong(_place(place), f"is deeper than {_DEEPEST} levels", None)
        if isinstance(value, Mapping):
            _check_texts(value, place, good)
        for name, item in value.items() if isinstance(value, Mapping) else enumerate(value):
            kind = type(item)
            if kind is str:
                if item not in good:
                    _check_texts((item,), (*place, name), good)
            elif kind is float or kind is int:
                # Not a number is smaller than nothing.
                if not -_LARGEST < item < _LARGEST:
                    raise _wrong(_place((*place, name)), "is no finite number of a sensible size", item)
            elif kind is not bool and item is not None:
                waiting.append((item, (*place, name)))


def _check_texts(texts: Iterable[Any], place: tuple[Any, ...], good: set[str]) -> None:
    """Check names or a text, and remember those that are good: most of them come again in every row."""
    for text in texts:
        if text in good:
            continue
        if len(text) > _LONGEST:
            raise _wrong(_place(place), f"has {len(text):,} letters", text)
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                raise _wrong(_place(place), "has half of a surrogate pair", text) from None
        good.add(text)


@functools.cache
def _validator() -> Callable[[Any], Any]:
    import fastjsonschema

    text = (files("coffea_ddp.report") / "report.schema.json").read_text(encoding="utf-8")
    made: Callable[[Any], Any] = fastjsonschema.compile(json.loads(text))
    return made


def _place(path: Sequence[Any]) -> str:
    """Return a place as in ``rows[3].p_local``."""
    text = "".join(f"[{name}]" if str(name).isdecimal() else f".{name}" for name in path)
    return text.removeprefix(".") or "the report"


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _wrong(place: str, problem: str, value: Any) -> FormatError:
    shown = ascii(place)[1:-1]
    shown_value = "" if value is None or isinstance(value, Mapping | list) else f", is {_short(value)}"
    return FormatError(f"{shown if len(shown) <= 200 else f'{shown[:200]}...'} {problem}{shown_value}; {_AGAIN}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object, each of whose names stands there once."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise FormatError(f"the name {_short(twice)} stands twice in one object")
    return found


def _refuse_constant(name: str) -> Any:
    raise FormatError(f"it says {name}, which JSON does not know; {_AGAIN}")
