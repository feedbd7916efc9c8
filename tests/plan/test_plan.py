"""Plans and symmetries as data: what they refuse, and what their layout says."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import awkward as ak
import numpy as np
import pytest
from makers import OBJECTS, random_events, select

from coffea_ddp import observables as obs
from coffea_ddp.errors import DDPError, InputError, OverlapError, PlanError
from coffea_ddp.filling import fill
from coffea_ddp.histograms.cells import Multiplicity, Topology
from coffea_ddp.histograms.layout import EVENTS
from coffea_ddp.plan.comparison import Comparison
from coffea_ddp.plan.observables import Feature, Observable, observable
from coffea_ddp.plan.plan import RESERVED, ScanPlan
from coffea_ddp.plan.spectrum import KnownResonance, Spectrum
from coffea_ddp.plan.symmetry import Symmetry

MET = (observable(obs.met),)
CHARGE = Symmetry(
    "l-/l+", a=lambda ev: ev.leading("lepton").charge < 0, b=lambda ev: ev.leading("lepton").charge > 0, observables=MET
)


def plan(**options: Any) -> ScanPlan:
    return ScanPlan("x", (CHARGE,), objects=OBJECTS, **options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: plan(cells=(Multiplicity("K", last=1),)), "'K' counts 'K', which is no object.*e, mu, lepton"),
        (lambda: plan(cells=(Topology("VBF"),)), "the topology 'VBF' has no predicate"),
        (lambda: plan(max_stored=-1), "max_stored=-1"),
        (lambda: ScanPlan("x", (CHARGE, CHARGE), objects=OBJECTS), "every symmetry needs a name of its own"),
        (lambda: Symmetry("a/b", CHARGE.a, CHARGE.b, (*MET, *MET)), "each needs a name of its own"),
        (lambda: Symmetry("a/b", CHARGE.a, CHARGE.b, (observable(obs.met, name=EVENTS),)), "and not 'events'"),
        (lambda: ScanPlan("x", (CHARGE,), objects=(*OBJECTS, OBJECTS[0])), "object 'e' is defined twice"),
    ],
    ids=["counted", "predicate", "stored", "symmetries", "observables", "reserved", "objects"],
)  # fmt: skip
def test_contradictions(make: Callable[[], object], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        make()


@pytest.mark.parametrize("name", RESERVED)
def test_a_feature_cannot_take_the_place_of_an_events_identity(name: str) -> None:
    feature = Feature(name, "something", "", lambda ev: ev.met.pt, 0.0, 1.0)
    for make in (
        lambda: plan(features=(feature,)),
        lambda: ScanPlan("x", (dataclasses.replace(CHARGE, observables=(observable(feature),)),), objects=OBJECTS),
    ):
        with pytest.raises(PlanError, match=f"a feature cannot be called '{name}'.*run, luminosityBlock"):
            make()


@pytest.mark.parametrize("kappa", [0.0, -1.0, float("nan"), float("inf")])
def test_kappa_is_a_positive_number(kappa: float) -> None:
    with pytest.raises(InputError, match="must be a positive number"):
        dataclasses.replace(CHARGE, kappa=kappa)


@pytest.mark.parametrize(
    ("name", "sides"),
    [
        ("e/mu", ("e", "mu")),
        ("ee/mumu OS", ("ee", "mumu")),
        ("e+mu-/e-mu+", ("e+mu-", "e-mu+")),
        ("eta < 0/eta > 0", ("eta < 0", "eta")),
        ("charge", ("A", "B")),
        ("a/", ("A", "B")),
    ],
)
def test_sides_are_named_after_the_slash(name: str, sides: tuple[str, str]) -> None:
    assert Symmetry(name, CHARGE.a, CHARGE.b, ()).sides == sides
    assert Symmetry(name, CHARGE.a, CHARGE.b, (), sides=("p", "q")).sides == ("p", "q")


def test_one_function_for_both_sides() -> None:
    events = select(random_events(50, 1))
    both = Symmetry.from_side("x", lambda ev: np.sign(ev.leading("lepton").charge).clip(-1, 1) * 2 % 3 - 1, MET)
    lead = events.leading("lepton").charge
    expected = np.select([lead * 2 % 3 - 1 == 0, lead * 2 % 3 - 1 == 1], [0, 1], -1)
    assert both.assign(events).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.ones, "got float64 of shape"),
        (lambda n: np.ones(n, int), "got int64 of shape"),
        (lambda n: np.ones(n + 1, bool), r"got bool of shape \(6,\)"),
        (lambda n: np.ones((n, 1), bool), r"got bool of shape \(5, 1\)"),
        (lambda _: True, r"got bool of shape \(\)"),
        (lambda _: np.array([3]), r"got int64 of shape \(1,\)"),
        (lambda n: ak.Array([None] + [True] * (n - 1)), "got no plain array"),
        (lambda n: ["yes"] * n, "got <U3 of shape"),
    ],
    ids=["float", "int", "longer", "matrix", "scalar", "indices", "None", "text"],
)  # fmt: skip
def test_one_bool_an_event_and_nothing_else(answer: Callable[[int], object], message: str) -> None:
    """Of a side, of the selection, and of a topology: a mask of another shape would choose other events."""
    events = random_events(5, 1)
    n = lambda ev: answer(ev.n_events)  # noqa: E731
    asked = {
        "symmetry 'a/b', side A": lambda: Symmetry("a/b", n, CHARGE.b, ()).assign(select(events)),
        "symmetry 'a/b', side B": lambda: Symmetry("a/b", CHARGE.a, n, ()).assign(select(events)),
        "plan 'x', selection": lambda: fill(events, plan(selection=n)),
        "topology 'T'": lambda: fill(
            events, ScanPlan("x", (everything(),), objects=OBJECTS, cells=(Topology("T", n),))
        ),
    }
    for what, ask in asked.items():
        with pytest.raises(InputError, match=f"{what}: {message}.*one bool for each of the 5 events"):
            ask()


def everything() -> Symmetry:
    return Symmetry("all/none", lambda ev: np.ones(ev.n_events, bool), lambda ev: np.zeros(ev.n_events, bool), MET)


def test_awkward_answers_will_do() -> None:
    events = random_events(40, 2)
    theirs = dataclasses.replace(
        CHARGE,
        a=lambda ev: ak.fill_none(ak.firsts(ev.collection("lepton").charge) < 0, False),
        b=lambda ev: ak.fill_none(ak.firsts(ev.collection("lepton").charge) > 0, False),
    )
    assert np.array_equal(theirs.assign(select(events)), CHARGE.assign(select(events)))


def test_overlapping_sides_name_symmetry_sides_and_number() -> None:
    events = select(random_events(60, 3))
    both = Symmetry("p/q r", lambda ev: ev.count("e") > 0, lambda ev: ev.count("mu") > 0, ())
    n = np.count_nonzero((events.count("e") > 0) & (events.count("mu") > 0))
    assert n > 0
    with pytest.raises(
        OverlapError, match=f"symmetry 'p/q r': {n} of 60 events in the events are on both sides, 'p' and 'q'"
    ):
        both.assign(events)


@pytest.mark.parametrize(
    "weights",
    [np.ones(3), np.array([1.0, np.nan] * 20), np.full(40, np.inf), np.ones((40, 1)), 2.0],
    ids=["shorter", "NaN", "infinite", "matrix", "scalar"],
)
def test_weights_are_one_finite_number_an_event(weights: object) -> None:
    with pytest.raises(InputError, match=r"plan 'x', the events: weight: .*give one finite number for each of the"):
        plan(weight=lambda _: weights).weights(select(random_events(40, 1)))


def test_the_layout_says_all_and_holds_no_code() -> None:
    made = plan(
        cells=(Multiplicity("j", last=2), Topology("T", lambda ev: ev.count("j") > 1)),
        features=(obs.h_t,),
        weight=lambda ev: ev.met.pt,
    )
    layout = made.layout
    assert [channel.name for channel in layout.channels] == [EVENTS, "met"]
    assert [feature.name for feature in layout.features] == ["met", "h_t"]
    assert [feature.name for feature in made.all_features] == ["met", "h_t"]
    assert (layout.weighted, layout.fingerprint, layout.max_stored) == (True, made.fingerprint, 5_000)
    assert all(axis.predicate is None for axis in layout.grid.axes if isinstance(axis, Topology))


def test_plans_cannot_be_changed() -> None:
    made = plan()
    for name in ("name", "fingerprint", "symmetries"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, name, "other")
    assert issubclass(PlanError, DDPError)


NAMED: dict[str, Callable[[Any], object]] = {
    "plan": lambda name: ScanPlan(name, (CHARGE,), objects=OBJECTS),
    "symmetry": lambda name: Symmetry(name, CHARGE.a, CHARGE.b, MET),
    "spectrum": lambda name: Spectrum(name, lambda ev: ev.met.pt, obs.met.axis()),
    "feature": lambda name: Feature(name, "something", "", lambda ev: ev.met.pt, 0.0, 1.0),
    "observable": lambda name: Observable(name, (obs.met,), (obs.met.axis(),)),
    "comparison": lambda name: Comparison(name, MET),
    "known resonance": lambda name: KnownResonance(name, lambda ev: ev.met.pt > 0),
}


@pytest.mark.parametrize("what", NAMED)
def test_names_are_text_that_every_file_can_hold(what: str) -> None:
    for name in ("a b", "s/la/sh", "../x", "'\"", "μ → τ", "<b>", "{x}", "[red]", "%s", "-o"):
        assert NAMED[what](name) is not None
    for name in (3, None, "", " ", b"x", ("x",)):
        with pytest.raises(PlanError, match=f"^{what}: its name is .*; give text"):
            NAMED[what](name)
    with pytest.raises(PlanError, match=rf"^{what} 'a\\ud800': its name has '\\ud800', which no file can hold"):
        NAMED[what]("a\ud800")
