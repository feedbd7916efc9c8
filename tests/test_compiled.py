"""Where compiled code is kept: beside the source, else with the user, else among temporary files; and what is told.

Each case is a process of its own, and folders that cannot be written to are real: root gives up its privilege first.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import coffea_ddp
from coffea_ddp import _compiled
from coffea_ddp._compiled import compiled
from coffea_ddp.stats._compiled import compiled as compiled_fast

REPOSITORY = str(Path(coffea_ddp.__file__).parents[1])
AS_OTHERS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search",
             "--inh-caps=-dac_override,-dac_read_search")  # fmt: skip
"""Runs a command to which permissions apply, also if root runs it."""

LOOP = """
from coffea_ddp._compiled import compiled

@compiled
def total(values):
    result = 0.0
    for value in values:
        result += value
    return result
"""

RUN = """
import logging, sys
logging.basicConfig(format="%(message)s")
sys.path[:0] = sys.argv[1:]
import numba.core.entrypoints, numpy as np
numba.core.entrypoints._already_initialized = True  # what extends numba is not asked for here, and takes seconds
from loops import more, sums
assert (sums.total(np.arange(4.0)), more.total(np.ones(3))) == (6.0, 3.0)
stats = sums.total.stats
print(getattr(stats, "cache_path", None), sum(stats.cache_hits.values()))
"""


class Used(NamedTuple):
    """What a process did: where it keeps code, how often it found some there, and what it told."""

    folder: str
    hits: int
    told: list[str]


class Machine:
    """A folder with a package of two compiled functions, a home, and a folder for temporary files."""

    def __init__(self, top: Path) -> None:
        self.site, self.home, self.temporary = top / "site", top / "home", top / "tmp"
        self.loops = self.site / "loops"
        for folder in (self.loops, self.home, self.temporary):
            folder.mkdir(parents=True)
        for name, code in {"__init__": "", "sums": LOOP, "more": LOOP}.items():
            (self.loops / f"{name}.py").write_text(code, "utf-8")

    def use(self, **variables: str) -> Used:
        """Call both functions in a fresh process."""
        paths = {"HOME": str(self.home), "TMPDIR": str(self.temporary), "XDG_CACHE_HOME": str(self.home / ".cache")}
        program = [sys.executable, "-B", "-c", RUN, str(self.site), str(self.site / "site.zip")]
        done = subprocess.run(
            [*(AS_OTHERS if os.getuid() == 0 else ()), *program],
            capture_output=True, text=True, check=False, cwd=self.site,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": REPOSITORY, **paths, **variables},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        folder, _, hits = done.stdout.strip().rpartition(" ")
        return Used(folder, int(hits), [line for line in done.stderr.splitlines() if "compiled code" in line])


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    if os.getuid() == 0 and shutil.which(AS_OTHERS[0]) is None:
        pytest.skip("permissions do not apply to root, and there is no setpriv to give its privilege up")
    return Machine(tmp_path)


def close(*folders: Path) -> None:
    """Let nothing be written into folders."""
    for folder in folders:
        folder.chmod(0o555)


def test_beside_the_source(machine: Machine) -> None:
    assert machine.use() == (str(machine.loops / "__pycache__"), 0, [])


def test_with_the_user_where_the_package_cannot_be_written_to(machine: Machine) -> None:
    close(machine.loops)
    first, second = machine.use(), machine.use()
    kept = machine.home / ".cache" / "numba"
    assert Path(first.folder).parent == kept
    assert first.told == [f"compiled code is kept in {kept}: the folder of the package cannot be written to"]
    assert second == (first.folder, 1, [])  # told once


def test_among_temporary_files_where_home_cannot_be_written_to(machine: Machine) -> None:
    close(machine.loops, machine.home)
    first = machine.use()
    kept = machine.temporary / f"coffea-ddp-numba-{os.getuid()}"
    assert Path(first.folder).parent == kept
    assert kept.stat().st_mode & 0o077 == 0
    assert len(first.told) == 1
    assert first.told[0].startswith(f"compiled code is kept in {kept}: ")


def test_nowhere(machine: Machine) -> None:
    close(machine.loops, machine.home)
    (machine.temporary / f"coffea-ddp-numba-{os.getuid()}").touch()
    used = machine.use()
    assert (used.folder, len(used.told)) == ("None", 1)
    assert used.told[0].startswith("compiled code is not kept, so that every process compiles anew: ")


@pytest.mark.parametrize("what", ["nothing", "mine", "a link", "open to others", "a file"])
def test_not_in_a_folder_that_others_may_have_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """The code is unpickled by numba: whoever can write it, runs it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept = tmp_path / f"coffea-ddp-numba-{os.getuid()}"
    if what == "a link":
        (tmp_path / "elsewhere").mkdir()
        kept.symlink_to("elsewhere")
    elif what == "a file":
        kept.touch()
    elif what != "nothing":
        kept.mkdir()
        kept.chmod(0o777 if what == "open to others" else 0o700)
    assert _compiled._temporary_folder.__wrapped__() == (str(kept) if what in {"nothing", "mine"} else "")


def test_where_the_user_says(machine: Machine, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    asked.mkdir()
    used = machine.use(NUMBA_CACHE_DIR=str(asked))
    assert (Path(used.folder).parent, used.told) == (asked, [])


def test_where_the_user_says_but_cannot_write(machine: Machine, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    asked.mkdir()
    close(asked)
    used = machine.use(NUMBA_CACHE_DIR=str(asked))
    assert used.folder == str(machine.loops / "__pycache__")
    assert used.told == [f"compiled code is kept in {machine.loops}: NUMBA_CACHE_DIR={asked} cannot be written to"]


@pytest.mark.parametrize("home", ["open", "closed"])
def test_a_package_in_a_zip_file(machine: Machine, home: str) -> None:
    """As Dask's UploadDirectory and `zipapp` send packages; numba itself fails at the first call if home is closed."""
    with zipfile.ZipFile(machine.site / "site.zip", "w") as archive:
        for path in machine.loops.glob("*.py"):
            archive.write(path, f"loops/{path.name}")
    shutil.rmtree(machine.loops)
    if home == "closed":
        close(machine.home)
    used = machine.use()
    assert len(used.told) == 1
    assert (used.folder == "None") == (home == "closed")


def test_a_full_quota(tmp_path: Path) -> None:
    """A folder in which files can be made but not filled is none: numba would fail at the first call."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    _compiled._takes_code.cache_clear()
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        assert not _compiled._takes_code(str(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        _compiled._takes_code.cache_clear()
    assert _compiled._takes_code(str(tmp_path))


def test_no_folder_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    assert _compiled._temporary_folder.__wrapped__() == ""


def test_arithmetic() -> None:
    """The pass gives the bits of plain Python; the statistics may sum in any order."""

    def total(values: np.ndarray) -> float:
        result = 0.0
        for value in values:
            result += value
        return result

    values = np.random.default_rng(1).normal(size=10_001) * 1e8
    assert compiled(total)(values) == total(values)
    assert compiled_fast(total)(values) == pytest.approx(total(values), rel=1e-9)
    assert np.isnan(compiled(total)(np.array([1.0, np.nan])))
