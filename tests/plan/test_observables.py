"""Features and observables: laws of kinematics, axes, and what cannot be an observable."""

from __future__ import annotations

import dataclasses

import awkward as ak
import hist
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers import OBJECTS, random_events, select, with_branches

from coffea_ddp import observables as obs
from coffea_ddp.errors import InputError
from coffea_ddp.plan.observables import Feature, observable

seeds = st.integers(0, 2**32)
LEPTONS = ("Electron", "Muon")
MASSLESS = ("m_ll", "m_coll", "pt_l0", "pt_l1", "met", "m_t", "h_t")
ANGLES = ("dphi_ll", "dphi_l0_met", "dphi_l1_met")


def double(events: ak.Array) -> ak.Array:
    """Return the events in double precision, so that only the formulas round."""
    return ak.Array(
        {n: ak.values_astype(events[n], "float64") if "_p" in n or "_eta" in n else events[n] for n in events.fields}
    )


def values(events: ak.Array, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    selected = select(events)
    return {name: obs.feature(name).values(selected) for name in names}


def same(first: dict[str, np.ndarray], second: dict[str, np.ndarray], factor: float = 1.0) -> None:
    for name, value in first.items():
        np.testing.assert_allclose(second[name], factor * value, rtol=1e-6, atol=1e-5, err_msg=name)


@given(seed=seeds, angle=st.floats(-3.0, 3.0))
def test_turning_the_detector_changes_nothing(seed: int, angle: float) -> None:
    events = double(random_events(40, seed))
    turned = {f"{n}_phi": (events[f"{n}_phi"] + angle + np.pi) % (2 * np.pi) - np.pi for n in (*LEPTONS, "Jet", "MET")}
    same(values(events, MASSLESS + ANGLES), values(with_branches(events, **turned), MASSLESS + ANGLES))


@given(seed=seeds, y=st.floats(-0.4, 0.4))
def test_boosts_along_the_beam_change_transverse_quantities_and_masses_not(seed: int, y: float) -> None:
    """A boost of massless leptons shifts eta; those that it moves over the edge of the acceptance are left out."""
    events = double(random_events(40, seed))
    for name in LEPTONS:
        central = abs(events[f"{name}_eta"]) < 2.0
        events = with_branches(
            events, **{f"{name}_{p}": events[f"{name}_{p}"][central] for p in ("pt", "eta", "phi", "charge")}
        )
    boosted = with_branches(events, **{f"{name}_eta": events[f"{name}_eta"] + y for name in LEPTONS})
    names = ("m_ll", "m_coll", "pt_l0", "pt_l1", "met", "m_t", *ANGLES)
    same(values(events, names), values(boosted, names))


@given(seed=seeds, factor=st.floats(1.0, 3.0))
def test_all_momenta_times_a_factor(seed: int, factor: float) -> None:
    """What is in GeV scales, angles stay. Thresholds do not scale: soft objects are left out beforehand."""
    events = double(random_events(40, seed))
    for name, least in (*((lepton, 15.0) for lepton in LEPTONS), ("Jet", 30.0)):
        hard = events[f"{name}_pt"] > least
        fields = [f for f in events.fields if f.startswith(name)]
        events = with_branches(events, **{f: events[f][hard] for f in fields})
    scaled = {f"{n}_pt": events[f"{n}_pt"] * factor for n in (*LEPTONS, "Jet", "MET")}
    one, two = values(events, MASSLESS + ANGLES), values(with_branches(events, **scaled), MASSLESS + ANGLES)
    same({n: one[n] for n in MASSLESS}, two, factor)
    same({n: one[n] for n in ANGLES}, two)


@given(seed=seeds)
def test_flavours_are_labels(seed: int) -> None:
    """Electrons called muons and muons electrons: no observable of the package notices."""
    events = random_events(60, seed)
    swap = {f"Electron_{p}": events[f"Muon_{p}"] for p in ("pt", "eta", "phi", "charge")}
    swap |= {f"Muon_{p}": events[f"Electron_{p}"] for p in ("pt", "eta", "phi", "charge")}
    one, two = values(events, tuple(obs.FEATURES)), values(with_branches(events, **swap), tuple(obs.FEATURES))
    for name in one:
        assert np.array_equal(one[name], two[name], equal_nan=True), name


@given(seed=seeds)
def test_the_collinear_mass_is_the_visible_one_without_missing_momentum(seed: int) -> None:
    events = random_events(40, seed)
    still = with_branches(events, MET_pt=np.zeros(40))
    found = values(still, ("m_ll", "m_coll"))
    np.testing.assert_allclose(found["m_coll"], found["m_ll"], rtol=1e-6, atol=1e-4)
    exists = np.isfinite(found["m_ll"])
    assert np.all(values(events, ("m_coll",))["m_coll"][exists] >= found["m_coll"][exists])


@given(
    mass=st.floats(80.0, 400.0),
    x=st.floats(0.1, 1.0),
    eta=st.floats(-2.0, 2.0),
    phi=st.floats(-1.5, 1.5),
)
def test_the_collinear_mass_finds_the_parent(mass: float, x: float, eta: float, phi: float) -> None:
    """H -> mu tau at rest in the transverse plane; the tau's neutrinos take 1 - x of it, along the electron."""
    pt = mass / 2.0 / np.cosh(eta)
    back = phi - np.pi if phi > 0 else phi + np.pi
    one = random_events(1, 1)
    record = {
        f"{name}_{part}": np.array([[value]])
        for name, each in (("Muon", (pt, eta, phi, 1)), ("Electron", (x * pt, -eta, back, -1)))
        for part, value in zip(("pt", "eta", "phi", "charge"), each, strict=True)
    }
    events = with_branches(one, **record, MET_pt=np.array([(1.0 - x) * pt]), MET_phi=np.array([back]))
    selected = select(
        events, tuple(dataclasses.replace(d, pt_min=0.0) if d.name in ("e", "mu") else d for d in OBJECTS)
    )
    assert obs.m_coll.values(selected)[0] == pytest.approx(mass, rel=1e-5)
    assert obs.m_ll.values(selected)[0] == pytest.approx(mass * np.sqrt(x), rel=1e-5)


def test_values_exist_exactly_where_the_objects_do() -> None:
    events = random_events(200, 1)
    selected = select(events)
    n = selected.count("lepton")
    needs = {"met": 0, "h_t": 0, "pt_l0": 1, "eta_l0": 1, "m_t": 1, "dphi_l0_met": 1}
    for name, feature in obs.FEATURES.items():
        assert np.array_equal(np.isfinite(feature.values(selected)), n >= needs.get(name, 2)), name
        assert feature.unit == ("" if name == "eta_l0" else "rad" if name in ANGLES else "GeV")
        assert feature.axis().label == feature.title
        assert feature.unit in feature.title


@given(
    low=st.floats(-10.0, 10.0),
    span=st.floats(1e-3, 1e4),
    growth=st.floats(1.01, 100.0),
    bins=st.integers(1, 60),
)
def test_growing_bins_work_on_any_scale(low: float, span: float, growth: float, bins: int) -> None:
    axis = Feature("x", "x", "", lambda ev: ev.met.pt, low, low + span, growth).axis(bins)
    widths = np.diff(axis.edges)
    assert (len(axis), axis.name) == (bins, "x")
    assert (axis.edges[0], axis.edges[-1]) == (low, low + span)
    assert (widths > 0).all()


def test_two_axes_of_one_name_are_refused_before_the_pass() -> None:
    with pytest.raises(InputError, match="observable 'met x met': two axes are called 'met'"):
        observable(obs.met, obs.met)
    other = hist.axis.Regular(3, 0.0, 1.0, name="met")
    with pytest.raises(InputError, match="two axes are called 'met'"):
        observable(obs.met, obs.m_ll, axes=(obs.met.axis(), other))
    unnamed = (hist.axis.Regular(3, 0.0, 1.0), hist.axis.Regular(4, 0.0, 1.0))
    assert observable(obs.met, obs.m_ll, axes=unnamed).axes == unnamed


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (ak.Array([1.0, None, 2.0]), r"feature 'x': got no array of numbers .*ak\.fill_none"),
        (["a", "b", "c"], "feature 'x': got no array of numbers"),
        ([[1.0], [2.0, 3.0], []], "feature 'x': got no array of numbers"),
        (np.ones((3, 1)), r"shape \(3, 1\) for 3 events"),
        (1.0, r"shape \(\) for 3 events"),
    ],
)
def test_a_feature_is_one_number_an_event(result: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Feature("x", "x", "", lambda _: result, 0.0, 1.0).values(select(random_events(3, 1)))


@pytest.mark.parametrize("result", [[1, 2, 3], np.array([True, False, True]), ak.Array([1.0, 2.0, np.nan])])
def test_any_numbers_will_do(result: object) -> None:
    found = Feature("x", "x", "", lambda _: result, 0.0, 1.0).values(select(random_events(3, 1)))
    assert found.dtype == np.float64
    assert found.tolist()[:2] == [float(x) for x in result[:2]]  # type: ignore[index]


def test_a_mistake_inside_of_a_feature_stays_visible() -> None:
    def wrong(events: object) -> None:
        raise ValueError("my own mistake")

    with pytest.raises(ValueError, match=r"^my own mistake$"):
        Feature("x", "x", "", wrong, 0.0, 1.0).values(select(random_events(3, 1)))
