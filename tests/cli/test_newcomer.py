"""The commonest mistakes of somebody who is new here: each ends in a message that tells the way out, and loses nothing.

docs/howto/when_it_fails.md shows them to users; a mistake that is added there belongs here too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import uproot
from console import invoke

import coffea_ddp as ddp
from coffea_ddp import testing
from coffea_ddp._files import what_is
from coffea_ddp.cli import main
from coffea_ddp.errors import DDPError, FileError, InputError, MissingBranchError, PlanError, did_you_mean

PLAN = """
import coffea_ddp as ddp

charge = ddp.Symmetry(
    "l-/l+",
    a=lambda ev: ev.leading("lepton").charge < 0,
    b=lambda ev: ev.leading("lepton").charge > 0,
    observables=(ddp.observable(ddp.observables.pt_l0, ddp.observables.met),),
)
plan = ddp.ScanPlan("charge", symmetries=(charge,), cells=(ddp.Multiplicity("j", last=3),))
"""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder as somebody has it who starts: data, a plan, an output, and other things."""
    folder = tmp_path_factory.mktemp("newcomer")
    for name in ("data", "empty"):
        (folder / name).mkdir()
    for name in ("one", "two"):
        testing.make_nanoaod(folder / "data" / f"{name}.root", events=100, seed=1)
    with uproot.recreate(folder / "ntuple.root") as file:
        file.mktree("analysis/ntuple", {"pt": "float32"}).extend({"pt": np.ones(5, np.float32)})
    with uproot.recreate(folder / "custom.root") as file:
        file.mktree("Events", {"lep_pt": "float32"}).extend({"lep_pt": np.ones(5, np.float32)})
    with uproot.recreate(folder / "histograms.root") as file:
        file["h"] = np.histogram(np.arange(9.0))
    testing.make_nanoaod(folder / "no_ids.root", events=20, drop=["Muon_mediumId", "Tau_dz"])
    (folder / "files.txt").write_text("/store/data/one.root\n")
    (folder / "golden.json").write_text('{"297050": [[12, 137]]}')
    (folder / "text.root").write_text("Not a ROOT file.\n")
    (folder / "plan.txt").write_text(PLAN)
    (folder / "good.py").write_text(PLAN)
    (folder / "key.json").write_text('{"data": {"file": ["data/one.root"]}}')
    (folder / "tree.json").write_text('{"data": {"files": {"data/*.root": "Evnts"}}}')
    return folder


