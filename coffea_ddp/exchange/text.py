"""Tables of text: edges and contents, or a column of masses."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import hist
import numpy as np

from coffea_ddp.errors import FormatError, InputError

MASS_COLUMNS = ("m", "mass", "m_ll", "m_mumu", "m_ee", "m_jj", "mll", "mjj", "invariant_mass")
"""Columns that are taken for the mass where none is named, in lower case."""
_COUNTS, _LOWS, _HIGHS = ("count", "counts", "entries", "events", "n"), ("low", "edges", "left"), ("high", "right")
_CENTRES = ("center", "centre", "centers", "centres", "x")


def read_csv(
    path: Path, *, column: str | None, bins: int | None, low: float | None, high: float | None
) -> list[tuple[Any, str]]:
    """Return the histograms of a table, with their names.

    Raises
    ------
    FormatError
        If it is no table of numbers, or its bins are not next to each other.
    InputError
        If a column is missing, or bins for a column of masses.
    """
    header, rows = _table(path)
    names = [name.strip().lower() for name in header]
    counted = next((names.index(name) for name in _COUNTS if name in names), None)
    lows = next((names.index(name) for name in _LOWS if name in names), None)
    middles = next((names.index(name) for name in _CENTRES if name in names), None)
    if column is None and counted is not None and lows is None and middles is not None:
        return _histograms(path, names, _from_centres(path, rows, middles), (middles, len(rows[0]), counted))
    if column is None and counted is not None and lows is not None:
        highs = next((names.index(name) for name in _HIGHS if name in names), None)
        return _histograms(path, names, rows, (lows, highs, counted))
    if column is None and not header and len(rows[0]) in (2, 3):
        return _histograms(path, [], rows, (0, 1 if len(rows[0]) == 3 else None, len(rows[0]) - 1))
    return [(_masses(path, header, rows, column, (bins, low, high)), path.stem)]


def _from_centres(path: Path, rows: list[list[str]], middles: int) -> list[list[str]]:
    """Return the rows with lower edges instead of centres, and upper edges behind: half-way to the neighbours."""
    centres = _numbers(path, rows, middles, "the centre")
    if len(centres) < 2 or not (np.diff(centres) > 0).all():
        raise FormatError(f"{path}: the centres of its bins are not two numbers or more that increase")
    inner = 0.5 * (centres[1:] + centres[:-1])
    edges = [2.0 * centres[0] - inner[0], *inner, 2.0 * centres[-1] - inner[-1]]
    return [
        [*row[:middles], repr(float(low)), *row[middles + 1 :], repr(float(high))]
        for row, low, high in zip(rows, edges[:-1], edges[1:], strict=True)
    ]


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the header, empty where there is none, and the rows of text."""
    text = path.read_text(encoding="utf-8-sig")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        raise FormatError(f"{path}: no line in it; give a table of edges and counts, or a column of masses")
    if "\x00" in lines[0]:
        raise FormatError(f"{path}: no text; give a ROOT file the suffix .root, JSON .json")
    comma = "," in lines[0] or ";" in lines[0]
    rows = list(csv.reader(lines, delimiter=";" if ";" in lines[0] else ",")) if comma else [x.split() for x in lines]
    header: list[str] = [] if all(map(_is_number, rows[0])) else rows.pop(0)
    if not rows:
        raise FormatError(f"{path}: a header and nothing below it")
    return header, rows


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers(path: Path, rows: list[list[str]], column: int, what: str) -> Any:
    values = np.empty(len(rows))
    for i, row in enumerate(rows):
        try:
            values[i] = float(row[column])
        except (ValueError, IndexError):
            shown = ",".join(row)[:60]
            raise FormatError(f"{path}: line {i + 1} of the numbers, {shown!r}: no number for {what!r}") from None
    return values


