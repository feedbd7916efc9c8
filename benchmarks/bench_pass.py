"""The pass over events: what it costs, and against what. Ratios of things measured in one run.

python benchmarks/bench_pass.py            # needs the simulated NanoAOD files, or makes its own
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import awkward as ak
import hist
import numpy as np
import uproot
from coffea.nanoevents import NanoEventsFactory
from figures import Figures

import coffea_ddp as ddp
from coffea_ddp import filling
from coffea_ddp.histograms.sparse import SparseCounts
from coffea_ddp.plan.plan_files import load_plan
from coffea_ddp.running import baskets, reader
from coffea_ddp.running.basket_bytes import basket_of
from coffea_ddp.running.schema import DDPSchema
from coffea_ddp.testing import make_dataset

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "nanoaod_sim"
REPEAT = 5
FIGURES = Figures()
show = FIGURES.add


def inputs() -> list[str]:
    """Return the simulated files, or some of our own."""
    files = sorted(str(path) for path in SHARED.glob("*.root"))
    return files or [str(path) for path in make_dataset(tempfile.mkdtemp(), files=4, events=120_000, seed=1)]


def open_events(path: str, preload: frozenset[str] | None = None) -> Any:
    """Return a file's events; unread, or with branches read at once as our own runs do."""
    return NanoEventsFactory.from_root(
        {path: "Events"}, schemaclass=DDPSchema, mode="virtual", preload=preload
    ).events()


def best(*functions: Callable[[], object]) -> list[float]:
    """Return the shortest time of each, measured in turns so that a busy moment hits all of them."""
    times = [[] for _ in functions]
    for _ in range(REPEAT):
        for function, kept in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            kept.append(time.perf_counter() - start)
    return [min(kept) for kept in times]


def bench_lattice_and_reading(files: list[str]) -> None:
    plan = load_plan("symmetries")
    inclusive = replace(plan, cells=())

    def passes(which: ddp.ScanPlan) -> Callable[[], object]:
        return lambda: [ddp.fill(open_events(path, frozenset(names)), which) for path in files]

    names = list(filling.needed_branches(open_events(files[0]), plan))

    passes(plan)()
    lattice, one, alone = best(passes(plan), passes(inclusive), lambda: read(files, names))
    show(f"pass with {plan.layout.grid.n_cells:,} cells / with one inclusive cell", lattice / one, "x", most=1.2)
    show(
        f"fill of coffea's NanoEvents / reading the same {len(names)} columns with uproot", lattice / alone, "x", most=5
    )


def large(files: list[str], path: Path, copies: int = 8) -> str:
    """Write one file of all events, several times over under other numbers, in baskets of many entries."""
    arrays = uproot.concatenate([f"{one}:Events" for one in files], library="ak")
    collections = [name[1:] for name in arrays.fields if name[0] == "n" and name[1].isupper()]
    fields: dict[str, Any] = {}
    for name in arrays.fields:
        collection, _, field = name.partition("_")
        if collection in collections:
            fields.setdefault(collection, {})[field] = arrays[name]
        elif name[1:] not in collections:
            fields[name] = arrays[name]
    fields = {name: ak.zip(one) if isinstance(one, dict) else one for name, one in fields.items()}
    with uproot.recreate(path, compression=uproot.ZSTD(5)) as target:
        target.mktree("Events", {name: one.type.content for name, one in fields.items()})
        for copy in range(copies):
            target["Events"].extend(fields | {"event": fields["event"] + np.uint64(10_000_000 * copy)})
    return str(path)


def bench_run(files: list[str]) -> None:
    """A whole run in this process against uproot reading the same columns: CPU seconds, medians of turns."""
    with tempfile.TemporaryDirectory() as folder:
        one = large(files, Path(folder, "large.root"))
        for name, inputs_, most in (("symmetries", [one], 1.6), ("symmetries", files, 2.2), ("resonances", files, 2.2)):
            n_events = sum(len(open_events(path)) for path in inputs_)
            n_columns, alone, whole, ratio = turns(load_plan(name), inputs_)
            what = f"run {name} / uproot reading its {n_columns} columns, {n_events:,} events in {len(inputs_)} files"
            show(what, ratio, "x", most=most)
            show(f"  events, where reading takes {n_events / alone:,.0f}", n_events / whole, "a second of CPU time")


