"""The laws of the design, as properties of whole passes over random events.

1. one pass, every event in one exclusive cell of every symmetry it belongs to; 2. a commutative monoid with provenance;
3. sparse; 6. failures as data; 7. nothing depends on order or chunks; 9. thinning by identity, never by side.
"""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path

import awkward as ak
import hist
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import coffea_ddp as ddp
from coffea_ddp.errors import MergeError
from coffea_ddp.filling import fill
from coffea_ddp.histograms.cells import CellGrid, Multiplicity, Topology
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.ledger import Chunk, Ledger, Missing
from coffea_ddp.histograms.sparse import SparseCounts
from coffea_ddp.histograms.stored import ALL, StoredEvents, identity_hash, side_bits
from coffea_ddp.plan.observables import Feature, observable
from coffea_ddp.plan.plan import ScanPlan
from coffea_ddp.plan.symmetry import Symmetry

SETTINGS = settings(max_examples=25, deadline=None, derandomize=True)

PT = Feature("pt", "pT", "GeV", lambda ev: ev.leading("mu").pt, 0.0, 100.0)
ETA = Feature("eta", "eta", "", lambda ev: ev.leading("mu").eta, -2.0, 2.0)
PT_1 = Feature("pt_1", "pT of the second", "GeV", lambda ev: ev.leading("mu", 1).pt, 0.0, 60.0)
OBSERVABLES = (observable(PT, ETA, bins=5), observable(PT, bins=9), observable(PT_1, bins=4))


def negative(events: ddp.selected.SelectedEvents) -> np.ndarray:
    return events.leading("mu").charge < 0


def positive(events: ddp.selected.SelectedEvents) -> np.ndarray:
    return events.leading("mu").charge > 0


def make_plan(**options: object) -> ScanPlan:
    symmetries = (
        Symmetry("mu-/mu+", a=negative, b=positive, observables=OBSERVABLES),
        Symmetry(
            "back/front",
            a=lambda ev: ev.leading("mu").eta < 0,
            b=lambda ev: ev.leading("mu").eta > 0,
            observables=(observable(PT, bins=3),),
        ),
    )
    cells = (
        Multiplicity("mu", last=2),
        Multiplicity("jets", last=3, of="j"),
        Topology("soft", lambda ev: ev.leading("mu").pt < 30.0),
    )
    muon = ddp.ObjectDefinition("mu", "Muon", charged=True)
    jet = ddp.ObjectDefinition("j", "Jet", pt_min=20.0, away_from=(("mu", 0.4),))
    return ScanPlan("laws", symmetries, objects=(muon, jet), cells=cells, **options)  # type: ignore[arg-type]


PLAN = make_plan()
WEIGHTED = make_plan(weight=lambda ev: 0.5 + ev.leading("mu").pt / 100.0)
THINNED = make_plan(max_stored=4)


