"""The outcome of a scan in words: what is beyond 3 sigma, and how well the global z is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from coffea_ddp.report.cell_words import OBJECTS, cell_words, legend, listed, symbols
from coffea_ddp.report.common import CommonAsymmetry
from coffea_ddp.report.dataset_words import dataset_words
from coffea_ddp.report.finding import cautions, finding, resolution
from coffea_ddp.report.parts import BumpPart, CausePart, RatioPart
from coffea_ddp.report.regions import Range, Region
from coffea_ddp.report.report import ScanReport
from coffea_ddp.report.rows import Row
from coffea_ddp.report.summaries import SymmetrySummary
from coffea_ddp.stats.trials import p_from_z, z_from_p


def row(**changes: object) -> Row:
    known: dict[str, object] = {
        "kind": "symmetry", "symmetry": "emu/mue OS", "observable": "m_ll", "cell": "tau=1", "region": None,
        "test": "submatrix", "n_a": 8, "n_b": 94, "statistic": 8.0, "p_local": 1e-15, "z_local": 8.0,
        "p_global": 1 / 1001, "z_global": 3.29, "n_ge": 0, "n": 1000, "method": "m", "status": "OK", "rank": 1,
        "similar_to": 1, "kappa": 1.0,
    }  # fmt: skip
    return Row.of_columns(**(known | changes))


def report_of(*rows: Row, **changes: object) -> ScanReport:
    summaries = (SymmetrySummary("emu/mue OS", ("emu", "mue"), 1.0, 5, 0, 5, {}),)
    known: dict[str, object] = {"plan": "p", "fingerprint": "", "seed": 0, "inputs": {}, "trials": 60_048,
                                "rows": rows, "summaries": summaries}  # fmt: skip
    return ScanReport(**(known | changes))  # type: ignore[arg-type]


def test_a_region_beyond_3_sigma_is_told_in_events() -> None:
    region = Region((Range("m_ll", 200.0, 350.0, "GeV", 4, 6),))
    found = finding(report_of(row(region=region)))
    assert found.is_beyond
    assert found.sentence == (
        "Beyond 3 sigma after 60,048 trials: emu/mue OS in events with one hadronic tau at m_ll 200 to 350 GeV: "
        "mue in 94 of 102 events, 8 expected."
    )
    assert "0 of 1,000" in found.significance
    assert "bound" in found.significance


@pytest.mark.parametrize(("n_a", "n_b", "kappa", "words"), [
    (94, 8, 1.0, "emu in 94 of 102 events, 8 expected"),
    (10, 60, 2.0, "mue in 60 of 70 events, 20 expected"),
    (60, 10, 2.0, "emu in 60 of 70 events, 5 expected"),
    (0, 109, 1.0, "mue in 109 of 109 events, 0 expected"),
])  # fmt: skip
def test_the_side_in_excess_is_named_with_what_the_other_expects(n_a: int, n_b: int, kappa: float, words: str) -> None:
    assert words in finding(report_of(row(n_a=n_a, n_b=n_b, kappa=kappa))).sentence


def test_too_few_pseudo_experiments_are_no_null_result() -> None:
    few = finding(report_of(row(n=100, p_global=1 / 101, z_global=2.58)))
    assert few.sentence.startswith("No statement beyond 3 sigma after 60,048 trials: none of 100")
    assert not few.is_beyond
    counted = finding(report_of(row(n_ge=28, p_global=29 / 1001, z_global=2.18)))
    assert counted.sentence.startswith("Nothing beyond 3 sigma after 60,048 trials.")
    assert "28 of 1,000" in counted.significance
    assert "+0.09 -0.07" in counted.significance


def test_a_p_below_all_doubles_is_beyond_3_sigma() -> None:
    found = finding(report_of(row(p_global=None, z_global=-58.1, n=None, n_ge=None, z_local=-60.0, p_local=None)))
    assert found.is_beyond
    assert found.significance == "global z = -58.10, p < 1e-300"
    none = finding(report_of(row(p_global=None, z_global=None, n=None, n_ge=None)))
    assert (none.is_beyond, none.significance) == (False, "no global p")


def test_a_bump_is_told_by_its_mass() -> None:
    bump = row(kind="spectrum", symmetry=None, observable="2mu", cell="inclusive", test="bump", n_a=None, n_ge=None,
               n=None, z_global=4.2, p_global=1.3e-5, two_sided=False)  # fmt: skip
    bump = dataclasses.replace(bump, bump=BumpPart(position=600.4, width=9.0, bump_events=34.6))
    words = "a bump at 600.4 GeV in the mass of 2mu (34.6 events above the background) in all events."
    assert words in finding(report_of(bump)).sentence
    explained = dataclasses.replace(bump, cause=CausePart("Z in 2e", 0.9, "x"))
    assert finding(report_of(explained)).sentence == "Nothing but what kinematics explain."
    deficit = dataclasses.replace(bump, z_global=-5.0, p_global=1.0)
    assert not finding(report_of(deficit)).is_beyond


@given(st.integers(1, 300), st.integers(0, 2000), st.booleans())
def test_the_resolution_is_that_of_clopper_and_pearson(n_ge: int, more: int, two_sided: bool) -> None:
    n = n_ge + more
    up, down = resolution(n_ge, n, two_sided=two_sided)
    interval = scipy_stats.binomtest(n_ge, n).proportion_ci(1.0 - 2.0 * p_from_z(1.0, two_sided=False))
    z = [float(z_from_p(p, two_sided=two_sided)) for p in ((n_ge + 1) / (n + 1), interval.low, interval.high)]
    assert up == pytest.approx(z[1] - z[0], abs=0.0051)
    assert down == pytest.approx(max(z[0] - z[2], 0.0), abs=0.0051) or not np.isfinite(z[2])


def test_what_is_missing_or_does_not_close_is_named() -> None:
    closure = [{"variable": name, "n_bins": 3, "chi2_before": 9.0, "chi2": 9.0, "p_value": p}
               for name, p in (("pt", 1e-9), ("eta", 0.4))]  # fmt: skip
    inputs = {"partial": True, "missing": ["a.root: gone"], "calibration": {"closure": closure}}
    common = CommonAsymmetry(symmetry="e/mu", sides=("e", "mu"), log_ratio=0.131, error=0.008, spread=0.0, n_cells=92,
                             n_compatible=87, chi2=101.0, p_value=0.2, ranks=(1,))  # fmt: skip
    told = cautions(report_of(row(), inputs=inputs, common_asymmetries=(common,)))
    assert [text.split(":")[0] for text in told[:1]] == ["PARTIAL"]
    assert "a.root: gone" in told[0]
    assert told[1] == "The calibration does not close in pt."
    assert "14.0 % in 87 of 92 cells" in told[2]
    assert "Sidak bound" in told[3]
    assert cautions(report_of()) == []


# -- cells, symbols and data in words --------------------------------------------------------------------------------


@pytest.mark.parametrize(("cell", "words"), [
    ("inclusive", "all events"),
    ("tau=0", "no hadronic tau"),
    ("j>=1 & b=2 & VBF & !ttbar", "at least one jet, 2 b jets, a VBF topology and no ttbar topology"),
    ("K>=2", "at least 2 K"),
    ("!Z", "no Z candidate"),
    ("anything at all", "anything at all"),
    ("<script> & j=1", "<script> & j=1"),
    ("", ""),
])  # fmt: skip
def test_cells_are_put_in_words_and_strangers_names_stay(cell: str, words: str) -> None:
    assert cell_words(cell) == words


@pytest.mark.parametrize(("text", "shown"), [
    ("emu/mue OS", "e\N{GREEK SMALL LETTER MU}/\N{GREEK SMALL LETTER MU}e OS"),
    ("l-/l+", "\N{SCRIPT SMALL L}-/\N{SCRIPT SMALL L}+"),
    ("2mu+tau", "2\N{GREEK SMALL LETTER MU}+\N{GREEK SMALL LETTER TAU}"),
    ("ele and multiplicity, formula, total, el", "ele and multiplicity, formula, total, el"),
])  # fmt: skip
def test_particles_have_symbols_where_they_are_words(text: str, shown: str) -> None:
    assert symbols(text) == shown


@given(st.text(), st.text())
def test_no_text_is_too_odd_for_words(cell: str, text: str) -> None:
    assert isinstance(cell_words(cell), str)
    assert symbols(symbols(text)) == symbols(text)


@given(st.one_of(st.none(), st.integers(), st.lists(st.dictionaries(st.sampled_from(
    ["multiplicity", "topology", "description"]), st.one_of(st.none(), st.text(), st.integers())))))  # fmt: skip
def test_a_legend_takes_what_a_report_may_hold(axes: object) -> None:
    assert all(isinstance(one.words, str) for one in legend(axes))


def test_words_are_listed_with_one_and() -> None:
    assert [listed(("a", "b", "c")[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert set(OBJECTS) >= {"e", "mu", "tau", "j", "b", "gamma"}


def test_the_data_are_told_as_far_as_they_are_known() -> None:
    assert dataset_words({}) == ""
    assert dataset_words({"spectra": 1}) == "1 spectrum"
    choices = {"kind of events": ["simulation", "data"], "integrated luminosity (2016)": ["16.4 fb^-1"],
               "integrated luminosity (2017)": ["41.5 fb^-1"], "collision energy": ["13 TeV"]}  # fmt: skip
    told = dataset_words({"choices": choices, "events": 1, "files": 1, "datasets": ["data"]})
    assert told == "data and simulation, 13 TeV, 16.4 fb^-1 (2016), 41.5 fb^-1 (2017), 1 event of 1 file"


@given(st.dictionaries(st.sampled_from(["choices", "events", "files", "datasets", "spectra"]),
                       st.one_of(st.none(), st.integers(), st.text(), st.lists(st.text()))))  # fmt: skip
def test_damaged_inputs_are_no_error(inputs: dict[str, object]) -> None:
    assert isinstance(dataset_words(inputs), str)


def test_a_ratio_part_without_kappa_expects_equal_sides() -> None:
    bare = dataclasses.replace(row(), ratio=RatioPart(asymmetry=0.5))
    assert "8 expected" in finding(report_of(bare)).sentence
