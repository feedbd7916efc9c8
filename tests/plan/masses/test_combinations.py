"""Combinations of objects and their masses; spectra in the pass: one exclusive cell an event, any chunks, any road."""

from __future__ import annotations

import itertools

import awkward as ak
import hist
import numpy as np
import pytest
import vector
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import OBJECTS, random_events, select

import coffea_ddp as ddp
from coffea_ddp.cli import main
from coffea_ddp.errors import InputError, PlanError, UnknownNameError
from coffea_ddp.filling import fill
from coffea_ddp.histograms.cells import Multiplicity
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.layout import Layout
from coffea_ddp.histograms.ledger import Chunk
from coffea_ddp.plan.masses.combinations import Combination, all_combinations, combination
from coffea_ddp.plan.plan import ScanPlan
from coffea_ddp.plan.spectrum import Spectrum
from coffea_ddp.plan.symmetry import Symmetry
from coffea_ddp.spectra.reading import read_spectra
from coffea_ddp.spectra.resolution import Resolution, resolution_axis

AXIS = resolution_axis(Resolution(0.05), 5.0, 2000.0)
CELLS = (Multiplicity("e", last=2), Multiplicity("mu", last=2), Multiplicity("j", last=3))
NAMES = ("2mu", "2e", "e+mu", "mu+j", "2mu+2j", "3j")


def make_plan(**options):
    spectra = tuple(Spectrum(name, combination(name), AXIS, Resolution(0.05)) for name in NAMES)
    return ScanPlan("masses", **{"objects": OBJECTS, "spectra": spectra, "cells": CELLS, "max_stored": 0, **options})


PLAN = make_plan()


# -- combinations --------------------------------------------------------------------------------------------------


def test_how_many_there_are():
    names = [str(one) for one in all_combinations()]
    assert len(set(names)) == len(names) == 21 + 56 + 126
    assert {"2e", "e+mu", "tau+2j", "2mu+2b", "4gamma"} <= set(names)
    assert len({one.exchange_name for one in all_combinations()}) == 203


@pytest.mark.parametrize("name", ["2mu", "e+mu", "mu+2j", "2e+2mu"])
def test_masses_are_those_of_vector(name):
    selected = select(random_events(400, 3))
    one = combination(name)
    masses = one(selected)
    found = {part: ak.to_list(selected.collection(part)) for part, _ in one.parts}
    for i, mass in enumerate(masses):
        objects = [
            found[part][i][k] for part, number in one.parts if len(found[part][i]) >= number for k in range(number)
        ]
        if len(objects) < sum(number for _, number in one.parts):
            assert np.isnan(mass)
            continue
        total = sum((vector.obj(**{x: o[x] for x in ("pt", "eta", "phi", "mass")}) for o in objects[1:]),
                    vector.obj(**{x: objects[0][x] for x in ("pt", "eta", "phi", "mass")}))  # fmt: skip
        assert mass == pytest.approx(total.mass, rel=1e-4, abs=1e-2)


def test_masses_exist_where_the_objects_do():
    selected = select(random_events(500, 4))
    assert (
        np.isfinite(combination("2mu+j")(selected)).tolist()
        == ((selected.count("mu") >= 2) & (selected.count("j") >= 1)).tolist()
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: combination("mu"), "two or more in all"),
        (lambda: combination("mu", "mu"), "every object once"),
        (lambda: combination("2 mu"), "is no object"),
        (lambda: Combination((("mu", 0), ("e", 2))), "1 or more"),
        (lambda: all_combinations(up_to=1), "2 or more"),
    ],
    ids=["one", "twice", "blank", "none", "up to 1"],
)
def test_what_is_no_combination(make, message):
    with pytest.raises(InputError, match=message):
        make()


# -- the pass ------------------------------------------------------------------------------------------------------


def part(events, plan, start, stop):
    return fill(events[start:stop], plan, chunk=Chunk("d", "f.root", "Events", "u", start, stop))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**16), st.lists(st.integers(1, 299), max_size=4, unique=True), st.randoms())