def make_events(n: int, seed: int, *, spoil: bool = True) -> ak.Array:
    rng = np.random.default_rng(seed)
    n_mu, n_jet = rng.integers(0, 4, n), rng.integers(0, 6, n)

    def jagged(counts: np.ndarray, values: np.ndarray) -> ak.Array:
        return ak.unflatten(values.astype(np.float32), counts)

    pt = rng.exponential(30.0, n_mu.sum())
    if spoil and len(pt) > 10:
        pt[rng.integers(0, len(pt), 3)] = [np.nan, np.inf, -np.inf]
    return ak.Array(
        {
            "run": np.full(n, 5, np.uint32),
            "luminosityBlock": (np.arange(n) // 10).astype(np.uint32),
            "event": rng.permutation(10 * n)[:n].astype(np.uint64),
            "Muon_pt": jagged(n_mu, pt),
            "Muon_eta": jagged(n_mu, rng.normal(0, 1.2, n_mu.sum())),
            "Muon_phi": jagged(n_mu, rng.uniform(-np.pi, np.pi, n_mu.sum())),
            "Muon_charge": ak.unflatten(rng.choice([-1, 1], n_mu.sum()).astype(np.int32), n_mu),
            "Jet_pt": jagged(n_jet, rng.exponential(40.0, n_jet.sum())),
            "Jet_eta": jagged(n_jet, rng.normal(0, 1.5, n_jet.sum())),
            "Jet_phi": jagged(n_jet, rng.uniform(-np.pi, np.pi, n_jet.sum())),
        }
    )


def chunk(start: int, stop: int, name: str = "a") -> Chunk:
    return Chunk("data", f"/{name}.root", "Events", f"uuid-{name}", start, stop, 100)


def part(events: ak.Array, plan: ScanPlan, start: int, stop: int) -> Histograms:
    return fill(events[start:stop], plan, chunk=chunk(start, stop))


def total(parts: list[Histograms]) -> Histograms:
    return sum(parts[1:], start=parts[0])


plans = st.sampled_from([PLAN, WEIGHTED, THINNED])
cuts = st.lists(st.integers(0, 200), max_size=6).map(lambda cut: sorted({0, 200, *cut}))


# -- law 2: the monoid -------------------------------------------------------------------------------------------------


@SETTINGS
@given(seed=st.integers(0, 2**32), edges=cuts, order=st.randoms(use_true_random=False), plan=plans)
def test_any_chunks_in_any_order_give_the_same(seed: int, edges: list[int], order: object, plan: ScanPlan) -> None:
    events = make_events(200, seed)
    parts = [part(events, plan, a, b) for a, b in itertools.pairwise(edges)]
    order.shuffle(parts)  # type: ignore[attr-defined]
    assert total(parts) == part(events, plan, 0, 200)


@SETTINGS
@given(seed=st.integers(0, 2**32), plan=plans)
def test_associative_commutative_with_a_neutral_element(seed: int, plan: ScanPlan) -> None:
    events = make_events(120, seed)
    a, b, c = (part(events, plan, i, i + 40) for i in (0, 40, 80))
    zero = Histograms.empty(plan.layout)
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + zero == a == zero + a
    before = pickle.dumps(a)
    a += b
    assert a == total([b, pickle.loads(before)])


def test_what_was_counted_is_refused_the_second_time() -> None:
    events = make_events(100, 1)
    first, overlapping = part(events, PLAN, 0, 60), part(events, PLAN, 50, 100)
    with pytest.raises(MergeError, match=r"entries 0 to 60 of /a\.root"):
        _ = first + first
    with pytest.raises(MergeError, match="entries 50 to 60"):
        _ = first + overlapping
    with pytest.raises(MergeError, match="different plans"):
        _ = first + part(events, THINNED, 60, 100)


@SETTINGS
@given(seed=st.integers(0, 2**32), plan=plans)
def test_it_travels_unchanged_and_small(seed: int, plan: ScanPlan) -> None:
    hists = part(make_events(200, seed), plan, 0, 200)
    sent = pickle.dumps(hists)
    assert pickle.loads(sent) == hists


def test_coffea_accumulates_it_inside_anybodys_output() -> None:
    from coffea.processor import ProcessorABC, accumulate

    class Theirs(ProcessorABC):
        def process(self, events: ak.Array) -> dict[str, object]:
            return {"seen": len(events), "ddp": {"data": fill(events, PLAN)}}

        def postprocess(self, accumulator: object) -> None: ...

    events = make_events(90, 3)
    outputs = [Theirs().process(events[i : i + 30]) for i in (0, 30, 60)]
    merged = accumulate(outputs)
    whole = fill(events, PLAN)
    assert merged["seen"] == 90
    assert merged["ddp"]["data"] == whole
    assert whole.ledger.unnamed == 90


def test_a_part_of_a_chunk_is_not_the_chunk(tmp_path: Path) -> None:
    """NanoEvents that somebody sliced keep the chunk's metadata; two halves are still two halves."""
    from coffea.nanoevents import NanoEventsFactory

    from coffea_ddp import testing
    from coffea_ddp.running.schema import DDPSchema

    path = testing.make_nanoaod(tmp_path / "nano.root", events=200, seed=1)
    where = {"filename": str(path), "treename": "Events", "fileuuid": "u", "entrystart": 0, "entrystop": 200}
    events = NanoEventsFactory.from_root({str(path): "Events"}, schemaclass=DDPSchema, metadata=where).events()
    plan = ScanPlan("part", ())
    halves = fill(events[:80], plan) + fill(events[80:], plan)
    assert (halves.n_events, halves.ledger.unnamed) == (200, 200)
    assert fill(events, plan).ledger.unnamed == 0
    with pytest.raises(MergeError, match="counted before"):
        _ = fill(events, plan) + fill(events, plan)


def test_counts_with_and_without_weights_do_not_mix() -> None:
    with pytest.raises(MergeError, match="with and without weights"):
        _ = SparseCounts.from_keys([1]) + SparseCounts.from_keys([1], [0.5])


# -- law 1: exclusive cells and their sums -----------------------------------------------------------------------------


@SETTINGS
@given(seed=st.integers(0, 2**32), data=st.data())
def test_every_cell_is_what_masks_event_by_event_give(seed: int, data: st.DataObject) -> None:
    """Against the usual way: select the events of the cell, and `hist.fill` them, flow bins and missing values too."""
    events = make_events(300, seed)
    hists = fill(events, PLAN)
    grid = PLAN.layout.grid
    texts = [data.draw(st.sampled_from(axis.choices)).text for axis in grid.axes]
    cell = grid.cell(" & ".join(filter(None, texts)))
    finite = np.isfinite(events.Muon_pt)
    mu = ak.zip({f: events[f"Muon_{f}"] for f in ("pt", "eta", "phi", "charge")})[finite & (events.Muon_pt > 0)]
    mu = mu[ak.argsort(mu.pt, ascending=False, stable=True)]
    jets = ak.zip({f: events[f"Jet_{f}"] for f in ("pt", "eta", "phi")})[events.Jet_pt > 20.0]
    near = _close(jets, mu)
    n_mu, n_jet = ak.to_numpy(ak.num(mu)), ak.to_numpy(ak.sum(~near, axis=1))
    lead = ak.firsts(mu)
    pt, eta, charge = (ak.to_numpy(ak.fill_none(x, np.nan)).astype(float) for x in (lead.pt, lead.eta, lead.charge))
    inside = _asked(texts[0], np.minimum(n_mu, 2)) & _asked(texts[1], np.minimum(n_jet, 3))
    inside &= {"": np.ones(300, bool), "soft": pt < 30, "!soft": ~(pt < 30)}[texts[2]]
    pair = hists["mu-/mu+", "pt x eta", cell]
    for side, which in ((pair.a, charge < 0), (pair.b, charge > 0)):
        expected = hist.Hist(*pair.a.axes, storage=hist.storage.Int64())
        expected.fill(pt[inside & which], eta[inside & which])
        assert np.array_equal(side.view(flow=True), expected.view(flow=True))


def _close(jets: ak.Array, muons: ak.Array) -> ak.Array:
    pairs = ak.cartesian({"jet": jets, "mu": muons}, nested=True)
    d_phi = abs(ak.values_astype(pairs.jet.phi, float) - ak.values_astype(pairs.mu.phi, float))
    d_phi = ak.where(d_phi > np.pi, 2 * np.pi - d_phi, d_phi)
    d_eta = ak.values_astype(pairs.jet.eta, float) - ak.values_astype(pairs.mu.eta, float)
    return ak.any(d_eta**2 + d_phi**2 < 0.16, axis=-1)


def _asked(text: str, numbers: np.ndarray) -> np.ndarray:
    if not text:
        return np.ones(len(numbers), bool)
    if ">=" in text:
        return numbers >= int(text.split(">=")[1])
    return numbers == int(text.split("=")[1])


@SETTINGS
@given(seed=st.integers(0, 2**32))
def test_exclusive_cells_partition_the_events(seed: int) -> None:
    hists = fill(make_events(200, seed), PLAN)
    grid = PLAN.layout.grid
    exclusive = [choice.text for choice in grid.axes[0].choices if choice.text in ("mu=0", "mu=1", "mu>=2")]
    for name in ("pt x eta", "pt", "pt_1"):
        inclusive = hists["mu-/mu+", name]
        parts = [hists["mu-/mu+", name, f"{text} & {soft}"] for text in exclusive for soft in ("soft", "!soft")]
        assert sum(p.a for p in parts) == inclusive.a
        assert sum(p.b for p in parts) == inclusive.b
        assert inclusive.symmetric == inclusive.a + inclusive.b
        assert np.array_equal(
            inclusive.asymmetric.view(flow=True), inclusive.b.view(flow=True) - inclusive.a.view(flow=True)
        )


@SETTINGS
@given(seed=st.integers(0, 2**32), plan=plans)
def test_no_event_is_lost(seed: int, plan: ScanPlan) -> None:
    """Per symmetry and side: events = bins, flow included, + not filled, for every observable."""
    hists = fill(make_events(200, seed), plan)
    for number, channel in enumerate(hists.layout.channels):
        events = hists.cells(channel.symmetry)
        low = hists.layout.channels[number].base
        counts = hists.counts.between(low, low + hists.layout.grid.n_exclusive * 2 * channel.extent)
        side = (counts.keys - low) // channel.extent % 2
        for which, column in ((0, "n_a"), (1, "n_b")):
            filled = counts.counts[side == which].sum()
            assert filled + hists.not_filled[number, which] == events[column].sum()


@SETTINGS
@given(seed=st.integers(0, 2**32))
def test_swapping_sides_swaps_the_matrices(seed: int) -> None:
    events = make_events(200, seed)
    swapped = ScanPlan(
        "swapped",
        (Symmetry("mu+/mu-", a=positive, b=negative, observables=OBSERVABLES),),
        objects=PLAN.objects,
        cells=PLAN.cells,
    )
    one, two = fill(events, PLAN), fill(events, swapped)
    for name in ("pt x eta", "pt", "pt_1"):
        first, second = one["mu-/mu+", name, "mu>=1"], two["mu+/mu-", name, "mu>=1"]
        assert (first.a, first.b) == (second.b, second.a)
        forth, back = (ddp.stats.n_sigma(*pair.counts).statistic for pair in (first, second))
        assert forth == pytest.approx(-back, abs=1e-12)


@SETTINGS
@given(seed=st.integers(0, 2**32))
def test_weights_are_kept_as_sums_and_sums_of_squares(seed: int) -> None:
    events = make_events(200, seed, spoil=False)
    weighted, plain = fill(events, WEIGHTED), fill(events, PLAN)
    assert np.array_equal(weighted.counts.counts, plain.counts.counts)
    pair = weighted["mu-/mu+", "pt", "mu>=1"]
    lead = ak.firsts(events.Muon_pt[ak.argsort(events.Muon_pt, ascending=False, stable=True)])
    charge = ak.firsts(events.Muon_charge[ak.argsort(events.Muon_pt, ascending=False, stable=True)])
    pt, sign = (ak.to_numpy(ak.fill_none(x, np.nan)).astype(float) for x in (lead, charge))
    expected = hist.Hist(*pair.a.axes, storage=hist.storage.Weight())
    expected.fill(pt[sign > 0], weight=0.5 + pt[sign > 0] / 100.0)
    np.testing.assert_allclose(pair.b.values(flow=True), expected.values(flow=True), rtol=1e-12)
    np.testing.assert_allclose(pair.b.variances(flow=True), expected.variances(flow=True), rtol=1e-12)
    difference = pair.asymmetric
    np.testing.assert_allclose(difference.variances(), pair.a.variances() + pair.b.variances(), rtol=1e-12)


@SETTINGS
@given(seed=st.integers(0, 2**32), place=st.integers(0, 150))
def test_an_event_does_not_see_its_neighbours(seed: int, place: int) -> None:
    """Bit by bit: the features of an event are the same alone and in a chunk."""
    events = make_events(151, seed)
    alone = fill(events[place : place + 1], PLAN).events.to_dataframe()
    all_events = fill(events, PLAN).events.to_dataframe()
    same = all_events[all_events["event"] == events.event[place]].reset_index(drop=True)
    assert alone.equals(same)


# -- law 3 and law 9: sparse, and thinned by identity ------------------------------------------------------------------


def test_empty_cells_cost_nothing() -> None:
    many = tuple(Multiplicity(f"n{i}", last=9, of="mu") for i in range(8))
    plan = ScanPlan("wide", PLAN.symmetries, objects=PLAN.objects, cells=many)
    assert plan.layout.grid.n_exclusive == 10**8
    hists = fill(make_events(100, 1), plan)
    assert len(pickle.dumps(hists)) < 100_000
    assert hists["mu-/mu+", "pt", "n3>=1"].symmetric.sum(flow=True) > 0


@SETTINGS
@given(seed=st.integers(0, 2**32), k=st.integers(1, 30), edges=cuts)
def test_thinning_keeps_the_smallest_hashes_of_every_group(seed: int, k: int, edges: list[int]) -> None:
    rng = np.random.default_rng(seed)
    n, n_cells = 200, 3
    sides = rng.integers(-1, 2, (2, n)).astype(np.int8)
    columns = {
        "run": np.ones(n, np.uint32),
        "luminosityBlock": np.ones(n, np.uint32),
        "event": rng.integers(0, 150, n).astype(np.uint64),  # some events twice: ties
        "cell": rng.integers(0, n_cells, n).astype(np.int32),
        "sides": side_bits(sides),
    }

    def sketch(rows: slice) -> StoredEvents:
        part = {name: values[rows] for name, values in columns.items()}
        return StoredEvents.make(part, max_stored=k, n_symmetries=2, n_exclusive=n_cells)

    whole = sketch(slice(None))
    merged = sketch(slice(edges[0], edges[1]))
    for a, b in itertools.pairwise(edges[1:]):
        merged = sketch(slice(a, b)) + merged
    assert merged == whole
    hashes = identity_hash(columns["run"], columns["luminosityBlock"], columns["event"])
    for symmetry in (0, 1):
        kept = whole.on_symmetry(symmetry)
        for cell in range(n_cells):
            group = np.sort(hashes[(sides[symmetry] >= 0) & (columns["cell"] == cell)])
            bound = group[k] if len(group) > k else ALL
            assert whole.threshold(symmetry, np.array([cell]))[0] == bound
            mine = np.sort(whole.hashes[kept & (whole.columns["cell"] == cell)])
            assert np.array_equal(mine, group[group < bound])


def test_what_was_dropped_is_told() -> None:
    events = make_events(200, 3)
    whole, thinned = fill(events, PLAN), fill(events, THINNED)
    for symmetry in PLAN.layout.symmetries:
        assert whole.dropped(symmetry.name)["dropped"].sum() == 0
        told = thinned.dropped(symmetry.name)
        assert (told["dropped"] == np.maximum(told["events"] - 4, 0)).all()
        assert told["dropped"].sum() > 0
    nothing = fill(events, make_plan(max_stored=0)).dropped("mu-/mu+")
    assert (nothing["dropped"] == nothing["events"]).all()


def test_thinning_treats_both_sides_alike() -> None:
    """One threshold for A and B: of 3 n_A = n_B events, the stored ones keep the ratio (binomial, 4 sigma)."""
    n = 40_000
    rng = np.random.default_rng(7)
    sides = (rng.random((1, n)) < 0.75).astype(np.int8)
    columns = {
        "run": np.ones(n, np.uint32),
        "luminosityBlock": np.arange(n).astype(np.uint32),
        "event": np.arange(n).astype(np.uint64),
        "cell": np.zeros(n, np.int32),
        "sides": side_bits(sides),
    }
    stored = StoredEvents.make(columns, max_stored=4_000, n_symmetries=1, n_exclusive=1)
    assert len(stored) == 4_000
    on_b = np.mean(stored.columns["sides"] == 2)
    assert abs(on_b - sides.mean()) < 4 * np.sqrt(0.75 * 0.25 / 4_000)


# -- the parts ---------------------------------------------------------------------------------------------------------

keys = st.lists(st.integers(0, 50), max_size=60)


@SETTINGS
@given(first=keys, second=keys, third=keys)
def test_sparse_counts_are_multisets(first: list[int], second: list[int], third: list[int]) -> None:
    a, b, c = map(SparseCounts.from_keys, (first, second, third))
    assert (a + b) + c == SparseCounts.from_keys(first + second + third) == c + (b + a)
    dense = np.bincount(first, minlength=51) if first else np.zeros(51, int)
    again = np.zeros(51, int)
    again[a.keys] = a.counts
    assert np.array_equal(again, dense)
    assert pickle.loads(pickle.dumps(a)) == a
    inside = a.between(10, 20)
    assert inside.counts.sum() == sum(10 <= key < 20 for key in first)


@SETTINGS
@given(edges=cuts, order=st.randoms(use_true_random=False))
def test_the_ledger_forgets_how_it_was_cut(edges: list[int], order: object) -> None:
    parts = [Ledger.of(chunk(a, b)) for a, b in itertools.pairwise(edges)]
    order.shuffle(parts)  # type: ignore[attr-defined]
    joined = sum(parts[1:], start=parts[0])
    assert joined == Ledger.of(chunk(0, 200))
    assert Ledger.from_dict(joined.to_dict()) == joined


def test_what_was_missing_and_came_later_is_not_missing() -> None:
    late = Missing("data", "/a.root", 50, 100, "timeout", "Events", "uuid-a")
    lost = Ledger.of(chunk(0, 50)).without([late, Missing("data", "/b.root", tree="Events")])
    assert lost.partial
    found = lost + Ledger.of(chunk(50, 100))
    assert [missing.filename for missing in found.missing] == ["/b.root"]
    assert (found + Ledger.of(chunk(0, 10, "b"))).partial
    assert not (found + Ledger.of(chunk(0, 10, "b")) + Ledger.of(chunk(10, 100, "b"))).partial


grids = st.lists(
    st.one_of(
        st.integers(1, 4).map(lambda last: ("m", last)),
        st.just(("t", 1)),
    ),
    max_size=4,
).map(
    lambda kinds: CellGrid(
        tuple(Multiplicity(f"m{i}", last=n) if k == "m" else Topology(f"t{i}") for i, (k, n) in enumerate(kinds))
    )
)


@SETTINGS
@given(grid=grids, data=st.data())
def test_cells_read_back_as_they_are_written(grid: CellGrid, data: st.DataObject) -> None:
    texts = [data.draw(st.sampled_from(axis.choices)).text for axis in grid.axes]
    chosen = [text for text in texts if text]
    cell = grid.cell(" & ".join(data.draw(st.permutations(chosen))))
    assert cell.conditions == tuple(chosen)
    assert grid.cell(str(cell)) == grid.cell(cell) == grid.cell(", ".join(chosen)) == cell
    assert CellGrid.from_dict(grid.to_dict()) == grid


@SETTINGS
@given(grid=grids, seed=st.integers(0, 2**32))
def test_codes_are_a_numbering_of_the_exclusive_cells(grid: CellGrid, seed: int) -> None:
    codes = np.arange(grid.n_exclusive)
    assert np.array_equal(grid.encode(list(grid.decode(codes)), len(codes)), codes)
    values = np.random.default_rng(seed).integers(0, 9, (len(grid.axes), 50))
    encoded = grid.encode(list(values), 50)
    assert ((encoded >= 0) & (encoded < grid.n_exclusive)).all()
    clipped = [np.minimum(v, axis.bins - 1) for v, axis in zip(values, grid.axes, strict=True)]
    assert np.array_equal(grid.decode(encoded), np.array(clipped).reshape(len(grid.axes), 50))
