"""A detector applied to events: efficiency one changes nothing, losses are binomial, an event's fate is its own."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from coffea_ddp.errors import FileError, InputError
from coffea_ddp.testing import (
    Detector,
    LeptonEfficiency,
    LFVSignal,
    Resonance,
    apply_detector,
    make_nanoaod,
    make_not_root,
)
from coffea_ddp.testing.detected import read_events
from coffea_ddp.testing.generator.detection import applied

REAL = Path(__file__).parents[3] / "shared" / "data" / "nanoaod_real"
EVENTS = 12_000


@pytest.fixture(scope="module")
def ideal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_nanoaod(tmp_path_factory.mktemp("ideal") / "ideal.root", events=EVENTS, seed=3)


def read(path: Path) -> Any:
    with uproot.open(path) as file:
        return file["Events"].arrays()


def same(first: Any, second: Any) -> bool:
    """Return whether two files hold the same numbers under the same names, in any order of the branches."""
    return sorted(first.fields) == sorted(second.fields) and all(
        ak.array_equal(first[name], second[name], equal_nan=True, dtype_exact=name[0] != "n") for name in first.fields
    )


def test_efficiency_one_changes_nothing(ideal: Path, tmp_path: Path) -> None:
    for number, container in enumerate(("ttree", "rntuple")):
        made = apply_detector(ideal, tmp_path / f"{number}.root", Detector(), seed=number, container=container)
        assert same(read(ideal), read(made))
    with_it = make_nanoaod(tmp_path / "with.root", events=500, seed=8, detector=Detector())
    assert same(read(with_it), read(make_nanoaod(tmp_path / "without.root", events=500, seed=8)))


@pytest.mark.parametrize("name", ["nano_dimuon.root", "nano_tt_v15.root", "nano_dy.root", "nano_dy_empty.root"])
def test_real_nanoaod_keeps_every_branch(name: str) -> None:
    if not (REAL / name).exists():
        pytest.skip("needs ../shared/data")
    scalars, objects = read_events(REAL / name)
    for exchange in (False, True):
        made, found = applied(scalars, objects, Detector(electron=0.5, muon=0.5), seed=1, exchange=exchange)
        assert list(made) == list(scalars)
        for collection, before in objects.items():
            after = found[collection]
            assert {field: column.dtype for field, column in after.columns.items()} == {
                field: column.dtype for field, column in before.columns.items()
            }
            assert {len(column) for column in after.columns.values()} == {after.counts.sum()}
            if collection in ("Electron", "Muon"):
                continue
            assert all(np.array_equal(after.columns[field], column, equal_nan=column.dtype.kind == "f")
                       for field, column in before.columns.items())  # fmt: skip
        assert name.endswith("_empty.root") or 0 < found["Muon"].counts.sum() < sum(
            objects[flavour].counts.sum() for flavour in ("Electron", "Muon")
        )


@pytest.mark.parametrize("flavour", ["Electron", "Muon"])
def test_counts_are_binomial_in_bins(ideal: Path, tmp_path: Path, flavour: str) -> None:
    """In bins of pT, abs(eta) and charge; an unknown dependence, on the number of jets, is seen in the others' sum."""
    efficiency = LeptonEfficiency({10: 0.4, 40: 0.7, 100: 0.95}, {(1.5, 3.0): 0.8}, charge_asymmetry=0.05)
    detector = dataclasses.replace(Detector(lost=0.1), **{flavour.lower(): efficiency})
    before, after = read(ideal), read(apply_detector(ideal, tmp_path / "real.root", detector, seed=11))
    other = {"Electron": "Muon", "Muon": "Electron"}[flavour]
    columns = [ak.to_numpy(ak.flatten(before[f"{flavour}_{name}"])) for name in ("pt", "eta", "charge")]
    left = [ak.to_numpy(ak.flatten(after[f"{flavour}_{name}"])) for name in ("pt", "eta", "charge")]
    edges = [[0, 20, 30, 45, 70, 1e4], [-3, -1.5, 0, 1.5, 3], [-2, 0, 2]]
    n, k = (np.histogramdd(np.stack(one, axis=1), edges)[0] for one in (columns, left))
    chance = 0.9 * efficiency(*columns, np.zeros(len(columns[0]), np.int64))
    mean, variance = (
        np.histogramdd(np.stack(columns, axis=1), edges, weights=w)[0] for w in (chance, chance * (1 - chance))
    )
    used = n > 20
    chi2 = float(((k - mean)[used] ** 2 / variance[used]).sum())
    assert used.sum() > 20
    assert stats.chi2.sf(chi2, used.sum()) > 0.001
    share = ak.sum(after[f"n{other}"]) / ak.sum(before[f"n{other}"])
    assert share == pytest.approx(0.9, abs=5 * np.sqrt(0.09 / ak.sum(before[f"n{other}"])))


