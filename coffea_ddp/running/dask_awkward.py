"""Processing by dask-awkward: a graph of delayed partitions, one ``fill`` each, and a tree of sums.

For those whose analysis is a dask graph already. Others use coffea's Runner (:mod:`coffea_ddp.running.driver`).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any

import awkward as ak
from coffea.processor.executor import WorkItem

from coffea_ddp.cluster.code_digest import call, here, packed
from coffea_ddp.cluster.connecting import at_address
from coffea_ddp.cluster.watching import sending_much
from coffea_ddp.errors import ClusterError, DDPError, InputError, describe
from coffea_ddp.filling import fill, needed_branches
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.ledger import Chunk
from coffea_ddp.histograms.merging import Tree, add_all
from coffea_ddp.plan.datasets import KEY, Dataset
from coffea_ddp.plan.plan import ScanPlan
from coffea_ddp.running.fields import is_translated
from coffea_ddp.running.guarding import explain, explain_plan
from coffea_ddp.running.reader import chunk_of, columns, structure


def run_delayed(plan: ScanPlan, chunks: Sequence[WorkItem], client: Any = None) -> Histograms:
    """Run a plan over chunks through dask-awkward.

    Parameters
    ----------
    plan
        The plan whose histograms are filled.
    chunks
        coffea's work items: which entries of which files.
    client
        A ``distributed.Client``; ``None`` computes in this process.

    Raises
    ------
    InputError
        If dask-awkward is not installed.
    DDPError
        If a partition fails.
    """
    delayed = _delayed()
    other = next((item for item in chunks if is_translated(item)), None)
    if other is not None:
        raise InputError(
            f"{other.filename}: the executor 'dask-awkward' reads NanoAOD alone; a cluster reads this, too: "
            "executor=Cluster(client), --executor dask"
        )
    partials: list[Any] = []
    for (filename, tree), items in itertools.groupby(chunks, key=lambda item: (item.filename, item.treename)):
        work = [item for item in items if len(item)]
        if work:
            partials += _partials(plan, filename, tree, work)
    empty = _empties(plan, chunks)
    if not partials:
        return empty
    add = delayed(partial(call, here(), packed(add_all)))
    sums: Tree[Any] = Tree(len(partials), lambda parts: add(list(parts)))
    for number, part in enumerate(partials):
        sums.put(number, part)
    task = sums.total
    # Asked now: a client that has lost its scheduler does not know any more where that was.
    where = "" if client is None else at_address(client)
    try:
        with sending_much():
            total: Histograms = client.compute(task, sync=True) if client else task.compute(scheduler="sync")
    except DDPError:
        raise
    except Exception as error:
        raise _understood(error, client, where) from error
    return empty + total


def _understood(error: Exception, client: Any, where: str) -> DDPError:
    """Return what an error of the graph means; most of those of a cluster are no fault of a file."""
    kept = "dask-awkward keeps no finished chunks: run it again, or with --executor dask, which keeps them"
    # Dask's own have many names, and share the modules that they come from.
    of_dask = type(error).__module__.split(".")[0] in ("distributed", "asyncio", "concurrent", "tornado")
    if client is not None and (of_dask or client.status != "running" or type(error).__name__ == "KilledWorker"):
        return ClusterError(f"the Dask cluster{where}, or workers of it, were lost ({describe(error)}); {kept}")
    return explain(error, "one of the partitions")


def _delayed() -> Any:
    try:
        import dask
        import dask_awkward  # noqa: F401 (NanoEventsFactory needs it)
    except ImportError:
        raise InputError("the executor 'dask-awkward' needs it: pip install 'coffea-ddp[dask-awkward]'") from None
    return getattr(dask, "delayed")  # noqa: B009 (dask ships types that do not export it)


def _partials(plan: ScanPlan, filename: str, tree: str, work: Sequence[WorkItem]) -> list[Any]:
    # The structure of the file tells which branches the plan reads; no other column gets into the graph.
    import dask_awkward

    about = [(item.usermeta or {}).get(KEY) for item in work]
    with structure(filename, tree) as events:
        names = needed_branches(events, plan, about[0])
    nothing = columns(dataclasses.replace(work[0], entrystop=work[0].entrystart), names)
    typed = ak.Array(nothing.layout.to_typetracer(forget_length=True))
    from_map: Any = dask_awkward.from_map  # type: ignore[attr-defined]
    read = from_map(partial(columns, names=names), work, meta=typed, label="events")
    parts = read.to_delayed(optimize_graph=True)
    filled = _delayed()(partial(call, here(), packed(partial(_filled, plan))))
    return [filled(part, chunk_of(item), one) for part, item, one in zip(parts, work, about, strict=True)]


def _filled(plan: ScanPlan, events: Any, chunk: Chunk, dataset: Dataset | None) -> Histograms:
    try:
        return fill(events, plan, chunk=chunk, dataset=dataset)
    except DDPError:
        raise
    except Exception as error:  # noqa: BLE001 (the plan is somebody's code)
        # Raised as a new error: those of libraries may not be able to travel between processes.
        problem = explain_plan(error, chunk.filename)
    raise problem


def _empties(plan: ScanPlan, chunks: Sequence[WorkItem]) -> Histograms:
    """Return the (empty) results of files without events: dask-awkward has no partition for them."""
    total = Histograms.empty(plan.layout)
    for item in chunks:
        if not len(item):
            with structure(item.filename, item.treename) as events:
                total = total + fill(events, plan, chunk=chunk_of(item))
    return total
