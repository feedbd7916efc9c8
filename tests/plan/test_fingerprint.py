"""The fingerprint: another one for every change of the physics, the same in another process."""

from __future__ import annotations

import dataclasses
import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hist
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp import nanoaod, selections, symmetries
from coffea_ddp import observables as obs
from coffea_ddp._local_modules import _is_installed
from coffea_ddp.histograms.cells import Multiplicity, Topology
from coffea_ddp.plan.fingerprint import digest
from coffea_ddp.plan.masses.candidates import W_MUNU, system
from coffea_ddp.plan.masses.combinations import combination
from coffea_ddp.plan.observables import observable
from coffea_ddp.plan.plan import ScanPlan
from coffea_ddp.plan.plan_files import load_plan
from coffea_ddp.plan.spectrum import Spectrum
from coffea_ddp.plan.symmetry import Symmetry

THRESHOLD = 3.0


class Above:
    """A user's own condition, neither a function nor a dataclass."""

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def __call__(self, events: Any) -> Any:
        return events.leading("mu").pt > self.limit


@dataclasses.dataclass(frozen=True)
class Between:
    """A user's own condition as a dataclass."""

    low: float
    high: float

    def __call__(self, events: Any) -> Any:
        return (events.leading("mu").pt > self.low) & (events.leading("mu").pt < self.high)


def negative(events: Any) -> Any:
    return events.leading("lepton").charge < 0


def positive(events: Any) -> Any:
    return events.leading("lepton").charge > 0


CHARGE = Symmetry("l-/l+", a=negative, b=positive, observables=(observable(obs.m_ll), observable(obs.met)))
BASE: dict[str, Any] = {
    "name": "base",
    "symmetries": (CHARGE, symmetries.e_mu((observable(obs.met),))),
    "objects": nanoaod.standard_objects(),
    "cells": (Multiplicity("j", last=3), Topology("VBF", selections.vbf)),
    "selection": Above(20.0),
    "trigger": selections.Trigger(("HLT_A", "HLT_B")),
    "good_runs": selections.GoodRuns.from_dict({"1": [[1, 5]]}),
    "weight": lambda ev: ev.met.pt,
    "features": (obs.h_t,),
    "max_stored": 100,
}


MASS = Spectrum("m", combination("e+mu"), hist.axis.Regular(5, 0.0, 100.0))


def objects(index: int, **changes: object) -> tuple[Any, ...]:
    all_objects = list(nanoaod.standard_objects())
    all_objects[index] = dataclasses.replace(all_objects[index], **changes)
    return tuple(all_objects)


def with_charge(**changes: object) -> dict[str, Any]:
    return {"symmetries": (dataclasses.replace(CHARGE, **changes), *BASE["symmetries"][1:])}


CHANGES: dict[str, dict[str, Any]] = {
    "name": {"name": "other"},
    "a and b swapped": with_charge(a=positive, b=negative),
    "a and b swapped by name only": with_charge(sides=("l+", "l-")),
    "kappa": with_charge(kappa=1.0000001),
    "order of symmetries": {"symmetries": BASE["symmetries"][::-1]},
    "a symmetry less": {"symmetries": BASE["symmetries"][:1]},
    "bins": with_charge(observables=(observable(obs.m_ll, bins=27), observable(obs.met))),
    "range": with_charge(observables=(observable(obs.m_ll, axes=(obs.m_ll.axis(28, 0, 1201),)), observable(obs.met))),
    "order of observables": with_charge(observables=CHARGE.observables[::-1]),
    "name of an observable": with_charge(observables=(observable(obs.m_ll, name="m"), observable(obs.met))),
    "a function of an observable": with_charge(
        observables=(observable(dataclasses.replace(obs.m_ll, function=obs.collinear_mass)), observable(obs.met))
    ),
    "threshold": {"objects": objects(0, pt_min=20.5)},
    "eta": {"objects": objects(1, eta_max=2.3)},
    "crack": {"objects": objects(1, eta_gaps=())},
    "cut": {"objects": objects(1, cuts=nanoaod.muon().cuts[:-1])},
    "overlap removal": {"objects": objects(5, away_from=())},
    "mass": {"objects": objects(1, mass=0.0)},
    "order of alternatives": {"objects": objects(0, cuts=tuple(
        dataclasses.replace(cut, cuts=cut.cuts[::-1]) if hasattr(cut, "cuts") else cut
        for cut in nanoaod.electron().cuts
    ))},
    "last": {"cells": (Multiplicity("j", last=4), BASE["cells"][1])},
    "what is counted": {"cells": (Multiplicity("j", last=3, of="b"), BASE["cells"][1])},
    "a topology's function": {"cells": (BASE["cells"][0], Topology("VBF", selections.ttbar))},
    "a partial topology": {
        "cells": (BASE["cells"][0], Topology("VBF", functools.partial(selections.vbf, m_jj_min=400.0)))
    },
    "selection": {"selection": None},
    "a value inside of the selection": {"selection": Above(20.5)},
    "trigger": {"trigger": selections.Trigger(("HLT_B", "HLT_A"))},
    "an optional trigger": {"trigger": selections.Trigger(("HLT_A", "HLT_B"), required=False)},
    "spectra": {"spectra": (MASS,)},
    "the trigger of a spectrum": {
        "spectra": (dataclasses.replace(MASS, trigger=selections.Trigger(("HLT_A", "HLT_B"))),)
    },
    "a candidate": {"spectra": (dataclasses.replace(MASS, mass=system(W_MUNU, "e")),)},
    "what a candidate leaves out": {
        "spectra": (dataclasses.replace(MASS, mass=system(dataclasses.replace(W_MUNU, pairs_out=None), "e")),)
    },
    "good runs": {"good_runs": selections.GoodRuns.from_dict({"1": [[1, 6]]})},
    "weight": {"weight": lambda ev: ev.met.pt + 0},
    "no weight": {"weight": None},
    "features": {"features": ()},
    "max_stored": {"max_stored": 101},
}  # fmt: skip


