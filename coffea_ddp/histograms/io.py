"""Reading of outputs: all of a ``.ddp`` file, or one cell of it.

The files themselves are described in :mod:`coffea_ddp.histograms.archive`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from coffea_ddp.errors import InputError, named
from coffea_ddp.histograms.archive import read_cell
from coffea_ddp.histograms.cells import INCLUSIVE
from coffea_ddp.histograms.histograms import Histograms

if TYPE_CHECKING:
    from coffea_ddp.histograms.pairs import MatrixPair


def load(path: str | Path) -> Histograms:
    """Read an output from a file: :meth:`Histograms.load <coffea_ddp.histograms.histograms.Histograms.load>`.

    Parameters
    ----------
    path
        A ``.ddp`` file.

    Raises
    ------
    FileError
        If it cannot be read.
    FormatError
        If it is no output of this package, of a newer version of the format, or damaged.

    Examples
    --------
    >>> import tempfile
    >>> from coffea_ddp import run, testing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     hists = run("dimuon_charge", testing.make_nanoaod(f"{folder}/nano.root", events=200, seed=1))
    ...     load(hists.save(f"{folder}/hists.ddp")).n_events
    200
    """
    return Histograms.load(path)


def as_histograms(what: str, value: Any) -> Histograms:
    """Return histograms as they are, or those of the file that a path leads to.

    Parameters
    ----------
    what
        The function and its argument, for messages.
    value
        Histograms or a path.

    Raises
    ------
    InputError
        If it is neither.
    FileError, FormatError
        As for :func:`load`.
    """
    if isinstance(value, Histograms):
        return value
    if isinstance(value, str | Path):
        return load(value)
    made = "of ddp.run, ddp.fill or ddp.load"
    raise InputError(f"{what}: got {named(value)}; give Histograms ({made}), or the path of a .ddp file")


def read_pair(path: str | Path, symmetry: str, observable: str, cell: Any = INCLUSIVE) -> MatrixPair:
    """Read the histograms of one cell; of a big file only the parts that hold it.

    Parameters
    ----------
    path
        A ``.ddp`` file.
    symmetry, observable, cell
        As in ``hists[symmetry, observable, cell]``.

    Raises
    ------
    UnknownNameError
        If one of the names does not exist; the message lists those that do.
    FileError, FormatError
        As for :func:`load`.

    Examples
    --------
    >>> import tempfile
    >>> from coffea_ddp.running.driver import run
    >>> from coffea_ddp.testing import make_nanoaod
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     hists = run("symmetries", make_nanoaod(f"{folder}/nano.root", events=500, seed=1))
    ...     pair = read_pair(hists.save(f"{folder}/h.ddp"), "ee/mumu OS", "m_ll", "j>=1")
    >>> pair.b == hists["ee/mumu OS", "m_ll", "j>=1"].b
    True
    """
    given: Any = path
    if isinstance(given, Histograms):
        raise InputError(
            "got a Histograms where the path of a .ddp file belongs; of Histograms, "
            "hists[symmetry, observable, cell] is the pair"
        )
    return Histograms(*read_cell(path, symmetry, observable, cell))[symmetry, observable, cell]
