"""Histograms of ROOT files: every one of one axis is read by itself, and whatever else is there is named.

Of HEPData's files, ``Hist1D_y1_e1`` and the like are the errors of ``Hist1D_y1``, and no spectra.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import DDPError, FormatError
from coffea_ddp.spectra.binned import without_rounding
from coffea_ddp.spectra.found import Contents, Skipped, clean_name, make_spectrum

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.spectra.spectrum import MassSpectrum

_ERRORS = re.compile(r"(?P<of>.*Hist1D_y\d+)_e\d+(?:plus|minus)?")
_FIRST_ERROR = ("_e1", "_e1minus")
_TREES = ("TTree", "TNtuple", "TNtupleD", "TChain", "ROOT::RNTuple", "ROOT::Experimental::RNTuple")
_KINDS = {
    "TProfile": "a profile: means, and no counts",
    "TEfficiency": "an efficiency, and no counts",
    "TGraph": "a graph of points, and no histogram",
    "TH2": "2 axes; a spectrum has one",
    "TH3": "3 axes; a spectrum has one",
    "THn": "many axes; a spectrum has one",
}
_SHOWN = 200


def read_root(path: Path, names: tuple[str, ...] | None = None) -> Contents:
    """Return the histograms of one axis, by their full path; the newest cycle of each, unless another is asked for.

    Parameters
    ----------
    path
        Of the file.
    names
        Only these; ``None``: all.

    Raises
    ------
    FormatError
        If it is no ROOT file, or its list of contents is damaged.
    """
    import uproot

    spectra: list[MassSpectrum] = []
    skipped: list[Skipped] = []
    notes: list[str] = []
    try:
        with uproot.open(path) as file:
            kinds = dict(file.classnames(recursive=True, cycle=False).items())
            cycles = {name for name in names or () if ";" in name}
            kinds |= {name: kind for name, kind in file.classnames(recursive=True).items() if name in cycles}
            for name, kind in kinds.items():
                if (names is not None and name not in names) or kind in ("TDirectory", "TDirectoryFile"):
                    continue
                reason = _no_histogram(name, kind, kinds)
                if reason:
                    skipped.append(Skipped(clean_name(name), reason, spectrum=False))
                    continue
                try:
                    spectra.append(_spectrum(file, name, kinds, notes))
                except DDPError as error:
                    skipped.append(Skipped(clean_name(name), str(error)))
    # uproot raises whatever its interpretation of damaged bytes ran into.
    except Exception as error:
        raise FormatError(f"{path}: no ROOT file, or a damaged one ({_short(error)})") from error
    return Contents(tuple(spectra), tuple(skipped), tuple(notes))


def _short(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:_SHOWN]}" if lines else type(error).__name__


def _no_histogram(name: str, kind: str, kinds: dict[str, str]) -> str:
    """Return why an object is no histogram of one axis; empty for one."""
    if kind in _TREES:
        return "a tree of events, and no histogram"
    errors = _ERRORS.fullmatch(name.partition(";")[0])
    if errors is not None and errors["of"] in kinds:
        return f"errors of {errors['of'].rpartition('/')[2]}"
    for beginning, reason in _KINDS.items():
        if kind.startswith(beginning):
            return reason
    return "" if kind.startswith("TH1") else f"a {clean_name(kind)}, and no histogram"


def _spectrum(file: Any, name: str, kinds: dict[str, str], notes: list[str]) -> MassSpectrum:
    found = _object(file, name)
    axis = found.member("fXaxis")
    labels = axis.all_members.get("fLabels")
    if labels is not None and len(labels):
        raise FormatError(f"its {len(labels)} bins have labels, and are no masses")
    edges = np.asarray(found.axis().edges(), dtype=np.float64)
    values = np.asarray(found.values(flow=True), dtype=np.float64)
    variances = np.asarray(found.variances(flow=True), dtype=np.float64) if len(found.member("fSumw2")) else None
    if variances is None and (values[1:-1] != np.rint(values[1:-1])).any():
        variances = _errors_beside(file, name, kinds, values, edges)
        if variances is not None:
            notes.append(
                f"{clean_name(name)}: its first error, {name}{_FIRST_ERROR[0]}, is taken for the statistical one"
            )
    return make_spectrum(clean_name(name), edges, values, variances, clean_name(axis.member("fTitle")))


def _object(file: Any, name: str) -> Any:
    """Return an object of a file with its contents read.

    Raises
    ------
    FormatError
        If it is damaged, or of a kind that cannot be read.
    """
    try:
        found = file[name]
        found.axis().edges(), found.values(flow=True), found.variances(flow=True)
    except Exception as error:
        raise FormatError(f"cannot be read ({_short(error)})") from error
    return found


def _errors_beside(
    file: Any, name: str, kinds: dict[str, str], values: FloatArray, edges: FloatArray
) -> FloatArray | None:
    """Return variances from the histogram of errors that HEPData puts beside another; ``None`` without one."""
    for ending in _FIRST_ERROR:
        if kinds.get(name + ending, "").startswith("TH1"):
            errors = np.abs(np.asarray(_object(file, name + ending).values(flow=True), dtype=np.float64))
            if errors.shape == values.shape:
                squares = errors**2
                inside = without_rounding(values[1:-1], squares[1:-1], edges)
                squares[1:-1] = values[1:-1] if inside is None else inside
                return np.asarray(squares)
    return None
