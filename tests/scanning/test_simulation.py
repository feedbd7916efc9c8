"""Normalisation of simulation: cross sections, luminosities, sums of weights; what is missing is named."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from coffea_ddp.errors import InputError, UnknownNameError
from coffea_ddp.histograms.ledger import Chunk, Ledger
from coffea_ddp.histograms.simulated import OF_DATASET, Normalisation
from coffea_ddp.scanning.driver import scan
from coffea_ddp.scanning.simulation import Simulation, normalised
from tests.support.compared_toys import null_output, output


def changed(hists, name, **fields):
    sample = dataclasses.replace(hists.samples[name], **fields)
    return dataclasses.replace(hists, samples={**hists.samples, name: sample})


def test_a_unit_of_weight_by_hand():
    hists = changed(null_output(1), "mc0", normalisation=Normalisation(2.5, factor=1.1), sums={("a", "E"): 400.0})
    found = {one.sample.dataset: one for one in normalised(hists, Simulation(luminosity=3.0)).simulated}
    assert found["mc0"].scale == pytest.approx(1000 * 2.5 * 3.0 * 1.1 / 400.0)
    assert found["mc1"].scale == pytest.approx(3.0)


def test_the_weight_and_the_luminosity_can_be_traded():
    """Weights times c and luminosity over c: the same report."""
    hists = null_output(2)
    first = scan(hists, ["nsigma", "roi"], toys=64, seed=1)
    scaled = hists
    for name, one in hists.samples.items():
        if not one.is_data:
            counts = dataclasses.replace(one.counts, sum_w=one.counts.sum_w * 4.0, sum_w2=one.counts.sum_w2 * 16.0)
            scaled = changed(scaled, name, counts=counts)
    second = scan(scaled, ["nsigma", "roi"], toys=64, seed=1, simulation=Simulation(luminosity=0.25))
    assert [row.cell for row in first.rows] == [row.cell for row in second.rows]
    np.testing.assert_allclose([r.z_local for r in first.rows], [r.z_local for r in second.rows], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose([r.p_global for r in first.rows], [r.p_global for r in second.rows], rtol=1e-9)


def test_cross_sections_are_changed_at_the_scan():
    hists = null_output(3)
    twice = scan(hists, toys=0, simulation=Simulation(cross_sections={"mc0": 2.0}), min_events=500)
    once = scan(hists, toys=0, min_events=500)
    cell = {row.cell: row.n_a for row in once.rows}["inclusive"]
    more = {row.cell: row.n_a for row in twice.rows}["inclusive"]
    w = hists.samples["mc0"].counts
    channel = hists.layout.comparison_channels[1]
    inside = w.between(channel.base, channel.end(hists.layout.grid.n_exclusive))
    assert more - cell == pytest.approx(inside.sum_w.sum(), rel=1e-6)


def test_eras_add_up_and_share():
    hists = null_output(4)
    data = hists.samples["data"]
    eras = [("a", "2016", 16.0), ("b", "2016", 16.0), ("c", "2017", 41.0), ("d", "2017", None)]
    made = {
        name: dataclasses.replace(data, dataset=name, normalisation=Normalisation(luminosity=lumi, era=era))
        for name, era, lumi in eras
    }
    rest = {name: one for name, one in hists.samples.items() if name != "data"}
    assert normalised(output(hists.layout, made | rest), Simulation()).luminosity == 57.0
    made["b"] = dataclasses.replace(made["b"], normalisation=Normalisation(luminosity=17.0, era="2016"))
    with pytest.raises(InputError, match=r"era '2016' have different luminosities.*'b': 17.0.*\"era\""):
        normalised(output(hists.layout, made | rest), Simulation())


def test_of_files_that_were_counted_in_part_the_sum_is_that_of_the_part():
    hists = null_output(5)
    ledger = Ledger.of(Chunk("mc0", "a.root", "Events", "mc0", 0, 25, 100))
    ledger += Ledger.of(Chunk("data", "d.root", "Events", "data", 0, 30, 40))
    found = normalised(dataclasses.replace(hists, ledger=ledger), Simulation())
    scales = {one.sample.dataset: one.sum_of_weights for one in found.simulated}
    assert scales["mc0"] == 250.0
    assert scales["mc1"] == 1000.0
    assert found.luminosity == pytest.approx(0.75)
    told = changed(dataclasses.replace(hists, ledger=ledger), "mc0", sums={OF_DATASET: 5000.0})
    assert {o.sample.dataset: o.sum_of_weights for o in normalised(told, Simulation()).simulated}["mc0"] == 1250.0


@pytest.mark.parametrize(("name", "fields", "message"), [
    ("mc1", {"normalisation": Normalisation()}, r"dataset 'mc1'.*cross section.*--cross-section 'mc1=NUMBER'"),
    ("mc1", {"sums": {}}, r"dataset 'mc1'.*no sum of generator weights.*\"sum_of_weights\""),
    ("mc2", {"sums": {("a", "b"): -3.0}}, r"dataset 'mc2'.*of -3; it has to be above 0.*leave out a sample"),
    ("mc2", {"sums": {OF_DATASET: -400.0}}, r"dataset 'mc2'.*of -400; it has to be above 0.*correct a wrong"),
    ("data", {"normalisation": Normalisation()}, r"dataset 'data'.*no luminosity.*--luminosity"),
    (
        "data", {"normalisation": Normalisation(no_luminosity="lumi=0 is not above 0")},
        r"dataset 'data': metadata: lumi=0 is not above 0; give .*--luminosity",
    ),
    (
        "mc1", {"normalisation": Normalisation(no_cross_section="xs=0 is not above 0")},
        r"dataset 'mc1'.*cross section \(metadata: xs=0 is not above 0\); add",
    ),
    ("data", {"normalisation": Normalisation(luminosity=35900.0)}, r"35900 1/fb; is it in 1/pb\?"),
])  # fmt: skip
def test_what_is_missing_is_named_with_what_to_add(name, fields, message):
    with pytest.raises(InputError, match=message):
        scan(changed(null_output(6), name, **fields), toys=0)


def test_one_kind_alone_is_no_comparison():
    hists = null_output(7)
    with pytest.raises(InputError, match=r"no simulation \('data' is data\)"):
        scan(output(hists.layout, {"data": hists.samples["data"]}), toys=0)
    rest = {name: one for name, one in hists.samples.items() if name != "data"}
    with pytest.raises(InputError, match=r"no data \('mc0' is simulation"):
        scan(output(hists.layout, rest), toys=0)


def test_what_is_said_of_no_dataset_is_an_error():
    with pytest.raises(UnknownNameError, match="no simulated dataset 'mc9'; there are: 'mc0'"):
        normalised(null_output(8), Simulation(cross_sections={"mc9": 1.0}))
    with pytest.raises(UnknownNameError, match="no simulated dataset 'data'"):
        normalised(null_output(8), Simulation(cross_section_errors={"data": 0.1}))


@pytest.mark.parametrize("options", [
    {"luminosity": 0.0}, {"luminosity_error": 1.0}, {"luminosity_error": -0.1}, {"cross_sections": {"a": -1.0}},
    {"cross_section_errors": 1.5}, {"cross_section_errors": {"a": 2.0}},
])  # fmt: skip
def test_numbers_that_cannot_be_are_errors(options):
    with pytest.raises(InputError):
        Simulation(**options)