def test_any_chunks_in_any_order_give_the_same(seed, cuts, order):
    events = random_events(300, seed)
    edges = [0, *sorted(cuts), 300]
    parts = [part(events, PLAN, start, stop) for start, stop in itertools.pairwise(edges)]
    order.shuffle(parts)
    assert sum(parts) == part(events, PLAN, 0, 300)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**16))
def test_each_event_is_in_one_exclusive_cell_and_all_others_are_sums(seed):
    events = random_events(300, seed)
    hists = fill(events, PLAN)
    selected = select(events)
    for name in NAMES:
        masses = combination(name)(selected)
        reference, _ = np.histogram(masses[np.isfinite(masses)], AXIS.edges)
        assert np.array_equal(hists.spectrum(name).counts, reference)
        found = hists.spectrum_counts(name, flow=True)
        codes, contents = found.codes, found.counts[:, 0]
        assert found.squares is None
        assert contents.sum() == np.isfinite(masses).sum()
        assert np.array_equal(np.unique(codes), codes)
        two = masses[(selected.count("mu") == 2) & (selected.count("j") >= 1) & np.isfinite(masses)]
        assert np.array_equal(hists.spectrum(name, "mu>=2 & j>=1").counts, _two_or_more(masses, selected))
        assert len(two) <= contents.sum()


def _two_or_more(masses, selected):
    chosen = (selected.count("mu") >= 2) & (selected.count("j") >= 1) & np.isfinite(masses)
    return np.histogram(masses[chosen], AXIS.edges)[0]


def test_spectra_do_not_disturb_symmetries():
    charge = Symmetry(
        "mu-/mu+",
        a=lambda ev: ev.leading("mu").charge < 0,
        b=lambda ev: ev.leading("mu").charge > 0,
        observables=(ddp.observable(ddp.observables.pt_l0),),
    )
    events = random_events(400, 9)
    alone = fill(events, make_plan(spectra=(), symmetries=(charge,)))
    both = fill(events, make_plan(symmetries=(charge,)))
    only = fill(events, PLAN)
    assert np.array_equal(alone["mu-/mu+", "pt_l0"].a.values(), both["mu-/mu+", "pt_l0"].a.values())
    assert np.array_equal(only.spectrum("2e").counts, both.spectrum("2e").counts)
    assert len(both.counts) == len(alone.counts) + len(only.counts)


def test_weights_are_sums_and_sums_of_squares():
    events = random_events(300, 5)
    weighted = fill(events, make_plan(weight=lambda ev: np.full(ev.n_events, 0.5)))
    plain = fill(events, PLAN)
    one = weighted.spectrum("2mu")
    assert one.counts == pytest.approx(0.5 * plain.spectrum("2mu").counts)
    assert one.hist.variances() == pytest.approx(0.25 * plain.spectrum("2mu").counts)
    assert np.array_equal(one.effective, plain.spectrum("2mu").counts)


def test_it_is_saved_and_read(tmp_path):
    hists = fill(random_events(200, 6), make_plan())
    again = ddp.load(hists.save(tmp_path / "h.ddp"))
    assert again == hists
    assert again.spectra == NAMES
    assert again.layout.spectra[0].resolution == Resolution(0.05)
    assert again.spectrum("2mu", "mu>=2").edges == pytest.approx(AXIS.edges)
    assert Layout.from_dict({k: v for k, v in hists.layout.to_dict().items() if k != "spectra"}).spectra == ()
    assert "spectra=6" in repr(hists)


def test_a_spectrum_tells_what_it_is():
    hists = fill(random_events(200, 6), make_plan())
    one = hists.spectrum("2mu+2j", "j>=2")
    assert (one.combination, one.cell) == ("m0m1j0j1", "j>=2")
    assert one.sigma_bins == pytest.approx(np.full(len(AXIS), 2.0), rel=0.03)
    with pytest.raises(UnknownNameError, match=r"no spectrum .2tau.*2mu"):
        hists.spectrum("2tau")
    assert Histograms.empty(PLAN.layout).spectrum("2mu").entries == 0


