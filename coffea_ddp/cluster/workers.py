"""Workers of a Dask cluster: seeing to it that they are fit for the work before it starts, and while it goes on."""

from __future__ import annotations

import asyncio
import logging
import platform
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coffea_ddp.cluster.connecting import at_address
from coffea_ddp.errors import ClusterError, FileError, describe, some_of

FIRST_WORKER = 300.0
"""Seconds in which a cluster must have a worker."""
ANSWER = 30.0
"""Seconds in which a worker must answer a question."""
IMPORTS = 90.0
"""Seconds more where it has to import this package for it, as from a file system that is far away."""
_LOG = logging.getLogger(__name__)
_HOW = "docs/facility.md tells how on coffea-casa, dask-gateway and dask-jobqueue"


def check_workers(
    client: Any, work: str, folder: Path | None = None, *, first_worker: float = FIRST_WORKER, answer: float = ANSWER
) -> bool:
    """See to it that all workers have what this process has; tell whether all of them can write to a folder.

    Parameters
    ----------
    client
        A ``distributed.Client``.
    work
        The module that the work is made of: workers load it, so that its code is what they have told.
    folder
        The folder of finished chunks; ``None`` if none are kept.
    first_worker
        Seconds to wait for a first worker, on clusters that start them when there is work.
    answer
        Seconds in which a worker must answer.

    Raises
    ------
    ClusterError
        If there is no worker, or one has another version of this package or of Python, or none.
    """
    where = at_address(client)
    _wait_for_one(client, first_worker)
    token = None if folder is None else _leave_token(folder)
    try:
        found = survey(client, work, None if token is None else str(token), timeout=answer)
    except Exception as error:
        raise ClusterError(f"the Dask scheduler{where} was lost ({describe(error)})") from error
    finally:
        if token is not None:
            token.unlink(missing_ok=True)
    if client.status != "running":
        raise ClusterError(f"the Dask scheduler{where} was lost while its workers were asked")
    problems = list(unfit(_asker()(work, None), found).values())
    if problems:
        raise ClusterError(some_of(problems, 5, "; "))
    _LOG.info("%d worker%s, all of this version", len(found), "" if len(found) == 1 else "s")
    return all(one["folder"] for one in found.values())


def _wait_for_one(client: Any, patience: float) -> None:
    where = at_address(client)
    try:
        client.wait_for_workers(1, timeout=patience)
    except TimeoutError as error:
        raise ClusterError(
            f"the Dask cluster{where} has had no worker for {patience:.0f} s; "
            "start some (`dask worker ADDRESS`, cluster.scale(n)), or ask the facility why none starts"
        ) from error
    except Exception as error:  # of a client that is closed, too: it says so in many ways
        raise ClusterError(
            f"the Dask scheduler{where} was lost, or the client is closed ({describe(error)}); connect again"
        ) from error


def addresses(client: Any) -> list[str]:
    """Return the addresses of a cluster's workers at present."""
    return list(client.scheduler_info(n_workers=-1)["workers"])


def survey(client: Any, work: str, token: str | None = None, *, timeout: float = ANSWER) -> dict[str, Any]:
    """Return what every worker of a cluster has, by its address, or the exception that it gave.

    Parameters
    ----------
    client
        A ``distributed.Client``.
    work
        The module that workers load to be asked about their code.
    token
        A file; workers tell whether they see it, and can write beside it.
    timeout
        Seconds for an answer; a worker that gives none has a ``TimeoutError``.
    """
    # A function of the standard library is understood by every Python; one by value only by the same.
    pythons = _asked(client, platform.python_version, workers=addresses(client), timeout=timeout)
    mine = _minor(platform.python_version())
    same = [address for address, one in pythons.items() if isinstance(one, str) and _minor(one) == mine]
    about = _asked(client, _asker(), work, token, workers=same, timeout=IMPORTS + timeout)
    others = {
        address: {"python": _minor(one)} if isinstance(one, str) else one
        for address, one in pythons.items()
        if address not in about
    }
    present = set(addresses(client))  # one that has left meanwhile is no fault
    return {address: one for address, one in (about | others).items() if address in present}


def _minor(python: str) -> str:
    return ".".join(python.split(".")[:2])


def _asked(
    client: Any, function: Callable[..., Any], *arguments: Any, workers: Sequence[str], timeout: float
) -> dict[str, Any]:
    """Return what a function returns on each worker, or its exception; none is waited for longer than the timeout."""

    async def one(address: str) -> Any:
        try:
            found = await client.run(function, *arguments, workers=[address], on_error="return")
        except Exception as error:  # noqa: BLE001 (a worker that has just left gives one of many)
            return error
        return found.get(address, OSError("it has left"))

    async def all_of_them() -> dict[str, Any]:
        tasks = {address: asyncio.create_task(one(address)) for address in workers}
        if tasks:
            await asyncio.wait(tasks.values(), timeout=timeout)
        for task in tasks.values():
            task.cancel()
        silent = TimeoutError(f"no answer for {timeout:.0f} s")
        return {address: task.result() if task.done() else silent for address, task in tasks.items()}

    found: dict[str, Any] = client.sync(all_of_them)
    return found


