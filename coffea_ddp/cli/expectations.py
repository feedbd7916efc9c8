"""Options of the commands that test symmetries: what is expected of side B.

Examples
--------
>>> per_symmetry(["0.02"], "--systematic", float, 0.0), per_symmetry(["e/mu=0.1", "0"], "--systematic", float, 0.0)
(0.02, {'e/mu': 0.1, '*': 0.0})
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from coffea_ddp.errors import InputError

if TYPE_CHECKING:
    from coffea_ddp.scanning.expectation import Expectation

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--kappa",
        "kappas",
        multiple=True,
        help="Expected B / A: plan, global, cell, or SYMMETRY=NUMBER (or one of these words); can be repeated. "
        "A number alone is for a scan of one symmetry. [default: plan]",
    ),
    click.option(
        "--kappa-error",
        "kappa_errors",
        multiple=True,
        help="Relative uncertainty of a given kappa: a number, or SYMMETRY=NUMBER; can be repeated. [default: 0]",
    ),
    click.option(
        "--systematic",
        "systematics",
        multiple=True,
        help="Relative uncertainty of B / A in every bin: a number, or SYMMETRY=NUMBER; can be repeated. [default: 0]",
    ),
    click.option(
        "--correction",
        "corrections",
        multiple=True,
        help="Efficiency of B over that of A: SYMMETRY:OBSERVABLE=FILE (SYMMETRY= or OBSERVABLE= where that is clear), "
        "FILE alone where one symmetry is scanned; a correctionlib file (FILE:NAME) or an array (.npy, .npz). Can be "
        "repeated.",
    ),
    click.option(
        "--calibrate", is_flag=True, help="Learn the efficiencies of electrons and muons from the stored events."
    ),
    click.option(
        "--calibration", type=click.Path(), help="Read these efficiencies from a file (all events have to be stored)."
    ),
    click.option(
        "--control",
        help="The cell whose events --calibrate fits, as 'tau=0 & b=0' [default: without objects that few events "
        "have].",
    ),
)


def expectation_options(command: CommandT) -> CommandT:
    """Return a command with the options of an expectation, in their order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def per_symmetry(given: Sequence[str], option: str, convert: Callable[[str], float | str], default: float | str) -> Any:
    """Return what an option says of all symmetries, or of each: its value, or a mapping from symmetries.

    Raises
    ------
    InputError
        If a value cannot be read, or a symmetry has two.
    """
    from coffea_ddp.scanning.per_symmetry import OTHERS

    found: dict[str, float | str] = {}
    for text in given:
        name, equals, value = text.rpartition("=")
        symmetry = name.strip() if equals else OTHERS
        if symmetry in found:
            whose = "all" if symmetry == OTHERS else repr(symmetry)
            raise InputError(f"{option} {text}: given twice for {whose}; give SYMMETRY=VALUE for each")
        try:
            found[symmetry] = convert(value.strip())
        except ValueError:
            raise InputError(f"{option} {text}: {value!r} is no number; give one, or SYMMETRY=NUMBER") from None
    return found.get(OTHERS, default) if set(found) <= {OTHERS} else found


def _correction(given: tuple[str, ...]) -> Any:
    """Return one correction, or one for each symmetry and observable that is named."""
    if len(given) == 1 and ("=" not in given[0] or Path(given[0]).exists()):
        return given[0]
    found: dict[str, str] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not equals:
            raise InputError(
                f"--correction {text}: with several corrections, say of which it is: SYMMETRY:OBSERVABLE={text}"
            )
        if name in found:
            raise InputError(f"--correction {text}: {name!r} has one already; give one for each")
        found[name] = path
    return found or None


def expectation_of(options: dict[str, Any]) -> Expectation:
    """Return what is said of side B, taken out of the options."""
    from coffea_ddp.scanning.expectation import Expectation

    learned, control = options.pop("calibrate"), options.pop("control")
    return Expectation(
        kappa=per_symmetry(options.pop("kappas"), "--kappa", _number_or_name, "plan"),
        kappa_error=per_symmetry(options.pop("kappa_errors"), "--kappa-error", float, 0.0),
        systematic=per_symmetry(options.pop("systematics"), "--systematic", float, 0.0),
        correction=_correction(options.pop("corrections")),
        calibration=_calibration(options.pop("calibration"), learn=learned),
        control=control if learned else None,  # elsewhere it has no effect, and is refused
        leave_out=options.pop("leave_out", False),
    )


def _calibration(path: str | None, *, learn: bool) -> str | None:
    if path is not None and learn:
        raise InputError("--calibrate and --calibration: one learns it, one reads it; give one of both")
    return "events" if learn else path


def _number_or_name(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
