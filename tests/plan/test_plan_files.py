"""Plans from files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cloudpickle
import pytest

from coffea_ddp.errors import FileError, PlanError
from coffea_ddp.plan.plan_files import load_plan, shipped_plans

GOOD = """
from coffea_ddp import ScanPlan, Symmetry, observable
from coffea_ddp.plan.observables import pt_l0

THRESHOLD = 1

def enough(events):
    return events.count("lepton") >= THRESHOLD

plan = ScanPlan("mine", (
    Symmetry(
        "A/B",
        a=lambda ev: enough(ev) & (ev.leading("lepton").charge < 0),
        b=lambda ev: enough(ev) & (ev.leading("lepton").charge > 0),
        observables=(observable(pt_l0),),
    ),
))
"""


def write(folder: Path, text: str, name: str = "mine.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_shipped_plans_load_by_name() -> None:
    assert {"symmetries", "dimuon_charge"} <= set(shipped_plans())
    for name in shipped_plans():
        assert load_plan(name).name == name


def test_default_plan_has_all_rows_and_columns_of_the_table() -> None:
    layout = load_plan("symmetries").layout
    assert [s.name for s in layout.symmetries] == [
        "e/mu", "ee/mumu OS", "ee/mumu SS", "emu/mue OS", "emu/mue SS", "e+mu-/e-mu+", "forward/backward",
    ]  # fmt: skip
    assert [axis.name for axis in layout.grid.axes] == ["tau", "j", "b", "gamma", "Z", "W", "VBF", "ttbar"]
    assert layout.grid.n_cells >= 100_000
    matrices = [axes for s in layout.symmetries for _, axes in s.observables if len(axes) == 2]
    assert all(len(axis) == 28 for axes in matrices for axis in axes)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("charge < 0", "charge < -0.5"),
        ("THRESHOLD = 1", "THRESHOLD = 2"),
        (">= THRESHOLD", "> THRESHOLD"),
        ('a=lambda ev: enough(ev) & (ev.leading("lepton").charge < 0)', 'a=lambda ev: ev.leading("lepton").charge < 0'),
        ("observable(pt_l0)", "observable(pt_l0, bins=5)"),
    ],
)
def test_fingerprint_sees_every_change(tmp_path: Path, old: str, new: str) -> None:
    assert old in GOOD
    first = load_plan(write(tmp_path, GOOD))
    second = load_plan(write(tmp_path, GOOD.replace(old, new), "other.py"))
    assert first.fingerprint != second.fingerprint


def test_fingerprint_sees_swapped_sides(tmp_path: Path) -> None:
    swapped = GOOD.replace("a=lambda", "x=lambda").replace("b=lambda", "a=lambda").replace("x=lambda", "b=lambda")
    plans = [load_plan(write(tmp_path, text, f"{i}.py")) for i, text in enumerate([GOOD, swapped])]
    assert plans[0].fingerprint != plans[1].fingerprint


def test_fingerprint_is_the_same_elsewhere(tmp_path: Path) -> None:
    """In another process, in another folder, under another name."""
    plan = load_plan(write(tmp_path, GOOD))
    (tmp_path / "sub").mkdir()
    copy = write(tmp_path / "sub", GOOD, "renamed.py")
    code = f"from coffea_ddp.plan.plan_files import load_plan; print(load_plan({str(copy)!r}).fingerprint)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == plan.fingerprint


def test_a_process_without_the_file_can_use_the_plan(tmp_path: Path) -> None:
    """What a worker of a cluster does: it gets the plan pickled, and has no processors folder."""
    path = write(tmp_path, GOOD)
    plan = load_plan(path)
    (tmp_path / "plan.pkl").write_bytes(cloudpickle.dumps(plan))
    path.unlink()
    code = (
        "import cloudpickle, awkward as ak, coffea_ddp as ddp\n"
        "plan = cloudpickle.load(open('plan.pkl', 'rb'))\n"
        "objects = ('Electron', 'Muon', 'Photon', 'Tau', 'Jet')\n"
        "names = 'pt eta phi mass charge mvaIso_WP90 pfRelIso03_all pfRelIso04_all dxy dz mediumId mvaID_WP90'\n"
        "names += ' electronVeto idMVAoldDM jetId btagDeepFlavB'\n"
        "none = ak.values_astype(ak.Array([[]]), 'f4')\n"
        "empty = {f'{c}_{f}': none for c in objects for f in names.split()}\n"
        "hists = ddp.fill(ak.Array({**empty, 'MET_pt': [1.0], 'MET_phi': [0.0]}), plan)\n"
        "print(hists.layout.fingerprint, hists.n_events)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.stderr == ""
    assert done.stdout.split() == [plan.fingerprint, "1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plan = (", r"line 1: .*no valid Python"),
        ("x = 1\nimport nothing_of_that_name", r"line 2: .*nothing_of_that_name"),
        ("x = 1", "defines no `plan`"),
        ("plan = 3", "its `plan` is a int"),
        ("from coffea_ddp.plan.observables import feature\n\nfeature('m_lll')", r"line 3: no feature 'm_lll'.*m_ll"),
        (
            "import coffea_ddp as ddp\nplan = ddp.ScanPlan('x', (), cells=(ddp.Multiplicity('kaon', last=2),))",
            r"line 2: .*'kaon'.*objects are: e, mu",
        ),
    ],
)
def test_bad_plans(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(PlanError, match=message) as caught:
        load_plan(path)
    assert str(path) in str(caught.value)


def test_unknown_plans(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"absent\.py: no such file.*symmetries"):
        load_plan(tmp_path / "absent.py")
    with pytest.raises(FileError, match=r"neither a file nor a shipped plan.*symmetries"):
        load_plan("symetries")


REPORT = '{"format": "coffea-ddp/report", "version": 1, "plan": "p", "fingerprint": "0a"}'
SPECTRA = '{"format": "coffea-ddp/spectra", "version": 1}'


@pytest.mark.parametrize(("name", "content", "what", "use"), [
    ("r.json", REPORT, "a report", "`coffea-ddp report {path} -o report`"),
    ("r.txt", REPORT, "a report", "`coffea-ddp report {path} -o report`"),
    ("s.json", SPECTRA, "a file of mass spectra", "`coffea-ddp bump {path}`"),
    ("h.ddp", 'PK\x03\x04{"format": "coffea-ddp/histograms"', "an output", "`coffea-ddp scan {path} -o report.json`"),
    ("w.npz", 'PK\x03\x04{"format": "coffea-ddp/bump-network"', "a network", "`coffea-ddp bump FILE --weights {path}`"),
    ("f.json", '{"data": ["a.root"]}', "a JSON file", "`coffea-ddp run symmetries '{path}' -o hists.ddp`"),
])  # fmt: skip
def test_what_is_no_plan_has_another_use(tmp_path: Path, name: str, content: str, what: str, use: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(PlanError) as raised:
        load_plan(path)
    told = str(raised.value)
    assert what in told
    assert "where the plan belongs" in told
    assert use.format(path=path) in told
    assert ("run symmetries" in told) == (name == "f.json")


def test_an_edited_plan_is_loaded_anew(tmp_path: Path) -> None:
    first = load_plan(write(tmp_path, GOOD))
    second = load_plan(write(tmp_path, GOOD.replace('"mine"', '"changed"')))
    assert (first.name, second.name) == ("mine", "changed")


CUTS = """
import cut_values

