"""What goes wrong, said so that it helps.

Every error tells what was given, what is wrong with it, and what to do. The command line prints the message without a
traceback and exits with code 1.

Examples
--------
>>> raise InputError("bins=0: an axis needs at least one bin; give bins >= 1")
Traceback (most recent call last):
...
coffea_ddp.errors.InputError: bins=0: an axis needs at least one bin; give bins >= 1
"""

from __future__ import annotations


class DDPError(Exception):
    """Base class of all errors that coffea_ddp raises on purpose."""


class InputError(DDPError, ValueError):
    """A value, a shape or an option that cannot be used."""


class PlanError(DDPError):
    """A plan that cannot be loaded or contradicts itself."""


class UnknownNameError(DDPError, KeyError):
    """A symmetry, observable, cell, test or object that does not exist; the message lists those that do."""

    def __str__(self) -> str:
        """Return the message itself (``KeyError`` would show its ``repr``)."""
        return str(self.args[0]) if self.args else ""


class MissingBranchError(DDPError):
    """A branch that the plan needs and the file does not have."""


class OverlapError(DDPError):
    """Events that are on both sides of a symmetry."""


class MergeError(DDPError):
    """Outputs that must not be added: the same entries twice, or different plans."""


class FileError(DDPError):
    """A file that cannot be read or written."""


class FormatError(FileError):
    """A file that is not one of ours, or of a version that this package does not know."""


class ClusterError(DDPError):
    """A cluster that cannot do the work: no workers, other versions on them, or lost."""
