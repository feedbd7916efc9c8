"""The command that learns efficiencies from the data: calibrate."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import click

from coffea_ddp._files import CALIBRATION
from coffea_ddp.cli.clusters import certificates, cluster_options, needs_of_certificates
from coffea_ddp.cli.outputs import Command, OutputFile, delivering
from coffea_ddp.cli.running import EXECUTORS, REDIRECTOR, executor_of
from coffea_ddp.cli.telling import is_quiet, result
from coffea_ddp.cli.terminal import DONE, alert, dask_client, note, steps_bar, summary, tell_missing, terminal
from coffea_ddp.cli.unused import refuse_unused
from coffea_ddp.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from coffea_ddp.scanning.closure import Closure


@click.command(cls=Command)
@click.argument("plan")
@click.argument("fileset", nargs=-1)  # whoever forgets the plan is told so, and not that files are missing
@click.option("-o", "--output", required=True, type=OutputFile(CALIBRATION), help="The file to write (.json).")
@click.option(
    "--control",
    help="The cell whose events are fitted, as 'tau=0 & b=0' [default: without objects that few events have].",
)
@click.option(
    "--events",
    type=click.IntRange(min=100),
    default=500_000,
    show_default=True,
    help="Maximum number of events to fit.",
)
@click.option("--executor", default="futures", show_default=True, help="iterative, futures or dask.")
@click.option("--workers", type=click.IntRange(min=1), default=None, help="Worker processes [default: all cores].")
@cluster_options(
    "Address of a running Dask scheduler, tcp:// or tls:// (implies --executor dask).",
    "Dask's report on the run, an HTML file.",
)
@click.option("--chunksize", type=click.IntRange(min=1), default=200_000, show_default=True, help="Events per chunk.")
@click.option("--tree", default="Events", show_default=True, help="The tree in the files; that of PHYSLITE is found.")
@click.option("--redirector", default="", help=REDIRECTOR)
@click.option("--skip-bad-files", is_flag=True, help="Leave out files that cannot be opened.")
def calibrate(plan: str, fileset: Sequence[str], output: str, **options: Any) -> int:
    r"""Learn the efficiencies of muons over those of electrons, for symmetries that exchange them.

    Reads the leptons of the events that a PLAN selects in a FILESET, fits how much more often one flavour is found as a
    function of pT, eta, charge and the number of jets, and writes it as a correctionlib file. The closure of every
    symmetry is reported: what is left where one does not close is more than lepton kinematics.

    \b
    coffea-ddp calibrate symmetries 'data/*.root' -o calibration.json
    coffea-ddp calibrate symmetries fileset.json -o calibration.json --control 'tau=0 & b=0' --events 1000000
    coffea-ddp run symmetries 'data/*.root' --calibration calibration.json -o hists.ddp && coffea-ddp scan hists.ddp
    """
    from coffea_ddp.plan.plan_files import load_plan
    from coffea_ddp.running.driver import run
    from coffea_ddp.running.options import Reading
    from coffea_ddp.scanning.calibrated_events import CalibratedEvents, calibrated
    from coffea_ddp.scanning.calibrating import ExchangedEvents
    from coffea_ddp.scanning.calibrating import calibrate as learn
    from coffea_ddp.scanning.closure import closure

    _check_used(options)
    reduced = load_plan(plan).for_calibration(options["events"])
    names = ("chunksize", "tree", "redirector", "skip_bad_files")
    workers = options["workers"] or os.cpu_count() or 1
    report, tls = options["performance_report"], certificates(options)
    with dask_client(options["executor"], options["scheduler"], workers, report, tls) as client:
        hists = run(
            reduced,
            list(fileset),
            executor=executor_of(options["executor"], workers, client),
            reading=Reading(**{name: options[name] for name in names}),
            progress=not is_quiet(),
        )
    with steps_bar("fitting"):
        found = learn(hists, control=options["control"], events=options["events"])
    with delivering() as deliver:
        deliver(output, found.save)
    assert found.fit is not None  # it was learned here
    note(f"fitted {found.fit.n_events:,} events of the cell {found.fit.control!r}")
    with steps_bar("testing the closure"):
        shown, exchanged = calibrated(hists, found), ExchangedEvents.of(hists)
        closed = closure(shown, CalibratedEvents.of(shown, exchanged), exchanged)
    _show(closed)
    result(lambda: {"output": output, "closure": [one._asdict() for one in closed], **summary(hists)})
    return max(DONE, tell_missing(hists))


def _check_used(options: dict[str, Any]) -> None:
    executor, scheduler = options["executor"], options["scheduler"]
    if executor not in EXECUTORS[:3]:
        near = did_you_mean(executor, EXECUTORS[:3])
        raise InputError(f"--executor {executor!r}: the executors are {', '.join(EXECUTORS[:3])}{near}")
    refuse_unused({
        "executor": (scheduler is None or executor == "dask", "no --scheduler, whose workers do the work"),
        "workers": (
            scheduler is None and executor != "iterative",
            "worker processes on this machine: --executor futures, or dask without --scheduler",
        ),
        **needs_of_certificates(scheduler),
        "performance_report": (
            executor == "dask" or scheduler is not None, "Dask: --executor dask or --scheduler ADDRESS"
        ),
    })  # fmt: skip


def _show(rows: Sequence[Closure]) -> None:
    from coffea_ddp._text_tables import text_table

    columns: dict[str, Literal["left", "right"]] = {
        "variable": "left", "bins": "right", "chi2 without": "right", "chi2": "right", "p": "right"
    }  # fmt: skip
    lines = [
        [one.variable, str(one.n_bins), f"{one.chi2_before:.1f}", f"{one.chi2:.1f}", f"{one.p_value:.2g}"]
        for one in rows
    ]
    terminal().print(
        text_table("Side B against what is expected, by the calibration and without it", "", columns, lines)
    )
    open_ones = [one.variable for one in rows if one.p_value < 1e-3]
    if open_ones:
        alert(f"does not close in {', '.join(open_ones)}: the symmetry is broken by more than lepton kinematics")
