"""Files on disk: what a path leads to, and files that are there whole or not at all.

Examples
--------
>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     path = write_in_place(f"{folder}/note.txt", lambda temporary: print(temporary.write_text("whole")))
...     path.read_text(), what_is(path)
5
('whole', 'a text file')
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

from coffea_ddp.errors import FileError

OUTPUT, REPORT, ROOT = "an output of `coffea-ddp run`", "a report of `coffea-ddp scan`", "a ROOT file"
"""What files are called in messages."""

_BEGINNINGS = {b"root": ROOT, b"\x93NUMPY": "an array of numpy"}


def what_is(path: str | Path) -> str:
    """Return what a path leads to, by what is there and not by its name.

    Examples
    --------
    >>> what_is("/"), what_is("nowhere/at_all")
    ('a folder', 'no file')
    """
    path = Path(path)
    if path.is_dir():
        return "a folder"
    try:
        with path.open("rb") as file:
            begin = file.read(400)
    except OSError:
        return "no file"
    if not begin:
        return "an empty file"
    known = [kind for first, kind in _BEGINNINGS.items() if begin.startswith(first)]
    if begin.startswith(b"PK"):
        known = [OUTPUT if b"manifest.json" in begin[:64] else "a zip archive"]
    elif begin.lstrip()[:1] in (b"{", b"["):
        known = [REPORT if b"coffea-ddp/report" in begin else "a JSON file"]
    elif not known and b"\x00" not in begin and _is_text(begin):
        known = ["a text file"]
    return known[0] if known else "a file of another kind"


def _is_text(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(content) - 4  # a character cut in two
    return True


def write_in_place(path: str | Path, write: Callable[[Path], None]) -> Path:
    """Write a file under a temporary name beside ``path`` and move it there when it is whole.

    Raises
    ------
    FileError
        If the folder does not exist or cannot be written to.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        write(temporary)
        temporary.replace(path)
    except OSError as error:
        raise FileError(
            f"{path}: cannot be written ({error.strerror or error}); choose another -o, or make the folder"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return path
