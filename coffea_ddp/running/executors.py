"""Executors: where the chunks of a run are processed.

Each is a description, made before anything runs; :func:`coffea_ddp.run` makes what runs the chunks from it.

Examples
--------
>>> executor_of("futures"), executor_of(Local(4))
(Local(workers=2), Local(workers=4))
>>> executor_of("dask")
Traceback (most recent call last):
...
coffea_ddp.errors.InputError: executor='dask' needs a client: give client=Client(...), of dask.distributed
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from coffea_ddp.cluster.connecting import check_client, is_client
from coffea_ddp.errors import InputError, did_you_mean, named
from coffea_ddp.running.options import whole

_KINDS = "Iterative(), Local(workers=2), Cluster(client) or DaskAwkward(client)"


@dataclass(frozen=True)
class Iterative:
    """Processing in this process, one chunk after another.

    Examples
    --------
    >>> Iterative()
    Iterative()
    """


@dataclass(frozen=True)
class Local:
    """Processing in worker processes on this machine.

    Parameters
    ----------
    workers
        Number of worker processes.
    few
        Number of events up to which a run is done in this process: to start another takes some seconds.

    Raises
    ------
    InputError
        If there is not at least one worker, or ``few`` is no number from 0 on.

    Examples
    --------
    >>> Local(workers=4)
    Local(workers=4)
    """

    workers: int = 2
    few: int = field(default=0, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "workers", whole(self.workers, "Local", "workers", 1))
        object.__setattr__(self, "few", whole(self.few, "Local", "few", 0))


@dataclass(frozen=True)
class Cluster:
    """Processing on the workers of a Dask cluster, by coffea's Runner.

    Parameters
    ----------
    client
        A ``distributed.Client`` of the cluster.

    Raises
    ------
    InputError
        If that is not a client.

    Examples
    --------
    >>> Cluster("tcp://host:8786")
    Traceback (most recent call last):
    ...
    coffea_ddp.errors.InputError: Cluster(client): got the text 'tcp://host:8786'; give a dask.distributed.Client, as in
    Cluster(Client('tcp://host:8786'))
    """

    client: Any

    def __post_init__(self) -> None:
        check_client(self.client, "Cluster({})")


@dataclass(frozen=True)
class DaskAwkward:
    """Processing as a dask-awkward graph of delayed partitions, without checkpoints and skipped files.

    Parameters
    ----------
    client
        A ``distributed.Client``; ``None`` computes in this process.

    Raises
    ------
    InputError
        If that is not a client.

    Examples
    --------
    >>> DaskAwkward()
    DaskAwkward(client=None)
    """

    client: Any = None

    def __post_init__(self) -> None:
        if self.client is not None:
            check_client(self.client, "DaskAwkward({})")


Executor = Iterative | Local | Cluster | DaskAwkward

_BY_NAME: dict[str, Executor] = {"iterative": Iterative(), "futures": Local(), "dask-awkward": DaskAwkward()}


def executor_of(given: Executor | str, workers: int | None = None, client: Any = None) -> Executor:
    """Return the executor that was given by name or as an object.

    Parameters
    ----------
    given
        One of the executors; or ``"iterative"``, ``"futures"`` (local workers), ``"dask"`` (of a client) or
        ``"dask-awkward"`` (on a client, or in this process).
    workers
        Number of workers of ``"futures"``, two by default.
    client
        A ``distributed.Client``, for ``"dask"``, which it implies, or ``"dask-awkward"``.

    Raises
    ------
    InputError
        If it is neither, the message names the executor that was probably meant; if workers or a client are given to an
        executor that has no use for them.
    """
    if client is not None:
        return _on_client(given, workers, client)
    if workers is not None:
        if given != "futures":
            raise InputError(
                f"workers={workers!r} has no effect on executor={given!r}: give executor='futures' with it"
            )
        return Local(workers)
    if isinstance(given, Executor):
        return given
    if isinstance(given, str):
        if given in _BY_NAME:
            return _BY_NAME[given]
        if given == "dask":
            raise InputError("executor='dask' needs a client: give client=Client(...), of dask.distributed")
        known = ", ".join(map(repr, _BY_NAME))
        raise InputError(
            f"executor={given!r}: the executors are {known}, or an object: {_KINDS}{did_you_mean(given, _BY_NAME)}"
        )
    raise InputError(f"executor: got {named(given)}; give {_probably_meant(given)}")


def _on_client(given: Executor | str, workers: int | None, client: Any) -> Executor:
    """Return the executor of a client; ``"iterative"`` is the default and not meant."""
    if workers is not None:
        raise InputError(f"workers={workers!r} has no effect with a client, whose workers do the work; leave it out")
    if given in ("iterative", "dask"):
        return Cluster(client)
    if given == "dask-awkward":
        return DaskAwkward(client)
    raise InputError(f"client={client!r} has no effect on executor={given!r}: leave one of them out")


def _probably_meant(given: Any) -> str:
    """Return the executor that was probably meant where an object of another kind was given."""
    if isinstance(given, type):
        known = issubclass(given, Executor)
        return f"an object of it: {given.__name__}({_ARGUMENTS.get(given, '')})" if known else _KINDS
    if is_client(given):
        return "Cluster(client)"
    if hasattr(given, "get_client") and hasattr(given, "scheduler_address"):
        return "Cluster(cluster.get_client())"
    if isinstance(given, int) and not isinstance(given, bool) and given > 0:
        return f"Local(workers={given}) for worker processes on this machine"
    own = _OF_OTHERS.get(type(given).__name__)
    return own or f"'iterative', 'futures', or an object: {_KINDS}"


_ARGUMENTS: dict[type, str] = {Iterative: "", Local: "workers=2", Cluster: "client", DaskAwkward: "client"}
_OF_OTHERS = {
    "IterativeExecutor": "Iterative(), instead of coffea's executor",
    "FuturesExecutor": "Local(workers=2), instead of coffea's executor",
    "DaskExecutor": "Cluster(client), instead of coffea's executor",
    "ProcessPoolExecutor": "Local(workers=2), which makes its own processes",
    "ThreadPoolExecutor": "Local(workers=2), which makes its own processes",
}
"""Executors of coffea and Python, and what takes their places."""