def test_an_event_does_not_know_its_file(ideal: Path, tmp_path: Path) -> None:
    """The same events in two files, in another order: the same leptons."""
    detector = dataclasses.replace(Detector.realistic(), lost=0.1, fake_electron=0.1, fake_muon=0.05)
    whole = read(apply_detector(ideal, tmp_path / "whole.root", detector, seed=4, exchange=True))
    events = read(ideal)
    for part, rows in enumerate((np.arange(4_000)[::-1], np.arange(4_000, EVENTS))):
        with uproot.recreate(tmp_path / f"{part}.root") as file:
            chosen = events[rows]
            file.mktree("Events", {
                **{n: chosen[n].type.content for n in chosen.fields if chosen[n].ndim == 1 and n[0] != "n"},
                **{n: chosen[n].type.content for n in chosen.fields if chosen[n].ndim == 2},
            })  # fmt: skip
            names = [n for n in chosen.fields if chosen[n].ndim == 2 or n[0] != "n"]
            file["Events"].extend({n: chosen[n] for n in names})
        made = read(
            apply_detector(tmp_path / f"{part}.root", tmp_path / f"{part}_d.root", detector, seed=4, exchange=True)
        )
        for name in ("Electron_pt", "Muon_pt", "Electron_charge", "Muon_tightId", "HLT_IsoMu24", "nElectron"):
            assert ak.array_equal(made[name], whole[rows][name]), name


def test_the_seed_decides(ideal: Path, tmp_path: Path) -> None:
    detector = Detector(electron=0.7, muon=0.7)
    one, again, other = (
        read(apply_detector(ideal, tmp_path / f"{number}.root", detector, seed=seed))
        for number, seed in enumerate((1, 1, 2))
    )
    assert same(one, again)
    assert not ak.array_equal(one.nElectron, other.nElectron)
    # Independent: as many are lost in both as chance has it.
    both = np.mean((one.nElectron == 0) & (other.nElectron == 0) & (read(ideal).nElectron == 1))
    assert both == pytest.approx(0.09 * np.mean(read(ideal).nElectron == 1), abs=0.005)


def test_exchanged_flavours_are_one_law(ideal: Path, tmp_path: Path) -> None:
    """Where electrons are half as efficient as muons before, both are alike after an exchange."""
    lopsided = apply_detector(ideal, tmp_path / "lopsided.root", Detector(electron=0.5), seed=1)
    made = read(apply_detector(lopsided, tmp_path / "made.root", Detector(), seed=2, exchange=True))
    before = read(lopsided)
    n_e, n_mu = int(ak.sum(made.nElectron)), int(ak.sum(made.nMuon))
    assert n_e + n_mu == ak.sum(before.nElectron) + ak.sum(before.nMuon)
    assert abs(n_e - n_mu) < 4 * np.sqrt(n_e + n_mu)
    for name in ("pt", "eta", "pfRelIso03_all"):
        samples = (ak.to_numpy(ak.flatten(made[f"{flavour}_{name}"])) for flavour in ("Electron", "Muon"))
        assert stats.ks_2samp(*samples).pvalue > 0.001
    passed = ak.flatten(made.Electron_cutBased) >= 4
    assert np.mean(passed) == pytest.approx(np.mean(ak.flatten(made.Muon_tightId)), abs=0.03)
    assert ak.array_equal(passed, ak.flatten(made.Electron_mvaFall17V2Iso_WP90))
    np.testing.assert_allclose(ak.to_numpy(ak.flatten(made.Electron_mass)), 0.000511, rtol=1e-6)


def test_triggers_follow_the_leptons(ideal: Path, tmp_path: Path) -> None:
    made = read(apply_detector(ideal, tmp_path / "made.root", Detector(electron=0.6, muon=0.0), seed=1))
    assert not ak.any(made.HLT_IsoMu24)
    above = ak.any((made.Electron_pt > 32) & (made.Electron_cutBased >= 4), axis=1)
    assert not ak.any(made.HLT_Ele32_WPTight_Gsf & ~above)
    assert np.mean(made.HLT_Ele32_WPTight_Gsf[above]) == pytest.approx(0.95, abs=0.03)


