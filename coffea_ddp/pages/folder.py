"""A folder of pages that is there whole or not at all, and of which only its own files are ever replaced.

Its manifest names the files that were written. A newer report takes the place of these alone: what people put beside
them stays.

Examples
--------
>>> import tempfile
>>> with tempfile.TemporaryDirectory() as around:
...     for text in ("first", "second"):
...         with new_folder(Path(around, "report")) as place:
...             _ = (place / "index.html").write_text(text)
...         Path(around, "report", "notes.txt").touch()
...     sorted(path.name for path in Path(around, "report").iterdir()), Path(around, "report/index.html").read_text()
(['assets', 'index.html', 'notes.txt', 'regions'], 'second')
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from coffea_ddp.errors import FileError

FORMAT = "coffea-ddp/pages"
_MANIFEST = "assets/manifest.json"
_FOLDERS = ("assets", "regions")


@contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """Yield a folder to write a report into, and move it to its place when that is done.

    Parameters
    ----------
    folder
        Its place: free, empty, or an older report, whose files are replaced. Other files in it stay.

    Raises
    ------
    FileError
        If it cannot be made, holds something else than a report, or has another file where a page belongs.
    """
    target = Path(folder)
    if "\0" in str(target):
        raise FileError(f"{str(target)!r}: no file system has such a name; choose another folder with -o")
    try:
        _check(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name[:100]}-") as around:
            place = Path(around, "new")
            for name in _FOLDERS:
                (place / name).mkdir(parents=True)
            yield place
            names = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()} | {_MANIFEST}
            _write_manifest(place, names)
            _check(target, names)
            if target.exists():
                _replace(target, place, names)
            else:
                place.rename(target)
    except OSError as error:
        raise FileError(
            f"{target}: cannot be written ({error.strerror or error}); choose another folder with -o"
        ) from error


def _check(target: Path, names: Iterable[str] = ()) -> None:
    """Fail where the folder is not ours to write into, or files of these names in it are not ours to replace."""
    if target.is_symlink():
        raise FileError(f"{target}: is a symbolic link; give the folder that it leads to, or another name with -o")
    if not target.exists():
        return
    if not target.is_dir():
        raise FileError(f"{target}: is a file; a report is a folder, choose another name with -o")
    known = _known(target)
    if known is None and any(target.iterdir()):
        raise FileError(
            f"{target}: holds something else than a report (or one without {_MANIFEST}); choose a new folder with -o"
        )
    ours = {_MANIFEST, *(known or ())}
    strange = sorted(name for name in names if not _is_free(target, name, ours=name in ours))
    if strange:
        raise FileError(
            f"{target / strange[0]}: is not of the report and would be deleted; move it, or choose a new folder with -o"
        )


def _known(target: Path) -> set[str] | None:
    """Return the names of a report's files by its manifest; ``None`` where there is none."""
    try:
        manifest = json.loads((target / _MANIFEST).read_bytes())
        names = manifest["files"] if manifest["format"] == FORMAT else None
        return None if names is None else {name for name in names if _is_inside(target, name)}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _is_inside(target: Path, name: str) -> bool:
    """Return True for the name of a page: in the folder or in one of its two, and reached through no link."""
    parts = PurePosixPath(name).parts
    named = 1 <= len(parts) <= 2 and parts[-1] not in ("/", "..") and (len(parts) == 1 or parts[0] in _FOLDERS)
    return named and not any((target / folder).is_symlink() for folder in parts[:-1])


def _is_free(target: Path, name: str, *, ours: bool) -> bool:
    """Return True where a page can be put: nothing is there, or a page."""
    path = target / name
    replaceable = ours or not (path.exists() or path.is_symlink())
    return _is_inside(target, name) and replaceable and not path.is_dir()


def _replace(target: Path, place: Path, names: set[str]) -> None:
    """Move the new files over the old ones; then remove those that are of the old report alone."""
    old = _known(target) or set()
    for name in _FOLDERS:
        (target / name).mkdir(exist_ok=True)
    # Both, until it is done: whatever happens meanwhile, the next report knows what is of reports.
    _write_manifest(target, names | old)
    for name in sorted(names - {_MANIFEST}):
        (place / name).replace(target / name)
    for name in old - names:
        with contextlib.suppress(OSError):
            (target / name).unlink(missing_ok=True)
    (place / _MANIFEST).replace(target / _MANIFEST)


def _write_manifest(folder: Path, names: Iterable[str]) -> None:
    about = {"format": FORMAT, "version": 1, "files": sorted(names)}
    (folder / _MANIFEST).write_text(json.dumps(about, indent=1), encoding="utf-8")
