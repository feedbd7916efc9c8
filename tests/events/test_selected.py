"""The selected events: leading objects, sums, pairs, and what is left after `take`."""

from __future__ import annotations

import math

import awkward as ak
import numpy as np
import pytest
import vector
from hypothesis import given
from hypothesis import strategies as st
from makers import OBJECTS, jagged, lepton_rows, random_events, select, with_branches

from coffea_ddp.errors import InputError, UnknownNameError
from coffea_ddp.events.branches import Columns
from coffea_ddp.events.objects import ObjectDefinition
from coffea_ddp.events.selected import Particles, SelectedEvents, delta_phi, pair_mass, transverse_mass

seeds = st.integers(0, 2**32)
momenta = st.tuples(st.floats(1.0, 1e3), st.floats(-4.0, 4.0), st.floats(-math.pi, math.pi), st.floats(0.0, 20.0))


def one(pt: float, eta: float, phi: float, mass: float) -> Particles:
    zero = np.zeros(1, np.int8)
    return Particles(np.array([pt]), np.array([eta]), np.array([phi]), np.array([mass]), zero, zero)


@given(first=momenta, second=momenta)
def test_pairs_against_components_and_vector(first: tuple[float, ...], second: tuple[float, ...]) -> None:
    p, q = one(*first), one(*second)
    objects = [vector.obj(pt=m[0], eta=m[1], phi=m[2], mass=m[3]) for m in (first, second)]
    energy = sum(math.sqrt((pt * math.cosh(eta)) ** 2 + m * m) for pt, eta, _, m in (first, second))
    px = sum(pt * math.cos(phi) for pt, _, phi, _ in (first, second))
    py = sum(pt * math.sin(phi) for pt, _, phi, _ in (first, second))
    pz = sum(pt * math.sinh(eta) for pt, eta, _, _ in (first, second))
    square = energy**2 - px**2 - py**2 - pz**2
    # Where the masses cancel in the difference of large squares, so does the precision.
    assert pair_mass(p, q)[0] ** 2 == pytest.approx(square, rel=1e-9, abs=1e-11 * energy**2)
    apart = abs(objects[0].deltaphi(objects[1]))
    assert delta_phi(p, q)[0] == pytest.approx(apart, abs=1e-9)
    # mT^2 = (pT1 + pT2)^2 - (sum of the pT vectors)^2
    expected = (first[0] + second[0]) ** 2 - px**2 - py**2
    assert transverse_mass(p, q)[0] ** 2 == pytest.approx(expected, rel=1e-9, abs=1e-9 * (first[0] + second[0]) ** 2)
    for function in (pair_mass, delta_phi, transverse_mass):
        assert function(p, q)[0] == pytest.approx(function(q, p)[0], rel=1e-12, abs=1e-12)


def test_pairs_of_what_is_missing_are_nan() -> None:
    nothing = one(math.nan, math.nan, math.nan, math.nan)
    for function in (pair_mass, delta_phi, transverse_mass):
        assert np.isnan(function(one(20.0, 0.0, 0.0, 0.1), nothing)).all()


@pytest.mark.parametrize(
    ("a", "b", "apart"), [(3.0, -3.0, 2 * math.pi - 6.0), (-math.pi, math.pi, 0.0), (1.0, -1.0, 2.0), (0.0, 0.0, 0.0)]
)
def test_delta_phi_wraps_around(a: float, b: float, apart: float) -> None:
    assert delta_phi(one(1, 0, a, 0), one(1, 0, b, 0))[0] == pytest.approx(apart, abs=1e-12)


@given(seed=seeds)
def test_leading_objects_are_those_of_a_plain_sort(seed: int) -> None:
    events = random_events(40, seed)
    selected = select(events)
    rows = lepton_rows(selected)
    for k in range(3):
        found = selected.leading("lepton", k)
        for event, row in enumerate(rows):
            assert found.exists[event] == (len(row) > k)
            if len(row) > k:
                for part in ("pt", "eta", "phi", "mass", "charge", "flavour"):
                    assert getattr(found, part)[event] == row[k][part]
            else:
                assert np.isnan([getattr(found, part)[event] for part in ("pt", "eta", "phi", "mass")]).all()
                assert (found.charge[event], found.flavour[event]) == (0, 0)
    assert selected.count("lepton").tolist() == [len(row) for row in rows]


@given(seed=seeds)
def test_scalar_sums_against_awkward(seed: int) -> None:
    events = random_events(40, seed)
    selected = select(events)
    jets = selected.collection("j")
    expected = ak.to_numpy(ak.sum(ak.values_astype(jets.pt, np.float64), axis=1))
    np.testing.assert_allclose(selected.sum_pt("j"), expected, rtol=1e-12)


