"""Connecting to a Dask cluster: certificates, the greeting of a scheduler, clients."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from coffea_ddp.errors import ClusterError, InputError, named

CONNECT = 30.0
"""Seconds in which a scheduler must answer."""
REFUSED = 10.0
"""Seconds in which something must listen at its address: a scheduler that was started beside this needs a few."""
_AT_ONCE = 2.0
"""Seconds in which most schedulers greet; of one that does not it is found out what it lacks."""


@dataclass(frozen=True)
class Certificates:
    """Files for a ``tls://`` address, by default those of Dask's own configuration (on coffea-casa it has all).

    Attributes
    ----------
    ca_file, cert, key
        The certificate of the authority, this client's certificate and its key.
    """

    ca_file: str | None = None
    cert: str | None = None
    key: str | None = None

    def given(self) -> dict[str, str]:
        """Return those that were given, by the names of ``distributed.Security``.

        Raises
        ------
        InputError
            If one is no file.
        """
        files = {"tls_ca_file": self.ca_file, "tls_client_cert": self.cert, "tls_client_key": self.key}
        found = {name: path for name, path in files.items() if path is not None}
        lost = [path for path in found.values() if not Path(path).is_file()]
        if lost:
            raise InputError(f"TLS: no such file: {', '.join(lost)}")
        return found


def connect(
    scheduler: str | None, *, workers: int = 2, tls: Certificates = Certificates(), timeout: float = CONNECT
) -> Any:
    """Return a ``distributed.Client``.

    Parameters
    ----------
    scheduler
        Address of a running scheduler, ``tcp://`` or ``tls://``; ``None`` starts a cluster on this machine.
    workers
        Number of worker processes of a cluster on this machine.
    tls
        Certificates for a ``tls://`` address.
    timeout
        Seconds in which the scheduler must answer. Where nothing listens, :data:`REFUSED` of them are waited for it.

    Raises
    ------
    InputError
        If dask is not installed, or the files are not there.
    ClusterError
        If no scheduler answers.
    """
    try:
        from distributed import Client
        from distributed.security import Security
    except ImportError:
        raise InputError("a Dask cluster needs dask: pip install 'coffea-ddp[dask]'") from None
    start: Any = Client  # distributed ships no types
    if scheduler is None:
        # Whoever reaches the scheduler can run code here: it listens to this machine alone.
        here = "127.0.0.1"
        with _not_interrupted():
            return start(n_workers=workers, threads_per_worker=1, host=here, dashboard_address=f"{here}:0")
    given = tls.given()
    security: Any = Security
    try:
        chosen = security(**given, require_encryption=True) if given else security()
        _greet(scheduler, chosen, timeout)
        return start(scheduler, timeout=timeout, security=chosen)
    except Exception as error:
        cure = "start one (`dask scheduler`, or as your facility does), and give the address that it shows"
        if scheduler.startswith("tls://"):
            options = "--tls-ca-file, --tls-cert and --tls-key"
            cure += f"; a tls:// address needs certificates: {options}, or Dask's configuration"
        said = str(error) or type(error).__name__
        raise ClusterError(f"{scheduler}: no Dask scheduler answers there ({said}); {cure}") from error


@contextlib.contextmanager
def _not_interrupted() -> Iterator[None]:
    """Have processes and threads that start meanwhile never see Ctrl-C, which a terminal sends to all: it is ours."""
    resource_tracker.ensure_running()  # it would allow the signal again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _greet(scheduler: str, security: Any, timeout: float) -> None:
    """Fail where nothing at an address greets as Dask does: a client would wait for that for ever."""
    from distributed.comm.core import connect as dial

    async def greeted(patience: float) -> None:
        call: Any = dial
        comm = await call(scheduler, timeout=patience, **security.get_connection_args("client"))
        await comm.close()

    async def in_time() -> None:
        until = time.monotonic() + timeout
        try:
            with contextlib.suppress(OSError):  # a TimeoutError, too: it may be slow, or not be there
                return await asyncio.wait_for(greeted(min(_AT_ONCE, timeout)), min(_AT_ONCE, timeout) + 0.5)
            await _listened_to(scheduler, min(REFUSED, timeout) - _AT_ONCE)
            left = max(until - time.monotonic(), 0.5)
            await asyncio.wait_for(greeted(left), left)
        except TimeoutError as error:
            raise OSError(f"what listens there has said nothing for {timeout:.0f} s") from error
        except MemoryError as error:  # what it said, taken for the length of a message
            raise OSError("what listens there speaks another protocol") from error

    with ThreadPoolExecutor(1) as pool:  # in a notebook this thread has a loop of its own
        pool.submit(asyncio.run, in_time()).result()


async def _listened_to(scheduler: str, patience: float) -> None:
    """Fail where nothing listens at an address, or no machine has its name, for a number of seconds."""
    from distributed.comm.addressing import parse_address, parse_host_port

    scheme, place = parse_address(scheduler)
    if scheme not in ("tcp", "tls"):
        return
    host, port = parse_host_port(place)
    begun = time.monotonic()
    while True:
        try:
            _, found = await asyncio.wait_for(asyncio.open_connection(host, port), max(patience, 0.5))
        except (ConnectionRefusedError, socket.gaierror) as error:
            if time.monotonic() - begun > patience:
                known = isinstance(error, ConnectionRefusedError)
                problem = "nothing listens there: connection refused" if known else "no machine has that name"
                raise OSError(problem) from error
        except OSError:  # a TimeoutError, too: somebody may be there
            return
        else:
            found.close()
            return
        await asyncio.sleep(0.2)


def at_address(client: Any) -> str:
    """Return " at " and the address of a client's scheduler; nothing for one that has lost it, and forgotten where."""
    address = getattr(client.scheduler, "address", None)
    return f" at {address}" if address else ""


def check_client(client: Any, call: str) -> None:
    """Stop where something else than a client is given.

    Parameters
    ----------
    client
        What is given.
    call
        What it is given to, with ``{}`` in the place of the client.

    Raises
    ------
    InputError
        Saying what to give.
    """
    if is_client(client):
        return
    cure = ""
    if isinstance(client, str) and client:
        cure = f", as in {call.format(f'Client({client!r})')}"
    elif hasattr(client, "get_client"):
        cure = f", as in {call.format('cluster.get_client()')}"
    raise InputError(f"{call.format('client')}: got {named(client)}; give a dask.distributed.Client{cure}")


def is_client(value: Any) -> bool:
    """Return whether something is a client of a Dask cluster."""
    # By what it can do: `distributed` may not be installed, and clients of other packages stand in for its own.
    return not isinstance(value, type) and all(hasattr(value, name) for name in ("submit", "scheduler_info"))
