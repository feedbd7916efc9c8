"""The pass: bins as `hist` makes them, purity, odd inputs, and every way in which coffea hands over events."""

from __future__ import annotations

import copy
import itertools
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path

import awkward as ak
import hist
import numpy as np
import pytest
import uproot
from coffea.nanoevents import BaseSchema, NanoAODSchema, NanoEventsFactory
from hypothesis import given
from hypothesis import strategies as st
from makers import OBJECTS, random_events, select, with_branches

from coffea_ddp import observables as obs
from coffea_ddp import selections, symmetries, testing
from coffea_ddp.errors import FileError, MissingBranchError, OverlapError
from coffea_ddp.filling import fill, needed_branches
from coffea_ddp.histograms.cells import Multiplicity
from coffea_ddp.histograms.ledger import Chunk
from coffea_ddp.plan.observables import Feature, observable
from coffea_ddp.plan.plan import ScanPlan
from coffea_ddp.plan.plan_files import load_plan
from coffea_ddp.plan.symmetry import Symmetry

TWO = (observable(obs.m_coll, obs.pt_l0), observable(obs.m_t, obs.h_t), observable(obs.dphi_l0_met))
PLAN = ScanPlan(
    "pass", (symmetries.e_mu(TWO), symmetries.emu_mue_os(TWO)), objects=OBJECTS, cells=(Multiplicity("j", last=2),)
)


class QuietSchema(NanoAODSchema):  # type: ignore[misc]
    """coffea's own schema, without its warnings about what small files lack."""

    warn_missing_crossrefs = False
    error_missing_event_ids = False


# -- bins --------------------------------------------------------------------------------------------------------------

odd = st.sampled_from([np.nan, np.inf, -np.inf, -1e30, 1e30, 0.0, -0.0, 1.0, 5.0, 10.0, 9.999999999, -1e-12, 0.5])
values = st.lists(st.one_of(odd, st.floats(-5.0, 15.0)), min_size=1, max_size=60)
AXES = {
    "regular": hist.axis.Regular(7, 0.0, 10.0, name="x"),
    "variable": hist.axis.Variable([0.0, 0.5, 1.0, 5.0, 10.0], name="x"),
    "log": hist.axis.Regular(5, 0.5, 10.0, name="x", transform=hist.axis.transform.log),
    "integer": hist.axis.Integer(0, 10, name="x"),
    "integer around 0": hist.axis.Integer(-3, 3, name="x"),
}


def filled_with(each: list[np.ndarray], axes: tuple[hist.axis.AxesMixin, ...]) -> object:
    """Return what a plan fills for given values of one or two features: even events on A, odd ones on B."""
    features = [Feature(f"f{i}", "", "", lambda ev, v=v: v, 0.0, 1.0) for i, v in enumerate(each)]
    number = np.arange(len(each[0]))
    parity = Symmetry(
        "A/B", lambda _: number % 2 == 0, lambda _: number % 2 == 1, (observable(*features, axes=axes, name="o"),)
    )
    return fill(ak.Array({"x": number}), ScanPlan("bins", (parity,), objects=()))


@pytest.mark.parametrize("kind", AXES)
@given(each=values)
def test_bins_are_those_of_hist(kind: str, each: list[float]) -> None:
    """Edges, flow bins and all; what is not finite is in no bin and counted."""
    found = np.array(each)
    axis = AXES[kind]
    hists = filled_with([found], (axis,))
    pair = hists["A/B", "o"]
    finite = np.isfinite(found)
    for side, h in enumerate((pair.a, pair.b)):
        expected = hist.Hist(axis, storage=hist.storage.Int64())
        mine = found[(np.arange(len(found)) % 2 == side) & finite]
        # hist takes integers only for an Integer axis: the bin [n, n + 1) of a number is that of its floor.
        expected.fill(np.clip(np.floor(mine), -1e6, 1e6).astype(int) if "integer" in kind else mine)
        assert np.array_equal(h.view(flow=True), expected.view(flow=True))
        assert pair.not_filled[side] == np.count_nonzero(~finite[side::2])


