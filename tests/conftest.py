"""What all tests share: how hypothesis searches, and where the sample files are."""

from __future__ import annotations

import functools
import gc
import os
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hypothesis import settings

# One thread a process, before numpy and torch are loaded: tests run on all cores already, and threads of two processes
# that share two cores wait for one another. What test processes start inherits it.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# The same examples on every machine; a slow machine is no failure.
settings.register_profile("coffea_ddp", derandomize=True, deadline=None, max_examples=30)
settings.load_profile("coffea_ddp")

_FIRST = (
    "stats/bumphunt/test_network.py",
    "scanning/test_simulated.py",
    "stats/log_ratio/test_network.py",
    "running/test_facility.py",
    "stats/log_ratio/test_linear.py",
    "running/test_driver.py",
)
"""Files that take long, in the order in which they begin: whoever gets one of them last keeps everybody waiting.

The first compiles what the other tests of the bump hunt then find on disk; two at a time would both compile it.
"""

_SHORT_NOTEBOOKS = ("01_first_scan",)
"""The notebook that runs every time; what the others call is looked at in ``test_notebooks.py``."""

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Return the path of a sample file, or skip the test where the files are not."""

    def path(name: str) -> Path:
        found = DATA / name
        if not found.exists():
            pytest.skip(f"needs the sample file {name}, which is not part of the repository")
        return found

    return path


@functools.cache
def _name(path: Path) -> str:
    """Return the path of a file within the folder of tests."""
    folder = Path(__file__).resolve().parent
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while tests are collected, and never look again at what was made then: it stays to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the notebooks that take long; have them, and the files that do, begin first (``--no-loadscope-reorder``)."""
    for item in items:
        if item.path.suffix == ".ipynb" and item.path.stem not in _SHORT_NOTEBOOKS:
            item.add_marker(pytest.mark.slow)
    places = {name: place for place, name in enumerate(_FIRST)}

    def place(item: pytest.Item) -> float:
        return 1.5 if item.path.suffix == ".ipynb" else places.get(_name(item.path), len(places))

    items.sort(key=place)
