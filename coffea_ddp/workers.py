"""Connecting to a Dask cluster, and seeing to it that its workers are fit for the work before it starts."""

from __future__ import annotations

import logging
import re
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coffea_ddp._files import PERFORMANCE, check_output, write_text
from coffea_ddp.errors import ClusterError, FileError, InputError

CONNECT = 30.0
"""Seconds in which a scheduler must answer."""
FIRST_WORKER = 300.0
"""Seconds in which a cluster must have a worker."""
_MARK = "<!-- coffea-ddp/performance-report -->"
"""By which such a page is known."""
_LOG = logging.getLogger(__name__)
_HOW = "docs/facility.md tells how on coffea-casa, dask-gateway and dask-jobqueue"


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
        Seconds in which the scheduler must answer.

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
        return start(n_workers=workers, threads_per_worker=1)
    given = tls.given()
    security: Any = Security
    try:
        options = {"security": security(**given, require_encryption=True)} if given else {}
        return start(scheduler, timeout=timeout, **options)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        hint = (
            "; a tls:// address needs certificates: --tls-ca-file, --tls-cert and --tls-key, or Dask's configuration"
            if scheduler.startswith("tls://")
            else ""
        )
        raise ClusterError(f"{scheduler}: no Dask scheduler answers there ({error}){hint}") from error


@contextmanager
def performance_report(path: str | None) -> Iterator[None]:
    """Have Dask write a report (HTML) on what its workers did meanwhile; ``None`` writes none.

    Raises
    ------
    InputError
        If bokeh is not installed, which draws it.
    FileError
        If something else than such a report is there.
    """
    if path is None:
        yield
        return
    from distributed import performance_report as report

    try:
        import bokeh  # noqa: F401
    except ImportError:
        raise InputError("a performance report is drawn by bokeh: pip install bokeh") from None
    check_output(path, PERFORMANCE)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "report.html")
        start: Any = report
        writing = start(filename=str(page))
        writing.__enter__()
        try:
            yield
        finally:
            try:
                writing.__exit__(None, None, None)
                text = re.sub("(?i:<!doctype html>)", "", page.read_text(encoding="utf-8"), count=1)
                write_text(path, f"<!DOCTYPE html>\n{_MARK}{text}", PERFORMANCE)
            except Exception as error:  # noqa: BLE001 (drawing is bokeh's and jinja's business; what was done must stay)
                _LOG.warning("%s: Dask could not write its report (%s: %s)", path, type(error).__name__, error)


def check_workers(client: Any, folder: Path | None, *, first_worker: float = FIRST_WORKER) -> bool:
    """See to it that all workers have what this process has; tell whether all of them can write to a folder.

    Parameters
    ----------
    client
        A ``distributed.Client``.
    folder
        Where finished chunks are kept; ``None`` asks nothing of that kind.
    first_worker
        Seconds to wait for a first worker, on clusters that start them when there is work.

    Raises
    ------
    ClusterError
        If there is no worker, or one has another version of this package or of Python, or none.
    """
    try:
        client.wait_for_workers(1, timeout=first_worker)
    except TimeoutError as error:
        raise ClusterError(
            f"the Dask cluster at {client.scheduler.address} has had no worker for {first_worker:.0f} s; "
            "start some (`dask worker ADDRESS`, cluster.scale(n)), or ask the facility why none starts"
        ) from error
    about = _asker()
    token = None if folder is None else _leave_token(folder)
    try:
        found = client.run(about, None if token is None else str(token), on_error="return")
    finally:
        if token is not None:
            token.unlink(missing_ok=True)
    problems = unfit(about(None), found)
    if problems:
        raise ClusterError("; ".join(problems[:5]) + (f" (and {len(problems) - 5} more)" if len(problems) > 5 else ""))
    _LOG.info("%d workers, all of this version", len(found))
    return all(one["folder"] for one in found.values())


def unfit(here: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with workers, by what they said of themselves.

    Examples
    --------
    >>> here = {"package": "1.0", "code": "aa", "python": "3.11", "folder": True}
    >>> unfit(here, {"tcp://one": here})
    []
    >>> unfit(here, {"tcp://two": here | {"package": "0.9", "code": "bb"}})[0].split(";")[0]
    'worker tcp://two: coffea-ddp 0.9 (code bb), here 1.0 (code aa)'
    """
    problems = []
    for address, one in found.items():
        if isinstance(one, BaseException):
            problems.append(f"worker {address}: does not answer ({type(one).__name__}: {one})")
        elif one["python"] != here["python"]:
            problems.append(
                f"worker {address}: Python {one['python']}, here {here['python']}; plans travel between equal versions "
                f"only: use one environment; {_HOW}"
            )
        elif one["package"] is None:
            problems.append(
                f"worker {address}: coffea-ddp is not installed there; install {here['package']} into the workers' "
                f"environment; {_HOW}"
            )
        elif (one["package"], one["code"]) != (here["package"], here["code"]):
            problems.append(
                f"worker {address}: coffea-ddp {one['package']} (code {one['code']}), here {here['package']} "
                f"(code {here['code']}); install the same on both; {_HOW}"
            )
    return problems


def _leave_token(folder: Path) -> Path:
    path = folder / f"seen-{uuid.uuid4().hex[:8]}"
    try:
        path.touch()
    except OSError as error:
        raise FileError(f"{folder}: cannot be written to ({error})") from error
    return path


def _asker() -> Callable[[str | None], dict[str, Any]]:
    """Return a function that tells what a process has.

    It is defined in here, and imports all that it needs, so that it travels by value to workers that do not have this
    package or have another one.
    """

    def about(token: str | None) -> dict[str, Any]:
        import hashlib
        import os
        import sys
        from importlib.metadata import PackageNotFoundError, version
        from importlib.util import find_spec
        from pathlib import Path as Paths

        try:
            package = version("coffea-ddp")
        except PackageNotFoundError:
            package = None
        spec, code = find_spec("coffea_ddp"), ""
        if package is not None and spec is not None and spec.origin is not None:
            digest = hashlib.sha256()
            for path in sorted(Paths(spec.origin).parent.rglob("*.py")):
                digest.update(path.name.encode() + path.read_bytes())
            code = digest.hexdigest()[:8]
        reached = token is not None and Paths(token).exists() and os.access(Paths(token).parent, os.W_OK)
        return {
            "package": package,
            "code": code,
            "python": ".".join(map(str, sys.version_info[:2])),
            "folder": bool(reached),
        }

    return about
