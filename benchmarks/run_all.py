"""All benchmarks one after the other, and at the end what was wanted of each, what was found, and how long it took.

    python benchmarks/run_all.py [NAME ...]

NAME is that of a script without `bench_` and `.py`, as in `pass scan`; by default all but the long ones. Nothing else
should run: times of a busy machine are up to a half larger, and its ratios move as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from figures import LINE

HERE = Path(__file__).resolve().parent
LONG = {"bench_large_lattice.py"}
"""Scripts that take more minutes than all others together."""


class Run(NamedTuple):
    """One benchmark: its name, seconds, exit code, and its lines of figures of which something was wanted."""

    name: str
    seconds: float
    code: int
    lines: list[tuple[str, str, str, str]]


def main(names: list[str]) -> int:
    """Run the scripts; 0 where all reach what is wanted."""
    scripts = [HERE / f"bench_{name}.py" for name in names]
    scripts = scripts or [script for script in sorted(HERE.glob("bench_*.py")) if script.name not in LONG]
    unknown = [script.name for script in scripts if not script.exists()]
    if unknown:
        known = ", ".join(script.stem.removeprefix("bench_") for script in sorted(HERE.glob("bench_*.py")))
        print(f"no such benchmark: {', '.join(unknown)}; there are: {known}", file=sys.stderr)
        return 2
    return told([run(script) for script in scripts])


def run(script: Path) -> Run:
    """Run one script, and print what it prints."""
    print(f"\n== {script.name}", flush=True)
    start, lines = time.perf_counter(), []
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            found = LINE.fullmatch(line.strip())
            if found is not None:
                lines.append((found["what"], found["value"], found["wanted"], found["said"]))
    return Run(script.name, time.perf_counter() - start, process.returncode, lines)


def told(runs: list[Run]) -> int:
    """Print the tables; return 0 where all is reached."""
    print("\n| figure | found | wanted | |\n|---|---|---|---|")
    for one in runs:
        for line in one.lines:
            print(f"| {' | '.join(line)} |")
    print("\n| benchmark | minutes | |\n|---|---|---|")
    failed = False
    for name, seconds, code, lines in runs:
        missed = sum(line[-1] == "missed" for line in lines)
        said = f"reached {len(lines) - missed} of {len(lines)}" if lines else "nothing is wanted"
        # A script that misses a figure ends with 1; whatever else does not end with 0 broke.
        broke = code not in {0, 1} or (code == 1) != (missed > 0)
        failed |= broke or missed > 0
        print(f"| {name} | {seconds / 60:.1f} | {f'ended with {code}' if broke else said} |")
    print(f"| all | {sum(one.seconds for one in runs) / 60:.1f} | |")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
