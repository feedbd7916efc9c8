"""Options that every command has: how much is printed, and whether the result is JSON for a script.

A command may have them before and after its name, as in ``coffea-ddp --quiet scan`` and ``coffea-ddp scan --quiet``.
"""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

_QUIET, _VERBOSE, _JSON, _SAID = (f"coffea_ddp.{name}" for name in ("quiet", "verbose", "json", "said"))


def _quiet(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        context.meta[_QUIET] = True


def _verbose(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        context.meta[_VERBOSE] = True
        logging.getLogger("coffea_ddp").setLevel(logging.INFO)


def _json(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        context.meta[_JSON] = True


def common_options() -> list[click.Option]:
    """Return the options that every command has; none of them is an argument of its function."""
    return [
        *general_options(),
        click.Option(["--json"], is_flag=True, expose_value=False, callback=_json,
                     help="Print the result as JSON on standard output, for scripts; nothing else goes there."),
    ]  # fmt: skip


def general_options() -> list[click.Option]:
    """Return the options that stand before a command, too."""
    return [
        click.Option(["-q", "--quiet"], is_flag=True, expose_value=False, callback=_quiet,
                     help="Print nothing but errors, warnings and what is missing; no tables."),
        click.Option(["-v", "--verbose"], is_flag=True, expose_value=False, callback=_verbose,
                     help="Log what is done."),
        click.Option(["--traceback"], is_flag=True, expose_value=False,
                     help="Show Python's traceback with an error."),
    ]  # fmt: skip


def is_quiet() -> bool:
    """Return True where the running command was asked to print nothing but errors and what is missing."""
    return _asked(_QUIET)


def is_verbose() -> bool:
    """Return True where the running command was asked to log what it does."""
    return _asked(_VERBOSE)


def is_json() -> bool:
    """Return True where the running command was asked for JSON."""
    return _asked(_JSON)


def _asked(what: str) -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(what))


def result(content: Callable[[], Mapping[str, Any]]) -> None:
    """Print the result of a command as JSON where that was asked for: once, and not where an output went there."""
    context = click.get_current_context(silent=True)
    if context is None or not context.meta.get(_JSON) or context.meta.get(_SAID):
        return
    said()
    sys.stdout.write(json.dumps(_plain(content()), indent=1, allow_nan=False, default=str) + "\n")
    sys.stdout.flush()


def said() -> None:
    """Remember that the result is on standard output already (``-o -``)."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[_SAID] = True


def _plain(value: Any) -> Any:
    """Return what JSON can say: no numbers that are not finite, keys that are text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
