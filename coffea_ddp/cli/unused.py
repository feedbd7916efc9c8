"""Options that were given and have no effect: errors, while defaults that do not apply are silent.

Every option of every command is either always of use, or is listed by its command with what it needs. What does not
change any result is exempt: seeds (they are kept in the report) and the number of jobs.
"""

from __future__ import annotations

from collections.abc import Mapping

import click
from click.core import ParameterSource

from coffea_ddp.errors import InputError


def is_given(name: str) -> bool:
    """Return whether an option of the running command was given, and is not its default."""
    source = click.get_current_context().get_parameter_source(name)
    return source not in (None, ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)


def refuse_unused(needs: Mapping[str, tuple[bool, str]]) -> None:
    """Stop where an option was given that has no effect.

    Parameters
    ----------
    needs
        For each option, by the name of its parameter: whether it has an effect here, and what it needs to have one.

    Raises
    ------
    InputError
        Naming the option, and what it needs.
    """
    flags = {one.name: max(one.opts, key=len) for one in click.get_current_context().command.params}
    for name, (effective, needed) in needs.items():
        if not effective and is_given(name):
            raise InputError(f"{flags[name]} has no effect here: it needs {needed}; leave it out, or give that")