def test_the_same_plan_twice_is_the_same() -> None:
    assert ScanPlan(**BASE).fingerprint == ScanPlan(**BASE).fingerprint
    assert dataclasses.replace(ScanPlan(**BASE), max_stored=100).fingerprint == ScanPlan(**BASE).fingerprint


def test_every_change_makes_another_one_and_no_two_agree() -> None:
    found = {change: ScanPlan(**(BASE | changes)).fingerprint for change, changes in CHANGES.items()}
    found["nothing"] = ScanPlan(**BASE).fingerprint
    by_fingerprint: dict[str, list[str]] = {}
    for change, fingerprint in found.items():
        by_fingerprint.setdefault(fingerprint, []).append(change)
    assert [same for same in by_fingerprint.values() if len(same) > 1] == []


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (hist.axis.Regular(5, 0.0, 1.00000001), hist.axis.Regular(5, 0.0, 1.00000002)),
        (hist.axis.Variable([0.0, 1.0, 2.0000001]), hist.axis.Variable([0.0, 1.0, 2.0000002])),
        (hist.axis.Variable(np.arange(2e3)), hist.axis.Variable([*np.arange(999.0), 999.5, *np.arange(1e3, 2e3)])),
        (hist.axis.Regular(5, 1, 9), hist.axis.Regular(5, 1, 9, transform=hist.axis.transform.log)),
        (hist.axis.Regular(5, 1, 9, name="x"), hist.axis.Regular(5, 1, 9, name="y")),
        (hist.axis.Regular(8, 1, 9), hist.axis.Integer(1, 9)),
        (Above(1.0), Above(2.0)),
        (Between(1.0, 2.0), Between(1.0, 3.0)),
        (np.arange(2_000), np.arange(2_000) + (np.arange(2_000) == 999)),
        (np.arange(6), np.arange(6).reshape(2, 3)),
        (functools.partial(negative, 1), functools.partial(negative, 2)),
        (functools.partial(negative, 1), functools.partial(positive, 1)),
        (Above(1.0).__call__, Above(2.0).__call__),
        (np.abs, np.sqrt),
        (1, True),
        (1, 1.0),
        ("1", b"1"),
        (None, 0),
        ({"a": 1}, {"a": 2}),
        (["a", "b"], ["b", "a"]),
    ],
    ids=[str(number) for number in range(20)],
)  # fmt: skip
def test_what_differs_has_another_digest(one: object, two: object) -> None:
    assert digest(one) == digest(one)
    assert digest(one) != digest(two)


def test_sets_have_no_order() -> None:
    assert digest({"a", "b", "c"}) == digest({"c", "b", "a"}) != digest({"a", "b"})


def two_lambdas(limit: float) -> tuple[Callable[[float], bool], ...]:
    return (lambda x: x > limit, lambda x: x < limit)


def test_lambdas() -> None:
    """On one line they share their source text; from one line they may close over other values."""
    first, second = two_lambdas(1.0)
    assert len({digest(first), digest(second), digest(two_lambdas(2.0)[0])}) == 3
    assert digest(first) == digest(two_lambdas(1.0)[0])


