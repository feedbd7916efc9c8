"""The command line within the process of the tests."""

from __future__ import annotations

import logging

import pytest

from coffea_ddp.cli import main

Captured = pytest.CaptureFixture[str]


def exit_code(*arguments: object) -> int:
    """Run the command line; return its exit code. The log is as before: what it wrote to is closed after a test."""
    log = logging.getLogger("coffea_ddp")
    handlers, level = log.handlers, log.level
    try:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
    finally:
        log.handlers = handlers
        log.setLevel(level)
    return int(stop.value.code or 0)


def invoke(captured: Captured, *arguments: object) -> tuple[int, str, str]:
    """Run the command line; return its exit code, stdout and stderr."""
    code = exit_code(*arguments)
    out, err = captured.readouterr()
    assert "Traceback" not in out + err
    return code, out, err
