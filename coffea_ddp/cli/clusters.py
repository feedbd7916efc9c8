"""The options of commands that can work on a Dask cluster: its address, certificates, and Dask's report."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from coffea_ddp._files import PERFORMANCE
from coffea_ddp.cli.outputs import OutputFile

if TYPE_CHECKING:
    from coffea_ddp.cluster.connecting import Certificates

_F = TypeVar("_F", bound=Callable[..., Any])
_FILES = ("tls_ca_file", "tls_cert", "tls_key")


def cluster_options(scheduler: str, report: str) -> Callable[[_F], _F]:
    """Return a decorator that gives a command the options of a cluster.

    Parameters
    ----------
    scheduler, report
        Words for ``--scheduler`` and ``--performance-report``.
    """
    options = (
        click.option("--scheduler", help=scheduler),
        click.option(
            "--tls-ca-file", type=click.Path(), help="For tls://, the authority's certificate [default: Dask's own]."
        ),
        click.option("--tls-cert", type=click.Path(), help="For tls://, this client's certificate."),
        click.option("--tls-key", type=click.Path(), help="For tls://, the key of it."),
        click.option("--performance-report", type=OutputFile(PERFORMANCE), help=report),
    )

    def give(command: _F) -> _F:
        for option in reversed(options):
            command = option(command)
        return command

    return give


def needs_of_certificates(scheduler: str | None) -> dict[str, tuple[bool, str]]:
    """Return what the options of certificates need, as :func:`coffea_ddp.cli.unused.refuse_unused` takes it."""
    return dict.fromkeys(_FILES, (str(scheduler).startswith("tls:"), "--scheduler tls://HOST:PORT"))


def certificates(options: dict[str, Any]) -> Certificates:
    """Return the certificates that were given, taken out of the options."""
    from coffea_ddp.cluster.connecting import Certificates

    return Certificates(*(options.pop(name) for name in _FILES))
