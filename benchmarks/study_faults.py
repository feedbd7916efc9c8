"""Fifty random kills over ten runs: is every result, byte by byte, that of the undisturbed run?

    python benchmarks/study_faults.py [--runs 10] [--kills 5]

Scheduler, workers and client are processes of their own. In every run a number of them are killed (SIGKILL) at random
times: a worker (its nanny starts another), the scheduler (the run ends with what is finished; a new cluster, --resume)
or the client (--resume). Simulated NanoAOD where it is there, else files of our own.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data" / "nanoaod_sim"
SEED, CHUNK = 20_240, 1_500
sys.path.insert(0, str(ROOT / "tests" / "support"))

from clusters import Facility, command, facility  # noqa: E402

from coffea_ddp.running.driver import run  # noqa: E402
from coffea_ddp.running.options import Reading  # noqa: E402
from coffea_ddp.testing import make_copies, make_dataset  # noqa: E402


def finished(output: Path) -> dict[Path, int]:
    """Return the shards beside an output, with their times."""
    return {path: path.stat().st_mtime_ns for path in Path(f"{output}.parts").rglob("*-*.ddp")}


def one_run(number: int, files: list[str], kills: int, folder: Path) -> tuple[str, dict[str, int], int]:
    """Run until it is done, with kills on the way; return digest, who was killed, and finished chunks done again."""
    rng = np.random.default_rng([SEED, number])
    output = folder / f"{number}.ddp"
    victims = rng.choice(["worker", "scheduler", "client"], kills, p=[0.5, 0.25, 0.25]).tolist()
    killed, redone, stack, found, starts = dict.fromkeys(("worker", "scheduler", "client"), 0), 0, ExitStack(), None, 0
    with stack:
        code = -1
        while code != 0:
            if found is None:
                starts += 1
                found = stack.enter_context(facility(folder / f"facility-{number}-{starts}"))
            before = finished(output)
            arguments = ["run", "symmetries", *files, "-o", output, "--chunksize", CHUNK, "--resume"]
            process = command(*arguments, "--scheduler", found.address)
            code, found = disturb(process, found, output, victims, killed, rng)
            after = finished(output)
            redone += sum(path in after and after[path] != stamp for path, stamp in before.items())
    return hashlib.sha256(output.read_bytes()).hexdigest(), killed, redone


def disturb(
    process: subprocess.Popen[str], found: Facility, output: Path, victims: list[str], killed: dict[str, int],
    rng: np.random.Generator,
) -> tuple[int, Facility | None]:  # fmt: skip
    """Kill victims until the client is gone; return its exit code, and the cluster if it is still there."""
    while victims:
        done = len(finished(output))
        while process.poll() is None and len(finished(output)) <= done:  # something happens between two kills
            time.sleep(0.02)
        time.sleep(float(rng.uniform(0.0, 0.5)))
        if process.poll() is not None:
            break
        victim = victims.pop(0)
        killed[victim] += 1
        if victim == "worker":
            found.kill_a_worker(int(rng.integers(2)))
        elif victim == "client":
            process.kill()
            process.communicate()
            return -9, found
        else:
            found.scheduler.kill()
            process.communicate()
            found.stop()
            return process.returncode, None
    _, err = process.communicate()
    if process.returncode not in (0, 2):
        print(err)
    return process.returncode, found


def main() -> int:
    """Print a line a run; fail if a result differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--kills", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = sorted(SHARED.glob("*.root")) or make_dataset(folder / "own", files=4, events=120_000, seed=1)
        copies = [make_copies(path, folder / "files", 5, seed=n) for n, path in enumerate(sources)]
        files = [str(path) for some in copies for path in some]
        whole = run("symmetries", files, reading=Reading(chunksize=CHUNK)).save(folder / "whole.ddp")
        wanted = hashlib.sha256(whole.read_bytes()).hexdigest()
        print(f"undisturbed: {wanted[:16]}, {run('symmetries', files).n_events:,} events", flush=True)
        equal = []
        for number in range(options.runs):
            digest, killed, redone = one_run(number, files, options.kills, folder)
            equal.append(digest == wanted)
            print(f"run {number}: {digest[:16]} equal {equal[-1]}, killed {killed}, done again {redone}", flush=True)
        print(f"{sum(equal)} of {len(equal)} results are those of the undisturbed run")
    return 0 if all(equal) else 1


if __name__ == "__main__":
    sys.exit(main())