@pytest.fixture
def here(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(workplace)
    return workplace


@pytest.fixture(scope="module")
def output(workplace: Path) -> Path:
    return ddp.run(workplace / "good.py", str(workplace / "data/one.root")).save(workplace / "hists.ddp")


def said(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Return what a command that fails tells."""
    code, _, err = invoke(capfd, *arguments)
    assert code == (2 if "Usage:" in err else 1), err
    assert not Path("new.ddp").exists()
    return err


def run(plan: str, *files: str) -> tuple[str, ...]:
    return ("run", plan, *files, "-o", "new.ddp", "--executor", "iterative")


WRONG_PATH = {
    "a file that is not there": (run("good.py", "data/ones.root"), ["no such file: data/ones.root", "has one.root",
                                                                    "Did you mean 'one.root'?"]),
    "a folder that is not there": (run("good.py", "dat/one.root"), ["no folder dat", "Did you mean 'data'?"]),
    "another ending": (run("good.py", "data/one.rot"), ["no such file: data/one.rot", "Did you mean 'one.root'?"]),
    "a glob without a match": (run("good.py", "data/nano*.root"), ["matches no file", "has one.root, two.root"]),
    "a folder": (run("good.py", "data"), ["data: a folder", "'data/*.root'"]),
    "an empty folder": (run("good.py", "empty"), ["empty: a folder; there is no .root file in it"]),
    "a list of something else": (run("good.py", "plan.txt"), ["plan.txt, line 2", "is no address", "one a line"]),
    "a list of good runs": (run("good.py", "golden.json"), ["a good-run list", '"good_runs"']),
    "a logical name": (run("good.py", "files.txt"), ["/store/data/one.root: a logical name", "--redirector root://"]),
    "text": (run("good.py", "text.root"), ["not a ROOT file but text", "is called .txt"]),
    "an output": (run("good.py", "hists.ddp"), ["not a ROOT file but an output", "`coffea-ddp scan /", "hists.ddp`"]),
    "another key": (run("good.py", "key.json"), ["dataset 'data': no 'files' in ['file']", "{'files': [...]}"]),
}  # fmt: skip

WRONG_TREE = {
    "another tree": (run("good.py", "ntuple.root"), ["no tree 'Events'", "analysis/ntuple", "--tree analysis/ntuple",
                                                     '"treename": "analysis/ntuple"']),
    "misspelled": ((*run("good.py", "data/one.root"), "--tree", "events"), ["'events'", "Did you mean 'Events'?"]),
    "in a fileset": (run("good.py", "tree.json"), ["data/one.root: no tree 'Evnts'", "Did you mean 'Events'?"]),
    "no tree": (run("good.py", "histograms.root"), ["no tree 'Events'; it has: no tree, but histograms (",
                                                       "coffea-ddp bump"]),
    "uproot's colon": (run("good.py", "data/one.root:Evnts"), ["data/one.root: no tree 'Evnts'"]),
    "no tree at all": (run("good.py", "histograms.root:h"), ["'h' is a TH1D", "and no tree", "it has: no tree"]),
}  # fmt: skip

OTHER_BRANCHES = {
    "own names": (run("good.py", "custom.root"), ["no branch Electron_pt", "the file has lep", "e (all of Electron)",
                                                  "j (all of Jet)", "object definitions"]),
    "other ids": (run("good.py", "no_ids.root"), ["mu (Muon_mediumId)", "tau (Tau_dz)"]),
}  # fmt: skip

NO_PLAN = {
    "a file": (run("data/one.root"), ["a ROOT file where the plan belongs",
                                      "coffea-ddp run symmetries 'data/one.root' -o hists.ddp"]),
    "files": (run("data/one.root", "data/two.root"), ["a ROOT file where the plan belongs"]),
    "a glob": (run("data/*.root"), ["where the plan belongs", "coffea-ddp run symmetries 'data/*.root'"]),
    "a folder": (run("data"), ["a folder where the plan belongs", "coffea-ddp run symmetries 'data/*.root'"]),
    "a fileset": (run("tree.json"), ["a JSON file where the plan belongs"]),
    "an address": (run("root://host//store/a.root"), ["where the plan belongs"]),
    "the wrong way round": (run("data/one.root", "good.py"), ["the plan comes first, then the files"]),
    "an output": (run("hists.ddp", "data/one.root"), ["where the plan belongs", "coffea-ddp scan hists.ddp"]),
    "nothing at all": (("run", "-o", "new.ddp"), ["PLAN", "For example: coffea-ddp run symmetries 'data/*.root'"]),
    "a plan and no files": (run("good.py"), ["no input files", "'data/*.root'", "after the plan"]),
    "to validate": (("validate", "data/one.root"), ["a ROOT file where the plan belongs"]),
    "no command": (("data/one.root",), ["No such command", "For example: coffea-ddp run symmetries"]),
    "no output": (("run", "good.py", "data/one.root"), ["-o", "For example: coffea-ddp run symmetries"]),
}  # fmt: skip

OTHER_PLAN = {
    "a shipped one": (run("symetries", "data/one.root"), ["nor a shipped plan", "Did you mean 'symmetries'?"]),
    "a file": (run("goood.py", "data/one.root"), ["goood.py: no such file", "Did you mean 'good.py'?"]),
    "without its ending": (run("good", "data/one.root"), ["Did you mean 'good.py'?"]),
    "another ending": (run("plan.txt", "data/one.root"), ["call it plan.py"]),
}  # fmt: skip

OTHERWISE = {
    "an option": ((*run("good.py", "data/one.root"), "--executer", "dask"), ["'--executor'"]),
    "an executor": (("run", "good.py", "data/one.root", "-o", "new.ddp", "--executor", "iterativ"),
                    ["iterative, futures", "Did you mean 'iterative'?"]),
    "scan events": (("scan", "data/one.root"), ["a ROOT file", "coffea-ddp run symmetries data/one.root -o hists.ddp"]),
    "scan a plan": (("scan", "good.py"), ["good.py: not a coffea-ddp output but a text file"]),
    "scan a folder": (("scan", "data"), ["data: not a coffea-ddp output but a folder"]),
    "scan another name": (("scan", "hist.ddp"), ["no such file", "Did you mean 'hists.ddp'?"]),
    "a test": (("scan", "hists.ddp", "--tests", "nsgima"), ["the tests are: nsigma", "Did you mean 'nsigma'?"]),
    "an observable": (("scan", "hists.ddp", "--observable", "pt_l0xmet"), ["Did you mean 'pt_l0 x met'?"]),
    "bumps of an output": (("bump", "hists.ddp"), ["coffea-ddp scan hists.ddp --tests bump"]),
    "arrays in ROOT files": (("compare", "data/one.root", "data/two.root"), ["a ROOT file, not a matrix of numbers"]),
}  # fmt: skip

TABLE = [
    pytest.param(arguments, parts, id=f"{what}: {name}")
    for what, rows in (
        ("path", WRONG_PATH), ("tree", WRONG_TREE), ("branches", OTHER_BRANCHES), ("no plan", NO_PLAN),
        ("plan's name", OTHER_PLAN), ("otherwise", OTHERWISE),
    )
    for name, (arguments, parts) in rows.items()
]  # fmt: skip


@pytest.mark.usefixtures("here", "output")
@pytest.mark.parametrize(("arguments", "parts"), TABLE)
def test_mistakes_on_the_command_line(capfd, arguments, parts):
    told = said(capfd, *arguments)
    for part in parts:
        assert part in told


PLANS = [
    ("observables=(ddp", "observables=((ddp", ["line 4", "never closed", "no valid Python"]),
    ("ddp.Symmetry(", "ddp.Symetry(", ["line 4", "'Symetry'", "Did you mean 'Symmetry'?"]),
    ("observables.pt_l0", "observables.pt_l00", ["line 8", "Did you mean 'pt_l0'?"]),
    ("ddp.Multiplicity(", "Multiplicity(", ["line 10", "from coffea_ddp import Multiplicity"]),
    ("(charge,)", "(charg,)", ["line 10", "Did you mean 'charge'?"]),
    ("import coffea_ddp as", "import coffea_dpp as", ["line 2", "Did you mean 'coffea_ddp'?"]),
    (
        "import coffea_ddp as ddp",
        "import coffea_ddp as ddp\nfrom coffea_ddp import Symetry",
        ["Did you mean 'Symmetry'?"],
    ),
    ("observables=(ddp", "observable=(ddp", ["Symmetry takes name, a, b, observables", "Did you mean 'observables'?"]),
    ("last=3", "max=3", ["Multiplicity takes name, last, of"]),
    (", last=3", "", ["Multiplicity takes name, last, of"]),
    ("(charge,)", "(charge)", ["symmetries is one Symmetry", "with a comma"]),
    ("(charge,)", "('e/mu',)", ["'e/mu' among the symmetries is no Symmetry"]),
    ("(charge,)", "7", ["symmetries=7; give a tuple of Symmetry"]),
    ("ddp.observables.met)", "'met')", ["'met' is no Feature but a str", "observables.met"]),
    ('lambda ev: ev.leading("lepton").charge < 0', '"charge < 0"', ["a='charge < 0' is no function", "lambda ev"]),
    ("plan = ", "mine = ", ["defines no `plan`", "end the file with `plan = mine`"]),
    ("plan = ddp.ScanPlan(", "plan = dict(", []),
    ("plan = ", "raise SystemExit(3)\nplan = ", ["line 10", "SystemExit"]),
    # What shows when events are read:
    ('leading("lepton").charge < 0', 'leading("leptn").charge < 0', ["'leptn'", "Did you mean 'lepton'?"]),
    ('("lepton").charge < 0', '("lepton").chrge < 0', ["line 6", "charge, energy, eta", "Did you mean 'charge'?"]),
    ('leading("lepton").charge < 0', 'lead("lepton").charge < 0', ["line 6", "Did you mean 'leading'?"]),
    ('leading("lepton").charge < 0', 'branch("HLT_IsoMu25")', ["no branch HLT_IsoMu25", "the file has HLT_IsoMu24"]),
    ('("lepton").charge < 0', '("lepton").charge', ["side A: got int8", "one bool for each"]),
    ("charge > 0", "charge < 1", ["on both sides, 'l-' and 'l+'", "exclude each other"]),
]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("old", "new", "parts"), PLANS)
def test_mistakes_in_a_plan(capfd, tmp_path, old, new, parts):
    assert old in PLAN
    path = tmp_path / "typo.py"
    path.write_text(PLAN.replace(old, new))
    told = said(capfd, *run(str(path), "data/one.root"))
    for part in parts:
        assert part in told


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ddp.run("data/*.root"), PlanError, "where the plan belongs"),
        (lambda: ddp.run("good.py"), InputError, "no input files"),
        (lambda: ddp.run("good.py", "data/ones.root"), FileError, "no such file: data/ones.root"),
        (lambda: ddp.run("good.py", "ntuple.root"), FileError, r"Reading\(tree='analysis/ntuple'\) in Python"),
        (lambda: ddp.run("good.py", "custom.root"), MissingBranchError, "no branch Electron_pt"),
        (lambda: ddp.run("symetries", "data/one.root"), FileError, "Did you mean 'symmetries'"),
        (lambda: ddp.run({"plan": 1}, "data/one.root"), PlanError, "got a dict; give a ScanPlan"),
        (lambda: ddp.load("data/one.root"), DDPError, "a ROOT file; of events: `coffea-ddp run"),
        (lambda: ddp.load("good.py"), DDPError, "but a text file"),
        (lambda: ddp.Symetry, AttributeError, "Symetry"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("here")
def test_mistakes_in_python(call, error, message):
    with pytest.raises(error, match=message):
        call()


# -- nothing is lost -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("target", ["data/two.root", "good.py"])
def test_a_pass_replaces_neither_events_nor_plans(capfd, output, target):
    before = Path(target).read_bytes()
    assert "would be lost" in said(capfd, "run", "good.py", "data/two.root", "-o", target, "--executor", "iterative")
    assert "would be lost" in said(capfd, "merge", "hists.ddp", "-o", target)
    assert Path(target).read_bytes() == before


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("target", ["data/two.root", "hists.ddp"])
def test_a_report_replaces_neither_events_nor_histograms(capfd, output, target):
    before = Path(target).read_bytes()
    for option in ("-o", "--csv"):
        assert "would be lost" in said(capfd, "scan", "hists.ddp", option, target)
    assert Path(target).read_bytes() == before


def test_an_older_output_is_replaced(here, tmp_path, output):
    target = tmp_path / "again.ddp"
    target.write_bytes(output.read_bytes())
    for more in ([], ["--resume"]):
        with pytest.raises(SystemExit) as stop:
            main(["run", "good.py", str(here / "data/one.root"), "-o", str(target), "--executor", "iterative", *more])
        assert stop.value.code == 0
        assert ddp.load(target) == ddp.load(output)


@pytest.mark.usefixtures("here")
def test_a_pass_that_fills_nothing_says_so(capfd, tmp_path):
    none = tmp_path / "none.py"
    none.write_text(PLAN.replace("cells=", 'selection=lambda ev: ev.count("mu") > 50, cells='))
    with pytest.raises(SystemExit):
        main(["run", str(none), "data/one.root", "-o", str(tmp_path / "h.ddp"), "--executor", "iterative"])
    assert "no event was filled" in capfd.readouterr().err


# -- what messages are made of -------------------------------------------------------------------------------------


def test_names_that_are_near():
    assert did_you_mean("NSigma", ["nsigma"]) == ". Did you mean 'nsigma'?"
    assert did_you_mean("", ["nsigma"]) == did_you_mean("pt", []) == did_you_mean("pt", ["forward"]) == ""


def test_kinds_of_files(workplace, tmp_path):
    found = {name: what_is(workplace / name) for name in ("data", "custom.root", "good.py", "key.json", "nowhere")}
    assert list(found.values()) == ["a folder", "a ROOT file", "a text file", "a JSON file", "no file"]
    np.save(tmp_path / "a.npy", np.ones(3))
    np.savez(tmp_path / "a.npz", np.ones(3))
    (tmp_path / "empty").touch()
    (tmp_path / "bytes").write_bytes(b"\x00\xff\xfe")
    (tmp_path / "cut").write_bytes(("x" + "é" * 300).encode())
    kinds = [what_is(tmp_path / name) for name in ("a.npy", "a.npz", "empty", "bytes", "cut")]
    assert kinds == ["an array of numpy", "a zip archive", "an empty file", "a file of another kind", "a text file"]
