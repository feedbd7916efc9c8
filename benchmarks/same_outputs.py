"""The same bytes out of the same input: digests of outputs, reports and figures, to compare two states of the code.

    python benchmarks/same_outputs.py -o before.json             # then change the code
    python benchmarks/same_outputs.py --against before.json      # names what differs; exit code 1 if anything does

Generated files with a hidden signal, and the simulated ones where they are, are run through the plans ``symmetries``
and ``resonances``, scanned with all tests, and the reports written with their pages and pictures.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path

import coffea_ddp as ddp
from coffea_ddp.testing import LFVSignal, make_dataset

SIMULATED = Path(__file__).resolve().parents[2] / "shared" / "data" / "nanoaod_sim"
ALL_TESTS = ("nsigma", "submatrix", "nplm", "classifier")


def digests(folder: Path) -> dict[str, str]:
    """Return the digest of every file in a folder, by its path in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in files}


def make(inputs: list[Path], out: Path) -> None:
    """Write outputs, reports and pages of a set of files into a folder."""
    out.mkdir(parents=True)
    for plan, options in (("symmetries", {"tests": ALL_TESTS, "toys": 50}), ("resonances", {})):
        hists = ddp.run(plan, inputs, reading=ddp.Reading(chunksize=20_000))
        hists.save(out / f"{plan}.ddp")
        report = ddp.scan(hists, seed=1, jobs=1, **options)
        report.save(out / f"{plan}.json")
        ddp.write_report(report, out / plan, hists=hists)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--against", type=Path)
    options = parser.parse_args()
    # Outputs hold the names of files and their identities: both states of the code read the same ones.
    files = Path(tempfile.gettempdir(), "coffea-ddp-same-outputs")
    if not files.is_dir():
        make_dataset(files, files=2, events=15_000, seed=3, signals=[LFVSignal(60, n_jets=2, n_b=0)])
    with tempfile.TemporaryDirectory() as name:
        make(sorted(files.glob("*.root")), Path(name, "generated"))
        if SIMULATED.is_dir():
            make(sorted(SIMULATED.glob("*.root")), Path(name, "simulated"))
        found = digests(Path(name))
    if options.output:
        options.output.write_text(json.dumps(found, indent=1) + "\n")
    if options.against:
        before = json.loads(options.against.read_text())
        different = sorted(name for name in before.keys() | found.keys() if before.get(name) != found.get(name))
        print(f"{len(found) - len(different)} of {len(found)} files are the same", *different, sep="\n  ")
        sys.exit(bool(different))


if __name__ == "__main__":
    main()
