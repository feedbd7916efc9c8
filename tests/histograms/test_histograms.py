"""The accumulated output: its views and tables against each other, and what cannot be asked of it."""

from __future__ import annotations

import functools
import operator

import hist
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers import OBJECTS, random_events

from coffea_ddp import observables as obs
from coffea_ddp import symmetries
from coffea_ddp.errors import InputError, MergeError, UnknownNameError
from coffea_ddp.filling import fill
from coffea_ddp.histograms.cells import Multiplicity, Topology
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.ledger import Missing
from coffea_ddp.plan.observables import observable
from coffea_ddp.plan.plan import ScanPlan

SYMMETRIES = (
    symmetries.e_mu((observable(obs.pt_l0, obs.met), observable(obs.m_ll, bins=7))),
    symmetries.emu_mue_os((observable(obs.m_coll),), kappa=1.25),
)
CELLS = (Multiplicity("j", last=2), Topology("soft", lambda ev: ev.met.pt < 40.0))
PLAN = ScanPlan("views", SYMMETRIES, objects=OBJECTS, cells=CELLS)
WEIGHTED = ScanPlan("views", SYMMETRIES, objects=OBJECTS, cells=CELLS, weight=lambda ev: ev.met.pt / 40.0)
seeds = st.integers(0, 2**32)
KEYS = [("e/mu", "pt_l0 x met"), ("e/mu", "m_ll"), ("emu/mue OS", "m_coll")]


@given(seed=seeds, plan=st.sampled_from([PLAN, WEIGHTED]))
def test_views_matrices_and_tables_agree(seed: int, plan: ScanPlan) -> None:
    hists = fill(random_events(150, seed), plan)
    for symmetry, name in KEYS:
        found = hists.cell_counts(symmetry, name, flow=True)
        codes, matrices = found.codes, found.matrices
        squares = None if found.squares is None else found.squares.reshape(matrices.shape)
        assert (squares is not None) == hists.layout.weighted
        inner = tuple(slice(1, -1) for _ in range(matrices.ndim - 2))
        assert np.array_equal(matrices[(..., *inner)], hists.cell_counts(symmetry, name).matrices)
        for spec in ("inclusive", "j>=1", "j=0 & soft", "j>=2 & !soft"):
            pair = hists[symmetry, name, spec]
            inside = hists.layout.grid.contains(spec, codes)
            for side, h in enumerate((pair.a, pair.b)):
                np.testing.assert_allclose(
                    h.values(flow=True), matrices[inside, side].sum(axis=0), rtol=1e-12, atol=1e-12
                )
                if squares is not None:
                    np.testing.assert_allclose(h.variances(flow=True), squares[inside, side].sum(axis=0), rtol=1e-12)
                assert np.array_equal(pair.counts[side], h.values())
                assert h.axes == hists.layout.channel(symmetry, name).axes
        table = hists.cells(symmetry)
        assert np.array_equal(hists.occupied(symmetry), codes)
        assert np.array_equal(hists.layout.grid.encode([table[axis.name] for axis in hists.layout.grid.axes]), codes)
        if squares is None:
            events = hists.cell_counts(symmetry).matrices
            assert events.tolist() == table[["n_a", "n_b"]].to_numpy(float).tolist()
            unfilled = hists[symmetry, name].not_filled
            assert matrices.sum(axis=(0, *range(2, matrices.ndim))) + unfilled == pytest.approx(events.sum(axis=0))
    summary = hists.summary().set_index("symmetry")
    assert summary.loc["emu/mue OS", "kappa"] == 1.25
    assert summary.loc["e/mu", ["n_a", "n_b"]].sum() == hists.cells("e/mu")[["n_a", "n_b"]].to_numpy().sum()


@given(seed=seeds, plan=st.sampled_from([PLAN, WEIGHTED]))
def test_symmetric_and_asymmetric_are_views(seed: int, plan: ScanPlan) -> None:
    """A + B, B - A; neither changes what it is made of, and swapping the sides changes the sign of the second only."""
    hists = fill(random_events(150, seed), plan)
    pair = hists["e/mu", "pt_l0 x met", "j>=1"]
    before = pair.a.copy(), pair.b.copy()
    plus, minus = pair.symmetric, pair.asymmetric
    assert (pair.a, pair.b) == before
    a, b = (h.values(flow=True) for h in before)
    np.testing.assert_allclose(plus.values(flow=True), a + b, rtol=1e-12)
    np.testing.assert_allclose(minus.values(flow=True), b - a, rtol=1e-12, atol=1e-12)
    assert plus.axes == minus.axes == pair.a.axes
    if plan is WEIGHTED:
        variances = before[0].variances(flow=True) + before[1].variances(flow=True)
        for view in (plus, minus):
            np.testing.assert_allclose(view.variances(flow=True), variances, rtol=1e-12)
    else:
        assert pair.a.storage_type is hist.storage.Int64
        assert plus.sum(flow=True) == a.sum() + b.sum()


