"""Tables of HEPData: YAML as submitted (with or without ``submission.yaml``), and both forms of JSON.

Contents with statistical errors become effective counts, asymmetric errors by their lower side. Other errors say
nothing about Poisson counts and are left out.

Examples
--------
>>> table = {
...     "independent_variables": [{"header": {"name": "M", "units": "GEV"}, "values": [{"low": 0, "high": 2}]}],
...     "dependent_variables": [{"header": {"name": "Events"}, "values": [{"value": 4}]}],
... }
>>> read_table(table, "t.yaml", "t").spectra
(MassSpectrum('t', '': 1 bins from 0 to 2, 4 entries),)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import DDPError, FormatError
from coffea_ddp.spectra.binned import without_rounding
from coffea_ddp.spectra.columns import statistical
from coffea_ddp.spectra.edges import from_both, from_centres
from coffea_ddp.spectra.found import Contents, Skipped, clean_name, make_spectrum
from coffea_ddp.spectra.texts import content_of, plain_name

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray
    from coffea_ddp.spectra.spectrum import MassSpectrum

_MOST_TABLES = 1000


def is_hepdata(content: Any) -> bool:
    """Return whether a decoded file is a table of HEPData."""
    return isinstance(content, Mapping) and (
        "dependent_variables" in content or ("headers" in content and "values" in content)
    )


def read_yaml(path: Path) -> Contents:
    """Return the spectra of a YAML file: a table, or those that a ``submission.yaml`` lists.

    Raises
    ------
    FormatError
        If it is no YAML, or no table.
    """
    documents = [document for document in _documents(path) if document is not None]
    listed = [one for one in documents if isinstance(one, Mapping) and isinstance(one.get("data_file"), str)]
    tables = [(plain_name(path).stem, one) for one in documents if is_hepdata(one)]
    skipped: list[Skipped] = []
    for one in listed[:_MOST_TABLES]:
        beside = path.parent / Path(one["data_file"]).name  # nothing outside of the folder
        name = clean_name(one.get("name", beside.stem))
        try:
            tables += [(name, table) for table in _documents(beside) if is_hepdata(table)]
        except (OSError, FormatError) as error:
            skipped.append(Skipped(name, f"its data_file cannot be read ({error})"))
    if not tables and not skipped:
        raise FormatError(f"{path}: no table of HEPData (independent_variables, dependent_variables) in it")
    parts = [read_table(table, path, name) for name, table in tables]
    spectra = tuple(spectrum for part in parts for spectrum in part.spectra)
    notes = tuple(note for part in parts for note in part.notes)
    return Contents(spectra, (*skipped, *(one for part in parts for one in part.skipped)), notes)


def _documents(path: Path) -> list[Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return list(yaml.load_all(content_of(path).decode("utf-8-sig"), Loader=loader))
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, AttributeError) as error:
        raise FormatError(
            f"{path}: not YAML ({str(error).splitlines()[0] if str(error) else 'nested too deep'})"
        ) from error


def read_table(content: Mapping[str, Any], path: Any, name: str) -> Contents:
    """Return a spectrum for every dependent variable; tables of other than one axis are skipped.

    Raises
    ------
    FormatError
        If the table is malformed.
    """
    try:
        axes, columns = _from_site(content) if "headers" in content else _as_submitted(content)
        if len(axes) != 1:
            return Contents((), (Skipped(name, f"{len(axes)} axes; a spectrum has one", spectrum=False),))
        label, bins = axes[0]
        edges, rows = _edges(bins, f"{path}: {name!r}")
    except DDPError as error:
        return Contents((), (Skipped(name, str(error)),))
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError, OverflowError) as error:
        raise FormatError(f"{path}: {name!r} is malformed ({type(error).__name__}: {error})") from error
    spectra: list[MassSpectrum] = []
    skipped: list[Skipped] = []
    for title, values in columns:
        full = name if len(columns) == 1 else f"{name}/{title}"
        taken = sum(spectrum.hist.name.startswith(full) for spectrum in spectra)
        full = f"{full} ({taken + 1})" if taken else full
        try:
            contents, variances = _contents([values[row] for row in rows])
            spectra.append(make_spectrum(full, edges, contents, without_rounding(contents, variances, edges), label))
        except FormatError as error:
            skipped.append(Skipped(full, str(error)))
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            skipped.append(Skipped(full, f"malformed ({type(error).__name__}: {error})"))
    return Contents(tuple(spectra), tuple(skipped))


def _as_submitted(content: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    """Return the axes (label, bins) and the columns (title, values) of a table in the form of submissions."""
    axes = [(_label(one), list(one["values"])) for one in content.get("independent_variables") or []]
    return axes, [(_label(one), list(one["values"])) for one in content["dependent_variables"]]


def _from_site(content: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    """Return the same of a table in the form in which the site gives it: one entry a bin, with its x and y."""
    rows = list(content["values"])
    n_axes = len(rows[0]["x"])
    names = [clean_name(header["name"]) for header in content["headers"]]
    axes = [(names[place], [row["x"][place] for row in rows]) for place in range(n_axes)]
    return axes, [(names[n_axes + place], [row["y"][place] for row in rows]) for place in range(len(rows[0]["y"]))]


def _label(variable: Mapping[str, Any]) -> str:
    header = variable.get("header") or {}
    units = header.get("units")
    return clean_name(header.get("name", "")) + (f" [{clean_name(units)}]" if units else "")


def _edges(bins: Sequence[Mapping[str, Any]], where: str) -> tuple[FloatArray, IntArray]:
    if bins and all("low" in one and "high" in one for one in bins):
        low, high = (np.array([float(one[side]) for one in bins]) for side in ("low", "high"))
        return from_both(low, high, where)
    return from_centres(np.array([float(one["value"]) for one in bins]), where)


def _contents(values: Sequence[Mapping[str, Any]]) -> tuple[FloatArray, FloatArray | None]:
    """Return contents and variances; ``None`` where a bin has no statistical error, and the contents are not 0."""
    contents = np.array([_number(one["value"], bin_number) for bin_number, one in enumerate(values, 1)])
    errors = [_error(one, content) for one, content in zip(values, contents.tolist(), strict=True)]
    if all(error is None for error in errors):
        return contents, None
    known = np.array([np.nan if error is None else error for error in errors])
    if np.isnan(known[contents != 0]).any():
        return contents, None
    return contents, np.nan_to_num(known) ** 2


def _number(value: Any, bin_number: int) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise FormatError(f"the content of bin {bin_number} is {str(value)[:30]!r}, and no number") from error


def _error(value: Mapping[str, Any], content: float) -> float | None:
    """Return the statistical error of a bin, the lower side where it has two."""
    errors = value.get("errors") or []
    if not isinstance(errors, Iterable) or not all(isinstance(one, Mapping) for one in errors):
        raise TypeError("errors are no list")
    labels = [clean_name(one.get("label") or "error") for one in errors]
    chosen = statistical(labels)
    for label, one in zip(labels, errors, strict=True):
        if label in chosen:
            return _size(one, content)
    return None


def _size(error: Mapping[str, Any], content: float) -> float:
    """Return the size of an error: of its lower side, and of a percentage its part of the content."""
    given = error["symerror"] if "symerror" in error else error["asymerror"]["minus"]
    text = str(given).strip()
    return abs(float(text[:-1]) / 100.0 * content) if text.endswith("%") else abs(float(text))