@pytest.mark.parametrize(("first", "second"), [("regular", "variable"), ("integer", "log")])
@given(each=values, other=values)
def test_matrices_are_those_of_hist(first: str, second: str, each: list[float], other: list[float]) -> None:
    n = min(len(each), len(other))
    x, y = np.array(each[:n]), np.array(other[:n])
    axes = tuple(type(axis)(**_options(axis, name)) for axis, name in ((AXES[first], "x"), (AXES[second], "y")))
    pair = filled_with([x, y], axes)["A/B", "o"]
    finite = np.isfinite(x) & np.isfinite(y)
    for side, h in enumerate((pair.a, pair.b)):
        mine = finite & (np.arange(n) % 2 == side)
        expected = hist.Hist(*axes, storage=hist.storage.Int64())
        columns = [
            np.clip(np.floor(v[mine]), -9, 99).astype(int) if "integer" in k else v[mine]
            for k, v in ((first, x), (second, y))
        ]
        expected.fill(*columns)
        assert np.array_equal(h.view(flow=True), expected.view(flow=True))
        assert h.sum(flow=True) + pair.not_filled[side] == len(x[side::2])


@given(data=st.data())
def test_symmetries_that_share_features_are_counted_as_each_alone(data: st.DataObject) -> None:
    """Bins are made once for all symmetries, of the events that any of them wants; weights do not change the counts."""
    n = data.draw(st.integers(1, 40))
    found = [np.array(data.draw(st.lists(st.one_of(odd, st.floats(-5.0, 15.0)), min_size=n, max_size=n))) for _ in "ab"]
    one, two = (
        Feature(name, "", "", lambda ev, v=v: v[ev.entries], 0.0, 1.0) for name, v in zip("ab", found, strict=True)
    )
    axes = [
        hist.axis.Regular(7, 0.0, 10.0, name="x"),
        hist.axis.Variable([0.0, 0.5, 1.0, 5.0, 10.0], name="y"),
        hist.axis.Integer(0, 10, name="y"),
    ]
    observables = (
        observable(one, two, axes=(axes[0], axes[1]), name="both"),
        observable(two, axes=(axes[1],), name="same axis"),
        observable(two, axes=(axes[2],), name="another axis"),
    )
    sides = [np.array(data.draw(st.lists(st.integers(-1, 1), min_size=n, max_size=n))) for _ in range(3)]
    several = tuple(
        Symmetry.from_side(f"A{i}/B{i}", lambda ev, s=side: s[ev.entries], observables[i % 2 :])
        for i, side in enumerate(sides)
    )
    events = ak.Array({"x": np.arange(n)})
    together = fill(events, ScanPlan("shared", several, objects=()))
    weighted = fill(events, ScanPlan("shared", several, objects=()), weight=np.ones(n))
    assert np.array_equal(together.counts.keys, weighted.counts.keys)
    assert np.array_equal(together.counts.counts, weighted.counts.counts)
    for mine in several:
        alone = fill(events, ScanPlan("alone", (mine,), objects=()))
        for observed in mine.observables:
            pair, expected = together[mine.name, observed.name], alone[mine.name, observed.name]
            for side in ("a", "b"):
                assert np.array_equal(getattr(pair, side).view(flow=True), getattr(expected, side).view(flow=True))
            assert tuple(pair.not_filled) == tuple(expected.not_filled)


def _options(axis: hist.axis.AxesMixin, name: str) -> dict[str, object]:
    if isinstance(axis, hist.axis.Variable):
        return {"edges": axis.edges, "name": name}
    if isinstance(axis, hist.axis.Integer):
        return {"start": int(axis.edges[0]), "stop": int(axis.edges[-1]), "name": name}
    return {
        "bins": len(axis),
        "start": axis.edges[0],
        "stop": axis.edges[-1],
        "name": name,
        "transform": axis.transform,
    }


# -- purity and odd events ---------------------------------------------------------------------------------------------


def test_it_is_pure() -> None:
    events = random_events(80, 1)
    before = copy.deepcopy(events)
    plan = pickle.dumps(PLAN.layout)
    assert fill(events, PLAN) == fill(events, PLAN)
    assert ak.array_equal(events, before)
    assert pickle.dumps(PLAN.layout) == plan


@given(seed=st.integers(0, 2**32), data=st.data())
def test_any_order_of_the_events_gives_the_same(seed: int, data: st.DataObject) -> None:
    events = random_events(60, seed)
    order = np.array(data.draw(st.permutations(range(60))))
    assert fill(events[order], PLAN) == fill(events, PLAN)


