"""What a function that looks at spectra is given: the spectra, or a file of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from coffea_ddp.errors import InputError, named
from coffea_ddp.exchange.reading import read_spectra
from coffea_ddp.spectrum import MassSpectrum


def as_spectra(what: str, given: Any) -> Sequence[MassSpectrum]:
    """Return spectra as they are, one as a list of one, or those of the file that a path leads to.

    Raises
    ------
    InputError
        If there is none, or something else is among them.
    FileError, FormatError
        As for :func:`coffea_ddp.exchange.read_spectra`.
    """
    if isinstance(given, str | Path):
        return read_spectra(given)
    if isinstance(given, MassSpectrum):
        return [given]
    found = list(given) if isinstance(given, Iterable) else [given]
    for one in found:
        if not isinstance(one, MassSpectrum):
            raise InputError(
                f"{what}: got {named(one)}; give MassSpectrum objects, or the path of a file of spectra "
                '(those in Histograms are looked at by ddp.scan(hists, tests=["bump"]))'
            )
    if not found:
        raise InputError("no spectrum was given; there is nothing to look at")
    return found
