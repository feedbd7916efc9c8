"""The command for somebody who has mass histograms and nothing else: bump."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from coffea_ddp._files import BUMP_REPORT, TABLE
from coffea_ddp.cli.outputs import Command, OutputFile, delivering, to_stdout
from coffea_ddp.cli.telling import result
from coffea_ddp.cli.terminal import DONE, SOMETHING_MISSING, alert, note, steps_bar, terminal
from coffea_ddp.cli.unused import refuse_unused
from coffea_ddp.errors import InputError, some_of
from coffea_ddp.stats.defaults import TOYS

if TYPE_CHECKING:
    from coffea_ddp.report.rows import Row
    from coffea_ddp.spectra.found import Contents
    from coffea_ddp.spectra.spectrum import MassSpectrum

_NO_COUNTS = {"SCALED", "OVERDISPERSED", "UNDERDISPERSED"}
"""Flags of contents that scatter as no Poisson counts do."""
_SHAPES = {"STEP", "EDGE", "NOT_SMOOTH"}
"""Flags of spectra that no smooth shape describes."""
_SHOWN = 5


@click.command(cls=Command)
@click.argument("file", type=click.Path())
@click.option("-o", "--output", type=OutputFile(BUMP_REPORT), help="The report to write (JSON; - is standard output).")
@click.option("--csv", "csv_file", type=OutputFile(TABLE), help="The rows to write (CSV; - is standard output).")
@click.option("--name", "names", multiple=True, help="Only this histogram; can be repeated.")
@click.option("--width", type=float, help="Standard deviation of a narrow signal in GeV.  [default: several are tried]")
@click.option("--resolution", type=float, help="The same relative to the mass, for example 0.02.")
@click.option("--mask", "masks", multiple=True, metavar="LOW:HIGH", help="Leave out a range in GeV; can be repeated.")
@click.option("--scale", type=float, help="The number that counts were multiplied by; contents are divided by it.")
@click.option("--density", is_flag=True, help="Contents are per GeV: multiply by the widths of bins, then use --scale.")
@click.option("--decimal", type=click.Choice([".", ","]), help="Decimal mark of a table.  [default: as numbers show]")
@click.option("--column", help="Of a table of masses: which column.  [default: M, mass ...]")
@click.option("--bins", type=click.IntRange(min=1), help="Of a table of masses: number of bins.")
@click.option("--low", type=float, help="Of a table of masses: where the first bin begins.  [default: the smallest]")
@click.option("--high", type=float, help="Of a table of masses: where the last bin ends.  [default: the largest]")
@click.option("--whole", is_flag=True, help="Take all bins, also empty ones at the ends.")
@click.option(
    "--min-events", type=click.IntRange(min=1), default=100, show_default=True, help="Leave out spectra with fewer."
)
@click.option("--toys", type=click.IntRange(min=0), default=TOYS, show_default=True, help="Toys for each p-value.")
@click.option(
    "--toys-for", type=click.IntRange(min=0), default=20, show_default=True, help="Number of leading spectra with toys."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the toys.")
@click.option("--weights", type=click.Path(), help="Another network, made by train-bump.")
@click.option("-n", "--rows", type=click.IntRange(min=0), default=20, show_default=True, help="Rows to show.")
def bump(file: str, output: str | None, csv_file: str | None, rows: int, **options: Any) -> int:
    r"""Search mass histograms for bumps, without a background estimate.

    FILE is a ROOT file, UHI JSON, a table of HEPData (CSV, YAML, JSON, ROOT), a table of edges or centres and counts,
    or one with a column of masses (then with --bins). Spectra are tested above their turn-on; the range that was
    tested is in the table. Contents that are no counts need variances, statistical errors, or --scale.

    \b
    coffea-ddp bump spectra.root --resolution 0.02 -o report.json
    coffea-ddp bump masses.csv --bins 60 --low 60 --high 120 --width 2.5
    coffea-ddp bump dijets.json --width 50 --mask 70:110
    coffea-ddp bump cross_section.csv --density --scale 0.0073
    """
    from coffea_ddp.scanning.bump_hunt import bump_hunt

    refuse_unused({"toys_for": (options["toys"] > 0, "toys (--toys)")})
    found = _read(file, options)
    _check_masks(options["masks"], found.spectra)
    spectra = [_with_signal(spectrum, options) for spectrum in found.spectra]
    chosen = {name: options[name] for name in ("toys", "toys_for", "seed", "min_events", "whole")}
    with steps_bar("spectra") as progress:
        report = bump_hunt(spectra, finder=_finder(options["weights"]), progress=progress, title=file, **chosen)
    lost = [row for row in report.rows if row.rank is None]
    with delivering() as deliver:
        deliver(output, report.save)
        deliver(csv_file, report.to_csv)
        terminal(stderr=to_stdout(output, csv_file)).print(report.bumps_table(rows))
        result(report.to_dict)
        _tell_problems(report.rows)
    return SOMETHING_MISSING if lost or any(one.spectrum for one in found.skipped) else DONE


def _read(file: str, options: dict[str, Any]) -> Contents:
    """Return the contents of a file, after notes on how they were understood and what is left out."""
    from coffea_ddp.spectra.masses import Binning
    from coffea_ddp.spectra.reading import read_contents

    binning = Binning(*(options[name] for name in ("column", "bins", "low", "high")))
    chosen = {name: options[name] for name in ("scale", "density", "decimal")}
    found = read_contents(file, names=options["names"] or None, binning=binning, **chosen)
    for text in found.notes:
        note(f"read: {text}")
    for one in found.skipped:
        if one.spectrum:
            alert(f"not tested: {one.name}: {one.reason}")
    others = [one for one in found.skipped if not one.spectrum]
    for reason in dict.fromkeys(one.reason for one in others):
        names = [one.name for one in others if one.reason == reason]
        note(f"no spectra: {some_of(names, _SHOWN)}: {reason}")
    return found


def _tell_problems(rows: Sequence[Row]) -> None:
    """Name the spectra whose contents are no counts or no smooth shape, and those that were not tested."""
    from coffea_ddp.stats.bumphunt.flags import explained

    for row in rows:
        if row.rank is not None and _NO_COUNTS & set(_flags(row).split()):
            alert(
                f"no Poisson counts: {_called(row)}: {_flags(row)}; z is not a significance: give --scale, or variances"
            )
    for name in sorted(_SHAPES & {name for row in rows for name in _flags(row).split()}):
        spectra = dict.fromkeys(_called(row) for row in rows if name in _flags(row).split())
        alert(f"flagged: {', '.join(spectra)}: {explained(name)}")
    for row in rows:
        if row.rank is None:
            alert(f"not tested: {_called(row)}: {row.status}, {row.reason}")


def _flags(row: Row) -> str:
    return (row.bump and row.bump.flags) or ""


def _called(row: Row) -> str:
    return f"{row.observable} {row.cell}".strip()


def _finder(path: str | None) -> Any:
    from coffea_ddp.stats.bumphunt.finder import load

    return None if path is None else load(path)


def _with_signal(spectrum: MassSpectrum, options: dict[str, Any]) -> MassSpectrum:
    """Return the spectrum with the width and the masks of the command line."""
    from coffea_ddp.spectra.resolution import Resolution

    width, resolution = options["width"], options["resolution"]
    if width is not None and resolution is not None:
        raise InputError("--width and --resolution: give one of them")
    if width is not None and not width > 0:
        raise InputError(f"--width {width}: the width of a signal is positive")
    changed: dict[str, Any] = {"masks": (*spectrum.masks, *map(_mask, options["masks"]))}
    if width is not None or resolution is not None:
        changed |= {"width": width, "resolution": None if resolution is None else Resolution(resolution)}
    return dataclasses.replace(spectrum, **changed)


def _check_masks(masks: Sequence[str], spectra: Sequence[MassSpectrum]) -> None:
    """Stop where a range to leave out is outside of every spectrum."""
    for text in masks:
        low, high, _ = _mask(text)
        if spectra and not any(low < one.edges[-1] and high > one.edges[0] for one in spectra):
            first, last = min(one.edges[0] for one in spectra), max(one.edges[-1] for one in spectra)
            raise InputError(f"--mask {text}: outside of all spectra, which reach from {first:g} to {last:g} GeV")


def _mask(text: str) -> tuple[float, float, str]:
    low, colon, high = text.partition(":")
    try:
        start, stop = float(low), float(high)
    except ValueError:
        colon = ""
    if not colon or not start < stop:
        raise InputError(f"--mask {text}: write LOW:HIGH in GeV, as in 76:106")
    return start, stop, text
