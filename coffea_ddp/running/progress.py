"""Telling people how far a run is: in a terminal, in a notebook, or by a function of their own."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Progress = Callable[[int, int], None]
"""Called with the number of events done so far and the number in all."""
EVERY = 30.0
"""Seconds between two lines in a log, where no bar moves."""


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
    from rich.progress import TextColumn

    column = TextColumn("{task.completed:,.0f}/{task.fields[all]:,.0f} " + unit)
    with bar(column) as found, lines(what, unit) as tell:
        task = found.add_task(what, total=None, all=0)

        def update(done: int, total: int) -> None:
            tell(done, total)
            found.update(task, completed=done, total=total, all=total)

        yield update


@contextmanager
def lines(what: str, unit: str, every: float = EVERY) -> Iterator[Progress]:
    """Yield what is called with what is done, and in all; a log gets a line of it now and then, a terminal none.

    Also while nothing is called, so that whoever looks at the log sees that something is waited for.
    """
    if sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    seen, ended = [0, 0], threading.Event()

    def write() -> None:
        while not ended.wait(every):
            sys.stderr.write(f"{what}: {seen[0]:,} of {seen[1]:,} {unit}\n")
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


@contextmanager
def bar(*columns: Any) -> Iterator[Any]:
    """Yield rich's progress on stderr, with more columns."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    text = TextColumn("{task.description}", markup=False)
    with Progress(
        text, BarColumn(), *columns, TimeElapsedColumn(), console=Console(stderr=True), transient=False
    ) as found:
        yield found


@contextmanager
def events_bar() -> Iterator[Progress]:
    """Yield a function (events done, of all) that draws a bar on stderr, with the rate."""
    from rich.progress import TextColumn

    rate = TextColumn("{task.completed:,.0f}/{task.fields[all]:,.0f} events, {task.fields[rate]:,.0f} events/s")
    with bar(rate) as found, lines("reading", "events") as tell:
        task = found.add_task("reading", start=False, total=None, all=0, rate=0.0)

        def update(done: int, total: int) -> None:
            tell(done, total)
            if not found.tasks[task].started:
                found.start_task(task)
            elapsed = found.tasks[task].elapsed or 0.0
            found.update(task, completed=done, total=total, all=total, rate=done / elapsed if elapsed else 0.0)

        yield update


@contextmanager
def _notebook_bar() -> Iterator[Progress]:
    from tqdm.auto import tqdm  # comes with coffea

    with tqdm(unit=" events", unit_scale=True, desc="reading") as found:

        def update(done: int, total: int) -> None:
            found.total = total
            found.update(done - found.n)

        yield update
