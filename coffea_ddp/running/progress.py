"""Telling people how far a run is: in a terminal, in a notebook, or by a function of their own."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from coffea_ddp._text import printable

Progress = Callable[[int, int], None]
"""Called with the number of events done so far and the number in all."""
EVERY = 60.0
"""Seconds between two lines in a log, where no bar moves."""
_SHORT = 2.0
"""Seconds of what is not told of in a log when it is done."""


@contextmanager
def telling(progress: Progress | bool | None) -> Iterator[Progress | None]:
    """Yield what is called with the events done and in all.

    Parameters
    ----------
    progress
        A function is that itself; ``True`` draws a bar, tqdm's in a notebook and rich's elsewhere; ``None`` and
        ``False`` tell nobody.
    """
    if callable(progress):
        yield progress
    elif not progress:
        yield None
    elif in_notebook():
        with _notebook_bar() as tell:
            yield tell
    else:
        with events_bar() as tell:
            yield tell


def in_notebook() -> bool:
    """Tell whether this is a notebook's kernel."""
    if "IPython" not in sys.modules:  # which every kernel has loaded, and takes its time
        return False
    from IPython import get_ipython

    shell: Any = get_ipython()
    return shell is not None and shell.__class__.__name__ == "ZMQInteractiveShell"


@contextmanager
def steps(progress: Progress | bool | None, what: str, unit: str) -> Iterator[Progress]:
    """Yield what is called with the steps done, and in all, of what comes before the events are read.

    Parameters
    ----------
    progress
        As for :func:`telling`; a function is not told of these steps, which are no events.
    what, unit
        The activity and its objects, as in "opening" and "files".
    """
    if progress is not True or in_notebook():
        yield lambda _done, _total: None
        return
    with shown(what, unit) as tell:
        yield lambda done, total: tell(done, total, "")


@contextmanager
def events_bar() -> Iterator[Progress]:
    """Yield a function (events done, of all) that shows them on stderr, with the rate."""
    with shown("reading", "events", rate=True) as tell:
        yield lambda done, total: tell(done, total, "")


@contextmanager
def shown(what: str, unit: str = "", *, rate: bool = False) -> Iterator[Callable[[int, int, str], None]]:
    """Yield a function (done, of all, the next one) that shows on stderr how far something is, and the time left.

    A bar in a terminal; in a log a line every :data:`EVERY` seconds, and one at the end of what took its time.

    Parameters
    ----------
    what, unit
        The activity and its objects.
    rate
        Whether the objects a second are told, always at the end.
    """
    if not sys.stderr.isatty():
        with lines(what, unit, rate=rate) as tell:
            yield lambda done, total, _now: tell(done, total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    text = TextColumn("{task.description}", markup=False)
    count = TextColumn("{task.fields[count]}", markup=False)
    columns = (text, BarColumn(), count, TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=False) as found:
        task = found.add_task(printable(what), start=False, total=None, count="")

        def update(done: int, total: int, now: str) -> None:
            if not found.tasks[task].started:
                found.start_task(task)
            elapsed = found.tasks[task].elapsed or 0.0
            speed = f", {done / elapsed:,.0f} {unit}/s" if rate and elapsed else ""
            found.update(
                task, completed=done, total=total or None, count=f"{done:,}/{total:,} {unit}".rstrip() + speed,
                description=printable(f"{what} {now}".rstrip()),
            )  # fmt: skip

        yield update


@contextmanager
def lines(what: str, unit: str, every: float = EVERY, *, rate: bool = False) -> Iterator[Progress]:
    """Yield what is called with what is done, and in all; a log gets a line of it now and then.

    Also while nothing is called, so that whoever reads the log sees that something is waited for.
    """
    seen, ended, start = [0, 0], threading.Event(), time.monotonic()

    def write() -> None:
        while not ended.wait(every):
            elapsed = time.monotonic() - start
            say(_left(seen[0], seen[1], elapsed) if seen[1] else f", {_duration(elapsed)} so far")

    def say(after: str) -> None:
        how_far = f": {seen[0]:,} of {seen[1]:,} {unit}".rstrip() if seen[1] else ""
        sys.stderr.write(f"{printable(what)}{how_far}{after}\n")
        sys.stderr.flush()

    def update(done: int, total: int) -> None:
        seen[:] = done, total

    thread = threading.Thread(target=write, daemon=True, name="lines in a log")
    thread.start()
    try:
        yield update
    finally:
        ended.set()
        thread.join()
        elapsed = time.monotonic() - start
        if seen[1] and (rate or elapsed > _SHORT):
            speed = f", {seen[0] / max(elapsed, 1e-9):,.0f} {unit}/s" if rate else ""
            say(f" in {_duration(elapsed)}{speed}")


def _left(done: int, total: int, elapsed: float) -> str:
    """Return the time left, as far as the pace so far tells it."""
    return f", {_duration(elapsed / done * (total - done))} left" if 0 < done < total else ""


def _duration(seconds: float) -> str:
    """Return a time as hours, minutes and seconds.

    Examples
    --------
    >>> _duration(3725.4)
    '1:02:05'
    """
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


@contextmanager
def _notebook_bar() -> Iterator[Progress]:
    from tqdm.auto import tqdm  # comes with coffea

    with tqdm(unit=" events", unit_scale=True, desc="reading") as found:

        def update(done: int, total: int) -> None:
            found.total = total
            found.update(done - found.n)

        yield update