@dataclass
class FitWorkers:
    """The workers of a cluster that have the code of this run: they come and go, and others may join them.

    Parameters
    ----------
    client
        A ``distributed.Client``.
    patience
        Seconds without any fit worker after which none is waited for any more.
    work
        The module that the work is made of.
    """

    client: Any
    patience: float
    work: str
    unfit: dict[str, str] = field(default_factory=dict)
    """By address, what is wrong with workers that were found out."""

    def preferred(self) -> dict[str, Any]:
        """Return options of Dask's ``submit`` by which fit workers get the work; none while all are."""
        fit = [address for address in addresses(self.client) if address not in self.unfit] if self.unfit else []
        # Not a must: where those have died meanwhile, another one may take it (and gives it back, if unfit).
        return {"workers": fit, "allow_other_workers": True} if fit else {}

    def look(self) -> bool:
        """Ask all workers what they have; wait for a fit one, and tell whether there is any."""
        deadline = time.monotonic() + self.patience
        here = _asker()(self.work, None)
        while True:
            found = survey(self.client, self.work)
            now = unfit(here, found)
            for address in set(now) - set(self.unfit):
                _LOG.warning("%s; it gets no more work of this run", now[address])
            self.unfit |= now
            if len(found) > len(now):
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(2.0)


def unfit(here: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, str]:
    """Return, by their addresses, what is wrong with workers that are unfit, by what they said of themselves.

    Examples
    --------
    >>> here = {"package": "1.0", "code": "aa", "python": "3.11", "folder": True}
    >>> unfit(here, {"tcp://one": here})
    {}
    >>> unfit(here, {"tcp://two": here | {"package": "0.9", "code": "bb"}})["tcp://two"].split(";")[0]
    'worker tcp://two: coffea-ddp 0.9 (code bb), here 1.0 (code aa)'
    """
    problems = {address: _problem(here, one) for address, one in found.items()}
    return {address: f"worker {address}: {problem}" for address, problem in problems.items() if problem}


def _problem(here: Mapping[str, Any], one: Any) -> str:
    if isinstance(one, TimeoutError):
        return f"{one}; is it stopped, or its machine overloaded? Start it anew, or take it out of the cluster"
    if isinstance(one, BaseException):
        return f"does not answer ({type(one).__name__}: {one})"
    if one["python"] != here["python"]:
        return (
            f"Python {one['python']}, here {here['python']}; plans travel between equal versions "
            f"only: use one environment; {_HOW}"
        )
    if one["package"] is None:
        return f"coffea-ddp is not installed there; install {here['package']} into the workers' environment; {_HOW}"
    if (one["package"], one["code"]) != (here["package"], here["code"]):
        return (
            f"coffea-ddp {one['package']} (code {one['code']}), here {here['package']} (code {here['code']}); "
            f"install the same on both; {_HOW}"
        )
    return ""


def _leave_token(folder: Path) -> Path:
    path = folder / f"seen-{uuid.uuid4().hex[:8]}"
    try:
        path.touch()
    except OSError as error:
        raise FileError(f"{folder}: cannot be written to ({error})") from error
    return path


def _asker() -> Callable[[str, str | None], dict[str, Any]]:
    """Return a function that tells what a process has.

    It is defined in here, and imports all that it needs, so that it travels by value to workers that do not have this
    package or have another one.
    """

    def about(work: str, token: str | None) -> dict[str, Any]:
        import os
        import sys
        from importlib import import_module
        from importlib.metadata import PackageNotFoundError, version
        from importlib.util import find_spec
        from pathlib import Path as Paths

        code = ""
        try:
            package: str | None = version("coffea-ddp")
        except PackageNotFoundError:
            package = "unknown" if find_spec("coffea_ddp") else None
        if package is not None:
            try:
                # All of it, so that this is the code it runs with, whatever is edited later.
                import_module(work)
                code = import_module("coffea_ddp.cluster.code_digest").LOADED[:8]
            except Exception as error:  # noqa: BLE001 (whatever it is, the code cannot be used)
                code = f"that cannot be imported, {type(error).__name__}: {error}"
        reached = token is not None and Paths(token).exists() and os.access(Paths(token).parent, os.W_OK)
        return {
            "package": package,
            "code": code,
            "python": ".".join(map(str, sys.version_info[:2])),
            "folder": bool(reached),
        }

    return about