@given(seed=seeds, data=st.data())
def test_taking_twice_is_taking_once(seed: int, data: st.DataObject) -> None:
    """In any order, with repetitions: objects and branches stay with their event."""
    events = random_events(30, seed)
    whole = select(events)
    first = np.array(data.draw(st.lists(st.integers(0, 29), max_size=20)), np.int64)
    second = np.array(data.draw(st.lists(st.integers(0, max(len(first) - 1, 0)), max_size=20)), np.int64)
    second = second[second < len(first)]
    once, twice = whole.take(first[second]), whole.take(first).take(second)
    for taken in (once, twice):
        assert taken.n_events == len(second)
        assert taken.entries.tolist() == first[second].tolist()
        assert np.array_equal(taken.branch("event"), whole.branch("event")[first[second]])
        assert np.array_equal(taken.met.pt, whole.met.pt[first[second]])
        assert np.array_equal(taken.sum_pt("j"), whole.sum_pt("j")[first[second]])
        assert np.array_equal(taken.leading("mu").pt, whole.leading("mu").pt[first[second]], equal_nan=True)
        assert taken.collection("mu").to_list() == [whole.collection("mu").to_list()[i] for i in first[second]]


def test_objects_are_counted_from_zero() -> None:
    with pytest.raises(InputError, match=r"leading\('mu', -1\): objects are counted from 0"):
        select(random_events(5, 1)).leading("mu", -1)
    assert not select(random_events(5, 1)).leading("mu", 99).exists.any()


@pytest.mark.parametrize("method", ["count", "leading", "sum_pt", "collection"])
def test_an_unknown_object_lists_those_that_are_there(method: str) -> None:
    with pytest.raises(UnknownNameError, match="no object 'kaon' in the plan; the objects are: e, mu, lepton, j, b"):
        getattr(select(random_events(5, 1)), method)("kaon")


@pytest.mark.parametrize(
    ("there", "used"),
    [
        (("MET", "PFMET", "PuppiMET"), "PuppiMET"),
        (("MET", "PFMET"), "MET"),
        (("PFMET",), "PFMET"),
    ],
)
def test_the_missing_momentum_of_any_version(there: tuple[str, ...], used: str) -> None:
    values = {"PuppiMET": 1.0, "MET": 2.0, "PFMET": 3.0}
    record = {f"{name}_{part}": np.array([values[name]]) for name in there for part in ("pt", "phi")}
    columns = Columns(ak.Array({"Muon_pt": [[1.0]], **record}))
    selected = SelectedEvents.from_columns(columns, ())
    assert (selected.met.pt[0], selected.met.phi[0]) == (values[used], values[used])
    assert columns.choices == {"missing transverse momentum": f"{used}_pt"}


@pytest.mark.parametrize("pt", [5.0, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("phi", [0.5, np.nan, np.inf, -np.inf])
def test_a_broken_missing_momentum_is_missing_without_a_warning(pt: float, phi: float) -> None:
    events = with_branches(random_events(30, 3), MET_pt=np.full(30, pt), MET_phi=np.full(30, phi))
    selected = select(events)
    good = math.isfinite(pt) and math.isfinite(phi)
    assert selected.met.exists.all() == good
    lead = selected.leading("lepton")
    for function in (delta_phi, transverse_mass, pair_mass):
        assert np.array_equal(np.isfinite(function(lead, selected.met)), lead.exists & good)


def test_collections_that_disagree_about_their_length_are_refused() -> None:
    """Also where the total is the same, so that flat arrays would seem to fit."""
    events = random_events(4, 5)
    counts = np.array([2, 1, 0, 1])
    pt = jagged(counts, np.full(4, 50.0))
    good = {f"Muon_{part}": pt for part in ("pt", "eta", "phi")} | {"Muon_charge": jagged(counts, np.ones(4, int))}
    muon = (ObjectDefinition("mu", "Muon", charged=True),)
    assert select(with_branches(events, **good), muon).count("mu").tolist() == counts.tolist()
    moved = with_branches(events, **(good | {"Muon_eta": jagged(counts[::-1], np.full(4, 50.0))}))
    with pytest.raises(
        Exception, match=r"Muon_eta has 4 values, Muon_pt has 4 \(event 0: 1 and 2\); the file is damaged"
    ):
        select(moved, muon)


@pytest.mark.parametrize("n", [0, 1])
def test_no_events_and_no_objects(n: int) -> None:
    nothing = random_events(3, 1, most=0)[:n]
    selected = select(nothing, OBJECTS)
    assert selected.n_events == n
    assert selected.leading("lepton").pt.shape == selected.sum_pt("j").shape == (n,)
    assert selected.sum_pt("j").tolist() == [0.0] * n
    assert len(selected.collection("mu")) == n
