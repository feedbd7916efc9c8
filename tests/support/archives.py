"""Small outputs of a pass: a plan with one symmetry, random events for it, what a chunk of them gives."""

from __future__ import annotations

from types import SimpleNamespace

import awkward as ak
import numpy as np

import coffea_ddp as ddp
from coffea_ddp.filling import fill
from coffea_ddp.histograms.cells import Multiplicity
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.ledger import Chunk
from coffea_ddp.plan.observables import Feature, observable
from coffea_ddp.plan.plan import ScanPlan
from coffea_ddp.plan.symmetry import Symmetry

PT = Feature("pt", "pT", "GeV", lambda ev: ev.leading("mu").pt, 0.0, 100.0)
CHARGE = Symmetry(
    "mu-/mu+",
    a=lambda ev: ev.leading("mu").charge < 0,
    b=lambda ev: ev.leading("mu").charge > 0,
    observables=(observable(PT, bins=7), observable(PT, axes=(PT.axis(3, 10.0, 20.0),), name="soft pt")),
    kappa=1.25,
)


def make_plan(**options: object) -> ScanPlan:
    muon = ddp.ObjectDefinition("mu", "Muon", charged=True)
    return ScanPlan("saved", (CHARGE,), objects=(muon,), cells=(Multiplicity("mu", last=2),), **options)  # type: ignore[arg-type]


def make_events(n: int = 200, seed: int = 1) -> ak.Array:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 4, n)
    total = int(counts.sum())

    def jagged(values: np.ndarray) -> ak.Array:
        return ak.unflatten(values, counts)

    pt = rng.exponential(30.0, total)
    pt[:3] = [np.nan, np.inf, 500.0]
    return ak.Array(
        {
            "run": np.full(n, 7),
            "luminosityBlock": np.arange(n) // 50,
            "event": np.arange(n),
            "Muon_pt": jagged(pt),
            "Muon_eta": jagged(rng.normal(size=total)),
            "Muon_phi": jagged(rng.uniform(-np.pi, np.pi, total)),
            "Muon_charge": jagged(rng.choice([-1, 1], total)),
        }
    )


def make_chunk(start: int = 0, stop: int = 10, tree: str = "Events") -> SimpleNamespace:
    """Return what the shards ask of a chunk of coffea's."""
    return SimpleNamespace(
        dataset="data", filename="a.root", treename=tree, entrystart=start, entrystop=stop, fileuuid=bytes(16),
        usermeta=None,
    )  # fmt: skip


def output_of(item: SimpleNamespace, plan: ScanPlan) -> Histograms:
    """Return the output of one chunk."""
    uuid = "00000000-0000-0000-0000-000000000000"
    chunk = Chunk(item.dataset, item.filename, item.treename, uuid, item.entrystart, item.entrystop)
    return fill(make_events(item.entrystop)[item.entrystart :], plan, chunk=chunk)
