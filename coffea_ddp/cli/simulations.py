"""Options of the commands that compare data with simulation: luminosity, cross sections, and their uncertainties.

Examples
--------
>>> by_dataset(["dy=6077", "tt = 88.3"], "--cross-section")
{'dy': 6077.0, 'tt': 88.3}
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from coffea_ddp.errors import InputError

if TYPE_CHECKING:
    from coffea_ddp.scanning.simulation import Simulation

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

NAMES = ("luminosity", "luminosity_error", "cross_sections", "cross_section_errors")
"""Parameters of the options."""
_OPTIONS = (
    click.option(
        "--luminosity",
        type=click.FloatRange(min=0, min_open=True),
        help="Of the data that simulation is compared with, in 1/fb [default: as the datasets' metadata say].",
    ),
    click.option(
        "--luminosity-error",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.0,
        show_default=True,
        help="Its relative uncertainty: all simulation moves together.",
    ),
    click.option(
        "--cross-section",
        "cross_sections",
        multiple=True,
        help="DATASET=NUMBER in pb, of simulation; can be repeated. [default: as its metadata say]",
    ),
    click.option(
        "--cross-section-error",
        "cross_section_errors",
        multiple=True,
        help="Relative uncertainty of cross sections, each for itself: a number, or DATASET=NUMBER; can be repeated. "
        "[default: 0]",
    ),
)


def simulation_options(command: CommandT) -> CommandT:
    """Return a command with the options of a comparison with simulation, in their order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def by_dataset(given: Sequence[str], option: str) -> dict[str, float]:
    """Return the numbers that an option gives of datasets; of all under ``""``.

    Raises
    ------
    InputError
        If a value is no number, or a dataset has two.
    """
    found: dict[str, float] = {}
    for text in given:
        name, _, value = text.rpartition("=")
        name = name.strip()
        try:
            number = float(value)
        except ValueError:
            raise InputError(f"{option} {text}: {value!r} is no number; give DATASET=NUMBER") from None
        if name in found:
            raise InputError(f"{option} {text}: given twice for {name or 'all'}; give it once")
        found[name] = number
    return found


def simulation_of(options: dict[str, Any]) -> Simulation | None:
    """Return what is said of the simulation, taken out of the options; ``None`` where nothing is.

    Raises
    ------
    InputError
        If a cross section is given without its dataset, or uncertainties of all and of some.
    """
    from coffea_ddp.scanning.simulation import Simulation

    luminosity, error, sections, errors = (options.pop(name) for name in NAMES)
    cross_sections = by_dataset(sections, "--cross-section")
    if "" in cross_sections:
        raise InputError(f"--cross-section {cross_sections['']:g}: of which dataset? give DATASET=NUMBER")
    known = by_dataset(errors, "--cross-section-error")
    if "" in known and len(known) > 1:
        raise InputError("--cross-section-error: one number for all and others for some; give DATASET=NUMBER for each")
    made = Simulation(luminosity, cross_sections, error, known.get("", known or 0.0))
    return made if made.given else None
