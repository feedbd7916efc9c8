"""Events of a file as a detector with other efficiencies would have them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import FileError, InputError
from coffea_ddp.testing.files import in_place
from coffea_ddp.testing.generator.detection import FLAVOURS, applied
from coffea_ddp.testing.generator.detector import Objects
from coffea_ddp.testing.generator.writing import Compression, Container, write_events

if TYPE_CHECKING:
    from os import PathLike

    from coffea_ddp.testing.generator.branches import Columns
    from coffea_ddp.testing.generator.efficiencies import Detector

NUMBERS = ("run", "luminosityBlock", "event")


def apply_detector(
    source: str | PathLike[str],
    target: str | PathLike[str],
    detector: Detector,
    *,
    seed: int,
    exchange: bool = False,
    container: Container = "ttree",
    cluster: int = 20_000,
    compression: Compression = "zstd",
) -> Path:
    """Write the events of a NanoAOD-shaped file as a detector with these efficiencies would have them.

    Leptons are left out by their efficiency and fakes added; all other objects and missing pT stay. Triggers are drawn
    again in events whose leptons changed.

    Parameters
    ----------
    source, target
        The file to read, and the file to write, in which there is the tree ``Events`` alone.
    detector
        The efficiencies, of the leptons in the file: those in it are a factor.
    seed
        With the run, luminosity block and event numbers it decides what happens to an event, in whatever file it is.
    exchange
        Whether electrons and muons are exchanged in a random half of the events first: then e/mu is an exact symmetry
        but for the detector. Their triggers are drawn again in all events. Branches that one flavour lacks follow the
        decision of ``tightId`` or ``cutBased``; others are 0, and indices -1.
    container, cluster, compression
        As for :func:`make_nanoaod`.

    Returns
    -------
    Path
        The path of the file.

    Raises
    ------
    FileError
        If the source cannot be read.
    InputError
        If it lacks electrons, muons, jets or event numbers, or has a branch of another shape than one number an event
        or object; if an efficiency is no probability; or the seed is negative.

    Examples
    --------
    >>> import tempfile, uproot
    >>> from coffea_ddp.testing import Detector, make_nanoaod
    >>> folder = Path(tempfile.mkdtemp())
    >>> ideal = make_nanoaod(folder / "ideal.root", events=500)
    >>> real = apply_detector(ideal, folder / "real.root", Detector(electron=0.5), seed=1)
    >>> ideal, real = (uproot.open(path)["Events"].arrays(["nElectron", "nMuon"]) for path in (ideal, real))
    >>> bool(sum(real.nElectron) < 0.6 * sum(ideal.nElectron)), bool(sum(real.nMuon) == sum(ideal.nMuon))
    (True, True)
    """
    if seed < 0:
        raise InputError(f"seed={seed}: give 0 or more")
    if Path(source).resolve() == Path(target).resolve():
        raise InputError(f"{target}: the file to write is the one to read; give another name")
    scalars, objects = read_events(Path(source))
    scalars, objects = applied(scalars, objects, detector, seed=seed, exchange=exchange)
    counts = {name: one.counts for name, one in objects.items()}
    columns = {name: one.columns for name, one in objects.items()}
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    return in_place(
        target,
        lambda path: write_events(
            path, scalars, counts, columns, container=container, cluster=cluster, compression=compression
        ),
    )


def read_events(path: Path) -> tuple[Columns, dict[str, Objects]]:
    """Return the branches with one number per event, and the collections; a vector is one with a nameless column.

    Raises
    ------
    FileError
        If the file cannot be read.
    InputError
        If a branch that is needed is missing, or one has another shape.
    """
    import awkward as ak
    import uproot

    try:
        with uproot.open(path) as file:
            events = file["Events"].arrays()
    except Exception as error:
        raise FileError(f"{path}: no events can be read ({error}); give a NanoAOD file") from error
    scalars: Columns = {}
    collections: dict[str, dict[str, Any]] = {}
    for name in events.fields:
        column = events[name]
        collection, _, field = name.partition("_")
        if column.ndim == 1 and isinstance(ak.type(column).content, ak.types.NumpyType):
            scalars[name] = ak.to_numpy(column)
        elif column.ndim == 2 and isinstance(ak.type(column).content.content, ak.types.NumpyType):
            collections.setdefault(collection, {})[field] = column
        else:
            raise InputError(
                f"{path}: branch {name} has the type {ak.type(column).content}, not one number an event or object; "
                "write a file without it"
            )
    if missing := [name for name in (*FLAVOURS, "Jet") if not {"pt", "eta", "phi"} <= set(collections.get(name, ()))]:
        raise InputError(f"{path}: no pt, eta and phi of {', '.join(missing)}; give a file with these branches")
    if missing := [name for name in NUMBERS if name not in scalars]:
        raise InputError(f"{path}: no branch {', '.join(missing)}, which random numbers belong to; give a file with it")
    objects = {
        name: Objects(
            np.asarray(ak.num(next(iter(fields.values())))),
            {field: ak.to_numpy(ak.flatten(column)) for field, column in fields.items()},
        )
        for name, fields in collections.items()
    }
    counters = {f"n{name}" for name in objects}
    return {name: column for name, column in scalars.items() if name not in counters}, objects
