"""Tests as objects: options, tests of one's own, and tests that other packages install."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys

import numpy as np
import pytest
from stored_toys import make_events
from toys import make_histograms, make_layout, scan_expecting

import coffea_ddp as ddp
from coffea_ddp.errors import DDPError, InputError, UnknownNameError
from coffea_ddp.scanning import registry
from coffea_ddp.scanning.driver import scan


def pulls(a, b, ratio):
    """N_sigma, written anew: the sum of the pulls of all bins over the root of their number."""
    filled = a + b > 0
    variance = np.where(filled, ratio * (a + b), 1.0)
    return np.where(filled, (b - ratio * a) / np.sqrt(variance), 0.0).sum(axis=1) / np.sqrt(filled.sum(axis=1))


OWN = ddp.CellTest("own", pulls, "of pulls")


@pytest.fixture(scope="module")
def hists():
    return make_events(1_200, 4, kappa=1.3)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"kappa": 1.2, "symmetries": ["e/mu"]},
        {"kappa": "global"},
        {"kappa": "cell", "symmetries": ["e/mu"]},
        {"kappa": "global", "null": "binomial"},
        {"correction": {"e/mu:x": np.linspace(0.8, 1.2, 6)}},
    ],
    ids=["plan", "given", "global", "cell", "anew", "correction"],
)
def test_a_function_that_is_nsigma_ranks_as_nsigma(hists, options):
    """The data and every pseudo-experiment give the same z, whatever is known of kappa."""
    report = scan_expecting(hists, ["nsigma", OWN], toys=70, seed=1, min_events=10, best=60, **options)
    of = {
        name: {(row.symmetry, row.observable, row.cell): row for row in report.rows if row.test == name}
        for name in ("nsigma", "own")
    }
    both = of["nsigma"].keys() & of["own"].keys()
    assert len(both) > 20
    for key in both:
        theirs, mine = of["nsigma"][key], of["own"][key]
        # Where kappa is that of the totals, N_sigma is scaled; the function does not know of it.
        scale = mine.z_local / theirs.z_local if "kappa" in options else 1.0
        assert mine.z_local * theirs.z_local >= 0
        assert mine.z_local == pytest.approx(scale * theirs.z_local)
        if options.get("kappa") not in ("global", "cell"):
            assert scale == pytest.approx(1.0)
            assert mine.n_ge_cell == theirs.n_ge_cell
        assert abs(mine.n_ge_cell - theirs.n_ge_cell) <= 3
        assert (mine.n_a, mine.n_b, mine.n_bins) == (theirs.n_a, theirs.n_b, theirs.n_bins)
        assert mine.ratio.kappa == pytest.approx(theirs.ratio.kappa, rel=1e-12)


def test_its_global_p_is_found_for_a_signal_and_not_without():
    layout = make_layout()
    signal = scan(make_histograms(layout, 2_000, 3, excess=0.1), OWN, toys=200, min_events=20)
    assert signal.rows[0].p_global == pytest.approx(1 / 201)
    assert "of pulls" in signal.rows[0].method
    nothing = scan(make_histograms(layout, 2_000, 4), OWN, toys=200, min_events=20)
    assert nothing.global_p[-1].p_value > 0.01


def test_objects_are_what_names_are(hists):
    named = scan(hists, ["nsigma", "submatrix", "submatrix_nsigma"], toys=20, min_events=10)
    made = scan(hists, [ddp.NSigma(), ddp.Submatrix(), ddp.Submatrix(score="nsigma")], toys=20, min_events=10)
    assert made == named
    assert scan(hists, "nsigma", toys=0) == scan(hists, ["nsigma", "nsigma"], toys=0) == scan(hists, toys=0)


@pytest.mark.parametrize(
    ("tests", "error", "message"),
    [
        ([OWN, ddp.CellTest("own", np.add)], InputError, "two tests are called 'own'"),
        ([ddp.NPLM(fits=1), ddp.NPLM(fits=2)], InputError, "two tests are called 'nplm'"),
        ([ddp.NSigma], InputError, "is a class: make the test, as in NSigma\\(\\)"),
        ([3], InputError, "3 is no test: give a name"),
        (3, InputError, "3 is no test: give a name"),
        ([pulls], InputError, "or an object with name and kind, as CellTest"),
        (["nsigmas"], UnknownNameError, "Did you mean 'nsigma'"),
        ([ddp.CellTest("flat", lambda a, b, ratio: b - ratio * a)], InputError, "'flat' returned shape"),
    ],
)
def test_what_is_no_test_is_told(hists, tests, error, message):
    with pytest.raises(error, match=message):
        scan(hists, tests, toys=0, min_events=10)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ddp.Submatrix(score="pulls"), "the scores are 'counts' and 'nsigma'"),
        (lambda: ddp.Bump(toys=-1), "Bump, toys=-1"),
        (lambda: ddp.NPLM(fits=-1), "NPLM\\(fits=-1\\)"),
        (lambda: ddp.CellTest("a b", pulls), "an identifier"),
        (lambda: ddp.CellTest("ab", 3), "needs a function"),
    ],
)
def test_wrong_options_of_tests_are_told_before_the_scan(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_a_function_is_refused_where_it_would_be_wrong(hists):
    weighted = make_events(300, 1, weighted=True)
    with pytest.raises(InputError, match="'own' is a function of counts, and the plan has weights"):
        scan(weighted, OWN, toys=0, min_events=5)
    for options in ({"systematic": 0.1}, {"kappa_error": 0.1}, {"correction": {"e/mu:x": (np.ones(6), 0.1)}}):
        with pytest.raises(InputError, match="'own' knows no uncertainty"):
            scan_expecting(hists, OWN, **options)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package that installs tests under entry points, one of them good."""
    (tmp_path / "other_package.py").write_text(
        "import coffea_ddp as ddp\n"
        "def counted(a, b, ratio):\n"
        "    return (b - ratio * a).sum(axis=1) / (ratio * (a + b)).sum(axis=1) ** 0.5\n"
        "counted_test = ddp.CellTest('counted', counted, 'of the number of events')\n"
        "def make():\n"
        "    return ddp.CellTest('made', counted)\n"
        "not_a_test = 3\n",
        "utf-8",
    )
    points = {
        "counted": "other_package:counted_test",
        "made": "other_package:make",
        "misnamed": "other_package:counted_test",
        "broken": "other_package:nothing",
        "number": "other_package:not_a_test",
        "absent": "no_such_package:test",
    }
    info = tmp_path / "other_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-package\nVersion: 1.0\n", "utf-8")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[coffea_ddp.tests]", *lines, ""]), "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield points
    sys.modules.pop("other_package", None)


def test_installed_tests_are_found_by_name(hists, installed):
    assert set(installed) <= set(registry.names())
    report = scan(hists, ["counted", "made"], toys=20, min_events=10)
    assert {row.test for row in report.rows} == {"counted", "made"}
    assert any("of the number of events" in row.method for row in report.rows)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("misnamed", "calls itself 'counted'; its entry point has to have the same name"),
        ("broken", "AttributeError.*mend or uninstall that package"),
        ("number", "'int' object is not callable"),
        ("absent", "No module named 'no_such_package'"),
        ("nothing", "the tests are: nsigma, submatrix, .*counted"),
    ],
)
def test_installed_tests_that_cannot_be_used_are_told(hists, installed, name, message):
    with pytest.raises(DDPError, match=message):
        scan(hists, [name], toys=0)


def test_what_others_install_cannot_hide_ours(hists, monkeypatch):
    point = importlib.metadata.EntryPoint("nsigma", "no_such_package:test", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: (point,) if group == registry.GROUP else ())
    assert isinstance(registry.find("nsigma"), ddp.NSigma)
    assert registry.names().count("nsigma") == 1
