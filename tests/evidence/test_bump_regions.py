"""A bump at its mass and width in other data: its level on smooth shapes, its power, and what cannot be tested."""

from __future__ import annotations

import dataclasses

import hist
import numpy as np
import pytest
from scipy.stats import norm

from coffea_ddp.evidence.other_regions import outcome_of_bump
from coffea_ddp.report.parts import BumpPart
from coffea_ddp.report.rows import Row
from coffea_ddp.spectra.spectrum import MassSpectrum

CENTRES = np.arange(60) * 10.0 + 105.0
SHAPES = {
    "exponential": 3_000.0 * np.exp(-(CENTRES - 100) / 130),
    "dijet": 3e4 * (1 - CENTRES / 1300) ** 6 * (CENTRES / 100) ** -5.0,
}


@dataclasses.dataclass
class Output:
    """What is asked of an output: the spectrum."""

    counts: np.ndarray

    def spectrum(self, name, cell):
        axis = hist.axis.Regular(60, 100.0, 700.0, name="mass")
        return MassSpectrum(name, cell, hist.Hist(axis, data=self.counts), width=20.0)


def row(mass, *, number=1):
    return Row(
        kind="spectrum", symmetry=None, observable="m0m1", cell="inclusive", region=None, test="bump", n_a=None, n_b=1,
        statistic=5.0, p_local=None, z_local=5.0, p_global=None, z_global=None, method="", status="OK",
        bump=BumpPart(mass, 20.0, bump_number=number),
    )  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_its_level_holds_on_smooth_spectra(shape):
    rng, n = np.random.default_rng(3), 150
    found = [
        outcome_of_bump(row(305.0), Output(rng.poisson(SHAPES[shape]).astype(float)), [], toys=60, seed=number)
        for number in range(n)
    ]
    level = np.mean([one.p <= 0.1 for one in found])
    assert level <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / n)
    for one in found:
        assert one.p >= norm.sf(one.z) * (1 - 1e-9)
        assert one.n is None or one.p == (one.n_ge + 1) / (one.n + 1)


def test_a_bump_that_repeats_is_found_and_only_where_it_is():
    rng = np.random.default_rng(4)
    counts = SHAPES["exponential"] + 250 * np.exp(-0.5 * ((CENTRES - 405.0) / 20.0) ** 2)
    output = Output(rng.poisson(counts).astype(float))
    there, elsewhere = (outcome_of_bump(row(mass), output, [], toys=200, seed=1) for mass in (405.0, 605.0))
    assert there.p == 1 / 201
    assert there.z > 8
    assert there.n_b > there.expected + 500
    assert elsewhere.p > 0.05


def test_bins_around_a_stronger_bump_take_no_part():
    output = Output(SHAPES["exponential"].round())
    beside = outcome_of_bump(row(425.0, number=2), output, [row(405.0)], toys=20, seed=1)
    assert "a stronger bump is there" in beside.reason
    assert beside.p == 1.0


def test_what_cannot_be_tested_says_why():
    few = outcome_of_bump(row(305.0), Output(np.ones(60)), [], toys=20, seed=1)
    assert few.reason
    assert few.p == 1.0
    outside = outcome_of_bump(row(9_000.0), Output(SHAPES["exponential"].round()), [], toys=20, seed=1)
    assert "outside of the range" in outside.reason
