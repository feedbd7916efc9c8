"""What is around the library calls: exit codes, progress bars, notes, and what is shown at the end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coffea_ddp.errors import FileError, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from coffea_ddp.histograms import Histograms
    from coffea_ddp.report import ScanReport

DONE, WRONG_INPUT, SOMETHING_MISSING, INTERRUPTED = 0, 1, 2, 130


def terminal() -> Console:
    """Return a console on stdout; a pipe gets wide tables."""
    from rich.console import Console

    # A pipe has no width: rich would cut the tables at 80 columns.
    return Console(width=None if sys.stdout.isatty() else 160)


def note(text: str) -> None:
    """Write a line for people, on stderr."""
    click.echo(text, err=True)


@contextmanager
def _bar(*columns: Any) -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    text = TextColumn("{task.description}")
    with Progress(
        text, BarColumn(), *columns, TimeElapsedColumn(), console=Console(stderr=True), transient=False
    ) as bar:
        yield bar


@contextmanager
def events_bar() -> Iterator[Callable[[int, int], None]]:
    """Yield a callback (events done, of all) that draws a progress bar on stderr."""
    from rich.progress import TextColumn

    rate = TextColumn("{task.completed:,.0f}/{task.fields[all]:,.0f} events, {task.fields[rate]:,.0f} events/s")
    with _bar(rate) as bar:
        task = bar.add_task("reading", start=False, total=None, all=0, rate=0.0)

        def update(done: int, total: int) -> None:
            if not bar.tasks[task].started:
                bar.start_task(task)
            elapsed = bar.tasks[task].elapsed or 0.0
            bar.update(task, completed=done, total=total, all=total, rate=done / elapsed if elapsed else 0.0)

        yield update


@contextmanager
def steps_bar(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """Yield a callback (steps done, of all, the next one) that draws a progress bar on stderr."""
    from rich.progress import MofNCompleteColumn

    with _bar(MofNCompleteColumn()) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total, now: bar.update(task, completed=done, total=total, description=f"{what} {now}")


@contextmanager
def dask_client(scheduler: str | None, options: dict[str, Any]) -> Iterator[Any]:
    """Yield a Dask client where the executor needs one, else ``None``.

    Raises
    ------
    InputError
        If dask is not installed, or nothing answers at the address.
    """
    if scheduler is None and options["executor"] != "dask":  # dask-awkward without a scheduler computes in this process
        yield None
        return
    try:
        from distributed import Client
    except ImportError:
        raise InputError("the executor 'dask' needs dask: pip install 'coffea-ddp[dask]'") from None
    start: Any = Client  # distributed ships no types
    try:
        client = (
            start(scheduler, timeout=10) if scheduler else start(n_workers=options["workers"], threads_per_worker=1)
        )
    except (OSError, ValueError) as error:
        raise InputError(f"--scheduler {scheduler}: no Dask scheduler answers there ({error})") from error
    with client:
        yield client


def check_writable(path: str | None) -> None:
    """Fail before the work, not after it."""
    if path is None:
        return
    folder = Path(path).resolve().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise FileError(
            f"{path}: the folder {folder} does not exist or cannot be written to; choose another output file"
        )


def describe(histograms: Histograms) -> None:
    """Tell what a pass gave: its size and its cutflow."""
    note(repr(histograms))
    for dataset, cutflow in histograms.cutflows.items():
        for step, number in cutflow.items():
            note(f"  {dataset}: {step}: {number:,}")


def tell_missing(histograms: Histograms) -> int:
    """Name what is missing; return the exit code."""
    for missing in histograms.missing:
        note(f"missing: {missing}")
    if histograms.partial:
        note(f"PARTIAL: {len(histograms.missing)} missing, named above and in the output")
    return SOMETHING_MISSING if histograms.partial else DONE


def show(report: ScanReport, shown: dict[str, Any], output: str | None, csv_file: str | None) -> None:
    """Print a report and write it where files are asked for."""
    console = terminal()
    if report.summaries or not report.rows:
        console.print(report.table(**shown))
        console.print(report.regions_table())
        if len({row.test for row in report.rows if row.kind == "symmetry"}) > 1:
            console.print(report.tests_table())
        console.print(report.summary_table())
    if any(row.kind == "spectrum" for row in report.rows):
        console.print(report.bumps_table(shown["n"], similar=shown.get("similar", False)))
    if output is not None:
        report.save(output)
        note(f"wrote {output}")
    if csv_file is not None:
        report.to_csv(csv_file)
        note(f"wrote {csv_file}")
