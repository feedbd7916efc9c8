"""A Dask cluster as a facility has it: scheduler and workers are processes of their own, in another directory."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

_WAIT = 300.0
Settings = Mapping[str, str]
QUIET: Settings = {
    "DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE": "0.95",
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s",
    # Processes that only wait look around every 20 ms, which takes a tenth of a core from the other tests.
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "500ms",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "5s",
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
}


@dataclass
class Facility:
    """Processes of one cluster.

    Attributes
    ----------
    folder
        Where they run; nothing of the project is in it.
    address
        Of the scheduler.
    """

    folder: Path
    address: str
    scheduler: subprocess.Popen[bytes]
    start: Callable[..., subprocess.Popen[bytes]]
    options: Sequence[str] = ()
    nannies: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add_worker(
        self, name: str, *, memory: str = "0", nanny: bool = True, threads: int = 1, **settings: str
    ) -> None:
        """Start a worker, with more environment variables."""
        options = ["--nthreads", str(threads), "--memory-limit", memory, "--name", name]
        options += ["--local-directory", str(self.folder / "scratch"), "--no-dashboard", *self.options]
        options += [] if nanny else ["--no-nanny"]
        self.nannies.append(self.start("worker", self.address, *options, **settings))

    def worker_processes(self) -> list[psutil.Process]:
        """Return the processes that do the work: children of the nannies, which start them again."""
        found = []
        for nanny in self.nannies:
            with contextlib.suppress(psutil.NoSuchProcess):
                children = psutil.Process(nanny.pid).children(recursive=True)
                found += [one for one in children if "spawn_main" in " ".join(one.cmdline())]
        return found

    def kill_a_worker(self, number: int = 0, *, for_good: bool = False) -> int:
        """Kill (SIGKILL) one of the worker processes, for good: after its nanny, which would start it again.

        Returns
        -------
        int
            Its pid.
        """
        deadline = time.monotonic() + _WAIT
        while time.monotonic() < deadline:
            found = self.worker_processes()
            with contextlib.suppress(psutil.NoSuchProcess, IndexError):
                victim = found[number % max(len(found), 1)]
                nanny = victim.parent() if for_good else None
                if nanny is not None:
                    nanny.kill()  # its worker may see it, and end by itself
                    with contextlib.suppress(psutil.NoSuchProcess):
                        victim.kill()
                    return victim.pid
                victim.kill()
                return victim.pid
            time.sleep(0.05)
        raise AssertionError("no worker process to kill")

    def stop(self) -> None:
        """Kill everything that is left."""
        for process in (*self.nannies, self.scheduler):
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children(recursive=True):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        child.kill()
            process.kill()
            process.wait()


@contextlib.contextmanager
def facility(
    folder: Path, *, workers: int = 2, memory: str = "0", tls: Mapping[str, Path] | None = None, **settings: str
) -> Iterator[Facility]:
    """Start a scheduler and workers, and stop them in the end.

    Parameters
    ----------
    folder
        Made; their working directory.
    workers
        How many, with one thread and a nanny each.
    memory
        Limit of a worker; ``"0"``: none.
    tls
        Files by the names of dask's options, without their dashes: ``ca_file``, ``cert``, ``key``.
    settings
        More environment variables.
    """
    folder.mkdir(parents=True, exist_ok=True)
    where = folder / "scheduler.json"
    environment = {**os.environ, **QUIET, **settings}
    security = [f"--tls-{name.replace('_', '-')}={path}" for name, path in (tls or {}).items()]
    dask = [sys.executable, "-m", "dask"]
    port = ["--protocol", "tls"] if tls else []

    def start(*command: str, **more: str) -> subprocess.Popen[bytes]:
        with (folder / "log.txt").open("ab") as log:
            given = {**environment, **more}
            return subprocess.Popen([*dask, *command, *security], cwd=folder, env=given, stdout=log, stderr=log)

    scheduler = start(
        "scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0",
        "--scheduler-file", str(where), *port,
    )  # fmt: skip
    deadline = time.monotonic() + _WAIT
    address = None
    while address is None:
        assert time.monotonic() < deadline, (folder / "log.txt").read_text()
        with contextlib.suppress(OSError, ValueError, KeyError):
            address = str(json.loads(where.read_text())["address"])
        time.sleep(0.05)
    found = Facility(folder, address, scheduler, start, port)
    try:
        for number in range(workers):
            found.add_worker(f"w{number}", memory=memory)
        yield found
    finally:
        found.stop()


def command(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
    """Start the command line in a process of its own."""
    given = [sys.executable, "-m", "coffea_ddp", *map(str, arguments)]
    return subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def edited(folder: Path, module: str, before: str, after: str) -> Path:
    """Make a copy of the package in which a module is another; return the folder to put on a path.

    What numba compiled goes with it, so that workers do not compile it again; Python's own caches do not, which know
    no more of a file than its second and its size.
    """
    import coffea_ddp

    other = folder / "other" / "coffea_ddp"
    shutil.copytree(Path(coffea_ddp.__file__).parent, other, ignore=shutil.ignore_patterns("*.pyc"))
    text = (other / module).read_text()
    assert before in text
    (other / module).write_text(text.replace(before, after))
    return other.parent