def charged(ev, sign):
    return ev.leading("lepton").charge * sign > cut_values.LEAST

class Enough:
    def __call__(self, ev):
        return ev.count("lepton") >= 1
"""
IMPORTING = """
{line}
from coffea_ddp import ScanPlan, Symmetry, observable
from coffea_ddp.plan.observables import pt_l0

plan = ScanPlan(
    "mine",
    (Symmetry("A/B", a=lambda ev: {a}, b=lambda ev: {b}, observables=(observable(pt_l0),)),),
    selection={selection},
)
"""
BY_MODULE = IMPORTING.format(
    line="import cuts", a="cuts.charged(ev, -1)", b="cuts.charged(ev, 1)", selection="cuts.Enough()"
)
BY_NAME = IMPORTING.format(
    line="from cuts import Enough, charged", a="charged(ev, -1)", b="charged(ev, 1)", selection="Enough()"
)


@pytest.fixture
def forgetting() -> Iterator[Callable[[], None]]:
    """Return what has this process forget the modules beside a plan, as a new one would not know them."""

    def forget() -> None:
        for name in ("cuts", "cut_values"):
            module = sys.modules.pop(name, None)
            if module is not None and name in cloudpickle.list_registry_pickle_by_value():
                cloudpickle.unregister_pickle_by_value(module)

    forget()
    yield forget
    forget()


def beside(folder: Path, text: str = BY_MODULE, *, values: str = "LEAST = 0", cuts: str = CUTS) -> Path:
    """Write a plan and the modules that it imports; return its path."""
    folder.mkdir()
    write(folder, cuts, "cuts.py")
    write(folder, values, "cut_values.py")
    return write(folder, text)


@pytest.mark.parametrize("text", [BY_MODULE, BY_NAME], ids=["import cuts", "from cuts import"])
def test_files_that_a_plan_imports_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgetting: Callable[[], None], text: str
) -> None:
    """Also the methods of their classes, and what they import themselves; not where they are."""
    plans = [
        beside(tmp_path / "one", text),
        beside(tmp_path / "two", text),
        beside(tmp_path / "three", text, values="LEAST = -1"),
        beside(tmp_path / "four", text, cuts=CUTS.replace(">= 1", ">= 2")),
        beside(tmp_path / "five", text, cuts=CUTS.replace("* sign", "* -sign")),
    ]
    found = []
    for plan in plans:
        forgetting()
        with monkeypatch.context() as patch:
            patch.syspath_prepend(plan.parent)
            found.append(load_plan(plan).fingerprint)
    assert found[0] == found[1]
    assert len(set(found)) == 4


@pytest.mark.usefixtures("forgetting")
@pytest.mark.parametrize(
    "values", ["LEAST = 0", "import threading\nLEAST, lock = 0, threading.Lock()"], ids=["travels", "does not"]
)
def test_files_that_a_plan_imports_travel(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    values: str,
) -> None:
    """A worker has none, or an older one; what cannot travel is said, and taken from where the worker is."""
    here, there = beside(tmp_path / "here", values=values), tmp_path / "there"
    with monkeypatch.context() as patch:
        patch.syspath_prepend(here.parent)
        (tmp_path / "plan.pkl").write_bytes(cloudpickle.dumps(load_plan(here)))
    travels = "lock" not in values
    assert ("cut_values.py does not travel (" in caplog.text) != travels
    beside(there, values="LEAST = 5")
    code = (
        "import cloudpickle; plan = cloudpickle.load(open('../plan.pkl', 'rb'))\n"
        "print(plan.symmetries[0].a.__globals__['cuts'].cut_values.LEAST)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=there)
    assert done.stdout.strip() == ("0" if travels else "5")