def _mass(*_):
    return np.zeros(3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"axis": hist.axis.Regular(3, 0, 1, flow=False)}, PlanError, "no flow bins"),
        ({"axis": hist.axis.IntCategory([1])}, PlanError, "no Regular or Variable"),
        ({"masks": ((3.0, 2.0, "Z"),)}, PlanError, "'Z' from 3.0 to 2.0 is no range"),
    ],
    ids=["flow", "category", "mask"],
)
def test_spectra_that_are_wrong(options, error, message):
    with pytest.raises(error, match=message):
        Spectrum("x", _mass, **{"axis": AXIS, **options})


@pytest.mark.parametrize(
    ("mass", "message"),
    [(_mass, r"shape \(3,\) for"), (lambda ev: ["a"] * ev.n_events, "no array of numbers")],
    ids=["shape", "text"],
)
def test_mass_functions_that_are_wrong(mass, message):
    plan = make_plan(spectra=(Spectrum("x", mass, AXIS),))
    with pytest.raises(InputError, match=message):
        fill(random_events(20, 1), plan)


def test_two_spectra_of_one_name():
    with pytest.raises(PlanError, match="two spectra are called '2mu'"):
        make_plan(spectra=(Spectrum("2mu", combination("2mu"), AXIS), Spectrum("2mu", combination("2e"), AXIS)))


def test_another_axis_is_another_plan():
    other = make_plan(spectra=tuple(Spectrum(name, combination(name), AXIS) for name in NAMES))
    assert other.fingerprint != PLAN.fingerprint


@pytest.mark.parametrize("suffix", ["root", "json", "csv"])
def test_the_command_that_exports_them(tmp_path, capsys, suffix):
    hists = fill(random_events(300, 6), PLAN)
    hists.save(tmp_path / "h.ddp")

    def run(*arguments):
        with pytest.raises(SystemExit) as stopped:
            main(["spectra", str(tmp_path / "h.ddp"), "-o", str(tmp_path / f"s.{suffix}"), *arguments])
        return stopped.value.code, capsys.readouterr().err

    assert run()[0] == 0
    spectra = read_spectra(tmp_path / f"s.{suffix}")
    inclusive = {one.combination: one for one in spectra if one.cell == "inclusive"}
    assert np.array_equal(inclusive["m0m1"].counts, hists.spectrum("2mu").counts)
    exclusive = [one for one in spectra if one.combination == "m0m1" and one.cell != "inclusive"]
    assert np.array_equal(sum(one.counts for one in exclusive), inclusive["m0m1"].counts)
    assert run("--spectrum", "2mu", "--cell", "mu>=2 & j=1") == (0, f"wrote 1 spectra to {tmp_path / f's.{suffix}'}\n")
    assert run("--min-events", "100000")[0] == 1
    code, err = run("--spectrum", "other")
    assert (code, "no spectrum 'other'" in err) == (1, True)


def test_spectra_as_a_table():
    hists = fill(random_events(300, 5), PLAN)
    table = hists.spectra_summary().set_index("spectrum")
    assert sorted(table.index) == sorted(NAMES)
    assert table["entries"].is_monotonic_decreasing
    for name in NAMES:
        whole = hists.spectrum(name).hist
        row = table.loc[name]
        assert row["entries"] == whole.values().sum()
        assert row[["entries", "below", "above"]].sum() == whole.values(flow=True).sum()
        assert row["exclusive cells"] == len(hists.spectrum_counts(name).codes)
    page = hists._repr_html_()
    assert "2mu+2j" in page
    assert "symmetry" not in page.split("<table")[1]
    assert "on a side of a symmetry" not in hists.cutflow
