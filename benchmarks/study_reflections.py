"""Bumps in samples without a signal, and with one, before and after kinematics explain them.

    python benchmarks/study_reflections.py [--events 330000] [--seeds 41 42 43]

Each sample is generated, filled by the shipped plan ``resonances`` and hunted for bumps in all of its inclusive
spectra, without toys; the last one holds 150 decays Z' -> e mu of 405.6 GeV besides, before acceptance.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import coffea_ddp as ddp
from coffea_ddp import testing
from coffea_ddp.report.ordering import ranked
from coffea_ddp.report.rows import Row
from coffea_ddp.scanning.reflections import with_causes

FIVE_SIGMA = 2.87e-7
SIGNAL = testing.Resonance(150, 405.6, decay="emu")


def rows_of(path: Path) -> list[Row]:
    """Return the rows of all inclusive spectra, those that kinematics explain last."""
    hists = ddp.run("resonances", path)
    report = ddp.bump_hunt([hists.spectrum(name) for name in hists.spectra], toys=0)
    return ranked(with_causes(hists, report.rows))


def show(name: str, rows: list[Row]) -> None:
    """Print how many spectra have a small p, and which are left."""
    tested = [row for row in rows if row.p_cell is not None]
    for what, some in (("all", tested), ("unexplained", [row for row in tested if not row.is_explained])):
        small = [row for row in some if (row.p_cell or 0.0) < 0.01]
        beyond = sum((row.p_cell or 0.0) < FIVE_SIGMA for row in small)
        print(f"{name}: {what}: {len(rows)} spectra, {len(some)} tested, {len(small)} p < 0.01, {beyond} above 5 sigma")
    for row in [row for row in tested if (row.p_cell or 0.0) < 0.01]:
        place = f"{row.bump.position:.4g} GeV" if row.bump and row.bump.position else ""
        cause = "" if row.cause is None else row.cause.cause
        print(f"  {row.rank:>4} {row.observable:28} {place:>10} z = {row.z_local:.1f} p = {row.p_cell:.2g} {cause}")


def main() -> None:
    """Make the samples and print what is found in them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=330_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[41, 42, 43])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate([*options.seeds, 13]):
            signals = [SIGNAL] if number == len(options.seeds) else []
            path = testing.make_nanoaod(
                Path(folder) / f"{number}.root", events=options.events, seed=seed, signals=signals
            )
            show(f"seed {seed}{', Z prime inside' if signals else ''}", rows_of(path))
            path.unlink()


if __name__ == "__main__":
    main()
