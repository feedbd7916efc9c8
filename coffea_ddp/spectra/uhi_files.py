"""Histograms in JSON: our own envelope, one UHI histogram, several by name, and tables of HEPData."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import hist
import numpy as np
from boost_histogram.serialization import from_uhi

from coffea_ddp.errors import DDPError, FormatError, some_of
from coffea_ddp.spectra.found import Contents, Skipped, clean_name, make_spectrum, named
from coffea_ddp.spectra.hepdata import is_hepdata, read_table
from coffea_ddp.spectra.resolution import Resolution
from coffea_ddp.spectra.spectrum import MassSpectrum
from coffea_ddp.spectra.texts import content_of, plain_name
from coffea_ddp.spectra.writing import FORMAT, VERSION

_MOST_BINS = 1_000_000
_DEEPEST = 4
_FORMS = '; arrays are read as {"edges": [...], "counts": [...]}'


def read_json(path: Path) -> Contents:
    """Return the spectra of a JSON file; those that are malformed are named, and the others read.

    Raises
    ------
    FormatError
        If it is no JSON, has a name twice, or is of a version that is not known.
    """
    try:
        content = json.loads(content_of(path).decode("utf-8-sig"), object_pairs_hook=_unique)
    except RecursionError as error:
        raise FormatError(f"{path}: nested too deep for a file of histograms") from error
    except ValueError as error:
        raise FormatError(f"{path}: not JSON ({error})") from error
    stem = plain_name(path).stem
    if isinstance(content, list) and content and all(isinstance(item, Mapping) and "axes" in item for item in content):
        content = {f"{stem}/{place}": item for place, item in enumerate(content, 1)}
    if not isinstance(content, Mapping):
        raise FormatError(f"{path}: a list or a number; give a UHI histogram, or several by name{_FORMS}")
    if is_hepdata(content):
        return read_table(content, path, clean_name(content.get("name") or stem))
    if content.get("format") == FORMAT:
        return _each(_envelope(path, content), _signal_too)
    if "axes" in content:
        return _each({stem: content}, spectrum_of)
    if isinstance(content.get(_edges_in(content)), list):
        return _each({stem: content}, _of_arrays)
    tables = dict(_by_name(content))
    if not tables and content:
        keys = some_of((repr(clean_name(key)[:30]) for key in content), 5)
        raise FormatError(f"{path}: no 1D histogram in it, under the keys {keys}{_FORMS}")
    return _each(tables, spectrum_of)


def _by_name(content: Mapping[str, Any], folder: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield the UHI histograms of a mapping, and of the mappings in it, by their path."""
    for name, item in content.items():
        if not isinstance(item, Mapping):
            continue
        if "axes" in item:
            yield f"{folder}{name}", item
        elif depth < _DEEPEST:
            yield from _by_name(item, f"{folder}{name}/", depth + 1)


def _edges_in(content: Mapping[str, Any]) -> str:
    return next((name for name in ("edges", "bin_edges") if name in content), "")


def _of_arrays(name: str, content: Mapping[str, Any]) -> MassSpectrum:
    """Return the spectrum of plain arrays: ``edges`` and ``counts``, perhaps ``variances`` or ``errors``."""
    key = next((one for one in ("counts", "contents", "values", "entries") if one in content), None)
    if key is None:
        raise FormatError("edges without counts")
    try:
        edges, values = (np.asarray(content[one], dtype=np.float64) for one in (_edges_in(content), key))
        given = next((one for one in ("variances", "errors") if content.get(one) is not None), None)
        spread = None if given is None else np.asarray(content[given], dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"malformed ({type(error).__name__}: {error})") from error
    if values.ndim != 1 or edges.shape != (len(values) + 1,) or (spread is not None and spread.shape != values.shape):
        raise FormatError(f"{len(edges)} edges for contents of shape {values.shape}; give one edge more than contents")
    squares = spread if spread is None or given == "variances" else spread**2
    return make_spectrum(name, edges, values, squares)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return made


def _each(items: Mapping[str, Any], read: Callable[[str, Any], MassSpectrum]) -> Contents:
    spectra: list[MassSpectrum] = []
    skipped: list[Skipped] = []
    for key, item in items.items():
        name = clean_name(key)
        try:
            spectra.append(read(name, item))
        except DDPError as error:
            axes = item.get("axes") if isinstance(item, Mapping) else None
            skipped.append(Skipped(name, str(error), spectrum=not isinstance(axes, list) or len(axes) == 1))
    return Contents(tuple(spectra), tuple(skipped))


