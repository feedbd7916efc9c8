"""Samples of a comparison: a monoid, files, and what is known of their normalisation."""

from __future__ import annotations

import dataclasses
import json
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp.errors import FormatError, MergeError
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.ledger import Chunk, Ledger, Missing
from coffea_ddp.histograms.simulated import (
    OF_DATASET,
    Normalisation,
    Sample,
    counted_share,
    filled_codes,
    lacking,
    sum_of_counted,
    sum_samples,
)
from coffea_ddp.histograms.sparse import SparseCounts
from tests.support.compared_toys import layout_of, null_output, output


def part(seed: int, file: str = "u") -> dict[str, Sample]:
    rng = np.random.default_rng(seed)
    keys = rng.integers(0, 50, 30)
    simulated = SparseCounts.from_keys(keys, rng.choice([-1.0, 2.0], 30))
    return {
        "mc": Sample("mc", "simulation", simulated, {(file, "Events"): 100.0}, Normalisation(2.0), int(seed % 7)),
        "data": Sample("data", "data", SparseCounts.from_keys(keys)),
    }


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_samples_add_up_in_any_order(a, b, c):
    one, two, three = part(a, "u"), part(b, "u"), part(c, "v")
    total = sum_samples([one, two, three])
    assert total == sum_samples([three, sum_samples([two, one])])
    assert list(total) == ["data", "mc"]
    assert total["mc"].sum_of_weights == 200.0  # of two files, of which one is in two parts
    assert total["mc"].negative == a % 7 + b % 7 + c % 7


def test_a_sum_of_the_dataset_is_taken_once():
    one = dataclasses.replace(part(1)["mc"], sums={OF_DATASET: 70.0})
    assert Sample.sum([one, one]).sum_of_weights == 70.0


@pytest.mark.parametrize(("changes", "message"), [
    ({"kind": "data"}, "'mc': simulation in one part, data in another"),
    ({"normalisation": Normalisation(3.0)}, "'mc'.*cross_section=2.0.*cross_section=3.0"),
    ({"sums": {("u", "Events"): 101.0}}, "two sums of generator weights of one file, 100 and 101"),
])  # fmt: skip
def test_parts_that_contradict_each_other_are_not_added(changes, message):
    one = part(1)["mc"]
    with pytest.raises(MergeError, match=message):
        Sample.sum([one, dataclasses.replace(one, **changes)])


def test_outputs_with_samples_are_a_monoid_and_survive_files(tmp_path):
    first, second = null_output(1), null_output(2)
    both = first + second
    assert both == second + first
    assert both + Histograms.empty(first.layout) == both
    assert both.samples["mc0"].counts.sum_w.sum() == pytest.approx(
        first.samples["mc0"].counts.sum_w.sum() + second.samples["mc0"].counts.sum_w.sum()
    )
    again = Histograms.load(both.save(tmp_path / "h.ddp"))
    assert again == both
    assert again.layout == both.layout
    assert both.save(tmp_path / "one.ddp").read_bytes() == again.save(tmp_path / "two.ddp").read_bytes()


def test_an_output_without_comparisons_says_nothing_of_them(tmp_path):
    layout = dataclasses.replace(layout_of(), comparisons=())
    path = Histograms.empty(layout).save(tmp_path / "h.ddp")
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert "samples" not in manifest
        assert "comparisons" not in manifest["layout"]
        assert len(archive.namelist()) == 4


@pytest.mark.parametrize(("key", "value"), [
    ("kind", "other"), ("negative", -1), ("negative", 1.5), ("dataset", 3), ("sums", [["a", "b", float("inf")]]),
    ("sums", 3), ("normalisation", {"cross_section": -1.0, "luminosity": None, "factor": 1.0, "era": ""}),
])  # fmt: skip
def test_what_a_file_cannot_say_of_a_sample_is_an_error(tmp_path, key, value):
    path = null_output(3).save(tmp_path / "h.ddp")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members["manifest.json"])
    manifest["samples"][1][key] = value
    with zipfile.ZipFile(tmp_path / "bad.ddp", "w") as archive:
        for name, content in {**members, "manifest.json": json.dumps(manifest)}.items():
            archive.writestr(name, content)
    with pytest.raises(FormatError, match=r"bad\.ddp"):
        Histograms.load(tmp_path / "bad.ddp")


def test_the_share_of_what_is_missing():
    ledger = Ledger.of(Chunk("d", "a.root", "E", "u", 0, 50, 100)) + Ledger.of(
        Chunk("d", "b.root", "E", "v", 0, 100, 100)
    )
    assert counted_share(ledger, "d") == 0.75
    assert counted_share(ledger, "other") == 1.0
    lost = ledger.without([Missing("d", "c.root", 0, 50, "gone", "E", "w")])
    assert counted_share(lost, "d") == pytest.approx(0.6)
    sample = Sample("d", "simulation", SparseCounts.empty(weighted=True), {("u", "E"): 10.0, ("v", "E"): 30.0})
    assert sum_of_counted(sample, lost) == 35.0


def test_what_is_lacking_is_told():
    assert lacking({}) == []
    assert lacking(null_output(4).samples) == []
    mc = Sample("mc", "simulation", SparseCounts.empty(weighted=True))
    told = lacking({"mc": mc})
    assert any("no dataset of data" in one for one in told)
    assert any("--cross-section 'mc=NUMBER'" in one for one in told)
    assert any('"sum_of_weights"' in one for one in told)
    data = Sample("data", "data", SparseCounts.empty())
    assert any("--luminosity" in one for one in lacking({"data": data}))


def test_a_wrong_value_is_named_and_not_said_to_be_absent(tmp_path):
    hists = null_output(4)
    wrong = {
        "data": Normalisation(no_luminosity="luminosity=-1 is not above 0"),
        "mc0": Normalisation(no_cross_section="xsec='abc' is no number"),
    }
    samples = {
        name: dataclasses.replace(one, normalisation=wrong.get(name, one.normalisation))
        for name, one in hists.samples.items()
    }
    path = dataclasses.replace(hists, samples=samples).save(tmp_path / "h.ddp")
    told = lacking(Histograms.load(path).samples)
    assert len(told) == 2
    assert "'mc0', metadata: xsec='abc' is no number: a scan needs --cross-section 'mc0=NUMBER'" in told[0]
    assert "'data', metadata: luminosity=-1 is not above 0" in told[1]
    assert "--luminosity NUMBER" in told[1]
    assert set(Normalisation().to_dict()) == {"cross_section", "luminosity", "factor", "era"}


@pytest.mark.parametrize("sums", [{OF_DATASET: -400.0}, {("a", "b"): 1.0, ("c", "b"): -3.0}, {("a", "b"): 0.0}])
def test_a_sum_of_weights_that_cannot_scale_is_told_by_the_pass(sums):
    hists = null_output(4)
    (told,) = lacking({**hists.samples, "mc0": dataclasses.replace(hists.samples["mc0"], sums=sums)})
    assert f"dataset 'mc0' has a sum of generator weights of {sum(sums.values()):g}: it has to be above 0" in told
    assert "leave out a sample" in told


def test_filled_cells():
    hists = null_output(5)
    found = filled_codes(hists.layout, hists.samples["data"])
    assert len(found)
    assert found.max() < hists.layout.grid.n_exclusive
    assert (
        len(
            filled_codes(
                hists.layout, output(hists.layout, {}).samples.get("x", Sample("x", "data", SparseCounts.empty()))
            )
        )
        == 0
    )
