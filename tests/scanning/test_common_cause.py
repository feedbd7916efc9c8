"""Rows of one cause are told once: different efficiencies, never a null or a localised signal."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import coffea_ddp as ddp
from coffea_ddp.errors import FormatError
from coffea_ddp.report.common import CommonAsymmetry, leading_rows
from coffea_ddp.testing import Detector, LFVSignal, make_nanoaod


def scanned(path: Path, detector: Detector, *, signal: int = 0, events: int = 12_000, **options):
    hidden = [LFVSignal(signal, lepton="e", tau="hadrons")] if signal else []
    file = make_nanoaod(path / "toy.root", events=events, seed=7, signals=hidden, detector=detector)
    hists = ddp.run("symmetries", [str(file)], executor="iterative")
    return ddp.scan(hists, tests=["nsigma"], symmetries=["e/mu"], toys=100, seed=1, **options)


@pytest.fixture(scope="module")
def lopsided(tmp_path_factory):
    return scanned(tmp_path_factory.mktemp("lopsided"), Detector(electron=0.6), signal=1_200, events=30_000)


def test_different_efficiencies_are_one_group(lopsided):
    (found,) = lopsided.common_asymmetries
    assert found.symmetry == "e/mu"
    assert found.log_ratio == pytest.approx(-np.log(0.6), abs=0.2)
    assert found.n_compatible >= 0.8 * found.n_cells
    assert len(found.ranks) > 20
    assert "exceeds" in found.text
    assert "calibrate" in found.text
    leading = [row for row in lopsided.rows if row.is_leading and row.rank]
    shown = [row for row in leading_rows(lopsided.rows, lopsided.common_asymmetries) if row.rank]
    assert [row.rank for row in shown if row.rank in found.ranks] == [found.ranks[0]]
    assert {row.rank for row in leading} - {row.rank for row in shown} <= set(found.ranks[1:])
    assert len(shown) < len(leading)


def test_it_stands_at_the_head_of_every_face(lopsided, tmp_path):
    (found,) = lopsided.common_asymmetries
    start = " ".join(found.text.split()[:4])
    assert start in str(lopsided.table().title)
    assert lopsided._repr_html_().index(start) < lopsided._repr_html_().index("<table>")
    page = ddp.write_report(lopsided, tmp_path / "page")
    assert start in page.read_text("utf-8")
    shown, everything = (
        {str(cell) for column in table.columns if str(column.header) == "row" for cell in column.cells}
        for table in (lopsided.table(1_000, similar=similar) for similar in (False, True))
    )
    assert shown & set(map(str, found.ranks)) == {str(found.ranks[0])}
    assert set(map(str, found.ranks)) <= everything


def test_files_keep_it_and_older_ones_have_none(lopsided, tmp_path):
    assert ddp.ScanReport.load(lopsided.save(tmp_path / "r.json")) == lopsided
    data = lopsided.to_dict()
    older = {key: value for key, value in data.items() if key != "common_asymmetries"}
    assert ddp.ScanReport.from_dict(older) == dataclasses.replace(lopsided, common_asymmetries=())
    for key, value in (("n_compatible", 10**6), ("sides", ["e"]), ("ranks", [0]), ("p_value", 2.0), ("spread", "x")):
        bad = data | {"common_asymmetries": [data["common_asymmetries"][0] | {key: value}]}
        with pytest.raises(FormatError):
            ddp.ScanReport.from_dict(bad)


def test_a_signal_on_top_is_shown(lopsided):
    """H -> e tau is an excess of A where B exceeds A: it is no member of the group."""
    (found,) = lopsided.common_asymmetries
    asked = [row for row in lopsided.rows if "tau" in str(row.cell) and "tau=0" not in str(row.cell)]
    taus = [row for row in asked if row.z_local < -3]
    assert taus
    assert not {row.rank for row in taus} & set(found.ranks)
    assert any(row in leading_rows(lopsided.rows, lopsided.common_asymmetries) for row in taus)


def test_silence(tmp_path):
    """A clean null, a signal in some cells, and a ratio that is estimated: no common asymmetry."""
    assert scanned(tmp_path / "null", Detector()).common_asymmetries == ()
    assert scanned(tmp_path / "signal", Detector(), signal=700).common_asymmetries == ()
    known = ddp.Expectation(kappa="global")
    assert scanned(tmp_path / "known", Detector(electron=0.6), expectation=known).common_asymmetries == ()


def test_words_of_either_side():
    values = {"symmetry": "e/mu", "sides": ("e", "mu"), "error": 0.01, "spread": 0.02, "n_cells": 9, "n_compatible": 9}
    for log_ratio, words in (
        (0.1, "mu exceeds e by 10.5 %, 2.0 % from cell to cell,"),
        (-0.1, "e exceeds mu by 10.5 %"),
    ):
        found = CommonAsymmetry(log_ratio=log_ratio, chi2=8.0, p_value=0.5, ranks=(1, 2), **values)
        assert words in found.text
