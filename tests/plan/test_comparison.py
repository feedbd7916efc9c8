"""Comparisons in a plan: what they refuse, and what one pass counts of data and of simulation."""

from __future__ import annotations

import dataclasses

import awkward as ak
import hist
import numpy as np
import pytest

from coffea_ddp.errors import InputError, PlanError
from coffea_ddp.filling import fill
from coffea_ddp.histograms.cells import Multiplicity
from coffea_ddp.plan.comparison import Comparison, Shift, Variation
from coffea_ddp.plan.datasets import Dataset, described
from coffea_ddp.plan.observables import Feature, observable
from coffea_ddp.plan.plan import ScanPlan
from coffea_ddp.plan.symmetry import Symmetry
from tests.support.makers import OBJECTS, random_events, with_branches

PT = Feature("pt", "pT", "GeV", lambda ev: ev.leading("lepton").pt, 0.0, 200.0)
M = observable(PT, axes=(hist.axis.Regular(10, 0.0, 200.0, name="pt"),))
N = 400


def plan_of(*variations, **options) -> ScanPlan:
    comparison = Comparison(observables=(M,), variations=variations, **options)
    return ScanPlan("compared", (), OBJECTS, (Multiplicity("j", last=2),), comparisons=(comparison,))


def weighted(seed: int = 1):
    rng = np.random.default_rng(seed)
    return with_branches(random_events(N, seed), genWeight=rng.choice([-1.5, 1.5], N, p=[0.2, 0.8]))


def column(hists, name: str, number: int = 0, field: str = "sum_w") -> np.ndarray:
    """Return the contents of the observable of one column of a sample, over all cells."""
    channel = hists.layout.comparison_channel("data/simulation", "pt")
    sample = hists.samples[name]
    mine = sample.counts.between(channel.base, channel.end(hists.layout.grid.n_exclusive))
    cell_side, place = np.divmod(mine.keys - channel.base, channel.extent)
    chosen = cell_side % channel.n_sides == number
    values = getattr(mine, field) if getattr(mine, field) is not None else mine.counts
    return np.bincount(place[chosen], values[chosen], minlength=channel.extent)


def expected(events, weights) -> np.ndarray:
    """Return what `hist` makes of the leading lepton, selected by hand."""
    from tests.support.makers import select

    chosen = select(events)
    pt = chosen.leading("lepton").pt
    inside = np.isfinite(pt)
    made = hist.Hist(hist.axis.Regular(10, 0.0, 200.0), storage="weight").fill(pt[inside], weight=weights[inside])
    return made.view(flow=True)["value"]


def test_the_kind_of_the_dataset_is_the_side():
    events, plan = random_events(N, 1), plan_of()
    data = fill(events, plan, dataset=Dataset("mu", "data"))
    assert data.samples["mu"].is_data
    assert column(data, "mu", field="counts") == pytest.approx(expected(events, np.ones(N)))
    simulated = fill(weighted(), plan, dataset=Dataset("dy"))
    assert simulated.samples["dy"].kind == "simulation"
    assert fill(events, plan, dataset=Dataset("x", "simulation", generator_weight="")).samples["x"].kind == "simulation"
    assert not len(data.counts)


def test_generator_weights_are_summed_and_never_scaled():
    events = weighted(2)
    plan = plan_of(weight=lambda ev: np.full(ev.n_events, 2.0))
    dataset = dataclasses.replace(described("dy", {"cross_section": 6077.0, "weight": 3.0}), of_file=500.0)
    hists = fill(events, plan, dataset=dataset)
    w = np.asarray(events.genWeight)
    assert column(hists, "dy") == pytest.approx(expected(events, 2.0 * w))
    assert column(hists, "dy", field="sum_w2") == pytest.approx(expected(events, 4.0 * w**2))
    assert column(hists, "dy", field="counts") == pytest.approx(expected(events, np.ones(N)))
    sample = hists.samples["dy"]
    assert sample.sums == {("", ""): 500.0}
    assert sample.negative == int((w < 0).sum())
    assert (sample.normalisation.cross_section, sample.normalisation.factor) == (6077.0, 3.0)


def test_sides_can_have_conditions():
    def muon(ev):
        return ev.count("mu") >= 1

    events, plan = weighted(3), plan_of(data=muon)
    assert column(fill(events, plan, dataset=Dataset("mc")), "mc").sum() != 0
    everything = fill(events, plan, dataset=Dataset("mc")).samples["mc"].counts.counts.sum()
    data, all_data = (fill(events, one, dataset=Dataset("d", "data")) for one in (plan, plan_of()))
    assert data.samples["d"].counts.counts.sum() < all_data.samples["d"].counts.counts.sum()
    fewer = fill(events, plan_of(simulation=muon), dataset=Dataset("mc")).samples["mc"].counts.counts.sum()
    assert fewer < everything


