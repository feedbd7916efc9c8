"""Calibrated scans of samples without a signal: is the p of the report uniform, and does a calibration cost power?

    python benchmarks/study_calibration.py [--samples N] [--toys N] [--tests nsigma,submatrix] [--log FILE]

Every sample is made of the simulated NanoAOD files (or of generated ones): electrons and muons are exchanged in a
random half of the events, then leptons are lost as in a real detector. It is calibrated from its own leptons, filled
with that, and scanned. Finished samples are kept in the log, and not made again. With ``--equal`` muons are lost like
electrons: a calibration has nothing to find, and z with it is compared with z without it in all rows.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import kstest

import coffea_ddp as ddp
from coffea_ddp.testing import Detector, apply_detector, make_dataset

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "nanoaod_sim"


def sources() -> list[Path]:
    """Return the simulated files, or some of our own."""
    files = sorted(SHARED.glob("*.root"))
    return files or make_dataset(tempfile.mkdtemp(), files=4, events=120_000, seed=1)


def sample(seed: int, arguments: argparse.Namespace) -> dict[str, float]:
    """Return the p of a report, its largest z, and what the calibration leaves of z."""
    detector = Detector.realistic()
    detector = replace(detector, muon=detector.electron) if arguments.equal else detector
    tests = arguments.tests.split(",")
    with tempfile.TemporaryDirectory() as folder:
        files = [
            apply_detector(path, Path(folder, path.name), detector, seed=seed, exchange=True) for path in sources()
        ]
        plan = ddp.load_plan("symmetries")
        plain = ddp.run(plan, files, executor="iterative")
        hists = ddp.run(replace(plan, calibration=ddp.calibrate(plain)), files, executor="iterative")
    table = ddp.scan(hists, tests, toys=arguments.toys, seed=seed).to_dataframe()
    known = table[table["z_nominal"].abs() > 2]
    return {
        "seed": seed,
        "p": float(table["p_global"].min()),
        "z": float(table["z_local"].abs().max()),
        "left": float((known["z_local"] / known["z_nominal"]).median()),
    }


def main() -> None:
    """Make the samples that are not in the log, and show what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--toys", type=int, default=200)
    parser.add_argument("--tests", default="nsigma")
    parser.add_argument("--equal", action="store_true")
    parser.add_argument("--log", type=Path, default=Path("study_calibration.jsonl"))
    arguments = parser.parse_args()
    found = [json.loads(line) for line in arguments.log.read_text().splitlines()] if arguments.log.exists() else []
    for seed in range(arguments.samples):
        if seed not in {one["seed"] for one in found}:
            found.append(sample(seed, arguments))
            with arguments.log.open("a") as log:
                log.write(json.dumps(found[-1]) + "\n")
            print(found[-1], flush=True)
    p = np.array([one["p"] for one in found])
    low, uniform = np.mean(p <= 0.05), kstest(p, "uniform").pvalue
    print(f"{len(p)} samples: p <= .05 in {low:.3f}, mean {p.mean():.3f}, KS p = {uniform:.3f}")
    left = np.median([one["left"] for one in found])
    print(f"z with the calibration over z without it, median of the samples: {left:.3f}")


if __name__ == "__main__":
    main()
