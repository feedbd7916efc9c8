"""The commands that read events: run, validate, merge."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coffea_ddp._files import OUTPUT
from coffea_ddp.cli.clusters import certificates, cluster_options, needs_of_certificates
from coffea_ddp.cli.outputs import Command, OutputFile, check_files, delivering
from coffea_ddp.cli.telling import is_quiet, result
from coffea_ddp.cli.terminal import (
    DONE,
    WRONG_INPUT,
    alert,
    dask_client,
    describe,
    note,
    steps_bar,
    summary,
    tell_missing,
    terminal,
)
from coffea_ddp.cli.unused import refuse_unused
from coffea_ddp.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from coffea_ddp.running.executors import Executor

_FEW = 50_000
"""Number of events that are read in this process unless worker processes are asked for."""
EXECUTORS = ("iterative", "futures", "dask", "dask-awkward")
REDIRECTOR = "Prefix of logical file names (/store/...), as in root://cms-xrd-global.cern.ch/."


@click.command(cls=Command)
@click.argument("plan")
@click.argument("fileset", nargs=-1)  # a forgotten plan is the error then, not missing files
@click.option("-o", "--output", required=True, type=OutputFile(OUTPUT), help="The file to write (.ddp).")
@click.option(
    "--executor",
    help="iterative, futures, dask or dask-awkward [default: futures; iterative for few events].",
)
@click.option("--workers", type=click.IntRange(min=1), default=None, help="Worker processes [default: all cores].")
@cluster_options(
    "Address of a running Dask scheduler, tcp:// or tls:// (implies --executor dask).",
    "Dask's report on the run, an HTML file.",
)
@click.option("--chunksize", type=click.IntRange(min=1), default=200_000, show_default=True, help="Events per chunk.")
@click.option("--tree", default="Events", show_default=True, help="The tree in the files; that of PHYSLITE is found.")
@click.option("--redirector", default="", help=REDIRECTOR)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Seconds to wait for an answer of a server.",
)
@click.option(
    "--retries",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="Retries of a chunk that is read from a server.",
)
@click.option("--by-dataset", is_flag=True, help="Write one file per dataset, OUTPUT with its name; `merge` adds them.")
@click.option(
    "--deduplicate",
    is_flag=True,
    help="Take events that are in several datasets once, by run, luminosity block and event.",
)
@click.option(
    "--calibration",
    type=click.Path(),
    help="Efficiencies of electrons and muons, of `coffea-ddp calibrate` or your own (correctionlib).",
)
@click.option("--half", type=click.Choice(["a", "b"]), help="Only these events: search in a, `confirm` in b.")
@click.option(
    "--share", type=click.FloatRange(0, 1, min_open=True, max_open=True), help="Of all events in a; 0.5 by default."
)
@click.option("--resume", is_flag=True, help="Resume an interrupted run with the same -o.")
@click.option(
    "--skip-bad-files", is_flag=True, help="Leave out files that cannot be opened; the output is marked PARTIAL."
)
def run(plan: str, fileset: Sequence[str], output: str, **options: Any) -> int:
    r"""Fill the histograms of a PLAN in one pass over a FILESET.

    PLAN is a Python file, or the name of a shipped plan. FILESET is coffea's fileset JSON (.json.gz, YAML), or ROOT and
    Parquet files, globs, and text files with one address a line. The steps of a fileset are what is counted.
    Finished chunks are kept beside OUTPUT until all are: whatever happens, --resume does only what is missing. What
    fails on the way is named at the end and in OUTPUT, and the exit code is 2.

    \b
    coffea-ddp run symmetries 'data/*.root' -o hists.ddp
    coffea-ddp run processors/mine.py fileset.json -o hists.ddp --workers 8
    coffea-ddp run symmetries fileset.json -o hists.ddp --skip-bad-files
    coffea-ddp run symmetries fileset.json -o hists.ddp --resume
    coffea-ddp run symmetries fileset.json -o hists.ddp --by-dataset
    coffea-ddp run symmetries fileset.json -o hists.ddp --calibration calibration.json
    coffea-ddp run symmetries fileset.json -o a.ddp --half a
    coffea-ddp run symmetries fileset.json -o hists.ddp --scheduler tls://host:8786 --performance-report run.html
    """
    from coffea_ddp.calibration.calibration import Calibration
    from coffea_ddp.plan.plan_files import load_plan
    from coffea_ddp.running.driver import run as run_plan
    from coffea_ddp.running.driver import run_by_dataset
    from coffea_ddp.running.fileset import normalise
    from coffea_ddp.running.options import Checkpoint, Reading
    from coffea_ddp.running.shards import remove  # each command imports what it needs, so that --help is quick

    # Where nobody asked for processes, some thousand events are done before one has started.
    few = 0 if options["executor"] or options["workers"] else _FEW
    options["executor"] = options["executor"] or "futures"
    _check_used(output, options)
    loaded = load_plan(plan)
    if options["calibration"] is not None:
        loaded = dataclasses.replace(loaded, calibration=Calibration.load(options["calibration"]))
    if options["half"] is not None:
        loaded = loaded.half(options["half"], 0.5 if options["share"] is None else options["share"])
    reading = Reading(**{field.name: options[field.name] for field in dataclasses.fields(Reading)})
    if options["by_dataset"]:
        datasets = normalise(list(fileset), tree=reading.tree, redirector=reading.redirector)
        check_files(_outputs(output, datasets), OUTPUT)
    tls = certificates(options)
    name, workers = options["executor"], options["workers"] or os.cpu_count() or 1
    # A graph of delayed partitions has no checkpoints.
    parts = None if name == "dask-awkward" else f"{output}.parts"
    checkpoint = None if parts is None else Checkpoint(parts, resume=options["resume"], keep=True)
    with dask_client(name, options["scheduler"], workers, options["performance_report"], tls) as client:
        asked: dict[str, Any] = {
            "executor": executor_of(name, workers, client, few),
            "reading": reading,
            "checkpoint": checkpoint,
            "deduplicate": options["deduplicate"],
            "progress": not is_quiet(),
        }
        found = (
            run_by_dataset(loaded, list(fileset), **asked)
            if options["by_dataset"]
            else {"": run_plan(loaded, list(fileset), **asked)}
        )
    code = DONE
    with delivering() as deliver:
        for dataset, histograms in found.items():
            describe(histograms)
            deliver(of_dataset(output, dataset), histograms.save)
            code = max(code, tell_missing(histograms))
        result(lambda: {of_dataset(output, dataset): summary(one) for dataset, one in found.items()})
    if parts is not None and code == DONE:
        remove(parts)
    return code


def executor_of(name: str, workers: int, client: Any, few: int = 0) -> Executor:
    """Return the executor of a name and, where there is one, of a client; for few events none but this process."""
    from coffea_ddp.running.executors import Cluster, DaskAwkward, Iterative, Local

    if name == "dask-awkward":
        return DaskAwkward(client)
    if client is not None:
        return Cluster(client)
    return Local(workers, few) if name == "futures" else Iterative()


def _check_used(output: str, options: dict[str, Any]) -> None:
    """Stop where an option was given that the executor has no use for, or there is nothing to go on from."""
    executor, scheduler = options["executor"], options["scheduler"]
    if executor not in EXECUTORS:
        near = did_you_mean(executor, EXECUTORS)
        raise InputError(f"--executor {executor!r}: the executors are {', '.join(EXECUTORS)}{near}")
    on_dask = executor in ("dask", "dask-awkward")
    refuse_unused({
        "executor": (scheduler is None or on_dask, "no --scheduler, whose workers do the work (or --executor dask)"),
        "workers": (
            scheduler is None and executor != "iterative",
            "worker processes: --executor futures, or dask without --scheduler",
        ),
        **needs_of_certificates(scheduler),
        "performance_report": (on_dask or scheduler is not None, "Dask: --executor dask or --scheduler ADDRESS"),
        "share": (options["half"] is not None, "--half a or --half b, whose share it is"),
        "resume": (executor != "dask-awkward", "another executor: dask-awkward keeps no chunks"),
    })  # fmt: skip
    if options["resume"] and not Path(f"{output}.parts").is_dir():
        # Scripts that are sent again and again say --resume from the first time on.
        note(
            f"--resume: no interrupted run with this -o left anything ({output}.parts): all is done from the beginning"
        )
        options["resume"] = False


def _outputs(output: str, datasets: Iterable[str]) -> list[str]:
    """Return the file of every dataset.

    Raises
    ------
    InputError
        If two datasets would have the same.
    """
    names: dict[str, str] = {}
    for dataset in datasets:
        other = names.setdefault(of_dataset(output, dataset), dataset)
        if other != dataset:
            path = of_dataset(output, dataset)
            raise InputError(f"the datasets {other!r} and {dataset!r} would both be {path}; give one another name")
    return list(names)


def of_dataset(output: str, dataset: str) -> str:
    """Return the file of one dataset: hists.ddp becomes hists-NAME.ddp."""
    if not dataset:
        return output
    path = Path(output)
    name = re.sub(r"[^A-Za-z0-9_.+-]", "_", dataset)
    return str(path.with_name(f"{path.stem}-{name}{path.suffix}"))


@click.command(cls=Command)
@click.argument("plan")
@click.argument("fileset", nargs=-1)  # a forgotten plan is the error then, not missing files
@click.option(
    "--events", type=click.IntRange(min=1), default=10_000, show_default=True, help="Events read of every file."
)
@click.option("--tree", default="Events", show_default=True, help="The tree in the files; that of PHYSLITE is found.")
@click.option("--redirector", default="", help=REDIRECTOR)
def validate(plan: str, fileset: Sequence[str], events: int, tree: str, redirector: str) -> int:
    r"""Check a PLAN against a FILESET: branches, exclusive sides, empty cells.

    Reads the first events of every file and reports, per file, what is missing; then which branches were chosen, how
    many events each side has, and which bins of the cells' axes stay empty. Exit code 1 if a file does not fit the
    plan.

    \b
    coffea-ddp validate processors/mine.py 'data/*.root'
    """
    from coffea_ddp.running.options import Reading
    from coffea_ddp.running.validating import validate as check

    with steps_bar("validating") as progress:
        found = check(
            plan, list(fileset), events=events, reading=Reading(tree=tree, redirector=redirector),
            progress=lambda done, total: progress(done, total, ""),
        )  # fmt: skip
    if found.histograms.n_events:
        stdout = terminal()
        for table in found.tables():
            stdout.print(table)
    else:
        alert("no event was read" if found.problems else "no event was read: the files have none")
    for problem in found.problems:
        alert(f"problem: {problem}")
    result(lambda: summary(found.histograms) | {"problems": list(found.problems), "empty_bins": found.empty_bins})
    return WRONG_INPUT if found.problems else DONE


@click.command(cls=Command)
@click.argument("hists", nargs=-1, required=True)
@click.option("-o", "--output", required=True, type=OutputFile(OUTPUT), help="The file to write (.ddp).")
def merge(hists: Sequence[str], output: str) -> int:
    r"""Add outputs of one plan over different files.

    Thousands of them are added a few at a time; memory holds little more than the sum.

    \b
    coffea-ddp merge run2016.ddp run2017.ddp -o all.ddp
    """
    from coffea_ddp.histograms.merging import merge_files

    with steps_bar("merging") as progress:
        total = merge_files(hists, progress=lambda done, every: progress(done, every, ""))
    with delivering() as deliver:
        describe(total)
        deliver(output, total.save)
        result(lambda: {output: summary(total)})
    return tell_missing(total)
