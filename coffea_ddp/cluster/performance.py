"""Dask's own report on what the workers of a cluster did, an HTML file."""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from coffea_ddp._files import PERFORMANCE, check_output, write_text
from coffea_ddp.errors import InputError

_MARK = "<!-- coffea-ddp/performance-report -->"
"""By which such a page is known."""
_LOG = logging.getLogger(__name__)


@contextmanager
def performance_report(path: str | None) -> Iterator[None]:
    """Have Dask write a report (HTML) on what its workers did meanwhile; ``None`` writes none.

    Raises
    ------
    InputError
        If bokeh is not installed, which draws it.
    FileError
        If something else than such a report is there.
    """
    if path is None:
        yield
        return
    from distributed import performance_report as report

    try:
        import bokeh  # noqa: F401
    except ImportError:
        raise InputError("a performance report is drawn by bokeh: pip install bokeh") from None
    check_output(path, PERFORMANCE)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "report.html")
        start: Any = report
        writing = start(filename=str(page))
        writing.__enter__()
        try:
            yield
        finally:
            try:
                writing.__exit__(None, None, None)
                text = re.sub("(?i:<!doctype html>)", "", page.read_text(encoding="utf-8"), count=1)
                write_text(path, f"<!DOCTYPE html>\n{_MARK}{text}", PERFORMANCE)
            except Exception as error:  # noqa: BLE001 (drawing is bokeh's and jinja's business; what was done must stay)
                _LOG.warning("%s: Dask could not write its report (%s: %s)", path, type(error).__name__, error)
