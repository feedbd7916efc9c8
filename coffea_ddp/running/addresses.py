"""Locations of files: paths, globs and addresses, and the comparison of two of them.

Examples
--------
>>> is_remote("root://host//store/a.root"), is_remote("data/a:b.root")
(True, False)
>>> place("root://Host///store//a.root") == place("root://host//store/a.root")
True
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from coffea_ddp._files import check_input
from coffea_ddp.errors import FileError, InputError, did_you_mean, some_of

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(::[A-Za-z][A-Za-z0-9+.-]*)*://")
_TREE = re.compile(r"(?P<file>.+\.root(\.[0-9]+)?):(?P<tree>[^:]+)", re.IGNORECASE | re.DOTALL)
_LOGICAL = ("/store/", "store/")
_DATASET = re.compile(r"/[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*/[A-Z0-9-]*(AOD|SIM|RAW|RECO|USER|GEN)[A-Z0-9-]*")
"""Primary dataset, processed dataset and tier, as DAS has them."""
REDIRECTORS = "root://cms-xrd-global.cern.ch/"
"""CMS's own redirectors, which find its data by their logical names."""


def is_remote(address: str) -> bool:
    """Tell whether a file is read through a protocol, and not from a path of this machine."""
    return _SCHEME.match(address) is not None


def local(given: str | os.PathLike[str]) -> str:
    """Return an address without the forms that only look remote: ``~``, ``file://`` and the ``file:`` of ``cmsRun``.

    Examples
    --------
    >>> local("file:///data/a.root"), local("file:/data/a.root"), local("root://host//a.root")
    ('/data/a.root', '/data/a.root', 'root://host//a.root')
    """
    path = os.fspath(given)
    if path.startswith("file://"):
        return path.removeprefix("file://").removeprefix("localhost")
    if path.startswith("file:") and not is_there(path):
        path = path.removeprefix("file:")
    return str(Path(path).expanduser()) if path.startswith("~") and not is_there(path) else path


def is_there(path: str) -> bool:
    """Tell whether a path leads to a file or a folder; a name that no file can have leads nowhere."""
    try:
        return os.path.exists(path)  # noqa: PTH110 (Path.exists raises for names that are too long)
    except ValueError:
        return False


def is_file(path: str) -> bool:
    """Tell whether a path leads to a file; a name that no file can have leads nowhere."""
    try:
        return os.path.isfile(path)  # noqa: PTH113
    except ValueError:
        return False


def place(address: str) -> str:
    """Return the same for all ways to write where a file is: relative and absolute, through links, with more slashes.

    Copies, and one file on two servers, are told by their uuids once they are open.
    """
    if not is_remote(address):
        return os.path.realpath(address) if is_there(address) else address
    head, _, rest = address.partition("://")
    parts = urlsplit(f"//{rest}")
    return f"{head.lower()}://{parts.netloc.lower()}/{re.sub('/+', '/', parts.path).lstrip('/')}"


def split_tree(given: str) -> tuple[str, str]:
    """Return the address and the tree of uproot's ``file.root:tree``; no tree where there is none.

    A file that is there under the whole name is meant by the whole name.

    Examples
    --------
    >>> split_tree("root://host:1094//a.root:Events"), split_tree("data/*.root:dir/ntuple")
    (('root://host:1094//a.root', 'Events'), ('data/*.root', 'dir/ntuple'))
    """
    found = None if is_there(given) else _TREE.fullmatch(given)
    if found is not None:
        return found["file"], found["tree"].strip("/")
    file, colon, tree = given.rpartition(":")
    if colon and tree and not is_there(given) and is_file(file):
        return file, tree
    return given, ""


def is_glob(path: str) -> bool:
    """Tell whether a path is a pattern: it has signs of one, and is no file by that name."""
    return not is_remote(path) and any(sign in path for sign in "*?[") and not is_there(path)


def expand(path: str, redirector: str = "") -> list[str]:
    """Return the files that a path, a glob or an address names; whether a path leads anywhere is not looked at.

    Parameters
    ----------
    path
        A path, a glob, an address, or a logical name (``/store/...``).
    redirector
        Put before logical names; without one they are an error.

    Raises
    ------
    FileError
        If a glob matches nothing, it is the name of a dataset, or nobody knows where a logical name leads.
    """
    if _DATASET.fullmatch(path) and not is_there(path):
        raise FileError(
            f"{path}: the name of a dataset of CMS, not of a file; its files are listed by "
            f"dasgoclient --query 'file dataset={path}' > files.txt, and files.txt is what to give"
        )
    if path.startswith(_LOGICAL) and not is_there(path) and not _matches(path):
        if not redirector:
            raise FileError(
                f"{path}: a logical name of CMS, which leads nowhere on this machine; say who serves it: --redirector "
                f"{REDIRECTORS} (Reading(redirector={REDIRECTORS!r}) in Python), or write {REDIRECTORS}/... yourself"
            )
        return [f"{redirector.rstrip('/')}//{path.lstrip('/')}"]
    if not is_glob(path):
        return [path]
    found = _matches(path)
    if not found:
        raise FileError(f"{path}: the glob matches no file{_what_is_there(path)}")
    return found


def _matches(path: str) -> list[str]:
    # Path.glob takes no absolute patterns.
    return sorted(glob.glob(path, recursive=True)) if is_glob(path) else []  # noqa: PTH207


def check_redirector(redirector: str) -> None:
    """Check what is put before logical names.

    Raises
    ------
    InputError
        If it is no address.
    """
    if redirector and not is_remote(redirector):
        raise InputError(f"redirector={redirector!r}: no address of a server; write it as {REDIRECTORS}")


def check_exist(paths: Iterable[str]) -> None:
    """Check that all paths of this machine lead to files.

    Raises
    ------
    FileError
        If one does not; up to five are named, and what there is instead.
    """
    lost = [path for path in paths if not is_remote(path) and not is_file(path)]
    if not lost:
        return
    if Path(lost[0]).is_dir() if is_there(lost[0]) else False:
        raise FileError(f"{lost[0]}: a folder; {_files_in(lost[0])}")
    for path in lost:
        check_input(path)
        if os.path.islink(path):  # noqa: PTH114
            raise FileError(f"{path}: a symbolic link to {Path(path).readlink()}, which leads to no file")
    raise FileError(f"no such file: {some_of(lost, 5)}{_what_is_there(lost[0])}")


def _files_in(folder: str) -> str:
    ways = [f"'{Path(folder) / f'*{end}'}'" for end in (".root", ".parquet") if any(Path(folder).glob(f"*{end}"))]
    return f"give the files in it, {' or '.join(ways)}" if ways else "there is no .root file in it"


def _what_is_there(path: str) -> str:
    """Tell what the folder of a name that leads nowhere has, or which folder there is none of."""
    parts = Path(path).parent.parts
    plain = next((number for number, part in enumerate(parts) if is_glob(part)), len(parts))
    folder = Path(*parts[:plain])
    if not is_there(str(folder)):
        return f"; there is no folder {folder} (seen from {Path.cwd()}){did_you_mean(str(folder), _folders(folder))}"
    files = sorted(found.name for found in folder.glob("*.root")) if folder.is_dir() else []
    near = "" if is_glob(path) else did_you_mean(f"{Path(path).stem}.root", files, cutoff=0.8)
    return f"; the folder {folder.resolve()} has {some_of(files, 5) or 'no .root file'}{near}"


def _folders(beside: Path) -> list[str]:
    if not is_there(str(beside.parent)):
        return []
    return [str(found) for found in beside.parent.glob("*") if found.is_dir()]
