"""Standard streams that outlive those who read them.

Whoever reads our output may stop (``| head``), the log may be on a full disk, and a stream may be closed from the start
(``>&-``). The work and its files do not depend on any of that.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any

from coffea_ddp.errors import FileError

STDIN, STDOUT, STDERR = 0, 1, 2


class _Stream(io.FileIO):
    """A descriptor that leads nowhere once nobody reads it.

    Data that cannot be written for another reason are an error on standard output. The log is lost in silence.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)

    def write(self, data: Any, /) -> int:
        """Write to the descriptor, or nowhere."""
        try:
            return super().write(data)
        except OSError as error:
            _lead_nowhere(self.fileno())
            if self.fileno() == STDOUT and not isinstance(error, BrokenPipeError):
                raise FileError(f"standard output: cannot be written ({error.strerror})") from error
            return memoryview(data).nbytes


def prepare() -> None:
    """Open the streams that are closed, and have those of this process outlive their readers."""
    for descriptor in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: the next file that is opened would get its number, and what is printed
            _lead_nowhere(descriptor)
    # A stream that somebody put there instead, as a test does, is theirs.
    if sys.stdout is sys.__stdout__:
        sys.stdout = _text(STDOUT, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(STDERR, sys.stderr)


def _text(descriptor: int, before: Any) -> io.TextIOWrapper:
    encoding = getattr(before, "encoding", None) or "utf-8"
    lines = descriptor == STDERR or os.isatty(descriptor)
    buffer = io.BufferedWriter(_Stream(descriptor))
    return io.TextIOWrapper(buffer, encoding, errors="backslashreplace", line_buffering=lines)


def _lead_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
    os.set_inheritable(descriptor, True)
