"""Whole files of toy events: ``make_nanoaod`` and what is made of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from coffea_ddp._files import SIMULATED, write_in_place
from coffea_ddp._root_files import is_simulated
from coffea_ddp.errors import InputError
from coffea_ddp.testing.generator.branches import NEWEST, OLDEST, branches, contents
from coffea_ddp.testing.generator.detection import THRESHOLDS, applied
from coffea_ddp.testing.generator.detector import Efficiency, Reconstructed, reconstruct
from coffea_ddp.testing.generator.processes import add_backgrounds
from coffea_ddp.testing.generator.record import Record
from coffea_ddp.testing.generator.writing import Compression, Container, write_events

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from os import PathLike

    from numpy.random import Generator

    from coffea_ddp._typing import FloatArray
    from coffea_ddp.testing.generator.efficiencies import Detector
    from coffea_ddp.testing.generator.signals import Signal

RUN = 370_000
EVENTS_PER_LUMI = 500
EQUAL = Efficiency()
OLD_RUNS = 6
"""The NanoAOD version whose sums of generator weights have other names."""


def make_nanoaod(
    path: str | PathLike[str],
    *,
    events: int = 10_000,
    seed: int | np.random.SeedSequence = 1,
    signals: Sequence[Signal] = (),
    version: int = 9,
    container: Container = "ttree",
    efficiency: Efficiency | Mapping[str, float] = EQUAL,
    detector: Detector | None = None,
    run: int = RUN,
    first_event: int = 1,
    drop: Sequence[str] = (),
    cluster: int = 20_000,
    compression: Compression = "zstd",
    processes: Sequence[str] = (),
    weights: float | Sequence[float] | None = None,
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
        An ``Efficiency`` or a mapping with some of its fields, such as ``{"e": 0.8, "mu": 0.9}``. Leptons that
        fail stay in their collection.
    detector
        Efficiencies as functions of pT, eta, charge and number of jets, losses and fakes, besides: leptons that fail
        are not in their collection.
    run, first_event
        The run number, and the number of the first event; they count up from there. A luminosity block has
        500.
    drop
        Names of branches to leave out, to make files that lack something.
    cluster
        Events per basket (TTree) or cluster (RNTuple).
    compression
        ``"zstd"``, ``"lz4"``, ``"lzma"``, ``"zlib"`` or ``"none"``.
    processes
        Names of the Standard Model processes that there are, as ``("W + jets",)``, in the proportions that they have
        among all; all by default.
    weights
        Generator weights: one for all events, or one an event. The file is simulation then, with the branch
        ``genWeight`` and the tree ``Runs``, whose ``genEventSumw`` (``genEventSumw_`` in version 6) is their sum.

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
    check(events=events, version=version, container=container, cluster=cluster, first_event=first_event)
    if compression not in get_args(Compression):
        raise InputError(f"compression={compression!r}: known are {', '.join(get_args(Compression))}")
    reconstructed = numbered(events, seed, signals, efficiency, run, first_event, processes)
    if detector is not None:
        reconstructed = _detected(reconstructed, detector, seed)
    generated = None if weights is None else _generated(weights, events)
    return write_file(
        path, reconstructed, version=version, container=container, drop=drop, cluster=cluster, compression=compression,
        generated=generated,
    )  # fmt: skip


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
    >>> from coffea_ddp.testing import Resonance
    >>> paths = make_dataset(tempfile.mkdtemp(), files=3, events=1_000, signals=[Resonance(20, 600.0, 3.0)])
    >>> [uproot.open(path)["Events"].num_entries for path in paths]
    [334, 333, 333]
    """
    if files < 1:
        raise InputError(f"files={files}: a data set has at least one file; give files >= 1")
    check(events=events)
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
        paths.append(in_place(target, lambda path: path.write_bytes(content)))
    return paths


def generate(
    rng: Generator, events: int, signals: Sequence[Signal], efficiency: Efficiency, processes: Sequence[str] = ()
) -> Reconstructed:
    """Return toy events as a detector sees them: signals in random places, Standard Model backgrounds in the others.

    Raises
    ------
    InputError
        If the signals have more events than there are.
    """
    _check_signals(signals, events)
    record, start = Record(), 0
    order = rng.permutation(events)
    for signal in signals:
        signal.add_to(rng, record, order[start : start + signal.n])
        start += signal.n
    add_backgrounds(rng, record, order[start:], processes)
    return reconstruct(rng, record.particles(), events, efficiency)