PLAN = """
import dataclasses
from coffea_ddp import ScanPlan, Symmetry, observable, symmetries
from coffea_ddp.plan.observables import met

{code}

plan = ScanPlan("x", ({symmetry},), selection={selection})
"""
CLASS = """
class Above:
    def __init__(self, limit): self.limit = limit
    def inside(self, pt): return pt > self.limit
    def __call__(self, ev): return self.inside(ev.leading("mu").pt)
"""
DATACLASS = """
@dataclasses.dataclass(frozen=True)
class Charge:
    sign: int
    def __call__(self, ev): return ev.leading("mu").charge == self.sign
"""
# No other code of the user's own in the file: nothing but the class itself can tell.
OF_CLASS = PLAN.format(code=CLASS, symmetry="symmetries.e_mu((observable(met),))", selection="Above(3.0)")
OF_DATACLASS = PLAN.format(
    code=DATACLASS, symmetry='Symmetry("a/b", Charge(-1), Charge(1), (observable(met),))', selection="None"
)


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (OF_CLASS, "pt > self.limit", "pt < self.limit"),
        (OF_CLASS, "Above(3.0)", "Above(4.0)"),
        (OF_DATACLASS, "charge == self.sign", "charge != self.sign"),
        (OF_DATACLASS, "Charge(-1), Charge(1)", "Charge(1), Charge(-1)"),
    ],
    ids=["method", "attribute", "method of a dataclass", "swapped"],
)
def test_what_a_users_class_does_counts(tmp_path: Path, text: str, old: str, new: str) -> None:
    assert text.count(old) == 1
    (tmp_path / "one.py").write_text(text)
    (tmp_path / "two.py").write_text(text.replace(old, new))
    (tmp_path / "same.py").write_text(text)
    one, two, same = (load_plan(tmp_path / f"{name}.py").fingerprint for name in ("one", "two", "same"))
    assert one == same != two


@pytest.mark.parametrize(
    ("real", "link", "installed"),
    [
        ("site-packages/package/module.py", None, True),
        ("cache/0a1b/module.py", "site-packages/package/module.py", True),  # uv and conda may link files
        ("store/lib/site-packages/package", "view/site-packages/package", True),  # as Nix and spack link folders
        ("mine/package", "site-packages/package", False),  # in development
        ("mine/package/module.py", None, False),
    ],
)
def test_links_among_installed_packages(tmp_path: Path, real: str, link: str | None, installed: bool) -> None:
    """What is installed is neither described nor sent with a plan, also where an installer made links."""
    for folder in {(tmp_path / name).parent for name in (real, link or real)}:
        folder.mkdir(parents=True)
    target = tmp_path / real
    if target.suffix:
        target.touch()
    else:
        target.mkdir()
        (target / "module.py").touch()
    if link is not None:
        (tmp_path / link).symlink_to(target)
    place = tmp_path / (link or real)
    assert _is_installed(str(place if place.suffix else place / "module.py")) == installed


def test_typed_at_a_prompt() -> None:
    """There is no source text then: the compiled code tells functions apart, also what is inside of comprehensions."""
    made = []
    for text in ("[y > 3 for y in x]", "[y > 4 for y in x]", "[y < 3 for y in x]", "[y > 3 for y in x]"):
        space: dict[str, Any] = {}
        exec(f"f = lambda x: {text}", space)
        made.append(digest(space["f"]))
    assert made[0] == made[3]
    assert len(set(made)) == 3


@pytest.mark.parametrize("seed", ["0", "1"])
def test_a_fresh_process_gives_the_same(seed: str) -> None:
    """Whatever the hash seed of strings: shipped plans have one fingerprint."""
    names = ("symmetries", "dimuon_charge")
    code = (
        f"from coffea_ddp.plan.plan_files import load_plan; print(*(load_plan(name).fingerprint for name in {names}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.split() == [load_plan(name).fingerprint for name in names]


@given(value=st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
))  # fmt: skip
def test_digests_are_16_hexadecimal_digits(value: object) -> None:
    assert int(digest(value), 16) >= 0
    assert len(digest(value)) == 16
    assert digest(value) == digest(value) != digest([value])


def test_a_description_is_for_people_and_no_physics() -> None:
    def with_words(words: str) -> ScanPlan:
        cells = (Topology("VBF", selections.vbf, description=words), Multiplicity("j", last=2, description=words))
        return ScanPlan("p", cells=cells)

    assert with_words("").fingerprint == with_words("two jets").fingerprint
    assert with_words("two jets").layout.grid.axes[0].description == "two jets"
    assert "opposite hemispheres" in with_words("").layout.grid.axes[0].description
    assert with_words("").layout.grid.axes[1].description.startswith("Jet with pt > ")
