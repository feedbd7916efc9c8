"""Metadata of a dataset's normalisation, in the spellings that people use."""

from __future__ import annotations

import pytest

from coffea_ddp.errors import InputError
from coffea_ddp.plan.datasets import described
from coffea_ddp.plan.normalisation import normalised


@pytest.mark.parametrize(("metadata", "cross_section", "luminosity"), [
    ({"cross_section": 6077.22, "luminosity": 59.8}, 6077.22, 59.8),
    ({"xsec": "88.3 pb", "lumi": "35900 /pb"}, 88.3, 35.9),
    ({"crossSection": "20 fb", "Lumi": "59.8 fb^-1"}, 0.02, 59.8),
    ({"xs": 1, "integrated_luminosity": "many"}, 1.0, None),
    ({"xsec": -1, "lumi": -1}, None, None),
    ({"xsec": "unknown", "lumi": {"2018": 1.0}}, None, None),
    ({"cross_section": None}, None, None),
    ({}, None, None),
])  # fmt: skip
def test_spellings_and_units(metadata, cross_section, luminosity):
    found = normalised("d", metadata)
    assert found.cross_section == (None if cross_section is None else pytest.approx(cross_section))
    assert found.luminosity == (None if luminosity is None else pytest.approx(luminosity))


@pytest.mark.parametrize(("value", "wrong"), [
    (0, "luminosity=0 is not above 0"), (-1, "luminosity=-1 is not above 0"),
    ("3 /parsec", "luminosity='3 /parsec' has none of the units /fb, /pb"),
    ("-3 /fb", "luminosity='-3 /fb' is not above 0"),
    ("many", "luminosity='many' is no number"), ("1.2.3", "luminosity='1.2.3' is no number"),
    (float("inf"), "luminosity=inf is not finite"), (True, "luminosity=True is no number"),
    ({"2018": 1.0}, "luminosity={'2018': 1.0} is no number"), (None, ""), (59.8, ""),
])  # fmt: skip
def test_a_wrong_luminosity_is_kept_in_words(value, wrong):
    assert normalised("d", {"luminosity": value}).no_luminosity == wrong
    assert described("d", {"luminosity": value}).normalisation.no_luminosity == wrong
    assert normalised("d", {"xsec": 10**400}).no_cross_section.endswith(" ... is not finite")
    assert len(normalised("d", {"xsec": "x" * 10**6}).no_cross_section) < 100
    assert normalised("d", {"luminosity": value, "lumi": 3}).no_luminosity == ""


@pytest.mark.parametrize(("metadata", "branch", "total"), [
    ({}, "genWeight", None), ({"generator_weight": False}, "", None), ({"generator_weight": "w"}, "w", None),
    ({"sum_of_weights": 1e9}, "genWeight", 1e9), ({"sumw": -5}, "genWeight", -5.0),
])  # fmt: skip
def test_generator_weights(metadata, branch, total):
    found = normalised("d", metadata)
    assert (found.generator_weight, found.sum_of_weights) == (branch, total)


@pytest.mark.parametrize(("metadata", "message"), [
    ({"cross_section": "much"}, "dataset 'd'.*cross_section='much'.*in pb"),
    ({"cross_section": -3.0}, "a number above 0"),
    ({"generator_weight": 3}, "generator_weight=3; give the name of a branch"),
    ({"sum_of_weights": 0}, "is finite, and not 0"),
    ({"sum_of_weights": float("nan")}, "is finite, and not 0"),
])  # fmt: skip
def test_what_cannot_be_is_an_error(metadata, message):
    with pytest.raises(InputError, match=message):
        normalised("d", metadata)


def test_it_is_a_part_of_what_is_known_of_a_dataset_and_changes_no_event():
    first, second = (described("d", {"cross_section": one, "sumw": one}) for one in (1.0, 2.0))
    assert first.normalisation.cross_section == 1.0
    assert first.digest == second.digest == described("d", {}).digest
    assert described("d", {"generator_weight": False}).digest != first.digest
    assert described("d", {"weight": 2.0, "era": "x"}).normalisation.factor == 2.0