def turns(plan: ddp.ScanPlan, files: list[str]) -> tuple[int, float, float, float]:
    """Return the number of columns, CPU seconds of reading them and of the whole run, and the ratio: medians."""
    names = list(filling.needed_branches(open_events(files[0]), plan))
    both = np.array([[cpu(lambda: read(files, names)), cpu(lambda: ddp.run(plan, files))] for _ in range(REPEAT + 1)])
    alone, whole = both[1:].T  # the first turn fills caches
    return len(names), float(np.median(alone)), float(np.median(whole)), float(np.median(whole / alone))


def read(files: list[str], names: list[str]) -> None:
    """Read columns with uproot."""
    for path in files:
        with uproot.open(path) as file:
            file["Events"].arrays(names, library="ak")


def cpu(function: Callable[[], object]) -> float:
    """Return the CPU seconds of a call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def bench_baskets(files: list[str]) -> None:
    """How often a run decompresses a basket: once."""
    times: Counter[tuple[str, int]] = Counter()
    basket = uproot.models.TBasket.Model_TBasket
    original = basket.read_members

    def counted(self: Any, *arguments: Any, **options: Any) -> None:
        original(self, *arguments, **options)
        times[self._parent.file.file_path, self._cursor.index] += 1

    def of_bytes(chunk: Any) -> Any:
        times[chunk.source.file_path, chunk.start] += 1
        return basket_of(chunk)

    with mock.patch.object(basket, "read_members", counted), mock.patch.object(baskets, "basket_of", of_bytes):
        ddp.run("symmetries", files)
    show(f"times that a run reads each of {len(times):,} baskets", max(times.values()), most=1)


def bench_reader(files: list[str]) -> None:
    """A run whose chunks are read by coffea's NanoEvents, against branches at once, with their lengths compared."""

    def by_nanoevents() -> None:
        with mock.patch.object(reader, "_at_once", return_value=None):
            ddp.run("symmetries", files)

    def at_once() -> None:
        ddp.run("symmetries", files)

    at_once()
    lazily, together = best(by_nanoevents, at_once)
    show("run with NanoEvents / with branches at once", lazily / together, "x", least=1)


def bench_filling_share(files: list[str]) -> None:
    """The share of making keys and counting them: the same pass, with that step timed from inside."""
    plan = load_plan("symmetries")
    spent = [0.0]
    original = filling.count_symmetries

    def timed(*arguments: Any) -> Any:
        start = time.perf_counter()
        try:
            return original(*arguments)
        finally:
            spent[0] += time.perf_counter() - start

    shares = []
    filling.count_symmetries = timed
    try:
        for _ in range(REPEAT):
            spent[0] = 0.0
            start = time.perf_counter()
            for path in files:
                ddp.fill(open_events(path), plan)
            shares.append(spent[0] / (time.perf_counter() - start))
    finally:
        filling.count_symmetries = original
    show("filling / whole pass", 100 * min(shares), "%", most=5)


def bench_partial(files: list[str]) -> None:
    plan = load_plan("symmetries")
    with tempfile.TemporaryDirectory() as folder:
        with uproot.recreate(f"{folder}/chunk.root") as target:
            arrays = uproot.concatenate([f"{path}:Events" for path in files], library="ak")[:100_000]
            fields = {name: arrays[name] for name in arrays.fields if not name.startswith("n")}
            target.mktree("Events", {name: array.type.content for name, array in fields.items()})
            target["Events"].extend(fields)
        events = open_events(f"{folder}/chunk.root")
        halves = [ddp.fill(events[start : start + 50_000], plan) for start in (0, 50_000)]
    size = max(len(pickle.dumps(half)) for half in halves)
    show("partial result of a chunk of 50,000 events", size / 1e6, "MB", most=1)
    (adding,) = best(lambda: halves[0] + halves[1])
    show("adding two of them", 1e3 * adding, "ms", most=10)


