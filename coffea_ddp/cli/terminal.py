"""The terminal of a command: exit codes, progress bars, notes, and the tables at its end."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coffea_ddp._text import printable
from coffea_ddp.cli.telling import is_json, is_quiet
from coffea_ddp.errors import InputError
from coffea_ddp.running.progress import shown

if TYPE_CHECKING:
    from rich.console import Console

    from coffea_ddp.cluster.connecting import Certificates
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.report import ScanReport

DONE, WRONG_INPUT, SOMETHING_MISSING, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143
USAGE = 2
"""Of a command line that cannot be read, as of all commands of Unix: nothing was done."""


def terminal(*, stderr: bool = False) -> Console:
    """Return a console on stdout, or on stderr where data are on stdout, or nowhere if nobody wants tables.

    A pipe gets wide tables, or those of COLUMNS.
    """
    from rich.console import Console

    if is_quiet():
        return Console(quiet=True)
    stderr = stderr or is_json()
    stream = sys.stderr if stderr else sys.stdout
    # A pipe has no width: rich would take 80 columns.
    own_width = stream.isatty() or "COLUMNS" in os.environ
    return Console(width=None if own_width else 160, stderr=stderr)


def note(text: str) -> None:
    """Write a line for people, on stderr, unless the command is asked to be quiet."""
    if not is_quiet():
        alert(text)


def alert(text: str) -> None:
    """Write a line on stderr, of a quiet command too: an error, a warning, something missing."""
    click.echo(printable(text), err=True)


class PlainFormatter(logging.Formatter):
    """Formats what is logged as one line of visible characters."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return printable(super().format(record))


