"""A folder that is there whole or not at all.

Examples
--------
>>> import tempfile
>>> with tempfile.TemporaryDirectory() as around:
...     with new_folder(Path(around, "report")) as place:
...         _ = (place / "index.html").write_text("here")
...     sorted(path.name for path in Path(around).iterdir())
['report']
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coffea_ddp.errors import FileError

_MARK = "assets/rows.js"
"""What a report's folder has, and nobody else's."""


@contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """Yield a folder to write a report into, and move it to its place when that is done.

    Parameters
    ----------
    folder
        Its place: free, empty, or an older report, which is replaced.

    Raises
    ------
    FileError
        If it cannot be made, or holds something else.
    """
    target = Path(folder)
    _check(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as around:
            place = Path(around, "new")
            for name in ("assets", "regions"):
                (place / name).mkdir(parents=True)
            yield place
            if target.exists():
                target.rename(Path(around, "old"))
            place.rename(target)
    except OSError as error:
        raise FileError(
            f"{target}: cannot be written ({error.strerror or error}); choose another folder with -o"
        ) from error


def _check(target: Path) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise FileError(f"{target}: is a file; a report is a folder, choose another name with -o")
    if any(target.iterdir()) and not (target / _MARK).is_file():
        raise FileError(f"{target}: holds something else than a report; choose a new folder with -o")
