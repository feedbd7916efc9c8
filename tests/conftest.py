"""What all tests share: how hypothesis searches, and where the sample files are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples on every machine; a slow machine is no failure.
settings.register_profile("coffea_ddp", derandomize=True, deadline=None, max_examples=30)
settings.load_profile("coffea_ddp")

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