def test_a_broken_missing_momentum_is_not_filled_and_nobody_is_warned() -> None:
    broken = np.array([np.nan, np.inf, -np.inf, 30.0, 30.0, 30.0, 30.0, 30.0])
    angles = np.array([0.0, 0.0, 0.0, np.nan, np.inf, -np.inf, 0.0, 1.0])
    events = with_branches(random_events(80, 2), MET_pt=np.tile(broken, 10), MET_phi=np.tile(angles, 10))
    hists = fill(events, PLAN)
    selected = select(events)
    on = selected.count("lepton") > 0
    bad = on & ~np.isin(np.arange(80) % 8, (6, 7))
    assert sum(hists["e/mu", "dphi_l0_met"].not_filled) == np.count_nonzero(bad)
    assert hists.cutflow["missing pT is NaN, infinite or negative"] == np.count_nonzero(bad)
    assert not any("missing pT" in step for step in fill(random_events(80, 2), PLAN).cutflow)
    assert sum(hists["e/mu", "m_t x h_t"].not_filled) == np.count_nonzero(bad)
    assert hists["e/mu", "m_t x h_t"].symmetric.sum(flow=True) == np.count_nonzero(on & ~bad)


def test_what_is_told_of_missing_momenta_does_not_depend_on_the_chunk() -> None:
    """A selection that asks for it, and nothing after that: of no chunk, be all of its events on a side or not."""
    events = with_branches(random_events(40, seed=3), MET_pt=np.where(np.arange(40) % 3, 30.0, np.nan))
    by_number = Symmetry("A/B", lambda ev: ev.entries % 4 == 0, lambda ev: ev.entries % 4 == 1, ())
    everywhere = Symmetry("A/B", lambda ev: ev.entries % 2 == 0, lambda ev: ev.entries % 2 == 1, ())
    for symmetry in (by_number, everywhere):
        plan = ScanPlan("asks", (symmetry,), objects=OBJECTS, selection=lambda ev: ~(ev.met.pt < 0))
        hists = fill(events, plan)
        assert not any("missing pT" in step for step in hists.cutflow)


def test_objects_that_are_not_finite_are_counted_in_the_cutflow() -> None:
    events = random_events(50, 3)
    pt = ak.to_numpy(ak.flatten(events.Muon_pt)).copy()
    pt[:3] = np.nan, np.inf, -np.inf
    eta = ak.to_numpy(ak.flatten(events.Jet_eta)).copy()
    eta[::10] = np.nan
    spoiled = with_branches(
        events,
        Muon_pt=ak.unflatten(pt, ak.num(events.Muon_pt)),
        Jet_eta=ak.unflatten(eta, ak.num(events.Jet_eta)),
    )
    assert fill(spoiled, PLAN).cutflow["mu: NaN or infinite"] == 3
    assert fill(spoiled, PLAN).cutflow["j: NaN or infinite"] == len(eta[::10])
    assert not any("NaN" in step for step in fill(events, PLAN).cutflow)
    # They are as good as absent: the output is that of the events without them.
    muons, jets = np.isfinite(spoiled.Muon_pt), np.isfinite(spoiled.Jet_eta)
    absent = {name: spoiled[name][muons] for name in spoiled.fields if name.startswith("Muon_")}
    absent |= {name: spoiled[name][jets] for name in spoiled.fields if name.startswith("Jet_")}
    without, hists = fill(with_branches(spoiled, **absent), PLAN), fill(spoiled, PLAN)
    assert hists.counts == without.counts
    assert hists.events == without.events
    assert hists != without  # the cutflow tells


