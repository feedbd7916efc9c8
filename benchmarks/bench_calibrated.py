"""Calibrated passes and scans: what they cost beside plain ones. Ratios of things measured in one run.

python benchmarks/bench_calibrated.py            # needs the files of a simulated detector, or makes its own
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import coffea_ddp as ddp
from coffea_ddp.testing import Detector, make_dataset

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "nanoaod_detector"
REPEAT = 3
TOYS = 256


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


def main() -> None:
    """Measure, and print ratios."""
    files, plan = inputs(), ddp.load_plan("symmetries")
    plain = ddp.run(plan, files, executor="iterative")
    with_it = replace(plan, calibration=ddp.calibrate(plain))
    calibrated = ddp.run(with_it, files, executor="iterative")
    passes = [
        [seconds(lambda p=p: ddp.run(p, files, executor="iterative")) for p in (plan, with_it)] for _ in range(REPEAT)
    ]
    pairs = list(zip(*passes, strict=True))
    print(f"pass: {min(pairs[1]) / min(pairs[0]):.2f} x the plain one ({min(pairs[0]):.1f} s of CPU)")
    for tests in (["nsigma"], ["nsigma", "submatrix"]):
        options = {"tests": tests, "toys": TOYS, "jobs": 1}
        for hists in (plain, calibrated):
            ddp.scan(hists, tests, toys=1)  # compiled, or read from the cache
        first, second = (seconds(lambda h=h, o=options: ddp.scan(h, **o)) for h in (plain, calibrated))
        print(f"scan, {' + '.join(tests)}, {TOYS} toys: {second / first:.2f} x the plain one ({first:.1f} s of CPU)")


if __name__ == "__main__":
    main()
