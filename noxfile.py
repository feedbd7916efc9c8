#!/usr/bin/env -S uv run --script
# /// script
# dependencies = ["nox>=2025.2.9"]
# ///
"""Checks over several Pythons and over the lower bounds; everyday work is `make test`.

- `nox -s lint`: ruff, mypy, import-linter
- `nox -s tests-3.12`: the tests on another Python (skipped where it is not installed)
- `nox -s minimums`: the tests on the lower bounds of pyproject.toml
- `nox -s bench`: the benchmarks
- `nox -s wheel`: the wheel in a clean environment
- `nox -s vendored`: the scripts of others in reports, fetched again and compared with their checksums
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import urllib.request
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False

OLDEST = "3.11"
PYTHONS = [OLDEST, "3.12", "3.13", "3.14"]
EXACT = ("-c", "constraints.txt")


def lower_bounds() -> list[str]:
    """Return the package's own requirements at their lower bounds: `numpy>=2.1` is `numpy==2.1`."""
    project = nox.project.load_toml("pyproject.toml")["project"]
    requirements = [*project["dependencies"], *project["optional-dependencies"]["torch"]]
    return [re.sub(r"\s*>=\s*", "==", requirement) for requirement in requirements]


@nox.session(python=OLDEST)
def lint(session: nox.Session) -> None:
    session.install(*EXACT, "-e", ".[dev,bench]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")
    session.run("repo-review", ".")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    session.install(*EXACT, "-e", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(python=OLDEST, default=False)
def minimums(session: nox.Session) -> None:
    # Constraints and not requirements: what a lower bound does not name resolves as for any user.
    bounds = Path(session.create_tmp(), "minimums.txt")
    bounds.write_text("\n".join(lower_bounds()) + "\n")
    session.install("-c", str(bounds), "-e", ".[test]")
    # Old releases warn about what newer ones changed: that is no failure here.
    session.run("python", "-m", "pytest", "-W", "default", *session.posargs)


@nox.session(python=OLDEST, default=False)
def bench(session: nox.Session) -> None:
    session.install(*EXACT, "-e", ".[bench]")
    for script in sorted(Path("benchmarks").glob("bench_*.py")):
        session.run("python", str(script))


@nox.session(python=OLDEST, default=False)
def wheel(session: nox.Session) -> None:
    session.install(*EXACT, "build", "hatchling", "hatch-vcs", "packaging")
    session.run("python", "tests/check_wheel.py", "--download")


@nox.session(python=False, default=False)
def vendored(session: nox.Session) -> None:
    """Write the files that vendored.json lists; another version is another url, version and checksums there."""
    folder = Path("coffea_ddp/pages/assets/vendor")
    for package in json.loads((folder / "vendored.json").read_text()):
        with urllib.request.urlopen(package["url"], timeout=60) as answer:
            archive = answer.read()
        if (found := hashlib.sha256(archive).hexdigest()) != package["sha256"]:
            session.error(f"{package['url']}: its checksum is {found}, not {package['sha256']}")
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            for inside, (name, digest) in package["files"].items():
                member = files.extractfile(f"package/{inside}")
                content = member.read() if member else b""
                if (found := hashlib.sha256(content).hexdigest()) != digest:
                    session.error(f"{inside} of {package['name']}: its checksum is {found}, not {digest}")
                (folder / name).write_bytes(content)
                session.log(f"{package['name']} {package['version']}: {name}, {len(content):,} bytes")


if __name__ == "__main__":
    nox.main()
