"""The command line: arguments in, one library call, one file out.

Data goes to stdout, everything else to stderr. Exit codes: 0 done, 1 wrong input, 2 done with something missing, or a
command line that cannot be read.
"""

from __future__ import annotations

import io
import logging
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence

import click

from coffea_ddp.cli.arrays import compare
from coffea_ddp.cli.bumps import bump
from coffea_ddp.cli.calibrating import calibrate
from coffea_ddp.cli.evidence import compare_reports, confirm, events, skim
from coffea_ddp.cli.exporting import export
from coffea_ddp.cli.limiting import limits
from coffea_ddp.cli.reporting import report
from coffea_ddp.cli.running import merge, run, validate
from coffea_ddp.cli.scanning import demo, scan, warm_up
from coffea_ddp.cli.sensitivities import sensitivity
from coffea_ddp.cli.spectra import spectra
from coffea_ddp.cli.streams import prepare
from coffea_ddp.cli.telling import general_options, is_verbose
from coffea_ddp.cli.terminal import (
    DONE,
    INTERRUPTED,
    TERMINATED,
    USAGE,
    WRONG_INPUT,
    PlainFormatter,
    alert,
    said_by_system,
    warn,
)
from coffea_ddp.cli.training import train_bump
from coffea_ddp.errors import DDPError

_GO_ON = "; `coffea-ddp run ... --resume` goes on from the chunks that were finished"
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def _version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"coffea-ddp {version('coffea-ddp')}")
        context.exit()


@click.group(context_settings=_CONTEXT)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def cli() -> None:
    r"""Scan all of the data for broken symmetries, without simulation (the Data-Directed Paradigm).

    \b
    coffea-ddp demo                                       see it work, on files that it makes
    coffea-ddp validate symmetries 'data/*.root'          is the plan right for these files?
    coffea-ddp calibrate symmetries 'data/*.root' -o calibration.json   efficiencies of e and mu, from the data
    coffea-ddp run symmetries 'data/*.root' -o hists.ddp  one pass over the data
    coffea-ddp scan hists.ddp -o report.json              test and rank every cell
    coffea-ddp report report.json --hists hists.ddp -o report   HTML with figures, for people
    coffea-ddp confirm report.json other.ddp              the marked regions, on data that were not scanned
    coffea-ddp export report.json --row 1 --hists hists.ddp -o region.json   a region, for pyhf and others
    coffea-ddp limits hists.ddp                           what a null result excludes
    coffea-ddp events report.json --row 3 -o events.txt   run, luminosity block and event of a region
    coffea-ddp skim events.txt 'data/*.root' -o skims     these events, with all branches
    coffea-ddp compare-reports 2022.json 2023.json        the rows that rose, fell, appeared
    coffea-ddp compare a.npy b.npy                        two arrays of counts, nothing else needed
    coffea-ddp spectra masses.ddp -o masses.root          mass histograms for others
    coffea-ddp bump spectra.root --resolution 0.02        mass histograms, nothing else needed
    coffea-ddp sensitivity background.npy signal.npy      what would each test find?
    coffea-ddp train-bump -o weights.npz                  the network of the bump hunt, made anew
    coffea-ddp warm-up                                    compile now what commands compile at their first use
    """
    log = logging.getLogger("coffea_ddp")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainFormatter())
    log.handlers = [handler]
    log.setLevel(logging.INFO if is_verbose() else logging.WARNING)


cli.params += general_options()
for command in (
    demo,
    validate,
    calibrate,
    run,
    merge,
    scan,
    report,
    confirm,
    export,
    limits,
    events,
    skim,
    compare_reports,
    spectra,
    compare,
    bump,
    sensitivity,
    train_bump,
    warm_up,
):
    cli.add_command(command)
for each in (cli, *cli.commands.values()):
    # Docstrings with backslashes are raw; click keeps the lines of a paragraph that begins with the character itself.
    each.help = (each.help or "").replace("\\b\n", "\b\n")


class TerminatedError(BaseException):
    """The request of a batch system to end (SIGTERM): what is open is closed on the way out."""


def _terminate(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # whoever asks again does not wait
    raise TerminatedError


def _go_on(given: Sequence[str]) -> str:
    """Return how a command that was stopped goes on; empty for those that begin anew."""
    named = next((cli.commands[one] for one in given if one in cli.commands), cli)
    return _GO_ON if any(option.name == "resume" for option in named.params) else ""


def _meaning(error: Exception) -> str:
    if isinstance(error, DDPError):
        return str(error)
    if isinstance(error, OSError) and error.errno is not None:
        return said_by_system(error)
    if isinstance(error, MemoryError):
        return "not enough memory; give a smaller --chunksize, or fewer --workers"
    return f"{type(error).__name__}: {error} (a bug? see it all with --traceback)"


def _show(error: click.ClickException) -> None:
    text = io.StringIO()
    error.show(text)
    for line in text.getvalue().splitlines():
        alert(line)


def _show_example(error: click.ClickException) -> None:
    """Show an example from the help to somebody who left out something of a command, or misspelled it or an option."""
    wrong_value = isinstance(error, click.BadParameter) and not isinstance(error, click.MissingParameter)
    if not isinstance(error, click.UsageError) or wrong_value or error.ctx is None:
        return
    lines = [line.strip() for line in (error.ctx.command.help or "").splitlines()]
    examples = [line.split("  ")[0] for line in lines if line.startswith(f"{error.ctx.command_path} ")]
    if examples:
        alert(f"For example: {next((line for line in examples if ' run ' in line), examples[0])}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code.

    Parameters
    ----------
    arguments
        Instead of ``sys.argv[1:]``.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    prepare()
    if arguments is None:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = warn
            code = cli.main(args=given, prog_name="coffea-ddp", standalone_mode=False)
    except click.ClickException as error:
        _show(error)
        _show_example(error)
        code = USAGE if isinstance(error, click.UsageError) else WRONG_INPUT
    except (click.Abort, KeyboardInterrupt):
        alert(f"interrupted{_go_on(given)}")
        code = INTERRUPTED
    except TerminatedError:
        alert(f"terminated{_go_on(given)}")
        code = TERMINATED
    except Exception as error:  # noqa: BLE001 (nobody wants to see a traceback who did not ask for it)
        if "--traceback" in given:
            for line in traceback.format_exc().splitlines():
                alert(line)
        alert(f"error: {_meaning(error)}")
        code = WRONG_INPUT
    sys.exit(code if isinstance(code, int) else DONE)
