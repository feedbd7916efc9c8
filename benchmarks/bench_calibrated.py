"""Calibrated passes and scans: what they cost beside plain ones. Ratios of things measured in one run.

python benchmarks/bench_calibrated.py            # needs the files of a simulated detector, or makes its own
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from figures import Figures

import coffea_ddp as ddp
from coffea_ddp.testing import Detector, make_dataset

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "nanoaod_detector"
REPEAT = 3
TOYS = 128
MOST = {"pass": 1.1, "scan": 1.5}


def inputs() -> list[str]:
    """Return the files without a signal, or some of our own."""
    files = sorted(str(path) for path in SHARED.glob("null_*.root"))
    made = {"files": 2, "events": 60_000, "seed": 1, "detector": Detector.realistic()}
    return files or [str(path) for path in make_dataset(tempfile.mkdtemp(), **made)]


def seconds(function: object) -> float:
    """Return the CPU time of one call."""
    start = time.process_time()
    function()  # type: ignore[operator]
    return time.process_time() - start


def main() -> int:
    """Print the figures; 0 where all are reached, 1 where one is not."""
    figures, files, plan = Figures(), inputs(), ddp.load_plan("symmetries")
    plain = ddp.run(plan, files, executor="iterative")
    with_it = replace(plan, calibration=ddp.calibrate(plain))
    calibrated = ddp.run(with_it, files, executor="iterative")
    passes = [
        [seconds(lambda p=p: ddp.run(p, files, executor="iterative")) for p in (plan, with_it)] for _ in range(REPEAT)
    ]
    pairs = list(zip(*passes, strict=True))
    what = f"pass, calibrated / plain ({min(pairs[0]):.1f} s of CPU)"
    figures.add(what, min(pairs[1]) / min(pairs[0]), "x", most=MOST["pass"])
    for tests in (["nsigma"], ["nsigma", "submatrix"]):
        options = {"tests": tests, "toys": TOYS, "jobs": 1}
        for hists in (plain, calibrated):
            ddp.scan(hists, tests, toys=1)  # compiled, or read from the cache
        first, second = (seconds(lambda h=h, o=options: ddp.scan(h, **o)) for h in (plain, calibrated))
        name = " + ".join(tests)
        what = f"scan, {name}, {TOYS} toys, calibrated / plain ({first:.1f} s of CPU)"
        figures.add(what, second / first, "x", most=MOST["scan"])
    return figures.end()


if __name__ == "__main__":
    sys.exit(main())
