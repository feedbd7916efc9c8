"""Reading mass spectra from files of strangers: nothing in them is executed, and what is wrong is named.

Examples
--------
>>> import hist
>>> to_spectrum(hist.new.Reg(30, 0, 300, name="mass").Int64(), "mass_m0m1_cat_2mx")
MassSpectrum('m0m1', 'mu=2': 30 bins from 0 to 300, 0 entries)
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import hist

from coffea_ddp._files import OUTPUT, REPORT, ROOT, check_input, what_is
from coffea_ddp.errors import DDPError, FileError, FormatError, InputError, did_you_mean, named, some_of
from coffea_ddp.spectra.binned import is_binned, read_binned
from coffea_ddp.spectra.csv_tables import Table, parse_tables
from coffea_ddp.spectra.found import Contents, Skipped, clean_name, make_spectrum, scaled
from coffea_ddp.spectra.hepdata import read_yaml
from coffea_ddp.spectra.masses import Binning, masses_note, read_masses
from coffea_ddp.spectra.root_files import read_root
from coffea_ddp.spectra.spectrum import MassSpectrum
from coffea_ddp.spectra.texts import PACKED, plain_name, read_text
from coffea_ddp.spectra.uhi_files import checked, read_json

_PICKLE = "a pickle, or an output of coffea"
_ADVICE = {
    _PICKLE: "which is not opened, since it may run code; write its histogram as ROOT (uproot: file['m'] = histogram) "
    "or as UHI JSON",
    "a workbook": "save the sheet as CSV, with low, high and count of every bin",
    OUTPUT: "not a file of histograms; `coffea-ddp scan {} --tests bump` looks for bumps in it",
    REPORT: "not a file of histograms; `coffea-ddp report {} -o DIR` shows it",
    "a Parquet file": "a table of events, not of histograms: count masses with a pass over it, `coffea-ddp run "
    "resonances {} -o masses.ddp`, or write a column of masses as CSV and give --bins, --low and --high",
    "a folder": "give one file of it",
    "an array of numpy": "give a table: numpy.savetxt('spectrum.csv', columns, delimiter=',', header='low,high,count')",
    "a gzip archive": "unpack it first (gunzip, tar -xzf)",
    "a zip archive": "no text; unpack it first",
    "an HDF5 file": "write the spectrum as CSV, with low, high and count of every bin",
}  # fmt: skip
_LONGEST = 800
"""Characters of a message."""
_KINDS = {
    b"PAR1": "a Parquet file", PACKED: "a gzip archive", b"\x89HDF": "an HDF5 file", b"\x04\x22\x4d\x18": _PICKLE,
    b"\x80\x03": _PICKLE, b"\x80\x04": _PICKLE, b"\x80\x05": _PICKLE,
}  # fmt: skip
_BY_SUFFIX = {".npz": "an array of numpy", ".xlsx": "a workbook", ".ods": "a workbook"}


def read_spectra(
    path: str | Path,
    *,
    names: Sequence[str] | None = None,
    column: str | None = None,
    bins: int | None = None,
    low: float | None = None,
    high: float | None = None,
    scale: float | None = None,
    density: bool = False,
    decimal: str | None = None,
) -> list[MassSpectrum]:
    r"""Read all spectra of a file.

    Parameters
    ----------
    path
        ROOT (every 1D histogram, in any folder), JSON (our own, one UHI histogram, several by name, or a table of
        HEPData), YAML (a table of HEPData, or ``submission.yaml``), else a table of text: edges or centres, contents
        and perhaps errors, or one column of masses.
    names
        Only these.
    column, bins, low, high
        For a column of masses: which one (by default ``M``, ``mass`` and the like, or the only one), and how it is
        histogrammed.
    scale
        The number that counts were multiplied by: contents are divided by it.
    density
        Contents are per GeV (events/GeV, pb/TeV with its scale), and are multiplied by the widths of bins.
    decimal
        The decimal mark of a table of text, ``"."`` or ``","``; by default as its numbers show.

    Returns
    -------
    list of MassSpectrum
        In the order of the file. A signal's width is known of our own JSON alone.

    Raises
    ------
    FileError
        If there is no such file, or it cannot be read.
    FormatError
        If there is no spectrum in it, or none that is sound.
    InputError
        If a name is not in it, bins are missing or fit nothing, a table may be understood in two ways, or the scale is
        another one.

    Warns
    -----
    UserWarning
        If a histogram of one axis was left out that cannot be used; the message names it.

    Examples
    --------
    >>> import tempfile
    >>> rows = "\n".join(f"{60 + i},{61 + i},{500 - 8 * i}" for i in range(40))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "2mu.csv").write_text(f"low,high,count\n{rows}\n")
    ...     len(read_spectra(Path(folder, "2mu.csv")))
    1
    """
    if not isinstance(path, str | Path):
        raise InputError(f"read_spectra: got {named(path)}; give the path of a file of mass spectra")
    texts = {"column": column, "decimal": decimal}
    numbers = {"bins": bins, "low": low, "high": high, "scale": scale}
    _check_options(texts, numbers, density)
    names = None if names is None else _names_of(names)
    found = read_contents(
        path, names=names, binning=Binning(column, bins, low, high), scale=scale, density=density, decimal=decimal
    )
    for one in found.skipped:
        if one.spectrum:
            warnings.warn(f"{path}: {one.name!r} is not read: {one.reason}", stacklevel=2)
    return list(found.spectra)


def _check_options(texts: Mapping[str, Any], numbers: Mapping[str, Any], density: Any) -> None:
    """Stop where an option of :func:`read_spectra` is of another kind; ``None`` is an option that is not given."""
    for name, value in texts.items():
        if value is not None and not isinstance(value, str):
            raise InputError(f"read_spectra: {name} is {named(value)}; give text, or leave it out")
    for name, value in numbers.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, Real)):
            raise InputError(f"read_spectra: {name} is {named(value)}; give a number, or leave it out")
    if not isinstance(density, bool):
        raise InputError(f"read_spectra: density is {named(density)}; give True or False")


def _names_of(names: Any) -> tuple[str, ...]:
    """Return the names that were given, or one."""
    found = (names,) if isinstance(names, str) or not isinstance(names, Iterable) else tuple(names)
    for name in found:
        if not isinstance(name, str):
            raise InputError(
                f"read_spectra: among the names is {named(name)}; give names of spectra, or leave them out"
            )
    return found


def read_contents(
    path: str | Path,
    *,
    names: Sequence[str] | None = None,
    binning: Binning | None = None,
    scale: float | None = None,
    density: bool = False,
    decimal: str | None = None,
) -> Contents:
    """Return the spectra of a file with what else is in it; parameters and errors of :func:`read_spectra`."""
    path, binning = Path(path), binning or Binning()
    if decimal not in (None, ".", ","):
        raise InputError(f"decimal {decimal!r}: give '.' or ','")
    _check_kind(path)
    try:
        found = _read(path, None if names is None else tuple(names), binning, decimal)
    except DDPError as error:
        text = str(error)
        if len(text) > _LONGEST:  # the file's own words are in it
            raise type(error)(f"{text[:_LONGEST]} ...") from error
        raise
    except (OSError, UnicodeError) as error:
        raise FileError(f"{path}: cannot be read ({error})") from error
    if binning.given and not found.masses:
        raise InputError(
            f"{path}: {', '.join(binning.given)}: these are for a list of masses, and this is a file of histograms; "
            "leave them out, or, if every line is an event, name the column of masses with --column (column=)"
        )
    found = dataclasses.replace(found, spectra=_chosen(found, names, path))
    if scale is None and not density:
        return found
    return dataclasses.replace(
        found, spectra=tuple(scaled(one, 1.0 if scale is None else scale, density=density) for one in found.spectra)
    )


def _check_kind(path: Path) -> None:
    """Raise where a path leads to nothing, or to what is no file of histograms."""
    check_input(path)
    kind = what_is(path)
    if kind in ("no file", "a folder"):
        what = "no such file" if kind == "no file" else "a folder"
        raise FileError(f"{path}: {what}; give a ROOT, JSON, YAML or CSV file of histograms")
    with path.open("rb") as file:
        begin = file.read(4)
    kind = next((known for mark, known in _KINDS.items() if begin.startswith(mark)), kind)
    if begin.startswith(PACKED) and plain_name(path) != path:
        return  # a text, packed
    kind = _BY_SUFFIX.get(path.suffix.lower(), kind) if kind == "a zip archive" else kind
    if kind in _ADVICE:
        raise FormatError(f"{path}: {kind}, {_ADVICE[kind].format(path)}")


def _read(path: Path, names: tuple[str, ...] | None, binning: Binning, decimal: str | None) -> Contents:
    kind = what_is(path)
    suffix = plain_name(path).suffix
    if suffix == ".root" or kind == ROOT:
        return read_root(path, names)
    if suffix == ".json" or kind == "a JSON file":
        return read_json(path)
    if suffix in (".yaml", ".yml"):
        return read_yaml(path)
    return _read_text(path, binning, decimal)


def _read_text(path: Path, binning: Binning, decimal: str | None) -> Contents:
    tables = parse_tables(read_text(path), path, decimal)
    whole = plain_name(path).stem
    if binning.column is not None or not is_binned(tables[0]):
        if binning.column is None and binning.bins is None and not tables[0].names and tables[0].numbers.shape[1] > 1:
            read_binned(tables[0], path, whole)  # says what is missing
        spectrum = read_masses(tables[0], path, whole, binning)
        return Contents((spectrum,), notes=(masses_note(tables[0], path, spectrum, binning),), masses=True)
    spectra: list[MassSpectrum] = []
    skipped: list[Skipped] = []
    notes: list[str] = []
    for number, table in enumerate(tables, 1):
        stem = whole if len(tables) == 1 else f"{whole}/{table.title or f'table {number}'}"
        _from_table(table, path, stem, spectra, skipped, notes)
    return Contents(tuple(spectra), tuple(skipped), tuple(dict.fromkeys(notes)))


def _from_table(
    table: Table, path: Path, stem: str, spectra: list[MassSpectrum], skipped: list[Skipped], notes: list[str]
) -> None:
    binned = read_binned(table, path, stem)
    taken = {spectrum.hist.name for spectrum in spectra}
    for column in binned.columns:
        name = clean_name(column.name)
        name = name if name not in taken else f"{name} ({len(spectra) + 1})"
        taken.add(name)
        try:
            spectra.append(make_spectrum(name, column.edges, column.contents, column.variances, column.label))
        except FormatError as error:
            skipped.append(Skipped(name, str(error)))
    notes.append(binned.note)


def _chosen(found: Contents, names: Sequence[str] | None, path: Path) -> tuple[MassSpectrum, ...]:
    known = {spectrum.hist.name: spectrum for spectrum in found.spectra}
    left_out = {one.name: one.reason for one in found.skipped}
    if names is None:
        if not known:
            raise FormatError(f"{path}: no 1D histogram in it{_instead(left_out)}")
        return found.spectra
    for name in names:
        if name in left_out:
            raise FormatError(f"{path}: {name!r} cannot be looked at: {left_out[name]}")
        if name not in known:
            every = _all_names(path, found)
            has = some_of(every, 20)
            near = did_you_mean(name, every)
            raise InputError(f"{path}: no histogram {name!r}; it has: {has or 'none'}{near}")
    return tuple(known[name] for name in dict.fromkeys(names))


def _all_names(path: Path, found: Contents) -> list[str]:
    """Return the names of all histograms of one axis in a file; those of ROOT are read by name, and listed again."""
    every = read_root(path) if what_is(path) == ROOT else found
    return [*(str(one.hist.name) for one in every.spectra), *(one.name for one in every.skipped if one.spectrum)]


def _instead(left_out: dict[str, str]) -> str:
    """Return what is in a file without histograms, and what to do."""
    trees = [name for name, reason in left_out.items() if reason.startswith("a tree")]
    if trees:
        return (
            f"; it has trees of events ({some_of(trees, 5)}): count masses with a pass over them, `coffea-ddp run "
            "resonances FILES -o masses.ddp`, then `coffea-ddp scan masses.ddp --tests bump`"
        )
    shown = some_of((f"{name!r}: {reason}" for name, reason in left_out.items()), 5, "; ")
    return (
        f"; not looked at: {shown}"
        if left_out
        else "; write spectra with `coffea-ddp spectra`, from the output of a pass (`coffea-ddp run`) over events"
    )


def to_spectrum(histogram: Any, name: str = "", path: Any = "the histogram") -> MassSpectrum:
    """Return a spectrum of any histogram of one axis that speaks UHI (``hist``, boost-histogram, uproot ...).

    Raises
    ------
    FormatError
        If it has not one axis of numbers that increase, or contents that are not finite.
    InputError
        If the name is no text.

    Examples
    --------
    >>> import hist
    >>> to_spectrum(hist.Hist.new.Reg(20, 60.0, 120.0).Int64(), "2mu").combination
    '2mu'
    """
    if not isinstance(name, str):
        raise InputError(f"to_spectrum: the name is {named(name)}; give text")
    label = f"{path}: {name!r}" if name else f"{path}"
    try:
        one = histogram.copy() if isinstance(histogram, hist.Hist) else hist.Hist(histogram)
    except (TypeError, ValueError, AttributeError) as error:
        raise FormatError(
            f"{label}: no histogram ({error}); give one with one axis, as of the library `hist`"
        ) from error
    try:
        return checked(one, clean_name(name or one.name or "spectrum"))
    except FormatError as error:
        raise FormatError(f"{label}: {error}") from error