def test_python_sums_them() -> None:
    parts = [fill(random_events(20, seed), PLAN) for seed in range(5)]
    assert sum(parts) == functools.reduce(operator.add, parts)
    total = sum(parts)
    assert total.n_events == 100
    with pytest.raises(TypeError):
        _ = parts[0] + 1
    with pytest.raises(TypeError):
        _ = "x" + parts[0]
    with pytest.raises(TypeError, match="unhashable"):
        hash(total)
    assert total != "something else"
    assert total != parts[0]


def test_choices_and_cutflows_are_joined() -> None:
    one, two = fill(random_events(30, 1), PLAN), fill(random_events(20, 2), PLAN)
    total = one + two
    assert total.cutflow["events"] == 50
    assert total.choices == {"kind of events": ("data",), "missing transverse momentum": ("MET_pt",)}
    assert (total + Histograms.empty(PLAN.layout)).cutflow == total.cutflow


def test_a_foreign_plan_is_refused_whatever_is_the_same() -> None:
    other = ScanPlan("views", SYMMETRIES, objects=OBJECTS, cells=CELLS, max_stored=4_999)
    with pytest.raises(MergeError, match=f"'views' .{PLAN.fingerprint}. and 'views' .{other.fingerprint}."):
        _ = Histograms.empty(PLAN.layout) + Histograms.empty(other.layout)


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        ("e/mu", InputError, r"write hists\[symmetry, observable\]"),
        (("e/mu",), InputError, "write hists"),
        (("e/mu", "m_ll", "j>=1", "more"), InputError, "write hists"),
        (("mu/e", "m_ll"), UnknownNameError, "no symmetry 'mu/e' in plan 'views'; it has: 'e/mu', 'emu/mue OS'"),
        (
            ("e/mu", "m_lll"),
            UnknownNameError,
            "no observable 'm_lll' in symmetry 'e/mu'; it has: 'pt_l0 x met', 'm_ll'",
        ),
        (("e/mu", "m_ll", "k=1"), UnknownNameError, "no cell axis 'k'.*the axes are: j, soft"),
    ],
    ids=["text", "one", "four", "symmetry", "observable", "cell"],
)
def test_what_cannot_be_asked(key: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        _ = Histograms.empty(PLAN.layout)[key]


def test_an_output_without_events_has_empty_views() -> None:
    empty = Histograms.empty(PLAN.layout)
    assert empty.n_events == 0
    assert empty["e/mu", "m_ll", "j>=1"].symmetric.sum(flow=True) == 0
    assert len(empty.cells("e/mu")) == len(empty.occupied("e/mu")) == len(empty.events) == 0
    assert empty.summary()["n_a"].tolist() == [0, 0]
    assert empty.cell_counts("e/mu", "pt_l0 x met").matrices.shape == (0, 2, 28, 28)


def test_partial_is_said_wherever_it_is_shown() -> None:
    whole = fill(random_events(20, 1), PLAN)
    lost = whole.with_missing([Missing("d", "b.root", reason="gone")])
    assert whole.with_missing([]) is whole
    for partial, hists in ((False, whole), (True, lost)):
        pair = hists["e/mu", "m_ll"]
        for face in (repr(hists), hists._repr_html_(), repr(pair), pair._repr_html_()):
            assert ("PARTIAL" in face) == partial
        assert (hists.partial, pair.partial) == (partial, partial)
    assert lost.missing[0].filename == "b.root"
    assert (lost + fill(random_events(20, 2), PLAN)).partial


def test_faces_escape_what_users_wrote() -> None:
    plan = ScanPlan("<script>", SYMMETRIES[:1], objects=OBJECTS)
    face = fill(random_events(5, 1), plan)._repr_html_()
    assert "<script>" not in face
    assert "&lt;script&gt;" in face