def bench_usual_way(files: list[str], n_cells: int = 3_000) -> None:
    """A mask and a `hist.fill` per cell, against exclusive cells and sums; contents compared bin by bin.

    Both start from the same selected events with the same features, and end with the matrices A and B of every cell.
    """
    plan = replace(load_plan("symmetries"), max_stored=10**9)
    symmetry, observable = "e/mu", "pt_l0 x met"
    hists = sum(ddp.fill(open_events(path), plan) for path in files)
    grid, layout = plan.layout.grid, plan.layout
    axes = dict(layout.symmetry(symmetry).observables)[observable]
    number = hists.symmetries.index(symmetry)
    stored = hists.events.columns
    bits = (stored["sides"] >> np.uint64(2 * number)) & np.uint64(3)
    on = bits > 0
    side, codes = (bits[on] == 2).astype(np.int64), stored["cell"][on].astype(np.int64)
    values = [stored[axis.name][on].astype(np.float64) for axis in axes]
    in_bins = grid.decode(codes)
    rng = np.random.default_rng(1)
    chosen = np.stack([rng.integers(len(axis.choices), size=n_cells) for axis in grid.axes])
    tables = [np.array([choice.bins for choice in axis.choices]) for axis in grid.axes]

    def usual() -> list[np.ndarray]:
        contents = []
        for cell in chosen.T:
            inside = np.ones(len(codes), dtype=bool)
            for table, choice, values_of_axis in zip(tables, cell, in_bins, strict=True):
                if not table[choice].all():
                    inside &= table[choice][values_of_axis]
            pair = []
            for which in (0, 1):
                mask = inside & (side == which)
                h = hist.Hist(*axes, storage=hist.storage.Int64())
                h.fill(*(v[mask] for v in values))
                pair.append(h.values())
            contents.append(np.stack(pair))
        return contents

    def ours() -> tuple[np.ndarray, np.ndarray]:
        bins = np.ravel_multi_index(
            [axis.index(v) + 1 for axis, v in zip(axes, values, strict=True)], [axis.extent for axis in axes]
        )
        channel = layout.channel(symmetry, observable)
        filled = SparseCounts.from_keys(channel.key(codes, side, bins))
        whole = replace(hists, counts=hists.counts.between(0, channel.base) + filled)
        found = whole.cell_counts(symmetry, observable)
        exclusive, matrices = found.codes, found.matrices
        rows = np.ones((n_cells, len(exclusive)), dtype=bool)
        for table, choice, values_of_axis in zip(tables, chosen, grid.decode(exclusive), strict=True):
            rows &= table[choice][:, values_of_axis]
        flat = matrices.reshape(len(exclusive), -1)
        occupied = np.flatnonzero(flat.any(axis=0))
        # As in a scan: cells that hold the same events are summed once.
        packed = np.ascontiguousarray(np.packbits(rows, axis=1))
        _, first, cell = np.unique(packed.view(f"V{packed.shape[1]}"), return_index=True, return_inverse=True)
        sums = rows[first].astype(np.float32) @ flat[:, occupied].astype(np.float32)  # exact below 2^24 events
        return occupied, sums[cell.reshape(-1)]

    slow = usual()
    slow_time, fast_time = best(usual, ours)
    occupied, sums = ours()
    for content, total in zip(slow, sums, strict=True):
        dense = np.zeros(content.size)
        dense[occupied] = total
        np.testing.assert_array_equal(content.reshape(-1), dense)
    what = f"a mask and a hist.fill per cell / exclusive cells and sums, {n_cells:,} cells, {len(codes):,} events"
    show(what, slow_time / fast_time, "x", least=50)


def bench_memory() -> None:
    """Peak memory of a process that fills one chunk of 200,000 events, its own alone."""
    code = (
        "import sys, coffea_ddp as ddp\n"
        "hists = ddp.run(*sys.argv[1:])\n"
        "(line,) = [line for line in open('/proc/self/status') if line.startswith('VmHWM')]\n"
        "print(int(line.split()[1]) / 1024)"
    )
    with tempfile.TemporaryDirectory() as folder:
        (path,) = make_dataset(folder, files=1, events=200_000, seed=1)
        for plan in ("symmetries", "resonances"):
            given = [sys.executable, "-c", code, plan, str(path)]
            done = subprocess.run(given, capture_output=True, text=True, check=True)
            what = f"peak memory of a worker, one chunk of 200,000 events, {plan}"
            show(what, float(done.stdout), "MB", most=1_000)


def bench_import() -> None:
    def start_python(code: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", code], check=True)

    nothing, package, awkward = best(
        start_python("pass"), start_python("import coffea_ddp"), start_python("import awkward")
    )
    show("import coffea_ddp / import awkward", (package - nothing) / (awkward - nothing), "x", most=3)


def main() -> int:
    """Print the figures; 0 where all are reached, 1 where one is not."""
    files = inputs()
    print(f"inputs: {len(files)} files, {'simulated' if SHARED.exists() else 'made here'}")
    bench_lattice_and_reading(files)
    bench_run(files)
    bench_baskets(files)
    bench_reader(files)
    bench_filling_share(files)
    bench_partial(files)
    bench_usual_way(files)
    bench_memory()
    bench_import()
    return FIGURES.end()


if __name__ == "__main__":
    sys.exit(main())
