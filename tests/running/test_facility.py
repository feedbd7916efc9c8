"""At a facility: real scheduler and worker processes in another directory, and everything that can go wrong there."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from clusters import Facility, command, edited, facility
from console import invoke

from coffea_ddp import testing
from coffea_ddp.cluster.connecting import Certificates, connect
from coffea_ddp.cluster.workers import check_workers, unfit
from coffea_ddp.errors import ClusterError, FileError, InputError, OverlapError
from coffea_ddp.histograms import merging
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.io import load
from coffea_ddp.running.dask_cluster import FILLS, ClusterExecutor
from coffea_ddp.running.driver import run
from coffea_ddp.running.executors import Cluster, DaskAwkward, Local
from coffea_ddp.running.options import Checkpoint, Reading
from coffea_ddp.running.shards import Shards

distributed = pytest.importorskip("distributed", reason="needs the extra `dask`")
dask = pytest.importorskip("dask")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore:.*unclosed.*")

EVENTS, CHUNK = 3_000, 250
ODD = 137
"""A file with so many events has the chunk with which things happen."""
PLAN = f"""
import os, signal, time
import numpy as np
from coffea_ddp.plan.observables import Feature, observable
from coffea_ddp.events.objects import ObjectDefinition
from coffea_ddp.plan.plan import ScanPlan
from coffea_ddp.plan.symmetry import Symmetry

def slow(ev):
    time.sleep(float(os.environ.get("PLAN_SLEEP", "0")))
    if ev.n_events == {ODD} and DEADLY == "memory":
        held = np.ones(2**28)
        time.sleep(20)
    if ev.n_events == {ODD} and DEADLY == "signal":
        os.kill(os.getpid(), signal.SIGKILL)
    return np.ones(ev.n_events, dtype=bool)

DEADLY = ""
pt = Feature("pt", "pT", "GeV", lambda ev: ev.leading("mu").pt, 0.0, 100.0)
charge = Symmetry(
    "mu-/mu+",
    a=lambda ev: ev.leading("mu").charge < 0,
    b=lambda ev: ev.leading("mu").charge > 0,
    observables=(observable(pt, bins=20),),
)
plan = ScanPlan(
    "slow", (charge,), objects=(ObjectDefinition("mu", "Muon", charged=True),), selection=slow,
    weight=lambda ev: 1.0 / (1.0 + ev.leading("mu").pt),
)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return testing.make_dataset(tmp_path_factory.mktemp("files"), files=3, events=EVENTS, seed=5, cluster=CHUNK)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return testing.make_nanoaod(tmp_path_factory.mktemp("odd") / "odd.root", events=ODD, seed=9)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plan") / "slow.py"
    path.write_text(PLAN)
    return path


