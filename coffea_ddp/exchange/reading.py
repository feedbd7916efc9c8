"""Reading mass spectra from files of strangers: nothing in them is executed, and what is wrong is named.

Examples
--------
>>> import hist
>>> to_spectrum(hist.new.Reg(30, 0, 300, name="mass").Int64(), "mass_m0m1_cat_2mx")
MassSpectrum('m0m1', 'mu=2': 30 bins from 0 to 300, 0 entries)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import hist
import numpy as np
from boost_histogram.serialization import from_uhi

from coffea_ddp._files import OUTPUT, what_is
from coffea_ddp.errors import DDPError, FileError, FormatError, InputError
from coffea_ddp.exchange.names import parse_name
from coffea_ddp.exchange.text import read_csv
from coffea_ddp.exchange.writing import FORMAT, VERSION
from coffea_ddp.spectrum import MassSpectrum, Resolution


def read_spectra(
    path: str | Path,
    *,
    names: Sequence[str] | None = None,
    column: str | None = None,
    bins: int | None = None,
    low: float | None = None,
    high: float | None = None,
) -> list[MassSpectrum]:
    """Read all spectra of a file.

    Parameters
    ----------
    path
        ``.root`` (every 1D histogram, in any folder), ``.json`` (our own, one UHI histogram, or several by name), else
        a table: edges and contents, or one column of masses.
    names
        Only these.
    column, bins, low, high
        For a column of masses: which one (by default ``M``, ``mass`` and the like, or the only one), and how it is
        histogrammed.

    Returns
    -------
    list of MassSpectrum
        In the order of the file. A signal's width is known of our own JSON alone.

    Raises
    ------
    FileError
        If there is no such file, or it cannot be read.
    FormatError
        If there is no spectrum in it, or one is malformed.
    InputError
        If a name is not in it, or bins are missing.
    """
    path = Path(path)
    if not path.is_file():
        raise FileError(f"{path}: no such file; give a ROOT, JSON or CSV file of histograms")
    if what_is(path) == OUTPUT:
        raise FormatError(
            f"{path}: {OUTPUT}, not a file of histograms; `coffea-ddp scan {path} --tests bump` looks for bumps in it"
        )
    try:
        if path.suffix == ".root":
            found = _read_root(path)
        elif path.suffix == ".json":
            found = _read_json(path)
        else:
            found = [to_spectrum(*pair, path) for pair in read_csv(path, column=column, bins=bins, low=low, high=high)]
    except DDPError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path}: cannot be read ({error})") from error
    if not found:
        raise FormatError(
            f"{path}: no 1D histogram in it; write spectra with `coffea-ddp spectra`, "
            "which takes the output of a pass (`coffea-ddp run`) over events"
        )
    return _named(found, names, path)


def _named(found: list[MassSpectrum], names: Sequence[str] | None, path: Path) -> list[MassSpectrum]:
    if names is None:
        return found
    known = {spectrum.hist.name or spectrum.combination: spectrum for spectrum in found}
    for name in names:
        if name not in known:
            raise InputError(f"{path}: no histogram {name!r}; it has: {', '.join(list(known)[:20])}")
    return [known[name] for name in names]


def to_spectrum(histogram: Any, name: str = "", path: Any = "the histogram") -> MassSpectrum:
    """Return a spectrum of any histogram of one axis that speaks UHI (``hist``, boost-histogram, uproot ...).

    Raises
    ------
    FormatError
        If it has not one axis of numbers that increase, or contents that are not finite.
    """
    label = f"{path}: {name!r}" if name else f"{path}"
    try:
        one = histogram if isinstance(histogram, hist.Hist) else hist.Hist(histogram)
    except (TypeError, ValueError, AttributeError) as error:
        raise FormatError(
            f"{label}: no histogram ({error}); give one with one axis, as of the library `hist`"
        ) from error
    if one.ndim != 1:
        raise FormatError(f"{label}: {one.ndim} axes; a spectrum has one")
    edges, values = np.asarray(one.axes[0].edges, dtype=np.float64), np.asarray(one.values(flow=True))
    if edges.ndim != 1 or not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        raise FormatError(f"{label}: its edges are not numbers that increase")
    if not np.isfinite(values).all():
        raise FormatError(f"{label}: contents are NaN or infinite")
    chosen = name or one.name or "spectrum"
    combination, cell, _ = parse_name(chosen.rpartition("/")[2])
    copy = one.copy()
    copy.name = chosen
    return MassSpectrum(combination, cell, copy)


def _read_root(path: Path) -> list[MassSpectrum]:
    import uproot

    found = []
    try:
        with uproot.open(path) as file:
            for name, kind in file.classnames(recursive=True, cycle=False).items():
                if kind.startswith("TH1"):
                    found.append(to_spectrum(_from_root(file[name]), name, path))
    except DDPError:
        raise
    # uproot raises whatever its interpretation of damaged bytes ran into.
    except Exception as error:
        raise FormatError(f"{path}: no ROOT file, or a damaged one ({type(error).__name__}: {error})") from error
    return found


def _from_root(found: Any) -> Any:
    """Return a ROOT histogram with whole-number storage where it holds counts."""
    values, variances = found.values(flow=True), found.variances(flow=True)
    edges = found.axis().edges()
    widths = np.diff(edges)
    title = str(found.member("fXaxis").member("fTitle"))
    same = not len(found.member("fXaxis").member("fXbins"))
    axis = (
        hist.axis.Regular(len(widths), edges[0], edges[-1], name="mass", label=title or "mass [GeV]")
        if same
        else hist.axis.Variable(edges, name="mass", label=title or "mass [GeV]")
    )
    if not len(found.member("fSumw2")) or np.array_equal(values, variances):
        whole = np.array_equal(values, np.rint(values))
        counts = hist.Hist(axis, storage=hist.storage.Int64() if whole else hist.storage.Double())
        counts.view(flow=True)[...] = values
        return counts
    weighted = hist.Hist(axis, storage=hist.storage.Weight())
    weighted.view(flow=True)["value"], weighted.view(flow=True)["variance"] = values, variances
    return weighted


def _read_json(path: Path) -> list[MassSpectrum]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FormatError(f"{path}: not JSON ({error})") from error
    if not isinstance(content, Mapping):
        raise FormatError(f"{path}: a list or a number; give a UHI histogram, or several by name")
    if content.get("format") == FORMAT:
        return _read_envelope(path, content)
    if "axes" in content:
        return [to_spectrum(_from_uhi(path, path.stem, content), path.stem, path)]
    pairs: Iterable[tuple[str, Any]] = content.items()
    return [
        to_spectrum(_from_uhi(path, name, item), name, path)
        for name, item in pairs
        if isinstance(item, Mapping) and isinstance(item.get("axes"), list) and len(item["axes"]) == 1
    ]


def _read_envelope(path: Path, content: Mapping[str, Any]) -> list[MassSpectrum]:
    if content.get("version") != VERSION:
        raise FormatError(f"{path}: version {content.get('version')!r} of the format; this package reads {VERSION}")
    spectra = content.get("spectra")
    if not isinstance(spectra, Mapping):
        raise FormatError(f"{path}: its 'spectra' are no histograms by name; write it again")
    found = []
    for name, item in spectra.items():
        try:
            plain = to_spectrum(_from_uhi(path, name, item["histogram"]), name, path)
            resolution = None if item["resolution"] is None else Resolution(*map(float, item["resolution"]))
            width = None if item["width"] is None else float(item["width"])
            masks = tuple((float(low), float(high), str(what)) for low, high, what in item["masks"])
            partial = bool(item["partial"])
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"{path}: {name!r} is malformed ({type(error).__name__}: {error})") from error
        found.append(MassSpectrum(plain.combination, plain.cell, plain.hist, width, resolution, masks, partial))
    return found


def _from_uhi(path: Path, name: str, content: Any) -> Any:
    try:
        numbers = dict(content)
        storage = dict(numbers["storage"])
        for part in ("values", "variances"):
            if part in storage:
                storage[part] = np.asarray(storage[part])
        numbers["storage"] = storage
        # What else a stranger wrote there would become attributes of the histogram.
        numbers["metadata"] = {}
        numbers["axes"] = [_clean_axis(axis) for axis in numbers["axes"]]
        return hist.Hist(from_uhi(numbers))
    # from_uhi raises whatever a malformed dictionary runs it into.
    except Exception as error:
        raise FormatError(f"{path}: {name!r} is no UHI histogram ({type(error).__name__}: {error})") from error


def _clean_axis(axis: Mapping[str, Any]) -> dict[str, Any]:
    """Return an axis with nothing but its bins, its name and its label."""
    metadata = dict(axis.get("metadata") or {})
    kept = {key: str(metadata[key]) for key in ("name", "label") if key in metadata}
    cleaned = {**axis, "metadata": kept}
    if "edges" in axis:
        cleaned["edges"] = np.asarray(axis["edges"], dtype=np.float64)
    return cleaned
