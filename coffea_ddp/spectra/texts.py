"""Text of files, packed by gzip or not, in the encodings that people have."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from coffea_ddp.errors import FormatError

PACKED = b"\x1f\x8b"
_SUFFIXES = (".json", ".yaml", ".yml", ".csv", ".txt", ".tsv", ".dat")
_MOST = 1 << 28
"""Bytes that a packed text may have."""


def plain_name(path: Path) -> Path:
    """Return a path without the suffix of gzip, where a text is packed by it.

    Examples
    --------
    >>> plain_name(Path("spectra.json.gz")).name, plain_name(Path("files.tar.gz")).name
    ('spectra.json', 'files.tar.gz')
    """
    inner = path.with_suffix("")
    return inner if path.suffix.lower() == ".gz" and inner.suffix.lower() in _SUFFIXES else path


def content_of(path: Path) -> bytes:
    """Return the bytes of a file, unpacked where gzip has packed them.

    Raises
    ------
    FormatError
        If they cannot be unpacked, or are too many for a text.
    """
    content = path.read_bytes()
    if not content.startswith(PACKED):
        return content
    try:
        with gzip.open(path) as file:
            content = file.read(_MOST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(f"{path}: cannot be unpacked ({error}); it may not be whole") from error
    if len(content) > _MOST:
        raise FormatError(f"{path}: more than {_MOST:,} bytes of text; unpack it first, or take a part of it")
    return content


def read_text(path: Path) -> str:
    """Return the text of a file: UTF-8, UTF-16 with its mark, else Western European.

    Raises
    ------
    FormatError
        If it is no text.
    """
    content = content_of(path)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = content.decode("utf-16")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("cp1252", errors="replace")
    if "\x00" in text:
        raise FormatError(f"{path}: no text; give a ROOT file the suffix .root, JSON .json")
    return text