def test_weights_of_variations_are_columns():
    events, w = weighted(4), np.asarray(weighted(4).genWeight)
    up = Variation("efficiency", up=lambda ev: np.full(ev.n_events, 1.1))
    both = Variation("pile-up", up=lambda ev: np.full(ev.n_events, 1.2), down=lambda ev: np.full(ev.n_events, 0.7))
    hists = fill(events, plan_of(up, both), dataset=Dataset("mc"))
    nominal = expected(events, w)
    for number, factor in enumerate((1.0, 1.1, 0.9, 1.2, 0.7)):
        assert column(hists, "mc", number) == pytest.approx(factor * nominal)
    data = fill(events, plan_of(up), dataset=Dataset("d", "data"))
    assert not column(data, "d", 1, "counts").any()


def test_shifted_objects_are_selected_anew():
    events, w = weighted(5), np.asarray(weighted(5).genWeight)
    hists = fill(events, plan_of(Shift("muon energy", "Muon_pt", 1.2)), dataset=Dataset("mc"))
    moved = with_branches(events, Muon_pt=events.Muon_pt * np.float32(1.2))
    assert column(hists, "mc") == pytest.approx(expected(events, w))
    assert column(hists, "mc", 1) == pytest.approx(expected(moved, w), abs=1e-6)
    assert column(hists, "mc", 2).sum() != column(hists, "mc", 1).sum()
    named = with_branches(events, Muon_ptUp=events.Muon_pt * np.float32(1.2), Muon_ptDown=events.Muon_pt)
    again = fill(named, plan_of(Shift("muon energy", "Muon_pt", "Muon_ptUp", "Muon_ptDown")), dataset=Dataset("mc"))
    assert column(again, "mc", 1) == pytest.approx(column(hists, "mc", 1), abs=1e-6)
    assert column(again, "mc", 2) == pytest.approx(column(hists, "mc"))


def test_symmetries_beside_a_comparison_are_those_of_the_data():
    symmetry = Symmetry("e/mu", lambda ev: ev.count("e") > 0, lambda ev: ev.count("e") == 0, (M,))
    plan = dataclasses.replace(plan_of(), symmetries=(symmetry,))
    data = fill(random_events(N, 6), plan, dataset=Dataset("d", "data"))
    both = data + fill(weighted(7), plan, dataset=Dataset("mc", weight=2.0))
    assert both.counts == data.counts
    assert set(both.samples) == {"d", "mc"}
    alone = fill(random_events(N, 6), dataclasses.replace(plan, comparisons=()), dataset=Dataset("d", "data"))
    assert np.array_equal(alone.counts.counts, data.counts.counts)


def test_events_tell_their_dataset():
    seen = {}

    def look(ev):
        seen[ev.dataset] = ev.is_data
        return np.ones(ev.n_events, dtype=bool)

    plan = dataclasses.replace(plan_of(), selection=look)
    fill(random_events(9, 1), plan, dataset=Dataset("mu", "data"))
    fill(weighted(1), plan, dataset=Dataset("dy"))
    assert seen == {"mu": True, "dy": False}


def test_what_weights_cannot_be_is_an_error():
    plan = plan_of()
    with pytest.raises(InputError, match=r"dataset .mc.*without the branch genWeight.*false where every event"):
        fill(random_events(5, 1), plan, dataset=Dataset("mc", "simulation"))
    with pytest.raises(InputError, match="compares data with simulation"):
        fill(weighted(), plan, weight=np.ones(N))
    wrong = plan_of(Variation("v", up=lambda ev: np.full(ev.n_events, np.nan)))
    with pytest.raises(InputError, match=r"variation .v.*nan"):
        fill(weighted(), wrong, dataset=Dataset("mc"))
    with pytest.raises(InputError, match=r"shift .s. of Muon_pt.*one number for each"):
        fill(weighted(), plan_of(Shift("s", "Muon_pt", lambda pt: pt[:1], 1.0)), dataset=Dataset("mc"))


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Comparison(data="SingleMuon"), "data='SingleMuon' is no function; the sides are the kinds"),
    (lambda: Comparison(observables=(M, M)), "each needs a name"),
    (lambda: Comparison(observables=(3,)), "observables"),
    (lambda: Variation("v", up=1.1), "up=1.1 is no function"),
    (lambda: Shift("s", "Jet_pt", "Jet_ptUp"), "give down= as well"),
    (lambda: Shift("s", "Jet_pt", -1.0), "a factor above 0"),
    (lambda: ScanPlan("p", comparisons=(Comparison(), Comparison())), "symmetries and comparisons"),
    (lambda: ScanPlan("p", comparisons=(Comparison(),), weight=lambda ev: 1.0), "weight and comparisons"),
])  # fmt: skip
def test_what_a_plan_refuses(make, message):
    with pytest.raises(PlanError, match=message):
        make()


def test_a_plan_without_comparisons_keeps_its_fingerprint():
    plan = ScanPlan("p")
    assert dataclasses.replace(plan, comparisons=()).fingerprint == plan.fingerprint
    assert plan_of().fingerprint != plan_of(Shift("s", "Muon_pt", 1.1)).fingerprint


def test_chunks_add_up():
    events, plan = weighted(8), plan_of(Shift("muon energy", "Muon_pt", 1.2))
    whole = fill(events, plan, dataset=Dataset("mc"))
    parts = [fill(events[part], plan, dataset=Dataset("mc")) for part in (slice(0, 130), slice(130, None))]
    assert parts[0] + parts[1] == whole
    assert ak.num(events, axis=0) == N
