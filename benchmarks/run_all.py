"""All benchmarks one after the other, and at the end which of them reached what is wanted, and how long each took.

    python benchmarks/run_all.py [NAME ...]

NAME is that of a script without `bench_` and `.py`, as in `pass scan`; by default all. Nothing else should run: times
of a busy machine are up to a half larger, and its ratios move as well.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(names: list[str]) -> int:
    """Run the scripts; 0 where all reach what is wanted."""
    scripts = [HERE / f"bench_{name}.py" for name in names] or sorted(HERE.glob("bench_*.py"))
    unknown = [script.name for script in scripts if not script.exists()]
    if unknown:
        known = ", ".join(script.stem.removeprefix("bench_") for script in sorted(HERE.glob("bench_*.py")))
        print(f"no such benchmark: {', '.join(unknown)}; there are: {known}", file=sys.stderr)
        return 2
    found = []
    for script in scripts:
        print(f"\n== {script.name}", flush=True)
        start = time.perf_counter()
        code = subprocess.run([sys.executable, str(script)], check=False).returncode
        found.append((script.name, time.perf_counter() - start, code))
    print("\n| benchmark | minutes | |\n|---|---|---|")
    for name, seconds, code in found:
        said = "reached" if code == 0 else "not all reached" if code == 1 else f"ended with {code}"
        print(f"| {name} | {seconds / 60:.1f} | {said} |")
    print(f"| all | {sum(seconds for _, seconds, _ in found) / 60:.1f} | |")
    return int(any(code for _, _, code in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
