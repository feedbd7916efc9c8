"""Spectra that a function is given: as objects, or as a file of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coffea_ddp.errors import InputError
from coffea_ddp.spectra.reading import read_spectra
from coffea_ddp.spectra.spectrum import MassSpectrum, only_spectra


def as_spectra(what: str, given: Any) -> list[MassSpectrum]:
    """Return spectra as they are, one as a list of one, or those of the file that a path leads to.

    Raises
    ------
    InputError
        If there is none, or something else is among them.
    FileError, FormatError
        As for :func:`coffea_ddp.spectra.reading.read_spectra`.
    """
    if isinstance(given, str | Path):
        return read_spectra(given)
    found = only_spectra(what, given)
    if not found:
        raise InputError("no spectrum was given; there is nothing to look at")
    return found