def test_the_cutflow_counts_every_step() -> None:
    events = with_branches(random_events(200, 4), HLT_A=np.arange(200) % 3 == 0)
    plan = ScanPlan(
        "steps", PLAN.symmetries, objects=OBJECTS,
        good_runs=selections.GoodRuns.from_dict({"5": [[1, 15]]}),
        trigger=selections.Trigger(("HLT_A",)),
        selection=selections.LeadingAbove("lepton", 30.0),
    )  # fmt: skip
    good = ak.to_numpy(events.luminosityBlock) <= 15
    fired = good & (np.arange(200) % 3 == 0)
    lead = select(events).leading("lepton").pt
    hists = fill(events, plan)
    assert hists.cutflow == {
        "events": 200,
        "good luminosity blocks": np.count_nonzero(good),
        "trigger": np.count_nonzero(fired),
        "selection": np.count_nonzero(fired & (lead > 30.0)),
        "on a side of a symmetry": np.count_nonzero(fired & (lead > 30.0)),
    }
    assert hists.cells("e/mu")[["n_a", "n_b"]].to_numpy().sum() == hists.cutflow["selection"]


@pytest.mark.parametrize("n", [0, 5])
def test_nothing_left(n: int) -> None:
    """No events; or events of which the selection leaves none."""
    nobody = ScanPlan("none", PLAN.symmetries, objects=OBJECTS, cells=PLAN.cells, selection=lambda ev: ev.met.pt < 0)
    hists = fill(random_events(5, 1)[:n], nobody)
    assert hists.n_events == n
    assert hists.cutflow["selection"] == len(hists.counts) == len(hists.events) == 0
    assert hists["e/mu", "dphi_l0_met", "j>=1"].symmetric.sum(flow=True) == 0
    whole = fill(random_events(40, 1), PLAN)
    assert whole + fill(random_events(5, 1)[:0], PLAN) == whole


def test_a_plan_without_symmetries_or_weights_still_passes() -> None:
    for options in ({}, {"weight": lambda ev: np.ones(ev.n_events)}):
        hists = fill(random_events(5, 1), ScanPlan("empty", (), objects=OBJECTS, **options))  # type: ignore[arg-type]
        assert (hists.n_events, len(hists.counts), len(hists.events)) == (5, 0, 0)
        assert hists + hists is not None


def test_overlap_names_symmetry_file_and_number() -> None:
    events = random_events(60, 5)
    both = Symmetry("p/q", lambda ev: ev.count("e") > 0, lambda ev: ev.count("mu") > 0, ())
    chunk = Chunk("data", "some.root", "Events", "uuid", 100, 160)
    n = np.count_nonzero((select(events).count("e") > 0) & (select(events).count("mu") > 0))
    with pytest.raises(OverlapError, match=rf"'p/q': {n} of 60 events in some\.root \(entries 100 to 160\)"):
        fill(events, ScanPlan("x", (both,), objects=OBJECTS), chunk=chunk)


def test_files_without_run_and_event_numbers() -> None:
    """The entry of the file is the identity then: unique in a file, the same whatever the chunks."""
    events = random_events(90, 6)
    bare = ak.Array({n: events[n] for n in events.fields if n not in ("run", "luminosityBlock", "event")})
    plan = ScanPlan("bare", PLAN.symmetries, objects=OBJECTS, cells=PLAN.cells, max_stored=6)

    def part(start: int, stop: int) -> object:
        return fill(bare[start:stop], plan, chunk=Chunk("d", "a.root", "Events", "uuid", start, stop))

    whole = part(0, 90)
    assert part(0, 40) + part(40, 90) == whole
    assert whole.choices["event identity"] == ("file and entry",)
    table = whole.events.to_dataframe()
    assert table["event"].is_unique
    assert table["event"].max() < 90
    other = fill(bare, plan, chunk=Chunk("d", "b.root", "Events", "other uuid", 0, 90)).events.to_dataframe()
    assert set(table["luminosityBlock"]).isdisjoint(other["luminosityBlock"])


def test_the_branches_that_a_plan_needs_are_those_it_reads() -> None:
    events = random_events(30, 7)
    names = needed_branches(events, PLAN)
    assert {"run", "event", "Electron_pt", "Muon_charge", "Jet_mass", "MET_phi"} <= set(names)
    assert "Electron_mass" not in names  # the plan gives it
    assert fill(ak.Array({name: events[name] for name in names}), PLAN) == fill(events, PLAN)
    for name in names:
        less = ak.Array({n: events[n] for n in names if n != name})
        if name in ("run", "luminosityBlock", "event"):
            continue
        with pytest.raises(MissingBranchError, match=name.split("_")[0]):
            needed_branches(less, PLAN)


