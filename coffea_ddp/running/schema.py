"""Schema and options with which coffea reads files in our own runs."""

from __future__ import annotations

import warnings
from typing import Any

from coffea.nanoevents import NanoAODSchema

OPENING: dict[str, Any] = {"array_cache": None, "object_cache": None}
"""Options of uproot: its caches would keep the trees of the last hundred files, long closed, in every worker."""


class DDPSchema(NanoAODSchema):  # type: ignore[misc]
    """NanoAODSchema without walls of warnings, also for files that lack run, luminosityBlock and event."""

    warn_missing_crossrefs = False
    error_missing_event_ids = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        with warnings.catch_warnings():
            # "Branch Photon_mass already exists but its values will be replaced": photons have no mass here either.
            warnings.filterwarnings("ignore", message="Branch .* already exists", category=RuntimeWarning)
            # Events without these three numbers are told apart by file and entry; the output says so.
            warnings.filterwarnings("ignore", message="Missing event_ids", category=RuntimeWarning)
            super().__init__(*args, **kwargs)
