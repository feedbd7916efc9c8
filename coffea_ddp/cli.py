"""The command line: arguments in, one library call, one file out.

Data goes to stdout, everything else to stderr. Exit codes: 0 done, 1 wrong input, 2 done with something missing.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coffea_ddp.errors import DDPError, FileError, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from coffea_ddp.histograms import Histograms
    from coffea_ddp.report import ScanReport

DONE, WRONG_INPUT, SOMETHING_MISSING, INTERRUPTED = 0, 1, 2, 130

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def _version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"coffea-ddp {version('coffea-ddp')}")
        context.exit()


@click.group(context_settings=_CONTEXT)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
@click.option("-v", "--verbose", is_flag=True, help="Log what is done.")
@click.option("--traceback", is_flag=True, help="Show Python's traceback with an error.")
def cli(verbose: bool, traceback: bool) -> None:
    r"""Scan all of the data for broken symmetries, without simulation (the Data-Directed Paradigm).

    \b
    coffea-ddp demo                                       see it work, on files that it makes
    coffea-ddp validate symmetries 'data/*.root'          is the plan right for these files?
    coffea-ddp run symmetries 'data/*.root' -o hists.ddp  one pass over the data
    coffea-ddp scan hists.ddp -o report.json              test and rank every cell
    """
    del traceback  # looked up by main()
    log = logging.getLogger("coffea_ddp")
    log.handlers = [logging.StreamHandler(sys.stderr)]
    log.setLevel(logging.INFO if verbose else logging.WARNING)


@cli.command()
@click.argument("plan")
@click.argument("fileset", nargs=-1, required=True)
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="The file to write (.ddp).")
@click.option("--executor", default="futures", show_default=True, help="iterative, futures, dask or dask-awkward.")
@click.option("--workers", type=click.IntRange(min=1), default=None, help="Worker processes [default: all cores].")
@click.option("--scheduler", help="Address of a running Dask scheduler (implies --executor dask).")
@click.option("--chunksize", type=click.IntRange(min=1), default=200_000, show_default=True, help="Events a chunk.")
@click.option("--tree", default="Events", show_default=True, help="The tree in the files.")
@click.option("--resume", is_flag=True, help="Go on where an interrupted run with this -o stopped.")
@click.option(
    "--skip-bad-files", is_flag=True, help="Leave out files that cannot be read; the output is marked PARTIAL."
)
def run(plan: str, fileset: Sequence[str], output: str, **options: Any) -> int:
    r"""Fill the histograms of a PLAN in one pass over a FILESET.

    PLAN is a Python file, or the name of a shipped plan. FILESET is coffea's fileset JSON, or ROOT files and globs.

    \b
    coffea-ddp run symmetries 'data/*.root' -o hists.ddp
    coffea-ddp run processors/mine.py fileset.json -o hists.ddp --workers 8
    coffea-ddp run symmetries fileset.json -o hists.ddp --skip-bad-files
    coffea-ddp run symmetries fileset.json -o hists.ddp --resume
    """
    from coffea_ddp.loading import load_plan  # each command imports what it needs, so that --help is quick
    from coffea_ddp.running import run as run_plan

    _check_writable(output)
    loaded = load_plan(plan)
    scheduler = options.pop("scheduler")
    options["workers"] = options["workers"] or os.cpu_count() or 1
    # A graph of delayed partitions has no checkpoints.
    parts = None if options["executor"] == "dask-awkward" else f"{output}.parts"
    with _client(scheduler, options) as client, _events_bar() as progress:
        histograms = run_plan(loaded, list(fileset), client=client, checkpoint=parts, progress=progress, **options)
    histograms.save(output)
    _describe(histograms)
    _note(f"wrote {output}")
    return _missing(histograms)


@cli.command()
@click.argument("plan")
@click.argument("fileset", nargs=-1, required=True)
@click.option(
    "--events", type=click.IntRange(min=1), default=10_000, show_default=True, help="Events read of every file."
)
@click.option("--tree", default="Events", show_default=True, help="The tree in the files.")
def validate(plan: str, fileset: Sequence[str], events: int, tree: str) -> int:
    r"""Check a PLAN against a FILESET: branches, exclusive sides, empty cells.

    Reads the first events of every file and tells, per file, what is missing; then which branches were chosen, how many
    events each side has, and which bins of the cells' axes stay empty. Exit code 1 if a file does not fit the plan.

    \b
    coffea-ddp validate processors/mine.py 'data/*.root'
    """
    from coffea_ddp.validating import validate as check

    result = check(plan, list(fileset), events=events, tree=tree)
    stdout = _console()
    for table in result.tables():
        stdout.print(table)
    for problem in result.problems:
        _note(f"problem: {problem}")
    return WRONG_INPUT if result.problems else DONE


@cli.command()
@click.argument("hists", nargs=-1, required=True)
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="The file to write (.ddp).")
def merge(hists: Sequence[str], output: str) -> int:
    r"""Add outputs of one plan over different files.

    \b
    coffea-ddp merge run2016.ddp run2017.ddp -o all.ddp
    """
    from coffea_ddp.saving import load

    _check_writable(output)
    total: Histograms | None = None
    for path in hists:
        try:
            total = load(path) if total is None else total + load(path)
        except DDPError as error:
            raise type(error)(f"{error}" if str(path) in str(error) else f"{path}: {error}") from error
    if total is None:
        raise InputError("nothing to merge; give at least one .ddp file")
    total.save(output)
    _describe(total)
    _note(f"wrote {output}")
    return _missing(total)


@cli.command()
@click.argument("hists", type=click.Path())
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="The report to write (JSON).")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False), help="The best rows as CSV.")
@click.option("--tests", default="nsigma", show_default=True, help="Comma-separated names of tests.")
@click.option(
    "--min-events", type=click.IntRange(min=0), default=20, show_default=True, help="Fewer events: not tested."
)
@click.option("--best", type=click.IntRange(min=1), default=1000, show_default=True, help="Rows kept in the report.")
@click.option("--top", type=click.IntRange(min=1), default=20, show_default=True, help="Rows shown.")
@click.option("--similar", is_flag=True, help="Show rows with mostly the events of a stronger one, too.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of everything random.")
def scan(hists: str, output: str | None, csv_file: str | None, tests: str, **options: Any) -> int:
    r"""Test every cell of the lattice and rank them.

    \b
    coffea-ddp scan hists.ddp
    coffea-ddp scan hists.ddp -o report.json --csv report.csv --top 50
    """
    from coffea_ddp.saving import load
    from coffea_ddp.scanning import scan as scan_all

    for path in (output, csv_file):
        _check_writable(path)
    shown = {"n": options.pop("top"), "similar": options.pop("similar")}
    histograms = load(hists)
    with _steps_bar("scanning") as progress:
        report = scan_all(histograms, [name.strip() for name in tests.split(",")], progress=progress, **options)
    _show(report, shown, output, csv_file)
    return _missing(histograms)


@cli.command()
@click.option(
    "-o", "--output", default="demo", show_default=True, type=click.Path(file_okay=False), help="Folder to write."
)
@click.option("--events", type=click.IntRange(min=1000), default=200_000, show_default=True, help="Events to make.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the files.")
@click.option("--workers", type=click.IntRange(min=1), default=None, help="Worker processes [default: all cores].")
@click.option("--top", type=click.IntRange(min=1), default=15, show_default=True, help="Rows shown.")
def demo(output: str, events: int, seed: int, workers: int | None, top: int) -> int:
    r"""See it work: make files with a signal hidden in one cell, run the pass, and find it.

    \b
    coffea-ddp demo
    coffea-ddp demo -o mine --events 50000 --seed 3
    """
    from coffea_ddp.demo import run_demo

    with _events_bar() as progress:
        result = run_demo(
            Path(output), events=events, seed=seed, workers=workers or os.cpu_count() or 1, progress=progress
        )
    _note(result.story)
    _show(result.report, {"n": top}, str(result.report_path), None)
    for what, path in result.files.items():
        _note(f"{what}: {path}")
    return DONE


# -- what is around the library calls ----------------------------------------------------------------------------------


def _console() -> Console:
    from rich.console import Console

    # A pipe has no width: rich would cut the tables at 80 columns.
    return Console(width=None if sys.stdout.isatty() else 160)


def _note(text: str) -> None:
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
def _events_bar() -> Iterator[Callable[[int, int], None]]:
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
def _steps_bar(what: str) -> Iterator[Callable[[int, int, str], None]]:
    from rich.progress import MofNCompleteColumn

    with _bar(MofNCompleteColumn()) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total, now: bar.update(task, completed=done, total=total, description=f"{what} {now}")


@contextmanager
def _client(scheduler: str | None, options: dict[str, Any]) -> Iterator[Any]:
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


def _check_writable(path: str | None) -> None:
    """Fail before the work, not after it."""
    if path is None:
        return
    folder = Path(path).resolve().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise FileError(
            f"{path}: the folder {folder} does not exist or cannot be written to; choose another output file"
        )


def _describe(histograms: Histograms) -> None:
    _note(repr(histograms))
    for dataset, cutflow in histograms.cutflows.items():
        for step, number in cutflow.items():
            _note(f"  {dataset}: {step}: {number:,}")


def _missing(histograms: Histograms) -> int:
    for missing in histograms.missing:
        _note(f"missing: {missing}")
    if histograms.partial:
        _note(f"PARTIAL: {len(histograms.missing)} missing, named above and in the output")
    return SOMETHING_MISSING if histograms.partial else DONE


def _show(report: ScanReport, shown: dict[str, Any], output: str | None, csv_file: str | None) -> None:
    console = _console()
    console.print(report.table(**shown))
    console.print(report.summary_table())
    if output is not None:
        report.save(output)
        _note(f"wrote {output}")
    if csv_file is not None:
        report.to_csv(csv_file)
        _note(f"wrote {csv_file}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code.

    Parameters
    ----------
    arguments
        Instead of ``sys.argv[1:]``.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = cli.main(args=given, prog_name="coffea-ddp", standalone_mode=False)
    except click.ClickException as error:
        error.show(sys.stderr)
        code = WRONG_INPUT
    except (click.Abort, KeyboardInterrupt):
        _note("interrupted; `coffea-ddp run ... --resume` goes on from the chunks that were finished")
        code = INTERRUPTED
    except BrokenPipeError:
        # Whoever reads our stdout has seen enough (`| head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = DONE
    except Exception as error:
        if "--traceback" in given:
            raise
        known = isinstance(error, DDPError)
        _note(
            f"error: {error}"
            if known
            else f"error: {type(error).__name__}: {error} (a bug? see it all with --traceback)"
        )
        code = WRONG_INPUT
    sys.exit(code if isinstance(code, int) else DONE)
