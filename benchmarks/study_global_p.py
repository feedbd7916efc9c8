"""The global p-value of a whole default report, in null data: how often is it 5 % or less?

    python benchmarks/study_global_p.py [--events N] [--scans N] [--pool N] [--log FILE]

One generated pass with the shipped plan (seven symmetries, N_sigma and all rectangles). A null data set is the same
events with one fair coin each: where it falls, the event changes its side in all symmetries and observables alike.
Every one is scanned as any data are; its pseudo-experiments (300, from which its p-values come) are drawn at random
from a pool of several thousand, which is made once: labels of a fair coin have one law, whoever's data are relabelled.
With ``--pool 0`` every scan makes its own. Finished scans are kept in the log, and not made again.

``--relabelled N`` takes N more null data sets, with coins of numpy's PCG64, through the scores of pseudo-experiments in
place of a scan each, and besides every pseudo-experiment of the pool as if it were the data: is p too large or too
small because of its combination, its ties, or the labels?
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import coffea_ddp as ddp
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.sparse import SparseCounts
from coffea_ddp.histograms.stored import StoredEvents
from coffea_ddp.report.summaries import GlobalP
from coffea_ddp.scanning import driver, pseudo_experiments
from coffea_ddp.scanning.scanned import NullScores
from coffea_ddp.stats.min_p import combine
from coffea_ddp.testing import make_dataset

TESTS = ("nsigma", "submatrix")
TOYS = 300
BITS = 2
LEFT_OUT = 12_000


def generated(events: int) -> Histograms:
    """Return one pass over generated events without a signal."""
    with tempfile.TemporaryDirectory() as folder:
        return ddp.run("symmetries", make_dataset(folder, files=1, events=events, seed=5))


def null_data(hists: Histograms, seed: int) -> Histograms:
    """Return the same events, each with all its sides exchanged or not, filled again from what is stored of them."""
    layout, columns = hists.layout, dict(hists.events.columns)
    sides = columns["sides"]
    odd = np.uint64(0x5555555555555555)
    swapped = ((sides & odd) << np.uint64(1)) | ((sides >> np.uint64(1)) & odd)
    columns["sides"] = np.where(np.random.default_rng([seed, 7]).random(len(sides)) < 0.5, swapped, sides)
    keys = []
    for channel in layout.channels:
        pair = columns["sides"] >> np.uint64(BITS * hists.symmetries.index(channel.symmetry)) & np.uint64(3)
        on = pair > 0
        bins = np.zeros(on.sum(), dtype=np.int64)
        for axis in channel.axes:
            values = columns[axis.name][on].astype(np.float64)
            on[on] &= np.isfinite(values)
            bins = (bins * axis.extent + axis.index(values) + 1)[np.isfinite(values)]
        keys.append(channel.key(columns["cell"][on].astype(np.int64), (pair[on] == BITS).astype(np.int64), bins))
    events = StoredEvents.make(
        columns, max_stored=layout.max_stored, n_symmetries=len(layout.symmetries), n_exclusive=layout.grid.n_exclusive
    )
    counts = SparseCounts.from_keys(np.concatenate(keys))
    return dataclasses.replace(hists, counts=counts, events=events)


class AnyCell(dict[int, Any]):
    """The scores of single cells, which nobody asks for here."""

    def __missing__(self, cell: int) -> Any:
        return np.zeros(1)


def pool_of(hists: Histograms, number: int) -> dict[Any, NullScores]:
    """Return many pseudo-experiments of all families."""
    found: dict[Any, NullScores] = {}
    make = driver.pseudo_experiments

    def kept(*args: Any, **kwargs: Any) -> dict[Any, NullScores]:
        found.update(make(*args, **kwargs))
        return dict(found)

    with mock.patch.object(driver, "pseudo_experiments", kept):
        ddp.scan(hists, TESTS, toys=number, seed=123_456, jobs=1)
    return found


def scanned(hists: Histograms, seed: int, pool: dict[Any, NullScores]) -> GlobalP:
    """Return what the best of a whole report is worth."""

    def drawn(*args: Any, **kwargs: Any) -> dict[Any, NullScores]:
        del args, kwargs
        n = len(next(iter(pool.values())).best)
        some = np.random.default_rng([seed, 8]).choice(n, TOYS, replace=False)
        return {family: NullScores(null.best[some], AnyCell(), null.keyed) for family, null in pool.items()}

    with mock.patch.object(driver, "pseudo_experiments", drawn if pool else driver.pseudo_experiments):
        report = ddp.scan(hists, TESTS, toys=TOYS, seed=seed, jobs=1)
    return report.global_p[-1]


def relabelled(hists: Histograms, number: int) -> dict[Any, NullScores]:
    """Return the scores of so many null data sets with coins of another generator, one an event."""
    known = np.sort(hists.events.hashes)

    def coins(hashes: Any, opposite: Any, *, kappa: float, n_b: int | None, seed: int, block: int) -> Any:
        del seed
        if kappa != 1.0 or n_b is not None:
            raise ValueError("fair coins only")
        words = np.random.default_rng([99, block]).integers(0, 2**64, len(known), dtype=np.uint64)
        mine = words[np.searchsorted(known, hashes)]
        return np.where(opposite, ~mine, mine)

    with mock.patch.object(pseudo_experiments, "relabelled_events", coins):
        return pool_of(hists, number)


def worth(data: Any, pool: Any, seed: int) -> float:
    """Return the global p of the largest scores of all families, shape (n_families,), among some of the pool."""
    some = np.random.default_rng([seed, 9]).choice(pool.shape[1], TOYS, replace=False)
    found = combine(list(pool[:, some]), [[score] for score in data])
    return found.report(max(float(z[0]) for z in found.z)).p_value


def without_scans(first: Histograms, pool: dict[Any, NullScores], number: int) -> None:
    """Print how often p is small where data are scored as pseudo-experiments are."""
    drawn = np.stack([null.best for null in pool.values()])
    found = relabelled(null_data(first, -1 & 0xFFFF), number)
    data = np.stack([found[family].best for family in pool])
    printed("other labels", [worth(data[:, k], drawn, k) for k in range(number)])
    n = drawn.shape[1]
    left_out = [worth(drawn[:, k % n], np.delete(drawn, k % n, axis=1), k) for k in range(LEFT_OUT)]
    printed("of the pool itself", left_out)


def printed(what: str, values: Any) -> None:
    """Print a row of the table."""
    p, levels = np.asarray(values), (0.01, 0.05, 0.1, 0.5)
    shares = [f"{(p <= a).mean():.4f} +- {np.sqrt(a * (1 - a) / len(p)):.4f}" for a in levels]
    print(f"| {len(p):,} {what} | {' | '.join(shares)} |")


def finished(log: Path) -> Iterator[dict[str, Any]]:
    """Return the scans in a log."""
    if log.exists():
        yield from (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())


def main() -> None:
    """Make what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("--events", 4_000), ("--scans", 400), ("--pool", 3_008)):
        parser.add_argument(name, type=int, default=default)
    parser.add_argument("--relabelled", type=int, default=0)
    parser.add_argument("--log", type=Path, default=Path("study_global_p.jsonl"))
    options = parser.parse_args()
    mine = {"events": options.events, "pool": options.pool}
    done = {one["scan"]: one["p"] for one in finished(options.log) if one.items() >= mine.items()}
    missing = [number for number in range(options.scans) if number not in done]
    first = generated(options.events)
    needed = options.pool and (missing or options.relabelled)
    pool = pool_of(null_data(first, -1 & 0xFFFF), options.pool) if needed else {}
    for number in missing:
        found = scanned(null_data(first, number), number, pool)
        done[number] = found.p_value
        with options.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps({**mine, "scan": number, "p": found.p_value, "method": found.method}) + "\n")
    print(f"\n| null data | P(p <= 0.01) | P(p <= 0.05) | P(p <= 0.1) | P(p <= 0.5) |\n|{'---|' * 5}")
    if done:
        printed("null reports", [done[number] for number in range(options.scans)])
    if pool and options.relabelled:
        without_scans(first, pool, options.relabelled)


if __name__ == "__main__":
    main()