def _envelope(path: Path, content: Mapping[str, Any]) -> Mapping[str, Any]:
    version = content.get("version")
    if version != VERSION or isinstance(version, bool):
        raise FormatError(f"{path}: version {version!r} of the format; this package reads {VERSION}")
    spectra = content.get("spectra")
    if not isinstance(spectra, Mapping):
        raise FormatError(f"{path}: its 'spectra' are no histograms by name; write it again")
    return spectra


def _signal_too(name: str, item: Any) -> MassSpectrum:
    """Return a spectrum with what our own files know of its signal."""
    try:
        plain = spectrum_of(name, item["histogram"])
        resolution = None if item["resolution"] is None else Resolution(*map(float, item["resolution"]))
        width = None if item["width"] is None else float(item["width"])
        masks = tuple((float(low), float(high), clean_name(what)) for low, high, what in item["masks"])
        partial = bool(item["partial"])
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        if isinstance(error, DDPError):
            raise
        raise FormatError(f"malformed ({type(error).__name__}: {error})") from error
    numbers = (*((width,) if width is not None else ()), *(edge for low, high, _ in masks for edge in (low, high)))
    if not np.isfinite(numbers).all() or (width is not None and not width > 0):
        raise FormatError(f"malformed (width {width}, masks {masks}: give positive, finite numbers)")
    return MassSpectrum(plain.combination, plain.cell, plain.hist, width, resolution, masks, partial, plain.title)


def spectrum_of(name: str, content: Any) -> MassSpectrum:
    """Return the spectrum of a UHI histogram.

    Raises
    ------
    FormatError
        If it is none.
    """
    try:
        numbers = dict(content)
        _check_size(numbers["axes"])
        storage = dict(numbers["storage"])
        for part in ("values", "variances"):
            if part in storage:
                storage[part] = np.asarray(storage[part])
                if storage[part].dtype.kind not in "iuf":
                    raise TypeError(f"its {part} are no numbers")
        numbers["storage"] = storage
        # What else a stranger wrote there would become attributes of the histogram.
        numbers["metadata"] = {}
        numbers["axes"] = [_clean_axis(axis) for axis in numbers["axes"]]
        made = hist.Hist(from_uhi(numbers))
    # from_uhi raises whatever a malformed dictionary runs it into.
    except Exception as error:
        raise FormatError(f"no UHI histogram ({type(error).__name__}: {str(error)[:200]})") from error
    return checked(made, name)


def checked(made: Any, name: str) -> MassSpectrum:
    """Return the spectrum of a histogram of one axis of numbers.

    Raises
    ------
    FormatError
        If it has not one axis of numbers that increase, or contents that are counts or sums of weights and finite.
    """
    if made.ndim != 1:
        raise FormatError(f"{made.ndim} axes; a spectrum has one")
    axis = made.axes[0]
    if not isinstance(axis, hist.axis.Regular | hist.axis.Variable | hist.axis.Integer):
        raise FormatError(f"an axis of {type(axis).__name__}: its bins have labels, and are no masses")
    if made.storage_type in (hist.storage.Mean, hist.storage.WeightedMean):
        raise FormatError("a profile: means, and no counts")
    edges = np.asarray(axis.edges, dtype=np.float64)
    if edges.ndim != 1 or len(edges) < 2 or not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        raise FormatError("its edges are not numbers that increase")
    if not np.isfinite(made.values()).all():
        raise FormatError("its contents are NaN or infinite")
    variances = made.variances() if made.storage_type is hist.storage.Weight else None
    if variances is not None and not np.isfinite(variances).all():
        raise FormatError("its variances are NaN or infinite")
    return named(made, name)


def _check_size(axes: Any) -> None:
    """Raise before anything large is made."""
    for axis in axes:
        if float(axis.get("bins", 0)) > _MOST_BINS or len(axis.get("edges", ())) > _MOST_BINS:
            raise ValueError(f"over {_MOST_BINS:,} bins")


def _clean_axis(axis: Mapping[str, Any]) -> dict[str, Any]:
    """Return an axis with nothing but its bins, its name and its label."""
    metadata = dict(axis.get("metadata") or {})
    kept = {key: clean_name(metadata[key]) for key in ("name", "label") if key in metadata}
    cleaned = {**axis, "metadata": kept}
    if "edges" in axis:
        cleaned["edges"] = np.asarray(axis["edges"], dtype=np.float64)
    return cleaned
