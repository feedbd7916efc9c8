"""NanoAOD-shaped ROOT files with chosen signals inside, and files that are broken in chosen ways.

The events are a toy: masses, angles and multiplicities come from parametric shapes and isotropic decays,
without matrix elements, parton densities or pile-up, in the proportions of a lepton skim. What it keeps
exactly are the symmetries that coffea_ddp tests: electron and muon, positive and negative charge, forward
and backward are told apart by fair coins, unless ``Efficiency`` or a signal says otherwise. (The single-
lepton triggers are the exception, as in real data: their thresholds are 32 GeV for electrons and 24 GeV for
muons.)

Every NanoAOD version from 4 to 15 is written with the branch names and types that its real files have. All
lepton ids above ``loose`` share one decision, all b taggers one score and all missing momenta one value, so
that the same seed describes the same events in every version.

Examples
--------
>>> import tempfile, uproot
>>> directory = Path(tempfile.mkdtemp())
>>> hidden = LFVSignal(100, n_jets=2, n_b=0)
>>> path = make_nanoaod(directory / "toy.root", events=2_000, seed=1, signals=[hidden])
>>> with uproot.open(path) as file:
...     file["Events"].num_entries
2000
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from coffea_ddp._files import SIMULATED, write_in_place
from coffea_ddp._generator.branches import NEWEST, OLDEST, branches, contents
from coffea_ddp._generator.detector import Efficiency, Reconstructed, reconstruct
from coffea_ddp._generator.injection import inject, inject_events
from coffea_ddp._generator.processes import add_backgrounds
from coffea_ddp._generator.record import Record
from coffea_ddp._generator.signals import LFVSignal, Resonance, Signal
from coffea_ddp._generator.writing import Container, write_events
from coffea_ddp._root_files import SIMULATED_TITLE, is_simulated
from coffea_ddp.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from os import PathLike

    from numpy.random import Generator

    from coffea_ddp._typing import AnyArray

__all__ = [
    "Container",
    "Efficiency",
    "LFVSignal",
    "Resonance",
    "Signal",
    "inject",
    "inject_events",
    "make_copies",
    "make_corrupt",
    "make_dataset",
    "make_empty",
    "make_nanoaod",
    "make_not_finite",
    "make_not_root",
    "make_truncated",
    "make_wrong_tree",
]

RUN = 370_000
EVENTS_PER_LUMI = 500
EQUAL = Efficiency()


def make_nanoaod(
    path: str | PathLike[str],
    *,
    events: int = 10_000,
    seed: int | np.random.SeedSequence = 1,
    signals: Sequence[Signal] = (),
    version: int = 9,
    container: Container = "ttree",
    efficiency: Efficiency | Mapping[str, float] = EQUAL,
    run: int = RUN,
    first_event: int = 1,
    drop: Sequence[str] = (),
    cluster: int = 20_000,
) -> Path:
    """Write one NanoAOD-shaped file with the tree (or RNTuple) ``Events``.

    Parameters
    ----------
    path
        The file to write; its directory is made where it is missing.
    events
        Number of events, signals included; may be 0. About 2 kB of memory each while they are made.
    seed
        The same seed gives the same events, in every version and container.
    signals
        ``LFVSignal`` and ``Resonance`` objects; they replace background events at random places.
    version
        NanoAOD version, 4 to 15: decides which branches there are, their names and types.
    container
        ``"ttree"`` or ``"rntuple"``.
    efficiency
        An ``Efficiency`` or a mapping with some of its fields, such as ``{"e": 0.8, "mu": 0.9}``.
    run, first_event
        The run number, and the number of the first event; they count up from there. A luminosity block has
        500.
    drop
        Names of branches to leave out, to make files that lack something.
    cluster
        Events per basket (TTree) or cluster (RNTuple).

    Returns
    -------
    Path
        The path of the file.

    Examples
    --------
    >>> import tempfile, uproot
    >>> target = Path(tempfile.mkdtemp()) / "v15.root"
    >>> path = make_nanoaod(target, events=500, version=15, container="rntuple")
    >>> with uproot.open(path) as file:
    ...     "PuppiMET_pt" in file["Events"], "MET_pt" in file["Events"]
    (True, False)
    """
    _check(events=events, version=version, container=container, cluster=cluster, first_event=first_event)
    chosen = efficiency if isinstance(efficiency, Efficiency) else _efficiency(efficiency)
    reconstructed = _generate(np.random.default_rng(seed), events, signals, chosen)
    number = np.arange(first_event, first_event + events, dtype=np.uint64)
    reconstructed.scalars.update(
        run=np.full(events, run), luminosityBlock=(number - 1) // EVENTS_PER_LUMI + 1, event=number
    )
    return _write(path, reconstructed, version=version, container=container, drop=drop, cluster=cluster)


def make_dataset(
    directory: str | PathLike[str],
    *,
    files: int = 4,
    events: int = 200_000,
    seed: int = 1,
    signals: Sequence[Signal] = (),
    name: str = "nano",
    first_event: int = 1,
    **options: Any,
) -> list[Path]:
    """Write a data set of several files that share the events, with the signals spread over them at random.

    Parameters
    ----------
    directory
        Where the files ``<name>_0.root``, ``<name>_1.root`` ... go.
    files
        Number of files; each has its own child of the seed.
    events
        Number of events of all files together.
    seed, signals, first_event
        As for ``make_nanoaod``; event numbers are unique over the files.
    name
        Beginning of the files' names.
    **options
        Passed on to ``make_nanoaod``.

    Returns
    -------
    list of Path
        The files, in order.

    Examples
    --------
    >>> import tempfile, uproot
    >>> paths = make_dataset(tempfile.mkdtemp(), files=3, events=1_000, signals=[Resonance(20, 600.0, 3.0)])
    >>> [uproot.open(path)["Events"].num_entries for path in paths]
    [334, 333, 333]
    """
    if files < 1:
        raise InputError(f"files={files}: a data set has at least one file; give files >= 1")
    _check(events=events)
    _check_signals(signals, events)
    spread, *children = np.random.SeedSequence(seed).spawn(files + 1)
    edges = np.cumsum([0, *(events // files + (number < events % files) for number in range(files))])
    # Every signal event gets a place in the whole data set, so a file can never hold more of them than
    # events.
    places = np.random.default_rng(spread).permutation(events)
    splits = np.split(places, np.cumsum([signal.n for signal in signals]))[: len(signals)]
    shares = [np.histogram(split, edges)[0] for split in splits]
    return [
        make_nanoaod(
            Path(directory) / f"{name}_{number}.root",
            events=int(edges[number + 1] - edges[number]),
            seed=child,
            signals=[replace(signal, n=int(share[number])) for signal, share in zip(signals, shares, strict=True)],
            first_event=first_event + int(edges[number]),
            **options,
        )
        for number, child in enumerate(children)
    ]


def make_empty(path: str | PathLike[str], *, version: int = 9, container: Container = "ttree") -> Path:
    """Write a file with all branches and no events.

    Examples
    --------
    >>> import tempfile, uproot
    >>> with uproot.open(make_empty(Path(tempfile.mkdtemp()) / "empty.root")) as file:
    ...     file["Events"].num_entries
    0
    """
    return make_nanoaod(path, events=0, version=version, container=container)


def make_not_finite(
    path: str | PathLike[str], *, events: int = 1_000, seed: int = 1, version: int = 9, share: float = 0.1
) -> Path:
    """Write a file in which a share of the pT of leptons and jets, and of MET, is NaN and as much infinite.

    Examples
    --------
    >>> import tempfile, uproot
    >>> with uproot.open(make_not_finite(Path(tempfile.mkdtemp()) / "nan.root")) as file:
    ...     pt = np.concatenate(list(file["Events/Jet_pt"].array(library="np")))
    >>> bool(np.isnan(pt).any()), bool(np.isinf(pt).any())
    (True, True)
    """
    _check(events=events, version=version)
    rng = np.random.default_rng(seed)
    reconstructed = _generate(rng, events, (), EQUAL)
    number = np.arange(1, events + 1)
    reconstructed.scalars.update(run=np.full(events, RUN), luminosityBlock=np.ones(events), event=number)
    for name in ("Electron", "Muon", "Jet"):
        _spoil(rng, reconstructed.objects[name].columns["pt"], share)
    _spoil(rng, reconstructed.scalars["met_pt"], share)
    return _write(path, reconstructed, version=version, container="ttree", drop=(), cluster=20_000)


def make_truncated(source: str | PathLike[str], target: str | PathLike[str], *, fraction: float = 0.5) -> Path:
    """Copy the first part of a file, as an interrupted transfer leaves it.

    Parameters
    ----------
    source, target
        The whole file and the copy.
    fraction
        How much of it is copied, between 0 and 1.
    """
    if not 0.0 < fraction < 1.0:
        raise InputError(f"fraction={fraction}: a truncated file has a part of the bytes; give 0 < fraction < 1")
    data = Path(source).read_bytes()
    return _in_place(target, lambda path: path.write_bytes(data[: int(fraction * len(data))]))


def make_corrupt(
    source: str | PathLike[str], target: str | PathLike[str], *, branch: str = "Jet_pt", tree: str = "Events"
) -> Path:
    """Copy a file and overwrite the baskets of one branch: it opens, and fails when that branch is read.

    Parameters
    ----------
    source, target
        The good file and the copy.
    branch, tree
        Whose baskets are spoilt.
    """
    import uproot

    with uproot.open(source) as file:
        if branch not in file[tree] or not hasattr(file[tree][branch], "num_baskets"):
            raise InputError(
                f"branch={branch!r}: no such branch of a TTree {tree!r} in {source}; name one that is there"
            )
        found = file[tree][branch]
        seeks, sizes = found.member("fBasketSeek"), found.member("fBasketBytes")
        baskets = [(int(seeks[number]), int(sizes[number])) for number in range(found.num_baskets)]
    content = bytearray(Path(source).read_bytes())
    for start, size in baskets:
        content[start : start + size] = b"\xff" * size
    return _in_place(target, lambda path: path.write_bytes(content))


def make_copies(
    source: str | PathLike[str], directory: str | PathLike[str], copies: int, *, seed: int = 1
) -> list[Path]:
    """Copy a file several times, each copy with a uuid of its own: for all who count, as many files.

    Parameters
    ----------
    source
        A ROOT file.
    directory
        Where the copies go, as NAME_0.root, NAME_1.root ...; made where it is missing.
    copies
        How many.
    seed
        Of the uuids.

    Returns
    -------
    list of Path
        The copies.

    Examples
    --------
    >>> import tempfile, uproot
    >>> directory = Path(tempfile.mkdtemp())
    >>> copies = make_copies(make_nanoaod(directory / "toy.root", events=10), directory, 2)
    >>> [path.name for path in copies], len({str(uproot.open(path).file.uuid) for path in copies})
    (['toy_0.root', 'toy_1.root'], 2)
    """
    import uproot

    with uproot.open(source) as file:
        known = file.file.fUUID
    content = bytearray(Path(source).read_bytes())
    place = content.find(known, 0, 128)  # in the header
    if place < 0:
        raise InputError(f"{source}: no uuid in the file's header; give a file written by ROOT or uproot")
    rng = np.random.default_rng(seed)
    Path(directory).mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(copies):
        content[place : place + len(known)] = rng.bytes(len(known))
        target = Path(directory) / f"{Path(source).stem}_{number}.root"
        paths.append(_in_place(target, lambda path: path.write_bytes(content)))
    return paths


def make_not_root(path: str | PathLike[str]) -> Path:
    """Write a text file, whatever its name says."""
    text = "This is not a ROOT file, only called like one.\n" * 20
    return _in_place(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def make_wrong_tree(path: str | PathLike[str], *, tree: str = "Other") -> Path:
    """Write a ROOT file without ``Events``: its only tree is called ``tree``."""
    import uproot

    def write(temporary: Path) -> None:
        with uproot.recreate(temporary) as file:
            file.mktree(tree, {"x": np.float32}, title=SIMULATED_TITLE).extend({"x": np.arange(10, dtype=np.float32)})

    return _in_place(path, write)


def _generate(rng: Generator, events: int, signals: Sequence[Signal], efficiency: Efficiency) -> Reconstructed:
    _check_signals(signals, events)
    record, start = Record(), 0
    order = rng.permutation(events)
    for signal in signals:
        signal.add_to(rng, record, order[start : start + signal.n])
        start += signal.n
    add_backgrounds(rng, record, order[start:])
    return reconstruct(rng, record.particles(), events, efficiency)


def _write(
    path: str | PathLike[str],
    reconstructed: Reconstructed,
    *,
    version: int,
    container: Container,
    drop: Sequence[str],
    cluster: int,
) -> Path:
    known = {branch.full_name for branch in branches(version)}
    if unknown := sorted(set(drop) - known):
        raise InputError(f"drop={unknown}: version {version} has no such branch; it has {', '.join(sorted(known))}")
    scalars, collections = contents(version, reconstructed)
    scalars = {name: column for name, column in scalars.items() if name not in drop}
    kept = {
        collection: {name: column for name, column in columns.items() if f"{collection}_{name}" not in drop}
        for collection, columns in collections.items()
    }
    counts = {name: objects.counts for name, objects in reconstructed.objects.items() if kept[name]}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return _in_place(
        path, lambda target: write_events(target, scalars, counts, kept, container=container, cluster=cluster)
    )


def _in_place(path: str | PathLike[str], write: Callable[[Path], object]) -> Path:
    """Write a file whole or not at all; only files that were simulated here are replaced."""
    return write_in_place(Path(path), write, SIMULATED, is_simulated)


def _spoil(rng: Generator, column: AnyArray, share: float) -> None:
    u = rng.random(len(column))
    column[u < share] = np.nan
    column[u > 1.0 - share] = np.inf


def _efficiency(fields: Mapping[str, float]) -> Efficiency:
    if unknown := sorted(set(fields) - set(vars(Efficiency()))):
        raise InputError(f"efficiency has {unknown}: the known fields are {', '.join(vars(Efficiency()))}")
    return Efficiency(**fields)


def _check_signals(signals: Sequence[Signal], events: int) -> None:
    wanted = sum(signal.n for signal in signals)
    if wanted > events:
        raise InputError(f"{wanted} signal events do not fit into events={events}; give more events or fewer signals")


def _check(
    *, events: int, version: int = NEWEST, container: str = "ttree", cluster: int = 1, first_event: int = 1
) -> None:
    if events < 0:
        raise InputError(f"events={events}: the number of events is 0 or more")
    if not OLDEST <= version <= NEWEST:
        raise InputError(f"version={version}: known NanoAOD versions are {OLDEST} to {NEWEST}")
    if container not in get_args(Container):
        raise InputError(f"container={container!r}: known containers are {', '.join(get_args(Container))}")
    if cluster < 1:
        raise InputError(f"cluster={cluster}: a cluster holds at least one event")
    if first_event < 1:
        raise InputError(f"first_event={first_event}: event numbers start at 1")
