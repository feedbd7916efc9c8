"""Writing mass spectra: ROOT, UHI JSON, CSV; under a temporary name first, so that no file is ever half written."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import hist
import numpy as np
from boost_histogram.serialization import to_uhi

from coffea_ddp._files import SPECTRA, write_in_place
from coffea_ddp._root_files import SPECTRA_TITLE, is_spectra
from coffea_ddp.errors import InputError, named
from coffea_ddp.spectra.names import spectrum_name
from coffea_ddp.spectra.spectrum import MassSpectrum, only_spectra

FORMAT, VERSION = "coffea-ddp/spectra", 1
"""The envelope of a JSON file of many spectra."""


def write_spectra(spectra: Iterable[MassSpectrum], path: str | Path) -> Path:
    """Write spectra to a file, in the format that its suffix names.

    Parameters
    ----------
    spectra
        What is written, under the names of :func:`coffea_ddp.spectra.names.spectrum_name`.
    path
        ``.root``: one TH1 each, flow bins and sums of squared weights included. ``.json``: UHI, with the widths of the
        signal and the masks. ``.csv``: a line a bin, ``spectrum, low, high, count[, variance]``, without flow bins.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    InputError
        If the suffix is another one, there is no spectrum, something else is among them, or two have one name.
    FileError
        If the file cannot be written, or something else than spectra is there.

    Examples
    --------
    >>> import tempfile
    >>> import hist
    >>> from coffea_ddp.spectra.spectrum import MassSpectrum
    >>> spectrum = MassSpectrum("2mu", "inclusive", hist.Hist.new.Reg(20, 60.0, 120.0, name="mass").Int64())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_spectra([spectrum], Path(folder, "masses.csv")).name
    'masses.csv'
    """
    chosen = only_spectra("write_spectra", spectra)
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"write_spectra: the path is {named(path)}; give that of the file to write")
    path = Path(path)
    writers: dict[str, Callable[[dict[str, MassSpectrum], Path], None]] = {
        ".root": _write_root, ".json": _write_json, ".csv": _write_csv,
    }  # fmt: skip
    if path.suffix not in writers:
        raise InputError(f"{path}: spectra are written to {', '.join(writers)}; choose one of these suffixes")
    if not chosen:
        raise InputError(f"{path}: there is no spectrum to write")
    by_name = {name_of(spectrum): spectrum for spectrum in chosen}
    if len(by_name) < len(chosen):
        names = [name_of(spectrum) for spectrum in chosen]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{path}: two spectra are called {twice!r}; write them to two files")
    return write_in_place(path, lambda temporary: writers[path.suffix](by_name, temporary), SPECTRA, is_spectra)


def name_of(spectrum: MassSpectrum) -> str:
    """Return a spectrum's name in the exchange format; one that was read under a name of its own keeps it."""
    if not spectrum.cell:
        return spectrum.combination
    widths = np.diff(spectrum.edges)
    same = np.allclose(widths, widths[0], rtol=1e-6)
    name = spectrum_name(spectrum.combination, spectrum.cell, float(widths[0]) if same else None)
    folder = str(spectrum.hist.name or "").rpartition("/")[0]
    return f"{folder}/{name}" if folder else name


def _write_root(named: dict[str, MassSpectrum], path: Path) -> None:
    import uproot

    with uproot.recreate(path) as file:
        for name, spectrum in named.items():
            histogram = _floating(spectrum.hist)
            histogram.title = SPECTRA_TITLE  # by which a file of ours is known
            file[name] = histogram


def _floating(counts: Any) -> Any:
    """Return the histogram with a storage that ROOT has."""
    if counts.storage_type in (hist.storage.Double, hist.storage.Weight):
        return counts.copy()
    copy = hist.Hist(*counts.axes, storage=hist.storage.Double())
    copy.view(flow=True)[...] = counts.values(flow=True)
    return copy


def _write_json(named: dict[str, MassSpectrum], path: Path) -> None:
    content = {name: {"histogram": to_uhi(spectrum.hist), **_signal(spectrum)} for name, spectrum in named.items()}
    envelope = {"format": FORMAT, "version": VERSION, "spectra": content}
    path.write_text(json.dumps(envelope, default=plain), encoding="utf-8")


def _signal(spectrum: MassSpectrum) -> dict[str, Any]:
    resolution = spectrum.resolution
    return {
        "width": spectrum.width,
        "resolution": None if resolution is None else [resolution.constant, resolution.stochastic, resolution.floor],
        "masks": [list(mask) for mask in spectrum.masks],
        "partial": spectrum.partial,
    }


def plain(value: Any) -> Any:
    """Return an array or a number of numpy as JSON has it: for ``json.dumps(..., default=plain)``."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def _write_csv(named: dict[str, MassSpectrum], path: Path) -> None:
    weighted = any(spectrum.hist.storage_type is hist.storage.Weight for spectrum in named.values())
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["spectrum", "low", "high", "count", *(["variance"] if weighted else [])])
        for name, spectrum in named.items():
            edges, counts = spectrum.edges, spectrum.counts
            columns: list[Sequence[float]] = [edges[:-1].tolist(), edges[1:].tolist(), counts.tolist()]
            if weighted:
                columns.append(np.asarray(spectrum.hist.variances()).tolist())
            table.writerows([name, *map(_short, values)] for values in zip(*columns, strict=True))


def _short(value: float) -> str:
    """Write whole numbers without a point and all others so that they are read back exactly."""
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)
