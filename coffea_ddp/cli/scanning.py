"""The commands that test histograms: scan, demo; and warm-up."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coffea_ddp._files import REPORT, TABLE
from coffea_ddp.cli.clusters import certificates, cluster_options, needs_of_certificates
from coffea_ddp.cli.expectations import expectation_of, expectation_options
from coffea_ddp.cli.outputs import Command, OutputFile, OutputFolder, delivering, to_stdout
from coffea_ddp.cli.simulations import NAMES, simulation_of, simulation_options
from coffea_ddp.cli.telling import result
from coffea_ddp.cli.terminal import (
    DONE,
    SOMETHING_MISSING,
    alert,
    note,
    scheduler_client,
    show,
    steps_bar,
    tell_missing,
)
from coffea_ddp.cli.unused import refuse_unused
from coffea_ddp.errors import InputError
from coffea_ddp.stats.defaults import TOYS

if TYPE_CHECKING:
    from coffea_ddp.histograms.layout import Layout
    from coffea_ddp.scanning.protocols import ScanTest


@click.command(cls=Command)
@click.argument("hists", type=click.Path())
@click.option("-o", "--output", type=OutputFile(REPORT), help="The report to write (JSON; - is standard output).")
@click.option("--csv", "csv_file", type=OutputFile(TABLE), help="The best rows as CSV (- is standard output).")
@click.option(
    "--tests",
    help="Comma-separated: nsigma, submatrix (the best rectangle by its counts), submatrix_nsigma (by its N_sigma), "
    "nplm and classifier (of the stored events), roi (the region of interest of data beside simulation), bump (of mass "
    "spectra). [default: nsigma of symmetries and comparisons, bump of spectra]",
)
@click.option(
    "--min-events",
    type=click.IntRange(min=1),
    help="Cells, and mass spectra, with fewer events are not tested [default: 20, and 100 in spectra].",
)
@click.option("--best", type=click.IntRange(min=1), default=1000, show_default=True, help="Rows kept in the report.")
@click.option("--top", type=click.IntRange(min=1), default=20, show_default=True, help="Rows shown.")
@click.option("--similar", is_flag=True, help="Also show rows whose events are mostly those of a stronger row.")
@click.option(
    "--toys",
    type=click.IntRange(min=0),
    default=TOYS,
    show_default=True,
    help="Pseudo-experiments: with relabelled events for global p-values (0: the Sidak bound), of the best spectra.",
)
@click.option(
    "--null",
    type=click.Choice(["binomial", "fixed"]),
    help="Binomial labels (kappa is known), or fixed N_A (kappa from the totals) [default: as kappa is].",
)
@click.option(
    "--fits",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Number of leading nplm rows with full fits.",
)
@click.option(
    "--backend",
    type=click.Choice(["kernel", "network"]),
    default="kernel",
    show_default=True,
    help="Model of the full fits.",
)
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Where networks are fitted."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of everything random.")
@click.option("--jobs", type=click.IntRange(min=1), help="Threads [default: all cores].")
@cluster_options(
    "Address of a running Dask scheduler, tcp:// or tls://: its workers make the tests of counts and the bump hunt.",
    "Dask's report on what they did, an HTML file.",
)
@click.option("--symmetry", "symmetries", multiple=True, help="Only this symmetry or comparison; can be repeated.")
@click.option("--observable", "observables", multiple=True, help="Only this observable; can be repeated.")
@simulation_options
@expectation_options
@click.option(
    "--leave-out",
    is_flag=True,
    help="Test each cell with a fit without the events of the rarest object it asks for: a signal is not fitted.",
)
def scan(hists: str, output: str | None, csv_file: str | None, tests: str | None, **options: Any) -> int:
    r"""Test every cell of the lattice and rank them.

    \b
    coffea-ddp scan hists.ddp
    coffea-ddp scan hists.ddp -o report.json --csv report.csv --top 50
    coffea-ddp scan hists.ddp --tests nsigma,submatrix --toys 10000 --seed 1
    coffea-ddp scan hists.ddp --tests nsigma,submatrix,nplm,classifier
    coffea-ddp scan hists.ddp --tests nplm --fits 5 --backend network
    coffea-ddp scan hists.ddp --tests bump --toys 10000
    coffea-ddp scan hists.ddp --symmetry e/mu --kappa global --systematic 0.02
    coffea-ddp scan hists.ddp --tests nsigma,submatrix --toys 10000 --scheduler tcp://host:8786
    coffea-ddp scan hists.ddp --tests nsigma,submatrix --calibrate
    coffea-ddp scan hists.ddp --calibrate --control inclusive --leave-out
    coffea-ddp scan hists.ddp --tests nsigma,roi --luminosity 59.8 --luminosity-error 0.016 --cross-section dy=6077
    coffea-ddp scan hists.ddp --kappa 'e/mu=1.15' --kappa-error 'e/mu=0.02' --correction 'e/mu:pt_l0=ratio.npz'
    """
    from coffea_ddp.histograms.io import load
    from coffea_ddp.report.finding import untested
    from coffea_ddp.scanning.driver import scan as scan_all
    from coffea_ddp.scanning.options import MIN_EVENTS, find_tests

    shown = {"n": options.pop("top"), "similar": options.pop("similar")}
    histograms = load(hists)
    options["expectation"], options["simulation"] = expectation_of(options), simulation_of(options)
    for name in ("symmetries", "observables"):
        options[name] = options[name] or None
    chosen = find_tests(None if tests is None else [name.strip() for name in tests.split(",")], histograms)
    _check_used(chosen, options, histograms.layout)
    fits = {name: options.pop(name) for name in ("fits", "backend", "device")}
    chosen = tuple(_nplm(**fits) if test.name == "nplm" else test for test in chosen)
    tls, scheduler = certificates(options), options.pop("scheduler")
    told = options.pop("performance_report")
    with scheduler_client(scheduler, told, tls) as client, steps_bar("scanning") as progress:
        report = scan_all(histograms, chosen, progress=progress, client=client, **options)
    report = dataclasses.replace(report, inputs={**report.inputs, "file": hists})  # where its events are stored
    with delivering() as deliver:
        deliver(output, report.save)
        deliver(csv_file, report.to_csv)
        show(report, shown, on_stderr=to_stdout(output, csv_file))
        result(report.to_dict)
    code = tell_missing(histograms)
    if not report.trials:
        fewest = options["min_events"] or MIN_EVENTS
        few = f"nothing has {fewest:,} events, which --min-events asks for"
        if {test.kind for test in chosen} == {"spectra"}:
            few = "no spectrum has enough events to be searched (--min-events)"
        alert(f"nothing was tested: {'; '.join(untested(report)) or few}")
        code = SOMETHING_MISSING
    return code


def _check_used(tests: Sequence[ScanTest], options: dict[str, Any], layout: Layout) -> None:
    """Stop where an option was given of a test that is not made, or of pseudo-experiments that are not."""
    from coffea_ddp.scanning.options import COMPARED

    names, kinds = {test.name for test in tests}, {test.kind for test in tests}
    some = bool(kinds & {"counts", "events"}) and bool(layout.symmetries)
    symmetric = some, "a test of symmetries (--tests)"
    counts = "counts" in kinds and some, "a test of counts, as nsigma or submatrix (--tests)"
    compared = bool(layout.comparisons) and bool(names & {*COMPARED})
    beside = compared, "a comparison of data with simulation in the plan"
    either = some or compared, "a test of symmetries or comparisons (--tests)"
    fits, learned = "nplm" in names and options["fits"] > 0, options["expectation"].calibration == "events"
    refuse_unused({
        "min_events": (either[0] or "bump" in names, "a test of symmetries, comparisons or spectra (--tests)"),
        **dict.fromkeys(("symmetries", "observables"), either),
        **dict.fromkeys(NAMES, beside),
        **dict.fromkeys(("kappas", "systematics", "corrections", "calibrate", "calibration"), symmetric),
        "control": (symmetric[0] and learned, "a calibration that is learned here (--calibrate)"),
        **dict.fromkeys(("kappa_errors", "leave_out"), counts),
        "null": (symmetric[0] and options["toys"] > 0, "pseudo-experiments with relabelled events (--toys)"),
        "scheduler": (
            counts[0] or "spectra" in kinds or (compared and options["toys"] > 0),
            "a test of counts or of mass spectra (--tests), or pseudo-experiments of a comparison (--toys)",
        ),
        "performance_report": (bool(options["scheduler"]), "--scheduler ADDRESS"),
        **needs_of_certificates(options["scheduler"]),
        "fits": ("nplm" in names, "the test nplm (--tests)"),
        "backend": (fits, "full fits of the test nplm (--tests, --fits)"),
        "device": (fits, "full fits of the test nplm (--tests, --fits)"),
    })  # fmt: skip


def _nplm(fits: int, backend: str, device: str) -> ScanTest:
    """Return NPLM with its options."""
    from coffea_ddp.scanning.nplm_cells import NPLM
    from coffea_ddp.stats import KernelSolver, NetworkSolver

    if backend == "kernel" and device != "cpu":
        raise InputError(f"--device {device}: kernels are fitted on the CPU; --backend network can use a GPU")
    return NPLM(fits, KernelSolver() if backend == "kernel" else NetworkSolver(device=device))


@click.command(cls=Command)
@click.option("-o", "--output", default="demo", show_default=True, type=OutputFolder(), help="Folder to write.")
@click.option("--events", type=click.IntRange(min=1000), default=200_000, show_default=True, help="Events to make.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the files.")
@click.option("--workers", type=click.IntRange(min=1), default=None, help="Worker processes [default: all cores].")
@click.option("--top", type=click.IntRange(min=1), default=15, show_default=True, help="Rows shown.")
@click.option("--report/--no-report", "pages", default=True, show_default=True, help="End with the HTML report.")
def demo(output: str, events: int, seed: int, workers: int | None, top: int, pages: bool) -> int:
    r"""See it work: make files with a signal hidden in one cell, run the pass, find it, and write a report.

    \b
    coffea-ddp demo
    coffea-ddp demo -o mine --events 50000 --seed 3
    """
    from coffea_ddp.demo import run_demo
    from coffea_ddp.pages import write_report

    jobs = workers or os.cpu_count() or 1
    with steps_bar("demonstrating") as progress:
        found = run_demo(Path(output), events=events, seed=seed, workers=jobs, progress=progress)
    for line in found.story.splitlines():
        note(line)
    with delivering() as deliver:
        deliver(str(found.report_path), found.report.save)
    for what, path in found.files.items():
        note(f"{what}: {path}")
    if pages:
        with steps_bar("writing the report") as progress:
            index = write_report(found.report, Path(output, "report"), hists=found.hists, jobs=jobs, progress=progress)
        note(f"HTML report, to open in a browser: {index}")
    show(found.report, {"n": top})
    result(found.report.to_dict)
    return DONE


@click.command(cls=Command)
def warm_up() -> int:
    r"""Compile what commands compile at their first use, so that nobody waits for it; for images and new installations.

    The code is kept beside the package, or where it can be written to (NUMBA_CACHE_DIR names a folder), for this
    version and this kind of processor.

    \b
    coffea-ddp warm-up
    NUMBA_CACHE_DIR=/opt/numba coffea-ddp warm-up
    """
    from coffea_ddp.warm_up import warm_up as compile_all

    with steps_bar("compiling") as progress:
        done = compile_all(progress)
    result(lambda: {"seconds": done.seconds, "folder": None if done.folder is None else str(done.folder)})
    note("compiled: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in done.seconds.items()))
    if done.folder is None:
        alert("nothing is kept, every process compiles anew: no folder can be written to; NUMBA_CACHE_DIR names one")
        return SOMETHING_MISSING
    note(f"kept in {done.folder}, for this version and this kind of processor")
    return DONE
