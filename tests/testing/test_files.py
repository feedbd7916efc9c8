"""The files that ``coffea_ddp.testing`` makes: reproducible, exactly symmetric, named as in every version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np
import pytest
import uproot
from coffea.nanoevents import NanoAODSchema, NanoEventsFactory
from scipy import stats

from coffea_ddp import testing
from coffea_ddp.errors import InputError
from coffea_ddp.testing import Efficiency, LFVSignal, Resonance, make_dataset, make_nanoaod

if TYPE_CHECKING:
    from collections.abc import Callable

REAL = Path(__file__).parents[3] / "shared" / "data" / "nanoaod_real"
VERSIONS = range(4, 16)
# 20 comparisons are made with this sample, so p > 0.01 for all of them together is p > 0.01 / 20 for each.
P_MIN = 0.01 / 20

# What only some versions have: name -> (first, last).
RANGES = {
    "MET_pt": (4, 14),
    "PuppiMET_pt": (4, 15),
    "PFMET_pt": (15, 15),
    "Electron_mvaSpring16GP_WP90": (4, 4),
    "Electron_mvaFall17V1Iso_WP90": (5, 7),
    "Electron_mvaFall17V2Iso_WP90": (5, 9),
    "Electron_mvaIso_WP90": (10, 15),
    "Muon_looseId": (5, 15),
    "Tau_idMVAoldDM": (4, 9),
    "Tau_idDeepTau2017v2p1VSjet": (5, 14),
    "Tau_idDeepTau2018v2p5VSjet": (10, 15),
    "Photon_cutBasedBitmap": (5, 7),
    "Photon_pfRelIso03_all": (4, 11),
    "Jet_jetId": (4, 14),
    "Jet_chMultiplicity": (15, 15),
    "Jet_btagDeepB": (4, 9),
    "Jet_btagDeepFlavB": (4, 15),
    "Jet_btagPNetB": (12, 15),
    "Jet_btagUParTAK4B": (15, 15),
}


class Schema(NanoAODSchema):  # type: ignore[misc]
    """Without the warnings about cross-references, which the toy does not have."""

    warn_missing_crossrefs = False


def events_of(path: Path, *names: str) -> Any:
    """Return the named branches of a file, or all."""
    with uproot.open(path) as file:
        return file["Events"].arrays(list(names) or None)


def invariant_mass(events: Any, collection: str) -> Any:
    """Return the mass (GeV) of the two leading objects, massless, of the events that have two."""
    pt, eta, phi = (events[f"{collection}_{name}"] for name in ("pt", "eta", "phi"))
    two = ak.num(pt) > 1
    pt, eta, phi = pt[two], eta[two], phi[two]
    cosines = np.cosh(eta[:, 0] - eta[:, 1]) - np.cos(phi[:, 0] - phi[:, 1])
    return np.sqrt(2.0 * pt[:, 0] * pt[:, 1] * cosines)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return 60,000 events of background only."""
    return events_of(make_nanoaod(tmp_path_factory.mktemp("toy") / "toy.root", events=60_000, seed=5))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small good file with several baskets per branch."""
    return make_nanoaod(tmp_path_factory.mktemp("small") / "small.root", events=1_000, cluster=300)


# Seeds and events


def test_same_seed_same_events_in_every_container_and_cluster_size(tmp_path: Path, small: Path) -> None:
    tree = events_of(small)
    ntuple = events_of(make_nanoaod(tmp_path / "a.root", events=1_000, container="rntuple", cluster=170))
    assert set(tree.fields) == set(ntuple.fields)
    for name in tree.fields:
        assert ak.array_equal(tree[name], ntuple[name], dtype_exact=not name.startswith("n")), name


def test_another_seed_gives_other_events(tmp_path: Path, small: Path) -> None:
    other = events_of(make_nanoaod(tmp_path / "a.root", events=1_000, seed=2), "Jet_pt")
    assert not ak.array_equal(events_of(small, "Jet_pt"), other)


def test_all_versions_describe_the_same_events(tmp_path: Path) -> None:
    for version in (4, 15):
        make_nanoaod(tmp_path / f"{version}.root", events=300, version=version)
    old, new = (events_of(tmp_path / f"{version}.root") for version in (4, 15))
    assert ak.array_equal(old["Jet_pt"], new["Jet_pt"])
    assert ak.array_equal(old["MET_pt"], new["PFMET_pt"])
    assert ak.array_equal(old["Electron_mvaSpring16GP_WP90"], new["Electron_mvaIso_WP90"])
    medium = (old["Tau_idMVAoldDM"] & 4) > 0
    assert ak.array_equal(medium, new["Tau_idDeepTau2018v2p5VSjet"] >= 5)


def test_dataset_has_unique_events_and_all_of_them(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path / "new" / "folder", files=3, events=1_001, seed=3)
    numbers = np.concatenate([events_of(path, "event")["event"].to_numpy() for path in paths])
    assert np.array_equal(np.sort(numbers), np.arange(1, 1_002))
    first, second = (events_of(path, "Jet_pt")["Jet_pt"] for path in paths[:2])
    assert not ak.array_equal(first[:300], second[:300])
    again = make_dataset(tmp_path / "again", files=3, events=1_001, seed=3)
    assert ak.array_equal(events_of(again[2], "Muon_pt"), events_of(paths[2], "Muon_pt"))


def test_dataset_spreads_the_signals_over_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr("coffea_ddp.testing.files.make_nanoaod", lambda _, **options: made.append(options))
    make_dataset(tmp_path, files=4, events=1_000, signals=[LFVSignal(400), Resonance(600, 200.0)])
    assert [options["events"] for options in made] == [250] * 4
    shares = np.array([[signal.n for signal in options["signals"]] for options in made])
    assert shares.sum(axis=0).tolist() == [400, 600]
    assert (shares.sum(axis=1) == 250).all()  # as many as there are places
    assert (shares > 50).all()


# Symmetries


@pytest.mark.parametrize("column", ["pt", "eta", "phi", "dxy", "dz", "sip3d"])
def test_electrons_and_muons_come_from_one_distribution(toy: Any, column: str) -> None:
    electron, muon = (ak.flatten(toy[f"{name}_{column}"]).to_numpy() for name in ("Electron", "Muon"))
    assert stats.ks_2samp(electron, muon).pvalue > P_MIN


def test_isolation_and_identification_are_equal(toy: Any) -> None:
    electron = ak.flatten(toy["Electron_pfRelIso03_all"]).to_numpy()
    muon = ak.flatten(toy["Muon_pfRelIso04_all"]).to_numpy()
    assert stats.ks_2samp(electron, muon).pvalue > P_MIN
    passed = [ak.flatten(toy[name]).to_numpy() for name in ("Electron_mvaFall17V2Iso_WP90", "Muon_mediumId")]
    table = [[ids.sum(), (~ids).sum()] for ids in passed]
    assert stats.chi2_contingency(table).pvalue > P_MIN


def test_jets_do_not_know_the_flavour(toy: Any) -> None:
    n_jets = np.minimum(ak.num(toy["Jet_pt"]).to_numpy(), 9)
    with_e, with_mu = (
        (ak.num(toy[f"{one}_pt"]) == 1) & (ak.num(toy[f"{other}_pt"]) == 0)
        for one, other in (("Electron", "Muon"), ("Muon", "Electron"))
    )
    table = [np.bincount(n_jets[side.to_numpy()], minlength=10) for side in (with_e, with_mu)]
    assert stats.chi2_contingency(table).pvalue > P_MIN
    assert stats.ks_2samp(toy["MET_pt"][with_e].to_numpy(), toy["MET_pt"][with_mu].to_numpy()).pvalue > P_MIN
    passed = [toy["Jet_jetId"][side] >= 6 for side in (with_e, with_mu)]
    decisions = [[ak.sum(jets), ak.sum(~jets)] for jets in passed]
    assert stats.chi2_contingency(decisions).pvalue > P_MIN


def test_either_flavour_leads_as_often(toy: Any) -> None:
    both = (ak.num(toy["Electron_pt"]) == 1) & (ak.num(toy["Muon_pt"]) == 1)
    leads = (toy["Electron_pt"][both, 0] > toy["Muon_pt"][both, 0]).to_numpy()
    assert len(leads) > 1_000
    assert stats.binomtest(int(leads.sum()), len(leads)).pvalue > P_MIN


@pytest.mark.parametrize("collection", ["Electron", "Muon", "Tau"])
def test_charges_are_equal(toy: Any, collection: str) -> None:
    charge = ak.flatten(toy[f"{collection}_charge"]).to_numpy()
    assert stats.binomtest(int((charge > 0).sum()), len(charge)).pvalue > P_MIN
    pt = ak.flatten(toy[f"{collection}_pt"]).to_numpy()
    assert stats.ks_2samp(pt[charge > 0], pt[charge < 0]).pvalue > P_MIN


@pytest.mark.parametrize("collection", ["Electron", "Muon", "Tau", "Photon", "Jet"])
def test_hemispheres_are_equal(toy: Any, collection: str) -> None:
    eta = ak.flatten(toy[f"{collection}_eta"]).to_numpy()
    assert stats.ks_2samp(eta[eta > 0], -eta[eta < 0]).pvalue > P_MIN


def test_efficiencies_break_the_symmetries_as_told(tmp_path: Path) -> None:
    chosen = Efficiency(e=0.6, mu=0.8, charge_asymmetry=0.1)
    events = events_of(make_nanoaod(tmp_path / "a.root", events=20_000, efficiency=chosen))
    for name, wp, expected in (("Electron", "mvaFall17V2Iso_WP90", 0.6), ("Muon", "tightId", 0.8)):
        prompt = events[f"{name}_pfRelIso03_all"] < 0.1
        passed, charge = (ak.flatten(events[f"{name}_{column}"][prompt]) for column in (wp, "charge"))
        for sign in (-1, 1):
            assert np.mean(passed[charge == sign]) == pytest.approx(expected * (1 + 0.1 * sign), abs=0.03)
    assert chosen.kappa == pytest.approx(0.8 / 0.6)
    options: dict[str, Any] = {"e": 0.6, "mu": 0.8, "charge_asymmetry": 0.1}
    again = make_nanoaod(tmp_path / "b.root", events=20_000, efficiency=options)
    assert ak.array_equal(events["Muon_tightId"], events_of(again, "Muon_tightId")["Muon_tightId"])


# What is in the events


def test_composition(toy: Any) -> None:
    good = {
        name: ak.sum((toy[f"{name}_pt"] > 25) & toy[f"{name}_{wp}"] & (toy[f"{name}_pfRelIso03_all"] < 0.15), 1)
        for name, wp in (("Electron", "mvaFall17V2Iso_WP90"), ("Muon", "mediumId"))
    }
    n_e, n_mu = good["Electron"].to_numpy(), good["Muon"].to_numpy()
    assert np.mean(n_e + n_mu >= 1) == pytest.approx(0.44, abs=0.04)
    assert np.mean((n_e == 1) & (n_mu == 1)) == pytest.approx(0.019, abs=0.004)
    assert 0.02 < np.mean(ak.any(toy["Photon_cutBased"] >= 2, axis=1)) < 0.2
    assert 0.05 < np.mean(ak.any((toy["Tau_idDeepTau2017v2p1VSjet"] & 16) > 0, axis=1)) < 0.2
    assert 0.1 < np.mean(ak.any(toy["Jet_btagDeepFlavB"] > 0.3, axis=1)) < 0.4


def test_objects_are_ordered_inside_the_acceptance_and_near_a_jet(toy: Any) -> None:
    for name, eta in (("Electron", 2.5), ("Muon", 2.5), ("Tau", 2.3), ("Photon", 2.5), ("Jet", 4.7)):
        pt = toy[f"{name}_pt"]
        assert ak.all(pt[:, 1:] <= pt[:, :-1])
        assert ak.max(np.abs(toy[f"{name}_eta"])) <= np.float32(eta)
        assert ak.max(np.abs(toy[f"{name}_phi"])) <= np.float32(np.pi)
    for name in ("Electron", "Muon"):
        hard = toy[(ak.num(toy[f"{name}_pt"]) > 0) & (ak.fill_none(ak.firsts(toy[f"{name}_pt"]), 0) > 30)]
        eta, phi = (hard[f"{name}_{angle}"][:, 0] - hard[f"Jet_{angle}"] for angle in ("eta", "phi"))
        near = ak.any(eta**2 + (np.mod(phi + np.pi, 2 * np.pi) - np.pi) ** 2 < 0.3**2, axis=1)
        assert 0.9 < np.mean(near) < 0.97


def test_triggers_need_leptons_above_threshold(toy: Any) -> None:
    for bit, name, threshold in (("HLT_Ele32_WPTight_Gsf", "Electron", 32), ("HLT_IsoMu24", "Muon", 24)):
        fired = toy[toy[bit]]
        assert ak.all(ak.any(fired[f"{name}_pt"] > threshold, axis=1))
        assert 0.1 < len(fired) / len(toy) < 0.4


def test_lfv_signal_is_e_mu_with_a_hard_muon_in_the_chosen_cell(tmp_path: Path) -> None:
    signal = LFVSignal(2_000, n_jets=2, n_b=0, n_photons=1, vbf=True)
    events = events_of(make_nanoaod(tmp_path / "a.root", events=2_000, signals=[signal]))
    both = events[(ak.num(events["Electron_pt"]) == 1) & (ak.num(events["Muon_pt"]) == 1)]
    assert len(both) > 800
    assert np.mean(both["Muon_pt"][:, 0] > both["Electron_pt"][:, 0]) > 0.75
    assert np.mean(both["Muon_charge"][:, 0] * both["Electron_charge"][:, 0]) < -0.95
    assert np.mean(ak.sum(events["Photon_pt"] > 25, axis=1) == 1) > 0.9
    forward = np.abs(events["Jet_eta"]) > 1.6
    jets = ak.zip({name: events[f"Jet_{name}"][forward] for name in ("pt", "eta", "phi")})
    jets = jets[(ak.sum(events["Jet_eta"][forward] > 0, axis=1) > 0)]
    tags = ak.combinations(jets, 2, fields=["a", "b"])
    gap = tags.a.eta - tags.b.eta
    mass = np.sqrt(2 * tags.a.pt * tags.b.pt * (np.cosh(gap) - np.cos(tags.a.phi - tags.b.phi)))
    assert np.mean(ak.any((mass > 500) & (np.abs(gap) > 3.5) & (tags.a.eta * tags.b.eta < 0), axis=1)) > 0.9


def test_mirror_signal_has_a_hard_electron(tmp_path: Path) -> None:
    signal = LFVSignal(1_000, mass=200.0, lepton="e", n_jets=3, n_b=2, n_tau=1)
    events = events_of(make_nanoaod(tmp_path / "a.root", events=1_000, signals=[signal]))
    both = events[(ak.num(events["Electron_pt"]) == 1) & (ak.num(events["Muon_pt"]) == 1)]
    assert np.mean(both["Electron_pt"][:, 0] > both["Muon_pt"][:, 0]) > 0.8
    assert np.mean(ak.sum(events["Jet_btagDeepFlavB"] > 0.1, axis=1) >= 2) > 0.6
    assert np.mean(ak.num(events["Tau_pt"]) >= 1) > 0.9


@pytest.mark.parametrize(
    ("decay", "collection", "window"),
    [("ee", "Electron", 0.03), ("mumu", "Muon", 0.03), ("gammagamma", "Photon", 0.03), ("jj", "Jet", 0.2)],
)
def test_resonance_is_a_peak(tmp_path: Path, decay: Any, collection: str, window: float) -> None:
    signal = Resonance(1_000, mass=600.0, width=2.0, decay=decay, n_jets=0, n_photons=0)
    path = make_nanoaod(tmp_path / "a.root", events=1_000, signals=[signal])
    events = events_of(path, *(f"{collection}_{name}" for name in ("pt", "eta", "phi")))
    mass = invariant_mass(events, collection)
    assert np.sum(np.abs(mass / 600.0 - 1.0) < window) > 500


# Branches, versions, containers


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_has_its_branches(tmp_path: Path, version: int) -> None:
    with uproot.open(make_nanoaod(tmp_path / "a.root", events=50, version=version)) as file:
        names = set(file["Events"].keys())
    for name, (first, last) in RANGES.items():
        assert (name in names) == (first <= version <= last), name


@pytest.mark.parametrize(
    ("version", "real", "extra"),
    [
        (4, "nano_tree", ()),
        (5, "nano_dy", ()),
        (6, "nano_dimuon", ()),
        (
            9,
            "nanoAOD_2015_CMS_Open_Data_ttbar",
            ("HLT_", "Tau_idDeepTau"),
        ),  # 2015: no such triggers, old taus
        (12, "nano_tt_v12", ("HLT_", "Tau_", "Photon_", "nTau", "nPhoton")),  # a slimmed file
        (15, "nano_tt_v15", ()),
    ],
)
def test_names_and_types_are_those_of_real_files(
    tmp_path: Path, version: int, real: str, extra: tuple[str, ...]
) -> None:
    source = REAL / f"{real}.root"
    if not source.exists():
        pytest.skip(f"{source} is not here")
    with uproot.open(source) as file:
        expected = file["Events"].typenames()
    with uproot.open(make_nanoaod(tmp_path / "a.root", events=10, version=version)) as file:
        made = file["Events"].typenames()
    counters = {name for name in made if name[0] == "n"}  # uproot writes these as int32
    assert [name for name in made if name not in expected and not name.startswith(extra or "?")] == []
    assert {n: t for n, t in made.items() if n in expected and n not in counters and expected[n] != t} == {}


@pytest.mark.filterwarnings("ignore:Branch Photon_:RuntimeWarning")  # coffea overwrites them, for real files too
@pytest.mark.parametrize(
    ("version", "container"), [(4, "ttree"), (9, "ttree"), (9, "rntuple"), (15, "ttree"), (15, "rntuple")]
)
def test_coffea_reads_the_files(tmp_path: Path, version: int, container: testing.Container) -> None:
    path = make_nanoaod(tmp_path / "a.root", events=500, version=version, container=container, cluster=200)
    events = NanoEventsFactory.from_root({str(path): "Events"}, schemaclass=Schema, mode="virtual").events()
    pairs = events.Electron[ak.num(events.Electron) == 2]
    assert ak.all((pairs[:, 0] + pairs[:, 1]).mass > 0)
    assert ak.sum(events.Muon.charge) == ak.sum(events_of(path, "Muon_charge")["Muon_charge"])
    assert len(events.PuppiMET.pt) == len(events) == 500
    assert ak.all(events.Photon.mass == 0)
    assert set(events.event.to_numpy()) == set(range(1, 501))


def test_v15_jets_pass_the_recomputed_identification(tmp_path: Path) -> None:
    new = events_of(make_nanoaod(tmp_path / "15.root", events=2_000, version=15))
    old = events_of(make_nanoaod(tmp_path / "14.root", events=2_000, version=14))
    central = np.abs(new["Jet_eta"]) < 2.6
    tight = (new["Jet_neHEF"] < 0.99) & (new["Jet_neEmEF"] < 0.9) & (new["Jet_chHEF"] > 0.01)
    tight = tight & (new["Jet_chMultiplicity"] > 0) & (new["Jet_chMultiplicity"] + new["Jet_neMultiplicity"] > 1)
    veto = (new["Jet_muEF"] < 0.8) & (new["Jet_chEmEF"] < 0.8)
    assert ak.array_equal(tight[central], (old["Jet_jetId"][central] & 2) > 0)
    assert ak.array_equal((tight & veto)[central], (old["Jet_jetId"][central] & 4) > 0)
    forward = np.abs(new["Jet_eta"]) > 3.0
    tight = (new["Jet_neEmEF"] < 0.4) & (new["Jet_neMultiplicity"] >= 2)
    assert ak.array_equal(tight[forward], (old["Jet_jetId"][forward] & 2) > 0)


def test_branches_and_whole_collections_can_be_left_out(tmp_path: Path) -> None:
    photon = ["pt", "eta", "phi", "cutBased", "mvaID_WP80", "mvaID_WP90", "electronVeto", "pixelSeed"]
    photon = [f"Photon_{name}" for name in [*photon, "pfRelIso03_all_quadratic"]]
    with uproot.open(make_nanoaod(tmp_path / "a.root", events=50, version=15, drop=["run", *photon])) as file:
        names = file["Events"].keys()
    assert "run" not in names
    assert not [name for name in names if "Photon" in name]


# Bad files


def test_truncated(tmp_path: Path, small: Path) -> None:
    path = testing.make_truncated(small, tmp_path / "a.root")
    assert path.stat().st_size == small.stat().st_size // 2
    with pytest.raises(OSError, match="expected Chunk"):
        events_of(path)


def test_corrupt(tmp_path: Path, small: Path) -> None:
    path = testing.make_corrupt(small, tmp_path / "a.root", branch="Muon_pt")
    with uproot.open(path) as file:
        assert len(file["Events/Jet_pt"].array()) == 1_000
        with pytest.raises(uproot.deserialization.DeserializationError):
            file["Events/Muon_pt"].array()


def test_not_root(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a ROOT file"):
        uproot.open(testing.make_not_root(tmp_path / "a.root"))


def test_wrong_tree(tmp_path: Path) -> None:
    with uproot.open(testing.make_wrong_tree(tmp_path / "a.root")) as file:
        assert file.keys(cycle=False) == ["Other"]


@pytest.mark.parametrize("container", ["ttree", "rntuple"])
def test_empty(tmp_path: Path, container: testing.Container) -> None:
    events = events_of(testing.make_empty(tmp_path / "a.root", container=container))
    assert len(events) == 0
    assert "Jet_pt" in events.fields


def test_not_finite(tmp_path: Path) -> None:
    events = events_of(testing.make_not_finite(tmp_path / "a.root"))
    for name in ("Electron_pt", "Muon_pt", "Jet_pt", "MET_pt"):
        values = ak.flatten(events[name], axis=None).to_numpy()
        assert np.mean(np.isnan(values)) == pytest.approx(0.1, abs=0.05)
        assert np.mean(np.isinf(values)) == pytest.approx(0.1, abs=0.05)


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (make_nanoaod, {"events": -1}, "events=-1"),
        (make_nanoaod, {"version": 3}, "version=3: known NanoAOD versions are 4 to 15"),
        (make_nanoaod, {"container": "csv"}, "container='csv'"),
        (make_nanoaod, {"cluster": 0}, "cluster=0"),
        (make_nanoaod, {"first_event": 0}, "first_event=0"),
        (make_nanoaod, {"drop": ["Jet_colour"]}, "Jet_colour"),
        (make_nanoaod, {"efficiency": {"tau": 1.0}}, "tau"),
        (make_nanoaod, {"efficiency": {"e": 1.1}}, "between 0 and 1"),
        (make_nanoaod, {"events": 10, "signals": [LFVSignal(11)]}, "do not fit"),
        (make_dataset, {"events": 10, "signals": [LFVSignal(11)]}, "do not fit"),
        (make_dataset, {"files": 0}, "files=0"),
        (testing.make_truncated, {"target": "b.root", "fraction": 1.0}, "fraction=1.0"),
    ],
)
def test_wrong_input_is_explained(
    tmp_path: Path, make: Callable[..., Any], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        make(tmp_path / "a.root", **arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("signal", "arguments", "message"),
    [
        (LFVSignal, {"n": -1}, "n=-1"),
        (LFVSignal, {"mass": float("nan")}, "mass=nan"),
        (LFVSignal, {"lepton": "tau"}, "lepton='tau'"),
        (LFVSignal, {"n_jets": 1, "vbf": True}, "n_jets >= 2"),
        (LFVSignal, {"n_b": -1}, "n_b=-1"),
        (Resonance, {"decay": "tautau"}, "decay='tautau'"),
        (Resonance, {"width": 50.0}, "width=50.0"),
    ],
)
def test_wrong_signals_are_explained(signal: Callable[..., Any], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        signal(**{"n": 1, "mass": 100.0} | arguments)


def test_only_existing_branches_can_be_corrupted(tmp_path: Path, small: Path) -> None:
    with pytest.raises(InputError, match="Jet_colour"):
        testing.make_corrupt(small, tmp_path / "a.root", branch="Jet_colour")
