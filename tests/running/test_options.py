"""Executors, readings and checkpoints: what is checked when they are made, and what is said of anything else."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coffea.processor import FuturesExecutor, IterativeExecutor
from hypothesis import given
from hypothesis import strategies as st

import coffea_ddp as ddp
from coffea_ddp.errors import InputError
from coffea_ddp.running.executors import executor_of
from coffea_ddp.running.options import checkpoint_of, reading_of
from coffea_ddp.running.validating import validate

KINDS: tuple[Any, ...] = (ddp.Iterative, ddp.Local, ddp.Cluster, ddp.DaskAwkward, ddp.Reading, ddp.Checkpoint)


class Client:
    """What a ``distributed.Client`` can do, in name."""

    def submit(self) -> None: ...

    def scheduler_info(self) -> None: ...


class LocalCluster:
    scheduler_address = "tcp://127.0.0.1:1"

    def get_client(self) -> Client:
        return Client()


CLIENT = Client()


@pytest.mark.parametrize("function", [ddp.run, ddp.run_by_dataset])
def test_eight_options_at_most(function: Any) -> None:
    """Beside the plan and the files."""
    kinds = [one.kind for one in inspect.signature(function).parameters.values()]
    assert len(kinds) - kinds.count(inspect.Parameter.KEYWORD_ONLY) == 2
    assert kinds.count(inspect.Parameter.KEYWORD_ONLY) <= 8


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_they_are_values(kind: Any) -> None:
    one = (
        kind(CLIENT) if kind in (ddp.Cluster, ddp.DaskAwkward) else kind("parts") if kind is ddp.Checkpoint else kind()
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(one, "folder", 1)  # noqa: B010 (mypy knows that it is frozen)
    assert dataclasses.replace(one) == one
    if "client" not in [field.name for field in dataclasses.fields(kind)]:
        assert pickle.loads(pickle.dumps(one)) == one


def test_names_and_objects_are_the_same() -> None:
    assert executor_of("iterative") == ddp.Iterative()
    assert executor_of("futures") == ddp.Local()
    assert executor_of("dask-awkward") == ddp.DaskAwkward()
    assert executor_of(ddp.Cluster(CLIENT)).client is CLIENT  # type: ignore[union-attr]
    assert executor_of("futures", workers=3) == ddp.Local(3)
    for name in ("iterative", "dask"):
        assert executor_of(name, client=CLIENT) == ddp.Cluster(CLIENT)
    assert executor_of("dask-awkward", client=CLIENT) == ddp.DaskAwkward(CLIENT)
    for folder in ("parts", Path("parts")):
        assert checkpoint_of(folder) == ddp.Checkpoint(Path("parts"))
    assert reading_of(None) == ddp.Reading()


@pytest.mark.parametrize(
    ("given", "cure"),
    [
        ("slurm", r"'iterative', 'futures', 'dask-awkward', or an object: Iterative\(\), Local"),
        ("iteratve", "Did you mean 'iterative'"),
        ("dask", r"needs a client: give client=Client\("),
        ("", r"'iterative', 'futures'"),
        (CLIENT, r"got a Client; give Cluster\(client\)"),
        (LocalCluster(), r"give Cluster\(cluster.get_client\(\)\)"),
        (3, r"give Local\(workers=3\)"),
        (True, r"got a bool; give 'iterative'"),
        (None, "got nothing; give 'iterative'"),
        (ddp.Local, r"the class Local; give an object of it: Local\(workers=2\)"),
        (ddp.Cluster, r"give an object of it: Cluster\(client\)"),
        (Client, r"the class Client; give Iterative\(\)"),
        (IterativeExecutor(status=False), r"give Iterative\(\), instead of coffea's"),
        (FuturesExecutor(status=False), r"give Local\(workers=2\), instead of coffea's"),
        (ProcessPoolExecutor, "the class ProcessPoolExecutor; give"),
        ({"workers": 3}, r"got a dict; give 'iterative', 'futures', or an object"),
    ],
)
@pytest.mark.parametrize("function", [ddp.run, ddp.run_by_dataset])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_another_executor_is_told_what_to_give(function: Any, given: Any, cure: str) -> None:
    with pytest.raises(InputError, match=cure):
        function("symmetries", "nowhere.root", executor=given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 2}, "workers=2 has no effect on executor='iterative': give executor='futures'"),
        ({"executor": ddp.Local(2), "workers": 2}, "workers=2 has no effect on executor=Local"),
        ({"executor": "futures", "workers": 0}, "workers"),
        ({"executor": "futures", "workers": "two"}, "workers"),
        ({"executor": "futures", "client": CLIENT}, "has no effect on executor='futures'"),
        ({"executor": ddp.DaskAwkward(), "client": CLIENT}, "has no effect on executor=DaskAwkward"),
        ({"client": CLIENT, "workers": 2}, "has no effect with a client"),
        ({"client": "tcp://host:8786"}, "give a dask.distributed.Client"),
    ],
)
def test_workers_and_clients_belong_to_their_executors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ddp.run("symmetries", "nowhere.root", **options)


@pytest.mark.parametrize(
    ("keyword", "given", "message"),
    [
        ("reading", {"chunksize": 5}, r"reading: got a dict; .*reading=Reading\(chunksize=5\)"),
        ("reading", {"chunk": 5}, r"reading: got a dict; .*reading=Reading\("),
        ("reading", 100_000, r"reading=Reading\(chunksize=100000\)"),
        ("reading", "Events", r"the text 'Events'; give a Reading"),
        ("reading", ddp.Reading, "the class Reading; give a Reading"),
        ("checkpoint", True, r"checkpoint: got a bool; give a folder, or Checkpoint\("),
        ("checkpoint", "", r"an empty text; give the path of a folder"),
        ("checkpoint", {"folder": "parts"}, r"got a dict; give a folder"),
        ("checkpoint", ddp.Reading(), r"got a Reading; give a folder"),
        ("deduplicate", "no", "deduplicate: got the text 'no'; give True or False"),
        ("deduplicate", 1, "deduplicate: got an int"),
        ("progress", 1, "progress: got an int; give True for a bar, a function"),
        ("progress", "yes", "progress: got the text"),
    ],
)
def test_another_kind_is_told_what_to_give(keyword: str, given: Any, message: str) -> None:
    for function in (ddp.run, ddp.run_by_dataset):
        with pytest.raises(InputError, match=message):
            function("symmetries", "nowhere.root", **{keyword: given})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ddp.Local(0), r"Local\(workers=0\): give a whole number of 1 or more"),
        (lambda: ddp.Local(CLIENT), r"Local\(workers=<.*give a whole number"),  # type: ignore[arg-type]
        (lambda: ddp.Cluster("tcp://host:1"), r"give a dask\.distributed\.Client, as in Cluster\(Client\("),
        (lambda: ddp.Cluster(None), r"Cluster\(client\): got nothing"),
        (lambda: ddp.Cluster(LocalCluster()), r"as in Cluster\(cluster\.get_client\(\)\)"),
        (lambda: ddp.Cluster(Client), "the class Client"),
        (lambda: ddp.DaskAwkward(2), r"DaskAwkward\(client\): got an int"),
        (lambda: ddp.Reading(tree=None), r"Reading\(tree\): got nothing; give a text"),  # type: ignore[arg-type]
        (lambda: ddp.Reading(redirector=1), r"Reading\(redirector\): got an int"),  # type: ignore[arg-type]
        (lambda: ddp.Reading(skip_bad_files="no"), r"Reading\(skip_bad_files\)"),  # type: ignore[arg-type]
        (lambda: ddp.Checkpoint(None), r"Checkpoint\(folder\): got nothing"),  # type: ignore[arg-type]
        (lambda: ddp.Checkpoint("parts", resume="no"), r"Checkpoint\(resume\)"),  # type: ignore[arg-type]
        (lambda: ddp.Checkpoint("parts", keep=1), r"Checkpoint\(keep\): got an int"),  # type: ignore[arg-type]
    ],
)
def test_they_are_checked_when_made(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


NUMBERS = st.one_of(
    st.integers(-3, 10**6), st.floats(), st.booleans(), st.none(), st.text(max_size=3), st.integers(1, 9).map(np.int32)
)


@given(NUMBERS)
def test_numbers_are_whole_and_not_too_small(value: Any) -> None:
    """Whatever is given: an integer from the lowest on, or an error that names object and field."""
    makers = {"workers": ddp.Local, "chunksize": ddp.Reading, "retries": ddp.Reading}
    for name, kind in makers.items():
        is_number = isinstance(value, int | float | np.integer) and not isinstance(value, bool)
        good = is_number and np.isfinite(value) and value == int(value) and value >= (0 if name == "retries" else 1)
        if good:
            found = getattr(kind(**{name: value}), name)
            assert (type(found), found) == (int, value)
        else:
            with pytest.raises(InputError, match=rf"{kind.__name__}\({name}="):
                kind(**{name: value})


@given(NUMBERS)
def test_a_timeout_is_a_time(value: Any) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and np.isfinite(value) and value >= 1e-3:
        assert ddp.Reading(timeout=value).timeout == value
    else:
        with pytest.raises(InputError, match=r"Reading\(timeout="):
            ddp.Reading(timeout=value)


def test_what_dask_awkward_cannot_do_is_said_before_anything_is_opened() -> None:
    for executor in ("dask-awkward", ddp.DaskAwkward()):
        for asked in ({"reading": ddp.Reading(skip_bad_files=True)}, {"checkpoint": "parts"}):
            with pytest.raises(InputError, match="neither skips bad files nor writes checkpoints"):
                ddp.run("symmetries", "nowhere.root", executor=executor, **asked)  # type: ignore[arg-type]


def test_a_plan_is_tried_with_the_same_reading(tmp_path: Path) -> None:
    path = ddp.testing.make_nanoaod(tmp_path / "nano.root", events=200, seed=1)
    assert validate("symmetries", path, reading=ddp.Reading(tree="Events")).histograms.n_events == 200
    assert "no tree 'Other'" in validate("symmetries", path, reading=ddp.Reading(tree="Other")).problems[0]
    with pytest.raises(InputError, match=r"validate\(events=0\)"):
        validate("symmetries", path, events=0)
    with pytest.raises(InputError, match="give a Reading"):
        validate("symmetries", path, reading={"tree": "Other"})  # type: ignore[arg-type]