def _histograms(
    path: Path, names: list[str], rows: list[list[str]], places: tuple[int, int | None, int]
) -> list[tuple[Any, str]]:
    """Return a histogram for every name in the column ``spectrum``, or one of all rows."""
    if "spectrum" not in names:
        return [(_histogram(path, path.stem, names, rows, places), path.stem)]
    which = names.index("spectrum")
    groups: dict[str, list[list[str]]] = {}
    for row in rows:
        groups.setdefault(row[which], []).append(row)
    return [(_histogram(path, name, names, group, places), name) for name, group in groups.items()]


def _histogram(
    path: Path, name: str, names: list[str], rows: list[list[str]], places: tuple[int, int | None, int]
) -> Any:
    lows, highs, counted = places
    low = _numbers(path, rows, lows, "the lower edge")
    if highs is None:
        # One edge more than counts: the last row has the last edge and no count.
        last = len(rows[-1]) <= counted or not rows[-1][counted].strip()
        edges = low if last else np.append(low, 2 * low[-1] - low[-2] if len(low) > 1 else math.nan)
        rows = rows[:-1] if last else rows
    else:
        high = _numbers(path, rows, highs, "the upper edge")
        if not np.allclose(high[:-1], low[1:], rtol=1e-9, atol=0.0):
            where = int(np.flatnonzero(~np.isclose(high[:-1], low[1:], rtol=1e-9, atol=0.0))[0])
            raise FormatError(
                f"{path}: {name!r}: the bin that ends at {high[where]:g} is followed by one from {low[where + 1]:g}; "
                "bins must be next to each other"
            )
        edges = np.append(low, high[-1])
    if not (np.isfinite(edges).all() and (np.diff(edges) > 0).all() and len(edges) > 1):
        raise FormatError(f"{path}: {name!r}: its edges are not numbers that increase")
    counts = _numbers(path, rows, counted, "the count")
    axis = hist.axis.Variable(edges, name="mass", label="mass [GeV]")
    if "variance" in names:
        weighted = hist.Hist(axis, storage=hist.storage.Weight())
        weighted.view()["value"] = counts
        weighted.view()["variance"] = _numbers(path, rows, names.index("variance"), "the variance")
        return weighted
    whole = np.isfinite(counts).all() and np.array_equal(counts, np.rint(counts))
    plain = hist.Hist(axis, storage=hist.storage.Int64() if whole else hist.storage.Double())
    plain.view()[...] = counts
    return plain


def _masses(
    path: Path,
    header: list[str],
    rows: list[list[str]],
    column: str | None,
    binning: tuple[int | None, float | None, float | None],
) -> Any:
    place = _column(path, header, rows, column)
    values = _numbers(path, rows, place, header[place] if header else f"column {place + 1}")
    if not np.isfinite(values).all():
        raise FormatError(f"{path}: line {int(np.flatnonzero(~np.isfinite(values))[0]) + 1}: a mass is not finite")
    bins, low, high = binning
    if bins is None:
        raise InputError(f"{path}: a column of {len(values)} masses; say how to histogram it: bins (and low, high)")
    start = float(values.min()) if low is None else low
    stop = float(np.nextafter(values.max(), np.inf)) if high is None else high
    if bins < 1 or not start < stop:
        raise InputError(f"{path}: {bins} bins from {start:g} to {stop:g}; give at least one, and low < high")
    axis = hist.axis.Regular(bins, start, stop, name="mass", label="mass [GeV]")
    found = hist.Hist(axis, storage=hist.storage.Int64())
    found.fill(values)
    return found


def _column(path: Path, header: list[str], rows: list[list[str]], column: str | None) -> int:
    names = [name.strip() for name in header]
    if column is not None:
        if column not in names:
            raise InputError(f"{path}: no column {column!r}; it has: {', '.join(names) or 'no header'}")
        return names.index(column)
    if len(rows[0]) == 1:
        return 0
    for known in MASS_COLUMNS:
        for place, name in enumerate(names):
            if name.lower() == known:
                return place
    raise InputError(f"{path}: which column is the mass? It has: {', '.join(names) or f'{len(rows[0])} without names'}")