def numbered(
    events: int,
    seed: int | np.random.SeedSequence,
    signals: Sequence[Signal],
    efficiency: Efficiency | Mapping[str, float],
    run: int,
    first_event: int,
    processes: Sequence[str] = (),
) -> Reconstructed:
    """Return toy events of a seed with their run, luminosity block and event numbers (see :func:`make_nanoaod`)."""
    chosen = efficiency if isinstance(efficiency, Efficiency) else _efficiency(efficiency)
    reconstructed = generate(np.random.default_rng(seed), events, signals, chosen, processes)
    number = np.arange(first_event, first_event + events, dtype=np.uint64)
    reconstructed.scalars.update(
        run=np.full(events, run), luminosityBlock=(number - 1) // EVENTS_PER_LUMI + 1, event=number
    )
    return reconstructed


def write_file(
    path: str | PathLike[str],
    reconstructed: Reconstructed,
    *,
    version: int,
    container: Container,
    drop: Sequence[str],
    cluster: int,
    compression: Compression = "zstd",
    generated: FloatArray | None = None,
) -> Path:
    """Write events under the branch names of a NanoAOD version, without some branches; return the path.

    Generator weights make it simulation: a branch more, and the tree ``Runs``.

    Raises
    ------
    InputError
        If a branch to leave out is none of the version's.
    """
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
    runs = None
    if generated is not None:
        scalars["genWeight"] = generated.astype(np.float32)
        sums = {"run": np.ones(1, np.uint32), "genEventCount": np.array([len(generated)])}
        weighted = scalars["genWeight"].astype(np.float64)
        named = "genEventSumw_" if version == OLD_RUNS else "genEventSumw"
        runs = sums | {named: np.array([weighted.sum()]), "genEventSumw2": np.array([(weighted**2).sum()])}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return in_place(
        path,
        lambda target: write_events(
            target, scalars, counts, kept, container=container, cluster=cluster, compression=compression, runs=runs
        ),
    )


def in_place(path: str | PathLike[str], write: Callable[[Path], object]) -> Path:
    """Write a file whole or not at all; only files that were simulated here are replaced."""
    return write_in_place(Path(path), write, SIMULATED, is_simulated)


def _detected(events: Reconstructed, detector: Detector, seed: int | np.random.SeedSequence) -> Reconstructed:
    """Return the events with the efficiencies, losses and fakes of a detector."""
    sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    triggers = dict(zip(("trigger_e", "trigger_mu"), (name for name, _ in THRESHOLDS.values()), strict=True))
    scalars = {triggers.get(name, name): column for name, column in events.scalars.items()}
    scalars, objects = applied(
        scalars, events.objects, detector, seed=int(sequence.generate_state(1, np.uint64)[0]), exchange=False
    )
    names = {full: name for name, full in triggers.items()}
    return Reconstructed(events.n_events, {names.get(name, name): column for name, column in scalars.items()}, objects)


def _generated(weights: float | Sequence[float], events: int) -> FloatArray:
    """Return one generator weight an event."""
    try:
        found = np.broadcast_to(np.asarray(weights, dtype=np.float64), (events,))
    except (TypeError, ValueError):
        raise InputError(f"weights={weights!r:.60}: give one number, or one for each of the {events} events") from None
    if not np.isfinite(found).all():
        raise InputError("weights has NaN or infinite contents; give finite numbers")
    return found


def _efficiency(fields: Mapping[str, float]) -> Efficiency:
    if unknown := sorted(set(fields) - set(vars(Efficiency()))):
        raise InputError(f"efficiency has {unknown}: the known fields are {', '.join(vars(Efficiency()))}")
    return Efficiency(**fields)


def _check_signals(signals: Sequence[Signal], events: int) -> None:
    wanted = sum(signal.n for signal in signals)
    if wanted > events:
        raise InputError(f"{wanted} signal events do not fit into events={events}; give more events or fewer signals")


def check(
    *, events: int, version: int = NEWEST, container: str = "ttree", cluster: int = 1, first_event: int = 1
) -> None:
    """Check the options of a file.

    Raises
    ------
    InputError
        With the option that cannot be.
    """
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