def warn(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Show a warning without the line of code that gave it: what Python's ``warnings.showwarning`` does, for people."""
    for line in f"{category.__name__}: {message}".split("\n"):  # Dask's are tables
        alert(line)


_ADVICE = {
    errno.EMFILE: "too many files are open; allow more (`ulimit -n 4096`), or give fewer --workers",
    errno.ENFILE: "too many files are open on this machine",
    errno.ENOMEM: "not enough memory; give a smaller --chunksize, or fewer --workers",
    errno.ENAMETOOLONG: "the path is too long; choose a shorter one",
    errno.EROFS: "the file system can only be read; choose another place",
    errno.EACCES: "it is not allowed; choose another place, or have its owner allow it",
    errno.EPERM: "it is not allowed; choose another place, or have its owner allow it",
    errno.ENOSPC: "no space is left there; make some, or choose another place",
    errno.EDQUOT: "the quota there is used up; make some space, or choose another place",
}
_LONGEST = 200
"""Characters of a path in a message."""


def said_by_system(error: OSError) -> str:
    """Return what an error of the operating system means, and what to do.

    Examples
    --------
    >>> said_by_system(OSError(errno.EMFILE, "Too many open files"))
    'too many files are open; allow more (`ulimit -n 4096`), or give fewer --workers'
    >>> said_by_system(OSError(errno.EIO, "Input/output error", "/data/a.root"))
    '/data/a.root: Input/output error'
    """
    if isinstance(error, FileNotFoundError) and not _has_working_directory():
        return "the working directory is not there any more; go to another one"
    what = _ADVICE.get(error.errno or 0) or error.strerror or str(error)
    path = str(error.filename) if error.filename is not None else ""
    if len(path) > _LONGEST:
        path = f"{path[: _LONGEST // 2]}...{path[-_LONGEST // 2 :]}"
    return f"{path}: {what}" if path else what


def _has_working_directory() -> bool:
    try:
        return Path.cwd().is_dir()
    except OSError:
        return False


@contextmanager
def steps_bar(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """Yield a callback (steps done, of all, the next one) that shows on stderr how far it is, and the time left."""
    if is_quiet():
        yield lambda _done, _total, _now: None
        return
    with shown(what) as tell:
        yield tell


@contextmanager
def dask_client(
    executor: str, scheduler: str | None, workers: int, report: str | None, tls: Certificates
) -> Iterator[Any]:
    """Yield a Dask client where the executor needs one, else ``None``; log the address of its dashboard.

    Raises
    ------
    DDPError
        If dask is not installed, nothing answers at the address, or there is nothing to write a report on.
    """
    if scheduler is None and executor != "dask":  # dask-awkward without a scheduler computes in this process
        if report is not None:
            raise InputError("--performance-report is Dask's: give --executor dask or --scheduler ADDRESS too")
        yield None
        return
    with _cluster(scheduler, workers, report, tls) as client:
        yield client


@contextmanager
def scheduler_client(scheduler: str | None, report: str | None, tls: Certificates) -> Iterator[Any]:
    """Yield a Dask client of a running scheduler, ``None`` without one; log the address of its dashboard.

    Raises
    ------
    DDPError
        If dask is not installed, or nothing answers at the address.
    """
    if scheduler is None:
        yield None
        return
    with _cluster(scheduler, 0, report, tls) as client:
        yield client


@contextmanager
def _cluster(scheduler: str | None, workers: int, report: str | None, tls: Certificates) -> Iterator[Any]:
    from coffea_ddp.cluster.connecting import at_address, connect
    from coffea_ddp.cluster.performance import performance_report

    _quiet()
    with connect(scheduler, workers=workers, tls=tls) as client, performance_report(report):
        note(f"Dask cluster{at_address(client)}, dashboard: {client.dashboard_link or 'none'}")
        yield client


def _quiet() -> None:
    """Silence Dask unless verbose: it logs a lost connection with tracebacks, the error message says what it means."""
    if logging.getLogger("coffea_ddp").isEnabledFor(logging.INFO):
        return
    with contextlib.suppress(ImportError):
        import distributed  # noqa: F401 (sets its own levels when it is imported, so it comes first)

    for name in ("distributed", "tornado", "asyncio"):
        for known in (name, *(one for one in logging.root.manager.loggerDict if one.startswith(f"{name}."))):
            logging.getLogger(known).setLevel(logging.CRITICAL)


def describe(histograms: Histograms) -> None:
    """Print the summary of a pass: its size and its cutflow, and what a comparison lacks."""
    from coffea_ddp.histograms.descriptions import is_approximate
    from coffea_ddp.histograms.simulated import lacking

    note(repr(histograms))
    for dataset, cutflow in histograms.cutflows.items():
        for step, number in cutflow.items():
            note(f"  {dataset}: {step}: {number:,}")
    for role, used in histograms.choices.items():
        if any("not " in one or is_approximate(one) for one in used):  # not applied, not used, not corrected
            note(f"  {role}: {'; '.join(used)}")
    for text in lacking(histograms.samples):
        alert(f"a comparison of data with simulation: {text}")
    filled = len(histograms.counts.keys) or any(len(one.counts) for one in histograms.samples.values())
    if histograms.n_events and not filled:
        note("no event was filled: the cutflow above shows where they were rejected (trigger, selection, sides)")


def summary(histograms: Histograms) -> dict[str, Any]:
    """Return the size of a pass, its cutflow and what is missing, for a script."""
    return {
        "plan": histograms.layout.plan,
        "fingerprint": histograms.layout.fingerprint,
        "events": histograms.n_events,
        "files": len(histograms.ledger.files),
        "cutflow": {dataset: dict(cutflow) for dataset, cutflow in histograms.cutflows.items()},
        "choices": {role: list(used) for role, used in histograms.choices.items()},
        "partial": histograms.partial,
        "missing": [str(missing) for missing in histograms.missing],
    }


def tell_missing(histograms: Histograms) -> int:
    """Name what is missing; return the exit code."""
    for missing in histograms.missing:
        alert(f"missing: {missing}")
    if histograms.partial:
        alert(f"PARTIAL: {len(histograms.missing)} missing, named above and in the output")
    return SOMETHING_MISSING if histograms.partial else DONE


def show(report: ScanReport, shown: dict[str, Any], *, on_stderr: bool = False) -> None:
    """Print a report; what it comes to stands at the end."""
    from coffea_ddp.report.dataset_words import dataset_words
    from coffea_ddp.report.finding import finding

    console = terminal(stderr=on_stderr)
    if report.summaries or not report.rows:
        console.print(report.table(**shown))
        console.print(report.regions_table())
        if len({row.test for row in report.rows if row.kind != "spectrum"}) > 1:
            console.print(report.tests_table())
        console.print(report.summary_table())
    if any(row.kind == "spectrum" for row in report.rows):
        console.print(report.bumps_table(shown["n"], similar=shown.get("similar", False)))
    found = finding(report)
    for text in filter(None, (dataset_words(report.inputs), found.sentence, found.significance)):
        console.print(printable(text), markup=False, highlight=False)