# -- coffea ------------------------------------------------------------------------------------------------------------


def nano(path: Path, schema: type = QuietSchema, mode: str = "virtual", **options: object) -> ak.Array:
    with warnings.catch_warnings():
        # coffea: "Branch Photon_mass already exists but its values will be replaced with 0.0".
        warnings.filterwarnings("ignore", message="Branch .* already exists", category=RuntimeWarning)
        return NanoEventsFactory.from_root({str(path): "Events"}, schemaclass=schema, mode=mode, **options).events()


@pytest.mark.parametrize("container", ["ttree", "rntuple"])
@pytest.mark.parametrize("version", [6, 9, 15])
def test_every_way_to_read_a_file(tmp_path: Path, version: int, container: testing.Container) -> None:
    """Schemas, modes and plain uproot: the same output, from a TTree and from an RNTuple."""
    path = testing.make_nanoaod(tmp_path / "nano.root", events=400, seed=3, version=version, container=container)
    plan = load_plan("symmetries")
    with uproot.open(path) as file:
        plain = fill(file["Events"].arrays(filter_name=lambda name: not name.startswith("n")), plan)
    assert plain.cutflow["on a side of a symmetry"] > 50
    for schema, mode in itertools.product((QuietSchema, BaseSchema), ("virtual", "eager")):
        assert fill(nano(path, schema, mode), plan) == plain, (schema, mode)


def test_a_real_file_eager_and_virtual(shared: Callable[[str], Path]) -> None:
    path, plan = shared("nanoaod_real/nano_tree.root"), load_plan("symmetries")
    virtual = fill(nano(path), plan)
    assert virtual.n_events == 10
    assert fill(nano(path, BaseSchema, mode="eager"), plan) == virtual


def test_a_real_file_without_events(shared: Callable[[str], Path]) -> None:
    with uproot.open(shared("nanoaod_real/nano_dy_empty.root")) as file:
        events = file["Events"].arrays(filter_name=lambda name: not name.startswith(("n", "L1", "HLT")))
    hists = fill(events, load_plan("symmetries"))
    assert (hists.n_events, len(hists.counts)) == (0, 0)


def test_chunks_of_a_file_know_where_they_are(tmp_path: Path) -> None:
    """What coffea's Runner writes into the metadata is the provenance; the same chunk twice is refused."""
    path = testing.make_nanoaod(tmp_path / "nano.root", events=300, seed=1)
    plan = load_plan("symmetries")
    parts = []
    for start, stop in ((0, 120), (120, 300)):
        where = {
            "dataset": "d",
            "filename": str(path),
            "treename": "Events",
            "fileuuid": "u",
            "entrystart": start,
            "entrystop": stop,
        }
        parts.append(fill(nano(path, entry_start=start, entry_stop=stop, metadata=where), plan))
    total = parts[1] + parts[0]
    assert total.ledger.files["u", "Events"].intervals == ((0, 300),)
    assert total.events == fill(nano(path), plan).events
    assert total.counts == fill(nano(path), plan).counts
    with pytest.raises(Exception, match=r"entries 0 to 120 of .*nano\.root were counted before"):
        _ = total + parts[0]


def test_a_corrupt_branch_is_named(tmp_path: Path) -> None:
    good = testing.make_nanoaod(tmp_path / "nano.root", events=300, seed=1)
    bad = testing.make_corrupt(good, tmp_path / "bad.root", branch="Jet_eta")
    with pytest.raises(FileError, match="branch Jet_eta cannot be read"):
        fill(nano(bad), load_plan("symmetries"))


@pytest.mark.parametrize(
    ("branch", "what"),
    [
        ("Muon_mediumId", "identification of the object 'mu'"),
        ("Tau_dz", "impact parameter dz of the object 'tau'"),
        ("Jet_mass", "object 'j'"),
    ],
)
def test_a_missing_branch_is_named_with_the_object_that_needs_it(tmp_path: Path, branch: str, what: str) -> None:
    path = testing.make_nanoaod(tmp_path / "nano.root", events=20, drop=[branch])
    for schema in (QuietSchema, BaseSchema):
        with pytest.raises(MissingBranchError, match=rf"no branch {branch} \(needed for the {what}\)"):
            fill(nano(path, schema), load_plan("symmetries"))
