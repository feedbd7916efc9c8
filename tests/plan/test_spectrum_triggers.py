"""Triggers of spectra: events come from the datasets that have them, each once, whatever the order of datasets."""

from __future__ import annotations

import itertools

import hist
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import OBJECTS, random_events, with_branches

from coffea_ddp import testing
from coffea_ddp.errors import InputError, MissingBranchError
from coffea_ddp.filling import fill
from coffea_ddp.plan.datasets import Dataset, check_triggers, datasets
from coffea_ddp.plan.masses.combinations import combination
from coffea_ddp.plan.plan import ScanPlan
from coffea_ddp.plan.plan_files import load_plan
from coffea_ddp.plan.selections import Trigger
from coffea_ddp.plan.spectrum import Spectrum
from coffea_ddp.running.driver import run

PATHS = ("HLT_E", "HLT_MU", "HLT_JET")
NEEDS = {"2j": ("HLT_JET",), "mu+j": ("HLT_MU",), "e+mu": ("HLT_E", "HLT_MU"), "2mu": ("HLT_MU", "HLT_JET")}


def spectrum(name: str, trigger: Trigger | None = None) -> Spectrum:
    axis = hist.axis.Regular(20, 0.0, 1e4, name="mass")
    return Spectrum(name, combination(name), axis, trigger=trigger)


def plan(**options: object) -> ScanPlan:
    spectra = tuple(spectrum(name, Trigger(paths)) for name, paths in NEEDS.items())
    return ScanPlan("triggers", objects=OBJECTS, spectra=(*spectra, spectrum("2e")), **options)  # type: ignore[arg-type]


def events_with_paths(seed: int) -> object:
    rng = np.random.default_rng(seed)
    return with_branches(random_events(120, seed), **{path: rng.random(120) < 0.4 for path in PATHS})


def entries(hists: object, name: str) -> int:
    return int(hists.spectrum(name).hist.values(flow=True).sum())  # type: ignore[attr-defined]


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 1000), order=st.permutations(PATHS), cuts=st.sets(st.integers(1, 2)), last=st.integers(1, 3))
def test_every_event_counts_once_in_any_order_of_datasets(
    seed: int, order: list[str], cuts: set[int], last: int
) -> None:
    """A primary dataset holds what fired one of its paths; datasets overlap, and a spectrum sees each event once."""
    edges = [0, *sorted(cut for cut in cuts if cut < last), last]
    has = [order[first:stop] for first, stop in itertools.pairwise(edges)]
    events, thing = events_with_paths(seed), plan()
    fileset = {f"d{number}": {"metadata": {"triggers": paths}} for number, paths in enumerate(has)}
    total = None
    for dataset in datasets(fileset).values():
        held = events[np.logical_or.reduce([events[path] for path in dataset.triggers])]
        part = fill(held, thing, dataset=dataset)
        total = part if total is None else total + part
    offered = {path for paths in has for path in paths}
    for name, paths in NEEDS.items():
        mine = [path for path in paths if path in offered]
        fired = np.logical_or.reduce([np.zeros(120, bool), *(events[path].to_numpy() for path in mine)])
        assert entries(total, name) == entries(fill(events[fired], spectra_without(thing)), name), name
    # A spectrum without a trigger of its own sees each event once, too.
    any_of = events[np.logical_or.reduce([events[path].to_numpy() for path in offered])]
    assert entries(total, "2e") == entries(fill(any_of, spectra_without(thing)), "2e")


def spectra_without(thing: ScanPlan) -> ScanPlan:
    return ScanPlan("bare", objects=OBJECTS, spectra=tuple(spectrum(one.name) for one in thing.spectra))


def test_without_paths_of_datasets_a_spectrum_asks_its_own_trigger() -> None:
    events = events_with_paths(5)
    found = fill(events, plan(trigger=Trigger(("HLT_E",)), selection=lambda ev: ev.count("j") > 0))
    some = events[events["HLT_JET"]]
    bare = spectra_without(plan())
    assert entries(found, "2j") == entries(fill(some, bare), "2j") > 0
    electrons = fill(events[events["HLT_E"]], ScanPlan("e", objects=OBJECTS, spectra=(spectrum("2e"),),
                                                      selection=lambda ev: ev.count("j") > 0))  # fmt: skip
    assert entries(found, "2e") == entries(electrons, "2e") > 0


def test_weights_go_with_their_events() -> None:
    events = events_with_paths(6)
    weighted = fill(events, plan(), weight=np.where(events["HLT_JET"], 2.0, 0.0))
    counted = fill(events, plan())
    assert weighted.spectrum("2j").hist.values().sum() == 2.0 * entries(counted, "2j") > 0


def test_the_cutflow_and_the_choices_say_what_was_used() -> None:
    events = events_with_paths(7)
    thing = ScanPlan("named", objects=OBJECTS, spectra=(spectrum("2j", Trigger(("HLT_JET",), name="jets")),))
    found = fill(events, thing)
    assert found.cutflow["trigger of jets"] == int(np.sum(events["HLT_JET"]))
    assert found.choices["trigger of jets"] == ("HLT_JET",)
    muons = fill(events, thing, dataset=Dataset("SingleMuon", triggers=("HLT_MU",)))
    assert entries(muons, "2j") == 0
    assert muons.choices["trigger of jets"] == ("in none of the paths of dataset 'SingleMuon': no events",)


def test_errors_name_trigger_dataset_and_spectrum() -> None:
    thing = plan()
    with pytest.raises(MissingBranchError, match=r"dataset 'JetHT': the events: no branch HLT_JET"):
        fill(random_events(5, 1), thing, dataset=Dataset("JetHT", triggers=("HLT_JET",)))
    with pytest.raises(MissingBranchError, match=r"dataset 'all', spectrum '2j': the events: no branch HLT_JET"):
        fill(random_events(5, 1), thing, dataset=Dataset("all"))
    needs = [one for one in thing.spectra if one.trigger is not None]
    muons = datasets({"SingleMuon": {"metadata": {"triggers": ["HLT_MU"]}}})
    message = r"spectrum '2j' needs the trigger HLT_JET, which no dataset has \('SingleMuon': HLT_MU\)"
    with pytest.raises(InputError, match=message):
        check_triggers(needs, muons)
    more = datasets({name: {"metadata": {"triggers": [f"HLT_{name}"]}} for name in ("E", "MU", "JET", "MET")})
    with pytest.raises(InputError, match=r"dataset 'MET' has the triggers HLT_MET, of which no spectrum needs any"):
        check_triggers(needs, more)
    check_triggers(thing.spectra, more)  # one spectrum asks for none: all datasets are its
    check_triggers(needs, datasets({"all": {}}))


def test_dijets_of_the_ready_plan_need_no_lepton(tmp_path: object) -> None:
    """Of 300 events of Z' -> jj, nearly all are in the spectrum of two jets."""
    made = testing.make_nanoaod(
        f"{tmp_path}/jj.root", events=300, seed=14, signals=[testing.Resonance(300, 1500.0, decay="jj")]
    )
    found = run("resonances", made)
    assert entries(found, "2j") > 270
    assert entries(found, "mu+j") < 30
    kinds = {one.name: one.trigger for one in load_plan("resonances").spectra}
    assert kinds["2j"].name == "jets" and kinds["j+gamma"].name == "gamma" and kinds["e+mu"].name == "e and mu"  # noqa: PT018