def test_fakes_come_from_jets(tmp_path: Path, ideal: Path) -> None:
    made = read(apply_detector(ideal, tmp_path / "made.root", Detector(fake_muon=0.2), seed=1))
    before = read(ideal)
    extra = made.nMuon - before.nMuon
    jets = ak.sum((before.Jet_pt > 30) & (abs(before.Jet_eta) < 2.5), axis=1)
    assert ak.all((extra >= 0) & (extra <= jets))
    assert 0.1 * ak.sum(jets) < ak.sum(extra) < 0.2 * ak.sum(jets)
    assert ak.all(made.Muon_pt[:, :-1] >= made.Muon_pt[:, 1:])
    assert ak.array_equal(made.nElectron, before.nElectron)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.floats(1, 500), st.floats(0, 1)), min_size=1, max_size=4, unique_by=lambda point: point[0]),
    st.floats(0, 0.2),
    st.integers(0, 6),
)
def test_efficiencies_are_within_their_points(points: list[tuple[float, float]], loss: float, jets: int) -> None:
    pt, eta = np.geomspace(0.5, 1e3, 50), np.linspace(-2.5, 2.5, 50)
    found = LeptonEfficiency(points, loss_per_jet=loss)(pt, eta, np.ones(50, int), np.full(50, jets))
    low, high = (f(height for _, height in points) for f in (min, max))
    assert (found >= low * (1 - loss) ** jets - 1e-12).all()
    assert (found <= high * (1 - loss) ** jets + 1e-12).all()


def test_a_function_of_ones_own(ideal: Path, tmp_path: Path) -> None:
    """Efficiency by the number of jets: events without jets keep all, with jets none."""
    made = read(apply_detector(ideal, tmp_path / "made.root", Detector(electron=lambda *x: 1.0 * (x[3] == 0)), seed=1))
    before = read(ideal)
    quiet = ak.sum((before.Jet_pt > 30) & (abs(before.Jet_eta) < 2.5), axis=1) == 0
    assert ak.all(made.nElectron[quiet] == before.nElectron[quiet])
    assert ak.sum(made.nElectron) < ak.sum(before.nElectron)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Detector(electron=1.2), "electron=1.2"),
        (lambda: Detector(lost=-0.1), "lost=-0.1"),
        (lambda: LeptonEfficiency({}), "give points"),
        (lambda: LeptonEfficiency({20: 1.5}), "20, 1.5"),
        (lambda: LeptonEfficiency(abs_eta={(2.0, 1.0): 0.5}), "give ranges"),
        (lambda: LeptonEfficiency(charge_asymmetry=2.0), "charge_asymmetry=2.0"),
    ],
)
def test_descriptions_that_make_no_sense(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_mistakes(ideal: Path, tmp_path: Path) -> None:
    target = tmp_path / "made.root"
    with pytest.raises(InputError, match="the one to read"):
        apply_detector(ideal, ideal, Detector(), seed=1)
    with pytest.raises(InputError, match="seed=-1"):
        apply_detector(ideal, target, Detector(), seed=-1)
    with pytest.raises(InputError, match=r"electron: 1\.4.* at pT .* is no probability"):
        apply_detector(ideal, target, Detector(electron=lambda pt, *_: 0 * pt + 1.4), seed=1)
    with pytest.raises(InputError, match="muon: the function returned shape"):
        apply_detector(ideal, target, Detector(muon=lambda *_: np.ones(3)), seed=1)
    with pytest.raises(FileError, match="no events can be read"):
        apply_detector(make_not_root(tmp_path / "no.root"), target, Detector(), seed=1)
    lacking = make_nanoaod(tmp_path / "lacking.root", events=20, drop=["luminosityBlock"])
    with pytest.raises(InputError, match="no branch luminosityBlock"):
        apply_detector(lacking, target, Detector(), seed=1)
    assert not target.exists()


def test_signals_that_break_lepton_flavour(tmp_path: Path) -> None:
    """Z' -> e mu of opposite charge at its mass, and H -> e tau with hadronic decays."""
    events = read(make_nanoaod(tmp_path / "z.root", events=400, signals=[Resonance(400, 600.0, 3.0, decay="emu")]))
    both = events[(events.nElectron == 1) & (events.nMuon == 1)]
    assert len(both) > 150
    assert np.mean(both.Electron_charge[:, 0] * both.Muon_charge[:, 0]) < -0.9
    pt = 2 * both.Electron_pt[:, 0] * both.Muon_pt[:, 0]
    angles = np.cosh(both.Electron_eta[:, 0] - both.Muon_eta[:, 0]) - np.cos(
        both.Electron_phi[:, 0] - both.Muon_phi[:, 0]
    )
    assert np.median(np.sqrt(pt * angles)) == pytest.approx(600, rel=0.02)
    hidden = LFVSignal(400, lepton="e", tau="hadrons", n_jets=0)
    events = read(make_nanoaod(tmp_path / "h.root", events=400, signals=[hidden]))
    assert np.mean(events.nElectron >= 1) > 0.5
    assert np.mean(events.nMuon >= 1) < 0.1
    assert np.mean(events.nTau >= 1) > 0.4
    with pytest.raises(InputError, match="tau='x'"):
        LFVSignal(1, tau="x")  # type: ignore[arg-type]