@pytest.fixture(scope="module")
def whole(plan: Path, files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the undisturbed output as the bytes of its file."""
    return (
        run(plan, files, reading=Reading(chunksize=CHUNK)).save(tmp_path_factory.mktemp("whole") / "h.ddp").read_bytes()
    )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facility]:
    """Start a cluster with two workers: a run begins with the first, and takes a later one when it joins."""
    with facility(tmp_path_factory.mktemp("facility"), PLAN_SLEEP="0.15") as found:
        with connect(found.address) as client:
            client.wait_for_workers(2, timeout=300)
        yield found


@pytest.fixture
def _gives_up_soon() -> Iterator[None]:
    """Let clients in this process look for a lost scheduler for 5 s, not 30; a busy one may take longer to answer."""
    with dask.config.set({"distributed.comm.timeouts.connect": "5s"}):
        yield


def shards(output: Path) -> dict[Path, int]:
    try:
        return {path: path.stat().st_mtime_ns for path in Path(f"{output}.parts").rglob("*-*.ddp")}
    except FileNotFoundError:  # a run that begins removes the folder and makes it anew
        return {}


def wait_for_shards(output: Path, n: int) -> dict[Path, int]:
    deadline = time.monotonic() + 300.0
    while len(found := shards(output)) < n:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


# Evaluated so that it travels by value: workers have no tests.
_executing = eval("lambda dask_worker: dask_worker.state.executing_count", {"__name__": "__main__"})


def wait_until_idle(client: Any) -> None:
    """Wait until no worker does anything: what was running when a client died is finished, and its shards written."""
    deadline = time.monotonic() + 300.0
    while any(client.processing().values()) or any(client.run(_executing).values()):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@contextlib.contextmanager
def meanwhile(action: Callable[[], object]) -> Iterator[None]:
    """Do something in a thread beside what runs here; what goes wrong there is raised here."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(action)
        yield
        future.result(timeout=300.0)


# -- workers -----------------------------------------------------------------------------------------------------------


def test_a_plan_reaches_workers_that_do_not_have_it(
    cluster: Facility,
    plan: Path,
    files: list[Path],
    whole: bytes,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Also: the same bytes as in one process, weights included, and nothing left behind."""
    output, report = tmp_path / "h.ddp", tmp_path / "dask.html"
    options = ("--chunksize", CHUNK, "--scheduler", cluster.address, "--performance-report", report)
    code, _, err = invoke(capfd, "-v", "run", plan, *files, "-o", output, *options)
    assert code == 0, err
    assert "dashboard: http" in err
    assert "2 workers, all of this version" in err
    assert output.read_bytes() == whole
    assert not Path(f"{output}.parts").exists()
    assert "bokeh" in report.read_text().lower()


def test_both_roads(cluster: Facility, plan: Path, files: list[Path], whole: bytes, tmp_path: Path) -> None:
    seen: list[int] = []
    # Whoever sends much is not advised against it: a warning is an error here.
    few = dask.config.set({"distributed.admin.large-graph-warning-threshold": "1kB"})
    with few, connect(cluster.address) as client:
        one = run(
            plan,
            files,
            executor=Cluster(client),
            reading=Reading(chunksize=CHUNK),
            progress=lambda done, _: seen.append(done),
        )
        two = run(plan, files, executor=DaskAwkward(client), reading=Reading(chunksize=CHUNK))
    assert one.save(tmp_path / "one.ddp").read_bytes() == whole
    assert two == one
    assert seen == list(range(0, EVENTS + 1, CHUNK))


def test_what_workers_cannot_reach_is_kept_here(
    cluster: Facility, plan: Path, files: list[Path], whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coffea_ddp.running.driver.check_workers", lambda *_: False)
    with connect(cluster.address) as client:
        broken = [*files[:2], tmp_path / "lost.root"]
        shutil.copy(files[2], broken[2])
        first = run(
            plan, broken, executor=Cluster(client), reading=Reading(chunksize=CHUNK), checkpoint=tmp_path / "parts",
            progress=lambda done, _: broken[2].unlink(missing_ok=True) if done == CHUNK else None,
        )  # fmt: skip
        assert first.partial
        kept = len(list((tmp_path / "parts").rglob("*-*.ddp")))
        assert kept == EVENTS // CHUNK - len(first.missing)
        shutil.copy(files[2], broken[2])
        second = run(
            plan,
            broken,
            executor=Cluster(client),
            reading=Reading(chunksize=CHUNK),
            checkpoint=Checkpoint(tmp_path / "parts", resume=True),
        )
    here = run(plan, broken, reading=Reading(chunksize=CHUNK))
    assert second.save(tmp_path / "h.ddp").read_bytes() == here.save(tmp_path / "w.ddp").read_bytes()
    assert second.counts == load_bytes(whole, tmp_path).counts


def test_a_chunk_that_cannot_be_kept_here_counts(
    cluster: Facility, plan: Path, files: list[Path], whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder has become read-only: what was done is lost neither for this run nor, what is kept, for the next."""
    monkeypatch.setattr("coffea_ddp.running.driver.check_workers", lambda *_: False)
    saved: list[Path] = []

    def save(self: Shards, item: Any, histograms: Histograms) -> None:
        if len(saved) == 3:
            raise FileError(f"{self.folder}: read-only file system")
        saved.append(self.path(item))
        original(self, item, histograms)

    original = Shards.save
    monkeypatch.setattr(Shards, "save", save)
    with connect(cluster.address) as client:
        hists = run(
            plan,
            files,
            executor=Cluster(client),
            reading=Reading(chunksize=CHUNK),
            checkpoint=Checkpoint(tmp_path / "parts", keep=True),
        )
    assert hists.save(tmp_path / "h.ddp").read_bytes() == whole
    assert sorted((tmp_path / "parts").rglob("*-*.ddp")) == sorted(saved)


def load_bytes(content: bytes, folder: Path) -> Histograms:
    path = folder / "whole.ddp"
    path.write_bytes(content)
    return load(path)


def certificates(folder: Path) -> dict[str, Path]:
    """Write certificates such as coffea-casa has them; dask makes them."""
    security = distributed.Security.temporary()
    parts = {"ca_file": security.tls_ca_file, "cert": security.tls_client_cert, "key": security.tls_client_key}
    paths = {name: folder / f"{name}.pem" for name in parts}
    for name, path in paths.items():
        path.write_text(parts[name])
    return paths


def test_tls(plan: Path, files: list[Path], whole: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("cryptography", reason="makes the certificates")
    tls = certificates(tmp_path)
    output = tmp_path / "h.ddp"
    options = ["--chunksize", CHUNK]
    given = [part for name, path in tls.items() for part in (f"--tls-{name.replace('_', '-')}", path)]
    with facility(tmp_path / "facility", workers=1, tls=tls) as found:
        assert found.address.startswith("tls://")
        code, _, err = invoke(capfd, "run", plan, *files, "-o", output, *options, "--scheduler", found.address, *given)
        assert code == 0, err
        assert output.read_bytes() == whole
        code, _, err = invoke(capfd, "run", plan, *files, "-o", output, *options, "--scheduler", found.address)
    assert code == 1
    assert "needs certificates: --tls-ca-file" in err


def test_another_version_on_a_worker_is_refused_by_name(
    plan: Path, files: list[Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The same version number, but other code: what happens while a package is developed."""
    other = edited(tmp_path, "histograms/archive.py", "\nimport json\n", "\nimport json\n# something else\n")
    with facility(tmp_path / "facility", workers=1, PYTHONPATH=str(other)) as found:
        code, _, err = invoke(capfd, "run", plan, *files, "-o", tmp_path / "h.ddp", "--scheduler", found.address)
    assert code == 1
    assert "error: worker tcp://127.0.0.1" in err
    assert "install the same on both; docs/facility.md tells how on coffea-casa, dask-gateway and dask-jobqueue" in err


WRONG_COUNTS = ("plan/symmetry_counts.py", "channel.key(cell_on, side_on, bins)",
                "channel.key(cell_on, side_on, bins * 0)")  # fmt: skip


@pytest.mark.parametrize("kept", ["by workers", "not at all"])
def test_a_worker_of_other_code_that_joins_late_makes_nothing(
    plan: Path, files: list[Path], whole: bytes, tmp_path: Path, kept: str
) -> None:
    """What it would make is wrong, and looks right; the fit worker does it."""
    other = edited(tmp_path, *WRONG_COUNTS)
    with (
        facility(tmp_path / "facility", workers=1, PLAN_SLEEP="0.4") as found,
        connect(found.address) as client,
    ):

        def join(done: int, _total: int) -> None:
            if done == CHUNK:
                found.add_worker("late", PYTHONPATH=str(other), nanny=False)
                client.wait_for_workers(2, timeout=300)

        checkpoint = None if kept == "not at all" else tmp_path / "parts"
        hists = run(
            plan,
            files,
            executor=Cluster(client),
            reading=Reading(chunksize=CHUNK),
            progress=join,
            checkpoint=checkpoint,
        )
    assert hists.save(tmp_path / "h.ddp").read_bytes() == whole
    assert not hists.partial


def test_only_workers_of_other_code_are_left(
    plan: Path, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody fit has done is missing, and it is said why; also where a worker does not even have this package."""
    other = edited(tmp_path, *WRONG_COUNTS)
    none = tmp_path / "none" / "coffea_ddp"
    none.mkdir(parents=True)
    (none / "__init__.py").touch()
    monkeypatch.setattr("coffea_ddp.running.driver.ClusterExecutor", functools.partial(ClusterExecutor, patience=2.0))
    with (
        facility(tmp_path / "facility", workers=1, PLAN_SLEEP="0.3") as found,
        connect(found.address) as client,
    ):

        def swap(done: int, _total: int) -> None:
            if done == CHUNK:
                found.add_worker("late", PYTHONPATH=str(other), nanny=False)
                found.add_worker("bare", PYTHONPATH=str(none.parent), nanny=False)
                client.wait_for_workers(3, timeout=300)
            if done == 3 * CHUNK:
                found.kill_a_worker(for_good=True)

        hists = run(
            plan,
            files,
            executor=Cluster(client),
            reading=Reading(chunksize=CHUNK),
            progress=swap,
            checkpoint=tmp_path / "parts",
        )
    assert 3 * CHUNK <= hists.n_events < EVENTS
    reasons = {missing.reason for missing in hists.missing}
    assert any("no worker has the code of this run" in reason for reason in reasons), reasons
    assert any("coffea-ddp 0" in reason and "install the same on both" in reason for reason in reasons), reasons


def test_shards_of_other_code_are_not_taken(plan: Path, files: list[Path], tmp_path: Path) -> None:
    """An edit of the package leaves its version as it is, and must not be undone by --resume."""
    other = edited(tmp_path, *WRONG_COUNTS)
    parts, reading = tmp_path / "parts", Reading(chunksize=CHUNK)
    code = (
        "from coffea_ddp import Checkpoint, Reading, run; "
        f"run({str(plan)!r}, {str(files[0])!r}, checkpoint=Checkpoint({str(parts)!r}, keep=True), reading={reading!r})"
    )
    environment = {**os.environ, "PYTHONPATH": str(other)}
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, check=True)
    stale = sorted(parts.rglob("*-*-*.ddp"))
    assert len(stale) == 4
    hists = run(plan, files[0], checkpoint=Checkpoint(parts, resume=True, keep=True), reading=reading)
    fresh = sorted(set(parts.rglob("*-*-*.ddp")) - set(stale))
    assert len(fresh) == 4
    assert (
        hists.counts
        == run(plan, files[0], reading=Reading(chunksize=CHUNK)).counts
        != Histograms.sum([*map(load, stale)]).counts
    )
    before = {path: path.stat().st_mtime_ns for path in fresh}
    run(plan, files[0], checkpoint=Checkpoint(parts, resume=True, keep=True), reading=reading)
    assert {path: path.stat().st_mtime_ns for path in fresh} == before


def test_what_unfit_workers_are_told() -> None:
    here = {"package": "1.0", "code": "aa", "python": "3.11", "folder": True}
    found = {
        "one": here, "two": here | {"package": None}, "three": here | {"python": "3.12"}, "four": OSError("gone"),
    }  # fmt: skip
    two, three, four, five = unfit(here, found | {"five": TimeoutError("no answer for 30 s")}).values()
    assert "worker five: no answer for 30 s; is it stopped" in five
    assert "worker two: coffea-ddp is not installed there" in two
    assert "worker three: Python 3.12, here 3.11" in three
    assert "worker four: does not answer (OSError: gone)" in four


def test_no_workers_and_no_scheduler(plan: Path, files: list[Path], tmp_path: Path) -> None:
    with (
        facility(tmp_path / "facility", workers=0) as found,
        connect(found.address) as client,
        pytest.raises(ClusterError, match="has had no worker for 1 s; start some"),
    ):
        check_workers(client, FILLS, first_worker=1.0)
    with pytest.raises(ClusterError, match="no Dask scheduler answers there"):
        connect("tcp://127.0.0.1:9", timeout=1.0)
    with pytest.raises(InputError, match=r"no such file: nowhere\.pem"):
        connect("tls://127.0.0.1:9", tls=Certificates(ca_file="nowhere.pem"))
    with pytest.raises(InputError, match=r"needs a client: give client=Client\("):
        run(plan, files, executor="dask")


def test_a_frozen_worker_is_named(cluster: Facility, tmp_path: Path) -> None:
    """It holds its connection, and would be waited for for ever."""
    with connect(cluster.address) as client:
        client.wait_for_workers(2, timeout=300)
        frozen = cluster.worker_processes()[0]
        (address,) = [one for one, pid in client.run(os.getpid).items() if pid == frozen.pid]
        frozen.suspend()
        try:
            with pytest.raises(ClusterError, match=rf"^worker {address}: no answer for 8 s; is it stopped") as found:
                check_workers(client, FILLS, answer=8.0)
        finally:
            frozen.resume()
        assert str(found.value).count("worker tcp") == 1  # the other one is well
        assert check_workers(client, FILLS, tmp_path)


def test_a_fault_of_the_plan_ends_all_work(cluster: Facility, plan: Path, files: list[Path], tmp_path: Path) -> None:
    overlapping, begun = tmp_path / "overlapping.py", tmp_path / "begun"
    begun.mkdir()
    slow = plan.read_text().replace(
        '    time.sleep(float(os.environ.get("PLAN_SLEEP", "0")))',
        f"    open({str(begun)!r} + f'/{{time.time_ns()}}-{{os.getpid()}}', 'w').close()\n    time.sleep(1.0)",
    )
    overlapping.write_text(slow.replace(".charge < 0", ".charge != 0"))
    with connect(cluster.address) as client:
        with pytest.raises(OverlapError, match=r"symmetry 'mu-/mu\+'"):
            run(overlapping, files, executor=Cluster(client), reading=Reading(chunksize=CHUNK))
        wait_until_idle(client)
    # Two at a time, a second each: some were under way, or next, when the first had told its fault.
    assert 1 <= len(list(begun.iterdir())) < EVENTS // CHUNK


# -- faults of the cluster ---------------------------------------------------------------------------------------------


def test_a_killed_worker_loses_nothing(
    cluster: Facility,
    plan: Path,
    files: list[Path],
    whole: bytes,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "h.ddp"

    def kill() -> None:
        wait_for_shards(output, 2)
        cluster.kill_a_worker()

    with meanwhile(kill):
        code, _, err = invoke(
            capfd, "run", plan, *files, "-o", output, "--chunksize", CHUNK, "--scheduler", cluster.address
        )
    assert (code, output.read_bytes() == whole) == (0, True), err


@pytest.mark.slow
def test_a_chunk_that_takes_too_much_memory_is_named(
    plan: Path, files: list[Path], odd: Path, whole: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A nanny kills its worker again and again; that a chunk kills its workers is in the next test, every time."""
    greedy = tmp_path / "greedy.py"
    greedy.write_text(plan.read_text().replace('DEADLY = ""', 'DEADLY = "memory"'))
    output = tmp_path / "h.ddp"
    with facility(tmp_path / "facility", workers=1, memory="1500MB") as found:
        options = ("--chunksize", CHUNK, "--scheduler", found.address)
        code, _, err = invoke(capfd, "run", greedy, *files, odd, "-o", output, *options)
    assert code == 2
    hists = load(output)
    (missing,) = hists.missing
    assert (Path(missing.filename), missing.start, missing.stop) == (odd, 0, ODD)
    assert "died, again and again (killed, or out of memory?)" in missing.reason
    assert str(missing) in err
    assert hists.counts == load_bytes(whole, tmp_path).counts


def test_why_a_chunk_was_given_up_is_told_whatever_happens_later(
    plan: Path, files: list[Path], odd: Path, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The output that says it is lost with the workers, which die while they add; the chunks are in the shards."""
    deadly = tmp_path / "deadly.py"
    deadly.write_text(plan.read_text().replace('DEADLY = ""', 'DEADLY = "signal"'))
    # Evaluated so that it travels by value; this process adds as ever.
    adding = f"lambda outputs: os.kill(os.getpid(), 9) if os.getpid() != {os.getpid()} else add_all(outputs)"
    monkeypatch.setattr(
        "coffea_ddp.running.dask_cluster.add_all",
        eval(adding, {"__name__": "__main__", "os": os, "add_all": merging.add_all}),
    )
    with facility(tmp_path / "facility", workers=1) as found, connect(found.address) as client:
        hists = run(
            deadly,
            [*files, odd],
            executor=Cluster(client),
            reading=Reading(chunksize=CHUNK),
            checkpoint=tmp_path / "parts",
        )
    (missing,) = hists.missing
    assert (Path(missing.filename), missing.start, missing.stop) == (odd, 0, ODD)
    assert "died, again and again" in missing.reason
    assert hists.counts == load_bytes(whole, tmp_path).counts


@pytest.mark.usefixtures("_gives_up_soon")
def test_a_lost_scheduler_and_a_killed_client_lose_no_finished_chunk(
    plan: Path, files: list[Path], whole: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "h.ddp"
    arguments = ("run", plan, *files, "-o", output, "--chunksize", CHUNK)
    with facility(tmp_path / "one", workers=1, PLAN_SLEEP="0.7") as found:

        def kill() -> None:
            wait_for_shards(output, 3)
            found.scheduler.kill()

        with meanwhile(kill):
            code, _, err = invoke(capfd, *arguments, "--scheduler", found.address)
    assert code == 2, err
    partial = load(output)
    assert partial.partial
    assert all("scheduler" in missing.reason and "was lost" in missing.reason for missing in partial.missing)
    before = shards(output)
    assert 3 <= len(before) < EVENTS // CHUNK
    with facility(tmp_path / "two", workers=1, PLAN_SLEEP="0.7") as found:
        process = command(*arguments, "--scheduler", found.address, "--resume")
        wait_for_shards(output, len(before) + 2)
        process.kill()
        process.communicate()
        with connect(found.address) as client:
            wait_until_idle(client)
        kept = shards(output)
        assert len(before) + 2 <= len(kept) < EVENTS // CHUNK
        assert all(kept[path] == stamp for path, stamp in before.items())
        code, _, err = invoke(capfd, "-v", *arguments, "--scheduler", found.address, "--resume")
    told = re.search(rf"(\d+) of {EVENTS // CHUNK} chunks are there", err)
    assert told is not None, err
    assert len(kept) <= int(told[1])
    assert (code, output.read_bytes() == whole) == (0, True), err


@pytest.mark.usefixtures("_gives_up_soon")
def test_a_lost_scheduler_of_a_graph(plan: Path, files: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("dask_awkward", reason="needs the extra `dask-awkward`")
    begun, telling = tmp_path / "begun", tmp_path / "telling.py"
    telling.write_text(
        plan.read_text().replace("    time.sleep(", f"    open({str(begun)!r}, 'w').close()\n    time.sleep(", 1)
    )
    with facility(tmp_path / "one", workers=1, PLAN_SLEEP="5.0") as found, connect(found.address) as client:

        def kill() -> None:
            deadline = time.monotonic() + 300.0
            while not begun.exists():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            found.scheduler.kill()

        with (
            meanwhile(kill),
            pytest.raises(ClusterError, match=r"^the Dask cluster\b.* lost .*; dask-awkward keeps no finished chunks"),
        ):
            run(telling, files, executor=DaskAwkward(client), reading=Reading(chunksize=CHUNK))


def test_a_process_that_dies_here(plan: Path, files: list[Path], odd: Path, whole: bytes, tmp_path: Path) -> None:
    deadly = tmp_path / "deadly.py"
    deadly.write_text(plan.read_text().replace('DEADLY = ""', 'DEADLY = "signal"'))
    hists = run(deadly, [odd, *files], executor=Local(2), reading=Reading(chunksize=CHUNK))
    (missing,) = hists.missing
    assert (Path(missing.filename), missing.start, missing.stop) == (odd, 0, ODD)
    assert "a worker process died with it, twice" in missing.reason
    assert hists.counts == load_bytes(whole, tmp_path).counts


# -- faults of the files -----------------------------------------------------------------------------------------------


def vanish(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:3000])


def replace(path: Path) -> None:
    testing.make_nanoaod(path.with_suffix(".new"), events=EVENTS // 3, seed=99, cluster=CHUNK).replace(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (vanish, "was there when the run began, and is not any more"),
        (truncate, "cannot be"),
        (replace, "has been replaced by another file since the run began"),
    ],
)
def test_a_file_that_changes_during_the_run(
    plan: Path, files: list[Path], whole: bytes, tmp_path: Path, change: Callable[[Path], None], reason: str
) -> None:
    here = [Path(shutil.copy(path, tmp_path)) for path in files]
    undisturbed = run(plan, here, reading=Reading(chunksize=CHUNK)).save(tmp_path / "whole.ddp").read_bytes()

    def disturb(done: int, _total: int) -> None:
        if done == 6 * CHUNK:
            change(here[1])

    parts = tmp_path / "parts"
    first = run(plan, here, reading=Reading(chunksize=CHUNK), checkpoint=parts, progress=disturb)
    assert [(Path(m.filename), m.start, m.stop) for m in first.missing] == [
        (here[1], 500, 750),
        (here[1], 750, 1000),
    ]
    assert all(reason in missing.reason for missing in first.missing)
    assert first.n_events == EVENTS - 2 * CHUNK
    shutil.copy(files[1], here[1])
    done: list[int] = []
    second = run(
        plan,
        here,
        reading=Reading(chunksize=CHUNK),
        checkpoint=Checkpoint(parts, resume=True),
        progress=lambda n, _: done.append(n),
    )
    assert second.save(tmp_path / "second.ddp").read_bytes() == undisturbed
    assert second.counts == load_bytes(whole, tmp_path).counts


class RangeServer(http.server.SimpleHTTPRequestHandler):
    """Serves byte ranges, as servers of data do; stalls where it is told to."""

    stalled: tuple[str, ...] = ()
    released: threading.Event
    served = 0

    def do_GET(self) -> None:
        content = Path(self.translate_path(self.path)).read_bytes()
        asked = self.headers.get("Range")
        start, stop = 0, len(content)
        if asked:
            first, last = asked.removeprefix("bytes=").split("-")
            start, stop = int(first), min(int(last) + 1, len(content)) if last else len(content)
        type(self).served += 1
        if self.path.strip("/") in self.stalled and start > 1000:
            self.released.wait(5.0)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(206 if asked else 200)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
            self.send_header("Content-Length", str(stop - start))
            self.end_headers()
            self.wfile.write(content[start:stop])

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def server(files: list[Path]) -> Iterator[tuple[str, type[RangeServer]]]:
    handler = type("Handler", (RangeServer,), {"served": 0, "stalled": (), "released": threading.Event()})
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *given: handler(*given, directory=str(files[0].parent))
    ) as found:
        thread = threading.Thread(target=found.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}", handler
        handler.released.set()
        found.shutdown()


def test_a_server_that_stalls(
    server: tuple[str, type[RangeServer]], plan: Path, files: list[Path], whole: bytes, tmp_path: Path
) -> None:
    """Files behind a server, as with xrootd: read in ranges; what it does not answer in time is missing, and named."""
    address, handler = server
    urls = [f"{address}/{path.name}" for path in files]
    hists = run(plan, urls, reading=Reading(chunksize=1000, timeout=20.0))
    assert hists.counts == load_bytes(whole, tmp_path).counts
    assert not hists.partial
    parts = tmp_path / "parts"

    def stall(done: int, _total: int) -> None:
        if done >= 1000:
            handler.stalled = (files[1].name,)

    late = run(plan, urls, reading=Reading(chunksize=1000, timeout=4.0, retries=1), checkpoint=parts, progress=stall)
    assert [(m.filename, m.start, m.stop) for m in late.missing] == [(urls[1], 0, 1000)]
    handler.stalled = ()
    handler.released.set()
    served = handler.served
    again = run(plan, urls, reading=Reading(chunksize=1000, timeout=20.0), checkpoint=Checkpoint(parts, resume=True))
    assert again.counts == hists.counts
    assert handler.served > served
    assert dataclasses.asdict(again.ledger) == dataclasses.asdict(hists.ledger)


@pytest.mark.parametrize("executor", [Cluster, DaskAwkward])
@pytest.mark.parametrize("when", ["at once", "while events are read"])
def test_a_client_that_closes_itself(
    cluster: Facility, plan: Path, files: list[Path], tmp_path: Path, executor: type, when: str
) -> None:
    """Dask closes a client that cannot come back to its scheduler, and such a client forgets where that was."""
    begun, telling = tmp_path / "begun", tmp_path / "telling.py"
    telling.write_text(
        plan.read_text().replace("    time.sleep(", f"    open({str(begun)!r}, 'w').close()\n    time.sleep(", 1)
    )
    with connect(cluster.address) as client:

        def close() -> None:
            while when != "at once" and not begun.exists():
                time.sleep(0.02)
            # In its own loop, as Dask does.
            client.loop.add_callback(client._close)

        threading.Thread(target=close, daemon=True).start()
        with pytest.raises(ClusterError, match=r"^.{,600}$") as raised:
            run(telling, files, executor=executor(client), reading=Reading(chunksize=CHUNK))
        assert re.search("Dask (scheduler|cluster)[ ,].*lost", str(raised.value))
        assert cluster.address in str(raised.value) or " at " not in str(raised.value)
        with pytest.raises(ClusterError, match="lost"):
            check_workers(client, FILLS)
